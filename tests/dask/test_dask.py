"""Tests of the Dask estimators on a cluster of two worker processes."""

import gc
import os
import pickle
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from inspect import signature
from time import monotonic, sleep

import dask
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import d2_pinball_score

pytest.importorskip("distributed")

import dask.array as da
import dask.dataframe as dd
from clusters import N_WORKERS, cluster
from distributed import Client, Future, LocalCluster, wait
from test_sync import (
    COUNTS,
    FRAME,
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
    assert_same,
    bounds,
    fit_plain,
)

from skbackprop import Activation, BackpropClassifier, BackpropRegressor
from skbackprop.dask import DaskBackpropClassifier, DaskBackpropRegressor
from skbackprop.dask.shards import Shards, WorkerLostError
from skbackprop.dask.strategies import ParameterAveraging, SynchronousSGD

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning"  # a few epochs are sufficient
)
ESTIMATORS = pytest.mark.parametrize(
    ("plain", "make", "y"),
    [
        (BackpropClassifier, DaskBackpropClassifier, THREE),
        (BackpropRegressor, DaskBackpropRegressor, NUMBERS),
    ],
)
SYNCS = pytest.mark.parametrize(
    "params",
    [{"sync": "step"}, {"sync": "epoch"}, {"solver": "lbfgs", "batch_size": "auto"}],
    ids=["step", "epoch", "lbfgs"],
)
#: Number of rows of each nonempty partition. Dask ignores empty chunks of known size.
ROWS = tuple(size for size in SIZES if size)
#: Seconds after which a hanging test fails. All tests are much faster.
TIME_LIMIT = 100


@pytest.fixture(autouse=True)
def _time_limit():
    """Fail a test that does not end."""

    def fail(number, frame):
        pytest.fail(f"The test took more than {TIME_LIMIT} seconds.")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(TIME_LIMIT)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def _cluster():
    with cluster() as client:
        yield client


@pytest.fixture
def client(_cluster):
    """Return the client of a cluster whose workers are not killed."""
    with _cluster.as_current():
        yield _cluster


@pytest.fixture(scope="module")
def _killable_cluster():
    # Nannies replace killed processes. With the default timeout, the cluster would
    # remove a worker that is killed repeatedly.
    long_timeout = dask.config.set({"distributed.deploy.lost-worker-timeout": "1 hour"})
    with long_timeout, cluster() as client:
        yield client


@pytest.fixture
def killable_client(_killable_cluster):
    """Return the client of a cluster whose workers may be killed."""
    while not all_workers_alive(_killable_cluster):
        sleep(0.1)
    with _killable_cluster.as_current():
        yield _killable_cluster


def to_dask(array, sizes=SIZES):
    """Convert an array to a Dask Array with these partitions; return None for None."""
    if array is None:
        return None
    return da.from_array(array, chunks=(tuple(sizes), *array.shape[1:]))


def to_dask_frame(frame, sizes=SIZES):
    return dd.from_map(frame.iloc.__getitem__, bounds(sizes), meta=frame.iloc[:0])


def with_unknown_chunks(array):
    """Return the same Dask Array with unknown numbers of rows."""
    return array[da.ones(array.shape[0], dtype=bool, chunks=array.chunks[:1])]


def small(make, **params):
    return make(**{**SMALL, **params})


def classifier(**params):
    return small(DaskBackpropClassifier, **params)


def regressor(**params):
    return small(DaskBackpropRegressor, **params)


def assert_same_predictions(predicted, expected):
    if expected.dtype.kind == "f":
        np.testing.assert_allclose(predicted, expected, rtol=1e-9, atol=1e-12)
    else:
        np.testing.assert_array_equal(predicted, expected)
    assert predicted.dtype == expected.dtype


def count_actors(client):
    """Return the number of actors of each worker."""
    found = client.run(lambda dask_worker: len(dask_worker.state.actors))
    return list(found.values())


def becomes_true(condition):
    """Return whether a condition becomes true within 20 seconds."""
    deadline = monotonic() + 20
    while not condition():
        if monotonic() > deadline:
            return False
        sleep(0.02)
    return True


# ------------------------------------------------- same result as in one process

CASES = {
    "one classifier": (BackpropClassifier, THREE, None, {}),
    "names and weights": (BackpropClassifier, NAMES, WEIGHT, {}),
    "two classes": (BackpropClassifier, TWO, None, {"class_weight": "balanced"}),
    "labels": (BackpropClassifier, LABELS, WEIGHT, {}),
    "numbers": (BackpropRegressor, NUMBERS, WEIGHT, {}),
    "several": (BackpropRegressor, SEVERAL, None, {"solver": "sgd"}),
    "counts": (BackpropRegressor, COUNTS, None, {"loss": "poisson"}),
    "quantiles": (
        BackpropRegressor,
        NUMBERS,
        None,
        {"loss": "quantile", "quantile": [0.2, 0.8]},
    ),
}
DASK = {
    BackpropClassifier: DaskBackpropClassifier,
    BackpropRegressor: DaskBackpropRegressor,
}


@pytest.mark.parametrize("case", CASES)
def test_fit_equals_single_process(client, case):
    plain, y, weight, params = CASES[case]
    net = small(DASK[plain], **params)
    assert net.fit(to_dask(X), to_dask(y), to_dask(weight)) is net
    assert_same(fit_plain(plain, X, y, weight, **params), net)


@ESTIMATORS
def test_lbfgs_equals_plain_fit(client, plain, make, y):
    params = {"solver": "lbfgs", "batch_size": "auto", "max_iter": 6}
    net = small(make, **params).fit(to_dask(X), to_dask(y), to_dask(WEIGHT))
    assert_same(small(plain, **params).fit(X, y, WEIGHT), net, rtol=1e-7)


def test_epoch_with_one_partition_equals_plain_fit(client):
    params = {"shuffle": False}
    net = classifier(sync="epoch", **params).fit(
        to_dask(X, [N_ROWS]), to_dask(THREE, [N_ROWS])
    )
    assert_same(small(BackpropClassifier, **params).fit(X, THREE), net, rtol=1e-12)


