"""Divergence, Ctrl-C and errors in `fit` leave the estimator in a valid state."""

import copy
import re

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import accuracy_score, make_scorer
from small_fits import (
    ESTIMATORS,
    NUMBERS,
    THREE_CLASSES,
    InterruptingReLU,
    X,
    classifier,
    error_of,
    ignore_convergence_warning,
    regressor,
)

from skbackprop import BackpropClassifier, BackpropRegressor

UNSCALED = np.random.default_rng(1).uniform(100.0, 1000.0, (60, 4))

# ------------------------------------------------------------------ divergence


def unscaled(**params):
    return BackpropRegressor(
        (8,),
        **{
            "solver": "sgd",
            "standardize": False,
            "learning_rate_init": 1e6,
            "random_state": 0,
            "max_iter": 20,
            **params,
        },
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@ignore_convergence_warning
def test_divergence_raises_in_its_epoch(dtype):
    X_raw, y = UNSCALED.astype(dtype), UNSCALED.sum(axis=1)
    message = error_of(
        lambda: unscaled().fit(X_raw, y), "scale", "learning_rate_init", "clip_norm"
    )
    epoch = int(re.search(r"in epoch (\d+)", message).group(1))
    before = unscaled(max_iter=epoch - 1).fit(X_raw, y)
    assert np.isfinite(before.loss_curve_).all()
    repeated = error_of(lambda: unscaled(max_iter=epoch).fit(X_raw, y))
    assert repeated == message


@ignore_convergence_warning
def test_divergence_in_partial_fit_raises():
    estimator, y = unscaled(), UNSCALED.sum(axis=1)

    def train():
        for _ in range(20):
            estimator.partial_fit(UNSCALED, y)

    error_of(train, "scale", "learning_rate_init", "clip_norm")
    assert np.isfinite(estimator.predict(UNSCALED)).all()
    assert np.isfinite(estimator.loss_curve_).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_clip_norm_prevents_divergence(dtype):
    X_raw, y = UNSCALED.astype(dtype), UNSCALED.sum(axis=1)
    with pytest.warns(ConvergenceWarning):
        fitted = unscaled(clip_norm=1, n_iter_no_change=20).fit(X_raw, y)
    assert np.isfinite(fitted.predict(X_raw)).all()
    assert fitted.n_iter_ == 20


@ignore_convergence_warning
def test_gradients_with_overflowing_squares_are_clipped():
    X_raw = (X[:, :1] * 1e22).astype(np.float32)
    estimator = BackpropRegressor(
        (),
        loss="absolute_error",
        solver="sgd",
        standardize=False,
        alpha=0.0,
        momentum=0.0,
        learning_rate_init=0.5,
        clip_norm=1.0,
        random_state=0,
    ).partial_fit(X_raw, NUMBERS)
    before = estimator.coefs_[0].copy()
    estimator.partial_fit(X_raw, NUMBERS)
    np.testing.assert_allclose(np.abs(estimator.coefs_[0] - before), 0.5, rtol=1e-5)


# ---------------------------------------------------------------------- Ctrl-C


def interrupted(make, y, after, **params):
    InterruptingReLU.calls = after
    params = {"max_iter": 50, "random_state": 0, "tol": 0.0, **params}
    estimator = make((5,), InterruptingReLU(), **params)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        estimator.fit(X, y)
    return estimator


def assert_usable(estimator, y):
    assert estimator.predict(X).shape == y.shape
    assert all(np.isfinite(W).all() for W in estimator.coefs_)
    assert len(estimator.loss_curve_) == estimator.n_iter_ == len(estimator.history_)
    assert np.isfinite(estimator.score(X, y))


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@ESTIMATORS
def test_ctrl_c_stops_training_with_usable_estimator(make, y, solver):
    estimator = interrupted(make, y, after=8, solver=solver)
    assert_usable(estimator, y)
    assert estimator.n_iter_ > 0


@ignore_convergence_warning
@ESTIMATORS
def test_ctrl_c_keeps_last_complete_lbfgs_iteration(make, y):
    for after in range(6, 16):  # some of these calls belong to a line search
        estimator = interrupted(make, y, after=after, solver="lbfgs")
        complete = make(
            (5,), InterruptingReLU(), solver="lbfgs", random_state=0, tol=0.0
        ).set_params(max_iter=estimator.n_iter_)
        complete.fit(X, y)
        for actual, expected in zip(estimator.coefs_, complete.coefs_, strict=True):
            np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@ESTIMATORS
def test_ctrl_c_in_first_epoch_keeps_initial_weights(make, y, solver):
    estimator = interrupted(make, y, after=1, solver=solver, batch_size=10)
    assert estimator.n_iter_ == 0
    assert_usable(estimator, y)
    initial = interrupted(make, y, after=1, solver="sgd")
    for actual, expected in zip(estimator.coefs_, initial.coefs_, strict=True):
        np.testing.assert_array_equal(actual, expected)


@ESTIMATORS
def test_ctrl_c_warning_contains_number_of_complete_epochs(make, y):
    InterruptingReLU.calls = 4
    with pytest.warns(UserWarning, match="after 3 complete epochs"):
        make((5,), InterruptingReLU(), batch_size=40).fit(X, y)


@ignore_convergence_warning
@ESTIMATORS
def test_training_can_continue_after_ctrl_c(make, y):
    estimator = interrupted(make, y, after=4, batch_size=40, warm_start=True)
    n_epochs = estimator.n_iter_
    estimator.partial_fit(X, y)
    assert len(estimator.loss_curve_) == n_epochs + 1
    estimator.fit(X, y)
    assert len(estimator.loss_curve_) == n_epochs + 1 + 50


@ESTIMATORS
def test_ctrl_c_in_partial_fit_warns(make, y):
    InterruptingReLU.calls = 2
    kwargs = {"classes": [0, 1, 2]} if make is BackpropClassifier else {}
    estimator = make((5,), InterruptingReLU(), batch_size=10)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        estimator.partial_fit(X, y, **kwargs)
    assert_usable(estimator, y)


@pytest.mark.parametrize("solver", ["sgd", "lbfgs"])
@pytest.mark.parametrize("n_scored", [0, 3])
def test_ctrl_c_in_scorer_leaves_usable_estimator(solver, n_scored):
    calls = []

    def score(y_true, y_pred):
        calls.append(None)
        if len(calls) > n_scored:
            raise KeyboardInterrupt
        return accuracy_score(y_true, y_pred)

    estimator = classifier(
        solver=solver, early_stopping=True, scoring=make_scorer(score), max_iter=30
    )
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        estimator.fit(X, THREE_CLASSES)
    assert_usable(estimator, THREE_CLASSES)
    assert len(estimator.validation_scores_) == n_scored


# ----------------------------------------------- errors leave the estimator unchanged


def make_dataframe(values):
    return pd.DataFrame(values, columns=[f"column {i}" for i in range(values.shape[1])])


def snapshot(estimator):
    """Return copies of all attributes of an estimator, to compare after an error."""
    public = {
        name: copy.deepcopy(getattr(estimator, name))
        for name in dir(type(estimator))
        if name.endswith("_") and not name.startswith("_") and hasattr(estimator, name)
    }
    return {**copy.deepcopy(vars(estimator)), **public}


def assert_unchanged(estimator, before):
    parameters = estimator.get_params()
    after = {k: v for k, v in snapshot(estimator).items() if k not in parameters}
    before = {k: v for k, v in before.items() if k not in parameters}
    assert after.keys() == before.keys()
    for name, value in before.items():
        if name == "_state":
            assert_same_state(after[name], value)
        elif name == "history_":
            pd.testing.assert_frame_equal(after[name], value)
        elif name == "_reader":
            assert joblib.hash(after[name]) == joblib.hash(value)
        elif name in ("coefs_", "intercepts_"):
            for actual, expected in zip(after[name], value, strict=True):
                np.testing.assert_array_equal(actual, expected)
        elif name != "_architecture":
            np.testing.assert_equal(after[name], value)


def assert_same_state(after, before):
    np.testing.assert_array_equal(after.network.params, before.network.params)
    np.testing.assert_array_equal(after.slots, before.slots)
    np.testing.assert_array_equal(after.order, before.order)
    np.testing.assert_equal(after.rng.get_state(), before.rng.get_state())
    np.testing.assert_equal(after.split_rng.get_state(), before.split_rng.get_state())
    for name in ("n_updates", "n_seen", "n_epochs", "n_plateaus", "monitor", "history"):
        np.testing.assert_equal(getattr(after, name), getattr(before, name))


def make_divergent(make, kind, **params):
    # Sigmoid outputs or standardized inputs would keep the outputs of a classifier
    # bounded.
    return make(
        (5,),
        output_activation="identity",
        standardize=kind != "divergence",
        random_state=0,
        **params,
    )


def diverge(estimator, X, y):
    estimator.set_params(solver="sgd", learning_rate_init=1e300)
    return make_dataframe(X * 1e200), y


def with_params(**params):
    """Return a function that sets invalid parameters, and returns valid data."""
    return lambda e, X, y: (make_dataframe(X), e.set_params(**params) and y)


#: Pattern of the error message, and function from an estimator and valid data to the
#: arguments of a `fit` that raises.
BAD_FITS = {
    "infinity": (
        "infinity",
        lambda e, X, y: (make_dataframe(np.where(X > 1, np.inf, X)), y),
    ),
    "one dimension": ("2D array", lambda e, X, y: (X[:, 0], y)),
    "no names": (
        "infinity|has 2 features",
        lambda e, X, y: (np.full((40, 2), np.inf), y),
    ),
    "other names": (
        "infinity|feature names",
        lambda e, X, y: (
            make_dataframe(np.full_like(X, np.inf)).rename(columns=str.upper),
            y,
        ),
    ),
    "lengths": ("numbers of samples", lambda e, X, y: (make_dataframe(X), y[:9])),
    "weights": ("at least one", lambda e, X, y: (make_dataframe(X), y, np.zeros(40))),
    "nan targets": (
        "y contains NaN",
        lambda e, X, y: (make_dataframe(X), np.full(40, np.nan)),
    ),
    "no targets": ("requires y", lambda e, X, y: (make_dataframe(X), None)),
    "divergence": ("diverged", diverge),
    "too large": ("standardized", lambda e, X, y: (make_dataframe(X * 1e200), y)),
    "unknown solver": ("'adam'", with_params(solver="adm")),
    "unknown activation": ("'relu'", with_params(activation=["reluu"])),
    "bad sizes": ("hidden_layer_sizes", with_params(hidden_layer_sizes=(-1,))),
    "bad split": (
        "validation_fraction|early_stopping",
        with_params(early_stopping=True, validation_fraction=0.0),
    ),
}


@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("kind", BAD_FITS)
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@ignore_convergence_warning
@ESTIMATORS
def test_error_in_second_fit_leaves_first_fit_unchanged(make, y, kind, warm_start):
    estimator = make_divergent(make, kind, max_iter=3, warm_start=warm_start)
    estimator.fit(make_dataframe(X), y)
    before, predicted = snapshot(estimator), estimator.predict(make_dataframe(X))
    words, make_bad = BAD_FITS[kind]
    bad = make_bad(estimator, X if warm_start else X[:, :2], y)
    with pytest.raises(ValueError, match=words):
        estimator.fit(*bad)
    assert_unchanged(estimator, before)
    np.testing.assert_array_equal(estimator.predict(make_dataframe(X)), predicted)


def test_divergence_in_partial_fit_leaves_optimizer_moments_unchanged():
    estimator = regressor(standardize=False).partial_fit(X, NUMBERS)
    before = estimator._state.slots.copy()
    assert before.any()
    with pytest.raises(ValueError, match="diverged"):
        estimator.partial_fit(X * 1e200, NUMBERS)
    np.testing.assert_array_equal(estimator._state.slots, before)


@pytest.mark.parametrize("kind", BAD_FITS)
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@ignore_convergence_warning
@ESTIMATORS
def test_error_in_partial_fit_leaves_previous_epochs_unchanged(make, y, kind):
    kwargs = {"classes": [0, 1, 2]} if make is BackpropClassifier else {}
    estimator = make_divergent(make, kind).partial_fit(make_dataframe(X), y, **kwargs)
    estimator.partial_fit(make_dataframe(X), y)
    before, predicted = snapshot(estimator), estimator.predict(make_dataframe(X))
    words, make_bad = BAD_FITS[kind]
    bad = make_bad(estimator, X, y)
    with pytest.raises(ValueError, match=words):
        estimator.partial_fit(*bad)
    assert_unchanged(estimator, before)
    np.testing.assert_array_equal(estimator.predict(make_dataframe(X)), predicted)


@pytest.mark.parametrize(
    "y",
    [
        np.array([1, "a"] * 20, object),
        NUMBERS,
        np.column_stack([THREE_CLASSES, THREE_CLASSES]),
    ],
    ids=len,
)
@ignore_convergence_warning
def test_invalid_labels_leave_first_fit_unchanged(y):
    estimator = classifier().fit(make_dataframe(X), THREE_CLASSES)
    before = snapshot(estimator)
    error_of(lambda: estimator.fit(make_dataframe(X[:, :2]), y))
    assert_unchanged(estimator, before)


@ignore_convergence_warning
def test_training_after_error_equals_training_without_error():
    failed, uninterrupted = (
        regressor(hidden_layer_sizes=(5,), standardize=False).partial_fit(X, NUMBERS)
        for _ in range(2)
    )
    failed.set_params(learning_rate_init=1e300, solver="sgd")
    with pytest.raises(ValueError, match="diverged"):
        failed.partial_fit(X * 1e200, NUMBERS)
    failed.set_params(learning_rate_init=0.001, solver="adam")
    for estimator in (failed, uninterrupted):
        estimator.partial_fit(X, NUMBERS)
    assert failed.loss_curve_ == uninterrupted.loss_curve_
    np.testing.assert_array_equal(failed.predict(X), uninterrupted.predict(X))


@pytest.mark.parametrize("kind", BAD_FITS)
@ESTIMATORS
def test_error_in_first_fit_leaves_estimator_unfitted(make, y, kind):
    estimator = make_divergent(make, kind)
    words, make_bad = BAD_FITS[kind]
    bad = make_bad(estimator, X, y)
    with pytest.raises(ValueError, match=words):
        estimator.fit(*bad)
    assert vars(estimator).keys() == estimator.get_params().keys()
    with pytest.raises(NotFittedError):
        estimator.predict(X)


@ignore_convergence_warning
@ESTIMATORS
def test_error_in_custom_scorer_leaves_first_fit_unchanged(make, y):
    def broken(estimator, X, y):
        raise RuntimeError("broken scorer")

    estimator = make((5,), max_iter=3, random_state=0).fit(X, y)
    before = snapshot(estimator)
    estimator.set_params(early_stopping=True, scoring=broken)
    with pytest.raises(RuntimeError, match="broken scorer"):
        estimator.fit(X[:, :2], y)
    assert_unchanged(estimator, before)


@ESTIMATORS
def test_scorer_that_returns_nan_raises(make, y):
    estimator = make(early_stopping=True, scoring=lambda estimator, X, y: np.nan)
    error_of(lambda: estimator.fit(X, y), "scoring", "returned nan")


@pytest.mark.parametrize("solver", ["adam", "adamw", "rmsprop"])
def test_overflowing_moments_raise(solver):
    X_raw = np.random.RandomState(0).rand(300, 3) * 1e100
    params = dict(standardize=False, max_iter=20, random_state=0)
    estimator = BackpropRegressor((), solver=solver, **params)
    error_of(lambda: estimator.fit(X_raw, X_raw[:, 0]), "diverged", "scale")
