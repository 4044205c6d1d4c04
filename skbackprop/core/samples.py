"""Training samples, and how the rows of a mini-batch are fetched from them."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.sparse import issparse

from .inputs import transform_batch
from .layout import row_blocks
from .workspace import Workspace


def _aligned(array):
    """Return an array, or None, as it is if its numbers lie where NumPy wants them.

    Those that came in a message, or lie in the middle of a file, may not. It would copy
    all of them whenever it fetches some: once and for all is better.
    """
    return array if array is None else np.require(array, requirements=["ALIGNED"])


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
        if not self.is_sparse:
            self.X = _aligned(self.X)
        self.codes, self.weight = _aligned(self.codes), _aligned(self.weight)
        # The few columns of a batch are fetched faster than its many rows.
        self.targets = np.asfortranarray(_aligned(self.targets))

    def __len__(self):
        return self.X.shape[0] if self.rows is None else len(self.rows)

    @property
    def n_inputs(self):
        """Inputs of the network."""
        return self.X.shape[1]

    def measured(self, function, *args):
        """Return what a function finds of these samples.

        Samples may also lie elsewhere, in parts: what is asked for all of them, or done
        to all of them, goes there as a function, and what is found is added up.

        Parameters
        ----------
        function : callable
            ``function(samples, *args)`` returns what can be added up over parts.
        *args : object
            Passed on.

        Returns
        -------
        object
        """
        return function(self, *args)

    def changed(self, function, *args):
        """Return the samples that a function makes of these; see `measured`."""
        return function(self, *args)

    @property
    def mean_weight(self):
        """Mean of the sample weights, 1 where there are none."""
        if self.weight is None:
            return 1.0
        return float(self.take(self.weight).mean(dtype=np.float64))

    def subset(self, rows):
        """Return the samples with these row numbers, without copying them."""
        return replace(self, rows=rows)

    def raw_blocks(self, n_rows):
        """Yield inputs as they come, and weights, at most `n_rows` rows at a time.

        Parameters
        ----------
        n_rows : int
            Rows of a block.

        Yields
        ------
        X : {ndarray, sparse array} of shape (n_block, n_inputs)
            Rows of `X`, a view where they are consecutive.
        weight : ndarray of shape (n_block,) or None
            Their weights.
        """
        for block in row_blocks(len(self), n_rows):
            rows = block if self.rows is None else self.rows[block]
            yield self.X[rows], None if self.weight is None else self.weight[rows]

    def take(self, array):
        """Return the rows of an array, or of None, that belong to these samples."""
        return array if array is None or self.rows is None else array[self.rows]

    def materialize(self):
        """Return a copy of these samples alone, where they are a subset."""
        if self.rows is None:
            return self
        return Samples(
            self.X[self.rows],
            self.targets if self.codes is not None else self.take(self.targets),
            self.take(self.codes),
            self.take(self.weight),
        )

    def workspace(self, network, n_rows, activations=None):
        """Make the buffers for batches of at most `n_rows`; see `Workspace`."""
        return Workspace(network, n_rows, self.is_sparse, self.X.dtype, activations)

    def to_row_indices(self, order):
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
            work.x = transform_batch(self.X[rows], x, work.inputs)
        else:
            # mode="clip" spares NumPy a buffer that mode="raise" needs.
            self.X.take(rows, axis=0, out=raw, mode="clip")
            work.x = work.inputs.dense(raw, x)
        if self.weight is not None:
            work.weight = self.weight.take(rows, out=weight, mode="clip")
        if self.codes is not None:
            rows = self.codes.take(rows, out=codes, mode="clip")
        self.targets.T.take(rows, axis=1, out=y.T, mode="clip")
        work.y = y

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
        _, x, y, _, _ = work.fetched
        work.x = transform_batch(self.X[rows], x, work.inputs)
        if self.codes is not None:
            self.targets.T.take(self.codes[rows], axis=1, out=y.T, mode="clip")
            work.y = y
        else:
            work.y = self.targets[rows]
        if self.weight is not None:
            work.weight = self.weight[rows]
