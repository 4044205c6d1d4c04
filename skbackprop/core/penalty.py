"""L2 and L1 penalties on weights.

The strengths include the division by the number of samples: with the parameters of the
cost C in `objective`, ``l2 = alpha / n`` and ``l1 = l1_alpha / n``.
"""

import numpy as np

from .blas import asum, axpy, dot


def penalty(weights, l2, l1):
    """Compute the penalty ``l2/2 ||w||^2 + l1 ||w||_1``.

    Parameters
    ----------
    weights : ndarray of shape (n,)
        Contiguous vector of weights.
    l2, l1 : float
        Strengths of the penalties.

    Returns
    -------
    float
        Penalty.
    """
    value = 0.0
    if l2 and weights.size:
        value += 0.5 * l2 * dot(weights, weights)
    if l1 and weights.size:
        value += l1 * asum(weights)
    return value


def add_gradient(weights, gradient, l2, l1, scratch):
    """Add the gradient of the penalty, ``l2 w + l1 sign(w)``, to `gradient`.

    Parameters
    ----------
    weights, gradient : ndarray of shape (n,)
        Contiguous vectors; `gradient` is modified.
    l2, l1 : float
        Strengths of the penalties.
    scratch : ndarray of shape (n,)
        Buffer, overwritten if there is an L1 penalty.
    """
    if l2 and weights.size:
        axpy(l2, weights, gradient)
    if l1 and weights.size:
        np.sign(weights, out=scratch)
        axpy(l1, scratch, gradient)
