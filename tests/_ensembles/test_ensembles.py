"""Tests of the ensembles: predictions, out-of-fold results, parallel fits, errors."""

import pickle
import warnings

import dask.array as da
import joblib
import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from scipy.sparse import csr_array, csr_matrix
from scipy.special import expit
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_wine
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.model_selection import TimeSeriesSplit, train_test_split
from small_ensembles import (
    BINARY,
    CLASSES,
    ENSEMBLES,
    LABELS,
    MIXED,
    N_SAMPLES,
    NUMBERS,
    NUMERIC,
    SMALL,
    WEIGHT,
    classifier,
    predict_all,
    regressor,
)
from small_fits import InterruptingReLU, ignore_convergence_warning
from threadpoolctl import ThreadpoolController, threadpool_limits

from skbackprop import (
    BackpropClassifier,
    BackpropEnsembleClassifier,
    BackpropEnsembleRegressor,
    BackpropRegressor,
)

pytestmark = ignore_convergence_warning
QUANTILES = {"loss": "quantile", "quantile": [0.1, 0.5, 0.9]}


# ------------------------------------------------------------------------ predictions


@pytest.mark.parametrize("y", [BINARY, CLASSES, LABELS], ids=["two", "three", "labels"])
@pytest.mark.parametrize("loss", ["log_loss", "squared_error"])
def test_probabilities_are_means_over_the_members(y, loss):
    ensemble = classifier(network={"loss": loss}).fit(MIXED, y)
    members = [member.predict_proba(MIXED) for member in ensemble.estimators_]
    probabilities = ensemble.predict_proba(MIXED)
    np.testing.assert_allclose(probabilities, np.mean(members, axis=0), rtol=1e-12)
    np.testing.assert_array_equal(
        ensemble.predict_log_proba(MIXED), np.log(probabilities)
    )
    assert abs(members[0] - members[1]).max() > 1e-3


@pytest.mark.parametrize(
    ("y", "network"),
    [(NUMBERS, {}), (NUMERIC, {}), (NUMBERS, QUANTILES), (abs(NUMBERS), "poisson")],
    ids=["one", "several", "quantiles", "poisson"],
)
def test_predictions_are_means_over_the_members(y, network):
    network = {"loss": network} if isinstance(network, str) else network
    ensemble = regressor(network=network).fit(MIXED, y)
    members = [member.predict(MIXED) for member in ensemble.estimators_]
    np.testing.assert_allclose(
        ensemble.predict(MIXED), np.mean(members, axis=0), rtol=1e-12
    )
    assert abs(members[0] - members[1]).max() > 1e-3


def test_labels_and_decisions_follow_from_the_probabilities():
    binary = classifier().fit(MIXED, BINARY)
    p = binary.predict_proba(MIXED)[:, 1]
    np.testing.assert_allclose(expit(binary.decision_function(MIXED)), p, rtol=1e-12)
    np.testing.assert_array_equal(binary.predict(MIXED), binary.classes_[1 * (p > 0.5)])
    several = classifier().fit(MIXED, CLASSES)
    p = several.predict_proba(MIXED)
    np.testing.assert_allclose(np.exp(several.decision_function(MIXED)), p, rtol=1e-12)
    np.testing.assert_array_equal(
        several.predict(MIXED), several.classes_[p.argmax(axis=1)]
    )
    labels = classifier().fit(MIXED, LABELS)
    p = labels.predict_proba(MIXED)
    np.testing.assert_allclose(expit(labels.decision_function(MIXED)), p, rtol=1e-12)
    np.testing.assert_array_equal(labels.predict(MIXED), p > 0.5)


def test_sparse_label_indicators_are_predicted_as_sparse_matrices():
    dense = classifier().fit(MIXED, LABELS)
    sparse = classifier().fit(MIXED, csr_matrix(LABELS))
    assert isinstance(sparse.predict(MIXED), csr_matrix)
    np.testing.assert_array_equal(sparse.predict(MIXED).toarray(), dense.predict(MIXED))


def test_probabilities_of_float32_members_sum_to_one():
    ensemble = classifier(network={"dtype": "float32"}).fit(MIXED, CLASSES)
    probabilities = ensemble.predict_proba(MIXED)
    assert probabilities.dtype == np.float64
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-14)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # scikit-learn warns about inexact sums
        log_loss(CLASSES, probabilities, labels=ensemble.classes_)


