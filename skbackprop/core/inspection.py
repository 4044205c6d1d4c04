"""Inputs, hidden activations, weighted inputs and input gradients of a network."""

import numpy as np
from scipy.sparse import issparse, vstack

from .layout import BLOCK_ROWS, row_blocks
from .workspace import ForwardBuffers, Workspace


def network_inputs(network, X):
    """Compute the inputs of the first layer.

    Parameters
    ----------
    network : Network
        Network that transforms the inputs.
    X : {ndarray, sparse array, MixedRows} of shape (n_samples, n_inputs)
        Raw inputs.

    Returns
    -------
    {ndarray, sparse array} of shape (n_samples, n_inputs)
        Transformed and encoded inputs.
    """
    n_rows = min(X.shape[0], BLOCK_ROWS)
    buffers = ForwardBuffers(network, n_rows, X)
    blocks = []
    for rows in row_blocks(X.shape[0], n_rows):
        batch = buffers.head(rows.stop - rows.start)
        blocks.append(batch.first_layer.copy(batch.read(X[rows])))
    is_sparse = issparse(blocks[0])
    return vstack(blocks, format="csr") if is_sparse else np.concatenate(blocks)


def hidden_activations(network, X):
    """Compute the activations of each hidden layer.

    Parameters
    ----------
    network : Network
        Network to evaluate.
    X : {ndarray, sparse array, MixedRows} of shape (n_samples, n_inputs)
        Raw inputs.

    Returns
    -------
    list of ndarray of shape (n_samples, n_units)
        Activations of each hidden layer.
    """
    n_units = network.sizes[1:-1]
    activations = [np.empty((X.shape[0], n), network.dtype) for n in n_units]
    for rows, batch in network.forward_blocks(X):
        for layer, a in zip(activations, batch.a):
            layer[rows] = a
    return activations


def weighted_inputs(network, X):
    """Compute the weighted inputs z of the output layer.

    Parameters
    ----------
    network, X
        See `hidden_activations`.

    Returns
    -------
    ndarray of shape (n_samples, n_outputs)
        Weighted inputs of the output layer.
    """
    z = np.empty((X.shape[0], network.sizes[-1]), network.dtype)
    for rows, batch in network.forward_blocks(X):
        z[rows] = batch.z[-1]
    return z


def input_jacobian(network, X, of_weighted_inputs):
    """Compute the derivative of each output with respect to each input.

    Equation (BP2) is continued through the first layer to the inputs.

    Parameters
    ----------
    network, X
        See `hidden_activations`.
    of_weighted_inputs : bool
        Whether to differentiate the weighted inputs z of the output layer instead of
        its activations a.

    Returns
    -------
    ndarray of shape (n_samples, n_numeric, n_outputs)
        Derivatives with respect to the raw inputs, except indicators and categories.
    """
    n_samples, n_outputs = X.shape[0], network.sizes[-1]
    work = Workspace(network, min(n_samples, BLOCK_ROWS), X)
    shape = n_samples, work.first_layer.n_numeric, n_outputs
    jacobian = np.empty(shape, network.dtype)
    for rows in row_blocks(n_samples, work.n_rows):
        batch = work.head(rows.stop - rows.start)
        x = batch.read(X[rows])
        derivatives = work.inputs.derivative(batch.first_layer.numeric_features(x))
        for k in range(n_outputs):
            gradient = _gradient_of_output(network, x, batch, k, of_weighted_inputs)
            np.multiply(derivatives, gradient, out=jacobian[rows, :, k])
    return jacobian


def _gradient_of_output(network, x, batch, k, of_weighted_inputs):
    """Return the derivatives of output `k` by the transformed numeric features."""
    # The forward pass is repeated for each output, because `Activation.backward` can
    # overwrite z and a.
    network.forward(x, batch)
    delta = batch.delta[-1]
    delta.fill(0.0)
    delta[:, k] = 1.0
    if not of_weighted_inputs:
        a, z, db = batch.a[-1], batch.z[-1], batch.db[-1]
        batch.layers[-1].backward(delta, a, z, db, batch.scratch[-1])
    first_layer = batch.first_layer
    gradients = network.backward_to_inputs(batch, first_layer.n_continuous)
    return first_layer.feature_gradients(x, gradients)
