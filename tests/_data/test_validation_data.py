"""Validation data passed to `fit`: losses, scores and early stopping."""

import math

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
from sklearn import config_context
from sklearn.base import clone
from sklearn.metrics import accuracy_score, log_loss, mean_pinball_loss, r2_score
from sklearn.metrics import mean_poisson_deviance as deviance
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import QuantileTransformer
from small_fits import error_of, ignore_convergence_warning
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
    to_dataframe,
)

from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop.core.state import ConvergenceMonitor

TRAIN, VAL = slice(0, 60), slice(60, 90)
COUNTS = 1.0 + np.round(np.exp(NUMBERS / 2))
# The Poisson loss is proportional to the scale of the targets.
COUNT_SCALE = np.sqrt(np.mean(COUNTS[TRAIN] ** 2))
WEIGHT_VAL = WEIGHT[VAL]
WEIGHTS = pytest.mark.parametrize(
    "weight", [None, WEIGHT_VAL], ids=["unweighted", "weighted"]
)
# With these large steps, the validation loss soon stops improving.
LARGE_STEPS = dict(learning_rate_init=0.3, batch_size=20, n_iter_no_change=4, tol=0.0)


def validated(net, y, weight=None, X=X, **kwargs):
    """Fit on the first rows, and validate on the remaining rows."""
    return net.fit(
        X[TRAIN],
        y[TRAIN],
        X_val=X[VAL],
        y_val=y[VAL],
        sample_weight_val=weight,
        **kwargs,
    )


# ------------------------------------------------------ recorded losses and scores


def half_squares(y, a, weight):
    squares = (
        ((y.reshape(a.shape) - a) ** 2).sum(axis=1) if a.ndim > 1 else (y - a) ** 2
    )
    return 0.5 * np.average(squares, weights=weight)


def scaled(loss):
    """Return the loss of standardized targets and outputs."""
    mean, std = NUMBERS[TRAIN].mean(), NUMBERS[TRAIN].std()
    return lambda y, a, weight: loss((y - mean) / std, (a - mean) / std, weight)


def huber(y, a, weight):
    far = np.abs(y - a)
    values = np.where(far < 1.0, 0.5 * far**2, far - 0.5)
    return np.average(values, weights=weight)


def pinball(y, a, weight):
    return mean_pinball_loss(y, a, sample_weight=weight, alpha=0.8)


BINARY = (X[:, 0] > 0).astype(int)
LOSSES = {
    "binary squared_error": (
        lambda: classifier(),
        BINARY,
        lambda net: net.predict_proba(X[VAL])[:, 1],
        half_squares,
    ),
    "labels squared_error": (
        lambda: classifier(),
        LABELS,
        lambda net: net.predict_proba(X[VAL]),
        half_squares,
    ),
    "binary log_loss": (
        lambda: classifier(loss="log_loss"),
        BINARY,
        lambda net: net.predict_proba(X[VAL]),
        lambda y, a, weight: log_loss(y, a, sample_weight=weight),
    ),
    "names log_loss": (
        lambda: classifier(loss="log_loss"),
        NAMES,
        lambda net: net.predict_proba(X[VAL]),
        lambda y, a, weight: log_loss(y, a, sample_weight=weight),
    ),
    "numbers squared_error": (
        lambda: regressor(),
        NUMBERS,
        lambda net: net.predict(X[VAL]),
        scaled(half_squares),
    ),
    "numbers huber": (
        lambda: regressor(loss="huber"),
        NUMBERS,
        lambda net: net.predict(X[VAL]),
        scaled(huber),
    ),
    "numbers quantile": (
        lambda: regressor(loss="quantile", quantile=0.8),
        NUMBERS,
        lambda net: net.predict(X[VAL]),
        scaled(pinball),
    ),
    "counts": (
        lambda: regressor(loss="poisson"),
        COUNTS,
        lambda net: net.predict(X[VAL]),
        lambda y, a, weight: 0.5 * deviance(y, a, sample_weight=weight) / COUNT_SCALE,
    ),
}


