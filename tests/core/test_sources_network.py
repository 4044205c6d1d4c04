"""Compare the estimators with a reference implementation of published equations.

The reference network has one activation for all layers, the quadratic cost
``C = 1/(2n) sum ||y - a||^2``, and is trained with mini-batch gradient descent, as in
chapters 1 and 2 of Nielsen, "Neural Networks and Deep Learning" (2015). The single
neuron is from chapter 3.
"""

from itertools import pairwise

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from skbackprop import BackpropClassifier, BackpropRegressor

N_SAMPLES = 97  # the last of ten batches has 7 rows
N_EPOCHS = 3  # ten steps each
SEED = 5

GRADIENT_DESCENT = dict(
    loss="squared_error",
    solver="sgd",
    momentum=0,
    alpha=0,
    batch_size=10,
    max_iter=N_EPOCHS,
    tol=0,
    standardize=False,
    random_state=SEED,
)


def sigma(z):
    return 1.0 / (1.0 + np.exp(-z))


def sigma_prime(z):
    return sigma(z) * (1.0 - sigma(z))


def relu(z):
    return np.where(z > 0.0, z, 0.0)


def relu_prime(z):
    return np.where(z > 0.0, 1.0, 0.0)


# Activation, derivative, and the factor in the bound of the initial weights.
LAYERS = {"sigmoid": (sigma, sigma_prime, 2.0), "relu": (relu, relu_prime, 6.0)}


def draw_network(rng, sizes, factor):
    weights, biases = [], []
    for fan_in, fan_out in pairwise(sizes):
        bound = np.sqrt(factor / (fan_in + fan_out))
        weights.append(rng.uniform(-bound, bound, (fan_in, fan_out)))
        biases.append(rng.uniform(-bound, bound, fan_out))
    return weights, biases


def forward(x, weights, biases, f):
    zs, activations = [], [x]
    for W, b in zip(weights, biases, strict=True):
        zs.append(activations[-1] @ W + b)
        activations.append(f(zs[-1]))
    return zs, activations


def cost(a, y):
    return ((y - a) ** 2).sum() / (2.0 * len(y))


def gradient_descent_step(x, y, weights, biases, f, f_prime, rate):
    """Make one step w <- w - rate dC/dw; return C before the step."""
    zs, activations = forward(x, weights, biases, f)
    delta = (activations[-1] - y) * f_prime(zs[-1])
    gradients = []
    for layer in reversed(range(len(weights))):
        gradients.insert(0, (activations[layer].T @ delta, delta.sum(axis=0)))
        if layer > 0:
            delta = (delta @ weights[layer].T) * f_prime(zs[layer - 1])
    for W, b, (dW, db) in zip(weights, biases, gradients, strict=True):
        W -= rate * dW / len(x)
        b -= rate * db / len(x)
    return cost(activations[-1], y)


def train(X, Y, hidden, activation, rate, shuffle, is_classifier=False):
    """Return weights, biases and the mean batch cost of each epoch."""
    f, f_prime, factor = LAYERS[activation]
    rng = np.random.RandomState(SEED)
    weights, biases = draw_network(rng, (X.shape[1], *hidden, Y.shape[1]), factor)
    if is_classifier and activation == "sigmoid":
        # The initial outputs of a classifier are the class priors, clipped to
        # [0.01, 0.99].
        prior = np.clip(Y.mean(axis=0), 0.01, 0.99)
        biases[-1] = np.log(prior / (1.0 - prior))
    order, curve = np.arange(len(X)), []
    for _ in range(N_EPOCHS):
        if shuffle:
            rng.shuffle(order)
        total = 0.0
        for start in range(0, len(X), 10):
            rows = order[start : start + 10]
            batch_cost = gradient_descent_step(
                X[rows], Y[rows], weights, biases, f, f_prime, rate
            )
            total += len(rows) * batch_cost
        curve.append(total / len(X))
    return weights, biases, curve


def digits():
    X, y = load_digits(return_X_y=True)
    return X[:N_SAMPLES] / 16.0, y[:N_SAMPLES]


def fit(estimator, X, y):
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        return estimator.fit(X, y)


