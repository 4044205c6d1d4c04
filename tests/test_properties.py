"""Properties of the estimators for random data and parameters, with Hypothesis."""

import warnings
from functools import partial
from itertools import pairwise

import example_counts
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, reject
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop.core.activations import ACTIVATIONS, OUTPUT_ACTIVATIONS
from skbackprop.core.losses import LOSSES
from skbackprop.core.optimizers import OPTIMIZERS
from skbackprop.core.piecewise import EXTRAPOLATION_BOUND
from skbackprop.core.schedules import SCHEDULES

CLASSIFICATION = ("binary", "multiclass", "multilabel")
REGRESSION = ("single", "several", "counts")
DTYPES = ("float32", "float64", "float16", "int64", "int8", "uint8", "bool")
LAYOUTS = ("C", "F", "strided", "reversed", "read-only", "csr", "csc", "coo")


examples = partial(
    example_counts.examples,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


# ------------------------------------------------------------------------ data


def with_layout(X, layout):
    """Return the same values in another memory layout or sparse format."""
    if layout in ("csr", "csc", "coo"):
        return getattr(sp, f"{layout}_array")(X)
    if layout == "strided":
        wide = np.zeros((2 * X.shape[0], 3 * X.shape[1]), X.dtype)
        wide[::2, ::3] = X
        return wide[::2, ::3]
    if layout == "reversed":
        return X[::-1, ::-1].copy()[::-1, ::-1]
    X = np.array(X, order="F" if layout == "F" else "C")
    X.setflags(write=layout != "read-only")
    return X


def draw_values(rng, shape, dtype, scale):
    values = rng.normal(size=shape) * np.where(rng.random(shape) < 0.3, 0.0, 1.0)
    if dtype == "float16":
        scale = min(scale, 1e3)
    if dtype.startswith("float"):
        return (scale * values).astype(dtype)
    if dtype == "bool":
        return values > 0
    low = 0 if dtype == "uint8" else -100
    return np.clip(40 * values, low, 100).astype(dtype)


def draw_targets(rng, task, n_samples):
    signal = rng.normal(size=(n_samples, 3))
    return {
        "binary": lambda: np.array(["no", "yes"])[rng.permutation(n_samples) % 2],
        "multiclass": lambda: np.array([3, 5, 9, 11])[rng.permutation(n_samples) % 4],
        "multilabel": lambda: (signal > 0).astype(int),
        "single": lambda: signal[:, 0],
        "several": lambda: signal,
        "counts": lambda: rng.poisson(2.0, n_samples).astype(float),
    }[task]()


@st.composite
def data(draw, tasks=CLASSIFICATION + REGRESSION, scales=(1.0,)):
    """Draw a task, inputs of any dtype and layout, and targets."""
    task = draw(st.sampled_from(tasks))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.integers(16, 50)), draw(st.integers(1, 6))
    scale, dtype = draw(st.sampled_from(scales)), draw(st.sampled_from(DTYPES))
    layout = draw(st.sampled_from(LAYOUTS))
    if dtype == "float16" and layout in ("csr", "csc", "coo"):
        dtype = "float32"  # SciPy has no sparse matrices of float16
    X = with_layout(draw_values(rng, shape, dtype, scale), layout)
    return task, X, draw_targets(rng, task, shape[0])


# ------------------------------------------------------------------ parameters


def losses_of(task):
    if task in CLASSIFICATION:
        return [name for name, loss in LOSSES.items() if "classification" in loss.tasks]
    names = [name for name, loss in LOSSES.items() if "regression" in loss.tasks]
    return names if task == "counts" else sorted(set(names) - {"poisson"})


def output_activations_of(task, loss):
    """Return the names of output activations that the loss supports."""
    several = task in ("multiclass", "several")
    if loss == "log_loss":
        return ["auto", "sigmoid", *(["softmax"] if several else [])]
    if loss == "poisson":
        return ["auto", "softplus", "sigmoid"]
    # The exponential function overflows easily, and is intended for counts.
    names = set(OUTPUT_ACTIVATIONS) - {"exp", "softmax"}
    return ["auto", *sorted(names), *(["softmax"] if several else [])]


