"""What a fitted network can be asked: weights, curves, and what goes on inside."""

import math
from contextlib import nullcontext

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from .._data.columns import is_dataframe
from ..core.inspection import hidden_activations, input_jacobian
from ..core.layout import BLOCK_ROWS
from ..core.state import EpochRecord
from .threads import blas_threads


def check_range(values, dtype, name):
    """Raise ValueError where values are beyond the range of the dtype computed in."""
    if values.dtype.kind != "f" or values.dtype.itemsize <= dtype.itemsize:
        return
    values = values.data if issparse(values) else values
    largest = max(values.max(initial=0.0), -values.min(initial=0.0))
    if largest > np.finfo(dtype).max:
        raise ValueError(
            f"{name} contains {largest:g}, which is too large for {dtype}; allowed are "
            f"values up to {np.finfo(dtype).max:g}. Scale {name}, or fit with "
            "dtype='float64'."
        )


def sum_duplicates(X):
    """Return `X`, a sparse one with each entry in one piece."""
    if issparse(X) and not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X


class FittedNetwork:
    """Mixin of both estimators, over the state that training has left."""

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_state")

    @property
    def _trained(self):
        # AttributeError is what hasattr and check_is_fitted expect.
        if not hasattr(self, "_state"):
            raise AttributeError(f"This {type(self).__name__} is not fitted yet.")
        return self._state

    @property
    def coefs_(self):
        """Weights of each layer, arrays of shape (fan_in, fan_out)."""
        return self._trained.network.weights

    @property
    def intercepts_(self):
        """Biases of each layer, arrays of shape (fan_out,)."""
        return self._trained.network.biases

    @property
    def loss_curve_(self):
        """Loss of each epoch since the network was initialized."""
        return [epoch.loss for epoch in self._trained.history]

    @property
    def validation_loss_curve_(self):
        """Validation loss of each epoch; None without a validation set."""
        return self._of_validation("validation_loss")

    @property
    def validation_scores_(self):
        """Validation score of each epoch; None without a validation set."""
        return self._of_validation("validation_score")

    def _of_validation(self, quantity):
        values = [getattr(epoch, quantity) for epoch in self._trained.history]
        none = self.best_validation_score_ is None and all(map(math.isnan, values))
        return None if none else values

    @property
    def gradient_norms_(self):
        """Gradient norms of the weights of each layer, one row per epoch."""
        network, history = self._trained.network, self._trained.history
        norms = [epoch.gradient_norms for epoch in history]
        return np.reshape(norms, (len(history), len(network.weights)))

    @property
    def history_(self):
        """DataFrame of losses, score, learning rate and duration of each epoch."""
        import pandas as pd

        *columns, _ = EpochRecord._fields
        records = [record for *record, _ in self._trained.history]
        history = pd.DataFrame(records, columns=columns, dtype=float)
        history.index = pd.RangeIndex(1, len(history) + 1, name="epoch")
        return history

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
        X = self._check_inputs(X)
        with self._threads(X):
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
        given = X
        X = self._check_inputs(X)
        with self._threads(X):
            jacobian = input_jacobian(self._state.network, X, self._of_weighted_inputs)
        jacobian *= self._output_scale()
        if self._encoder is not None:
            jacobian = self._encoder.to_feature_gradients(given, jacobian)
        return jacobian[:, :, 0] if jacobian.shape[2] == 1 else jacobian

    def _output_scale(self):
        """Return what one unit of an output is, in units of the target."""
        targets = self._scales.targets
        return 1.0 if targets is None else targets.scale_

    def _check_inputs(self, X):
        """Return `X` as rows of numbers for the network."""
        check_is_fitted(self)
        X = self._numbers(X)
        check_range(X, self._state.network.dtype, "X")
        return X

    def _numbers(self, X):
        if self._encoder is None:
            X = validate_data(
                self, X, accept_sparse="csr", dtype="numeric", reset=False
            )
            return sum_duplicates(X)
        return self._encoder.transform(self._check_columns(X, learn=False))

    def _check_columns(self, X, learn):
        """Check names and number of the columns that are to be encoded."""
        if not is_dataframe(X):
            # Lists would become arrays of strings, and what is missing a word.
            X = check_array(
                X if hasattr(X, "dtype") else np.asarray(X, object),
                accept_sparse="csr",
                dtype=None,
                ensure_all_finite=False,
                estimator=self,
                input_name="X",
            )
        validate_data(self, X, reset=learn, skip_check_array=True)
        return X

    def _outputs(self, X):
        """Return the outputs of the network, of shape (n_samples, n_outputs)."""
        X = self._check_inputs(X)
        with self._threads(X):
            return self._state.network.predict(X)

    def _threads(self, X):
        # One row, as services ask for it, has nothing for threads to share.
        if X.shape[0] == 1:
            return nullcontext()
        return blas_threads(self._state.network, min(X.shape[0], BLOCK_ROWS))
