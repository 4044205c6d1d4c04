"""Exported graphs answer as the estimators do, in ONNX Runtime itself."""

import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from example_counts import examples
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import BaggingClassifier, StackingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from small_fits import error_of
from small_networks import (
    CODES,
    ENDS,
    LABELS,
    NAMES,
    NUMBERS,
    X,
    classifier,
    frame,
    regressor,
    small,
)

import skbackprop
from skbackprop import Activation, BackpropClassifier, BackpropRegressor
from skbackprop.core.activations import ACTIVATIONS, OUTPUT_ACTIVATIONS, ReLU

skl2onnx = pytest.importorskip("skl2onnx")
onnxruntime = pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")

from skbackprop.onnx import FORMULAS, TARGET_OPSET, to_onnx  # noqa: E402

TWO = (NUMBERS > 0).astype(int)
TARGETS = np.column_stack([NUMBERS, 1e3 + 50.0 * X[:, 2], X[:, 1] * X[:, 3]])
HIDDEN = sorted(ACTIVATIONS.keys() - {"logistic"})  # a second name of "sigmoid"
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
EITHER = pytest.mark.parametrize(
    ("make", "y"), [(BackpropClassifier, NAMES), (BackpropRegressor, NUMBERS)]
)
#: How far answers may be from those expected, of a regressor in parts of the largest.
CLOSE = {"float32": 1e-5, "float64": 1e-11}
NUMPY_TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(int8)": np.int8,
    "tensor(uint8)": np.uint8,
    "tensor(bool)": np.bool_,
    "tensor(string)": object,
}


# ------------------------------------------------------------ what all tests ask for


def session_of(exported):
    onnx.checker.check_model(exported, full_check=True)
    return onnxruntime.InferenceSession(
        exported.SerializeToString(), providers=["CPUExecutionProvider"]
    )


def feeds(session, X):
    """Return what goes into a session: an array, or the columns of a frame."""
    inputs = session.get_inputs()
    if not hasattr(X, "columns"):
        (single,) = inputs
        assert NUMPY_TYPES[single.type] == X.dtype or X.dtype.kind == "U"
        return {single.name: X}
    fed = {}
    for single, name in zip(inputs, X.columns, strict=True):
        column = np.asarray(X[name])[:, np.newaxis]
        if single.type == "tensor(string)":
            column = np.where(pd.isna(column), "", column).astype(object)
        fed[single.name] = column.astype(NUMPY_TYPES[single.type])
    return fed


def answers(exported, X):
    session = session_of(exported)
    return session.run(None, feeds(session, X))


def precision(model, X):
    """Return the narrowest precision that a network and its samples have."""
    steps = [model]
    while hasattr(steps[-1], "best_estimator_") or isinstance(steps[-1], Pipeline):
        last = steps[-1]
        steps.append(getattr(last, "best_estimator_", None) or last.steps[-1][1])
    dtypes = [*X.dtypes] if hasattr(X, "columns") else [X.dtype]
    wide = steps[-1]._state.network.dtype == np.float64 and np.float64 in dtypes
    return "float64" if wide else "float32"


def assert_same_answers(model, exported, X, close=CLOSE):
    tolerance = close[precision(model, X)]
    if not is_classifier(model):
        (predicted,) = answers(exported, X)
        expected = model.predict(X)
        expected = expected.reshape(len(X), -1)
        assert predicted.shape == expected.shape
        atol = tolerance * np.abs(expected).max(axis=0)
        assert (np.abs(predicted - expected) <= atol).all()
        return
    labels, probabilities = answers(exported, X)
    expected = model.predict(X)
    expected = expected.toarray() if sp.issparse(expected) else expected
    np.testing.assert_array_equal(labels, expected)
    assert labels.shape == expected.shape
    proba = model.predict_proba(X)
    np.testing.assert_allclose(probabilities, proba, rtol=0.0, atol=tolerance)
    assert probabilities.min() > 0.0
    assert probabilities.max() < 1.0


def check(model, X):
    """Export a model, and compare it on the samples; return the graph."""
    exported = to_onnx(model, X)
    assert_same_answers(model, exported, X)
    return exported


# ------------------------------------------------------------------ activations


def test_there_is_a_formula_for_every_activation():
    assert FORMULAS.keys() == set(OUTPUT_ACTIVATIONS.values())


@DTYPES
@pytest.mark.parametrize("activation", HIDDEN)
@EITHER
def test_hidden_activations(make, y, activation, dtype):
    net = small(make, activation=activation, dtype=dtype, standardize=False)
    check(net.fit(3.0 * X, y), 3.0 * X)


@DTYPES
@pytest.mark.parametrize("activation", HIDDEN)
def test_an_activation_is_exact_from_end_to_end(activation, dtype):
    # A single unit whose weight is 1 hands on the inputs as they are.
    z = np.r_[np.linspace(-30.0, 30.0, 4001), -1e3, 1e3][:, np.newaxis].astype(dtype)
    net = BackpropRegressor((1,), activation, standardize=False, **ENDS)
    net.fit(z, z[:, 0])
    net._scales = type(net._scales)()
    for W, b in zip(net.coefs_, net.intercepts_, strict=True):
        W.fill(1.0)
        b.fill(0.0)
    (a,) = answers(to_onnx(net, z), z)
    eps = 20 * np.finfo(dtype).eps
    # Erf and the exponential less 1 have lost what they have left near nothing. Some
    # exponentials of large negative numbers are subnormal ones in the place of 0.
    atol = eps if activation in ("elu", "gelu") else np.finfo(dtype).tiny
    np.testing.assert_allclose(a[:, 0], net.predict(z), rtol=eps, atol=atol)


