"""Scales of inputs and targets, fitted to samples."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import issparse

from ..core.inputs import IdentityTransform, Standardized
from ..core.mixed import MixedRows
from .column_statistics import ColumnMoments, ColumnRanges

#: Values per block of `FittedScalers.fit`; a float64 block takes 1 MiB.
BLOCK_SIZE = 1 << 17

#: Minimum number of rows per block, for any number of columns.
MIN_BLOCK_ROWS = 16

#: Inputs are clipped beyond this multiple of the largest value in the training data.
#: Extrapolation stays linear in this range, and extreme inputs stay finite.
RANGE_FACTOR = 10.0


@dataclass(frozen=True)
class FittedScalers:
    """Scalers of the inputs and targets.

    The sum of two instances is fitted to the samples of both.

    Parameters
    ----------
    inputs : ColumnMoments, default=None
        Moments of the numeric inputs; None before the first fit, and if all features
        are categorical.
    targets : ColumnMoments, default=None
        Moments of the targets; None if the targets are not scaled.
    ranges : ColumnRanges, default=None
        Ranges of the numeric inputs; None like `inputs`.
    centers_inputs : bool, default=True
        Whether the means of the inputs are subtracted. False for sparse inputs.
    centers_targets : bool, default=True
        Whether the means of the targets are subtracted.
    """

    inputs: ColumnMoments | None = None
    targets: ColumnMoments | None = None
    ranges: ColumnRanges | None = None
    centers_inputs: bool = True
    centers_targets: bool = True

    @classmethod
    def fit(cls, samples, target_scaling):
        """Fit the scalers to samples.

        Samples with zero or negative weight are ignored, even if their values are
        extreme.

        Parameters
        ----------
        samples : Samples
            Samples with unscaled targets.
        target_scaling : {"standardize", "standardize_jointly", "divide"} or None
            How to scale the targets; see `choose_target_scaling`.

        Returns
        -------
        FittedScalers

        Raises
        ------
        ValueError
            If the variance of a feature or target overflows.
        """
        inputs = targets = ranges = None
        is_dense = not issparse(samples.X)
        with np.errstate(all="ignore"):
            n_rows = _block_rows(samples.X)
            for X, weight in samples.raw_blocks(n_rows):
                X, weight = _positive_rows(X, weight)
                if all(X.shape):
                    inputs = _merge(inputs, ColumnMoments.fit(X, weight))
                    ranges = _merge(ranges, ColumnRanges.fit(X, weight))
            if target_scaling is not None:
                targets = _fit_targets(samples, target_scaling)
        centers_targets = target_scaling != "divide"
        return cls(inputs, targets, ranges, is_dense, centers_targets)._checked()

    def __add__(self, other):
        """Return scalers fitted to the samples of both."""
        with np.errstate(all="ignore"):
            inputs, targets, ranges = (
                _merge(getattr(self, name), getattr(other, name))
                for name in ("inputs", "targets", "ranges")
            )
        merged = replace(self, inputs=inputs, targets=targets, ranges=ranges)
        return merged._checked()

    def _checked(self):
        """Return these scalers, or raise ValueError if a variance overflows."""
        for name, moments in (("X", self.inputs), ("y", self.targets)):
            if moments is not None and not moments.are_finite:
                raise ValueError(
                    f"{name} contains values that are too large to be standardized: "
                    f"their variance overflows. Scale {name}, or set standardize=False."
                )
        return self

    def input_transform(self):
        """Return the transform that the network applies to its numeric inputs.

        Returns
        -------
        Standardized or IdentityTransform
        """
        if self.inputs is None:  # all features are categorical
            return IdentityTransform()
        low, high = self.ranges.low, self.ranges.high
        if self.centers_inputs:
            center, scale = self.inputs.mean, self.inputs.standard_deviation
            largest = np.maximum(center - low, high - center) / scale
        else:
            center, scale = None, self._nonzero_scale()
            largest = np.maximum(-low, high) / scale
        return Standardized(center, scale, RANGE_FACTOR * np.fmax(largest, 1.0))

    def _nonzero_scale(self):
        """Return the root mean square of the nonzero values of each input.

        Without centering, the standard deviation is a poor scale: features with a large
        mean and features that are rarely nonzero would get large inputs.
        """
        fraction = self.ranges.nonzero_weight / self.inputs.weight_sum
        scale, root_mean_square = np.ones_like(fraction), self.inputs.root_mean_square
        has_scale = (root_mean_square > 0.0) & (fraction > 0.0)
        return np.divide(
            root_mean_square, np.sqrt(fraction), out=scale, where=has_scale
        )

    def scale_targets(self, targets, dtype):
        """Return standardized targets in the dtype of the network."""
        if self.targets is None:
            return targets.astype(dtype, copy=False)
        return ((targets - self.output_shift) / self.output_scale).astype(dtype)

    def unscale_outputs(self, outputs):
        """Convert network outputs to the units of the targets, in place."""
        if self.targets is not None:
            outputs *= self.output_scale
            outputs += self.output_shift

    @property
    def output_scale(self):
        """Scale of the targets; 1.0 if the targets are not scaled."""
        if self.targets is None:
            return 1.0
        if self.centers_targets:
            return self.targets.standard_deviation
        return np.where(self.has_target_scale, self.targets.root_mean_square, 1.0)

    @property
    def output_shift(self):
        """Mean of the targets; 0.0 if the targets are not centered."""
        is_centered = self.targets is not None and self.centers_targets
        return self.targets.mean if is_centered else 0.0

    @property
    def has_target_scale(self):
        """Whether the values of each target define a scale."""
        # Constant values define no standard deviation, and zeros no root mean square.
        moments = self.targets
        return (moments.var if self.centers_targets else moments.root_mean_square) > 0.0

    def output_limits(self, dtype):
        """Return the largest absolute outputs that are finite in units of the targets.

        Parameters
        ----------
        dtype : dtype
            Dtype of the outputs.

        Returns
        -------
        float or ndarray of shape (n_outputs,)
        """
        # The margin covers rounding errors.
        largest = 0.999 * float(np.finfo(dtype).max)
        mean = np.abs(self.output_shift)
        return (largest - mean) / np.maximum(self.output_scale, 1.0)

    def input_rescaling(self, before):
        """Return the factor and the shift that convert inputs to earlier scales.

        Parameters
        ----------
        before : FittedScalers
            Earlier scalers of the same inputs.

        Returns
        -------
        factor, shift : ndarray of shape (n_numeric,)
            Inputs that were constant keep their weights, because these are random.
        """
        if not self.centers_inputs:
            scale, earlier = self._nonzero_scale(), before._nonzero_scale()
            return scale / earlier, np.zeros_like(scale)
        scale, earlier = self.inputs.standard_deviation, before.inputs
        unit = np.where(earlier.is_constant, scale, earlier.standard_deviation)
        return scale / unit, (self.inputs.mean - earlier.mean) / unit

    def output_rescaling(self, before):
        """Return the factor and the shift that convert outputs from earlier scales."""
        had_scale, scale = before.has_target_scale, self.output_scale
        factor = np.where(had_scale, before.output_scale / scale, 1.0)
        moved = before.output_shift - self.output_shift
        return factor, np.where(had_scale, moved / scale, 0.0)

    def keep_target_scales(self, before):
        """Return these scalers with the earlier scale of each target that had one."""
        mean, var = (
            np.where(
                before.has_target_scale,
                getattr(before.targets, name),
                getattr(self.targets, name),
            )
            for name in ("mean", "var")
        )
        return replace(self, targets=replace(self.targets, mean=mean, var=var))


def _fit_targets(samples, target_scaling):
    """Return the moments of the targets; None if no weight is positive."""
    values, weight = _positive_rows(
        samples.take(samples.targets), samples.take(samples.weight)
    )
    if target_scaling == "standardize_jointly":
        values, weight = _join_columns(values, weight)
    values = values.astype(np.float64, copy=False)
    return ColumnMoments.fit(values, weight) if len(values) else None


def _block_rows(X):
    n_rows, n_columns = (X.numeric if isinstance(X, MixedRows) else X).shape
    if issparse(X):
        n_columns = X.nnz // n_rows
    return max(MIN_BLOCK_ROWS, BLOCK_SIZE // max(1, n_columns))


def _positive_rows(values, weight):
    """Return the rows with positive weights, and the weights."""
    if weight is None:
        return values, None
    counted = weight > 0.0
    if not counted.all():
        values, weight = values[np.flatnonzero(counted)], weight[counted]
    return values, weight.astype(np.float64, copy=False)


def _join_columns(values, weight):
    """Return all values in one column, and the weight of each value."""
    if weight is not None:
        weight = np.repeat(weight, values.shape[1])
    return values.reshape(-1, 1), weight


def _merge(one, other):
    return one or other if one is None or other is None else one + other