def test_dataframe_equals_single_process(client):
    frame = to_dask_frame(FRAME.assign(name=NAMES))
    features = frame[list(FRAME.columns)]
    net = classifier().fit(features, frame["name"])
    expected = fit_plain(BackpropClassifier, FRAME, NAMES)
    assert_same(expected, net, rtol=1e-9)
    assert net.feature_names_in_.tolist() == list(FRAME.columns)
    np.testing.assert_array_equal(net.classes_, expected.classes_)
    assert_same_predictions(net.predict(features).compute(), expected.predict(FRAME))
    assert_same_predictions(
        net.predict_proba(features).compute(), expected.predict_proba(FRAME)
    )


def test_types_of_targets_and_weights(client):
    table = FRAME.assign(target=NUMBERS, weight=WEIGHT)
    frame = to_dask_frame(table)
    features = frame[["a", "b"]]
    expected = fit_plain(BackpropRegressor, FRAME[["a", "b"]], NUMBERS, WEIGHT)
    for y, weight in [
        (frame["target"], frame["weight"]),
        (frame["target"].to_dask_array(), to_dask(WEIGHT)),
        (to_dask(NUMBERS), frame["weight"].to_dask_array()),
    ]:
        assert_same(expected, regressor().fit(features, y, weight))
    both = table.assign(other=SEVERAL[:, 1])[["target", "other"]]
    net = regressor().fit(features, to_dask_frame(both))
    assert_same(fit_plain(BackpropRegressor, FRAME[["a", "b"]], both.to_numpy()), net)


def test_string_column_in_categorical_features(client):
    strings = FRAME[["a"]].assign(name=NAMES.astype(object))
    whole = dd.from_pandas(strings, npartitions=3)  # may convert objects to strings
    net = classifier(categorical_features=["name"], batch_size=N_ROWS, shuffle=False)
    net.fit(whole, to_dask(THREE, [len(p) for p in whole.partitions]))
    expected = small(
        BackpropClassifier,
        categorical_features=["name"],
        batch_size=N_ROWS,
        shuffle=False,
    )
    assert_same(expected.fit(strings, THREE), net, rtol=1e-9)
    assert_same_predictions(net.predict(whole).compute(), expected.predict(strings))


def test_unknown_categories(client):
    parts = [FRAME[["a", "kind"]].iloc[rows] for rows in bounds((30, 40))]
    parts = [
        part.assign(kind=part["kind"].cat.remove_unused_categories()) for part in parts
    ]
    parts[0]["kind"] = parts[0]["kind"].cat.remove_categories(["mid"])
    meta = parts[0].iloc[:0].assign(kind=pd.Categorical([], ["__UNKNOWN_CATEGORIES__"]))
    frame = dd.from_map(lambda number: parts[number], [0, 1], meta=meta)
    net = classifier().fit(frame, to_dask(THREE, (30, 40)))
    whole = pd.concat(parts).astype({"kind": "category"})
    assert_same(fit_plain(BackpropClassifier, whole, THREE, sizes=(30, 40)), net, 1e-9)


def test_arrays_are_rechunked(client):
    cut = to_dask(X).rechunk({1: 2})
    assert cut.numblocks == (6, 3)
    y, weight = to_dask(LABELS, [50, 20]).rechunk({1: 1}), to_dask(WEIGHT, [7] * 10)
    net = classifier().fit(cut, y, weight)
    assert_same(fit_plain(BackpropClassifier, X, LABELS, WEIGHT), net)
    predicted = net.predict_proba(cut)
    assert predicted.chunks == (ROWS, (3,))
    assert_same_predictions(predicted.compute(), net.to_local().predict_proba(X))


def test_unknown_numbers_of_rows(client):
    table = to_dask_frame(pd.DataFrame(X, columns=list("abcde")).assign(y=THREE))
    columns = table[list("abcde")].to_dask_array()
    target = table["y"].to_dask_array()
    assert np.isnan(columns.chunks[0]).all()
    expected = fit_plain(BackpropClassifier, X, THREE)
    assert_same(expected, classifier().fit(columns, target))
    assert_same(expected, classifier().fit(columns, to_dask(THREE)))
    net = classifier().fit(
        with_unknown_chunks(to_dask(X)), with_unknown_chunks(to_dask(THREE))
    )
    predicted = net.predict(columns)
    assert np.isnan(predicted.chunks[0]).all()
    assert_same_predictions(predicted.compute(), expected.predict(X))
    assert net.score(columns, target) == expected.score(X, THREE)


@pytest.mark.parametrize("worker", range(N_WORKERS))
def test_persisted_arrays_are_not_moved(client, worker):
    address = sorted(client.nthreads())[worker]
    data = client.persist([to_dask(X), to_dask(THREE)], workers=[address])
    wait(data)
    before = client.who_has(data)
    assert set(before.values()) == {(address,)}
    net = classifier().fit(*data)
    assert_same(fit_plain(BackpropClassifier, X, THREE), net)
    assert client.who_has(data) == before


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # raised inside Dask
def test_parquet_files_are_not_merged(client, tmp_path):
    # Dask merges files if it reads few of their columns, for example only `y`.
    table = pd.DataFrame(X, columns=list("abcde")).assign(y=THREE, weight=WEIGHT)
    table = table.assign(**{f"unused_{i}": 0.0 for i in range(50)})
    dd.from_pandas(table, npartitions=7).to_parquet(tmp_path)
    frame = dd.read_parquet(tmp_path)
    features, y = frame[list("abcde")], frame["y"]
    assert y.optimize().npartitions < y.npartitions == 7
    net = classifier().fit(features, y, frame["weight"])
    rows = [10] * 7
    parts = to_dask(X, rows), to_dask(THREE, rows), to_dask(WEIGHT, rows)
    assert_same(classifier().fit(*parts), net)
    assert net.predict(features).npartitions == 7
    assert net.score(features, y) == net.to_local().score(table[list("abcde")], THREE)


def test_unused_columns_are_not_read(client):
    table = pd.DataFrame(X, columns=list("abcde")).assign(y=THREE, unused=0.0)

    def read(rows, columns=None):
        assert columns is not None
        assert "unused" not in columns
        return table[columns].iloc[rows]

    frame = dd.from_map(read, bounds(SIZES), meta=table.iloc[:0])
    features = frame[list("abcde")]
    net = classifier().fit(features, frame["y"])
    assert_same(fit_plain(BackpropClassifier, X, THREE), net)
    net.predict(features).compute()


