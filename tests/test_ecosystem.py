"""The estimators among scikit-learn, pandas, polars, SciPy sparse and joblib."""

import ast
import copy
import inspect
import io
import pickle
import re
import subprocess
import sys
import textwrap
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from sklearn import config_context
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils import get_tags

import skbackprop
from skbackprop import BackpropClassifier, BackpropRegressor, _base
from skbackprop.core.activations import ReLU, Tanh
from skbackprop.core.losses import Huber
from skbackprop.core.optimizers import OPTIMIZERS

PACKAGE = Path(skbackprop.__file__).parent

rng = np.random.default_rng(0)
X = rng.normal(size=(90, 4))
CODES = np.digitize(X[:, 0] + 0.5 * X[:, 1], [-0.5, 0.5])
NAMES = np.array(["high", "low", "mid"])[CODES]
NUMBERS = X[:, 0] - 2.0 * X[:, 1]
LABELS = (X[:, :3] > 0).astype(int)
WEIGHT = rng.integers(0, 4, 90).astype(float)

# A tolerance that no epoch meets: training ends after so many epochs, in peace.
ENDS = {"tol": 1e3, "n_iter_no_change": 30, "random_state": 0}
ESTIMATORS = pytest.mark.parametrize(
    ("make", "y"), [(BackpropClassifier, CODES), (BackpropRegressor, NUMBERS)]
)


def classifier(**params):
    return BackpropClassifier((8,), **{**ENDS, "learning_rate_init": 0.05, **params})


def regressor(**params):
    return BackpropRegressor((8,), **{**ENDS, "learning_rate_init": 0.02, **params})


def small(make, **params):
    if params.get("solver") == "lbfgs":
        params = {"tol": 0.02, "max_iter": 500, **params}
    return classifier(**params) if make is BackpropClassifier else regressor(**params)


def frame(values=X):
    return pd.DataFrame(values, columns=list("abcd"))


def assert_same_network(one, other):
    for name in ("coefs_", "intercepts_"):
        for mine, theirs in zip(getattr(one, name), getattr(other, name), strict=True):
            np.testing.assert_array_equal(mine, theirs)


# ------------------------------------------------------------- copies of it


def with_pickle(estimator):
    return pickle.loads(pickle.dumps(estimator))


def with_joblib(estimator):
    file = io.BytesIO()
    joblib.dump(estimator, file)
    file.seek(0)
    return joblib.load(file)


COPIES = pytest.mark.parametrize("copied", [with_pickle, with_joblib, copy.deepcopy])


@ESTIMATORS
def test_clone_keeps_parameters_and_forgets_the_fit(make, y):
    parameters = {
        "hidden_layer_sizes": [5, 4],
        "activation": (ReLU(), "tanh"),
        "output_activation": Tanh(),
        "loss": Huber(2.0),
        "alpha": np.float64(0.1),
        "clip_norm": 1.0,
    }
    fitted = make(**{**parameters, **ENDS}).fit(X, y)
    cloned = clone(fitted)
    assert vars(cloned).keys() == cloned.get_params().keys()
    assert repr(cloned.get_params().keys()) == repr(fitted.get_params().keys())
    assert_same_network(cloned.fit(X, y), fitted)


@COPIES
@pytest.mark.parametrize("solver", OPTIMIZERS)
@ESTIMATORS
def test_copies_train_on_as_the_original_does(make, y, solver, copied):
    original = small(make, solver=solver, batch_size=32, learning_rate="invscaling")
    kwargs = {"classes": [0, 1, 2]} if make is BackpropClassifier else {}
    original.partial_fit(X, y, **kwargs).partial_fit(X, y)
    twin = copied(original)
    for _ in range(3):
        original.partial_fit(X, y)
        twin.partial_fit(X, y)
    assert_same_network(twin, original)
    assert twin.loss_curve_ == original.loss_curve_
    np.testing.assert_array_equal(twin.predict(X), original.predict(X))


@COPIES
@ESTIMATORS
def test_training_a_copy_leaves_the_original_alone(make, y, copied):
    original = small(make).fit(X, y)
    before, history = original.predict(X), original.history_
    copied(original).partial_fit(X, y)
    np.testing.assert_array_equal(original.predict(X), before)
    pd.testing.assert_frame_equal(original.history_, history)


@COPIES
@ESTIMATORS
def test_a_warm_start_of_a_copy_equals_that_of_the_original(make, y, copied):
    original = small(make, warm_start=True, early_stopping=True).fit(X, y)
    twin = copied(original)
    assert_same_network(twin.fit(X, y), original.fit(X, y))


@COPIES
@ESTIMATORS
def test_weights_edited_in_place_reach_predictions(make, y, copied):
    for estimator in (fitted := small(make).fit(X, y), copied(fitted)):
        for array in (*estimator.coefs_, *estimator.intercepts_):
            array[...] = 0.0
        estimator.intercepts_[-1][-1] = 0.25
        outputs = estimator.predict(X)
        expected = 2 if make is BackpropClassifier else 0.25
        np.testing.assert_array_equal(outputs, np.full(90, expected))


