"""How rows of inputs are made ready for the first layer, a batch at a time.

Nothing here looks at the data as a whole: what its columns are like has been
learned before, and stands in two vectors.
"""

import copy
import math

import numpy as np
from scipy.sparse import csr_array, issparse

#: No standardised input is larger. What is 1 without a bound is 0.99 with it, and
#: what is 3 is 2.69.
BOUND = 5.0

#: With this scale, and 0 as the center, 0 stays 0 and 1 stays 1 in spite of the bound.
UNIT_SCALE = 1.0 / (BOUND * math.atanh(1.0 / BOUND))


class IdentityTransform:
    """Inputs as they come, in the dtype of the network."""

    centers = False

    def with_dtype(self, input_dtype, dtype):
        """Return the same for inputs given in one dtype and wanted in another."""
        return self

    def dense(self, raw, out):
        """Make dense rows ready.

        Parameters
        ----------
        raw : ndarray of shape (n_rows, n_inputs)
            Rows of numbers; not written to, unless they are `out`.
        out : ndarray of the same shape, float32 or float64
            Where they may go.

        Returns
        -------
        ndarray
            `out`, or `raw` where nothing had to be done.
        """
        if raw.dtype == out.dtype:
            return raw
        np.copyto(out, raw, casting="same_kind")
        return out

    def sparse(self, raw, dtype):
        """Make sparse rows ready, in this dtype; return them."""
        return raw.astype(dtype, copy=False)

    def derivative(self, x):
        """Return the derivative of each ready input in `x` by its raw one."""
        return np.ones_like(x)


class Standardized:
    """``x = B tanh((raw - center) / (B scale))``, with the bound ``B = 5``.

    Near the center this is the usual ``(raw - center) / scale``. Far from it,
    where an outlier or a nearly constant column would drown all else, it
    stays within the bound.

    Parameters
    ----------
    center : ndarray of shape (n_inputs,), float64, or None
        What is subtracted; None leaves zeros zero, for sparse inputs.
    scale : ndarray of shape (n_inputs,), float64
        What is divided by, above zero.
    """

    def __init__(self, center, scale):
        self.center = center
        self.factor = 1.0 / (BOUND * scale)

    @property
    def centers(self):
        """Whether a zero may become another number, so that sparse rows fill up."""
        return self.center is not None

    def with_dtype(self, input_dtype, dtype):
        """Return the same for inputs given in one dtype and wanted in another."""
        converted = copy.copy(self)
        # Tiny deviations have factors beyond float32.
        if self.factor.max() <= np.finfo(dtype).max:
            converted.factor = self.factor.astype(dtype)
        if self.centers:
            # The difference of large numbers, as dates are, is exact in theirs.
            converted.center = self.center.astype(np.result_type(input_dtype, dtype))
        return converted

    def dense(self, raw, out):
        """Make dense rows ready in `out`, and return it; see `IdentityTransform.dense`."""
        with np.errstate(over="ignore"):  # what overflows is at the bound
            if self.centers:
                np.subtract(raw, self.center, out=out, casting="same_kind")
                raw = out
            np.multiply(raw, self.factor, out=out, casting="same_kind")
        np.tanh(out, out=out)
        out *= BOUND
        return out

    def sparse(self, raw, dtype):
        """Make sparse rows ready, without changing their zeros; return them."""
        with np.errstate(over="ignore"):
            entries = raw.data * self.factor[raw.indices]
        np.tanh(entries, out=entries)
        entries *= BOUND
        entries = entries.astype(dtype, copy=False)
        return csr_array((entries, raw.indices, raw.indptr), raw.shape)

    def derivative(self, x):
        """Return the derivative of each ready input in `x` by its raw one."""
        return (1.0 - np.square(x / BOUND)) * (BOUND * self.factor)


def transform_batch(raw, out, inputs):
    """Make rows ready, dense or sparse as they are wanted.

    Parameters
    ----------
    raw : {ndarray, sparse array} of shape (n_rows, n_inputs)
        Rows of numbers.
    out : ndarray of the same shape
        Where dense rows may go.
    inputs : IdentityTransform or Standardized
        What is to be done with them, settled for these dtypes.

    Returns
    -------
    {ndarray, sparse array} of the same shape and the dtype of `out`
        Sparse rows stay sparse unless they are centred.
    """
    if issparse(raw):
        if not inputs.centers:
            return inputs.sparse(raw, out.dtype)
        raw = raw.toarray()
    return inputs.dense(raw, out)
