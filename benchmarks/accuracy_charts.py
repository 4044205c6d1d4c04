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


def color(model):
    """Return the color of a model."""
    return OURS if model in OWN_MODELS else PEERS


def draw_ranks(runs):
    """Draw the mean rank of each model, with its standard error over the datasets.

    Parameters
    ----------
    runs : list of dict
        Measurements of the models to draw.

    Returns
    -------
    Figure
    """
    figure, axes = plt.subplots(1, 3, figsize=(9.5, 3.4), layout="constrained")
    ranks = rank_table(runs)
    for ax, (name, score) in zip(axes, SCORES.items()):
        table = ranks[name].sort_values("mean", ascending=False)
        ax.barh(
            table.index,
            table["mean"],
            xerr=table["sem"],
            color=[color(model) for model in table.index],
            ecolor="#808080",
        )
        ax.set(title=score.title, xlabel="mean rank")
        ax.tick_params("y", labelsize=8)
        ax.spines[["top", "right"]].set_visible(False)
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
