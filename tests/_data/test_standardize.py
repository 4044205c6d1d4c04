"""`standardize`: what it makes of inputs and targets, and when it learns them."""

import pickle
import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from small_fits import cut_short, error_of
from small_networks import (
    CODES,
    ENDS,
    ESTIMATORS,
    NUMBERS,
    WEIGHT,
    X,
    assert_same_network,
    small,
)

from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop._data import validation_split
from skbackprop.core.inputs import BOUND, Standardized, transform_batch
from skbackprop.core.losses import losses_for

RAW = X * [1.0, 300.0, 1e-3, 0.0] + [0.0, 5000.0, 2.0, 7.0]  # the last is constant
UNITS = 1e4 + 250.0 * NUMBERS
TARGETS = {BackpropClassifier: CODES, BackpropRegressor: UNITS}
EITHER = pytest.mark.parametrize("make", TARGETS)
WEIGHTS = pytest.mark.parametrize("weight", [None, WEIGHT], ids=["alike", "weighted"])
HUGE = np.finfo(np.float64).max
DATES = 1.6e9 + 86_400.0 * np.abs(np.round(5 * X))  # seconds


def bounded(z):
    return 5.0 * np.tanh(z / 5.0)


def by_hand(raw, weight=None, rows=slice(None), **params):
    """Scale inputs by what these rows of them are like."""
    weight = None if weight is None else weight[rows]
    scaler = StandardScaler(**params).fit(raw[rows], sample_weight=weight)
    z = scaler.transform(raw)
    if not sp.issparse(z):
        return bounded(z)
    z.data = bounded(z.data)
    return z


def targets_by_hand(make, y, weight=None, rows=slice(None)):
    """Scale what a regressor has to learn."""
    if make is BackpropClassifier:
        return y
    mean = np.average(y[rows], axis=0, weights=None if weight is None else weight[rows])
    variance = np.average(
        (y[rows] - mean) ** 2,
        axis=0,
        weights=None if weight is None else weight[rows],
    )
    return (y - mean) / np.sqrt(variance)


def net_of(make, **params):
    return small(make, **{"n_iter_no_change": 5, "batch_size": 32, **params})


def assert_close(one, other, rtol=1e-9):
    for name in ("coefs_", "intercepts_"):
        for mine, theirs in zip(getattr(one, name), getattr(other, name), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(one.loss_curve_, other.loss_curve_, rtol=rtol)


# ------------------------------------------------------------------- the formula


@pytest.mark.parametrize("given", [np.float64, np.float32, np.uint8, np.int64, bool])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_of_any_dtype_become_those_of_the_formula(given, dtype):
    raw = (8 * X).round().clip(0).astype(given)
    before = raw.copy()
    raw.setflags(write=False)
    wide = raw.astype(np.float64)
    center, scale = wide.mean(axis=0), wide.std(axis=0)
    rtol = 10 * np.finfo(dtype).eps
    for c in (center, None):
        inputs = Standardized(c, scale).with_dtype(raw.dtype, np.dtype(dtype))
        expected = bounded((wide - (0.0 if c is None else c)) / scale)
        for rows in (raw, sp.csr_array(raw)):
            out = np.empty(raw.shape, dtype)
            x = transform_batch(rows, out, inputs)
            # What is centred has no zeros to speak of.
            assert sp.issparse(x) == (sp.issparse(rows) and c is None)
            assert (x is out) == (not sp.issparse(x))
            assert x.dtype == dtype
            x = x.toarray() if sp.issparse(x) else x
            np.testing.assert_allclose(x, expected, rtol=rtol, atol=rtol)
            slopes = (1.0 - (expected / BOUND) ** 2) / scale
            np.testing.assert_allclose(inputs.derivative(x), slopes, rtol=4 * rtol)
    np.testing.assert_array_equal(raw, before)


@pytest.mark.parametrize("given", [np.float64, np.int64])
def test_large_offsets_cost_no_digits_in_single_precision(given):
    center, scale = DATES.mean(axis=0), DATES.std(axis=0)
    inputs = Standardized(center, scale).with_dtype(
        np.dtype(given), np.dtype("float32")
    )
    x = transform_batch(DATES.astype(given), np.empty(DATES.shape, "float32"), inputs)
    expected = bounded((DATES - center) / scale)
    np.testing.assert_allclose(x, expected, rtol=1e-6, atol=1e-7)
    single = net_of(BackpropRegressor, dtype="float32")
    fitted = single.fit(DATES.astype(given), NUMBERS)
    plain = clone(single).set_params(standardize=False)
    plain.fit(expected, targets_by_hand(BackpropRegressor, NUMBERS))
    assert fitted.coefs_[0].dtype == np.float32
    assert_close(fitted, plain, rtol=1e-4)


@cut_short
def test_tiny_deviations_do_not_overflow_in_single_precision():
    # One over the deviation is beyond float32, which has few digits down there.
    z = np.vstack([X, -X, np.zeros((1, 4))])
    y = np.arange(len(z)) % 2
    net = BackpropClassifier((4,), max_iter=2, random_state=0, dtype="float32")
    probabilities = net.fit(1e-40 * z, y).predict_proba(1e-40 * z)
    expected = clone(net).fit(z, y).predict_proba(z)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-2)


