"""Bins and components of the piecewise-linear encoding."""

import numpy as np
import pytest
from example_counts import examples
from hypothesis import given
from hypothesis import strategies as st
from small_inputs import encode_column

from skbackprop.core.first_layer import make_first_layer
from skbackprop.core.inputs import IdentityTransform, Standardized
from skbackprop.core.mixed import Encoding, MixedRows
from skbackprop.core.piecewise import NO_BINS, Bins, Components

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
EDGES = [
    np.array([-1.0, 0.5, 2.0, 2.25]),
    np.array([3.0, 7.0]),  # a single bin, which is omitted
    np.array([-10.0, 0.0, 5.0]),
    np.empty(0),
]
#: The first component continues beyond its lower edge, and the last component beyond
#: its upper edge, at most 10 widths.
VALUES = np.array([-1e9, -13.0, -2.5, -1.0, -0.25, 0.5, 1.1, 2.0, 2.1, 2.25, 3.0, 1e9])
STANDARDIZED = Standardized(
    np.array([0.5, 1.0, -2.0, 0.0]), np.array([2.0, 3.0, 0.1, 1.0]), np.full(4, 1e12)
)
TRANSFORMS = pytest.mark.parametrize(
    "inputs", [IdentityTransform(), STANDARDIZED], ids=["identity", "standardized"]
)


def mixed_rows(X, bins, codes=None, n_levels=()):
    """Return rows without missing-value indicators."""
    codes = np.empty((len(X), 0), np.int32) if codes is None else codes
    return MixedRows(
        X, codes, Encoding(np.zeros(X.shape[1]), np.empty(0, int), n_levels, bins)
    )


def read(rows, inputs, dtype):
    """Return the first layer, and a batch with all rows."""
    layer = make_first_layer(rows, inputs, np.dtype(dtype))
    return layer, layer.read(rows, np.empty((len(rows), layer.n_dense), dtype))


def components_of(column, edges, inputs=None, dtype=np.float64):
    """Return the components of one column."""
    bins = Bins.from_edges([np.array(edges, float)])
    rows = mixed_rows(np.array(column)[:, np.newaxis], bins)
    _, batch = read(rows, inputs or IdentityTransform(), dtype)
    return batch[:, 1:]


def test_bins_of_features():
    bins = Bins.from_edges(EDGES)
    np.testing.assert_array_equal(bins.features, [0, 0, 0, 2, 2])
    np.testing.assert_array_equal(bins.low, [-1.0, 0.5, 2.0, -10.0, 0.0])
    np.testing.assert_array_equal(bins.high, [0.5, 2.0, 2.25, 0.0, 5.0])
    np.testing.assert_array_equal(bins.is_first, [True, False, False, True, False])
    np.testing.assert_array_equal(bins.is_last, [False, False, True, False, True])
    assert len(bins) == 5
    assert len(NO_BINS) == len(Bins.from_edges(EDGES[1::2])) == 0


@TRANSFORMS
@DTYPES
def test_components_match_the_equations(inputs, dtype):
    X = np.repeat(VALUES[:, np.newaxis], 4, axis=1)
    layer, batch = read(mixed_rows(X, Bins.from_edges(EDGES)), inputs, dtype)
    assert (layer.n_dense, layer.n_numeric, layer.n_continuous) == (9, 4, 9)
    expected = np.hstack([encode_column(VALUES, EDGES[j]) for j in (0, 2)])
    tolerance = 100 * np.finfo(dtype).eps
    np.testing.assert_allclose(batch[:, 4:], expected, rtol=tolerance, atol=tolerance)
    np.testing.assert_array_equal(
        batch[:, :4],
        inputs.with_dtype(X.dtype, dtype).dense(X, np.empty_like(batch[:, :4])),
    )


def test_components_of_three_edges():
    components = components_of([-30.0, -1.0, 0.0, 1.0, 2.0, 4.0, 6.0, 99.0], [0, 2, 6])
    expected = [
        [-10.0, 0.0],
        [-0.5, 0.0],
        [0.0, 0.0],
        [0.5, 0.0],
        [1.0, 0.0],
        [1.0, 0.5],
        [1.0, 1.0],
        [1.0, 10.0],
    ]
    np.testing.assert_array_equal(components, expected)


@pytest.mark.parametrize(
    "input_dtype", ["bool", "uint8", "int64", "float16", "float32", "float64"]
)
@pytest.mark.parametrize("order", ["C", "F"])
@DTYPES
def test_input_dtypes_and_orders(input_dtype, order, dtype):
    x = np.array([0, 1, 1, 0]) if input_dtype == "bool" else np.array([0, 3, 100, 60])
    X = np.array(np.stack([x, x[::-1]], axis=1), input_dtype, order=order)
    edges = (
        np.array([0.0, 0.25, 1.0]) if input_dtype == "bool" else np.array([0, 3, 100])
    )
    bins = Bins.from_edges([edges[:0], edges])
    _, batch = read(mixed_rows(X, bins), IdentityTransform(), dtype)
    np.testing.assert_allclose(batch[:, 2:], encode_column(x[::-1], edges), rtol=1e-6)


