"""Known defects of MLPClassifier and MLPRegressor that this package must not have."""

import re
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from small_fits import ignore_convergence_warning

from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop.core.optimizers import OPTIMIZERS


@pytest.fixture
def iris():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def assert_same_parameters(one, other, rtol=0.0):
    for name in ("coefs_", "intercepts_"):
        for actual, expected in zip(
            getattr(one, name), getattr(other, name), strict=True
        ):
            np.testing.assert_allclose(actual, expected, rtol=rtol, atol=rtol)


# If the scalers see the same data again, their statistics differ by rounding errors.
SCALING = pytest.mark.parametrize(
    ("standardize", "rtol"), [(False, 0.0), (True, 1e-11)], ids=["raw", "standardized"]
)


@ignore_convergence_warning
@SCALING
@pytest.mark.parametrize("solver", OPTIMIZERS)
@pytest.mark.parametrize("learning_rate", ["constant", "invscaling", "adaptive"])
def test_partial_fits_equal_one_fit(iris, solver, learning_rate, standardize, rtol):
    params = dict(
        standardize=standardize,
        solver=solver,
        learning_rate=learning_rate,
        batch_size=32,
        random_state=0,
        tol=0.5,  # soon a plateau, so that "adaptive" decreases the learning rate
        n_iter_no_change=4,
    )
    params |= (
        {"tol": 0.0, "n_iter_no_change": 99} if learning_rate != "adaptive" else {}
    )
    at_once = BackpropClassifier(max_iter=12, **params).fit(*iris)
    by_epoch = BackpropClassifier(**params)
    for _ in range(12):
        by_epoch.partial_fit(*iris, classes=[0, 1, 2])

    assert_same_parameters(at_once, by_epoch, rtol)
    np.testing.assert_allclose(at_once.loss_curve_, by_epoch.loss_curve_, rtol=rtol)
    assert at_once.n_iter_ == by_epoch.n_iter_ == 12
    assert at_once.t_ == by_epoch.t_


@ignore_convergence_warning
def test_each_partial_fit_shuffles_again(iris):
    net = BackpropClassifier(random_state=0)
    orders = []
    for _ in range(3):
        net.partial_fit(*iris, classes=[0, 1, 2])
        orders.append(tuple(net._state.order))
    assert len(set(orders)) == 3


@ignore_convergence_warning
@SCALING
@pytest.mark.parametrize("solver", OPTIMIZERS)
def test_warm_starts_equal_one_long_fit(iris, solver, standardize, rtol):
    params = dict(solver=solver, standardize=standardize, random_state=0)
    params |= dict(tol=0.0, n_iter_no_change=99, batch_size=32, shuffle=False)
    once = BackpropClassifier(max_iter=20, **params).fit(*iris)
    twice = BackpropClassifier(max_iter=10, warm_start=True, **params)
    twice.fit(*iris).fit(*iris)
    assert_same_parameters(once, twice, rtol)
    assert twice.n_iter_ == 10
    assert len(twice.loss_curve_) == 20


@ignore_convergence_warning
def test_warm_start_resets_patience(iris):
    net = BackpropClassifier(
        warm_start=True, tol=10.0, n_iter_no_change=5, random_state=0
    )
    net.fit(*iris)
    first = net.n_iter_
    net.fit(*iris)
    assert first == net.n_iter_ == 7  # the first epoch is always an improvement


@ignore_convergence_warning
@pytest.mark.parametrize("learning_rate", ["constant", "adaptive"])
def test_warm_start_resets_learning_rate(iris, learning_rate):
    net = BackpropClassifier(
        warm_start=True,
        solver="sgd",
        learning_rate=learning_rate,
        tol=10.0,
        n_iter_no_change=1,
        random_state=0,
    )
    rates = net.fit(*iris).history_.learning_rate.tolist()
    assert net.fit(*iris).history_.learning_rate.tolist() == rates + rates


@ignore_convergence_warning
def test_warm_start_with_early_stopping_keeps_arrays_of_first_fit(iris):
    net = BackpropClassifier(
        (20,),
        early_stopping=True,
        warm_start=True,
        max_iter=40,
        learning_rate_init=0.01,
        random_state=0,
    )
    net.fit(*iris)
    first = net.coefs_
    copies = [W.copy() for W in first]
    net.fit(*iris)
    for W, before in zip(first, copies, strict=True):
        np.testing.assert_array_equal(W, before)
    assert net.best_validation_score_ == max(net.validation_scores_[-net.n_iter_ :])


@ignore_convergence_warning
def test_warm_start_holds_out_same_samples(iris):
    held_out = []

    def scorer(estimator, X, y):
        held_out.append(X.tobytes())
        return 0.0

    net = BackpropClassifier(
        early_stopping=True, warm_start=True, scoring=scorer, max_iter=2, random_state=0
    )
    net.fit(*iris).fit(*iris)
    assert len(set(held_out)) == 1


