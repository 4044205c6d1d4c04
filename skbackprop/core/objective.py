"""The cost of a network on its samples, and its gradient.

With w_i the weight of sample i and w its mean over all of them::

    C = 1/(n w) sum_i w_i loss(y_i, a_i)
        + alpha/(2 n w) sum_l ||W[l]||^2 + l1_alpha/(n w) sum_l ||W[l]||_1

where n counts the samples of the whole set, or of one mini-batch. A batch is
divided by its number of rows, not by its own sum of weights, so that a batch
of heavy samples weighs more than a batch of light ones.
"""

import numpy as np

from .blas import asum, axpy, dot
from .layout import row_blocks


class Objective:
    """What is minimised: a loss on the outputs, and a penalty on the weights.

    Parameters
    ----------
    network : Network
        Whose parameters are sought.
    loss : Loss
        The loss of one output.
    alpha : float
        Strength of the L2 penalty.
    mean_weight : float
        Mean of the sample weights over the whole training set.
    n_averaged : int, default=1
        The loss term is divided by this where it is reported, and only there.
    l1_alpha : float, default=0.0
        Strength of the L1 penalty.
    """

    def __init__(self, network, loss, alpha, mean_weight, n_averaged=1, l1_alpha=0.0):
        self.network = network
        self.loss = loss
        self.alpha, self.l1_alpha = alpha, l1_alpha
        self.mean_weight = mean_weight
        self.n_averaged = n_averaged
        # The slope of the activation and the slope of the loss may cancel.
        is_canonical = loss.canonical is type(network.activations[-1])
        self._output_error = self._canonical_error if is_canonical else self._error

    def _error(self, work, a, z, delta):
        """Write delta = dC/da * f'(z), equation (BP1)."""
        self.loss.gradient(work.y, a, delta)
        f = self.network.activations[-1]
        f.backward(delta, a, z, work.scratch[-1])

    def _canonical_error(self, work, a, z, delta):
        """Write delta = a - y, which (BP1) comes to for a canonical pair."""
        np.subtract(a, work.y, out=delta)

    def workspace(self, samples, n_rows, activations=None):
        """Make the buffers to evaluate batches of at most `n_rows` samples."""
        return samples.workspace(self.network, n_rows, activations)

    def _loss_sum(self, work, a):
        """Return the weighted sum of the losses of all rows and outputs."""
        scratch = work.delta[-1]  # free until the error is written
        return self.loss.total(work.y, a, work.z[-1], scratch, work.weight)

    def loss_and_gradient(self, work, n_rows):
        """Evaluate the loss term of C for the batch in hand, and its gradient.

        Parameters
        ----------
        work : Workspace
            With the batch fetched; the gradient is written to its `grad`.
        n_rows : int
            The n of C.

        Returns
        -------
        float
            The loss term of C.
        """
        cost = self.hidden_gradients(work, n_rows)
        self.network.first_layer_gradient(work)
        return cost

    def hidden_gradients(self, work, n_rows):
        """Do as `descend` does, but leave the gradient of the first weights."""
        scale = 1.0 / (n_rows * self.mean_weight)
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
        """Evaluate the penalty term of C, and add its gradient to `grad`.

        Parameters
        ----------
        weights : ndarray of shape (n,)
            Some of the weights, or all.
        grad : ndarray of shape (n,)
            Their gradient; added to.
        n_rows : int
            The n of C.
        scratch : ndarray of shape (n,)
            Overwritten where there is an L1 penalty.

        Returns
        -------
        float
            What these weights contribute to the penalty term of C.
        """
        if self.alpha:
            axpy(self.strength(n_rows), weights, grad)
        if self.l1_alpha:
            np.sign(weights, out=scratch)
            axpy(self.l1_alpha / (n_rows * self.mean_weight), scratch, grad)
        return self._compute_penalty(weights, n_rows)

    @property
    def has_penalty(self):
        """Whether there is a penalty term at all."""
        return bool(self.alpha or self.l1_alpha)

    def strength(self, n_rows):
        """Return the factor of the weights in the gradient of C for `n_rows` rows."""
        return self.alpha / (n_rows * self.mean_weight)

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
        return penalty / (n_rows * self.mean_weight)

    def display_loss(self, loss_term, penalty_term):
        """Return C as it is shown to the user and watched for improvement."""
        return loss_term / self.n_averaged + penalty_term

    def mean_loss(self, samples, work):
        """Evaluate the weighted mean loss of samples, without the penalty.

        Parameters
        ----------
        samples : Samples
            Divided by the sum of their own weights.
        work : Workspace
            Of these samples.

        Returns
        -------
        float
            The mean over samples, as it is reported.
        """
        total = 0.0
        for rows in row_blocks(len(samples), work.n_rows):
            block = work.head(rows.stop - rows.start)
            samples.slice(rows, block)
            total += self._loss_sum(block, self.network.forward(block.x, block))
        return self.display_loss(total / (len(samples) * samples.mean_weight), 0.0)
