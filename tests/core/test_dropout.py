"""Dropout: gradients, masks, inference without dropout, and parameter checks."""

import pickle

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.model_selection import GridSearchCV
from small_fits import error_of, ignore_convergence_warning
from small_networks import (
    CODES,
    ESTIMATORS,
    NUMBERS,
    WEIGHT,
    X,
    assert_same_network,
    regressor,
    small,
)
from test_gradients import (
    ACTIVATION_FORMULAS,
    Float32Only,
    assert_close_to_float64,
    assert_gradient,
    central_differences,
)

from skbackprop import BackpropClassifier
from skbackprop.core.activations import ACTIVATIONS, Identity, Sigmoid, Tanh
from skbackprop.core.dropout import Dropout, DropoutKernel
from skbackprop.core.kernels import activation_kernel
from skbackprop.core.losses import BinaryLogLoss
from skbackprop.core.network import Network
from skbackprop.core.objective import Objective
from skbackprop.core.samples import Samples

SIGMAS = 5.0  # tolerance of random deviations, in standard deviations


class FixedDraws:
    """Random generator that draws the same key for each batch."""

    key = 0x123456789ABCDEF
    bit_generator = property(lambda self: self)

    def random_raw(self):
        return self.key


def random_bits(counter, key):
    """Return the hash that decides about one unit, in integers of Python."""
    x = (counter * 0x9E3779B9 + key) % 2**32
    x = (x ^ (x >> 16)) * 0x21F0AAAD % 2**32 ^ (key >> 32)
    x = (x ^ (x >> 15)) * 0x735A2D97 % 2**32
    return x ^ (x >> 15)


def mask(rate, n_rows, n_units, key=FixedDraws.key):
    """Return the dropout mask for a fixed key: zero or ``1 / (1 - rate)``."""
    bits = [random_bits(i, key) for i in range(n_rows * n_units)]
    draws = np.reshape(bits, (n_rows, n_units)) / 2.0**32
    return np.where(draws < 1 - rate, 1 / (1 - rate), 0.0)


def make_layer(activation, rate, rng, shape, dtype="float64"):
    kernel = activation_kernel(activation, shape[0], np.dtype(dtype))
    return DropoutKernel(kernel, activation.needs_z, rate, rng, shape, dtype)


def new_mask(rate, shape, seed=0, dtype="float64"):
    """Return the dropout mask of one batch, drawn with a seed."""
    layer = make_layer(Identity(), rate, np.random.default_rng(seed), shape, dtype)
    out = np.full(shape, np.nan, dtype)
    layer.forward(np.ones(shape, dtype), np.zeros(shape[1], dtype), out)
    return out


# ------------------------------------------------------------------------ gradients


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("rates", [(0.5, 0.3), (0.4, 0.0), (0.0, 0.7)])
@pytest.mark.parametrize("hidden", sorted(ACTIVATIONS))
def test_cost_and_gradient_with_fixed_mask(hidden, rates, sparse):
    rng = np.random.default_rng(0)
    rows, y = rng.normal(size=(9, 3)), rng.integers(0, 2, (9, 2)).astype(float)
    weight = rng.uniform(0.5, 2.0, 9)
    samples = Samples(csr_array(rows) if sparse else rows, y, weight=weight)
    f = ACTIVATIONS[hidden]
    network = Network((3, 6, 5, 2), (f(), f(), Sigmoid()), np.float64)
    network.params[...] = 0.5 * rng.normal(size=network.params.size)
    objective = Objective(network, BinaryLogLoss(), 0.0)
    work = objective.workspace(samples, 20, Dropout(rates, FixedDraws())).head(9)
    samples.slice(slice(0, 9), work)

    cost = objective.loss_and_gradient(work, 9)
    computed = work.grad.copy()

    a = rows
    for W, b, rate in zip(network.weights, network.biases, (*rates, None)):
        z = a @ W + b
        if rate is not None:
            a = ACTIVATION_FORMULAS[hidden](z) * mask(rate, *z.shape)
    losses = np.logaddexp(0, z) - y * z
    expected = (weight @ losses).sum() / 9
    np.testing.assert_allclose(cost, expected, rtol=1e-12)
    differences = central_differences(
        network.params, lambda: objective.loss_and_gradient(work, 9)
    )
    assert_gradient(computed, differences)


