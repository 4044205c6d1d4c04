"""Cost function of a network and its gradient.

With the relative weight r_i of sample i, the cost is::

    C = 1/n sum_i r_i loss(y_i, a_i)
        + alpha/(2 n) sum_l ||W[l]||^2 + l1_alpha/n sum_l ||W[l]||_1

Here n is the number of samples in the training set or in one mini-batch. Relative
weights are sample weights divided by the mean weight of the training set. The sum over
a batch is divided by the number of rows, not by the sum of their weights. Therefore a
batch with large sample weights has more influence than a batch with small weights.

Sample weights count as repetitions of samples. Therefore the estimators divide `alpha`
and `l1_alpha` by the mean sample weight, or by the fraction of the samples with a
nonzero weight if this fraction is larger; see `WeightTotals.penalty_divisor`.
"""

import numpy as np

from .blas import asum, axpy, dot
from .layout import row_blocks
from .workspace import Workspace


class Objective:
    """Cost function C: a loss on the outputs and a penalty on the weights.

    Parameters
    ----------
    network : Network
        Network to train.
    loss : Loss
        Loss of each sample and output.
    alpha : float
        Strength of the L2 penalty.
    n_averaged : int, default=1
        Divisor of the reported loss term. It has no effect on the gradient.
    l1_alpha : float, default=0.0
        Strength of the L1 penalty.
    """

    def __init__(self, network, loss, alpha, n_averaged=1, l1_alpha=0.0):
        self.network = network
        self.loss = loss
        self.alpha, self.l1_alpha = alpha, l1_alpha
        self.n_averaged = n_averaged
        # For a canonical pair, the derivatives of loss and activation cancel.
        self.is_canonical = loss.canonical is type(network.activations[-1])
        self._output_error = self._canonical_error if self.is_canonical else self._error

    def _error(self, work, a, z, delta):
        """Write delta = dC/da * f'(z), equation (BP1)."""
        self.loss.gradient(work.y, a, delta)
        f = self.network.activations[-1]
        f.backward(delta, a, z, work.scratch[-1])

    def _canonical_error(self, work, a, z, delta):
        """Write delta = a - y, equation (BP1) for a canonical pair."""
        np.subtract(a, work.y, out=delta)

    def workspace(self, samples, n_rows, activations=None):
        """Allocate the buffers for batches of at most `n_rows` samples."""
        return Workspace(self.network, n_rows, samples.X, activations)

    def _loss_sum(self, work, a):
        """Return the sum of the losses of all rows and outputs, with their weights."""
        scratch = work.delta[-1]  # unused until the error is written
        return self.loss.total(work.y, a, work.z[-1], scratch, work.weight)

    def loss_and_gradient(self, work, n_rows):
        """Compute the loss term of C and its gradient for one batch.

        Parameters
        ----------
        work : Workspace
            Workspace that contains the batch. The gradient is written to ``work.grad``.
        n_rows : int
            Number of samples, the n in the definition of C.

        Returns
        -------
        float
            Loss term of C.
        """
        cost = self.hidden_gradients(work, n_rows)
        self.network.first_layer_gradient(work)
        return cost

    def hidden_gradients(self, work, n_rows):
        """Compute the loss term of C and all gradients except ``work.dW[0]``.

        See `loss_and_gradient` for the parameters and the return value.
        """
        scale = 1.0 / n_rows
        a = self.network.forward(work.x, work)
        cost = scale * self._loss_sum(work, a)
        delta = work.delta[-1]
        self._output_error(work, a, work.z[-1], delta)
        if work.weight is None:
            delta *= scale
        else:
            np.multiply(work.weight[:, np.newaxis], scale, out=work.row_scale)
            delta *= work.row_scale
        self.network.backward(work)
        return cost

    def penalize(self, weights, grad, n_rows, scratch):
        """Compute the penalty term of C and add its gradient to `grad`.

        Parameters
        ----------
        weights : ndarray of shape (n,)
            All weights or a part of the weights.
        grad : ndarray of shape (n,)
            Gradient of the loss term for these weights; modified in place.
        n_rows : int
            Number of samples, the n in the definition of C.
        scratch : ndarray of shape (n,)
            Buffer, overwritten if there is an L1 penalty.

        Returns
        -------
        float
            Contribution of these weights to the penalty term of C.
        """
        if self.alpha:
            axpy(self.strength(n_rows), weights, grad)
        if self.l1_alpha:
            np.sign(weights, out=scratch)
            axpy(self.l1_alpha / n_rows, scratch, grad)
        return self._compute_penalty(weights, n_rows)

    @property
    def has_penalty(self):
        """Whether C has a penalty term."""
        return bool(self.alpha or self.l1_alpha)

    def strength(self, n_rows):
        """Return the factor of the weights in the gradient of the L2 penalty."""
        return self.alpha / n_rows

    def penalty(self, n_rows):
        """Return the penalty term of C for `n_rows` rows."""
        W = self.network.params[: self.network.n_weights]
        return self._compute_penalty(W, n_rows)

    def _compute_penalty(self, W, n_rows):
        penalty = 0.0
        if self.alpha:
            penalty += 0.5 * self.alpha * dot(W, W)
        if self.l1_alpha:
            penalty += self.l1_alpha * asum(W)
        return penalty / n_rows

    def display_loss(self, loss_term, penalty_term):
        """Return the loss that is reported and monitored for convergence."""
        return loss_term / self.n_averaged + penalty_term

    def mean_loss(self, samples, work):
        """Compute the weighted mean loss of samples, without the penalty.

        Parameters
        ----------
        samples : Samples
            Samples to evaluate, with weights relative to their own mean weight.
        work : Workspace
            Workspace for these samples.

        Returns
        -------
        float
            Weighted mean loss, as reported.
        """
        total = 0.0
        for rows in row_blocks(samples.n_samples, work.n_rows):
            block = work.head(rows.stop - rows.start)
            samples.slice(rows, block)
            total += self._loss_sum(block, self.network.forward(block.x, block))
        return self.display_loss(total / samples.n_samples, 0.0)
