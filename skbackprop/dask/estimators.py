"""DaskBackpropClassifier and DaskBackpropRegressor."""

from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import accuracy_score

from .._data.labels import to_target_array
from .._estimators.classifier import BackpropClassifier
from .._estimators.regressor import BackpropRegressor, score_predictions
from .base import DaskBackprop, make_constructor


class DaskBackpropClassifier(ClassifierMixin, DaskBackprop):
    """Neural-network classifier for partitioned data on a Dask cluster.

    The classifier has all parameters of :class:`skbackprop.BackpropClassifier`, and the
    parameters `sync` and `client`. The data are Dask collections whose rows stay on the
    workers.

    Parameters
    ----------
    hidden_layer_sizes, activation, ..., dtype
        All parameters of :class:`skbackprop.BackpropClassifier`. In this
        class, ``batch_size="auto"`` has a different meaning:

        - ``sync="step"``: 4096 rows in total on all workers.
        - ``sync="epoch"``: 200 rows on each worker.

        If there are fewer rows, all rows form one mini-batch.
    sync : {"step", "epoch"}, default="step"
        Strategy to train one network on all workers.

        - ``"step"``: each mini-batch is distributed over all workers, and the gradients
          of the workers are added. The result is the network that a single process
          trains on the same mini-batches [1]_.
        - ``"epoch"``: each worker trains one epoch on its own rows. The weights and the
          optimizer moments are then averaged, weighted by the number of rows [2]_.

        Use ``"epoch"`` to send far fewer messages. The partitions must then be similar:
        shuffle sorted rows first. Only ``"step"`` supports ``solver="lbfgs"``.
    client : distributed.Client, default=None
        Client of the cluster. If None, `fit` uses the most recently created client.
        Pickled estimators do not store the client.

    Attributes
    ----------
    coefs_, intercepts_, classes_, loss_curve_, history_, ...
        All fitted attributes of :class:`skbackprop.BackpropClassifier`.

    See Also
    --------
    skbackprop.BackpropClassifier : Classifier for data in memory.
    DaskBackpropRegressor : Regressor for partitioned data.

    Notes
    -----
    Means, standard deviations, categories and class weights are computed from all
    partitions. With `n_bins`, each worker sends a random sample of at most 200,000 rows
    to the client, and the edges of the bins are computed from 200,000 rows in total.
    ``early_stopping=True`` requires validation data in `fit`. ``solver="lbfgs"`` sends
    one message to each worker per evaluation of all rows.

    With ``sync="step"``, the result depends only on `random_state` and on the
    partitions, up to rounding. With `dropout`, it also depends on the assignment of
    partitions to workers. With ``sync="epoch"``, it always depends on this assignment.
    For data that are not computed before `fit`, the assignment depends only on the
    number of workers.

    If a worker is lost during training, its partitions are computed again and the
    current step or epoch is repeated. Training stops with an error if the same step or
    epoch fails more often than the Dask setting
    "distributed.scheduler.allowed-failures" allows, or if partitions cannot be computed
    again.

    References
    ----------
    .. [1] Chen, Pan, Monga, Bengio and Jozefowicz. "Revisiting distributed synchronous
       SGD." (2016), section 2, without backup workers.
    .. [2] McMahan, Moore, Ramage, Hampson and Agüera y Arcas. "Communication-efficient
       learning of deep networks from decentralized data." AISTATS (2017), algorithm
       1, with all clients selected in each round.

    Examples
    --------
    >>> import dask.array as da
    >>> from distributed import Client
    >>> from sklearn.datasets import load_iris
    >>> from skbackprop.dask import DaskBackpropClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> with Client(processes=False, n_workers=2, dashboard_address=":0"):
    ...     X, y = da.from_array(X, chunks=(50, -1)), da.from_array(y, chunks=50)
    ...     net = DaskBackpropClassifier((10,), solver="lbfgs", random_state=0)
    ...     net = net.fit(X, y)
    ...     net.predict(X).compute()[:3].shape
    (3,)
    >>> net.to_local()  # for data in memory, without a cluster
    BackpropClassifier(hidden_layer_sizes=(10,), random_state=0, solver='lbfgs')
    """

    _plain_class = BackpropClassifier
    __init__ = make_constructor(BackpropClassifier)
    score = DaskBackprop.score  # takes precedence over ClassifierMixin.score

    def predict_proba(self, X):
        """Predict the probability of each class, separately for each partition.

        Parameters
        ----------
        X : dask Array or DataFrame of shape (n_samples, n_features)
            Input data.

        Returns
        -------
        dask Array of shape (n_samples, n_classes)
            Probability of each class, as in :class:`skbackprop.BackpropClassifier`. The
            array is lazy.
        """
        return self._predict_lazily("predict_proba", X)

    def predict_log_proba(self, X):
        """Predict the logarithm of the probability of each class.

        Parameters
        ----------
        X : dask Array or DataFrame of shape (n_samples, n_features)
            Input data.

        Returns
        -------
        dask Array of shape (n_samples, n_classes)
            Logarithm of the probability of each class, as in
            :class:`skbackprop.BackpropClassifier`. The array is lazy.
        """
        return self._predict_lazily("predict_log_proba", X)

    def decision_function(self, X):
        """Compute the decision function for each class.

        Parameters
        ----------
        X : dask Array or DataFrame of shape (n_samples, n_features)
            Input data.

        Returns
        -------
        dask Array of shape (n_samples,), (n_samples, n_classes) or \
(n_samples, n_labels)
            Decision function, as in :class:`skbackprop.BackpropClassifier`. The array
            is lazy.
        """
        return self._predict_lazily("decision_function", X)

    def _score_of(self, y, predicted, sample_weight):
        y = to_target_array(y, are_numeric=False)
        return accuracy_score(y, predicted, sample_weight=sample_weight)