@ignore_convergence_warning
def test_early_stopping_restores_best_weights(iris):
    X, y = iris
    seen = []

    def scorer(estimator, X, y):
        seen.append((estimator.score(X, y), [W.copy() for W in estimator.coefs_]))
        return seen[-1][0]

    net = BackpropClassifier(
        (8,),
        solver="sgd",
        learning_rate_init=5.0,
        batch_size=4,
        validation_fraction=0.3,
        early_stopping=True,
        scoring=scorer,
        max_iter=30,
        random_state=0,
    ).fit(X, y)
    best_score, best_weights = max(seen, key=lambda epoch: epoch[0])
    assert net.best_validation_score_ == best_score > seen[-1][0]
    for W, best in zip(net.coefs_, best_weights, strict=True):
        np.testing.assert_array_equal(W, best)


@ignore_convergence_warning
def test_zero_weight_batch_does_not_change_parameters(iris):
    X, y = iris[0], iris[1].astype(float)
    weight = np.ones(len(y))
    weight[:50] = 0.0
    params = dict(shuffle=False, batch_size=50, alpha=0.0, solver="sgd", momentum=0.0)
    params |= dict(max_iter=1, random_state=0)
    weighted = BackpropRegressor(learning_rate_init=0.001, **params)
    weighted.fit(X, y, sample_weight=weight)
    # Sums over batches are divided by 50 times the mean weight 2/3, which is
    # equivalent to a learning rate that is 3/2 as large.
    rest = BackpropRegressor(learning_rate_init=0.0015, **params).fit(X[50:], y[50:])
    for actual, expected in zip(weighted.coefs_, rest.coefs_, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-12)


@ignore_convergence_warning
def test_sample_weights_are_normalized_across_batches():
    X, y = np.arange(6.0).reshape(6, 1) / 6, np.array([0.0, 0, 0, 1, 1, 1])
    params = dict(
        hidden_layer_sizes=(),
        solver="sgd",
        standardize=False,  # the weighted mean of the targets would have this effect
        batch_size=3,
        shuffle=False,
        random_state=0,
        learning_rate_init=0.1,
        max_iter=50,
        tol=0.0,
    )
    plain = BackpropRegressor(**params).fit(X, y)
    heavy = BackpropRegressor(**params)
    heavy.fit(X, y, sample_weight=[100, 100, 100, 1, 1, 1])
    assert heavy.predict(X).mean() < plain.predict(X).mean() - 0.1


@ignore_convergence_warning
@pytest.mark.parametrize("standardize", [True, False], ids=["standardized", "raw"])
@pytest.mark.parametrize("solver", ["lbfgs", *OPTIMIZERS])
@pytest.mark.parametrize("make", [BackpropClassifier, BackpropRegressor])
def test_float32_stays_float32(iris, solver, make, standardize):
    X, y = iris[0].astype(np.float32), iris[1]
    net = make(
        solver=solver,
        standardize=standardize,
        max_iter=5,
        alpha=np.float64(1e-3),  # as in a parameter grid from np.logspace
        learning_rate_init=np.float64(0.01),
        momentum=np.float64(0.9),
    ).fit(X, y)
    arrays = [*net.coefs_, *net.intercepts_]
    arrays += [net._state.slots] if solver != "lbfgs" else []
    assert {a.dtype for a in arrays} == {np.dtype(np.float32)}
    outputs = net.predict(X) if make is BackpropRegressor else net.predict_proba(X)
    assert outputs.dtype == np.float32


