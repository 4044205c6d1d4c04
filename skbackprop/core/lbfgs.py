"""Full-batch training with L-BFGS."""

import math
from itertools import accumulate, count, pairwise

import numpy as np
from scipy.optimize import minimize

from .blas import norms
from .layout import BLOCK_ROWS, row_blocks
from .training import StopReason


def lbfgs(training, loss_term=None):
    """Minimize the cost over all samples with the L-BFGS-B solver of SciPy.

    Byrd, Lu, Nocedal and Zhu (SIAM J. Sci. Comput. 1995). SciPy computes in float64;
    the network keeps its own dtype.

    Parameters
    ----------
    training : Training
        Training to run; see `Training.run`.
    loss_term : callable, default=None
        Function that returns the loss term of C and its gradient, with the signature of
        `FullBatchLoss`. If None, the samples of `training` are used.

    Returns
    -------
    StopReason
        Reason why training stopped.
    """
    config, network = training.config, training.state.network
    full_gradient = FullGradient(training, loss_term)
    accepted_params = network.params.astype(np.float64)
    evaluations = count()

    def evaluate(params):
        # The first evaluation, at the initial parameters, precedes all iterations.
        if next(evaluations):
            training.begin_epoch()
        return full_gradient(params)

    def end_iteration(intermediate_result):
        accepted_params[...] = network.params[...] = intermediate_result.x
        loss = full_gradient.display_loss(intermediate_result.fun)
        try:
            training.end_epoch(loss, math.nan, full_gradient.gradient_norms)
        except StopIteration as error:
            # SciPy interprets StopIteration as a request to stop.
            raise RuntimeError(
                "A callback or scorer raised StopIteration during solver='lbfgs'. To "
                "stop training, return True from an EpochEndCallback function."
            ) from error
        if training.stops_early or training.stopped:
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
                "gtol": config.gradient_tol,
                "ftol": config.loss_tol,
            },
        )
    except KeyboardInterrupt:
        network.params[...] = accepted_params
        raise
    network.params[...] = result.x
    loss = full_gradient.display_loss(result.fun)
    training.check_finite(loss)
    training.state.loss = loss
    if result.status == 0 or training.stops_early:
        return StopReason("converged")
    if training.stopped:
        return StopReason("stopped")
    reason = "max_iter" if result.status == 1 else "failed"
    return StopReason(reason, f"(status={result.status}):\n{result.message}\n")


class FullBatchLoss:
    """Loss term of C and its gradient, summed over blocks of samples.

    Parameters
    ----------
    objective : Objective
        Cost function, evaluated at the current parameters of its network.
    samples : Samples
        All training samples, or the samples of one worker.
    """

    def __init__(self, objective, samples):
        self.objective, self.samples = objective, samples
        self.work = objective.workspace(samples, min(samples.n_samples, BLOCK_ROWS))

    def __call__(self, n):
        """Return the contribution of the samples to C and to its gradient.

        Parameters
        ----------
        n : int
            Total number of samples, the n in the definition of C.

        Returns
        -------
        loss : float
            Contribution to the loss term of C.
        gradient : ndarray of shape (n_params,), float64
            Contribution to the gradient of the loss term.
        """
        loss, gradient = 0.0, np.zeros(self.work.grad.size)
        for rows in row_blocks(self.samples.n_samples, self.work.n_rows):
            block = self.work.head(rows.stop - rows.start)
            self.samples.slice(rows, block)
            loss += self.objective.loss_and_gradient(block, n)
            gradient += block.grad
        return loss, gradient


class FullGradient:
    """Cost and gradient over all samples.

    Parameters
    ----------
    training : Training
        Training that provides the objective and the samples.
    loss_term : callable, default=None
        Function that returns the loss term of C and its gradient; see `lbfgs`.

    Attributes
    ----------
    gradient_norms : tuple of float
        Norm of the gradient of the weights of each layer in the last evaluation,
        without the penalty.
    """

    def __init__(self, training, loss_term=None):
        self.objective, self.samples = training.objective, training.samples
        self.loss_term = loss_term or FullBatchLoss(self.objective, self.samples)
        self.network = training.state.network
        bounds = accumulate((W.size for W in self.network.weights), initial=0)
        self.layer_slices = [slice(*pair) for pair in pairwise(bounds)]

    def display_loss(self, cost):
        """Return the reported loss for a cost at the current parameters."""
        penalty = self.objective.penalty(self.samples.n_samples)
        return self.objective.display_loss(cost - penalty, penalty)

    def __call__(self, params):
        """Return the cost C and its float64 gradient at `params`."""
        self.network.params[...] = params
        n = self.samples.n_samples
        loss, total = self.loss_term(n)
        self.gradient_norms = norms([total[layer] for layer in self.layer_slices])
        n_weights = self.network.n_weights
        weights = self.network.params[:n_weights]
        scratch = np.empty_like(total[:n_weights])
        penalty = self.objective.penalize(weights, total[:n_weights], n, scratch)
        return loss + penalty, total
