"""Compare exported graphs in ONNX Runtime with the predictions of the estimators."""

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
from sklearn.base import clone, is_classifier
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
from small_fits import error_of, ignore_convergence_warning
from small_networks import (
    CODES,
    LABELS,
    NAMES,
    NUMBERS,
    SHORT_TRAINING,
    X,
    classifier,
    regressor,
    small,
    to_dataframe,
)

import skbackprop
from skbackprop import (
    Activation,
    BackpropClassifier,
    BackpropEnsembleClassifier,
    BackpropEnsembleRegressor,
    BackpropRegressor,
)
from skbackprop.core.activations import ACTIVATIONS, OUTPUT_ACTIVATIONS, ReLU

skl2onnx = pytest.importorskip("skl2onnx")
onnxruntime = pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")

from skbackprop.onnx import TARGET_OPSET, to_onnx  # noqa: E402
from skbackprop.onnx.formulas import FORMULAS  # noqa: E402
from skbackprop.onnx.model import network_model, network_models  # noqa: E402

BINARY_CODES = (NUMBERS > 0).astype(int)
TARGETS = np.column_stack([NUMBERS, 1e3 + 50.0 * X[:, 2], X[:, 1] * X[:, 3]])
# "logistic" is an alias of "sigmoid".
HIDDEN_ACTIVATIONS = sorted(ACTIVATIONS.keys() - {"logistic"})
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
BOTH_ESTIMATORS = pytest.mark.parametrize(
    ("make", "y"), [(BackpropClassifier, NAMES), (BackpropRegressor, NUMBERS)]
)
#: Absolute tolerances of probabilities, and tolerances of predictions relative to the
#: largest prediction of each output.
TOLERANCES = {"float32": 1e-5, "float64": 1e-11}
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


# --------------------------------------------------------------------- helpers


def make_session(exported):
    onnx.checker.check_model(exported, full_check=True)
    return onnxruntime.InferenceSession(
        exported.SerializeToString(), providers=["CPUExecutionProvider"]
    )


def make_feeds(session, X):
    """Return the inputs of a session from an array or the columns of a DataFrame."""
    inputs = session.get_inputs()
    if not hasattr(X, "columns"):
        (graph_input,) = inputs
        assert NUMPY_TYPES[graph_input.type] == X.dtype or X.dtype.kind == "U"
        return {graph_input.name: X}
    fed = {}
    for graph_input, name in zip(inputs, X.columns, strict=True):
        column = np.asarray(X[name])[:, np.newaxis]
        if graph_input.type == "tensor(string)":
            column = np.where(pd.isna(column), "", column).astype(object)
        fed[graph_input.name] = column.astype(NUMPY_TYPES[graph_input.type])
    return fed


def run_graph(exported, X):
    session = make_session(exported)
    return session.run(None, make_feeds(session, X))


def result_precision(model, X):
    """Return "float64" if the network and a feature are float64, else "float32"."""
    steps = [model]
    while hasattr(steps[-1], "best_estimator_") or isinstance(steps[-1], Pipeline):
        last = steps[-1]
        steps.append(getattr(last, "best_estimator_", None) or last.steps[-1][1])
    dtypes = [*X.dtypes] if hasattr(X, "columns") else [X.dtype]
    is_float64 = network_models(steps[-1])[0].network.dtype == np.float64
    return "float64" if is_float64 and np.float64 in dtypes else "float32"


def assert_same_results(model, exported, X, tolerances=TOLERANCES):
    tolerance = tolerances[result_precision(model, X)]
    if not is_classifier(model):
        (predicted,) = run_graph(exported, X)
        expected = model.predict(X)
        expected = expected.reshape(len(X), -1)
        assert predicted.shape == expected.shape
        atol = tolerance * np.abs(expected).max(axis=0)
        assert (np.abs(predicted - expected) <= atol).all()
        return
    labels, probabilities = run_graph(exported, X)
    expected = model.predict(X)
    expected = expected.toarray() if sp.issparse(expected) else expected
    np.testing.assert_array_equal(labels, expected)
    assert labels.shape == expected.shape
    proba = model.predict_proba(X)
    np.testing.assert_allclose(probabilities, proba, rtol=0.0, atol=tolerance)
    assert probabilities.min() > 0.0
    assert probabilities.max() < 1.0


def check_export(model, X):
    """Export a model, compare the results on its samples and return the graph."""
    exported = to_onnx(model, X)
    assert_same_results(model, exported, X)
    return exported


# ------------------------------------------------------------------ activations


def test_every_activation_has_a_formula():
    assert FORMULAS.keys() == set(OUTPUT_ACTIVATIONS.values())


@DTYPES
@pytest.mark.parametrize("activation", HIDDEN_ACTIVATIONS)
@BOTH_ESTIMATORS
def test_hidden_activations(make, y, activation, dtype):
    net = small(make, activation=activation, dtype=dtype, standardize=False)
    check_export(net.fit(3.0 * X, y), 3.0 * X)


@DTYPES
@pytest.mark.parametrize("activation", HIDDEN_ACTIVATIONS)
@ignore_convergence_warning
def test_activations_are_accurate_for_small_and_large_inputs(activation, dtype):
    z = np.r_[np.linspace(-30.0, 30.0, 4001), -1e3, 0.0, 1e3]
    z = z[:, np.newaxis].astype(dtype)
    # Targets with mean 0 and variance 1 do not rescale the output.
    y = np.resize([-1.0, 1.0], len(z))
    net = BackpropRegressor((1,), activation, standardize=False, **SHORT_TRAINING).fit(
        z, y
    )
    # Weights of 1 and biases of 0 make the output equal to the activation of z.
    for W, b in zip(net.coefs_, net.intercepts_, strict=True):
        W.fill(1.0)
        b.fill(0.0)
    (a,) = run_graph(to_onnx(net, z), z)
    eps = 20 * np.finfo(dtype).eps
    # The formulas of elu and gelu lose relative accuracy near 0. For very negative z,
    # some exponentials are subnormal instead of 0.
    atol = eps if activation in ("elu", "gelu") else np.finfo(dtype).tiny
    np.testing.assert_allclose(a[:, 0], net.predict(z), rtol=eps, atol=atol)


