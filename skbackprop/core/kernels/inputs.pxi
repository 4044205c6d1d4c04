"""Rows and targets of a batch."""

from libc.stdint cimport int32_t


cdef extern from "inputs.h" namespace "skbackprop":
    cdef struct Rows:
        const char *data
        ptrdiff_t stride
        const ptrdiff_t *index
        ptrdiff_t n_rows
        ptrdiff_t n_columns
    cdef struct Type:
        char kind
        ptrdiff_t size
    cdef struct ColumnTransform:
        const void *center
        const void *factor
        const void *bound
        const void *missing
    cdef struct TargetRows:
        const ptrdiff_t *codes
        const ptrdiff_t *index
        ptrdiff_t n_rows
    bint read_inputs[D, T](Type type, const Rows &rows, void *out, ptrdiff_t out_stride,
                           const ColumnTransform &transform)
    bint read_indicators[T](Type type, const Rows &rows, const ptrdiff_t *features,
                            ptrdiff_t n_features, void *out, ptrdiff_t out_stride)
    void read_categories[T](const Rows &rows, const int32_t *first_levels,
                            ptrdiff_t n_levels, void *out, ptrdiff_t out_stride)
    bint one_hot[T](const TargetRows &rows, void *y, ptrdiff_t n_classes)
    bint copy_targets[T](const TargetRows &rows, const void *table,
                         ptrdiff_t table_length, void *y, ptrdiff_t n_outputs)


cdef const ptrdiff_t *index_data(rows, ptrdiff_t n_available) except? NULL:
    """Return the row numbers of a batch after a check; NULL for None."""
    cdef np.ndarray index
    cdef const ptrdiff_t *data
    cdef ptrdiff_t i
    if rows is None:
        return NULL
    index = rows
    if np.PyArray_TYPE(index) != np.NPY_INTP or not is_vector(
        index, index, np.PyArray_SIZE(index)
    ):
        raise TypeError("Row numbers must be a contiguous vector of dtype intp.")
    data = <const ptrdiff_t *>np.PyArray_DATA(index)
    for i in range(np.PyArray_SIZE(index)):
        if data[i] < 0 or data[i] >= n_available:
            raise IndexError(f"Row number {data[i]} is not below {n_available}.")
    return data


cdef Rows make_rows(np.ndarray X, rows) except *:
    """Return the selected rows of a matrix, or all rows if `rows` is None."""
    cdef Rows selected
    cdef ptrdiff_t n_rows, n_columns
    if np.PyArray_NDIM(X) != 2 or not np.PyArray_ISBEHAVED_RO(X):
        raise ValueError("X must be an aligned matrix in native byte order.")
    n_rows, n_columns = np.PyArray_DIM(X, 0), np.PyArray_DIM(X, 1)
    if n_columns > 1 and np.PyArray_STRIDE(X, 1) != np.PyArray_ITEMSIZE(X):
        raise ValueError("The values of a row of X must be contiguous.")
    selected.data = <const char *>np.PyArray_DATA(X)
    selected.stride = np.PyArray_STRIDE(X, 0)
    selected.index = index_data(rows, n_rows)
    selected.n_rows = n_rows if rows is None else np.PyArray_SIZE(<np.ndarray>rows)
    selected.n_columns = n_columns
    return selected


cdef Type type_of(np.ndarray X):
    cdef Type type
    type.kind, type.size = X.descr.kind, np.PyArray_ITEMSIZE(X)
    return type


cdef ptrdiff_t row_stride(np.ndarray out, ptrdiff_t n_rows, ptrdiff_t n_columns) except -1:
    """Return the number of values between the rows of an output array."""
    cdef ptrdiff_t item = np.PyArray_ITEMSIZE(out)
    if np.PyArray_NDIM(out) != 2 or (
        np.PyArray_DIM(out, 0) != n_rows or np.PyArray_DIM(out, 1) != n_columns
    ):
        raise ValueError("The output has the wrong shape.")
    if n_rows > 0 and n_columns > 1 and np.PyArray_STRIDE(out, 1) != item:
        raise ValueError("The values of a row of the output must be contiguous.")
    return np.PyArray_STRIDE(out, 0) // item


