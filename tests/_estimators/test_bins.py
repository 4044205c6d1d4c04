"""Networks with the piecewise-linear encoding of numeric features (`n_bins`)."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from small_fits import error_of, ignore_convergence_warning
from small_inputs import encode_column, expected_edges
from small_networks import (
    CODES,
    ESTIMATORS,
    LABELS,
    NAMES,
    NUMBERS,
    WEIGHT,
    X,
    assert_same_network,
    small,
    to_dataframe,
)

from skbackprop import BackpropClassifier, BackpropRegressor, check_gradients
from skbackprop._data import bin_edges

pytestmark = ignore_convergence_warning
STANDARDIZE = pytest.mark.parametrize("standardize", [True, False])
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])

#: Columns of X, a binary column, a constant column, and few distinct values.
WIDE = np.column_stack([X, X[:, 0] > 0.3, np.full(90, 7.0), CODES * 3.0 - 1.0])
MISSING = WIDE.copy()
MISSING[::5, 1] = np.nan
MISSING[3::7, 6] = np.nan


def encode(values, learned_from, n_bins, standardize=True):
    """Return the inputs of a network, computed column by column."""
    numeric, components, indicators = [], [], []
    for x, known in zip(values.T, learned_from.T):
        mean, std = np.nanmean(known), np.nanstd(known)
        imputed = np.where(np.isnan(x), mean, x)
        std = std if std > 0.0 else 1.0
        if standardize:  # the components are computed from the clipped feature
            reach = 10.0 * max(np.nanmax(np.abs(known - mean)), std)
            imputed = np.clip(imputed, mean - reach, mean + reach)
        numeric.append((imputed - mean) / std if standardize else imputed)
        edges = expected_edges(known[~np.isnan(known)], n_bins)
        if len(edges) > 2:
            components.append(encode_column(imputed, edges))
        if np.isnan(known).any():
            indicators.append(np.isnan(x))
    return np.column_stack([*numeric, *components, *indicators]).astype(float)


def outputs(net, rows):
    return getattr(net, "decision_function", net.predict)(rows)


# --------------------------------------------------------------- inputs of the network


@STANDARDIZE
@pytest.mark.parametrize("n_bins", [2, 5, 30])
@ESTIMATORS
def test_inputs_of_the_network(make, y, n_bins, standardize):
    net = small(make, n_bins=n_bins, standardize=standardize, max_iter=2)
    net.fit(MISSING, y)
    rows = np.vstack([MISSING, 3.0 * MISSING, -40.0 * MISSING])
    expected = encode(rows, MISSING, n_bins, standardize)
    assert net.coefs_[0].shape[0] == expected.shape[1]
    np.testing.assert_allclose(net.network_inputs(rows), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("early_stopping", [False, True])
@ESTIMATORS
def test_network_equals_network_of_encoded_array(make, y, solver, early_stopping):
    params = {"solver": solver, "max_iter": 4, "standardize": False}
    params |= {"early_stopping": early_stopping, "validation_fraction": 0.3}
    ours = small(make, n_bins=6, **params).fit(MISSING, y)
    z = encode(MISSING, MISSING, 6, standardize=False)
    theirs = small(make, **params).fit(z, y)
    for mine, other in zip(ours.coefs_, theirs.coefs_, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(outputs(ours, MISSING), outputs(theirs, z), rtol=1e-6)


@ESTIMATORS
def test_integer_weights_equal_repetitions(make, y):
    counts, values = WEIGHT.astype(int), MISSING.copy()
    values[counts == 0] *= 1e9  # ignored
    repeated = np.repeat(np.arange(90), counts)
    params = {"solver": "lbfgs", "max_iter": 5, "n_bins": 7}
    ours = small(make, **params).fit(values, y, sample_weight=counts)
    theirs = small(make, **params).fit(values[repeated], y[repeated])
    for mine, other in zip(ours.coefs_, theirs.coefs_, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-8, atol=1e-10)


@DTYPES
@ESTIMATORS
def test_kinds_of_data_give_the_same_network(make, y, dtype):
    values = MISSING.astype(dtype)
    names = list("abcdefg")
    tables = [
        np.asfortranarray(values),
        pd.DataFrame(values, columns=names),
        pl.DataFrame(values, schema=names),
    ]
    net = small(make, n_bins=5, max_iter=3).fit(values, y)
    assert net.coefs_[0].dtype == dtype
    for table in tables:
        other = clone(net).fit(table, y)
        assert_same_network(net, other)
        np.testing.assert_array_equal(outputs(net, values), outputs(other, table))


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int64", "float16"])
@ESTIMATORS
def test_dtypes_of_arrays(make, y, dtype):
    rows = np.abs(20 * X).astype(dtype)
    params = {"n_bins": 4, "max_iter": 3, "dtype": "float64"}
    net = small(make, **params).fit(rows, y)
    same = small(make, **params).fit(rows.astype(float), y)
    for mine, other in zip(net.coefs_, same.coefs_, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-6, atol=1e-9)
    assert len(net.coefs_[0]) == (4 if dtype == "bool" else 4 * 5)


def test_categories_and_bins():
    frame = to_dataframe(X).assign(kind=pd.Categorical(NAMES))
    net = small(BackpropClassifier, n_bins=3, max_iter=2).fit(frame, CODES)
    inputs = net.network_inputs(frame)
    assert inputs.shape == (90, 4 + 4 * 3 + 3)
    np.testing.assert_allclose(inputs[:, :16], encode(X, X, 3), rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(inputs[:, 16:], pd.get_dummies(NAMES))
    table = frame.to_numpy(object)
    same = clone(net).set_params(categorical_features=[4]).fit(table, CODES)
    assert_same_network(net, same)
    # With many categories, the one-hot columns are sparse.
    many = frame.assign(kind=pd.Categorical(np.arange(90), np.arange(400)))
    net.fit(many, CODES)
    np.testing.assert_allclose(
        net.network_inputs(many)[:, :16].toarray(), inputs[:, :16]
    )
    assert net.input_gradients(many).shape[:2] == (90, 5)


def test_sparse_columns_of_dataframes():
    dense = to_dataframe(np.where(X > 0.0, X, 0.0))
    frame = dense.astype(pd.SparseDtype(float, 0.0))
    net = small(BackpropRegressor, n_bins=4, max_iter=2).fit(frame, NUMBERS)
    same = clone(net).fit(dense, NUMBERS)
    assert_same_network(net, same)
    np.testing.assert_array_equal(net.predict(frame), same.predict(dense))


def test_features_without_bins_change_nothing():
    rows = np.column_stack([X[:, 0] > 0, X[:, 1] > 0.5, np.ones(90)]).astype(float)
    plain = small(BackpropRegressor, max_iter=3).fit(rows, NUMBERS)
    assert_same_network(clone(plain).set_params(n_bins=9).fit(rows, NUMBERS), plain)


@DTYPES
def test_extreme_values(dtype):
    rows = X * [1.0, 1e-300 if dtype == "float64" else 1e-37, 1e30, 1e-12]
    rows[:, 3] += 1.0
    rows[0, 0] = 1e30
    net = small(BackpropRegressor, n_bins=8, dtype=dtype, max_iter=3)
    inputs = net.fit(rows, NUMBERS).network_inputs(rows)
    assert np.isfinite(inputs).all()
    far = net.network_inputs(1e6 * rows)[:, 4:]
    assert np.abs(far).max() <= 10.0
    assert np.isfinite(net.input_gradients(rows)).all()


# ----------------------------------------------------------------------- training


def test_bins_fit_steps():
    rng = np.random.default_rng(3)
    rows = rng.uniform(size=(1500, 3))
    y = np.where(rows[:, 0] * 12 % 2 < 1, 1.0, -1.0) + 0.1 * rows[:, 1]
    params = {"max_iter": 40, "random_state": 0, "learning_rate_init": 0.01}
    train, test = slice(0, 1000), slice(1000, None)
    scores = {
        n_bins: BackpropRegressor((30,), n_bins=n_bins, **params)
        .fit(rows[train], y[train])
        .score(rows[test], y[test])
        for n_bins in (None, 24)
    }
    assert scores[24] > 0.7
    assert scores[None] < 0.3


@STANDARDIZE
@ESTIMATORS
def test_partial_fit_equals_fit(make, y, standardize):
    params = {"n_bins": 5, "standardize": standardize, "shuffle": True}
    fitted = small(make, max_iter=4, **params).fit(MISSING, y)
    net = small(make, **params)
    kwargs = {"classes": [0, 1, 2]} if make is BackpropClassifier else {}
    for _ in range(4):
        net.partial_fit(MISSING, y, **kwargs)
    for mine, other in zip(net.coefs_, fitted.coefs_, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-12)


@STANDARDIZE
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_continued_training_keeps_the_bins(method, standardize):
    net = small(BackpropRegressor, n_bins=5, standardize=standardize, warm_start=True)
    net.partial_fit(MISSING, NUMBERS)
    getattr(net, method)(3.0 * MISSING + 2.0, NUMBERS)
    components = net.network_inputs(MISSING)[:, 7:]
    expected = encode(MISSING, MISSING, 5)[:, 7:]
    known = ~np.isnan(MISSING).any(axis=1)  # the means of standardized columns change
    np.testing.assert_allclose(components[known], expected[known], rtol=1e-9, atol=1e-9)


def test_warm_start_preserves_predictions_for_new_scales():
    net = small(BackpropRegressor, n_bins=5, warm_start=True).fit(WIDE, NUMBERS)
    before = net.predict(WIDE)
    net.set_params(learning_rate_init=1e-12, max_iter=1).fit(4.0 * WIDE, NUMBERS)
    np.testing.assert_allclose(net.predict(WIDE), before, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "y", "params"),
    [
        (BackpropClassifier, LABELS, {"class_weight": [{1: 3.0}] * 3}),
        (BackpropClassifier, NAMES, {"class_weight": "balanced", "loss": "log_loss"}),
        (BackpropClassifier, CODES, {"early_stopping": True, "scoring": "accuracy"}),
        (BackpropRegressor, X[:, :2] ** 2, {"early_stopping": True, "scoring": "r2"}),
        (BackpropRegressor, NUMBERS, {"loss": "quantile", "quantile": [0.2, 0.8]}),
    ],
    ids=["labels", "balanced", "accuracy", "several targets", "quantiles"],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_tasks_and_scores(make, y, params, dtype):
    net = small(make, n_bins=4, dtype=dtype, max_iter=3, **params).fit(MISSING, y)
    assert net.predict(MISSING).shape[0] == 90
    assert np.isfinite(net.loss_)


def test_initial_coefficients_include_the_components():
    net = small(BackpropRegressor, n_bins=4, max_iter=1).fit(X, NUMBERS)
    coefs, before = [W.copy() for W in net.coefs_], net.predict(X)
    assert coefs[0].shape == (4 * 5, 8)
    net.set_params(learning_rate_init=1e-12)
    net.fit(X, NUMBERS, coefs_init=coefs, intercepts_init=net.intercepts_)
    np.testing.assert_allclose(net.predict(X), before, rtol=1e-7, atol=1e-7)
    error_of(
        lambda: net.fit(X, NUMBERS, coefs_init=[coefs[0][:4], coefs[1]]), "coefs_init"
    )


@STANDARDIZE
@ESTIMATORS
def test_gradients_of_the_loss(make, y, standardize):
    net = small(make, n_bins=4, standardize=standardize, activation="tanh")
    assert check_gradients(net, MISSING, y) < 1e-6


# ------------------------------------------------------------------ input gradients


@STANDARDIZE
@ESTIMATORS
def test_input_gradients_match_differences(make, y, standardize):
    net = small(make, n_bins=5, standardize=standardize, activation="silu", max_iter=3)
    net.fit(MISSING, y)
    # Inside the bins, and far beyond the range of the training data.
    rows = np.vstack([0.997 * MISSING + 0.0013, 4.0 * MISSING + 0.11])
    step, differences = 1e-6, []
    for j in range(7):
        e = step * (np.arange(7) == j)
        differences.append(
            (outputs(net, rows + e) - outputs(net, rows - e)) / (2 * step)
        )
    differences = np.stack(differences, axis=1)
    differences[np.isnan(rows)] = np.nan
    gradients = net.input_gradients(rows)
    assert np.nanmax(np.abs(gradients)) > 1e-2
    np.testing.assert_allclose(gradients, differences, rtol=2e-6, atol=1e-7)
    single = clone(net).set_params(dtype="float32").fit(MISSING, y)
    single.coefs_, single.intercepts_ = net.coefs_, net.intercepts_
    rounded = single.input_gradients(rows)
    assert rounded.dtype == np.float32
    np.testing.assert_allclose(rounded, gradients, rtol=1e-3, atol=1e-4)


# --------------------------------------------------------------------------- errors


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@ESTIMATORS
def test_sparse_data_raise(make, y, method):
    message = (
        "n_bins=4 is not supported with sparse X. Set n_bins=None, or pass X.toarray()."
    )
    kwargs = {"classes": [0, 1, 2]} if make is BackpropClassifier else {}
    kwargs = kwargs if method == "partial_fit" else {}
    net = small(make, n_bins=4)
    fit = getattr(net, method)
    assert error_of(lambda: fit(csr_array(X), y, **kwargs)) == message
    assert not hasattr(net, "coefs_")
    fit(X, y, **kwargs)
    assert error_of(lambda: net.partial_fit(csr_array(X), y)) == message
    assert error_of(lambda: net.predict(csr_array(X))) == message
    assert error_of(lambda: net.network_inputs(csr_array(X))) == message
    net.fit(to_dataframe(), y)
    with pytest.warns(UserWarning, match="feature names"):
        assert error_of(lambda: net.predict(csr_array(X))) == message


@pytest.mark.parametrize("n_bins", [1, 0, -3, 2.5, "auto", True])
@ESTIMATORS
def test_invalid_numbers_of_bins_raise(make, y, n_bins):
    error_of(
        lambda: small(make, n_bins=n_bins).fit(X, y), "'n_bins' parameter", "[2, inf)"
    )


@pytest.mark.parametrize("now", [None, 6])
@ESTIMATORS
def test_changed_number_of_bins_raises(make, y, now):
    net = small(make, n_bins=5, warm_start=True).fit(X, y).set_params(n_bins=now)
    for method in (net.fit, net.partial_fit):
        error_of(lambda f=method: f(X, y), "n_bins has changed", f"from 5 to {now}")


# --------------------------------------------------------------------- many rows


def test_edges_of_many_rows_come_from_a_sample(monkeypatch):
    monkeypatch.setattr(bin_edges, "MAX_ROWS", 40)
    nets = [
        small(BackpropRegressor, n_bins=5, max_iter=1, random_state=seed).fit(
            X, NUMBERS
        )
        for seed in (0, 1)
    ]
    one, other = (net.network_inputs(X)[:, 4:] for net in nets)
    np.testing.assert_array_equal(one, other)
    assert np.abs(one - encode(X, X, 5)[:, 4:]).max() > 1e-3
