"""Compare the speed of two revisions: ``python -m benchmarks.compare BASE HEAD``.

Both revisions are measured with the current version of the benchmarks.
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
from .processes import run_in_rounds, run_module
from .results import markdown_row, median_ratio, medians, skip_reasons
from .sections import FITS, LOSSES, PREDICTIONS

BENCHMARKS = Path(__file__).parent
ROOT = BENCHMARKS.parent
SECTIONS = (FITS, LOSSES, PREDICTIONS)
ROWS = {row.name: row for section in SECTIONS for row in section.rows}

#: Median ratios above this value, or below its inverse, are reported as a difference.
THRESHOLD = 1.15


def parse_options():
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compare", description=__doc__
    )
    parser.add_argument("base", help="base revision of this repository")
    parser.add_argument("head", help="revision to compare with the base")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=ROWS,
        default=list(ROWS),
        metavar="NAME",
        help=f"rows to measure (default: all): {', '.join(ROWS)}",
    )
    parser.add_argument(
        "--repeats", type=int, default=5, help="number of rounds (default: 5)"
    )
    parser.add_argument(
        "--json",
        type=Path,
        default=BENCHMARKS / "comparison.json",
        help="output file for all measurements (default: benchmarks/comparison.json)",
    )
    return parser.parse_args()


def git(*arguments):
    """Run a git command in this repository and return its output."""
    command = ["git", *arguments]
    process = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True
    )
    return process.stdout.strip()


@contextmanager
def worktree(revision, folder):
    """Check out a revision temporarily, with the current version of the benchmarks."""
    git("worktree", "add", "--quiet", "--detach", str(folder), revision)
    try:
        shutil.rmtree(folder / "benchmarks", ignore_errors=True)
        shutil.copytree(BENCHMARKS, folder / "benchmarks")
        build_kernels(folder)
        yield folder
    finally:
        git("worktree", "remove", "--force", str(folder))


def build_kernels(folder):
    """Compile the kernels of a revision that has compiled kernels; requires Cython."""
    if (folder / "setup.py").exists():
        command = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)


def classify_ratio(head_to_base):
    """Return "slower", "faster", "skipped", or "" if the times do not differ."""
    if head_to_base is None:
        return "skipped"
    if head_to_base > THRESHOLD:
        return "slower"
    return "faster" if head_to_base < 1 / THRESHOLD else ""


def compare_row(row, folders, repeats):
    """Measure the first column of a row for both revisions in alternation."""
    command = (*row.command, row.columns[0])
    tasks = {
        side: partial(run_module, command, folder) for side, folder in folders.items()
    }
    runs = run_in_rounds(tasks, repeats)
    head_to_base = median_ratio(runs, "head", "base", "seconds")
    return {
        "runs": runs,
        "medians": medians(runs, "seconds"),
        "head / base": head_to_base,
        "change": classify_ratio(head_to_base),
    }


def compare(folders, options):
    """Measure rows for both revisions and print each row as soon as it is measured."""
    print(f"\n{markdown_row(['', '', 'base, s', 'head, s', 'head / base', ''])}")
    print(markdown_row(["---", "---", "---:", "---:", "---:", "---"]), flush=True)
    compared = {}
    for name in options.only:
        row = ROWS[name]
        result = compared[name] = compare_row(row, folders, options.repeats)
        seconds = [result["medians"].get(side) for side in folders]
        cells = [*seconds, result["head / base"], result["change"]]
        print(markdown_row([name, row.description, *cells]), flush=True)
    for name, result in compared.items():
        for side, reason in skip_reasons(result["runs"]).items():
            print(f"\n{name} is skipped for {side}: {reason}.")
    return compared


def main():
    """Compare two revisions and exit with status 1 if any row is slower."""
    options = parse_options()
    revisions = {"base": options.base, "head": options.head}
    results = {"machine": describe(), "repeats": options.repeats}
    # `describe` reports the version in the working tree, which is not measured.
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
    sys.exit(any(row["change"] == "slower" for row in results["rows"].values()))


if __name__ == "__main__":
    main()
