"""Products of a sparse batch in CSR format."""

from libc.stdint cimport int64_t


cdef extern from "sparse.h" namespace "skbackprop":
    cdef cppclass Sparse[T, Index]:
        const T *values
        const Index *columns
        const Index *start
        ptrdiff_t n_rows
    void add_product[T, Index](const Sparse[T, Index] &x, const T *W, T *out,
                               ptrdiff_t n_units)
    void add_transposed_product[T, Index](const Sparse[T, Index] &x, const T *delta,
                                          T *out, ptrdiff_t n_units)


ctypedef fused real:
    float
    double

ctypedef fused index:
    int32_t
    int64_t


cdef Sparse[real, index] sparse_view(
    const real[::1] values, const index[::1] columns, const index[::1] start,
    ptrdiff_t n_columns
) except *:
    """Return a sparse matrix after a check of its columns."""
    cdef Sparse[real, index] x
    cdef ptrdiff_t i
    x.n_rows = start.shape[0] - 1
    if x.n_rows < 0 or start[x.n_rows] > min(values.shape[0], columns.shape[0]):
        raise ValueError("The sparse matrix has fewer values than its rows need.")
    for i in range(x.n_rows):
        if start[i] < 0 or start[i] > start[i + 1]:
            raise ValueError("The rows of the sparse matrix overlap.")
    for i in range(start[x.n_rows]):
        if columns[i] < 0 or columns[i] >= n_columns:
            raise IndexError(f"Column {columns[i]} is not below {n_columns}.")
    x.values = &values[0] if values.shape[0] else NULL
    x.columns = &columns[0] if columns.shape[0] else NULL
    x.start = &start[0]
    return x


def add_csr_product(
    const real[::1] values, const index[::1] columns, const index[::1] start,
    const real[:, ::1] W, real[:, ::1] out
):
    """Add the product of a sparse matrix and `W` to `out`."""
    cdef Sparse[real, index] x = sparse_view[real, index](
        values, columns, start, W.shape[0]
    )
    if out.shape[0] != x.n_rows or out.shape[1] != W.shape[1]:
        raise ValueError("The output has the wrong shape.")
    if W.shape[1]:
        add_product(x, &W[0, 0], &out[0, 0], W.shape[1])


def add_csr_transposed_product(
    const real[::1] values, const index[::1] columns, const index[::1] start,
    const real[:, ::1] delta, real[:, ::1] out
):
    """Add the product of a transposed sparse matrix and `delta` to `out`."""
    cdef Sparse[real, index] x = sparse_view[real, index](
        values, columns, start, out.shape[0]
    )
    if delta.shape[0] != x.n_rows or delta.shape[1] != out.shape[1]:
        raise ValueError("The output has the wrong shape.")
    if out.shape[1]:
        add_transposed_product(x, &delta[0, 0], &out[0, 0], out.shape[1])


def add_sparse_product(x, W, out):
    """Add ``x @ W`` to `out`; see `numpy_sparse.add_sparse_product`."""
    add_csr_product(x.data, x.indices, x.indptr, W, out)


def add_sparse_transposed_product(x, delta, out):
    """Add ``x.T @ delta`` to `out`; see `numpy_sparse`."""
    delta = numpy.ascontiguousarray(delta)  # without hidden layers, in Fortran order
    add_csr_transposed_product(x.data, x.indices, x.indptr, delta, out)
