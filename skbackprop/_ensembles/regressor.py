"""BackpropEnsembleRegressor."""

from numbers import Real

import numpy as np
from sklearn.base import RegressorMixin

from .._estimators.fitted import fitted_parts
from .._estimators.regressor import BackpropRegressor, score_predictions
from ..core.layout import row_blocks
from .base import SHARED_CONSTRAINTS, BaseBackpropEnsemble
from .default_parameters import default_parameters
from .intervals import ConformityScores

#: Number of rows per block of `predict_interval`, which limits the memory.
INTERVAL_ROWS = 1 << 14


class BackpropEnsembleRegressor(RegressorMixin, BaseBackpropEnsemble):
    """Ensemble of neural-network regressors, fitted on the folds of a K-fold split.

    Each member is fitted on all folds but one, and early-stopped on the loss of this
    fold [1]_ [2]_. The predictions are the means over the members. The ensemble is more
    accurate than a single network. It takes about `cv` times as long as a single fit.
    `predict_interval` predicts intervals [3]_ [4]_.

    Parameters
    ----------
    estimator : BackpropRegressor or None, default=None
        Network with the parameters of the members. ``early_stopping`` is always
        enabled, `random_state` is different for each member, and `batch_size` is
        limited by the number of training rows. If None, the members have the parameters
        of ``default_estimator(X)``.
        To change single parameters, such as `loss`, pass
        ``default_estimator(X).set_params(...)``.
    cv : int, cross-validation splitter or list, default=8
        Split of the training data; one member per fold.

        - int: number of folds, limited by the number of samples or groups. The samples
          are shuffled.
        - A splitter, such as :class:`sklearn.model_selection.TimeSeriesSplit`.
        - A list of pairs of training and validation rows.

        Increase `cv` for a more accurate ensemble; decrease it for a shorter fit.
    n_jobs : int or None, default=None
        Number of members to fit at the same time. None means 1, unless in a
        :obj:`joblib.parallel_config` context. -1 means all processors.
    random_state : int, RandomState instance or None, default=None
        Controls the folds, and the random numbers of the members. Pass an int for
        reproducible results across multiple calls of `fit`.
    verbose : bool or int, default=False
        Whether to print one line per member. To print one line per epoch, set `verbose`
        of `estimator`.

    Attributes
    ----------
    estimator_ : BackpropRegressor
        Unfitted network with the parameters of the members.
    estimators_ : list of BackpropRegressor
        Fitted members.
    oof_prediction_ : ndarray of shape (n_samples,), (n_samples, n_outputs) or \
(n_samples, n_quantiles)
        Out-of-fold predictions of the training samples: each sample is predicted by the
        member that was not trained on it. If a sample is in several validation folds,
        the mean; if it is in none, NaN.
    oof_score_ : float
        Score of the out-of-fold predictions as in `score`, weighted by `sample_weight`.
        The score of new samples is usually higher, because all members predict them.
        Early stopping uses the same folds, which increases `oof_score_` slightly.
    history_ : pandas.DataFrame
        Losses and scores of each epoch; see :class:`BackpropRegressor`. The levels of
        the index are the position in `estimators_` and the epoch.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of features seen during `fit`. Defined only if `X` has feature names that
        are all strings.

    See Also
    --------
    BackpropRegressor : Single network.
    BackpropEnsembleClassifier : Ensemble for classification.

    References
    ----------
    .. [1] Krogh and Vedelsby. "Neural network ensembles, cross validation, and active
       learning." NIPS (1994), section 3.
    .. [2] Breiman. "Bagging predictors." Machine Learning 24 (1996), 123-140.
    .. [3] Barber, Candes, Ramdas and Tibshirani. "Predictive inference with the
       jackknife+." Annals of Statistics 49 (2021), section 3.
    .. [4] Romano, Patterson and Candes. "Conformalized quantile regression." NeurIPS
       (2019), equation 6.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skbackprop import BackpropEnsembleRegressor, BackpropRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> network = BackpropRegressor((16,), learning_rate_init=0.01)
    >>> reg = BackpropEnsembleRegressor(network, cv=4, random_state=0).fit(X, y)
    >>> reg.predict(X[:3]).shape, reg.oof_prediction_.shape
    ((3,), (442,))
    >>> reg.oof_score_ > 0.4
    True
    """

    _parameter_constraints: dict = {
        "estimator": [BackpropRegressor, None],
        **SHARED_CONSTRAINTS,
    }

    @staticmethod
    def default_estimator(X=None):
        """Return the network that ``estimator=None`` selects.

        The network has two hidden layers of 128 units with the activation "silu", and
        16 bins for each numeric feature. It minimizes the squared-error loss with
        ``solver="adam"`` and the schedule "one_cycle", with batches of 64 rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features), \
                default=None
            Training data. The maximum number of epochs is 100 with up to 1,500 samples,
            ``150_000 / n_samples`` with more, and 20 with 7,500 or more. The network
            computes in float32 if `X` has at least 20,000 values, and in the precision
            of `X` otherwise. It has no bins if `X` is sparse. If `X` is None or a Dask
            array of unknown length, the network has 100 epochs, float32 and 16 bins.

        Returns
        -------
        BackpropRegressor
            A new unfitted estimator.

        Examples
        --------
        >>> from skbackprop import BackpropEnsembleRegressor
        >>> network = BackpropEnsembleRegressor.default_estimator()
        >>> network = network.set_params(loss="poisson")
        >>> reg = BackpropEnsembleRegressor(network)
        """
        return BackpropRegressor(**default_parameters(X))

    def predict(self, X):
        """Predict the target values of each sample.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Input data.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,), (n_samples, n_outputs) or \
(n_samples, n_quantiles), float64
            Mean predictions of the members in the units of `y`.
        """
        return self._in_target_shape(self._mean_prediction(X))

    def predict_interval(self, X, coverage=0.9):
        """Predict an interval that contains the target with a given probability.

        The intervals are CV+ intervals (Barber et al., 2021), which are computed from
        the errors of the out-of-fold predictions. If `quantile` of the members is a
        sequence, the interval between its first and its last quantile is extended or
        shortened by its out-of-fold errors (Romano et al., 2019). The width then
        depends more on `X`. Choose quantiles whose interval has about the requested
        coverage: an interval that is shortened by more than its width becomes a point.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Input data.
        coverage : float, default=0.9
            Fraction of new samples whose target is in the interval, between 0 and 1.

        Returns
        -------
        interval : ndarray of shape (n_samples, 2) or (n_samples, n_outputs, 2), float64
            Lower and upper bound of each target, in the units of `y`.

        Raises
        ------
        ValueError
            If `coverage` is not between 0 and 1, or if it is too close to 1 for the
            number of training samples.

        Notes
        -----
        If the training and the new samples are exchangeable, the expected coverage is
        at least about ``2 * coverage - 1``, and is usually close to `coverage`. It is
        larger if the predictions of the members differ much. The coverage is a mean
        over all samples, not for each value of `X`, and holds for each target
        separately. The guarantee assumes that the validation folds are only used for
        the errors, but early stopping also uses them, and categories, imputation values
        and bins are learned from all samples.

        Sample weights count as repetitions of samples, but the guarantee requires equal
        weights. Samples without an out-of-fold prediction, for example with
        :class:`sklearn.model_selection.TimeSeriesSplit`, are ignored. The bounds can be
        outside the range of the predictions, for example negative with
        ``loss="poisson"``.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from skbackprop import BackpropEnsembleRegressor
        >>> X, y = load_diabetes(return_X_y=True)
        >>> reg = BackpropEnsembleRegressor(random_state=0).fit(X[:342], y[:342])
        >>> low, high = reg.predict_interval(X[342:]).T
        >>> bool(((low <= y[342:]) & (y[342:] <= high)).mean() > 0.8)
        True
        """
        if not (isinstance(coverage, Real) and 0.0 < coverage < 1.0):
            raise ValueError(
                f"coverage must be a number between 0 and 1, got {coverage!r}."
            )
        inputs = self._read_inputs(X)
        self._conformity_scores.check_coverage(coverage)
        blocks = []
        for rows in row_blocks(inputs.shape[0], INTERVAL_ROWS):
            bounds = zip(*map(self._to_bounds, self._predictions(inputs[rows])))
            lower, upper = map(np.array, bounds)
            blocks.append(self._conformity_scores.extend(lower, upper, coverage))
        intervals = np.concatenate(blocks)
        return intervals[:, 0] if intervals.shape[1] == 1 else intervals

    def score(self, X, y, sample_weight=None):
        """Return the R2 score, or the mean D2 pinball score of several quantiles.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Input data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target values.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.

        Returns
        -------
        score : float
            See :meth:`BackpropRegressor.score`. The best possible score is 1.
        """
        predictions = self.predict(X)
        return score_predictions(self.estimators_[0], y, predictions, sample_weight)

    def _in_target_shape(self, values):
        return fitted_parts(self.estimators_[0]).reader.targets.predict(values)

    def _to_predictions(self, parts, outputs):
        # In float32, predictions far from zero would lose digits.
        values = outputs.astype(np.float64)
        parts.reader.scalers.unscale_outputs(values)
        return values

    def _to_oof_prediction(self, mean):
        return self._in_target_shape(mean)

    def _score_mean(self, y, mean, sample_weight):
        predictions = self._in_target_shape(mean)
        return score_predictions(self.estimators_[0], y, predictions, sample_weight)

    def _to_bounds(self, predictions):
        """Return the interval that a member predicts before it is corrected."""
        targets = fitted_parts(self.estimators_[0]).reader.targets
        if targets.n_quantiles is None:
            return predictions, predictions
        return predictions[:, :1], predictions[:, -1:]

    def _learn_intervals(self, samples, folds, predictions):
        y = fitted_parts(self.estimators_[0]).reader.targets.decode(samples)
        self._conformity_scores = ConformityScores.fit(
            y.reshape(len(y), -1).astype(np.float64),
            samples.weight,
            folds,
            *zip(*map(self._to_bounds, predictions)),
        )

    def _make_unfitted(self):
        return BackpropEnsembleRegressor()
