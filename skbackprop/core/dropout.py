"""Dropout: units left out at random while training, so that none relies on another."""

import numpy as np

from .activations import Activation


class DropoutActivation(Activation):
    """An activation whose units fall silent at random, a new choice every batch.

    Those that stay are divided by their share, so that nothing needs to change
    where nothing is left out: inverted dropout, after Srivastava et al. (JMLR
    15, 2014, section 10).

    Parameters
    ----------
    activation : Activation
        What the units compute.
    rate : float
        Share of the units left out, in (0, 1).
    rng : numpy.random.Generator
        Where the choices come from.
    shape : tuple of int
        Rows of the largest batch, and units.
    dtype : {"float32", "float64"}
        Of the network.
    """

    def __init__(self, activation, rate, rng, shape, dtype):
        self.activation, self.rng = activation, rng
        self.keep_probability = 1.0 - rate
        # Single precision is enough to choose by, and drawn in half the time.
        self.draws = np.empty(shape, np.float32)
        self.mask = np.empty(shape, dtype)
        # The slope is that of what the units computed, not of what was passed on:
        # that lies in `z`, unless the slope needs `z` as well.
        self.buffer = np.empty(shape, dtype) if activation.needs_z else None

    def _activation_output(self, z):
        return z if self.buffer is None else self.buffer[: len(z)]

    def forward(self, z, out):
        """Write the activations of the units that stay into `out`."""
        draws, mask = self.draws[: len(z)], self.mask[: len(z)]
        a = self._activation_output(z)
        self.activation.forward(z, a)
        self.rng.random(out=draws, dtype=np.float32)
        np.less(draws, self.keep_probability, out=mask)
        mask *= 1.0 / self.keep_probability
        np.multiply(a, mask, out=out)

    def backward(self, delta, a, z, scratch):
        """Multiply `delta` by the slope of the units that stay, and by zero others'."""
        delta *= self.mask[: len(z)]
        self.activation.backward(delta, self._activation_output(z), z, scratch)


def with_dropout(network, rates, rng, n_rows):
    """Return the activations of a network, some of them dropping units out.

    Parameters
    ----------
    network : Network
        Whose activations they are.
    rates : sequence of float
        One for each hidden layer, in [0, 1); the outputs all stay.
    rng : numpy.random.Generator
        Where the choices come from.
    n_rows : int
        Rows of the largest batch.

    Returns
    -------
    tuple of Activation
        One for each layer after the input.
    """
    *hidden, output = network.activations
    return (
        *(
            DropoutActivation(f, rate, rng, (n_rows, n_units), network.dtype)
            if rate
            else f
            for f, rate, n_units in zip(hidden, rates, network.sizes[1:])
        ),
        output,
    )
