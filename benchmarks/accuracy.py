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

import pandas as pd

from .accuracy_runs import measure_all, parse_options
from .results import markdown_row
from .summary import (
    SCORES,
    differences,
    main_comparison,
    rank_table,
    score_tables,
    total_seconds,
)
from .tabular import COMPETITORS, Fit

#: Single networks, which are compared in a separate table.
NETWORKS = (
    "backprop",
    "backprop-log-loss",
    "backprop-early",
    "backprop-log-loss-early",
    "backprop-pipeline",
    "backprop-log-loss-pipeline",
    "mlp",
    "mlp-pipeline",
)

#: Pairs of networks to compare: the second is subtracted from the first.
NETWORK_PAIRS = (
    ("backprop", "backprop-log-loss"),
    ("backprop", "backprop-pipeline"),
    ("backprop-log-loss", "backprop-log-loss-pipeline"),
    ("backprop-early", "backprop"),
    ("backprop-log-loss-early", "backprop-log-loss"),
    ("backprop", "mlp-pipeline"),
    ("backprop-log-loss", "mlp-pipeline"),
    ("mlp", "mlp-pipeline"),
)


def list_fits(datasets, options):
    """List the selected fits."""
    return [
        Fit(dataset, name, seed, make(seed))
        for dataset in datasets
        for name, make in COMPETITORS[dataset.task].items()
        if name in options.competitors
        for seed in range(options.seeds)
    ]


def print_header(title, cells):
    """Print a title and the header of a Markdown table, with an empty first cell."""
    print(f"\n{title}:\n")
    print(markdown_row(["", *cells]))
    print(markdown_row(["---"] + ["---:"] * len(cells)))


def format_mean(mean, error, digits, sign=""):
    """Return a mean and its standard error, if there is one, as text; None for NaN."""
    if pd.isna(mean):
        return None
    text = f"{mean:{sign}.{digits}f}"
    return text if pd.isna(error) else f"{text} ± {error:.{digits}f}"


def print_overview(runs):
    """Print ranks, mean scores and durations of the models."""
    ranks, tables, seconds = rank_table(runs), score_tables(runs), total_seconds(runs)
    titles = [SCORES[name].title for name in tables]
    print_header(
        "Mean ranks, means of the scores, and seconds for one fit per dataset",
        [
            *(f"rank in {title.removesuffix(' (%)')}" for title in titles),
            *titles,
            *(f"{task} (s)" for task in seconds),
        ],
    )
    for model in ranks.index:
        cells = [format_mean(*ranks.loc[model, name], 2) for name in tables]
        for name, scores in tables.items():
            mean = scores.get(model, pd.Series()).mean()
            cells.append(None if pd.isna(mean) else f"{mean:.{SCORES[name].digits}f}")
        for duration in seconds.loc[model]:
            cells.append(None if pd.isna(duration) else f"{duration:.1f}")
        print(markdown_row([model, *cells]))


def print_datasets(runs):
    """Print the scores of the models for each dataset."""
    for name, scores in score_tables(runs).items():
        print_header(f"{SCORES[name].title} for each dataset", scores.columns)
        for dataset, row in scores.iterrows():
            cells = [f"{value:.{SCORES[name].digits}f}" for value in row]
            print(markdown_row([dataset, *cells]))


def difference_cells(tables, first, second):
    """Return the mean difference of two models in each score as text."""
    return [
        format_mean(*differences(scores, first, second), SCORES[name].digits + 1, "+")
        for name, scores in tables.items()
    ]


def print_differences(runs, pairs):
    """Print the mean differences between pairs of models."""
    tables = score_tables(runs)
    rows = [(pair, difference_cells(tables, *pair)) for pair in pairs]
    measured = [(pair, cells) for pair, cells in rows if any(cells)]
    if not measured:
        return
    print_header(
        "Mean differences over the datasets, and their standard errors",
        [SCORES[name].title for name in tables],
    )
    for (first, second), cells in measured:
        print(markdown_row([f"{first} minus {second}", *cells]))


def main():
    """Run the selected measurements and print the tables."""
    names = list({name: None for models in COMPETITORS.values() for name in models})
    options, datasets = parse_options("accuracy", __doc__, names, n_seeds=3)
    runs = measure_all(list_fits(datasets, options), options)
    if main_runs := main_comparison(runs):
        _, *peers = {run["competitor"]: None for run in main_runs}
        print_overview(main_runs)
        print_differences(main_runs, [("ensemble", peer) for peer in peers])
        print_datasets(main_runs)
    if network_runs := [run for run in runs if run["competitor"] in NETWORKS]:
        print_overview(network_runs)
        print_differences(network_runs, NETWORK_PAIRS)


if __name__ == "__main__":
    main()
