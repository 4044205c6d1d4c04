"""Update of the parameters."""

from libc.math cimport isfinite, sqrt


cdef extern from "optimizers.h" namespace "skbackprop":
    cdef struct Penalty:
        double l2
        double l1
        double decay
        double clip
    cdef struct Parameters:
        void *params
        const void *gradient
        void *slots[2]
        ptrdiff_t n_weights
        ptrdiff_t n_params
    cdef struct PenaltySums:
        double squares
        double magnitudes
    cdef struct OptimizerFunctions:
        int n_slots
        int n_coefficients
        PenaltySums (*update)(const Parameters &parameters, Penalty penalty,
                              const double *coefficients)
        double (*sum_of_squares)(const Parameters &parameters, Penalty penalty)
    OptimizerFunctions find_optimizer[T](const char *name)
    void c_limit_column_norms "skbackprop::limit_column_norms"[T](
        void *matrix, ptrdiff_t n_rows, ptrdiff_t n_columns, double max_norm)


cdef class OptimizerKernel:
    """Compiled update of the parameters of a network.

    Parameters
    ----------
    optimizer : object from `optimizers`
        Optimizer, whose `kernel` is a name in the table of `optimizers.h`.
    params, gradient : ndarray of shape (n_params,)
        Parameters, which `update` changes in place, and gradient of their loss. The
        weights come before the biases.
    slots : sequence of ndarray of shape (n_params,)
        Optimizer state, updated in place.
    n_weights : int
        Number of weights.
    """

    cdef OptimizerFunctions functions
    cdef Parameters parameters
    cdef object optimizer
    cdef tuple arrays  # keeps the memory of the parameters alive

    def __init__(self, optimizer, np.ndarray params, np.ndarray gradient, slots,
                 ptrdiff_t n_weights):
        cdef ptrdiff_t n = np.PyArray_SIZE(params)
        cdef Py_ssize_t i
        key = optimizer.compiled_kernel.encode()
        if dtype_index(params) == 0:
            self.functions = find_optimizer[float](key)
        else:
            self.functions = find_optimizer[double](key)
        if self.functions.update is NULL:
            raise ValueError(f"There is no kernel for {optimizer!r}.")
        self.optimizer = optimizer
        self.arrays = (params, gradient, *slots)
        if len(slots) != self.functions.n_slots or not 0 <= n_weights <= n:
            raise ValueError("The number of slots or weights is wrong.")
        for array in self.arrays:
            if not is_vector(array, params, n):
                raise ValueError("All arrays must have the layout of the parameters.")
        self.parameters.params = np.PyArray_DATA(params)
        self.parameters.gradient = np.PyArray_DATA(gradient)
        for i in range(self.functions.n_slots):
            self.parameters.slots[i] = np.PyArray_DATA(slots[i])
        self.parameters.n_weights, self.parameters.n_params = n_weights, n

    def update(self, double rate, long long t, double l2, double l1, double decay,
               double clip_norm):
        """Update the parameters; see `numpy_kernels.OptimizerKernel.update`."""
        cdef tuple coefficients = self.optimizer.coefficients(rate, t)
        cdef double[4] values
        cdef double norm
        cdef Py_ssize_t i
        cdef Penalty penalty
        cdef PenaltySums sums
        if len(coefficients) != self.functions.n_coefficients:
            raise ValueError("The number of coefficients is wrong.")
        for i in range(self.functions.n_coefficients):
            values[i] = coefficients[i]
        penalty.l2, penalty.l1, penalty.decay, penalty.clip = l2, l1, decay, 1.0
        if isfinite(clip_norm):
            norm = sqrt(self.functions.sum_of_squares(self.parameters, penalty))
            if norm > clip_norm:
                penalty.clip = clip_norm / norm
        sums = self.functions.update(self.parameters, penalty, values)
        # Without a penalty, sums that overflow have no effect.
        return (0.5 * l2 * sums.squares if l2 else 0.0) + (
            l1 * sums.magnitudes if l1 else 0.0
        )


def limit_column_norms(np.ndarray W, double max_norm, squares=None, norms=None):
    """Limit the norms of the columns; see `numpy_kernels.limit_column_norms`."""
    if np.PyArray_NDIM(W) != 2 or not is_matrix(W, W, C_ORDER):
        raise ValueError("W must be a C-contiguous matrix.")
    if dtype_index(W) == 0:
        c_limit_column_norms[float](
            np.PyArray_DATA(W), np.PyArray_DIM(W, 0), np.PyArray_DIM(W, 1), max_norm
        )
    else:
        c_limit_column_norms[double](
            np.PyArray_DATA(W), np.PyArray_DIM(W, 0), np.PyArray_DIM(W, 1), max_norm
        )
