"""Starting weights: by rule, by a user's function, or given outright."""

import numpy as np
import pytest
from scipy.special import logit
from scipy.stats import kstest
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from small_fits import error_of
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

cut_short = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

STILL = {"learning_rate_init": 1e-300, "max_iter": 1}  # a step that moves nothing
SIGMAS = 5.0  # what chance may do, and hardly ever does
FAN_IN, FAN_OUT = 300, 200

# The deviation of the weights, and the shape of their distribution.
FORMULAS = {
    "he_normal": (np.sqrt(2 / FAN_IN), "normal"),
    "he_uniform": (np.sqrt(2 / FAN_IN), "uniform"),
    "glorot_normal": (np.sqrt(2 / (FAN_IN + FAN_OUT)), "normal"),
    "glorot_uniform": (np.sqrt(2 / (FAN_IN + FAN_OUT)), "uniform"),
    "lecun_normal": (np.sqrt(1 / FAN_IN), "normal"),
    "standard_normal": (1.0, "normal"),
    # Rows of length 1 and columns nearly so: 200 squares of 300 numbers sum to 200.
    "orthogonal": (np.sqrt(1 / FAN_IN), "normal"),
}
by_init = pytest.mark.parametrize("init", sorted(INITIALIZERS))


def start_of(
    make=BackpropRegressor, y=NUMBERS, rows=X, weight=None, fit=None, **params
):
    """Return a network that has been made, and not moved."""
    params = {"standardize": False, "random_state": 0, **params}
    net = make(**params, **STILL)
    return net.fit(rows, y, sample_weight=weight, **(fit or {}))


def assert_zero(*biases):
    # The step that moves nothing else moves a zero a little.
    assert max(abs(b).max() for b in biases) < 1e-290


def assert_drawn_from(values, deviation, kind):
    n = values.size
    # Of the variance of a sample, where the fourth moment is 3 or 9/5 sigma^4.
    spread = deviation**2 * np.sqrt({"normal": 2.0, "uniform": 0.8}[kind] / n)
    assert abs(values.mean()) < SIGMAS * deviation / np.sqrt(n)
    assert abs((values**2).mean() - deviation**2) < SIGMAS * spread
    bound = np.sqrt(3) * deviation
    law = (
        ("norm", (0, deviation))
        if kind == "normal"
        else ("uniform", (-bound, 2 * bound))
    )
    assert kstest(values.ravel(), law[0], args=law[1]).pvalue > 1e-4


# ------------------------------------------------------------------------- by rule


def test_every_rule_is_checked():
    assert set(FORMULAS) == set(INITIALIZERS)


@by_init
@cut_short
def test_weights_have_the_distribution_of_their_formula(init):
    rows = np.random.default_rng(0).normal(size=(5, FAN_IN))
    net = start_of(
        y=np.arange(5.0), rows=rows, hidden_layer_sizes=(FAN_OUT,), init=init
    )
    assert_drawn_from(net.coefs_[0], *FORMULAS[init])


@by_init
@cut_short
def test_biases_are_zero_unless_they_are_drawn_as_well(init):
    net = start_of(hidden_layer_sizes=(5000, 3), init=init)
    if init == "standard_normal":
        assert_drawn_from(net.intercepts_[0], 1.0, "normal")
        assert np.all(net.intercepts_[1] != 0.0)
    else:
        assert_zero(*net.intercepts_)


@by_init
@ESTIMATORS
@cut_short
def test_a_random_state_settles_the_weights(make, y, init):
    one, same, other = (start_of(make, y, init=init, random_state=s) for s in (1, 1, 2))
    assert_same_network(one, same)
    assert np.all(one.coefs_[0] != other.coefs_[0])


@pytest.mark.parametrize("fans", [(7, 7), (9, 4), (4, 9), (1, 5), (5, 1)], ids=str)
def test_orthogonal_is_a_rotation_or_as_much_of_one_as_fits(fans):
    W = INITIALIZERS["orthogonal"]().weights(np.random.RandomState(0), *fans)
    assert W.shape == fans
    gram = W.T @ W if fans[0] >= fans[1] else W @ W.T
    np.testing.assert_allclose(gram, np.eye(min(fans)), atol=1e-14)


@pytest.mark.parametrize("fans", [(3, 3), (3, 2), (2, 3)], ids=str)
def test_no_rotation_is_likelier_than_others(fans):
    # The columns, or rows, are uniform on a sphere in three dimensions, so each
    # entry is uniform between -1 and 1; and a third of a variance is its own.
    rng, rule = np.random.RandomState(0), INITIALIZERS["orthogonal"]()
    drawn = np.array([rule.weights(rng, *fans) for _ in range(2000)])
    for i, j in np.ndindex(fans):
        assert_drawn_from(drawn[:, i, j], np.sqrt(1 / 3), "uniform")


