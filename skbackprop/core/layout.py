"""Views of the flat parameter vector as layers, and blocks of rows."""

from itertools import pairwise

import numpy as np

from .blas import norm

#: Rows per block of a pass over all rows, as in prediction and L-BFGS. Large enough for
#: efficient matrix products, small enough to keep the activations in the CPU cache.
BLOCK_ROWS = 1024


def row_blocks(n_rows, size):
    """Iterate over slices of at most `size` rows that cover ``range(n_rows)``."""
    starts = range(0, n_rows, size)
    return (slice(start, min(start + size, n_rows)) for start in starts)


def layer_views(flat, sizes):
    """Split a flat vector into the weights and biases of each layer.

    Parameters
    ----------
    flat : ndarray of shape (n_params,)
        All weights, layer by layer, followed by all biases.
    sizes : sequence of int
        Number of units of each layer, starting with the input.

    Returns
    -------
    weights : tuple of ndarray of shape (fan_in, fan_out)
        Weights of each layer, as views of `flat`.
    biases : tuple of ndarray of shape (fan_out,)
        Biases of each layer, as views of `flat`.
    """
    weight_sizes = [fan_in * fan_out for fan_in, fan_out in pairwise(sizes)]
    blocks = np.split(flat, np.cumsum([*weight_sizes, *sizes[1:]])[:-1])
    weights = blocks[: len(weight_sizes)]
    shapes = pairwise(sizes)
    return (
        tuple(block.reshape(shape) for block, shape in zip(weights, shapes)),
        tuple(blocks[len(weight_sizes) :]),
    )


def norms(vectors):
    """Return the norm of each vector, such as the gradient of each layer."""
    return tuple([norm(v) for v in vectors])
