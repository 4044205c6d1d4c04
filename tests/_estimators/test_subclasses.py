"""Subclasses of the estimators that override `__init__`, `fit` and `predict`."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from small_fits import error_of, ignore_convergence_warning
from small_networks import CODES, NUMBERS, X, assert_same_network

from skbackprop import BackpropClassifier, BackpropRegressor

TARGETS = {BackpropClassifier: CODES, BackpropRegressor: NUMBERS}
BOTH_ESTIMATORS = pytest.mark.parametrize("base", TARGETS)

#: Parameters that all subclasses pass to the base class.
FIXED = {"hidden_layer_sizes": (8,), "max_iter": 5, "random_state": 0}

pytestmark = ignore_convergence_warning


def with_fewer_parameters(base):
    class FewerParameters(base):
        def __init__(self, hidden_layer_sizes=(8,), max_iter=5, random_state=0):
            super().__init__(
                hidden_layer_sizes=hidden_layer_sizes,
                max_iter=max_iter,
                random_state=random_state,
            )

    return FewerParameters


def with_renamed_parameter(base):
    class RenamedParameter(base):
        def __init__(self, units=8, max_iter=5):
            super().__init__(**{**FIXED, "max_iter": max_iter})
            self.units = units

        def fit(self, X, y):
            self.hidden_layer_sizes = (self.units,)
            return super().fit(X, y)

    return RenamedParameter


def with_kwargs(base):
    class KeywordArguments(base):
        def __init__(self, **params):
            super().__init__(**{**FIXED, **params})

    return KeywordArguments


SUBCLASSES = pytest.mark.parametrize(
    "make_subclass", [with_fewer_parameters, with_renamed_parameter, with_kwargs]
)


@SUBCLASSES
@BOTH_ESTIMATORS
def test_fit_of_subclass_equals_fit_of_base_class(base, make_subclass):
    y = TARGETS[base]
    net, plain = make_subclass(base)().fit(X, y), base(**FIXED).fit(X, y)
    assert_same_network(net, plain)
    np.testing.assert_array_equal(net.predict(X), plain.predict(X))
    assert net.score(X, y) == plain.score(X, y)


@SUBCLASSES
@BOTH_ESTIMATORS
def test_partial_fit_of_subclass_equals_base_class(base, make_subclass):
    kwargs = {"classes": [0, 1, 2]} if base is BackpropClassifier else {}
    nets = make_subclass(base)(), base(**FIXED)
    for net in nets:
        net.partial_fit(X, TARGETS[base], **kwargs).partial_fit(X, TARGETS[base])
    assert_same_network(*nets)


@SUBCLASSES
@BOTH_ESTIMATORS
def test_subclass_can_be_cloned(base, make_subclass):
    net = make_subclass(base)().fit(X, TARGETS[base])
    cloned = clone(net)
    assert type(cloned) is type(net)
    assert cloned.get_params() == net.get_params()
    assert_same_network(cloned.fit(X, TARGETS[base]), net)


@pytest.mark.parametrize(
    ("make_subclass", "grid", "sizes"),
    [
        (with_fewer_parameters, {"hidden_layer_sizes": [(3,), (4,)]}, {3, 4}),
        (with_renamed_parameter, {"units": [3, 4]}, {3, 4}),
        (with_kwargs, {}, {8}),  # get_params does not list keyword arguments
    ],
)
@BOTH_ESTIMATORS
def test_grid_search_over_parameters_of_subclass(base, make_subclass, grid, sizes):
    net = make_subclass(base)()
    search = GridSearchCV(net, grid, cv=2, error_score="raise").fit(X, TARGETS[base])
    best = search.best_estimator_
    assert best.coefs_[0].shape[1] in sizes
    refit = clone(net).set_params(**search.best_params_).fit(X, TARGETS[base])
    assert_same_network(best, refit)


@BOTH_ESTIMATORS
def test_get_params_lists_parameters_of_subclass(base):
    names = {
        with_fewer_parameters: ["hidden_layer_sizes", "max_iter", "random_state"],
        with_renamed_parameter: ["max_iter", "units"],
        with_kwargs: [],
    }
    for make_subclass, expected in names.items():
        assert list(make_subclass(base)().get_params()) == expected


@BOTH_ESTIMATORS
def test_parameters_of_subclass_are_validated(base):
    y = TARGETS[base]
    net = with_fewer_parameters(base)(max_iter=0)
    error_of(lambda: net.fit(X, y), "'max_iter' parameter of FewerParameters", "Got 0")
    # These parameters are not in the signature of the subclass.
    net = with_kwargs(base)(alpha=-1.0)
    words = "'alpha' parameter of KeywordArguments", "Got -1.0"
    error_of(lambda: net.fit(X, y), *words)
    error_of(
        lambda: with_kwargs(base)(hiden_layer_sizes=(3,)),
        "hiden_layer_sizes",
        error=TypeError,
    )


@BOTH_ESTIMATORS
def test_warm_start_of_subclass_rejects_changed_parameter(base):
    net = with_renamed_parameter(base)().set_params(units=3).fit(X, TARGETS[base])
    net.warm_start = True
    net.units = 4
    words = "hidden_layer_sizes has changed", "(3,)", "(4,)"
    error_of(lambda: net.fit(X, TARGETS[base]), *words)


@pytest.mark.parametrize("base", [BackpropClassifier, BackpropRegressor])
def test_constraints_without_a_parameter_are_ignored(base):
    class Constrained(base):
        _parameter_constraints = {**base._parameter_constraints, "gamma": ["boolean"]}

    assert Constrained()._validate_params() is None


def transform(y):
    return y if y is CODES else np.exp(y / 100.0)


def with_transformed_data(base):
    class TransformedData(base):
        def fit(self, X, y, **params):
            return super().fit(np.square(X), transform(y), **params)

        def predict(self, X):
            raise AssertionError("A scorer called `predict` of the subclass.")

        def score(self, X, y, sample_weight=None):
            raise AssertionError("A scorer called `score` of the subclass.")

    return TransformedData


def score_of_estimator(net, X, y):
    return net.score(X, y)


@pytest.mark.parametrize("form", ["name", "callable"])
@pytest.mark.parametrize("passes_validation_data", [False, True])
@BOTH_ESTIMATORS
def test_scorers_use_predictions_of_the_network(base, passes_validation_data, form):
    y, scoring = TARGETS[base], "accuracy" if base is BackpropClassifier else "r2"
    if form == "callable":
        scoring = score_of_estimator
    params = {**FIXED, "early_stopping": True, "scoring": scoring}
    params |= {"validation_fraction": 0.3, "learning_rate_init": 0.05}
    validation = {}
    if passes_validation_data:
        validation = {"X_val": np.square(X[:30]), "y_val": transform(y)[:30]}
    net = with_transformed_data(base)(**params).fit(X, y, **validation)
    plain = base(**params).fit(np.square(X), transform(y), **validation)
    assert_same_network(net, plain)
    assert net.validation_scores_ == plain.validation_scores_
    assert len(set(plain.validation_scores_)) > 1


@BOTH_ESTIMATORS
def test_scorers_receive_parameters_and_weights_of_the_network(base):
    received = []

    def scoring(net, X, y):
        received.append((net.get_params(), [W.copy() for W in net.coefs_]))
        return float(len(received))

    params = {**FIXED, "early_stopping": True, "scoring": scoring, "alpha": 0.25}
    net = with_kwargs(base)(**params).fit(X, TARGETS[base])
    last_params, last_weights = received[-1]
    assert len(received) == net.n_iter_
    assert last_params == base(**params).get_params()
    for W, last in zip(net.coefs_, last_weights, strict=True):
        np.testing.assert_array_equal(W, last)


@BOTH_ESTIMATORS
def test_scorers_receive_attributes_of_a_subclass(base):
    class WithAttributes(base):
        def fit(self, X, y):
            self.highest_ = 7.0
            return super().fit(X, y)

    def scoring(net, X, y):
        return min(net.highest_, net.bonus)

    net = WithAttributes(**FIXED, early_stopping=True, scoring=scoring)
    net.bonus = 8.0
    assert net.fit(X, TARGETS[base]).best_validation_score_ == 7.0


@BOTH_ESTIMATORS
def test_scorers_receive_encoded_inputs(base):
    inputs = pd.DataFrame(X, columns=list("abcd"))
    inputs["kind"] = pd.Categorical(["one", "two", "three"] * 30)

    def scoring(net, X, y):
        assert X.shape[1] == net.n_features_in_ == net.coefs_[0].shape[0] == 7
        assert not hasattr(net, "feature_names_in_")
        return net.score(X, y)

    net = base(**FIXED, early_stopping=True, scoring=scoring)
    assert len(net.fit(inputs, TARGETS[base]).validation_scores_) == net.n_iter_
    assert list(net.feature_names_in_) == [*"abcd", "kind"]


def test_subclass_can_define_classes_as_property():
    class Names(BackpropClassifier):
        @property
        def classes_(self):
            return np.array(["low", "middle", "high"])

        def predict(self, X):
            return self.classes_[super().predict(X)]

    plain, net = BackpropClassifier(**FIXED).fit(X, CODES), Names(**FIXED).fit(X, CODES)
    np.testing.assert_array_equal(net.predict(X), net.classes_[plain.predict(X)])
