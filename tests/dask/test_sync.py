"""Training strategies of the Dask estimators, tested in one process.

The shards are objects in the test process. `test_dask` tests shards on real workers.
"""

import copy
import io
import operator
import pickle
from contextlib import contextmanager
from functools import partial, reduce
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from example_counts import examples
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.datasets import make_classification
from sklearn.preprocessing import StandardScaler

pytest.importorskip("distributed")

import cloudpickle

from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop._data.columns import NumericColumns, make_columns
from skbackprop._data.reader import Reader
from skbackprop._data.samples import TrainingSamples
from skbackprop._estimators.fitting import (
    FitKind,
    build_training,
    check_parameters,
    prepare_training,
    read_summary,
    read_training_data,
    run_training,
)
from skbackprop.core.epochs import make_epoch
from skbackprop.core.layout import norms
from skbackprop.core.training import Training, mini_batches
from skbackprop.dask import DaskBackpropClassifier, DaskBackpropRegressor
from skbackprop.dask.base import DaskBackprop
from skbackprop.dask.batch_assignment import BatchAssignment
from skbackprop.dask.distributed_samples import DistributedSamples
from skbackprop.dask.partition_summary import PartitionSummary
from skbackprop.dask.shard import Failure, Shard, concatenate_samples, result_or_raise
from skbackprop.dask.shards import Shards, WorkerLostError
from skbackprop.dask.workers import EpochWorker, StepWorker

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning"  # a few epochs are sufficient
)

DASK = {
    BackpropClassifier: DaskBackpropClassifier,
    BackpropRegressor: DaskBackpropRegressor,
}
rng = np.random.default_rng(0)
N_ROWS = 70
X, THREE = make_classification(
    N_ROWS, 5, n_informative=4, n_redundant=0, n_classes=3, random_state=0
)
X = X * [1.0, 10.0, 0.1, 1.0, 1.0] + [0.0, 3.0, 0.0, 0.0, -1.0]
TWO = (THREE > 0).astype(int)
NAMES = np.array(["low", "mid", "high"])[THREE]
LABELS = (X[:, [0, 3, 4]] > [0.0, 0.5, -1.0]).astype(int)
NUMBERS = X[:, 0] - 0.1 * X[:, 1] + 20.0
SEVERAL = np.column_stack([NUMBERS, 3.0 * X[:, 2]])
COUNTS = rng.poisson(2.0, N_ROWS).astype(float)
WEIGHT = rng.integers(0, 4, N_ROWS).astype(float)

#: Number of rows of each partition. One partition is empty and one has a single row.
SIZES = (20, 13, 0, 1, 25, 11)
#: Partition indices of each worker, for one, two and three workers.
GROUPINGS = ([[0, 1, 3, 4, 5]], [[0, 3], [1, 4, 5]], [[4], [1, 0], [5, 3]])
SMALL = {
    "hidden_layer_sizes": (6,),
    "batch_size": 16,
    "max_iter": 3,
    "random_state": 1,
    "learning_rate_init": 0.01,
}


class InProcessShards:
    """Substitute for `Shards` whose shards are objects in the test process.

    Broadcasts are pickled and unpickled, as for messages to workers. A call of the
    training workers whose number is in `lost_at` loses and restores the first shard.
    """

    def __init__(self, partitions, groups, lost_at=()):
        self.partition_sizes = {
            i: len(part[0]) for i, part in enumerate(partitions) if len(part[0])
        }
        assert sorted(i for group in groups for i in group) == [*self.partition_sizes]
        self.partitions, self.groups, self.broadcasts = partitions, groups, []
        self.lost_at, self.n_calls = lost_at, 0
        self.shards = [self._create_shard(group) for group in groups]

    def _create_shard(self, group):
        shard = Shard(group, *(self.partitions[i] for i in group))
        for message in self.broadcasts:
            self._send(shard, message)
        return shard

    @staticmethod
    def _send(shard, message):
        received = pickle.loads(cloudpickle.dumps(message))
        return result_or_raise(shard.call(*received))

    @property
    def shard_sizes(self):
        return [sum(self.partition_sizes[i] for i in group) for group in self.groups]

    def broadcast(self, *message):
        for shard in self.shards:
            self._send(shard, message)
        self.broadcasts.append(message)

    def map(self, *message):
        return [self._send(shard, message) for shard in self.shards]

    def close(self):
        self.shards = []

    def reduce(self, *message):
        return reduce(operator.add, self.map(*message))

    def run_training_workers(self, *args):
        self.n_calls += 1
        if self.n_calls in self.lost_at:
            # The other shards receive the failed call and the repeated call.
            for shard in self.shards[1:]:
                shard.call("run_training_worker", *args)
            self.shards[0] = self._create_shard(self.groups[0])
        return [
            result_or_raise(shard.call("run_training_worker", *args))
            for shard in self.shards
        ]


@contextmanager
def replace_shards(shards):
    """Patch the Dask estimators to use the given shards instead of a client."""
    with (
        patch("skbackprop.dask.base.Shards", lambda *args: shards),
        patch("skbackprop.dask.base.to_partitions", lambda X, y, weight: None),
        patch.object(DaskBackprop, "_get_client", lambda self: None),
    ):
        yield


def bounds(sizes):
    ends = np.cumsum(sizes)
    return [slice(end - size, end) for size, end in zip(sizes, ends)]


def partitions(X, y, weight=None, sizes=SIZES):
    cut = [[None if a is None else a[rows] for a in (X, y, weight)]
           for rows in bounds(sizes)]  # fmt: skip
    return [tuple(part) for part in cut]


def fit_in_process(
    make, parts, groups=GROUPINGS[1], lost_at=(), validation=(), **params
):
    """Fit a Dask estimator to shards in the test process."""
    shards = InProcessShards(parts, groups, lost_at)
    with replace_shards(shards):
        net = DASK[make](**{**SMALL, **params})
        return net.fit(None, None, None, *validation)


