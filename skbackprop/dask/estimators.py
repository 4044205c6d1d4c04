"""Training on data that lie in partitions on the workers of a dask cluster.

It needs dask.distributed: ``pip install "skbackprop[dask]"``.
"""

import copy
from contextlib import closing
from dataclasses import replace
from functools import partial
from inspect import Parameter, signature

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.metrics import accuracy_score
from sklearn.utils._param_validation import StrOptions, validate_parameter_constraints
from sklearn.utils.validation import check_is_fitted

try:
    import dask
    import dask.array as da
    from distributed import Client, default_client, futures_of
except ImportError as error:
    raise ImportError(
        'skbackprop.dask needs dask.distributed: pip install "skbackprop[dask]".'
    ) from error

from .._data.columns import is_dataframe
from .._estimators.classifier import BackpropClassifier
from .._estimators.regressor import BackpropRegressor
from ..core.lbfgs import lbfgs
from ..core.training import mini_batches
from .partition_summary import PartitionSummary
from .shards import DistributedSamples, Shards
from .strategies import LARGE_BATCH, DistributedLoss, ParameterAveraging, SynchronousSGD

#: What passes over all samples, by how the workers learn together.
SYNC_STRATEGIES = {"step": SynchronousSGD, "epoch": ParameterAveraging}


