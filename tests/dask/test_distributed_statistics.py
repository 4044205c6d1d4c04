"""Statistics of samples on several shards, compared with one process."""

import copy
import operator
from functools import reduce

import numpy as np
import pytest
from example_counts import examples
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.preprocessing import StandardScaler

pytest.importorskip("distributed")

from partitioned_data import (
    GROUPINGS,
    LABELS,
    N_ROWS,
    NAMES,
    NUMBERS,
    SEVERAL,
    SIZES,
    THREE,
    TWO,
    WEIGHT,
    X,
    bounds,
    cuts,
    partitions,
)
from shards_in_process import InProcessShards

from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop._data.samples import TrainingSamples
from skbackprop._estimators.fit_kind import FitKind
from skbackprop._estimators.training_data import read_summary, read_training_data
from skbackprop._estimators.training_setup import build_training
from skbackprop.core.losses import AbsoluteError
from skbackprop.dask.distributed_samples import DistributedSamples

rng = np.random.default_rng(0)

# ----------------------------------------------------------------------- scalers


def fit_scalers(X, y, weight=None, target_scaling="standardize"):
    return TrainingSamples(X, y, None, weight).fit_scalers(target_scaling)


def assert_same_scaler(scaler, expected, rtol=1e-10):
    """Compare `ColumnMoments` with each other, or with a StandardScaler."""
    if isinstance(expected, StandardScaler):
        theirs = expected.mean_, expected.var_, expected.scale_
    else:
        theirs = expected.mean, expected.var, expected.standard_deviation
    mine = scaler.mean, scaler.var, scaler.standard_deviation
    for one, other in zip(mine, theirs):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=1e-14)


columns = st.sampled_from(["normal", "constant", "integers", "offset", "tiny", "zeros"])


def column(kind, n=N_ROWS):
    values = np.random.default_rng(3).normal(size=n)
    return {
        "normal": values,
        "constant": np.full(n, 0.1),
        "integers": values.round(),
        "offset": 1e9 + values,
        "tiny": 1e-12 * values,
        "zeros": np.zeros(n),
    }[kind]


@examples(40)
@given(
    st.lists(columns, min_size=1, max_size=4),
    cuts,
    st.booleans(),
    st.integers(0, 2**16),
)
def test_sum_of_scalers_equals_scaler_of_all_rows(kinds, sizes, weighted, seed):
    data = np.column_stack([column(kind) for kind in kinds])
    weight = None
    if weighted:
        random = np.random.default_rng(seed)
        weight = random.integers(0, 3, N_ROWS).astype(float)
        weight[bounds(sizes)[0]] = 0.0  # zero-weight rows are ignored
        weight[-1] = 1.0
    parts = [
        fit_scalers(
            data[rows], data[rows, :1], None if weight is None else weight[rows]
        )
        for rows in bounds(sizes)
        if rows.stop > rows.start
    ]
    total = reduce(operator.add, parts)
    there = slice(None) if weight is None else weight > 0
    picked = None if weight is None else weight[there]
    expected = StandardScaler().fit(data[there], sample_weight=picked)
    # With an offset of 1e9, the rounding error is 1e-7 standard deviations.
    assert_same_scaler(total.inputs, expected, 1e-6)
    expected = StandardScaler().fit(data[there, :1], sample_weight=picked)
    assert_same_scaler(total.targets, expected, 1e-6)
    n_rows = len(data[there])
    for moments in (total.inputs, total.targets):
        weight_sum = n_rows if weight is None else picked.sum()
        np.testing.assert_array_equal(moments.weight_sum, weight_sum)
        np.testing.assert_array_equal(moments.n_rows, n_rows)


def test_constant_columns_are_not_scaled():
    data = np.column_stack([np.full(30, 0.1), np.full(30, 1e9 + 0.1)])
    parts = [fit_scalers(data[i : i + 10], data[i : i + 10]) for i in (0, 10, 20)]
    total = reduce(operator.add, parts)
    np.testing.assert_array_equal(total.inputs.standard_deviation, 1.0)


@pytest.mark.parametrize("weight", [1e-6, 0.1, 1.0, 100.0])
@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e9 + 0.1, -7e-5])
def test_constant_columns_are_not_scaled_with_small_weights(value, weight):
    # The means differ by rounding errors that the sum of weights does not bound.
    rows = np.full((60, 1), value)
    weights = weight * np.random.default_rng(0).uniform(0.1, 1.0, 60)
    parts = [fit_scalers(rows[s], rows[s], weights[s]) for s in bounds([7] * 8 + [4])]
    total = reduce(operator.add, parts)
    assert total.inputs.standard_deviation == total.targets.standard_deviation == 1.0


