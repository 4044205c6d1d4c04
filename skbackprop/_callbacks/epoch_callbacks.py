"""Callbacks that run after each epoch: a user function and a CSV history."""

import csv
from pathlib import Path

import numpy as np

from .._estimators.base import BaseBackprop
from .._estimators.callback_support import EPOCH
from .._estimators.fitted import fitted_parts
from ..core.state import EpochRecord


class EpochCallback:
    """Base class for callbacks that run after each epoch of a network."""

    def setup(self, estimator, context):
        """Raise a TypeError, before `fit` starts, if the estimator is not a network."""
        if not isinstance(estimator, BaseBackprop):
            name = type(estimator).__name__
            raise TypeError(
                f"{type(self).__name__} must be set on a BackpropClassifier or a "
                f"BackpropRegressor, got {name}. Call set_callbacks on the network "
                f"inside the {name}."
            )

    def teardown(self, estimator, context):
        """Do nothing at the end of `fit`."""

    def on_fit_task_begin(self, estimator, context):
        """Do nothing when a task begins."""

    def on_fit_task_end(self, estimator, context):
        """Run the callback if the task is an epoch; return whether to stop training."""
        if context.task_name != EPOCH:
            return False
        return self._after_epoch(estimator, context)

    def _after_epoch(self, estimator, context):
        raise NotImplementedError


class EpochEndCallback(EpochCallback):
    """Callback that calls a function after each epoch of `fit`.

    Set the callback with ``estimator.set_callbacks(EpochEndCallback(function))``.
    `set_callbacks` requires scikit-learn 1.9 or later.

    Parameters
    ----------
    function : callable
        Function called as ``function(estimator, epoch)`` after each epoch:

        - `estimator`: the estimator in training. Its fitted attributes and its
          predictions reflect the current epoch.
        - `epoch`: a named tuple with the floats `loss`, `validation_loss`,
          `validation_score`, `learning_rate` and `seconds`, and with
          `gradient_norms`, a tuple of floats. `validation_loss` and
          `validation_score` are NaN without validation data. `learning_rate` is NaN
          with ``solver="lbfgs"``.

        If the function returns True, training stops. If the function returns False or
        None, training continues. If the function raises an exception, `fit` ends with
        this exception and the estimator is left unchanged.

    Raises
    ------
    TypeError
        If `function` is not callable. In `fit`, if `function` does not return True,
        False or None, or if the estimator is not a BackpropClassifier or
        BackpropRegressor.

    See Also
    --------
    HistoryLogger : Writes the losses of each epoch to a CSV file.
    sklearn.callback.ScoringMonitor : Computes scores after each epoch.

    Examples
    --------
    Train until the training loss is below 0.1:

    >>> from sklearn.datasets import load_iris
    >>> from skbackprop import EpochEndCallback, BackpropClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> net = BackpropClassifier(random_state=0)
    >>> net = net.set_callbacks(EpochEndCallback(lambda net, epoch: epoch.loss < 0.1))
    >>> net.fit(X, y).loss_ < 0.1, net.loss_curve_[-2] < 0.1
    (True, False)
    """

    def __init__(self, function):
        if not callable(function):
            raise TypeError(
                "function must be callable as function(estimator, epoch), "
                f"got {function!r}."
            )
        self.function = function

    def _after_epoch(self, estimator, context):
        stop = self.function(estimator, fitted_parts(estimator).state.history[-1])
        if not isinstance(stop, bool | np.bool_ | None):
            raise TypeError(
                f"function must return True, False or None, got {stop!r} from "
                f"{self.function!r}."
            )
        return bool(stop)


class HistoryLogger(EpochCallback):
    """Callback that appends a row to a CSV file after each epoch of `fit`.

    The file can be read during training. Set the callback with
    ``estimator.set_callbacks(HistoryLogger(path))``. `set_callbacks` requires
    scikit-learn 1.9 or later.

    Parameters
    ----------
    path : str or path-like
        Path of the CSV file. The file is created if it does not exist, but its
        directory must exist. Several fits, also in several processes, can write to the
        same file.

    Raises
    ------
    ValueError
        In `fit`, if the file exists and was not written by a HistoryLogger.
    OSError
        In `fit`, if the file cannot be written, for example because its directory does
        not exist.
    TypeError
        In `fit`, if the estimator is not a BackpropClassifier or BackpropRegressor.

    See Also
    --------
    BackpropClassifier.history_ : Same values as a DataFrame, available after `fit`.

    Notes
    -----
    The file has these columns:

    - `fit`: identifier of the call to `fit`. In a grid search, the identifier contains
      the numbers of the tasks that the fit belongs to.
    - `epoch`: number of the epoch, counted from 1.
    - `loss`, `validation_loss`, `validation_score`, `learning_rate`, `seconds`: same
      values as in `history_`. Missing values are empty.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.datasets import load_iris
    >>> from skbackprop import BackpropClassifier, HistoryLogger
    >>> X, y = load_iris(return_X_y=True)
    >>> net = BackpropClassifier(solver="lbfgs", max_iter=3, tol=1, random_state=0)
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "history.csv"
    ...     net = net.set_callbacks(HistoryLogger(path)).fit(X, y)
    ...     print(path.read_text().splitlines()[0])
    fit,epoch,loss,validation_loss,validation_score,learning_rate,seconds
    """

    #: Names of the columns, written as the first line of the file.
    columns = ("fit", "epoch", *EpochRecord._fields[:-1])

    def __init__(self, path):
        self.path = Path(path)

    def setup(self, estimator, context):
        """Create the file, or check the columns of an existing file."""
        super().setup(estimator, context)
        try:
            with self.path.open("x", newline="", encoding="utf-8") as file:
                csv.writer(file).writerow(self.columns)
        except FileExistsError:
            self._check_columns()

    def _check_columns(self):
        with self.path.open(newline="", encoding="utf-8", errors="replace") as file:
            columns = next(csv.reader(file), None)
        # An empty file is valid: another process may be about to write the columns.
        if columns is not None and tuple(columns) != self.columns:
            raise ValueError(
                f"Cannot append to {str(self.path)!r}: the first line is "
                f"{','.join(columns)!r}, but a HistoryLogger file starts with "
                f"{','.join(self.columns)!r}. Use the path of a new file or of a file "
                "that HistoryLogger wrote."
            )

    def _after_epoch(self, estimator, context):
        *record, _ = fitted_parts(estimator).state.history[-1]
        # NaN is the only value that differs from itself.
        cells = ["" if value != value else value for value in record]
        row = [_get_fit_id(context.parent), estimator.n_iter_, *cells]
        with self.path.open("a", newline="", encoding="utf-8") as file:
            if file.tell() == 0:
                csv.writer(file).writerow(self.columns)
            csv.writer(file).writerow(row)


def _get_fit_id(task):
    """Return an identifier of a fit, made from the tasks that the fit belongs to."""
    numbers = []
    while task.parent is not None:
        numbers.append(str(task.task_id))
        task = task.parent
    return "/".join([task.root_uuid.hex[:8], *reversed(numbers)])
