"""Learning together: what workers answer, without workers.

Shards lie in this process here; that they do on workers what they do here is the matter
of `test_dask`.
"""

import copy
import operator
import pickle
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
from skbackprop._data.columns import ColumnEncoder
from skbackprop._data.scaling import FittedScalers
from skbackprop.core.epochs import make_epoch
from skbackprop.core.layout import norms
from skbackprop.core.samples import Samples
from skbackprop.core.training import Training, mini_batches
from skbackprop.dask import DaskBackpropClassifier, DaskBackpropRegressor
from skbackprop.dask.estimators import DaskBackprop
from skbackprop.dask.partition_summary import PartitionSummary
from skbackprop.dask.shards import (
    Failure,
    Shard,
    Shards,
    WorkerLostError,
    _joined,
    _unwrapped,
)
from skbackprop.dask.strategies import BatchAssignment, EpochWorker, StepWorker

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning"  # few epochs are enough
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

#: Rows of each partition, of which one has none and one has one.
SIZES = (20, 13, 0, 1, 25, 11)
#: Which worker holds which of them.
GROUPINGS = ([[0, 1, 3, 4, 5]], [[0, 3], [1, 4, 5]], [[4], [1, 0], [5, 3]])
SMALL = {
    "hidden_layer_sizes": (6,),
    "batch_size": 16,
    "max_iter": 3,
    "random_state": 1,
    "learning_rate_init": 0.01,
}


class Here:
    """Stands in for `Shards`: the shards lie here, and may be lost all the same.

    What they are told goes through a file, as it does on its way to workers.
    """

    def __init__(self, parts, groups, lost_at=()):
        self.sizes = {i: len(part[0]) for i, part in enumerate(parts) if len(part[0])}
        assert sorted(number for group in groups for number in group) == [*self.sizes]
        self.parts, self.groups, self.told = parts, groups, []
        self.lost_at, self.n_asked = lost_at, 0
        self.shards = [self._made(group) for group in groups]

    def _made(self, group):
        shard = Shard(group, *(self.parts[number] for number in group))
        for message in self.told:
            self._sent(shard, message)
        return shard

    @staticmethod
    def _sent(shard, message):
        sent = pickle.loads(cloudpickle.dumps(message))
        return _unwrapped(shard.answer(*sent))

    @property
    def n_rows(self):
        return [sum(self.sizes[number] for number in group) for group in self.groups]

    def tell(self, *message):
        for shard in self.shards:
            self._sent(shard, message)
        self.told.append(message)

    def ask(self, *message):
        return [self._sent(shard, message) for shard in self.shards]

    def close(self):
        self.shards = []

    def total(self, *message):
        return reduce(operator.add, self.ask(*message))

    def ask_learners(self, *args):
        self.n_asked += 1
        if self.n_asked in self.lost_at:  # the others have been asked before
            for shard in self.shards[1:]:
                shard.answer("learn", *args)
            self.shards[0] = self._made(self.groups[0])
        return [_unwrapped(shard.answer("learn", *args)) for shard in self.shards]


def bounds(sizes):
    ends = np.cumsum(sizes)
    return [slice(end - size, end) for size, end in zip(sizes, ends)]


def partitions(X, y, weight=None, sizes=SIZES):
    cut = [[None if a is None else a[rows] for a in (X, y, weight)]
           for rows in bounds(sizes)]  # fmt: skip
    return [tuple(part) for part in cut]


def fitted(make, parts, groups=GROUPINGS[1], lost_at=(), validation=(), **params):
    """Fit a dask estimator to shards that lie here."""
    shards = Here(parts, groups, lost_at)
    with (
        patch("skbackprop.dask.Shards", lambda client, parts, stay: shards),
        patch("skbackprop.dask._partitions", lambda X, y, weight: None),
        patch.object(DaskBackprop, "_get_client", lambda self: None),
    ):
        net = DASK[make](**{**SMALL, **params})
        return net.fit(None, None, None, *validation)


class Dealt:
    """One pass over all samples, which lie here, in the batches of `Steps`."""

    def __init__(self, training, sizes, n_steps, shuffle, seed):
        self.training, self.state = training, training.state
        self.sizes = {i: size for i, size in enumerate(sizes) if size}
        self.n_steps, self.shuffle, self.seed = n_steps, shuffle, seed
        n_rows = len(training.samples)
        self.work = training.objective.workspace(training.samples, n_rows)
        self.inner = make_epoch(training)

    def batches(self, epoch):
        """BatchAssignment the rows out as `Deal` says, in other words than there."""
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