cdef const void *column_data(array, int typenum, ptrdiff_t n_columns) except? NULL:
    """Return the values of a vector with one value per column; NULL for None."""
    if array is None:
        return NULL
    if np.PyArray_TYPE(<np.ndarray>array) != typenum or not is_vector(
        array, array, n_columns
    ):
        raise ValueError("Each column needs one value of the right dtype.")
    return np.PyArray_DATA(<np.ndarray>array)


cdef class InputKernel:
    """Compiled copy and transform of rows; see `numpy_inputs.InputKernel`.

    Parameters
    ----------
    dtype : numpy.dtype
        Dtype of the network.
    center, factor : ndarray of shape (n_columns,) or None
        Transform of each column, of the dtype in which differences are computed. If
        None, values are only converted.
    bound : ndarray of shape (n_columns,) or None
        Maximum absolute value of the transformed inputs, of dtype `dtype`.
    missing : ndarray of shape (n_columns,) or None
        Replacement for NaN in each column, of dtype `dtype`; None to keep NaN.
    n_columns : int
        Number of columns.
    """

    cdef ColumnTransform transform
    cdef tuple arrays  # keeps the memory of the transform alive
    cdef ptrdiff_t n_columns
    cdef int type, difference_type

    def __init__(self, np.dtype dtype, center, factor, bound, missing,
                 ptrdiff_t n_columns):
        self.type = self.difference_type = dtype.type_num
        if center is not None:
            self.difference_type = np.PyArray_TYPE(<np.ndarray>center)
        if (factor is None) != (center is None) or (bound is None) != (center is None):
            raise ValueError("center, factor and bound must be given together.")
        self.transform.center = column_data(center, self.difference_type, n_columns)
        self.transform.factor = column_data(factor, self.difference_type, n_columns)
        self.transform.bound = column_data(bound, self.type, n_columns)
        self.transform.missing = column_data(missing, self.type, n_columns)
        self.arrays = (center, factor, bound, missing)
        self.n_columns = n_columns

    def read(self, np.ndarray X, rows, np.ndarray out):
        """Write the transformed rows of `X` into `out`; all rows if `rows` is None."""
        cdef Rows selected = make_rows(X, rows)
        cdef ptrdiff_t stride = row_stride(out, selected.n_rows, self.n_columns)
        cdef void *data = np.PyArray_DATA(out)
        cdef bint is_supported
        if selected.n_columns != self.n_columns or np.PyArray_TYPE(out) != self.type:
            raise ValueError("X or the output has the wrong number of columns or dtype.")
        if self.type == np.NPY_DOUBLE:
            is_supported = read_inputs[double, double](
                type_of(X), selected, data, stride, self.transform
            )
        elif self.difference_type == np.NPY_DOUBLE:
            is_supported = read_inputs[double, float](
                type_of(X), selected, data, stride, self.transform
            )
        else:
            is_supported = read_inputs[float, float](
                type_of(X), selected, data, stride, self.transform
            )
        if not is_supported:
            raise TypeError(f"Kernels do not support inputs of dtype {X.dtype}.")


def write_indicators(np.ndarray X, rows, np.ndarray features, np.ndarray out):
    """Write indicators of missing values; see `numpy_inputs.write_indicators`."""
    cdef Rows selected = make_rows(X, rows)
    cdef ptrdiff_t n_features = np.PyArray_SIZE(features)
    cdef const ptrdiff_t *columns = index_data(features, selected.n_columns)
    cdef ptrdiff_t stride = row_stride(out, selected.n_rows, n_features)
    cdef void *data = np.PyArray_DATA(out)
    if dtype_index(out) == 0:
        read_indicators[float](
            type_of(X), selected, columns, n_features, data, stride
        )
    else:
        read_indicators[double](
            type_of(X), selected, columns, n_features, data, stride
        )


