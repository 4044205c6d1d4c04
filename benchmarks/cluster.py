"""Compare training on two workers with training in one process.

Call ``python -m benchmarks.cluster`` from the root of the repository. The workers are
processes on this machine with one thread each. Messages between the workers stay in
memory, while the messages of a real cluster pass through a slower network.
"""

import argparse
import warnings
from contextlib import closing, contextmanager
from statistics import median
from time import perf_counter

import dask.array as da
import numpy as np
from distributed import Client, LocalCluster
from sklearn.exceptions import ConvergenceWarning

from skbackprop import BackpropClassifier
from skbackprop.dask import DaskBackpropClassifier
from skbackprop.dask.partitions import to_partitions
from skbackprop.dask.shards import Shards

from .results import markdown_row

N_WORKERS = 2

#: Batch sizes for sync="step" (one joint mini-batch) and sync="epoch" (local epochs).
STEP_BATCH_SIZE, EPOCH_BATCH_SIZE = 4096, 200

#: Number of rows, number of columns and sizes of the hidden layers.
SIZES = [
    (20_000, 20, (50,)),
    (200_000, 20, (50,)),
    (200_000, 20, (500,)),
    (50_000, 100, (500, 500)),
]


class Echo:
    """Training worker that returns the parameters without any computation."""

    def __init__(self, shard):
        pass

    def __call__(self, params):
        """Return the parameters unchanged."""
        return params


@contextmanager
def cluster():
    """Start a cluster of `N_WORKERS` workers and yield its client."""
    workers = LocalCluster(
        n_workers=N_WORKERS, threads_per_worker=1, dashboard_address=None
    )
    with workers, Client(workers) as client:
        yield client


def make_data(n_rows, n_columns, n_partitions):
    """Generate partitioned random rows and two classes that a network can learn."""
    rng = da.random.default_rng(0)
    X = rng.normal(size=(n_rows, n_columns), chunks=(n_rows // n_partitions, -1))
    return X, (X[:, 0] * X[:, 1] > X[:, 2]).astype(int)


def message_seconds(client, n_params, repeats):
    """Return the median time of a round trip of the parameters to all workers."""
    partitions = to_partitions(*make_data(100, 3, N_WORKERS), None)
    params, seconds = np.zeros(n_params), []
    with closing(Shards(client, partitions, keep_placement=False)) as shards:
        shards.broadcast("create_training_worker", Echo)
        for _ in range(repeats):
            start = perf_counter()
            shards.run_training_workers(params)
            seconds.append(perf_counter() - start)
    return median(seconds)


def epoch_seconds(network, X, y):
    """Return the median time per epoch, without the first epoch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return median(network.fit(X, y).history_["seconds"][1:])


def make_networks(sizes, epochs):
    """Return a dict of the networks, each Dask network after its local counterpart."""
    params = dict(
        hidden_layer_sizes=sizes,
        loss="log_loss",
        max_iter=epochs,
        tol=0,
        n_iter_no_change=epochs,
        random_state=0,
    )
    return {
        "one process, 4096": BackpropClassifier(**params, batch_size=STEP_BATCH_SIZE),
        "step, 4096": DaskBackpropClassifier(**params, batch_size=STEP_BATCH_SIZE),
        "one process, 200": BackpropClassifier(**params, batch_size=EPOCH_BATCH_SIZE),
        "epoch, 200": DaskBackpropClassifier(
            **params, batch_size=EPOCH_BATCH_SIZE, sync="epoch"
        ),
    }


def time_row(client, n_rows, n_columns, sizes, epochs, rounds):
    """Return the speedup over one process for sync="step" and sync="epoch"."""
    partitioned = client.persist(make_data(n_rows, n_columns, 4 * N_WORKERS))
    X, y = client.compute(partitioned, sync=True)
    times = {name: [] for name in make_networks(sizes, epochs)}
    for _ in range(rounds):
        for name, network in make_networks(sizes, epochs).items():
            is_dask = isinstance(network, DaskBackpropClassifier)
            data = partitioned if is_dask else (X, y)
            times[name].append(epoch_seconds(network, *data))
    local_step, step, local_epoch, epoch = times.values()
    return median(np.divide(local_step, step)), median(np.divide(local_epoch, epoch))


def main():
    """Print the table of message times and the table of speedups."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cluster", description=__doc__
    )
    parser.add_argument(
        "--rounds", type=int, default=3, help="number of rounds (default: 3)"
    )
    parser.add_argument(
        "--epochs", type=int, default=5, help="number of epochs per fit (default: 5)"
    )
    options = parser.parse_args()
    with cluster() as client:
        print(markdown_row(["parameters", "milliseconds"]))
        print(markdown_row(["---:", "---:"]))
        for n_params in (1_000, 10_000, 100_000, 1_000_000):
            seconds = message_seconds(client, n_params, repeats=50)
            print(markdown_row([f"{n_params:,}", 1e3 * seconds]))
        print()
        names = ["one process / step", "one process / epoch"]
        print(markdown_row(["rows", "network", *names]))
        print(markdown_row(["---:", "---", "---:", "---:"]))
        for n_rows, n_columns, sizes in SIZES:
            shape = "-".join(map(str, (n_columns, *sizes, 1)))
            ratios = time_row(
                client, n_rows, n_columns, sizes, options.epochs, options.rounds
            )
            print(markdown_row([f"{n_rows:,}", shape, *ratios]), flush=True)


if __name__ == "__main__":
    main()