def test_persisted_dataframes_are_not_moved(client):
    table = pd.DataFrame(X, columns=list("abcde")).assign(y=THREE)
    frame = client.persist(to_dask_frame(table))
    wait(frame)
    before = client.who_has(frame)
    assert len(before) == len(SIZES)
    net = classifier().fit(frame[list("abcde")], frame["y"])
    assert_same(fit_plain(BackpropClassifier, table[list("abcde")], THREE), net)
    assert client.who_has(frame) == before


def test_empty_partitions_are_ignored(client):
    keep = np.ones(N_ROWS, bool)
    keep[20:34] = False  # all rows of three partitions
    X_kept, y_kept = to_dask(X)[to_dask(keep)], to_dask(THREE)[to_dask(keep)]
    net = classifier().fit(X_kept, y_kept)
    sizes = (20, 0, 0, 0, 25, 11)
    assert_same(fit_plain(BackpropClassifier, X[keep], THREE[keep], sizes=sizes), net)
    assert_same_predictions(
        net.predict_proba(X_kept).compute(), net.to_local().predict_proba(X[keep])
    )


def test_partitions_may_lack_classes(client):
    order = np.argsort(NAMES, kind="stable")
    net = classifier(class_weight="balanced").fit(
        to_dask(X[order]), to_dask(NAMES[order])
    )
    assert net.classes_.tolist() == ["high", "low", "mid"]
    expected = fit_plain(
        BackpropClassifier, X[order], NAMES[order], class_weight="balanced"
    )
    assert_same(expected, net)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_partition_with_zero_weights(client, solver):
    weight = WEIGHT.copy()
    weight[:20] = 0.0
    params = {"solver": solver, "batch_size": N_ROWS, "shuffle": False}
    net = classifier(**params).fit(to_dask(X), to_dask(THREE), to_dask(weight))
    expected = small(BackpropClassifier, **params).fit(X, THREE, weight)
    assert_same(expected, net, rtol=1e-7)


@ESTIMATORS
def test_float32_is_preserved(client, plain, make, y):
    single = X.astype(np.float32)
    net = small(make, max_iter=2).fit(to_dask(single), to_dask(y))
    assert {W.dtype for W in net.coefs_} == {np.dtype("float32")}
    assert_same(fit_plain(plain, single, y, max_iter=2), net, rtol=1e-4)
    for method in ("predict", "predict_proba"):
        if hasattr(net, method):
            expected = getattr(net.to_local(), method)(single)
            predicted = getattr(net, method)(to_dask(single))
            assert predicted.dtype == expected.dtype == predicted.compute().dtype


def test_fit_is_reproducible(client):
    for params in ({}, {"sync": "epoch"}, {"sync": "epoch", "dropout": 0.2}):
        one, other = (
            classifier(**params).fit(to_dask(X), to_dask(THREE)) for _ in range(2)
        )
        assert_same(one, other, rtol=1e-12)


# ----------------------------------------------------------- placement and cleanup


def test_partitions_are_computed_and_stored_on_workers(client, monkeypatch):
    client_pid = os.getpid()

    def widen(block):
        assert os.getpid() != client_pid
        return np.repeat(block, 400, axis=1)

    wide = to_dask(X).map_blocks(widen, dtype=float, chunks=(SIZES, (5 * 400,)))
    sizes, result = [], Future.result

    def record_size(future, timeout=None):
        found = result(future, timeout)
        if type(found).__name__ != "Actor":
            sizes.append(len(pickle.dumps(found)))
        return found

    monkeypatch.setattr(Future, "result", record_size)
    monkeypatch.setattr(
        Client, "gather", lambda *args, **kwargs: pytest.fail("gathered")
    )
    net = classifier(max_iter=1, standardize=False).fit(wide, to_dask(THREE))
    assert net.n_features_in_ == 2000
    assert sizes
    assert max(sizes) < 5000  # a single row has 16000 bytes


@pytest.mark.parametrize("sync", ["step", "epoch"])
def test_fit_creates_one_actor_per_worker_and_releases_it(client, monkeypatch, sync):
    found, of = [], {"step": SynchronousSGD, "epoch": ParameterAveraging}[sync]
    run = of.run

    def run_and_count(epoch, rates):
        found.append(count_actors(client))
        return run(epoch, rates)

    monkeypatch.setattr(of, "run", run_and_count)
    net = classifier(sync=sync).fit(to_dask(X), to_dask(THREE))
    assert found == [[1, 1]] * 3
    assert net.n_iter_ == 3
    assert becomes_true(lambda: count_actors(client) == [0, 0])
    assert becomes_true(lambda: not any(client.who_has().values()))

    def count_stored(dask_worker):
        return len(dask_worker.data)

    assert becomes_true(lambda: not any(client.run(count_stored).values()))


def test_failed_fit_releases_actors(client):
    with pytest.raises(ValueError, match="diverged"):
        regressor(learning_rate_init=1e200, solver="sgd").fit(
            to_dask(X), to_dask(NUMBERS)
        )
    assert becomes_true(lambda: count_actors(client) == [0, 0])


def test_stored_exception_does_not_keep_partitions(client):
    # A notebook stores the last exception, and its traceback stores local variables.
    fewer = to_dask(THREE[:60], (20, 13, 0, 1, 25, 1))
    with pytest.raises(ValueError, match="same number of rows in each") as kept:
        classifier().fit(to_dask(X), with_unknown_chunks(fewer))
    assert becomes_true(lambda: not any(client.has_what().values()))
    assert kept.tb is not None


def test_failed_creation_releases_other_shards(client, monkeypatch):
    original, calls = Shards._wait_for_shard, []

    def fail_second_call(self, future, address):
        calls.append(original(self, future, address))
        if len(calls) == 2:
            raise WorkerLostError
        return calls[-1]

    run, found = SynchronousSGD.run, []

    def run_and_count(epoch, rates):
        found.append(count_actors(client))
        return run(epoch, rates)

    monkeypatch.setattr(Shards, "_wait_for_shard", fail_second_call)
    monkeypatch.setattr(SynchronousSGD, "run", run_and_count)
    net = classifier().fit(to_dask(X), to_dask(THREE))
    assert len(calls) == 2 + N_WORKERS
    assert found == [[1, 1]] * 3
    assert_same(fit_plain(BackpropClassifier, X, THREE), net)


# ----------------------------------------------------------------- predictions


