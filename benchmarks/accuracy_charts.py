"""Draw the charts of the accuracy page: ``python -m benchmarks.accuracy_charts``.

The script reads the measurements of ``python -m benchmarks.accuracy`` and writes two
SVG files: the mean ranks of the models, and their scores against the duration of their
fits. Requires matplotlib.
"""

import json

import matplotlib.pyplot as plt

from .charts import STYLE, parse_options
from .ranks import RANKED, rank_table, score_table, total_seconds

#: Models in the charts, and their labels.
LABELS = {
    "ensemble": "ensemble of networks",
    "catboost": "CatBoost",
    "lightgbm-bagged": "LightGBM, bagged",
    "lightgbm": "LightGBM",
    "hist-gradient-boosting": "HistGradientBoosting",
    "random-forest": "random forest",
    "mlp-pipeline": "MLP, scaled",
    "backprop-log-loss": "single network",
    "backprop": "single network",
}

#: Single network of each task.
SINGLE = {"classification": "backprop-log-loss", "regression": "backprop"}

TITLES = {
    "accuracy": "accuracy",
    "log_loss": "log-loss",
    "nrmse": "normalized RMSE",
}
OURS, PEERS = "#0072b2", "#e69f00"


def select_runs(runs):
    """Return the measurements of the models in the charts."""
    excluded = {("classification", "backprop")}
    return [
        run
        for run in runs
        if run["competitor"] in LABELS
        and (run["task"], run["competitor"]) not in excluded
    ]


def color(model):
    """Return the color of a model."""
    return OURS if model in {"ensemble", *SINGLE.values()} else PEERS


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
    for ax, score in zip(axes, RANKED):
        table = ranks[score].dropna().sort_values("mean", ascending=False)
        colors = [color(model) for model in table.index]
        ax.barh(
            [LABELS[model] for model in table.index],
            table["mean"],
            xerr=table["sem"],
            color=colors,
            ecolor="#808080",
        )
        ax.set(title=TITLES[score], xlabel="mean rank")
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
    figure, axes = plt.subplots(1, 3, figsize=(9.5, 4.2), layout="constrained")
    seconds = total_seconds(runs)
    for ax, (score, (task, _)) in zip(axes, RANKED.items()):
        means = score_table(runs, score).mean()
        for model, mean in means.items():
            duration = seconds[task, model]
            ax.plot(duration, mean, "o", color=color(model))
            ax.annotate(
                LABELS[model],
                (duration, mean),
                (4, 4),
                textcoords="offset points",
                fontsize=7,
                color=color(model),
            )
        ax.set(xscale="log", xlabel="seconds for all fits", title=TITLES[score])
        ax.margins(x=0.25, y=0.1)
        ax.spines[["top", "right"]].set_visible(False)
    return figure


def main():
    """Draw both charts."""
    options = parse_options("accuracy_charts", "accuracy.json")
    runs = select_runs(json.loads(options.json.read_text())["runs"])
    plt.rcParams.update(STYLE)
    charts = {"ranks": draw_ranks(runs), "times": draw_times(runs)}
    for name, figure in charts.items():
        path = options.folder / f"accuracy-{name}.svg"
        figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