@st.composite
def estimators(draw, task, solvers=("lbfgs", *OPTIMIZERS), rates=(0.001, 0.01)):
    """Draw an estimator for the task, with compatible parameters."""
    sizes = tuple(draw(st.lists(st.integers(1, 6), max_size=3)))
    activation = st.sampled_from(sorted(ACTIVATIONS))
    loss = draw(st.sampled_from(losses_of(task)))
    solver = draw(st.sampled_from(solvers))
    params = {
        "hidden_layer_sizes": sizes,
        "activation": draw(activation | st.tuples(*[activation] * len(sizes))),
        "output_activation": draw(st.sampled_from(output_activations_of(task, loss))),
        "loss": loss,
        "standardize": draw(st.booleans()),
        "solver": solver,
        "alpha": draw(st.sampled_from([0.0, 1e-4, 0.1])),
        "batch_size": draw(st.sampled_from(["auto", 1, 7, 12])),
        "learning_rate_init": draw(st.sampled_from(rates)),
        "shuffle": draw(st.booleans()),
        "momentum": draw(st.sampled_from([0.0, 0.5, 0.9])),
        "nesterovs_momentum": draw(st.booleans()),
        "early_stopping": draw(st.booleans()),
        "validation_fraction": 0.25,
        "max_iter": draw(st.integers(1, 6)),
        "random_state": draw(st.integers(0, 1000)),
    }
    if solver != "lbfgs":
        params["learning_rate"] = draw(st.sampled_from(sorted(SCHEDULES)))
        params["clip_norm"] = draw(st.sampled_from([None, 0.1, 10.0]))
    if task in CLASSIFICATION:
        return BackpropClassifier(**params)
    return BackpropRegressor(quantile=draw(st.sampled_from([0.1, 0.5])), **params)


@st.composite
def problems(draw, tasks=CLASSIFICATION + REGRESSION, **kwargs):
    """Draw an estimator, inputs and targets."""
    task, X, y = draw(data(tasks))
    estimator = draw(estimators(task, **kwargs))
    if not sp.issparse(X):
        estimator.n_bins = draw(st.sampled_from([None, 2, 5]))
    return estimator, X, to_output_range(estimator, y)


def to_output_range(estimator, y):
    """Return targets that the output activation of a regressor can predict."""
    name = estimator.output_activation
    if isinstance(estimator, BackpropClassifier) or name == "auto":
        return y
    low, high = OUTPUT_ACTIVATIONS[name]().output_range
    y = np.abs(y) if low > -np.inf else y
    return y / max(1.0, np.abs(y).max()) if high < np.inf else y


