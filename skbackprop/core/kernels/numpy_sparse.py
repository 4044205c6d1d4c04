"""Products of a sparse batch in SciPy: the reference for the compiled kernels."""

import numpy as np
from scipy.sparse import csr_array


def add_sparse_product(x, W, out):
    """Add ``x @ W`` to `out`.

    Parameters
    ----------
    x : sparse array of shape (n_rows, n_inputs)
        Batch of inputs in CSR format.
    W : ndarray of shape (n_inputs, n_units)
        Weights.
    out : ndarray of shape (n_rows, n_units)
        Array in C order; modified in place.
    """
    out += x @ W


def add_sparse_transposed_product(x, delta, out):
    """Add ``x.T @ delta`` to `out`.

    Parameters
    ----------
    x : sparse array of shape (n_rows, n_inputs)
        Batch of inputs in CSR format.
    delta : ndarray of shape (n_rows, n_units)
        Errors of the first layer.
    out : ndarray of shape (n_inputs, n_units)
        Array in C order; modified in place.
    """
    if x.shape[1] < x.nnz:
        out += x.T @ delta
    else:
        columns, rows = nonzero_gradient_rows(x, delta)
        out[columns] += rows


def nonzero_gradient_rows(x, delta):
    """Compute the nonzero rows of ``x.T @ delta``.

    Parameters
    ----------
    x, delta
        As in `add_sparse_transposed_product`.

    Returns
    -------
    columns : ndarray of int of shape (n_columns,)
        Columns of `x` with stored values, in increasing order.
    rows : ndarray of shape (n_columns, n_units)
        Corresponding rows of the product.
    """
    columns, indices = np.unique(x.indices, return_inverse=True)
    compact = csr_array((x.data, indices, x.indptr), (x.shape[0], columns.size))
    return columns, compact.T @ delta
