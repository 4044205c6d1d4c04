"""Categorical columns of DataFrames, and their categories."""

import numpy as np

from .checks import check_dense

#: Dtype names of categorical columns: "category" in pandas, "Categorical" and "Enum"
#: in polars.
CATEGORICAL_DTYPES = ("category", "Categorical", "Enum")


def is_dataframe(X):
    """Return whether `X` has columns with their own dtypes, as in pandas and polars."""
    return hasattr(X, "columns") and hasattr(X, "dtypes")


def find_categorical(X, categorical_features):
    """Find the categorical features.

    Parameters
    ----------
    X : {array-like, DataFrame} of shape (n_samples, n_features)
        Input data.
    categorical_features : "from_dtype", None or array-like of bool, int or str
        As in :class:`sklearn.ensemble.HistGradientBoostingClassifier`.

    Returns
    -------
    ndarray of bool of shape (n_features,), or None
        Mask of the categorical features. None if no feature is categorical.

    Raises
    ------
    TypeError
        If `X` is sparse and `categorical_features` lists features.
    ValueError
        If `categorical_features` does not match the features of `X`.
    """
    if categorical_features is None:
        return None
    if isinstance(categorical_features, str):  # "from_dtype"
        if not is_dataframe(X):
            return None
        is_categorical = np.array(
            [str(dtype).startswith(CATEGORICAL_DTYPES) for dtype in X.dtypes], bool
        )
    else:
        is_categorical = _mask_of(X, np.asarray(categorical_features))
    return is_categorical if is_categorical.any() else None


def _mask_of(X, chosen):
    """Convert a mask, indices or names of features to a mask."""
    if chosen.size == 0:
        return np.zeros(0, bool)
    check_dense(X, "X", f"with categorical_features={chosen.tolist()}")
    n_features = X.shape[1] if hasattr(X, "shape") else len(X[0])
    is_categorical = np.zeros(n_features, bool)
    if chosen.dtype.kind == "b" and chosen.shape == (n_features,):
        return chosen.copy()
    if chosen.dtype.kind in "iu" and np.isin(chosen, np.arange(n_features)).all():
        is_categorical[chosen] = True
        return is_categorical
    names = list(X.columns) if is_dataframe(X) else []
    if chosen.dtype.kind in "UO" and all(name in names for name in chosen):
        return np.isin(np.arange(n_features), [names.index(name) for name in chosen])
    columns = f"columns {names}" if names else f"{n_features} features without names"
    raise ValueError(
        f"categorical_features={chosen.tolist()} are not features of X, which has "
        f"{columns}. Use one bool per feature, indices from 0 to {n_features - 1}, "
        "column names, 'from_dtype' or None."
    )


def get_column(X, j):
    """Return column `j` of a DataFrame or an array."""
    return X[X.columns[j]] if is_dataframe(X) else np.asarray(X)[:, j]


def get_values(column):
    """Return the values of a column as an array.

    Integers remain integers if values are missing: as floats, different integers above
    ``2**53`` could become equal.

    Parameters
    ----------
    column : {ndarray, Series} of shape (n_samples,)
        Column of the input data.

    Returns
    -------
    ndarray of shape (n_samples,)
    """
    is_nullable = not isinstance(column.dtype, np.dtype)
    if is_nullable and str(column.dtype).lower().lstrip("u").startswith("int"):
        return np.array(column.to_list(), object)
    return np.asarray(column)


def get_categories(column):
    """Return the categories of a column from its dtype or from its values."""
    import pandas as pd

    if str(column.dtype).startswith(("category", "Enum")):
        return np.asarray(column.dtype.categories)
    return np.asarray(pd.Categorical(get_values(column)).categories)


def sort_numbers(categories):
    """Return the categories of a column, sorted if they are numbers."""
    return np.sort(categories) if categories.dtype.kind in "biuf" else categories


def is_float32(X):
    """Return whether all columns have the dtype float32."""
    dtypes = list(X.dtypes) if is_dataframe(X) else [getattr(X, "dtype", None)]
    return bool(dtypes) and all(str(dtype).lower() == "float32" for dtype in dtypes)
