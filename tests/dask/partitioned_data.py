"""Small datasets, their partitions, and the workers of the partitions."""

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from sklearn.datasets import make_classification

rng = np.random.default_rng(0)
N_ROWS = 70

X, THREE = make_classification(
    N_ROWS, 5, n_informative=4, n_redundant=0, n_classes=3, random_state=0
)
X = X * [1.0, 10.0, 0.1, 1.0, 1.0] + [0.0, 3.0, 0.0, 0.0, -1.0]
TWO = (THREE > 0).astype(int)
NAMES = np.array(["low", "mid", "high"])[THREE]
LABELS = (X[:, [0, 3, 4]] > [0.0, 0.5, -1.0]).astype(int)
NUMBERS = X[:, 0] - 0.1 * X[:, 1] + 20.0
SEVERAL = np.column_stack([NUMBERS, 3.0 * X[:, 2]])
COUNTS = rng.poisson(2.0, N_ROWS).astype(float)
WEIGHT = rng.integers(0, 4, N_ROWS).astype(float)

FRAME = pd.DataFrame(
    {
        "a": X[:, 0],
        "kind": pd.Categorical(NAMES),
        "b": np.where(rng.random(N_ROWS) < 0.2, np.nan, X[:, 1]),
        "flag": TWO.astype(bool),
        "never": np.full(N_ROWS, np.nan),
        "count": COUNTS.astype(int),
    }
)
FRAME.loc[::9, "kind"] = None

#: Number of rows of each partition. One partition is empty and one has a single row.
SIZES = (20, 13, 0, 1, 25, 11)

#: Partition indices of each worker, for one, two and three workers.
GROUPINGS = ([[0, 1, 3, 4, 5]], [[0, 3], [1, 4, 5]], [[4], [1, 0], [5, 3]])

SMALL = {
    "hidden_layer_sizes": (6,),
    "batch_size": 16,
    "max_iter": 3,
    "random_state": 1,
    "learning_rate_init": 0.01,
}

#: Hypothesis strategy of the numbers of rows of partitions, whose sum is `N_ROWS`.
cuts = st.lists(st.integers(1, 30), min_size=1, max_size=8).map(
    lambda sizes: [*sizes[: np.searchsorted(np.cumsum(sizes), N_ROWS)]]
).map(lambda sizes: [*sizes, N_ROWS - sum(sizes)])  # fmt: skip


def bounds(sizes):
    ends = np.cumsum(sizes)
    return [slice(end - size, end) for size, end in zip(sizes, ends)]


def partitions(X, y, weight=None, sizes=SIZES):
    cut = [[None if a is None else a[rows] for a in (X, y, weight)]
           for rows in bounds(sizes)]  # fmt: skip
    return [tuple(part) for part in cut]
