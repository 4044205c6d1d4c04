"""The reader, which converts data to samples in later fits and on Dask workers."""

import numpy as np
import pytest
from small_networks import NUMBERS, WEIGHT, X, regressor

from skbackprop._data.targets import ClassTargets
from skbackprop._estimators.fitted import fitted_parts
from skbackprop.core.activations import Sigmoid
from skbackprop.core.network import Network
from skbackprop.core.samples import Samples
from skbackprop.core.workspace import Workspace

READER = fitted_parts(regressor().fit(X, NUMBERS)).reader
UNALIGNED = np.frombuffer(b"\0" + WEIGHT.tobytes(), offset=1)


def test_reader_of_partitions_equals_reader_of_arrays():
    estimator = regressor().fit(X, NUMBERS)
    read = READER.read(X, NUMBERS, WEIGHT, estimator)
    partition = READER.read_partition(X, NUMBERS, WEIGHT, "BackpropRegressor")
    for name in ("X", "targets", "weight"):
        np.testing.assert_array_equal(getattr(partition, name), getattr(read, name))


def test_samples_are_aligned():
    # NumPy would copy an unaligned array for each mini-batch.
    assert not UNALIGNED.flags.aligned
    samples = READER.read_partition(X, NUMBERS, UNALIGNED, "BackpropRegressor")
    assert samples.weight.flags.aligned
    targets = np.frombuffer(b"\0" + NUMBERS.tobytes(), offset=1)[:, np.newaxis]
    assert type(samples)(X, targets).targets.flags.aligned


def test_targets_stay_in_column_order():
    # Gathering rows from a matrix with few columns is faster in column order.
    y = np.column_stack([NUMBERS, NUMBERS])
    reader = fitted_parts(regressor().fit(X, y)).reader
    samples = reader.read_partition(X, y, None, "BackpropRegressor")
    scaled = samples.with_scaled_targets(reader.scalers, reader.dtype)
    np.testing.assert_allclose(scaled.targets.mean(axis=0), 0.0, atol=1e-12)
    assert samples.targets.flags.f_contiguous
    assert scaled.targets.flags.f_contiguous


@pytest.mark.parametrize("n_classes", [2, 3, 12])
@pytest.mark.parametrize("n_rows", [1, 5, 8])
def test_class_targets_are_written_batch_by_batch(n_classes, n_rows):
    y = np.random.default_rng(0).integers(n_classes, size=len(X))
    targets, codes = ClassTargets.learn(np.arange(n_classes)).encode(y, "float64")
    samples = Samples(X, targets, codes)
    expected = y[:, np.newaxis] if n_classes == 2 else np.eye(n_classes)[y]
    network = Network([X.shape[1], expected.shape[1]], [Sigmoid()], "float64")
    work = Workspace(network, 8, X).head(n_rows)
    for rows in ([7, 3, 3, 0, 9, 1, 2, 5], range(8), range(8, 16)):  # overwrite buffers
        rows = np.array(rows)[:n_rows]
        samples.gather(rows, work)
        np.testing.assert_array_equal(work.y, expected[rows])
        samples.subset(rows).slice(slice(0, n_rows), work)
        np.testing.assert_array_equal(work.y, expected[rows])
    samples.slice(slice(4, 4 + n_rows), work)
    np.testing.assert_array_equal(work.y, expected[4 : 4 + n_rows])


def test_errors_in_partitions_name_the_estimator():
    with pytest.raises(ValueError, match="is required by BackpropRegressor"):
        READER.read_partition(X[:0], NUMBERS[:0], None, "BackpropRegressor")
