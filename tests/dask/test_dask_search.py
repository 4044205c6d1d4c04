"""Searches and cross-validation whose fits run in worker processes of dask."""

import os
import time
from contextlib import contextmanager

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import (
    GridSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from small_networks import (
    CODES,
    ESTIMATORS,
    LABELS,
    NAMES,
    NUMBERS,
    WEIGHT,
    X,
    assert_same_network,
    classifier,
    regressor,
    small,
)

pytest.importorskip("distributed")

from clusters import N_WORKERS, cluster, workers_at_work

pytestmark = pytest.mark.slow  # searches in processes

CV = 6  # folds enough for each worker to get some


@pytest.fixture(scope="module")
def client():
    with cluster() as client:
        yield client


@contextmanager
def on_cluster(client):
    """Have joblib send its tasks to the cluster, and see that it does."""
    with workers_at_work(client), joblib.parallel_config("dask"):
        yield


def mixed_frame():
    """Return numbers with gaps, and a column of categories."""
    frame = pd.DataFrame(X.copy(), columns=list("abcd"))
    frame.loc[::7, "b"] = np.nan
    frame["kind"] = pd.Categorical(np.where(X[:, 3] > 0, "new", "used"))
    return frame


def assert_same_search(found, expected):
    assert found.best_params_ == expected.best_params_
    assert found.best_score_ == expected.best_score_
    names = [
        name
        for name in expected.cv_results_
        if name.endswith(("_test_score", "_train_score"))
    ]
    assert len(names) == 2 * (found.n_splits_ + 2) + 1
    scores = np.array([found.cv_results_[name] for name in names])
    np.testing.assert_array_equal(
        scores, [expected.cv_results_[name] for name in names]
    )
    assert len(np.unique(scores)) > 9  # they depend on what was fitted


def test_the_workers_are_other_processes_which_can_not_import_tests(client):
    pids = client.run(os.getpid).values()
    assert len({*pids, os.getpid()}) == 3

    def finds_tests():
        from importlib.util import find_spec

        return bool(find_spec("small_networks") or find_spec("clusters"))

    assert set(client.run(finds_tests).values()) == {False}


# ------------------------------------------------------------------ grid search


def test_both_workers_fit(client, tmp_path):
    def score(estimator, data, y):
        # Waits for the other worker, so that one alone can't do all the work.
        (tmp_path / str(os.getpid())).touch()
        end = time.monotonic() + 60
        while len(list(tmp_path.iterdir())) < N_WORKERS and time.monotonic() < end:
            time.sleep(0.01)
        return estimator.score(data, y)

    grid = {"hidden_layer_sizes": [(4,), (8,), (8, 4)]}
    search = GridSearchCV(classifier(), grid, scoring=score, cv=3)
    with on_cluster(client):
        search.fit(X, CODES)
    pids = {int(path.name) for path in tmp_path.iterdir()}
    assert pids == set(client.run(os.getpid).values())


@ESTIMATORS
def test_a_grid_search_finds_what_it_finds_alone(make, y, client):
    grid = {"hidden_layer_sizes": [(4,), (8,), (8, 4)], "alpha": [1e-4, 10.0]}
    search = GridSearchCV(small(make), grid, cv=3, return_train_score=True)
    expected = clone(search).fit(X, y)
    with on_cluster(client):
        search.fit(X, y)
    assert_same_search(search, expected)
    # The best one is fitted here.
    assert_same_network(search.best_estimator_, expected.best_estimator_)


@pytest.mark.parametrize("scoring", ["accuracy", "neg_log_loss"])
def test_so_it_does_in_a_pipeline_with_labels_of_words(scoring, client):
    grid = {
        "pca__n_components": [2, 4],
        "backpropclassifier__solver": ["adam", "lbfgs"],
        "backpropclassifier__activation": ["relu", ("tanh",)],
    }
    pipeline = make_pipeline(StandardScaler(), PCA(), classifier(tol=0.1))
    search = GridSearchCV(
        pipeline, grid, cv=3, scoring=scoring, return_train_score=True
    )
    expected = clone(search).fit(X, NAMES)
    with on_cluster(client):
        search.fit(X, NAMES)
    assert_same_search(search, expected)
    assert search.predict(X).dtype.kind == "U"
    np.testing.assert_array_equal(search.predict_proba(X), expected.predict_proba(X))


def test_so_it_does_on_a_frame_with_categories_and_gaps(client):
    frame, grid = mixed_frame(), {"alpha": [1e-4, 1.0, 10.0], "dropout": [0.0, 0.2]}
    search = GridSearchCV(classifier(), grid, cv=3, return_train_score=True)
    expected = clone(search).fit(frame, pd.Series(NAMES))
    with on_cluster(client):
        search.fit(frame, pd.Series(NAMES))
    assert_same_search(search, expected)
    assert search.best_estimator_.is_categorical_.tolist() == [False] * 4 + [True]
    # Columns are encoded within the task of a fit, and are no tasks of their own.
    tasks = client.run_on_scheduler(
        lambda dask_scheduler: list(dask_scheduler.task_prefixes)
    )
    assert any("fit_and_score" in task for task in tasks)
    assert not any("transform" in task for task in tasks)


def test_weights_and_validation_data_go_along(client):
    grid = {"alpha": [1e-4, 1.0, 10.0], "early_stopping": [False, True]}
    search = GridSearchCV(classifier(), grid, cv=3, return_train_score=True)
    passed = {"sample_weight": WEIGHT, "X_val": X[:33], "y_val": CODES[:33]}
    expected = clone(search).fit(X, CODES, **passed)
    with on_cluster(client):
        search.fit(X, CODES, **passed)
    assert_same_search(search, expected)


def test_parts_of_a_notebook_go_along(client):
    # Defined here, as in a notebook, they can't be imported by any worker.
    def squared_relu(z):
        return np.maximum(z, 0.0) ** 2, 2.0 * np.maximum(z, 0.0)

    def falling(epoch, step):
        return 0.05 / (1.0 + epoch)

    net = regressor(activation=squared_relu, learning_rate=falling)
    grid = {"alpha": [1e-4, 1.0, 10.0], "hidden_layer_sizes": [(4,), (8,)]}
    search = GridSearchCV(net, grid, cv=3, return_train_score=True)
    expected = clone(search).fit(X, NUMBERS)
    with on_cluster(client):
        search.fit(X, NUMBERS)
    assert_same_search(search, expected)


# ------------------------------------------------------------- cross-validation


@pytest.mark.parametrize(
    ("estimator", "data", "y"),
    [
        (classifier(), X, NAMES),
        (classifier(solver="lbfgs", tol=0.02), mixed_frame(), pd.Series(NAMES)),
        (classifier(), csr_array(X * (X > 0)), CODES),
        (classifier(dtype="float32"), X, LABELS),
        (make_pipeline(StandardScaler(), classifier()), X, NAMES),
        (regressor(), X, NUMBERS),
        (regressor(loss="huber"), mixed_frame(), np.c_[NUMBERS, X]),
    ],
    ids=["words", "frame", "sparse", "labels", "pipeline", "numbers", "many"],
)
def test_cross_validation_gives_the_scores_that_it_gives_alone(
    estimator, data, y, client
):
    expected = cross_val_score(estimator, data, y, cv=CV)
    with on_cluster(client):
        scores = cross_val_score(estimator, data, y, cv=CV)
    np.testing.assert_array_equal(scores, expected)
    assert len(set(scores)) > 1


def test_predictions_of_every_fold_are_those_that_it_makes_alone(client):
    how = dict(cv=CV, method="predict_proba")
    expected = cross_val_predict(classifier(), X, NAMES, **how)
    with on_cluster(client):
        found = cross_val_predict(classifier(), X, NAMES, **how)
    np.testing.assert_array_equal(found, expected)


@ESTIMATORS
def test_networks_that_come_back_are_whole(make, y, client):
    how = dict(cv=CV, return_estimator=True)
    alone = cross_validate(small(make), X, y, **how)["estimator"]
    with on_cluster(client):
        fitted = cross_validate(small(make), X, y, **how)["estimator"]
    for net, other in zip(fitted, alone, strict=True):
        assert net.loss_curve_ == other.loss_curve_
        np.testing.assert_array_equal(net.predict(X), other.predict(X))
        # Predictions follow what is written, and training goes on from there.
        net.coefs_[0][...] = other.coefs_[0][...] = 0.1
        np.testing.assert_array_equal(net.predict(X), other.predict(X))
        assert_same_network(net.partial_fit(X, y), other.partial_fit(X, y))


def test_an_error_in_a_worker_says_what_it_says_here(client):
    net = classifier(learning_rate_init=1e300, solver="sgd", loss="log_loss")
    with pytest.raises(ValueError, match="diverged") as here:
        cross_val_score(net, X, CODES, error_score="raise")
    with (
        joblib.parallel_config("dask"),
        pytest.raises(ValueError, match="diverged") as there,
    ):
        cross_val_score(net, X, CODES, error_score="raise")
    assert str(there.value) == str(here.value)
