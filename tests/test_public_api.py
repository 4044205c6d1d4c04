"""Public API: names, signatures, defaults and fitted attributes are stored.

Releases do not change them unnoticed.

`tests/public_api.txt` is the stored list. If a change is intended, describe it in
CHANGELOG.md, and write the list again from the folder `tests`:

    python -c "import test_public_api; test_public_api.write_public_api()"
"""

import inspect
from pathlib import Path

import pytest
from numpydoc.docscrape import ClassDoc

import skbackprop

PUBLIC_API = Path(__file__).with_name("public_api.txt")

#: Public modules that need an extra.
EXTRA_MODULES = ("skbackprop.onnx", "skbackprop.dask")


def describe_member(name, member):
    """Return the line of a method or a property, or None if it is inherited."""
    if isinstance(member, property):
        return name
    # The functions of `available_if`, and of static and class methods.
    function = getattr(member, "fn", getattr(member, "__func__", member))
    modules = ("skbackprop", "sklearn.callback")
    is_ours = getattr(function, "__module__", "").startswith(modules)
    return f"{name}{inspect.signature(function)}" if is_ours else None


def describe_class(name, cls):
    """Return the lines of a class: constructor, methods, and fitted attributes."""
    members = {
        key: inspect.getattr_static(cls, key) for key in dir(cls) if key[0] != "_"
    }
    lines = [describe_member(f"{name}.{key}", value) for key, value in members.items()]
    attributes = ClassDoc(cls)["Attributes"]
    lines += [f"{name}.{attribute.name}" for attribute in attributes]
    return [f"{name}{inspect.signature(cls)}", *sorted(set(filter(None, lines)))]


def describe_public_api():
    """Return one line per public name, with its signature."""
    lines = []
    for module in (skbackprop, *map(pytest.importorskip, EXTRA_MODULES)):
        for key in sorted(module.__all__):
            name, value = f"{module.__name__}.{key}", getattr(module, key)
            if inspect.isclass(value):
                lines += describe_class(name, value)
            elif callable(value):
                lines.append(f"{name}{inspect.signature(value)}")
            else:
                lines.append(name)
    return lines


def write_public_api():
    """Write the stored list."""
    PUBLIC_API.write_text("\n".join(describe_public_api()) + "\n", "utf-8")


def test_public_api_has_not_changed():
    assert describe_public_api() == PUBLIC_API.read_text("utf-8").splitlines()
