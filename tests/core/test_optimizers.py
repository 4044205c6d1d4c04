"""Compare all optimizers with their published formulas."""

from itertools import pairwise

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from skbackprop import BackpropRegressor
from skbackprop.core.optimizers import OPTIMIZERS, SGD, Adam, AdamW, RMSProp

RATE = 0.05

by_optimizer = pytest.mark.parametrize("name", sorted(OPTIMIZERS))


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


def run(optimizer, w, gradient, n_steps, rate=RATE, dtype=np.float64, kind=np.ndarray):
    """Yield the parameters after each step along ``-gradient(w)``."""
    params = np.array(w, dtype).view(kind)
    slots = np.zeros((optimizer.slots, params.size), dtype).view(kind)
    for t in range(1, n_steps + 1):
        # The content of the scratch array must not affect the result.
        scratch = np.full_like(params, np.nan)
        grad = np.array(gradient(np.asarray(params)), dtype).view(kind)
        optimizer.step(params, grad, slots, scratch, rate, t)
        yield np.array(params)


# --------------------------------------------------------------- reference formulas


def sgd(w, gradient, rate):
    while True:
        w = w - rate * gradient(w)
        yield w


def momentum(w, gradient, rate, mu):
    """Sutskever et al. (2013), equations 1 and 2."""
    v = np.zeros_like(w)
    while True:
        v = mu * v - rate * gradient(w)
        w = w + v
        yield w


def nesterov(w, gradient, rate, mu):
    """Sutskever et al. (2013), equations 3 and 4, with the lookahead gradient.

    The network stores the lookahead point ``theta + mu v``, so the gradient at its
    parameters is the gradient in the equations.
    """
    v, theta = np.zeros_like(w), w
    while True:
        v = mu * v - rate * gradient(theta + mu * v)
        theta = theta + v
        yield theta + mu * v


def adam(w, gradient, rate, beta_1, beta_2, epsilon):
    """Kingma and Ba (2015), end of section 2: bias correction in the rate."""
    m, v, t = np.zeros_like(w), np.zeros_like(w), 0
    while True:
        g, t = gradient(w), t + 1
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        rate_t = rate * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
        w = w - rate_t * m / (np.sqrt(v) + epsilon)
        yield w


def adam_algorithm_1(w, gradient, rate, beta_1, beta_2):
    """Kingma and Ba (2015), algorithm 1, with m_hat and v_hat; epsilon is zero."""
    m, v, t = np.zeros_like(w), np.zeros_like(w), 0
    while True:
        g, t = gradient(w), t + 1
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        m_hat, v_hat = m / (1 - beta_1**t), v / (1 - beta_2**t)
        w = w - rate * m_hat / np.sqrt(v_hat)
        yield w


def rmsprop(w, gradient, rate, beta_2, epsilon):
    v = np.zeros_like(w)
    while True:
        g = gradient(w)
        v = beta_2 * v + (1 - beta_2) * g**2
        w = w - rate * g / (np.sqrt(v) + epsilon)
        yield w


FORMULAS = [
    (SGD(momentum=0), sgd, ()),
    (SGD(0.9, nesterovs_momentum=False), momentum, (0.9,)),
    (SGD(0.9, nesterovs_momentum=True), nesterov, (0.9,)),
    (SGD(0.5, nesterovs_momentum=True), nesterov, (0.5,)),
    (Adam(), adam, (0.9, 0.999, 1e-8)),
    (Adam(0.0, 0.9, 0.1), adam, (0.0, 0.9, 0.1)),
    (Adam(0.7, 0.0, 1e-3), adam, (0.7, 0.0, 1e-3)),
    (Adam(0.8, 0.99, 1e-30), adam_algorithm_1, (0.8, 0.99)),
    (AdamW(0.8, 0.95, 1e-4), adam, (0.8, 0.95, 1e-4)),
    (RMSProp(), rmsprop, (0.999, 1e-8)),
    (RMSProp(0.9, 0.1), rmsprop, (0.9, 0.1)),
]

