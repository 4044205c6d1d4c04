"""What both estimators share: parameters, and the way from data to a network."""

import copy
import warnings
from contextlib import contextmanager
from math import inf, nan
from numbers import Integral, Real

import joblib
import numpy as np
from sklearn.base import BaseEstimator, _fit_context, is_regressor
from sklearn.metrics import get_scorer_names
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import (
    Interval,
    InvalidParameterError,
    Options,
    StrOptions,
)
from sklearn.utils.validation import _check_sample_weight, check_X_y, validate_data

from .._data.columns import ColumnEncoder, find_categorical, is_dataframe
from .._data.scaling import FittedScalers, with_scaled_targets
from .._data.validation_split import check_some_weight, split
from ..core.activations import ACTIVATIONS, OUTPUT_ACTIVATIONS, Activation
from ..core.config import TrainingConfig
from ..core.initializers import INITIALIZERS
from ..core.layout import BLOCK_ROWS
from ..core.lbfgs import lbfgs
from ..core.objective import Objective
from ..core.optimizers import OPTIMIZERS
from ..core.samples import Samples
from ..core.schedules import SCHEDULES
from ..core.state import ConvergenceMonitor, TrainingState
from ..core.training import Training, mini_batches
from .architecture import (
    build,
    check_unchanged,
    did_you_mean,
    dropout_rates,
    make_architecture,
    make_schedule,
    set_initial_parameters,
)
from .callback_support import CallbackSupportMixin, FitCallbackContext, with_callbacks
from .fitted import FittedNetwork, check_range, sum_duplicates
from .messages import EpochPrinter, warn_on_stop
from .pickling import PersistenceMixin
from .scoring import ValidationScorer
from .threads import blas_threads

#: What L-BFGS can't do, the value that asks nothing of it, and why.
LBFGS_UNSUPPORTED = (
    ("learning_rate", "constant", "searches for its step lengths"),
    ("warmup_steps", 0, "searches for its step lengths"),
    ("clip_norm", None, "needs the whole gradient"),
    ("max_norm", None, "needs free parameters"),
    ("dropout", 0.0, "needs the same cost in every evaluation"),
    ("l1_alpha", 0.0, "needs a smooth penalty"),
)


def is_stochastic(estimator):
    if estimator.solver == "lbfgs":
        raise AttributeError(
            "partial_fit is only available for stochastic optimizers. "
            f"{estimator.solver} is not stochastic. Set solver to one of "
            f"{sorted(OPTIMIZERS)}."
        )
    return True


@contextmanager
def _unchanged_on_error(estimator):
    """Leave a fitted estimator as it was where fitting it again fails."""
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def _check_same_validation(training):
    """Raise ValueError where resuming does not find the validation loss again."""
    before = training.state.history[-1].validation_loss
    now = training.validate.loss() if training.validate else nan
    if not np.isclose(now, before, rtol=1e-6, equal_nan=True):
        raise ValueError(
            f"X_val, y_val or sample_weight_val differ from those before: the "
            f"validation loss was {before}, and is {now}."
        )


