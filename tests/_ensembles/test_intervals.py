"""Tests of prediction intervals: definition, coverage, errors."""

from math import ceil, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import RepeatedKFold, TimeSeriesSplit
from small_ensembles import MIXED, N_SAMPLES, NUMBERS, NUMERIC, regressor
from small_fits import ignore_convergence_warning

from skbackprop import BackpropEnsembleRegressor, BackpropRegressor
from skbackprop._ensembles.folds import Fold
from skbackprop._ensembles.intervals import ConformityScores

pytestmark = ignore_convergence_warning
QUANTILES = {"loss": "quantile", "quantile": [0.05, 0.95]}


def bounds_of(member, X):
    """Return the interval that a member predicts before it is corrected."""
    predictions = member.predict(X)
    if predictions.ndim == 1:
        return predictions, predictions
    return predictions[:, 0], predictions[:, -1]


def naive_interval(ensemble, X, y, folds, coverage):
    """Compute CV+ as in the paper, with all pairs of new and training samples."""
    lower, upper = [], []
    for member, fold in zip(ensemble.estimators_, folds):
        low, high = bounds_of(member, MIXED.iloc[fold])
        scores = np.maximum(low - y[fold], y[fold] - high)
        low, high = bounds_of(member, X)
        lower.append(low[:, np.newaxis] - scores)
        upper.append(high[:, np.newaxis] + scores)
    n = len(y)
    rank = ceil(coverage * (n + 1))
    # The lower bound is the floor(alpha * (n + 1))-th smallest value.
    lower = np.sort(np.concatenate(lower, axis=1))[:, n - rank]
    upper = np.sort(np.concatenate(upper, axis=1))[:, rank - 1]
    return np.column_stack([lower, upper])


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.95])
@pytest.mark.parametrize(
    "network",
    [{}, QUANTILES, {**QUANTILES, "quantile": [0.1, 0.5, 0.8]}],
    ids=["mean", "two quantiles", "three quantiles"],
)
def test_interval_is_the_definition_of_cv_plus(network, coverage):
    folds = np.array_split(np.random.default_rng(0).permutation(N_SAMPLES), 3)
    rows = np.arange(N_SAMPLES)
    cv = [(np.setdiff1d(rows, fold), fold) for fold in folds]
    ensemble = regressor(cv=cv, network=network).fit(MIXED, NUMBERS)
    expected = naive_interval(ensemble, MIXED[:20], NUMBERS, folds, coverage)
    assert (expected[:, 0] < expected[:, 1]).all()
    interval = ensemble.predict_interval(MIXED[:20], coverage)
    np.testing.assert_allclose(interval, expected, rtol=1e-12, atol=1e-12)


def score_ensemble(y, low, high, weight=None):
    """Return the conformity scores of two members with constant predictions."""
    y, low, high = (np.reshape(part, (-1, 1)).astype(float) for part in (y, low, high))
    rows = np.arange(len(y))
    folds = [Fold(rows[1::2], rows[::2]), Fold(rows[::2], rows[1::2])]
    parts = [[part[fold.validation] for fold in folds] for part in (low, high)]
    weight = None if weight is None else np.asarray(weight, float)
    return ConformityScores.fit(y, weight, folds, *parts)


def test_scores_of_quantiles_are_the_conformalized_form():
    # The targets are 1 below, 2 inside and 3 above the interval from 0 to 10.
    scores = score_ensemble([-1, 2, 13, 5], [0] * 4, [10] * 4)
    np.testing.assert_array_equal(scores.scores[0][:, 0], [1, 3])
    np.testing.assert_array_equal(scores.scores[1][:, 0], [-5, -2])
    bounds = np.zeros((2, 1, 1)), np.full((2, 1, 1), 10.0)
    interval = scores.extend(*bounds, 0.8)  # rank 4 of 4
    np.testing.assert_allclose(interval[0, 0], [-3.0, 13.0])
    interval = scores.extend(*bounds, 0.4)  # rank 2 of 4
    np.testing.assert_allclose(interval[0, 0], [2.0, 8.0])


def test_empty_interval_becomes_a_point():
    # The targets are at least 30 inside the intervals of the training samples, but the
    # interval of the new sample is only 10 wide.
    scores = score_ensemble([30, 70, 40, 60], [0] * 4, [100] * 4)
    bounds = np.full((2, 1, 1), 5.0), np.full((2, 1, 1), 15.0)
    np.testing.assert_array_equal(scores.extend(*bounds, 0.4)[0, 0], [10.0, 10.0])


