"""Training samples, and how the rows of a mini-batch are fetched from them."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.sparse import issparse

from .network import Workspace, input_dot_of


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

    def take(self, rows):
        """Return a copy of the samples with these row numbers."""
        return Samples(
            self.X[rows],
            self.targets if self.codes is not None else self.targets[rows],
            None if self.codes is None else self.codes[rows],
            None if self.weight is None else self.weight[rows],
        )

    def workspace(self, network, n_rows, keep_output_z=False):
        """Make the buffers for batches of at most `n_rows` of these samples."""
        return Workspace(network, n_rows, input_dot_of(self.X), keep_output_z)

    def gather(self, rows, work):
        """Fetch the samples with these row numbers into the workspace.

        Parameters
        ----------
        rows : ndarray of int of shape (n_rows,)
            Which, each within ``range(len(self))``.
        work : Workspace
            Its `x`, `y` and `weight` are set.
        """
        if self.rows is not None:
            rows = self.rows[rows]
        x, y, weight, codes = work.buffers
        if issparse(self.X):
            x = self.X[rows]
        else:
            # mode="clip" spares NumPy a buffer that mode="raise" needs.
            self.X.take(rows, axis=0, out=x, mode="clip")
        if self.weight is not None:
            work.weight = self.weight.take(rows, out=weight, mode="clip")
        if self.codes is not None:
            rows = self.codes.take(rows, out=codes, mode="clip")
        self.targets.take(rows, axis=0, out=y, mode="clip")
        work.x, work.y = x, y

    def slice(self, rows, work):
        """Point the workspace to consecutive samples, without copying the inputs.

        Parameters
        ----------
        rows : slice
            Which samples.
        work : Workspace
            Its `x`, `y` and `weight` are set.
        """
        if self.rows is not None:
            self.gather(np.arange(rows.start, rows.stop), work)
            return
        work.x = self.X[rows]
        if self.codes is not None:
            work.y = self.targets.take(
                self.codes[rows], axis=0, out=work.buffers[1], mode="clip"
            )
        else:
            work.y = self.targets[rows]
        if self.weight is not None:
            work.weight = self.weight[rows]