# ------------------------------------------------------ a fit is that done by hand


@WEIGHTS
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@EITHER
@cut_short
def test_a_fit_is_one_on_data_scaled_by_hand(make, solver, weight):
    params = {"max_iter": 8} if solver == "lbfgs" else {}
    fitted = net_of(make, solver=solver, **params)
    plain = clone(fitted).set_params(standardize=False)
    y, z = TARGETS[make], by_hand(RAW, weight)
    fitted.fit(RAW, y, weight)
    plain.fit(z, targets_by_hand(make, y, weight), weight)
    assert_close(fitted, plain)
    assert not z[:, 3].any()  # what is constant says nothing
    outputs = plain.predict(z)
    if make is BackpropRegressor:
        mean = np.average(y, weights=weight)
        outputs = mean + outputs * np.sqrt(np.average((y - mean) ** 2, weights=weight))
    np.testing.assert_allclose(fitted.predict(RAW), outputs, rtol=1e-9)


@EITHER
def test_a_sparse_fit_is_not_centred(make):
    raw = sp.csr_array(np.where(np.abs(X) > 0.7, RAW - 7.0, 0.0))
    y = TARGETS[make]
    fitted = net_of(make).fit(raw, y)
    z = by_hand(raw, with_mean=False)
    assert z.nnz == raw.nnz < raw.shape[0] * raw.shape[1] / 2
    plain = net_of(make, standardize=False).fit(z, targets_by_hand(make, y))
    assert_close(fitted, plain)


@WEIGHTS
@pytest.mark.parametrize("scoring", ["loss", "scorer"])
@EITHER
def test_nothing_is_learned_from_rows_held_out(make, scoring, weight, monkeypatch):
    rows = []
    split = validation_split.train_test_split

    def noted(*args, **kwargs):
        rows[:] = split(*args, **kwargs)
        return rows

    monkeypatch.setattr(validation_split, "train_test_split", noted)
    y = TARGETS[make]
    if scoring == "scorer":
        scoring = "accuracy" if make is BackpropClassifier else "r2"
    params = dict(early_stopping=True, scoring=scoring, validation_fraction=0.3)
    fitted = net_of(make, **params).fit(RAW, y, weight)
    train, _ = rows
    z = by_hand(RAW, weight, train)
    targets = targets_by_hand(make, y, weight, train)
    plain = net_of(make, standardize=False, **params).fit(z, targets, weight)
    assert_close(fitted, plain)
    np.testing.assert_allclose(
        fitted.validation_scores_, plain.validation_scores_, rtol=1e-9
    )


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@cut_short
def test_several_targets_are_scaled_each_by_itself(solver):
    y = np.column_stack([UNITS, 1e-3 * X[:, 2], np.full(90, 7.0)])
    params = dict(solver=solver, max_iter=40)
    fitted = net_of(BackpropRegressor, **params).fit(RAW, y)
    scaler = StandardScaler().fit(y)
    plain = net_of(BackpropRegressor, standardize=False, **params)
    plain.fit(by_hand(RAW), scaler.transform(y))
    assert_close(fitted, plain, rtol=1e-7)
    expected = scaler.inverse_transform(plain.predict(by_hand(RAW)))
    np.testing.assert_allclose(fitted.predict(RAW), expected, rtol=1e-7)


