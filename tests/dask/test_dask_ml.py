"""Tests of both estimators in the wrappers and searches of dask-ml."""

import numpy as np
import pytest
from sklearn.base import clone
from small_networks import CODES, NAMES, NUMBERS, X, classifier, regressor

pytest.importorskip("distributed")
pytest.importorskip("dask_ml")

import dask
import dask.array as da
from clusters import assert_workers_run_tasks, cluster
from dask_ml.model_selection import HyperbandSearchCV
from dask_ml.wrappers import Incremental, ParallelPostFit

ROWS = 30  # rows per block
CLASSES = ["high", "low", "mid"]
BLOCKS = [slice(start, start + ROWS) for start in range(0, len(X), ROWS)]


@pytest.fixture(scope="module")
def client():
    with cluster() as client:
        yield client


def to_blocks(array, n_rows=ROWS):
    return da.from_array(array, chunks=(n_rows, *array.shape[1:]))


def fit_blocks(estimator, y, n_epochs=1, **params):
    for _ in range(n_epochs):
        for rows in BLOCKS:
            estimator.partial_fit(X[rows], y[rows], **params)
    return estimator


def assert_lazy_array(found, expected):
    """Assert that a lazy Dask Array has these values, shape and dtype."""
    assert isinstance(found, da.Array)
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    assert found.numblocks[0] > 1
    assert_same_array(found.compute(), expected)


def assert_same_array(found, expected):
    if expected.dtype.kind == "U":
        np.testing.assert_array_equal(found, expected)
    else:
        # BLAS results may be rounded differently for products of fewer rows.
        rtol = 100 * np.finfo(expected.dtype).eps
        np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol)


def assert_same_training(found, expected):
    assert found.loss_curve_ == expected.loss_curve_
    assert found.n_iter_ == expected.n_iter_
    for W, W_expected in zip(found.coefs_, expected.coefs_, strict=True):
        np.testing.assert_array_equal(W, W_expected)


# ------------------------------------------------------------------ Incremental


@pytest.mark.usefixtures("client")
def test_incremental_classifier():
    net = classifier(batch_size=10)
    wrapped = Incremental(net, shuffle_blocks=False)
    wrapped.fit(to_blocks(X), to_blocks(NAMES), classes=CLASSES)
    expected = fit_blocks(clone(net), NAMES, classes=CLASSES)
    assert_same_training(wrapped.estimator_, expected)
    assert wrapped.classes_.tolist() == CLASSES
    assert_lazy_array(wrapped.predict(to_blocks(X)), expected.predict(X))
    assert_lazy_array(wrapped.predict_proba(to_blocks(X)), expected.predict_proba(X))
    assert wrapped.score(to_blocks(X), to_blocks(NAMES)) == expected.score(X, NAMES)


@pytest.mark.usefixtures("client")
def test_incremental_regressor():
    net = regressor(batch_size=10)
    wrapped = Incremental(net, shuffle_blocks=False)
    wrapped.fit(to_blocks(X), to_blocks(NUMBERS))
    expected = fit_blocks(clone(net), NUMBERS)
    assert_same_training(wrapped.estimator_, expected)
    assert_lazy_array(wrapped.predict(to_blocks(X)), expected.predict(X))
    score = wrapped.score(to_blocks(X), to_blocks(NUMBERS))
    assert score == pytest.approx(expected.score(X, NUMBERS), rel=1e-12)


@pytest.mark.usefixtures("client")
def test_incremental_partial_fit_continues_training():
    net = classifier(batch_size=10)
    wrapped = Incremental(net, shuffle_blocks=False)
    for _ in range(4):
        wrapped.partial_fit(to_blocks(X), to_blocks(NAMES), classes=CLASSES)
    expected = fit_blocks(clone(net), NAMES, n_epochs=4, classes=CLASSES)
    assert_same_training(wrapped.estimator_, expected)


@pytest.mark.usefixtures("client")
def test_incremental_first_block_may_lack_classes():
    order = CODES.argsort()
    data, y = to_blocks(X[order]), to_blocks(NAMES[order])
    wrapped = Incremental(classifier(batch_size=10), shuffle_blocks=False)
    wrapped.fit(data, y, classes=CLASSES)
    first = set(NAMES[order][:ROWS])
    assert first < set(CLASSES)
    assert wrapped.predict_proba(data).shape == (len(X), 3)


# ------------------------------------------------------------- ParallelPostFit


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_parallel_post_fit_classifier(dtype, client):
    net = classifier(dtype=dtype).fit(X, NAMES)
    wrapped, data = ParallelPostFit(net), to_blocks(X, n_rows=10)
    for method in ("predict", "predict_proba"):
        with assert_workers_run_tasks(client):
            assert_lazy_array(getattr(wrapped, method)(data), getattr(net, method)(X))


def test_parallel_post_fit_regressor(client):
    net = regressor().fit(X, NUMBERS)
    with assert_workers_run_tasks(client):
        assert_lazy_array(
            ParallelPostFit(net).predict(to_blocks(X, 10)), net.predict(X)
        )


# ------------------------------------------------------------------- Hyperband


@pytest.mark.usefixtures("client")
@pytest.mark.skipif(
    tuple(map(int, dask.__version__.split(".")[:2])) >= (2025, 3),
    reason="The partial_fit searches of dask-ml require dask<2025.3",
)
def test_hyperband_search():
    rates = np.logspace(-6, -1, 20)
    search = HyperbandSearchCV(
        classifier(batch_size=10),
        {"learning_rate_init": rates},
        max_iter=9,
        random_state=0,
    )
    search.fit(to_blocks(X), to_blocks(NAMES), classes=CLASSES)
    assert search.best_params_["learning_rate_init"] > 1e-3
    assert search.score(X, NAMES) > 0.8
