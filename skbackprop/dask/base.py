"""Common base of the Dask estimators: fit, predict and score on a cluster."""

import copy
from contextlib import closing
from dataclasses import replace
from functools import partial
from inspect import Parameter, signature
from itertools import chain

import dask
import dask.array as da
import numpy as np
from distributed import Client, default_client, futures_of
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils._param_validation import StrOptions, validate_parameter_constraints
from sklearn.utils.validation import check_is_fitted

from .._data.dataframes import is_dataframe
from .._data.new_categories import merge_new_categories, warn_about_new_categories
from .._estimators.fit_kind import FitKind
from .._estimators.fitting import check_parameters, run_training
from .._estimators.parameters import store_parameters
from .._estimators.solvers import SOLVERS
from .._estimators.training_data import get_reader, read_summary
from .._estimators.training_setup import build_training, read_validation_data
from .distributed_samples import DistributedSamples
from .partitions import make_example_row, to_blocks, to_partitions
from .shards import Shards
from .strategies import AUTO_BATCH_SIZE, SYNC_STRATEGIES, DistributedLoss


def make_constructor(plain_class):
    """Make a constructor with the parameters of a class, plus `sync` and `client`.

    Parameters
    ----------
    plain_class : type
        `BackpropClassifier` or `BackpropRegressor`.

    Returns
    -------
    function
        ``__init__`` of the Dask estimator.
    """
    additional = [
        Parameter("sync", Parameter.KEYWORD_ONLY, default="step"),
        Parameter("client", Parameter.KEYWORD_ONLY, default=None),
    ]
    plain_signature = signature(plain_class.__init__)
    dask_signature = plain_signature.replace(
        parameters=[*plain_signature.parameters.values(), *additional]
    )

    def __init__(self, *args, **kwargs):  # noqa: N807
        try:
            bound = dask_signature.bind(self, *args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{type(self).__name__}.__init__() {error}") from None
        bound.apply_defaults()
        store_parameters(self, bound.arguments)

    __init__.__signature__ = dask_signature  # read by get_params
    return __init__


class DaskBackprop(BaseEstimator):
    """Base class of the Dask estimators, which train a plain estimator on a cluster."""

    #: Class of the plain estimator.
    _plain_class: type
    _parameter_constraints: dict = {"sync": [StrOptions(set(SYNC_STRATEGIES))]}

    def fit(
        self,
        X,
        y,
        sample_weight=None,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
    ):
        """Fit the network to data that stay on the workers.

        Parameters
        ----------
        X : dask Array or DataFrame of shape (n_samples, n_features)
            Input data, partitioned by rows.
        y : dask Array, Series or DataFrame of shape (n_samples,) or \
(n_samples, n_outputs)
            Target values, with the same partitions as `X`.
        sample_weight : dask Array or Series of shape (n_samples,), default=None
            Sample weights, with the same partitions as `X` and a positive sum.
        X_val : array-like, DataFrame or dask collection, default=None
            Input data of the validation set. `fit` loads the validation set into the
            memory of the client process. Required if ``early_stopping=True``.
        y_val : array-like or dask collection, default=None
            Target values of the validation set.
        sample_weight_val : array-like or dask collection, default=None
            Sample weights of the validation set.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        TypeError
            If `X`, `y` or `sample_weight` is not a Dask collection, or if `client` is
            not a distributed.Client.
        ValueError
            If a parameter or the data are invalid, if training diverges, or if there is
            no client.
        RuntimeError
            If too many workers are lost in the same step, if no worker remains, or if
            lost partitions cannot be computed again.
        """
        plain = self._begin(early_stopping_on=X_val)
        validation = map(self._to_memory, (X_val, y_val, sample_weight_val))
        partitions = to_partitions(X, y, sample_weight)
        # `futures_of` cannot find futures in the partitions because Dask fuses tasks.
        keep_placement = bool(futures_of([X, y, sample_weight]))
        client = self._get_client()
        with closing(Shards(client, partitions, keep_placement)) as shards:
            is_warm = plain.__sklearn_is_fitted__()
            kind = FitKind.WARM if is_warm else FitKind.FRESH
            reader, samples = self._read(plain, kind, shards)
            held_out = read_validation_data(plain, reader, *validation)
            training = build_training(plain, kind, reader, samples, held_out)
            minimize = self._make_minimizer(training, shards)
            run_training(plain, kind, training, minimize=minimize)
        self._plain = plain
        return self

    def predict(self, X):
        """Predict with the plain estimator, separately for each partition.

        Parameters
        ----------
        X : dask Array or DataFrame of shape (n_samples, n_features)
            Input data.

        Returns
        -------
        dask Array of shape (n_samples,) or (n_samples, n_outputs)
            Predicted class labels or target values. The array is lazy: Dask computes
            the predictions when you call ``compute``.
        """
        return self._predict_lazily("predict", X)

    def score(self, X, y, sample_weight=None):
        """Return the score of the plain estimator on the given data.

        `score` loads the predictions, `y` and `sample_weight` into the memory of the
        client process.

        Parameters
        ----------
        X : dask Array or DataFrame of shape (n_samples, n_features)
            Input data.
        y : dask collection or array-like of shape (n_samples,) or \
(n_samples, n_outputs)
            Target values.
        sample_weight : dask collection or array-like of shape (n_samples,), \
default=None
            Sample weights.

        Returns
        -------
        float
            Accuracy for classifiers. For regressors, see
            :meth:`skbackprop.BackpropRegressor.score`.
        """
        return self._score_of(
            *map(self._to_memory, (y, self.predict(X), sample_weight))
        )

    def _score_of(self, y, predicted, sample_weight):
        """Return the score of predictions in memory."""
        raise NotImplementedError

    def to_local(self):
        """Return a copy of the fitted plain estimator.

        Returns
        -------
        BackpropClassifier or BackpropRegressor
            Fitted estimator for data in memory. It requires neither a cluster nor Dask.
            You can pickle it, export it or continue its training.
        """
        check_is_fitted(self)
        return copy.deepcopy(self._plain)

    def __sklearn_is_fitted__(self):
        return "_plain" in vars(self)

    def __getattr__(self, name):
        # The plain estimator stores the fitted attributes.
        is_fitted_attribute = name.endswith("_") and not name.startswith("_")
        if is_fitted_attribute and "_plain" in vars(self):
            return getattr(self._plain, name)
        raise AttributeError(
            f"{type(self).__name__!r} object has no attribute {name!r}."
        )

    def __setattr__(self, name, value):
        # An attribute of this object would not change the network.
        if name in ("coefs_", "intercepts_"):
            check_is_fitted(self)
            setattr(self._plain, name, value)
        else:
            super().__setattr__(name, value)

    def __dir__(self):
        fitted = dir(self._plain) if self.__sklearn_is_fitted__() else []
        public = [n for n in fitted if n.endswith("_") and not n.startswith("_")]
        return sorted({*super().__dir__(), *public})

    # A client is a connection and cannot be copied or pickled. Therefore clones use
    # the same client, and pickled estimators have no client.
    def __sklearn_clone__(self):
        params = self.get_params(deep=False)
        client = params.pop("client")
        copied = {name: clone(value, safe=False) for name, value in params.items()}
        new = type(self)(**copied, client=client)
        if hasattr(self, "_metadata_request"):
            new._metadata_request = copy.deepcopy(self._metadata_request)
        return new

    def __getstate__(self):
        return {**super().__getstate__(), "client": None}

    # ------------------------------------------------------------------- fitting

    def _begin(self, early_stopping_on):
        """Validate the parameters and return the plain estimator to train."""
        validate_parameter_constraints(
            self._parameter_constraints, {"sync": self.sync}, type(self).__name__
        )
        if self.client is not None and not isinstance(self.client, Client):
            raise TypeError(
                f"client must be a distributed.Client or None, got {self.client!r}."
            )
        params = self.get_params(deep=False)
        del params["sync"], params["client"]
        if self.warm_start and self.__sklearn_is_fitted__():
            plain = self.to_local().set_params(**params)
            get_reader(plain)  # raises if a fixed parameter has changed
        else:
            plain = self._plain_class(**params)
        check_parameters(plain)
        if self.early_stopping and early_stopping_on is None:
            raise ValueError(
                f"early_stopping=True requires X_val and y_val in {type(self).__name__}"
                ".fit, because Dask estimators do not split the data. Pass a "
                "validation set or set early_stopping=False."
            )
        if not SOLVERS[self.solver].is_stochastic and self.sync != "step":
            raise ValueError(
                f"sync={self.sync!r} is not supported with solver={self.solver!r}. Set "
                "sync='step' or use another solver."
            )
        return plain

    def _read(self, plain, kind, shards):
        """Read the partitions on the workers; return the reader and the samples."""
        has_labels = isinstance(plain, ClassifierMixin)
        n_bins = None if kind.continues else plain.n_bins  # later fits keep the bins
        summary = shards.reduce(
            "summarize", plain.categorical_features, has_labels, n_bins
        )
        reader, targets = read_summary(plain, kind, summary)
        if kind.continues:
            new = chain(*shards.map("find_new_categories", reader.columns))
            warn_about_new_categories(merge_new_categories(new))
        shards.broadcast("read", reader, type(plain).__name__)
        return reader, DistributedSamples(shards, targets)

    def _make_minimizer(self, training, shards):
        """Return the function that minimizes the loss on all workers."""
        solver = SOLVERS[self.solver]
        if not solver.is_stochastic:
            loss_term = DistributedLoss(training, shards)
            return partial(solver.minimize, loss_term=loss_term)
        if self.sync == "step" and isinstance(self.batch_size, str):  # "auto"
            n_rows = min(AUTO_BATCH_SIZE, training.samples.n_samples)
            training.config = replace(training.config, batch_size=n_rows)
        seed = training.state.rng.randint(np.iinfo(np.int32).max)
        epoch = SYNC_STRATEGIES[self.sync](training, shards, seed)
        return partial(solver.minimize, epoch=epoch)

    def _to_memory(self, values):
        """Load a Dask collection into memory; return other values unchanged."""
        if not dask.is_dask_collection(values):
            return values
        return self._get_client().compute(values, sync=True)

    def _get_client(self):
        if self.client is not None:
            return self.client
        try:
            return default_client()
        except ValueError as error:
            raise ValueError(
                "No Dask client found, and client=None. Create a client with "
                "dask.distributed.Client(...), or pass one as the parameter client."
            ) from error

    # ---------------------------------------------------------------- predicting

    def _predict_lazily(self, method, X):
        """Return a lazy array with the results of a method for each partition."""
        check_is_fitted(self)
        blocks = to_blocks(X, "X")
        example = getattr(self._plain, method)(make_example_row(X))
        plain = dask.delayed(self._plain, traverse=False)
        results = [
            dask.delayed(_predict_block)(plain, method, block, example)
            for block in blocks
        ]
        sizes = [np.nan] * len(blocks) if is_dataframe(X) else X.chunks[0]
        return da.concatenate(
            [
                da.from_delayed(result, (size, *example.shape[1:]), meta=example[:0])
                for result, size in zip(results, sizes)
            ]
        )


def _predict_block(plain, method, X, example):
    """Call a prediction method, or return an empty array if the block has no rows."""
    return getattr(plain, method)(X) if len(X) else example[:0]
