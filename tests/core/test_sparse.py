"""Sparse input: the same steps as for dense, at the cost of what is not zero."""

import numpy as np
import pytest
import scipy.sparse as sp
from example_counts import examples
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor
from small_fits import Interrupting, cut_short

from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop.core import sparse, updater
from skbackprop.core.inputs import BOUND
from skbackprop.core.optimizers import OPTIMIZERS
from skbackprop.core.sparse import (
    MIN_SCALE,
    LazySparseSGD,
    nonzero_gradient_rows,
    sparse_gradient,
)

N_ROWS, N_INPUTS = 58, 40  # the last batch of eight is short


def some_entries(n_inputs=N_INPUTS, density=0.08):
    """Draw an input with rows, columns and a whole batch without an entry."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, n_inputs))
    X *= rng.random(X.shape) < density
    X[16:24] = 0.0  # the third batch of eight in order
    X[[3, 40]] = 0.0
    X[:, [0, n_inputs // 3, -1]] = 0.0
    return X


X = some_entries()
rng = np.random.default_rng(1)
WEIGHT = rng.integers(0, 4, N_ROWS).astype(float)
NUMBERS = np.column_stack([X @ rng.normal(size=N_INPUTS), rng.normal(size=N_ROWS)])
CODES = np.arange(N_ROWS) % 3
ESTIMATORS = pytest.mark.parametrize(
    ("make", "y"), [(BackpropClassifier, CODES), (BackpropRegressor, NUMBERS)]
)


def plain(make, **params):
    """Return an estimator that descends plainly, on sparse input by touched rows.

    It takes inputs as they are: standardised, dense ones would be centred as well.
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
        for mine, theirs in zip(getattr(one, name), getattr(other, name), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(one.loss_curve_, other.loss_curve_, rtol=rtol)


def assert_same_steps(make, y, weight=None, X=X, rtol=1e-10, **params):
    """Fit to the same numbers, sparse and dense; return both."""
    from_sparse = plain(make, **params).fit(sp.csr_array(X), y, weight)
    from_dense = plain(make, **params).fit(X, y, weight)
    assert_close(from_sparse, from_dense, rtol)
    return from_sparse, from_dense


@pytest.fixture
def folds(monkeypatch):
    """Return the scales that are multiplied out, as training goes on."""
    scales = []
    materialize = LazySparseSGD.materialize

    def noted(first, scale):
        scales.append(scale)
        materialize(first, scale)

    monkeypatch.setattr(LazySparseSGD, "materialize", noted)
    return scales


# --------------------------------------------------- plain descent by touched rows


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["alike", "weighted"])
@pytest.mark.parametrize("alpha", [0.0, 0.1, 2.0])
@pytest.mark.parametrize("shuffle", [False, True], ids=["in order", "shuffle"])
@ESTIMATORS
@cut_short
def test_plain_descent_is_that_on_dense_input(folds, make, y, alpha, shuffle, weight):
    mine, _ = assert_same_steps(make, y, weight, alpha=alpha, shuffle=shuffle)
    assert len(folds) == 2 * mine.n_iter_  # at either end of each epoch
    assert (set(folds) == {1.0}) == (alpha == 0.0)


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["alike", "weighted"])
@pytest.mark.parametrize("shuffle", [False, True], ids=["in order", "shuffle"])
@ESTIMATORS
@cut_short
def test_what_is_standardised_is_scaled_and_not_centred(
    folds, make, y, shuffle, weight
):
    # A standardised target would be another.
    params = dict(alpha=0.1, shuffle=shuffle, output_activation="tanh")
    mine = plain(make, standardize=True, **params).fit(sp.csr_array(X), y, weight)
    mean = np.average(X, axis=0, weights=weight)
    deviation = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weight))
    scaled = BOUND * np.tanh(X / np.where(deviation > 0, deviation, 1) / BOUND)
    theirs = plain(make, **params).fit(scaled, y, weight)
    assert_close(mine, theirs)
    assert len(folds) == 2 * mine.n_iter_  # by touched rows, all the same
    np.testing.assert_allclose(
        mine.predict(sp.csr_array(X)), theirs.predict(scaled), rtol=1e-9
    )
    np.testing.assert_allclose(mine.predict(X), theirs.predict(scaled), rtol=1e-9)


