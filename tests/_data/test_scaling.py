"""Scaling of inputs and targets with `standardize=True`."""

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
from small_fits import error_of, ignore_convergence_warning
from small_networks import (
    CODES,
    ESTIMATORS,
    NUMBERS,
    SHORT_TRAINING,
    WEIGHT,
    X,
    assert_same_network,
    small,
)

from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop._data import validation_split
from skbackprop._data.column_statistics import ColumnMoments
from skbackprop._estimators.parameters import losses_for
from skbackprop.core.first_layer import make_first_layer
from skbackprop.core.inputs import Standardized

RAW = X * [1.0, 300.0, 1e-3, 0.0] + [0.0, 5000.0, 2.0, 7.0]  # the last is constant
UNITS = 1e4 + 250.0 * NUMBERS
TARGETS = {BackpropClassifier: CODES, BackpropRegressor: UNITS}
BOTH_ESTIMATORS = pytest.mark.parametrize("make", TARGETS)
WEIGHTS = pytest.mark.parametrize(
    "weight", [None, WEIGHT], ids=["unweighted", "weighted"]
)
HUGE = np.finfo(np.float64).max
DATES = 1.6e9 + 86_400.0 * np.abs(np.round(5 * X))  # seconds


def standardize_manually(raw, weight=None, rows=slice(None)):
    """Standardize the inputs with the statistics of some rows."""
    weight = None if weight is None else weight[rows]
    return StandardScaler().fit(raw[rows], sample_weight=weight).transform(raw)


def scale_sparse_manually(raw):
    """Divide each column by the root mean square of its nonzero values."""
    rows = raw.toarray()
    columns = [np.sqrt(np.mean(x[x != 0.0] ** 2)) if x.any() else 1.0 for x in rows.T]
    return sp.csr_array(rows / columns)


def standardize_targets_manually(make, y, weight=None, rows=slice(None)):
    """Standardize the targets of a regressor, with the statistics of some rows."""
    if make is BackpropClassifier:
        return y
    mean = np.average(y[rows], axis=0, weights=None if weight is None else weight[rows])
    variance = np.average(
        (y[rows] - mean) ** 2,
        axis=0,
        weights=None if weight is None else weight[rows],
    )
    return (y - mean) / np.sqrt(variance)


def make_net(make, **params):
    # With init="auto", the initial biases depend on `standardize`.
    fixed = {"init": "glorot_uniform", "n_iter_no_change": 5, "batch_size": 32}
    return small(make, **{**fixed, **params})


