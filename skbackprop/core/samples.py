"""Training samples, and the selection of the rows of a mini-batch."""

import copy
from dataclasses import dataclass

import numpy as np
from scipy.sparse import issparse

from .kernels import all_finite, write_one_hot_targets, write_targets
from .layout import row_blocks
from .mixed import MixedRows


@dataclass(frozen=True)
class WeightTotals:
    """Statistics of the sample weights.

    The sum of two instances describes the samples of both.

    Parameters
    ----------
    n_rows : int
        Number of samples.
    n_weighted : int
        Number of samples with a nonzero weight.
    mean : float
        Mean of the sample weights. The sum could overflow.
    """

    n_rows: int = 0
    n_weighted: int = 0
    mean: float = 0.0

    def __add__(self, other):
        """Return the statistics of the samples of both."""
        n_rows = self.n_rows + other.n_rows
        # Equal means stay equal, without rounding.
        mean = self.mean + (other.mean - self.mean) * (other.n_rows / n_rows)
        return WeightTotals(n_rows, self.n_weighted + other.n_weighted, mean)

    @property
    def penalty_divisor(self):
        """Divisor of the penalty per sample.

        The sum of the weights, or the number of samples with a nonzero weight if this
        number is larger, divided by the number of samples. An integer weight thus has
        the effect of repeated samples, and weights that sum to one do not strengthen
        the penalty.
        """
        return max(self.mean, self.n_weighted / self.n_rows)


