"""Dropout masks."""

from libc.stdint cimport uint64_t


cdef extern from "dropout.h" namespace "skbackprop":
    void drop_out[T](const void *a, void *mask, void *out, ptrdiff_t n, uint64_t key,
                     double keep_probability)


cdef class DropoutMask:
    """Compiled random masks; see `numpy_kernels.DropoutMask`."""

    cdef double keep_probability

    def __init__(self, double keep_probability, n_rows, n_units):
        self.keep_probability = keep_probability

    def apply(self, np.ndarray a, uint64_t key, np.ndarray mask, np.ndarray out):
        """Draw a mask, and multiply activations by it."""
        if not is_matrix(a, a, C_ORDER) or (
            not is_matrix(mask, a, C_ORDER) or not is_matrix(out, a, C_ORDER)
        ):
            raise ValueError("a, mask and out must be matrices of the same layout.")
        if dtype_index(a) == 0:
            drop_out[float](
                np.PyArray_DATA(a), np.PyArray_DATA(mask), np.PyArray_DATA(out),
                np.PyArray_SIZE(a), key, self.keep_probability,
            )
        else:
            drop_out[double](
                np.PyArray_DATA(a), np.PyArray_DATA(mask), np.PyArray_DATA(out),
                np.PyArray_SIZE(a), key, self.keep_probability,
            )
