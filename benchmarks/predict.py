"""Time `predict`: ``python -m benchmarks.predict WORKLOAD ROWS COMPETITOR``."""

from dataclasses import replace
from statistics import median
from time import perf_counter

from .competitors import COMPETITORS
from .processes import report
from .workloads import WORKLOADS

#: Minimum total time of the timed calls, in seconds.
MIN_DURATION = 1.0


def seconds_per_call(call):
    """Return the median time of repeated calls, after one untimed call."""
    call()
    seconds = []
    while sum(seconds) < MIN_DURATION:
        start = perf_counter()
        call()
        seconds.append(perf_counter() - start)
    return median(seconds)


def time_predict(workload, n_rows, competitor):
    """Return the time that a fitted network takes to predict `n_rows` rows."""
    workload = replace(WORKLOADS[workload], epochs=1)
    X, y = workload.make_data()
    network = COMPETITORS[competitor](workload)
    network.fit(X, y)
    rows = X[: int(n_rows)]
    seconds = seconds_per_call(lambda: network.predict(rows))
    return {"seconds": seconds, "loss": network.loss_}


if __name__ == "__main__":
    report(time_predict)
