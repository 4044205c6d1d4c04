"""Time a fit with limited threads: ``python -m benchmarks.threads NAME N MODEL``."""

from threadpoolctl import threadpool_limits

from .fit import time_fit
from .processes import report


def time_fit_with_threads(workload, n_threads, competitor):
    """Return the duration of one fit with at most `n_threads` threads."""
    n_threads = int(n_threads)
    if competitor == "PyTorch":
        import torch

        torch.set_num_threads(n_threads)
    # Loads the libraries whose threads are limited.
    time_fit("rows-1000", competitor)
    with threadpool_limits(n_threads):
        return time_fit(workload, competitor)


if __name__ == "__main__":
    report(time_fit_with_threads)
