"""Columns of the input data: numeric arrays, and DataFrames with categories."""

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import (
    check_array,
    check_X_y,
    validate_data,
)

from .base_columns import Columns
from .categories import find_categories, get_codes, get_name
from .checks import check_dense, sum_duplicates
from .dataframes import find_categorical, get_column, is_dataframe, is_float32
from .inputs import check_inputs
from .missing_values import check_missing
from .valid_arrays import are_valid_targets, is_valid_array

#: Arguments of `check_X_y` and `validate_data` for training data. `check_missing`
#: raises an error for infinity.
TRAINING_CHECKS = {
    "accept_sparse": "csr",
    "dtype": "numeric",
    "order": "C",
    "multi_output": True,
    "ensure_all_finite": False,
}


def make_columns(X, categorical_features, n_bins=None):
    """Create the object that reads the columns of the input data.

    Parameters
    ----------
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Input data of the first fit.
    categorical_features : "from_dtype", None or array-like of bool, int or str
        Parameter of the estimators.
    n_bins : int or None, default=None
        Parameter of the estimators.

    Returns
    -------
    NumericColumns or MixedColumns
    """
    has_dtypes = is_dataframe(X)
    if not has_dtypes and isinstance(categorical_features, str):  # "from_dtype"
        return NumericColumns(n_bins)
    is_categorical = find_categorical(X, categorical_features)
    if is_categorical is None and not has_dtypes:
        return NumericColumns(n_bins)
    return MixedColumns(is_categorical, n_bins)


class NumericColumns(Columns):
    """Columns of a numeric array or sparse matrix."""

    def numeric_features(self, X):
        """See `Columns.numeric_features`."""
        return check_array(X, dtype="numeric", ensure_all_finite=False, input_name="X")

    def read(self, X, estimator):
        """See `Columns.read`."""
        if not is_valid_array(X, estimator):
            X = validate_data(
                estimator,
                check_inputs(X),
                accept_sparse="csr",
                dtype="numeric",
                ensure_all_finite=False,
                reset=False,
            )
        return self._to_inputs(X, self._check_values(X, estimator))

    def read_training_data(
        self, X, y, estimator, *, y_numeric, reset, sample_weight=None
    ):
        """See `Columns.read_training_data`."""
        is_known = not reset and is_valid_array(X, estimator)
        if not (is_known and are_valid_targets(y, len(X))):
            X, y = validate_data(
                estimator,
                check_inputs(X),
                y,
                reset=reset,
                y_numeric=y_numeric,
                **TRAINING_CHECKS,
            )
        has_missing = self._check_values(X, estimator)
        if reset:
            self.learn_statistics(X, sample_weight)
        return self._to_inputs(X, has_missing), y

    def read_partition(self, X, y, estimator_name, *, y_numeric):
        """See `Columns.read_partition`."""
        X, y = check_X_y(
            check_inputs(X),
            y,
            estimator=estimator_name,
            y_numeric=y_numeric,
            **TRAINING_CHECKS,
        )
        return self._to_inputs(X, self._check_values(X, estimator_name)), y

    def _check_values(self, X, estimator):
        """Return whether `X` contains NaN; raise an error if `X` is not supported."""
        if issparse(X):
            self.check_sparse(X)
            if self.has_missing.any():
                check_dense(X, "X", "because the network was fitted to missing values")
        return check_missing(X, estimator)

    def _to_inputs(self, X, has_missing):
        if issparse(X):
            return sum_duplicates(X)
        return self.to_inputs(X, np.empty((len(X), 0), np.int32), has_missing)


