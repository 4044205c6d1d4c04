"""Class weights: user-defined or balanced."""

from dataclasses import replace
from itertools import chain
from math import inf
from numbers import Real

import numpy as np
from sklearn.utils.class_weight import compute_class_weight


def learn_class_weights(class_weight, reader, samples, *, adds_counts):
    """Count the classes of training samples, and compute the weight of each class.

    Parameters
    ----------
    class_weight : dict, list of dict, "balanced" or None
        As in scikit-learn. A dict maps classes to weights; missing classes have
        weight 1. A label indicator needs one dict per label, with the keys 0 and 1.
    reader : Reader
        Reader of the samples.
    samples : TrainingSamples or DistributedSamples
        Training samples with class labels.
    adds_counts : bool
        Whether to add the counts to the counts of the reader.

    Returns
    -------
    reader : Reader
        Reader with the class counts.
    class_weights : ndarray of shape (n_outputs, n_classes) or None
        For a label indicator, the weights of the absence and the presence of each
        label. None if all classes have weight 1.

    Raises
    ------
    ValueError
        If `class_weight` does not match the classes.
    """
    targets = reader.targets
    counts = samples.class_counts(len(targets.classes))
    if adds_counts:
        counts = counts + reader.class_counts
    reader = replace(reader, class_counts=counts)
    if class_weight is None:
        return reader, None
    if isinstance(class_weight, str):  # "balanced"
        return reader, _balanced_weights(counts)
    _check_class_weight(class_weight, targets)
    is_indicator = targets.kind == "multilabel"
    classes = np.arange(2) if is_indicator else targets.classes
    per_output = class_weight if is_indicator else [class_weight]
    return reader, np.array(
        [compute_class_weight(one, classes=classes, y=classes) for one in per_output]
    )


def _balanced_weights(counts):
    n_present = (counts > 0).sum(axis=1, keepdims=True)
    means = counts.sum(axis=1, keepdims=True) / n_present
    return np.divide(means, counts, out=np.zeros_like(counts), where=counts > 0)


def _check_class_weight(class_weight, targets):
    """Raise ValueError if the class weights do not match the targets."""
    is_indicator = targets.kind == "multilabel"
    n_dicts = len(targets.classes) if is_indicator else 1
    dicts = class_weight if is_indicator else [class_weight]
    is_valid = (
        isinstance(dicts, list)
        and len(dicts) == n_dicts
        and all(isinstance(one, dict) for one in dicts)
        and all(map(_is_weight, chain(*map(dict.values, dicts))))
    )
    if not is_valid:
        allowed = (
            f"a list of {n_dicts} dicts with the keys 0 and 1, one per label"
            if is_indicator
            else "a dict from class to weight"
        )
        raise ValueError(
            f"class_weight={class_weight!r} does not match y. Use 'balanced', None or "
            f"{allowed}, with finite weights of at least 0."
        )


def _is_weight(value):
    """Return whether a value is a valid class weight: finite and non-negative."""
    return isinstance(value, Real) and 0.0 <= value < inf
