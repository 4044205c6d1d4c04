"""Operations that BLAS does in one pass, and NumPy in two or half as fast.

They come from SciPy, whose wheels carry a BLAS with threads of its own, which
get in the way of those of NumPy's: whoever calls these between large matrix
products keeps SciPy's to one thread.
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

_AXPY = {"f": saxpy, "d": daxpy}
_SCAL = {"f": sscal, "d": dscal}
_DOT = {"f": sdot, "d": ddot}
_ASUM = {"f": sasum, "d": dasum}
_NRM2 = {"f": snrm2, "d": dnrm2}
_GER = {"f": sger, "d": dger}


def axpy(a, x, y):
    """Add ``a x`` to `y`, in place.

    Parameters
    ----------
    a : float
        The factor.
    x, y : ndarray of shape (n,), float32 or float64
        Contiguous, at least one element; `y` is changed.
    """
    _AXPY[y.dtype.char](x, y, a=a)


def scal(a, x):
    """Multiply `x` by `a`, in place.

    Parameters
    ----------
    a : float
        The factor.
    x : ndarray of shape (n,), float32 or float64
        Contiguous, at least one element; changed.
    """
    _SCAL[x.dtype.char](a, x)


def dot(x, y):
    """Return the sum of the products of the elements of two vectors.

    Parameters
    ----------
    x, y : ndarray of shape (n,), float32 or float64
        Contiguous, of the same dtype, at least one element.

    Returns
    -------
    float
    """
    return _DOT[x.dtype.char](x, y)


def norm(x):
    """Return the root of the sum of the squares of the elements of a vector.

    Parameters
    ----------
    x : ndarray of shape (n,), float32 or float64
        Contiguous, at least one element.

    Returns
    -------
    float
    """
    squares = dot(x, x)
    # Squares leave the range of float32 long before the norm does: BLAS has a slower
    # way around it.
    if 1e-30 < squares < math.inf:
        return math.sqrt(squares)
    return _NRM2[x.dtype.char](x)


def asum(x):
    """Return the sum of the absolute values of the elements of a vector.

    Parameters
    ----------
    x : ndarray of shape (n,), float32 or float64
        Contiguous, at least one element.

    Returns
    -------
    float
    """
    return _ASUM[x.dtype.char](x)


def add_to_rows(b, A, ones):
    """Add `b` to every row of `A`, in place.

    Parameters
    ----------
    b : ndarray of shape (n_columns,), float32 or float64
        What is added.
    A : ndarray of shape (n_rows, n_columns) and the same dtype
        In C order, at least one row; changed.
    ones : ndarray of shape (n_rows,) and the same dtype
        So many ones.
    """
    # BLAS counts in Fortran order: A^T += b ones^T.
    _GER[A.dtype.char](1.0, b, ones, 1, 1, A.T, 1, 1, 1)
