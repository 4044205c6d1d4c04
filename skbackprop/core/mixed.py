"""Rows with numeric features, missing values and categories, encoded batch by batch."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from .piecewise import Bins

#: Maximum number of one-hot columns in a dense batch. With more columns, the one-hot
#: columns of a batch are a sparse array.
MAX_DENSE_LEVELS = 256


@dataclass(frozen=True)
class Encoding:
    """Encoded columns of numeric and categorical features.

    The columns are the numeric features, their piecewise-linear components, the
    missing-value indicators and the one-hot encoded categories, in this order.

    Parameters
    ----------
    imputation_values : ndarray of shape (n_numeric,)
        Replacement for the missing values of each numeric feature, if the features are
        not standardized.
    indicator_features : ndarray of int of shape (n_indicators,)
        Numeric features that have a missing-value indicator.
    n_levels : tuple of int
        Number of categories of each categorical feature.
    bins : Bins
        Bins of the piecewise-linear components.
    """

    imputation_values: np.ndarray
    indicator_features: np.ndarray
    n_levels: tuple
    bins: Bins

    @cached_property
    def n_numeric(self):
        """Number of numeric features."""
        return len(self.imputation_values)

    @cached_property
    def n_continuous(self):
        """Number of numeric features and piecewise-linear components."""
        return self.n_numeric + len(self.bins)

    @cached_property
    def n_dense(self):
        """Number of numeric features, components and indicators."""
        return self.n_continuous + len(self.indicator_features)

    @cached_property
    def n_one_hot(self):
        """Number of one-hot columns."""
        return sum(self.n_levels)

    @property
    def n_inputs(self):
        """Number of encoded columns."""
        return self.n_dense + self.n_one_hot

    @cached_property
    def first_levels(self):
        """First one-hot column of each categorical feature."""
        return np.cumsum((0, *self.n_levels), dtype=np.int32)[:-1]


class MixedRows:
    """Rows with numeric features and category codes; the arrays are never modified.

    Parameters
    ----------
    numeric : ndarray of shape (n_rows, n_numeric)
        Numeric features. Missing values are NaN.
    codes : ndarray of int32 of shape (n_rows, n_categorical)
        Index of the category of each categorical feature. Missing and unknown
        categories are -1.
    encoding : Encoding
        Encoded columns of these features.
    """

    def __init__(self, numeric, codes, encoding):
        self.numeric = np.require(numeric, requirements="A")
        self.codes = np.require(codes, np.int32, ["C", "A"])
        self.encoding = encoding

    def __setstate__(self, state):
        self.__init__(**state)  # arrays from a message can be unaligned

    @property
    def shape(self):
        """Number of rows and of encoded columns."""
        return len(self.numeric), self.encoding.n_inputs

    @property
    def dtype(self):
        """Dtype of the numeric features."""
        return self.numeric.dtype

    def __len__(self):
        return len(self.numeric)

    def __getitem__(self, rows):
        return MixedRows(self.numeric[rows], self.codes[rows], self.encoding)


def sparse_one_hot(codes, encoding, dtype):
    """Encode categories as sparse one-hot columns.

    Parameters
    ----------
    codes : ndarray of int32 of shape (n_rows, n_categorical)
        Index of the category of each feature; see `MixedRows`.
    encoding : Encoding
        Encoded columns of these features.
    dtype : dtype
        Dtype of the result.

    Returns
    -------
    sparse array of shape (n_rows, n_one_hot)
        Array in CSR format. Missing and unknown categories are stored zeros.
    """
    n_rows, n_features = codes.shape
    columns = np.maximum(codes, 0) + encoding.first_levels
    values = (codes >= 0).astype(dtype)
    first = np.arange(0, columns.size + 1, n_features, dtype=np.int32)
    entries = values.ravel(), columns.ravel(), first
    return csr_array(entries, (n_rows, encoding.n_one_hot))


def concatenate_rows(parts):
    """Concatenate arrays, or rows of which only some have missing values.

    Parameters
    ----------
    parts : list of {ndarray, MixedRows} of shape (n_rows, n_inputs)
        Parts with the same columns.

    Returns
    -------
    {ndarray, MixedRows} of shape (n_samples, n_inputs)
    """
    mixed = [part for part in parts if isinstance(part, MixedRows)]
    if not mixed:
        return np.concatenate(parts)
    encoding = mixed[0].encoding
    # Arrays have no codes, because all rows with categories are `MixedRows`.
    parts = [
        part
        if isinstance(part, MixedRows)
        else MixedRows(part, np.empty((len(part), 0), np.int32), encoding)
        for part in parts
    ]
    numeric, codes = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("numeric", "codes")
    )
    return MixedRows(numeric, codes, encoding)
