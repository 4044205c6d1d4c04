"""Activations, losses, initializers and schedules defined by user functions."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .activations import Activation
from .initializers import WeightInitializer
from .losses import Loss
from .schedules import Schedule


class ActivationFromFunction(Activation):
    """Activation computed by a user-defined function.

    Parameters
    ----------
    function : callable
        ``function(z)`` returns ``f(z)`` and ``f'(z)``, two arrays of the shape of `z`.
    """

    def __init__(self, function):
        self.function = function

    def forward(self, z, out):
        out[...] = self.function(z)[0]

    def backward(self, delta, a, z, scratch):
        delta *= self.function(z)[1]


class LossFromFunction(Loss):
    """Loss computed by a user-defined function.

    Parameters
    ----------
    function : callable
        ``function(y, a)`` returns the loss of each sample and output, and its
        derivative with respect to `a`: two arrays of the shape of `y` and `a`.
    """

    tasks = ("classification", "regression")

    def __init__(self, function):
        self.function = function

    def value(self, y, a, z, out):
        out[...] = self.function(y, a)[0]

    def gradient(self, y, a, out):
        out[...] = self.function(y, a)[1]


class InitializerFromFunction(WeightInitializer):
    """Initial weights computed by a user-defined function; biases are zero.

    Parameters
    ----------
    function : callable
        ``function(rng, fan_in, fan_out)`` returns the weights of a layer, an array of
        shape (fan_in, fan_out).
    """

    def __init__(self, function):
        self.function = function

    def draw_weights(self, rng, fan_in, fan_out):
        returned = self.function(rng, fan_in, fan_out)
        try:
            W = np.asarray(returned)
        except ValueError:  # The lists have unequal lengths.
            W = np.empty(0)
        is_numeric = W.dtype.kind in "fiub" and np.isfinite(W).all()
        if W.shape != (fan_in, fan_out) or not is_numeric:
            raise ValueError(
                f"init(rng, fan_in={fan_in}, fan_out={fan_out}) must return an "
                f"array of finite numbers of shape {(fan_in, fan_out)}, got {returned}."
            )
        return W


@dataclass(frozen=True)
class ScheduleFromFunction(Schedule):
    """Learning rates computed by a user-defined function.

    Parameters
    ----------
    learning_rate_init : float
        Not used.
    function : callable
        ``function(epoch, step)`` returns the learning rate of the coming step. The
        arguments are the number of completed epochs and steps of this fit, both
        starting at 0.
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
                f"learning_rate={self.function!r} must be the name of a schedule or a "
                "function learning_rate(epoch, step) that returns a number. The call "
                f"with epoch={epoch} and step={step} failed: {error}."
            ) from error
        if not 0.0 <= rate < math.inf:
            raise ValueError(
                f"learning_rate(epoch={epoch}, step={step}) returned {rate}. Learning "
                "rates must be finite and zero or more."
            )
        return rate
