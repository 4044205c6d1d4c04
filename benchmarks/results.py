"""Medians, ratios and Markdown tables of the measurements."""

from statistics import median

from .processes import is_skipped


def medians(runs, quantity):
    """Return the median of each competitor that was not skipped."""
    return {
        name: median(run[quantity] for run in measurements)
        for name, measurements in runs.items()
        if not is_skipped(measurements)
    }


def median_ratio(runs, above, below, quantity):
    """Return the median, over the rounds, of the ratio of two competitors.

    Parameters
    ----------
    runs : dict of list of dict
        Return value of `run_in_rounds`.
    above, below : str
        Names of the competitors in the numerator and in the denominator.
    quantity : str
        Key of the measured value to compare.

    Returns
    -------
    float or None
        Median ratio. None if a competitor is missing or was skipped.
    """
    if any(name not in runs or is_skipped(runs[name]) for name in (above, below)):
        return None
    rounds = zip(runs[above], runs[below])
    return median(upper[quantity] / lower[quantity] for upper, lower in rounds)


def column_ratios(columns):
    """List numerator and denominator of each ratio to the first column.

    The first column is the denominator, except in the ratio to "floor".
    """
    first, *rest = columns
    return [(first, name) if name == "floor" else (name, first) for name in rest]


def skip_reasons(runs):
    """Return the reason for each competitor that was skipped."""
    return {
        name: measurements[0]["skipped"]
        for name, measurements in runs.items()
        if is_skipped(measurements)
    }


def markdown_row(cells):
    """Return one row of a Markdown table, with a dash for each None."""
    formatted = ("-" if cell is None else _format(cell) for cell in cells)
    return f"| {' | '.join(formatted)} |"


def _format(cell):
    return cell if isinstance(cell, str) else f"{cell:.3g}"
