"""Parallel training of the members of an ensemble."""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from joblib import effective_n_jobs
from sklearn.utils import _safe_indexing
from sklearn.utils.parallel import Parallel, delayed

from .._estimators.callback_support import member_task
from .._estimators.fitted import fitted_parts, network_outputs
from .._estimators.fitting import fit_member
from .._estimators.threads import single_blas_thread
from .folds import Fold


class FittedMember(NamedTuple):
    """Result of the fit of one member.

    Parameters
    ----------
    estimator : BackpropClassifier or BackpropRegressor
        Fitted network.
    outputs : ndarray of shape (n_validation, n_outputs)
        Network outputs for the validation rows.
    warning : str or None
        Warning about the result of the fit.
    """

    estimator: Any
    outputs: np.ndarray
    warning: str | None


@dataclass(frozen=True)
class MemberTask:
    """Fit of one member, without the samples.

    Parameters
    ----------
    name : str
        Name of the member in printed messages.
    estimator : BackpropClassifier or BackpropRegressor
        Unfitted network.
    fold : Fold
        Training and validation rows.
    verbose : bool
        Whether to print a line after the fit.
    ensemble : BaseBackpropEnsemble, default=None
        Ensemble; only required if there are callbacks.
    context : sklearn.callback.CallbackContext, default=None
        Callback context of the member; None without callbacks.
    X, y : array-like, default=None
        Training data as passed to `fit`; only required if there are callbacks.
    """

    name: str
    estimator: Any
    fold: Fold
    verbose: bool
    ensemble: Any = None
    context: Any = None
    X: Any = None
    y: Any = None

    def run(self, reader, samples):
        """Fit the member to the rows of its fold.

        Parameters
        ----------
        reader : Reader
            Reader of the samples, which all members share.
        samples : TrainingSamples
            Samples of all folds.

        Returns
        -------
        FittedMember
        """
        member, (rows, validation_rows) = self.estimator, self.fold
        training = samples.subset(rows)
        weight = training.take(training.weight)
        data = (
            *[partial(_safe_indexing, part, rows) for part in (self.X, self.y)],
            weight,
        )
        held_out = samples.subset(validation_rows)
        with member_task(self.context, self.ensemble, member, *data):
            try:
                warning = fit_member(member, reader, training, held_out, data)
            except ValueError as error:
                raise ValueError(f"{self.name}: {error}") from error
        if self.verbose:
            print(
                f"{self.name}: {member.n_iter_} epochs, best validation score = "
                f"{member.best_validation_score_:.6f}"
            )
        network = fitted_parts(member).state.network
        outputs = network_outputs(network, samples.X[validation_rows])
        return FittedMember(member, outputs, warning)


def fit_members(tasks, reader, samples, n_jobs):
    """Fit all members.

    Large arrays are not copied for each member: joblib shares them between processes as
    memory-mapped files.

    Parameters
    ----------
    tasks : list of MemberTask
        One task per member.
    reader, samples
        See `MemberTask.run`.
    n_jobs : int or None
        Number of members to fit at the same time, as in joblib.

    Returns
    -------
    list of FittedMember
    """
    run = delayed(MemberTask.run)
    fits = (run(task, reader, samples) for task in tasks)
    parallel = Parallel(n_jobs=n_jobs)
    if effective_n_jobs(n_jobs) == 1:
        return parallel(fits)
    # Processes of joblib limit their BLAS threads. This limit is for threads.
    with single_blas_thread():
        return parallel(fits)
