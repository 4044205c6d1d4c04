"""Networks and synthetic data of the benchmarks."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array

#: Number of nonzero entries per sparse row.
N_NONZERO = 20


def make_images(rng, shape, dtype):
    """Generate rows like images of handwritten digits.

    Parameters
    ----------
    rng : numpy.random.Generator
        Random number generator.
    shape : tuple of int
        Number of rows and columns.
    dtype : {"float32", "float64"}
        Dtype of the result.

    Returns
    -------
    ndarray
        Values in [0, 1], most of them zero. About 15% of the columns are zero in all
        rows, like the pixels of a border.
    """
    X = rng.random(shape, dtype)
    X *= 4
    X -= 3
    X.clip(0, 1, out=X)
    X[:, rng.random(shape[1]) < 0.15] = 0
    return X


def make_dense(rng, shape, dtype):
    """Generate standard normal columns, with the parameters of `make_images`."""
    return rng.standard_normal(shape, dtype)


def make_sparse(rng, shape, dtype):
    """Generate sparse rows of word counts, with the parameters of `make_images`."""
    n_rows, n_columns = shape
    indices = rng.integers(0, n_columns, n_rows * N_NONZERO)
    starts = np.arange(0, indices.size + 1, N_NONZERO)
    X = csr_array((np.ones(indices.size, dtype), indices, starts), shape)
    X.sum_duplicates()
    return X


def make_labels(rng, X, n_classes):
    """Label the rows with the predictions of a random network of 16 tanh units."""
    hidden = X @ rng.standard_normal((X.shape[1], 16), X.dtype)
    hidden -= hidden.mean(axis=0)
    hidden /= hidden.std(axis=0)
    weights = rng.standard_normal((16, n_classes), X.dtype)
    return (np.tanh(hidden) @ weights).argmax(axis=1)


@dataclass(frozen=True)
class Workload:
    """Network, training parameters and training data.

    Parameters
    ----------
    make_rows : callable
        Generator of the rows: `make_images`, `make_dense` or `make_sparse`.
    n_rows : int
        Number of rows.
    sizes : tuple of int
        Number of units of each layer. The first is the number of columns, the last the
        number of classes.
    batch_size : int
        Number of rows per mini-batch.
    epochs : int
        Number of passes over the rows.
    solver : {"adam", "sgd"}, default="adam"
        Optimizer.
    activation : {"relu", "logistic"}, default="relu"
        Activation of all hidden layers.
    dtype : {"float32", "float64"}, default="float64"
        Dtype of the data.
    compute_dtype : {"float32", "float64"} or None, default=None
        Parameter `dtype` of skbackprop. If None, the default of skbackprop is used.
    learning_rate : float, default=0.001
        Constant learning rate.
    momentum : float, default=0.9
        Nesterov momentum for "sgd". 0 is plain gradient descent.
    """

    make_rows: callable
    n_rows: int
    sizes: tuple
    batch_size: int
    epochs: int
    solver: str = "adam"
    activation: str = "relu"
    dtype: str = "float64"
    compute_dtype: str | None = None
    learning_rate: float = 0.001
    momentum: float = 0.9

    #: Strength of the L2 penalty, the same for all workloads.
    alpha = 0.0001

    def make_data(self):
        """Generate the rows and their classes from a fixed seed."""
        rng = np.random.default_rng(0)
        X = self.make_rows(rng, (self.n_rows, self.sizes[0]), self.dtype)
        return X, make_labels(rng, X, self.sizes[-1])

    def __str__(self):
        layers = "-".join(map(str, self.sizes))
        cast = f" in {self.compute_dtype}" if self.compute_dtype else ""
        return (
            f"{self.n_rows:,} rows, {layers} {self.activation}, {self.solver}, "
            f"batch {self.batch_size}, {self.epochs} epochs, {self.dtype}{cast}"
        )


WIDE = dict(
    make_rows=make_images,
    n_rows=5_000,
    sizes=(784, 512, 512, 10),
    batch_size=256,
    epochs=4,
)
SPARSE = dict(
    make_rows=make_sparse, n_rows=5_000, sizes=(20_000, 100, 10), batch_size=200
)

WORKLOADS = {
    "classic": Workload(
        make_images,
        6_000,
        (784, 30, 10),
        batch_size=10,
        epochs=10,
        solver="sgd",
        activation="logistic",
        dtype="float32",
        learning_rate=0.02,
    ),
    "iris-sized": Workload(make_dense, 150, (4, 100, 3), batch_size=150, epochs=400),
    "small": Workload(make_dense, 5_000, (20, 64, 32, 2), batch_size=64, epochs=30),
    "default": Workload(make_dense, 20_000, (50, 100, 3), batch_size=200, epochs=20),
    "digits": Workload(
        make_images, 20_000, (784, 100, 10), batch_size=200, epochs=5, dtype="float32"
    ),
    "deep": Workload(
        make_dense,
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
    "wide-float64-in-float32": Workload(**WIDE, compute_dtype="float32"),
    "sparse": Workload(**SPARSE, epochs=2),
    "sparse-sgd": Workload(
        **SPARSE, epochs=4, solver="sgd", momentum=0.0, learning_rate=0.1
    ),
}

#: The workload that the scaling benchmarks vary in one respect.
SCALED = replace(WORKLOADS["default"], epochs=5)

#: Workloads of the scaling benchmarks, by the quantity that varies and its value.
SCALING = {
    "rows": {n: replace(SCALED, n_rows=n) for n in (1_000, 5_000, 20_000, 100_000)},
    "features": {
        n: replace(SCALED, sizes=(n, *SCALED.sizes[1:])) for n in (10, 50, 250, 1_000)
    },
    "width": {
        n: replace(SCALED, sizes=(SCALED.sizes[0], n, SCALED.sizes[2]))
        for n in (10, 50, 250, 1_000)
    },
}

#: All workloads by name.
ALL_WORKLOADS = WORKLOADS | {
    f"{quantity}-{value}": workload
    for quantity, workloads in SCALING.items()
    for value, workload in workloads.items()
}

#: Thread counts to measure with the workload `wide-float32`.
THREADS = (1, 2)