class MixedColumns(Columns):
    """Columns of a DataFrame, or of an array with categories.

    Parameters
    ----------
    is_categorical : ndarray of bool of shape (n_features,), or None
        Mask of the categorical features. None if no feature is categorical.
    n_bins : int or None, default=None
        As in `Columns`.
    """

    def __init__(self, is_categorical, n_bins=None):
        super().__init__(n_bins)
        self.is_categorical = is_categorical

    def read(self, X, estimator):
        """See `Columns.read`."""
        X = check_columns(X, estimator, reset=False)
        return self.encode(self._check_inputs(X), estimator)

    def encode(self, X, estimator):
        """Encode data that `check_inputs` returned; see `Columns.read`."""
        numeric, codes = self._to_arrays(X)
        return self.to_inputs(numeric, codes, check_missing(numeric, estimator))

    def read_training_data(
        self, X, y, estimator, *, y_numeric, reset, sample_weight=None
    ):
        """See `Columns.read_training_data`."""
        X = self._check_inputs(check_columns(X, estimator, reset=reset))
        if reset:
            self.set_categories(find_categories(X, self.is_categorical))
        numeric, codes, y = self._read(X, y, estimator, y_numeric)
        has_missing = check_missing(numeric, estimator)
        if reset:
            self.learn_statistics(numeric, sample_weight)
        return self.to_inputs(numeric, codes, has_missing), y

    def read_partition(self, X, y, estimator_name, *, y_numeric):
        """See `Columns.read_partition`."""
        X = self._check_inputs(X)
        numeric, codes, y = self._read(X, y, estimator_name, y_numeric)
        return self.to_inputs(numeric, codes, check_missing(numeric, estimator_name)), y

    def _check_inputs(self, X):
        """Check the values of `X`; see `check_inputs`."""
        self.check_sparse(X)
        return check_inputs(X, self.is_categorical)

    def _read(self, X, y, estimator, y_numeric):
        """Return the numeric features, the codes of the categories, and targets."""
        numeric, codes = self._to_arrays(X)
        numeric, y = check_X_y(
            numeric,
            y,
            estimator=estimator,
            y_numeric=y_numeric,
            ensure_min_features=0 if self.categories else 1,
            **TRAINING_CHECKS,
        )
        return numeric, codes, y

    def _to_arrays(self, X):
        """Return the numeric features, and the codes of the categories."""
        codes = np.empty((X.shape[0], len(self.categories)), np.int32)
        if self.is_categorical is not None:
            positions = np.flatnonzero(self.is_categorical)
            for code, j, known in zip(codes.T, positions, self.categories):
                code[...] = get_codes(get_column(X, j), known, get_name(X, j))
        return self.numeric_features(X), codes

    def numeric_features(self, X):
        """See `Columns.numeric_features`."""
        if self.is_categorical is not None:
            if self.is_categorical.all():
                return np.empty((X.shape[0], 0))
            X = _safe_indexing(X, ~self.is_categorical, axis=1)
        numeric = check_array(
            X,
            accept_sparse="csr",
            dtype=np.float32 if is_float32(X) else np.float64,
            ensure_all_finite=False,
            input_name="X",
        )
        # Sparse columns of a DataFrame can have missing values and bins, too.
        if issparse(numeric) and (
            self.n_bins is not None or np.isnan(numeric.data).any()
        ):
            return numeric.toarray()
        return numeric


def check_columns(X, estimator, *, reset):
    """Check the names and the number of columns before they are encoded.

    Parameters
    ----------
    X : {array-like, DataFrame} of shape (n_samples, n_features)
        Input data.
    estimator : BaseEstimator
        Estimator that stores the names and the number of features.
    reset : bool
        Whether to store the names and the number of features. If False, they are
        compared with the stored values.

    Returns
    -------
    {ndarray, DataFrame} of shape (n_samples, n_features)
    """
    if not is_dataframe(X):
        # np.asarray would convert mixed lists to strings, including missing values.
        X = check_array(
            X if hasattr(X, "dtype") else np.asarray(X, object),
            accept_sparse="csr",
            dtype=None,
            ensure_all_finite=False,
            estimator=estimator,
            input_name="X",
        )
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    return X
