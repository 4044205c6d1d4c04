"""Tests of searches and cross-validation that fit in Dask worker processes."""

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
from small_fits import ignore_convergence_warning
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

from skbackprop import BackpropEnsembleClassifier, BackpropEnsembleRegressor

pytest.importorskip("distributed")

from clusters import N_WORKERS, assert_workers_run_tasks, cluster

pytestmark = pytest.mark.slow  # searches in processes

CV = 6  # enough folds to give each worker some of them


@pytest.fixture(scope="module")
def client():
    with cluster() as client:
        yield client


@contextmanager
def on_cluster(client):
    """Run joblib tasks on the cluster, and assert that the workers execute tasks."""
    with assert_workers_run_tasks(client), joblib.parallel_config("dask"):
        yield


def make_mixed_dataframe():
    """Return a DataFrame with missing values and a categorical column."""
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
    assert len(np.unique(scores)) > 9  # the scores depend on the candidate and the fold


def test_workers_are_separate_processes_that_cannot_import_tests(client):
    pids = client.run(os.getpid).values()
    assert len({*pids, os.getpid()}) == 3

    def finds_tests():
        from importlib.util import find_spec

        return bool(find_spec("small_networks") or find_spec("clusters"))

    assert set(client.run(finds_tests).values()) == {False}


# ------------------------------------------------------------------ grid search


def test_grid_search_uses_both_workers(client, tmp_path):
    def score(estimator, data, y):
        # Each fit waits for the other worker, so that one worker cannot do all fits.
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
@ignore_convergence_warning
def test_grid_search_equals_local_search(make, y, client):
    grid = {"hidden_layer_sizes": [(4,), (8,), (8, 4)], "alpha": [1e-4, 10.0]}
    search = GridSearchCV(small(make), grid, cv=3, return_train_score=True)
    expected = clone(search).fit(X, y)
    with on_cluster(client):
        search.fit(X, y)
    assert_same_search(search, expected)
    # The best estimator is refitted in the client process.
    assert_same_network(search.best_estimator_, expected.best_estimator_)


@pytest.mark.parametrize("scoring", ["accuracy", "neg_log_loss"])
@ignore_convergence_warning
def test_grid_search_of_pipeline_with_string_labels(scoring, client):
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


def test_grid_search_with_categories_and_missing_values(client):
    frame = make_mixed_dataframe()
    grid = {"alpha": [1e-4, 1.0, 10.0], "dropout": [0.0, 0.2]}
    search = GridSearchCV(classifier(), grid, cv=3, return_train_score=True)
    expected = clone(search).fit(frame, pd.Series(NAMES))
    with on_cluster(client):
        search.fit(frame, pd.Series(NAMES))
    assert_same_search(search, expected)
    assert search.best_estimator_.is_categorical_.tolist() == [False] * 4 + [True]
    # The encoding of columns is part of the fit task and does not create more tasks.
    tasks = client.run_on_scheduler(
        lambda dask_scheduler: list(dask_scheduler.task_prefixes)
    )
    assert any("fit_and_score" in task for task in tasks)
    assert not any("transform" in task for task in tasks)


def test_grid_search_with_weights_and_validation_data(client):
    grid = {"alpha": [1e-4, 1.0, 10.0], "early_stopping": [False, True]}
    search = GridSearchCV(classifier(), grid, cv=3, return_train_score=True)
    fit_params = {"sample_weight": WEIGHT, "X_val": X[:33], "y_val": CODES[:33]}
    expected = clone(search).fit(X, CODES, **fit_params)
    with on_cluster(client):
        search.fit(X, CODES, **fit_params)
    assert_same_search(search, expected)


