"""Learning-rate schedules: formulas, and their use in the solvers."""

import math

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from small_fits import error_of, ignore_convergence_warning

from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop.core.optimizers import OPTIMIZERS
from skbackprop.core.schedules import (
    SCHEDULES,
    Adaptive,
    Constant,
    Cosine,
    Exponential,
    InvScaling,
    OneCycle,
    ScheduleState,
    WarmUp,
)
from skbackprop.core.user_functions import ScheduleFromFunction

N_SAMPLES = 8
FIXED_LENGTH = {"cosine", "one_cycle"}

by_solver = pytest.mark.parametrize("solver", sorted(OPTIMIZERS))


def make_state(**counters):
    """Return the schedule state at the start of training, with some counters set."""
    start = dict(epoch=0, step=0, n_steps=1, n_seen=0, n_plateaus=0, max_iter=10)
    return ScheduleState(**{**start, **counters})


def make_states(n_epochs, n_steps, **counters):
    """Return the schedule state at the start of each epoch."""
    return [
        make_state(epoch=epoch, step=epoch * n_steps, n_steps=n_steps, **counters)
        for epoch in range(n_epochs)
    ]


def compute_rates(schedule, n_epochs, n_steps, **counters):
    """Return the learning rates of all steps of several epochs."""
    rates = [schedule.rates(s) for s in make_states(n_epochs, n_steps, **counters)]
    return np.concatenate([np.broadcast_to(r, n_steps) for r in rates])


def test_constant_rate_stops_at_first_plateau():
    schedule = Constant(0.3)
    rates = {
        schedule.rates(make_state(n_seen=n, n_plateaus=plateaus))
        for n in (0, 1000)
        for plateaus in (0, 3)
    }
    assert rates == {0.3}
    assert schedule.should_stop(1)


@pytest.mark.parametrize("power_t", [0.0, 0.5, 1.0, 2.0])
def test_invscaling_divides_by_power_of_samples_seen(power_t):
    schedule = InvScaling(0.3, power_t)
    for n_seen in (0, 1, 99, 9999):
        expected = 0.3 / (n_seen + 1) ** power_t
        for plateaus in (0, 2):
            state = make_state(n_seen=n_seen, n_plateaus=plateaus)
            assert schedule.rates(state) == expected
    assert schedule.should_stop(1)


def test_adaptive_divides_by_five_at_each_plateau():
    schedule = Adaptive(0.5)
    rates = [schedule.rates(make_state(n_seen=1000, n_plateaus=n)) for n in range(5)]
    np.testing.assert_allclose(rates, [0.5, 0.1, 0.02, 0.004, 0.0008], rtol=1e-14)


def test_adaptive_stops_at_plateau_if_rate_is_at_most_1e_6():
    schedule = Adaptive(1e-3)
    # The rates after 1 to 5 plateaus are 2e-4, 4e-5, 8e-6, 1.6e-6 and 3.2e-7.
    assert [schedule.should_stop(n) for n in range(1, 7)] == [False] * 5 + [True]
    fifth, sixth = (schedule.rates(make_state(n_plateaus=n)) for n in (5, 6))
    np.testing.assert_allclose(fifth, 3.2e-7, rtol=1e-12)
    assert sixth == fifth


def test_adaptive_does_not_lower_small_rates():
    assert Adaptive(1e-6).rates(make_state(n_plateaus=4)) == 1e-6
    assert Adaptive(1e-6).should_stop(1)


@pytest.mark.parametrize("n_steps", [1, 4])
@pytest.mark.parametrize("decay_rate", [0.5, 0.98, 1.0])
def test_exponential_multiplies_rate_by_decay_rate_per_epoch(decay_rate, n_steps):
    rates = compute_rates(Exponential(0.3, decay_rate), 5, n_steps)
    expected = [0.3 * decay_rate ** (step / n_steps) for step in range(5 * n_steps)]
    np.testing.assert_allclose(rates, expected, rtol=1e-13)
    assert Exponential(0.3, decay_rate).should_stop(1)


