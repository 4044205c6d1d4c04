"""Summaries of partitions, merged and compared with the whole dataset."""

import operator
from functools import reduce

import numpy as np
import pandas as pd
import pytest
from example_counts import examples
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

pytest.importorskip("distributed")

from partitioned_data import (
    COUNTS,
    FRAME,
    GROUPINGS,
    LABELS,
    N_ROWS,
    NAMES,
    NUMBERS,
    SEVERAL,
    SMALL,
    THREE,
    TWO,
    WEIGHT,
    X,
    bounds,
    cuts,
    partitions,
)
from shards_in_process import InProcessShards, fit_in_process, replace_shards
from single_process import assert_same, fit_plain
from small_fits import ignore_convergence_warning
from small_inputs import encode_batch, learn_columns

from skbackprop import BackpropClassifier
from skbackprop._data import bin_edges
from skbackprop._data.columns import NumericColumns
from skbackprop._estimators.fit_kind import FitKind
from skbackprop._estimators.training_data import read_summary
from skbackprop.dask import DaskBackpropRegressor
from skbackprop.dask.partition_summary import PartitionSummary

pytestmark = ignore_convergence_warning  # a few epochs are sufficient


def summarize_partitions(
    frame,
    sizes,
    choice="from_dtype",
    y=THREE,
    has_labels=True,
    weight=None,
    n_bins=None,
):
    """Return the summary of each partition, and their sum."""
    take = frame.iloc if isinstance(frame, pd.DataFrame) else frame
    parts = [
        PartitionSummary.from_partition(
            take[rows],
            y[rows],
            None if weight is None else weight[rows],
            choice,
            has_labels,
            n_bins,
            partition_id,
        )
        for partition_id, rows in enumerate(bounds(sizes))
        if rows.stop > rows.start
    ]
    return parts, reduce(operator.add, parts)


def columns_of_summary(summary, choice="from_dtype"):
    """Return the columns of a summary, and the estimator that they are read for."""
    net = BackpropClassifier(categorical_features=choice)
    reader, _ = read_summary(net, FitKind.FRESH, summary)
    return reader.columns, net


def assert_same_columns(summary, frame, choice="from_dtype"):
    """Assert that a summary gives the same columns as the whole DataFrame."""
    columns, net = columns_of_summary(summary, choice)
    expected, inputs = learn_columns(frame, choice)
    assert type(columns) is type(expected)
    np.testing.assert_array_equal(columns.is_categorical, expected.is_categorical)
    read = columns.read(frame, net)
    encoded = encode_batch(inputs)
    np.testing.assert_allclose(encode_batch(read), encoded, rtol=1e-12)
    assert summary.dtype == inputs.dtype == read.dtype


@examples(25)
@given(cuts, st.randoms())
def test_summary_gives_columns_of_all_rows_in_any_order(sizes, random):
    parts, summary = summarize_partitions(FRAME, sizes)
    assert_same_columns(summary, FRAME)
    np.testing.assert_array_equal(summary.targets, np.unique(THREE))
    random.shuffle(parts)
    assert_same_columns(reduce(operator.add, parts), FRAME)


def test_different_categories_are_merged():
    # If Dask does not know the categories, each partition lists only its own.
    rows = bounds((20, 30, 20))
    parts = [
        FRAME.iloc[r].assign(kind=lambda f: f["kind"].astype(object)) for r in rows
    ]
    parts = [part.astype({"kind": "category"}) for part in parts]
    parts[0]["kind"] = pd.Categorical([None] * 20)
    parts[1]["kind"] = pd.Categorical(["low"] * 29 + ["zero"])
    summaries = [PartitionSummary.from_partition(p, THREE[r], None, "from_dtype", True)
                for p, r in zip(parts, rows)]  # fmt: skip
    whole = pd.concat(parts).astype({"kind": "category"})
    assert_same_columns(reduce(operator.add, summaries), whole)
    assert_same_columns(reduce(operator.add, summaries[::-1]), whole)


def test_category_order_is_kept_if_equal_in_all_partitions():
    ordered = pd.CategoricalDtype(["mid", "low", "high", "unmet"])
    frame = FRAME.astype({"kind": ordered})
    _, summary = summarize_partitions(frame, (30, 40))
    assert_same_columns(summary, frame)
    assert summary.categories[0].tolist() == ["mid", "low", "high", "unmet"]
    # A partition with only missing values does not change the order.
    nothing = frame[:9].assign(kind=pd.Categorical([None] * 9))
    none = PartitionSummary.from_partition(nothing, THREE[:9], None, "from_dtype", True)
    for both in (summary + none, none + summary):
        assert both.categories[0].tolist() == ["mid", "low", "high", "unmet"]


