"""Checkpoint: resume a fit that was interrupted."""

import os
import pickle
from hashlib import sha256
from numbers import Integral
from pathlib import Path
from tempfile import NamedTemporaryFile

from .._estimators.callback_support import EPOCH, without_callbacks
from .._estimators.fitted import fitted_parts
from .._estimators.fitting import resume_fit
from .._estimators.solvers import SOLVERS
from .._persistence import CHECKPOINT
from .epoch_callbacks import EpochCallback

#: First bytes of a checkpoint file, with the format version. The hash follows.
FORMAT = CHECKPOINT + b" 1\n"
HASH_SIZE = sha256().digest_size


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
          `cross_val_score` also overwrite the file, but are not detected.
        - A parameter cannot be pickled, for example a lambda.
    FileNotFoundError
        In `fit`, if the directory of `path` does not exist.
    TypeError
        In `fit`, if the estimator is not a BackpropClassifier or BackpropRegressor.

    See Also
    --------
    HistoryLogger : Writes losses, but no weights, to a CSV file.

    Notes
    -----
    The file is a pickle. Load only files that you trust. The file contains the
    estimator with its weights, the state of the optimizer, the state of the random
    number generators, and a hash of the training data. The file does not contain the
    data or other callbacks.

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
        # Raise an error for unpicklable parameters before the first epoch.
        self._pickle(estimator.get_params(deep=False))
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
            "estimator": type(estimator),
            "attributes": without_callbacks(vars(estimator)),
            "digest": self.digest,
            "every": self.every,
            "finished": finished,
        }
        pickled = self._pickle(content)
        folder, name = self.path.parent, self.path.name
        with NamedTemporaryFile(dir=folder, prefix=name, delete=False) as file:
            try:
                for part in (FORMAT, sha256(pickled).digest(), pickled):
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())
                file.close()
                Path(file.name).replace(self.path)
            except BaseException:
                Path(file.name).unlink()
                raise

    def _pickle(self, content):
        try:
            return pickle.dumps(content)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise ValueError(
                f"Cannot write checkpoint {str(self.path)!r}: {error}. All parameters "
                "must be picklable. Functions must be defined at the top level of a "
                "module."
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
            If the file is not a valid checkpoint, or the data differ from the original
            training data.
        """
        content = _read(Path(path))
        estimator = content["estimator"].__new__(content["estimator"])
        vars(estimator).update(content["attributes"])
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


def _read(path):
    content = path.read_bytes()
    if not content.startswith(FORMAT):
        start = content[: len(FORMAT)]
        raise ValueError(
            f"Cannot read checkpoint {str(path)!r}: the file starts with {start!r}, "
            f"but must start with {FORMAT!r}. The file is damaged, is not a "
            "checkpoint, or was written by another release of skbackprop."
        )
    expected_hash = content[len(FORMAT) : len(FORMAT) + HASH_SIZE]
    pickled = content[len(FORMAT) + HASH_SIZE :]
    if sha256(pickled).digest() != expected_hash:
        raise ValueError(
            f"Cannot read checkpoint {str(path)!r}: the SHA-256 checksum does not "
            "match. Delete the file and train again."
        )
    return pickle.loads(pickled)
