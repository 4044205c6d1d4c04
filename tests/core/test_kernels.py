"""Compiled kernels: agreement with NumPy, accuracy, and checks of their arguments."""

import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.special import expit, ndtr
from sklearn.base import clone
from small_fits import ignore_convergence_warning
from small_networks import assert_same_network

from skbackprop import BackpropRegressor
from skbackprop.core import kernels
from skbackprop.core.activations import (
    ACTIVATIONS,
    OUTPUT_ACTIVATIONS,
    Activation,
    CumulativeSoftplus,
    ReLU,
)
from skbackprop.core.inputs import IdentityTransform, Standardized
from skbackprop.core.kernels import (
    numpy_inputs,
    numpy_kernels,
    numpy_piecewise,
    numpy_statistics,
)
from skbackprop.core.kernels.variants import find_variants
from skbackprop.core.losses import LOSSES, Quantile, SquaredError
from skbackprop.core.optimizers import OPTIMIZERS, SGD

VARIANTS = find_variants()
DTYPES = ("float32", "float64")
N_ROWS, N_UNITS = 37, 11  # neither is a multiple of the length of a vector

VARIANT = pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
DTYPE = pytest.mark.parametrize("dtype", DTYPES)

#: Number of values from which a kernel releases the lock; see `loops.h`.
LARGE = 16384

#: Tolerance between kernel and NumPy, in units of the last place of the largest term.
FEW_ULP = 16


def ulp(values):
    """Return the distance of numbers to the next number of their dtype."""
    largest = np.finfo(values.dtype).max / 2  # the next number is finite
    return np.spacing(np.minimum(np.abs(values), largest))


def assert_few_ulp(actual, expected, terms=None, n_ulp=FEW_ULP):
    """Compare results whose rounding errors scale with the largest of their terms."""
    assert actual.dtype == expected.dtype
    terms = expected if terms is None else terms
    scale = np.maximum(np.abs(expected), np.abs(terms)).astype(actual.dtype)
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(actual[~finite], expected[~finite])
    errors = np.abs(actual[finite].astype(float) - expected[finite])
    n_ulp_found = errors / ulp(scale[finite])
    assert n_ulp_found.size == 0 or n_ulp_found.max() <= n_ulp, n_ulp_found.max()


def draw(shape, dtype, seed=0, scale=2.0):
    """Return normally distributed numbers, with zeros and large numbers among them."""
    values = np.random.default_rng(seed).normal(scale=scale, size=shape)
    flat = values.reshape(-1)
    flat[::7] *= 20.0
    flat[::11] = 0.0
    return values.astype(dtype)


def special_values(dtype):
    info = np.finfo(dtype)
    positive = [0.0, info.smallest_subnormal, info.tiny, info.eps, 1.0, 88.0, 745.0]
    positive += [float(info.max), np.inf]
    return np.array([*positive, *np.negative(positive), np.nan], dtype)


# --------------------------------------------------------------------- activations


def both_activation_kernels(variant, f, n_rows, dtype):
    compiled = variant.ActivationKernel(f.compiled_kernel, kernels.kernel_parameter(f))
    return compiled, numpy_kernels.ActivationKernel(f, n_rows, np.dtype(dtype))


#: Activations of the output layer that combine the outputs of a row.
ROW_WISE = ("softmax", "increasing")


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        *((name, "hidden") for name in (*ACTIVATIONS, "exp")),
        *((name, "dropout") for name in ACTIVATIONS),
        *((name, "output") for name in OUTPUT_ACTIVATIONS),
        *((name, "one_unit") for name in OUTPUT_ACTIVATIONS),
    ],
)
@DTYPE
@VARIANT
def test_activation_kernels_match_numpy(variant, dtype, name, layer):
    f = OUTPUT_ACTIVATIONS[name]()
    shape = (N_ROWS, 1 if layer == "one_unit" else N_UNITS)
    order = "C" if layer in ("hidden", "dropout") else "F"
    mask = None
    if layer == "dropout":
        mask = np.where(draw(shape, dtype, seed=3) > 0, 2.0, 0.0).astype(dtype)
    start, b = draw(shape, dtype), draw(shape[1], dtype, seed=1)
    if name in ("exp", "softmax"):
        start, b = start / 8, b / 8
    error = draw(shape, dtype, seed=2)
    results = []
    for kernel in both_activation_kernels(variant, f, N_ROWS, dtype):
        z, delta, db = start.copy(), np.array(error, order=order), np.empty_like(b)
        in_place = layer == "hidden" and not f.needs_z
        a = z if in_place else np.empty(shape, dtype, order=order)
        kernel.forward(z, b, a)
        forward = a.copy(), z.copy()
        kernel.backward(delta, a, z, db, np.empty_like(delta), mask)
        results.append((*forward, delta, db))
    (a, z, delta, db), (a_np, z_np, delta_np, db_np) = results
    # In the lower tail, the functions of SciPy have 12 correct digits, or 5 in float32.
    n_ulp = 5000 if name in ("gelu", "silu") else FEW_ULP
    # The outputs of the increasing activation are sums along a row.
    terms = (
        np.maximum.accumulate(np.abs(a_np), axis=1) if name == "increasing" else None
    )
    assert_few_ulp(a, a_np, terms, n_ulp)
    assert_few_ulp(z, z_np)
    error = 2 * error  # the largest factor of the mask
    largest = np.abs(error).max(axis=1, keepdims=True) * np.ones_like(delta_np)
    assert_few_ulp(delta, delta_np, N_UNITS * largest if name in ROW_WISE else error)
    assert_few_ulp(db, db_np, N_ROWS * np.abs(error).max(axis=0))