@pytest.mark.parametrize("activation", ["logistic", "tanh", "relu", "identity"])
@pytest.mark.parametrize("sizes", [(6, 5), (4,)], ids=str)
@cut_short
def test_auto_is_what_scikit_learn_starts_from(sizes, activation):
    params = dict(hidden_layer_sizes=sizes, activation=activation, random_state=3)
    for y in (NAMES, NAMES == "low", LABELS):
        theirs = MLPClassifier(**params, **STILL).fit(X, y)
        ours = start_of(BackpropClassifier, y, loss="log_loss", **params)
        assert_same_network(ours, theirs)
    theirs = MLPRegressor(**params, **STILL).fit(X, NUMBERS)
    assert_same_network(start_of(**params), theirs)


@pytest.mark.parametrize("init", ["auto", *sorted(INITIALIZERS)])
@ESTIMATORS
@cut_short
def test_partial_fits_equal_one_fit(make, y, init):
    params = dict(init=init, standardize=False, batch_size=16)
    kwargs = {"classes": [0, 1, 2]} if make is BackpropClassifier else {}
    whole = small(make, max_iter=2, **params).fit(X, y)
    parts = small(make, **params).partial_fit(X, y, **kwargs).partial_fit(X, y)
    assert_same_network(whole, parts)
    single = small(make, init=init, dtype="float32", max_iter=1).fit(X, y)
    assert {W.dtype for W in single.coefs_} == {np.dtype("float32")}


# -------------------------------------------------------------- shares of the classes


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["alike", "weighted"])
@pytest.mark.parametrize("kind", ["two", "several", "labels"])
@cut_short
def test_sigmoids_under_the_quadratic_cost_start_at_the_shares(kind, weight):
    y = {"two": NAMES == "low", "several": NAMES, "labels": LABELS}[kind]
    present = {
        "two": (NAMES == "low")[:, np.newaxis],
        "several": NAMES[:, np.newaxis] == ["high", "low", "mid"],
        "labels": LABELS,
    }[kind]
    share = np.average(present, axis=0, weights=weight)
    net = start_of(BackpropClassifier, y, weight=weight)
    np.testing.assert_allclose(net.intercepts_[-1], logit(share), rtol=1e-12)
    # Nothing else is other than under log-loss.
    plain = start_of(BackpropClassifier, y, weight=weight, loss="log_loss")
    np.testing.assert_array_equal(net.coefs_[-1], plain.coefs_[-1])
    np.testing.assert_array_equal(net.intercepts_[0], plain.intercepts_[0])
    bound = np.sqrt(6 / (100 + plain.n_outputs_))
    assert abs(plain.intercepts_[-1]).max() < bound


@cut_short
def test_shares_are_those_of_weighted_classes():
    net = start_of(BackpropClassifier, CODES, class_weight="balanced")
    np.testing.assert_allclose(net.intercepts_[-1], [logit(1 / 3)] * 3, rtol=1e-12)
    net = start_of(BackpropClassifier, CODES, class_weight={0: 0.0, 1: 2.0, 2: 1.0})
    ones, twos = (CODES == 1).sum(), (CODES == 2).sum()
    share = np.array([0.01, 2 * ones / (2 * ones + twos), twos / (2 * ones + twos)])
    np.testing.assert_allclose(net.intercepts_[-1], logit(share), rtol=1e-12)


@cut_short
def test_shares_near_zero_and_one_are_cut_off():
    rows = np.random.default_rng(0).normal(size=(1000, 2))
    for n_positive, share in ((1, 0.01), (9, 0.01), (11, 0.011), (999, 0.99)):
        y = np.arange(1000) < n_positive
        (bias,) = start_of(BackpropClassifier, y, rows).intercepts_[-1]
        np.testing.assert_allclose(bias, logit(share), rtol=1e-12)
    labels = np.column_stack([np.zeros(1000, int), np.ones(1000, int)])
    biases = start_of(BackpropClassifier, labels, rows).intercepts_[-1]
    np.testing.assert_allclose(biases, logit([0.01, 0.99]), rtol=1e-12)


def test_shares_are_those_of_the_first_chunk():
    net = BackpropClassifier(**STILL)
    net.partial_fit(X[:10], [0] * 7 + [1] * 3, classes=[0, 1, 2])
    expected = logit([0.7, 0.3, 0.01])
    np.testing.assert_allclose(net.intercepts_[-1], expected, rtol=1e-12)
    net.partial_fit(X[:10], [2] * 10)
    np.testing.assert_allclose(net.intercepts_[-1], expected, rtol=1e-12)


