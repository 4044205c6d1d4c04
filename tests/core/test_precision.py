"""The precision computed in: that of `dtype`, whatever the numbers come in."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils._param_validation import InvalidParameterError
from small_fits import cut_short, error_of
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
ROUND = np.round(8 * X)  # what integers can hold
SHUFFLE = pytest.mark.parametrize("shuffle", [False, True], ids=["in order", "shuffle"])
KINDS = pytest.mark.parametrize(
    "kind", [np.asarray, sp.csr_array], ids=["dense", "csr"]
)
#: Ways through the code: plain descent goes its own on sparse input.
WAYS = {
    "adam in order": dict(solver="adam", shuffle=False),
    "adam": dict(solver="adam", shuffle=True),
    "descent in order": dict(solver="sgd", momentum=0.0, shuffle=False),
    "descent": dict(solver="sgd", momentum=0.0, shuffle=True),
    "held out": dict(early_stopping=True, scoring="loss"),
    "lbfgs": dict(solver="lbfgs"),
    "raw in order": dict(standardize=False, shuffle=False),
    "raw": dict(standardize=False, shuffle=True),
    "raw held out": dict(standardize=False, early_stopping=True, scoring="loss"),
}
EACH_WAY = pytest.mark.parametrize("way", WAYS)


def briefly(make, way, **params):
    return small(make, **{**WAYS[way], "batch_size": 16, "max_iter": 4, **params})


def outputs(net, X):
    method = "predict_proba" if isinstance(net, BackpropClassifier) else "predict"
    return getattr(net, method)(X)


def dtypes(net):
    """Return the dtypes of all that a fitted estimator keeps and gives out."""
    arrays = [*net.coefs_, *net.intercepts_, *net._state.slots, outputs(net, X)]
    return {array.dtype for array in arrays}


def assert_same(one, other, *inputs):
    """Assert that two fits are the same to the last bit."""
    assert_same_network(one, other)
    assert one.loss_curve_ == other.loss_curve_
    assert one.coefs_[0].dtype == other.coefs_[0].dtype
    for values in inputs:
        np.testing.assert_array_equal(outputs(one, values), outputs(other, values))


def assert_close(one, other, *inputs):
    """Assert that two fits are the same but for rounding to single precision."""
    assert one.n_iter_ == other.n_iter_
    assert one.coefs_[0].dtype == other.coefs_[0].dtype == SINGLE
    for values in inputs:
        np.testing.assert_allclose(
            outputs(one, values), outputs(other, values), **CLOSE
        )


# Standardised, a number is centred before it is rounded, so that a year is one of
# float32 as well: there, inputs of a wider dtype give slightly other numbers.
CLOSE = dict(rtol=1e-4, atol=1e-5)
COMPARED = pytest.mark.parametrize(
    ("standardize", "assert_alike"),
    [(False, assert_same), (True, assert_close)],
    ids=["raw", "standardized"],
)


# ------------------------------------------------- dtype says what is computed in


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["alike", "weighted"])
@COMPARED
@EACH_WAY
@KINDS
@ESTIMATORS
@cut_short
def test_a_float32_fit_is_that_of_float32_input(
    make, y, kind, way, standardize, assert_alike, weight
):
    params = dict(standardize=standardize)
    asked = briefly(make, way, dtype="float32", **params).fit(kind(X), y, weight)
    given = briefly(make, way, **params).fit(kind(X.astype(SINGLE)), y, weight)
    assert dtypes(asked) == {SINGLE}
    assert_alike(asked, given, kind(X), kind(X.astype(SINGLE)))


@EACH_WAY
@KINDS
@ESTIMATORS
@cut_short
def test_a_float64_fit_is_that_of_float64_input(make, y, kind, way):
    single = X.astype(SINGLE)
    asked = briefly(make, way, dtype="float64").fit(kind(single), y)
    given = briefly(make, way).fit(kind(single.astype(DOUBLE)), y)
    assert dtypes(asked) == {DOUBLE}
    assert_same(asked, given, kind(X), kind(single))


@pytest.mark.parametrize("scoring", ["loss", None])
@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE], ids=str)
@ESTIMATORS
@cut_short
def test_held_out_samples_are_judged_in_the_same_precision(make, y, dtype, scoring):
    scoring = scoring or ("accuracy" if make is BackpropClassifier else "r2")
    params = dict(early_stopping=True, scoring=scoring)
    asked = small(make, dtype=str(dtype), **params).fit(X.astype(SINGLE), y)
    given = small(make, **params).fit(X.astype(SINGLE).astype(dtype), y)
    assert_same(asked, given, X)
    assert asked.validation_scores_ == given.validation_scores_


@ESTIMATORS
@cut_short
def test_the_precisions_agree_to_rounding(make, y):
    single, double = (
        small(make, dtype=dtype, max_iter=5).fit(X, y)
        for dtype in ("float32", "float64")
    )
    np.testing.assert_allclose(outputs(single, X), outputs(double, X), atol=1e-5)
    assert (outputs(single, X) != outputs(double, X)).any()


@pytest.mark.parametrize("values", [LABELS, sp.csr_array(LABELS)], ids=["dense", "csr"])
@COMPARED
@cut_short
def test_label_indicators_are_computed_with_in_the_dtype(
    values, standardize, assert_alike
):
    params = dict(loss="log_loss", standardize=standardize, max_iter=4)
    net = classifier(dtype="float32", **params).fit(X, values)
    assert dtypes(net) == {SINGLE}
    assert_alike(net, classifier(**params).fit(X.astype(SINGLE), values), X)


def test_targets_of_another_precision_are_converted():
    for dtype in (SINGLE, DOUBLE):
        params = dict(dtype=str(dtype), shuffle=False)
        single = NUMBERS.astype(SINGLE)
        asked = regressor(**params).fit(X, single)
        assert asked.predict(X).dtype == dtype
        assert_same(asked, regressor(**params).fit(X, single.astype(DOUBLE)), X)


# --------------------------------------------- without dtype: float64, or as given


GIVEN = pytest.mark.parametrize("given", [np.uint8, bool, np.int32])


@EACH_WAY
@ESTIMATORS
@GIVEN
@cut_short
def test_integers_are_computed_with_in_float64(given, make, y, way):
    values = np.abs(ROUND).astype(given)
    mine = briefly(make, way).fit(values, y)
    given = briefly(make, way).fit(values.astype(DOUBLE), y)
    assert dtypes(mine) == {DOUBLE}
    assert_same(mine, given, values, values.astype(DOUBLE))


@EACH_WAY
@ESTIMATORS
@GIVEN
@cut_short
def test_sparse_integers_are_computed_with_in_float64(given, make, y, way):
    values = np.abs(ROUND).astype(given)
    sparse = sp.csr_array(values), sp.csr_array(values.astype(DOUBLE))
    mine, given = (briefly(make, way).fit(rows, y) for rows in sparse)
    assert dtypes(mine) == {DOUBLE}
    assert_same(mine, given, *sparse)


@pytest.mark.parametrize("given", [np.uint8, bool, np.int32, np.float16])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@SHUFFLE
@COMPARED
@ESTIMATORS
@cut_short
def test_other_numbers_are_computed_with_in_the_dtype(
    make, y, standardize, assert_alike, shuffle, dtype, given
):
    if standardize and not (given is np.int32 and dtype == "float32"):
        assert_alike = assert_same  # float32 can hold all that is given, and its mean
    params = dict(standardize=standardize, shuffle=shuffle, max_iter=4)
    values = np.abs(ROUND).astype(given)
    mine = small(make, dtype=dtype, **params).fit(values, y)
    assert dtypes(mine) == {np.dtype(dtype)}
    given = small(make, **params).fit(values.astype(dtype), y)
    assert_alike(mine, given, values)


@pytest.mark.parametrize("given", [np.float16, np.longdouble])
@SHUFFLE
@ESTIMATORS
def test_rare_floats_are_computed_with_in_float64(make, y, shuffle, given):
    values = X.astype(given)
    mine = small(make, shuffle=shuffle).fit(values, y)
    assert dtypes(mine) == {DOUBLE}
    given = small(make, shuffle=shuffle).fit(values.astype(DOUBLE), y)
    assert_same(mine, given, values, values.astype(DOUBLE))


@pytest.mark.parametrize("kinds", ["i8 i8 i8 i8", "u1 i4 i2 i8", "bool u1 bool u1"])
@pytest.mark.parametrize("dtype", [None, "float32"])
@COMPARED
@ESTIMATORS
@cut_short
def test_frames_of_integers(make, y, standardize, assert_alike, dtype, kinds):
    if dtype is None:
        assert_alike = assert_same
    params = dict(standardize=standardize, max_iter=4)
    columns = zip("abcd", np.abs(ROUND).T, kinds.split(), strict=True)
    frame = pd.DataFrame({name: column.astype(kind) for name, column, kind in columns})
    mine = small(make, dtype=dtype, **params).fit(frame, y)
    given = small(make, **params).fit(frame.astype(dtype or DOUBLE), y)
    assert_alike(mine, given, frame)


def test_predictions_for_integers_are_those_for_floats():
    values = np.abs(ROUND)
    for dtype in ("float32", "float64"):
        net = regressor(dtype=dtype).fit(X, NUMBERS)
        expected = net.predict(values)
        for given in (np.uint8, np.int64, np.float16):
            for kind in (np.asarray, np.asfortranarray):
                predicted = net.predict(kind(values.astype(given)))
                assert predicted.dtype == dtype
                np.testing.assert_allclose(predicted, expected, rtol=1e-5)


# ------------------------------------------------------------------ carrying on


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
def test_the_precision_cannot_change_when_carrying_on(make, y, first, then, method):
    net = small(make, dtype=first).fit(X, y)
    before = [W.copy() for W in net.coefs_]
    net.set_params(dtype=then)
    words = ("dtype has changed", first or "float64", then, "warm_start=False")
    error_of(lambda: method(net, X, y), *words)
    for W, was in zip(net.coefs_, before, strict=True):
        np.testing.assert_array_equal(W, was)


@METHODS
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@ESTIMATORS
def test_a_network_is_carried_on_in_its_own_precision(make, y, dtype, method):
    asked, left_open = (small(make, dtype=dtype).fit(X, y) for _ in range(2))
    left_open.set_params(dtype=None)
    for given in (SINGLE, DOUBLE, np.float16):
        for net in (asked, left_open):
            method(net, X.astype(given), y)
        assert dtypes(left_open) == {np.dtype(dtype)}
    assert_same(left_open, asked, X)


@METHODS
@ESTIMATORS
def test_naming_the_precision_there_is_changes_nothing(make, y, method):
    left_open, named = (small(make).fit(X.astype(SINGLE), y) for _ in range(2))
    method(left_open, X, y)
    assert_same(method(named.set_params(dtype="float32"), X, y), left_open, X)


@ESTIMATORS
def test_a_fit_from_the_beginning_may_change_the_precision(make, y):
    net = small(make, dtype="float32").fit(X, y)
    assert dtypes(net.set_params(dtype="float64").fit(X, y)) == {DOUBLE}
    assert dtypes(net.set_params(dtype=None).fit(X.astype(SINGLE), y)) == {SINGLE}


# ------------------------------------------------------------ values out of range


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    "kind", [np.asarray, np.asfortranarray, sp.csr_array, sp.csc_array, sp.coo_matrix]
)
@ESTIMATORS
def test_input_beyond_the_range_of_float32_is_refused(make, y, kind, sign):
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
def test_targets_beyond_the_range_of_float32_are_refused(sign, several):
    large = NUMBERS.copy()
    large[7] = sign * TOO_LARGE
    large = np.column_stack([NUMBERS, large]) if several else large
    words = ("y contains", "1e+39", "float32", "Scale y", "dtype='float64'")
    net = regressor(dtype="float32")
    error_of(lambda: net.fit(X, large), *words)
    error_of(lambda: regressor().fit(X.astype(SINGLE), large), *words)
    error_of(lambda: net.fit(X, NUMBERS).partial_fit(X, large), *words)


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_the_largest_float32_is_not_refused(kind):
    largest = float(np.finfo(SINGLE).max)
    net = regressor(dtype="float32").fit(X, NUMBERS)
    net.coefs_[0][...] = 0.0  # so that nothing overflows
    assert np.isfinite(net.predict(kind(np.full((3, 4), -largest)))).all()
    above = kind(np.full((3, 4), np.nextafter(largest, np.inf)))
    error_of(lambda: net.predict(above), "X contains")


@COMPARED
@cut_short
def test_numbers_that_vanish_in_float32_are_no_error(standardize, assert_alike):
    values, rounded = np.where(X > 0, X, 1e-300), np.where(X > 0, X, 0).astype(SINGLE)
    params = dict(standardize=standardize, max_iter=4)
    net = regressor(dtype="float32", **params).fit(values, NUMBERS)
    assert_alike(net, regressor(**params).fit(rounded, NUMBERS), X)


# -------------------------------------------------------------- a parameter like any


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("method", [clone, lambda net: pickle.loads(pickle.dumps(net))])
@ESTIMATORS
def test_copies_keep_the_precision(make, y, method, dtype):
    net = small(make, dtype=dtype).fit(X, y)
    copied = method(net)
    assert copied.get_params()["dtype"] == dtype
    again = clone(net).fit(X, y)
    assert_same(net, copied.fit(X, y), X)
    assert_same(pickle.loads(pickle.dumps(again)), again, X)
    assert dtypes(pickle.loads(pickle.dumps(again))) == {np.dtype(dtype)}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@ESTIMATORS
def test_a_pickled_network_is_carried_on_in_its_precision(make, y, dtype):
    net = small(make, dtype=dtype).fit(X, y)
    thawed = pickle.loads(pickle.dumps(net))
    assert_same(thawed.partial_fit(X, y), net.partial_fit(X, y), X)
    assert dtypes(thawed) == {np.dtype(dtype)}


@pytest.mark.parametrize(
    "dtype", ["float16", "double", "", np.float32, np.dtype("float32"), 32, True]
)
@ESTIMATORS
def test_an_unknown_precision_is_refused(make, y, dtype):
    words = ("'dtype' parameter", "'float32'", "'float64'", "None")
    net = small(make, dtype=dtype)
    error_of(lambda: net.fit(X, y), *words, error=InvalidParameterError)
    error_of(lambda: net.partial_fit(X, y), *words, error=InvalidParameterError)


def test_a_misspelt_precision_is_corrected():
    error_of(lambda: regressor(dtype="flaot32").fit(X, NUMBERS), "mean 'float32'")


@ESTIMATORS
def test_a_search_over_precisions(make, y):
    grid = {"dtype": [None, "float32", "float64"]}
    search = GridSearchCV(small(make), grid, cv=2, error_score="raise").fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    assert scores[0] == scores[2]
    np.testing.assert_allclose(scores[1], scores[0], atol=0.05)
    asked = search.best_params_["dtype"] or "float64"
    assert dtypes(search.best_estimator_) == {np.dtype(asked)}


def test_the_default_is_the_precision_of_the_input():
    for make in (BackpropClassifier, BackpropRegressor):
        assert make().dtype is None
    assert dtypes(classifier().fit(X, CODES)) == {DOUBLE}
    assert dtypes(classifier().fit(X.astype(SINGLE), CODES)) == {SINGLE}
