"""Training on dask collections whose partitions stay on the workers of a cluster."""

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
    plainly,
)

import skbackprop.dask
from skbackprop import Activation, BackpropClassifier, BackpropRegressor
from skbackprop.dask import DaskBackpropClassifier, DaskBackpropRegressor
from skbackprop.dask.shards import Shards, WorkerLostError
from skbackprop.dask.strategies import ParameterAveraging, SynchronousSGD

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning"  # few epochs are enough
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
#: Of the partitions that have any: dask leaves the others out, where it knows of them.
ROWS = tuple(size for size in SIZES if size)
#: Seconds after which a test is taken to hang; far more than it takes.
LIMIT = 100


@pytest.fixture(autouse=True)
def _never_hang():
    """Have a test that waits for ever fail, wherever it waits."""

    def fail(number, frame):
        pytest.fail(f"The test took more than {LIMIT} seconds.")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(LIMIT)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def _cluster():
    with cluster() as client:
        yield client


@pytest.fixture
def client(_cluster):
    """Return a client whose workers are well."""
    with _cluster.as_current():
        yield _cluster


@pytest.fixture(scope="module")
def _cluster_to_hurt():
    # Nannies start another process where one is killed. A cluster takes one that is
    # killed every now and then for one that never came back, and drops it.
    patient = dask.config.set({"distributed.deploy.lost-worker-timeout": "1 hour"})
    with patient, cluster() as client:
        yield client


@pytest.fixture
def victims(_cluster_to_hurt):
    """Return a client whose workers may be killed; all are there again."""
    while not all_are_there(_cluster_to_hurt):
        sleep(0.1)
    with _cluster_to_hurt.as_current():
        yield _cluster_to_hurt


def spread(array, sizes=SIZES):
    """Cut an array into partitions; None stays None."""
    if array is None:
        return None
    return da.from_array(array, chunks=(tuple(sizes), *array.shape[1:]))


def spread_frame(frame, sizes=SIZES):
    return dd.from_map(frame.iloc.__getitem__, bounds(sizes), meta=frame.iloc[:0])


def without_sizes(array):
    """Return a dask Array that does not know how many rows it has."""
    return array[da.ones(array.shape[0], dtype=bool, chunks=array.chunks[:1])]


def small(make, **params):
    return make(**{**SMALL, **params})


def classifier(**params):
    return small(DaskBackpropClassifier, **params)


def regressor(**params):
    return small(DaskBackpropRegressor, **params)


def assert_same_answers(mine, theirs):
    if theirs.dtype.kind == "f":
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-12)
    else:
        np.testing.assert_array_equal(mine, theirs)
    assert mine.dtype == theirs.dtype


def actors(client):
    """Return how many actors each worker has."""
    found = client.run(lambda dask_worker: len(dask_worker.state.actors))
    return list(found.values())


def eventually(condition):
    """Wait for what the cluster does in its own time; say whether it did."""
    deadline = monotonic() + 20
    while not condition():
        if monotonic() > deadline:
            return False
        sleep(0.02)
    return True


# -------------------------------------------------------- the same as one process

