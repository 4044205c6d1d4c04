"""Compare all derivatives of the core with central differences."""

from itertools import product

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.special import erf, expit, logit

from skbackprop.core.activations import ACTIVATIONS, OUTPUT_ACTIVATIONS, Sigmoid, Tanh
from skbackprop.core.losses import (
    LOSSES,
    BinaryLogLoss,
    Huber,
    Quantile,
    SquaredError,
)
from skbackprop.core.network import Network
from skbackprop.core.objective import Objective
from skbackprop.core.samples import Samples

STEP = 6e-6  # near the cube root of the float64 epsilon
N_ROWS, N_INPUTS, N_OUTPUTS = 7, 3, 2
ALPHA = 0.7

by_output_activation = pytest.mark.parametrize("name", sorted(OUTPUT_ACTIVATIONS))
by_loss = pytest.mark.parametrize("name", sorted(LOSSES))

# Independent reference formulas for `forward`: elementwise, or over rows.
ACTIVATION_FORMULAS = {
    "identity": lambda z: z,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "logistic": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": lambda z: (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z)),
    "relu": lambda z: np.where(z > 0, z, 0),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "elu": lambda z: np.where(z > 0, z, np.exp(z) - 1),
    "gelu": lambda z: z * (1 + erf(z / np.sqrt(2))) / 2,
    "silu": lambda z: z / (1 + np.exp(-z)),
    "softplus": lambda z: np.log(1 + np.exp(z)),
    "softmax": lambda z: np.exp(z) / np.exp(z).sum(axis=1, keepdims=True),
    "exp": np.exp,
    "increasing": lambda z: np.cumsum(
        np.column_stack([z[:, 0], np.log(1 + np.exp(z[:, 1:]))]), axis=1
    ),
}

# Loss of one output a with target y; Huber and Quantile with default settings.
LOSS_FORMULAS = {
    "squared_error": lambda y, a: (y - a) ** 2 / 2,
    "log_loss": lambda y, a: -y * np.log(a),
    "binary_log_loss": lambda y, a: -y * np.log(a) - (1 - y) * np.log(1 - a),
    "absolute_error": lambda y, a: np.abs(y - a),
    "huber": lambda y, a: np.where(
        np.abs(y - a) <= 1, (y - a) ** 2 / 2, np.abs(y - a) - 0.5
    ),
    "quantile": lambda y, a: np.abs(y - a) / 2,
    "poisson": lambda y, a: (
        np.where(y > 0, y * np.log(np.maximum(y, 1) / a), 0) - y + a
    ),
}

WEIGHTINGS = {
    "unweighted": lambda rng: None,
    "weighted": lambda rng: rng.uniform(0.2, 3.0, N_ROWS),
    "some weights zero": lambda rng: np.array([0.0, 2.0, 0.0, 0.5, 1.0, 0.0, 3.0]),
}


class Float32Only(np.ndarray):
    """Array that raises if an operation involves float64."""

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **kwargs):
        for x in (*inputs, *(out or ())):
            assert getattr(x, "dtype", None) != np.float64, f"{ufunc} in float64"
        plain = [
            x.view(np.ndarray) if isinstance(x, Float32Only) else x for x in inputs
        ]
        if out is not None:
            kwargs["out"] = tuple(x.view(np.ndarray) for x in out)
        result = getattr(ufunc, method)(*plain, **kwargs)
        return out[0] if out is not None else np.asarray(result).view(Float32Only)


def draw_z(rng, shape=(N_ROWS, N_OUTPUTS)):
    """Draw weighted inputs of both signs, away from the kink at zero."""
    return rng.choice([-1.0, 1.0], shape) * rng.uniform(0.05, 3.0, shape)


