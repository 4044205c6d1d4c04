"""Learning together: after every step, or after every epoch.

Each way has two sides. A learner sits with the rows of each worker and answers; what
leads the training passes over all samples, by asking all the learners.
"""

import copy
from dataclasses import dataclass, replace
from itertools import repeat

import numpy as np

from .._estimators.threads import blas_threads
from ..core.dropout import with_dropout
from ..core.epochs import make_epoch
from ..core.layout import BLOCK_ROWS, norms
from ..core.lbfgs import FullBatchLoss
from ..core.state import TrainingState
from ..core.training import Training
from ..core.updater import ParameterUpdater

#: Multiples of it lie evenly between whole numbers, wherever one begins or ends.
GOLDEN_RATIO = (1 + 5**0.5) / 2

#: Rows of a mini-batch with ``batch_size="auto"``, where a step costs milliseconds of
#: messages: enough to have something to do in the meantime.
LARGE_BATCH = 4096


@dataclass(frozen=True)
class BatchAssignment:
    """How the rows of all partitions are dealt out to the steps of an epoch.

    Every step takes its share of every partition. Which rows it takes depends on the
    partitions alone, and not on the workers that hold them.

    Parameters
    ----------
    n_steps : int
        Steps of an epoch.
    shuffle : bool
        Whether rows are taken in a new order every epoch.
    seed : int
        Where that comes from.
    """

    n_steps: int
    shuffle: bool
    seed: int

    def counts(self, number, size):
        """Return how many rows of a partition each step takes.

        Parameters
        ----------
        number : int
            Of the partition.
        size : int
            Its rows.

        Returns
        -------
        ndarray of int of shape (n_steps,)
        """
        # Small partitions would all be skipped in the same steps without the shift.
        shift = (number * GOLDEN_RATIO) % 1.0
        ends = np.arange(self.n_steps + 1) * size / self.n_steps - shift
        return np.diff(np.ceil(ends).astype(int))

    def rows_by_step(self, sizes, epoch):
        """Return the rows of some partitions, in the order of the steps.

        Parameters
        ----------
        sizes : dict of int
            Rows of each partition, by its number; they lie one after another.
        epoch : int
            The number of the epoch.

        Returns
        -------
        list of ndarray of int
            The rows of each step.
        """
        rows, counts, first = [], [], 0
        for number, size in sizes.items():
            rows.append(first + self._order(number, size, epoch))
            counts.append(self.counts(number, size))
            first += size
        steps = [np.repeat(np.arange(self.n_steps), count) for count in counts]
        by_step = np.argsort(np.concatenate(steps), kind="stable")
        ends = np.cumsum(np.sum(counts, axis=0))
        return np.split(np.concatenate(rows)[by_step], ends[:-1])

    def _order(self, number, size, epoch):
        if not self.shuffle:
            return np.arange(size)
        return np.random.RandomState([self.seed, epoch, number]).permutation(size)


class StepWorker:
    """Answers with the gradient of its share of a mini-batch.

    Parameters
    ----------
    shard : Shard
        Whose rows.
    objective : Objective
        What is minimised; copied.
    config : TrainingConfig
        How to train.
    assignment : BatchAssignment
        Which rows are whose.
    """

    def __init__(self, shard, objective, config, assignment):
        self.objective, self.assignment = copy.deepcopy(objective), assignment
        self.network, self.samples = self.objective.network, shard.samples
        self.sizes = dict(zip(shard.numbers, shard.sizes))
        counts = [assignment.counts(*pair) for pair in self.sizes.items()]
        n_rows = int(np.sum(counts, axis=0).max())
        self.rng, activations = np.random.Generator(np.random.SFC64()), None
        if config.dropout:
            activations = with_dropout(self.network, config.dropout, self.rng, n_rows)
        self.work = self.objective.workspace(self.samples, n_rows, activations)
        self.epoch = None

    def __call__(self, params, epoch, step, n_rows):
        """Return what its rows contribute to a mini-batch.

        Parameters
        ----------
        params : ndarray of shape (n_params,)
            The parameters so far.
        epoch, step : int
            Which mini-batch.
        n_rows : int
            Its rows, on all workers.

        Returns
        -------
        loss : float
            The loss term.
        gradient : ndarray of shape (n_params,)
            Its gradient. It is overwritten by the next.
        """
        if epoch != self.epoch:
            self.rows, self.epoch = (
                self.assignment.rows_by_step(self.sizes, epoch),
                epoch,
            )
        rows = self.rows[step]
        if not rows.size:
            return 0.0, np.zeros_like(params)
        work = self.work.head(rows.size)
        self.network.params[...] = params
        seed = [self.assignment.seed, epoch, step, *self.sizes]
        self.rng.bit_generator.state = np.random.SFC64(seed).state
        with blas_threads(self.network, rows.size):
            self.samples.gather(rows, work)
            return self.objective.loss_and_gradient(work, n_rows), work.grad


