"""Command line and measurements that the accuracy benchmarks share."""

import argparse
import json
import sys
from pathlib import Path

from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from .machine import describe
from .tabular import BUNDLED, load_bundled, measure, read_dataset


def parse_options(script, description, competitors, n_seeds):
    """Parse the command line and return the options and the selected datasets.

    Parameters
    ----------
    script : str
        Name of the module, which is also the name of the default JSON file.
    description : str
        Text of the help.
    competitors : list of str
        Names of the models.
    n_seeds : int
        Default number of train-test splits per dataset.

    Returns
    -------
    options : argparse.Namespace
    datasets : list of Dataset
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{script}",
        description=description,
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
        default=n_seeds,
        help=f"number of train-test splits per dataset (default: {n_seeds})",
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
        choices=competitors,
        default=competitors,
        metavar="NAME",
        help=f"models to measure (default: all): {', '.join(competitors)}",
    )
    parser.add_argument(
        "--json",
        type=Path,
        default=Path(__file__).with_name(f"{script}.json"),
        help=f"file of all measurements (default: benchmarks/{script}.json)",
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
    return options, _select_datasets(options, parser)


def _select_datasets(options, parser):
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


def measure_all(fits, options):
    """Print the machine, run the fits that are not in the file and return all results.

    Parameters
    ----------
    fits : list of benchmarks.tabular.Fit
        Selected measurements.
    options : argparse.Namespace
        Options of `parse_options`.

    Returns
    -------
    list of dict
        Results of `benchmarks.tabular.measure`.
    """
    with threadpool_limits(1):  # each fit has the same limit
        machine = describe()
    for name, value in machine.items():
        print(f"- {name}: {value}")
    path = options.json
    runs = json.loads(path.read_text())["runs"] if path.exists() else []
    known = {_key(run): run for run in runs}
    missing = [fit for fit in fits if options.overwrite or fit.key not in known]
    print(f"- {len(fits) - len(missing)} of {len(fits)} fits are read from {path.name}")
    # One fit per batch, so that each result is saved as soon as it is available.
    parallel = Parallel(options.jobs, return_as="generator_unordered", batch_size=1)
    results = parallel(delayed(measure)(fit) for fit in missing)
    for count, run in enumerate(results, start=1):
        known[_key(run)] = run
        _write(path, {"machine": machine, "runs": list(known.values())})
        _show_progress(count, len(missing))
    return [known[fit.key] for fit in fits]


def _key(run):
    """Return `Fit.key` of a result."""
    return run["dataset"], run["competitor"], run["seed"]


def _show_progress(count, total):
    """Print the number of finished fits over the previous progress line."""
    end = "\n" if count == total else ""
    print(f"\r{count} of {total} fits", end=end, file=sys.stderr, flush=True)


def _write(path, results):
    """Write the file atomically, so that an interrupted run leaves it complete."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(results, indent=1) + "\n")
    part.replace(path)
