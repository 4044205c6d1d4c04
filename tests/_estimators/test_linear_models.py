"""Networks without a hidden layer against the linear models that they are.

With n samples of mean weight w, the cost is ``1/(n w) sum_i w_i loss_i +
alpha/(2 n w) ||W||^2``; the bias is free. The penalties of the neighbours are
divided by other numbers, so that their alpha or C is another too.
"""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import huber
from sklearn.base import is_classifier
from sklearn.datasets import load_diabetes, load_iris, load_wine
from sklearn.linear_model import (
    LogisticRegression,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
)
from sklearn.metrics import mean_absolute_error, mean_pinball_loss
from sklearn.preprocessing import scale

from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop.core.losses import Huber

AS_THEY_ARE = dict(standardize=False, random_state=0)  # inputs and targets
BY_LBFGS = dict(solver="lbfgs", tol=1e-10, max_iter=10_000, **AS_THEY_ARE)

by_weighting = pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
by_alpha = pytest.mark.parametrize("alpha", [2.0, 20.0])


def weights_of(X, weighted):
    """Return weights whose mean is not one, some of them zero."""
    rng = np.random.default_rng(1)
    return rng.integers(0, 5, len(X)).astype(float) if weighted else None


def wine(n_classes):
    X, y = load_wine(return_X_y=True)
    return scale(X), y if n_classes == 3 else y == 1


def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return scale(X), scale(y)


def counts():
    X, _ = diabetes()
    rng = np.random.default_rng(2)
    return X, rng.poisson(np.exp(0.4 * X[:, 2] - 0.3 * X[:, 8] + 0.5)).astype(float)


def fit_to_the_end(net, X, y, weight=None):
    """Fit again and again: SciPy ends where the cost falls by less than 2e-9 of it."""
    net.set_params(warm_start=True)
    for _ in range(5):
        net.fit(X, y, weight)
    return net


def fit_classifier(alpha, X, y, weight=None):
    net = BackpropClassifier((), loss="log_loss", alpha=alpha, **BY_LBFGS)
    return fit_to_the_end(net, X, y, weight)


def fit_regressor(loss, alpha, X, y, weight=None):
    net = BackpropRegressor((), loss=loss, alpha=alpha, **BY_LBFGS)
    return fit_to_the_end(net, X, y, weight)


# ------------------------------------------------------------------ classification


@by_weighting
@by_alpha
@pytest.mark.parametrize("n_classes", [2, 3])
def test_log_loss_is_logistic_regression(n_classes, alpha, weighted):
    X, y = wine(n_classes)
    weight = weights_of(X, weighted)
    net = fit_classifier(alpha, X, y, weight)
    neighbour = LogisticRegression(C=1.0 / alpha, tol=1e-10, max_iter=10_000)
    neighbour.fit(X, y, weight)
    np.testing.assert_allclose(
        net.predict_proba(X), neighbour.predict_proba(X), atol=1e-4
    )
    np.testing.assert_array_equal(net.predict(X), neighbour.predict(X))


@by_weighting
def test_several_labels_are_a_logistic_regression_each(weighted):
    X, y = load_iris(return_X_y=True)
    X, labels = scale(X), np.column_stack([y == 1, y >= 1, X[:, 0] > 6]).astype(int)
    weight = weights_of(X, weighted)
    net = fit_classifier(2.0, X, labels, weight)
    for k, label in enumerate(labels.T):
        neighbour = LogisticRegression(C=0.5, tol=1e-10, max_iter=10_000)
        neighbour.fit(X, label, weight)
        np.testing.assert_allclose(
            net.predict_proba(X)[:, k], neighbour.predict_proba(X)[:, 1], atol=1e-4
        )


# ---------------------------------------------------------------------- regression


@by_weighting
@pytest.mark.parametrize("alpha", [0.0, 1.0, 100.0])
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_squared_error_is_ridge_regression(n_outputs, alpha, weighted):
    # Times 2 n w, the cost is sum w_i r_i^2 + alpha ||W||^2, as Ridge has it.
    X, y = diabetes()
    if n_outputs == 3:
        y = np.column_stack([y, y**2, 10.0 * X[:, 0] - y])
    weight = weights_of(X, weighted)
    net = fit_regressor("squared_error", alpha, X, y, weight)
    neighbour = Ridge(alpha=alpha).fit(X, y, weight)
    np.testing.assert_allclose(net.predict(X), neighbour.predict(X), atol=1e-3)
    if alpha:  # without it, collinear columns leave the weights open
        np.testing.assert_allclose(
            net.coefs_[0].T, np.atleast_2d(neighbour.coef_), atol=1e-3
        )
        np.testing.assert_allclose(net.intercepts_[0], neighbour.intercept_, atol=1e-3)


@by_weighting
@by_alpha
def test_poisson_is_poisson_regression(alpha, weighted):
    # There the penalty is alpha/2 ||W||^2, without 1/(n w).
    X, y = counts()
    weight = weights_of(X, weighted)
    total = len(X) if weight is None else weight.sum()
    net = fit_regressor("poisson", alpha, X, y, weight)
    neighbour = PoissonRegressor(alpha=alpha / total, tol=1e-8, max_iter=10_000)
    neighbour.fit(X, y, weight)
    np.testing.assert_allclose(net.predict(X), neighbour.predict(X), rtol=1e-4)


