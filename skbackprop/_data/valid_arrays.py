"""Recognition of arrays that need no validation.

`sklearn.utils.validation.validate_data` would return these arrays unchanged, but takes
longer than a network needs to predict or to learn a few rows.
"""

import numpy as np

from ..core.kernels import all_finite


def is_valid_array(X, estimator):
    """Return whether `X` is a valid numeric array for a fitted estimator.

    Parameters
    ----------
    X : object
        Input data. NaN and infinity are valid.
    estimator : BaseEstimator
        Fitted estimator.

    Returns
    -------
    bool
        False means that `X` may still be valid.
    """
    return (
        type(X) is np.ndarray
        and X.dtype.kind in "fiu"
        and X.ndim == 2
        and X.flags.c_contiguous
        and X.size > 0
        and X.shape[1] == getattr(estimator, "n_features_in_", None)
        and not hasattr(estimator, "feature_names_in_")
    )


def are_valid_targets(y, n_samples):
    """Return whether targets are finite numbers, one or one row per sample.

    Parameters
    ----------
    y : object
        Targets.
    n_samples : int
        Number of samples.

    Returns
    -------
    bool
        False means that `y` may still be valid.
    """
    if type(y) is not np.ndarray or y.dtype.kind not in "fiu" or y.ndim not in (1, 2):
        return False
    with np.errstate(all="ignore"):
        return y.size > 0 and len(y) == n_samples and all_finite(y)
