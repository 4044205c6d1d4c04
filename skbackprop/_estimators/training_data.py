"""Conversion of training data to samples, with a new or an existing reader."""

import numpy as np
from sklearn.utils.validation import validate_data

from .._data.columns import make_columns
from .._data.labels import to_target_array
from .._data.new_categories import find_new_categories, warn_about_new_categories
from .._data.reader import Reader, check_input_range
from .._data.value_kinds import check_not_lazy
from .architecture import check_same_settings, fixed_parameters
from .fit_kind import FitKind


def read_training_data(estimator, kind, X, y, sample_weight, classes=None):
    """Convert training data to samples.

    Parameters
    ----------
    estimator, kind, X, y, sample_weight
        As in `fit_network`.
    classes : array-like of shape (n_classes,), default=None
        All classes, for `partial_fit`.

    Returns
    -------
    reader : Reader
        Reader fitted to the data, or by an earlier fit if training continues.
    samples : TrainingSamples
    """
    check_not_lazy(X, "X")
    if kind.continues:
        reader = get_reader(estimator)
        if kind is FitKind.NEXT_CHUNK:
            estimator._check_declared_classes(reader.targets, classes)
        complete = not kind.is_chunk
        samples = reader.read(X, y, sample_weight, estimator, complete=complete)
        warn_about_new_categories(find_new_categories(X, reader.columns))
        return reader, samples
    y = to_target_array(y, are_numeric=estimator._has_numeric_targets)
    columns = make_columns(X, estimator.categorical_features, estimator.n_bins)
    X, y = columns.read_training_data(
        X,
        y,
        estimator,
        y_numeric=estimator._has_numeric_targets,
        reset=True,
        sample_weight=sample_weight,
    )
    dtype = computing_dtype(estimator, X.dtype)
    check_input_range(X, dtype)
    targets, y = estimator._learn_targets(y, classes, kind.is_chunk)
    reader = Reader(columns, targets, dtype)
    return reader, reader.to_samples(X, y, sample_weight)


def read_summary(estimator, kind, summary):
    """Create a reader from a summary of the partitions instead of the data.

    Parameters
    ----------
    estimator, kind
        As in `fit_network`.
    summary : PartitionSummary
        Summary of all partitions.

    Returns
    -------
    reader : Reader
        Reader of the partitions.
    targets : ndarray of shape (n, n_outputs)
        Encoded targets of the summary.
    """
    validate_data(
        estimator, summary.schema, reset=not kind.continues, skip_check_array=True
    )
    if kind.continues:
        reader = get_reader(estimator)
        y = reader.targets.check(summary.targets)
        reader.targets.check_known(y, complete=True)
    else:
        targets, y = estimator._learn_targets(summary.targets, None, is_chunk=False)
        dtype = computing_dtype(estimator, summary.dtype)
        reader = Reader(summary.make_columns(estimator.n_bins), targets, dtype)
    encoded, _ = reader.targets.encode(y, reader.dtype)
    return reader, encoded


def computing_dtype(estimator, input_dtype):
    """Return the dtype of a new network for inputs of a dtype."""
    automatic = "float32" if input_dtype == np.float32 else "float64"
    return np.dtype(estimator.dtype or automatic)


def get_reader(estimator):
    """Return the reader of the last fit, if the parameters still agree with it."""
    reader = estimator._reader
    check_same_settings(estimator._architecture.settings, fixed_parameters(estimator))
    if estimator.dtype not in (None, reader.dtype):
        raise ValueError(
            f"dtype has changed since the network was created, from {reader.dtype} to "
            f"{estimator.dtype}. partial_fit and warm_start=True require the same "
            "dtype: restore it, or call fit with warm_start=False."
        )
    return reader