@pytest.mark.parametrize("output_activation", ["sigmoid", "tanh", "softplus"])
def test_outputs_with_bounds_learn_targets_as_they_are(output_activation):
    y = np.abs(np.tanh(NUMBERS))
    params = dict(output_activation=output_activation)
    fitted = net_of(BackpropRegressor, **params).fit(RAW, y)
    plain = net_of(BackpropRegressor, standardize=False, **params)
    plain.fit(by_hand(RAW), y)
    assert_close(fitted, plain)
    np.testing.assert_allclose(fitted.predict(RAW), plain.predict(by_hand(RAW)))


def test_counts_are_not_scaled():
    y = np.round(np.exp(NUMBERS / 2))
    fitted = net_of(BackpropRegressor, loss="poisson").fit(RAW, y)
    plain = net_of(BackpropRegressor, loss="poisson", standardize=False)
    assert_close(fitted, plain.fit(by_hand(RAW), y))
    np.testing.assert_allclose(fitted.predict(RAW), plain.predict(by_hand(RAW)))


# Of the losses with outputs of the identity. "log_loss" and the like have no units.
@pytest.mark.parametrize("loss", sorted(set(losses_for("regression")) - {"poisson"}))
@WEIGHTS
@pytest.mark.parametrize(("factor", "shift"), [(1e4, 3e5), (1e-3, -1.0)])
def test_predictions_change_their_units_with_the_targets(loss, weight, factor, shift):
    net = net_of(BackpropRegressor, loss=loss, quantile=0.8)
    expected = factor * net.fit(RAW, NUMBERS, weight).predict(RAW) + shift
    curve = net.loss_curve_
    y = factor * NUMBERS + shift
    predicted = net.fit(RAW, y, weight).predict(RAW)
    np.testing.assert_allclose(predicted, expected, rtol=1e-8, atol=1e-8 * factor)
    np.testing.assert_allclose(net.loss_curve_, curve, rtol=1e-8)


def test_several_quantiles_change_their_units_with_the_target():
    net = net_of(BackpropRegressor, loss="quantile", quantile=(0.1, 0.5, 0.9))
    expected = 1e4 * net.fit(RAW, NUMBERS).predict(RAW) - 5e4
    predicted = net.fit(RAW, 1e4 * NUMBERS - 5e4).predict(RAW)
    np.testing.assert_allclose(predicted, expected, rtol=1e-8)


# ------------------------------------------------- columns that are hard to scale


@EITHER
def test_a_column_that_was_nearly_constant_stays_within_its_bound(make):
    raw = RAW.copy()
    raw[:, 3] = 1.0 + 1e-9 * X[:, 3]
    net = net_of(make).fit(raw, TARGETS[make])
    outputs = net.predict if make is BackpropRegressor else net.predict_proba
    plain = net_of(make, standardize=False)
    plain.fit(by_hand(raw), targets_by_hand(make, TARGETS[make]))
    z = by_hand(raw)
    z[:, 3] = BOUND
    expected = plain.predict(z) if make is BackpropRegressor else plain.predict_proba(z)
    if make is BackpropRegressor:
        expected = UNITS.mean() + UNITS.std() * expected
    for wild in (2.0, 1e6, 1e307):
        raw[:, 3] = wild
        np.testing.assert_allclose(outputs(raw), expected, rtol=1e-5)


def with_column(values):
    return np.column_stack([X[:, :3], values])


TOO_LARGE = {
    "one": np.where(np.arange(90) == 3, 1e300, 0.0),
    "both signs": np.where(np.arange(90) % 2, 1e300, -1e300),
    "normal": 1e200 * X[:, 3],
    "largest": np.where(np.arange(90) == 3, HUGE, 1.0),
}