def test_intervals_of_quantiles_are_shorter_with_a_lower_coverage():
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(1500, 1))
    y = X[:, 0] + (0.05 + 2.0 * X[:, 0]) * rng.normal(size=1500)
    network = BackpropRegressor(
        (16,), loss="quantile", quantile=[0.05, 0.95], max_iter=60, random_state=0
    )
    ensemble = BackpropEnsembleRegressor(network, cv=4, random_state=0)
    ensemble.fit(X[:500], y[:500])
    lengths = []
    for coverage in (0.1, 0.3, 0.5, 0.7, 0.9):
        low, high = ensemble.predict_interval(X[500:], coverage).T
        lengths.append(high - low)
        is_covered = (low <= y[500:]) & (y[500:] <= high)
        error = sqrt(coverage * (1.0 - coverage) * (1 / 500 + 1 / 1000))
        assert is_covered.mean() == pytest.approx(coverage, abs=3 * error)
    assert (np.diff(lengths, axis=0) >= 0.0).all()


@pytest.mark.parametrize("n", [9, 99])
def test_smallest_possible_number_of_samples(n):
    coverage = n / (n + 1)
    scores = score_ensemble(np.arange(n), np.zeros(n), np.zeros(n))
    scores.check_coverage(coverage)
    bounds = np.zeros((2, 1, 1))
    np.testing.assert_allclose(scores.extend(bounds, bounds, coverage)[0, 0, 1], n - 1)
    smaller = score_ensemble(np.arange(n - 1), np.zeros(n - 1), np.zeros(n - 1))
    with pytest.raises(ValueError, match=f"at least {n} training .* has {n - 1}"):
        smaller.check_coverage(coverage)


@pytest.mark.parametrize("outlier", [1e3, 1e12, 1e18, 1e25, 1e300])
def test_outliers_do_not_change_the_accuracy(outlier):
    y = np.random.default_rng(0).normal(size=101)
    y[0] = outlier
    scores = score_ensemble(y, np.zeros(101), np.zeros(101))
    predictions = np.array([0.1, -0.2]).reshape(2, 1, 1)
    low, high = scores.extend(predictions, predictions, 0.9)[0, 0]
    shifts = np.where(np.arange(101) % 2 == 0, 0.1, -0.2)  # members of the rows
    rank = ceil(0.9 * 102)
    assert high == pytest.approx(np.sort(shifts + abs(y))[rank - 1], rel=1e-14)
    assert low == pytest.approx(np.sort(shifts - abs(y))[101 - rank], rel=1e-14)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.filterwarnings("ignore:invalid value")
def test_predictions_that_are_not_finite_give_intervals_that_are_not_finite(value):
    scores = score_ensemble(np.arange(20), np.zeros(20), np.zeros(20))
    predictions = np.array([[[value], [1.0]], [[0.0], [1.0]]])
    intervals = scores.extend(predictions, predictions, 0.5)
    assert not np.isfinite(intervals[0]).all()
    assert np.isfinite(intervals[1]).all()


@pytest.mark.parametrize("factor", [1e-320, 1e-307, 1e-3, 1e300])
def test_common_factor_of_weights_has_no_effect(factor):
    y = np.arange(20.0)
    plain = score_ensemble(y, np.zeros(20), np.zeros(20))
    scaled = score_ensemble(y, np.zeros(20), np.zeros(20), np.full(20, factor))
    bounds = np.zeros((2, 1, 1))
    np.testing.assert_allclose(
        scaled.extend(bounds, bounds, 0.8), plain.extend(bounds, bounds, 0.8)
    )


def test_negative_weights_are_ignored():
    weight = np.where(np.arange(20) < 15, 1.0, -1.0)
    weighted = score_ensemble(np.arange(20), np.zeros(20), np.zeros(20), weight)
    assert weighted.n_samples == 15
    bounds = np.zeros((2, 1, 1))
    assert weighted.extend(bounds, bounds, 0.9)[0, 0, 1] == pytest.approx(14.0)


@given(
    y=st.lists(st.integers(-9, 9), min_size=2, max_size=12),
    data=st.data(),
    coverage=st.floats(0.05, 0.6),
)
def test_integer_weights_select_the_weighted_quantile(y, data, coverage):
    weight = data.draw(
        st.lists(st.integers(0, 3), min_size=len(y), max_size=len(y)).filter(any)
    )
    zeros = [0] * len(y)
    scores = score_ensemble(y, zeros, zeros, weight)
    n = np.count_nonzero(weight)
    if coverage * (n + 1) > n:
        with pytest.raises(ValueError, match="requires at least"):
            scores.check_coverage(coverage)
        return
    bounds = np.zeros((2, 1, 1))
    _, high = scores.extend(bounds, bounds, coverage)[0, 0]
    # The smallest residual with this fraction of all repeated residuals.
    residuals = np.sort(np.repeat(np.abs(y), weight))
    fraction = np.arange(1, len(residuals) + 1) / len(residuals)
    needed = coverage * (n + 1) / n
    allowed = residuals[fraction >= needed - 1e-9]
    assert high == pytest.approx(allowed[0], abs=1e-9)


def test_equal_weights_have_no_effect():
    network = {"alpha": 0.0}  # the penalty depends on the mean weight
    plain = regressor(network=network).fit(MIXED, NUMBERS).predict_interval(MIXED)
    weighted = regressor(network=network).fit(MIXED, NUMBERS, np.full(N_SAMPLES, 4.0))
    np.testing.assert_allclose(weighted.predict_interval(MIXED), plain, rtol=1e-6)


