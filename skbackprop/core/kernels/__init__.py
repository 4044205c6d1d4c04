"""Operations between the matrix products of a mini-batch, and statistics of columns.

Each kernel has two versions with the same interface. The compiled version needs one
pass over memory, the NumPy version three to ten passes. The NumPy kernels are the
reference. They also run activations and losses of users, and replace the compiled
kernels if these are not installed.

A built-in activation, loss or optimizer names its compiled kernel in the attribute
`compiled_kernel`. If the kernel depends on a setting of the part, such as a slope, the
attribute `kernel_parameter` names this setting. Subclasses do not inherit the kernel,
because they may compute something else.
"""

import numpy as np

from . import (
    numpy_inputs,
    numpy_kernels,
    numpy_piecewise,
    numpy_sparse,
    numpy_statistics,
)
from .variants import load_variant

#: Name of the active kernels ("avx2", "baseline" or "numpy"), and their module or None.
ACTIVE, compiled = load_variant()

#: Name of the whole package.
PACKAGE = __name__.partition(".")[0]

DropoutMask = (compiled or numpy_kernels).DropoutMask
limit_column_norms = (compiled or numpy_kernels).limit_column_norms
PiecewiseKernel = (compiled or numpy_piecewise).PiecewiseKernel
write_one_hot = (compiled or numpy_inputs).write_one_hot
write_targets = (compiled or numpy_inputs).write_targets
write_one_hot_targets = (compiled or numpy_inputs).write_one_hot_targets
statistics = compiled or numpy_statistics
add_sparse_product = (compiled or numpy_sparse).add_sparse_product
add_sparse_transposed_product = (compiled or numpy_sparse).add_sparse_transposed_product


def kernel_name(part):
    """Return the name of the compiled kernel of an activation, loss or optimizer.

    Parameters
    ----------
    part : Activation, Loss or optimizer
        Part of a network.

    Returns
    -------
    str or None
        None if the part runs in NumPy.
    """
    cls = type(part)
    # A class of a user may have an attribute of this name for another purpose.
    is_built_in = cls.__module__.startswith(f"{PACKAGE}.")
    has_kernel = is_built_in and "compiled_kernel" in vars(cls)
    return part.compiled_kernel if compiled and has_kernel else None


def kernel_parameter(part):
    """Return the value that the compiled kernel of an activation or loss depends on."""
    name = part.kernel_parameter
    return 0.0 if name is None else getattr(part, name)


def activation_kernel(activation, n_rows, dtype):
    """Create the kernel of an activation.

    Parameters
    ----------
    activation : Activation
        Activation of a layer.
    n_rows : int
        Number of rows of the largest batch.
    dtype : dtype
        Dtype of the network.

    Returns
    -------
    numpy_kernels.ActivationKernel or object with the same methods
    """
    if name := kernel_name(activation):
        return compiled.ActivationKernel(name, kernel_parameter(activation))
    return numpy_kernels.ActivationKernel(activation, n_rows, dtype)


def loss_kernel(loss, is_canonical, n_outputs):
    """Create the kernel of a loss.

    Parameters
    ----------
    loss : Loss
        Loss of each sample and output.
    is_canonical : bool
        Whether the derivatives of the loss and of the output activation cancel.
    n_outputs : int
        Number of outputs.

    Returns
    -------
    numpy_kernels.LossKernel or object with the same methods
    """
    if name := kernel_name(loss):
        parameter = kernel_parameter(loss)
        return compiled.LossKernel(name, is_canonical, parameter, n_outputs)
    return numpy_kernels.LossKernel(loss, is_canonical)


def has_input_kernel(X):
    """Return whether compiled kernels can read the rows of an array.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_columns)
        Array of any dtype and memory order.

    Returns
    -------
    bool
    """
    is_supported = X.dtype.kind in "biuf" and X.dtype.itemsize <= 8
    has_contiguous_rows = X.strides[1] == X.dtype.itemsize or X.shape[1] <= 1
    is_behaved = X.flags.aligned and X.dtype.isnative and X.dtype != np.float16
    return compiled is not None and is_supported and has_contiguous_rows and is_behaved


def input_kernel(X, inputs, dtype, missing=None):
    """Create the kernel that reads rows of an array.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_columns)
        Array that the rows come from.
    inputs : IdentityTransform or Standardized
        Transform of the network.
    dtype : numpy.dtype
        Dtype of the network.
    missing : ndarray of shape (n_columns,), default=None
        Replacement for NaN in each transformed column; None to keep NaN.

    Returns
    -------
    numpy_inputs.InputKernel or object with the same methods
    """
    inputs = inputs.with_dtype(X.dtype, dtype)
    if has_input_kernel(X):
        vectors = inputs.column_vectors()
        return compiled.InputKernel(dtype, *vectors, missing, X.shape[1])
    return numpy_inputs.InputKernel(inputs, missing)


def indicator_function(X):
    """Return the function `write_indicators` for an array; see `input_kernel`."""
    functions = compiled if has_input_kernel(X) else numpy_inputs
    return functions.write_indicators


def column_moments(X, p):
    """Compute moments of columns; see `numpy_statistics.column_moments`."""
    return statistics.column_moments(_input_of_kernels(X), p)


def column_ranges(X, weight):
    """Compute ranges of columns; see `numpy_statistics.column_ranges`."""
    return statistics.column_ranges(_input_of_kernels(X), weight)


def _input_of_kernels(X):
    """Return an array that the kernels can read; a copy only if necessary."""
    return X if has_input_kernel(X) else np.ascontiguousarray(X, np.float64)


def all_finite(array):
    """Return whether all values are finite; see `numpy_statistics.all_finite`."""
    is_supported = array.flags.forc and array.flags.aligned and array.dtype.isnative
    has_kernel = array.dtype.char in "fd" and is_supported
    return (statistics if has_kernel else numpy_statistics).all_finite(array)


def optimizer_kernel(optimizer, params, gradient, slots, n_weights):
    """Create the kernel of an optimizer.

    Parameters
    ----------
    optimizer : object from `optimizers`
        Optimizer.
    params : ndarray of shape (n_params,)
        Parameters, which the kernel updates in place.
    gradient : ndarray of shape (n_params,)
        Gradient of the loss before each step.
    slots : tuple of ndarray of shape (n_params,)
        Optimizer state, updated in place.
    n_weights : int
        Number of weights, which come before the biases.

    Returns
    -------
    numpy_kernels.OptimizerKernel or object with the same methods
    """
    implementation = compiled if kernel_name(optimizer) else numpy_kernels
    return implementation.OptimizerKernel(optimizer, params, gradient, slots, n_weights)
