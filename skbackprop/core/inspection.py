"""Looking inside a network: what its layers compute, and what its inputs do."""

import numpy as np
from scipy.sparse import issparse

from .inputs import transform_batch
from .layout import BLOCK_ROWS, row_blocks
from .workspace import Workspace


def hidden_activations(network, X):
    """Compute the activations of every hidden layer.

    Parameters
    ----------
    network : Network
        Whose layers they are.
    X : {ndarray, sparse array} of shape (n_samples, n_inputs)
        The inputs.

    Returns
    -------
    list of ndarray of shape (n_samples, n_units)
        One for each hidden layer.
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
        As in `hidden_activations`.

    Returns
    -------
    ndarray of shape (n_samples, n_outputs)
    """
    z = np.empty((X.shape[0], network.sizes[-1]), network.dtype)
    for rows, batch in network.forward_blocks(X):
        z[rows] = batch.z[-1]
    return z


def input_jacobian(network, X, of_weighted_inputs):
    """Compute the derivative of every output by every input, for each sample.

    Equation (BP2), carried on through the first layer to the inputs.

    Parameters
    ----------
    network, X
        As in `hidden_activations`.
    of_weighted_inputs : bool
        Whether those of z of the output layer are wanted, not those of a.

    Returns
    -------
    ndarray of shape (n_samples, n_inputs, n_outputs)
        Derivatives by the inputs as they come.
    """
    n_samples, n_outputs = X.shape[0], network.sizes[-1]
    jacobian = np.empty((n_samples, network.sizes[0], n_outputs), network.dtype)
    work = Workspace(network, min(n_samples, BLOCK_ROWS), issparse(X), X.dtype)
    for rows in row_blocks(n_samples, work.n_rows):
        batch = work.head(rows.stop - rows.start)
        x = transform_batch(X[rows], batch.fetched.x, work.inputs)
        derivatives = work.inputs.derivative(x.toarray() if batch.is_sparse else x)
        for k in range(n_outputs):
            gradient = _gradient_of_output(network, x, batch, k, of_weighted_inputs)
            np.multiply(derivatives, gradient, out=jacobian[rows, :, k])
    return jacobian


def _gradient_of_output(network, x, batch, k, of_weighted_inputs):
    """Return the derivative of output `k` by the ready inputs in `x`."""
    # Again for every output, since an activation's slope may spend z and a.
    network.forward(x, batch)
    delta = batch.delta[-1]
    delta.fill(0.0)
    delta[:, k] = 1.0
    if not of_weighted_inputs:
        f = network.activations[-1]
        f.backward(delta, batch.a[-1], batch.z[-1], batch.scratch[-1])
    return network.backward_to_inputs(batch)
