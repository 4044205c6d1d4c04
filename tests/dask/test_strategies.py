"""Training strategies of the Dask estimators, compared with one process."""

import copy
import io
import pickle
from functools import partial
from unittest.mock import patch

import numpy as np
import pytest

pytest.importorskip("distributed")

from partitioned_data import (
    COUNTS,
    GROUPINGS,
    LABELS,
    N_ROWS,
    NAMES,
    NUMBERS,
    SEVERAL,
    SIZES,
    SMALL,
    THREE,
    TWO,
    WEIGHT,
    X,
    bounds,
    partitions,
)
from shards_in_process import DASK, InProcessShards, fit_in_process, replace_shards
from single_process import assert_same, epoch_records, fit_by_steps, fit_plain
from sklearn.exceptions import ConvergenceWarning
from small_fits import ignore_convergence_warning

from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop._data.reader import Reader
from skbackprop._estimators.fit_kind import FitKind
from skbackprop._estimators.fitting import prepare_training, run_training
from skbackprop.core.epochs import make_epoch
from skbackprop.core.training import Training, mini_batches
from skbackprop.dask.batch_assignment import BatchAssignment
from skbackprop.dask.shard import Shard

pytestmark = ignore_convergence_warning  # a few epochs are sufficient

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
    dict(weight=WEIGHT * 1e-300, alpha=0.5, class_weight="balanced"),
    dict(weight=WEIGHT * 1e300, alpha=0.5),
    dict(weight=np.where(np.arange(N_ROWS) % 9, WEIGHT, -0.5), alpha=0.5),
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


ignore_column_vector_warning = pytest.mark.filterwarnings(
    "ignore:A column-vector y was passed"  # the plain estimator raises it
)


@ignore_column_vector_warning
@pytest.mark.parametrize("case", with_ids(CLASSIFIERS))
def test_classifier_equals_single_process(case):
    assert_same(*fit_both(BackpropClassifier, case))


@ignore_column_vector_warning
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
    counts = sum(
        BatchAssignment(9, True, 7).rows_per_step(number, 1) for number in range(9)
    )
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


def test_divergence_raises_same_error_as_single_process():
    params = dict(solver="sgd", learning_rate_init=1e200, standardize=False)
    with pytest.raises(ValueError, match="Training diverged in epoch 1"):
        fit_in_process(BackpropRegressor, partitions(X, NUMBERS), **params)
    with pytest.raises(ValueError, match="Training diverged in epoch 1"):
        fit_in_process(
            BackpropRegressor, partitions(X, NUMBERS), sync="epoch", **params
        )


@pytest.mark.parametrize("sync", ["step", "epoch"])
def test_overflow_of_outputs_after_last_step_raises(sync):
    params = dict(solver="adamw", learning_rate_init=1e30, alpha=1e75, max_iter=1)
    params |= dict(hidden_layer_sizes=(4, 4), activation="identity", sync=sync)
    with pytest.raises(
        ValueError, match="Training diverged in epoch 1: decrease alpha"
    ):
        fit_in_process(BackpropRegressor, partitions(X, NUMBERS), **params)


def explode_in_epoch_4(epoch, step):
    return 1e300 if epoch == 3 else 0.01


def test_divergence_under_early_stopping_equals_single_process():
    val = (X[:15], NUMBERS[:15])
    params = dict(early_stopping=True, max_iter=9, tol=0.0, batch_size=20)
    params["learning_rate"] = explode_in_epoch_4
    with pytest.warns(ConvergenceWarning, match="Training diverged in epoch 4"):
        net = fit_in_process(
            BackpropRegressor, partitions(X, NUMBERS), validation=val, **params
        )
    with pytest.warns(ConvergenceWarning, match="Training diverged in epoch 4"):
        expected = fit_plain(
            BackpropRegressor, X, NUMBERS, validation=(*val, None), **params
        )
    assert net.n_iter_ == 3
    assert_same(expected, net)


# ------------------------------------------------------- lost workers and dropout

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
    run_training(net, FitKind.FRESH, training, minimize=minimize)
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
    method, reader, estimator_name = shards.broadcasts[0]
    assert (method, estimator_name) == ("read", "BackpropRegressor")
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