def test_categorical_columns_must_match():
    changed = FRAME.assign(kind=np.arange(N_ROWS) % 3)
    one = PartitionSummary.from_partition(
        FRAME[:30], THREE[:30], None, "from_dtype", True
    )
    with pytest.raises(ValueError, match="different categorical columns"):
        one + PartitionSummary.from_partition(
            changed[30:], THREE[30:], None, "from_dtype", True
        )


def test_category_types_must_match():
    one = PartitionSummary.from_partition(FRAME[:30], THREE[:30], None, ["kind"], True)
    changed = FRAME.assign(kind=pd.Categorical(np.arange(N_ROWS) % 3))
    other = PartitionSummary.from_partition(
        changed[30:], THREE[30:], None, ["kind"], True
    )
    with pytest.raises(
        ValueError, match="categories of different types in the same column"
    ):
        one + other


@pytest.mark.parametrize("choice", [["kind"], [1, 5], ["kind", "flag", "count"]])
def test_categorical_features_selects_columns(choice):
    frame = FRAME.assign(kind=NAMES.astype(object))
    frame.loc[::9, "kind"] = None
    _, summary = summarize_partitions(frame, (1, 9, 30, 30), choice)
    assert_same_columns(summary, frame, choice)


@pytest.mark.parametrize("dtype", [object, float])
def test_categorical_features_of_arrays(dtype):
    table = np.column_stack([X[:, 0], COUNTS, X[:, 1]]).astype(dtype)
    if dtype is object:
        table[:, 1] = NAMES
        table[::7, 1] = None
        table[::5, 0] = np.nan
    _, summary = summarize_partitions(table, (20, 15, 35), [1])
    assert_same_columns(summary, table, [1])


def test_numeric_arrays_are_not_encoded():
    columns, net = columns_of_summary(summarize_partitions(X, (20, 50))[1])
    assert isinstance(columns, NumericColumns)
    assert columns.read(X, net) is X
    assert net.n_features_in_ == 5
    assert not hasattr(net, "feature_names_in_")


@pytest.mark.parametrize("dtype", ["float32", "Float32"])
def test_float32_dataframe_is_preserved(dtype):
    frame = FRAME[["a", "b"]].astype(dtype)
    _, summary = summarize_partitions(frame, (20, 50))
    assert summary.dtype == np.float32
    columns, net = columns_of_summary(summary)
    _, expected = learn_columns(frame)
    np.testing.assert_allclose(columns.read(frame, net), expected, rtol=1e-6)
    mixed = frame.assign(kind=FRAME["kind"])
    assert summarize_partitions(mixed, (20, 50))[1].dtype == np.float32
    assert (
        summarize_partitions(mixed.astype({"a": float}), (20, 50))[1].dtype
        == np.float64
    )


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "boolean"])
def test_missing_values_of_pandas_extension_dtypes(dtype):
    values = pd.array([1, None, 0, 1, None, 1, 0] * 10, dtype)
    frame = FRAME[["a"]].assign(own=values)
    assert_same_columns(summarize_partitions(frame, (1, 2, 60, 7))[1], frame)


def test_dataframe_with_only_categorical_columns():
    frame = FRAME[["kind"]]
    assert_same_columns(summarize_partitions(frame, (20, 50))[1], frame)


def test_column_may_be_missing_entirely():
    frame = FRAME[["a", "never"]].assign(
        late=np.where(np.arange(N_ROWS) < 30, np.nan, 1)
    )
    assert_same_columns(summarize_partitions(frame, (30, 40))[1], frame)


def test_feature_names_are_set():
    _, net = columns_of_summary(summarize_partitions(FRAME, (20, 50))[1])
    assert net.feature_names_in_.tolist() == list(FRAME.columns)
    assert net.n_features_in_ == 6


@pytest.mark.parametrize("y", [THREE, NAMES, NAMES.astype(object), TWO * 2.0])
def test_partitions_may_lack_classes(y):
    order = np.argsort(y, kind="stable")
    _, summary = summarize_partitions(X, (10, 20, 40), y=y[order])
    np.testing.assert_array_equal(summary.targets, np.unique(y))
    plain = BackpropClassifier((2,), max_iter=1).fit(X, y)
    assert summary.targets.dtype == plain.classes_.dtype


