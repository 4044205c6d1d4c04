"""`class_weight`: the same as the `sample_weight` that scikit-learn makes of it."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils.class_weight import compute_sample_weight
from small_fits import error_of
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


def net_of(class_weight=None, **params):
    # A batch size that leaves batches in which not every class occurs.
    params = {"n_iter_no_change": 5, "batch_size": 16, **params}
    return classifier(class_weight=class_weight, **params)


def as_sample_weight(class_weight, y):
    """Return what scikit-learn makes of it, which wants a dict without gaps."""
    if isinstance(class_weight, list):
        class_weight = [{0: 1.0, 1: 1.0} | one for one in class_weight]
    elif isinstance(class_weight, dict):
        class_weight = dict.fromkeys(np.unique(y), 1.0) | class_weight
    return compute_sample_weight(class_weight, y)


def assert_close(one, other, rtol=1e-9):
    for name in ("coefs_", "intercepts_"):
        for mine, theirs in zip(getattr(one, name), getattr(other, name), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(one.loss_curve_, other.loss_curve_, rtol=rtol)


@pytest.mark.parametrize(
    "params",
    [{}, {"loss": "log_loss"}, {"solver": "lbfgs", "tol": 0.02, "max_iter": 500}],
    ids=str,
)
@BY_KIND
def test_class_weights_are_sample_weights(kind, params):
    y, class_weight = KINDS[kind]
    fitted = net_of(class_weight, **params).fit(X, y)
    plain = net_of(**params).fit(X, y, as_sample_weight(class_weight, y))
    assert_close(fitted, plain)
    assert np.abs(fitted.coefs_[0] - net_of(**params).fit(X, y).coefs_[0]).max() > 1e-3


@pytest.mark.parametrize("kind", [k for k in KINDS if "balanced" not in k])
def test_sample_weights_are_multiplied_by_class_weights(kind):
    y, class_weight = KINDS[kind]
    fitted = net_of(class_weight).fit(X, y, WEIGHT)
    assert_close(fitted, net_of().fit(X, y, WEIGHT * as_sample_weight(class_weight, y)))


@pytest.mark.parametrize("y", [RARE, NAMES, LABELS], ids=["two", "three", "labels"])
def test_balanced_counts_samples_as_often_as_they_weigh(y):
    rows = np.repeat(np.arange(90), WEIGHT.astype(int))
    repeated = as_sample_weight("balanced", y[rows])
    of_each = np.zeros(90)
    of_each[rows] = repeated
    assert_close(
        net_of("balanced").fit(X, y, WEIGHT), net_of().fit(X, y, WEIGHT * of_each)
    )


def test_all_classes_have_the_same_weight_in_all_when_balanced():
    net = net_of("balanced").fit(X, RARE)
    assert RARE.mean() < 0.25
    # The scale of the inputs is that of the samples as they weigh.
    middle = (X[RARE == 0].mean(axis=0) + X[RARE == 1].mean(axis=0)) / 2
    np.testing.assert_allclose(net._scales.inputs.mean_, middle, rtol=1e-10)


def test_rare_classes_are_found_more_often_when_they_weigh_more():
    light, heavy = (net_of({1: w}).fit(X, RARE).predict(X).sum() for w in (0.1, 10.0))
    assert light < RARE.sum() < heavy


# ------------------------------------------------------------------------- chunks

CHUNKS = [slice(0, 20), slice(20, 50), slice(50, 90)]
BY_CLASS = np.argsort(CODES, kind="stable")  # classes are absent from chunks


@pytest.mark.parametrize("kind", [k for k in KINDS if "balanced" not in k])
def test_chunks_weigh_their_classes(kind):
    y, class_weight = KINDS[kind]
    classes = np.arange(3) if y.ndim == 2 else np.unique(y)
    nets = net_of(class_weight), net_of()
    for chunk in CHUNKS:
        rows = BY_CLASS[chunk]
        if y.ndim == 1 and not as_sample_weight(class_weight, y)[rows].any():
            rows = np.arange(90)[chunk]
        weights = None, as_sample_weight(class_weight, y)[rows]
        for net, weight in zip(nets, weights, strict=True):
            net.partial_fit(X[rows], y[rows], weight, classes=classes)
    assert_close(*nets)


@pytest.mark.parametrize("y", [RARE, NAMES, LABELS], ids=["two", "three", "labels"])
def test_balanced_chunks_count_all_samples_so_far(y):
    classes = np.arange(3) if y.ndim == 2 else np.unique(y)
    balanced, plain = net_of("balanced"), net_of()
    for i, chunk in enumerate(CHUNKS):
        so_far = np.concatenate([BY_CLASS[earlier] for earlier in CHUNKS[: i + 1]])
        rows = BY_CLASS[chunk]
        weight = as_sample_weight("balanced", y[so_far])[-len(rows) :]
        balanced.partial_fit(X[rows], y[rows], classes=classes)
        plain.partial_fit(X[rows], y[rows], weight, classes=classes)
    assert_close(balanced, plain)


def test_a_fit_counts_anew():
    net = net_of("balanced").fit(X[:20], NAMES[:20])
    assert_same_network(net.fit(X, NAMES), net_of("balanced").fit(X, NAMES))


@pytest.mark.parametrize("before", [None, {0: 2.0}], ids=str)
def test_class_weights_may_be_balanced_later(before):
    # What was seen before counts, too.
    net = net_of(before).partial_fit(X[:50], RARE[:50], classes=[0, 1])
    net.set_params(class_weight="balanced").partial_fit(X[50:], RARE[50:])
    plain = net_of(before).partial_fit(X[:50], RARE[:50], classes=[0, 1])
    weight = as_sample_weight("balanced", RARE)[50:]
    plain.set_params(class_weight=None).partial_fit(X[50:], RARE[50:], weight)
    assert_close(net, plain)


def test_counts_of_an_earlier_network_are_forgotten():
    net = net_of("balanced").partial_fit(X, np.zeros(90), classes=[0, 1])
    net.set_params(class_weight=None).fit(X, RARE)
    net.set_params(class_weight="balanced").partial_fit(X, RARE)
    plain = net_of().fit(X, RARE)
    plain.partial_fit(X, RARE, as_sample_weight("balanced", RARE))
    assert_close(net, plain)


# ---------------------------------------------------------- held-out and validation


@BY_KIND
def test_samples_held_out_weigh_like_those_trained_on(kind):
    y, class_weight = KINDS[kind]
    params = dict(early_stopping=True, validation_fraction=0.3)
    fitted = net_of(class_weight, **params).fit(X, y)
    plain = net_of(**params).fit(X, y, as_sample_weight(class_weight, y))
    assert_close(fitted, plain)
    for curve in ("validation_loss_curve_", "validation_scores_"):
        np.testing.assert_allclose(
            getattr(fitted, curve), getattr(plain, curve), rtol=1e-9
        )


def test_scores_do_not_weigh_classes():
    def accuracy(estimator, X, y):
        return estimator.score(X, y)

    params = dict(early_stopping=True)
    for scoring in ("accuracy", accuracy):
        net = net_of({0: 1.0, 1: 50.0}, scoring=scoring, **params)
        net.fit(X, RARE, X_val=X, y_val=RARE)
        assert net.best_validation_score_ == net.score(X, RARE)


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@pytest.mark.parametrize("rows", [1, 7, 90])
def test_chunks_weigh_what_their_classes_do(rows, loss):
    # Alone, a chunk of one class would count as much as one of the other.
    order = np.argsort(RARE, kind="stable")
    weight = np.where(RARE, 9.0, 1.0)
    params = dict(standardize=False, loss=loss, init="he_normal", batch_size="auto")
    net, plain = net_of({0: 1.0, 1: 9.0}, **params), net_of(**params)
    seen = total = 0.0
    for start in range(0, 90, rows):
        chunk = order[start : start + rows]
        net.partial_fit(X[chunk], RARE[chunk], classes=[0, 1])
        # By hand: the share of the mean weight so far, as the loss of each sample.
        seen, total = seen + len(chunk), total + weight[chunk].sum()
        assert net._state.weight_sum / net._state.n_rows == pytest.approx(total / seen)
        plain.partial_fit(X[chunk], RARE[chunk], weight[chunk], classes=[0, 1])
    assert_close(net, plain)
    unweighted = net_of(**params)
    for start in range(0, 90, rows):
        chunk = order[start : start + rows]
        unweighted.partial_fit(X[chunk], RARE[chunk], classes=[0, 1])
    rare = RARE == 1
    assert np.mean(net.predict_proba(X)[rare, 1]) > 1.05 * np.mean(
        unweighted.predict_proba(X)[rare, 1]
    )


@BY_KIND
def test_validation_data_weigh_by_the_classes_of_training(kind):
    y, class_weight = KINDS[kind]
    weight = as_sample_weight(class_weight, y)
    # The first rows, which are balanced otherwise than all of them.
    some = slice(0, 25)
    fitted = net_of(class_weight).fit(
        X, y, X_val=X[some], y_val=y[some], sample_weight_val=WEIGHT[some]
    )
    plain = net_of().fit(
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


def test_validation_data_of_classes_without_weight_are_refused():
    net = net_of({0: 0.0, 1: 1.0})
    some = RARE == 0
    error_of(
        lambda: net.fit(X, RARE, X_val=X[some], y_val=RARE[some]),
        "must be positive for at least one",
        "validation data",
    )


# -------------------------------------------------------------------------- misuse


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
def test_weights_that_fit_no_classes_are_refused(kind, class_weight):
    y = {"codes": CODES, "names": NAMES, "labels": LABELS}[kind]
    error_of(lambda: net_of(class_weight).fit(X, y), "class_weight")


def test_a_search_can_choose():
    grid = GridSearchCV(
        net_of(batch_size="auto"),
        {"class_weight": [{0: 1.0, 1: 1e-6}, "balanced"]},
        scoring="balanced_accuracy",
        cv=3,
    )
    grid.fit(X, RARE)
    assert grid.best_params_ == {"class_weight": "balanced"}
    best = clone(grid.best_estimator_).fit(X, RARE)
    assert_same_network(grid.best_estimator_, best)


def test_class_weights_of_ones_change_nothing():
    ones = net_of({"low": 1.0, "mid": 1.0, "high": 1.0}).fit(X, NAMES)
    assert_close(ones, net_of().fit(X, NAMES))
    assert BackpropClassifier().class_weight is None
