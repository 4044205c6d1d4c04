"""Small data and estimators, and a check of error messages, shared by many tests."""

import numpy as np
import pytest

from skbackprop import Activation, BackpropClassifier, BackpropRegressor

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 4))
TWO_CLASSES, THREE_CLASSES = np.arange(40) % 2, np.arange(40) % 3
LABELS = (X[:, :3] > 0).astype(int)
NUMBERS = X[:, 0]
COUNTS = rng.poisson(2.0, 40).astype(float)
ESTIMATORS = pytest.mark.parametrize(
    ("make", "y"), [(BackpropClassifier, THREE_CLASSES), (BackpropRegressor, NUMBERS)]
)
ignore_convergence_warning = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning"
)


def error_of(action, *words, error=ValueError):
    """Return the message of the error that `action` raises; check all words in it."""
    with pytest.raises(error) as caught:
        action()
    message = str(caught.value)
    for word in words:
        assert word in message
    return message


def classifier(**params):
    return BackpropClassifier(**{"max_iter": 2, "random_state": 0, **params})


def regressor(**params):
    return BackpropRegressor(**{"max_iter": 2, "random_state": 0, **params})


class InterruptingReLU(Activation):
    """ReLU that raises KeyboardInterrupt, like Ctrl-C, in forward pass `calls`."""

    # A class attribute, because an estimator copies the instance.
    calls = 0

    def forward(self, z, out):
        type(self).calls -= len(z) > 1  # the validation of activations uses one row
        if type(self).calls == 0 and len(z) > 1:
            raise KeyboardInterrupt
        np.maximum(z, 0.0, out=out)

    def backward(self, delta, a, z, scratch):
        delta *= z > 0.0
