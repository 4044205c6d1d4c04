"""Products and parameter updates for sparse inputs.

A sparse batch has nonzero values in few columns. Only the corresponding rows of the
first-layer weights have a nonzero gradient.
"""

from .blas import dot, norm, scal
from .kernels import add_sparse_product, add_sparse_transposed_product
from .kernels.numpy_sparse import nonzero_gradient_rows

#: Minimum scale. Smaller scales are multiplied into V, so that division by the scale
#: stays accurate.
MIN_SCALE = 1e-3


def sparse_dot(x, W, out):
    """Compute ``np.dot(x, W, out=out)`` for a SciPy sparse array `x`."""
    out.fill(0.0)
    add_sparse_product(x, W, out)


def sparse_gradient(x, delta, out):
    """Compute ``np.dot(x.T, delta, out=out)`` for a SciPy sparse array `x`."""
    out.fill(0.0)
    add_sparse_transposed_product(x, delta, out)


def _sum_of_squares(matrix):
    flat = matrix.reshape(-1)
    return dot(flat, flat) if flat.size else 0.0


class LazySparseSGD:
    """Plain SGD on the first-layer weights, with lazy L2 shrinkage.

    An L2 penalty shrinks all weights in each step. Therefore W is stored as
    ``scale * V``: the shrinkage multiplies `scale`, and a step updates only the rows of
    V whose inputs are nonzero in the batch. Bottou (2012), "Stochastic gradient descent
    tricks", section 5.1.

    Parameters
    ----------
    W : ndarray of shape (n_inputs, n_units)
        Weights in C order. Their memory stores V until `materialize` is called.

    Attributes
    ----------
    scale : float
        Factor of V, with ``W = scale * V``.
    sum_of_squares : float
        Sum of the squares of V.
    records_gradient_norm : bool
        Whether `step` computes `gradient_norm`.
    gradient_norm : float
        Norm of the gradient in the last recorded step, without the penalty.
    """

    def __init__(self, W):
        self.V = W
        self.records_gradient_norm = False
        self.materialize(1.0)

    def materialize(self, scale):
        """Multiply V by `scale`, so that the array stores W itself."""
        if scale != 1.0:
            scal(scale, self.V.reshape(-1))
        self.scale = 1.0
        self.sum_of_squares = _sum_of_squares(self.V)

    @property
    def squared_norm(self):
        """Sum of the squares of W."""
        return self.scale**2 * self.sum_of_squares

    def step(self, x, delta, rate, shrinkage):
        """Update the weights: ``W <- shrinkage W - rate x.T @ delta``.

        Parameters
        ----------
        x : sparse array of shape (n_rows, n_inputs)
            Batch of inputs in CSR format, multiplied by the current `scale`.
        delta : ndarray of shape (n_rows, n_units)
            Errors of the first layer.
        rate : float
            Learning rate.
        shrinkage : float
            Factor by which the L2 penalty shrinks the weights.
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
