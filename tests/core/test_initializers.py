"""Initial weights: named initializers, functions, and `coefs_init`."""

import numpy as np
import pytest
from scipy.special import logit
from scipy.stats import kstest, norm, uniform
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from small_fits import error_of, ignore_convergence_warning
from small_networks import (
    CODES,
    ESTIMATORS,
    LABELS,
    NAMES,
    NUMBERS,
    WEIGHT,
    X,
    assert_same_network,
    classifier,
    regressor,
    small,
)

from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop.core.initializers import INITIALIZERS

# The learning rate is too small to change the weights.
FROZEN = {"learning_rate_init": 1e-300, "max_iter": 1}
SIGMAS = 5.0  # tolerance of random deviations, in standard deviations
FAN_IN, FAN_OUT = 300, 200

# Standard deviation and distribution of the weights.
FORMULAS = {
    "he_normal": (np.sqrt(2 / FAN_IN), "normal"),
    "he_uniform": (np.sqrt(2 / FAN_IN), "uniform"),
    "glorot_normal": (np.sqrt(2 / (FAN_IN + FAN_OUT)), "normal"),
    "glorot_uniform": (np.sqrt(2 / (FAN_IN + FAN_OUT)), "uniform"),
    "lecun_normal": (np.sqrt(1 / FAN_IN), "normal"),
    "standard_normal": (1.0, "normal"),
    # The 200 columns have norm 1, so the mean square of each column is 1 / 300.
    "orthogonal": (np.sqrt(1 / FAN_IN), "normal"),
}
by_init = pytest.mark.parametrize("init", sorted(INITIALIZERS))


def fit_frozen(
    make=BackpropRegressor, y=NUMBERS, rows=X, weight=None, fit=None, **params
):
    """Return an estimator with its initial weights."""
    params = {"standardize": False, "random_state": 0, **params}
    net = make(**params, **FROZEN)
    return net.fit(rows, y, sample_weight=weight, **(fit or {}))


def assert_zero(*biases):
    # A frozen fit still moves zeros by a tiny step.
    assert max(abs(b).max() for b in biases) < 1e-290


def assert_drawn_from(values, deviation, kind):
    n = values.size
    # Standard deviation of the sample variance: the fourth moment is 3 sigma^4 for
    # the normal distribution and 9/5 sigma^4 for the uniform distribution.
    spread = deviation**2 * np.sqrt({"normal": 2.0, "uniform": 0.8}[kind] / n)
    assert abs(values.mean()) < SIGMAS * deviation / np.sqrt(n)
    assert abs((values**2).mean() - deviation**2) < SIGMAS * spread
    bound = np.sqrt(3) * deviation
    distribution = (
        norm(0, deviation) if kind == "normal" else uniform(-bound, 2 * bound)
    )
    # SciPy 1.18 does not pass the parameters of a distribution that is a string.
    assert kstest(values.ravel(), distribution.cdf).pvalue > 1e-4


# --------------------------------------------------------------- named initializers


def test_all_initializers_have_a_formula():
    assert set(FORMULAS) == set(INITIALIZERS)


@by_init
@ignore_convergence_warning
def test_weights_match_distribution(init):
    rows = np.random.default_rng(0).normal(size=(5, FAN_IN))
    net = fit_frozen(
        y=np.arange(5.0), rows=rows, hidden_layer_sizes=(FAN_OUT,), init=init
    )
    assert_drawn_from(net.coefs_[0], *FORMULAS[init])


@by_init
@ignore_convergence_warning
def test_biases_are_zero_except_for_standard_normal(init):
    net = fit_frozen(hidden_layer_sizes=(5000, 3), init=init)
    if init == "standard_normal":
        assert_drawn_from(net.intercepts_[0], 1.0, "normal")
        assert np.all(net.intercepts_[1] != 0.0)
    else:
        assert_zero(*net.intercepts_)


@by_init
@ESTIMATORS
@ignore_convergence_warning
def test_weights_depend_on_random_state(make, y, init):
    one, same, other = (
        fit_frozen(make, y, init=init, random_state=s) for s in (1, 1, 2)
    )
    assert_same_network(one, same)
    assert np.all(one.coefs_[0] != other.coefs_[0])