@DTYPES
@ignore_convergence_warning
def test_different_activation_per_layer(dtype):
    net = BackpropClassifier((7, 6, 5), ("tanh", "gelu", "softplus"), **SHORT_TRAINING)
    check_export(net.set_params(dtype=dtype).fit(X, NAMES), X)


def test_activation_parameters_are_exported():
    steep = OUTPUT_ACTIVATIONS["leaky_relu"]()
    steep.negative_slope = 0.3
    net = regressor(activation=steep, standardize=False).fit(X, NUMBERS)
    check_export(net, X)


@ignore_convergence_warning
def test_no_hidden_layer():
    check_export(BackpropClassifier((), **SHORT_TRAINING).fit(X, NAMES), X)
    check_export(BackpropRegressor((), **SHORT_TRAINING).fit(X, NUMBERS), X)


@DTYPES
@pytest.mark.parametrize("output_activation", sorted(OUTPUT_ACTIVATIONS))
@pytest.mark.parametrize(
    "y", [BINARY_CODES, CODES, LABELS], ids=["binary", "multiclass", "multilabel"]
)
@ignore_convergence_warning
def test_classifier_output_activations(y, output_activation, dtype):
    if output_activation == "softmax" and y is not CODES:
        return  # fit raises an error
    net = classifier(output_activation=output_activation, dtype=dtype)
    check_export(net.fit(X, y), X)


@DTYPES
@pytest.mark.parametrize("output_activation", sorted(OUTPUT_ACTIVATIONS))
@ignore_convergence_warning
def test_regressor_output_activations(output_activation, dtype):
    net = regressor(output_activation=output_activation, dtype=dtype)
    low, high = OUTPUT_ACTIVATIONS[output_activation]().output_range
    y = np.abs(TARGETS) if low > -np.inf else TARGETS
    check_export(net.fit(X, y if high > 1 else y / y.max(axis=0)), X)


def test_increasing_activation_with_one_output():
    check_export(regressor(output_activation="increasing").fit(X, NUMBERS), X)


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
    ids=["squared", "absolute", "huber", "quantile", "quantiles", "custom"],
)
def test_regressor_losses(params, dtype):
    # With large targets, a wrong output scale is visible.
    net = regressor(dtype=dtype, **params).fit(X, 1e4 + 300.0 * NUMBERS)
    check_export(net, X)


def test_quantiles_after_a_change_of_target_scale():
    net = regressor(loss="quantile", quantile=[0.1, 0.5, 0.9])
    # The second call changes the target scale, which rescales the output layer.
    net.partial_fit(X, NUMBERS).partial_fit(X, 50.0 * NUMBERS)
    assert network_model(net).network.activations[-1].unit != 1.0
    check_export(net, X)


@DTYPES
def test_poisson_loss(dtype):
    counts = np.random.default_rng(0).poisson(np.exp(X[:, 0])).astype(float)
    check_export(regressor(loss="poisson", dtype=dtype).fit(X, counts), X)
    net = regressor(loss="poisson", output_activation="softplus", dtype=dtype)
    check_export(net.fit(X, counts), X)


@DTYPES
@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@pytest.mark.parametrize(
    "y", [BINARY_CODES, CODES, LABELS], ids=["binary", "multiclass", "multilabel"]
)
def test_classifier_losses(y, loss, dtype):
    check_export(classifier(loss=loss, dtype=dtype).fit(X, y), X)


@DTYPES
def test_multioutput_regression(dtype):
    exported = check_export(regressor(dtype=dtype).fit(X, TARGETS), X)
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
    ids=["str", "non-ascii", "int64", "int32", "uint8", "float64", "large"],
)
def test_labels(names):
    names = np.asarray(names)
    check_export(classifier().fit(X, names[CODES]), X)
    check_export(classifier().fit(X, names[BINARY_CODES]), X)


def test_labels_beyond_int64_raise():
    beyond = np.array([1, 2**63], np.uint64)
    net = classifier().fit(X, beyond[BINARY_CODES])
    with pytest.raises(ValueError, match="exceeds the int64 range"):
        to_onnx(net, X)


def test_object_labels():
    check_export(classifier().fit(X, NAMES.astype(object)), X)


def test_bool_labels_become_int64():
    net = classifier().fit(X, BINARY_CODES.astype(bool))
    labels, _ = run_graph(check_export(net, X), X)
    assert labels.dtype == np.int64


def test_classifier_outputs_are_arrays():
    exported = to_onnx(classifier().fit(X, NAMES), X)
    assert [output.name for output in exported.graph.output] == [
        "label",
        "probabilities",
    ]
    labels, probabilities = run_graph(exported, X)
    assert labels.shape == (90,)
    assert probabilities.shape == (90, 3)
    assert probabilities.dtype == np.float64


def test_sparse_label_indicators_become_dense():
    check_export(classifier().fit(X, sp.csr_matrix(LABELS)), X)


@pytest.mark.parametrize("output_activation", ["logistic", "identity", "softplus"])
def test_binary_tie_predicts_first_class(output_activation):
    net = classifier(output_activation=output_activation).fit(X, BINARY_CODES)
    net.coefs_[-1].fill(0.0)
    # The outputs are 0.5, or the closest value that the activation returns.
    half = {"logistic": 0.0, "identity": 0.5, "softplus": np.log(np.expm1(0.5))}
    net.intercepts_[-1].fill(half[output_activation])
    assert set(net.predict(X)) == {0}
    check_export(net, X)


@pytest.mark.parametrize("output_activation", ["logistic", "softmax", "relu"])
def test_multiclass_tie_predicts_first_class(output_activation):
    net = classifier(output_activation=output_activation).fit(X, NAMES)
    net.coefs_[-1][:, 2] = net.coefs_[-1][:, 1]
    net.intercepts_[-1][:] = [-50.0, 30.0, 30.0]
    assert set(net.predict(X)) == {"low"}
    check_export(net, X)


