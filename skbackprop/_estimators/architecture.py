"""Creation of the components of a network from the parameters of an estimator."""

import copy
from dataclasses import dataclass, field
from numbers import Integral
from pickle import PicklingError
from typing import Any

import joblib
import numpy as np

from ..core.activations import (
    ACTIVATIONS,
    OUTPUT_ACTIVATIONS,
    Activation,
    Sigmoid,
    Softmax,
)
from ..core.initializers import INITIALIZERS, Uniform
from ..core.losses import LOSSES, Loss, SquaredError
from ..core.network import Network
from ..core.output_scaling import choose_target_scaling
from ..core.user_functions import (
    ActivationFromFunction,
    InitializerFromFunction,
    LossFromFunction,
)
from .parameters import did_you_mean, is_simple

#: Factor of the initial biases of the first hidden layer with standardized inputs. A
#: ReLU unit bends the prediction where its weighted input is zero. With smaller biases,
#: fewer units bend it outside the range of the training data, where training does not
#: move the bend. Straight lines are then extrapolated better.
STANDARDIZED_BIAS_SCALE = 0.5


@dataclass(frozen=True)
class Architecture:
    """Components of a network, fixed until a new network is created.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int
        Number of units of each hidden layer.
    n_outputs : int
        Number of units of the output layer.
    hidden_activations : tuple of Activation
        Activation of each hidden layer.
    output_activation : Activation
        Activation of the output layer.
    output_name : str
        Name of the output activation.
    loss : Loss
        Loss function.
    initializers : tuple of Initializer
        Initializer of each layer after the input.
    settings : dict
        Parameters that must not change while training continues.
    decides_by_logits : bool
        Whether the decision function of a classifier consists of the weighted inputs
        of the output layer.
    has_softmax_outputs : bool
        Whether the outputs of each sample sum to one.
    target_scaling : str or None
        How `standardize` scales the targets; see `choose_target_scaling`.
    n_averaged_outputs : int
        Number of outputs that displayed losses are averaged over.
    starts_at_class_frequencies : bool
        Whether the initial outputs are the class frequencies.
    """

    hidden_layer_sizes: tuple
    n_outputs: int
    hidden_activations: tuple
    output_activation: Activation
    output_name: str
    loss: Loss
    initializers: tuple
    settings: dict[str, Any]
    decides_by_logits: bool
    has_softmax_outputs: bool
    target_scaling: str | None
    n_averaged_outputs: int
    starts_at_class_frequencies: bool

    def make_network(self, n_inputs, dtype, rng):
        """Create a network with initial parameters drawn from `rng`."""
        sizes = (n_inputs, *self.hidden_layer_sizes, self.n_outputs)
        activations = (*self.hidden_activations, self.output_activation)
        network = Network(sizes, activations, dtype)
        network.initialize(rng, self.initializers)
        return network


@dataclass(frozen=True, repr=False)
class ComponentSettings:
    """Comparable settings of activations or losses, taken before training.

    Parameters
    ----------
    settings : list of tuple
        Type and attributes of each component.
    shown : str
        Representation of the components. `shown` is not compared, because memory
        addresses differ between processes.
    """

    settings: list
    shown: str = field(compare=False)

    def __repr__(self):
        return self.shown


def _comparable(settings):
    # A hash in a file may come from another version of joblib, so simple settings are
    # compared directly.
    if all(map(is_simple, settings.values())):
        return settings.copy()
    try:
        return joblib.hash(settings)
    except PicklingError:  # such as a lambda, which only equals itself
        return settings


def fixed_parameters(estimator):
    """Return the parameters, except components, that must not change in later fits."""
    return {
        "standardize": estimator.standardize,
        "categorical_features": np.asarray(estimator.categorical_features).tolist(),
        "n_bins": estimator.n_bins,
    }


def check_same_settings(before, now):
    """Raise ValueError if a parameter has changed since the network was created.

    Parameters
    ----------
    before, now : dict
        Parameters at that time and now. Only the parameters in both are compared.
    """
    for name, value in before.items():
        if name in now and value != now[name]:
            raise ValueError(
                f"{name} has changed since the network was created, from "
                f"{value!r} to {now[name]!r}. partial_fit and warm_start=True "
                f"require the same {name}: restore it, or call fit with "
                "warm_start=False."
            )


