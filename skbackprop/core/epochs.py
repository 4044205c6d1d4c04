"""One pass over all samples, in mini-batches."""

import numpy as np

from .dropout import with_dropout
from .layout import norms, row_blocks
from .sparse import LazySparseSGD
from .updater import ParameterUpdater


def make_epoch(training):
    """Make what passes over samples that lie here."""
    kind = LazySparseEpoch if _may_skip_rows(training) else MiniBatchEpoch
    return kind(training)


def _may_skip_rows(training):
    """Say whether rows of the first weights without a gradient need not be looked at.

    What has a memory moves them all the same, as an L1 penalty does, and the norms
    that are limited are those of all.
    """
    config = training.config
    centers = training.state.network.inputs.centers
    stays_sparse = training.samples.is_sparse and not centers
    needs_all = (
        config.optimizer.slots
        or config.clip_norm is not None
        or config.max_norm is not None
        or training.objective.l1_alpha
    )
    return stays_sparse and not needs_all


class MiniBatchEpoch:
    """One pass over all samples; everything but the rate is settled beforehand.

    Parameters
    ----------
    training : Training
        Whose samples are passed over, and whose parameters are moved.

    Attributes
    ----------
    n_steps : int
        So many mini-batches there are.
    gradient_norms : tuple of float
        Of the last mini-batch, as `EpochRecord` has them.
    """

    def __init__(self, training):
        self.state, self.objective = training.state, training.objective
        self.samples, self.config = training.samples, training.config
        n, size = len(self.samples), self.config.batch_size
        self.n_steps = -(-n // size)
        self.work = self.objective.workspace(
            self.samples, size, self._activations(size)
        )
        self.last_work = self.work.head(n % size or size)
        self.gradients = [dW.reshape(-1) for dW in self.work.dW]
        self.updater = self._make_stepper(training)
        if self.state.order is None or self.state.order.size != n:
            self.state.order = np.arange(n)

    def _make_stepper(self, training):
        return ParameterUpdater(training, self.work.grad)

    def _activations(self, n_rows):
        if not self.config.dropout:
            return None
        if self.state.dropout_rng is None:
            seed = self.state.rng.randint(np.iinfo(np.int32).max)
            self.state.dropout_rng = np.random.Generator(np.random.SFC64(seed))
        return with_dropout(
            self.state.network, self.config.dropout, self.state.dropout_rng, n_rows
        )

    def run(self, rates):
        """Step once for every mini-batch.

        Parameters
        ----------
        rates : sequence of float
            The learning rate of each step.

        Returns
        -------
        float
            The mean loss met on the way, as it is reported.
        """
        config, samples = self.config, self.samples
        if config.shuffle:
            self.state.rng.shuffle(self.state.order)
            order = samples.to_row_indices(self.state.order)
        loss_sum = penalty_sum = 0.0
        n_samples = len(samples)
        batches = row_blocks(n_samples, config.batch_size)
        for rows, rate in zip(batches, rates):
            n_rows = rows.stop - rows.start
            work = self.work if n_rows == config.batch_size else self.last_work
            if config.shuffle:
                samples.gather(order[rows], work)
            else:
                samples.slice(rows, work)
            loss_sum += n_rows * self._descend(work, n_rows)
            if rows.stop == n_samples:  # the step will spend the gradient
                self._record_gradient_norms()
            penalty_sum += n_rows * self._step(work, n_rows, rate)
        return self.objective.display_loss(
            loss_sum / n_samples, penalty_sum / n_samples
        )

    def _descend(self, work, n_rows):
        return self.objective.loss_and_gradient(work, n_rows)

    def _record_gradient_norms(self):
        self.gradient_norms = norms(self.gradients)

    def _step(self, work, n_rows, rate):
        """Move the parameters; return the penalty that they had."""
        return self.updater.step(n_rows, rate)


class LazySparseEpoch(MiniBatchEpoch):
    """The same where only the touched rows of the first weights need work."""

    def _make_stepper(self, training):
        return ParameterUpdater(
            training, self.work.grad, first=self.state.network.weights[0].size
        )

    def run(self, rates):
        self.first = LazySparseSGD(self.state.network.weights[0])
        try:
            loss = super().run(rates)
            self.gradient_norms = (self.first.gradient_norm, *self.gradient_norms)
            return loss
        finally:
            self.first.materialize(self.first.scale)

    def _record_gradient_norms(self):
        self.first.records_gradient_norm = (
            True  # it is computed in the step that follows
        )
        self.gradient_norms = norms(self.gradients[1:])

    def _descend(self, work, n_rows):
        work.x = work.x * self.first.scale
        return self.objective.hidden_gradients(work, n_rows)

    def _step(self, work, n_rows, rate):
        penalty = super()._step(work, n_rows, rate)
        strength = self.objective.strength(n_rows)
        penalty += 0.5 * strength * self.first.squared_norm
        self.first.step(work.x, work.delta[0], rate, 1.0 - rate * strength)
        return penalty
