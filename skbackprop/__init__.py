"""Neural networks for scikit-learn, around a back-propagation core in NumPy."""

from ._classifier import BackpropClassifier
from ._gradients import check_gradients
from ._regressor import BackpropRegressor
from .core.activations import Activation
from .core.losses import Loss

__version__ = "0.1.0"

__all__ = [
    "Activation",
    "BackpropClassifier",
    "BackpropRegressor",
    "Loss",
    "check_gradients",
]
