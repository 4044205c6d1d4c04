"""Attributes and results of a fit that can be saved without user-defined objects."""

from ..core.activations import ACTIVATIONS, OUTPUT_ACTIVATIONS
from ..core.network import Network
from ..core.state import TrainingState
from .architecture import make_architecture
from .callback_support import without_callbacks
from .fitted import fitted_parts
from .fitting import check_parameters
from .pickling import FORMAT_KEY, RESULTS, with_keys

#: Activations that a file can contain.
LIBRARY_ACTIVATIONS = {*ACTIVATIONS.values(), *OUTPUT_ACTIVATIONS.values()}


def get_attributes(estimator):
    """Return the attributes of an estimator, except callbacks and results of the fit.

    Parameters
    ----------
    estimator : BaseBackprop
        Fitted estimator.

    Returns
    -------
    dict
    """
    state = without_callbacks(estimator.__getstate__())
    attributes = {k: v for k, v in state.items() if k not in {*RESULTS, FORMAT_KEY}}
    if "class_weight" in attributes:
        attributes["class_weight"] = with_keys(attributes["class_weight"])
    return attributes


def get_results(estimator):
    """Return the results of a fit, without the architecture.

    The architecture may contain objects of the user, such as a loss.

    Parameters
    ----------
    estimator : BaseBackprop
        Fitted estimator.

    Returns
    -------
    dict
        The reader, and the state of training. Activations of the user are None.
    """
    reader, _, state = fitted_parts(estimator)
    network = state.network.__getstate__()
    # An activation of this library can have a state, such as the unit of its outputs.
    network["activations"] = [
        f if type(f) in LIBRARY_ACTIVATIONS else None for f in network["activations"]
    ]
    return {"reader": reader, "state": {**state.__getstate__(), "network": network}}


def restore_fit(estimator, attributes, results):
    """Restore the attributes and the results of a fit.

    Parameters
    ----------
    estimator : BaseBackprop
        Estimator whose attributes are set.
    attributes : dict
        Result of `get_attributes`.
    results : dict
        Result of `get_results`.
    """
    estimator.__setstate__(attributes)
    check_parameters(estimator)
    reader, saved = results["reader"], results["state"]
    architecture = make_architecture(estimator, reader.targets)
    new = (*architecture.hidden_activations, architecture.output_activation)
    pairs = zip(saved["network"]["activations"], new, strict=True)
    activations = tuple(before or activation for before, activation in pairs)
    network, state = Network.__new__(Network), TrainingState.__new__(TrainingState)
    network.__setstate__({**saved["network"], "activations": activations})
    state.__setstate__({**saved, "network": network})
    vars(estimator).update(_reader=reader, _architecture=architecture, _state=state)
