"""Optimisers: how far, and which way, a gradient moves the parameters.

An optimiser is a rule without memory. What it remembers between steps (a
velocity, moments) stands in an array of `slots` rows, one for each quantity,
that its caller keeps. Every step works in place on flat vectors, and spends the
gradient: its content means nothing afterwards.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .blas import axpy, scal


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent, plain, with momentum, or Nesterov's.

    ``v <- momentum v - rate g``, then ``w <- w + v``, or with Nesterov's
    momentum ``w <- w + momentum v - rate g``; Sutskever et al. (ICML 2013),
    equations 1 to 4.

    Parameters
    ----------
    momentum : float, default=0.9
        Share of the last step kept in the next, in [0, 1]; 0 is plain descent.
    nesterovs_momentum : bool, default=True
        Whether to look ahead along the velocity.
    """

    momentum: float = 0.9
    nesterovs_momentum: bool = True
    decays_weights: ClassVar[bool] = False

    @property
    def slots(self):
        """Rows of memory: the velocity."""
        return 1 if self.momentum else 0

    def step(self, params, grad, slots, scratch, rate, t):
        """Move the parameters by one step.

        Parameters
        ----------
        params : ndarray of shape (n_params,)
            Changed in place.
        grad : ndarray of shape (n_params,)
            Their gradient; overwritten.
        slots : ndarray of shape (slots, n_params)
            The memory; zeros before the first step.
        scratch : ndarray of shape (n_params,)
            Overwritten.
        rate : float
            The learning rate.
        t : int
            Number of this step, from 1.
        """
        if not self.momentum:
            axpy(-rate, grad, params)
            return
        (velocity,) = slots
        scal(self.momentum, velocity)
        axpy(-rate, grad, velocity)
        if self.nesterovs_momentum:
            axpy(-rate, grad, params)
            axpy(self.momentum, velocity, params)
        else:
            axpy(1.0, velocity, params)


@dataclass(frozen=True)
class Adam:
    """Adaptive moments; Kingma and Ba (ICLR 2015), algorithm 1.

    Parameters
    ----------
    beta_1 : float, default=0.9
        Decay of the mean of the gradients, in [0, 1).
    beta_2 : float, default=0.999
        Decay of the mean of their squares, in [0, 1).
    epsilon : float, default=1e-8
        Keeps the division from overflowing.
    """

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    slots: ClassVar[int] = 2
    decays_weights: ClassVar[bool] = False

    def step(self, params, grad, slots, scratch, rate, t):
        """Move the parameters by one step; see `SGD.step`."""
        # The slots hold m / (1 - beta_1) and v / (1 - beta_2), which saves a
        # pass over memory each; `rate` and `epsilon` make up for it.
        m, v = slots
        root = math.sqrt(1.0 - self.beta_2)
        rate *= math.sqrt(1.0 - self.beta_2**t) / (1.0 - self.beta_1**t)
        scal(self.beta_1, m)
        axpy(1.0, grad, m)
        np.multiply(grad, grad, out=grad)
        scal(self.beta_2, v)
        axpy(1.0, grad, v)
        # From here on `grad` is scratch: a fifth vector would crowd the cache.
        np.sqrt(v, out=grad)
        grad += self.epsilon / root
        np.divide(m, grad, out=grad)
        axpy(-rate * (1.0 - self.beta_1) / root, grad, params)


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with the weights decayed apart from the gradient.

    ``w <- w - rate (alpha w + Adam's step)``; Loshchilov and Hutter (ICLR
    2019), algorithm 2. Its caller does the decay, for it knows which
    parameters are weights.
    """

    decays_weights: ClassVar[bool] = True


@dataclass(frozen=True)
class RMSProp:
    """Gradients divided by the root of their mean square; Hinton (2012), lecture 6e.

    The mean square starts at zero and is not corrected for it, so that early
    steps are longer than `rate`: by ``1 / sqrt(1 - beta_2)`` the first.

    Parameters
    ----------
    beta_2 : float, default=0.999
        Decay of the mean square, in [0, 1).
    epsilon : float, default=1e-8
        Keeps the division from overflowing.
    """

    beta_2: float = 0.999
    epsilon: float = 1e-8
    slots: ClassVar[int] = 1
    decays_weights: ClassVar[bool] = False

    def step(self, params, grad, slots, scratch, rate, t):
        """Move the parameters by one step; see `SGD.step`."""
        (v,) = slots
        np.multiply(grad, grad, out=scratch)
        scal(self.beta_2, v)
        axpy(1.0 - self.beta_2, scratch, v)
        np.sqrt(v, out=scratch)
        scratch += self.epsilon
        np.divide(grad, scratch, out=grad)
        axpy(-rate, grad, params)


#: Optimisers of mini-batches, by the names that estimators take.
OPTIMIZERS = {
    "sgd": SGD,
    "adam": Adam,
    "adamw": AdamW,
    "rmsprop": RMSProp,
}
