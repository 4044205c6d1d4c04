"""What must be known of data that lie in parts, to read all parts alike."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import check_array, validate_data

from .._data.columns import (
    ColumnEncoder,
    column_of,
    encode_or_raise,
    find_categorical,
    is_dataframe,
    is_float32,
    known_levels,
    levels_of,
)


@dataclass(frozen=True)
class PartitionSummary:
    """Of some partitions; the sum of two is that of all their partitions.

    Parameters
    ----------
    sample : {ndarray, DataFrame} of shape (0, n_features)
        What X is like.
    dtype : dtype
        Of the numbers in X, once encoded.
    is_categorical : ndarray of bool of shape (n_features,) or None
        Which features are categories.
    numbers : NumericSummary or None
        Of the other features; None where X needs no encoding.
    levels : list of ndarray
        The categories of each that is one.
    has_labels : bool
        Whether the targets name classes.
    targets : ndarray of shape (n,) or (n, n_outputs)
        The labels there are, or else the least and the largest targets.
    """

    sample: Any
    dtype: np.dtype
    is_categorical: np.ndarray | None
    numbers: Any
    levels: list
    has_labels: bool
    targets: np.ndarray

    @classmethod
    def of(cls, X, y, weight, categorical_features, has_labels):
        """Go through one partition.

        Parameters
        ----------
        X, y, weight
            The partition.
        categorical_features
            The parameter of that name.
        has_labels : bool
            Whether `y` names classes.

        Returns
        -------
        PartitionSummary
        """
        if issparse(X) or issparse(y):
            raise ValueError(
                "Partitions of sparse X or y are not supported: make them dense, or "
                "fit on one machine."
            )
        is_categorical = find_categorical(X, categorical_features)
        numbers, levels = None, []
        dtype = np.result_type(X.dtype) if not is_dataframe(X) else None
        if is_dataframe(X) or is_categorical is not None:
            is_number = np.ones(X.shape[1], bool)
            if is_categorical is not None:
                is_number &= ~is_categorical
                columns = np.flatnonzero(is_categorical)
                levels = [levels_of(column_of(X, j)) for j in columns]
            dtype = np.dtype("float32" if is_float32(X, is_number) else "float64")
            numbers = NumericSummary.of(X, np.flatnonzero(is_number))
        y = check_array(
            y, ensure_2d=False, dtype=None if has_labels else "numeric", input_name="y"
        )
        y = y.ravel() if y.ndim == 2 and y.shape[1] == 1 else y
        has_labels = has_labels and y.ndim == 1  # an indicator has columns
        if has_labels:
            check_classification_targets(y)
        targets = unique_labels(y) if has_labels else _extremes(y)
        return cls(X[:0], dtype, is_categorical, numbers, levels, has_labels, targets)

    def __add__(self, other):
        """Return the outline of the partitions of both."""
        if self.sample.shape[1] != other.sample.shape[1]:
            raise ValueError(
                "Partitions of X have different numbers of features: "
                f"{self.sample.shape[1]} and {other.sample.shape[1]}."
            )
        if not np.array_equal(self.is_categorical, other.is_categorical):
            raise ValueError(
                "Partitions of X differ in which columns are categories. Give them the "
                "same dtypes, or name the columns in categorical_features."
            )
        both = np.concatenate([self.targets, other.targets])
        return PartitionSummary(
            self.sample,
            np.result_type(self.dtype, other.dtype),
            self.is_categorical,
            None if self.numbers is None else self.numbers + other.numbers,
            [merge_categories(*pair) for pair in zip(self.levels, other.levels)],
            self.has_labels,
            np.unique(both) if self.has_labels else _extremes(both),
        )

    def settle(self, estimator):
        """Have an estimator learn the columns, as if it had seen all partitions."""
        validate_data(estimator, self.sample, reset=True, skip_check_array=True)
        estimator.is_categorical_ = self.is_categorical
        estimator._encoder = self._encoder(estimator)

    def _encoder(self, estimator):
        if self.numbers is None:
            return None
        return ColumnEncoder(self.is_categorical).learn(
            self.numbers.means,
            self.numbers.has_gaps,
            [known_levels(levels) for levels in self.levels],
            self.dtype.name,
            getattr(estimator, "feature_names_in_", None),
        )


@dataclass(frozen=True)
class NumericSummary:
    """Of some features that are numbers: how many there are, and what they sum to.

    Parameters
    ----------
    counts : ndarray of int of shape (n_numbers,)
        How many are there.
    sums : ndarray of shape (n_numbers,)
        Their sum.
    has_gaps : ndarray of bool of shape (n_numbers,)
        Whether any is missing.
    """

    counts: np.ndarray
    sums: np.ndarray
    has_gaps: np.ndarray

    @classmethod
    def of(cls, X, columns):
        """Go through some columns of a partition."""

        def numbers_in(X):
            found = [pd.Series(column_of(X, j)) for j in columns]
            rows = [column.to_numpy(float, na_value=np.nan) for column in found]
            return np.reshape(rows, (len(columns), len(X))).T

        values = encode_or_raise(numbers_in, X)
        is_there = ~np.isnan(values)
        sums = np.where(is_there, values, 0.0).sum(axis=0)
        return cls(is_there.sum(axis=0), sums, ~is_there.all(axis=0))

    def __add__(self, other):
        """Return what is known of both."""
        return NumericSummary(
            self.counts + other.counts,
            self.sums + other.sums,
            self.has_gaps | other.has_gaps,
        )

    @property
    def means(self):
        """The mean of each number, 0 where none is there."""
        return self.sums / np.maximum(self.counts, 1)


def merge_categories(one, other):
    """Return the levels of both, in their order where it is the same."""
    if np.array_equal(one, other):
        return one
    if not one.size or not other.size:
        return one if one.size else other
    try:
        return np.unique(np.concatenate([one, other]))
    except TypeError as error:
        raise ValueError(
            "Partitions of X have categories of different kinds in one column, such as "
            f"words and numbers: {one[:3].tolist()} and {other[:3].tolist()}."
        ) from error


def _extremes(y):
    return np.stack([y.min(axis=0), y.max(axis=0)])
