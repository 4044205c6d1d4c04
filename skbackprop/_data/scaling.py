"""What has been learned of the scale of inputs and targets, by `StandardScaler`."""

import copy
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array, issparse
from sklearn.preprocessing import StandardScaler

from ..core.inputs import UNIT_SCALE, Standardized

#: Numbers that are looked at at a time: few enough to cost no memory to speak of.
BLOCK_SIZE = 1 << 17

#: Rows that are looked at at a time at least, be they as wide as they may.
FEWEST_ROWS = 16


@dataclass(frozen=True)
class FittedScalers:
    """Means and deviations so far; learning more makes another one of these.

    Parameters
    ----------
    inputs : StandardScaler or None
        Of the inputs; None before anything has been learned.
    targets : StandardScaler or None
        Of the targets; None where they are not to be scaled.
    """

    inputs: StandardScaler | None = None
    targets: StandardScaler | None = None

    @classmethod
    def of(cls, samples, with_targets):
        """Learn the scales of samples.

        Parameters
        ----------
        samples : Samples
            With targets as they come.
        with_targets : bool
            Whether that of the targets is learned, too.

        Returns
        -------
        FittedScalers

        Raises
        ------
        ValueError
            Where numbers are so large that their variance is beyond all bounds.
        """
        inputs = StandardScaler(with_mean=not issparse(samples.X))
        n_rows = _rows_a_block(samples.X, stays_sparse=not inputs.with_mean)
        with np.errstate(all="ignore"):
            for X, weight in samples.raw_blocks(n_rows):
                X = downcast_indices(X) if issparse(X) else X
                _learn(inputs, X.astype(np.float64, copy=False), weight)
            targets = _targets_learned(samples) if with_targets else None
        return cls(_checked(inputs, "X"), _checked(targets, "y"))

    def __add__(self, other):
        """Return the scales of both their samples together."""
        with np.errstate(all="ignore"):
            inputs = _merged(self.inputs, other.inputs)
            targets = _merged(self.targets, other.targets)
        return FittedScalers(_checked(inputs, "X"), _checked(targets, "y"))

    # scikit-learn's own objects may mean something else to its next release.
    def __getstate__(self):
        return {name: scaler_state(scaler) for name, scaler in vars(self).items()}

    def __setstate__(self, state):
        vars(self).update(
            {name: scaler_from_state(noted) for name, noted in state.items()}
        )

    def standardized(self, is_scaled):
        """Return what the network does with its inputs.

        Parameters
        ----------
        is_scaled : ndarray of bool of shape (n_inputs,)
            Which inputs are numbers; the others are indicators, left at 0 and 1.

        Returns
        -------
        Standardized
        """
        scale = np.where(is_scaled, self.inputs.scale_, UNIT_SCALE)
        if not self.inputs.with_mean:
            return Standardized(None, scale)
        return Standardized(np.where(is_scaled, self.inputs.mean_, 0.0), scale)

    def of_targets(self, targets, dtype):
        """Return targets as they are learned, in this dtype."""
        if self.targets is None:
            return targets.astype(dtype, copy=False)
        return ((targets - self.targets.mean_) / self.targets.scale_).astype(dtype)

    def restore(self, outputs):
        """Turn outputs into the units of the targets, in place."""
        if self.targets is not None:
            outputs *= self.targets.scale_
            outputs += self.targets.mean_

    def output_rescaling(self, before):
        """Return factor and shift of outputs, from their units under other scales."""
        now, then = self.targets, before.targets
        # Targets that were all the same had no units yet.
        had_units = then.var_ > 0.0
        factor = np.where(had_units, then.scale_ / now.scale_, 1.0)
        shift = np.where(had_units, (then.mean_ - now.mean_) / now.scale_, 0.0)
        return factor, shift


def with_scaled_targets(samples, scales, dtype):
    """Return samples with targets as they are learned, in this dtype."""
    return replace(samples, targets=scales.of_targets(samples.targets, dtype))


def scaler_state(scaler):
    """Return all that a fitted scaler goes by, in arrays and numbers."""
    if scaler is None:
        return None
    names = "with_mean", "n_features_in_", "n_samples_seen_", "mean_", "var_", "scale_"
    return {name: getattr(scaler, name) for name in names}


def scaler_from_state(noted):
    if noted is None:
        return None
    scaler = StandardScaler()
    vars(scaler).update(noted)
    return scaler


def _rows_a_block(X, stays_sparse):
    n_rows, n_columns = X.shape
    if issparse(X) and stays_sparse:
        n_columns = max(1, X.nnz // n_rows)
    return max(FEWEST_ROWS, BLOCK_SIZE // n_columns)


def downcast_indices(X):
    """Index a block by int32: scikit-learn 1.6 can carry on from nothing else."""
    if max(X.shape) > np.iinfo(np.int32).max:
        return X
    indices, indptr = (a.astype(np.int32, copy=False) for a in (X.indices, X.indptr))
    return csr_array((X.data, indices, indptr), X.shape)


def _learn(scaler, values, weight):
    if weight is None:
        scaler.partial_fit(values)
        return
    # Samples without weight are not there, be they as large as they may.
    there = np.flatnonzero(weight)
    if there.size:
        scaler.partial_fit(values[there], sample_weight=weight[there])


def _targets_learned(samples):
    targets = StandardScaler()
    _learn(targets, *map(samples.take, (samples.targets, samples.weight)))
    return targets


def _merged(one, other):
    """Return the scaler of the samples of two.

    Chan, Golub and LeVeque, "Algorithms for computing the sample variance" (1983),
    equation 2.1.
    """
    if one is None or other is None:
        return one or other
    merged = copy.copy(one)
    n_one, n_other = one.n_samples_seen_, other.n_samples_seen_
    n = merged.n_samples_seen_ = n_one + n_other
    apart = other.mean_ - one.mean_
    merged.mean_ = one.mean_ + apart * (n_other / n)
    squares = n_one * one.var_ + n_other * other.var_
    merged.var_ = (squares + np.square(apart) * (n_one / n) * n_other) / n
    # As StandardScaler has it: what varies by rounding alone is constant.
    eps = np.finfo(np.float64).eps
    rounding = n * eps * merged.var_ + np.square(max(n, 10.0) * merged.mean_ * eps)
    constant = merged.var_ <= rounding
    merged.scale_ = np.where(constant, 1.0, np.sqrt(merged.var_))
    return merged


def _checked(scaler, name):
    """Return a scaler, None where there is none or where nothing was learned."""
    if not hasattr(scaler, "mean_"):
        return None
    if not (np.isfinite(scaler.var_).all() and np.isfinite(scaler.mean_).all()):
        raise ValueError(
            f"{name} contains numbers too large to be standardised: the square of "
            f"their deviation overflows. Scale {name}, or set standardize=False."
        )
    return scaler
