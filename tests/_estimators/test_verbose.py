"""Tests of the lines printed with verbose=True."""

import re
from math import nan

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor
from small_fits import ignore_convergence_warning
from small_networks import CODES, ESTIMATORS, NUMBERS, X, small

from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop._estimators.messages import EpochPrinter, _format_duration
from skbackprop.core.optimizers import OPTIMIZERS
from skbackprop.core.state import EpochRecord

#: Format of the line that MLPClassifier and MLPRegressor print after each epoch.
ITERATION = re.compile(r"^Iteration (\d+), loss = (\d+\.\d{8})", re.MULTILINE)


def printed_lines(capsys, action):
    action()
    return capsys.readouterr().out.splitlines()


def printed_losses(capsys, estimator, y):
    """Return the epoch numbers and losses in the printed lines of a fit."""
    estimator.fit(X, y)
    return np.array(ITERATION.findall(capsys.readouterr().out), float)


def record(loss=1.0, validation_loss=nan, score=nan, rate=nan, seconds=1.0):
    return EpochRecord(loss, validation_loss, score, rate, seconds, ())


# ---------------------------------------------------------------------- lines


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize(
    ("make", "mlp", "y", "loss"),
    [
        (BackpropClassifier, MLPClassifier, CODES, "log_loss"),
        (BackpropRegressor, MLPRegressor, NUMBERS, "squared_error"),
    ],
)
@ignore_convergence_warning
def test_printed_losses_equal_scikit_learn(capsys, make, mlp, y, loss, solver):
    params = dict(
        hidden_layer_sizes=(5,),
        solver=solver,
        learning_rate_init=0.01,
        tol=1e-2,
        random_state=3,
        verbose=True,
    )
    expected = printed_losses(capsys, mlp(**params), y)
    actual = printed_losses(capsys, make(loss=loss, standardize=False, **params), y)
    assert len(expected) > 10
    # The order of summation differs, so the last digit can be rounded differently.
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1.1e-8)


@pytest.mark.parametrize("solver", ["lbfgs", *OPTIMIZERS])
@pytest.mark.parametrize("early_stopping", [False, True])
@ESTIMATORS
def test_one_line_per_epoch_with_loss_and_rate(capsys, make, y, early_stopping, solver):
    estimator = small(make, solver=solver, early_stopping=early_stopping, verbose=True)
    lines = printed_lines(capsys, lambda: estimator.fit(X, y))
    lines = [line for line in lines if line.startswith("Iteration")]
    assert len(lines) == estimator.n_iter_
    for row, line in zip(estimator.history_.itertuples(), lines, strict=True):
        parts = [f"Iteration {row.Index}, loss = {row.loss:.8f}"]
        if early_stopping:
            parts += [f"validation loss = {row.validation_loss:.8f}"]
        if solver != "lbfgs":
            parts += [f"rate = {row.learning_rate:.3g}"]
        assert re.sub(r", at most .* left$", "", line) == ", ".join(parts)


@pytest.mark.parametrize("validation", [{"early_stopping": True}, {}])
def test_score_other_than_negative_loss_is_printed(capsys, validation):
    net = small(BackpropClassifier, scoring="accuracy", verbose=True, **validation)
    passed = {} if validation else {"X_val": X[:30], "y_val": CODES[:30]}
    lines = printed_lines(capsys, lambda: net.fit(X, CODES, **passed))
    for row, line in zip(net.history_.itertuples(), lines):
        assert f"validation loss = {row.validation_loss:.8f}, " in line
        assert f", validation score = {row.validation_score:.6f}, rate = " in line


@pytest.mark.parametrize("values", [{}, {"validation_loss": 0.25, "score": -0.25}])
def test_missing_values_are_not_printed(capsys, values):
    EpochPrinter(None).end_epoch(1, record(**values))
    line = capsys.readouterr().out
    assert ("validation loss" in line) == bool(values)
    assert "score" not in line
    assert "rate" not in line
    assert "left" not in line


def test_nothing_is_printed_by_default(capsys):
    small(BackpropClassifier, early_stopping=True).fit(X, CODES)
    assert capsys.readouterr() == ("", "")


# ---------------------------------------------------------- remaining time


def test_remaining_time_uses_mean_epoch_time(capsys):
    printer = EpochPrinter(5)
    for n_epochs, seconds in enumerate([10.0, 20.0, 60.0, 2.0, 8.0], start=1):
        assert printer.end_epoch(n_epochs, record(seconds=seconds)) is False
    left = re.findall(r", at most (.*) left$", capsys.readouterr().out, re.MULTILINE)
    assert left == ["40 s", "45 s", "60 s", "23 s"]


def test_remaining_time_after_resuming_ignores_earlier_epochs(capsys):
    printer = EpochPrinter(100)
    printer.end_epoch(98, record(seconds=3.0))
    assert ", at most 6 s left\n" in capsys.readouterr().out


@ignore_convergence_warning
@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
@ESTIMATORS
def test_last_epoch_has_no_remaining_time(capsys, make, y, solver):
    estimator = small(make, solver=solver, max_iter=4, verbose=True, tol=1e-9)
    lines = printed_lines(capsys, lambda: estimator.fit(X, y))
    assert [" left" in line for line in lines] == [True, True, True, False]


@ESTIMATORS
def test_partial_fit_prints_no_remaining_time_and_no_stop_reason(capsys, make, y):
    estimator = small(make, verbose=True)
    classes = {"classes": range(3)} if make is BackpropClassifier else {}
    lines = printed_lines(
        capsys, lambda: [estimator.partial_fit(X, y, **classes) for _ in range(3)]
    )
    assert [line.split(",")[0] for line in lines] == [
        f"Iteration {n}" for n in (1, 2, 3)
    ]
    assert not any("left" in line for line in lines)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.0, "0 s"),
        (0.001, "1 s"),
        (59.0, "59 s"),
        (60.0, "60 s"),
        (60.1, "1 min 01 s"),
        (119.5, "2 min 00 s"),
        (3599.0, "59 min 59 s"),
        (3599.5, "1 h 00 min"),
        (7261.0, "2 h 01 min"),
        (100 * 3600.0, "100 h 00 min"),
    ],
)
def test_duration_format(seconds, expected):
    assert _format_duration(seconds) == expected


# --------------------------------------------------------------- stop reason


@pytest.mark.parametrize(
    ("early_stopping", "value"), [(False, "Training loss"), (True, "Validation score")]
)
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_last_line_is_the_stop_reason(capsys, solver, early_stopping, value):
    net = small(
        BackpropClassifier, solver=solver, early_stopping=early_stopping, verbose=True
    )
    last = printed_lines(capsys, lambda: net.fit(X, CODES))[-1]
    assert last.startswith(f"{value} did not improve more than tol=1000.0")
    assert np.isclose(net.n_iter_, net.n_iter_no_change, atol=2)
