"""`class_weight` is equivalent to `sample_weight` computed by scikit-learn."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils.class_weight import compute_sample_weight
from small_fits import error_of, ignore_convergence_warning
from small_networks import (
    CODES,
    LABELS,
    NAMES,
    WEIGHT,
    X,
    assert_same_network,
    classifier,
)

from skbackprop import BackpropClassifier

RARE = (X[:, 0] > 1.0).astype(int)
LABELLED = [{0: 1.0, 1: 4.0}, {0: 0.5, 1: 1.0}, {1: 3.0}]
KINDS = {
    "binary": (RARE, {0: 0.5, 1: 7.0}),
    "multiclass": (CODES, {0: 2.0, 1: 0.25, 2: 3.0}),
    "strings": (NAMES, {"low": 2.0, "high": 0.0, "mid": 3.0}),
    "one left out": (NAMES, {"low": 5.0}),
    "labels": (LABELS, LABELLED),
    "binary balanced": (RARE, "balanced"),
    "strings balanced": (NAMES, "balanced"),
    "labels balanced": (LABELS, "balanced"),
}
BY_KIND = pytest.mark.parametrize("kind", KINDS)


def make_classifier(class_weight=None, **params):
    # With this batch size, some mini-batches lack a class.
    params = {"n_iter_no_change": 5, "batch_size": 16, **params}
    return classifier(class_weight=class_weight, **params)


def as_sample_weight(class_weight, y):
    """Convert class weights to sample weights, with weight 1 for missing classes."""
    if isinstance(class_weight, list):
        class_weight = [{0: 1.0, 1: 1.0} | one for one in class_weight]
    elif isinstance(class_weight, dict):
        class_weight = dict.fromkeys(np.unique(y), 1.0) | class_weight
    return compute_sample_weight(class_weight, y)


def assert_close(one, other, rtol=1e-9):
    for name in ("coefs_", "intercepts_"):
        for actual, expected in zip(
            getattr(one, name), getattr(other, name), strict=True
        ):
            np.testing.assert_allclose(actual, expected, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(one.loss_curve_, other.loss_curve_, rtol=rtol)


@pytest.mark.parametrize(
    "params",
    [{}, {"loss": "log_loss"}, {"solver": "lbfgs", "tol": 0.02, "max_iter": 500}],
    ids=str,
)
@BY_KIND
def test_class_weights_equal_sample_weights(kind, params):
    y, class_weight = KINDS[kind]
    fitted = make_classifier(class_weight, **params).fit(X, y)
    plain = make_classifier(**params).fit(X, y, as_sample_weight(class_weight, y))
    assert_close(fitted, plain)
    assert (
        np.abs(fitted.coefs_[0] - make_classifier(**params).fit(X, y).coefs_[0]).max()
        > 1e-3
    )


@pytest.mark.parametrize("kind", [k for k in KINDS if "balanced" not in k])
def test_class_weights_multiply_sample_weights(kind):
    y, class_weight = KINDS[kind]
    fitted = make_classifier(class_weight).fit(X, y, WEIGHT)
    assert_close(
        fitted, make_classifier().fit(X, y, WEIGHT * as_sample_weight(class_weight, y))
    )


@pytest.mark.parametrize("y", [RARE, NAMES, LABELS], ids=["two", "three", "labels"])
def test_balanced_uses_sample_weights_as_counts(y):
    rows = np.repeat(np.arange(90), WEIGHT.astype(int))
    repeated = as_sample_weight("balanced", y[rows])
    balanced = np.zeros(90)
    balanced[rows] = repeated
    assert_close(
        make_classifier("balanced").fit(X, y, WEIGHT),
        make_classifier().fit(X, y, WEIGHT * balanced),
    )


def test_balanced_classes_have_equal_total_weight():
    net = make_classifier("balanced").fit(X, RARE)
    assert RARE.mean() < 0.25
    # The input scaler uses the class weights.
    middle = (X[RARE == 0].mean(axis=0) + X[RARE == 1].mean(axis=0)) / 2
    np.testing.assert_allclose(net._reader.scalers.inputs.mean, middle, rtol=1e-10)


def test_larger_class_weight_increases_predictions_of_class():
    light, heavy = (
        make_classifier({1: w}).fit(X, RARE).predict(X).sum() for w in (0.1, 10.0)
    )
    assert light < RARE.sum() < heavy


# ------------------------------------------------------------------------- chunks

CHUNKS = [slice(0, 20), slice(20, 50), slice(50, 90)]
BY_CLASS = np.argsort(CODES, kind="stable")  # so that chunks lack classes


@pytest.mark.parametrize("kind", [k for k in KINDS if "balanced" not in k])
def test_partial_fit_applies_class_weights(kind):
    y, class_weight = KINDS[kind]
    classes = np.arange(3) if y.ndim == 2 else np.unique(y)
    nets = make_classifier(class_weight), make_classifier()
    for chunk in CHUNKS:
        rows = BY_CLASS[chunk]
        if y.ndim == 1 and not as_sample_weight(class_weight, y)[rows].any():
            rows = np.arange(90)[chunk]
        weights = None, as_sample_weight(class_weight, y)[rows]
        for net, weight in zip(nets, weights, strict=True):
            net.partial_fit(X[rows], y[rows], weight, classes=classes)
    assert_close(*nets)


@pytest.mark.parametrize("y", [RARE, NAMES, LABELS], ids=["two", "three", "labels"])
def test_balanced_partial_fit_counts_all_samples_so_far(y):
    classes = np.arange(3) if y.ndim == 2 else np.unique(y)
    balanced, plain = make_classifier("balanced"), make_classifier()
    for i, chunk in enumerate(CHUNKS):
        so_far = np.concatenate([BY_CLASS[earlier] for earlier in CHUNKS[: i + 1]])
        rows = BY_CLASS[chunk]
        weight = as_sample_weight("balanced", y[so_far])[-len(rows) :]
        balanced.partial_fit(X[rows], y[rows], classes=classes)
        plain.partial_fit(X[rows], y[rows], weight, classes=classes)
    assert_close(balanced, plain)


def test_fit_resets_class_counts():
    net = make_classifier("balanced").fit(X[:20], NAMES[:20])
    assert_same_network(net.fit(X, NAMES), make_classifier("balanced").fit(X, NAMES))


@pytest.mark.parametrize("before", [None, {0: 2.0}], ids=str)
def test_class_weight_can_become_balanced_between_chunks(before):
    # The class counts include the chunks before the change.
    net = make_classifier(before).partial_fit(X[:50], RARE[:50], classes=[0, 1])
    net.set_params(class_weight="balanced").partial_fit(X[50:], RARE[50:])
    plain = make_classifier(before).partial_fit(X[:50], RARE[:50], classes=[0, 1])
    weight = as_sample_weight("balanced", RARE)[50:]
    plain.set_params(class_weight=None).partial_fit(X[50:], RARE[50:], weight)
    assert_close(net, plain)


def test_fit_discards_class_counts_of_earlier_network():
    net = make_classifier("balanced").partial_fit(X, np.zeros(90), classes=[0, 1])
    net.set_params(class_weight=None).fit(X, RARE)
    net.set_params(class_weight="balanced").partial_fit(X, RARE)
    plain = make_classifier().fit(X, RARE)
    plain.partial_fit(X, RARE, as_sample_weight("balanced", RARE))
    assert_close(net, plain)


# ------------------------------------------------------------- validation samples


@BY_KIND
def test_held_out_samples_have_class_weights(kind):
    y, class_weight = KINDS[kind]
    params = dict(early_stopping=True, validation_fraction=0.3)
    fitted = make_classifier(class_weight, **params).fit(X, y)
    plain = make_classifier(**params).fit(X, y, as_sample_weight(class_weight, y))
    assert_close(fitted, plain)
    for curve in ("validation_loss_curve_", "validation_scores_"):
        np.testing.assert_allclose(
            getattr(fitted, curve), getattr(plain, curve), rtol=1e-9
        )


def test_scores_ignore_class_weights():
    def accuracy(estimator, X, y):
        return estimator.score(X, y)

    params = dict(early_stopping=True)
    for scoring in ("accuracy", accuracy):
        net = make_classifier({0: 1.0, 1: 50.0}, scoring=scoring, **params)
        net.fit(X, RARE, X_val=X, y_val=RARE)
        assert net.best_validation_score_ == net.score(X, RARE)


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@pytest.mark.parametrize("rows", [1, 7, 90])
def test_chunks_are_normalized_by_mean_weight_of_all_chunks(rows, loss):
    # If chunks were normalized separately, the class weights would have no effect on
    # chunks with a single class.
    order = np.argsort(RARE, kind="stable")
    weight = np.where(RARE, 9.0, 1.0)
    params = dict(standardize=False, loss=loss, init="he_normal", batch_size="auto")
    net, plain = make_classifier({0: 1.0, 1: 9.0}, **params), make_classifier(**params)
    seen = total = 0.0
    for start in range(0, 90, rows):
        chunk = order[start : start + rows]
        net.partial_fit(X[chunk], RARE[chunk], classes=[0, 1])
        # The mean weight covers all samples up to this chunk.
        seen, total = seen + len(chunk), total + weight[chunk].sum()
        assert net._state.weight_totals.mean == pytest.approx(total / seen)
        plain.partial_fit(X[chunk], RARE[chunk], weight[chunk], classes=[0, 1])
    assert_close(net, plain)
    unweighted = make_classifier(**params)
    for start in range(0, 90, rows):
        chunk = order[start : start + rows]
        unweighted.partial_fit(X[chunk], RARE[chunk], classes=[0, 1])
    rare = RARE == 1
    assert np.mean(net.predict_proba(X)[rare, 1]) > 1.05 * np.mean(
        unweighted.predict_proba(X)[rare, 1]
    )


@BY_KIND
def test_validation_data_use_class_weights_of_training_data(kind):
    y, class_weight = KINDS[kind]
    weight = as_sample_weight(class_weight, y)
    # The first rows have other class frequencies than all rows.
    some = slice(0, 25)
    fitted = make_classifier(class_weight).fit(
        X, y, X_val=X[some], y_val=y[some], sample_weight_val=WEIGHT[some]
    )
    plain = make_classifier().fit(
        X,
        y,
        weight,
        X_val=X[some],
        y_val=y[some],
        sample_weight_val=WEIGHT[some] * weight[some],
    )
    np.testing.assert_allclose(
        fitted.validation_loss_curve_, plain.validation_loss_curve_, rtol=1e-9
    )


def test_validation_data_without_weight_raise():
    net = make_classifier({0: 0.0, 1: 1.0})
    some = RARE == 0
    error_of(
        lambda: net.fit(X, RARE, X_val=X[some], y_val=RARE[some]),
        "class_weight={0: 0.0, 1: 1.0}",
        "positive, finite sum over the validation samples",
        "mean weight of 0",
    )


# ------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("kind", "class_weight"),
    [
        ("codes", "balance"),
        ("codes", 2.0),
        ("codes", [1.0, 2.0, 3.0]),
        ("codes", [{0: 1.0}]),
        ("codes", {0: 1.0, 7: 2.0}),
        ("codes", {0: -1.0}),
        ("codes", {0: np.nan}),
        ("codes", {0: np.inf}),
        ("codes", {0: "heavy"}),
        ("names", {0: 1.0, 1: 2.0}),
        ("labels", {0: 1.0, 1: 2.0}),
        ("labels", LABELLED[:2]),
        ("labels", [1.0, 2.0, 3.0]),
        ("labels", [*LABELLED[:2], {2: 1.0}]),
        ("labels", [*LABELLED[:2], {0: -1.0}]),
    ],
    ids=str,
)
def test_class_weights_that_do_not_match_y_raise(kind, class_weight):
    y = {"codes": CODES, "names": NAMES, "labels": LABELS}[kind]
    error_of(lambda: make_classifier(class_weight).fit(X, y), "class_weight")


@ignore_convergence_warning
def test_grid_search_over_class_weights():
    grid = GridSearchCV(
        make_classifier(batch_size="auto"),
        {"class_weight": [{0: 1.0, 1: 1e-6}, "balanced"]},
        scoring="balanced_accuracy",
        cv=3,
    )
    grid.fit(X, RARE)
    assert grid.best_params_ == {"class_weight": "balanced"}
    best = clone(grid.best_estimator_).fit(X, RARE)
    assert_same_network(grid.best_estimator_, best)


def test_class_weights_of_one_have_no_effect():
    ones = make_classifier({"low": 1.0, "mid": 1.0, "high": 1.0}).fit(X, NAMES)
    assert_close(ones, make_classifier().fit(X, NAMES))
    assert BackpropClassifier().class_weight is None
