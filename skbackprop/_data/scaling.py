"""Scales of inputs and targets, fitted to samples."""

import copy
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array, issparse
from sklearn.preprocessing import StandardScaler

from ..core.inputs import IdentityTransform, Standardized
from ..core.mixed import MixedRows

#: Values per block of `FittedScalers.fit`; a float64 block takes 1 MiB.
BLOCK_SIZE = 1 << 17

#: Minimum number of rows per block, for any number of columns.
MIN_BLOCK_ROWS = 16

#: Inputs are clipped beyond this multiple of the largest value in the training data.
#: Extrapolation stays linear in this range, and extreme inputs stay finite.
RANGE_FACTOR = 10.0


@dataclass(frozen=True)
class ColumnRanges:
    """Ranges and nonzero values of columns.

    The sum of two instances describes the rows of both.

    Parameters
    ----------
    low, high : ndarray of shape (n_columns,)
        Minimum and maximum.
    nonzero_weight : ndarray of shape (n_columns,)
        Total weight of the rows with a nonzero value.
    """

    low: np.ndarray
    high: np.ndarray
    nonzero_weight: np.ndarray

    @classmethod
    def fit(cls, X, weight):
        """Describe rows with nonzero weights.

        Parameters
        ----------
        X : {ndarray, sparse array} of shape (n_rows, n_columns)
            At least one row.
        weight : ndarray of shape (n_rows,) or None
            Weight of each row; None counts rows.

        Returns
        -------
        ColumnRanges
        """
        if weight is None:
            weight = np.ones(X.shape[0])
        if not issparse(X):
            return cls(X.min(axis=0), X.max(axis=0), weight @ (X != 0.0))
        n_columns = X.shape[1]
        low, high = np.zeros(n_columns), np.zeros(n_columns)
        np.minimum.at(low, X.indices, X.data)
        np.maximum.at(high, X.indices, X.data)
        weights = np.repeat(weight, np.diff(X.indptr)) * (X.data != 0.0)
        return cls(low, high, np.bincount(X.indices, weights, n_columns))

    def __add__(self, other):
        """Return the ranges of the rows of both."""
        return ColumnRanges(
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
            self.nonzero_weight + other.nonzero_weight,
        )