class SynchronousSGD:
    """A pass over all samples in which all workers take every step together.

    Each sends the gradient of its rows of the mini-batch; their sum is the gradient of
    the mini-batch, as if it lay here. Synchronous stochastic gradient descent: Chen et
    al., "Revisiting distributed synchronous SGD" (2016).

    Parameters
    ----------
    training : Training
        Whose parameters are moved.
    shards : Shards
        Who hold its samples.
    seed : int
        Where the order of the rows comes from.
    """

    def __init__(self, training, shards, seed):
        self.state, self.objective = training.state, training.objective
        self.shards = shards
        config = training.config
        self.n_steps = -(-len(training.samples) // config.batch_size)
        assignment = BatchAssignment(self.n_steps, config.shuffle, seed)
        counts = [assignment.counts(*pair) for pair in shards.sizes.items()]
        self.n_rows = np.sum(counts, axis=0).tolist()
        shards.tell("make_learner", StepWorker, self.objective, config, assignment)
        self.grad = np.empty_like(self.state.network.params)
        self.updater = ParameterUpdater(training, self.grad)
        self.gradients = [dW.reshape(-1) for dW in self.updater.dW]

    def run(self, rates):
        """Step once for every mini-batch; see `MiniBatchEpoch.run`."""
        loss_sum = penalty_sum = 0.0
        for step, (n_rows, rate) in enumerate(zip(self.n_rows, rates)):
            if not n_rows:
                continue
            loss_sum += n_rows * self._descend(step, n_rows)
            self.gradient_norms = norms(self.gradients)
            penalty_sum += n_rows * self.updater.step(n_rows, rate)
        n = sum(self.n_rows)
        return self.objective.display_loss(loss_sum / n, penalty_sum / n)

    def _descend(self, step, n_rows):
        params, epoch = self.state.network.params, self.state.n_epochs
        answers = self.shards.ask_learners(params, epoch, step, n_rows)
        losses, gradients = zip(*answers)
        np.add(gradients[0], 0.0, out=self.grad)
        for gradient in gradients[1:]:
            self.grad += gradient
        return sum(losses)


class EpochWorker:
    """Answers with what it has made of the parameters in an epoch of its own.

    Parameters
    ----------
    shard, objective, config
        As in `StepWorker`.
    seed : int
        Where shuffles and dropout come from.
    """

    def __init__(self, shard, objective, config, seed):
        objective, samples = copy.deepcopy(objective), shard.samples
        self.seed = [seed, *shard.numbers]
        rng = np.random.RandomState()
        self.state = TrainingState(objective.network, rng, split_rng=rng)
        self.state.init_optimizer_state(config.optimizer)
        batch_size = min(config.batch_size, len(samples))
        config = replace(config, batch_size=batch_size)
        self.epoch = make_epoch(Training(self.state, objective, samples, config))
        self.threads = blas_threads, objective.network, batch_size
        # Rows without weight have nothing to say about the parameters.
        self.n_rows = len(samples) if samples.mean_weight else 0

    def __call__(self, params, slots, n_updates, epoch, rates):
        """Return what an epoch over its rows makes of the parameters.

        Parameters
        ----------
        params : ndarray of shape (n_params,)
            The parameters so far.
        slots : ndarray of shape (n_slots, n_params)
            What the optimiser remembers.
        n_updates : int
            Steps of the optimiser so far.
        epoch : int
            The number of the epoch.
        rates : list of float
            The learning rate of each step, where it takes as many.

        Returns
        -------
        n_rows : int
            What its answer counts: its rows, none where they all weigh nothing.
        loss : float
            The mean loss met on the way, as it is reported.
        params, slots : ndarray
            What they have become. They are overwritten by the next epoch.
        gradient_norms : tuple of float
            As `EpochRecord` has them.
        """
        state = self.state
        state.network.params[...], state.slots[...] = params, slots
        state.n_updates = n_updates
        self._begin(epoch)
        rates = [*rates, *repeat(rates[-1], self.epoch.n_steps - len(rates))]
        threads, network, batch_size = self.threads
        with threads(network, batch_size):
            loss = self.epoch.run(rates)
        norms = self.epoch.gradient_norms
        return self.n_rows, loss, state.network.params, state.slots, norms

    def _begin(self, epoch):
        """Have the random numbers depend on nothing but the epoch."""
        state, seed = self.state, [epoch, *self.seed]
        state.rng.seed(seed)
        state.order[...] = np.arange(state.order.size)
        if state.dropout_rng is not None:
            state.dropout_rng.bit_generator.state = np.random.SFC64(seed).state


class ParameterAveraging:
    """A pass over all samples in which each worker takes the steps of its own rows.

    Then parameters, and what the optimiser remembers, are averaged by the number of
    rows: McMahan et al., "Communication-efficient learning of deep networks from
    decentralized data" (AISTATS 2017), algorithm 1, where all take part.

    Parameters
    ----------
    training, shards, seed
        As in `SynchronousSGD`.
    """

    def __init__(self, training, shards, seed):
        self.state, self.shards = training.state, shards
        self.batch_size = training.config.batch_size
        objective, config = training.objective, training.config
        shards.tell("make_learner", EpochWorker, objective, config, seed)

    @property
    def n_steps(self):
        """Steps of the worker with the most rows."""
        return -(-max(self.shards.n_rows) // self.batch_size)

    def run(self, rates):
        """Have every worker make an epoch; see `MiniBatchEpoch.run`."""
        state = self.state
        answers = self.shards.ask_learners(
            state.network.params, state.slots, state.n_updates, state.n_epochs, rates
        )
        n_rows, losses, params, slots, norms = zip(*answers)
        shares = [n / sum(n_rows) for n in n_rows]
        _average(params, shares, out=state.network.params)
        _average(slots, shares, out=state.slots)
        state.n_updates += len(rates)
        state.n_steps += len(rates)
        self.gradient_norms = tuple(np.dot(shares, norms).tolist())
        return float(np.dot(shares, losses))


def _average(arrays, shares, out):
    out[...] = 0.0
    for array, share in zip(arrays, shares):
        out += share * array


class GradientWorker:
    """Answers with the gradient of all its rows.

    Parameters
    ----------
    shard, objective
        As in `StepWorker`.
    """

    def __init__(self, shard, objective):
        self.objective = copy.deepcopy(objective)
        self.network = self.objective.network
        self.loss_term = FullBatchLoss(self.objective, shard.samples)

    def __call__(self, params, n):
        """Return what its rows contribute to C and its gradient; see `FullBatchLoss`."""
        self.network.params[...] = params
        with blas_threads(self.network, BLOCK_ROWS):
            return self.loss_term(n)


class DistributedLoss:
    """The loss term of C and its gradient, over the samples of all workers.

    Parameters
    ----------
    training, shards
        As in `SynchronousSGD`.
    """

    def __init__(self, training, shards):
        self.network, self.shards = training.state.network, shards
        shards.tell("make_learner", GradientWorker, training.objective)

    def __call__(self, n):
        """Return both; see `FullBatchLoss`."""
        losses, gradients = zip(*self.shards.ask_learners(self.network.params, n))
        return sum(losses), np.sum(gradients, axis=0)