class AssignedEpoch:
    """Epoch in one process with the mini-batches of `SynchronousSGD`."""

    def __init__(self, training, sizes, n_steps, shuffle, seed):
        self.training, self.state = training, training.state
        self.sizes = {i: size for i, size in enumerate(sizes) if size}
        self.n_steps, self.shuffle, self.seed = n_steps, shuffle, seed
        n_rows = len(training.samples)
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
    training = build_training(net, kind, reader, samples, validation)
    n_steps = -(-len(training.samples) // training.config.batch_size)
    seed = training.state.rng.randint(np.iinfo(np.int32).max)
    epoch = AssignedEpoch(training, sizes, n_steps, net.shuffle, seed)
    minimize = partial(mini_batches, epoch=epoch)
    run_training(net, training, net.max_iter, minimize=minimize)
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


# ---------------------------------------------------------------- batch assignment

partition_sizes = st.lists(st.integers(1, 60), min_size=1, max_size=12)


def make_assignment(n_steps, shuffle=True, seed=7):
    return BatchAssignment(n_steps, shuffle, seed)


@given(partition_sizes, st.integers(1, 40), st.booleans(), st.integers(0, 3))
def test_each_epoch_uses_every_row_once(sizes, n_steps, shuffle, epoch):
    steps = make_assignment(n_steps, shuffle).rows_by_step(
        dict(enumerate(sizes)), epoch
    )
    assert len(steps) == n_steps
    np.testing.assert_array_equal(np.sort(np.concatenate(steps)), np.arange(sum(sizes)))


@given(st.integers(0, 2000), st.integers(1, 10**6), st.integers(1, 3000))
def test_each_step_uses_same_fraction_of_a_partition(number, size, n_steps):
    counts = make_assignment(n_steps).rows_per_step(number, size)
    assert counts.shape == (n_steps,)
    assert counts.sum() == size
    assert counts.min() >= size // n_steps
    assert counts.max() <= -(-size // n_steps)


@given(partition_sizes, st.integers(1, 40), st.integers(0, 1000))
def test_batch_sizes_are_similar(sizes, n_steps, first):
    counts = sum(
        make_assignment(n_steps).rows_per_step(first + i, n)
        for i, n in enumerate(sizes)
    )
    # The count of each partition differs by less than one row from the exact fraction.
    # Most of these differences cancel.
    assert np.abs(counts - sum(sizes) / n_steps).max() <= 1.0 + len(sizes) / 2


def test_batch_sizes_are_similar_with_many_small_partitions():
    counts = sum(make_assignment(40).rows_per_step(number, 7) for number in range(1000))
    # The mean is 175. Without the offset, all rows would be in the same steps.
    assert np.ptp(counts) <= 6
    assert counts.sum() == 7000


def test_batch_sizes_are_equal_if_divisible():
    for number in range(50):
        np.testing.assert_array_equal(make_assignment(6).rows_per_step(number, 24), 4)


@given(partition_sizes, st.integers(1, 20), st.booleans(), st.randoms())
def test_batches_do_not_depend_on_placement(sizes, n_steps, shuffle, random):
    def row_ids_by_step(stored, epoch=2):
        """Return the rows of each step as pairs of partition and row index."""
        indices = np.concatenate([np.arange(sizes[i]) for i in stored])
        partition_ids = np.concatenate([[i] * sizes[i] for i in stored])
        assignment = make_assignment(n_steps, shuffle)
        steps = assignment.rows_by_step({i: sizes[i] for i in stored}, epoch)
        return [set(zip(partition_ids[rows], indices[rows])) for rows in steps]

    numbers = list(range(len(sizes)))
    together = row_ids_by_step(numbers)
    random.shuffle(numbers)
    cut = random.randint(0, len(numbers))
    apart = [row_ids_by_step(ids) for ids in (numbers[:cut], numbers[cut:]) if ids]
    assert [set().union(*parts) for parts in zip(*apart)] == together


def test_shuffle_changes_order_in_each_epoch():
    sizes = {0: 30, 3: 20}

    def order(shuffle, epoch, seed=7):
        return np.concatenate(
            make_assignment(5, shuffle, seed).rows_by_step(sizes, epoch)
        ).tolist()

    assert order(True, 0) != order(True, 1)
    assert order(True, 0) != order(True, 0, seed=8)
    assert order(True, 1) == order(True, 1)
    assert order(False, 0) == order(False, 1)
    # Partitions of the same size have different orders.
    both = make_assignment(1).rows_by_step({0: 20, 1: 20}, 0)[0]
    assert (both[:20] != both[20:] - 20).any()


def test_no_shuffle_keeps_order():
    steps = make_assignment(5, shuffle=False).rows_by_step({0: 30, 1: 20}, 0)
    assert [rows[rows < 30].tolist() for rows in steps] == [
        list(range(i, i + 6)) for i in range(0, 30, 6)
    ]
    rest = np.concatenate([rows[rows >= 30] for rows in steps])
    np.testing.assert_array_equal(rest, np.arange(30, 50))


# ------------------------------------------------------------------ sync="step"

CLASSIFIERS = [
    dict(y=TWO),
    dict(y=THREE),
    dict(y=NAMES),
    dict(y=LABELS),
    dict(y=LABELS[:, :1] * 1.0),
    dict(y=THREE, loss="squared_error"),
    dict(y=TWO, weight=WEIGHT),
    dict(y=THREE, weight=WEIGHT, class_weight="balanced"),
    dict(y=NAMES, class_weight={"low": 2.0, "high": 0.5}),
    dict(y=LABELS, class_weight=[{0: 1.0, 1: 3.0}, {1: 2.0}, {0: 0.5}]),
    dict(y=LABELS, class_weight="balanced", weight=WEIGHT),
    dict(y=THREE, standardize=False, hidden_layer_sizes=(5, 4)),
    dict(y=THREE, hidden_layer_sizes=()),
]
REGRESSORS = [
    dict(y=NUMBERS),
    dict(y=NUMBERS[:, np.newaxis].copy()),
    dict(y=SEVERAL, weight=WEIGHT),
    dict(y=NUMBERS, standardize=False),
    dict(y=NUMBERS, loss="quantile", quantile=0.9),
    dict(y=NUMBERS, loss="quantile", quantile=[0.1, 0.5, 0.9], weight=WEIGHT),
    dict(y=COUNTS, loss="poisson"),
    dict(y=NUMBERS, loss="huber"),
    dict(y=NUMBERS, loss="absolute_error"),
    dict(y=np.full(N_ROWS, 3.0)),
]
SETTINGS = [
    dict(solver="sgd"),
    dict(solver="sgd", nesterovs_momentum=False, momentum=0.5),
    dict(solver="adam"),
    dict(solver="adamw", alpha=0.1),
    dict(alpha=0.5),
    dict(l1_alpha=0.3),
    dict(solver="sgd", alpha=0.5, l1_alpha=0.1, weight=WEIGHT),
    dict(max_norm=0.5),
    dict(clip_norm=0.01, solver="sgd"),
    dict(clip_norm=0.01, l1_alpha=0.1),
    dict(warmup_steps=7),
    dict(learning_rate="adaptive", solver="sgd", tol=10.0, n_iter_no_change=1),
    dict(learning_rate="invscaling", solver="sgd"),
    dict(learning_rate="cosine", warmup_steps=2),
    dict(shuffle=False),
    dict(batch_size=1, max_iter=2),
    dict(batch_size=N_ROWS),
    dict(batch_size=33),
    dict(tol=100.0, n_iter_no_change=1, max_iter=9),
    dict(weight=WEIGHT * 7.0, alpha=0.1),
]


def with_ids(cases):
    """Return pytest parameters whose ids contain the settings but not the arrays."""

    def make_id(case):
        return "-".join(
            name if isinstance(value, np.ndarray) else f"{name}={value}"
            for name, value in case.items()
        )

    return [pytest.param(case, id=make_id(case)) for case in cases]


def fit_both(make, case, groups=GROUPINGS[1], **more):
    """Fit the plain and the Dask estimator on the same mini-batches."""
    case = {**case, **more}
    y, weight = case.pop("y"), case.pop("weight", None)
    expected = fit_plain(make, X, y, weight, **case)
    return expected, fit_in_process(make, partitions(X, y, weight), groups, **case)


pytestmark_columns = pytest.mark.filterwarnings(
    "ignore:A column-vector y was passed"  # the plain estimator raises it
)


@pytestmark_columns
@pytest.mark.parametrize("case", with_ids(CLASSIFIERS))
def test_classifier_equals_single_process(case):
    assert_same(*fit_both(BackpropClassifier, case))


@pytestmark_columns
@pytest.mark.parametrize("case", with_ids(REGRESSORS))
def test_regressor_equals_single_process(case):
    assert_same(*fit_both(BackpropRegressor, case))


@pytest.mark.parametrize("case", with_ids(SETTINGS))
def test_parameters_have_same_effect_as_in_single_process(case):
    assert_same(*fit_both(BackpropClassifier, {"y": THREE, **case}))


@pytest.mark.parametrize("groups", GROUPINGS)
@pytest.mark.parametrize("shuffle", [True, False])
def test_step_does_not_depend_on_placement(groups, shuffle):
    case = dict(y=NUMBERS, weight=WEIGHT, shuffle=shuffle)
    assert_same(*fit_both(BackpropRegressor, case, groups))


def test_cosine_schedule_counts_steps_of_all_workers():
    case = dict(y=THREE, learning_rate="cosine", batch_size=9, max_iter=4)
    expected, net = fit_both(BackpropClassifier, case)
    assert epoch_records(net)[-1, 3] < 0.2 * epoch_records(net)[0, 3]
    assert_same(expected, net)


@pytest.mark.parametrize("make", DASK)
def test_float32_is_preserved(make):
    y = THREE if make is BackpropClassifier else NUMBERS
    single = X.astype(np.float32)
    net = fit_in_process(make, partitions(single, y), max_iter=2)
    expected = fit_plain(make, single, y, max_iter=2)
    assert net.coefs_[0].dtype == np.float32
    assert_same(expected, net, rtol=1e-4)
    wide = fit_in_process(make, partitions(X, y), dtype="float32", max_iter=2)
    assert wide.coefs_[0].dtype == np.float32
    assert_same(fit_plain(make, X, y, dtype="float32", max_iter=2), wide, rtol=1e-4)


def test_one_float64_partition_makes_network_float64():
    parts = partitions(X.astype(np.float32), THREE)
    parts[4] = (parts[4][0].astype(float), *parts[4][1:])
    assert fit_in_process(BackpropClassifier, parts).coefs_[0].dtype == np.float64


@pytest.mark.parametrize("make", DASK)
def test_divisible_batches_equal_plain_fit_without_shuffle(make):
    # The reference is the public method `fit` of the plain estimator.
    y = THREE if make is BackpropClassifier else NUMBERS
    sizes, n_steps = (10, 20, 30, 10), 5
    parts = partitions(X, y, sizes=sizes)
    net = fit_in_process(
        make, parts, [[2, 0], [1, 3]], shuffle=False, batch_size=N_ROWS // n_steps
    )
    pieces = [np.split(np.arange(N_ROWS)[rows], n_steps) for rows in bounds(sizes)]
    order = np.concatenate([np.concatenate(step) for step in zip(*pieces)])
    plain = make(**{**SMALL, "shuffle": False, "batch_size": N_ROWS // n_steps})
    assert_same(plain.fit(X[order], y[order]), net)


def test_partition_smaller_than_number_of_steps():
    sizes = (1, 2, 64, 1, 1, 1)
    case = dict(y=THREE, batch_size=3, max_iter=2)
    parts = partitions(X, THREE, sizes=sizes)
    net = fit_in_process(
        BackpropClassifier, parts, [[0], [1, 3, 4, 5], [2]], **without(case, "y")
    )
    assert_same(fit_plain(BackpropClassifier, X, sizes=sizes, **case), net)


def without(case, *names):
    return {name: value for name, value in case.items() if name not in names}


def test_empty_steps_are_skipped():
    # There are 9 partitions of one row and 9 steps. Some steps have several rows.
    sizes = (1,) * 9
    parts = partitions(X[:9], TWO[:9], sizes=sizes)
    groups = [[0, 1, 2, 3], [4, 5, 6, 7, 8]]
    net = fit_in_process(BackpropClassifier, parts, groups, batch_size=1)
    counts = sum(make_assignment(9).rows_per_step(number, 1) for number in range(9))
    assert 0 in counts
    expected = fit_plain(BackpropClassifier, X[:9], TWO[:9], sizes=sizes, batch_size=1)
    assert_same(expected, net)


@pytest.mark.parametrize("sync", ["step", "epoch"])
def test_nonzero_weights_in_one_partition(sync):
    weight = np.zeros(N_ROWS)
    weight[20:33] = WEIGHT[20:33] + 1.0
    X_far = np.where(weight[:, np.newaxis] > 0.0, X, 1e6)
    parts = partitions(X_far, THREE, weight)
    net = fit_in_process(BackpropClassifier, parts, sync=sync, class_weight="balanced")
    assert np.isfinite(net.loss_)
    if sync == "step":
        expected = fit_plain(
            BackpropClassifier, X_far, THREE, weight, class_weight="balanced"
        )
        assert_same(expected, net, rtol=1e-9)


def test_averaging_ignores_workers_with_zero_weights():
    weight = np.zeros(N_ROWS)
    weight[:33] = WEIGHT[:33] + 1.0
    params = {"sync": "epoch", "standardize": False, "solver": "sgd", "alpha": 0.0}
    rate = 1e-4
    parts = partitions(X, NUMBERS, weight)
    groups = [[0, 1], [3, 4, 5]]
    net = fit_in_process(
        BackpropRegressor, parts, groups=groups, learning_rate_init=rate, **params
    )
    alone = partitions(X[:33], NUMBERS[:33], weight[:33], sizes=(20, 13))
    # Weights are divided by their mean over all rows, including zero-weight rows.
    params["learning_rate_init"] = rate * N_ROWS / 33
    expected = fit_in_process(BackpropRegressor, alone, groups=[[0, 1]], **params)
    for mine, theirs in zip(net.coefs_, expected.coefs_):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12)


@pytest.mark.parametrize("sync", ["step", "epoch"])
def test_early_stopping_restores_best_parameters(sync):
    val = X[:15], THREE[:15]
    net = fit_in_process(
        BackpropClassifier,
        partitions(X, THREE),
        validation=val,
        early_stopping=True,
        max_iter=40,
        n_iter_no_change=3,
        learning_rate_init=0.5,
        sync=sync,
        scoring="accuracy",
    )
    scores = net.history_["validation_score"].tolist()
    assert len(scores) < 40
    assert net.to_local().score(*val) == max(scores) == net.best_validation_score_


def test_early_stopping_equals_single_process():
    val = (X[:15], THREE[:15], WEIGHT[:15])
    params = dict(early_stopping=True, max_iter=9, n_iter_no_change=2)
    net = fit_in_process(
        BackpropClassifier, partitions(X, THREE), validation=val, **params
    )
    expected = fit_plain(BackpropClassifier, X, THREE, validation=val, **params)
    assert np.isfinite(net.history_["validation_loss"]).all()
    assert_same(expected, net)


# ------------------------------------------------------------------ dropout, losses

SYNCS = pytest.mark.parametrize(
    "params",
    [
        dict(sync="step"),
        dict(sync="step", dropout=0.3),
        dict(sync="epoch"),
        dict(sync="epoch", dropout=0.3),
        dict(sync="epoch", batch_size=7, shuffle=False),
        dict(solver="lbfgs", batch_size="auto"),
    ],
    ids=str,
)


@SYNCS
def test_restored_shard_gives_same_result(params):
    parts = partitions(X, THREE, WEIGHT)
    whole = fit_in_process(BackpropClassifier, parts, class_weight="balanced", **params)
    hurt = fit_in_process(
        BackpropClassifier,
        parts,
        lost_at=(2, 3, 7),
        class_weight="balanced",
        **params,
    )
    assert_same(whole, hurt, rtol=0.0)


@SYNCS
def test_repeated_call_of_training_worker_gives_same_result(params):
    parts = partitions(X, THREE)
    once = fit_in_process(BackpropClassifier, parts, **params)
    call = Shard.call

    def call_twice(shard, method, *args):
        if method == "run_training_worker":
            call(shard, method, *args)
        return call(shard, method, *args)

    with patch.object(Shard, "call", call_twice):
        twice = fit_in_process(BackpropClassifier, parts, **params)
    assert_same(once, twice, rtol=0.0)


@pytest.mark.parametrize("sync", ["step", "epoch"])
def test_dropout_masks_differ_between_epochs_and_workers(sync):
    parts = partitions(np.tile(X[:35], (2, 1)), np.tile(TWO[:35], 2), sizes=(35, 35))

    def losses(**params):
        net = fit_in_process(
            BackpropClassifier,
            parts,
            [[0], [1]],
            sync=sync,
            learning_rate_init=1e-12,
            shuffle=False,
            batch_size=70,
            solver="sgd",
            **params,
        )
        return np.array(net.loss_curve_)

    still = losses()
    np.testing.assert_allclose(still, still[0], rtol=1e-9)
    dropped = losses(dropout=0.5)
    assert len({*dropped.round(6), still[0].round(6)}) == 4
    np.testing.assert_array_equal(dropped, losses(dropout=0.5))
    assert (dropped != losses(dropout=0.5, random_state=2)).all()


def make_training_worker(kind, sync_args, dropout=(0.5,)):
    """Return a training worker of a shard with one partition, and its training."""
    # Dropout has no effect on units whose activation is zero, as with "relu".
    params = {"dropout": dropout, "activation": "logistic"}
    net = BackpropClassifier(**{**SMALL, **params})
    training = prepare_training(net, X.copy(), TWO)
    shard = Shard([3])
    shard.partition_sizes, shard.samples = [N_ROWS], training.samples
    return kind(shard, training.objective, training.config, *sync_args), training


def test_worker_draws_new_dropout_mask_in_each_step():
    worker, training = make_training_worker(StepWorker, [BatchAssignment(5, False, 0)])
    worker.samples.X[...] = X[0]  # only the dropout masks differ between rows
    worker.samples.codes[...] = 1
    params = training.state.network.params.copy()
    losses = {worker(params, 0, step, 70)[0] for step in (0, 0, 1, 2)}
    losses |= {worker(params, 1, step, 70)[0] for step in (0, 1, 2)}
    assert len(losses) == 6


def test_worker_does_not_change_given_network():
    worker, training = make_training_worker(
        StepWorker, [BatchAssignment(4, False, 0)], dropout=0.0
    )
    before = training.state.network.params.copy()
    worker(before + 1.0, 0, 0, 70)
    np.testing.assert_array_equal(training.state.network.params, before)
    worker, training = make_training_worker(EpochWorker, [0], dropout=0.0)
    slots = np.zeros((2, before.size))
    worker(before + 1.0, slots, 0, 0, [0.1])
    np.testing.assert_array_equal(training.state.network.params, before)
    assert not slots.any()


# ----------------------------------------------------------------- sync="epoch"


def fit_by_averaging(make, X, y, weight, groups, sizes=SIZES, **params):
    """Fit a plain estimator by averaging one local epoch per group of partitions."""
    net = make(**{**SMALL, **params})
    training = prepare_training(net, X, y, weight)
    state, samples = training.state, training.samples
    seed = state.rng.randint(np.iinfo(np.int32).max)
    slices = bounds(sizes)
    rows_by_group = [
        np.concatenate([np.arange(len(X))[slices[i]] for i in group])
        for group in groups
    ]
    n_rows = [len(rows) for rows in rows_by_group]
    batch_size = training.config.batch_size
    n_steps = -(-max(n_rows) // batch_size)

    class ManualEpoch:
        def run(self, rates):
            assert len(rates) == n_steps
            losses, params, slots, norms = [], [], [], []
            for rows, group in zip(rows_by_group, groups):
                own = state.copy()
                own.rng = np.random.RandomState([state.n_epochs, seed, *group])
                own.order = None
                objective = copy.copy(training.objective)
                objective.network = own.network
                # Without this call, the copy would use the network of all groups.
                type(objective).__init__(
                    objective,
                    own.network,
                    objective.loss,
                    objective.alpha,
                    objective.mean_weight,
                    objective.n_averaged,
                    objective.l1_alpha,
                )
                config = copy.copy(training.config)
                vars(config)["batch_size"] = min(batch_size, len(rows))
                one = make_epoch(
                    Training(own, objective, samples.subset(rows).materialize(), config)
                )
                losses.append(one.run(rates))
                params.append(own.network.params)
                slots.append(own.slots)
                norms.append(one.gradient_norms)
            n = np.array(n_rows) / sum(n_rows)
            state.network.params[...] = n @ params
            state.slots[...] = np.tensordot(n, slots, 1)
            state.n_updates += n_steps
            state.n_steps += n_steps
            self.gradient_norms = tuple(n @ norms)
            return n @ losses

    epoch = ManualEpoch()
    epoch.n_steps = n_steps
    minimize = partial(mini_batches, epoch=epoch)
    run_training(net, training, net.max_iter, minimize=minimize)
    return net


@pytest.mark.parametrize("make", DASK)
@pytest.mark.parametrize("params", [{}, {"solver": "sgd"}, {"batch_size": "auto"}])
def test_epoch_with_one_worker_equals_plain_fit(make, params):
    y = THREE if make is BackpropClassifier else NUMBERS
    params = {**params, "sync": "epoch", "shuffle": False}
    plain = make(**{**SMALL, **without(params, "sync")}).fit(X, y)
    whole = fit_in_process(make, [(X, y, None)], [[0]], **params)
    assert_same(plain, whole, rtol=0.0)
    parts = fit_in_process(make, partitions(X, y), GROUPINGS[0], **params)
    assert_same(plain, parts)  # rounding differs in means over partitions


@pytest.mark.parametrize("groups", GROUPINGS[1:])
@pytest.mark.parametrize(
    "case",
    with_ids(
        [
            dict(y=THREE),
            dict(y=THREE, solver="sgd", shuffle=False),
            dict(y=TWO, weight=WEIGHT, class_weight="balanced", alpha=0.1),
            dict(y=LABELS, solver="adamw", alpha=0.1),
            dict(y=THREE, batch_size=40, max_norm=0.7, clip_norm=0.1),
            dict(y=THREE, learning_rate="cosine", warmup_steps=3),
            dict(y=THREE, l1_alpha=0.1, learning_rate="invscaling", solver="sgd"),
        ]
    ),
)
def test_epoch_averages_workers_by_number_of_rows(case, groups):
    y, weight = case["y"], case.get("weight")
    params = without(case, "y", "weight")
    expected = fit_by_averaging(BackpropClassifier, X, y, weight, groups, **params)
    parts = partitions(X, y, weight)
    assert_same(
        expected,
        fit_in_process(BackpropClassifier, parts, groups, sync="epoch", **params),
    )


def test_epoch_averages_optimizer_state():
    groups = GROUPINGS[1]
    expected = fit_by_averaging(BackpropRegressor, X, NUMBERS, None, groups)
    net = fit_in_process(
        BackpropRegressor, partitions(X, NUMBERS), groups, sync="epoch"
    )
    mine, theirs = net.to_local()._state, expected._state
    np.testing.assert_allclose(mine.slots, theirs.slots, rtol=1e-9, atol=1e-14)
    assert mine.slots.any()
    assert mine.n_updates == theirs.n_updates
    assert mine.n_steps == theirs.n_steps


def test_sgd_epoch_equals_average_of_partial_fits():
    # The reference is the public method `partial_fit` of the plain estimator.
    params = dict(solver="sgd", momentum=0.0, standardize=False, shuffle=False)
    params["init"] = "glorot_uniform"  # does not depend on class frequencies
    halves = [(X[:30], THREE[:30]), (X[30:], THREE[30:])]
    nets = [
        BackpropClassifier(**{**SMALL, **params}).partial_fit(
            *half, classes=np.arange(3)
        )
        for half in halves
    ]
    parts = [(*half, None) for half in halves]
    net = fit_in_process(
        BackpropClassifier, parts, [[0], [1]], sync="epoch", max_iter=1, **params
    )
    for mine, one, other in zip(net.coefs_, nets[0].coefs_, nets[1].coefs_):
        np.testing.assert_allclose(mine, (3 * one + 4 * other) / 7, rtol=1e-12)
    losses = [net.loss_ for net in nets]
    assert net.loss_ == pytest.approx(np.average(losses, weights=[3, 4]), rel=1e-12)


def test_epoch_depends_only_on_placement_and_seed():
    parts = partitions(X, THREE)

    def coefs(groups, **params):
        return fit_in_process(
            BackpropClassifier, parts, groups, sync="epoch", **params
        ).coefs_

    one = coefs(GROUPINGS[1])
    np.testing.assert_array_equal(one[0], coefs(GROUPINGS[1])[0])
    swapped = coefs(GROUPINGS[1][::-1])
    np.testing.assert_allclose(one[0], swapped[0], rtol=1e-10)
    assert np.abs(one[0] - coefs(GROUPINGS[2])[0]).max() > 1e-6
    assert np.abs(one[0] - coefs(GROUPINGS[1], random_state=2)[0]).max() > 1e-6


# ----------------------------------------------------------------------- L-BFGS


@pytest.mark.parametrize("groups", GROUPINGS)
@pytest.mark.parametrize(
    ("make", "case"),
    [
        (BackpropClassifier, dict(y=THREE)),
        (BackpropClassifier, dict(y=TWO, weight=WEIGHT, class_weight="balanced")),
        (BackpropClassifier, dict(y=LABELS, alpha=0.1)),
        (BackpropRegressor, dict(y=NUMBERS, alpha=1.0)),
        (BackpropRegressor, dict(y=SEVERAL, weight=WEIGHT, standardize=False)),
    ],
)
def test_lbfgs_equals_plain_fit(make, case, groups):
    y, weight = case["y"], case.get("weight")
    params = {
        **without(case, "y", "weight"),
        "solver": "lbfgs",
        "max_iter": 8,
        "batch_size": "auto",
    }
    plain = make(**{**SMALL, **params}).fit(X, y, weight)
    net = fit_in_process(make, partitions(X, y, weight), groups, **params)
    # Line searches amplify rounding differences.
    assert_same(plain, net, rtol=1e-7)


# ---------------------------------------------------------------------- summaries

FRAME = pd.DataFrame(
    {
        "a": X[:, 0],
        "kind": pd.Categorical(NAMES),
        "b": np.where(rng.random(N_ROWS) < 0.2, np.nan, X[:, 1]),
        "flag": TWO.astype(bool),
        "never": np.full(N_ROWS, np.nan),
        "count": COUNTS.astype(int),
    }
)
FRAME.loc[::9, "kind"] = None


def summarize_partitions(frame, sizes, choice="from_dtype", y=THREE, has_labels=True):
    """Return the summary of each partition, and their sum."""
    take = frame.iloc if isinstance(frame, pd.DataFrame) else frame
    parts = [
        PartitionSummary.from_partition(take[rows], y[rows], None, choice, has_labels)
        for rows in bounds(sizes)
        if rows.stop > rows.start
    ]
    return parts, reduce(operator.add, parts)


def columns_of_summary(summary, choice="from_dtype"):
    """Return the columns of a summary, and the estimator that they are read for."""
    net = BackpropClassifier(categorical_features=choice)
    reader, _ = read_summary(net, FitKind.FRESH, summary)
    return reader.columns, net


def assert_same_columns(summary, frame, choice="from_dtype"):
    """Assert that a summary gives the same columns as the whole DataFrame."""
    columns, _ = columns_of_summary(summary, choice)
    expected = make_columns(frame, choice)
    encoded = expected.fit_encode(frame)
    assert type(columns) is type(expected)
    np.testing.assert_array_equal(columns.is_categorical, expected.is_categorical)
    np.testing.assert_array_equal(columns.names, expected.names)
    np.testing.assert_allclose(columns.encode(frame), encoded, rtol=1e-12)
    assert summary.dtype == encoded.dtype
    assert columns.encode(frame).dtype == encoded.dtype


cuts = st.lists(st.integers(1, 30), min_size=1, max_size=8).map(
    lambda sizes: [*sizes[: np.searchsorted(np.cumsum(sizes), N_ROWS)]]
).map(lambda sizes: [*sizes, N_ROWS - sum(sizes)])  # fmt: skip


@examples(25)
@given(cuts, st.randoms())
def test_summary_gives_columns_of_all_rows_in_any_order(sizes, random):
    parts, summary = summarize_partitions(FRAME, sizes)
    assert_same_columns(summary, FRAME)
    np.testing.assert_array_equal(summary.targets, np.unique(THREE))
    random.shuffle(parts)
    assert_same_columns(reduce(operator.add, parts), FRAME)


def test_different_categories_are_merged():
    # If Dask does not know the categories, each partition lists only its own.
    rows = bounds((20, 30, 20))
    parts = [
        FRAME.iloc[r].assign(kind=lambda f: f["kind"].astype(object)) for r in rows
    ]
    parts = [part.astype({"kind": "category"}) for part in parts]
    parts[0]["kind"] = pd.Categorical([None] * 20)
    parts[1]["kind"] = pd.Categorical(["low"] * 29 + ["zero"])
    summaries = [PartitionSummary.from_partition(p, THREE[r], None, "from_dtype", True)
                for p, r in zip(parts, rows)]  # fmt: skip
    whole = pd.concat(parts).astype({"kind": "category"})
    assert_same_columns(reduce(operator.add, summaries), whole)
    assert_same_columns(reduce(operator.add, summaries[::-1]), whole)


def test_category_order_is_kept_if_equal_in_all_partitions():
    ordered = pd.CategoricalDtype(["mid", "low", "high", "unmet"])
    frame = FRAME.astype({"kind": ordered})
    _, summary = summarize_partitions(frame, (30, 40))
    assert_same_columns(summary, frame)
    assert summary.categories[0].tolist() == ["mid", "low", "high", "unmet"]
    # A partition with only missing values does not change the order.
    nothing = frame[:9].assign(kind=pd.Categorical([None] * 9))
    none = PartitionSummary.from_partition(nothing, THREE[:9], None, "from_dtype", True)
    for both in (summary + none, none + summary):
        assert both.categories[0].tolist() == ["mid", "low", "high", "unmet"]


def test_categorical_columns_must_match():
    changed = FRAME.assign(kind=np.arange(N_ROWS) % 3)
    one = PartitionSummary.from_partition(
        FRAME[:30], THREE[:30], None, "from_dtype", True
    )
    with pytest.raises(ValueError, match="different categorical columns"):
        one + PartitionSummary.from_partition(
            changed[30:], THREE[30:], None, "from_dtype", True
        )


def test_category_types_must_match():
    one = PartitionSummary.from_partition(FRAME[:30], THREE[:30], None, ["kind"], True)
    changed = FRAME.assign(kind=pd.Categorical(np.arange(N_ROWS) % 3))
    other = PartitionSummary.from_partition(
        changed[30:], THREE[30:], None, ["kind"], True
    )
    with pytest.raises(
        ValueError, match="categories of different types in the same column"
    ):
        one + other


@pytest.mark.parametrize("choice", [["kind"], [1, 5], ["kind", "flag", "count"]])
def test_categorical_features_selects_columns(choice):
    frame = FRAME.assign(kind=NAMES.astype(object))
    frame.loc[::9, "kind"] = None
    _, summary = summarize_partitions(frame, (1, 9, 30, 30), choice)
    assert_same_columns(summary, frame, choice)


@pytest.mark.parametrize("dtype", [object, float])
def test_categorical_features_of_arrays(dtype):
    table = np.column_stack([X[:, 0], COUNTS, X[:, 1]]).astype(dtype)
    if dtype is object:
        table[:, 1] = NAMES
        table[::7, 1] = None
        table[::5, 0] = np.nan
    _, summary = summarize_partitions(table, (20, 15, 35), [1])
    assert_same_columns(summary, table, [1])


def test_numeric_arrays_are_not_encoded():
    columns, net = columns_of_summary(summarize_partitions(X, (20, 50))[1])
    assert isinstance(columns, NumericColumns)
    assert columns.encode(X) is X
    assert net.n_features_in_ == 5
    assert not hasattr(net, "feature_names_in_")


@pytest.mark.parametrize("dtype", ["float32", "Float32"])
def test_float32_dataframe_is_preserved(dtype):
    frame = FRAME[["a", "b"]].astype(dtype)
    _, summary = summarize_partitions(frame, (20, 50))
    assert summary.dtype == np.float32
    columns, _ = columns_of_summary(summary)
    expected = make_columns(frame, "from_dtype").fit_encode(frame)
    np.testing.assert_allclose(columns.encode(frame), expected, rtol=1e-6)
    mixed = frame.assign(kind=FRAME["kind"])
    assert summarize_partitions(mixed, (20, 50))[1].dtype == np.float32
    assert (
        summarize_partitions(mixed.astype({"a": float}), (20, 50))[1].dtype
        == np.float64
    )


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "boolean"])
def test_missing_values_of_pandas_extension_dtypes(dtype):
    values = pd.array([1, None, 0, 1, None, 1, 0] * 10, dtype)
    frame = FRAME[["a"]].assign(own=values)
    assert_same_columns(summarize_partitions(frame, (1, 2, 60, 7))[1], frame)


def test_dataframe_with_only_categorical_columns():
    frame = FRAME[["kind"]]
    assert_same_columns(summarize_partitions(frame, (20, 50))[1], frame)


def test_column_may_be_missing_entirely():
    frame = FRAME[["a", "never"]].assign(
        late=np.where(np.arange(N_ROWS) < 30, np.nan, 1)
    )
    assert_same_columns(summarize_partitions(frame, (30, 40))[1], frame)


def test_feature_names_are_set():
    columns, net = columns_of_summary(summarize_partitions(FRAME, (20, 50))[1])
    assert columns.names.tolist() == list(FRAME.columns)
    assert net.feature_names_in_.tolist() == list(FRAME.columns)
    assert net.n_features_in_ == 6


@pytest.mark.parametrize("y", [THREE, NAMES, NAMES.astype(object), TWO * 2.0])
def test_partitions_may_lack_classes(y):
    order = np.argsort(y, kind="stable")
    _, summary = summarize_partitions(X, (10, 20, 40), y=y[order])
    np.testing.assert_array_equal(summary.targets, np.unique(y))
    plain = BackpropClassifier((2,), max_iter=1).fit(X, y)
    assert summary.targets.dtype == plain.classes_.dtype


def test_summary_stores_minimum_and_maximum_target():
    _, summary = summarize_partitions(X, (10, 20, 40), y=SEVERAL, has_labels=False)
    np.testing.assert_array_equal(summary.targets, [SEVERAL.min(0), SEVERAL.max(0)])
    _, summary = summarize_partitions(X, (10, 20, 40), y=LABELS)
    np.testing.assert_array_equal(summary.targets, [[0, 0, 0], [1, 1, 1]])


def test_numbers_of_features_must_match():
    one = PartitionSummary.from_partition(X, THREE, None, "from_dtype", True)
    other = PartitionSummary.from_partition(X[:, :3], THREE, None, "from_dtype", True)
    with pytest.raises(ValueError, match="same number of features, got 5 and 3"):
        one + other


@pytest.mark.parametrize("sparse", [(csr_array(X), THREE), (X, csr_array(LABELS))])
def test_sparse_partitions_raise(sparse):
    with pytest.raises(
        ValueError, match="Sparse partitions of X or y are not supported"
    ):
        PartitionSummary.from_partition(*sparse, None, "from_dtype", True)


def test_dataframe_equals_single_process():
    parts = partitions(FRAME, THREE)
    net = fit_in_process(BackpropClassifier, parts)
    assert_same(fit_plain(BackpropClassifier, FRAME, THREE), net, rtol=1e-9)
    assert net.feature_names_in_.tolist() == list(FRAME.columns)
    local = net.to_local()
    assert local.predict(FRAME).shape == (N_ROWS,)


# ----------------------------------------------------------------------- scalers


def fit_scalers(X, y, weight=None, with_targets=True):
    return TrainingSamples(X, y, None, weight).fit_scalers(with_targets)


def assert_same_scaler(scaler, expected, rtol=1e-10):
    for name in ("mean_", "var_", "scale_"):
        mine, theirs = getattr(scaler, name), getattr(expected, name)
        np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=1e-14)
    assert np.all(scaler.n_samples_seen_ == expected.n_samples_seen_)


columns = st.sampled_from(["normal", "constant", "integers", "offset", "tiny", "zeros"])


def column(kind, n=N_ROWS):
    values = np.random.default_rng(3).normal(size=n)
    return {
        "normal": values,
        "constant": np.full(n, 0.1),
        "integers": values.round(),
        "offset": 1e9 + values,
        "tiny": 1e-12 * values,
        "zeros": np.zeros(n),
    }[kind]


@examples(40)
@given(
    st.lists(columns, min_size=1, max_size=4),
    cuts,
    st.booleans(),
    st.integers(0, 2**16),
)
def test_sum_of_scalers_equals_scaler_of_all_rows(kinds, sizes, weighted, seed):
    data = np.column_stack([column(kind) for kind in kinds])
    weight = None
    if weighted:
        random = np.random.default_rng(seed)
        weight = random.integers(0, 3, N_ROWS).astype(float)
        weight[bounds(sizes)[0]] = 0.0  # zero-weight rows are ignored
        weight[-1] = 1.0
    parts = [
        fit_scalers(
            data[rows], data[rows, :1], None if weight is None else weight[rows]
        )
        for rows in bounds(sizes)
        if rows.stop > rows.start
    ]
    total = reduce(operator.add, parts)
    there = slice(None) if weight is None else weight > 0
    picked = None if weight is None else weight[there]
    expected = StandardScaler().fit(data[there], sample_weight=picked)
    # With an offset of 1e9, the rounding error is 1e-7 standard deviations.
    assert_same_scaler(total.inputs, expected, 1e-6)
    expected = StandardScaler().fit(data[there, :1], sample_weight=picked)
    assert_same_scaler(total.targets, expected, 1e-6)


def test_constant_columns_are_not_scaled():
    data = np.column_stack([np.full(30, 0.1), np.full(30, 1e9 + 0.1)])
    parts = [fit_scalers(data[i : i + 10], data[i : i + 10]) for i in (0, 10, 20)]
    total = reduce(operator.add, parts)
    np.testing.assert_array_equal(total.inputs.scale_, 1.0)


@pytest.mark.parametrize("weight", [1e-6, 0.1, 1.0, 100.0])
@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e9 + 0.1, -7e-5])
def test_constant_columns_are_not_scaled_with_small_weights(value, weight):
    # The means differ by rounding errors that the sum of weights does not bound.
    rows = np.full((60, 1), value)
    weights = weight * np.random.default_rng(0).uniform(0.1, 1.0, 60)
    parts = [fit_scalers(rows[s], rows[s], weights[s]) for s in bounds([7] * 8 + [4])]
    total = reduce(operator.add, parts)
    assert total.inputs.scale_ == total.targets.scale_ == 1.0


