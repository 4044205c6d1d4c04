"""Creation of the training configuration from the parameters of an estimator."""

import warnings
from dataclasses import fields
from numbers import Real

import numpy as np

from ..core.config import TrainingConfig
from ..core.schedules import SCHEDULES, WarmUp
from ..core.user_functions import ScheduleFromFunction
from .solvers import SOLVERS, get_learning_rate

#: Tolerance of the cost in L-BFGS, the default of SciPy and of scikit-learn.
LOSS_TOL = float(np.finfo(np.float64).eps * 1e7)


def make_config(estimator, n_samples, n_hidden, n_epochs):
    """Create the training configuration that the parameters describe.

    Parameters
    ----------
    estimator : BaseBackprop
        Estimator with valid parameters.
    n_samples : int
        Number of training samples.
    n_hidden : int
        Number of hidden layers.
    n_epochs : int
        Maximum number of epochs.

    Returns
    -------
    TrainingConfig
    """
    optimizer = schedule = None
    batch_size, weight_decay = n_samples, 0.0
    solver = SOLVERS[estimator.solver]
    if solver.optimizer is not None:
        optimizer = _build(solver.optimizer, estimator)
        schedule = _make_schedule(estimator)
        batch_size = _get_batch_size(estimator.batch_size, n_samples)
        weight_decay = float(estimator.alpha) if optimizer.decays_weights else 0.0
    clip_norm, max_norm = estimator.clip_norm, estimator.max_norm
    return TrainingConfig(
        optimizer=optimizer,
        schedule=schedule,
        weight_decay=weight_decay,
        batch_size=batch_size,
        shuffle=estimator.shuffle,
        max_iter=n_epochs,
        planned_epochs=estimator.max_iter,
        max_fun=estimator.max_fun,
        tol=estimator.tol,
        gradient_tol=estimator.tol,
        loss_tol=LOSS_TOL,
        n_iter_no_change=estimator.n_iter_no_change,
        clip_norm=None if clip_norm is None else float(clip_norm),
        max_norm=None if max_norm is None else float(max_norm),
        dropout=_get_dropout_rates(estimator.dropout, n_hidden),
        early_stopping=estimator.early_stopping,
    )


def _build(component, estimator, **values):
    """Create an optimizer or schedule; its fields are parameters of the estimator."""
    for name in {f.name for f in fields(component)} - values.keys():
        value = values[name] = getattr(estimator, name)
        if isinstance(value, np.generic):
            # NumPy scalars, as in parameter grids, would promote float32 arrays.
            values[name] = value.item()
    return component(**values)


def _make_schedule(estimator):
    initial = get_learning_rate(estimator)
    if isinstance(estimator.learning_rate, str):
        schedule = _build(
            SCHEDULES[estimator.learning_rate], estimator, learning_rate_init=initial
        )
    else:
        schedule = ScheduleFromFunction(initial, estimator.learning_rate)
    n_steps = int(estimator.warmup_steps)
    return WarmUp(schedule, n_steps) if n_steps else schedule


def _get_batch_size(batch_size, n_samples):
    if isinstance(batch_size, str):  # "auto"
        return min(200, n_samples)
    if batch_size > n_samples:
        warnings.warn(
            "Got `batch_size` less than 1 or larger than sample size. It is "
            f"going to be clipped. batch_size={batch_size} becomes {n_samples}, the "
            "number of training samples. Decrease batch_size, or set it to 'auto'.",
            stacklevel=2,
        )
    return min(int(batch_size), n_samples)


def _get_dropout_rates(dropout, n_hidden):
    """Return the dropout rate of each hidden layer; an empty tuple without dropout."""
    rates = [dropout] * n_hidden if np.ndim(dropout) == 0 else list(dropout)
    is_valid = all(isinstance(rate, Real) and 0.0 <= rate < 1.0 for rate in rates)
    if len(rates) != n_hidden or not is_valid:
        raise ValueError(
            "dropout must be a number in [0, 1), or one number per hidden layer. Got "
            f"{dropout} for {n_hidden} hidden layers (see hidden_layer_sizes)."
        )
    return tuple(map(float, rates)) if any(rates) else ()
