"""Errors for values that cannot be inputs or targets, in all methods."""

import datetime as dt
import warnings
from decimal import Decimal
from fractions import Fraction

import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import csr_array
from small_fits import (
    NUMBERS,
    THREE_CLASSES,
    TWO_CLASSES,
    X,
    classifier,
    ignore_convergence_warning,
    regressor,
)

pytestmark = ignore_convergence_warning
MAKE = {"classifier": classifier, "regressor": regressor}
VALID = {"classifier": THREE_CLASSES, "regressor": NUMBERS}
FRAME = pd.DataFrame(X, columns=list("abcd"))
DAYS = pd.date_range("2020-01-01", periods=40)
NAMES = np.array(["a", "b", "c"])[THREE_CLASSES]

#: Words that only NumPy and the encoders of scikit-learn use.
INTERNALS = (
    "ufunc",
    "UFunc",
    "SimpleImputer",
    "OneHotEncoder",
    "promoted",
    "ambiguous",
)


def call(where, estimator, X_given, y_given):
    """Pass data to one method of a new or fitted estimator."""
    make, valid = MAKE[estimator], VALID[estimator]
    chunk = {"classes": [0, 1, 2]} if estimator == "classifier" else {}
    if where == "fit":
        return make().fit(X_given, y_given)
    if where == "partial_fit":
        return make().partial_fit(X_given, y_given, **chunk)
    if where == "validation":
        return make().fit(X, valid, X_val=X_given, y_val=y_given)
    fitted = make(warm_start=True).fit(X, valid)
    if where == "predict":
        return fitted.predict(X_given)
    action = fitted.fit if where == "warm fit" else getattr(fitted, where)
    return action(X_given, y_given)


def check_error(where, estimator, X_given, y_given, error, words):
    with pytest.raises((TypeError, ValueError)) as caught:
        call(where, estimator, X_given, y_given)
    message = str(caught.value)
    assert isinstance(caught.value, error), message
    for word in words:
        assert word in message
    assert not any(word in message for word in INTERNALS), message


def with_value(value, values=X, dtype=object):
    changed = np.array(values, dtype)
    changed[3, 1] = value
    return changed


# --------------------------------------------------------------------------- inputs

#: Input data, the class of the error and words in its message.
BAD_INPUTS = {
    "None in rows": (
        with_value(None).tolist(),
        ValueError,
        ["X contains None in", "NaN"],
    ),
    "None in objects": (with_value(None), ValueError, ["None in column 1", "missing"]),
    "NA in objects": (with_value(pd.NA), ValueError, ["X contains <NA> in column 1"]),
    "string in rows": (
        with_value("a").tolist(),
        ValueError,
        ["X contains strings", "'a'"],
    ),
    "string in objects": (with_value("a"), ValueError, ["strings in column 1", "'a'"]),
    "numeric strings": (X.astype(str), ValueError, ["X contains strings in column 0"]),
    "numeric objects": (
        X.astype(str).astype(object),
        ValueError,
        ["X contains strings"],
    ),
    "dict": (with_value({"a": 1}), TypeError, ["type dict", "argument must be"]),
    "date in objects": (
        with_value(dt.date(2020, 1, 1)),
        ValueError,
        ["X contains dates"],
    ),
    "timestamps": (with_value(DAYS[0]), ValueError, ["X contains dates", "Timestamp"]),
    "datetime64": (
        np.tile(DAYS.to_numpy(), (4, 1)).T,
        ValueError,
        ["dates", "float"][:1],
    ),
    "timedelta64": (
        np.ones((40, 4), "timedelta64[D]"),
        ValueError,
        ["X contains dates"],
    ),
    "LazyFrame": (pl.LazyFrame(X), TypeError, ["X is a LazyFrame", "X.collect()"]),
    "Dask DataFrame": (
        dd.from_pandas(FRAME, npartitions=2),
        TypeError,
        ["X is a Dask DataFrame", "X.compute()", "skbackprop.dask"],
    ),
    "polars Series": (pl.Series(np.ones(40)), ValueError, ["Expected 2D array"]),
    "one dict": ({"a": 1}, TypeError, ["got dict", "pandas.DataFrame(X)"]),
    "records": ([{"a": 1.0}] * 40, TypeError, ["got a sequence of dict"]),
    "set": ({1.0, 2.0}, TypeError, ["got set"]),
    "huge integers in a column": (
        FRAME.assign(d=pd.Series([10**400] * 40, dtype=object)),
        ValueError,
        ["Input X contains", "too large"],
    ),
    "sparse dates": (
        FRAME.assign(d=pd.arrays.SparseArray(DAYS.to_numpy())),
        ValueError,
        ["X contains dates", "'d'"],
    ),
    "sparse strings": (
        FRAME.assign(s=pd.arrays.SparseArray(NAMES.astype(object))),
        ValueError,
        ["neither numeric nor categorical: 's' ("],
    ),
    "ragged rows": ([[1.0], *X[1:].tolist()], ValueError, ["X must be", "same number"]),
    "huge integers": (
        [[10**400] * 4, *X[1:].tolist()],
        ValueError,
        ["Input X contains"],
    ),
    "string column": (
        FRAME.assign(s=NAMES),
        ValueError,
        ["neither numeric nor categorical: 's' (", "a numeric dtype", "'category'"],
    ),
    "strings in object column": (
        FRAME.assign(s=pd.Series(NAMES, dtype=object)),
        ValueError,
        ["neither numeric nor categorical: 's' (object", "'category'"],
    ),
    "polars strings": (
        pl.DataFrame({"s": NAMES}),
        ValueError,
        ["neither", "'s' (String)"],
    ),
    "intervals": (
        pd.DataFrame(X, columns=[*"abci"]).assign(i=pd.interval_range(0, 40)),
        ValueError,
        ["neither numeric nor categorical: 'i' (interval"],
    ),
}