@WEIGHTS
@pytest.mark.parametrize("kind", LOSSES)
@ignore_convergence_warning
def test_validation_loss_equals_loss_of_predictions_after_each_epoch(kind, weight):
    make, y, outputs, loss = LOSSES[kind]
    # The recorded validation loss does not include the penalty.
    params = dict(n_iter_no_change=5, batch_size=20, alpha=1.0)
    fitted = validated(make().set_params(**params), y, weight)
    step_by_step, expected = make().set_params(**params), []
    kwargs = {}
    if isinstance(fitted, BackpropClassifier):
        kwargs["classes"] = fitted.classes_
    for _ in range(fitted.n_iter_):
        step_by_step.partial_fit(X[TRAIN], y[TRAIN], **kwargs)
        expected.append(loss(y[VAL], outputs(step_by_step), weight))
    assert len(expected) == 6 + 1
    np.testing.assert_allclose(fitted.validation_loss_curve_, expected, rtol=1e-9)
    negative_losses = [-value for value in fitted.validation_loss_curve_]
    assert fitted.validation_scores_ == negative_losses


@WEIGHTS
@pytest.mark.parametrize("form", ["name", "callable"])
@ESTIMATORS
def test_validation_score_equals_score_of_predictions_after_each_epoch(
    make, y, form, weight
):
    y = NAMES if make is BackpropClassifier else 1e4 + 100 * NUMBERS
    name = "accuracy" if make is BackpropClassifier else "r2"
    metric = accuracy_score if make is BackpropClassifier else r2_score

    def scorer(estimator, X, y, **kwargs):
        return estimator.score(X, y, **kwargs)

    params = dict(n_iter_no_change=3, batch_size=20)
    params["scoring"] = name if form == "name" else scorer
    fitted = validated(small(make, **params), y, weight)
    step_by_step, expected = small(make, **params), []
    kwargs = {"classes": fitted.classes_} if make is BackpropClassifier else {}
    for _ in range(fitted.n_iter_):
        step_by_step.partial_fit(X[TRAIN], y[TRAIN], **kwargs)
        predicted = step_by_step.predict(X[VAL])
        expected.append(metric(y[VAL], predicted, sample_weight=weight))
    np.testing.assert_allclose(fitted.validation_scores_, expected, rtol=1e-9)
    assert fitted.best_validation_score_ is None  # set only by early stopping


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@ESTIMATORS
def test_history_contains_validation_loss_and_score(make, y, solver):
    fitted = validated(small(make, solver=solver, scoring=lambda *args: 0.25), y)
    history = fitted.history_
    assert list(history) == [
        "loss",
        "validation_loss",
        "validation_score",
        "learning_rate",
        "seconds",
    ]
    assert history["validation_loss"].tolist() == fitted.validation_loss_curve_
    assert history["validation_score"].tolist() == [0.25] * fitted.n_iter_
    assert fitted.validation_scores_ == [0.25] * fitted.n_iter_


@ESTIMATORS
def test_validation_attributes_are_none_without_validation_data(make, y):
    fitted = small(make).fit(X, y)
    assert fitted.validation_loss_curve_ is None
    assert fitted.validation_scores_ is None
    assert (
        fitted.history_[["validation_loss", "validation_score"]].isna().all(axis=None)
    )
    # After a warm start with validation data, only the new epochs have losses.
    curve = validated(fitted.set_params(warm_start=True), y).validation_loss_curve_
    before, after = np.split(np.isnan(curve), 2)
    assert before.all()
    assert not after.any()


# --------------------------------------------------------- no effect on training


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("scoring", ["loss", "scorer"])
@ESTIMATORS
def test_validation_data_do_not_affect_training(make, y, scoring, solver):
    if scoring == "scorer":
        scoring = "accuracy" if make is BackpropClassifier else "r2"
    net = small(make, solver=solver, scoring=scoring)
    fitted = validated(clone(net), y, WEIGHT_VAL, sample_weight=WEIGHT[TRAIN])
    plain = net.fit(X[TRAIN], y[TRAIN], sample_weight=WEIGHT[TRAIN])
    assert_same_network(fitted, plain)
    assert fitted.loss_curve_ == plain.loss_curve_
    assert fitted.best_loss_ == plain.best_loss_


# -------------------------------------------------------------- early stopping


@WEIGHTS
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@ESTIMATORS
@ignore_convergence_warning
def test_early_stopping_restores_weights_of_best_epoch(make, y, solver, weight):
    params = {"solver": solver, **LARGE_STEPS, "tol": 1e-9, "alpha": 0.0}
    net = small(make, early_stopping=True, **params)
    fitted = validated(net, y, weight)
    curve = fitted.validation_loss_curve_
    best = int(np.argmin(curve))
    assert best < len(curve) - 1 == best + 5  # epochs without improvement
    assert fitted.best_validation_score_ == -curve[best]
    # Training uses all other rows, and restores the weights of the best epoch.
    again = small(make, **{**params, "max_iter": best + 1, "n_iter_no_change": 99})
    assert_same_network(fitted, again.fit(X[TRAIN], y[TRAIN]))
    assert fitted.loss_curve_[: best + 1] == again.loss_curve_
    assert solver == "lbfgs" or fitted.t_ == 60 * len(curve)


