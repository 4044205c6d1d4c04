"""The scale of sample weights, and negative sample weights."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import has_fit_parameter
from small_fits import error_of, ignore_convergence_warning
from small_networks import (
    CODES,
    ESTIMATORS,
    LABELS,
    NUMBERS,
    WEIGHT,
    X,
    assert_same_network,
    classifier,
    regressor,
    small,
)

from skbackprop import BackpropClassifier, BackpropRegressor, check_gradients
from skbackprop.core.samples import Samples, WeightTotals

pytestmark = ignore_convergence_warning

#: Weights of at most 1, some of them 0.
LIGHT = WEIGHT / 4.0
BOTH = pytest.mark.parametrize("make", [BackpropClassifier, BackpropRegressor])
SETTINGS = [
    {},
    {"solver": "sgd", "l1_alpha": 0.4},
    {"solver": "lbfgs", "max_iter": 5},
    {"dtype": "float32"},
    {"early_stopping": True, "validation_fraction": 0.3},
    {"standardize": False, "batch_size": 90},
]


def fit(make, y, weight, **params):
    net = small(make, **{"alpha": 2.0, "batch_size": 16, "n_iter_no_change": 5})
    return net.set_params(**params).fit(X, y, weight)


def assert_close(one, other, rtol):
    for name in ("coefs_", "intercepts_"):
        for actual, expected in zip(
            getattr(one, name), getattr(other, name), strict=True
        ):
            np.testing.assert_allclose(actual, expected, rtol=rtol, atol=rtol)


def fit_linear(X, y, weight, alpha):
    """Fit repeatedly, because SciPy stops at relative decreases below 2e-9."""
    net = BackpropRegressor((), solver="lbfgs", alpha=alpha, standardize=False)
    net.set_params(tol=1e-10, warm_start=True)
    for _ in range(5):
        net.fit(X, y, weight)
    return net


# ------------------------------------------------------------- factor of all weights


@pytest.mark.parametrize("params", SETTINGS, ids=str)
@pytest.mark.parametrize("factor", [0.5, 2.0**-40, 2.0**-990], ids="{:.0e}".format)
@ESTIMATORS
def test_factor_below_one_changes_nothing(make, y, factor, params):
    # Powers of two, so that the products are exact.
    scaled = fit(make, y, factor * LIGHT, **params)
    plain = fit(make, y, LIGHT, **params)
    assert_same_network(scaled, plain)
    assert scaled.loss_curve_ == plain.loss_curve_
    assert scaled.validation_loss_curve_ == plain.validation_loss_curve_


@pytest.mark.parametrize("weight", [1.0, 1 / 90, 1e-12, 1e-300])
@ESTIMATORS
def test_equal_weights_of_at_most_one_have_no_effect(make, y, weight):
    weighted = fit(make, y, np.full(90, weight))
    assert_close(weighted, fit(make, y, None), rtol=1e-9)


@pytest.mark.parametrize("params", SETTINGS, ids=str)
@pytest.mark.parametrize("factor", [1e-300, 1e-30, 1e30, 1e300])
@ESTIMATORS
def test_extreme_factors_neither_overflow_nor_vanish(make, y, factor, params):
    # Without the penalty, which large weights reduce.
    params = {**params, "alpha": 0.0, "l1_alpha": 0.0}
    rtol = 1e-3 if "dtype" in params else 1e-8
    scaled = fit(make, y, factor * WEIGHT, **params)
    assert_close(scaled, fit(make, y, WEIGHT, **params), rtol)


@BOTH
def test_large_weights_reduce_the_penalty_to_nothing(make):
    y = CODES if make is BackpropClassifier else NUMBERS
    penalized = fit(make, y, 1e300 * WEIGHT, alpha=1e3)
    assert_close(penalized, fit(make, y, 1e300 * WEIGHT, alpha=0.0), rtol=1e-12)


@pytest.mark.parametrize("factor", [1.0, 1 / 90, 1e-300])
def test_penalty_is_divided_by_number_of_weighted_rows(factor):
    weight = factor * np.where(WEIGHT > 0, 0.5 + LIGHT / 2, 0.0)
    net = fit_linear(X, NUMBERS, weight, alpha=3.0)
    # The sum of the relative weights is the number of rows with a nonzero weight.
    relative = weight / weight.sum() * np.count_nonzero(weight)
    reference = Ridge(3.0).fit(X, NUMBERS, relative)
    np.testing.assert_allclose(net.coefs_[0][:, 0], reference.coef_, atol=1e-5)


@pytest.mark.parametrize("params", [{}, {"solver": "lbfgs", "max_iter": 5}], ids=str)
@ESTIMATORS
def test_integer_weights_are_repetitions_of_samples(make, y, params):
    rows = np.repeat(np.arange(90), WEIGHT.astype(int))
    params = {"alpha": 5.0, "batch_size": "auto", "shuffle": False, **params}
    net = small(make, **params).set_params(n_iter_no_change=5)
    weighted = clone(net).fit(X, y, WEIGHT)
    assert_close(weighted, net.fit(X[rows], y[rows]), rtol=1e-7)


def test_totals_of_chunks_equal_totals_of_all_rows():
    parts = [slice(0, 7), slice(7, 8), slice(8, 90)]
    whole = Samples(X, NUMBERS[:, np.newaxis], weight=WEIGHT).weight_totals()
    total = WeightTotals()
    for rows in parts:
        y = NUMBERS[rows, np.newaxis]
        total += Samples(X[rows], y, weight=WEIGHT[rows]).weight_totals()
    assert (total.n_rows, total.n_weighted) == (90, np.count_nonzero(WEIGHT))
    assert (whole.n_rows, whole.n_weighted) == (90, np.count_nonzero(WEIGHT))
    assert total.mean == pytest.approx(WEIGHT.mean(), rel=1e-14)
    assert whole.mean == WEIGHT.mean()
    assert whole.penalty_divisor == WEIGHT.mean()
    light = Samples(X, NUMBERS[:, np.newaxis], weight=LIGHT).weight_totals()
    assert light.penalty_divisor == np.mean(WEIGHT > 0)


# ------------------------------------------------------- chunks and repeated fits


def fit_chunks(make, y, weight, **params):
    net = small(make, alpha=2.0, **params)
    classes = {"classes": [0, 1, 2]} if make is BackpropClassifier else {}
    for rows in (slice(0, 10), slice(10, 60), slice(60, 90)):
        net.partial_fit(X[rows], y[rows], weight[rows], **classes)
    return net


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("factor", [2.0**-990, 2.0**-3])
@ESTIMATORS
def test_factor_of_all_chunks_changes_nothing(make, y, factor, dtype):
    scaled = fit_chunks(make, y, factor * LIGHT, dtype=dtype)
    assert_same_network(scaled, fit_chunks(make, y, LIGHT, dtype=dtype))


@pytest.mark.parametrize("factors", [(1e-300, 1e300), (1e300, 1e-300)], ids=str)
@ESTIMATORS
def test_chunk_with_negligible_weights_has_no_influence(make, y, factors):
    net = small(make, alpha=0.0, solver="sgd", momentum=0.0, dtype="float32")
    classes = {"classes": [0, 1, 2]} if make is BackpropClassifier else {}
    heavy, light = np.argmax(factors), np.argmin(factors)
    halves = [slice(0, 45), slice(45, 90)]
    for rows, factor in zip(halves, factors):
        params = [W.copy() for W in net.coefs_] if rows.start else None
        net.partial_fit(X[rows], y[rows], np.full(45, factor), **classes)
    moved = any((b != W).any() for W, b in zip(net.coefs_, params, strict=True))
    assert moved == (heavy == 1)
    # The running means and class frequencies are those of the heavy chunk.
    mean = StandardScaler().fit(X[halves[heavy]]).mean_
    np.testing.assert_allclose(net._reader.scalers.inputs.mean, mean, rtol=1e-10)
    if make is BackpropClassifier:
        counts = net._reader.class_counts[0]
        expected = np.bincount(y[halves[heavy]], minlength=3)
        np.testing.assert_allclose(counts / counts.sum(), expected / 45, rtol=1e-10)
    assert light != heavy


@pytest.mark.parametrize("factor", [2.0**-990, 0.5])
@ESTIMATORS
def test_factor_of_warm_started_fits_changes_nothing(make, y, factor):
    nets = [small(make, alpha=2.0, warm_start=True, max_iter=3) for _ in range(2)]
    for net, scale in zip(nets, (factor, 1.0), strict=True):
        for _ in range(2):
            net.fit(X, y, scale * LIGHT)
    assert_same_network(*nets)


# ------------------------------------------------- classes, validation and scores


@pytest.mark.parametrize("y", [CODES, CODES // 2, LABELS], ids=["3", "2", "labels"])
@pytest.mark.parametrize("factor", [1e-300, 1e300])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_balanced_classes_and_initial_biases_with_extreme_weights(y, factor, dtype):
    def make(weight):
        net = classifier(class_weight="balanced", dtype=dtype, alpha=0.0, max_iter=2)
        return net.fit(X, y, weight)

    rtol = 1e-4 if dtype == "float32" else 1e-9
    assert_close(make(factor * WEIGHT), make(WEIGHT), rtol)


@pytest.mark.parametrize("scoring", ["loss", "r2"])
@pytest.mark.parametrize("factor", [2.0**-990, 2.0**990], ids="{:.0e}".format)
def test_validation_loss_and_score_do_not_depend_on_factor(scoring, factor):
    curves = []
    for scale in (1.0, factor):
        net = regressor(early_stopping=True, scoring=scoring, dtype="float32")
        net.fit(X, NUMBERS, X_val=X, y_val=NUMBERS, sample_weight_val=scale * WEIGHT)
        curves.append((net.validation_loss_curve_, net.validation_scores_))
    assert curves[0] == curves[1]
    assert np.isfinite(curves[0]).all()


def test_user_functions_receive_the_weights_of_the_user():
    received = []

    def score(estimator, X, y, sample_weight):
        received.append(sample_weight)
        return 0.0

    net = regressor(early_stopping=True, scoring=score)
    weight = 1e-300 * (1.0 + WEIGHT)
    net.fit(X, NUMBERS, X_val=X, y_val=NUMBERS, sample_weight_val=weight)
    np.testing.assert_array_equal(received[0], weight)


@pytest.mark.parametrize("factor", [2.0**-990, 2.0**990], ids="{:.0e}".format)
@pytest.mark.parametrize("quantile", [0.5, [0.1, 0.9]])
def test_score_does_not_depend_on_factor(factor, quantile):
    loss = "squared_error" if quantile == 0.5 else "quantile"
    net = regressor(loss=loss, quantile=quantile).fit(X, NUMBERS)
    score = net.score(X, NUMBERS, WEIGHT)
    assert net.score(X, NUMBERS, factor * WEIGHT) == score
    if quantile == 0.5:
        assert score == r2_score(NUMBERS, net.predict(X), sample_weight=WEIGHT)


@pytest.mark.parametrize("factor", [1e-300, 1.0, -0.3])
@ESTIMATORS
def test_check_gradients_accepts_all_scales(make, y, factor):
    weight = factor * WEIGHT if factor > 0 else 1.0 + factor * WEIGHT
    net = make((5,), "tanh", alpha=0.5, random_state=0)
    assert check_gradients(net, X, y, weight) < 1e-6


# ---------------------------------------------------------------- constant columns


@pytest.mark.parametrize("factor", [1e-300, 1e-8, 1e17, 1e300])
@pytest.mark.parametrize("n_chunks", [1, 3])
def test_scaled_columns_do_not_depend_on_factor(factor, n_chunks):
    # One column is constant except for rounding errors.
    rows = np.column_stack([X[:, 0], np.full(90, 0.1)])
    net = regressor()
    for chunk in np.array_split(np.arange(90), n_chunks):
        net.partial_fit(rows[chunk], NUMBERS[chunk], factor * (1.0 + WEIGHT[chunk]))
    scaler = StandardScaler().fit(rows, sample_weight=1.0 + WEIGHT)
    scale = net._reader.scalers.inputs.standard_deviation
    np.testing.assert_allclose(scale, [scaler.scale_[0], 1.0], rtol=1e-10)


# ----------------------------------------------------------------- negative weights

#: The sum of the weights is positive, and so is their total for each class.
SIGNED = np.where(np.arange(90) % 9 == 4, -0.5, 1.0 + WEIGHT)


def test_negative_weights_give_weighted_least_squares():
    target = NUMBERS + np.sin(7.0 * np.arange(90))
    net = fit_linear(X, target, SIGNED, alpha=0.0)
    A = np.column_stack([X, np.ones(90)])
    expected = np.linalg.solve(A.T @ (SIGNED[:, None] * A), A.T @ (SIGNED * target))
    np.testing.assert_allclose(net.coefs_[0][:, 0], expected[:4], atol=1e-6)
    np.testing.assert_allclose(net.intercepts_[0], expected[4:], atol=1e-6)


@pytest.mark.skipif(
    not has_fit_parameter(MLPRegressor, "sample_weight"),
    reason="MLPRegressor supports sample weights since scikit-learn 1.7",
)
def test_negative_weights_have_same_effect_as_in_scikit_learn():
    params = dict(hidden_layer_sizes=(5,), solver="sgd", batch_size=90, alpha=0.7)
    params |= dict(max_iter=5, random_state=0, learning_rate_init=0.01)
    weight = 3.0 * SIGNED  # the sum exceeds the number of rows
    mlp = MLPRegressor(**params).fit(X, NUMBERS, sample_weight=weight)
    net = BackpropRegressor(standardize=False, **params).fit(X, NUMBERS, weight)
    np.testing.assert_allclose(net.predict(X), mlp.predict(X), rtol=1e-9)
    np.testing.assert_allclose(net.loss_curve_, mlp.loss_curve_, rtol=1e-9)


def test_samples_with_negative_weights_do_not_count_in_statistics():
    params = dict(class_weight="balanced", max_iter=1)
    net = classifier(**params).fit(X, CODES, SIGNED)
    counted = SIGNED > 0
    positive = classifier(**params).fit(X, CODES, SIGNED.clip(min=0.0))
    counts = np.bincount(CODES[counted], SIGNED[counted])
    np.testing.assert_allclose(net._reader.class_counts[0], counts)
    np.testing.assert_allclose(
        net._reader.scalers.inputs.mean, positive._reader.scalers.inputs.mean
    )
    labels = classifier(max_iter=1).fit(X, LABELS, SIGNED)._reader.class_counts
    np.testing.assert_allclose(labels[:, 1], SIGNED[counted] @ LABELS[counted])
    np.testing.assert_allclose(labels.sum(axis=1), SIGNED[counted].sum())


@pytest.mark.parametrize("class_weight", ["balanced", {0: 1.0, 1: 0.0, 2: 0.0}])
def test_message_names_class_weight(class_weight):
    net = classifier(class_weight=class_weight)
    weight = np.where(CODES == 0, -1.0, 1.0)
    if class_weight == "balanced":
        weight = -np.ones(90)
    error_of(
        lambda: net.fit(X, CODES, weight),
        f"class_weight={class_weight!r}, multiplied by sample_weight",
        "positive, finite sum over the training samples",
        "Change the weights of the classes",
    )


def test_zero_class_weights_are_not_reported_as_sample_weights():
    net = classifier(class_weight=dict.fromkeys(range(3), 0.0))
    message = error_of(lambda: net.fit(X, CODES), "class_weight={0: 0.0, 1: 0.0")
    assert message.startswith("class_weight=")
