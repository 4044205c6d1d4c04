"""Wrappers of dask-ml around the two estimators: data in blocks, on a cluster."""

import numpy as np
import pytest
from sklearn.base import clone
from small_networks import CODES, NAMES, NUMBERS, X, classifier, regressor

pytest.importorskip("distributed")
pytest.importorskip("dask_ml")

import dask
import dask.array as da
from clusters import cluster, workers_at_work
from dask_ml.model_selection import HyperbandSearchCV
from dask_ml.wrappers import Incremental, ParallelPostFit

ROWS = 30  # of a block
CLASSES = ["high", "low", "mid"]
BLOCKS = [slice(start, start + ROWS) for start in range(0, len(X), ROWS)]


@pytest.fixture(scope="module")
def client():
    with cluster() as client:
        yield client


def in_blocks(array, n_rows=ROWS):
    return da.from_array(array, chunks=(n_rows, *array.shape[1:]))


def fitted_by_hand(estimator, y, n_epochs=1, **params):
    for _ in range(n_epochs):
        for rows in BLOCKS:
            estimator.partial_fit(X[rows], y[rows], **params)
    return estimator


def assert_lazily(found, expected):
    """Assert that a dask array, not computed yet, becomes these values."""
    assert isinstance(found, da.Array)
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    assert found.numblocks[0] > 1
    assert_same_values(found.compute(), expected)


def assert_same_values(found, expected):
    if expected.dtype.kind == "U":
        np.testing.assert_array_equal(found, expected)
    else:  # BLAS may round a product of fewer rows in another way
        rtol = 100 * np.finfo(expected.dtype).eps
        np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol)


def assert_same_training(found, expected):
    assert found.loss_curve_ == expected.loss_curve_
    assert found.n_iter_ == expected.n_iter_
    for mine, other in zip(found.coefs_, expected.coefs_, strict=True):
        np.testing.assert_array_equal(mine, other)


# ------------------------------------------------------------------ Incremental


@pytest.mark.usefixtures("client")
def test_a_classifier_learns_a_block_at_a_time():
    net = classifier(batch_size=10)
    wrapped = Incremental(net, shuffle_blocks=False)
    wrapped.fit(in_blocks(X), in_blocks(NAMES), classes=CLASSES)
    expected = fitted_by_hand(clone(net), NAMES, classes=CLASSES)
    assert_same_training(wrapped.estimator_, expected)
    assert wrapped.classes_.tolist() == CLASSES
    assert_lazily(wrapped.predict(in_blocks(X)), expected.predict(X))
    assert_lazily(wrapped.predict_proba(in_blocks(X)), expected.predict_proba(X))
    assert wrapped.score(in_blocks(X), in_blocks(NAMES)) == expected.score(X, NAMES)


@pytest.mark.usefixtures("client")
def test_a_regressor_learns_a_block_at_a_time():
    net = regressor(batch_size=10)
    wrapped = Incremental(net, shuffle_blocks=False)
    wrapped.fit(in_blocks(X), in_blocks(NUMBERS))
    expected = fitted_by_hand(clone(net), NUMBERS)
    assert_same_training(wrapped.estimator_, expected)
    assert_lazily(wrapped.predict(in_blocks(X)), expected.predict(X))
    score = wrapped.score(in_blocks(X), in_blocks(NUMBERS))
    assert score == pytest.approx(expected.score(X, NUMBERS), rel=1e-12)


@pytest.mark.usefixtures("client")
def test_each_further_epoch_carries_on():
    net = classifier(batch_size=10)
    wrapped = Incremental(net, shuffle_blocks=False)
    for _ in range(4):
        wrapped.partial_fit(in_blocks(X), in_blocks(NAMES), classes=CLASSES)
    expected = fitted_by_hand(clone(net), NAMES, n_epochs=4, classes=CLASSES)
    assert_same_training(wrapped.estimator_, expected)


@pytest.mark.usefixtures("client")
def test_classes_that_the_first_block_has_not_are_known():
    order = CODES.argsort()
    data, y = in_blocks(X[order]), in_blocks(NAMES[order])
    wrapped = Incremental(classifier(batch_size=10), shuffle_blocks=False)
    wrapped.fit(data, y, classes=CLASSES)
    first = set(NAMES[order][:ROWS])
    assert first < set(CLASSES)
    assert wrapped.predict_proba(data).shape == (len(X), 3)


# ------------------------------------------------------------- ParallelPostFit


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_fitted_classifier_predicts_on_the_cluster(dtype, client):
    net = classifier(dtype=dtype).fit(X, NAMES)
    wrapped, data = ParallelPostFit(net), in_blocks(X, n_rows=10)
    for method in ("predict", "predict_proba"):
        with workers_at_work(client):
            assert_lazily(getattr(wrapped, method)(data), getattr(net, method)(X))


def test_a_fitted_regressor_predicts_on_the_cluster(client):
    net = regressor().fit(X, NUMBERS)
    with workers_at_work(client):
        assert_lazily(ParallelPostFit(net).predict(in_blocks(X, 10)), net.predict(X))


# ------------------------------------------------------------------- Hyperband


@pytest.mark.usefixtures("client")
@pytest.mark.skipif(
    tuple(map(int, dask.__version__.split(".")[:2])) >= (2025, 3),
    reason="dask-ml's searches over partial_fit need a dask before 2025.3",
)
def test_hyperband_finds_a_network_that_learns():
    rates = np.logspace(-6, -1, 20)
    search = HyperbandSearchCV(
        classifier(batch_size=10),
        {"learning_rate_init": rates},
        max_iter=9,
        random_state=0,
    )
    search.fit(in_blocks(X), in_blocks(NAMES), classes=CLASSES)
    assert search.best_params_["learning_rate_init"] > 1e-3
    assert search.score(X, NAMES) > 0.8
