"""Several quantiles in one network: loss, and non-crossing predictions."""

import pickle

import numpy as np
import pytest
from example_counts import examples
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import norm
from sklearn.base import clone
from sklearn.metrics import d2_pinball_score, mean_pinball_loss, r2_score
from sklearn.model_selection import GridSearchCV
from small_fits import error_of, ignore_convergence_warning
from small_networks import NUMBERS, WEIGHT, X, assert_same_network, regressor
from test_gradients import (
    Float32Only,
    assert_close_to_float64,
    check_activation,
    check_loss,
    forward,
    gradient,
    value,
)

from skbackprop import BackpropRegressor
from skbackprop.core.activations import CumulativeSoftplus
from skbackprop.core.losses import Quantile

QUANTILES = (0.1, 0.5, 0.8)
FAR_INPUTS = [np.full((1, 4), s * 10.0**k) for s in (-1, 1) for k in (2, 6, 12)]
STANDARDIZE = pytest.mark.parametrize("standardize", [False, True])


def quantiles(quantile=QUANTILES, **params):
    return regressor(loss="quantile", quantile=quantile, **params)


def assert_not_crossing(predicted):
    assert np.isfinite(predicted).all()
    assert np.diff(predicted, axis=1).min() >= 0


# -------------------------------------------------------------- loss and activation


@pytest.mark.parametrize("levels", [QUANTILES, (0.5,), (0.01, 0.99), (0.3, 0.3, 0.9)])
def test_loss_of_several_quantiles_is_pinball_loss_of_each(levels):
    y, a = np.random.default_rng(0).normal(size=(2, 50, len(levels)))
    values = value(Quantile(levels), y, a)
    for j, q in enumerate(levels):
        expected = np.where(y[:, j] > a[:, j], q, q - 1) * (y[:, j] - a[:, j])
        np.testing.assert_allclose(values[:, j], expected, rtol=1e-13)
        np.testing.assert_allclose(
            values[:, j].mean(), mean_pinball_loss(y[:, j], a[:, j], alpha=q)
        )
        alone = value(Quantile(q), y[:, [j]], a[:, [j]])[:, 0]
        np.testing.assert_array_equal(values[:, j], alone)
    check_loss(Quantile(levels), y, a)


@pytest.mark.parametrize("n_units", [1, 2, 5])
def test_increasing_outputs_and_their_derivatives(n_units):
    z, delta = 2 * np.random.default_rng(0).normal(size=(2, 30, n_units))
    expected = z[:, :1] + np.zeros_like(z)
    for k in range(1, n_units):
        expected[:, k] = expected[:, k - 1] + np.log1p(np.exp(z[:, k]))
    np.testing.assert_allclose(forward(CumulativeSoftplus(), z), expected, rtol=1e-12)
    check_activation(CumulativeSoftplus(), z, delta)
    # The result does not depend on the memory order.
    out = np.empty_like(z, order="F")
    CumulativeSoftplus().forward(np.asfortranarray(z), out)
    np.testing.assert_array_equal(out, forward(CumulativeSoftplus(), z))


def test_derivative_of_increasing_outputs_by_hand():
    z = np.array([[0.3, -1.0, 2.0]])
    delta, scratch = np.array([[5.0, 7.0, 11.0]]), np.empty((1, 3))
    CumulativeSoftplus().backward(
        delta, forward(CumulativeSoftplus(), z), z.copy(), scratch
    )
    expected = [[23.0, 18.0 * expit(-1.0), 11.0 * expit(2.0)]]
    np.testing.assert_allclose(delta, expected, rtol=1e-14)


def test_quantiles_compute_in_float32():
    y, a = np.random.default_rng(0).normal(size=(2, 20, 3))
    y32, a32 = (x.astype(np.float32).view(Float32Only) for x in (y, a))
    assert_close_to_float64(
        value(Quantile(QUANTILES), y32, a32), value(Quantile(QUANTILES), y, a)
    )
    assert_close_to_float64(
        gradient(Quantile(QUANTILES), y32, a32), gradient(Quantile(QUANTILES), y, a)
    )
    assert_close_to_float64(
        forward(CumulativeSoftplus(), a32), forward(CumulativeSoftplus(), a)
    )


