"""scikit-learn's protocol of callbacks, where there is one, an epoch at a time.

It came with scikit-learn 1.9. Before, fits go without, and who sets callbacks is told.
"""

import sklearn

from ..core.training import Observer

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ModuleNotFoundError:

    class CallbackSupportMixin:
        """Stands in for that of scikit-learn 1.9."""

        def set_callbacks(self, *callbacks):
            """Set callbacks for the estimator, which takes scikit-learn 1.9 or later.

            Parameters
            ----------
            *callbacks : callback instances
                None can be set.

            Returns
            -------
            self : object
                The estimator.
            """
            if callbacks:
                raise RuntimeError(
                    "set_callbacks needs scikit-learn 1.9 or later, this is "
                    f"{sklearn.__version__}. Upgrade it, or loop over partial_fit."
                )
            return self

        def _init_callback_context(self, **settings):
            return None

    def with_callbacks(fit):
        """Return a method as it is."""
        return fit


#: The task of one epoch, or of one iteration of L-BFGS.
EPOCH = "epoch"

#: What scikit-learn's support of callbacks keeps among the attributes.
CALLBACK_ATTRIBUTES = {
    "_skl_callbacks",
    "_skl_callbacks_to_teardown",
    "_callback_fit_ctx",
    "_parent_callback_ctx",
}


def without_callbacks(attributes):
    """Return the attributes of an estimator, but what its callbacks have put there."""
    return {k: v for k, v in attributes.items() if k not in CALLBACK_ATTRIBUTES}


class FitCallbackContext(Observer):
    """One call of `fit`, as it is told to callbacks, and its epochs.

    Parameters
    ----------
    estimator : BaseBackprop
        Being fitted.
    X, y, sample_weight : array-like
        As they were given to `fit`.
    """

    def __init__(self, estimator, X, y, sample_weight):
        self.estimator = estimator
        self.task = estimator._init_callback_context(max_subtasks=estimator.max_iter)
        self.epoch = None
        weighted = sample_weight is not None
        metadata = {"sample_weight": sample_weight} if weighted else None
        self.callback_kwargs = {
            "estimator": estimator,
            "X": X,
            "y": y,
            "metadata": metadata,
        }

    @property
    def observers(self):
        """Who has to be told of epochs: nobody, if there are no callbacks."""
        return (self,) if getattr(self.estimator, "_skl_callbacks", ()) else ()

    def begin(self):
        """Tell that the fit begins."""
        if self.task is not None:
            self.task.call_on_fit_task_begin(**self.callback_kwargs)

    def end(self):
        """Tell that the fit has ended."""
        if self.task is not None:
            self.task.call_on_fit_task_end(
                **self.callback_kwargs, reconstruction_attributes={}
            )

    def begin_epoch(self):
        """Tell that an epoch begins, if that has not been told."""
        if self.epoch is None:
            self.epoch = self.task.subcontext(task_name=EPOCH)
            self.epoch.call_on_fit_task_begin(**self.callback_kwargs)

    def end_epoch(self, n_epochs, record):
        """Tell that an epoch has ended; say whether a callback wants to stop."""
        self.estimator._set_best_attributes()  # callbacks may look at the attributes
        ended, self.epoch = self.epoch, None
        return ended.call_on_fit_task_end(
            **self.callback_kwargs, reconstruction_attributes=self._fitted_so_far
        )

    def _fitted_so_far(self):
        return {"_state": self.estimator._state.copy()}
