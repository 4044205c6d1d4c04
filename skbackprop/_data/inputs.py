"""Checks of the values of input data, before they are encoded."""

import re
from collections.abc import Hashable
from contextlib import contextmanager
from numbers import Real

import numpy as np
from scipy.sparse import issparse

from .checks import check_dense
from .dataframes import is_dataframe
from .dates import get_date_kind, get_value_kind, raise_for_dates
from .value_kinds import check_not_lazy, find_kinds

#: Names of the numeric dtypes of pandas, PyArrow and polars, in lower case.
NUMERIC_DTYPE = re.compile(r"u?int\d|float|double|halffloat|bool|decimal|sparse|null")


def check_inputs(X, is_categorical=None):
    """Check that input data are numbers or categories.

    Parameters
    ----------
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Input data.
    is_categorical : ndarray of bool of shape (n_features,), default=None
        Mask of the categorical features. None if all features are numeric.

    Returns
    -------
    {ndarray, sparse matrix, DataFrame} of shape (n_samples, n_features)
        The same data. Lists are converted to arrays, and numeric objects to floats.

    Raises
    ------
    TypeError
        If `X` is a LazyFrame, is sparse but has categorical features, or contains
        objects.
    ValueError
        If `X` contains dates, strings or, in a numeric array, None.
    """
    check_not_lazy(X, "X")
    if issparse(X):
        if is_categorical is not None:
            check_dense(X, "X", "because the network was fitted to categories")
        return X
    if is_dataframe(X):
        return _check_dataframe(X, is_categorical)
    if not (hasattr(X, "dtype") and hasattr(X, "ndim")):  # polars.Series has no ndim
        X = _list_to_array(X)
    dtype = X.dtype
    if X.ndim < 2 and str(dtype) == "object":
        _explain_objects(X)
    if not isinstance(dtype, np.dtype) or dtype.kind in "biufc" or X.ndim != 2:
        return X  # scikit-learn checks the dimensions
    X = np.asarray(X)
    if dtype.kind in "mM":
        kind = get_date_kind(dtype)
        raise_for_dates(X, dict.fromkeys(range(X.shape[1]), (dtype, kind)))
    if is_categorical is not None:
        return _check_mixed_array(X, is_categorical)
    return _objects_to_floats(X)


def _explain_objects(X):
    """Raise TypeError if data are a Python object, or a list of objects."""
    values = X.ravel().tolist()
    if values and not isinstance(values[0], (str, Real)):
        what = type(values[0]).__name__
        raise TypeError(
            "X must be an array-like or a DataFrame of shape (n_samples, n_features), "
            f"got {'' if X.ndim == 0 else 'a sequence of '}{what}. Convert X, for "
            "example with pandas.DataFrame(X)."
        )


def _list_to_array(X):
    """Convert lists to an array without converting numbers to strings."""
    try:
        array = np.asarray(X)
    except ValueError as error:
        raise ValueError(
            "X must be a 2D array in which all rows have the same number of features, "
            "got rows of different lengths."
        ) from error
    return np.asarray(X, object) if array.dtype.kind in "US" else array


def _objects_to_floats(X):
    """Convert an array of objects or strings to floats, or raise an error."""
    for j, column in enumerate(X.T):
        _check_numeric_kinds(X, j, find_kinds(column.astype(object)))
    with _explained_overflow():
        return X.astype(np.float64)


@contextmanager
def _explained_overflow():
    """Explain the error for Python integers outside the range of float64."""
    try:
        yield
    except OverflowError as error:
        raise ValueError(
            "Input X contains infinity or a value too large for dtype('float64')."
        ) from error


def _check_mixed_array(X, is_categorical):
    """Check an array with categories; convert missing numbers to NaN."""
    import pandas as pd

    if len(is_categorical) != X.shape[1] or X.dtype != object:
        return X
    checked = X.copy()
    for j, column in enumerate(X.T):
        kinds = find_kinds(column)
        if is_categorical[j]:
            _check_no_dates(X, j, kinds)
            _check_hashable(kinds, j)
        else:
            _check_numeric_kinds(X, j, kinds, allows_missing=True)
            checked[pd.isna(column), j] = np.nan
    return checked


