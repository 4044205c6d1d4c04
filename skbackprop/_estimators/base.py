"""Base class of the estimators."""

from sklearn.base import BaseEstimator, _fit_context

from .callback_support import CallbackSupportMixin, with_callbacks
from .fit_kind import FitKind
from .fitted import FittedNetwork
from .fitting import fit_chunk, fit_network
from .parameters import validate_parameters
from .pickling import PersistenceMixin


class BaseBackprop(
    PersistenceMixin, CallbackSupportMixin, FittedNetwork, BaseEstimator
):
    """Base class of `BackpropClassifier` and `BackpropRegressor`.

    A fit creates three objects, which `_adopt` stores: a `Reader` of the data, the
    `Architecture` of the network, and the `TrainingState` with the network itself.
    """

    #: Check of the parameters; scikit-learn calls this method before `fit`.
    _validate_params = validate_parameters

    @_fit_context(prefer_skip_nested_validation=True)
    @with_callbacks
    def fit(
        self,
        X,
        y,
        sample_weight=None,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
        coefs_init=None,
        intercepts_init=None,
    ):
        """Fit the network to the training data.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. A numeric array in C order is not copied, whatever its dtype.
            Computations use the precision set by `dtype`.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target values: class labels or a label indicator matrix in classification,
            real numbers in regression.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, with a positive sum. If None, all samples have weight 1.
        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Validation data. The validation loss and score are recorded after each
            epoch. With ``early_stopping=True``, the validation data replace the samples
            held out from `X` and determine when training stops. In a pipeline, use
            ``Pipeline(..., transform_input=["X_val"])`` to transform `X_val` like `X`.
        y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
            Target values of the validation data. Required if `X_val` is passed.
        sample_weight_val : array-like of shape (n_val,), default=None
            Sample weights of the validation data, with a positive sum.
        coefs_init : sequence of array-like of shape (fan_in, fan_out), default=None
            Initial weights of each layer. If the estimator standardizes or encodes the
            inputs, the weights apply to the transformed inputs. If None, the weights
            come from `init`, or from the previous fit if ``warm_start=True``. With
            ``early_stopping=True``, the initial weights are restored if no epoch
            improves the validation score.
        intercepts_init : sequence of array-like of shape (fan_out,), default=None
            Initial biases of each layer. If None, the biases come from `init`, or from
            the previous fit if ``warm_start=True``.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If parameters and data do not match, or if training diverges: the loss, a
            weight or a prediction for the training data is not finite. The result of a
            previous fit is then not changed. With ``early_stopping=True``, `fit`
            restores the best weights and warns instead, if there are any.
        """
        is_warm = self.warm_start and self.__sklearn_is_fitted__()
        return fit_network(
            self,
            FitKind.WARM if is_warm else FitKind.FRESH,
            X,
            y,
            sample_weight,
            (X_val, y_val, sample_weight_val),
            (coefs_init, intercepts_init),
        )

    def _partial_fit(self, X, y, sample_weight, classes=None):
        # scikit-learn validates only before the first call, but parameters may change.
        self._validate_params()
        return fit_chunk(self, X, y, sample_weight, classes)

    # --------------------------------------------------- interface of the subclasses

    #: Constraints of all parameters.
    _parameter_constraints: dict
    #: Whether the targets are numbers, not class labels.
    _has_numeric_targets: bool
    #: Output activation if neither the user nor the loss defines one.
    _default_output_activation: str

    def _learn_targets(self, y, classes, is_chunk):
        """Learn the kind of targets.

        Parameters
        ----------
        y : ndarray
            Validated target values.
        classes : array-like of shape (n_classes,) or None
            Argument of `partial_fit`.
        is_chunk : bool
            Whether `y` is a chunk, which may lack classes.

        Returns
        -------
        targets : ClassTargets or NumericTargets
        y : ndarray
            Target values for ``targets.encode``.
        """
        raise NotImplementedError

    def _check_declared_classes(self, targets, classes):
        """Raise ValueError if a later chunk declares different classes."""
        raise NotImplementedError

    def _get_core_loss(self, targets):
        """Return the loss of the core: a key of `LOSSES`, an instance or a function."""
        raise NotImplementedError

    def _make_unfitted(self):
        """Return a new estimator of the class of this library, not of a subclass."""
        raise NotImplementedError

    # -------------------------------------------------------------- fitted attributes

    def _adopt(self, reader, architecture, state):
        """Store the results of a fit."""
        self._reader, self._architecture, self._state = reader, architecture, state
        self._set_fitted_attributes()

    def _set_fitted_attributes(self):
        """Set the fitted attributes that are not properties.

        Meta-estimators such as those of dask-ml copy only instance attributes.
        """
        state, best = self._state, self._state.monitor.best_score
        self.n_iter_ = state.n_epochs
        self.t_ = state.n_seen
        self.loss_ = state.loss
        self.best_loss_ = None if self.early_stopping else -best
        self.best_validation_score_ = best if self.early_stopping else None
        self.n_layers_ = len(state.network.sizes)
        self.n_outputs_ = state.network.sizes[-1]
        self.out_activation_ = self._architecture.output_name
        self.is_categorical_ = self._reader.columns.is_categorical
        if not self._has_numeric_targets:
            # A subclass can define `classes_` as a property.
            vars(self)["classes_"] = self._reader.targets.classes
