"""What a fit tells its user: the epochs, and why it ended."""

import math
import warnings

from sklearn.exceptions import ConvergenceWarning

from ..core.training import Observer


class EpochPrinter(Observer):
    """Prints a line an epoch.

    Parameters
    ----------
    n_epochs : int or None
        How many there will be at most; None if that is not known.
    """

    def __init__(self, n_epochs):
        self.n_epochs = n_epochs
        self.n_seen, self.seconds = 0, 0.0

    def end_epoch(self, n_epochs, record):
        """Print losses, score and learning rate of an epoch, and the time left."""
        self.n_seen += 1
        self.seconds += record.seconds
        # As scikit-learn's MLPClassifier prints it: scripts look for that.
        line = f"Iteration {n_epochs}, loss = {record.loss:.8f}"
        if not math.isnan(record.validation_loss):
            line += f", validation loss = {record.validation_loss:.8f}"
            if record.validation_score != -record.validation_loss:
                line += f", validation score = {record.validation_score:.6f}"
        if not math.isnan(record.learning_rate):
            line += f", rate = {record.learning_rate:.3g}"
        if self.n_epochs is not None and n_epochs < self.n_epochs:
            left = (self.n_epochs - n_epochs) * self.seconds / self.n_seen
            line += f", at most {_duration(left)} left"
        print(line)
        return False


def _duration(seconds):
    """Return a time as a person would say it.

    >>> _duration(0.2), _duration(59.7), _duration(4000)
    ('1 s', '60 s', '1 h 06 min')
    """
    seconds = math.ceil(seconds)
    if seconds <= 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {seconds:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def warn_on_stop(estimator, outcome):
    """Warn, or print, why the training of an estimator ended.

    Parameters
    ----------
    estimator : BaseBackprop
        Trained.
    outcome : StopReason
        Of its training.
    """
    scaling = "" if estimator.standardize else ", or scale the data: standardize=True"
    if outcome.kind == "interrupted":
        warnings.warn(
            "Training interrupted by user. The weights reached so far, after "
            f"{estimator.n_iter_} whole epochs, are kept and can be used.",
            stacklevel=3,
        )
    elif outcome.kind == "stopped" and estimator.verbose:
        print(f"A callback asked to stop after {estimator.n_iter_} epochs. Stopping.")
    elif outcome.kind == "converged" and estimator.verbose:
        what = "Validation score" if estimator.early_stopping else "Training loss"
        print(
            f"{what} did not improve more than tol={estimator.tol:f} for "
            f"{estimator.n_iter_no_change} consecutive epochs. Stopping."
        )
    elif outcome.message:
        warnings.warn(
            f"{estimator.solver} failed to converge after {estimator.n_iter_} iteration(s) "
            f"{outcome.message}\nIncrease the number of iterations to improve "
            f"the convergence (max_iter={estimator.max_iter}){scaling}.",
            ConvergenceWarning,
            stacklevel=3,
        )
    elif outcome.kind == "max_iter":
        warnings.warn(
            f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) reached "
            "and the optimization hasn't converged yet. Increase max_iter, raise "
            f"tol or learning_rate_init{scaling}.",
            ConvergenceWarning,
            stacklevel=3,
        )
