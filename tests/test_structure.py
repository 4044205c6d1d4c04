"""The structure of the package: import order, sizes of modules, private names."""

import ast
import inspect
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import skbackprop
from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop._estimators.base import BaseBackprop

PACKAGE = Path(skbackprop.__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path
    for path in PACKAGE.rglob("*.py")
}

#: Folders and top-level modules. Each imports only from the preceding entries.
LAYERS = [
    "core",
    "_data",
    "_estimators",
    "_ensembles",
    "_persistence",
    "_show_versions",
    "_gradient_check",
    "_displays",
    "_callbacks",
    "onnx",
    "dask",
    "__init__",
]

#: Maximum number of lines of a module. The two estimators consist mainly of docstrings.
MAX_LINES = 420
ESTIMATORS = {
    "skbackprop._estimators.classifier",
    "skbackprop._estimators.regressor",
}


def parse(module):
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def layer_of(module):
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imported_modules(module):
    """Return the imported modules of the package, and the other imported modules."""
    package = module.split(".")
    if MODULES[module].name != "__init__.py":
        package = package[:-1]
    else:
        package = package[:-1] if package[-1] == "__init__" else package
    internal, external = set(), set()
    for node in ast.walk(parse(module)):
        if isinstance(node, ast.Import):
            external.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            external.add(node.module)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1]
            target = ".".join([*base, *filter(None, [node.module])])
            for alias in node.names:
                name = f"{target}.{alias.name}"
                is_module = name in MODULES or f"{name}.__init__" in MODULES
                internal.add(name if is_module else target)
    resolved = {m if m in MODULES else f"{m}.__init__" for m in internal}
    return resolved, external


def private_names(folder):
    """Return the private names that the modules of a folder define."""
    names = set()
    for module in MODULES:
        if layer_of(module) != folder:
            continue
        for node in ast.walk(parse(module)):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                names.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                names.add(node.attr)
    return {n for n in names if n.startswith("_") and not n.startswith("__")}


def test_every_module_has_a_layer():
    assert {layer_of(module) for module in MODULES} == set(LAYERS)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_modules_import_from_their_own_and_lower_layers(module):
    internal, _ = imported_modules(module)
    own = LAYERS.index(layer_of(module))
    assert {m for m in internal if LAYERS.index(layer_of(m)) > own} == set()


def test_imports_have_no_cycles():
    graph = {module: imported_modules(module)[0] - {module} for module in MODULES}
    order = list(TopologicalSorter(graph).static_order())  # raises if there is a cycle
    assert set(order) == set(MODULES)


@pytest.mark.parametrize(
    "module", [module for module in sorted(MODULES) if layer_of(module) == "core"]
)
def test_core_imports_only_numpy_scipy_and_the_standard_library(module):
    _, external = imported_modules(module)
    packages = {name.split(".")[0] for name in external}
    assert packages <= {"numpy", "scipy"} | sys.stdlib_module_names


@pytest.mark.parametrize("module", sorted(MODULES))
def test_modules_use_no_private_names_of_other_folders(module):
    own = private_names(layer_of(module))
    foreign = set().union(*map(private_names, set(LAYERS) - {layer_of(module)})) - own
    used = set()
    for node in ast.walk(parse(module)):
        if isinstance(node, ast.Attribute):
            used.add(node.attr)
        elif isinstance(node, ast.ImportFrom) and node.level:
            used.update(alias.name for alias in node.names)
    allowed = {folder for folder in LAYERS if folder.startswith("_")}
    assert used & foreign - allowed == set()


def test_at_most_ten_modules_directly_in_the_package():
    assert len(list(PACKAGE.glob("*.py"))) <= 10


@pytest.mark.parametrize("module", sorted(MODULES.keys() - ESTIMATORS))
def test_modules_are_short(module):
    text = MODULES[module].read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_LINES


# ---------------------------------------------------------------- the base class


def is_abstract(function):
    return "raise NotImplementedError" in inspect.getsource(function)


def private_methods(cls):
    return {
        name: value.fget if isinstance(value, property) else value
        for name, value in vars(cls).items()
        if name.startswith("_") and not name.startswith("__")
    }


@pytest.mark.parametrize("cls", [BackpropClassifier, BackpropRegressor])
def test_estimators_override_only_abstract_methods(cls):
    for name, value in private_methods(cls).items():
        inherited = inspect.getattr_static(BaseBackprop, name, None)
        inherited = inherited.fget if isinstance(inherited, property) else inherited
        if callable(inherited) and not name.startswith("_parameter"):
            assert is_abstract(inherited), name
        assert value is not None


@pytest.mark.parametrize("cls", [BackpropClassifier, BackpropRegressor])
def test_estimators_define_every_abstract_method(cls):
    abstract = {
        name
        for base in BaseBackprop.__mro__[:-1]
        if base.__module__.startswith("skbackprop")
        for name, method in private_methods(base).items()
        if callable(method) and is_abstract(method)
    }
    assert abstract
    assert {n for n in abstract if is_abstract_in(cls, n)} == set()


def is_abstract_in(cls, name):
    value = inspect.getattr_static(cls, name)
    value = value.fget if isinstance(value, property) else value
    return callable(value) and is_abstract(value)


def test_base_class_declares_every_name_that_fitting_uses():
    learned = {"_reader", "_architecture", "_state"}
    declared = {
        name for base in BaseBackprop.__mro__ for name in {*vars(base)}
    } | BaseBackprop.__annotations__.keys()
    used = set()
    for module in MODULES:
        if layer_of(module) != "_estimators" or module in ESTIMATORS:
            continue
        for node in ast.walk(parse(module)):
            if (
                isinstance(node, ast.Attribute)
                and node.attr.startswith("_")
                and ast.unparse(node.value) in ("estimator", "self.estimator")
            ):
                used.add(node.attr)
    assert used
    assert used - declared - learned == set()


def test_fit_sets_three_private_attributes():
    X, y = [[0.0], [1.0]] * 8, [0, 1] * 8
    fitted = BackpropClassifier((4,), solver="lbfgs", random_state=0).fit(X, y)
    learned = vars(fitted).keys() - fitted.get_params().keys()
    private = {n for n in learned if n.startswith("_") and "callback" not in n}
    assert private == {"_reader", "_architecture", "_state"}
