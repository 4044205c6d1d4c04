"""Descent over all samples at once: L-BFGS in the place of mini-batches."""

import math
from itertools import accumulate, count, pairwise

import numpy as np
from scipy.optimize import minimize

from .layout import BLOCK_ROWS, norms, row_blocks
from .training import StopReason


def lbfgs(training, loss_term=None):
    """Minimise over all samples at once, by SciPy's L-BFGS-B.

    Byrd, Lu, Nocedal and Zhu (SIAM J. Sci. Comput. 1995). SciPy computes in
    float64; parameters and gradients keep the dtype of the network.

    Parameters
    ----------
    training : Training
        See `Training.run`.
    loss_term : callable, default=None
        Returns the loss term of C and its gradient, like `FullBatchLoss`; None for samples
        that lie here.

    Returns
    -------
    StopReason
    """
    config, network = training.config, training.state.network
    full_gradient = FullGradient(training, loss_term)
    accepted_params = network.params.astype(np.float64)
    evaluations = count()

    def evaluate(params):
        # What is evaluated at the start is not yet part of an iteration.
        if next(evaluations):
            training.begin_epoch()
        return full_gradient(params)

    def end_iteration(intermediate_result):
        accepted_params[...] = network.params[...] = intermediate_result.x
        loss = full_gradient.display_loss(intermediate_result.fun)
        try:
            training.end_epoch(loss, math.nan, full_gradient.gradient_norms)
        except StopIteration as error:  # which would have a meaning for SciPy
            raise RuntimeError("An observer raised StopIteration.") from error
        if training.stopped_early or training.stopped:
            raise StopIteration

    try:
        result = minimize(
            evaluate,
            accepted_params.copy(),
            jac=True,
            method="L-BFGS-B",
            callback=end_iteration,
            options={
                "maxiter": config.max_iter,
                "maxfun": config.max_fun,
                "gtol": config.tol,
            },
        )
    except KeyboardInterrupt:
        network.params[...] = accepted_params
        raise
    network.params[...] = result.x
    training.state.loss = full_gradient.display_loss(result.fun)
    if result.status == 0 or training.stopped_early:
        return StopReason("converged")
    if training.stopped:
        return StopReason("stopped")
    reason = "max_iter" if result.status == 1 else "failed"
    return StopReason(reason, f"(status={result.status}):\n{result.message}\n")


class FullBatchLoss:
    """The loss term of C and its gradient, summed over blocks of samples.

    Parameters
    ----------
    objective : Objective
        Of the network, at whose present parameters they are.
    samples : Samples
        All of them, or those that lie here.
    """

    def __init__(self, objective, samples):
        self.objective, self.samples = objective, samples
        self.work = objective.workspace(samples, min(len(samples), BLOCK_ROWS))

    def __call__(self, n):
        """Return what these samples contribute to C, and to its gradient.

        Parameters
        ----------
        n : int
            The n of C.

        Returns
        -------
        loss : float
        gradient : ndarray of shape (n_params,), float64
        """
        loss, gradient = 0.0, np.zeros(self.work.grad.size)
        for rows in row_blocks(len(self.samples), self.work.n_rows):
            block = self.work.head(rows.stop - rows.start)
            self.samples.slice(rows, block)
            loss += self.objective.loss_and_gradient(block, n)
            gradient += block.grad
        return loss, gradient


class FullGradient:
    """Cost and gradient over all samples.

    Its `gradient_norms` are those of the weights of each layer in the last
    evaluation, without the penalty.
    """

    def __init__(self, training, loss_term=None):
        self.objective, self.samples = training.objective, training.samples
        self.loss_term = loss_term or FullBatchLoss(self.objective, self.samples)
        self.network = training.state.network
        bounds = accumulate((W.size for W in self.network.weights), initial=0)
        self.layer_slices = [slice(*pair) for pair in pairwise(bounds)]

    def display_loss(self, cost):
        """Return a cost at the present parameters as it is reported."""
        penalty = self.objective.penalty(len(self.samples))
        return self.objective.display_loss(cost - penalty, penalty)

    def __call__(self, params):
        """Return C and its gradient, an array of float64, at these parameters."""
        self.network.params[...] = params
        n = len(self.samples)
        loss, total = self.loss_term(n)
        self.gradient_norms = norms([total[layer] for layer in self.layer_slices])
        n_weights = self.network.n_weights
        weights = self.network.params[:n_weights]
        scratch = np.empty_like(total[:n_weights])
        penalty = self.objective.penalize(weights, total[:n_weights], n, scratch)
        return loss + penalty, total
