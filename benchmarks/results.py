"""Medians, ratios and tables of what was measured."""

from statistics import median

from .processes import is_left_out


def medians(runs, quantity):
    """Return the median of each player's measurements that were not left out."""
    return {
        name: median(run[quantity] for run in its_runs)
        for name, its_runs in runs.items()
        if not is_left_out(its_runs)
    }


def ratio(runs, above, below, quantity):
    """Return the median over the rounds of one player's measurement by another's.

    Parameters
    ----------
    runs : dict of list of dict
        What `take_turns` returned.
    above, below : str
        The players.
    quantity : str
        What of the measurements is compared.

    Returns
    -------
    float or None
        None where one of them was left out.
    """
    if any(name not in runs or is_left_out(runs[name]) for name in (above, below)):
        return None
    rounds = zip(runs[above], runs[below])
    return median(upper[quantity] / lower[quantity] for upper, lower in rounds)


def comparisons(columns):
    """List which column is divided by which: others by ours, but ours by the floor."""
    ours, *others = columns
    return [(ours, other) if other == "floor" else (other, ours) for other in others]


def left_out(runs):
    """Say of each player that was left out why."""
    return {
        name: its_runs[0]["left_out"]
        for name, its_runs in runs.items()
        if is_left_out(its_runs)
    }


def markdown_row(cells):
    """Return one row of a Markdown table; a cell that is None is a dash."""
    shown = ("-" if cell is None else _show(cell) for cell in cells)
    return f"| {' | '.join(shown)} |"


def _show(cell):
    return cell if isinstance(cell, str) else f"{cell:.3g}"