@pytest.mark.parametrize("fans", [(7, 7), (9, 4), (4, 9), (1, 5), (5, 1)], ids=str)
def test_orthogonal_weights_are_orthonormal(fans):
    W = INITIALIZERS["orthogonal"]().draw_weights(np.random.RandomState(0), *fans)
    assert W.shape == fans
    gram = W.T @ W if fans[0] >= fans[1] else W @ W.T
    np.testing.assert_allclose(gram, np.eye(min(fans)), atol=1e-14)


@pytest.mark.parametrize("fans", [(3, 3), (3, 2), (2, 3)], ids=str)
def test_orthogonal_weights_are_uniformly_distributed(fans):
    # The columns (or rows) are uniform on the sphere in three dimensions, so each
    # entry is uniform between -1 and 1 and has a variance of 1/3.
    rng, initializer = np.random.RandomState(0), INITIALIZERS["orthogonal"]()
    drawn = np.array([initializer.draw_weights(rng, *fans) for _ in range(2000)])
    for i, j in np.ndindex(fans):
        assert_drawn_from(drawn[:, i, j], np.sqrt(1 / 3), "uniform")


@pytest.mark.parametrize("activation", ["logistic", "tanh", "relu", "identity"])
@pytest.mark.parametrize("sizes", [(6, 5), (4,)], ids=str)
@ignore_convergence_warning
def test_auto_matches_scikit_learn(sizes, activation):
    params = dict(hidden_layer_sizes=sizes, activation=activation, random_state=3)
    for y in (NAMES, NAMES == "low", LABELS):
        reference = MLPClassifier(**params, **FROZEN).fit(X, y)
        net = fit_frozen(BackpropClassifier, y, loss="log_loss", **params)
        assert_same_network(net, reference)
    reference = MLPRegressor(**params, **FROZEN).fit(X, NUMBERS)
    assert_same_network(fit_frozen(**params), reference)


@pytest.mark.parametrize("sizes", [(6, 5), (4,), ()], ids=str)
@ESTIMATORS
@ignore_convergence_warning
def test_standardization_halves_biases_of_first_hidden_layer(make, y, sizes):
    params = dict(hidden_layer_sizes=sizes, random_state=3)
    plain = fit_frozen(make, y, **params)
    net = fit_frozen(make, y, standardize=True, **params)
    for W, expected in zip(net.coefs_, plain.coefs_, strict=True):
        np.testing.assert_array_equal(W, expected)
    factors = [0.5, *[1.0] * len(sizes)] if sizes else [1.0]
    for b, expected, factor in zip(
        net.intercepts_, plain.intercepts_, factors, strict=True
    ):
        np.testing.assert_array_equal(b, factor * expected)


@pytest.mark.parametrize("init", ["auto", *sorted(INITIALIZERS)])
@ESTIMATORS
@ignore_convergence_warning
def test_partial_fits_match_one_fit(make, y, init):
    params = dict(init=init, standardize=False, batch_size=16)
    kwargs = {"classes": [0, 1, 2]} if make is BackpropClassifier else {}
    whole = small(make, max_iter=2, **params).fit(X, y)
    parts = small(make, **params).partial_fit(X, y, **kwargs).partial_fit(X, y)
    assert_same_network(whole, parts)
    single = small(make, init=init, dtype="float32", max_iter=1).fit(X, y)
    assert {W.dtype for W in single.coefs_} == {np.dtype("float32")}


# -------------------------------------------------- output biases from class priors


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
@ignore_convergence_warning
def test_sigmoid_output_biases_are_logits_of_class_priors(kind, weight):
    y = {"binary": NAMES == "low", "multiclass": NAMES, "multilabel": LABELS}[kind]
    indicator = {
        "binary": (NAMES == "low")[:, np.newaxis],
        "multiclass": NAMES[:, np.newaxis] == ["high", "low", "mid"],
        "multilabel": LABELS,
    }[kind]
    prior = np.average(indicator, axis=0, weights=weight)
    net = fit_frozen(BackpropClassifier, y, weight=weight)
    np.testing.assert_allclose(net.intercepts_[-1], logit(prior), rtol=1e-12)
    # All other parameters are the same as with the log-loss.
    plain = fit_frozen(BackpropClassifier, y, weight=weight, loss="log_loss")
    np.testing.assert_array_equal(net.coefs_[-1], plain.coefs_[-1])
    np.testing.assert_array_equal(net.intercepts_[0], plain.intercepts_[0])
    bound = np.sqrt(6 / (100 + plain.n_outputs_))
    assert abs(plain.intercepts_[-1]).max() < bound


