"""Conversion of an estimator to the content of a checkpoint file, and back."""

import numpy as np

from .._estimators.base import BaseBackprop
from .._estimators.callback_support import without_callbacks
from .._estimators.classifier import BackpropClassifier
from .._estimators.regressor import BackpropRegressor
from .._estimators.saved_fit import get_attributes, get_results, restore_fit
from .plain_data import is_plain

#: Classes that can be restored by name. The user must pass other estimators.
LIBRARY_CLASSES = {cls.__name__: cls for cls in (BackpropClassifier, BackpropRegressor)}


def save_estimator(estimator):
    """Return the content of a file with the fit of an estimator.

    Parameters
    ----------
    estimator : BaseBackprop
        Fitted estimator.

    Returns
    -------
    dict
        Name of the class, plain attributes, names of the remaining attributes, and
        results of the fit.
    """
    attributes = get_attributes(estimator)
    plain = {name: value for name, value in attributes.items() if is_plain(value)}
    return {
        "class": type(estimator).__name__,
        "is_subclass": type(estimator) not in LIBRARY_CLASSES.values(),
        "attributes": plain,
        "missing": [name for name in attributes if name not in plain],
        "results": get_results(estimator),
    }


def restore_estimator(saved, given, path):
    """Return an estimator with the fit in a file.

    Parameters
    ----------
    saved : dict
        Result of `save_estimator`.
    given : BaseBackprop or None
        Unfitted estimator that the user passed.
    path : path-like
        Path of the file, for messages.

    Returns
    -------
    BaseBackprop
        New estimator.
    """
    if given is None:
        _check_complete(saved, path)
        cls, defaults = LIBRARY_CLASSES[saved["class"]], {}
    else:
        _check_agreement(saved, given, path)
        cls, defaults = type(given), without_callbacks(vars(given))
    estimator = cls.__new__(cls)
    vars(estimator).update(defaults)
    attributes = {name: defaults[name] for name in saved["missing"]}
    restore_fit(estimator, attributes | saved["attributes"], saved["results"])
    return estimator


def _check_complete(saved, path):
    """Raise ValueError if the user must pass an estimator."""
    name, missing = saved["class"], saved["missing"]
    if not saved["is_subclass"] and not missing:
        return
    reason = (
        f"{name} is not a class of skbackprop"
        if saved["is_subclass"]
        else f"the file does not contain {missing}"
    )
    raise ValueError(
        f"Cannot resume checkpoint {str(path)!r} without an estimator: {reason}. Pass "
        "an unfitted estimator with the same parameters as in the interrupted fit: "
        f"Checkpoint.resume(..., estimator={name}(...))."
    )


def _check_agreement(saved, given, path):
    """Raise an error if an estimator differs from that of the interrupted fit."""
    name, missing = saved["class"], saved["missing"]
    if not isinstance(given, BaseBackprop):
        raise TypeError(
            "estimator must be a BackpropClassifier, a BackpropRegressor or None, got "
            f"{given!r}."
        )
    if type(given).__name__ != name:
        raise ValueError(
            f"Checkpoint {str(path)!r} contains a {name}, but estimator is a "
            f"{type(given).__name__}. Pass an unfitted {name}."
        )
    absent = [key for key in missing if is_plain(vars(given).get(key))]
    if absent:
        raise ValueError(
            f"Checkpoint {str(path)!r} does not contain {absent}, because JSON cannot "
            f"represent the values. Set {absent} of estimator to the same objects as "
            "in the interrupted fit."
        )
    for key in given.get_params(deep=False):
        now, before = getattr(given, key), saved["attributes"].get(key)
        if key in missing or isinstance(before, np.random.RandomState):
            continue
        if _comparable(now) != _comparable(before):
            raise ValueError(
                f"{key} of estimator differs from the interrupted fit: it was "
                f"{before!r}, and is {now!r}. Pass an estimator with the same "
                "parameters."
            )


def _comparable(value):
    """Return a value with lists and Python numbers instead of arrays and tuples."""
    if isinstance(value, (np.ndarray, np.generic)):
        return _comparable(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_comparable(item) for item in value]
    if isinstance(value, dict):
        return {key: _comparable(item) for key, item in value.items()}
    return value
