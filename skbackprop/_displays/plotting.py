"""Helper functions shared by the displays."""

from sklearn.utils.validation import check_is_fitted

from .._estimators.base import BaseBackprop


def get_axes(display, ax):
    """Return `ax`, or the axes of a new figure if `ax` is None."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{type(display).__name__} requires matplotlib. You can install matplotlib "
            "with `pip install matplotlib`, or install skbackprop with the `plot` "
            "extra."
        ) from error
    return plt.subplots(layout="constrained")[1] if ax is None else ax


def make_line_style(n_epochs, defaults, line_kwargs):
    """Merge the keyword arguments of the user into the default style of a line."""
    if n_epochs == 1:
        # A line through a single point is invisible without a marker.
        defaults["marker"] = "o"
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    return {**defaults, **normalize_kwargs(line_kwargs, Line2D)}


def check_network(estimator):
    """Raise an error if `estimator` is not a fitted network."""
    if not isinstance(estimator, BaseBackprop):
        raise TypeError(
            "estimator must be a BackpropClassifier or a BackpropRegressor, got "
            f"{type(estimator).__name__}. For a pipeline, pass the last step. "
            "For an ensemble, pass one of estimators_."
        )
    check_is_fitted(estimator)
