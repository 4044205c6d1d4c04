"""Parameters of the estimators: storage, constraints and validation."""

from difflib import get_close_matches
from functools import lru_cache
from math import inf
from numbers import Integral, Real

from sklearn.metrics import get_scorer_names
from sklearn.utils._param_validation import (
    Interval,
    InvalidParameterError,
    Options,
    StrOptions,
    validate_parameter_constraints,
)

from ..core.activations import ACTIVATIONS, OUTPUT_ACTIVATIONS, Activation
from ..core.initializers import INITIALIZERS
from ..core.losses import LOSSES
from ..core.schedules import SCHEDULES
from .solvers import SOLVERS

#: Constraints of the parameters that both estimators have.
SHARED_CONSTRAINTS = {
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "activation": [StrOptions(set(ACTIVATIONS)), "array-like", Activation, callable],
    "output_activation": [
        StrOptions({"auto", *OUTPUT_ACTIVATIONS}),
        Activation,
        callable,
    ],
    "init": [StrOptions({"auto", *INITIALIZERS}), callable],
    "solver": [StrOptions(set(SOLVERS))],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "shuffle": ["boolean"],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "max_fun": [Interval(Integral, 1, None, closed="left")],
    "learning_rate_init": [
        StrOptions({"auto"}),
        Interval(Real, 0, None, closed="neither"),
    ],
    "learning_rate": [StrOptions(set(SCHEDULES)), callable],
    "power_t": [Interval(Real, 0, None, closed="left")],
    "decay_rate": [Interval(Real, 0, 1, closed="right")],
    "warmup_steps": [Interval(Integral, 0, None, closed="left")],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "nesterovs_momentum": ["boolean"],
    "beta_1": [Interval(Real, 0, 1, closed="left")],
    "beta_2": [Interval(Real, 0, 1, closed="left")],
    "epsilon": [Interval(Real, 0, None, closed="neither")],
    "clip_norm": [Interval(Real, 0, None, closed="neither"), None],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "l1_alpha": [Interval(Real, 0, None, closed="left")],
    "max_norm": [Interval(Real, 0, None, closed="neither"), None],
    "dropout": [Interval(Real, 0, 1, closed="left"), "array-like"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="left")],
    "scoring": [StrOptions({"loss", *get_scorer_names()}), callable],
    "tol": [Interval(Real, 0, None, closed="left")],
    "n_iter_no_change": [
        Interval(Integral, 1, None, closed="left"),
        Options(Real, {inf}),
    ],
    "standardize": ["boolean"],
    "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
    "n_bins": [Interval(Integral, 2, None, closed="left"), None],
    "random_state": ["random_state"],
    "warm_start": ["boolean"],
    "verbose": ["verbose"],
    "dtype": [StrOptions({"float32", "float64"}), None],
}


def losses_for(task):
    """Return the names of the losses that an estimator accepts.

    Parameters
    ----------
    task : {"classification", "regression"}
        Task of the estimator.

    Returns
    -------
    set of str
        Keys of `LOSSES`.
    """
    return {name for name, loss in LOSSES.items() if task in loss.tasks}


def store_parameters(estimator, arguments):
    """Store the arguments of `__init__` as attributes of the same names.

    Parameters
    ----------
    estimator : BaseEstimator
        Estimator that is initialized.
    arguments : dict
        ``locals()`` of `__init__`.
    """
    for name, value in arguments.items():
        if name != "self":
            setattr(estimator, name, value)


def validate_parameters(estimator):
    """Raise an error that suggests the nearest option if a parameter is invalid.

    The parameters are read as attributes: the `__init__` of a subclass may have other
    parameters.

    Parameters
    ----------
    estimator : BaseEstimator
        Estimator with the parameters, and constraints in `_parameter_constraints`.
    """
    cls = type(estimator)
    names = [n for n in sorted(cls._parameter_constraints) if hasattr(estimator, n)]
    values = [getattr(estimator, name) for name in names]
    # Repeated fits, as in grid search and partial_fit, often have the same parameters.
    check = _check_simple_values if all(map(is_simple, values)) else _check_values
    check(cls, tuple(names), *values)


def _check_values(cls, names, *values):
    """Raise an error if a value does not satisfy the constraints of its parameter."""
    constraints, params = cls._parameter_constraints, dict(zip(names, values))
    try:
        validate_parameter_constraints(constraints, params, cls.__name__)
    except InvalidParameterError as error:
        name = str(error).split("'")[1]  # "The 'solver' parameter of ..."
        options = [
            option
            for constraint in constraints[name]
            if isinstance(constraint, StrOptions)
            for option in constraint.options
        ]
        suggestion = did_you_mean(params[name], options)
        raise InvalidParameterError(f"{error}{suggestion}") from None


# The constraints distinguish equal values of different types, such as 1, 1.0 and True.
_check_simple_values = lru_cache(typed=True)(_check_values)


def is_simple(value):
    """Return whether a value is a number, a string, None or a tuple of these."""
    if isinstance(value, tuple):
        return all(map(is_simple, value))
    return isinstance(value, (bool, int, float, str, type(None)))


def did_you_mean(name, options):
    """Return a sentence that suggests the nearest option, or an empty string."""
    nearest = get_close_matches(str(name).lower(), sorted(options), n=1)
    return f" Did you mean {nearest[0]!r}?" if nearest else ""
