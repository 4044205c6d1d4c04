"""Measure fits of the default models to tables of several sizes.

Call ``python -m benchmarks.table_sizes``. Each fit runs in a separate process with one
thread. The data are three generated classes. Half of the numeric columns are
informative.
"""

import argparse
from pathlib import Path

from .processes import run_module
from .results import markdown_row

ROOT = Path(__file__).parents[1]

#: Number of training rows and number of columns of each table.
SIZES = [(1_000, 20), (10_000, 20), (10_000, 100), (100_000, 20), (100_000, 100)]
MODELS = [
    "ensemble",
    "backprop-log-loss",
    "lightgbm",
    "hist-gradient-boosting",
    "catboost",
]


def main():
    """Measure all sizes and print one table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.table_sizes", description=__doc__
    )
    parser.add_argument(
        "--rows", type=int, default=100_000, help="maximum number of rows"
    )
    options = parser.parse_args()
    columns = ["fit (s)", "predict (s)", "memory (MB)", "accuracy", "log_loss"]
    print(markdown_row(["rows", "columns", "model", *columns]))
    print(markdown_row(["---:", "---:", "---", *["---:"] * len(columns)]))
    for n_rows, n_columns in SIZES:
        if n_rows > options.rows:
            continue
        for model in MODELS:
            command = ["table_fit", str(n_rows), str(n_columns), model]
            measured = run_module(command, ROOT)
            cells = [measured[name] for name in columns]
            row = markdown_row([f"{n_rows:,}", str(n_columns), model, *cells])
            print(row, flush=True)


if __name__ == "__main__":
    main()