@pytest.mark.parametrize(
    "where", ["fit", "partial_fit", "warm fit", "predict", "score"]
)
@pytest.mark.parametrize("estimator", MAKE)
@pytest.mark.parametrize("kind", BAD_INPUTS)
@pytest.mark.filterwarnings("ignore:X has feature names")
def test_unsupported_inputs_raise(kind, estimator, where):
    X_bad, error, words = BAD_INPUTS[kind]
    check_error(where, estimator, X_bad, VALID[estimator], error, words)


@pytest.mark.parametrize("estimator", MAKE)
@pytest.mark.parametrize("kind", BAD_INPUTS)
@pytest.mark.filterwarnings("ignore:X has feature names")
def test_unsupported_validation_inputs_raise(kind, estimator):
    X_bad, error, words = BAD_INPUTS[kind]
    words = [*words, "In X_val, y_val or sample_weight_val"]
    check_error("validation", estimator, X_bad, VALID[estimator], error, words)


@pytest.mark.parametrize("values", [True, 2, 2.5, Fraction(1, 2), np.float32(1.5)])
def test_numeric_objects_are_numbers(values):
    objects = with_value(values)
    expected = regressor().fit(with_value(float(values), dtype=float), NUMBERS)
    for given in (objects, objects.tolist(), pd.DataFrame(objects)):
        fitted = regressor().fit(given, NUMBERS)
        np.testing.assert_array_equal(fitted.coefs_[0], expected.coefs_[0])


def test_missing_objects_in_mixed_data_are_imputed():
    values = with_value(np.nan)
    values[:, 0] = NAMES
    expected = classifier(categorical_features=[0]).fit(values, THREE_CLASSES)
    for missing in (None, pd.NA):
        given = values.copy()
        given[3, 1] = missing
        fitted = classifier(categorical_features=[0]).fit(given, THREE_CLASSES)
        np.testing.assert_array_equal(fitted.coefs_[0], expected.coefs_[0])
        df = pd.DataFrame(given).astype({0: "category"})
        fitted = classifier().fit(df, THREE_CLASSES)
        np.testing.assert_array_equal(fitted.coefs_[0], expected.coefs_[0])


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_sparse_inputs_raise_same_error_in_all_methods():
    df = FRAME.assign(s=pd.Categorical(NAMES))
    fitted = classifier().fit(df, THREE_CLASSES)
    chosen = classifier(categorical_features=[0])
    sparse = csr_array(np.ones((40, 5)))
    for action in (
        lambda: fitted.predict(sparse),
        lambda: fitted.partial_fit(sparse, THREE_CLASSES),
        lambda: chosen.fit(sparse, THREE_CLASSES),
    ):
        with pytest.raises(TypeError, match="Sparse data was passed for X, but dense"):
            action()
    with pytest.raises(TypeError, match="Sparse data was passed for y, but dense"):
        regressor().fit(X, csr_array(NUMBERS[:, np.newaxis]))