# --------------------------------------------------------- non-crossing predictions


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@STANDARDIZE
@ignore_convergence_warning
def test_predictions_never_cross(standardize, dtype, solver):
    params = dict(standardize=standardize, dtype=dtype, solver=solver, max_iter=30)
    net = quantiles((0.05, 0.1, 0.5, 0.51, 0.95), **params).fit(X, NUMBERS)
    rows = 30 * np.random.default_rng(9).normal(size=(500, 4))
    for inputs in (X, rows, *FAR_INPUTS):
        predicted = net.predict(inputs)
        assert predicted.shape == (len(inputs), 5)
        assert predicted.dtype == dtype
        assert_not_crossing(predicted)


@examples(40, derandomize=True, database=None)
@given(
    seed=st.integers(0, 2**31),
    size=st.floats(1e-3, 1e3),
    spread=st.floats(1e-3, 1e6),
    shift=st.floats(-1e6, 1e6),
    dtype=st.sampled_from(["float32", "float64"]),
    standardize=st.booleans(),
    n=st.integers(2, 6),
)
def test_predictions_never_cross_for_random_weights(
    seed, size, spread, shift, dtype, standardize, n
):
    rng = np.random.default_rng(seed)
    net = quantiles(
        np.linspace(0.1, 0.9, n), dtype=dtype, standardize=standardize, batch_size=90
    )
    net.partial_fit(X, spread * NUMBERS + shift)
    for array in (*net.coefs_, *net.intercepts_):
        array[...] = size * rng.normal(size=array.shape)
    for factor in (1.0, 10.0, 1e4):
        assert_not_crossing(net.predict(factor * rng.normal(size=(20, 4))))


# ----------------------------------------------------------------- fitted quantiles


def test_quantiles_match_known_distribution():
    # y is normal with standard deviation 0.2 + |x|, so all quantiles are known.
    rng = np.random.default_rng(3)
    levels = (0.1, 0.5, 0.9)
    x, new = rng.uniform(-1, 1, (2, 4000, 1))
    spread = 0.2 + np.abs(x[:, 0])
    y = 2 * x[:, 0] + spread * rng.normal(size=4000)
    net = BackpropRegressor(
        (20,),
        "silu",
        loss="quantile",
        quantile=levels,
        learning_rate="cosine",
        learning_rate_init=0.01,
        max_iter=60,
        random_state=1,
    ).fit(x, y)
    predicted, spread = net.predict(new), 0.2 + np.abs(new[:, 0])
    for column, q in zip(predicted.T, levels):
        exact = 2 * new[:, 0] + spread * norm.ppf(q)
        # The standard error of a sample quantile is sqrt(q (1 - q) / n) / density.
        # The n samples are divided among the 60 weights.
        density = norm.pdf(norm.ppf(q)) / spread.mean()
        standard_error = np.sqrt(60 * q * (1 - q) / 4000) / density
        assert np.sqrt(((column - exact) ** 2).mean()) < standard_error
        fresh = 2 * new[:, 0] + spread * rng.normal(size=4000)
        coverage = (fresh <= column).mean()
        # Training and test samples both contribute to the variance.
        assert abs(coverage - q) < 4 * np.sqrt(2 * q * (1 - q) / 4000)


@ignore_convergence_warning
def test_constant_predictions_are_sample_quantiles():
    y = np.random.default_rng(4).exponential(size=99)
    net = BackpropRegressor(
        (),
        loss="quantile",
        quantile=[0.25, 0.5, 0.9],
        solver="sgd",
        momentum=0.0,
        alpha=0.0,
        batch_size=99,
        learning_rate="cosine",
        learning_rate_init=0.3,
        max_iter=3000,
        random_state=0,
    ).fit(np.zeros((99, 1)), y)
    expected = np.quantile(y, [0.25, 0.5, 0.9], method="inverted_cdf")
    np.testing.assert_allclose(net.predict([[0.0]])[0], expected, atol=0.02)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@STANDARDIZE
@ignore_convergence_warning
def test_tuple_of_one_quantile_matches_single_quantile(standardize, solver):
    params = dict(standardize=standardize, solver=solver, max_iter=5)
    single, one_tuple = (quantiles(q, **params).fit(X, NUMBERS) for q in (0.3, (0.3,)))
    assert_same_network(single, one_tuple)
    assert one_tuple.loss_curve_ == single.loss_curve_
    expected = single.predict(X)[:, np.newaxis]
    np.testing.assert_array_equal(one_tuple.predict(X), expected)


