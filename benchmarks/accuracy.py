"""Compare the accuracy of models with default parameters.

No parameter is tuned. The datasets are included in scikit-learn or read from a folder
of gzipped CSV files with a column `target`. A target of strings, or of whole numbers
with at most 20 distinct values, contains classes. Other targets are regression targets.
String columns are categorical, and empty cells are missing values.

"ensemble" fits BackpropEnsembleClassifier or BackpropEnsembleRegressor to the DataFrame
without preprocessing, and "backprop" fits BackpropClassifier or BackpropRegressor.
"hist-gradient-boosting", "lightgbm" and "catboost" also receive the unprocessed
DataFrame. "lightgbm-bagged" averages eight LightGBM models, each early-stopped on
another fold. For the other models, missing numeric values are imputed with the mean and
categories are one-hot encoded. The "-pipeline" models also scale the numeric columns
and, in regression, the target.

For each seed, a quarter of the rows is the test set, which is the same for all models.
The split is stratified in classification. The seed is also the random_state of the
model. Each fit uses one thread. Each measurement is immediately written to the JSON
file, and a later call reuses the measurements in the file.
"""

import argparse
import json
import sys
from pathlib import Path

import pandas as pd
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from .machine import describe
from .ranks import rank_table, total_seconds
from .results import markdown_row
from .tabular import BUNDLED, COMPETITORS, load_bundled, measure, read_dataset

#: Scores to print for each task: the first per dataset, the second only as a mean.
SCORES = {"classification": ("accuracy", "log_loss"), "regression": ("r2", "nrmse")}
TITLES = {
    "accuracy": "accuracy (%)",
    "log_loss": "log-loss",
    "r2": "R2",
    "nrmse": "RMSE / standard deviation",
}
DIGITS = {"accuracy": 1, "log_loss": 3, "r2": 3, "nrmse": 3}

#: Pairs of models to compare: the second is subtracted from the first.
DIFFERENCES = (
    ("ensemble", "lightgbm"),
    ("ensemble", "lightgbm-bagged"),
    ("ensemble", "catboost"),
    ("ensemble", "hist-gradient-boosting"),
    ("ensemble", "random-forest"),
    ("ensemble", "mlp-pipeline"),
    ("ensemble", "backprop"),
    ("ensemble", "backprop-log-loss"),
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
    """Parse the command line and return the options and the selected datasets."""
    names = list({name: None for models in COMPETITORS.values() for name in models})
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--datasets",
        type=Path,
        metavar="DIR",
        help="folder of gzipped CSV files; a file replaces the bundled dataset of the "
        "same name",
    )
    parser.add_argument(
        "--seeds",
        type=int,
        default=5,
        help="number of train-test splits per dataset (default: 5)",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="DATASET",
        help="datasets to measure (default: all)",
    )
    parser.add_argument(
        "--competitors",
        nargs="+",
        choices=names,
        default=names,
        metavar="NAME",
        help=f"models to measure (default: all): {', '.join(names)}",
    )
    parser.add_argument(
        "--json",
        type=Path,
        default=Path(__file__).with_name("accuracy.json"),
        help="file of all measurements (default: benchmarks/accuracy.json)",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="repeat the selected measurements that are already in the file",
    )
    parser.add_argument(
        "--jobs", type=int, default=2, help="number of processes (default: 2)"
    )
    options = parser.parse_args()
    return options, select_datasets(options, parser)


def select_datasets(options, parser):
    """Return the selected datasets."""
    paths = sorted(options.datasets.glob("*.csv.gz")) if options.datasets else []
    if options.datasets and not paths:
        parser.error(f"no *.csv.gz files in {options.datasets}")
    datasets = [*map(load_bundled, BUNDLED), *map(read_dataset, paths)]
    datasets = {dataset.name: dataset for dataset in datasets}
    if unknown := set(options.only or ()) - datasets.keys():
        parser.error(
            f"unknown datasets: {', '.join(sorted(unknown))} "
            f"(choose from {', '.join(datasets)})"
        )
    return [datasets[name] for name in options.only or datasets]


def list_arguments(datasets, options):
    """List the arguments of `measure` for all selected measurements."""
    return [
        (dataset, competitor, seed)
        for dataset in datasets
        for competitor in COMPETITORS[dataset.task]
        if competitor in options.competitors
        for seed in range(options.seeds)
    ]


def key(run):
    """Return the unique key of a measurement."""
    return run["dataset"], run["competitor"], run["seed"]