def test_array_after_dataframe_causes_one_warning():
    df = pd.DataFrame(X, columns=list("abcd")).assign(e=pd.Categorical(TWO_CLASSES))
    fitted = classifier().fit(df, THREE_CLASSES)
    with pytest.warns(UserWarning, match="does not have valid feature names") as caught:
        predicted = fitted.predict(df.to_numpy(float))
    assert len(caught) == 1
    assert "BackpropClassifier" in str(caught[0].message)
    np.testing.assert_array_equal(predicted, fitted.predict(df))


# -------------------------------------------------------------------------- targets


def labels_with(value):
    labels = NAMES.astype(object)
    labels[3] = value
    return labels


#: Targets, the class of the error and words in its message.
BAD_LABELS = {
    "None": (labels_with(None), ValueError, ["Input y contains NaN", "None"]),
    "None in list": (labels_with(None).tolist(), ValueError, ["Input y contains NaN"]),
    "NaN": (labels_with(np.nan), ValueError, ["Input y contains NaN"]),
    "NaN in list": (labels_with(np.nan).tolist(), ValueError, ["Input y contains NaN"]),
    "NA": (
        pd.Series(labels_with(pd.NA), dtype="string"),
        ValueError,
        ["Input y contains NaN"],
    ),
    "NA of integers": (
        pd.Series(THREE_CLASSES, dtype="Int64").where(THREE_CLASSES > 0),
        ValueError,
        ["Input y contains NaN"],
    ),
    "NA of bools": (
        pd.Series(TWO_CLASSES == 1, dtype="boolean").where(THREE_CLASSES > 0),
        ValueError,
        ["Input y contains NaN"],
    ),
    "missing category": (
        pd.Categorical(labels_with(None)),
        ValueError,
        ["contains NaN"],
    ),
    "polars null": (
        pl.Series(labels_with(None).tolist()),
        ValueError,
        ["contains NaN"],
    ),
    "NaT": (pd.Series(DAYS).where(THREE_CLASSES > 0), ValueError, ["contains NaN"]),
    "int and str": (
        labels_with(1),
        ValueError,
        ["Unknown label type: y", "int", "str"],
    ),
    "int and str in list": (labels_with(1).tolist(), ValueError, ["several types"]),
    "bool and str": (labels_with(True), ValueError, ["Unknown label type: y", "bool"]),
    "dict": (np.array([{}] * 40), ValueError, ["Unknown label type: y", "dict"]),
    "date objects": (
        np.array(DAYS.date),
        ValueError,
        ["Unknown label type: y", "date"],
    ),
    "periods": (DAYS.to_period("D"), ValueError, ["Unknown label type: y", "Period"]),
    "dates": (pd.Series(DAYS), ValueError, ["y contains dates", "strings"]),
    "datetime64": (DAYS.to_numpy(), ValueError, ["y contains dates", "2020-01-01"]),
    "time zone": (pd.Series(DAYS.tz_localize("UTC")), ValueError, ["y contains dates"]),
    "durations": (pd.Series(DAYS - DAYS[0]), ValueError, ["y contains dates"]),
    "category of dates": (pd.Series(DAYS, dtype="category"), ValueError, ["dates"]),
    "polars dates": (pl.Series(DAYS.date), ValueError, ["y contains dates"]),
    "huge integers": ([10**400, 1] * 20, ValueError, ["type int", "strings"]),
    "decimals": (
        np.array([1, Decimal(2)] * 20, object),
        ValueError,
        ["type Decimal, such as 2"],
    ),
    "ragged": ([[0], [1, 2]] * 20, ValueError, ["y must be", "MultiLabelBinarizer"]),
    "LazyFrame": (pl.LazyFrame({"y": NAMES}), TypeError, ["y is a LazyFrame"]),
}
BAD_NUMBERS = {
    "None": (
        np.where(TWO_CLASSES, NUMBERS, None),
        ValueError,
        ["Input y contains NaN"],
    ),
    "NA": (np.where(TWO_CLASSES, NUMBERS, pd.NA), ValueError, ["Input y contains NaN"]),
    "words": (NAMES, ValueError, ["y contains strings", "must be numbers"]),
    "word among numbers": (
        [*NUMBERS[1:], "a"],
        ValueError,
        ["y contains strings", "'a'"],
    ),
    "numeric strings": (NUMBERS.astype(str), ValueError, ["y contains strings"]),
    "numeric string objects": (
        NUMBERS.astype(str).astype(object),
        ValueError,
        ["y contains strings"],
    ),
    "pandas strings": (
        pd.Series(NUMBERS.astype(str)),
        ValueError,
        ["contains strings"],
    ),
    "dates": (pd.Series(DAYS), ValueError, ["y contains dates", "numbers"]),
    "time zone": (pd.Series(DAYS.tz_localize("UTC")), ValueError, ["y contains dates"]),
    "durations": (pd.Series(DAYS - DAYS[0]), ValueError, ["y contains dates"]),
    "periods": (pd.Series(DAYS.to_period("D")), ValueError, ["y contains dates"]),
    "polars dates": (pl.Series(DAYS.date), ValueError, ["y contains dates"]),
    "dict": (np.array([{}] * 40), TypeError, ["y contains values of type dict"]),
    "list": (
        np.array([*NUMBERS[1:], [1]], object),
        TypeError,
        ["y contains values of type list, such as [1]"],
    ),
    "huge integer": ([10**400, *NUMBERS[1:]], ValueError, ["Input y", "too large"]),
    "LazyFrame": (pl.LazyFrame({"y": NUMBERS}), TypeError, ["y is a LazyFrame"]),
}
BAD_TARGETS = [("classifier", kind, *bad) for kind, bad in BAD_LABELS.items()]
BAD_TARGETS += [("regressor", kind, *bad) for kind, bad in BAD_NUMBERS.items()]


