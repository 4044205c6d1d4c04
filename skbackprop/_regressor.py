"""BackpropRegressor: one real number or several to be predicted."""

from numbers import Real

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import column_or_1d

from ._base import BaseBackprop, is_stochastic
from .core.losses import LOSSES, Loss


class BackpropRegressor(RegressorMixin, BaseBackprop):
    """Doc."""

    _parameter_constraints: dict = {
        **BaseBackprop._parameter_constraints,
        "loss": [
            StrOptions({n for n, loss in LOSSES.items() if "regression" in loss.tasks}),
            Loss,
        ],
        "quantile": [Interval(Real, 0, 1, closed="neither")],
    }
    _default_output_activation = "identity"

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        loss="squared_error",
        quantile=0.5,
        output_activation="auto",
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        scoring="loss",
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        max_fun=15000,
        clip_norm=None,
    ):
        super().__init__(
            hidden_layer_sizes=hidden_layer_sizes,
            activation=activation,
            loss=loss,
            output_activation=output_activation,
            solver=solver,
            alpha=alpha,
            batch_size=batch_size,
            learning_rate=learning_rate,
            learning_rate_init=learning_rate_init,
            power_t=power_t,
            max_iter=max_iter,
            shuffle=shuffle,
            random_state=random_state,
            tol=tol,
            verbose=verbose,
            warm_start=warm_start,
            momentum=momentum,
            nesterovs_momentum=nesterovs_momentum,
            early_stopping=early_stopping,
            scoring=scoring,
            validation_fraction=validation_fraction,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            n_iter_no_change=n_iter_no_change,
            max_fun=max_fun,
            clip_norm=clip_norm,
        )
        self.quantile = quantile

    @available_if(is_stochastic)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        """Carry training on by one epoch over the given samples.

        Called K times with the same samples it comes to the same as `fit` with
        ``max_iter=K``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The target values.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, zero or more.

        Returns
        -------
        self : object
            The estimator, trained further.
        """
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X):
        """Predict the target values of each sample.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            float32 where the network was fitted to float32, else float64.
        """
        outputs = self._outputs(X)
        return outputs.ravel() if outputs.shape[1] == 1 else outputs

    def _loss_in_core(self):
        return self.loss

    def _n_averaged(self, n_outputs):
        """Report the squared error as a mean over outputs, as MLPRegressor does.

        What is descended is their sum all the same, there as here.
        """
        return n_outputs if self.loss == "squared_error" else 1

    def _encode(self, y, dtype, carry_on, incremental, classes):
        """Turn target values into an array of one column an output."""
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        targets = np.ascontiguousarray(y, dtype).reshape(len(y), -1)
        if carry_on and targets.shape[1] != self.n_outputs_:
            raise ValueError(
                f"y must have {self.n_outputs_} outputs as before, got "
                f"{targets.shape[1]}."
            )
        return targets, None

    def _decode(self, samples):
        """Turn targets back into what `y` was, for a scorer."""
        targets = samples.targets
        return targets.ravel() if targets.shape[1] == 1 else targets

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.positive_only = self.loss == "poisson"
        return tags
