"""Custom losses, activations, schedules and initializers, and `check_gradients`."""

import pickle

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from small_fits import (
    COUNTS,
    LABELS,
    NUMBERS,
    THREE_CLASSES,
    TWO_CLASSES,
    X,
    error_of,
    ignore_convergence_warning,
)
from small_networks import ESTIMATORS, assert_same_network, small
from small_networks import NUMBERS as TARGET
from small_networks import X as ROWS

from skbackprop import (
    Activation,
    BackpropClassifier,
    BackpropEnsembleRegressor,
    BackpropRegressor,
    Loss,
    check_gradients,
)
from skbackprop._estimators.parameters import losses_for
from skbackprop.core.activations import ACTIVATIONS, Tanh
from skbackprop.core.losses import SquaredError

SOME_SOLVERS = pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])


def squared(y, a):
    return (a - y) ** 2 / 2, a - y


def tanh(z):
    a = np.tanh(z)
    return a, 1 - a**2


def constant(epoch, step):
    return 0.01


def he_normal(rng, fan_in, fan_out):
    return rng.normal(0.0, np.sqrt(2 / fan_in), (fan_in, fan_out))


class CustomTanh(Activation):
    """Minimal activation that computes its derivative from z."""

    def forward(self, z, out):
        out[...] = np.tanh(z)

    def backward(self, delta, a, z, scratch):
        delta *= 1 - np.tanh(z) ** 2


class CustomSquaredError(Loss):
    """Squared error with a factor."""

    def __init__(self, factor=1.0):
        self.factor = factor

    def value(self, y, a, z, out):
        out[...] = self.factor * (a - y) ** 2 / 2

    def gradient(self, y, a, out):
        out[...] = self.factor * (a - y)


# ------------------------------------------------ equivalence to built-in components

EQUIVALENTS = {
    "loss function": ({"loss": squared}, {"loss": "squared_error"}),
    "loss class": ({"loss": CustomSquaredError()}, {"loss": "squared_error"}),
    "activation function": ({"activation": tanh}, {"activation": "tanh"}),
    "activation class": ({"activation": CustomTanh()}, {"activation": "tanh"}),
    "activation in a list": ({"activation": [tanh]}, {"activation": ["tanh"]}),
    "output function": ({"output_activation": tanh}, {"output_activation": "tanh"}),
    "output class": (
        {"output_activation": CustomTanh()},
        {"output_activation": "tanh"},
    ),
    "initializer": ({"init": he_normal}, {"init": "he_normal"}),
    "all at once": (
        {"loss": squared, "activation": tanh, "init": he_normal},
        {"loss": "squared_error", "activation": "tanh", "init": "he_normal"},
    ),
}


def assert_close(custom, built_in, rows):
    # Rounding differs, because the order of summation differs.
    for name in ("coefs_", "intercepts_"):
        for actual, expected in zip(getattr(custom, name), getattr(built_in, name)):
            np.testing.assert_allclose(actual, expected, rtol=1e-8, atol=1e-11)
    np.testing.assert_allclose(custom.loss_curve_, built_in.loss_curve_, rtol=1e-9)
    np.testing.assert_array_equal(custom.predict(rows) > 0, built_in.predict(rows) > 0)


@SOME_SOLVERS
@pytest.mark.parametrize("name", EQUIVALENTS)
@ESTIMATORS
@ignore_convergence_warning
def test_custom_components_equal_built_in_components(make, y, name, solver):
    custom, built_in = (
        small(make, solver=solver, max_iter=5, batch_size=16, **params)
        for params in EQUIVALENTS[name]
    )
    if make is BackpropRegressor and "output" in name:
        y = np.tanh(y)  # in the range of the output activation
    for net in (custom, built_in):
        if make is BackpropClassifier and "init" not in EQUIVALENTS[name][0]:
            # With loss="squared_error", "auto" initializes the output biases from the
            # class frequencies.
            net.set_params(init="glorot_uniform")
        net.fit(ROWS, y)
    assert_close(custom, built_in, ROWS)