@DTYPES
def test_edges_are_rounded_like_the_data(dtype):
    # float32 represents only every 128th second of Unix timestamps.
    x = np.array([1.7e9, 1.7e9 + 128, 1.7e9 + 640, 1.7e9 + 1280])
    inputs = Standardized(np.array([1.7e9 + 300]), np.array([500.0]), np.array([1e3]))
    for input_dtype in (np.float32, np.float64):
        components = components_of(x.astype(input_dtype), x[[0, 1, 3]], inputs, dtype)
        np.testing.assert_allclose(
            components, [[0, 0], [1, 0], [1, 512 / 1152], [1, 1]], rtol=1e-5, atol=1e-5
        )


@pytest.mark.parametrize(
    "edges",
    [
        [0.0, 5e-324, 1e-320],
        [1.0, 1.0 + 2e-16, 1.0 + 5e-16],
        [1e30, 1e30 * (1 + 3e-16), 2e30],
        [-1.7e308, 1.7e308, 1.75e308],
        [-3.4e38, 0.0, 3.4e38],
    ],
    ids=str,
)
@DTYPES
def test_extreme_widths_give_finite_components(edges, dtype):
    if dtype == np.float32 and edges[-1] > 3.5e38:
        return  # fit raises an error
    columns = np.array([*edges, 0.0, -edges[-1], np.sqrt(edges[-1])])
    components = components_of(columns, edges, dtype=dtype)
    assert np.isfinite(components).all()
    assert components.min() >= -10.0
    assert components.max() <= 10.0
    middle = Components(
        Bins.from_edges([np.array(edges)]), IdentityTransform(), np.float64, dtype
    )
    assert np.isfinite(middle.factor).all()
    assert (middle.factor > 0.0).all()


def test_edges_beyond_the_bound_of_the_transform():
    # Held-out rows can have values outside the range of the scalers.
    inputs = Standardized(np.zeros(1), np.ones(1), np.array([20.0]))
    components = components_of([0.0, 1.0, 10.0, 1e3], [0.0, 1.0, 1e3], inputs)
    np.testing.assert_allclose(
        components, [[0, 0], [1, 0], [1, 9 / 19], [1, 1]], rtol=1e-12
    )


@examples(60)
@given(st.data(), st.booleans())
def test_chain_rule_equals_differences(data, is_split):
    numbers = st.floats(-20.0, 20.0).map(lambda v: round(v, 1))
    edges = [
        np.array(sorted(data.draw(st.sets(numbers, min_size=size, max_size=6))))
        for size in (3, 0, 0)
    ]
    bins = Bins.from_edges(edges)
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    # Neither the values nor the bounds are at an edge.
    X = rng.uniform(-60.0, 60.0, (30, 3)).round(1) + 0.05437
    codes = rng.integers(0, 300, (30, 1), np.int32) if is_split else None
    levels = (300,) if is_split else ()
    inputs = Standardized(np.ones(3), np.array([2.0, 0.5, 4.0]), np.full(3, 1e6))
    rows = mixed_rows(X, bins, codes, levels)
    layer, batch = read(rows, inputs, np.float64)
    W = rng.normal(size=layer.n_continuous)

    def outputs(step):
        _, moved = read(mixed_rows(X + step, bins, codes, levels), inputs, np.float64)
        dense = moved.dense if is_split else moved
        return dense[:, : layer.n_continuous] @ W

    gradients = layer.feature_gradients(batch, np.tile(W, (30, 1)))
    derivatives = inputs.derivative(layer.numeric_features(batch)) * gradients
    for j in range(3):
        step = np.where(np.arange(3) == j, 1e-6, 0.0)
        differences = (outputs(step) - outputs(-step)) / 2e-6
        np.testing.assert_allclose(derivatives[:, j], differences, rtol=1e-6, atol=1e-7)


@TRANSFORMS
@DTYPES
def test_derivative_at_an_edge_is_the_right_derivative(inputs, dtype):
    edges = EDGES[0]
    bins = Bins.from_edges([edges])
    X = np.repeat(edges[:, np.newaxis], 4, axis=1)
    layer, batch = read(mixed_rows(X, bins), inputs, dtype)
    gradients = layer.feature_gradients(batch, np.ones((4, 7), dtype))
    widths = np.append(np.diff(edges), edges[-1] - edges[-2])
    scale = 1.0 if inputs.is_identity else 2.0
    np.testing.assert_allclose(gradients[:, 0], 1.0 + scale / widths, rtol=1e-5)
    np.testing.assert_array_equal(gradients[:, 1:], 1.0)
