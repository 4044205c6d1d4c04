"""Wrong parameters, wrong data, divergence and Ctrl-C: clear words, no half fits."""

import copy
import re

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import accuracy_score, make_scorer

from skbackprop import Activation, BackpropClassifier, BackpropRegressor
from skbackprop.core.activations import Softmax
from skbackprop.core.optimizers import OPTIMIZERS

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 4))
TWO, THREE = np.arange(40) % 2, np.arange(40) % 3
LABELS = (X[:, :3] > 0).astype(int)
NUMBERS = X[:, 0]
COUNTS = rng.poisson(2.0, 40).astype(float)
UNSCALED = np.random.default_rng(1).uniform(100.0, 1000.0, (60, 4))

ESTIMATORS = pytest.mark.parametrize(
    ("make", "y"), [(BackpropClassifier, THREE), (BackpropRegressor, NUMBERS)]
)
cut_short = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def error_of(action, *words, error=ValueError):
    """Return the message of what `action` raises; it must contain all words."""
    with pytest.raises(error) as caught:
        action()
    message = str(caught.value)
    for word in words:
        assert word in message
    return message


def classifier(**params):
    return BackpropClassifier(**{"max_iter": 2, "random_state": 0, **params})


def regressor(**params):
    return BackpropRegressor(**{"max_iter": 2, "random_state": 0, **params})


def three_classes():
    return classifier(hidden_layer_sizes=(5,)).partial_fit(X, THREE, classes=[0, 1, 2])


# ------------------------------------------------------------------ parameters


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
def test_layer_sizes_must_be_positive_integers(make, y, sizes, got):
    message = error_of(
        lambda: make(hidden_layer_sizes=sizes).fit(X, y), "hidden_layer_sizes", got
    )
    assert re.search(
        r"must be > 0.*integer of at least 1|int in the range \[1", message
    )


@pytest.mark.parametrize("sizes", [(5, 4), [5, 4], np.array([5, 4])])
@cut_short
def test_layer_sizes_may_be_any_sequence_of_integers(sizes):
    fitted = classifier(hidden_layer_sizes=sizes).fit(X, THREE)
    assert [W.shape for W in fitted.coefs_] == [(4, 5), (5, 4), (4, 3)]