@STANDARDIZE
@ignore_convergence_warning
def test_loss_is_sum_over_quantiles(standardize):
    net = quantiles(standardize=standardize, learning_rate_init=1e-300, max_iter=1)
    net.set_params(alpha=0.0).fit(X, NUMBERS, sample_weight=WEIGHT)
    predicted = net.predict(X)
    losses = [
        mean_pinball_loss(NUMBERS, column, alpha=q, sample_weight=WEIGHT)
        for column, q in zip(predicted.T, QUANTILES)
    ]
    mean = np.average(NUMBERS, weights=WEIGHT)
    std = np.sqrt(np.average((NUMBERS - mean) ** 2, weights=WEIGHT))
    unit = std if standardize else 1.0
    np.testing.assert_allclose(net.loss_, sum(losses) / unit, rtol=1e-12)


@STANDARDIZE
@ignore_convergence_warning
def test_integer_weights_match_repeated_samples(standardize):
    counts = WEIGHT.astype(int)
    params = dict(
        standardize=standardize, solver="sgd", shuffle=False, max_iter=4, momentum=0.5
    )
    weighted = quantiles(**params, batch_size=90)
    repeated = quantiles(**params, batch_size=counts.sum())
    weighted.fit(X, NUMBERS, sample_weight=WEIGHT)
    repeated.fit(X.repeat(counts, axis=0), NUMBERS.repeat(counts))
    for actual, expected in zip(weighted.coefs_, repeated.coefs_):
        np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(weighted.loss_curve_, repeated.loss_curve_, rtol=1e-11)


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
@ignore_convergence_warning
def test_score_is_mean_d2_pinball_score(weight):
    net = quantiles(max_iter=20).fit(X, NUMBERS, sample_weight=weight)
    scores = [
        d2_pinball_score(NUMBERS, column, alpha=q, sample_weight=weight)
        for column, q in zip(net.predict(X).T, QUANTILES)
    ]
    assert net.score(X, NUMBERS, weight) == pytest.approx(np.mean(scores), rel=1e-12)
    assert net.score(X, NUMBERS, weight) > 0
    # The score uses the fitted quantiles, not the current parameter.
    net.set_params(quantile=0.5)
    assert net.score(X, NUMBERS, weight) == pytest.approx(np.mean(scores), rel=1e-12)


@ignore_convergence_warning
def test_score_of_tuple_of_one_quantile():
    net = quantiles([0.2]).fit(X, NUMBERS)
    expected = d2_pinball_score(NUMBERS, net.predict(X), alpha=0.2)
    assert net.score(X, NUMBERS) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("loss", ["squared_error", "huber", "quantile"])
@ignore_convergence_warning
def test_increasing_outputs_with_other_losses_are_scored_by_r2(loss):
    several = np.sort(X[:, :3], axis=1)
    for y in (NUMBERS, several):
        net = regressor(loss=loss, output_activation="increasing").fit(X, y)
        expected = r2_score(y, net.predict(X))
        assert net.score(X, y) == pytest.approx(expected, rel=1e-12)


@ignore_convergence_warning
def test_increasing_outputs_with_other_losses_increase_in_target_units():
    several = np.column_stack([NUMBERS, NUMBERS + 1, 10 * NUMBERS + 50])
    net = regressor(output_activation="increasing", max_iter=1).fit(X, several)
    for b in np.random.default_rng(0).normal(size=(20, 3)):
        net.intercepts_[1][...] = 3 * b
        assert_not_crossing(net.predict(X))


# ------------------------------------- early stopping, continued training, searches


@STANDARDIZE
@ignore_convergence_warning
def test_early_stopping_uses_loss_of_all_quantiles(standardize):
    net = quantiles(early_stopping=True, max_iter=30, standardize=standardize, tol=1e-4)
    net.fit(X[:60], NUMBERS[:60], X_val=X[60:], y_val=NUMBERS[60:])
    losses = [
        mean_pinball_loss(NUMBERS[60:], column, alpha=q)
        for column, q in zip(net.predict(X[60:]).T, QUANTILES)
    ]
    unit = NUMBERS[:60].std() if standardize else 1.0
    best = -sum(losses) / unit
    np.testing.assert_allclose(net.best_validation_score_, best, rtol=1e-10)


@ignore_convergence_warning
def test_early_stopping_with_scorer():
    def median_score(estimator, rows, y):
        assert y.shape == (len(rows),)
        return -abs(estimator.predict(rows)[:, 1] - y).mean()

    net = quantiles(early_stopping=True, max_iter=10, scoring=median_score)
    net.fit(X, NUMBERS, X_val=X, y_val=NUMBERS)
    best = -abs(net.predict(X)[:, 1] - NUMBERS).mean()
    np.testing.assert_allclose(net.best_validation_score_, best, rtol=1e-10)