@ignore_convergence_warning
def test_class_priors_use_class_weight():
    net = fit_frozen(BackpropClassifier, CODES, class_weight="balanced")
    np.testing.assert_allclose(net.intercepts_[-1], [logit(1 / 3)] * 3, rtol=1e-12)
    net = fit_frozen(BackpropClassifier, CODES, class_weight={0: 0.0, 1: 2.0, 2: 1.0})
    ones, twos = (CODES == 1).sum(), (CODES == 2).sum()
    prior = np.array([0.01, 2 * ones / (2 * ones + twos), twos / (2 * ones + twos)])
    np.testing.assert_allclose(net.intercepts_[-1], logit(prior), rtol=1e-12)


@ignore_convergence_warning
def test_class_priors_are_clipped():
    n_rows = 30_000
    rows = np.random.default_rng(0).normal(size=(n_rows, 2))
    for n_positive, prior in ((1, 1e-4), (6, 2e-4), (n_rows - 1, 0.9999)):
        y = np.arange(n_rows) < n_positive
        (bias,) = fit_frozen(BackpropClassifier, y, rows).intercepts_[-1]
        np.testing.assert_allclose(bias, logit(prior), rtol=1e-12)
    labels = np.column_stack([np.zeros(n_rows, int), np.ones(n_rows, int)])
    biases = fit_frozen(BackpropClassifier, labels, rows).intercepts_[-1]
    np.testing.assert_allclose(biases, logit([0.01, 0.99]), rtol=1e-12)


def test_class_priors_come_from_first_chunk():
    net = BackpropClassifier(**FROZEN)
    net.partial_fit(X[:10], [0] * 7 + [1] * 3, classes=[0, 1, 2])
    expected = logit([0.7, 0.3, 0.01])
    np.testing.assert_allclose(net.intercepts_[-1], expected, rtol=1e-12)
    net.partial_fit(X[:10], [2] * 10)
    np.testing.assert_allclose(net.intercepts_[-1], expected, rtol=1e-12)


@pytest.mark.parametrize(
    "params", [{"output_activation": "tanh"}, {"output_activation": "softmax"}], ids=str
)
@ignore_convergence_warning
def test_other_output_activations_have_random_biases(params):
    net = fit_frozen(BackpropClassifier, CODES, **params)
    plain = fit_frozen(BackpropClassifier, CODES, loss="log_loss")
    assert_same_network(net, plain)


@ignore_convergence_warning
def test_other_initializers_and_regressor_ignore_class_priors():
    zero = fit_frozen(BackpropClassifier, CODES, init="glorot_uniform")
    assert_zero(*zero.intercepts_)
    sigmoid = fit_frozen(y=NUMBERS > 0, output_activation="sigmoid")
    assert_same_network(sigmoid, fit_frozen(y=NUMBERS))


# ------------------------------------------------------------------------ functions


def test_function_is_called_for_each_layer():
    calls = []

    def init(rng, fan_in, fan_out):
        assert isinstance(rng, np.random.RandomState)
        calls.append((fan_in, fan_out))
        return rng.normal(size=(fan_in, fan_out))

    net = small(BackpropClassifier, init=init, **FROZEN).set_params(
        hidden_layer_sizes=(6, 5)
    )
    net.partial_fit(X, CODES, classes=[0, 1, 2])
    assert calls == [(4, 6), (6, 5), (5, 3)]
    rng = np.random.RandomState(net.random_state)
    for W, shape in zip(net.coefs_, calls):
        np.testing.assert_array_equal(W, rng.normal(size=shape))
    assert_zero(*net.intercepts_)
    net.partial_fit(X, CODES)
    assert len(calls) == 3  # continued training does not draw new weights