@ignore_convergence_warning
def test_custom_loss_with_several_outputs_and_weights():
    y, weight = ROWS[:, :3] ** 2, np.linspace(0.0, 2.0, 90)
    custom, built_in = (
        small(BackpropRegressor, loss=loss, max_iter=3).fit(ROWS, y, weight)
        for loss in (squared, "squared_error")
    )
    for actual, expected in zip(custom.coefs_, built_in.coefs_):
        np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-12)
    # Only loss="squared_error" is displayed as a mean over the outputs.
    penalty = 1e-4 / 2 * sum((W**2).sum() for W in custom.coefs_) / weight.sum()
    np.testing.assert_allclose(
        custom.loss_ - penalty, 3 * (built_in.loss_ - penalty), rtol=1e-4
    )


@pytest.mark.parametrize("learning_rate", [constant, lambda epoch, step: 0.01])
@ESTIMATORS
@ignore_convergence_warning
def test_constant_learning_rate_function_equals_constant_rate(make, y, learning_rate):
    custom, built_in = (
        small(make, max_iter=3, batch_size=16, **params).fit(ROWS, y)
        for params in (
            {"learning_rate": learning_rate, "learning_rate_init": 5.0},
            {"learning_rate_init": 0.01},
        )
    )
    assert_same_network(custom, built_in)
    assert custom.history_["learning_rate"].tolist() == [0.01] * 3


def test_learning_rate_function_is_called_for_each_step():
    calls = []

    def rate(epoch, step):
        calls.append((epoch, step))
        return 0.01 / (1 + step)

    net = small(BackpropRegressor, learning_rate=rate, batch_size=40)
    for _ in range(2):
        net.partial_fit(ROWS, TARGET)
    assert calls == [(0, 0), (0, 1), (0, 2), (1, 3), (1, 4), (1, 5)]
    rates = net.history_["learning_rate"].tolist()
    assert rates == [0.01 / 3, 0.01 / 6]


@pytest.mark.parametrize("make", [BackpropClassifier, BackpropRegressor])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@ignore_convergence_warning
def test_custom_functions_receive_arrays_in_network_dtype(make, dtype):
    dtypes = set()

    def loss(y, a):
        dtypes.update([("y", y.dtype), ("a", a.dtype)])
        assert y.shape == a.shape
        return squared(y, a)

    def f(z):
        dtypes.add(("z", z.dtype))
        return tanh(z)

    net = small(make, loss=loss, activation=f, dtype=dtype, max_iter=2, batch_size=32)
    net.fit(ROWS, TARGET > 0)
    dtypes.clear()
    net.partial_fit(ROWS, TARGET > 0)
    # The functions are validated with float64 arrays before training.
    if dtype == "float64":
        assert {dtype for _, dtype in dtypes} == {np.dtype("float64")}
    else:
        assert {(name, np.dtype("float32")) for name in "yaz"} <= dtypes
    assert {W.dtype for W in net.coefs_} == {np.dtype(dtype)}


LAMBDAS = {
    "loss": lambda y, a: (np.log(np.cosh(a - y)), np.tanh(a - y)),
    "activation": lambda z: (np.sin(z), np.cos(z)),
    "output_activation": lambda z: (2 * z, np.full_like(z, 2.0)),
    "learning_rate": lambda epoch, step: 0.01 / (1 + epoch),
    "init": lambda rng, i, o: 0.1 * rng.normal(size=(i, o)),
}


