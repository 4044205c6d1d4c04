"""Ensembles in files: pickle, joblib, skops and `load`."""

import pickle

import joblib
import numpy as np
import pytest
from small_ensembles import ENSEMBLES, MIXED, NUMBERS, predict_all, regressor
from small_fits import ignore_convergence_warning

import skbackprop

pytestmark = ignore_convergence_warning


def write_skops(ensemble, path):
    io = pytest.importorskip("skops.io")
    io.dump(ensemble, path)


def write_pickle(ensemble, path):
    path.write_bytes(pickle.dumps(ensemble))


WRITERS = {"skops": write_skops, "joblib": joblib.dump, "pickle": write_pickle}


@ENSEMBLES
@pytest.mark.parametrize("kind", WRITERS)
def test_loaded_ensemble_equals_saved_ensemble(make, y, kind, tmp_path):
    ensemble = make().fit(MIXED, y)
    path = tmp_path / "file"
    WRITERS[kind](ensemble, path)
    loaded = skbackprop.load(path, allow_pickle=kind != "skops")
    np.testing.assert_array_equal(
        predict_all(loaded, MIXED), predict_all(ensemble, MIXED)
    )
    np.testing.assert_array_equal(loaded.oof_prediction_, ensemble.oof_prediction_)
    assert loaded.oof_score_ == ensemble.oof_score_
    assert list(loaded.feature_names_in_) == list(MIXED.columns)
    assert loaded.history_.equals(ensemble.history_)
    assert repr(loaded) == repr(ensemble)
    if hasattr(ensemble, "predict_interval"):
        np.testing.assert_array_equal(
            loaded.predict_interval(MIXED), ensemble.predict_interval(MIXED)
        )
    # A loaded ensemble can be fitted again.
    again = loaded.fit(MIXED, y)
    np.testing.assert_array_equal(again.oof_prediction_, ensemble.oof_prediction_)


def test_unfitted_ensemble_can_be_saved(tmp_path):
    ensemble = regressor(cv=5)
    joblib.dump(ensemble, tmp_path / "file")
    loaded = skbackprop.load(tmp_path / "file", allow_pickle=True)
    assert loaded.cv == 5
    assert loaded.estimator.get_params() == ensemble.estimator.get_params()


def test_newer_formats_are_rejected():
    ensemble = regressor().fit(MIXED, NUMBERS)
    state = ensemble.__getstate__()
    (key,) = [name for name in state if name.endswith("format")]
    with pytest.raises(ValueError, match="has format 99"):
        regressor().__setstate__({**state, key: 99})
