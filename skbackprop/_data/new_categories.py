"""Warning about categories that a fitted network does not know."""

import warnings

import numpy as np

from .dataframes import get_column, get_values, is_dataframe

#: Maximum number of categories per column in the warning.
MAX_SHOWN = 5


def find_new_categories(X, columns):
    """Find the categories in data that a fitted network does not know.

    Parameters
    ----------
    X : {array-like, DataFrame} of shape (n_samples, n_features)
        Input data with the columns of the first fit.
    columns : NumericColumns or MixedColumns
        Columns of the first fit.

    Returns
    -------
    dict of (str or int) to list
        New categories of each column that has new categories, by the name or the index
        of the column. Missing values are not categories.
    """
    if columns.is_categorical is None:
        return {}
    if not is_dataframe(X) and not hasattr(X, "dtype"):
        X = np.asarray(X, object)  # otherwise numbers would become strings
    new = {}
    for j, known in zip(np.flatnonzero(columns.is_categorical), columns.categories):
        known = set(known.tolist())
        found = [v for v in _get_present(get_column(X, j)) if v not in known]
        if found:
            new[X.columns[j] if is_dataframe(X) else int(j)] = found
    return new


def merge_new_categories(parts):
    """Merge the new categories of several partitions.

    Parameters
    ----------
    parts : iterable of dict
        Results of `find_new_categories`.

    Returns
    -------
    dict of (str or int) to list
    """
    merged = {}
    for part in parts:
        for name, found in part.items():
            merged[name] = list(dict.fromkeys([*merged.get(name, []), *found]))
    return merged


def _get_present(column):
    """Return the categories that occur in a column, without missing values."""
    import pandas as pd

    if str(column.dtype) == "category":
        return column.cat.remove_unused_categories().cat.categories.tolist()
    if hasattr(column, "drop_nulls"):  # polars
        return column.unique(maintain_order=True).drop_nulls().to_list()
    values = pd.unique(get_values(column))
    return values[~pd.isna(values)].tolist()


def warn_about_new_categories(new):
    """Warn about new categories in training data.

    Parameters
    ----------
    new : dict of (str or int) to list
        Result of `find_new_categories`.
    """
    if not new:
        return
    listed = [f"column {name!r}: {_list_some(found)}" for name, found in new.items()]
    warnings.warn(
        "X has categories that the network does not know, because they did not occur "
        f"in the first fit: {'; '.join(listed)}. They are encoded as missing and not "
        "learned. Declare all categories in the dtype of the column before the first "
        "fit, with pandas.CategoricalDtype or polars.Enum.",
        stacklevel=3,
    )


def _list_some(categories):
    shown = ", ".join(map(repr, categories[:MAX_SHOWN]))
    n_more = len(categories) - MAX_SHOWN
    return f"{shown} and {n_more} more" if n_more > 0 else shown
