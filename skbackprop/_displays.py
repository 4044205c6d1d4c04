"""Pictures of a training, in the manner of scikit-learn's Displays."""

import math

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ._estimators.base import BaseBackprop

#: Distance between images of weights, in pixels of theirs.
GAP = 1


def _axes(display, ax):
    """Return axes to draw on, new ones where none are given."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{type(display).__name__} needs matplotlib. Install it with "
            "`pip install matplotlib`, or skbackprop with its extra `plot`."
        ) from error
    return plt.subplots(layout="constrained")[1] if ax is None else ax


def _style(n_epochs, defaults, given):
    """Return how a line is drawn, with what was asked for under its full names."""
    if n_epochs == 1:
        defaults["marker"] = "o"  # a line from a point to itself can't be seen
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    return {**defaults, **normalize_kwargs(given, Line2D)}


def _check_network(estimator):
    if not isinstance(estimator, BaseBackprop):
        raise TypeError(
            "estimator must be a BackpropClassifier or a BackpropRegressor, got "
            f"{type(estimator).__name__}; of a pipeline pass the last step."
        )
    check_is_fitted(estimator)


class LossCurveDisplay:
    """The loss of every epoch, in training and of validation data.

    Make it with `from_estimator`. For several models in one picture pass the axes of
    the first to the others.

    Parameters
    ----------
    loss : array-like of shape (n_epochs,)
        Training losses.
    validation_loss : array-like of shape (n_epochs,), default=None
        Validation losses.
    best_epoch : int, default=None
        The epoch to be marked, counted from 1.
    name : str, default=None
        Of the model, for the legend.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        The axes.
    figure_ : matplotlib.figure.Figure
        Their figure.
    line_, validation_line_, best_ : matplotlib.lines.Line2D
        The curves, and the mark of the best epoch; None where there is none.

    See Also
    --------
    GradientFlowDisplay : How much of the gradient reaches each layer.
    BackpropClassifier.history_ : The numbers.

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
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where; None makes a new figure.
        name : str, default=None
            Of the model, for the legend; None takes that of the display.
        **line_kwargs : dict
            Passed to `matplotlib.axes.Axes.plot`, for both curves.

        Returns
        -------
        LossCurveDisplay
            This display.
        """
        self.ax_ = _axes(self, ax)
        self.figure_ = self.ax_.figure
        name = self.name if name is None else name
        prefix = f"{name}, " if name else ""
        epochs = np.arange(1, len(self.loss) + 1)
        style = _style(len(epochs), {"label": f"{prefix}training"}, line_kwargs)
        (self.line_,) = self.ax_.plot(epochs, self.loss, **style)
        self.validation_line_ = self.best_ = None
        if self.validation_loss is not None:
            color = self.line_.get_color()
            style = {"color": color, "linestyle": "--"}
            style = _style(len(epochs), style, line_kwargs)
            style["label"] = f"{prefix}validation"
            (self.validation_line_,) = self.ax_.plot(
                epochs, self.validation_loss, **style
            )
        if self.best_epoch is not None:
            watched = (
                self.loss if self.validation_loss is None else self.validation_loss
            )
            (self.best_,) = self.ax_.plot(
                self.best_epoch,
                watched[self.best_epoch - 1],
                "o",
                color=self.line_.get_color(),
                label=f"{prefix}best epoch {self.best_epoch}",
            )
        self.ax_.set(xlabel="Epoch", ylabel="Loss")
        self.ax_.legend()
        return self

    @classmethod
    def from_estimator(cls, estimator, *, name=None, ax=None, **line_kwargs):
        """Draw the losses of a fitted network.

        Parameters
        ----------
        estimator : BackpropClassifier or BackpropRegressor
            Fitted. With validation data, passed to `fit` or held out for early
            stopping, their losses are drawn dashed, and the epoch of the last fit in
            which their score was best is marked: early stopping keeps its weights.
        name : str, default=None
            Of the model, for the legend.
        ax : matplotlib.axes.Axes, default=None
            Where; None makes a new figure.
        **line_kwargs : dict
            Passed to `matplotlib.axes.Axes.plot`, for both curves.

        Returns
        -------
        LossCurveDisplay

        Raises
        ------
        TypeError
            Where `estimator` is not one of these two.
        sklearn.exceptions.NotFittedError
            Where it is not fitted.
        ImportError
            Without matplotlib.
        """
        _check_network(estimator)
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


class GradientFlowDisplay:
    """The norm of the gradient of each layer's weights, over the epochs.

    Where the gradient vanishes, the first layers lie orders of magnitude below the
    last ones, and learn as much more slowly. Make it with `from_estimator`.

    Parameters
    ----------
    norms : array-like of shape (n_epochs, n_layers)
        The norms, those of the first layer in the first column.
    name : str, default=None
        Of the model, for the legend.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        The axes.
    figure_ : matplotlib.figure.Figure
        Their figure.
    lines_ : list of matplotlib.lines.Line2D
        One for each layer.

    See Also
    --------
    BackpropClassifier.gradient_norms_ : The numbers.

    References
    ----------
    Nielsen. "Neural Networks and Deep Learning." Determination Press (2015), chapter
    5, "The vanishing gradient problem".

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from sklearn.datasets import load_iris
    >>> from skbackprop import BackpropClassifier, GradientFlowDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> deep = BackpropClassifier((8,) * 4, "sigmoid", tol=1e-3, random_state=0)
    >>> display = GradientFlowDisplay.from_estimator(deep.fit(X, y))
    >>> first, *_, last = [line.get_ydata()[0] for line in display.lines_]
    >>> bool(first < last / 100)
    True
    """

    def __init__(self, *, norms, name=None):
        self.norms = norms
        self.name = name

    def plot(self, ax=None, *, name=None, cmap="viridis", **line_kwargs):
        """Draw a line for each layer.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where; None makes a new figure.
        name : str, default=None
            Of the model, for the legend; None takes that of the display.
        cmap : str or matplotlib.colors.Colormap, default="viridis"
            Colours of the layers, from the first to the last.
        **line_kwargs : dict
            Passed to `matplotlib.axes.Axes.plot`.

        Returns
        -------
        GradientFlowDisplay
            This display.
        """
        self.ax_ = _axes(self, ax)
        self.figure_ = self.ax_.figure
        from matplotlib import colormaps

        name = self.name if name is None else name
        prefix = f"{name}, " if name else ""
        norms = np.asarray(self.norms)
        n_epochs, n_layers = norms.shape
        # Short of the end of the colours, which is too light for a white page.
        colors = colormaps.get_cmap(cmap)(np.linspace(0.0, 0.9, n_layers))
        self.lines_ = []
        for l, (layer, color) in enumerate(zip(norms.T, colors), start=1):
            style = {"color": color, "label": f"{prefix}layer {l}"}
            style = _style(n_epochs, style, line_kwargs)
            self.lines_ += self.ax_.plot(range(1, n_epochs + 1), layer, **style)
        self.ax_.set(xlabel="Epoch", ylabel="Norm of the gradient", yscale="log")
        self.ax_.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        return self

    @classmethod
    def from_estimator(
        cls, estimator, *, name=None, ax=None, cmap="viridis", **line_kwargs
    ):
        """Draw the norms of a fitted network.

        Parameters
        ----------
        estimator : BackpropClassifier or BackpropRegressor
            Fitted.
        name : str, default=None
            Of the model, for the legend.
        ax : matplotlib.axes.Axes, default=None
            Where; None makes a new figure.
        cmap : str or matplotlib.colors.Colormap, default="viridis"
            Colours of the layers, from the first to the last.
        **line_kwargs : dict
            Passed to `matplotlib.axes.Axes.plot`.

        Returns
        -------
        GradientFlowDisplay

        Raises
        ------
        TypeError
            Where `estimator` is not one of these two.
        sklearn.exceptions.NotFittedError
            Where it is not fitted.
        ImportError
            Without matplotlib.
        """
        _check_network(estimator)
        display = cls(norms=estimator.gradient_norms_, name=name)
        return display.plot(ax, cmap=cmap, **line_kwargs)


class WeightsDisplay:
    """The weights of the first layer, one image for each unit.

    For inputs that are pixels. All images share their colours: white is 0, red is
    positive, blue negative. Make it with `from_estimator`.

    Parameters
    ----------
    images : array-like of shape (n_units, height, width)
        The weights into each unit.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        The axes.
    figure_ : matplotlib.figure.Figure
        Their figure.
    image_ : matplotlib.image.AxesImage
        All images in one, row by row.

    See Also
    --------
    BackpropClassifier.coefs_ : The numbers.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from sklearn.datasets import load_digits
    >>> from skbackprop import BackpropClassifier, WeightsDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> net = BackpropClassifier((12,), tol=1e-2, random_state=0).fit(X, y)
    >>> WeightsDisplay.from_estimator(net, units=range(6)).images.shape
    (6, 8, 8)
    """

    def __init__(self, *, images):
        self.images = images

    def plot(self, ax=None, *, cmap="RdBu_r", **imshow_kwargs):
        """Draw the images, as nearly a square of them as their number allows.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where; None makes a new figure.
        cmap : str or matplotlib.colors.Colormap, default="RdBu_r"
            Colours, from the most negative weight to the most positive.
        **imshow_kwargs : dict
            Passed to `matplotlib.axes.Axes.imshow`.

        Returns
        -------
        WeightsDisplay
            This display.
        """
        self.ax_ = _axes(self, ax)
        self.figure_ = self.ax_.figure
        images = np.asarray(self.images)
        largest = float(np.abs(images).max())
        limits = {} if "norm" in imshow_kwargs else {"vmin": -largest, "vmax": largest}
        style = {"cmap": cmap, **limits, **imshow_kwargs}
        self.image_ = self.ax_.imshow(_mosaic(images), **style)
        self.ax_.set_axis_off()
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator,
        *,
        image_shape=None,
        units=None,
        ax=None,
        cmap="RdBu_r",
        **imshow_kwargs,
    ):
        """Draw the weights of a fitted network.

        Parameters
        ----------
        estimator : BackpropClassifier or BackpropRegressor
            Fitted. With ``standardize=True`` the weights are those of standardised
            pixels.
        image_shape : tuple of int (height, width), default=None
            Of the images that were learned; None if they are square.
        units : array-like of int, default=None
            Which units of the first layer, from 0; None for all.
        ax : matplotlib.axes.Axes, default=None
            Where; None makes a new figure.
        cmap : str or matplotlib.colors.Colormap, default="RdBu_r"
            Colours, from the most negative weight to the most positive.
        **imshow_kwargs : dict
            Passed to `matplotlib.axes.Axes.imshow`.

        Returns
        -------
        WeightsDisplay

        Raises
        ------
        TypeError
            Where `estimator` is not one of these two.
        ValueError
            Where the inputs do not fill an image of that shape, or are not as many
            as a square has pixels; where a unit is not there.
        sklearn.exceptions.NotFittedError
            Where it is not fitted.
        ImportError
            Without matplotlib.
        """
        _check_network(estimator)
        W = estimator.coefs_[0]
        shape = _image_shape(W.shape[0], image_shape)
        display = cls(images=W.T[_units(W.shape[1], units)].reshape(-1, *shape))
        return display.plot(ax, cmap=cmap, **imshow_kwargs)


def _image_shape(n_inputs, image_shape):
    if image_shape is None:
        side = math.isqrt(n_inputs)
        if side**2 != n_inputs:
            raise ValueError(
                f"image_shape must be given where images are not square: {n_inputs} "
                "inputs are not the pixels of a square."
            )
        return side, side
    shape = np.asarray(image_shape)
    are_sides = shape.shape == (2,) and shape.dtype.kind in "iu" and shape.min() > 0
    if not are_sides or shape.prod() != n_inputs:
        raise ValueError(
            f"image_shape={image_shape} must be a height and a width whose product is "
            f"the number of inputs to the first layer, {n_inputs}."
        )
    return tuple(shape)


def _units(n_units, units):
    if units is None:
        return np.arange(n_units)
    chosen = np.asarray(units)
    are_numbers = chosen.ndim == 1 and chosen.size and chosen.dtype.kind in "iu"
    if not are_numbers or chosen.min() < 0 or chosen.max() >= n_units:
        raise ValueError(
            f"units must be a sequence of some of 0 to {n_units - 1}, got {units}."
        )
    return chosen


def _mosaic(images):
    """Lay images out row by row, with gaps of nan between them."""
    n_images, height, width = images.shape
    n_columns = math.ceil(math.sqrt(n_images))
    n_rows = math.ceil(n_images / n_columns)
    height, width = height + GAP, width + GAP
    mosaic = np.full((n_rows * height - GAP, n_columns * width - GAP), np.nan)
    for i, image in enumerate(images):
        top, left = i // n_columns * height, i % n_columns * width
        mosaic[top : top + height - GAP, left : left + width - GAP] = image
    return mosaic
