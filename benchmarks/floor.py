"""The floor: the matrix products of a training, and nothing else."""

from itertools import pairwise

import numpy as np


def products(sizes, n_rows, dtype):
    """List the products of one mini-batch, between buffers made beforehand.

    Parameters
    ----------
    sizes : sequence of int
        Units of each layer, the input first.
    n_rows : int
        Rows of the mini-batch.
    dtype : {"float32", "float64"}
        Of all buffers.

    Returns
    -------
    list of tuple of ndarray
        Left factor, right factor and where their product goes: forward from
        the first layer to the last, then backward the gradient of each layer's
        weights and, but for the first layer, the error of the layer below.
    """
    rng = np.random.default_rng(0)
    a = [rng.random((n_rows, n), dtype) for n in sizes]
    delta = [rng.random((n_rows, n), dtype) for n in sizes]
    # Small enough that products of products neither overflow nor die away.
    W = [rng.random(shape, dtype) / shape[0] for shape in pairwise(sizes)]
    dW = [np.empty_like(weights) for weights in W]
    listed = [(a[l], W[l], a[l + 1]) for l in range(len(W))]
    for l in reversed(range(len(W))):
        listed.append((a[l].T, delta[l + 1], dW[l]))
        if l > 0:
            listed.append((delta[l + 1], W[l].T, delta[l]))
    return listed


class Floor:
    """As many products as a fit of this workload needs.

    Parameters
    ----------
    workload : Workload
        The network and how it is trained.

    Attributes
    ----------
    loss_ : None
        Nothing is learned.
    """

    loss_ = None

    def __init__(self, workload):
        self.workload = workload

    def fit(self, X, y):
        """Multiply as if these rows were trained on; they are not looked at."""
        full, rest = divmod(len(X), self.workload.batch_size)
        batches = full * [self._products(self.workload.batch_size)]
        if rest:
            batches.append(self._products(rest))
        for _ in range(self.workload.epochs):
            for batch in batches:
                for left, right, out in batch:
                    np.dot(left, right, out=out)

    def _products(self, n_rows):
        *sizes, n_classes = self.workload.sizes
        sizes.append(1 if n_classes == 2 else n_classes)
        return products(sizes, n_rows, self.workload.computed_in or self.workload.dtype)
