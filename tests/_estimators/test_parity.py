"""Comparison with scikit-learn: equal results for equal parameters and data."""

import warnings

import numpy as np
import pytest
import sklearn
from scipy.sparse import csc_matrix, csr_matrix
from sklearn.datasets import load_iris
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils.fixes import parse_version

from skbackprop import BackpropClassifier, BackpropRegressor

N_CONFIGURATIONS = 320
# Before scikit-learn 1.7, MLPs support neither sample weights nor the Poisson loss, and
# early stopping fails with string labels.
HAS_FULL_MLP = parse_version(sklearn.__version__) >= parse_version("1.7")
BINARY_LABELS = np.array(["no", "yes"] if HAS_FULL_MLP else [3, 8])
CLASSIFICATION = ("binary", "multiclass", "multilabel")
REGRESSION = ("single", "several", *(["poisson"] if HAS_FULL_MLP else []))


def draw_data(rng, task, n_samples, n_features):
    X = rng.normal(size=(n_samples, n_features))
    signal = X @ rng.normal(size=(n_features, 3)) + 0.3 * rng.normal(
        size=(n_samples, 3)
    )
    y = {
        "binary": lambda: BINARY_LABELS[(signal[:, 0] > 0).astype(int)],
        "multiclass": lambda: np.array([3, 5, 9])[signal.argmax(axis=1)],
        "multilabel": lambda: (signal > 0).astype(int),
        "single": lambda: signal[:, 0],
        "several": lambda: signal,
        "poisson": lambda: rng.poisson(np.exp(0.3 * signal[:, 0])).astype(float),
    }[task]()
    return X, y


def draw_parameters(rng, task, n_samples):
    solver = rng.choice(["sgd", "adam", "lbfgs"], p=[0.45, 0.3, 0.25])
    if task == "several" and solver == "lbfgs":
        # With L-BFGS, MLPRegressor passes the mean over the outputs as the objective,
        # but the gradient of the sum. This package does not reproduce that defect.
        solver = "adam"
    stochastic = solver != "lbfgs"
    params = dict(
        hidden_layer_sizes=[(), (5,), (7, 4), [6, 5, 3], 4][rng.integers(5)],
        activation=str(rng.choice(["identity", "logistic", "tanh", "relu"])),
        solver=str(solver),
        alpha=float(rng.choice([0.0, 1e-4, 0.1, 2.0])),
        batch_size=["auto", n_samples, 16, 7, 2 * n_samples][rng.integers(5)],
        learning_rate_init=float(rng.choice([0.001, 0.01, 0.05])),
        power_t=float(rng.choice([0.25, 0.5])),
        max_iter=int(rng.integers(1, 40 if stochastic else 16)),
        shuffle=bool(rng.integers(2)),
        random_state=int(rng.integers(1000)),
        tol=float(rng.choice([0.0, 1e-4, 1e-2, 0.1])),
        momentum=float(rng.choice([0.0, 0.5, 0.9])),
        nesterovs_momentum=bool(rng.integers(2)),
        beta_1=float(rng.choice([0.0, 0.8, 0.9])),
        beta_2=float(rng.choice([0.9, 0.999])),
        epsilon=float(rng.choice([1e-8, 1e-4])),
        n_iter_no_change=int(rng.integers(1, 6)),
        max_fun=int(rng.choice([12, 15000])),
    )
    if solver == "sgd":
        params["learning_rate"] = str(
            rng.choice(["constant", "invscaling", "adaptive"])
        )
    if stochastic and task != "multiclass":
        # Only this package stratifies the split of more than two classes.
        params["early_stopping"] = bool(rng.random() < 0.3)
        params["validation_fraction"] = float(rng.choice([0.1, 0.25]))
    if task == "poisson":
        params["loss"] = "poisson"
    return params


def draw_configuration(seed):
    rng = np.random.default_rng(seed)
    task = str(rng.choice(CLASSIFICATION + REGRESSION))
    n_samples, n_features = int(rng.integers(40, 120)), int(rng.integers(1, 9))
    X, y = draw_data(rng, task, n_samples, n_features)
    params = draw_parameters(rng, task, n_samples)
    weight = None
    full_batch = params["solver"] == "lbfgs" or params["batch_size"] == n_samples
    weighted = full_batch and not params.get("early_stopping") and rng.integers(2)
    if weighted and HAS_FULL_MLP:
        # scikit-learn normalizes the weights within each mini-batch.
        weight = rng.integers(0, 4, n_samples).astype(float)
    X = [X, X, csr_matrix(X), csc_matrix(X)][rng.integers(4)]
    return task, X, y, weight, params


