"""Neural networks for scikit-learn, around a back-propagation core in NumPy."""

from ._callbacks.checkpoint import Checkpoint
from ._callbacks.epoch_callbacks import EpochEndCallback, HistoryLogger
from ._displays.gradient_flow import GradientFlowDisplay
from ._displays.loss_curve import LossCurveDisplay
from ._displays.weights import WeightsDisplay
from ._ensembles.classifier import BackpropEnsembleClassifier
from ._ensembles.regressor import BackpropEnsembleRegressor
from ._estimators.classifier import BackpropClassifier
from ._estimators.regressor import BackpropRegressor
from ._gradient_check import check_gradients
from ._persistence import SKOPS_TRUSTED, load
from ._show_versions import show_versions
from .core.activations import Activation
from .core.losses import Loss

__version__ = "0.1.0"

__all__ = [
    "SKOPS_TRUSTED",
    "Activation",
    "BackpropClassifier",
    "BackpropEnsembleClassifier",
    "BackpropEnsembleRegressor",
    "BackpropRegressor",
    "Checkpoint",
    "EpochEndCallback",
    "GradientFlowDisplay",
    "HistoryLogger",
    "Loss",
    "LossCurveDisplay",
    "WeightsDisplay",
    "check_gradients",
    "load",
    "show_versions",
]