@pytest.fixture(scope="module")
def fitted(_cluster):
    """Return fitted estimators by kind of target or data."""
    with _cluster.as_current():
        return {
            "three": classifier().fit(to_dask(X), to_dask(NAMES)),
            "two": classifier().fit(to_dask(X), to_dask(TWO)),
            "labels": classifier().fit(to_dask(X), to_dask(LABELS)),
            "numbers": regressor().fit(to_dask(X), to_dask(NUMBERS)),
            "several": regressor().fit(to_dask(X), to_dask(SEVERAL)),
            "quantiles": regressor(loss="quantile", quantile=[0.2, 0.8]).fit(
                to_dask(X), to_dask(NUMBERS)
            ),
            "frame": classifier().fit(to_dask_frame(FRAME), to_dask(NAMES)),
        }


METHODS = ["predict", "predict_proba", "predict_log_proba", "decision_function"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["three", "two", "labels"])
def test_classifier_predicts_by_partition(client, fitted, kind, method):
    net = fitted[kind]
    predicted = getattr(net, method)(to_dask(X))
    assert isinstance(predicted, da.Array)
    expected = getattr(net.to_local(), method)(X)
    assert predicted.chunks[0] == ROWS
    assert predicted.shape == expected.shape
    assert predicted.dtype == expected.dtype
    assert_same_predictions(predicted.compute(), expected)
    part = predicted.blocks[3].compute()
    assert_same_predictions(part, getattr(net.to_local(), method)(X[bounds(ROWS)[3]]))


@pytest.mark.parametrize("kind", ["numbers", "several", "quantiles"])
def test_regressor_predicts_by_partition(client, fitted, kind):
    net = fitted[kind]
    predicted, expected = net.predict(to_dask(X)), net.to_local().predict(X)
    assert predicted.chunks[0] == ROWS
    assert predicted.shape == expected.shape
    assert_same_predictions(predicted.compute(), expected)
    for name in METHODS[1:]:
        assert not hasattr(net, name)


@pytest.mark.parametrize("method", METHODS)
def test_dataframe_predictions_by_partition(client, fitted, method):
    net = fitted["frame"]
    predicted = getattr(net, method)(to_dask_frame(FRAME))
    expected = getattr(net.to_local(), method)(FRAME)
    assert predicted.numblocks[0] == len(SIZES)
    assert np.isnan(predicted.shape[0])
    assert predicted.shape[1:] == expected.shape[1:]
    assert_same_predictions(predicted.compute(), expected)


def test_predictions_are_lazy(client, fitted):
    def too_early(block):
        raise RuntimeError("computed")

    lazy = to_dask(X).map_blocks(too_early, dtype=float, meta=np.empty((0, 0)))
    predicted = fitted["three"].predict(lazy)
    with pytest.raises(RuntimeError, match="computed"):
        predicted.compute()


@pytest.mark.filterwarnings("ignore:Running on a single-machine scheduler:UserWarning")
def test_predictions_without_cluster(fitted):
    with dask.config.set(scheduler="synchronous"):
        predicted = fitted["three"].predict(to_dask(X)).compute()
    assert_same_predictions(predicted, fitted["three"].to_local().predict(X))


@pytest.mark.parametrize("kind", ["three", "labels", "numbers", "several", "quantiles"])
def test_score_equals_plain_estimator(client, fitted, kind):
    net = fitted[kind]
    y = {"three": NAMES, "labels": LABELS, "several": SEVERAL}.get(kind, NUMBERS)
    plain = net.to_local()
    expected = plain.score(X, y)
    assert net.score(to_dask(X), to_dask(y)) == pytest.approx(expected, rel=1e-9)
    assert net.score(to_dask(X), y) == pytest.approx(expected, rel=1e-9)
    weighted = plain.score(X, y, WEIGHT)
    assert net.score(to_dask(X), to_dask(y), to_dask(WEIGHT)) == pytest.approx(weighted)
    assert net.score(to_dask(X), y, WEIGHT) == pytest.approx(weighted)
    assert isinstance(net.score(to_dask(X), y), float)


def test_quantile_score_is_mean_d2_pinball_score(client, fitted):
    predicted = fitted["quantiles"].predict(to_dask(X)).compute()
    expected = [
        d2_pinball_score(NUMBERS, column, alpha=q)
        for q, column in zip((0.2, 0.8), predicted.T)
    ]
    score = fitted["quantiles"].score(to_dask(X), to_dask(NUMBERS))
    assert score == pytest.approx(np.mean(expected))


def test_score_of_dataframe(client, fitted):
    table = to_dask_frame(FRAME.assign(name=NAMES, weight=WEIGHT))
    features = table[list(FRAME.columns)]
    net, plain = fitted["frame"], fitted["frame"].to_local()
    assert net.score(features, table["name"]) == plain.score(FRAME, NAMES)
    weighted = net.score(features, table["name"], table["weight"])
    assert weighted == pytest.approx(plain.score(FRAME, NAMES, WEIGHT))


# ------------------------------------------------------------- local estimator


@ESTIMATORS
def test_to_local_returns_independent_copy(client, plain, make, y):
    net = small(make).fit(to_dask(X), to_dask(y))
    local = net.to_local()
    assert type(local) is plain
    assert local.get_params() == {
        name: value
        for name, value in net.get_params().items()
        if name not in ("sync", "client")
    }
    before = [W.copy() for W in net.coefs_]
    local.partial_fit(X, y)
    assert (local.coefs_[0] != before[0]).any()
    for W, W_before in zip(net.coefs_, before):
        np.testing.assert_array_equal(W, W_before)
    assert net.n_iter_ == 3
    again = pickle.loads(pickle.dumps(net.to_local()))
    np.testing.assert_array_equal(again.predict(X), net.to_local().predict(X))


def test_local_estimator_is_unpickled_without_dask(client, fitted):
    script = (
        "import sys, pickle; sys.modules['dask'] = sys.modules['distributed'] = None; "
        "net = pickle.load(sys.stdin.buffer); print(type(net).__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=pickle.dumps(fitted["frame"].to_local()),
        capture_output=True,
        check=True,
    )
    assert done.stdout.split() == [b"BackpropClassifier"]


def test_fitted_attributes(client, fitted):
    net, plain = fitted["three"], fitted["three"].to_local()
    assert net.classes_.tolist() == ["high", "low", "mid"]
    assert net.n_iter_ == 3
    assert net.n_features_in_ == 5
    assert net.loss_curve_ == plain.loss_curve_
    assert len(net.history_) == 3
    assert np.isfinite(net.loss_)
    assert [W.shape for W in net.coefs_] == [(5, 6), (6, 3)]
    assert {"coefs_", "classes_", "history_", "n_iter_"} <= set(dir(net))
    for name in ("_state", "no_such_thing", "no_such_thing_", "partial_fit"):
        with pytest.raises(AttributeError):
            getattr(net, name)