def test_restored_weights_have_minimum_validation_loss():
    net = classifier(loss="log_loss", early_stopping=True, **LARGE_STEPS)
    fitted = validated(net, NAMES, WEIGHT_VAL)
    loss = log_loss(NAMES[VAL], fitted.predict_proba(X[VAL]), sample_weight=WEIGHT_VAL)
    assert math.isclose(loss, min(fitted.validation_loss_curve_), rel_tol=1e-10)
    assert loss < fitted.validation_loss_curve_[-1]


@pytest.mark.parametrize("form", ["name", "callable"])
@ESTIMATORS
def test_early_stopping_with_scorer(make, y, form):
    name = "accuracy" if make is BackpropClassifier else "r2"
    scoring = name if form == "name" else lambda net, X, y: net.score(X, y)
    y = NAMES if make is BackpropClassifier else y
    net = small(make, early_stopping=True, scoring=scoring, **LARGE_STEPS)
    fitted = validated(net, y)
    assert fitted.score(X[VAL], y[VAL]) == max(fitted.validation_scores_)
    assert fitted.best_validation_score_ == max(fitted.validation_scores_)
    assert len(fitted.validation_scores_) < net.max_iter


def test_later_fit_without_validation_data():
    net = validated(classifier(early_stopping=True, **LARGE_STEPS), CODES)
    net.set_params(early_stopping=False, n_iter_no_change=3, tol=9.0).fit(X, CODES)
    assert net.validation_loss_curve_ is None
    assert net.best_validation_score_ is None


def monitored(scores, tol, accumulates):
    """Return a monitor after these scores, and its results after each score."""
    monitor = ConvergenceMonitor(accumulates=accumulates)
    return monitor, [
        (monitor.update(score, tol), monitor.n_epochs_without_improvement)
        for score in scores
    ]


SLOW_SCORES = [0.0, 0.375, 0.75, 1.125, 1.5, 1.875, 2.25, 2.0, 2.25]


def test_small_improvements_of_loss_accumulate():
    monitor, results = monitored(SLOW_SCORES, 1.0, accumulates=True)
    # Three small improvements since the last baseline exceed `tol`.
    assert [stalled for _, stalled in results] == [0, 1, 2, 0, 1, 2, 0, 1, 2]
    assert [is_best for is_best, _ in results] == [True] * 7 + [False] * 2
    assert (monitor.best_score, monitor.baseline) == (2.25, 2.25)


def test_small_improvements_of_score_do_not_accumulate_like_in_scikit_learn():
    best, stalled, expected = -np.inf, 0, []
    # As in BaseMultilayerPerceptron._update_no_improvement_count.
    for score in SLOW_SCORES:
        stalled = stalled + 1 if score < best + 1.0 else 0
        expected.append((score > best, stalled))
        best = max(best, score)
    monitor, results = monitored(SLOW_SCORES, 1.0, accumulates=False)
    assert results == expected
    assert [stalled for _, stalled in results] == [0, 1, 2, 3, 4, 5, 6, 7, 8]
    assert monitor.best_score == 2.25


def test_improvement_is_measured_against_baseline():
    monitor, results = monitored([0.0, 0.75, 0.5, 1.0], 1.0, accumulates=True)
    assert [stalled for _, stalled in results] == [0, 1, 2, 0]
    assert monitor.baseline == 1.0


def negative_loss(net, X, y):
    return -scaled(half_squares)(y, net.predict(X), None)


@pytest.mark.parametrize("scoring", ["loss", negative_loss])
@ignore_convergence_warning
def test_improvements_accumulate_only_with_scoring_loss(scoring):
    # One epoch improves the loss by less than `tol`, three epochs by more.
    params = dict(solver="sgd", momentum=0.0, learning_rate_init=0.002, max_iter=30)
    params |= dict(tol=0.06, n_iter_no_change=9, batch_size=60)
    net = validated(regressor(early_stopping=True, scoring=scoring, **params), NUMBERS)
    scores = net.validation_scores_
    np.testing.assert_allclose(scores, np.negative(net.validation_loss_curve_))
    assert (np.diff(scores) > 0.0).all()
    assert (np.diff(scores) < 0.06).all()
    assert net.n_iter_ == (30 if scoring == "loss" else 11)