@pytest.mark.parametrize(
    "names", [*([name] for name in LAMBDAS), list(LAMBDAS)], ids=str
)
@ESTIMATORS
@ignore_convergence_warning
def test_lambdas_can_be_cloned_and_trained_further(make, y, names):
    params = {name: LAMBDAS[name] for name in names}
    # Each fit would shuffle the original order of the rows.
    params.update(batch_size=16, standardize=False, shuffle=False)
    kwargs = {"classes": [0, 1, 2]} if make is BackpropClassifier else {}
    at_once = small(make, max_iter=4, **params).fit(ROWS, y)
    by_epoch = clone(small(make, **params))
    for _ in range(4):
        by_epoch.partial_fit(ROWS, y, **kwargs)
    warm = small(make, max_iter=2, warm_start=True, **params).fit(ROWS, y).fit(ROWS, y)
    assert_same_network(at_once, by_epoch)
    # A warm start counts epochs for the learning rate from zero.
    if "learning_rate" not in names:
        assert_same_network(at_once, warm)
    assert_same_network(clone(at_once).fit(ROWS, y), at_once)


@pytest.mark.parametrize("name", ["loss", "activation", "output_activation"])
@ESTIMATORS
@ignore_convergence_warning
def test_partial_fit_rejects_changed_function(make, y, name):
    net = small(make, **{name: LAMBDAS[name]}, max_iter=2).fit(ROWS, y)
    other = {"loss": squared}.get(name, tanh)
    net.set_params(**{name: other})
    error_of(lambda: net.partial_fit(ROWS, y), f"{name} has changed")


@ignore_convergence_warning
def test_named_functions_can_be_pickled():
    net = small(
        BackpropRegressor,
        loss=squared,
        activation=tanh,
        init=he_normal,
        learning_rate=constant,
        max_iter=2,
    ).fit(ROWS, TARGET)
    other = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(other.predict(ROWS), net.predict(ROWS))
    assert_same_network(net.partial_fit(ROWS, TARGET), other.partial_fit(ROWS, TARGET))


@ignore_convergence_warning
def test_component_settings_are_copied_by_fit():
    loss = CustomSquaredError(3.0)
    net = small(BackpropRegressor, loss=loss, alpha=0.0, max_iter=1)
    tripled = net.fit(ROWS, TARGET).loss_
    net.set_params(loss=CustomSquaredError(1.0)).fit(ROWS, TARGET)
    np.testing.assert_allclose(tripled, 3 * net.loss_, rtol=1e-2)  # one epoch of steps
    fitted = clone(net).set_params(loss=loss).fit(ROWS, TARGET)
    loss.factor = 100.0
    assert fitted._architecture.loss.factor == 3.0


# -------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("loss", CustomSquaredError),
        ("loss", SquaredError),
        ("activation", CustomTanh),
        ("activation", [Tanh]),
        ("output_activation", Tanh),
    ],
)
@ESTIMATORS
def test_component_class_instead_of_instance_raises(make, y, name, part):
    net = small(make, **{name: part})
    with pytest.raises((TypeError, ValueError), match=f"{name}.*instance") as caught:
        net.fit(ROWS, y)
    assert (part[0] if isinstance(part, list) else part).__name__ in str(caught.value)


@pytest.mark.parametrize(
    ("name", "part"),
    [("loss", Tanh()), ("activation", SquaredError()), ("init", 3), ("loss", 3)],
    ids=str,
)
@ESTIMATORS
def test_component_of_wrong_type_raises(make, y, name, part):
    error_of(lambda: small(make, **{name: part}).fit(ROWS, y), f"'{name}' parameter")


WRONG_LOSSES = {
    "value alone": lambda y, a: (a - y) ** 2,
    "value alone, of two rows": lambda y, a: np.vstack([(a - y) ** 2, a - y]),
    "nothing": lambda y, a: None,
    "a third": lambda y, a: (a - y, a - y, a - y),
    "mean": lambda y, a: (((a - y) ** 2).mean(), a - y),
    "mean gradient": lambda y, a: ((a - y) ** 2, (a - y).mean()),
    "sums over outputs": lambda y, a: (((a - y) ** 2).sum(axis=1), a - y),
    "fewer outputs": lambda y, a: ((a - y)[:, :1], (a - y)[:, :1]),
    "words": lambda y, a: ("value", "gradient"),
    "nan": lambda y, a: ((a - y) * np.nan, a - y),
    "one argument": lambda y: (y, y),
}
WRONG_ACTIVATIONS = {
    "value alone": np.tanh,
    "nothing": lambda z: None,
    "a third": lambda z: (z, z, z),
    "fewer units": lambda z: (z[:, :1], z[:, :1]),
    "sums": lambda z: (z.sum(axis=1), z),
    "nan": lambda z: (z * np.nan, z),
    "no arguments": lambda: None,
}
WRONG_RATES = {
    "nothing": lambda epoch, step: None,
    "a word": lambda epoch, step: "fast",
    "several": lambda epoch, step: [0.1, 0.2],
    "negative": lambda epoch, step: -0.1,
    "nan": lambda epoch, step: np.nan,
    "infinite": lambda epoch, step: np.inf,
    "one argument": lambda epoch: 0.1,
}


