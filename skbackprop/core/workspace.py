"""Preallocated arrays that forward and backward passes write to."""

import copy
import math
from typing import NamedTuple

import numpy as np

from .layout import layer_views


def memory_order(buffer):
    """Say whether a contiguous array lies row by row, "C", or column by column, "F"."""
    return "C" if buffer.flags.c_contiguous else "F"


def head_rows(buffer, n_rows):
    """Return a buffer for fewer rows in the memory of this one, as contiguous."""
    shape = (n_rows, buffer.shape[1])
    flat = buffer.reshape(-1, order=memory_order(buffer))
    return flat[: math.prod(shape)].reshape(shape, order=memory_order(buffer))


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

    def head(self, n_rows):
        """Return buffers for `n_rows` rows in the memory of these, as views."""
        if n_rows == self.n_rows:
            return self
        short = copy.copy(self)
        short.n_rows = n_rows
        short.z = [head_rows(z, n_rows) for z in self.z]
        short.a = [head_rows(a, n_rows) for a in self.a]
        short.ones = self.ones[:n_rows]
        return short


class BatchBuffers(NamedTuple):
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

    def head(self, n_rows):
        """Return the same buffers for `n_rows` rows, as views."""
        raw, x, y, weight, codes = self
        first = raw[:n_rows]
        return BatchBuffers(
            first,
            first if x is raw else x[:n_rows],
            head_rows(y, n_rows),
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
    inputs : IdentityTransform or Standardized
        That of the network, settled for inputs of this dtype.
    fetched : BatchBuffers
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
        self.inputs = network.inputs.with_dtype(input_dtype, dtype)
        n_fetched = 0 if self.is_sparse else network.sizes[0]
        x = np.empty((n_rows, n_fetched), dtype)
        self.fetched = BatchBuffers(
            raw=x if input_dtype == dtype else np.empty_like(x, input_dtype),
            x=x,
            y=np.empty((n_rows, network.sizes[-1]), dtype, order="F"),
            weight=np.empty(n_rows, dtype),
            codes=np.empty(n_rows, np.intp),
        )
        self.delta = [np.empty_like(a) for a in self.a]
        widest = np.empty(n_rows * max(network.sizes[1:]), dtype)
        self.scratch = [
            widest[: a.size].reshape(a.shape, order=memory_order(a)) for a in self.a
        ]
        self.row_scale = np.empty((n_rows, 1), dtype)
        self.grad = np.empty_like(network.params)
        self.dW, self.db = layer_views(self.grad, network.sizes)

    def head(self, n_rows):
        """Return buffers for `n_rows` rows in the memory of these, as views."""
        if n_rows == self.n_rows:
            return self
        short = super().head(n_rows)
        short.delta = [head_rows(delta, n_rows) for delta in self.delta]
        short.scratch = [head_rows(scratch, n_rows) for scratch in self.scratch]
        short.fetched = self.fetched.head(n_rows)
        short.row_scale = self.row_scale[:n_rows]
        return short