def make_architecture(estimator, targets):
    """Create the architecture that the parameters of an estimator describe.

    Parameters
    ----------
    estimator : BaseBackprop
        Estimator with valid parameters.
    targets : ClassTargets or NumericTargets
        Targets of the network.

    Returns
    -------
    Architecture

    Raises
    ------
    ValueError
        If the parameters are not compatible with each other.
    """
    sizes = _hidden_layer_sizes(estimator.hidden_layer_sizes)
    hidden = _hidden_activations(estimator.activation, len(sizes))
    loss = estimator._get_core_loss(targets)
    loss = LOSSES[loss]() if isinstance(loss, str) else copy_loss(loss)
    name, n_outputs = estimator.output_activation, targets.n_outputs
    if isinstance(name, str) and name == "auto":
        name = loss.output_activation or estimator._default_output_activation
    output = _activation(name, OUTPUT_ACTIVATIONS, "output_activation")
    if not loss.accepts(output):
        raise ValueError(_explain_output(estimator, loss))
    is_softmax = isinstance(output, Softmax)
    if is_softmax and not _supports_softmax(targets):
        raise ValueError(_explain_softmax(n_outputs))
    is_regression = targets.are_numeric
    # A subclass of Sigmoid may reach 0.5 elsewhere.
    has_logits = type(output) in (Sigmoid, Softmax)
    # With many classes, most outputs would otherwise have to decrease from 0.5 first.
    # The decrease is slow because the derivative of the sigmoid is small near 0.
    starts_at_frequencies = (
        not is_regression
        and isinstance(estimator.init, str)
        and estimator.init == "auto"
        and type(output) is Sigmoid
        and type(loss) is SquaredError
    )
    # MLPRegressor displays the mean over the outputs, and minimizes the sum.
    displays_mean = is_regression and estimator.loss == "squared_error"
    return Architecture(
        sizes,
        n_outputs,
        hidden,
        output,
        name if isinstance(name, str) else type(output).__name__,
        loss,
        _initializers(estimator, hidden),
        _fixed_settings(estimator, sizes, hidden, loss, output),
        decides_by_logits=has_logits and not is_regression,
        has_softmax_outputs=is_softmax,
        target_scaling=choose_target_scaling(output) if is_regression else None,
        n_averaged_outputs=n_outputs if displays_mean else 1,
        starts_at_class_frequencies=starts_at_frequencies,
    )


def _fixed_settings(estimator, sizes, hidden, loss, output):
    """Return parameters and components that must not change in later fits."""
    settings = {**fixed_parameters(estimator), "hidden_layer_sizes": sizes}
    for name, components in (
        ("activation", hidden),
        ("loss", [loss]),
        ("output_activation", [output]),
    ):
        values = [
            (type(c), _comparable(vars(c)) if vars(c) else {}) for c in components
        ]
        names = [repr(c) if vars(c) else f"{type(c).__name__}()" for c in components]
        shown = names[0] if len(names) == 1 else f"({', '.join(names)})"
        settings[name] = ComponentSettings(values, shown)
    return settings


def _hidden_layer_sizes(sizes):
    sizes = [sizes] if np.ndim(sizes) == 0 else list(sizes)
    if not all(isinstance(size, Integral) and size > 0 for size in sizes):
        raise ValueError(
            f"hidden_layer_sizes must be > 0, got {sizes}. Each entry is the number of "
            "units of one hidden layer, an integer of at least 1."
        )
    return tuple([int(size) for size in sizes])


def _hidden_activations(activation, n_hidden):
    if isinstance(activation, (str, Activation)) or callable(activation):
        activation = [activation] * n_hidden
    if len(activation) != n_hidden:
        raise ValueError(
            "activation must be one activation, or one per hidden layer. Got "
            f"{len(activation)} activations ({list(activation)}) for {n_hidden} hidden "
            "layers (see hidden_layer_sizes)."
        )
    return tuple([_activation(name, ACTIVATIONS, "activation") for name in activation])


def _activation(name, known, parameter):
    if isinstance(name, Activation):
        return _copy_activation(name)
    if callable(name) and not isinstance(name, type):
        _check_returns_pair(parameter, name, 1)
        return _copy_activation(ActivationFromFunction(name))
    if not isinstance(name, str) or name not in known:
        raise ValueError(
            f"{parameter} must be among {sorted(known)}, an instance of a subclass of "
            "skbackprop.Activation, or a function that returns the value and the "
            f"derivative, got {name!r}." + did_you_mean(name, known)
        )
    return known[name]()


