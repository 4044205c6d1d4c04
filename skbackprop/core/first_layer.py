"""Batches for the first layer: how raw rows are read, and products with the weights.

The rows of a batch are dense, sparse, or have categories. `make_first_layer` selects
the class once, so that the loop over mini-batches does not check types.
"""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array, hstack, issparse

from .kernels import (
    PiecewiseKernel,
    add_sparse_product,
    indicator_function,
    input_kernel,
    write_one_hot,
)
from .mixed import MAX_DENSE_LEVELS, MixedRows, sparse_one_hot
from .piecewise import Components
from .sparse import sparse_dot, sparse_gradient


class FirstLayer:
    """Base class: reads batches and multiplies them by the first-layer weights.

    Parameters
    ----------
    n_dense : int
        Number of columns of the dense buffer that `read` writes to.
    n_numeric : int
        Number of numeric features, which are the first inputs.
    n_continuous : int
        Number of inputs with derivatives: the numeric features, followed by their
        piecewise-linear components.
    """

    def __init__(self, n_dense, n_numeric, n_continuous):
        self.n_dense = n_dense
        self.n_numeric, self.n_continuous = n_numeric, n_continuous

    def read(self, raw, out):
        """Transform all rows of `raw`.

        Parameters
        ----------
        raw : {ndarray, sparse array, MixedRows} of shape (n_rows, n_inputs)
            Raw rows.
        out : ndarray of shape (n_rows, n_dense)
            Buffer of the dtype of the network.

        Returns
        -------
        {ndarray, sparse array, SplitBatch} of shape (n_rows, n_inputs)
        """
        raise NotImplementedError

    def gather(self, X, rows, out):
        """Transform the given rows of `X`.

        Parameters
        ----------
        X : {ndarray, sparse array, MixedRows} of shape (n_samples, n_inputs)
            Raw inputs.
        rows : ndarray of intp of shape (n_rows,)
            Row numbers.
        out : ndarray of shape (n_rows, n_dense)
            Buffer of the dtype of the network.

        Returns
        -------
        {ndarray, sparse array, SplitBatch} of shape (n_rows, n_inputs)
        """
        return self.read(X[rows], out)

    def dot(self, x, W, out):
        """Compute ``np.dot(x, W, out=out)`` for a batch `x` from `read`."""
        raise NotImplementedError

    def gradient(self, x, delta, out):
        """Compute ``np.dot(x.T, delta, out=out)``, equation (BP4)."""
        raise NotImplementedError

    def numeric_features(self, x):
        """Return the numeric features of a batch, as an array."""
        raise NotImplementedError

    def feature_gradients(self, x, gradients):
        """Return derivatives with respect to the transformed numeric features.

        Parameters
        ----------
        x : {ndarray, sparse array, SplitBatch} of shape (n_rows, n_inputs)
            Batch from `read`.
        gradients : ndarray of shape (n_rows, n_continuous)
            Derivatives with respect to the inputs.

        Returns
        -------
        ndarray of shape (n_rows, n_numeric)
        """
        return gradients

    def copy(self, x):
        """Return a copy of a batch, an array or a sparse array in CSR format."""
        return x.copy()


class DenseProducts(FirstLayer):
    """Base class for dense batches."""

    # The method is faster than `np.dot`, which searches for overrides.
    dot = staticmethod(np.ndarray.dot)

    def gradient(self, x, delta, out):
        x.T.dot(delta, out=out)


class DenseRows(DenseProducts):
    """Dense rows."""

    def __init__(self, X, inputs, dtype):
        super().__init__(X.shape[1], X.shape[1], X.shape[1])
        self.kernel = input_kernel(X, inputs, dtype)
        self.is_unchanged = inputs.is_identity and X.dtype == dtype

    def read(self, raw, out):
        if self.is_unchanged:
            return raw
        self.kernel.read(raw, None, out)
        return out

    def gather(self, X, rows, out):
        self.kernel.read(X, rows, out)
        return out

    def numeric_features(self, x):
        return x


class CenteredSparseRows(DenseProducts):
    """Sparse rows that become dense because the transform subtracts a center."""

    def __init__(self, X, inputs, dtype):
        super().__init__(X.shape[1], X.shape[1], X.shape[1])
        self.inputs = inputs.with_dtype(X.dtype, dtype)

    def read(self, raw, out):
        return self.inputs.dense(raw.toarray(), out)

    def numeric_features(self, x):
        return x


class SparseRows(FirstLayer):
    """Sparse rows that stay sparse."""

    dot = staticmethod(sparse_dot)
    gradient = staticmethod(sparse_gradient)

    def __init__(self, X, inputs, dtype):
        super().__init__(0, X.shape[1], X.shape[1])
        self.inputs = inputs.with_dtype(X.dtype, dtype)

    def read(self, raw, out):
        return self.inputs.sparse(raw, out.dtype)

    def numeric_features(self, x):
        return x.toarray()


class NumericColumns:
    """Numeric features and missing-value indicators of mixed rows without bins.

    Parameters
    ----------
    X : MixedRows
        Raw inputs.
    inputs : IdentityTransform or Standardized
        Transform of the numeric features.
    dtype : numpy.dtype
        Dtype of the network.
    """

    def __init__(self, X, inputs, dtype):
        encoding = X.encoding
        self.n_numeric = encoding.n_numeric
        self.indicator_features = encoding.indicator_features
        missing = np.empty(self.n_numeric, dtype)
        missing[...] = inputs.replace_missing(encoding.imputation_values)
        self.kernel = input_kernel(X.numeric, inputs, dtype, missing)
        self.write_indicators = indicator_function(X.numeric)

    def write(self, X, rows, out):
        """Write the columns of the given rows into `out`; of all rows if None."""
        self.kernel.read(X.numeric, rows, out[:, : self.n_numeric])
        self.write_indicators(
            X.numeric, rows, self.indicator_features, out[:, self.n_numeric :]
        )

    def feature_gradients(self, dense, gradients):
        """Return `gradients`, because each numeric feature is one column."""
        return gradients