def sigmoid(z):
    if z.dtype != np.longdouble:
        return expit(z)
    e = np.exp(-np.abs(z))
    return np.where(z < 0, e, 1) / (1 + e)


REFERENCES = {
    "exp": np.exp,
    "elu": lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "softplus": lambda z: np.logaddexp(z, 0),
    "relu": lambda z: np.maximum(z, 0),
    "silu": lambda z: z * sigmoid(z),
}


def all_binades(dtype):
    """Return random numbers of every exponent and both signs, and special values."""
    rng, info = np.random.default_rng(5), np.finfo(dtype)
    exponents = np.arange(info.minexp - info.nmant, info.maxexp)
    significands = rng.uniform(1, 2, (20, exponents.size)) * rng.choice(
        [-1, 1], (20, 1)
    )
    numbers = np.ldexp(significands, exponents).astype(dtype).ravel()
    common = rng.normal(scale=20, size=4000).astype(dtype)
    tails = rng.uniform(-760, 720, 4000).astype(dtype)
    return np.concatenate([numbers, common, tails, special_values(dtype)])


@pytest.mark.parametrize("name", REFERENCES)
@DTYPE
@VARIANT
def test_elementary_functions_over_their_whole_range(variant, dtype, name):
    z = all_binades(dtype)[:, np.newaxis]
    a = np.empty_like(z)
    f = OUTPUT_ACTIVATIONS[name]()
    # Adding -0 changes no number, not even the sign of 0.
    variant.ActivationKernel(f.compiled_kernel).forward(
        z.copy(), np.array([-0.0], dtype), a
    )
    # The reference is computed with more digits if there are any.
    wide = np.float64 if dtype == "float32" else np.longdouble
    has_digits = np.finfo(wide).eps < np.finfo(dtype).eps / 100
    with np.errstate(all="ignore"):
        exact = REFERENCES[name](z.astype(wide))
        expected = exact.astype(dtype)
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(a[~finite], expected[~finite])
    errors = np.abs(a[finite] - exact[finite]) / ulp(expected[finite])
    if name == "silu":  # subnormal values of the sigmoid have few digits
        errors /= np.maximum(np.abs(z[finite]), 2.0)
    assert errors.max() <= (2.0 if has_digits else 4.0)
    nonzero = finite & (expected != 0.0)
    np.testing.assert_array_equal(np.signbit(a[nonzero]), np.signbit(expected[nonzero]))


@DTYPE
@VARIANT
def test_normal_distribution_over_its_whole_range(variant, dtype):
    z = all_binades(dtype)[:, np.newaxis]
    a = np.empty_like(z)
    gelu = variant.ActivationKernel("gelu")
    gelu.forward(z.copy(), np.array([-0.0], dtype), a)
    with np.errstate(all="ignore"):
        exact = z * ndtr(z.astype(float))
        expected = exact.astype(dtype)
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(a[~finite], expected[~finite])
    # In the lower tail, the function of SciPy has about 12 correct digits.
    np.testing.assert_array_equal(a[finite & (z < -40.0)], 0.0)
    # SciPy returns 0 where the probability is subnormal in float64.
    compared = finite & ((z > -37.0) | (dtype == "float32"))
    actual, exact, expected = a[compared], exact[compared], expected[compared]
    tolerance = np.maximum(4 * ulp(expected), 1e-12 * np.abs(expected))
    # Subnormal probabilities of float32 have few digits.
    tolerance += 40 * np.finfo(dtype).smallest_subnormal
    assert (np.abs(actual - exact) <= tolerance).all()


@DTYPE
@VARIANT
def test_logarithm_over_its_whole_range(variant, dtype):
    kernel = variant.LossKernel("log_loss", True, 0.0, 1)
    one = np.ones((1, 1), dtype)
    values = np.abs(all_binades(dtype))
    values = values[(values >= np.finfo(dtype).tiny) & (values < np.inf)]
    log = [-kernel.sum(one, np.full((1, 1), v), one, None) for v in values]
    wide = np.float64 if dtype == "float32" else np.longdouble
    exact = np.log(values.astype(wide))
    spacing = np.spacing(np.abs(exact).astype(dtype))
    assert np.max(np.abs(np.array(log) - exact) / spacing) <= 2.0
    for value, expected in [(np.inf, -np.inf), (np.nan, np.nan), (0.0, None)]:
        computed = kernel.sum(one, np.full((1, 1), value, dtype), one, None)
        if expected is None:  # as for the smallest normal number
            expected = -math.log(np.finfo(dtype).tiny)
        np.testing.assert_allclose(computed, expected, rtol=1e-6)


