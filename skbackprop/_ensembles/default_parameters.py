"""Default parameters of the members, which depend on the training data."""

from math import prod
from numbers import Integral

import numpy as np
from scipy.sparse import issparse

#: Default parameters for all data.
PARAMETERS = {
    "hidden_layer_sizes": (128, 128),
    "activation": "silu",
    "n_bins": 16,
    "batch_size": 64,
    "learning_rate": "one_cycle",
    "learning_rate_init": 0.004,
    "max_iter": 100,
    "early_stopping": True,
    "dtype": "float32",
}

#: Number of training rows in all epochs together, with at least `MIN_EPOCHS` epochs. If
#: there are many rows, early stopping ends a long training while the learning rate is
#: high. A short training reaches the low learning rates, and is more accurate.
N_TRAINING_ROWS = 150_000
MIN_EPOCHS = 20

#: Number of values in `X` from which a network computes in float32, which is up to
#: twice as fast. With fewer values, a fit takes about a second in float64.
MIN_FLOAT32_VALUES = 20_000


def default_parameters(X):
    """Return the default parameters of a network for the training data.

    Parameters
    ----------
    X : {array-like, sparse matrix, DataFrame} or None
        Training data. If None, or if the shape is unknown, the result is `PARAMETERS`.

    Returns
    -------
    dict
    """
    params = dict(PARAMETERS)
    shape = None if X is None else _get_shape(X)
    if shape is None:
        return params
    if shape and shape[0] > 0:
        n_epochs = max(MIN_EPOCHS, N_TRAINING_ROWS // shape[0])
        params["max_iter"] = min(n_epochs, PARAMETERS["max_iter"])
    if prod(shape) < MIN_FLOAT32_VALUES:
        params["dtype"] = None
    if issparse(X):
        params["n_bins"] = None
    return params


def _get_shape(X):
    """Return the shape of data, or None if the shape is unknown or invalid."""
    try:
        shape = X.shape if hasattr(X, "shape") else np.asarray(X).shape
    except ValueError:  # rows of different lengths, which `fit` reports
        return None
    # The number of rows of Dask collections may be unknown.
    return shape if all(isinstance(n, Integral) for n in shape) else None