@DTYPES
def test_each_layer_has_an_activation_of_its_own(dtype):
    net = BackpropClassifier((7, 6, 5), ("tanh", "gelu", "softplus"), **ENDS)
    check(net.set_params(dtype=dtype).fit(X, NAMES), X)


def test_settings_of_an_activation_are_exported():
    steep = OUTPUT_ACTIVATIONS["leaky_relu"]()
    steep.slope = 0.3
    net = regressor(activation=steep, standardize=False).fit(X, NUMBERS)
    check(net, X)


def test_no_hidden_layer():
    check(BackpropClassifier((), **ENDS).fit(X, NAMES), X)
    check(BackpropRegressor((), **ENDS).fit(X, NUMBERS), X)


@DTYPES
@pytest.mark.parametrize("output_activation", sorted(OUTPUT_ACTIVATIONS))
@pytest.mark.parametrize("y", [TWO, CODES, LABELS], ids=["two", "three", "labels"])
def test_output_activations_of_a_classifier(y, output_activation, dtype):
    if output_activation == "softmax" and y is not CODES:
        return  # which fit refuses
    net = classifier(output_activation=output_activation, dtype=dtype)
    check(net.fit(X, y), X)


@DTYPES
@pytest.mark.parametrize("output_activation", sorted(OUTPUT_ACTIVATIONS))
def test_output_activations_of_a_regressor(output_activation, dtype):
    net = regressor(output_activation=output_activation, dtype=dtype)
    check(net.fit(X, TARGETS / 1e3), X)


def test_a_single_output_of_increasing_ones():
    check(regressor(output_activation="increasing").fit(X, NUMBERS), X)


# ----------------------------------------------------------------------- losses


@DTYPES
@pytest.mark.parametrize(
    "params",
    [
        {"loss": "squared_error"},
        {"loss": "absolute_error"},
        {"loss": "huber"},
        {"loss": "quantile", "quantile": 0.9},
        {"loss": "quantile", "quantile": [0.1, 0.5, 0.8]},
        {"loss": lambda y, a: ((a - y) ** 4 / 4, (a - y) ** 3)},
    ],
    ids=["squared", "absolute", "huber", "quantile", "quantiles", "own"],
)
def test_losses_of_a_regressor(params, dtype):
    # Targets far from 0: their scale has to be restored.
    net = regressor(dtype=dtype, **params).fit(X, 1e4 + 300.0 * NUMBERS)
    check(net, X)


def test_several_quantiles_carry_the_unit_of_their_scale():
    net = regressor(loss="quantile", quantile=[0.1, 0.5, 0.9])
    # A second call in other units, which the output layer takes over.
    net.partial_fit(X, NUMBERS).partial_fit(X, 50.0 * NUMBERS)
    assert net._state.network.activations[-1].unit != 1.0
    check(net, X)


@DTYPES
def test_counts(dtype):
    counts = np.random.default_rng(0).poisson(np.exp(X[:, 0])).astype(float)
    check(regressor(loss="poisson", dtype=dtype).fit(X, counts), X)
    net = regressor(loss="poisson", output_activation="softplus", dtype=dtype)
    check(net.fit(X, counts), X)


@DTYPES
@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@pytest.mark.parametrize("y", [TWO, CODES, LABELS], ids=["two", "three", "labels"])
def test_losses_of_a_classifier(y, loss, dtype):
    check(classifier(loss=loss, dtype=dtype).fit(X, y), X)


@DTYPES
def test_several_targets(dtype):
    exported = check(regressor(dtype=dtype).fit(X, TARGETS), X)
    shape = exported.graph.output[0].type.tensor_type.shape
    assert shape.dim[1].dim_value == 3


# ----------------------------------------------------------------------- labels


@pytest.mark.parametrize(
    "names",
    [
        ["high", "low", "mid"],
        ["ä", "ö€", "ü 😀"],
        [-7, 3, 12],
        np.array([1, 2, 3], np.int32),
        np.array([0, 1, 255], np.uint8),
        [2.0, 3.0, 5.0],
        [2**40, 2**41, 2**42],
    ],
    ids=["words", "umlauts", "ints", "int32", "uint8", "floats", "large"],
)
def test_labels(names):
    names = np.asarray(names)
    check(classifier().fit(X, names[CODES]), X)
    check(classifier().fit(X, names[TWO]), X)


def test_labels_beyond_int64_are_refused():
    beyond = np.array([1, 2**63], np.uint64)
    net = classifier().fit(X, beyond[TWO])
    with pytest.raises(ValueError, match="beyond int64"):
        to_onnx(net, X)


def test_words_as_objects():
    check(classifier().fit(X, NAMES.astype(object)), X)


def test_bools_come_as_int64():
    net = classifier().fit(X, TWO.astype(bool))
    labels, _ = answers(check(net, X), X)
    assert labels.dtype == np.int64


def test_labels_and_probabilities_are_arrays_without_zipmap():
    exported = to_onnx(classifier().fit(X, NAMES), X)
    assert [output.name for output in exported.graph.output] == [
        "label",
        "probabilities",
    ]
    labels, probabilities = answers(exported, X)
    assert labels.shape == (90,)
    assert probabilities.shape == (90, 3)
    assert probabilities.dtype == np.float64


def test_sparse_label_indicators_come_dense():
    check(classifier().fit(X, sp.csr_matrix(LABELS)), X)


