"""Dropout: random deactivation of units, which reduces overfitting."""

import numpy as np

from .activations import Activation


class DropoutActivation(Activation):
    """Activation with inverted dropout; a new mask is drawn for each batch.

    The activations of kept units are divided by the keep probability, so that
    predictions need no rescaling; Srivastava et al. (JMLR 15, 2014), section 10.

    Parameters
    ----------
    activation : Activation
        Activation of the layer.
    rate : float
        Dropout rate: probability that a unit is dropped, in (0, 1).
    rng : numpy.random.Generator
        Generator that draws the masks.
    shape : tuple of int
        Number of rows of the largest batch, and number of units.
    dtype : {"float32", "float64"}
        Dtype of the network.
    """

    def __init__(self, activation, rate, rng, shape, dtype):
        self.activation, self.rng = activation, rng
        self.keep_probability = 1.0 - rate
        # Single precision is sufficient for the mask and takes half the time to draw.
        self.draws = np.empty(shape, np.float32)
        self.mask = np.empty(shape, dtype)
        # `backward` needs the activations before dropout. They are stored in `z`, or in
        # a separate buffer if the derivative also needs `z`.
        self.buffer = np.empty(shape, dtype) if activation.needs_z else None

    def _activation_output(self, z):
        """Return the array of the activations before dropout."""
        return z if self.buffer is None else self.buffer[: len(z)]

    def forward(self, z, out):
        """Write ``f(z)`` of the kept units and 0 for dropped units into `out`."""
        draws, mask = self.draws[: len(z)], self.mask[: len(z)]
        a = self._activation_output(z)
        self.activation.forward(z, a)
        self.rng.random(out=draws, dtype=np.float32)
        np.less(draws, self.keep_probability, out=mask)
        mask *= 1.0 / self.keep_probability
        np.multiply(a, mask, out=out)

    def backward(self, delta, a, z, scratch):
        """Multiply `delta` by the mask and by ``f'(z)``, in place."""
        delta *= self.mask[: len(z)]
        self.activation.backward(delta, self._activation_output(z), z, scratch)


def with_dropout(network, rates, rng, n_rows):
    """Return the activations of a network, with dropout in the hidden layers.

    Parameters
    ----------
    network : Network
        Network that provides the activations.
    rates : sequence of float
        Dropout rate of each hidden layer, in [0, 1). A rate of 0 disables dropout in
        that layer. The output layer has no dropout.
    rng : numpy.random.Generator
        Generator that draws the masks.
    n_rows : int
        Number of rows of the largest batch.

    Returns
    -------
    tuple of Activation
        Activation of each layer after the input.
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
