"""One update of the parameters: penalty, clipping, optimizer step and max-norm."""

import math

from .kernels import limit_column_norms, optimizer_kernel
from .layout import layer_views


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
        network = self.state.network
        self.kernel = optimizer_kernel(
            self.config.optimizer,
            network.params[first:],
            grad[first:],
            self.state.slots[:, first:],
            network.n_weights - first,
        )
        clip_norm = self.config.clip_norm
        self.clip_norm = math.inf if clip_norm is None else clip_norm
        if self.config.max_norm is not None:
            # Max-norm uses the gradient of each layer as a buffer.
            self.dW, self.db = layer_views(grad, network.sizes)

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
        state, config = self.state, self.config
        state.n_updates += 1
        state.n_steps += 1
        penalty = self.kernel.update(
            rate,
            state.n_updates,
            *self.objective.strengths(n_rows),
            1.0 - rate * config.weight_decay,
            self.clip_norm,
        )
        if config.max_norm is not None:
            self._apply_max_norm(config.max_norm)
        return penalty

    def _apply_max_norm(self, max_norm):
        """Limit the norm of the incoming weights of each unit to `max_norm`.

        Srivastava et al. (JMLR 15, 2014), section 5.1. The gradient, which is no longer
        needed, is a buffer.
        """
        for W, dW, db in zip(self.state.network.weights, self.dW, self.db):
            limit_column_norms(W, max_norm, dW, db)
