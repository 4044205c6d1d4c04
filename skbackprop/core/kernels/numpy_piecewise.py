"""Piecewise-linear components in NumPy: the reference for the compiled kernel."""

import numpy as np


class PiecewiseKernel:
    """Piecewise-linear components of transformed features.

    Parameters
    ----------
    n_features : int
        Number of features.
    features : ndarray of int32 of shape (n_components,)
        Feature of each component.
    low, factor, minimum, maximum : ndarray of shape (n_components,)
        Vectors of the dtype of the network; see `skbackprop.core.piecewise.Components`.
    """

    def __init__(self, n_features, features, low, factor, minimum, maximum):
        self.features, self.low, self.factor = features, low, factor
        self.minimum, self.maximum = minimum, maximum

    def write(self, z, out):
        """Write the components of each row into `out`.

        Parameters
        ----------
        z : ndarray of shape (n_rows, n_features)
            Transformed features without missing values.
        out : ndarray of shape (n_rows, n_components)
            Array of the same dtype that receives the components.
        """
        z.take(self.features, axis=1, out=out, mode="clip")
        # Overflow is harmless because infinite values are clipped.
        with np.errstate(over="ignore"):
            out -= self.low
            out *= self.factor
        np.maximum(out, self.minimum, out=out)
        np.minimum(out, self.maximum, out=out)
