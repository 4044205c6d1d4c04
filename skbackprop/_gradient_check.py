"""Numerical gradient checks for custom losses and activations."""

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state

from ._estimators.base import BaseBackprop
from ._estimators.fitted import fitted_parts
from ._estimators.fitting import prepare_training
from .core.layout import layer_views
from .core.lbfgs import FullGradient

#: Step sizes of the finite differences. The largest step is near the cube root of the
#: float64 epsilon, which is best for smooth functions. Small steps rarely cross a kink.
STEPS = (6e-6, 6e-7, 6e-8)

#: Standard deviation of the noise added to the initial parameters.
NOISE_SCALE = 0.01

#: Maximum number of weights, and of biases, checked per layer.
N_CHECKED = 30


def check_gradients(estimator, X, y, sample_weight=None, *, rtol=1e-4, random_state=0):
    """Compare back-propagated gradients with finite differences of the loss.

    The network is initialized as in `fit`, but in float64 and without dropout. The
    check then computes central differences of the loss for a random subset of the
    parameters.

    Parameters
    ----------
    estimator : BackpropClassifier or BackpropRegressor
        Estimator with the losses and activations to check. The estimator is not
        modified.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Input samples. A few dozen samples are sufficient.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Target values.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights. If None, all samples have the same weight.
    rtol : float, default=1e-4
        Maximum difference, relative to the largest derivative of the layer.
    random_state : int, RandomState instance or None, default=0
        Controls the selection of the parameters to check, up to 30 weights and 30
        biases per layer.

    Returns
    -------
    error : float
        Largest difference found, relative to the largest derivative of the layer.

    Raises
    ------
    AssertionError
        If a gradient is wrong. The message names the layer and the methods to check.
    TypeError
        If `estimator` is not a BackpropClassifier or BackpropRegressor.

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
            f"{type(estimator).__name__}. For a pipeline, pass the last step. "
            "For an ensemble, pass estimator."
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
    # With zero biases, many units are exactly at a kink of the activation.
    params = network.params + NOISE_SCALE * rng.normal(size=network.params.size)
    cost, computed = cost_and_gradient(params)
    indices = layer_views(np.arange(params.size), network.sizes)
    largest = 0.0
    # An error in a layer propagates to the layers below, so the top layer comes first.
    for l in range(len(network.weights), 0, -1):
        for kind, layer in (("biases of", indices[1]), ("weights into", indices[0])):
            group = layer[l - 1].ravel()
            checked = rng.permutation(group)[:N_CHECKED]
            expected, error = _closest_differences(
                cost_and_gradient, params, computed, checked
            )
            scale = max(np.abs(computed[group]).max(), np.abs(expected).max())
            worst = error.argmax()
            relative_error = error[worst] / scale if scale else 0.0
            # For vanishing gradients, the differences are rounding errors of the loss.
            noise = 16.0 * np.finfo(np.float64).eps * abs(cost) / STEPS[0]
            if not (relative_error <= rtol or error[worst] <= noise):
                raise AssertionError(
                    f"The gradient of the {kind} layer {l} of {len(network.weights)} "
                    f"is wrong: back-propagation returns {computed[checked[worst]]:g}, "
                    f"but finite differences of the loss return {expected[worst]:g}. "
                    f"{_suggest_fix(estimator, l)}"
                )
            largest = max(largest, relative_error)
    return float(largest)


def _closest_differences(cost_and_gradient, params, computed, checked):
    """Return the finite differences closest to the gradient, and their errors."""
    expected = np.array(
        [
            [_central_difference(cost_and_gradient, params, i, step) for step in STEPS]
            for i in checked
        ]
    )
    errors = np.abs(expected - computed[checked, np.newaxis])
    errors[np.isnan(errors)] = np.inf
    closest = errors.argmin(axis=1)
    rows = np.arange(len(checked))
    return expected[rows, closest], errors[rows, closest]


def _central_difference(cost_and_gradient, params, i, step):
    costs = []
    for sign in (1.0, -1.0):
        shifted = params.copy()
        shifted[i] += sign * step
        costs.append(cost_and_gradient(shifted)[0])
    return (costs[0] - costs[1]) / (2.0 * step)


def _suggest_fix(estimator, l):
    """Return a sentence that names the methods which compute the error of layer `l`."""
    architecture = fitted_parts(estimator).architecture
    layers = (*architecture.hidden_activations, architecture.output_activation)
    backward = f"`backward` of the activation {layers[l - 1]!r}"
    if l < len(layers):
        return f"Check {backward}. The gradients of the layers above are correct."
    return f"Check `gradient` of the loss {architecture.loss!r} and {backward}."