class Samples:
    """Inputs, targets and sample weights; the arrays are never modified.

    Parameters
    ----------
    X : {ndarray, sparse array, MixedRows} of shape (n_samples, n_inputs)
        Inputs: a C-contiguous array, a sparse array in CSR format, or rows with
        categories or missing values.
    targets : ndarray of shape (n_samples, n_outputs) or (2, n_outputs)
        Target values of each sample. With `codes`, a row of zeros and a row of ones.
    codes : ndarray of int of shape (n_samples,), default=None
        Class index of each sample. The target is the index itself if there is one
        output, otherwise a one-hot row. One-hot rows are written batch by batch.
    weight : ndarray of shape (n_samples,), default=None
        Sample weights. For training, they are relative to the mean weight and have the
        dtype of the network; see `with_relative_weights`.
    rows : ndarray of int of shape (n_rows,), default=None
        Restricts the samples to these rows of `X`, in this order. None uses all rows.

    Attributes
    ----------
    is_sparse : bool
        Whether `X` is sparse.
    n_samples : int
        Number of samples.
    n_inputs : int
        Number of inputs of the network.
    has_one_hot_targets : bool
        Whether the target of a sample is the one-hot row of its code.
    """

    def __init__(self, X, targets, codes=None, weight=None, rows=None):
        self.is_sparse = issparse(X)
        # NumPy copies an unaligned array, for example from a message or a memory-mapped
        # file, each time rows are gathered. A single copy is cheaper.
        is_array = isinstance(X, np.ndarray)
        self.X = np.require(X, requirements="A") if is_array else X
        # In column order, gathering rows is faster because there are few columns.
        self.targets = np.asfortranarray(np.require(targets, requirements="A"))
        self.codes = None if codes is None else np.require(codes, requirements="A")
        self.has_one_hot_targets = codes is not None and targets.shape[1] > 1
        self.weight = None if weight is None else np.require(weight, requirements="A")
        self.rows = rows
        self.n_samples = X.shape[0] if rows is None else len(rows)
        self.n_inputs = X.shape[1]

    def __setstate__(self, state):
        # Arrays from a message can be unaligned; see `__init__`.
        for name, value in state.items():
            is_array = isinstance(value, np.ndarray)
            aligned = np.require(value, requirements="A") if is_array else value
            setattr(self, name, aligned)

    def __sizeof__(self):
        # By the approximate size, Dask recognizes large samples. Each worker then
        # receives them once instead of once per task.
        n_bytes = self.n_samples * self.n_inputs * self.X.dtype.itemsize
        return n_bytes + self.targets.nbytes

    def weight_totals(self):
        """Compute the statistics of the sample weights.

        Returns
        -------
        WeightTotals
            Without sample weights, all samples have weight 1.
        """
        if self.weight is None:
            return WeightTotals(self.n_samples, self.n_samples, 1.0)
        weight = self.take(self.weight)
        with np.errstate(over="ignore"):  # the caller checks the mean
            mean = float(weight.mean(dtype=np.float64))
        return WeightTotals(self.n_samples, int(np.count_nonzero(weight)), mean)

    def subset(self, rows):
        """Return the samples with these row numbers, without a copy."""
        replaced = copy.copy(self)
        # Row numbers from a message can be unaligned, too.
        replaced.rows = np.require(rows, np.intp, requirements=["C", "A"])
        replaced.n_samples = len(rows)
        return replaced

    def with_weight(self, weight):
        """Return the same samples with other sample weights."""
        replaced = copy.copy(self)
        replaced.weight = np.require(weight, requirements="A")
        return replaced

    def with_relative_weights(self, mean_weight, dtype):
        """Return the same samples with weights relative to a mean weight.

        Parameters
        ----------
        mean_weight : float
            Mean of the weights of all training samples.
        dtype : dtype
            Dtype of the relative weights: the dtype of the network.

        Returns
        -------
        Samples
            The samples themselves if they have no weights.
        """
        if self.weight is None:
            return self
        relative = np.empty(self.weight.shape, dtype)
        # Weights that are negligible compared with the mean weight become zero.
        with np.errstate(all="ignore"):
            mean_weight = np.float64(mean_weight)  # computes in float64
            np.divide(self.weight, mean_weight, out=relative, casting="same_kind")
        return self.with_weight(relative)

    def raw_blocks(self, n_rows):
        """Iterate over unscaled numeric inputs and sample weights in blocks of rows.

        Parameters
        ----------
        n_rows : int
            Maximum number of rows per block.

        Yields
        ------
        X : {ndarray, sparse array} of shape (n_block, n_numeric)
            Rows of `X`; a view if the rows are consecutive. Missing values are NaN, and
            categories are omitted.
        weight : ndarray of shape (n_block,) or None
            Sample weights of these rows.
        """
        blocks = row_blocks(self.n_samples, n_rows)
        if self.rows is not None:
            blocks = (self.rows[block] for block in blocks)
        X, weight = self.X, self.weight
        for rows in blocks:
            block = X[rows]
            numeric = block.numeric if isinstance(X, MixedRows) else block
            yield numeric, None if weight is None else weight[rows]

    def target_blocks(self, n_rows):
        """Iterate over float64 targets and sample weights in blocks of rows.

        Parameters
        ----------
        n_rows : int
            Maximum number of rows per block.

        Yields
        ------
        y : ndarray of shape (n_block, n_outputs)
            Targets, one-hot rows for several classes.
        weight : ndarray of shape (n_block,) or None
            Sample weights of these rows.
        """
        for rows in row_blocks(self.n_samples, n_rows):
            rows = rows if self.rows is None else self.rows[rows]
            if not self.has_one_hot_targets:
                y = self.targets[rows if self.codes is None else self.codes[rows]]
            else:
                codes = self.codes[rows]
                y = np.zeros((len(codes), self.targets.shape[1]), order="F")
                y[np.arange(len(codes)), codes] = 1.0
            yield (
                y.astype(float, copy=False),
                (None if self.weight is None else self.weight[rows]),
            )

    def take(self, array):
        """Return the rows of an array, or of None, that belong to these samples."""
        return array if array is None or self.rows is None else array[self.rows]

    def materialize(self):
        """Copy a subset to new arrays; return complete samples unchanged."""
        if self.rows is None:
            return self
        return type(self)(
            self.X[self.rows],
            self.targets if self.codes is not None else self.take(self.targets),
            self.take(self.codes),
            self.take(self.weight),
        )

    def largest_outputs(self, network, n_rows):
        """Compute the largest absolute outputs of a network on some of the samples.

        Parameters
        ----------
        network : Network
            Network to evaluate.
        n_rows : int
            Maximum number of samples to evaluate, at equal distances.

        Returns
        -------
        ndarray of shape (n_outputs,)
            Largest absolute value of each output. Infinite or NaN if an output, or its
            weighted input z, is not finite.
        """
        some = slice(None, None, -(-self.n_samples // n_rows))
        X = self.X[some if self.rows is None else self.rows[some]]
        largest = np.zeros(network.sizes[-1])
        for _, batch in network.forward_blocks(X):
            z, a = batch.z[-1], batch.a[-1]
            block = np.abs(a).max(axis=0)
            if not all_finite(z):
                block[~np.isfinite(z).all(axis=0)] = np.nan
            np.maximum(largest, block, out=largest)
        return largest

    def to_row_indices(self, order):
        """Map positions among these samples to row numbers of `X`."""
        return order if self.rows is None else self.rows.take(order)

    def gather(self, rows, work):
        """Copy samples into the workspace.

        Parameters
        ----------
        rows : ndarray of int of shape (n_rows,)
            Row numbers of `X`; see `to_row_indices`.
        work : Workspace
            Its `x`, `y` and `weight` are set.
        """
        work.x = work.first_layer.gather(self.X, rows, work.x_buffer)
        work.y, weight = work.buffers
        self._write_targets(self.codes, rows, work.y)
        if self.weight is not None:
            work.weight = self.weight.take(rows, out=weight, mode="clip")

    def slice(self, rows, work):
        """Read consecutive samples into the workspace, as views if possible.

        Parameters
        ----------
        rows : slice
            Positions of the samples.
        work : Workspace
            Its `x`, `y` and `weight` are set.
        """
        if self.rows is not None:
            self.gather(self.rows[rows], work)
            return
        work.x = work.read(self.X[rows])
        if self.codes is None:
            work.y = self.targets[rows]
        else:
            work.y = work.buffers.y
            self._write_targets(self.codes[rows], None, work.y)
        if self.weight is not None:
            work.weight = self.weight[rows]

    def _write_targets(self, codes, rows, y):
        """Write the targets of the given rows, or of all `codes`, into `y`."""
        if self.has_one_hot_targets:
            write_one_hot_targets(codes, rows, y)
        else:
            write_targets(self.targets, codes, rows, y)
