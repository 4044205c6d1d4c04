"""What is measured: sections of rows, one table each."""

from typing import NamedTuple

from .search import WORKLOAD
from .workloads import WORKLOADS

PEERS = ("skbackprop", "MLPClassifier", "PyTorch")


class Row(NamedTuple):
    """One row of a table.

    Parameters
    ----------
    name : str
        By which it is chosen on the command line.
    what : str
        What it measures.
    command : tuple of str
        A module of this package, and its arguments but for the column.
    columns : tuple of str
        What takes turns, each the last argument of the command.
    """

    name: str
    what: str
    command: tuple
    columns: tuple


class Section(NamedTuple):
    """One table.

    Parameters
    ----------
    name : str
        By which all of its rows are chosen on the command line.
    title : str
        What stands above it.
    quantity : {"seconds", "megabytes"}
        What is measured.
    columns : tuple of str
        All of its rows' columns. The first is what the others are compared to.
    rows : tuple of Row
        Its rows.
    """

    name: str
    title: str
    quantity: str
    columns: tuple
    rows: tuple


def _fit_row(name):
    workload = WORKLOADS[name]
    # nn.Linear and np.dot take no CSR rows.
    sparse = name.startswith("sparse")
    columns = ("skbackprop", "MLPClassifier") if sparse else (*PEERS, "floor")
    return Row(name, str(workload), ("fit", name), columns)


def _predict_row(name, n_rows):
    layers = "-".join(map(str, WORKLOADS[name].sizes))
    return Row(
        f"predict-{name}-{n_rows}",
        f"{n_rows:,} row{'s' if n_rows > 1 else ''}, {layers}",
        ("predict", name, str(n_rows)),
        PEERS,
    )


FITS = Section(
    "fits",
    "Seconds of one fit",
    "seconds",
    (*PEERS, "floor"),
    tuple(_fit_row(name) for name in WORKLOADS),
)

COSTS = Section(
    "costs",
    "Seconds of one fit, quadratic cost beside log-loss",
    "seconds",
    ("quadratic", "skbackprop"),
    (
        Row(
            "quadratic",
            str(WORKLOADS["default"]),
            ("fit", "default"),
            ("quadratic", "skbackprop"),
        ),
    ),
)

OPTIONS = Section(
    "options",
    "Seconds of one fit, standardising its inputs and dropping units out",
    "seconds",
    ("skbackprop", "standardized", "dropout"),
    tuple(
        Row(
            f"options-{name}",
            str(WORKLOADS[name]),
            ("fit", name),
            ("skbackprop", "standardized", "dropout"),
        )
        for name in ("default", "digits")
    ),
)

PREDICTIONS = Section(
    "predictions",
    "Seconds of one call of predict",
    "seconds",
    PEERS,
    tuple(
        _predict_row(name, n_rows)
        for name in ("default", "digits")
        for n_rows in (1, 10_000)
    ),
)

SEARCHES = Section(
    "searches",
    "Seconds of one GridSearchCV",
    "seconds",
    ("n_jobs=2", "n_jobs=1"),
    tuple(
        Row(
            f"search-{name}",
            f"{name}, 12 candidates, cv=3, {WORKLOAD}",
            ("search", name),
            ("n_jobs=2", "n_jobs=1"),
        )
        for name in ("skbackprop", "MLPClassifier")
    ),
)


def memory_section(mapped_file):
    """Return the section on memory, which needs a file to map."""
    return Section(
        "memory",
        "Peak memory of one epoch above what was there before, MB",
        "megabytes",
        PEERS,
        (
            Row(
                "memory-digits",
                "784-100-10, rows in memory",
                ("memory", "digits"),
                PEERS,
            ),
            Row(
                "memory-mapped",
                "784-100-10, rows in a memory-mapped file",
                ("memory", str(mapped_file)),
                PEERS,
            ),
        ),
    )