def test_column_constant_within_each_partition():
    parts = [fit_scalers(np.full((10, 1), v), np.zeros((10, 1))) for v in (1.0, 3.0)]
    total = parts[0] + parts[1]
    assert total.inputs.mean_ == 2.0
    assert total.inputs.scale_ == 1.0
    assert total.inputs.var_ == 1.0


def test_zero_weight_parts_have_no_scaler():
    nothing = fit_scalers(X[:9], SEVERAL[:9], np.zeros(9))
    assert nothing.inputs is None
    assert nothing.targets is None
    some = fit_scalers(X, SEVERAL)
    for total in (some + nothing, nothing + some):
        assert_same_scaler(total.inputs, some.inputs)
        assert_same_scaler(total.targets, some.targets)
    both = nothing + nothing
    assert both.inputs is None


def test_sum_of_scalers_of_sparse_samples():
    data = np.where(X > 0.0, X, 0.0)
    parts = [
        fit_scalers(csr_array(data[rows]), SEVERAL[rows], WEIGHT[rows])
        for rows in bounds((20, 50))
    ]
    total = parts[0] + parts[1]
    there = WEIGHT > 0
    expected = StandardScaler(with_mean=False)
    expected.fit(data[there], sample_weight=WEIGHT[there])
    assert_same_scaler(total.inputs, expected)


