"""Errors for invalid parameters name the parameter, the value and allowed values."""

import re

import numpy as np
import pytest
from small_fits import (
    COUNTS,
    ESTIMATORS,
    LABELS,
    NUMBERS,
    THREE_CLASSES,
    TWO_CLASSES,
    X,
    classifier,
    error_of,
    ignore_convergence_warning,
    regressor,
)

from skbackprop import Activation, BackpropClassifier, BackpropRegressor, Loss
from skbackprop.core.activations import Softmax
from skbackprop.core.losses import Huber


@pytest.mark.parametrize(
    ("sizes", "got"),
    [
        ((-1,), "-1"),
        ((0,), "0"),
        ((5, 0), "[5, 0]"),
        ((2.5,), "2.5"),
        ((2.0,), "2.0"),
        (np.array([5.0]), "5.0"),
        (("5",), "'5'"),
        ([[5, 3]], "[[5, 3]]"),
        (0, "0"),
        (-3, "-3"),
        (2.5, "2.5"),
        ("5", "'5'"),
        (None, "None"),
    ],
)
@ESTIMATORS
def test_hidden_layer_sizes_must_be_positive_integers(make, y, sizes, got):
    message = error_of(
        lambda: make(hidden_layer_sizes=sizes).fit(X, y), "hidden_layer_sizes", got
    )
    assert re.search(
        r"must be > 0.*integer of at least 1|int in the range \[1", message
    )


@pytest.mark.parametrize("sizes", [(5, 4), [5, 4], np.array([5, 4])])
@ignore_convergence_warning
def test_hidden_layer_sizes_accepts_sequences_of_integers(sizes):
    fitted = classifier(hidden_layer_sizes=sizes).fit(X, THREE_CLASSES)
    assert [W.shape for W in fitted.coefs_] == [(4, 5), (5, 4), (4, 3)]


@pytest.mark.parametrize("activation", [("relu",), ["relu", "tanh", "relu"], ()])
@ESTIMATORS
def test_number_of_activations_must_match_hidden_layers(make, y, activation):
    error_of(
        lambda: make((5, 4), activation).fit(X, y),
        "activation",
        f"Got {len(activation)} activations",
        "2 hidden layers",
        "hidden_layer_sizes",
    )


@pytest.mark.parametrize(
    ("params", "meant"),
    [
        ({"activation": "reluu"}, "relu"),
        ({"activation": "Tanh"}, "tanh"),
        ({"activation": ("reluu", "tanh")}, "relu"),
        ({"activation": ["tanh", "leakyrelu"]}, "leaky_relu"),
        ({"output_activation": "softmx"}, "softmax"),
        ({"output_activation": "ident"}, "identity"),
        ({"loss": "squared_eror"}, "squared_error"),
        ({"solver": "adm"}, "adam"),
        ({"solver": "lbgfs"}, "lbfgs"),
        ({"learning_rate": "adaptiv"}, "adaptive"),
        ({"scoring": "neg_mean_squared_eror"}, "neg_mean_squared_error"),
        ({"batch_size": "atuo"}, "auto"),
    ],
)
@ESTIMATORS
def test_unknown_name_suggests_nearest_option(make, y, params, meant):
    ((name, value),) = params.items()
    got = next(v for v in ([value] if isinstance(value, str) else value) if v != "tanh")
    estimator = make((5, 4), **params)
    error_of(lambda: estimator.fit(X, y), name, repr(got), f"Did you mean {meant!r}?")


@pytest.mark.parametrize(
    ("make", "y", "got", "meant"),
    [
        (BackpropClassifier, THREE_CLASSES, "logloss", "log_loss"),
        (BackpropRegressor, NUMBERS, "hubert", "huber"),
        (BackpropRegressor, NUMBERS, "poison", "poisson"),
        (BackpropRegressor, NUMBERS, "absolute", "absolute_error"),
    ],
)
def test_unknown_loss_suggests_nearest_option(make, y, got, meant):
    estimator = make(loss=got)
    error_of(lambda: estimator.fit(X, y), "loss", got, f"Did you mean {meant!r}?")


