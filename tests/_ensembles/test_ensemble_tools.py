"""Ensembles in the tools of scikit-learn: searches, stacking, callbacks, routing."""

import threading
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import StackingClassifier, StackingRegressor, VotingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from small_ensembles import (
    BINARY,
    CLASSES,
    ENSEMBLES,
    MIXED,
    N_SAMPLES,
    NUMBERS,
    NUMERIC,
    WEIGHT,
    classifier,
    predict_all,
    regressor,
)
from small_fits import ignore_convergence_warning

from skbackprop import Checkpoint, EpochEndCallback, HistoryLogger

pytestmark = ignore_convergence_warning
needs_callbacks = pytest.mark.skipif(
    not hasattr(sklearn, "callback"), reason="callbacks require scikit-learn 1.9"
)


@ENSEMBLES
def test_pipeline(make, y):
    pipeline = make_pipeline(StandardScaler(), make()).fit(NUMERIC, y)
    scaled = StandardScaler().fit_transform(NUMERIC)
    np.testing.assert_allclose(
        pipeline.score(NUMERIC, y), make().fit(scaled, y).score(scaled, y)
    )


@ENSEMBLES
def test_grid_search_sets_parameters_of_the_members(make, y):
    grid = {"estimator__alpha": [0.0, 1e4], "cv": [2, 3]}
    search = GridSearchCV(make(), grid, cv=2).fit(MIXED, y)
    assert len(search.cv_results_["params"]) == 4
    best = search.best_estimator_
    assert best.estimators_[0].alpha == search.best_params_["estimator__alpha"]
    assert len(best.estimators_) == search.best_params_["cv"]
    assert np.ptp(search.cv_results_["mean_test_score"]) > 0.0


@ENSEMBLES
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_cross_validate(make, y, n_jobs):
    scores = cross_validate(make(), MIXED, y, cv=3, n_jobs=n_jobs, error_score="raise")
    assert np.isfinite(scores["test_score"]).all()


def test_stacking_and_voting():
    stack = StackingClassifier(
        [("one", classifier()), ("two", classifier(cv=2))], LogisticRegression(), cv=3
    )
    assert stack.fit(MIXED, CLASSES).predict_proba(MIXED).shape == (N_SAMPLES, 3)
    stack = StackingRegressor([("one", regressor()), ("two", regressor(cv=2))], cv=3)
    assert stack.fit(MIXED, NUMBERS).score(MIXED, NUMBERS) > 0.5
    members = [("one", regressor()), ("two", regressor(cv=2))]
    voting = VotingRegressor(members).fit(MIXED, NUMBERS)
    expected = np.mean([m.predict(MIXED) for m in voting.estimators_], axis=0)
    np.testing.assert_allclose(voting.predict(MIXED), expected)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibration(method):
    calibrated = CalibratedClassifierCV(classifier(), method=method, cv=2)
    probabilities = calibrated.fit(MIXED, BINARY).predict_proba(MIXED)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)


def test_transformed_targets():
    model = TransformedTargetRegressor(regressor(), func=np.exp, inverse_func=np.log)
    assert np.isfinite(model.fit(MIXED, NUMBERS).predict(MIXED)).all()


@ENSEMBLES
def test_metadata_routing(make, y):
    groups = np.arange(N_SAMPLES) // 10
    with sklearn.config_context(enable_metadata_routing=True):
        ensemble = make()
        ensemble.set_fit_request(sample_weight=True, groups=True)
        ensemble.set_score_request(sample_weight=False)
        routed = cross_validate(
            ensemble,
            MIXED,
            y,
            cv=GroupKFold(2),
            params={"sample_weight": WEIGHT, "groups": groups},
            return_estimator=True,
            return_indices=True,
        )
    rows = routed["indices"]["train"][0]
    expected = make().fit(MIXED.iloc[rows], y[rows], WEIGHT[rows], groups[rows])
    np.testing.assert_array_equal(
        predict_all(routed["estimator"][0], MIXED), predict_all(expected, MIXED)
    )


