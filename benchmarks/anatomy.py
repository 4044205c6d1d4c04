"""Profile a fit: ``python -m benchmarks.anatomy [WORKLOAD ...]``.

The script prints the fraction of the time of a fit that each kind of operation takes.
The methods of each kind are wrapped with a timer, which adds about a microsecond per
call. The remaining time is the training loop and Python overhead.
"""

import argparse
import warnings
from collections import Counter
from functools import wraps
from statistics import median
from time import perf_counter

from sklearn.exceptions import ConvergenceWarning

from skbackprop.core import objective, updater, workspace
from skbackprop.core.samples import Samples

from .competitors import floor, skbackprop_net
from .results import markdown_row
from .workloads import WORKLOADS

REPEATS = 3

#: For each kind of operation, the function that creates its kernel, as the name in a
#: module, and the methods of the kernel to time.
TIMED_KERNELS = {
    "bias and activation": (workspace, "activation_kernel", ("forward", "backward")),
    "loss": (objective, "loss_kernel", ("sum", "error")),
    "update": (updater, "optimizer_kernel", ("update",)),
}

KINDS = ("gathering rows", *TIMED_KERNELS)


def timed(function, kind, seconds):
    """Return a function whose calls add their duration to ``seconds[kind]``."""

    @wraps(function)
    def wrapper(*arguments):
        start = perf_counter()
        result = function(*arguments)
        seconds[kind] += perf_counter() - start
        return result

    return wrapper


class TimedKernel:
    """Kernel with timed methods; compiled methods cannot be replaced."""

    def __init__(self, kernel, methods, kind, seconds):
        for method in methods:
            setattr(self, method, timed(getattr(kernel, method), kind, seconds))


def timed_factory(create, methods, kind, seconds):
    """Return a function that creates a kernel with timed methods."""
    return lambda *arguments: TimedKernel(create(*arguments), methods, kind, seconds)


def time_kernels(seconds):
    """Time all kernels that are created from now on, and the gathering of rows."""
    Samples.gather = timed(Samples.gather, "gathering rows", seconds)
    for kind, (module, name, methods) in TIMED_KERNELS.items():
        create = getattr(module, name)
        setattr(module, name, timed_factory(create, methods, kind, seconds))


def seconds_of_fit(network, X, y):
    """Return the duration of one fit in seconds."""
    start = perf_counter()
    network.fit(X, y)
    return perf_counter() - start


def time_fractions(workload, seconds):
    """Return the fraction of the time of a fit for each kind of operation.

    Parameters
    ----------
    workload : Workload
        The network and its training data.
    seconds : Counter
        Total durations of the wrapped methods.

    Returns
    -------
    dict of float
        Median fraction over `REPEATS` fits.
    """
    X, y = workload.make_data()
    seconds_of_fit(skbackprop_net(workload), X, y)  # warm-up
    fits = []
    for _ in range(REPEATS):
        products = seconds_of_fit(floor(workload), X, y)
        seconds.clear()
        total = seconds_of_fit(skbackprop_net(workload), X, y)
        known = {
            "matrix products": products,
            **{kind: seconds[kind] for kind in KINDS},
        }
        known["other"] = total - sum(known.values())
        fits.append({kind: part / total for kind, part in known.items()})
    return {kind: median(fit[kind] for fit in fits) for kind in fits[0]}


def parse_names():
    """Parse the command line and return the names of the selected workloads."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.anatomy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "workloads",
        nargs="*",
        metavar="WORKLOAD",
        help="workloads to profile (default: all dense workloads): "
        f"{', '.join(WORKLOADS)}",
    )
    names = parser.parse_args().workloads
    if unknown := set(names) - WORKLOADS.keys():
        parser.error(f"unknown workloads: {', '.join(sorted(unknown))}")
    return names or [name for name in WORKLOADS if "sparse" not in name]


def main():
    """Print a table of the selected workloads."""
    names = parse_names()
    warnings.simplefilter("ignore", ConvergenceWarning)
    seconds = Counter()
    time_kernels(seconds)
    kinds = ["matrix products", *KINDS, "other"]
    print(markdown_row(["", *kinds]))
    print(markdown_row(["---", *["---:"] * len(kinds)]))
    for name in names:
        fractions = time_fractions(WORKLOADS[name], seconds)
        cells = [f"{100 * fractions[kind]:.0f}%" for kind in kinds]
        print(markdown_row([name, *cells]), flush=True)


if __name__ == "__main__":
    main()