def test_multilabel_tie_predicts_no_label():
    net = classifier().fit(X, LABELS)
    net.coefs_[-1].fill(0.0)
    net.intercepts_[-1][:] = [0.0, 1e-300, -1e-300]
    labels, _ = run_graph(check_export(net, X), X)
    assert labels[0].tolist() == [0, 1, 0]


@DTYPES
def test_labels_use_logits_if_probabilities_saturate(dtype):
    net = classifier(dtype=dtype).fit(X, NAMES)
    net.coefs_[-1].fill(0.0)
    net.intercepts_[-1][:] = [40.0, 60.0, 50.0]  # all sigmoids round to 1
    assert set(net.predict(X)) == {"low"}
    check_export(net, X)


# ---------------------------------------------------------------- probabilities


@DTYPES
@pytest.mark.parametrize(
    "y", [BINARY_CODES, CODES, LABELS], ids=["binary", "multiclass", "multilabel"]
)
@pytest.mark.parametrize("certain", [1e4, -1e4])
def test_probabilities_are_strictly_between_0_and_1(y, certain, dtype):
    rows = X.astype(dtype)
    net = classifier(loss="log_loss", dtype=dtype).fit(rows, y)
    net.intercepts_[-1][0] = certain
    _, probabilities = run_graph(check_export(net, rows), rows)
    np.testing.assert_allclose(probabilities, net.predict_proba(rows), rtol=1e-5)
    limits = np.finfo(dtype)
    ends = probabilities.max() if certain > 0 else probabilities.min()
    assert ends == (1.0 - limits.epsneg if certain > 0 else limits.tiny)


def test_float32_probabilities_of_a_float64_network():
    net = classifier(loss="log_loss").fit(X, BINARY_CODES)
    net.intercepts_[-1][0] = 1e4
    rows = X.astype(np.float32)
    _, probabilities = run_graph(check_export(net, rows), rows)
    assert probabilities.dtype == np.float32
    assert probabilities.max() == 1.0 - np.finfo(np.float32).epsneg
    assert probabilities.min() == np.finfo(np.float32).tiny


@DTYPES
def test_zero_outputs_give_equal_probabilities(dtype):
    net = classifier(output_activation="relu", dtype=dtype).fit(X, NAMES)
    net.intercepts_[-1].fill(-1e3)
    _, probabilities = run_graph(check_export(net, X), X)
    np.testing.assert_allclose(probabilities, 1.0 / 3.0, rtol=1e-6)


@DTYPES
def test_negative_outputs_are_shifted(dtype):
    net = classifier(output_activation="identity", dtype=dtype).fit(X, NAMES)
    net.intercepts_[-1][:] = [-2.0, -1.5, 0.3]
    check_export(net, X)


@DTYPES
def test_infinite_outputs_are_normalized(dtype):
    net = classifier(output_activation="exp", dtype=dtype).fit(X, NAMES)
    net.coefs_[-1].fill(0.0)
    net.intercepts_[-1][:] = [1e3, 1e3, -1.0]
    with np.errstate(over="ignore"):
        _, probabilities = run_graph(check_export(net, X), X)
    np.testing.assert_allclose(probabilities[0], [0.5, 0.5, 0.0], atol=1e-6)


@DTYPES
@pytest.mark.parametrize("output_activation", ["logistic", "softplus"])
def test_tiny_outputs_keep_their_ratios(output_activation, dtype):
    net = classifier(output_activation=output_activation, dtype=dtype).fit(X, NAMES)
    net.intercepts_[-1][:] = [-31.0, -33.0, -30.0]
    net.coefs_[-1][...] *= 0.1
    check_export(net, X)


# ----------------------------------------------------------------------- inputs


@DTYPES
@pytest.mark.parametrize("standardize", [True, False])
@BOTH_ESTIMATORS
def test_standardize(make, y, standardize, dtype):
    check_export(small(make, dtype=dtype, standardize=standardize).fit(X, y), X)


@DTYPES
@BOTH_ESTIMATORS
def test_outliers_and_constant_features(make, y, dtype):
    rows = np.column_stack([X, np.full(90, 7.0), np.zeros(90)])
    net = small(make, dtype=dtype).fit(rows, y)
    far = rows.copy()
    far[::5, 0] *= 1e6
    far[1::5, 1] = -1e30
    far[2::5, 4] = 1e3
    check_export(net, rows)
    check_export(net, far)


@DTYPES
@pytest.mark.parametrize("input_dtype", ["float32", "float64"])
@BOTH_ESTIMATORS
def test_timestamps(make, y, input_dtype, dtype):
    # These Unix timestamps in seconds differ by minutes. float32 represents only every
    # 128th second.
    seconds = (1.7e9 + 60.0 * X).astype(input_dtype)
    check_export(small(make, dtype=dtype).fit(seconds, y), seconds)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_tiny_standard_deviations(dtype):
    # The reciprocal of the standard deviation exceeds the float32 range.
    tiny = 1e-42 * X
    check_export(classifier(dtype=dtype).fit(tiny, NAMES), tiny)


@DTYPES
@pytest.mark.parametrize("input_dtype", ["float32", "float64"])
@BOTH_ESTIMATORS
def test_float_input_types(make, y, input_dtype, dtype):
    net = small(make, dtype=dtype).fit(X, y)
    rows = X.astype(input_dtype)
    exported = check_export(net, rows)
    assert run_graph(exported, rows)[-1].dtype == input_dtype


@pytest.mark.parametrize("input_dtype", ["int64", "int32", "int8", "uint8", "bool"])
@DTYPES
@BOTH_ESTIMATORS
@ignore_convergence_warning
def test_integer_inputs(make, y, dtype, input_dtype):
    integers = np.abs(10.0 * X).astype(input_dtype)
    exported = check_export(small(make, dtype=dtype).fit(integers, y), integers)
    # Probabilities are float32 because a ZipMap, for example, requires this type.
    expected = dtype if make is BackpropRegressor else "float32"
    assert run_graph(exported, integers)[-1].dtype == expected