def draw_targets(rng, loss_name):
    shape = (N_ROWS, N_OUTPUTS)
    if loss_name == "log_loss":
        return np.eye(N_OUTPUTS)[rng.integers(0, N_OUTPUTS, N_ROWS)]
    if loss_name == "binary_log_loss":
        return rng.integers(0, 2, shape).astype(float)
    if loss_name == "poisson":
        return rng.poisson(1.5, shape).astype(float)
    return 2.0 * rng.normal(size=shape)


def default_output(loss_name):
    return LOSSES[loss_name]().output_activation or "identity"


def draw_outputs(rng, loss_name):
    """Draw outputs from the default output activation of the loss."""
    return forward(OUTPUT_ACTIVATIONS[default_output(loss_name)](), draw_z(rng))


def forward(activation, z):
    out = np.full_like(z, np.nan)
    activation.forward(z.copy(), out)
    return out


def backward(activation, z, delta):
    """Return delta times the derivative; arrays that must not be read contain NaN."""
    a, delta = forward(activation, z), delta.copy()
    z = z.copy() if activation.needs_z else np.full_like(z, np.nan)
    activation.backward(delta, a, z, np.full_like(z, np.nan))
    return delta


def value(loss, y, a):
    out = np.full_like(a, np.nan)
    needs_z = isinstance(loss, BinaryLogLoss)
    loss.value(y, a, logit(a) if needs_z else np.full_like(a, np.nan), out)
    return out


def gradient(loss, y, a):
    out = np.full_like(a, np.nan)
    loss.gradient(y, a, out)
    return out


def assert_gradient(computed, differences):
    np.testing.assert_allclose(computed, differences, rtol=1e-6, atol=1e-8)


def assert_close_to_float64(computed, expected):
    """Compare a float32 result with the float64 result."""
    assert computed.dtype == np.float32
    np.testing.assert_allclose(np.asarray(computed), expected, rtol=1e-4, atol=1e-5)


def check_activation(activation, z, delta):
    """Compare `backward` with central differences of `forward`, column by column."""
    products = np.empty_like(z)
    for j in range(z.shape[1]):
        step = np.zeros_like(z)
        step[:, j] = STEP
        difference = forward(activation, z + step) - forward(activation, z - step)
        products[:, j] = (delta * difference).sum(axis=1) / (2 * STEP)
    assert_gradient(backward(activation, z, delta), products)


def check_loss(loss, y, a):
    """Compare `gradient` with central differences of `value`."""
    difference = value(loss, y, a + STEP) - value(loss, y, a - STEP)
    assert_gradient(gradient(loss, y, a), difference / (2 * STEP))


def draw_problem(rng, loss_name, weighting="unweighted", sparse=False):
    X = rng.normal(size=(N_ROWS, N_INPUTS)) * rng.integers(0, 2, (N_ROWS, N_INPUTS))
    y = draw_targets(rng, loss_name)
    weight = WEIGHTINGS[weighting](rng)
    return Samples(csr_matrix(X) if sparse else X, y, weight=weight)


def make_objective(rng, samples, loss, hidden, output):
    sizes = (N_INPUTS, *(4, 3)[: len(hidden)], N_OUTPUTS)
    network = Network(sizes, (*hidden, output), np.float64)
    network.params[...] = 0.5 * rng.normal(size=network.params.size)
    return Objective(network, loss, ALPHA)


def make_cost_and_gradient(objective, samples):
    """Return a function that computes the cost of all samples and its gradient."""
    work = objective.workspace(samples, samples.n_samples)
    samples.slice(slice(0, samples.n_samples), work)
    network = objective.network
    weights = network.params[: network.n_weights]
    weight_grad = work.grad[: network.n_weights]
    scratch = np.empty_like(weights)

    def evaluate():
        cost = objective.loss_and_gradient(work, samples.n_samples)
        cost += objective.penalize(weights, weight_grad, samples.n_samples, scratch)
        return cost, work.grad.copy()

    return evaluate


