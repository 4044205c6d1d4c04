"""Missing values in dense arrays."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.ensemble import BaggingClassifier, BaggingRegressor
from sklearn.feature_selection import RFE, SequentialFeatureSelector
from sklearn.impute import SimpleImputer
from sklearn.inspection import permutation_importance
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.semi_supervised import SelfTrainingClassifier
from small_fits import error_of, ignore_convergence_warning
from small_networks import (
    CODES,
    ESTIMATORS,
    NUMBERS,
    WEIGHT,
    X,
    assert_same_network,
    small,
)

from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop._estimators.solvers import SOLVERS

MISSING = X.copy()
MISSING[::5, 1] = np.nan
MISSING[3::7, 2] = np.nan


def impute(values):
    """Return imputed features and indicators, computed by scikit-learn."""
    return SimpleImputer(add_indicator=True).fit_transform(values)


@pytest.mark.parametrize("solver", SOLVERS)
@ESTIMATORS
@ignore_convergence_warning
def test_network_equals_network_of_imputed_array(make, y, solver):
    params = {"solver": solver, "standardize": False, "max_iter": 4}
    ours = small(make, **params).fit(MISSING, y)
    theirs = small(make, **params).fit(impute(MISSING), y)
    for mine, other in zip(ours.coefs_, theirs.coefs_):
        np.testing.assert_allclose(mine, other, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(
        ours.predict(MISSING), theirs.predict(impute(MISSING)), rtol=1e-7, atol=1e-10
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@ESTIMATORS
@ignore_convergence_warning
def test_arrays_and_dataframes_give_the_same_network(make, y, dtype):
    values = MISSING.astype(dtype)
    frame = pd.DataFrame(values, columns=list("abcd"))
    ours, theirs = small(make).fit(values, y), small(make).fit(frame, y)
    assert ours.coefs_[0].dtype == dtype
    assert_same_network(ours, theirs)
    np.testing.assert_array_equal(ours.predict(values), theirs.predict(frame))
    kwargs = {"classes": [0, 1, 2]} if make is BackpropClassifier else {}
    ours, theirs = small(make), small(make)
    for rows in np.array_split(np.arange(len(y)), 3):
        ours.partial_fit(values[rows], y[rows], **kwargs)
        theirs.partial_fit(frame.iloc[rows], y[rows], **kwargs)
    assert_same_network(ours, theirs)


@ESTIMATORS
@ignore_convergence_warning
def test_values_missing_only_in_later_data_are_imputed(make, y):
    net = small(make).fit(X, y)
    filled = np.where(np.isnan(MISSING), X.mean(axis=0), MISSING)
    np.testing.assert_allclose(net.predict(MISSING), net.predict(filled), rtol=1e-9)
    assert net.coefs_[0].shape[0] == 4
    assert np.isfinite(net.set_params(warm_start=True).fit(MISSING, y).loss_)


@ESTIMATORS
@ignore_convergence_warning
def test_feature_without_values_becomes_zero(make, y):
    values = X.copy()
    values[:, 2] = np.nan
    net = small(make).fit(values, y)
    assert np.isfinite(net.predict(values).astype(float)).all()


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
@ESTIMATORS
@ignore_convergence_warning
def test_scales_ignore_missing_values(make, y, weight):
    net = small(make).fit(MISSING, y, sample_weight=weight)
    known = np.ma.masked_invalid(MISSING)
    mean = np.ma.average(known, axis=0, weights=weight)
    std = np.sqrt(np.ma.average((known - mean) ** 2, axis=0, weights=weight))
    np.testing.assert_allclose(net.input_mean_, mean, rtol=1e-12)
    np.testing.assert_allclose(net.input_scale_, std, rtol=1e-12)
    expected = ((known - mean) / std).filled(0.0)
    np.testing.assert_allclose(net.network_inputs(MISSING)[:, :4], expected, atol=1e-12)


@pytest.mark.parametrize("n_first", [1, 2, 10])
@ESTIMATORS
def test_feature_may_be_missing_in_the_first_chunk(make, y, n_first):
    values = 1000.0 + 10.0 * X
    values[:n_first, 1] = np.nan
    values[20:, :2][::7] = np.nan
    kwargs = {"classes": [0, 1, 2]} if make is BackpropClassifier else {}
    net = small(make)
    for rows in (slice(0, n_first), slice(n_first, 20), slice(20, 60), slice(60, 90)):
        net.partial_fit(values[rows], y[rows], **kwargs)
    np.testing.assert_allclose(net.input_mean_, np.nanmean(values, axis=0))
    np.testing.assert_allclose(net.input_scale_, np.nanstd(values, axis=0))
    assert (net.network_inputs(values)[:n_first, 1] == 0.0).all()


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "object"])
@ESTIMATORS
@ignore_convergence_warning
def test_weights_equal_repetitions_with_missing_values(make, y, standardize, dtype):
    values, counts = MISSING.copy(), WEIGHT.astype(int)
    values[counts == 0] *= 1e9  # ignored
    table = pd.DataFrame(values, columns=list("abcd"))
    if dtype == "object":
        table["e"] = pd.Categorical(np.arange(90) % 3)
    repeated = np.repeat(np.arange(90), counts)
    params = {"solver": "lbfgs", "max_iter": 5, "standardize": standardize}
    ours = small(make, **params).fit(table, y, sample_weight=counts)
    theirs = small(make, **params).fit(table.iloc[repeated], y[repeated])
    for mine, other in zip(ours.coefs_, theirs.coefs_, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-8, atol=1e-10)


@ESTIMATORS
@ignore_convergence_warning
def test_user_array_is_not_modified(make, y):
    values = MISSING.copy()
    values.setflags(write=False)
    net = small(make, early_stopping=True).fit(values, y)
    net.predict(values)
    np.testing.assert_array_equal(values, MISSING)


@ESTIMATORS
@ignore_convergence_warning
def test_validation_data_may_have_missing_values(make, y):
    net = small(make).fit(X[:60], y[:60], X_val=MISSING[60:], y_val=y[60:])
    filled = np.where(np.isnan(MISSING[60:]), X[:60].mean(axis=0), MISSING[60:])
    same = small(make).fit(X[:60], y[:60], X_val=filled, y_val=y[60:])
    np.testing.assert_allclose(
        net.validation_loss_curve_, same.validation_loss_curve_, rtol=1e-9
    )


@ESTIMATORS
def test_missing_values_in_sparse_matrices_raise(make, y):
    error_of(
        lambda: small(make).fit(csr_array(MISSING), y),
        "Input X contains NaN",
        "only in dense X",
    )


@pytest.mark.parametrize("standardize", [True, False])
@ESTIMATORS
@ignore_convergence_warning
def test_networks_with_indicators_require_dense_data(make, y, standardize):
    net = small(make, standardize=standardize).fit(MISSING, y)
    for method in (net.predict, net.input_gradients, lambda X: net.partial_fit(X, y)):
        error_of(
            lambda f=method: f(csr_array(X)),
            "Sparse data was passed for X",
            "because the network was fitted to missing values",
            "toarray",
            error=TypeError,
        )


CLASSIFIER, REGRESSOR = (
    small(make) for make in (BackpropClassifier, BackpropRegressor)
)
CLIENTS = {
    "bagging": BaggingClassifier(CLASSIFIER, n_estimators=3, random_state=0),
    "bagging of regressors": BaggingRegressor(REGRESSOR, 3, random_state=0),
    "self-training": SelfTrainingClassifier(CLASSIFIER),
    "sequential selection": SequentialFeatureSelector(
        CLASSIFIER, n_features_to_select=2, cv=2
    ),
    "recursive elimination": RFE(
        REGRESSOR,
        n_features_to_select=2,
        importance_getter=lambda net: np.abs(net.coefs_[0][:4]).sum(axis=1)[
            : net.n_features_in_
        ],
    ),
    "pipeline": make_pipeline(FunctionTransformer(np.asarray), CLASSIFIER),
}


@pytest.mark.parametrize("name", CLIENTS)
@ignore_convergence_warning
def test_clients_that_convert_frames_to_arrays(name):
    frame = pd.DataFrame(MISSING, columns=list("abcd"))
    client = CLIENTS[name]
    y = NUMBERS if name == "bagging of regressors" else CODES
    if name == "self-training":
        y = np.where(np.arange(len(CODES)) % 2, CODES, -1)
    client.fit(frame, y)
    if hasattr(client, "predict"):
        assert client.predict(frame).shape == y.shape


@ignore_convergence_warning
def test_permutation_importance_with_missing_values():
    net = small(BackpropClassifier, max_iter=30, tol=0.0).fit(MISSING, CODES)
    result = permutation_importance(net, MISSING, CODES, n_repeats=3, random_state=0)
    assert result.importances_mean.argmax() == 0
