"""Checkpoint: a killed training goes on where it was."""

import os
import pickle
from hashlib import sha256
from numbers import Integral
from pathlib import Path
from tempfile import NamedTemporaryFile

from .._estimators.callback_support import EPOCH, without_callbacks
from .._estimators.fitting import data_digest, resume_fit
from .._estimators.solvers import SOLVERS
from .._persistence import CHECKPOINT
from .epoch_callbacks import EpochCallback

#: How a file begins; the number changes with what it holds. Its hash follows.
FORMAT = CHECKPOINT + b" 1\n"
HASH_SIZE = sha256().digest_size


class Checkpoint(EpochCallback):
    """Write a training to a file as it goes on, to resume it if it is killed.

    Set it with ``estimator.set_callbacks(Checkpoint(path))``, which takes scikit-learn
    1.9 or later. The file is replaced in one stroke: whenever the process is
    killed, there is a whole one.

    Parameters
    ----------
    path : str or path-like
        The file, in a folder that is there. An earlier checkpoint goes when training
        begins.
    every : int, default=1
        Epochs from one writing to the next, each of which takes some milliseconds,
        for it waits for the disk. The end of `fit` is written, too.

    Raises
    ------
    ValueError
        Where `every` is not an int of 1 or more. In `fit`, under ``solver="lbfgs"``,
        whose memory is SciPy's; in a search or in threads, where fits would replace
        each other's files (those of `cross_val_score` do, unseen); and where the
        parameters can't be pickled, as a lambda can't.
    FileNotFoundError
        In `fit`, where there is no such folder.
    TypeError
        In `fit`, where the estimator is no BackpropClassifier or BackpropRegressor.

    See Also
    --------
    HistoryLogger : Writes losses, not weights.

    Notes
    -----
    The file is a pickle: load only what you trust. It holds the estimator with its
    weights, the memory of the optimiser and the state of the random numbers, and a
    digest of the training data, but not the data, nor other callbacks. Killed while it
    is being written, it is whole, and beside it lies a part of the next, whose name
    begins with the same.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.datasets import load_iris
    >>> from skbackprop import EpochEndCallback, BackpropClassifier, Checkpoint
    >>> X, y = load_iris(return_X_y=True)
    >>> def fail(net, epoch):
    ...     if net.n_iter_ == 20:
    ...         raise RuntimeError("as if the process were killed")
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "training.checkpoint"
    ...     net = BackpropClassifier(tol=1e-3, random_state=0)
    ...     try:
    ...         net.set_callbacks(Checkpoint(path), EpochEndCallback(fail)).fit(X, y)
    ...     except RuntimeError:
    ...         resumed = Checkpoint.resume(path, X, y)
    >>> unbroken = net.set_callbacks().fit(X, y)
    >>> (resumed.coefs_[0] == unbroken.coefs_[0]).all()
    np.True_
    """

    def __init__(self, path, every=1):
        if not isinstance(every, Integral) or every < 1:
            raise ValueError(f"every must be an int of 1 or more, got {every!r}.")
        self.path = Path(path)
        self.every = every
        self.resumes = False
        self.fit = None

    def setup(self, estimator, context):
        """Refuse, at the beginning of `fit`, what could not be resumed."""
        super().setup(estimator, context)
        if not SOLVERS[estimator.solver].can_resume:
            raise ValueError(
                "Checkpoint can't resume solver='lbfgs', whose memory is SciPy's own. "
                "Set another solver, or no Checkpoint."
            )
        task = context
        while (task := task.parent) is not None:
            if not task.sequential_subtasks:
                raise ValueError(
                    f"Checkpoint in a task of {task.estimator_name}: its fits would "
                    f"replace each other's file, {str(self.path)!r}. Set a Checkpoint "
                    "on a single fit."
                )
        if self.fit is not None:
            raise ValueError(
                f"Checkpoint for {str(self.path)!r} is in use by another fit: set one "
                "with a path of its own on each."
            )
        if not self.path.parent.is_dir():
            raise FileNotFoundError(
                f"path={str(self.path)!r} must be in a folder that is there."
            )
        self._pickle(estimator.get_params(deep=False))  # not only after many epochs
        self.fit, self.digest = context, None

    def teardown(self, estimator, context):
        """Be ready for another fit."""
        if self.fit is context:
            self.fit, self.resumes = None, False

    def on_fit_task_begin(self, estimator, context):
        """Take away, before the first epoch, the file of an earlier training.

        Killed before its first checkpoint, this one would be taken for that.
        """
        if context.task_name == EPOCH and context.task_id == 0 and not self.resumes:
            self.path.unlink(missing_ok=True)

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, metadata=None):
        """Write the training to the file, if it is time to."""
        is_epoch = context.task_name == EPOCH
        if is_epoch and estimator.n_iter_ % self.every:
            return
        if self.digest is None:
            self.digest = data_digest(estimator, X, y, **(metadata or {}))
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
                f"Checkpoint can't write the training to {str(self.path)!r}: {error}. "
                "Functions among the parameters must stand in a module."
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
        """Finish a training that was killed.

        The weights are those that it would have had, to the last bit, on the same
        machine with the same libraries and as many threads. It goes on to be written
        to the file.

        Parameters
        ----------
        path : str or path-like
            What a `Checkpoint` has written.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The training data, the same as before.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their target values.
        sample_weight : array-like of shape (n_samples,), default=None
            Their weights.
        X_val, y_val, sample_weight_val : array-like, default=None
            The validation data, if there were any.
        callbacks : sequence of callback, default=()
            What else to set, beside the `Checkpoint`.

        Returns
        -------
        BackpropClassifier or BackpropRegressor
            Fitted. If the training had come to its end, it is what it was, whatever
            validation data are passed.

        Raises
        ------
        FileNotFoundError
            Where there is no file.
        ValueError
            Where it is not a checkpoint, or damaged, or the data are others.
        """
        content = _read(Path(path))
        estimator = content["estimator"].__new__(content["estimator"])
        vars(estimator).update(content["attributes"])
        if data_digest(estimator, X, y, sample_weight) != content["digest"]:
            raise ValueError(
                f"X, y or sample_weight differ from those that {str(path)!r} was "
                "written with: a training can go on only with the same data."
            )
        checkpoint = cls(path, content["every"])
        estimator.set_callbacks(checkpoint, *callbacks)
        if content["finished"]:
            return estimator
        checkpoint.resumes = True
        validation = (X_val, y_val, sample_weight_val)
        return resume_fit(estimator, X, y, sample_weight, validation)


def _read(path):
    found = path.read_bytes()
    if not found.startswith(FORMAT):
        begins = found[: len(FORMAT)]
        raise ValueError(
            f"path={str(path)!r} is damaged, or no checkpoint that this release can "
            f"read: it must begin with {FORMAT!r}, and begins with {begins!r}."
        )
    hashed = found[len(FORMAT) : len(FORMAT) + HASH_SIZE]
    pickled = found[len(FORMAT) + HASH_SIZE :]
    if sha256(pickled).digest() != hashed:
        raise ValueError(f"path={str(path)!r} is damaged: its hash is another.")
    return pickle.loads(pickled)
