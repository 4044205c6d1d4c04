"""Tests of training samples that come from another process."""

import copy
import pickle
import sys

import numpy as np
import pytest
from scipy.sparse import csr_array

from skbackprop._data.samples import TrainingSamples
from skbackprop.core.mixed import Encoding, MixedRows
from skbackprop.core.piecewise import NO_BINS

X = np.random.default_rng(0).normal(size=(20, 3))
CODES = np.arange(20) % 2
WEIGHT = np.linspace(1.0, 2.0, 20)


def unaligned(array):
    """Return an unaligned copy, as the messages of some clusters contain."""
    buffer = np.empty(array.nbytes + 1, np.uint8)[1:]
    copied = buffer.view(array.dtype).reshape(array.shape)
    copied[...] = array
    assert not copied.flags.aligned
    return copied


def mixed_rows():
    encoding = Encoding(np.zeros(3), np.array([1]), (2,), NO_BINS)
    return MixedRows(X, CODES.astype(np.int32)[:, np.newaxis], encoding)


def arrays_of(part):
    """Return all arrays of samples or rows."""
    arrays = []
    for value in vars(part).values():
        if isinstance(value, MixedRows):
            arrays += arrays_of(value)
        elif isinstance(value, np.ndarray):
            arrays.append(value)
    return arrays


@pytest.mark.parametrize("rows", [X, mixed_rows()], ids=["array", "mixed"])
def test_unaligned_arrays_from_a_message_are_copied(rows):
    samples = TrainingSamples(rows, np.eye(2), CODES, WEIGHT).subset(np.arange(5, 15))
    state = vars(samples) | {
        name: unaligned(value)
        for name, value in vars(samples).items()
        if isinstance(value, np.ndarray)
    }
    if isinstance(rows, MixedRows):
        parts = {k: unaligned(getattr(rows, k)) for k in ("numeric", "codes")}
        state["X"] = MixedRows.__new__(MixedRows)
        state["X"].__setstate__({**parts, "encoding": rows.encoding})
    received = TrainingSamples.__new__(TrainingSamples)
    received.__setstate__(state)
    arrays = arrays_of(received)
    assert len(arrays) >= 5
    assert all(array.flags.aligned for array in arrays)
    for one, other in zip(arrays, arrays_of(samples), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("rows", [X, csr_array(X), mixed_rows()])
def test_samples_can_be_pickled_and_copied(rows):
    samples = TrainingSamples(rows, np.eye(2), CODES, WEIGHT)
    for other in (pickle.loads(pickle.dumps(samples)), copy.copy(samples)):
        assert vars(other).keys() == vars(samples).keys()
        np.testing.assert_array_equal(other.codes, CODES)
        assert other.n_samples == 20


def test_size_of_samples_includes_the_rows():
    samples = TrainingSamples(X, np.eye(2), CODES)
    assert X.nbytes <= sys.getsizeof(samples) < X.nbytes + 1000
