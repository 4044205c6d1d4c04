"""Documentation pages: their code runs, and their references exist."""

import ast
import os
import re
import shutil
from pathlib import Path

import pytest
from page_checks import CHECKS

import skbackprop

ROOT = Path(__file__).parents[1]
PACKAGE = Path(skbackprop.__file__).parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), *sorted(DOCS.glob("*/*.md"))]

WITHOUT_CODE = {
    "docs/accuracy.md",
    "docs/api.md",
    "docs/benchmarks.md",
    "docs/changelog.md",
    "docs/contributing.md",
    "docs/core.md",
    "docs/glossary.md",
    "docs/guide/index.md",
    "docs/roadmap.md",
    "docs/security.md",
}
#: The page on callbacks needs scikit-learn 1.9 or newer.
WITH_CALLBACKS = "docs/guide/callbacks.md"
#: Additional packages that pages import; all are part of the extra `docs`.
REQUIRED_PACKAGES = {
    "docs/guide/columns.md": ("polars",),
    WITH_CALLBACKS: ("rich", "mlflow"),
    "docs/guide/early_stopping.md": ("matplotlib",),
    "docs/guide/learning_rates.md": ("matplotlib",),
    "docs/guide/monitoring.md": ("matplotlib",),
    "docs/guide/saving.md": ("skops", "skl2onnx", "onnxruntime"),
    "docs/guide/serving.md": ("skops", "skl2onnx", "onnxruntime"),
    "docs/guide/tuning.md": ("matplotlib", "optuna", "rich"),
    "docs/guide/dask.md": ("distributed", "dask_ml", "skl2onnx"),
}
#: Pages that compile C code.
WITH_C_COMPILER = {"docs/guide/embedded.md"}


def page_name(page):
    return page.relative_to(ROOT).as_posix()


def python_blocks(page):
    blocks = re.findall(
        r"```(?:python|\{code-cell\} python)\n(.*?)```",
        page.read_text("utf-8"),
        re.DOTALL,
    )
    # A code cell can start with options, such as `:tags: [remove-stderr]`.
    return [re.sub(r"\A(:\w+:.*\n)+", "", block) for block in blocks]


def has_c_compiler():
    """Return whether pages can compile C code; CC=false disables the compiler."""
    return os.environ.get("CC") != "false" and shutil.which("cc") is not None


#: Pages whose code takes many seconds.
SLOW_PAGES = {
    "README.md",
    WITH_CALLBACKS,
    "docs/guide/dask.md",
    "docs/guide/tuning.md",
}


def to_param(page):
    """Return a page as a test parameter, with the slow marker if it is slow."""
    name = page_name(page)
    return pytest.param(
        page, id=name, marks=[pytest.mark.slow] if name in SLOW_PAGES else []
    )


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
    if name in (WITH_CALLBACKS, "docs/guide/tuning.md"):
        pytest.importorskip("sklearn", "1.9")
    for module in REQUIRED_PACKAGES.get(name, ()):
        pytest.importorskip(module)
    if name in WITH_C_COMPILER and not has_c_compiler():
        pytest.skip("requires a C compiler")
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks:
        exec(compile(block, name, "exec"), names)
    if name in CHECKS:
        CHECKS[name](names, capsys.readouterr().out)


def test_listed_pages_exist():
    pages = {page_name(page) for page in PAGES}
    assert pages >= (
        WITHOUT_CODE | CHECKS.keys() | REQUIRED_PACKAGES.keys() | WITH_C_COMPILER
    )


def get_literal_includes(page):
    """Return the file and the options of each literalinclude directive."""
    directives = re.findall(
        r"```\{literalinclude\} (\S+)\n(.*?)```", page.read_text("utf-8"), re.DOTALL
    )
    return [
        (
            # Outside of a checkout, the code is in the installed package.
            (PACKAGE.parent if "/skbackprop/" in file else ROOT) / file[len("../") :],
            dict(re.findall(r":([\w-]+): (.+)", options)),
        )
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


def get_public_names():
    """Return the full names of all public classes, functions and constants."""
    names = []
    for package in ("skbackprop", "skbackprop.onnx", "skbackprop.dask"):
        # Read the files because these packages may not be installed.
        file = PACKAGE.parent.joinpath(*package.split("."), "__init__.py")
        source = re.search(
            r"^__all__ = (\[.*?\])", file.read_text("utf-8"), re.M | re.S
        )
        names += [f"{package}.{name}" for name in ast.literal_eval(source[1])]
    return names


@pytest.mark.parametrize("name", get_public_names())
def test_reference_lists_public_name(name):
    listed = re.findall(
        r"^(?:   |\.\. data:: )(?:\w+\.)*(\w+)$",
        (DOCS / "api.md").read_text("utf-8"),
        re.M,
    )
    assert name.split(".")[-1] in listed


@pytest.mark.parametrize("name", get_public_names())
def test_a_page_links_to_public_name(name):
    link = re.compile(rf"\{{\w+\}}`(?:[^`<]*<)?~?{re.escape(name)}>?`")
    pages = [page for page in PAGES if page != DOCS / "api.md"]
    assert any(link.search(page.read_text("utf-8")) for page in pages)