def write_one_hot(np.ndarray codes, rows, np.ndarray first_levels, np.ndarray out):
    """Write one-hot encoded categories; see `numpy_inputs.write_one_hot`."""
    cdef Rows selected = make_rows(codes, rows)
    cdef ptrdiff_t n_levels = np.PyArray_DIM(out, 1)
    cdef ptrdiff_t stride = row_stride(out, selected.n_rows, n_levels)
    cdef const int32_t *first = <const int32_t *>column_data(
        first_levels, np.NPY_INT32, selected.n_columns
    )
    if np.PyArray_TYPE(codes) != np.NPY_INT32:
        raise TypeError(f"Codes must have dtype int32, got {codes.dtype}.")
    if dtype_index(out) == 0:
        read_categories[float](selected, first, n_levels, np.PyArray_DATA(out), stride)
    else:
        read_categories[double](selected, first, n_levels, np.PyArray_DATA(out), stride)


def write_targets(np.ndarray table, codes, rows, np.ndarray y):
    """Copy targets; see `numpy_inputs.write_targets`."""
    cdef TargetRows selected = target_rows(codes, rows, np.PyArray_DIM(table, 0), y)
    cdef ptrdiff_t n_outputs = np.PyArray_DIM(y, 1)
    cdef bint is_double = dtype_index(y)
    cdef bint has_rows
    if np.PyArray_TYPE(table) != np.PyArray_TYPE(y) or (
        np.PyArray_NDIM(table) != 2 or np.PyArray_DIM(table, 1) != n_outputs
        or not np.PyArray_CHKFLAGS(table, F_ORDER | np.NPY_ARRAY_ALIGNED)
    ):
        raise ValueError("The table must have the columns, dtype and order of y.")
    if is_double:
        has_rows = copy_targets[double](
            selected, np.PyArray_DATA(table), np.PyArray_DIM(table, 0),
            np.PyArray_DATA(y), n_outputs,
        )
    else:
        has_rows = copy_targets[float](
            selected, np.PyArray_DATA(table), np.PyArray_DIM(table, 0),
            np.PyArray_DATA(y), n_outputs,
        )
    if not has_rows:
        raise IndexError("A code exceeds the table of targets.")


def write_one_hot_targets(np.ndarray codes, rows, np.ndarray y):
    """Write one-hot targets; see `numpy_inputs.write_one_hot_targets`."""
    cdef TargetRows selected = target_rows(codes, rows, np.PyArray_DIM(codes, 0), y)
    cdef ptrdiff_t n_classes = np.PyArray_DIM(y, 1)
    cdef bint has_classes
    if dtype_index(y) == 0:
        has_classes = one_hot[float](selected, np.PyArray_DATA(y), n_classes)
    else:
        has_classes = one_hot[double](selected, np.PyArray_DATA(y), n_classes)
    if not has_classes:
        raise IndexError(f"A code is not below {n_classes}.")


cdef TargetRows target_rows(codes, rows, ptrdiff_t n_available, np.ndarray y) except *:
    """Return the rows of a table of targets; see `TargetRows` in `inputs.h`."""
    cdef TargetRows selected
    selected.codes = NULL
    selected.n_rows = n_available
    if codes is not None:
        selected.codes = <const ptrdiff_t *>column_data(
            codes, np.NPY_INTP, np.PyArray_SIZE(<np.ndarray>codes)
        )
        selected.n_rows = np.PyArray_SIZE(<np.ndarray>codes)
    selected.index = index_data(rows, selected.n_rows)
    if rows is not None:
        selected.n_rows = np.PyArray_SIZE(<np.ndarray>rows)
    if np.PyArray_NDIM(y) != 2 or np.PyArray_DIM(y, 0) != selected.n_rows or (
        not np.PyArray_CHKFLAGS(y, F_ORDER | np.NPY_ARRAY_ALIGNED)
    ):
        raise ValueError("y must have one row per sample, in Fortran order.")
    return selected