def central_differences(params, cost):
    """Return the central differences of ``cost()`` in each parameter."""
    differences = np.empty_like(params)
    for i, middle in enumerate(params.copy()):
        params[i] = middle + STEP
        above = cost()
        params[i] = middle - STEP
        differences[i] = (above - cost()) / (2 * STEP)
        params[i] = middle
    return differences


def check_network(objective, samples):
    """Compare the gradient of a network with central differences of its cost."""
    evaluate = make_cost_and_gradient(objective, samples)
    _, computed = evaluate()
    params = objective.network.params
    assert_gradient(computed, central_differences(params, lambda: evaluate()[0]))


# ---------------------------------------------------------------------- activations


@by_output_activation
def test_activation_matches_formula(name):
    z = draw_z(np.random.default_rng(0))
    a = forward(OUTPUT_ACTIVATIONS[name](), z)
    np.testing.assert_allclose(a, ACTIVATION_FORMULAS[name](z), rtol=1e-13, atol=1e-15)


@by_output_activation
def test_activation_backward_matches_central_differences(name):
    rng = np.random.default_rng(1)
    z, delta = draw_z(rng), rng.normal(size=(N_ROWS, N_OUTPUTS))
    check_activation(OUTPUT_ACTIVATIONS[name](), z, delta)


@by_output_activation
def test_activation_supports_in_place_forward_unless_it_needs_z(name):
    activation, z = OUTPUT_ACTIVATIONS[name](), draw_z(np.random.default_rng(2))
    expected, out = forward(activation, z), z.copy()
    if activation.needs_z:
        activation.forward(out, np.empty_like(out))
        np.testing.assert_array_equal(out, z)
    else:
        activation.forward(out, out)
        np.testing.assert_array_equal(out, expected)


@by_output_activation
def test_activation_computes_in_float32(name):
    rng = np.random.default_rng(3)
    activation = OUTPUT_ACTIVATIONS[name]()
    z, delta = draw_z(rng), rng.normal(size=(N_ROWS, N_OUTPUTS))
    z32, delta32 = (x.astype(np.float32).view(Float32Only) for x in (z, delta))
    assert_close_to_float64(forward(activation, z32), forward(activation, z))
    assert_close_to_float64(
        backward(activation, z32, delta32), backward(activation, z, delta)
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", sorted(set(OUTPUT_ACTIVATIONS) - {"exp"}))
def test_saturated_activations_are_finite(name, dtype):
    z = np.array([[-1e4, 1e4, 0.0], [-100.0, 100.0, 90.0]], dtype)
    activation = OUTPUT_ACTIVATIONS[name]()
    assert np.isfinite(forward(activation, z)).all()
    assert np.isfinite(backward(activation, z, np.ones_like(z))).all()


@by_output_activation
def test_positive_attribute_matches_sign_of_outputs(name):
    a = forward(OUTPUT_ACTIVATIONS[name](), draw_z(np.random.default_rng(4)))
    assert OUTPUT_ACTIVATIONS[name].positive == (a > 0).all()


def test_relu_derivative_is_zero_at_zero():
    z = np.zeros((1, 1))
    assert backward(ACTIVATIONS["relu"](), z, np.ones((1, 1))) == 0.0


# --------------------------------------------------------------------------- losses


@by_loss
def test_loss_matches_formula(name):
    rng = np.random.default_rng(5)
    y, a = draw_targets(rng, name), draw_outputs(rng, name)
    np.testing.assert_allclose(
        value(LOSSES[name](), y, a), LOSS_FORMULAS[name](y, a), rtol=1e-12, atol=1e-14
    )


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("weighting", ["unweighted", "weighted"])
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        *((name, {}) for name in sorted(LOSSES)),
        ("quantile", {"quantile": 0.05}),
        ("quantile", {"quantile": (0.05, 0.7)}),
    ],
)
def test_loss_total_is_sum_of_values(name, settings, weighting, order):
    rng = np.random.default_rng(22)
    loss = LOSSES[name](**settings)
    y, a = draw_targets(rng, name), draw_outputs(rng, name)
    weight = rng.random(N_ROWS) if weighting == "weighted" else None
    values = value(loss, y, a)
    expected = values.sum() if weight is None else (values.T @ weight).sum()
    z = logit(a) if name == "binary_log_loss" else np.full_like(a, np.nan)
    y, a, z, scratch = (np.array(x, order=order) for x in (y, a, z, z))
    total = loss.total(y, a, z, scratch, weight)
    assert total == pytest.approx(expected, rel=1e-12)


