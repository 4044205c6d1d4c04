"""scikit-learn as the oracle: same parameters, same data, same numbers."""

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
# Before 1.7 the oracle knows neither sample weights nor the Poisson loss, and
# fails where early stopping meets labels that are strings.
FULL_ORACLE = parse_version(sklearn.__version__) >= parse_version("1.7")
BINARY_LABELS = np.array(["no", "yes"] if FULL_ORACLE else [3, 8])
CLASSIFICATION = ("binary", "multiclass", "multilabel")
REGRESSION = ("single", "several", *(["poisson"] if FULL_ORACLE else []))


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
        # The objective MLPRegressor hands to L-BFGS is a mean over outputs, its
        # gradient that of the sum: not to be repeated.
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
        # Splits of several classes are stratified here, but not there.
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
    whole = params["solver"] == "lbfgs" or params["batch_size"] == n_samples
    weighed = whole and not params.get("early_stopping") and rng.integers(2)
    if weighed and FULL_ORACLE:
        # Within smaller batches weights are normalised there, but not here.
        weight = rng.integers(0, 4, n_samples).astype(float)
    X = [X, X, csr_matrix(X), csc_matrix(X)][rng.integers(4)]
    return task, X, y, weight, params


def fit(estimator, X, y, weight):
    """Return the fitted estimator, or the type of what it raised, and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        # Numerical noise of the oracle's own.
        warnings.simplefilter("ignore", RuntimeWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            estimator.fit(X, y, **({} if weight is None else {"sample_weight": weight}))
        except ValueError as error:
            return error, caught
    return estimator, caught


def begins_alike(ours, theirs):
    """Whether our message begins with the first words of theirs."""
    words = slice(0, 4)  # what follows differs from release to release
    return str(ours).split()[words] == str(theirs).split()[words]


def assert_close(ours, theirs, what):
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6, err_msg=what)


def assert_same_fit(ours, theirs):
    for name in ("n_iter_", "n_layers_", "n_outputs_", "out_activation_", "t_"):
        assert getattr(ours, name) == getattr(theirs, name), name
    for name in ("coefs_", "intercepts_"):
        for mine, their in zip(getattr(ours, name), getattr(theirs, name), strict=True):
            assert_close(mine, their, name)
    assert_close(ours.loss_, theirs.loss_, "loss_")
    if ours.solver == "lbfgs":
        return
    assert_close(ours.loss_curve_, theirs.loss_curve_, "loss_curve_")
    for name in ("best_loss_", "validation_scores_", "best_validation_score_"):
        mine, their = getattr(ours, name), getattr(theirs, name)
        assert (mine is None) == (their is None), name
        if mine is not None:
            assert_close(mine, their, name)


@pytest.mark.parametrize("seed", range(N_CONFIGURATIONS))
def test_same_numbers_as_scikit_learn(seed):
    task, X, y, weight, params = draw_configuration(seed)
    if task in CLASSIFICATION:
        ours = BackpropClassifier(
            loss="log_loss", scoring="accuracy", standardize=False, **params
        )
        theirs = MLPClassifier(**params)
    else:
        ours = BackpropRegressor(scoring="r2", standardize=False, **params)
        theirs = MLPRegressor(**params)

    ours, our_warnings = fit(ours, X, y, weight)
    theirs, their_warnings = fit(theirs, X, y, weight)

    assert [w.category for w in our_warnings] == [w.category for w in their_warnings]
    for mine, their in zip(our_warnings, their_warnings):
        assert begins_alike(mine.message, their.message)
    if isinstance(theirs, ValueError):
        assert isinstance(ours, ValueError)
        assert begins_alike(ours, theirs)
        return

    assert_same_fit(ours, theirs)
    np.testing.assert_array_equal(ours.predict(X).shape, theirs.predict(X).shape)
    if task in REGRESSION:
        assert_close(ours.predict(X), theirs.predict(X), "predict")
    else:
        np.testing.assert_array_equal(ours.classes_, theirs.classes_)
        np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
        assert_close(ours.predict_proba(X), theirs.predict_proba(X), "predict_proba")
        assert ours.score(X, y) == theirs.score(X, y)


def test_configurations_cover_what_they_should():
    drawn = [draw_configuration(seed) for seed in range(N_CONFIGURATIONS)]
    combinations = {(task, p["solver"], p["activation"]) for task, _, _, _, p in drawn}
    # tasks x 3 solvers x 4 activations, less several outputs x lbfgs
    assert len(combinations) == len(CLASSIFICATION + REGRESSION) * 12 - 4
    assert sum(p.get("early_stopping", False) for *_, p in drawn) > 20
    n_weighted = sum(weight is not None for _, _, _, weight, _ in drawn)
    assert n_weighted > 20 or not FULL_ORACLE


def test_defaults_and_names_of_parameters():
    for ours, theirs, others in (
        # Larger steps suit the quadratic cost, whose slopes are small.
        (BackpropClassifier(), MLPClassifier(), {"learning_rate_init": 0.002}),
        (BackpropRegressor(), MLPRegressor(), {}),
    ):
        expected = {**theirs.get_params(), **others}
        shared = {k: v for k, v in ours.get_params().items() if k in expected}
        assert shared == expected


def test_random_state_instance_is_advanced_alike():
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


def test_float32_agrees_to_single_precision():
    X, y = load_iris(return_X_y=True)
    X = X.astype(np.float32)
    params = dict(random_state=0, max_iter=20, learning_rate_init=0.001)
    ours = BackpropClassifier(loss="log_loss", standardize=False, **params)
    ours, _ = fit(ours, X, y, None)
    theirs, _ = fit(MLPClassifier(**params), X, y, None)
    np.testing.assert_allclose(
        ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-4, atol=1e-5
    )