@dataclass(frozen=True)
class FittedScalers:
    """Scalers of the inputs and targets.

    The sum of two instances is fitted to the samples of both.

    Parameters
    ----------
    inputs : StandardScaler, default=None
        Scaler of the numeric inputs; None before the first fit, and if all features are
        categorical.
    targets : StandardScaler, default=None
        Scaler of the targets; None if the targets are not scaled.
    ranges : ColumnRanges, default=None
        Ranges of the inputs; None before the first fit.
    weight_sum : float, default=0.0
        Sum of the positive sample weights. The scalers themselves are fitted to
        relative weights, because StandardScaler regards features as constant if the sum
        of the weights is extremely large.
    """

    inputs: StandardScaler | None = None
    targets: StandardScaler | None = None
    ranges: ColumnRanges | None = None
    weight_sum: float = 0.0

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
        inputs = StandardScaler(with_mean=not issparse(samples.X))
        targets = StandardScaler(with_mean=target_scaling != "divide")
        ranges = None
        n_rows = _block_rows(samples.X, stays_sparse=not inputs.with_mean)
        weight_sum, n_counted = _positive_weights(samples)
        mean_weight = weight_sum / max(n_counted, 1)
        with np.errstate(all="ignore"):
            for X, weight in samples.raw_blocks(n_rows):
                X, weight = _positive_rows(X, weight)
                if not all(X.shape):
                    continue
                X = _downcast_indices(X) if issparse(X) else X
                X = X.astype(np.float64, copy=False)
                relative = _divide(weight, mean_weight)
                inputs.partial_fit(X, sample_weight=relative)
                ranges = _merge_ranges(ranges, ColumnRanges.fit(X, weight))
            if target_scaling is not None:
                weight = samples.take(samples.weight)
                values, weight = _positive_rows(samples.take(samples.targets), weight)
                if target_scaling == "standardize_jointly":
                    values, weight = _join_columns(values, weight)
                if len(values):
                    relative = _divide(weight, mean_weight)
                    targets.partial_fit(values, sample_weight=relative)
        # The sum of the relative weights has rounding errors.
        inputs.n_samples_seen_ = targets.n_samples_seen_ = n_counted
        return cls(*_checked(inputs, targets), ranges, weight_sum)

    def __add__(self, other):
        """Return scalers fitted to the samples of both."""
        weight_sum = self.weight_sum + other.weight_sum
        fraction = other.weight_sum / weight_sum if weight_sum else 0.0
        with np.errstate(all="ignore"):
            inputs = _merge(self.inputs, other.inputs, fraction)
            targets = _merge(self.targets, other.targets, fraction)
        ranges = _merge_ranges(self.ranges, other.ranges)
        return FittedScalers(*_checked(inputs, targets), ranges, weight_sum)

    # Pickled objects of scikit-learn may not load in another version of scikit-learn.
    def __getstate__(self):
        return {
            "inputs": _scaler_state(self.inputs),
            "targets": _scaler_state(self.targets),
            "ranges": None if self.ranges is None else vars(self.ranges),
            "weight_sum": self.weight_sum,
        }

    def __setstate__(self, state):
        ranges = state["ranges"]
        vars(self).update(
            inputs=_scaler_from_state(state["inputs"]),
            targets=_scaler_from_state(state["targets"]),
            ranges=None if ranges is None else ColumnRanges(**ranges),
            weight_sum=state["weight_sum"],
        )

    def input_transform(self):
        """Return the transform that the network applies to its numeric inputs.

        Returns
        -------
        Standardized or IdentityTransform
        """
        if self.inputs is None:  # all features are categorical
            return IdentityTransform()
        low, high = self.ranges.low, self.ranges.high
        if self.inputs.with_mean:
            center, scale = self.inputs.mean_, self.inputs.scale_
            largest = np.maximum(center - low, high - center) / scale
        else:
            center, scale = None, self._nonzero_scale()
            largest = np.maximum(-low, high) / scale
        return Standardized(center, scale, RANGE_FACTOR * np.maximum(largest, 1.0))

    def _nonzero_scale(self):
        """Return the root mean square of the nonzero values of each input.

        Without centering, the standard deviation is a poor scale: features with a large
        mean and features that are rarely nonzero would get large inputs.
        """
        fraction = self.ranges.nonzero_weight / self.weight_sum
        scale = np.ones_like(fraction)
        root_mean_square = _root_mean_square(self.inputs)
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
            if self.targets.with_mean:
                outputs += self.targets.mean_

    @property
    def output_scale(self):
        """Scale of the targets; 1.0 if the targets are not scaled."""
        return 1.0 if self.targets is None else _get_scale(self.targets)

    @property
    def output_shift(self):
        """Mean of the targets; 0.0 if the targets are not centered."""
        is_centered = self.targets is not None and self.targets.with_mean
        return self.targets.mean_ if is_centered else 0.0

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

    def output_rescaling(self, before):
        """Return the factor and the shift that convert outputs from earlier scales."""
        had_scale, scale = _has_scale(before.targets), self.output_scale
        factor = np.where(had_scale, before.output_scale / scale, 1.0)
        moved = before.output_shift - self.output_shift
        return factor, np.where(had_scale, moved / scale, 0.0)

    def keep_target_scales(self, before):
        """Return these scalers with the earlier scale of each target that had one."""
        targets, had_scale = copy.copy(self.targets), _has_scale(before.targets)
        for name in ("mean_", "var_", "scale_"):
            then, now = getattr(before.targets, name), getattr(targets, name)
            setattr(targets, name, np.where(had_scale, then, now))
        return replace(self, targets=targets)


def _scaler_state(scaler):
    """Return the fitted attributes of a StandardScaler as arrays and numbers."""
    if scaler is None:
        return None
    names = "with_mean", "n_features_in_", "n_samples_seen_", "mean_", "var_", "scale_"
    return {name: getattr(scaler, name) for name in names}


