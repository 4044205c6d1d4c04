"""Loss of a batch, and error of its outputs."""

cdef extern from "losses.h" namespace "skbackprop":
    cdef struct OutputBatch:
        const void *y
        ptrdiff_t y_column_stride
        const void *a
        const void *z
        const void *weight
        Shape shape
    cdef struct LossFunctions:
        double (*sum)(const OutputBatch &batch, const double *parameters)
        void (*error)(const OutputBatch &batch, const double *parameters,
                      bint is_canonical, double scale, void *delta, void *db)
    LossFunctions find_loss[T](const char *name)


cdef class LossKernel:
    """Compiled functions of one loss; see `numpy_kernels.LossKernel`.

    Parameters
    ----------
    name : str
        Name in the table of `losses.h`.
    is_canonical : bool
        Whether the derivatives of the loss and of the output activation cancel.
    parameter : float or tuple of float
        Parameter of the loss, such as a quantile, for all outputs or for each output.
    n_outputs : int
        Number of outputs.
    """

    cdef LossFunctions[2] functions
    cdef bint is_canonical
    cdef np.ndarray parameters

    def __init__(self, str name, bint is_canonical, parameter, Py_ssize_t n_outputs):
        key = name.encode()
        self.functions[0] = find_loss[float](key)
        self.functions[1] = find_loss[double](key)
        if self.functions[0].sum is NULL:
            raise ValueError(f"There is no kernel for the loss {name!r}.")
        self.is_canonical = is_canonical
        self.parameters = numpy.full(n_outputs, parameter, dtype=float)

    def sum(self, np.ndarray y, np.ndarray a, np.ndarray z, weight, scratch=None):
        """Return the weighted sum of the losses of all rows and outputs."""
        cdef OutputBatch batch = self.batch(y, a, weight)
        if not is_matrix(z, a, C_ORDER):
            raise ValueError("z must be a C-contiguous matrix of the shape of a.")
        batch.z = np.PyArray_DATA(z)
        return self.functions[dtype_index(a)].sum(batch, self.parameter_data())

    def error(self, np.ndarray y, np.ndarray a, weight, double scale, np.ndarray delta,
              np.ndarray db, scratch=None):
        """Write the scaled error of the outputs into `delta`, and its sums into `db`."""
        cdef OutputBatch batch = self.batch(y, a, weight)
        if not is_matrix(delta, a, F_ORDER) or not is_vector(
            db, a, batch.shape.n_columns
        ):
            raise ValueError("delta and db must have the layout of a.")
        self.functions[dtype_index(a)].error(
            batch, self.parameter_data(), self.is_canonical, scale,
            np.PyArray_DATA(delta), np.PyArray_DATA(db),
        )

    cdef const double *parameter_data(self):
        return <const double *>np.PyArray_DATA(self.parameters)

    cdef OutputBatch batch(self, np.ndarray y, np.ndarray a, weight) except *:
        cdef OutputBatch batch
        cdef ptrdiff_t item = np.PyArray_ITEMSIZE(a)
        cdef ptrdiff_t n_rows, n_columns
        if np.PyArray_NDIM(a) != 2 or not is_matrix(a, a, F_ORDER):
            raise ValueError("a must be a matrix in Fortran order.")
        n_rows, n_columns = np.PyArray_DIM(a, 0), np.PyArray_DIM(a, 1)
        # Targets can be rows of a longer matrix, so only their columns are contiguous.
        if not is_matrix(y, a, 0) or (n_rows > 1 and np.PyArray_STRIDE(y, 0) != item):
            raise ValueError("The columns of y must be contiguous.")
        if weight is not None and not is_vector(weight, a, n_rows):
            raise ValueError("weight must have one value per row of a.")
        if np.PyArray_DIM(self.parameters, 0) != n_columns:
            raise ValueError("The loss must have one parameter per output.")
        batch.y, batch.a = np.PyArray_DATA(y), np.PyArray_DATA(a)
        batch.y_column_stride = np.PyArray_STRIDE(y, 1) // item
        batch.z = NULL
        batch.weight = NULL if weight is None else np.PyArray_DATA(weight)
        batch.shape.n_rows, batch.shape.n_columns = n_rows, n_columns
        batch.shape.by_columns = True
        return batch
