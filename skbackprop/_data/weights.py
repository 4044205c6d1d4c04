"""Validation of sample weights."""

import numpy as np
from sklearn.utils.validation import _check_sample_weight, check_array, column_or_1d

from .labels import find_target_kinds
from .value_kinds import check_not_lazy


def check_weight(sample_weight, X):
    """Validate sample weights.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,) or number
        Sample weights; one number is the weight of all samples.
    X : {ndarray, sparse matrix, MixedRows} of shape (n_samples, n_inputs)
        Samples.

    Returns
    -------
    ndarray of shape (n_samples,), float64 or float32

    Raises
    ------
    TypeError
        If the weights are a LazyFrame.
    ValueError
        If the weights are not finite numbers, one per sample.
    """
    _check_kinds(sample_weight)
    return _check_sample_weight(sample_weight, X)


def check_partition_weight(sample_weight):
    """Validate the sample weights of a partition, which may all be zero.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,)
        Sample weights.

    Returns
    -------
    ndarray of shape (n_samples,), float64 or float32

    Raises
    ------
    TypeError, ValueError
        See `check_weight`.
    """
    _check_kinds(sample_weight)
    sample_weight = check_array(
        sample_weight,
        dtype=[np.float64, np.float32],
        ensure_2d=False,
        input_name="sample_weight",
    )
    return column_or_1d(sample_weight)


def _check_kinds(sample_weight):
    """Raise an error if sample weights are not numbers."""
    check_not_lazy(sample_weight, "sample_weight")
    kinds = find_target_kinds(np.asarray(sample_weight))
    for kind in ("string", "date", "other"):
        if kind in kinds:
            raise ValueError(
                f"sample_weight must be an array of numbers, got {kinds[kind]!r} of "
                f"type {type(kinds[kind]).__name__}. Convert sample_weight to numbers."
            )
