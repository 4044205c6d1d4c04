"""Compare how accurate models are at their defaults: ``python -m benchmarks.accuracy``.

Nothing is tuned to a table. The tables are those that come with scikit-learn and
those of a folder: gzipped CSV files whose column `target` is predicted. Where that is
text, or whole numbers of at most 20 distinct values, it holds classes, else amounts.
Columns of text are categories, and empty cells are missing.

"backprop" is BackpropClassifier or BackpropRegressor on the frame as it is, and so is
"hist-gradient-boosting"; the others get the mean for missing numbers, and categories
one-hot encoded. A "-pipeline" scales the numbers and, in regression, the target.

For each seed a quarter of the rows is held out, the same for all, classes stratified;
the seed is the model's, too. A fit has one thread. Every measurement goes to the JSON
file at once: a run that was interrupted, or is asked for more, goes on from there.
"""

import argparse
import json
import sys
from pathlib import Path

import pandas as pd
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from .machine import describe
from .results import markdown_row
from .tabular import BUNDLED, CONTESTANTS, bundled_table, measure, read_table

#: What is shown of each task: the first for every table, the second as a mean.
MEASURES = {"classification": ("accuracy", "log_loss"), "regression": ("r2", "nrmse")}
TITLES = {
    "accuracy": "accuracy (%)",
    "log_loss": "log-loss",
    "r2": "R2",
    "nrmse": "RMSE / standard deviation",
}
DIGITS = {"accuracy": 1, "log_loss": 3, "r2": 3, "nrmse": 3}

#: Whose means are subtracted from whose.
DIFFERENCES = (
    ("backprop", "backprop-pipeline"),
    ("backprop-log-loss", "backprop-log-loss-pipeline"),
    ("backprop-early", "backprop"),
    ("backprop-log-loss-early", "backprop-log-loss"),
    ("backprop", "backprop-log-loss"),
    ("backprop", "mlp-pipeline"),
    ("backprop", "hist-gradient-boosting"),
    ("backprop", "random-forest"),
)


def parse_options():
    """Read the command line; return its options and the tables."""
    names = list(
        dict.fromkeys(name for make in CONTESTANTS.values() for name in make(0))
    )
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--tables",
        type=Path,
        metavar="DIR",
        help="a folder of gzipped CSV files, which may be named like bundled tables, "
        "and then replace them",
    )
    parser.add_argument(
        "--seeds", type=int, default=5, help="splits of each table (default: 5)"
    )
    parser.add_argument("--only", nargs="+", metavar="TABLE", help="tables to measure")
    parser.add_argument(
        "--contestants",
        nargs="+",
        choices=names,
        default=names,
        metavar="NAME",
        help=f"who takes part: {', '.join(names)}",
    )
    parser.add_argument(
        "--json",
        type=Path,
        default=Path(__file__).with_name("accuracy.json"),
        help="where all measurements go (default: benchmarks/accuracy.json)",
    )
    parser.add_argument(
        "--again",
        action="store_true",
        help="measure what is chosen anew, though it is in the file",
    )
    parser.add_argument(
        "--jobs", type=int, default=2, help="processes at a time (default: 2)"
    )
    options = parser.parse_args()
    return options, chosen_tables(options, parser)


def chosen_tables(options, parser):
    """Return the tables that were asked for."""
    paths = sorted(options.tables.glob("*.csv.gz")) if options.tables else []
    if options.tables and not paths:
        parser.error(f"no *.csv.gz in {options.tables}")
    tables = [*map(bundled_table, BUNDLED), *map(read_table, paths)]
    tables = {table.name: table for table in tables}
    if unknown := set(options.only or ()) - tables.keys():
        parser.error(f"no {', '.join(unknown)} among {', '.join(tables)}")
    return [tables[name] for name in options.only or tables]


def arguments(tables, options):
    """List all that is to be measured, each as arguments of `measure`."""
    return [
        (table, contestant, seed)
        for table in tables
        for contestant in CONTESTANTS[table.task](0)
        if contestant in options.contestants
        for seed in range(options.seeds)
    ]