# --------------------------------------------------------- containers and formats


KINDS = {
    "lists": lambda values: values.tolist(),
    "pandas": to_dataframe,
    "polars": lambda values: pl.DataFrame(values, schema=list("abcd")),
    "read-only": lambda values: np.require(values.copy(), requirements="C"),
    "Fortran": np.asfortranarray,
    "float32": lambda values: values.astype(np.float32),
    "csr": sp.csr_array,
    "csc": sp.csc_matrix,
}


@pytest.mark.parametrize("scoring", ["loss", "accuracy"])
@pytest.mark.parametrize("kind", KINDS)
def test_validation_data_containers(kind, scoring):
    values = np.round(X, 1).astype(np.float32).astype(np.float64)
    net = classifier(scoring=scoring, early_stopping=True, n_iter_no_change=5)
    expected = validated(clone(net), NAMES, WEIGHT_VAL, X=values)
    # Both datasets have feature names, or neither.
    like = KINDS[kind] if kind in ("pandas", "polars") else np.asarray
    fitted = net.fit(
        like(values[TRAIN]),
        NAMES[TRAIN],
        X_val=KINDS[kind](values[VAL]),
        y_val=NAMES[VAL].tolist(),
        sample_weight_val=WEIGHT_VAL.tolist(),
    )
    assert_same_network(fitted, expected)
    np.testing.assert_allclose(
        fitted.validation_scores_, expected.validation_scores_, rtol=1e-6
    )


@pytest.mark.parametrize("scoring", ["loss", "r2"])
@ignore_convergence_warning
def test_multioutput_targets_with_sparse_validation_data(scoring):
    y = np.column_stack([NUMBERS, 100 * X[:, 2]])
    values = np.where(np.abs(X) > 0.5, X, 0.0)
    nets = [
        validated(regressor(scoring=scoring, n_iter_no_change=5), y, WEIGHT_VAL, X=rows)
        for rows in (sp.csr_array(values), sp.csr_matrix(values))
    ]
    predicted = nets[0].predict(values[VAL])
    residuals = (y[VAL] - predicted) / y[TRAIN].std(axis=0)
    loss = 0.5 * np.average((residuals**2).mean(axis=1), weights=WEIGHT_VAL)
    np.testing.assert_allclose(nets[0].validation_loss_curve_[-1], loss, rtol=1e-10)
    assert nets[0].validation_loss_curve_ == nets[1].validation_loss_curve_


def test_validation_data_can_lack_classes():
    only = NAMES == "low"
    net = classifier(n_iter_no_change=3, loss="log_loss")
    net.fit(X, NAMES, X_val=X[only], y_val=NAMES[only])
    low = net.predict_proba(X[only])[:, list(net.classes_).index("low")]
    np.testing.assert_allclose(
        net.validation_loss_curve_[-1], -np.log(low).mean(), rtol=1e-10
    )


# ------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        (dict(X_val=X), ("y_val is missing", "together")),
        (dict(y_val=NUMBERS), ("X_val is missing", "together")),
        (dict(sample_weight_val=WEIGHT), ("X_val is missing", "together")),
        (dict(X_val=X[:, :3], y_val=CODES), ("X_val", "3 features", "expecting 4")),
        (dict(X_val=X, y_val=CODES[:9]), ("y_val", "[90, 9]")),
        (dict(X_val=X[:0], y_val=CODES[:0]), ("X_val", "0 sample")),
        (dict(X_val=X * np.inf, y_val=CODES), ("X_val", "infinity")),
        (
            dict(X_val=X, y_val=CODES, sample_weight_val=0.0 * WEIGHT),
            ("eight", "at least one"),
        ),
        (
            dict(X_val=X, y_val=CODES, sample_weight_val=-WEIGHT),
            ("sample_weight_val", "positive", "mean weight of -"),
        ),
        (
            dict(X_val=X, y_val=CODES, sample_weight_val=WEIGHT[:9]),
            ("sample_weight_val", "(9,)"),
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, (dict, tuple)) else "",
)
@pytest.mark.parametrize("early_stopping", [False, True])
@ESTIMATORS
@ignore_convergence_warning
def test_invalid_validation_data_raise(make, y, early_stopping, kwargs, words):
    net = small(make, early_stopping=early_stopping, n_iter_no_change=3).fit(X, y)
    before = net.predict(X)
    error_of(lambda: net.fit(X, y, **kwargs), *words)
    np.testing.assert_array_equal(net.predict(X), before)


