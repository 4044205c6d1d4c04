"""Base class of the ensembles."""

import warnings
from dataclasses import replace
from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, _fit_context, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state, get_tags
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.validation import check_is_fitted

from .._estimators.callback_support import (
    CallbackSupportMixin,
    EnsembleCallbackContext,
    has_callbacks,
    with_callbacks,
)
from .._estimators.fit_kind import FitKind
from .._estimators.fitted import fitted_parts, network_outputs
from .._estimators.fitting import check_parameters, restored_on_error
from .._estimators.parameters import store_parameters, validate_parameters
from .._estimators.pickling import PersistenceMixin
from .._estimators.training_data import read_training_data
from .folds import make_folds
from .members import MemberTask, fit_members

#: Fitted attributes that describe the columns of the training data.
COLUMN_ATTRIBUTES = ("n_features_in_", "feature_names_in_")

#: Constraints of the parameters that both ensembles have.
SHARED_CONSTRAINTS = {
    "cv": [
        Interval(Integral, 2, None, closed="left"),
        HasMethods(["split", "get_n_splits"]),
        "array-like",
    ],
    "n_jobs": [Integral, None],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}


class BaseBackpropEnsemble(PersistenceMixin, CallbackSupportMixin, BaseEstimator):
    """Base class of `BackpropEnsembleClassifier` and `BackpropEnsembleRegressor`.

    The members share the conversion of the data: all members know the categories and
    the classes of all folds.
    """

    #: Check of the parameters; scikit-learn calls this method before `fit`.
    _validate_params = validate_parameters

    def __init__(
        self, estimator=None, *, cv=8, n_jobs=None, random_state=None, verbose=False
    ):
        store_parameters(self, locals())

    @_fit_context(prefer_skip_nested_validation=False)
    @with_callbacks
    def fit(self, X, y, sample_weight=None, groups=None):
        """Fit the members.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Training data. Supported types are those of `estimator`.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target values.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, for training and for early stopping. In each fold, the sum
            of the training weights and the sum of the validation weights must be
            positive. If None, all samples have weight 1.
        groups : array-like of shape (n_samples,), default=None
            Group of each sample. With an int `cv`, all samples of a group are in the
            same fold. Other splitters receive the groups.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If a parameter is invalid, if parameters and data do not match, if there is
            only one sample, or if the training of a member diverges. The result of a
            previous fit is then not changed.

        Warns
        -----
        ConvergenceWarning
            If members have not converged or have not learned anything.
        UserWarning
            If a class has fewer samples than there are folds.
        """
        with restored_on_error(self):
            self._fit(X, y, sample_weight, groups)
        return self

    def _fit(self, X, y, sample_weight, groups):
        network = self._make_network(X)
        check_parameters(network)
        reader, samples = read_training_data(
            network, FitKind.FRESH, X, y, sample_weight
        )
        rng = check_random_state(self.random_state)
        folds = make_folds(self.cv, X, y, groups, samples, rng)
        callbacks = EnsembleCallbackContext(self, len(folds), X, y, sample_weight)
        callbacks.begin()
        tasks = self._make_tasks(network, folds, rng, callbacks, X, y)
        members = fit_members(tasks, reader, samples, self.n_jobs)
        self._adopt(network, members, samples, folds)
        callbacks.end()
        _warn([member.warning for member in members])

    def _make_network(self, X):
        """Return an unfitted network with the parameters of the members."""
        if self.estimator is None:
            network = self.default_estimator(X)
        else:
            network = clone(self.estimator)
        # The `__init__` of a subclass may have other parameters.
        network.early_stopping = True
        return network

    def _make_tasks(self, network, folds, rng, callbacks, X, y):
        """Return one task per member."""
        columns = {k: v for k, v in vars(network).items() if k in COLUMN_ATTRIBUTES}
        has_any_callbacks = has_callbacks(self) or has_callbacks(network)
        tasks = []
        for i, fold in enumerate(folds):
            member = clone(network)
            vars(member).update(
                columns,
                early_stopping=True,
                random_state=int(rng.randint(np.iinfo(np.int32).max)),
            )
            if not isinstance(member.batch_size, str):  # "auto"
                member.batch_size = min(member.batch_size, len(fold.training))
            name = f"Member {i + 1} of {len(folds)}"
            task = MemberTask(name, member, fold, bool(self.verbose))
            if has_any_callbacks:
                context = callbacks.make_member_context(i)
                task = replace(task, ensemble=self, context=context, X=X, y=y)
            tasks.append(task)
        return tasks

    def _adopt(self, network, members, samples, folds):
        """Store the results of a fit."""
        self.estimator_ = network
        self.estimators_ = [member.estimator for member in members]
        for name in COLUMN_ATTRIBUTES:
            vars(self).pop(name, None)
            if hasattr(network, name):
                setattr(self, name, getattr(network, name))
        predictions = [
            self._to_predictions(fitted_parts(member.estimator), member.outputs)
            for member in members
        ]
        mean, is_predicted = _average_folds(folds, predictions, samples.n_samples)
        self.oof_prediction_ = self._to_oof_prediction(mean)
        targets = fitted_parts(self.estimators_[0]).reader.targets
        weight = samples.weight
        self.oof_score_ = self._score_mean(
            targets.decode(samples)[is_predicted],
            mean[is_predicted],
            None if weight is None else weight[is_predicted],
        )
        self._learn_intervals(samples, folds, predictions)

    def _read_inputs(self, X):
        """Convert input data to network inputs, which are the same for all members."""
        check_is_fitted(self)
        return fitted_parts(self.estimators_[0]).reader.read_inputs(X, self)

    def _predictions(self, inputs):
        """Yield the prediction of each member for network inputs.

        Yields
        ------
        ndarray of shape (n_samples, n_columns), float64
            See `_to_predictions`.
        """
        for parts in map(fitted_parts, self.estimators_):
            outputs = network_outputs(parts.state.network, inputs)
            yield self._to_predictions(parts, outputs)

    def _mean_prediction(self, X):
        """Return the mean prediction of the members for input data."""
        return sum(self._predictions(self._read_inputs(X))) / len(self.estimators_)

    # --------------------------------------------------- interface of the subclasses

    @staticmethod
    def default_estimator(X=None):
        """Return the network that ``estimator=None`` selects for training data `X`."""
        raise NotImplementedError

    def _to_predictions(self, parts, outputs):
        """Convert network outputs to the predictions that are averaged.

        Parameters
        ----------
        parts : FittedParts
            Results of the fit of the member.
        outputs : ndarray of shape (n_samples, n_outputs)
            Network outputs; may be overwritten.

        Returns
        -------
        ndarray of shape (n_samples, n_columns), float64
        """
        raise NotImplementedError

    def _to_oof_prediction(self, mean):
        """Return mean predictions in the shape of the attribute `oof_prediction_`."""
        raise NotImplementedError

    def _score_mean(self, y, mean, sample_weight):
        """Return the score of mean predictions for targets `y`."""
        raise NotImplementedError

    def _learn_intervals(self, samples, folds, predictions):
        """Learn prediction intervals from out-of-fold predictions.

        Parameters
        ----------
        samples : TrainingSamples
            Training data.
        folds : list of Fold
            Folds of the members.
        predictions : list of ndarray of shape (n_validation, n_columns)
            Predictions of each member for its validation rows.
        """
        raise NotImplementedError

    def _make_unfitted(self):
        """Return a new estimator of the class of this library, not of a subclass."""
        raise NotImplementedError

    # -------------------------------------------------------------- fitted attributes

    def _fitted_members(self):
        """Return `estimators_`, or raise AttributeError before the first fit."""
        if not hasattr(self, "estimators_"):
            raise AttributeError(
                f"This {type(self).__name__} instance is not fitted yet."
            )
        return self.estimators_

    @property
    def history_(self):
        """DataFrame of losses, score, learning rate and duration of each epoch."""
        import pandas as pd

        members = self._fitted_members()
        histories = dict(enumerate(member.history_ for member in members))
        return pd.concat(histories, names=["member"])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # The default network has no bins if X is sparse.
        member = self.default_estimator().set_params(n_bins=None)
        member_tags = get_tags(member if self.estimator is None else self.estimator)
        tags.input_tags.sparse = member_tags.input_tags.sparse
        tags.input_tags.allow_nan = member_tags.input_tags.allow_nan
        if tags.classifier_tags is not None:
            tags.classifier_tags.multi_label = member_tags.classifier_tags.multi_label
        tags.target_tags.multi_output = member_tags.target_tags.multi_output
        tags.target_tags.positive_only = member_tags.target_tags.positive_only
        return tags