@pytest.mark.usefixtures("_numpy_kernels")
@pytest.mark.parametrize("hidden", sorted(ACTIVATIONS))
def test_dropout_computes_in_float32(hidden):
    rng = np.random.default_rng(0)
    z, delta = rng.normal(size=(2, 8, 5))
    results = []
    for dtype, kind in (("float64", np.ndarray), ("float32", Float32Only)):
        layer = make_layer(ACTIVATIONS[hidden](), 0.4, FixedDraws(), (8, 5), dtype)
        for name in ("mask_buffer", "buffer"):
            if getattr(layer, name) is not None:
                setattr(layer, name, getattr(layer, name).view(kind))
        z_, delta_ = (x.astype(dtype).view(kind) for x in (z, delta))
        a, scratch = np.empty_like(z_), np.empty_like(z_)
        b, db = np.linspace(-0.5, 0.5, 5, dtype=dtype), np.empty(5, dtype)
        layer.forward(z_, b, a)
        forward = a.copy()
        layer.backward(delta_, a, z_, db, scratch)
        results.append((forward, delta_))
    for single, double in zip(results[1], results[0], strict=True):
        assert_close_to_float64(single, double)


@pytest.mark.parametrize("input_type", ["dense", "sparse"])
@ignore_convergence_warning
def test_epoch_matches_reference_equations(monkeypatch, input_type):
    # Gradient descent without momentum, on batches of 40, 40 and 10 rows.
    monkeypatch.setattr(
        "skbackprop.core.epochs.Dropout",
        lambda rates, rng: Dropout(rates, FixedDraws()),
    )
    settings = dict(
        activation="tanh",
        standardize=False,
        solver="sgd",
        momentum=0.0,
        batch_size=40,
        shuffle=False,
        alpha=0.0,
    )
    start = regressor(**settings, learning_rate_init=1e-300).partial_fit(X, NUMBERS)
    (W1, W2), (b1, b2) = map(list, (start.coefs_, start.intercepts_))
    y = NUMBERS[:, np.newaxis]
    for rows in (slice(0, 40), slice(40, 80), slice(80, 90)):
        x, n = X[rows], len(X[rows])
        m = mask(0.4, n, 8)
        a = np.tanh(x @ W1 + b1)
        delta2 = ((a * m) @ W2 + b2 - y[rows]) / n
        delta1 = delta2 @ W2.T * m * (1 - a**2)
        W2, b2 = W2 - 0.1 * (a * m).T @ delta2, b2 - 0.1 * delta2.sum(axis=0)
        W1, b1 = W1 - 0.1 * x.T @ delta1, b1 - 0.1 * delta1.sum(axis=0)

    net = regressor(**settings, learning_rate_init=0.1, dropout=0.4, max_iter=1)
    net.fit(X if input_type == "dense" else csr_array(X), NUMBERS)
    for actual, expected in zip((*net.coefs_, *net.intercepts_), (W1, W2, b1, b2)):
        np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-14)


# ---------------------------------------------------------------------------- masks


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rate", [0.01, 0.2, 0.5, 0.9])
def test_mask_has_inverse_scaling_and_expected_dropout_rate(rate, dtype):
    shape = (500, 200)
    m = new_mask(rate, shape, dtype=dtype)
    n, deviation = m.size, np.sqrt(rate * (1 - rate) / m.size)
    np.testing.assert_array_equal(np.unique(m), np.array([0.0, 1 / (1 - rate)], dtype))
    assert abs((m == 0).mean() - rate) < SIGMAS * deviation
    assert abs(m.mean(dtype=float) - 1) < SIGMAS * deviation / (1 - rate)
    # All rows and all units are dropped equally often.
    for axis, size in enumerate(shape):
        limit = SIGMAS * np.sqrt(rate * (1 - rate) * size)
        assert abs((m == 0).sum(axis=axis) - rate * size).max() < limit
    # Adjacent units and adjacent rows are dropped independently.
    dropped = (m == 0) - rate
    for pairs in (dropped[:, 1:] * dropped[:, :-1], dropped[1:] * dropped[:-1]):
        limit = SIGMAS * rate * (1 - rate) / np.sqrt(n - max(shape))
        assert abs(pairs.mean()) < limit


def test_each_batch_has_a_new_mask():
    layer = make_layer(Identity(), 0.5, np.random.default_rng(0), (50, 20))
    masks = np.zeros((2, 50, 20))
    for m in masks:
        layer.forward(np.ones((50, 20)), np.zeros(20), m)
    differing = (masks[0] != masks[1]).mean()
    assert abs(differing - 0.5) < SIGMAS * np.sqrt(0.25 / 1000)