@pytest.mark.parametrize("position", [0, 3, N_UNITS - 1])
@pytest.mark.parametrize("name", OUTPUT_ACTIVATIONS)
@DTYPE
@VARIANT
def test_nan_stays_nan(variant, dtype, name, position):
    f = OUTPUT_ACTIVATIONS[name]()
    z = draw((N_ROWS, N_UNITS), dtype)
    if name in ("exp", "softmax"):
        z /= 8
    z[5, position] = np.nan
    a = np.empty_like(z, order="F")
    kernel, _ = both_activation_kernels(variant, f, N_ROWS, dtype)
    kernel.forward(z, np.zeros(N_UNITS, dtype), a)
    assert np.isnan(a[5, position])
    rows = np.arange(N_ROWS) != 5
    assert np.isfinite(a[rows]).all()


# -------------------------------------------------------------------------- losses


def make_targets(name, shape, rng):
    if name in ("log_loss", "binary_log_loss"):
        return (rng.random(shape) < 0.4).astype(float)
    y = rng.normal(size=shape)
    return np.abs(y).round(1) if name == "poisson" else y.round(1)


@pytest.mark.parametrize("is_canonical", [False, True])
@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("name", LOSSES)
@DTYPE
@VARIANT
def test_loss_kernels_match_numpy(variant, dtype, name, is_weighted, is_canonical):
    loss, rng = LOSSES[name](), np.random.default_rng(3)
    shape = (300, 3)  # more rows than are added at once
    y = np.asfortranarray(make_targets(name, (2 * shape[0], 3), rng).astype(dtype))
    y = y[: shape[0]]  # the columns are contiguous, but not the matrix
    z = rng.normal(size=shape).astype(dtype)
    a = np.asfortranarray(expit(z) if "log" in name else np.abs(z))
    if name in ("log_loss", "poisson"):
        a[3, 0] = 0.0
    elif name != "binary_log_loss":
        a[3, 0] = y[3, 0]
    weight = rng.uniform(0.0, 3.0, shape[0]).astype(dtype) if is_weighted else None
    compiled = variant.LossKernel(name, is_canonical, kernels.kernel_parameter(loss), 3)
    reference = numpy_kernels.LossKernel(loss, is_canonical)
    results = []
    for kernel in (compiled, reference):
        scratch, delta = np.empty_like(a), np.full_like(a, np.nan)
        db = np.empty(3, dtype)
        with np.errstate(divide="ignore", over="ignore"):
            total = kernel.sum(y, a, z.copy(), weight, scratch)
            kernel.error(y, a, weight, 0.3, delta, db, scratch)
        results.append((total, delta, db))
    (total, delta, db), (expected_total, expected_delta, expected_db) = results
    rtol = 50 * np.finfo(dtype).eps
    np.testing.assert_allclose(total, expected_total, rtol=rtol)
    assert_few_ulp(delta, expected_delta, np.maximum(np.abs(a), np.abs(y)))
    finite = np.isfinite(expected_db)
    with np.errstate(over="ignore"):
        largest = shape[0] * np.abs(expected_delta[:, finite]).max(axis=0)
    assert_few_ulp(db[finite], expected_db[finite], largest)


@DTYPE
@VARIANT
def test_quantile_kernel_has_one_quantile_per_output(variant, dtype):
    loss, rng = Quantile((0.1, 0.5, 0.8)), np.random.default_rng(4)
    y, a = (np.asfortranarray(rng.normal(size=(40, 3)), dtype) for _ in range(2))
    z, scratch = np.ascontiguousarray(a), np.empty_like(a)
    kernel = variant.LossKernel("quantile", False, kernels.kernel_parameter(loss), 3)
    expected = loss.total(y, a, z, scratch, None)
    np.testing.assert_allclose(kernel.sum(y, a, z, None), expected, rtol=1e-5)
    delta, db, gradient = np.empty_like(a), np.empty(3, dtype), np.empty_like(a)
    kernel.error(y, a, None, 1.0, delta, db)
    loss.gradient(y, a, gradient)
    assert_few_ulp(delta, gradient)


# ---------------------------------------------------------------------- optimizers


@pytest.mark.parametrize("clip_norm", [math.inf, 0.5, 1e6])
@pytest.mark.parametrize("l2", [0.0, 0.03])
@pytest.mark.parametrize("l1", [0.0, 0.02])
@pytest.mark.parametrize("decay", [1.0, 0.97])
@pytest.mark.parametrize(
    "optimizer",
    [*(cls() for cls in OPTIMIZERS.values()), SGD(0.0), SGD(0.9, False)],
    ids=repr,
)
@DTYPE
@VARIANT
def test_optimizer_kernels_match_numpy(
    variant, dtype, optimizer, decay, l1, l2, clip_norm
):
    n, n_weights, rng = 2500, 2401, np.random.default_rng(6)
    start = rng.normal(size=n).astype(dtype)
    start[::13] = 0.0  # the sign of zero is zero
    gradients = rng.normal(size=(5, n)).astype(dtype)
    gradients[:, ::5] = 0.0
    results = []
    for implementation in (variant, numpy_kernels):
        params, gradient = start.copy(), np.empty_like(start)
        slots = np.zeros((optimizer.slots, n), dtype)
        kernel = implementation.OptimizerKernel(
            optimizer, params, gradient, slots, n_weights
        )
        penalties = []
        for t, values in enumerate(gradients, start=1):
            gradient[...] = values
            penalties.append(kernel.update(0.01, t, l2, l1, decay, clip_norm))
        results.append((params, slots, penalties))
    (params, slots, penalties), (np_params, np_slots, np_penalties) = results
    assert_few_ulp(params, np_params, np.ones_like(params))
    largest = np.abs(np_slots).max(axis=1, keepdims=True) * np.ones_like(np_slots)
    # The norm of the gradient is a sum of many squares.
    n_ulp = 16 * FEW_ULP if clip_norm < 1 else FEW_ULP
    assert_few_ulp(slots, np_slots, largest, n_ulp)
    rtol = 20 * np.finfo(dtype).eps
    np.testing.assert_allclose(penalties, np_penalties, rtol=rtol)
    assert all(p > 0 for p in penalties) == bool(l1 or l2)


