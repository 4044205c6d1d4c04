"""Preparation of a training: network, scalers, objective and validation scorer."""

import copy
from dataclasses import replace
from functools import partial
from math import isnan, nan

import numpy as np
from sklearn.utils import check_random_state

from .._data.checks import check_mean_weight
from .._data.class_weight import compute_class_weights
from .._data.validation_split import split
from ..core.objective import Objective
from ..core.output_scaling import can_rescale_outputs
from ..core.state import TrainingState
from ..core.training import Start, Training
from .architecture import check_same_settings, make_architecture
from .convergence import set_reference
from .fit_kind import FitKind
from .initial_parameters import init_output_biases, set_initial_parameters
from .output_range import check_output_range
from .scoring import EstimatorScorer, ValidationScorer
from .training_config import make_config

#: Remedy for validation samples of classes that do not occur in the training data.
REMOVE_UNKNOWN = (
    "Remove the samples of the other classes from X_val and y_val, or add samples of "
    "all classes to X and y."
)


def build_training(
    estimator, kind, reader, samples, held_out=None, initial=(None, None)
):
    """Prepare everything for training, including the network.

    The estimator adopts the reader, the architecture and the state of the network.

    Parameters
    ----------
    estimator, kind, initial
        As in `fit_network`.
    reader : Reader
        Reader of the samples.
    samples : TrainingSamples or DistributedSamples
        Training samples.
    held_out : TrainingSamples, default=None
        Validation samples. If None, early stopping holds out some of the samples.

    Returns
    -------
    Training
    """
    class_weights = None
    if not reader.targets.are_numeric:
        reader = _count_classes(kind, reader, samples)
        class_weights = compute_class_weights(estimator.class_weight, reader)
    architecture = _settle_architecture(estimator, kind, reader, samples, held_out)
    state = _make_state(estimator, kind, reader, architecture, samples)
    if held_out is None and estimator.early_stopping:
        # Continued training holds out the same rows as before.
        rng = copy.deepcopy(state.split_rng) if kind.continues else state.rng
        samples, held_out = split(samples, estimator.validation_fraction, rng)
    if class_weights is not None:
        samples = samples.with_class_weights(class_weights)
    if kind is not FitKind.RESUMED:
        reader = _start_fit(estimator, kind, reader, architecture, state, samples)
    if reader.targets.are_numeric:
        check = partial(
            check_output_range, estimator, architecture, reader.scalers.output_scale
        )
        _check_targets(check, samples, held_out)
    has_initial = any(parameters is not None for parameters in initial)
    if has_initial:
        set_initial_parameters(state.network, *initial)
        state.optimizer = None  # moments of other parameters are useless
    estimator._adopt(reader, architecture, state)
    training = _make_training(estimator, kind, reader, architecture, state, samples)
    if held_out is not None:
        training.validate = _make_validation_scorer(
            estimator, training.objective, held_out, class_weights
        )
    if estimator.early_stopping and (has_initial or kind is FitKind.WARM):
        training.start = Start.CANDIDATE
    if kind is FitKind.RESUMED:
        training.start = Start.RESUMED
        _check_same_validation_loss(training)
    return training


def _count_classes(kind, reader, samples):
    """Return the reader with the class counts of the fit and its partial fits."""
    counts = samples.class_counts(len(reader.targets.classes))
    if kind is FitKind.NEXT_CHUNK:
        counts = counts + reader.class_counts
    return replace(reader, class_counts=counts)


def read_validation_data(estimator, reader, X, y, sample_weight):
    """Return the validation samples that the user passed, or None.

    Parameters
    ----------
    estimator : BaseBackprop
        Estimator that is being fitted.
    reader : Reader
        Reader of the training data.
    X, y, sample_weight : array-like or None
        Validation data.

    Returns
    -------
    TrainingSamples or None
    """
    if X is None and y is None and sample_weight is None:
        return None
    for name, value in (("X_val", X), ("y_val", y)):
        if value is None:
            raise ValueError(f"{name} is missing. Pass X_val and y_val together.")
    try:
        samples = reader.read(X, y, sample_weight, estimator, remedy=REMOVE_UNKNOWN)
        check_mean_weight(samples.weight_totals().mean, "validation")
        return samples
    except (TypeError, ValueError) as error:
        message = f"In X_val, y_val or sample_weight_val: {error}"
        raise type(error)(message) from error


def _settle_architecture(estimator, kind, reader, samples, held_out):
    """Return the architecture: that of the network if training continues."""
    architecture = make_architecture(estimator, reader.targets)
    _check_targets(architecture.loss.check_targets, samples, held_out)
    if kind.continues:
        before = estimator._architecture
        check_same_settings(before.settings, architecture.settings)
        return before
    return architecture


def _check_targets(check, samples, held_out):
    """Call a check with the targets of the training and the validation samples."""
    check(samples.targets)
    if held_out is not None:
        try:
            check(held_out.targets)
        except ValueError as error:
            raise ValueError(f"In y_val: {error}") from error


