"""Display of the weights of the first layer."""

import math

import numpy as np

from .plotting import check_network, get_axes

#: Spacing between two weight images, in pixels of an image.
SPACING = 1


class WeightsDisplay:
    """Weights of the first layer as one image per unit.

    Use this display if the inputs are pixels. All images share one color scale: white
    is 0, red is positive, and blue is negative. Use `from_estimator` to create a
    display.

    Parameters
    ----------
    images : array-like of shape (n_units, height, width)
        Input weights of each unit.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes with the images.
    figure_ : matplotlib.figure.Figure
        Figure that contains the axes.
    image_ : matplotlib.image.AxesImage
        Single image that contains the images of all units, row by row.

    See Also
    --------
    BackpropClassifier.coefs_ : Weights of all layers as arrays.

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
        """Plot the images in a grid that is as close to square as possible.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to plot on. If None, a new figure and axes are created.
        cmap : str or matplotlib.colors.Colormap, default="RdBu_r"
            Colormap, from the most negative weight to the most positive weight.
        **imshow_kwargs : dict
            Keyword arguments passed to `matplotlib.axes.Axes.imshow`.

        Returns
        -------
        display : WeightsDisplay
            The display itself.
        """
        self.ax_ = get_axes(self, ax)
        self.figure_ = self.ax_.figure
        images = np.asarray(self.images)
        largest = float(np.abs(images).max())
        limits = {} if "norm" in imshow_kwargs else {"vmin": -largest, "vmax": largest}
        style = {"cmap": cmap, **limits, **imshow_kwargs}
        self.image_ = self.ax_.imshow(_make_mosaic(images), **style)
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
        """Plot the first-layer weights of a fitted network.

        Parameters
        ----------
        estimator : BackpropClassifier or BackpropRegressor
            Fitted estimator. With ``standardize=True``, the weights apply to
            standardized pixels.
        image_shape : tuple of int (height, width), default=None
            Shape of the input images. If None, the images are square.
        units : array-like of int, default=None
            Indices of the units to plot, counted from 0. If None, all units of the
            first layer are plotted.
        ax : matplotlib.axes.Axes, default=None
            Axes to plot on. If None, a new figure and axes are created.
        cmap : str or matplotlib.colors.Colormap, default="RdBu_r"
            Colormap, from the most negative weight to the most positive weight.
        **imshow_kwargs : dict
            Keyword arguments passed to `matplotlib.axes.Axes.imshow`.

        Returns
        -------
        display : WeightsDisplay
            Display with the weight images.

        Raises
        ------
        TypeError
            If `estimator` is not a BackpropClassifier or BackpropRegressor.
        ValueError
            If `image_shape` does not match the number of inputs, or if
            `image_shape` is None and the number of inputs is not a square number.
            If `units` contains an index that does not exist.
        sklearn.exceptions.NotFittedError
            If `estimator` is not fitted.
        ImportError
            If matplotlib is not installed.
        """
        check_network(estimator)
        W = estimator.coefs_[0]
        shape = _check_image_shape(W.shape[0], image_shape)
        units = _check_units(W.shape[1], units)
        display = cls(images=W.T[units].reshape(-1, *shape))
        return display.plot(ax, cmap=cmap, **imshow_kwargs)


def _check_image_shape(n_inputs, image_shape):
    if image_shape is None:
        side = math.isqrt(n_inputs)
        if side**2 != n_inputs:
            raise ValueError(
                f"image_shape must be given because the first layer has {n_inputs} "
                "inputs, which is not a square number. Set image_shape to "
                "(height, width)."
            )
        return side, side
    shape = np.asarray(image_shape)
    are_sides = shape.shape == (2,) and shape.dtype.kind in "iu" and shape.min() > 0
    if not are_sides or shape.prod() != n_inputs:
        raise ValueError(
            f"image_shape must be two positive ints (height, width) with "
            f"height * width = {n_inputs}, the number of inputs of the first layer. "
            f"Got image_shape={image_shape}."
        )
    return tuple(shape)


def _check_units(n_units, units):
    if units is None:
        return np.arange(n_units)
    indices = np.asarray(units)
    are_ints = indices.ndim == 1 and indices.size and indices.dtype.kind in "iu"
    if not are_ints or indices.min() < 0 or indices.max() >= n_units:
        raise ValueError(
            f"units must be a non-empty sequence of ints from 0 to {n_units - 1}, "
            f"got {units}."
        )
    return indices


def _make_mosaic(images):
    """Arrange images row by row, separated by NaN pixels."""
    n_images, height, width = images.shape
    n_columns = math.ceil(math.sqrt(n_images))
    n_rows = math.ceil(n_images / n_columns)
    height, width = height + SPACING, width + SPACING
    mosaic = np.full((n_rows * height - SPACING, n_columns * width - SPACING), np.nan)
    for i, image in enumerate(images):
        top, left = i // n_columns * height, i % n_columns * width
        mosaic[top : top + height - SPACING, left : left + width - SPACING] = image
    return mosaic
