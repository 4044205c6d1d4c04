"""Regression targets of output activations with a limited range."""

import numpy as np
import pytest
from sklearn.metrics import r2_score
from small_fits import error_of, ignore_convergence_warning
from small_networks import NUMBERS, X, regressor

from skbackprop import Activation, BackpropRegressor
from skbackprop.core.activations import OUTPUT_ACTIVATIONS
from skbackprop.core.output_scaling import can_rescale_outputs

POSITIVE = np.exp(NUMBERS / 2)
STANDARDIZE = pytest.mark.parametrize("standardize", [False, True])
# Activations whose targets are scaled but not centered.
DIVIDED = ["relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "exp"]
LIMITED = [n for n, f in OUTPUT_ACTIVATIONS.items() if f.output_range[0] > -np.inf]


@pytest.mark.parametrize("name", sorted(OUTPUT_ACTIVATIONS))
def test_declared_range_contains_all_outputs_closely(name):
    activation = OUTPUT_ACTIVATIONS[name]()
    z = np.concatenate([np.linspace(-40.0, 40.0, 80_001), [-700.0]])
    z = np.column_stack([z, -z])
    a = np.empty_like(z)
    activation.forward(z, a)
    low, high = activation.output_range
    assert low - 1e-15 <= a.min()
    assert a.max() <= high
    assert a.min() == pytest.approx(low, abs=1e-6) if low > -np.inf else a.min() < -0.3
    assert a.max() == pytest.approx(high, abs=1e-6) if high < np.inf else a.max() > 30


# ----------------------------------------------------------------- units of targets


@pytest.mark.parametrize("output_activation", ["relu", "softplus", "exp"])
@ignore_convergence_warning
def test_prices_are_fitted(output_activation):
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(600, 2))
    prices = 1e6 * np.exp(0.4 * inputs[:, 0] - 0.3 * inputs[:, 1])
    net = BackpropRegressor(
        (20,), output_activation=output_activation, solver="lbfgs", random_state=0
    )
    net.fit(inputs[:400], prices[:400])
    predicted = net.predict(inputs[400:])
    assert r2_score(prices[400:], predicted) > 0.95
    assert predicted.min() >= 0.0


@pytest.mark.parametrize("factor", [1e-4, 1e3])
@pytest.mark.parametrize(
    "loss", ["squared_error", "absolute_error", "huber", "poisson"]
)
@pytest.mark.parametrize("output_activation", [*DIVIDED, "increasing"])
@ignore_convergence_warning
def test_predictions_have_units_of_targets(output_activation, loss, factor):
    if loss == "poisson" and output_activation not in ("exp", "softplus"):
        return  # the loss requires positive outputs
    y = np.column_stack([POSITIVE, POSITIVE + np.abs(X[:, 2])])
    net = regressor(output_activation=output_activation, loss=loss)
    expected = factor * net.fit(X, y).predict(X)
    curve = net.loss_curve_
    np.testing.assert_allclose(net.fit(X, factor * y).predict(X), expected, rtol=1e-9)
    np.testing.assert_allclose(net.loss_curve_, curve, rtol=1e-9)


@ignore_convergence_warning
def test_ordered_targets_share_one_scale():
    y = 1e6 + 1e5 * np.sort(np.column_stack([NUMBERS, X[:, 2:]]), axis=1)
    net = regressor(output_activation="increasing", max_iter=300, tol=0.0).fit(X, y)
    assert net.score(X, y) > 0.5
    assert (np.diff(net.predict(X), axis=1) >= 0.0).all()
    scalers = net._reader.scalers
    np.testing.assert_allclose(scalers.output_scale, [y.std()])
    np.testing.assert_allclose(scalers.output_shift, [y.mean()])


@pytest.mark.parametrize("scale", [1.0, 1e6])
@ignore_convergence_warning
def test_poisson_intercept_is_mean(scale):
    y = scale * np.random.default_rng(0).poisson(2.0, 90)
    net = BackpropRegressor((), loss="poisson", solver="lbfgs", tol=1e-10)
    weight = np.arange(90.0)
    predicted = net.fit(np.zeros((90, 1)), y, weight).predict([[0.0]])
    assert predicted == pytest.approx(np.average(y, weights=weight), rel=1e-6)


# ---------------------------------------------------------------- continued training


