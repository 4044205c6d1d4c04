"""The validation split for early stopping."""

from math import ceil

import numpy as np
from sklearn.model_selection import train_test_split

from .checks import check_mean_weight


def split(samples, fraction, rng):
    """Split samples into a training and a validation set, stratified if possible.

    Parameters
    ----------
    samples : Samples
        Samples to split.
    fraction : float
        Fraction of the samples in the validation set.
    rng : numpy.random.RandomState
        Random number generator, passed to
        :func:`sklearn.model_selection.train_test_split`.

    Returns
    -------
    training : Samples
        Subset for training, not copied.
    validation : Samples
        Subset for validation, not copied.
    """
    n_samples = samples.n_samples
    n_validation = ceil(fraction * n_samples)
    if n_validation < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the "
            f"size of your dataset. Got {n_validation} of {n_samples} samples with "
            f"validation_fraction={fraction}; at least 2 are required."
        )
    if n_validation == n_samples:
        raise ValueError(
            f"The training set is empty: validation_fraction={fraction} selects all "
            f"{n_samples} samples. Decrease 'validation_fraction' or increase the size "
            "of your dataset."
        )
    training_rows, validation_rows = train_test_split(
        np.arange(n_samples),
        test_size=fraction,
        random_state=rng,
        stratify=_strata(samples.codes, n_samples, n_validation),
    )
    validation = samples.subset(validation_rows)
    check_mean_weight(validation.weight_totals().mean, "validation")
    return samples.subset(training_rows), validation


def _strata(codes, n_samples, n_validation):
    """Return the classes to stratify by; None if stratification is impossible."""
    if codes is None:
        return None
    counts = np.bincount(codes)
    counts = counts[counts > 0]
    has_pairs = counts.min() >= 2
    fits = min(n_validation, n_samples - n_validation) >= counts.size
    return codes if has_pairs and fits else None
