"""Columns of small datasets, and the inputs that they become."""

import numpy as np

from skbackprop import BackpropRegressor
from skbackprop._data.columns import make_columns
from skbackprop.core.first_layer import make_first_layer
from skbackprop.core.inputs import IdentityTransform


def learn_columns(X, categorical_features="from_dtype", n_bins=None):
    """Return the columns of `X`, and the inputs of the network."""
    columns = make_columns(X, categorical_features, n_bins)
    y = np.zeros(len(X))
    inputs, _ = columns.read_training_data(
        X, y, BackpropRegressor(), y_numeric=True, reset=True
    )
    return columns, inputs


def encode_batch(inputs):
    """Return the inputs of the first layer as an array, without standardization."""
    first_layer = make_first_layer(inputs, IdentityTransform(), inputs.dtype)
    out = np.empty((inputs.shape[0], first_layer.n_dense), inputs.dtype)
    batch = first_layer.read(inputs, out)
    if hasattr(batch, "one_hot"):
        return np.hstack([batch.dense, batch.one_hot.toarray()])
    return batch