def _make_state(estimator, kind, reader, architecture, samples):
    """Return the state that training starts from."""
    if kind is FitKind.RESUMED:
        # A copy would draw different random numbers than the uninterrupted fit.
        return estimator._state
    if kind.continues:
        # If this fit fails, the state of the last fit must be unchanged.
        state = estimator._state
        shuffles = estimator.shuffle and samples.n_samples > 1
        draws = shuffles or np.any(estimator.dropout)
        return state.copy() if draws else state.fork()
    rng = check_random_state(estimator.random_state)
    if estimator.random_state is None:
        # A separate generator, which can be copied and pickled.
        rng = np.random.RandomState(rng.randint(np.iinfo(np.int32).max))
    network = architecture.make_network(samples.n_inputs, reader.dtype, rng)
    return TrainingState(network, rng, split_rng=copy.deepcopy(rng))


def _start_fit(estimator, kind, reader, architecture, state, samples):
    """Update the counters and the scalers; return the reader with the scalers."""
    if kind.continues:
        state.reset_early_stopping()
        if not kind.is_chunk:
            state.reset_fit_counters()
    totals = samples.weight_totals()
    check_mean_weight(totals.mean, "training", _get_class_weight(estimator))
    state.weight_totals += totals
    network = state.network
    if estimator.standardize:
        scalers = samples.fit_scalers(architecture.target_scaling)
        if kind.continues:
            scalers = _update_scalers(kind, reader.scalers, scalers, network)
        reader = replace(reader, scalers=scalers)
        network.inputs = scalers.input_transform()
    if architecture.starts_at_class_frequencies and not kind.continues:
        init_output_biases(network, reader.targets, samples)
    return reader


def _update_scalers(kind, before, added, network):
    """Return the scalers of all samples so far, and rescale the network to match."""
    scalers = before + added
    # The scales after the first chunks are too inaccurate to preserve the network.
    if kind is FitKind.WARM and before.inputs is not None:
        network.rescale_inputs(*scalers.input_rescaling(before))
    if scalers.targets is None:
        return scalers
    if not can_rescale_outputs(network.activations[-1]):
        # A new scale would change the predictions.
        return scalers.keep_target_scales(before)
    network.rescale_outputs(*scalers.output_rescaling(before))
    return scalers


def _make_training(estimator, kind, reader, architecture, state, samples):
    """Return the training of a network on samples."""
    n_epochs = 1 if kind.is_chunk else estimator.max_iter - state.n_epochs
    n_hidden = len(architecture.hidden_layer_sizes)
    config = make_config(estimator, samples.n_samples, n_hidden, n_epochs)
    state.init_optimizer_state(config.optimizer)
    state.monitor.accumulates = estimator.early_stopping and _scores_loss(estimator)
    totals = state.weight_totals
    alpha = 0.0 if config.weight_decay else float(estimator.alpha)
    objective = Objective(
        state.network,
        architecture.loss,
        alpha / totals.penalty_divisor,
        architecture.n_averaged_outputs,
        float(estimator.l1_alpha) / totals.penalty_divisor,
    )
    samples = samples.with_relative_weights(totals.mean, reader.dtype)
    if reader.targets.are_numeric:  # class targets need no scaling, not even in Dask
        samples = samples.with_scaled_targets(reader.scalers, reader.dtype)
    training = Training(
        state,
        objective,
        samples,
        config,
        output_limits=reader.scalers.output_limits(reader.dtype),
    )
    # One epoch of `partial_fit` cannot converge, but can end a plateau.
    if not kind.is_chunk or estimator.learning_rate == "adaptive":
        scores_loss = not estimator.early_stopping or _scores_loss(estimator)
        scales_targets = reader.scalers.targets is not None
        set_reference(training, scores_loss=scores_loss, scales_targets=scales_targets)
    return training


def _get_class_weight(estimator):
    return getattr(estimator, "class_weight", None)  # regressors have none


def _scores_loss(estimator):
    return isinstance(estimator.scoring, str) and estimator.scoring == "loss"


def _make_validation_scorer(estimator, objective, held_out, class_weights):
    """Return the scorer of the validation samples.

    The loss uses class weights and scaled targets; scores do not.
    """
    weighted = held_out
    if class_weights is not None:
        weighted = held_out.with_class_weights(class_weights)
    mean_weight = weighted.weight_totals().mean
    check_mean_weight(mean_weight, "validation", _get_class_weight(estimator))
    reader = estimator._reader
    weighted = weighted.with_relative_weights(mean_weight, reader.dtype)
    scaled = weighted.with_scaled_targets(reader.scalers, reader.dtype)
    scorer = None if _scores_loss(estimator) else EstimatorScorer(estimator, held_out)
    return ValidationScorer(objective, scaled, scorer)


def _check_same_validation_loss(training):
    """Raise ValueError if resumed training has other validation data than before."""
    before = training.state.history[-1].validation_loss
    now = training.validate.loss() if training.validate else nan
    if isnan(before) != isnan(now):
        had, remedy = ("no ", "Do not pass") if isnan(before) else ("", "Pass")
        raise ValueError(
            f"The interrupted fit had {had}validation data. {remedy} X_val and y_val."
        )
    if not np.isclose(now, before, rtol=1e-6, equal_nan=True):
        raise ValueError(
            "X_val, y_val or sample_weight_val differ from the validation data of the "
            f"interrupted fit: the validation loss was {before}, and is {now}. Pass "
            "the same data as in the interrupted fit."
        )
