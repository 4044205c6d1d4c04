"""Lower bound of the training time: only the matrix products."""

from itertools import pairwise

import numpy as np


def make_products(sizes, n_rows, dtype):
    """List the matrix products of one mini-batch, with preallocated buffers.

    Parameters
    ----------
    sizes : sequence of int
        Number of units of each layer, starting with the input.
    n_rows : int
        Number of rows of the mini-batch.
    dtype : {"float32", "float64"}
        Dtype of all buffers.

    Returns
    -------
    list of tuple of ndarray
        Left factor, right factor and output buffer of each product. The forward
        products run from the first layer to the last. The backward products follow:
        for each layer the weight gradient and, except for the first layer, the error
        of the layer below.
    """
    rng = np.random.default_rng(0)
    a = [rng.random((n_rows, n), dtype) for n in sizes]
    delta = [rng.random((n_rows, n), dtype) for n in sizes]
    # With small weights, repeated products do not overflow or become subnormal.
    W = [rng.random(shape, dtype) / shape[0] for shape in pairwise(sizes)]
    dW = [np.empty_like(weights) for weights in W]
    products = [(a[l], W[l], a[l + 1]) for l in range(len(W))]
    for l in reversed(range(len(W))):
        products.append((a[l].T, delta[l + 1], dW[l]))
        if l > 0:
            products.append((delta[l + 1], W[l].T, delta[l]))
    return products


class Floor:
    """Baseline that computes the matrix products of a fit and nothing else.

    Parameters
    ----------
    workload : Workload
        The network and its training parameters.

    Attributes
    ----------
    loss_ : None
        Always None, because no loss is computed.
    """

    loss_ = None

    def __init__(self, workload):
        self.workload = workload

    def fit(self, X, y):
        """Compute the products of a fit to `X`; only the number of rows is used."""
        n_full, n_remaining = divmod(len(X), self.workload.batch_size)
        batches = n_full * [self._make_products(self.workload.batch_size)]
        if n_remaining:
            batches.append(self._make_products(n_remaining))
        for _ in range(self.workload.epochs):
            for batch in batches:
                for left, right, out in batch:
                    np.dot(left, right, out=out)

    def _make_products(self, n_rows):
        *sizes, n_classes = self.workload.sizes
        sizes.append(1 if n_classes == 2 else n_classes)
        dtype = self.workload.compute_dtype or self.workload.dtype
        return make_products(sizes, n_rows, dtype)
