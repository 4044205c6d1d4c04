"""Folds of the training data: training and validation rows of each member."""

from numbers import Integral
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
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
    cv : int, cross-validation splitter or list
        Number of shuffled folds, stratified for classes; a splitter; or a list of pairs
        of training and validation rows.
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
        If there are fewer than two samples or groups, or if `groups` or a fold is
        invalid.
    """
    n_samples = samples.n_samples
    if groups is not None:
        groups = _check_groups(groups, n_samples)
    if isinstance(cv, Integral):
        splits = _shuffled_folds(cv, groups, samples, rng)
    else:
        splits = cv.split(X, y, groups) if hasattr(cv, "split") else cv
    folds = [_make_fold(i, split, n_samples) for i, split in enumerate(splits)]
    if not folds:
        raise ValueError(f"cv={cv!r} has no folds; at least 1 is required.")
    return folds


def _check_groups(groups, n_samples):
    """Return the groups as an array, or raise ValueError if they are invalid."""
    import pandas as pd

    groups = np.asarray(groups)
    if groups.shape != (n_samples,):
        raise ValueError(
            f"groups must be an array-like of shape ({n_samples},), with the group of "
            f"each sample, got shape {groups.shape}."
        )
    if pd.isna(groups).any():
        raise ValueError(
            "groups contains missing values. Assign the samples without a group to a "
            "group of their own."
        )
    return groups


def _shuffled_folds(n_folds, groups, samples, rng):
    """Yield training and validation rows of shuffled, if possible stratified, folds."""
    import pandas as pd

    if groups is not None:
        groups = pd.factorize(groups)[0]  # names of different types cannot be sorted
    rows, ignored = np.arange(samples.n_samples), np.empty(0, np.intp)
    if samples.weight is not None and groups is None:
        rows, ignored = map(np.flatnonzero, (samples.weight, samples.weight == 0))
    n_units = len(rows) if groups is None else groups.max() + 1
    if n_units < 2:
        units = "samples with a nonzero weight" if groups is None else "groups"
        name = "n_samples" if groups is None else "number of groups"
        raise ValueError(
            f"An ensemble requires at least 2 {units}, got {name}={n_units}."
        )
    n_folds = min(n_folds, n_units)
    classes = None if samples.codes is None else samples.codes[rows]
    splitter = _make_splitter(n_folds, classes, groups)
    splitter = splitter(n_folds, shuffle=True, random_state=rng.randint(1 << 31))
    for i, split in enumerate(splitter.split(rows, classes, groups)):
        training, validation = (rows[part] for part in split)
        # Rows without weight only receive an out-of-fold prediction.
        yield training, np.concatenate([validation, ignored[i::n_folds]])


def _make_splitter(n_folds, classes, groups):
    """Return the class of the splitter."""
    # Stratification requires one class with enough samples for all folds. Rarer classes
    # may lack samples in some folds: all members know all classes.
    is_stratified = classes is not None and np.bincount(classes).max() >= n_folds
    if groups is not None:
        return StratifiedGroupKFold if is_stratified else GroupKFold
    return StratifiedKFold if is_stratified else KFold


def _make_fold(i, split, n_samples):
    """Return fold `i`, or raise ValueError if its rows are invalid."""
    try:
        training, validation = map(np.asarray, split)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Fold {i} of cv must be a pair of training and validation rows, got "
            f"{split!r}."
        ) from error
    fold = Fold(
        *(_to_row_numbers(i, rows, n_samples) for rows in (training, validation))
    )
    if not (fold.training.size and fold.validation.size):
        raise ValueError(
            f"Fold {i} of cv has {fold.training.size} training rows and "
            f"{fold.validation.size} validation rows; at least 1 of each is required. "
            "Use fewer folds, or another splitter."
        )
    if np.isin(fold.validation, fold.training).any():
        raise ValueError(
            f"Fold {i} of cv has rows that are both training and validation rows. Use "
            "each row for one purpose per fold."
        )
    return fold


def _to_row_numbers(i, rows, n_samples):
    """Return row numbers or a mask of rows as row numbers."""
    is_mask = rows.dtype == bool
    is_valid = rows.ndim == 1 and (
        rows.size == n_samples
        if is_mask
        else not rows.size
        or (rows.dtype.kind in "iu" and 0 <= rows.min() <= rows.max() < n_samples)
    )
    if not is_valid:
        raise ValueError(
            f"Fold {i} of cv has invalid rows. Pass row numbers from 0 to "
            f"{n_samples - 1}, or a mask with one bool for each of {n_samples} rows."
        )
    return np.flatnonzero(rows) if is_mask else rows.astype(np.intp)