LAYOUTS = {
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


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_fit_is_that_of_one_process(client, layout):
    plain, y, weight, params = LAYOUTS[layout]
    net = small(DASK[plain], **params)
    assert net.fit(spread(X), spread(y), spread(weight)) is net
    assert_same(plainly(plain, X, y, weight, **params), net)


@ESTIMATORS
def test_lbfgs_is_that_of_a_plain_fit(client, plain, make, y):
    params = {"solver": "lbfgs", "batch_size": "auto", "max_iter": 6}
    net = small(make, **params).fit(spread(X), spread(y), spread(WEIGHT))
    assert_same(small(plain, **params).fit(X, y, WEIGHT), net, rtol=1e-7)


def test_epochs_of_one_partition_are_those_of_a_plain_fit(client):
    params = {"shuffle": False}
    net = classifier(sync="epoch", **params).fit(
        spread(X, [N_ROWS]), spread(THREE, [N_ROWS])
    )
    assert_same(small(BackpropClassifier, **params).fit(X, THREE), net, rtol=1e-12)


def test_frames_are_learned_from_as_one_process_learns_from_them(client):
    frame = spread_frame(FRAME.assign(name=NAMES))
    features = frame[list(FRAME.columns)]
    net = classifier().fit(features, frame["name"])
    expected = plainly(BackpropClassifier, FRAME, NAMES)
    assert_same(expected, net, rtol=1e-9)
    assert net.feature_names_in_.tolist() == list(FRAME.columns)
    np.testing.assert_array_equal(net.classes_, expected.classes_)
    assert_same_answers(net.predict(features).compute(), expected.predict(FRAME))
    assert_same_answers(
        net.predict_proba(features).compute(), expected.predict_proba(FRAME)
    )


def test_targets_and_weights_may_come_as_series_frames_and_arrays(client):
    table = FRAME.assign(target=NUMBERS, weight=WEIGHT)
    frame = spread_frame(table)
    features = frame[["a", "b"]]
    expected = plainly(BackpropRegressor, FRAME[["a", "b"]], NUMBERS, WEIGHT)
    for y, weight in [
        (frame["target"], frame["weight"]),
        (frame["target"].to_dask_array(), spread(WEIGHT)),
        (spread(NUMBERS), frame["weight"].to_dask_array()),
    ]:
        assert_same(expected, regressor().fit(features, y, weight))
    both = table.assign(other=SEVERAL[:, 1])[["target", "other"]]
    net = regressor().fit(features, spread_frame(both))
    assert_same(plainly(BackpropRegressor, FRAME[["a", "b"]], both.to_numpy()), net)


def test_words_are_categories_where_they_are_named(client):
    words = FRAME[["a"]].assign(word=NAMES.astype(object))
    whole = dd.from_pandas(words, npartitions=3)  # which may make them strings
    net = classifier(categorical_features=["word"], batch_size=N_ROWS, shuffle=False)
    net.fit(whole, spread(THREE, [len(p) for p in whole.partitions]))
    expected = small(
        BackpropClassifier,
        categorical_features=["word"],
        batch_size=N_ROWS,
        shuffle=False,
    )
    assert_same(expected.fit(words, THREE), net, rtol=1e-9)
    assert_same_answers(net.predict(whole).compute(), expected.predict(words))


def test_categories_may_be_unknown_to_dask(client):
    parts = [FRAME[["a", "kind"]].iloc[rows] for rows in bounds((30, 40))]
    parts = [
        part.assign(kind=part["kind"].cat.remove_unused_categories()) for part in parts
    ]
    parts[0]["kind"] = parts[0]["kind"].cat.remove_categories(["mid"])
    meta = parts[0].iloc[:0].assign(kind=pd.Categorical([], ["__UNKNOWN_CATEGORIES__"]))
    frame = dd.from_map(lambda number: parts[number], [0, 1], meta=meta)
    net = classifier().fit(frame, spread(THREE, (30, 40)))
    whole = pd.concat(parts).astype({"kind": "category"})
    assert_same(plainly(BackpropClassifier, whole, THREE, sizes=(30, 40)), net, 1e-9)


def test_inputs_may_be_cut_by_columns_and_targets_elsewhere(client):
    cut = spread(X).rechunk({1: 2})
    assert cut.numblocks == (6, 3)
    y, weight = spread(LABELS, [50, 20]).rechunk({1: 1}), spread(WEIGHT, [7] * 10)
    net = classifier().fit(cut, y, weight)
    assert_same(plainly(BackpropClassifier, X, LABELS, WEIGHT), net)
    answers = net.predict_proba(cut)
    assert answers.chunks == (ROWS, (3,))
    assert_same_answers(answers.compute(), net.to_local().predict_proba(X))


def test_numbers_of_rows_need_not_be_known(client):
    table = spread_frame(pd.DataFrame(X, columns=list("abcde")).assign(y=THREE))
    columns = table[list("abcde")].to_dask_array()
    target = table["y"].to_dask_array()
    assert np.isnan(columns.chunks[0]).all()
    expected = plainly(BackpropClassifier, X, THREE)
    assert_same(expected, classifier().fit(columns, target))
    assert_same(expected, classifier().fit(columns, spread(THREE)))
    net = classifier().fit(without_sizes(spread(X)), without_sizes(spread(THREE)))
    answers = net.predict(columns)
    assert np.isnan(answers.chunks[0]).all()
    assert_same_answers(answers.compute(), expected.predict(X))
    assert net.score(columns, target) == expected.score(X, THREE)


@pytest.mark.parametrize("worker", range(N_WORKERS))
def test_persisted_arrays_stay_where_they_are(client, worker):
    address = sorted(client.nthreads())[worker]
    data = client.persist([spread(X), spread(THREE)], workers=[address])
    wait(data)
    before = client.who_has(data)
    assert set(before.values()) == {(address,)}
    net = classifier().fit(*data)
    assert_same(plainly(BackpropClassifier, X, THREE), net)
    assert client.who_has(data) == before


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # dask's use of pandas
def test_files_of_which_few_columns_are_read_are_partitions_each(client, tmp_path):
    """dask reads several together where it needs few columns, as for y alone."""
    table = pd.DataFrame(X, columns=list("abcde")).assign(y=THREE, weight=WEIGHT)
    table = table.assign(**{f"unused_{i}": 0.0 for i in range(50)})
    dd.from_pandas(table, npartitions=7).to_parquet(tmp_path)
    frame = dd.read_parquet(tmp_path)
    features, y = frame[list("abcde")], frame["y"]
    assert y.optimize().npartitions < y.npartitions == 7
    net = classifier().fit(features, y, frame["weight"])
    rows = [10] * 7
    parts = spread(X, rows), spread(THREE, rows), spread(WEIGHT, rows)
    assert_same(classifier().fit(*parts), net)
    assert net.predict(features).npartitions == 7
    assert net.score(features, y) == net.to_local().score(table[list("abcde")], THREE)


def test_columns_that_are_not_needed_are_not_read(client):
    table = pd.DataFrame(X, columns=list("abcde")).assign(y=THREE, unused=0.0)

    def read(rows, columns=None):
        assert columns is not None
        assert "unused" not in columns
        return table[columns].iloc[rows]

    frame = dd.from_map(read, bounds(SIZES), meta=table.iloc[:0])
    features = frame[list("abcde")]
    net = classifier().fit(features, frame["y"])
    assert_same(plainly(BackpropClassifier, X, THREE), net)
    net.predict(features).compute()


def test_persisted_frames_stay_where_they_are(client):
    table = pd.DataFrame(X, columns=list("abcde")).assign(y=THREE)
    frame = client.persist(spread_frame(table))
    wait(frame)
    before = client.who_has(frame)
    assert len(before) == len(SIZES)
    net = classifier().fit(frame[list("abcde")], frame["y"])
    assert_same(plainly(BackpropClassifier, table[list("abcde")], THREE), net)
    assert client.who_has(frame) == before


def test_partitions_that_a_filter_left_empty_are_left_out(client):
    keep = np.ones(N_ROWS, bool)
    keep[20:34] = False  # all rows of three partitions
    X_kept, y_kept = spread(X)[spread(keep)], spread(THREE)[spread(keep)]
    net = classifier().fit(X_kept, y_kept)
    sizes = (20, 0, 0, 0, 25, 11)
    assert_same(plainly(BackpropClassifier, X[keep], THREE[keep], sizes=sizes), net)
    assert_same_answers(
        net.predict_proba(X_kept).compute(), net.to_local().predict_proba(X[keep])
    )


def test_classes_may_be_missing_in_partitions(client):
    order = np.argsort(NAMES, kind="stable")
    net = classifier(class_weight="balanced").fit(
        spread(X[order]), spread(NAMES[order])
    )
    assert net.classes_.tolist() == ["high", "low", "mid"]
    expected = plainly(
        BackpropClassifier, X[order], NAMES[order], class_weight="balanced"
    )
    assert_same(expected, net)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_all_rows_of_a_partition_may_weigh_nothing(client, solver):
    weight = WEIGHT.copy()
    weight[:20] = 0.0
    params = {"solver": solver, "batch_size": N_ROWS, "shuffle": False}
    net = classifier(**params).fit(spread(X), spread(THREE), spread(weight))
    expected = small(BackpropClassifier, **params).fit(X, THREE, weight)
    assert_same(expected, net, rtol=1e-7)


@ESTIMATORS
def test_single_precision_is_kept(client, plain, make, y):
    single = X.astype(np.float32)
    net = small(make, max_iter=2).fit(spread(single), spread(y))
    assert {W.dtype for W in net.coefs_} == {np.dtype("float32")}
    assert_same(plainly(plain, single, y, max_iter=2), net, rtol=1e-4)
    for method in ("predict", "predict_proba"):
        if hasattr(net, method):
            mine, theirs = getattr(net, method), getattr(net.to_local(), method)
            answers = mine(spread(single))
            assert answers.dtype == theirs(single).dtype == answers.compute().dtype


def test_fits_are_repeated_exactly(client):
    for params in ({}, {"sync": "epoch"}, {"sync": "epoch", "dropout": 0.2}):
        one, other = (
            classifier(**params).fit(spread(X), spread(THREE)) for _ in range(2)
        )
        assert_same(one, other, rtol=1e-12)


# ------------------------------------------------------------- where things happen


def test_partitions_are_made_on_workers_and_do_not_leave_them(client, monkeypatch):
    here = os.getpid()

    def made(block):
        assert os.getpid() != here
        return np.repeat(block, 400, axis=1)

    wide = spread(X).map_blocks(made, dtype=float, chunks=(SIZES, (5 * 400,)))
    sizes, result = [], Future.result

    def noting(future, timeout=None):
        found = result(future, timeout)
        if type(found).__name__ != "Actor":
            sizes.append(len(pickle.dumps(found)))
        return found

    monkeypatch.setattr(Future, "result", noting)
    monkeypatch.setattr(
        Client, "gather", lambda *args, **kwargs: pytest.fail("gathered")
    )
    net = classifier(max_iter=1, standardize=False).fit(wide, spread(THREE))
    assert net.n_features_in_ == 2000
    assert sizes
    assert max(sizes) < 5000  # a single row has 16000 bytes


@pytest.mark.parametrize("sync", ["step", "epoch"])
def test_each_worker_has_one_actor_and_none_after_the_fit(client, monkeypatch, sync):
    found, of = [], {"step": SynchronousSGD, "epoch": ParameterAveraging}[sync]
    run = of.run

    def looking(epoch, rates):
        found.append(actors(client))
        return run(epoch, rates)

    monkeypatch.setattr(of, "run", looking)
    net = classifier(sync=sync).fit(spread(X), spread(THREE))
    assert found == [[1, 1]] * 3
    assert net.n_iter_ == 3
    assert eventually(lambda: actors(client) == [0, 0])
    assert eventually(lambda: not any(client.who_has().values()))
    held = {"large": lambda dask_worker: len(dask_worker.data)}
    assert eventually(lambda: not any(client.run(held["large"]).values()))


def test_nothing_is_left_on_workers_by_a_fit_that_fails(client):
    with pytest.raises(ValueError, match="diverged"):
        regressor(learning_rate_init=1e200, solver="sgd").fit(
            spread(X), spread(NUMBERS)
        )
    assert eventually(lambda: actors(client) == [0, 0])


def test_partitions_are_let_go_of_though_an_error_is_kept(client):
    """As a notebook keeps the last one, and with it what was in hand."""
    others = spread(THREE[:60], (20, 13, 0, 1, 25, 1))
    with pytest.raises(ValueError, match="different numbers of rows") as kept:
        classifier().fit(spread(X), without_sizes(others))
    assert eventually(lambda: not any(client.has_what().values()))
    assert kept.tb is not None


def test_shards_are_let_go_of_where_one_can_not_be_made(client, monkeypatch):
    real, calls = Shards._made, []

    def made(self, future, address):
        calls.append(real(self, future, address))
        if len(calls) == 2:
            raise WorkerLostError
        return calls[-1]

    run, found = SynchronousSGD.run, []

    def looking(epoch, rates):
        found.append(actors(client))
        return run(epoch, rates)

    monkeypatch.setattr(Shards, "_made", made)
    monkeypatch.setattr(SynchronousSGD, "run", looking)
    net = classifier().fit(spread(X), spread(THREE))
    assert len(calls) == 2 + N_WORKERS
    assert found == [[1, 1]] * 3
    assert_same(plainly(BackpropClassifier, X, THREE), net)


# --------------------------------------------------------------------- predictions


@pytest.fixture(scope="module")
def fitted(_cluster):
    """Return fitted estimators by what they are."""
    with _cluster.as_current():
        return {
            "three": classifier().fit(spread(X), spread(NAMES)),
            "two": classifier().fit(spread(X), spread(TWO)),
            "labels": classifier().fit(spread(X), spread(LABELS)),
            "numbers": regressor().fit(spread(X), spread(NUMBERS)),
            "several": regressor().fit(spread(X), spread(SEVERAL)),
            "quantiles": regressor(loss="quantile", quantile=[0.2, 0.8]).fit(
                spread(X), spread(NUMBERS)
            ),
            "frame": classifier().fit(spread_frame(FRAME), spread(NAMES)),
        }


METHODS = ["predict", "predict_proba", "predict_log_proba", "decision_function"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["three", "two", "labels"])
def test_classifiers_answer_partition_by_partition(client, fitted, kind, method):
    net = fitted[kind]
    answers = getattr(net, method)(spread(X))
    assert isinstance(answers, da.Array)
    expected = getattr(net.to_local(), method)(X)
    assert answers.chunks[0] == ROWS
    assert answers.shape == expected.shape
    assert answers.dtype == expected.dtype
    assert_same_answers(answers.compute(), expected)
    part = answers.blocks[3].compute()
    assert_same_answers(part, getattr(net.to_local(), method)(X[bounds(ROWS)[3]]))


@pytest.mark.parametrize("kind", ["numbers", "several", "quantiles"])
def test_regressors_answer_partition_by_partition(client, fitted, kind):
    net = fitted[kind]
    answers, expected = net.predict(spread(X)), net.to_local().predict(X)
    assert answers.chunks[0] == ROWS
    assert answers.shape == expected.shape
    assert_same_answers(answers.compute(), expected)
    for name in METHODS[1:]:
        assert not hasattr(net, name)


@pytest.mark.parametrize("method", METHODS)
def test_answers_to_frames_come_partition_by_partition(client, fitted, method):
    net = fitted["frame"]
    answers = getattr(net, method)(spread_frame(FRAME))
    expected = getattr(net.to_local(), method)(FRAME)
    assert answers.numblocks[0] == len(SIZES)
    assert np.isnan(answers.shape[0])
    assert answers.shape[1:] == expected.shape[1:]
    assert_same_answers(answers.compute(), expected)


def test_answers_are_not_computed_before_they_are_wanted(client, fitted):
    def too_early(block):
        raise RuntimeError("computed")

    lazy = spread(X).map_blocks(too_early, dtype=float, meta=np.empty((0, 0)))
    answers = fitted["three"].predict(lazy)
    with pytest.raises(RuntimeError, match="computed"):
        answers.compute()


@pytest.mark.filterwarnings("ignore:Running on a single-machine scheduler:UserWarning")
def test_answers_need_no_cluster(fitted):
    with dask.config.set(scheduler="synchronous"):
        answers = fitted["three"].predict(spread(X)).compute()
    assert_same_answers(answers, fitted["three"].to_local().predict(X))


@pytest.mark.parametrize("kind", ["three", "labels", "numbers", "several", "quantiles"])
def test_scores_are_those_of_the_plain_estimator(client, fitted, kind):
    net = fitted[kind]
    y = {"three": NAMES, "labels": LABELS, "several": SEVERAL}.get(kind, NUMBERS)
    plain = net.to_local()
    expected = plain.score(X, y)
    assert net.score(spread(X), spread(y)) == pytest.approx(expected, rel=1e-9)
    assert net.score(spread(X), y) == pytest.approx(expected, rel=1e-9)
    weighted = plain.score(X, y, WEIGHT)
    assert net.score(spread(X), spread(y), spread(WEIGHT)) == pytest.approx(weighted)
    assert net.score(spread(X), y, WEIGHT) == pytest.approx(weighted)
    assert isinstance(net.score(spread(X), y), float)


def test_quantiles_are_scored_by_their_pinball_loss(client, fitted):
    predicted = fitted["quantiles"].predict(spread(X)).compute()
    expected = [
        d2_pinball_score(NUMBERS, column, alpha=q)
        for q, column in zip((0.2, 0.8), predicted.T)
    ]
    score = fitted["quantiles"].score(spread(X), spread(NUMBERS))
    assert score == pytest.approx(np.mean(expected))


def test_frames_are_scored(client, fitted):
    table = spread_frame(FRAME.assign(name=NAMES, weight=WEIGHT))
    features = table[list(FRAME.columns)]
    net, plain = fitted["frame"], fitted["frame"].to_local()
    assert net.score(features, table["name"]) == plain.score(FRAME, NAMES)
    weighted = net.score(features, table["name"], table["weight"])
    assert weighted == pytest.approx(plain.score(FRAME, NAMES, WEIGHT))


# -------------------------------------------------------------- the plain estimator


@ESTIMATORS
def test_the_plain_estimator_is_a_copy_of_its_own(client, plain, make, y):
    net = small(make).fit(spread(X), spread(y))
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
    for mine, theirs in zip(net.coefs_, before):
        np.testing.assert_array_equal(mine, theirs)
    assert net.n_iter_ == 3
    again = pickle.loads(pickle.dumps(net.to_local()))
    np.testing.assert_array_equal(again.predict(X), net.to_local().predict(X))


def test_the_plain_estimator_can_be_read_where_there_is_no_dask(client, fitted):
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


def test_fitted_attributes_are_those_of_the_plain_estimator(client, fitted):
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


def test_before_a_fit_there_are_no_fitted_attributes():
    net = DaskBackpropClassifier()
    for name in ("coefs_", "classes_", "history_", "n_iter_", "_plain"):
        assert not hasattr(net, name)
    for method in METHODS:
        with pytest.raises(NotFittedError):
            getattr(net, method)(spread(X))
    with pytest.raises(NotFittedError):
        net.to_local()
    with pytest.raises(NotFittedError):
        net.score(spread(X), spread(THREE))


def test_a_fit_that_fails_leaves_the_last_one_as_it_was(client):
    net = classifier().fit(spread(X), spread(THREE))
    before = net.coefs_[0].copy()
    with pytest.raises(ValueError, match="contains NaN"):
        net.fit(spread(np.full_like(X, np.nan)), spread(THREE))
    np.testing.assert_array_equal(net.coefs_[0], before)


# --------------------------------------------------------------------- parameters


@ESTIMATORS
def test_parameters_are_those_of_the_plain_estimator_and_two_more(plain, make, y):
    theirs = {n: p.default for n, p in signature(plain).parameters.items()}
    ours = {n: p.default for n, p in signature(make).parameters.items()}
    assert ours == {**theirs, "sync": "step", "client": None}
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


def test_parameters_can_be_set_cloned_and_shown(client):
    net = classifier(client=client)
    assert net.set_params(alpha=0.5, sync="epoch") is net
    assert net.get_params()["alpha"] == 0.5
    with pytest.raises(ValueError, match="Invalid parameter"):
        net.set_params(no_such_parameter=1)
    net.fit(spread(X), spread(THREE))
    copied = clone(net)
    assert copied.client is client
    assert copied.get_params() == net.get_params()
    assert not hasattr(copied, "coefs_")
    assert repr(DaskBackpropRegressor((3,), sync="epoch")) == (
        "DaskBackpropRegressor(hidden_layer_sizes=(3,), sync='epoch')"
    )
    assert "alpha=0.5" in repr(net)


def test_clones_keep_what_was_requested_of_routing():
    with config_context(enable_metadata_routing=True):
        net = classifier().set_fit_request(sample_weight=True)
        requests = clone(net).get_metadata_routing().fit.requests
    assert requests["sample_weight"] is True


def test_a_client_must_be_one(client):
    with pytest.raises(TypeError, match=r"client must be a distributed.Client or None"):
        classifier(client=client.scheduler.address).fit(spread(X), spread(THREE))


def test_a_file_has_no_client(client):
    net = classifier(client=client).fit(spread(X), spread(THREE))
    again = pickle.loads(pickle.dumps(net))
    assert again.client is None
    assert net.client is client
    np.testing.assert_array_equal(again.coefs_[0], net.coefs_[0])
    assert_same_answers(again.predict(spread(X)).compute(), net.to_local().predict(X))
    assert_same(net, again.fit(spread(X), spread(THREE)), rtol=1e-12)


def test_a_client_that_is_passed_is_the_one_that_is_used(client):
    with Client(client.scheduler.address, set_as_default=False) as other:
        data = other.persist([spread(X), spread(THREE)])
        net = classifier(client=other).fit(*data)
        expected = plainly(BackpropClassifier, X, THREE)
        assert_same(expected, net)
        assert net.score(*data) == expected.score(X, THREE)


@SYNCS
def test_an_epoch_prints_a_line(client, capsys, params):
    classifier(verbose=True, **params).fit(spread(X), spread(THREE))
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if "oss" in line]) >= 3


