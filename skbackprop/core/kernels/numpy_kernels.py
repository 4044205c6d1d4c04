"""Kernels in NumPy and SciPy: the reference for the compiled kernels."""

import math
from typing import NamedTuple

import numpy as np

from ..blas import add_to_rows, dot, scal
from ..penalty import add_gradient, penalty

#: Parameters per block. Small enough that parameters, gradient and optimizer state stay
#: in the CPU cache from one pass to the next.
BLOCK_SIZE = 32768

#: Number of steps after which subnormal numbers in the optimizer state are set to zero.
FLUSH_EVERY = 256


class ActivationKernel:
    """Bias and activation of a layer.

    Parameters
    ----------
    activation : Activation
        Activation of the layer.
    n_rows : int
        Number of rows of the largest batch.
    dtype : dtype
        Dtype of the network.
    """

    def __init__(self, activation, n_rows, dtype):
        self.activation = activation
        self.ones = np.ones(n_rows, dtype)

    def forward(self, z, b, out):
        """Add the bias to `z`, and write the activations into `out`.

        Parameters
        ----------
        z : ndarray of shape (n_rows, n_units)
            Products of inputs and weights, in C order; the bias is added in place.
        b : ndarray of shape (n_units,)
            Bias.
        out : ndarray of shape (n_rows, n_units)
            Array that receives ``f(z + b)``; can be `z` itself if the activation allows
            it. In the output layer, `out` is in Fortran order.
        """
        add_to_rows(b, z, self.ones[: len(z)])
        self.activation.forward(z, out)

    def backward(self, delta, a, z, db, scratch, mask=None):
        """Multiply `delta` by ``f'(z)``, and write its column sums into `db`.

        Parameters
        ----------
        delta : ndarray of shape (n_rows, n_units)
            Error of the layer: dC/da on entry, dC/dz on return.
        a, z : ndarray of shape (n_rows, n_units)
            Activations and weighted inputs; may be overwritten.
        db : ndarray of shape (n_units,)
            Array that receives the gradient of the bias, equation (BP3).
        scratch : ndarray of shape (n_rows, n_units)
            Buffer of the layout of `delta`; overwritten.
        mask : ndarray of shape (n_rows, n_units), default=None
            Dropout mask, another factor of `delta`.
        """
        if mask is not None:
            delta *= mask
        self.activation.backward(delta, a, z, scratch)
        np.dot(self.ones[: len(delta)], delta, out=db)


class LossKernel:
    """Loss of a batch, and error of its outputs.

    Parameters
    ----------
    loss : Loss
        Loss of each sample and output.
    is_canonical : bool
        Whether the derivatives of the loss and of the output activation cancel.
    """

    def __init__(self, loss, is_canonical):
        self.loss, self.is_canonical = loss, is_canonical

    def sum(self, y, a, z, weight, scratch):
        """Return the weighted sum of the losses of all rows and outputs.

        Parameters
        ----------
        y, a, z : ndarray of shape (n_rows, n_outputs)
            Targets, outputs and weighted inputs of the output layer.
        weight : ndarray of shape (n_rows,) or None
            Weight of each row; None if all weights are 1.
        scratch : ndarray of shape (n_rows, n_outputs)
            Buffer in Fortran order; overwritten.

        Returns
        -------
        float
            Weighted sum of the losses.
        """
        return self.loss.total(y, a, z, scratch, weight)

    def error(self, y, a, weight, scale, delta, db, scratch):
        """Write the error of the outputs into `delta`, and its column sums into `db`.

        The error is dC/dz for a canonical pair, otherwise dC/da.

        Parameters
        ----------
        y, a, weight
            As in `sum`.
        scale : float
            Factor of the error.
        delta : ndarray of shape (n_rows, n_outputs)
            Array in Fortran order that receives the error.
        db : ndarray of shape (n_outputs,)
            Array that receives the sums.
        scratch : ndarray of shape (n_rows, n_outputs)
            Buffer in Fortran order; overwritten.
        """
        if self.is_canonical:
            np.subtract(a, y, out=delta)
        else:
            self.loss.gradient(y, a, delta)
        if weight is None:
            delta *= scale
        else:
            row_scale = scratch[:, :1]
            np.multiply(weight[:, np.newaxis], scale, out=row_scale)
            delta *= row_scale
        np.add.reduce(delta, axis=0, out=db)


class DropoutMask:
    """Random masks of a layer with dropout.

    Random numbers are a hash of the position of a unit and of a key. The shifts and
    factors are those of the hash function with the smallest bias in Wellons,
    "Prospecting for hash functions" (2018).

    Parameters
    ----------
    keep_probability : float
        Probability that a unit is kept.
    n_rows, n_units : int
        Shape of the largest batch.
    """

    def __init__(self, keep_probability, n_rows, n_units):
        self.keep_probability = keep_probability
        counters = np.arange(n_rows * n_units, dtype=np.uint32)
        self.counters = np.multiply(counters, np.uint32(0x9E3779B9), out=counters)
        self.bits, self.shifted = np.empty((2, counters.size), np.uint32)

    def apply(self, a, key, mask, out):
        """Draw a mask, and multiply activations by it.

        Parameters
        ----------
        a : ndarray of shape (n_rows, n_units)
            Activations, in C order.
        key : int
            Random key of 64 bits.
        mask : ndarray of shape (n_rows, n_units)
            Array that receives the mask: ``1 / keep_probability``, or 0 where a unit
            is dropped.
        out : ndarray of shape (n_rows, n_units)
            Array that receives the product of `a` and `mask`.
        """
        draws = self._random_bits(a.size, key).reshape(a.shape)
        draws >>= np.uint32(8)
        np.less(draws, np.uint32(self.keep_probability * (1 << 24)), out=mask)
        mask *= 1.0 / self.keep_probability
        np.multiply(a, mask, out=out)

    def _random_bits(self, size, key):
        """Return random numbers of 32 bits."""
        x, shifted = self.bits[:size], self.shifted[:size]
        np.add(self.counters[:size], np.uint32(key & 0xFFFFFFFF), out=x)
        _xor_shift(x, 16, shifted)
        x *= np.uint32(0x21F0AAAD)
        x ^= np.uint32(key >> 32)
        _xor_shift(x, 15, shifted)
        x *= np.uint32(0x735A2D97)
        _xor_shift(x, 15, shifted)
        return x