@pytest.mark.parametrize("output_activation", ["logistic", "identity", "softplus"])
def test_of_two_classes_that_are_tied_the_first_is_said(output_activation):
    net = classifier(output_activation=output_activation).fit(X, TWO)
    net.coefs_[-1].fill(0.0)
    # The outputs are one half exactly; or as near to it as they get.
    half = {"logistic": 0.0, "identity": 0.5, "softplus": np.log(np.expm1(0.5))}
    net.intercepts_[-1].fill(half[output_activation])
    assert set(net.predict(X)) == {0}
    check(net, X)


@pytest.mark.parametrize("output_activation", ["logistic", "softmax", "relu"])
def test_of_several_that_are_tied_the_first_is_said(output_activation):
    net = classifier(output_activation=output_activation).fit(X, NAMES)
    net.coefs_[-1][:, 2] = net.coefs_[-1][:, 1]
    net.intercepts_[-1][:] = [-50.0, 30.0, 30.0]
    assert set(net.predict(X)) == {"low"}
    check(net, X)


def test_labels_that_are_tied_are_not_said():
    net = classifier().fit(X, LABELS)
    net.coefs_[-1].fill(0.0)
    net.intercepts_[-1][:] = [0.0, 1e-300, -1e-300]
    labels, _ = answers(check(net, X), X)
    assert labels[0].tolist() == [0, 1, 0]


@DTYPES
def test_labels_are_those_of_logits_where_probabilities_have_rounded(dtype):
    net = classifier(dtype=dtype).fit(X, NAMES)
    net.coefs_[-1].fill(0.0)
    net.intercepts_[-1][:] = [40.0, 60.0, 50.0]  # whose sigmoids are 1, all three
    assert set(net.predict(X)) == {"low"}
    check(net, X)


# ---------------------------------------------------------------- probabilities


@DTYPES
@pytest.mark.parametrize("y", [TWO, CODES, LABELS], ids=["two", "three", "labels"])
@pytest.mark.parametrize("certain", [1e4, -1e4])
def test_no_network_is_certain(y, certain, dtype):
    rows = X.astype(dtype)
    net = classifier(loss="log_loss", dtype=dtype).fit(rows, y)
    net.intercepts_[-1][0] = certain
    _, probabilities = answers(check(net, rows), rows)
    np.testing.assert_allclose(probabilities, net.predict_proba(rows), rtol=1e-5)
    limits = np.finfo(dtype)
    ends = probabilities.max() if certain > 0 else probabilities.min()
    assert ends == (1.0 - limits.epsneg if certain > 0 else limits.tiny)


def test_probabilities_are_between_0_and_1_in_single_precision_too():
    net = classifier(loss="log_loss").fit(X, TWO)
    net.intercepts_[-1][0] = 1e4
    rows = X.astype(np.float32)
    _, probabilities = answers(check(net, rows), rows)
    assert probabilities.dtype == np.float32
    assert probabilities.max() == 1.0 - np.finfo(np.float32).epsneg
    assert probabilities.min() == np.finfo(np.float32).tiny


@DTYPES
def test_outputs_of_zero_throughout_make_no_difference(dtype):
    net = classifier(output_activation="relu", dtype=dtype).fit(X, NAMES)
    net.intercepts_[-1].fill(-1e3)
    _, probabilities = answers(check(net, X), X)
    np.testing.assert_allclose(probabilities, 1.0 / 3.0, rtol=1e-6)


@DTYPES
def test_outputs_below_zero_are_lifted(dtype):
    net = classifier(output_activation="identity", dtype=dtype).fit(X, NAMES)
    net.intercepts_[-1][:] = [-2.0, -1.5, 0.3]
    check(net, X)


@DTYPES
def test_outputs_as_large_as_numbers_get_are_divided(dtype):
    net = classifier(output_activation="exp", dtype=dtype).fit(X, NAMES)
    net.coefs_[-1].fill(0.0)
    net.intercepts_[-1][:] = [1e3, 1e3, -1.0]
    with np.errstate(over="ignore"):
        _, probabilities = answers(check(net, X), X)
    np.testing.assert_allclose(probabilities[0], [0.5, 0.5, 0.0], atol=1e-6)


@DTYPES
@pytest.mark.parametrize("output_activation", ["logistic", "softplus"])
def test_outputs_near_nothing_keep_their_proportions(output_activation, dtype):
    net = classifier(output_activation=output_activation, dtype=dtype).fit(X, NAMES)
    net.intercepts_[-1][:] = [-31.0, -33.0, -30.0]
    net.coefs_[-1][...] *= 0.1
    check(net, X)


# ----------------------------------------------------------------------- inputs


@DTYPES
@pytest.mark.parametrize("standardize", [True, False])
@EITHER
def test_inputs_as_they_come_or_standardised(make, y, standardize, dtype):
    check(small(make, dtype=dtype, standardize=standardize).fit(X, y), X)


@DTYPES
@EITHER
def test_outliers_and_constants(make, y, dtype):
    hard = np.column_stack([X, np.full(90, 7.0), np.zeros(90)])
    net = small(make, dtype=dtype).fit(hard, y)
    far = hard.copy()
    far[::5, 0] *= 1e6
    far[1::5, 1] = -1e30
    far[2::5, 4] = 1e3
    check(net, hard)
    check(net, far)


@DTYPES
@pytest.mark.parametrize("given", ["float32", "float64"])
@EITHER
def test_dates(make, y, given, dtype):
    # Seconds since 1970, minutes apart: in single precision all of an hour is the same.
    seconds = (1.7e9 + 60.0 * X).astype(given)
    check(small(make, dtype=dtype).fit(seconds, y), seconds)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_tiny_deviations(dtype):
    # 1 over the deviation is beyond single precision.
    tiny = 1e-42 * X
    check(classifier(dtype=dtype).fit(tiny, NAMES), tiny)