def _check_no_dates(X, j, kinds):
    """Raise ValueError if a column of an array contains dates."""
    if "date" in kinds:
        value = kinds["date"]
        raise_for_dates(X, {j: (type(value).__name__, get_value_kind(value))})


def _check_hashable(kinds, name):
    """Raise TypeError if a categorical column contains lists, dicts or sets."""
    value = kinds.get("other")
    if not isinstance(value, Hashable):
        raise TypeError(
            f"The categorical column {name!r} of X contains an object of type "
            f"{type(value).__name__}. Categories must be strings or numbers."
        )


def _check_numeric_kinds(X, j, kinds, allows_missing=False):
    """Raise an error if a numeric column of an array contains other values."""
    _check_no_dates(X, j, kinds)
    if "other" in kinds:
        raise TypeError(
            f"X contains an object of type {type(kinds['other']).__name__} in column "
            f"{j}. Each element of the argument must be a number or, in categorical "
            "columns, a string or a number."
        )
    if "string" in kinds:
        raise ValueError(
            f"X contains strings in column {j}, such as {str(kinds['string'])!r}. "
            "Convert the strings to numbers or, before the first fit, list the columns "
            "in categorical_features."
        )
    missing = kinds.get("missing", np.nan)
    if not isinstance(missing, float) and not allows_missing:
        raise ValueError(
            f"X contains {missing} in column {j}. Represent missing values as NaN "
            "(np.nan)."
        )


def _check_dataframe(X, is_categorical):
    """Check the columns of a DataFrame; convert numeric objects to floats."""
    dates, unsupported, numbers = {}, {}, {}
    for j, (name, dtype) in enumerate(zip(X.columns, X.dtypes)):
        dtype, objects = _element_dtype(dtype), None
        shown, date_kind, kinds = dtype, get_date_kind(dtype), {}
        if str(dtype).lower() == "object":
            objects = np.asarray(X.iloc[:, j] if hasattr(X, "iloc") else X[name])
            kinds = find_kinds(objects.astype(object))
        if "date" in kinds:
            shown = type(kinds["date"]).__name__
            date_kind = get_value_kind(kinds["date"])
        if date_kind or "date" in kinds:
            dates[name] = shown, date_kind
        elif is_categorical is not None and is_categorical[j]:
            _check_hashable(kinds, name)
        elif kinds.keys() & {"string", "other"}:
            value = kinds.get("string", kinds.get("other"))
            unsupported[name] = f"{dtype}, with values such as {str(value)!r}"
        elif objects is not None:
            numbers[j] = objects
        elif not NUMERIC_DTYPE.match(str(dtype).lower()):
            unsupported[name] = dtype
    if dates:
        raise_for_dates(X, dates)
    if unsupported:
        listed = ", ".join(f"{name!r} ({why})" for name, why in unsupported.items())
        raise ValueError(
            f"X has columns that are neither numeric nor categorical: {listed}. If the "
            "strings are numbers, convert the columns to a numeric dtype. Otherwise, "
            "convert them to dtype 'category' before the first fit, or list them in "
            "categorical_features."
        )
    return _replace_columns(X, numbers)


def _element_dtype(dtype):
    """Return the dtype of categories or of sparse values, else the dtype itself."""
    if str(dtype) == "category":
        return dtype.categories.dtype
    return getattr(dtype, "subtype", dtype) if "Sparse" in str(dtype) else dtype


def _replace_columns(X, numbers):
    """Return a pandas DataFrame with numeric objects converted to floats."""
    import pandas as pd

    if not numbers or not hasattr(X, "isetitem"):
        return X
    X = X.copy(deep=False)
    for j, values in numbers.items():
        with _explained_overflow():
            column = pd.Series(values, X.index)
            X.isetitem(j, column.to_numpy(float, na_value=np.nan))
    return X
