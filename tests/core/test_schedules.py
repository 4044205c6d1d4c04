"""The learning rate of every step: by the formula, and as the solvers use it."""

import math

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from small_fits import error_of

from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop.core.optimizers import OPTIMIZERS
from skbackprop.core.schedules import (
    SCHEDULES,
    Adaptive,
    Constant,
    Cosine,
    Exponential,
    FromFunction,
    InvScaling,
    OneCycle,
    ScheduleState,
    WarmUp,
)

N_SAMPLES = 8
PLANNED = {"cosine", "one_cycle"}

by_solver = pytest.mark.parametrize("solver", sorted(OPTIMIZERS))


def course(**where):
    """Return where training stands: at its beginning, but for what is given."""
    start = dict(epoch=0, step=0, n_steps=1, n_seen=0, n_plateaus=0, max_iter=10)
    return ScheduleState(**{**start, **where})


def courses(n_epochs, n_steps, **where):
    """Return where it stands at the beginning of each of its epochs."""
    return [
        course(epoch=epoch, step=epoch * n_steps, n_steps=n_steps, **where)
        for epoch in range(n_epochs)
    ]


def path(schedule, n_epochs, n_steps, **where):
    """Return the rates of all steps of these epochs."""
    rates = [schedule.rates(at) for at in courses(n_epochs, n_steps, **where)]
    return np.concatenate([np.broadcast_to(r, n_steps) for r in rates])


def test_constant_rate_is_constant_and_ends_at_the_first_plateau():
    schedule = Constant(0.3)
    rates = {
        schedule.rates(course(n_seen=n, n_plateaus=plateaus))
        for n in (0, 1000)
        for plateaus in (0, 3)
    }
    assert rates == {0.3}
    assert schedule.should_stop(1)


@pytest.mark.parametrize("power_t", [0.0, 0.5, 1.0, 2.0])
def test_invscaling_divides_by_a_power_of_the_samples_seen(power_t):
    schedule = InvScaling(0.3, power_t)
    for n_seen in (0, 1, 99, 9999):
        expected = 0.3 / (n_seen + 1) ** power_t
        for plateaus in (0, 2):
            at = course(n_seen=n_seen, n_plateaus=plateaus)
            assert schedule.rates(at) == expected
    assert schedule.should_stop(1)


def test_adaptive_divides_by_five_at_every_plateau():
    schedule = Adaptive(0.5)
    rates = [schedule.rates(course(n_seen=1000, n_plateaus=n)) for n in range(5)]
    np.testing.assert_allclose(rates, [0.5, 0.1, 0.02, 0.004, 0.0008], rtol=1e-14)


def test_adaptive_ends_at_the_first_plateau_with_a_rate_of_a_millionth_at_most():
    schedule = Adaptive(1e-3)
    # 2e-4, 4e-5, 8e-6, 1.6e-6 and 3.2e-7 are the rates after 1 to 5 plateaus.
    assert [schedule.should_stop(n) for n in range(1, 7)] == [False] * 5 + [True]
    fifth, sixth = (schedule.rates(course(n_plateaus=n)) for n in (5, 6))
    np.testing.assert_allclose(fifth, 3.2e-7, rtol=1e-12)
    assert sixth == fifth


def test_adaptive_never_lowers_a_rate_that_is_small_already():
    assert Adaptive(1e-6).rates(course(n_plateaus=4)) == 1e-6
    assert Adaptive(1e-6).should_stop(1)


@pytest.mark.parametrize("n_steps", [1, 4])
@pytest.mark.parametrize("decay_rate", [0.5, 0.98, 1.0])
def test_exponential_leaves_the_same_share_of_the_rate_in_every_epoch(
    decay_rate, n_steps
):
    rates = path(Exponential(0.3, decay_rate), 5, n_steps)
    expected = [0.3 * decay_rate ** (step / n_steps) for step in range(5 * n_steps)]
    np.testing.assert_allclose(rates, expected, rtol=1e-13)
    assert Exponential(0.3, decay_rate).should_stop(1)


