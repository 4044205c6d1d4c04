"""What the README shows runs, and says what is so."""

import re
from pathlib import Path

import numpy as np
import pytest

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_code_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
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
