"""Fast test whether all values of an array are finite."""

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
