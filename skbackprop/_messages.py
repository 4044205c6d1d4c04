"""What a fit tells its user: the epochs, and why it ended."""

import math
import warnings

from sklearn.exceptions import ConvergenceWarning


def print_epoch(n_epochs, record):
    """Print the loss of an epoch, and the score of held-out samples if there is one."""
    print(f"Iteration {n_epochs}, loss = {record.loss:.8f}")
    if not math.isnan(record.validation_score):
        print(f"Validation score: {record.validation_score:f}")


def explain_end(estimator, outcome):
    """Warn, or print, why the training of an estimator ended.

    Parameters
    ----------
    estimator : BaseBackprop
        Trained.
    outcome : Outcome
        Of its training.
    """
    scaling = "" if estimator.standardize else ", or scale the data: standardize=True"
    if outcome.reason == "interrupted":
        warnings.warn(
            "Training interrupted by user. The weights reached so far, after "
            f"{estimator.n_iter_} whole epochs, are kept and can be used.",
            stacklevel=3,
        )
    elif outcome.reason == "converged" and estimator.verbose:
        what = "Validation score" if estimator.early_stopping else "Training loss"
        print(
            f"{what} did not improve more than tol={estimator.tol:f} for "
            f"{estimator.n_iter_no_change} consecutive epochs. Stopping."
        )
    elif estimator.solver == "lbfgs" and outcome.message:
        warnings.warn(
            f"lbfgs failed to converge after {estimator.n_iter_} iteration(s) "
            f"{outcome.message}\nIncrease the number of iterations to improve "
            f"the convergence (max_iter={estimator.max_iter}){scaling}.",
            ConvergenceWarning,
            stacklevel=3,
        )
    elif outcome.reason == "max_iter":
        warnings.warn(
            f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) reached "
            "and the optimization hasn't converged yet. Increase max_iter, raise "
            f"tol or learning_rate_init{scaling}.",
            ConvergenceWarning,
            stacklevel=3,
        )
