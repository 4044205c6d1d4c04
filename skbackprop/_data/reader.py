"""Conversion of user data to network inputs and training samples."""

import warnings
from dataclasses import dataclass, field, replace
from typing import Any

import joblib
import numpy as np

from ..core.mixed import MixedRows
from .base_columns import EncodedColumns
from .checks import check_range
from .labels import to_target_array
from .samples import TrainingSamples
from .scaling import FittedScalers
from .targets import DECLARE_CLASSES
from .weights import check_partition_weight, check_weight


@dataclass(frozen=True)
class Reader:
    """Conversion of user data to network inputs and targets, learned in the first fit.

    Parameters
    ----------
    columns : NumericColumns or MixedColumns
        Reader of the columns of `X`.
    targets : ClassTargets or NumericTargets
        Encoder of `y`, which also converts network outputs to predictions.
    dtype : dtype
        Dtype of the network.
    scalers : FittedScalers
        Scalers of inputs and targets, updated by each fit that continues training.
    class_counts : ndarray of shape (n_outputs, n_classes) or None
        Total weight of the samples of each class in the last `fit` and the partial fits
        since; None for regression.
    """

    columns: Any
    targets: Any
    dtype: np.dtype
    scalers: FittedScalers = field(default_factory=FittedScalers)
    class_counts: np.ndarray | None = None

    def read_inputs(self, X, estimator):
        """Convert input data to network inputs.

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
        X = self.columns.read(X, estimator)
        check_input_range(X, self.dtype)
        return X

    def read(
        self, X, y, sample_weight, estimator, *, complete=False, remedy=DECLARE_CLASSES
    ):
        """Convert data to samples.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Input data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target values.
        sample_weight : array-like of shape (n_samples,) or None
            Sample weights.
        estimator : BaseEstimator
            As in `read_inputs`.
        complete : bool, default=False
            Whether all classes must occur in `y`.
        remedy : str
            Last sentence of the error for unknown classes.

        Returns
        -------
        TrainingSamples
        """
        y = to_target_array(y, are_numeric=self.targets.are_numeric)
        X, y = self.columns.read_training_data(
            X, y, estimator, y_numeric=self.targets.are_numeric, reset=False
        )
        check_input_range(X, self.dtype)
        y = self.targets.check(y)
        self.targets.check_known(y, complete=complete, remedy=remedy)
        return self.to_samples(X, y, sample_weight)

    def read_partition(self, X, y, sample_weight, estimator_name):
        """Convert one partition of a distributed dataset to samples.

        Parameters
        ----------
        X, y, sample_weight
            As in `read`. The sum of the sample weights of a partition need not be
            positive.
        estimator_name : str
            Name of the estimator in error messages.

        Returns
        -------
        TrainingSamples
        """
        y = to_target_array(y, are_numeric=self.targets.are_numeric)
        X, y = self.columns.read_partition(
            X, y, estimator_name, y_numeric=self.targets.are_numeric
        )
        check_input_range(X, self.dtype)
        y = self.targets.check(y)
        self.targets.check_known(y)
        samples = self.to_samples(X, y, None)
        if sample_weight is None:
            return samples
        return samples.with_weight(check_partition_weight(sample_weight))

    def to_samples(self, X, y, sample_weight):
        """Convert validated arrays to samples.

        Parameters
        ----------
        X : {ndarray, sparse matrix, MixedRows} of shape (n_samples, n_inputs)
            Network inputs.
        y : ndarray
            Target values that ``targets.check`` returned.
        sample_weight : array-like of shape (n_samples,) or None
            Sample weights.

        Returns
        -------
        TrainingSamples
        """
        targets, codes = self.targets.encode(y, self.dtype)
        if sample_weight is not None:
            sample_weight = check_weight(sample_weight, X)
        return TrainingSamples(X, targets, codes, sample_weight)

    def digest(self, X, y, sample_weight, estimator):
        """Return a hash that identifies the training data.

        Parameters
        ----------
        X, y, sample_weight, estimator
            As in `read`.

        Returns
        -------
        str
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the fit warns about the same data
            samples = self.read(X, y, sample_weight, estimator)
        arrays = [samples.X]
        if samples.is_sparse:
            # Equal sparse matrices and arrays may have int32 or int64 indices.
            indices = (samples.X.indices, samples.X.indptr)
            arrays = [samples.X.data, *(i.astype(np.int64) for i in indices)]
        return joblib.hash([arrays, samples.targets, samples.codes, samples.weight])

    # The name of a dtype, unlike the dtype itself, can be stored in a skops file.
    def __getstate__(self):
        return {**vars(self), "dtype": self.dtype.name}

    def __setstate__(self, state):
        vars(self).update({**state, "dtype": np.dtype(state["dtype"])})

    def without_encoding(self):
        """Return a reader for inputs that are already encoded."""
        return replace(self, columns=EncodedColumns())


def check_input_range(X, dtype):
    """Raise ValueError if network inputs exceed the range of a dtype."""
    check_range(X.numeric if isinstance(X, MixedRows) else X, dtype, "X")
