"""Rare classes, tolerances relative to a constant, and fits that learn nothing."""

import warnings

import numpy as np
import pytest
import scipy.optimize
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_array
from scipy.special import expit, logit
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import roc_auc_score
from small_fits import ignore_convergence_warning

from skbackprop import BackpropClassifier, BackpropRegressor, Loss
from skbackprop._estimators.fitting import prepare_training
from skbackprop.core import lbfgs
from skbackprop.core.constant_prediction import best_constant
from skbackprop.core.optimizers import OPTIMIZERS

rng = np.random.default_rng(0)
X = rng.normal(size=(3000, 6))
RISK = X[:, 0] + X[:, 1]
TRAIN, TEST = slice(0, 2000), slice(2000, None)
BALANCED = (np.median(RISK) < RISK).astype(int)
RARE = (np.quantile(RISK, 0.99) < RISK).astype(int)
NOISE = rng.normal(size=len(X))
LABELS = np.column_stack([BALANCED, RARE])
WEIGHT = rng.integers(0, 4, len(X)).astype(float)
#: Parameters with which the network does not change.
FROZEN = dict(learning_rate_init=1e-12, n_iter_no_change=1, random_state=0)
#: Initial weights that are not better than a constant prediction by chance.
SEED = dict(random_state=1)
MESSAGE = "has not improved on a constant prediction"


