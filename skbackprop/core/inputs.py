"""Input transforms, applied to one batch of rows at a time.

The statistics of the columns are computed beforehand and stored in three vectors,
`center`, `scale` and `bound`.
"""

import copy
import math

import numpy as np
from scipy.sparse import csr_array


class IdentityTransform:
    """Transform that only converts inputs to the dtype of the network."""

    center, factor, high = None, 1.0, math.inf
    #: Whether the transform subtracts a center, which makes sparse rows dense.
    centers = False
    #: Whether the transform only converts inputs.
    is_identity = True

    def with_dtype(self, input_dtype, dtype):
        """Return the transform for the dtypes of the inputs and of the network.

        Parameters
        ----------
        input_dtype : dtype
            Dtype of the raw inputs.
        dtype : dtype
            Dtype of the network.

        Returns
        -------
        IdentityTransform
            The instance itself.
        """
        return self

    def take(self, features):
        """Return the transform of the given features, which may be repeated.

        Parameters
        ----------
        features : ndarray of int of shape (n,)
            Indices of the features.

        Returns
        -------
        IdentityTransform
            The instance itself.
        """
        return self

    def column_vectors(self):
        """Return the vectors of the transform for `kernels.input_kernel`.

        Returns
        -------
        center, factor, bound : ndarray of shape (n_inputs,) or None
            None if inputs are only converted. `center` and `factor` have the dtype in
            which differences are computed.
        """
        return None, None, None

    def dense(self, raw, out):
        """Transform dense rows.

        Parameters
        ----------
        raw : ndarray of shape (n_rows, n_inputs)
            Raw inputs; not modified unless `raw` is `out`.
        out : ndarray of the same shape, float32 or float64
            Buffer for the result.

        Returns
        -------
        ndarray
            `out`, or `raw` if no conversion is necessary.
        """
        if raw.dtype == out.dtype:
            return raw
        np.copyto(out, raw, casting="same_kind")
        return out

    def sparse(self, raw, dtype):
        """Return transformed sparse rows of the given dtype."""
        return raw.astype(dtype, copy=False)

    def replace_missing(self, imputation_values):
        """Return the transformed inputs that replace missing values.

        Parameters
        ----------
        imputation_values : ndarray of shape (n_inputs,)
            Mean of each feature in the first fit.

        Returns
        -------
        ndarray of shape (n_inputs,) or float
        """
        return imputation_values

    def derivative(self, x):
        """Return the derivative of the transform at the transformed inputs `x`."""
        return np.ones_like(x)


class Standardized:
    """Standardization and clipping: ``(raw - center) / scale``, in [-bound, bound].

    The bound is far outside the range of the training data, so that the transform is
    linear within this range. The bound limits the effect of extreme inputs, which are
    most likely in nearly constant columns.

    Parameters
    ----------
    center : ndarray of shape (n_inputs,), float64, or None
        Values to subtract. If None, zeros stay zero, so that sparse inputs stay sparse.
    scale : ndarray of shape (n_inputs,), float64
        Positive values to divide by.
    bound : ndarray of shape (n_inputs,), float64
        Maximum absolute value of the transformed inputs.
    """

    is_identity = False

    def __init__(self, center, scale, bound):
        self.center = center
        #: Whether the transform subtracts a center, which makes sparse rows dense.
        self.centers = center is not None
        self.factor = 1.0 / scale
        self.high = np.minimum(bound, np.finfo(np.float64).max)
        self.low = -self.high

    def with_dtype(self, input_dtype, dtype):
        """Return the transform for the dtypes of the inputs and of the network.

        See `IdentityTransform.with_dtype` for the parameters.
        """
        difference_dtype = np.result_type(input_dtype, dtype)
        if difference_dtype == dtype == self.factor.dtype:
            return self
        converted = copy.copy(self)
        largest = np.finfo(dtype).max
        converted.high = np.minimum(self.high, largest).astype(dtype)
        converted.low = -converted.high
        # The factor of a tiny standard deviation can exceed the range of float32.
        if self.factor.max() <= largest:
            converted.factor = self.factor.astype(dtype)
        if self.centers:
            # Large values, such as dates, must be subtracted in their own precision.
            converted.center = self.center.astype(difference_dtype)
        return converted

    def take(self, features):
        """Return the transform of the given features; see `IdentityTransform.take`."""
        taken = copy.copy(self)
        taken.factor, taken.high = self.factor[features], self.high[features]
        taken.low = -taken.high
        if self.centers:
            taken.center = self.center[features]
        return taken

    def column_vectors(self):
        """Return center, factor and bound; see `IdentityTransform.column_vectors`."""
        center = self.center if self.centers else np.zeros_like(self.factor)
        dtype = np.result_type(center, self.factor)
        # Copies are aligned, unlike arrays from a message.
        return center.astype(dtype), self.factor.astype(dtype), self.high.copy()

    def dense(self, raw, out):
        """Transform dense rows; see `IdentityTransform.dense`."""
        # Overflow is harmless because infinite values are clipped.
        with np.errstate(over="ignore"):
            if self.centers:
                np.subtract(raw, self.center, out=out, casting="same_kind")
                raw = out
            np.multiply(raw, self.factor, out=out, casting="same_kind")
        # `np.clip` takes twice as long.
        np.minimum(out, self.high, out=out)
        np.maximum(out, self.low, out=out)
        return out

    def sparse(self, raw, dtype):
        """Return transformed sparse rows of the given dtype; zeros stay zero."""
        with np.errstate(over="ignore"):
            entries = raw.data * self.factor[raw.indices]
            entries = entries.astype(dtype, copy=False)
        entries.clip(self.low[raw.indices], self.high[raw.indices], out=entries)
        return csr_array((entries, raw.indices, raw.indptr), raw.shape)

    def replace_missing(self, imputation_values):
        """Return 0.0, the transformed mean; see `IdentityTransform.replace_missing`."""
        return 0.0

    def derivative(self, x):
        """Return the derivative of the transform at the transformed inputs `x`."""
        return np.where(np.abs(x) < self.high, self.factor, 0.0)
