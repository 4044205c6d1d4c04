"""Training: epochs until a stopping criterion is met."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from .config import TrainingConfig
from .epochs import make_epoch
from .kernels import all_finite
from .schedules import ScheduleState
from .state import EpochRecord, TrainingState

#: Number of epochs from which the outputs for all samples are checked after training.
#: The pass then takes about one percent of the training time.
MIN_EPOCHS_FOR_ALL = 30

#: Minimum number of samples whose outputs are checked after fewer epochs.
MIN_CHECKED_ROWS = 256


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


class DivergenceError(ValueError):
    """Error that is raised if a loss, a parameter or an output is not finite.

    Parameters
    ----------
    epoch : int
        Epoch of this fit in which training diverged, starting at 1.
    """

    def __init__(self, epoch):
        super().__init__(
            f"Training diverged in epoch {epoch}: the loss, a parameter or an output "
            "is not finite. Decrease the learning rate, or scale the samples."
        )
        self.epoch = epoch


class Start(Enum):
    """Origin of the parameters that training starts from."""

    NEW = "random parameters"
    CANDIDATE = "parameters that early stopping may restore"
    RESUMED = "parameters of an interrupted fit, which may have converged"


class StopReason(NamedTuple):
    """Reason why training stopped.

    Parameters
    ----------
    kind : {"converged", "completed", "max_iter", "stopped", "failed", "interrupted", \
"diverged"}
        "completed": all epochs of a schedule of fixed length; "stopped": by an
        observer; "failed": by SciPy; "interrupted": by Ctrl-C; "diverged": in the epoch
        after the recorded epochs, with the best parameters restored.
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
    start : Start, default=Start.NEW
        Origin of the parameters.
    output_limits : float or ndarray of shape (n_outputs,), default=inf
        Largest absolute outputs that are valid after training.
    observers : tuple of Observer, default=()
        Observers to call after each epoch.
    stopped : bool, default=False
        Whether an observer has stopped training.
    constant : ConstantPrediction, default=None
        Evaluation of the best constant prediction on the samples.
    """

    state: TrainingState
    objective: Any
    samples: Any
    config: TrainingConfig
    validate: Callable | None = None
    start: Start = Start.NEW
    output_limits: Any = math.inf
    observers: tuple = ()
    stopped: bool = False
    constant: Any = None

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
        DivergenceError
            If the loss or a parameter is not finite at the end of an epoch, or if an
            output is not finite after training. With early stopping, the best
            parameters are restored instead, if there are any.
        """
        self._epoch_start = perf_counter()
        # Overflow is checked once per epoch and raised as an error.
        with np.errstate(all="ignore"):
            stop = self._minimize(minimize)
            self._restore_best_params(stop)
            self.check_finite()
            self._check_outputs()
        return stop

    def _minimize(self, minimize):
        """Return the reason why training stopped, with the last parameters."""
        try:
            if self.start is Start.CANDIDATE:
                self._score_start()
            return minimize(self)
        except KeyboardInterrupt:
            return StopReason("interrupted")
        except DivergenceError:
            if self.state.best_params is None:
                raise
            return StopReason("diverged")

    def _score_start(self):
        """Make the initial parameters the best parameters so far."""
        state = self.state
        _, score = self.validate()
        if math.isfinite(score):
            state.monitor.update(score, self.config.tol)
            state.best_params = state.network.params.copy()

    def _restore_best_params(self, stop):
        """Restore the best parameters of early stopping."""
        state = self.state
        if state.best_params is None:
            # L-BFGS may stop before its first iteration.
            has_scores = state.n_epochs > 0 and stop.kind != "interrupted"
            if self.config.early_stopping and has_scores:  # none of them is finite
                raise DivergenceError(state.n_epochs)
            return
        self.state.network.params[...] = self.state.best_params
        state.best_params = None
        if stop.kind == "diverged":
            state.n_steps = self._n_steps  # without the steps of the last epoch
        if stop.kind == "diverged" or not all_finite(state.slots):
            state.reset_optimizer_state()

    def begin_epoch(self):
        """Notify all observers that an epoch begins."""
        self._n_steps = self.state.n_steps
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
        self.check_finite(loss)
        validation_loss, score = self.validate() if self.validate else (math.nan,) * 2
        state.n_epochs += 1
        if self.config.optimizer is not None:
            state.n_seen += self.samples.n_samples
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

    def check_finite(self, loss=0.0):
        """Raise DivergenceError if a loss or the state of training is not finite.

        Parameters
        ----------
        loss : float, default=0.0
            Training loss.
        """
        state = self.state
        arrays = state.network.params, state.slots
        if not math.isfinite(loss) or not all(map(all_finite, arrays)):
            raise DivergenceError(state.n_epochs + 1)

    def _check_outputs(self):
        """Raise DivergenceError if an output is not valid after the last step."""
        state, n_rows = self.state, self.samples.n_samples
        if state.n_epochs < MIN_EPOCHS_FOR_ALL:
            n_rows = max(MIN_CHECKED_ROWS, self.config.batch_size)
        largest = self.samples.largest_outputs(state.network, n_rows)
        if not (largest <= self.output_limits).all():
            raise DivergenceError(max(state.n_epochs, 1))


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
    schedule = training.config.schedule
    if epoch is None:
        epoch = make_epoch(training)
    if training.start is Start.RESUMED and _has_converged(training):
        return StopReason("converged")
    for _ in range(training.config.max_iter):
        training.begin_epoch()
        rates = schedule.rates(training.schedule_state(epoch.n_steps))
        # Use Python floats, because NumPy scalars would promote float32 arrays.
        is_array = isinstance(rates, np.ndarray)
        rates = rates.tolist() if is_array else [rates] * epoch.n_steps
        loss = epoch.run(rates)
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