@pytest.mark.parametrize("method", ["partial_fit", "fit"])
@pytest.mark.parametrize("output_activation", [*DIVIDED, "increasing"])
@ignore_convergence_warning
def test_change_of_units_keeps_predictions(output_activation, method):
    y = np.column_stack([POSITIVE, 3.0 + POSITIVE])
    net = regressor(output_activation=output_activation, warm_start=True).fit(X, y)
    before, scale = net.predict(X), net._reader.scalers.output_scale
    # The steps are too short to change any parameter.
    net.set_params(learning_rate_init=1e-200, n_iter_no_change=1)
    getattr(net, method)(X, 1000.0 * y)
    np.testing.assert_allclose(net.predict(X), before, rtol=1e-9)
    now = net._reader.scalers.output_scale
    if can_rescale_outputs(OUTPUT_ACTIVATIONS[output_activation]()):
        assert (now > 100.0 * scale).all()
    else:
        np.testing.assert_array_equal(now, scale)


@pytest.mark.parametrize("output_activation", DIVIDED)
def test_first_chunk_of_zeros_defines_no_scale(output_activation):
    net = regressor(output_activation=output_activation, batch_size="auto")
    net.partial_fit(X, np.zeros(90)).partial_fit(X, 1e6 * POSITIVE)
    # The output scale is that of both chunks, because the first has no scale.
    expected = np.sqrt(0.5 * np.mean((1e6 * POSITIVE) ** 2))
    np.testing.assert_allclose(net._reader.scalers.output_scale, expected, rtol=1e-12)


# ------------------------------------------------------------- targets out of range


@STANDARDIZE
@pytest.mark.parametrize("name", LIMITED)
@ignore_convergence_warning
def test_targets_out_of_range_raise(name, standardize):
    words = f"output_activation={name!r}", "y has values from", "predictions are"
    inside = np.column_stack([POSITIVE, POSITIVE]) / POSITIVE.max()
    outside = inside.copy()
    outside[7, 1] = -20.0
    net = regressor(output_activation=name, standardize=standardize, warm_start=True)
    net.set_params(learning_rate_init=1e-3)
    error_of(lambda: net.fit(X, outside), *words)
    error_of(lambda: net.partial_fit(X, outside), *words)
    assert not hasattr(net, "coefs_")
    validation = dict(X_val=X, y_val=outside)
    error_of(lambda: net.fit(X, inside, **validation), "In y_val", *words)
    before = net.fit(X, inside).predict(X)
    error_of(lambda: net.fit(X, outside), *words)
    error_of(lambda: net.partial_fit(X, outside), *words)
    np.testing.assert_array_equal(net.predict(X), before)
    if OUTPUT_ACTIVATIONS[name].output_range[1] < np.inf:
        error_of(lambda: net.fit(X, 1.01 * inside), *words, "between")


@STANDARDIZE
@pytest.mark.parametrize("name", ["sigmoid", "tanh", "softmax", "relu", "exp"])
@ignore_convergence_warning
def test_limits_of_range_are_accepted(name, standardize):
    y = np.column_stack([np.arange(90) % 2, 1 - np.arange(90) % 2])
    net = regressor(output_activation=name, standardize=standardize)
    assert np.isfinite(net.fit(X, y).predict(X)).all()


def test_message_suggests_only_remedies_that_are_not_in_place():
    net = regressor(output_activation="sigmoid")
    assert "output_activation='auto'" in error_of(lambda: net.fit(X, 5 * POSITIVE))
    net = regressor(loss="poisson", output_activation="sigmoid")
    error_of(lambda: net.fit(X, NUMBERS), "loss='poisson' requires non-negative y")


# ----------------------------------------------------------------- custom activations


class Square(Activation):
    def forward(self, z, out):
        np.square(z, out=out)

    def backward(self, delta, a, z, scratch):
        delta *= 2.0 * z


class PositiveSquare(Square):
    output_range = (0.0, np.inf)


def test_custom_activation_without_range_has_unscaled_targets():
    net = regressor(output_activation=Square()).fit(X, NUMBERS)
    assert net._reader.scalers.targets is None


def test_custom_activation_with_range():
    net = regressor(output_activation=PositiveSquare())
    error_of(lambda: net.fit(X, NUMBERS), "PositiveSquare", "at least 0")
    expected = 1e6 * net.fit(X, POSITIVE).predict(X)
    predicted = net.fit(X, 1e6 * POSITIVE).predict(X)
    np.testing.assert_allclose(predicted, expected, rtol=1e-9)