def test_unknown_name_without_near_option_lists_all_options():
    message = error_of(
        lambda: classifier(activation="xyz").fit(X, THREE_CLASSES),
        "activation",
        "relu",
        "gelu",
    )
    assert "Did you mean" not in message


def test_suggestion_belongs_to_parameter_in_error():
    message = error_of(
        lambda: classifier(alpha=-1.0, solver="adm").fit(X, THREE_CLASSES),
        "alpha",
        "-1.0",
    )
    assert "adam" not in message


@pytest.mark.parametrize("activation", [3, None, Activation, ["tanh", 3]])
def test_activation_must_be_name_or_instance(activation):
    error_of(
        lambda: classifier(hidden_layer_sizes=(5, 4), activation=activation).fit(
            X, THREE_CLASSES
        ),
        "activation",
        "Activation",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("alpha", -1.0),
        ("batch_size", 0),
        ("batch_size", 2.5),
        ("beta_1", 1.0),
        ("beta_2", 1.0),
        ("clip_norm", 0.0),
        ("clip_norm", -1.0),
        ("early_stopping", "yes"),
        ("epsilon", 0.0),
        ("learning_rate_init", 0.0),
        ("learning_rate_init", "fast"),
        ("max_fun", 0),
        ("max_iter", 0),
        ("max_iter", 2.5),
        ("momentum", 1.5),
        ("n_iter_no_change", 0),
        ("nesterovs_momentum", 2),
        ("power_t", -1.0),
        ("random_state", "seed"),
        ("scoring", 3),
        ("shuffle", "no"),
        ("tol", -1.0),
        ("validation_fraction", 1.0),
        ("validation_fraction", -0.1),
        ("verbose", "loud"),
        ("warm_start", None),
    ],
)
@ESTIMATORS
def test_parameter_out_of_range_raises(make, y, name, value):
    error_of(
        lambda: make(**{name: value}).fit(X, y),
        f"'{name}' parameter",
        "must be",
        f"Got {value!r} instead",
    )


@pytest.mark.parametrize(
    ("name", "valid", "invalid"),
    [
        ("max_iter", 1, 1.0),
        ("batch_size", 5, 5.0),
        ("early_stopping", False, 0),
        ("shuffle", True, 1),
        ("standardize", True, 1.0),
        ("alpha", 0.5, (0.5,)),
        ("dtype", "float32", np.float32),
    ],
)
@ESTIMATORS
@ignore_convergence_warning
def test_invalid_parameter_raises_after_fit_with_equal_valid_value(
    make, y, name, valid, invalid
):
    net = make((2,), max_iter=2).set_params(**{name: valid})
    net.fit(X, y)
    error_of(lambda: net.set_params(**{name: invalid}).fit(X, y), name, str(invalid))
    net.set_params(**{name: valid}).partial_fit(X, y)
    error_of(
        lambda: net.set_params(**{name: invalid}).partial_fit(X, y), name, str(invalid)
    )


@pytest.mark.parametrize("quantile", [0.0, 1.0, -0.5, 2, "median"])
def test_quantile_must_be_between_0_and_1(quantile):
    estimator = regressor(loss="quantile", quantile=quantile)
    error_of(lambda: estimator.fit(X, NUMBERS), "'quantile' parameter", repr(quantile))


@pytest.mark.parametrize("params", [{"dropout": 0.5}, {"clip_norm": 1.0}], ids=str)
@ESTIMATORS
def test_lbfgs_rejects_unsupported_parameters(make, y, params):
    ((name, value),) = params.items()
    error_of(
        lambda: make(solver="lbfgs", **params).fit(X, y),
        f"{name}={value!r} is not supported with solver='lbfgs'",
        f"Set {name}=",
        "or use another solver",
    )


@pytest.mark.parametrize(
    ("output", "y", "allowed"),
    [
        ("relu", THREE_CLASSES, "softmax"),
        ("relu", THREE_CLASSES, "logistic"),
        ("identity", TWO_CLASSES, "logistic"),
        ("tanh", LABELS, "logistic"),
        ("exp", THREE_CLASSES, "logistic"),
    ],
)
def test_log_loss_requires_probability_outputs(output, y, allowed):
    estimator = classifier(loss="log_loss", output_activation=output)
    error_of(
        lambda: estimator.fit(X, y),
        f"output_activation={output!r}",
        "loss='log_loss'",
        "'auto'",
        allowed,
    )