@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer])
def test_early_stopping_is_accurate_on_small_datasets(load):
    X, y = load(return_X_y=True)
    accuracy = {True: [], False: []}
    for seed in range(4):
        X_train, X_test, y_train, y_test = train_test_split(
            X, y, stratify=y, random_state=seed
        )
        scaler = StandardScaler().fit(X_train)
        for early_stopping, scores in accuracy.items():
            net = BackpropClassifier(
                loss="log_loss",
                early_stopping=early_stopping,
                max_iter=500,
                learning_rate_init=0.005,
                random_state=seed,
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                net.fit(scaler.transform(X_train), y_train)
            scores.append(net.score(scaler.transform(X_test), y_test))
    assert np.mean(accuracy[True]) >= np.mean(accuracy[False]) - 0.01
    assert np.mean(accuracy[True]) > 0.93


@ignore_convergence_warning
def test_validation_split_is_stratified_if_possible(iris):
    X, y = iris
    held_out = []

    def scorer(estimator, X, y):
        held_out.append(np.unique(y, return_counts=True)[1].tolist())
        return 0.0

    params = dict(early_stopping=True, scoring=scorer, max_iter=1, random_state=0)
    BackpropClassifier(**params).fit(X, y)
    assert held_out == [[5, 5, 5]]
    # With a single sample of a class, the split is not stratified.
    rare = np.where(np.arange(len(y)) == 7, 3, y)
    net = BackpropClassifier(**params).fit(X, rare)
    assert net.n_iter_ == 1


@ignore_convergence_warning
@pytest.mark.parametrize("solver", ["adam", "adamw", "rmsprop"])
def test_all_stochastic_solvers_use_schedule(iris, solver):
    net = BackpropClassifier(
        solver=solver,
        learning_rate="invscaling",
        learning_rate_init=0.01,
        power_t=0.5,
        max_iter=3,
    ).fit(*iris)
    expected = 0.01 / np.sqrt(1.0 + 150 * np.arange(3))
    np.testing.assert_allclose(net.history_.learning_rate, expected)


def test_lbfgs_supports_early_stopping(iris):
    X, y = iris
    noisy = np.where(np.random.default_rng(0).random(150) < 0.3, (y + 1) % 3, y)
    params = dict(solver="lbfgs", max_iter=5000, max_fun=10**6, random_state=0, alpha=0)
    stopped = BackpropClassifier((50,), early_stopping=True, **params).fit(X, noisy)
    assert stopped.n_iter_ == len(stopped.validation_scores_) < 100
    best = int(np.argmax(stopped.validation_scores_))
    assert stopped.n_iter_ == best + 1 + 11
    assert stopped.best_validation_score_ == stopped.validation_scores_[best]


def test_lbfgs_records_losses(iris):
    net = BackpropClassifier(solver="lbfgs", random_state=0).fit(*iris)
    assert len(net.loss_curve_) == net.n_iter_
    assert net.loss_curve_[-1] == net.loss_ == net.best_loss_
    assert net.loss_curve_ == sorted(net.loss_curve_, reverse=True)


@ignore_convergence_warning
def test_set_params_does_not_change_predictions(iris):
    X, y = iris
    net = BackpropClassifier((9,), "tanh", max_iter=20, random_state=0).fit(X, y)
    before = net.predict_proba(X)
    net.set_params(
        activation="relu",
        output_activation="identity",
        loss="log_loss",
        hidden_layer_sizes=(3,),
        early_stopping=True,
        standardize=False,
    )
    np.testing.assert_array_equal(net.predict_proba(X), before)
    assert net.validation_scores_ is None


def test_divergence_raises_in_its_epoch():
    X, y = load_wine(return_X_y=True)
    # One feature of the unscaled wine data has values in the hundreds.
    raw = dict(standardize=False, random_state=0, learning_rate_init=0.001)
    net = BackpropRegressor((8,), "identity", solver="sgd", momentum=0.0, **raw)
    message = r"^Solver produced non-finite .* in epoch (\d+): .*clip_norm"
    with pytest.raises(ValueError, match=message) as error:
        net.fit(X, y)
    assert 1 < int(re.search(message, str(error.value))[1]) < 100
    net.set_params(clip_norm=1.0, max_iter=5)
    with pytest.warns(ConvergenceWarning):
        net.fit(X, y)
    assert np.isfinite(net.predict(X)).all()


def test_clip_norm_with_overflowing_squares():
    X = np.full((4, 1), 1e12, dtype=np.float32)
    params = dict(solver="sgd", momentum=0.0, clip_norm=1.0, max_iter=1, alpha=0.0)
    params["standardize"] = False
    net = BackpropRegressor((), learning_rate_init=0.1, random_state=0, **params)
    start = BackpropRegressor((), learning_rate_init=1e-30, random_state=0, **params)
    for estimator in (net, start):
        with pytest.warns(ConvergenceWarning):
            estimator.fit(X, np.full(4, 1e12))
    # The step has length 0.1, and its component along the bias is negligible.
    moved = net.coefs_[0] - start.coefs_[0]
    np.testing.assert_allclose(np.abs(moved), 0.1, rtol=1e-5)


def test_lbfgs_with_non_finite_cost_raises():
    x = np.linspace(0, 1000, 200, dtype=np.float32)[:, np.newaxis]
    counts = (x[:, 0] < 200).astype(np.float32)
    params = dict(loss="poisson", solver="lbfgs", random_state=0, alpha=0)
    net = BackpropRegressor((), standardize=False, **params)
    with pytest.raises(ValueError, match=r"^Solver produced non-finite") as caught:
        net.fit(x, counts)
    # L-BFGS does not support clip_norm, so the message does not suggest it.
    assert "clip_norm" not in str(caught.value)


def test_underflowing_poisson_mean_is_not_divergence():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 1))
    y = rng.poisson(np.exp(X[:, 0])).astype(float)
    X[0], y[0] = -150, 0
    params = dict(loss="poisson", solver="lbfgs", random_state=1, alpha=0)
    params["standardize"] = False  # -150 would be soft-clipped
    double = BackpropRegressor((), **params).fit(X, y)
    single = BackpropRegressor((), **params).fit(X.astype("f4"), y.astype("f4"))
    np.testing.assert_allclose(single.coefs_[0], double.coefs_[0], rtol=1e-3)
