"""Copies, pipelines, searches, ensembles and metadata routing of scikit-learn."""

import copy
import io
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
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
from small_fits import ignore_convergence_warning
from small_networks import (
    CODES,
    ESTIMATORS,
    NAMES,
    NUMBERS,
    SHORT_TRAINING,
    WEIGHT,
    X,
    assert_same_network,
    classifier,
    regressor,
    small,
    to_dataframe,
)

from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop.core.activations import LeakyReLU, ReLU
from skbackprop.core.losses import Huber
from skbackprop.core.optimizers import OPTIMIZERS

# ------------------------------------------------------------- copies of estimators


def pickle_copy(estimator):
    return pickle.loads(pickle.dumps(estimator))


def joblib_copy(estimator):
    file = io.BytesIO()
    joblib.dump(estimator, file)
    file.seek(0)
    return joblib.load(file)


COPIES = pytest.mark.parametrize(
    "copy_estimator", [pickle_copy, joblib_copy, copy.deepcopy]
)


@ESTIMATORS
@ignore_convergence_warning
def test_clone_copies_parameters_without_fit(make, y):
    parameters = {
        "hidden_layer_sizes": [5, 4],
        "activation": (ReLU(), "tanh"),
        "output_activation": LeakyReLU(),
        "loss": Huber(2.0),
        "alpha": np.float64(0.1),
        "clip_norm": 1.0,
    }
    fitted = make(**{**parameters, **SHORT_TRAINING}).fit(X, y)
    cloned = clone(fitted)
    assert vars(cloned).keys() == cloned.get_params().keys()
    assert repr(cloned.get_params().keys()) == repr(fitted.get_params().keys())
    assert_same_network(cloned.fit(X, y), fitted)


@COPIES
@pytest.mark.parametrize("solver", OPTIMIZERS)
@ESTIMATORS
def test_copy_continues_training_like_original(make, y, solver, copy_estimator):
    original = small(make, solver=solver, batch_size=32, learning_rate="invscaling")
    kwargs = {"classes": [0, 1, 2]} if make is BackpropClassifier else {}
    original.partial_fit(X, y, **kwargs).partial_fit(X, y)
    copied_net = copy_estimator(original)
    for _ in range(3):
        original.partial_fit(X, y)
        copied_net.partial_fit(X, y)
    assert_same_network(copied_net, original)
    assert copied_net.loss_curve_ == original.loss_curve_
    np.testing.assert_array_equal(copied_net.predict(X), original.predict(X))


@COPIES
@ESTIMATORS
def test_training_copy_does_not_change_original(make, y, copy_estimator):
    original = small(make).fit(X, y)
    before, history = original.predict(X), original.history_
    copy_estimator(original).partial_fit(X, y)
    np.testing.assert_array_equal(original.predict(X), before)
    pd.testing.assert_frame_equal(original.history_, history)


@COPIES
@ESTIMATORS
def test_warm_start_of_copy_equals_warm_start_of_original(make, y, copy_estimator):
    original = small(make, warm_start=True, early_stopping=True).fit(X, y)
    copied_net = copy_estimator(original)
    assert_same_network(copied_net.fit(X, y), original.fit(X, y))


@COPIES
@ESTIMATORS
def test_weights_edited_in_place_change_predictions(make, y, copy_estimator):
    for estimator in (fitted := small(make).fit(X, y), copy_estimator(fitted)):
        for array in (*estimator.coefs_, *estimator.intercepts_):
            array[...] = 0.0
        estimator.intercepts_[-1][-1] = 0.25
        outputs = estimator.predict(X)
        # The network predicts standardized targets.
        mean, deviation = NUMBERS.mean(), NUMBERS.std()
        expected = 2 if make is BackpropClassifier else mean + deviation / 4
        np.testing.assert_allclose(outputs, np.full(90, expected), rtol=1e-12)


@COPIES
@ESTIMATORS
def test_weights_edited_in_place_change_predictions_without_scaling(
    make, y, copy_estimator
):
    fitted = small(make, standardize=False).fit(X, y)
    for estimator in (fitted, copy_estimator(fitted)):
        for array in (*estimator.coefs_, *estimator.intercepts_):
            array[...] = 0.0
        estimator.intercepts_[-1][-1] = 0.25
        outputs = estimator.predict(X)
        expected = 2 if make is BackpropClassifier else 0.25
        np.testing.assert_array_equal(outputs, np.full(90, expected))


