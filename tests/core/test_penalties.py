"""Penalties on the weights, L1 beside L2, and limits to their norms."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.linear_model import ElasticNet, Lasso, Ridge
from small_fits import error_of
from small_networks import (
    ESTIMATORS,
    NUMBERS,
    WEIGHT,
    X,
    assert_same_network,
    regressor,
    small,
)
from test_gradients import (
    WEIGHTINGS,
    check_network,
    default_output,
    draw_problem,
    evaluator,
)

from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop.core.activations import OUTPUT_ACTIVATIONS, Tanh
from skbackprop.core.losses import LOSSES
from skbackprop.core.network import Network
from skbackprop.core.objective import Objective
from skbackprop.core.optimizers import OPTIMIZERS

cut_short = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
by_solver = pytest.mark.parametrize("solver", sorted(OPTIMIZERS))

STILL = 1e-300  # a learning rate that moves nothing


def objective_of(samples, loss, alpha, l1_alpha, seed=0):
    output = OUTPUT_ACTIVATIONS[default_output(loss)]()
    network = Network((3, 4, 2), (Tanh(), output), np.float64)
    network.params[...] = 0.5 * np.random.default_rng(seed).normal(
        size=network.params.size
    )
    mean_weight = samples.mean_weight
    return Objective(network, LOSSES[loss](), alpha, mean_weight, 1, l1_alpha)


# ------------------------------------------------------------ the cost, its gradient


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("alpha", [0.0, 0.7])
@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_gradient_with_an_l1_penalty(loss, alpha, weighting, sparse):
    samples = draw_problem(np.random.default_rng(0), loss, weighting, sparse)
    check_network(objective_of(samples, loss, alpha, 1.3), samples)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("alpha", [0.0, 0.7])
def test_penalty_is_what_its_formula_says_and_leaves_biases_alone(alpha, weighting):
    samples = draw_problem(np.random.default_rng(0), "huber", weighting)
    free, bound = (
        objective_of(samples, "huber", *strengths)
        for strengths in ((0.0, 0.0), (alpha, 1.3))
    )
    (cost, gradient), (more, steeper) = (evaluator(o, samples)() for o in (free, bound))
    weights = np.concatenate([W.ravel() for W in bound.network.weights])
    n = weights.size
    total = len(samples) if samples.weight is None else samples.weight.sum()
    formula = alpha / 2 * (weights**2).sum() + 1.3 * np.abs(weights).sum()
    np.testing.assert_allclose(more - cost, formula / total, rtol=1e-12)
    slopes = (alpha * weights + 1.3 * np.sign(weights)) / total
    np.testing.assert_allclose(steeper[:n] - gradient[:n], slopes, rtol=1e-12)
    np.testing.assert_array_equal(steeper[n:], gradient[n:])
    assert bound.has_penalty
    assert not free.has_penalty


def test_slope_of_the_l1_penalty_is_zero_at_zero():
    samples = draw_problem(np.random.default_rng(0), "huber")
    free, bound = (objective_of(samples, "huber", 0.0, a) for a in (0.0, 1.3))
    for objective in (free, bound):
        objective.network.weights[0][...] = 0.0
    gradients = [evaluator(o, samples)()[1][:12] for o in (free, bound)]
    np.testing.assert_array_equal(*gradients)


@pytest.mark.parametrize("solver", sorted(set(OPTIMIZERS) - {"adamw"}))
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["alike", "weighted"])
@cut_short
def test_the_loss_reported_holds_both_penalties(solver, weight):
    # Batches of 40, 40 and 10 rows; each is penalised by its number of rows.
    net = regressor(
        solver=solver,
        alpha=0.3,
        l1_alpha=0.7,
        batch_size=40,
        standardize=False,
        learning_rate_init=STILL,
        max_iter=1,
    ).fit(X, NUMBERS, sample_weight=weight)
    weights = np.concatenate([W.ravel() for W in net.coefs_])
    penalty = 0.3 / 2 * (weights**2).sum() + 0.7 * np.abs(weights).sum()
    mean_weight = 1.0 if weight is None else weight.mean()
    losses = (NUMBERS - net.predict(X)) ** 2 / 2
    expected = np.average(losses, weights=weight) + 3 * penalty / (90 * mean_weight)
    np.testing.assert_allclose(net.loss_, expected, rtol=1e-12)


# --------------------------------------------------------------- how it is descended

W0 = np.array([[0.5], [-0.2], [0.1], [-0.4]])
B0 = np.array([0.3])


def one_step(solver, y=NUMBERS, weight=None, rate=0.05, **params):
    """Return weights and bias after one step down the whole of a linear network."""
    net = BackpropRegressor(
        (),
        solver=solver,
        standardize=False,
        momentum=0.0,
        learning_rate_init=rate,
        batch_size=len(X),
        random_state=0,
        max_iter=1,
        **{"alpha": 0.0, **params},
    ).fit(X, y, sample_weight=weight, coefs_init=[W0], intercepts_init=[B0])
    return net.coefs_[0], net.intercepts_[0]


def slopes_of_loss():
    error = (X @ W0 + B0)[:, 0] - NUMBERS
    return (X.T @ error / 90)[:, np.newaxis], error.mean()


@cut_short
def test_a_step_of_plain_descent():
    W, b = one_step("sgd", alpha=3.0, l1_alpha=7.0)
    dW, db = slopes_of_loss()
    np.testing.assert_allclose(
        W, W0 - 0.05 * (dW + (3.0 * W0 + 7.0 * np.sign(W0)) / 90), rtol=1e-12
    )
    np.testing.assert_allclose(b, B0 - 0.05 * db, rtol=1e-12)


@cut_short
def test_decay_of_adamw_stands_beside_the_l1_penalty():
    # The first step of Adam has the length of the rate, in the direction of -g.
    dW, db = slopes_of_loss()
    g = dW + 7.0 * np.sign(W0) / 90
    W, b = one_step("adamw", alpha=0.4, l1_alpha=7.0, epsilon=1e-30)
    np.testing.assert_allclose(W, (1 - 0.05 * 0.4) * W0 - 0.05 * np.sign(g), rtol=1e-12)
    np.testing.assert_allclose(b, B0 - 0.05 * np.sign(db), rtol=1e-12)


@pytest.mark.parametrize(
    ("l1_alpha", "max_norm"), [(0.8, None), (0.0, 0.5), (0.8, 0.5)]
)
@cut_short
def test_plain_descent_on_sparse_input_equals_dense(l1_alpha, max_norm):
    rng = np.random.default_rng(1)
    few = np.where(rng.random(X.shape) < 0.3, X, 0.0)
    few[:, 2] = 0.0  # touched by nothing but the penalty
    nets = [
        regressor(
            solver="sgd",
            momentum=0.0,
            alpha=0.5,
            l1_alpha=l1_alpha,
            max_norm=max_norm,
            batch_size=16,
            standardize=False,
            max_iter=5,
        ).fit(rows, NUMBERS)
        for rows in (few, csr_array(few))
    ]
    for name in ("coefs_", "intercepts_"):
        for dense, sparse in zip(*(getattr(net, name) for net in nets)):
            np.testing.assert_allclose(sparse, dense, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(nets[1].loss_curve_, nets[0].loss_curve_, rtol=1e-12)


def lasso_like(**params):
    return BackpropRegressor(
        (),
        solver="sgd",
        standardize=False,
        batch_size=90,
        learning_rate="cosine",
        learning_rate_init=0.1,
        max_iter=3000,
        random_state=0,
        **params,
    )


@pytest.fixture(scope="module")
def wide():
    """Return inputs of which two speak for the target, and ten do not."""
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(90, 12))
    return rows, rows[:, 0] - 2.0 * rows[:, 1] + 0.3 * rng.normal(size=90)


@pytest.mark.parametrize(
    ("oracle", "params"),
    [
        (Lasso(0.1, tol=1e-10), {"l1_alpha": 9.0, "alpha": 0.0}),
        (ElasticNet(0.2, l1_ratio=0.7, tol=1e-10), {"l1_alpha": 12.6, "alpha": 5.4}),
    ],
    ids=["lasso", "elastic net"],
)
def test_linear_networks_are_those_of_scikit_learn(wide, oracle, params):
    # 1/(2n) ||y - Xw||^2 + a r |w|_1 + a (1 - r)/2 ||w||^2, with n = 90.
    net = lasso_like(**params).fit(*wide)
    oracle.fit(*wide)
    np.testing.assert_allclose(net.coefs_[0][:, 0], oracle.coef_, atol=1e-4)
    np.testing.assert_allclose(net.intercepts_[0], oracle.intercept_, atol=1e-4)
    idle = oracle.coef_ == 0.0
    assert idle.sum() >= 6
    assert abs(net.coefs_[0][idle, 0]).max() < 1e-4


def test_l1_silences_inputs_that_l2_only_turns_down(wide):
    l1 = lasso_like(l1_alpha=9.0, alpha=0.0).fit(*wide).coefs_[0][:, 0]
    l2 = lasso_like(alpha=9.0).fit(*wide).coefs_[0][:, 0]
    np.testing.assert_allclose(l2, Ridge(9.0).fit(*wide).coef_, atol=1e-8)
    silenced, turned_down = abs(l1[2:]), abs(l2[2:])
    assert np.median(silenced) < 1e-4 < 1e-2 < np.median(turned_down)
    assert abs(l1[:2]).min() > 0.8


@ESTIMATORS
@cut_short
def test_partial_fits_equal_one_fit(make, y):
    limits = dict(l1_alpha=0.5, max_norm=0.6, standardize=False, batch_size=16)
    whole = small(make, max_iter=3, **limits).fit(X, y)
    parts = small(make, **limits)
    kwargs = {"classes": [0, 1, 2]} if make is BackpropClassifier else {}
    for _ in range(3):
        parts.partial_fit(X, y, **kwargs)
    assert_same_network(whole, parts)
    assert whole.loss_curve_ == parts.loss_curve_
    free = small(make, max_iter=3, **{**limits, "l1_alpha": 0.0}).fit(X, y)
    assert (free.coefs_[0] != whole.coefs_[0]).any()


# -------------------------------------------------------------------- norms of units


def unit_norms(net):
    return np.concatenate([np.linalg.norm(W, axis=0) for W in net.coefs_])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("early_stopping", [False, True])
@by_solver
@ESTIMATORS
@cut_short
def test_no_unit_has_weights_longer_than_max_norm(
    make, y, solver, early_stopping, dtype
):
    net = small(
        make,
        solver=solver,
        max_norm=0.4,
        max_iter=3,
        batch_size=16,
        dtype=dtype,
        early_stopping=early_stopping,
        validation_fraction=0.2,
    )
    rounding = 4 * np.finfo(dtype).eps
    for fitted in (
        net.fit(X, y),
        net.set_params(early_stopping=False).partial_fit(X, y),
    ):
        norms = unit_norms(fitted)
        assert norms.max() <= 0.4 * (1 + rounding)
        assert np.isclose(norms, 0.4, rtol=rounding).any()
        assert all(W.dtype == dtype for W in fitted.coefs_)
        net.set_params(early_stopping=False)


@by_solver
@ESTIMATORS
@cut_short
def test_a_limit_beyond_reach_changes_no_bit(make, y, solver):
    free, bound = (
        small(make, solver=solver, max_iter=3, max_norm=limit).fit(X, y)
        for limit in (None, 1e3)
    )
    assert_same_network(free, bound)


@pytest.mark.parametrize("clip_norm", [None, 0.8])
@cut_short
def test_weights_are_shortened_after_the_step_and_biases_are_not(clip_norm):
    labels = np.column_stack([NUMBERS, 3.0 * X[:, 2] + 5.0])
    start, b = np.random.default_rng(0).normal(size=(4, 2)), np.array([2.0, -3.0])
    start[:, 1] *= 0.1
    net = BackpropRegressor(
        (),
        solver="sgd",
        momentum=0.0,
        alpha=0.0,
        standardize=False,
        batch_size=90,
        learning_rate_init=0.1,
        clip_norm=clip_norm,
        max_norm=1.1,
        max_iter=1,
    ).fit(X, labels, coefs_init=[start], intercepts_init=[b])
    error = X @ start + b - labels
    dW, db = X.T @ error / 90, error.mean(axis=0)
    norm = np.sqrt((dW**2).sum() + (db**2).sum())
    if clip_norm:
        assert norm > clip_norm
        dW, db = dW * clip_norm / norm, db * clip_norm / norm
    W = start - 0.1 * dW
    lengths = np.linalg.norm(W, axis=0)
    assert lengths[0] > 1.1 > lengths[1]  # one is shortened, the other is not
    W[:, 0] *= 1.1 / lengths[0]
    np.testing.assert_allclose(net.coefs_[0], W, rtol=1e-12)
    np.testing.assert_allclose(net.intercepts_[0], b - 0.1 * db, rtol=1e-12)


@cut_short
def test_every_layer_is_limited_unit_by_unit():
    net = small(BackpropRegressor, max_norm=0.3, max_iter=1, learning_rate_init=STILL)
    free = small(BackpropRegressor, max_iter=1, learning_rate_init=STILL)
    for params in (net, free):
        params.set_params(hidden_layer_sizes=(6, 5)).fit(X, NUMBERS)
    for W, unlimited in zip(net.coefs_, free.coefs_):
        lengths = np.linalg.norm(unlimited, axis=0)
        expected = unlimited * np.minimum(1.0, 0.3 / lengths)
        np.testing.assert_allclose(W, expected, rtol=1e-12)
    for mine, theirs in zip(net.intercepts_, free.intercepts_):
        np.testing.assert_array_equal(mine, theirs)


@cut_short
def test_weights_whose_squares_overflow_are_shortened_not_lost():
    huge = np.array([[3e30], [4e30], [0.0], [0.0]])
    net = BackpropRegressor(
        (), solver="sgd", max_norm=2.0, dtype="float32", learning_rate_init=1e-38
    ).set_params(max_iter=1, loss="absolute_error", batch_size=90, alpha=0.0)
    net.fit(X, NUMBERS, coefs_init=[huge])
    np.testing.assert_allclose(net.coefs_[0], huge / 2.5e30, rtol=1e-6)


# ------------------------------------------------------------------------ values


@pytest.mark.parametrize(
    "wrong",
    [{"l1_alpha": v} for v in (-0.1, np.nan, "much", None, [0.1])]
    + [{"max_norm": v} for v in (0, 0.0, -1.0, np.nan, "long", [1.0])],
    ids=str,
)
@ESTIMATORS
def test_wrong_values_are_refused(make, y, wrong):
    (name,) = wrong
    net = small(make, **wrong)
    error_of(lambda: net.fit(X, y), f"'{name}' parameter")
    error_of(lambda: net.partial_fit(X, y), f"'{name}' parameter")


@pytest.mark.parametrize("params", [{"l1_alpha": 0.1}, {"max_norm": 1.0}], ids=str)
@ESTIMATORS
def test_lbfgs_refuses_them(make, y, params):
    (name,) = params
    net = small(make, solver="lbfgs", **params)
    error_of(lambda: net.fit(X, y), f"{name}={params[name]}", "lbfgs")
