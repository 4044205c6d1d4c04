"""Solvers, with their optimizers and their unsupported parameters."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.lbfgs import lbfgs
from ..core.optimizers import OPTIMIZERS
from ..core.training import mini_batches


@dataclass(frozen=True)
class Solver:
    """Solver that the parameter `solver` can select.

    Parameters
    ----------
    minimize : callable
        `mini_batches` or `lbfgs`; see `Training.run`.
    optimizer : type, default=None
        Class of the optimizer of mini-batches; None for solvers that use all samples
        at once.
    auto_rates : tuple of float, default=()
        Learning rates of a classifier and of a regressor for
        ``learning_rate_init="auto"``; empty for solvers without a learning rate.
    can_resume : bool, default=True
        Whether a checkpoint can store the complete state of the solver.
    unsupported : tuple of (str, object), default=()
        Names of parameters that the solver does not support, each with the value that
        has no effect. `fit` raises an error for other values.
    ignored : tuple of (str, object), default=()
        Names of parameters that the solver ignores like scikit-learn, each with the
        value that has no effect. `fit` warns about other values.
    """

    minimize: Callable
    optimizer: type | None = None
    auto_rates: tuple[float, ...] = ()
    can_resume: bool = True
    unsupported: tuple[tuple[str, Any], ...] = ()
    ignored: tuple[tuple[str, Any], ...] = ()

    @property
    def is_stochastic(self):
        """Whether the solver updates the parameters after each mini-batch."""
        return self.optimizer is not None


#: Learning rates of classifiers and regressors for ``learning_rate_init="auto"``. The
#: squared-error loss of a sigmoid has small gradients, which need larger steps.
AUTO_RATES = {
    "sgd": (0.1, 0.005),
    "adam": (0.002, 0.001),
    "adamw": (0.002, 0.001),
    "rmsprop": (0.001, 0.001),
}

#: Solvers by the names that estimators accept.
SOLVERS = {
    # The line search of L-BFGS requires the same smooth objective in every evaluation.
    # SciPy does not expose the state of L-BFGS.
    "lbfgs": Solver(
        lbfgs,
        can_resume=False,
        unsupported=(
            ("warmup_steps", 0),
            ("clip_norm", None),
            ("max_norm", None),
            ("dropout", 0.0),
            ("l1_alpha", 0.0),
        ),
        # Search spaces for MLPClassifier combine the schedules with all solvers.
        ignored=(("learning_rate", "constant"),),
    ),
    **{
        name: Solver(mini_batches, OPTIMIZERS[name], rates)
        for name, rates in AUTO_RATES.items()
    },
}


def get_learning_rate(estimator):
    """Return `learning_rate_init`, or the rate of the solver if the value is "auto"."""
    if isinstance(estimator.learning_rate_init, str):
        rates = SOLVERS[estimator.solver].auto_rates
        return rates[estimator._has_numeric_targets]
    return float(estimator.learning_rate_init)


def check_solver_parameters(estimator):
    """Check that the solver supports all parameters that are set.

    Parameters
    ----------
    estimator : BaseBackprop
        Estimator with valid parameters.

    Raises
    ------
    ValueError
        If the solver does not support a parameter.

    Warns
    -----
    UserWarning
        If the solver ignores a parameter that is set.
    """
    solver = SOLVERS[estimator.solver]
    for name, neutral, value in _find_effective(estimator, solver.unsupported):
        raise ValueError(
            f"{name}={value!r} is not supported with solver={estimator.solver!r}. "
            f"Set {name}={neutral!r} or use another solver."
        )
    for name, neutral, value in _find_effective(estimator, solver.ignored):
        warnings.warn(
            f"{name}={value!r} is ignored with solver={estimator.solver!r}. Set "
            f"{name}={neutral!r} or use another solver.",
            stacklevel=3,
        )


def _find_effective(estimator, parameters):
    """Yield the parameters whose values differ from the values without effect."""
    for name, neutral in parameters:
        value = getattr(estimator, name)
        if np.size(value) and np.any(np.asarray(value) != neutral):
            yield name, neutral, value


def has_partial_fit(estimator):
    """Return True if the solver supports `partial_fit`, else raise AttributeError."""
    name = estimator.solver
    # Invalid names are reported when the parameters are validated.
    if isinstance(name, str) and name in SOLVERS and not SOLVERS[name].is_stochastic:
        stochastic = sorted(key for key, s in SOLVERS.items() if s.is_stochastic)
        raise AttributeError(
            "partial_fit is only available for stochastic optimizers. "
            f"{name} is not stochastic. Set solver to one of {stochastic}."
        )
    return True
