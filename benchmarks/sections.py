"""Sections of the benchmarks. Each section is printed as one table."""

from typing import NamedTuple

from .search import WORKLOAD
from .workloads import SCALING, THREADS, WORKLOADS

PEERS = ("skbackprop", "MLPClassifier", "PyTorch")


class Row(NamedTuple):
    """One row of a table.

    Parameters
    ----------
    name : str
        Name of the row on the command line.
    description : str
        Text of the second column.
    command : tuple of str
        Name of a module of this package, followed by its arguments without the column.
    columns : tuple of str
        Competitors or settings to compare. Each is the last argument of the command.
    """

    name: str
    description: str
    command: tuple
    columns: tuple


class Section(NamedTuple):
    """One table.

    Parameters
    ----------
    name : str
        Name on the command line that selects all rows of the section.
    title : str
        Text above the table.
    quantity : {"seconds", "megabytes"}
        Unit of the measurements.
    columns : tuple of str
        Columns of all rows. The other columns are compared with the first one.
    rows : tuple of Row
        Rows of the table.
    """

    name: str
    title: str
    quantity: str
    columns: tuple
    rows: tuple


def _fit_row(name):
    workload = WORKLOADS[name]
    # nn.Linear and np.dot do not support CSR matrices.
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
    "Seconds per fit",
    "seconds",
    (*PEERS, "floor"),
    tuple(_fit_row(name) for name in WORKLOADS),
)

LOSSES = Section(
    "losses",
    "Seconds per fit, squared-error loss and log-loss",
    "seconds",
    ("squared_error", "skbackprop"),
    (
        Row(
            "squared_error",
            str(WORKLOADS["default"]),
            ("fit", "default"),
            ("squared_error", "skbackprop"),
        ),
    ),
)

OPTIONS = Section(
    "options",
    "Seconds per fit, with standardization of the inputs and with dropout",
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
    "Seconds per call to predict",
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
    "Seconds per GridSearchCV",
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


#: Quantities of the scaling benchmarks.
TITLES = {
    "rows": "number of rows",
    "features": "number of features",
    "width": "units of the hidden layer",
    "threads": "number of threads",
}


def _scaling_row(quantity, value, workload):
    name = f"{quantity}-{value}"
    return Row(name, str(workload), ("fit", name), (*PEERS, "floor"))


SCALING_SECTIONS = tuple(
    Section(
        f"scaling-{quantity}",
        f"Seconds per fit, by {TITLES[quantity]}",
        "seconds",
        (*PEERS, "floor"),
        tuple(_scaling_row(quantity, *item) for item in workloads.items()),
    )
    for quantity, workloads in SCALING.items()
)

THREAD_SCALING = Section(
    "scaling-threads",
    f"Seconds per fit, by {TITLES['threads']}",
    "seconds",
    (*PEERS, "floor"),
    tuple(
        Row(
            f"threads-{n}",
            f"{WORKLOADS['wide-float32']}, {n} threads",
            ("threads", "wide-float32", str(n)),
            (*PEERS, "floor"),
        )
        for n in THREADS
    ),
)


def memory_section(mapped_file):
    """Return the section on memory, which reads the file `mapped_file`."""
    return Section(
        "memory",
        "Peak memory of one epoch above the memory before the fit, in MB",
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
