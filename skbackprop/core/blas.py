"""BLAS operations that need one pass over memory, or are faster than in NumPy.

The functions come from SciPy. The BLAS in SciPy wheels has its own threads, which
compete with the threads of the BLAS in NumPy. Training, which calls these functions
between matrix products, must therefore limit the BLAS of SciPy to one thread.
`add_to_rows` uses one thread in any case.
"""

import math

from scipy.linalg.blas import (
    dasum,
    daxpy,
    ddot,
    dger,
    dnrm2,
    dscal,
    sasum,
    saxpy,
    sdot,
    sger,
    snrm2,
    sscal,
)

from .layout import row_blocks

#: Maximum number of elements of an update of a matrix in one call. For larger updates,
#: OpenBLAS uses several threads.
MAX_UPDATE = 8192

_AXPY = {"f": saxpy, "d": daxpy}
_SCAL = {"f": sscal, "d": dscal}
_DOT = {"f": sdot, "d": ddot}
_ASUM = {"f": sasum, "d": dasum}
_NRM2 = {"f": snrm2, "d": dnrm2}
_GER = {"f": sger, "d": dger}


def axpy(a, x, y):
    """Add ``a * x`` to `y` in place.

    Parameters
    ----------
    a : float
        Scalar factor.
    x, y : ndarray of shape (n,), float32 or float64
        Contiguous vectors of the same dtype with one or more elements. `y` is modified.
    """
    _AXPY[y.dtype.char](x, y, a=a)


def scal(a, x):
    """Multiply `x` by `a` in place.

    Parameters
    ----------
    a : float
        Scalar factor.
    x : ndarray of shape (n,), float32 or float64
        Contiguous vector with one or more elements; modified.
    """
    _SCAL[x.dtype.char](a, x)


def dot(x, y):
    """Compute the dot product of two vectors.

    Parameters
    ----------
    x, y : ndarray of shape (n,), float32 or float64
        Contiguous vectors of the same dtype with one or more elements.

    Returns
    -------
    float
        Dot product.
    """
    return _DOT[x.dtype.char](x, y)


def norm(x):
    """Compute the Euclidean norm of a vector.

    Parameters
    ----------
    x : ndarray of shape (n,), float32 or float64
        Contiguous vector with one or more elements.

    Returns
    -------
    float
        Euclidean norm.
    """
    squares = dot(x, x)
    # The sum of squares can overflow or underflow although the norm is in range. BLAS
    # has a slower function that avoids this problem.
    if 1e-30 < squares < math.inf:
        return math.sqrt(squares)
    return _NRM2[x.dtype.char](x)


def norms(vectors):
    """Return the norm of each vector, such as the gradient of each layer."""
    return tuple([norm(v) for v in vectors])


def asum(x):
    """Compute the sum of the absolute values of a vector.

    Parameters
    ----------
    x : ndarray of shape (n,), float32 or float64
        Contiguous vector with one or more elements.

    Returns
    -------
    float
        Sum of absolute values.
    """
    return _ASUM[x.dtype.char](x)


def add_to_rows(b, A, ones):
    """Add `b` to each row of `A` in place.

    Parameters
    ----------
    b : ndarray of shape (n_columns,), float32 or float64
        Vector to add.
    A : ndarray of shape (n_rows, n_columns) and the same dtype
        Matrix in C order with one or more rows; modified.
    ones : ndarray of shape (n_rows,) and the same dtype
        Vector of ones.
    """
    # BLAS expects Fortran order, so the rank-1 update is A^T += b ones^T.
    ger = _GER[A.dtype.char]
    if A.size <= MAX_UPDATE:
        ger(1.0, b, ones, 1, 1, A.T, 1, 1, 1)
        return
    for rows in row_blocks(len(A), max(1, MAX_UPDATE // b.size)):
        ger(1.0, b, ones[rows], 1, 1, A[rows].T, 1, 1, 1)
