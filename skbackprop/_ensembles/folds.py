"""Folds of the training data: training and validation rows of each member."""

from numbers import Integral
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    check_cv,
)


class Fold(NamedTuple):
    """Rows of one member.

    Parameters
    ----------
    training : ndarray of intp of shape (n_training,)
        Rows for training.
    validation : ndarray of intp of shape (n_validation,)
        Rows for early stopping.
    """

    training: np.ndarray
    validation: np.ndarray


def make_folds(cv, X, y, groups, samples, rng):
    """Split the training data into folds.

    Parameters
    ----------
    cv : int, cross-validation splitter or iterable
        Number of shuffled folds, stratified for classes; or any object that
        :func:`sklearn.model_selection.check_cv` accepts.
    X, y : array-like
        Training data as passed to `fit`, for splitters of the user.
    groups : array-like of shape (n_samples,) or None
        Group of each sample. Samples of a group are in the same fold.
    samples : TrainingSamples
        The same training data.
    rng : numpy.random.RandomState
        Random number generator of the shuffled folds.

    Returns
    -------
    list of Fold

    Raises
    ------
    ValueError
        If there are too few samples or groups, or if a fold has no training or
        validation rows.
    """
    if isinstance(cv, Integral):
        splits = _shuffled_folds(cv, groups, samples, rng)
    else:
        splits = check_cv(cv).split(X, y, groups)
    folds = [Fold(*map(_to_row_numbers, split)) for split in splits]
    for i, fold in enumerate(folds):
        if not (fold.training.size and fold.validation.size):
            raise ValueError(
                f"Fold {i} of cv={cv!r} has {fold.training.size} training rows and "
                f"{fold.validation.size} validation rows; at least 1 of each is "
                "required. Use fewer folds, or another splitter."
            )
    return folds


def _shuffled_folds(n_folds, groups, samples, rng):
    """Yield training and validation rows of shuffled, if possible stratified, folds."""
    weighted, ignored = np.arange(samples.n_samples), np.empty(0, np.intp)
    if samples.weight is not None:
        weighted, ignored = map(np.flatnonzero, (samples.weight, samples.weight == 0))
    if len(weighted) < 2:
        raise ValueError(
            "An ensemble requires at least 2 samples with a nonzero weight, got "
            f"n_samples={len(weighted)}."
        )
    n_folds = min(n_folds, len(weighted))
    classes = None if samples.codes is None else samples.codes[weighted]
    groups = None if groups is None else np.asarray(groups)[weighted]
    splitter = _make_splitter(n_folds, classes, groups)
    splitter = splitter(n_folds, shuffle=True, random_state=rng.randint(1 << 31))
    for i, (training, validation) in enumerate(
        splitter.split(weighted, classes, groups)
    ):
        # Rows without weight only receive an out-of-fold prediction.
        rows = np.concatenate([weighted[validation], ignored[i::n_folds]])
        yield weighted[training], rows


def _make_splitter(n_folds, classes, groups):
    """Return the class of the splitter."""
    # Stratification requires one class with enough samples for all folds. Rarer classes
    # may lack samples in some folds: all members know all classes.
    is_stratified = classes is not None and np.bincount(classes).max() >= n_folds
    if groups is not None:
        return StratifiedGroupKFold if is_stratified else GroupKFold
    return StratifiedKFold if is_stratified else KFold


def _to_row_numbers(rows):
    rows = np.asarray(rows)
    return np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.intp)
