"""The page on errors and warnings lists the messages of the package."""

import ast
import re
from pathlib import Path

import skbackprop

PACKAGE = Path(skbackprop.__file__).parent
PAGE = Path(__file__).parents[1] / "docs" / "troubleshooting.md"

#: Statements without the text of a message, with the reason.
INDIRECT = {
    # The text comes from a function whose name contains "explain" or "describe".
    "ValueError(_explain_output(estimator, loss))": "see _explain_output",
    "ValueError(_explain_softmax(n_outputs))": "see _explain_softmax",
    "TypeError(_describe_objects(objects, name, 'numbers'))": "see _describe_objects",
    "_describe_start(content)": "see _describe_start",
    "ValueError(message)": "see explain_divergence",
    "warnings.warn(message, ConvergenceWarning, stacklevel=3)": "see explain_stop",
    # The message is the message of another error.
    "InvalidParameterError(f'{error}{suggestion}')": "adds a suggestion",
    "ValueError(f'{self.name}: {error}')": "adds the number of the member",
    "type(error)(message)": "adds the names of the arguments",
    "TypeError(f'{type(self).__name__}.__init__() {error}')": "adds the class name",
    "result.error": "error of a Dask worker",
    # These exceptions do not reach the user.
    "DivergenceError(state.n_epochs + 1)": "converted by run_training",
    "DivergenceError(max(state.n_epochs, 1))": "converted by run_training",
    "DivergenceError(state.n_epochs)": "converted by run_training",
    "StopIteration": "received by SciPy",
    "WorkerLostError": "handled by the shards",
    "NotImplementedError": "abstract method",
    # This exception has no message.
    "KeyboardInterrupt": "raised for Ctrl-C",
}

#: Templates that the page does not list, with the reason.
INTERNAL = {
    "at most": "range of an output activation",
    "between ... and": "range of an output activation",
    "before training": "epoch of the best weights",
}

#: Maximum length of the text on the page for a value in a message.
MAX_VALUE = 60


def get_template(literal):
    """Return the first sentence of a literal, with "..." for values; None if short."""
    values = literal.values if isinstance(literal, ast.JoinedStr) else [literal]
    text = "".join(
        str(value.value) if isinstance(value, ast.Constant) else "\0"
        for value in values
    )
    sentence = re.split(r"\.(?:\s|$)", text, maxsplit=1)[0]
    n_words = len(re.findall(r"[a-zA-Z]{2,}", sentence))
    if n_words < 2 or text.startswith((",", " ")):  # part of a sentence
        return None
    # Adjacent values are one "...". Values at the ends may be missing on the page.
    sentence = re.sub(r"\0[\0. ]*\0|\0", "...", sentence)
    return normalize(sentence).strip(" .:,=")


def normalize(text):
    """Return a text without line breaks and code marks."""
    return " ".join(text.replace("`", "").split())


def find_literals(node):
    """Yield the outermost string literals in a syntax tree, without docstrings."""
    if isinstance(node, (ast.JoinedStr, ast.Constant)):
        yield node
        return
    for child in ast.iter_child_nodes(node):
        is_docstring = isinstance(child, ast.Expr) and isinstance(
            child.value, ast.Constant
        )
        if not is_docstring:
            yield from find_literals(child)


def find_statements(tree):
    """Yield the expressions that create errors and warnings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and node.exc is not None:
            yield node.exc
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "warnings.warn":
            yield node


def find_messages():
    """Return the templates of all messages and the statements without a template.

    The templates map to a place in the code. The text of a message is expected in the
    statement, or in a function whose name contains "explain" or "describe".
    """
    templates, without_text = {}, set()
    for file in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(file.read_text("utf-8"))
        functions = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef)
            and re.search("explain|describe", node.name)
        ]
        for node in (*find_statements(tree), *functions):
            found = list(filter(None, map(get_template, find_literals(node))))
            place = f"{file.relative_to(PACKAGE)}:{node.lineno}"
            templates.update(dict.fromkeys(found, place))
            if not found and node not in functions:
                without_text.add(ast.unparse(node))
    return templates, without_text


def is_on_page(template, page):
    """Return whether the page contains a template, with any text for the values."""
    fragments = map(re.escape, template.split("..."))
    return re.search(f".{{0,{MAX_VALUE}}}?".join(fragments), page) is not None


def test_page_lists_all_messages():
    templates, _ = find_messages()
    assert len(templates) > 150
    page = normalize(PAGE.read_text("utf-8"))
    missing = {
        template: place
        for template, place in templates.items()
        if template not in INTERNAL and not is_on_page(template, page)
    }
    assert not missing, f"Describe these messages in {PAGE.name}."


def test_exceptions_are_up_to_date():
    templates, without_text = find_messages()
    assert without_text == INDIRECT.keys()
    assert templates.keys() >= INTERNAL.keys()