@ignore_convergence_warning
def test_partial_fits_of_unpickled_estimators_match_one_fit():
    whole = quantiles(standardize=False, max_iter=4, batch_size=16).fit(X, NUMBERS)
    parts = quantiles(standardize=False, batch_size=16)
    for _ in range(4):
        parts = pickle.loads(pickle.dumps(parts.partial_fit(X, NUMBERS)))
    assert_same_network(whole, parts)
    np.testing.assert_array_equal(whole.predict(X), parts.predict(X))
    assert parts.score(X, NUMBERS) == whole.score(X, NUMBERS)


def test_predictions_do_not_cross_if_scale_of_targets_changes():
    net = quantiles()
    for factor in (1.0, 100.0, 0.01):
        net.partial_fit(X, factor * NUMBERS)
        assert_not_crossing(net.predict(X))


def test_grid_search_over_quantiles():
    levels = [0.5, (0.1, 0.9), [0.2, 0.5, 0.8], np.array([0.3, 0.4])]
    grid = GridSearchCV(quantiles(), {"quantile": levels}, cv=2).fit(X, NUMBERS)
    scores = grid.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert len(set(scores)) == 4
    best = quantiles(levels[scores.argmax()]).fit(X, NUMBERS)
    assert_same_network(grid.best_estimator_, best)


@ignore_convergence_warning
def test_any_sequence_is_accepted_and_cloned():
    nets = [quantiles(kind(QUANTILES), max_iter=2) for kind in (tuple, list, np.array)]
    nets.append(clone(nets[1]))
    for net in nets:
        assert_same_network(net.fit(X, NUMBERS), nets[0].fit(X, NUMBERS))
        net.partial_fit(X, NUMBERS)


# ----------------------------------------------------------------- parameter checks

INVALID = [
    (0.9, 0.1),
    (0.5, 0.5),
    (0.0, 0.5),
    (0.5, 1.0),
    (-0.1, 0.5),
    (0.5, 1.5),
    (0.1, np.nan),
    [],
    ["low", "high"],
    [0.1, None],
    [[0.1, 0.9]],
    0.0,
    1.0,
    np.nan,
    "median",
    None,
]


@pytest.mark.parametrize("quantile", INVALID, ids=str)
def test_invalid_quantiles_are_rejected(quantile):
    error_of(lambda: quantiles(quantile).fit(X, NUMBERS), "quantile")
    error_of(lambda: quantiles(quantile).partial_fit(X, NUMBERS), "quantile")


def test_several_quantiles_of_several_targets_are_rejected():
    error_of(lambda: quantiles().fit(X, X[:, :3]), "quantile", "several quantiles")


@pytest.mark.parametrize("output", ["identity", "tanh", "softmax", "exp"])
def test_output_activations_that_allow_crossing_are_rejected(output):
    net = quantiles(output_activation=output)
    error_of(lambda: net.fit(X, NUMBERS), f"output_activation={output!r}", "increasing")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (QUANTILES, (0.1, 0.5, 0.9)),
        (QUANTILES, (0.1, 0.9)),
        (QUANTILES, 0.5),
        (0.5, QUANTILES),
        (0.5, (0.5,)),
        (0.5, 0.6),
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@ignore_convergence_warning
def test_quantiles_cannot_change_in_continued_training(method, before, after):
    net = quantiles(before, warm_start=True, max_iter=2).fit(X, NUMBERS)
    predicted = net.predict(X)
    net.set_params(quantile=after)
    message = error_of(lambda: getattr(net, method)(X, NUMBERS), "changed")
    assert "quantile" in message.lower()
    np.testing.assert_array_equal(net.predict(X), predicted)
    net.set_params(quantile=list(before) if np.ndim(before) else before)
    assert len(getattr(net, method)(X, NUMBERS).loss_curve_) >= 3


def test_several_quantiles_require_quantile_loss():
    net = regressor(quantile=(0.1, 0.9))
    error_of(lambda: net.fit(X, NUMBERS), "quantile=(0.1, 0.9)", "loss='quantile'")
    first, second = (regressor(quantile=q).fit(X, NUMBERS) for q in (0.5, 0.9))
    assert_same_network(first, second)
