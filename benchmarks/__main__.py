"""Run the speed and memory benchmarks.

Call ``python -m benchmarks`` from the root of the repository.
"""

import argparse
import json
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from .competitors import COMPETITORS
from .machine import describe
from .memory import write_mapped_file
from .processes import run_in_rounds, run_module
from .results import column_ratios, markdown_row, median_ratio, medians, skip_reasons
from .sections import (
    FITS,
    LOSSES,
    OPTIONS,
    PREDICTIONS,
    SCALING_SECTIONS,
    SEARCHES,
    THREAD_SCALING,
    memory_section,
)

ROOT = Path(__file__).parents[1]


def parse_options(sections):
    """Parse the command line."""
    names = [name for s in sections for name in (s.name, *(r.name for r in s.rows))]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only",
        nargs="+",
        choices=names,
        default=names,
        metavar="NAME",
        help=f"sections or rows to measure (default: all): {', '.join(names)}",
    )
    parser.add_argument(
        "--competitors",
        nargs="+",
        choices=COMPETITORS,
        default=list(COMPETITORS),
        metavar="NAME",
        help=f"models to measure (default: all): {', '.join(COMPETITORS)}",
    )
    parser.add_argument(
        "--repeats", type=int, default=5, help="number of rounds (default: 5)"
    )
    parser.add_argument(
        "--mapped-gb",
        type=float,
        default=2.0,
        help="size of the memory-mapped file in GB (default: 2)",
    )
    parser.add_argument(
        "--json",
        type=Path,
        default=ROOT / "benchmarks" / "results.json",
        help="output file for all measurements (default: benchmarks/results.json)",
    )
    return parser.parse_args()


def select_rows(section, only):
    """Return the rows selected by their own name or by the name of the section."""
    if section.name in only:
        return section.rows
    return [row for row in section.rows if row.name in only]


def measure_row(row, quantity, options):
    """Measure the competitors of a row in alternation and summarize the results."""
    excluded = COMPETITORS.keys() - options.competitors
    tasks = {
        column: partial(run_module, (*row.command, column), ROOT)
        for column in row.columns
        if column not in excluded
    }
    runs = run_in_rounds(tasks, options.repeats)
    ratios = {
        f"{above} / {below}": median_ratio(runs, above, below, quantity)
        for above, below in column_ratios(row.columns)
    }
    return {"runs": runs, "medians": medians(runs, quantity), "ratios": ratios}


def measure_section(section, rows, options):
    """Measure rows and print each row of the table as soon as it is measured."""
    ratios = [f"{above} / {below}" for above, below in column_ratios(section.columns)]
    header = ("", "", *section.columns, *ratios)
    print(f"\n{section.title}:\n\n{markdown_row(header)}")
    print(markdown_row(["---", "---"] + ["---:"] * (len(header) - 2)), flush=True)
    measured = {}
    for row in rows:
        result = measured[row.name] = measure_row(row, section.quantity, options)
        cells = [result["medians"].get(column) for column in section.columns]
        cells += [result["ratios"].get(name) for name in ratios]
        print(markdown_row([row.name, row.description, *cells]), flush=True)
    print_skipped(measured)
    return measured


def print_skipped(measured):
    """Print the skipped competitors of a table and the reasons."""
    rows = {}
    for name, result in measured.items():
        for skipped in skip_reasons(result["runs"]).items():
            rows.setdefault(skipped, []).append(name)
    for (competitor, reason), names in rows.items():
        print(f"\n{competitor} is skipped in {', '.join(names)}: {reason}.")


def main():
    """Measure the selected rows, print the tables and write the JSON file."""
    with TemporaryDirectory() as folder:
        mapped_file = Path(folder) / "mapped.npy"
        memory = memory_section(mapped_file)
        scaling = (*SCALING_SECTIONS, THREAD_SCALING)
        sections = (FITS, LOSSES, OPTIONS, PREDICTIONS, SEARCHES, *scaling, memory)
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
            if rows := select_rows(section, options.only):
                results[section.name] = measure_section(section, rows, options)
                # Save immediately, so that a later failure does not lose the results.
                options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