@by_loss
def test_loss_gradient_matches_central_differences(name):
    rng = np.random.default_rng(6)
    check_loss(LOSSES[name](), draw_targets(rng, name), draw_outputs(rng, name))


@pytest.mark.parametrize(
    "loss",
    [
        Huber(0.3),
        Huber(2.5),
        Quantile(0.05),
        Quantile(0.8),
        Quantile((0.05, 0.5, 0.8)),
    ],
    ids=str,
)
def test_loss_gradient_with_settings(loss):
    rng = np.random.default_rng(7)
    y, a = 2.0 * rng.normal(size=(2, 20, 3))
    check_loss(loss, y, a)


def test_quantile_loss_is_asymmetric():
    y, a = np.array([[3.0, -3.0]]), np.zeros((1, 2))
    np.testing.assert_allclose(value(Quantile(0.9), y, a), [[2.7, 0.3]])
    np.testing.assert_allclose(gradient(Quantile(0.9), y, a), [[-0.9, 0.1]])


def test_each_output_has_its_own_quantile():
    y, a = np.array([[3.0, 3.0, -3.0]]), np.zeros((1, 3))
    several = Quantile((0.1, 0.9, 0.9))
    np.testing.assert_allclose(value(several, y, a), [[0.3, 2.7, 0.3]])
    np.testing.assert_allclose(gradient(several, y, a), [[-0.1, -0.9, 0.1]])


def test_huber_is_linear_beyond_delta():
    y, a = np.zeros((1, 3)), np.array([[-5.0, 0.5, 2.0]])
    np.testing.assert_allclose(value(Huber(2.0), y, a), [[8.0, 0.125, 2.0]])
    np.testing.assert_allclose(gradient(Huber(2.0), y, a), [[-2.0, 0.5, 2.0]])


@pytest.mark.parametrize("name", ["absolute_error", "quantile"])
def test_loss_gradient_is_zero_at_kink(name):
    y = np.array([[1.5, -2.0]])
    np.testing.assert_array_equal(gradient(LOSSES[name](), y, y.copy()), [[0.0, 0.0]])


@pytest.mark.parametrize("name", [n for n, loss in LOSSES.items() if loss.canonical])
def test_canonical_output_error_is_residual(name):
    rng = np.random.default_rng(8)
    loss, activation = LOSSES[name](), LOSSES[name].canonical()
    y, z = draw_targets(rng, name), draw_z(rng)
    a = forward(activation, z)
    error = backward(activation, z, gradient(loss, y, a))
    np.testing.assert_allclose(error, a - y, rtol=1e-12, atol=1e-14)


def test_binary_log_loss_is_exact_for_saturated_outputs():
    y, z, out = np.array([[0.0, 1.0]]), np.array([[800.0, 800.0]]), np.empty((1, 2))
    LOSSES["binary_log_loss"]().value(y, expit(z), z, out)
    np.testing.assert_array_equal(out, [[800.0, 0.0]])


def test_log_loss_is_finite_for_zero_probability():
    y, a = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    np.testing.assert_allclose(
        value(LOSSES["log_loss"](), y, a), [[-np.log(np.finfo(float).tiny), 0.0]]
    )


@by_loss
def test_loss_computes_in_float32(name):
    rng = np.random.default_rng(9)
    y, a, loss = draw_targets(rng, name), draw_outputs(rng, name), LOSSES[name]()
    y32, a32 = (x.astype(np.float32).view(Float32Only) for x in (y, a))
    assert_close_to_float64(value(loss, y32, a32), value(loss, y, a))
    assert_close_to_float64(gradient(loss, y32, a32), gradient(loss, y, a))


