"""Base class of the readers of columns: encoded columns and their statistics."""

import numpy as np
from scipy.sparse import issparse

from ..core.mixed import Encoding, MixedRows
from ..core.piecewise import NO_BINS, Bins
from .bin_edges import draw_rows, find_edges
from .dataframes import sort_numbers
from .missing_values import compute_statistics
from .weights import check_weight


class Columns:
    """Base class of the readers of columns.

    The inputs of the network are the numeric features, their piecewise-linear
    components, the missing-value indicators and the one-hot encoded categories. They
    are encoded one batch at a time: see `skbackprop.core.mixed`. Missing and unknown
    categories are encoded as all zeros.

    Parameters
    ----------
    n_bins : int or None, default=None
        Number of bins of each numeric feature; None for no bins.

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
    bins : Bins
        Bins of the numeric features, in the first fit.
    """

    is_categorical = None
    has_missing = np.zeros(0, bool)
    categories = ()
    bins = NO_BINS

    def __init__(self, n_bins=None):
        self.n_bins = n_bins

    def set_statistics(self, imputation_values, has_missing):
        """Set the statistics of the numeric features."""
        self.imputation_values, self.has_missing = imputation_values, has_missing

    def set_bin_edges(self, edges):
        """Set the bin edges of each numeric feature, a list of ndarray."""
        self.bins = Bins.from_edges(edges)

    def learn_statistics(self, numeric, sample_weight):
        """Learn the statistics of the numeric features from training data."""
        if sample_weight is not None:
            sample_weight = check_weight(sample_weight, numeric)
        self.set_statistics(*compute_statistics(numeric, sample_weight))
        if self.n_bins is not None:
            rows, _ = draw_rows(len(numeric), sample_weight, seed=0)
            edges = find_edges(numeric, sample_weight, rows, self.n_bins)
            self.set_bin_edges(edges)

    def set_categories(self, categories):
        """Set the categories of each categorical feature, a list of ndarray."""
        self.categories = [sort_numbers(known) for known in categories]

    @property
    def adds_inputs(self):
        """Whether the network has more inputs than there are numeric features."""
        has_bins = len(self.bins) > 0
        return bool(self.categories) or bool(self.has_missing.any()) or has_bins

    @property
    def encoding(self):
        """Encoded columns, as the core uses them."""
        # A feature without categories has one column, which is always zero.
        n_levels = tuple([max(1, len(known)) for known in self.categories])
        indicators = np.flatnonzero(self.has_missing)
        return Encoding(self.imputation_values, indicators, n_levels, self.bins)

    def check_sparse(self, X):
        """Raise ValueError if `X` is sparse, but the network has bins.

        Parameters
        ----------
        X : {ndarray, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Input data.
        """
        if issparse(X) and self.n_bins is not None:
            raise ValueError(
                f"n_bins={self.n_bins} is not supported with sparse X. Set "
                "n_bins=None, or pass X.toarray()."
            )

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


class EncodedColumns(Columns):
    """Columns of inputs that another reader has encoded, such as validation samples."""

    def read(self, X, estimator):
        """Return the inputs unchanged."""
        return X
