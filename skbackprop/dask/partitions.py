"""Conversion of Dask collections to delayed partitions."""

import dask
import dask.array as da
import numpy as np

from .._data.dataframes import is_dataframe


def to_partitions(X, y, sample_weight):
    """Combine the partitions of X, y and sample_weight.

    Parameters
    ----------
    X : dask Array or DataFrame of shape (n_samples, n_features)
        Input data.
    y : dask Array, Series or DataFrame
        Target values.
    sample_weight : dask Array or Series, or None
        Sample weights.

    Returns
    -------
    list of Delayed
        Partitions, each a tuple of X, y and sample_weight.

    Raises
    ------
    TypeError
        If `X`, `y` or `sample_weight` is not a Dask collection.
    ValueError
        If the numbers of rows or partitions do not match.
    """
    if isinstance(X, da.Array):
        y = _rechunk_like(X, y, "y")
        sample_weight = _rechunk_like(X, sample_weight, "sample_weight")
    collections = {"X": X, "y": y, "sample_weight": sample_weight}
    blocks = {
        name: to_blocks(values, name)
        for name, values in collections.items()
        if values is not None or name != "sample_weight"
    }
    counts = {name: len(parts) for name, parts in blocks.items()}
    if len(set(counts.values())) > 1:
        raise ValueError(
            "X, y and sample_weight must have the same number of partitions, got "
            f"{counts}. Repartition or rechunk them at the same rows."
        )
    weights = blocks.get("sample_weight", [None] * counts["X"])
    return [
        dask.delayed(_make_partition)(*part)
        for part in zip(blocks["X"], blocks["y"], weights)
    ]


def to_blocks(values, name):
    """Return the partitions of a Dask collection, each with all columns.

    Parameters
    ----------
    values : dask Array, DataFrame or Series
        Collection.
    name : str
        Name of the argument, for error messages.

    Returns
    -------
    list of Delayed

    Raises
    ------
    TypeError
        If `values` is not a Dask collection.
    ValueError
        If `name` is "X" and `values` does not have two dimensions.
    """
    if not isinstance(values, da.Array) and not (
        dask.is_dask_collection(values) and hasattr(values, "simplify")
    ):
        cls = type(values)
        package = cls.__module__.partition(".")[0]
        raise TypeError(
            f"{name} must be a dask Array, DataFrame or Series, got "
            f"{package}.{cls.__name__}. For data in memory, use BackpropClassifier or "
            "BackpropRegressor. To predict for data in memory with a fitted Dask "
            "estimator, call its method to_local() first."
        )
    if name == "X" and values.ndim != 2:
        raise ValueError(
            f"Expected 2D array, got {values.ndim}D array instead: X must have the "
            "dimensions rows and columns."
        )
    if not isinstance(values, da.Array):
        # `simplify` avoids reading unused columns. The full optimization also merges
        # files of which few columns are read. `y` would then have fewer partitions.
        return values.simplify().to_delayed(optimize_graph=False)
    if values.ndim == 2:
        values = values.rechunk({1: -1})
    return np.ravel(values.to_delayed()).tolist()


def make_example_row(X):
    """Return one row of data with the columns and dtypes of a Dask collection."""
    if is_dataframe(X):
        return X._meta_nonempty[:1]
    return np.zeros((1, X.shape[1]), X.dtype)


def _rechunk_like(X, values, name):
    """Rechunk an Array to the row chunks of X if both numbers of rows are known."""
    if not isinstance(values, da.Array) or values.chunks[0] == X.chunks[0]:
        return values
    n_rows, n_values = X.shape[0], values.shape[0]
    if np.isnan([n_rows, n_values]).any():  # unknown before the data are computed
        return values
    if n_rows != n_values:
        raise ValueError(
            "Found input variables with inconsistent numbers of samples: "
            f"X has {n_rows} rows and {name} has {n_values} rows."
        )
    return values.rechunk({0: X.chunks[0]})


def _make_partition(X, y, weight):
    return X, y, weight
