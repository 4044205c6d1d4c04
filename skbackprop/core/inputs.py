"""Input transforms, applied to one batch of rows at a time.

The statistics of the columns are computed beforehand and stored in two vectors,
`center` and `scale`.
"""

import copy
import math

import numpy as np
from scipy.sparse import csr_array, issparse

#: Maximum absolute value of a standardized input. Soft clipping maps 1 to 0.99 and 3 to
#: 2.69.
BOUND = 5.0

#: With this scale and a center of 0, soft clipping maps 0 to 0 and 1 to 1.
UNIT_SCALE = 1.0 / (BOUND * math.atanh(1.0 / BOUND))


class IdentityTransform:
    """Transform that only converts inputs to the dtype of the network."""

    #: Whether the transform subtracts a center, which makes sparse rows dense.
    centers = False

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

    def derivative(self, x):
        """Return the derivative of the transform at the transformed inputs `x`."""
        return np.ones_like(x)


class Standardized:
    """Standardization with soft clipping: ``x = B tanh((raw - center) / (B scale))``.

    The bound is ``B = 5``. Near the center, the result is close to the usual
    ``(raw - center) / scale``. Outliers and nearly constant columns stay within the
    bound, so that they do not dominate the other inputs.

    Parameters
    ----------
    center : ndarray of shape (n_inputs,), float64, or None
        Values to subtract. If None, zeros stay zero, so that sparse inputs stay sparse.
    scale : ndarray of shape (n_inputs,), float64
        Positive values to divide by.
    """

    def __init__(self, center, scale):
        self.center = center
        #: Whether the transform subtracts a center, which makes sparse rows dense.
        self.centers = center is not None
        self.factor = 1.0 / (BOUND * scale)

    def with_dtype(self, input_dtype, dtype):
        """Return a copy for the dtypes of the inputs and of the network.

        See `IdentityTransform.with_dtype` for the parameters.
        """
        converted = copy.copy(self)
        # The factor of a tiny standard deviation can exceed the range of float32.
        if self.factor.max() <= np.finfo(dtype).max:
            converted.factor = self.factor.astype(dtype)
        if self.centers:
            # Large values, such as dates, must be subtracted in their own precision.
            converted.center = self.center.astype(np.result_type(input_dtype, dtype))
        return converted

    def dense(self, raw, out):
        """Transform dense rows; see `IdentityTransform.dense`."""
        # Overflow is harmless because tanh(inf) is 1.
        with np.errstate(over="ignore"):
            if self.centers:
                np.subtract(raw, self.center, out=out, casting="same_kind")
                raw = out
            np.multiply(raw, self.factor, out=out, casting="same_kind")
        np.tanh(out, out=out)
        out *= BOUND
        return out

    def sparse(self, raw, dtype):
        """Return transformed sparse rows of the given dtype; zeros stay zero."""
        with np.errstate(over="ignore"):
            entries = raw.data * self.factor[raw.indices]
        np.tanh(entries, out=entries)
        entries *= BOUND
        entries = entries.astype(dtype, copy=False)
        return csr_array((entries, raw.indices, raw.indptr), raw.shape)

    def derivative(self, x):
        """Return the derivative of the transform at the transformed inputs `x`."""
        return (1.0 - np.square(x / BOUND)) * (BOUND * self.factor)


def transform_batch(raw, out, inputs):
    """Transform a batch of dense or sparse rows.

    Parameters
    ----------
    raw : {ndarray, sparse array} of shape (n_rows, n_inputs)
        Raw inputs.
    out : ndarray of the same shape
        Buffer for dense rows.
    inputs : IdentityTransform or Standardized
        Transform for the dtypes of `raw` and `out`; see `with_dtype`.

    Returns
    -------
    {ndarray, sparse array} of the same shape and the dtype of `out`
        Transformed inputs. Sparse rows stay sparse unless the transform subtracts a
        center.
    """
    if issparse(raw):
        if not inputs.centers:
            return inputs.sparse(raw, out.dtype)
        raw = raw.toarray()
    return inputs.dense(raw, out)
