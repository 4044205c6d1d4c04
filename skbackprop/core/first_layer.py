"""Batches for the first layer: how raw rows are read, and products with the weights.

The rows of a batch are dense, sparse, or have categories. `make_first_layer` selects
the class once, so that the loop over mini-batches does not check types.
"""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array, hstack, issparse

from .mixed import MAX_DENSE_LEVELS, MixedRows
from .sparse import sparse_dot, sparse_gradient


class FirstLayer:
    """Base class: reads batches and multiplies them by the first-layer weights.

    Parameters
    ----------
    n_dense : int
        Number of columns of the dense buffer that `read` writes to.
    n_continuous : int
        Number of inputs with derivatives, which are the first inputs.
    """

    def __init__(self, n_dense, n_continuous):
        self.n_dense, self.n_continuous = n_dense, n_continuous

    def read(self, raw, out, inputs):
        """Transform raw rows.

        Parameters
        ----------
        raw : {ndarray, sparse array, MixedRows} of shape (n_rows, n_inputs)
            Raw rows.
        out : ndarray of shape (n_rows, n_dense)
            Buffer of the dtype of the network.
        inputs : IdentityTransform or Standardized
            Transform for the dtypes of `raw` and `out`; see `with_dtype`.

        Returns
        -------
        {ndarray, sparse array, SplitBatch} of shape (n_rows, n_inputs)
        """
        raise NotImplementedError

    def dot(self, x, W, out):
        """Compute ``np.dot(x, W, out=out)`` for a batch `x` from `read`."""
        raise NotImplementedError

    def gradient(self, x, delta, out):
        """Compute ``np.dot(x.T, delta, out=out)``, equation (BP4)."""
        raise NotImplementedError

    def continuous(self, x):
        """Return the inputs of a batch that have derivatives, as an array."""
        raise NotImplementedError

    def copy(self, x):
        """Return a copy of a batch, an array or a sparse array in CSR format."""
        return x.copy()


class DenseProducts(FirstLayer):
    """Base class for dense batches."""

    # `np.dot` needs no other call in between.
    dot = staticmethod(np.dot)

    def gradient(self, x, delta, out):
        np.dot(x.T, delta, out=out)


class DenseRows(DenseProducts):
    """Dense rows."""

    def read(self, raw, out, inputs):
        return inputs.dense(raw, out)

    def continuous(self, x):
        return x


class CenteredSparseRows(DenseProducts):
    """Sparse rows that become dense because the transform subtracts a center."""

    def read(self, raw, out, inputs):
        return inputs.dense(raw.toarray(), out)

    def continuous(self, x):
        return x


class SparseRows(FirstLayer):
    """Sparse rows that stay sparse."""

    dot = staticmethod(sparse_dot)
    gradient = staticmethod(sparse_gradient)

    def read(self, raw, out, inputs):
        return inputs.sparse(raw, out.dtype)

    def continuous(self, x):
        return x.toarray()


class OneHotRows(DenseProducts):
    """Mixed rows with few categories, which become dense."""

    def read(self, raw, out, inputs):
        n_dense = raw.encoding.n_dense
        raw.write_dense(inputs, out[:, :n_dense])
        raw.write_one_hot(out[:, n_dense:])
        return out

    def continuous(self, x):
        return x[:, : self.n_continuous]


class SplitBatch(NamedTuple):
    """Batch of mixed rows with many categories.

    Parameters
    ----------
    dense : ndarray of shape (n_rows, n_dense)
        Numeric features and missing-value indicators.
    one_hot : sparse array of shape (n_rows, n_one_hot)
        One-hot encoded categories.
    """

    dense: np.ndarray
    one_hot: csr_array


class SplitRows(FirstLayer):
    """Mixed rows with many categories, whose one-hot columns stay sparse.

    The products select and update only the weights of the categories in the batch.
    """

    def read(self, raw, out, inputs):
        raw.write_dense(inputs, out)
        return SplitBatch(out, raw.sparse_one_hot(out.dtype))

    def dot(self, x, W, out):
        np.dot(x.dense, W[: self.n_dense], out=out)
        out += x.one_hot @ W[self.n_dense :]

    def gradient(self, x, delta, out):
        np.dot(x.dense.T, delta, out=out[: self.n_dense])
        sparse_gradient(x.one_hot, delta, out[self.n_dense :])

    def continuous(self, x):
        return x.dense[:, : self.n_continuous]

    def copy(self, x):
        return hstack([csr_array(x.dense), x.one_hot], format="csr")


def make_first_layer(X, inputs):
    """Create the object that reads batches of `X`.

    Parameters
    ----------
    X : {ndarray, sparse array, MixedRows} of shape (n_samples, n_inputs)
        Raw inputs.
    inputs : IdentityTransform or Standardized
        Transform of the inputs.

    Returns
    -------
    FirstLayer
    """
    n_inputs = X.shape[1]
    if isinstance(X, MixedRows):
        encoding = X.encoding
        if encoding.n_one_hot > MAX_DENSE_LEVELS:
            return SplitRows(encoding.n_dense, encoding.n_numeric)
        return OneHotRows(n_inputs, encoding.n_numeric)
    if not issparse(X):
        return DenseRows(n_inputs, n_inputs)
    if inputs.centers:
        return CenteredSparseRows(n_inputs, n_inputs)
    return SparseRows(0, n_inputs)
