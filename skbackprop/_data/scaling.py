"""Means and standard deviations of inputs and targets."""

import copy
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, issparse
from sklearn.preprocessing import StandardScaler

from ..core.inputs import UNIT_SCALE, Standardized

#: Values per block of `FittedScalers.fit`; a float64 block takes 1 MiB.
BLOCK_SIZE = 1 << 17

#: Minimum number of rows per block, for any number of columns.
MIN_BLOCK_ROWS = 16


@dataclass(frozen=True)
class FittedScalers:
    """Scalers of the inputs and targets.

    The sum of two instances is fitted to the samples of both.

    Parameters
    ----------
    inputs : StandardScaler, default=None
        Scaler of the inputs; None before the first fit.
    targets : StandardScaler, default=None
        Scaler of the targets; None if the targets are not scaled.
    """

    inputs: StandardScaler | None = None
    targets: StandardScaler | None = None

    @classmethod
    def fit(cls, samples, with_targets):
        """Fit the scalers to samples.

        Parameters
        ----------
        samples : Samples
            Samples with unscaled targets.
        with_targets : bool
            Whether to fit a scaler to the targets.

        Returns
        -------
        FittedScalers

        Raises
        ------
        ValueError
            If the variance of a feature or target overflows.
        """
        inputs = StandardScaler(with_mean=not issparse(samples.X))
        targets = StandardScaler()
        n_rows = _block_rows(samples.X, stays_sparse=not inputs.with_mean)
        with np.errstate(all="ignore"):
            for X, weight in samples.raw_blocks(n_rows):
                X = _downcast_indices(X) if issparse(X) else X
                _partial_fit(inputs, X.astype(np.float64, copy=False), weight)
            if with_targets:
                weight = samples.take(samples.weight)
                _partial_fit(targets, samples.take(samples.targets), weight)
        return cls(*_checked(inputs, targets))

    def __add__(self, other):
        """Return scalers fitted to the samples of both."""
        with np.errstate(all="ignore"):
            inputs = _merge(self.inputs, other.inputs)
            targets = _merge(self.targets, other.targets)
        return FittedScalers(*_checked(inputs, targets))

    # Pickled objects of scikit-learn may not load in another version of scikit-learn.
    def __getstate__(self):
        return {name: _scaler_state(scaler) for name, scaler in vars(self).items()}

    def __setstate__(self, state):
        vars(self).update({k: _scaler_from_state(v) for k, v in state.items()})

    def input_transform(self, is_scaled):
        """Return the transform that the network applies to its inputs.

        Parameters
        ----------
        is_scaled : ndarray of bool of shape (n_inputs,)
            Mask of the inputs to scale. The remaining inputs are indicators, which
            stay 0 and 1.

        Returns
        -------
        Standardized
        """
        scale = np.where(is_scaled, self.inputs.scale_, UNIT_SCALE)
        if not self.inputs.with_mean:
            return Standardized(None, scale)
        return Standardized(np.where(is_scaled, self.inputs.mean_, 0.0), scale)

    def scale_targets(self, targets, dtype):
        """Return standardized targets in the dtype of the network."""
        if self.targets is None:
            return targets.astype(dtype, copy=False)
        return ((targets - self.targets.mean_) / self.targets.scale_).astype(dtype)

    def unscale_outputs(self, outputs):
        """Convert network outputs to the units of the targets, in place."""
        if self.targets is not None:
            outputs *= self.targets.scale_
            outputs += self.targets.mean_

    @property
    def output_scale(self):
        """Standard deviation of the targets; 1.0 if the targets are not scaled."""
        return 1.0 if self.targets is None else self.targets.scale_

    def output_rescaling(self, before):
        """Return the factor and the shift that convert outputs from earlier scales."""
        now, then = self.targets, before.targets
        # Constant targets define no scale.
        had_scale = then.var_ > 0.0
        factor = np.where(had_scale, then.scale_ / now.scale_, 1.0)
        shift = np.where(had_scale, (then.mean_ - now.mean_) / now.scale_, 0.0)
        return factor, shift


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
    n_rows, n_columns = X.shape
    if issparse(X) and stays_sparse:
        n_columns = max(1, X.nnz // n_rows)
    return max(MIN_BLOCK_ROWS, BLOCK_SIZE // n_columns)


def _downcast_indices(X):
    """Return a CSR block with int32 indices, which scikit-learn 1.6 requires."""
    if max(X.shape) > np.iinfo(np.int32).max:
        return X
    indices, indptr = (a.astype(np.int32, copy=False) for a in (X.indices, X.indptr))
    return csr_array((X.data, indices, indptr), X.shape)


def _partial_fit(scaler, values, weight):
    if weight is None:
        scaler.partial_fit(values)
        return
    # Zero-weight samples are ignored, even if their values are extreme.
    counted = np.flatnonzero(weight)
    if counted.size:
        scaler.partial_fit(values[counted], sample_weight=weight[counted])


def _merge(one, other):
    """Merge two scalers into the scaler of all their samples.

    Chan, Golub and LeVeque, "Algorithms for computing the sample variance" (1983),
    equation 2.1.
    """
    if one is None or other is None:
        return one or other
    merged = copy.copy(one)
    n_one, n_other = one.n_samples_seen_, other.n_samples_seen_
    n = merged.n_samples_seen_ = n_one + n_other
    difference = other.mean_ - one.mean_
    merged.mean_ = one.mean_ + difference * (n_other / n)
    squares = n_one * one.var_ + n_other * other.var_
    merged.var_ = (squares + np.square(difference) * (n_one / n) * n_other) / n
    # As in StandardScaler, features whose variance is rounding error are constant.
    eps = np.finfo(np.float64).eps
    rounding = n * eps * merged.var_ + np.square(max(n, 10.0) * merged.mean_ * eps)
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
