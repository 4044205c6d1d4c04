"""Everything that training changes, and that further training continues from."""

import copy
import math
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from .network import Network


class EpochRecord(NamedTuple):
    """What is recorded of one epoch, or of one iteration of L-BFGS.

    `gradient_norms` are those of the weights of each layer, without the penalty: of
    the last mini-batch, before its step, and for L-BFGS of all samples.
    """

    loss: float
    validation_loss: float
    validation_score: float
    learning_rate: float
    seconds: float
    gradient_norms: tuple


@dataclass
class ConvergenceMonitor:
    """Looks whether training still improves.

    Parameters
    ----------
    accumulates : bool
        Whether small improvements add up until they count. scikit-learn measures each
        epoch against the best one before, however little that was better itself.
    best : float
        The largest merit met, a score or a loss with its sign changed.
    mark : float
        What an improvement is measured against.
    n_epochs_without_improvement : int
        Epochs since the last that was better than the mark by `tol`.
    """

    accumulates: bool = False
    best: float = -math.inf
    mark: float = -math.inf
    n_epochs_without_improvement: int = 0

    def update(self, merit, tol):
        """Take note of the merit of an epoch; say whether it is the best yet."""
        counts = merit >= self.mark + tol
        self.n_epochs_without_improvement = (
            0 if counts else self.n_epochs_without_improvement + 1
        )
        is_best = merit > self.best
        if is_best:
            self.best = merit
        if counts or not self.accumulates:
            self.mark = self.best
        return is_best


@dataclass
class TrainingState:
    """All that further training carries on from. It can be pickled and copied.

    Parameters
    ----------
    network : Network
        The parameters so far.
    rng : numpy.random.RandomState
        Where the shuffles come from.
    split_rng : numpy.random.RandomState
        As `rng` was before the first shuffle: splits off the same validation
        rows in every fit that carries on.
    dropout_rng : numpy.random.Generator, default=None
        Where the choices of dropout come from; made when they are first wanted.
    slots : ndarray of shape (n_slots, n_params)
        What the optimiser remembers.
    optimizer : object
        Which optimiser that is; None where there is none yet.
    n_updates : int
        Steps of this optimiser so far.
    n_steps : int
        Steps in this fit, and in the partial fits since.
    n_rows, weight_sum : int, float
        Samples of this fit and of the partial fits since, and their weights.
    n_seen : int
        Samples seen so far, counted anew in every epoch.
    order : ndarray of int of shape (n_samples,)
        In which order the last epoch took the rows.
    history : list of EpochRecord
        A record of each epoch since the network was made.
    n_epochs : int
        Epochs of this fit, and of the partial fits since.
    n_plateaus : int
        How often in this fit there was no more improvement.
    monitor : ConvergenceMonitor
        Looks for it.
    loss : float
        The last loss; nan before there is one.
    best_params : ndarray of shape (n_params,)
        In the midst of early stopping, the parameters that were best; else None.
    """

    network: Network
    rng: np.random.RandomState
    split_rng: np.random.RandomState
    dropout_rng: np.random.Generator | None = None
    slots: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    optimizer: Any = None
    n_updates: int = 0
    n_steps: int = 0
    n_rows: int = 0
    weight_sum: float = 0.0
    n_seen: int = 0
    order: np.ndarray | None = None
    history: list = field(default_factory=list)
    n_epochs: int = 0
    n_plateaus: int = 0
    monitor: ConvergenceMonitor = field(default_factory=ConvergenceMonitor)
    loss: float = math.nan
    best_params: np.ndarray | None = None

    def copy(self):
        """Return a state that can be trained without moving this one."""
        return replace(
            self,
            network=copy.deepcopy(self.network),
            rng=copy.deepcopy(self.rng),
            dropout_rng=copy.deepcopy(self.dropout_rng),
            slots=self.slots.copy(),
            order=None if self.order is None else self.order.copy(),
            history=self.history.copy(),
            monitor=replace(self.monitor),
            best_params=None if self.best_params is None else self.best_params.copy(),
        )

    # An array takes a tenth of the room of records, and outlasts what they are.
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
        """Count epochs, steps and samples anew; keep what has been learned."""
        self.n_epochs = self.n_plateaus = self.n_steps = self.n_rows = 0
        self.weight_sum = 0.0
        self.monitor = ConvergenceMonitor()

    def reset_early_stopping(self):
        """Watch a loss again, where this is a copy from its midst."""
        if self.best_params is not None:
            self.best_params, self.monitor = None, ConvergenceMonitor()

    def update_weight_totals(self, samples):
        """Take note of the weights of samples.

        Chunks that are learned one after another weigh what their samples do, as
        batches within one fit: alone, a chunk of heavy samples would count no more
        than one of light samples.
        """
        self.n_rows += len(samples)
        self.weight_sum += samples.mean_weight * len(samples)

    @property
    def mean_weight(self):
        """The mean weight of all samples of this fit and the partial fits since."""
        return self.weight_sum / self.n_rows

    def init_optimizer_state(self, optimizer):
        """Make the memory of an optimiser, unless it is there from before.

        Another optimiser, or other settings of the same, could not make sense of
        it; None, for L-BFGS, forgets it.
        """
        if self.optimizer != optimizer:
            n_slots = optimizer.slots if optimizer else 0
            n_params = self.network.params.size
            self.slots = np.zeros((n_slots, n_params), self.network.dtype)
            self.optimizer, self.n_updates = optimizer, 0
