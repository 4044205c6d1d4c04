"""The networks that are trained, and the synthetic data they are trained on."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

#: Non-zero entries of a sparse row.
ENTRIES = 20


def images(rng, shape, dtype):
    """Draw rows like handwritten digits: in [0, 1], most of them zero.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where the numbers come from.
    shape : tuple of int
        Rows and columns; about 15 % of the columns are zero in every row, as
        pixels of a border are.
    dtype : {"float32", "float64"}
        Of the result.

    Returns
    -------
    ndarray
    """
    X = rng.random(shape, dtype)
    X *= 4
    X -= 3
    X.clip(0, 1, out=X)
    X[:, rng.random(shape[1]) < 0.15] = 0
    return X


def table(rng, shape, dtype):
    """Draw standardised columns of numbers; parameters as in `images`."""
    return rng.standard_normal(shape, dtype)


def counts(rng, shape, dtype):
    """Draw sparse rows, like words of short texts; parameters as in `images`."""
    n_rows, n_columns = shape
    indices = rng.integers(0, n_columns, n_rows * ENTRIES)
    starts = np.arange(0, indices.size + 1, ENTRIES)
    X = csr_array((np.ones(indices.size, dtype), indices, starts), shape)
    X.sum_duplicates()
    return X


def labels(rng, X, n_classes):
    """Label the rows as a small random network of tanh units would."""
    hidden = X @ rng.standard_normal((X.shape[1], 16), X.dtype)
    hidden -= hidden.mean(axis=0)
    hidden /= hidden.std(axis=0)
    weights = rng.standard_normal((16, n_classes), X.dtype)
    return (np.tanh(hidden) @ weights).argmax(axis=1)


@dataclass(frozen=True)
class Workload:
    """One network and the data it is trained on.

    Parameters
    ----------
    draw : callable
        `images`, `table` or `counts`.
    n_rows : int
        Rows of the data.
    sizes : tuple of int
        Units of each layer: columns of the data first, classes last.
    batch_size : int
        Rows of a mini-batch.
    epochs : int
        How often all rows are gone through.
    solver : {"adam", "sgd"}, default="adam"
        The optimiser.
    activation : {"relu", "logistic"}, default="relu"
        Of all hidden layers.
    dtype : {"float32", "float64"}, default="float64"
        Of the data.
    computed_in : {"float32", "float64"} or None, default=None
        The dtype skbackprop is told to compute in; None says nothing to it.
    learning_rate : float, default=0.001
        The constant learning rate.
    momentum : float, default=0.9
        Nesterov's, for "sgd"; 0 is plain gradient descent.
    """

    draw: callable
    n_rows: int
    sizes: tuple
    batch_size: int
    epochs: int
    solver: str = "adam"
    activation: str = "relu"
    dtype: str = "float64"
    computed_in: str | None = None
    learning_rate: float = 0.001
    momentum: float = 0.9

    #: Strength of the L2 penalty, everywhere.
    alpha = 0.0001

    def data(self):
        """Return the rows and their classes, the same in every call."""
        rng = np.random.default_rng(0)
        X = self.draw(rng, (self.n_rows, self.sizes[0]), self.dtype)
        return X, labels(rng, X, self.sizes[-1])

    def __str__(self):
        layers = "-".join(map(str, self.sizes))
        cast = f" in {self.computed_in}" if self.computed_in else ""
        return (
            f"{self.n_rows:,} rows, {layers} {self.activation}, {self.solver}, "
            f"batch {self.batch_size}, {self.epochs} epochs, {self.dtype}{cast}"
        )


WIDE = dict(
    draw=images, n_rows=5_000, sizes=(784, 512, 512, 10), batch_size=256, epochs=4
)
SPARSE = dict(draw=counts, n_rows=5_000, sizes=(20_000, 100, 10), batch_size=200)

WORKLOADS = {
    "classic": Workload(
        images,
        6_000,
        (784, 30, 10),
        batch_size=10,
        epochs=10,
        solver="sgd",
        activation="logistic",
        dtype="float32",
        learning_rate=0.02,
    ),
    "iris-sized": Workload(table, 150, (4, 100, 3), batch_size=150, epochs=400),
    "small": Workload(table, 5_000, (20, 64, 32, 2), batch_size=64, epochs=30),
    "default": Workload(table, 20_000, (50, 100, 3), batch_size=200, epochs=20),
    "digits": Workload(
        images, 20_000, (784, 100, 10), batch_size=200, epochs=5, dtype="float32"
    ),
    "deep": Workload(
        table,
        20_000,
        (100, 128, 128, 128, 10),
        batch_size=128,
        epochs=5,
        solver="sgd",
        activation="logistic",
        dtype="float32",
        learning_rate=0.1,
    ),
    "wide-float32": Workload(**WIDE, dtype="float32"),
    "wide-float64": Workload(**WIDE),
    "wide-float64-in-float32": Workload(**WIDE, computed_in="float32"),
    "sparse": Workload(**SPARSE, epochs=2),
    "sparse-sgd": Workload(
        **SPARSE, epochs=4, solver="sgd", momentum=0.0, learning_rate=0.1
    ),
}