@pytest.mark.parametrize("batch_size", [1, 7, 8, 29, 57, 58])
@ESTIMATORS
@cut_short
def test_batches_of_any_size_and_a_short_last_one(make, y, batch_size):
    assert_same_steps(make, y, WEIGHT, batch_size=batch_size, alpha=0.1)


@pytest.mark.parametrize("sizes", [(), (1,), (5, 4, 3)], ids=str)
@ESTIMATORS
@cut_short
def test_any_number_of_layers(make, y, sizes):
    assert_same_steps(make, y, hidden_layer_sizes=sizes, alpha=0.1)


@pytest.mark.parametrize("learning_rate", ["constant", "invscaling", "adaptive"])
@ESTIMATORS
@cut_short
def test_schedules(make, y, learning_rate):
    # A plateau as soon as can be, so that "adaptive" has something to do.
    params = dict(learning_rate=learning_rate, tol=9.0, n_iter_no_change=2)
    mine, _ = assert_same_steps(make, y, alpha=0.1, max_iter=12, **params)
    assert (len(set(mine.history_["learning_rate"])) > 1) == (
        learning_rate != "constant"
    )


@ESTIMATORS
@cut_short
def test_early_stopping_on_sparse_input(make, y):
    mine, theirs = assert_same_steps(
        make, y, WEIGHT + 1, alpha=0.1, early_stopping=True, scoring="loss"
    )
    np.testing.assert_allclose(
        mine.validation_scores_, theirs.validation_scores_, rtol=1e-10
    )


# Of every step the penalty leaves the share 1 - rate alpha / rows of the weights.
SHRINKAGE = {
    "a tenth": 0.1,  # folded in every third step
    "a thousandth": 1e-3,
    "a millionth": 1e-6,  # folded in every step
    "nothing": 0.0,
    "less than nothing": -0.5,
    "a tenth, the sign changed": -0.1,
}


@pytest.mark.parametrize("left", SHRINKAGE)
@pytest.mark.parametrize("batch_size", [8, 29])
@ESTIMATORS
@cut_short
def test_penalties_that_leave_little_of_the_weights(folds, make, y, left, batch_size):
    alpha = (1.0 - SHRINKAGE[left]) * batch_size / 0.1
    # Two rows are left over for the last batch of 8: the penalty of so few is larger.
    rows = N_ROWS // batch_size * batch_size
    mine, theirs = (
        plain(make, alpha=alpha, batch_size=batch_size).fit(kind(X[:rows]), y[:rows])
        for kind in (sp.csr_array, np.asarray)
    )
    assert_close(mine, theirs)
    assert len([scale for scale in folds if scale != 1.0]) >= mine.n_iter_