@pytest.mark.parametrize("kind", ["memory", "dask", "frame"])
def test_validation_data_may_come_from_memory_and_from_the_cluster(client, kind):
    frame = pd.DataFrame(X, columns=list("abcde"))
    val = (X[:30], THREE[:30], WEIGHT[:30])
    params = {"early_stopping": True, "max_iter": 6, "n_iter_no_change": 2}
    data = spread(X), spread(THREE)
    theirs = val
    if kind == "dask":
        val = [spread(array, (20, 10)) for array in val]
    if kind == "frame":
        data = spread_frame(frame), spread(THREE)
        val = spread_frame(frame[:30], (20, 10)), spread(val[1], [30]), WEIGHT[:30]
    net = classifier(**params).fit(*data, None, *val)
    inputs = X if kind != "frame" else frame
    theirs = (inputs[:30], *theirs[1:])
    expected = plainly(BackpropClassifier, inputs, THREE, validation=theirs, **params)
    assert_same(expected, net)
    assert net.best_validation_score_ == pytest.approx(expected.best_validation_score_)


def test_warm_start_carries_on(client):
    net = regressor(warm_start=True).fit(spread(X), spread(NUMBERS))
    first = net.loss_
    net.fit(spread(X), spread(NUMBERS))
    assert len(net.history_) == 6
    assert net.n_iter_ == 3
    assert net.loss_ < first
    with pytest.raises(ValueError, match="features"):
        net.fit(spread(X[:, :3]), spread(NUMBERS))
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        net.set_params(hidden_layer_sizes=(3,)).fit(spread(X), spread(NUMBERS))


