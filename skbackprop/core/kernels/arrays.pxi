"""Checks of arrays before a kernel writes to their memory."""

import numpy

cimport numpy as np

np.import_array()

ctypedef Py_ssize_t ptrdiff_t

cdef enum:
    C_ORDER = np.NPY_ARRAY_C_CONTIGUOUS
    F_ORDER = np.NPY_ARRAY_F_CONTIGUOUS


cdef extern from "loops.h" namespace "skbackprop" nogil:
    cdef struct Shape:
        ptrdiff_t n_rows
        ptrdiff_t n_columns
        bint by_columns


cdef int dtype_index(np.ndarray array) except -1:
    """Return 0 for float32 and 1 for float64."""
    cdef int kind = np.PyArray_TYPE(array)
    if kind == np.NPY_FLOAT or kind == np.NPY_DOUBLE:
        return kind == np.NPY_DOUBLE
    raise TypeError(f"Kernels support float32 and float64, got {array.dtype}.")


cdef inline bint is_matrix(np.ndarray array, np.ndarray like, int order):
    """Return whether an array has the dtype and shape of a matrix, and an order."""
    return (
        np.PyArray_NDIM(array) == 2
        and np.PyArray_TYPE(array) == np.PyArray_TYPE(like)
        and np.PyArray_DIM(array, 0) == np.PyArray_DIM(like, 0)
        and np.PyArray_DIM(array, 1) == np.PyArray_DIM(like, 1)
        and np.PyArray_CHKFLAGS(array, order | np.NPY_ARRAY_ALIGNED)
    )


cdef inline bint is_vector(np.ndarray array, np.ndarray like, ptrdiff_t size):
    """Return whether an array is a contiguous vector of a size and of a dtype."""
    return (
        np.PyArray_NDIM(array) == 1
        and np.PyArray_TYPE(array) == np.PyArray_TYPE(like)
        and np.PyArray_DIM(array, 0) == size
        and np.PyArray_CHKFLAGS(array, C_ORDER | np.NPY_ARRAY_ALIGNED)
    )