def test_masks_of_float32_and_float64_are_equal():
    single, double = (new_mask(0.3, (20, 10), 1, d) for d in ("float32", "float64"))
    np.testing.assert_array_equal(single == 0, double == 0)


def test_each_hidden_layer_has_its_own_rate_and_outputs_have_none():
    network = Network((3, 40, 30, 20, 2), [Tanh() for _ in range(4)], np.float64)
    plain = [activation_kernel(f, 100, network.dtype) for f in network.activations]
    dropout = Dropout((0.2, 0.0, 0.75), FixedDraws())
    layers = dropout.wrap(plain, network, 100)
    assert layers[1] is plain[1]
    assert layers[3] is plain[3]
    for layer, rate, n_units in ((layers[0], 0.2, 40), (layers[2], 0.75, 20)):
        out = np.empty((100, n_units))
        layer.forward(np.zeros_like(out), np.ones(n_units), out)
        expected = np.tanh(1.0) * mask(rate, 100, n_units)
        np.testing.assert_allclose(out, expected, rtol=1e-15)


# ------------------------------------------------------------------ without dropout


@pytest.mark.parametrize("dropout", [0, 0.0, (0.0, 0), np.zeros(2)], ids=str)
@ESTIMATORS
@ignore_convergence_warning
def test_zero_rate_is_bitwise_identical_to_no_dropout(make, y, dropout):
    plain, zero = (
        small(make, max_iter=3, batch_size=16, **params).set_params(
            hidden_layer_sizes=(6, 5)
        )
        for params in ({}, {"dropout": dropout})
    )
    assert_same_network(plain.fit(X, y), zero.fit(X, y))
    assert_same_network(plain.partial_fit(X, y), zero.partial_fit(X, y))
    assert zero.loss_curve_ == plain.loss_curve_


@ESTIMATORS
@ignore_convergence_warning
def test_dropout_has_no_effect_without_hidden_layers(make, y):
    nets = [
        small(make, max_iter=3, dropout=rate).set_params(hidden_layer_sizes=())
        for rate in (0.0, 0.5)
    ]
    assert_same_network(*(net.fit(X, y) for net in nets))


@ignore_convergence_warning
def test_dropout_is_disabled_for_prediction_and_validation():
    net = regressor(dropout=0.5, standardize=False, max_iter=4)
    net.fit(X, NUMBERS, X_val=X[:50], y_val=NUMBERS[:50], sample_weight_val=WEIGHT[:50])
    (W1, W2), (b1, b2) = net.coefs_, net.intercepts_
    hidden = np.maximum(X @ W1 + b1, 0)
    predicted = (hidden @ W2 + b2)[:, 0]
    np.testing.assert_allclose(net.hidden_activations(X)[0], hidden, rtol=1e-12)
    np.testing.assert_allclose(net.predict(X), predicted, rtol=1e-12)
    errors = (NUMBERS - predicted)[:50] ** 2 / 2
    loss = np.average(errors, weights=WEIGHT[:50])
    np.testing.assert_allclose(net.validation_loss_curve_[-1], loss, rtol=1e-12)


@ignore_convergence_warning
def test_early_stopping_scores_without_dropout():
    net = BackpropClassifier(
        (8,),
        loss="log_loss",
        dropout=0.5,
        early_stopping=True,
        learning_rate_init=0.05,
        max_iter=20,
        random_state=0,
    ).fit(X, CODES > 0, X_val=X, y_val=CODES > 0)
    p = net.predict_proba(X)[np.arange(90), (CODES > 0).astype(int)]
    np.testing.assert_allclose(net.best_validation_score_, np.log(p).mean(), rtol=1e-12)


# ---------------------------------------------- continued training, reproducibility


def make_dropout_estimator(make, **params):
    defaults = {"standardize": False, "batch_size": 16, "dropout": 0.4}
    return small(make, **{**defaults, **params})


@ESTIMATORS
@ignore_convergence_warning
def test_partial_fits_match_one_fit(make, y):
    whole = make_dropout_estimator(make, max_iter=4).fit(X, y)
    parts = make_dropout_estimator(make)
    for _ in range(4):
        kwargs = {"classes": [0, 1, 2]} if make is BackpropClassifier else {}
        parts.partial_fit(X, y, **kwargs)
    assert_same_network(whole, parts)
    assert whole.loss_curve_ == parts.loss_curve_


