"""Looking inside: decision functions, hidden activations, gradients by the inputs."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from scipy.special import expit, logit
from sklearn.exceptions import NotFittedError
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

cut_short = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

KINDS = {"binary": CODES > 0, "multiclass": CODES, "multilabel": LABELS}
by_kind = pytest.mark.parametrize("kind", sorted(KINDS))
by_activation = pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
STANDARDIZE = pytest.mark.parametrize("standardize", [False, True])
MANY = np.random.default_rng(5).normal(size=(2 * BLOCK_ROWS + 77, 4))
STEP = 1e-5


def fitted(make, y, rows=X, **params):
    net = small(make, max_iter=3, standardize=False).set_params(**params)
    return net.fit(rows, y)


def differences_by_inputs(function, rows):
    """Return central differences in each input, the outputs in the last axis."""
    columns = []
    for j in range(rows.shape[1]):
        step = np.zeros(rows.shape[1])
        step[j] = STEP
        columns.append((function(rows + step) - function(rows - step)) / (2 * STEP))
    return np.stack(columns, axis=1)


def assert_derivatives(computed, differences):
    assert computed.shape == differences.shape
    assert abs(differences).max() > 1e-3  # there is something to be seen
    np.testing.assert_allclose(computed, differences, rtol=1e-6, atol=1e-8)


# ---------------------------------------------------------------- decision_function


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@by_kind
@cut_short
def test_logits_of_sigmoids_and_softmax(kind, loss):
    net = fitted(BackpropClassifier, KINDS[kind], loss=loss)
    scores, proba = net.decision_function(X), net.predict_proba(X)
    assert scores.shape == {"binary": (90,)}.get(kind, (90, 3))
    assert scores.dtype == np.float64
    # z written out; and the probabilities that are made of it.
    z = np.maximum(X @ net.coefs_[0] + net.intercepts_[0], 0) @ net.coefs_[1]
    z += net.intercepts_[1]
    np.testing.assert_allclose(scores.reshape(z.shape), z, rtol=1e-11, atol=1e-13)
    if kind == "binary":
        np.testing.assert_allclose(scores, logit(proba[:, 1]), rtol=1e-9, atol=1e-12)
    elif kind == "multilabel":
        np.testing.assert_allclose(scores, logit(proba), rtol=1e-9, atol=1e-12)
    elif loss == "log_loss":  # softmax: the log-odds of one class to another
        odds = np.log(proba[:, 1:] / proba[:, :1])
        np.testing.assert_allclose(scores[:, 1:] - scores[:, :1], odds, rtol=1e-9)
    else:
        a = expit(scores)
        np.testing.assert_allclose(a / a.sum(axis=1)[:, np.newaxis], proba, rtol=1e-9)


@by_kind
@pytest.mark.parametrize("output", sorted(set(OUTPUT_ACTIVATIONS) - {"softmax"}))
@cut_short
def test_scores_agree_with_predictions(output, kind):
    net = fitted(BackpropClassifier, KINDS[kind], output_activation=output)
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


@cut_short
def test_softmax_under_the_quadratic_cost():
    net = fitted(BackpropClassifier, CODES, output_activation="softmax")
    scores = net.decision_function(X)
    np.testing.assert_array_equal(net.classes_[scores.argmax(axis=1)], net.predict(X))
    odds = np.log(net.predict_proba(X)[:, 1:] / net.predict_proba(X)[:, :1])
    np.testing.assert_allclose(scores[:, 1:] - scores[:, :1], odds, rtol=1e-9)


def without_inputs(y, biases, **params):
    """Return a network whose weighted outputs are these biases, for any input."""
    net = fitted(BackpropClassifier, y, hidden_layer_sizes=(), **params)
    net.coefs_[0][...] = 0.0
    net.intercepts_[0][...] = biases
    return net


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@cut_short
def test_scores_are_exact_where_probabilities_saturate(dtype, loss):
    net = without_inputs(CODES, [-800.0, 900.0, 850.0], loss=loss, dtype=dtype)
    np.testing.assert_array_equal(net.decision_function(X[:1]), [[-800, 900, 850]])
    net = without_inputs(CODES > 0, [1000.0], loss=loss, dtype=dtype)
    np.testing.assert_array_equal(net.decision_function(X[:1]), [1000])
    net = without_inputs(LABELS, [1e3, -1e3, 500.0], loss=loss, dtype=dtype)
    np.testing.assert_array_equal(net.decision_function(X[:1]), [[1e3, -1e3, 500]])
    assert net.decision_function(X[:1]).dtype == dtype


@cut_short
def test_predictions_follow_scores_where_outputs_have_rounded_alike():
    net = without_inputs(CODES, [40.0, 60.0, 50.0])
    assert net.decision_function(X[:1]).argmax() == 1
    assert net.predict(X[:1]) == [1]
    net = without_inputs(CODES > 0, [1e-20])
    assert net.decision_function(X[:1]) > 0
    assert net.predict(X[:1]) == [True]
    net = without_inputs(LABELS, [1e-20, -1e-20, 1.0])
    np.testing.assert_array_equal(net.predict(X[:1]), [[1, 0, 1]])


# --------------------------------------------------------------- hidden_activations


def made_ready(rows, learned_from=X, center=True):
    scale = learned_from.std(axis=0)
    mean = learned_from.mean(axis=0) if center else 0.0
    return 5 * np.tanh((rows - mean) / scale / 5)


@STANDARDIZE
@by_activation
@ESTIMATORS
@cut_short
def test_hidden_activations_are_a_forward_pass(make, y, activation, standardize):
    params = dict(hidden_layer_sizes=(6, 5), standardize=standardize)
    net = fitted(make, y, activation=(activation, "tanh"), **params)
    first, second = net.hidden_activations(MANY)
    x = made_ready(MANY) if standardize else MANY
    (W1, W2, _), (b1, b2, _) = net.coefs_, net.intercepts_
    a1 = ACTIVATION_FORMULAS[activation](x @ W1 + b1)
    np.testing.assert_allclose(first, a1, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(second, np.tanh(a1 @ W2 + b2), rtol=1e-9, atol=1e-11)


@STANDARDIZE
@ESTIMATORS
@cut_short
def test_hidden_activations_of_sparse_rows(make, y, standardize):
    net = fitted(make, y, csr_array(X), standardize=standardize)
    (a,) = net.hidden_activations(csr_array(MANY))
    x = made_ready(MANY, center=False) if standardize else MANY
    z = x @ net.coefs_[0] + net.intercepts_[0]
    np.testing.assert_allclose(a, np.maximum(z, 0), rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(
        net.hidden_activations(MANY)[0], a, rtol=1e-9, atol=1e-11
    )


@ESTIMATORS
@cut_short
def test_without_hidden_layers_there_are_no_activations(make, y):
    assert fitted(make, y, hidden_layer_sizes=()).hidden_activations(X) == []


# ------------------------------------------------------------------ input_gradients


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@by_kind
@STANDARDIZE
@by_activation
@cut_short
def test_gradients_of_a_classifier_are_those_of_its_scores(
    activation, standardize, kind, loss
):
    net = fitted(
        BackpropClassifier,
        KINDS[kind],
        activation=activation,
        hidden_layer_sizes=(6, 5),
        standardize=standardize,
        loss=loss,
    )
    differences = differences_by_inputs(net.decision_function, X)
    assert_derivatives(net.input_gradients(X), differences)


@pytest.mark.parametrize("output", sorted(OUTPUT_ACTIVATIONS))
@STANDARDIZE
@cut_short
def test_gradients_of_every_output_activation(output, standardize):
    params = dict(output_activation=output, standardize=standardize)
    net = fitted(BackpropClassifier, CODES, **params)
    differences = differences_by_inputs(net.decision_function, X)
    assert_derivatives(net.input_gradients(X), differences)
    several = np.column_stack([NUMBERS, NUMBERS**2, 100 * X[:, 2]])
    net = fitted(BackpropRegressor, several, **params)
    assert_derivatives(net.input_gradients(X), differences_by_inputs(net.predict, X))


@STANDARDIZE
@by_activation
@cut_short
def test_gradients_of_a_regressor_are_those_of_its_predictions(activation, standardize):
    rows, y = 10 * X + 3, 50 * NUMBERS - 20
    params = dict(activation=activation, standardize=standardize)
    net = fitted(BackpropRegressor, y, rows, **params)
    gradients = net.input_gradients(rows)
    assert gradients.shape == rows.shape
    assert_derivatives(gradients, differences_by_inputs(net.predict, rows))


@STANDARDIZE
@cut_short
def test_gradients_of_several_quantiles(standardize):
    net = fitted(
        BackpropRegressor,
        7 * NUMBERS,
        loss="quantile",
        quantile=[0.1, 0.5, 0.8],
        standardize=standardize,
        activation="silu",
    )
    gradients = net.input_gradients(X)
    assert gradients.shape == (90, 4, 3)
    assert_derivatives(gradients, differences_by_inputs(net.predict, X))


@STANDARDIZE
@ESTIMATORS
@cut_short
def test_gradients_of_sparse_rows(make, y, standardize):
    net = fitted(make, y, csr_array(X), standardize=standardize)
    answer = getattr(net, "decision_function", net.predict)
    few = np.where(np.random.default_rng(0).random(X.shape) < 0.4, X, 0.0)
    computed = net.input_gradients(csr_array(few))
    assert_derivatives(computed, differences_by_inputs(answer, few))


@cut_short
def test_gradients_of_a_linear_network_are_its_weights_in_units_of_the_data():
    rows, y = X * [1.0, 10.0, 0.1, 5.0], 30 * NUMBERS
    net = fitted(BackpropRegressor, y, rows, hidden_layer_sizes=(), standardize=True)
    # At the mean the bound does not bend.
    expected = net.coefs_[0][:, 0] / rows.std(axis=0) * y.std()
    at_mean = net.input_gradients(rows.mean(axis=0)[np.newaxis])
    np.testing.assert_allclose(at_mean, expected[np.newaxis], rtol=1e-10)


@cut_short
def test_gradients_by_the_columns_of_a_frame():
    table = pd.DataFrame(X[:, :3].copy(), columns=list("abc"))
    table.insert(1, "kind", pd.Categorical(np.array(["p", "q", "r"])[CODES]))
    table.loc[::7, "c"] = np.nan
    net = regressor(activation="tanh", max_iter=3).fit(table, NUMBERS)
    gradients = net.input_gradients(table)
    assert gradients.shape == (90, 4)
    numbers = {"a": 0, "b": 2, "c": 3}
    for name, j in numbers.items():
        up, down = (table.assign(**{name: table[name] + s}) for s in (STEP, -STEP))
        differences = (net.predict(up) - net.predict(down)) / (2 * STEP)
        present = table[name].notna()
        np.testing.assert_allclose(
            gradients[present, j], differences[present], rtol=1e-6, atol=1e-8
        )
    assert np.isnan(gradients[:, 1]).all()
    assert np.isnan(gradients[::7, 3]).all()
    assert np.isnan(gradients).sum() == 90 + len(table[::7])


# --------------------------------------------------------------------- all of them

QUESTIONS = pytest.mark.parametrize(
    "ask", ["hidden_activations", "input_gradients", "decision_function"]
)


def answers(net, ask, rows):
    found = getattr(net, ask)(rows)
    return found if isinstance(found, list) else [found]


@QUESTIONS
@by_kind
@cut_short
def test_more_rows_than_a_block_are_as_if_asked_one_by_one(kind, ask):
    net = fitted(BackpropClassifier, KINDS[kind], hidden_layer_sizes=(6, 5))
    whole = answers(net, ask, MANY)
    parts = zip(*(answers(net, ask, part) for part in np.array_split(MANY, 50)))
    for all_at_once, one_by_one in zip(whole, parts):
        assert len(all_at_once) == len(MANY)
        np.testing.assert_allclose(
            all_at_once, np.concatenate(one_by_one), rtol=1e-12, atol=1e-13
        )


@QUESTIONS
@STANDARDIZE
@by_kind
@cut_short
def test_answers_have_the_precision_of_the_network(kind, standardize, ask):
    params = dict(standardize=standardize, activation="silu")
    single, double = (
        fitted(BackpropClassifier, KINDS[kind], dtype=dtype, **params)
        for dtype in ("float32", "float64")
    )
    for rows in (X, X.astype(np.float32), csr_array(X)):
        for mine, theirs in zip(answers(single, ask, rows), answers(double, ask, rows)):
            assert mine.dtype == np.float32
            np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-4)


@cut_short
def test_gradients_of_a_regressor_have_the_precision_of_the_network():
    net = fitted(BackpropRegressor, NUMBERS, dtype="float32", standardize=True)
    assert net.input_gradients(X).dtype == np.float32


@QUESTIONS
@STANDARDIZE
@cut_short
def test_arrays_are_not_written_to(standardize, ask):
    net = fitted(BackpropClassifier, CODES, activation="gelu", standardize=standardize)
    weights = [W.copy() for W in net.coefs_]
    for given in (X, X.astype(np.float32), (10 * X).astype(int)):
        rows = given.copy()
        rows.setflags(write=False)
        answers(net, ask, rows)
        np.testing.assert_array_equal(rows, given)
    sparse = csr_array(X)
    answers(net, ask, sparse)
    np.testing.assert_array_equal(sparse.toarray(), X)
    for W, before in zip(net.coefs_, weights):
        np.testing.assert_array_equal(W, before)


@QUESTIONS
def test_an_unfitted_network_says_so(ask):
    with pytest.raises(NotFittedError, match="BackpropClassifier"):
        getattr(classifier(), ask)(X)
    if ask == "decision_function":
        assert not hasattr(regressor(), ask)
    else:
        with pytest.raises(NotFittedError, match="BackpropRegressor"):
            getattr(regressor(), ask)(X)


@QUESTIONS
@cut_short
def test_rows_are_checked(ask):
    net = fitted(BackpropClassifier, CODES)
    with pytest.raises(ValueError, match="X has 3 features"):
        getattr(net, ask)(X[:, :3])
    with pytest.raises(ValueError, match="NaN"):
        getattr(net, ask)(np.where(X > 1, np.nan, X))


class Shifted(Sigmoid):
    """A sigmoid that is one half at 2, not at 0."""

    def forward(self, z, out):
        np.subtract(z, 2.0, out=out)
        super().forward(out, out)


@cut_short
def test_a_class_derived_from_sigmoid_decides_where_it_is_one_half():
    net = BackpropClassifier((4,), output_activation=Shifted(), solver="lbfgs")
    net.set_params(max_iter=10, random_state=0).fit(X, CODES > 0)
    likely = net.predict_proba(X)[:, 1] > 0.5
    assert 0 < likely.sum() < len(X)
    np.testing.assert_array_equal(net.predict(X), likely)
    np.testing.assert_array_equal(net.decision_function(X) > 0.0, likely)