@pytest.mark.parametrize("kind", TOO_LARGE)
@ESTIMATORS
def test_inputs_beyond_all_squares_are_refused(make, y, kind):
    raw = with_column(TOO_LARGE[kind])
    words = ("X contains", "too large to be standardised", "standardize=False")
    error_of(lambda: net_of(make).fit(raw, y), *words)
    fitted = net_of(make).fit(X, y)
    before = fitted.predict(X)
    error_of(lambda: fitted.partial_fit(raw, y), *words)
    np.testing.assert_array_equal(fitted.predict(X), before)


@pytest.mark.parametrize("kind", TOO_LARGE)
def test_targets_beyond_all_squares_are_refused(kind):
    net = net_of(BackpropRegressor)
    words = ("y contains", "too large to be standardised", "standardize=False")
    error_of(lambda: net.fit(X, TOO_LARGE[kind]), *words)


# ------------------------------------------------------------------------ weights


@cut_short
@EITHER
def test_whole_weights_are_repetitions(make):
    times = WEIGHT.astype(int)
    net = net_of(make, solver="lbfgs", max_iter=10)
    weighted = net.fit(RAW, TARGETS[make], WEIGHT)
    rows = np.repeat(np.arange(90), times)
    repeated = clone(net).fit(RAW[rows], TARGETS[make][rows])
    assert_close(weighted, repeated, rtol=1e-8)
    np.testing.assert_allclose(weighted.predict(RAW), repeated.predict(RAW), rtol=1e-8)


@cut_short
@EITHER
def test_rows_without_weight_are_none(make):
    y = TARGETS[make]
    wild = np.vstack([RAW, 1e6 + 1e9 * X[:7]])
    labels = np.concatenate([y, y[:7] * (1 if make is BackpropClassifier else 1e6)])
    weight = np.append(WEIGHT, np.zeros(7))
    net = net_of(make, solver="lbfgs", max_iter=10)
    fitted = net.fit(wild, labels, weight)
    removed = clone(net).fit(RAW[WEIGHT > 0], y[WEIGHT > 0], WEIGHT[WEIGHT > 0])
    assert_close(fitted, removed, rtol=1e-8)
    np.testing.assert_allclose(fitted.predict(RAW), removed.predict(RAW), rtol=1e-8)


@pytest.mark.parametrize("factor", [1e-6, 1e6])
@EITHER
def test_weights_are_relative(make, factor):
    # Without the penalty, which counts beside the sum of all weights.
    net = net_of(make, solver="sgd", alpha=0.0)
    fitted = net.fit(RAW, TARGETS[make], factor * WEIGHT)
    assert_close(fitted, clone(net).fit(RAW, TARGETS[make], WEIGHT))
    predicted = clone(net).fit(RAW, TARGETS[make], WEIGHT).predict(RAW)
    np.testing.assert_allclose(fitted.predict(RAW), predicted, rtol=1e-9)


# ------------------------------------------------------------------------- chunks

CHUNKS = [slice(0, 10), slice(10, 11), slice(11, 60), slice(60, 90)]


def learn_in_chunks(make, raw, weight=None, **params):
    net = net_of(make, **{"batch_size": "auto", **params})
    kwargs = {"classes": [0, 1, 2]} if make is BackpropClassifier else {}
    for rows in CHUNKS:
        some = None if weight is None else weight[rows]
        net.partial_fit(raw[rows], TARGETS[make][rows], some, **kwargs)
    return net


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
@WEIGHTS
@EITHER
def test_chunks_teach_the_scale_of_them_all(make, weight, kind):
    net = learn_in_chunks(make, kind(RAW), weight)
    sparse = kind is sp.csr_array
    scaler = StandardScaler(with_mean=not sparse).fit(kind(RAW), sample_weight=weight)
    inputs, targets = net._scales.inputs, net._scales.targets
    np.testing.assert_allclose(inputs.mean_, scaler.mean_, rtol=1e-12)
    np.testing.assert_allclose(inputs.scale_, scaler.scale_, rtol=1e-10)
    if make is BackpropClassifier:
        assert targets is None
        return
    scaler = StandardScaler().fit(UNITS[:, np.newaxis], sample_weight=weight)
    np.testing.assert_allclose(targets.mean_, scaler.mean_, rtol=1e-12)
    np.testing.assert_allclose(targets.scale_, scaler.scale_, rtol=1e-12)


