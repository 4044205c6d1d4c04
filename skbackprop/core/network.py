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

import copy
import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse

from .blas import add_to_rows, norm
from .inputs import AsIs, ready
from .sparse import sparse_dot, sparse_gradient

#: Rows that are predicted at a time: enough for the matrix products to be
#: efficient, few enough for the activations to stay in the cache.
BLOCK_ROWS = 1024


def blocks_of(n_rows, size):
    """Yield slices of at most `size` that cover ``range(n_rows)`` in order."""
    for start in range(0, n_rows, size):
        yield slice(start, min(start + size, n_rows))


def layer_views(flat, sizes):
    """Cut a flat vector into the weights and biases of each layer.

    Parameters
    ----------
    flat : ndarray of shape (n_params,)
        All weights, layer by layer, then all biases.
    sizes : sequence of int
        Units a layer, the input first.

    Returns
    -------
    weights : tuple of ndarray of shape (fan_in, fan_out)
        Views of `flat`.
    biases : tuple of ndarray of shape (fan_out,)
        Views of `flat`.
    """
    weight_sizes = [fan_in * fan_out for fan_in, fan_out in pairwise(sizes)]
    blocks = np.split(flat, np.cumsum([*weight_sizes, *sizes[1:]])[:-1])
    weights = blocks[: len(weight_sizes)]
    shapes = pairwise(sizes)
    return (
        tuple(block.reshape(shape) for block, shape in zip(weights, shapes)),
        tuple(blocks[len(weight_sizes) :]),
    )


