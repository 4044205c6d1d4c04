"""Tests of the means, ranks and differences of the accuracy benchmark."""

import math

import pytest

from benchmarks.overview import DOCS, read_ranks, read_ratios
from benchmarks.summary import (
    differences,
    main_comparison,
    rank_table,
    score_tables,
    total_seconds,
)


def run(dataset, competitor, seed, accuracy, loss, seconds=1.0):
    """Make a measurement of a classifier."""
    return {
        "dataset": dataset,
        "task": "classification",
        "competitor": competitor,
        "seed": seed,
        "accuracy": accuracy,
        "log_loss": loss,
        "seconds": seconds,
    }


RUNS = [
    run("small", "ensemble", 0, 0.9, 0.2, 2.0),
    run("small", "ensemble", 1, 0.7, 0.4, 4.0),
    run("small", "lightgbm", 0, 0.8, 0.1),
    run("small", "lightgbm", 1, 0.8, 0.3),
    run("large", "ensemble", 0, 1.0, 0.1, 5.0),
    run("large", "lightgbm", 0, 0.9, 0.2, 7.0),
]


def test_scores_are_means_over_the_seeds():
    tables = score_tables(RUNS)
    assert list(tables) == ["accuracy", "log_loss"]
    assert tables["accuracy"].loc["small", "ensemble"] == pytest.approx(80.0)
    assert tables["log_loss"].loc["small", "lightgbm"] == pytest.approx(0.2)


def test_rank_1_is_the_best_model_and_equal_scores_share_a_rank():
    ranks = rank_table(RUNS)
    # Accuracy: equal on "small", the ensemble is better on "large".
    assert ranks.loc["ensemble", ("accuracy", "mean")] == 1.25
    assert ranks.loc["lightgbm", ("accuracy", "mean")] == 1.75
    # Log-loss: each model is better on one dataset.
    assert ranks.loc["ensemble", ("log_loss", "mean")] == 1.5
    assert ranks.loc["ensemble", ("log_loss", "sem")] == pytest.approx(0.5)


def test_seconds_are_sums_over_datasets_of_means_over_seeds():
    seconds = total_seconds(RUNS)["classification"]
    assert seconds["ensemble"] == 8.0
    assert seconds["lightgbm"] == 8.0


def test_differences_have_a_standard_error():
    scores = score_tables(RUNS)["accuracy"]
    mean, error = differences(scores, "ensemble", "lightgbm")
    assert (mean, error) == pytest.approx((5.0, 5.0))
    assert all(map(math.isnan, differences(scores, "ensemble", "catboost")))


def test_single_network_of_the_main_comparison_depends_on_the_task():
    runs = [
        {**RUNS[0], "competitor": name, "task": task}
        for task in ("classification", "regression")
        for name in ("backprop", "backprop-log-loss", "mlp", "ensemble")
    ]
    selected = [(r["task"], r["competitor"]) for r in main_comparison(runs)]
    assert selected == [
        ("classification", "ensemble"),
        ("classification", "single network"),
        ("regression", "ensemble"),
        ("regression", "single network"),
    ]


def test_chart_of_the_readme_shows_the_tables_of_the_pages():
    svg = (DOCS / "_static" / "overview.svg").read_text("utf-8")
    ratios, ranks = read_ratios(), read_ranks()
    assert (ratios > 1).all(axis=None)
    assert all(f">{ratio:.1f}</text>" in svg for ratio in ratios.to_numpy().ravel())
    positions = [svg.index(f">{model}</text>") for model in ranks.index]
    assert positions == sorted(positions)
    assert ranks.index[0] == "ensemble"
