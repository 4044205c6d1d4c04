"""One fit: from user data and parameters to a trained network.

`fit_network` shows the steps. The Dask estimators, checkpoints, ensembles and the
gradient check use these steps one by one.
"""

from contextlib import contextmanager

from ..core.layout import BLOCK_ROWS
from ..core.state import ConvergenceMonitor
from ..core.training import DivergenceError
from .callback_support import (
    CALLBACK_ATTRIBUTES,
    FitCallbackContext,
    with_callbacks,
)
from .convergence import compare_with_constant
from .fit_kind import FitKind
from .messages import (
    EpochPrinter,
    explain_divergence,
    explain_stop,
    print_stop,
    warn_on_stop,
)
from .solvers import SOLVERS, check_solver_parameters
from .threads import blas_threads
from .training_data import read_training_data
from .training_setup import build_training, read_validation_data


def fit_network(
    estimator, kind, X, y, sample_weight, validation=(None,) * 3, initial=(None, None)
):
    """Fit an estimator; if fitting fails, leave the estimator unchanged.

    Parameters
    ----------
    estimator : BaseBackprop
        Estimator with valid parameters.
    kind : FitKind
        Kind of fit, except the chunks of `fit_chunk`.
    X, y, sample_weight : array-like
        Training data.
    validation : tuple of (X_val, y_val, sample_weight_val)
        Validation data, or None.
    initial : tuple of (coefs_init, intercepts_init)
        Initial parameters, or None.

    Returns
    -------
    BaseBackprop
        The fitted estimator.
    """
    callbacks = FitCallbackContext(estimator, X, y, sample_weight)
    with restored_on_error(estimator):
        callbacks.begin()
        check_solver_parameters(estimator)
        reader, samples = read_training_data(estimator, kind, X, y, sample_weight)
        held_out = read_validation_data(estimator, reader, *validation)
        training = build_training(estimator, kind, reader, samples, held_out, initial)
        stop = run_training(estimator, kind, training, callbacks.observers)
        if stop.kind != "interrupted":  # an interrupted fit can be resumed
            callbacks.end()
    return estimator


@with_callbacks
def fit_member(estimator, reader, samples, held_out, data):
    """Fit a new network to samples that are already read, for an ensemble.

    Parameters
    ----------
    estimator : BaseBackprop
        Estimator with valid parameters and ``early_stopping=True``.
    reader : Reader
        Reader of the samples.
    samples, held_out : TrainingSamples
        Training and validation samples, usually subsets of the same samples.
    data : tuple of (X, y, sample_weight)
        Training data for callbacks; see `FitCallbackContext`.

    Returns
    -------
    str or None
        Warning about the result of the fit.

    Raises
    ------
    KeyboardInterrupt
        If the user interrupts training.
    """
    callbacks = FitCallbackContext(estimator, *data)
    callbacks.begin()
    training = build_training(estimator, FitKind.FRESH, reader, samples, held_out)
    warning = None

    def store_warning(*outcome):
        nonlocal warning
        warning = explain_stop(*outcome)

    stop = run_training(
        estimator,
        FitKind.FRESH,
        training,
        callbacks.observers,
        report_stop=store_warning,
    )
    if stop.kind == "interrupted":
        raise KeyboardInterrupt
    callbacks.end()
    return warning


def fit_chunk(estimator, X, y, sample_weight, classes=None):
    """Train one epoch on a chunk of data; see `fit_network`."""
    with restored_on_error(estimator):
        if estimator.early_stopping:
            raise ValueError(
                "partial_fit does not support early_stopping=True: it trains one epoch "
                "and does not decide when to stop. Set early_stopping=False, or call "
                "fit."
            )
        check_solver_parameters(estimator)
        is_fitted = estimator.__sklearn_is_fitted__()
        kind = FitKind.NEXT_CHUNK if is_fitted else FitKind.FIRST_CHUNK
        reader, samples = read_training_data(
            estimator, kind, X, y, sample_weight, classes
        )
        training = build_training(estimator, kind, reader, samples)
        run_training(estimator, kind, training)
    return estimator


@with_callbacks
def resume_fit(estimator, X, y, sample_weight, validation):
    """Finish an interrupted fit on the same data; see `fit_network`."""
    return fit_network(estimator, FitKind.RESUMED, X, y, sample_weight, validation)


def check_parameters(estimator):
    """Raise ValueError if a parameter is invalid, or not supported by the solver."""
    estimator._validate_params()
    check_solver_parameters(estimator)


def prepare_training(estimator, X, y, sample_weight=None):
    """Return the training of a new network without running it; see `fit_network`."""
    check_parameters(estimator)
    reader, samples = read_training_data(estimator, FitKind.FRESH, X, y, sample_weight)
    return build_training(estimator, FitKind.FRESH, reader, samples)


@contextmanager
def restored_on_error(estimator):
    """Restore the attributes of an estimator if an error is raised."""
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        # scikit-learn still has to tear down the callbacks.
        callbacks = {
            k: v for k, v in vars(estimator).items() if k in CALLBACK_ATTRIBUTES
        }
        vars(estimator).clear()
        vars(estimator).update(before | callbacks)
        raise


def run_training(
    estimator, kind, training, observers=(), minimize=None, report_stop=warn_on_stop
):
    """Train the network of an estimator, and set its fitted attributes.

    Parameters
    ----------
    estimator, kind
        As in `fit_network`.
    training : Training
        Result of `build_training`.
    observers : tuple of Observer, default=()
        Run after each epoch.
    minimize : callable, default=None
        See `Training.run`; None for the function of the solver.
    report_stop : callable, default=warn_on_stop
        Function that receives the arguments of `warn_on_stop` after `fit`.

    Returns
    -------
    StopReason
    """
    # The total number of epochs is unknown in `partial_fit`.
    n_epochs = None if kind.is_chunk else estimator.max_iter
    printers = (EpochPrinter(n_epochs),) if estimator.verbose else ()
    training.observers = (*printers, *observers)
    network, batch_size = training.state.network, training.config.batch_size
    with blas_threads(network, min(batch_size, BLOCK_ROWS)):
        try:
            stop = training.run(minimize or SOLVERS[estimator.solver].minimize)
        except DivergenceError as error:
            message = explain_divergence(estimator, training.config, error.epoch)
            raise ValueError(message) from None
        # The user is responsible for fits that callbacks or Ctrl-C end.
        is_complete = stop.kind not in ("interrupted", "stopped")
        unlearned = None
        if is_complete and not kind.is_chunk:
            unlearned = compare_with_constant(training)
    estimator._set_fitted_attributes()
    if kind.is_chunk:
        training.state.limit_history()
    else:
        # Only `partial_fit` continues to shuffle the last order: K calls equal one fit.
        training.state.order = None
    if estimator.early_stopping:
        # Further epochs without early stopping monitor the loss, not a score.
        training.state.monitor = ConvergenceMonitor()
    if stop.kind == "interrupted" or not kind.is_chunk:
        report_stop(estimator, training.config, stop, unlearned)
        if estimator.verbose:
            print_stop(estimator, stop)
    return stop
