"""Optimizers: update rules for the parameters.

Optimizers are stateless. The caller stores the optimizer state (velocity or moment
estimates) in an array with `slots` rows, one for each quantity. Each step updates flat
vectors in place and overwrites the gradient with temporary values.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .blas import axpy, scal


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent with optional momentum.

    Each step computes ``v <- momentum v - rate g`` and then ``w <- w + v``. Nesterov
    momentum uses ``w <- w + momentum v - rate g`` instead. Sutskever et al. (ICML
    2013), equations 1 to 4.

    Parameters
    ----------
    momentum : float, default=0.9
        Momentum coefficient, in [0, 1]. Set to 0 for plain gradient descent.
    nesterovs_momentum : bool, default=True
        Whether to use Nesterov momentum. Only used if `momentum` is not 0.
    """

    momentum: float = 0.9
    nesterovs_momentum: bool = True
    #: Whether the length of a step does not depend on the scale of the gradients.
    normalizes_gradients: ClassVar[bool] = False
    #: Whether the caller applies weight decay instead of an L2 penalty.
    decays_weights: ClassVar[bool] = False

    @property
    def slots(self):
        """Number of state rows: 1 for the velocity, or 0 without momentum."""
        return 1 if self.momentum else 0

    @property
    def compiled_kernel(self):
        """Name of the compiled kernel."""
        if not self.momentum:
            return "gradient_descent"
        return "nesterov" if self.nesterovs_momentum else "momentum"

    def coefficients(self, rate, t):
        """Return the coefficients of the compiled kernel for step `t`."""
        return (rate, self.momentum) if self.momentum else (rate,)

    def step(self, params, grad, slots, scratch, rate, t):
        """Update the parameters in place.

        Parameters
        ----------
        params : ndarray of shape (n_params,)
            Parameters to update.
        grad : ndarray of shape (n_params,)
            Gradient of the cost; overwritten.
        slots : sequence of ndarray of shape (n_params,)
            Optimizer state, updated in place; zeros before the first step.
        scratch : ndarray of shape (n_params,)
            Buffer for temporary values.
        rate : float
            Learning rate.
        t : int
            Step number, starting at 1.
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
    """Adam (adaptive moment estimation); Kingma and Ba (ICLR 2015), algorithm 1.

    Parameters
    ----------
    beta_1 : float, default=0.9
        Decay rate of the first moment (the mean of the gradients), in [0, 1).
    beta_2 : float, default=0.999
        Decay rate of the second moment (the mean of the squared gradients), in [0, 1).
    epsilon : float, default=1e-8
        Term added to the denominator to prevent overflow.
    """

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    slots: ClassVar[int] = 2
    normalizes_gradients: ClassVar[bool] = True
    decays_weights: ClassVar[bool] = False
    #: Name of the compiled kernel.
    compiled_kernel: ClassVar[str] = "adam"

    def coefficients(self, rate, t):
        """Return the coefficients of step `t`.

        The slots store m / (1 - beta_1) and v / (1 - beta_2), which saves one pass over
        memory for each. The step size and epsilon are rescaled to compensate.

        Parameters
        ----------
        rate : float
            Learning rate.
        t : int
            Step number, starting at 1.

        Returns
        -------
        tuple of float
            Step size, beta_1, beta_2 and epsilon.
        """
        root = math.sqrt(1.0 - self.beta_2)
        rate *= math.sqrt(1.0 - self.beta_2**t) / (1.0 - self.beta_1**t)
        step_size = rate * (1.0 - self.beta_1) / root
        return step_size, self.beta_1, self.beta_2, self.epsilon / root

    def step(self, params, grad, slots, scratch, rate, t):
        """Update the parameters in place; see `SGD.step`."""
        m, v = slots
        step_size, _, _, epsilon = self.coefficients(rate, t)
        scal(self.beta_1, m)
        axpy(1.0, grad, m)
        np.multiply(grad, grad, out=grad)
        scal(self.beta_2, v)
        axpy(1.0, grad, v)
        # `grad` serves as scratch memory below, because a fifth vector would occupy
        # more of the CPU cache.
        np.sqrt(v, out=grad)
        grad += epsilon
        np.divide(m, grad, out=grad)
        axpy(-step_size, grad, params)


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay.

    ``w <- w - rate (alpha w + s)``, with the search direction s of Adam; Loshchilov and
    Hutter (ICLR 2019), algorithm 2. The caller applies the decay, because the optimizer
    does not distinguish weights from biases.
    """

    decays_weights: ClassVar[bool] = True
    compiled_kernel: ClassVar[str] = "adam"


@dataclass(frozen=True)
class RMSProp:
    """RMSProp; Hinton (2012), lecture 6e.

    Gradients are divided by the root of their mean square. The mean square starts at
    zero and has no bias correction, so that early steps are longer than `rate`. The
    first step is longer by a factor of ``1 / sqrt(1 - beta_2)``.

    Parameters
    ----------
    beta_2 : float, default=0.999
        Decay rate of the mean square, in [0, 1).
    epsilon : float, default=1e-8
        Term added to the denominator to prevent overflow.
    """

    beta_2: float = 0.999
    epsilon: float = 1e-8
    slots: ClassVar[int] = 1
    normalizes_gradients: ClassVar[bool] = True
    decays_weights: ClassVar[bool] = False
    compiled_kernel: ClassVar[str] = "rmsprop"

    def coefficients(self, rate, t):
        """Return the coefficients of the compiled kernel for step `t`."""
        return rate, self.beta_2, self.epsilon

    def step(self, params, grad, slots, scratch, rate, t):
        """Update the parameters in place; see `SGD.step`."""
        (v,) = slots
        np.multiply(grad, grad, out=scratch)
        scal(self.beta_2, v)
        axpy(1.0 - self.beta_2, scratch, v)
        np.sqrt(v, out=scratch)
        scratch += self.epsilon
        np.divide(grad, scratch, out=grad)
        axpy(-rate, grad, params)


#: Mini-batch optimizers by the names that the estimators accept.
OPTIMIZERS = {
    "sgd": SGD,
    "adam": Adam,
    "adamw": AdamW,
    "rmsprop": RMSProp,
}
