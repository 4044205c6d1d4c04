"""Training that diverges raises an error, or restores the best weights."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from small_fits import error_of, ignore_convergence_warning

from skbackprop import BackpropClassifier, BackpropRegressor, Loss
from skbackprop.core.optimizers import OPTIMIZERS

#: Number of drawn settings in each tier.
N_DRAWS, N_SLOW_DRAWS = 300, 4000

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 3))
TARGETS = {
    "binary": (X[:, 0] > 0.3).astype(int),
    "multiclass": np.digitize(X[:, 1], [-0.5, 0.5]),
    "labels": (X[:, :2] > 0.0).astype(int),
    "numbers": 1e3 * (X[:, 0] - X[:, 2]),
    "several": X[:, :2] * [1.0, 1e6],
    "counts": rng.poisson(np.exp(X[:, 0])).astype(float),
}
LOSSES = {
    "binary": ["squared_error", "log_loss"],
    "multiclass": ["squared_error", "log_loss"],
    "labels": ["squared_error", "log_loss"],
    "numbers": ["squared_error", "absolute_error", "huber", "quantile"],
    "several": ["squared_error", "absolute_error"],
    "counts": ["poisson", "squared_error"],
}


def draw_fit(seed):
    """Draw an estimator and its targets."""
    rng = np.random.default_rng(seed)

    def choose(*options):
        return options[rng.integers(len(options))]

    task = choose(*TARGETS)
    is_classification = np.issubdtype(TARGETS[task].dtype, np.integer)
    make = BackpropClassifier if is_classification else BackpropRegressor
    loss = choose(*LOSSES[task])
    output = "auto"
    if is_classification and loss == "squared_error":
        output = choose("auto", "identity", "tanh", "exp")
    estimator = make(
        choose((), (4,), (4, 3)),
        choose("relu", "tanh", "identity", "softplus"),
        loss=loss,
        output_activation=output,
        solver=choose("lbfgs", *OPTIMIZERS),
        learning_rate_init=choose(1e-3, 1.0, 1e4, 1e10, 1e100),
        alpha=choose(0.0, 1e-4, 1e5, 1e30),
        dtype=choose("float32", "float64"),
        standardize=choose(True, True, False),
        batch_size=choose("auto", 7),
        max_iter=choose(1, 2, 30),
        early_stopping=choose(True, False, False),
        validation_fraction=0.2,
        random_state=0,
    )
    if estimator.solver != "lbfgs":
        estimator.set_params(
            clip_norm=choose(None, None, 1.0), dropout=choose(0.0, 0.0, 0.4)
        )
    return estimator, TARGETS[task], choose("fit", "fit", "partial_fit")


def assert_valid(estimator):
    predicted = estimator.predict(X)
    if isinstance(estimator, BackpropRegressor):
        assert np.isfinite(predicted).all()
        return
    probabilities = estimator.predict_proba(X)
    assert ((probabilities > 0.0) & (probabilities < 1.0)).all()
    assert np.isfinite(estimator.decision_function(X)).all()
    if predicted.ndim == 1:
        np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-5)


def train(estimator, y, method):
    """Return the message of the error that training raises, or None."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            if method == "fit" or estimator.solver == "lbfgs":
                estimator.fit(X, y)
                return None
            estimator.set_params(early_stopping=False)
            kwargs = {}
            if isinstance(estimator, BackpropClassifier):
                kwargs["classes"] = np.unique(y) if y.ndim == 1 else np.arange(2)
            for _ in range(estimator.max_iter):
                estimator.partial_fit(X, y, **kwargs)
        except ValueError as error:
            return str(error)


