"""Assigned weights, public scales, and predictions computed by hand."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array, issparse
from small_fits import ignore_convergence_warning
from small_networks import (
    CODES,
    ESTIMATORS,
    LABELS,
    NUMBERS,
    X,
    assert_same_network,
    classifier,
    regressor,
    small,
)

from skbackprop import BackpropClassifier, BackpropRegressor

UNITS = X * [1.0, 50.0, 1e-3, 1.0] + [3.0, -200.0, 5.0, 0.0]
POSITIVE = np.exp(NUMBERS)


def forward(net, x):
    """Return the weighted inputs of the output layer, for ReLU layers."""
    for W, b in zip(net.coefs_[:-1], net.intercepts_[:-1]):
        x = np.maximum(x @ W + b, 0.0)
    return x @ net.coefs_[-1] + net.intercepts_[-1]


def scale(net, X):
    x = (X - net.input_mean_) / net.input_scale_
    return np.clip(x, -net.input_bound_, net.input_bound_)


# ------------------------------------------------------------------- public scales


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("convert", [np.asarray, csr_array, np.float32])
@ESTIMATORS
@ignore_convergence_warning
def test_scales_reproduce_network_inputs(make, y, convert, standardize):
    net = small(make, standardize=standardize).fit(convert(UNITS), y)
    outside = UNITS * 30.0  # some values are clipped
    rtol = 1e-4 if convert is np.float32 else 1e-10
    if convert is np.float32:
        outside = outside.astype(np.float32)
    for rows in (outside / 30.0, outside):
        found = net.network_inputs(convert(rows))
        assert issparse(found) == (convert is csr_array)
        found = found.toarray() if issparse(found) else found
        assert found.dtype == net.coefs_[0].dtype
        np.testing.assert_allclose(found, scale(net, rows), rtol=rtol, atol=rtol)
    hidden = np.maximum(found @ net.coefs_[0] + net.intercepts_[0], 0.0)
    np.testing.assert_allclose(
        net.hidden_activations(convert(outside))[0], hidden, rtol=rtol, atol=rtol
    )


def test_scales_are_means_and_standard_deviations():
    net = regressor(max_iter=1, tol=0.0, n_iter_no_change=9)
    with pytest.warns(match="Maximum iterations"):
        net.fit(UNITS, 1e3 * NUMBERS)
    np.testing.assert_allclose(net.input_mean_, UNITS.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(net.input_scale_, UNITS.std(axis=0), rtol=1e-12)
    np.testing.assert_allclose(net.target_mean_, [1e3 * NUMBERS.mean()], rtol=1e-12)
    np.testing.assert_allclose(net.target_scale_, [1e3 * NUMBERS.std()], rtol=1e-12)


@ignore_convergence_warning
def test_scales_without_standardization_have_no_effect():
    net = regressor(standardize=False).fit(UNITS, NUMBERS)
    assert net.input_mean_.tolist() == [0.0] * 4
    assert net.input_scale_.tolist() == [1.0] * 4
    assert net.input_bound_.tolist() == [np.inf] * 4
    assert net.target_mean_.tolist() == [0.0]
    assert net.target_scale_.tolist() == [1.0]


@ignore_convergence_warning
def test_scales_are_copies():
    net = regressor().fit(UNITS, NUMBERS)
    before = net.predict(UNITS)
    for name in ("input_mean_", "input_scale_", "target_mean_", "target_scale_"):
        getattr(net, name)[:] = 99.0
    np.testing.assert_array_equal(net.predict(UNITS), before)


@pytest.mark.parametrize("name", ["target_mean_", "target_scale_"])
def test_classifiers_have_no_target_scales(name):
    assert not hasattr(BackpropClassifier(), name)
    assert not hasattr(BackpropRegressor(), name)  # before fit


@ignore_convergence_warning
def test_network_inputs_of_categories_and_missing_values():
    frame = pd.DataFrame(UNITS[:, :2].copy(), columns=["a", "b"])
    frame.loc[::5, "a"] = np.nan
    frame["kind"] = pd.Categorical(np.array(["x", "y", "z"])[CODES])
    net = classifier().fit(frame, CODES)
    numbers = frame[["a", "b"]].fillna(frame[["a", "b"]].mean()).to_numpy()
    expected = np.column_stack(
        [scale(net, numbers), frame["a"].isna(), pd.get_dummies(frame["kind"])]
    ).astype(float)
    np.testing.assert_allclose(
        net.network_inputs(frame), expected, rtol=1e-12, atol=1e-12
    )


@ignore_convergence_warning
def test_network_inputs_of_many_rows_and_categories():
    levels = np.arange(300)
    codes = np.random.default_rng(0).integers(300, size=5000)
    frame = pd.DataFrame({"kind": pd.Categorical(codes, categories=levels)})
    net = classifier().fit(frame, codes % 2)
    found = net.network_inputs(frame)
    assert issparse(found)
    np.testing.assert_array_equal(found.toarray(), codes[:, np.newaxis] == levels)


# ------------------------------------------------------------ predictions by hand


@pytest.mark.parametrize("y", [CODES, CODES > 0, LABELS])
@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@ignore_convergence_warning
def test_probabilities_by_hand(y, loss):
    net = classifier(loss=loss, max_iter=20, tol=0.0).fit(UNITS, y)
    z = forward(net, scale(net, UNITS))
    if y is CODES and loss == "log_loss":
        expected = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    else:
        a = 1.0 / (1.0 + np.exp(-z))
        expected = np.hstack([1.0 - a, a]) if y.ndim == 1 and y is not CODES else a
        expected = a / a.sum(axis=1, keepdims=True) if y is CODES else expected
    np.testing.assert_allclose(net.predict_proba(UNITS), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("y", "params"),
    [
        (1e4 * NUMBERS + 5.0, {}),
        (UNITS[:, :2], {}),
        (1e4 * POSITIVE, {"output_activation": "relu"}),
        (POSITIVE, {"loss": "poisson"}),
        (NUMBERS, {"loss": "quantile", "quantile": 0.3}),
    ],
)
@ignore_convergence_warning
def test_regression_by_hand(y, params):
    net = regressor(**params, max_iter=20).fit(UNITS, y)
    a = forward(net, scale(net, UNITS))
    if net.out_activation_ == "relu":
        a = np.maximum(a, 0.0)
    elif net.out_activation_ == "exp":
        a = np.exp(a)
    expected = a * net.target_scale_ + net.target_mean_
    np.testing.assert_allclose(
        net.predict(UNITS).reshape(expected.shape), expected, rtol=1e-9, atol=1e-9
    )


# ------------------------------------------------------------------------ assignment


@ESTIMATORS
@ignore_convergence_warning
def test_assigned_weights_are_copied(make, y):
    net = small(make).fit(X, y)
    other = small(make, random_state=1).fit(X, y)
    coefs = [W.tolist() for W in other.coefs_]
    intercepts = [b.copy() for b in other.intercepts_]
    net.coefs_, net.intercepts_ = coefs, intercepts
    np.testing.assert_array_equal(net.predict(X), other.predict(X))
    intercepts[0][:] = 7.0
    assert_same_network(net, other)
    assert_same_network(pickle.loads(pickle.dumps(net)), other)
    assert_same_network(copy.deepcopy(net), other)


@ignore_convergence_warning
def test_training_continues_from_assigned_weights():
    net, other = (classifier(random_state=i).fit(X, CODES) for i in (0, 1))
    net.coefs_, net.intercepts_ = other.coefs_, other.intercepts_
    assert_same_network(net, other)
    before = [W.copy() for W in net.coefs_]
    net.set_params(learning_rate_init=1e-9).partial_fit(X, CODES)
    for W, start in zip(net.coefs_, before):
        np.testing.assert_allclose(W, start, atol=1e-6)


@ignore_convergence_warning
def test_layers_of_equal_shape_can_be_swapped():
    net = BackpropClassifier((4, 4), random_state=0, max_iter=2).fit(X, CODES)
    first, second, last = (W.copy() for W in net.coefs_)
    net.coefs_ = [net.coefs_[1], net.coefs_[0], net.coefs_[2]]
    for W, expected in zip(net.coefs_, (second, first, last)):
        np.testing.assert_array_equal(W, expected)


@pytest.mark.parametrize(
    "values",
    [
        [np.ones((4, 8))],
        [np.ones((4, 8)), np.ones((3, 8))],
        [np.ones((4, 8)), np.full((8, 3), np.nan)],
        [np.ones((4, 8)), np.full((8, 3), "a")],
        3.0,
    ],
    ids=["number", "shape", "nan", "strings", "no sequence"],
)
@ignore_convergence_warning
def test_invalid_weights_raise_and_change_nothing(values):
    net = classifier().fit(X, CODES)
    before = [W.copy() for W in net.coefs_]
    with pytest.raises(ValueError, match=r"coefs_ must be .*\(4, 8\), \(8, 3\)"):
        net.coefs_ = values
    for W, expected in zip(net.coefs_, before):
        np.testing.assert_array_equal(W, expected)


@pytest.mark.parametrize("name", ["coefs_", "intercepts_"])
def test_weights_of_unfitted_estimators_cannot_be_set(name):
    with pytest.raises(AttributeError, match="not fitted"):
        setattr(classifier(), name, [np.ones((4, 8)), np.ones((8, 3))])
