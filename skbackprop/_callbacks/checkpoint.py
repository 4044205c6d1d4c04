"""Checkpoint: resume a fit that was interrupted."""

from contextlib import contextmanager
from numbers import Integral
from pathlib import Path

from .._estimators.callback_support import EPOCH
from .._estimators.fitted import fitted_parts
from .._estimators.fitting import resume_fit
from .._estimators.saved_fit import get_results
from .._estimators.solvers import SOLVERS
from .checkpoint_file import check_content, read_checkpoint, write_checkpoint
from .epoch_callbacks import EpochCallback
from .plain_data import NotPlainError
from .saved_estimator import restore_estimator, save_estimator


class Checkpoint(EpochCallback):
    """Callback that saves training to a file so that a killed `fit` can be resumed.

    Set the callback with ``estimator.set_callbacks(Checkpoint(path))``.
    `set_callbacks` requires scikit-learn 1.9 or later. The file is always complete,
    even if the process is killed: each checkpoint replaces the previous one atomically.

    Parameters
    ----------
    path : str or path-like
        Path of the checkpoint file. The directory must exist. The checkpoint of an
        earlier training is deleted when training begins.
    every : int, default=1
        Number of epochs between two checkpoints. `fit` also writes a checkpoint at the
        end of training. Each write takes a few milliseconds because it waits for the
        disk. Increase `every` if epochs are short.

    Raises
    ------
    ValueError
        If `every` is not an int of 1 or more. In `fit`, if one of these conditions
        holds:

        - ``solver="lbfgs"`` is set, because the state of the SciPy optimizer cannot be
          saved.
        - The fit is part of a search, or another fit uses the same Checkpoint at the
          same time. The fits would overwrite the same file. The fits of
          :func:`~sklearn.model_selection.cross_val_score` also overwrite the file, but
          are not detected.
        - JSON and arrays cannot represent the learned categories or classes.
    FileNotFoundError
        In `fit`, if the directory of `path` does not exist.
    TypeError
        In `fit`, if the estimator is not a BackpropClassifier or BackpropRegressor.

    See Also
    --------
    HistoryLogger : Writes losses, but no weights, to a CSV file.

    Notes
    -----
    The file contains arrays and JSON, so that `resume` runs no code from the file. The
    file contains the parameters and weights of the estimator, the state of the
    optimizer, the state of the random number generators, and a hash of the training
    data. The file does not contain the data, other callbacks, or objects that JSON
    cannot represent, such as a custom loss. Pass such objects to `resume` as parameters
    of `estimator`.

    If the process is killed while it writes a checkpoint, the previous checkpoint is
    still complete. The incomplete new file remains in the same directory, and its name
    starts with the name of the checkpoint.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.datasets import load_iris
    >>> from skbackprop import EpochEndCallback, BackpropClassifier, Checkpoint
    >>> X, y = load_iris(return_X_y=True)
    >>> def fail(net, epoch):
    ...     if net.n_iter_ == 20:
    ...         raise RuntimeError("simulates a killed process")
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "training.checkpoint"
    ...     net = BackpropClassifier(tol=1e-3, random_state=0)
    ...     try:
    ...         net.set_callbacks(Checkpoint(path), EpochEndCallback(fail)).fit(X, y)
    ...     except RuntimeError:
    ...         resumed = Checkpoint.resume(path, X, y)
    >>> uninterrupted = net.set_callbacks().fit(X, y)
    >>> (resumed.coefs_[0] == uninterrupted.coefs_[0]).all()
    np.True_
    """

    def __init__(self, path, every=1):
        if not isinstance(every, Integral) or every < 1:
            raise ValueError(f"every must be an int of 1 or more, got {every!r}.")
        self.path = Path(path)
        self.every = every
        self.is_resuming = False
        self.fit_context = None

    def setup(self, estimator, context):
        """Raise an error, before `fit` starts, if `fit` could not be resumed."""
        super().setup(estimator, context)
        if not SOLVERS[estimator.solver].can_resume:
            raise ValueError(
                f"Checkpoint is not supported with solver={estimator.solver!r} because "
                "the state of this solver cannot be saved. Use another solver, or "
                "remove the Checkpoint."
            )
        task = context
        while (task := task.parent) is not None:
            if not task.sequential_subtasks:
                name = task.estimator_name
                raise ValueError(
                    f"Checkpoint is not supported in {name} because several fits would "
                    f"overwrite the same file {str(self.path)!r}. Remove the "
                    f"Checkpoint, or fit the estimator without {name}."
                )
        if self.fit_context is not None:
            raise ValueError(
                f"The Checkpoint with path={str(self.path)!r} is already in use by "
                "another fit. Set a Checkpoint with a different path on each estimator."
            )
        if not self.path.parent.is_dir():
            raise FileNotFoundError(
                f"Cannot write checkpoint {str(self.path)!r}: directory "
                f"{str(self.path.parent)!r} does not exist. Create it first."
            )
        self.fit_context, self.digest = context, None

    def teardown(self, estimator, context):
        """Reset the callback so that another fit can use it."""
        if self.fit_context is context:
            self.fit_context, self.is_resuming = None, False

    def on_fit_task_begin(self, estimator, context):
        """Delete the file of an earlier training before the first epoch.

        If `fit` is killed before the first checkpoint, `resume` would otherwise
        continue the earlier training.
        """
        is_first_epoch = context.task_name == EPOCH and context.task_id == 0
        if is_first_epoch and not self.is_resuming:
            with self._explained_errors():
                check_content(get_results(estimator))
            self.path.unlink(missing_ok=True)

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, metadata=None):
        """Write a checkpoint after every `every` epochs and at the end of `fit`."""
        is_epoch = context.task_name == EPOCH
        if is_epoch and estimator.n_iter_ % self.every:
            return
        if self.digest is None:
            self.digest = _digest(estimator, X, y, **(metadata or {}))
        self._write(estimator, finished=not is_epoch)

    def _write(self, estimator, finished):
        content = {
            "estimator": save_estimator(estimator),
            "digest": self.digest,
            "every": int(self.every),
            "finished": finished,
        }
        with self._explained_errors():
            write_checkpoint(self.path, content)

    @contextmanager
    def _explained_errors(self):
        try:
            yield
        except NotPlainError as error:
            raise ValueError(
                f"Cannot write checkpoint {str(self.path)!r}: {error} Convert the "
                "categories of X and the classes of y to strings or numbers, or remove "
                "the Checkpoint."
            ) from error

    @classmethod
    def resume(
        cls,
        path,
        X,
        y,
        sample_weight=None,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
        *,
        callbacks=(),
        estimator=None,
    ):
        """Resume a fit that was interrupted, and finish it.

        On the same machine, with the same libraries and the same number of threads, the
        weights are bit-for-bit identical to the weights of an uninterrupted fit.
        Training continues to write checkpoints to the same file.

        Parameters
        ----------
        path : str or path-like
            Path of a file written by `Checkpoint`.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data, the same as in the interrupted fit.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target values, the same as in the interrupted fit.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, the same as in the interrupted fit.
        X_val, y_val, sample_weight_val : array-like, default=None
            Validation data, the same as in the interrupted fit. They are ignored if
            training was already finished.
        callbacks : sequence of callback, default=()
            Additional callbacks to set. The `Checkpoint` is always set.
        estimator : BackpropClassifier or BackpropRegressor, default=None
            Unfitted estimator with the parameters of the interrupted fit. The estimator
            is not modified. Required if the interrupted estimator is an instance of a
            subclass, or if JSON cannot represent a parameter: a custom loss, activation
            or scorer, or a function. An instance of RandomState is restored from the
            file.

        Returns
        -------
        estimator : BackpropClassifier or BackpropRegressor
            Fitted estimator. If training was already finished, this is the estimator
            as saved at the end of training.

        Raises
        ------
        FileNotFoundError
            If the file does not exist.
        ValueError
            If the file is not a valid checkpoint, if the data differ from the original
            training data, or if `estimator` is required or has different parameters.
        TypeError
            If `estimator` is not a BackpropClassifier or BackpropRegressor.
        """
        content = read_checkpoint(Path(path))
        estimator = restore_estimator(content["estimator"], estimator, path)
        if _digest(estimator, X, y, sample_weight) != content["digest"]:
            raise ValueError(
                "X, y or sample_weight differ from the training data of checkpoint "
                f"{str(path)!r}. Pass the same data as in the interrupted fit."
            )
        checkpoint = cls(path, content["every"])
        estimator.set_callbacks(checkpoint, *callbacks)
        if content["finished"]:
            return estimator
        checkpoint.is_resuming = True
        validation = (X_val, y_val, sample_weight_val)
        return resume_fit(estimator, X, y, sample_weight, validation)


def _digest(estimator, X, y, sample_weight=None):
    """Return a hash of training data."""
    return fitted_parts(estimator).reader.digest(X, y, sample_weight, estimator)
