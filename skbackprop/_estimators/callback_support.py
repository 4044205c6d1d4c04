"""Support for scikit-learn callbacks, with one task per epoch.

Callbacks require scikit-learn 1.9 or later. On older versions `fit` runs without
callbacks, and `set_callbacks` raises a RuntimeError.
"""

from contextlib import contextmanager

import sklearn

from ..core.training import Observer

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ModuleNotFoundError:

    class CallbackSupportMixin:
        """Replacement for the mixin class that scikit-learn 1.9 introduced."""

        def set_callbacks(self, *callbacks):
            """Set callbacks for the estimator (requires scikit-learn 1.9 or later).

            Parameters
            ----------
            *callbacks : callback instances
                Callbacks are not supported with this scikit-learn version.

            Returns
            -------
            self : object
                The estimator itself.

            Raises
            ------
            RuntimeError
                If a callback is passed.
            """
            if callbacks:
                raise RuntimeError(
                    "set_callbacks requires scikit-learn 1.9 or later, but "
                    f"scikit-learn {sklearn.__version__} is installed. Upgrade "
                    "scikit-learn, or call partial_fit in a loop."
                )
            return self

        def _init_callback_context(self, **settings):
            return None

    def with_callbacks(fit):
        """Return the method unchanged."""
        return fit


#: Name of the callback task of one epoch, or of one iteration of L-BFGS.
EPOCH = "epoch"

#: Estimator attributes in which scikit-learn stores callbacks and their contexts.
CALLBACK_ATTRIBUTES = {
    "_skl_callbacks",
    "_skl_callbacks_to_teardown",
    "_callback_fit_ctx",
    "_parent_callback_ctx",
}


def without_callbacks(attributes):
    """Return the attributes of an estimator without the callback attributes."""
    return {k: v for k, v in attributes.items() if k not in CALLBACK_ATTRIBUTES}


class FitCallbackContext(Observer):
    """Observer that forwards fit and epoch events to scikit-learn callbacks.

    Parameters
    ----------
    estimator : BaseBackprop
        Estimator that is being fitted.
    X, y : array-like, or callable that returns an array-like
        Data as passed to `fit`. Functions are only called if a callback needs the data.
    sample_weight : array-like or None
        Sample weights as passed to `fit`.
    """

    def __init__(self, estimator, X, y, sample_weight):
        self.estimator = estimator
        self.task = estimator._init_callback_context(max_subtasks=estimator.max_iter)
        self.epoch = None
        #: Observers of the training: empty if the estimator has no callbacks.
        self.observers = (self,) if has_callbacks(estimator) else ()
        self.callback_kwargs = _callback_kwargs(estimator, X, y, sample_weight)

    def begin(self):
        """Notify the callbacks that the fit begins."""
        if self.task is not None:
            self.task.call_on_fit_task_begin(**self.callback_kwargs)

    def end(self):
        """Notify the callbacks that the fit has ended."""
        if self.task is not None:
            self.task.call_on_fit_task_end(
                **self.callback_kwargs, reconstruction_attributes={}
            )

    def begin_epoch(self):
        """Notify the callbacks, once per epoch, that an epoch begins."""
        if self.epoch is None:
            self.epoch = self.task.subcontext(task_name=EPOCH)
            self.epoch.call_on_fit_task_begin(**self.callback_kwargs)

    def end_epoch(self, n_epochs, record):
        """Notify the callbacks of the end of an epoch; return whether to stop."""
        self.estimator._set_fitted_attributes()  # callbacks may read them
        epoch, self.epoch = self.epoch, None
        return epoch.call_on_fit_task_end(
            **self.callback_kwargs, reconstruction_attributes=self._fitted_attributes
        )

    def _fitted_attributes(self):
        return {"_state": self.estimator._state.copy()}


def has_callbacks(estimator):
    """Return whether callbacks are set on an estimator."""
    return bool(getattr(estimator, "_skl_callbacks", ()))


class EnsembleCallbackContext:
    """Fit of an ensemble, whose members are subtasks of scikit-learn callbacks.

    Parameters
    ----------
    ensemble : BaseBackpropEnsemble
        Ensemble that is being fitted.
    n_members : int
        Number of members.
    X, y, sample_weight
        Data as passed to `fit`.
    """

    def __init__(self, ensemble, n_members, X, y, sample_weight):
        self.task = ensemble._init_callback_context(
            max_subtasks=n_members, sequential_subtasks=False
        )
        self.callback_kwargs = _callback_kwargs(ensemble, X, y, sample_weight)

    def begin(self):
        """Notify the callbacks that the fit begins."""
        if self.task is not None:
            self.task.call_on_fit_task_begin(**self.callback_kwargs)

    def end(self):
        """Notify the callbacks that the fit has ended."""
        if self.task is not None:
            self.task.call_on_fit_task_end(
                **self.callback_kwargs, reconstruction_attributes={}
            )

    def make_member_context(self, i):
        """Return the context of one member; None without support for callbacks."""
        return self.task and self.task.subcontext("member", i)


@contextmanager
def member_task(context, ensemble, member, X, y, sample_weight):
    """Run the fit of a member as a task of the callbacks of an ensemble.

    Parameters
    ----------
    context : sklearn.callback.CallbackContext or None
        Result of `EnsembleCallbackContext.make_member_context`.
    ensemble, member : BaseEstimator
        Ensemble, and member that is fitted in the body of the ``with`` statement.
    X, y, sample_weight
        Training data of the member; see `FitCallbackContext`.
    """
    if context is None:
        yield
        return
    callback_kwargs = _callback_kwargs(ensemble, X, y, sample_weight)
    try:
        with context.propagate_callback_context(member):
            context.call_on_fit_task_begin(**callback_kwargs)
            yield
    finally:
        context.call_on_fit_task_end(**callback_kwargs)


def _callback_kwargs(estimator, X, y, sample_weight):
    metadata = None if sample_weight is None else {"sample_weight": sample_weight}
    return {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