@pytest.mark.parametrize("activation", [("relu",), ["relu", "tanh", "relu"], ()])
@ESTIMATORS
def test_activations_must_be_as_many_as_hidden_layers(make, y, activation):
    error_of(
        lambda: make((5, 4), activation).fit(X, y),
        "activation",
        f"got {len(activation)} activations",
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
def test_unknown_names_are_answered_with_the_nearest_known_one(make, y, params, meant):
    ((name, value),) = params.items()
    got = next(v for v in ([value] if isinstance(value, str) else value) if v != "tanh")
    estimator = make((5, 4), **params)
    error_of(lambda: estimator.fit(X, y), name, repr(got), f"Did you mean {meant!r}?")


@pytest.mark.parametrize(
    ("make", "y", "got", "meant"),
    [
        (BackpropClassifier, THREE, "logloss", "log_loss"),
        (BackpropRegressor, NUMBERS, "hubert", "huber"),
        (BackpropRegressor, NUMBERS, "poison", "poisson"),
        (BackpropRegressor, NUMBERS, "absolute", "absolute_error"),
    ],
)
def test_unknown_losses_are_answered_with_the_nearest_known_one(make, y, got, meant):
    estimator = make(loss=got)
    error_of(lambda: estimator.fit(X, y), "loss", got, f"Did you mean {meant!r}?")


def test_unknown_names_without_a_near_one_are_answered_with_all_known():
    message = error_of(
        lambda: classifier(activation="xyz").fit(X, THREE), "activation", "relu", "gelu"
    )
    assert "Did you mean" not in message


def test_a_wrong_number_is_not_answered_with_the_name_of_something_else():
    message = error_of(
        lambda: classifier(alpha=-1.0, solver="adm").fit(X, THREE), "alpha", "-1.0"
    )
    assert "adam" not in message


@pytest.mark.parametrize("activation", [3, None, Activation, ["tanh", 3]])
def test_activations_must_be_names_or_instances(activation):
    error_of(
        lambda: classifier(hidden_layer_sizes=(5, 4), activation=activation).fit(
            X, THREE
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
def test_parameters_out_of_range_are_named(make, y, name, value):
    error_of(
        lambda: make(**{name: value}).fit(X, y),
        f"'{name}' parameter",
        "must be",
        f"Got {value!r} instead",
    )


@pytest.mark.parametrize("quantile", [0.0, 1.0, -0.5, 2, "median"])
def test_quantiles_must_be_within_0_and_1(quantile):
    estimator = regressor(loss="quantile", quantile=quantile)
    error_of(lambda: estimator.fit(X, NUMBERS), "'quantile' parameter", repr(quantile))


@pytest.mark.parametrize(
    "params", [{"learning_rate": "adaptive"}, {"clip_norm": 1.0}], ids=str
)
@ESTIMATORS
def test_settings_without_meaning_for_lbfgs_are_refused(make, y, params):
    ((name, value),) = params.items()
    error_of(
        lambda: make(solver="lbfgs", **params).fit(X, y),
        f"{name}={value!r}",
        "solver='lbfgs'",
        "allowed is",
    )


@pytest.mark.parametrize(
    ("output", "y", "allowed"),
    [
        ("relu", THREE, "softmax"),
        ("relu", THREE, "logistic"),
        ("identity", TWO, "logistic"),
        ("tanh", LABELS, "logistic"),
        ("exp", THREE, "logistic"),
    ],
)
def test_log_loss_needs_probabilities(output, y, allowed):
    estimator = classifier(loss="log_loss", output_activation=output)
    error_of(
        lambda: estimator.fit(X, y),
        f"output_activation={output!r}",
        "loss='log_loss'",
        "'auto'",
        allowed,
    )


@pytest.mark.parametrize("output", ["identity", "relu", "tanh", "gelu", "leaky_relu"])
def test_poisson_loss_needs_positive_outputs(output):
    estimator = regressor(loss="poisson", output_activation=output)
    error_of(
        lambda: estimator.fit(X, COUNTS),
        f"output_activation={output!r}",
        "loss='poisson'",
        "exp",
        "softplus",
    )


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_softmax_needs_two_outputs_in_a_classifier(loss):
    estimator = classifier(loss=loss, output_activation="softmax")
    error_of(
        lambda: estimator.fit(X, TWO), "output_activation='softmax'", "auto", "sigmoid"
    )


@pytest.mark.parametrize("loss", ["squared_error", "huber", "poisson"])
def test_softmax_needs_two_outputs_in_a_regressor(loss):
    estimator = regressor(loss=loss, output_activation="softmax")
    error_of(
        lambda: estimator.fit(X, COUNTS),
        "output_activation='softmax'",
        "at least two outputs",
        "got 1",
    )


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_softmax_cannot_serve_several_labels(loss):
    estimator = classifier(loss=loss, output_activation="softmax")
    error_of(lambda: estimator.fit(X, LABELS), "output_activation='softmax'", "auto")


@cut_short
def test_softmax_serves_log_loss_as_a_name_or_an_instance():
    by_name = classifier(loss="log_loss", output_activation="softmax").fit(X, THREE)
    instance = classifier(loss="log_loss", output_activation=Softmax()).fit(X, THREE)
    np.testing.assert_array_equal(by_name.predict_proba(X), instance.predict_proba(X))


# ------------------------------------------------------------------------ data


def test_continuous_targets_are_refused_by_the_classifier():
    error_of(lambda: classifier().fit(X, NUMBERS), "continuous")
    error_of(lambda: classifier().partial_fit(X, NUMBERS, classes=[0, 1]), "continuous")


def test_several_multiclass_outputs_are_refused():
    y = np.column_stack([THREE, THREE])
    error_of(lambda: classifier().fit(X, y), "Multioutput", "MultiOutputClassifier")
    error_of(lambda: classifier().partial_fit(X, y, classes=[0, 1, 2]), "Multioutput")


@pytest.mark.parametrize(
    "label", [7, "only", True, 0.5 + 0.5], ids=lambda v: type(v).__name__
)
def test_a_single_class_is_refused(label):
    y = np.full(40, label)
    error_of(
        lambda: classifier().fit(X, y), "y ", "at least two classes", str(np.unique(y))
    )
    error_of(
        lambda: classifier().partial_fit(X, y, classes=[label]),
        "at least two classes",
        "one class",
        str(np.unique(y)),
    )


@cut_short
def test_a_single_class_in_one_call_of_partial_fit_is_fine():
    fitted = classifier().partial_fit(X, np.zeros(40, int), classes=[0, 1, 2])
    assert fitted.predict_proba(X).shape == (40, 3)


def test_classes_are_needed_in_the_first_partial_fit():
    error_of(
        lambda: classifier().partial_fit(X, THREE),
        "classes",
        "first call",
        "partial_fit",
    )


def test_labels_unseen_in_the_first_partial_fit_are_refused():
    fresh = classifier()
    error_of(
        lambda: fresh.partial_fit(X, THREE, classes=[0, 1]),
        "`y` has classes not in",
        "[0 1]",
        "[0 1 2]",
    )
    assert not hasattr(fresh, "classes_")


@pytest.mark.parametrize(
    "y", [THREE + 1, THREE.astype(str), np.full(40, 9)], ids=["ints", "strings", "nine"]
)
def test_labels_unseen_before_are_refused_by_a_later_partial_fit(y):
    error_of(
        lambda: three_classes().partial_fit(X, y), "`y` has classes not in", "[0 1 2]"
    )


def test_other_classes_in_a_later_partial_fit_are_refused():
    error_of(
        lambda: three_classes().partial_fit(X, THREE, classes=[0, 1, 3]),
        "classes=[0, 1, 3]",
        "last call to partial_fit",
    )


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (THREE, LABELS),
        (LABELS, THREE),
        (LABELS, LABELS[:, :2]),
        (LABELS[:, :2], TWO),
        (TWO, LABELS[:, :2]),
    ],
    ids=["labels", "classes", "fewer", "two classes", "two labels"],
)
@pytest.mark.parametrize("method", ["partial_fit", "fit"])
@cut_short
def test_labels_of_another_kind_are_refused_when_carrying_on(first, then, method):
    estimator = classifier(warm_start=True).fit(X, first)
    error_of(lambda: getattr(estimator, method)(X, then), "y")
    assert estimator.predict(X).shape == first.shape


@pytest.mark.parametrize("classes", [[0], [0, 1], [0, 1, 2, 3], ["a", "b", "c"]])
def test_classes_must_fit_the_columns_of_a_label_indicator(classes):
    error_of(
        lambda: classifier().partial_fit(X, LABELS, classes=classes), "classes", "3"
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", [np.float64, np.float32, csr_matrix, pd.DataFrame])
@ESTIMATORS
def test_nan_and_infinity_in_the_input_are_refused(make, y, kind, bad):
    dtype = kind if kind is np.float32 else np.float64
    wrong = X.astype(dtype)
    wrong[3, 2] = bad
    if kind is csr_matrix:
        wrong = csr_matrix(wrong)
    elif kind is pd.DataFrame:
        wrong = pd.DataFrame(wrong, columns=list("abcd"))
    what = "NaN" if np.isnan(bad) else "infinity"
    error_of(lambda: make().fit(wrong, y), "Input X contains", what)


@cut_short
@ESTIMATORS
def test_nan_is_refused_by_predict(make, y):
    fitted = make(max_iter=1).fit(X, y)
    wrong = np.full((1, 4), np.nan)
    error_of(lambda: fitted.predict(wrong), "Input X contains NaN")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("make", [BackpropRegressor, BackpropClassifier])
def test_nan_and_infinity_in_the_targets_are_refused(make, method, bad):
    y = TWO.astype(float)
    y[5] = bad
    kwargs = {}
    if make is BackpropClassifier and method == "partial_fit":
        kwargs["classes"] = [0.0, 1.0]
    action = getattr(make(), method)
    error_of(
        lambda: action(X, y, **kwargs),
        "Input y contains",
        "NaN" if np.isnan(bad) else "infinity",
    )


@ESTIMATORS
def test_targets_are_needed(make, y):
    error_of(lambda: make().fit(X, None), "requires y to be passed")


def test_strings_are_refused_by_the_regressor():
    error_of(lambda: regressor().fit(X, ["a", "b"] * 20), "could not convert string")


def test_labels_of_mixed_types_are_refused():
    y = np.array([1, "a"] * 20, dtype=object)
    error_of(
        lambda: classifier().fit(X, y), "label type", error=(ValueError, TypeError)
    )


@cut_short
def test_poisson_loss_refuses_negative_targets():
    y = COUNTS.copy()
    y[7] = -2.5
    words = "loss='poisson'", "y >= 0", "-2.5"
    error_of(lambda: regressor(loss="poisson").fit(X, y), *words)
    error_of(lambda: regressor(loss="poisson").partial_fit(X, y), *words)
    begun = regressor(loss="poisson").partial_fit(X, COUNTS)
    error_of(lambda: begun.partial_fit(X, y), *words)


@ESTIMATORS
def test_rows_of_input_and_targets_must_agree(make, y):
    error_of(lambda: make().fit(X, y[:5]), "inconsistent numbers of samples", "[40, 5]")


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (np.zeros(40), ("at least one",)),
        (np.full(40, -1.0), ("Negative values", "sample_weight")),
        (np.r_[np.ones(39), -1e-9], ("Negative values", "sample_weight")),
        (np.ones(39), ("sample_weight.shape == (39,)", "expected (40,)")),
        (np.ones((40, 2)), ("Sample weights must be 1D",)),
        (np.full(40, np.nan), ("sample_weight contains NaN",)),
        (np.full(40, np.inf), ("sample_weight contains infinity",)),
    ],
    ids=["zero", "negative", "one negative", "length", "two columns", "nan", "inf"],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@ESTIMATORS
def test_unusable_weights_are_refused(make, y, weight, words, method):
    kwargs = {}
    if make is BackpropClassifier and method == "partial_fit":
        kwargs["classes"] = [0, 1, 2]
    action = getattr(make(), method)
    error_of(lambda: action(X, y, sample_weight=weight, **kwargs), *words)


@pytest.mark.parametrize("held_out", ["all of it", "none of it"])
@ESTIMATORS
def test_weights_that_are_zero_on_one_side_of_the_split_are_refused(make, y, held_out):
    seen = []

    def note(estimator, X_held_out, y_held_out):
        seen.append(X_held_out)
        raise RuntimeError

    params = dict(early_stopping=True, random_state=0)
    with pytest.raises(RuntimeError):
        make(scoring=note, **params).fit(X, y)
    is_held_out = np.isin(X[:, 0], seen[0][:, 0])
    weight = (is_held_out if held_out == "all of it" else ~is_held_out).astype(float)
    error_of(
        lambda: make(**params).fit(X, y, sample_weight=weight), "sample_weight", "zero"
    )


# ------------------------------------------------- validation sets and batches


@pytest.mark.parametrize(
    ("n_samples", "fraction"), [(5, 0.1), (40, 0.0), (40, 0.02), (3, 0.3)]
)
@ESTIMATORS
def test_too_small_a_validation_set_is_refused(make, y, n_samples, fraction):
    estimator = make(early_stopping=True, validation_fraction=fraction)
    error_of(
        lambda: estimator.fit(X[:n_samples], y[:n_samples]),
        "The validation set is too small",
        "validation_fraction",
        str(fraction),
        str(n_samples),
    )


@ESTIMATORS
def test_a_validation_set_of_all_samples_is_refused(make, y):
    estimator = make(early_stopping=True, validation_fraction=0.95)
    error_of(
        lambda: estimator.fit(X[:5], y[:5]), "left to train on", "validation_fraction"
    )


@ESTIMATORS
@pytest.mark.parametrize("solver", OPTIMIZERS)
def test_a_batch_larger_than_the_samples_warns_and_is_clipped(make, y, solver):
    params = dict(solver=solver, max_iter=30, tol=1e3, random_state=0)
    with pytest.warns(UserWarning, match=r"batch_size=100 becomes 40"):
        clipped = make(batch_size=100, **params).fit(X, y)
    whole = make(batch_size=40, **params).fit(X, y)
    for mine, other in zip(clipped.coefs_, whole.coefs_, strict=True):
        np.testing.assert_array_equal(mine, other)


# ------------------------------------------------- partial_fit and warm starts


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


# ------------------------------------------------------------------ divergence


def unscaled(**params):
    return BackpropRegressor(
        (8,),
        **{
            "solver": "sgd",
            "learning_rate_init": 1e6,
            "random_state": 0,
            "max_iter": 20,
            **params,
        },
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@cut_short
def test_divergence_is_told_in_the_epoch_where_it_happens(dtype):
    X_raw, y = UNSCALED.astype(dtype), UNSCALED.sum(axis=1)
    message = error_of(
        lambda: unscaled().fit(X_raw, y), "scale", "learning_rate_init", "clip_norm"
    )
    epoch = int(re.search(r"in epoch (\d+)", message).group(1))
    before = unscaled(max_iter=epoch - 1).fit(X_raw, y)
    assert np.isfinite(before.loss_curve_).all()
    again = error_of(lambda: unscaled(max_iter=epoch).fit(X_raw, y))
    assert again == message


@cut_short
def test_divergence_is_told_by_partial_fit():
    estimator, y = unscaled(), UNSCALED.sum(axis=1)

    def carry_on():
        for _ in range(20):
            estimator.partial_fit(UNSCALED, y)

    error_of(carry_on, "scale", "learning_rate_init", "clip_norm")
    assert np.isfinite(estimator.predict(UNSCALED)).all()
    assert np.isfinite(estimator.loss_curve_).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_clipping_the_gradient_keeps_divergence_away(dtype):
    X_raw, y = UNSCALED.astype(dtype), UNSCALED.sum(axis=1)
    with pytest.warns(ConvergenceWarning):
        fitted = unscaled(clip_norm=1, n_iter_no_change=20).fit(X_raw, y)
    assert np.isfinite(fitted.predict(X_raw)).all()
    assert fitted.n_iter_ == 20


@cut_short
def test_gradients_whose_square_overflows_are_clipped_not_dropped():
    X_raw = (X[:, :1] * 1e22).astype(np.float32)
    estimator = BackpropRegressor(
        (),
        loss="absolute_error",
        solver="sgd",
        alpha=0.0,
        momentum=0.0,
        learning_rate_init=0.5,
        clip_norm=1.0,
        random_state=0,
    ).partial_fit(X_raw, NUMBERS)
    before = estimator.coefs_[0].copy()
    estimator.partial_fit(X_raw, NUMBERS)
    np.testing.assert_allclose(np.abs(estimator.coefs_[0] - before), 0.5, rtol=1e-5)


# ---------------------------------------------------------------------- Ctrl-C


class Interrupting(Activation):
    """ReLU until `calls` run out; then somebody presses Ctrl-C, once."""

    # Of the class, not of the copy that an estimator makes of an instance.
    calls = 0

    def forward(self, z, out):
        type(self).calls -= 1
        if type(self).calls == 0:
            raise KeyboardInterrupt
        np.maximum(z, 0.0, out=out)

    def backward(self, delta, a, z, scratch):
        delta *= z > 0.0


def interrupted(make, y, after, **params):
    Interrupting.calls = after
    params = {"max_iter": 50, "random_state": 0, "tol": 0.0, **params}
    estimator = make((5,), Interrupting(), **params)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        estimator.fit(X, y)
    return estimator


def assert_usable(estimator, y):
    assert estimator.predict(X).shape == y.shape
    assert all(np.isfinite(W).all() for W in estimator.coefs_)
    assert len(estimator.loss_curve_) == estimator.n_iter_ == len(estimator.history_)
    assert np.isfinite(estimator.score(X, y))


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@ESTIMATORS
def test_ctrl_c_ends_training_and_leaves_the_estimator_usable(make, y, solver):
    estimator = interrupted(make, y, after=8, solver=solver)
    assert_usable(estimator, y)
    assert estimator.n_iter_ > 0


@cut_short
@ESTIMATORS
def test_ctrl_c_leaves_the_last_whole_iteration_of_lbfgs(make, y):
    for after in range(6, 16):  # in some of these a line search is under way
        estimator = interrupted(make, y, after=after, solver="lbfgs")
        whole = make(
            (5,), Interrupting(), solver="lbfgs", random_state=0, tol=0.0
        ).set_params(max_iter=estimator.n_iter_)
        for mine, other in zip(estimator.coefs_, whole.fit(X, y).coefs_, strict=True):
            np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@ESTIMATORS
def test_ctrl_c_within_the_first_epoch_leaves_the_initial_weights(make, y, solver):
    estimator = interrupted(make, y, after=1, solver=solver, batch_size=10)
    assert estimator.n_iter_ == 0
    assert_usable(estimator, y)
    initial = interrupted(make, y, after=1, solver="sgd")
    for mine, other in zip(estimator.coefs_, initial.coefs_, strict=True):
        np.testing.assert_array_equal(mine, other)


@ESTIMATORS
def test_ctrl_c_warns_with_the_number_of_whole_epochs(make, y):
    Interrupting.calls = 4
    with pytest.warns(UserWarning, match="after 3 whole epochs"):
        make((5,), Interrupting(), batch_size=40).fit(X, y)


@cut_short
@ESTIMATORS
def test_training_carries_on_after_ctrl_c(make, y):
    estimator = interrupted(make, y, after=4, batch_size=40, warm_start=True)
    n_epochs = estimator.n_iter_
    estimator.partial_fit(X, y)
    assert len(estimator.loss_curve_) == n_epochs + 1
    estimator.fit(X, y)
    assert len(estimator.loss_curve_) == n_epochs + 1 + 50


@ESTIMATORS
def test_ctrl_c_within_partial_fit_warns(make, y):
    Interrupting.calls = 2
    kwargs = {"classes": [0, 1, 2]} if make is BackpropClassifier else {}
    estimator = make((5,), Interrupting(), batch_size=10)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        estimator.partial_fit(X, y, **kwargs)
    assert_usable(estimator, y)


@pytest.mark.parametrize("solver", ["sgd", "lbfgs"])
@pytest.mark.parametrize("n_scored", [0, 3])
def test_ctrl_c_within_a_scorer_leaves_the_estimator_usable(solver, n_scored):
    calls = []

    def score(y_true, y_pred):
        calls.append(None)
        if len(calls) > n_scored:
            raise KeyboardInterrupt
        return accuracy_score(y_true, y_pred)

    estimator = classifier(
        solver=solver, early_stopping=True, scoring=make_scorer(score), max_iter=30
    )
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        estimator.fit(X, THREE)
    assert_usable(estimator, THREE)
    assert len(estimator.validation_scores_) == n_scored


# --------------------------------------------------------- nothing half-fitted


def frame_of(values):
    return pd.DataFrame(values, columns=[f"column {i}" for i in range(values.shape[1])])


def snapshot(estimator):
    """Return all that an estimator holds, to be compared after an error."""
    public = {
        name: copy.deepcopy(getattr(estimator, name))
        for name in dir(type(estimator))
        if name.endswith("_") and not name.startswith("_") and hasattr(estimator, name)
    }
    return {**copy.deepcopy(vars(estimator)), **public}


def assert_unchanged(estimator, before):
    parameters = estimator.get_params()
    after = {k: v for k, v in snapshot(estimator).items() if k not in parameters}
    before = {k: v for k, v in before.items() if k not in parameters}
    assert after.keys() == before.keys()
    for name, value in before.items():
        if name == "_state":
            assert_same_state(after[name], value)
        elif name == "history_":
            pd.testing.assert_frame_equal(after[name], value)
        elif name in ("coefs_", "intercepts_"):
            for mine, other in zip(after[name], value, strict=True):
                np.testing.assert_array_equal(mine, other)
        elif name != "_architecture":
            np.testing.assert_equal(after[name], value)


def assert_same_state(after, before):
    np.testing.assert_array_equal(after.network.params, before.network.params)
    np.testing.assert_array_equal(after.slots, before.slots)
    np.testing.assert_array_equal(after.order, before.order)
    np.testing.assert_equal(after.rng.get_state(), before.rng.get_state())
    np.testing.assert_equal(after.split_rng.get_state(), before.split_rng.get_state())
    for name in ("n_updates", "n_seen", "n_epochs", "n_plateaus", "watch", "history"):
        assert getattr(after, name) == getattr(before, name)


def divergible(make, **params):
    # Sigmoids would keep a classifier's outputs within bounds.
    return make((5,), output_activation="identity", random_state=0, **params)


def diverge(estimator, X, y):
    estimator.set_params(solver="sgd", learning_rate_init=1e300)
    return frame_of(X * 1e200), y


def misset(**params):
    """Return what pairs good data with these parameters."""
    return lambda e, X, y: (frame_of(X), e.set_params(**params) and y)


#: What is complained of, and what makes of an estimator and good data such
#: arguments of `fit`.
BAD_FITS = {
    "nan": ("NaN", lambda e, X, y: (frame_of(np.where(X > 1, np.nan, X)), y)),
    "one dimension": ("2D array", lambda e, X, y: (X[:, 0], y)),
    "no names": ("NaN", lambda e, X, y: (np.full((40, 2), np.nan), y)),
    "other names": (
        "infinity|feature names",
        lambda e, X, y: (
            frame_of(np.full_like(X, np.inf)).rename(columns=str.upper),
            y,
        ),
    ),
    "lengths": ("numbers of samples", lambda e, X, y: (frame_of(X), y[:9])),
    "weights": ("at least one", lambda e, X, y: (frame_of(X), y, np.zeros(40))),
    "nan targets": (
        "y contains NaN",
        lambda e, X, y: (frame_of(X), np.full(40, np.nan)),
    ),
    "no targets": ("requires y", lambda e, X, y: (frame_of(X), None)),
    "divergence": ("diverged", diverge),
    "unknown solver": ("'adam'", misset(solver="adm")),
    "unknown activation": ("'relu'", misset(activation=["reluu"])),
    "bad sizes": ("hidden_layer_sizes", misset(hidden_layer_sizes=(-1,))),
    "bad split": (
        "validation_fraction|early_stopping",
        misset(early_stopping=True, validation_fraction=0.0),
    ),
}


@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("kind", BAD_FITS)
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@cut_short
@ESTIMATORS
def test_an_error_in_a_second_fit_leaves_the_first(make, y, kind, warm_start):
    estimator = divergible(make, max_iter=3, warm_start=warm_start)
    estimator.fit(frame_of(X), y)
    before, predicted = snapshot(estimator), estimator.predict(frame_of(X))
    words, make_bad = BAD_FITS[kind]
    bad = make_bad(estimator, X if warm_start else X[:, :2], y)
    with pytest.raises(ValueError, match=words):
        estimator.fit(*bad)
    assert_unchanged(estimator, before)
    np.testing.assert_array_equal(estimator.predict(frame_of(X)), predicted)


@pytest.mark.parametrize("kind", BAD_FITS)
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@cut_short
@ESTIMATORS
def test_an_error_in_partial_fit_leaves_the_epochs_before(make, y, kind):
    kwargs = {"classes": [0, 1, 2]} if make is BackpropClassifier else {}
    estimator = divergible(make).partial_fit(frame_of(X), y, **kwargs)
    estimator.partial_fit(frame_of(X), y)
    before, predicted = snapshot(estimator), estimator.predict(frame_of(X))
    words, make_bad = BAD_FITS[kind]
    bad = make_bad(estimator, X, y)
    with pytest.raises(ValueError, match=words):
        estimator.partial_fit(*bad)
    assert_unchanged(estimator, before)
    np.testing.assert_array_equal(estimator.predict(frame_of(X)), predicted)


@pytest.mark.parametrize(
    "y", [np.zeros(40, int), NUMBERS, np.column_stack([THREE, THREE])], ids=len
)
@cut_short
def test_an_error_in_the_labels_leaves_the_first_fit(y):
    estimator = classifier().fit(frame_of(X), THREE)
    before = snapshot(estimator)
    error_of(lambda: estimator.fit(frame_of(X[:, :2]), y))
    assert_unchanged(estimator, before)


@cut_short
def test_training_after_an_error_goes_on_as_if_there_had_been_none():
    disturbed, calm = (
        regressor(hidden_layer_sizes=(5,)).partial_fit(X, NUMBERS) for _ in range(2)
    )
    disturbed.set_params(learning_rate_init=1e300, solver="sgd")
    with pytest.raises(ValueError, match="diverged"):
        disturbed.partial_fit(X * 1e200, NUMBERS)
    disturbed.set_params(learning_rate_init=0.001, solver="adam")
    for estimator in (disturbed, calm):
        estimator.partial_fit(X, NUMBERS)
    assert disturbed.loss_curve_ == calm.loss_curve_
    np.testing.assert_array_equal(disturbed.predict(X), calm.predict(X))


@pytest.mark.parametrize("kind", BAD_FITS)
@ESTIMATORS
def test_an_error_in_the_first_fit_leaves_nothing(make, y, kind):
    estimator = divergible(make)
    words, make_bad = BAD_FITS[kind]
    bad = make_bad(estimator, X, y)
    with pytest.raises(ValueError, match=words):
        estimator.fit(*bad)
    assert vars(estimator).keys() == estimator.get_params().keys()
    with pytest.raises(NotFittedError):
        estimator.predict(X)


@cut_short
@ESTIMATORS
def test_an_error_of_a_users_own_code_leaves_the_first_fit(make, y):
    def broken(estimator, X, y):
        raise RuntimeError("broken scorer")

    estimator = make((5,), max_iter=3, random_state=0).fit(X, y)
    before = snapshot(estimator)
    estimator.set_params(early_stopping=True, scoring=broken)
    with pytest.raises(RuntimeError, match="broken scorer"):
        estimator.fit(X[:, :2], y)
    assert_unchanged(estimator, before)


@ESTIMATORS
def test_a_scorer_that_returns_nan_is_refused(make, y):
    estimator = make(early_stopping=True, scoring=lambda estimator, X, y: np.nan)
    error_of(lambda: estimator.fit(X, y), "scoring", "returned nan")