@COPIES
def test_weights_of_a_copy_are_views_of_one_vector(copied):
    network = copied(classifier().fit(X, CODES))._state.network
    for array in (*network.weights, *network.biases):
        assert np.shares_memory(array, network.params)


# ------------------------------------------------------ scikit-learn around it


def mixed_frame():
    df = frame(X.copy())  # before pandas 3 it would be a view, and be written to
    df.loc[::7, "a"] = np.nan
    df["colour"] = np.array(["red", "green", "blue"])[CODES]
    df.loc[::11, "colour"] = None
    df["size"] = pd.Categorical(np.array(["S", "M", "L"])[(CODES + 1) % 3])
    return df


def mixed_pipeline(estimator):
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    categories = OneHotEncoder(handle_unknown="ignore")
    columns = ColumnTransformer(
        [("numbers", numbers, list("abcd")), ("names", categories, ["colour", "size"])]
    )
    return make_pipeline(columns, estimator)


@ESTIMATORS
def test_pipeline_takes_a_frame_of_numbers_categories_and_missing_values(make, y):
    df = mixed_frame()
    pipeline = mixed_pipeline(small(make)).fit(df, y)
    assert pipeline.score(df, y) > 0.9
    np.testing.assert_array_equal(pipeline.predict(df[5:9]), pipeline.predict(df)[5:9])


@ESTIMATORS
def test_set_output_of_a_pipeline_names_the_features(make, y):
    pipeline = make_pipeline(StandardScaler(), small(make))
    pipeline.set_output(transform="pandas").fit(frame(), y)
    assert list(pipeline[-1].feature_names_in_) == list("abcd")
    assert isinstance(pipeline.predict(frame()), np.ndarray)
    assert not hasattr(small(make), "set_output")


@ESTIMATORS
def test_grid_search_over_architectures_in_two_processes(make, y):
    grids = [
        {"hidden_layer_sizes": [(6,), 4], "solver": ["adam", "lbfgs"]},
        {
            "hidden_layer_sizes": [(6, 4)],
            "activation": ["relu", ("tanh", "gelu")],
            "alpha": np.logspace(-4, -1, 2),
        },
    ]
    estimator = small(make, n_iter_no_change=60, max_iter=500, tol=0.01)
    search = GridSearchCV(estimator, grids, cv=2, n_jobs=2).fit(X, y)
    assert len(search.cv_results_["params"]) == 8
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_score_ > 0.7
    refit = clone(estimator).set_params(**search.best_params_).fit(X, y)
    assert_same_network(search.best_estimator_, refit)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@ESTIMATORS
def test_numpy_scalars_as_parameters_change_nothing(make, y, dtype):
    plain = {"alpha": 0.125, "learning_rate_init": 0.03125, "batch_size": 16}
    scalars = {
        "alpha": np.float64(0.125),
        "learning_rate_init": np.float64(0.03125),
        "batch_size": np.int64(16),
        "momentum": np.float64(0.9),
        "beta_1": np.float64(0.9),
        "clip_norm": np.float64(1e6),
        "hidden_layer_sizes": np.array([8]),
        "max_iter": np.int64(50),
    }
    one = small(make, **plain).fit(X.astype(dtype), y)
    other = small(make).set_params(**scalars).fit(X.astype(dtype), y)
    assert_same_network(one, other)
    assert other.coefs_[0].dtype == dtype


@ESTIMATORS
def test_cross_validation(make, y):
    scores = cross_val_score(small(make), X, y, cv=3)
    assert scores.shape == (3,)
    assert scores.min() > 0.7


def test_calibration():
    calibrated = CalibratedClassifierCV(classifier(), cv=3).fit(X, NAMES)
    assert calibrated.score(X, NAMES) > 0.8
    np.testing.assert_allclose(calibrated.predict_proba(X).sum(axis=1), 1.0)


@ESTIMATORS
def test_permutation_importance_finds_the_features_that_matter(make, y):
    fitted = small(make).fit(X, y)
    importance = permutation_importance(fitted, X, y, random_state=0).importances_mean
    assert importance[:2].min() > importance[2:].max()


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
@pytest.mark.parametrize(
    ("ensemble", "member", "y"),
    [
        (BaggingClassifier, classifier, NAMES),
        (BaggingRegressor, regressor, NUMBERS),
    ],
)
def test_bagging(ensemble, member, y, weight):
    bag = ensemble(member(), n_estimators=3, random_state=0)
    assert bag.fit(X, y, sample_weight=weight).score(X, y) > 0.8


def test_one_classifier_an_output():
    y = np.column_stack([NAMES, NAMES[::-1]])
    fitted = MultiOutputClassifier(classifier()).fit(X, y)
    np.testing.assert_array_equal(
        fitted.predict(X)[:, 0], classifier().fit(X, NAMES).predict(X)
    )
    assert fitted.partial_fit(X, y).predict(X).shape == (90, 2)


