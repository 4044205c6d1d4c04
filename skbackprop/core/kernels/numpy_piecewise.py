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
        self.low, self.factor = low, factor
        # Slices of adjacent components of the same feature. Selecting the feature of
        # each component would copy the whole batch.
        starts = np.flatnonzero(np.diff(features, prepend=-1))
        stops = [*starts[1:], len(features)]
        self.parts = [
            (features[start], slice(start, stop)) for start, stop in zip(starts, stops)
        ]
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
        # Overflow is harmless because infinite values are clipped.
        with np.errstate(over="ignore"):
            for feature, part in self.parts:
                values = z[:, feature, np.newaxis]
                np.subtract(values, self.low[part], out=out[:, part])
            out *= self.factor
        np.maximum(out, self.minimum, out=out)
        np.minimum(out, self.maximum, out=out)
