"""What both estimators share: validation on the way in, fitted attributes out."""

import copy
import warnings
from contextlib import contextmanager, nullcontext
from math import inf
from numbers import Integral, Real

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, _fit_context, is_regressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer_names
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import (
    Interval,
    InvalidParameterError,
    Options,
    StrOptions,
)
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)

from ._held_out import Judge, check_some_weight, split
from ._parts import build, check_unchanged, did_you_mean, make_architecture
from ._threads import blas_threads
from .core.activations import ACTIVATIONS, OUTPUT_ACTIVATIONS, Activation
from .core.network import BLOCK_ROWS
from .core.objective import Objective
from .core.optimizers import OPTIMIZERS
from .core.samples import Samples
from .core.schedules import SCHEDULES
from .core.training import (
    Epoch,
    Recipe,
    Training,
    TrainingState,
    Watch,
    lbfgs,
    mini_batches,
)


def is_stochastic(estimator):
    if estimator.solver == "lbfgs":
        raise AttributeError(
            "partial_fit is only available for stochastic optimizers. "
            f"{estimator.solver} is not stochastic. Set solver to one of "
            f"{sorted(OPTIMIZERS)}."
        )
    return True


def check_range(values, dtype, name):
    """Raise ValueError where values are beyond the range of the dtype computed in."""
    if values.dtype.kind != "f" or values.dtype.itemsize <= dtype.itemsize:
        return
    values = values.data if issparse(values) else values
    largest = max(values.max(initial=0.0), -values.min(initial=0.0))
    if largest > np.finfo(dtype).max:
        raise ValueError(
            f"{name} contains {largest:g}, which is too large for {dtype}; allowed are "
            f"values up to {np.finfo(dtype).max:g}. Scale {name}, or fit with "
            "dtype='float64'."
        )


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


