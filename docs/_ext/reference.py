"""Sphinx extension of the API reference.

On the page of a class, the extension

- adds a table of the methods before the parameters, and describes the methods in the
  same order at the end;
- adds a heading before each group of parameters;
- makes parameters and attributes link targets, such as
  ``skbackprop.BackpropClassifier.alpha``.

The extension also hides the classes and functions of the core modules in the search.
"""

from docutils import nodes
from numpydoc.docscrape import NumpyDocString
from numpydoc.xref import DEFAULT_LINKS, make_xref
from sphinx import addnodes
from sphinx.domains.python import PythonDomain

#: Parameters of `BackpropClassifier` and `BackpropRegressor`, in the order of the
#: signatures.
PARAMETER_GROUPS = {
    "Architecture": (
        "hidden_layer_sizes",
        "activation",
        "output_activation",
        "init",
    ),
    "Loss": ("loss", "quantile", "class_weight"),
    "Optimization": (
        "solver",
        "batch_size",
        "shuffle",
        "max_iter",
        "max_fun",
        "learning_rate_init",
        "learning_rate",
        "power_t",
        "decay_rate",
        "warmup_steps",
        "momentum",
        "nesterovs_momentum",
        "beta_1",
        "beta_2",
        "epsilon",
        "clip_norm",
    ),
    "Regularization": ("alpha", "l1_alpha", "max_norm", "dropout"),
    "Early stopping and convergence": (
        "early_stopping",
        "validation_fraction",
        "scoring",
        "tol",
        "n_iter_no_change",
    ),
    "Data": ("standardize", "categorical_features", "n_bins"),
    "Other": ("random_state", "warm_start", "verbose", "dtype"),
}

#: Methods at the beginning and at the end of the tables of methods. All other methods
#: are in the order of their definition.
FIRST_METHODS = (
    "from_estimator",
    "fit",
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "predict_interval",
    "score",
    "partial_fit",
    "resume",
)
LAST_METHODS = ("set_callbacks", "get_params", "set_params")

#: Methods of scikit-learn that are not described.
HIDDEN_METHODS = {
    "get_metadata_routing",
    "set_fit_request",
    "set_partial_fit_request",
    "set_score_request",
}

#: Types in docstrings that are links, with their full names.
LINKED_TYPES = {
    "Activation": "skbackprop.Activation",
    "BackpropClassifier": "skbackprop.BackpropClassifier",
    "BackpropRegressor": "skbackprop.BackpropRegressor",
    "Loss": "skbackprop.Loss",
    "Pipeline": "sklearn.pipeline.Pipeline",
    "RandomState": "numpy.random.RandomState",
    "distributed.Client": "distributed.Client",
    "matplotlib.axes.Axes": "matplotlib.axes.Axes",
    "matplotlib.colors.Colormap": "matplotlib.colors.Colormap",
    "matplotlib.figure.Figure": "matplotlib.figure.Figure",
    "matplotlib.image.AxesImage": "matplotlib.image.AxesImage",
    "matplotlib.lines.Line2D": "matplotlib.lines.Line2D",
    "ndarray": "numpy.ndarray",
    "numpy.random.RandomState": "numpy.random.RandomState",
    "pandas.DataFrame": "pandas.DataFrame",
}

#: Setting `numpydoc_xref_aliases`. The default links of numpydoc are disabled, because
#: most of them are common words such as "list".
TYPE_ALIASES = {name: name for name in DEFAULT_LINKS} | {
    name: f":class:`{name} <{target}>`" for name, target in LINKED_TYPES.items()
}


def get_methods(cls):
    """Return the names of the methods on the page of a class, in their order."""
    defined = dict.fromkeys(name for base in cls.__mro__ for name in vars(base))
    names = [
        name
        for name in defined
        if not name.startswith("_")
        and name not in HIDDEN_METHODS
        and callable(getattr(cls, name))
    ]
    first = [name for name in FIRST_METHODS if name in names]
    last = [name for name in LAST_METHODS if name in names]
    return [*first, *(n for n in names if n not in {*first, *last}), *last]


