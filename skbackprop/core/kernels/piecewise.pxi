"""Piecewise-linear components of transformed features."""


cdef extern from "piecewise.h" namespace "skbackprop":
    cdef struct Components:
        const int32_t *features
        const void *low
        const void *factor
        const void *minimum
        const void *maximum
        ptrdiff_t n_components
    void write_components[T](const Rows &rows, const Components &components, void *out,
                             ptrdiff_t out_stride)


cdef class PiecewiseKernel:
    """Compiled piecewise-linear encoding; see `numpy_piecewise.PiecewiseKernel`."""

    cdef Components components
    cdef tuple arrays  # keeps the memory of the components alive
    cdef ptrdiff_t n_features
    cdef int type

    def __init__(self, ptrdiff_t n_features, np.ndarray features, np.ndarray low,
                 np.ndarray factor, np.ndarray minimum, np.ndarray maximum):
        cdef ptrdiff_t i, n = np.PyArray_SIZE(features)
        dtype_index(low)
        self.type = np.PyArray_TYPE(low)
        self.components.features = <const int32_t *>column_data(
            features, np.NPY_INT32, n
        )
        self.components.low = column_data(low, self.type, n)
        self.components.factor = column_data(factor, self.type, n)
        self.components.minimum = column_data(minimum, self.type, n)
        self.components.maximum = column_data(maximum, self.type, n)
        self.components.n_components = n
        self.arrays = (features, low, factor, minimum, maximum)
        self.n_features = n_features
        for i in range(n):
            if not 0 <= self.components.features[i] < n_features:
                raise IndexError(f"Feature {features[i]} is not below {n_features}.")

    def write(self, np.ndarray z, np.ndarray out):
        """Write the components of each row of `z` into `out`."""
        cdef Rows rows = make_rows(z, None)
        cdef ptrdiff_t stride = row_stride(
            out, rows.n_rows, self.components.n_components
        )
        cdef void *data = np.PyArray_DATA(out)
        if (
            np.PyArray_TYPE(z) != self.type or np.PyArray_TYPE(out) != self.type
            or rows.n_columns != self.n_features
        ):
            raise ValueError("z or the output has the wrong number of columns or dtype.")
        if self.type == np.NPY_DOUBLE:
            write_components[double](rows, self.components, data, stride)
        else:
            write_components[float](rows, self.components, data, stride)
