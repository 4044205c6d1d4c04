"""Statistics of columns in NumPy: the reference for the compiled kernels."""

import math

import numpy as np


def all_finite(array):
    """Return whether all values of an array are finite.

    Parameters
    ----------
    array : ndarray of float
        Values. The caller ignores floating-point warnings, because the sum of finite
        values may overflow.

    Returns
    -------
    bool
    """
    # A finite sum proves that all values are finite, without a temporary array.
    if math.isfinite(np.add.reduce(array, axis=None)):
        return True
    return bool(np.isfinite(array).all())


def column_moments(X, p):
    """Compute the weighted mean and variance of each column.

    Parameters
    ----------
    X : ndarray of float64 of shape (n_rows, n_columns)
        At least one row. Missing values are NaN. The compiled version also accepts
        other dtypes.
    p : ndarray of float64 of shape (n_rows,)
        Weight of each row. The weights sum to one.

    Returns
    -------
    mean, var : ndarray of shape (n_columns,)
        Weighted mean and variance of the known values; zero if no value is known.
    n_known : ndarray of shape (n_columns,)
        Number of known values.
    weight_sum : ndarray of shape (n_columns,)
        Sum of the weights of the known values.
    """
    # The sum is also NaN if it overflows in both directions, which is harmless.
    if np.isnan(np.add.reduce(X, axis=None)):
        return _moments_of_known(X, p)
    # Relative to the first row, the moments of constant columns are exact.
    difference = X - X[0]
    mean = p @ difference
    difference -= mean
    correction = p @ difference  # rounding error of the mean
    np.square(difference, out=difference)
    var = np.maximum(p @ difference - np.square(correction), 0.0)
    n_known = np.full(X.shape[1], float(len(X)))
    return X[0] + (mean + correction), var, n_known, np.ones(X.shape[1])


def _moments_of_known(X, p):
    """Compute the moments of values that may be missing; see `column_moments`."""
    is_known = ~np.isnan(X)
    weights = is_known * p[:, np.newaxis]
    weight_sum = weights.sum(axis=0)
    np.divide(weights, weight_sum, out=weights, where=weight_sum > 0.0)
    first = np.take_along_axis(X, is_known.argmax(axis=0)[np.newaxis], axis=0)
    difference = np.where(is_known, X - first, 0.0)
    mean = (weights * difference).sum(axis=0)
    difference -= mean
    correction = (weights * difference).sum(axis=0)
    np.square(difference, out=difference)
    var = np.maximum((weights * difference).sum(axis=0) - np.square(correction), 0.0)
    n_known = is_known.sum(axis=0, dtype=np.float64)
    mean = np.where(n_known > 0, first[0] + (mean + correction), 0.0)
    return mean, var, n_known, weight_sum


def column_ranges(X, weight):
    """Compute the range of each column.

    Parameters
    ----------
    X : ndarray of float64 of shape (n_rows, n_columns)
        At least one row. Missing values are NaN. The compiled version also accepts
        other dtypes.
    weight : ndarray of float64 of shape (n_rows,)
        Weight of each row.

    Returns
    -------
    low, high : ndarray of shape (n_columns,)
        Minimum and maximum of the known values; NaN if no value is known.
    nonzero_weight : ndarray of shape (n_columns,)
        Total weight of the rows whose value is not zero.
    """
    low, high = np.fmin.reduce(X), np.fmax.reduce(X)  # ignore NaN
    return low, high, weight @ (X != 0.0)
