"""Time `predict`: ``python -m benchmarks.predict WORKLOAD ROWS CONTESTANT``."""

from dataclasses import replace
from statistics import median
from time import perf_counter

from .contestants import CONTESTANTS
from .processes import report
from .workloads import WORKLOADS

#: Calls go on for so long, in seconds.
ENOUGH = 1.0


def seconds_a_call(call):
    """Return the median of many calls, after one that is not timed."""
    call()
    seconds = []
    while sum(seconds) < ENOUGH:
        start = perf_counter()
        call()
        seconds.append(perf_counter() - start)
    return median(seconds)


def time_predict(workload, n_rows, contestant):
    """Return the seconds that predicting so many rows takes a trained network."""
    workload = replace(WORKLOADS[workload], epochs=1)
    X, y = workload.data()
    network = CONTESTANTS[contestant](workload)
    network.fit(X, y)
    rows = X[: int(n_rows)]
    seconds = seconds_a_call(lambda: network.predict(rows))
    return {"seconds": seconds, "loss": network.loss_}


if __name__ == "__main__":
    report(time_predict)