INVALID_WEIGHTS = {
    "transposed": lambda i, o: np.ones((o, i)),
    "flat": lambda i, o: np.ones(i * o),
    "wider": lambda i, o: np.ones((i, o + 1)),
    "float": lambda i, o: 0.5,
    "None": lambda i, o: None,
    "nan": lambda i, o: np.full((i, o), np.nan),
    "infinite": lambda i, o: np.full((i, o), np.inf),
    "strings": lambda i, o: [["a"] * o] * i,
    "Nones": lambda i, o: [[None] * o] * i,
    "ragged": lambda i, o: [[1.0]] + [[1.0] * o] * (i - 1),
    "complex": lambda i, o: np.full((i, o), 1j),
}


@pytest.mark.parametrize("returned", INVALID_WEIGHTS)
@ESTIMATORS
def test_function_with_invalid_result_is_rejected(make, y, returned):
    net = small(make, init=lambda rng, i, o: INVALID_WEIGHTS[returned](i, o))
    error_of(lambda: net.fit(X, y), "init(rng, fan_in=4, fan_out=8)", "(4, 8)")


def test_unknown_initializers_are_rejected():
    for invalid in ("he", "xavier", 3, None):
        net = regressor(init=invalid)
        error_of(lambda net=net: net.fit(X, NUMBERS), "'init' parameter")
    error_of(
        lambda: regressor(init="he_norma").fit(X, NUMBERS), "Did you mean 'he_norm"
    )


def scaled_down(rng, fan_in, fan_out):
    return rng.normal(size=(fan_in, fan_out)) / 100


def test_grid_search_over_initializers():
    initializers = ["auto", "orthogonal", "he_normal", scaled_down]
    grid = GridSearchCV(regressor(), {"init": initializers}, cv=2).fit(X, NUMBERS)
    scores = grid.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert len(set(scores)) == 4
    best = regressor(init=initializers[scores.argmax()]).fit(X, NUMBERS)
    assert_same_network(grid.best_estimator_, best)


# --------------------------------------------------- coefs_init and intercepts_init

W1 = np.linspace(-1, 1, 32).reshape(4, 8)
W2 = np.linspace(1, -2, 8).reshape(8, 1)
B1, B2 = np.linspace(0.1, 1, 8), np.array([0.7])
INITIAL = {"coefs_init": [W1, W2], "intercepts_init": [B1, B2]}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@ignore_convergence_warning
def test_predictions_with_initial_parameters(dtype):
    net = regressor(standardize=False, dtype=dtype, **FROZEN).fit(X, NUMBERS, **INITIAL)
    expected = np.maximum(X @ W1 + B1, 0) @ W2 + B2
    rtol = 1e-12 if dtype == "float64" else 1e-4
    np.testing.assert_allclose(net.predict(X), expected[:, 0], rtol=rtol)
    assert net.coefs_[0].dtype == dtype


@ignore_convergence_warning
def test_initial_parameters_are_copied_and_may_be_lists():
    copies = {k: [a.copy() for a in arrays] for k, arrays in INITIAL.items()}
    net = regressor(max_iter=2).fit(X, NUMBERS, **copies)
    for name, arrays in copies.items():
        for array, before in zip(arrays, INITIAL[name]):
            np.testing.assert_array_equal(array, before)
    lists = {k: tuple(a.tolist() for a in arrays) for k, arrays in INITIAL.items()}
    assert_same_network(net, regressor(max_iter=2).fit(X, NUMBERS, **lists))


@pytest.mark.parametrize("name", sorted(INITIAL))
@ignore_convergence_warning
def test_initial_weights_or_biases_can_be_omitted(name):
    drawn, given = (
        regressor(**FROZEN).fit(X, NUMBERS, **fit)
        for fit in ({}, {name: INITIAL[name]})
    )
    other = "coefs_" if name == "intercepts_init" else "intercepts_"
    for actual, expected in zip(getattr(given, other), getattr(drawn, other)):
        np.testing.assert_array_equal(actual, expected)
    attribute = name.replace("init", "")
    for actual, expected in zip(getattr(given, attribute), INITIAL[name]):
        np.testing.assert_array_equal(actual, expected)