class BaseBackprop(BaseEstimator):
    """Base of `BackpropClassifier` and `BackpropRegressor`."""

    _parameter_constraints: dict = {
        "hidden_layer_sizes": [
            "array-like",
            Interval(Integral, 1, None, closed="left"),
        ],
        "activation": [StrOptions(set(ACTIVATIONS)), "array-like", Activation],
        "output_activation": [
            StrOptions({"auto", *OUTPUT_ACTIVATIONS}),
            Activation,
        ],
        "solver": [StrOptions({"lbfgs", *OPTIMIZERS})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
        ],
        "learning_rate": [StrOptions(set(SCHEDULES))],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
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
        solver,
        alpha,
        batch_size,
        learning_rate,
        learning_rate_init,
        power_t,
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
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
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
    def fit(self, X, y, sample_weight=None):
        """Fit the network to training data.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data, computed with in the precision that `dtype` names. A
            numeric array in C order is not copied, whatever its dtype.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The target values: class labels or a label indicator in
            classification, real numbers in regression.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, zero or more.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            Where parameters or data do not fit each other, or where training
            diverges. An earlier fit is left as it was.
        """
        with _unchanged_on_error(self):
            return self._fit(X, y, sample_weight, self.warm_start)

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
            return self._fit(X, y, sample_weight, True, classes, incremental=True)

    def _fit(self, X, y, weight, carry_on, classes=None, incremental=False):
        self._check_solver_settings()
        carry_on = carry_on and hasattr(self, "_state")
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            dtype="numeric",
            order="C",
            multi_output=True,
            y_numeric=is_regressor(self),
            reset=not carry_on,
        )
        dtype = self._computing_dtype(X, carry_on)
        check_range(X, dtype, "X")
        targets, codes = self._encode(y, dtype, carry_on, incremental, classes)
        samples = Samples(X, targets, codes, self._check_weight(weight, X, dtype))
        n_outputs = targets.shape[1]
        params = self.get_params(deep=False)
        architecture = make_architecture(
            params,
            self._loss_in_core(),
            self._default_output_activation,
            n_outputs,
        )
        self._check_output(architecture)
        architecture.loss.check_targets(targets)
        if carry_on:
            check_unchanged(self._fingerprints, architecture.fingerprints())
            state = self._state.copy()
        else:
            self._architecture = architecture
            self._fingerprints = architecture.fingerprints()
            state = self._initial_state(X.shape[1], n_outputs, dtype)
        if not incremental:
            state.begin_fit()
        self._train(state, samples, params, carry_on, incremental)
        return self

    def _initial_state(self, n_inputs, n_outputs, dtype):
        rng = check_random_state(self.random_state)
        if self.random_state is None:
            # A stream of its own, which can be copied and pickled.
            rng = np.random.RandomState(rng.randint(np.iinfo(np.int32).max))
        network = self._architecture.network(n_inputs, n_outputs, dtype, rng)
        return TrainingState(network, rng, split_rng=copy.deepcopy(rng))

    def _train(self, state, samples, params, carry_on, incremental):
        """Train the state on the samples, and take it over."""
        held_out = None
        if self.early_stopping:
            # Carrying on, the same samples have to be held out as before.
            rng = copy.deepcopy(state.split_rng) if carry_on else state.rng
            samples, held_out = split(samples, self.validation_fraction, rng)
        check_some_weight(samples, "trained on")
        max_iter = 1 if incremental else self.max_iter
        recipe = self._recipe(params, len(samples), max_iter)
        state.remember_for(recipe.optimizer)
        objective = Objective(
            state.network,
            self._architecture.loss,
            0.0 if recipe.weight_decay else float(self.alpha),
            samples.mean_weight,
            self._n_averaged(state.network.sizes[-1]),
        )
        self._state = state
        self._publish()  # a scorer may want to look at the attributes
        validate = None
        if held_out is not None:
            validate = Judge(objective, held_out, self.scoring, self)
        training = Training(state, objective, samples, recipe, validate, self._print)
        with blas_threads(state.network, min(recipe.batch_size, BLOCK_ROWS)):
            outcome = training.run(lbfgs if self.solver == "lbfgs" else mini_batches)
        self._publish()
        if self.early_stopping:
            # Further epochs, without early stopping, watch a loss, not a score.
            state.watch = Watch()
        if outcome.reason == "interrupted" or not incremental:
            self._explain_end(outcome)

    def _recipe(self, params, n_samples, max_iter):
        """Gather what the parameters say about how to train."""
        optimizer = schedule = None
        decays_weights = False
        batch_size = n_samples
        if self.solver != "lbfgs":
            optimizer = build(OPTIMIZERS[self.solver], params)
            schedule = build(SCHEDULES[self.learning_rate], params)
            decays_weights = optimizer.decays_weights
            batch_size = self._rows_a_batch(n_samples)
        return Recipe(
            optimizer=optimizer,
            schedule=schedule,
            weight_decay=float(self.alpha) if decays_weights else 0.0,
            batch_size=batch_size,
            shuffle=self.shuffle,
            max_iter=max_iter,
            max_fun=self.max_fun,
            tol=self.tol,
            n_iter_no_change=self.n_iter_no_change,
            clip_norm=None if self.clip_norm is None else float(self.clip_norm),
        )

    def _rows_a_batch(self, n_samples):
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

    def _check_solver_settings(self):
        if self.solver != "lbfgs":
            return
        if self.learning_rate != "constant":
            raise ValueError(
                f"learning_rate={self.learning_rate!r} has no meaning for "
                "solver='lbfgs', which searches for its step lengths; allowed is "
                "'constant', which is not used."
            )
        if self.clip_norm is not None:
            raise ValueError(
                f"clip_norm={self.clip_norm!r} has no meaning for solver='lbfgs', "
                "which needs the whole gradient; allowed is None."
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

    def _check_weight(self, weight, X, dtype):
        if weight is None:
            return None
        return _check_sample_weight(weight, X, dtype=dtype, ensure_non_negative=True)

    # --------------------------------------------------------- what was learned

    def _print(self, n_epochs, record):
        if self.verbose:
            print(f"Iteration {n_epochs}, loss = {record.loss:.8f}")
            if self.early_stopping:
                print(f"Validation score: {record.validation_score:f}")

    def _publish(self):
        """Set the fitted attributes that are not read from the state itself."""
        state = self._state
        self.n_iter_ = state.n_epochs
        self.t_ = state.n_seen
        self.n_layers_ = len(state.network.sizes)
        self.n_outputs_ = state.network.sizes[-1]
        self.out_activation_ = self._architecture.output_name
        self.loss_ = state.loss
        self.best_loss_ = None if self.early_stopping else -state.watch.best
        self.best_validation_score_ = state.watch.best if self.early_stopping else None

    def _explain_end(self, outcome):
        """Warn, or print, why training ended."""
        if outcome.reason == "interrupted":
            warnings.warn(
                "Training interrupted by user. The weights reached so far, after "
                f"{self.n_iter_} whole epochs, are kept and can be used.",
                stacklevel=2,
            )
        elif outcome.reason == "converged" and self.verbose:
            what = "Validation score" if self.early_stopping else "Training loss"
            print(
                f"{what} did not improve more than tol={self.tol:f} for "
                f"{self.n_iter_no_change} consecutive epochs. Stopping."
            )
        elif self.solver == "lbfgs" and outcome.message:
            warnings.warn(
                f"lbfgs failed to converge after {self.n_iter_} iteration(s) "
                f"{outcome.message}\nIncrease the number of iterations to improve "
                f"the convergence (max_iter={self.max_iter}), or scale the data, for "
                "example with sklearn.preprocessing.StandardScaler.",
                ConvergenceWarning,
                stacklevel=2,
            )
        elif outcome.reason == "max_iter":
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached "
                "and the optimization hasn't converged yet. Increase max_iter, raise "
                "tol or learning_rate_init, or scale the inputs if they are not.",
                ConvergenceWarning,
                stacklevel=2,
            )

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_state")

    @property
    def coefs_(self):
        """Weights of each layer, arrays of shape (fan_in, fan_out)."""
        return self._trained.network.weights

    @property
    def intercepts_(self):
        """Biases of each layer, arrays of shape (fan_out,)."""
        return self._trained.network.biases

    @property
    def loss_curve_(self):
        """Loss of each epoch since the network was made."""
        return [epoch.loss for epoch in self._trained.history]

    @property
    def validation_scores_(self):
        """Score of each epoch on the held-out samples; None without them."""
        if self.best_validation_score_ is None:
            return None
        return [epoch.validation_score for epoch in self._trained.history]

    @property
    def history_(self):
        """What was recorded of each epoch, a `pandas.DataFrame`."""
        import pandas as pd

        history = pd.DataFrame(
            self._trained.history, columns=Epoch._fields, dtype=float
        )
        history.index = pd.RangeIndex(1, len(history) + 1, name="epoch")
        return history

    @property
    def _trained(self):
        # AttributeError is what hasattr and check_is_fitted expect.
        if not hasattr(self, "_state"):
            raise AttributeError(f"This {type(self).__name__} is not fitted yet.")
        return self._state

    # ------------------------------------------------------------- predictions

    def _outputs(self, X):
        """Return the outputs of the network, of shape (n_samples, n_outputs)."""
        check_is_fitted(self)
        X = validate_data(
            self,
            X,
            accept_sparse="csr",
            dtype="numeric",
            reset=False,
        )
        network = self._state.network
        check_range(X, network.dtype, "X")
        n_rows = min(X.shape[0], BLOCK_ROWS)
        # One row, as services ask for it, has nothing for threads to share.
        with blas_threads(network, n_rows) if n_rows > 1 else nullcontext():
            return network.predict(X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
