"""The split of training samples for early stopping."""

from math import ceil

import numpy as np
from sklearn.model_selection import train_test_split


def check_some_weight(samples, what):
    """Raise ValueError where every sample weighs nothing."""
    if samples.mean_weight == 0.0:
        raise ValueError(
            f"sample_weight must be positive for at least one of the samples {what}, "
            "got only zeros."
        )


def split(samples, fraction, rng):
    """Hold out a share of the samples, stratified by class where that can be.

    Parameters
    ----------
    samples : Samples
        All of them.
    fraction : float
        The share.
    rng : numpy.random.RandomState
        Advanced as scikit-learn's `train_test_split` does.

    Returns
    -------
    samples : Samples
        Those to train on, a subset that is not copied.
    held_out : Samples
        The others, not copied either.
    """
    n = len(samples)
    n_held_out = ceil(fraction * n)
    if n_held_out < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the "
            f"size of your dataset: {fraction} of {n} samples is {n_held_out}, allowed "
            "are 2 or more."
        )
    if n_held_out == n:
        raise ValueError(
            f"No sample is left to train on: validation_fraction={fraction} of {n} "
            "samples is all. Lower it, or enlarge the dataset."
        )
    train, rest = train_test_split(
        np.arange(n),
        test_size=fraction,
        random_state=rng,
        stratify=_strata(samples.codes, n, n_held_out),
    )
    held_out = samples.subset(rest)
    check_some_weight(held_out, "held out for validation")
    return samples.subset(train), held_out


def _strata(codes, n_samples, n_held_out):
    """Return what to stratify a split by, None where it can't be done."""
    if codes is None:
        return None
    counts = np.bincount(codes)
    counts = counts[counts > 0]
    splittable = counts.min() >= 2
    roomy = min(n_held_out, n_samples - n_held_out) >= counts.size
    return codes if splittable and roomy else None
