"""Feed-forward network and the four equations of back-propagation.

Layers are numbered from 1 to L, ``a[0] = x`` is the input, and f' is the derivative of
the activation of a layer. For one mini-batch of rows, the equations are::

    forward     z[l] = a[l-1] W[l] + b[l],      a[l] = f(z[l])
    (BP1)       delta[L]   = dC/da[L] * f'(z[L])
    (BP2)       delta[l-1] = (delta[l] W[l]^T) * f'(z[l-1])
    (BP3)       dC/db[l]   = sum over rows of delta[l]
    (BP4)       dC/dW[l]   = a[l-1]^T delta[l]

These are equations BP1 to BP4 of Nielsen (2015), chapter 2, with samples as rows
instead of columns. BP1 depends on the cost and is implemented in `objective`.
"""

import copy
from itertools import pairwise

import numpy as np

from .inputs import IdentityTransform
from .layout import BLOCK_ROWS, layer_views, row_blocks
from .output_scaling import rescale_outputs
from .workspace import ForwardBuffers


class Network:
    """Feed-forward network with all parameters in one flat vector.

    Parameters
    ----------
    sizes : sequence of int
        Number of units of each layer, from the input to the output.
    activations : sequence of Activation
        Activation of each layer after the input.
    dtype : {"float32", "float64"}
        Dtype of the parameters and of all computations.

    Attributes
    ----------
    params : ndarray of shape (n_params,)
        All weights, layer by layer, followed by all biases.
    weights, biases : tuple of ndarray
        Weights W and biases b of each layer, as views of `params`.
    dtype : numpy.dtype
        Dtype of `params`.
    n_weights : int
        Number of weights; ``params[:n_weights]`` contains the weights.
    inputs : IdentityTransform or Standardized
        Transform of the raw inputs before the first layer.
    """

    def __init__(self, sizes, activations, dtype):
        self.sizes = tuple(sizes)
        self.activations = tuple(activations)
        self.n_weights = sum(i * o for i, o in pairwise(self.sizes))
        self.params = np.zeros(self.n_weights + sum(self.sizes[1:]), dtype)
        self.dtype = self.params.dtype
        self.inputs = IdentityTransform()
        self.weights, self.biases = layer_views(self.params, self.sizes)

    # `pickle` and `deepcopy` would convert the views to independent arrays, which
    # training would not update. The views are therefore removed and created again.
    def __getstate__(self):
        state = self.__dict__.copy()
        del state["weights"], state["biases"], state["dtype"]
        return state

    def __setstate__(self, state):
        self.__dict__.update(state)
        # Arrays from a message may be unaligned, which is slower.
        self.params = np.require(self.params, requirements="A")
        self.dtype = self.params.dtype
        self.weights, self.biases = layer_views(self.params, self.sizes)

    def copy(self):
        """Return an independent copy; training it does not change the original."""
        copied = copy.copy(self)
        copied.activations = copy.deepcopy(self.activations)
        copied.params = self.params.copy()
        copied.weights, copied.biases = layer_views(copied.params, self.sizes)
        return copied

    def initialize(self, rng, initializers):
        """Draw the initial weights and biases.

        Parameters
        ----------
        rng : numpy.random.RandomState
            Random number generator.
        initializers : sequence of Initializer
            Initializer of each layer after the input.
        """
        for W, b, initializer in zip(self.weights, self.biases, initializers):
            W[...], b[...] = initializer.draw(rng, *W.shape)

    def rescale_outputs(self, factor, shift):
        """Rescale the output layer so that the outputs become ``factor * a + shift``.

        If the units of the targets change during training, rescaling preserves the
        learned function. Van Hasselt et al., "Learning values across many orders of
        magnitude" (NeurIPS 2016), equation 3.

        Parameters
        ----------
        factor, shift : ndarray of shape (n_outputs,) or (1,)
            Factor and shift of each output, or of all outputs.
        """
        W, b = self.weights[-1], self.biases[-1]
        rescale_outputs(self.activations[-1], W, b, factor, shift)

    def rescale_inputs(self, factor, shift):
        """Rescale the first layer if the transform of the inputs has changed.

        The outputs stay the same if the first inputs `x` were ``factor * x + shift``
        with the earlier transform.

        Parameters
        ----------
        factor, shift : ndarray of shape (n_numeric,)
            Factor and shift of each of the first inputs.
        """
        W, b = self.weights[0][: factor.size], self.biases[0]
        b += shift @ W
        W *= factor[:, np.newaxis]

    def forward(self, x, batch):
        """Compute the activations of each layer for one batch of rows.

        Parameters
        ----------
        x : {ndarray, sparse array, SplitBatch} of shape (n_rows, n_inputs)
            Transformed inputs.
        batch : ForwardBuffers
            Buffers for `n_rows` rows; `z` and `a` are overwritten.

        Returns
        -------
        ndarray of shape (n_rows, n_outputs)
            Outputs of the network, the array ``batch.a[-1]``.
        """
        dot, a = batch.first_layer.dot, x
        for W, b, layer, z, out in zip(
            self.weights, self.biases, batch.layers, batch.z, batch.a
        ):
            dot(a, W, out=z)
            layer.forward(z, b, out)  # z += b, then a[l] = f(z)
            dot, a = np.ndarray.dot, out
        return a

    def backward(self, batch):
        """Compute all gradients except ``dW[0]`` by back-propagation.

        Parameters
        ----------
        batch : Workspace
            Buffers after `forward`, with the output error dC/dz in ``delta[-1]`` and
            its sums over the rows in ``db[-1]``. The method writes the other arrays in
            `delta`, `db` and `dW`; see `first_layer_gradient` for ``dW[0]``.
        """
        for l in range(len(self.weights) - 1, 0, -1):
            batch.a[l - 1].T.dot(batch.delta[l], out=batch.dW[l])  # (BP4)
            self._propagate_error(l, batch)  # (BP2) and (BP3)

    def _propagate_error(self, l, batch):
        """Write the error of the layer below layer `l` and its sums over the rows.

        Equations (BP2) and (BP3).
        """
        a, z, delta_below = batch.a[l - 1], batch.z[l - 1], batch.delta[l - 1]
        batch.delta[l].dot(self.weights[l].T, out=delta_below)
        layer, db = batch.layers[l - 1], batch.db[l - 1]
        layer.backward(delta_below, a, z, db, batch.scratch[l - 1])

    def backward_to_inputs(self, batch, n_inputs):
        """Propagate the output error through all layers to the inputs.

        Parameters
        ----------
        batch : Workspace
            Buffers after `forward`, with the output error dC/dz in ``delta[-1]``. The
            method overwrites `delta` and `db`, but not `dW`.
        n_inputs : int
            Number of inputs, counted from the first input.

        Returns
        -------
        ndarray of shape (n_rows, n_inputs)
            Derivatives with respect to the inputs of the first layer.
        """
        for l in range(len(self.weights) - 1, 0, -1):
            self._propagate_error(l, batch)
        return batch.delta[0].dot(self.weights[0][:n_inputs].T)

    def first_layer_gradient(self, batch):
        """Compute the gradient of the first-layer weights, equation (BP4).

        The method is separate from `backward`, because most of this gradient is zero if
        the inputs are sparse.

        Parameters
        ----------
        batch : Workspace
            Buffers after `backward`; ``dW[0]`` is written.
        """
        batch.first_layer.gradient(batch.x, batch.delta[0], out=batch.dW[0])

    def predict(self, X):
        """Compute the outputs for any number of rows, one block at a time.

        The method does not modify the network and can be called from several threads.

        Parameters
        ----------
        X : {ndarray, sparse array, MixedRows} of shape (n_samples, n_inputs)
            Raw inputs. Each block is converted to the dtype of the network, so all
            values must be in the range of this dtype.

        Returns
        -------
        ndarray of shape (n_samples, n_outputs)
            Outputs of the network.
        """
        outputs = np.empty((X.shape[0], self.sizes[-1]), self.dtype)
        for rows, batch in self.forward_blocks(X):
            outputs[rows] = batch.a[-1]
        return outputs

    def forward_blocks(self, X):
        """Run the forward pass on any number of rows, one block at a time.

        Parameters
        ----------
        X : {ndarray, sparse array} of shape (n_samples, n_inputs)
            Raw inputs; see `predict`.

        Yields
        ------
        rows : slice
            Rows of `X` in the block.
        batch : ForwardBuffers
            Activations and weighted inputs of the block. The next block overwrites
            them.
        """
        n_rows = min(X.shape[0], BLOCK_ROWS)
        buffers = ForwardBuffers(self, n_rows, X)
        for rows in row_blocks(X.shape[0], n_rows):
            batch = buffers.head(rows.stop - rows.start)
            self.forward(batch.read(X[rows]), batch)
            yield rows, batch