def test_float32_members_predict_large_targets_exactly():
    ensemble = regressor(network={"dtype": "float32"}).fit(NUMERIC, NUMBERS)
    shifted = regressor(network={"dtype": "float32"}).fit(NUMERIC, NUMBERS + 1e6)
    difference = shifted.predict(NUMERIC) - 1e6 - ensemble.predict(NUMERIC)
    assert abs(difference).max() < 1e-4
    assert abs(shifted.oof_prediction_ - 1e6 - ensemble.oof_prediction_).max() < 1e-4


def test_certain_probabilities_have_finite_logarithms():
    X = np.r_[np.full(30, -1.0), np.ones(30)][:, np.newaxis]
    network = {"learning_rate_init": 10.0, "activation": "identity", "alpha": 0.0}
    ensemble = classifier(network=network).fit(X, np.arange(N_SAMPLES) >= 30)
    probabilities = ensemble.predict_proba(1e3 * X)
    assert probabilities.min() > 0.0
    assert probabilities.max() < 1.0
    assert probabilities.max() > 1.0 - 1e-12
    assert np.isfinite(ensemble.decision_function(1e3 * X)).all()


def test_one_class_is_predicted_with_certainty():
    ensemble = classifier().fit(MIXED, np.zeros(N_SAMPLES))
    np.testing.assert_array_equal(ensemble.predict_proba(MIXED), 1.0)
    assert ensemble.oof_score_ == 1.0


@pytest.mark.parametrize(
    "X", [NUMERIC, NUMERIC.astype(np.float32), csr_array(NUMERIC * (NUMERIC > 0))]
)
@ENSEMBLES
def test_arrays_and_sparse_matrices(make, y, X):
    ensemble = make().fit(X, y)
    members = [predict_all(member, X) for member in ensemble.estimators_]
    np.testing.assert_allclose(
        predict_all(ensemble, X), np.mean(members, axis=0), rtol=1e-4, atol=1e-6
    )
    assert ensemble.n_features_in_ == 3
    assert not hasattr(ensemble, "feature_names_in_")


def test_class_weights_shift_the_probabilities():
    rare = np.where(NUMERIC[:, 0] > 1.0, "yes", "no")
    network = {"class_weight": {"yes": 50.0}}
    plain = classifier().fit(MIXED, rare).predict_proba(MIXED)[:, 1]
    weighted = classifier(network=network).fit(MIXED, rare).predict_proba(MIXED)[:, 1]
    assert weighted.mean() > 2.0 * plain.mean()


@ENSEMBLES
def test_sample_weights_equal_repeated_rows(make, y):
    repeats = np.arange(N_SAMPLES) % 3
    rows = np.repeat(np.arange(N_SAMPLES), repeats)
    # Rows 0, 3, ... have weight zero; the copies of a row are in the same fold.
    halves = [np.arange(N_SAMPLES) < 30, np.arange(N_SAMPLES) >= 30]
    cv = [(np.flatnonzero(~half), np.flatnonzero(half)) for half in halves]
    cv_rows = [
        (np.flatnonzero(~half[rows]), np.flatnonzero(half[rows])) for half in halves
    ]
    full = {"batch_size": "auto"}
    weighted = make(cv=cv, network=full).fit(NUMERIC, y, sample_weight=repeats)
    repeated = make(cv=cv_rows, network=full).fit(NUMERIC[rows], y[rows])
    np.testing.assert_allclose(
        predict_all(weighted, NUMERIC), predict_all(repeated, NUMERIC), rtol=1e-6
    )
    assert weighted.oof_score_ == pytest.approx(repeated.oof_score_)


# ----------------------------------------------------------------- out-of-fold results