class DaskBackpropRegressor(RegressorMixin, DaskBackprop):
    """Neural-network regressor for partitioned data on a Dask cluster.

    The regressor has all parameters of :class:`skbackprop.BackpropRegressor`, and the
    parameters `sync` and `client`. The data are Dask collections whose rows stay on the
    workers.

    Parameters
    ----------
    hidden_layer_sizes, activation, ..., dtype
        All parameters of :class:`skbackprop.BackpropRegressor`. In this
        class, ``batch_size="auto"`` has a different meaning:

        - ``sync="step"``: 4096 rows in total on all workers.
        - ``sync="epoch"``: 200 rows on each worker.

        If there are fewer rows, all rows form one mini-batch.
    sync : {"step", "epoch"}, default="step"
        Strategy to train one network on all workers; see `DaskBackpropClassifier`.
    client : distributed.Client, default=None
        Client of the cluster. If None, `fit` uses the most recently created client.
        Pickled estimators do not store the client.

    Attributes
    ----------
    coefs_, intercepts_, loss_curve_, history_, ...
        All fitted attributes of :class:`skbackprop.BackpropRegressor`.

    See Also
    --------
    skbackprop.BackpropRegressor : Regressor for data in memory.
    DaskBackpropClassifier : Classifier for partitioned data.

    Notes
    -----
    See the notes of `DaskBackpropClassifier`.

    Examples
    --------
    >>> import dask.array as da
    >>> from distributed import Client
    >>> from sklearn.datasets import load_diabetes
    >>> from skbackprop.dask import DaskBackpropRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> with Client(processes=False, n_workers=2, dashboard_address=":0"):
    ...     X, y = da.from_array(X, chunks=(150, -1)), da.from_array(y, chunks=150)
    ...     net = DaskBackpropRegressor((5,), solver="lbfgs", alpha=10.0, tol=0.01)
    ...     net = net.fit(X, y)
    ...     net.predict(X).compute()[:3].shape
    (3,)
    >>> net.to_local()  # for data in memory, without a cluster
    BackpropRegressor(alpha=10.0, hidden_layer_sizes=(5,), solver='lbfgs', tol=0.01)
    """

    _plain_class = BackpropRegressor
    __init__ = make_constructor(BackpropRegressor)
    score = DaskBackprop.score  # takes precedence over RegressorMixin.score

    def _score_of(self, y, predicted, sample_weight):
        return score_predictions(self._plain, y, predicted, sample_weight)
