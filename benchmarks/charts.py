"""Draw the charts of the benchmarks page: ``python -m benchmarks.charts``.

The script reads the measurements of ``python -m benchmarks`` and writes two SVG files.
Requires matplotlib.
"""

import argparse
import json
from pathlib import Path

import matplotlib.pyplot as plt

from .sections import TITLES

ROOT = Path(__file__).parents[1]

#: Color of each competitor, which is visible on a light and on a dark background.
COLORS = {
    "skbackprop": "#0072b2",
    "MLPClassifier": "#e69f00",
    "PyTorch": "#cc79a7",
    "floor": "#888888",
}
LABELS = {"floor": "matrix products alone"}

#: Settings of matplotlib. Gray text is visible on a light and on a dark background. The
#: same measurements give the same file.
STYLE = {
    **dict.fromkeys(
        (
            "text.color",
            "axes.labelcolor",
            "axes.edgecolor",
            "xtick.color",
            "ytick.color",
        ),
        "#808080",
    ),
    "savefig.transparent": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "skbackprop",
}


def parse_options(script, measurements):
    """Parse the command line.

    Parameters
    ----------
    script : str
        Name of the module that draws the charts.
    measurements : str
        Name of the default file of measurements in the folder of the benchmarks.

    Returns
    -------
    argparse.Namespace
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{script}")
    parser.add_argument(
        "--json",
        type=Path,
        default=ROOT / "benchmarks" / measurements,
        help=f"measurements (default: benchmarks/{measurements})",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=ROOT / "docs" / "_static",
        help="folder of the charts (default: docs/_static)",
    )
    return parser.parse_args()


def draw_ratios(fits):
    """Draw how many times as long as skbackprop the other models take.

    Parameters
    ----------
    fits : dict
        Measurements of the section "fits".

    Returns
    -------
    Figure
    """
    figure, ax = plt.subplots(figsize=(7.5, 4.5), layout="constrained")
    names = list(fits)[::-1]
    for i, peer in enumerate(("PyTorch", "MLPClassifier")):
        ratios = [fits[name]["ratios"].get(f"{peer} / skbackprop") for name in names]
        positions = [y + 0.4 * i - 0.2 for y in range(len(names))]
        bars = ax.barh(
            positions, [r or 0.0 for r in ratios], 0.38, color=COLORS[peer], label=peer
        )
        labels = ["" if r is None else f"{r:.1f}" for r in ratios]
        ax.bar_label(bars, labels, padding=3, fontsize=8)
    ax.axvline(1.0, color=COLORS["skbackprop"], label="skbackprop")
    ax.set(
        yticks=range(len(names)),
        yticklabels=names,
        xlabel="duration of a fit, skbackprop = 1",
    )
    ax.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=3, frameon=False, reverse=True)
    return figure


def draw_scaling(results):
    """Draw the duration of a fit against rows, features, width and threads.

    Parameters
    ----------
    results : dict
        All measurements.

    Returns
    -------
    Figure
    """
    figure, axes = plt.subplots(2, 2, figsize=(7.5, 6.5), layout="constrained")
    for ax, (quantity, title) in zip(axes.flat, TITLES.items()):
        rows = results[f"scaling-{quantity}"]
        values = [int(name.split("-")[1]) for name in rows]
        for model, color in COLORS.items():
            seconds = [row["medians"].get(model) for row in rows.values()]
            if None not in seconds:
                label = LABELS.get(model, model)
                ax.plot(values, seconds, "o-", color=color, label=label)
        scale = "linear" if quantity == "threads" else "log"
        ax.set(xscale=scale, yscale=scale, xlabel=title, ylabel="seconds per fit")
        ax.set_xticks(values, [f"{value:,}" for value in values], minor=False)
        ax.minorticks_off()
        if scale == "linear":
            ax.set_ylim(bottom=0.0)
        ax.spines[["top", "right"]].set_visible(False)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False)
    return figure


def main():
    """Draw both charts."""
    options = parse_options("charts", "results.json")
    results = json.loads(options.json.read_text())
    plt.rcParams.update(STYLE)
    charts = {"ratios": draw_ratios(results["fits"]), "scaling": draw_scaling(results)}
    for name, figure in charts.items():
        figure.savefig(
            options.folder / f"benchmarks-{name}.svg", metadata={"Date": None}
        )


if __name__ == "__main__":
    main()