class PiecewiseColumns(NumericColumns):
    """Numeric features, piecewise-linear components and missing-value indicators.

    Parameters
    ----------
    X, inputs, dtype
        As in `NumericColumns`.
    """

    def __init__(self, X, inputs, dtype):
        super().__init__(X, inputs, dtype)
        self.n_continuous = X.encoding.n_continuous
        self.components = c = Components(X.encoding.bins, inputs, X.dtype, dtype)
        self.piecewise_kernel = PiecewiseKernel(
            self.n_numeric, c.features, c.low, c.factor, c.minimum, c.maximum
        )

    def write(self, X, rows, out):
        """Write the columns of the given rows into `out`; of all rows if None."""
        n, n_continuous = self.n_numeric, self.n_continuous
        self.kernel.read(X.numeric, rows, out[:, :n])
        self.piecewise_kernel.write(out[:, :n], out[:, n:n_continuous])
        self.write_indicators(
            X.numeric, rows, self.indicator_features, out[:, n_continuous:]
        )

    def feature_gradients(self, dense, gradients):
        """Apply the chain rule; see `Components.feature_gradients`."""
        return self.components.feature_gradients(dense[:, : self.n_numeric], gradients)


def make_numeric_columns(X, inputs, dtype):
    """Create the object that reads the numeric features of mixed rows.

    Parameters
    ----------
    X, inputs, dtype
        As in `NumericColumns`.

    Returns
    -------
    NumericColumns
    """
    has_bins = len(X.encoding.bins) > 0
    return (PiecewiseColumns if has_bins else NumericColumns)(X, inputs, dtype)


class OneHotRows(DenseProducts):
    """Mixed rows with few categories, which become dense."""

    def __init__(self, X, inputs, dtype):
        encoding = X.encoding
        super().__init__(X.shape[1], encoding.n_numeric, encoding.n_continuous)
        self.numeric = make_numeric_columns(X, inputs, dtype)
        self.n_numeric_columns = encoding.n_dense
        self.first_levels = encoding.first_levels

    def read(self, raw, out):
        return self.gather(raw, None, out)

    def gather(self, X, rows, out):
        n = self.n_numeric_columns
        self.numeric.write(X, rows, out[:, :n])
        write_one_hot(X.codes, rows, self.first_levels, out[:, n:])
        return out

    def numeric_features(self, x):
        return x[:, : self.n_numeric]

    def feature_gradients(self, x, gradients):
        return self.numeric.feature_gradients(x, gradients)


class SplitBatch(NamedTuple):
    """Batch of mixed rows with many categories.

    Parameters
    ----------
    dense : ndarray of shape (n_rows, n_dense)
        Numeric features, piecewise-linear components and missing-value indicators.
    one_hot : sparse array of shape (n_rows, n_one_hot)
        One-hot encoded categories.
    """

    dense: np.ndarray
    one_hot: csr_array


class SplitRows(FirstLayer):
    """Mixed rows with many categories, whose one-hot columns stay sparse.

    The products select and update only the weights of the categories in the batch.
    """

    def __init__(self, X, inputs, dtype):
        encoding = X.encoding
        super().__init__(encoding.n_dense, encoding.n_numeric, encoding.n_continuous)
        self.numeric = make_numeric_columns(X, inputs, dtype)

    def read(self, raw, out):
        self.numeric.write(raw, None, out)
        return SplitBatch(out, sparse_one_hot(raw.codes, raw.encoding, out.dtype))

    def gather(self, X, rows, out):
        self.numeric.write(X, rows, out)
        return SplitBatch(out, sparse_one_hot(X.codes[rows], X.encoding, out.dtype))

    def dot(self, x, W, out):
        x.dense.dot(W[: self.n_dense], out=out)
        add_sparse_product(x.one_hot, W[self.n_dense :], out)

    def gradient(self, x, delta, out):
        x.dense.T.dot(delta, out=out[: self.n_dense])
        sparse_gradient(x.one_hot, delta, out[self.n_dense :])

    def numeric_features(self, x):
        return x.dense[:, : self.n_numeric]

    def feature_gradients(self, x, gradients):
        return self.numeric.feature_gradients(x.dense, gradients)

    def copy(self, x):
        return hstack([csr_array(x.dense), x.one_hot], format="csr")


def make_first_layer(X, inputs, dtype):
    """Create the object that reads batches of `X`.

    Parameters
    ----------
    X : {ndarray, sparse array, MixedRows} of shape (n_samples, n_inputs)
        Raw inputs.
    inputs : IdentityTransform or Standardized
        Transform of the inputs.
    dtype : numpy.dtype
        Dtype of the network.

    Returns
    -------
    FirstLayer
    """
    if isinstance(X, MixedRows):
        has_many_levels = X.encoding.n_one_hot > MAX_DENSE_LEVELS
        return (SplitRows if has_many_levels else OneHotRows)(X, inputs, dtype)
    if not issparse(X):
        return DenseRows(X, inputs, dtype)
    return (CenteredSparseRows if inputs.centers else SparseRows)(X, inputs, dtype)
