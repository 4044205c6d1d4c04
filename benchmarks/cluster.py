"""Time training on two workers beside one process: ``python -m benchmarks.cluster``.

The workers are processes of this machine, with a thread each: messages go through its
memory, where those of a real cluster go through a network, which is slower.
"""

import argparse
import warnings
from contextlib import contextmanager
from statistics import median
from time import perf_counter

import dask.array as da
import numpy as np
from distributed import Client, LocalCluster
from sklearn.exceptions import ConvergenceWarning

from skbackprop import BackpropClassifier
from skbackprop.dask import DaskBackpropClassifier, _partitions
from skbackprop.dask.shards import Shards

from .results import markdown_row

N_WORKERS = 2

#: Rows of a mini-batch in a step that all take together, and in epochs of their own.
LARGE, SMALL = 4096, 200

#: Rows, columns and hidden units.
SIZES = [
    (20_000, 20, (50,)),
    (200_000, 20, (50,)),
    (200_000, 20, (500,)),
    (50_000, 100, (500, 500)),
]


class Echo:
    """A learner that answers at once with as many numbers as it is sent."""

    def __init__(self, shard):
        pass

    def __call__(self, params):
        """Return what was sent."""
        return params


@contextmanager
def cluster():
    """Start two workers."""
    workers = LocalCluster(
        n_workers=N_WORKERS, threads_per_worker=1, dashboard_address=None
    )
    with workers, Client(workers) as client:
        yield client


def table(n_rows, n_columns, n_partitions):
    """Draw rows on the workers, and classes that a network can learn."""
    rng = da.random.default_rng(0)
    X = rng.normal(size=(n_rows, n_columns), chunks=(n_rows // n_partitions, -1))
    return X, (X[:, 0] * X[:, 1] > X[:, 2]).astype(int)


def message_seconds(client, n_params, repeats):
    """Return the time of a message to all workers and back, without any work."""
    shards = Shards(client, _partitions(*table(100, 3, N_WORKERS), None))
    shards.tell("make_learner", Echo)
    params, seconds = np.zeros(n_params), []
    for _ in range(repeats):
        start = perf_counter()
        shards.ask_learners(params)
        seconds.append(perf_counter() - start)
    return median(seconds)


def epoch_seconds(network, X, y):
    """Return the median time of an epoch, but the first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return median(network.fit(X, y).history_["seconds"][1:])


def contestants(sizes, epochs):
    """Return networks by what they are called, with what each is compared to."""
    params = dict(
        hidden_layer_sizes=sizes,
        loss="log_loss",
        max_iter=epochs,
        tol=0,
        n_iter_no_change=epochs,
        random_state=0,
    )
    return {
        "one process, 4096": BackpropClassifier(**params, batch_size=LARGE),
        "step, 4096": DaskBackpropClassifier(**params, batch_size=LARGE),
        "one process, 200": BackpropClassifier(**params, batch_size=SMALL),
        "epoch, 200": DaskBackpropClassifier(**params, batch_size=SMALL, sync="epoch"),
    }


def time_row(client, n_rows, n_columns, sizes, epochs, rounds):
    """Return how many times as long one process takes, for both ways."""
    spread = client.persist(table(n_rows, n_columns, 4 * N_WORKERS))
    X, y = client.compute(spread, sync=True)
    times = {name: [] for name in contestants(sizes, epochs)}
    for _ in range(rounds):
        for name, network in contestants(sizes, epochs).items():
            data = spread if isinstance(network, DaskBackpropClassifier) else (X, y)
            times[name].append(epoch_seconds(network, *data))
    one_large, step, one_small, epoch = times.values()
    return median(np.divide(one_large, step)), median(np.divide(one_small, epoch))


def main():
    """Print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="turns (default: 3)")
    parser.add_argument("--epochs", type=int, default=5, help="of a fit (default: 5)")
    options = parser.parse_args()
    with cluster() as client:
        print(markdown_row(["numbers sent", "milliseconds"]))
        print(markdown_row(["---:", "---:"]))
        for n_params in (1_000, 10_000, 100_000, 1_000_000):
            seconds = message_seconds(client, n_params, repeats=50)
            print(markdown_row([f"{n_params:,}", 1e3 * seconds]))
        print()
        names = ["one / step", "one / epoch"]
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