@WEIGHTS
@pytest.mark.parametrize("loss", ["squared_error", "huber", "quantile"])
@cut_short
def test_partial_fits_are_one_fit_to_rounding(loss, weight):
    params = dict(loss=loss, n_iter_no_change=99)
    at_once = net_of(BackpropRegressor, max_iter=6, **params).fit(RAW, UNITS, weight)
    bit_by_bit = net_of(BackpropRegressor, **params)
    for _ in range(6):
        bit_by_bit.partial_fit(RAW, UNITS, weight)
    assert_close(bit_by_bit, at_once, rtol=1e-10)
    np.testing.assert_allclose(
        bit_by_bit.predict(RAW), at_once.predict(RAW), rtol=1e-10
    )


@pytest.mark.parametrize("method", ["partial_fit", "fit"])
@pytest.mark.parametrize("n_targets", [1, 3])
def test_targets_in_other_units_leave_what_was_learned(n_targets, method):
    y = UNITS[:, np.newaxis] * np.arange(1, n_targets + 1)
    y = y.ravel() if n_targets == 1 else y
    net = net_of(BackpropRegressor, warm_start=True).fit(RAW, y)
    before, scale = net.predict(RAW), net._scales.targets.scale_
    # Steps so short that they don't move a parameter.
    net.set_params(learning_rate_init=1e-200, n_iter_no_change=1)
    getattr(net, method)(RAW, 1000.0 * y + 5.0)
    assert (net._scales.targets.scale_ > 100 * scale).all()
    np.testing.assert_allclose(net.predict(RAW), before, rtol=1e-10)


def test_lbfgs_carries_on_where_it_ended_in_other_units():
    net = net_of(BackpropRegressor, solver="lbfgs", warm_start=True, tol=1e-3)
    before = net.fit(RAW, UNITS).predict(RAW)
    net.set_params(tol=1e9).fit(RAW, 2.0 * UNITS)
    np.testing.assert_allclose(net.predict(RAW), before, rtol=1e-10)


@EITHER
def test_dense_chunks_after_sparse_ones_are_not_centred(make):
    nets = []
    for kind in (np.asarray, sp.csr_array):
        net = learn_in_chunks(make, sp.csr_array(RAW))
        nets.append(net.partial_fit(kind(2.0 * RAW), TARGETS[make]))
        for other in (np.asarray, sp.csr_array):
            np.testing.assert_allclose(
                net.predict(other(RAW)), nets[0].predict(RAW), rtol=1e-9
            )
    assert_close(*nets)
    assert not nets[0]._state.network.inputs.centers


@EITHER
def test_sparse_chunks_after_dense_ones_are_centred(make):
    nets = []
    for kind in (np.asarray, sp.csr_array):
        net = learn_in_chunks(make, RAW)
        nets.append(net.partial_fit(kind(2.0 * RAW), TARGETS[make]))
        for other in (np.asarray, sp.csr_array):
            np.testing.assert_allclose(
                net.predict(other(RAW)), nets[0].predict(RAW), rtol=1e-9
            )
    assert_close(*nets)
    assert nets[0]._state.network.inputs.centers


def test_many_sparse_columns_are_learned_in_few_passes(monkeypatch):
    # A pass costs as much as there are columns, whatever is in them.
    passes = []
    learn = StandardScaler.partial_fit

    def noted(self, X, *args, **kwargs):
        passes.append(X.shape)
        return learn(self, X, *args, **kwargs)

    monkeypatch.setattr(StandardScaler, "partial_fit", noted)
    raw = sp.csr_array((np.ones(90), np.arange(90), np.arange(91)), (90, 20_000))
    net = BackpropClassifier((1,), **ENDS, solver="sgd", momentum=0.0)
    net.set_params(max_iter=1, n_iter_no_change=1, dtype="float32")
    net.partial_fit(raw, CODES, classes=[0, 1, 2])
    assert len(passes) == 1


