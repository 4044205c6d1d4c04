"""What has been learned of the scale of inputs and targets, by `StandardScaler`."""

import copy
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, issparse
from sklearn.preprocessing import StandardScaler

from .core.inputs import UNIT_SCALE, Standardized

#: Numbers that are looked at at a time: few enough to cost no memory to speak of.
BLOCK_SIZE = 1 << 17

#: Rows that are looked at at a time at least, be they as wide as they may.
FEWEST_ROWS = 16


@dataclass(frozen=True)
class Scales:
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

    def learned(self, samples, learn_targets):
        """Return the scales after these samples, too.

        Parameters
        ----------
        samples : Samples
            With targets as they come.
        learn_targets : bool
            Whether that of the targets is learned, or stays what it is.

        Returns
        -------
        Scales

        Raises
        ------
        ValueError
            Where numbers are so large that their variance is beyond all bounds.
        """
        inputs = self.inputs or StandardScaler(with_mean=not issparse(samples.X))
        inputs = copy.deepcopy(inputs)
        n_rows = _rows_a_block(samples.X, stays_sparse=not inputs.with_mean)
        with np.errstate(all="ignore"):
            for X, weight in samples.raw_blocks(n_rows):
                if issparse(X):
                    X = X.toarray() if inputs.with_mean else _narrow(X)
                _learn(inputs, X.astype(np.float64, copy=False), weight)
            _check_finite(inputs, "X")
            targets = self._targets_learned(samples) if learn_targets else self.targets
        return Scales(inputs, targets)

    def _targets_learned(self, samples):
        targets = copy.deepcopy(self.targets) or StandardScaler()
        values, weight = map(samples.picked, (samples.targets, samples.weight))
        _learn(targets, values, weight)
        _check_finite(targets, "y")
        return targets

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

    def change_of_units(self, before):
        """Return factor and shift of outputs, from their units under other scales."""
        now, then = self.targets, before.targets
        # Targets that were all the same had no units yet.
        had_units = then.var_ > 0.0
        factor = np.where(had_units, then.scale_ / now.scale_, 1.0)
        shift = np.where(had_units, (then.mean_ - now.mean_) / now.scale_, 0.0)
        return factor, shift


def _rows_a_block(X, stays_sparse):
    n_rows, n_columns = X.shape
    if issparse(X) and stays_sparse:
        n_columns = max(1, X.nnz // n_rows)
    return max(FEWEST_ROWS, BLOCK_SIZE // n_columns)


def _narrow(X):
    """Index a block by int32: scikit-learn 1.6 learns once more from nothing else."""
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


def _check_finite(scaler, name):
    if not (np.isfinite(scaler.var_).all() and np.isfinite(scaler.mean_).all()):
        raise ValueError(
            f"{name} contains numbers too large to be standardised: the square of "
            f"their deviation overflows. Scale {name}, or set standardize=False."
        )
