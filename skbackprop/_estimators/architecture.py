"""From an estimator's parameters to the parts of the core that they name."""

import copy
from dataclasses import dataclass, fields, is_dataclass
from difflib import get_close_matches
from numbers import Integral, Real
from pickle import PicklingError

import joblib
import numpy as np
from sklearn.utils import check_array

from ..core import initializers, schedules
from ..core.activations import (
    ACTIVATIONS,
    OUTPUT_ACTIVATIONS,
    Activation,
    ActivationFromFunction,
    Softmax,
)
from ..core.initializers import INITIALIZERS
from ..core.losses import LOSSES, Loss, LossFromFunction
from ..core.network import Network
from ..core.schedules import SCHEDULES, WarmUp


def did_you_mean(name, known):
    """Return a sentence that names the nearest known names; empty if none is near."""
    near = get_close_matches(str(name).lower(), sorted(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def build(part, params):
    """Make a part of the core, from the parameters named like its fields.

    Parameters
    ----------
    part : type
        An optimiser, schedule or loss; its settings are dataclass fields.
    params : dict
        Parameters of an estimator, by name.

    Returns
    -------
    object
        Settings that `params` lacks keep the defaults of the class. NumPy
        scalars, as grids hold them, become Python numbers: they would turn
        float32 arithmetic into float64.
    """
    names = [f.name for f in fields(part)] if is_dataclass(part) else []
    given = {name: params[name] for name in names if name in params}
    return part(
        **{k: v.item() if isinstance(v, np.generic) else v for k, v in given.items()}
    )


@dataclass(frozen=True)
class Architecture:
    """What is settled when a network is made, and frozen until it is made anew.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int
        Units of each hidden layer.
    activation : tuple of Activation
        One for each hidden layer.
    output_activation : Activation
        Of the output layer.
    output_name : str
        What that is called.
    loss : Loss
        The loss.
    initializers : tuple of Initializer
        For each layer after the input.
    """

    hidden_layer_sizes: tuple
    activation: tuple
    output_activation: Activation
    output_name: str
    loss: Loss
    initializers: tuple

    def network(self, n_inputs, n_outputs, dtype, rng):
        """Make a network with initial weights drawn from `rng`."""
        sizes = (n_inputs, *self.hidden_layer_sizes, n_outputs)
        network = Network(sizes, (*self.activation, self.output_activation), dtype)
        network.initialize(rng, self.initializers)
        return network

    def fingerprints(self):
        """Note what each part is, to see later whether it has been changed.

        Returns
        -------
        dict
            For each parameter how it is shown, and what can be compared.
        """
        return {
            "hidden_layer_sizes": self.hidden_layer_sizes,
            "activation": Fingerprint(self.activation),
            "loss": Fingerprint([self.loss]),
            "output_activation": Fingerprint([self.output_activation]),
        }


class Fingerprint:
    """Of parts of the core: how they are shown, and what can be compared."""

    def __init__(self, parts):
        self.shown = repr(parts[0] if len(parts) == 1 else tuple(parts))
        self.contents = [(type(part), _comparable(vars(part))) for part in parts]

    def __repr__(self):
        return self.shown

    def __eq__(self, other):
        # What is shown may be an address in memory, another in each process.
        return self.contents == other.contents


def _is_plain(value):
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return isinstance(value, (bool, int, float, str, type(None)))


def _comparable(settings):
    # Files may be older than the joblib at hand, whose hashes may be others then.
    if all(map(_is_plain, settings.values())):
        return settings.copy()
    try:
        return joblib.hash(settings)
    except PicklingError:  # a lambda, say, which is equal to itself alone
        return settings


def check_unchanged(before, now):
    """Raise ValueError, naming the parameter, where what was noted has changed."""
    for name in {**before, **now}:
        if name in before and name in now and before[name] != now[name]:
            raise ValueError(
                f"{name} has changed since the network was made, from "
                f"{before[name]!r} to {now[name]!r}, which partial_fit and "
                "warm_start=True cannot carry on from. Set it back, or call fit with "
                "warm_start=False."
            )


def make_architecture(params, loss, default_output, n_outputs):
    """Settle the architecture that these parameters describe.

    Parameters
    ----------
    params : dict
        Parameters of an estimator, by name.
    loss : str or Loss
        A key of `LOSSES`, or a user's own.
    default_output : str
        Output activation where neither the user nor the loss names one.
    n_outputs : int
        Units of the output layer.

    Returns
    -------
    Architecture

    Raises
    ------
    ValueError
        Where the parameters do not fit each other.
    """
    sizes = _hidden_layer_sizes(params["hidden_layer_sizes"])
    activation = _hidden_activations(params["activation"], len(sizes))
    loss = build(LOSSES[loss], params) if isinstance(loss, str) else own_loss(loss)
    output_name = params["output_activation"]
    if isinstance(output_name, str) and output_name == "auto":
        output_name = loss.output_activation or default_output
    output = _activation(output_name, OUTPUT_ACTIVATIONS, "output_activation")
    _check_output(output, params, loss, n_outputs)
    return Architecture(
        sizes,
        activation,
        output,
        output_name if isinstance(output_name, str) else type(output).__name__,
        loss,
        _initializers(params, activation),
    )


def _hidden_layer_sizes(sizes):
    sizes = [sizes] if np.ndim(sizes) == 0 else list(sizes)
    if not all(isinstance(size, Integral) and size > 0 for size in sizes):
        raise ValueError(
            f"hidden_layer_sizes must be > 0, got {sizes}: each entry is the number of "
            "units of one hidden layer, an integer of at least 1."
        )
    return tuple(int(size) for size in sizes)


def _hidden_activations(activation, n_hidden):
    if isinstance(activation, (str, Activation)) or callable(activation):
        activation = [activation] * n_hidden
    if len(activation) != n_hidden:
        raise ValueError(
            "activation must be one name, or one for each hidden layer: got "
            f"{len(activation)} activations ({list(activation)}) for {n_hidden} hidden "
            "layers (see hidden_layer_sizes)."
        )
    return tuple(_activation(name, ACTIVATIONS, "activation") for name in activation)


def _activation(name, known, parameter):
    if isinstance(name, Activation):
        return _own_activation(name)
    if callable(name) and not isinstance(name, type):
        _expect_pair(parameter, name, 1)
        return _own_activation(ActivationFromFunction(name))
    if not isinstance(name, str) or name not in known:
        raise ValueError(
            f"{parameter} must be among {sorted(known)}, an instance of a class "
            "derived from skbackprop.Activation or a function that returns value and "
            f"slope, got {name!r}." + did_you_mean(name, known)
        )
    return known[name]()


def _own_activation(activation):
    """Copy a user's activation, so that changes to it don't reach the network."""
    trial = copy.deepcopy(activation)
    z, a, delta, scratch = np.full((4, 1, 2), 0.5)
    a[...] = np.nan
    _expect_in_place(trial, "forward", trial.forward(z, a), a)
    _expect_in_place(trial, "backward", trial.backward(delta, a, z, scratch), delta)
    return copy.deepcopy(activation)


def own_loss(loss):
    """Copy a user's loss, so that changes to it don't reach the network.

    Parameters
    ----------
    loss : Loss or callable
        An instance, or a function that returns value and gradient.

    Returns
    -------
    Loss

    Raises
    ------
    TypeError
        Where it can't be used.
    """
    if isinstance(loss, type):
        raise TypeError(
            f"loss={loss!r} is a class; allowed is an instance of it, as in "
            f"loss={loss.__name__}()."
        )
    if not isinstance(loss, Loss):
        _expect_pair("loss", loss, 2)
        loss = LossFromFunction(loss)
    trial = copy.deepcopy(loss)
    y, a, z, out = np.full((4, 1, 2), 0.5)
    for method, arrays in (("value", (y, a, z, out)), ("gradient", (y, a, out))):
        out[...] = np.nan
        _expect_in_place(trial, method, getattr(trial, method)(*arrays), out)
    return copy.deepcopy(loss)


def _expect_pair(parameter, function, n_arguments):
    """Try a user's function; it must return a value and a derivative."""
    arguments = np.full((n_arguments, 3, 2), 0.5)
    try:
        returned = copy.deepcopy(function)(*arguments)
        value, derivative = (np.asarray(array, float) for array in returned)
    except (TypeError, ValueError) as error:
        value = derivative = np.empty(0)
        returned = repr(error)
    is_pair = value.shape == derivative.shape == (3, 2)
    if not is_pair or not np.isfinite([value, derivative]).all():
        what = "targets and outputs" if n_arguments == 2 else "weighted inputs"
        raise TypeError(
            f"{parameter}={function!r} must be a function of {what} that returns its "
            "value and its derivative, two arrays of the same shape: for "
            f"{n_arguments} of shape (3, 2), all 0.5, it gave {returned}."
        )


def _expect_in_place(part, method, returned, written):
    if returned is not None or np.isnan(written).any():
        raise TypeError(
            f"{type(part).__name__}.{method} must write its result into the array it "
            "is given (out[...] = ..., or out=out in NumPy functions) and return "
            f"nothing; at inputs of 0.5 it wrote {written} and returned {returned}."
        )


def _check_output(output, params, loss, n_outputs):
    if not loss.accepts(output):
        allowed = [n for n, f in OUTPUT_ACTIVATIONS.items() if loss.accepts(f())]
        several = " and, for three classes or more, 'softmax'"
        raise ValueError(
            f"output_activation={params['output_activation']!r} cannot serve "
            f"loss={params['loss']!r}; allowed are 'auto', {allowed}"
            f"{several if params['loss'] == 'log_loss' else ''}."
        )
    if isinstance(output, Softmax) and n_outputs == 1:
        raise ValueError(
            "output_activation='softmax' needs at least two outputs, got 1: it would "
            "always be 1. Use 'auto' or 'sigmoid'."
        )


def _initializers(params, hidden):
    init, n_layers = params["init"], len(hidden) + 1
    if not isinstance(init, str):
        return (initializers.FromFunction(init),) * n_layers
    if init != "auto":
        return (INITIALIZERS[init](),) * n_layers
    factors = _glorot_factors(params["activation"], hidden)
    return tuple(initializers.Uniform(factor) for factor in factors)


def _glorot_factors(parameter, hidden):
    """As in scikit-learn, the output layer starts like the last hidden one."""
    if hidden:
        return (*(f.glorot_factor for f in hidden), hidden[-1].glorot_factor)
    if isinstance(parameter, (str, Activation)):
        return (_activation(parameter, ACTIVATIONS, "activation").glorot_factor,)
    return (Activation.glorot_factor,)


def make_schedule(params):
    """Make the learning-rate schedule that parameters of an estimator describe.

    Parameters
    ----------
    params : dict
        By name.

    Returns
    -------
    Schedule or WarmUp
    """
    name, steps = params["learning_rate"], int(params["warmup_steps"])
    if isinstance(name, str):
        schedule = build(SCHEDULES[name], params)
    else:
        rate = float(params["learning_rate_init"])
        schedule = schedules.FromFunction(rate, name)
    return WarmUp(schedule, steps) if steps else schedule


def dropout_rates(dropout, n_hidden):
    """Return the share of units left out of each hidden layer.

    Parameters
    ----------
    dropout : float or sequence of float
        One for all layers, or one for each.
    n_hidden : int
        Hidden layers.

    Returns
    -------
    tuple of float
        Empty where nothing is left out.

    Raises
    ------
    ValueError
        Where there is not one for each layer, or one is beyond [0, 1).
    """
    rates = [dropout] * n_hidden if np.ndim(dropout) == 0 else list(dropout)
    numbers = all(isinstance(rate, Real) and 0.0 <= rate < 1.0 for rate in rates)
    if len(rates) != n_hidden or not numbers:
        raise ValueError(
            "dropout must be a number in [0, 1), or one for each hidden layer: got "
            f"{dropout} for {n_hidden} hidden layers (see hidden_layer_sizes)."
        )
    return tuple(map(float, rates)) if any(rates) else ()


def set_initial_parameters(network, coefs, intercepts):
    """Set the starting weights and biases that a user has given.

    Parameters
    ----------
    network : Network
        Whose parameters are changed.
    coefs : sequence of array-like of shape (fan_in, fan_out), or None
        Weights of each layer; None leaves them.
    intercepts : sequence of array-like of shape (fan_out,), or None
        Biases of each layer; None leaves them.

    Returns
    -------
    bool
        Whether anything was set.

    Raises
    ------
    ValueError
        Where shapes do not fit, or numbers are not finite.
    """
    for name, given, layers in (
        ("coefs_init", coefs, network.weights),
        ("intercepts_init", intercepts, network.biases),
    ):
        if given is None:
            continue
        wanted = [layer.shape for layer in layers]
        try:
            arrays = [
                check_array(array, dtype=np.float64, ensure_2d=False, allow_nd=True)
                for array in given
            ]
        except (TypeError, ValueError) as error:
            arrays, got = [], str(error)
        else:
            got = f"arrays of shapes {[array.shape for array in arrays]}"
        largest = np.finfo(network.dtype).max
        fits = [array.shape for array in arrays] == wanted
        if not fits or any(np.abs(array).max() > largest for array in arrays):
            raise ValueError(
                f"{name} must have finite numbers in {network.dtype}, in arrays of "
                f"shapes {wanted}, one a layer, got {got}."
            )
        for layer, array in zip(layers, arrays):
            layer[...] = array
    return coefs is not None or intercepts is not None
