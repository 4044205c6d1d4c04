"""Learning-rate schedules.

Schedules are stateless. They compute the learning rate of each step of an epoch from
the `ScheduleState` at the start of the epoch.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np


class ScheduleState(NamedTuple):
    """Progress of training at the start of an epoch.

    Parameters
    ----------
    epoch : int
        Number of completed epochs, in this fit and in later calls to `partial_fit`.
    step : int
        Number of completed steps, in this fit and in later calls to `partial_fit`.
    n_steps : int
        Number of steps in the coming epoch.
    n_seen : int
        Number of processed samples. Each epoch counts all samples again.
    n_plateaus : int
        Number of times that the loss or score stopped improving.
    max_iter : int
        Number of planned epochs.
    """

    epoch: int
    step: int
    n_steps: int
    n_seen: int
    n_plateaus: int
    max_iter: int

    @property
    def progress(self):
        """Completed fraction of the planned epochs before each step, in [0, 1).

        The fraction restarts at 0 if training continues beyond the planned epochs.
        """
        epochs = self.epoch % self.max_iter + np.arange(self.n_steps) / self.n_steps
        return epochs / self.max_iter


@dataclass(frozen=True)
class Schedule:
    """Base class for learning-rate schedules.

    Parameters
    ----------
    learning_rate_init : float
        Initial learning rate, which scales all other rates.
    """

    learning_rate_init: float
    #: Whether the schedule is planned for `max_iter` epochs and does not stop at
    #: plateaus.
    has_fixed_length: ClassVar[bool] = False

    def rates(self, state):
        """Return the learning rates of the coming epoch.

        Parameters
        ----------
        state : ScheduleState
            Progress of training.

        Returns
        -------
        float or ndarray of shape (n_steps,)
            Learning rate of all steps, or of each step.
        """
        raise NotImplementedError

    def should_stop(self, n_plateaus):
        """Return whether training should stop at the latest plateau.

        Parameters
        ----------
        n_plateaus : int
            Number of plateaus so far, including the latest; 1 or more.

        Returns
        -------
        bool
            True if training should stop.
        """
        return True


@dataclass(frozen=True)
class Constant(Schedule):
    """Constant learning rate: ``rate = learning_rate_init``."""

    def rates(self, state):
        return self.learning_rate_init


@dataclass(frozen=True)
class InvScaling(Schedule):
    """Inverse scaling: ``rate = learning_rate_init / (n_seen + 1)**power_t``.

    Parameters
    ----------
    learning_rate_init : float
        Learning rate of the first epoch.
    power_t : float
        Exponent of the decay. With 0, the rate is constant.
    """

    power_t: float

    def rates(self, state):
        return self.learning_rate_init / (state.n_seen + 1) ** self.power_t


@dataclass(frozen=True)
class Adaptive(Schedule):
    """Initial rate, divided by 5 at each plateau until the rate is at most 1e-6.

    A plateau is measured against the best loss so far. Therefore a single low loss
    early in training can reduce the rate too soon. scikit-learn has the same behavior,
    and the results agree with scikit-learn.
    """

    #: Training stops at a plateau if the rate is not larger than this value.
    min_rate: ClassVar[float] = 1e-6

    def rates(self, state):
        return self._rate_after(state.n_plateaus)

    def _rate_after(self, n_plateaus):
        rate = self.learning_rate_init
        for _ in range(n_plateaus):
            if rate <= self.min_rate:
                break
            rate /= 5.0
        return rate

    def should_stop(self, n_plateaus):
        return self._rate_after(n_plateaus - 1) <= self.min_rate


@dataclass(frozen=True)
class Exponential(Schedule):
    """Exponential decay: ``rate = learning_rate_init * decay_rate**epoch``.

    The rate decreases at each step, because `epoch` includes the completed fraction of
    the current epoch.

    Parameters
    ----------
    learning_rate_init : float
        Learning rate of the first step.
    decay_rate : float
        Decay factor per epoch, in (0, 1].
    """

    decay_rate: float

    def rates(self, state):
        epochs = state.epoch + np.arange(state.n_steps) / state.n_steps
        return self.learning_rate_init * self.decay_rate**epochs


@dataclass(frozen=True)
class Cosine(Schedule):
    """Cosine annealing from the initial rate to zero over `max_iter` epochs.

    Loshchilov and Hutter, "SGDR" (ICLR 2017), equation 5. The schedule restarts if
    training continues beyond `max_iter` epochs.
    """

    has_fixed_length: ClassVar[bool] = True

    def rates(self, state):
        return self.learning_rate_init * _half_cosine(state.progress)


@dataclass(frozen=True)
class OneCycle(Schedule):
    """One-cycle schedule; Smith and Topin, "Super-convergence" (2018).

    During the first 30% of `max_iter` epochs, the rate rises from 1/25 of
    `learning_rate_init` to `learning_rate_init`. Then it falls to nearly zero. Both
    phases follow half a cosine.
    """

    has_fixed_length: ClassVar[bool] = True
    warmup_fraction: ClassVar[float] = 0.3
    initial_factor: ClassVar[float] = 1 / 25
    final_factor: ClassVar[float] = 1e-4 / 25

    def rates(self, state):
        progress = state.progress
        up = 1.0 - (1.0 - self.initial_factor) * _half_cosine(
            progress / self.warmup_fraction
        )
        down = (progress - self.warmup_fraction) / (1.0 - self.warmup_fraction)
        down = self.final_factor + (1.0 - self.final_factor) * _half_cosine(down)
        return self.learning_rate_init * np.where(
            progress < self.warmup_fraction, up, down
        )


def _half_cosine(fraction):
    """Return half a cosine wave from 1 at a fraction of 0 to 0 at a fraction of 1."""
    return 0.5 * (1.0 + np.cos(math.pi * fraction))


@dataclass(frozen=True)
class WarmUp:
    """Schedule with a linear warm-up during the first steps.

    Parameters
    ----------
    schedule : Schedule
        Schedule whose rates are reduced during the warm-up.
    warmup_steps : int
        Number of warm-up steps. Step ``t <= warmup_steps``, counted from 1, uses
        ``t / warmup_steps`` of the scheduled rate.
    """

    schedule: Schedule
    warmup_steps: int

    @property
    def learning_rate_init(self):
        """Initial learning rate of the wrapped schedule."""
        return self.schedule.learning_rate_init

    @property
    def has_fixed_length(self):
        """Whether the wrapped schedule is planned for `max_iter` epochs."""
        return self.schedule.has_fixed_length

    def rates(self, state):
        """Return the learning rates of the coming epoch; see `Schedule.rates`."""
        steps = state.step + 1 + np.arange(state.n_steps)
        factor = np.minimum(steps / self.warmup_steps, 1.0)
        return self.schedule.rates(state) * factor

    def should_stop(self, n_plateaus):
        """Return whether training should stop; see `Schedule.should_stop`."""
        return self.schedule.should_stop(n_plateaus)


#: Schedules by the names that the estimators accept.
SCHEDULES = {
    "constant": Constant,
    "invscaling": InvScaling,
    "adaptive": Adaptive,
    "exponential": Exponential,
    "cosine": Cosine,
    "one_cycle": OneCycle,
}