def messages_of(fit):
    """Return the messages of the convergence warnings that `fit` emits."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit()
    return [str(w.message) for w in caught if w.category is ConvergenceWarning]


# ----------------------------------------------------------------------- rare classes


@pytest.mark.parametrize("solver", ["lbfgs", *OPTIMIZERS])
@ignore_convergence_warning
def test_rare_class_is_learned(solver):
    net = BackpropClassifier(solver=solver, random_state=0).fit(X[TRAIN], RARE[TRAIN])
    assert roc_auc_score(RARE[TEST], net.decision_function(X[TEST])) > 0.98


@pytest.mark.parametrize("solver", ["lbfgs", "sgd"])
@ignore_convergence_warning
def test_rare_class_among_several_is_learned(solver):
    y = np.where(RARE, 2, (X[:, 2] > 0).astype(int))
    net = BackpropClassifier(solver=solver, random_state=0).fit(X[TRAIN], y[TRAIN])
    assert roc_auc_score(RARE[TEST], net.predict_proba(X[TEST])[:, 2]) > 0.98


@pytest.mark.parametrize("solver", ["lbfgs", "sgd"])
@ignore_convergence_warning
def test_rare_label_is_learned(solver):
    net = BackpropClassifier(solver=solver, random_state=0)
    net.fit(X[TRAIN], LABELS[TRAIN])
    assert roc_auc_score(RARE[TEST], net.predict_proba(X[TEST])[:, 1]) > 0.98


@ignore_convergence_warning
def test_small_targets_of_sigmoid_outputs_are_learned():
    y = 0.02 * expit(3.0 * RISK)
    net = BackpropRegressor(output_activation="sigmoid", solver="lbfgs", random_state=0)
    assert net.fit(X[TRAIN], y[TRAIN]).score(X[TEST], y[TEST]) > 0.98


@ignore_convergence_warning
@pytest.mark.parametrize(
    "params",
    [dict(output_activation="softplus"), dict(loss="poisson")],
    ids=["softplus", "poisson"],
)
@ignore_convergence_warning
def test_lbfgs_learns_targets_with_a_large_mean(params):
    # Divided by their root mean square, the targets have small deviations from 1.
    temperature = 290.0 + 5.0 * np.tanh(RISK)
    net = BackpropRegressor(solver="lbfgs", random_state=0, max_iter=300, **params)
    assert net.fit(X, temperature).score(X, temperature) > 0.97


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_tolerances_of_targets_with_a_large_mean(solver):
    params = dict(solver=solver, output_activation="relu")
    config = config_of(BackpropRegressor(**params), 290.0 + 5.0 * RISK)
    balanced = config_of(BackpropRegressor(**params), RISK - RISK.min())
    deviation = 5.0 * RISK.std() / 290.0
    loss_scale = 0.5 * deviation**2 / 0.125
    assert config.loss_tol == pytest.approx(2.22e-9 * loss_scale, rel=0.02)
    assert config.tol == pytest.approx(1e-4 * loss_scale, rel=0.02)
    assert config.gradient_tol < 0.2 * balanced.gradient_tol


@ignore_convergence_warning
def test_lbfgs_uses_the_tolerances(monkeypatch):
    passed = {}

    def minimize(*args, options, **kwargs):
        passed.update(options)
        return scipy.optimize.minimize(*args, options=options, **kwargs)

    monkeypatch.setattr(lbfgs, "minimize", minimize)
    net = BackpropRegressor(solver="lbfgs", output_activation="relu", max_iter=2)
    net.fit(X, 290.0 + 5.0 * RISK)
    config = config_of(net, 290.0 + 5.0 * RISK)
    assert passed["ftol"] == config.loss_tol < 1e-11
    assert passed["gtol"] == config.gradient_tol < 1e-4


@ignore_convergence_warning
def test_lbfgs_learns_many_classes():
    n_classes = 150
    centers = 3.0 * rng.normal(size=(n_classes, 10))
    y = np.tile(np.arange(n_classes), 14)
    rows = centers[y] + 0.5 * rng.normal(size=(len(y), 10))
    half = len(y) // 2
    net = BackpropClassifier(solver="lbfgs", random_state=0)
    assert net.fit(rows[:half], y[:half]).score(rows[half:], y[half:]) > 0.98


# ------------------------------------------------------------------------- tolerances


def config_of(net, y, weight=None):
    return prepare_training(net, X, y, weight).config


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
def test_tolerances_of_sigmoids_with_squared_error(weight):
    p = np.average(RARE, weights=weight)
    variance = 4.0 * p * (1.0 - p)  # relative to two balanced classes
    lbfgs = config_of(BackpropClassifier(solver="lbfgs", tol=0.01), RARE, weight)
    assert lbfgs.gradient_tol == pytest.approx(0.01 * variance**2)
    adam = config_of(BackpropClassifier(tol=0.01), RARE, weight)
    assert adam.tol == pytest.approx(0.01 * variance)
    sgd = config_of(BackpropClassifier(solver="sgd", tol=0.01), RARE, weight)
    assert sgd.tol == pytest.approx(0.01 * variance**2)


def test_tolerance_of_gradients_depends_on_the_rarest_output():
    p = RARE.mean()
    relative = (4.0 * p * (1.0 - p)) ** 2
    config = config_of(BackpropClassifier(solver="lbfgs", tol=1.0), LABELS)
    assert config.gradient_tol == pytest.approx(relative)
    # Labels without variation have no gradient and are ignored.
    labels = np.column_stack([BALANCED, np.zeros_like(BALANCED)])
    config = config_of(BackpropClassifier(solver="lbfgs", tol=1.0), labels)
    assert config.gradient_tol == pytest.approx(1.0, rel=1e-3)


@pytest.mark.parametrize(
    ("net", "y"),
    [
        (BackpropClassifier(loss="log_loss"), RARE),
        (BackpropClassifier(loss="log_loss"), RARE + BALANCED),
        (BackpropRegressor(standardize=False), 1e-4 * NOISE),
        (BackpropRegressor(loss="poisson"), RARE),
        (BackpropClassifier(), BALANCED),
        (BackpropClassifier(), np.arange(len(X)) % 3),
    ],
    ids=str,
)
def test_tolerance_of_losses_is_absolute(net, y):
    config = config_of(net.set_params(tol=0.01), y)
    assert config.tol == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("scoring", ["loss", "accuracy"])
def test_tolerance_of_scores_is_absolute(scoring):
    net = BackpropClassifier(early_stopping=True, scoring=scoring, tol=0.01)
    assert (config_of(net, RARE).tol == 0.01) == (scoring == "accuracy")


# ---------------------------------------------------------------- constant prediction


class CustomLoss(Loss):
    def value(self, y, a, z, out):
        out[...] = (a - y) ** 2 / 2

    def gradient(self, y, a, out):
        out[...] = a - y


#: Loss, targets, constant to minimize over, and the loss of this constant as a formula.
CONSTANTS = {
    "squared error": ("squared_error", NOISE, lambda c: (c - NOISE) ** 2 / 2),
    "absolute error": ("absolute_error", NOISE, lambda c: np.abs(c - NOISE)),
    "custom": (CustomLoss(), NOISE, lambda c: (c - NOISE) ** 2 / 2),
    "quantile": (
        "quantile",
        NOISE,
        lambda c: np.maximum(0.9 * (NOISE - c), 0.1 * (c - NOISE)),
    ),
    "binary squared error": ("squared_error", RARE, lambda c: (c - RARE) ** 2 / 2),
    "binary log loss": (
        "log_loss",
        RARE,
        lambda c: -np.log(np.where(RARE, c, 1.0 - c)),
    ),
}


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("case", CONSTANTS)
def test_loss_of_best_constant(case, weight):
    loss, y, values = CONSTANTS[case]
    if y is RARE:
        net, bounds = BackpropClassifier(loss=loss), (1e-6, 0.5)
    else:
        quantile = 0.9 if case == "quantile" else 0.5
        net = BackpropRegressor(loss=loss, quantile=quantile, standardize=False)
        bounds = (-3.0, 3.0)
    training = prepare_training(net, X, y, weight)
    best = minimize_scalar(
        lambda c: np.average(values(c), weights=weight),
        bounds=bounds,
        options={"xatol": 1e-10},
    )
    assert training.constant.loss == pytest.approx(best.fun, rel=1e-6)


def test_loss_of_class_frequencies():
    y = np.repeat([0, 1, 2], [2000, 700, 300])
    p = np.array([2000, 700, 300]) / 3000
    for loss, expected in (
        ("log_loss", -(p * np.log(p))),
        ("squared_error", p * (1.0 - p) / 2),
    ):
        training = prepare_training(BackpropClassifier(loss=loss), X, y)
        np.testing.assert_allclose(training.constant.losses, expected, rtol=1e-12)
    rows = np.arange(0, 3000, 3)
    subset = training.samples.subset(rows)
    np.testing.assert_allclose(
        subset.best_constant(training.objective.loss),
        np.bincount(y[rows]) / len(rows),
        rtol=1e-12,
    )


def test_best_constant_of_several_quantiles():
    net = BackpropRegressor(loss="quantile", quantile=[0.1, 0.8], standardize=False)
    training = prepare_training(net, X, NOISE)
    constant = training.samples.best_constant(training.objective.loss)
    np.testing.assert_allclose(constant, np.quantile(NOISE, [0.1, 0.8]), atol=1e-2)


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
def test_constant_targets_have_no_loss(weight):
    y = np.full((len(X), 1), 0.1 + 1e6)
    assert best_constant(CustomLoss(), y, weight)[0] == y[0, 0]


# ---------------------------------------------------------------------------- warnings


@pytest.mark.parametrize(
    ("net", "y"),
    [
        (BackpropClassifier(**FROZEN), BALANCED),
        (BackpropClassifier(**FROZEN), BALANCED + RARE),
        (BackpropClassifier(**FROZEN), LABELS),
        (BackpropClassifier(loss="log_loss", **FROZEN), BALANCED),
        (BackpropClassifier(class_weight={0: 9.0}, **{**FROZEN, **SEED}), BALANCED),
        (BackpropClassifier(early_stopping=True, **FROZEN), BALANCED),
        (BackpropRegressor(**FROZEN), RISK),
        (BackpropRegressor(**FROZEN), X[:, :2]),
        (BackpropRegressor(loss="absolute_error", **FROZEN), RISK),
        (BackpropRegressor(loss="quantile", quantile=0.9, **FROZEN), RISK),
        (BackpropRegressor(loss="poisson", **FROZEN), np.exp(RISK)),
        (BackpropRegressor(solver="sgd", **FROZEN), RISK),
        (BackpropRegressor(solver="lbfgs", tol=10.0, **SEED), RISK),
        (BackpropRegressor(solver="sgd", early_stopping=True, **FROZEN), RISK),
    ],
    ids=str,
)
@pytest.mark.parametrize("is_sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
def test_fit_that_learned_nothing_warns(net, y, is_sparse, weight):
    rows = csr_array(X) if is_sparse else X
    (message,) = messages_of(lambda: net.fit(rows, y, sample_weight=weight))
    assert MESSAGE in message


@pytest.mark.parametrize("scale", [1e-3, 1e-7, 1e-12])
@pytest.mark.parametrize("solver", ["lbfgs", "adam", "sgd"])
@pytest.mark.parametrize("output_activation", ["sigmoid", "tanh", "identity"])
def test_fit_to_tiny_targets_warns_or_learns(output_activation, solver, scale):
    y = scale * expit(RISK)
    net = BackpropRegressor(
        output_activation=output_activation,
        solver=solver,
        standardize=False,
        max_iter=20,
        random_state=0,
    )
    messages = messages_of(lambda: net.fit(X, y))
    assert net.score(X, y) > 0.0 or any(MESSAGE in text for text in messages)


@pytest.mark.parametrize("make", [BackpropClassifier, BackpropRegressor])
def test_vanishing_gradients_warn(make):
    net = make((50, 50, 50), "sigmoid", solver="sgd", random_state=0)
    y = BALANCED if make is BackpropClassifier else RISK
    (message,) = messages_of(lambda: net.fit(X[:300], y[:300]))
    assert MESSAGE in message
    improved = net.loss_ < prepare_training(net, X[:300], y[:300]).constant.loss
    assert ("by more than 0.5%" in message) == improved


@pytest.mark.parametrize(
    ("params", "words"),
    [
        (dict(), ["increase n_iter_no_change", "Increase learning_rate_init"]),
        (dict(), ["decrease tol=0.0001", "set loss='log_loss'"]),
        (dict(standardize=False), ["set standardize=True"]),
        (dict(dropout=0.5), ["decrease dropout=0.5"]),
        (dict(alpha=3.0, l1_alpha=2.0), ["decrease alpha=3.0", "decrease l1_alpha=2"]),
    ],
    ids=str,
)
def test_warning_suggests_remedies(params, words):
    net = BackpropClassifier(**FROZEN, **params)
    (message,) = messages_of(lambda: net.fit(X, BALANCED))
    assert all(word in message for word in words)


def test_warning_suggests_only_remedies_that_are_not_in_place():
    net = BackpropClassifier(loss="log_loss", solver="lbfgs", alpha=1e9)
    (message,) = messages_of(lambda: net.fit(X, BALANCED))
    absent = ("learning_rate", "n_iter", "standardize", "log_loss", "dropout", "l1")
    assert "ecrease alpha=1000000000.0" in message
    assert not any(word in message for word in absent)


def test_rising_loss_suggests_smaller_learning_rate():
    # Full-batch gradient descent on a linear problem with curvature of about 1 diverges
    # if the learning rate exceeds 2.
    net = BackpropRegressor(
        (),
        solver="sgd",
        learning_rate_init=2.5,
        momentum=0.0,
        batch_size=len(X),
        max_iter=4,
        random_state=0,
    )
    (message,) = messages_of(lambda: net.fit(X, RISK))
    assert "Decrease learning_rate_init" in message


def test_warning_is_part_of_the_warning_about_max_iter():
    net = BackpropClassifier(max_iter=1, learning_rate_init=1e-12, random_state=0)
    (message,) = messages_of(lambda: net.fit(X, BALANCED))
    assert message.startswith("Stochastic Optimizer: Maximum iterations (1) reached")
    assert MESSAGE in message
    assert "tol=" not in message


@pytest.mark.parametrize(
    ("net", "y"),
    [
        (BackpropClassifier(random_state=0), BALANCED),
        (BackpropClassifier(random_state=0), LABELS),
        # Regularization, but not too strong
        (BackpropClassifier(alpha=5.0, random_state=0), BALANCED),
        (BackpropClassifier(dropout=0.9, random_state=0), BALANCED),
        (BackpropRegressor(solver="lbfgs", alpha=300.0), RISK),
        # Overfitted noise, and targets that are constant
        (BackpropRegressor(solver="lbfgs", max_iter=500), NOISE),
        (BackpropRegressor(random_state=0), np.full(len(X), 0.1)),
        (BackpropRegressor(loss="quantile", random_state=0), np.full(len(X), 1e6)),
        (BackpropClassifier(random_state=0), np.ones((len(X), 2), int)),
        (BackpropClassifier(loss="log_loss", max_iter=5), np.ones((len(X), 2), int)),
    ],
    ids=str,
)
def test_other_fits_do_not_warn(net, y):
    assert not any(MESSAGE in text for text in messages_of(lambda: net.fit(X, y)))


def test_loss_without_penalty_and_dropout_decides():
    net = BackpropClassifier(warm_start=True, random_state=0).fit(X, BALANCED)
    net.set_params(alpha=1e6, dropout=0.9, learning_rate_init=1e-12)
    net.set_params(n_iter_no_change=1)
    assert messages_of(lambda: net.fit(X, BALANCED)) == []
    assert net.loss_ > 10.0


def test_recorded_loss_of_restored_weights_decides():
    # The training loss decreases, but the weights of the first epoch are restored.
    n_rows = 60
    fit = dict(X_val=X[n_rows : 2 * n_rows], y_val=1e3 * NOISE[n_rows : 2 * n_rows])
    net = BackpropRegressor(
        early_stopping=True, learning_rate_init=0.01, n_iter_no_change=100
    ).set_params(scoring=lambda estimator, X, y: -len(estimator.loss_curve_))
    net.set_params(random_state=0)
    (message,) = messages_of(lambda: net.fit(X[:n_rows], NOISE[:n_rows], **fit))
    assert net.loss_curve_[-1] < 0.1 < 0.5 < net.loss_curve_[0]
    assert MESSAGE in message


def test_partial_fit_does_not_warn():
    net = BackpropClassifier(**FROZEN)
    assert messages_of(lambda: net.partial_fit(X, BALANCED, classes=[0, 1])) == []


def test_warm_start_warns_until_it_has_learned():
    net = BackpropClassifier(warm_start=True, **FROZEN)
    assert MESSAGE in messages_of(lambda: net.fit(X, BALANCED))[0]
    net.set_params(learning_rate_init="auto", n_iter_no_change=10)
    assert messages_of(lambda: net.fit(X, BALANCED)) == []


# ------------------------------------------------------------- automatic learning rate


@pytest.mark.parametrize(
    ("make", "y", "rates"),
    [
        (
            BackpropClassifier,
            BALANCED,
            {"adam": 0.002, "adamw": 0.002, "rmsprop": 0.001, "sgd": 0.1},
        ),
        (
            BackpropRegressor,
            RISK,
            {"adam": 0.001, "adamw": 0.001, "rmsprop": 0.001, "sgd": 0.005},
        ),
    ],
)
@pytest.mark.parametrize("solver", OPTIMIZERS)
@ignore_convergence_warning
def test_automatic_learning_rate(make, y, rates, solver):
    params = dict(solver=solver, max_iter=3, random_state=0)
    for learning_rate in ("constant", "adaptive", "one_cycle", "exponential"):
        params["learning_rate"] = learning_rate
        net = make(warmup_steps=3, **params).fit(X, y)
        explicit = make(warmup_steps=3, learning_rate_init=rates[solver], **params)
        explicit.fit(X, y)
        assert net.learning_rate_init == "auto"
        np.testing.assert_array_equal(
            net.history_.learning_rate, explicit.history_.learning_rate
        )
        np.testing.assert_array_equal(net.predict(X), explicit.predict(X))
    constant = make(**{**params, "learning_rate": "constant"}).fit(X, y)
    assert set(constant.history_.learning_rate) == {rates[solver]}


def test_logit_of_rare_class_is_the_initial_bias():
    net = prepare_training(BackpropClassifier(), X, RARE).state.network
    np.testing.assert_allclose(net.biases[-1], logit(RARE.mean()), rtol=1e-12)