@ENSEMBLES
def test_each_sample_is_predicted_by_the_member_that_was_not_trained_on_it(make, y):
    rows = np.arange(N_SAMPLES)
    folds = np.array_split(np.random.default_rng(0).permutation(rows), 3)
    cv = [(np.setdiff1d(rows, fold), fold) for fold in folds]
    ensemble = make(cv=cv).fit(MIXED, y)
    for member, fold in zip(ensemble.estimators_, folds):
        np.testing.assert_allclose(
            ensemble.oof_prediction_[fold],
            predict_all(member, MIXED.iloc[fold]),
            rtol=1e-12,
        )
    # A member is a fit to the other folds, early-stopped on the loss of its fold.
    training, validation = cv[0]
    member = clone(ensemble.estimators_[0]).fit(
        MIXED.iloc[training],
        y[training],
        X_val=MIXED.iloc[validation],
        y_val=y[validation],
    )
    np.testing.assert_allclose(
        predict_all(member, MIXED),
        predict_all(ensemble.estimators_[0], MIXED),
        rtol=1e-6,
    )
    np.testing.assert_allclose(
        ensemble.estimators_[0].validation_loss_curve_,
        member.validation_loss_curve_,
        rtol=1e-6,
    )


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_score_of_out_of_fold_predictions(weight):
    ensemble = classifier().fit(MIXED, CLASSES, weight)
    labels = ensemble.classes_[ensemble.oof_prediction_.argmax(axis=1)]
    expected = accuracy_score(CLASSES, labels, sample_weight=weight)
    assert ensemble.oof_score_ == pytest.approx(expected)
    labels = classifier().fit(MIXED, LABELS, weight)
    expected = accuracy_score(
        LABELS, labels.oof_prediction_ > 0.5, sample_weight=weight
    )
    assert labels.oof_score_ == pytest.approx(expected)
    ensemble = regressor().fit(MIXED, NUMBERS, weight)
    expected = r2_score(NUMBERS, ensemble.oof_prediction_, sample_weight=weight)
    assert ensemble.oof_score_ == pytest.approx(expected)
    several = regressor().fit(MIXED, NUMERIC, weight)
    expected = r2_score(NUMERIC, several.oof_prediction_, sample_weight=weight)
    assert several.oof_score_ == pytest.approx(expected)


@ENSEMBLES
def test_samples_in_no_validation_fold_have_no_out_of_fold_prediction(make, y):
    ensemble = make(cv=TimeSeriesSplit(3)).fit(MIXED, y)
    is_missing = np.isnan(ensemble.oof_prediction_).reshape(N_SAMPLES, -1)
    np.testing.assert_array_equal(is_missing.any(axis=1), np.arange(N_SAMPLES) < 15)
    rest = slice(15, None)
    if hasattr(ensemble, "classes_"):
        labels = ensemble.classes_[ensemble.oof_prediction_[rest].argmax(axis=1)]
        expected = accuracy_score(y[rest], labels)
    else:
        expected = r2_score(y[rest], ensemble.oof_prediction_[rest])
    assert ensemble.oof_score_ == pytest.approx(expected)


def test_repeated_out_of_fold_predictions_are_averaged():
    rows = np.arange(N_SAMPLES)
    cv = [(rows[20:], rows[:20]), (rows[40:], rows[:40])]
    ensemble = regressor(cv=cv).fit(MIXED, NUMBERS)
    one, other = [member.predict(MIXED) for member in ensemble.estimators_]
    np.testing.assert_allclose(
        ensemble.oof_prediction_[:20], (one + other)[:20] / 2, rtol=1e-12
    )
    np.testing.assert_allclose(ensemble.oof_prediction_[20:40], other[20:40])


def test_out_of_fold_score_is_honest():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 20)), rng.integers(0, 2, 300)
    network = BackpropClassifier(learning_rate_init=0.02, n_iter_no_change=30)
    ensemble = BackpropEnsembleClassifier(network, cv=4, random_state=0).fit(X, y)
    assert ensemble.score(X, y) > 0.65
    assert abs(ensemble.oof_score_ - 0.5) < 0.1


@ENSEMBLES
def test_history_contains_the_epochs_of_all_members(make, y):
    ensemble = make().fit(MIXED, y)
    history = ensemble.history_
    assert history.index.names == ["member", "epoch"]
    for i, member in enumerate(ensemble.estimators_):
        pd.testing.assert_frame_equal(history.loc[i], member.history_)
    assert history["validation_loss"].notna().all()


# ----------------------------------------------------------------------- parameters


@ENSEMBLES
def test_members_stop_early_and_have_different_random_states(make, y):
    ensemble = make().fit(MIXED, y)
    assert all(member.early_stopping for member in ensemble.estimators_)
    states = {member.random_state for member in ensemble.estimators_}
    assert len(states) == 3
    assert ensemble.estimator.early_stopping is False
    assert ensemble.estimator_.early_stopping is True
    assert not hasattr(ensemble.estimator, "n_features_in_")