def test_no_fitted_attributes_before_fit():
    net = DaskBackpropClassifier()
    for name in ("coefs_", "classes_", "history_", "n_iter_", "_plain"):
        assert not hasattr(net, name)
    for method in METHODS:
        with pytest.raises(NotFittedError):
            getattr(net, method)(to_dask(X))
    with pytest.raises(NotFittedError):
        net.to_local()
    with pytest.raises(NotFittedError):
        net.score(to_dask(X), to_dask(THREE))


def test_failed_fit_keeps_previous_fit(client):
    net = classifier().fit(to_dask(X), to_dask(THREE))
    before = net.coefs_[0].copy()
    with pytest.raises(ValueError, match="contains NaN"):
        net.fit(to_dask(np.full_like(X, np.nan)), to_dask(THREE))
    np.testing.assert_array_equal(net.coefs_[0], before)


# --------------------------------------------------------------------- parameters


@ESTIMATORS
def test_constructor_parameters(plain, make, y):
    plain_defaults = {n: p.default for n, p in signature(plain).parameters.items()}
    dask_defaults = {n: p.default for n, p in signature(make).parameters.items()}
    assert dask_defaults == {**plain_defaults, "sync": "step", "client": None}
    assert make().get_params() == {
        **plain().get_params(),
        "sync": "step",
        "client": None,
    }
    assert [p.kind for p in signature(plain).parameters.values()] == [
        p.kind for p in list(signature(make).parameters.values())[:-2]
    ]
    assert make((3, 4)).hidden_layer_sizes == (3, 4)
    with pytest.raises(TypeError, match=make.__name__ + r".*'no_such_parameter'"):
        make(no_such_parameter=1)


def test_set_params_clone_and_repr(client):
    net = classifier(client=client)
    assert net.set_params(alpha=0.5, sync="epoch") is net
    assert net.get_params()["alpha"] == 0.5
    with pytest.raises(ValueError, match="Invalid parameter"):
        net.set_params(no_such_parameter=1)
    net.fit(to_dask(X), to_dask(THREE))
    copied = clone(net)
    assert copied.client is client
    assert copied.get_params() == net.get_params()
    assert not hasattr(copied, "coefs_")
    assert repr(DaskBackpropRegressor((3,), sync="epoch")) == (
        "DaskBackpropRegressor(hidden_layer_sizes=(3,), sync='epoch')"
    )
    assert "alpha=0.5" in repr(net)


def test_clone_keeps_metadata_requests():
    with config_context(enable_metadata_routing=True):
        net = classifier().set_fit_request(sample_weight=True)
        requests = clone(net).get_metadata_routing().fit.requests
    assert requests["sample_weight"] is True


def test_invalid_client_raises(client):
    with pytest.raises(TypeError, match=r"client must be a distributed.Client or None"):
        classifier(client=client.scheduler.address).fit(to_dask(X), to_dask(THREE))


def test_pickle_does_not_store_client(client):
    net = classifier(client=client).fit(to_dask(X), to_dask(THREE))
    again = pickle.loads(pickle.dumps(net))
    assert again.client is None
    assert net.client is client
    np.testing.assert_array_equal(again.coefs_[0], net.coefs_[0])
    assert_same_predictions(
        again.predict(to_dask(X)).compute(), net.to_local().predict(X)
    )
    assert_same(net, again.fit(to_dask(X), to_dask(THREE)), rtol=1e-12)


def test_given_client_is_used(client):
    with Client(client.scheduler.address, set_as_default=False) as other:
        data = other.persist([to_dask(X), to_dask(THREE)])
        net = classifier(client=other).fit(*data)
        expected = fit_plain(BackpropClassifier, X, THREE)
        assert_same(expected, net)
        assert net.score(*data) == expected.score(X, THREE)


@SYNCS
def test_verbose_prints_one_line_per_epoch(client, capsys, params):
    classifier(verbose=True, **params).fit(to_dask(X), to_dask(THREE))
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if "oss" in line]) >= 3


@pytest.mark.parametrize("kind", ["memory", "dask", "frame"])
def test_types_of_validation_data(client, kind):
    frame = pd.DataFrame(X, columns=list("abcde"))
    val = (X[:30], THREE[:30], WEIGHT[:30])
    params = {"early_stopping": True, "max_iter": 6, "n_iter_no_change": 2}
    data = to_dask(X), to_dask(THREE)
    val_in_memory = val
    if kind == "dask":
        val = [to_dask(array, (20, 10)) for array in val]
    if kind == "frame":
        data = to_dask_frame(frame), to_dask(THREE)
        val = to_dask_frame(frame[:30], (20, 10)), to_dask(val[1], [30]), WEIGHT[:30]
    net = classifier(**params).fit(*data, None, *val)
    inputs = X if kind != "frame" else frame
    val_in_memory = (inputs[:30], *val_in_memory[1:])
    expected = fit_plain(
        BackpropClassifier, inputs, THREE, validation=val_in_memory, **params
    )
    assert_same(expected, net)
    assert net.best_validation_score_ == pytest.approx(expected.best_validation_score_)


def test_warm_start_continues_from_previous_fit(client):
    net = regressor(warm_start=True).fit(to_dask(X), to_dask(NUMBERS))
    first = net.loss_
    net.fit(to_dask(X), to_dask(NUMBERS))
    assert len(net.history_) == 6
    assert net.n_iter_ == 3
    assert net.loss_ < first
    with pytest.raises(ValueError, match="features"):
        net.fit(to_dask(X[:, :3]), to_dask(NUMBERS))
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        net.set_params(hidden_layer_sizes=(3,)).fit(to_dask(X), to_dask(NUMBERS))


def test_custom_activation_is_sent_to_workers(client):
    class Cube(Activation):
        def forward(self, z, out):
            np.multiply(z, z * z, out=out)

        def backward(self, delta, a, z, scratch):
            delta *= 3.0 * z * z

    params = {"activation": Cube(), "learning_rate_init": 1e-3}
    net = classifier(**params).fit(to_dask(X), to_dask(THREE))
    assert_same(fit_plain(BackpropClassifier, X, THREE, **params), net)
    assert_same_predictions(
        net.predict(to_dask(X)).compute(), net.to_local().predict(X)
    )


