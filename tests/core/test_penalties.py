"""L1 and L2 penalties, and the max-norm constraint."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.linear_model import ElasticNet, Lasso, Ridge
from small_fits import error_of, ignore_convergence_warning
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
    make_cost_and_gradient,
)

from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop.core.activations import OUTPUT_ACTIVATIONS, Tanh
from skbackprop.core.losses import LOSSES
from skbackprop.core.network import Network
from skbackprop.core.objective import Objective
from skbackprop.core.optimizers import OPTIMIZERS

by_solver = pytest.mark.parametrize("solver", sorted(OPTIMIZERS))

FROZEN_RATE = 1e-300  # a learning rate that does not change the weights


def make_objective(samples, loss, alpha, l1_alpha, seed=0):
    output = OUTPUT_ACTIVATIONS[default_output(loss)]()
    network = Network((3, 4, 2), (Tanh(), output), np.float64)
    network.params[...] = 0.5 * np.random.default_rng(seed).normal(
        size=network.params.size
    )
    return Objective(network, LOSSES[loss](), alpha, 1, l1_alpha)


# --------------------------------------------------------- penalty and its gradient


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("alpha", [0.0, 0.7])
@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_network_gradient_with_l1_penalty(loss, alpha, weighting, sparse):
    samples = draw_problem(np.random.default_rng(0), loss, weighting, sparse)
    check_network(make_objective(samples, loss, alpha, 1.3), samples)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("alpha", [0.0, 0.7])
def test_penalty_matches_formula_and_excludes_biases(alpha, weighting):
    samples = draw_problem(np.random.default_rng(0), "huber", weighting)
    plain, penalized = (
        make_objective(samples, "huber", *strengths)
        for strengths in ((0.0, 0.0), (alpha, 1.3))
    )
    (cost, gradient), (penalized_cost, penalized_gradient) = (
        make_cost_and_gradient(o, samples)() for o in (plain, penalized)
    )
    weights = np.concatenate([W.ravel() for W in penalized.network.weights])
    n = weights.size
    total = samples.n_samples
    formula = alpha / 2 * (weights**2).sum() + 1.3 * np.abs(weights).sum()
    np.testing.assert_allclose(penalized_cost - cost, formula / total, rtol=1e-12)
    derivative = (alpha * weights + 1.3 * np.sign(weights)) / total
    difference = penalized_gradient - gradient
    np.testing.assert_allclose(difference[:n], derivative, rtol=1e-12)
    np.testing.assert_array_equal(penalized_gradient[n:], gradient[n:])


def test_l1_derivative_is_zero_at_zero():
    samples = draw_problem(np.random.default_rng(0), "huber")
    objectives = [make_objective(samples, "huber", 0.0, a) for a in (0.0, 1.3)]
    for objective in objectives:
        objective.network.weights[0][...] = 0.0
    gradients = [make_cost_and_gradient(o, samples)()[1][:12] for o in objectives]
    np.testing.assert_array_equal(*gradients)


@pytest.mark.parametrize("solver", sorted(set(OPTIMIZERS) - {"adamw"}))
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
@ignore_convergence_warning
def test_reported_loss_includes_both_penalties(solver, weight):
    # Batches of 40, 40 and 10 rows; each divides the penalty by its number of rows.
    net = regressor(
        solver=solver,
        alpha=0.3,
        l1_alpha=0.7,
        batch_size=40,
        standardize=False,
        learning_rate_init=FROZEN_RATE,
        max_iter=1,
    ).fit(X, NUMBERS, sample_weight=weight)
    weights = np.concatenate([W.ravel() for W in net.coefs_])
    penalty = 0.3 / 2 * (weights**2).sum() + 0.7 * np.abs(weights).sum()
    mean_weight = 1.0 if weight is None else weight.mean()
    losses = (NUMBERS - net.predict(X)) ** 2 / 2
    expected = np.average(losses, weights=weight) + 3 * penalty / (90 * mean_weight)
    np.testing.assert_allclose(net.loss_, expected, rtol=1e-12)


# -------------------------------------------------------------------------- updates

W0 = np.array([[0.5], [-0.2], [0.1], [-0.4]])
B0 = np.array([0.3])


def one_step(solver, y=NUMBERS, weight=None, rate=0.05, **params):
    """Return weights and bias of a linear network after one full-batch step."""
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


def loss_gradient():
    error = (X @ W0 + B0)[:, 0] - NUMBERS
    return (X.T @ error / 90)[:, np.newaxis], error.mean()


@ignore_convergence_warning
def test_sgd_step_with_both_penalties():
    W, b = one_step("sgd", alpha=3.0, l1_alpha=7.0)
    dW, db = loss_gradient()
    np.testing.assert_allclose(
        W, W0 - 0.05 * (dW + (3.0 * W0 + 7.0 * np.sign(W0)) / 90), rtol=1e-12
    )
    np.testing.assert_allclose(b, B0 - 0.05 * db, rtol=1e-12)


@ignore_convergence_warning
def test_adamw_step_with_weight_decay_and_l1_penalty():
    # The first step of Adam is -rate * sign(g).
    dW, db = loss_gradient()
    g = dW + 7.0 * np.sign(W0) / 90
    W, b = one_step("adamw", alpha=0.4, l1_alpha=7.0, epsilon=1e-30)
    np.testing.assert_allclose(W, (1 - 0.05 * 0.4) * W0 - 0.05 * np.sign(g), rtol=1e-12)
    np.testing.assert_allclose(b, B0 - 0.05 * np.sign(db), rtol=1e-12)


@pytest.mark.parametrize(
    ("l1_alpha", "max_norm"), [(0.8, None), (0.0, 0.5), (0.8, 0.5)]
)
@ignore_convergence_warning
def test_sgd_on_sparse_input_matches_dense_input(l1_alpha, max_norm):
    rng = np.random.default_rng(1)
    few = np.where(rng.random(X.shape) < 0.3, X, 0.0)
    few[:, 2] = 0.0  # only the penalty updates these weights
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


def make_linear_regressor(**params):
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
def sparse_regression_data():
    """Return data with two informative and ten uninformative features."""
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(90, 12))
    return rows, rows[:, 0] - 2.0 * rows[:, 1] + 0.3 * rng.normal(size=90)


@pytest.mark.parametrize(
    ("reference", "params"),
    [
        (Lasso(0.1, tol=1e-10), {"l1_alpha": 9.0, "alpha": 0.0}),
        (ElasticNet(0.2, l1_ratio=0.7, tol=1e-10), {"l1_alpha": 12.6, "alpha": 5.4}),
    ],
    ids=["lasso", "elastic net"],
)
def test_linear_network_matches_scikit_learn(sparse_regression_data, reference, params):
    # 1/(2n) ||y - Xw||^2 + a r |w|_1 + a (1 - r)/2 ||w||^2, with n = 90.
    net = make_linear_regressor(**params).fit(*sparse_regression_data)
    reference.fit(*sparse_regression_data)
    np.testing.assert_allclose(net.coefs_[0][:, 0], reference.coef_, atol=1e-4)
    np.testing.assert_allclose(net.intercepts_[0], reference.intercept_, atol=1e-4)
    is_zero = reference.coef_ == 0.0
    assert is_zero.sum() >= 6
    assert abs(net.coefs_[0][is_zero, 0]).max() < 1e-4


def test_l1_removes_features_that_l2_only_shrinks(sparse_regression_data):
    l1 = (
        make_linear_regressor(l1_alpha=9.0, alpha=0.0)
        .fit(*sparse_regression_data)
        .coefs_[0][:, 0]
    )
    l2 = make_linear_regressor(alpha=9.0).fit(*sparse_regression_data).coefs_[0][:, 0]
    np.testing.assert_allclose(
        l2, Ridge(9.0).fit(*sparse_regression_data).coef_, atol=1e-8
    )
    uninformative_l1, uninformative_l2 = abs(l1[2:]), abs(l2[2:])
    assert np.median(uninformative_l1) < 1e-4 < 1e-2 < np.median(uninformative_l2)
    assert abs(l1[:2]).min() > 0.8


@ESTIMATORS
@ignore_convergence_warning
def test_partial_fits_match_one_fit(make, y):
    params = dict(l1_alpha=0.5, max_norm=0.6, standardize=False, batch_size=16)
    whole = small(make, max_iter=3, **params).fit(X, y)
    parts = small(make, **params)
    kwargs = {"classes": [0, 1, 2]} if make is BackpropClassifier else {}
    for _ in range(3):
        parts.partial_fit(X, y, **kwargs)
    assert_same_network(whole, parts)
    assert whole.loss_curve_ == parts.loss_curve_
    without_l1 = small(make, max_iter=3, **{**params, "l1_alpha": 0.0}).fit(X, y)
    assert (without_l1.coefs_[0] != whole.coefs_[0]).any()


# -------------------------------------------------------------- max-norm constraint


def unit_norms(net):
    return np.concatenate([np.linalg.norm(W, axis=0) for W in net.coefs_])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("early_stopping", [False, True])
@by_solver
@ESTIMATORS
@ignore_convergence_warning
def test_norms_of_incoming_weights_do_not_exceed_max_norm(
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
@ignore_convergence_warning
def test_large_max_norm_has_no_effect(make, y, solver):
    unconstrained, constrained = (
        small(make, solver=solver, max_iter=3, max_norm=max_norm).fit(X, y)
        for max_norm in (None, 1e3)
    )
    assert_same_network(unconstrained, constrained)


@pytest.mark.parametrize("clip_norm", [None, 0.8])
@ignore_convergence_warning
def test_max_norm_rescales_weights_after_step_but_not_biases(clip_norm):
    targets = np.column_stack([NUMBERS, 3.0 * X[:, 2] + 5.0])
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
    ).fit(X, targets, coefs_init=[start], intercepts_init=[b])
    error = X @ start + b - targets
    dW, db = X.T @ error / 90, error.mean(axis=0)
    norm = np.sqrt((dW**2).sum() + (db**2).sum())
    if clip_norm:
        assert norm > clip_norm
        dW, db = dW * clip_norm / norm, db * clip_norm / norm
    W = start - 0.1 * dW
    lengths = np.linalg.norm(W, axis=0)
    assert lengths[0] > 1.1 > lengths[1]  # only the first is rescaled
    W[:, 0] *= 1.1 / lengths[0]
    np.testing.assert_allclose(net.coefs_[0], W, rtol=1e-12)
    np.testing.assert_allclose(net.intercepts_[0], b - 0.1 * db, rtol=1e-12)


@ignore_convergence_warning
def test_max_norm_applies_to_each_unit_of_each_layer():
    net = small(
        BackpropRegressor, max_norm=0.3, max_iter=1, learning_rate_init=FROZEN_RATE
    )
    reference = small(BackpropRegressor, max_iter=1, learning_rate_init=FROZEN_RATE)
    for model in (net, reference):
        model.set_params(hidden_layer_sizes=(6, 5)).fit(X, NUMBERS)
    for W, unconstrained in zip(net.coefs_, reference.coefs_):
        norms = np.linalg.norm(unconstrained, axis=0)
        expected = unconstrained * np.minimum(1.0, 0.3 / norms)
        np.testing.assert_allclose(W, expected, rtol=1e-12)
    for actual, expected in zip(net.intercepts_, reference.intercepts_):
        np.testing.assert_array_equal(actual, expected)


@ignore_convergence_warning
def test_max_norm_does_not_overflow_for_huge_weights():
    huge = np.array([[3e30], [4e30], [0.0], [0.0]])
    net = BackpropRegressor(
        (), solver="sgd", max_norm=2.0, dtype="float32", learning_rate_init=1e-38
    ).set_params(max_iter=1, loss="absolute_error", batch_size=90, alpha=0.0)
    net.fit(X, NUMBERS, coefs_init=[huge])
    np.testing.assert_allclose(net.coefs_[0], huge / 2.5e30, rtol=1e-6)


# ----------------------------------------------------------------- parameter checks


@pytest.mark.parametrize(
    "invalid",
    [{"l1_alpha": v} for v in (-0.1, np.nan, "much", None, [0.1])]
    + [{"max_norm": v} for v in (0, 0.0, -1.0, np.nan, "long", [1.0])],
    ids=str,
)
@ESTIMATORS
def test_invalid_values_are_rejected(make, y, invalid):
    (name,) = invalid
    net = small(make, **invalid)
    error_of(lambda: net.fit(X, y), f"'{name}' parameter")
    error_of(lambda: net.partial_fit(X, y), f"'{name}' parameter")


@pytest.mark.parametrize("params", [{"l1_alpha": 0.1}, {"max_norm": 1.0}], ids=str)
@ESTIMATORS
def test_lbfgs_rejects_l1_alpha_and_max_norm(make, y, params):
    (name,) = params
    net = small(make, solver="lbfgs", **params)
    error_of(lambda: net.fit(X, y), f"{name}={params[name]}", "lbfgs")