def test_column_constant_within_each_partition():
    parts = [fit_scalers(np.full((10, 1), v), np.zeros((10, 1))) for v in (1.0, 3.0)]
    total = parts[0] + parts[1]
    assert total.inputs.mean == 2.0
    assert total.inputs.standard_deviation == 1.0
    assert total.inputs.var == 1.0


def test_zero_weight_parts_have_no_scaler():
    nothing = fit_scalers(X[:9], SEVERAL[:9], np.zeros(9))
    assert nothing.inputs is None
    assert nothing.targets is None
    some = fit_scalers(X, SEVERAL)
    for total in (some + nothing, nothing + some):
        assert_same_scaler(total.inputs, some.inputs)
        assert_same_scaler(total.targets, some.targets)
    both = nothing + nothing
    assert both.inputs is None


def test_sum_of_scalers_of_sparse_samples():
    data = np.where(X > 0.0, X, 0.0)
    parts = [
        fit_scalers(csr_array(data[rows]), SEVERAL[rows], WEIGHT[rows])
        for rows in bounds((20, 50))
    ]
    total = parts[0] + parts[1]
    there = WEIGHT > 0
    expected = StandardScaler(with_mean=False)
    expected.fit(data[there], sample_weight=WEIGHT[there])
    assert_same_scaler(total.inputs, expected)


def test_addition_does_not_change_operands():
    one, other = fit_scalers(X[:30], SEVERAL[:30]), fit_scalers(X[30:], SEVERAL[30:])
    before = copy.deepcopy((one, other))
    one + other
    for mine, theirs in zip((one, other), before):
        assert_same_scaler(mine.inputs, theirs.inputs, 0.0)


def test_overflow_in_merged_scalers_raises():
    parts = [fit_scalers(np.full((9, 1), v), np.zeros((9, 1))) for v in (-1e200, 1e200)]
    with pytest.raises(ValueError, match="too large to be standardized"):
        parts[0] + parts[1]


# --------------------------------------------------------------- all statistics

GROUPS = pytest.mark.parametrize("groups", GROUPINGS)
WEIGHTS = pytest.mark.parametrize("weight", [None, WEIGHT], ids=["equal", "weighted"])

CLASS_TARGETS = pytest.mark.parametrize(
    ("y", "class_weights"),
    [
        (TWO, [[2.0, 0.5]]),
        (THREE, [[0.0, 1.0, 3.0]]),
        (NAMES, [[2.0, 1.0, 0.25]]),
        (LABELS, [[1.0, 3.0], [0.5, 2.0], [1.0, 0.0]]),
    ],
    ids=["binary", "multiclass", "strings", "multilabel"],
)

NUMERIC_TARGETS = pytest.mark.parametrize(
    "y", [NUMBERS, SEVERAL], ids=["one target", "several targets"]
)


def read_on_shards(make, y, weight, groups, rows=X, **params):
    """Read the same data on several shards and in one process.

    Returns
    -------
    distributed : DistributedSamples
        Samples on several shards.
    expected : TrainingSamples
        Samples in one process.
    """
    shards = InProcessShards(partitions(rows, y, weight), groups)
    net = make(**params)
    has_labels = make is BackpropClassifier
    summary = shards.reduce("summarize", net.categorical_features, has_labels)
    reader, targets = read_summary(net, FitKind.FRESH, summary)
    shards.broadcast("read", reader, make.__name__)
    _, expected = read_training_data(make(**params), FitKind.FRESH, rows, y, weight)
    return DistributedSamples(shards, targets), expected


def rows_of_shards(distributed):
    """Return the row indices of each shard in the whole dataset."""
    rows = [np.arange(N_ROWS)[part] for part in bounds(SIZES)]
    groups = distributed.shards.groups
    return [np.concatenate([rows[i] for i in group]) for group in groups]