@pytest.mark.parametrize(
    "params", [{"output_activation": "tanh"}, {"output_activation": "softmax"}], ids=str
)
@cut_short
def test_other_outputs_start_as_they_are_drawn(params):
    net = start_of(BackpropClassifier, CODES, **params)
    plain = start_of(BackpropClassifier, CODES, loss="log_loss")
    assert_same_network(net, plain)


@cut_short
def test_other_rules_and_the_regressor_know_of_no_shares():
    zero = start_of(BackpropClassifier, CODES, init="glorot_uniform")
    assert_zero(*zero.intercepts_)
    sigmoid = start_of(y=NUMBERS > 0, output_activation="sigmoid")
    assert_same_network(sigmoid, start_of(y=NUMBERS))


# ------------------------------------------------------------------- by a function


def test_a_function_is_asked_for_every_layer():
    asked = []

    def init(rng, fan_in, fan_out):
        assert isinstance(rng, np.random.RandomState)
        asked.append((fan_in, fan_out))
        return rng.normal(size=(fan_in, fan_out))

    net = small(BackpropClassifier, init=init, **STILL).set_params(
        hidden_layer_sizes=(6, 5)
    )
    net.partial_fit(X, CODES, classes=[0, 1, 2])
    assert asked == [(4, 6), (6, 5), (5, 3)]
    rng = np.random.RandomState(net.random_state)
    for W, shape in zip(net.coefs_, asked):
        np.testing.assert_array_equal(W, rng.normal(size=shape))
    assert_zero(*net.intercepts_)
    net.partial_fit(X, CODES)
    assert len(asked) == 3  # not again when carrying on


NO_WEIGHTS = {
    "transposed": lambda i, o: np.ones((o, i)),
    "flat": lambda i, o: np.ones(i * o),
    "wider": lambda i, o: np.ones((i, o + 1)),
    "a number": lambda i, o: 0.5,
    "None": lambda i, o: None,
    "nan": lambda i, o: np.full((i, o), np.nan),
    "infinite": lambda i, o: np.full((i, o), np.inf),
    "words": lambda i, o: [["a"] * o] * i,
    "Nones": lambda i, o: [[None] * o] * i,
    "ragged": lambda i, o: [[1.0]] + [[1.0] * o] * (i - 1),
    "complex": lambda i, o: np.full((i, o), 1j),
}


@pytest.mark.parametrize("returned", NO_WEIGHTS)
@ESTIMATORS
def test_a_function_that_returns_no_weights_is_refused(make, y, returned):
    net = small(make, init=lambda rng, i, o: NO_WEIGHTS[returned](i, o))
    error_of(lambda: net.fit(X, y), "init(rng, fan_in=4, fan_out=8)", "(4, 8)")


def test_unknown_rules_are_refused():
    for wrong in ("he", "xavier", 3, None):
        net = regressor(init=wrong)
        error_of(lambda net=net: net.fit(X, NUMBERS), "'init' parameter")
    error_of(
        lambda: regressor(init="he_norma").fit(X, NUMBERS), "Did you mean 'he_norm"
    )


def scaled_down(rng, fan_in, fan_out):
    return rng.normal(size=(fan_in, fan_out)) / 100


def test_a_grid_of_rules():
    rules = ["auto", "orthogonal", "he_normal", scaled_down]
    grid = GridSearchCV(regressor(), {"init": rules}, cv=2).fit(X, NUMBERS)
    scores = grid.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert len(set(scores)) == 4
    best = regressor(init=rules[scores.argmax()]).fit(X, NUMBERS)
    assert_same_network(grid.best_estimator_, best)


# ------------------------------------------------------------------- given outright

W1 = np.linspace(-1, 1, 32).reshape(4, 8)
W2 = np.linspace(1, -2, 8).reshape(8, 1)
B1, B2 = np.linspace(0.1, 1, 8), np.array([0.7])
GIVEN = {"coefs_init": [W1, W2], "intercepts_init": [B1, B2]}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@cut_short
def test_predictions_of_a_network_that_was_given(dtype):
    net = regressor(standardize=False, dtype=dtype, **STILL).fit(X, NUMBERS, **GIVEN)
    expected = np.maximum(X @ W1 + B1, 0) @ W2 + B2
    rtol = 1e-12 if dtype == "float64" else 1e-4
    np.testing.assert_allclose(net.predict(X), expected[:, 0], rtol=rtol)
    assert net.coefs_[0].dtype == dtype


@cut_short
def test_what_is_given_is_copied_and_may_be_lists():
    mine = {k: [a.copy() for a in arrays] for k, arrays in GIVEN.items()}
    net = regressor(max_iter=2).fit(X, NUMBERS, **mine)
    for name, arrays in mine.items():
        for array, before in zip(arrays, GIVEN[name]):
            np.testing.assert_array_equal(array, before)
    lists = {k: tuple(a.tolist() for a in arrays) for k, arrays in GIVEN.items()}
    assert_same_network(net, regressor(max_iter=2).fit(X, NUMBERS, **lists))