def test_addition_does_not_change_operands():
    one, other = fit_scalers(X[:30], SEVERAL[:30]), fit_scalers(X[30:], SEVERAL[30:])
    before = copy.deepcopy((one, other))
    one + other
    for mine, theirs in zip((one, other), before):
        assert_same_scaler(mine.inputs, theirs.inputs, 0.0)


def test_overflow_in_merged_scalers_raises():
    parts = [fit_scalers(np.full((9, 1), v), np.zeros((9, 1))) for v in (-1e200, 1e200)]
    with pytest.raises(ValueError, match="too large to be standardized"):
        parts[0] + parts[1]


# --------------------------------------------------------------- named statistics

GROUPS = pytest.mark.parametrize("groups", GROUPINGS)
WEIGHTS = pytest.mark.parametrize("weight", [None, WEIGHT], ids=["equal", "weighted"])
CLASS_TARGETS = pytest.mark.parametrize(
    ("y", "class_weights"),
    [
        (TWO, [[2.0, 0.5]]),
        (THREE, [[0.0, 1.0, 3.0]]),
        (NAMES, [[2.0, 1.0, 0.25]]),
        (LABELS, [[1.0, 3.0], [0.5, 2.0], [1.0, 0.0]]),
    ],
    ids=["binary", "multiclass", "strings", "multilabel"],
)
NUMERIC_TARGETS = pytest.mark.parametrize(
    "y", [NUMBERS, SEVERAL], ids=["one target", "several targets"]
)