def _scaler_from_state(state):
    """Create a StandardScaler from its fitted attributes."""
    if state is None:
        return None
    scaler = StandardScaler()
    vars(scaler).update(state)
    return scaler


def _block_rows(X, stays_sparse):
    n_rows, n_columns = (X.numeric if isinstance(X, MixedRows) else X).shape
    if issparse(X) and stays_sparse:
        n_columns = X.nnz // n_rows
    return max(MIN_BLOCK_ROWS, BLOCK_SIZE // max(1, n_columns))


def _downcast_indices(X):
    """Return a CSR block with int32 indices, which scikit-learn 1.6 requires."""
    if max(X.shape) > np.iinfo(np.int32).max:
        return X
    indices, indptr = (a.astype(np.int32, copy=False) for a in (X.indices, X.indptr))
    return csr_array((X.data, indices, indptr), X.shape)


def _positive_weights(samples):
    """Return the sum and the number of the positive sample weights."""
    if samples.weight is None:
        return float(samples.n_samples), samples.n_samples
    weight = samples.take(samples.weight)
    positive = weight[weight > 0.0]
    return float(positive.sum(dtype=np.float64)), positive.size


def _positive_rows(values, weight):
    """Return the rows with positive weights, and the weights."""
    if weight is None:
        return values, None
    counted = weight > 0.0
    if not counted.all():
        values, weight = values[np.flatnonzero(counted)], weight[counted]
    return values, weight.astype(np.float64, copy=False)


def _divide(weight, mean_weight):
    return None if weight is None else weight / mean_weight


def _join_columns(values, weight):
    """Return all values in one column, and the weight of each value."""
    if weight is not None:
        weight = np.repeat(weight, values.shape[1])
    return values.reshape(-1, 1), weight


def _root_mean_square(scaler):
    return np.hypot(scaler.mean_, np.sqrt(scaler.var_))


def _has_scale(scaler):
    """Return whether the values of each column define a scale."""
    # Constant values define no standard deviation, and zeros no root mean square.
    return (scaler.var_ if scaler.with_mean else _root_mean_square(scaler)) > 0.0


def _get_scale(scaler):
    """Return the standard deviation or, without centering, the root mean square."""
    if scaler.with_mean:
        return scaler.scale_
    return np.where(_has_scale(scaler), _root_mean_square(scaler), 1.0)


def _merge_ranges(one, other):
    return one or other if one is None or other is None else one + other


def _merge(one, other, fraction):
    """Merge two scalers into the scaler of all their samples.

    Chan, Golub and LeVeque, "Algorithms for computing the sample variance" (1983),
    equation 2.1. `fraction` is the fraction of the total weight in the second scaler.
    """
    if one is None or other is None:
        return one or other
    merged = copy.copy(one)
    n = merged.n_samples_seen_ = one.n_samples_seen_ + other.n_samples_seen_
    difference = other.mean_ - one.mean_
    merged.mean_ = one.mean_ + difference * fraction
    merged.var_ = (1.0 - fraction) * one.var_ + fraction * other.var_
    merged.var_ += np.square(difference) * (1.0 - fraction) * fraction
    # As in StandardScaler, features whose variance is rounding error are constant.
    eps = np.finfo(np.float64).eps
    rounding = n * eps * merged.var_ + np.square(n * merged.mean_ * eps)
    constant = merged.var_ <= rounding
    merged.scale_ = np.where(constant, 1.0, np.sqrt(merged.var_))
    return merged


def _checked(inputs, targets):
    """Return both scalers, or None instead of a scaler that is not fitted."""
    checked = []
    for name, scaler in (("X", inputs), ("y", targets)):
        is_fitted = hasattr(scaler, "mean_")
        if is_fitted and not np.isfinite([scaler.mean_, scaler.var_]).all():
            raise ValueError(
                f"{name} contains values that are too large to be standardized: their "
                f"variance overflows. Scale {name}, or set standardize=False."
            )
        checked.append(scaler if is_fitted else None)
    return checked
