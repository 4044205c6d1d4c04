"""Run each measurement in a separate process, alternating between competitors."""

import json
import os
import subprocess
import sys
import warnings

from sklearn.exceptions import ConvergenceWarning

#: Expected import path of skbackprop, relative to the working directory of a process.
PACKAGE = os.path.join("skbackprop", "__init__.py")


class SkippedError(Exception):
    """Reason why a competitor cannot run a workload."""


def report(measure):
    """Call `measure` with the command line arguments and print the result as JSON.

    Parameters
    ----------
    measure : callable
        Function of strings that returns a dict of numbers.
    """
    # Training runs for a fixed number of epochs. PyTorch does not write to its input.
    warnings.simplefilter("ignore", ConvergenceWarning)
    warnings.filterwarnings("ignore", "The given NumPy array is not writable")
    try:
        measured = measure(*sys.argv[1:])
    except SkippedError as reason:
        measured = {"skipped": str(reason)}
    if "skbackprop" in sys.modules:
        measured["imported"] = os.path.relpath(sys.modules["skbackprop"].__file__)
    print(json.dumps(measured, default=float))  # json does not support float32


def run_module(command, folder):
    """Run one measurement in a separate process.

    Parameters
    ----------
    command : sequence of str
        Name of a module of this package, followed by its arguments.
    folder : path-like
        Working directory, which contains `benchmarks` and `skbackprop`.

    Returns
    -------
    dict
        Measured values. If the competitor was skipped, the key "skipped" contains
        the reason.

    Raises
    ------
    RuntimeError
        If the process imports skbackprop from another folder.
    """
    module, *arguments = command
    process = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{module}", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    measured = json.loads(process.stdout)
    if measured.get("imported", PACKAGE) != PACKAGE:
        raise RuntimeError(
            f"skbackprop was imported from {measured['imported']} instead of "
            f"{PACKAGE} in {folder}. Remove the other installation or the entry of "
            "PYTHONPATH that precedes this folder."
        )
    return measured


def run_in_rounds(tasks, n_rounds):
    """Run all tasks one after the other, and repeat for several rounds.

    Parameters
    ----------
    tasks : dict of callable
        Functions without arguments that return a measurement.
    n_rounds : int
        Number of rounds.

    Returns
    -------
    dict of list of dict
        Measurements of each task, one per round. A task that is skipped in the first
        round has only one entry.
    """
    runs = {name: [] for name in tasks}
    for _ in range(n_rounds):
        for name, task in tasks.items():
            if not is_skipped(runs[name]):
                runs[name].append(task())
    return runs


def is_skipped(measurements):
    """Return whether a task was skipped."""
    return bool(measurements) and "skipped" in measurements[0]