@by_weighting
@by_alpha
@pytest.mark.parametrize("delta", [0.3, 1.0])
def test_huber_reaches_the_minimum_of_its_objective(delta, alpha, weighted):
    X, y = diabetes()
    weight = weights_of(X, weighted)
    w = np.ones(len(X)) if weight is None else weight

    def objective(theta):
        penalty = alpha / 2 * (theta[:-1] ** 2).sum()
        return (w @ huber(delta, X @ theta[:-1] + theta[-1] - y) + penalty) / w.sum()

    net = fit_regressor(Huber(delta), alpha, X, y, weight)
    lowest = minimize(objective, np.zeros(X.shape[1] + 1), tol=1e-12)
    reached = np.append(net.coefs_[0], net.intercepts_[0])
    np.testing.assert_allclose(objective(reached), lowest.fun, rtol=1e-7)
    np.testing.assert_allclose(reached, lowest.x, atol=1e-3)


def test_huber_with_a_wide_parabola_is_ridge_regression():
    X, y = diabetes()
    net = fit_regressor(Huber(100.0), 10.0, X, y)
    np.testing.assert_allclose(
        net.predict(X), Ridge(alpha=10.0).fit(X, y).predict(X), atol=1e-4
    )


# ------------------------------------------------- gradients at their solutions


def descend_from(neighbour, net, X, y, weight):
    """Return dC/dW and dC/db at another model's solution, from one step there."""
    net.set_params(solver="sgd", momentum=0, learning_rate_init=0.01, batch_size=len(X))
    classes = {"classes": neighbour.classes_} if is_classifier(net) else {}
    net.partial_fit(X, y, weight, **classes)
    before = np.vstack([np.atleast_2d(neighbour.coef_).T, neighbour.intercept_])
    net.coefs_[0][...], net.intercepts_[0][...] = before[:-1], before[-1]
    net.partial_fit(X, y, weight)
    return (before - np.vstack([net.coefs_[0], net.intercepts_[0]])) / 0.01


@by_weighting
@by_alpha
@pytest.mark.parametrize("n_classes", [2, 3])
def test_descent_rests_where_logistic_regression_ended(n_classes, alpha, weighted):
    X, y = wine(n_classes)
    weight = weights_of(X, weighted)
    neighbour = LogisticRegression(C=1.0 / alpha, solver="newton-cg", tol=1e-12)
    net = BackpropClassifier((), loss="log_loss", alpha=alpha, standardize=False)
    gradient = descend_from(neighbour.fit(X, y, weight), net, X, y, weight)
    np.testing.assert_allclose(gradient, 0.0, atol=1e-9)


@by_weighting
@by_alpha
def test_descent_rests_where_ridge_regression_ended(alpha, weighted):
    X, y = diabetes()
    y = np.column_stack([y, 10.0 * X[:, 0] - y])
    weight = weights_of(X, weighted)
    net = BackpropRegressor((), alpha=alpha, standardize=False)
    neighbour = Ridge(alpha=alpha).fit(X, y, weight)
    gradient = descend_from(neighbour, net, X, y, weight)
    np.testing.assert_allclose(gradient, 0.0, atol=1e-10)


@by_weighting
@by_alpha
def test_descent_rests_where_poisson_regression_ended(alpha, weighted):
    X, y = counts()
    weight = weights_of(X, weighted)
    total = len(X) if weight is None else weight.sum()
    neighbour = PoissonRegressor(
        alpha=alpha / total, solver="newton-cholesky", tol=1e-12
    )
    net = BackpropRegressor((), loss="poisson", alpha=alpha, standardize=False)
    gradient = descend_from(neighbour.fit(X, y, weight), net, X, y, weight)
    np.testing.assert_allclose(gradient, 0.0, atol=1e-9)


# ------------------------------------------------------------- losses with kinks


def fit_to_kinks(loss, X, y, weight=None, **params):
    """Fit a loss that has no slope to come to rest by: the rate has to fall."""
    net = BackpropRegressor(
        (),
        loss=loss,
        alpha=0,
        learning_rate="adaptive",
        learning_rate_init=0.02,
        batch_size=64,
        max_iter=1000,
        n_iter_no_change=5,
        tol=1e-5,
        **AS_THEY_ARE,
        **params,
    )
    return net.fit(X, y, weight)


@by_weighting
@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.8])
def test_quantile_loss_is_quantile_regression(quantile, weighted):
    X, y = diabetes()
    weight = weights_of(X, weighted)
    net = fit_to_kinks("quantile", X, y, weight, quantile=quantile)
    neighbour = QuantileRegressor(quantile=quantile, alpha=0).fit(X, y, weight)
    ours, lowest = (
        mean_pinball_loss(y, f.predict(X), sample_weight=weight, alpha=quantile)
        for f in (net, neighbour)
    )
    np.testing.assert_allclose(ours, lowest, rtol=0.01)
    above = np.average(y > net.predict(X), weights=weight)
    np.testing.assert_allclose(above, 1.0 - quantile, atol=0.03)


def test_absolute_error_is_regression_to_the_median():
    X, y = diabetes()
    net = fit_to_kinks("absolute_error", X, y)
    neighbour = QuantileRegressor(quantile=0.5, alpha=0).fit(X, y)
    ours, lowest = (mean_absolute_error(y, f.predict(X)) for f in (net, neighbour))
    np.testing.assert_allclose(ours, lowest, rtol=0.01)