# ------------------------------------------------------------------- whole networks


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("loss", sorted(LOSSES))
@pytest.mark.parametrize("hidden", sorted(ACTIVATIONS))
def test_network_gradient_with_hidden_layers(hidden, loss, weighting):
    rng = np.random.default_rng(10)
    output = OUTPUT_ACTIVATIONS[default_output(loss)]()
    for depth, sparse in product((1, 2), (False, True)):
        samples = draw_problem(rng, loss, weighting, sparse)
        layers = [ACTIVATIONS[hidden]() for _ in range(depth)]
        check_network(
            make_objective(rng, samples, LOSSES[loss](), layers, output), samples
        )


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize(
    ("loss", "output"),
    [
        (loss, output)
        for loss, output in product(LOSSES, sorted(OUTPUT_ACTIVATIONS))
        if LOSSES[loss]().accepts(OUTPUT_ACTIVATIONS[output]())
    ],
)
def test_network_gradient_with_each_accepted_output_activation(loss, output, weighting):
    rng = np.random.default_rng(11)
    for hidden, sparse in product(([], [Tanh()]), (False, True)):
        samples = draw_problem(rng, loss, weighting, sparse)
        output_activation = OUTPUT_ACTIVATIONS[output]()
        check_network(
            make_objective(rng, samples, LOSSES[loss](), hidden, output_activation),
            samples,
        )


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_network_gradient_with_non_crossing_quantiles(weighting):
    rng = np.random.default_rng(18)
    for hidden, sparse in product(([], [Tanh()]), (False, True)):
        samples = draw_problem(rng, "quantile", weighting, sparse)
        loss, increasing = Quantile((0.2, 0.9)), OUTPUT_ACTIVATIONS["increasing"]()
        check_network(make_objective(rng, samples, loss, hidden, increasing), samples)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@by_loss
def test_cost_and_gradient_match_reference_equations(name, weighting):
    rng = np.random.default_rng(12)
    samples = draw_problem(rng, name, weighting)
    output = default_output(name)
    objective = make_objective(
        rng, samples, LOSSES[name](), [Tanh()], OUTPUT_ACTIVATIONS[output]()
    )
    params = objective.network.params.copy()
    weight = np.ones(N_ROWS) if samples.weight is None else samples.weight

    def reference_cost():
        W1, W2, b1, b2 = np.split(params, np.cumsum([N_INPUTS * 4, 4 * N_OUTPUTS, 4]))
        W1, W2 = W1.reshape(N_INPUTS, 4), W2.reshape(4, N_OUTPUTS)
        a = ACTIVATION_FORMULAS[output](np.tanh(samples.X @ W1 + b1) @ W2 + b2)
        losses = LOSS_FORMULAS[name](samples.targets, a).sum(axis=1)
        penalty = ALPHA / 2 * ((W1**2).sum() + (W2**2).sum())
        return (weight @ losses + penalty) / N_ROWS

    cost, computed = make_cost_and_gradient(objective, samples)()
    np.testing.assert_allclose(cost, reference_cost(), rtol=1e-12)
    assert_gradient(computed, central_differences(params, reference_cost))


def test_zero_weight_samples_do_not_affect_cost_or_gradient():
    rng = np.random.default_rng(13)
    samples = draw_problem(rng, "squared_error", "some weights zero")
    objective = make_objective(rng, samples, SquaredError(), [Tanh()], Tanh())
    before = make_cost_and_gradient(objective, samples)()
    samples.X[samples.weight == 0] = 5.0
    samples.targets[samples.weight == 0] = -5.0
    after = make_cost_and_gradient(objective, samples)()
    np.testing.assert_allclose(after[0], before[0], rtol=1e-14)
    np.testing.assert_allclose(after[1], before[1], rtol=1e-12, atol=1e-15)