@DTYPES
@pytest.mark.parametrize("given", ["float32", "float64"])
@EITHER
def test_types_of_the_inputs_are_those_of_the_samples(make, y, given, dtype):
    net = small(make, dtype=dtype).fit(X, y)
    rows = X.astype(given)
    exported = check(net, rows)
    assert answers(exported, rows)[-1].dtype == given


@pytest.mark.parametrize("given", ["int64", "int32", "int8", "uint8", "bool"])
@DTYPES
@EITHER
def test_whole_numbers(make, y, dtype, given):
    whole = np.abs(10.0 * X).astype(given)
    exported = check(small(make, dtype=dtype).fit(whole, y), whole)
    # Of the two outputs of a classifier a ZipMap, say, wants float32.
    expected = dtype if make is BackpropRegressor else "float32"
    assert answers(exported, whole)[-1].dtype == expected


def test_lists_and_a_single_row_say_what_types_there_are():
    net = classifier().fit(X, NAMES)
    assert_same_answers(net, to_onnx(net, X[:1]), X)
    assert_same_answers(net, to_onnx(net, X.tolist()), X)


@DTYPES
@EITHER
def test_batches_of_any_number_of_rows(make, y, dtype):
    net = small(make, dtype=dtype).fit(X, y)
    exported = to_onnx(net, X)
    many = np.random.default_rng(1).normal(size=(3000, 4))
    for rows in (X[:1], X[:2], many):
        assert_same_answers(net, exported, rows)
    nothing = answers(exported, X[:0])
    assert [len(output) for output in nothing] == [0] * len(nothing)


@EITHER
def test_networks_fitted_to_sparse_rows_take_dense_ones(make, y):
    rows = np.where(np.abs(X) > 0.5, X, 0.0)
    check(small(make).fit(sp.csr_array(rows), y), rows)


def test_a_single_feature():
    check(classifier().fit(X[:, :1], NAMES), X[:, :1])


@EITHER
def test_networks_that_carried_on(make, y):
    net = small(make)
    for rows in (slice(0, 90), slice(0, 60), slice(30, 90)):
        if make is BackpropClassifier:
            net.partial_fit(X[rows] * 2.0, y[rows], classes=np.unique(y))
        else:
            net.partial_fit(X[rows] * 2.0, y[rows] + 10.0)
    check(net, X)


# ----------------------------------------------------------------------- frames

COLORS, AGES = ["red", "green", "blue", "none such"], [30, 2, 10]


