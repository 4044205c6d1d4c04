"""Piecewise-linear encoding of numeric features.

A feature with the bin edges ``b[0] < ... < b[T]`` has T components. Component t is
``(x - b[t-1]) / (b[t] - b[t-1])``, limited to the interval [0, 1]. The first component
is not limited at 0, and the last component is not limited at 1, so that the encoding
continues linearly beyond the edges. Gorishniy, Rubachev and Babenko, "On embeddings for
numerical features in tabular deep learning" (NeurIPS 2022), equations 1 and 2.

The components are computed from the transformed features, one batch at a time.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

#: Bound of the first and the last component, in widths of their bins. The components
#: are linear near the training data, but one extreme value cannot dominate.
EXTRAPOLATION_BOUND = 10.0


@dataclass(frozen=True)
class Bins:
    """Bins of numeric features in the units of the data, one bin per component.

    Parameters
    ----------
    features : ndarray of int32 of shape (n_components,)
        Numeric feature of each component, in increasing order.
    low, high : ndarray of shape (n_components,), float64
        Lower and upper edge of the bin of each component.
    """

    features: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def from_edges(cls, edges):
        """Create the bins between the edges of each feature.

        Parameters
        ----------
        edges : list of ndarray of shape (n_edges,), float64
            Edges of each numeric feature, in strictly increasing order. A feature with
            fewer than three edges has no components: a single bin is the feature
            itself, up to its scale.

        Returns
        -------
        Bins
        """
        edges = [e if e.size > 2 else e[:0] for e in edges]
        n_bins = [max(e.size - 1, 0) for e in edges]
        features = np.repeat(np.arange(len(edges), dtype=np.int32), n_bins)
        low, high = (
            np.concatenate([np.empty(0), *parts])
            for parts in ([e[:-1] for e in edges], [e[1:] for e in edges])
        )
        return cls(features, low, high)

    def __len__(self):
        return len(self.features)

    @property
    def is_first(self):
        """Whether each component is the first component of its feature."""
        return np.diff(self.features, prepend=-1) > 0

    @property
    def is_last(self):
        """Whether each component is the last component of its feature."""
        return np.append(self.is_first[1:], True)[: len(self)]


#: No feature has bins.
NO_BINS = Bins.from_edges([])


class Components:
    """Components of a batch: affine functions of the transformed features, clipped.

    Component k is ``clip((z[features[k]] - low[k]) * factor[k], minimum[k],
    maximum[k])`` for the transformed features `z` of a row.

    Parameters
    ----------
    bins : Bins
        Bins in the units of the data.
    inputs : IdentityTransform or Standardized
        Transform of the features.
    input_dtype : dtype
        Dtype of the raw inputs.
    dtype : numpy.dtype
        Dtype of the network and of all vectors.
    """

    def __init__(self, bins, inputs, input_dtype, dtype):
        # An array from a message may be unaligned.
        self.features = np.require(bins.features, np.int32, ["C", "A"])
        self.is_first, self.is_last = bins.is_first, bins.is_last
        # The edges are transformed like the data, so that a value at an edge stays
        # exactly at this edge.
        raw = np.stack([bins.low, bins.high]).astype(np.result_type(input_dtype, dtype))
        transform = inputs.with_dtype(input_dtype, dtype).take(self.features)
        self.low, self.high = transform.dense(raw, np.empty(raw.shape, dtype))
        info = np.finfo(dtype)
        # Narrower bins consist of rounding errors, and their factor could overflow.
        smallest = info.eps * np.maximum(np.abs(self.low), np.abs(self.high))
        with np.errstate(over="ignore"):
            width = np.clip(
                self.high - self.low, np.maximum(smallest, info.tiny), info.max
            )
        self.factor = 1 / width
        self.minimum, self.maximum = np.zeros_like(width), np.ones_like(width)
        self.minimum[self.is_first] = -EXTRAPOLATION_BOUND
        self.maximum[self.is_last] = EXTRAPOLATION_BOUND

    @cached_property
    def linear_range(self):
        """First value and upper limit of `z` for which each component is not clipped.

        The ranges of neighboring components have no common value.
        """
        with np.errstate(over="ignore"):
            reach = EXTRAPOLATION_BOUND / self.factor
            start = np.where(self.is_first, self.low - reach, self.low)
            return start, np.where(self.is_last, self.low + reach, self.high)

    def feature_gradients(self, z, gradients):
        """Apply the chain rule to the components.

        Parameters
        ----------
        z : ndarray of shape (n_rows, n_numeric)
            Transformed features.
        gradients : ndarray of shape (n_rows, n_numeric + n_components)
            Derivatives with respect to the features and to the components.

        Returns
        -------
        ndarray of shape (n_rows, n_numeric)
            Derivatives with respect to the transformed features.
        """
        n_numeric = z.shape[1]
        start, stop = self.linear_range
        x = z[:, self.features]
        slopes = np.where((start <= x) & (x < stop), self.factor, 0)
        slopes *= gradients[:, n_numeric:]
        gradients = gradients[:, :n_numeric].copy()
        first = np.flatnonzero(self.is_first)
        gradients[:, self.features[first]] += np.add.reduceat(slopes, first, axis=1)
        return gradients