@VARIANT
def test_clipping_of_gradients_whose_squares_overflow(variant):
    gradient = np.array([3e30, -4e30], np.float32)
    params = np.zeros(2, np.float32)
    kernel = variant.OptimizerKernel(SGD(0.0), params, gradient, np.empty((0, 2)), 2)
    kernel.update(1.0, 1, 0.0, 0.0, 1.0, 10.0)
    np.testing.assert_allclose(params, [-6.0, 8.0], rtol=1e-6)


# -------------------------------------------------------------------------- inputs

INPUT_DTYPES = "float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool"


def make_transform(kind, n_columns, rng):
    if kind == "identity":
        return IdentityTransform()
    center = rng.normal(scale=3, size=n_columns) if kind == "centered" else None
    scale = rng.uniform(0.5, 20.0, n_columns)
    return Standardized(center, scale, rng.uniform(0.3, 5.0, n_columns))


@pytest.mark.parametrize("has_missing", [False, True])
@pytest.mark.parametrize("selection", ["all", "some"])
@pytest.mark.parametrize("kind", ["identity", "centered", "scaled"])
@pytest.mark.parametrize("input_dtype", INPUT_DTYPES.split())
@DTYPE
@VARIANT
def test_input_kernels_match_numpy(
    monkeypatch, variant, dtype, input_dtype, kind, selection, has_missing
):
    rng = np.random.default_rng(7)
    X = rng.normal(scale=40, size=(30, 9)).round(2).clip(-120, 120)
    X = (X if np.dtype(input_dtype).kind in "fi" else np.abs(X)).astype(input_dtype)
    is_float = X.dtype.kind == "f"
    if has_missing and is_float:
        X[rng.random(X.shape) < 0.2] = np.nan
    missing = rng.normal(size=9).astype(dtype) if has_missing else None
    transform = make_transform(kind, 9, rng)
    rows = rng.permutation(30)[:17] if selection == "some" else None
    results = []
    for compiled in (variant, None):
        monkeypatch.setattr(kernels, "compiled", compiled)
        kernel = kernels.input_kernel(X, transform, np.dtype(dtype), missing)
        # The output is a part of the columns of a buffer.
        buffer = np.full((30 if rows is None else 17, 12), -77.0, dtype)
        kernel.read(X, rows, buffer[:, 2:11])
        assert (buffer[:, [0, 1, 11]] == -77.0).all()
        results.append(buffer[:, 2:11])
    center = (
        np.zeros(9)
        if getattr(transform, "center", None) is None
        else (transform.center)
    )
    terms = np.nan_to_num(np.abs(results[1]))
    if kind != "identity":
        terms = np.maximum(terms, np.abs(center * transform.factor))
    assert_few_ulp(*results, terms.astype(dtype))


@VARIANT
def test_large_integers_keep_their_differences(monkeypatch, variant):
    monkeypatch.setattr(kernels, "compiled", variant)
    X = np.array([[2**40], [2**40 + 3]])
    transform = Standardized(np.array([2.0**40]), np.array([2.0]), np.array([9.0]))
    out = np.empty((2, 1), np.float32)
    kernels.input_kernel(X, transform, np.dtype("float32")).read(X, None, out)
    np.testing.assert_array_equal(out, [[0.0], [1.5]])


def piecewise_vectors(dtype):
    """Return the vectors of components of four features, in any order."""
    rng = np.random.default_rng(9)
    features = np.array([0, 0, 0, 3, 3, 1, 1, 1, 1, 1, 3], np.int32)
    low, factor = rng.normal(size=(2, 11)).astype(dtype)
    factor[4:6] = 1e30, 1e-30
    minimum = np.where(np.arange(11) % 3, 0.0, -10.0).astype(dtype)
    return features, low, np.abs(factor), minimum, minimum + 1


@pytest.mark.parametrize("n_rows", [1, 5, 3000])  # many rows release the lock
@DTYPE
@VARIANT
def test_piecewise_kernels_give_the_same_values(variant, dtype, n_rows):
    rng, vectors = np.random.default_rng(10), piecewise_vectors(dtype)
    buffers = np.full((2, n_rows, 17), -77.0, dtype)
    buffers[:, :, :4] = rng.normal(scale=5, size=(n_rows, 4))
    buffers[:, 0, :4] = -1e30, 1e30, 0.0, np.finfo(dtype).max
    for implementation, buffer in zip((variant, numpy_piecewise), buffers):
        kernel = implementation.PiecewiseKernel(4, *vectors)
        kernel.write(buffer[:, :4], buffer[:, 5:16])
    assert (buffers[:, :, [4, 16]] == -77.0).all()
    assert (buffers[:, :, 5:16] >= -10.0).all()
    np.testing.assert_array_equal(*buffers)


