"""Worker side of the training strategies: computations on the rows of one shard."""

import copy
from dataclasses import replace
from itertools import repeat

import numpy as np

from .._estimators.threads import blas_threads
from ..core.dropout import Dropout
from ..core.epochs import make_epoch
from ..core.layout import BLOCK_ROWS
from ..core.lbfgs import FullBatchLoss
from ..core.state import TrainingState
from ..core.training import Training


class StepWorker:
    """Worker that returns the gradient of its rows of a mini-batch.

    Parameters
    ----------
    shard : Shard
        Shard that stores the rows.
    objective : Objective
        Objective to minimize. The worker copies it.
    config : TrainingConfig
        Hyperparameters of the training.
    assignment : BatchAssignment
        Assignment of rows to mini-batches.
    """

    def __init__(self, shard, objective, config, assignment):
        self.objective, self.assignment = copy.deepcopy(objective), assignment
        self.network, self.samples = self.objective.network, shard.samples
        self.partition_sizes = dict(zip(shard.partition_ids, shard.partition_sizes))
        counts = [
            assignment.rows_per_step(*pair) for pair in self.partition_sizes.items()
        ]
        n_rows = int(np.sum(counts, axis=0).max())
        self.rng = np.random.Generator(np.random.SFC64())
        dropout = Dropout(config.dropout, self.rng) if config.dropout else None
        self.work = self.objective.workspace(self.samples, n_rows, dropout)
        self.epoch = None

    def __call__(self, params, epoch, step, n_rows):
        """Return the contribution of the rows of this shard to a mini-batch.

        Parameters
        ----------
        params : ndarray of shape (n_params,)
            Current parameters.
        epoch, step : int
            Indices of the mini-batch.
        n_rows : int
            Number of rows of the mini-batch on all workers.

        Returns
        -------
        loss : float
            Loss term of the cost.
        gradient : ndarray of shape (n_params,)
            Gradient of the loss term. The next call overwrites this array.
        """
        if epoch != self.epoch:
            self.rows, self.epoch = (
                self.assignment.rows_by_step(self.partition_sizes, epoch),
                epoch,
            )
        rows = self.rows[step]
        if not rows.size:
            return 0.0, np.zeros_like(params)
        work = self.work.head(rows.size)
        self.network.params[...] = params
        seed = [self.assignment.seed, epoch, step, *self.partition_sizes]
        self.rng.bit_generator.state = np.random.SFC64(seed).state
        with blas_threads(self.network, rows.size):
            self.samples.gather(rows, work)
            return self.objective.loss_and_gradient(work, n_rows), work.grad


class EpochWorker:
    """Worker that trains one local epoch and returns the updated parameters.

    Parameters
    ----------
    shard, objective, config
        See `StepWorker`.
    seed : int
        Seed of the shuffles and of dropout.
    """

    def __init__(self, shard, objective, config, seed):
        objective, samples = copy.deepcopy(objective), shard.samples
        self.seed = [seed, *shard.partition_ids]
        rng = np.random.RandomState()
        self.state = TrainingState(objective.network, rng, split_rng=rng)
        self.state.init_optimizer_state(config.optimizer)
        batch_size = min(config.batch_size, samples.n_samples)
        config = replace(config, batch_size=batch_size)
        self.epoch = make_epoch(Training(self.state, objective, samples, config))
        self.batch_size = batch_size
        # Zero-weight rows do not affect the parameters.
        has_weight = samples.weight is None or samples.weight.any()
        self.n_rows = samples.n_samples if has_weight else 0

    def __call__(self, params, slots, n_updates, epoch, rates):
        """Train one epoch on the rows of this shard.

        Parameters
        ----------
        params : ndarray of shape (n_params,)
            Current parameters.
        slots : ndarray of shape (n_slots, n_params)
            Current state of the optimizer, such as moments.
        n_updates : int
            Number of optimizer steps so far.
        epoch : int
            Index of the epoch.
        rates : list of float
            Learning rate of each step. If the worker takes more steps, it repeats the
            last rate.

        Returns
        -------
        n_rows : int
            Weight of the result in the average: the number of rows, or 0 if all sample
            weights are zero.
        loss : float
            Mean loss during the epoch, as displayed.
        params, slots : ndarray
            Updated parameters and optimizer state. The next call overwrites these
            arrays.
        gradient_norms : tuple of float
            Gradient norms, as in `EpochRecord`.
        """
        state = self.state
        state.network.params[...], state.slots[...] = params, slots
        state.n_updates = n_updates
        self._seed_epoch(epoch)
        rates = [*rates, *repeat(rates[-1], self.epoch.n_steps - len(rates))]
        with blas_threads(state.network, self.batch_size):
            loss = self.epoch.run(rates)
        norms = self.epoch.gradient_norms
        return self.n_rows, loss, state.network.params, state.slots, norms

    def _seed_epoch(self, epoch):
        """Reset the random number generators and the row order for an epoch.

        The results of an epoch then do not depend on previous calls, which a restored
        worker has not received.
        """
        state, seed = self.state, [epoch, *self.seed]
        state.rng.seed(seed)
        state.order[...] = np.arange(state.order.size)
        if state.dropout_rng is not None:
            state.dropout_rng.bit_generator.state = np.random.SFC64(seed).state


class GradientWorker:
    """Worker that returns the loss and the gradient of all its rows.

    Parameters
    ----------
    shard, objective
        See `StepWorker`.
    """

    def __init__(self, shard, objective):
        self.objective = copy.deepcopy(objective)
        self.network = self.objective.network
        self.loss_term = FullBatchLoss(self.objective, shard.samples)

    def __call__(self, params, n):
        """Return the contribution of this shard to the cost and to its gradient.

        Parameters
        ----------
        params : ndarray of shape (n_params,)
            Current parameters.
        n : int
            Number of rows on all workers.

        Returns
        -------
        loss : float
            Loss term of the cost.
        gradient : ndarray of shape (n_params,)
            Gradient of the loss term, in float64.
        """
        self.network.params[...] = params
        with blas_threads(self.network, BLOCK_ROWS):
            return self.loss_term(n)
