"""Small data, small networks and words of errors, shared by the tests of misuse."""

import numpy as np
import pytest

from skbackprop import Activation, BackpropClassifier, BackpropRegressor

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 4))
TWO, THREE = np.arange(40) % 2, np.arange(40) % 3
LABELS = (X[:, :3] > 0).astype(int)
NUMBERS = X[:, 0]
COUNTS = rng.poisson(2.0, 40).astype(float)
ESTIMATORS = pytest.mark.parametrize(
    ("make", "y"), [(BackpropClassifier, THREE), (BackpropRegressor, NUMBERS)]
)
cut_short = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def error_of(action, *words, error=ValueError):
    """Return the message of what `action` raises; it must contain all words."""
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


class Interrupting(Activation):
    """ReLU until `calls` run out; then somebody presses Ctrl-C, once."""

    # Of the class, not of the copy that an estimator makes of an instance.
    calls = 0

    def forward(self, z, out):
        type(self).calls -= len(z) > 1  # a single row is but a trial of the class
        if type(self).calls == 0 and len(z) > 1:
            raise KeyboardInterrupt
        np.maximum(z, 0.0, out=out)

    def backward(self, delta, a, z, scratch):
        delta *= z > 0.0