@pytest.mark.parametrize("n_steps", [1, 4])
@pytest.mark.parametrize("max_iter", [1, 7, 10])
def test_cosine_falls_from_the_rate_to_zero_over_all_steps(max_iter, n_steps):
    rates = path(Cosine(0.3), max_iter, n_steps, max_iter=max_iter)
    total = max_iter * n_steps
    expected = [0.15 * (1 + math.cos(math.pi * t / total)) for t in range(total)]
    np.testing.assert_allclose(rates, expected, rtol=1e-13)
    assert rates[0] == 0.3
    # Before the next step it would be zero; half of the way it is half.
    assert 0.0 < rates[-1] <= 0.3
    if total % 2 == 0:
        np.testing.assert_allclose(rates[total // 2], 0.15, rtol=1e-13)


@pytest.mark.parametrize("n_steps", [1, 4])
@pytest.mark.parametrize("max_iter", [7, 10, 50])
def test_one_cycle_rises_to_the_rate_and_falls_to_nearly_nothing(max_iter, n_steps):
    rates = path(OneCycle(0.3), max_iter, n_steps, max_iter=max_iter)
    total = max_iter * n_steps
    low, high, end = 0.3 / 25, 0.3, 0.3 / 25 * 1e-4
    expected = []
    for t in range(total):
        share = t / total
        if share < 0.3:
            rise = (1 - math.cos(math.pi * share / 0.3)) / 2
            expected.append(low + (high - low) * rise)
        else:
            fall = (1 + math.cos(math.pi * (share - 0.3) / 0.7)) / 2
            expected.append(end + (high - end) * fall)
    np.testing.assert_allclose(rates, expected, rtol=1e-12)
    np.testing.assert_allclose(rates[0], low, rtol=1e-13)
    if total % 10 == 0:
        assert rates.argmax() == 3 * total // 10
        np.testing.assert_allclose(rates.max(), high, rtol=1e-13)
    assert (np.diff(rates[: rates.argmax()]) > 0).all()
    assert (np.diff(rates[rates.argmax() :]) < 0).all()


@pytest.mark.parametrize("schedule", [Cosine(0.3), OneCycle(0.3)], ids=repr)
def test_what_is_planned_begins_once_more_beyond_its_plan(schedule):
    once = path(schedule, 6, 4, max_iter=6)
    np.testing.assert_array_equal(path(schedule, 18, 4, max_iter=6), np.tile(once, 3))


def test_what_is_planned_says_so():
    planned = {
        name for name, schedule in SCHEDULES.items() if schedule.has_fixed_length
    }
    assert planned == PLANNED
    assert WarmUp(Cosine(0.3), 2).has_fixed_length
    assert not WarmUp(Constant(0.3), 2).has_fixed_length


@pytest.mark.parametrize("n_steps", [1, 4])
@pytest.mark.parametrize("warmup_steps", [1, 3, 10, 1000])
@pytest.mark.parametrize(
    "schedule",
    [Constant(0.3), InvScaling(0.3, 0.5), Exponential(0.3, 0.9), Cosine(0.3)],
    ids=repr,
)
def test_warm_up_rises_in_a_line_to_the_rates_of_its_schedule(
    schedule, warmup_steps, n_steps
):
    # "The first step whose rate is not lowered any more": its number, from 1.
    rates, alone = (
        path(s, 5, n_steps) for s in (WarmUp(schedule, warmup_steps), schedule)
    )
    for step, (rate, full) in enumerate(zip(rates, alone, strict=True), start=1):
        share = step / warmup_steps if step < warmup_steps else 1.0
        np.testing.assert_allclose(rate, share * full, rtol=1e-13)


def test_warm_up_ends_where_its_schedule_does():
    ends = [WarmUp(Adaptive(1e-3), 5).should_stop(n) for n in range(1, 7)]
    assert ends == [Adaptive(1e-3).should_stop(n) for n in range(1, 7)]
    assert set(ends) == {False, True}


def test_a_function_is_asked_for_the_rate_of_every_step():
    asked = []

    def rate(epoch, step):
        asked.append((epoch, step))
        return 0.1 / (1 + step)

    rates = path(FromFunction(0.5, rate), 3, 2)
    assert asked == [(0, 0), (0, 1), (1, 2), (1, 3), (2, 4), (2, 5)]
    np.testing.assert_array_equal(rates, [0.1 / n for n in range(1, 7)])


# --------------------------------------------------------------- as solvers use it


def constant_slope(solver, learning_rate, **params):
    """Return a regressor, and data down whose cost every step is as long as the rate.

    The targets are so far away that the slope of the absolute error is -1 in
    weight and bias all along; what is not plain descent takes the sign of it.
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


def fit_planned(n_epochs, solver, learning_rate, **params):
    """Fit for all the epochs of a plan: no warning says that they were too few."""
    net, X, y = constant_slope(solver, learning_rate, max_iter=n_epochs, **params)
    return net.fit(X, y)


@by_solver
def test_exponential_is_recorded_and_used_by_every_solver(solver):
    params = dict(learning_rate_init=0.2, decay_rate=0.7, batch_size=2)
    net = fit_for(6, solver, "exponential", **params)
    steps = 0.2 * 0.7 ** (np.arange(24) / 4)
    # What is recorded of an epoch is the rate of its last step.
    np.testing.assert_allclose(net.history_["learning_rate"], steps[3::4], rtol=1e-12)
    assert_stepped_by(steps[4:], fit_for(1, solver, "exponential", **params), net)


@by_solver
@pytest.mark.parametrize("learning_rate", sorted(PLANNED))
def test_plans_are_gone_through_whatever_the_loss(solver, learning_rate):
    # No improvement counts at this tol: any other schedule would end, or warn.
    params = dict(learning_rate_init=0.2, batch_size=2, tol=1e9, n_iter_no_change=1)
    net = fit_planned(10, solver, learning_rate, **params)
    assert net.n_iter_ == 10
    steps = path(SCHEDULES[learning_rate](0.2), 10, 4)
    np.testing.assert_allclose(net.history_["learning_rate"], steps[3::4], rtol=1e-12)
    one_step = fit_for(1, solver, "constant", learning_rate_init=steps[0])
    assert_stepped_by(steps[1:], one_step, net)


def test_plans_end_early_where_held_out_samples_say_so():
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
    assert net.n_iter_ == 6  # the first counts in any case, and four are borne


@by_solver
def test_warm_up_is_used_by_every_solver(solver):
    params = dict(learning_rate_init=0.2, batch_size=2, warmup_steps=6)
    net = fit_for(3, solver, "constant", **params)
    steps = 0.2 * np.minimum(np.arange(1, 13) / 6, 1.0)
    np.testing.assert_allclose(net.history_["learning_rate"], steps[3::4], rtol=1e-12)
    assert_stepped_by(steps[4:], fit_for(1, solver, "constant", **params), net)


@by_solver
def test_a_function_is_used_by_every_solver(solver):
    def rate(epoch, step):
        return 0.1 / (1 + epoch) + 0.01 * step

    net = fit_for(3, solver, rate, batch_size=2)
    steps = [0.1 / (1 + step // 4) + 0.01 * step for step in range(12)]
    np.testing.assert_allclose(net.history_["learning_rate"], steps[3::4], rtol=1e-12)
    assert_stepped_by(steps[4:], fit_for(1, solver, rate, batch_size=2), net)


def test_a_function_may_stand_still_for_a_while():
    net, X, y = constant_slope("sgd", lambda epoch, step: 0.5 * (epoch > 0))
    net.partial_fit(X, y)
    before = [W.copy() for W in net.coefs_]
    net.partial_fit(X, y)
    np.testing.assert_allclose(net.coefs_[0] - before[0], 0.5, rtol=1e-12)


@pytest.mark.parametrize("rate", [-0.1, math.nan, math.inf], ids=str)
def test_a_function_must_return_finite_rates_of_zero_or_more(rate):
    net, X, y = constant_slope("sgd", lambda epoch, step: rate if epoch else 0.1)
    net.partial_fit(X, y)
    words = "learning_rate(epoch=1, step=1)", f"returned {rate}", "zero or more"
    error_of(lambda: net.partial_fit(X, y), *words)
    assert net.n_iter_ == 1


def falling(epoch, step):
    return 0.02 / (1 + 0.3 * epoch + 0.1 * step)


EVERY_KIND = pytest.mark.parametrize("learning_rate", [*sorted(SCHEDULES), falling])


@pytest.mark.parametrize("learning_rate", sorted(set(SCHEDULES) - PLANNED))
def test_partial_fit_carries_the_schedule_on(learning_rate):
    net, X, y = constant_slope("sgd", learning_rate, learning_rate_init=0.2)
    for _ in range(4):
        net.partial_fit(X, y)
    whole = fit_for(4, "sgd", learning_rate, learning_rate_init=0.2)
    rates = net.history_["learning_rate"].tolist()
    assert rates == whole.history_["learning_rate"].tolist()
    assert rates[0] == 0.2


@pytest.mark.parametrize("learning_rate", sorted(PLANNED))
def test_partial_fit_carries_the_plan_on_and_begins_it_once_more(learning_rate):
    params = dict(learning_rate_init=0.2, max_iter=3)
    net, X, y = constant_slope("sgd", learning_rate, **params)
    for _ in range(7):
        net.partial_fit(X, y)
    plan = path(SCHEDULES[learning_rate](0.2), 3, 1, max_iter=3)
    rates = net.history_["learning_rate"].tolist()
    assert rates == [*plan, *plan, plan[0]]


@pytest.mark.parametrize("warmup_steps", [0, 7])
@EVERY_KIND
@by_solver
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_partial_fits_are_one_fit_of_as_many_epochs(
    solver, learning_rate, warmup_steps
):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3))
    y = rng.permutation(50) % 3
    # A plateau as soon as can be, for "adaptive", at which no other may end.
    soon = learning_rate == "adaptive"
    net, whole = (
        BackpropClassifier(
            (6,),
            solver=solver,
            learning_rate=learning_rate,
            learning_rate_init=0.02,
            warmup_steps=warmup_steps,
            batch_size=16,
            max_iter=9,
            tol=9.0 if soon else 0.0,
            n_iter_no_change=2 if soon else 99,
            standardize=False,
            random_state=0,
        )
        for _ in range(2)
    )
    whole.fit(X, y)
    for _ in range(9):
        net.partial_fit(X, y, classes=range(3))
    for mine, theirs in zip(net.coefs_, whole.coefs_, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert net.loss_curve_ == whole.loss_curve_
    rates = net.history_["learning_rate"].tolist()
    assert rates == whole.history_["learning_rate"].tolist()
    assert (len(set(rates)) == 1) == (learning_rate == "constant" and not warmup_steps)
    assert net.n_iter_ == whole.n_iter_ == 9