def assert_fit_raises(net, name):
    with pytest.raises((TypeError, ValueError)) as caught:
        net.fit(ROWS, TARGET)
    assert name in str(caught.value)


@pytest.mark.parametrize("wrong", WRONG_LOSSES)
def test_invalid_loss_function_raises(wrong):
    assert_fit_raises(small(BackpropRegressor, loss=WRONG_LOSSES[wrong]), "loss")


@pytest.mark.parametrize("name", ["activation", "output_activation"])
@pytest.mark.parametrize("wrong", WRONG_ACTIVATIONS)
def test_invalid_activation_function_raises(wrong, name):
    assert_fit_raises(
        small(BackpropRegressor, **{name: WRONG_ACTIVATIONS[wrong]}), "activation"
    )


@pytest.mark.parametrize("wrong", WRONG_RATES)
def test_invalid_learning_rate_function_raises(wrong):
    net = small(BackpropRegressor, learning_rate=WRONG_RATES[wrong])
    assert_fit_raises(net, "learning_rate")


# ------------------------------------------------------------------ check_gradients

ALL_ACTIVATIONS = pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
WEIGHT = np.linspace(0.0, 2.0, 40)
SETTINGS = {
    "plain": ({}, X, None),
    "penalties, weights, sparse": (
        {"alpha": 2.0, "l1_alpha": 3.0, "standardize": False},
        csr_array(X),
        WEIGHT,
    ),
    "standardized sparse": ({}, csr_array(np.where(X > 0, X, 0.0)), None),
    "held out": ({"dropout": 0.5, "early_stopping": True, "dtype": "float32"}, X, None),
    "lbfgs": ({"solver": "lbfgs", "alpha": 2.0}, X, WEIGHT),
    "adamw": ({"solver": "adamw", "warmup_steps": 3, "max_norm": 0.1}, X, None),
}
SOME_SETTINGS = pytest.mark.parametrize("setting", list(SETTINGS)[:2])


def check(make, y, setting="plain", **params):
    settings, rows, weight = SETTINGS[setting]
    params = {"hidden_layer_sizes": (4, 3), "random_state": 0, **settings, **params}
    return check_gradients(make(**params), rows, y, weight)


@SOME_SETTINGS
@pytest.mark.parametrize("loss", sorted(losses_for("regression")))
@ALL_ACTIVATIONS
def test_check_gradients_accepts_regressors(activation, loss, setting):
    y = COUNTS if loss == "poisson" else NUMBERS
    components = dict(activation=activation, loss=loss)
    assert 0 < check(BackpropRegressor, y, setting, **components) < 1e-5


@SOME_SETTINGS
@pytest.mark.parametrize("loss", sorted(losses_for("classification")))
@ALL_ACTIVATIONS
def test_check_gradients_accepts_classifiers(activation, loss, setting):
    components = dict(activation=activation, loss=loss)
    for y in (TWO_CLASSES, THREE_CLASSES, LABELS):
        assert 0 < check(BackpropClassifier, y, setting, **components) < 1e-5


