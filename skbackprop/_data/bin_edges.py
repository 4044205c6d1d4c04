"""Edges of the bins of numeric features: weighted quantiles of a sample of rows."""

from dataclasses import dataclass

import numpy as np

from .checks import to_unit_scale

#: Maximum number of rows from which edges are computed. The sampling error of the
#: quantiles is then about 0.1% of the rows.
MAX_ROWS = 200_000

#: Columns that are copied at once. A row in C order has about this number of values per
#: cache line.
BLOCK_COLUMNS = 8


def draw_rows(n_rows, weight, seed):
    """Draw at most `MAX_ROWS` of the rows with positive weight.

    Each row has a random key, and the rows with the smallest keys are drawn. Samples
    can therefore be merged: see `RowSample`.

    Parameters
    ----------
    n_rows : int
        Number of rows.
    weight : ndarray of shape (n_rows,) or None
        Sample weights.
    seed : int
        Seed of the keys. Partitions of the same dataset need different seeds.

    Returns
    -------
    rows : ndarray of int of shape (n_drawn,)
        Row numbers in increasing order.
    keys : ndarray of shape (n_drawn,)
    """
    keys = np.random.RandomState(seed).random_sample(n_rows)
    if weight is not None:
        keys[weight <= 0.0] = np.inf
    rows = _find_smallest(keys)
    rows = rows[keys[rows] < np.inf]
    return rows, keys[rows]


def _find_smallest(keys):
    """Return the positions of the `MAX_ROWS` smallest keys, in increasing order."""
    if len(keys) <= MAX_ROWS:
        return np.arange(len(keys))
    return np.sort(np.argpartition(keys, MAX_ROWS)[:MAX_ROWS])


def find_edges(X, weight, rows, n_bins):
    """Find the edges of the bins of each column.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_columns)
        Numeric features. Missing values are NaN.
    weight : ndarray of shape (n_samples,) or None
        Sample weights.
    rows : ndarray of int of shape (n_rows,)
        Rows with positive weight that the edges are computed from.
    n_bins : int
        Maximum number of bins per column.

    Returns
    -------
    list of ndarray of float64
        Edges of each column in strictly increasing order, from the minimum to the
        maximum of the known values; empty if all values are missing.
    """
    # The largest weight is about 1, because sums of extreme weights could overflow.
    weight = None if weight is None else to_unit_scale(weight[rows].astype(np.float64))
    edges = []
    for start in range(0, X.shape[1], BLOCK_COLUMNS):
        block = X[:, start : start + BLOCK_COLUMNS].take(rows, axis=0)
        edges += [_find_column_edges(column, weight, n_bins) for column in block.T]
    return edges


def _find_column_edges(column, weight, n_bins):
    """Return the edges of the bins of one column."""
    known = np.isfinite(column)
    values = column[known].astype(np.float64)
    values, weights = _sum_weights(values, None if weight is None else weight[known])
    if len(values) <= n_bins + 1:
        return values
    # Quantile t is the smallest value whose cumulative weight reaches t / n_bins of the
    # total weight. Repeated rows and integer weights give exactly the same sums.
    cumulative = np.cumsum(weights, dtype=np.float64)
    targets = np.arange(1, n_bins) * cumulative[-1]
    inner = values[np.searchsorted(n_bins * cumulative, targets)]
    return np.unique([values[0], *inner, values[-1]])


def _sum_weights(values, weight):
    """Return the distinct values in increasing order, and the total weight of each."""
    if weight is None:
        return np.unique(values, return_counts=True)
    distinct, inverse = np.unique(values, return_inverse=True)
    return distinct, np.bincount(inverse, weight)


@dataclass(frozen=True)
class RowSample:
    """Random sample of rows with positive weight.

    The sum of two instances is a sample of the rows of both. It depends neither on the
    order of the summands nor on their sizes.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_columns)
        Numeric features. Missing values are NaN.
    weight : ndarray of shape (n_rows,)
        Sample weights.
    keys : ndarray of shape (n_rows,)
        Random key of each row; see `draw_rows`.
    """

    rows: np.ndarray
    weight: np.ndarray
    keys: np.ndarray

    @classmethod
    def draw(cls, X, weight, seed):
        """Draw a sample; see `draw_rows` for the parameters."""
        rows, keys = draw_rows(len(X), weight, seed)
        return cls(X[rows], weight[rows], keys)

    def __add__(self, other):
        """Return the sample of the rows of both."""
        keys = np.concatenate([self.keys, other.keys])
        drawn = _find_smallest(keys)
        return RowSample(
            np.concatenate([self.rows, other.rows])[drawn],
            np.concatenate([self.weight, other.weight])[drawn],
            keys[drawn],
        )

    def find_edges(self, n_bins):
        """Find the edges of the bins of each column; see `find_edges`."""
        return find_edges(self.rows, self.weight, np.arange(len(self.rows)), n_bins)
