"""Training samples, and how the rows of a mini-batch are fetched from them."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.sparse import issparse

from .network import Workspace


@dataclass
class Samples:
    """Inputs, targets and weights to learn from; never written to.

    Parameters
    ----------
    X : {ndarray, sparse array} of shape (n_samples, n_inputs)
        Inputs, dense in C order or sparse by rows (CSR).
    targets : ndarray of shape (n_samples, n_outputs) or (n_codes, n_outputs)
        The desired outputs of each sample, or of each code.
    codes : ndarray of int of shape (n_samples,), default=None
        The target of sample i is ``targets[codes[i]]``: a classifier keeps a
        whole number a sample instead of a one-hot row.
    weight : ndarray of shape (n_samples,), default=None
        Sample weights.
    rows : ndarray of int of shape (n_rows,), default=None
        Learn from these samples alone, in this order; from all where None.
    """

    X: Any
    targets: np.ndarray
    codes: np.ndarray | None = None
    weight: np.ndarray | None = None
    rows: np.ndarray | None = None

    def __post_init__(self):
        self.is_sparse = issparse(self.X)
        # The few columns of a batch are fetched faster than its many rows.
        self.targets = np.asfortranarray(self.targets)

    def __len__(self):
        return self.X.shape[0] if self.rows is None else len(self.rows)

    @property
    def mean_weight(self):
        """Mean of the sample weights, 1 where there are none."""
        if self.weight is None:
            return 1.0
        weight = self.weight if self.rows is None else self.weight[self.rows]
        return float(weight.mean(dtype=np.float64))

    def subset(self, rows):
        """Return the samples with these row numbers, without copying them."""
        return replace(self, rows=rows)

    def copied(self):
        """Return a copy of these samples alone, where they are a subset."""
        return Samples(
            self.X[self.rows],
            self.targets if self.codes is not None else self.targets[self.rows],
            None if self.codes is None else self.codes[self.rows],
            None if self.weight is None else self.weight[self.rows],
        )

    def workspace(self, network, n_rows):
        """Make the buffers for batches of at most `n_rows` of these samples."""
        return Workspace(network, n_rows, self.is_sparse, self.X.dtype)

    def located(self, order):
        """Return the numbers that these samples have in `X`, in this order."""
        return order if self.rows is None else self.rows.take(order)

    def gather(self, rows, work):
        """Fetch samples into the workspace.

        Parameters
        ----------
        rows : ndarray of int of shape (n_rows,)
            Their numbers in `X`, see `located`.
        work : Workspace
            Its `x`, `y` and `weight` are set.
        """
        raw, x, y, weight, codes = work.fetched
        if self.is_sparse:
            x = self.X[rows].astype(x.dtype, copy=False)
        else:
            # mode="clip" spares NumPy a buffer that mode="raise" needs.
            self.X.take(rows, axis=0, out=raw, mode="clip")
            if raw is not x:
                np.copyto(x, raw, casting="same_kind")
        if self.weight is not None:
            work.weight = self.weight.take(rows, out=weight, mode="clip")
        if self.codes is not None:
            rows = self.codes.take(rows, out=codes, mode="clip")
        self.targets.T.take(rows, axis=1, out=y.T, mode="clip")
        work.x, work.y = x, y

    def slice(self, rows, work):
        """Fetch consecutive samples, without copying the inputs where that can be.

        Parameters
        ----------
        rows : slice
            Which samples.
        work : Workspace
            Its `x`, `y` and `weight` are set.
        """
        if self.rows is not None:
            self.gather(self.rows[rows], work)
            return
        raw, x, y, _, _ = work.fetched
        work.x = self.X[rows]
        if self.is_sparse:
            work.x = work.x.astype(x.dtype, copy=False)
        elif raw is not x:
            np.copyto(x, work.x, casting="same_kind")
            work.x = x
        if self.codes is not None:
            self.targets.T.take(self.codes[rows], axis=1, out=y.T, mode="clip")
            work.y = y
        else:
            work.y = self.targets[rows]
        if self.weight is not None:
            work.weight = self.weight[rows]