@pytest.mark.parametrize(
    "where", ["fit", "partial_fit", "warm fit", "validation", "score"]
)
@pytest.mark.parametrize(
    ("estimator", "kind", "y", "error", "words"),
    BAD_TARGETS,
    ids=[f"{estimator}-{kind}" for estimator, kind, *_ in BAD_TARGETS],
)
def test_unsupported_targets_raise(where, estimator, kind, y, error, words):
    check_error(where, estimator, X, y, error, words)


@pytest.mark.parametrize("where", ["fit", "partial_fit", "warm fit", "validation"])
def test_labels_of_bytes_raise(where):
    words = ["labels represented as bytes"]
    check_error(where, "classifier", X, NAMES.astype("S"), TypeError, words)


@pytest.mark.parametrize("classes", [[None, "a"], [1, "a"], [np.nan, 1.0]], ids=str)
def test_unsupported_classes_raise(classes):
    with pytest.raises(ValueError, match="classes contains"):
        classifier().partial_fit(X, TWO_CLASSES, classes=classes)


@pytest.mark.parametrize("classes", [3, "ab", [[0, 1]]], ids=str)
def test_classes_must_have_one_dimension(classes):
    with pytest.raises(ValueError, match=r"classes must be an array-like .* got"):
        classifier().partial_fit(X, TWO_CLASSES, classes=classes)


def test_labels_can_be_strings_of_variable_width():
    labels = np.array(NAMES.tolist(), np.dtypes.StringDType())
    fitted = classifier().fit(X, labels)
    assert fitted.classes_.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(
        fitted.predict(X), classifier().fit(X, NAMES).predict(X)
    )


# ------------------------------------------------------------------- sample weights

#: Sample weights, the class of the error and words in its message.
BAD_WEIGHTS = {
    "dates": (DAYS, ValueError, ["datetime64"]),
    "date objects": (np.array(DAYS.date), ValueError, ["datetime.date(2020"]),
    "numeric strings": (["1"] * 40, ValueError, ["'1'"]),
    "words": (["a"] * 40, ValueError, ["'a'"]),
    "dict": ({"a": 1}, ValueError, ["type dict"]),
    "LazyFrame": (pl.LazyFrame({"w": np.ones(40)}), TypeError, ["is a LazyFrame"]),
    "NaN": ([np.nan] * 40, ValueError, ["NaN"]),
}


