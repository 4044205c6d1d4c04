"""Formulas of the activations as operations of an ONNX graph."""

import numpy as np
from numpy.polynomial import Chebyshev, Polynomial
from scipy.special import erfcx

from ..core.activations import (
    ACTIVATIONS,
    ELU,
    GELU,
    OUTPUT_ACTIVATIONS,
    CumulativeSoftplus,
    Exp,
    Identity,
    LeakyReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from ..core.user_functions import ActivationFromFunction
from .graph import exp, hstack, log, maximum, minimum, tanh, where

# ONNX Runtime does not implement Elu, LeakyRelu and Softplus in double precision, and
# its single-precision Sigmoid returns no values below 1e-8. The formulas below use
# operators that are accurate in both precisions.


def sigmoid(z):
    """Compute ``1 / (1 + exp(-z))``."""
    return (exp(-z) + 1.0).apply("Reciprocal")


def softplus(z):
    """Compute ``log(1 + exp(z))`` without overflow."""
    return maximum(z, 0.0) + log1p(exp(-abs(z)))


def log1p(u):
    """Compute ``log(1 + u)`` accurately for small `u`.

    Rounding makes ``w = 1 + u`` too large by ``w - 1 - u``. A first-order correction
    with the derivative ``1 / w`` removes this error.
    """
    w = u + 1.0
    return log(w) - (w - 1.0 - u) / w


#: Constant of the substitution ``s = (x - 4) / (x + 4)``, which maps x >= 0 to [-1, 1).
#: The scaled tail below is smooth in s. Source: Shepherd and Laframboise, Math. Comp.
#: 36 (1981), 249-253.
TAIL_CENTER = 4.0

#: Polynomial in s for ``exp(x**2 / 2)`` times the normal CDF at -x.
TAIL_POLYNOMIAL = Chebyshev.interpolate(
    lambda s: 0.5 * erfcx(TAIL_CENTER * (1.0 + s) / (1.0 - s) / np.sqrt(2.0)), 24
).convert(kind=Polynomial)


def normal_cdf(z):
    """Compute the cumulative distribution function of the standard normal."""
    if z.dtype == np.float32:
        return ((z * np.sqrt(0.5)).apply("Erf") + 1.0) * 0.5
    # ONNX Runtime does not implement Erf in double precision.
    x = abs(z)
    s = (x - TAIL_CENTER) / (x + TAIL_CENTER)
    *lower, tail = TAIL_POLYNOMIAL.coef
    for coefficient in lower[::-1]:
        tail = tail * s + coefficient
    tail *= exp(-0.5 * x * x)
    return where(z > 0.0, 1.0 - tail, tail)


def cumulative_softplus(z, unit):
    """Compute the cumulative sums of ``z_1`` and ``unit log(1 + exp(z_k))``."""
    start, one, end = (z.graph.constant(np.array([i])) for i in (0, 1, 2**31))
    first = z.apply("Slice", start, one, one)
    steps = unit * softplus(z.apply("Slice", one, end, one))
    return hstack([first, steps]).apply("CumSum", z.graph.constant(np.array(1)))


#: Formula of each built-in activation, as a function of the activation `f` and the
#: tensor `z`.
FORMULAS = {
    Identity: lambda f, z: z,
    Sigmoid: lambda f, z: sigmoid(z),
    Tanh: lambda f, z: tanh(z),
    ReLU: lambda f, z: maximum(z, 0.0),
    LeakyReLU: lambda f, z: maximum(z, f.negative_slope * z),
    ELU: lambda f, z: maximum(z, exp(minimum(z, 0.0)) - 1.0),
    GELU: lambda f, z: z * normal_cdf(z),
    SiLU: lambda f, z: z * sigmoid(z),
    Softplus: lambda f, z: softplus(z),
    Softmax: lambda f, z: z.apply("Softmax", attributes={"axis": 1}),
    Exp: lambda f, z: exp(z),
    CumulativeSoftplus: lambda f, z: cumulative_softplus(z, f.unit),
}


def check_activations(activations):
    """Raise a ValueError if an activation has no formula in `FORMULAS`.

    Parameters
    ----------
    activations : sequence of Activation
        Activations of the hidden layers, then of the output layer.
    """
    *hidden, output = activations
    layers = [
        (f"activation of hidden layer {l}", f, ACTIVATIONS)
        for l, f in enumerate(hidden, 1)
    ]
    layers.append(("output_activation", output, OUTPUT_ACTIVATIONS))
    for name, f, supported in layers:
        if type(f) not in FORMULAS:
            custom = f.function if isinstance(f, ActivationFromFunction) else f
            raise ValueError(
                f"Cannot export the {name} {custom!r} because only built-in "
                f"activations are supported. Use one of {', '.join(supported)}."
            )
