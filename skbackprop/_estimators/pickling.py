"""The format version in the pickled state of an estimator."""

#: The format that this release writes. It goes up whenever a file of the release
#: before would not do any more: with a parameter or another attribute more or less,
#: or one that means something else, of an estimator or of what it holds.
#: A class of ours that moves has to stay where files look for it.
FORMAT = 1

#: Under which name the number stands in the state of an estimator.
FORMAT_KEY = "_skbackprop_format"


class PersistenceMixin:
    """Has the state of an estimator say in which format it is."""

    def __getstate__(self):
        state = {**super().__getstate__(), FORMAT_KEY: FORMAT}
        if "class_weight" in state:
            state["class_weight"] = _without_keys(state["class_weight"])
        return state

    def __setstate__(self, state):
        _check_format(state, type(self).__name__)
        # Here a release that has raised the format turns states of those before into
        # states of its own, one format after the other.
        state = {name: value for name, value in state.items() if name != FORMAT_KEY}
        if "class_weight" in state:
            state["class_weight"] = _with_keys(state["class_weight"])
        super().__setstate__(state)


def _check_format(state, name):
    """Raise ValueError where a state is of no format that can be read here."""
    if not isinstance(state, dict) or FORMAT_KEY not in state:
        raise ValueError(
            f"the state of this {name} has no format: it was written before there "
            "were formats, or comes from a __getstate__ that leaves it out, which has "
            f"to start from super().__getstate__(). This release reads format {FORMAT}."
            " Fit the estimator again, or load it with the release that wrote it."
        )
    found = state[FORMAT_KEY]
    if found != FORMAT:
        raise ValueError(
            f"this {name} is in format {found!r}, and this release of skbackprop reads "
            f"format {FORMAT}. Load it with the release that wrote it, or a later one."
        )


# skops writes the keys of a dict as text, and takes False and True for one.
def _without_keys(value):
    if type(value) is dict:
        return {"classes": list(value), "weights": list(value.values())}
    return [_without_keys(one) for one in value] if type(value) is list else value


def _with_keys(value):
    if type(value) is dict:
        return dict(zip(value["classes"], value["weights"]))
    return [_with_keys(one) for one in value] if type(value) is list else value