@pytest.mark.parametrize("where", ["fit", "partial_fit", "validation"])
@pytest.mark.parametrize("has_missing", [False, True])
@pytest.mark.parametrize("kind", BAD_WEIGHTS)
@pytest.mark.parametrize("estimator", MAKE)
def test_unsupported_weights_raise(estimator, kind, has_missing, where):
    weight, error, words = BAD_WEIGHTS[kind]
    net, y = MAKE[estimator](), VALID[estimator]
    inputs = with_value(np.nan, dtype=float) if has_missing else X
    method = net.partial_fit if where == "partial_fit" else net.fit
    kwargs = {"X": inputs, "y": y, "sample_weight": weight}
    if where == "validation":
        kwargs = {"X": X, "y": y, "X_val": inputs, "y_val": y}
        kwargs["sample_weight_val"] = weight
    if where == "partial_fit" and estimator == "classifier":
        kwargs["classes"] = [0, 1, 2]
    with pytest.raises(error, match="sample_weight") as caught:
        method(**kwargs)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "dtype"),
    [
        ((TWO_CLASSES == 1).astype(object), bool),
        ((TWO_CLASSES == 1).astype(object).tolist(), bool),
        (THREE_CLASSES.astype(object), int),
        (pd.Series(THREE_CLASSES, dtype=object), int),
        (THREE_CLASSES.astype(float).astype(object), float),
        (pl.Series([bool(code) for code in TWO_CLASSES], dtype=pl.Object), bool),
    ],
    ids=["bools", "list", "ints", "Series", "floats", "polars"],
)
def test_labels_in_object_arrays(labels, dtype):
    plain = np.array([dtype(label) for label in labels])
    fitted, expected = classifier().fit(X, labels), classifier().fit(X, plain)
    assert fitted.classes_.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(fitted.classes_, np.unique(plain))
    np.testing.assert_array_equal(fitted.coefs_[0], expected.coefs_[0])
    assert fitted.score(X, labels) == expected.score(X, plain)


@pytest.mark.parametrize("kind", ["object", "list", "Int64", "polars"])
def test_numeric_targets_in_containers(kind):
    counts = np.arange(40) // 4
    y = {
        "object": counts.astype(object),
        "list": counts.tolist(),
        "Int64": pd.Series(counts, dtype="Int64"),
        "polars": pl.Series(counts),
    }[kind]
    fitted, expected = regressor().fit(X, y), regressor().fit(X, counts)
    np.testing.assert_array_equal(fitted.coefs_[0], expected.coefs_[0])
    assert fitted.score(X, y) == expected.score(X, counts)


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
@pytest.mark.parametrize("nullable", [False, True])
def test_float32_columns_give_float32_network(make, nullable):
    df = make(X.astype(np.float32))
    if nullable and make is pd.DataFrame:
        df = df.astype("Float32")
    fitted = classifier().fit(df, THREE_CLASSES)
    assert fitted.coefs_[0].dtype == np.float32
    assert fitted.predict_proba(df).dtype == np.float32


def test_unknown_validation_labels_raise_without_advice_on_partial_fit():
    with pytest.raises(ValueError, match=r"classes not in .*from X_val and y_val") as e:
        classifier().fit(X, TWO_CLASSES, X_val=X, y_val=THREE_CLASSES)
    assert "partial_fit" not in str(e.value)


# ----------------------------------------------------------------------------- dates

DATE_COLUMNS = {
    "pandas": pd.DataFrame({"day": DAYS}),
    "pandas time zone": pd.DataFrame({"day": DAYS.tz_localize("UTC")}),
    "pandas integer name": pd.DataFrame({3: DAYS}),
    "pandas seconds": pd.DataFrame({"day": DAYS.astype("datetime64[s]")}),
    "pandas mixed": FRAME.assign(day=DAYS),
    "pandas duration": pd.DataFrame({"t": DAYS - DAYS[0]}),
    "pandas period": pd.DataFrame({"day": DAYS.to_period("D")}),
    "pandas objects": pd.DataFrame({"day": DAYS.date}),
    "pandas Timestamps": pd.DataFrame({"day": DAYS.astype(object)}, dtype=object),
    "pyarrow": pd.DataFrame({"day": DAYS}).astype("timestamp[us][pyarrow]"),
    "pyarrow date": pd.DataFrame({"day": DAYS}).astype("date32[day][pyarrow]"),
    "polars date": pl.DataFrame({"day": list(DAYS.date)}),
    "polars datetime": pl.DataFrame({"day": DAYS.to_numpy(), "x": NUMBERS}),
    "polars duration": pl.DataFrame({"t": (DAYS - DAYS[0]).to_numpy()}),
    "polars time": pl.DataFrame({"t": [dt.time(h % 24) for h in range(40)]}),
    "array": DAYS.to_numpy()[:, np.newaxis],
    "array of durations": (DAYS - DAYS[0]).to_numpy()[:, np.newaxis],
    "array of objects": DAYS.to_numpy(object)[:, np.newaxis],
}