def read_on_shards(make, y, weight, groups, **params):
    """Read the same data on several shards and in one process.

    Returns
    -------
    distributed : DistributedSamples
        Samples on several shards.
    expected : TrainingSamples
        Samples in one process.
    """
    shards = InProcessShards(partitions(X, y, weight), groups)
    net = make(**params)
    has_labels = make is BackpropClassifier
    summary = shards.reduce("summarize", net.categorical_features, has_labels)
    reader, targets = read_summary(net, FitKind.FRESH, summary)
    shards.broadcast("read", reader)
    _, expected = read_training_data(make(**params), FitKind.FRESH, X, y, weight)
    return DistributedSamples(shards, targets), expected


def rows_of_shards(distributed):
    """Return the row indices of each shard in the whole dataset."""
    rows = [np.arange(N_ROWS)[part] for part in bounds(SIZES)]
    groups = distributed.shards.groups
    return [np.concatenate([rows[i] for i in group]) for group in groups]


def assert_same_samples(distributed, expected):
    """Assert that the shards contain all rows, also after a shard is restored."""
    shards = distributed.shards
    shards.shards[0] = shards._create_shard(shards.groups[0])
    for shard, rows in zip(shards.shards, rows_of_shards(distributed), strict=True):
        samples = shard.samples
        np.testing.assert_array_equal(samples.X, expected.X[rows])
        if expected.codes is None:
            targets = expected.targets[rows]
            np.testing.assert_allclose(samples.targets, targets, rtol=1e-12, atol=1e-14)
        else:
            np.testing.assert_array_equal(samples.codes, expected.codes[rows])
            np.testing.assert_array_equal(samples.targets, expected.targets)
        assert samples.targets.dtype == expected.targets.dtype
        if expected.weight is None:
            assert samples.weight is None
        else:
            np.testing.assert_array_equal(samples.weight, expected.weight[rows])
            assert samples.weight.dtype == expected.weight.dtype