# A convex quadratic; its largest curvature is ten times its smallest.
CURVATURES = np.array([1.0, 0.3, 0.1])
MINIMUM = np.array([2.0, -1.0, 0.5])
START = np.array([-1.0, 3.0, -2.0])


def quadratic_gradient(w):
    return CURVATURES * (w - MINIMUM)


@pytest.mark.parametrize(
    ("optimizer", "formula", "settings"),
    FORMULAS,
    ids=lambda x: getattr(x, "__name__", x),
)
def test_steps_match_formula(optimizer, formula, settings):
    expected = formula(START, quadratic_gradient, RATE, *settings)
    for w in run(optimizer, START, quadratic_gradient, n_steps=12):
        np.testing.assert_allclose(w, next(expected), rtol=1e-12)


FIRST_STEPS = {
    "sgd without momentum": (SGD(momentum=0), lambda g: g),
    "momentum starts with zero velocity": (
        SGD(0.9, nesterovs_momentum=False),
        lambda g: g,
    ),
    "nesterov includes lookahead": (SGD(0.9), lambda g: 1.9 * g),
    "adam uses the sign": (Adam(), np.sign),
    "adamw uses the sign": (AdamW(), np.sign),
    "rmsprop scales the sign": (RMSProp(0.99), lambda g: 10.0 * np.sign(g)),
}


@pytest.mark.parametrize("case", FIRST_STEPS)
def test_first_step_in_closed_form(case):
    optimizer, direction = FIRST_STEPS[case]
    (w,) = run(optimizer, START, quadratic_gradient, n_steps=1)
    np.testing.assert_allclose(
        START - w, RATE * direction(quadratic_gradient(START)), rtol=1e-5
    )


@by_optimizer
def test_zero_gradient_does_not_change_parameters(name):
    for w in run(OPTIMIZERS[name](), START, np.zeros_like, n_steps=3):
        np.testing.assert_array_equal(w, START)


@by_optimizer
def test_all_optimizers_minimize_convex_quadratic(name):
    rates = {"sgd": 0.1}
    *_, w = run(
        OPTIMIZERS[name](), START, quadratic_gradient, 3000, rates.get(name, 0.01)
    )
    np.testing.assert_allclose(w, MINIMUM, atol=0.01)


def test_gradient_descent_on_parabola():
    # y = x^2 - 4x + 6 from x = 8 at rate 0.1: x_t - 2 = 6 (1 - 2 x 0.1)^t.
    path = list(run(SGD(momentum=0), [8.0], lambda x: 2.0 * x - 4.0, 40, rate=0.1))
    expected = 2.0 + 6.0 * 0.8 ** np.arange(1, 41)
    np.testing.assert_allclose(np.ravel(path), expected, rtol=1e-13)
    assert round(path[-1].item(), 2) == 2.00


@pytest.mark.parametrize(
    "optimizer",
    [
        *(optimizer() for optimizer in OPTIMIZERS.values()),
        SGD(0),
        SGD(nesterovs_momentum=False),
    ],
    ids=str,
)
def test_optimizers_compute_in_float32(optimizer):
    single = run(
        optimizer, START, quadratic_gradient, 5, dtype=np.float32, kind=Float32Only
    )
    for w32, w in zip(
        single, run(optimizer, START, quadratic_gradient, 5), strict=True
    ):
        assert w32.dtype == np.float32
        np.testing.assert_allclose(w32, w, rtol=1e-5, atol=1e-6)


def test_number_of_state_slots():
    assert SGD(momentum=0).slots == 0
    assert [SGD().slots, Adam().slots, AdamW().slots, RMSProp().slots] == [1, 2, 2, 1]


# ---------------------------------------------------------------- in the estimators


def linear_problem():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 3))
    return X, X @ [1.0, -2.0, 0.5] + 3.0 + 0.1 * rng.normal(size=20)


def linear_net(solver, alpha, n_epochs=1, **params):
    """Return a linear regressor that was fitted with one batch per epoch."""
    X, y = linear_problem()
    params |= dict(standardize=False, max_iter=n_epochs, random_state=0)
    net = BackpropRegressor((), solver=solver, alpha=alpha, **params)
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        net.fit(X, y)
    return net


