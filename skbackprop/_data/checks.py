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
    # fmax and fmin ignore missing values.
    largest = max(
        np.fmax.reduce(values, axis=None, initial=0.0),
        -np.fmin.reduce(values, axis=None, initial=0.0),
    )
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


def check_mean_weight(mean_weight, subset, class_weight=None):
    """Raise ValueError if the mean sample weight is not positive and finite.

    Parameters
    ----------
    mean_weight : float
        Mean of the sample weights, including class weights.
    subset : str
        Description of the samples in the message, such as "training".
    class_weight : dict, list of dict, "balanced" or None, default=None
        Parameter `class_weight` of the estimator.

    Raises
    ------
    ValueError
        If training cannot use the weights.
    """
    if 0.0 < mean_weight < np.inf:
        return
    name, whose = "sample_weight", "samples"
    if class_weight is not None:
        name = f"class_weight={class_weight!r}, multiplied by sample_weight,"
        whose = "classes"
    raise ValueError(
        f"{name} must have a positive, finite sum over the {subset} samples, and "
        f"therefore at least one positive value, got a mean weight of {mean_weight:g}. "
        f"Change the weights of the {whose}."
    )


def to_unit_scale(sample_weight):
    """Divide sample weights by a power of two so that the largest is about 1.

    Weighted means do not depend on a common factor. Extremely large weights could
    overflow in sums of weighted squares.

    Parameters
    ----------
    sample_weight : ndarray of shape (n_samples,), float64 or float32, or None
        Sample weights.

    Returns
    -------
    ndarray of the same shape and dtype, or None
    """
    if sample_weight is None:
        return None
    _, exponent = np.frexp(np.abs(sample_weight).max(initial=0.0))
    return np.ldexp(sample_weight, -exponent)
