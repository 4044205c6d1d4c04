"""Means, variances and ranges of columns, which can be merged."""

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from scipy.sparse import issparse

from ..core.kernels import all_finite, column_moments, column_ranges


@dataclass(frozen=True)
class ColumnMoments:
    """Means and variances of columns.

    The sum of two instances describes the rows of both.

    Parameters
    ----------
    mean, var : ndarray of shape (n_columns,)
        Weighted mean and variance of the known values; zero if no value is known.
    n_rows : int or ndarray of shape (n_columns,)
        Number of rows with a known value.
    weight_sum : float or ndarray of shape (n_columns,)
        Sum of the weights of these rows.
    """

    mean: np.ndarray
    var: np.ndarray
    n_rows: int | np.ndarray
    weight_sum: float | np.ndarray

    @classmethod
    def fit(cls, X, weight):
        """Describe rows with positive weights.

        Parameters
        ----------
        X : {ndarray, sparse array} of shape (n_rows, n_columns)
            At least one row. Missing values of an array are NaN.
        weight : ndarray of shape (n_rows,), float64, or None
            Weight of each row; None counts rows.

        Returns
        -------
        ColumnMoments
        """
        n_rows = X.shape[0]
        weight_sum = float(n_rows if weight is None else weight.sum())
        p = np.full(n_rows, 1.0 / n_rows) if weight is None else weight / weight_sum
        if issparse(X):
            return cls(*_sparse_moments(X, p), n_rows, weight_sum)
        mean, var, n_known, p_known = column_moments(X, p)
        if weight is None:
            return cls(mean, var, n_known, n_known)
        # The sum of `p` is 1 up to rounding errors if no value is missing.
        known_weight = np.where(n_known < n_rows, p_known * weight_sum, weight_sum)
        return cls(mean, var, n_known, known_weight)

    def __add__(self, other):
        """Return the moments of the rows of both.

        Chan, Golub and LeVeque, "Algorithms for computing the sample variance" (1983),
        equation 2.1.
        """
        weight_sum = self.weight_sum + other.weight_sum
        # A column without known values has the weight zero.
        fraction = other.weight_sum / np.where(weight_sum > 0.0, weight_sum, 1.0)
        difference = other.mean - self.mean
        mean = self.mean + difference * fraction
        var = (1.0 - fraction) * self.var + fraction * other.var
        var += np.square(difference) * (1.0 - fraction) * fraction
        return ColumnMoments(mean, var, self.n_rows + other.n_rows, weight_sum)

    def __getstate__(self):
        # Without the cached standard deviation.
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def are_finite(self):
        """Whether all means and variances are finite."""
        return all_finite(self.mean) and all_finite(self.var)

    @property
    def is_constant(self):
        """Whether each column is constant, up to rounding errors."""
        # As in StandardScaler, columns whose variance is rounding error are constant.
        n, eps = self.n_rows, np.finfo(np.float64).eps
        return self.var <= n * eps * self.var + np.square(n * self.mean * eps)

    @cached_property
    def standard_deviation(self):
        """Standard deviation of each column; 1.0 for constant columns."""
        return np.where(self.is_constant, 1.0, np.sqrt(self.var))

    @property
    def root_mean_square(self):
        """Root mean square of each column."""
        return np.hypot(self.mean, np.sqrt(self.var))


def _sparse_moments(X, p):
    """Return the mean and the variance of the columns of sparse rows.

    Parameters
    ----------
    X : sparse array of shape (n_rows, n_columns)
        Rows in CSR format.
    p : ndarray of shape (n_rows,)
        Weights of the rows, which sum to one.

    Returns
    -------
    mean, var : ndarray of shape (n_columns,)
    """
    columns, n_columns = X.indices, X.shape[1]
    values = X.data.astype(np.float64, copy=False)
    p = np.repeat(p, np.diff(X.indptr))
    mean = np.bincount(columns, p * values, n_columns)
    squares = np.square(values - mean[columns])
    var = np.bincount(columns, p * squares, n_columns)
    # The weight of the zeros. Rounding errors must not make it positive.
    zeros = 1.0 - np.bincount(columns, p, n_columns)
    zeros[np.bincount(columns, minlength=n_columns) == X.shape[0]] = 0.0
    return mean, var + np.maximum(zeros, 0.0) * np.square(mean)


@dataclass(frozen=True)
class ColumnRanges:
    """Ranges and nonzero values of columns.

    The sum of two instances describes the rows of both.

    Parameters
    ----------
    low, high : ndarray of shape (n_columns,)
        Minimum and maximum of the known values; NaN if no value is known.
    nonzero_weight : ndarray of shape (n_columns,)
        Total weight of the rows with a nonzero value.
    """

    low: np.ndarray
    high: np.ndarray
    nonzero_weight: np.ndarray

    @classmethod
    def fit(cls, X, weight):
        """Describe rows with nonzero weights.

        Parameters
        ----------
        X : {ndarray, sparse array} of shape (n_rows, n_columns)
            At least one row.
        weight : ndarray of shape (n_rows,) or None
            Weight of each row; None counts rows.

        Returns
        -------
        ColumnRanges
        """
        if weight is None:
            weight = np.ones(X.shape[0])
        if not issparse(X):
            return cls(*column_ranges(X, weight))
        n_columns = X.shape[1]
        low, high = np.zeros(n_columns), np.zeros(n_columns)
        values = X.data.astype(np.float64, copy=False)  # otherwise `at` is slow
        np.minimum.at(low, X.indices, values)
        np.maximum.at(high, X.indices, values)
        weights = np.repeat(weight, np.diff(X.indptr)) * (values != 0.0)
        return cls(low, high, np.bincount(X.indices, weights, n_columns))

    def __add__(self, other):
        """Return the ranges of the rows of both."""
        return ColumnRanges(
            np.fmin(self.low, other.low),
            np.fmax(self.high, other.high),
            self.nonzero_weight + other.nonzero_weight,
        )
