"""Training: the loop over epochs and mini-batches, and when it ends."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from .dropout import with_dropout
from .network import Network, blocks_of, norms_of
from .schedules import Course
from .sparse import TouchedRows
from .stepper import Stepper


class Epoch(NamedTuple):
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


class Observer:
    """Base of what is told of every epoch of a training, and may end it."""

    def begin_epoch(self):
        """Take note that an epoch begins; called until it has ended, maybe often."""

    def end_epoch(self, n_epochs, record):
        """Take note of the number and the record of an epoch; say whether to stop."""
        return False


class Outcome(NamedTuple):
    """Why training ended.

    "converged", "planned" for all epochs of a plan, "max_iter", "stopped" by an
    observer, "failed" or "interrupted".
    """

    reason: str
    message: str = ""


@dataclass(frozen=True)
class Recipe:
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


@dataclass
class Watch:
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
    n_stalled : int
        Epochs since the last that was better than the mark by `tol`.
    """

    accumulates: bool = False
    best: float = -math.inf
    mark: float = -math.inf
    n_stalled: int = 0

    def improves(self, merit, tol):
        """Take note of the merit of an epoch; say whether it is the best yet."""
        counts = merit >= self.mark + tol
        self.n_stalled = 0 if counts else self.n_stalled + 1
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
    history : list of Epoch
        A record of each epoch since the network was made.
    n_epochs : int
        Epochs of this fit, and of the partial fits since.
    n_plateaus : int
        How often in this fit there was no more improvement.
    watch : Watch
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
    watch: Watch = field(default_factory=Watch)
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
            watch=replace(self.watch),
            best_params=None if self.best_params is None else self.best_params.copy(),
        )

    # An array takes a tenth of the room of records, and outlasts what they are.
    def __getstate__(self):
        records = [(*numbers, *norms) for *numbers, norms in self.history]
        return {**vars(self), "history": np.array(records, float)}

    def __setstate__(self, state):
        n_numbers = len(Epoch._fields) - 1
        records = state["history"].tolist()
        history = [Epoch(*row[:n_numbers], tuple(row[n_numbers:])) for row in records]
        vars(self).update({**state, "history": history})

    def begin_fit(self):
        """Count epochs, steps and samples anew; keep what has been learned."""
        self.n_epochs = self.n_plateaus = self.n_steps = self.n_rows = 0
        self.weight_sum = 0.0
        self.watch = Watch()

    def leave_early_stopping(self):
        """Watch a loss again, where this is a copy from its midst."""
        if self.best_params is not None:
            self.best_params, self.watch = None, Watch()

    def note_weights(self, samples):
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

    def remember_for(self, optimizer):
        """Make the memory of an optimiser, unless it is there from before.

        Another optimiser, or other settings of the same, could not make sense of
        it; None, for L-BFGS, forgets it.
        """
        if self.optimizer != optimizer:
            n_slots = optimizer.slots if optimizer else 0
            n_params = self.network.params.size
            self.slots = np.zeros((n_slots, n_params), self.network.dtype)
            self.optimizer, self.n_updates = optimizer, 0


