"""Callbacks that are told of every epoch: a function, and a history in a file."""

import csv
from pathlib import Path

import numpy as np

from .._estimators.base import BaseBackprop
from .._estimators.callback_support import EPOCH
from .._estimators.fitted import fitted_parts
from ..core.state import EpochRecord


class EpochCallback:
    """Base of callbacks that want to know of the epochs of a network."""

    def setup(self, estimator, context):
        """Refuse, at the beginning of `fit`, estimators that have no epochs."""
        if not isinstance(estimator, BaseBackprop):
            raise TypeError(
                f"{type(self).__name__} must be set on a BackpropClassifier or a "
                f"BackpropRegressor, got {type(estimator).__name__}: set it on the "
                "network inside."
            )

    def teardown(self, estimator, context):
        """Clear up, at the end of `fit`; nothing to do."""

    def on_fit_task_begin(self, estimator, context):
        """Take note that a task begins; nothing to do."""

    def on_fit_task_end(self, estimator, context):
        """Take note that a task has ended, and say whether to stop."""
        if context.task_name != EPOCH:
            return False
        return self._after_epoch(estimator, context)

    def _after_epoch(self, estimator, context):
        raise NotImplementedError


class EpochEndCallback(EpochCallback):
    """Call a function after each epoch of `fit`.

    Set it with ``estimator.set_callbacks(EpochEndCallback(function))``, which takes
    scikit-learn 1.9 or later.

    Parameters
    ----------
    function : callable
        Called as ``function(estimator, epoch)`` with the estimator in training, whose
        fitted attributes and predictions are those of the moment, and with a named
        tuple of `loss`, `validation_loss` and `validation_score` (nan without
        validation data), `learning_rate` (nan with ``solver="lbfgs"``), `seconds`,
        all of them float, and `gradient_norms`, a tuple of float. Training ends
        where it returns True, and goes on with False or None. What it raises ends
        `fit`, and leaves the estimator as it was before.

    Raises
    ------
    TypeError
        Where `function` can't be called; in `fit`, where it returns something else,
        or where the estimator is none of the two.

    See Also
    --------
    HistoryLogger : Writes the same into a file.
    sklearn.callback.ScoringMonitor : Scores after each epoch.

    Examples
    --------
    Train until the loss is low enough:

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
                f"function must be callable with an estimator and an epoch, "
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
    """Append a row to a CSV file after each epoch of `fit`.

    The file can be read while training goes on. Set it with
    ``estimator.set_callbacks(HistoryLogger(path))``, which takes scikit-learn 1.9 or
    later.

    Parameters
    ----------
    path : str or path-like
        The file, which is made if it is not there; a folder is not. Several fits may
        write to the same one, also from several processes.

    Raises
    ------
    ValueError
        In `fit`, where the file holds something else.
    OSError
        In `fit`, where it can't be written, as in a folder that is not there.
    TypeError
        In `fit`, where the estimator is none of the two.

    See Also
    --------
    BackpropClassifier.history_ : The same once `fit` has returned.

    Notes
    -----
    The columns are `fit`, which tells one call of `fit` from another (in a grid search
    its numbers are those of the tasks that the fit was part of), `epoch`, counted from
    1, and `loss`, `validation_loss`, `validation_score`, `learning_rate` and `seconds`
    as in `history_`, empty where there are none.

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

    #: What stands in the first line.
    columns = ("fit", "epoch", *EpochRecord._fields[:-1])

    def __init__(self, path):
        self.path = Path(path)

    def setup(self, estimator, context):
        """Make the file, or look whether it is one of these."""
        super().setup(estimator, context)
        try:
            with self.path.open("x", newline="", encoding="utf-8") as file:
                csv.writer(file).writerow(self.columns)
        except FileExistsError:
            self._check_columns()

    def _check_columns(self):
        with self.path.open(newline="", encoding="utf-8", errors="replace") as file:
            found = next(csv.reader(file), None)
        # None: it is empty, maybe since another process is about to write them.
        if found is not None and tuple(found) != self.columns:
            raise ValueError(
                f"path={str(self.path)!r} holds something else: its first line is "
                f"{','.join(found)!r}, where a HistoryLogger writes "
                f"{','.join(self.columns)!r}. Name another file, or a new one."
            )

    def _after_epoch(self, estimator, context):
        *record, _ = fitted_parts(estimator).state.history[-1]
        known = ["" if value != value else value for value in record]
        row = [_name_of(context.parent), estimator.n_iter_, *known]
        with self.path.open("a", newline="", encoding="utf-8") as file:
            if file.tell() == 0:
                csv.writer(file).writerow(self.columns)
            csv.writer(file).writerow(row)


def _name_of(task):
    """Return what tells one fit from another, by the tasks that it is part of."""
    numbers = []
    while task.parent is not None:
        numbers.append(str(task.task_id))
        task = task.parent
    return "/".join([task.root_uuid.hex[:8], *reversed(numbers)])
