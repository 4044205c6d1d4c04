"""Conversion of class labels or numbers to network targets, and back."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.sparse import csr_matrix, issparse
from sklearn.utils.multiclass import (
    check_classification_targets,
    type_of_target,
    unique_labels,
)
from sklearn.utils.validation import column_or_1d

from .checks import check_dense, check_range

#: Remedy for unknown classes in later calls of `partial_fit`.
DECLARE_CLASSES = "Pass all classes to the first call of partial_fit."


@dataclass(frozen=True)
class ClassTargets:
    """Class labels, or a label indicator.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Class labels; column numbers of a label indicator.
    kind : {"binary", "multiclass", "multilabel"}
        "binary" has one output for two classes, "multiclass" one output per class for
        any other number of classes, "multilabel" one output per label.
    is_sparse : bool
        Whether the label indicator is a sparse matrix.
    """

    classes: np.ndarray
    kind: str
    is_sparse: bool
    are_numeric: ClassVar[bool] = False

    @staticmethod
    def check(y):
        """Validate labels, and return them with the right number of dimensions.

        Parameters
        ----------
        y : ndarray of shape (n_samples,) or {ndarray, sparse matrix} of shape \
(n_samples, n_labels)
            Class labels or a label indicator.

        Returns
        -------
        ndarray of shape (n_samples,) or {ndarray, sparse matrix} of shape \
(n_samples, n_labels)
        """
        check_classification_targets(y)
        if y.ndim == 1:
            return y
        if y.shape[1] == 1:
            return column_or_1d(y.toarray() if issparse(y) else y, warn=True)
        if type_of_target(y) != "multilabel-indicator":
            raise ValueError(
                "Multioutput target data is not supported with label binarization. "
                "Fit one classifier per output with sklearn.multioutput."
                "MultiOutputClassifier, or pass a label indicator of 0 and 1."
            )
        values = np.unique(y.data if issparse(y) else y)
        if not np.isin(values, (0, 1)).all():
            raise ValueError(
                f"y must contain only 0 and 1 if it is a label indicator, got {values}."
            )
        return y

    @classmethod
    def learn(cls, y, classes=None):
        """Learn the classes.

        Parameters
        ----------
        y : ndarray
            Labels that `check` returned.
        classes : ndarray of shape (n_classes,), default=None
            All classes. If None, the classes in `y`.

        Returns
        -------
        ClassTargets
        """
        is_indicator = y.ndim == 2
        if classes is None:
            classes = unique_labels(y)
        kind = "binary" if len(classes) == 2 else "multiclass"
        return cls(classes, "multilabel" if is_indicator else kind, issparse(y))

    @property
    def n_outputs(self):
        """Number of network outputs."""
        return 1 if self.kind == "binary" else len(self.classes)

    @property
    def is_constant(self):
        """Whether all samples have the same class."""
        return self.kind == "multiclass" and len(self.classes) == 1

    def check_known(self, y, *, complete=False, remedy=DECLARE_CLASSES):
        """Compare labels with the classes of the first fit.

        Parameters
        ----------
        y : ndarray
            Labels that `check` returned.
        complete : bool, default=False
            Whether all classes must occur in `y`.
        remedy : str
            Last sentence of the error for unknown classes.

        Raises
        ------
        ValueError
            If `y` has unknown classes, or a different number of labels than the
            first fit.
        """
        is_indicator = self.kind == "multilabel"
        if is_indicator != (y.ndim == 2):
            raise ValueError(
                f"y must be {'a label indicator' if is_indicator else 'class labels'} "
                f"as in the training data, got an array of shape {y.shape}."
            )
        if is_indicator and not np.array_equal(self.classes, np.arange(y.shape[1])):
            raise ValueError(
                f"y has {y.shape[1]} columns, one per label, but the classes are "
                f"{self.classes}. For a label indicator with these columns, classes "
                f"must be np.arange({y.shape[1]}) in every call."
            )
        found = unique_labels(y)
        if complete and set(found) != set(self.classes):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in "
                f"the previous call to fit. Previously got {self.classes}, `y` has "
                f"{found}. Call fit with warm_start=False to train a new network."
            )
        if np.setdiff1d(found, self.classes).size:
            raise ValueError(
                "`y` has classes not in `self.classes_`. `self.classes_` has "
                f"{self.classes}. 'y' has {found}. {remedy}"
            )

    def encode(self, y, dtype):
        """Convert labels to network targets.

        Parameters
        ----------
        y : ndarray
            Labels that `check` returned.
        dtype : dtype
            Dtype of the network.

        Returns
        -------
        targets : ndarray of shape (n_samples, n_outputs) or (2, n_outputs)
            Targets of each sample. With `codes`, a row of zeros and a row of ones.
        codes : ndarray of int of shape (n_samples,) or None
            Class index of each sample; None for a label indicator.
        """
        if self.kind == "multilabel":
            return (y.toarray() if issparse(y) else y).astype(dtype), None
        codes = np.searchsorted(self.classes, y)
        return np.repeat(np.array([[0.0], [1.0]], dtype), self.n_outputs, axis=1), codes

    def decode(self, samples):
        """Return the labels of samples."""
        if samples.codes is None:
            return samples.targets.astype(int)
        return self.classes[samples.codes]

    def predict(self, scores):
        """Return the predicted labels.

        Parameters
        ----------
        scores : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Decision function.

        Returns
        -------
        ndarray of shape (n_samples,) or {ndarray, sparse matrix} of shape \
