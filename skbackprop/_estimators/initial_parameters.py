"""Initial parameters from the user or from the targets."""

import numpy as np
from scipy.special import logit
from sklearn.utils import check_array

#: Minimum distance of the initial outputs from 0 and 1. Closer to 0 or 1, the
#: derivative of a sigmoid is too small for training.
MIN_INITIAL_OUTPUT = 0.0001

#: Initial output of a class without samples, which may occur in a later chunk.
ABSENT_CLASS_OUTPUT = 0.01


def init_output_biases(network, targets, samples):
    """Initialize the output biases so that sigmoid outputs equal the class frequencies.

    Parameters
    ----------
    network : Network
        Network whose output biases are set.
    targets : ClassTargets
        Encoder of the classes.
    samples : TrainingSamples or DistributedSamples
        Training samples.
    """
    counts = samples.class_counts(len(targets.classes))
    frequencies = counts / counts.sum(axis=1, keepdims=True)
    is_multiclass = targets.kind == "multiclass"
    initial = frequencies[0] if is_multiclass else frequencies[:, 1]
    smallest = np.where(
        np.isin(initial, (0.0, 1.0)), ABSENT_CLASS_OUTPUT, MIN_INITIAL_OUTPUT
    )
    network.biases[-1][...] = logit(initial.clip(smallest, 1.0 - smallest))


def set_initial_parameters(network, coefs, intercepts):
    """Set the initial weights and biases that the user passed to `fit`.

    Parameters
    ----------
    network : Network
        Network whose parameters are set.
    coefs : sequence of array-like of shape (fan_in, fan_out), or None
        Weights of each layer; None leaves the weights unchanged.
    intercepts : sequence of array-like of shape (fan_out,), or None
        Biases of each layer; None leaves the biases unchanged.

    Raises
    ------
    ValueError
        If the shapes do not match, or if values are not finite.
    """
    for name, given, layers in (
        ("coefs_init", coefs, network.weights),
        ("intercepts_init", intercepts, network.biases),
    ):
        if given is not None:
            set_layers(layers, given, name)


def set_layers(layers, values, name):
    """Copy values into the weights or biases of each layer.

    Parameters
    ----------
    layers : sequence of ndarray
        Weights or biases of each layer, which are overwritten.
    values : sequence of array-like
        One array per layer, of the same shapes.
    name : str
        Name of `values` in the error message.

    Raises
    ------
    ValueError
        If the shapes do not match, or if values are not finite. No layer is changed.
    """
    shapes, dtype = [layer.shape for layer in layers], layers[0].dtype
    try:
        # The copies allow that the values are views of the layers.
        arrays = [
            check_array(a, dtype=np.float64, ensure_2d=False, allow_nd=True, copy=True)
            for a in values
        ]
    except (TypeError, ValueError) as error:
        arrays, received = [], str(error).rstrip(".")
    else:
        received = f"arrays of shapes {[array.shape for array in arrays]}"
    largest = np.finfo(dtype).max
    has_shapes = [array.shape for array in arrays] == shapes
    if not has_shapes or any(np.abs(array).max() > largest for array in arrays):
        raise ValueError(
            f"{name} must be a sequence of one array per layer, of shapes {shapes} "
            f"with finite values in {dtype}, got {received}."
        )
    for layer, array in zip(layers, arrays):
        layer[...] = array
