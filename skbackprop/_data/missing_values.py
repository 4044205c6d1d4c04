"""Missing values of numeric features: validation and statistics."""

import math

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import assert_all_finite

from ..core.layout import row_blocks
from .checks import to_unit_scale

#: Values per block of `compute_statistics`.
BLOCK_SIZE = 1 << 17


def check_missing(X, estimator):
    """Return whether numeric features contain NaN; raise ValueError for infinity.

    Parameters
    ----------
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        Numeric features. NaN is not supported in a sparse matrix.
    estimator : BaseEstimator or str
        Estimator, or its name, for error messages.

    Returns
    -------
    bool
    """
    values = X.data if issparse(X) else X
    if values.dtype.kind != "f":
        return False
    with np.errstate(all="ignore"):
        # A finite sum proves that all values are finite, without a temporary array.
        if math.isfinite(np.add.reduce(values, axis=None)):
            return False
        name = estimator if isinstance(estimator, str) else type(estimator).__name__
        assert_all_finite(values, allow_nan=True, estimator_name=name, input_name="X")
    has_missing = bool(np.isnan(values).any())
    if has_missing and issparse(X):
        raise ValueError(
            f"Input X contains NaN. {name} supports missing values only in dense X. "
            "Impute them, or pass X.toarray()."
        )
    return has_missing


def compute_statistics(X, weight=None):
    """Compute the mean of each feature, and whether it has missing values.

    Parameters
    ----------
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        Numeric features. Missing values are NaN.
    weight : ndarray of shape (n_samples,), default=None
        Sample weights. Samples with zero or negative weight are ignored.

    Returns
    -------
    means : ndarray of shape (n_features,)
        Weighted mean over the known values; 0 if all values are missing.
    has_missing : ndarray of bool of shape (n_features,)
    """
    with np.errstate(all="ignore"):
        means = np.asarray(X.mean(axis=0, dtype=np.float64)).ravel()
    n_samples, n_features = X.shape
    is_finite = np.isfinite(means).all()
    if issparse(X) or (is_finite and weight is None):
        return means, np.zeros(n_features, bool)
    p = _to_fractions(np.ones(n_samples) if weight is None else weight)
    means, known_fraction = np.zeros((2, n_features))
    has_missing = np.zeros(n_features, bool)
    for rows in row_blocks(n_samples, max(1, BLOCK_SIZE // max(1, n_features))):
        is_missing = np.isnan(X[rows])
        ignored = (p[rows] == 0.0)[:, np.newaxis]
        means += p[rows] @ np.where(is_missing | ignored, 0.0, X[rows])
        known_fraction += p[rows] @ ~is_missing
        has_missing |= is_missing.any(axis=0)
    np.divide(means, known_fraction, out=means, where=known_fraction > 0.0)
    return means, has_missing


def _to_fractions(weight):
    """Return the fraction of the total of each positive weight; 0 for the others."""
    weight = np.maximum(to_unit_scale(weight), 0.0)
    return weight / (weight.sum() or 1.0)
