"""The format version in the pickled state of an estimator."""

#: Format version that this release writes. Increase the version if this release cannot
#: use the files of the previous release: if an estimator, or an object in it, gains or
#: loses an attribute, or if the meaning of an attribute changes. Files contain the
#: module paths of classes, so a class that moves must stay importable at its old path.
FORMAT = 1

#: Key of the format version in the state of an estimator.
FORMAT_KEY = "_skbackprop_format"


class PersistenceMixin:
    """Mixin that adds a format version to the pickled state of an estimator."""

    def __getstate__(self):
        state = {**super().__getstate__(), FORMAT_KEY: FORMAT}
        if "class_weight" in state:
            state["class_weight"] = _without_keys(state["class_weight"])
        return state

    def __setstate__(self, state):
        _check_format(state, type(self).__name__)
        # A release that increases the format version converts older states here, one
        # version after the other.
        state = {name: value for name, value in state.items() if name != FORMAT_KEY}
        if "class_weight" in state:
            state["class_weight"] = _with_keys(state["class_weight"])
        super().__setstate__(state)


def _check_format(state, name):
    """Raise ValueError if this release cannot read the format of a state."""
    if not isinstance(state, dict) or FORMAT_KEY not in state:
        raise ValueError(
            f"The state of this {name} has no format version, but this release of "
            f"skbackprop reads format {FORMAT}. If a subclass defines __getstate__, "
            "start from super().__getstate__(). Otherwise, fit the estimator again, or "
            "load the file with the release that wrote it."
        )
    found = state[FORMAT_KEY]
    if found != FORMAT:
        raise ValueError(
            f"This {name} has format {found!r}, but this release of skbackprop reads "
            f"format {FORMAT}. Load the file with the release that wrote it, or with a "
            "later release."
        )


# skops writes dict keys as strings and treats the keys False and True as equal.
def _without_keys(value):
    if type(value) is dict:
        return {"classes": list(value), "weights": list(value.values())}
    return [_without_keys(item) for item in value] if type(value) is list else value


def _with_keys(value):
    if type(value) is dict:
        return dict(zip(value["classes"], value["weights"]))
    return [_with_keys(item) for item in value] if type(value) is list else value
