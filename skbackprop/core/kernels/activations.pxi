"""Bias and activation of a layer."""

cdef extern from "activations.h" namespace "skbackprop":
    cdef struct ActivationFunctions:
        void (*forward)(void *z, const void *b, void *out, Shape shape, double parameter)
        void (*backward)(void *delta, const void *a, const void *z, void *db,
                         Shape shape, double parameter, const void *mask)
    ActivationFunctions find_activation[T](const char *name)


cdef class ActivationKernel:
    """Compiled functions of one activation; see `numpy_kernels.ActivationKernel`.

    Parameters
    ----------
    name : str
        Name in the table of `activations.h`.
    parameter : float, default=0.0
        Parameter of the activation, such as a slope.
    """

    cdef ActivationFunctions[2] functions
    cdef double parameter

    def __init__(self, str name, double parameter=0.0):
        key = name.encode()
        self.functions[0] = find_activation[float](key)
        self.functions[1] = find_activation[double](key)
        if self.functions[0].forward is NULL:
            raise ValueError(f"There is no kernel for the activation {name!r}.")
        self.parameter = parameter

    def forward(self, np.ndarray z, np.ndarray b, np.ndarray out):
        """Add the bias to `z`, and write the activations into `out`."""
        cdef Shape shape = self.shape(z, out)
        if not is_vector(b, z, shape.n_columns):
            raise ValueError("b must have one value per column of z.")
        self.functions[dtype_index(z)].forward(
            np.PyArray_DATA(z), np.PyArray_DATA(b), np.PyArray_DATA(out),
            shape, self.parameter,
        )

    def backward(self, np.ndarray delta, np.ndarray a, np.ndarray z, np.ndarray db,
                 scratch=None, mask=None):
        """Multiply `delta` by f'(z), and write its column sums into `db`."""
        cdef Shape shape = self.shape(z, delta)
        cdef const void *mask_data = NULL
        if mask is not None:
            if not is_matrix(mask, z, C_ORDER) or not is_matrix(delta, z, C_ORDER):
                raise ValueError("delta and mask must be C-contiguous matrices.")
            shape.by_columns = False
            mask_data = np.PyArray_DATA(<np.ndarray>mask)
        cdef int order = F_ORDER if shape.by_columns else C_ORDER
        if not is_matrix(a, z, order) or not is_vector(db, z, shape.n_columns):
            raise ValueError("a and db must have the layout of delta.")
        self.functions[dtype_index(z)].backward(
            np.PyArray_DATA(delta), np.PyArray_DATA(a), np.PyArray_DATA(z),
            np.PyArray_DATA(db), shape, self.parameter, mask_data,
        )

    cdef Shape shape(self, np.ndarray z, np.ndarray other) except *:
        cdef Shape shape
        if np.PyArray_NDIM(z) != 2 or not is_matrix(z, z, C_ORDER):
            raise ValueError("z must be a C-contiguous matrix.")
        shape.by_columns = is_matrix(other, z, F_ORDER)
        if not shape.by_columns and not is_matrix(other, z, C_ORDER):
            raise ValueError("The matrices must have the same dtype and shape.")
        shape.n_rows = np.PyArray_DIM(z, 0)
        shape.n_columns = np.PyArray_DIM(z, 1)
        return shape
