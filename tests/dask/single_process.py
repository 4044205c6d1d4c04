"""Reference results: plain estimators on the mini-batches of several workers."""

from functools import partial

import numpy as np
from partitioned_data import SIZES, SMALL

from skbackprop._estimators.fit_kind import FitKind
from skbackprop._estimators.fitting import check_parameters, run_training
from skbackprop._estimators.training_data import read_training_data
from skbackprop._estimators.training_setup import build_training, read_validation_data
from skbackprop.core.blas import norms
from skbackprop.core.epochs import make_epoch
from skbackprop.core.training import mini_batches


class AssignedEpoch:
    """Epoch in one process with the mini-batches of `SynchronousSGD`."""

    def __init__(self, training, sizes, n_steps, shuffle, seed):
        self.training, self.state = training, training.state
        self.sizes = {i: size for i, size in enumerate(sizes) if size}
        self.n_steps, self.shuffle, self.seed = n_steps, shuffle, seed
        n_rows = training.samples.n_samples
        self.work = training.objective.workspace(training.samples, n_rows)
        self.inner = make_epoch(training)

    def batches(self, epoch):
        """Compute the rows of each step, independently of `BatchAssignment`."""
        steps = [[] for _ in range(self.n_steps)]
        first = 0
        for number, size in self.sizes.items():
            order = np.arange(size)
            if self.shuffle:
                rng = np.random.RandomState([self.seed, epoch, number])
                order = rng.permutation(size)
            shift = number * (1 + 5**0.5) / 2 % 1.0
            for i, row in enumerate(order):
                steps[int((i + shift) * self.n_steps / size)].append(first + row)
            first += size
        return steps

    def run(self, rates):
        objective, samples = self.training.objective, self.training.samples
        loss_sum = penalty_sum = 0.0
        n = 0
        for batch, rate in zip(self.batches(self.state.n_epochs), rates):
            if not batch:
                continue
            work = self.work.head(len(batch))
            samples.gather(np.array(batch), work)
            loss_sum += len(batch) * objective.loss_and_gradient(work, len(batch))
            self.inner.work.grad[...] = work.grad
            self.gradient_norms = norms(self.inner.gradients)
            penalty_sum += len(batch) * self.inner.updater.step(len(batch), rate)
            n += len(batch)
        return objective.display_loss(loss_sum / n, penalty_sum / n)


def fit_plain(make, X, y, weight=None, sizes=SIZES, validation=None, **params):
    """Fit a plain estimator on the mini-batches of ``sync="step"``."""
    net = make(**{**SMALL, **params})
    check_parameters(net)
    data = X, y, weight
    return fit_by_steps(net, FitKind.FRESH, *data, sizes, validation or (None,) * 3)


def fit_by_steps(net, kind, X, y, weight, sizes, validation=(None,) * 3):
    """Fit a plain estimator on the mini-batches of ``sync="step"``; return it."""
    reader, samples = read_training_data(net, kind, X, y, weight)
    held_out = read_validation_data(net, reader, *validation)
    training = build_training(net, kind, reader, samples, held_out)
    n_steps = -(-training.samples.n_samples // training.config.batch_size)
    seed = training.state.rng.randint(np.iinfo(np.int32).max)
    epoch = AssignedEpoch(training, sizes, n_steps, net.shuffle, seed)
    minimize = partial(mini_batches, epoch=epoch)
    run_training(net, kind, training, minimize=minimize)
    return net


def epoch_records(net):
    """Return the epoch records as an array, without the durations."""
    local = net.to_local() if hasattr(net, "to_local") else net
    return np.array(
        [
            (*record._replace(seconds=0.0)[:-1], *record.gradient_norms)
            for record in local._state.history
        ]
    )


def assert_same(one, other, rtol=1e-10):
    """Assert that two networks and their epoch records are equal, up to rounding."""
    for name in ("coefs_", "intercepts_"):
        for mine, theirs in zip(getattr(one, name), getattr(other, name), strict=True):
            assert mine.dtype == theirs.dtype
            np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(
        epoch_records(one), epoch_records(other), rtol=rtol, atol=rtol
    )
    assert one.n_iter_ == other.n_iter_
    assert one.t_ == other.t_