def test_an_activation_of_ones_own_goes_to_the_workers(client):
    class Cube(Activation):
        def forward(self, z, out):
            np.multiply(z, z * z, out=out)

        def backward(self, delta, a, z, scratch):
            delta *= 3.0 * z * z

    params = {"activation": Cube(), "learning_rate_init": 1e-3}
    net = classifier(**params).fit(spread(X), spread(THREE))
    assert_same(plainly(BackpropClassifier, X, THREE, **params), net)
    assert_same_answers(net.predict(spread(X)).compute(), net.to_local().predict(X))


def test_what_workers_can_not_import_is_named(client, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "skbackprop.dask.shards.LOSS_TIMEOUT", 0.5
    )  # all workers are well
    (tmp_path / "only_here.py").write_text(
        "import numpy as np\n\n\ndef cube(z):\n    return np.tanh(z)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import only_here

    with pytest.raises(Exception, match="only_here"):
        classifier(activation=only_here.cube).fit(spread(X), spread(THREE))


# -------------------------------------------------------------------------- errors


def plain_error(make, *data, **params):
    """Return what the plain estimator says."""
    with pytest.raises(ValueError, match=r".") as caught:
        small(make, **params).fit(*data)
    return str(caught.value)


def with_one(array, value, dtype=None):
    changed = np.array(array, dtype or array.dtype)
    changed[25] = value  # in the second partition
    return changed


@pytest.mark.parametrize(
    ("plain", "inputs", "targets", "weight"),
    [
        (BackpropClassifier, with_one(X, np.nan), THREE, None),
        (BackpropRegressor, with_one(X, np.inf), NUMBERS, None),
        (BackpropClassifier, X, with_one(THREE, np.nan, float), None),
        (BackpropRegressor, X, with_one(NUMBERS, np.nan), None),
        (BackpropRegressor, X, with_one(NUMBERS, np.inf), None),
        (BackpropClassifier, with_one(X, "word", object), THREE, None),
        (BackpropClassifier, X, np.zeros(N_ROWS), None),
        (BackpropClassifier, X, THREE, with_one(WEIGHT, -1.0)),
        (BackpropClassifier, X, THREE, with_one(WEIGHT, np.nan)),
        (BackpropClassifier, X, NUMBERS, None),
        (BackpropClassifier, X, LABELS * 0.5, None),
    ],
)
def test_errors_in_partitions_are_worded_as_by_the_plain_estimator(
    client, plain, inputs, targets, weight
):
    expected = plain_error(plain, inputs, targets, weight)
    with pytest.raises(ValueError, match=r".") as caught:
        small(DASK[plain]).fit(spread(inputs), spread(targets), spread(weight))
    # Numbers in it may be those of a partition.
    found = str(caught.value).replace("`", "")
    assert found.split("\n")[0] == expected.replace("`", "").split("\n")[0]


def test_targets_of_other_kinds_are_refused(client):
    with pytest.raises(ValueError, match=r"0 or 1 everywhere|not supported"):
        classifier().fit(spread(X), spread(with_one(LABELS, 2)))
    with pytest.raises(ValueError, match="string"):
        regressor().fit(spread(X), spread(NAMES))


def test_counts_below_zero_are_refused(client):
    counts = with_one(COUNTS, -1.0)
    expected = plain_error(BackpropRegressor, X, counts, loss="poisson")
    with pytest.raises(ValueError, match=r".") as caught:
        regressor(loss="poisson").fit(spread(X), spread(counts))
    assert str(caught.value) == expected


def test_weights_of_zero_alone_are_refused(client):
    with pytest.raises(ValueError, match=r"eight.*(only zeros|at least one non-zero)"):
        classifier().fit(spread(X), spread(THREE), spread(np.zeros(N_ROWS)))


def test_errors_of_what_makes_a_partition_come_back(client):
    def fails(block):
        raise KeyError("no such file")

    lazy = spread(X).map_blocks(fails, dtype=float, meta=np.empty((0, 0)))
    with pytest.raises(KeyError, match="no such file"):
        classifier().fit(lazy, spread(THREE))


@pytest.mark.parametrize(
    ("inputs", "targets", "words"),
    [
        (X, spread(THREE), "X must be a dask .* got numpy.ndarray"),
        (pd.DataFrame(X), spread(THREE), "X must be a dask .* got pandas.DataFrame"),
        (csr_array(X), spread(THREE), "X must be a dask .* got scipy.csr_array"),
        (X.tolist(), spread(THREE), "X must be a dask .* got builtins.list"),
        (spread(X), THREE, "y must be a dask .* got numpy.ndarray"),
        (spread(X), None, "y must be a dask .* got builtins.NoneType"),
    ],
)
def test_data_in_memory_are_refused(client, inputs, targets, words):
    with pytest.raises(TypeError, match=words):
        classifier().fit(inputs, targets)


def test_weights_in_memory_are_refused(client):
    with pytest.raises(TypeError, match="sample_weight must be a dask Array"):
        classifier().fit(spread(X), spread(THREE), WEIGHT)


def test_predictions_of_data_in_memory_are_refused(client, fitted):
    with pytest.raises(TypeError, match=r"to_local\(\)"):
        fitted["three"].predict(X)


def test_sparse_partitions_are_refused(client):
    sparse = spread(X).map_blocks(csr_array, dtype=float)
    with pytest.raises(ValueError, match="sparse X or y are not supported"):
        classifier().fit(sparse, spread(THREE))


def test_partitions_must_fit_together(client):
    frame = spread_frame(FRAME)
    numbers = "different numbers of them: {'X': 6, 'y': 2}"
    with pytest.raises(ValueError, match=f"same partitions, got {numbers}"):
        classifier().fit(frame, spread(THREE, (30, 40)))
    unknown = without_sizes(spread(THREE, (30, 40)))
    with pytest.raises(ValueError, match="same partitions"):
        classifier().fit(spread(X), unknown)
    with pytest.raises(ValueError, match="X has 70 rows, and y has 69"):
        classifier().fit(spread(X), spread(THREE[:-1], (30, 39)))
    with pytest.raises(ValueError, match="X has 70 rows, and sample_weight has 30"):
        classifier().fit(spread(X), spread(THREE), spread(WEIGHT[:30], (30,)))
    fewer = without_sizes(spread(THREE[:-1], (*SIZES[:-1], SIZES[-1] - 1)))
    words = "Partition 5 has different numbers of rows: {'X': 11, 'y': 10}"
    with pytest.raises(ValueError, match=words):
        classifier().fit(spread(X), fewer)


def test_different_numbers_of_rows_are_refused(client):
    with pytest.raises(ValueError, match=r"rows|partitions"):
        classifier().fit(spread(X), spread(THREE[:60], (20, 13, 0, 1, 25, 1)))


def test_data_without_rows_are_refused(client):
    nothing = spread(X)[:, 0] > 1e9
    with pytest.raises(ValueError, match=r"rows|sample"):
        classifier().fit(spread(X)[nothing], spread(THREE)[nothing])


@pytest.mark.parametrize("inputs", [spread(NUMBERS), da.zeros((70, 2, 2))])
def test_inputs_must_have_two_dimensions(client, inputs, fitted):
    with pytest.raises(ValueError, match=r"dim|2D"):
        classifier().fit(inputs, spread(THREE))
    with pytest.raises(ValueError, match=r"dim|2D"):
        fitted["three"].predict(inputs)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"sync": "never"}, "'sync' parameter of DaskBackpropClassifier"),
        ({"solver": "adm"}, "Did you mean 'adam'"),
        ({"sync": "epoch", "solver": "lbfgs"}, "sync='epoch' has no meaning"),
        ({"solver": "lbfgs", "dropout": 0.5}, "dropout=0.5 has no meaning"),
        ({"early_stopping": True}, "early_stopping=True needs X_val and y_val"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(client, params, words):
    with pytest.raises(ValueError, match=words):
        classifier(**params).fit(spread(X), spread(THREE))


def test_validation_data_that_do_not_fit_are_refused(client):
    data = spread(X), spread(THREE)
    with pytest.raises(ValueError, match="y_val is missing"):
        classifier().fit(*data, X_val=X)
    with pytest.raises(
        ValueError, match="In X_val, y_val or sample_weight_val: X has 2"
    ):
        classifier().fit(*data, X_val=X[:, :2], y_val=THREE)


def test_inputs_of_other_widths_and_names_are_refused(client, fitted):
    with pytest.raises(ValueError, match="X has 2 features"):
        fitted["three"].predict(spread(X[:, :2]))
    with pytest.raises(ValueError, match="feature names should match"):
        fitted["frame"].predict(spread_frame(FRAME[["a", "b"]]))


def test_a_batch_larger_than_the_data_is_cut_and_warned_of(client):
    with pytest.warns(UserWarning, match="going to be clipped"):
        net = classifier(batch_size=1000).fit(spread(X), spread(THREE))
    assert net.to_local()._state.n_updates == 3


def test_without_any_client_there_is_an_error(monkeypatch):
    def none():
        raise ValueError("No clients found")

    monkeypatch.setattr(skbackprop.dask, "default_client", none)
    with pytest.raises(ValueError, match="there is no client of a cluster"):
        classifier().fit(spread(X), spread(THREE))


# ------------------------------------------------------------------- lost workers


def all_are_there(client):
    """Whether the cluster knows of as many workers as it should, and all answer."""
    answers = client.run(os.getpid, on_error="return").values()
    return len(answers) == N_WORKERS and all(isinstance(pid, int) for pid in answers)


def process_ids(client):
    """Return the process ids of all workers that answer."""
    return sorted(client.run(os.getpid, on_error="ignore").values())


@contextmanager
def killing(client, method, *calls, n_killed=1):
    """Kill workers right before these calls of a method of `Shards`.

    Which of them is the scheduler's choice to have used or not: here all had a part.
    Yields the list of calls, of which there is the first to kill at least.
    """
    called, original = [], getattr(Shards, method)

    def deadly(shards, *args, **kwargs):
        called.append(method)
        if len(called) in calls:
            for pid in process_ids(client)[-n_killed:]:
                os.kill(pid, signal.SIGKILL)
        return original(shards, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Shards, method, deadly)
        yield called
    assert len(called) >= min(calls)


def keys_of_tasks(client):
    """Return the keys of all tasks that the scheduler has in mind."""
    return set(client.run_on_scheduler(lambda dask_scheduler: [*dask_scheduler.tasks]))


def lazy():
    return spread(X), spread(THREE), spread(WEIGHT)


@pytest.fixture(scope="module")
def undisturbed(_cluster):
    """Return fits during which nobody was lost, by their parameters."""
    found = {}

    def of(params):
        with _cluster.as_current():
            key = str(params)
            if key not in found:
                found[key] = classifier(**params).fit(*lazy())
            return found[key]

    return of


@pytest.mark.slow
@SYNCS
def test_a_worker_may_be_lost_in_training(victims, undisturbed, params):
    # One call a step, and one an epoch or an evaluation.
    call = 8 if params.get("sync") == "step" else 2
    with killing(victims, "_by_messages", call):
        net = classifier(**params).fit(*lazy())
    if params.get("sync") == "epoch":  # partitions may have come to lie otherwise
        assert len(net.history_) == 3
        assert np.isfinite(net.loss_)
        return
    rtol = 1e-7 if "solver" in params else 1e-10
    assert_same(undisturbed(params), net, rtol=rtol)


@pytest.mark.slow
def test_all_workers_may_be_lost_at_once(victims, undisturbed):
    with killing(victims, "_by_messages", 8, n_killed=N_WORKERS):
        net = classifier().fit(*lazy())
    assert_same(undisturbed({}), net)


@pytest.mark.slow
def test_epochs_are_the_same_if_partitions_stay_together(victims):
    """With one partition a worker, whoever has it."""
    data = spread(X, (30, 40)), spread(THREE, (30, 40))
    expected = classifier(sync="epoch").fit(*data)
    with killing(victims, "_by_messages", 2):
        net = classifier(sync="epoch").fit(*data)
    assert_same(expected, net)


@pytest.mark.slow
@pytest.mark.parametrize("n_killed", [1, N_WORKERS])
def test_persisted_partitions_are_computed_again(victims, undisturbed, n_killed):
    data = victims.persist(list(lazy()))
    wait(data)
    with killing(victims, "_by_messages", 8, n_killed=n_killed):
        net = classifier().fit(*data)
    assert_same(undisturbed({}), net)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "call"),
    [
        ("_computed", 1),
        ("_gathered", 1),
        ("_submit_shard", 1),
        ("_task", 1),  # outline
        ("_task", 4),  # read
        ("_task", 6),  # measure
    ],
)
def test_a_worker_may_be_lost_before_training(victims, undisturbed, method, call):
    with killing(victims, method, call):
        net = classifier().fit(*lazy())
    assert_same(undisturbed({}), net)