@pytest.mark.parametrize(
    ("y", "y_val"),
    [
        (NAMES, np.where(np.arange(90) == 3, "higher", NAMES)),
        (CODES, CODES + 1),
        (CODES, NAMES),
        (CODES, LABELS),
        (LABELS, CODES),
        (LABELS, LABELS[:, :2]),
    ],
    ids=["one more", "shifted", "names", "labels", "codes", "fewer"],
)
def test_unknown_validation_labels_raise(y, y_val):
    error_of(lambda: classifier().fit(X, y, X_val=X, y_val=y_val), "y_val")


def test_invalid_validation_targets_raise():
    net = regressor()
    error_of(lambda: net.fit(X, NUMBERS, X_val=X, y_val=X), "y_val", "1 target(s)")
    net.set_params(loss="poisson")
    counts = np.abs(NUMBERS)
    error_of(lambda: net.fit(X, counts, X_val=X, y_val=-counts), "y_val")


@ESTIMATORS
def test_validation_columns_in_different_order_raise(make, y):
    other = to_dataframe()[list("bacd")]
    words = ("X_val", "feature names", "same order")
    error_of(lambda: small(make).fit(to_dataframe(), y, X_val=other, y_val=y), *words)


# ------------------------------------------------------------ pipelines and searches


@ESTIMATORS
def test_pipeline_transforms_validation_data(make, y):
    net = small(make, early_stopping=True, **LARGE_STEPS)
    scaler = QuantileTransformer(n_quantiles=20)
    with config_context(enable_metadata_routing=True):
        routed = clone(net).set_fit_request(
            X_val=True, y_val=True, sample_weight_val=True
        )
        steps = [("scale", clone(scaler)), ("net", routed)]
        pipeline = validated(Pipeline(steps, transform_input=["X_val"]), y, WEIGHT_VAL)
    scaler.fit(X[TRAIN])
    validated(net, y, WEIGHT_VAL, X=scaler.transform(X))
    assert_same_network(pipeline[-1], net)
    assert pipeline[-1].validation_loss_curve_ == net.validation_loss_curve_


@ESTIMATORS
@ignore_convergence_warning
def test_pipeline_without_routing_does_not_transform_validation_data(make, y):
    net = small(make, n_iter_no_change=3)
    pipeline = make_pipeline(QuantileTransformer(n_quantiles=20), clone(net))
    name = pipeline.steps[-1][0]
    Z = pipeline[0].fit_transform(X[TRAIN]), pipeline[0].transform(X[VAL])
    pipeline.fit(
        X[TRAIN], y[TRAIN], **{f"{name}__X_val": Z[1], f"{name}__y_val": y[VAL]}
    )
    net.fit(Z[0], y[TRAIN], X_val=Z[1], y_val=y[VAL])
    assert pipeline[-1].validation_loss_curve_ == net.validation_loss_curve_


@ESTIMATORS
@ignore_convergence_warning
def test_grid_search_routes_weights_and_validation_data(make, y):
    net = small(make, early_stopping=True, **LARGE_STEPS)
    with config_context(enable_metadata_routing=True):
        routed = clone(net).set_fit_request(
            sample_weight=True, X_val=True, y_val=True, sample_weight_val=True
        )
        routed.set_score_request(sample_weight=True)
        grid = GridSearchCV(routed, {"alpha": [0.1, 10.0]}, cv=2)
        # scikit-learn would also split validation data of the same length as X.
        validated(grid, y, WEIGHT_VAL, sample_weight=WEIGHT[TRAIN])
    net.set_params(**grid.best_params_)
    validated(net, y, WEIGHT_VAL, sample_weight=WEIGHT[TRAIN])
    assert_same_network(grid.best_estimator_, net)
    curve = grid.best_estimator_.validation_loss_curve_
    assert curve == net.validation_loss_curve_


def test_validation_data_are_not_routed_by_default():
    with config_context(enable_metadata_routing=True):
        pipeline = Pipeline([("net", BackpropRegressor())], transform_input=["X_val"])
        with pytest.raises(ValueError, match="X_val"):
            validated(pipeline, NUMBERS)
