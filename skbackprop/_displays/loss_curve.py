"""Display of the loss curves."""

import numpy as np

from .plotting import check_network, get_axes, make_line_style


class LossCurveDisplay:
    """Training loss and validation loss per epoch.

    Use `from_estimator` to create a display. To compare several models in one plot,
    pass the axes of the first display to the other displays.

    Parameters
    ----------
    loss : array-like of shape (n_epochs,)
        Training loss of each epoch.
    validation_loss : array-like of shape (n_epochs,), default=None
        Validation loss of each epoch.
    best_epoch : int, default=None
        Epoch to mark, counted from 1. If None, no epoch is marked.
    name : str, default=None
        Name of the model in the legend. If None, the legend shows no name.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes with the loss curves.
    figure_ : matplotlib.figure.Figure
        Figure that contains the axes.
    line_ : matplotlib.lines.Line2D
        Curve of the training loss.
    validation_line_ : matplotlib.lines.Line2D or None
        Curve of the validation loss. None without validation losses.
    best_ : matplotlib.lines.Line2D or None
        Marker of the best epoch. None if no epoch is marked.

    See Also
    --------
    GradientFlowDisplay : Gradient norm of each layer per epoch.
    BackpropClassifier.history_ : Losses, scores and learning rates of all epochs.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from sklearn.datasets import load_iris
    >>> from skbackprop import BackpropClassifier, LossCurveDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> net = BackpropClassifier(early_stopping=True, tol=1e-2, random_state=0)
    >>> display = LossCurveDisplay.from_estimator(net.fit(X, y), name="Adam")
    >>> [text.get_text() for text in display.ax_.get_legend().get_texts()]
    ['Adam, training', 'Adam, validation', 'Adam, best epoch ...']
    """

    def __init__(self, *, loss, validation_loss=None, best_epoch=None, name=None):
        self.loss = loss
        self.validation_loss = validation_loss
        self.best_epoch = best_epoch
        self.name = name

    def plot(self, ax=None, *, name=None, **line_kwargs):
        """Plot the loss curves.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to plot on. If None, a new figure and axes are created.
        name : str, default=None
            Name of the model in the legend. If None, the `name` of the display is
            used.
        **line_kwargs : dict
            Keyword arguments passed to `matplotlib.axes.Axes.plot` for both curves.

        Returns
        -------
        display : LossCurveDisplay
            The display itself.
        """
        self.ax_ = get_axes(self, ax)
        self.figure_ = self.ax_.figure
        name = self.name if name is None else name
        prefix = f"{name}, " if name else ""
        epochs = np.arange(1, len(self.loss) + 1)
        style = make_line_style(
            len(epochs), {"label": f"{prefix}training"}, line_kwargs
        )
        (self.line_,) = self.ax_.plot(epochs, self.loss, **style)
        self.validation_line_ = self.best_ = None
        if self.validation_loss is not None:
            color = self.line_.get_color()
            style = {"color": color, "linestyle": "--"}
            style = make_line_style(len(epochs), style, line_kwargs)
            style["label"] = f"{prefix}validation"
            (self.validation_line_,) = self.ax_.plot(
                epochs, self.validation_loss, **style
            )
        if self.best_epoch is not None:
            monitored = (
                self.loss if self.validation_loss is None else self.validation_loss
            )
            (self.best_,) = self.ax_.plot(
                self.best_epoch,
                monitored[self.best_epoch - 1],
                "o",
                color=self.line_.get_color(),
                label=f"{prefix}best epoch {self.best_epoch}",
            )
        self.ax_.set(xlabel="Epoch", ylabel="Loss")
        self.ax_.legend()
        return self

    @classmethod
    def from_estimator(cls, estimator, *, name=None, ax=None, **line_kwargs):
        """Plot the loss curves of a fitted network.

        The validation losses are plotted as a dashed line if validation data were
        passed to `fit` or were split off for early stopping. A marker then shows the
        epoch of the last fit with the best validation score. Early stopping restores
        the weights of this epoch.

        Parameters
        ----------
        estimator : BackpropClassifier or BackpropRegressor
            Fitted estimator.
        name : str, default=None
            Name of the model in the legend. If None, the legend shows no name.
        ax : matplotlib.axes.Axes, default=None
            Axes to plot on. If None, a new figure and axes are created.
        **line_kwargs : dict
            Keyword arguments passed to `matplotlib.axes.Axes.plot` for both curves.

        Returns
        -------
        display : LossCurveDisplay
            Display with the loss curves.

        Raises
        ------
        TypeError
            If `estimator` is not a BackpropClassifier or BackpropRegressor.
        sklearn.exceptions.NotFittedError
            If `estimator` is not fitted.
        ImportError
            If matplotlib is not installed.
        """
        check_network(estimator)
        display = cls(
            loss=estimator.loss_curve_,
            validation_loss=estimator.validation_loss_curve_,
            best_epoch=_best_epoch(estimator),
            name=name,
        )
        return display.plot(ax, **line_kwargs)


def _best_epoch(estimator):
    """Return the epoch of the last fit with the best validation score, from 1."""
    if estimator.validation_scores_ is None:
        return None
    first = len(estimator.validation_scores_) - estimator.n_iter_
    scores = np.array(estimator.validation_scores_[first:])
    return None if np.isnan(scores).all() else int(first + np.nanargmax(scores) + 1)