@pytest.mark.parametrize("output", ["identity", "relu", "tanh", "gelu", "leaky_relu"])
def test_poisson_loss_requires_positive_outputs(output):
    estimator = regressor(loss="poisson", output_activation=output)
    error_of(
        lambda: estimator.fit(X, COUNTS),
        f"output_activation={output!r}",
        "loss='poisson'",
        "exp",
        "softplus",
    )


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_softmax_requires_two_outputs_in_classifier(loss):
    estimator = classifier(loss=loss, output_activation="softmax")
    error_of(
        lambda: estimator.fit(X, TWO_CLASSES),
        "output_activation='softmax'",
        "auto",
        "sigmoid",
    )


@pytest.mark.parametrize("loss", ["squared_error", "huber", "poisson"])
def test_softmax_requires_two_outputs_in_regressor(loss):
    estimator = regressor(loss=loss, output_activation="softmax")
    error_of(
        lambda: estimator.fit(X, COUNTS),
        "output_activation='softmax'",
        "at least two outputs",
        "got 1",
    )


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_softmax_rejects_label_indicators(loss):
    estimator = classifier(loss=loss, output_activation="softmax")
    error_of(lambda: estimator.fit(X, LABELS), "output_activation='softmax'", "auto")


@ignore_convergence_warning
def test_log_loss_accepts_softmax_name_and_instance():
    by_name = classifier(loss="log_loss", output_activation="softmax").fit(
        X, THREE_CLASSES
    )
    instance = classifier(loss="log_loss", output_activation=Softmax()).fit(
        X, THREE_CLASSES
    )
    np.testing.assert_array_equal(by_name.predict_proba(X), instance.predict_proba(X))


class ReturnsActivation(Activation):
    def forward(self, z, out):
        return np.tanh(z)

    def backward(self, delta, a, z, scratch):
        delta *= 1.0 - a**2


class ReturnsDerivative(Activation):
    def forward(self, z, out):
        np.tanh(z, out=out)

    def backward(self, delta, a, z, scratch):
        return delta * (1.0 - a**2)


class RebindsLoss(Loss):
    def value(self, y, a, z, out):
        out = (a - y) ** 2  # noqa: F841

    def gradient(self, y, a, out):
        np.subtract(a, y, out=out)


class ReturnsGradient(Huber):
    def gradient(self, y, a, out):
        return a - y


@pytest.mark.parametrize(
    ("params", "method"),
    [
        ({"activation": ReturnsActivation()}, "ReturnsActivation.forward"),
        ({"activation": ReturnsDerivative()}, "ReturnsDerivative.backward"),
        ({"output_activation": ReturnsActivation()}, "ReturnsActivation.forward"),
        ({"loss": RebindsLoss()}, "RebindsLoss.value"),
        ({"loss": ReturnsGradient()}, "ReturnsGradient.gradient"),
    ],
)
@ESTIMATORS
def test_custom_components_must_write_in_place(make, y, params, method):
    error_of(lambda: make(**params).fit(X, y), method, "must write", error=TypeError)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"activation": Activation()}, "Activation must define forward"),
        ({"loss": Loss()}, "Loss must define value"),
    ],
)
@ESTIMATORS
def test_custom_components_must_define_all_methods(make, y, params, words):
    error_of(lambda: make(**params).fit(X, y), words, error=NotImplementedError)


@pytest.mark.parametrize(
    ("name", "meant"), [("ReLU", "relu"), ("LeakyReLU", "leaky_relu"), ("Relu", "relu")]
)
def test_suggestion_ignores_case(name, meant):
    error_of(
        lambda: classifier(activation=name).fit(X, THREE_CLASSES), f"mean {meant!r}?"
    )


@ESTIMATORS
def test_unknown_parameter_error_names_estimator(make, y):
    error_of(
        lambda: make(hiden_layer_sizes=(3,)),
        f"{make.__name__}.__init__",
        "hiden_layer_sizes",
        error=TypeError,
    )