def test_voting_and_stacking_classifiers():
    members = [
        ("net", classifier()),
        ("other", classifier(loss="log_loss", activation="tanh")),
        ("linear", LogisticRegression()),
    ]
    soft = VotingClassifier(members, voting="soft").fit(X, NAMES)
    stack = StackingClassifier(members, cv=2).fit(X, NAMES)
    assert min(soft.score(X, NAMES), stack.score(X, NAMES)) > 0.85


def test_voting_and_stacking_regressors():
    members = [("net", regressor()), ("robust", regressor(loss="huber"))]
    vote = VotingRegressor(members).fit(X, NUMBERS)
    stack = StackingRegressor(members, cv=2).fit(X, NUMBERS)
    assert min(vote.score(X, NUMBERS), stack.score(X, NUMBERS)) > 0.85


def test_transformed_targets():
    y = 1e4 + 1e3 * NUMBERS
    scaled = TransformedTargetRegressor(
        regressor(n_iter_no_change=100), transformer=StandardScaler()
    )
    assert scaled.fit(X, y).score(X, y) > 0.9


@ESTIMATORS
def test_html_representation(make, y):
    estimator = small(make, activation=("relu",))
    for shown in (estimator, estimator.fit(frame(), y), make_pipeline(estimator)):
        assert make.__name__ in shown._repr_html_()


@ESTIMATORS
def test_representation_shows_what_is_not_the_default(make, y):
    assert repr(make()) == f"{make.__name__}()"
    assert repr(make((5,), "tanh")) == (
        f"{make.__name__}(activation='tanh', hidden_layer_sizes=(5,))"
    )


def test_tags():
    of_classifier, of_regressor = (
        get_tags(BackpropClassifier()),
        get_tags(BackpropRegressor()),
    )
    assert is_classifier(BackpropClassifier())
    assert is_regressor(BackpropRegressor())
    assert of_classifier.classifier_tags.multi_label
    assert of_classifier.classifier_tags.multi_class
    assert of_regressor.target_tags.multi_output
    for tags in (of_classifier, of_regressor):
        assert tags.input_tags.sparse
        assert not tags.input_tags.allow_nan
        assert tags.target_tags.required
        assert not tags.non_deterministic


def test_poisson_loss_asks_for_positive_targets_in_its_tags():
    assert get_tags(BackpropRegressor(loss="poisson")).target_tags.positive_only
    assert not get_tags(BackpropRegressor()).target_tags.positive_only


# ---------------------------------------------------------- metadata routing


@ESTIMATORS
def test_a_pipeline_routes_weights_to_fit(make, y):
    with config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        estimator = small(make).set_fit_request(sample_weight=True)
        pipeline = make_pipeline(scaler, estimator).fit(X, y, sample_weight=WEIGHT)
    scaled = StandardScaler().fit_transform(X)
    direct = small(make).fit(scaled, y, sample_weight=WEIGHT)
    assert_same_network(pipeline[-1], direct)


@ESTIMATORS
def test_weights_are_not_routed_where_they_were_not_asked_for(make, y):
    with config_context(enable_metadata_routing=True):
        estimator = small(make).set_fit_request(sample_weight=False)
        pipeline = make_pipeline(estimator)
        with pytest.raises(TypeError, match="sample_weight"):
            pipeline.fit(X, y, sample_weight=WEIGHT)


@ESTIMATORS
def test_a_grid_search_routes_weights_to_fit_and_score(make, y):
    with config_context(enable_metadata_routing=True):
        estimator = small(make)
        estimator.set_fit_request(sample_weight=True)
        estimator.set_score_request(sample_weight=True)
        search = GridSearchCV(estimator, {"alpha": [0.1, 0.01]}, cv=2)
        search.fit(X, y, sample_weight=WEIGHT)
    direct = small(make, **search.best_params_).fit(X, y, sample_weight=WEIGHT)
    assert_same_network(search.best_estimator_, direct)


@ESTIMATORS
def test_cross_validation_routes_weights_to_fit_and_score(make, y):
    with config_context(enable_metadata_routing=True):
        estimator = small(make)
        estimator.set_fit_request(sample_weight=True)
        estimator.set_score_request(sample_weight=True)
        result = cross_validate(
            estimator,
            X,
            y,
            cv=2,
            params={"sample_weight": WEIGHT},
            return_estimator=True,
            return_indices=True,
        )
    for k, fitted in enumerate(result["estimator"]):
        train, test = (result["indices"][side][k] for side in ("train", "test"))
        direct = small(make).fit(X[train], y[train], sample_weight=WEIGHT[train])
        assert_same_network(fitted, direct)
        score = direct.score(X[test], y[test], sample_weight=WEIGHT[test])
        assert result["test_score"][k] == score


@ESTIMATORS
def test_partial_fit_can_ask_for_weights_as_well(make, y):
    with config_context(enable_metadata_routing=True):
        estimator = make().set_partial_fit_request(sample_weight=True)
        request = estimator.get_metadata_routing().partial_fit
    assert request.requests["sample_weight"] is True


@ESTIMATORS
def test_score_takes_weights(make, y):
    fitted = small(make).fit(X, y)
    metric = accuracy_score if make is BackpropClassifier else r2_score
    expected = metric(y, fitted.predict(X), sample_weight=WEIGHT)
    assert fitted.score(X, y, sample_weight=WEIGHT) == expected
    assert fitted.score(X, y, sample_weight=WEIGHT) != fitted.score(X, y)


