"""Missing values of numeric features: validation and statistics."""

import math

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import assert_all_finite


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
        assert_all_finite(
            values, allow_nan=not issparse(X), estimator_name=name, input_name="X"
        )
    return bool(np.isnan(values).any())


def compute_statistics(X):
    """Compute the mean of each feature, and whether it has missing values.

    Parameters
    ----------
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        Numeric features. Missing values are NaN.

    Returns
    -------
    means : ndarray of shape (n_features,)
        Mean over the known values; 0 if all values are missing.
    has_missing : ndarray of bool of shape (n_features,)
    """
    with np.errstate(all="ignore"):
        means = np.asarray(X.mean(axis=0, dtype=np.float64)).ravel()
    if np.isfinite(means).all():
        return means, np.zeros(means.size, bool)
    is_missing = np.isnan(X)
    n_known = np.maximum(len(X) - is_missing.sum(axis=0), 1)
    known = np.where(is_missing, 0.0, X)
    with np.errstate(over="ignore"):
        means = known.sum(axis=0, dtype=np.float64) / n_known
    if not np.isfinite(means).all():  # the sum overflowed
        means = (known / n_known).sum(axis=0, dtype=np.float64)
    return means, is_missing.any(axis=0)