@pytest.mark.parametrize("n_steps", [1, 4])
@pytest.mark.parametrize("max_iter", [1, 7, 10])
def test_cosine_decays_to_zero_over_all_steps(max_iter, n_steps):
    rates = compute_rates(Cosine(0.3), max_iter, n_steps, max_iter=max_iter)
    total = max_iter * n_steps
    expected = [0.15 * (1 + math.cos(math.pi * t / total)) for t in range(total)]
    np.testing.assert_allclose(rates, expected, rtol=1e-13)
    assert rates[0] == 0.3
    # The rate of the next step would be zero. Halfway, the rate is half.
    assert 0.0 < rates[-1] <= 0.3
    if total % 2 == 0:
        np.testing.assert_allclose(rates[total // 2], 0.15, rtol=1e-13)


@pytest.mark.parametrize("n_steps", [1, 4])
@pytest.mark.parametrize("max_iter", [7, 10, 50])
def test_one_cycle_increases_and_decays_rate(max_iter, n_steps):
    rates = compute_rates(OneCycle(0.3), max_iter, n_steps, max_iter=max_iter)
    total = max_iter * n_steps
    low, high, end = 0.3 / 25, 0.3, 0.3 / 25 * 1e-4
    expected = []
    for t in range(total):
        progress = t / total
        if progress < 0.3:
            rise = (1 - math.cos(math.pi * progress / 0.3)) / 2
            expected.append(low + (high - low) * rise)
        else:
            fall = (1 + math.cos(math.pi * (progress - 0.3) / 0.7)) / 2
            expected.append(end + (high - end) * fall)
    np.testing.assert_allclose(rates, expected, rtol=1e-12)
    np.testing.assert_allclose(rates[0], low, rtol=1e-13)
    if total % 10 == 0:
        assert rates.argmax() == 3 * total // 10
        np.testing.assert_allclose(rates.max(), high, rtol=1e-13)
    assert (np.diff(rates[: rates.argmax()]) > 0).all()
    assert (np.diff(rates[rates.argmax() :]) < 0).all()


@pytest.mark.parametrize("schedule", [Cosine(0.3), OneCycle(0.3)], ids=repr)
def test_fixed_length_schedule_restarts_after_its_end(schedule):
    once = compute_rates(schedule, 6, 4, max_iter=6)
    np.testing.assert_array_equal(
        compute_rates(schedule, 18, 4, max_iter=6), np.tile(once, 3)
    )


def test_has_fixed_length():
    fixed_length = {
        name for name, schedule in SCHEDULES.items() if schedule.has_fixed_length
    }
    assert fixed_length == FIXED_LENGTH
    assert WarmUp(Cosine(0.3), 2).has_fixed_length
    assert not WarmUp(Constant(0.3), 2).has_fixed_length


@pytest.mark.parametrize("n_steps", [1, 4])
@pytest.mark.parametrize("warmup_steps", [1, 3, 10, 1000])
@pytest.mark.parametrize(
    "schedule",
    [Constant(0.3), InvScaling(0.3, 0.5), Exponential(0.3, 0.9), Cosine(0.3)],
    ids=repr,
)
def test_warm_up_increases_linearly_to_rates_of_schedule(
    schedule, warmup_steps, n_steps
):
    # `warmup_steps` is the number of the first step with the full rate, from 1.
    rates, full_rates = (
        compute_rates(s, 5, n_steps) for s in (WarmUp(schedule, warmup_steps), schedule)
    )
    for step, (rate, full) in enumerate(zip(rates, full_rates, strict=True), start=1):
        factor = step / warmup_steps if step < warmup_steps else 1.0
        np.testing.assert_allclose(rate, factor * full, rtol=1e-13)


def test_warm_up_stops_when_its_schedule_stops():
    stops = [WarmUp(Adaptive(1e-3), 5).should_stop(n) for n in range(1, 7)]
    assert stops == [Adaptive(1e-3).should_stop(n) for n in range(1, 7)]
    assert set(stops) == {False, True}


def test_function_is_called_for_each_step():
    calls = []

    def rate(epoch, step):
        calls.append((epoch, step))
        return 0.1 / (1 + step)

    rates = compute_rates(ScheduleFromFunction(0.5, rate), 3, 2)
    assert calls == [(0, 0), (0, 1), (1, 2), (1, 3), (2, 4), (2, 5)]
    np.testing.assert_array_equal(rates, [0.1 / n for n in range(1, 7)])


# --------------------------------------------------------------- use in the solvers


def make_constant_gradient(solver, learning_rate, **params):
    """Return a regressor and data for which each step equals the learning rate.

    The targets are so large that the gradient of the absolute error is always -1 for
    the weight and the bias. The adaptive solvers use the sign of the gradient.
    """
    net = BackpropRegressor(
        (),
        loss="absolute_error",
        standardize=False,
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
    net, X, y = make_constant_gradient(
        solver, learning_rate, max_iter=n_epochs, **params
    )
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        return net.fit(X, y)


def assert_stepped_by(rates, shorter, longer):
    """Assert that the parameters of two fits differ by the sum of the rates."""
    for name in ("coefs_", "intercepts_"):
        moved = getattr(longer, name)[0] - getattr(shorter, name)[0]
        np.testing.assert_allclose(moved, np.sum(rates), rtol=1e-5)


@by_solver
def test_constant_in_each_solver(solver):
    net = fit_for(6, solver, "constant", learning_rate_init=0.2)
    assert net.history_["learning_rate"].tolist() == [0.2] * 6
    assert_stepped_by(
        [0.2] * 5, fit_for(1, solver, "constant", learning_rate_init=0.2), net
    )


@by_solver
@pytest.mark.parametrize("power_t", [0.5, 1.0])
def test_invscaling_in_each_solver(solver, power_t):
    params = dict(learning_rate_init=0.2, power_t=power_t)
    net = fit_for(6, solver, "invscaling", **params)
    expected = [0.2 / (epoch * N_SAMPLES + 1) ** power_t for epoch in range(6)]
    np.testing.assert_allclose(net.history_["learning_rate"], expected, rtol=1e-14)
    assert_stepped_by(expected[1:], fit_for(1, solver, "invscaling", **params), net)


@by_solver
def test_adaptive_in_each_solver(solver):
    # With this tol, only the first epoch is an improvement. A plateau needs more than
    # n_iter_no_change=1 epochs without improvement.
    params = dict(learning_rate_init=1e-3, tol=1e9, n_iter_no_change=1)
    net, X, y = make_constant_gradient(solver, "adaptive", **params)
    net.fit(X, y)  # converges without a warning
    rates = [1e-3] * 3 + [1e-3 / 5**k for k in range(1, 6) for _ in range(2)]
    np.testing.assert_allclose(net.history_["learning_rate"], rates, rtol=1e-12)
    assert net.n_iter_ == len(rates)
    assert_stepped_by(rates[1:], fit_for(1, solver, "adaptive", **params), net)


@by_solver
def test_adaptive_keeps_rate_while_loss_improves(solver):
    net = fit_for(40, solver, "adaptive", learning_rate_init=0.2)
    assert set(net.history_["learning_rate"]) == {0.2}


def fit_fixed_length(n_epochs, solver, learning_rate, **params):
    """Fit for all epochs of a schedule; no convergence warning is issued."""
    net, X, y = make_constant_gradient(
        solver, learning_rate, max_iter=n_epochs, **params
    )
    return net.fit(X, y)


@by_solver
def test_exponential_in_each_solver(solver):
    params = dict(learning_rate_init=0.2, decay_rate=0.7, batch_size=2)
    net = fit_for(6, solver, "exponential", **params)
    steps = 0.2 * 0.7 ** (np.arange(24) / 4)
    # The recorded rate of an epoch is the rate of its last step.
    np.testing.assert_allclose(net.history_["learning_rate"], steps[3::4], rtol=1e-12)
    assert_stepped_by(steps[4:], fit_for(1, solver, "exponential", **params), net)


@by_solver
@pytest.mark.parametrize("learning_rate", sorted(FIXED_LENGTH))
def test_fixed_length_schedules_ignore_plateaus(solver, learning_rate):
    # With this tol no epoch is an improvement; other schedules would stop early.
    params = dict(learning_rate_init=0.2, batch_size=2, tol=1e9, n_iter_no_change=1)
    net = fit_fixed_length(10, solver, learning_rate, **params)
    assert net.n_iter_ == 10
    steps = compute_rates(SCHEDULES[learning_rate](0.2), 10, 4)
    np.testing.assert_allclose(net.history_["learning_rate"], steps[3::4], rtol=1e-12)
    one_step = fit_for(1, solver, "constant", learning_rate_init=steps[0])
    assert_stepped_by(steps[1:], one_step, net)


@ignore_convergence_warning
def test_early_stopping_ends_fixed_length_schedule():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    net = BackpropRegressor(
        (8,),
        learning_rate="cosine",
        early_stopping=True,
        tol=1e9,
        n_iter_no_change=4,
        max_iter=50,
        random_state=0,
    ).fit(X, X[:, 0])
    assert net.n_iter_ == 6  # one improvement, then more than n_iter_no_change=4 epochs


@by_solver
def test_warm_up_in_each_solver(solver):
    params = dict(learning_rate_init=0.2, batch_size=2, warmup_steps=6)
    net = fit_for(3, solver, "constant", **params)
    steps = 0.2 * np.minimum(np.arange(1, 13) / 6, 1.0)
    np.testing.assert_allclose(net.history_["learning_rate"], steps[3::4], rtol=1e-12)
    assert_stepped_by(steps[4:], fit_for(1, solver, "constant", **params), net)


@by_solver
def test_function_in_each_solver(solver):
    def rate(epoch, step):
        return 0.1 / (1 + epoch) + 0.01 * step

    net = fit_for(3, solver, rate, batch_size=2)
    steps = [0.1 / (1 + step // 4) + 0.01 * step for step in range(12)]
    np.testing.assert_allclose(net.history_["learning_rate"], steps[3::4], rtol=1e-12)
    assert_stepped_by(steps[4:], fit_for(1, solver, rate, batch_size=2), net)


def test_function_may_return_zero():
    net, X, y = make_constant_gradient("sgd", lambda epoch, step: 0.5 * (epoch > 0))
    net.partial_fit(X, y)
    before = [W.copy() for W in net.coefs_]
    net.partial_fit(X, y)
    np.testing.assert_allclose(net.coefs_[0] - before[0], 0.5, rtol=1e-12)


@pytest.mark.parametrize("rate", [-0.1, math.nan, math.inf], ids=str)
def test_function_with_invalid_rate_is_rejected(rate):
    net, X, y = make_constant_gradient(
        "sgd", lambda epoch, step: rate if epoch else 0.1
    )
    net.partial_fit(X, y)
    words = "learning_rate(epoch=1, step=1)", f"returned {rate}", "zero or more"
    error_of(lambda: net.partial_fit(X, y), *words)
    assert net.n_iter_ == 1


def decaying_rate(epoch, step):
    return 0.02 / (1 + 0.3 * epoch + 0.1 * step)


BY_SCHEDULE = pytest.mark.parametrize(
    "learning_rate", [*sorted(SCHEDULES), decaying_rate]
)


@pytest.mark.parametrize("learning_rate", sorted(set(SCHEDULES) - FIXED_LENGTH))
def test_partial_fit_continues_schedule(learning_rate):
    net, X, y = make_constant_gradient("sgd", learning_rate, learning_rate_init=0.2)
    for _ in range(4):
        net.partial_fit(X, y)
    whole = fit_for(4, "sgd", learning_rate, learning_rate_init=0.2)
    rates = net.history_["learning_rate"].tolist()
    assert rates == whole.history_["learning_rate"].tolist()
    assert rates[0] == 0.2


@pytest.mark.parametrize("learning_rate", sorted(FIXED_LENGTH))
def test_partial_fit_continues_and_restarts_fixed_length_schedule(learning_rate):
    params = dict(learning_rate_init=0.2, max_iter=3)
    net, X, y = make_constant_gradient("sgd", learning_rate, **params)
    for _ in range(7):
        net.partial_fit(X, y)
    once = compute_rates(SCHEDULES[learning_rate](0.2), 3, 1, max_iter=3)
    rates = net.history_["learning_rate"].tolist()
    assert rates == [*once, *once, once[0]]


@pytest.mark.parametrize("warmup_steps", [0, 7])
@BY_SCHEDULE
@by_solver
@ignore_convergence_warning
def test_partial_fits_match_one_fit(solver, learning_rate, warmup_steps):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3))
    y = rng.permutation(50) % 3
    # Only "adaptive" continues after a plateau, so only this schedule gets one.
    has_plateaus = learning_rate == "adaptive"
    net, whole = (
        BackpropClassifier(
            (6,),
            solver=solver,
            learning_rate=learning_rate,
            learning_rate_init=0.02,
            warmup_steps=warmup_steps,
            batch_size=16,
            max_iter=9,
            tol=9.0 if has_plateaus else 0.0,
            n_iter_no_change=2 if has_plateaus else 99,
            standardize=False,
            random_state=0,
        )
        for _ in range(2)
    )
    whole.fit(X, y)
    for _ in range(9):
        net.partial_fit(X, y, classes=range(3))
    for actual, expected in zip(net.coefs_, whole.coefs_, strict=True):
        np.testing.assert_array_equal(actual, expected)
    assert net.loss_curve_ == whole.loss_curve_
    rates = net.history_["learning_rate"].tolist()
    assert rates == whole.history_["learning_rate"].tolist()
    assert (len(set(rates)) == 1) == (learning_rate == "constant" and not warmup_steps)
    assert net.n_iter_ == whole.n_iter_ == 9
