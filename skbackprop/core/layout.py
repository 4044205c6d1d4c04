"""The flat vector of parameters as layers, and rows as blocks."""

from itertools import pairwise

import numpy as np

from .blas import norm

#: Rows that are predicted at a time: enough for the matrix products to be
#: efficient, few enough for the activations to stay in the cache.
BLOCK_ROWS = 1024


def row_blocks(n_rows, size):
    """Yield slices of at most `size` that cover ``range(n_rows)`` in order."""
    for start in range(0, n_rows, size):
        yield slice(start, min(start + size, n_rows))


def layer_views(flat, sizes):
    """Cut a flat vector into the weights and biases of each layer.

    Parameters
    ----------
    flat : ndarray of shape (n_params,)
        All weights, layer by layer, then all biases.
    sizes : sequence of int
        Units a layer, the input first.

    Returns
    -------
    weights : tuple of ndarray of shape (fan_in, fan_out)
        Views of `flat`.
    biases : tuple of ndarray of shape (fan_out,)
        Views of `flat`.
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
    """Return the norms of vectors, such as the gradients of the layers' weights."""
    return tuple([norm(v) for v in vectors])
