"""Columns of the input data: numeric arrays, and DataFrames with categories."""

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import (
    check_array,
    check_X_y,
    validate_data,
)

from ..core.mixed import Encoding, MixedRows
from .categories import find_categories, get_codes, get_name
from .checks import sum_duplicates
from .dataframes import (
    find_categorical,
    get_column,
    is_dataframe,
    is_float32,
    sort_numbers,
)
from .inputs import check_inputs
from .missing_values import check_missing, compute_statistics
from .valid_arrays import are_valid_targets, is_valid_array
from .weights import check_weight

#: Arguments of `check_X_y` and `validate_data` for training data. `check_missing`
#: raises an error for infinity.
TRAINING_CHECKS = {
    "accept_sparse": "csr",
    "dtype": "numeric",
    "order": "C",
    "multi_output": True,
    "ensure_all_finite": False,
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


class Columns:
    """Base class of the readers of columns.

    The inputs of the network are the numeric features, the missing-value indicators and
    the one-hot encoded categories. They are encoded one batch at a time: see
    `skbackprop.core.mixed`. Missing and unknown categories are encoded as all zeros.

    Attributes
    ----------
    is_categorical : ndarray of bool of shape (n_features,), or None
        Mask of the categorical features. None if no feature is categorical.
    imputation_values : ndarray of shape (n_numeric,)
        Weighted mean of each numeric feature over its known values in the first fit; 0
        if all values are missing. Only used without standardization: the replacement of
        standardized features is 0, their mean.
    has_missing : ndarray of bool of shape (n_numeric,)
        Whether each numeric feature has missing values in the first fit.
    categories : list of ndarray
        Categories of each categorical feature.
    """

    is_categorical = None
    categories = ()

    def set_statistics(self, imputation_values, has_missing):
        """Set the statistics of the numeric features."""
        self.imputation_values, self.has_missing = imputation_values, has_missing

    def learn_statistics(self, numeric, sample_weight):
        """Learn the statistics of the numeric features from training data."""
        if sample_weight is not None:
            sample_weight = check_weight(sample_weight, numeric)
        self.set_statistics(*compute_statistics(numeric, sample_weight))

    def set_categories(self, categories):
        """Set the categories of each categorical feature, a list of ndarray."""
        self.categories = [sort_numbers(known) for known in categories]

    @property
    def adds_inputs(self):
        """Whether the network has more inputs than there are numeric features."""
        return bool(self.categories) or bool(self.has_missing.any())

    @property
    def encoding(self):
        """Encoded columns, as the core uses them."""
        # A feature without categories has one column, which is always zero.
        n_levels = tuple([max(1, len(known)) for known in self.categories])
        indicators = np.flatnonzero(self.has_missing)
        return Encoding(self.imputation_values, indicators, n_levels)

    def numeric_features(self, X):
        """Return the numeric features of input data, with missing values as NaN.

        Parameters
        ----------
        X : {array-like, DataFrame} of shape (n_samples, n_features)
            Input data with valid columns.

        Returns
        -------
        {ndarray, sparse matrix} of shape (n_samples, n_numeric)
        """
        raise NotImplementedError

    def to_inputs(self, numeric, codes, has_missing):
        """Return the inputs of the network.

        Parameters
        ----------
        numeric : {ndarray, sparse matrix} of shape (n_samples, n_numeric)
            Numeric features.
        codes : ndarray of int32 of shape (n_samples, n_categorical)
            Categories; -1 if missing or unknown.
        has_missing : bool
            Whether `numeric` contains NaN.

        Returns
        -------
        {ndarray, sparse matrix, MixedRows} of shape (n_samples, n_inputs)
            `numeric` itself if there is nothing to encode.
        """
        if not (has_missing or self.adds_inputs):
            return numeric
        # The columns of a DataFrame can be sparse.
        numeric = numeric.toarray() if issparse(numeric) else numeric
        return MixedRows(numeric, codes, self.encoding)

    def to_feature_gradients(self, inputs, gradients):
        """Map gradients of the numeric features to all features.

        Parameters
        ----------
        inputs : {ndarray, sparse matrix, MixedRows} of shape (n_samples, n_inputs)
            Inputs of the network.
        gradients : ndarray of shape (n_samples, n_numeric, n_outputs)
            Gradients of the numeric features; may be overwritten.

        Returns
        -------
        ndarray of shape (n_samples, n_features, n_outputs)
            NaN for categorical features and missing values.
        """
        if not isinstance(inputs, MixedRows):
            return gradients
        gradients[np.isnan(inputs.numeric)] = np.nan
        if self.is_categorical is None:
            return gradients
        n_samples, _, n_outputs = gradients.shape
        shape = n_samples, self.is_categorical.size, n_outputs
        by_feature = np.full(shape, np.nan, gradients.dtype)
        by_feature[:, ~self.is_categorical] = gradients
        return by_feature

    def read(self, X, estimator):
        """Validate input data for prediction.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Input data.
        estimator : BaseEstimator
            Fitted estimator. `X` must have the same feature names and number of
            features.

        Returns
        -------
        {ndarray, sparse matrix, MixedRows} of shape (n_samples, n_inputs)
        """
        raise NotImplementedError

    def read_training_data(
        self, X, y, estimator, *, y_numeric, reset, sample_weight=None
    ):
        """Validate training data.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Input data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target values.
        estimator : BaseEstimator
            Estimator in training.
        y_numeric : bool
            Whether `y` must be numeric.
        reset : bool
            Whether to learn the columns, and to store the feature names and the number
            of features in the estimator. If False, they are compared with the stored
            values.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, from which the imputation values are learned.

        Returns
        -------
        inputs : {ndarray, sparse matrix, MixedRows} of shape (n_samples, n_inputs)
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        """
        raise NotImplementedError

    def read_partition(self, X, y, estimator_name, *, y_numeric):
        """Validate one partition of a distributed dataset; see `read_training_data`.

        Parameters
        ----------
        X, y, y_numeric
            As in `read_training_data`.
        estimator_name : str
            Name of the estimator in error messages.
        """
        raise NotImplementedError


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
        return self._to_inputs(X, check_missing(X, estimator))

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
        has_missing = check_missing(X, estimator)
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
        return self._to_inputs(X, check_missing(X, estimator_name)), y

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
    """

    def __init__(self, is_categorical):
        self.is_categorical = is_categorical

    def read(self, X, estimator):
        """See `Columns.read`."""
        X = check_columns(X, estimator, reset=False)
        return self.encode(check_inputs(X, self.is_categorical), estimator)

    def encode(self, X, estimator):
        """Encode data that `check_inputs` returned; see `Columns.read`."""
        numeric, codes = self._to_arrays(X)
        return self.to_inputs(numeric, codes, check_missing(numeric, estimator))

    def read_training_data(
        self, X, y, estimator, *, y_numeric, reset, sample_weight=None
    ):
        """See `Columns.read_training_data`."""
        X = check_columns(X, estimator, reset=reset)
        X = check_inputs(X, self.is_categorical)
        if reset:
            self.set_categories(find_categories(X, self.is_categorical))
        numeric, codes, y = self._read(X, y, estimator, y_numeric)
        has_missing = check_missing(numeric, estimator)
        if reset:
            self.learn_statistics(numeric, sample_weight)
        return self.to_inputs(numeric, codes, has_missing), y

    def read_partition(self, X, y, estimator_name, *, y_numeric):
        """See `Columns.read_partition`."""
        X = check_inputs(X, self.is_categorical)
        numeric, codes, y = self._read(X, y, estimator_name, y_numeric)
        return self.to_inputs(numeric, codes, check_missing(numeric, estimator_name)), y

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
        # Sparse columns of a DataFrame can have missing values, too.
        is_missing = issparse(numeric) and np.isnan(numeric.data).any()
        return numeric.toarray() if is_missing else numeric


class EncodedColumns(Columns):
    """Columns of inputs that another reader has encoded, such as validation samples."""

    def read(self, X, estimator):
        """Return the inputs unchanged."""
        return X


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
