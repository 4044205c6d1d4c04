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

from .kernels import loss_kernel
from .layout import row_blocks
from .penalty import add_gradient, penalty
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

    def workspace(self, samples, n_rows, dropout=None):
        """Allocate the buffers for batches of at most `n_rows` samples.

        Parameters
        ----------
        samples : Samples
            Samples that the batches come from.
        n_rows : int
            Number of samples of the largest batch.
        dropout : Dropout, default=None
            Dropout in the hidden layers.

        Returns
        -------
        Workspace
        """
        kernel = loss_kernel(self.loss, self.is_canonical, self.network.sizes[-1])
        return Workspace(self.network, n_rows, samples.X, dropout, kernel)

    def _loss_sum(self, work):
        """Return the sum of the losses of all rows and outputs, with their weights."""
        scratch = work.scratch[-1]
        return work.loss.sum(work.y, work.a[-1], work.z[-1], work.weight, scratch)

    def _output_error(self, work, scale):
        """Write ``delta = scale dC/da * f'(z)``, equation (BP1), and its sums."""
        a, z, delta, db = work.a[-1], work.z[-1], work.delta[-1], work.db[-1]
        scratch = work.scratch[-1]
        work.loss.error(work.y, a, work.weight, scale, delta, db, scratch)
        if not self.is_canonical:
            work.layers[-1].backward(delta, a, z, db, scratch)

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
        self.network.forward(work.x, work)
        cost = scale * self._loss_sum(work)
        self._output_error(work, scale)
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
        l2, l1 = self.strengths(n_rows)
        add_gradient(weights, grad, l2, l1, scratch)
        return penalty(weights, l2, l1)

    def strengths(self, n_rows):
        """Return the factors of w and of sign(w) in the gradient of the penalties."""
        return self.alpha / n_rows, self.l1_alpha / n_rows

    def penalty(self, n_rows):
        """Return the penalty term of C for `n_rows` rows."""
        W = self.network.params[: self.network.n_weights]
        return penalty(W, *self.strengths(n_rows))

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
            self.network.forward(block.x, block)
            total += self._loss_sum(block)
        return self.display_loss(total / samples.n_samples, 0.0)
