"""Comparison of regression targets with the range of the output activation."""

import math

import numpy as np


def check_output_range(estimator, architecture, scale, y):
    """Raise a ValueError if the network cannot predict the targets.

    Parameters
    ----------
    estimator : BackpropRegressor
        Estimator, for the error message.
    architecture : Architecture
        Architecture of the network.
    scale : float or ndarray of shape (n_outputs,)
        Scale of the targets, by which the outputs are multiplied.
    y : ndarray of shape (n_samples, n_outputs)
        Targets in their original units.

    Raises
    ------
    ValueError
        If a target is outside the range of the outputs.
    """
    low, high = architecture.output_activation.output_range
    if low == -math.inf and high == math.inf:
        return
    lows, highs = (np.broadcast_to(limit * scale, y.shape[1]) for limit in (low, high))
    minima, maxima = y.min(axis=0), y.max(axis=0)
    outside = np.flatnonzero((minima < lows) | (maxima > highs))
    if not outside.size:
        return
    k = outside[0]
    raise ValueError(
        f"output_activation={architecture.output_name!r} cannot predict all targets: y "
        f"has values from {minima[k]:g} to {maxima[k]:g}, but the predictions are "
        f"{_describe_range(lows[k], highs[k])}. {_get_remedy(estimator)}"
    )


def _describe_range(low, high):
    if high == math.inf:
        return f"at least {low:g}"
    return f"at most {high:g}" if low == -math.inf else f"between {low:g} and {high:g}"


def _get_remedy(estimator):
    name = estimator.output_activation
    if isinstance(name, str) and name == "auto":
        return "Shift or scale y to this range."
    return "Shift or scale y to this range, or use output_activation='auto'."
