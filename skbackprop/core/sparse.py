"""Sparse inputs: a batch of them touches few rows of the first layer's weights."""

import numpy as np
from scipy.sparse import csr_array

from .blas import dot, norm, scal

#: A smaller scale is multiplied out, so that dividing by it stays exact enough.
MIN_SCALE = 1e-3


def sparse_dot(x, W, out):
    """``np.dot(x, W, out=out)`` where `x` is a SciPy sparse array."""
    out[...] = x @ W


def nonzero_gradient_rows(x, delta):
    """Compute the rows of ``x.T @ delta`` that are not zero.

    Parameters
    ----------
    x : sparse array of shape (n_rows, n_inputs)
        A batch, by rows (CSR).
    delta : ndarray of shape (n_rows, n_units)
        The errors of the first layer.

    Returns
    -------
    columns : ndarray of int of shape (n_columns,)
        Which inputs the batch has at all, in increasing order.
    rows : ndarray of shape (n_columns, n_units)
        Their rows of the product.
    """
    columns, indices = np.unique(x.indices, return_inverse=True)
    compact = csr_array((x.data, indices, x.indptr), (x.shape[0], columns.size))
    return columns, compact.T @ delta


def sparse_gradient(x, delta, out):
    """``np.dot(x.T, delta, out=out)`` where `x` is a SciPy sparse array."""
    if x.shape[1] < x.nnz:
        out[...] = x.T @ delta
        return
    columns, rows = nonzero_gradient_rows(x, delta)
    out.fill(0.0)
    out[columns] = rows


def _sum_of_squares(matrix):
    flat = matrix.reshape(-1)
    return dot(flat, flat) if flat.size else 0.0


class LazySparseSGD:
    """Plain gradient descent on the first weights, at the cost of the columns rows.

    An L2 penalty shrinks all of W in every step. So W is kept as ``scale V``:
    shrinking is one multiplication, and only the columns rows of V move.
    Bottou (2012), "Stochastic gradient descent tricks", section 5.1.

    Parameters
    ----------
    W : ndarray of shape (n_inputs, n_units)
        The weights, in C order. Their memory holds V until `materialize`.

    Attributes
    ----------
    scale : float
        What V is to be multiplied with.
    sum_of_squares : float
        Sum of the squares of V.
    records_gradient_norm : bool
        Whether the norm of the gradient of the steps to come is wanted.
    gradient_norm : float
        That norm, without the penalty.
    """

    def __init__(self, W):
        self.V = W
        self.records_gradient_norm = False
        self.materialize(1.0)

    def materialize(self, scale):
        """Multiply V by this scale, and hold W itself."""
        if scale != 1.0:
            scal(scale, self.V.reshape(-1))
        self.scale = 1.0
        self.sum_of_squares = _sum_of_squares(self.V)

    @property
    def squared_norm(self):
        """Sum of the squares of W."""
        return self.scale**2 * self.sum_of_squares

    def step(self, x, delta, rate, shrinkage):
        """``W <- shrinkage W - rate x.T @ delta``.

        Parameters
        ----------
        x : sparse array of shape (n_rows, n_inputs)
            A batch, multiplied with `scale` as it is at the moment.
        delta : ndarray of shape (n_rows, n_units)
            The errors of the first layer.
        rate : float
            The learning rate.
        shrinkage : float
            What the penalty leaves of the weights.
        """
        columns, rows = nonzero_gradient_rows(x, delta)
        if self.records_gradient_norm:
            flat = rows.reshape(-1)
            self.gradient_norm = norm(flat) / self.scale if flat.size else 0.0
        rows *= rate / self.scale
        self.scale *= shrinkage
        if self.scale < MIN_SCALE:
            self.materialize(self.scale)
        updated_rows = self.V[columns]
        self.sum_of_squares -= _sum_of_squares(updated_rows)
        updated_rows -= rows / self.scale
        self.sum_of_squares += _sum_of_squares(updated_rows)
        self.V[columns] = updated_rows
