"""What the pages show runs, what they include is there, and none is forgotten."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest

import skbackprop

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), *sorted(DOCS.glob("*/*.md"))]

WITHOUT_CODE = {
    "docs/accuracy.md",
    "docs/api.md",
    "docs/benchmarks.md",
    "docs/guide/index.md",
}
#: The page on callbacks needs the scikit-learn that brought them.
WITH_CALLBACKS = "docs/guide/watching.md"
#: What pages need beside the package; the extra `docs` has it all.
NEEDED = {
    WITH_CALLBACKS: ("rich", "optuna", "mlflow"),
    "docs/guide/saving.md": ("skops", "skl2onnx", "onnxruntime"),
    "docs/guide/serving.md": ("skl2onnx", "onnxruntime"),
    "docs/guide/cluster.md": ("distributed", "dask_ml"),
}


def name_of(page):
    return page.relative_to(ROOT).as_posix()


def python_blocks(page):
    return re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)


def check_readme(names, printed):
    score, rounding = (float(word) for word in printed.split()[:2])
    assert score > 0.95
    assert rounding < 1e-9
    frame, bought = names["frame"], names["bought"]
    assert names["customers"].score(frame, bought) > 0.9
    assert names["grid"].score(names["X_test"], names["y_test"]) > 0.9
    assert names["model"].score(frame, bought) > 0.9
    assert names["classic"].score(names["X_test"] / 16, names["y_test"]) > 0.9


def check_start(names, printed):
    assert names["net"].score(names["X_test"], names["y_test"]) > 0.95
    assert names["search"].score(names["X_test"], names["y_test"]) > 0.9


def check_migrating(names, printed):
    assert all(float(difference) < 1e-9 for difference in printed.split())


def check_from_pytorch(names, printed):
    assert names["net"].score(names["X_test"], names["y_test"]) > 0.93


def check_explanation(names, printed):
    assert float(printed) > 0.9


def check_data(names, printed):
    X_test, y_test = names["X_test"], names["y_test"]
    assert names["ours"].score(X_test, y_test) > names["theirs"].score(X_test, y_test)
    customers, frame, bought = (names[k] for k in ("customers", "frame", "bought"))
    assert customers.score(frame[400:], bought[400:]) > 0.9


def check_training(names, printed):
    assert names["again"].loss_curve_[0] < 1.1 * names["start"].loss_curve_[-1]


def check_inside(names, printed):
    assert names["net"].score(names["X_test"], names["y_test"]) > 0.9
    noisy, low, high = names["noisy"][1500:], names["low"], names["high"]
    assert 0.85 < np.mean((low <= noisy) & (noisy <= high)) < 0.95


def check_chunks(names, printed):
    assert names["model"].score(names["frame"], names["bought"]) > 0.9
    for W_one, W_five in zip(names["one"].coefs_, names["five"].coefs_):
        np.testing.assert_allclose(W_one, W_five, rtol=1e-9)


def check_saving(names, printed):
    assert printed.count("True") == 4
    assert "Cannot load" in printed


def check_serving(names, printed):
    net, X_test = names["net"], names["X_test"]
    expected = net.predict_proba(X_test)
    np.testing.assert_allclose(names["together"], expected, rtol=1e-12)
    np.testing.assert_allclose(
        names["from_graph"]["probabilities"], expected, atol=1e-5
    )


def check_cluster(names, printed):
    assert "loss = " in printed
    assert names["score"] > 0.9


def check_own_parts(names, printed):
    assert "The gradient of the biases of layer 2 of 2 is wrong" in printed
    robust, X, y = names["robust"], names["X"], names["y"]
    assert names["check_gradients"](robust, X, y) < 1e-7
    assert robust.score(X, y) > 0.5


#: Pages whose code takes many seconds.
SLOW_PAGES = {"README.md", WITH_CALLBACKS, "docs/guide/cluster.md"}


def marked(page):
    """Return a page as a test case, marked if its code is slow."""
    name = name_of(page)
    return pytest.param(
        page, id=name, marks=[pytest.mark.slow] if name in SLOW_PAGES else []
    )


#: What must hold of the names that the code of a page leaves, and of what it prints.
CHECKS = {
    "README.md": check_readme,
    "docs/start.md": check_start,
    "docs/migrating.md": check_migrating,
    "docs/from_pytorch.md": check_from_pytorch,
    "docs/backpropagation.md": check_explanation,
    "docs/guide/data.md": check_data,
    "docs/guide/training.md": check_training,
    "docs/guide/inside.md": check_inside,
    "docs/guide/chunks.md": check_chunks,
    "docs/guide/saving.md": check_saving,
    "docs/guide/serving.md": check_serving,
    "docs/guide/cluster.md": check_cluster,
    "docs/own_parts.md": check_own_parts,
}


@pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    # scikit-learn says so of each transformer of a pipeline that has callbacks.
    "ignore:The estimator .* does not support callbacks:UserWarning",
    # What MLflow asks of its database.
    "ignore:The ``noload`` loader strategy:DeprecationWarning",
)
@pytest.mark.parametrize("page", [*map(marked, PAGES)])
def test_code_of_a_page_runs(page, tmp_path, monkeypatch, capsys):
    name, blocks = name_of(page), python_blocks(page)
    assert bool(blocks) == (name not in WITHOUT_CODE)
    if name == WITH_CALLBACKS:
        pytest.importorskip("sklearn", "1.9")
    for module in NEEDED.get(name, ()):
        pytest.importorskip(module)
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks:
        exec(compile(block, name, "exec"), names)
    if name in CHECKS:
        CHECKS[name](names, capsys.readouterr().out)


def test_pages_that_are_named_here_exist():
    pages = {name_of(page) for page in PAGES}
    assert pages >= WITHOUT_CODE | CHECKS.keys() | NEEDED.keys()


def included(page):
    """Return file and options of each piece of source that a page includes."""
    directives = re.findall(
        r"```\{literalinclude\} (\S+)\n(.*?)```", page.read_text("utf-8"), re.DOTALL
    )
    return [
        (page.parent / file, dict(re.findall(r":([\w-]+): (.+)", options)))
        for file, options in directives
    ]


def source_of(file, name):
    """Return the lines of a class, a function or a method."""
    source = file.read_text("utf-8")
    node = ast.parse(source)
    for part in name.split("."):
        node = next(n for n in node.body if getattr(n, "name", None) == part)
    return ast.get_source_segment(source, node)


def test_source_that_the_explanation_includes_is_there():
    # Building the page finds it out too; this needs no Sphinx.
    pieces = included(DOCS / "backpropagation.md")
    assert len(pieces) > 15
    for file, options in pieces:
        name = options.get("pyobject")
        source = source_of(file, name) if name else file.read_text("utf-8")
        start = source.find(options.get("start-at", ""))
        assert start >= 0, options
        assert source.find(options.get("end-at", ""), start) >= 0, options


def test_the_reference_has_every_public_name():
    listed = re.findall(
        r"^(?:   |\.\. data:: )(?:[\w.]+\.)?(\w+)$",
        (DOCS / "api.md").read_text("utf-8"),
        re.M,
    )
    assert not set(skbackprop.__all__) - set(listed)