def _constructor_like(plain):
    """Make a constructor with the parameters of another class, and two more."""
    own = [
        Parameter("sync", Parameter.KEYWORD_ONLY, default="step"),
        Parameter("client", Parameter.KEYWORD_ONLY, default=None),
    ]
    theirs = signature(plain.__init__)
    ours = theirs.replace(parameters=[*theirs.parameters.values(), *own])

    def __init__(self, *args, **kwargs):  # noqa: N807
        try:
            given = ours.bind(self, *args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{type(self).__name__}.__init__() {error}") from None
        given.apply_defaults()
        for name, value in list(given.arguments.items())[1:]:
            setattr(self, name, value)

    __init__.__signature__ = ours  # where scikit-learn looks for parameters
    return __init__


class DaskBackprop(BaseEstimator):
    """Base of both estimators, around a plain one that is trained on a cluster."""

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
        """Fit the network to data that stay where they are.

        Parameters
        ----------
        X : dask Array or DataFrame of shape (n_samples, n_features)
            The input data, in partitions of rows.
        y : dask Array, Series or DataFrame of shape (n_samples,) or \
(n_samples, n_outputs)
            The target values, in partitions of the same rows.
        sample_weight : dask Array or Series of shape (n_samples,), default=None
            Sample weights, zero or more, in partitions of the same rows.
        X_val : array-like, frame or dask collection, default=None
            Validation data, which must fit into the memory of this process: they are
            brought here. ``early_stopping=True`` needs them.
        y_val : array-like or dask collection, default=None
            Their target values.
        sample_weight_val : array-like or dask collection, default=None
            Their weights.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        TypeError
            Where X or y are not dask collections.
        ValueError
            Where parameters or data do not fit each other, where training diverges, or
            where there is no client.
        RuntimeError
            Where workers are lost at the same point again and again, or none is left.
        """
        plain = self._begin(early_stopping_on=X_val)
        validation = map(self._here, (X_val, y_val, sample_weight_val))
        parts = _partitions(X, y, sample_weight)
        # In the partitions futures can't be seen any more: dask has fused their tasks.
        stay = bool(futures_of([X, y, sample_weight]))
        with closing(Shards(self._get_client(), parts, stay)) as shards:
            samples, dtype = self._read(plain, shards)
            training = plain._plan(
                samples, dtype, tuple(validation), carry_on=hasattr(plain, "_state")
            )
            method = self._method(training, shards)
            plain._run(training, plain.max_iter, method=method)
        self._plain = plain
        return self

    def predict(self, X):
        """Predict as the plain estimator does, partition by partition.

        Parameters
        ----------
        X : dask Array or DataFrame of shape (n_samples, n_features)
            The input data.

        Returns
        -------
        dask Array of shape (n_samples,) or (n_samples, n_outputs)
            Not computed yet.
        """
        return self._lazily("predict", X)

    def score(self, X, y, sample_weight=None):
        """Score predictions as the plain estimator does.

        Parameters
        ----------
        X : dask Array or DataFrame of shape (n_samples, n_features)
            The input data.
        y : dask collection or array-like of shape (n_samples,) or \
(n_samples, n_outputs)
            The target values, which are brought here, as are predictions.
        sample_weight : dask collection or array-like of shape (n_samples,), \
default=None
            Sample weights.

        Returns
        -------
        float
        """
        return self._score_of(*map(self._here, (y, self.predict(X), sample_weight)))

    def to_local(self):
        """Return the plain estimator that was trained.

        Returns
        -------
        BackpropClassifier or BackpropRegressor
            Fitted, a copy. It predicts in this process, needs no cluster and no dask,
            and can be pickled, exported or trained further.
        """
        check_is_fitted(self)
        return copy.deepcopy(self._plain)

    def __sklearn_is_fitted__(self):
        return "_plain" in vars(self)

    def __getattr__(self, name):
        # Fitted attributes are those of the plain estimator.
        is_fitted = name.endswith("_") and not name.startswith("_")
        if is_fitted and "_plain" in vars(self):
            return getattr(self._plain, name)
        raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}.")

    def __dir__(self):
        fitted = dir(self._plain) if self.__sklearn_is_fitted__() else []
        public = [n for n in fitted if n.endswith("_") and not n.startswith("_")]
        return sorted({*super().__dir__(), *public})

    # A client is a connection: it can't be copied, nor be found again in a file.
    def __sklearn_clone__(self):
        params = self.get_params(deep=False)
        client = params.pop("client")
        copied = {name: clone(value, safe=False) for name, value in params.items()}
        made = type(self)(**copied, client=client)
        if hasattr(self, "_metadata_request"):
            made._metadata_request = copy.deepcopy(self._metadata_request)
        return made

    def __getstate__(self):
        return {**super().__getstate__(), "client": None}

    # ------------------------------------------------------------------- fitting

    def _begin(self, early_stopping_on):
        """Return a plain estimator with these parameters, ready to be trained."""
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
        else:
            plain = self._plain_class(**params)
        plain._validate_params()
        plain._check_solver_settings()
        if self.early_stopping and early_stopping_on is None:
            raise ValueError(
                "early_stopping=True needs X_val and y_val here: no rows are held out "
                "of data that lie on the workers."
            )
        if self.solver == "lbfgs" and self.sync != "step":
            raise ValueError(
                f"sync={self.sync!r} has no meaning for solver='lbfgs', which takes "
                "every step on all samples; allowed is 'step'."
            )
        return plain

    def _read(self, plain, shards):
        """Have the workers read their partitions; return the samples, and a dtype."""
        carry_on = plain._carries_on(wanted=True)
        has_labels = isinstance(plain, ClassifierMixin)
        outline = shards.total(
            "outline", PartitionSummary.of, plain.categorical_features, has_labels
        )
        if not carry_on:
            outline.settle(plain)
        dtype = plain._computing_dtype(outline, carry_on)
        targets, _ = plain._encode(outline.targets, dtype, carry_on, False, None)
        plain.n_outputs_ = targets.shape[1]
        reader = copy.copy(plain)
        vars(reader).pop("_state", None)  # as large as the network
        shards.tell("read", reader, dtype)
        return DistributedSamples(shards, targets), dtype

    def _method(self, training, shards):
        """Say how the cost is minimised, on all workers."""
        if self.solver == "lbfgs":
            return partial(lbfgs, loss_term=DistributedLoss(training, shards))
        if self.sync == "step" and isinstance(self.batch_size, str):  # "auto"
            n_rows = min(LARGE_BATCH, len(training.samples))
            training.config = replace(training.config, batch_size=n_rows)
        seed = training.state.rng.randint(np.iinfo(np.int32).max)
        return partial(
            mini_batches, epoch=SYNC_STRATEGIES[self.sync](training, shards, seed)
        )

    def _here(self, values):
        """Bring a dask collection to this process; leave anything else as it is."""
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
                "client=None, and there is no client of a cluster: make one with "
                "dask.distributed.Client(...), or pass it as client."
            ) from error

    # ---------------------------------------------------------------- predicting

    def _lazily(self, method, X):
        """Have a method of the plain estimator called on each partition."""
        check_is_fitted(self)
        blocks = _blocks(X, "X")
        like = getattr(self._plain, method)(_one_row(X))
        plain = dask.delayed(self._plain, traverse=False)
        answers = [dask.delayed(_call)(plain, method, block, like) for block in blocks]
        sizes = [np.nan] * len(blocks) if is_dataframe(X) else X.chunks[0]
        return da.concatenate(
            [
                da.from_delayed(answer, (size, *like.shape[1:]), meta=like[:0])
                for answer, size in zip(answers, sizes)
            ]
        )