@dataclass
class Training:
    """One run of training over the same samples.

    Parameters
    ----------
    state : TrainingState
        Where it starts, and where it ends.
    objective : Objective
        What is minimised.
    samples : Samples
        What is learned from.
    recipe : Recipe
        How.
    validate : callable, default=None
        Returns the loss and the score of held-out samples, to be recorded, and
        to stop early by.
    resumes : bool
        Whether it goes on where another one was cut off, maybe at its end.
    observers : tuple of Observer, default=()
        Told of every epoch.
    stopped : bool
        Whether one of them has said that it is enough.
    """

    state: TrainingState
    objective: Any
    samples: Any
    recipe: Recipe
    validate: Callable | None = None
    resumes: bool = False
    observers: tuple = ()
    stopped: bool = False

    def run(self, method):
        """Train, and put the best parameters back.

        Parameters
        ----------
        method : callable
            `mini_batches` or `lbfgs`.

        Returns
        -------
        Outcome

        Raises
        ------
        ValueError
            In the epoch in which a parameter or the loss ceases to be finite.
        """
        self._clock = perf_counter()
        # Overflow is looked for once an epoch, and told as an error.
        with np.errstate(all="ignore"):
            try:
                outcome = method(self)
            except KeyboardInterrupt:
                outcome = Outcome("interrupted")
        if self.state.best_params is not None:
            self.state.network.params[...] = self.state.best_params
            self.state.best_params = None
        interrupted = outcome.reason == "interrupted"  # maybe before any loss
        self._check_finite(0.0 if interrupted else self.state.loss)
        return outcome

    def begin_epoch(self):
        """Tell all observers that an epoch begins."""
        for observer in self.observers:
            observer.begin_epoch()

    def end_epoch(self, loss, rate, gradient_norms):
        """Record an epoch, and look whether it improved on those before."""
        state = self.state
        self._check_finite(loss)
        validation_loss, score = self.validate() if self.validate else (math.nan,) * 2
        state.n_epochs += 1
        state.loss = loss
        now = perf_counter()
        seconds = now - self._clock
        record = Epoch(loss, validation_loss, score, rate, seconds, gradient_norms)
        self._clock = now
        state.history.append(record)
        watched = score if self.recipe.early_stopping else -loss
        better = state.watch.improves(watched, self.recipe.tol)
        if better and self.recipe.early_stopping:
            state.best_params = state.network.params.copy()
        for observer in self.observers:
            self.stopped |= observer.end_epoch(state.n_epochs, record)

    @property
    def stalled(self):
        """Whether there was no improvement for longer than is borne."""
        return self.state.watch.n_stalled > self.recipe.n_iter_no_change

    @property
    def stopped_early(self):
        """Whether the held-out samples say that it is enough."""
        return self.recipe.early_stopping and self.stalled

    def course(self, n_steps):
        """Return where training stands, for the schedule of the coming steps."""
        state = self.state
        return Course(
            epoch=state.n_epochs,
            step=state.n_steps,
            n_steps=n_steps,
            n_seen=state.n_seen,
            n_plateaus=state.n_plateaus,
            max_iter=self.recipe.planned_epochs,
        )

    def _check_finite(self, loss):
        state = self.state
        if (
            math.isfinite(loss)
            and _all_finite(state.network.params)
            and _all_finite(state.slots)
        ):
            return
        # L-BFGS has neither a rate to lower nor a gradient that may be clipped.
        stochastic = self.recipe.optimizer is not None
        raise ValueError(
            "Solver produced non-finite parameter weights. The input data may"
            " contain large values and need to be preprocessed. Training diverged"
            f" in epoch {self.state.n_epochs + 1}: scale the inputs (and the targets of"
            " a regressor)"
            f"{', lower learning_rate_init, or set clip_norm' if stochastic else ''}."
        )


def _all_finite(array):
    # A finite sum proves it, at no memory; any other may be an overflow of the sum.
    return math.isfinite(np.add.reduce(array, axis=None)) or np.isfinite(array).all()


def mini_batches(training, epoch=None):
    """Descend on mini-batches until there is no improvement.

    Parameters
    ----------
    training : Training
        See `Training.run`.
    epoch : object like `MiniBatchEpoch`, default=None
        What passes once over all samples, each time that its `run` is called; None
        for samples that lie here.

    Returns
    -------
    Outcome
    """
    state, schedule = training.state, training.recipe.schedule
    if epoch is None:
        epoch = epoch_of(training)
    if training.resumes and _has_converged(training):
        return Outcome("converged")
    for _ in range(training.recipe.max_iter):
        training.begin_epoch()
        course = training.course(epoch.n_steps)
        rates = schedule.rates(course)
        # Python's numbers: NumPy's would turn float32 arithmetic into float64.
        is_array = isinstance(rates, np.ndarray)
        rates = rates.tolist() if is_array else [rates] * course.n_steps
        loss = epoch.run(rates)
        state.n_seen += len(training.samples)
        training.end_epoch(loss, rates[-1], epoch.gradient_norms)
        if _has_converged(training):
            return Outcome("converged")
        if training.stopped:
            return Outcome("stopped")
    return Outcome("planned" if schedule.is_planned else "max_iter")


def epoch_of(training):
    """Make what passes over samples that lie here."""
    kind = _TouchedRowsEpoch if _may_skip_rows(training) else MiniBatchEpoch
    return kind(training)


def _has_converged(training):
    """Take note if there is no more improvement; say whether it is the end."""
    state, schedule = training.state, training.recipe.schedule
    goes_on = schedule.is_planned and not training.recipe.early_stopping
    if not training.stalled or goes_on:
        return False
    state.n_plateaus += 1
    state.watch.n_stalled = 0
    return schedule.ends(state.n_plateaus)