@COPIES
def test_weights_of_copy_are_views_of_one_vector(copy_estimator):
    network = copy_estimator(classifier().fit(X, CODES))._state.network
    for array in (*network.weights, *network.biases):
        assert np.shares_memory(array, network.params)


# ------------------------------------------------------ meta-estimators and tools


def mixed_dataframe():
    df = to_dataframe(X.copy())  # before pandas 3, the DataFrame would be a view of X
    df.loc[::7, "a"] = np.nan
    df["color"] = np.array(["red", "green", "blue"])[CODES]
    df.loc[::11, "color"] = None
    df["size"] = pd.Categorical(np.array(["S", "M", "L"])[(CODES + 1) % 3])
    return df


def mixed_pipeline(estimator):
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    categories = OneHotEncoder(handle_unknown="ignore")
    columns = ColumnTransformer(
        [("numbers", numbers, list("abcd")), ("names", categories, ["color", "size"])]
    )
    return make_pipeline(columns, estimator)


@ESTIMATORS
def test_pipeline_with_column_transformer(make, y):
    df = mixed_dataframe()
    pipeline = mixed_pipeline(small(make, n_iter_no_change=60)).fit(df, y)
    assert pipeline.score(df, y) > 0.9
    np.testing.assert_array_equal(pipeline.predict(df[5:9]), pipeline.predict(df)[5:9])


@ESTIMATORS
def test_set_output_of_pipeline_sets_feature_names(make, y):
    pipeline = make_pipeline(StandardScaler(), small(make))
    pipeline.set_output(transform="pandas").fit(to_dataframe(), y)
    assert list(pipeline[-1].feature_names_in_) == list("abcd")
    assert isinstance(pipeline.predict(to_dataframe()), np.ndarray)
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
def test_numpy_scalars_as_parameters_equal_python_numbers(make, y, dtype):
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
def test_permutation_importance_finds_relevant_features(make, y):
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


def test_multi_output_classifier():
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
    for shown in (
        estimator,
        estimator.fit(to_dataframe(), y),
        make_pipeline(estimator),
    ):
        assert make.__name__ in shown._repr_html_()


@ESTIMATORS
def test_repr_shows_changed_parameters(make, y):
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
        assert tags.input_tags.allow_nan
        assert tags.target_tags.required
        assert not tags.non_deterministic


def test_poisson_loss_sets_positive_only_tag():
    assert get_tags(BackpropRegressor(loss="poisson")).target_tags.positive_only
    assert not get_tags(BackpropRegressor()).target_tags.positive_only


# ---------------------------------------------------------- metadata routing


@ESTIMATORS
def test_pipeline_routes_weights_to_fit(make, y):
    with config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        estimator = small(make).set_fit_request(sample_weight=True)
        pipeline = make_pipeline(scaler, estimator).fit(X, y, sample_weight=WEIGHT)
    scaled = StandardScaler().fit_transform(X)
    direct = small(make).fit(scaled, y, sample_weight=WEIGHT)
    assert_same_network(pipeline[-1], direct)


@ESTIMATORS
def test_unrequested_weights_raise(make, y):
    with config_context(enable_metadata_routing=True):
        estimator = small(make).set_fit_request(sample_weight=False)
        pipeline = make_pipeline(estimator)
        with pytest.raises(TypeError, match="sample_weight"):
            pipeline.fit(X, y, sample_weight=WEIGHT)


@ESTIMATORS
def test_grid_search_routes_weights_to_fit_and_score(make, y):
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
def test_partial_fit_can_request_weights(make, y):
    with config_context(enable_metadata_routing=True):
        estimator = make().set_partial_fit_request(sample_weight=True)
        request = estimator.get_metadata_routing().partial_fit
    assert request.requests["sample_weight"] is True


@ESTIMATORS
def test_score_accepts_sample_weights(make, y):
    fitted = small(make).fit(X, y)
    metric = accuracy_score if make is BackpropClassifier else r2_score
    expected = metric(y, fitted.predict(X), sample_weight=WEIGHT)
    assert fitted.score(X, y, sample_weight=WEIGHT) == expected
    assert fitted.score(X, y, sample_weight=WEIGHT) != fitted.score(X, y)