@pytest.mark.parametrize("kind", DATE_COLUMNS)
def test_conversion_in_message_makes_dates_valid(kind):
    X = DATE_COLUMNS[kind]
    with pytest.raises(ValueError, match="X contains dates or durations in 1 col") as e:
        regressor().fit(X, NUMBERS)
    name = "0" if isinstance(X, np.ndarray) else repr(list(X.columns)[-1])
    assert name in str(e.value) or kind == "polars datetime"
    code = str(e.value).split("`")[1]
    scope = {"X": X.copy() if hasattr(X, "copy") else X, "pd": pd, "pl": pl, "np": np}
    exec(code, scope)
    fitted = regressor().fit(scope["X"], NUMBERS)
    assert np.isfinite(fitted.predict(scope["X"])).all()


@pytest.mark.parametrize("estimator", MAKE)
def test_dates_raise_in_prediction(estimator):
    numbers = pd.DataFrame({"day": np.arange(40.0)})
    fitted = MAKE[estimator]().fit(numbers, VALID[estimator])
    with pytest.raises(ValueError, match=r"'day' .*`X.'day'. = "):
        fitted.predict(pd.DataFrame({"day": DAYS}))


DATES_AS_CATEGORIES = {
    "pandas": pd.DataFrame({"day": DAYS}),
    "pandas objects": pd.DataFrame({"day": pd.Series(DAYS.date, dtype=object)}),
    "pandas periods": pd.DataFrame({"day": DAYS.to_period("D")}),
    "pandas category": pd.DataFrame({"day": pd.Categorical(DAYS)}),
    "category of periods": pd.DataFrame({"day": pd.Categorical(DAYS.to_period("D"))}),
    "category of objects": pd.DataFrame({"day": pd.Categorical(DAYS.date)}),
    "polars": pl.DataFrame({"day": DAYS.date}),
    "array": np.array(DAYS.date)[:, np.newaxis],
}


@pytest.mark.parametrize("method", ["fit", "partial_fit", "predict"])
@pytest.mark.parametrize("kind", DATES_AS_CATEGORIES)
@pytest.mark.parametrize("estimator", MAKE)
def test_dates_cannot_be_categories(estimator, kind, method):
    dates = DATES_AS_CATEGORIES[kind]
    net = MAKE[estimator](categorical_features=[0])
    if method == "predict":
        words = dates.astype(str) if not isinstance(dates, pl.DataFrame) else None
        words = pl.DataFrame({"day": NAMES}) if words is None else words
        net.fit(words, VALID[estimator])
        arguments = ()
    else:
        arguments = (VALID[estimator],)
        if (estimator, method) == ("classifier", "partial_fit"):
            arguments += (None, [0, 1, 2])
    with pytest.raises(ValueError, match=r"X contains dates.*convert them to strings"):
        getattr(net, method)(dates, *arguments)


@pytest.mark.parametrize("as_frame", [False, True])
def test_categories_must_be_hashable(as_frame):
    values = with_value([1])
    values = pd.DataFrame(values) if as_frame else values
    with pytest.raises(TypeError, match=r"categorical column 1 .* type list"):
        classifier(categorical_features=[1]).fit(values, TWO_CLASSES)


# ------------------------------------------------------------------- large integers

BIG = 2**60 + np.arange(3)


def ids(values, kind):
    """Return a DataFrame with a column of integers, of which some may be missing."""
    if kind == "polars":
        return pl.DataFrame({"x": np.zeros(len(values)), "id": values})
    column = pd.Series(values, dtype=kind)
    return pd.DataFrame({"x": 0.0, "id": column})