def test_module_missing_on_workers_is_named(client, tmp_path, monkeypatch):
    monkeypatch.setattr("skbackprop.dask.shards.LOSS_TIMEOUT", 0.5)  # no worker is lost
    (tmp_path / "only_here.py").write_text(
        "import numpy as np\n\n\ndef cube(z):\n    return np.tanh(z)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import only_here

    with pytest.raises(Exception, match="only_here"):
        classifier(activation=only_here.cube).fit(to_dask(X), to_dask(THREE))


# -------------------------------------------------------------------------- errors


def plain_error_message(make, *data, **params):
    """Return the error message of the plain estimator."""
    with pytest.raises(ValueError, match=r".") as caught:
        small(make, **params).fit(*data)
    return str(caught.value)


def with_value(array, value, dtype=None):
    changed = np.array(array, dtype or array.dtype)
    changed[25] = value  # in the second partition
    return changed


@pytest.mark.parametrize(
    ("plain", "inputs", "targets", "weight"),
    [
        (BackpropClassifier, with_value(X, np.nan), THREE, None),
        (BackpropRegressor, with_value(X, np.inf), NUMBERS, None),
        (BackpropClassifier, X, with_value(THREE, np.nan, float), None),
        (BackpropRegressor, X, with_value(NUMBERS, np.nan), None),
        (BackpropRegressor, X, with_value(NUMBERS, np.inf), None),
        (BackpropClassifier, with_value(X, "word", object), THREE, None),
        (BackpropClassifier, X, np.zeros(N_ROWS), None),
        (BackpropClassifier, X, THREE, with_value(WEIGHT, -1.0)),
        (BackpropClassifier, X, THREE, with_value(WEIGHT, np.nan)),
        (BackpropClassifier, X, NUMBERS, None),
        (BackpropClassifier, X, LABELS * 0.5, None),
    ],
)
def test_errors_in_partitions_equal_plain_estimator(
    client, plain, inputs, targets, weight
):
    expected = plain_error_message(plain, inputs, targets, weight)
    with pytest.raises(ValueError, match=r".") as caught:
        small(DASK[plain]).fit(to_dask(inputs), to_dask(targets), to_dask(weight))
    # Only the first lines are compared: later lines may refer to one partition.
    found = str(caught.value).replace("`", "")
    assert found.split("\n")[0] == expected.replace("`", "").split("\n")[0]


def test_unsupported_targets_raise(client):
    with pytest.raises(ValueError, match=r"0 or 1 everywhere|not supported"):
        classifier().fit(to_dask(X), to_dask(with_value(LABELS, 2)))
    with pytest.raises(ValueError, match="string"):
        regressor().fit(to_dask(X), to_dask(NAMES))


def test_negative_counts_raise(client):
    counts = with_value(COUNTS, -1.0)
    expected = plain_error_message(BackpropRegressor, X, counts, loss="poisson")
    with pytest.raises(ValueError, match=r".") as caught:
        regressor(loss="poisson").fit(to_dask(X), to_dask(counts))
    assert str(caught.value) == expected


def test_only_zero_weights_raise(client):
    with pytest.raises(ValueError, match=r"eight.*(only zeros|at least one non-zero)"):
        classifier().fit(to_dask(X), to_dask(THREE), to_dask(np.zeros(N_ROWS)))


def test_error_while_computing_partition_is_raised(client):
    def fails(block):
        raise KeyError("no such file")

    lazy = to_dask(X).map_blocks(fails, dtype=float, meta=np.empty((0, 0)))
    with pytest.raises(KeyError, match="no such file"):
        classifier().fit(lazy, to_dask(THREE))


@pytest.mark.parametrize(
    ("inputs", "targets", "message"),
    [
        (X, to_dask(THREE), "X must be a dask .* got numpy.ndarray"),
        (pd.DataFrame(X), to_dask(THREE), "X must be a dask .* got pandas.DataFrame"),
        (csr_array(X), to_dask(THREE), "X must be a dask .* got scipy.csr_array"),
        (X.tolist(), to_dask(THREE), "X must be a dask .* got builtins.list"),
        (to_dask(X), THREE, "y must be a dask .* got numpy.ndarray"),
        (to_dask(X), None, "y must be a dask .* got builtins.NoneType"),
    ],
)
def test_data_in_memory_raise(client, inputs, targets, message):
    with pytest.raises(TypeError, match=message):
        classifier().fit(inputs, targets)


def test_weights_in_memory_raise(client):
    with pytest.raises(TypeError, match="sample_weight must be a dask Array"):
        classifier().fit(to_dask(X), to_dask(THREE), WEIGHT)


def test_predict_for_data_in_memory_raises(client, fitted):
    with pytest.raises(TypeError, match=r"to_local\(\)"):
        fitted["three"].predict(X)


def test_sparse_partitions_raise(client):
    sparse = to_dask(X).map_blocks(csr_array, dtype=float)
    with pytest.raises(
        ValueError, match="Sparse partitions of X or y are not supported"
    ):
        classifier().fit(sparse, to_dask(THREE))


def test_mismatched_partitions_raise(client):
    frame = to_dask_frame(FRAME)
    counts = "{'X': 6, 'y': 2}"
    with pytest.raises(ValueError, match=f"same number of partitions, got {counts}"):
        classifier().fit(frame, to_dask(THREE, (30, 40)))
    unknown = with_unknown_chunks(to_dask(THREE, (30, 40)))
    with pytest.raises(ValueError, match="same number of partitions"):
        classifier().fit(to_dask(X), unknown)
    with pytest.raises(ValueError, match="X has 70 rows and y has 69"):
        classifier().fit(to_dask(X), to_dask(THREE[:-1], (30, 39)))
    with pytest.raises(ValueError, match="X has 70 rows and sample_weight has 30"):
        classifier().fit(to_dask(X), to_dask(THREE), to_dask(WEIGHT[:30], (30,)))
    fewer = with_unknown_chunks(to_dask(THREE[:-1], (*SIZES[:-1], SIZES[-1] - 1)))
    message = "same number of rows .* Partition 5 has {'X': 11, 'y': 10}"
    with pytest.raises(ValueError, match=message):
        classifier().fit(to_dask(X), fewer)


def test_different_numbers_of_rows_raise(client):
    with pytest.raises(ValueError, match=r"rows|partitions"):
        classifier().fit(to_dask(X), to_dask(THREE[:60], (20, 13, 0, 1, 25, 1)))


def test_data_without_rows_raise(client):
    nothing = to_dask(X)[:, 0] > 1e9
    with pytest.raises(ValueError, match=r"rows|sample"):
        classifier().fit(to_dask(X)[nothing], to_dask(THREE)[nothing])


@pytest.mark.parametrize("inputs", [to_dask(NUMBERS), da.zeros((70, 2, 2))])
def test_inputs_with_wrong_dimensions_raise(client, inputs, fitted):
    with pytest.raises(ValueError, match=r"dim|2D"):
        classifier().fit(inputs, to_dask(THREE))
    with pytest.raises(ValueError, match=r"dim|2D"):
        fitted["three"].predict(inputs)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"sync": "never"}, "'sync' parameter of DaskBackpropClassifier"),
        ({"solver": "adm"}, "Did you mean 'adam'"),
        (
            {"sync": "epoch", "solver": "lbfgs"},
            "sync='epoch' is not supported with solver='lbfgs'",
        ),
        ({"solver": "lbfgs", "dropout": 0.5}, "dropout=0.5 has no meaning"),
        ({"early_stopping": True}, "early_stopping=True requires X_val and y_val"),
    ],
)
def test_invalid_parameters_raise(client, params, message):
    with pytest.raises(ValueError, match=message):
        classifier(**params).fit(to_dask(X), to_dask(THREE))


