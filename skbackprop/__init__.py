"""Neural networks for scikit-learn, around a back-propagation core in NumPy."""

from ._callbacks import AfterEpoch, HistoryLogger
from ._checkpoint import Checkpoint
from ._classifier import BackpropClassifier
from ._gradients import check_gradients
from ._persistence import SKOPS_TRUSTED, load
from ._plotting import GradientFlowDisplay, LossCurveDisplay, WeightsDisplay
from ._regressor import BackpropRegressor
from .core.activations import Activation
from .core.losses import Loss

__version__ = "0.1.0"

__all__ = [
    "SKOPS_TRUSTED",
    "Activation",
    "AfterEpoch",
    "BackpropClassifier",
    "BackpropRegressor",
    "Checkpoint",
    "GradientFlowDisplay",
    "HistoryLogger",
    "Loss",
    "LossCurveDisplay",
    "WeightsDisplay",
    "check_gradients",
    "load",
]