def test_types_are_inferred_from_lists_and_single_rows():
    net = classifier().fit(X, NAMES)
    assert_same_results(net, to_onnx(net, X[:1]), X)
    assert_same_results(net, to_onnx(net, X.tolist()), X)


@DTYPES
@BOTH_ESTIMATORS
def test_batch_sizes(make, y, dtype):
    net = small(make, dtype=dtype).fit(X, y)
    exported = to_onnx(net, X)
    many = np.random.default_rng(1).normal(size=(3000, 4))
    for rows in (X[:1], X[:2], many):
        assert_same_results(net, exported, rows)
    outputs = run_graph(exported, X[:0])
    assert [len(output) for output in outputs] == [0] * len(outputs)


@BOTH_ESTIMATORS
def test_sparse_training_data(make, y):
    rows = np.where(np.abs(X) > 0.5, X, 0.0)
    check_export(small(make).fit(sp.csr_array(rows), y), rows)


def test_single_feature():
    check_export(classifier().fit(X[:, :1], NAMES), X[:, :1])


@BOTH_ESTIMATORS
def test_partial_fit(make, y):
    net = small(make)
    for rows in (slice(0, 90), slice(0, 60), slice(30, 90)):
        if make is BackpropClassifier:
            net.partial_fit(X[rows] * 2.0, y[rows], classes=np.unique(y))
        else:
            net.partial_fit(X[rows] * 2.0, y[rows] + 10.0)
    check_export(net, X)


# ------------------------------------------------------------------- DataFrames

COLORS, AGES = ["red", "green", "blue", "unused"], [30, 2, 10]


