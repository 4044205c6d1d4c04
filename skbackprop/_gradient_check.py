"""A check of back-propagated gradients, for whoever adds a part of their own."""

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state

from ._estimators.base import BaseBackprop
from ._estimators.fitted import fitted_parts
from ._estimators.fitting import prepare_training
from .core.layout import layer_views
from .core.lbfgs import FullGradient

#: Steps of the differences, from the best for smooth functions, near the cube root of
#: the float64 epsilon, to ones that are hardly ever caught by a kink.
STEPS = (6e-6, 6e-7, 6e-8)

#: How far parameters are moved off their start.
NUDGE = 0.01

#: So many weights and biases of each layer are looked at, no more.
N_PROBED = 30


def check_gradients(estimator, X, y, sample_weight=None, *, rtol=1e-4, random_state=0):
    """Compare back-propagated gradients with differences of the cost.

    A network is made as `fit` would make it, but in float64 and without dropout.
    Some of its parameters, moved a little up and down, tell the derivative of
    the cost from its central difference.

    Parameters
    ----------
    estimator : BackpropClassifier or BackpropRegressor
        With the parts that are to be checked. It is not changed.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Some samples; a few dozen are enough.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Their targets.
    sample_weight : array-like of shape (n_samples,), default=None
        Their weights.
    rtol : float, default=1e-4
        What counts as a difference, as a share of the largest derivative of the
        layer.
    random_state : int, RandomState instance or None, default=0
        Chooses the parameters that are looked at, at most 30 weights and 30 biases a
        layer.

    Returns
    -------
    float
        The largest difference met, as such a share.

    Raises
    ------
    AssertionError
        Where a gradient is wrong. The message names the layer, and the methods that
        are to blame.

    References
    ----------
    Nielsen. "Neural Networks and Deep Learning." Determination Press (2015), chapter
    2, "In what sense is backpropagation a fast algorithm?", equation 46.

    Examples
    --------
    >>> import numpy as np
    >>> from skbackprop import BackpropRegressor, check_gradients
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(20, 3)), rng.normal(size=20)
    >>> def sine(z):
    ...     return np.sin(z), np.cos(z)
    >>> check_gradients(BackpropRegressor((5,), sine), X, y) < 1e-7
    True
    >>> def wrong(z):
    ...     return np.sin(z), np.sin(z)
    >>> check_gradients(BackpropRegressor((5,), wrong), X, y)
    Traceback (most recent call last):
        ...
    AssertionError: The gradient of the biases of layer 1 of 2 is wrong...
    """
    if not isinstance(estimator, BaseBackprop):
        raise TypeError(
            "estimator must be a BackpropClassifier or a BackpropRegressor, got "
            f"{type(estimator).__name__}; of a pipeline pass the last step."
        )
    estimator = clone(estimator).set_params(
        dtype="float64",
        dropout=0.0,
        batch_size="auto",
        early_stopping=False,
        warm_start=False,
    )
    training = prepare_training(estimator, X, y, sample_weight)
    with np.errstate(all="ignore"):
        return _compare(estimator, training, rtol, check_random_state(random_state))


def _compare(estimator, training, rtol, rng):
    network, cost_and_gradient = training.state.network, FullGradient(training)
    # A little off the start: where biases are zero, many a unit is at a kink.
    params = network.params + NUDGE * rng.normal(size=network.params.size)
    cost, computed = cost_and_gradient(params)
    numbers = layer_views(np.arange(params.size), network.sizes)
    largest = 0.0
    # From the top: an error there goes on to the layers below.
    for l in range(len(network.weights), 0, -1):
        for what, layer in (("biases of", numbers[1]), ("weights into", numbers[0])):
            group = layer[l - 1].ravel()
            probed = rng.permutation(group)[:N_PROBED]
            expected, error = _differences(cost_and_gradient, params, computed, probed)
            scale = max(np.abs(computed[group]).max(), np.abs(expected).max())
            worst = error.argmax()
            share = error[worst] / scale if scale else 0.0
            # Where gradients have vanished, differences show how the cost was rounded.
            noise = 16.0 * np.finfo(np.float64).eps * abs(cost) / STEPS[0]
            if not (share <= rtol or error[worst] <= noise):
                raise AssertionError(
                    f"The gradient of the {what} layer {l} of {len(network.weights)} "
                    f"is wrong: back-propagation gives {computed[probed[worst]]:g} "
                    f"where differences of the cost give {expected[worst]:g}. "
                    f"{_suspects(estimator, l)}"
                )
            largest = max(largest, share)
    return float(largest)


def _differences(cost_and_gradient, params, computed, probed):
    """Return the differences that come nearest to the gradient, and how near."""
    expected = np.array(
        [
            [_difference(cost_and_gradient, params, i, step) for step in STEPS]
            for i in probed
        ]
    )
    errors = np.abs(expected - computed[probed, np.newaxis])
    errors[np.isnan(errors)] = np.inf
    nearest = errors.argmin(axis=1)
    rows = np.arange(len(probed))
    return expected[rows, nearest], errors[rows, nearest]


def _difference(cost_and_gradient, params, i, step):
    costs = []
    for sign in (1.0, -1.0):
        moved = params.copy()
        moved[i] += sign * step
        costs.append(cost_and_gradient(moved)[0])
    return (costs[0] - costs[1]) / (2.0 * step)


def _suspects(estimator, l):
    """Name what the error of layer `l` is computed by."""
    architecture = fitted_parts(estimator).architecture
    layers = (*architecture.hidden_activations, architecture.output_activation)
    backward = f"`backward` of the activation {layers[l - 1]!r}"
    if l < len(layers):
        return f"Look at {backward}, the layers above are right."
    return f"Look at `gradient` of the loss {architecture.loss!r}, and at {backward}."