def assert_same_network(estimator, weights, biases):
    for actual, expected in zip(estimator.coefs_, weights, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-14)
    for actual, expected in zip(estimator.intercepts_, biases, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("shuffle", [False, True], ids=["in order", "shuffled"])
@pytest.mark.parametrize(
    ("activation", "hidden", "rate"),
    [
        ("sigmoid", (30,), 3.0),
        ("sigmoid", (20, 15), 3.0),
        ("sigmoid", (), 3.0),
        ("relu", (30,), 0.05),
        ("relu", (20, 15), 0.05),
    ],
)
def test_classifier_matches_reference_network(activation, hidden, rate, shuffle):
    X, y = digits()
    net = BackpropClassifier(
        hidden,
        activation,
        output_activation=activation,
        learning_rate_init=rate,
        shuffle=shuffle,
        **GRADIENT_DESCENT,
    )
    fit(net, X, y)
    weights, biases, curve = train(
        X, np.eye(10)[y], hidden, activation, rate, shuffle, is_classifier=True
    )

    assert_same_network(net, weights, biases)
    np.testing.assert_allclose(net.loss_curve_, curve, rtol=1e-10)
    assert net.loss_ == net.loss_curve_[-1]
    f = LAYERS[activation][0]
    outputs = forward(X, weights, biases, f)[1][-1]
    np.testing.assert_array_equal(net.predict(X), outputs.argmax(axis=1))


def test_classifier_has_sigmoid_outputs_by_default():
    X, y = digits()
    net = BackpropClassifier(
        (30,), "sigmoid", learning_rate_init=3.0, shuffle=False, **GRADIENT_DESCENT
    )
    fit(net, X, y)
    weights, biases, _ = train(
        X, np.eye(10)[y], (30,), "sigmoid", 3.0, shuffle=False, is_classifier=True
    )
    assert_same_network(net, weights, biases)


def test_binary_classifier_has_one_output():
    X, y = digits()
    net = BackpropClassifier(
        (30,), "sigmoid", learning_rate_init=3.0, **GRADIENT_DESCENT
    )
    fit(net, X, y % 2)
    Y = (y % 2)[:, np.newaxis]
    weights, biases, curve = train(
        X, Y, (30,), "sigmoid", 3.0, shuffle=True, is_classifier=True
    )
    assert_same_network(net, weights, biases)
    np.testing.assert_allclose(net.loss_curve_, curve, rtol=1e-10)


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize(("activation", "rate"), [("relu", 0.05), ("sigmoid", 3.0)])
def test_regressor_matches_reference_network(activation, rate, n_outputs):
    X, y = digits()
    Y = np.column_stack([y / 10.0, X.mean(axis=1), (y % 2) / 2.0])[:, :n_outputs]
    net = BackpropRegressor(
        (20, 15),
        activation,
        output_activation=activation,
        learning_rate_init=rate,
        **GRADIENT_DESCENT,
    )
    fit(net, X, Y.ravel() if n_outputs == 1 else Y)
    weights, biases, curve = train(X, Y, (20, 15), activation, rate, shuffle=True)

    assert_same_network(net, weights, biases)
    # Training minimizes the sum over the outputs; the loss curve reports the mean.
    np.testing.assert_allclose(net.loss_curve_, np.divide(curve, n_outputs), rtol=1e-10)
    f = LAYERS[activation][0]
    outputs = forward(X, weights, biases, f)[1][-1]
    np.testing.assert_allclose(
        net.predict(X).reshape(outputs.shape), outputs, rtol=1e-10
    )


# ---------------------------------------------------------- a single sigmoid neuron


def make_neuron(w, b, loss, rate):
    """Return a neuron with one input, weight `w` and bias `b`."""
    neuron = BackpropClassifier(
        (),
        loss=loss,
        solver="sgd",
        momentum=0,
        alpha=0,
        learning_rate_init=rate,
        standardize=False,
    )
    neuron.partial_fit([[1.0]], [0], classes=[0, 1])
    neuron.coefs_[0][...] = w
    neuron.intercepts_[0][...] = b
    return neuron


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@pytest.mark.parametrize("y", [0, 1])
def test_step_of_single_neuron_matches_derivative_by_hand(loss, y):
    x, w, b, rate = 1.7, 0.6, -0.9, 0.15
    neuron = make_neuron(w, b, loss, rate)
    neuron.partial_fit([[x]], [y])

    a = sigma(w * x + b)
    derivative = a * (1.0 - a) if loss == "squared_error" else 1.0
    expected_cost = {
        "squared_error": (y - a) ** 2 / 2,
        "log_loss": -np.log(a if y else 1.0 - a),
    }[loss]
    np.testing.assert_allclose(neuron.loss_, expected_cost, rtol=1e-13)
    delta = (a - y) * derivative
    expected_w, expected_b = w - rate * delta * x, b - rate * delta
    np.testing.assert_allclose(neuron.coefs_[0], [[expected_w]], rtol=1e-13)
    np.testing.assert_allclose(neuron.intercepts_[0], [expected_b], rtol=1e-13)


@pytest.mark.parametrize(
    ("w", "b", "before", "after"), [(0.6, 0.9, 0.82, 0.09), (2.0, 2.0, 0.98, 0.20)]
)
def test_single_neuron_matches_outputs_in_nielsen_chapter_3(w, b, before, after):
    # Input 1, desired output 0, rate 0.15, 300 steps.
    neuron = make_neuron(w, b, "squared_error", rate=0.15)
    assert round(neuron.predict_proba([[1.0]])[0, 1], 2) == before
    for _ in range(300):
        neuron.partial_fit([[1.0]], [0])
    assert round(neuron.predict_proba([[1.0]])[0, 1], 2) == after