@pytest.mark.slow
@pytest.mark.parametrize("n_killed", [1, N_WORKERS])
def test_workers_may_be_lost_while_they_compute_partitions(
    victims, undisturbed, tmp_path, n_killed
):
    """All at once, too: partitions meant for them must go to those that come."""
    here, fuses = os.getpid(), [tmp_path / str(i) for i in range(n_killed)]

    def deadly(block):
        assert os.getpid() != here
        for fuse in fuses:
            with suppress(FileNotFoundError):
                fuse.unlink()
                os.kill(os.getpid(), signal.SIGKILL)
        return block

    for fuse in fuses:
        fuse.touch()
    inputs, targets, weight = lazy()
    inputs = inputs.map_blocks(deadly, dtype=float, meta=np.empty((0, 0)))
    net = classifier().fit(inputs, targets, weight)
    assert not any(fuse.exists() for fuse in fuses)
    assert_same(undisturbed({}), net)


@pytest.mark.slow
def test_a_worker_may_be_lost_in_the_midst_of_a_step(victims, undisturbed, tmp_path):
    """It dies while it computes, and not between messages."""
    here, fuse = os.getpid(), tmp_path / "fuse"

    class Deadly(Activation):
        """ReLU, which kills the first worker that comes upon the fuse."""

        def forward(self, z, out):
            if len(z) > 1 and os.getpid() != here:
                with suppress(FileNotFoundError):
                    fuse.unlink()
                    os.kill(os.getpid(), signal.SIGKILL)
            np.maximum(z, 0.0, out=out)

        def backward(self, delta, a, z, scratch):
            delta *= z > 0.0

    fuse.touch()
    net = classifier(activation=Deadly()).fit(*lazy())
    assert not fuse.exists()
    assert_same(undisturbed({}), net)