class DaskBackpropClassifier(ClassifierMixin, DaskBackprop):
    """Neural-network classifier, trained where the data lie on a dask cluster.

    It takes the parameters of :class:`skbackprop.BackpropClassifier`, where they are
    described, and two more; data are dask collections, whose rows stay on the workers.

    Parameters
    ----------
    hidden_layer_sizes, activation, ..., dtype
        All parameters of :class:`skbackprop.BackpropClassifier`. Here
        ``batch_size="auto"`` means 4096 rows on all workers together for
        ``sync="step"``, and 200 on each for "epoch", or all rows where there are fewer.
    sync : {"step", "epoch"}, default="step"
        When the workers combine what they have learned. "step": each
        mini-batch is spread over all workers, whose gradients are added up; the network
        is the one that a single process would have trained on the same mini-batches.
        "epoch": each worker makes an epoch of its own over its rows, then weights are
        averaged by the number of rows, as are the optimiser's moments. That needs far
        fewer messages, but partitions must resemble each other, shuffled beforehand if
        rows are sorted.
    client : distributed.Client, default=None
        Of the cluster; None for the one made last. It is not kept in files.

    Attributes
    ----------
    coefs_, intercepts_, classes_, loss_curve_, history_, ...
        All fitted attributes of :class:`skbackprop.BackpropClassifier`.

    See Also
    --------
    BackpropClassifier : The same for data in memory.

    Notes
    -----
    Means, deviations, categories and class weights are learned from all
    partitions. With ``early_stopping=True`` validation data must be passed to `fit`.
    ``solver="lbfgs"`` takes ``sync="step"``, an evaluation of all rows a message. With
    `sync` "step" a fit depends on `random_state` and the partitions alone, up to
    rounding (with `dropout` on the workers too), with "epoch" on which worker holds
    which partition: the same for data that have yet to be computed, as long as there
    are as many workers.

    A worker may be lost in the midst of training: its partitions are computed once
    more, and the step or epoch in hand is done again. If the same one fails more often
    than dask's setting "distributed.scheduler.allowed-failures" allows, or where
    partitions can't be computed again, training ends with an error.

    References
    ----------
    .. [1] Chen, Pan, Monga, Bengio and Jozefowicz. "Revisiting distributed synchronous
       SGD." (2016), section 2, without backup workers: ``sync="step"``.
    .. [2] McMahan, Moore, Ramage, Hampson and Agüera y Arcas. "Communication-efficient
       learning of deep networks from decentralized data." AISTATS (2017), algorithm
       1, where all take part: ``sync="epoch"``.

    Examples
    --------
    >>> import dask.array as da
    >>> from distributed import Client
    >>> from sklearn.datasets import load_iris
    >>> from skbackprop.dask import DaskBackpropClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> with Client(processes=False, n_workers=2, dashboard_address=None):
    ...     X, y = da.from_array(X, chunks=(50, -1)), da.from_array(y, chunks=50)
    ...     net = DaskBackpropClassifier((10,), solver="lbfgs", random_state=0)
    ...     net = net.fit(X, y)
    ...     net.predict(X).compute()[:3].shape
    (3,)
    >>> net.to_local()  # needs no cluster
    BackpropClassifier(hidden_layer_sizes=(10,), random_state=0, solver='lbfgs')
    """

    _plain_class = BackpropClassifier
    __init__ = _constructor_like(BackpropClassifier)
    score = DaskBackprop.score  # instead of that of the mixin

    def predict_proba(self, X):
        """Predict the probability of each class.

        Parameters
        ----------
        X : dask Array or DataFrame of shape (n_samples, n_features)
            The input data.

        Returns
        -------
        dask Array of shape (n_samples, n_classes)
            As in `BackpropClassifier`, not computed yet.
        """
        return self._lazily("predict_proba", X)

    def predict_log_proba(self, X):
        """Predict the logarithm of the probability of each class.

        Parameters
        ----------
        X : dask Array or DataFrame of shape (n_samples, n_features)
            The input data.

        Returns
        -------
        dask Array of shape (n_samples, n_classes)
            As in `BackpropClassifier`, not computed yet.
        """
        return self._lazily("predict_log_proba", X)

    def decision_function(self, X):
        """Compute how much speaks for each class.

        Parameters
        ----------
        X : dask Array or DataFrame of shape (n_samples, n_features)
            The input data.

        Returns
        -------
        dask Array of shape (n_samples,), (n_samples, n_classes) or \
(n_samples, n_labels)
            As in `BackpropClassifier`, not computed yet.
        """
        return self._lazily("decision_function", X)

    def _score_of(self, y, predicted, sample_weight):
        return accuracy_score(y, predicted, sample_weight=sample_weight)


