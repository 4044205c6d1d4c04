"""Messages that `fit` prints or emits as warnings."""

import math
import warnings

from sklearn.exceptions import ConvergenceWarning

from ..core.training import Observer


class EpochPrinter(Observer):
    """Observer that prints one line per epoch.

    Parameters
    ----------
    n_epochs : int or None
        Maximum number of epochs. If None, the remaining time is not printed.
    """

    def __init__(self, n_epochs):
        self.n_epochs = n_epochs
        self.n_timed, self.seconds = 0, 0.0

    def end_epoch(self, n_epochs, record):
        """Print losses, score, learning rate and remaining time after an epoch."""
        self.n_timed += 1
        self.seconds += record.seconds
        # Scripts parse the beginning of this line, which MLPClassifier also prints.
        line = f"Iteration {n_epochs}, loss = {record.loss:.8f}"
        if not math.isnan(record.validation_loss):
            line += f", validation loss = {record.validation_loss:.8f}"
            if record.validation_score != -record.validation_loss:
                line += f", validation score = {record.validation_score:.6f}"
        if not math.isnan(record.learning_rate):
            line += f", rate = {record.learning_rate:.3g}"
        if self.n_epochs is not None and n_epochs < self.n_epochs:
            left = (self.n_epochs - n_epochs) * self.seconds / self.n_timed
            line += f", at most {_format_duration(left)} left"
        print(line)
        return False


def _format_duration(seconds):
    """Format a duration in seconds, minutes or hours.

    >>> _format_duration(0.2), _format_duration(59.7), _format_duration(4000)
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


def warn_on_stop(estimator, stop):
    """Warn about, or print, the reason why training stopped.

    Parameters
    ----------
    estimator : BaseBackprop
        Estimator after training.
    stop : StopReason
        Reason why training stopped.
    """
    scaling = (
        "" if estimator.standardize else ", or set standardize=True to scale the data"
    )
    if stop.kind == "interrupted":
        warnings.warn(
            "Training interrupted by user. Training stopped after "
            f"{estimator.n_iter_} complete epochs, and the estimator can be used.",
            stacklevel=3,
        )
    elif stop.kind == "stopped" and estimator.verbose:
        print(f"A callback stopped training after {estimator.n_iter_} epochs.")
    elif stop.kind == "converged" and estimator.verbose:
        value = "Validation score" if estimator.early_stopping else "Training loss"
        print(
            f"{value} did not improve more than tol={estimator.tol:f} for "
            f"{estimator.n_iter_no_change} consecutive epochs. Stopping."
        )
    elif stop.message:
        warnings.warn(
            f"{estimator.solver} failed to converge after {estimator.n_iter_} "
            f"iteration(s) {stop.message}\nIncrease the number of iterations to "
            f"improve the convergence (max_iter={estimator.max_iter}){scaling}.",
            ConvergenceWarning,
            stacklevel=3,
        )
    elif stop.kind == "max_iter":
        warnings.warn(
            f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) reached "
            "and the optimization hasn't converged yet. Increase max_iter, tol or "
            f"learning_rate_init{scaling}.",
            ConvergenceWarning,
            stacklevel=3,
        )