def test_summary_stores_minimum_and_maximum_target():
    _, summary = summarize_partitions(X, (10, 20, 40), y=SEVERAL, has_labels=False)
    np.testing.assert_array_equal(summary.targets, [SEVERAL.min(0), SEVERAL.max(0)])
    _, summary = summarize_partitions(X, (10, 20, 40), y=LABELS)
    np.testing.assert_array_equal(summary.targets, [[0, 0, 0], [1, 1, 1]])


def test_numbers_of_features_must_match():
    one = PartitionSummary.from_partition(X, THREE, None, "from_dtype", True)
    other = PartitionSummary.from_partition(X[:, :3], THREE, None, "from_dtype", True)
    with pytest.raises(ValueError, match="same number of features, got 5 and 3"):
        one + other


@pytest.mark.parametrize("sparse", [(csr_array(X), THREE), (X, csr_array(LABELS))])
def test_sparse_partitions_raise(sparse):
    with pytest.raises(TypeError, match=r"Sparse data was passed for .* partitions"):
        PartitionSummary.from_partition(*sparse, None, "from_dtype", True)


def edges_of_summary(summary, n_bins):
    bins = summary.make_columns(n_bins).bins
    return bins.features, bins.low, bins.high


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
@examples(15)
@given(cuts, st.randoms(), st.integers(2, 9))
def test_bins_equal_bins_of_all_rows(weight, sizes, random, n_bins):
    options = {"weight": weight, "n_bins": n_bins}
    parts, summary = summarize_partitions(FRAME, sizes, **options)
    net = BackpropClassifier((2,), n_bins=n_bins, max_iter=1)
    expected = net.fit(FRAME, THREE, sample_weight=weight)._reader.columns.bins
    assert len(expected) > 0
    random.shuffle(parts)
    for merged in (summary, reduce(operator.add, parts)):
        features, low, high = edges_of_summary(merged, n_bins)
        np.testing.assert_array_equal(features, expected.features)
        np.testing.assert_array_equal(low, expected.low)
        np.testing.assert_array_equal(high, expected.high)


def test_samples_are_bounded(monkeypatch):
    monkeypatch.setattr(bin_edges, "MAX_ROWS", 25)
    parts, summary = summarize_partitions(FRAME, (30, 4, 36), n_bins=4)
    assert [len(part.sample.rows) for part in (*parts, summary)] == [25, 4, 25, 25]
    again = summarize_partitions(FRAME, (30, 4, 36), n_bins=4)[1]
    for one, other in zip(edges_of_summary(summary, 4), edges_of_summary(again, 4)):
        np.testing.assert_array_equal(one, other)


def test_no_rows_are_sampled_without_bins():
    _, summary = summarize_partitions(FRAME, (30, 40))
    assert summary.sample.rows.size == 0
    assert len(summary.make_columns(None).bins) == 0


def test_network_with_bins_equals_single_process():
    parts = partitions(FRAME, THREE, WEIGHT)
    net = fit_in_process(BackpropClassifier, parts, n_bins=5)
    assert net.coefs_[0].shape[0] > 20
    assert_same(
        fit_plain(BackpropClassifier, FRAME, THREE, WEIGHT, n_bins=5), net, rtol=1e-9
    )


def test_warm_start_keeps_bins():
    net = DaskBackpropRegressor(**{**SMALL, "n_bins": 5, "warm_start": True})
    for rows in (X, 3.0 * X):
        shards = InProcessShards(partitions(rows, NUMBERS), GROUPINGS[1])
        with replace_shards(shards):
            net.fit(None, None)
    expected = learn_columns(X, n_bins=5)[0].bins
    bins = net.to_local()._reader.columns.bins
    np.testing.assert_array_equal(bins.low, expected.low)
    np.testing.assert_array_equal(bins.high, expected.high)
    net.set_params(n_bins=6)
    with replace_shards(shards), pytest.raises(ValueError, match="n_bins has changed"):
        net.fit(None, None)


def test_dataframe_equals_single_process():
    parts = partitions(FRAME, THREE)
    net = fit_in_process(BackpropClassifier, parts)
    assert_same(fit_plain(BackpropClassifier, FRAME, THREE), net, rtol=1e-9)
    assert net.feature_names_in_.tolist() == list(FRAME.columns)
    local = net.to_local()
    assert local.predict(FRAME).shape == (N_ROWS,)
