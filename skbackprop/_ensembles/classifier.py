"""BackpropEnsembleClassifier."""

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score

from .._data.labels import to_target_array
from .._estimators.classifier import BackpropClassifier
from .._estimators.fitted import fitted_parts
from .base import SHARED_CONSTRAINTS, BaseBackpropEnsemble
from .default_parameters import default_parameters


class BackpropEnsembleClassifier(ClassifierMixin, BaseBackpropEnsemble):
    """Ensemble of neural-network classifiers, fitted on the folds of a K-fold split.

    Each member is fitted on all folds but one, and early-stopped on the loss of this
    fold [1]_ [2]_. The predicted probabilities are the means over the members. The
    ensemble is more accurate than a single network, and its probabilities are better
    calibrated. It takes about `cv` times as long as a single fit.

    Parameters
    ----------
    estimator : BackpropClassifier or None, default=None
        Network with the parameters of the members. ``early_stopping`` is always
        enabled, `random_state` is different for each member, and `batch_size` is
        limited by the number of training rows. If None, the members have the parameters
        of ``default_estimator(X)``.
        To change single parameters, such as `class_weight`, pass
        ``default_estimator(X).set_params(...)``.
    cv : int, cross-validation splitter or list, default=8
        Split of the training data; one member per fold.

        - int: number of folds, limited by the number of samples or groups. The samples
          are shuffled. The folds are stratified by
          class, except for multilabel targets.
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
    estimator_ : BackpropClassifier
        Unfitted network with the parameters of the members.
    estimators_ : list of BackpropClassifier
        Fitted members.
    classes_ : ndarray of shape (n_classes,)
        Class labels; column numbers for multilabel targets.
    oof_prediction_ : ndarray of shape (n_samples, n_classes)
        Out-of-fold probabilities of the training samples: each sample is predicted by
        the member that was not trained on it. If a sample is in several validation
        folds, the mean; if it is in none, NaN.
    oof_score_ : float
        Accuracy of the out-of-fold predictions, weighted by `sample_weight`. The score
        of new samples is usually higher, because all members predict them. Early
        stopping uses the same folds, which increases `oof_score_` slightly.
    history_ : pandas.DataFrame
        Losses and scores of each epoch; see :class:`BackpropClassifier`. The levels of
        the index are the position in `estimators_` and the epoch.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of features seen during `fit`. Defined only if `X` has feature names that
        are all strings.

    See Also
    --------
    BackpropClassifier : Single network.
    BackpropEnsembleRegressor : Ensemble for regression.

    References
    ----------
    .. [1] Krogh and Vedelsby. "Neural network ensembles, cross validation, and active
       learning." NIPS (1994), section 3.
    .. [2] Breiman. "Bagging predictors." Machine Learning 24 (1996), 123-140.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skbackprop import BackpropEnsembleClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = BackpropEnsembleClassifier(cv=4, random_state=0).fit(X, y)
    >>> clf.predict(X[:3])
    array([0, 0, 0])
    >>> clf.oof_score_ > 0.9, len(clf.estimators_)
    (True, 4)
    """

    _parameter_constraints: dict = {
        "estimator": [BackpropClassifier, None],
        **SHARED_CONSTRAINTS,
    }

    @staticmethod
    def default_estimator(X=None):
        """Return the network that ``estimator=None`` selects.

        The network has two hidden layers of 128 units with the activation "silu", and
        16 bins for each numeric feature. It minimizes the log-loss with
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
        BackpropClassifier
            A new unfitted estimator.

        Examples
        --------
        >>> from skbackprop import BackpropEnsembleClassifier
        >>> network = BackpropEnsembleClassifier.default_estimator()
        >>> network = network.set_params(class_weight="balanced")
        >>> clf = BackpropEnsembleClassifier(network)
        """
        return BackpropClassifier(loss="log_loss", **default_parameters(X))

    def predict(self, X):
        """Predict the class of each sample.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Input data.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,) or (n_samples, n_labels)
            Class with the largest mean probability. For multilabel targets, a label
            indicator matrix of int, which is sparse if the training targets were
            sparse.
        """
        scores = self.decision_function(X)
        return self._targets.predict(scores)

    def predict_proba(self, X):
        """Predict the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Input data.

        Returns
        -------
        y_prob : ndarray of shape (n_samples, n_classes), float64
            Mean probability of each class over the members, strictly between 0 and 1.
            Columns are in the order of `classes_`. Rows sum to one, except for
            multilabel targets. If `classes_` has a single class, its probability is 1.
        """
        return self._mean_prediction(X)

    def predict_log_proba(self, X):
        """Predict the logarithm of the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Input data.

        Returns
        -------
        log_y_prob : ndarray of shape (n_samples, n_classes), float64
            Log-probability of each class, ``log(predict_proba(X))``.
        """
        return np.log(self.predict_proba(X))

    def decision_function(self, X):
        """Compute the decision function for each class.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Input data.

        Returns
        -------
        scores : ndarray of shape (n_samples,), (n_samples, n_classes) or \
(n_samples, n_labels), float64
            For binary and multilabel targets, the log-odds of the mean probabilities:
            positive values predict ``classes_[1]``, or the label. For multiclass
            targets, the logarithms of the mean probabilities.
        """
        return self._to_scores(self._mean_prediction(X))

    def score(self, X, y, sample_weight=None):
        """Return the accuracy, or the subset accuracy for multilabel targets.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Input data.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels, or a label indicator matrix for multilabel targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.

        Returns
        -------
        score : float
            :func:`sklearn.metrics.accuracy_score` of the predictions.
        """
        y = to_target_array(y, are_numeric=False)
        return accuracy_score(y, self.predict(X), sample_weight=sample_weight)

    @property
    def classes_(self):
        """Class labels; column numbers for multilabel targets."""
        return self._targets.classes

    @property
    def _targets(self):
        """Encoder of the classes, which is the same for all members."""
        return fitted_parts(self._fitted_members()[0]).reader.targets

    def _to_scores(self, probabilities):
        """Return the decision function for mean probabilities."""
        kind = self._targets.kind
        if kind == "binary":
            return np.log(probabilities[:, 1]) - np.log(probabilities[:, 0])
        if kind == "multilabel":
            return np.log(probabilities) - np.log1p(-probabilities)
        scores = np.log(probabilities)
        return scores.ravel() if scores.shape[1] == 1 else scores

    def _to_predictions(self, parts, outputs):
        targets = parts.reader.targets
        has_softmax = parts.architecture.has_softmax_outputs
        probabilities = targets.predict_proba(outputs, sum_to_one=has_softmax)
        probabilities = probabilities.astype(np.float64)
        if targets.kind == "multilabel":
            return probabilities
        # In float32, the sum of a row is inexact.
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        if targets.is_constant:
            return probabilities
        limits = np.finfo(np.float64)
        return probabilities.clip(limits.tiny, 1.0 - limits.epsneg)

    def _to_oof_prediction(self, mean):
        return mean

    def _score_mean(self, y, mean, sample_weight):
        labels = self._targets.predict(self._to_scores(mean))
        return accuracy_score(y, labels, sample_weight=sample_weight)

    def _learn_intervals(self, samples, folds, predictions):
        """Do nothing because classes have no intervals."""

    def _make_unfitted(self):
        return BackpropEnsembleClassifier()
