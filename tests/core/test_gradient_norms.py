"""Recorded gradient norms of each layer: `gradient_norms_`."""

import copy

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone
from small_fits import ignore_convergence_warning
from small_networks import CODES, ESTIMATORS, NUMBERS, WEIGHT, X, classifier, small

from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop._estimators.fitting import prepare_training
from skbackprop.core.optimizers import OPTIMIZERS

# Each epoch has 7 batches; the last batch has 6 rows.
BATCH_SIZE, N_LAST = 14, 6
SPARSE = csr_matrix(np.where(X > 0.3, X, 0.0))
STEP = 1e-6


def make_frozen(make, **params):
    """Return an estimator whose learning rate is too small to change the weights."""
    params = {"learning_rate_init": 1e-300, "standardize": False, **params}
    return small(make, solver="sgd", batch_size=BATCH_SIZE, max_iter=1, **params)


def compute_loss(state, loss, X, y, weight=None):
    """Return the weighted sum of the losses of samples, computed from the outputs."""
    outputs = state.network.predict(X)
    if loss == "log_loss":
        losses = -np.log(outputs[np.arange(len(y)), y])
    else:
        losses = 0.5 * (outputs[:, 0] - y) ** 2
    return losses.sum() if weight is None else losses @ weight


def numerical_norms(state, loss, X, y, n_rows, weight=None):
    """Return the gradient norms, computed with central differences of the loss."""
    state = copy.deepcopy(state)
    scale = n_rows if weight is None else n_rows * WEIGHT.mean()
    norms = []
    for W in state.network.weights:
        squares = 0.0
        for i in np.ndindex(W.shape):
            before, costs = W[i], []
            for sign in (1.0, -1.0):
                W[i] = before + sign * STEP
                costs.append(compute_loss(state, loss, X, y, weight))
            W[i] = before
            squares += ((costs[0] - costs[1]) / (2.0 * STEP * scale)) ** 2
        norms.append(np.sqrt(squares))
    return norms


def loss_and_targets(make):
    if make is BackpropClassifier:
        return "log_loss", CODES
    return "squared_error", NUMBERS


def last_rows(estimator, X, y):
    """Return the rows of the last batch of the first epoch."""
    order = np.arange(len(y))
    if estimator.shuffle:
        prepare_training(clone(estimator), X, y).state.rng.shuffle(order)
    return order[-N_LAST:]


# --------------------------------------------------------------------------- values

BY_ESTIMATOR = pytest.mark.parametrize("make", [BackpropClassifier, BackpropRegressor])


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"shuffle": False},
        {"alpha": 5.0},
        {"l1_alpha": 5.0},
        {"clip_norm": 1e-3},
        {"max_norm": 1e3},
        {"momentum": 0.0},
        {"hidden_layer_sizes": ()},
        {"hidden_layer_sizes": (5, 4, 3)},
    ],
    ids=str,
)
@pytest.mark.parametrize("data", [X, SPARSE], ids=["dense", "sparse"])
@ignore_convergence_warning
@BY_ESTIMATOR
def test_norms_are_from_last_batch_without_penalty(make, data, params):
    loss, y = loss_and_targets(make)
    estimator = make_frozen(make, loss=loss).set_params(**params).fit(data, y)
    rows = last_rows(estimator, data, y)
    expected = numerical_norms(estimator._state, loss, data[rows], y[rows], N_LAST)
    np.testing.assert_allclose(estimator.gradient_norms_, [expected], rtol=1e-6)


@pytest.mark.parametrize("data", [X, SPARSE], ids=["dense", "sparse"])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@ignore_convergence_warning
@BY_ESTIMATOR
def test_norms_use_sample_weights(make, data, momentum):
    loss, y = loss_and_targets(make)
    estimator = make_frozen(make, loss=loss, momentum=momentum).fit(data, y, WEIGHT)
    rows = last_rows(estimator, data, y)
    expected = numerical_norms(
        estimator._state, loss, data[rows], y[rows], N_LAST, WEIGHT[rows]
    )
    np.testing.assert_allclose(estimator.gradient_norms_, [expected], rtol=1e-6)


@pytest.mark.parametrize("alpha", [0.0, 2.0, 250.0])
@ignore_convergence_warning
@BY_ESTIMATOR
def test_norms_of_lazy_sparse_updates_match_dense_updates(make, alpha):
    # A strong penalty makes the scale factor of the lazily updated weights tiny.
    loss, y = loss_and_targets(make)
    params = dict(
        loss=loss, alpha=alpha, momentum=0.0, learning_rate_init=0.05, max_iter=5
    )
    sparse = make_frozen(make).set_params(**params).fit(SPARSE, y)
    dense = make_frozen(make).set_params(**params).fit(SPARSE.toarray(), y)
    np.testing.assert_allclose(sparse.gradient_norms_, dense.gradient_norms_, rtol=1e-7)


@pytest.mark.parametrize("data", [X, SPARSE], ids=["dense", "sparse"])
@ignore_convergence_warning
@BY_ESTIMATOR
def test_norms_are_computed_before_the_update(make, data):
    # With one batch per epoch, the norms of an epoch belong to its initial weights.
    loss, y = loss_and_targets(make)
    params = dict(learning_rate_init=0.5, momentum=0.0, batch_size=90, loss=loss)
    before = make_frozen(make).set_params(**params).fit(data, y)
    after = make_frozen(make).set_params(**params, max_iter=2).fit(data, y)
    expected = numerical_norms(before._state, loss, data, y, len(y))
    np.testing.assert_allclose(after.gradient_norms_[1], expected, rtol=1e-6)


