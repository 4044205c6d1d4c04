"""Displays that plot the training and the weights of a network."""

from .gradient_flow import GradientFlowDisplay
from .loss_curve import LossCurveDisplay
from .weights import WeightsDisplay

__all__ = ["GradientFlowDisplay", "LossCurveDisplay", "WeightsDisplay"]
