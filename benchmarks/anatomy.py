"""Profile a fit: ``python -m benchmarks.anatomy [WORKLOAD ...]``.

The script prints the fraction of the time of a fit that each kind of operation takes.
The methods of each kind are wrapped with a timer, which adds about a microsecond per
call. The remaining time is the bias terms, the training loop and Python overhead.
"""

import argparse
import warnings
from collections import Counter
from functools import wraps
from statistics import median
from time import perf_counter

from sklearn.exceptions import ConvergenceWarning

from skbackprop.core.activations import OUTPUT_ACTIVATIONS
from skbackprop.core.losses import LOSSES, Loss
from skbackprop.core.objective import Objective
from skbackprop.core.optimizers import OPTIMIZERS
from skbackprop.core.samples import Samples

from .competitors import floor, skbackprop_net
from .results import markdown_row
from .workloads import WORKLOADS

REPEATS = 3

#: Methods to time for each kind of operation.
TIMED_METHODS = {
    "gathering rows": [(Samples, "gather")],
    "activations": [
        (activation, method)
        for activation in set(OUTPUT_ACTIVATIONS.values())
        for method in ("forward", "backward")
    ],
    "loss": [
        (loss, method)
        for loss in {Loss, *LOSSES.values()}
        for method in ("total", "gradient")
        if method in vars(loss)
    ],
    "penalty": [(Objective, "penalize")],
    "optimizer": [(OPTIMIZERS["sgd"], "step"), (OPTIMIZERS["adam"], "step")],
}


def time_method(owner, name, kind, seconds):
    """Wrap a method so that each call adds its duration to ``seconds[kind]``."""
    method = getattr(owner, name)

    @wraps(method)
    def timed(*arguments):
        start = perf_counter()
        result = method(*arguments)
        seconds[kind] += perf_counter() - start
        return result

    setattr(owner, name, timed)


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
            **{kind: seconds[kind] for kind in TIMED_METHODS},
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
    for kind, methods in TIMED_METHODS.items():
        for owner, name in methods:
            time_method(owner, name, kind, seconds)
    kinds = ["matrix products", *TIMED_METHODS, "other"]
    print(markdown_row(["", *kinds]))
    print(markdown_row(["---", *["---:"] * len(kinds)]))
    for name in names:
        fractions = time_fractions(WORKLOADS[name], seconds)
        cells = [f"{100 * fractions[kind]:.0f}%" for kind in kinds]
        print(markdown_row([name, *cells]), flush=True)


if __name__ == "__main__":
    main()