# ------------------------------------------------------------ frames and series

FRAMES = {
    "pandas": frame,
    "pandas Float64": lambda: frame().astype("Float64"),
    "pandas Fortran": lambda: pd.DataFrame(
        {name: X[:, i].copy() for i, name in enumerate("abcd")}
    ),
    "polars": lambda: pl.DataFrame(X, schema=list("abcd")),
}


@pytest.mark.parametrize("kind", FRAMES)
@ESTIMATORS
def test_frames_give_the_numbers_of_arrays_and_name_the_features(make, y, kind):
    df = FRAMES[kind]()
    fitted, plain = small(make).fit(df, y), small(make).fit(X, y)
    assert_same_network(fitted, plain)
    assert list(fitted.feature_names_in_) == list("abcd")
    np.testing.assert_array_equal(fitted.predict(df), plain.predict(X))
    assert not hasattr(plain, "feature_names_in_")


@pytest.mark.parametrize("kind", FRAMES)
@ESTIMATORS
def test_columns_in_another_order_are_refused(make, y, kind):
    df = FRAMES[kind]()
    fitted = small(make).fit(df, y)
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(df[["b", "a", "c", "d"]])


@pytest.mark.parametrize("kind", FRAMES)
@ESTIMATORS
def test_names_missing_on_one_side_are_warned_of(make, y, kind):
    df = FRAMES[kind]()
    named, plain = small(make).fit(df, y), small(make).fit(X, y)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        named.predict(X)
    with pytest.warns(UserWarning, match="was fitted without feature names"):
        plain.predict(df)


@pytest.mark.parametrize("scoring", ["loss", "accuracy", "neg_log_loss"])
def test_early_stopping_on_a_frame_does_not_warn(scoring):
    fitted = classifier(early_stopping=True, scoring=scoring).fit(frame(), NAMES)
    assert list(fitted.feature_names_in_) == list("abcd")
    assert fitted.score(frame(), NAMES) > 0.8


def test_integers_that_can_be_missing_are_read_as_numbers():
    df = pd.DataFrame(np.round(3 * X).astype(int), columns=list("abcd"))
    fitted, plain = (
        classifier().fit(df.astype("Int64"), CODES),
        classifier().fit(df, CODES),
    )
    assert_same_network(fitted, plain)
    df = df.astype("Int64")
    df.iloc[3, 1] = pd.NA
    with pytest.raises(ValueError, match="Input X contains NaN"):
        classifier().fit(df, CODES)


TARGETS = {
    "list": list(NAMES),
    "object array": NAMES.astype(object),
    "pandas str": pd.Series(NAMES),
    "pandas string": pd.Series(NAMES, dtype="string"),
    "pandas object": pd.Series(NAMES, dtype=object),
    "pandas category": pd.Series(pd.Categorical(NAMES)),
    "pandas indexed": pd.Series(NAMES, index=np.arange(90)[::-1]),
    "pandas Int64": pd.Series(CODES, dtype="Int64"),
    "pandas int8": pd.Series(CODES, dtype="int8"),
    "pandas float": pd.Series(CODES, dtype="float64"),
    "pandas bool": pd.Series(CODES == 1),
    "pandas boolean": pd.Series(CODES == 1, dtype="boolean"),
    "polars String": pl.Series(NAMES),
    "polars Categorical": pl.Series(NAMES, dtype=pl.Categorical),
    "polars Int64": pl.Series(CODES),
    "polars Boolean": pl.Series(CODES == 1),
}


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("kind", TARGETS)
def test_labels_of_every_kind_come_back_as_they_were(kind, early_stopping):
    y = TARGETS[kind]
    scoring = "accuracy" if early_stopping else "loss"
    fitted = classifier(early_stopping=early_stopping, scoring=scoring).fit(X, y)
    classes = sorted(set(y))
    assert fitted.classes_.tolist() == classes
    assert set(fitted.predict(X).tolist()) == set(classes)
    codes = np.array([classes.index(label) for label in y])
    plain = classifier(early_stopping=early_stopping, scoring=scoring).fit(X, codes)
    assert_same_network(fitted, plain)
    assert fitted.validation_scores_ == plain.validation_scores_
    assert fitted.score(X, y) == plain.score(X, codes)


@pytest.mark.parametrize("kind", TARGETS)
def test_labels_of_every_kind_can_be_learned_piecemeal(kind):
    y = TARGETS[kind]
    classes = sorted(set(y))
    estimator = classifier().partial_fit(X[:20], y[:20], classes=classes)
    estimator.partial_fit(X[20:], y[20:])
    assert estimator.classes_.tolist() == classes
    assert set(estimator.predict(X).tolist()) <= set(classes)


@pytest.mark.parametrize(
    "y",
    [
        pd.Series(NUMBERS),
        pd.Series(NUMBERS, dtype="Float64"),
        pl.Series(NUMBERS),
        list(NUMBERS),
        NUMBERS[::1][:, np.newaxis].ravel("F"),
    ],
    ids=["pandas", "pandas Float64", "polars", "list", "array"],
)
def test_numbers_of_every_kind_are_the_same_targets(y):
    assert_same_network(regressor().fit(X, y), regressor().fit(X, NUMBERS))