def assert_same_samples(distributed, expected):
    """Assert that the shards contain all rows, also after a shard is restored."""
    shards = distributed.shards
    shards.shards[0] = shards._create_shard(shards.groups[0])
    for shard, rows in zip(shards.shards, rows_of_shards(distributed), strict=True):
        samples = shard.samples
        np.testing.assert_array_equal(samples.X, expected.X[rows])
        if expected.codes is None:
            targets = expected.targets[rows]
            np.testing.assert_allclose(samples.targets, targets, rtol=1e-12, atol=1e-14)
        else:
            np.testing.assert_array_equal(samples.codes, expected.codes[rows])
            np.testing.assert_array_equal(samples.targets, expected.targets)
        assert samples.targets.dtype == expected.targets.dtype
        if expected.weight is None:
            assert samples.weight is None
        else:
            np.testing.assert_array_equal(samples.weight, expected.weight[rows])
            assert samples.weight.dtype == expected.weight.dtype


@GROUPS
@WEIGHTS
@CLASS_TARGETS
def test_shards_read_same_class_targets(y, class_weights, weight, groups):
    distributed, expected = read_on_shards(BackpropClassifier, y, weight, groups)
    assert_same_samples(distributed, expected)
    assert distributed.n_samples == expected.n_samples == N_ROWS
    assert distributed.n_inputs == expected.n_inputs == 5


@GROUPS
@WEIGHTS
@NUMERIC_TARGETS
def test_shards_read_same_numeric_targets(y, weight, groups):
    distributed, expected = read_on_shards(BackpropRegressor, y, weight, groups)
    assert_same_samples(distributed, expected)
    # The client stores only the range of each target.
    for extreme in (np.min, np.max):
        mine, theirs = (extreme(s.targets, axis=0) for s in (distributed, expected))
        np.testing.assert_array_equal(mine, theirs)


@GROUPS
@WEIGHTS
def test_sum_of_weights_equals_single_process(weight, groups):
    distributed, expected = read_on_shards(BackpropRegressor, NUMBERS, weight, groups)
    merged, single = distributed.weight_totals(), expected.weight_totals()
    mean = 1.0 if weight is None else weight.mean()
    assert merged.mean == pytest.approx(mean, rel=1e-12)
    assert single.mean == pytest.approx(mean, rel=1e-12)
    n_weighted = N_ROWS if weight is None else np.count_nonzero(weight)
    for totals in (merged, single):
        assert (totals.n_rows, totals.n_weighted) == (N_ROWS, n_weighted)


@GROUPS
@WEIGHTS
@CLASS_TARGETS
def test_class_counts_equal_single_process(y, class_weights, weight, groups):
    distributed, expected = read_on_shards(BackpropClassifier, y, weight, groups)
    n_classes = np.shape(class_weights)[1]
    counts = distributed.class_counts(n_classes)
    # Sums of integer weights have no rounding errors.
    np.testing.assert_array_equal(counts, expected.class_counts(n_classes))
    ones = np.ones(N_ROWS) if weight is None else weight
    columns = LABELS.T if y is LABELS else [np.unique(y, return_inverse=True)[1]]
    for found, column in zip(counts, columns, strict=True):
        np.testing.assert_array_equal(found, np.bincount(column, ones, n_classes))


@GROUPS
@WEIGHTS
@CLASS_TARGETS
def test_class_weights_equal_single_process(y, class_weights, weight, groups):
    distributed, expected = read_on_shards(BackpropClassifier, y, weight, groups)
    class_weights = np.array(class_weights)
    distributed = distributed.with_class_weights(class_weights)
    expected = expected.with_class_weights(class_weights)
    assert_same_samples(distributed, expected)
    mean = expected.weight_totals().mean
    assert distributed.weight_totals().mean == pytest.approx(mean, rel=1e-12)
    distributed = distributed.with_relative_weights(mean, np.float32)
    assert_same_samples(distributed, expected.with_relative_weights(mean, np.float32))


@GROUPS
@WEIGHTS
@NUMERIC_TARGETS
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_scalers_equal_single_process(y, weight, groups, dtype):
    distributed, expected = read_on_shards(
        BackpropRegressor, y, weight, groups, dtype=dtype
    )
    scalers, expected_scalers = (
        s.fit_scalers("standardize") for s in (distributed, expected)
    )
    assert_same_scaler(scalers.inputs, expected_scalers.inputs)
    assert_same_scaler(scalers.targets, expected_scalers.targets)
    assert distributed.fit_scalers(None).targets is None
    np.testing.assert_array_equal(scalers.ranges.low, expected_scalers.ranges.low)
    np.testing.assert_array_equal(scalers.ranges.high, expected_scalers.ranges.high)
    for target_scaling in ("divide", "standardize_jointly"):
        scale, expected_scale = (
            s.fit_scalers(target_scaling).output_scale for s in (distributed, expected)
        )
        np.testing.assert_allclose(scale, expected_scale, rtol=1e-10)
    # Both use the same scalers, because float32 rounding amplifies small differences.
    assert_same_samples(
        distributed.with_scaled_targets(expected_scalers, np.dtype(dtype)),
        expected.with_scaled_targets(expected_scalers, np.dtype(dtype)),
    )


