"""Rows and targets of a batch in NumPy: the reference for the compiled kernels."""

import numpy as np


class InputKernel:
    """Copy and transform of rows.

    Parameters
    ----------
    inputs : IdentityTransform or Standardized
        Transform for the dtypes of the rows and of the network; see `with_dtype`.
    missing : ndarray of shape (n_columns,) or None
        Replacement for NaN in each transformed column; None to keep NaN.
    """

    def __init__(self, inputs, missing):
        self.inputs, self.missing = inputs, missing
        self.buffer = None

    def read(self, X, rows, out):
        """Write transformed rows into `out`.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_columns)
            Raw inputs.
        rows : ndarray of int of shape (n_rows,) or None
            Row numbers; None for all rows of `X`.
        out : ndarray of shape (n_rows, n_columns)
            Array of the dtype of the network.
        """
        raw = X if rows is None else self._take(X, rows, out)
        transformed = self.inputs.dense(raw, out)
        if transformed is not out:
            np.copyto(out, transformed)
        if self.missing is not None:
            np.copyto(out, self.missing, where=np.isnan(raw))

    def _take(self, X, rows, out):
        """Copy rows into `out`, or into a buffer if the dtypes differ."""
        if X.dtype != out.dtype or self.missing is not None:
            if self.buffer is None or len(self.buffer) < len(rows):
                self.buffer = np.empty((len(rows), X.shape[1]), X.dtype)
            out = self.buffer[: len(rows)]
        # mode="clip" avoids the extra buffer of mode="raise".
        return X.take(rows, axis=0, out=out, mode="clip")


def write_indicators(X, rows, features, out):
    """Write 1 where a feature is missing (NaN), and 0 elsewhere.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_columns)
        Raw inputs.
    rows : ndarray of int of shape (n_rows,) or None
        Row numbers; None for all rows of `X`.
    features : ndarray of int of shape (n_features,)
        Columns with an indicator.
    out : ndarray of shape (n_rows, n_features)
        Array that receives the indicators.
    """
    out[...] = np.isnan(_select(X, rows)[:, features])


def write_one_hot(codes, rows, first_levels, out):
    """Write one-hot encoded categories.

    Parameters
    ----------
    codes : ndarray of int32 of shape (n_samples, n_categorical)
        Index of the category of each feature; -1 for missing and unknown categories,
        whose columns are all zero.
    rows : ndarray of int of shape (n_rows,) or None
        Row numbers; None for all rows of `codes`.
    first_levels : ndarray of int32 of shape (n_categorical,)
        First column of each feature.
    out : ndarray of shape (n_rows, n_one_hot)
        Array that receives the columns.
    """
    codes = _select(codes, rows)
    out.fill(0.0)
    # Missing categories write zero to the first level.
    columns = np.maximum(codes, 0) + first_levels
    out[np.arange(len(out))[:, np.newaxis], columns] = codes >= 0


def write_targets(table, codes, rows, y):
    """Copy rows of a table of targets.

    Parameters
    ----------
    table : ndarray of shape (n_samples, n_outputs) or (n_codes, n_outputs)
        Targets of each sample, or of each code; in Fortran order.
    codes : ndarray of intp of shape (n_samples,) or None
        Row of the table for each sample; None if each sample has its own row.
    rows : ndarray of intp of shape (n_rows,) or None
        Row numbers of the samples. With `codes`, None selects all samples.
    y : ndarray of shape (n_rows, n_outputs)
        Array in Fortran order that receives the targets.
    """
    if codes is not None:
        rows = _select(codes, rows)
    table.T.take(rows, axis=1, out=y.T, mode="clip")


def write_one_hot_targets(codes, rows, y):
    """Write one-hot targets.

    Parameters
    ----------
    codes : ndarray of intp of shape (n_samples,)
        Class of each sample.
    rows : ndarray of intp of shape (n_rows,) or None
        Row numbers of the samples; None for all samples.
    y : ndarray of shape (n_rows, n_classes)
        Array in Fortran order that receives the targets.
    """
    classes = np.arange(y.shape[1])[:, np.newaxis]
    np.equal(_select(codes, rows), classes, out=y.T)


def _select(array, rows):
    return array if rows is None else array[rows]
