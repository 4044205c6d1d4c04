"""Compare the default parameters of the ensembles with other parameters.

Each variant changes one or two parameters, for all datasets. The table contains the
mean difference between the variant and the default, its standard error over the
datasets, and the duration of the fits divided by the duration of the default.

Datasets and splits are those of ``python -m benchmarks.accuracy``.
"""

from skbackprop import BackpropEnsembleClassifier, BackpropEnsembleRegressor

from .accuracy import difference_cells, print_header
from .accuracy_runs import measure_all, parse_options
from .results import markdown_row
from .summary import SCORES, score_tables, total_seconds
from .tabular import Fit

ENSEMBLES = {
    "classification": BackpropEnsembleClassifier,
    "regression": BackpropEnsembleRegressor,
}

#: Parameters of each variant that differ from the default.
VARIANTS = {
    "default": {},
    "float32": {"estimator__dtype": "float32"},
    "float64": {"estimator__dtype": "float64"},
    "patience 5": {"estimator__n_iter_no_change": 5},
    "patience 20": {"estimator__n_iter_no_change": 20},
    "20 epochs": {"estimator__max_iter": 20},
    "50 epochs": {"estimator__max_iter": 50},
    "100 epochs": {"estimator__max_iter": 100},
    "rate 0.002": {"estimator__learning_rate_init": 0.002},
    "rate 0.008": {"estimator__learning_rate_init": 0.008},
    "batch 32": {"estimator__batch_size": 32},
    "batch 200": {"estimator__batch_size": "auto"},
    "no bins": {"estimator__n_bins": None},
    "8 bins": {"estimator__n_bins": 8},
    "32 bins": {"estimator__n_bins": 32},
    "(64, 64)": {"estimator__hidden_layer_sizes": (64, 64)},
    "(256, 256)": {"estimator__hidden_layer_sizes": (256, 256)},
    "ReLU": {"estimator__activation": "relu"},
    "dropout 0.15": {"estimator__dropout": 0.15},
    "alpha 0.1": {"estimator__alpha": 0.1},
    "adamw, decay 0.05": {"estimator__solver": "adamw", "estimator__alpha": 0.05},
    "5 folds": {"cv": 5},
    "12 folds": {"cv": 12},
}


def make_ensemble(dataset, variant, seed):
    """Make the ensemble of a variant."""
    ensemble = ENSEMBLES[dataset.task]
    # The default parameters depend on the number of training rows.
    n_rows = len(dataset.X) * 3 // 4
    network = ensemble.default_estimator(dataset.X[:n_rows])
    return ensemble(network, random_state=seed).set_params(**VARIANTS[variant])


def list_fits(datasets, options):
    """List the selected fits."""
    return [
        Fit(dataset, variant, seed, make_ensemble(dataset, variant, seed))
        for dataset in datasets
        for variant in VARIANTS
        if variant in options.competitors
        for seed in range(options.seeds)
    ]


def print_variants(runs):
    """Print the differences between the variants and the default."""
    tables = score_tables(runs)
    seconds = total_seconds(runs).sum(axis=1)
    titles = [SCORES[name].title for name in tables]
    print_header("Variant minus default", [*titles, "relative time"])
    for variant in seconds.index.drop("default"):
        cells = difference_cells(tables, variant, "default")
        ratio = seconds[variant] / seconds["default"]
        print(markdown_row([variant, *cells, f"{ratio:.2f}"]))


def main():
    """Run the selected measurements and print the table."""
    options, datasets = parse_options("variants", __doc__, list(VARIANTS), n_seeds=3)
    options.competitors = {*options.competitors, "default"}
    print_variants(measure_all(list_fits(datasets, options), options))


if __name__ == "__main__":
    main()
