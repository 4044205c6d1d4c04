"""Networks without hidden layers compared with the linear models of scikit-learn.

With n samples of mean weight w of at least 1, the cost is ``1/(n w) sum_i w_i loss_i +
alpha/(2 n w) ||W||^2``; the biases have no penalty. The penalties of the linear models
have other divisors, so their `alpha` or `C` differs.
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

UNSCALED = dict(standardize=False, random_state=0)  # inputs and targets
LBFGS = dict(solver="lbfgs", tol=1e-10, max_iter=10_000, **UNSCALED)

WEIGHTED = pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
ALPHAS = pytest.mark.parametrize("alpha", [2.0, 20.0])


def make_weights(X, weighted):
    """Return weights with a mean other than one, some of them zero."""
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


def fit_to_convergence(net, X, y, weight=None):
    """Fit repeatedly, because SciPy stops at relative decreases below 2e-9."""
    net.set_params(warm_start=True)
    for _ in range(5):
        net.fit(X, y, weight)
    return net


def fit_classifier(alpha, X, y, weight=None):
    net = BackpropClassifier((), loss="log_loss", alpha=alpha, **LBFGS)
    return fit_to_convergence(net, X, y, weight)


def fit_regressor(loss, alpha, X, y, weight=None):
    net = BackpropRegressor((), loss=loss, alpha=alpha, **LBFGS)
    return fit_to_convergence(net, X, y, weight)


# ------------------------------------------------------------------ classification


@WEIGHTED
@ALPHAS
@pytest.mark.parametrize("n_classes", [2, 3])
def test_log_loss_equals_logistic_regression(n_classes, alpha, weighted):
    X, y = wine(n_classes)
    weight = make_weights(X, weighted)
    net = fit_classifier(alpha, X, y, weight)
    reference = LogisticRegression(C=1.0 / alpha, tol=1e-10, max_iter=10_000)
    reference.fit(X, y, weight)
    np.testing.assert_allclose(
        net.predict_proba(X), reference.predict_proba(X), atol=1e-4
    )
    np.testing.assert_array_equal(net.predict(X), reference.predict(X))


@WEIGHTED
def test_multilabel_log_loss_equals_one_logistic_regression_per_label(weighted):
    X, y = load_iris(return_X_y=True)
    X, labels = scale(X), np.column_stack([y == 1, y >= 1, X[:, 0] > 6]).astype(int)
    weight = make_weights(X, weighted)
    net = fit_classifier(2.0, X, labels, weight)
    for k, label in enumerate(labels.T):
        reference = LogisticRegression(C=0.5, tol=1e-10, max_iter=10_000)
        reference.fit(X, label, weight)
        np.testing.assert_allclose(
            net.predict_proba(X)[:, k], reference.predict_proba(X)[:, 1], atol=1e-4
        )


# ---------------------------------------------------------------------- regression


@WEIGHTED
@pytest.mark.parametrize("alpha", [0.0, 1.0, 100.0])
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_squared_error_equals_ridge_regression(n_outputs, alpha, weighted):
    # The cost times 2 n w is the cost of Ridge: sum w_i r_i^2 + alpha ||W||^2.
    X, y = diabetes()
    if n_outputs == 3:
        y = np.column_stack([y, y**2, 10.0 * X[:, 0] - y])
    weight = make_weights(X, weighted)
    net = fit_regressor("squared_error", alpha, X, y, weight)
    reference = Ridge(alpha=alpha).fit(X, y, weight)
    np.testing.assert_allclose(net.predict(X), reference.predict(X), atol=1e-3)
    if alpha:  # without a penalty, the weights of collinear features are not unique
        np.testing.assert_allclose(
            net.coefs_[0].T, np.atleast_2d(reference.coef_), atol=1e-3
        )
        np.testing.assert_allclose(net.intercepts_[0], reference.intercept_, atol=1e-3)


@WEIGHTED
@ALPHAS
def test_poisson_loss_equals_poisson_regression(alpha, weighted):
    # The penalty of PoissonRegressor is alpha/2 ||W||^2, without 1/(n w).
    X, y = counts()
    weight = make_weights(X, weighted)
    total = len(X) if weight is None else weight.sum()
    net = fit_regressor("poisson", alpha, X, y, weight)
    reference = PoissonRegressor(alpha=alpha / total, tol=1e-8, max_iter=10_000)
    reference.fit(X, y, weight)
    np.testing.assert_allclose(net.predict(X), reference.predict(X), rtol=1e-4)


@WEIGHTED
@ALPHAS
@pytest.mark.parametrize("delta", [0.3, 1.0])
def test_huber_loss_reaches_minimum_of_objective(delta, alpha, weighted):
    X, y = diabetes()
    weight = make_weights(X, weighted)
    w = np.ones(len(X)) if weight is None else weight

    def objective(theta):
        penalty = alpha / 2 * (theta[:-1] ** 2).sum()
        return (w @ huber(delta, X @ theta[:-1] + theta[-1] - y) + penalty) / w.sum()

    net = fit_regressor(Huber(delta), alpha, X, y, weight)
    minimum = minimize(objective, np.zeros(X.shape[1] + 1), tol=1e-12)
    reached = np.append(net.coefs_[0], net.intercepts_[0])
    np.testing.assert_allclose(objective(reached), minimum.fun, rtol=1e-7)
    np.testing.assert_allclose(reached, minimum.x, atol=1e-3)


def test_huber_loss_with_large_delta_equals_ridge_regression():
    X, y = diabetes()
    net = fit_regressor(Huber(100.0), 10.0, X, y)
    np.testing.assert_allclose(
        net.predict(X), Ridge(alpha=10.0).fit(X, y).predict(X), atol=1e-4
    )


# ----------------------------------- gradients at the solution of the linear model


def gradient_at_solution(reference, net, X, y, weight):
    """Return dC/dW and dC/db at the solution of a linear model, from one step."""
    net.set_params(solver="sgd", momentum=0, learning_rate_init=0.01, batch_size=len(X))
    classes = {"classes": reference.classes_} if is_classifier(net) else {}
    net.partial_fit(X, y, weight, **classes)
    before = np.vstack([np.atleast_2d(reference.coef_).T, reference.intercept_])
    net.coefs_[0][...], net.intercepts_[0][...] = before[:-1], before[-1]
    net.partial_fit(X, y, weight)
    return (before - np.vstack([net.coefs_[0], net.intercepts_[0]])) / 0.01


@WEIGHTED
@ALPHAS
@pytest.mark.parametrize("n_classes", [2, 3])
def test_gradient_is_zero_at_solution_of_logistic_regression(
    n_classes, alpha, weighted
):
    X, y = wine(n_classes)
    weight = make_weights(X, weighted)
    reference = LogisticRegression(C=1.0 / alpha, solver="newton-cg", tol=1e-12)
    net = BackpropClassifier((), loss="log_loss", alpha=alpha, standardize=False)
    gradient = gradient_at_solution(reference.fit(X, y, weight), net, X, y, weight)
    np.testing.assert_allclose(gradient, 0.0, atol=1e-9)


@WEIGHTED
@ALPHAS
def test_gradient_is_zero_at_solution_of_ridge_regression(alpha, weighted):
    X, y = diabetes()
    y = np.column_stack([y, 10.0 * X[:, 0] - y])
    weight = make_weights(X, weighted)
    net = BackpropRegressor((), alpha=alpha, standardize=False)
    reference = Ridge(alpha=alpha).fit(X, y, weight)
    gradient = gradient_at_solution(reference, net, X, y, weight)
    np.testing.assert_allclose(gradient, 0.0, atol=1e-10)


@WEIGHTED
@ALPHAS
def test_gradient_is_zero_at_solution_of_poisson_regression(alpha, weighted):
    X, y = counts()
    weight = make_weights(X, weighted)
    total = len(X) if weight is None else weight.sum()
    reference = PoissonRegressor(
        alpha=alpha / total, solver="newton-cholesky", tol=1e-12
    )
    net = BackpropRegressor((), loss="poisson", alpha=alpha, standardize=False)
    gradient = gradient_at_solution(reference.fit(X, y, weight), net, X, y, weight)
    np.testing.assert_allclose(gradient, 0.0, atol=1e-9)


# ------------------------------------------------------------- losses with kinks


def fit_with_adaptive_rate(loss, X, y, weight=None, **params):
    """Fit a loss with a kink at its minimum, which requires decreasing steps."""
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
        **UNSCALED,
        **params,
    )
    return net.fit(X, y, weight)


@WEIGHTED
@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.8])
def test_quantile_loss_equals_quantile_regression(quantile, weighted):
    X, y = diabetes()
    weight = make_weights(X, weighted)
    net = fit_with_adaptive_rate("quantile", X, y, weight, quantile=quantile)
    reference = QuantileRegressor(quantile=quantile, alpha=0).fit(X, y, weight)
    loss, minimum = (
        mean_pinball_loss(y, f.predict(X), sample_weight=weight, alpha=quantile)
        for f in (net, reference)
    )
    np.testing.assert_allclose(loss, minimum, rtol=0.01)
    above = np.average(y > net.predict(X), weights=weight)
    np.testing.assert_allclose(above, 1.0 - quantile, atol=0.03)


def test_absolute_error_equals_median_regression():
    X, y = diabetes()
    net = fit_with_adaptive_rate("absolute_error", X, y)
    reference = QuantileRegressor(quantile=0.5, alpha=0).fit(X, y)
    loss, minimum = (mean_absolute_error(y, f.predict(X)) for f in (net, reference))
    np.testing.assert_allclose(loss, minimum, rtol=0.01)