def fit(estimator, X, y, weight):
    """Return the fitted estimator, or the raised error, and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        # scikit-learn emits these warnings for overflows.
        warnings.simplefilter("ignore", RuntimeWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        # Only this package compares a fit with a constant prediction.
        warnings.filterwarnings("ignore", "The network has not improved")
        try:
            estimator.fit(X, y, **({} if weight is None else {"sample_weight": weight}))
        except ValueError as error:
            return error, caught
    return estimator, caught


def has_same_beginning(actual, expected):
    """Return whether two messages begin with the same words."""
    words = slice(0, 4)  # the next words depend on the release of scikit-learn
    return str(actual).split()[words] == str(expected).split()[words]


def assert_close(actual, expected, name):
    np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-6, err_msg=name)


def assert_same_fit(net, mlp):
    for name in ("n_iter_", "n_layers_", "n_outputs_", "out_activation_", "t_"):
        assert getattr(net, name) == getattr(mlp, name), name
    for name in ("coefs_", "intercepts_"):
        pairs = zip(getattr(net, name), getattr(mlp, name), strict=True)
        for actual, expected in pairs:
            assert_close(actual, expected, name)
    assert_close(net.loss_, mlp.loss_, "loss_")
    if net.solver == "lbfgs":
        return
    assert_close(net.loss_curve_, mlp.loss_curve_, "loss_curve_")
    for name in ("best_loss_", "validation_scores_", "best_validation_score_"):
        actual, expected = getattr(net, name), getattr(mlp, name)
        assert (actual is None) == (expected is None), name
        if actual is not None:
            assert_close(actual, expected, name)


@pytest.mark.parametrize("seed", range(N_CONFIGURATIONS))
def test_results_equal_scikit_learn(seed):
    task, X, y, weight, params = draw_configuration(seed)
    if task in CLASSIFICATION:
        net = BackpropClassifier(
            loss="log_loss", scoring="accuracy", standardize=False, **params
        )
        mlp = MLPClassifier(**params)
    else:
        net = BackpropRegressor(scoring="r2", standardize=False, **params)
        mlp = MLPRegressor(**params)

    net, net_warnings = fit(net, X, y, weight)
    mlp, mlp_warnings = fit(mlp, X, y, weight)

    assert [w.category for w in net_warnings] == [w.category for w in mlp_warnings]
    for actual, expected in zip(net_warnings, mlp_warnings):
        assert has_same_beginning(actual.message, expected.message)
    if isinstance(mlp, ValueError):
        assert isinstance(net, ValueError)
        assert has_same_beginning(net, mlp)
        return

    assert_same_fit(net, mlp)
    np.testing.assert_array_equal(net.predict(X).shape, mlp.predict(X).shape)
    if task in REGRESSION:
        assert_close(net.predict(X), mlp.predict(X), "predict")
    else:
        np.testing.assert_array_equal(net.classes_, mlp.classes_)
        np.testing.assert_array_equal(net.predict(X), mlp.predict(X))
        assert_close(net.predict_proba(X), mlp.predict_proba(X), "predict_proba")
        assert net.score(X, y) == mlp.score(X, y)


def test_configurations_cover_all_combinations():
    drawn = [draw_configuration(seed) for seed in range(N_CONFIGURATIONS)]
    combinations = {(task, p["solver"], p["activation"]) for task, _, _, _, p in drawn}
    # tasks x 3 solvers x 4 activations, without several outputs x lbfgs
    assert len(combinations) == len(CLASSIFICATION + REGRESSION) * 12 - 4
    assert sum(p.get("early_stopping", False) for *_, p in drawn) > 20
    n_weighted = sum(weight is not None for _, _, _, weight, _ in drawn)
    assert n_weighted > 20 or not HAS_FULL_MLP


def test_parameter_names_and_defaults_equal_scikit_learn():
    for net, mlp in (
        (BackpropClassifier(), MLPClassifier()),
        (BackpropRegressor(), MLPRegressor()),
    ):
        # Each solver has its own learning rate.
        expected = {**mlp.get_params(), "learning_rate_init": "auto"}
        shared = {k: v for k, v in net.get_params().items() if k in expected}
        assert shared == expected


def test_random_state_instance_advances_as_in_scikit_learn():
    X, y = load_iris(return_X_y=True)
    after = []
    for estimator in (
        BackpropClassifier(loss="log_loss", standardize=False, max_iter=3),
        MLPClassifier(max_iter=3),
    ):
        rng = np.random.RandomState(3)
        fit(estimator.set_params(random_state=rng), X, y, None)
        after.append(rng.randint(1 << 30))
    assert after[0] == after[1]


@pytest.mark.parametrize("loss", ["log_loss", "squared_error"])
def test_warm_starts_shuffle_as_in_scikit_learn(loss):
    # The first epoch of each fit shuffles the rows in their original order.
    X, y = load_iris(return_X_y=True)
    params = {"solver": "sgd", "momentum": 0.0, "batch_size": 16, "max_iter": 4}
    params |= {"learning_rate_init": 0.01}
    if loss == "log_loss":
        net, mlp = BackpropClassifier(loss=loss), MLPClassifier()
    else:
        net, mlp, y = BackpropRegressor(), MLPRegressor(), X[:, 0] - X[:, 1]
    net.set_params(standardize=False)
    for estimator in (net, mlp):
        rng = np.random.RandomState(3)
        estimator.set_params(**params, warm_start=True, random_state=rng)
        for _ in range(3):
            fit(estimator, X, y, None)
    assert_same_fit(net, mlp)


def test_float32_results_equal_scikit_learn_in_single_precision():
    X, y = load_iris(return_X_y=True)
    X = X.astype(np.float32)
    params = dict(random_state=0, max_iter=20, learning_rate_init=0.001)
    net = BackpropClassifier(loss="log_loss", standardize=False, **params)
    net, _ = fit(net, X, y, None)
    mlp, _ = fit(MLPClassifier(**params), X, y, None)
    np.testing.assert_allclose(
        net.predict_proba(X), mlp.predict_proba(X), rtol=1e-4, atol=1e-5
    )