@VARIANT
def test_piecewise_kernel_refuses_wrong_arrays(variant):
    features, low, *others = piecewise_vectors("float64")
    kernel = variant.PiecewiseKernel(4, features, low, *others)
    z, out = np.zeros((5, 4)), np.zeros((5, 11))
    for arguments in [
        (z[:4], out),
        (z[:, :3], out),
        (z, out[:, :10]),
        (z.astype("f4"), out),
        (z, out.astype("f4")),
        (z[:, ::-1], out),
        (z, out[:, ::-1]),
    ]:
        with pytest.raises(ValueError, match=r"shape|number|contiguous"):
            kernel.write(*arguments)
    with pytest.raises(IndexError, match="Feature 3 is not below 3"):
        variant.PiecewiseKernel(3, features, low, *others)
    for wrong in [
        (features.astype(np.int64), low),
        (features, low[:10]),
        (features, low.astype("f4")),
    ]:
        with pytest.raises(ValueError, match="one value of the right dtype"):
            variant.PiecewiseKernel(4, *wrong, *others)
    with pytest.raises(TypeError, match="float32 and float64"):
        variant.PiecewiseKernel(4, features, low.astype(int), *others)


@DTYPE
@VARIANT
def test_kernels_of_categories_and_targets_match_numpy(variant, dtype):
    rng = np.random.default_rng(8)
    X = rng.normal(size=(20, 4))
    X[rng.random(X.shape) < 0.4] = np.nan
    codes = np.stack([rng.integers(-1, n, 20, np.int32) for n in (3, 5)], axis=1)
    first_levels = np.array([0, 3], np.int32)
    classes = rng.integers(0, 6, 20)
    table = np.asfortranarray(rng.normal(size=(20, 2)), dtype)
    small_table = np.asfortranarray(rng.normal(size=(6, 2)), dtype)
    for rows in (None, rng.permutation(20)[:7]):
        n_rows = 20 if rows is None else 7
        calls = {
            "write_indicators": ((X, rows, np.array([3, 1])), 2),
            "write_one_hot": ((codes, rows, first_levels), 8),
            "write_one_hot_targets": ((classes, rows), 6),
            "write_targets": ((small_table, classes, rows), 2),
        }
        for name, (arguments, n_columns) in calls.items():
            actual, expected = (
                np.full(
                    (n_rows, n_columns),
                    -7.0,
                    dtype,
                    order="F" if "targets" in name else "C",
                )
                for _ in range(2)
            )
            getattr(variant, name)(*arguments, actual)
            getattr(numpy_inputs, name)(*arguments, expected)
            np.testing.assert_array_equal(actual, expected)
    y = np.empty((7, 2), dtype, order="F")
    variant.write_targets(table, None, rows, y)
    np.testing.assert_array_equal(y, table[rows])


@pytest.mark.parametrize("index_dtype", [np.int32, np.int64])
@DTYPE
@VARIANT
def test_sparse_kernels_match_scipy(variant, dtype, index_dtype):
    rng = np.random.default_rng(9)
    x = csr_array(
        rng.normal(size=(30, 50)).astype(dtype) * (rng.random((30, 50)) < 0.1)
    )
    x.indices, x.indptr = x.indices.astype(index_dtype), x.indptr.astype(index_dtype)
    x = x[10:]  # without the first values
    W, delta = rng.normal(size=(50, 7)).astype(dtype), rng.normal(size=(20, 7))
    out, gradient = np.ones((20, 7), dtype), np.ones((50, 7), dtype)
    variant.add_sparse_product(x, W, out)
    assert_few_ulp(out, 1 + x.toarray() @ W, np.full_like(out, 10.0))
    for order in "CF":
        gradient[...] = 1.0
        variant.add_sparse_transposed_product(
            x, np.array(delta, dtype, order=order), gradient
        )
        expected = 1 + x.toarray().T @ delta.astype(dtype)
        assert_few_ulp(gradient, expected, np.full_like(expected, 10.0))


@VARIANT
def test_sparse_kernels_refuse_invalid_matrices(variant):
    values, out, W = np.ones(3), np.zeros((2, 4)), np.ones((5, 4))
    columns, start = np.array([0, 4, 1], np.int32), np.array([0, 2, 3], np.int32)
    product = variant.add_csr_product
    product(values, columns, start, W, out)
    for arguments in [
        (values, columns + 1, start, W, out),
        (values, columns - 1, start, W, out),
        (values, columns, start + 1, W, out),
        (values, columns, start[::-1].copy(), W, out),
        (values, columns, start, W, np.zeros((3, 4))),
        (values, columns, start, W, np.zeros((2, 3))),
        (values, columns, start, W, np.zeros((2, 4), np.float32)),
    ]:
        with pytest.raises((ValueError, IndexError, TypeError)):
            product(*arguments)