@ENSEMBLES
def test_random_state_makes_fits_reproducible(make, y):
    one, other = (make().fit(MIXED, y) for _ in range(2))
    np.testing.assert_array_equal(one.oof_prediction_, other.oof_prediction_)
    different = make().set_params(random_state=1).fit(MIXED, y)
    assert (one.oof_prediction_ != different.oof_prediction_).any()


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (BackpropEnsembleClassifier, "BackpropClassifier"),
        (BackpropEnsembleRegressor, "BackpropRegressor"),
    ],
)
@pytest.mark.parametrize("estimator", [BackpropClassifier, BackpropRegressor, "x", 3])
def test_estimator_must_be_a_network_for_the_task(make, name, estimator):
    estimator = estimator() if isinstance(estimator, type) else estimator
    if type(estimator).__name__ == name:
        return
    with pytest.raises(ValueError, match=rf"'estimator' parameter .*{name}' or None"):
        make(estimator).fit(MIXED, NUMBERS)


@pytest.mark.parametrize("cv", [1, 0, -1, 2.5, "five", None, True])
def test_invalid_cv_is_an_error(cv):
    with pytest.raises(ValueError, match="The 'cv' parameter"):
        regressor(cv=cv).fit(MIXED, NUMBERS)


@pytest.mark.parametrize(
    ("n_samples", "max_iter"),
    [(2, 100), (1500, 100), (2000, 75), (3000, 50), (7500, 20), (100_000, 20)],
)
def test_default_number_of_epochs_depends_on_samples(n_samples, max_iter):
    X = np.zeros((n_samples, 1))
    for data in (X, pd.DataFrame(X), X.tolist(), csr_array(X)):
        for make in (BackpropEnsembleClassifier, BackpropEnsembleRegressor):
            assert make.default_estimator(data).max_iter == max_iter


@pytest.mark.parametrize(("n_columns", "dtype"), [(199, None), (200, "float32")])
def test_default_precision_depends_on_number_of_values(n_columns, dtype):
    X = np.zeros((100, n_columns))
    for data in (X, pd.DataFrame(X), X.tolist(), csr_array(X)):
        for make in (BackpropEnsembleClassifier, BackpropEnsembleRegressor):
            assert make.default_estimator(data).dtype == dtype


def test_default_network_of_sparse_data_has_no_bins():
    make = BackpropEnsembleClassifier.default_estimator
    assert (make(np.eye(3)).n_bins, make(csr_array(np.eye(3))).n_bins) == (16, None)


def test_default_parameters_of_data_with_unknown_length():
    X = da.random.random((8000, 3), chunks=(4000, 3))
    make = BackpropEnsembleClassifier.default_estimator
    assert make(X).max_iter == 20
    assert make(X[X[:, 0] > 0.5]).get_params() == make().get_params()


def test_rows_of_different_lengths_are_an_error():
    with pytest.raises(ValueError, match="X must be a 2D array in which all rows"):
        BackpropEnsembleClassifier().fit([[1, 2], [3]] * 10, [0, 1] * 10)


@ENSEMBLES
def test_batch_size_is_limited_by_the_training_rows(make, y):
    ensemble = make(network={"batch_size": 1000}).fit(MIXED, y)
    assert {member.batch_size for member in ensemble.estimators_} == {40}


@ENSEMBLES
def test_default_members_have_parameters_of_default_estimator(make, y):
    ensemble = clone(make()).set_params(estimator=None).fit(MIXED, y)
    expected = ensemble.default_estimator(MIXED).get_params()
    assert ensemble.estimator_.get_params() == expected
    changed = {"random_state", "batch_size"}  # there are only 40 training rows
    for member in ensemble.estimators_:
        params = member.get_params()
        assert {k for k in params if params[k] != expected[k]} == changed


@pytest.mark.parametrize(
    ("make", "load", "score"),
    [
        (BackpropEnsembleClassifier, load_wine, 0.9),
        (BackpropEnsembleRegressor, load_diabetes, 0.35),
    ],
)
def test_default_ensemble_learns_from_50_rows(make, load, score):
    X, y = load(return_X_y=True)
    rows, others = train_test_split(np.arange(len(y)), train_size=50, random_state=0)
    ensemble = make(random_state=0).fit(X[rows], y[rows])
    assert {member.batch_size for member in ensemble.estimators_} == {43, 44}
    assert ensemble.estimator_.batch_size == 64
    assert ensemble.score(X[others], y[others]) > score


