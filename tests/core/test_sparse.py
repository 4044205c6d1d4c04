"""Sparse input: the same steps as for dense input, and lazy updates."""

import numpy as np
import pytest
import scipy.sparse as sp
from example_counts import examples
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor
from small_fits import InterruptingReLU, ignore_convergence_warning

from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop.core.kernels import numpy_kernels, numpy_sparse
from skbackprop.core.optimizers import OPTIMIZERS
from skbackprop.core.sparse import (
    MIN_SCALE,
    LazySparseSGD,
    nonzero_gradient_rows,
    sparse_gradient,
)

N_ROWS, N_INPUTS = 58, 40  # not a multiple of the batch size of 8


def make_sparse_values(n_inputs=N_INPUTS, density=0.08):
    """Draw values with empty rows, empty columns and one empty batch."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, n_inputs))
    X *= rng.random(X.shape) < density
    X[16:24] = 0.0  # the third batch of 8 rows, without shuffling
    X[[3, 40]] = 0.0
    X[:, [0, n_inputs // 3, -1]] = 0.0
    return X


X = make_sparse_values()
rng = np.random.default_rng(1)
WEIGHT = rng.integers(0, 4, N_ROWS).astype(float)
NUMBERS = np.column_stack([X @ rng.normal(size=N_INPUTS), rng.normal(size=N_ROWS)])
CODES = np.arange(N_ROWS) % 3
ESTIMATORS = pytest.mark.parametrize(
    ("make", "y"), [(BackpropClassifier, CODES), (BackpropRegressor, NUMBERS)]
)


def make_sgd(make, **params):
    """Return an estimator with SGD without momentum: lazy updates for sparse input.

    Inputs are not standardized, because dense inputs would also be centered.
    """
    common = dict(
        hidden_layer_sizes=(6,),
        activation="tanh",
        solver="sgd",
        momentum=0.0,
        learning_rate_init=0.1,
        batch_size=8,
        max_iter=4,
        tol=0.0,
        n_iter_no_change=99,
        random_state=0,
    )
    if make in (BackpropClassifier, BackpropRegressor):
        common["standardize"] = False
    return make(**{**common, **params})


def assert_close(one, other, rtol=1e-10):
    for name in ("coefs_", "intercepts_"):
        for actual, expected in zip(
            getattr(one, name), getattr(other, name), strict=True
        ):
            np.testing.assert_allclose(actual, expected, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(one.loss_curve_, other.loss_curve_, rtol=rtol)


def assert_same_steps(make, y, weight=None, X=X, rtol=1e-10, **params):
    """Assert that fits to sparse and dense input agree; return both."""
    from_sparse = make_sgd(make, **params).fit(sp.csr_array(X), y, weight)
    from_dense = make_sgd(make, **params).fit(X, y, weight)
    assert_close(from_sparse, from_dense, rtol)
    return from_sparse, from_dense


@pytest.fixture
def applied_scales(monkeypatch):
    """Return a list that receives each scale that is multiplied into the weights."""
    scales = []
    materialize = LazySparseSGD.materialize

    def recording_materialize(updates, scale):
        scales.append(scale)
        materialize(updates, scale)

    monkeypatch.setattr(LazySparseSGD, "materialize", recording_materialize)
    return scales


# -------------------------------------------------------- SGD with lazy row updates


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("alpha", [0.0, 0.1, 2.0])
@pytest.mark.parametrize("shuffle", [False, True], ids=["in order", "shuffle"])
@ESTIMATORS
@ignore_convergence_warning
def test_lazy_sgd_matches_dense_input(applied_scales, make, y, alpha, shuffle, weight):
    actual, _ = assert_same_steps(make, y, weight, alpha=alpha, shuffle=shuffle)
    assert (
        len(applied_scales) == 2 * actual.n_iter_
    )  # at the start and the end of each epoch
    assert (set(applied_scales) == {1.0}) == (alpha == 0.0)


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("shuffle", [False, True], ids=["in order", "shuffle"])
@ESTIMATORS
@ignore_convergence_warning
def test_sparse_input_is_scaled_but_not_centered(
    applied_scales, make, y, shuffle, weight
):
    # The targets of sigmoid outputs are not scaled.
    y = y if make is BackpropClassifier else (y - y.min()) / np.ptp(y)
    params = dict(alpha=0.1, shuffle=shuffle, output_activation="sigmoid")
    params["init"] = "glorot_uniform"  # "auto" depends on `standardize`
    actual = make_sgd(make, standardize=True, **params).fit(sp.csr_array(X), y, weight)
    weights = np.ones(len(X)) if weight is None else weight
    nonzero = np.maximum(weights @ (X != 0), 1)
    root_mean_square = np.sqrt(weights @ X**2 / nonzero)
    scaled = X / np.where(root_mean_square > 0, root_mean_square, 1)
    expected = make_sgd(make, **params).fit(scaled, y, weight)
    assert_close(actual, expected)
    assert len(applied_scales) == 2 * actual.n_iter_  # with lazy updates
    np.testing.assert_allclose(
        actual.predict(sp.csr_array(X)), expected.predict(scaled), rtol=1e-9
    )
    np.testing.assert_allclose(actual.predict(X), expected.predict(scaled), rtol=1e-9)


@pytest.mark.parametrize("batch_size", [1, 7, 8, 29, 57, 58])
@ESTIMATORS
@ignore_convergence_warning
def test_batch_sizes_with_short_last_batch(make, y, batch_size):
    assert_same_steps(make, y, WEIGHT, batch_size=batch_size, alpha=0.1)


@pytest.mark.parametrize("sizes", [(), (1,), (5, 4, 3)], ids=str)
@ESTIMATORS
@ignore_convergence_warning
def test_numbers_of_hidden_layers(make, y, sizes):
    assert_same_steps(make, y, hidden_layer_sizes=sizes, alpha=0.1)


@pytest.mark.parametrize("learning_rate", ["constant", "invscaling", "adaptive"])
@ESTIMATORS
@ignore_convergence_warning
def test_schedules_on_sparse_input(make, y, learning_rate):
    # Early plateaus, so that "adaptive" lowers the rate.
    params = dict(learning_rate=learning_rate, tol=9.0, n_iter_no_change=2)
    actual, _ = assert_same_steps(make, y, alpha=0.1, max_iter=12, **params)
    assert (len(set(actual.history_["learning_rate"])) > 1) == (
        learning_rate != "constant"
    )


@ESTIMATORS
@ignore_convergence_warning
def test_early_stopping_on_sparse_input(make, y):
    actual, expected = assert_same_steps(
        make, y, WEIGHT + 1, alpha=0.1, early_stopping=True, scoring="loss"
    )
    np.testing.assert_allclose(
        actual.validation_scores_, expected.validation_scores_, rtol=1e-10
    )


# Each step multiplies the weights by 1 - rate * alpha / n_rows.
SHRINKAGE = {
    "0.1": 0.1,  # the scale is applied every third step
    "0.001": 1e-3,
    "1e-6": 1e-6,  # the scale is applied in each step
    "0": 0.0,
    "-0.5": -0.5,
    "-0.1": -0.1,
}


@pytest.mark.parametrize("shrinkage", SHRINKAGE)
@pytest.mark.parametrize("batch_size", [8, 29])
@ESTIMATORS
@ignore_convergence_warning
def test_strong_penalties(applied_scales, make, y, shrinkage, batch_size):
    alpha = (1.0 - SHRINKAGE[shrinkage]) * batch_size / 0.1
    # A short last batch would have a larger penalty, so the rows fill all batches.
    rows = N_ROWS // batch_size * batch_size
    actual, expected = (
        make_sgd(make, alpha=alpha, batch_size=batch_size).fit(kind(X[:rows]), y[:rows])
        for kind in (sp.csr_array, np.asarray)
    )
    assert_close(actual, expected)
    assert len([scale for scale in applied_scales if scale != 1.0]) >= actual.n_iter_


@ESTIMATORS
@ignore_convergence_warning
def test_scale_is_applied_before_it_is_too_small(applied_scales, make, y):
    # Each step halves the weights, so the scale is applied about every ten steps.
    rows, params = X[:56], dict(alpha=40.0, batch_size=1, max_iter=3)
    params["learning_rate_init"] = 0.0125
    actual, expected = (
        make_sgd(make, **params).fit(kind(rows), y[:56])
        for kind in (sp.csr_array, np.asarray)
    )
    assert_close(actual, expected)
    within = [scale for scale in applied_scales if scale < MIN_SCALE]
    assert len(within) == 3 * (56 // 10)
    assert min(within) > MIN_SCALE / 2.001


@ESTIMATORS
@ignore_convergence_warning
def test_float32_on_sparse_input(make, y):
    params = dict(alpha=0.1, dtype="float32", rtol=1e-5)
    actual, _ = assert_same_steps(make, y, **params)
    assert actual.coefs_[0].dtype == np.float32


@ignore_convergence_warning
def test_weights_of_empty_columns_only_decay():
    is_empty = ~X.any(axis=0)
    assert is_empty.sum() >= 3
    nets = [make_sgd(BackpropRegressor, alpha=0.5, max_iter=n) for n in (3, 4)]
    before, after = (net.fit(sp.csr_array(X), NUMBERS).coefs_[0] for net in nets)
    shrunk = (1.0 - 0.1 * 0.5 / 8) ** 7 * (1.0 - 0.1 * 0.5 / 2)
    np.testing.assert_allclose(after[is_empty], shrunk * before[is_empty], rtol=1e-12)


@ESTIMATORS
@ignore_convergence_warning
def test_input_without_nonzero_entries(make, y):
    assert_same_steps(make, y, X=np.zeros_like(X), alpha=0.1)


@ESTIMATORS
@ignore_convergence_warning
def test_partial_fits_on_sparse_input(make, y):
    known = {"classes": [0, 1, 2]} if make is BackpropClassifier else {}
    at_once = make_sgd(make, alpha=0.1, max_iter=4).fit(sp.csr_array(X), y)
    repeated, mixed = make_sgd(make, alpha=0.1), make_sgd(make, alpha=0.1)
    for kind in (sp.csr_array, np.asarray, sp.csc_array, sp.csr_matrix):
        repeated.partial_fit(sp.csr_array(X), y, **known)
        mixed.partial_fit(kind(X), y, **known)
    for actual, expected in zip(at_once.coefs_, repeated.coefs_, strict=True):
        np.testing.assert_array_equal(actual, expected)
    assert_close(mixed, at_once)


@pytest.mark.parametrize("weight", [1.0, 1e4, 1e8])
@ignore_convergence_warning
def test_reported_penalty_is_exact_for_large_weights(weight):
    # Lazy updates maintain the sum of squares incrementally.
    start = make_sgd(BackpropRegressor, alpha=0.1).partial_fit(sp.csr_array(X), NUMBERS)
    dense = make_sgd(BackpropRegressor, alpha=0.1).partial_fit(X, NUMBERS)
    for net in (start, dense):
        net.coefs_[0][5] = weight
    start.partial_fit(sp.csr_array(X), NUMBERS)
    dense.partial_fit(X, NUMBERS)
    np.testing.assert_allclose(start.loss_, dense.loss_, rtol=1e-10)


# ----------------------------------------------------- comparison with scikit-learn


@pytest.mark.parametrize("alpha", [0.0, 2.0])
@pytest.mark.parametrize("learning_rate", ["constant", "invscaling"])
@pytest.mark.parametrize(
    ("make", "reference", "y"),
    [
        (BackpropClassifier, MLPClassifier, CODES),
        (BackpropRegressor, MLPRegressor, NUMBERS),
    ],
)
@ignore_convergence_warning
def test_lazy_sgd_matches_scikit_learn(make, reference, y, learning_rate, alpha):
    params = dict(alpha=alpha, learning_rate=learning_rate)
    loss = "log_loss" if make is BackpropClassifier else "squared_error"
    rows = sp.csr_array(X)
    actual = make_sgd(make, loss=loss, **params).fit(rows, y)
    assert_close(actual, make_sgd(reference, **params).fit(rows, y))


# -------------------------------------------------------------------- other solvers


@pytest.mark.parametrize("n_inputs", [N_INPUTS, 5, 2000])
@pytest.mark.parametrize("solver", OPTIMIZERS)
@ESTIMATORS
@ignore_convergence_warning
def test_solvers_with_state_match_dense_input(make, y, solver, n_inputs):
    values = make_sparse_values(n_inputs, density=min(0.9, 3.2 / n_inputs))
    # With 5 inputs, a batch has more nonzero entries than inputs.
    assert (sp.csr_array(values[:8]).nnz > n_inputs) == (n_inputs == 5)
    params = dict(solver=solver, momentum=0.9, alpha=0.1, learning_rate_init=0.01)
    assert_same_steps(make, y, WEIGHT, X=values, **params)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("clip_norm", [None, 0.05, 1e9])
@ESTIMATORS
@ignore_convergence_warning
def test_momentum_and_clipping_disable_lazy_updates(
    applied_scales, make, y, clip_norm, momentum
):
    params = dict(momentum=momentum, clip_norm=clip_norm, alpha=0.1)
    assert_same_steps(make, y, **params)
    # Momentum changes all rows, and clipping needs the norm of all rows.
    assert bool(applied_scales) == (momentum == 0.0 and clip_norm is None)


@ignore_convergence_warning
def test_clipping_changes_steps_on_sparse_input():
    clipped, unclipped = (
        make_sgd(BackpropRegressor, clip_norm=clip_norm).fit(sp.csr_array(X), NUMBERS)
        for clip_norm in (0.05, None)
    )
    assert np.abs(clipped.coefs_[0] - unclipped.coefs_[0]).max() > 0.01


# ---------------------------------------------------- interruptions and failed fits


def fit_interrupted(make, X, y, after, **params):
    InterruptingReLU.calls = after
    net = make_sgd(make, activation=InterruptingReLU(), alpha=2.0, **params)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        return net.fit(X, y)


@pytest.mark.parametrize("after", [1, 2, 5, 8, 9, 12, 20])
@ESTIMATORS
def test_interrupted_epoch_applies_scale_to_weights(applied_scales, make, y, after):
    actual = fit_interrupted(make, sp.csr_array(X), y, after)
    # With eight batches per epoch, the scale is 1 only before the first batch.
    assert (applied_scales[-1] == 1.0) == (after % 8 == 1)
    expected = fit_interrupted(make, X, y, after)
    assert_close(actual, expected)
    assert actual.n_iter_ == expected.n_iter_ == (after - 1) // 8
    rows = sp.csr_array(X)
    np.testing.assert_allclose(actual.predict(rows), expected.predict(X), rtol=1e-10)


@ignore_convergence_warning
def test_partial_fit_after_interruption():
    actual, expected = (
        fit_interrupted(BackpropRegressor, kind(X), NUMBERS, 12).partial_fit(
            kind(X), NUMBERS
        )
        for kind in (sp.csr_array, np.asarray)
    )
    assert_close(actual, expected)


def test_failed_fit_restores_previous_weights():
    net = make_sgd(BackpropRegressor, alpha=2.0, warm_start=True)
    with pytest.warns(ConvergenceWarning):
        net.fit(sp.csr_array(X), NUMBERS)
    before = [W.copy() for W in net.coefs_]
    net.set_params(learning_rate_init=1e200)
    with pytest.raises(ValueError, match="diverged"):
        net.fit(sp.csr_array(X), NUMBERS)
    for W, expected in zip(net.coefs_, before, strict=True):
        np.testing.assert_array_equal(W, expected)


# ------------------------------------------------------------------- matrix formats


def unsorted(X):
    """Return a CSR matrix with column indices in descending order."""
    matrix = sp.csr_matrix(X)
    for start, end in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True):
        matrix.indices[start:end] = matrix.indices[start:end][::-1].copy()
        matrix.data[start:end] = matrix.data[start:end][::-1].copy()
    matrix.has_sorted_indices = False
    return matrix


def duplicated(X, kind=sp.csr_array):
    """Return an unsorted matrix with two stored values for each entry."""
    entries = sp.coo_array(X)
    twice = np.concatenate([0.25 * entries.data, 0.75 * entries.data])
    rows, columns = np.tile(entries.coords[0], 2), np.tile(entries.coords[1], 2)
    if kind is sp.coo_array:
        return sp.coo_array((twice, (rows, columns)), X.shape)
    order = np.argsort(rows if kind is sp.csr_array else columns, kind="stable")
    major, minor = (rows, columns) if kind is sp.csr_array else (columns, rows)
    ends = np.cumsum(np.bincount(major, minlength=X.shape[kind is sp.csc_array]))
    return kind((twice[order], minor[order], np.append(0, ends)), X.shape)


def explicit_zeros(X):
    """Return a CSR matrix with explicit zeros at every fifth position."""
    stored = (X != 0) | (np.arange(X.size).reshape(X.shape) % 5 == 0)
    matrix = sp.csr_array(stored.astype(float))
    matrix.data[:] = X[stored]
    return matrix


MATRICES = {
    "csr": sp.csr_array,
    "csc": sp.csc_array,
    "coo": sp.coo_array,
    "unsorted": unsorted,
    "duplicated": duplicated,
    "duplicated csc": lambda X: duplicated(X, sp.csc_array),
    "duplicated coo": lambda X: duplicated(X, sp.coo_array),
    "explicit zeros": explicit_zeros,
}


def contents(matrix):
    """Return copies of all arrays of a sparse matrix."""
    names = ("data", "indices", "indptr", "coords")
    parts = {name: getattr(matrix, name) for name in names if hasattr(matrix, name)}
    return {name: np.array(part, copy=True) for name, part in parts.items()}


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize(
    "params",
    [
        dict(),
        dict(momentum=0.9),
        dict(solver="adam", shuffle=False),
        dict(solver="lbfgs", tol=1.0),
        dict(early_stopping=True),
    ],
    ids=str,
)
@ignore_convergence_warning
def test_matrix_formats_are_accepted_and_not_changed(name, params):
    matrix = MATRICES[name](X)
    np.testing.assert_allclose(matrix.toarray(), X)
    before = contents(matrix)
    actual = make_sgd(BackpropRegressor, alpha=0.1, **params).fit(matrix, NUMBERS)
    actual.predict(matrix)
    for part, values in contents(matrix).items():
        np.testing.assert_array_equal(values, before[part])
    dense = make_sgd(BackpropRegressor, alpha=0.1, **params).fit(X, NUMBERS)
    assert_close(actual, dense)


# ------------------------------------------------------------------ sparse products


@st.composite
def batches(draw):
    """Draw a sparse batch, possibly unsorted or with duplicates, and its errors."""
    n_rows, n_inputs = draw(st.integers(1, 6)), draw(st.integers(1, 12))
    n_entries = draw(st.integers(0, 20))
    seed = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype = draw(st.sampled_from(["float32", "float64"]))
    rows = np.sort(seed.integers(0, n_rows, n_entries))
    x = sp.csr_array(
        (
            seed.integers(-9, 10, n_entries).astype(dtype),
            seed.integers(0, n_inputs, n_entries),  # unsorted, with duplicates
            np.append(0, np.cumsum(np.bincount(rows, minlength=n_rows))),
        ),
        (n_rows, n_inputs),
    )
    # Integers, so that sums are exact in any order.
    delta = seed.integers(-9, 10, (n_rows, draw(st.integers(1, 4)))).astype(dtype)
    return x, np.array(delta, order=draw(st.sampled_from("CF")))


@examples(60, derandomize=True, database=None)
@given(batches())
def test_nonzero_gradient_rows_match_dense_product(batch):
    x, delta = batch
    indices, rows = nonzero_gradient_rows(x, delta)
    np.testing.assert_array_equal(indices, np.unique(x.indices))
    assert rows.dtype == x.dtype
    expected = x.toarray().T @ delta
    np.testing.assert_array_equal(rows, expected[indices])
    expected[indices] = 0.0
    assert not expected.any()


@examples(60, derandomize=True, database=None)
@given(batches())
def test_sparse_gradient_matches_dense_product(batch):
    x, delta = batch
    out = np.full((x.shape[1], delta.shape[1]), np.nan, x.dtype)
    sparse_gradient(x, delta, out)
    np.testing.assert_array_equal(out, x.toarray().T @ delta)


@pytest.mark.parametrize("n_inputs", [6, 7, 8])
def test_nonzero_rows_are_computed_separately_only_for_wide_batches(
    monkeypatch, n_inputs
):
    calls = []

    def recording_function(x, delta):
        calls.append(x)
        return nonzero_gradient_rows(x, delta)

    monkeypatch.setattr(numpy_sparse, "nonzero_gradient_rows", recording_function)
    x = sp.csr_array(np.eye(7, n_inputs) + np.eye(7, n_inputs, 1))[:4]
    x = x[:, :n_inputs]
    assert x.nnz == 8 - (n_inputs < 5)
    out = np.zeros((n_inputs, 2))
    numpy_sparse.add_sparse_transposed_product(x, np.ones((4, 2)), out)
    np.testing.assert_array_equal(out, x.toarray().T @ np.ones((4, 2)))
    assert len(calls) == (n_inputs >= 8)


@examples(60, derandomize=True, database=None)
@given(
    st.lists(
        st.tuples(batches(), st.sampled_from([1.0, 0.9, 0.01, 1e-7, 0.0, -0.5])),
        min_size=1,
        max_size=6,
    )
)
def test_lazy_steps_match_dense_steps(steps):
    shapes = [(x.shape[1], delta.shape[1]) for (x, delta), _ in steps]
    W = np.random.default_rng(0).normal(size=np.max(shapes, axis=0))
    updates, expected = LazySparseSGD(W), W.copy()
    for (x, delta), shrinkage in steps:
        x = sp.csr_array((x.data, x.indices, x.indptr), (x.shape[0], W.shape[0]))
        delta = np.pad(delta, [(0, 0), (0, W.shape[1] - delta.shape[1])])
        x, delta = x.astype(np.float64), delta.astype(np.float64)
        expected *= shrinkage
        expected -= 0.1 * (x.toarray().T @ delta)
        updates.step(x * updates.scale, delta, 0.1, shrinkage)
        np.testing.assert_allclose(updates.scale * W, expected, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(
            updates.squared_norm, np.sum(expected**2), rtol=1e-10, atol=1e-10
        )
    updates.materialize(updates.scale)
    np.testing.assert_allclose(W, expected, rtol=1e-10, atol=1e-10)


# ---------------------------------------------------------------- subnormal moments


def fit_decaying(kind, **params):
    """Fit with an input that is nonzero only in the first batches."""
    n_rows, rng = 2 * 1040, np.random.default_rng(0)
    values = rng.normal(size=(n_rows, 3)).astype(np.float32)
    values[8:, 1] = 0.0
    values[:, 2] *= 1e-12  # tiny gradients, but normal numbers
    net = BackpropRegressor(
        (),
        batch_size=2,
        shuffle=False,
        max_iter=1,
        tol=9.0,
        alpha=0.0,
        standardize=False,
        random_state=0,
        **params,
    )
    return net.partial_fit(kind(values), values[:, 0] + rng.normal(size=n_rows))


def n_subnormal(net):
    slots = np.abs(net._state.slots)
    assert slots.dtype == np.float32
    return np.count_nonzero((slots > 0) & (slots < np.finfo(np.float32).tiny))


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        (np.asarray, dict(solver="sgd", momentum=0.9)),
        (sp.csr_array, dict(solver="sgd", momentum=0.9)),
        (np.asarray, dict(solver="adam", beta_2=0.9)),
        (np.asarray, dict(solver="adamw", beta_2=0.9)),
        (np.asarray, dict(solver="rmsprop", beta_2=0.9)),
    ],
)
def test_decaying_moments_do_not_become_subnormal(monkeypatch, kind, params):
    net = fit_decaying(kind, **params)
    assert n_subnormal(net) == 0
    assert (net._state.slots[:, 1] == 0.0).all()
    monkeypatch.setattr("skbackprop.core.kernels.compiled", None)
    net = fit_decaying(kind, **params)
    assert n_subnormal(net) == 0
    assert (net._state.slots[:, 1] == 0.0).all()
    monkeypatch.setattr(numpy_kernels, "FLUSH_EVERY", 10**9)
    unflushed = fit_decaying(kind, **params)
    assert n_subnormal(unflushed) > 0
    # Flushing changes nothing else.
    np.testing.assert_array_equal(net.coefs_[0], unflushed.coefs_[0])
    unchanged = [0, 2, 3]
    np.testing.assert_array_equal(
        net._state.slots[:, unchanged], unflushed._state.slots[:, unchanged]
    )
