"""What verbose=True prints: epochs, as scripts look for them, and why it ended."""

import re
from math import nan

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor
from small_networks import CODES, ESTIMATORS, NUMBERS, X, small

from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop._estimators.messages import EpochPrinter, _duration
from skbackprop.core.optimizers import OPTIMIZERS
from skbackprop.core.state import EpochRecord

#: scikit-learn's own.
ITERATION = re.compile(r"^Iteration (\d+), loss = (\d+\.\d{8})", re.MULTILINE)


def lines_of(capsys, action):
    action()
    return capsys.readouterr().out.splitlines()


def epochs_of(capsys, estimator, y):
    """Return the numbers and losses that scripts find in what a fit prints."""
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
def test_losses_are_printed_as_scikit_learn_prints_them(
    capsys, make, mlp, y, loss, solver
):
    params = dict(
        hidden_layer_sizes=(5,),
        solver=solver,
        learning_rate_init=0.01,
        tol=1e-2,
        random_state=3,
        verbose=True,
    )
    theirs = epochs_of(capsys, mlp(**params), y)
    mine = epochs_of(capsys, make(loss=loss, standardize=False, **params), y)
    assert len(theirs) > 10
    # Sums in another order may round the last digit the other way.
    np.testing.assert_allclose(mine, theirs, rtol=0, atol=1.1e-8)


@pytest.mark.parametrize("solver", ["lbfgs", *OPTIMIZERS])
@pytest.mark.parametrize("early_stopping", [False, True])
@ESTIMATORS
def test_every_epoch_has_its_line_with_what_is_known_of_it(
    capsys, make, y, early_stopping, solver
):
    estimator = small(make, solver=solver, early_stopping=early_stopping, verbose=True)
    lines = lines_of(capsys, lambda: estimator.fit(X, y))
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
def test_a_score_that_is_not_minus_the_loss_is_printed(capsys, validation):
    net = small(BackpropClassifier, scoring="accuracy", verbose=True, **validation)
    passed = {} if validation else {"X_val": X[:30], "y_val": CODES[:30]}
    lines = lines_of(capsys, lambda: net.fit(X, CODES, **passed))
    for row, line in zip(net.history_.itertuples(), lines):
        assert f"validation loss = {row.validation_loss:.8f}, " in line
        assert f", validation score = {row.validation_score:.6f}, rate = " in line


@pytest.mark.parametrize("known", [{}, {"validation_loss": 0.25, "score": -0.25}])
def test_what_there_is_not_is_not_printed(capsys, known):
    EpochPrinter(None).end_epoch(1, record(**known))
    line = capsys.readouterr().out
    assert ("validation loss" in line) == bool(known)
    assert "score" not in line
    assert "rate" not in line
    assert "left" not in line


def test_nothing_is_printed_unless_asked_for(capsys):
    small(BackpropClassifier, early_stopping=True).fit(X, CODES)
    assert capsys.readouterr() == ("", "")


# --------------------------------------------------------------- time left


def test_the_time_left_is_that_of_the_mean_epoch_so_far(capsys):
    printer = EpochPrinter(5)
    for n_epochs, seconds in enumerate([10.0, 20.0, 60.0, 2.0, 8.0], start=1):
        assert printer.end_epoch(n_epochs, record(seconds=seconds)) is False
    left = re.findall(r", at most (.*) left$", capsys.readouterr().out, re.MULTILINE)
    assert left == ["40 s", "45 s", "60 s", "23 s"]


def test_the_time_left_after_a_resumption_leaves_out_the_epochs_before(capsys):
    printer = EpochPrinter(100)
    printer.end_epoch(98, record(seconds=3.0))
    assert ", at most 6 s left\n" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
@ESTIMATORS
def test_the_last_epoch_has_no_time_left(capsys, make, y, solver):
    estimator = small(make, solver=solver, max_iter=4, verbose=True, tol=1e-9)
    lines = lines_of(capsys, lambda: estimator.fit(X, y))
    assert [" left" in line for line in lines] == [True, True, True, False]


@ESTIMATORS
def test_partial_fit_knows_of_no_time_left_and_of_no_end(capsys, make, y):
    estimator = small(make, verbose=True)
    classes = {"classes": range(3)} if make is BackpropClassifier else {}
    lines = lines_of(
        capsys, lambda: [estimator.partial_fit(X, y, **classes) for _ in range(3)]
    )
    assert [line.split(",")[0] for line in lines] == [
        f"Iteration {n}" for n in (1, 2, 3)
    ]
    assert not any("left" in line for line in lines)


@pytest.mark.parametrize(
    ("seconds", "said"),
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
def test_a_duration_is_said_as_a_person_would(seconds, said):
    assert _duration(seconds) == said


# ------------------------------------------------------------------ the end


@pytest.mark.parametrize(
    ("early_stopping", "what"), [(False, "Training loss"), (True, "Validation score")]
)
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_the_last_line_says_why_training_ended(capsys, solver, early_stopping, what):
    net = small(
        BackpropClassifier, solver=solver, early_stopping=early_stopping, verbose=True
    )
    last = lines_of(capsys, lambda: net.fit(X, CODES))[-1]
    assert last.startswith(f"{what} did not improve more than tol=1000.0")
    assert np.isclose(net.n_iter_, net.n_iter_no_change, atol=2)
