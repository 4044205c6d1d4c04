"""Categories of the categorical features, and their codes."""

import numpy as np

from .dataframes import get_categories, get_column, get_values, is_dataframe

#: Kinds of values that are numbers; see `pandas.api.types.infer_dtype`.
NUMERIC_KINDS = ("integer", "floating", "mixed-integer-float", "boolean")

#: Kinds of values that are not of a single type.
MIXED_KINDS = ("mixed", "mixed-integer")

#: Floats of at least this size may be rounded integers.
LARGEST_EXACT = 2.0**53


def get_name(X, j):
    """Return the name of a DataFrame column, or the index of an array column."""
    name = X.columns[j] if is_dataframe(X) else j
    return name.item() if isinstance(name, np.generic) else name


def find_categories(X, is_categorical):
    """Return the categories of each categorical feature.

    Parameters
    ----------
    X : {ndarray, DataFrame} of shape (n_samples, n_features)
        Input data.
    is_categorical : ndarray of bool of shape (n_features,), or None
        Mask of the categorical features.

    Returns
    -------
    list of ndarray

    Raises
    ------
    ValueError
        If the categories of a feature have different types.
    """
    positions = () if is_categorical is None else np.flatnonzero(is_categorical)
    categories = [get_categories(get_column(X, j)) for j in positions]
    for j, known in zip(positions, categories):
        if _kind_of(known) in MIXED_KINDS:
            raise ValueError(
                f"The categorical column {get_name(X, j)!r} of X contains values of "
                f"different types, such as {known[:3].tolist()}. All categories of a "
                "column must be strings, or all numbers. Convert the column to a "
                "single type."
            )
    return categories


def get_codes(column, categories, name):
    """Return the index of the category of each value.

    Parameters
    ----------
    column : {ndarray, Series} of shape (n_samples,)
        Column of the input data.
    categories : ndarray of shape (n_categories,)
        Categories in the first fit.
    name : str or int
        Name or index of the column in error messages.

    Returns
    -------
    ndarray of int of shape (n_samples,)
        Index of each value in `categories`; -1 for missing and unknown categories.

    Raises
    ------
    ValueError
        If the values are numbers and the categories are not, or the reverse.
    """
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype):
        # A code of -1 selects the last entry.
        known = _find(column.cat.categories, categories, name)
        return np.append(known, -1)[column.cat.codes]
    return _find(pd.Index(get_values(column)), categories, name)


def _find(values, categories, name):
    """Return the index of each value in the categories, or -1."""
    import pandas as pd

    _check_exact(values, name)
    kind, known_kind = _kind_of(values), _kind_of(categories)
    has_numbers, had_numbers = (k in NUMERIC_KINDS for k in (kind, known_kind))
    if "empty" not in (kind, known_kind) and has_numbers != had_numbers:
        raise ValueError(
            f"The categorical column {name!r} of X contains {kind} values, such as "
            f"{values[:3].tolist()}, but its categories in the first fit are "
            f"{known_kind} values, such as {categories[:3].tolist()}. Convert the "
            "column to the dtype of the training data."
        )
    return pd.Index(categories).get_indexer(values)


def _check_exact(values, name):
    """Raise ValueError if values may be rounded integers."""
    if values.dtype.kind != "f":
        return
    inexact = values[np.isfinite(values) & (np.abs(values) >= LARGEST_EXACT)]
    if inexact.size:
        raise ValueError(
            f"The categorical column {name!r} of X contains {inexact[0]:.0f} as a "
            "float. Integers above 2**53 are rounded in float columns, so that "
            "different integers can become equal. Convert the integers to strings, or "
            "to the pandas dtype 'Int64', before they become floats."
        )


def _kind_of(values):
    """Return the kind of the values that are not missing, such as "string"."""
    import pandas as pd

    if not len(values):  # infer_dtype would return "floating" for float64
        return "empty"
    return pd.api.types.infer_dtype(values, skipna=True)
