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
        grad *= rate
        if not self.momentum:
            params -= grad
            return
        (velocity,) = slots
        velocity *= self.momentum
        velocity -= grad
        if self.nesterovs_momentum:
            params -= grad
            np.multiply(velocity, self.momentum, out=scratch)
            params += scratch
        else:
            params += velocity


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
        m *= self.beta_1
        m += grad
        grad *= grad
        v *= self.beta_2
        v += grad
        np.sqrt(v, out=scratch)
        scratch += self.epsilon / root
        np.divide(m, scratch, out=grad)
        grad *= rate * (1.0 - self.beta_1) / root
        params -= grad


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
        np.square(grad, out=scratch)
        scratch *= 1.0 - self.beta_2
        v *= self.beta_2
        v += scratch
        np.sqrt(v, out=scratch)
        scratch += self.epsilon
        grad /= scratch
        grad *= rate
        params -= grad


#: Optimisers of mini-batches, by the names that estimators take.
OPTIMIZERS = {
    "sgd": SGD,
    "adam": Adam,
    "adamw": AdamW,
    "rmsprop": RMSProp,
}