def is_class_page(docname, name):
    """Return whether a document is the page of a class."""
    return docname == f"api/{name}"


def process_docstring(app, what, name, obj, options, lines):
    """Extend the docstring of a class, which numpydoc has converted to reST."""
    if what != "class" or not is_class_page(app.env.docname, name):
        return
    lines[:] = with_groups(lines)
    replace_attributes(lines, obj)
    methods = get_methods(obj)
    table = [".. rubric:: Methods", "", ".. autosummary::", "   :nosignatures:", ""]
    table += [f"   ~{obj.__name__}.{method}" for method in methods]
    start = find_sections(lines)
    lines[start:start] = [*table, ""]
    for method in methods:
        lines += ["", f".. automethod:: {name}.{method}"]


def find_sections(lines):
    """Return the index of the line after the summary and the description."""
    starts = (":Parameters:", ":Attributes:", ":Raises:", ".. seealso::", ".. rubric::")
    return next(i for i, line in enumerate(lines) if line.startswith(starts))


def with_groups(lines):
    """Return a docstring with a heading before each group of parameters."""
    headings = {
        f"    **{name}** : ": title
        for title, names in PARAMETER_GROUPS.items()
        for name in names
    }
    grouped, last = [], None
    # Only the networks have groups: `random_state` is also a parameter of ensembles.
    if not any(line.startswith("    **hidden_layer_sizes** : ") for line in lines):
        return lines
    for line in lines:
        for start, title in headings.items():
            if line.startswith(start) and title != last:
                grouped += [f"    .. rubric:: {title}", ""]
                last = title
        grouped.append(line)
    return grouped


def replace_attributes(lines, cls):
    """Describe the attributes as in the class, not as in the properties.

    For properties, numpydoc replaces the description in the docstring of the class by
    the first sentence of the docstring of the property.
    """
    if ":Attributes:" not in lines:
        return
    start = lines.index(":Attributes:") + 1
    stop = start
    while stop < len(lines) and (not lines[stop] or lines[stop].startswith(" ")):
        stop += 1
    described = [""]
    for entry in NumpyDocString(cls.__doc__)["Attributes"]:
        kind = make_xref(entry.type, TYPE_ALIASES, "all")
        described += [f"    **{entry.name}** : {kind}".rstrip(" :")]
        described += [f"        {line}".rstrip() for line in entry.desc] + [""]
    lines[start:stop] = described


def add_targets(app, doctree):
    """Make the parameters and attributes of a class link targets."""
    domain = app.env.get_domain("py")
    for description in doctree.findall(addnodes.desc):
        name = next(iter(description[0]["ids"]), "")
        if description["objtype"] != "class" or not is_class_page(
            app.env.docname, name
        ):
            continue
        content = description.children[-1]
        for field_list in content.children:
            if not isinstance(field_list, nodes.field_list):
                continue
            for term in field_list.findall(is_entry_name):
                target = f"{name}.{term.astext()}"
                term["ids"].append(target)
                domain.note_object(target, "attribute", target, location=term)
                link = nodes.reference("", "", *term.children, refid=target)
                term.children = []
                term += link


def is_entry_name(node):
    """Return whether a node is the name of a parameter or an attribute."""
    return (
        isinstance(node, nodes.term)
        and isinstance(node[0], nodes.strong)
        and node.astext().isidentifier()
    )


class ReferenceDomain(PythonDomain):
    """Python domain that hides the core modules in the search."""

    def get_objects(self):
        """Yield all objects; a negative priority hides an object in the search."""
        for name, title, kind, docname, anchor, priority in super().get_objects():
            is_core = docname.startswith("api/skbackprop.core.")
            yield name, title, kind, docname, anchor, -1 if is_core else priority


def setup(app):
    """Register the extension."""
    app.add_domain(ReferenceDomain, override=True)
    app.connect("autodoc-process-docstring", process_docstring, priority=600)
    app.connect("doctree-read", add_targets)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
