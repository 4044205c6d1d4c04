"""The parameter `dtype`: the computation precision for any input dtype."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils._param_validation import InvalidParameterError
from small_fits import error_of, ignore_convergence_warning
from small_networks import (
    CODES,
    ESTIMATORS,
    LABELS,
    NUMBERS,
    WEIGHT,
    X,
    assert_same_network,
    classifier,
    regressor,
    small,
)

from skbackprop import BackpropClassifier, BackpropRegressor

SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)
TOO_LARGE = 1e39  # for float32, not for float64
ROUND = np.round(8 * X)  # integer values
SHUFFLE = pytest.mark.parametrize("shuffle", [False, True], ids=["in order", "shuffle"])
KINDS = pytest.mark.parametrize(
    "kind", [np.asarray, sp.csr_array], ids=["dense", "csr"]
)
#: Code paths. SGD without momentum has its own path for sparse input.
CODE_PATHS = {
    "adam in order": dict(solver="adam", shuffle=False),
    "adam": dict(solver="adam", shuffle=True),
    "sgd in order": dict(solver="sgd", momentum=0.0, shuffle=False),
    "sgd": dict(solver="sgd", momentum=0.0, shuffle=True),
    "early stopping": dict(early_stopping=True, scoring="loss"),
    "lbfgs": dict(solver="lbfgs"),
    "raw in order": dict(standardize=False, shuffle=False),
    "raw": dict(standardize=False, shuffle=True),
    "raw early stopping": dict(standardize=False, early_stopping=True, scoring="loss"),
}
BY_CODE_PATH = pytest.mark.parametrize("path", CODE_PATHS)


def small_with_path(make, path, **params):
    return small(
        make, **{**CODE_PATHS[path], "batch_size": 16, "max_iter": 4, **params}
    )


def outputs(net, X):
    method = "predict_proba" if isinstance(net, BackpropClassifier) else "predict"
    return getattr(net, method)(X)


def dtypes(net):
    """Return the dtypes of the parameters, optimizer state and outputs."""
    arrays = [*net.coefs_, *net.intercepts_, *net._state.slots, outputs(net, X)]
    return {array.dtype for array in arrays}


def assert_same(one, other, *inputs):
    """Assert that two fits are bit-for-bit identical."""
    assert_same_network(one, other)
    assert one.loss_curve_ == other.loss_curve_
    assert one.coefs_[0].dtype == other.coefs_[0].dtype
    for values in inputs:
        np.testing.assert_array_equal(outputs(one, values), outputs(other, values))


def assert_close(one, other, *inputs):
    """Assert that two float32 fits are equal up to rounding."""
    assert one.n_iter_ == other.n_iter_
    assert one.coefs_[0].dtype == other.coefs_[0].dtype == SINGLE
    for values in inputs:
        np.testing.assert_allclose(
            outputs(one, values), outputs(other, values), **CLOSE
        )


# Standardized inputs are centered before they are rounded to float32, which preserves
# large offsets such as years. Inputs with a wider dtype therefore give slightly
# different results.
CLOSE = dict(rtol=1e-4, atol=1e-5)
COMPARED = pytest.mark.parametrize(
    ("standardize", "assert_alike"),
    [(False, assert_same), (True, assert_close)],
    ids=["raw", "standardized"],
)


# ------------------------------------------------------------------- explicit dtype


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
@COMPARED
@BY_CODE_PATH
@KINDS
@ESTIMATORS
@ignore_convergence_warning
def test_dtype_float32_matches_float32_input(
    make, y, kind, path, standardize, assert_alike, weight
):
    params = dict(standardize=standardize)
    actual = small_with_path(make, path, dtype="float32", **params).fit(
        kind(X), y, weight
    )
    expected = small_with_path(make, path, **params).fit(
        kind(X.astype(SINGLE)), y, weight
    )
    assert dtypes(actual) == {SINGLE}
    assert_alike(actual, expected, kind(X), kind(X.astype(SINGLE)))


@BY_CODE_PATH
@KINDS
@ESTIMATORS
@ignore_convergence_warning
def test_dtype_float64_matches_float64_input(make, y, kind, path):
    single = X.astype(SINGLE)
    actual = small_with_path(make, path, dtype="float64").fit(kind(single), y)
    expected = small_with_path(make, path).fit(kind(single.astype(DOUBLE)), y)
    assert dtypes(actual) == {DOUBLE}
    assert_same(actual, expected, kind(X), kind(single))


@pytest.mark.parametrize("scoring", ["loss", None])
@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE], ids=str)
@ESTIMATORS
@ignore_convergence_warning
def test_validation_samples_are_scored_with_dtype(make, y, dtype, scoring):
    scoring = scoring or ("accuracy" if make is BackpropClassifier else "r2")
    params = dict(early_stopping=True, scoring=scoring)
    actual = small(make, dtype=str(dtype), **params).fit(X.astype(SINGLE), y)
    expected = small(make, **params).fit(X.astype(SINGLE).astype(dtype), y)
    assert_same(actual, expected, X)
    assert actual.validation_scores_ == expected.validation_scores_


@ESTIMATORS
@ignore_convergence_warning
def test_float32_and_float64_agree_up_to_rounding(make, y):
    single, double = (
        small(make, dtype=dtype, max_iter=5).fit(X, y)
        for dtype in ("float32", "float64")
    )
    np.testing.assert_allclose(outputs(single, X), outputs(double, X), atol=1e-5)
    assert (outputs(single, X) != outputs(double, X)).any()


@pytest.mark.parametrize("values", [LABELS, sp.csr_array(LABELS)], ids=["dense", "csr"])
@COMPARED
@ignore_convergence_warning
def test_label_indicators_are_converted_to_dtype(values, standardize, assert_alike):
    params = dict(loss="log_loss", standardize=standardize, max_iter=4)
    net = classifier(dtype="float32", **params).fit(X, values)
    assert dtypes(net) == {SINGLE}
    assert_alike(net, classifier(**params).fit(X.astype(SINGLE), values), X)


def test_targets_are_converted_to_dtype():
    for dtype in (SINGLE, DOUBLE):
        params = dict(dtype=str(dtype), shuffle=False)
        single = NUMBERS.astype(SINGLE)
        actual = regressor(**params).fit(X, single)
        assert actual.predict(X).dtype == dtype
        assert_same(actual, regressor(**params).fit(X, single.astype(DOUBLE)), X)


# ----------------------------------- dtype=None: float64, or the dtype of the input


BY_INPUT_DTYPE = pytest.mark.parametrize("input_dtype", [np.uint8, bool, np.int32])


@BY_CODE_PATH
@ESTIMATORS
@BY_INPUT_DTYPE
@ignore_convergence_warning
def test_integers_are_converted_to_float64(input_dtype, make, y, path):
    values = np.abs(ROUND).astype(input_dtype)
    actual = small_with_path(make, path).fit(values, y)
    expected = small_with_path(make, path).fit(values.astype(DOUBLE), y)
    assert dtypes(actual) == {DOUBLE}
    assert_same(actual, expected, values, values.astype(DOUBLE))


@BY_CODE_PATH
@ESTIMATORS
@BY_INPUT_DTYPE
@ignore_convergence_warning
def test_sparse_integers_are_converted_to_float64(input_dtype, make, y, path):
    values = np.abs(ROUND).astype(input_dtype)
    sparse = sp.csr_array(values), sp.csr_array(values.astype(DOUBLE))
    actual, expected = (small_with_path(make, path).fit(rows, y) for rows in sparse)
    assert dtypes(actual) == {DOUBLE}
    assert_same(actual, expected, *sparse)


@pytest.mark.parametrize("input_dtype", [np.uint8, bool, np.int32, np.float16])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@SHUFFLE
@COMPARED
@ESTIMATORS
@ignore_convergence_warning
def test_other_numeric_types_are_converted_to_dtype(
    make, y, standardize, assert_alike, shuffle, dtype, input_dtype
):
    if standardize and not (input_dtype is np.int32 and dtype == "float32"):
        assert_alike = (
            assert_same  # float32 represents all values and their mean exactly
        )
    params = dict(standardize=standardize, shuffle=shuffle, max_iter=4)
    values = np.abs(ROUND).astype(input_dtype)
    actual = small(make, dtype=dtype, **params).fit(values, y)
    assert dtypes(actual) == {np.dtype(dtype)}
    expected = small(make, **params).fit(values.astype(dtype), y)
    assert_alike(actual, expected, values)


@pytest.mark.parametrize("input_dtype", [np.float16, np.longdouble])
@SHUFFLE
@ESTIMATORS
def test_float16_and_longdouble_are_converted_to_float64(make, y, shuffle, input_dtype):
    values = X.astype(input_dtype)
    actual = small(make, shuffle=shuffle).fit(values, y)
    assert dtypes(actual) == {DOUBLE}
    expected = small(make, shuffle=shuffle).fit(values.astype(DOUBLE), y)
    assert_same(actual, expected, values, values.astype(DOUBLE))


@pytest.mark.parametrize("kinds", ["i8 i8 i8 i8", "u1 i4 i2 i8", "bool u1 bool u1"])
@pytest.mark.parametrize("dtype", [None, "float32"])
@COMPARED
@ESTIMATORS
@ignore_convergence_warning
def test_dataframes_with_integer_columns(
    make, y, standardize, assert_alike, dtype, kinds
):
    if dtype is None:
        assert_alike = assert_same
    params = dict(standardize=standardize, max_iter=4)
    columns = zip("abcd", np.abs(ROUND).T, kinds.split(), strict=True)
    frame = pd.DataFrame({name: column.astype(kind) for name, column, kind in columns})
    actual = small(make, dtype=dtype, **params).fit(frame, y)
    expected = small(make, **params).fit(frame.astype(dtype or DOUBLE), y)
    assert_alike(actual, expected, frame)


def test_predictions_for_integers_match_floats():
    values = np.abs(ROUND)
    for dtype in ("float32", "float64"):
        net = regressor(dtype=dtype).fit(X, NUMBERS)
        expected = net.predict(values)
        for input_dtype in (np.uint8, np.int64, np.float16):
            for kind in (np.asarray, np.asfortranarray):
                predicted = net.predict(kind(values.astype(input_dtype)))
                assert predicted.dtype == dtype
                # Outputs near zero are differences of larger, rounded numbers.
                rtol = 8 * np.finfo(dtype).eps
                atol = rtol * np.abs(expected).max()
                np.testing.assert_allclose(predicted, expected, rtol=rtol, atol=atol)


# --------------------------------------------------------------- continued training


def refit(net, X, y):
    return net.set_params(warm_start=True).fit(X, y)


def partial_refit(net, X, y):
    return net.partial_fit(X, y)


METHODS = pytest.mark.parametrize("method", [refit, partial_refit])


@METHODS
@pytest.mark.parametrize(
    ("first", "then"),
    [("float32", "float64"), ("float64", "float32"), (None, "float32")],
)
@ESTIMATORS
def test_dtype_cannot_change_in_continued_training(make, y, first, then, method):
    net = small(make, dtype=first).fit(X, y)
    before = [W.copy() for W in net.coefs_]
    net.set_params(dtype=then)
    words = ("dtype has changed", first or "float64", then, "warm_start=False")
    error_of(lambda: method(net, X, y), *words)
    for W, expected in zip(net.coefs_, before, strict=True):
        np.testing.assert_array_equal(W, expected)


@METHODS
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@ESTIMATORS
def test_continued_training_keeps_dtype_of_network(make, y, dtype, method):
    explicit, automatic = (small(make, dtype=dtype).fit(X, y) for _ in range(2))
    automatic.set_params(dtype=None)
    for input_dtype in (SINGLE, DOUBLE, np.float16):
        for net in (explicit, automatic):
            method(net, X.astype(input_dtype), y)
        assert dtypes(automatic) == {np.dtype(dtype)}
    assert_same(automatic, explicit, X)


@METHODS
@ESTIMATORS
def test_setting_dtype_of_network_explicitly_has_no_effect(make, y, method):
    automatic, explicit = (small(make).fit(X.astype(SINGLE), y) for _ in range(2))
    method(automatic, X, y)
    assert_same(method(explicit.set_params(dtype="float32"), X, y), automatic, X)


@ESTIMATORS
def test_new_fit_can_change_dtype(make, y):
    net = small(make, dtype="float32").fit(X, y)
    assert dtypes(net.set_params(dtype="float64").fit(X, y)) == {DOUBLE}
    assert dtypes(net.set_params(dtype=None).fit(X.astype(SINGLE), y)) == {SINGLE}


# -------------------------------------------------------------- values out of range


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    "kind", [np.asarray, np.asfortranarray, sp.csr_array, sp.csc_array, sp.coo_matrix]
)
@ESTIMATORS
def test_input_out_of_float32_range_is_rejected(make, y, kind, sign):
    large = X.copy()
    large[7, 2] = sign * TOO_LARGE
    words = ("X contains", "1e+39", "float32", "Scale X", "dtype='float64'")
    net = small(make, dtype="float32")
    error_of(lambda: net.fit(kind(large), y), *words)
    error_of(lambda: net.partial_fit(kind(large), y), *words)
    net.fit(kind(X), y)
    error_of(lambda: net.partial_fit(kind(large), y), *words)
    error_of(lambda: net.predict(kind(large)), *words)
    assert np.isfinite(small(make).fit(X, y).predict(kind(large)).astype(float)).all()


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("sign", [1, -1])
def test_targets_out_of_float32_range_are_rejected(sign, several):
    large = NUMBERS.copy()
    large[7] = sign * TOO_LARGE
    large = np.column_stack([NUMBERS, large]) if several else large
    words = ("y contains", "1e+39", "float32", "Scale y", "dtype='float64'")
    net = regressor(dtype="float32")
    error_of(lambda: net.fit(X, large), *words)
    error_of(lambda: regressor().fit(X.astype(SINGLE), large), *words)
    error_of(lambda: net.fit(X, NUMBERS).partial_fit(X, large), *words)


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_largest_float32_is_accepted(kind):
    largest = float(np.finfo(SINGLE).max)
    net = regressor(dtype="float32").fit(X, NUMBERS)
    net.coefs_[0][...] = 0.0  # avoids overflow
    assert np.isfinite(net.predict(kind(np.full((3, 4), -largest)))).all()
    above = kind(np.full((3, 4), np.nextafter(largest, np.inf)))
    error_of(lambda: net.predict(above), "X contains")


@COMPARED
@ignore_convergence_warning
def test_values_that_underflow_in_float32_are_accepted(standardize, assert_alike):
    values, rounded = np.where(X > 0, X, 1e-300), np.where(X > 0, X, 0).astype(SINGLE)
    params = dict(standardize=standardize, max_iter=4)
    net = regressor(dtype="float32", **params).fit(values, NUMBERS)
    assert_alike(net, regressor(**params).fit(rounded, NUMBERS), X)


# ------------------------------------------- cloning, pickling and parameter checks


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("method", [clone, lambda net: pickle.loads(pickle.dumps(net))])
@ESTIMATORS
def test_clone_and_pickle_keep_dtype(make, y, method, dtype):
    net = small(make, dtype=dtype).fit(X, y)
    copied = method(net)
    assert copied.get_params()["dtype"] == dtype
    again = clone(net).fit(X, y)
    assert_same(net, copied.fit(X, y), X)
    assert_same(pickle.loads(pickle.dumps(again)), again, X)
    assert dtypes(pickle.loads(pickle.dumps(again))) == {np.dtype(dtype)}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@ESTIMATORS
def test_unpickled_estimator_continues_with_its_dtype(make, y, dtype):
    net = small(make, dtype=dtype).fit(X, y)
    unpickled = pickle.loads(pickle.dumps(net))
    assert_same(unpickled.partial_fit(X, y), net.partial_fit(X, y), X)
    assert dtypes(unpickled) == {np.dtype(dtype)}


@pytest.mark.parametrize(
    "dtype", ["float16", "double", "", np.float32, np.dtype("float32"), 32, True]
)
@ESTIMATORS
def test_invalid_dtype_is_rejected(make, y, dtype):
    words = ("'dtype' parameter", "'float32'", "'float64'", "None")
    net = small(make, dtype=dtype)
    error_of(lambda: net.fit(X, y), *words, error=InvalidParameterError)
    error_of(lambda: net.partial_fit(X, y), *words, error=InvalidParameterError)


def test_message_suggests_similar_dtype():
    error_of(lambda: regressor(dtype="flaot32").fit(X, NUMBERS), "mean 'float32'")


@ESTIMATORS
def test_grid_search_over_dtype(make, y):
    grid = {"dtype": [None, "float32", "float64"]}
    search = GridSearchCV(small(make), grid, cv=2, error_score="raise").fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    assert scores[0] == scores[2]
    np.testing.assert_allclose(scores[1], scores[0], atol=0.05)
    dtype = search.best_params_["dtype"] or "float64"
    assert dtypes(search.best_estimator_) == {np.dtype(dtype)}


def test_default_dtype_is_dtype_of_input():
    for make in (BackpropClassifier, BackpropRegressor):
        assert make().dtype is None
    assert dtypes(classifier().fit(X, CODES)) == {DOUBLE}
    assert dtypes(classifier().fit(X.astype(SINGLE), CODES)) == {SINGLE}
