"""Conversion of targets to arrays, and errors for values that cannot be targets."""

import numpy as np
from scipy.sparse import issparse

from .value_kinds import check_not_lazy, find_kinds


def to_target_array(y, *, are_numeric, name="y"):
    """Convert targets to an array of one kind of values.

    Parameters
    ----------
    y : {array-like, sparse matrix} of shape (n_samples,) or (n_samples, n_outputs)
        Target values.
    are_numeric : bool
        Whether the targets are numbers, not class labels.
    name : str, default="y"
        Name of the argument in messages.

    Returns
    -------
    {ndarray, sparse matrix} or None
        Arrays of objects are converted to an array of bools or numbers if their values
        are bools or numbers.

    Raises
    ------
    TypeError
        If `y` is a LazyFrame or contains objects.
    ValueError
        If `y` contains missing values, values of several kinds or, if `are_numeric`,
        strings or dates.
    """
    check_not_lazy(y, name)
    if y is None or issparse(y):
        return y
    try:
        array = np.asarray(y)
    except ValueError as error:
        raise ValueError(
            f"{name} must be an array in which all rows have the same length, got rows "
            "of different lengths. For multilabel targets, pass a label indicator "
            "matrix, as from sklearn.preprocessing.MultiLabelBinarizer."
        ) from error
    if array.dtype.kind == "T":  # strings of variable width
        array = array.astype(object)
    # NumPy would convert the numbers in a list of mixed values to strings.
    is_list = isinstance(y, (list, tuple)) and array.dtype.kind in "US"
    objects = np.asarray(y, object) if is_list else array
    kinds = find_target_kinds(objects)
    if "missing" in kinds:
        raise ValueError(
            f"Input {name} contains NaN: at least one value is missing "
            f"({kinds['missing']}). Remove the samples without a value in {name}."
        )
    if array.dtype.kind in "biufc":
        return array
    if are_numeric:
        return _to_numbers(objects, kinds, name)
    return _to_labels(array, objects, kinds, name)


def find_target_kinds(values):
    """Find the kinds of values in an array of targets or weights.

    Parameters
    ----------
    values : ndarray
        Values of any dtype.

    Returns
    -------
    dict of str to object
        One example of each kind; see `find_kinds`. Empty for bools and integers.
    """
    if values.dtype.kind in "biuc":
        return {}
    if values.dtype.kind not in "fmMU":
        return find_kinds(values.astype(object))
    kind = {"f": "number", "U": "string"}.get(values.dtype.kind, "date")
    kinds = {kind: values.ravel()[0]} if values.size else {}
    if kind == "string":
        return kinds
    is_missing = np.isnan(values)
    return kinds | ({"missing": values[is_missing][0]} if is_missing.any() else {})


def _to_numbers(objects, kinds, name):
    """Convert objects to floats, or raise an error."""
    if "date" in kinds:
        raise ValueError(
            f"{name} contains dates or durations, such as {kinds['date']}, but "
            f"regression targets must be numbers. Convert {name}, for example to a "
            "number of days."
        )
    if "string" in kinds:
        raise ValueError(
            f"{name} contains strings, such as {str(kinds['string'])!r}, but "
            f"regression targets must be numbers. Convert {name} to numbers, or use a "
            "classifier."
        )
    try:
        return objects.astype(np.float64)
    except OverflowError as error:
        raise ValueError(
            f"Input {name} contains infinity or a value too large for dtype('float64')."
        ) from error
    except (TypeError, ValueError) as error:
        raise TypeError(_describe_objects(objects, name, "numbers")) from error


def _to_labels(array, objects, kinds, name):
    """Return labels of one kind, or raise an error."""
    if array.dtype.kind == "S":
        raise TypeError(
            f"{name} contains labels represented as bytes. Convert them to strings, "
            f"for example with {name}.astype(str)."
        )
    if "date" in kinds:
        raise ValueError(
            f"Unknown label type: {name} contains dates or durations, such as "
            f"{kinds['date']!r}. Convert them to strings, for example with "
            f"{name}.astype(str)."
        )
    if kinds.keys() <= {"boolean", "number"}:
        array = np.array(objects.tolist()) if kinds else array
    elif len(kinds) > 1:
        shown = [f"{type(v).__name__} (such as {v!r})" for v in kinds.values()]
        raise ValueError(
            f"Unknown label type: {name} contains labels of several types: "
            f"{', '.join(shown)}. Convert all labels to one type, for example with "
            "astype(str)."
        )
    if array.dtype == object and "string" not in kinds and kinds:
        described = _describe_objects(objects, name, "numbers or strings")
        raise ValueError(f"Unknown label type: {described}")
    return array


def _describe_objects(objects, name, allowed):
    """Return an error message that shows a value of an unsupported type."""
    supported = (bool, int, float, str, np.generic)
    others = (value for value in objects.flat if not isinstance(value, supported))
    value = next(others, objects.flat[0])  # integers may be too large
    return (
        f"{name} contains values of type {type(value).__name__}, such as {value}. "
        f"Convert them to {allowed}."
    )
