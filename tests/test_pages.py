"""Documentation pages: their code runs, and their references exist."""

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
#: The page on callbacks needs scikit-learn 1.9 or newer.
WITH_CALLBACKS = "docs/guide/watching.md"
#: Additional packages that pages import; all are part of the extra `docs`.
REQUIRED_PACKAGES = {
    WITH_CALLBACKS: ("rich", "optuna", "mlflow"),
    "docs/guide/saving.md": ("skops", "skl2onnx", "onnxruntime"),
    "docs/guide/serving.md": ("skl2onnx", "onnxruntime"),
    "docs/guide/cluster.md": ("distributed", "dask_ml"),
}


def page_name(page):
    return page.relative_to(ROOT).as_posix()


def python_blocks(page):
    blocks = re.findall(
        r"```(?:python|\{code-cell\} python)\n(.*?)```", page.read_text("utf-8"), re.DOTALL
    )
    # A code cell can start with options, such as `:tags: [remove-stderr]`.
    return [re.sub(r"\A(:\w+:.*\n)+", "", block) for block in blocks]


def check_readme(names, printed):
    score, oof_score, rounding = (float(word) for word in printed.split()[:3])
    assert score > 0.95
    assert oof_score > 0.95
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


def check_backpropagation(names, printed):
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


def check_weights(names, printed):
    # The page itself compares the predictions.
    X, y = names["scaler"].transform(names["X"]), names["y"]
    assert all(client.score(X, y) > 0.97 for client in names["clients"])


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


def to_param(page):
    """Return a page as a test parameter, with the slow marker if it is slow."""
    name = page_name(page)
    return pytest.param(
        page, id=name, marks=[pytest.mark.slow] if name in SLOW_PAGES else []
    )


#: Checks of the variables and the printed output of the code of a page.
CHECKS = {
    "README.md": check_readme,
    "docs/start.md": check_start,
    "docs/migrating.md": check_migrating,
    "docs/from_pytorch.md": check_from_pytorch,
    "docs/backpropagation.md": check_backpropagation,
    "docs/guide/data.md": check_data,
    "docs/guide/training.md": check_training,
    "docs/guide/inside.md": check_inside,
    "docs/guide/weights.md": check_weights,
    "docs/guide/chunks.md": check_chunks,
    "docs/guide/saving.md": check_saving,
    "docs/guide/serving.md": check_serving,
    "docs/guide/cluster.md": check_cluster,
    "docs/own_parts.md": check_own_parts,
}


@pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    # scikit-learn warns about each transformer in a pipeline with callbacks.
    "ignore:The estimator .* does not support callbacks:UserWarning",
    # MLflow uses a deprecated option of SQLAlchemy.
    "ignore:The ``noload`` loader strategy:DeprecationWarning",
)
@pytest.mark.parametrize("page", [*map(to_param, PAGES)])
def test_page_code_runs(page, tmp_path, monkeypatch, capsys):
    name, blocks = page_name(page), python_blocks(page)
    assert bool(blocks) == (name not in WITHOUT_CODE)
    if name == WITH_CALLBACKS:
        pytest.importorskip("sklearn", "1.9")
    for module in REQUIRED_PACKAGES.get(name, ()):
        pytest.importorskip(module)
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks:
        exec(compile(block, name, "exec"), names)
    if name in CHECKS:
        CHECKS[name](names, capsys.readouterr().out)


def test_listed_pages_exist():
    pages = {page_name(page) for page in PAGES}
    assert pages >= WITHOUT_CODE | CHECKS.keys() | REQUIRED_PACKAGES.keys()


def get_literal_includes(page):
    """Return the file and the options of each literalinclude directive."""
    directives = re.findall(
        r"```\{literalinclude\} (\S+)\n(.*?)```", page.read_text("utf-8"), re.DOTALL
    )
    return [
        (page.parent / file, dict(re.findall(r":([\w-]+): (.+)", options)))
        for file, options in directives
    ]


def get_source(file, name):
    """Return the source of a class, a function or a method."""
    source = file.read_text("utf-8")
    node = ast.parse(source)
    for part in name.split("."):
        node = next(n for n in node.body if getattr(n, "name", None) == part)
    return ast.get_source_segment(source, node)


def test_literal_includes_exist():
    # The documentation build finds errors too, but this test does not need Sphinx.
    includes = get_literal_includes(DOCS / "backpropagation.md")
    assert len(includes) > 15
    for file, options in includes:
        name = options.get("pyobject")
        source = get_source(file, name) if name else file.read_text("utf-8")
        start = source.find(options.get("start-at", ""))
        assert start >= 0, options
        assert source.find(options.get("end-at", ""), start) >= 0, options


def test_reference_lists_all_public_names():
    listed = re.findall(
        r"^(?:   |\.\. data:: )(?:[\w.]+\.)?(\w+)$",
        (DOCS / "api.md").read_text("utf-8"),
        re.M,
    )
    assert not set(skbackprop.__all__) - set(listed)