def fit(estimator, X, y, sample_weight=None):
    """Fit for a few epochs; reject the example if training diverges."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            return estimator.fit(X, y, sample_weight=sample_weight)
        except ValueError as error:
            if "diverged" not in str(error):
                raise
            reject()


def assert_same_network(one, other):
    for name in ("coefs_", "intercepts_"):
        pairs = zip(getattr(one, name), getattr(other, name), strict=True)
        for actual, expected in pairs:
            np.testing.assert_array_equal(actual, expected)
    assert one.loss_curve_ == other.loss_curve_


def rounding_scale(estimator, X):
    """Return a bound of the sums in a prediction, and so of their rounding errors."""
    a = np.abs(dense(X)).astype(np.float64)
    if estimator.standardize:
        a[...] = estimator._state.network.inputs.high
    n_components = len(estimator.coefs_[0]) - a.shape[1]
    a = np.pad(a, [(0, 0), (0, n_components)], constant_values=EXTRAPOLATION_BOUND)
    for W, b in zip(estimator.coefs_, estimator.intercepts_, strict=True):
        a = a @ np.abs(W) + np.abs(b)
    scalers = estimator._reader.scalers
    a = a * scalers.output_scale + np.abs(scalers.output_shift)
    return max(1.0, a.max())


def assert_close(one, other, estimator, X):
    """Check that outputs are equal up to rounding errors."""
    tolerance = 10 * np.finfo(other.dtype).eps * rounding_scale(estimator, X)
    np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


def precision(X):
    return X.dtype if X.dtype == np.float32 else np.dtype(np.float64)


def dense(X):
    return X.toarray() if sp.issparse(X) else np.array(X, order="C")


def rows_of(X, rows):
    return X.tocsr()[rows] if sp.issparse(X) else X[rows]


def real_outputs(estimator, X):
    if isinstance(estimator, BackpropClassifier):
        return estimator.predict_proba(X)
    return estimator.predict(X)


# ------------------------------------------------------------------ properties


@examples(150)
@given(st.data())
def test_weights_are_finite_or_fit_raises(draws):
    task, X, y = draws.draw(data(scales=(1.0, 1e3, 1e30)))
    estimator = draws.draw(estimators(task, rates=(0.01, 1.0, 1e3, 1e9)))
    if task in REGRESSION:
        y = to_output_range(estimator, y * draws.draw(st.sampled_from([1.0, 1e6])))
    message = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            estimator.fit(X, y)
        except ValueError as error:
            message = str(error)
    if message is not None:
        assert not hasattr(estimator, "coefs_")
        if estimator.standardize and "Training diverged" not in message:
            assert "too large to be standardized" in message
            return
        assert "Training diverged" in message
        can_clip = estimator.solver != "lbfgs" and estimator.clip_norm is None
        assert ("clip_norm" in message) == can_clip
        return
    assert np.isfinite(estimator.loss_curve_).all()
    for array in (*estimator.coefs_, *estimator.intercepts_):
        assert np.isfinite(array).all()


@examples(120)
@given(problems())
def test_shapes_and_dtypes_depend_on_data(problem):
    estimator, X, y = problem
    estimator = fit(estimator, X, y)
    dtype = precision(X)
    n_outputs = estimator.n_outputs_
    n_inputs = len(estimator.coefs_[0])
    n_components = n_inputs - X.shape[1]
    assert 0 <= n_components <= X.shape[1] * (estimator.n_bins or 0)
    sizes = (n_inputs, *estimator.hidden_layer_sizes, n_outputs)
    assert [W.shape for W in estimator.coefs_] == list(pairwise(sizes))
    assert [b.shape for b in estimator.intercepts_] == [(n,) for n in sizes[1:]]
    assert {a.dtype for a in (*estimator.coefs_, *estimator.intercepts_)} == {dtype}

    predicted = estimator.predict(X)
    assert predicted.shape == y.shape
    if isinstance(estimator, BackpropRegressor):
        assert predicted.dtype == dtype
        return
    assert predicted.dtype == (int if y.ndim == 2 else estimator.classes_.dtype)
    for method in (estimator.predict_proba, estimator.predict_log_proba):
        assert method(X).shape == (len(y), len(estimator.classes_))
        assert method(X).dtype == dtype


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@examples(30)
@given(problems(REGRESSION + CLASSIFICATION))
def test_output_dtype_is_dtype_of_fit(dtype, problem):
    estimator, X, y = problem
    X = dense(X).astype(dtype)
    estimator = fit(estimator, X, y)
    expected = real_outputs(estimator, X)
    for other in (np.float32, np.float64):
        assert real_outputs(estimator, X.astype(other)).dtype == dtype
    in_double = real_outputs(estimator, X.astype(np.float64))
    if estimator.standardize:  # centering also uses double precision
        assert_close(in_double, expected, estimator, X)
    else:
        np.testing.assert_array_equal(in_double, expected)


@examples(120)
@given(problems(CLASSIFICATION))
def test_probabilities_are_between_0_and_1_and_sum_to_one(problem):
    estimator, X, y = problem
    estimator = fit(estimator, X, y)
    probabilities = estimator.predict_proba(X)
    assert (probabilities > 0).all()
    assert (probabilities < 1).all()
    assert np.isfinite(estimator.predict_log_proba(X)).all()
    if y.ndim == 1:
        tolerance = 10 * np.finfo(probabilities.dtype).eps
        np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=tolerance)


@examples(120)
@given(problems(CLASSIFICATION))
def test_predictions_are_most_probable_classes(problem):
    estimator, X, y = problem
    estimator = fit(estimator, X, y)
    probabilities, predicted = estimator.predict_proba(X), estimator.predict(X)
    if y.ndim == 2:
        np.testing.assert_array_equal(predicted, probabilities > 0.5)
        return
    codes = np.searchsorted(estimator.classes_, predicted)
    # If several classes have the largest probability, each of them is correct.
    np.testing.assert_array_equal(
        probabilities[np.arange(len(y)), codes], probabilities.max(axis=1)
    )


@examples(80)
@given(problems(), st.data())
def test_prediction_of_sample_does_not_depend_on_other_rows(problem, draws):
    estimator, X, y = problem
    estimator = fit(estimator, X, y)
    rows = draws.draw(st.lists(st.integers(0, len(y) - 1), min_size=1, max_size=30))
    everything = real_outputs(estimator, X)
    some = real_outputs(estimator, rows_of(X, rows))
    assert_close(some, everything[rows], estimator, X)


@examples(80)
@given(problems())
def test_same_seed_gives_same_network(problem):
    estimator, X, y = problem
    estimator = fit(estimator, X, y)
    again = fit(clone(estimator), X, y)
    assert_same_network(again, estimator)
    assert_same_network(fit(estimator, X, y), again)
    np.testing.assert_array_equal(again.predict(X), estimator.predict(X))


@examples(80)
@given(problems(), st.sampled_from(["C", "F", "strided", "reversed", "read-only"]))
def test_memory_layout_does_not_affect_results(problem, layout):
    estimator, X, y = problem
    X = dense(X)
    plain = fit(clone(estimator), X, y)
    moved = fit(estimator, with_layout(X, layout), y)
    assert_same_network(moved, plain)
    # `predict` does not copy X, so the order of summation in BLAS may differ.
    expected = real_outputs(plain, X)
    assert_close(real_outputs(moved, with_layout(X, layout)), expected, plain, X)


@examples(80)
@given(problems(solvers=tuple(OPTIMIZERS)), st.sampled_from(["csr", "csc", "coo"]))
def test_sparse_and_dense_input_give_equal_results(problem, layout):
    estimator, X, y = problem
    # Only dense input would be centered, or has bins.
    estimator.set_params(standardize=False, n_bins=None)
    X = dense(X).astype(np.float64) / 100
    from_dense = fit(clone(estimator), X, y)
    from_sparse = fit(estimator, with_layout(X, layout), y)
    np.testing.assert_allclose(
        from_sparse.loss_curve_, from_dense.loss_curve_, rtol=1e-6
    )
    assert from_sparse.predict(with_layout(X, layout)).shape == y.shape


@examples(60)
@given(problems(solvers=tuple(OPTIMIZERS)), st.sampled_from([1.0, 2.0, 0.25]))
def test_constant_sample_weights_have_no_effect(problem, weight):
    # The weights are powers of two, so division by their mean is exact.
    estimator, X, y = problem
    estimator.set_params(alpha=0.0, early_stopping=False, n_iter_no_change=1000)
    estimator.set_params(standardize=False)  # weighted means differ by rounding
    plain = fit(clone(estimator), X, y)
    weighted = fit(estimator, X, y, np.full(len(y), weight))
    for actual, expected in zip(weighted.coefs_, plain.coefs_, strict=True):
        np.testing.assert_array_equal(actual, expected)
    np.testing.assert_allclose(
        weighted.loss_curve_, plain.loss_curve_, rtol=100 * np.finfo(precision(X)).eps
    )


@examples(60)
@given(problems(("binary", "multiclass")), st.data())
def test_class_labels_do_not_affect_training(problem, draws):
    estimator, X, y = problem
    classes, codes = np.unique(y, return_inverse=True)
    kinds = [st.integers(-1000, 1000), st.text("abcxyz", min_size=1, max_size=4)]
    new = draws.draw(
        st.one_of(
            *(
                st.lists(
                    kind, min_size=len(classes), max_size=len(classes), unique=True
                )
                for kind in kinds
            )
        )
    )
    new = np.sort(new)
    original = fit(clone(estimator), X, y)
    renamed = fit(estimator, X, new[codes])
    assert_same_network(renamed, original)
    np.testing.assert_array_equal(renamed.predict_proba(X), original.predict_proba(X))
    np.testing.assert_array_equal(
        renamed.predict(X), new[np.searchsorted(classes, original.predict(X))]
    )


@examples(40)
@given(
    data(("multiclass",)),
    st.permutations(range(4)),
    st.sampled_from(["squared_error", "log_loss"]),
)
def test_permuted_classes_permute_probabilities(drawn, order, loss):
    _, X, y = drawn
    X = dense(X).astype(np.float64) / 100
    codes = np.searchsorted(np.unique(y), y)
    order = np.array(order)
    one, other = (
        BackpropClassifier(
            (5,), loss=loss, solver="sgd", momentum=0.0, shuffle=False, random_state=0
        ).partial_fit(X, labels, classes=range(4))
        for labels in (codes, order[codes])
    )
    # Start with equal weights: class c of `one` is class order[c] of `other`.
    for source, target in zip(
        (*one.coefs_[:-1], *one.intercepts_[:-1]),
        (*other.coefs_[:-1], *other.intercepts_[:-1]),
        strict=True,
    ):
        target[...] = source
    other.coefs_[-1][:, order] = one.coefs_[-1]
    other.intercepts_[-1][order] = one.intercepts_[-1]
    for _ in range(3):
        one.partial_fit(X, codes)
        other.partial_fit(X, order[codes])
    np.testing.assert_allclose(
        other.predict_proba(X)[:, order], one.predict_proba(X), rtol=1e-9
    )


@pytest.mark.parametrize("learning_rate", SCHEDULES)
@pytest.mark.parametrize("solver", OPTIMIZERS)
@examples(15)
@given(st.data(), st.integers(1, 6), st.integers(1, 60))
def test_k_partial_fits_equal_one_fit_of_k_epochs(
    solver, learning_rate, draws, k, batch_size
):
    estimator, X, y = draws.draw(problems(solvers=(solver,)))
    estimator.set_params(
        learning_rate=learning_rate,
        batch_size=min(batch_size, len(y)),
        early_stopping=False,
        max_iter=k,
        tol=0.0,
        n_iter_no_change=1000,
        standardize=False,  # updates of the means would differ by rounding
    )
    weight = draws.draw(st.sampled_from([None, 1.0 + np.arange(len(y)) % 3]))
    at_once = fit(clone(estimator), X, y, weight)
    kwargs = {}
    if isinstance(estimator, BackpropClassifier):
        kwargs["classes"] = at_once.classes_
    for _ in range(k):
        estimator.partial_fit(X, y, sample_weight=weight, **kwargs)
    assert_same_network(estimator, at_once)
    assert (
        (estimator.n_iter_, estimator.t_)
        == (at_once.n_iter_, at_once.t_)
        == (
            k,
            k * len(y),
        )
    )
    np.testing.assert_array_equal(real_outputs(estimator, X), real_outputs(at_once, X))
    learning_rates = [
        fitted.history_["learning_rate"] for fitted in (estimator, at_once)
    ]
    np.testing.assert_array_equal(*learning_rates)


@examples(40)
@given(problems(solvers=tuple(OPTIMIZERS)), st.integers(1, 3), st.integers(1, 3))
def test_warm_starts_equal_one_long_fit(problem, first, second):
    estimator, X, y = problem
    estimator.set_params(
        early_stopping=False, learning_rate="constant", tol=0.0, n_iter_no_change=1000
    )
    # Updates of the means would round, and each fit would shuffle the original order.
    estimator.set_params(standardize=False, shuffle=False)
    at_once = fit(clone(estimator).set_params(max_iter=first + second), X, y)
    estimator.set_params(warm_start=True)
    fit(estimator.set_params(max_iter=first), X, y)
    fit(estimator.set_params(max_iter=second), X, y)
    assert_same_network(estimator, at_once)
    assert estimator.n_iter_ == second