@GROUPS
@WEIGHTS
@CLASS_TARGETS
def test_shards_read_same_class_targets(y, class_weights, weight, groups):
    distributed, expected = read_on_shards(BackpropClassifier, y, weight, groups)
    assert_same_samples(distributed, expected)
    assert len(distributed) == len(expected) == N_ROWS
    assert distributed.n_inputs == expected.n_inputs == 5


@GROUPS
@WEIGHTS
@NUMERIC_TARGETS
def test_shards_read_same_numeric_targets(y, weight, groups):
    distributed, expected = read_on_shards(BackpropRegressor, y, weight, groups)
    assert_same_samples(distributed, expected)
    # The client stores only the range of each target.
    for extreme in (np.min, np.max):
        mine, theirs = (extreme(s.targets, axis=0) for s in (distributed, expected))
        np.testing.assert_array_equal(mine, theirs)


@GROUPS
@WEIGHTS
def test_sum_of_weights_equals_single_process(weight, groups):
    distributed, expected = read_on_shards(BackpropRegressor, NUMBERS, weight, groups)
    total = N_ROWS if weight is None else weight.sum()
    assert distributed.shards.reduce("weight_sum") == pytest.approx(total, rel=1e-12)
    assert distributed.mean_weight == pytest.approx(expected.mean_weight, rel=1e-12)


