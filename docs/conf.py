"""Settings of the documentation build; see CONTRIBUTING.md."""

import sys
from pathlib import Path

from skbackprop import __version__

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from reference import TYPE_ALIASES

project = "skbackprop"
author = "The skbackprop developers"
copyright = author
version = release = __version__

extensions = [
    "myst_nb",
    "numpydoc",
    "reference",  # in docs/_ext
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "sphinx-mathjax-offline",  # ships MathJax with the site
]
exclude_patterns = ["_build", "gallery/**/*.ipynb"]
templates_path = ["_templates"]
default_role = "py:obj"  # as in the docstrings: `fit` is the name of something
add_function_parentheses = False
toc_object_entries_show_parents = "hide"

myst_enable_extensions = ["colon_fence", "dollarmath", "substitution"]
myst_substitutions = {"version": version}
myst_heading_anchors = 3

# The code cells of the pages are executed, and an error fails the build.
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_execution_timeout = 300
nb_merge_streams = True
nb_output_stderr = "error"  # warnings contain paths of the machine

# The extension `reference` lists the methods of a class.
numpydoc_show_class_members = False
numpydoc_xref_param_type = True
numpydoc_xref_aliases = TYPE_ALIASES
numpydoc_xref_ignore = "all"  # link only the names in TYPE_ALIASES
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings describe the types
smartquotes = False  # readers copy default values, such as "auto"

# The build needs no network: each inventory is a text file with the names that the
# documentation links to, in version 1 of the inventory format of Sphinx.
intersphinx_mapping = {
    name: (url, f"_inventories/{name}.txt")
    for name, url in {
        "dask": "https://docs.dask.org/en/stable/",
        "distributed": "https://distributed.dask.org/en/stable/",
        "joblib": "https://joblib.readthedocs.io/en/stable/",
        "matplotlib": "https://matplotlib.org/stable/",
        "numpy": "https://numpy.org/doc/stable/",
        "pandas": "https://pandas.pydata.org/docs/",
        "python": "https://docs.python.org/3/",
        "scipy": "https://docs.scipy.org/doc/scipy/",
        "skl2onnx": "https://onnx.ai/sklearn-onnx/",
        "sklearn": "https://scikit-learn.org/stable/",
        "skops": "https://skops.readthedocs.io/en/stable/",
    }.items()
}
# References to names with a package must resolve. Single backquotes without a package
# are also used for parameters, such as `alpha`, and variables.
nitpicky = True
nitpick_ignore_regex = [
    ("py:obj", r"(?!(skbackprop|{})\.).*".format("|".join(intersphinx_mapping)))
]


def reset_argv(gallery_conf, script_vars):
    """Give the examples their arguments: MNIST takes minutes, the digits seconds."""
    is_mnist = script_vars["src_file"].endswith("plot_mnist_classic.py")
    return ["--digits"] if is_mnist else []


sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "subsection_order": [
        "../examples/get_started",
        "../examples/training",
        "../examples/regression",
        "../examples/theory",
    ],
    "filename_pattern": "/plot_",
    "within_subsection_order": "ExampleTitleSortKey",
    "abort_on_example_error": True,
    "doc_module": "skbackprop",
    "backreferences_dir": "gallery/backreferences",
    "download_all_examples": False,
    "show_signature": False,
    "write_computation_times": False,  # its pages load scripts from the network
    "remove_config_comments": True,  # such as the number of the thumbnail
    "reset_argv": reset_argv,
}
# A function in these settings prevents caching, which is harmless.
suppress_warnings = ["config.cache"]

html_theme = "pydata_sphinx_theme"
html_title = "skbackprop"
html_static_path = ["_static"]
html_css_files = ["skbackprop.css"]
html_show_sourcelink = False
# These pages have no subpages, so the sidebar is hidden to leave more room.
html_sidebars = {
    page: []
    for page in (
        "index",
        "start",
        "backpropagation",
        "install",
        "migrating",
        "from_pytorch",
        "troubleshooting",
        "glossary",
        "accuracy",
        "benchmarks",
        "changelog",
        "contributing",
        "security",
        "roadmap",
    )
}
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "header_links_before_dropdown": 5,
    "navbar_start": ["navbar-logo", "version-switcher"],
    "navbar_persistent": ["search-button"],
    "switcher": {"json_url": "_static/switcher.json", "version_match": version},
    "icon_links": [
        {
            "name": "Source",
            "url": "https://github.com/skbackprop/skbackprop",
            "icon": "fa-brands fa-github",
        }
    ],
    "secondary_sidebar_items": {
        "**": ["page-toc"],
        # A picture and wide tables take the room.
        "index": [],
        "accuracy": [],
        "benchmarks": [],
    },
    "footer_end": [],
}
