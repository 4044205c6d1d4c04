"""One pass over all samples in mini-batches."""

from functools import cached_property

import numpy as np

from .blas import norms
from .dropout import Dropout
from .layout import row_blocks
from .sparse import LazySparseSGD
from .updater import ParameterUpdater


def make_epoch(training):
    """Create the epoch object for training on samples in this process.

    Parameters
    ----------
    training : Training
        Training that provides the samples, the objective and the configuration.

    Returns
    -------
    MiniBatchEpoch
    """
    is_sparse = training.samples.is_sparse
    stays_sparse = is_sparse and not training.state.network.inputs.centers
    if stays_sparse and _can_skip_rows(training):
        return LazySparseEpoch(training)
    return MiniBatchEpoch(training)


def _can_skip_rows(training):
    """Return whether first-layer weights of inputs that are all zero stay unchanged.

    Optimizers with state and the L1 penalty also move weights without a gradient, and
    clipping and max-norm need the norms of all weights.
    """
    config = training.config
    needs_all_rows = (
        config.optimizer.slots
        or config.clip_norm is not None
        or config.max_norm is not None
        or training.objective.l1_alpha
    )
    return not needs_all_rows


class MiniBatchEpoch:
    """One pass over all samples in mini-batches.

    Everything except the learning rates is prepared once for all epochs.

    Parameters
    ----------
    training : Training
        Training that provides the samples and the parameters to update.
    first_param : int, default=0
        Index of the first parameter that the optimizer updates.

    Attributes
    ----------
    n_steps : int
        Number of mini-batches.
    gradient_norms : tuple of float
        Gradient norms of the last mini-batch; see `EpochRecord`.
    """

    def __init__(self, training, first_param=0):
        self.state, self.objective = training.state, training.objective
        self.samples, self.config = training.samples, training.config
        n_samples, batch_size = self.samples.n_samples, self.config.batch_size
        self.n_samples, self.n_steps = n_samples, -(-n_samples // batch_size)
        dropout = self._make_dropout() if self.config.dropout else None
        self.work = self.objective.workspace(self.samples, batch_size, dropout)
        self.gradients = [dW.reshape(-1) for dW in self.work.dW]
        self.updater = ParameterUpdater(training, self.work.grad, first_param)
        if self.state.order is None or self.state.order.size != n_samples:
            self.state.order = np.arange(n_samples)

    @cached_property
    def last_work(self):
        """Workspace of the last mini-batch, which may have fewer rows."""
        return self.work.head(self.n_samples % self.config.batch_size)

    def _make_dropout(self):
        state = self.state
        if state.dropout_rng is None:
            seed = state.rng.randint(np.iinfo(np.int32).max)
            state.dropout_rng = np.random.Generator(np.random.SFC64(seed))
        return Dropout(self.config.dropout, state.dropout_rng)

    def run(self, rates):
        """Update the parameters once per mini-batch.

        Parameters
        ----------
        rates : sequence of float
            Learning rate of each step.

        Returns
        -------
        float
            Mean loss over the mini-batches, each before its step.
        """
        config, samples = self.config, self.samples
        if config.shuffle:
            self.state.rng.shuffle(self.state.order)
            order = samples.to_row_indices(self.state.order)
        loss_sum = penalty_sum = 0.0
        n_samples = self.n_samples
        batches = row_blocks(n_samples, config.batch_size)
        for rows, rate in zip(batches, rates):
            n_rows = rows.stop - rows.start
            work = self.work if n_rows == config.batch_size else self.last_work
            if config.shuffle:
                samples.gather(order[rows], work)
            else:
                samples.slice(rows, work)
            loss_sum += n_rows * self._loss_and_gradient(work, n_rows)
            if rows.stop == n_samples:  # before the step overwrites the gradient
                self._record_gradient_norms()
            penalty_sum += n_rows * self._step(work, n_rows, rate)
        return self.objective.display_loss(
            loss_sum / n_samples, penalty_sum / n_samples
        )

    def _loss_and_gradient(self, work, n_rows):
        return self.objective.loss_and_gradient(work, n_rows)

    def _record_gradient_norms(self):
        self.gradient_norms = norms(self.gradients)

    def _step(self, work, n_rows, rate):
        """Update the parameters and return the penalty before the update."""
        return self.updater.step(n_rows, rate)


class LazySparseEpoch(MiniBatchEpoch):
    """Pass that updates only the first-layer weights with a nonzero gradient."""

    def __init__(self, training):
        super().__init__(training, training.state.network.weights[0].size)

    def run(self, rates):
        """Update the parameters once per mini-batch; see `MiniBatchEpoch.run`."""
        self.first = LazySparseSGD(self.state.network.weights[0])
        try:
            loss = super().run(rates)
            self.gradient_norms = (self.first.gradient_norm, *self.gradient_norms)
            return loss
        finally:
            self.first.materialize(self.first.scale)

    def _record_gradient_norms(self):
        # The first layer computes its gradient in the step that follows.
        self.first.records_gradient_norm = True
        self.gradient_norms = norms(self.gradients[1:])

    def _loss_and_gradient(self, work, n_rows):
        work.x = work.x * self.first.scale
        return self.objective.hidden_gradients(work, n_rows)

    def _step(self, work, n_rows, rate):
        penalty = super()._step(work, n_rows, rate)
        strength, _ = self.objective.strengths(n_rows)
        penalty += 0.5 * strength * self.first.squared_norm
        self.first.step(work.x, work.delta[0], rate, 1.0 - rate * strength)
        return penalty