def _xor_shift(x, n_bits, shifted):
    np.right_shift(x, np.uint32(n_bits), out=shifted)
    x ^= shifted


class _Block(NamedTuple):
    """Views of consecutive parameters that fit into the CPU cache."""

    params: np.ndarray
    gradient: np.ndarray
    slots: tuple
    scratch: np.ndarray
    weights: np.ndarray
    weight_gradient: np.ndarray


class OptimizerKernel:
    """Update of the parameters of a network.

    Parameters
    ----------
    optimizer : object from `optimizers`
        Optimizer.
    params, gradient : ndarray of shape (n_params,)
        Parameters, which `update` changes in place, and gradient of their loss, which
        it overwrites. The weights come before the biases.
    slots : sequence of ndarray of shape (n_params,)
        Optimizer state, updated in place.
    n_weights : int
        Number of weights.
    """

    def __init__(self, optimizer, params, gradient, slots, n_weights):
        self.optimizer, self.gradient = optimizer, gradient
        self.scratch = np.empty_like(params[:BLOCK_SIZE])
        self.blocks = []
        for start in range(0, params.size, BLOCK_SIZE):
            block = slice(start, start + BLOCK_SIZE)
            weights = slice(start, max(start, min(start + BLOCK_SIZE, n_weights)))
            self.blocks.append(
                _Block(
                    params[block],
                    gradient[block],
                    tuple([slot[block] for slot in slots]),
                    self.scratch[: gradient[block].size],
                    params[weights],
                    gradient[weights],
                )
            )

    def update(self, rate, t, l2, l1, decay, clip_norm):
        """Update the parameters.

        Parameters
        ----------
        rate : float
            Learning rate.
        t : int
            Step number, starting at 1.
        l2, l1 : float
            Strengths of the penalties in the gradient of the weights.
        decay : float
            Factor of the weights before the step.
        clip_norm : float
            Maximum norm of the gradient with its penalty; inf for no limit.

        Returns
        -------
        float
            Penalty of the weights before the update.
        """
        total_penalty = 0.0
        for block in self.blocks:
            total_penalty += self._penalize(block, l2, l1)
            if clip_norm == math.inf:
                self._step(block, rate, t, decay)
        if clip_norm < math.inf:
            limit_norm(self.gradient, clip_norm)
            for block in self.blocks:
                self._step(block, rate, t, decay)
        if t % FLUSH_EVERY == 0:
            self._flush_subnormals()
        return total_penalty

    def _penalize(self, block, l2, l1):
        weights, scratch = block.weights, block.scratch[: block.weights.size]
        add_gradient(weights, block.weight_gradient, l2, l1, scratch)
        return penalty(weights, l2, l1)

    def _step(self, block, rate, t, decay):
        if decay != 1.0 and block.weights.size:
            scal(decay, block.weights)
        params, gradient, slots, scratch, _, _ = block
        self.optimizer.step(params, gradient, slots, scratch, rate, t)

    def _flush_subnormals(self):
        """Set subnormal numbers in the optimizer state to zero.

        Decaying moments of dead units and unused inputs become subnormal. Computations
        with subnormal numbers are about 50 times slower.
        """
        smallest = np.finfo(self.scratch.dtype).tiny
        for block in self.blocks:
            for slot in block.slots:
                np.abs(slot, out=block.scratch)
                np.greater_equal(block.scratch, smallest, out=block.scratch)
                slot *= block.scratch


def limit_norm(gradient, clip_norm):
    """Rescale a gradient in place if its norm is larger than `clip_norm`."""
    norm = math.sqrt(dot(gradient, gradient))
    if norm == math.inf:
        # The squares can overflow although the gradient is finite.
        norm = float(np.linalg.norm(gradient.astype(np.float64)))
    if norm > clip_norm:
        gradient *= clip_norm / norm


def limit_column_norms(W, max_norm, squares, norms):
    """Rescale each column of `W` in place if its norm is larger than `max_norm`.

    Parameters
    ----------
    W : ndarray of shape (n_rows, n_columns)
        Matrix in C order.
    max_norm : float
        Maximum norm.
    squares : ndarray of shape (n_rows, n_columns)
        Buffer; overwritten.
    norms : ndarray of shape (n_columns,)
        Buffer; overwritten.
    """
    np.square(W, out=squares)
    np.add.reduce(squares, axis=0, out=norms)
    np.sqrt(norms, out=norms)
    if math.isinf(np.add.reduce(norms)):
        # The squares can overflow although the weights are finite.
        norms[...] = np.linalg.norm(W.astype(np.float64), axis=0)
    np.maximum(norms, max_norm, out=norms)
    np.divide(max_norm, norms, out=norms)
    np.multiply(W, norms, out=W)