@pytest.mark.parametrize("kind", ["Int64", "UInt64", "int64[pyarrow]", "polars"])
def test_large_integers_are_different_categories(kind):
    complete = ids(BIG.tolist() * 20, kind)
    missing = ids([*BIG.tolist(), None] * 15, kind)
    y = np.arange(60) % 3
    params = dict(solver="lbfgs", max_iter=100, categorical_features=["id"])
    for train, y_train in ((complete, y), (missing, np.arange(60) % 4)):
        net = classifier(**params).fit(train, y_train)
        expected = y_train[:3]
        np.testing.assert_array_equal(net.predict(complete[:3]), expected)
        np.testing.assert_array_equal(net.predict(missing[:4])[:3], expected)
    chunks = classifier(categorical_features=["id"])
    chunks.partial_fit(complete, y, classes=[0, 1, 2])
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no new categories
        chunks.partial_fit(missing, y)


def test_large_integers_in_float_columns_raise():
    floats = pd.DataFrame({"x": 0.0, "id": [*BIG.astype(float), np.nan] * 10})
    y = np.arange(40) % 2
    with pytest.raises(ValueError, match=r"'id'.*float.*above 2\*\*53"):
        classifier(categorical_features=["id"]).fit(floats, y)
    integers = pd.DataFrame({"x": 0.0, "id": BIG.tolist() * 10})
    net = classifier(categorical_features=["id"]).fit(integers, y[:30])
    with pytest.raises(ValueError, match=r"'id'.*float.*above 2\*\*53"):
        net.predict(floats)


# -------------------------------------------------------------------- new categories


def shops(*names, size=40):
    return pd.DataFrame({"shop": np.resize(names, size)}).astype("category")


NEW_LEVELS = {
    "category": (shops("a", "b"), shops("a", "c", "d"), "column 'shop': 'c', 'd'"),
    "many": (
        shops("a", "b"),
        shops(*"abcdefghij"),
        "column 'shop': 'c', 'd', 'e', 'f', 'g' and 3 more",
    ),
    "polars": (
        pl.DataFrame({"shop": ["a", "b"] * 20}, schema={"shop": pl.Categorical}),
        pl.DataFrame({"shop": ["c", None] * 20}, schema={"shop": pl.Categorical}),
        "column 'shop': 'c'",
    ),
    "array": (np.resize([1.0, 2.0], (40, 1)), np.resize([1.0, 7.0], (40, 1)), "0: 7.0"),
    "list": ([["a"], ["b"]] * 20, [["a"], ["c"]] * 20, "column 0: 'c'"),
}


@pytest.mark.parametrize("kind", NEW_LEVELS)
@pytest.mark.parametrize("estimator", MAKE)
@pytest.mark.parametrize("method", ["partial_fit", "fit"])
def test_new_categories_in_later_training_data_warn_once(kind, estimator, method):
    first, later, words = NEW_LEVELS[kind]
    chosen = "from_dtype" if hasattr(first, "columns") else [0]
    net = MAKE[estimator](warm_start=True, categorical_features=chosen)
    net.fit(first, VALID[estimator])
    with pytest.warns(UserWarning, match="does not know") as caught:
        getattr(net, method)(later, VALID[estimator])
    messages = [str(w.message) for w in caught if "does not know" in str(w.message)]
    assert len(messages) == 1
    assert f"{words}." in messages[0]
    assert "CategoricalDtype" in messages[0]


def test_known_missing_and_unused_categories_do_not_warn():
    dtype = pd.CategoricalDtype(["a", "b", "c"])
    first, later = shops("a", "b"), shops("a", "b")
    later["shop"] = later["shop"].astype(dtype)  # declares c, which does not occur
    later.loc[3, "shop"] = None
    net = classifier().fit(first, TWO_CLASSES)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.partial_fit(later, TWO_CLASSES)
        net.predict(shops("c", "d"))
        net.score(shops("c", "d"), TWO_CLASSES)
    rows = np.resize(np.array(["a", "b"], object), (40, 1))
    net = classifier(categorical_features=[0]).fit(rows, TWO_CLASSES)
    rows[3] = None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.partial_fit(rows, TWO_CLASSES)
    net = classifier()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", category=RuntimeWarning)
        warnings.filterwarnings("ignore", "Stochastic Optimizer")
        net.fit(first, TWO_CLASSES, X_val=shops("a", "z"), y_val=TWO_CLASSES)


def test_messages_contain_the_index_of_a_column_without_its_type():
    X = np.array([[1.0, "a"], [2.0, "b"]] * 20, dtype=object)
    network = classifier(categorical_features=[1]).fit(X, np.arange(40) % 2)
    with pytest.raises(ValueError, match="The categorical column 1 of X contains"):
        network.predict(np.zeros((2, 2)))
