"""One step: how a gradient, wherever it comes from, moves the parameters."""

import math
from typing import NamedTuple

import numpy as np

from .blas import dot, scal
from .layout import layer_views

#: Parameters that are moved at a time: few enough for them, their gradient and the
#: optimiser's memory of them to stay in the cache from one pass to the next.
BLOCK_SIZE = 32768

#: Steps after which the optimiser's memory is rid of subnormal numbers.
FLUSH_EVERY = 256


class _Block(NamedTuple):
    """A run of parameters that fits into the processor's cache, all of it views."""

    params: np.ndarray
    grad: np.ndarray
    slots: tuple
    scratch: np.ndarray
    weights: np.ndarray
    weight_grad: np.ndarray


class ParameterUpdater:
    """Moves the parameters of a network by their gradient, again and again.

    Parameters
    ----------
    training : Training
        Whose config, objective and state say how.
    grad : ndarray of shape (n_params,)
        Where the gradient of the loss stands before each step, which spends it.
    first : int, default=0
        The first parameter that is moved; the others are somebody else's.
    """

    def __init__(self, training, grad, first=0):
        self.state, self.config = training.state, training.config
        self.objective = training.objective
        self.grad = grad
        self.dW, self.db = layer_views(grad, self.state.network.sizes)
        self.scratch = np.empty(BLOCK_SIZE, self.state.network.dtype)
        self.blocks = self._make_blocks(first)

    def _make_blocks(self, first):
        """Cut the parameters, from the first that is wanted, into blocks."""
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
        """Move the parameters once.

        Parameters
        ----------
        n_rows : int
            Rows of the mini-batch that the gradient is of.
        rate : float
            The learning rate.

        Returns
        -------
        float
            The penalty term that the parameters had.
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
        """Shorten the weights into each unit where they are longer than that.

        Srivastava et al. (JMLR 15, 2014), section 5.1. The gradient has been spent:
        its memory serves for squares and norms.
        """
        for W, squares, norms in zip(self.state.network.weights, self.dW, self.db):
            np.square(W, out=squares)
            np.add.reduce(squares, axis=0, out=norms)
            np.sqrt(norms, out=norms)
            if math.isinf(np.add.reduce(norms)):
                # Squares overflow long before the weights themselves do.
                norms[...] = np.linalg.norm(W.astype(np.float64), axis=0)
            np.maximum(norms, max_norm, out=norms)
            np.divide(max_norm, norms, out=norms)
            np.multiply(W, norms, out=W)

    def _flush_subnormals(self):
        """Set to zero what the optimiser remembers of gradients long gone.

        What decays ends among the subnormal numbers, with which processors
        compute some fifty times slower: moments of dead units and unused inputs.
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
        # Squares overflow long before the gradient itself does.
        norm = float(np.linalg.norm(grad.astype(np.float64)))
    if norm > clip_norm:
        grad *= clip_norm / norm