@GROUPS
def test_shard_with_zero_weights_does_not_change_statistics(groups):
    weight = WEIGHT.copy()
    weight[20:33] = 0.0  # all rows of partition 1
    alone = [[1], *([i for i in group if i != 1] for group in groups)]
    alone = [group for group in alone if group]
    distributed, expected = read_on_shards(BackpropClassifier, THREE, weight, alone)
    np.testing.assert_array_equal(distributed.class_counts(3), expected.class_counts(3))
    scalers = distributed.fit_scalers(None)
    assert_same_scaler(scalers.inputs, expected.fit_scalers(None).inputs)
    assert distributed.weight_totals().mean == pytest.approx(weight.mean(), rel=1e-12)


@GROUPS
def test_statistics_of_known_values(groups):
    values, weight = X.copy(), WEIGHT.copy()
    values[rng.random(X.shape) < 0.2] = np.nan
    values[20:33, 1] = np.nan  # all rows of partition 1
    weight[40:50] = 0.0
    values[40:50] *= 1e9  # ignored
    distributed, expected = read_on_shards(
        BackpropClassifier, THREE, weight, groups, rows=values
    )
    scalers = distributed.fit_scalers(None)
    assert_same_scaler(scalers.inputs, expected.fit_scalers(None).inputs)
    encoding = distributed.shards.shards[0].samples.X.encoding
    np.testing.assert_allclose(
        encoding.imputation_values, expected.X.encoding.imputation_values, rtol=1e-12
    )


def assert_same_constant(make, y, weight, groups, rtol, **params):
    """Compare constant predictions and losses of shards and of one process."""
    distributed, expected = read_on_shards(make, y, weight, groups, **params)
    net = make(random_state=0, **params)
    reader, samples = read_training_data(net, FitKind.FRESH, X, y, weight)
    training = build_training(net, FitKind.FRESH, reader, samples)
    objective = training.objective
    constant = expected.best_constant(objective.loss)
    if objective.loss.quantile is None:
        np.testing.assert_allclose(
            distributed.best_constant(objective.loss), constant, rtol=rtol, atol=1e-14
        )
    np.testing.assert_allclose(
        distributed.sum_of_constant(objective, constant),
        expected.sum_of_constant(objective, constant),
        rtol=1e-12,
        atol=1e-14,
    )
    assert distributed.loss_sum(objective, 5) == pytest.approx(
        expected.loss_sum(objective, 1000), rel=1e-12
    )


@GROUPS
@WEIGHTS
@CLASS_TARGETS
@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_constant_of_classes_equals_single_process(
    y, class_weights, weight, groups, loss
):
    assert_same_constant(BackpropClassifier, y, weight, groups, 1e-12, loss=loss)


@GROUPS
@WEIGHTS
@NUMERIC_TARGETS
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error"])
def test_constant_of_numbers_equals_single_process(y, weight, groups, loss):
    assert_same_constant(BackpropRegressor, y, weight, groups, 1e-10, loss=loss)


@GROUPS
@WEIGHTS
@NUMERIC_TARGETS
def test_constant_of_quantiles_is_mean_of_shards(y, weight, groups):
    distributed, _ = read_on_shards(BackpropRegressor, y, weight, groups)
    weights = np.ones(N_ROWS) if weight is None else weight
    medians, totals = [], []
    for rows in rows_of_shards(distributed):
        order = np.argsort(np.reshape(y, (N_ROWS, -1))[rows], axis=0)
        values = np.take_along_axis(np.reshape(y, (N_ROWS, -1))[rows], order, axis=0)
        cumulated = np.cumsum(weights[rows][order], axis=0)
        first = (cumulated >= 0.5 * cumulated[-1]).argmax(axis=0)
        medians.append(values[first, np.arange(values.shape[1])])
        totals.append(weights[rows].sum())
    expected = np.average(medians, axis=0, weights=totals)
    constant = distributed.best_constant(AbsoluteError())
    np.testing.assert_allclose(constant, expected, rtol=1e-12)
