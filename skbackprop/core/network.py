"""The network, and the four equations of back-propagation.

With layers numbered from 1 to L, ``a[0] = x`` the input and f' the slope of a
layer's activation, one mini-batch of rows goes through::

    forward     z[l] = a[l-1] W[l] + b[l],      a[l] = f(z[l])
    (BP1)       delta[L]   = dC/da[L] * f'(z[L])
    (BP2)       delta[l-1] = (delta[l] W[l]^T) * f'(z[l-1])
    (BP3)       dC/db[l]   = sum over rows of delta[l]
    (BP4)       dC/dW[l]   = a[l-1]^T delta[l]

These are equations BP1 to BP4 of Nielsen (2015), chapter 2, for rows of
samples instead of columns. BP1 needs the cost, and stands in `objective`.
"""

from itertools import pairwise

import numpy as np
from scipy.sparse import issparse

from .blas import add_to_rows
from .inputs import IdentityTransform, transform_batch
from .layout import BLOCK_ROWS, layer_views, row_blocks
from .sparse import sparse_dot, sparse_gradient
from .workspace import ForwardBuffers


class Network:
    """Layers of neurons whose parameters are one flat vector.

    Parameters
    ----------
    sizes : sequence of int
        Units a layer, from the input to the output.
    activations : sequence of Activation
        One for each layer after the input.
    dtype : {"float32", "float64"}
        Of the parameters, and of everything computed from them.

    Attributes
    ----------
    params : ndarray of shape (n_params,)
        All weights, layer by layer, then all biases.
    weights, biases : tuple of ndarray
        W and b of each layer: views of `params`.
    n_weights : int
        ``params[:n_weights]`` are the weights.
    inputs : IdentityTransform or Standardized
        What is done with the inputs before they reach the first layer.
    """

    def __init__(self, sizes, activations, dtype):
        self.sizes = tuple(sizes)
        self.activations = tuple(activations)
        self.n_weights = sum(i * o for i, o in pairwise(self.sizes))
        self.params = np.zeros(self.n_weights + sum(self.sizes[1:]), dtype)
        self.inputs = IdentityTransform()
        self._view_params()

    def _view_params(self):
        self.weights, self.biases = layer_views(self.params, self.sizes)

    # pickle and deepcopy would turn views into arrays of their own, which
    # training no longer moves: leave them out, and cut them anew.
    def __getstate__(self):
        state = self.__dict__.copy()
        del state["weights"], state["biases"]
        return state

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._view_params()

    @property
    def dtype(self):
        """The dtype of the parameters and outputs."""
        return self.params.dtype

    def initialize(self, rng, initializers):
        """Draw the starting weights and biases.

        Parameters
        ----------
        rng : numpy.random.RandomState
            Where they come from.
        initializers : sequence of Initializer
            One for each layer after the input.
        """
        for W, b, initializer in zip(self.weights, self.biases, initializers):
            W[...] = initializer.weights(rng, *W.shape)
            b[...] = initializer.biases(rng, *W.shape)

    def rescale_outputs(self, factor, shift):
        """Have outputs become ``factor * a + shift``.

        Van Hasselt et al., "Learning values across many orders of magnitude"
        (NeurIPS 2016), equation 3: targets may change their units in the middle of
        training, without what has been learned of them.

        Parameters
        ----------
        factor, shift : ndarray of shape (n_outputs,)
            For each output.
        """
        W, b = self.weights[-1], self.biases[-1]
        self.activations[-1].rescale_outputs(W, b, factor, shift)

    def forward(self, x, batch):
        """Compute the activations of every layer for one batch of rows.

        Parameters
        ----------
        x : {ndarray, sparse array} of shape (n_rows, n_inputs)
            The input.
        batch : ForwardBuffers
            Buffers of as many rows; its `z` and `a` are written.

        Returns
        -------
        ndarray of shape (n_rows, n_outputs)
            The outputs, which are ``batch.a[-1]``.
        """
        dot, a = (sparse_dot if batch.is_sparse else np.dot), x
        for W, b, f, z, out in zip(
            self.weights, self.biases, batch.activations, batch.z, batch.a
        ):
            dot(a, W, out=z)
            add_to_rows(b, z, batch.ones)
            f.forward(z, out)
            dot, a = np.dot, out
        return a

    def backward(self, batch):
        """Propagate ``batch.delta[-1]`` back, and write all gradients but the first.

        Parameters
        ----------
        batch : Workspace
            As `forward` left it, with dC/dz of the outputs in ``delta[-1]``;
            its `delta`, `dW` and `db` are written, but ``dW[0]`` is not.
        """
        for l in range(len(self.weights) - 1, 0, -1):
            np.dot(batch.a[l - 1].T, batch.delta[l], out=batch.dW[l])
            np.dot(batch.ones, batch.delta[l], out=batch.db[l])
            self._propagate_error(l, batch)
        np.dot(batch.ones, batch.delta[0], out=batch.db[0])

    def _propagate_error(self, l, batch):
        """Write the error of the layer below layer `l`, equation (BP2)."""
        a, z, delta_below = batch.a[l - 1], batch.z[l - 1], batch.delta[l - 1]
        np.dot(batch.delta[l], self.weights[l].T, out=delta_below)
        f = batch.activations[l - 1]
        f.backward(delta_below, a, z, batch.scratch[l - 1])

    def backward_to_inputs(self, batch):
        """Propagate ``batch.delta[-1]`` back through all layers, to the inputs.

        Parameters
        ----------
        batch : Workspace
            As in `backward`; its `delta` is written, its gradients are not.

        Returns
        -------
        ndarray of shape (n_rows, n_inputs)
            The derivatives by the inputs of the first layer.
        """
        for l in range(len(self.weights) - 1, 0, -1):
            self._propagate_error(l, batch)
        return np.dot(batch.delta[0], self.weights[0].T)

    def first_layer_gradient(self, batch):
        """Write the gradient of the first weights, once `backward` has been there.

        It stands apart because a sparse input has zeros for nearly all of it.

        Parameters
        ----------
        batch : Workspace
            Its ``dW[0]`` is written.
        """
        if batch.is_sparse:
            sparse_gradient(batch.x, batch.delta[0], batch.dW[0])
        else:
            np.dot(batch.x.T, batch.delta[0], out=batch.dW[0])

    def predict(self, X):
        """Compute the outputs for any number of rows, a block at a time.

        Parameters
        ----------
        X : {ndarray, sparse array} of shape (n_samples, n_inputs)
            The input; converted to the dtype of the network block by block, in
            whose range it has to be.

        Returns
        -------
        ndarray of shape (n_samples, n_outputs)
            The outputs. Nothing of the network is written to, so that threads
            may share it.
        """
        outputs = np.empty((X.shape[0], self.sizes[-1]), self.dtype)
        for rows, batch in self.forward_blocks(X):
            outputs[rows] = batch.a[-1]
        return outputs

    def forward_blocks(self, X):
        """Pass any number of rows forward, a block at a time.

        Parameters
        ----------
        X : {ndarray, sparse array} of shape (n_samples, n_inputs)
            As in `predict`.

        Yields
        ------
        rows : slice
            Which rows of `X`.
        batch : ForwardBuffers
            Their activations and weighted inputs, until the next block.
        """
        n_rows = min(X.shape[0], BLOCK_ROWS)
        buffers = ForwardBuffers(self, n_rows, issparse(X))
        inputs = self.inputs.with_dtype(X.dtype, self.dtype)
        x = np.empty((n_rows, 0 if buffers.is_sparse else self.sizes[0]), self.dtype)
        for rows in row_blocks(X.shape[0], n_rows):
            batch = buffers.head(rows.stop - rows.start)
            self.forward(transform_batch(X[rows], x[: batch.n_rows], inputs), batch)
            yield rows, batch