def test_invalid_validation_data_raise(client):
    data = to_dask(X), to_dask(THREE)
    with pytest.raises(ValueError, match="y_val is missing"):
        classifier().fit(*data, X_val=X)
    with pytest.raises(
        ValueError, match="In X_val, y_val or sample_weight_val: X has 2"
    ):
        classifier().fit(*data, X_val=X[:, :2], y_val=THREE)


def test_different_features_in_predict_raise(client, fitted):
    with pytest.raises(ValueError, match="X has 2 features"):
        fitted["three"].predict(to_dask(X[:, :2]))
    with pytest.raises(ValueError, match="feature names should match"):
        fitted["frame"].predict(to_dask_frame(FRAME[["a", "b"]]))


def test_too_large_batch_size_warns(client):
    with pytest.warns(UserWarning, match="going to be clipped"):
        net = classifier(batch_size=1000).fit(to_dask(X), to_dask(THREE))
    assert net.to_local()._state.n_updates == 3


def test_missing_client_raises(monkeypatch):
    def none():
        raise ValueError("No clients found")

    monkeypatch.setattr("skbackprop.dask.base.default_client", none)
    with pytest.raises(ValueError, match="No Dask client found"):
        classifier().fit(to_dask(X), to_dask(THREE))


# ---------------------------------------------------------------- lost workers


def all_workers_alive(client):
    """Return whether the cluster has all its workers and all of them respond."""
    pids = client.run(os.getpid, on_error="return").values()
    return len(pids) == N_WORKERS and all(isinstance(pid, int) for pid in pids)


def process_ids(client):
    """Return the process ids of all workers that respond."""
    return sorted(client.run(os.getpid, on_error="ignore").values())


@contextmanager
def kill_workers(client, method, *calls, n_killed=1):
    """Kill workers before the given calls of a method of `Shards`.

    All workers take part in a fit, so that it does not matter which of them are killed.

    Parameters
    ----------
    client : distributed.Client
        Client of the cluster.
    method : str
        Name of the method of `Shards`.
    *calls : int
        Numbers of the calls, starting from 1. At least the first of these calls must
        happen.
    n_killed : int, default=1
        Number of workers to kill before each of these calls.

    Yields
    ------
    list of str
        One entry per call of the method so far.
    """
    called, original = [], getattr(Shards, method)

    def kill_and_call(shards, *args, **kwargs):
        called.append(method)
        if len(called) in calls:
            for pid in process_ids(client)[-n_killed:]:
                os.kill(pid, signal.SIGKILL)
        return original(shards, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Shards, method, kill_and_call)
        yield called
    assert len(called) >= min(calls)


def task_keys(client):
    """Return the keys of all tasks that the scheduler stores."""
    return set(client.run_on_scheduler(lambda dask_scheduler: [*dask_scheduler.tasks]))


def make_lazy_data():
    return to_dask(X), to_dask(THREE), to_dask(WEIGHT)


@pytest.fixture(scope="module")
def fit_without_loss(_cluster):
    """Return a function that fits without lost workers, with cached results."""
    found = {}

    def of(params):
        with _cluster.as_current():
            key = str(params)
            if key not in found:
                found[key] = classifier(**params).fit(*make_lazy_data())
            return found[key]

    return of


@pytest.mark.slow
@SYNCS
def test_worker_lost_during_training(killable_client, fit_without_loss, params):
    # There is one call per step, per epoch or per L-BFGS evaluation.
    call = 8 if params.get("sync") == "step" else 2
    with kill_workers(killable_client, "_call_actors", call):
        net = classifier(**params).fit(*make_lazy_data())
    if params.get("sync") == "epoch":  # the placement of partitions may differ
        assert len(net.history_) == 3
        assert np.isfinite(net.loss_)
        return
    rtol = 1e-7 if "solver" in params else 1e-10
    assert_same(fit_without_loss(params), net, rtol=rtol)


@pytest.mark.slow
def test_all_workers_lost_at_once(killable_client, fit_without_loss):
    with kill_workers(killable_client, "_call_actors", 8, n_killed=N_WORKERS):
        net = classifier().fit(*make_lazy_data())
    assert_same(fit_without_loss({}), net)


@pytest.mark.slow
def test_epoch_result_after_loss_with_one_partition_per_worker(killable_client):
    # Each shard has one partition, so that its rows do not depend on the placement.
    data = to_dask(X, (30, 40)), to_dask(THREE, (30, 40))
    expected = classifier(sync="epoch").fit(*data)
    with kill_workers(killable_client, "_call_actors", 2):
        net = classifier(sync="epoch").fit(*data)
    assert_same(expected, net)


