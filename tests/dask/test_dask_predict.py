"""Predictions, scores and local copies of fitted Dask estimators."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.metrics import d2_pinball_score

pytest.importorskip("distributed")

import dask
import dask.array as da
from partitioned_data import (
    FRAME,
    LABELS,
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
)

from skbackprop.dask import DaskBackpropClassifier

pytestmark = CLUSTER_TESTS

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
            "frame": classifier().fit(to_dask_dataframe(FRAME), to_dask(NAMES)),
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
    predicted = getattr(net, method)(to_dask_dataframe(FRAME))
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
    table = to_dask_dataframe(FRAME.assign(name=NAMES, weight=WEIGHT))
    features = table[list(FRAME.columns)]
    net, plain = fitted["frame"], fitted["frame"].to_local()
    assert net.score(features, table["name"]) == plain.score(FRAME, NAMES)
    weighted = net.score(features, table["name"], table["weight"])
    assert weighted == pytest.approx(plain.score(FRAME, NAMES, WEIGHT))


def test_predict_for_data_in_memory_raises(client, fitted):
    with pytest.raises(TypeError, match=r"to_local\(\)"):
        fitted["three"].predict(X)


@pytest.mark.parametrize("inputs", [to_dask(NUMBERS), da.zeros((70, 2, 2))])
def test_predict_with_wrong_dimensions_raises(client, fitted, inputs):
    with pytest.raises(ValueError, match=r"dim|2D"):
        fitted["three"].predict(inputs)


def test_different_features_in_predict_raise(client, fitted):
    with pytest.raises(ValueError, match="X has 2 features"):
        fitted["three"].predict(to_dask(X[:, :2]))
    with pytest.raises(ValueError, match="feature names should match"):
        fitted["frame"].predict(to_dask_dataframe(FRAME[["a", "b"]]))


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


@SYNCS
@ESTIMATORS
def test_size_of_estimator_does_not_depend_on_number_of_rows(
    client, plain, make, y, params
):
    sizes = []
    for n_repeats in (1, 40):
        rows, targets = np.tile(X, (n_repeats, 1)), np.tile(y, n_repeats)
        parts = np.array_split(np.arange(len(rows)), 4)
        chunks = [len(part) for part in parts]
        net = small(make, max_iter=2, **params)
        net.fit(to_dask(rows, chunks), to_dask(targets, chunks))
        sizes.append([len(pickle.dumps(one)) for one in (net, net.to_local())])
    few, many = np.array(sizes)
    assert (many < few + 100).all()  # larger counts take a few more bytes


def test_assigned_weights_change_predictions(client):
    net, other = (classifier(random_state=i) for i in (0, 1))
    for estimator in (net, other):
        estimator.fit(to_dask(X), to_dask(THREE))
    net.coefs_, net.intercepts_ = other.coefs_, other.intercepts_
    assert "coefs_" not in vars(net)
    found, expected = (e.predict_proba(to_dask(X)).compute() for e in (net, other))
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(ValueError, match="coefs_ must be a sequence"):
        net.coefs_ = [1.0]
