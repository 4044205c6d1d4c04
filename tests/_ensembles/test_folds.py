"""Tests of the folds of ensembles."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import (
    GroupKFold,
    LeaveOneGroupOut,
    RepeatedKFold,
    ShuffleSplit,
    TimeSeriesSplit,
)
from small_ensembles import (
    BINARY,
    CLASSES,
    ENSEMBLES,
    LABELS,
    MIXED,
    N_SAMPLES,
    NUMBERS,
    NUMERIC,
    classifier,
    regressor,
)
from small_fits import ignore_convergence_warning

from skbackprop._data.samples import TrainingSamples
from skbackprop._ensembles.folds import make_folds

pytestmark = ignore_convergence_warning


def folds_of(cv, codes=None, groups=None, weight=None, n_samples=N_SAMPLES, seed=0):
    X, targets = np.zeros((n_samples, 1)), np.zeros((n_samples, 1))
    samples = TrainingSamples(X, targets, codes, weight)
    return make_folds(cv, X, codes, groups, samples, np.random.RandomState(seed))


def assert_partition(folds, n_samples):
    """Assert that each row is in one validation fold, and never also in training."""
    rows = np.concatenate([fold.validation for fold in folds])
    np.testing.assert_array_equal(np.sort(rows), np.arange(n_samples))
    for fold in folds:
        assert not np.intersect1d(fold.training, fold.validation).size
        assert len(fold.training) + len(fold.validation) == n_samples


@pytest.mark.parametrize("codes", [None, np.arange(N_SAMPLES) % 3])
def test_int_cv_partitions_and_shuffles_the_rows(codes):
    folds = folds_of(5, codes)
    assert len(folds) == 5
    assert_partition(folds, N_SAMPLES)
    contiguous = [np.ptp(fold.validation) < 12 for fold in folds]
    assert not any(contiguous)
    assert any(
        not np.array_equal(one.validation, other.validation)
        for one, other in zip(folds, folds_of(5, codes, seed=1))
    )


@given(
    counts=st.lists(st.integers(1, 30), min_size=1, max_size=5),
    cv=st.integers(2, 8),
    seed=st.integers(0, 10),
)
@pytest.mark.filterwarnings("ignore:The least populated class")
def test_folds_are_stratified(counts, cv, seed):
    codes = np.repeat(np.arange(len(counts)), counts)
    if len(codes) < 2:
        return
    folds = folds_of(cv, codes, n_samples=len(codes), seed=seed)
    assert len(folds) == min(cv, len(codes))
    assert_partition(folds, len(codes))
    if max(counts) >= cv:
        for fold in folds:
            found = np.bincount(codes[fold.validation], minlength=len(counts))
            assert (abs(found - np.array(counts) / len(folds)) < 1.0 + 1e-9).all()


@pytest.mark.parametrize("codes", [None, np.arange(N_SAMPLES) % 2])
@pytest.mark.parametrize("weight", [None, np.arange(N_SAMPLES) % 3 * 1.0])
def test_groups_stay_together(codes, weight):
    groups = np.arange(N_SAMPLES) // 6
    folds = folds_of(4, codes, groups, weight)
    assert_partition(folds, N_SAMPLES)
    for fold in folds:
        assert not np.intersect1d(groups[fold.training], groups[fold.validation]).size


def test_groups_are_stratified_by_class():
    groups = np.arange(N_SAMPLES) // 3
    codes = (groups < 10).astype(int)
    for fold in folds_of(5, codes, groups):
        assert codes[fold.validation].mean() == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (np.arange(80), r"shape \(60,\), .* got shape \(80,\)"),
        (np.arange(40), r"got shape \(40,\)"),
        (np.zeros((60, 1)), r"got shape \(60, 1\)"),
        (3, r"got shape \(\)"),
        ([None] * 60, "missing values"),
        (np.full(60, np.nan), "missing values"),
    ],
)
def test_invalid_groups_are_an_error(groups, message):
    for cv in (3, GroupKFold(3)):
        with pytest.raises(ValueError, match=message):
            folds_of(cv, None, groups)


def test_groups_can_be_strings_or_a_series():
    groups = np.repeat(["a", "b", "c", "d"], 15)
    expected = folds_of(4, None, groups)
    mixed = np.repeat(np.array([1, "b", "c", 4], dtype=object), 15)
    for same in (list(groups), pd.Series(groups, index=range(60, 120)), mixed):
        for one, other in zip(folds_of(4, None, same), expected):
            np.testing.assert_array_equal(one.training, other.training)


ROWS = np.arange(N_SAMPLES)


@pytest.mark.parametrize(
    ("cv", "message"),
    [
        ([], "cv=\\[\\] has no folds"),
        ([(ROWS[:9], ROWS[9:]), (ROWS, ROWS)], "Fold 1 .* both training and valid"),
        ([(ROWS[:9], [-1])], "Fold 0 of cv has invalid rows. Pass .* 0 to 59"),
        ([(ROWS[:9], [60])], "Fold 0 of cv has invalid rows"),
        ([(ROWS[:9], [20.5])], "Fold 0 of cv has invalid rows"),
        ([(ROWS[:9], ROWS[9:, np.newaxis])], "Fold 0 of cv has invalid rows"),
        ([(ROWS > 8, ROWS[:8] < 9)], "Fold 0 of cv has invalid rows"),
        ([(ROWS[:9], ["a"])], "Fold 0 of cv has invalid rows"),
        ([3], "Fold 0 of cv must be a pair .* got 3"),
        ([(ROWS, ROWS, ROWS)], "Fold 0 of cv must be a pair"),
    ],
)
def test_invalid_folds_are_an_error(cv, message):
    with pytest.raises(ValueError, match=message):
        folds_of(cv)


def test_rows_without_weight_are_not_used_for_training():
    weight = np.tile([0.0, 1.0, 2.0], N_SAMPLES // 3)
    folds = folds_of(4, np.arange(N_SAMPLES) % 2, weight=weight)
    rows = np.concatenate([fold.validation for fold in folds])
    np.testing.assert_array_equal(np.sort(rows), np.arange(N_SAMPLES))
    for fold in folds:
        assert weight[fold.training].min() > 0.0
        assert np.count_nonzero(weight[fold.validation]) == 10


def test_fewer_samples_than_folds_are_left_out_one_by_one():
    folds = folds_of(8, n_samples=3)
    assert [len(fold.validation) for fold in folds] == [1, 1, 1]


def test_one_sample_is_an_error():
    with pytest.raises(ValueError, match=r"at least 2 samples .* n_samples=1"):
        folds_of(8, n_samples=1)
    weight = np.arange(N_SAMPLES) == 3.0
    with pytest.raises(ValueError, match="nonzero weight, got n_samples=1"):
        folds_of(8, weight=weight.astype(float))


def test_empty_fold_is_an_error():
    cv = [(np.arange(10), np.arange(10, 20)), (np.arange(10), np.arange(0))]
    with pytest.raises(ValueError, match=r"Fold 1 .* 10 training rows and 0 "):
        folds_of(cv)


def test_masks_are_converted_to_row_numbers():
    mask = np.arange(N_SAMPLES) < 20
    (fold,) = folds_of([(~mask, mask)])
    np.testing.assert_array_equal(fold.training, np.arange(20, N_SAMPLES))
    np.testing.assert_array_equal(fold.validation, np.arange(20))


@ENSEMBLES
def test_splitters_of_scikit_learn(make, y):
    for cv, n_members in (
        (TimeSeriesSplit(3), 3),
        (ShuffleSplit(2, random_state=0), 2),
        (RepeatedKFold(n_splits=2, n_repeats=2, random_state=0), 4),
    ):
        ensemble = make(cv=cv).fit(MIXED, y)
        assert len(ensemble.estimators_) == n_members


@ENSEMBLES
def test_group_splitters_receive_the_groups(make, y):
    groups = np.arange(N_SAMPLES) % 4
    grouped = make(cv=GroupKFold(4)).fit(NUMERIC, y, groups=groups)
    splits = list(GroupKFold(4).split(NUMERIC, y, groups))
    listed = make(cv=splits).fit(NUMERIC, y)
    np.testing.assert_array_equal(grouped.oof_prediction_, listed.oof_prediction_)
    assert (
        len(make(cv=LeaveOneGroupOut()).fit(MIXED, y, groups=groups).estimators_) == 4
    )
    with pytest.raises(ValueError, match="groups"):
        make(cv=GroupKFold(4)).fit(NUMERIC, y)


def test_number_of_folds_is_limited_by_the_number_of_groups():
    groups = np.arange(N_SAMPLES) % 2
    assert len(regressor().fit(NUMERIC, NUMBERS, groups=groups).estimators_) == 2
    with pytest.raises(ValueError, match="2 groups, got number of groups=1"):
        regressor().fit(NUMERIC, NUMBERS, groups=np.zeros(N_SAMPLES))


def test_sorted_classes_are_in_all_folds():
    order = np.argsort(BINARY)
    ensemble = classifier(cv=4).fit(NUMERIC[order], BINARY[order])
    counts = [member.predict_proba(NUMERIC).shape for member in ensemble.estimators_]
    assert counts == [(N_SAMPLES, 2)] * 4
    assert ensemble.oof_score_ > 0.5


@pytest.mark.filterwarnings("ignore:The least populated class")
def test_members_know_classes_that_their_fold_lacks():
    y = CLASSES.copy()
    y[0] = "one"
    ensemble = classifier(cv=3).fit(MIXED, y)
    assert list(ensemble.classes_) == ["maybe", "no", "one", "yes"]
    for member in ensemble.estimators_:
        assert list(member.classes_) == list(ensemble.classes_)
    # Ten classes of six samples cannot be stratified over eight folds.
    y = np.arange(N_SAMPLES) % 10
    assert classifier(cv=8).fit(MIXED, y).oof_prediction_.shape == (N_SAMPLES, 10)


def test_multilabel_targets_are_not_stratified():
    ensemble = classifier(cv=4).fit(MIXED, LABELS)
    assert ensemble.oof_prediction_.shape == LABELS.shape