def people(n_rows=90, seed=0):
    """Make a frame with words, categories of numbers, gaps and bools."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "color": pd.Categorical(rng.choice(COLORS[:3], n_rows), COLORS),
            "income": 1e4 * np.exp(rng.normal(size=n_rows)),
            "group": pd.Categorical(rng.choice(AGES, n_rows), AGES),
            "age": rng.normal(40.0, 12.0, n_rows),
            "flag": rng.random(n_rows) > 0.5,
            "children": rng.poisson(1.0, n_rows),
            "member": pd.Categorical(rng.random(n_rows) > 0.3),
            "share": pd.Categorical(rng.choice([0.1, 0.25], n_rows)),
        }
    )
    table.loc[::7, "age"] = np.nan
    table.loc[3, "color"] = None
    table.loc[4:6, "group"] = None
    table.loc[5, ["member", "share"]] = None
    return table


@DTYPES
@pytest.mark.parametrize("standardize", [True, False])
@EITHER
def test_frames_with_categories_and_gaps(make, y, standardize, dtype):
    net = small(make, standardize=standardize, dtype=dtype).fit(people(), y)
    exported = check(net, people())
    assert_same_answers(net, exported, people(300, seed=1))
    assert_same_answers(net, exported, people(8, seed=2)[:1])
    # Gaps where the fit had none, which have no indicator.
    others = people(seed=3)
    others.loc[::3, "income"] = np.nan
    assert_same_answers(net, exported, others)


def test_inputs_are_the_columns_in_their_order():
    net = classifier().fit(people(), NAMES)
    inputs = session_of(to_onnx(net, people())).get_inputs()
    assert [single.name for single in inputs] == list(people().columns)
    assert [single.type for single in inputs] == [
        "tensor(string)",
        "tensor(double)",
        "tensor(double)",
        "tensor(double)",
        "tensor(bool)",
        "tensor(int64)",
        "tensor(double)",
        "tensor(double)",
    ]
    assert all(single.shape[1] == 1 for single in inputs)


def test_levels_that_the_fit_has_not_met():
    net = classifier().fit(people(), NAMES)
    others = people(seed=1)
    others["color"] = pd.Categorical(np.where(X[:, 0] > 0, "yellow", "red"))
    others["group"] = pd.Categorical(np.where(X[:, 1] > 0, 11, 2))
    check(net, others)
    assert_same_answers(net, to_onnx(net, people()), others)


def test_categories_in_the_sample_may_be_missing_or_not():
    net = classifier().fit(people(), NAMES)
    for row in (0, 3, 5):
        assert_same_answers(net, to_onnx(net, people()[row : row + 1]), people())


def test_large_categories_keep_their_digits():
    table = pd.DataFrame({"id": pd.Categorical((2**60 + np.arange(3))[CODES])})
    net = classifier().fit(table, NAMES)
    exported = check(net, table)
    assert session_of(exported).get_inputs()[0].type == "tensor(int64)"


@EITHER
def test_frames_of_numbers(make, y):
    table = frame()
    table["b"] = table["b"].astype("float32")
    net = small(make).fit(table, y)
    exported = check(net, table)
    assert [single.name for single in exported.graph.input] == list("abcd")
    single_precision = frame().astype("float32")
    check(small(make).fit(single_precision, y), single_precision)


def test_frames_of_categories_alone():
    table = people()[["color", "group"]]
    check(classifier().fit(table, NAMES), table)
    check(classifier().fit(table[["color"]], NAMES), table[["color"]])


def test_a_column_in_which_all_is_missing():
    table = frame().assign(e=np.nan)
    net = classifier().fit(table, NAMES)
    check(net, table)
    check(net, frame().assign(e=1.0))
    none = frame().assign(e=pd.Categorical([None] * 90))
    check(classifier().fit(none, NAMES), none)


def test_nullable_numbers_of_pandas():
    table = frame().assign(
        b=pd.array([1, None, 3] * 30, "Int64"), c=pd.array([True, None] * 45, "boolean")
    )
    exported = check_nullable(classifier().fit(table, NAMES), table)
    types = [single.type for single in session_of(exported).get_inputs()]
    assert types == ["tensor(double)"] * 4


def test_nullable_numbers_have_a_place_for_gaps_whatever_the_sample_has():
    table = frame().assign(
        a=pd.array([1.5, None, 3.0] * 30, "Float32"),
        b=pd.array([1, None, 3] * 30, "Int64"),
        c=pd.array([True, None] * 45, "boolean"),
        d=pd.array([1.5, 2.0, None] * 30, "Float64"),
    )
    net = classifier().fit(table, NAMES)
    for sample in (table[:1], table[:3]):
        exported = to_onnx(net, sample)
        types = [single.type for single in session_of(exported).get_inputs()]
        assert types == ["tensor(float)"] + ["tensor(double)"] * 3
        columns = {
            name: table[[name]].to_numpy(float, na_value=np.nan) for name in "bcd"
        }
        columns["a"] = table[["a"]].to_numpy(np.float32, na_value=np.nan)
        labels, probabilities = session_of(exported).run(None, columns)
        np.testing.assert_array_equal(labels, net.predict(table))
        np.testing.assert_allclose(probabilities, net.predict_proba(table), atol=1e-5)


def check_nullable(net, table):
    exported = to_onnx(net, table)
    session = session_of(exported)
    columns = {name: table[[name]].to_numpy(float, na_value=np.nan) for name in table}
    labels, _ = session.run(None, columns)
    np.testing.assert_array_equal(labels, net.predict(table))
    return exported


def test_frames_of_polars():
    words = ["a", None, "b"] * 30
    table = pl.DataFrame(X, schema=list("abcd")).with_columns(
        pl.Series("e", words, pl.Categorical),
        pl.Series("f", words, pl.Enum(["b", "a"])),
    )
    net = classifier().fit(table, NAMES)
    exported = to_onnx(net, table)
    assert_same_answers(net, exported, table)


def test_arrays_with_categories_and_gaps():
    table = np.column_stack([X[:, :2], CODES, np.where(CODES == 1, np.nan, X[:, 3])])
    net = classifier(categorical_features=[2]).fit(table, NAMES)
    check(net, table)
    single_precision = table.astype(np.float32)
    net = classifier(categorical_features=[2]).fit(single_precision, NAMES)
    check(net, single_precision)
    check(net, table)


def test_arrays_of_words():
    words = np.array(COLORS)[np.digitize(X, [-1.0, 0.0, 1.0])]
    net = classifier(categorical_features=[0, 1, 2, 3])
    check(net.fit(words, NAMES), words)
    check(net.fit(words.astype(object), NAMES), words.astype(object))


def test_categories_of_single_precision_are_those_of_the_fit():
    shares = np.array([0.1, 0.25, 0.7], np.float32)[CODES][:, np.newaxis]
    net = classifier(categorical_features=[0]).fit(shares, NAMES)
    check(net, shares)
    wide = np.array([0.1, 0.25, 0.7])[CODES][:, np.newaxis]  # 0.25 alone is the same
    check(net, wide)


def test_categories_beyond_what_floats_can_tell_apart():
    numbers = (2**60 + np.arange(3))[CODES][:, np.newaxis]
    net = classifier(categorical_features=[0]).fit(numbers, NAMES)
    check(net, numbers)


@pytest.mark.parametrize(
    "names", [["hours per week", "a-b", "label", "probabilities"], [0, 1, 2, 3]]
)
def test_columns_of_any_name(names):
    table = frame().set_axis(names, axis=1)
    check(classifier().fit(table, NAMES), table)


# ------------------------------------------------------- pipelines and searches


@DTYPES
@EITHER
def test_pipelines(make, y, dtype):
    rows = X.astype(dtype)
    for steps in ([StandardScaler()], [StandardScaler(), PCA(3)]):
        check(make_pipeline(*steps, small(make)).fit(rows, y), rows)


@EITHER
@pytest.mark.parametrize("first", ["flag", "count", "seconds", "float"])
def test_pipelines_of_frames_keep_double_precision(make, y, first):
    table = pd.DataFrame(
        {
            "flag": X[:, 0] > 0,
            "count": np.arange(90),
            "seconds": 1.7e9 + X[:, 1],  # since 1970
            "float": X[:, 2].astype(np.float32),
        }
    )
    table = table[[first, *table.columns.drop(first)]]
    for steps in ([StandardScaler()], [StandardScaler(), PCA(3)]):
        check(make_pipeline(*steps, small(make)).fit(table, y), table)
    table["seconds"] -= 1.7e9
    check(make_pipeline(PCA(3), small(make)).fit(table, y), table)


@EITHER
def test_pipelines_of_frames_of_single_precision(make, y):
    table = frame().astype(np.float32)
    exported = check(make_pipeline(PCA(3), small(make)).fit(table, y), table)
    feed = feeds(session_of(exported), table)
    assert {column.dtype for column in feed.values()} == {np.dtype(np.float32)}


@EITHER
def test_pipelines_of_whole_numbers_keep_double_precision(make, y):
    seconds = (1.7e9 + 10.0 * X).astype(np.int64)
    exported = check(
        make_pipeline(StandardScaler(), small(make)).fit(seconds, y), seconds
    )
    assert answers(exported, seconds)[-1].dtype == np.float64


@EITHER
def test_the_network_alone_in_a_pipeline(make, y):
    check(make_pipeline(small(make)).fit(people(), y), people())
    check(make_pipeline("passthrough", None, small(make)).fit(X, y), X)


@EITHER
def test_pipelines_in_pipelines(make, y):
    inner = make_pipeline(PCA(3), small(make))
    check(make_pipeline(make_pipeline(StandardScaler()), inner).fit(X, y), X)


@EITHER
def test_networks_that_have_been_in_a_file(make, y):
    for rows in (X, people()):
        check(pickle.loads(pickle.dumps(small(make).fit(rows, y))), rows)


@EITHER
def test_column_transformers(make, y):
    table = people()[["income", "color", "children"]].assign(
        color=np.where(X[:, 0] > 0, "red", "blue"), children=X[:, 1]
    )
    encode = ColumnTransformer(
        [
            ("numbers", StandardScaler(), ["income", "children"]),
            ("words", OneHotEncoder(sparse_output=False), ["color"]),
        ]
    )
    net = small(make, dtype="float32")
    check(make_pipeline(encode, net).fit(table, y), table)


@EITHER
def test_searches(make, y):
    grid = {"alpha": [0.1, 1.0]}
    for search in (
        GridSearchCV(small(make), grid, cv=2),
        RandomizedSearchCV(small(make), grid, n_iter=1, cv=2, random_state=0),
    ):
        check(search.fit(X, y), X)
    check(GridSearchCV(small(make), grid, cv=2).fit(people(), y), people())


@EITHER
def test_searches_over_pipelines_and_within(make, y):
    pipeline = Pipeline([("scale", StandardScaler()), ("net", small(make))])
    grid = {"scale": ["passthrough"], "net__activation": ["tanh"]}
    check(GridSearchCV(pipeline, grid, cv=2).fit(X, y), X)
    grid = {"scale": [PCA(3)], "net__activation": ["tanh"]}
    check(GridSearchCV(pipeline, grid, cv=2).fit(X, y), X)
    search = RandomizedSearchCV(
        small(make), {"alpha": [0.1, 1.0]}, n_iter=1, cv=2, random_state=0
    )
    check(make_pipeline(StandardScaler(), search).fit(X, y), X)


# ------------------------------------------------------ what skl2onnx itself can do


@EITHER
def test_skl2onnx_knows_both_estimators(make, y):
    net = small(make).fit(X, y)
    plain = {"zipmap": False} if make is BackpropClassifier else None
    models = (
        net,
        make_pipeline(StandardScaler(), small(make)).fit(X, y),
        GridSearchCV(small(make), {"alpha": [0.1]}, cv=2).fit(X, y),
    )
    for model in models:
        options = plain and {id(model): plain}
        exported = skl2onnx.to_onnx(
            model, X, options=options, target_opset=TARGET_OPSET
        )
        assert_same_answers(model, exported, X)
    types = [("given", skl2onnx.common.data_types.DoubleTensorType([None, 4]))]
    options = plain and {id(net): plain}
    exported = skl2onnx.convert_sklearn(net, initial_types=types, options=options)
    assert_same_answers(net, exported, X)


def test_a_zipmap_where_skl2onnx_is_asked_for_it():
    rows = X.astype(np.float32)
    for names in (NAMES, CODES):
        net = classifier().fit(rows, names)
        labels, maps = answers(skl2onnx.to_onnx(net, rows), rows)
        assert list(labels) == list(net.predict(rows))
        frame_of_maps = pd.DataFrame(maps)[list(net.classes_)]
        np.testing.assert_allclose(frame_of_maps, net.predict_proba(rows), atol=1e-5)


def test_the_other_options_of_a_classifier():
    rows = X.astype(np.float32)
    net = classifier().fit(rows, NAMES)
    exported = skl2onnx.to_onnx(net, rows, options={id(net): {"zipmap": "columns"}})
    _, *columns = answers(exported, rows)
    np.testing.assert_allclose(
        np.transpose(columns), net.predict_proba(rows), atol=1e-5
    )
    options = {id(net): {"zipmap": False, "nocl": True}}
    codes, _ = answers(skl2onnx.to_onnx(net, rows, options=options), rows)
    np.testing.assert_array_equal(net.classes_[codes], net.predict(rows))
    options = {id(net): {"zipmap": False, "output_class_labels": True}}
    *_, names = answers(skl2onnx.to_onnx(net, rows, options=options), rows)
    assert names.tolist() == net.classes_.tolist()


def test_raw_scores_are_those_of_the_decision_function():
    for params, y in (
        ({}, CODES),
        ({}, LABELS),
        ({"output_activation": "tanh"}, CODES),
        ({"output_activation": "tanh"}, LABELS),
    ):
        scores, net = raw_scores(classifier(**params).fit(X, y))
        np.testing.assert_allclose(scores, net.decision_function(X), rtol=1e-9)
    for params in ({}, {"output_activation": "tanh"}):
        scores, net = raw_scores(classifier(**params).fit(X, TWO))
        expected = np.multiply.outer(net.decision_function(X), [-1.0, 1.0])
        np.testing.assert_allclose(scores, expected, rtol=1e-9)


def raw_scores(net):
    options = {id(net): {"zipmap": False, "raw_scores": True}}
    labels, scores = answers(skl2onnx.to_onnx(net, X, options=options), X)
    np.testing.assert_array_equal(labels, net.predict(X))
    return scores, net


@pytest.mark.parametrize("y", [CODES, TWO], ids=["three", "two"])
@pytest.mark.parametrize(
    "make",
    [
        lambda net: CalibratedClassifierCV(net, cv=2),  # of the decision function
        OneVsRestClassifier,
        lambda net: BaggingClassifier(net, n_estimators=2, random_state=0),
        lambda net: StackingClassifier([("net", net)], cv=2),
    ],
    ids=["calibrated", "one versus rest", "bagged", "stacked"],
)
def test_what_contains_networks_can_be_exported_by_skl2onnx(make, y):
    model = make(classifier(output_activation="tanh")).fit(X, y)
    options = {id(model): {"zipmap": False}}
    exported = skl2onnx.to_onnx(model, X, options=options, target_opset=TARGET_OPSET)
    labels, probabilities = answers(exported, X)
    np.testing.assert_array_equal(labels, model.predict(X))
    np.testing.assert_allclose(probabilities, model.predict_proba(X), atol=1e-9)


# ------------------------------------------------------------------ versions


def test_versions_are_pinned():
    exported = to_onnx(classifier().fit(X, NAMES), X)
    assert TARGET_OPSET == 19
    versions = {s.domain: s.version for s in exported.opset_import}
    assert versions[""] == TARGET_OPSET
    assert versions.get("ai.onnx.ml", 3) <= 3
    assert exported.ir_version == 9


@pytest.mark.parametrize(("target_opset", "ir_version"), [(19, 9), (20, 9), (21, 10)])
@EITHER
def test_other_versions(make, y, target_opset, ir_version):
    net = small(make, activation="gelu").fit(people(), y)
    exported = to_onnx(net, people(), target_opset=target_opset)
    assert exported.ir_version == ir_version
    assert {s.domain: s.version for s in exported.opset_import}[""] == target_opset
    assert_same_answers(net, exported, people())


def test_a_file_format_may_be_asked_for():
    net = classifier().fit(X, NAMES)
    exported = to_onnx(net, X, ir_version=10)
    assert exported.ir_version == 10
    assert_same_answers(net, exported, X)


def test_exported_twice_it_is_the_same():
    net = classifier().fit(people(), NAMES)
    one, other = (to_onnx(net, people()).SerializeToString() for _ in range(2))
    assert one == other


# ---------------------------------------------------------------------- errors


class Square(Activation):
    def forward(self, z, out):
        np.square(z, out=out)

    def backward(self, delta, a, z, scratch):
        delta *= 2.0
        delta *= z


class AlmostReLU(ReLU):
    """Who knows what a class derived from ours computes."""


def cube(z):
    return z**3, 3 * z**2


@pytest.mark.parametrize(
    ("own", "word"),
    [(Square(), "Square"), (AlmostReLU(), "AlmostReLU"), (cube, "cube")],
)
def test_activations_of_a_users_own_are_named(own, word):
    net = BackpropRegressor((4, 4), ["tanh", own], **ENDS).fit(X, NUMBERS)
    error_of(
        lambda: to_onnx(net, X), "activation of hidden layer 2", word, "leaky_relu"
    )
    net = regressor(output_activation=own).fit(X, NUMBERS)
    error_of(lambda: to_onnx(net, X), "output_activation", word, "softmax")


@EITHER
def test_what_is_not_fitted_is_an_error(make, y):
    grid = GridSearchCV(small(make), {"alpha": [0.1]}, cv=2, refit=False).fit(X, y)
    unfitted = [
        small(make),
        make_pipeline(StandardScaler(), small(make)),
        GridSearchCV(small(make), {}),
    ]
    for model in unfitted:
        error_of(lambda model=model: to_onnx(model, X), error=NotFittedError)
    error_of(
        lambda: to_onnx(grid, X), "refit=False", "GridSearchCV", error=NotFittedError
    )
    net = small(make)
    plain = {id(net): {"zipmap": False}} if make is BackpropClassifier else None
    with pytest.raises(NotFittedError):
        skl2onnx.to_onnx(net, X, options=plain)


def test_what_holds_no_network_is_an_error():
    for model in (
        LogisticRegression().fit(X, CODES),
        make_pipeline(StandardScaler(), LogisticRegression()).fit(X, CODES),
        GridSearchCV(LogisticRegression(), {"C": [1.0]}, cv=2).fit(X, CODES),
    ):
        error_of(
            lambda model=model: to_onnx(model, X),
            "LogisticRegression",
            "BackpropClassifier",
            error=TypeError,
        )


def test_what_contains_a_network_and_predicts_by_itself_is_an_error():
    for make in (CalibratedClassifierCV, BaggingClassifier):
        model = make(classifier()).fit(X, CODES)
        error_of(lambda model=model: to_onnx(model, X), make.__name__, error=TypeError)


def test_a_class_derived_from_ours_is_an_error():
    class Other(BackpropClassifier):
        pass

    net = Other((4,), **ENDS).fit(X, CODES)
    error_of(lambda: to_onnx(net, X), "Other", error=TypeError)


def test_a_step_that_skl2onnx_cannot_convert_is_an_error():
    model = make_pipeline(FunctionTransformer(np.abs), classifier()).fit(X, NAMES)
    with pytest.raises(RuntimeError, match="FunctionTransformer"):
        to_onnx(model, X)


def test_samples_that_are_not_like_the_data_are_an_error():
    net = classifier().fit(X, NAMES)
    error_of(lambda: to_onnx(net, sp.csr_array(X)), "sparse", error=TypeError)
    error_of(lambda: to_onnx(net, X[:, :3]), "3 features")
    error_of(
        lambda: to_onnx(net, X.astype(np.int16)), "int16", "int32", error=TypeError
    )
    error_of(lambda: to_onnx(net, X.astype(str)), "words")
    net = classifier().fit(people(), NAMES)
    error_of(lambda: to_onnx(net, people().iloc[:, ::-1]), "order")
    words = people().assign(age="old")
    error_of(lambda: to_onnx(net, words), "age", "words")
    numbers = people().assign(color=pd.Categorical(CODES))
    error_of(lambda: to_onnx(net, numbers), "color", "red")
    dates = people().assign(age=pd.Timestamp("2020-01-01"))
    error_of(lambda: to_onnx(net, dates), "age", "datetime64", error=TypeError)
    mixed = people().to_numpy(dtype=object)
    with pytest.warns(UserWarning, match="feature names"):
        error_of(lambda: to_onnx(net, mixed), "mixed", "frame", error=TypeError)


def test_types_that_do_not_fit_are_an_error_in_skl2onnx_too():
    net = classifier().fit(X, NAMES)
    error_of(lambda: skl2onnx.to_onnx(net, X[:, :3]), "4 features", "[3]")


@pytest.mark.parametrize("target_opset", [999, "19", 19.0, None])
def test_operators_that_are_not_supported_are_an_error(target_opset):
    net = classifier().fit(X, NAMES)
    error_of(
        lambda: to_onnx(net, X, target_opset=target_opset),
        f"target_opset={target_opset!r}",
        "19 to",
    )


def test_operators_that_are_too_old_are_an_error():
    net = regressor().fit(X, NUMBERS)
    for export in (to_onnx, skl2onnx.to_onnx):
        error_of(
            lambda export=export: export(net, X, target_opset=18), "opset=18", "from 19"
        )


@pytest.mark.parametrize("ir_version", [8, "9", 9.0])
def test_file_formats_that_do_not_fit_are_an_error(ir_version):
    net = classifier().fit(X, NAMES)
    error_of(
        lambda: to_onnx(net, X, ir_version=ir_version),
        f"ir_version={ir_version!r}",
        "9",
    )


def test_without_skl2onnx_the_import_says_what_to_install():
    package = Path(skbackprop.__file__).parent.parent
    code = f"""
        import sys
        sys.path.insert(0, {str(package)!r})
        sys.modules["skl2onnx"] = None
        import skbackprop
        try:
            import skbackprop.onnx
        except ImportError as error:
            assert 'pip install "skbackprop[onnx]"' in str(error), error
        else:
            raise AssertionError
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