@ignore_convergence_warning
def test_intercepts_init_overrides_class_priors():
    given = [B1, np.array([0.1, 0.2, 0.3])]
    net = classifier(**FROZEN).fit(X, CODES, intercepts_init=given)
    np.testing.assert_array_equal(net.intercepts_[1], given[1])


@pytest.mark.parametrize(
    "extra", [{}, {"early_stopping": True}, {"dropout": 0.3}], ids=str
)
@ESTIMATORS
@ignore_convergence_warning
def test_initial_parameters_do_not_change_shuffling(make, y, extra):
    params = dict(max_iter=3, batch_size=16, **extra)
    start = small(make, **{**params, **FROZEN}).fit(X, y)
    given = {"coefs_init": start.coefs_, "intercepts_init": start.intercepts_}
    assert_same_network(
        small(make, **params).fit(X, y), small(make, **params).fit(X, y, **given)
    )


@ignore_convergence_warning
def test_warm_start_with_initial_parameters_resets_moments():
    net = regressor(standardize=False, warm_start=True, max_iter=2, batch_size=16)
    net.fit(X, NUMBERS)
    net.set_params(**FROZEN).fit(X, NUMBERS, **INITIAL)
    np.testing.assert_array_equal(net.coefs_[0], W1)
    np.testing.assert_array_equal(net.intercepts_[1], B2)
    assert net._state.n_updates == 6
    assert len(net.loss_curve_) == 3


@ignore_convergence_warning
def test_lbfgs_starts_from_initial_parameters():
    params = dict(solver="lbfgs", tol=1e-12)
    reached = regressor(**params, max_iter=20).fit(X, NUMBERS)
    given = {"coefs_init": reached.coefs_, "intercepts_init": reached.intercepts_}
    again = regressor(**params, max_iter=1, random_state=1)
    elsewhere = again.fit(X, NUMBERS).loss_
    assert again.fit(X, NUMBERS, **given).loss_ <= reached.loss_ < elsewhere


INVALID = {
    "too few": ("coefs_init", [W1]),
    "too many": ("coefs_init", [W1, W2, W2]),
    "empty": ("coefs_init", []),
    "transposed": ("coefs_init", [W1.T, W2]),
    "flat": ("coefs_init", [W1, W2[:, 0]]),
    "None": ("coefs_init", [W1, None]),
    "nan": ("coefs_init", [W1, W2 * np.nan]),
    "infinite": ("coefs_init", [W1, np.full((8, 1), np.inf)]),
    "array": ("coefs_init", W1),
    "int": ("coefs_init", 3),
    "string": ("coefs_init", "zeros"),
    "list of strings": ("coefs_init", [W1, [["a"]] * 8]),
    "ragged": ("coefs_init", [W1, [[1.0], [1.0, 2.0], *[[1.0]] * 6]]),
    "complex": ("coefs_init", [W1, W2 * 1j]),
    "too few biases": ("intercepts_init", [B1]),
    "scalar bias": ("intercepts_init", [B1, 0.7]),
    "2d biases": ("intercepts_init", [B1[:, np.newaxis], B2]),
    "nan biases": ("intercepts_init", [B1, B2 * np.nan]),
    "float biases": ("intercepts_init", 0.0),
}


@pytest.mark.parametrize(("name", "invalid"), INVALID.values(), ids=INVALID)
@ignore_convergence_warning
def test_invalid_initial_parameters_are_rejected(name, invalid):
    net = regressor(max_iter=2, solver="lbfgs", tol=10.0).fit(X, NUMBERS)
    before = [W.copy() for W in net.coefs_]
    error_of(lambda: net.fit(X, NUMBERS, **{name: invalid}), name)
    for W, expected in zip(net.coefs_, before):
        np.testing.assert_array_equal(W, expected)


def test_initial_parameters_out_of_float32_range_are_rejected():
    net = regressor(dtype="float32")
    given = {"coefs_init": [W1, W2 * 1e200]}
    error_of(lambda: net.fit(X, NUMBERS, **given), "coefs_init")