def test_network_gradient_computes_in_float32():
    rng = np.random.default_rng(14)
    samples = draw_problem(rng, "squared_error", "weighted")
    objective = make_objective(rng, samples, SquaredError(), [Tanh()], Tanh())
    network32 = Network(objective.network.sizes, (Tanh(), Tanh()), np.float32)
    network32.params[...] = objective.network.params
    single = Samples(
        *(x.astype(np.float32) for x in (samples.X, samples.targets)),
        weight=samples.weight.astype(np.float32),
    )
    objective32 = Objective(network32, SquaredError(), ALPHA)
    cost, computed = make_cost_and_gradient(objective32, single)()
    expected_cost, expected = make_cost_and_gradient(objective, samples)()
    np.testing.assert_allclose(cost, expected_cost, rtol=1e-5)
    assert_close_to_float64(computed, expected)


# ----------------------------------------------------- the checks detect wrong code


def tanh_derivative_without_square(self, delta, a, z, scratch):
    delta *= 1.0 - a


def gradient_with_wrong_sign(self, y, a, out):
    np.subtract(y, a, out=out)


def test_check_activation_detects_wrong_derivative(monkeypatch):
    z = draw_z(np.random.default_rng(15))
    check_activation(Tanh(), z, np.ones_like(z))
    monkeypatch.setattr(Tanh, "backward", tanh_derivative_without_square)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        check_activation(Tanh(), z, np.ones_like(z))


def test_check_loss_detects_wrong_sign(monkeypatch):
    y, a = np.random.default_rng(16).normal(size=(2, N_ROWS, N_OUTPUTS))
    check_loss(SquaredError(), y, a)
    monkeypatch.setattr(SquaredError, "gradient", gradient_with_wrong_sign)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        check_loss(SquaredError(), y, a)


@pytest.mark.parametrize(
    ("owner", "method", "wrong"),
    [
        (Tanh, "backward", tanh_derivative_without_square),
        (SquaredError, "gradient", gradient_with_wrong_sign),
        (
            Objective,
            "penalize",
            lambda self, weights, grad, n_rows, scratch: self.penalty(n_rows),
        ),
    ],
    ids=["activation", "loss", "penalty"],
)
@pytest.mark.usefixtures("_numpy_kernels")
def test_check_network_detects_wrong_code(monkeypatch, owner, method, wrong):
    rng = np.random.default_rng(17)
    samples = draw_problem(rng, "squared_error")
    objective = make_objective(rng, samples, SquaredError(), [Tanh()], Tanh())
    check_network(objective, samples)
    monkeypatch.setattr(owner, method, wrong)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        check_network(objective, samples)


def test_float32_only_detects_float64_scalar():
    x = np.ones((2, 2), np.float32).view(Float32Only)
    np.multiply(x, 0.5, out=x)
    with pytest.raises(AssertionError, match="in float64"):
        np.multiply(x, np.float64(0.5), out=x)


def test_all_activations_and_losses_have_a_formula():
    assert set(ACTIVATION_FORMULAS) == set(OUTPUT_ACTIVATIONS)
    assert set(LOSS_FORMULAS) == set(LOSSES)


def test_several_quantiles_only_accept_increasing_outputs():
    several = Quantile((0.1, 0.9))
    accepted = [n for n, f in OUTPUT_ACTIVATIONS.items() if several.accepts(f())]
    assert accepted == ["increasing"]
    assert all(Quantile(0.1).accepts(f()) for f in OUTPUT_ACTIVATIONS.values())


def test_binary_log_loss_rejects_subclass_of_sigmoid():
    # The loss is computed from z, and a subclass may map z to other outputs.
    class Steep(Sigmoid):
        pass

    assert BinaryLogLoss().accepts(Sigmoid())
    assert not BinaryLogLoss().accepts(Steep())