@pytest.mark.parametrize("setting", SETTINGS)
def test_check_gradients_accepts_all_settings(setting):
    several = dict(loss="quantile", quantile=[0.2, 0.8])
    assert 0 < check(BackpropRegressor, NUMBERS, setting, **several) < 1e-5
    assert 0 < check(BackpropRegressor, X[:, :2], setting) < 1e-5
    assert (
        0
        < check(BackpropClassifier, THREE_CLASSES, setting, class_weight="balanced")
        < 1e-5
    )


@ALL_ACTIVATIONS
def test_check_gradients_accepts_default_sizes(activation):
    net = BackpropClassifier(activation=activation, random_state=0)
    assert 0 < check_gradients(net, X, THREE_CLASSES) < 1e-5


@pytest.mark.parametrize("hidden_layer_sizes", [(12,), (3, 3, 3)], ids=str)
@pytest.mark.parametrize("init", ["auto", "he_normal", "orthogonal"])
@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_check_gradients_tolerates_kinks(activation, init, hidden_layer_sizes):
    # Some rows contain only zeros, and some biases are zero. With seed 0, a weighted
    # input is within 1e-8 of the kink.
    sparse = np.where(np.random.default_rng(0).random(X.shape) < 0.3, X, 0.0)
    for seed in (1, 2, 3):
        net = BackpropRegressor(
            hidden_layer_sizes, activation, init=init, random_state=seed
        )
        assert check_gradients(net, X, NUMBERS, random_state=seed) < 1e-4
        net.set_params(standardize=False)
        assert check_gradients(net, sparse, NUMBERS, random_state=seed) < 1e-4


@pytest.mark.parametrize("depth", [6, 10])
def test_check_gradients_tolerates_vanishing_gradients(depth):
    for make, y in ((BackpropClassifier, THREE_CLASSES), (BackpropRegressor, NUMBERS)):
        # In the first layer, the gradients are below the rounding errors of the loss.
        net = make((5,) * depth, "logistic", random_state=0)
        assert np.isfinite(check_gradients(net, X, y))


@pytest.mark.parametrize(("scale", "shift"), [(1e3, 0.0), (1e-3, 0.0), (1.0, 1e4)])
def test_check_gradients_tolerates_any_target_scale(scale, shift):
    net = BackpropRegressor((5,), "tanh", standardize=False, random_state=0)
    assert check_gradients(net, X, scale * NUMBERS + shift) < 1e-4


# Wrong gradients of the loss, and wrong derivatives of the activation.


def wrong_loss(y, a):
    return (a - y) ** 2 / 2, 1.01 * (a - y)


def wrong_tanh(z):
    a = np.tanh(z)
    return a, 1 - a


class WrongTanh(Tanh):
    def backward(self, delta, a, z, scratch):
        delta *= 1 - a


class WrongLoss(Loss):
    def value(self, y, a, z, out):
        out[...] = (a - y) ** 2 / 2

    def gradient(self, y, a, out):
        np.subtract(y, a, out=out)


@pytest.mark.parametrize("loss", [wrong_loss, WrongLoss()], ids=["function", "class"])
@pytest.mark.parametrize("make", [BackpropClassifier, BackpropRegressor])
def test_check_gradients_finds_wrong_loss_gradient(make, loss):
    net = make((6, 5), "tanh", loss=loss, random_state=0)
    message = error_of(
        lambda: check_gradients(net, X, TWO_CLASSES),
        "layer 3 of 3",
        "`gradient` of the loss",
        error=AssertionError,
    )
    assert ("wrong_loss" in message) == (loss is wrong_loss)
    assert ("WrongLoss" in message) == (loss is not wrong_loss)