@pytest.mark.parametrize("index", [np.int32, np.int64])
@EITHER
def test_sparse_indices_of_either_width_can_be_learned_from_twice(make, index):
    raw = sp.csr_array(RAW)
    raw.indices, raw.indptr = raw.indices.astype(index), raw.indptr.astype(index)
    net = learn_in_chunks(make, raw)
    assert raw[:10].indices.dtype == index
    assert_same_network(net, learn_in_chunks(make, sp.csr_array(RAW)))


# ------------------------------------------------------------ as estimators are used


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@EITHER
def test_arrays_that_are_yours_are_not_written_to(make, dtype):
    mine = [RAW.astype(dtype), TARGETS[make].astype(dtype), WEIGHT.astype(dtype)]
    before = [array.copy() for array in mine]
    for array in mine:
        array.setflags(write=False)
    for params in ({}, {"solver": "lbfgs", "tol": 1e9}, {"shuffle": False}):
        for early_stopping in (False, True):
            net = net_of(make, early_stopping=early_stopping, **params)
            net.fit(*mine).predict(mine[0])
    for array, was in zip(mine, before, strict=True):
        np.testing.assert_array_equal(array, was)


@pytest.mark.parametrize(("early_stopping", "weighted"), [(False, True), (True, False)])
@cut_short
def test_no_copy_is_made_of_a_large_array(tmp_path, early_stopping, weighted):
    shape = (8192, 1024)
    raw = np.lib.format.open_memmap(tmp_path / "X.npy", "w+", "float32", shape)
    raw[...] = np.arange(shape[1]) % 3
    raw[:, 0] = np.arange(shape[0]) % 7
    y = np.arange(shape[0]) % 7.0
    net = BackpropRegressor((2,), max_iter=1, batch_size=256, random_state=0)
    net.set_params(early_stopping=early_stopping)
    tracemalloc.start()
    try:
        net.fit(raw, y, sample_weight=1.0 + y if weighted else None).predict(raw)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert raw.nbytes == 32 * 2**20
    assert peak < raw.nbytes / 3


@EITHER
def test_scales_survive_pickling_and_are_not_cloned(make):
    net = net_of(make).fit(RAW, TARGETS[make])
    loaded = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(loaded.predict(RAW), net.predict(RAW))
    for fitted in (loaded, net):
        fitted.partial_fit(2.0 * RAW, TARGETS[make])
    assert_same_network(loaded, net)
    other = clone(net).fit(3.0 * RAW, TARGETS[make])
    assert_close(other, net_of(make).fit(RAW, TARGETS[make]), rtol=1e-8)


@pytest.mark.filterwarnings("ignore:Got `batch_size` less than 1")
@EITHER
def test_a_search_can_choose(make):
    grid = GridSearchCV(net_of(make), {"standardize": [False, True]}, cv=3)
    grid.fit(RAW, TARGETS[make])
    assert grid.best_params_ == {"standardize": True}
    assert_same_network(grid.best_estimator_, net_of(make).fit(RAW, TARGETS[make]))


@pytest.mark.parametrize(
    ("make", "load"),
    [
        (BackpropClassifier, load_wine),
        (BackpropClassifier, load_breast_cancer),
        (BackpropRegressor, load_diabetes),
    ],
)
@cut_short
def test_tables_as_they_are_score_like_a_pipeline_that_scales(make, load):
    raw, y = load(return_X_y=True)
    net = make(random_state=0)
    mine = cross_val_score(net, raw, y, cv=3)
    plain = make_pipeline(StandardScaler(), clone(net).set_params(standardize=False))
    theirs = cross_val_score(plain, raw, y, cv=3)
    assert mine.mean() > theirs.mean() - 0.01
