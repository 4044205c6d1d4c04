"""Class weights: user-defined or balanced."""

from itertools import chain
from math import inf
from numbers import Real

import numpy as np
from sklearn.utils.class_weight import compute_class_weight


def compute_class_weights(class_weight, reader):
    """Compute the weight of each class, for each output.

    Parameters
    ----------
    class_weight : dict, list of dict, "balanced" or None
        As in scikit-learn. A dict maps classes to weights; missing classes have
        weight 1. A label indicator needs one dict per label, with the keys 0 and 1.
    reader : Reader
        Reader with the classes and their counts.

    Returns
    -------
    ndarray of shape (n_outputs, n_classes) or None
        Weight of each class. For a label indicator, weights of the absence and the
        presence of each label. None if `class_weight` is None.

    Raises
    ------
    ValueError
        If `class_weight` does not match the classes.
    """
    if class_weight is None:
        return None
    if isinstance(class_weight, str):  # "balanced"
        return _balanced_weights(reader.class_counts)
    is_indicator = reader.targets.kind == "multilabel"
    classes = np.arange(2) if is_indicator else reader.targets.classes
    return np.array(
        [
            compute_class_weight(weights, classes=classes, y=classes)
            for weights in _weights_by_output(class_weight, reader.targets)
        ]
    )


def _balanced_weights(counts):
    n_present = (counts > 0).sum(axis=1, keepdims=True)
    # All counts are zero if no sample weight is positive.
    means = counts.sum(axis=1, keepdims=True) / np.maximum(n_present, 1)
    return np.divide(means, counts, out=np.zeros_like(counts), where=counts > 0)


def _weights_by_output(class_weight, targets):
    """Return one valid dict per output, or raise ValueError."""
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
    return dicts


def _is_weight(value):
    """Return whether a value is a valid class weight: finite and non-negative."""
    return isinstance(value, Real) and 0.0 <= value < inf