def _average_folds(folds, predictions, n_samples):
    """Average out-of-fold predictions.

    Parameters
    ----------
    folds : list of Fold
        Folds of the members.
    predictions : list of ndarray of shape (n_validation, n_columns)
        Predictions of each member for its validation rows.
    n_samples : int
        Number of training samples.

    Returns
    -------
    mean : ndarray of shape (n_samples, n_columns)
        Mean over the members that have a row in their validation rows; NaN for rows
        that are in no validation fold.
    is_predicted : ndarray of bool of shape (n_samples,)
    """
    total = np.zeros((n_samples, predictions[0].shape[1]))
    n_members = np.zeros((n_samples, 1))
    for fold, prediction in zip(folds, predictions):
        np.add.at(total, fold.validation, prediction)
        np.add.at(n_members, fold.validation, 1.0)
    is_predicted = n_members[:, 0] > 0.0
    mean = np.full_like(total, np.nan)
    np.divide(total, n_members, out=mean, where=n_members > 0.0)
    return mean, is_predicted


def _warn(messages):
    """Emit one warning for the warnings of all members."""
    found = [(i, message) for i, message in enumerate(messages) if message]
    if found:
        i, message = found[0]
        warnings.warn(
            f"{len(found)} of {len(messages)} members have a warning. The warning of "
            f"estimators_[{i}] is: {message}",
            ConvergenceWarning,
            stacklevel=3,
        )
