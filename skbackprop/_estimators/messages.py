"""Messages that `fit` prints or emits as warnings."""

import math
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ..core.training import Observer
from .convergence import MIN_IMPROVEMENT
from .fitted import fitted_parts
from .solvers import SOLVERS

#: Defaults of the parameters `alpha` and `tol`. Smaller values do not prevent learning.
DEFAULT_ALPHA = DEFAULT_TOL = 1e-4


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


def explain_divergence(estimator, config, epoch):
    """Return the message of the error that is raised if training diverged.

    Parameters
    ----------
    estimator : BaseBackprop
        Estimator in training.
    config : TrainingConfig
        Configuration of the training.
    epoch : int
        Epoch in which training diverged.

    Returns
    -------
    str
    """
    found = "Solver produced non-finite parameter weights or outputs."
    if not estimator.standardize:  # the message of scikit-learn
        found = (
            "Solver produced non-finite parameter weights. The input data may contain "
            "large values and need to be preprocessed."
        )
    remedies = _suggest_remedies(estimator, config)
    return f"{found} Training diverged in epoch {epoch}: {remedies}."


def _suggest_remedies(estimator, config):
    """Return remedies against divergence that are not already in place."""
    reader = fitted_parts(estimator).reader
    scales_targets = not reader.targets.are_numeric or reader.scalers.targets
    remedies = []
    if not estimator.standardize:
        targets = " and the targets" if reader.targets.are_numeric else ""
        remedies.append(f"scale the inputs{targets}, or set standardize=True")
    elif not scales_targets:
        remedies.append("scale the targets")
    if config.optimizer is None:
        remedies.append(f"increase alpha={estimator.alpha}, or use another solver")
        return "; ".join(remedies)
    rate = config.schedule.learning_rate_init
    # Each step multiplies the weights by 1 - rate * shrinkage.
    shrinkage = estimator.alpha
    if not config.weight_decay:
        shrinkage /= config.batch_size
    if estimator.alpha > 1.0 and rate * shrinkage >= 1.0:
        remedies.append(f"decrease alpha={estimator.alpha}")
    if callable(estimator.learning_rate):
        remedies.append("decrease the rates that learning_rate returns")
    else:
        remedies.append(f"decrease learning_rate_init={rate}")
    if config.clip_norm is None:
        remedies.append("set clip_norm")
    return "; ".join(remedies)


def _explain_restored(estimator, config):
    """Say that training diverged after the best epoch of early stopping."""
    n_epochs, best = estimator.n_iter_, estimator.best_validation_score_
    scores = estimator.validation_scores_[-n_epochs:] if n_epochs else []
    epoch = f"epoch {scores.index(best) + 1}" if best in scores else "before training"
    return (
        f"Training diverged in epoch {n_epochs + 1}. The weights with the best "
        f"validation score, from {epoch}, were restored. To train longer: "
        f"{_suggest_remedies(estimator, config)}."
    )


def explain_stop(estimator, config, stop, unlearned):
    """Return the ConvergenceWarning for the reason why training stopped.

    Parameters
    ----------
    estimator : BaseBackprop
        Estimator after training.
    config : TrainingConfig
        Configuration of the training.
    stop : StopReason
        Reason why training stopped.
    unlearned : UnlearnedFit or None
        Losses of a fit that is not better than a constant prediction.

    Returns
    -------
    str or None
        None if there is nothing to warn about.
    """
    explanation = _explain_unlearned(estimator, stop, unlearned) if unlearned else ""
    scaling = (
        "" if estimator.standardize else ", or set standardize=True to scale the data"
    )
    if stop.kind == "diverged":
        return _explain_restored(estimator, config)
    if fitted_parts(estimator).reader.targets.is_constant:
        return None  # the predictions are exact without training
    if stop.message:
        return (
            f"{estimator.solver} failed to converge after {estimator.n_iter_} "
            f"iteration(s) {stop.message}\nIncrease the number of iterations to "
            f"improve the convergence (max_iter={estimator.max_iter}){scaling}."
            f"{explanation and ' ' + explanation}"
        )
    if stop.kind == "max_iter":
        return (
            f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) reached "
            "and the optimization hasn't converged yet. Increase max_iter, tol or "
            f"learning_rate_init{scaling}.{explanation and ' ' + explanation}"
        )
    return explanation or None


def warn_on_stop(estimator, config, stop, unlearned):
    """Warn about the reason why training stopped; see `explain_stop`."""
    if stop.kind == "interrupted":
        warnings.warn(
            "Training interrupted by user. Training stopped after "
            f"{estimator.n_iter_} complete epochs, and the estimator can be used.",
            stacklevel=3,
        )
    elif message := explain_stop(estimator, config, stop, unlearned):
        warnings.warn(message, ConvergenceWarning, stacklevel=3)


def print_stop(estimator, stop):
    """Print the reason why training stopped; see `explain_stop`."""
    if stop.kind == "stopped":
        print(f"A callback stopped training after {estimator.n_iter_} epochs.")
    elif stop.kind == "converged":
        value = "Validation score" if estimator.early_stopping else "Training loss"
        print(
            f"{value} did not improve more than tol={estimator.tol:f} for "
            f"{estimator.n_iter_no_change} consecutive epochs. Stopping."
        )


def _explain_unlearned(estimator, stop, unlearned):
    """Say that the fit has learned nothing, and what the user can do."""
    remedies = _get_remedies(estimator, stop, unlearned)
    *others, last = *remedies, "check that the features are related to y"
    remedy = f"{', '.join(others)}, or {last}" if others else last
    amount = f" by more than {MIN_IMPROVEMENT:.1%}" if unlearned.has_improved else ""
    return (
        f"The network has not improved on a constant prediction{amount}: the training "
        "loss is "
        f"{unlearned.loss:.6g}, and the best constant has {unlearned.constant_loss:.6g}"
        f". {remedy[0].upper()}{remedy[1:]}."
    )


def _get_remedies(estimator, stop, unlearned):
    """Return the remedies that are not in place yet, most promising first."""
    is_stochastic = SOLVERS[estimator.solver].is_stochastic
    has_converged = stop.kind == "converged"
    is_squared_error = isinstance(estimator.loss, str) and (
        estimator.loss == "squared_error"
    )
    change = "decrease" if unlearned.has_risen else "increase"
    dropout = np.max(estimator.dropout, initial=0.0)
    remedies = {
        f"{change} learning_rate_init": is_stochastic,
        f"decrease alpha={estimator.alpha}": estimator.alpha > DEFAULT_ALPHA,
        f"decrease l1_alpha={estimator.l1_alpha}": estimator.l1_alpha > 0.0,
        f"decrease dropout={estimator.dropout}": dropout > 0.0,
        f"decrease tol={estimator.tol}": has_converged and estimator.tol >= DEFAULT_TOL,
        "increase n_iter_no_change": is_stochastic and has_converged,
        "set standardize=True": not estimator.standardize,
        "set loss='log_loss'": is_squared_error and not estimator._has_numeric_targets,
    }
    return [remedy for remedy, applies in remedies.items() if applies]
