"""Columns of the input data: numeric arrays, and DataFrames with categories."""

import numpy as np
from scipy.sparse import issparse
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import (
    _get_feature_names,
    check_array,
    check_X_y,
    validate_data,
)

from .checks import sum_duplicates
from .dataframes import (
    encode_or_raise,
    find_categorical,
    get_categories,
    get_column,
    is_dataframe,
    is_float32,
    to_encoder_categories,
)
from .inputs import check_inputs

#: Arguments of `check_X_y` and `validate_data` for training data.
TRAINING_CHECKS = {
    "accept_sparse": "csr",
    "dtype": "numeric",
    "order": "C",
    "multi_output": True,
}


def make_columns(X, categorical_features):
    """Create the object that reads the columns of the input data.

    Parameters
    ----------
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Input data of the first fit.
    categorical_features : "from_dtype", None or array-like of bool, int or str
        Parameter of the estimators.

    Returns
    -------
    NumericColumns or MixedColumns
    """
    has_dtypes = is_dataframe(X)
    if not has_dtypes and isinstance(categorical_features, str):  # "from_dtype"
        return NumericColumns()
    is_categorical = find_categorical(X, categorical_features)
    if is_categorical is None and not has_dtypes:
        return NumericColumns()
    return MixedColumns(is_categorical)


class NumericColumns:
    """Columns of a numeric array or sparse matrix, which need no encoding."""

    needs_encoding = False
    is_categorical = None

    def is_numeric_input(self, n_inputs):
        """Return a mask of the inputs that are numeric features: all inputs."""
        return np.ones(n_inputs, bool)

    def to_feature_gradients(self, X, gradients):
        """Return gradients of the network inputs, which are the features."""
        return gradients

    def read(self, X, estimator):
        """Validate input data for prediction.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Input data.
        estimator : BaseEstimator
            Fitted estimator. `X` must have the same feature names and number of
            features.

        Returns
        -------
        {ndarray, sparse matrix} of shape (n_samples, n_features)
        """
        X = check_inputs(X)
        X = validate_data(
            estimator, X, accept_sparse="csr", dtype="numeric", reset=False
        )
        return sum_duplicates(X) if issparse(X) else X

    def read_training_data(self, X, y, estimator, *, y_numeric, reset):
        """Validate training data.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Input data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target values.
        estimator : BaseEstimator
            Estimator in training.
        y_numeric : bool
            Whether `y` must be numeric.
        reset : bool
            Whether to store the feature names and the number of features in the
            estimator. If False, they are compared with the stored values.

        Returns
        -------
        X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        """
        X, y = validate_data(
            estimator,
            check_inputs(X),
            y,
            reset=reset,
            y_numeric=y_numeric,
            **TRAINING_CHECKS,
        )
        return sum_duplicates(X) if issparse(X) else X, y

    def encode(self, X):
        """Return one partition of the training data unchanged."""
        return X