(n_samples, n_labels)
        """
        if self.kind == "multilabel":
            labels = (scores > 0.0).astype(int)
            return csr_matrix(labels) if self.is_sparse else labels
        if self.kind == "binary":
            return self.classes[(scores > 0.0).astype(int)]
        if self.is_constant:
            return np.repeat(self.classes, len(scores))
        return self.classes[scores.argmax(axis=1)]

    def predict_proba(self, outputs, *, sum_to_one):
        """Convert network outputs to probabilities.

        Parameters
        ----------
        outputs : ndarray of shape (n_samples, n_outputs)
            Network outputs; may be overwritten.
        sum_to_one : bool
            Whether the outputs are a softmax.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities strictly between 0 and 1, or 1 if there is a single class.
        """
        if self.is_constant:
            return np.ones_like(outputs)
        probabilities = self._to_probabilities(outputs, sum_to_one)
        # Clipping keeps the logarithms of the probabilities finite.
        limits = np.finfo(probabilities.dtype)
        return probabilities.clip(limits.tiny, 1.0 - limits.epsneg)

    def _to_probabilities(self, outputs, sum_to_one):
        if self.kind == "multilabel" or (self.kind == "multiclass" and sum_to_one):
            return outputs
        if self.kind == "binary":
            probabilities = np.empty((len(outputs), 2), outputs.dtype)
            positive = outputs[:, 0].clip(0.0, 1.0, out=probabilities[:, 1])
            np.subtract(1.0, positive, out=probabilities[:, 0])
            return probabilities
        # Some activations, such as tanh, have negative outputs: shift these rows.
        outputs -= outputs.min(axis=1, keepdims=True).clip(max=0.0)
        # Very large outputs, for example of exp, would overflow in the sum.
        np.minimum(outputs, np.finfo(outputs.dtype).max / outputs.shape[1], out=outputs)
        totals = outputs.sum(axis=1, keepdims=True)
        outputs[totals[:, 0] == 0.0] = 1.0
        return outputs / outputs.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class NumericTargets:
    """Real-valued targets.

    Parameters
    ----------
    n_targets : int
        Number of targets.
    n_quantiles : int or None
        Number of quantiles that are predicted for a single target. None if each output
        predicts one target.
    """

    n_targets: int
    n_quantiles: int | None = None
    kind: ClassVar[str] = "numeric"
    are_numeric: ClassVar[bool] = True
    is_constant: ClassVar[bool] = False

    @staticmethod
    def check(y):
        """Validate targets, and return them with the right number of dimensions.

        Parameters
        ----------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Target values.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
        """
        check_dense(y, "y", "in regression")
        return column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y

    @classmethod
    def learn(cls, y, quantiles=None):
        """Learn the number of targets.

        Parameters
        ----------
        y : ndarray
            Targets that `check` returned.
        quantiles : tuple of float, default=None
            Quantiles to predict for a single target.

        Returns
        -------
        NumericTargets
        """
        n_targets = 1 if y.ndim == 1 else y.shape[1]
        if quantiles is None:
            return cls(n_targets)
        if n_targets != 1:
            raise ValueError(
                f"quantile={quantiles} predicts several quantiles of one target, but "
                f"y has {n_targets} targets. Pass a single quantile, or fit one "
                "regressor per target with sklearn.multioutput.MultiOutputRegressor."
            )
        return cls(1, len(quantiles))

    @property
    def n_outputs(self):
        """Number of network outputs."""
        return self.n_quantiles or self.n_targets

    def check_known(self, y, *, complete=False, remedy=DECLARE_CLASSES):
        """Accept all targets; `encode` checks the number of targets."""

    def encode(self, y, dtype):
        """Convert targets to an array with one column per output.

        Parameters
        ----------
        y : ndarray
            Targets that `check` returned.
        dtype : dtype
            Dtype of the network. Targets with a wider dtype are not converted,
            because scaling is more accurate before rounding.

        Returns
        -------
        targets : ndarray of shape (n_samples, n_outputs)
        codes : None
        """
        check_range(y, dtype, "y")
        n_targets = 1 if y.ndim == 1 else y.shape[1]
        if n_targets != self.n_targets:
            raise ValueError(
                f"y must have {self.n_targets} target(s) as in the training data, got "
                f"{n_targets}."
            )
        wide = np.result_type(y, dtype)
        targets = np.ascontiguousarray(y, wide).reshape(len(y), -1)
        if self.n_quantiles is not None:
            targets = np.repeat(targets, self.n_quantiles, axis=1)
        return targets, None

    def decode(self, samples):
        """Return the target values of samples."""
        single = self.n_targets == 1
        return samples.targets[:, 0] if single else samples.targets

    def predict(self, outputs):
        """Return network outputs in the shape of the targets.

        Parameters
        ----------
        outputs : ndarray of shape (n_samples, n_outputs)
            Network outputs in the units of the targets.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            The array has one dimension if there is one output, unless `quantile` is a
            sequence.
        """
        flat = self.n_outputs == 1 and self.n_quantiles is None
        return outputs.ravel() if flat else outputs