@pytest.mark.slow
def test_of_a_shard_that_is_lost_nothing_remains(victims):
    """Its tasks would wait for its worker, and keep partitions in memory."""
    before = keys_of_tasks(victims)
    gc.disable()  # which would find them at some time or other
    try:
        with killing(victims, "_by_messages", 8):
            classifier().fit(*lazy())
        deadline = monotonic() + 10
        while not keys_of_tasks(victims) <= before:
            assert monotonic() < deadline
            sleep(0.1)
    finally:
        gc.enable()


@pytest.mark.slow
def test_workers_may_be_lost_now_and_then(victims, undisturbed):
    """More often than at the same point: who trains for days loses some."""
    kills = 2, 5, 8, 11
    assert len(kills) > dask.config.get("distributed.scheduler.allowed-failures")
    with killing(victims, "_by_messages", *kills, n_killed=N_WORKERS) as called:
        net = classifier().fit(*lazy())
    assert len(called) >= max(kills)
    assert_same(undisturbed({}), net)


@pytest.mark.slow
def test_workers_lost_at_the_same_point_again_and_again_end_the_training(victims):
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        # Once is enough if they are not seen to be lost at the same time.
        killing(victims, "_by_messages", 2, 3, n_killed=N_WORKERS),
        pytest.raises(RuntimeError, match="2 times a worker was lost at the same"),
    ):
        classifier().fit(*lazy())


