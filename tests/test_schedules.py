"""The learning rate of every epoch: by the formula, and as the solvers use it."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from skbackprop import BackpropRegressor
from skbackprop.core.optimizers import OPTIMIZERS
from skbackprop.core.schedules import SCHEDULES, Adaptive, Constant, InvScaling

N_SAMPLES = 8

by_solver = pytest.mark.parametrize("solver", sorted(OPTIMIZERS))


def test_constant_rate_is_constant_and_ends_at_the_first_plateau():
    schedule = Constant(0.3)
    assert {schedule.rate(n, plateaus) for n in (0, 1000) for plateaus in (0, 3)} == {
        0.3
    }
    assert schedule.ends(1)


@pytest.mark.parametrize("power_t", [0.0, 0.5, 1.0, 2.0])
def test_invscaling_divides_by_a_power_of_the_samples_seen(power_t):
    schedule = InvScaling(0.3, power_t)
    for n_seen in (0, 1, 99, 9999):
        expected = 0.3 / (n_seen + 1) ** power_t
        assert schedule.rate(n_seen, 0) == schedule.rate(n_seen, 2) == expected
    assert schedule.ends(1)


def test_adaptive_divides_by_five_at_every_plateau():
    schedule = Adaptive(0.5)
    rates = [schedule.rate(1000, n) for n in range(5)]
    np.testing.assert_allclose(rates, [0.5, 0.1, 0.02, 0.004, 0.0008], rtol=1e-14)


def test_adaptive_ends_at_the_first_plateau_with_a_rate_of_a_millionth_at_most():
    schedule = Adaptive(1e-3)
    # 2e-4, 4e-5, 8e-6, 1.6e-6 and 3.2e-7 are the rates after 1 to 5 plateaus.
    assert [schedule.ends(n) for n in range(1, 7)] == [False] * 5 + [True]
    np.testing.assert_allclose(schedule.rate(0, 5), 3.2e-7, rtol=1e-12)
    assert schedule.rate(0, 6) == schedule.rate(0, 5)


def test_adaptive_never_lowers_a_rate_that_is_small_already():
    assert Adaptive(1e-6).rate(0, 4) == 1e-6
    assert Adaptive(1e-6).ends(1)


# --------------------------------------------------------------- as solvers use it


def constant_slope(solver, learning_rate, **params):
    """Return a regressor, and data down whose cost every step is as long as the rate.

    The targets are so far away that the slope of the absolute error is -1 in
    weight and bias all along; what is not plain descent takes the sign of it.
    """
    net = BackpropRegressor(
        (),
        loss="absolute_error",
        solver=solver,
        alpha=0,
        momentum=0,
        beta_2=0,
        learning_rate=learning_rate,
        random_state=0,
        **params,
    )
    return net, np.ones((N_SAMPLES, 1)), np.full(N_SAMPLES, 1e3)


def fit_for(n_epochs, solver, learning_rate, **params):
    net, X, y = constant_slope(solver, learning_rate, max_iter=n_epochs, **params)
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        return net.fit(X, y)


def assert_stepped_by(rates, shorter, longer):
    """Check that the longer training moved on from the shorter by these rates."""
    for name in ("coefs_", "intercepts_"):
        moved = getattr(longer, name)[0] - getattr(shorter, name)[0]
        np.testing.assert_allclose(moved, np.sum(rates), rtol=1e-5)


@by_solver
def test_constant_rate_is_recorded_and_used(solver):
    net = fit_for(6, solver, "constant", learning_rate_init=0.2)
    assert net.history_["learning_rate"].tolist() == [0.2] * 6
    assert_stepped_by(
        [0.2] * 5, fit_for(1, solver, "constant", learning_rate_init=0.2), net
    )


@by_solver
@pytest.mark.parametrize("power_t", [0.5, 1.0])
def test_invscaling_is_recorded_and_used_by_every_solver(solver, power_t):
    params = dict(learning_rate_init=0.2, power_t=power_t)
    net = fit_for(6, solver, "invscaling", **params)
    expected = [0.2 / (epoch * N_SAMPLES + 1) ** power_t for epoch in range(6)]
    np.testing.assert_allclose(net.history_["learning_rate"], expected, rtol=1e-14)
    assert_stepped_by(expected[1:], fit_for(1, solver, "invscaling", **params), net)


@by_solver
def test_adaptive_is_recorded_and_used_by_every_solver(solver):
    # No improvement counts at this tol. The first epoch does in any case; then two
    # epochs without improvement are one more than is borne.
    params = dict(learning_rate_init=1e-3, tol=1e9, n_iter_no_change=1)
    net, X, y = constant_slope(solver, "adaptive", **params)
    net.fit(X, y)  # and ends by itself, without a warning
    rates = [1e-3] * 3 + [1e-3 / 5**k for k in range(1, 6) for _ in range(2)]
    np.testing.assert_allclose(net.history_["learning_rate"], rates, rtol=1e-12)
    assert net.n_iter_ == len(rates)
    assert_stepped_by(rates[1:], fit_for(1, solver, "adaptive", **params), net)


@by_solver
def test_adaptive_keeps_its_rate_while_the_loss_improves(solver):
    net = fit_for(40, solver, "adaptive", learning_rate_init=0.2)
    assert set(net.history_["learning_rate"]) == {0.2}


@pytest.mark.parametrize("learning_rate", sorted(SCHEDULES))
def test_partial_fit_carries_the_schedule_on(learning_rate):
    net, X, y = constant_slope("sgd", learning_rate, learning_rate_init=0.2)
    for _ in range(4):
        net.partial_fit(X, y)
    whole = fit_for(4, "sgd", learning_rate, learning_rate_init=0.2)
    rates = net.history_["learning_rate"].tolist()
    assert rates == whole.history_["learning_rate"].tolist()
    assert rates[0] == 0.2