def _may_skip_rows(training):
    """Say whether rows of the first weights without a gradient need not be looked at.

    What has a memory moves them all the same, as an L1 penalty does, and the norms
    that are limited are those of all.
    """
    recipe = training.recipe
    centers = training.state.network.inputs.centers
    stays_sparse = training.samples.is_sparse and not centers
    needs_all = (
        recipe.optimizer.slots
        or recipe.clip_norm is not None
        or recipe.max_norm is not None
        or training.objective.l1_alpha
    )
    return stays_sparse and not needs_all


class MiniBatchEpoch:
    """One pass over all samples; everything but the rate is settled beforehand.

    Parameters
    ----------
    training : Training
        Whose samples are passed over, and whose parameters are moved.

    Attributes
    ----------
    n_steps : int
        So many mini-batches there are.
    gradient_norms : tuple of float
        Of the last mini-batch, as `Epoch` has them.
    """

    def __init__(self, training):
        self.state, self.objective = training.state, training.objective
        self.samples, self.recipe = training.samples, training.recipe
        n, size = len(self.samples), self.recipe.batch_size
        self.n_steps = -(-n // size)
        self.work = self.objective.workspace(
            self.samples, size, self._activations(size)
        )
        self.last_work = self.work.leading(n % size or size)
        self.gradients = [dW.reshape(-1) for dW in self.work.dW]
        self.stepper = self._make_stepper(training)
        if self.state.order is None or self.state.order.size != n:
            self.state.order = np.arange(n)

    def _make_stepper(self, training):
        return Stepper(training, self.work.grad)

    def _activations(self, n_rows):
        if not self.recipe.dropout:
            return None
        if self.state.dropout_rng is None:
            seed = self.state.rng.randint(np.iinfo(np.int32).max)
            self.state.dropout_rng = np.random.Generator(np.random.SFC64(seed))
        return with_dropout(
            self.state.network, self.recipe.dropout, self.state.dropout_rng, n_rows
        )

    def run(self, rates):
        """Step once for every mini-batch.

        Parameters
        ----------
        rates : sequence of float
            The learning rate of each step.

        Returns
        -------
        float
            The mean loss met on the way, as it is reported.
        """
        recipe, samples = self.recipe, self.samples
        if recipe.shuffle:
            self.state.rng.shuffle(self.state.order)
            order = samples.located(self.state.order)
        loss_sum = penalty_sum = 0.0
        n_samples = len(samples)
        batches = blocks_of(n_samples, recipe.batch_size)
        for rows, rate in zip(batches, rates):
            n_rows = rows.stop - rows.start
            work = self.work if n_rows == recipe.batch_size else self.last_work
            if recipe.shuffle:
                samples.gather(order[rows], work)
            else:
                samples.slice(rows, work)
            loss_sum += n_rows * self._descend(work, n_rows)
            if rows.stop == n_samples:  # the step will spend the gradient
                self._note_gradients()
            penalty_sum += n_rows * self._step(work, n_rows, rate)
        return self.objective.reported(loss_sum / n_samples, penalty_sum / n_samples)

    def _descend(self, work, n_rows):
        return self.objective.descend(work, n_rows)

    def _note_gradients(self):
        self.gradient_norms = norms_of(self.gradients)

    def _step(self, work, n_rows, rate):
        """Move the parameters; return the penalty that they had."""
        return self.stepper.step(n_rows, rate)


class _TouchedRowsEpoch(MiniBatchEpoch):
    """The same where only the touched rows of the first weights need work."""

    def _make_stepper(self, training):
        return Stepper(
            training, self.work.grad, first=self.state.network.weights[0].size
        )

    def run(self, rates):
        self.first = TouchedRows(self.state.network.weights[0])
        try:
            loss = super().run(rates)
            self.gradient_norms = (self.first.gradient_norm, *self.gradient_norms)
            return loss
        finally:
            self.first.settle(self.first.scale)

    def _note_gradients(self):
        self.first.notes_gradient = True  # it is computed in the step that follows
        self.gradient_norms = norms_of(self.gradients[1:])

    def _descend(self, work, n_rows):
        work.x = work.x * self.first.scale
        return self.objective.propagate(work, n_rows)

    def _step(self, work, n_rows, rate):
        penalty = super()._step(work, n_rows, rate)
        strength = self.objective.strength(n_rows)
        penalty += 0.5 * strength * self.first.squared_norm
        self.first.step(work.x, work.delta[0], rate, 1.0 - rate * strength)
        return penalty
