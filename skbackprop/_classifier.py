"""BackpropClassifier: class labels in, labels and probabilities out."""

import numpy as np
from scipy.sparse import csr_matrix, issparse
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import (
    _check_partial_fit_first_call,
    check_classification_targets,
    type_of_target,
    unique_labels,
)
from sklearn.utils.validation import column_or_1d

from ._base import BaseBackprop, is_stochastic
from .core.activations import Softmax
from .core.losses import LOSSES, Loss


class BackpropClassifier(ClassifierMixin, BaseBackprop):
    """Doc."""

    _parameter_constraints: dict = {
        **BaseBackprop._parameter_constraints,
        "loss": [
            StrOptions({n for n, loss in LOSSES.items() if "classification" in loss.tasks}),
            Loss,
        ],
    }
    _default_output_activation = "logistic"

    @available_if(is_stochastic)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None, classes=None):
        """Carry training on by one epoch over the given samples.

        Called K times with the same samples it comes to the same as `fit` with
        ``max_iter=K``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            The class labels, or a label indicator.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, zero or more.
        classes : array-like of shape (n_classes,), default=None
            All classes of all calls, ``np.arange(n_labels)`` for a label
            indicator. Needed in the first call; not all need occur in `y`.

        Returns
        -------
        self : object
            The estimator, trained further.
        """
        return self._partial_fit(X, y, sample_weight, classes)

    def predict(self, X):
        """Predict the class of each sample.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            Class labels, or a label indicator of int.
        """
        outputs = self._outputs(X)
        if self._target_kind == "multilabel":
            labels = (outputs > 0.5).astype(int)
            return csr_matrix(labels) if self._sparse_labels else labels
        if self._target_kind == "binary":
            return self.classes_[(outputs[:, 0] > 0.5).astype(int)]
        return self.classes_[outputs.argmax(axis=1)]

    def predict_proba(self, X):
        """Predict the probability of each class.

        Outputs that are not probabilities as they stand (sigmoids with the
        quadratic cost) are divided by their sum over the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns ordered as `classes_`, strictly between 0 and 1. Rows sum to
            one, but not those of a label indicator, where each column is the
            probability of a label of its own.
        """
        probabilities = self._probabilities(self._outputs(X))
        # No network is certain; and logarithms of these remain finite.
        limits = np.finfo(probabilities.dtype)
        return probabilities.clip(limits.tiny, 1.0 - limits.epsneg)

    def _probabilities(self, outputs):
        if self._target_kind == "multilabel":
            return outputs
        if self._target_kind == "binary":
            positive = outputs.clip(0.0, 1.0)
            return np.hstack([1.0 - positive, positive])
        if isinstance(self._architecture.output_activation, Softmax):
            return outputs
        # Activations such as tanh reach below zero: lift their rows to zero.
        outputs -= outputs.min(axis=1, keepdims=True).clip(max=0.0)
        totals = outputs.sum(axis=1, keepdims=True)
        outputs[totals[:, 0] == 0.0] = 1.0
        return outputs / outputs.sum(axis=1, keepdims=True)

    def predict_log_proba(self, X):
        """Predict the logarithm of the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            ``log(predict_proba(X))``.
        """
        return np.log(self.predict_proba(X))

    # ------------------------------------------------------ labels and targets

    def _loss_in_core(self):
        """Return the loss that stands for "log_loss" with these targets."""
        if not isinstance(self.loss, str) or self.loss != "log_loss":
            return self.loss
        softmax = self._target_kind == "multiclass" and self.output_activation in (
            "auto",
            "softmax",
        )
        return "log_loss" if softmax else "binary_log_loss"

    def _n_averaged(self, n_outputs):
        return 1

    def _encode(self, y, dtype, carry_on, incremental, classes):
        """Turn labels into targets: a 0 or 1 for each output."""
        check_classification_targets(y)
        if not carry_on:
            self.__dict__.pop("classes_", None)
        if incremental:
            _check_partial_fit_first_call(self, classes)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y.toarray() if issparse(y) else y, warn=True)
        kind = type_of_target(y, input_name="y")
        if kind == "multiclass-multioutput":
            raise ValueError(
                "Multioutput target data is not supported with label binarization. "
                "Fit one classifier an output with sklearn.multioutput."
                "MultiOutputClassifier; a label indicator of 0 and 1 is supported."
            )
        if carry_on:
            self._check_classes(y, incremental)
        elif not incremental:
            self.classes_ = unique_labels(y)
        if not carry_on:
            self._settle_kind(kind, issparse(y))
        return self._targets(y, dtype)

    def _settle_kind(self, kind, sparse):
        multilabel = kind == "multilabel-indicator"
        if len(self.classes_) < 2 and not multilabel:
            raise ValueError(
                f"y must have at least two classes, got one class: {self.classes_}. "
                "Pass samples of every class, or all classes to partial_fit."
            )
        several = "multiclass" if len(self.classes_) > 2 else "binary"
        self._target_kind = "multilabel" if multilabel else several
        self._sparse_labels = sparse

    def _check_classes(self, y, incremental):
        classes = unique_labels(y)
        if not incremental and set(classes) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in "
                f"the previous call to fit. Previously got {self.classes_}, `y` has "
                f"{classes}. Call fit with warm_start=False to start anew."
            )
        if np.setdiff1d(classes, self.classes_).size:
            raise ValueError(
                "`y` has classes not in `self.classes_`. `self.classes_` has "
                f"{self.classes_}. 'y' has {classes}. Pass all classes to the first "
                "call of partial_fit."
            )

    def _targets(self, y, dtype):
        """Return the targets, and the code of each sample where there are codes."""
        if self._target_kind == "multilabel":
            return (y.toarray() if issparse(y) else y).astype(dtype), None
        codes = np.searchsorted(self.classes_, y)
        if self._target_kind == "binary":
            return np.array([[0.0], [1.0]], dtype), codes
        return np.eye(len(self.classes_), dtype=dtype), codes

    def _decode(self, samples):
        """Turn targets back into labels, for a scorer."""
        if samples.codes is None:
            return samples.targets.astype(int)
        return self.classes_[samples.codes]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
