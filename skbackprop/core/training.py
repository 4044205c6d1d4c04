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
    """Base of what is told of every epoch of a training, and may end it."""

    def begin_epoch(self):
        """Take note that an epoch begins; called until it has ended, maybe often."""

    def end_epoch(self, n_epochs, record):
        """Take note of the number and the record of an epoch; say whether to stop."""
        return False


class StopReason(NamedTuple):
    """Why training ended.

    "converged", "planned" for all epochs of a plan, "max_iter", "stopped" by an
    observer, "failed" or "interrupted".
    """

    reason: str
    message: str = ""


@dataclass
class Training:
    """One run of training over the same samples.

    Parameters
    ----------
    state : TrainingState
        Where it starts, and where it ends.
    objective : Objective
        What is minimised.
    samples : Samples
        What is learned from.
    config : TrainingConfig
        How.
    validate : callable, default=None
        Returns the loss and the score of held-out samples, to be recorded, and
        to stop early by.
    resumes : bool
        Whether it goes on where another one was cut off, maybe at its end.
    observers : tuple of Observer, default=()
        Told of every epoch.
    stopped : bool
        Whether one of them has said that it is enough.
    """

    state: TrainingState
    objective: Any
    samples: Any
    config: TrainingConfig
    validate: Callable | None = None
    resumes: bool = False
    observers: tuple = ()
    stopped: bool = False

    def run(self, method):
        """Train, and put the best parameters back.

        Parameters
        ----------
        method : callable
            `mini_batches` or `lbfgs`.

        Returns
        -------
        StopReason

        Raises
        ------
        ValueError
            In the epoch in which a parameter or the loss ceases to be finite.
        """
        self._clock = perf_counter()
        # Overflow is looked for once an epoch, and told as an error.
        with np.errstate(all="ignore"):
            try:
                outcome = method(self)
            except KeyboardInterrupt:
                outcome = StopReason("interrupted")
        if self.state.best_params is not None:
            self.state.network.params[...] = self.state.best_params
            self.state.best_params = None
        interrupted = outcome.reason == "interrupted"  # maybe before any loss
        self._check_finite(0.0 if interrupted else self.state.loss)
        return outcome

    def begin_epoch(self):
        """Tell all observers that an epoch begins."""
        for observer in self.observers:
            observer.begin_epoch()

    def end_epoch(self, loss, rate, gradient_norms):
        """Record an epoch, and look whether it improved on those before."""
        state = self.state
        self._check_finite(loss)
        validation_loss, score = self.validate() if self.validate else (math.nan,) * 2
        state.n_epochs += 1
        state.loss = loss
        now = perf_counter()
        seconds = now - self._clock
        record = EpochRecord(
            loss, validation_loss, score, rate, seconds, gradient_norms
        )
        self._clock = now
        state.history.append(record)
        watched = score if self.config.early_stopping else -loss
        better = state.monitor.update(watched, self.config.tol)
        if better and self.config.early_stopping:
            state.best_params = state.network.params.copy()
        for observer in self.observers:
            self.stopped |= observer.end_epoch(state.n_epochs, record)

    @property
    def stalled(self):
        """Whether there was no improvement for longer than is borne."""
        return (
            self.state.monitor.n_epochs_without_improvement
            > self.config.n_iter_no_change
        )

    @property
    def stopped_early(self):
        """Whether the held-out samples say that it is enough."""
        return self.config.early_stopping and self.stalled

    def schedule_state(self, n_steps):
        """Return where training stands, for the schedule of the coming steps."""
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
        # L-BFGS has neither a rate to lower nor a gradient that may be clipped.
        stochastic = self.config.optimizer is not None
        raise ValueError(
            "Solver produced non-finite parameter weights. The input data may"
            " contain large values and need to be preprocessed. Training diverged"
            f" in epoch {self.state.n_epochs + 1}: scale the inputs (and the targets of"
            " a regressor)"
            f"{', lower learning_rate_init, or set clip_norm' if stochastic else ''}."
        )


def _all_finite(array):
    # A finite sum proves it, at no memory; any other may be an overflow of the sum.
    return math.isfinite(np.add.reduce(array, axis=None)) or np.isfinite(array).all()


def mini_batches(training, epoch=None):
    """Descend on mini-batches until there is no improvement.

    Parameters
    ----------
    training : Training
        See `Training.run`.
    epoch : object like `MiniBatchEpoch`, default=None
        What passes once over all samples, each time that its `run` is called; None
        for samples that lie here.

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
        position = training.schedule_state(epoch.n_steps)
        rates = schedule.rates(position)
        # Python's numbers: NumPy's would turn float32 arithmetic into float64.
        is_array = isinstance(rates, np.ndarray)
        rates = rates.tolist() if is_array else [rates] * epoch.n_steps
        loss = epoch.run(rates)
        state.n_seen += len(training.samples)
        training.end_epoch(loss, rates[-1], epoch.gradient_norms)
        if _has_converged(training):
            return StopReason("converged")
        if training.stopped:
            return StopReason("stopped")
    return StopReason("planned" if schedule.has_fixed_length else "max_iter")


def _has_converged(training):
    """Take note if there is no more improvement; say whether it is the end."""
    state, schedule = training.state, training.config.schedule
    goes_on = schedule.has_fixed_length and not training.config.early_stopping
    if not training.stalled or goes_on:
        return False
    state.n_plateaus += 1
    state.monitor.n_epochs_without_improvement = 0
    return schedule.should_stop(state.n_plateaus)