@pytest.mark.slow
@pytest.mark.parametrize("n_killed", [1, N_WORKERS])
def test_lost_persisted_partitions_are_computed_again(
    killable_client, fit_without_loss, n_killed
):
    data = killable_client.persist(list(make_lazy_data()))
    wait(data)
    with kill_workers(killable_client, "_call_actors", 8, n_killed=n_killed):
        net = classifier().fit(*data)
    assert_same(fit_without_loss({}), net)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "call"),
    [
        ("_compute_partitions", 1),
        ("_collect_counts", 1),
        ("_submit_shard", 1),
        ("_submit_call", 1),  # summarize
        ("_submit_call", 4),  # read
        ("_submit_call", 6),  # measure
    ],
)
def test_worker_lost_before_training(killable_client, fit_without_loss, method, call):
    with kill_workers(killable_client, method, call):
        net = classifier().fit(*make_lazy_data())
    assert_same(fit_without_loss({}), net)


@pytest.mark.slow
@pytest.mark.parametrize("n_killed", [1, N_WORKERS])
def test_workers_lost_while_computing_partitions(
    killable_client, fit_without_loss, tmp_path, n_killed
):
    # If all workers are lost, their replacements must compute the partitions.
    client_pid, fuses = os.getpid(), [tmp_path / str(i) for i in range(n_killed)]

    def kill_once(block):
        assert os.getpid() != client_pid
        for fuse in fuses:
            with suppress(FileNotFoundError):
                fuse.unlink()
                os.kill(os.getpid(), signal.SIGKILL)
        return block

    for fuse in fuses:
        fuse.touch()
    inputs, targets, weight = make_lazy_data()
    inputs = inputs.map_blocks(kill_once, dtype=float, meta=np.empty((0, 0)))
    net = classifier().fit(inputs, targets, weight)
    assert not any(fuse.exists() for fuse in fuses)
    assert_same(fit_without_loss({}), net)


@pytest.mark.slow
def test_worker_lost_during_a_step(killable_client, fit_without_loss, tmp_path):
    # The worker dies during a computation, not between messages.
    client_pid, fuse = os.getpid(), tmp_path / "fuse"

    class Deadly(Activation):
        """ReLU that kills the first worker that finds the fuse file."""

        def forward(self, z, out):
            if len(z) > 1 and os.getpid() != client_pid:
                with suppress(FileNotFoundError):
                    fuse.unlink()
                    os.kill(os.getpid(), signal.SIGKILL)
            np.maximum(z, 0.0, out=out)

        def backward(self, delta, a, z, scratch):
            delta *= z > 0.0

    fuse.touch()
    net = classifier(activation=Deadly()).fit(*make_lazy_data())
    assert not fuse.exists()
    assert_same(fit_without_loss({}), net)


@pytest.mark.slow
def test_lost_shard_leaves_no_tasks(killable_client):
    # Remaining tasks would wait for the lost worker and keep partitions in memory.
    before = task_keys(killable_client)
    gc.disable()  # garbage collection could delete the tasks
    try:
        with kill_workers(killable_client, "_call_actors", 8):
            classifier().fit(*make_lazy_data())
        deadline = monotonic() + 10
        while not task_keys(killable_client) <= before:
            assert monotonic() < deadline
            sleep(0.1)
    finally:
        gc.enable()


@pytest.mark.slow
def test_repeated_losses_at_different_steps(killable_client, fit_without_loss):
    # The limit of failures applies to each step. Long trainings lose many workers.
    kills = 2, 5, 8, 11
    assert len(kills) > dask.config.get("distributed.scheduler.allowed-failures")
    with kill_workers(
        killable_client, "_call_actors", *kills, n_killed=N_WORKERS
    ) as called:
        net = classifier().fit(*make_lazy_data())
    assert len(called) >= max(kills)
    assert_same(fit_without_loss({}), net)


@pytest.mark.slow
def test_repeated_losses_in_same_step_raise(killable_client):
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        # The cluster may detect the losses of one call separately.
        kill_workers(killable_client, "_call_actors", 2, 3, n_killed=N_WORKERS),
        pytest.raises(RuntimeError, match="workers were lost 2 times in the same step"),
    ):
        classifier().fit(*make_lazy_data())


@pytest.mark.slow
@pytest.mark.parametrize("method", ["_compute_partitions", "_call_actors"])
def test_lost_partitions_are_named(killable_client, method):
    # Scattered data exist only in the memory of the workers.
    processes = killable_client.run(os.getpid)
    # All data are on the worker that is killed.
    doomed = [max(processes, key=processes.get)]
    blocks = []
    for array, shape in ((X, (35, 5)), (THREE, (35,))):
        halves = [array[:35], array[35:]]
        # Without hashing, the keys differ from the keys that another test has lost.
        sent = killable_client.scatter(halves, workers=doomed, hash=False)
        parts = [da.from_delayed(dask.delayed(s), shape, array.dtype) for s in sent]
        blocks.append(da.concatenate(parts))
    with (
        kill_workers(killable_client, method, 1),
        # The message names the lost partitions that the cluster has detected so far.
        pytest.raises(RuntimeError, match=r"Partitions \[(0|1|0, 1)\] are lost"),
    ):
        classifier().fit(*blocks)


@contextmanager
def workers_without_nannies(n_workers):
    """Start workers that are not restarted, and yield a client of their cluster."""
    with (
        LocalCluster(n_workers=0, dashboard_address=":0") as scheduler,
        Client(scheduler, timeout=60) as client,
    ):
        command = [sys.executable, "-m", "distributed.cli.dask_worker", "--no-nanny"]
        command += ["--nthreads", "1", "--no-dashboard", scheduler.scheduler_address]
        processes = [
            subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            for _ in range(n_workers)
        ]
        try:
            client.wait_for_workers(n_workers, timeout=100)
            yield client
        finally:
            for process in processes:
                process.kill()
                process.wait()


@pytest.mark.slow
def test_lost_workers_are_not_replaced_without_nanny(fit_without_loss, monkeypatch):
    with workers_without_nannies(2) as client:
        with kill_workers(client, "_call_actors", 8):
            net = classifier().fit(*make_lazy_data())
        assert len(client.nthreads()) == 1
        assert_same(fit_without_loss({}), net)
        # The only remaining worker is lost.
        monkeypatch.setattr("skbackprop.dask.shards.NO_WORKER_TIMEOUT", 0.5)
        with (
            kill_workers(client, "_call_actors", 3),
            pytest.raises(RuntimeError, match=r"no workers for 0\.5 seconds"),
        ):
            classifier().fit(*make_lazy_data())
        with pytest.raises(RuntimeError, match=r"no workers for 0\.5 seconds"):
            classifier().fit(*make_lazy_data())
