"""Error for columns of dates, and the code that converts each kind of date."""

import datetime

import numpy as np

#: Beginnings of the names of date dtypes in NumPy, pandas, PyArrow and polars, in lower
#: case, and the kind of date.
DATE_DTYPES = {
    "datetime": "datetime",
    "timestamp": "datetime",
    "timedelta": "duration",
    "duration": "duration",
    "period": "period",
    "date": "date",
    "time": "time",
}

#: Code that converts a column of each kind, for pandas, polars and arrays.
CONVERSIONS = {
    ("pandas", "datetime"): "X[{0!r}] = (X[{0!r}] - {1}).dt.days",
    ("pandas", "date"): "X[{0!r}] = (pd.to_datetime(X[{0!r}]) - {1}).dt.days",
    ("pandas", "duration"): "X[{0!r}] = X[{0!r}].dt.total_seconds()",
    ("pandas", "period"): "X[{0!r}] = (X[{0!r}].dt.to_timestamp() - {1}).dt.days",
    ("polars", "datetime"): "X = X.with_columns(pl.col({0!r}).dt.epoch('d'))",
    ("polars", "date"): "X = X.with_columns(pl.col({0!r}).dt.epoch('d'))",
    ("polars", "duration"): "X = X.with_columns(pl.col({0!r}).dt.total_seconds())",
    ("polars", "time"): "X = X.with_columns(pl.col({0!r}).dt.hour())",
    ("array", "datetime"): (
        "X = (X - np.datetime64('2000-01-01')) / np.timedelta64(1, 'D')"
    ),
    ("array", "duration"): "X = X / np.timedelta64(1, 's')",
    ("array", "date"): "X[:, {0!r}] = (pd.to_datetime(X[:, {0!r}]) - {1}).days",
}


def get_date_kind(dtype):
    """Return the kind of date of a dtype, a key of `CONVERSIONS`; None for others."""
    name = str(dtype).lower()
    return next(
        (kind for key, kind in DATE_DTYPES.items() if name.startswith(key)), None
    )


def get_value_kind(value):
    """Return the kind of a date that is a Python object, a key of `CONVERSIONS`."""
    return "date" if isinstance(value, (datetime.date, np.datetime64)) else None


def raise_for_dates(X, dates):
    """Raise ValueError for columns of dates.

    Parameters
    ----------
    X : {ndarray, DataFrame} of shape (n_samples, n_features)
        Input data.
    dates : dict of (str or int) to (object, str or None)
        Names or indices of the columns, each with its dtype or an example, and with
        its kind.
    """
    name, (dtype, kind) = next(iter(dates.items()))
    listed = ", ".join(f"{key!r} ({shown})" for key, (shown, _) in dates.items())
    container = "array" if isinstance(X, np.ndarray) else "polars"
    container = "pandas" if hasattr(X, "iloc") else container
    zone = ", tz='UTC'" if "," in str(dtype) else ""
    origin = f"pd.Timestamp('2000-01-01'{zone})"
    code = CONVERSIONS.get((container, kind))
    example = f", for example with `{code.format(name, origin)}`" if code else ""
    raise ValueError(
        f"X contains dates or durations in {len(dates)} column(s): {listed}. Convert "
        f"dates to numbers, in the same way for training and prediction{example}, or "
        "to features such as the year and the month. To use dates as categories, "
        "convert them to strings."
    )