@ignore_convergence_warning
@BY_ESTIMATOR
@pytest.mark.parametrize("alpha", [0.0, 3.0])
def test_lbfgs_norms_are_from_all_samples_at_end_of_iteration(make, alpha):
    loss, y = loss_and_targets(make)
    settings = dict(solver="lbfgs", loss=loss, standardize=False, alpha=alpha, tol=1e-6)
    for n_epochs in (1, 3):
        estimator = small(make, max_iter=n_epochs, **settings).fit(X, y)
        assert estimator.n_iter_ == n_epochs
        expected = numerical_norms(estimator._state, loss, X, y, len(y))
        np.testing.assert_allclose(
            estimator.gradient_norms_[-1], expected, rtol=1e-5, atol=1e-8
        )


@pytest.mark.parametrize("data", [X, SPARSE], ids=["dense", "sparse"])
@ignore_convergence_warning
@BY_ESTIMATOR
def test_lbfgs_norms_do_not_depend_on_block_size(make, data, monkeypatch):
    _, y = loss_and_targets(make)
    whole, in_blocks = (small(make, solver="lbfgs", max_iter=3) for _ in range(2))
    whole.fit(data, y)
    monkeypatch.setattr("skbackprop.core.lbfgs.BLOCK_ROWS", 32)
    np.testing.assert_allclose(
        in_blocks.fit(data, y).gradient_norms_, whole.gradient_norms_, rtol=1e-6
    )


@pytest.mark.parametrize("solver", ["lbfgs", *OPTIMIZERS])
@pytest.mark.parametrize("data", [X, SPARSE], ids=["dense", "sparse"])
@ignore_convergence_warning
@BY_ESTIMATOR
def test_float32_norms_are_close_to_float64_norms(make, data, solver):
    _, y = loss_and_targets(make)
    single, double = (
        small(make, solver=solver, dtype=dtype, max_iter=3, tol=1e-9)
        .fit(data, y)
        .gradient_norms_
        for dtype in ("float32", "float64")
    )
    assert single.dtype == double.dtype == np.float64
    np.testing.assert_allclose(single, double, rtol=2e-3)


@ignore_convergence_warning
def test_norms_of_tiny_float32_gradients_do_not_underflow():
    # The squares of the gradients underflow in float32, but the gradients do not.
    single, double = (
        classifier(dtype=dtype, max_iter=1, activation="sigmoid", loss="log_loss")
        .set_params(hidden_layer_sizes=(8,) * 40)
        .fit(X, CODES)
        .gradient_norms_
        for dtype in ("float32", "float64")
    )
    normal = double > 1e-35
    assert (double[normal] < 1e-23).any()
    np.testing.assert_allclose(single[normal], double[normal], rtol=1e-2)


# ---------------------------------------------------------------------------- shape


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"dropout": 0.3},
        {"solver": "sgd", "momentum": 0.0},
        {"early_stopping": True},
        {"batch_size": 7},
        {"class_weight": "balanced"},
    ],
    ids=str,
)
@pytest.mark.parametrize("data", [X, SPARSE], ids=["dense", "sparse"])
@ignore_convergence_warning
def test_norms_have_one_row_per_epoch_and_one_column_per_layer(data, params):
    net = classifier(**params).set_params(hidden_layer_sizes=(7, 6, 5)).fit(data, CODES)
    norms = net.gradient_norms_
    assert norms.shape == (len(net.loss_curve_), 4) == (net.n_iter_, 4)
    assert np.isfinite(norms).all()
    # Dropout may drop all units of a layer in a small batch.
    assert (norms > 0.0).mean() > (0.9 if params else 0.99)


@ESTIMATORS
def test_partial_fit_and_warm_start_append_rows(make, y):
    estimator = small(make, warm_start=True).fit(X, y)
    first = estimator.gradient_norms_
    estimator.partial_fit(X, y)
    assert estimator.gradient_norms_.shape == (len(first) + 1, 2)
    estimator.fit(X, y)
    norms = estimator.gradient_norms_
    assert norms.shape == (len(first) + 1 + estimator.n_iter_, 2)
    np.testing.assert_array_equal(norms[: len(first)], first)
    assert len(np.unique(norms[:, 0])) == len(norms)
    assert small(make).fit(X, y).gradient_norms_.tolist() == first.tolist()


@ESTIMATORS
@ignore_convergence_warning
def test_norms_without_epochs_have_one_column_per_layer(make, y):
    estimator = small(make, solver="lbfgs", tol=1e9).fit(X, y)
    assert estimator.gradient_norms_.shape == (0, 2)


@ESTIMATORS
def test_changing_returned_norms_has_no_effect(make, y):
    estimator = small(make).fit(X, y)
    before = estimator.gradient_norms_
    estimator.gradient_norms_[...] = 0.0
    np.testing.assert_array_equal(estimator.gradient_norms_, before)


# -------------------------------------------------------------- vanishing gradients


@pytest.mark.parametrize(
    ("activation", "vanishes"), [("sigmoid", True), ("tanh", False), ("relu", False)]
)
@ESTIMATORS
@ignore_convergence_warning
def test_gradient_vanishes_only_in_deep_sigmoid_network(make, y, activation, vanishes):
    deep = make((8,) * 10, activation, tol=1e3, n_iter_no_change=3, random_state=0)
    first, *_, last = np.median(deep.fit(X, y).gradient_norms_, axis=0)
    assert (first < 1e-4 * last) == vanishes
