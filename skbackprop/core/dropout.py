"""Dropout: random deactivation of units, which reduces overfitting."""

from dataclasses import dataclass

import numpy as np

from .kernels import DropoutMask


class DropoutKernel:
    """Kernel of a layer with inverted dropout; a new mask is drawn for each batch.

    The activations of kept units are divided by the keep probability, so that
    predictions need no rescaling; Srivastava et al. (JMLR 15, 2014), section 10.

    Parameters
    ----------
    kernel : ActivationKernel
        Kernel of the layer without dropout.
    needs_z : bool
        Whether the derivative of the activation reads `z`.
    rate : float
        Dropout rate: probability that a unit is dropped, in (0, 1).
    rng : numpy.random.Generator
        Generator that draws the masks.
    shape : tuple of int
        Number of rows of the largest batch, and number of units.
    dtype : {"float32", "float64"}
        Dtype of the network.
    """

    def __init__(self, kernel, needs_z, rate, rng, shape, dtype):
        self.kernel, self.rng = kernel, rng
        self.random_mask = DropoutMask(1.0 - rate, *shape)
        self.mask_buffer = np.empty(shape, dtype)
        # `backward` needs the activations before dropout. They are stored in `z`, or in
        # a separate buffer if the derivative also needs `z`.
        self.buffer = np.empty(shape, dtype) if needs_z else None

    def _activation_output(self, z):
        """Return the array of the activations before dropout."""
        return z if self.buffer is None else self.buffer[: len(z)]

    def forward(self, z, b, out):
        """Write ``f(z + b)`` of the kept units and 0 for dropped units into `out`."""
        a = self._activation_output(z)
        self.kernel.forward(z, b, a)
        self.mask = self.mask_buffer[: len(z)]
        self.random_mask.apply(a, self.rng.bit_generator.random_raw(), self.mask, out)

    def backward(self, delta, a, z, db, scratch):
        """Multiply `delta` by the mask and by ``f'(z)``, and sum it into `db`."""
        a = self._activation_output(z)
        self.kernel.backward(delta, a, z, db, scratch, self.mask)


@dataclass(frozen=True)
class Dropout:
    """Dropout in the hidden layers of a network.

    Parameters
    ----------
    rates : sequence of float
        Dropout rate of each hidden layer, in [0, 1). A rate of 0 disables dropout in
        that layer. The output layer has no dropout.
    rng : numpy.random.Generator
        Generator that draws the masks.
    """

    rates: tuple
    rng: np.random.Generator

    def wrap(self, kernels, network, n_rows):
        """Return the kernels of a network with dropout in the hidden layers.

        Parameters
        ----------
        kernels : list of ActivationKernel
            Kernel of each layer after the input.
        network : Network
            Network that the kernels belong to.
        n_rows : int
            Number of rows of the largest batch.

        Returns
        -------
        list of {ActivationKernel, DropoutKernel}
            Kernel of each layer after the input.
        """
        *hidden, output = kernels
        layers = zip(hidden, network.activations, self.rates, network.sizes[1:])
        return [
            *(
                DropoutKernel(
                    kernel, f.needs_z, rate, self.rng, (n_rows, n_units), network.dtype
                )
                if rate
                else kernel
                for kernel, f, rate, n_units in layers
            ),
            output,
        ]