@pytest.mark.parametrize("name", sorted(GIVEN))
@cut_short
def test_one_of_both_leaves_the_other_as_it_is_drawn(name):
    drawn, given = (
        regressor(**STILL).fit(X, NUMBERS, **fit) for fit in ({}, {name: GIVEN[name]})
    )
    other = "coefs_" if name == "intercepts_init" else "intercepts_"
    for mine, theirs in zip(getattr(given, other), getattr(drawn, other)):
        np.testing.assert_array_equal(mine, theirs)
    attribute = name.replace("init", "")
    for mine, wanted in zip(getattr(given, attribute), GIVEN[name]):
        np.testing.assert_array_equal(mine, wanted)


@cut_short
def test_biases_that_are_given_come_before_the_shares():
    given = [B1, np.array([0.1, 0.2, 0.3])]
    net = classifier(**STILL).fit(X, CODES, intercepts_init=given)
    np.testing.assert_array_equal(net.intercepts_[1], given[1])


@pytest.mark.parametrize(
    "extra", [{}, {"early_stopping": True}, {"dropout": 0.3}], ids=str
)
@ESTIMATORS
@cut_short
def test_what_is_given_does_not_change_the_shuffles(make, y, extra):
    params = dict(max_iter=3, batch_size=16, **extra)
    start = small(make, **{**params, **STILL}).fit(X, y)
    given = {"coefs_init": start.coefs_, "intercepts_init": start.intercepts_}
    assert_same_network(
        small(make, **params).fit(X, y), small(make, **params).fit(X, y, **given)
    )


@cut_short
def test_a_warm_start_sets_the_weights_and_forgets_the_moments_of_others():
    net = regressor(standardize=False, warm_start=True, max_iter=2, batch_size=16)
    net.fit(X, NUMBERS)
    net.set_params(**STILL).fit(X, NUMBERS, **GIVEN)
    np.testing.assert_array_equal(net.coefs_[0], W1)
    np.testing.assert_array_equal(net.intercepts_[1], B2)
    assert net._state.n_updates == 6
    assert len(net.loss_curve_) == 3


@cut_short
def test_lbfgs_starts_where_it_is_told():
    params = dict(solver="lbfgs", tol=1e-12)
    reached = regressor(**params, max_iter=20).fit(X, NUMBERS)
    given = {"coefs_init": reached.coefs_, "intercepts_init": reached.intercepts_}
    again = regressor(**params, max_iter=1, random_state=1)
    elsewhere = again.fit(X, NUMBERS).loss_
    assert again.fit(X, NUMBERS, **given).loss_ <= reached.loss_ < elsewhere


WRONG = {
    "too few": ("coefs_init", [W1]),
    "too many": ("coefs_init", [W1, W2, W2]),
    "none": ("coefs_init", []),
    "transposed": ("coefs_init", [W1.T, W2]),
    "flat": ("coefs_init", [W1, W2[:, 0]]),
    "None": ("coefs_init", [W1, None]),
    "nan": ("coefs_init", [W1, W2 * np.nan]),
    "infinite": ("coefs_init", [W1, np.full((8, 1), np.inf)]),
    "an array": ("coefs_init", W1),
    "a number": ("coefs_init", 3),
    "a word": ("coefs_init", "zeros"),
    "words": ("coefs_init", [W1, [["a"]] * 8]),
    "ragged": ("coefs_init", [W1, [[1.0], [1.0, 2.0], *[[1.0]] * 6]]),
    "complex": ("coefs_init", [W1, W2 * 1j]),
    "too few biases": ("intercepts_init", [B1]),
    "no array of biases": ("intercepts_init", [B1, 0.7]),
    "a column of biases": ("intercepts_init", [B1[:, np.newaxis], B2]),
    "biases of nan": ("intercepts_init", [B1, B2 * np.nan]),
    "a number for biases": ("intercepts_init", 0.0),
}


@pytest.mark.parametrize(("name", "wrong"), WRONG.values(), ids=WRONG)
def test_what_does_not_fit_is_refused_by_name(name, wrong):
    net = regressor(max_iter=2, solver="lbfgs", tol=10.0).fit(X, NUMBERS)
    before = [W.copy() for W in net.coefs_]
    error_of(lambda: net.fit(X, NUMBERS, **{name: wrong}), name)
    for W, was in zip(net.coefs_, before):
        np.testing.assert_array_equal(W, was)


def test_numbers_beyond_the_precision_are_refused_by_name():
    net = regressor(dtype="float32")
    given = {"coefs_init": [W1, W2 * 1e200]}
    error_of(lambda: net.fit(X, NUMBERS, **given), "coefs_init")
