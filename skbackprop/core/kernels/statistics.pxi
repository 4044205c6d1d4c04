"""Statistics of columns, and a test for infinite values and NaN."""


cdef extern from "statistics.h" namespace "skbackprop":
    cdef struct Moments:
        double *mean
        double *var
        double *n_known
        double *weight_sum
        double *first
        double *correction
    cdef struct Ranges:
        double *low
        double *high
        double *nonzero_weight
    bint values_are_finite "skbackprop::all_finite"[T](const void *values, ptrdiff_t n)
    bint moments_of_rows "skbackprop::column_moments"(
        Type type, const Rows &rows, const double *weights, const Moments &moments)
    bint ranges_of_rows "skbackprop::column_ranges"(
        Type type, const Rows &rows, const double *weights, const Ranges &ranges)


def all_finite(np.ndarray array):
    """Return whether all values of a contiguous array are finite."""
    cdef bint is_double = dtype_index(array)
    cdef void *data = np.PyArray_DATA(array)
    if not np.PyArray_ISBEHAVED_RO(array) or not (
        np.PyArray_CHKFLAGS(array, C_ORDER) or np.PyArray_CHKFLAGS(array, F_ORDER)
    ):
        raise ValueError(
            "The array must be contiguous and aligned, in native byte order."
        )
    if is_double:
        return values_are_finite[double](data, np.PyArray_SIZE(array))
    return values_are_finite[float](data, np.PyArray_SIZE(array))


cdef void check_supported(bint is_supported, np.ndarray X) except *:
    if not is_supported:
        raise TypeError(f"Kernels do not support inputs of dtype {X.dtype}.")


def column_moments(np.ndarray X, np.ndarray p):
    """Compute moments of columns; see `numpy_statistics.column_moments`."""
    cdef Rows rows = make_rows(X, None)
    cdef Moments moments
    cdef const void *weights = column_data(p, np.NPY_DOUBLE, rows.n_rows)
    cdef double[:, ::1] vectors = numpy.zeros((6, rows.n_columns))
    if rows.n_columns:
        moments.mean, moments.var = &vectors[0, 0], &vectors[1, 0]
        moments.n_known, moments.weight_sum = &vectors[2, 0], &vectors[3, 0]
        moments.first, moments.correction = &vectors[4, 0], &vectors[5, 0]
        check_supported(
            moments_of_rows(type_of(X), rows, <const double *>weights, moments), X
        )
    return tuple(numpy.array(vectors[:4]))


def column_ranges(np.ndarray X, np.ndarray weight):
    """Compute ranges of columns; see `numpy_statistics.column_ranges`."""
    cdef Rows rows = make_rows(X, None)
    cdef Ranges ranges
    cdef const void *weights = column_data(weight, np.NPY_DOUBLE, rows.n_rows)
    cdef double[:, ::1] vectors = numpy.zeros((3, rows.n_columns))
    if rows.n_columns:
        ranges.low, ranges.high = &vectors[0, 0], &vectors[1, 0]
        ranges.nonzero_weight = &vectors[2, 0]
        check_supported(
            ranges_of_rows(type_of(X), rows, <const double *>weights, ranges), X
        )
    return tuple(numpy.asarray(vectors))