class BaseBackprop(
    PersistenceMixin, CallbackSupportMixin, FittedNetwork, BaseEstimator
):
    """Base of `BackpropClassifier` and `BackpropRegressor`."""

    _parameter_constraints: dict = {
        "hidden_layer_sizes": [
            "array-like",
            Interval(Integral, 1, None, closed="left"),
        ],
        "activation": [
            StrOptions(set(ACTIVATIONS)),
            "array-like",
            Activation,
            callable,
        ],
        "output_activation": [
            StrOptions({"auto", *OUTPUT_ACTIVATIONS}),
            Activation,
            callable,
        ],
        "standardize": ["boolean"],
        "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
        "init": [StrOptions({"auto", *INITIALIZERS}), callable],
        "solver": [StrOptions({"lbfgs", *OPTIMIZERS})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "l1_alpha": [Interval(Real, 0, None, closed="left")],
        "max_norm": [Interval(Real, 0, None, closed="neither"), None],
        "dropout": [Interval(Real, 0, 1, closed="left"), "array-like"],
        "batch_size": [
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
        ],
        "learning_rate": [StrOptions(set(SCHEDULES)), callable],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "decay_rate": [Interval(Real, 0, 1, closed="right")],
        "warmup_steps": [Interval(Integral, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "scoring": [StrOptions({"loss", *get_scorer_names()}), callable],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_iter_no_change": [
            Interval(Integral, 1, None, closed="left"),
            Options(Real, {inf}),
        ],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
        "clip_norm": [Interval(Real, 0, None, closed="neither"), None],
        "dtype": [StrOptions({"float32", "float64"}), None],
    }

    # The defaults stand where users look for them, in the two estimators.
    def __init__(
        self,
        *,
        hidden_layer_sizes,
        activation,
        loss,
        output_activation,
        standardize,
        categorical_features,
        init,
        solver,
        alpha,
        l1_alpha,
        max_norm,
        dropout,
        batch_size,
        learning_rate,
        learning_rate_init,
        power_t,
        decay_rate,
        warmup_steps,
        max_iter,
        shuffle,
        random_state,
        tol,
        verbose,
        warm_start,
        momentum,
        nesterovs_momentum,
        early_stopping,
        scoring,
        validation_fraction,
        beta_1,
        beta_2,
        epsilon,
        n_iter_no_change,
        max_fun,
        clip_norm,
        dtype,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.loss = loss
        self.output_activation = output_activation
        self.standardize = standardize
        self.categorical_features = categorical_features
        self.init = init
        self.solver = solver
        self.alpha = alpha
        self.l1_alpha = l1_alpha
        self.max_norm = max_norm
        self.dropout = dropout
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.decay_rate = decay_rate
        self.warmup_steps = warmup_steps
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.scoring = scoring
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.clip_norm = clip_norm
        self.dtype = dtype

    def _validate_params(self):
        try:
            super()._validate_params()
        except InvalidParameterError as error:
            name = str(error).split("'")[1]  # "The 'solver' parameter of ..."
            raise InvalidParameterError(f"{error}{self._suggestion(name)}") from None

    def _suggestion(self, name):
        """Name the known value nearest to the unknown one of this parameter."""
        known = [
            option
            for constraint in self._parameter_constraints[name]
            if isinstance(constraint, StrOptions)
            for option in constraint.options
        ]
        return did_you_mean(getattr(self, name), known)

    # ---------------------------------------------------------------- fitting

    @_fit_context(prefer_skip_nested_validation=True)
    @with_callbacks
    def fit(
        self,
        X,
        y,
        sample_weight=None,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
        coefs_init=None,
        intercepts_init=None,
    ):
        """Fit the network to the training data.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. A numeric array in C order is not copied, whatever its dtype.
            Computations use the precision set by `dtype`.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target values: class labels or a label indicator matrix in classification,
            real numbers in regression.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative sample weights. If None, all samples have weight 1.
        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Validation data. The validation loss and score are recorded after each
            epoch. With ``early_stopping=True``, the validation data replace the samples
            held out from `X` and determine when training stops. In a pipeline, use
            ``Pipeline(..., transform_input=["X_val"])`` to transform `X_val` like `X`.
        y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
            Target values of the validation data. Required if `X_val` is passed.
        sample_weight_val : array-like of shape (n_val,), default=None
            Non-negative sample weights of the validation data.
        coefs_init : sequence of array-like of shape (fan_in, fan_out), default=None
            Initial weights of each layer. If the estimator standardizes or encodes the
            inputs, the weights apply to the transformed inputs. If None, the weights
            come from `init`, or from the previous fit if ``warm_start=True``.
        intercepts_init : sequence of array-like of shape (fan_out,), default=None
            Initial biases of each layer. If None, the biases come from `init`, or from
            the previous fit if ``warm_start=True``.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If parameters and data do not match, or if training diverges. The result of
            a previous fit is then not changed.
        """
        validation = (X_val, y_val, sample_weight_val)
        start = (coefs_init, intercepts_init)
        return self._fit(X, y, sample_weight, validation, start, self.warm_start)

    def _fit(self, X, y, weight, validation, start, carry_on, resume=False):
        task = FitCallbackContext(self, X, y, weight)
        with _unchanged_on_error(self):
            task.begin()
            training = self._prepare(
                X, y, weight, validation, start, carry_on, resume=resume
            )
            outcome = self._run(training, self.max_iter, task.observers)
            if outcome.reason != "interrupted":  # else it can be resumed yet
                task.end()
        return self

    @with_callbacks
    def _resume(self, X, y, weight, *validation):
        """Go on with a fit in whose midst the attributes were kept."""
        return self._fit(
            X, y, weight, validation, (None, None), carry_on=True, resume=True
        )

    def _partial_fit(self, X, y, sample_weight, classes=None):
        # scikit-learn validates only in the first call, but parameters may change.
        self._validate_params()
        with _unchanged_on_error(self):
            if self.early_stopping:
                raise ValueError(
                    "partial_fit does not support early_stopping=True: it makes "
                    "one epoch and does not decide when to stop. Set "
                    "early_stopping=False, or call fit."
                )
            training = self._prepare(
                X, y, sample_weight, carry_on=True, incremental=True, classes=classes
            )
            self._run(training, None)
        return self

    def _prepare(
        self,
        X,
        y,
        weight,
        validation=(None, None, None),
        start=(None, None),
        carry_on=False,
        incremental=False,
        resume=False,
        classes=None,
    ):
        """Make everything ready for training, the network included."""
        self._check_solver_settings()
        carry_on = self._carries_on(carry_on)
        X, y = self._check_data(X, y, learn=not carry_on)
        dtype = self._computing_dtype(X, carry_on)
        samples = self._make_samples(
            X, y, weight, dtype, carry_on, incremental, classes
        )
        return self._plan(
            samples, dtype, validation, start, carry_on, incremental, resume
        )

    def _carries_on(self, wanted):
        """Say whether training goes on from a fitted network, if that is wanted."""
        carries_on = wanted and hasattr(self, "_state")
        if carries_on:
            check_unchanged(self._frozen, self._frozen_parameters())
        return carries_on

    def _plan(
        self,
        samples,
        dtype,
        validation,
        start=(None, None),
        carry_on=False,
        incremental=False,
        resume=False,
    ):
        """Make ready for training on samples, wherever they lie."""
        self.n_outputs_ = samples.targets.shape[1]
        self._learn_class_weight(samples, carry_on and incremental)
        held_out = self._check_validation(dtype, *validation)
        params = self.get_params(deep=False)
        architecture = self._make_architecture(params, samples, held_out)
        state = self._begin(architecture, samples.n_inputs, dtype, carry_on, resume)
        if held_out is None and self.early_stopping:
            # Carrying on, the same samples have to be held out as before.
            rng = copy.deepcopy(state.split_rng) if carry_on else state.rng
            samples, held_out = split(samples, self.validation_fraction, rng)
        samples = self._weigh_classes(samples)
        check_some_weight(samples, "trained on")
        if not resume:
            self._open(state, samples, carry_on, incremental)
        if set_initial_parameters(state.network, *start):
            state.optimizer = None  # its moments are those of other weights
        n_epochs = 1 if incremental else self.max_iter - state.n_epochs
        config = self._recipe(params, len(samples), n_epochs)
        training = self._make_training(state, samples, config)
        if held_out is not None:
            training.validate = self._make_validation_scorer(
                training.objective, held_out
            )
        if resume:
            training.resumes = True
            _check_same_validation(training)
        return training

    def _open(self, state, samples, carry_on, incremental):
        """Take note of samples, unless training resumes on them."""
        state.reset_early_stopping()
        if not incremental:
            state.reset_fit_counters()
        state.update_weight_totals(samples)
        self._scale(state.network, samples, carry_on)
        if not carry_on:
            self._start_outputs(state.network, samples)

    def _make_architecture(self, params, samples, held_out):
        architecture = make_architecture(
            params,
            self._loss_in_core(),
            self._default_output_activation,
            self.n_outputs_,
        )
        self._check_output(architecture)
        architecture.loss.check_targets(samples.targets)
        if held_out is not None:
            try:
                architecture.loss.check_targets(held_out.targets)
            except ValueError as error:
                raise ValueError(f"In y_val: {error}") from error
        return architecture

    def _begin(self, architecture, n_inputs, dtype, carry_on, resume):
        """Return the state that training starts from: a new one, or the last."""
        fingerprints = architecture.fingerprints()
        if carry_on:
            check_unchanged(self._fingerprints, fingerprints)
            # A fit that fails must leave the last one as it was; a copy has random
            # numbers of its own, which an uninterrupted fit would not have.
            return self._state if resume else self._state.copy()
        self._architecture, self._fingerprints = architecture, fingerprints
        self._frozen = self._frozen_parameters()
        self._scales = FittedScalers()
        rng = check_random_state(self.random_state)
        if self.random_state is None:
            # A stream of its own, which can be copied and pickled.
            rng = np.random.RandomState(rng.randint(np.iinfo(np.int32).max))
        network = architecture.network(n_inputs, self.n_outputs_, dtype, rng)
        return TrainingState(network, rng, split_rng=copy.deepcopy(rng))

    def _make_training(self, state, samples, config):
        state.init_optimizer_state(config.optimizer)
        objective = Objective(
            state.network,
            self._architecture.loss,
            0.0 if config.weight_decay else float(self.alpha),
            state.mean_weight,
            self._n_averaged(state.network.sizes[-1]),
            float(self.l1_alpha),
        )
        by_loss = isinstance(self.scoring, str) and self.scoring == "loss"
        state.monitor.accumulates = self.early_stopping and by_loss
        self._state = state
        self._publish()  # a scorer may want to look at the attributes
        samples = self._with_scaled_targets(samples)
        return Training(state, objective, samples, config)

    def _make_validation_scorer(self, objective, held_out):
        weighed = self._weigh_classes(held_out)
        check_some_weight(weighed, "of the validation data")
        scaled = self._with_scaled_targets(weighed)
        return ValidationScorer(objective, scaled, self.scoring, self, held_out)

    def _run(self, training, n_epochs, observers=(), method=None):
        """Train, and take over what has been learned.

        `n_epochs` are those of the whole fit at most, None in `partial_fit`.
        """
        method = method or (lbfgs if self.solver == "lbfgs" else mini_batches)
        printers = (EpochPrinter(n_epochs),) if self.verbose else ()
        training.observers = (*printers, *observers)
        network, batch_size = training.state.network, training.config.batch_size
        with blas_threads(network, min(batch_size, BLOCK_ROWS)):
            outcome = training.run(method)
        self._publish()
        if self.early_stopping:
            # Further epochs, without early stopping, watch a loss, not a score.
            training.state.monitor = ConvergenceMonitor()
        if outcome.reason == "interrupted" or n_epochs is not None:
            warn_on_stop(self, outcome)
        return outcome

    def _recipe(self, params, n_samples, n_epochs):
        """Gather what the parameters say about how to train."""
        optimizer = schedule = None
        decays_weights = False
        batch_size = n_samples
        if self.solver != "lbfgs":
            optimizer = build(OPTIMIZERS[self.solver], params)
            schedule = make_schedule(params)
            decays_weights = optimizer.decays_weights
            batch_size = self._get_batch_size(n_samples)
        return TrainingConfig(
            optimizer=optimizer,
            schedule=schedule,
            weight_decay=float(self.alpha) if decays_weights else 0.0,
            batch_size=batch_size,
            shuffle=self.shuffle,
            max_iter=n_epochs,
            planned_epochs=self.max_iter,
            max_fun=self.max_fun,
            tol=self.tol,
            n_iter_no_change=self.n_iter_no_change,
            clip_norm=None if self.clip_norm is None else float(self.clip_norm),
            max_norm=None if self.max_norm is None else float(self.max_norm),
            dropout=dropout_rates(
                self.dropout, len(self._architecture.hidden_layer_sizes)
            ),
            early_stopping=self.early_stopping,
        )

    def _frozen_parameters(self):
        """Return what cannot change while training carries on, but its parts."""
        return {
            "standardize": self.standardize,
            "categorical_features": np.asarray(self.categorical_features).tolist(),
        }

    def _get_batch_size(self, n_samples):
        if isinstance(self.batch_size, str):
            return min(200, n_samples)
        if self.batch_size > n_samples:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is "
                f"going to be clipped: batch_size={self.batch_size} becomes "
                f"{n_samples}, all the samples trained on. Lower it, or set 'auto'.",
                stacklevel=2,
            )
        return min(int(self.batch_size), n_samples)

    # ----------------------------------------------------- what goes into training

    def _check_data(self, X, y, learn):
        """Return `X` as rows of numbers, and `y` as an array."""
        checks = dict(
            accept_sparse="csr",
            dtype="numeric",
            order="C",
            multi_output=True,
            y_numeric=is_regressor(self),
        )
        if learn:
            self.is_categorical_ = find_categorical(X, self.categorical_features)
            encodes = is_dataframe(X) or self.is_categorical_ is not None
            self._encoder = ColumnEncoder(self.is_categorical_) if encodes else None
        if self._encoder is None:
            X, y = validate_data(self, X, y, reset=learn, **checks)
            return sum_duplicates(X), y
        X = self._check_columns(X, learn)
        encode = self._encoder.fit_transform if learn else self._encoder.transform
        return check_X_y(encode(X), y, estimator=self, **checks)

    def _read(self, X, y, weight, dtype):
        """Return data like those that were learned from, as samples."""
        X, y = self._check_data(X, y, learn=False)
        return self._make_samples(
            X, y, weight, dtype, carry_on=True, incremental=True, classes=None
        )

    def _make_samples(self, X, y, weight, dtype, carry_on, incremental, classes):
        check_range(X, dtype, "X")
        targets, codes = self._encode(y, dtype, carry_on, incremental, classes)
        if weight is not None:
            weight = _check_sample_weight(
                weight, X, dtype=dtype, ensure_non_negative=True
            )
        return Samples(X, targets, codes, weight)

    def _check_validation(self, dtype, X, y, weight):
        """Return validation samples, None where there are none."""
        if X is None and y is None and weight is None:
            return None
        for name, value in (("X_val", X), ("y_val", y)):
            if value is None:
                raise ValueError(
                    f"{name} is missing: X_val and y_val must be passed together."
                )
        try:
            return self._read(X, y, weight, dtype)
        except ValueError as error:
            raise ValueError(
                f"In X_val, y_val or sample_weight_val: {error}"
            ) from error

    def _digest(self, X, y, sample_weight=None):
        """Return what tells these training data from others."""
        samples = self._read(X, y, sample_weight, self._state.network.dtype)
        rows = [samples.X]
        if samples.is_sparse:
            # Indices may be of 32 or 64 bits, in a matrix or an array.
            places = (samples.X.indices, samples.X.indptr)
            rows = [samples.X.data, *(place.astype(np.int64) for place in places)]
        return joblib.hash([rows, samples.targets, samples.codes, samples.weight])

    def _learn_class_weight(self, samples, carry_on):
        """Learn what each class weighs."""

    def _weigh_classes(self, samples):
        """Return samples, with what their classes weigh in their weights."""
        return samples

    @property
    def _scales_targets(self):
        return False

    def _start_outputs(self, network, samples):
        """Have the outputs start near what is known before the inputs are seen."""

    def _scale(self, network, samples, carry_on):
        """Learn the scales of these samples, too, and have the network use them."""
        if not self.standardize:
            return
        is_scaled = np.ones(samples.n_inputs, bool)
        if self._encoder is not None:
            is_scaled[self._encoder.n_numbers :] = False
        before = self._scales
        self._scales = before + samples.measured(FittedScalers.of, self._scales_targets)
        network.inputs = self._scales.standardized(is_scaled)
        if carry_on and self._scales_targets:
            network.rescale_outputs(*self._scales.output_rescaling(before))

    def _with_scaled_targets(self, samples):
        dtype = self._state.network.dtype
        return samples.changed(with_scaled_targets, self._scales, dtype)

    def _check_solver_settings(self):
        if self.solver != "lbfgs":
            return
        for name, neutral, why in LBFGS_UNSUPPORTED:
            value = getattr(self, name)
            if np.size(value) and np.any(np.asarray(value) != neutral):
                raise ValueError(
                    f"{name}={value!r} has no meaning for solver='lbfgs', which {why}; "
                    f"allowed is {neutral!r}."
                )

    def _computing_dtype(self, X, carry_on):
        """Return the dtype of all that is computed: parameters, outputs, losses."""
        before = self._state.network.dtype if carry_on else None
        if before is not None and self.dtype not in (None, before):
            raise ValueError(
                f"dtype has changed since the network was made, from {before} to "
                f"{self.dtype}, which partial_fit and warm_start=True cannot carry on "
                "from. Set it back, or call fit with warm_start=False."
            )
        single = X.dtype == np.float32
        return before or np.dtype(self.dtype or ("float32" if single else "float64"))

    # --------------------------------------------------------- what was learned

    def _publish(self):
        """Set the fitted attributes that are not read from the state itself."""
        state = self._state
        self.n_iter_ = state.n_epochs
        self.t_ = state.n_seen
        self.n_layers_ = len(state.network.sizes)
        self.n_outputs_ = state.network.sizes[-1]
        self.out_activation_ = self._architecture.output_name
        self.loss_ = state.loss
        self.best_loss_ = None if self.early_stopping else -state.monitor.best
        self.best_validation_score_ = (
            state.monitor.best if self.early_stopping else None
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
