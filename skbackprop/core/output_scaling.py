"""Scaling of regression targets that suits the output activation."""

import math

import numpy as np

from .activations import CumulativeSoftplus, Exp, Identity, LeakyReLU, ReLU


def choose_target_scaling(activation):
    """Return how to scale the targets of a network with an output activation.

    Parameters
    ----------
    activation : Activation
        Activation of the output layer.

    Returns
    -------
    {"standardize", "standardize_jointly", "divide"} or None
        - "standardize": subtract the mean of each target and divide by its standard
          deviation.
        - "standardize_jointly": the same with one mean and one standard deviation for
          all targets, so that outputs stay in order.
        - "divide": divide each target by its root mean square, so that zero stays zero.
        - None: targets are not scaled.
    """
    low, high = activation.output_range
    if isinstance(activation, Identity):
        return "standardize"
    if isinstance(activation, CumulativeSoftplus):
        return "standardize_jointly"
    has_only_lower_bound = low > -math.inf and high == math.inf
    if has_only_lower_bound or isinstance(activation, LeakyReLU):
        return "divide"
    return None


def can_rescale_outputs(activation):
    """Return whether `rescale_outputs` supports an output activation."""
    return type(activation) in _RESCALE


def rescale_outputs(activation, W, b, factor, shift):
    """Change the output layer so that the outputs become ``factor * a + shift``.

    Parameters
    ----------
    activation : Activation
        Activation of the output layer. It may be modified.
    W : ndarray of shape (fan_in, n_outputs)
        Weights of the output layer, modified in place.
    b : ndarray of shape (n_outputs,)
        Biases of the output layer, modified in place.
    factor : ndarray of shape (n_outputs,) or (1,)
        Positive factors.
    shift : ndarray of shape (n_outputs,) or (1,)
        Shifts; zero unless targets are standardized with `activation`.
    """
    _RESCALE[type(activation)](activation, W, b, factor, shift)


def _rescale_linear(activation, W, b, factor, shift):
    W *= factor
    b *= factor
    b += shift


def _rescale_exp(activation, W, b, factor, shift):
    b += np.log(factor)


def _rescale_cumulative(activation, W, b, factor, shift):
    # All outputs have the same factor and the same shift.
    activation.unit *= float(factor[0])
    W[:, 0] *= factor[0]
    b[0] = factor[0] * b[0] + shift[0]


_RESCALE = {
    Identity: _rescale_linear,
    ReLU: _rescale_linear,
    LeakyReLU: _rescale_linear,
    Exp: _rescale_exp,
    CumulativeSoftplus: _rescale_cumulative,
}
