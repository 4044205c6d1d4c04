"""From an estimator's parameters to the parts of the core that they name."""

import copy
from dataclasses import dataclass, fields, is_dataclass
from difflib import get_close_matches
from numbers import Integral

import joblib
import numpy as np

from .core.activations import ACTIVATIONS, OUTPUT_ACTIVATIONS, Activation, Softmax
from .core.losses import LOSSES, Loss
from .core.network import Network


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
    glorot_factors : tuple of float
        For each layer, the bound of its initial weights.
    """

    hidden_layer_sizes: tuple
    activation: tuple
    output_activation: Activation
    output_name: str
    loss: Loss
    glorot_factors: tuple

    def network(self, n_inputs, n_outputs, dtype, rng):
        """Make a network with initial weights drawn from `rng`."""
        sizes = (n_inputs, *self.hidden_layer_sizes, n_outputs)
        network = Network(sizes, (*self.activation, self.output_activation), dtype)
        network.initialize(rng, self.glorot_factors)
        return network

    def fingerprints(self):
        """Note what each part is, to see later whether it has been changed.

        Returns
        -------
        dict
            For each parameter how it is shown, and what can be compared.
        """
        return {
            "hidden_layer_sizes": (self.hidden_layer_sizes, None),
            "activation": (repr(self.activation), _contents(self.activation)),
            "loss": (repr(self.loss), _contents([self.loss])),
            "output_activation": (
                repr(self.output_activation),
                _contents([self.output_activation]),
            ),
        }


def _contents(parts):
    return [(type(part), joblib.hash(vars(part))) for part in parts]


def check_unchanged(before, now):
    """Raise ValueError, naming the parameter, where fingerprints differ."""
    for name in before:
        if before[name] != now[name]:
            raise ValueError(
                f"{name} has changed since the network was made, from "
                f"{before[name][0]} to {now[name][0]}, which partial_fit and "
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
    loss = build(LOSSES[loss], params) if isinstance(loss, str) else _own_loss(loss)
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
        _glorot_factors(params["activation"], activation),
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
    if isinstance(activation, (str, Activation)):
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
    if not isinstance(name, str) or name not in known:
        raise ValueError(
            f"{parameter} must be among {sorted(known)} or an instance of a class "
            f"derived from skbackprop.Activation, got {name!r}."
            + did_you_mean(name, known)
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


def _own_loss(loss):
    """Copy a user's loss, so that changes to it don't reach the network."""
    trial = copy.deepcopy(loss)
    y, a, z, out = np.full((4, 1, 2), 0.5)
    for method, arrays in (("value", (y, a, z, out)), ("gradient", (y, a, out))):
        out[...] = np.nan
        _expect_in_place(trial, method, getattr(trial, method)(*arrays), out)
    return copy.deepcopy(loss)


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


def _glorot_factors(parameter, hidden):
    """As in scikit-learn, the output layer starts like the last hidden one."""
    if hidden:
        return (*(f.glorot_factor for f in hidden), hidden[-1].glorot_factor)
    if isinstance(parameter, (str, Activation)):
        return (_activation(parameter, ACTIVATIONS, "activation").glorot_factor,)
    return (Activation.glorot_factor,)
