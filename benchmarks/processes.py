"""Every measurement is a process of its own, and contestants take turns."""

import json
import os
import subprocess
import sys
import warnings

from sklearn.exceptions import ConvergenceWarning

#: Where skbackprop is imported from, seen from the folder a process runs in.
PACKAGE = os.path.join("skbackprop", "__init__.py")


class LeftOutError(Exception):
    """A contestant cannot take part; the message says why."""


def report(measure):
    """Print, for `run`, what a measurement gives for the command line's arguments.

    Parameters
    ----------
    measure : callable
        Takes strings, returns a dict of numbers.
    """
    # The number of epochs is given, and nobody writes to what is trained on.
    warnings.simplefilter("ignore", ConvergenceWarning)
    warnings.filterwarnings("ignore", "The given NumPy array is not writable")
    try:
        measured = measure(*sys.argv[1:])
    except LeftOutError as reason:
        measured = {"left_out": str(reason)}
    if "skbackprop" in sys.modules:
        measured["imported"] = os.path.relpath(sys.modules["skbackprop"].__file__)
    print(json.dumps(measured, default=float))  # a float32 is none to JSON


def run(command, folder):
    """Run one measurement in a process of its own.

    Parameters
    ----------
    command : sequence of str
        A module of this package, and its arguments.
    folder : path-like
        The folder to run in, whose `benchmarks` and `skbackprop` are imported.

    Returns
    -------
    dict
        What was measured; the reason under "left_out" where nothing was.
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
            f"skbackprop was imported from {measured['imported']}, not {PACKAGE}, in "
            f"{folder}: something on the path of Python comes before that folder."
        )
    return measured


def take_turns(players, repeats):
    """Let players run one after the other, round after round.

    Parameters
    ----------
    players : dict of callable
        For each name what returns a measurement.
    repeats : int
        Number of rounds.

    Returns
    -------
    dict of list of dict
        For each name its measurements; only the first of those left out.
    """
    runs = {name: [] for name in players}
    for _ in range(repeats):
        for name, play in players.items():
            if not is_left_out(runs[name]):
                runs[name].append(play())
    return runs


def is_left_out(runs):
    """Say whether these measurements were left out."""
    return bool(runs) and "left_out" in runs[0]