def check_draws(seeds):
    messages = []
    for seed in seeds:
        estimator, y, method = draw_fit(seed)
        message = train(estimator, y, method)
        if message is None:
            assert_valid(estimator)
            continue
        assert "Training diverged in epoch" in message
        messages.append(message)
        is_stochastic = estimator.solver != "lbfgs"
        assert ("set clip_norm" in message) == (
            is_stochastic and estimator.clip_norm is None
        )
        name = f"decrease learning_rate_init={estimator.learning_rate_init}"
        assert (name in message) == is_stochastic
        assert ("scale the inputs" in message) == (not estimator.standardize)
    return messages


def test_fit_raises_or_predicts_valid_values():
    messages = check_draws(range(N_DRAWS))
    assert 20 < len(messages) < N_DRAWS - 100


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, N_SLOW_DRAWS, 500))
def test_many_fits_raise_or_predict_valid_values(start):
    check_draws(range(N_DRAWS + start, N_DRAWS + start + 500))


# ----------------------------------------------------------- outputs after training


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@ignore_convergence_warning
def test_overflow_in_last_step_raises(method):
    # The parameters and the loss of the only epoch are finite.
    net = BackpropRegressor(
        (4, 4), "identity", solver="adamw", learning_rate_init=1e30, alpha=1e75
    ).set_params(max_iter=1, random_state=0)
    error_of(
        lambda: getattr(net, method)(X, TARGETS["numbers"]),
        "Training diverged in epoch 1",
        "decrease alpha=1e+75",
    )
    assert not hasattr(net, "coefs_")