def assert_close(one, other, rtol=1e-9):
    for name in ("coefs_", "intercepts_"):
        for actual, expected in zip(
            getattr(one, name), getattr(other, name), strict=True
        ):
            np.testing.assert_allclose(actual, expected, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(one.loss_curve_, other.loss_curve_, rtol=rtol)


# ------------------------------------------------------------------- the formula


@pytest.mark.parametrize("given", [np.float64, np.float32, np.uint8, np.int64, bool])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_transform_equals_formula_for_all_dtypes(given, dtype):
    raw = (8 * X).round().clip(0).astype(given)
    before = raw.copy()
    raw.setflags(write=False)
    wide = raw.astype(np.float64)
    center, scale = wide.mean(axis=0), wide.std(axis=0)
    rtol = 10 * np.finfo(dtype).eps
    bound = np.array([0.75, 25.0, 30.0, 1e300])
    for c in (center, None):
        transform = Standardized(c, scale, bound)
        inputs = transform.with_dtype(raw.dtype, np.dtype(dtype))
        z = (wide - (0.0 if c is None else c)) / scale
        expected = z.clip(-bound, bound)
        assert (np.abs(z) > bound).any(axis=0).tolist() == [True] + [False] * 3
        for rows in (raw, sp.csr_array(raw)):
            out = np.empty(raw.shape, dtype)
            x = make_first_layer(rows, transform, out.dtype).read(rows, out)
            # Centering removes the zeros, so the result is dense.
            assert sp.issparse(x) == (sp.issparse(rows) and c is None)
            assert (x is out) == (not sp.issparse(x))
            assert x.dtype == dtype
            x = x.toarray() if sp.issparse(x) else x
            np.testing.assert_allclose(x, expected, rtol=rtol, atol=rtol)
            derivative = np.where(np.abs(z) < bound, 1.0 / scale, 0.0)
            np.testing.assert_allclose(inputs.derivative(x), derivative, rtol=4 * rtol)
    np.testing.assert_array_equal(raw, before)


@pytest.mark.parametrize(("sizes", "rtol"), [((), 1e-4), ((100,), 0.04)], ids=str)
@pytest.mark.parametrize("slope", [3.0, -0.01])
@ignore_convergence_warning
def test_straight_line_is_extrapolated(sizes, rtol, slope):
    x = np.arange(100.0)[:, np.newaxis]
    for seed in range(5):
        net = BackpropRegressor(
            sizes, solver="lbfgs", max_iter=2000, alpha=0.0, random_state=seed
        ).fit(x, slope * x[:, 0] + 7.0)
        predicted = net.predict([[150.0]])
        np.testing.assert_allclose(predicted, slope * 150.0 + 7.0, rtol)


@pytest.mark.parametrize("given", [np.float64, np.int64])
def test_large_offsets_lose_no_precision_in_float32(given):
    center, scale = DATES.mean(axis=0), DATES.std(axis=0)
    inputs = Standardized(center, scale, np.full(4, 50.0)).with_dtype(
        np.dtype(given), np.dtype("float32")
    )
    x = inputs.dense(DATES.astype(given), np.empty(DATES.shape, "float32"))
    expected = (DATES - center) / scale
    np.testing.assert_allclose(x, expected, rtol=1e-6, atol=1e-7)
    single = make_net(BackpropRegressor, dtype="float32")
    fitted = single.fit(DATES.astype(given), NUMBERS)
    plain = clone(single).set_params(standardize=False)
    plain.fit(expected, standardize_targets_manually(BackpropRegressor, NUMBERS))
    assert fitted.coefs_[0].dtype == np.float32
    assert_close(fitted, plain, rtol=1e-4)


@ignore_convergence_warning
def test_tiny_standard_deviations_do_not_overflow_in_float32():
    # The inverse of the standard deviation exceeds the float32 range. Subnormal
    # float32 numbers have few digits.
    z = np.vstack([X, -X, np.zeros((1, 4))])
    y = np.arange(len(z)) % 2
    net = BackpropClassifier((4,), max_iter=2, random_state=0, dtype="float32")
    probabilities = net.fit(1e-40 * z, y).predict_proba(1e-40 * z)
    expected = clone(net).fit(z, y).predict_proba(z)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-2)


# ------------------------------------------------------ equivalence to manual scaling


@WEIGHTS
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@BOTH_ESTIMATORS
@ignore_convergence_warning
def test_fit_equals_fit_on_manually_scaled_data(make, solver, weight):
    params = {"max_iter": 8} if solver == "lbfgs" else {}
    fitted = make_net(make, solver=solver, **params)
    plain = clone(fitted).set_params(standardize=False)
    y, z = TARGETS[make], standardize_manually(RAW, weight)
    fitted.fit(RAW, y, weight)
    plain.fit(z, standardize_targets_manually(make, y, weight), weight)
    assert_close(fitted, plain)
    assert not z[:, 3].any()  # a constant feature becomes zero
    outputs = plain.predict(z)
    if make is BackpropRegressor:
        mean = np.average(y, weights=weight)
        outputs = mean + outputs * np.sqrt(np.average((y - mean) ** 2, weights=weight))
    np.testing.assert_allclose(fitted.predict(RAW), outputs, rtol=1e-9)


@BOTH_ESTIMATORS
def test_sparse_input_is_scaled_without_centering(make):
    raw = sp.csr_array(np.where(np.abs(X) > 0.7, RAW - 7.0, 0.0))
    y = TARGETS[make]
    fitted = make_net(make).fit(raw, y)
    z = scale_sparse_manually(raw)
    assert z.nnz == raw.nnz < raw.shape[0] * raw.shape[1] / 2
    plain = make_net(make, standardize=False).fit(
        z, standardize_targets_manually(make, y)
    )
    assert_close(fitted, plain)


