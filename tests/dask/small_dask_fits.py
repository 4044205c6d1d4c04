"""Dask collections of the small datasets, and small Dask estimators."""

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pytest
from partitioned_data import NUMBERS, SIZES, SMALL, THREE, bounds
from small_fits import ignore_convergence_warning

from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop.dask import DaskBackpropClassifier, DaskBackpropRegressor

#: Marks of tests that use a cluster. A few epochs are sufficient for these tests.
CLUSTER_TESTS = [ignore_convergence_warning, pytest.mark.usefixtures("time_limit")]

ESTIMATORS = pytest.mark.parametrize(
    ("plain", "make", "y"),
    [
        (BackpropClassifier, DaskBackpropClassifier, THREE),
        (BackpropRegressor, DaskBackpropRegressor, NUMBERS),
    ],
)

SYNCS = pytest.mark.parametrize(
    "params",
    [{"sync": "step"}, {"sync": "epoch"}, {"solver": "lbfgs", "batch_size": "auto"}],
    ids=["step", "epoch", "lbfgs"],
)
#: Number of rows of each nonempty partition. Dask ignores empty chunks of known size.
ROWS = tuple(size for size in SIZES if size)


def to_dask(array, sizes=SIZES):
    """Convert an array to a Dask Array with these partitions; return None for None."""
    if array is None:
        return None
    return da.from_array(array, chunks=(tuple(sizes), *array.shape[1:]))


def to_dask_dataframe(frame, sizes=SIZES):
    return dd.from_map(frame.iloc.__getitem__, bounds(sizes), meta=frame.iloc[:0])


def with_unknown_chunks(array):
    """Return the same Dask Array with unknown numbers of rows."""
    return array[da.ones(array.shape[0], dtype=bool, chunks=array.chunks[:1])]


def small(make, **params):
    return make(**{**SMALL, **params})


def classifier(**params):
    return small(DaskBackpropClassifier, **params)


def regressor(**params):
    return small(DaskBackpropRegressor, **params)


def assert_same_predictions(predicted, expected):
    if expected.dtype.kind == "f":
        np.testing.assert_allclose(predicted, expected, rtol=1e-9, atol=1e-12)
    else:
        np.testing.assert_array_equal(predicted, expected)
    assert predicted.dtype == expected.dtype
