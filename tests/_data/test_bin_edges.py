"""Bin edges: quantiles, weights, missing values and samples of many rows."""

import operator
from functools import reduce

import numpy as np
import pytest
from example_counts import examples
from hypothesis import given
from hypothesis import strategies as st
from small_inputs import expected_edges

from skbackprop._data import bin_edges
from skbackprop._data.bin_edges import RowSample, draw_rows, find_edges

numbers = st.integers(-50, 50).map(lambda i: i / 8)
columns = st.lists(numbers, min_size=1, max_size=60).map(np.array)
bin_counts = st.integers(2, 12)


def edges_of(X, weight=None, n_bins=4):
    rows, _ = draw_rows(len(X), weight, seed=0)
    return find_edges(X, weight, rows, n_bins)


def assert_same_edges(one, other):
    for mine, theirs in zip(one, other, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.fixture
def few_rows(monkeypatch):
    """Limit samples to 500 rows."""
    monkeypatch.setattr(bin_edges, "MAX_ROWS", 500)


def test_quantiles_of_known_numbers():
    x = np.arange(1.0, 101.0)[::-1, np.newaxis]
    (edges,) = edges_of(x)
    assert edges.tolist() == [1.0, 25.0, 50.0, 75.0, 100.0]
    assert edges.dtype == np.float64


def test_few_distinct_values_are_the_edges():
    x = np.array([3.0, 1.0, 1.0, 1.0, 1.0, 1.0, 7.0, 2.0, 1.0, 8.0])[:, np.newaxis]
    assert edges_of(x)[0].tolist() == [1.0, 2.0, 3.0, 7.0, 8.0]
    assert edges_of(x, n_bins=3)[0].tolist() == [1.0, 2.0, 8.0]
    assert edges_of(x, n_bins=9)[0].tolist() == [1.0, 2.0, 3.0, 7.0, 8.0]


def test_missing_constant_and_binary_columns():
    X = np.array([[np.nan, 5.0, 0.0, 1.0], [np.nan, 5.0, 1.0, np.nan]] * 4)
    assert [e.tolist() for e in edges_of(X)] == [[], [5.0], [0.0, 1.0], [1.0]]


@examples(200)
@given(columns, bin_counts)
def test_edges_are_inverses_of_the_distribution_function(x, n_bins):
    with_missing = np.append(x, [np.nan, np.nan])[:, np.newaxis]
    (edges,) = edges_of(with_missing, n_bins=n_bins)
    np.testing.assert_array_equal(edges, expected_edges(x, n_bins))
    assert (np.diff(edges) > 0.0).all()
    assert (edges[0], edges[-1]) == (x.min(), x.max())


@examples(200)
@given(columns, bin_counts, st.data())
def test_integer_weights_equal_repetitions(x, n_bins, data):
    counts = np.array(
        data.draw(st.lists(st.integers(-1, 4), min_size=len(x), max_size=len(x)))
    )
    factor = data.draw(st.sampled_from([1.0, 2.0**-1000, 2.0**900]))
    weighted = edges_of(x[:, np.newaxis], factor * counts, n_bins)
    repeated = np.repeat(x, np.maximum(counts, 0))[:, np.newaxis]
    assert_same_edges(weighted, edges_of(repeated, n_bins=n_bins))


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float16", "float32"])
def test_dtypes_and_many_columns(dtype):
    rng = np.random.default_rng(0)
    X = np.abs(rng.normal(scale=30.0, size=(200, 19))).clip(0, 120).astype(dtype)
    for order in "CF":
        edges = edges_of(np.array(X, order=order), n_bins=5)
        expected = [expected_edges(x.astype(float), 5) for x in X.T]
        assert_same_edges(edges, expected)


@pytest.mark.parametrize("kind", ["sorted", "periodic", "random"])
@pytest.mark.usefixtures("few_rows")
def test_many_rows_are_sampled_without_bias(kind):
    n = 40_000
    x = {
        "sorted": np.arange(n),
        # Rows at equal distances would all have the same value.
        "periodic": np.arange(n) * (n // 80) % n,
        "random": np.random.default_rng(1).permutation(n),
    }[kind]
    x = x[:, np.newaxis] / n
    rows, keys = draw_rows(n, None, seed=0)
    assert len(rows) == len(keys) == 500
    assert (np.diff(rows) > 0).all()
    (edges,) = edges_of(x)
    # The standard deviation of a quantile is at most 0.022.
    np.testing.assert_allclose(edges, [0.0, 0.25, 0.5, 0.75, 1.0], atol=0.08)
    assert_same_edges([edges], edges_of(x))


@pytest.mark.usefixtures("few_rows")
def test_rows_without_weight_are_not_drawn():
    weight = np.zeros(40_000)
    weight[::100] = 1.0
    weight[1::100] = -1.0
    rows, _ = draw_rows(40_000, weight, seed=0)
    np.testing.assert_array_equal(rows, np.arange(0, 40_000, 100))


@examples(30)
@given(st.lists(st.integers(1, 900), min_size=1, max_size=6), st.randoms())
def test_merged_samples_are_bounded_and_do_not_depend_on_the_order(sizes, random):
    before, bin_edges.MAX_ROWS = bin_edges.MAX_ROWS, 500
    try:
        rng = np.random.default_rng(sum(sizes))
        data = [
            (rng.normal(size=(n, 2)), rng.integers(0, 3, n).astype(float))
            for n in sizes
        ]
        parts = [RowSample.draw(*part, seed) for seed, part in enumerate(data)]
        whole = reduce(operator.add, parts)
        n_positive = sum((weight > 0.0).sum() for _, weight in data)
        assert len(whole.rows) == len(whole.weight) == min(500, n_positive)
        assert (whole.weight > 0.0).all()
        if n_positive <= 500:
            X, weight = (np.concatenate(arrays) for arrays in zip(*data))
            assert_same_edges(whole.find_edges(7), edges_of(X, weight, 7))
        random.shuffle(parts)
        other = reduce(operator.add, parts)
        assert_same_edges(whole.find_edges(7), other.find_edges(7))
    finally:
        bin_edges.MAX_ROWS = before


@pytest.mark.usefixtures("few_rows")
def test_merged_sample_represents_each_partition_by_its_rows():
    sizes = [300, 20_000, 1000, 8700]
    parts = [
        RowSample.draw(np.full((n, 1), float(i)), np.ones(n), seed=i)
        for i, n in enumerate(sizes)
    ]
    found = np.bincount(reduce(operator.add, parts).rows[:, 0].astype(int))
    expected = np.array(sizes) / 60.0
    assert (np.abs(found - expected) <= 4.0 * np.sqrt(expected)).all()
