"""What the README shows runs; what the explanation quotes stands in the core."""

import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
EXPLANATION = ROOT / "docs" / "backpropagation.md"


def python_blocks(page):
    return re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)


def code_lines(text):
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_code_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = python_blocks(README)
    assert len(blocks) > 5
    names = {}
    for block in blocks:
        exec(compile(block, README.name, "exec"), names)

    score, rounding = (float(word) for word in capsys.readouterr().out.split()[:2])
    assert score > 0.95
    assert rounding < 1e-9
    assert names["pipeline"].score(names["frame"], names["bought"]) > 0.9
    assert names["grid"].score(names["X_test"], names["y_test"]) > 0.9
    transformed = names["columns"].transform(names["frame"])
    assert names["model"].score(transformed, names["bought"]) > 0.9
    classic = names["classic"].fit(names["X_train"] / 16, names["y_train"])
    assert np.mean(classic.predict(names["X_test"] / 16) == names["y_test"]) > 0.9


def test_code_that_the_explanation_quotes_stands_in_the_core():
    core = [code_lines(p.read_text("utf-8")) for p in ROOT.glob("skbackprop/core/*.py")]
    blocks = [code_lines(block) for block in python_blocks(EXPLANATION)]
    loose = [b for b in blocks if not any(b in source for source in core)]
    # A neuron by hand, and a call of the estimator, are no quotations.
    assert [block.split()[0] for block in loose] == ["y_hat", "BackpropClassifier("]
    assert len(blocks) > 12