def flat_params(net):
    return np.append(net.coefs_[0].ravel(), net.intercepts_[0])


def initial_params():
    bound = np.sqrt(6.0 / 4.0)
    return np.random.RandomState(0).uniform(-bound, bound, 4)


def linear_gradient(w):
    X, y = linear_problem()
    residuals = X @ w[:3] + w[3] - y
    return np.append(X.T @ residuals, residuals.sum()) / len(X)


def linear_loss(w):
    X, y = linear_problem()
    return ((X @ w[:3] + w[3] - y) ** 2).mean() / 2


ESTIMATORS = {
    "sgd": (dict(momentum=0.8), nesterov, (0.8,)),
    "adam": (dict(beta_1=0.8, beta_2=0.9), adam, (0.8, 0.9, 1e-8)),
    "adamw": (dict(epsilon=1e-3), adam, (0.9, 0.999, 1e-3)),
    "rmsprop": (dict(beta_2=0.9, epsilon=1e-3), rmsprop, (0.9, 1e-3)),
}


@by_optimizer
def test_estimator_steps_match_formula(name):
    params, formula, settings = ESTIMATORS[name]
    net = linear_net(name, alpha=0, n_epochs=4, learning_rate_init=RATE, **params)
    path = formula(initial_params(), linear_gradient, RATE, *settings)
    weights = [initial_params(), *(next(path) for _ in range(4))]
    np.testing.assert_allclose(flat_params(net), weights[-1], rtol=1e-12)
    losses = [linear_loss(w) for w in weights[:-1]]
    np.testing.assert_allclose(net.loss_curve_, losses, rtol=1e-12)


def test_adamw_decays_weights_but_not_biases():
    alpha, n_steps = 3.0, 5
    net = linear_net("adamw", alpha, n_steps, learning_rate_init=RATE)
    w, m, v = initial_params(), np.zeros(4), np.zeros(4)
    losses = []
    for t in range(1, n_steps + 1):
        losses.append(linear_loss(w))
        g = linear_gradient(w)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        rate_t = RATE * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        w = w * [*[1 - RATE * alpha] * 3, 1.0] - rate_t * m / (np.sqrt(v) + 1e-8)
    np.testing.assert_allclose(flat_params(net), w, rtol=1e-12)
    np.testing.assert_allclose(net.loss_curve_, losses, rtol=1e-12)


@pytest.mark.parametrize("name", sorted(set(OPTIMIZERS) - {"adamw"}))
def test_other_optimizers_add_penalty_to_gradient(name):
    alpha = 3.0
    params, formula, settings = ESTIMATORS[name]
    net = linear_net(name, alpha, n_epochs=3, learning_rate_init=RATE, **params)

    def gradient_with_penalty(w):
        return linear_gradient(w) + alpha / 20 * w * [1, 1, 1, 0]

    path = formula(initial_params(), gradient_with_penalty, RATE, *settings)
    weights = [initial_params(), next(path), next(path), next(path)]
    np.testing.assert_allclose(flat_params(net), weights[-1], rtol=1e-12)
    costs = [linear_loss(w) + alpha / 40 * (w[:3] ** 2).sum() for w in weights[:-1]]
    np.testing.assert_allclose(net.loss_curve_, costs, rtol=1e-12)


@by_optimizer
def test_partial_fit_keeps_optimizer_state(name):
    X, y = linear_problem()
    params = dict(learning_rate_init=RATE, alpha=0.5)
    raw = dict(standardize=False, random_state=0)
    net = BackpropRegressor((), solver=name, **raw, **params)
    path = [flat_params(net.partial_fit(X, y)) for _ in range(4)]
    whole = linear_net(name, n_epochs=4, **params)
    np.testing.assert_array_equal(path[-1], flat_params(whole))
    assert all((before != after).all() for before, after in pairwise(path))


def test_all_optimizers_have_a_formula():
    assert {type(optimizer) for optimizer, *_ in FORMULAS} == set(OPTIMIZERS.values())
    assert set(ESTIMATORS) == set(OPTIMIZERS)
