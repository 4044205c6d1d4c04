"""Fitted attributes, and methods that inspect a fitted network."""

import math
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._data.reader import Reader
from ..core.inspection import hidden_activations, input_jacobian, network_inputs
from ..core.layout import BLOCK_ROWS
from ..core.state import EpochRecord, TrainingState
from .architecture import Architecture
from .initial_parameters import set_layers
from .threads import blas_threads


class FittedParts(NamedTuple):
    """Results of a fit, for other packages of this library.

    Parameters
    ----------
    reader : Reader
        Reader of the data.
    architecture : Architecture
        Architecture of the network.
    state : TrainingState
        State after training, with the network.
    """

    reader: Reader
    architecture: Architecture
    state: TrainingState


def fitted_parts(estimator):
    """Return the results of the fit of an estimator.

    Parameters
    ----------
    estimator : BackpropClassifier or BackpropRegressor
        Fitted estimator.

    Returns
    -------
    FittedParts
    """
    return FittedParts(estimator._reader, estimator._architecture, estimator._state)


class FittedNetwork:
    """Mixin with the fitted attributes and inspection methods of both estimators."""

    def __sklearn_is_fitted__(self):
        return "_state" in vars(self)

    @property
    def _fitted(self):
        """Return this estimator if it is fitted, else raise AttributeError."""
        # hasattr and check_is_fitted expect an AttributeError.
        if not self.__sklearn_is_fitted__():
            raise AttributeError(
                f"This {type(self).__name__} instance is not fitted yet."
            )
        return self

    @property
    def coefs_(self):
        """Weights of each layer, arrays of shape (fan_in, fan_out)."""
        return self._fitted._state.network.weights

    @coefs_.setter
    def coefs_(self, values):
        set_layers(self.coefs_, values, "coefs_")

    @property
    def intercepts_(self):
        """Biases of each layer, arrays of shape (fan_out,)."""
        return self._fitted._state.network.biases

    @intercepts_.setter
    def intercepts_(self, values):
        set_layers(self.intercepts_, values, "intercepts_")

    @property
    def input_mean_(self):
        """Value that is subtracted from each numeric feature."""
        center = self._fitted._state.network.inputs.center
        return self._per_feature(0.0 if center is None else center)

    @property
    def input_scale_(self):
        """Value that each numeric feature is divided by."""
        return self._per_feature(1.0 / self._fitted._state.network.inputs.factor)

    @property
    def input_bound_(self):
        """Maximum absolute value of each scaled numeric feature."""
        return self._per_feature(self._fitted._state.network.inputs.high)

    def _per_feature(self, value):
        return np.full(len(self._reader.columns.imputation_values), value)

    @property
    def loss_curve_(self):
        """Loss of each epoch since the network was initialized."""
        return [epoch.loss for epoch in self._fitted._state.history]

    @property
    def validation_loss_curve_(self):
        """Validation loss of each epoch; None without a validation set."""
        return self._of_validation("validation_loss")

    @property
    def validation_scores_(self):
        """Validation score of each epoch; None without a validation set."""
        return self._of_validation("validation_score")

    def _of_validation(self, quantity):
        values = [getattr(epoch, quantity) for epoch in self._fitted._state.history]
        none = self.best_validation_score_ is None and all(map(math.isnan, values))
        return None if none else values

    @property
    def gradient_norms_(self):
        """Gradient norms of the weights of each layer, one row per epoch."""
        network, history = self._fitted._state.network, self._fitted._state.history
        norms = [epoch.gradient_norms for epoch in history]
        return np.reshape(norms, (len(history), len(network.weights)))

    @property
    def history_(self):
        """DataFrame of losses, score, learning rate and duration of each epoch."""
        import pandas as pd

        *columns, _ = EpochRecord._fields
        records = [record for *record, _ in self._fitted._state.history]
        history = pd.DataFrame(records, columns=columns, dtype=float)
        first = self._state.n_removed + 1
        history.index = pd.RangeIndex(first, first + len(history), name="epoch")
        return history

    def network_inputs(self, X):
        """Compute the inputs of the first layer.

        Missing values are imputed, categories are one-hot encoded, and numeric features
        are scaled and encoded with `n_bins`, as in `predict`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Input data.

        Returns
        -------
        inputs : {ndarray, sparse array} of shape (n_samples, n_inputs)
            The numeric features, then their piecewise-linear components (see `n_bins`),
            then the missing-value indicators, then the one-hot encoded categories, in
            the precision of the network. With many categories, and for sparse `X`, a
            sparse array in CSR format.

        Examples
        --------
        >>> import numpy as np
        >>> from skbackprop import BackpropRegressor
        >>> X = np.array([[1.0], [2.0], [3.0]])
        >>> reg = BackpropRegressor((), solver="lbfgs").fit(X, [3.0, 5.0, 7.0])
        >>> reg.network_inputs(X).round(3)
        array([[-1.225],
               [ 0.   ],
               [ 1.225]])
        """
        X = self._read_inputs(X)
        return network_inputs(self._state.network, X)

    def hidden_activations(self, X):
        """Compute the activations of each hidden layer.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Input data.

        Returns
        -------
        activations : list of ndarray of shape (n_samples, n_units)
            Activations of each hidden layer, in the order of the layers and in the
            precision of the network. Dropout is disabled.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skbackprop import BackpropClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> clf = BackpropClassifier((8, 4), solver="lbfgs", random_state=0).fit(X, y)
        >>> [a.shape for a in clf.hidden_activations(X)]
        [(150, 8), (150, 4)]
        """
        X = self._read_inputs(X)
        with self._blas_threads(X):
            return hidden_activations(self._state.network, X)

    def input_gradients(self, X):
        """Compute the gradient of the outputs with respect to the inputs.

        The gradients show which inputs influence an output near a sample. They are the
        saliency of Simonyan, Vedaldi and Zisserman (ICLR workshop 2014), section 3, who
        differentiate the scores of the classes instead of their probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Input data.

        Returns
        -------
        gradients : ndarray of shape (n_samples, n_features) or \
(n_samples, n_features, n_outputs)
            Derivatives of `decision_function` (classifier) or `predict` (regressor)
            with respect to the inputs, in the original units of the inputs. For a
            single output, the last axis is dropped. The gradient is NaN for categorical
            features and missing values.

        Examples
        --------
        >>> import numpy as np
        >>> from skbackprop import BackpropRegressor
        >>> X = np.random.default_rng(0).normal(size=(200, 2))
        >>> reg = BackpropRegressor((), solver="lbfgs", standardize=False)
        >>> reg.fit(X, 3 * X[:, 0] - X[:, 1]).input_gradients(X[:1]).round(2)
        array([[ 3., -1.]])
        """
        inputs = self._read_inputs(X)
        with self._blas_threads(inputs):
            gradients = input_jacobian(
                self._state.network, inputs, self._architecture.decides_by_logits
            )
        gradients *= self._reader.scalers.output_scale
        gradients = self._reader.columns.to_feature_gradients(inputs, gradients)
        return gradients[:, :, 0] if gradients.shape[2] == 1 else gradients

    def _read_inputs(self, X):
        """Convert input data to network inputs."""
        if "_state" not in vars(self):
            check_is_fitted(self)  # raises NotFittedError
        return self._reader.read_inputs(X, self)

    def _outputs(self, X):
        """Return the outputs of the network, of shape (n_samples, n_outputs)."""
        X = self._read_inputs(X)
        return network_outputs(self._state.network, X)

    def _blas_threads(self, X):
        return _blas_threads(self._state.network, X)


def network_outputs(network, X):
    """Compute the outputs of a network, with a suitable number of BLAS threads.

    Parameters
    ----------
    network : Network
        Fitted network.
    X : {ndarray, sparse matrix, MixedRows} of shape (n_samples, n_inputs)
        Network inputs from `Reader.read_inputs`.

    Returns
    -------
    ndarray of shape (n_samples, n_outputs)
    """
    with _blas_threads(network, X):
        return network.predict(X)


def _blas_threads(network, X):
    """Return a context that limits the BLAS threads for a pass over `X`."""
    if X.shape[0] <= BLOCK_ROWS:
        # Setting a limit would take longer than the pass.
        return nullcontext()
    # All rows count, although the products are computed in blocks: a long pass is
    # faster with several threads, also if each block is small.
    return blas_threads(network, X.shape[0])
