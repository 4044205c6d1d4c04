"""Measure everything: ``python -m benchmarks``, from the root of the repository."""

import argparse
import json
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from .contestants import CONTESTANTS
from .machine import describe
from .memory import write_mapped_file
from .processes import run, take_turns
from .results import comparisons, left_out, markdown_row, medians, ratio
from .sections import (
    COSTS,
    FITS,
    OPTIONS,
    PREDICTIONS,
    SEARCHES,
    memory_section,
)

ROOT = Path(__file__).parents[1]


def parse_options(sections):
    """Read the command line."""
    names = [name for s in sections for name in (s.name, *(r.name for r in s.rows))]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only",
        nargs="+",
        choices=names,
        default=names,
        metavar="NAME",
        help=f"sections or rows to measure: {', '.join(names)}",
    )
    parser.add_argument(
        "--contestants",
        nargs="+",
        choices=CONTESTANTS,
        default=list(CONTESTANTS),
        metavar="NAME",
        help=f"who takes part: {', '.join(CONTESTANTS)}",
    )
    parser.add_argument("--repeats", type=int, default=5, help="rounds (default: 5)")
    parser.add_argument(
        "--mapped-gb",
        type=float,
        default=2.0,
        help="size of the memory-mapped file (default: 2)",
    )
    parser.add_argument(
        "--json",
        type=Path,
        default=ROOT / "benchmarks" / "results.json",
        help="where all measurements go (default: benchmarks/results.json)",
    )
    return parser.parse_args()


def chosen_rows(section, only):
    """Return the rows that were asked for, by their names or their section's."""
    if section.name in only:
        return section.rows
    return [row for row in section.rows if row.name in only]


def measure_row(row, quantity, options):
    """Let the contestants of a row take turns, and sum up what was measured."""
    excluded = CONTESTANTS.keys() - options.contestants
    players = {
        column: partial(run, (*row.command, column), ROOT)
        for column in row.columns
        if column not in excluded
    }
    runs = take_turns(players, options.repeats)
    ratios = {
        f"{above} / {below}": ratio(runs, above, below, quantity)
        for above, below in comparisons(row.columns)
    }
    return {"runs": runs, "medians": medians(runs, quantity), "ratios": ratios}


def measure_section(section, rows, options):
    """Measure rows, and print the table while they come in."""
    ratios = [f"{above} / {below}" for above, below in comparisons(section.columns)]
    header = ("", "", *section.columns, *ratios)
    print(f"\n{section.title}:\n\n{markdown_row(header)}")
    print(markdown_row(["---", "---"] + ["---:"] * (len(header) - 2)), flush=True)
    measured = {}
    for row in rows:
        result = measured[row.name] = measure_row(row, section.quantity, options)
        cells = [result["medians"].get(column) for column in section.columns]
        cells += [result["ratios"].get(name) for name in ratios]
        print(markdown_row([row.name, row.what, *cells]), flush=True)
    print_reasons(measured)
    return measured


def print_reasons(measured):
    """Print, below a table, who was left out of it and why."""
    rows = {}
    for name, result in measured.items():
        for absence in left_out(result["runs"]).items():
            rows.setdefault(absence, []).append(name)
    for (contestant, reason), names in rows.items():
        print(f"\n{contestant} is left out of {', '.join(names)}: {reason}.")


def main():
    """Measure what is asked for, print tables and write the file."""
    with TemporaryDirectory() as folder:
        mapped_file = Path(folder) / "mapped.npy"
        memory = memory_section(mapped_file)
        sections = (FITS, COSTS, OPTIONS, PREDICTIONS, SEARCHES, memory)
        options = parse_options(sections)
        if {"memory", "memory-mapped"} & set(options.only):
            write_mapped_file(mapped_file, options.mapped_gb)
        results = {
            "machine": describe(),
            "repeats": options.repeats,
            "mapped_gb": options.mapped_gb,
        }
        for name, value in results["machine"].items():
            print(f"- {name}: {value}")
        for section in sections:
            if rows := chosen_rows(section, options.only):
                results[section.name] = measure_section(section, rows, options)
                # At once: what is measured so far survives a later failure.
                options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