def test_default_networks_do_not_share_state():
    one = BackpropEnsembleClassifier.default_estimator().set_params(alpha=1.0)
    assert BackpropEnsembleClassifier.default_estimator().alpha != one.alpha


class WideClassifier(BackpropClassifier):
    """Subclass with a different `__init__`."""

    def __init__(self, width=6):
        super().__init__(**SMALL, loss="log_loss")
        self.hidden_layer_sizes = (width,)
        self.width = width

    @classmethod
    def _get_param_names(cls):
        return ["width"]


def test_members_can_be_instances_of_a_subclass():
    ensemble = BackpropEnsembleClassifier(WideClassifier(7), cv=3, random_state=0)
    ensemble.fit(MIXED, CLASSES)
    for member in ensemble.estimators_:
        assert isinstance(member, WideClassifier)
        assert member.coefs_[0].shape[1] == 7
        assert member.best_validation_score_ == max(member.validation_scores_)


def test_verbose_prints_one_line_per_member(capsys):
    classifier(verbose=True).fit(MIXED, CLASSES)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[1].startswith("Member 2 of 3: 5 epochs, best validation score = -")
    classifier().fit(MIXED, CLASSES)
    assert not capsys.readouterr().out


# ------------------------------------------------------------------- parallel fitting


def test_threads_of_members_use_one_blas_thread_each():
    found = []

    def init(rng, fan_in, fan_out):
        pools = ThreadpoolController().select(user_api="blas").info()
        found.append({pool["num_threads"] for pool in pools})
        return rng.normal(size=(fan_in, fan_out))

    with threadpool_limits(2, user_api="blas"):
        regressor(network={"init": init}).fit(MIXED, NUMBERS)
        assert found[0] == {2}
        found.clear()
        with parallel_config(backend="threading", n_jobs=2):
            regressor(network={"init": init}).fit(MIXED, NUMBERS)
        assert all(numbers == {1} for numbers in found)
        pools = ThreadpoolController().select(user_api="blas").info()
        assert {pool["num_threads"] for pool in pools} == {2}


@ENSEMBLES
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_parallel_fits_give_the_same_result(make, y, backend):
    sequential = make().fit(MIXED, y, WEIGHT)
    with parallel_config(backend=backend, n_jobs=2):
        parallel = make().fit(MIXED, y, WEIGHT)
    np.testing.assert_array_equal(
        predict_all(parallel, MIXED), predict_all(sequential, MIXED)
    )
    np.testing.assert_array_equal(parallel.oof_prediction_, sequential.oof_prediction_)


def memory_map_of(array):
    """Return the memory-mapped file that an array belongs to."""
    while not isinstance(array, np.memmap) and array is not None:
        array = array.base
    return getattr(array, "filename", None)


def test_processes_share_the_training_data(monkeypatch, tmp_path):
    # The members report the file that their rows come from, by an activation.
    X = np.random.default_rng(0).normal(size=(2000, 100))  # more than 1 MB
    ensemble = regressor(cv=2, n_jobs=2)
    ensemble.estimator.set_params(init=ReportingInit(str(tmp_path)))
    ensemble.fit(X, X[:, 0])
    reports = [path.read_text() for path in tmp_path.iterdir()]
    assert len(reports) == 2
    assert len(set(reports)) == 1
    assert "joblib_memmapping_folder" in reports[0]