@pytest.mark.parametrize("frame_of", [pd.DataFrame, pl.DataFrame])
def test_frames_of_targets(frame_of):
    fitted = regressor().fit(X, frame_of(X[:, :2]))
    assert_same_network(fitted, regressor().fit(X, X[:, :2]))
    fitted = classifier().fit(X, frame_of(LABELS))
    assert_same_network(fitted, classifier().fit(X, LABELS))


@pytest.mark.parametrize("series", [pd.Series, pl.Series, list])
@ESTIMATORS
def test_weights_of_every_kind(make, y, series):
    fitted = small(make).fit(X, y, sample_weight=series(WEIGHT))
    assert_same_network(fitted, small(make).fit(X, y, sample_weight=WEIGHT))


def test_missing_labels_are_refused():
    y = pd.Series(CODES, dtype="Int64")
    y[3] = pd.NA
    with pytest.raises(ValueError, match="Input y contains NaN"):
        classifier().fit(X, y)


# ------------------------------------------------ what is yours is not touched

SOLVERS = pytest.mark.parametrize("solver", ["sgd", "adamw", "lbfgs"])


def locked(array):
    array = array.copy()
    array.setflags(write=False)
    return array


def settings(solver):
    """Every path that reads samples: in order, shuffled, and held out."""
    common = {"solver": solver, "learning_rate_init": 0.01}
    yield {**common, "shuffle": True, "batch_size": 16}
    yield {**common, "shuffle": False}
    yield {**common, "early_stopping": True, "validation_fraction": 0.3}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@SOLVERS
@ESTIMATORS
@pytest.mark.filterwarnings("ignore:Got `batch_size`")
def test_read_only_arrays_are_enough(make, y, solver, dtype):
    X_locked, y, weight = locked(X.astype(dtype)), locked(y), locked(WEIGHT)
    if make is BackpropRegressor:
        y = locked(y.astype(dtype))
    for params in settings(solver):
        fitted = small(make, **params).fit(
            X_locked, y, sample_weight=weight.astype(dtype)
        )
        assert fitted.predict(X_locked).shape == y.shape
    if solver != "lbfgs":
        clone(fitted).set_params(early_stopping=False).fit(X_locked, y).partial_fit(
            X_locked, y, weight
        )


@SOLVERS
@ESTIMATORS
def test_memory_maps_are_enough(make, y, solver, tmp_path):
    paths = [tmp_path / name for name in ("X.npy", "y.npy", "weight.npy")]
    for path, array in zip(paths, (X, y, WEIGHT), strict=True):
        np.save(path, array)
    maps = [np.load(path, mmap_mode="r") for path in paths]
    for params in settings(solver):
        mapped = small(make, **params).fit(maps[0], maps[1], sample_weight=maps[2])
        in_memory = small(make, **params).fit(X, y, sample_weight=WEIGHT)
        assert_same_network(mapped, in_memory)
        np.testing.assert_array_equal(mapped.predict(maps[0]), in_memory.predict(X))


@pytest.mark.parametrize("order", ["C", "F"])
@SOLVERS
@ESTIMATORS
def test_arrays_are_not_written_to(make, y, solver, order):
    mine = [np.array(X, order=order), y.copy(), WEIGHT.copy()]
    for params in settings(solver):
        small(make, **params).fit(mine[0], mine[1], sample_weight=mine[2]).predict(
            mine[0]
        )
    for array, before in zip(mine, (X, y, WEIGHT), strict=True):
        np.testing.assert_array_equal(array, before)


@SOLVERS
@ESTIMATORS
def test_frames_are_not_written_to(make, y, solver):
    df, series, weight = frame(), pd.Series(y), pd.Series(WEIGHT)
    before = [df.copy(deep=True), series.copy(deep=True), weight.copy(deep=True)]
    for params in settings(solver):
        small(make, **params).fit(df, series, sample_weight=weight).predict(df)
    pd.testing.assert_frame_equal(df, before[0])
    pd.testing.assert_series_equal(series, before[1])
    pd.testing.assert_series_equal(weight, before[2])


@pytest.fixture
def samples(monkeypatch):
    """Whatever training samples reach the core, in the order of their coming."""
    seen = []

    def note(*args, **kwargs):
        seen.append(core_samples(*args, **kwargs))
        return seen[-1]

    core_samples = _base.Samples
    monkeypatch.setattr(_base, "Samples", note)
    return seen


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@SOLVERS
@ESTIMATORS
def test_arrays_in_c_order_are_not_copied(make, y, solver, dtype, samples):
    mine = X.astype(dtype)
    for params in settings(solver):
        small(make, **params).fit(mine, y)
    assert len(samples) == 3
    for seen in samples:
        assert np.shares_memory(seen.X, mine)
        assert seen.X.dtype == dtype


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@ESTIMATORS
def test_arrays_in_c_order_are_not_copied_by_partial_fit(make, y, dtype, samples):
    mine = X.astype(dtype)
    small(make).fit(mine, y).partial_fit(mine, y)
    assert len(samples) == 2
    assert all(np.shares_memory(seen.X, mine) for seen in samples)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_targets_and_weights_of_the_same_dtype_are_not_copied(dtype, samples):
    mine = [array.astype(dtype) for array in (X, NUMBERS, WEIGHT)]
    regressor().fit(*mine)
    (seen,) = samples
    assert np.shares_memory(seen.targets, mine[1])
    assert np.shares_memory(seen.weight, mine[2])


