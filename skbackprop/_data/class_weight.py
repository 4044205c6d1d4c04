"""Class weights: user-defined or balanced."""

from math import inf
from numbers import Real

import numpy as np
from sklearn.utils.class_weight import compute_class_weight


def is_weight(value):
    """Return whether a value is a valid class weight: finite and non-negative."""
    return isinstance(value, Real) and 0.0 <= value < inf


def compute_class_weights(class_weight, classes, counts):
    """Compute the weight of each class, for each output.

    Parameters
    ----------
    class_weight : dict, list of dict or "balanced"
        As in scikit-learn. A dict maps classes to weights; missing classes have
        weight 1. A label indicator needs one dict per label, with the keys 0 and 1.
    classes : ndarray of shape (n_classes,)
        Class labels; 0 and 1 for a label indicator.
    counts : ndarray of shape (n_outputs, n_classes)
        Total sample weight of each class.

    Returns
    -------
    ndarray of shape (n_outputs, n_classes)
    """
    if isinstance(class_weight, str):  # "balanced"
        n_present = (counts > 0).sum(axis=1, keepdims=True)
        means = counts.sum(axis=1, keepdims=True) / n_present
        return np.divide(means, counts, out=np.zeros_like(counts), where=counts > 0)
    per_output = [class_weight] if isinstance(class_weight, dict) else class_weight
    return np.array(
        [compute_class_weight(one, classes=classes, y=classes) for one in per_output]
    )
