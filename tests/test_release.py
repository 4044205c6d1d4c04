"""Release files: versions agree, and every extra that texts name exists."""

import json
import re
import tomllib
from pathlib import Path

import skbackprop

ROOT = Path(__file__).parents[1]
PACKAGE = Path(skbackprop.__file__).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def read(name):
    """Return the text of a file that is in the repository and in the sdist."""
    return (ROOT / name).read_text("utf-8")


def test_versions_agree():
    version = skbackprop.__version__
    assert re.search(rf"^version: {re.escape(version)}$", read("CITATION.cff"), re.M)
    names = [
        entry["version"] for entry in json.loads(read("docs/_static/switcher.json"))
    ]
    assert version in names
    assert f"skbackprop-{version}.tar.gz" in read("docs/install.md")


def test_release_date_is_that_of_the_changelog():
    (date,) = re.findall(
        rf"^## {re.escape(skbackprop.__version__)} - (\d{{4}}-\d\d-\d\d)$",
        read("CHANGELOG.md"),
        re.M,
    )
    assert f"\ndate-released: {date}\n" in read("CITATION.cff")


def find_extras(text):
    """Return the extras in install commands, such as `pip install ".[plot,onnx]"`."""
    groups = re.findall(r"(?:skbackprop|\.)\[([a-z, ]+)\]", text)
    groups += re.findall(r"\bextras? `(\w+)`", text)
    return {extra.strip() for group in groups for extra in group.split(",")}


TEXTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("[!_]*.md")),
    *sorted((ROOT / "docs").glob("guide/*.md")),
    *sorted((ROOT / "benchmarks").glob("*.*")),
    *sorted((ROOT / "examples").rglob("*.py")),
    *sorted(PACKAGE.rglob("*.py")),
]


def test_named_extras_exist():
    named = {name for path in TEXTS for name in find_extras(path.read_text("utf-8"))}
    assert named == EXTRAS.keys()


def test_installation_page_lists_all_extras():
    section = read("docs/install.md").split("## Optional packages")[1].split("\n## ")[0]
    assert sorted(re.findall(r"^\| `(\w+)` \|", section, re.M)) == sorted(EXTRAS)


def test_errors_name_the_extras_of_optional_modules():
    texts = [path.read_text("utf-8") for path in sorted(PACKAGE.rglob("*.py"))]
    named = set().union(*map(find_extras, texts))
    assert named >= {"onnx", "dask"}


def test_install_commands_do_not_need_a_package_index():
    for path in TEXTS:
        if path.suffix == ".md":
            commands = r"pip install (-\S+ )*[\"']?skbackprop(?!-\d)"
            assert not re.search(commands, path.read_text("utf-8")), path.name