@pytest.mark.slow
@pytest.mark.parametrize("method", ["_computed", "_by_messages"])
def test_partitions_that_can_not_be_computed_again_are_named(victims, method):
    """As data are that were sent to the cluster from here."""
    processes = victims.run(os.getpid)
    # All on the worker that will be killed.
    doomed = [max(processes, key=processes.get)]
    blocks = []
    for array, shape in ((X, (35, 5)), (THREE, (35,))):
        halves = [array[:35], array[35:]]
        sent = victims.scatter(halves, workers=doomed, hash=False)  # not those lost
        parts = [da.from_delayed(dask.delayed(s), shape, array.dtype) for s in sent]
        blocks.append(da.concatenate(parts))
    with (
        killing(victims, method, 1),
        # Of those that were on it, as many as the cluster has already looked for.
        pytest.raises(RuntimeError, match=r"Partitions \[(0|1|0, 1)\] are lost"),
    ):
        classifier().fit(*blocks)


@contextmanager
def workers_without_nannies(n_workers):
    """Start workers that nobody starts again; yield a client and their processes."""
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
def test_workers_that_stay_dead_leave_their_partitions_to_the_others(
    undisturbed, monkeypatch
):
    with workers_without_nannies(2) as client:
        with killing(client, "_by_messages", 8):
            net = classifier().fit(*lazy())
        assert len(client.nthreads()) == 1
        assert_same(undisturbed({}), net)
        # And if the last one dies, too:
        monkeypatch.setattr("skbackprop.dask.shards.NO_WORKER_TIMEOUT", 0.5)
        with (
            killing(client, "_by_messages", 3),
            pytest.raises(RuntimeError, match=r"no worker for 0\.5 seconds"),
        ):
            classifier().fit(*lazy())
        with pytest.raises(RuntimeError, match=r"no worker for 0\.5 seconds"):
            classifier().fit(*lazy())
