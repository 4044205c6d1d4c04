"""Client side of the training strategies: how the workers train one network.

Each strategy broadcasts a class of `skbackprop.dask.workers` to the shards and combines
the results of these training workers.
"""

import numpy as np

from ..core.blas import norms
from ..core.layout import layer_views
from ..core.updater import ParameterUpdater
from .batch_assignment import BatchAssignment
from .workers import EpochWorker, GradientWorker, StepWorker

#: Number of rows of a mini-batch for ``sync="step"`` and ``batch_size="auto"``. The
#: messages of a step take milliseconds. With fewer rows, the workers would mostly wait.
AUTO_BATCH_SIZE = 4096


class SynchronousSGD:
    """Epoch in which all workers compute the gradient of each mini-batch together.

    Each worker returns the gradient of its rows of the mini-batch. The sum of these
    gradients is the gradient of the mini-batch, as in a single process. This is
    synchronous stochastic gradient descent: Chen et al., "Revisiting distributed
    synchronous SGD" (2016).

    Parameters
    ----------
    training : Training
        Training whose parameters are updated.
    shards : Shards
        Shards that store the samples of the training.
    seed : int
        Seed of the row order and of dropout.
    """

    def __init__(self, training, shards, seed):
        self.state, self.objective = training.state, training.objective
        self.shards = shards
        config = training.config
        self.n_steps = -(-training.samples.n_samples // config.batch_size)
        assignment = BatchAssignment(self.n_steps, config.shuffle, seed)
        counts = [
            assignment.rows_per_step(*pair) for pair in shards.partition_sizes.items()
        ]
        self.batch_sizes = np.sum(counts, axis=0).tolist()
        shards.broadcast(
            "create_training_worker", StepWorker, self.objective, config, assignment
        )
        self.grad = np.empty_like(self.state.network.params)
        self.updater = ParameterUpdater(training, self.grad)
        dW, _ = layer_views(self.grad, self.state.network.sizes)
        self.gradients = [gradient.reshape(-1) for gradient in dW]

    def run(self, rates):
        """Run one epoch and return the displayed loss; see `MiniBatchEpoch.run`."""
        loss_sum = penalty_sum = 0.0
        for step, (n_rows, rate) in enumerate(zip(self.batch_sizes, rates)):
            if not n_rows:
                continue
            loss_sum += n_rows * self._loss_and_gradient(step, n_rows)
            self.gradient_norms = norms(self.gradients)
            penalty_sum += n_rows * self.updater.step(n_rows, rate)
        n = sum(self.batch_sizes)
        return self.objective.display_loss(loss_sum / n, penalty_sum / n)

    def _loss_and_gradient(self, step, n_rows):
        """Return the loss of a mini-batch and write its gradient to `grad`."""
        params, epoch = self.state.network.params, self.state.n_epochs
        results = self.shards.run_training_workers(params, epoch, step, n_rows)
        losses, gradients = zip(*results)
        np.add(gradients[0], 0.0, out=self.grad)
        for gradient in gradients[1:]:
            self.grad += gradient
        return sum(losses)


class ParameterAveraging:
    """Epoch in which each worker trains on its own rows, followed by averaging.

    The parameters and the optimizer state of all workers are averaged, weighted by the
    number of rows: McMahan et al., "Communication-efficient learning of deep networks
    from decentralized data" (AISTATS 2017), algorithm 1 with all clients selected in
    each round.

    Parameters
    ----------
    training, shards
        See `SynchronousSGD`.
    seed : int
        Seed of the shuffles and of dropout.
    """

    def __init__(self, training, shards, seed):
        self.state, self.shards = training.state, shards
        self.batch_size = training.config.batch_size
        objective, config = training.objective, training.config
        shards.broadcast("create_training_worker", EpochWorker, objective, config, seed)

    @property
    def n_steps(self):
        """Number of steps per epoch of the worker with the most rows."""
        return -(-max(self.shards.shard_sizes) // self.batch_size)

    def run(self, rates):
        """Run one epoch and return the displayed loss; see `MiniBatchEpoch.run`."""
        state = self.state
        results = self.shards.run_training_workers(
            state.network.params, state.slots, state.n_updates, state.n_epochs, rates
        )
        n_rows, losses, params, slots, norms = zip(*results)
        fractions = [n / sum(n_rows) for n in n_rows]
        _average(params, fractions, out=state.network.params)
        _average(slots, fractions, out=state.slots)
        state.n_updates += len(rates)
        state.n_steps += len(rates)
        self.gradient_norms = tuple(np.dot(fractions, norms).tolist())
        return float(np.dot(fractions, losses))


class DistributedLoss:
    """Loss term of the cost, and its gradient, over the samples of all workers.

    Parameters
    ----------
    training, shards
        See `SynchronousSGD`.
    """

    def __init__(self, training, shards):
        self.network, self.shards = training.state.network, shards
        shards.broadcast("create_training_worker", GradientWorker, training.objective)

    def __call__(self, n):
        """Return the loss term and its gradient; see `FullBatchLoss`."""
        losses, gradients = zip(
            *self.shards.run_training_workers(self.network.params, n)
        )
        return sum(losses), np.sum(gradients, axis=0)


#: Class of the epoch for each value of the parameter `sync`.
SYNC_STRATEGIES = {"step": SynchronousSGD, "epoch": ParameterAveraging}


def _average(arrays, fractions, out):
    out[...] = 0.0
    for array, fraction in zip(arrays, fractions):
        out += fraction * array
