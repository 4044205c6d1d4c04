"""Column and target statistics of partitions, merged over the whole dataset."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import check_array

from .._data.bin_edges import RowSample
from .._data.categories import find_categories
from .._data.checks import check_dense
from .._data.columns import make_columns
from .._data.inputs import check_inputs
from .._data.labels import to_target_array
from .._data.missing_values import compute_statistics
from .._data.weights import check_partition_weight


@dataclass(frozen=True)
class PartitionSummary:
    """Columns and targets of one or more partitions.

    The sum of two summaries is the summary of the partitions of both.

    Parameters
    ----------
    schema : {ndarray, DataFrame} of shape (0, n_features)
        X without rows, with the columns and dtypes of X.
    dtype : dtype
        Floating-point dtype of X after encoding.
    is_categorical : ndarray of bool of shape (n_features,) or None
        Whether each feature is categorical.
    numeric : NumericSummary
        Statistics of the numeric features.
    sample : RowSample
        Sample of the numeric features; no rows if bins are not needed.
    categories : list of ndarray
        Categories of each categorical feature.
    has_labels : bool
        Whether the targets are class labels.
    targets : ndarray of shape (n_classes,), (2,) or (2, n_outputs)
        Unique class labels if `has_labels`. Otherwise the minimum and the maximum of
        each target.
    """

    schema: Any
    dtype: np.dtype
    is_categorical: np.ndarray | None
    numeric: "NumericSummary"
    sample: RowSample
    categories: list
    has_labels: bool
    targets: np.ndarray

    @classmethod
    def from_partition(
        cls,
        X,
        y,
        sample_weight,
        categorical_features,
        has_labels,
        n_bins=None,
        partition_id=0,
    ):
        """Summarize one partition.

        Parameters
        ----------
        X, y, sample_weight
            Partition.
        categorical_features
            Parameter `categorical_features` of the estimator.
        has_labels : bool
            Whether a one-dimensional `y` contains class labels.
        n_bins
            Parameter `n_bins` of the estimator.
        partition_id : int, default=0
            Index of the partition in the whole dataset, which is the seed of the
            sample.

        Returns
        -------
        PartitionSummary

        Raises
        ------
        TypeError
            If `X` or `y` is sparse.
        ValueError
            If `X` or `y` contains unsupported values.
        """
        for name, values in (("X", X), ("y", y)):
            check_dense(values, name, "in the partitions of Dask estimators")
        columns = make_columns(X, categorical_features)
        X = check_inputs(X, columns.is_categorical)
        y = to_target_array(y, are_numeric=not has_labels)
        numeric = columns.numeric_features(X)
        # The columns of a DataFrame can be sparse.
        numeric = numeric.toarray() if issparse(numeric) else numeric
        categories = find_categories(X, columns.is_categorical)
        y = check_array(
            y, ensure_2d=False, dtype=None if has_labels else "numeric", input_name="y"
        )
        y = y.ravel() if y.ndim == 2 and y.shape[1] == 1 else y
        has_labels = has_labels and y.ndim == 1  # multilabel targets have columns
        if has_labels:
            check_classification_targets(y)
        targets = unique_labels(y) if has_labels else _min_and_max(y)
        weight = _positive_weight(sample_weight, len(numeric))
        sampled = numeric, weight
        if n_bins is None:
            sampled = numeric[:0], weight[:0]
        return cls(
            X[:0],
            numeric.dtype,
            columns.is_categorical,
            NumericSummary.from_array(numeric, weight),
            RowSample.draw(*sampled, partition_id),
            categories,
            has_labels,
            targets,
        )

    def __add__(self, other):
        """Return the summary of the partitions of both."""
        if self.schema.shape[1] != other.schema.shape[1]:
            raise ValueError(
                "All partitions of X must have the same number of features, got "
                f"{self.schema.shape[1]} and {other.schema.shape[1]}."
            )
        if not np.array_equal(self.is_categorical, other.is_categorical):
            raise ValueError(
                "Partitions of X have different categorical columns. Convert each "
                "column to the same dtype in all partitions, or list the columns in "
                "categorical_features."
            )
        if self.has_labels and _has_strings(self) != _has_strings(other):
            raise ValueError(
                "Unknown label type: y contains labels of several types, such as "
                f"{self.targets[0]!r} and {other.targets[0]!r} in two partitions. "
                "Convert all labels to one type, for example with astype(str)."
            )
        both = np.concatenate([self.targets, other.targets])
        return PartitionSummary(
            self.schema,
            np.result_type(self.dtype, other.dtype),
            self.is_categorical,
            self.numeric + other.numeric,
            self.sample + other.sample,
            [
                merge_categories(*pair)
                for pair in zip(self.categories, other.categories)
            ],
            self.has_labels,
            np.unique(both) if self.has_labels else _min_and_max(both),
        )

    def make_columns(self, n_bins):
        """Return columns as if they had been fitted to all partitions.

        Parameters
        ----------
        n_bins : int or None
            Parameter of the estimator, as in `from_partition`.

        Returns
        -------
        NumericColumns or MixedColumns
        """
        columns = make_columns(self.schema, self.is_categorical, n_bins)
        columns.set_statistics(self.numeric.means, self.numeric.has_missing)
        columns.set_categories(self.categories)
        if n_bins is not None:
            columns.set_bin_edges(self.sample.find_edges(n_bins))
        return columns


@dataclass(frozen=True)
class NumericSummary:
    """Counts and sums of numeric features.

    The sum of two summaries is the summary of the rows of both.

    Parameters
    ----------
    means : ndarray of shape (n_numeric,)
        Weighted mean of the values that are not missing; 0 if all are missing.
    weights : ndarray of shape (n_numeric,)
        Sum of the positive weights of these values.
    has_missing : ndarray of bool of shape (n_numeric,)
        Whether the feature has missing values.
    """

    means: np.ndarray
    weights: np.ndarray
    has_missing: np.ndarray

    @classmethod
    def from_array(cls, numeric, weight):
        """Summarize the numeric features of a partition.

        Parameters
        ----------
        numeric : ndarray of shape (n_samples, n_numeric)
            Numeric features. Missing values are NaN.
        weight : ndarray of shape (n_samples,)
            Sample weights; not negative.

        Returns
        -------
        NumericSummary
        """
        means, has_missing = compute_statistics(numeric, weight)
        return cls(means, weight @ ~np.isnan(numeric), has_missing)

    def __add__(self, other):
        """Return the summary of the rows of both."""
        weights = self.weights + other.weights
        fraction = other.weights / np.where(weights > 0.0, weights, 1.0)
        with np.errstate(all="ignore"):  # infinity raises an error later
            means = self.means + (other.means - self.means) * fraction
        return NumericSummary(
            means,
            weights,
            self.has_missing | other.has_missing,
        )


def _positive_weight(sample_weight, n_samples):
    """Return the sample weights of a partition; 0 instead of negative weights."""
    if sample_weight is None:
        return np.ones(n_samples)
    return np.maximum(check_partition_weight(sample_weight), 0.0)


def merge_categories(one, other):
    """Merge the categories of a feature from two partitions.

    Parameters
    ----------
    one, other : ndarray
        Categories in each partition.

    Returns
    -------
    ndarray
        All categories. The order is kept if both arrays are equal or one is empty.
        Otherwise the categories are sorted.

    Raises
    ------
    ValueError
        If the categories cannot be sorted because their types differ.
    """
    if np.array_equal(one, other):
        return one
    if not one.size or not other.size:
        return one if one.size else other
    try:
        return np.unique(np.concatenate([one, other]))
    except TypeError as error:
        raise ValueError(
            "Partitions of X have categories of different types in the same column: "
            f"{one[:3].tolist()} and {other[:3].tolist()}. Convert the column to the "
            "same type in all partitions, for example strings or numbers."
        ) from error


def _has_strings(summary):
    return summary.targets.dtype.kind in "OU"


def _min_and_max(y):
    return np.stack([y.min(axis=0), y.max(axis=0)])
