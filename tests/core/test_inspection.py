"""Decision functions, hidden activations and input gradients."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from scipy.special import expit, logit
from sklearn.exceptions import NotFittedError
from small_fits import ignore_convergence_warning
from small_networks import (
    CODES,
    ESTIMATORS,
    LABELS,
    NUMBERS,
    X,
    classifier,
    regressor,
    small,
)
from test_gradients import ACTIVATION_FORMULAS

from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop.core.activations import ACTIVATIONS, OUTPUT_ACTIVATIONS, Sigmoid
from skbackprop.core.layout import BLOCK_ROWS

TARGETS = {"binary": CODES > 0, "multiclass": CODES, "multilabel": LABELS}
by_kind = pytest.mark.parametrize("kind", sorted(TARGETS))
by_activation = pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
STANDARDIZE = pytest.mark.parametrize("standardize", [False, True])
MANY_ROWS = np.random.default_rng(5).normal(size=(2 * BLOCK_ROWS + 77, 4))
STEP = 1e-5


def fit_small(make, y, rows=X, **params):
    net = small(make, max_iter=3, standardize=False).set_params(**params)
    return net.fit(rows, y)


def numerical_input_gradients(function, rows):
    """Return central differences for each input; outputs are on the last axis."""
    columns = []
    for j in range(rows.shape[1]):
        step = np.zeros(rows.shape[1])
        step[j] = STEP
        columns.append((function(rows + step) - function(rows - step)) / (2 * STEP))
    return np.stack(columns, axis=1)


def assert_input_gradients(computed, differences):
    assert computed.shape == differences.shape
    assert abs(differences).max() > 1e-3  # the comparison is meaningful
    np.testing.assert_allclose(computed, differences, rtol=1e-6, atol=1e-8)


# ---------------------------------------------------------------- decision_function


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@by_kind
@ignore_convergence_warning
def test_decision_function_returns_logits(kind, loss):
    net = fit_small(BackpropClassifier, TARGETS[kind], loss=loss)
    scores, proba = net.decision_function(X), net.predict_proba(X)
    assert scores.shape == {"binary": (90,)}.get(kind, (90, 3))
    assert scores.dtype == np.float64
    # Reference logits; then the probabilities that follow from the scores.
    z = np.maximum(X @ net.coefs_[0] + net.intercepts_[0], 0) @ net.coefs_[1]
    z += net.intercepts_[1]
    np.testing.assert_allclose(scores.reshape(z.shape), z, rtol=1e-11, atol=1e-13)
    if kind == "binary":
        np.testing.assert_allclose(scores, logit(proba[:, 1]), rtol=1e-9, atol=1e-12)
    elif kind == "multilabel":
        np.testing.assert_allclose(scores, logit(proba), rtol=1e-9, atol=1e-12)
    elif loss == "log_loss":  # softmax: log-odds between two classes
        odds = np.log(proba[:, 1:] / proba[:, :1])
        np.testing.assert_allclose(scores[:, 1:] - scores[:, :1], odds, rtol=1e-9)
    else:
        a = expit(scores)
        np.testing.assert_allclose(a / a.sum(axis=1)[:, np.newaxis], proba, rtol=1e-9)


@by_kind
@pytest.mark.parametrize("output", sorted(set(OUTPUT_ACTIVATIONS) - {"softmax"}))
@ignore_convergence_warning
def test_scores_are_consistent_with_predictions(output, kind):
    net = fit_small(BackpropClassifier, TARGETS[kind], output_activation=output)
    scores, predicted = net.decision_function(X), net.predict(X)
    if kind == "multiclass":
        np.testing.assert_array_equal(net.classes_[scores.argmax(axis=1)], predicted)
    elif kind == "binary":
        np.testing.assert_array_equal(net.classes_[(scores > 0).astype(int)], predicted)
    else:
        np.testing.assert_array_equal(scores > 0, predicted)
    if output not in ("sigmoid", "logistic"):
        z = np.maximum(X @ net.coefs_[0] + net.intercepts_[0], 0) @ net.coefs_[1]
        a = ACTIVATION_FORMULAS[output](z + net.intercepts_[1])
        expected = a if kind == "multiclass" else a - 0.5
        np.testing.assert_allclose(
            scores.reshape(a.shape), expected, rtol=1e-10, atol=1e-12
        )


@ignore_convergence_warning
def test_softmax_with_squared_error():
    net = fit_small(BackpropClassifier, CODES, output_activation="softmax")
    scores = net.decision_function(X)
    np.testing.assert_array_equal(net.classes_[scores.argmax(axis=1)], net.predict(X))
    odds = np.log(net.predict_proba(X)[:, 1:] / net.predict_proba(X)[:, :1])
    np.testing.assert_allclose(scores[:, 1:] - scores[:, :1], odds, rtol=1e-9)


def make_constant_network(y, biases, **params):
    """Return a classifier whose weighted output is `biases` for any input."""
    net = fit_small(BackpropClassifier, y, hidden_layer_sizes=(), **params)
    net.coefs_[0][...] = 0.0
    net.intercepts_[0][...] = biases
    return net


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@ignore_convergence_warning
def test_scores_are_exact_for_saturated_probabilities(dtype, loss):
    net = make_constant_network(CODES, [-800.0, 900.0, 850.0], loss=loss, dtype=dtype)
    np.testing.assert_array_equal(net.decision_function(X[:1]), [[-800, 900, 850]])
    net = make_constant_network(CODES > 0, [1000.0], loss=loss, dtype=dtype)
    np.testing.assert_array_equal(net.decision_function(X[:1]), [1000])
    net = make_constant_network(LABELS, [1e3, -1e3, 500.0], loss=loss, dtype=dtype)
    np.testing.assert_array_equal(net.decision_function(X[:1]), [[1e3, -1e3, 500]])
    assert net.decision_function(X[:1]).dtype == dtype


@ignore_convergence_warning
def test_predictions_follow_scores_if_outputs_are_equal_after_rounding():
    net = make_constant_network(CODES, [40.0, 60.0, 50.0])
    assert net.decision_function(X[:1]).argmax() == 1
    assert net.predict(X[:1]) == [1]
    net = make_constant_network(CODES > 0, [1e-20])
    assert net.decision_function(X[:1]) > 0
    assert net.predict(X[:1]) == [True]
    net = make_constant_network(LABELS, [1e-20, -1e-20, 1.0])
    np.testing.assert_array_equal(net.predict(X[:1]), [[1, 0, 1]])


# --------------------------------------------------------------- hidden_activations


def transform_inputs(rows, learned_from=X, center=True):
    if not center:  # the root mean square, because all values are nonzero
        return rows / np.sqrt(np.mean(learned_from**2, axis=0))
    return (rows - learned_from.mean(axis=0)) / learned_from.std(axis=0)


@STANDARDIZE
@by_activation
@ESTIMATORS
@ignore_convergence_warning
def test_hidden_activations_match_forward_pass(make, y, activation, standardize):
    params = dict(hidden_layer_sizes=(6, 5), standardize=standardize)
    net = fit_small(make, y, activation=(activation, "tanh"), **params)
    first, second = net.hidden_activations(MANY_ROWS)
    x = transform_inputs(MANY_ROWS) if standardize else MANY_ROWS
    (W1, W2, _), (b1, b2, _) = net.coefs_, net.intercepts_
    a1 = ACTIVATION_FORMULAS[activation](x @ W1 + b1)
    np.testing.assert_allclose(first, a1, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(second, np.tanh(a1 @ W2 + b2), rtol=1e-9, atol=1e-11)


@STANDARDIZE
@ESTIMATORS
@ignore_convergence_warning
def test_hidden_activations_of_sparse_input(make, y, standardize):
    net = fit_small(make, y, csr_array(X), standardize=standardize)
    (a,) = net.hidden_activations(csr_array(MANY_ROWS))
    x = transform_inputs(MANY_ROWS, center=False) if standardize else MANY_ROWS
    z = x @ net.coefs_[0] + net.intercepts_[0]
    np.testing.assert_allclose(a, np.maximum(z, 0), rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(
        net.hidden_activations(MANY_ROWS)[0], a, rtol=1e-9, atol=1e-11
    )


@ESTIMATORS
@ignore_convergence_warning
def test_hidden_activations_are_empty_without_hidden_layers(make, y):
    assert fit_small(make, y, hidden_layer_sizes=()).hidden_activations(X) == []


# ------------------------------------------------------------------ input_gradients


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@by_kind
@STANDARDIZE
@by_activation
@ignore_convergence_warning
def test_classifier_gradients_match_differences_of_scores(
    activation, standardize, kind, loss
):
    net = fit_small(
        BackpropClassifier,
        TARGETS[kind],
        activation=activation,
        hidden_layer_sizes=(6, 5),
        standardize=standardize,
        loss=loss,
    )
    differences = numerical_input_gradients(net.decision_function, X)
    assert_input_gradients(net.input_gradients(X), differences)


@pytest.mark.parametrize("output", sorted(OUTPUT_ACTIVATIONS))
@STANDARDIZE
@ignore_convergence_warning
def test_gradients_with_each_output_activation(output, standardize):
    params = dict(output_activation=output, standardize=standardize)
    net = fit_small(BackpropClassifier, CODES, **params)
    differences = numerical_input_gradients(net.decision_function, X)
    assert_input_gradients(net.input_gradients(X), differences)
    several = np.column_stack([NUMBERS, NUMBERS**2, X[:, 2]])
    several = (several - several.min(axis=0)) / np.ptp(several, axis=0)
    if OUTPUT_ACTIVATIONS[output]().output_range[1] > 1:
        several *= [1.0, 10.0, 1e3]
    net = fit_small(BackpropRegressor, several, **params)
    assert_input_gradients(
        net.input_gradients(X), numerical_input_gradients(net.predict, X)
    )


@STANDARDIZE
@by_activation
@ignore_convergence_warning
def test_regressor_gradients_match_differences_of_predictions(activation, standardize):
    rows, y = 10 * X + 3, 50 * NUMBERS - 20
    params = dict(activation=activation, standardize=standardize)
    net = fit_small(BackpropRegressor, y, rows, **params)
    gradients = net.input_gradients(rows)
    assert gradients.shape == rows.shape
    assert_input_gradients(gradients, numerical_input_gradients(net.predict, rows))


@STANDARDIZE
@ignore_convergence_warning
def test_gradients_of_several_quantiles(standardize):
    net = fit_small(
        BackpropRegressor,
        7 * NUMBERS,
        loss="quantile",
        quantile=[0.1, 0.5, 0.8],
        standardize=standardize,
        activation="silu",
    )
    gradients = net.input_gradients(X)
    assert gradients.shape == (90, 4, 3)
    assert_input_gradients(gradients, numerical_input_gradients(net.predict, X))


@STANDARDIZE
@ESTIMATORS
@ignore_convergence_warning
def test_gradients_of_sparse_input(make, y, standardize):
    net = fit_small(make, y, csr_array(X), standardize=standardize)
    function = getattr(net, "decision_function", net.predict)
    few = np.where(np.random.default_rng(0).random(X.shape) < 0.4, X, 0.0)
    computed = net.input_gradients(csr_array(few))
    assert_input_gradients(computed, numerical_input_gradients(function, few))


@ignore_convergence_warning
def test_gradients_of_linear_network_are_weights_in_original_units():
    rows, y = X * [1.0, 10.0, 0.1, 5.0], 30 * NUMBERS
    net = fit_small(BackpropRegressor, y, rows, hidden_layer_sizes=(), standardize=True)
    expected = net.coefs_[0][:, 0] / rows.std(axis=0) * y.std()
    gradients = net.input_gradients(5.0 * rows)
    np.testing.assert_allclose(gradients, np.tile(expected, (90, 1)), rtol=1e-10)
    # Inputs far outside the range of the training data are clipped.
    np.testing.assert_array_equal(net.input_gradients(1e3 * rows[:1]), 0.0)


@ignore_convergence_warning
def test_gradients_for_columns_of_dataframe():
    df = pd.DataFrame(X[:, :3].copy(), columns=list("abc"))
    df.insert(1, "kind", pd.Categorical(np.array(["p", "q", "r"])[CODES]))
    df.loc[::7, "c"] = np.nan
    net = regressor(activation="tanh", max_iter=3).fit(df, NUMBERS)
    gradients = net.input_gradients(df)
    assert gradients.shape == (90, 4)
    numeric = {"a": 0, "b": 2, "c": 3}
    for name, j in numeric.items():
        up, down = (df.assign(**{name: df[name] + s}) for s in (STEP, -STEP))
        differences = (net.predict(up) - net.predict(down)) / (2 * STEP)
        present = df[name].notna()
        np.testing.assert_allclose(
            gradients[present, j], differences[present], rtol=1e-6, atol=1e-8
        )
    assert np.isnan(gradients[:, 1]).all()
    assert np.isnan(gradients[::7, 3]).all()
    assert np.isnan(gradients).sum() == 90 + len(df[::7])


# ---------------------------------------------------------------------- all methods

BY_METHOD = pytest.mark.parametrize(
    "method", ["hidden_activations", "input_gradients", "decision_function"]
)


def call(net, method, rows):
    result = getattr(net, method)(rows)
    return result if isinstance(result, list) else [result]


@BY_METHOD
@by_kind
@ignore_convergence_warning
def test_results_do_not_depend_on_number_of_rows(kind, method):
    net = fit_small(BackpropClassifier, TARGETS[kind], hidden_layer_sizes=(6, 5))
    whole = call(net, method, MANY_ROWS)
    parts = zip(*(call(net, method, part) for part in np.array_split(MANY_ROWS, 50)))
    for at_once, in_parts in zip(whole, parts):
        assert len(at_once) == len(MANY_ROWS)
        np.testing.assert_allclose(
            at_once, np.concatenate(in_parts), rtol=1e-12, atol=1e-13
        )


@BY_METHOD
@STANDARDIZE
@by_kind
@ignore_convergence_warning
def test_results_have_dtype_of_network(kind, standardize, method):
    params = dict(standardize=standardize, activation="silu")
    single, double = (
        fit_small(BackpropClassifier, TARGETS[kind], dtype=dtype, **params)
        for dtype in ("float32", "float64")
    )
    for rows in (X, X.astype(np.float32), csr_array(X)):
        for actual, expected in zip(
            call(single, method, rows), call(double, method, rows)
        ):
            assert actual.dtype == np.float32
            np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-4)


@ignore_convergence_warning
def test_regressor_gradients_have_dtype_of_network():
    net = fit_small(BackpropRegressor, NUMBERS, dtype="float32", standardize=True)
    assert net.input_gradients(X).dtype == np.float32


@BY_METHOD
@STANDARDIZE
@ignore_convergence_warning
def test_input_and_weights_are_not_changed(standardize, method):
    net = fit_small(
        BackpropClassifier, CODES, activation="gelu", standardize=standardize
    )
    weights = [W.copy() for W in net.coefs_]
    for given in (X, X.astype(np.float32), (10 * X).astype(int)):
        rows = given.copy()
        rows.setflags(write=False)
        call(net, method, rows)
        np.testing.assert_array_equal(rows, given)
    sparse = csr_array(X)
    call(net, method, sparse)
    np.testing.assert_array_equal(sparse.toarray(), X)
    for W, before in zip(net.coefs_, weights):
        np.testing.assert_array_equal(W, before)


@BY_METHOD
def test_unfitted_estimator_raises_not_fitted_error(method):
    with pytest.raises(NotFittedError, match="BackpropClassifier"):
        getattr(classifier(), method)(X)
    if method == "decision_function":
        assert not hasattr(regressor(), method)
    else:
        with pytest.raises(NotFittedError, match="BackpropRegressor"):
            getattr(regressor(), method)(X)


@BY_METHOD
@ignore_convergence_warning
def test_input_is_validated(method):
    net = fit_small(BackpropClassifier, CODES)
    with pytest.raises(ValueError, match="X has 3 features"):
        getattr(net, method)(X[:, :3])
    with pytest.raises(ValueError, match="infinity"):
        getattr(net, method)(np.where(X > 1, np.inf, X))


class ShiftedSigmoid(Sigmoid):
    """Sigmoid that is 0.5 at 2 instead of 0."""

    def forward(self, z, out):
        np.subtract(z, 2.0, out=out)
        super().forward(out, out)


@ignore_convergence_warning
def test_decision_threshold_of_sigmoid_subclass():
    net = BackpropClassifier((4,), output_activation=ShiftedSigmoid(), solver="lbfgs")
    net.set_params(max_iter=10, random_state=0).fit(X, CODES > 0)
    likely = net.predict_proba(X)[:, 1] > 0.5
    assert 0 < likely.sum() < len(X)
    np.testing.assert_array_equal(net.predict(X), likely)
    np.testing.assert_array_equal(net.decision_function(X) > 0.0, likely)