@DTYPE
@VARIANT
def test_column_norms_match_numpy(variant, dtype):
    rng = np.random.default_rng(10)
    W = rng.normal(size=(40, 150)).astype(dtype) * np.linspace(0.1, 2, 150, dtype=dtype)
    W[:, 3] *= 1e30 if dtype == "float32" else 1e140
    W[:, 4] = 0.0
    expected = W.copy()
    variant.limit_column_norms(W, 5.0)
    with np.errstate(over="ignore"):
        numpy_kernels.limit_column_norms(
            expected, 5.0, np.empty_like(W), np.empty(150, dtype)
        )
    assert_few_ulp(W, expected)
    largest = np.linalg.norm(W.astype(float), axis=0).max()
    np.testing.assert_allclose(largest, 5.0, rtol=1e-5)


# The last size is larger than one block of `dropout.h`.
@pytest.mark.parametrize("n_rows", [N_ROWS, 2**20 // N_UNITS + 5])
@pytest.mark.parametrize("rate", [0.01, 0.5, 0.9])
@DTYPE
@VARIANT
def test_dropout_masks_equal_those_of_numpy(variant, dtype, rate, n_rows):
    a, key = draw((n_rows, N_UNITS), dtype), 0xFEDCBA9876543210
    results = []
    for implementation in (variant, numpy_kernels):
        mask, out = np.empty_like(a), np.empty_like(a)
        # The mask was made for a larger batch.
        layer = implementation.DropoutMask(1 - rate, 2 * n_rows, N_UNITS)
        layer.apply(a, key, mask, out)
        results.append((mask, out))
    np.testing.assert_array_equal(results[0], results[1])
    assert 0 < (results[0][0] == 0).sum() < a.size


# ---------------------------------------------------------------------- statistics


def rows_for_statistics(dtype, n_rows, has_missing):
    """Return rows with a constant column, zeros, and missing values if possible."""
    rng = np.random.default_rng(12)
    X = rng.normal(scale=40, size=(n_rows, N_UNITS)).round(2).clip(-120, 120)
    X = (X if np.dtype(dtype).kind in "fi" else np.abs(X)).astype(dtype)
    X[rng.random(X.shape) < 0.2] = 0
    X[:, 1] = 1
    if has_missing and X.dtype.kind == "f":
        X[rng.random(X.shape) < 0.3] = np.nan
        X[:, 2] = np.nan
        X[: n_rows - 1, 3] = np.nan
    return X, rng.integers(0, 4, n_rows) + 0.5


@pytest.mark.parametrize("has_missing", [False, True])
@pytest.mark.parametrize("n_rows", [1, 3, 4, 30])
@pytest.mark.parametrize("input_dtype", INPUT_DTYPES.split())
@VARIANT
def test_moments_of_columns_match_numpy(variant, input_dtype, n_rows, has_missing):
    X, weight = rows_for_statistics(input_dtype, n_rows, has_missing)
    before = X.copy()
    p = weight / weight.sum()
    mean, var, n_known, weight_sum = variant.column_moments(X, p)
    expected = numpy_statistics.column_moments(X.astype(float), p)
    largest = np.abs(np.nan_to_num(X.astype(float))).max(axis=0)
    assert_few_ulp(mean, expected[0], largest)
    assert_few_ulp(var, expected[1], np.square(2 * largest))
    np.testing.assert_array_equal(n_known, expected[2])
    assert_few_ulp(weight_sum, expected[3])
    np.testing.assert_array_equal(X, before)


@VARIANT
def test_moments_of_constant_columns_are_exact(variant):
    X = np.full((50, N_UNITS), 1e9 + 0.1)
    X[::3, ::2] = np.nan
    p = np.random.default_rng(0).dirichlet(np.ones(50))
    mean, var, *_ = variant.column_moments(X, p)
    np.testing.assert_array_equal(mean, 1e9 + 0.1)
    np.testing.assert_array_equal(var, 0.0)


@VARIANT
def test_moments_that_overflow_are_not_finite(variant):
    for largest in (1e200, 1.7e308):
        X = np.full((5, 2), 1.0)
        X[::2, 1] = -largest
        mean, var, *_ = variant.column_moments(X, np.full(5, 0.2))
        assert np.isfinite([mean[0], var[0]]).all()
        assert not np.isfinite([mean[1], var[1]]).all()


@pytest.mark.parametrize("has_missing", [False, True])
@pytest.mark.parametrize("n_rows", [1, 3, 4, 30])
@pytest.mark.parametrize("input_dtype", INPUT_DTYPES.split())
@VARIANT
def test_ranges_of_columns_match_numpy(variant, input_dtype, n_rows, has_missing):
    X, weight = rows_for_statistics(input_dtype, n_rows, has_missing)
    actual = variant.column_ranges(X, weight)
    expected = numpy_statistics.column_ranges(X.astype(float), weight)
    np.testing.assert_array_equal(actual, expected)


@VARIANT
def test_statistics_refuse_wrong_arrays(variant):
    X, p = np.ones((6, 3)), np.ones(6)
    wrong = [(X, p[:5]), (X, p.astype("f4")), (X[:, ::2], p), (X.astype("f2"), p)]
    for function in (variant.column_moments, variant.column_ranges):
        for arguments in wrong:
            with pytest.raises((ValueError, TypeError)):
                function(*arguments)
    for array in (X.astype(int), X[:, ::2], X.astype(">f8")):
        with pytest.raises((ValueError, TypeError)):
            variant.all_finite(array)


@pytest.mark.parametrize("compute", [kernels.column_moments, kernels.column_ranges])
@pytest.mark.parametrize("convert", [np.asfortranarray, np.float16, np.longdouble])
def test_statistics_of_other_arrays_equal_those_of_float64(compute, convert):
    X, weight = rows_for_statistics("float64", 30, has_missing=True)
    X = X.round()
    p = weight / weight.sum()
    np.testing.assert_array_equal(compute(convert(X), p), compute(X, p))


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("n_values", [1, 3, 64, 100])
@DTYPE
@VARIANT
def test_values_that_are_not_finite_are_found(variant, dtype, n_values, value):
    info = np.finfo(dtype)
    values = np.resize([info.max, -info.max, 0.0, info.tiny], n_values).astype(dtype)
    for all_finite in (variant.all_finite, numpy_statistics.all_finite):
        with np.errstate(over="ignore", invalid="ignore"):
            assert all_finite(values)
            assert all_finite(values[:0])
            for i in range(n_values):
                changed = values.copy()
                changed[i] = value
                assert not all_finite(changed)


@pytest.mark.parametrize("order", ["C", "F"])
def test_matrices_of_any_layout_are_checked_for_finite_values(order):
    values = np.ones((5, 6), order=order)
    assert kernels.all_finite(values)
    values[3, 2] = np.inf
    for matrix in (values, values[:, ::2], values.astype(">f8"), values.astype("f2")):
        assert not kernels.all_finite(matrix)
    assert kernels.all_finite(values[:, 1::2])


# ------------------------------------------------------------------------- threads


@ignore_convergence_warning
def test_concurrent_fits_equal_fits_one_after_the_other():
    # The batches are so large that the kernels release the global interpreter lock.
    rng = np.random.default_rng(11)
    X = rng.normal(size=(300, 120))
    assert LARGE < 150 * 120
    params = dict(batch_size=150, max_iter=8)
    networks = [
        BackpropRegressor(
            (120, 120), activation, solver=solver, random_state=i, dropout=0.1, **params
        )
        for i, (activation, solver) in enumerate(
            [("tanh", "adam"), ("relu", "sgd"), ("gelu", "rmsprop"), ("silu", "adamw")]
        )
    ]
    expected = [clone(network).fit(X, X[:, :3]) for network in networks]
    with ThreadPoolExecutor(4) as pool:
        fitted = list(pool.map(lambda network: network.fit(X, X[:, :3]), networks))
    for one, other in zip(fitted, expected, strict=True):
        assert_same_network(one, other)


# ------------------------------------------------------------- checks of arguments


def wrong_arrays():
    """Return calls with one wrong array each."""
    z, b, a = np.ones((4, 3)), np.ones(3), np.ones((4, 3), order="F")
    single, short = np.ones((4, 3), np.float32), np.ones((3, 3))
    strided, wide = np.ones((4, 6))[:, ::2], np.ones((4, 4))
    activation = {
        "dtype of b": (z, b.astype("f4"), a),
        "size of b": (z, np.ones(4), a),
        "dtype of out": (z, b, single),
        "shape of out": (z, b, short),
        "order of z": (a, b, z),
        "strided out": (z, b, strided),
        "integers": (z.astype(int), b.astype(int), a.astype(int)),
        "vector": (b, b, b),
    }
    rows = np.arange(4)
    inputs = {
        "row too large": (z, np.array([0, 4]), np.ones((2, 3))),
        "negative row": (z, np.array([-1, 0]), np.ones((2, 3))),
        "rows of int32": (z, rows.astype(np.int32), z),
        "strided rows": (z, np.zeros(8, np.intp)[::2], z),
        "swapped bytes": (z.astype(">f8"), None, z),
        "strided columns": (strided, None, z),
        "output too short": (z, rows, short),
        "output too wide": (z, rows, wide),
        "dtype of output": (z, rows, single),
        "complex": (z.astype(complex), rows, z),
        "half": (z.astype(np.float16), rows, z),
    }
    return [
        *(("activation", *item) for item in activation.items()),
        *(("inputs", *item) for item in inputs.items()),
    ]


@pytest.mark.parametrize(
    ("kind", "name", "arguments"),
    wrong_arrays(),
    ids=lambda v: v if type(v) is str else "",
)
@VARIANT
def test_kernels_refuse_wrong_arrays(variant, kind, name, arguments):
    if kind == "activation":
        call = variant.ActivationKernel("relu").forward
    else:
        call = variant.InputKernel(np.dtype("float64"), None, None, None, None, 3).read
    with pytest.raises((ValueError, TypeError, IndexError)):
        call(*arguments)


@VARIANT
def test_kernels_refuse_unknown_names_and_wrong_state(variant):
    with pytest.raises(ValueError, match="no kernel for the activation 'cube'"):
        variant.ActivationKernel("cube")
    with pytest.raises(ValueError, match="no kernel for the loss 'cube'"):
        variant.LossKernel("cube", True, 0.0, 1)
    params = np.ones(4)
    for slots, gradient, n_weights in [
        (np.ones((1, 4)), params, 4),
        (np.ones((2, 3)), params, 4),
        (np.ones((2, 4)), np.ones(3), 4),
        (np.ones((2, 4)), params.astype("f4"), 4),
        (np.ones((2, 4)), params, 5),
    ]:
        with pytest.raises(ValueError, match=r"number|layout"):
            variant.OptimizerKernel(
                OPTIMIZERS["adam"](), params, gradient, slots, n_weights
            )
    y = np.empty((2, 3), order="F")
    with pytest.raises(IndexError, match="not below 3"):
        variant.write_one_hot_targets(np.array([0, 3]), None, y)
    with pytest.raises(IndexError, match="table"):
        variant.write_targets(y, np.array([0, 2]), None, y)


# ------------------------------------------------------------- selection of kernels


class WrongReLU(ReLU):
    """Subclass with another function, which the compiled kernel does not compute."""

    def forward(self, z, out):
        np.multiply(z, 3.0, out=out)


class WrongSquaredError(SquaredError):
    def gradient(self, y, a, out):
        out.fill(5.0)


class UserActivation(Activation):
    """Activation of a user with attributes of the same names for other purposes."""

    compiled_kernel = "tanh"
    kernel_parameter = 7


def test_attributes_of_user_classes_do_not_name_a_kernel():
    assert kernels.kernel_name(UserActivation()) is None


@VARIANT
def test_variants_are_not_imported_before_the_processor_is_known(variant):
    code = (
        "from skbackprop.core.kernels import variants; import sys\n"
        "modules = [m for m in sys.modules if '._avx2' in m]\n"
        "for m in modules: del sys.modules[m]\n"
        "from skbackprop.core.kernels import _baseline\n"
        "class Old: supports_avx2 = staticmethod(lambda: False)\n"
        "sys.modules['skbackprop.core.kernels._baseline'] = Old\n"
        "assert list(variants.find_variants()) == ['baseline']\n"
        "print([m for m in sys.modules if '._avx2' in m])"
    )
    process = run_python(code, SKBACKPROP_KERNELS="numpy")
    assert process.stdout.strip() == "[]", process.stderr


@VARIANT
def test_unaligned_transforms_are_copied(variant, monkeypatch):
    monkeypatch.setattr(kernels, "compiled", variant)
    vectors = []
    for value in (1.0, 2.0, 3.0):
        memory = np.zeros(5 * 8 + 1, np.uint8)
        vector = memory[1:].view(np.float64)
        vector[...] = value
        assert not vector.flags.aligned
        vectors.append(vector)
    transform = Standardized(*vectors)
    transform.factor, transform.high = 1.0 / vectors[1], vectors[2]
    X, out = np.full((2, 5), 2.0), np.empty((2, 5))
    kernels.input_kernel(X, transform, out.dtype).read(X, None, out)
    np.testing.assert_array_equal(out, 0.5)


def test_subclasses_do_not_inherit_a_kernel():
    assert kernels.kernel_name(WrongReLU()) is None
    assert kernels.kernel_name(WrongSquaredError()) is None
    z = np.full((2, 3), 2.0)
    kernel = kernels.activation_kernel(WrongReLU(), 2, z.dtype)
    kernel.forward(z, np.ones(3), z)
    np.testing.assert_array_equal(z, np.full((2, 3), 9.0))


def test_every_built_in_part_names_a_kernel():
    parts = [
        *OUTPUT_ACTIVATIONS.values(),
        *LOSSES.values(),
        *OPTIMIZERS.values(),
    ]
    assert [part for part in parts if "compiled_kernel" not in vars(part)] == []


@VARIANT
def test_kernel_uses_the_parameter_of_the_instance(variant, monkeypatch):
    monkeypatch.setattr(kernels, "compiled", variant)
    f = CumulativeSoftplus()
    f.unit = 2.5
    z, a = np.zeros((3, 2)), np.empty((3, 2), order="F")
    kernels.activation_kernel(f, 3, z.dtype).forward(z, np.zeros(2), a)
    np.testing.assert_allclose(a, [[0.0, 2.5 * math.log(2)]] * 3, rtol=1e-14)


def run_python(code, **variables):
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


SHOW_ACTIVE = "from skbackprop.core import kernels; print(kernels.ACTIVE)"


@pytest.mark.parametrize("name", [*VARIANTS, "numpy"])
def test_environment_variable_selects_kernels(name):
    process = run_python(SHOW_ACTIVE, SKBACKPROP_KERNELS=name)
    assert process.stdout.strip() == name, process.stderr


def test_fastest_kernels_are_the_default():
    process = run_python(SHOW_ACTIVE, SKBACKPROP_KERNELS="")
    assert process.stdout.strip() == next(iter([*VARIANTS, "numpy"])), process.stderr


def test_unknown_value_of_environment_variable_is_an_error():
    process = run_python(SHOW_ACTIVE, SKBACKPROP_KERNELS="fast")
    assert process.returncode == 1
    message = process.stderr.splitlines()[-1]
    for part in ("SKBACKPROP_KERNELS is 'fast'", "'numpy'", "unset"):
        assert part in message


def test_missing_kernels_are_replaced_by_numpy():
    code = (
        "import sys; "
        "sys.modules.update({f'skbackprop.core.kernels._{n}': None for n in "
        f"('avx2', 'baseline')}}); {SHOW_ACTIVE}"
    )
    process = run_python(code, SKBACKPROP_KERNELS="")
    assert process.stdout.strip() == "numpy", process.stderr