@pytest.mark.parametrize("wrong", [wrong_tanh, WrongTanh()], ids=["function", "class"])
@pytest.mark.parametrize("layer", [1, 2, 3])
@pytest.mark.parametrize("make", [BackpropClassifier, BackpropRegressor])
def test_check_gradients_finds_layer_of_wrong_derivative(make, layer, wrong):
    net = make((6, 5), ["relu", "gelu"], output_activation="tanh", random_state=0)
    assert check_gradients(net, X, TWO_CLASSES) < 1e-5
    if layer == 3:
        net.set_params(output_activation=wrong)
    else:
        net.set_params(activation=[wrong if l == layer else "gelu" for l in (1, 2)])
    message = error_of(
        lambda: check_gradients(net, X, TWO_CLASSES),
        f"layer {layer} of 3",
        "`backward` of the activation",
        error=AssertionError,
    )
    assert ("wrong_tanh" if wrong is wrong_tanh else "WrongTanh") in message
    assert ("`gradient` of the loss" in message) == (layer == 3)
    assert "GELU" not in message


def test_check_gradients_finds_nan_derivative():
    net = BackpropRegressor(
        (5,), lambda z: (np.tanh(z), np.where(z > 0.5, np.nan, 1.0)), random_state=0
    )
    error_of(
        lambda: check_gradients(net, X, NUMBERS), "layer 1 of 2", error=AssertionError
    )


@pytest.mark.usefixtures("_numpy_kernels")
@pytest.mark.parametrize(
    ("component", "shown"), [(Tanh, "Tanh()"), (SquaredError, "SquaredError()")]
)
def test_check_gradients_finds_fault_in_built_in_component(
    monkeypatch, component, shown
):
    net = BackpropRegressor((5,), "tanh", output_activation="softplus", random_state=0)
    y = np.abs(NUMBERS)
    assert check_gradients(net, X, y) < 1e-5
    if component is Tanh:
        monkeypatch.setattr(Tanh, "backward", WrongTanh.backward)
    else:
        monkeypatch.setattr(SquaredError, "gradient", WrongLoss.gradient)
    error_of(lambda: check_gradients(net, X, y), shown, error=AssertionError)


def test_check_gradients_raises_above_rtol():
    net = BackpropRegressor((5,), "tanh", loss=wrong_loss, random_state=0)
    error_of(lambda: check_gradients(net, X, NUMBERS, rtol=0.009), error=AssertionError)
    assert 0.009 < check_gradients(net, X, NUMBERS, rtol=0.011) < 0.011


@ESTIMATORS
@ignore_convergence_warning
def test_check_gradients_does_not_change_estimator(make, y):
    rng = np.random.RandomState(0)
    net = small(make, max_iter=2, random_state=rng, dropout=0.2).fit(ROWS, y)
    params, predicted = net.get_params(), net.predict(ROWS)
    coefs, before = [W.copy() for W in net.coefs_], str(rng.get_state())
    check_gradients(net, ROWS, y)
    assert net.get_params() == params
    assert net.random_state is rng
    assert str(rng.get_state()) == before
    np.testing.assert_array_equal(net.predict(ROWS), predicted)
    for W, W_before in zip(net.coefs_, coefs):
        np.testing.assert_array_equal(W, W_before)
    unfitted = small(make)
    check_gradients(unfitted, ROWS, y)
    assert not hasattr(unfitted, "n_features_in_")


def test_check_gradients_is_deterministic():
    net = BackpropRegressor((50,), random_state=0)
    one, other = (check_gradients(net, X, NUMBERS) for _ in range(2))
    assert one == other
    assert one != check_gradients(net, X, NUMBERS, random_state=1)


def test_check_gradients_rejects_other_objects():
    pipeline = make_pipeline(StandardScaler(), BackpropRegressor())
    ensemble = BackpropEnsembleRegressor()
    for wrong in (pipeline, BackpropRegressor, "regressor", ensemble):
        error_of(
            lambda wrong=wrong: check_gradients(wrong, X, NUMBERS),
            "BackpropClassifier",
            "BackpropRegressor",
            "last step",
            "For an ensemble, pass estimator.",
            error=TypeError,
        )
    net = BackpropRegressor(solver="adm")
    error_of(lambda: check_gradients(net, X, NUMBERS), "'solver'")
    error_of(
        lambda: check_gradients(BackpropRegressor(), X, NUMBERS[:9]), "inconsistent"
    )
