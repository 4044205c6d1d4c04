"""Hyperparameters of training."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TrainingConfig:
    """Hyperparameters of one fit.

    Parameters
    ----------
    optimizer : object with `step` and `slots`, or None
        Optimizer from `optimizers`; None for L-BFGS.
    schedule : Schedule or None
        Learning-rate schedule from `schedules`; None for L-BFGS.
    weight_decay : float
        Decoupled weight decay. Each step multiplies the weights by
        ``1 - rate * weight_decay``.
    batch_size : int
        Number of rows per mini-batch; does not exceed the number of samples.
    shuffle : bool
        Whether to shuffle the rows before each epoch.
    max_iter : int
        Maximum number of epochs, or of iterations for L-BFGS.
    planned_epochs : int
        Number of epochs that the schedule covers.
    max_fun : int
        Maximum number of evaluations of the objective. Only used by L-BFGS.
    tol : float
        Minimum improvement of the monitored loss or score.
    gradient_tol : float
        L-BFGS stops if no component of the gradient is larger than `gradient_tol`.
    loss_tol : float
        L-BFGS stops if an iteration decreases the cost by less than `loss_tol`, or by
        less than this fraction of a cost above 1.
    n_iter_no_change : int or inf
        Number of epochs without improvement to tolerate.
    clip_norm : float or None
        Maximum norm of the gradient. Larger gradients are rescaled to this norm.
    max_norm : float or None, default=None
        Maximum norm of the incoming weights of each unit. Larger weight vectors are
        rescaled to this norm.
    dropout : tuple of float, default=()
        Dropout rate of each hidden layer; empty if there is no dropout.
    early_stopping : bool, default=False
        Whether to stop if the validation score stops improving, and to restore the best
        parameters.
    """

    optimizer: Any
    schedule: Any
    weight_decay: float
    batch_size: int
    shuffle: bool
    max_iter: int
    planned_epochs: int
    max_fun: int
    tol: float
    gradient_tol: float
    loss_tol: float
    n_iter_no_change: float
    clip_norm: float | None
    max_norm: float | None = None
    dropout: tuple = ()
    early_stopping: bool = False
