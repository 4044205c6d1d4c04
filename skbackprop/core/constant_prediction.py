"""Loss of the best constant prediction, the reference of convergence tests."""

from typing import NamedTuple

import numpy as np
from scipy.special import logit

from .activations import Sigmoid

#: Number of target values per block.
BLOCK_SIZE = 65536

#: Squared-error loss and mean absolute error dC/dz of a sigmoid output, for the best
#: constant prediction of two balanced classes.
BALANCED_LOSS, BALANCED_ERROR = 0.125, 0.125


class ConstantPrediction(NamedTuple):
    """Mean loss and error of each output if all outputs are constant.

    Parameters
    ----------
    losses : ndarray of shape (n_outputs,)
        Mean loss of each output; 0.0 for constant targets.
    errors : ndarray of shape (n_outputs,)
        Mean absolute error dC/dz of each output; dC/da if the derivative of the
        activation depends on z.
    """

    losses: np.ndarray
    errors: np.ndarray

    @property
    def loss(self):
        """Loss term of C; 0.0 if the targets are constant."""
        return float(self.losses.sum())

    @property
    def loss_scale(self):
        """Loss relative to the loss for two balanced classes; at most 1.0."""
        return min(1.0, self.loss / BALANCED_LOSS) or 1.0

    @property
    def gradient_scale(self):
        """Smallest error relative to the error for two balanced classes; at most 1.0.

        The smallest error of all outputs is decisive, so that training does not stop
        before it has learned the rarest class. Constant outputs are ignored.
        """
        errors = self.errors[(self.losses > 0.0) & (self.errors > 0.0)]
        return float(errors.min(initial=BALANCED_ERROR)) / BALANCED_ERROR


def best_constant(loss, y, weight):
    """Return the constant outputs that minimize the loss.

    Parameters
    ----------
    loss : Loss
        Loss. The constant is a quantile of the targets if `loss.quantile` is not None,
        otherwise their mean.
    y : ndarray of shape (n_samples, n_outputs)
        Targets.
    weight : ndarray of shape (n_samples,) or None
        Sample weights. Samples with a negative weight are ignored.

    Returns
    -------
    ndarray of shape (n_outputs,), float64
    """
    if weight is not None:
        weight = np.maximum(weight, 0.0)
        weight = weight if weight.any() else None
    if loss.quantile is None:
        # The difference to a target keeps the mean of constant targets exact.
        first = y[0].astype(float)
        return first + np.average(y - first, axis=0, weights=weight)
    quantiles = np.broadcast_to(loss.quantile, y.shape[1])
    return np.array(
        [
            np.quantile(column, q, weights=weight, method="inverted_cdf")
            for column, q in zip(y.T, quantiles)
        ],
        float,
    )


def sum_of_constant(objective, samples, constant):
    """Return sums over the samples for constant outputs, for each output.

    Parameters
    ----------
    objective : Objective
        Objective with the loss and the output activation.
    samples : Samples
        Samples to evaluate.
    constant : ndarray of shape (n_outputs,)
        Constant outputs.

    Returns
    -------
    ndarray of shape (3, n_outputs)
        Weighted sums of the losses, of the absolute errors dC/dz, and of the absolute
        differences from the targets. The sums over several sets of samples can be
        added.
    """
    sums = np.zeros((3, constant.size))
    loss, f = objective.loss, objective.network.activations[-1]
    # The built-in losses read z only if the outputs are sigmoids.
    tiny, eps = np.finfo(float).tiny, np.finfo(float).eps
    z_constant = constant
    if isinstance(f, Sigmoid):
        z_constant = logit(constant.clip(tiny, 1.0 - eps))
    for y, weight in samples.target_blocks(max(1, BLOCK_SIZE // constant.size)):
        a, z, out, scratch = (np.empty(y.shape, order="F") for _ in range(4))
        a[...], z[...] = constant, z_constant
        weight = np.ones(len(y)) if weight is None else weight.astype(float)
        loss.value(y, a, z, out)
        sums[0] += weight @ out
        sums[2] += weight @ np.abs(y - constant)
        if objective.is_canonical:
            np.subtract(a, y, out=out)
        else:
            loss.gradient(y, a, out)
        if not (objective.is_canonical or f.needs_z):
            f.backward(out, a, z, scratch)
        sums[1] += weight @ np.abs(out)
    return sums


def evaluate_constant(objective, samples):
    """Evaluate the best constant outputs on samples.

    Parameters
    ----------
    objective : Objective
        Objective with the loss and the output activation.
    samples : TrainingSamples or DistributedSamples
        Samples with a positive sum of weights.

    Returns
    -------
    ConstantPrediction
    """
    constant = samples.best_constant(objective.loss)
    sums = samples.sum_of_constant(objective, constant)
    mean_weight = samples.weight_totals().mean
    losses, errors, differences = sums / (samples.n_samples * mean_weight)
    # Differences between equal targets are rounding errors.
    rounding = 4.0 * np.finfo(objective.network.dtype).eps * np.abs(constant)
    return ConstantPrediction(np.where(differences > rounding, losses, 0.0), errors)