def test_repeated_folds_have_the_same_number_of_samples():
    once = regressor().fit(MIXED, NUMBERS)
    cv = RepeatedKFold(n_splits=3, n_repeats=3, random_state=0)
    repeated = regressor(cv=cv).fit(MIXED, NUMBERS)
    series = regressor(cv=TimeSeriesSplit(5)).fit(MIXED, NUMBERS)
    once.predict_interval(MIXED, 0.98)
    repeated.predict_interval(MIXED, 0.98)
    with pytest.raises(ValueError, match=r"at least 52 .* ensemble has 50"):
        # The message states the number of rows in validation folds.
        series.predict_interval(MIXED, 0.981)


def test_interval_contains_more_samples_with_larger_coverage():
    ensemble = regressor().fit(MIXED, NUMBERS)
    previous = ensemble.predict_interval(MIXED, 0.3)
    for coverage in (0.5, 0.9, 0.98):
        interval = ensemble.predict_interval(MIXED, coverage)
        assert (interval[:, 0] <= previous[:, 0]).all()
        assert (interval[:, 1] >= previous[:, 1]).all()
        previous = interval


def test_shapes_and_blocks(monkeypatch):
    several = regressor().fit(MIXED, NUMERIC)
    whole = several.predict_interval(MIXED)
    assert whole.shape == (N_SAMPLES, 3, 2)
    monkeypatch.setattr("skbackprop._ensembles.regressor.INTERVAL_ROWS", 7)
    np.testing.assert_allclose(several.predict_interval(MIXED), whole, rtol=1e-12)
    for j in range(3):
        assert regressor().fit(MIXED, NUMERIC[:, j]).predict_interval(MIXED).shape == (
            N_SAMPLES,
            2,
        )
    quantiles = regressor(network=QUANTILES).fit(MIXED, NUMBERS)
    assert quantiles.predict_interval(MIXED).shape == (N_SAMPLES, 2)


@pytest.mark.parametrize("coverage", [0, 1, -0.1, 1.5, "0.9", None, np.nan])
def test_invalid_coverage_is_an_error(coverage):
    ensemble = regressor().fit(MIXED, NUMBERS)
    with pytest.raises(ValueError, match="coverage must be a number between 0 and 1"):
        ensemble.predict_interval(MIXED, coverage)


def test_too_few_samples_for_the_coverage_are_an_error():
    ensemble = regressor().fit(MIXED[:20], NUMBERS[:20])
    ensemble.predict_interval(MIXED, 0.95)
    with pytest.raises(ValueError, match=r"at least 24 training .* ensemble has 20"):
        ensemble.predict_interval(MIXED, 0.96)


def draw(rng, n, heteroscedastic):
    x = rng.uniform(-2.0, 2.0, (n, 2))
    noise = 0.2 + abs(x[:, 0]) if heteroscedastic else 0.5
    return x, np.sin(2.0 * x[:, 0]) + x[:, 1] + noise * rng.normal(size=n)


@pytest.mark.parametrize("heteroscedastic", [False, True])
@pytest.mark.parametrize("network", [{}, QUANTILES], ids=["mean", "quantiles"])
@pytest.mark.slow
def test_coverage_over_many_draws_is_nominal(heteroscedastic, network):
    rng = np.random.default_rng(0)
    n_draws, n_train, n_test = 30, 1000, 500
    covered = {0.8: [], 0.9: []}
    for seed in range(n_draws):
        X, y = draw(rng, n_train, heteroscedastic)
        X_new, y_new = draw(rng, n_test, heteroscedastic)
        member = BackpropRegressor((32,), learning_rate_init=0.01, max_iter=40)
        member.set_params(learning_rate="cosine", **network)
        ensemble = BackpropEnsembleRegressor(member, random_state=seed).fit(X, y)
        for coverage, fractions in covered.items():
            low, high = ensemble.predict_interval(X_new, coverage).T
            fractions.append(((low <= y_new) & (y_new <= high)).mean())
    for coverage, fractions in covered.items():
        # The coverage of a draw varies with its training and its test samples.
        variance = coverage * (1.0 - coverage) * (1 / n_train + 1 / n_test)
        assert abs(np.mean(fractions) - coverage) < 3.0 * np.sqrt(variance / n_draws)


def test_quantile_intervals_adapt_to_the_noise():
    rng = np.random.default_rng(0)
    X, y = draw(rng, 1500, heteroscedastic=True)
    member = BackpropRegressor((32,), learning_rate_init=0.01, **QUANTILES)
    member.set_params(learning_rate="cosine", max_iter=40)
    ensemble = BackpropEnsembleRegressor(member, cv=4, random_state=0).fit(X, y)
    low, high = ensemble.predict_interval(X).T
    is_noisy = abs(X[:, 0]) > 1.5
    assert (high - low)[is_noisy].mean() > 1.5 * (high - low)[~is_noisy].mean()
