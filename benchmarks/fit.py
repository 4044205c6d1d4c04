"""Time one whole `fit`: ``python -m benchmarks.fit WORKLOAD CONTESTANT``."""

from dataclasses import replace
from time import perf_counter

from .contestants import CONTESTANTS
from .processes import report
from .workloads import WORKLOADS


def warm_up(make, workload, X, y):
    """Fit a few rows, so that libraries are loaded and threads have started."""
    few = 2 * workload.batch_size
    make(replace(workload, epochs=1)).fit(X[:few], y[:few])


def time_fit(workload, contestant):
    """Return the seconds of one fit, and the loss it ended with."""
    workload, make = WORKLOADS[workload], CONTESTANTS[contestant]
    X, y = workload.data()
    warm_up(make, workload, X, y)
    network = make(workload)
    start = perf_counter()
    network.fit(X, y)
    return {"seconds": perf_counter() - start, "loss": network.loss_}


if __name__ == "__main__":
    report(time_fit)
