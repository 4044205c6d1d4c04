"""What the pages show runs; what the explanation quotes stands in the core."""

import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
GUIDE = ROOT / "docs" / "guide.md"
OWN_PARTS = ROOT / "docs" / "own_parts.md"
EXPLANATION = ROOT / "docs" / "backpropagation.md"


def python_blocks(page):
    return re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)


def code_lines(text):
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_code_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = run_blocks(README, 6)

    score, rounding = (float(word) for word in capsys.readouterr().out.split()[:2])
    assert score > 0.95
    assert rounding < 1e-9
    frame, bought = names["frame"], names["bought"]
    assert names["customers"].score(frame, bought) > 0.9
    assert names["grid"].score(names["X_test"], names["y_test"]) > 0.9
    assert names["model"].score(frame, bought) > 0.9
    assert names["classic"].score(names["X_test"] / 16, names["y_test"]) > 0.9


def run_blocks(page, n_blocks):
    """Run the blocks of a page, one after another; return the names they leave."""
    blocks = python_blocks(page)
    assert len(blocks) >= n_blocks
    names = {}
    for block in blocks:
        exec(compile(block, page.name, "exec"), names)
    return names


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_code_of_the_guide_runs():
    names = run_blocks(GUIDE, 14)
    X_test, y_test = names["X_test"], names["y_test"]
    assert names["ours"].score(X_test, y_test) > names["theirs"].score(X_test, y_test)
    customers, frame, bought = (names[k] for k in ("customers", "frame", "bought"))
    assert customers.score(frame[400:], bought[400:]) > 0.9
    assert names["again"].loss_curve_[0] < 1.1 * names["start"].loss_curve_[-1]
    noisy, low, high = names["noisy"][1500:], names["low"], names["high"]
    assert 0.85 < np.mean((low <= noisy) & (noisy <= high)) < 0.95


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_code_of_the_page_on_own_parts_runs(capsys):
    names = run_blocks(OWN_PARTS, 7)
    printed = capsys.readouterr().out
    assert "The gradient of the biases of layer 2 of 2 is wrong" in printed
    robust, X, y = names["robust"], names["X"], names["y"]
    assert names["check_gradients"](robust, X, y) < 1e-7
    assert robust.score(X, y) > 0.5


def test_code_that_the_explanation_quotes_stands_in_the_core():
    core = [code_lines(p.read_text("utf-8")) for p in ROOT.glob("skbackprop/core/*.py")]
    blocks = [code_lines(block) for block in python_blocks(EXPLANATION)]
    loose = [b for b in blocks if not any(b in source for source in core)]
    # A neuron by hand, and a call of the estimator, are no quotations.
    assert [block.split()[0] for block in loose] == ["y_hat", "BackpropClassifier("]
    assert len(blocks) > 12
