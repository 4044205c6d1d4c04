"""The format version in the pickled state of an estimator."""

from functools import wraps

#: Format version that this release writes. Increase the version if this release cannot
#: use the files of the previous release: if an estimator, or an object in it, gains or
#: loses an attribute, or if the meaning of an attribute changes. Files contain the
#: module paths of classes, so a class that moves must stay importable at its old path.
FORMAT = 1

#: Key of the format version in the state of an estimator.
FORMAT_KEY = "_skbackprop_format"

#: Attributes with the results of a fit. A fitted estimator has all of these attributes.
RESULTS = {"_reader", "_architecture", "_state"}


class PersistenceMixin:
    """Mixin that adds a format version to the pickled state of an estimator.

    The version is added outside the methods `__getstate__` and `__setstate__`. A
    subclass can override these methods with or without a call to ``super()``.
    """

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        cls.__getstate__ = _with_format(cls.__getstate__)
        cls.__setstate__ = _from_format(cls.__setstate__)


def _with_format(getstate):
    """Wrap `__getstate__` so that the state contains the format version."""
    if hasattr(getstate, "_handles_format"):  # inherited from a class of this library
        return getstate

    @wraps(getstate)
    def get_state_with_format(self):
        state = getstate(self)
        if not isinstance(state, dict) or FORMAT_KEY in state:
            return state
        state = {**state, FORMAT_KEY: FORMAT}
        if "class_weight" in state:
            state["class_weight"] = _without_keys(state["class_weight"])
        return state

    get_state_with_format._handles_format = True
    return get_state_with_format


def _from_format(setstate):
    """Wrap `__setstate__` so that it receives a state of the current format."""
    if hasattr(setstate, "_handles_format"):
        return setstate

    @wraps(setstate)
    def set_state_from_format(self, state):
        _check_format(self, state)
        # A release that increases the format version converts older states here, one
        # version after the other.
        state = {**state, FORMAT_KEY: FORMAT}
        if "class_weight" in state:
            state["class_weight"] = with_keys(state["class_weight"])
        setstate(self, state)
        vars(self).pop(FORMAT_KEY, None)

    set_state_from_format._handles_format = True
    return set_state_from_format


def _check_format(estimator, state):
    """Raise ValueError if this release cannot read the format of a state."""
    name = type(estimator).__name__
    missing = _missing_names(estimator, state)
    if missing:
        raise ValueError(
            f"The state of this {name} has no format version and lacks {missing}, but "
            f"this release of skbackprop reads format {FORMAT}. If a subclass defines "
            "__getstate__, start from super().__getstate__(). Otherwise, fit the "
            "estimator again, or load the file with the release that wrote it."
        )
    found = state.get(FORMAT_KEY, FORMAT)
    if found != FORMAT:
        raise ValueError(
            f"This {name} has format {found!r}, but this release of skbackprop reads "
            f"format {FORMAT}. Load the file with the release that wrote it, or with a "
            "later release."
        )


def _missing_names(estimator, state):
    """Return the attributes that a state without a format version lacks.

    The methods of a subclass, such as `__reduce__`, can create a state without a format
    version. Such a state has the current format if no attribute is missing.
    """
    if not isinstance(state, dict):
        return "all attributes"
    if FORMAT_KEY in state:
        return []
    required = set(vars(estimator._make_unfitted()))
    if not state.keys().isdisjoint(RESULTS):
        required |= RESULTS
    return sorted(required - state.keys())


# skops writes dict keys as strings and treats the keys False and True as equal.
def _without_keys(value):
    if type(value) is dict:
        return {"classes": list(value), "weights": list(value.values())}
    return [_without_keys(item) for item in value] if type(value) is list else value


def with_keys(value):
    """Return class weights as dicts.

    Parameters
    ----------
    value : object
        Class weights in the state of an estimator, or the parameter `class_weight`.

    Returns
    -------
    object
        The parameter `class_weight`.
    """
    if type(value) is list:
        return [with_keys(item) for item in value]
    if type(value) is dict and isinstance(value.get("classes"), list):
        return dict(zip(value["classes"], value["weights"]))
    return value
