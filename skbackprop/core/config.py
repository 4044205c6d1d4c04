"""Settings of one training."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TrainingConfig:
    """How to train.

    Parameters
    ----------
    optimizer : object with `step` and `slots`
        One of `optimizers`; None for L-BFGS.
    schedule : Schedule
        One of `schedules`; None for L-BFGS.
    weight_decay : float
        Share of the weights taken off at each step, times the learning rate.
    batch_size : int
        Rows of a mini-batch, at most the number of samples.
    shuffle : bool
        Whether every epoch takes the rows in a new order.
    max_iter : int
        Epochs at most.
    planned_epochs : int
        Epochs that the schedule is for.
    max_fun : int
        Evaluations of the objective at most; L-BFGS.
    tol : float
        The least improvement that counts; for L-BFGS the largest component of
        the gradient at which it ends.
    n_iter_no_change : int or inf
        Epochs without improvement that are borne.
    clip_norm : float or None
        Gradients longer than this are shortened to it.
    max_norm : float or None
        Weights into a unit longer than this are shortened to it.
    dropout : tuple of float
        Share of the units left out, for each hidden layer; empty for none.
    early_stopping : bool
        Whether training ends by the score of held-out samples, and the parameters
        that were best for them are put back.
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
    n_iter_no_change: float
    clip_norm: float | None
    max_norm: float | None = None
    dropout: tuple = ()
    early_stopping: bool = False
