"""One update of the parameters: penalty, clipping, optimizer step and max-norm."""

import math
from typing import NamedTuple

import numpy as np

from .blas import dot, scal
from .layout import layer_views

#: Parameters per block. Small enough that parameters, gradient and optimizer state stay
#: in the CPU cache from one pass to the next.
BLOCK_SIZE = 32768

#: Number of steps after which subnormal numbers in the optimizer state are set to zero.
FLUSH_EVERY = 256


class _Block(NamedTuple):
    """Views of consecutive parameters that fit into the CPU cache."""

    params: np.ndarray
    grad: np.ndarray
    slots: tuple
    scratch: np.ndarray
    weights: np.ndarray
    weight_grad: np.ndarray


class ParameterUpdater:
    """Update rule for the parameters of a network.

    Parameters
    ----------
    training : Training
        Training that provides the state, the config and the objective.
    grad : ndarray of shape (n_params,)
        Array that contains the gradient of the loss before each step. The step
        overwrites the array.
    first : int, default=0
        Index of the first parameter to update. Parameters before `first` are not
        modified.
    """

    def __init__(self, training, grad, first=0):
        self.state, self.config = training.state, training.config
        self.objective = training.objective
        self.grad = grad
        n_scratch = min(BLOCK_SIZE, grad.size - first)
        self.scratch = np.empty(n_scratch, self.state.network.dtype)
        self.blocks = self._make_blocks(first)
        if self.config.max_norm is not None:
            # Max-norm uses the gradient of each layer as a buffer.
            self.dW, self.db = layer_views(grad, self.state.network.sizes)

    def _make_blocks(self, first):
        """Split the parameters, starting at index `first`, into blocks."""
        network = self.state.network
        blocks = []
        for start in range(first, network.params.size, BLOCK_SIZE):
            block = slice(start, start + BLOCK_SIZE)
            weights = slice(start, min(start + BLOCK_SIZE, network.n_weights))
            blocks.append(
                _Block(
                    network.params[block],
                    self.grad[block],
                    tuple(self.state.slots[:, block]),
                    self.scratch[: self.grad[block].size],
                    network.params[weights],
                    self.grad[weights],
                )
            )
        return blocks

    def step(self, n_rows, rate):
        """Update the parameters once.

        Parameters
        ----------
        n_rows : int
            Number of rows in the mini-batch.
        rate : float
            Learning rate.

        Returns
        -------
        float
            Penalty term of the parameters before the update.
        """
        self.state.n_updates += 1
        self.state.n_steps += 1
        penalty, clip_norm = 0.0, self.config.clip_norm
        for block in self.blocks:
            penalty += self._penalize(block, n_rows)
            if clip_norm is None:
                self._step_block(block, rate)
        if clip_norm is not None:
            _clip_norm(self.grad, clip_norm)
            for block in self.blocks:
                self._step_block(block, rate)
        if self.config.max_norm is not None:
            self._apply_max_norm(self.config.max_norm)
        if self.state.n_updates % FLUSH_EVERY == 0:
            self._flush_subnormals()
        return penalty

    def _penalize(self, block, n_rows):
        if not self.objective.has_penalty or not block.weights.size:
            return 0.0
        scratch = block.scratch[: block.weights.size]
        return self.objective.penalize(
            block.weights, block.weight_grad, n_rows, scratch
        )

    def _step_block(self, block, rate):
        if self.config.weight_decay and block.weights.size:
            scal(1.0 - rate * self.config.weight_decay, block.weights)
        params, grad, slots, scratch, _, _ = block
        self.config.optimizer.step(
            params, grad, slots, scratch, rate, self.state.n_updates
        )

    def _apply_max_norm(self, max_norm):
        """Limit the norm of the incoming weights of each unit to `max_norm`.

        Srivastava et al. (JMLR 15, 2014), section 5.1. The method stores squares and
        norms in the gradient array, because the gradient is no longer needed.
        """
        for W, squares, norms in zip(self.state.network.weights, self.dW, self.db):
            np.square(W, out=squares)
            np.add.reduce(squares, axis=0, out=norms)
            np.sqrt(norms, out=norms)
            if math.isinf(np.add.reduce(norms)):
                # The squares can overflow although the weights are finite.
                norms[...] = np.linalg.norm(W.astype(np.float64), axis=0)
            np.maximum(norms, max_norm, out=norms)
            np.divide(max_norm, norms, out=norms)
            np.multiply(W, norms, out=W)

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


def _clip_norm(grad, clip_norm):
    norm = math.sqrt(dot(grad, grad))
    if norm == math.inf:
        # The squares can overflow although the gradient is finite.
        norm = float(np.linalg.norm(grad.astype(np.float64)))
    if norm > clip_norm:
        grad *= clip_norm / norm