@GROUPS
@WEIGHTS
@CLASS_TARGETS
def test_class_counts_equal_single_process(y, class_weights, weight, groups):
    distributed, expected = read_on_shards(BackpropClassifier, y, weight, groups)
    n_classes = np.shape(class_weights)[1]
    counts = distributed.class_counts(n_classes)
    # Sums of integer weights have no rounding errors.
    np.testing.assert_array_equal(counts, expected.class_counts(n_classes))
    ones = np.ones(N_ROWS) if weight is None else weight
    columns = LABELS.T if y is LABELS else [np.unique(y, return_inverse=True)[1]]
    for found, column in zip(counts, columns, strict=True):
        np.testing.assert_array_equal(found, np.bincount(column, ones, n_classes))


@GROUPS
@WEIGHTS
@CLASS_TARGETS
def test_class_weights_equal_single_process(y, class_weights, weight, groups):
    distributed, expected = read_on_shards(BackpropClassifier, y, weight, groups)
    class_weights = np.array(class_weights)
    distributed = distributed.with_class_weights(class_weights)
    expected = expected.with_class_weights(class_weights)
    assert_same_samples(distributed, expected)
    assert distributed.mean_weight == pytest.approx(expected.mean_weight, rel=1e-12)


@GROUPS
@WEIGHTS
@NUMERIC_TARGETS
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_scalers_equal_single_process(y, weight, groups, dtype):
    distributed, expected = read_on_shards(
        BackpropRegressor, y, weight, groups, dtype=dtype
    )
    scalers, expected_scalers = (s.fit_scalers(True) for s in (distributed, expected))
    assert_same_scaler(scalers.inputs, expected_scalers.inputs)
    assert_same_scaler(scalers.targets, expected_scalers.targets)
    assert distributed.fit_scalers(False).targets is None
    # Both use the same scalers, because float32 rounding amplifies small differences.
    assert_same_samples(
        distributed.with_scaled_targets(expected_scalers, np.dtype(dtype)),
        expected.with_scaled_targets(expected_scalers, np.dtype(dtype)),
    )