@pytest.mark.parametrize("early_stopping", [False, True])
def test_memory_maps_are_not_read_into_memory(early_stopping, samples, tmp_path):
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    classifier(early_stopping=early_stopping).fit(mapped, CODES)
    assert np.shares_memory(samples[0].X, mapped)


# -------------------------------------------------------------------- sparse

SPARSE = {
    kind.__name__: kind
    for kind in (
        sp.csr_matrix,
        sp.csc_matrix,
        sp.coo_matrix,
        sp.csr_array,
        sp.csc_array,
        sp.coo_array,
    )
}
DENSE = np.where(rng.random(X.shape) < 0.5, X, 0.0)


@pytest.fixture
def never_dense(monkeypatch):
    """Let every attempt at making a sparse matrix dense fail."""

    def refuse(self, *args, **kwargs):
        raise AssertionError("a sparse matrix was made dense")

    for kind in SPARSE.values():
        for method in ("toarray", "todense", "__array__"):
            monkeypatch.setattr(kind, method, refuse, raising=False)


@pytest.mark.usefixtures("never_dense")
@pytest.mark.parametrize("kind", SPARSE)
@SOLVERS
@ESTIMATORS
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_sparse_input_is_never_made_dense_and_gives_the_same_numbers(
    make, y, solver, kind
):
    sparse = SPARSE[kind](DENSE)
    few = {"max_iter": 10}  # before L-BFGS makes much of differences in rounding
    for params in settings(solver):
        from_sparse, from_dense = (
            small(make, **params, **few).fit(values, y, sample_weight=WEIGHT)
            for values in (sparse, DENSE)
        )
        assert from_sparse.n_iter_ == from_dense.n_iter_
        np.testing.assert_allclose(
            from_sparse.loss_curve_, from_dense.loss_curve_, rtol=1e-6
        )
        for mine, other in zip(from_sparse.coefs_, from_dense.coefs_, strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-7)


@pytest.mark.usefixtures("never_dense")
@pytest.mark.parametrize("kind", SPARSE)
@ESTIMATORS
def test_predictions_for_sparse_input_are_those_for_dense(make, y, kind):
    fitted = small(make).fit(DENSE, y)
    sparse = SPARSE[kind](DENSE)
    method = "predict_proba" if make is BackpropClassifier else "predict"
    np.testing.assert_allclose(
        getattr(fitted, method)(sparse), getattr(fitted, method)(DENSE), rtol=1e-12
    )


@pytest.mark.parametrize("kind", SPARSE)
@ESTIMATORS
def test_sparse_input_is_not_written_to(make, y, kind):
    sparse = SPARSE[kind](DENSE)
    sparse.data.setflags(write=False)
    before = sparse.copy()
    for params in (*settings("sgd"), *settings("lbfgs")):
        small(make, **params).fit(sparse, y).predict(sparse)
    assert abs(sparse - before).sum() == 0.0
    assert sparse.nnz == before.nnz


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sparse_rows_are_not_copied(dtype, samples):
    sparse = sp.csr_array(DENSE.astype(dtype))
    classifier().fit(sparse, CODES)
    assert np.shares_memory(samples[0].X.data, sparse.data)


@ESTIMATORS
def test_one_format_may_follow_another(make, y):
    alternating, dense = small(make).fit(DENSE, y), small(make).fit(DENSE, y)
    for values in (sp.csr_array(DENSE), DENSE, sp.coo_matrix(DENSE)):
        alternating.partial_fit(values, y)
        dense.partial_fit(DENSE, y)
    np.testing.assert_allclose(alternating.loss_curve_, dense.loss_curve_, rtol=1e-9)


# ---------------------------------------------------------------- multilabel


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@pytest.mark.parametrize("kind", SPARSE)
def test_sparse_label_indicators(loss, kind):
    dense = classifier(loss=loss).fit(X, LABELS)
    sparse = classifier(loss=loss).fit(X, SPARSE[kind](LABELS))
    assert_same_network(sparse, dense)
    predicted = sparse.predict(X)
    assert sp.issparse(predicted)
    np.testing.assert_array_equal(predicted.toarray(), dense.predict(X))
    np.testing.assert_array_equal(sparse.predict_proba(X), dense.predict_proba(X))


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_labels_that_exclude_nothing(loss):
    fitted = classifier(loss=loss).fit(X, LABELS)
    assert fitted.classes_.tolist() == [0, 1, 2]
    assert fitted.predict(X).dtype.kind == "i"
    assert (fitted.predict(X) == LABELS).mean() > 0.95
    assert fitted.predict_proba(X).shape == (90, 3)
    np.testing.assert_array_equal(fitted.predict_proba(X) > 0.5, fitted.predict(X))
    assert fitted.score(X, LABELS) == accuracy_score(LABELS, fitted.predict(X))


