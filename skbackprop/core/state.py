"""State of training, from which later training continues."""

import copy
import math
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from .network import Network
from .samples import WeightTotals

#: Maximum number of epochs in the history of a network that is trained in chunks. The
#: time and the size of a file would otherwise grow with the number of chunks.
MAX_RECORDS = 1000


class EpochRecord(NamedTuple):
    """Measurements of one epoch, or of one iteration of L-BFGS.

    Parameters
    ----------
    loss : float
        Training loss, including the penalty.
    validation_loss : float
        Validation loss without the penalty; NaN without validation data.
    validation_score : float
        Validation score; NaN without validation data.
    learning_rate : float
        Learning rate of the last step; NaN for L-BFGS.
    seconds : float
        Duration of the epoch.
    gradient_norms : tuple of float
        Gradient norm of the weights of each layer, without the penalty: of the last
        mini-batch before its step, or of all samples for L-BFGS.
    """

    loss: float
    validation_loss: float
    validation_score: float
    learning_rate: float
    seconds: float
    gradient_norms: tuple


@dataclass
class ConvergenceMonitor:
    """Best score so far and number of epochs without improvement.

    Parameters
    ----------
    accumulates : bool
        Whether small improvements accumulate until they exceed `tol`. scikit-learn
        compares each epoch with the best previous epoch, even if the previous
        improvement was smaller than `tol`.
    best_score : float
        Largest score so far: a validation score, or a loss with its sign changed.
    baseline : float
        Score that an improvement is measured against.
    n_epochs_without_improvement : int
        Number of epochs since the baseline was last exceeded by `tol`.
    """

    accumulates: bool = False
    best_score: float = -math.inf
    baseline: float = -math.inf
    n_epochs_without_improvement: int = 0

    def update(self, score, tol):
        """Record the score of an epoch.

        Parameters
        ----------
        score : float
            Score of the epoch.
        tol : float
            Minimum improvement over the baseline.

        Returns
        -------
        bool
            Whether the score is the best so far.
        """
        improved = score >= self.baseline + tol
        if improved:
            self.n_epochs_without_improvement = 0
        else:
            self.n_epochs_without_improvement += 1
        is_best = score > self.best_score
        if is_best:
            self.best_score = score
        if improved or not self.accumulates:
            self.baseline = self.best_score
        return is_best


@dataclass
class TrainingState:
    """State that training changes, which can be pickled and copied.

    Parameters
    ----------
    network : Network
        Network with its current parameters.
    rng : numpy.random.RandomState
        Random number generator of the shuffles.
    split_rng : numpy.random.RandomState
        Copy of `rng` from before the first shuffle. Each fit that continues training
        uses a copy of `split_rng` to split off the same validation rows.
    dropout_rng : numpy.random.Generator, default=None
        Random number generator of the dropout masks; created on first use.
    slots : ndarray of shape (n_slots, n_params)
        State of the optimizer, such as moments.
    optimizer : object
        Optimizer that `slots` belongs to; None before the first step.
    n_updates : int
        Number of steps of this optimizer.
    n_steps : int
        Number of steps of this fit and of later partial fits.
    weight_totals : WeightTotals
        Statistics of the sample weights of this fit and of later partial fits. Chunks
        are weighted by their sample weights, like the mini-batches of one fit. Without
        these totals, a chunk with large weights would have no more influence than a
        chunk with small weights.
    n_seen : int
        Number of samples processed; each epoch counts all its samples.
    order : ndarray of int of shape (n_samples,), default=None
        Order of the samples in the last epoch, which the next epoch shuffles again.
        None after `fit`, so that the size of the state is independent of `n_samples`.
    history : list of EpochRecord
        One record per epoch since the network was created; see `limit_history`.
    n_removed : int
        Number of the first records that were removed from `history`.
    n_epochs : int
        Number of epochs of this fit and of later partial fits.
    n_plateaus : int
        Number of times that this fit stopped improving.
    monitor : ConvergenceMonitor
        Monitor that detects plateaus.
    loss : float
        Loss of the last epoch; NaN before the first epoch.
    best_params : ndarray of shape (n_params,)
        Best parameters during early stopping; None otherwise.
    """

    network: Network
    rng: np.random.RandomState
    split_rng: np.random.RandomState
    dropout_rng: np.random.Generator | None = None
    slots: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    optimizer: Any = None
    n_updates: int = 0
    n_steps: int = 0
    weight_totals: WeightTotals = field(default_factory=WeightTotals)
    n_seen: int = 0
    order: np.ndarray | None = None
    history: list = field(default_factory=list)
    n_removed: int = 0
    n_epochs: int = 0
    n_plateaus: int = 0
    monitor: ConvergenceMonitor = field(default_factory=ConvergenceMonitor)
    loss: float = math.nan
    best_params: np.ndarray | None = None

    def copy(self):
        """Return an independent copy; training it does not change the original."""
        copied = self.fork()
        copied.rng = copy.deepcopy(self.rng)
        copied.dropout_rng = copy.deepcopy(self.dropout_rng)
        return copied

    def fork(self):
        """Return a copy that shares the random number generators.

        Copying a generator takes longer than training on one sample.
        """
        return replace(
            self,
            network=self.network.copy(),
            slots=self.slots.copy(),
            order=None if self.order is None else self.order.copy(),
            history=self.history.copy(),
            monitor=replace(self.monitor),
            best_params=None if self.best_params is None else self.best_params.copy(),
        )

    # Records are pickled as one array, which has a tenth of the size and does not
    # depend on the class EpochRecord.
    def __getstate__(self):
        records = [(*numbers, *norms) for *numbers, norms in self.history]
        return {**vars(self), "history": np.array(records, float)}

    def __setstate__(self, state):
        n_numbers = len(EpochRecord._fields) - 1
        records = state["history"].tolist()
        history = [
            EpochRecord(*row[:n_numbers], tuple(row[n_numbers:])) for row in records
        ]
        vars(self).update({**state, "history": history})

    def reset_fit_counters(self):
        """Reset the counters of the fit, but keep everything that was learned."""
        self.n_epochs = self.n_plateaus = self.n_steps = 0
        self.weight_totals = WeightTotals()
        self.monitor = ConvergenceMonitor()

    def reset_early_stopping(self):
        """Discard early-stopping state inherited from an unfinished fit."""
        if self.best_params is not None:
            self.best_params, self.monitor = None, ConvergenceMonitor()

    def limit_history(self):
        """Remove the first records, so that at most `MAX_RECORDS` remain."""
        n_removed = max(0, len(self.history) - MAX_RECORDS)
        del self.history[:n_removed]
        self.n_removed += n_removed

    def reset_optimizer_state(self):
        """Set the state of the optimizer to zero, as before its first step."""
        self.slots, self.n_updates = np.zeros_like(self.slots), 0

    def init_optimizer_state(self, optimizer):
        """Allocate the state of an optimizer, unless the state already exists.

        Parameters
        ----------
        optimizer : object or None
            Optimizer of the next steps. The state of an optimizer with different
            settings is discarded. None for L-BFGS, which has no state here.
        """
        if self.optimizer != optimizer:
            n_slots = optimizer.slots if optimizer else 0
            n_params = self.network.params.size
            self.slots = np.zeros((n_slots, n_params), self.network.dtype)
            self.optimizer, self.n_updates = optimizer, 0
