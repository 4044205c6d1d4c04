"""Kinds of values in arrays of Python objects, for checks and error messages."""

import datetime
from decimal import Decimal
from numbers import Real

import numpy as np

#: Types of dates and durations. pandas types are subclasses, except Period.
DATE_TYPES = (
    datetime.date,
    datetime.time,
    datetime.timedelta,
    np.datetime64,
    np.timedelta64,
)


def find_kinds(values):
    """Find the kinds of values in an array of Python objects.

    Parameters
    ----------
    values : ndarray of object
        Values of any type.

    Returns
    -------
    dict of {"missing", "boolean", "number", "string", "date", "other"} to object
        One example of each kind. None, NaN, NaT and pandas.NA are missing values.
    """
    values = np.ravel(values)
    if set(map(type, values)) == {str}:
        return {"string": values[0]}
    # Importing pandas takes longer than a small fit.
    import pandas as pd

    is_missing = pd.isna(values)
    examples = {}
    if is_missing.any():
        examples["missing"] = values[is_missing.argmax()]
        values = values[~is_missing]
    for cls, value in dict(zip(map(type, values), values)).items():
        examples.setdefault(_kind_of(cls), value)
    return examples


def _kind_of(cls):
    """Return the kind of the values of a type."""
    if issubclass(cls, (bool, np.bool_)):
        return "boolean"
    # timedelta64 is a subclass of the integers of NumPy.
    if issubclass(cls, DATE_TYPES) or cls.__name__ == "Period":
        return "date"
    if issubclass(cls, (Real, Decimal)):
        return "number"
    return "string" if issubclass(cls, str) else "other"


def check_not_lazy(values, name):
    """Raise TypeError if values are a lazy DataFrame of polars or Dask.

    Parameters
    ----------
    values : object
        Argument of a method of an estimator.
    name : str
        Name of the argument.
    """
    if type(values).__name__ == "LazyFrame":
        raise TypeError(
            f"{name} is a LazyFrame, which contains no data. Pass {name}.collect()."
        )
    if hasattr(values, "__dask_graph__") and hasattr(values, "columns"):
        raise TypeError(
            f"{name} is a Dask DataFrame. Pass {name}.compute(), or use the estimators "
            "of skbackprop.dask."
        )