@pytest.mark.parametrize("y", [LABELS, sp.csr_array(LABELS)], ids=["dense", "sparse"])
def test_label_indicators_can_be_learned_piecemeal(y):
    estimator = classifier().partial_fit(X[:30], y[:30], classes=[0, 1, 2])
    estimator.partial_fit(X[30:], y[30:])
    assert estimator.predict(X).shape == (90, 3)


@pytest.mark.parametrize("scoring", ["accuracy", "f1_samples", "loss"])
def test_early_stopping_on_label_indicators(scoring):
    for y in (LABELS, sp.csr_array(LABELS)):
        fitted = classifier(early_stopping=True, scoring=scoring).fit(X, y)
        assert len(fitted.validation_scores_) == fitted.n_iter_
        assert fitted.score(X, LABELS) > 0.6


def test_a_single_column_of_labels_is_a_vector_with_a_warning():
    with pytest.warns(UserWarning, match="column-vector y was passed"):
        fitted = classifier().fit(X, NAMES[:, np.newaxis])
    assert_same_network(fitted, classifier().fit(X, NAMES))
    with pytest.warns(UserWarning, match="column-vector y was passed"):
        fitted = regressor().fit(X, NUMBERS[:, np.newaxis])
    assert fitted.predict(X).shape == (90,)


# ------------------------------------------------------------------- threads


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
@ESTIMATORS
def test_threads_may_predict_with_one_estimator(make, y, kind):
    fitted = make((32, 32), **ENDS).fit(X, y)
    method = fitted.predict_proba if make is BackpropClassifier else fitted.predict
    blocks = [
        kind(block) for block in np.random.default_rng(1).normal(size=(60, 300, 4))
    ]
    alone = [method(block) for block in blocks]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(method, blocks))
    for mine, other in zip(together, alone, strict=True):
        np.testing.assert_array_equal(mine, other)


# ------------------------------------------------------------------- history


@pytest.mark.parametrize("solver", ["lbfgs", *OPTIMIZERS])
@pytest.mark.parametrize("early_stopping", [False, True])
@ESTIMATORS
def test_history_is_a_frame_with_a_row_an_epoch(make, y, solver, early_stopping):
    estimator = small(make, solver=solver, early_stopping=early_stopping)
    history = estimator.fit(X, y).history_
    assert len(history) > 5
    assert list(history.columns) == [
        "loss",
        "validation_loss",
        "validation_score",
        "learning_rate",
        "seconds",
    ]
    assert list(history.index) == list(range(1, estimator.n_iter_ + 1))
    assert {str(dtype) for dtype in history.dtypes} == {"float64"}
    assert history["loss"].tolist() == estimator.loss_curve_
    assert history[["loss", "seconds"]].notna().all(axis=None)
    assert (history["seconds"] > 0).all()
    validation = history[["validation_loss", "validation_score"]]
    if early_stopping:
        assert validation.notna().all(axis=None)
        assert history["validation_score"].tolist() == estimator.validation_scores_
    else:
        assert validation.isna().all(axis=None)
    assert history["learning_rate"].isna().all() == (solver == "lbfgs")


@ESTIMATORS
def test_history_without_an_epoch_has_the_same_columns(make, y):
    # L-BFGS starts where the gradient is already small enough.
    empty = small(make, solver="lbfgs", tol=1e9).fit(X, y).history_
    full = small(make).fit(X, y).history_
    assert len(empty) == 0
    assert empty.columns.equals(full.columns)
    assert empty.dtypes.equals(full.dtypes)


@ESTIMATORS
def test_history_goes_on_through_partial_fit_and_warm_starts(make, y):
    estimator = small(make, warm_start=True).fit(X, y)
    n_epochs = estimator.n_iter_
    estimator.partial_fit(X, y)
    assert len(estimator.history_) == n_epochs + 1
    estimator.fit(X, y)
    assert len(estimator.history_) == n_epochs + 1 + estimator.n_iter_


@ESTIMATORS
def test_history_can_be_edited_without_effect(make, y):
    estimator = small(make).fit(X, y)
    before, history = estimator.loss_curve_, estimator.history_
    history["loss"] = 0.0
    estimator.loss_curve_.clear()
    assert estimator.loss_curve_ == before


# -------------------------------------------------------------- the package