@ignore_convergence_warning
def test_grid_search_with_local_functions(client):
    # As in a notebook, these functions are local, and workers cannot import them.
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
        (
            classifier(solver="lbfgs", tol=0.02),
            make_mixed_dataframe(),
            pd.Series(NAMES),
        ),
        (classifier(), csr_array(X * (X > 0)), CODES),
        (classifier(dtype="float32"), X, LABELS),
        (make_pipeline(StandardScaler(), classifier()), X, NAMES),
        (regressor(), X, NUMBERS),
        (regressor(loss="huber"), make_mixed_dataframe(), np.c_[NUMBERS, X]),
    ],
    ids=[
        "strings",
        "dataframe",
        "sparse",
        "multilabel",
        "pipeline",
        "regression",
        "multioutput",
    ],
)
def test_cross_validation_equals_local_scores(estimator, data, y, client):
    expected = cross_val_score(estimator, data, y, cv=CV)
    with on_cluster(client):
        scores = cross_val_score(estimator, data, y, cv=CV)
    np.testing.assert_array_equal(scores, expected)
    assert len(set(scores)) > 1


def test_cross_val_predict_equals_local_predictions(client):
    options = dict(cv=CV, method="predict_proba")
    expected = cross_val_predict(classifier(), X, NAMES, **options)
    with on_cluster(client):
        found = cross_val_predict(classifier(), X, NAMES, **options)
    np.testing.assert_array_equal(found, expected)


@ESTIMATORS
def test_returned_estimators_are_complete(make, y, client):
    options = dict(cv=CV, return_estimator=True)
    expected = cross_validate(small(make), X, y, **options)["estimator"]
    with on_cluster(client):
        fitted = cross_validate(small(make), X, y, **options)["estimator"]
    for net, other in zip(fitted, expected, strict=True):
        assert net.loss_curve_ == other.loss_curve_
        np.testing.assert_array_equal(net.predict(X), other.predict(X))
        # Changes of `coefs_` affect predictions and the next `partial_fit`.
        net.coefs_[0][...] = other.coefs_[0][...] = 0.1
        np.testing.assert_array_equal(net.predict(X), other.predict(X))
        assert_same_network(net.partial_fit(X, y), other.partial_fit(X, y))


def test_error_in_worker_equals_local_error(client):
    net = classifier(learning_rate_init=1e300, solver="sgd", loss="log_loss")
    with pytest.raises(ValueError, match="diverged") as local:
        cross_val_score(net, X, CODES, error_score="raise")
    with (
        joblib.parallel_config("dask"),
        pytest.raises(ValueError, match="diverged") as remote,
    ):
        cross_val_score(net, X, CODES, error_score="raise")
    assert str(remote.value) == str(local.value)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_ensembles_fit_their_members_on_the_cluster(client, task):
    if task == "classification":
        network, make, y = classifier(), BackpropEnsembleClassifier, NAMES
    else:
        network, make, y = regressor(), BackpropEnsembleRegressor, NUMBERS
    frame = make_mixed_dataframe()
    ensemble = make(network, cv=CV, random_state=0)
    local = clone(ensemble).fit(frame, y, sample_weight=WEIGHT)
    with on_cluster(client):
        distributed = clone(ensemble).fit(frame, y, sample_weight=WEIGHT)
    for member, expected in zip(distributed.estimators_, local.estimators_):
        assert_same_network(member, expected)
    np.testing.assert_allclose(
        distributed.oof_prediction_, local.oof_prediction_, rtol=1e-10
    )


@ignore_convergence_warning
def test_workers_receive_the_samples_of_an_ensemble_once(client):
    many = np.random.default_rng(0).normal(size=(20_000, 10))
    ensemble = BackpropEnsembleRegressor(regressor(max_iter=1), cv=CV, random_state=0)
    n_scattered = []
    scatter = type(client).scatter

    def count(self, data, **kwargs):
        n_scattered.append(type(data).__name__)
        return scatter(self, data, **kwargs)

    with pytest.MonkeyPatch.context() as patch, on_cluster(client):
        patch.setattr(type(client), "scatter", count)
        ensemble.fit(many, many[:, 0])
    assert n_scattered.count("TrainingSamples") == 1