# -------------------------------------------------------------- any architecture


@st.composite
def fitted_networks(draw):
    """Draw networks of any shape, and samples of any scale where they are scaled."""
    n_hidden = draw(st.integers(0, 3))
    params = dict(
        hidden_layer_sizes=draw(st.tuples(*[st.integers(1, 6)] * n_hidden)),
        activation=draw(st.tuples(*[st.sampled_from(HIDDEN)] * n_hidden)),
        standardize=draw(st.booleans()),
        dtype=draw(st.sampled_from(["float32", "float64"])),
        max_iter=1,
        **ENDS,
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = rng.normal(size=(30, draw(st.integers(1, 4))))
    if params["standardize"]:
        rows = draw(st.sampled_from([1e-6, 1.0, 1e6])) * (rows + rng.integers(2) * 1e3)
    n_classes = draw(st.integers(1, 4))
    if n_classes == 1:
        net, y = BackpropRegressor(**params), 10.0 ** rng.integers(-3, 5) * rows[:, 0]
    else:
        outputs = sorted(
            OUTPUT_ACTIVATIONS.keys() - ({"softmax"} if n_classes == 2 else set())
        )
        if params["dtype"] == "float32":
            # Small differences of others, lifted above zero, are rounding by half.
            outputs = ["exp", "logistic"]
        f = draw(st.sampled_from(outputs))
        net = BackpropClassifier(output_activation=f, **params)
        y = np.arange(30) % n_classes
    net.fit(rows, y)
    for W in net.coefs_:  # which are near their small starting weights otherwise
        W[...] = rng.normal(0.0, 1.0 / np.sqrt(len(W)), W.shape)
    return net, rows


def clearly_decided(net, rows):
    """Return the rows where rounding cannot make another class the likeliest."""
    scores = net.decision_function(rows)
    if scores.ndim == 1:
        margin = np.abs(scores)
    else:
        margin = np.diff(np.sort(scores, axis=1)[:, -2:], axis=1)[:, 0]
    return rows[margin > 1e-4 * np.abs(scores).max()]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@examples(60)
@given(fitted_networks())
def test_any_network(drawn):
    net, rows = drawn
    exported = to_onnx(net, rows)
    if is_classifier(net):
        rows = clearly_decided(net, rows)
    if len(rows):
        # Weights drawn at random make more of rounding than those of a fit.
        assert_same_answers(net, exported, rows, {"float32": 1e-4, "float64": 1e-9})
