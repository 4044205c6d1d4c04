"""Checks of arrays that scikit-learn does not provide."""

import numpy as np
from scipy.sparse import issparse


def check_range(values, dtype, name):
    """Raise ValueError if values exceed the range of a dtype.

    Parameters
    ----------
    values : {ndarray, sparse matrix}
        Numeric values.
    dtype : dtype
        Dtype that the values are converted to.
    name : str
        Name of the values in the message.
    """
    if values.dtype.kind != "f" or values.dtype.itemsize <= dtype.itemsize:
        return
    values = values.data if issparse(values) else values
    largest = max(values.max(initial=0.0), -values.min(initial=0.0))
    if largest > np.finfo(dtype).max:
        raise ValueError(
            f"{name} contains {largest:g}, which is too large for {dtype}. The "
            f"largest absolute value allowed is {np.finfo(dtype).max:g}. Scale "
            f"{name}, or fit with dtype='float64'."
        )


def check_dense(values, name, reason):
    """Raise TypeError if values are a sparse matrix.

    Parameters
    ----------
    values : object
        Argument of a method of an estimator.
    name : str
        Name of the argument.
    reason : str
        Why the values must be dense, or where; for example "in regression".
    """
    if issparse(values):
        raise TypeError(
            f"Sparse data was passed for {name}, but dense data is required {reason}. "
            "Use '.toarray()' to convert to a dense numpy array."
        )


def sum_duplicates(X):
    """Return a sparse matrix; duplicate entries are summed in a copy."""
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X


def check_positive_weight(samples, subset):
    """Return the mean sample weight, or raise ValueError if all weights are zero.

    Parameters
    ----------
    samples : Samples
        Samples with weights.
    subset : str
        Description of the samples in the message, such as "training".

    Returns
    -------
    float
        Mean of the sample weights; 1.0 without sample weights.

    Raises
    ------
    ValueError
        If all weights are zero.
    """
    mean_weight = samples.mean_weight
    if mean_weight == 0.0:
        raise ValueError(
            f"sample_weight must be positive for at least one {subset} sample, got "
            "only zeros."
        )
    return mean_weight
