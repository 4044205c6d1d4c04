"""API reference: groups of parameters, order of methods, links to other projects."""

import importlib
import importlib.util
import inspect
import re
from itertools import chain
from pathlib import Path

import pytest
from numpydoc.docscrape_sphinx import get_doc_object
from test_pages import PAGES

import skbackprop
from skbackprop import BackpropClassifier, BackpropEnsembleRegressor, BackpropRegressor

ROOT = Path(__file__).parents[1]
PACKAGE = Path(skbackprop.__file__).parent
ESTIMATORS = [BackpropClassifier, BackpropRegressor]


def load_extension():
    file = ROOT / "docs" / "_ext" / "reference.py"
    spec = importlib.util.spec_from_file_location("reference", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


reference = load_extension()

# -------------------------------------------------------------------- parameters


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_signature_follows_the_groups(cls):
    # test_package.py compares the signature with the docstring.
    parameters = list(inspect.signature(cls).parameters)
    grouped = list(chain.from_iterable(reference.PARAMETER_GROUPS.values()))
    assert len(set(grouped)) == len(grouped)
    assert parameters == [name for name in grouped if name in parameters]


def test_groups_have_no_unknown_parameters():
    known = set(
        chain.from_iterable(inspect.signature(c).parameters for c in ESTIMATORS)
    )
    assert set(chain.from_iterable(reference.PARAMETER_GROUPS.values())) == known


def to_rest(cls):
    """Return the lines that numpydoc makes of the docstring of a class."""
    config = {"show_class_members": False}
    doc = get_doc_object(cls, "class", inspect.getdoc(cls), config=config)
    return str(doc).splitlines()


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_each_group_has_one_heading(cls):
    lines = reference.with_groups(to_rest(cls))
    headings = [line.split(":: ")[1] for line in lines if line.startswith("    .. rub")]
    assert headings == list(reference.PARAMETER_GROUPS)
    first = lines.index("    .. rubric:: Architecture")
    assert lines[first + 2].startswith("    **hidden_layer_sizes** : ")


def test_ensembles_have_no_groups():
    lines = to_rest(BackpropEnsembleRegressor)
    assert reference.with_groups(lines) == lines


def test_attributes_are_described_as_in_the_class():
    # numpydoc replaces the description of a property by its docstring.
    lines = to_rest(BackpropClassifier)
    assert not any("changing" in line for line in lines)
    reference.replace_attributes(lines, BackpropClassifier)
    start = next(i for i, s in enumerate(lines) if s.startswith("    **coefs_** : "))
    assert "changing" in lines[start + 1]
    assert ".. rubric:: Examples" in lines


@pytest.mark.parametrize("cls", [*ESTIMATORS, BackpropEnsembleRegressor])
def test_most_used_methods_are_first(cls):
    methods = reference.get_methods(cls)
    assert methods[:2] == ["fit", "predict"]
    assert methods[-2:] == ["get_params", "set_params"]
    assert "score" in methods
    assert not any(name.endswith("_request") for name in methods)


def test_reference_shows_the_default_opset():
    onnx = pytest.importorskip("skbackprop.onnx", exc_type=ImportError)
    text = (ROOT / "docs" / "api.md").read_text("utf-8")
    entry = re.search(r"\.\. data:: TARGET_OPSET\n.*\n +:value: (\d+)\n", text)
    assert int(entry[1]) == onnx.TARGET_OPSET


# --------------------------------------------------------- links to other projects


def read_inventories():
    """Return the kind and the address of each name in the inventories."""
    entries = {}
    for file in sorted((ROOT / "docs" / "_inventories").glob("*.txt")):
        version, *lines = file.read_text("utf-8").splitlines()
        assert version == "# Sphinx inventory version 1"
        for line in lines[2:]:  # after the project and its version
            name, kind, address = line.split()
            entries[name] = kind, address
    return entries


INVENTORIES = read_inventories()

#: A reference in Markdown or reST, with its role and its target.
LINK = re.compile(
    r"[{:](?:py:)?(class|func|meth|attr|mod|obj|data|exc)[}:]`(?:[^`<]*<)?~?([^`>]+)"
)


def external_references(text):
    """Yield the names of other projects that a text links to."""
    for role, target in LINK.findall(text):
        package = target.split(".")[0]
        is_qualified = "." in target.lstrip(".") or role == "mod"
        if is_qualified and package.islower() and package != "skbackprop":
            yield target


def test_external_references_are_recognized():
    text = (
        "{class}`~sklearn.pipeline.Pipeline`, {func}`title <numpy.dot>`, {mod}`ctypes` "
        ":class:`skbackprop.Loss`, :meth:`BackpropRegressor.score`, `z`, ``numpy.dot``"
    )
    found = list(external_references(text))
    assert found == ["sklearn.pipeline.Pipeline", "numpy.dot", "ctypes"]


def test_inventories_contain_all_external_references():
    files = [*PAGES, *ROOT.glob("examples/**/*.py"), *PACKAGE.rglob("*.py")]
    missing = {
        (str(file), name)
        for file in files
        for name in external_references(file.read_text("utf-8"))
        if name not in INVENTORIES
    }
    assert missing == set()


@pytest.mark.parametrize("name", sorted(INVENTORIES))
def test_names_in_inventories_exist(name):
    kind, address = INVENTORIES[name]
    package, *parts = name.split(".")
    pytest.importorskip("sklearn", "1.9")  # the version that the documentation uses
    found = pytest.importorskip(package)
    # Importing this module makes the classes for successive halving available.
    importlib.import_module("sklearn.experimental.enable_halving_search_cv")
    for i, part in enumerate(parts, 1):
        if not hasattr(found, part):
            importlib.import_module(".".join([package, *parts[:i]]))
        found = getattr(found, part)
    assert inspect.isclass(found) == (kind == "class")
    assert inspect.ismodule(found) == (kind == "mod")
    assert address.endswith(".html")
