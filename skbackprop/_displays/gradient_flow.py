"""Display of the gradient norms."""

import numpy as np

from .plotting import check_network, get_axes, make_line_style


class GradientFlowDisplay:
    """Gradient norm of the weights of each layer per epoch.

    If gradients vanish, the norms of the first layers are orders of magnitude smaller
    than the norms of the last layers. The first layers then learn more slowly by the
    same factor. Use `from_estimator` to create a display.

    Parameters
    ----------
    norms : array-like of shape (n_epochs, n_layers)
        Gradient norms, with the first layer in the first column.
    name : str, default=None
        Name of the model in the legend. If None, the legend shows no name.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes with the curves.
    figure_ : matplotlib.figure.Figure
        Figure that contains the axes.
    lines_ : list of matplotlib.lines.Line2D
        Curve of each layer.

    See Also
    --------
    BackpropClassifier.gradient_norms_ : Gradient norms of all epochs as an array.

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
    >>> params = dict(learning_rate_init=0.02, n_iter_no_change=100, random_state=0)
    >>> deep = BackpropClassifier((8,) * 3, "sigmoid", max_iter=500, **params)
    >>> display = GradientFlowDisplay.from_estimator(deep.fit(X, y))
    >>> first, *_, last = [line.get_ydata()[0] for line in display.lines_]
    >>> bool(first < last / 100)
    True
    """

    def __init__(self, *, norms, name=None):
        self.norms = norms
        self.name = name

    def plot(self, ax=None, *, name=None, cmap="viridis", **line_kwargs):
        """Plot one curve per layer.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to plot on. If None, a new figure and axes are created.
        name : str, default=None
            Name of the model in the legend. If None, the `name` of the display is
            used.
        cmap : str or matplotlib.colors.Colormap, default="viridis"
            Colormap of the layers, from the first layer to the last.
        **line_kwargs : dict
            Keyword arguments passed to `matplotlib.axes.Axes.plot`.

        Returns
        -------
        display : GradientFlowDisplay
            The display itself.
        """
        self.ax_ = get_axes(self, ax)
        self.figure_ = self.ax_.figure
        from matplotlib import colormaps

        name = self.name if name is None else name
        prefix = f"{name}, " if name else ""
        norms = np.asarray(self.norms)
        n_epochs, n_layers = norms.shape
        # The upper end of the colormap is too light for a white background.
        colors = colormaps.get_cmap(cmap)(np.linspace(0.0, 0.9, n_layers))
        self.lines_ = []
        for l, (layer, color) in enumerate(zip(norms.T, colors), start=1):
            style = {"color": color, "label": f"{prefix}layer {l}"}
            style = make_line_style(n_epochs, style, line_kwargs)
            self.lines_ += self.ax_.plot(range(1, n_epochs + 1), layer, **style)
        self.ax_.set(xlabel="Epoch", ylabel="Norm of the gradient", yscale="log")
        self.ax_.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        return self

    @classmethod
    def from_estimator(
        cls, estimator, *, name=None, ax=None, cmap="viridis", **line_kwargs
    ):
        """Plot the gradient norms of a fitted network.

        Parameters
        ----------
        estimator : BackpropClassifier or BackpropRegressor
            Fitted estimator.
        name : str, default=None
            Name of the model in the legend. If None, the legend shows no name.
        ax : matplotlib.axes.Axes, default=None
            Axes to plot on. If None, a new figure and axes are created.
        cmap : str or matplotlib.colors.Colormap, default="viridis"
            Colormap of the layers, from the first layer to the last.
        **line_kwargs : dict
            Keyword arguments passed to `matplotlib.axes.Axes.plot`.

        Returns
        -------
        display : GradientFlowDisplay
            Display with the gradient norms.

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
        display = cls(norms=estimator.gradient_norms_, name=name)
        return display.plot(ax, cmap=cmap, **line_kwargs)
