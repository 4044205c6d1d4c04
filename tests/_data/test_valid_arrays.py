"""Arrays that are not validated are arrays that validation does not change."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.utils.validation import validate_data
from small_fits import (
    NUMBERS,
    X,
    classifier,
    error_of,
    ignore_convergence_warning,
    regressor,
)

from skbackprop._data.columns import TRAINING_CHECKS
from skbackprop._data.valid_arrays import are_valid_targets, is_valid_array

pytestmark = ignore_convergence_warning
MISSING = np.where(X > 1.0, np.nan, X)
TARGETS = [NUMBERS, NUMBERS[:, np.newaxis], (X > 0).astype(int), NUMBERS > 0]


@pytest.fixture(scope="module")
def fitted():
    return regressor().fit(X, NUMBERS)


@pytest.mark.parametrize(
    "rows",
    [X, X.astype("float32"), (8 * X).astype(int), (8 * X).astype("uint8"), MISSING],
    ids=["float64", "float32", "int", "uint8", "NaN"],
)
@pytest.mark.parametrize("y", TARGETS[:3], ids=["1D", "column", "2D"])
def test_validation_does_not_change_valid_arrays(fitted, rows, y):
    assert is_valid_array(rows, fitted)
    assert are_valid_targets(y, len(X))
    checked = validate_data(fitted, rows, y, reset=False, **TRAINING_CHECKS)
    assert checked[0] is rows
    assert checked[1] is y


@pytest.mark.parametrize(
    "rows",
    [
        X[:, :3],
        X[:0],
        X[0],
        X[np.newaxis],
        X.astype(object),
        X.astype(str),
        X.astype(complex),
        np.asfortranarray(X),
        X[:, ::-1],
        X.tolist(),
        csr_array(X),
        pd.DataFrame(X),
        np.ma.masked_array(X),
    ],
    ids=lambda rows: f"{type(rows).__name__} {getattr(rows, 'dtype', '')}",
)
def test_other_inputs_are_validated(fitted, rows):
    assert not is_valid_array(rows, fitted)


def test_arrays_for_networks_of_other_inputs_are_validated():
    names = regressor().fit(pd.DataFrame(X, columns=list("abcd")), NUMBERS)
    assert not is_valid_array(X, names)
    assert not is_valid_array(X, regressor())


@pytest.mark.parametrize(
    "y",
    [
        NUMBERS[:-1],
        NUMBERS[:0],
        NUMBERS.tolist(),
        NUMBERS.astype(object),
        NUMBERS.astype(str),
        NUMBERS > 0,
        np.where(NUMBERS > 1.0, np.inf, NUMBERS),
        X[np.newaxis],
        pd.Series(NUMBERS),
        None,
    ],
    ids=lambda y: f"{type(y).__name__} {getattr(y, 'dtype', '')}",
)
def test_other_targets_are_validated(y):
    assert not are_valid_targets(y, len(X))


def test_sums_that_overflow_are_finite():
    assert are_valid_targets(np.full(40, 1e308), 40)


@pytest.mark.parametrize("make", [classifier, regressor])
def test_invalid_rows_raise_in_fitted_networks(make):
    y = (NUMBERS > 0).astype(int)
    net = make().fit(X, y)
    error_of(lambda: net.predict(X[:, :3]), "X has 3 features, but")
    error_of(lambda: net.predict(X[0]), "Expected 2D array")
    error_of(lambda: net.predict(X[:0]), "0 sample(s)")
    error_of(lambda: net.predict(np.full((2, 4), np.inf)), "infinity")
    error_of(lambda: net.partial_fit(X, y[:-1]), "inconsistent numbers of samples")
    error_of(lambda: net.partial_fit(np.full((40, 4), np.inf), y), "infinity")
    error_of(lambda: net.partial_fit(X, np.where(y, np.inf, 0.0)), "infinity")
