"""Views of the flat parameter vector as layers, and blocks of rows."""

from itertools import pairwise

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
    weights, biases, start = [], [], 0
    for fan_in, fan_out in pairwise(sizes):
        W = flat[start : start + fan_in * fan_out]
        weights.append(W.reshape(fan_in, fan_out))
        start += W.size
    for n_units in sizes[1:]:
        biases.append(flat[start : start + n_units])
        start += n_units
    return tuple(weights), tuple(biases)
