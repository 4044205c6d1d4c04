"""Draw the charts of the accuracy page: ``python -m benchmarks.accuracy_charts``.

The script reads the measurements of ``python -m benchmarks.accuracy`` and writes two
SVG files: the mean ranks of the models, and their scores against the duration of their
fits. Requires matplotlib.
"""

import json

import matplotlib.pyplot as plt

from .charts import STYLE, parse_options
from .summary import (
    OWN_MODELS,
    SCORES,
    main_comparison,
    rank_table,
    score_tables,
    total_seconds,
)

OURS, PEERS = "#0072b2", "#e69f00"

#: Marker and color of each score.
MARKERS = {
    "accuracy": {"fmt": "o", "color": "#0072b2"},
    "log_loss": {"fmt": "s", "color": "#e69f00"},
    "nrmse": {"fmt": "^", "color": "#cc79a7"},
}


def color(model):
    """Return the color of a model."""
    return OURS if model in OWN_MODELS else PEERS


def draw_ranks(runs):
    """Draw the mean ranks of each model, with their standard errors over the datasets.

    Parameters
    ----------
    runs : list of dict
        Measurements of the models to draw.

    Returns
    -------
    Figure
    """
    figure, ax = plt.subplots(figsize=(7.5, 4.5), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.1)  # inches, for wider fonts of browsers
    ranks = rank_table(runs)
    order = ranks.xs("mean", axis=1, level=1).mean(axis=1).sort_values().index[::-1]
    for i, (name, marker) in enumerate(MARKERS.items()):
        table = ranks.loc[order, name]
        positions = [row + 0.22 * (1 - i) for row in range(len(order))]
        ax.errorbar(
            table["mean"],
            positions,
            xerr=table["sem"],
            label=SCORES[name].title.removesuffix(" (%)"),
            **marker,
        )
    ax.set_yticks(range(len(order)), order)
    for label in ax.get_yticklabels():
        label.set_fontweight("bold" if label.get_text() in OWN_MODELS else "normal")
    ax.set(xlabel="mean rank (1 is best)")
    ax.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return figure


def draw_times(runs):
    """Draw the mean score of each model against the total duration of its fits.

    Parameters
    ----------
    runs : list of dict
        Measurements of the models to draw.

    Returns
    -------
    Figure
    """
    figure, axes = plt.subplots(3, 1, figsize=(7.5, 8.0), layout="constrained")
    seconds = total_seconds(runs)
    for ax, (name, scores) in zip(axes, score_tables(runs).items()):
        score = SCORES[name]
        for model, mean in scores.mean().items():
            duration = seconds.loc[model, score.task]
            ax.plot(duration, mean, "o", color=color(model))
            ax.annotate(
                model,
                (duration, mean),
                (5, 4),
                textcoords="offset points",
                fontsize=8,
            )
        ax.set(xscale="log", ylabel=score.title)
        ax.margins(x=0.15, y=0.15)
        ax.spines[["top", "right"]].set_visible(False)
    axes[-1].set_xlabel("seconds for one fit per dataset")
    return figure


def main():
    """Draw both charts."""
    options = parse_options("accuracy_charts", "accuracy.json")
    runs = main_comparison(json.loads(options.json.read_text())["runs"])
    plt.rcParams.update(STYLE)
    charts = {"ranks": draw_ranks(runs), "times": draw_times(runs)}
    for name, figure in charts.items():
        path = options.folder / f"accuracy-{name}.svg"
        figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
