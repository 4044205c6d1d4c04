"""Time one call to `fit`: ``python -m benchmarks.fit WORKLOAD COMPETITOR``."""

from dataclasses import replace
from time import perf_counter

from .competitors import COMPETITORS
from .processes import report
from .workloads import ALL_WORKLOADS


def warm_up(make, workload, X, y):
    """Fit a few rows to load the libraries and start their threads."""
    n_rows = 2 * workload.batch_size
    make(replace(workload, epochs=1)).fit(X[:n_rows], y[:n_rows])


def time_fit(workload, competitor):
    """Return the duration of one fit in seconds and the final loss."""
    workload, make = ALL_WORKLOADS[workload], COMPETITORS[competitor]
    X, y = workload.make_data()
    warm_up(make, workload, X, y)
    network = make(workload)
    start = perf_counter()
    network.fit(X, y)
    return {"seconds": perf_counter() - start, "loss": network.loss_}


if __name__ == "__main__":
    report(time_fit)