# -------------------------------------------------------------------------- callbacks


@needs_callbacks
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_history_logger_writes_the_epochs_of_all_members(n_jobs, tmp_path):
    path = tmp_path / "history.csv"
    ensemble = regressor(n_jobs=n_jobs)
    ensemble.estimator.set_callbacks(HistoryLogger(path))
    ensemble.fit(MIXED, NUMBERS)
    logged = pd.read_csv(path).groupby("fit")["validation_loss"].apply(list)
    assert len(logged) == 3
    expected = [member.validation_loss_curve_ for member in ensemble.estimators_]
    for losses, name in zip(expected, sorted(logged.index)):
        np.testing.assert_allclose(logged[name], losses)


@needs_callbacks
def test_callbacks_of_members_can_stop_training():
    ensemble = regressor()
    stop = EpochEndCallback(lambda network, epoch: network.n_iter_ == 2)
    ensemble.estimator.set_callbacks(stop)
    ensemble.fit(MIXED, NUMBERS)
    assert [member.n_iter_ for member in ensemble.estimators_] == [2, 2, 2]


@needs_callbacks
def test_checkpoints_are_an_error(tmp_path):
    checkpoint = Checkpoint(tmp_path / "file")
    ensemble = regressor()
    ensemble.estimator.set_callbacks(checkpoint)
    with pytest.raises(ValueError, match="not supported in BackpropEnsembleRegressor"):
        ensemble.fit(MIXED, NUMBERS)
    ensemble = regressor().set_callbacks(checkpoint)
    with pytest.raises(TypeError, match="must be set on a BackpropClassifier"):
        ensemble.fit(MIXED, NUMBERS)


@needs_callbacks
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_progress_bar_covers_members_and_epochs(n_jobs, capsys):
    from sklearn.callback import ProgressBar

    ensemble = regressor(n_jobs=n_jobs).set_callbacks(ProgressBar())
    ensemble.fit(MIXED, NUMBERS)
    shown = capsys.readouterr().out
    assert "BackpropEnsembleRegressor" in shown
    for i in range(3):
        assert f"#{i}" in shown
    assert not hasattr(ensemble.estimators_[0], "_skl_callbacks")


@needs_callbacks
@pytest.mark.parametrize("make_error", ["divergence", "warning"])
def test_callbacks_are_torn_down_after_an_error(make_error, capsys):
    from sklearn.callback import ProgressBar

    params = {"divergence": {"solver": "sgd", "learning_rate_init": 1e200}}
    ensemble = regressor(network=params.get(make_error, {"max_iter": 1}))
    ensemble.set_callbacks(ProgressBar())
    attributes = set(vars(ensemble))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises((ValueError, UserWarning)):
            ensemble.set_params(estimator__tol=1e9).fit(MIXED, NUMBERS)
    names = {type(thread).__name__ for thread in threading.enumerate()}
    assert "RichProgressMonitor" not in names
    assert set(vars(ensemble)) == attributes


class Recorder:
    """Callback of the ensemble and of its members that records its tasks."""

    max_propagation_depth = None
    tasks = []

    def setup(self, estimator, context):
        self.tasks.clear()

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, X, y, metadata):
        n_rows = len(X), len(y), len(metadata["sample_weight"])
        self.tasks.append((type(estimator).__name__, context.task_name, n_rows))


@needs_callbacks
@ENSEMBLES
def test_callbacks_receive_the_training_rows_of_members(make, y):
    ensemble = make().set_callbacks(Recorder())
    ensemble.fit(MIXED, y, sample_weight=WEIGHT)
    member, name = type(ensemble.estimator).__name__, type(ensemble).__name__
    one = [(member, "epoch", (40, 40, 40))] * 5 + [(member, "fit", (40, 40, 40))]
    assert Recorder.tasks == one * 3 + [(name, "fit", (60, 60, 60))]
