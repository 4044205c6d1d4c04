"""Settings of the documentation build; see CONTRIBUTING.md."""

from skbackprop import __version__

project = "skbackprop"
author = "The skbackprop developers"
copyright = author
version = release = __version__

extensions = [
    "myst_nb",
    "numpydoc",
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
exclude_patterns = ["_build"]
templates_path = ["_templates"]
default_role = "py:obj"  # as in the docstrings: `fit` is the name of something
add_function_parentheses = False
toc_object_entries_show_parents = "hide"

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

# The code cells of the pages are executed, and an error fails the build.
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_execution_timeout = 300
nb_merge_streams = True
nb_output_stderr = "error"  # warnings contain paths of the machine

# The template of the class page lists the methods.
numpydoc_show_class_members = False
autodoc_member_order = "bysource"


def reset_argv(gallery_conf, script_vars):
    """Give the examples their arguments: MNIST takes minutes, the digits seconds."""
    is_mnist = script_vars["src_file"].endswith("plot_mnist_classic.py")
    return ["--digits"] if is_mnist else []


sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": "/plot_",
    "within_subsection_order": "ExampleTitleSortKey",
    "abort_on_example_error": True,
    "doc_module": "skbackprop",
    "backreferences_dir": "gallery/backreferences",
    "download_all_examples": False,
    "show_signature": False,
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
        "migrating",
        "from_pytorch",
        "accuracy",
        "benchmarks",
    )
}
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "header_links_before_dropdown": 6,
    "navbar_persistent": ["search-button"],
    "secondary_sidebar_items": {
        "**": ["page-toc"],
        # A picture and wide tables take the room.
        "index": [],
        "accuracy": [],
        "benchmarks": [],
    },
    "footer_end": [],
}


def keep_text(app, env, node, contnode):
    """Leave the references of methods inherited from scikit-learn as plain text."""
    return contnode if node["reftarget"] == "accuracy_score" else None


def setup(app):
    """Connect what is defined here."""
    app.connect("missing-reference", keep_text)
