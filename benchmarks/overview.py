"""Draw the chart of the README: ``python -m benchmarks.overview``.

The script reads the tables of ``docs/benchmarks.md`` and ``docs/accuracy.md``, which
``python -m benchmarks`` and ``python -m benchmarks.accuracy`` have printed. It writes
an SVG file. Requires matplotlib.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from .accuracy_charts import MARKERS
from .charts import COLORS, ROOT, STYLE
from .summary import OWN_MODELS, SCORES

DOCS = ROOT / "docs"

#: Workloads of the chart, from small to large, with the words of the labels.
WORKLOADS = {
    "iris-sized": "150 rows, 100 units",
    "small": "5,000 rows, 64 + 32 units",
    "default": "20,000 rows, 100 units",
    "wide-float32": "5,000 rows, 512 + 512 units",
}
PEERS = ("MLPClassifier", "PyTorch")


def read_table(page, column):
    """Read the first Markdown table with a column of this name.

    Parameters
    ----------
    page : Path
        Markdown file.
    column : str
        Name of one of the columns.

    Returns
    -------
    DataFrame of str
        The first column is the index.

    Raises
    ------
    ValueError
        If the page has no such table.
    """
    rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|")
        else None
        for line in page.read_text("utf-8").splitlines()
    ]
    for start, header in enumerate(rows):
        if header is not None and column in header:
            end = rows.index(None, start)
            table = pd.DataFrame(rows[start + 2 : end], columns=header)
            return table.set_axis(table.iloc[:, 0])
    raise ValueError(f"{page.name} has no table with the column {column!r}.")


def read_ratios():
    """Read the duration of a fit of each peer, relative to skbackprop."""
    columns = [f"{peer} / skbackprop" for peer in PEERS]
    table = read_table(DOCS / "benchmarks.md", columns[0])
    return table.loc[list(WORKLOADS), columns].astype(float).set_axis(PEERS, axis=1)


def read_ranks():
    """Read the mean rank of each model in each score, from best to worst."""
    columns = [f"rank in {score}" for score in ("accuracy", "log-loss")]
    columns.append("rank in normalized RMSE")
    table = read_table(DOCS / "accuracy.md", columns[0])
    ranks = table[columns].apply(lambda c: c.str.split(" ± ").str[0].astype(float))
    ranks = ranks.set_axis(list(MARKERS), axis=1)
    return ranks.loc[ranks.mean(axis=1).sort_values().index]


def draw_ratios(ax, ratios):
    """Draw one bar per workload and peer."""
    for i, peer in enumerate(PEERS):
        rows = [row + 0.38 * i for row in range(len(ratios))]
        bars = ax.barh(rows, ratios[peer], height=0.36, color=COLORS[peer], label=peer)
        ax.bar_label(bars, fmt="%.1f", padding=3)
    ax.axvline(1, color=COLORS["skbackprop"], linewidth=2)
    ax.set_yticks([row + 0.19 for row in range(len(ratios))], WORKLOADS.values())
    ax.invert_yaxis()
    ax.set(xlabel="duration of a fit / skbackprop (line: 1)", title="Speed")
    ax.set_xlim(0, 1.15 * ratios.max(axis=None))
    ax.legend(frameon=False, loc="lower right")


def draw_ranks(ax, ranks):
    """Draw the mean rank of each model in each score."""
    rows = range(len(ranks))
    for name, marker in MARKERS.items():
        label = SCORES[name].title.removesuffix(" (%)")
        marker = {"marker": marker["fmt"], "color": marker["color"]}
        ax.plot(ranks[name], rows, linestyle="none", label=label, **marker)
    ax.set_yticks(rows, ranks.index)
    for label in ax.get_yticklabels():
        label.set_fontweight("bold" if label.get_text() in OWN_MODELS else "normal")
    ax.invert_yaxis()
    ax.set(xlabel="mean rank on 28 datasets (1 is best)", title="Accuracy")
    ax.set_xlim(1, 8)
    ax.legend(frameon=False, loc="lower left")


def draw_overview():
    """Draw the speed ratios and the accuracy ranks side by side."""
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(11, 3.8), layout="constrained", gridspec_kw={"wspace": 0.06}
    )
    figure.get_layout_engine().set(w_pad=0.1)  # inches, for wider fonts of browsers
    draw_ratios(left, read_ratios())
    draw_ranks(right, read_ranks())
    for ax in (left, right):
        ax.spines[["top", "right"]].set_visible(False)
    return figure


def main():
    """Draw the chart."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overview")
    parser.add_argument(
        "--folder",
        type=Path,
        default=DOCS / "_static",
        help="folder of the chart (default: docs/_static)",
    )
    folder = parser.parse_args().folder
    with plt.rc_context(STYLE):
        path = folder / "overview.svg"
        draw_overview().savefig(path, metadata={"Date": None})
        print(path)


if __name__ == "__main__":
    main()