class DaskBackpropRegressor(RegressorMixin, DaskBackprop):
    """Neural-network regressor, trained where the data lie on a dask cluster.

    It takes the parameters of :class:`skbackprop.BackpropRegressor`, where they are
    described, and two more; data are dask collections, whose rows stay on the workers.

    Parameters
    ----------
    hidden_layer_sizes, activation, ..., dtype
        All parameters of :class:`skbackprop.BackpropRegressor`. Here
        ``batch_size="auto"`` means 4096 rows on all workers together for
        ``sync="step"``, and 200 on each for "epoch", or all rows where there are fewer.
    sync : {"step", "epoch"}, default="step"
        When the workers combine what they have learned; see `DaskBackpropClassifier`.
    client : distributed.Client, default=None
        Of the cluster; None for the one made last. It is not kept in files.

    Attributes
    ----------
    coefs_, intercepts_, loss_curve_, history_, ...
        All fitted attributes of :class:`skbackprop.BackpropRegressor`.

    See Also
    --------
    BackpropRegressor : The same for data in memory.

    Notes
    -----
    What is said of `DaskBackpropClassifier` holds here, too.

    Examples
    --------
    >>> import dask.array as da
    >>> from distributed import Client
    >>> from sklearn.datasets import load_diabetes
    >>> from skbackprop.dask import DaskBackpropRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> with Client(processes=False, n_workers=2, dashboard_address=None):
    ...     X, y = da.from_array(X, chunks=(150, -1)), da.from_array(y, chunks=150)
    ...     net = DaskBackpropRegressor((5,), solver="lbfgs", alpha=10.0, tol=0.01)
    ...     net = net.fit(X, y)
    ...     net.predict(X).compute()[:3].shape
    (3,)
    >>> net.to_local()  # needs no cluster
    BackpropRegressor(alpha=10.0, hidden_layer_sizes=(5,), solver='lbfgs', tol=0.01)
    """

    _plain_class = BackpropRegressor
    __init__ = _constructor_like(BackpropRegressor)
    score = DaskBackprop.score

    def _score_of(self, y, predicted, sample_weight):
        return self._plain._score_of(y, predicted, sample_weight)


# ------------------------------------------------------------------- partitions


def _partitions(X, y, weight):
    """Pair the partitions of X, y and weights."""
    if isinstance(X, da.Array):
        y = _cut_like(X, y, "y")
        weight = _cut_like(X, weight, "sample_weight")
    named = {"X": X, "y": y, "sample_weight": weight}
    blocks = {
        name: _blocks(values, name)
        for name, values in named.items()
        if values is not None or name != "sample_weight"
    }
    counts = {name: len(parts) for name, parts in blocks.items()}
    if len(set(counts.values())) > 1:
        raise ValueError(
            "X, y and sample_weight must have the same partitions, got different "
            f"numbers of them: {counts}. Repartition or rechunk them alike."
        )
    weights = blocks.get("sample_weight", [None] * counts["X"])
    return [
        dask.delayed(_part)(*part) for part in zip(blocks["X"], blocks["y"], weights)
    ]


def _part(X, y, weight):
    return X, y, weight


def _cut_like(X, values, name):
    """Cut a dask Array into the partitions of another, where both know their rows."""
    if not isinstance(values, da.Array) or values.chunks[0] == X.chunks[0]:
        return values
    n_rows, n_values = X.shape[0], values.shape[0]
    if np.isnan([n_rows, n_values]).any():  # not known yet
        return values
    if n_rows != n_values:
        raise ValueError(f"X has {n_rows} rows, and {name} has {n_values}.")
    return values.rechunk({0: X.chunks[0]})


def _blocks(values, name):
    """Return the partitions of a dask collection, all columns in each."""
    if not isinstance(values, da.Array) and not (
        dask.is_dask_collection(values) and hasattr(values, "simplify")
    ):
        kind = type(values)
        package = kind.__module__.partition(".")[0]
        raise TypeError(
            f"{name} must be a dask Array, DataFrame or Series, got "
            f"{package}.{kind.__name__}. Data in memory are for the plain estimator: "
            "fit that or, to predict, get it from this one with to_local()."
        )
    if name == "X" and values.ndim != 2:
        raise ValueError(
            f"X must have 2 dimensions, rows and columns, got {values.ndim}."
        )
    if not isinstance(values, da.Array):
        # Columns that are not needed are not read. Optimised further, files would be
        # read together where few of their columns are needed, as of y alone.
        return values.simplify().to_delayed(optimize_graph=False)
    if values.ndim == 2:
        values = values.rechunk({1: -1})
    return np.ravel(values.to_delayed()).tolist()


def _one_row(X):
    """Return a row like those of a dask collection."""
    if is_dataframe(X):
        return X._meta_nonempty[:1]
    return np.zeros((1, X.shape[1]), X.dtype)


def _call(plain, method, X, like):
    """Call a method of an estimator, which refuses to be given no rows."""
    return getattr(plain, method)(X) if len(X) else like[:0]
