"""Ranks and durations of the models in the accuracy benchmark."""

import pandas as pd

#: Scores that are ranked: name, task, and whether larger values are better.
RANKED = {
    "accuracy": ("classification", True),
    "log_loss": ("classification", False),
    "nrmse": ("regression", False),
}


def score_table(runs, score):
    """Return the mean of a score over the seeds.

    Parameters
    ----------
    runs : list of dict
        Measurements of `benchmarks.tabular.measure`.
    score : str
        Key of `RANKED`.

    Returns
    -------
    DataFrame of shape (n_datasets, n_models)
    """
    task, _ = RANKED[score]
    frame = pd.DataFrame([run for run in runs if run["task"] == task])
    if frame.empty:
        return frame
    models = frame["competitor"].unique()
    return frame.groupby(["dataset", "competitor"])[score].mean().unstack()[models]


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
    for score, (_, larger_is_better) in RANKED.items():
        scores = score_table(runs, score)
        if not scores.empty:
            ranks = scores.rank(axis=1, ascending=not larger_is_better)
            columns[score, "mean"], columns[score, "sem"] = ranks.mean(), ranks.sem()
    return pd.DataFrame(columns)


def total_seconds(runs):
    """Return the total duration of the fits of each model, a mean over the seeds.

    Parameters
    ----------
    runs : list of dict
        Measurements of `benchmarks.tabular.measure`.

    Returns
    -------
    Series
        Seconds of each model, for one fit per dataset of each task.
    """
    frame = pd.DataFrame(runs)
    groups = frame.groupby(["task", "competitor", "dataset"])["seconds"]
    return groups.mean().groupby(["task", "competitor"]).sum()