@GROUPS
def test_shard_with_zero_weights_does_not_change_statistics(groups):
    weight = WEIGHT.copy()
    weight[20:33] = 0.0  # all rows of partition 1
    alone = [[1], *([i for i in group if i != 1] for group in groups)]
    alone = [group for group in alone if group]
    distributed, expected = read_on_shards(BackpropClassifier, THREE, weight, alone)
    np.testing.assert_array_equal(distributed.class_counts(3), expected.class_counts(3))
    scalers = distributed.fit_scalers(False)
    assert_same_scaler(scalers.inputs, expected.fit_scalers(False).inputs)
    assert distributed.mean_weight == pytest.approx(weight.mean(), rel=1e-12)


# ------------------------------------------------------------------------ shards


def test_concatenate_samples():
    codes = np.arange(6) % 2
    eye = np.eye(2)
    parts = [
        TrainingSamples(X[:2], eye, codes[:2], WEIGHT[:2]),
        TrainingSamples(X[2:6], eye, codes[2:6], WEIGHT[2:6]),
    ]
    whole = concatenate_samples(parts)
    assert isinstance(whole, TrainingSamples)
    np.testing.assert_array_equal(whole.X, X[:6])
    np.testing.assert_array_equal(whole.codes, codes)
    np.testing.assert_array_equal(whole.targets, eye)
    np.testing.assert_array_equal(whole.weight, WEIGHT[:6])
    numbers = concatenate_samples(
        [TrainingSamples(X[:2], SEVERAL[:2]), TrainingSamples(X[2:6], SEVERAL[2:6])]
    )
    np.testing.assert_array_equal(numbers.targets, SEVERAL[:6])
    assert numbers.codes is None
    assert numbers.weight is None


def test_shard_returns_failure():
    shard = Shard([0], (X, THREE, None))
    summary = shard.call("summarize", "from_dtype", True)
    assert isinstance(summary, PartitionSummary)
    failure = shard.call("class_counts", 3)  # not read
    assert isinstance(failure, Failure)
    with pytest.raises(AttributeError):
        result_or_raise(failure)
    assert not isinstance(failure.error, WorkerLostError)


def test_overflow_on_worker_does_not_warn():
    class OverflowWorker:
        def __init__(self, shard):
            self.samples = shard.samples

        def __call__(self):
            return self.samples.X * 10.0

    shard = Shard([0])
    shard.samples = TrainingSamples(np.full((1, 1), 1e308), np.zeros((1, 1)))
    shard.call("create_training_worker", OverflowWorker)
    np.testing.assert_array_equal(shard.call("run_training_worker"), np.inf)


def test_divergence_raises_same_error_as_single_process():
    params = dict(solver="sgd", learning_rate_init=1e200, standardize=False)
    with pytest.raises(ValueError, match="Training diverged in epoch 1"):
        fit_in_process(BackpropRegressor, partitions(X, NUMBERS), **params)
    with pytest.raises(ValueError, match="Training diverged in epoch 1"):
        fit_in_process(
            BackpropRegressor, partitions(X, NUMBERS), sync="epoch", **params
        )


def test_client_does_not_wait_for_lost_worker():
    # A message to a lost worker may never return a result.
    shards, handle = (
        Shards(None, [], keep_placement=False),
        SimpleNamespace(is_alive=True),
    )
    waits = []

    def get_result(timeout):
        waits.append(timeout)
        if len(waits) < 3:
            raise TimeoutError
        return "result"

    assert shards._wait_for_result(handle, get_result) == "result"  # a busy worker
    assert len(waits) == 3
    handle.is_alive = False
    waits.clear()
    with pytest.raises(WorkerLostError):
        shards._wait_for_result(handle, get_result)
    assert len(waits) == 1


def test_cluster_error_is_worker_loss_if_detected(monkeypatch):
    monkeypatch.setattr("skbackprop.dask.shards.LOSS_TIMEOUT", 0.05)
    shards = Shards(None, [], keep_placement=False)

    def fail(timeout):
        raise OSError("broken pipe")

    with pytest.raises(WorkerLostError):
        shards._wait_for_result(SimpleNamespace(is_alive=False), fail)
    with pytest.raises(OSError, match="broken pipe"):
        shards._wait_for_result(SimpleNamespace(is_alive=True), fail)


# ------------------------------------------------------- warm start and batch size


def pickled_types(value):
    """Return the types of all objects that the pickle of a value contains."""
    types = set()

    class Pickler(pickle.Pickler):
        def reducer_override(self, obj):
            types.add(type(obj))
            return NotImplemented

    Pickler(io.BytesIO()).dump(value)
    return types


@pytest.mark.parametrize("sync", ["step", "epoch"])
def test_warm_start_continues_from_previous_fit(sync):
    parts = partitions(X, NUMBERS)
    groups = [[0, 1, 3, 4, 5]]
    net = fit_in_process(BackpropRegressor, parts, groups, warm_start=True, sync=sync)
    before = net.to_local()
    shards = InProcessShards(parts, groups)
    with replace_shards(shards):
        net.fit(None, None)
    method, reader = shards.broadcasts[0]
    assert method == "read"
    assert isinstance(reader, Reader)
    # The network is large, and workers do not need it to read their partitions.
    modules = {cls.__module__ for cls in pickled_types(reader)}
    assert "skbackprop._data.reader" in modules
    assert not any(name.startswith("skbackprop.core") for name in modules)
    assert not any(name.startswith("skbackprop._estimators") for name in modules)
    assert len(net.history_) == 6
    assert net.n_iter_ == 3
    assert net.loss_curve_[3] < net.loss_curve_[0]
    assert net.to_local()._state.n_updates == 2 * before._state.n_updates
    # The second fit does not change estimators that `to_local` returned before.
    assert len(before.history_) == 3
    if sync == "epoch":
        return
    # A plain estimator that continues its training gives the same result.
    plain = before.set_params(warm_start=True)
    assert_same(fit_by_steps(plain, FitKind.WARM, X, NUMBERS, None, SIZES), net)


def test_auto_batch_size():
    many = np.tile(X, (60, 1))[:4150]
    y = np.resize(TWO, 4150)
    parts = [(many[:4000], y[:4000], None), (many[4000:], y[4000:], None)]
    params = dict(batch_size="auto", max_iter=1)
    net = fit_in_process(BackpropClassifier, parts, [[0], [1]], **params)
    assert net.to_local()._state.n_updates == 2
    net = fit_in_process(BackpropClassifier, parts, [[0], [1]], sync="epoch", **params)
    assert net.to_local()._state.n_updates == 20  # of the worker with the most rows