def plainly(make, X, y, weight=None, sizes=SIZES, validation=None, **params):
    """Fit a plain estimator on the mini-batches of sync="step"."""
    net = make(**{**SMALL, **params})
    net._validate_params()
    training = net._prepare(X, y, weight, validation or (None, None, None))
    n_steps = -(-len(training.samples) // training.config.batch_size)
    seed = training.state.rng.randint(np.iinfo(np.int32).max)
    epoch = Dealt(training, sizes, n_steps, net.shuffle, seed)
    net._run(training, net.max_iter, method=partial(mini_batches, epoch=epoch))
    return net


def records(net):
    """Return all that is recorded of the epochs but how long they took."""
    local = net.to_local() if hasattr(net, "to_local") else net
    return np.array(
        [
            (*record._replace(seconds=0.0)[:-1], *record.gradient_norms)
            for record in local._state.history
        ]
    )


def assert_same(one, other, rtol=1e-10):
    """Both networks and the way to them are the same, up to rounding."""
    for name in ("coefs_", "intercepts_"):
        for mine, theirs in zip(getattr(one, name), getattr(other, name), strict=True):
            assert mine.dtype == theirs.dtype
            np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(records(one), records(other), rtol=rtol, atol=rtol)
    assert one.n_iter_ == other.n_iter_
    assert one.t_ == other.t_


# ------------------------------------------------------------------------- the deal

partition_sizes = st.lists(st.integers(1, 60), min_size=1, max_size=12)


def deal(n_steps, shuffle=True, seed=7):
    return BatchAssignment(n_steps, shuffle, seed)


@given(partition_sizes, st.integers(1, 40), st.booleans(), st.integers(0, 3))
def test_an_epoch_takes_every_row_of_every_partition_once(
    sizes, n_steps, shuffle, epoch
):
    steps = deal(n_steps, shuffle).rows_by_step(dict(enumerate(sizes)), epoch)
    assert len(steps) == n_steps
    np.testing.assert_array_equal(np.sort(np.concatenate(steps)), np.arange(sum(sizes)))


@given(st.integers(0, 2000), st.integers(1, 10**6), st.integers(1, 3000))
def test_every_step_takes_its_share_of_a_partition(number, size, n_steps):
    counts = deal(n_steps).counts(number, size)
    assert counts.shape == (n_steps,)
    assert counts.sum() == size
    assert counts.min() >= size // n_steps
    assert counts.max() <= -(-size // n_steps)


@given(partition_sizes, st.integers(1, 40), st.integers(0, 1000))
def test_steps_are_about_equally_large(sizes, n_steps, first):
    counts = sum(deal(n_steps).counts(first + i, n) for i, n in enumerate(sizes))
    # Each partition is less than one row off; together they mostly cancel.
    assert np.abs(counts - sum(sizes) / n_steps).max() <= 1.0 + len(sizes) / 2


def test_many_small_partitions_make_steps_of_the_same_size():
    counts = sum(deal(40).counts(number, 7) for number in range(1000))
    assert np.ptp(counts) <= 6  # 175 on average; all in the same steps without a shift
    assert counts.sum() == 7000


def test_whole_shares_make_steps_of_one_size():
    for number in range(50):
        np.testing.assert_array_equal(deal(6).counts(number, 24), 4)


@given(partition_sizes, st.integers(1, 20), st.booleans(), st.randoms())
def test_which_rows_a_step_takes_does_not_depend_on_who_holds_them(
    sizes, n_steps, shuffle, random
):
    """Rows are named by partition and place there."""

    def names(held, epoch=2):
        places = np.concatenate([np.arange(sizes[number]) for number in held])
        owners = np.concatenate([[number] * sizes[number] for number in held])
        steps = deal(n_steps, shuffle).rows_by_step({i: sizes[i] for i in held}, epoch)
        return [set(zip(owners[rows], places[rows])) for rows in steps]

    numbers = list(range(len(sizes)))
    together = names(numbers)
    random.shuffle(numbers)
    cut = random.randint(0, len(numbers))
    apart = [names(held) for held in (numbers[:cut], numbers[cut:]) if held]
    assert [set().union(*parts) for parts in zip(*apart)] == together


def test_every_epoch_takes_rows_in_a_new_order_if_they_are_shuffled():
    sizes = {0: 30, 3: 20}

    def order(shuffle, epoch, seed=7):
        return np.concatenate(
            deal(5, shuffle, seed).rows_by_step(sizes, epoch)
        ).tolist()

    assert order(True, 0) != order(True, 1)
    assert order(True, 0) != order(True, 0, seed=8)
    assert order(True, 1) == order(True, 1)
    assert order(False, 0) == order(False, 1)
    # Partitions of the same size are not shuffled alike.
    both = deal(1).rows_by_step({0: 20, 1: 20}, 0)[0]
    assert (both[:20] != both[20:] - 20).any()


def test_rows_stay_in_their_order_if_they_are_not_shuffled():
    steps = deal(5, shuffle=False).rows_by_step({0: 30, 1: 20}, 0)
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


def named(cases):
    """Show settings, and not arrays, as the names of cases."""

    def words(case):
        return "-".join(
            name if isinstance(value, np.ndarray) else f"{name}={value}"
            for name, value in case.items()
        )

    return [pytest.param(case, id=words(case)) for case in cases]


def step_by_step(make, case, groups=GROUPINGS[1], **more):
    """Train both ways; return the networks, plain first."""
    case = {**case, **more}
    y, weight = case.pop("y"), case.pop("weight", None)
    expected = plainly(make, X, y, weight, **case)
    return expected, fitted(make, partitions(X, y, weight), groups, **case)


pytestmark_columns = pytest.mark.filterwarnings(
    "ignore:A column-vector y was passed"  # as it is by the plain estimator
)


@pytestmark_columns
@pytest.mark.parametrize("case", named(CLASSIFIERS))
def test_classifiers_are_those_that_one_process_would_have_trained(case):
    assert_same(*step_by_step(BackpropClassifier, case))


@pytestmark_columns
@pytest.mark.parametrize("case", named(REGRESSORS))
def test_regressors_are_those_that_one_process_would_have_trained(case):
    assert_same(*step_by_step(BackpropRegressor, case))


@pytest.mark.parametrize("case", named(SETTINGS))
def test_settings_mean_what_they_mean_to_one_process(case):
    assert_same(*step_by_step(BackpropClassifier, {"y": THREE, **case}))


@pytest.mark.parametrize("groups", GROUPINGS)
@pytest.mark.parametrize("shuffle", [True, False])
def test_who_holds_which_partition_does_not_matter_to_steps(groups, shuffle):
    case = dict(y=NUMBERS, weight=WEIGHT, shuffle=shuffle)
    assert_same(*step_by_step(BackpropRegressor, case, groups))


def test_a_cosine_schedule_and_early_ends_count_the_steps_of_all():
    case = dict(y=THREE, learning_rate="cosine", batch_size=9, max_iter=4)
    expected, net = step_by_step(BackpropClassifier, case)
    assert records(net)[-1, 3] < 0.2 * records(net)[0, 3]
    assert_same(expected, net)


@pytest.mark.parametrize("make", DASK)
def test_single_precision_is_kept(make):
    y = THREE if make is BackpropClassifier else NUMBERS
    single = X.astype(np.float32)
    net = fitted(make, partitions(single, y), max_iter=2)
    expected = plainly(make, single, y, max_iter=2)
    assert net.coefs_[0].dtype == np.float32
    assert_same(expected, net, rtol=1e-4)
    wide = fitted(make, partitions(X, y), dtype="float32", max_iter=2)
    assert wide.coefs_[0].dtype == np.float32
    assert_same(plainly(make, X, y, dtype="float32", max_iter=2), wide, rtol=1e-4)


def test_one_partition_of_double_precision_makes_all_of_it():
    parts = partitions(X.astype(np.float32), THREE)
    parts[4] = (parts[4][0].astype(float), *parts[4][1:])
    assert fitted(BackpropClassifier, parts).coefs_[0].dtype == np.float64


@pytest.mark.parametrize("make", DASK)
def test_steps_of_whole_shares_are_those_of_a_plain_fit_without_shuffle(make):
    """The plain estimator alone is what is compared with here."""
    y = THREE if make is BackpropClassifier else NUMBERS
    sizes, n_steps = (10, 20, 30, 10), 5
    parts = partitions(X, y, sizes=sizes)
    net = fitted(
        make, parts, [[2, 0], [1, 3]], shuffle=False, batch_size=N_ROWS // n_steps
    )
    shares = [np.split(np.arange(N_ROWS)[rows], n_steps) for rows in bounds(sizes)]
    order = np.concatenate([np.concatenate(share) for share in zip(*shares)])
    plain = make(**{**SMALL, "shuffle": False, "batch_size": N_ROWS // n_steps})
    assert_same(plain.fit(X[order], y[order]), net)


def test_a_partition_may_be_smaller_than_the_number_of_steps():
    sizes = (1, 2, 64, 1, 1, 1)
    case = dict(y=THREE, batch_size=3, max_iter=2)
    parts = partitions(X, THREE, sizes=sizes)
    net = fitted(
        BackpropClassifier, parts, [[0], [1, 3, 4, 5], [2]], **without(case, "y")
    )
    assert_same(plainly(BackpropClassifier, X, sizes=sizes, **case), net)


def without(case, *names):
    return {name: value for name, value in case.items() if name not in names}


def test_steps_that_no_row_falls_to_are_left_out():
    """Of 9 rows in partitions of one row each some fall to the same step."""
    sizes = (1,) * 9
    parts = partitions(X[:9], TWO[:9], sizes=sizes)
    groups = [[0, 1, 2, 3], [4, 5, 6, 7, 8]]
    net = fitted(BackpropClassifier, parts, groups, batch_size=1)
    counts = sum(deal(9).counts(number, 1) for number in range(9))
    assert 0 in counts
    expected = plainly(BackpropClassifier, X[:9], TWO[:9], sizes=sizes, batch_size=1)
    assert_same(expected, net)


@pytest.mark.parametrize("sync", ["step", "epoch"])
def test_all_weight_may_lie_in_one_partition(sync):
    weight = np.zeros(N_ROWS)
    weight[20:33] = WEIGHT[20:33] + 1.0
    X_far = np.where(weight[:, np.newaxis] > 0.0, X, 1e6)
    parts = partitions(X_far, THREE, weight)
    net = fitted(BackpropClassifier, parts, sync=sync, class_weight="balanced")
    assert np.isfinite(net.loss_)
    if sync == "step":
        expected = plainly(
            BackpropClassifier, X_far, THREE, weight, class_weight="balanced"
        )
        assert_same(expected, net, rtol=1e-9)


def test_workers_whose_rows_weigh_nothing_do_not_count_in_the_average():
    weight = np.zeros(N_ROWS)
    weight[:33] = WEIGHT[:33] + 1.0
    params = {"sync": "epoch", "standardize": False, "solver": "sgd", "alpha": 0.0}
    rate = 1e-4
    parts = partitions(X, NUMBERS, weight)
    groups = [[0, 1], [3, 4, 5]]
    net = fitted(
        BackpropRegressor, parts, groups=groups, learning_rate_init=rate, **params
    )
    alone = partitions(X[:33], NUMBERS[:33], weight[:33], sizes=(20, 13))
    # Weights are divided by their mean, to which rows without any belong.
    params["learning_rate_init"] = rate * N_ROWS / 33
    expected = fitted(BackpropRegressor, alone, groups=[[0, 1]], **params)
    for mine, theirs in zip(net.coefs_, expected.coefs_):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12)


@pytest.mark.parametrize("sync", ["step", "epoch"])
def test_early_stopping_puts_the_best_parameters_back(sync):
    val = X[:15], THREE[:15]
    net = fitted(
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


def test_early_stopping_is_that_of_one_process():
    val = (X[:15], THREE[:15], WEIGHT[:15])
    params = dict(early_stopping=True, max_iter=9, n_iter_no_change=2)
    net = fitted(BackpropClassifier, partitions(X, THREE), validation=val, **params)
    expected = plainly(BackpropClassifier, X, THREE, validation=val, **params)
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
def test_a_shard_that_is_lost_and_made_anew_changes_nothing(params):
    parts = partitions(X, THREE, WEIGHT)
    whole = fitted(BackpropClassifier, parts, class_weight="balanced", **params)
    hurt = fitted(
        BackpropClassifier,
        parts,
        lost_at=(2, 3, 7),
        class_weight="balanced",
        **params,
    )
    assert_same(whole, hurt, rtol=0.0)


@SYNCS
def test_to_ask_a_learner_changes_nothing(params):
    parts = partitions(X, THREE)
    once = fitted(BackpropClassifier, parts, **params)
    answer = Shard.answer

    def answer_twice(shard, method, *args):
        answer(shard, method, *args) if method == "learn" else None
        return answer(shard, method, *args)

    with patch.object(Shard, "answer", answer_twice):
        twice = fitted(BackpropClassifier, parts, **params)
    assert_same(once, twice, rtol=0.0)


@pytest.mark.parametrize("sync", ["step", "epoch"])
def test_dropout_differs_between_epochs_and_workers_and_from_none(sync):
    parts = partitions(np.tile(X[:35], (2, 1)), np.tile(TWO[:35], 2), sizes=(35, 35))

    def losses(**params):
        net = fitted(
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


def learner_of(kind, sync_args, dropout=(0.5,)):
    """Return a learner of a shard of one partition, and its training."""
    # A unit that is silent could be left out without a trace.
    params = {"dropout": dropout, "activation": "logistic"}
    net = BackpropClassifier(**{**SMALL, **params})
    training = net._prepare(X.copy(), TWO, None)
    shard = Shard([3])
    shard.sizes, shard.samples = [N_ROWS], training.samples
    return kind(shard, training.objective, training.config, *sync_args), training


def test_a_learner_draws_other_units_in_every_step():
    learner, training = learner_of(StepWorker, [BatchAssignment(5, False, 0)])
    learner.samples.X[...] = X[0]  # all rows are the same, but for what is left out
    learner.samples.codes[...] = 1
    params = training.state.network.params.copy()
    losses = {learner(params, 0, step, 70)[0] for step in (0, 0, 1, 2)}
    losses |= {learner(params, 1, step, 70)[0] for step in (0, 1, 2)}
    assert len(losses) == 6


def test_a_learner_leaves_the_network_it_was_given_alone():
    learner, training = learner_of(
        StepWorker, [BatchAssignment(4, False, 0)], dropout=0.0
    )
    before = training.state.network.params.copy()
    learner(before + 1.0, 0, 0, 70)
    np.testing.assert_array_equal(training.state.network.params, before)
    learner, training = learner_of(EpochWorker, [0], dropout=0.0)
    slots = np.zeros((2, before.size))
    learner(before + 1.0, slots, 0, 0, [0.1])
    np.testing.assert_array_equal(training.state.network.params, before)
    assert not slots.any()


# ----------------------------------------------------------------- sync="epoch"


def averaged(make, X, y, weight, groups, sizes=SIZES, **params):
    """Fit a plain estimator to one group each epoch, and average, by hand."""
    net = make(**{**SMALL, **params})
    net._validate_params()
    training = net._prepare(X, y, weight)
    state, samples = training.state, training.samples
    seed = state.rng.randint(np.iinfo(np.int32).max)
    places = bounds(sizes)
    rows = [
        np.concatenate([np.arange(len(X))[places[number]] for number in group])
        for group in groups
    ]
    n_rows = [len(held) for held in rows]
    batch_size = training.config.batch_size
    n_steps = -(-max(n_rows) // batch_size)

    class ByHand:
        def run(self, rates):
            assert len(rates) == n_steps
            losses, params, slots, norms = [], [], [], []
            for held, group in zip(rows, groups):
                own = state.copy()
                own.rng = np.random.RandomState([state.n_epochs, seed, *group])
                own.order = None
                objective = copy.copy(training.objective)
                objective.network = own.network
                # Bound to the network of all.
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
                vars(config)["batch_size"] = min(batch_size, len(held))
                one = make_epoch(
                    Training(own, objective, samples.subset(held).materialize(), config)
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

    epoch = ByHand()
    epoch.n_steps = n_steps
    net._run(training, net.max_iter, method=partial(mini_batches, epoch=epoch))
    return net


@pytest.mark.parametrize("make", DASK)
@pytest.mark.parametrize("params", [{}, {"solver": "sgd"}, {"batch_size": "auto"}])
def test_epochs_of_one_worker_are_those_of_a_plain_fit(make, params):
    y = THREE if make is BackpropClassifier else NUMBERS
    params = {**params, "sync": "epoch", "shuffle": False}
    plain = make(**{**SMALL, **without(params, "sync")}).fit(X, y)
    whole = fitted(make, [(X, y, None)], [[0]], **params)
    assert_same(plain, whole, rtol=0.0)
    parts = fitted(make, partitions(X, y), GROUPINGS[0], **params)
    assert_same(plain, parts)  # means of parts are rounded otherwise


@pytest.mark.parametrize("groups", GROUPINGS[1:])
@pytest.mark.parametrize(
    "case",
    named(
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
def test_epochs_of_several_workers_are_averaged_by_rows(case, groups):
    y, weight = case["y"], case.get("weight")
    params = without(case, "y", "weight")
    expected = averaged(BackpropClassifier, X, y, weight, groups, **params)
    parts = partitions(X, y, weight)
    assert_same(
        expected, fitted(BackpropClassifier, parts, groups, sync="epoch", **params)
    )


def test_what_the_optimiser_remembers_is_averaged_too():
    groups = GROUPINGS[1]
    expected = averaged(BackpropRegressor, X, NUMBERS, None, groups)
    net = fitted(BackpropRegressor, partitions(X, NUMBERS), groups, sync="epoch")
    mine, theirs = net.to_local()._state, expected._state
    np.testing.assert_allclose(mine.slots, theirs.slots, rtol=1e-9, atol=1e-14)
    assert mine.slots.any()
    assert mine.n_updates == theirs.n_updates
    assert mine.n_steps == theirs.n_steps


def test_an_epoch_without_memory_is_the_average_of_two_partial_fits():
    """Only what users can call is compared with."""
    params = dict(solver="sgd", momentum=0.0, standardize=False, shuffle=False)
    params["init"] = "glorot_uniform"  # whatever share of a half each class has
    halves = [(X[:30], THREE[:30]), (X[30:], THREE[30:])]
    nets = [
        BackpropClassifier(**{**SMALL, **params}).partial_fit(
            *half, classes=np.arange(3)
        )
        for half in halves
    ]
    parts = [(*half, None) for half in halves]
    net = fitted(
        BackpropClassifier, parts, [[0], [1]], sync="epoch", max_iter=1, **params
    )
    for mine, one, other in zip(net.coefs_, nets[0].coefs_, nets[1].coefs_):
        np.testing.assert_allclose(mine, (3 * one + 4 * other) / 7, rtol=1e-12)
    losses = [net.loss_ for net in nets]
    assert net.loss_ == pytest.approx(np.average(losses, weights=[3, 4]), rel=1e-12)


def test_epochs_depend_on_who_holds_what_and_nothing_else():
    parts = partitions(X, THREE)

    def coefs(groups, **params):
        return fitted(BackpropClassifier, parts, groups, sync="epoch", **params).coefs_

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
def test_lbfgs_is_that_of_a_plain_fit(make, case, groups):
    y, weight = case["y"], case.get("weight")
    params = {
        **without(case, "y", "weight"),
        "solver": "lbfgs",
        "max_iter": 8,
        "batch_size": "auto",
    }
    plain = make(**{**SMALL, **params}).fit(X, y, weight)
    net = fitted(make, partitions(X, y, weight), groups, **params)
    # Line searches magnify what was rounded otherwise.
    assert_same(plain, net, rtol=1e-7)


# ---------------------------------------------------------------------- outlines

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


def outline_of(frame, sizes, choice="from_dtype", y=THREE, has_labels=True):
    """Sum the outlines of partitions; return those of each as well."""
    take = frame.iloc if isinstance(frame, pd.DataFrame) else frame
    parts = [
        PartitionSummary.of(take[rows], y[rows], None, choice, has_labels)
        for rows in bounds(sizes)
        if rows.stop > rows.start
    ]
    return parts, reduce(operator.add, parts)


def assert_same_encoder(outline, frame, choice="from_dtype"):
    """What is encoded of a frame is what an encoder of all of it would have."""
    net = BackpropClassifier(categorical_features=choice)
    outline.settle(net)
    expected = ColumnEncoder(net.is_categorical_)
    encoded = expected.fit_transform(frame)
    np.testing.assert_allclose(net._encoder.transform(frame), encoded, rtol=1e-12)
    assert outline.dtype == encoded.dtype
    assert net._encoder.transform(frame).dtype == encoded.dtype


cuts = st.lists(st.integers(1, 30), min_size=1, max_size=8).map(
    lambda sizes: [*sizes[: np.searchsorted(np.cumsum(sizes), N_ROWS)]]
).map(lambda sizes: [*sizes, N_ROWS - sum(sizes)])  # fmt: skip


@examples(25)
@given(cuts, st.randoms())
def test_partitions_add_up_to_the_encoder_of_all_rows_in_any_order(sizes, random):
    parts, outline = outline_of(FRAME, sizes)
    assert_same_encoder(outline, FRAME)
    np.testing.assert_array_equal(outline.targets, np.unique(THREE))
    random.shuffle(parts)
    assert_same_encoder(reduce(operator.add, parts), FRAME)


def test_categories_that_differ_between_partitions_are_united():
    """As where dask does not know them: each partition lists those that it has."""
    rows = bounds((20, 30, 20))
    parts = [
        FRAME.iloc[r].assign(kind=lambda f: f["kind"].astype(object)) for r in rows
    ]
    parts = [part.astype({"kind": "category"}) for part in parts]
    parts[0]["kind"] = pd.Categorical([None] * 20)
    parts[1]["kind"] = pd.Categorical(["low"] * 29 + ["zero"])
    outlines = [PartitionSummary.of(p, THREE[r], None, "from_dtype", True)
                for p, r in zip(parts, rows)]  # fmt: skip
    whole = pd.concat(parts).astype({"kind": "category"})
    assert_same_encoder(reduce(operator.add, outlines), whole)
    assert_same_encoder(reduce(operator.add, outlines[::-1]), whole)


def test_the_order_of_categories_is_kept_where_partitions_agree():
    ordered = pd.CategoricalDtype(["mid", "low", "high", "unmet"])
    frame = FRAME.astype({"kind": ordered})
    _, outline = outline_of(frame, (30, 40))
    assert_same_encoder(outline, frame)
    assert outline.levels[0].tolist() == ["mid", "low", "high", "unmet"]
    # A partition of nothing but missing ones has no say, where dask knows of none.
    nothing = frame[:9].assign(kind=pd.Categorical([None] * 9))
    none = PartitionSummary.of(nothing, THREE[:9], None, "from_dtype", True)
    for both in (outline + none, none + outline):
        assert both.levels[0].tolist() == ["mid", "low", "high", "unmet"]


def test_a_column_of_categories_is_one_in_every_partition():
    others = FRAME.assign(kind=np.arange(N_ROWS) % 3)
    one = PartitionSummary.of(FRAME[:30], THREE[:30], None, "from_dtype", True)
    with pytest.raises(ValueError, match="differ in which columns are categories"):
        one + PartitionSummary.of(others[30:], THREE[30:], None, "from_dtype", True)


def test_categories_of_a_column_are_of_one_kind():
    one = PartitionSummary.of(FRAME[:30], THREE[:30], None, ["kind"], True)
    others = FRAME.assign(kind=pd.Categorical(np.arange(N_ROWS) % 3))
    other = PartitionSummary.of(others[30:], THREE[30:], None, ["kind"], True)
    with pytest.raises(ValueError, match=r"categories of different kinds .* words and"):
        one + other


@pytest.mark.parametrize("choice", [["kind"], [1, 5], ["kind", "flag", "count"]])
def test_chosen_columns_are_categories(choice):
    frame = FRAME.assign(kind=NAMES.astype(object))
    frame.loc[::9, "kind"] = None
    _, outline = outline_of(frame, (1, 9, 30, 30), choice)
    assert_same_encoder(outline, frame, choice)


@pytest.mark.parametrize("dtype", [object, float])
def test_arrays_may_have_categories_too(dtype):
    table = np.column_stack([X[:, 0], COUNTS, X[:, 1]]).astype(dtype)
    if dtype is object:
        table[:, 1] = NAMES
        table[::7, 1] = None
        table[::5, 0] = np.nan
    _, outline = outline_of(table, (20, 15, 35), [1])
    assert_same_encoder(outline, table, [1])


def test_arrays_without_categories_are_not_encoded():
    net = BackpropClassifier()
    outline_of(X, (20, 50))[1].settle(net)
    assert net._encoder is None
    assert net.n_features_in_ == 5
    assert not hasattr(net, "feature_names_in_")


@pytest.mark.parametrize("dtype", ["float32", "Float32"])
def test_frames_of_single_precision_stay_single(dtype):
    frame = FRAME[["a", "b"]].astype(dtype)
    _, outline = outline_of(frame, (20, 50))
    assert outline.dtype == np.float32
    net = BackpropClassifier()
    outline.settle(net)
    expected = ColumnEncoder(None).fit_transform(frame)
    np.testing.assert_allclose(net._encoder.transform(frame), expected, rtol=1e-6)
    mixed = frame.assign(kind=FRAME["kind"])
    assert outline_of(mixed, (20, 50))[1].dtype == np.float32
    assert outline_of(mixed.astype({"a": float}), (20, 50))[1].dtype == np.float64


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "boolean"])
def test_numbers_of_pandas_own_dtypes_may_be_missing(dtype):
    values = pd.array([1, None, 0, 1, None, 1, 0] * 10, dtype)
    frame = FRAME[["a"]].assign(own=values)
    assert_same_encoder(outline_of(frame, (1, 2, 60, 7))[1], frame)


def test_frames_of_categories_alone_have_no_numbers():
    frame = FRAME[["kind"]]
    assert_same_encoder(outline_of(frame, (20, 50))[1], frame)


def test_a_column_may_be_missing_in_some_partitions_or_in_all():
    frame = FRAME[["a", "never"]].assign(
        late=np.where(np.arange(N_ROWS) < 30, np.nan, 1)
    )
    assert_same_encoder(outline_of(frame, (30, 40))[1], frame)


def test_names_of_columns_are_learned():
    net = BackpropClassifier()
    outline_of(FRAME, (20, 50))[1].settle(net)
    assert net.feature_names_in_.tolist() == list(FRAME.columns)
    assert net.n_features_in_ == 6


@pytest.mark.parametrize("y", [THREE, NAMES, NAMES.astype(object), TWO * 2.0])
def test_classes_may_be_missing_in_partitions(y):
    order = np.argsort(y, kind="stable")
    _, outline = outline_of(X, (10, 20, 40), y=y[order])
    np.testing.assert_array_equal(outline.targets, np.unique(y))
    plain = BackpropClassifier((2,), max_iter=1).fit(X, y)
    assert outline.targets.dtype == plain.classes_.dtype


def test_of_numbers_the_least_and_the_largest_are_kept():
    _, outline = outline_of(X, (10, 20, 40), y=SEVERAL, has_labels=False)
    np.testing.assert_array_equal(outline.targets, [SEVERAL.min(0), SEVERAL.max(0)])
    _, outline = outline_of(X, (10, 20, 40), y=LABELS)
    np.testing.assert_array_equal(outline.targets, [[0, 0, 0], [1, 1, 1]])


def test_partitions_of_different_widths_do_not_fit_together():
    one = PartitionSummary.of(X, THREE, None, "from_dtype", True)
    other = PartitionSummary.of(X[:, :3], THREE, None, "from_dtype", True)
    with pytest.raises(ValueError, match="different numbers of features: 5 and 3"):
        one + other


@pytest.mark.parametrize("sparse", [(csr_array(X), THREE), (X, csr_array(LABELS))])
def test_sparse_partitions_are_refused(sparse):
    with pytest.raises(ValueError, match="sparse X or y are not supported"):
        PartitionSummary.of(*sparse, None, "from_dtype", True)


def test_frames_are_learned_from_as_one_process_learns_from_them():
    parts = partitions(FRAME, THREE)
    net = fitted(BackpropClassifier, parts)
    assert_same(plainly(BackpropClassifier, FRAME, THREE), net, rtol=1e-9)
    assert net.feature_names_in_.tolist() == list(FRAME.columns)
    local = net.to_local()
    assert local.predict(FRAME).shape == (N_ROWS,)


# ------------------------------------------------------------------------ scales


def scales(X, y, weight=None, with_targets=True):
    return FittedScalers.of(Samples(X, y, None, weight), with_targets)


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
def test_scales_add_up_to_the_scaler_of_all_rows(kinds, sizes, weighted, seed):
    data = np.column_stack([column(kind) for kind in kinds])
    weight = None
    if weighted:
        random = np.random.default_rng(seed)
        weight = random.integers(0, 3, N_ROWS).astype(float)
        weight[bounds(sizes)[0]] = 0.0  # a part that is as if it were not there
        weight[-1] = 1.0
    parts = [
        scales(data[rows], data[rows, :1], None if weight is None else weight[rows])
        for rows in bounds(sizes)
        if rows.stop > rows.start
    ]
    total = reduce(operator.add, parts)
    there = slice(None) if weight is None else weight > 0
    picked = None if weight is None else weight[there]
    expected = StandardScaler().fit(data[there], sample_weight=picked)
    # With an offset of 1e9 each number is known to 1e-7 of their deviation.
    assert_same_scaler(total.inputs, expected, 1e-6)
    expected = StandardScaler().fit(data[there, :1], sample_weight=picked)
    assert_same_scaler(total.targets, expected, 1e-6)


def test_constant_columns_are_left_at_their_scale():
    data = np.column_stack([np.full(30, 0.1), np.full(30, 1e9 + 0.1)])
    parts = [scales(data[i : i + 10], data[i : i + 10]) for i in (0, 10, 20)]
    total = reduce(operator.add, parts)
    np.testing.assert_array_equal(total.inputs.scale_, 1.0)


@pytest.mark.parametrize("weight", [1e-6, 0.1, 1.0, 100.0])
@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e9 + 0.1, -7e-5])
def test_constant_columns_stay_so_however_little_their_rows_weigh(value, weight):
    """Means differ by rounding, and the sum of the weights bounds it no more."""
    rows = np.full((60, 1), value)
    weights = weight * np.random.default_rng(0).uniform(0.1, 1.0, 60)
    parts = [scales(rows[s], rows[s], weights[s]) for s in bounds([7] * 8 + [4])]
    total = reduce(operator.add, parts)
    assert total.inputs.scale_ == total.targets.scale_ == 1.0


def test_what_is_constant_in_parts_varies_between_them():
    parts = [scales(np.full((10, 1), v), np.zeros((10, 1))) for v in (1.0, 3.0)]
    total = parts[0] + parts[1]
    assert total.inputs.mean_ == 2.0
    assert total.inputs.scale_ == 1.0
    assert total.inputs.var_ == 1.0


def test_parts_of_no_weight_have_no_scales():
    nothing = scales(X[:9], SEVERAL[:9], np.zeros(9))
    assert nothing.inputs is None
    assert nothing.targets is None
    some = scales(X, SEVERAL)
    for total in (some + nothing, nothing + some):
        assert_same_scaler(total.inputs, some.inputs)
        assert_same_scaler(total.targets, some.targets)
    both = nothing + nothing
    assert both.inputs is None


def test_scales_of_sparse_samples_add_up():
    data = np.where(X > 0.0, X, 0.0)
    parts = [
        scales(csr_array(data[rows]), SEVERAL[rows], WEIGHT[rows])
        for rows in bounds((20, 50))
    ]
    total = parts[0] + parts[1]
    there = WEIGHT > 0
    expected = StandardScaler(with_mean=False)
    expected.fit(data[there], sample_weight=WEIGHT[there])
    assert_same_scaler(total.inputs, expected)


def test_adding_changes_neither():
    one, other = scales(X[:30], SEVERAL[:30]), scales(X[30:], SEVERAL[30:])
    before = copy.deepcopy((one, other))
    one + other
    for mine, theirs in zip((one, other), before):
        assert_same_scaler(mine.inputs, theirs.inputs, 0.0)


def test_numbers_that_overflow_together_are_refused():
    parts = [scales(np.full((9, 1), v), np.zeros((9, 1))) for v in (-1e200, 1e200)]
    with pytest.raises(ValueError, match="too large to be standardised"):
        parts[0] + parts[1]


# ------------------------------------------------------------------------ shards


def test_samples_of_several_parts_are_joined():
    codes = np.arange(6) % 2
    eye = np.eye(2)
    parts = [
        Samples(X[:2], eye, codes[:2], WEIGHT[:2]),
        Samples(X[2:6], eye, codes[2:6], WEIGHT[2:6]),
    ]
    whole = _joined(parts)
    np.testing.assert_array_equal(whole.X, X[:6])
    np.testing.assert_array_equal(whole.codes, codes)
    np.testing.assert_array_equal(whole.targets, eye)
    np.testing.assert_array_equal(whole.weight, WEIGHT[:6])
    numbers = _joined([Samples(X[:2], SEVERAL[:2]), Samples(X[2:6], SEVERAL[2:6])])
    np.testing.assert_array_equal(numbers.targets, SEVERAL[:6])
    assert numbers.codes is None
    assert numbers.weight is None


def test_a_shard_answers_with_a_failure_where_it_fails():
    shard = Shard([0], (X, THREE, None))
    answer = shard.answer("outline", PartitionSummary.of, "no such choice", True)
    assert isinstance(answer, Failure) or answer is not None
    lacking = shard.answer("measure", len)
    assert isinstance(lacking, Failure)
    with pytest.raises(AttributeError):
        _unwrapped(lacking)
    assert not isinstance(lacking.error, WorkerLostError)


def test_overflow_on_a_worker_is_no_warning_there():
    shard = Shard([0])
    shard.samples = Samples(np.full((1, 1), 1e308), np.zeros((1, 1)))
    answer = shard.answer("measure", lambda samples: samples.X * 10.0)
    np.testing.assert_array_equal(answer, np.inf)


def test_divergence_is_told_as_one_process_tells_it():
    params = dict(solver="sgd", learning_rate_init=1e200, standardize=False)
    with pytest.raises(ValueError, match="Training diverged in epoch 1"):
        fitted(BackpropRegressor, partitions(X, NUMBERS), **params)
    with pytest.raises(ValueError, match="Training diverged in epoch 1"):
        fitted(BackpropRegressor, partitions(X, NUMBERS), sync="epoch", **params)


def test_who_is_gone_is_not_waited_for():
    """A message to a worker that is gone may never be answered."""
    shards, seat = Shards(None, [], stay=False), SimpleNamespace(is_there=True)
    waits = []

    def answer(timeout):
        waits.append(timeout)
        if len(waits) < 3:
            raise TimeoutError
        return "answered"

    assert shards._waited_for(seat, answer) == "answered"  # it may just be busy
    assert len(waits) == 3
    seat.is_there = False
    waits.clear()
    with pytest.raises(WorkerLostError):
        shards._waited_for(seat, answer)
    assert len(waits) == 1


def test_errors_of_a_cluster_are_losses_if_it_notices_one(monkeypatch):
    monkeypatch.setattr("skbackprop.dask.shards.LOSS_TIMEOUT", 0.05)
    shards = Shards(None, [], stay=False)

    def fail(timeout):
        raise OSError("broken pipe")

    with pytest.raises(WorkerLostError):
        shards._waited_for(SimpleNamespace(is_there=False), fail)
    with pytest.raises(OSError, match="broken pipe"):
        shards._waited_for(SimpleNamespace(is_there=True), fail)


# -------------------------------------------------------------------- carrying on


@pytest.mark.parametrize("sync", ["step", "epoch"])
def test_warm_start_carries_on_from_the_last_network(sync):
    parts = partitions(X, NUMBERS)
    groups = [[0, 1, 3, 4, 5]]
    net = fitted(BackpropRegressor, parts, groups, warm_start=True, sync=sync)
    before = net.to_local()
    shards = Here(parts, groups)
    with (
        patch("skbackprop.dask.Shards", lambda client, parts, stay: shards),
        patch("skbackprop.dask._partitions", lambda X, y, weight: None),
        patch.object(DaskBackprop, "_get_client", lambda self: None),
    ):
        net.fit(None, None)
    told, reader, _ = shards.told[0]
    assert told == "read"
    assert not hasattr(reader, "_state")  # which is as large as the network
    assert len(net.history_) == 6
    assert net.n_iter_ == 3
    assert net.loss_curve_[3] < net.loss_curve_[0]
    assert net.to_local()._state.n_updates == 2 * before._state.n_updates
    # What was handed out before has not been trained further.
    assert len(before.history_) == 3
    if sync == "epoch":
        return
    # The same by a plain estimator whose state has been carried on.
    plain = before.set_params(warm_start=True)
    training = plain._prepare(X, NUMBERS, None, carry_on=True)
    seed = training.state.rng.randint(np.iinfo(np.int32).max)
    epoch = Dealt(training, SIZES, -(-N_ROWS // 16), True, seed)
    plain._run(training, 3, method=partial(mini_batches, epoch=epoch))
    assert_same(plain, net)


def test_the_largest_mini_batch_by_default_is_that_of_all_workers():
    many = np.tile(X, (60, 1))[:4150]
    y = np.resize(TWO, 4150)
    parts = [(many[:4000], y[:4000], None), (many[4000:], y[4000:], None)]
    params = dict(batch_size="auto", max_iter=1)
    net = fitted(BackpropClassifier, parts, [[0], [1]], **params)
    assert net.to_local()._state.n_updates == 2
    net = fitted(BackpropClassifier, parts, [[0], [1]], sync="epoch", **params)
    assert net.to_local()._state.n_updates == 20  # of the worker with the most