class MixedColumns:
    """Columns of a DataFrame or array with categories or missing values.

    The encoded columns are the numeric features with missing values imputed by the
    mean, then the missing-value indicators, then the one-hot encoded categories.
    Missing and unknown categories are encoded as all zeros.

    Parameters
    ----------
    is_categorical : ndarray of bool of shape (n_features,), or None
        Mask of the categorical features. None if no feature is categorical.

    Attributes
    ----------
    is_numeric : ndarray of bool of shape (n_features,)
        Mask of the numeric features.
    n_numeric : int
        Number of numeric features.
    imputer : SimpleImputer
        Imputer of the numeric features; fitted if there are numeric features.
    one_hot : OneHotEncoder
        Encoder of the categories; fitted if there are categorical features.
    """

    needs_encoding = True

    def __init__(self, is_categorical):
        self.is_categorical = is_categorical

    def is_numeric_input(self, n_inputs):
        """Return a mask of the inputs that are numeric features, not indicators."""
        return np.arange(n_inputs) < self.n_numeric

    def read(self, X, estimator):
        """Validate and encode input data; see `NumericColumns.read`."""
        X = check_columns(X, estimator, reset=False)
        return self.encode(check_inputs(X, self.is_categorical))

    def read_training_data(self, X, y, estimator, *, y_numeric, reset):
        """Validate and encode data; see `NumericColumns.read_training_data`."""
        X = check_columns(X, estimator, reset=reset)
        X = check_inputs(X, self.is_categorical)
        return check_X_y(
            self.fit_encode(X) if reset else self.encode(X),
            y,
            estimator=estimator,
            y_numeric=y_numeric,
            **TRAINING_CHECKS,
        )

    def fit_encode(self, X):
        """Learn the means and categories of the data, and encode the data.

        Parameters
        ----------
        X : {array-like, DataFrame} of shape (n_samples, n_features)
            Input data.

        Returns
        -------
        ndarray of shape (n_samples, n_encoded)
        """
        categories, dtype = [], np.float64
        if self.is_categorical is not None:
            categories = [
                to_encoder_categories(get_categories(get_column(X, j)))
                for j in np.flatnonzero(self.is_categorical)
            ]
            dtype = np.float32 if is_float32(X, ~self.is_categorical) else np.float64
        self._make_encoders(X.shape[1], categories, dtype)
        self.names = _get_feature_names(X)
        return encode_or_raise(self._fit_transform, X)

    def encode(self, X):
        """Encode data with the fitted encoders; see `fit_encode`."""
        import pandas as pd

        if not is_dataframe(X) and self.names is not None:
            # Otherwise each encoder would warn about the missing names.
            X = pd.DataFrame(X, columns=self.names)
        return encode_or_raise(self._transform, X)

    def set_statistics(
        self, means, has_missing, categories=(), dtype="float64", names=None
    ):
        """Fit the encoders to statistics of the data instead of the data.

        Files store only these statistics, which are independent of the version of
        scikit-learn. The statistics of data in partitions can be merged.

        Parameters
        ----------
        means : ndarray of shape (n_numeric,)
            Mean of each numeric feature over its known values; 0 if all are missing.
        has_missing : ndarray of bool of shape (n_numeric,)
            Whether each numeric feature has missing values.
        categories : sequence of ndarray, default=()
            Categories of each categorical feature, in the order and dtype of the
            encoder: sorted for numbers, object for strings with missing values.
        dtype : {"float64", "float32"}, default="float64"
            Dtype of the one-hot encoded columns.
        names : ndarray of str of shape (n_features,), default=None
            Feature names; None if the features have no names.

        Returns
        -------
        self : MixedColumns
        """
        import pandas as pd

        n_features = len(means) + len(categories)
        self._make_encoders(n_features, categories, np.dtype(dtype).type)
        numbers = iter(np.where(has_missing, np.nan, 0.0))
        next_categories = iter(categories)
        # Two rows: one with known values, one with values that may be missing.
        columns = [
            np.array([0.0, next(numbers)]) if numeric else next(next_categories)[[0, 0]]
            for numeric in self.is_numeric
        ]
        if any(known.dtype.kind == "S" for known in categories):
            sketch = np.column_stack(columns)  # pandas does not support bytes
        else:
            series = [pd.Series(column, dtype=column.dtype) for column in columns]
            sketch = pd.concat(series, axis=1, keys=range(n_features))
        self.names = names
        self._fit_transform(sketch if names is None else sketch.set_axis(names, axis=1))
        if self.n_numeric:
            self.imputer.statistics_ = np.asarray(means, float)
        return self

    @property
    def imputation_values(self):
        """Replacement for the missing values of each numeric feature."""
        return self.imputer.statistics_ if self.n_numeric else np.zeros(0)

    @property
    def indicator_features(self):
        """Positions of the features with an indicator, among the numeric features."""
        return self.imputer.indicator_.features_ if self.n_numeric else np.zeros(0, int)

    def _make_encoders(self, n_features, categories, dtype):
        """Create the unfitted encoders."""
        all_features = np.ones(n_features, bool)
        categorical = self.is_categorical
        self.is_numeric = all_features if categorical is None else ~categorical
        self.n_numeric = int(self.is_numeric.sum())
        self.imputer = SimpleImputer(add_indicator=True, keep_empty_features=True)
        self.one_hot = OneHotEncoder(
            categories=categories,
            handle_unknown="ignore",
            sparse_output=False,
            dtype=dtype,
        )
        for encoder in (self.imputer, self.one_hot):
            encoder.set_output(transform="default")

    @property
    def categories(self):
        """Categories of each categorical feature."""
        return [] if self.is_categorical is None else self.one_hot.categories_

    # A ColumnTransformer would start joblib in each call, even for a single row.
    def _fit_transform(self, X):
        return self._hstack(
            X, [encoder.fit_transform(part) for encoder, part in self._split(X)]
        )

    def _transform(self, X):
        return self._hstack(
            X, [encoder.transform(part) for encoder, part in self._split(X)]
        )

    def _hstack(self, X, parts):
        encoded = _hstack(parts)
        # scikit-learn converts the nullable and the polars Float32 to float64.
        dtype = np.float32 if is_float32(X, self.is_numeric) else encoded.dtype
        return encoded.astype(dtype, copy=False)

    def _split(self, X):
        """Pair each encoder with its columns, except encoders without columns."""
        if self.is_categorical is None:
            return [(self.imputer, X)]
        pairs = [(self.one_hot, _safe_indexing(X, self.is_categorical, axis=1))]
        if self.n_numeric:
            pairs.insert(0, (self.imputer, _safe_indexing(X, self.is_numeric, axis=1)))
        return pairs

    # Pickled objects of scikit-learn may not load in another version of scikit-learn.
    def __getstate__(self):
        state = {
            "is_categorical": self.is_categorical,
            "means": np.zeros(self.n_numeric),
            "has_missing": np.zeros(self.n_numeric, bool),
            "categories": [],
            "dtype": "float64",
            "names": self.names,
        }
        if self.n_numeric:  # otherwise the imputer is not fitted
            # scikit-learn 1.9 rounds the means to the dtype of the data.
            dtype = getattr(self.imputer, "_fill_dtype", float)
            state["means"] = self.imputer.statistics_.astype(dtype).astype(float)
            state["has_missing"][self.indicator_features] = True
        if self.is_categorical is not None:
            state["categories"] = self.one_hot.categories_
            state["dtype"] = np.dtype(self.one_hot.dtype).name
        return state

    def __setstate__(self, state):
        self.is_categorical = state["is_categorical"]
        names = ("means", "has_missing", "categories", "dtype", "names")
        self.set_statistics(*(state[name] for name in names))

    def to_feature_gradients(self, X, gradients):
        """Map gradients of the encoded columns to the features.

        Parameters
        ----------
        X : {array-like, DataFrame} of shape (n_samples, n_features)
            Input data.
        gradients : ndarray of shape (n_samples, n_encoded, n_outputs)
            Gradients of the encoded columns.

        Returns
        -------
        ndarray of shape (n_samples, n_features, n_outputs)
            NaN for categorical features and missing values.
        """
        import pandas as pd

        n_samples, _, n_outputs = gradients.shape
        by_feature = np.full(
            (n_samples, self.is_numeric.size, n_outputs), np.nan, gradients.dtype
        )
        by_feature[:, self.is_numeric] = gradients[:, : self.n_numeric]
        by_feature[pd.isna(np.asarray(X))] = np.nan
        return by_feature


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


def _hstack(parts):
    if len(parts) == 1:
        return parts[0]
    return np.hstack([p.toarray() if issparse(p) else p for p in parts])
