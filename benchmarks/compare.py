"""Compare two revisions: ``python -m benchmarks.compare BASE HEAD``.

Both are measured by the benchmarks as they are now, whatever theirs were then.
"""

import argparse
import json
import shutil
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from .machine import describe
from .processes import run, take_turns
from .results import left_out, markdown_row, medians, ratio
from .sections import COSTS, FITS, PREDICTIONS

BENCHMARKS = Path(__file__).parent
ROOT = BENCHMARKS.parent
ROWS = {row.name: row for section in (FITS, COSTS, PREDICTIONS) for row in section.rows}

#: A median ratio beyond this, or below its inverse, is taken for a difference.
LIMIT = 1.15


def parse_options():
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compare", description=__doc__
    )
    parser.add_argument("base", help="a revision of this repository")
    parser.add_argument("head", help="the revision that is compared to it")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=ROWS,
        default=list(ROWS),
        metavar="NAME",
        help=f"rows to measure: {', '.join(ROWS)}",
    )
    parser.add_argument("--repeats", type=int, default=5, help="rounds (default: 5)")
    parser.add_argument(
        "--json",
        type=Path,
        default=BENCHMARKS / "comparison.json",
        help="where all measurements go (default: benchmarks/comparison.json)",
    )
    return parser.parse_args()


def git(*arguments):
    """Return what git prints, in this repository."""
    command = ["git", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True
    )
    return done.stdout.strip()


@contextmanager
def worktree(revision, folder):
    """Check a revision out, with the benchmarks as they are now; remove it after."""
    git("worktree", "add", "--quiet", "--detach", str(folder), revision)
    try:
        shutil.rmtree(folder / "benchmarks", ignore_errors=True)
        shutil.copytree(BENCHMARKS, folder / "benchmarks")
        yield folder
    finally:
        git("worktree", "remove", "--force", str(folder))


def verdict(head_by_base):
    """Call a ratio slower, faster or neither."""
    if head_by_base is None:
        return "left out"
    if head_by_base > LIMIT:
        return "slower"
    return "faster" if head_by_base < 1 / LIMIT else ""


def compare_row(row, folders, repeats):
    """Let both revisions take turns at what is skbackprop's in a row."""
    command = (*row.command, row.columns[0])
    players = {side: partial(run, command, folder) for side, folder in folders.items()}
    runs = take_turns(players, repeats)
    head_by_base = ratio(runs, "head", "base", "seconds")
    return {
        "runs": runs,
        "medians": medians(runs, "seconds"),
        "head / base": head_by_base,
        "verdict": verdict(head_by_base),
    }


def compare(folders, options):
    """Measure rows in both folders, and print the table while they come in."""
    print(f"\n{markdown_row(['', '', 'base, s', 'head, s', 'head / base', ''])}")
    print(markdown_row(["---", "---", "---:", "---:", "---:", "---"]), flush=True)
    compared = {}
    for name in options.only:
        row = ROWS[name]
        result = compared[name] = compare_row(row, folders, options.repeats)
        seconds = [result["medians"].get(side) for side in folders]
        cells = [name, row.what, *seconds, result["head / base"], result["verdict"]]
        print(markdown_row(cells), flush=True)
    for name, result in compared.items():
        for side, reason in left_out(result["runs"]).items():
            print(f"\n{name} is left out of {side}: {reason}.")
    return compared


def main():
    """Compare; the exit status is 1 where something is slower."""
    options = parse_options()
    revisions = {"base": options.base, "head": options.head}
    results = {"machine": describe(), "repeats": options.repeats}
    # `describe` names the skbackprop of the working tree, which is not measured.
    del results["machine"]["skbackprop"]
    for side, revision in revisions.items():
        commit = git("rev-parse", "--verify", f"{revision}^{{commit}}")
        results["machine"][side] = f"{revision}, {commit}"
    for name, value in results["machine"].items():
        print(f"- {name}: {value}")
    with (
        TemporaryDirectory() as folder,
        worktree(options.base, Path(folder) / "base") as base,
        worktree(options.head, Path(folder) / "head") as head,
    ):
        results["rows"] = compare({"base": base, "head": head}, options)
    options.json.write_text(json.dumps(results, indent=1) + "\n")
    sys.exit(any(row["verdict"] == "slower" for row in results["rows"].values()))


if __name__ == "__main__":
    main()