def measure_all(datasets, options, machine):
    """Run the measurements that are not in the file and return all selected ones."""
    path = options.json
    known = json.loads(path.read_text())["runs"] if path.exists() else []
    known = {key(run): run for run in known}
    wanted = {
        (args[0].name, *args[1:]): args for args in list_arguments(datasets, options)
    }
    missing = [wanted[k] for k in wanted if options.overwrite or k not in known]
    n_known = len(wanted) - len(missing)
    print(f"- {n_known} of {len(wanted)} fits are read from {path.name}")
    # One fit per batch, so that each result is saved as soon as it is available.
    parallel = Parallel(options.jobs, return_as="generator_unordered", batch_size=1)
    results = parallel(delayed(measure)(*args) for args in missing)
    for count, run in enumerate(results, start=1):
        known[key(run)] = run
        write(path, {"machine": machine, "runs": list(known.values())})
        show_progress(count, len(missing))
    return [known[k] for k in wanted]


def show_progress(count, total):
    """Print the number of finished fits over the previous progress line."""
    end = "\n" if count == total else ""
    print(f"\r{count} of {total} fits", end=end, file=sys.stderr, flush=True)


def write(path, results):
    """Write the file atomically, so that an interrupted run leaves it complete."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(results, indent=1) + "\n")
    part.replace(path)


def means_over_seeds(runs):
    """Return the mean of each score as a DataFrame of datasets by models."""
    frame = pd.DataFrame(runs)
    datasets, competitors = frame["dataset"].unique(), frame["competitor"].unique()
    groups = frame.groupby(["dataset", "competitor"])
    return {
        name: groups[name].mean().unstack().loc[datasets, competitors]
        * (100 if name == "accuracy" else 1)
        for name in SCORES[frame["task"].iloc[0]]
    }


def print_header(cells):
    """Print the header of a Markdown table, with an empty first cell."""
    print(markdown_row(["", *cells]))
    print(markdown_row(["---"] + ["---:"] * len(cells)))


def print_row(label, scores, digits):
    """Print one row of a Markdown table."""
    print(markdown_row([label, *(f"{score:.{digits}f}" for score in scores)]))


def print_scores(means):
    """Print the first score for each dataset and the means of both scores."""
    name, other = means
    print(f"\n{TITLES[name]} for each dataset, and means over the datasets:\n")
    print_header(means[name].columns)
    for dataset, scores in means[name].iterrows():
        print_row(dataset, scores, DIGITS[name])
    for score in (name, other):
        label = f"mean {TITLES[score]}"
        print_row(label, means[score].mean(), DIGITS[score])


def format_difference(scores, digits, first, second):
    """Return the mean difference over the datasets and its standard error as text."""
    if not {first, second} <= set(scores.columns):
        return None
    differences = scores[first] - scores[second]
    return f"{differences.mean():+.{digits}f} ± {differences.sem():.{digits}f}"


def print_differences(means):
    """Print the mean differences between pairs of models."""
    print("\nMean difference over the datasets and its standard error:\n")
    print_header([TITLES[name] for name in means])
    for first, second in DIFFERENCES:
        cells = [
            format_difference(scores, DIGITS[name] + 1, first, second)
            for name, scores in means.items()
        ]
        if any(cells):
            print(markdown_row([f"{first} minus {second}", *cells]))


def print_ranks(runs):
    """Print the mean ranks of all models and the total duration of their fits."""
    ranks, seconds = rank_table(runs), total_seconds(runs)
    scores = list(ranks.columns.get_level_values(0).unique())
    tasks = list(seconds.index.get_level_values(0).unique())
    print("\nMean rank over the datasets and its standard error, and total seconds:\n")
    print_header(
        [*(f"rank in {TITLES[s]}" for s in scores), *map("{} (s)".format, tasks)]
    )
    for model, row in ranks.iterrows():
        cells = [
            "-"
            if pd.isna(row[s, "mean"])
            else f"{row[s, 'mean']:.2f} ± {row[s, 'sem']:.2f}"
            for s in scores
        ]
        for task in tasks:
            duration = seconds.get((task, model))
            cells.append("-" if duration is None else f"{duration:.1f}")
        print(markdown_row([model, *cells]))


def main():
    """Run the selected measurements and print the tables."""
    options, datasets = parse_options()
    with threadpool_limits(1):  # each fit has the same limit
        machine = describe()
    for name, value in machine.items():
        print(f"- {name}: {value}")
    runs = measure_all(datasets, options, machine)
    means = {}
    for task in SCORES:
        if task_runs := [run for run in runs if run["task"] == task]:
            print_scores(task_means := means_over_seeds(task_runs))
            means |= task_means
    print_differences(means)
    print_ranks(runs)


if __name__ == "__main__":
    main()
