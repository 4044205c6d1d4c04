"""Errors for invalid inputs, targets and sample weights."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
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

from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop.core.optimizers import OPTIMIZERS


def three_class_classifier():
    return classifier(hidden_layer_sizes=(5,)).partial_fit(
        X, THREE_CLASSES, classes=[0, 1, 2]
    )


# ------------------------------------------------------------------------ data


def test_classifier_rejects_continuous_targets():
    error_of(lambda: classifier().fit(X, NUMBERS), "continuous")
    error_of(lambda: classifier().partial_fit(X, NUMBERS, classes=[0, 1]), "continuous")


def test_multiclass_multioutput_targets_raise():
    y = np.column_stack([THREE_CLASSES, THREE_CLASSES])
    error_of(lambda: classifier().fit(X, y), "Multioutput", "MultiOutputClassifier")
    error_of(lambda: classifier().partial_fit(X, y, classes=[0, 1, 2]), "Multioutput")


@ignore_convergence_warning
def test_partial_fit_accepts_chunk_with_single_class():
    fitted = classifier().partial_fit(X, np.zeros(40, int), classes=[0, 1, 2])
    assert fitted.predict_proba(X).shape == (40, 3)


def test_first_partial_fit_requires_classes():
    error_of(
        lambda: classifier().partial_fit(X, THREE_CLASSES),
        "classes",
        "first call",
        "partial_fit",
    )


def test_first_partial_fit_rejects_undeclared_labels():
    unfitted = classifier()
    error_of(
        lambda: unfitted.partial_fit(X, THREE_CLASSES, classes=[0, 1]),
        "`y` has classes not in",
        "[0 1]",
        "[0 1 2]",
    )
    assert not hasattr(unfitted, "classes_")


@pytest.mark.parametrize(
    "y",
    [THREE_CLASSES + 1, THREE_CLASSES.astype(str), np.full(40, 9)],
    ids=["ints", "strings", "nine"],
)
def test_later_partial_fit_rejects_unknown_labels(y):
    error_of(
        lambda: three_class_classifier().partial_fit(X, y),
        "`y` has classes not in",
        "[0 1 2]",
    )


def test_later_partial_fit_rejects_different_classes():
    error_of(
        lambda: three_class_classifier().partial_fit(
            X, THREE_CLASSES, classes=[0, 1, 3]
        ),
        "classes=[0, 1, 3]",
        "last call to partial_fit",
    )


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (THREE_CLASSES, LABELS),
        (LABELS, THREE_CLASSES),
        (LABELS, LABELS[:, :2]),
        (LABELS[:, :2], TWO_CLASSES),
        (TWO_CLASSES, LABELS[:, :2]),
    ],
    ids=["labels", "classes", "fewer", "two classes", "two labels"],
)
@pytest.mark.parametrize("method", ["partial_fit", "fit"])
@ignore_convergence_warning
def test_continued_training_rejects_different_kind_of_labels(first, then, method):
    estimator = classifier(warm_start=True).fit(X, first)
    error_of(lambda: getattr(estimator, method)(X, then), "y")
    assert estimator.predict(X).shape == first.shape


@pytest.mark.parametrize("classes", [[0], [0, 1], [0, 1, 2, 3], ["a", "b", "c"]])
def test_classes_must_match_columns_of_label_indicator(classes):
    error_of(
        lambda: classifier().partial_fit(X, LABELS, classes=classes), "classes", "3"
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", [np.float64, np.float32, csr_matrix, pd.DataFrame])
@ignore_convergence_warning
@ESTIMATORS
def test_fit_rejects_nan_and_infinity_in_input(make, y, kind, bad):
    dtype = kind if kind is np.float32 else np.float64
    wrong = X.astype(dtype)
    wrong[3, 2] = bad
    if kind is csr_matrix:
        wrong = csr_matrix(wrong)
    elif kind is pd.DataFrame:
        wrong = pd.DataFrame(wrong, columns=list("abcd"))
    if kind is not csr_matrix and np.isnan(bad):
        # Missing values of dense data are imputed.
        fitted = make(max_iter=1).fit(wrong, y)
        assert np.isfinite(fitted.loss_)
        assert fitted.predict(wrong).shape == y.shape
        return
    what = "NaN" if np.isnan(bad) else "infinity"
    error_of(lambda: make().fit(wrong, y), "Input X contains", what)


@ignore_convergence_warning
@ESTIMATORS
def test_predict_rejects_nan_in_sparse_input(make, y):
    fitted = make(max_iter=1).fit(csr_matrix(X), y)
    wrong = csr_matrix(np.full((1, 4), np.nan))
    error_of(lambda: fitted.predict(wrong), "Input X contains NaN")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("make", [BackpropRegressor, BackpropClassifier])
def test_nan_and_infinity_in_y_raise(make, method, bad):
    y = TWO_CLASSES.astype(float)
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
def test_fit_requires_y(make, y):
    error_of(lambda: make().fit(X, None), "requires y to be passed")


def test_regressor_rejects_string_targets():
    error_of(lambda: regressor().fit(X, ["a", "b"] * 20), "y contains strings", "'a'")


def test_labels_of_mixed_types_raise():
    y = np.array([1, "a"] * 20, dtype=object)
    error_of(
        lambda: classifier().fit(X, y), "label type", error=(ValueError, TypeError)
    )


@ignore_convergence_warning
def test_poisson_loss_rejects_negative_targets():
    y = COUNTS.copy()
    y[7] = -2.5
    words = "loss='poisson'", "y >= 0", "-2.5"
    error_of(lambda: regressor(loss="poisson").fit(X, y), *words)
    error_of(lambda: regressor(loss="poisson").partial_fit(X, y), *words)
    fitted = regressor(loss="poisson").partial_fit(X, COUNTS)
    error_of(lambda: fitted.partial_fit(X, y), *words)


@ESTIMATORS
def test_inconsistent_numbers_of_samples_raise(make, y):
    error_of(lambda: make().fit(X, y[:5]), "inconsistent numbers of samples", "[40, 5]")


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (np.zeros(40), ("at least one",)),
        (np.full(40, -1.0), ("sample_weight", "positive", "mean weight of -1")),
        (np.r_[np.ones(39), -39.0], ("sample_weight", "positive", "mean weight of 0")),
        (np.full(40, 1e308), ("sample_weight", "finite", "mean weight of inf")),
        (np.ones(39), ("sample_weight.shape == (39,)", "expected (40,)")),
        (np.ones((40, 2)), ("Sample weights must be 1D",)),
        (np.full(40, np.nan), ("sample_weight contains NaN",)),
        (np.full(40, np.inf), ("sample_weight contains infinity",)),
    ],
    ids=[
        "zero",
        "negative",
        "cancelling",
        "overflow",
        "length",
        "two columns",
        "nan",
        "inf",
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@ESTIMATORS
def test_invalid_sample_weights_raise(make, y, weight, words, method):
    kwargs = {}
    if make is BackpropClassifier and method == "partial_fit":
        kwargs["classes"] = [0, 1, 2]
    action = getattr(make(), method)
    error_of(lambda: action(X, y, sample_weight=weight, **kwargs), *words)


@pytest.mark.parametrize("zero_weights", ["training", "validation"])
@ESTIMATORS
def test_zero_weights_of_training_or_validation_set_raise(make, y, zero_weights):
    validation_sets = []

    def record(estimator, X_val, y_val):
        validation_sets.append(X_val)
        raise RuntimeError

    params = dict(early_stopping=True, random_state=0)
    with pytest.raises(RuntimeError):
        make(scoring=record, **params).fit(X, y)
    is_held_out = np.isin(X[:, 0], validation_sets[0][:, 0])
    has_weight = is_held_out if zero_weights == "training" else ~is_held_out
    error_of(
        lambda: make(**params).fit(X, y, sample_weight=has_weight.astype(float)),
        "sample_weight",
        f"over the {zero_weights} samples",
        "mean weight of 0",
    )


# ------------------------------------------------- validation sets and batches


@pytest.mark.parametrize(
    ("n_samples", "fraction"), [(5, 0.1), (40, 0.0), (40, 0.02), (3, 0.3)]
)
@ESTIMATORS
def test_too_small_validation_set_raises(make, y, n_samples, fraction):
    estimator = make(early_stopping=True, validation_fraction=fraction)
    error_of(
        lambda: estimator.fit(X[:n_samples], y[:n_samples]),
        "The validation set is too small",
        "validation_fraction",
        str(fraction),
        str(n_samples),
    )


@ESTIMATORS
def test_empty_training_set_raises(make, y):
    estimator = make(early_stopping=True, validation_fraction=0.95)
    error_of(
        lambda: estimator.fit(X[:5], y[:5]),
        "The training set is empty",
        "validation_fraction=0.95",
        "all 5 samples",
    )


@ESTIMATORS
@pytest.mark.parametrize("solver", OPTIMIZERS)
def test_batch_size_larger_than_n_samples_is_clipped_with_warning(make, y, solver):
    params = dict(solver=solver, max_iter=30, tol=1e3, random_state=0)
    with pytest.warns(UserWarning, match=r"batch_size=100 becomes 40"):
        clipped = make(batch_size=100, **params).fit(X, y)
    full_batch = make(batch_size=40, **params).fit(X, y)
    for actual, expected in zip(clipped.coefs_, full_batch.coefs_, strict=True):
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (np.asarray, (-1, 1)),
        (np.asarray, (0, 2)),
        (np.asarray, (1, 2)),
        (csr_matrix, (0, 2)),
    ],
)
def test_label_indicator_must_contain_only_0_and_1(kind, values):
    y = kind(np.where(LABELS == 1, values[1], values[0]))
    words = "y must contain only 0 and 1", str(values[1])
    error_of(lambda: classifier().fit(X, y), *words)


def test_regressor_rejects_sparse_targets():
    y = csr_matrix(NUMBERS[:, np.newaxis])
    error_of(lambda: regressor().fit(X, y), "dense", error=TypeError)


@ignore_convergence_warning
def test_input_beyond_float32_range_raises():
    fitted = classifier().fit(X.astype(np.float32), THREE_CLASSES)
    words = "X contains", "too large for float32"
    error_of(lambda: fitted.predict(X * 1e200), *words)


def test_failing_scorer_is_named_in_error():
    estimator = classifier(early_stopping=True, scoring=lambda e, X, y: 0.0)
    weight = np.ones(len(X))
    error_of(
        lambda: estimator.fit(X, THREE_CLASSES, weight), "scoring", "sample_weight"
    )
    estimator.set_params(scoring="roc_auc")
    error_of(
        lambda: estimator.fit(X, THREE_CLASSES),
        "scoring='roc_auc' failed",
        "multi_class",
    )
