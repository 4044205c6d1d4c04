"""Changes that warm starts and `partial_fit` accept or reject."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.exceptions import NotFittedError
from small_fits import (
    COUNTS,
    ESTIMATORS,
    NUMBERS,
    THREE_CLASSES,
    TWO_CLASSES,
    X,
    classifier,
    error_of,
    ignore_convergence_warning,
    regressor,
)

from skbackprop import Activation, BackpropClassifier


@ESTIMATORS
def test_partial_fit_is_not_available_with_lbfgs(make, y):
    estimator = make(solver="lbfgs")
    assert not hasattr(estimator, "partial_fit")
    with pytest.raises(AttributeError, match="partial_fit") as caught:
        estimator.partial_fit(X, y)
    assert "lbfgs is not stochastic" in str(caught.value.__cause__)
    assert hasattr(estimator.set_params(solver="sgd"), "partial_fit")


@ESTIMATORS
def test_partial_fit_rejects_early_stopping(make, y):
    estimator = make(early_stopping=True)
    error_of(lambda: estimator.partial_fit(X, y), "partial_fit", "early_stopping=True")


@pytest.mark.parametrize(
    "change",
    [
        {"hidden_layer_sizes": (6,)},
        {"hidden_layer_sizes": (5, 5)},
        {"hidden_layer_sizes": ()},
        {"activation": "tanh"},
        {"activation": ("tanh",)},
        {"output_activation": "leaky_relu"},
        {"standardize": False},
        {"categorical_features": [0]},
        {"n_bins": 4},
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@ignore_convergence_warning
@ESTIMATORS
def test_continued_training_rejects_changed_architecture(make, y, change, method):
    estimator = make((5,), warm_start=True, max_iter=2).fit(X, y)
    estimator.set_params(**change)
    (name,) = change
    error_of(
        lambda: getattr(estimator, method)(X, y),
        f"{name} has changed",
        "warm_start=False",
    )
    estimator.set_params(warm_start=False).fit(X, y)
    assert len(estimator.loss_curve_) == 2


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@ignore_convergence_warning
def test_continued_training_rejects_changed_loss(method):
    estimators = [
        (classifier(warm_start=True), THREE_CLASSES, {"loss": "log_loss"}),
        (regressor(warm_start=True), COUNTS, {"loss": "huber"}),
        (regressor(warm_start=True), COUNTS, {"loss": "poisson"}),
    ]
    for estimator, y, change in estimators:
        estimator.fit(X, y).set_params(**change)
        error_of(lambda e=estimator, y=y: getattr(e, method)(X, y), "loss has changed")


@ignore_convergence_warning
def test_continued_training_rejects_changed_quantile():
    estimator = regressor(loss="quantile").partial_fit(X, NUMBERS)
    estimator.set_params(quantile=0.9)
    words = "loss has changed", "quantile=0.5", "quantile=0.9"
    error_of(lambda: estimator.partial_fit(X, NUMBERS), *words)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("solver", "adm"),
        ("learning_rate", "adaptiv"),
        ("learning_rate_init", -1.0),
        ("alpha", -1.0),
        ("batch_size", 0),
        ("clip_norm", -1.0),
    ],
)
@ESTIMATORS
def test_each_partial_fit_validates_parameters(make, y, name, value):
    kwargs = {"classes": [0, 1, 2]} if make is BackpropClassifier else {}
    estimator = make((5,)).partial_fit(X, y, **kwargs).set_params(**{name: value})
    error_of(
        lambda: estimator.partial_fit(X, y), f"'{name}' parameter", f"Got {value!r}"
    )


@ignore_convergence_warning
@ESTIMATORS
def test_warm_start_accepts_equivalent_architecture(make, y):
    estimator = make((5,), "logistic", warm_start=True, max_iter=2).fit(X, y)
    estimator.set_params(hidden_layer_sizes=[5], activation=["sigmoid"])
    assert len(estimator.fit(X, y).loss_curve_) == 4


@ignore_convergence_warning
def test_warm_start_rejects_different_classes():
    estimator = classifier(warm_start=True).fit(X, THREE_CLASSES)
    for y in (
        TWO_CLASSES,
        THREE_CLASSES + 1,
        THREE_CLASSES.astype(str),
        np.arange(40) % 4,
    ):
        error_of(
            lambda y=y: estimator.fit(X, y),
            "warm_start",
            "same classes",
            "[0 1 2]",
            str(np.unique(y)),
        )


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@ignore_convergence_warning
@ESTIMATORS
def test_continued_training_rejects_different_number_of_features(make, y, method):
    estimator = make(warm_start=True, max_iter=2).fit(X, y)
    error_of(
        lambda: getattr(estimator, method)(X[:, :3], y),
        "X has 3 features",
        "expecting 4 features",
    )


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@ignore_convergence_warning
def test_continued_training_rejects_different_number_of_targets(method):
    estimator = regressor(warm_start=True).fit(X, NUMBERS)
    words = "y must have 1 target(s) as in the training data", "got 4"
    error_of(lambda: getattr(estimator, method)(X, X), *words)


@ESTIMATORS
def test_unfitted_estimator_raises(make, y):
    error_of(lambda: make().predict(X), make.__name__, "fit", error=NotFittedError)
    error_of(lambda: make().coefs_, "not fitted", error=AttributeError)


@ignore_convergence_warning
def test_partial_fit_after_early_stopping_monitors_loss():
    estimator = classifier(early_stopping=True, scoring="accuracy").fit(
        X, THREE_CLASSES
    )
    estimator.set_params(
        early_stopping=False, learning_rate="adaptive", n_iter_no_change=3
    )
    for _ in range(20):
        estimator.partial_fit(X, THREE_CLASSES)
    assert estimator.best_loss_ == min(estimator.loss_curve_[-20:])
    assert estimator.history_.learning_rate.nunique() == 1


@pytest.mark.parametrize(
    "change", [{"beta_1": 0.5}, {"beta_2": 0.9}, {"solver": "sgd"}]
)
def test_changed_optimizer_settings_reset_optimizer_state(change):
    estimator = regressor().partial_fit(X, NUMBERS).partial_fit(X, NUMBERS)
    estimator.set_params(**change).partial_fit(X, NUMBERS)
    assert estimator._state.n_updates == 1


@ignore_convergence_warning
def test_lbfgs_fit_discards_adam_state():
    estimator = regressor(warm_start=True).fit(X, NUMBERS)
    estimator.set_params(solver="lbfgs").fit(X, NUMBERS)
    assert not estimator._state.slots.size
    estimator.set_params(solver="adam").fit(X, NUMBERS)
    assert estimator._state.n_updates == estimator.n_iter_


class ScaledIdentity(Activation):
    """Activation with a counter, and with an array as a setting."""

    def __init__(self, scale):
        self.scale = scale
        self.n_calls = 0

    def forward(self, z, out):
        self.n_calls += 1
        np.multiply(z, self.scale, out=out)

    def backward(self, delta, a, z, scratch):
        delta *= self.scale


def test_partial_fit_continues_with_array_settings_and_counters():
    estimator = regressor(
        hidden_layer_sizes=(2,), activation=ScaledIdentity(np.array([1, 2.0]))
    )
    estimator.partial_fit(X, NUMBERS).partial_fit(X, NUMBERS)
    estimator.set_params(activation=ScaledIdentity(np.array([1, 3.0])))
    error_of(lambda: estimator.partial_fit(X, NUMBERS), "activation has changed", "3.")


@ESTIMATORS
@ignore_convergence_warning
def test_changed_settings_raise_before_the_data_are_read(make, y):
    estimator = make((5,), warm_start=True, max_iter=2, random_state=0).fit(X, y)
    strings = X.astype(str).astype(object)
    strings[:, 0] = "a"
    estimator.set_params(categorical_features=[0])
    error_of(lambda: estimator.fit(strings, y), "categorical_features has changed")


@pytest.mark.parametrize("is_sparse", [False, True], ids=["dense", "sparse"])
@ESTIMATORS
@ignore_convergence_warning
def test_warm_start_on_other_scales_starts_with_the_same_predictions(
    make, y, is_sparse
):
    convert = csr_array if is_sparse else np.asarray
    constant = np.hstack([X, np.ones((len(X), 1))])  # the last column
    other = (constant if is_sparse else constant + 2.0) * [1.0, 10.0, 0.5, 3.0, 1.0]
    net = make((8,), max_iter=5, random_state=0).fit(convert(constant), y)
    method = "decision_function" if make is BackpropClassifier else "predict"
    before, scale = getattr(net, method)(convert(constant)), net.input_scale_
    net.set_params(warm_start=True, learning_rate_init=1e-300, max_iter=1)
    net.fit(convert(other), y)
    assert (net.input_scale_ != scale).tolist() == [not is_sparse, *[True] * 3, False]
    after = getattr(net, method)(convert(constant))
    np.testing.assert_allclose(after, before, rtol=1e-9)
