"""Dask estimators fitted on a cluster of two worker processes."""

import os
import pickle
from time import monotonic, sleep

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("distributed")

import dask.dataframe as dd
from clusters import N_WORKERS
from distributed import Client, Future, wait
from partitioned_data import (
    COUNTS,
    FRAME,
    LABELS,
    N_ROWS,
    NAMES,
    NUMBERS,
    SEVERAL,
    SIZES,
    THREE,
    TWO,
    WEIGHT,
    X,
    bounds,
)
from shards_in_process import DASK
from single_process import assert_same, fit_plain
from sklearn.exceptions import ConvergenceWarning
from small_dask_fits import (
    CLUSTER_TESTS,
    ESTIMATORS,
    ROWS,
    SYNCS,
    assert_same_predictions,
    classifier,
    regressor,
    small,
    to_dask,
    to_dask_dataframe,
    with_unknown_chunks,
)

from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop.dask.shards import Shards, WorkerLostError
from skbackprop.dask.strategies import ParameterAveraging, SynchronousSGD

pytestmark = CLUSTER_TESTS

# ------------------------------------------------- same result as in one process

CASES = {
    "one classifier": (BackpropClassifier, THREE, None, {}),
    "names and weights": (BackpropClassifier, NAMES, WEIGHT, {}),
    "two classes": (BackpropClassifier, TWO, None, {"class_weight": "balanced"}),
    "labels": (BackpropClassifier, LABELS, WEIGHT, {}),
    "numbers": (BackpropRegressor, NUMBERS, WEIGHT, {}),
    "bins": (BackpropRegressor, NUMBERS, WEIGHT, {"n_bins": 6}),
    "several": (BackpropRegressor, SEVERAL, None, {"solver": "sgd"}),
    "counts": (BackpropRegressor, COUNTS, None, {"loss": "poisson"}),
    "positive": (
        BackpropRegressor,
        1e3 * COUNTS,
        WEIGHT,
        {"output_activation": "relu"},
    ),
    "softplus": (
        BackpropRegressor,
        1e3 * COUNTS,
        None,
        {"output_activation": "softplus"},
    ),
    "quantiles": (
        BackpropRegressor,
        NUMBERS,
        None,
        {"loss": "quantile", "quantile": [0.2, 0.8]},
    ),
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
    frame = to_dask_dataframe(FRAME.assign(name=NAMES))
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
    frame = to_dask_dataframe(table)
    features = frame[["a", "b"]]
    expected = fit_plain(BackpropRegressor, FRAME[["a", "b"]], NUMBERS, WEIGHT)
    for y, weight in [
        (frame["target"], frame["weight"]),
        (frame["target"].to_dask_array(), to_dask(WEIGHT)),
        (to_dask(NUMBERS), frame["weight"].to_dask_array()),
    ]:
        assert_same(expected, regressor().fit(features, y, weight))
    both = table.assign(other=SEVERAL[:, 1])[["target", "other"]]
    net = regressor().fit(features, to_dask_dataframe(both))
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


def test_arrays_with_missing_values(client):
    values = X.copy()
    values[::4, 1] = np.nan
    net = classifier().fit(to_dask(values), to_dask(THREE))
    expected = fit_plain(BackpropClassifier, values, THREE)
    assert_same(expected, net, 1e-9)
    assert_same_predictions(
        net.predict(to_dask(values)).compute(), expected.predict(values)
    )


def test_feature_with_many_categories(client):
    levels = [f"city {i}" for i in range(400)]
    cities = np.random.default_rng(0).choice(levels, N_ROWS)
    frame = FRAME.assign(city=pd.Categorical(cities, categories=levels))
    net = classifier().fit(to_dask_dataframe(frame), to_dask(THREE))
    assert_same(fit_plain(BackpropClassifier, frame, THREE), net, 1e-9)


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
    table = to_dask_dataframe(pd.DataFrame(X, columns=list("abcde")).assign(y=THREE))
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
    frame = client.persist(to_dask_dataframe(table))
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
    # The summary of a partition has three values per feature. A row has 16000 bytes.
    assert max(sizes) < 2.5 * 16000


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


# --------------------------------------------- single classes, categories and solvers


@SYNCS
@pytest.mark.parametrize("label", [2, "only"])
def test_single_class(client, params, label):
    y = np.repeat(label, N_ROWS)
    net = classifier(**params).fit(to_dask(X), to_dask(y))
    assert net.classes_.tolist() == [label]
    assert_same_predictions(net.predict(to_dask(X)).compute(), y)
    probabilities = net.predict_proba(to_dask(X)).compute()
    np.testing.assert_array_equal(probabilities, np.ones((N_ROWS, 1)))
    assert net.score(to_dask(X), to_dask(y)) == 1.0


def test_warm_start_warns_once_about_new_categories(client):
    later = FRAME.assign(kind=pd.Categorical(np.where(TWO, "low", "huge")))
    later["kind"] = later["kind"].cat.add_categories("unused")
    net = classifier(warm_start=True)
    net.fit(to_dask_dataframe(FRAME), to_dask(THREE))
    with pytest.warns(UserWarning, match="column 'kind': 'huge'\\. They") as caught:
        net.fit(to_dask_dataframe(later), to_dask(THREE))
    assert sum("does not know" in str(w.message) for w in caught) == 1


def test_float32_columns_give_float32_network(client):
    frame = pd.DataFrame(X, columns=list("abcde")).astype("Float32")
    net = classifier().fit(to_dask_dataframe(frame), to_dask(THREE))
    assert (
        net.coefs_[0].dtype
        == small(BackpropClassifier).fit(frame, THREE).coefs_[0].dtype
    )
    assert net.coefs_[0].dtype == np.float32


def test_lbfgs_warns_once_about_ignored_schedule(client):
    net = classifier(solver="lbfgs", learning_rate="adaptive", batch_size="auto")
    with pytest.warns(
        UserWarning, match="learning_rate='adaptive' is ignored"
    ) as caught:
        net.fit(to_dask(X), to_dask(THREE))
    assert sum("is ignored" in str(w.message) for w in caught) == 1


def test_dates_raise(client):
    frame = FRAME.assign(day=pd.Timestamp("2020-01-01"))
    with pytest.raises(ValueError, match=r"X contains dates .*'day'.*`X.'day'. = "):
        classifier().fit(to_dask_dataframe(frame), to_dask(THREE))
    net = classifier().fit(to_dask_dataframe(FRAME[["a"]]), to_dask(THREE))
    days = to_dask_dataframe(pd.DataFrame({"a": frame["day"]}))
    with pytest.raises(ValueError, match="X contains dates"):
        net.predict(days)


@SYNCS
@pytest.mark.filterwarnings("default::sklearn.exceptions.ConvergenceWarning")
def test_fit_that_learned_nothing_warns(client, params):
    if params.get("solver") == "lbfgs":
        frozen = {"tol": 100.0}
    else:
        frozen = {"learning_rate_init": 1e-12, "max_iter": 99, "n_iter_no_change": 1}
    net = regressor(**params, **frozen)
    with pytest.warns(ConvergenceWarning, match="not improved on a constant"):
        net.fit(to_dask(X), to_dask(NUMBERS))