def people(n_rows=90, seed=0):
    """Make a DataFrame with categories, numbers, booleans and missing values."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "color": pd.Categorical(rng.choice(COLORS[:3], n_rows), COLORS),
            "income": 10.0 * np.exp(rng.normal(size=n_rows)),  # in thousands
            "group": pd.Categorical(rng.choice(AGES, n_rows), AGES),
            "age": rng.normal(4.0, 1.2, n_rows),  # in decades
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
@BOTH_ESTIMATORS
@ignore_convergence_warning
def test_dataframe_with_categories_and_missing_values(make, y, standardize, dtype):
    net = small(make, standardize=standardize, dtype=dtype).fit(people(), y)
    exported = check_export(net, people())
    assert_same_results(net, exported, people(300, seed=1))
    assert_same_results(net, exported, people(8, seed=2)[:1])
    # Features without missing values in fit have no missing-value indicator.
    table = people(seed=3)
    table.loc[::3, "income"] = np.nan
    assert_same_results(net, exported, table)


@DTYPES
@pytest.mark.parametrize("standardize", [False, True])
@BOTH_ESTIMATORS
def test_array_with_missing_values(make, y, standardize, dtype):
    values = X.astype(dtype)
    values[::5, 1] = np.nan
    net = small(make, standardize=standardize).fit(values, y)
    exported = check_export(net, values)
    assert_same_results(net, exported, np.where(X > 1.0, np.nan, X).astype(dtype))


@DTYPES
@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("input_dtype", ["float32", "float64"])
@BOTH_ESTIMATORS
@ignore_convergence_warning
def test_bins(make, y, input_dtype, standardize, dtype):
    rows = np.column_stack([X, X[:, 0] > 0, np.full(90, 7.0)])
    rows[::7, 1] = np.nan
    rows = rows.astype(input_dtype)
    net = small(make, dtype=dtype, standardize=standardize, n_bins=5).fit(rows, y)
    assert net.coefs_[0].shape[0] == 6 + 4 * 5 + 1
    exported = check_export(net, rows)
    assert_same_results(net, exported, 3 * rows)
    assert_same_results(net, exported, -100 * rows)


@BOTH_ESTIMATORS
@ignore_convergence_warning
def test_bins_of_dataframe(make, y):
    df = to_dataframe(X.copy()).assign(kind=pd.Categorical(NAMES))
    df.loc[::7, "b"] = np.nan
    df["count"] = np.arange(90) % 8
    check_export(small(make, n_bins=4).fit(df, y), df)


@DTYPES
@BOTH_ESTIMATORS
def test_feature_with_many_categories(make, y, dtype):
    levels = [f"city {i}" for i in range(400)]
    cities = np.random.default_rng(0).choice(levels, len(y))
    frame = to_dataframe().assign(city=pd.Categorical(cities, categories=levels))
    check_export(small(make, dtype=dtype).fit(frame, y), frame)


def test_one_input_per_column():
    net = classifier().fit(people(), NAMES)
    inputs = make_session(to_onnx(net, people())).get_inputs()
    assert [graph_input.name for graph_input in inputs] == list(people().columns)
    assert [graph_input.type for graph_input in inputs] == [
        "tensor(string)",
        "tensor(double)",
        "tensor(double)",
        "tensor(double)",
        "tensor(bool)",
        "tensor(int64)",
        "tensor(double)",
        "tensor(double)",
    ]
    assert all(graph_input.shape[1] == 1 for graph_input in inputs)


def test_unknown_categories():
    net = classifier().fit(people(), NAMES)
    table = people(seed=1)
    table["color"] = pd.Categorical(np.where(X[:, 0] > 0, "yellow", "red"))
    table["group"] = pd.Categorical(np.where(X[:, 1] > 0, 11, 2))
    check_export(net, table)
    assert_same_results(net, to_onnx(net, people()), table)


def test_samples_with_and_without_missing_categories():
    net = classifier().fit(people(), NAMES)
    for row in (0, 3, 5):
        assert_same_results(net, to_onnx(net, people()[row : row + 1]), people())


def test_large_integer_categories_in_dataframe():
    table = pd.DataFrame({"id": pd.Categorical((2**60 + np.arange(3))[CODES])})
    net = classifier().fit(table, NAMES)
    exported = check_export(net, table)
    assert make_session(exported).get_inputs()[0].type == "tensor(int64)"


@BOTH_ESTIMATORS
def test_numeric_dataframe(make, y):
    table = to_dataframe()
    table["b"] = table["b"].astype("float32")
    net = small(make).fit(table, y)
    exported = check_export(net, table)
    assert [graph_input.name for graph_input in exported.graph.input] == list("abcd")
    float32_table = to_dataframe().astype("float32")
    check_export(small(make).fit(float32_table, y), float32_table)


def test_categorical_dataframe():
    table = people()[["color", "group"]]
    check_export(classifier().fit(table, NAMES), table)
    check_export(classifier().fit(table[["color"]], NAMES), table[["color"]])


def test_column_without_values():
    table = to_dataframe().assign(e=np.nan)
    net = classifier().fit(table, NAMES)
    check_export(net, table)
    check_export(net, to_dataframe().assign(e=1.0))
    no_categories = to_dataframe().assign(e=pd.Categorical([None] * 90))
    check_export(classifier().fit(no_categories, NAMES), no_categories)


def test_nullable_pandas_dtypes():
    table = to_dataframe().assign(
        b=pd.array([1, None, 3] * 30, "Int64"), c=pd.array([True, None] * 45, "boolean")
    )
    exported = check_nullable_export(classifier().fit(table, NAMES), table)
    types = [graph_input.type for graph_input in make_session(exported).get_inputs()]
    assert types == ["tensor(double)"] * 4


def test_nullable_types_do_not_depend_on_the_sample():
    table = to_dataframe().assign(
        a=pd.array([1.5, None, 3.0] * 30, "Float32"),
        b=pd.array([1, None, 3] * 30, "Int64"),
        c=pd.array([True, None] * 45, "boolean"),
        d=pd.array([1.5, 2.0, None] * 30, "Float64"),
    )
    net = classifier().fit(table, NAMES)
    for sample in (table[:1], table[:3]):
        exported = to_onnx(net, sample)
        types = [
            graph_input.type for graph_input in make_session(exported).get_inputs()
        ]
        assert types == ["tensor(float)"] + ["tensor(double)"] * 3
        columns = {
            name: table[[name]].to_numpy(float, na_value=np.nan) for name in "bcd"
        }
        columns["a"] = table[["a"]].to_numpy(np.float32, na_value=np.nan)
        labels, probabilities = make_session(exported).run(None, columns)
        np.testing.assert_array_equal(labels, net.predict(table))
        np.testing.assert_allclose(probabilities, net.predict_proba(table), atol=1e-5)


def check_nullable_export(net, table):
    exported = to_onnx(net, table)
    session = make_session(exported)
    columns = {name: table[[name]].to_numpy(float, na_value=np.nan) for name in table}
    labels, _ = session.run(None, columns)
    np.testing.assert_array_equal(labels, net.predict(table))
    return exported


def test_polars_dataframe():
    strings = ["a", None, "b"] * 30
    table = pl.DataFrame(X, schema=list("abcd")).with_columns(
        pl.Series("e", strings, pl.Categorical),
        pl.Series("f", strings, pl.Enum(["b", "a"])),
    )
    net = classifier().fit(table, NAMES)
    exported = to_onnx(net, table)
    assert_same_results(net, exported, table)


def test_array_with_categories_and_missing_values():
    table = np.column_stack([X[:, :2], CODES, np.where(CODES == 1, np.nan, X[:, 3])])
    net = classifier(categorical_features=[2]).fit(table, NAMES)
    check_export(net, table)
    float32_table = table.astype(np.float32)
    net = classifier(categorical_features=[2]).fit(float32_table, NAMES)
    check_export(net, float32_table)
    check_export(net, table)


def test_string_array():
    strings = np.array(COLORS)[np.digitize(X, [-1.0, 0.0, 1.0])]
    net = classifier(categorical_features=[0, 1, 2, 3])
    for rows in (strings, strings.astype(object)):
        check_export(net.fit(rows, NAMES), rows)


def test_float32_categories():
    shares = np.array([0.1, 0.25, 0.7], np.float32)[CODES][:, np.newaxis]
    net = classifier(categorical_features=[0]).fit(shares, NAMES)
    check_export(net, shares)
    # Of these float64 values, only 0.25 equals its float32 category.
    check_export(net, np.array([0.1, 0.25, 0.7])[CODES][:, np.newaxis])


def test_large_integer_categories_in_array():
    numbers = (2**60 + np.arange(3))[CODES][:, np.newaxis]
    net = classifier(categorical_features=[0]).fit(numbers, NAMES)
    check_export(net, numbers)


@pytest.mark.parametrize(
    "names", [["hours per week", "a-b", "label", "probabilities"], [0, 1, 2, 3]]
)
def test_column_names(names):
    table = to_dataframe().set_axis(names, axis=1)
    check_export(classifier().fit(table, NAMES), table)


# ------------------------------------------------------- pipelines and searches


@DTYPES
@BOTH_ESTIMATORS
def test_pipelines(make, y, dtype):
    rows = X.astype(dtype)
    for steps in ([StandardScaler()], [StandardScaler(), PCA(3)]):
        check_export(make_pipeline(*steps, small(make)).fit(rows, y), rows)


@BOTH_ESTIMATORS
@pytest.mark.parametrize("first", ["flag", "count", "seconds", "float"])
def test_dataframe_pipelines_keep_float64(make, y, first):
    table = pd.DataFrame(
        {
            "flag": X[:, 0] > 0,
            "count": np.arange(90),
            "seconds": 1.7e9 + X[:, 1],  # Unix time
            "float": X[:, 2].astype(np.float32),
        }
    )
    table = table[[first, *table.columns.drop(first)]]
    for steps in ([StandardScaler()], [StandardScaler(), PCA(3)]):
        check_export(make_pipeline(*steps, small(make)).fit(table, y), table)
    table["seconds"] -= 1.7e9
    check_export(make_pipeline(PCA(3), small(make)).fit(table, y), table)


@BOTH_ESTIMATORS
def test_dataframe_pipelines_keep_float32(make, y):
    table = to_dataframe().astype(np.float32)
    exported = check_export(make_pipeline(PCA(3), small(make)).fit(table, y), table)
    feed = make_feeds(make_session(exported), table)
    assert {column.dtype for column in feed.values()} == {np.dtype(np.float32)}


@BOTH_ESTIMATORS
def test_integer_pipelines_use_float64(make, y):
    seconds = (1.7e9 + 10.0 * X).astype(np.int64)
    exported = check_export(
        make_pipeline(StandardScaler(), small(make)).fit(seconds, y), seconds
    )
    assert run_graph(exported, seconds)[-1].dtype == np.float64


@BOTH_ESTIMATORS
def test_pipeline_with_one_step(make, y):
    check_export(make_pipeline(small(make)).fit(people(), y), people())
    check_export(make_pipeline("passthrough", None, small(make)).fit(X, y), X)


@BOTH_ESTIMATORS
def test_nested_pipelines(make, y):
    inner = make_pipeline(PCA(3), small(make))
    check_export(make_pipeline(make_pipeline(StandardScaler()), inner).fit(X, y), X)


@BOTH_ESTIMATORS
def test_unpickled_networks(make, y):
    for rows in (X, people()):
        check_export(pickle.loads(pickle.dumps(small(make).fit(rows, y))), rows)


@BOTH_ESTIMATORS
def test_column_transformers(make, y):
    table = people()[["income", "color", "children"]].assign(
        color=np.where(X[:, 0] > 0, "red", "blue"), children=X[:, 1]
    )
    encode = ColumnTransformer(
        [
            ("numbers", StandardScaler(), ["income", "children"]),
            ("strings", OneHotEncoder(sparse_output=False), ["color"]),
        ]
    )
    net = small(make, dtype="float32")
    check_export(make_pipeline(encode, net).fit(table, y), table)


@BOTH_ESTIMATORS
def test_searches(make, y):
    grid = {"alpha": [0.1, 1.0]}
    for search in (
        GridSearchCV(small(make), grid, cv=2),
        RandomizedSearchCV(small(make), grid, n_iter=1, cv=2, random_state=0),
    ):
        check_export(search.fit(X, y), X)
    check_export(GridSearchCV(small(make), grid, cv=2).fit(people(), y), people())


@BOTH_ESTIMATORS
def test_nested_searches_and_pipelines(make, y):
    pipeline = Pipeline([("scale", StandardScaler()), ("net", small(make))])
    grid = {"scale": ["passthrough"], "net__activation": ["tanh"]}
    check_export(GridSearchCV(pipeline, grid, cv=2).fit(X, y), X)
    grid = {"scale": [PCA(3)], "net__activation": ["tanh"]}
    check_export(GridSearchCV(pipeline, grid, cv=2).fit(X, y), X)
    search = RandomizedSearchCV(
        small(make), {"alpha": [0.1, 1.0]}, n_iter=1, cv=2, random_state=0
    )
    check_export(make_pipeline(StandardScaler(), search).fit(X, y), X)


# --------------------------------------------------------- export with skl2onnx


@BOTH_ESTIMATORS
def test_skl2onnx_converts_both_estimators(make, y):
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
        assert_same_results(model, exported, X)
    types = [("features", skl2onnx.common.data_types.DoubleTensorType([None, 4]))]
    options = plain and {id(net): plain}
    exported = skl2onnx.convert_sklearn(net, initial_types=types, options=options)
    assert_same_results(net, exported, X)


def test_zipmap():
    rows = X.astype(np.float32)
    for names in (NAMES, CODES):
        net = classifier().fit(rows, names)
        labels, maps = run_graph(skl2onnx.to_onnx(net, rows), rows)
        assert list(labels) == list(net.predict(rows))
        frame_of_maps = pd.DataFrame(maps)[list(net.classes_)]
        np.testing.assert_allclose(frame_of_maps, net.predict_proba(rows), atol=1e-5)


def test_classifier_options():
    rows = X.astype(np.float32)
    net = classifier().fit(rows, NAMES)
    exported = skl2onnx.to_onnx(net, rows, options={id(net): {"zipmap": "columns"}})
    _, *columns = run_graph(exported, rows)
    np.testing.assert_allclose(
        np.transpose(columns), net.predict_proba(rows), atol=1e-5
    )
    options = {id(net): {"zipmap": False, "nocl": True}}
    codes, _ = run_graph(skl2onnx.to_onnx(net, rows, options=options), rows)
    np.testing.assert_array_equal(net.classes_[codes], net.predict(rows))
    options = {id(net): {"zipmap": False, "output_class_labels": True}}
    *_, names = run_graph(skl2onnx.to_onnx(net, rows, options=options), rows)
    assert names.tolist() == net.classes_.tolist()


def test_raw_scores_match_decision_function():
    for params, y in (
        ({}, CODES),
        ({}, LABELS),
        ({"output_activation": "tanh"}, CODES),
        ({"output_activation": "tanh"}, LABELS),
    ):
        scores, net = raw_scores(classifier(**params).fit(X, y))
        np.testing.assert_allclose(scores, net.decision_function(X), rtol=1e-9)
    for params in ({}, {"output_activation": "tanh"}):
        scores, net = raw_scores(classifier(**params).fit(X, BINARY_CODES))
        expected = np.multiply.outer(net.decision_function(X), [-1.0, 1.0])
        np.testing.assert_allclose(scores, expected, rtol=1e-9)


def raw_scores(net):
    options = {id(net): {"zipmap": False, "raw_scores": True}}
    labels, scores = run_graph(skl2onnx.to_onnx(net, X, options=options), X)
    np.testing.assert_array_equal(labels, net.predict(X))
    return scores, net


@pytest.mark.parametrize("y", [CODES, BINARY_CODES], ids=["multiclass", "binary"])
@pytest.mark.parametrize(
    "make",
    [
        # CalibratedClassifierCV reads the decision function.
        lambda net: CalibratedClassifierCV(net, cv=2),
        OneVsRestClassifier,
        lambda net: BaggingClassifier(net, n_estimators=2, random_state=0),
        lambda net: StackingClassifier([("net", net)], cv=2),
    ],
    ids=["calibrated", "one versus rest", "bagged", "stacked"],
)
def test_skl2onnx_exports_meta_estimators(make, y):
    model = make(classifier(output_activation="tanh")).fit(X, y)
    options = {id(model): {"zipmap": False}}
    exported = skl2onnx.to_onnx(model, X, options=options, target_opset=TARGET_OPSET)
    labels, probabilities = run_graph(exported, X)
    np.testing.assert_array_equal(labels, model.predict(X))
    np.testing.assert_allclose(probabilities, model.predict_proba(X), atol=1e-9)


# ------------------------------------------------------------------ versions


def test_default_versions():
    exported = to_onnx(classifier().fit(X, NAMES), X)
    assert TARGET_OPSET == 19
    versions = {s.domain: s.version for s in exported.opset_import}
    assert versions[""] == TARGET_OPSET
    assert versions.get("ai.onnx.ml", 3) <= 3
    assert exported.ir_version == 9


@pytest.mark.parametrize(("target_opset", "ir_version"), [(19, 9), (20, 9), (21, 10)])
@BOTH_ESTIMATORS
def test_other_versions(make, y, target_opset, ir_version):
    net = small(make, activation="gelu").fit(people(), y)
    exported = to_onnx(net, people(), target_opset=target_opset)
    assert exported.ir_version == ir_version
    assert {s.domain: s.version for s in exported.opset_import}[""] == target_opset
    assert_same_results(net, exported, people())


def test_ir_version():
    net = classifier().fit(X, NAMES)
    exported = to_onnx(net, X, ir_version=10)
    assert exported.ir_version == 10
    assert_same_results(net, exported, X)


def test_export_is_deterministic():
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


class ModifiedReLU(ReLU):
    """Subclass whose formula may differ from ReLU."""


def cube(z):
    return z**3, 3 * z**2


@pytest.mark.parametrize(
    ("custom", "name"),
    [(Square(), "Square"), (ModifiedReLU(), "ModifiedReLU"), (cube, "cube")],
)
@ignore_convergence_warning
def test_custom_activation_raises(custom, name):
    net = BackpropRegressor((4, 4), ["tanh", custom], **SHORT_TRAINING).fit(X, NUMBERS)
    error_of(
        lambda: to_onnx(net, X), "activation of hidden layer 2", name, "leaky_relu"
    )
    net = regressor(output_activation=custom).fit(X, np.abs(NUMBERS))
    error_of(lambda: to_onnx(net, X), "output_activation", name, "softmax")


@BOTH_ESTIMATORS
def test_unfitted_model_raises(make, y):
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


def test_model_without_network_raises():
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


def test_meta_estimator_raises():
    for make in (CalibratedClassifierCV, BaggingClassifier):
        model = make(classifier()).fit(X, CODES)
        error_of(lambda model=model: to_onnx(model, X), make.__name__, error=TypeError)


@ignore_convergence_warning
def test_estimator_subclass_raises():
    class Other(BackpropClassifier):
        pass

    net = Other((4,), **SHORT_TRAINING).fit(X, CODES)
    error_of(lambda: to_onnx(net, X), "Other", error=TypeError)


def test_unsupported_pipeline_step_raises():
    model = make_pipeline(FunctionTransformer(np.abs), classifier()).fit(X, NAMES)
    with pytest.raises(RuntimeError, match="FunctionTransformer"):
        to_onnx(model, X)


def test_samples_unlike_the_training_data_raise():
    net = classifier().fit(X, NAMES)
    error_of(lambda: to_onnx(net, sp.csr_array(X)), "Sparse data", error=TypeError)
    error_of(lambda: to_onnx(net, X[:, :3]), "3 features")
    error_of(
        lambda: to_onnx(net, X.astype(np.int16)), "int16", "int32", error=TypeError
    )
    error_of(lambda: to_onnx(net, X.astype(str)), "strings")
    net = classifier().fit(people(), NAMES)
    error_of(lambda: to_onnx(net, people().iloc[:, ::-1]), "order")
    strings = people().assign(age="old")
    error_of(lambda: to_onnx(net, strings), "age", "strings")
    numbers = people().assign(color=pd.Categorical(CODES))
    error_of(lambda: to_onnx(net, numbers), "color", "red")
    dates = people().assign(age=pd.Timestamp("2020-01-01"))
    error_of(lambda: to_onnx(net, dates), "age", "datetime64", error=TypeError)
    mixed = people().to_numpy(dtype=object)
    with pytest.warns(UserWarning, match="feature names"):
        error_of(lambda: to_onnx(net, mixed), "mixed", "DataFrame", error=TypeError)


def test_wrong_number_of_features_raises_in_skl2onnx():
    net = classifier().fit(X, NAMES)
    error_of(lambda: skl2onnx.to_onnx(net, X[:, :3]), "4 features", "[3]")


@pytest.mark.parametrize("target_opset", [999, "19", 19.0, None])
def test_unsupported_target_opset_raises(target_opset):
    net = classifier().fit(X, NAMES)
    error_of(
        lambda: to_onnx(net, X, target_opset=target_opset),
        f"target_opset={target_opset!r}",
        "from 19 to",
    )


def test_old_target_opset_raises():
    net = regressor().fit(X, NUMBERS)
    for export in (to_onnx, skl2onnx.to_onnx):
        error_of(
            lambda export=export: export(net, X, target_opset=18),
            "opset=18",
            "19 or later",
        )


@pytest.mark.parametrize("ir_version", [8, "9", 9.0])
def test_unsupported_ir_version_raises(ir_version):
    net = classifier().fit(X, NAMES)
    error_of(
        lambda: to_onnx(net, X, ir_version=ir_version),
        f"ir_version={ir_version!r}",
        "9",
    )


def test_import_without_skl2onnx_raises():
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


# ------------------------------------------------------------- random networks


@st.composite
def fitted_networks(draw):
    """Draw a fitted network and its training samples."""
    n_hidden = draw(st.integers(0, 3))
    params = dict(
        hidden_layer_sizes=draw(st.tuples(*[st.integers(1, 6)] * n_hidden)),
        activation=draw(st.tuples(*[st.sampled_from(HIDDEN_ACTIVATIONS)] * n_hidden)),
        standardize=draw(st.booleans()),
        dtype=draw(st.sampled_from(["float32", "float64"])),
        max_iter=1,
        **SHORT_TRAINING,
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
            # The normalization of other outputs can amplify float32 rounding errors.
            outputs = ["exp", "logistic"]
        f = draw(st.sampled_from(outputs))
        net = BackpropClassifier(output_activation=f, **params)
        y = np.arange(30) % n_classes
    net.fit(rows, y)
    # After one epoch, the weights are close to their small initial values.
    for W in net.coefs_:
        W[...] = rng.normal(0.0, 1.0 / np.sqrt(len(W)), W.shape)
    return net, rows


def clearly_decided(net, rows):
    """Return the rows whose predicted class does not depend on rounding errors."""
    scores = net.decision_function(rows)
    if scores.ndim == 1:
        margin = np.abs(scores)
    else:
        margin = np.diff(np.sort(scores, axis=1)[:, -2:], axis=1)[:, 0]
    return rows[margin > 1e-4 * np.abs(scores).max()]


@ignore_convergence_warning
@examples(60)
@given(fitted_networks())
def test_random_networks(drawn):
    net, rows = drawn
    exported = to_onnx(net, rows)
    if is_classifier(net):
        rows = clearly_decided(net, rows)
    if len(rows):
        # Random weights amplify rounding errors more than fitted weights.
        assert_same_results(net, exported, rows, {"float32": 1e-4, "float64": 1e-9})


@pytest.mark.parametrize("label", [3, "only"])
@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@DTYPES
@ignore_convergence_warning
def test_single_class(label, loss, dtype):
    y = np.repeat(label, len(X))
    given = X.astype(dtype)
    net = BackpropClassifier((4,), loss=loss, max_iter=2, random_state=0).fit(given, y)
    labels, probabilities = run_graph(to_onnx(net, given), given)
    np.testing.assert_array_equal(labels, y)
    np.testing.assert_array_equal(probabilities, np.ones((len(X), 1)))


# -------------------------------------------------------------------- ensembles


def ensemble_of(member):
    is_classification = is_classifier(member)
    make = (
        BackpropEnsembleClassifier if is_classification else BackpropEnsembleRegressor
    )
    return make(member, cv=3, random_state=0)


@DTYPES
@pytest.mark.parametrize("n_bins", [None, 4])
@pytest.mark.parametrize("loss", ["log_loss", "squared_error"])
@pytest.mark.parametrize(
    "y",
    [NAMES, CODES, BINARY_CODES, LABELS],
    ids=["names", "codes", "binary", "labels"],
)
@ignore_convergence_warning
def test_classifier_ensembles(y, loss, n_bins, dtype):
    member = classifier(loss=loss, n_bins=n_bins, dtype=dtype)
    check_export(ensemble_of(member).fit(X, y), X)


@DTYPES
@pytest.mark.parametrize(
    ("y", "params"),
    [
        (1e4 + 300.0 * NUMBERS, {}),
        (TARGETS, {"n_bins": 4}),
        (NUMBERS, {"loss": "quantile", "quantile": [0.1, 0.5, 0.9]}),
        (abs(NUMBERS), {"loss": "poisson"}),
    ],
    ids=["one", "several", "quantiles", "poisson"],
)
@ignore_convergence_warning
def test_regressor_ensembles(y, params, dtype):
    check_export(ensemble_of(regressor(dtype=dtype, **params)).fit(X, y), X)


@BOTH_ESTIMATORS
@ignore_convergence_warning
def test_ensembles_of_dataframes_in_pipelines_and_searches(make, y):
    frame = to_dataframe(X).assign(kind=pd.Categorical(NAMES[::-1]))
    frame.iloc[::5, 0] = np.nan
    ensemble = ensemble_of(small(make))
    check_export(clone(ensemble).fit(frame, y), frame)
    pipeline = make_pipeline(StandardScaler(), ensemble)
    check_export(clone(pipeline).fit(X, y), X)
    search = GridSearchCV(ensemble, {"estimator__alpha": [0.1, 1.0]}, cv=2)
    check_export(search.fit(frame, y), frame)


@pytest.mark.parametrize("y", [BINARY_CODES, CODES, LABELS])
@ignore_convergence_warning
def test_raw_scores_of_ensembles_match_decision_function(y):
    ensemble = ensemble_of(classifier()).fit(X, y)
    options = {id(ensemble): {"raw_scores": True, "zipmap": False}}
    exported = skl2onnx.to_onnx(
        ensemble, X[:1], options=options, target_opset=TARGET_OPSET
    )
    _, scores = run_graph(exported, X)
    expected = ensemble.decision_function(X)
    if expected.ndim == 1:
        np.testing.assert_array_equal(scores[:, 0], -scores[:, 1])
        scores = scores[:, 1]
    np.testing.assert_allclose(scores, expected, rtol=1e-9, atol=1e-9)


@ignore_convergence_warning
def test_ensemble_with_one_class():
    ensemble = ensemble_of(classifier()).fit(X, np.full(len(X), 3))
    labels, probabilities = run_graph(to_onnx(ensemble, X), X)
    np.testing.assert_array_equal(labels, 3)
    np.testing.assert_array_equal(probabilities, 1.0)


def test_ensemble_must_be_fitted():
    error_of(lambda: to_onnx(ensemble_of(classifier()), X), error=NotFittedError)
