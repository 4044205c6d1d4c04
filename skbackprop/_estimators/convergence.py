"""Convergence relative to the best constant prediction."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ..core.constant_prediction import evaluate_constant

#: Relative improvement on the constant prediction that counts as learning. Networks
#: with vanishing gradients can improve by a few thousandths before training stops.
MIN_IMPROVEMENT = 0.005


class UnlearnedFit(NamedTuple):
    """Losses of a fit that has not improved on the best constant prediction.

    Parameters
    ----------
    loss : float
        Training loss without penalty and dropout.
    constant_loss : float
        Loss of the best constant prediction.
    has_risen : bool
        Whether the training loss has risen since the first epoch.
    """

    loss: float
    constant_loss: float
    has_risen: bool

    @property
    def has_improved(self):
        """Whether the network is slightly better than the constant."""
        return self.loss < self.constant_loss


def set_reference(training, *, scores_loss, scales_targets):
    """Evaluate the best constant prediction, and scale the tolerances of training.

    The gradients of a canonical pair of loss and output activation have the size of the
    targets, so that absolute tolerances are suitable, as in scikit-learn. For other
    pairs, such as the squared error of sigmoids, losses and gradients of rare classes
    are much smaller than for balanced classes. The losses of scaled targets can also be
    small, for example if positive targets are divided by their root mean square.

    Parameters
    ----------
    training : Training
        Training whose `constant` and `config` are set.
    scores_loss : bool
        Whether the training or validation loss is monitored instead of another score.
    scales_targets : bool
        Whether the targets are scaled.
    """
    objective, config = training.objective, training.config
    with np.errstate(all="ignore"):  # a loss of the user may overflow
        training.constant = evaluate_constant(objective, training.samples)
    if objective.is_canonical and not scales_targets:
        return
    loss_scale = training.constant.loss_scale
    gradient_scale = training.constant.gradient_scale
    if config.optimizer is not None and not config.optimizer.normalizes_gradients:
        # Small gradients then lead to small steps, and to even smaller improvements.
        loss_scale = min(loss_scale, gradient_scale)
    training.config = replace(
        config,
        tol=config.tol * (loss_scale if scores_loss else 1.0),
        gradient_tol=config.gradient_tol * gradient_scale,
        loss_tol=config.loss_tol * loss_scale,
    )


def compare_with_constant(training):
    """Compare the training loss with the loss of the best constant prediction.

    The recorded loss includes penalty and dropout. If this loss is not lower than the
    loss of the constant, the loss is computed again without them. It is also computed
    again after early stopping, which restores the parameters of another epoch.

    Parameters
    ----------
    training : Training
        Training that has ended.

    Returns
    -------
    UnlearnedFit or None
        None if the network is better than the constant prediction.
    """
    objective, state, config = training.objective, training.state, training.config
    constant_loss = objective.display_loss(training.constant.loss, 0.0)
    limit = constant_loss * (1.0 - MIN_IMPROVEMENT)
    if constant_loss == 0.0 or (not config.early_stopping and state.loss < limit):
        return None
    with np.errstate(all="ignore"):
        loss_sum = training.samples.loss_sum(objective, config.batch_size)
    loss = loss_sum / training.samples.n_samples
    if loss < limit:
        return None
    epochs = state.history[-state.n_epochs :] if state.n_epochs else []
    has_risen = len(epochs) > 1 and epochs[-1].loss > epochs[0].loss
    return UnlearnedFit(loss, constant_loss, has_risen)