class ReportingInit:
    """Initializer that writes the memory map of the samples into a new file."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, rng, fan_in, fan_out):
        if fan_in == 100:
            import inspect
            import os
            import tempfile

            frame = inspect.currentframe()
            while "samples" not in frame.f_locals:
                frame = frame.f_back
            found = memory_map_of(frame.f_locals["samples"].X)
            handle, _ = tempfile.mkstemp(dir=self.folder)
            os.write(handle, str(found).encode())
            os.close(handle)
        return rng.normal(size=(fan_in, fan_out))


def test_training_data_are_not_modified_and_can_be_read_only(tmp_path):
    joblib.dump(NUMERIC, tmp_path / "X.joblib")
    X = joblib.load(tmp_path / "X.joblib", mmap_mode="r")
    y = NUMBERS.copy()
    y.flags.writeable = False
    ensemble = regressor().fit(X, y)
    np.testing.assert_array_equal(
        ensemble.predict(X), regressor().fit(NUMERIC, NUMBERS).predict(NUMERIC)
    )


# ------------------------------------------------------------------ errors, warnings


@ENSEMBLES
def test_methods_require_a_fit(make, y):
    ensemble = make()
    methods = ["predict", "predict_interval", "predict_proba", "decision_function"]
    for name in methods:
        if hasattr(ensemble, name):
            with pytest.raises(NotFittedError):
                getattr(ensemble, name)(MIXED)
    for name in {"history_", "classes_"} & set(dir(type(ensemble))):
        with pytest.raises(AttributeError, match="instance is not fitted yet"):
            getattr(ensemble, name)


@ENSEMBLES
def test_failed_fit_leaves_the_ensemble_unchanged(make, y):
    ensemble = make().fit(MIXED, y)
    before = pickle.dumps(ensemble)
    for arguments in (
        (MIXED[:10], y),
        (MIXED.assign(a="text"), y),
        (NUMERIC[:1], y[:1]),
        (NUMERIC, y, np.zeros(N_SAMPLES)),
    ):
        with pytest.raises(ValueError, match=r"\w"):
            ensemble.fit(*arguments)
        assert pickle.dumps(ensemble) == before
    unfitted = make()
    with pytest.raises(ValueError, match="inconsistent"):
        unfitted.fit(MIXED[:10], y)
    assert set(vars(unfitted)) == set(vars(make()))


@ENSEMBLES
def test_diverged_members_are_an_error(make, y):
    ensemble = make(network={"solver": "sgd", "learning_rate_init": 1e200})
    with pytest.raises(ValueError, match="diverged"):
        ensemble.fit(MIXED, y)


def test_interrupted_fit_raises_keyboard_interrupt(monkeypatch):
    monkeypatch.setattr(InterruptingReLU, "calls", 7)
    ensemble = regressor(network={"activation": InterruptingReLU()})
    with pytest.raises(KeyboardInterrupt):
        ensemble.fit(MIXED, NUMBERS)
    assert not hasattr(ensemble, "estimators_")


@ENSEMBLES
def test_error_after_training_leaves_the_ensemble_unchanged(make, y):
    ensemble = make().fit(MIXED, y)
    before = predict_all(ensemble, MIXED)
    ensemble.estimator.set_params(learning_rate="constant", max_iter=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        with pytest.raises(ConvergenceWarning):
            ensemble.fit(MIXED, y)
    np.testing.assert_array_equal(predict_all(ensemble, MIXED), before)


@ENSEMBLES
def test_invalid_parameters_of_members_are_an_error(make, y):
    with pytest.raises(ValueError, match="'momentum' parameter"):
        make(network={"momentum": 2.0}).fit(MIXED, y)
    with pytest.raises(ValueError, match=r"clip_norm=1\.0 is not supported"):
        make(network={"solver": "lbfgs", "clip_norm": 1.0}).fit(MIXED, y)


def test_errors_of_a_member_name_the_member():
    weight = np.r_[np.zeros(20), np.ones(40)]
    rows = np.arange(N_SAMPLES)
    cv = [(rows[:40], rows[40:]), (rows[20:], rows[:20])]
    with pytest.raises(ValueError, match=r"Member 2 of 2: .* validation"):
        regressor(cv=cv).fit(MIXED, NUMBERS, weight)


@ENSEMBLES
def test_warnings_of_members_are_summarized(make, y):
    ensemble = make()
    ensemble.estimator.set_params(learning_rate="constant", max_iter=2)
    with pytest.warns(ConvergenceWarning) as caught:
        ensemble.fit(MIXED, y)
    assert len(caught) == 1
    message = str(caught[0].message)
    assert message.startswith("3 of 3 members have a warning. The warning of")
    assert "estimators_[0] is: Stochastic Optimizer: Maximum iterations (2)" in message


@ENSEMBLES
def test_new_data_must_have_the_same_features(make, y):
    ensemble = make().fit(MIXED, y)
    name = type(ensemble).__name__
    with pytest.raises(ValueError, match="feature names should match"):
        ensemble.predict(MIXED[["b", "a", "c", "color"]])
    with pytest.raises(ValueError, match=f"{name} is expecting 3 features"):
        make().fit(NUMERIC, y).predict(NUMERIC[:, :2])


def test_refit_replaces_the_feature_names():
    ensemble = regressor().fit(MIXED, NUMBERS)
    assert list(ensemble.feature_names_in_) == ["a", "b", "c", "color"]
    assert not hasattr(ensemble.fit(NUMERIC, NUMBERS), "feature_names_in_")