@WEIGHTS
@pytest.mark.parametrize("scoring", ["loss", "scorer"])
@BOTH_ESTIMATORS
def test_scalers_ignore_held_out_rows(make, scoring, weight, monkeypatch):
    rows = []
    split = validation_split.train_test_split

    def recorded_split(*args, **kwargs):
        rows[:] = split(*args, **kwargs)
        return rows

    monkeypatch.setattr(validation_split, "train_test_split", recorded_split)
    y = TARGETS[make]
    if scoring == "scorer":
        scoring = "accuracy" if make is BackpropClassifier else "r2"
    params = dict(early_stopping=True, scoring=scoring, validation_fraction=0.3)
    fitted = make_net(make, **params).fit(RAW, y, weight)
    train, _ = rows
    z = standardize_manually(RAW, weight, train)
    targets = standardize_targets_manually(make, y, weight, train)
    plain = make_net(make, standardize=False, **params).fit(z, targets, weight)
    assert_close(fitted, plain)
    np.testing.assert_allclose(
        fitted.validation_scores_, plain.validation_scores_, rtol=1e-9
    )


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@ignore_convergence_warning
def test_each_target_has_its_own_scale(solver):
    y = np.column_stack([UNITS, 1e-3 * X[:, 2], np.full(90, 7.0)])
    params = dict(solver=solver, max_iter=40)
    fitted = make_net(BackpropRegressor, **params).fit(RAW, y)
    scaler = StandardScaler().fit(y)
    plain = make_net(BackpropRegressor, standardize=False, **params)
    plain.fit(standardize_manually(RAW), scaler.transform(y))
    assert_close(fitted, plain, rtol=1e-7)
    expected = scaler.inverse_transform(plain.predict(standardize_manually(RAW)))
    np.testing.assert_allclose(fitted.predict(RAW), expected, rtol=1e-7)


@pytest.mark.parametrize("output_activation", ["sigmoid", "tanh"])
@ignore_convergence_warning
def test_targets_of_bounded_outputs_are_not_scaled(output_activation):
    y = np.abs(np.tanh(NUMBERS))
    params = dict(output_activation=output_activation)
    fitted = make_net(BackpropRegressor, **params).fit(RAW, y)
    plain = make_net(BackpropRegressor, standardize=False, **params)
    plain.fit(standardize_manually(RAW), y)
    assert_close(fitted, plain)
    np.testing.assert_allclose(
        fitted.predict(RAW), plain.predict(standardize_manually(RAW))
    )


