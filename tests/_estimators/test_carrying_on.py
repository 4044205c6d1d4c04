"""What partial_fit and warm starts can carry on from, and what not."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from small_fits import (
    COUNTS,
    ESTIMATORS,
    NUMBERS,
    THREE,
    TWO,
    X,
    classifier,
    cut_short,
    error_of,
    regressor,
)

from skbackprop import Activation, BackpropClassifier


@ESTIMATORS
def test_partial_fit_is_absent_under_lbfgs(make, y):
    estimator = make(solver="lbfgs")
    assert not hasattr(estimator, "partial_fit")
    with pytest.raises(AttributeError, match="partial_fit") as caught:
        estimator.partial_fit(X, y)
    assert "lbfgs is not stochastic" in str(caught.value.__cause__)
    assert hasattr(estimator.set_params(solver="sgd"), "partial_fit")


@ESTIMATORS
def test_partial_fit_refuses_early_stopping(make, y):
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
        {"output_activation": "tanh"},
        {"standardize": False},
        {"categorical_features": [0]},
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@cut_short
@ESTIMATORS
def test_the_architecture_cannot_change_when_carrying_on(make, y, change, method):
    estimator = make((5,), warm_start=True, max_iter=2).fit(X, y)
    estimator.set_params(**change)
    (name,) = change
    error_of(
        lambda: getattr(estimator, method)(X, y),
        f"{name} has changed",
        "warm_start=False",
    )
    fresh = estimator.set_params(warm_start=False).fit(X, y)
    assert len(fresh.loss_curve_) == 2


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@cut_short
def test_the_loss_cannot_change_when_carrying_on(method):
    estimators = [
        (classifier(warm_start=True), THREE, {"loss": "log_loss"}),
        (regressor(warm_start=True), COUNTS, {"loss": "huber"}),
        (regressor(warm_start=True), COUNTS, {"loss": "poisson"}),
    ]
    for estimator, y, change in estimators:
        estimator.fit(X, y).set_params(**change)
        error_of(lambda e=estimator, y=y: getattr(e, method)(X, y), "loss has changed")


@cut_short
def test_the_quantile_cannot_change_when_carrying_on():
    estimator = regressor(loss="quantile").partial_fit(X, NUMBERS)
    estimator.set_params(quantile=0.9)
    error_of(lambda: estimator.partial_fit(X, NUMBERS), "quantile", "has changed")


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
def test_parameters_are_checked_in_every_call_of_partial_fit(make, y, name, value):
    kwargs = {"classes": [0, 1, 2]} if make is BackpropClassifier else {}
    estimator = make((5,)).partial_fit(X, y, **kwargs).set_params(**{name: value})
    error_of(
        lambda: estimator.partial_fit(X, y), f"'{name}' parameter", f"Got {value!r}"
    )


@cut_short
@ESTIMATORS
def test_other_spellings_of_the_architecture_carry_on(make, y):
    estimator = make((5,), "logistic", warm_start=True, max_iter=2).fit(X, y)
    estimator.set_params(hidden_layer_sizes=[5], activation=["sigmoid"])
    assert len(estimator.fit(X, y).loss_curve_) == 4


@cut_short
def test_a_warm_start_refuses_other_classes():
    estimator = classifier(warm_start=True).fit(X, THREE)
    for y in (TWO, THREE + 1, THREE.astype(str), np.arange(40) % 4):
        error_of(
            lambda y=y: estimator.fit(X, y),
            "warm_start",
            "same classes",
            "[0 1 2]",
            str(np.unique(y)),
        )


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@cut_short
@ESTIMATORS
def test_another_number_of_features_is_refused_when_carrying_on(make, y, method):
    estimator = make(warm_start=True, max_iter=2).fit(X, y)
    error_of(
        lambda: getattr(estimator, method)(X[:, :3], y),
        "X has 3 features",
        "expecting 4 features",
    )


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@cut_short
def test_another_number_of_outputs_is_refused_when_carrying_on(method):
    estimator = regressor(warm_start=True).fit(X, NUMBERS)
    error_of(lambda: getattr(estimator, method)(X, X), "y must have 1 output", "got 4")


@ESTIMATORS
def test_an_unfitted_estimator_says_so(make, y):
    error_of(lambda: make().predict(X), make.__name__, "fit", error=NotFittedError)
    error_of(lambda: make().coefs_, "not fitted", error=AttributeError)


@cut_short
def test_partial_fit_after_early_stopping_watches_the_loss():
    estimator = classifier(early_stopping=True, scoring="accuracy").fit(X, THREE)
    estimator.set_params(
        early_stopping=False, learning_rate="adaptive", n_iter_no_change=3
    )
    for _ in range(20):
        estimator.partial_fit(X, THREE)
    assert estimator.best_loss_ == min(estimator.loss_curve_[-20:])
    assert set(estimator.history_.learning_rate) == {estimator.learning_rate_init}


@pytest.mark.parametrize(
    "change", [{"beta_1": 0.5}, {"beta_2": 0.9}, {"solver": "sgd"}]
)
def test_other_settings_of_the_optimiser_start_its_memory_anew(change):
    estimator = regressor().partial_fit(X, NUMBERS).partial_fit(X, NUMBERS)
    estimator.set_params(**change).partial_fit(X, NUMBERS)
    assert estimator._state.n_updates == 1


@cut_short
def test_lbfgs_between_makes_adam_start_anew():
    estimator = regressor(warm_start=True).fit(X, NUMBERS)
    estimator.set_params(solver="lbfgs").fit(X, NUMBERS)
    assert not estimator._state.slots.size
    estimator.set_params(solver="adam").fit(X, NUMBERS)
    assert estimator._state.n_updates == estimator.n_iter_


class Scaled(Activation):
    """An activation with settings that `==` can't compare, and a counter."""

    def __init__(self, scale):
        self.scale = scale
        self.n_calls = 0

    def forward(self, z, out):
        self.n_calls += 1
        np.multiply(z, self.scale, out=out)

    def backward(self, delta, a, z, scratch):
        delta *= self.scale


def test_activations_with_arrays_and_counters_can_be_carried_on():
    estimator = regressor(
        hidden_layer_sizes=(2,), activation=Scaled(np.array([1, 2.0]))
    )
    estimator.partial_fit(X, NUMBERS).partial_fit(X, NUMBERS)
    estimator.set_params(activation=Scaled(np.array([1, 3.0])))
    error_of(lambda: estimator.partial_fit(X, NUMBERS), "activation has changed", "3.")
