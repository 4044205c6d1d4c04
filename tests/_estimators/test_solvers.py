"""The table of solvers, and the parameters that each solver does not support."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from small_fits import (
    ESTIMATORS,
    NUMBERS,
    X,
    error_of,
    ignore_convergence_warning,
    regressor,
)

import skbackprop
from skbackprop import BackpropClassifier, BackpropRegressor, check_gradients
from skbackprop._estimators.solvers import (
    SOLVERS,
    check_solver_parameters,
    has_partial_fit,
)
from skbackprop.core.lbfgs import lbfgs
from skbackprop.core.optimizers import OPTIMIZERS
from skbackprop.core.training import mini_batches

PACKAGE = Path(skbackprop.__file__).parent


def constant_rate(epoch, step):
    return 0.01


def get_id(value):
    """Return an id without a memory address, which differs between processes."""
    return getattr(value, "__name__", str(value))


#: Valid values of the parameters that some solvers do not support.
VALUES = {
    "warmup_steps": [1, np.int64(3)],
    "clip_norm": [1.0, 1],
    "max_norm": [0.5, np.float64(2.0)],
    "dropout": [0.5, [0.5], np.array([0.25])],
    "l1_alpha": [0.1, np.float64(1e-9)],
}
IGNORED = [("lbfgs", "learning_rate", v) for v in ("adaptive", "cosine", constant_rate)]
UNSUPPORTED = [
    (solver, name, value)
    for solver, settings in SOLVERS.items()
    for name, _ in settings.unsupported
    for value in VALUES[name]
]


# ---------------------------------------------------------------------- table


def test_solvers_are_lbfgs_and_all_optimizers():
    assert set(SOLVERS) == {"lbfgs", *OPTIMIZERS}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_use_mini_batches(name):
    solver = SOLVERS[name]
    assert solver.optimizer is OPTIMIZERS[name]
    assert solver.minimize is mini_batches
    assert solver.is_stochastic
    assert solver.can_resume
    assert not solver.unsupported
    assert not solver.ignored


def test_lbfgs_uses_all_samples():
    solver = SOLVERS["lbfgs"]
    assert solver.minimize is lbfgs
    assert solver.optimizer is None
    assert not solver.is_stochastic
    assert not solver.can_resume


@pytest.mark.parametrize("make", [BackpropClassifier, BackpropRegressor])
def test_estimators_accept_exactly_the_solvers_of_the_table(make):
    (options,) = make._parameter_constraints["solver"]
    assert options.options == set(SOLVERS)


def test_partial_fit_is_available_for_stochastic_solvers():
    for name, solver in SOLVERS.items():
        net = BackpropRegressor(solver=name)
        assert hasattr(net, "partial_fit") == solver.is_stochastic
        if solver.is_stochastic:
            assert has_partial_fit(net)
        else:
            words = f"{name} is not stochastic", "adam", "adamw", "rmsprop", "sgd"
            error_of(lambda net=net: has_partial_fit(net), *words, error=AttributeError)


# ----------------------------------------------------- unsupported parameters


def test_values_cover_all_unsupported_parameters():
    names = {name for s in SOLVERS.values() for name, _ in s.unsupported}
    assert names == set(VALUES)


@pytest.mark.parametrize(("solver", "name", "value"), UNSUPPORTED, ids=get_id)
@pytest.mark.parametrize("make", [BackpropClassifier, BackpropRegressor])
def test_unsupported_parameter_raises(make, solver, name, value):
    neutral = dict(SOLVERS[solver].unsupported)[name]
    net = make((5,), solver=solver, **{name: value})
    error_of(
        lambda: check_solver_parameters(net),
        f"{name}={value!r} is not supported with solver={solver!r}",
        f"Set {name}={neutral!r} or use another solver",
    )


@pytest.mark.parametrize(("solver", "name", "value"), UNSUPPORTED, ids=get_id)
@ESTIMATORS
def test_fit_checks_unsupported_parameters(make, y, solver, name, value):
    net = make((5,), solver=solver, **{name: value})
    error_of(lambda: net.fit(X, y), f"{name}=", f"solver={solver!r}")
    assert not hasattr(net, "coefs_")


@pytest.mark.parametrize("solver", SOLVERS)
def test_supported_parameters_do_not_raise(solver):
    unsupported = dict(SOLVERS[solver].unsupported)
    for name in VALUES.keys() - unsupported.keys():
        for value in VALUES[name]:
            check_solver_parameters(BackpropRegressor(solver=solver, **{name: value}))


@pytest.mark.parametrize("solver", SOLVERS)
def test_defaults_are_supported_by_all_solvers(solver):
    check_solver_parameters(BackpropClassifier(solver=solver))
    check_solver_parameters(BackpropRegressor(solver=solver))
    net = BackpropRegressor(solver=solver)
    for name, neutral in SOLVERS[solver].unsupported + SOLVERS[solver].ignored:
        assert net.get_params()[name] == neutral


def test_values_cover_all_ignored_parameters():
    found = {(key, name) for key, s in SOLVERS.items() for name, _ in s.ignored}
    assert found == {(solver, name) for solver, name, _ in IGNORED}


@pytest.mark.parametrize(("solver", "name", "value"), IGNORED, ids=get_id)
@ESTIMATORS
@ignore_convergence_warning
def test_ignored_parameter_warns_once_and_has_no_effect(make, y, solver, name, value):
    params = dict(solver=solver, max_iter=3, random_state=0)
    net = make((5,), **params, **{name: value})
    message = re.escape(f"{name}={value!r} is ignored with solver={solver!r}")
    with pytest.warns(UserWarning, match=message) as caught:
        net.fit(X, y)
    assert sum("is ignored" in str(warning.message) for warning in caught) == 1
    plain = make((5,), **params).fit(X, y)
    for actual, expected in zip(net.coefs_, plain.coefs_, strict=True):
        np.testing.assert_array_equal(actual, expected)
    with pytest.warns(UserWarning, match=message) as caught:
        check_gradients(net, X, y)
    assert len(caught) == 1


@ESTIMATORS
@ignore_convergence_warning
def test_search_over_solvers_and_schedules_has_no_failed_fits(make, y):
    space = {"solver": ["adam", "lbfgs"], "learning_rate": ["constant", "adaptive"]}
    net = make((5,), max_iter=3, random_state=0)
    search = GridSearchCV(net, space, cv=2, error_score="raise")
    with pytest.warns(UserWarning, match="learning_rate='adaptive' is ignored"):
        search.fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize(
    ("dropout", "n_hidden"),
    [(0, 1), (0.0, 1), ([0.0], 1), ((0, 0.0), 2), (np.zeros(2), 2), ([], 0)],
    ids=str,
)
@ignore_convergence_warning
def test_lbfgs_accepts_zero_dropout_rates(dropout, n_hidden):
    net = regressor(hidden_layer_sizes=(3,) * n_hidden, solver="lbfgs", dropout=dropout)
    check_solver_parameters(net)
    assert net.fit(X, NUMBERS).n_layers_ == n_hidden + 2


# --------------------------------------------------------- names in the package


def comparisons_with(text, tree):
    """Return the line numbers of comparisons with a string constant."""
    lines = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            operands = [node.value]
        else:
            continue
        parts = [part for operand in operands for part in ast.walk(operand)]
        if any(isinstance(p, ast.Constant) and p.value == text for p in parts):
            lines.append(operands[0].lineno)
    return sorted(lines)


@pytest.mark.parametrize(
    ("code", "n_comparisons"),
    [
        ("solver == 'lbfgs'", 1),
        ("'lbfgs' != self.solver", 1),
        ("solver in ('sgd', 'lbfgs')", 1),
        ("match solver:\n    case 'lbfgs':\n        pass", 1),
        ("'''Not for \"lbfgs\".'''\nsolver = 'lbfgs'\nSOLVERS['lbfgs']", 0),
    ],
)
def test_comparisons_are_found(code, n_comparisons):
    assert len(comparisons_with("lbfgs", ast.parse(code))) == n_comparisons


def test_lbfgs_is_not_compared_by_name():
    # The properties of a solver are in SOLVERS, so no other code depends on its name.
    allowed = PACKAGE / "_estimators" / "solvers.py"
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        lines = comparisons_with("lbfgs", ast.parse(path.read_text("utf-8")))
        if lines and path != allowed:
            found[str(path.relative_to(PACKAGE))] = lines
    assert not found, f"use SOLVERS instead of the name of the solver: {found}"