@ESTIMATORS
@cut_short
def test_a_scale_is_folded_in_before_it_is_too_small(folds, make, y):
    # Each step halves the weights: some ten of them until the next fold.
    rows, params = X[:56], dict(alpha=40.0, batch_size=1, max_iter=3)
    params["learning_rate_init"] = 0.0125
    mine, theirs = (
        plain(make, **params).fit(kind(rows), y[:56])
        for kind in (sp.csr_array, np.asarray)
    )
    assert_close(mine, theirs)
    within = [scale for scale in folds if scale < MIN_SCALE]
    assert len(within) == 3 * (56 // 10)
    assert min(within) > MIN_SCALE / 2.001


@ESTIMATORS
@cut_short
def test_float32_agrees_to_its_precision(make, y):
    params = dict(alpha=0.1, dtype="float32", rtol=1e-5)
    mine, _ = assert_same_steps(make, y, **params)
    assert mine.coefs_[0].dtype == np.float32


@cut_short
def test_columns_never_touched_are_but_shrunk():
    untouched = ~X.any(axis=0)
    assert untouched.sum() >= 3
    nets = [plain(BackpropRegressor, alpha=0.5, max_iter=n) for n in (3, 4)]
    before, after = (net.fit(sp.csr_array(X), NUMBERS).coefs_[0] for net in nets)
    shrunk = (1.0 - 0.1 * 0.5 / 8) ** 7 * (1.0 - 0.1 * 0.5 / 2)
    np.testing.assert_allclose(after[untouched], shrunk * before[untouched], rtol=1e-12)


@ESTIMATORS
@cut_short
def test_input_without_an_entry(make, y):
    assert_same_steps(make, y, X=np.zeros_like(X), alpha=0.1)


@ESTIMATORS
@cut_short
def test_partial_fits_on_sparse_input(make, y):
    known = {"classes": [0, 1, 2]} if make is BackpropClassifier else {}
    at_once = plain(make, alpha=0.1, max_iter=4).fit(sp.csr_array(X), y)
    bit_by_bit, mixed = plain(make, alpha=0.1), plain(make, alpha=0.1)
    for kind in (sp.csr_array, np.asarray, sp.csc_array, sp.csr_matrix):
        bit_by_bit.partial_fit(sp.csr_array(X), y, **known)
        mixed.partial_fit(kind(X), y, **known)
    for mine, theirs in zip(at_once.coefs_, bit_by_bit.coefs_, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert_close(mixed, at_once)


@pytest.mark.parametrize("weight", [1.0, 1e4, 1e8])
@cut_short
def test_the_reported_penalty_follows_the_weights(weight):
    # The sum of squares is kept up to date by what is touched, not summed anew.
    start = plain(BackpropRegressor, alpha=0.1).partial_fit(sp.csr_array(X), NUMBERS)
    dense = plain(BackpropRegressor, alpha=0.1).partial_fit(X, NUMBERS)
    for net in (start, dense):
        net.coefs_[0][5] = weight
    start.partial_fit(sp.csr_array(X), NUMBERS)
    dense.partial_fit(X, NUMBERS)
    np.testing.assert_allclose(start.loss_, dense.loss_, rtol=1e-10)


# ------------------------------------------------------------- beside scikit-learn


@pytest.mark.parametrize("alpha", [0.0, 2.0])
@pytest.mark.parametrize("learning_rate", ["constant", "invscaling"])
@pytest.mark.parametrize(
    ("ours", "theirs", "y"),
    [
        (BackpropClassifier, MLPClassifier, CODES),
        (BackpropRegressor, MLPRegressor, NUMBERS),
    ],
)
@cut_short
def test_plain_descent_is_that_of_scikit_learn(ours, theirs, y, learning_rate, alpha):
    params = dict(alpha=alpha, learning_rate=learning_rate)
    loss = "log_loss" if ours is BackpropClassifier else "squared_error"
    rows = sp.csr_array(X)
    mine = plain(ours, loss=loss, **params).fit(rows, y)
    assert_close(mine, plain(theirs, **params).fit(rows, y))


# ------------------------------------------------------------------ other solvers


@pytest.mark.parametrize("n_inputs", [N_INPUTS, 5, 2000])
@pytest.mark.parametrize("solver", OPTIMIZERS)
@ESTIMATORS
@cut_short
def test_solvers_with_a_memory_agree_with_dense(make, y, solver, n_inputs):
    values = some_entries(n_inputs, density=min(0.9, 3.2 / n_inputs))
    # In the narrow one a batch has more entries than there are inputs.
    assert (sp.csr_array(values[:8]).nnz > n_inputs) == (n_inputs == 5)
    params = dict(solver=solver, momentum=0.9, alpha=0.1, learning_rate_init=0.01)
    assert_same_steps(make, y, WEIGHT, X=values, **params)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("clip_norm", [None, 0.05, 1e9])
@ESTIMATORS
@cut_short
def test_momentum_and_clipping_need_all_rows(folds, make, y, clip_norm, momentum):
    params = dict(momentum=momentum, clip_norm=clip_norm, alpha=0.1)
    assert_same_steps(make, y, **params)
    # A velocity moves rows that are not touched; a norm is that of all.
    assert bool(folds) == (momentum == 0.0 and clip_norm is None)


@cut_short
def test_clipping_changes_the_steps():
    clipped, free = (
        plain(BackpropRegressor, clip_norm=clip_norm).fit(sp.csr_array(X), NUMBERS)
        for clip_norm in (0.05, None)
    )
    assert np.abs(clipped.coefs_[0] - free.coefs_[0]).max() > 0.01


# ------------------------------------------------------------------------ Ctrl-C


def interrupted(make, X, y, after, **params):
    Interrupting.calls = after
    net = plain(make, activation=Interrupting(), alpha=2.0, **params)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        return net.fit(X, y)


@pytest.mark.parametrize("after", [1, 2, 5, 8, 9, 12, 20])
@ESTIMATORS
def test_ctrl_c_within_an_epoch_leaves_the_weights_themselves(folds, make, y, after):
    mine = interrupted(make, sp.csr_array(X), y, after)
    # Eight batches an epoch: there was a scale, unless the first was interrupted.
    assert (folds[-1] == 1.0) == (after % 8 == 1)
    theirs = interrupted(make, X, y, after)
    assert_close(mine, theirs)
    assert mine.n_iter_ == theirs.n_iter_ == (after - 1) // 8
    rows = sp.csr_array(X)
    np.testing.assert_allclose(mine.predict(rows), theirs.predict(X), rtol=1e-10)


@cut_short
def test_training_carries_on_after_ctrl_c():
    mine, theirs = (
        interrupted(BackpropRegressor, kind(X), NUMBERS, 12).partial_fit(
            kind(X), NUMBERS
        )
        for kind in (sp.csr_array, np.asarray)
    )
    assert_close(mine, theirs)


def test_an_error_within_an_epoch_leaves_the_fit_before():
    net = plain(BackpropRegressor, alpha=2.0, warm_start=True)
    with pytest.warns(ConvergenceWarning):
        net.fit(sp.csr_array(X), NUMBERS)
    before = [W.copy() for W in net.coefs_]
    net.set_params(learning_rate_init=1e200)
    with pytest.raises(ValueError, match="diverged"):
        net.fit(sp.csr_array(X), NUMBERS)
    for W, was in zip(net.coefs_, before, strict=True):
        np.testing.assert_array_equal(W, was)


# -------------------------------------------------------------- matrices as they come


def unsorted(X):
    """Return a CSR matrix whose rows list their entries from the right."""
    matrix = sp.csr_matrix(X)
    for start, end in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True):
        matrix.indices[start:end] = matrix.indices[start:end][::-1].copy()
        matrix.data[start:end] = matrix.data[start:end][::-1].copy()
    matrix.has_sorted_indices = False
    return matrix


def duplicated(X, kind=sp.csr_array):
    """Return a matrix in which every entry is the sum of two, in no order."""
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
    """Return a CSR matrix that stores every fifth zero."""
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
    """Return a copy of all that a sparse matrix consists of."""
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
@cut_short
def test_matrices_are_used_as_they_are_and_not_changed(name, params):
    matrix = MATRICES[name](X)
    np.testing.assert_allclose(matrix.toarray(), X)
    before = contents(matrix)
    mine = plain(BackpropRegressor, alpha=0.1, **params).fit(matrix, NUMBERS)
    mine.predict(matrix)
    for part, values in contents(matrix).items():
        np.testing.assert_array_equal(values, before[part])
    dense = plain(BackpropRegressor, alpha=0.1, **params).fit(X, NUMBERS)
    assert_close(mine, dense)


# --------------------------------------------------------- products with what is there


@st.composite
def batches(draw):
    """Draw a batch, sparse as it may come, and errors to go with it."""
    n_rows, n_inputs = draw(st.integers(1, 6)), draw(st.integers(1, 12))
    n_entries = draw(st.integers(0, 20))
    seed = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype = draw(st.sampled_from(["float32", "float64"]))
    rows = np.sort(seed.integers(0, n_rows, n_entries))
    x = sp.csr_array(
        (
            seed.integers(-9, 10, n_entries).astype(dtype),
            seed.integers(0, n_inputs, n_entries),  # in no order, and some twice
            np.append(0, np.cumsum(np.bincount(rows, minlength=n_rows))),
        ),
        (n_rows, n_inputs),
    )
    # Whole numbers, so that sums are exact in any order.
    delta = seed.integers(-9, 10, (n_rows, draw(st.integers(1, 4)))).astype(dtype)
    return x, np.array(delta, order=draw(st.sampled_from("CF")))


@examples(60, derandomize=True, database=None)
@given(batches())
def test_touched_rows_are_those_of_the_product(batch):
    x, delta = batch
    touched, rows = nonzero_gradient_rows(x, delta)
    np.testing.assert_array_equal(touched, np.unique(x.indices))
    assert rows.dtype == x.dtype
    expected = x.toarray().T @ delta
    np.testing.assert_array_equal(rows, expected[touched])
    expected[touched] = 0.0
    assert not expected.any()


@examples(60, derandomize=True, database=None)
@given(batches())
def test_the_gradient_is_the_product(batch):
    x, delta = batch
    out = np.full((x.shape[1], delta.shape[1]), np.nan, x.dtype)
    sparse_gradient(x, delta, out)
    np.testing.assert_array_equal(out, x.toarray().T @ delta)


@pytest.mark.parametrize("n_inputs", [6, 7, 8])
def test_only_wide_batches_are_computed_by_touched_rows(monkeypatch, n_inputs):
    calls = []

    def noted(x, delta):
        calls.append(x)
        return nonzero_gradient_rows(x, delta)

    monkeypatch.setattr(sparse, "nonzero_gradient_rows", noted)
    x = sp.csr_array(np.eye(7, n_inputs) + np.eye(7, n_inputs, 1))[:4]
    x = x[:, :n_inputs]
    assert x.nnz == 8 - (n_inputs < 5)
    out = np.empty((n_inputs, 2))
    sparse_gradient(x, np.ones((4, 2)), out)
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
def test_steps_by_touched_rows_are_steps(steps):
    shapes = [(x.shape[1], delta.shape[1]) for (x, delta), _ in steps]
    W = np.random.default_rng(0).normal(size=np.max(shapes, axis=0))
    first, expected = LazySparseSGD(W), W.copy()
    for (x, delta), shrinkage in steps:
        x = sp.csr_array((x.data, x.indices, x.indptr), (x.shape[0], W.shape[0]))
        delta = np.pad(delta, [(0, 0), (0, W.shape[1] - delta.shape[1])])
        x, delta = x.astype(np.float64), delta.astype(np.float64)
        expected *= shrinkage
        expected -= 0.1 * (x.toarray().T @ delta)
        first.step(x * first.scale, delta, 0.1, shrinkage)
        np.testing.assert_allclose(first.scale * W, expected, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(
            first.squared_norm, np.sum(expected**2), rtol=1e-10, atol=1e-10
        )
    first.materialize(first.scale)
    np.testing.assert_allclose(W, expected, rtol=1e-10, atol=1e-10)


# -------------------------------------------------------------- subnormal numbers


def fade(kind, **params):
    """Fit with an input that is there in the first batches, and never again."""
    n_rows, rng = 2 * 1040, np.random.default_rng(0)
    values = rng.normal(size=(n_rows, 3)).astype(np.float32)
    values[8:, 1] = 0.0
    values[:, 2] *= 1e-12  # so are its gradients, which are normal numbers all the same
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
    memory = np.abs(net._state.slots)
    assert memory.dtype == np.float32
    return np.count_nonzero((memory > 0) & (memory < np.finfo(np.float32).tiny))


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
def test_memories_that_fade_do_not_end_subnormal(monkeypatch, kind, params):
    net = fade(kind, **params)
    assert n_subnormal(net) == 0
    assert (net._state.slots[:, 1] == 0.0).all()
    monkeypatch.setattr(updater, "FLUSH_EVERY", 10**9)
    unflushed = fade(kind, **params)
    assert n_subnormal(unflushed) > 0
    # Nothing else is different.
    np.testing.assert_array_equal(net.coefs_[0], unflushed.coefs_[0])
    others = [0, 2, 3]
    np.testing.assert_array_equal(
        net._state.slots[:, others], unflushed._state.slots[:, others]
    )