def run_python(code):
    """Run code in an interpreter of its own, where skbackprop can be imported."""
    preamble = f"import sys\nsys.path.insert(0, {str(PACKAGE.parent)!r})\n"
    done = subprocess.run(
        [sys.executable, "-c", preamble + textwrap.dedent(code)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_fit_and_predict_need_neither_pandas_nor_matplotlib():
    run_python("""
        class Absent:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] in ("pandas", "matplotlib", "polars"):
                    raise ModuleNotFoundError(f"No module named {name!r}", name=name)

        sys.meta_path.insert(0, Absent())
        from skbackprop import BackpropClassifier
        X, y = [[0.0], [1.0]] * 8, ["no", "yes"] * 8
        net = BackpropClassifier((4,), solver="lbfgs", random_state=0).fit(X, y)
        assert net.predict([[0.0], [1.0]]).tolist() == ["no", "yes"]
    """)


def test_importing_the_package_does_not_import_pandas_or_matplotlib():
    # scikit-learn itself may import them: then that is known beforehand.
    run_python("""
        import sklearn.metrics, sklearn.model_selection
        before = {"pandas", "matplotlib"} & set(sys.modules)
        import skbackprop
        assert {"pandas", "matplotlib"} & set(sys.modules) == before
    """)


def test_the_core_can_be_used_without_scikit_learn():
    run_python(f"""
        import importlib, types
        for absent in ("sklearn", "pandas", "joblib", "matplotlib"):
            sys.modules[absent] = None
        # The core alone, without what the package around it imports.
        sys.modules["skbackprop"] = package = types.ModuleType("skbackprop")
        package.__path__ = [{str(PACKAGE)!r}]
        for name in {sorted(p.stem for p in (PACKAGE / "core").glob("[a-z]*.py"))}:
            importlib.import_module(f"skbackprop.core.{{name}}")
        assert "skbackprop._base" not in sys.modules

        import numpy as np
        from skbackprop.core.activations import Identity, Tanh
        from skbackprop.core.network import Network
        network = Network((3, 5, 2), (Tanh(), Identity()), np.float64)
        network.initialize(np.random.RandomState(0), (6.0, 6.0))
        assert network.predict(np.ones((4, 3))).shape == (4, 2)
    """)


def siblings_of(module):
    """Return the core modules, and whatever else, that a core module imports."""
    siblings, others = set(), set()
    tree = ast.parse((PACKAGE / "core" / f"{module}.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            others.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 1:
            names = [node.module] if node.module else [a.name for a in node.names]
            siblings.update(names)
        elif isinstance(node, ast.ImportFrom):
            others.add("." * node.level + (node.module or ""))
    return siblings, others


#: Which modules of the core may import which.
LAYERS = {
    "activations": set(),
    "losses": {"activations"},
    "network": set(),
    "samples": {"network"},
    "objective": {"network"},
    "optimizers": set(),
    "schedules": set(),
    "training": {"network", "objective", "samples"},
}


def test_every_module_of_the_core_has_its_layer():
    modules = {path.stem for path in (PACKAGE / "core").glob("*.py")} - {"__init__"}
    assert modules == LAYERS.keys()


@pytest.mark.parametrize("module", LAYERS)
def test_imports_within_the_core_go_one_way(module):
    siblings, _ = siblings_of(module)
    assert siblings <= LAYERS[module]


@pytest.mark.parametrize("module", [*LAYERS, "__init__"])
def test_the_core_imports_numpy_scipy_and_the_standard_library_alone(module):
    _, others = siblings_of(module)
    top_level = {name.split(".")[0] for name in others}
    assert top_level <= {"numpy", "scipy"} | sys.stdlib_module_names


# ------------------------------------------------------------- documentation


def documented(cls, section):
    """Return the names that a section of a class docstring describes, in order."""
    parts = re.split(r"^(\w[\w ]*)\n-+\n", inspect.getdoc(cls), flags=re.MULTILINE)
    text = dict(zip(parts[1::2], parts[2::2], strict=True)).get(section, "")
    entries = re.findall(r"^(\w+(?:, \w+)*) : \S", text, flags=re.MULTILINE)
    return [name for entry in entries for name in entry.split(", ")]


def fitted_attributes(estimator):
    return {
        name
        for name in dir(estimator)
        if name.endswith("_") and not name.startswith("_") and hasattr(estimator, name)
    }


@pytest.mark.parametrize("cls", [BackpropClassifier, BackpropRegressor])
def test_every_parameter_is_documented_in_the_order_of_the_signature(cls):
    assert documented(cls, "Parameters") == list(inspect.signature(cls).parameters)


@ESTIMATORS
def test_every_fitted_attribute_is_documented(make, y):
    fitted = small(make).fit(frame(), y)
    assert set(documented(make, "Attributes")) == fitted_attributes(fitted)


@pytest.mark.parametrize("cls", [BackpropClassifier, BackpropRegressor])
def test_every_parameter_of_a_public_method_is_documented(cls):
    methods = ("fit", "partial_fit", "predict", "predict_proba", "predict_log_proba")
    for name in methods:
        # Of the class: partial_fit is there for some solvers only.
        method = getattr(cls, name, None)
        if method is None:
            assert cls is BackpropRegressor
            continue
        parameters = list(inspect.signature(method).parameters)[1:]
        assert documented(method, "Parameters") == parameters


@pytest.mark.parametrize("cls", [BackpropClassifier, BackpropRegressor])
def test_every_parameter_has_a_constraint(cls):
    assert cls._parameter_constraints.keys() >= inspect.signature(cls).parameters.keys()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cls()._validate_params()