@pytest.mark.parametrize("targets", ["numbers", "several"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@ignore_convergence_warning
def test_predictions_that_overflow_in_units_of_targets_raise(dtype, targets):
    # The outputs are about 1, but the targets have a standard deviation of `factor`.
    y = TARGETS[targets] / np.abs(TARGETS[targets]).max()
    largest = np.finfo(dtype).max
    net = BackpropRegressor((), dtype=dtype, solver="sgd", learning_rate_init=1e-300)
    net.set_params(max_iter=1, loss="absolute_error")
    n = y.shape[1] if y.ndim == 2 else 1
    start = dict(intercepts_init=[np.full(n, 20.0)], coefs_init=[np.zeros((3, n))])
    factor = largest**0.4  # the variance does not overflow
    assert np.isfinite(net.fit(X, factor * y, **start).predict(X)).all()
    # The loss, a sum over all rows, is finite.
    start["intercepts_init"] = [np.full(n, largest / 1e3)]
    error_of(lambda: net.fit(X, factor * y, **start), "Training diverged in epoch 1")


@ignore_convergence_warning
def test_infinite_logits_raise():
    net = BackpropClassifier((), loss="log_loss", max_iter=1, solver="sgd")
    net.set_params(dtype="float32", learning_rate_init=1e-30, standardize=False)
    start = dict(coefs_init=[np.full((3, 1), 3e38)])
    error_of(lambda: net.fit(10 * X, TARGETS["binary"], **start), "Training diverged")


# ----------------------------------------------------------------------- remedies


def message_of(make, y, **params):
    net = make((4,), "identity", random_state=0, **params)
    net.set_params(output_activation=params.get("output_activation", "identity"))
    return error_of(lambda: net.fit(X * 1e3, y))


@pytest.mark.parametrize(
    ("params", "remedies"),
    [
        ({}, "decrease learning_rate_init=1e+300; set clip_norm."),
        ({"warmup_steps": 1}, "decrease learning_rate_init=1e+300; set clip_norm."),
        ({"clip_norm": 1e10}, "decrease learning_rate_init=1e+300."),
        (
            {"standardize": False},
            "scale the inputs and the targets, or set standardize=True; "
            "decrease learning_rate_init=1e+300; set clip_norm.",
        ),
        (
            {"learning_rate": lambda epoch, step: 1e300},
            "decrease the rates that learning_rate returns; set clip_norm.",
        ),
        (
            {"solver": "adamw", "alpha": 1e300},
            "decrease alpha=1e+300; decrease learning_rate_init=1e+300; set clip_norm.",
        ),
    ],
    ids=["rate", "warm-up", "clipped", "not scaled", "function", "alpha"],
)
def test_message_suggests_only_remedies_that_are_not_in_place(params, remedies):
    settings = {"solver": "sgd", "learning_rate_init": 1e300, "batch_size": 20}
    settings.update(params)
    message = message_of(BackpropRegressor, TARGETS["numbers"], **settings)
    found = "Solver produced non-finite parameter weights or outputs."
    if not settings.get("standardize", True):
        found = (
            "Solver produced non-finite parameter weights. The input data may contain "
            "large values and need to be preprocessed."
        )
    assert message == f"{found} Training diverged in epoch 1: {remedies}"


def test_message_of_classifier_does_not_suggest_to_scale_targets():
    settings = dict(solver="sgd", learning_rate_init=1e300, standardize=False)
    message = message_of(BackpropClassifier, TARGETS["binary"], **settings)
    assert "scale the inputs, or set standardize=True;" in message


def test_message_for_lbfgs_names_neither_rate_nor_clipping():
    net = BackpropRegressor((), loss="poisson", solver="lbfgs", alpha=0.5)
    start = dict(coefs_init=[np.full((3, 1), 1e300)])
    message = error_of(lambda: net.fit(X, TARGETS["counts"], **start), "diverged")
    assert message.endswith("increase alpha=0.5, or use another solver.")
    assert "learning_rate" not in message
    assert "clip_norm" not in message


# ------------------------------------------------------------------ early stopping


def explode_in_epoch(n):
    """Return a schedule whose rates are small before epoch `n` and huge in it."""
    return lambda epoch, step: 1e300 if epoch == n - 1 else 1e-3


def fit_until_divergence(make, y, epoch, score=None, **params):
    net = make(
        (5,),
        learning_rate=explode_in_epoch(epoch),
        max_iter=epoch + 3,
        early_stopping=True,
        random_state=0,
        output_activation="identity",
        batch_size=20,
        **params,
    )
    if score is not None:
        scores = iter(score)
        net.set_params(scoring=lambda estimator, X, y: next(scores))
    with pytest.warns(ConvergenceWarning, match="Training diverged") as caught:
        net.fit(X, y)
    (warning,) = caught
    return net, str(warning.message)


BOTH = pytest.mark.parametrize(
    ("make", "y"),
    [
        (BackpropClassifier, TARGETS["multiclass"]),
        (BackpropRegressor, TARGETS["numbers"]),
    ],
)


@pytest.mark.parametrize("solver", OPTIMIZERS)
@BOTH
def test_early_stopping_restores_best_weights_after_divergence(make, y, solver):
    net, message = fit_until_divergence(
        make, y, 4, score=[0.1, 0.3, 0.2], solver=solver, momentum=0.5
    )
    assert message.startswith(
        "Training diverged in epoch 4. The weights with the best validation score, "
        "from epoch 2, were restored."
    )
    assert "set clip_norm" in message
    until_best = make((5,), random_state=0, solver=solver)
    until_best.set_params(
        learning_rate=explode_in_epoch(99),
        max_iter=2,
        early_stopping=True,
        momentum=0.5,
        output_activation="identity",
        batch_size=20,
        scoring=iter_scorer([0.1, 0.3]),
    )
    with pytest.warns(ConvergenceWarning):
        until_best.fit(X, y)
    for name in ("coefs_", "intercepts_"):
        for actual, expected in zip(
            getattr(net, name), getattr(until_best, name), strict=True
        ):
            np.testing.assert_array_equal(actual, expected)
    # The record of the diverged epoch is dropped.
    assert net.n_iter_ == len(net.loss_curve_) == len(net.validation_scores_) == 3
    assert net.t_ == 3 * 54
    assert net._state.n_steps == 9
    assert net.loss_ == net.loss_curve_[-1]
    assert net.best_validation_score_ == 0.3
    assert not net._state.slots.any()


def iter_scorer(scores):
    remaining = iter(scores)
    return lambda estimator, X, y: next(remaining)


@pytest.mark.parametrize("solver", OPTIMIZERS)
@BOTH
@ignore_convergence_warning
def test_training_continues_after_restored_divergence(make, y, solver):
    net, _ = fit_until_divergence(make, y, 3, solver=solver, learning_rate_init=0.001)
    net.set_params(learning_rate="constant", early_stopping=False, tol=0.0)
    kwargs = {"classes": [0, 1, 2]} if make is BackpropClassifier else {}
    before = net.coefs_[0].copy()
    net.partial_fit(X, y, **kwargs)
    assert 0.0 < np.abs(net.coefs_[0] - before).max() < 0.2
    assert net.n_iter_ == 3
    net.set_params(warm_start=True, max_iter=5).fit(X, y)
    assert len(net.loss_curve_) == 8
    assert_valid_outputs(net)


def assert_valid_outputs(net):
    outputs = net.predict_proba(X) if hasattr(net, "classes_") else net.predict(X)
    assert np.isfinite(outputs).all()


def test_divergence_in_first_epoch_raises():
    net = BackpropRegressor(
        (5,), learning_rate_init=1e300, solver="sgd", early_stopping=True
    ).set_params(batch_size=20)
    error_of(lambda: net.fit(X, TARGETS["numbers"]), "Training diverged in epoch 1")


@pytest.mark.parametrize("scoring", ["loss", "r2"])
def test_overflow_in_last_step_of_an_epoch_is_not_an_error_of_the_scorer(scoring):
    net = BackpropRegressor(
        (5,), "identity", learning_rate=explode_in_epoch(3), early_stopping=True
    ).set_params(scoring=scoring, random_state=0)
    with pytest.warns(
        ConvergenceWarning, match="diverged in epoch 4.* from epoch [12]"
    ):
        net.fit(X, TARGETS["numbers"])
    assert np.isfinite(net.validation_scores_).tolist() == [True, True, False]
    assert net.best_validation_score_ == max(net.validation_scores_[:2])
    assert np.isfinite(net.predict(X)).all()


def test_divergence_of_lbfgs_under_early_stopping_restores_best_weights():
    calls = []

    class Overflowing(Loss):
        """Squared error that becomes infinite after some evaluations."""

        def value(self, y, a, z, out):
            np.square(a - y, out=out)
            if len(y) > 20:  # not the validation samples
                calls.append(None)
                out += np.inf if len(calls) > 6 else 0.0

        def gradient(self, y, a, out):
            np.subtract(a, y, out=out)
            out *= 2.0

        def __deepcopy__(self, memo):
            return self

    net = BackpropRegressor(
        (5,), loss=Overflowing(), solver="lbfgs", early_stopping=True, random_state=0
    )
    with pytest.warns(ConvergenceWarning) as caught:
        net.fit(X, TARGETS["numbers"])
    assert net.n_iter_ > 0
    assert net.loss_ == net.loss_curve_[-1]
    assert np.isfinite(net.predict(X)).all()
    assert any(
        "converge" in str(w.message) or "diverged" in str(w.message) for w in caught
    )


@pytest.mark.parametrize("make", [BackpropClassifier, BackpropRegressor])
@ignore_convergence_warning
def test_lbfgs_without_iterations_is_not_divergence(make):
    net = make((5,), solver="lbfgs", early_stopping=True, tol=1e6, random_state=0)
    net.fit(X, TARGETS["binary"])
    assert net.n_iter_ == 0
    assert_valid_outputs(net)


def test_validation_loss_that_is_never_finite_raises():
    net = BackpropRegressor((), early_stopping=True, max_iter=2, standardize=False)
    start = dict(coefs_init=[np.ones((3, 1))])
    rows = np.full((5, 3), 1e200)
    error_of(
        lambda: net.fit(X, TARGETS["numbers"], X_val=rows, y_val=np.ones(5), **start),
        "Training diverged",
    )


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_output_that_overflows_in_one_row_of_the_batch_raises(method):
    # One step of gradient descent, after which only one row has an infinite output.
    n_rows, outlier = 4000, 2001
    rows = np.ones((n_rows, 1))
    rows[outlier] = 60.0
    net = BackpropRegressor((), loss="poisson", standardize=False, solver="sgd")
    net.set_params(momentum=0.0, learning_rate_init=1.0, alpha=0.0, max_iter=1)
    net.set_params(batch_size=n_rows, init=lambda rng, i, o: np.zeros((i, o)))
    y = np.where(rows[:, 0] > 1.0, n_rows * 0.25, 1.0)
    with pytest.raises(ValueError, match="diverged in epoch 1"):
        getattr(net, method)(rows, y)


# ------------------------------------------------------------ weights before a fit


@pytest.mark.parametrize("solver", ["lbfgs", *OPTIMIZERS])
@BOTH
def test_warm_start_never_ends_with_worse_weights(make, y, solver):
    data = dict(X_val=X[::3], y_val=y[::3])
    params = dict(random_state=0, early_stopping=True, n_iter_no_change=2)
    net = make((20,), solver=solver, max_iter=30, learning_rate_init=0.01, **params)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        net.fit(X, y, **data)
        before, best = net.coefs_[0].copy(), net.best_validation_score_
        # The new rates, or the new targets under lbfgs, make every epoch worse.
        net.set_params(warm_start=True, learning_rate_init=5.0, max_iter=4)
        if make is BackpropClassifier:
            wrong = (y + 1) % 3 if solver == "lbfgs" else y
        else:
            wrong = -y if solver == "lbfgs" else y
        net.fit(X, wrong, **data)
    assert net.best_validation_score_ >= best - 1e-12 * abs(best)
    if max(net.validation_scores_[-net.n_iter_ :]) < best:
        np.testing.assert_array_equal(net.coefs_[0], before)


def test_warm_start_that_diverges_keeps_weights_of_earlier_fit():
    y, params = TARGETS["numbers"], dict(early_stopping=True, random_state=0)
    net = BackpropRegressor((5,), max_iter=5, **params)
    with pytest.warns(ConvergenceWarning):
        net.fit(X, y)
    before, loss = net.predict(X), net.loss_
    net.set_params(warm_start=True, solver="sgd", learning_rate_init=1e300)
    net.set_params(batch_size=20)
    with pytest.warns(ConvergenceWarning, match="from before training, were restored"):
        net.fit(X, y)
    np.testing.assert_allclose(net.predict(X), before, rtol=1e-12)
    assert net.n_iter_ == 0
    assert net.loss_ == loss
    assert len(net.loss_curve_) == 5


@BOTH
@ignore_convergence_warning
def test_initial_parameters_of_the_user_are_candidates(make, y):
    params = dict(random_state=0, early_stopping=True, max_iter=3)
    good = make((5,), **params).set_params(max_iter=100, solver="lbfgs").fit(X, y)
    net = make((5,), solver="sgd", learning_rate_init=30.0, **params)
    start = dict(coefs_init=good.coefs_, intercepts_init=good.intercepts_)
    net.fit(X, y, X_val=X, y_val=y, **start)
    assert max(net.validation_scores_) < net.best_validation_score_
    for actual, expected in zip(net.coefs_, good.coefs_, strict=True):
        np.testing.assert_array_equal(actual, expected)


@BOTH
def test_random_initial_parameters_are_not_candidates(make, y):
    scores = []

    def score(estimator, X, y):
        scores.append(-float(len(scores)))
        return scores[-1]

    net = make((5,), early_stopping=True, scoring=score, max_iter=3, random_state=0)
    with pytest.warns(ConvergenceWarning):
        net.fit(X, y)
    assert net.validation_scores_ == scores == [0.0, -1.0, -2.0]
