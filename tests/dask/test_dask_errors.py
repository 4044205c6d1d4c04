"""Errors of the Dask estimators for invalid data."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

pytest.importorskip("distributed")

import dask.array as da
from partitioned_data import (
    COUNTS,
    FRAME,
    LABELS,
    N_ROWS,
    NAMES,
    NUMBERS,
    SIZES,
    THREE,
    WEIGHT,
    X,
)
from shards_in_process import DASK
from small_dask_fits import (
    CLUSTER_TESTS,
    classifier,
    regressor,
    small,
    to_dask,
    to_dask_dataframe,
    with_unknown_chunks,
)

from skbackprop import BackpropClassifier, BackpropRegressor

pytestmark = CLUSTER_TESTS


def plain_error_message(make, *data, **params):
    """Return the error message of the plain estimator."""
    with pytest.raises(ValueError, match=r".") as caught:
        small(make, **params).fit(*data)
    return str(caught.value)


def with_value(array, value, dtype=None):
    changed = np.array(array, dtype or array.dtype)
    changed[25] = value  # in the second partition
    return changed


@pytest.mark.parametrize(
    ("plain", "inputs", "targets", "weight"),
    [
        (BackpropClassifier, with_value(X, -np.inf), THREE, None),
        (BackpropRegressor, with_value(X, np.inf), NUMBERS, None),
        (BackpropClassifier, X, with_value(THREE, np.nan, float), None),
        (BackpropRegressor, X, with_value(NUMBERS, np.nan), None),
        (BackpropRegressor, X, with_value(NUMBERS, np.inf), None),
        (BackpropClassifier, with_value(X, "word", object), THREE, None),
        (BackpropClassifier, X, with_value(THREE, None, object), None),
        (BackpropClassifier, X, with_value(np.ones(N_ROWS), "word", object), None),
        (BackpropRegressor, X, np.full(N_ROWS, "1.5"), None),
        (BackpropRegressor, X, np.full(N_ROWS, np.datetime64("2020-01-01")), None),
        (BackpropRegressor, np.full(X.shape, np.datetime64("2020-01-01")), THREE, None),
        (BackpropClassifier, with_value(X, None, object), THREE, None),
        (BackpropClassifier, X, THREE, with_value(WEIGHT, -1000.0)),
        (BackpropClassifier, X, THREE, with_value(WEIGHT, np.nan)),
        (BackpropClassifier, X, NUMBERS, None),
        (BackpropClassifier, X, LABELS * 0.5, None),
    ],
)
def test_errors_in_partitions_equal_plain_estimator(
    client, plain, inputs, targets, weight
):
    expected = plain_error_message(plain, inputs, targets, weight)
    with pytest.raises(ValueError, match=r".") as caught:
        small(DASK[plain]).fit(to_dask(inputs), to_dask(targets), to_dask(weight))
    # Only the first lines are compared: later lines may refer to one partition.
    found = str(caught.value).replace("`", "")
    assert found.split("\n")[0] == expected.replace("`", "").split("\n")[0]


def test_unsupported_targets_raise(client):
    with pytest.raises(ValueError, match="must contain only 0 and 1"):
        classifier().fit(to_dask(X), to_dask(with_value(LABELS, 2)))
    with pytest.raises(ValueError, match="string"):
        regressor().fit(to_dask(X), to_dask(NAMES))
    mixed = [to_dask(labels.astype(object)) for labels in (THREE, NAMES)]
    rows = da.concatenate([to_dask(X), to_dask(X)])
    with pytest.raises(ValueError, match="labels of several types"):
        classifier().fit(rows, da.concatenate(mixed))
    with pytest.raises(ValueError, match="sample_weight must be an array of numbers"):
        classifier().fit(to_dask(X), to_dask(THREE), to_dask(NAMES))


def test_negative_counts_raise(client):
    counts = with_value(COUNTS, -1.0)
    expected = plain_error_message(BackpropRegressor, X, counts, loss="poisson")
    with pytest.raises(ValueError, match=r".") as caught:
        regressor(loss="poisson").fit(to_dask(X), to_dask(counts))
    assert str(caught.value) == expected


@pytest.mark.parametrize("name", ["sigmoid", "softplus"])
def test_targets_outside_output_range_raise(client, name):
    y = with_value(np.abs(np.tanh(NUMBERS)), -1.0)
    expected = plain_error_message(BackpropRegressor, X, y, output_activation=name)
    assert f"output_activation={name!r}" in expected
    net = small(DASK[BackpropRegressor], output_activation=name)
    with pytest.raises(ValueError, match=r".") as caught:
        net.fit(to_dask(X), to_dask(y))
    assert str(caught.value) == expected


def test_only_zero_weights_raise(client):
    with pytest.raises(ValueError, match=r"positive, finite sum .* mean weight of 0\."):
        classifier().fit(to_dask(X), to_dask(THREE), to_dask(np.zeros(N_ROWS)))


def test_error_while_computing_partition_is_raised(client):
    def fails(block):
        raise KeyError("no such file")

    lazy = to_dask(X).map_blocks(fails, dtype=float, meta=np.empty((0, 0)))
    with pytest.raises(KeyError, match="no such file"):
        classifier().fit(lazy, to_dask(THREE))


@pytest.mark.parametrize(
    ("inputs", "targets", "message"),
    [
        (X, to_dask(THREE), "X must be a dask .* got numpy.ndarray"),
        (pd.DataFrame(X), to_dask(THREE), "X must be a dask .* got pandas.DataFrame"),
        (csr_array(X), to_dask(THREE), "X must be a dask .* got scipy.csr_array"),
        (X.tolist(), to_dask(THREE), "X must be a dask .* got builtins.list"),
        (to_dask(X), THREE, "y must be a dask .* got numpy.ndarray"),
        (to_dask(X), None, "y must be a dask .* got builtins.NoneType"),
    ],
)
def test_data_in_memory_raise(client, inputs, targets, message):
    with pytest.raises(TypeError, match=message):
        classifier().fit(inputs, targets)


def test_weights_in_memory_raise(client):
    with pytest.raises(TypeError, match="sample_weight must be a dask Array"):
        classifier().fit(to_dask(X), to_dask(THREE), WEIGHT)


def test_sparse_partitions_raise(client):
    sparse = to_dask(X).map_blocks(csr_array, dtype=float)
    with pytest.raises(TypeError, match=r"Sparse data was passed for .* partitions"):
        classifier().fit(sparse, to_dask(THREE))


def test_mismatched_partitions_raise(client):
    frame = to_dask_dataframe(FRAME)
    counts = "{'X': 6, 'y': 2}"
    with pytest.raises(ValueError, match=f"same number of partitions, got {counts}"):
        classifier().fit(frame, to_dask(THREE, (30, 40)))
    unknown = with_unknown_chunks(to_dask(THREE, (30, 40)))
    with pytest.raises(ValueError, match="same number of partitions"):
        classifier().fit(to_dask(X), unknown)
    with pytest.raises(ValueError, match="X has 70 rows and y has 69"):
        classifier().fit(to_dask(X), to_dask(THREE[:-1], (30, 39)))
    with pytest.raises(ValueError, match="X has 70 rows and sample_weight has 30"):
        classifier().fit(to_dask(X), to_dask(THREE), to_dask(WEIGHT[:30], (30,)))
    fewer = with_unknown_chunks(to_dask(THREE[:-1], (*SIZES[:-1], SIZES[-1] - 1)))
    message = "same number of rows .* Partition 5 has {'X': 11, 'y': 10}"
    with pytest.raises(ValueError, match=message):
        classifier().fit(to_dask(X), fewer)


def test_different_numbers_of_rows_raise(client):
    with pytest.raises(ValueError, match=r"rows|partitions"):
        classifier().fit(to_dask(X), to_dask(THREE[:60], (20, 13, 0, 1, 25, 1)))


def test_data_without_rows_raise(client):
    nothing = to_dask(X)[:, 0] > 1e9
    with pytest.raises(ValueError, match=r"rows|sample"):
        classifier().fit(to_dask(X)[nothing], to_dask(THREE)[nothing])


@pytest.mark.parametrize("inputs", [to_dask(NUMBERS), da.zeros((70, 2, 2))])
def test_inputs_with_wrong_dimensions_raise(client, inputs):
    with pytest.raises(ValueError, match=r"dim|2D"):
        classifier().fit(inputs, to_dask(THREE))


def test_failed_fit_keeps_previous_fit(client):
    net = classifier().fit(to_dask(X), to_dask(THREE))
    before = net.coefs_[0].copy()
    with pytest.raises(ValueError, match="contains infinity"):
        net.fit(to_dask(np.full_like(X, np.inf)), to_dask(THREE))
    np.testing.assert_array_equal(net.coefs_[0], before)