# Activations whose zero is special, and so whose targets are not centered.
DIVIDED = ["relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "exp"]


@WEIGHTS
@pytest.mark.parametrize("output_activation", DIVIDED)
@ignore_convergence_warning
def test_targets_are_divided_by_root_mean_square(output_activation, weight):
    y = np.column_stack([np.exp(NUMBERS / 2), 1e4 + UNITS, np.zeros(90)])
    params = dict(output_activation=output_activation)
    fitted = make_net(BackpropRegressor, **params).fit(RAW, y, weight)
    scale = np.sqrt(np.average(y**2, axis=0, weights=weight))
    scale[2] = 1.0  # zeros define no scale
    plain = make_net(BackpropRegressor, standardize=False, **params)
    z = standardize_manually(RAW, weight)
    assert_close(fitted, plain.fit(z, y / scale, weight))
    np.testing.assert_allclose(fitted.predict(RAW), scale * plain.predict(z), rtol=1e-9)


# The losses with identity outputs. The losses of probabilities have no units.
@pytest.mark.parametrize("loss", sorted(set(losses_for("regression")) - {"poisson"}))
@WEIGHTS
@pytest.mark.parametrize(("factor", "shift"), [(1e4, 3e5), (1e-3, -1.0)])
@ignore_convergence_warning
def test_predictions_have_units_of_targets(loss, weight, factor, shift):
    net = make_net(BackpropRegressor, loss=loss, quantile=0.8)
    expected = factor * net.fit(RAW, NUMBERS, weight).predict(RAW) + shift
    curve = net.loss_curve_
    y = factor * NUMBERS + shift
    predicted = net.fit(RAW, y, weight).predict(RAW)
    np.testing.assert_allclose(predicted, expected, rtol=1e-8, atol=1e-8 * factor)
    np.testing.assert_allclose(net.loss_curve_, curve, rtol=1e-8)


def test_quantile_predictions_have_units_of_target():
    net = make_net(BackpropRegressor, loss="quantile", quantile=(0.1, 0.5, 0.9))
    expected = 1e4 * net.fit(RAW, NUMBERS).predict(RAW) - 5e4
    predicted = net.fit(RAW, 1e4 * NUMBERS - 5e4).predict(RAW)
    np.testing.assert_allclose(predicted, expected, rtol=1e-8)


# ------------------------------------------------------------- extreme values


@BOTH_ESTIMATORS
def test_nearly_constant_feature_is_clipped(make):
    raw = RAW.copy()
    raw[:, 3] = 1.0 + 1e-9 * X[:, 3]
    net = make_net(make).fit(raw, TARGETS[make])
    outputs = net.predict if make is BackpropRegressor else net.predict_proba
    plain = make_net(make, standardize=False)
    plain.fit(
        standardize_manually(raw), standardize_targets_manually(make, TARGETS[make])
    )
    z = standardize_manually(raw)
    z[:, 3] = 10.0 * np.abs(z[:, 3]).max()
    expected = plain.predict(z) if make is BackpropRegressor else plain.predict_proba(z)
    if make is BackpropRegressor:
        expected = UNITS.mean() + UNITS.std() * expected
    for extreme in (2.0, 1e6, 1e307):
        raw[:, 3] = extreme
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
def test_inputs_whose_variance_overflows_raise(make, y, kind):
    raw = with_column(TOO_LARGE[kind])
    words = ("X contains", "too large to be standardized", "standardize=False")
    error_of(lambda: make_net(make).fit(raw, y), *words)
    fitted = make_net(make).fit(X, y)
    before = fitted.predict(X)
    error_of(lambda: fitted.partial_fit(raw, y), *words)
    np.testing.assert_array_equal(fitted.predict(X), before)


@pytest.mark.parametrize("kind", TOO_LARGE)
def test_targets_whose_variance_overflows_raise(kind):
    net = make_net(BackpropRegressor)
    words = ("y contains", "too large to be standardized", "standardize=False")
    error_of(lambda: net.fit(X, TOO_LARGE[kind]), *words)


# -------------------------------------------------------- range of linear inputs


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shift", [0.0, 5000.0])
def test_network_without_hidden_layers_is_linear(shift, dtype):
    x = np.exp(1.5 * X) * [1.0, 300.0, 1e-3, 1.0] + shift
    y = 2.0 + x @ [3.0, -0.01, 1e3, 0.5] + 0.1 * NUMBERS
    net = BackpropRegressor((), solver="lbfgs", alpha=0.0, tol=1e-9, max_iter=2000)
    net.set_params(dtype=dtype, random_state=0).fit(x, y)
    far = x.mean(axis=0) + 9.0 * (x - x.mean(axis=0))
    design = np.column_stack([np.ones(90), x])
    solution = np.linalg.lstsq(design, y)[0]
    for rows in (x, far):
        expected = np.column_stack([np.ones(90), rows]) @ solution
        rtol = 2e-3 if dtype == "float32" else 1e-4
        # Rounding errors of float32 are proportional to the predictions.
        atol = rtol * np.ptp(expected) + np.finfo(dtype).eps * np.abs(expected).max()
        np.testing.assert_allclose(net.predict(rows), expected, rtol=0.0, atol=atol)


def transform(rows, inputs):
    """Return the inputs of the network for some rows."""
    out = np.empty(rows.shape)
    return make_first_layer(rows, inputs, out.dtype).read(rows, out)


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_inputs_are_clipped_beyond_ten_times_the_range(kind):
    net = make_net(BackpropRegressor, activation="identity").fit(kind(RAW), UNITS)
    inputs = net._state.network.inputs
    center = RAW.mean(axis=0) if kind is np.asarray else np.zeros(4)
    largest = np.abs(RAW - center).max(axis=0)
    for j in range(3):
        steps = center + np.outer(
            [0.0, 1.0, 5.0, 9.9, 10.1, 100.0, 1e300], np.eye(4)[j]
        )
        steps[:, j] = center[j] + (steps[:, j] - center[j]) * largest[j]
        x = transform(kind(steps), inputs)
        x = (x.toarray() if sp.issparse(x) else x)[:, j]
        np.testing.assert_allclose(x[1:4], x[1] * np.array([1.0, 5.0, 9.9]), rtol=1e-9)
        np.testing.assert_allclose(x[4:], 10.0 * x[1], rtol=1e-9)


def test_long_tailed_inputs_keep_a_linear_effect():
    x = np.random.default_rng(0).lognormal(sigma=1.5, size=(3000, 3))
    y = x @ [1.0, -2.0, 0.5]
    net = BackpropRegressor((), solver="lbfgs", random_state=0).fit(x[:2000], y[:2000])
    assert net.score(x[2000:], y[2000:]) > 0.999


@BOTH_ESTIMATORS
def test_sparse_feature_with_large_mean_stays_small(make):
    raw = RAW.copy()
    raw[:, 3] = 1e6 + X[:, 3]
    net = make_net(make).fit(sp.csr_array(raw), TARGETS[make])
    x = transform(sp.csr_array(raw), net._state.network.inputs)
    np.testing.assert_allclose(np.mean(x.toarray() ** 2, axis=0), 1.0, rtol=1e-9)


# ------------------------------------------------------------------------ weights


@ignore_convergence_warning
@BOTH_ESTIMATORS
def test_integer_weights_equal_repeated_rows(make):
    times = WEIGHT.astype(int)
    net = make_net(make, solver="lbfgs", max_iter=10)
    weighted = net.fit(RAW, TARGETS[make], WEIGHT)
    rows = np.repeat(np.arange(90), times)
    repeated = clone(net).fit(RAW[rows], TARGETS[make][rows])
    assert_close(weighted, repeated, rtol=1e-8)
    np.testing.assert_allclose(weighted.predict(RAW), repeated.predict(RAW), rtol=1e-8)


@ignore_convergence_warning
@BOTH_ESTIMATORS
def test_zero_weight_rows_are_ignored(make):
    y = TARGETS[make]
    extreme = np.vstack([RAW, 1e6 + 1e9 * X[:7]])
    labels = np.concatenate([y, y[:7] * (1 if make is BackpropClassifier else 1e6)])
    weight = np.append(WEIGHT, np.zeros(7))
    net = make_net(make, solver="lbfgs", max_iter=10)
    fitted = net.fit(extreme, labels, weight)
    removed = clone(net).fit(RAW[WEIGHT > 0], y[WEIGHT > 0], WEIGHT[WEIGHT > 0])
    assert_close(fitted, removed, rtol=1e-8)
    np.testing.assert_allclose(fitted.predict(RAW), removed.predict(RAW), rtol=1e-8)


@pytest.mark.parametrize("factor", [1e-6, 1e6])
@BOTH_ESTIMATORS
def test_scale_of_sample_weights_has_no_effect(make, factor):
    # Without the penalty, which is divided by the sum of the sample weights.
    net = make_net(make, solver="sgd", alpha=0.0)
    fitted = net.fit(RAW, TARGETS[make], factor * WEIGHT)
    assert_close(fitted, clone(net).fit(RAW, TARGETS[make], WEIGHT))
    predicted = clone(net).fit(RAW, TARGETS[make], WEIGHT).predict(RAW)
    np.testing.assert_allclose(fitted.predict(RAW), predicted, rtol=1e-9)


# ------------------------------------------------------------------------- chunks

CHUNKS = [slice(0, 10), slice(10, 11), slice(11, 60), slice(60, 90)]


def fit_in_chunks(make, raw, weight=None, **params):
    net = make_net(make, **{"batch_size": "auto", **params})
    kwargs = {"classes": [0, 1, 2]} if make is BackpropClassifier else {}
    for rows in CHUNKS:
        some = None if weight is None else weight[rows]
        net.partial_fit(raw[rows], TARGETS[make][rows], some, **kwargs)
    return net


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
@WEIGHTS
@BOTH_ESTIMATORS
def test_partial_fit_scales_by_all_chunks(make, weight, kind):
    net = fit_in_chunks(make, kind(RAW), weight)
    sparse = kind is sp.csr_array
    scaler = StandardScaler(with_mean=not sparse).fit(kind(RAW), sample_weight=weight)
    ranges, rows = (
        net._reader.scalers.ranges,
        slice(None) if weight is None else WEIGHT > 0,
    )
    np.testing.assert_array_equal(
        ranges.low, np.minimum(RAW[rows].min(axis=0), np.inf if not sparse else 0)
    )
    np.testing.assert_array_equal(ranges.high, RAW[rows].max(axis=0))
    inputs, targets = net._reader.scalers.inputs, net._reader.scalers.targets
    np.testing.assert_allclose(inputs.mean, scaler.mean_, rtol=1e-12)
    np.testing.assert_allclose(inputs.standard_deviation, scaler.scale_, rtol=1e-10)
    if make is BackpropClassifier:
        assert targets is None
        return
    scaler = StandardScaler().fit(UNITS[:, np.newaxis], sample_weight=weight)
    np.testing.assert_allclose(targets.mean, scaler.mean_, rtol=1e-12)
    np.testing.assert_allclose(targets.standard_deviation, scaler.scale_, rtol=1e-12)


@WEIGHTS
@pytest.mark.parametrize("loss", ["squared_error", "huber", "quantile"])
@ignore_convergence_warning
def test_partial_fits_equal_one_fit_up_to_rounding(loss, weight):
    params = dict(loss=loss, n_iter_no_change=99)
    at_once = make_net(BackpropRegressor, max_iter=6, **params).fit(RAW, UNITS, weight)
    in_chunks = make_net(BackpropRegressor, **params)
    for _ in range(6):
        in_chunks.partial_fit(RAW, UNITS, weight)
    assert_close(in_chunks, at_once, rtol=1e-10)
    np.testing.assert_allclose(in_chunks.predict(RAW), at_once.predict(RAW), rtol=1e-10)


@pytest.mark.parametrize("method", ["partial_fit", "fit"])
@pytest.mark.parametrize("n_targets", [1, 3])
@ignore_convergence_warning
def test_change_of_target_scale_keeps_predictions(n_targets, method):
    y = UNITS[:, np.newaxis] * np.arange(1, n_targets + 1)
    y = y.ravel() if n_targets == 1 else y
    net = make_net(BackpropRegressor, warm_start=True).fit(RAW, y)
    before, scale = net.predict(RAW), net._reader.scalers.targets.standard_deviation
    # The steps are too short to change any parameter.
    net.set_params(learning_rate_init=1e-200, n_iter_no_change=1)
    getattr(net, method)(RAW, 1000.0 * y + 5.0)
    assert (net._reader.scalers.targets.standard_deviation > 100 * scale).all()
    np.testing.assert_allclose(net.predict(RAW), before, rtol=1e-10)


@ignore_convergence_warning
def test_lbfgs_warm_start_keeps_predictions_after_change_of_target_scale():
    net = make_net(BackpropRegressor, solver="lbfgs", warm_start=True, tol=1e-3)
    before = net.fit(RAW, UNITS).predict(RAW)
    net.set_params(tol=1e9).fit(RAW, 2.0 * UNITS)
    np.testing.assert_allclose(net.predict(RAW), before, rtol=1e-10)


@BOTH_ESTIMATORS
def test_dense_chunks_after_sparse_chunks_are_not_centered(make):
    nets = []
    for kind in (np.asarray, sp.csr_array):
        net = fit_in_chunks(make, sp.csr_array(RAW))
        nets.append(net.partial_fit(kind(2.0 * RAW), TARGETS[make]))
        for other in (np.asarray, sp.csr_array):
            np.testing.assert_allclose(
                net.predict(other(RAW)), nets[0].predict(RAW), rtol=1e-9
            )
    assert_close(*nets)
    assert not nets[0]._state.network.inputs.centers


@BOTH_ESTIMATORS
def test_sparse_chunks_after_dense_chunks_are_centered(make):
    nets = []
    for kind in (np.asarray, sp.csr_array):
        net = fit_in_chunks(make, RAW)
        nets.append(net.partial_fit(kind(2.0 * RAW), TARGETS[make]))
        for other in (np.asarray, sp.csr_array):
            np.testing.assert_allclose(
                net.predict(other(RAW)), nets[0].predict(RAW), rtol=1e-9
            )
    assert_close(*nets)
    assert nets[0]._state.network.inputs.centers


def test_scaler_reads_wide_sparse_input_in_one_pass(monkeypatch):
    # The cost of each pass is proportional to the number of columns.
    passes, fit = [], ColumnMoments.fit

    def recorded_fit(X, weight):
        passes.append(X.shape)
        return fit(X, weight)

    monkeypatch.setattr(ColumnMoments, "fit", recorded_fit)
    raw = sp.csr_array((np.ones(90), np.arange(90), np.arange(91)), (90, 20_000))
    net = BackpropClassifier((1,), **SHORT_TRAINING, solver="sgd", momentum=0.0)
    net.set_params(max_iter=1, n_iter_no_change=1, dtype="float32")
    net.partial_fit(raw, CODES, classes=[0, 1, 2])
    assert len(passes) == 1


@pytest.mark.parametrize("has_missing", [False, True])
def test_weight_sum_of_complete_columns_is_exact(has_missing):
    rng = np.random.default_rng(0)
    for n_rows in range(2, 60):
        rows, weight = rng.normal(size=(n_rows, 3)), rng.integers(1, 9, n_rows) + 0.25
        if has_missing:
            rows[0, 0] = np.nan
        weight_sum = ColumnMoments.fit(rows, weight).weight_sum
        np.testing.assert_array_equal(weight_sum[1:], weight.sum())
        known = weight[1:] if has_missing else weight
        np.testing.assert_allclose(weight_sum[0], known.sum(), rtol=1e-14)


@pytest.mark.parametrize("index", [np.int32, np.int64])
@BOTH_ESTIMATORS
def test_partial_fit_keeps_dtype_of_sparse_indices(make, index):
    raw = sp.csr_array(RAW)
    raw.indices, raw.indptr = raw.indices.astype(index), raw.indptr.astype(index)
    net = fit_in_chunks(make, raw)
    assert raw[:10].indices.dtype == index
    assert_same_network(net, fit_in_chunks(make, sp.csr_array(RAW)))


# ------------------------------------------------- memory, pickling, scikit-learn


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@BOTH_ESTIMATORS
@ignore_convergence_warning
def test_input_arrays_are_not_modified(make, dtype):
    arrays = [RAW.astype(dtype), TARGETS[make].astype(dtype), WEIGHT.astype(dtype)]
    copies = [array.copy() for array in arrays]
    for array in arrays:
        array.setflags(write=False)
    for params in ({}, {"solver": "lbfgs", "tol": 1e9}, {"shuffle": False}):
        for early_stopping in (False, True):
            net = make_net(make, early_stopping=early_stopping, **params)
            net.fit(*arrays).predict(arrays[0])
    for array, before in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize(("early_stopping", "weighted"), [(False, True), (True, False)])
@ignore_convergence_warning
def test_large_array_is_not_copied(tmp_path, early_stopping, weighted):
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


@BOTH_ESTIMATORS
def test_scalers_are_pickled_but_not_cloned(make):
    net = make_net(make).fit(RAW, TARGETS[make])
    loaded = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(loaded.predict(RAW), net.predict(RAW))
    for fitted in (loaded, net):
        fitted.partial_fit(2.0 * RAW, TARGETS[make])
    assert_same_network(loaded, net)
    other = clone(net).fit(3.0 * RAW, TARGETS[make])
    assert_close(other, make_net(make).fit(RAW, TARGETS[make]), rtol=1e-8)


@pytest.mark.filterwarnings("ignore:Got `batch_size` less than 1")
@BOTH_ESTIMATORS
@ignore_convergence_warning
def test_grid_search_over_standardize(make):
    grid = GridSearchCV(make_net(make), {"standardize": [False, True]}, cv=3)
    grid.fit(RAW, TARGETS[make])
    assert grid.best_params_ == {"standardize": True}
    assert_same_network(grid.best_estimator_, make_net(make).fit(RAW, TARGETS[make]))


@pytest.mark.parametrize(
    ("make", "load"),
    [
        (BackpropClassifier, load_wine),
        (BackpropClassifier, load_breast_cancer),
        (BackpropRegressor, load_diabetes),
    ],
)
@ignore_convergence_warning
def test_unscaled_datasets_score_like_pipeline_with_scaler(make, load):
    raw, y = load(return_X_y=True)
    net = make(random_state=0)
    scores = cross_val_score(net, raw, y, cv=3)
    plain = make_pipeline(StandardScaler(), clone(net).set_params(standardize=False))
    pipeline_scores = cross_val_score(plain, raw, y, cv=3)
    assert scores.mean() > pipeline_scores.mean() - 0.01
