"""Mean scores, ranks, differences and durations of the accuracy benchmarks."""

from typing import NamedTuple

import pandas as pd


class Score(NamedTuple):
    """A score of the accuracy benchmarks.

    Parameters
    ----------
    task : {"classification", "regression"}
        Type of the targets.
    title : str
        Title in tables and charts.
    larger_is_better : bool
        Whether larger values are better.
    factor : float
        Factor of the values in tables and charts.
    digits : int
        Number of decimal places in tables.
    """

    task: str
    title: str
    larger_is_better: bool
    factor: float
    digits: int


SCORES = {
    "accuracy": Score("classification", "accuracy (%)", True, 100.0, 1),
    "log_loss": Score("classification", "log-loss", False, 1.0, 3),
    "nrmse": Score("regression", "normalized RMSE", False, 1.0, 3),
}

#: Labels of the models in the main comparison, in the order of the tables.
_PEERS = {
    "ensemble": "ensemble",
    "catboost": "CatBoost",
    "lightgbm-bagged": "bagged LightGBM",
    "lightgbm": "LightGBM",
    "hist-gradient-boosting": "HistGradientBoosting",
    "random-forest": "random forest",
    "mlp-pipeline": "scaled MLP",
}
_SINGLE = "single network"
_LABELS = {
    "classification": {**_PEERS, "backprop-log-loss": _SINGLE},
    "regression": {**_PEERS, "backprop": _SINGLE},
}

#: Labels of the models of this library.
OWN_MODELS = {"ensemble", _SINGLE}


def main_comparison(runs):
    """Select the models of the main comparison and rename them to their labels.

    Parameters
    ----------
    runs : list of dict
        Measurements of `benchmarks.tabular.measure`.

    Returns
    -------
    list of dict
    """
    return [
        {**run, "competitor": labels[run["competitor"]]}
        for task, labels in _LABELS.items()
        for name in labels
        for run in runs
        if (run["task"], run["competitor"]) == (task, name)
    ]


def score_table(runs, name):
    """Return the mean of a score over the seeds.

    Parameters
    ----------
    runs : list of dict
        Measurements of `benchmarks.tabular.measure`.
    name : str
        Key of `SCORES`.

    Returns
    -------
    DataFrame of shape (n_datasets, n_models)
        Empty if no measurement has this score.
    """
    score = SCORES[name]
    frame = pd.DataFrame([run for run in runs if run["task"] == score.task])
    if frame.empty:
        return frame
    datasets, models = frame["dataset"].unique(), frame["competitor"].unique()
    means = frame.groupby(["dataset", "competitor"])[name].mean().unstack()
    return means.loc[datasets, models] * score.factor


def score_tables(runs):
    """Return the table of each score that the measurements have, by its name."""
    tables = {name: score_table(runs, name) for name in SCORES}
    return {name: table for name, table in tables.items() if not table.empty}


def rank_table(runs):
    """Return the mean rank of each model, and its standard error over the datasets.

    Rank 1 is the best model on a dataset. Models with equal scores share the mean of
    their ranks.

    Parameters
    ----------
    runs : list of dict
        Measurements of `benchmarks.tabular.measure`.

    Returns
    -------
    DataFrame
        One row per model, with the columns ``(score, "mean")`` and ``(score, "sem")``.
    """
    columns = {}
    for name, scores in score_tables(runs).items():
        ranks = scores.rank(axis=1, ascending=not SCORES[name].larger_is_better)
        columns[name, "mean"], columns[name, "sem"] = ranks.mean(), ranks.sem()
    models = list({run["competitor"]: None for run in runs})
    return pd.DataFrame(columns).reindex(models)


def total_seconds(runs):
    """Return the total duration of the fits of each model, a mean over the seeds.

    Parameters
    ----------
    runs : list of dict
        Measurements of `benchmarks.tabular.measure`.

    Returns
    -------
    DataFrame of shape (n_models, n_tasks)
        Seconds for one fit per dataset. NaN if a model does not have the task.
    """
    frame = pd.DataFrame(runs)
    groups = frame.groupby(["competitor", "dataset", "task"])["seconds"]
    return groups.mean().groupby(["competitor", "task"]).sum().unstack()


def differences(scores, first, second):
    """Return the mean difference of two models and its standard error.

    Parameters
    ----------
    scores : DataFrame of shape (n_datasets, n_models)
        Table of `score_table`.
    first, second : str
        Names of the models; the second is subtracted from the first.

    Returns
    -------
    mean, standard_error : float
        NaN if a model is missing.
    """
    if not {first, second} <= set(scores.columns):
        return float("nan"), float("nan")
    difference = scores[first] - scores[second]
    return difference.mean(), difference.sem()
