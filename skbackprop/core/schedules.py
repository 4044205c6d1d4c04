"""Learning-rate schedules: how large a step is as training goes on.

A schedule is a rule without memory: the rate of each step of an epoch follows
from where training stands as the epoch begins.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np


class ScheduleState(NamedTuple):
    """Where training stands as an epoch begins.

    Parameters
    ----------
    epoch : int
        Epochs so far, of this fit and the partial fits since.
    step : int
        Steps so far, counted as the epochs are.
    n_steps : int
        Steps of the coming epoch.
    n_seen : int
        Samples seen so far, counted anew in every epoch.
    n_plateaus : int
        How often so far the loss or score stopped improving.
    max_iter : int
        Epochs that are planned.
    """

    epoch: int
    step: int
    n_steps: int
    n_seen: int
    n_plateaus: int
    max_iter: int

    @property
    def progress(self):
        """The share of the planned epochs behind each coming step, in [0, 1).

        Partial fits beyond the plan begin it once more.
        """
        epochs = self.epoch % self.max_iter + np.arange(self.n_steps) / self.n_steps
        return epochs / self.max_iter


@dataclass(frozen=True)
class Schedule:
    """Base of every schedule.

    Parameters
    ----------
    learning_rate_init : float
        The rate that all others are measured by.
    """

    learning_rate_init: float
    #: Whether the plan is for `max_iter` epochs, all of which are to be gone through.
    has_fixed_length: ClassVar[bool] = False

    def rates(self, state):
        """Return the learning rates of the coming epoch.

        Parameters
        ----------
        state : ScheduleState
            Where training stands.

        Returns
        -------
        float or ndarray of shape (n_steps,)
            One for all steps, or one for each.
        """
        raise NotImplementedError

    def should_stop(self, n_plateaus):
        """Say whether the last plateau ends the training.

        Parameters
        ----------
        n_plateaus : int
            Plateaus met so far, at least 1.

        Returns
        -------
        bool
        """
        return True


@dataclass(frozen=True)
class Constant(Schedule):
    """The initial rate throughout."""

    def rates(self, state):
        return self.learning_rate_init


@dataclass(frozen=True)
class InvScaling(Schedule):
    """``rate = learning_rate_init / (n_seen + 1)**power_t``.

    Parameters
    ----------
    learning_rate_init : float
        The rate of the first epoch.
    power_t : float
        How fast the rate falls; 0 keeps it constant.
    """

    power_t: float

    def rates(self, state):
        return self.learning_rate_init / (state.n_seen + 1) ** self.power_t


@dataclass(frozen=True)
class Adaptive(Schedule):
    """The initial rate, divided by 5 at every plateau until it is at most 1e-6.

    What counts as a plateau is measured against the best loss ever met, so
    one lucky low loss early can bring the rate down too soon; scikit-learn
    does the same, and the numbers here follow it.
    """

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
    """``rate = learning_rate_init decay_rate**epoch``, a little less every step.

    Parameters
    ----------
    learning_rate_init : float
        The rate of the first step.
    decay_rate : float
        What an epoch leaves of the rate, in (0, 1].
    """

    decay_rate: float

    def rates(self, state):
        epochs = state.epoch + np.arange(state.n_steps) / state.n_steps
        return self.learning_rate_init * self.decay_rate**epochs


@dataclass(frozen=True)
class Cosine(Schedule):
    """Half a cosine from the initial rate down to zero, over `max_iter` epochs.

    Loshchilov and Hutter, "SGDR" (ICLR 2017), equation 5, with a restart where
    training goes on beyond `max_iter`.
    """

    has_fixed_length: ClassVar[bool] = True

    def rates(self, state):
        return self.learning_rate_init * _half_cosine(state.progress)


@dataclass(frozen=True)
class OneCycle(Schedule):
    """From 1/25 of the initial rate up to it, then down to nearly zero.

    Smith and Topin, "Super-convergence" (2018): the rate rises over the first
    30 % of `max_iter` epochs, here along half a cosine, and falls along
    another over the rest.
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
    """Return 1 at a share of 0, and 0 at a share of 1."""
    return 0.5 * (1.0 + np.cos(math.pi * fraction))


@dataclass(frozen=True)
class FromFunction(Schedule):
    """The rates that a user's function of the epoch and the step returns.

    Parameters
    ----------
    learning_rate_init : float
        Not used.
    function : callable
        ``function(epoch, step)`` with the epochs and the steps of this fit so
        far, both from 0, returns the rate of the coming step.
    """

    function: Callable

    def rates(self, state):
        steps = range(state.step, state.step + state.n_steps)
        rates = [self._rate(state.epoch, step) for step in steps]
        return np.array(rates)

    def _rate(self, epoch, step):
        try:
            rate = float(self.function(epoch, step))
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"learning_rate={self.function!r} must be a name, or a function "
                f"learning_rate(epoch, step) that returns a number: {error}."
            ) from error
        if not 0.0 <= rate < math.inf:
            raise ValueError(
                f"learning_rate(epoch={epoch}, step={step}) returned {rate}; allowed "
                "are finite rates of zero or more."
            )
        return rate


@dataclass(frozen=True)
class WarmUp:
    """Any schedule, with rates that rise in a line to its own in the first steps.

    Parameters
    ----------
    schedule : Schedule
        What comes afterwards.
    warmup_steps : int
        The first step whose rate is not lowered any more.
    """

    schedule: Schedule
    warmup_steps: int

    @property
    def has_fixed_length(self):
        """Whether the schedule is planned for `max_iter` epochs."""
        return self.schedule.has_fixed_length

    def rates(self, state):
        """Return the learning rates of the coming epoch; see `Schedule.rates`."""
        steps = state.step + 1 + np.arange(state.n_steps)
        factor = np.minimum(steps / self.warmup_steps, 1.0)
        return self.schedule.rates(state) * factor

    def should_stop(self, n_plateaus):
        """Say whether the last plateau ends the training; see `Schedule.ends`."""
        return self.schedule.should_stop(n_plateaus)


#: Schedules by the names that estimators take.
SCHEDULES = {
    "constant": Constant,
    "invscaling": InvScaling,
    "adaptive": Adaptive,
    "exponential": Exponential,
    "cosine": Cosine,
    "one_cycle": OneCycle,
}
