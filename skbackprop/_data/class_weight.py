"""Weights of classes: as they are given, or so that all classes count alike."""

from dataclasses import replace
from math import inf
from numbers import Real

import numpy as np
from sklearn.utils.class_weight import compute_class_weight


def is_weight(value):
    """Say whether a value can be the weight of a class."""
    return isinstance(value, Real) and 0.0 <= value < inf


def count_classes(samples, n_classes):
    """Add up the weights of the samples of each class, for every output.

    Parameters
    ----------
    samples : Samples
        Of a classifier: with codes, or with a label indicator as targets.
    n_classes : int
        So many codes there are.

    Returns
    -------
    ndarray of shape (1, n_classes), or of shape (n_labels, 2)
        With labels, of those without and of those with each.
    """
    codes, weight = samples.take(samples.codes), samples.take(samples.weight)
    if weight is None:
        weight = np.ones(len(samples))
    if codes is not None:
        return np.bincount(codes, weight, n_classes)[np.newaxis]
    present = weight.astype(float) @ samples.take(samples.targets)
    return np.column_stack([weight.sum(dtype=float) - present, present])


def weigh_classes(class_weight, classes, counts):
    """Find the weight of each class, for every output.

    Parameters
    ----------
    class_weight : dict, list of dict or "balanced"
        As in scikit-learn: a dict by class, with 1 for those it lacks; for a label
        indicator a list of them, with the keys 0 and 1, one for each label.
    classes : ndarray of shape (n_classes,)
        The classes, 0 and 1 for a label indicator.
    counts : ndarray of shape (n_outputs, n_classes)
        What `count_classes` returns, for all samples so far.

    Returns
    -------
    ndarray of shape (n_outputs, n_classes)
    """
    if isinstance(class_weight, str):  # "balanced"
        n_met = (counts > 0).sum(axis=1, keepdims=True)
        means = counts.sum(axis=1, keepdims=True) / n_met
        return np.divide(means, counts, out=np.zeros_like(counts), where=counts > 0)
    given = [class_weight] if isinstance(class_weight, dict) else class_weight
    return np.array(
        [compute_class_weight(one, classes=classes, y=classes) for one in given]
    )


def weigh_samples(samples, table):
    """Multiply the weight of each sample with those of its classes.

    Parameters
    ----------
    samples : Samples
        As in `count_classes`.
    table : ndarray of shape (n_outputs, n_classes)
        What `weigh_classes` returns.

    Returns
    -------
    Samples
        With the new weights; the product over the labels, for a label indicator.
    """
    if samples.codes is not None:
        factors = table[0, samples.codes]
    else:
        chosen = np.where(samples.targets > 0, table[:, 1], table[:, 0])
        factors = chosen.prod(axis=1)
    if samples.weight is not None:
        factors = factors * samples.weight
    return replace(samples, weight=factors.astype(samples.targets.dtype))
