"""Preallocated arrays that the forward and backward passes write to."""

import copy
import math
from typing import NamedTuple

import numpy as np

from .first_layer import make_first_layer
from .kernels import activation_kernel
from .layout import layer_views


def head_rows(buffer, n_rows):
    """Return a contiguous buffer of fewer rows in the memory of a buffer.

    Parameters
    ----------
    buffer : ndarray of shape (max_rows, n_columns)
        Buffer, contiguous in Fortran order.
    n_rows : int
        Number of rows, at most ``max_rows``.

    Returns
    -------
    ndarray of shape (n_rows, n_columns)
        View of `buffer`, contiguous in Fortran order.
    """
    shape = (n_rows, buffer.shape[1])
    flat = buffer.reshape(-1, order="F")
    return flat[: math.prod(shape)].reshape(shape, order="F")


class ForwardBuffers:
    """Arrays for a forward pass over at most `n_rows` rows.

    Parameters
    ----------
    network : Network
        Network that determines the shapes and the dtype.
    n_rows : int
        Number of rows of the largest batch.
    X : {ndarray, sparse array, MixedRows} of shape (n_samples, n_inputs)
        Raw inputs that the batches come from.
    dropout : Dropout, default=None
        Dropout in the hidden layers; None for predictions.

    Attributes
    ----------
    layers : list of {ActivationKernel, DropoutKernel}
        Bias and activation of each layer after the input.
    first_layer : FirstLayer
        Reads the raw rows of a batch, and multiplies them by the first-layer weights.
    inputs : IdentityTransform or Standardized
        Input transform of the network, for raw inputs of the dtype of `X`.
    x_buffer : ndarray of shape (n_rows, n_dense)
        Buffer for the inputs of the first layer.
    z : list of ndarray of shape (n_rows, n_units)
        Weighted inputs of each layer after the input.
    a : list of ndarray of shape (n_rows, n_units)
        Activations of each layer after the input. In a hidden layer, `a` is the same
        array as `z` if the activation allows it. The outputs are in Fortran order,
        which makes sums over the classes of a row fast.
    """

    def __init__(self, network, n_rows, X, dropout=None):
        self.n_rows = n_rows
        dtype = network.dtype
        layers = [activation_kernel(f, n_rows, dtype) for f in network.activations]
        self.layers = dropout.wrap(layers, network, n_rows) if dropout else layers
        self.first_layer = make_first_layer(X, network.inputs, dtype)
        self.inputs = network.inputs.with_dtype(X.dtype, dtype)
        self.x_buffer = np.empty((n_rows, self.first_layer.n_dense), dtype)
        self.z = [np.empty((n_rows, n), dtype) for n in network.sizes[1:]]
        *hidden, outputs = self.z
        self.a = [
            z if kernel is plain and not f.needs_z else np.empty_like(z)
            for z, f, kernel, plain in zip(
                hidden, network.activations, self.layers, layers
            )
        ]
        self.a.append(np.empty_like(outputs, order="F"))

    def head(self, n_rows):
        """Return buffers for fewer rows in the same memory, as views."""
        if n_rows == self.n_rows:
            return self
        head = copy.copy(self)
        head.n_rows = n_rows
        head.x_buffer = self.x_buffer[:n_rows]
        head.z = [z[:n_rows] for z in self.z]
        *hidden, outputs = self.a
        head.a = [*[a[:n_rows] for a in hidden], head_rows(outputs, n_rows)]
        return head

    def read(self, raw):
        """Return the transformed inputs of a batch of raw rows."""
        return self.first_layer.read(raw, self.x_buffer)


class BatchBuffers(NamedTuple):
    """Arrays that the targets and weights of a mini-batch are copied into.

    Parameters
    ----------
    y : ndarray of shape (n_rows, n_outputs)
        Targets, in Fortran order like the outputs.
    weight : ndarray of shape (n_rows,)
        Sample weights.
    """

    y: np.ndarray
    weight: np.ndarray

    def head(self, n_rows):
        """Return the same buffers for `n_rows` rows, as views."""
        return BatchBuffers(head_rows(self.y, n_rows), self.weight[:n_rows])


class Workspace(ForwardBuffers):
    """All arrays that one mini-batch writes to.

    Parameters
    ----------
    network, n_rows, X, dropout
        As in `ForwardBuffers`.
    loss : LossKernel, default=None
        Loss; None if only `backward_to_inputs` is used.

    Attributes
    ----------
    x : {ndarray, sparse array, SplitBatch} of shape (n_rows, n_inputs)
        Inputs of the current rows.
    y : ndarray of shape (n_rows, n_outputs)
        Targets of the current rows.
    weight : ndarray of shape (n_rows,) or None
        Sample weights of the current rows.
    buffers : BatchBuffers
        Arrays for `y` and `weight`. The passes never write to `x`, `y` and `weight`,
        because they may be views of user arrays.
    delta : list of ndarray of shape (n_rows, n_units)
        Errors dC/dz of each layer after the input, in the memory order of `a`.
    scratch : list of ndarray of shape (n_rows, n_units)
        Temporary arrays of the shapes of `delta`. All of them share the same memory.
    grad : ndarray of shape (n_params,)
        Gradient, in the layout of ``network.params``.
    dW, db : tuple of ndarray
        dC/dW and dC/db of each layer: views of `grad`.
    """

    def __init__(self, network, n_rows, X, dropout=None, loss=None):
        super().__init__(network, n_rows, X, dropout)
        self.loss = loss
        dtype = network.dtype
        self.x = self.y = self.weight = None
        self.buffers = BatchBuffers(
            y=np.empty((n_rows, network.sizes[-1]), dtype, order="F"),
            weight=np.empty(n_rows, dtype),
        )
        self.delta = [np.empty_like(a) for a in self.a]
        shared = np.empty(n_rows * max(network.sizes[1:]), dtype)
        self.scratch = [
            shared[: a.size].reshape(
                a.shape, order="C" if a.flags.c_contiguous else "F"
            )
            for a in self.a
        ]
        self.grad = np.empty_like(network.params)
        self.dW, self.db = layer_views(self.grad, network.sizes)

    def head(self, n_rows):
        """Return buffers for fewer rows in the same memory, as views."""
        if n_rows == self.n_rows:
            return self
        head = super().head(n_rows)
        for name in ("delta", "scratch"):
            *hidden, outputs = getattr(self, name)
            views = [*[h[:n_rows] for h in hidden], head_rows(outputs, n_rows)]
            setattr(head, name, views)
        head.buffers = self.buffers.head(n_rows)
        return head