@ESTIMATORS
@ignore_convergence_warning
def test_warm_starts_match_one_fit(make, y):
    # Each fit would shuffle the original order of the rows.
    whole = make_dropout_estimator(make, max_iter=4, shuffle=False).fit(X, y)
    warm = make_dropout_estimator(make, max_iter=2, warm_start=True, shuffle=False)
    assert_same_network(whole, warm.fit(X, y).fit(X, y))


@ESTIMATORS
@ignore_convergence_warning
def test_unpickled_estimator_continues_with_same_masks(make, y):
    net = make_dropout_estimator(make, max_iter=2).fit(X, y)
    other = pickle.loads(pickle.dumps(net))
    assert_same_network(net.partial_fit(X, y), other.partial_fit(X, y))
    assert_same_network(net.partial_fit(X, y), other.partial_fit(X, y))


@ignore_convergence_warning
def test_failed_fit_does_not_advance_dropout_generator():
    net, other = (
        make_dropout_estimator(type(regressor()), max_iter=2) for _ in range(2)
    )
    net.fit(X, NUMBERS)
    net.set_params(learning_rate_init=1e305)
    error_of(lambda: net.partial_fit(X, NUMBERS), "diverged")
    net.set_params(learning_rate_init=other.learning_rate_init)
    other.fit(X, NUMBERS)
    assert_same_network(net.partial_fit(X, NUMBERS), other.partial_fit(X, NUMBERS))


@ESTIMATORS
@ignore_convergence_warning
def test_masks_depend_on_random_state(make, y):
    # The weights and the order of the rows are equal, so only the masks can differ.
    nets = [
        make_dropout_estimator(make, shuffle=False, random_state=s) for s in (3, 3, 4)
    ]
    start = make_dropout_estimator(make, learning_rate_init=1e-300, max_iter=1).fit(
        X, y
    )
    for net in nets:
        net.set_params(max_iter=2)
        net.fit(X, y, coefs_init=start.coefs_, intercepts_init=start.intercepts_)
    assert_same_network(nets[0], nets[1])
    assert (nets[0].coefs_[0] != nets[2].coefs_[0]).any()
    assert nets[0].loss_curve_ != nets[2].loss_curve_


@ignore_convergence_warning
def test_float32_fit_is_close_to_float64_fit():
    single, double = (
        make_dropout_estimator(
            type(regressor()), dtype=dtype, max_iter=3, solver="sgd"
        ).fit(X, NUMBERS)
        for dtype in ("float32", "float64")
    )
    for actual, expected in zip(single.coefs_, double.coefs_):
        assert actual.dtype == np.float32
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


# ----------------------------------------------------------------- parameter checks

INVALID = [1.0, 1, -0.1, np.nan, "half", None, True, {"a": 0.1}]
INVALID_LISTS = [(0.5,), (0.5, 0.5, 0.5), (0.1, 1.0), (0.1, -0.1), (0.1, np.nan)]
INVALID_TYPES = [("a", "b"), [[0.1, 0.2]], (0.1, None), ()]


@pytest.mark.parametrize("dropout", [*INVALID, *INVALID_LISTS, *INVALID_TYPES], ids=str)
@ESTIMATORS
@ignore_convergence_warning
def test_invalid_dropout_is_rejected(make, y, dropout):
    net = make((6, 5), dropout=dropout)
    error_of(lambda: net.fit(X, y), "dropout")
    net.set_params(dropout=0.5).fit(X, y)
    net.set_params(dropout=dropout)
    error_of(lambda: net.partial_fit(X, y), "dropout")


@pytest.mark.parametrize("dropout", [0.5, (0.0, 0.5)])
@ESTIMATORS
@ignore_convergence_warning
def test_lbfgs_rejects_dropout(make, y, dropout):
    net = make((6, 5), solver="lbfgs", dropout=dropout, tol=0.1, random_state=0)
    error_of(lambda: net.fit(X, y), "dropout", "lbfgs")
    assert_same_network(
        net.set_params(dropout=(0.0, 0)).fit(X, y),
        make((6, 5), solver="lbfgs", tol=0.1, random_state=0).fit(X, y),
    )


@ignore_convergence_warning
def test_grid_search_over_floats_and_sequences():
    net = regressor().set_params(hidden_layer_sizes=(6, 5))
    rates = [0.0, 0.9, (0.1, 0.0), [0.0, 0.1]]
    grid = GridSearchCV(net, {"dropout": rates}, cv=2).fit(X, NUMBERS)
    scores = grid.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert len(set(scores)) == 4
    assert_same_network(
        grid.best_estimator_,
        net.set_params(dropout=rates[scores.argmax()]).fit(X, NUMBERS),
    )
