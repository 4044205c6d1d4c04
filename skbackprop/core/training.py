"""Training: epochs until a stopping criterion is met."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from .config import TrainingConfig
from .epochs import make_epoch
from .schedules import ScheduleState
from .state import EpochRecord, TrainingState


class Observer:
    """Base class for observers that run after each epoch and can stop training."""

    def begin_epoch(self):
        """Run before an epoch; L-BFGS may call this several times per iteration."""

    def end_epoch(self, n_epochs, record):
        """Run after an epoch.

        Parameters
        ----------
        n_epochs : int
            Number of epochs of this fit.
        record : EpochRecord
            Measurements of the epoch.

        Returns
        -------
        bool
            Whether training should stop.
        """
        return False


class StopReason(NamedTuple):
    """Reason why training stopped.

    Parameters
    ----------
    kind : {"converged", "completed", "max_iter", "stopped", "failed", "interrupted"}
        "completed": all epochs of a schedule of fixed length; "stopped": by an
        observer; "failed": by SciPy; "interrupted": by Ctrl-C.
    message : str, default=""
        Explanation from SciPy.
    """

    kind: str
    message: str = ""


@dataclass
class Training:
    """One training run on fixed samples.

    Parameters
    ----------
    state : TrainingState
        State that training updates.
    objective : Objective
        Objective to minimize.
    samples : Samples
        Training samples.
    config : TrainingConfig
        Hyperparameters.
    validate : callable, default=None
        Function that returns the loss and the score of the validation samples.
    resumes : bool, default=False
        Whether the state comes from an interrupted fit, which may have converged.
    observers : tuple of Observer, default=()
        Observers to call after each epoch.
    stopped : bool, default=False
        Whether an observer has stopped training.
    """

    state: TrainingState
    objective: Any
    samples: Any
    config: TrainingConfig
    validate: Callable | None = None
    resumes: bool = False
    observers: tuple = ()
    stopped: bool = False

    def run(self, minimize):
        """Train the network, then restore the best parameters of early stopping.

        Parameters
        ----------
        minimize : callable
            `mini_batches` or `lbfgs`.

        Returns
        -------
        StopReason

        Raises
        ------
        ValueError
            If the loss or a parameter is not finite at the end of an epoch.
        """
        self._epoch_start = perf_counter()
        # Overflow is checked once per epoch and raised as an error.
        with np.errstate(all="ignore"):
            try:
                stop = minimize(self)
            except KeyboardInterrupt:
                stop = StopReason("interrupted")
        if self.state.best_params is not None:
            self.state.network.params[...] = self.state.best_params
            self.state.best_params = None
        # An interrupted fit may not have a loss yet.
        self._check_finite(0.0 if stop.kind == "interrupted" else self.state.loss)
        return stop

    def begin_epoch(self):
        """Notify all observers that an epoch begins."""
        for observer in self.observers:
            observer.begin_epoch()

    def end_epoch(self, loss, rate, gradient_norms):
        """Record an epoch, update the monitor and notify all observers.

        Parameters
        ----------
        loss : float
            Training loss, including the penalty.
        rate : float
            Learning rate of the last step.
        gradient_norms : tuple of float
            Gradient norm of the weights of each layer.
        """
        state = self.state
        self._check_finite(loss)
        validation_loss, score = self.validate() if self.validate else (math.nan,) * 2
        state.n_epochs += 1
        state.loss = loss
        now = perf_counter()
        seconds, self._epoch_start = now - self._epoch_start, now
        record = EpochRecord(
            loss, validation_loss, score, rate, seconds, gradient_norms
        )
        state.history.append(record)
        monitored = score if self.config.early_stopping else -loss
        is_best = state.monitor.update(monitored, self.config.tol)
        if is_best and self.config.early_stopping:
            state.best_params = state.network.params.copy()
        for observer in self.observers:
            self.stopped |= observer.end_epoch(state.n_epochs, record)

    @property
    def has_stalled(self):
        """Whether `n_iter_no_change` epochs passed without an improvement."""
        n_epochs = self.state.monitor.n_epochs_without_improvement
        return n_epochs > self.config.n_iter_no_change

    @property
    def stops_early(self):
        """Whether early stopping ends training."""
        return self.config.early_stopping and self.has_stalled

    def schedule_state(self, n_steps):
        """Return the counters that the learning rates of the next epoch depend on."""
        state = self.state
        return ScheduleState(
            epoch=state.n_epochs,
            step=state.n_steps,
            n_steps=n_steps,
            n_seen=state.n_seen,
            n_plateaus=state.n_plateaus,
            max_iter=self.config.planned_epochs,
        )

    def _check_finite(self, loss):
        state = self.state
        if (
            math.isfinite(loss)
            and _all_finite(state.network.params)
            and _all_finite(state.slots)
        ):
            return
        # L-BFGS has neither a learning rate nor gradients that can be clipped.
        is_stochastic = self.config.optimizer is not None
        more = ", lower learning_rate_init, or set clip_norm" if is_stochastic else ""
        raise ValueError(
            "Solver produced non-finite parameter weights. The input data may"
            " contain large values and need to be preprocessed. Training diverged"
            f" in epoch {state.n_epochs + 1}: scale the inputs (and the targets of"
            f" a regressor){more}."
        )


def _all_finite(array):
    # A finite sum proves that all values are finite, without a temporary array.
    return math.isfinite(np.add.reduce(array, axis=None)) or np.isfinite(array).all()


def mini_batches(training, epoch=None):
    """Minimize the objective by updates on mini-batches.

    Parameters
    ----------
    training : Training
        See `Training.run`.
    epoch : MiniBatchEpoch or object with the same interface, default=None
        Pass over all samples. If None, the samples are in this process.

    Returns
    -------
    StopReason
    """
    state, schedule = training.state, training.config.schedule
    if epoch is None:
        epoch = make_epoch(training)
    if training.resumes and _has_converged(training):
        return StopReason("converged")
    for _ in range(training.config.max_iter):
        training.begin_epoch()
        rates = schedule.rates(training.schedule_state(epoch.n_steps))
        # Use Python floats, because NumPy scalars would promote float32 arrays.
        is_array = isinstance(rates, np.ndarray)
        rates = rates.tolist() if is_array else [rates] * epoch.n_steps
        loss = epoch.run(rates)
        state.n_seen += training.samples.n_samples
        training.end_epoch(loss, rates[-1], epoch.gradient_norms)
        if _has_converged(training):
            return StopReason("converged")
        if training.stopped:
            return StopReason("stopped")
    return StopReason("completed" if schedule.has_fixed_length else "max_iter")


def _has_converged(training):
    """Register a plateau, and return whether the plateau ends training."""
    state, config = training.state, training.config
    runs_all_epochs = config.schedule.has_fixed_length and not config.early_stopping
    if not training.has_stalled or runs_all_epochs:
        return False
    state.n_plateaus += 1
    state.monitor.n_epochs_without_improvement = 0
    return config.schedule.should_stop(state.n_plateaus)