def _copy_activation(activation):
    """Copy a user-defined activation, so that later changes have no effect."""
    trial = copy.deepcopy(activation)
    z, a, delta, scratch = np.full((4, 1, 2), 0.5)
    a[...] = np.nan
    _check_writes_in_place(trial, "forward", trial.forward(z, a), a)
    returned = trial.backward(delta, a, z, scratch)
    _check_writes_in_place(trial, "backward", returned, delta)
    return copy.deepcopy(activation)


def copy_loss(loss):
    """Copy a user-defined loss, so that later changes have no effect.

    Parameters
    ----------
    loss : Loss or callable
        Instance, or function that returns the value and the gradient.

    Returns
    -------
    Loss

    Raises
    ------
    TypeError
        If `loss` is a class, or does not implement the interface of `Loss`.
    """
    if isinstance(loss, type):
        raise TypeError(
            f"loss={loss!r} is a class. Pass an instance, as in loss={loss.__name__}()."
        )
    if not isinstance(loss, Loss):
        _check_returns_pair("loss", loss, 2)
        loss = LossFromFunction(loss)
    trial = copy.deepcopy(loss)
    y, a, z, out = np.full((4, 1, 2), 0.5)
    for method, arrays in (("value", (y, a, z, out)), ("gradient", (y, a, out))):
        out[...] = np.nan
        _check_writes_in_place(trial, method, getattr(trial, method)(*arrays), out)
    return copy.deepcopy(loss)


def _check_returns_pair(parameter, function, n_arguments):
    """Raise TypeError if a function does not return a value and a derivative."""
    arguments = np.full((n_arguments, 3, 2), 0.5)
    try:
        returned = copy.deepcopy(function)(*arguments)
        value, derivative = (np.asarray(array, float) for array in returned)
    except (TypeError, ValueError) as error:
        value = derivative = np.empty(0)
        returned = repr(error)
    is_pair = value.shape == derivative.shape == (3, 2)
    if not is_pair or not np.isfinite([value, derivative]).all():
        inputs = "targets and outputs" if n_arguments == 2 else "weighted inputs"
        raise TypeError(
            f"{parameter}={function!r} must be a function of {inputs} that returns its "
            "value and its derivative, two arrays of the same shape. Called with "
            f"{n_arguments} array(s) of shape (3, 2) filled with 0.5, it returned "
            f"{returned}."
        )


def _check_writes_in_place(component, method, returned, written):
    if returned is not None or np.isnan(written).any():
        raise TypeError(
            f"{type(component).__name__}.{method} must write its result into the array "
            "that it receives (out[...] = ..., or out=out in NumPy functions) and "
            f"return None. For inputs of 0.5, it wrote {written} and returned "
            f"{returned}."
        )


def _explain_output(estimator, loss):
    allowed = [n for n, f in OUTPUT_ACTIVATIONS.items() if loss.accepts(f())]
    is_log_loss = isinstance(estimator.loss, str) and estimator.loss == "log_loss"
    several = ", or 'softmax' for three or more classes" if is_log_loss else ""
    return (
        f"output_activation={estimator.output_activation!r} is not supported with "
        f"loss={estimator.loss!r}. Use 'auto' or one of {allowed}{several}."
    )


def _supports_softmax(targets):
    """Return whether outputs can be probabilities that sum to one."""
    if targets.are_numeric:
        return targets.n_outputs > 1
    return targets.kind == "multiclass"


def _explain_softmax(n_outputs):
    if n_outputs == 1:
        return (
            "output_activation='softmax' requires at least two outputs, got 1. A "
            "single softmax output is always 1. Use 'auto' or 'sigmoid'."
        )
    return (
        "output_activation='softmax' requires mutually exclusive classes, got a label "
        "indicator. Use 'auto' or another output activation."
    )


def _initializers(estimator, hidden):
    init, n_layers = estimator.init, len(hidden) + 1
    if not isinstance(init, str):
        return (InitializerFromFunction(init),) * n_layers
    if init != "auto":
        return (INITIALIZERS[init](),) * n_layers
    # As in scikit-learn, the output layer uses the factor of the last hidden layer.
    if hidden:
        bias_scale = STANDARDIZED_BIAS_SCALE if estimator.standardize else 1.0
        first, *others = [layer.glorot_factor for layer in (*hidden, hidden[-1])]
        return Uniform(first, bias_scale), *map(Uniform, others)
    if isinstance(estimator.activation, (str, Activation)):
        layer = _activation(estimator.activation, ACTIVATIONS, "activation")
    else:
        layer = Activation
    return (Uniform(layer.glorot_factor),)