def norms_of(vectors):
    """Return the norms of vectors, such as the gradients of the layers' weights."""
    return tuple([norm(v) for v in vectors])


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
    inputs : AsIs or Standardized
        What is done with the inputs before they reach the first layer.
    """

    def __init__(self, sizes, activations, dtype):
        self.sizes = tuple(sizes)
        self.activations = tuple(activations)
        self.n_weights = sum(i * o for i, o in pairwise(self.sizes))
        self.params = np.zeros(self.n_weights + sum(self.sizes[1:]), dtype)
        self.inputs = AsIs()
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
        for W, b, rule in zip(self.weights, self.biases, initializers):
            W[...] = rule.weights(rng, *W.shape)
            b[...] = rule.biases(rng, *W.shape)

    def change_units(self, factor, shift):
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
        self.activations[-1].change_units(W, b, factor, shift)

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

    def input_gradient(self, batch):
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
        for rows, batch in self.passes(X):
            outputs[rows] = batch.a[-1]
        return outputs

    def passes(self, X):
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
        inputs = self.inputs.settled(X.dtype, self.dtype)
        x = np.empty((n_rows, 0 if buffers.is_sparse else self.sizes[0]), self.dtype)
        for rows in blocks_of(X.shape[0], n_rows):
            batch = buffers.leading(rows.stop - rows.start)
            self.forward(ready(X[rows], x[: batch.n_rows], inputs), batch)
            yield rows, batch


def order_of(buffer):
    """Say whether a contiguous array lies row by row, "C", or column by column, "F"."""
    return "C" if buffer.flags.c_contiguous else "F"


def first_rows(buffer, n_rows):
    """Return a buffer for fewer rows in the memory of this one, as contiguous."""
    shape = (n_rows, buffer.shape[1])
    flat = buffer.reshape(-1, order=order_of(buffer))
    return flat[: math.prod(shape)].reshape(shape, order=order_of(buffer))


class ForwardBuffers:
    """Where a forward pass over at most `n_rows` rows writes.

    Parameters
    ----------
    network : Network
        Which layers there are.
    n_rows : int
        Rows of the largest batch.
    is_sparse : bool
        Whether the inputs are, as they come.
    activations : tuple of Activation, default=None
        What the layers compute, if not what the network says.

    Attributes
    ----------
    is_sparse : bool
        Whether they are when they reach the first layer.
    z : list of ndarray of shape (n_rows, n_units)
        Weighted inputs, one array a layer after the input.
    a : list of ndarray of the same shapes
        Activations: in a hidden layer the same array as `z` where the activation
        allows it. Those of the outputs lie column by column, in Fortran order,
        which makes sums over the classes of a row fast.
    ones : ndarray of shape (n_rows,)
        For sums over the rows.
    """

    def __init__(self, network, n_rows, is_sparse, activations=None):
        self.n_rows = n_rows
        self.activations = activations or network.activations
        # Rows that are centred have no zeros to speak of.
        self.is_sparse = is_sparse and not network.inputs.centers
        self.z = [np.empty((n_rows, n), network.dtype) for n in network.sizes[1:]]
        *hidden, outputs = self.z
        self.a = [
            np.empty_like(z) if f.needs_z else z
            for z, f in zip(hidden, self.activations)
        ]
        self.a.append(np.empty_like(outputs, order="F"))
        self.ones = np.ones(n_rows, network.dtype)

    def leading(self, n_rows):
        """Return buffers for `n_rows` rows in the memory of these, as views."""
        if n_rows == self.n_rows:
            return self
        short = copy.copy(self)
        short.n_rows = n_rows
        short.z = [first_rows(z, n_rows) for z in self.z]
        short.a = [first_rows(a, n_rows) for a in self.a]
        short.ones = self.ones[:n_rows]
        return short


class Fetched(NamedTuple):
    """What the rows of a batch are fetched into.

    Parameters
    ----------
    raw : ndarray of shape (n_rows, n_inputs)
        Inputs in the dtype in which they come; `x` itself if that is its own.
    x : ndarray of shape (n_rows, n_inputs)
        Inputs in the dtype of the network.
    y : ndarray of shape (n_rows, n_outputs)
        Targets, in Fortran order like the outputs.
    weight : ndarray of shape (n_rows,)
        Sample weights.
    codes : ndarray of int of shape (n_rows,)
        Which targets.
    """

    raw: np.ndarray
    x: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    codes: np.ndarray

    def leading(self, n_rows):
        """Return the same buffers for `n_rows` rows, as views."""
        raw, x, y, weight, codes = self
        first = raw[:n_rows]
        return Fetched(
            first,
            first if x is raw else x[:n_rows],
            first_rows(y, n_rows),
            weight[:n_rows],
            codes[:n_rows],
        )


class Workspace(ForwardBuffers):
    """Every array that a mini-batch writes to.

    Parameters
    ----------
    network, n_rows, is_sparse, activations
        As in `ForwardBuffers`.
    input_dtype : dtype
        Of the inputs as they come.

    Attributes
    ----------
    x : {ndarray, sparse array} of shape (n_rows, n_inputs)
        The input of the rows in hand.
    y : ndarray of shape (n_rows, n_outputs)
        Their targets.
    weight : ndarray of shape (n_rows,) or None
        Their sample weights.
    inputs : AsIs or Standardized
        That of the network, settled for inputs of this dtype.
    fetched : Fetched
        What those are fetched into. They may be views of the user's arrays
        instead, never written to.
    delta : list of ndarray of shape (n_rows, n_units)
        The errors dC/dz of each layer after the input, laid out as `a`.
    scratch : list of ndarray of the same shapes
        For temporary values; all share their memory.
    row_scale : ndarray of shape (n_rows, 1)
        What each row's error is multiplied with.
    grad : ndarray of shape (n_params,)
        The gradient, laid out as ``network.params``.
    dW, db : tuple of ndarray
        dC/dW and dC/db of each layer: views of `grad`.
    """

    def __init__(self, network, n_rows, is_sparse, input_dtype, activations=None):
        super().__init__(network, n_rows, is_sparse, activations)
        dtype = network.dtype
        self.x = self.y = self.weight = None
        self.inputs = network.inputs.settled(input_dtype, dtype)
        n_fetched = 0 if self.is_sparse else network.sizes[0]
        x = np.empty((n_rows, n_fetched), dtype)
        self.fetched = Fetched(
            raw=x if input_dtype == dtype else np.empty_like(x, input_dtype),
            x=x,
            y=np.empty((n_rows, network.sizes[-1]), dtype, order="F"),
            weight=np.empty(n_rows, dtype),
            codes=np.empty(n_rows, np.intp),
        )
        self.delta = [np.empty_like(a) for a in self.a]
        widest = np.empty(n_rows * max(network.sizes[1:]), dtype)
        self.scratch = [
            widest[: a.size].reshape(a.shape, order=order_of(a)) for a in self.a
        ]
        self.row_scale = np.empty((n_rows, 1), dtype)
        self.grad = np.empty_like(network.params)
        self.dW, self.db = layer_views(self.grad, network.sizes)

    def leading(self, n_rows):
        """Return buffers for `n_rows` rows in the memory of these, as views."""
        if n_rows == self.n_rows:
            return self
        short = super().leading(n_rows)
        short.delta = [first_rows(delta, n_rows) for delta in self.delta]
        short.scratch = [first_rows(scratch, n_rows) for scratch in self.scratch]
        short.fetched = self.fetched.leading(n_rows)
        short.row_scale = self.row_scale[:n_rows]
        return short