def key(run):
    """Return what tells one measurement from all others."""
    return run["table"], run["contestant"], run["seed"]


def measure_all(tables, options, machine):
    """Measure what is not in the file yet, and return all that was asked for."""
    path = options.json
    known = json.loads(path.read_text())["runs"] if path.exists() else []
    known = {key(run): run for run in known}
    wanted = {(args[0].name, *args[1:]): args for args in arguments(tables, options)}
    missing = [wanted[k] for k in wanted if options.again or k not in known]
    print(f"- {len(wanted) - len(missing)} of {len(wanted)} fits are from {path.name}")
    # One fit a batch, so that none waits for others to be written.
    parallel = Parallel(options.jobs, return_as="generator_unordered", batch_size=1)
    results = parallel(delayed(measure)(*args) for args in missing)
    for count, run in enumerate(results, start=1):
        known[key(run)] = run
        write(path, {"machine": machine, "runs": list(known.values())})
        show_progress(count, len(missing))
    return [known[k] for k in wanted]


def show_progress(count, total):
    """Write how far the run is over what was written before."""
    end = "\n" if count == total else ""
    print(f"\r{count} of {total} fits", end=end, file=sys.stderr, flush=True)


def write(path, results):
    """Write the file in one go: whenever a run is interrupted, it is whole."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(results, indent=1) + "\n")
    part.replace(path)


def means_over_seeds(runs):
    """Return for each measure a frame, a row a table and a column a contestant."""
    frame = pd.DataFrame(runs)
    tables, contestants = frame["table"].unique(), frame["contestant"].unique()
    by_pair = frame.groupby(["table", "contestant"])
    return {
        name: by_pair[name].mean().unstack().loc[tables, contestants]
        * (100 if name == "accuracy" else 1)
        for name in MEASURES[frame["task"].iloc[0]]
    }


def print_header(cells):
    """Print the header of a Markdown table whose first column has no title."""
    print(markdown_row(["", *cells]))
    print(markdown_row(["---"] + ["---:"] * len(cells)))


def print_row(label, scores, digits):
    """Print a row of a Markdown table."""
    print(markdown_row([label, *(f"{score:.{digits}f}" for score in scores)]))


def print_scores(means):
    """Print the first measure for every table, then the means of both."""
    name, other = means
    print(f"\n{TITLES[name]} of each table, then the means:\n")
    print_header(means[name].columns)
    for table, scores in means[name].iterrows():
        print_row(table, scores, DIGITS[name])
    for measured in (name, other):
        label = f"mean {TITLES[measured]}"
        print_row(label, means[measured].mean(), DIGITS[measured])


def difference(scores, digits, this, that):
    """Return the mean difference over the tables and its standard error, as text."""
    if not {this, that} <= set(scores.columns):
        return None
    by_table = scores[this] - scores[that]
    return f"{by_table.mean():+.{digits}f} ± {by_table.sem():.{digits}f}"


def print_differences(means):
    """Print who is how much better than whom."""
    print("\nMean difference over the tables, and its standard error:\n")
    print_header([TITLES[name] for name in means])
    for this, that in DIFFERENCES:
        cells = [
            difference(scores, DIGITS[name] + 1, this, that)
            for name, scores in means.items()
        ]
        if any(cells):
            print(markdown_row([f"{this} minus {that}", *cells]))


def main():
    """Measure what is asked for, and print the tables."""
    options, tables = parse_options()
    with threadpool_limits(1):  # as there will be for each fit
        machine = describe()
    for name, value in machine.items():
        print(f"- {name}: {value}")
    runs = measure_all(tables, options, machine)
    means = {}
    for task in MEASURES:
        if of_task := [run for run in runs if run["task"] == task]:
            print_scores(by_measure := means_over_seeds(of_task))
            means |= by_measure
    print_differences(means)


if __name__ == "__main__":
    main()
