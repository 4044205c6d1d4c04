"""Show where the time of a fit goes: ``python -m benchmarks.anatomy [WORKLOAD ...]``.

Each kind of work is timed by wrapping the methods that do it, which adds about a
microsecond a call; what is left over are biases, the loop and Python itself.
"""

import sys
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

from .contestants import floor, skbackprop_net
from .results import markdown_row
from .workloads import WORKLOADS

REPEATS = 3

#: The methods that do each kind of work.
WORK = {
    "fetching rows": [(Samples, "gather")],
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
    "optimiser": [(OPTIMIZERS["sgd"], "step"), (OPTIMIZERS["adam"], "step")],
}


def time_method(owner, name, kind, seconds):
    """Make a method add the time it takes to ``seconds[kind]``."""
    method = getattr(owner, name)

    @wraps(method)
    def timed(*arguments):
        start = perf_counter()
        result = method(*arguments)
        seconds[kind] += perf_counter() - start
        return result

    setattr(owner, name, timed)


def seconds_of_fit(network, X, y):
    """Return how long a fit takes."""
    start = perf_counter()
    network.fit(X, y)
    return perf_counter() - start


def shares(workload, seconds):
    """Return the share of each kind of work in the time of a fit.

    Parameters
    ----------
    workload : Workload
        What is fitted.
    seconds : Counter
        Where the wrapped methods add up their time.

    Returns
    -------
    dict of float
        Medians over a few fits.
    """
    X, y = workload.data()
    seconds_of_fit(skbackprop_net(workload), X, y)  # a warm-up
    fits = []
    for _ in range(REPEATS):
        products = seconds_of_fit(floor(workload), X, y)
        seconds.clear()
        total = seconds_of_fit(skbackprop_net(workload), X, y)
        known = {"matrix products": products, **{kind: seconds[kind] for kind in WORK}}
        known["the rest"] = total - sum(known.values())
        fits.append({kind: part / total for kind, part in known.items()})
    return {kind: median(fit[kind] for fit in fits) for kind in fits[0]}


def main():
    """Print a table of the workloads that are named, or of all dense ones."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    names = sys.argv[1:] or [name for name in WORKLOADS if "sparse" not in name]
    seconds = Counter()
    for kind, methods in WORK.items():
        for owner, name in methods:
            time_method(owner, name, kind, seconds)
    kinds = ["matrix products", *WORK, "the rest"]
    print(markdown_row(["", *kinds]))
    print(markdown_row(["---", *["---:"] * len(kinds)]))
    for name in names:
        found = shares(WORKLOADS[name], seconds)
        cells = [f"{100 * found[kind]:.0f} %" for kind in kinds]
        print(markdown_row([name, *cells]), flush=True)


if __name__ == "__main__":
    main()
