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


def expected_edges(values, n_bins):
    """Return the bin edges of known values, computed with integers."""
    values = np.sort(values)
    distinct = np.unique(values)
    if distinct.size <= n_bins + 1:
        return distinct
    # The inverse of the distribution function: ceil(t * n / n_bins) values are at most
    # equal to quantile t.
    ranks = [-(-t * len(values) // n_bins) for t in range(1, n_bins + 1)]
    return np.unique([values[0], *(values[rank - 1] for rank in ranks)])


def encode_column(x, edges):
    """Return the piecewise-linear components of one column without missing values."""
    components = []
    for t in range(1, len(edges)):
        low = -10.0 if t == 1 else 0.0
        high = 10.0 if t == len(edges) - 1 else 1.0
        component = (x - edges[t - 1]) / (edges[t] - edges[t - 1])
        components.append(np.clip(component, low, high))
    return np.stack(components, axis=1)
