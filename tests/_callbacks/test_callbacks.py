"""Tests of callbacks: tasks, data, fitted estimators, stopping and logging."""

import copy
import csv
import math
import pickle
import threading
from collections import Counter
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted
from small_fits import error_of, ignore_convergence_warning
from small_networks import (
    CODES,
    ESTIMATORS,
    LABELS,
    NAMES,
    NUMBERS,
    WEIGHT,
    X,
    assert_same_network,
    classifier,
    regressor,
    small,
    to_dataframe,
)

pytest.importorskip("sklearn.callback")

from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.callback._callback_context import CallbackContext, get_context_path

from skbackprop import BackpropClassifier, EpochEndCallback, HistoryLogger
from skbackprop._estimators.fitting import prepare_training
from skbackprop.core.optimizers import OPTIMIZERS
from skbackprop.core.training import Observer, mini_batches

SPARSE = csr_matrix(np.where(X > 0.3, X, 0.0))
SOLVERS = ["lbfgs", *OPTIMIZERS]
solvers = pytest.mark.parametrize("solver", SOLVERS)
LBFGS_OR_ADAM = pytest.mark.parametrize("solver", ["lbfgs", "adam"])
SETUP, BEGIN, END = "setup", "on_fit_task_begin", "on_fit_task_end"
TEARDOWN = "teardown"
FIT = ("fit", 0)


class Callback:
    """Callback that logs all hook calls and runs an optional action in each hook."""

    def __init__(self, action=None):
        self.log, self.action = [], action

    def setup(self, estimator, context):
        return self.record(SETUP, estimator, context)

    def teardown(self, estimator, context):
        return self.record(TEARDOWN, estimator, context)

    def on_fit_task_begin(self, estimator, context):
        return self.record(BEGIN, estimator, context)

    def on_fit_task_end(self, estimator, context):
        return self.record(END, estimator, context)

    def record(self, hook, estimator, context):
        self.log.append((hook, context.task_name, context.task_id))
        if self.action is not None:
            return self.action(hook, estimator, context)
        return None


def expected_log(n_epochs):
    """Return the hook calls that a fit with `n_epochs` epochs must produce."""
    log = [(SETUP, *FIT), (BEGIN, *FIT)]
    for i in range(n_epochs):
        log += [(BEGIN, "epoch", i), (END, "epoch", i)]
    return [*log, (END, *FIT), (TEARDOWN, *FIT)]


class Snapshots:
    """Callback that stores each fitted estimator and its current predictions."""

    def __init__(self, X):
        self.X, self.fitted, self.outputs = X, [], []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        self.fitted.append(fitted_estimator)
        self.outputs.append(predict_outputs(fitted_estimator, self.X))


class Data:
    """Callback that stores the data passed to the hooks."""

    def __init__(self):
        self.calls = []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context, *, X, y, metadata):
        self.calls.append((BEGIN, context.task_name, X, y, metadata))

    def on_fit_task_end(self, estimator, context, *, X, y, metadata):
        self.calls.append((END, context.task_name, X, y, metadata))


def predict_outputs(fitted, X):
    predict = getattr(fitted, "predict_proba", fitted.predict)
    return np.array(predict(X))


def call_after(n_epochs, action):
    """Return a callback that calls `action` once, after epoch `n_epochs`."""

    called = []

    def act(estimator, epoch):
        if called or estimator.n_iter_ != n_epochs:
            return None
        called.append(True)
        return action(estimator)

    return EpochEndCallback(act)


def fail(*_, **__):
    raise ZeroDivisionError("intended")


# ---------------------------------------------------------- order of the tasks


@pytest.mark.parametrize("data", [X, SPARSE], ids=["dense", "sparse"])
@solvers
@ESTIMATORS
def test_each_epoch_is_a_subtask_of_the_fit_task(make, y, solver, data):
    # An epoch has several batches, but callbacks run only once per epoch.
    params = {} if solver == "lbfgs" else {"batch_size": 20}
    callback = Callback()
    estimator = small(make, solver=solver, **params).set_callbacks(callback)
    estimator.fit(data, y)
    assert estimator.n_iter_ >= 4
    assert callback.log == expected_log(estimator.n_iter_)


@pytest.mark.parametrize(
    "params",
    [
        {"momentum": 0.0, "solver": "sgd"},
        {"early_stopping": True},
        {"early_stopping": True, "solver": "lbfgs"},
        {"dropout": 0.2},
        {"learning_rate": "adaptive", "solver": "sgd"},
        {"learning_rate": "cosine", "max_iter": 7},
    ],
    ids=str,
)
@ignore_convergence_warning
def test_each_epoch_is_a_subtask_with_any_parameters(params):
    callback = Callback()
    net = small(BackpropClassifier, **params).set_callbacks(callback)
    net.fit(SPARSE, CODES)
    assert callback.log == expected_log(net.n_iter_)


@pytest.mark.parametrize(
    "params", [{"tol": 1e9}, {"tol": 0.0, "max_fun": 8}, {"max_iter": 3}], ids=str
)
@ignore_convergence_warning
@ESTIMATORS
def test_each_lbfgs_iteration_that_begins_also_ends(make, y, params):
    callback = Callback()
    small(make, solver="lbfgs", **params).set_callbacks(callback).fit(X, y)
    begun = [task for hook, *task in callback.log if hook == BEGIN]
    ended = [task for hook, *task in callback.log if hook == END]
    assert sorted(begun) == sorted(ended)
    assert callback.log[-2:] == [(END, *FIT), (TEARDOWN, *FIT)]


def test_fit_task_has_max_iter_subtasks():
    contexts = []
    callback = Callback(lambda hook, net, context: contexts.append(context) or False)
    classifier(max_iter=77).set_callbacks(callback).fit(X, CODES)
    root = contexts[0]
    epochs = [task for task in contexts if task.task_name == "epoch"]
    assert root.max_subtasks == 77
    assert root.sequential_subtasks
    assert root.estimator_name == "BackpropClassifier"
    assert {task.max_subtasks for task in epochs} == {0}
    assert {task.parent for task in epochs} == {root}


def test_warm_start_calls_callbacks_again():
    callback = Callback()
    net = classifier(warm_start=True).set_callbacks(callback).fit(X, CODES)
    n_epochs = net.n_iter_
    net.fit(X, CODES)
    assert callback.log == expected_log(n_epochs) + expected_log(net.n_iter_)


@ESTIMATORS
def test_partial_fit_does_not_call_callbacks(make, y):
    callback = Callback()
    estimator = small(make).set_callbacks(callback)
    classes = {"classes": range(3)} if make is BackpropClassifier else {}
    estimator.partial_fit(X, y, **classes).partial_fit(X, y)
    assert callback.log == []


@LBFGS_OR_ADAM
@ESTIMATORS
def test_without_callbacks_no_epoch_task_is_created(make, y, solver, monkeypatch):
    monkeypatch.setattr(CallbackContext, "subcontext", fail)
    assert small(make, solver=solver).fit(X, y).n_iter_ > 3
    with pytest.raises(ZeroDivisionError):
        small(make, solver=solver).set_callbacks(Callback()).fit(X, y)


@LBFGS_OR_ADAM
@ESTIMATORS
def test_fit_leaves_no_callback_context_on_estimator(make, y, solver):
    attributes = vars(small(make, solver=solver).fit(X, y)).keys()
    estimator = small(make, solver=solver).set_callbacks(Callback()).fit(X, y)
    assert vars(estimator).keys() - attributes == {"_skl_callbacks"}


def test_fit_in_pipeline_is_a_subtask_of_the_pipeline():
    paths = []

    def record_path(hook, net, context):
        names = [(t.estimator_name, t.task_name) for t in get_context_path(context)]
        paths.append(names)

    net = classifier().set_callbacks(Callback(record_path))
    make_pipeline(StandardScaler(), net).fit(X, CODES)
    assert paths[2] == [
        ("Pipeline", "fit"),
        ("BackpropClassifier", "fit"),
        ("BackpropClassifier", "epoch"),
    ]


# ----------------------------------------------------------------- the data


@pytest.mark.parametrize(
    ("data", "y"),
    [
        (X, CODES),
        (X.tolist(), NAMES.tolist()),
        (to_dataframe(), pd.Series(NAMES)),
        (SPARSE, CODES),
        (X, LABELS),
    ],
    ids=["arrays", "lists", "dataframes", "sparse", "multilabel"],
)
@pytest.mark.parametrize("weight", [None, WEIGHT, WEIGHT.tolist()])
def test_hooks_receive_the_data_passed_to_fit(data, y, weight):
    callback = Data()
    net = classifier().set_callbacks(callback).fit(data, y, weight)
    assert len(callback.calls) == 2 * net.n_iter_ + 2
    for _, _, passed_X, passed_y, metadata in callback.calls:
        assert passed_X is data
        assert passed_y is y
        if weight is None:
            assert metadata is None
        else:
            assert metadata.keys() == {"sample_weight"}
            assert metadata["sample_weight"] is weight


# ------------------------------------------------------- the fitted estimator


@pytest.mark.parametrize(
    ("data", "y"),
    [(X, NAMES), (SPARSE, CODES), (to_dataframe(), LABELS)],
    ids=["dense", "sparse", "dataframe"],
)
@pytest.mark.parametrize(
    "params",
    [*({"solver": solver} for solver in SOLVERS), {"dropout": 0.3}],
    ids=str,
)
@ignore_convergence_warning
def test_fitted_estimator_equals_fit_with_fewer_epochs(params, data, y):
    params = {"max_iter": 6, "tol": 1e-9, **params}
    callback = Snapshots(data)
    net = small(BackpropClassifier, **params).set_callbacks(callback).fit(data, y)
    assert len(callback.fitted) == 7  # six epochs and the end of `fit`
    for n_epochs in (1, 2, 5, 6):
        fitted = callback.fitted[n_epochs - 1]
        short = clone(net).set_callbacks().set_params(max_iter=n_epochs).fit(data, y)
        expected = predict_outputs(short, data)
        np.testing.assert_array_equal(callback.outputs[n_epochs - 1], expected)
        # Further epochs have not changed the snapshot.
        np.testing.assert_array_equal(predict_outputs(fitted, data), expected)
        np.testing.assert_array_equal(fitted.predict(data), short.predict(data))
        assert fitted.loss_curve_ == short.loss_curve_
        assert (fitted.n_iter_, fitted.t_) == (short.n_iter_, short.t_)
    np.testing.assert_array_equal(callback.outputs[-1], predict_outputs(net, data))


@ignore_convergence_warning
def test_fitted_regressor_predicts_unscaled_targets():
    y = 1e4 + 300.0 * NUMBERS
    callback = Snapshots(X)
    regressor(max_iter=4, tol=1e-9).set_callbacks(callback).fit(X, y)
    expected = regressor(max_iter=2, tol=1e-9).fit(X, y).predict(X)
    np.testing.assert_array_equal(callback.outputs[1], expected)
    assert 9e3 < expected.mean() < 11e3


@pytest.mark.parametrize(
    "params",
    [
        *({"solver": solver} for solver in SOLVERS),
        {"early_stopping": True},
        {"early_stopping": True, "solver": "lbfgs"},
        {"dropout": 0.3},
        {"solver": "sgd", "momentum": 0.0, "alpha": 1.0},
    ],
    ids=str,
)
@pytest.mark.parametrize("data", [X, SPARSE], ids=["dense", "sparse"])
@ignore_convergence_warning
def test_callbacks_that_predict_do_not_change_training(data, params):
    def use_estimator(net, epoch):
        net.predict(data), net.score(data, CODES), net.history_

    net = small(BackpropClassifier, **params)
    observed = clone(net).set_callbacks(
        Snapshots(data), EpochEndCallback(use_estimator), Callback()
    )
    observed.fit(data, CODES)
    assert_same_network(observed, net.fit(data, CODES))
    assert observed.loss_curve_ == net.loss_curve_
    assert observed.validation_scores_ == net.validation_scores_
    assert (observed.n_iter_, observed.t_) == (net.n_iter_, net.t_)


def test_fitted_estimator_can_be_trained_independently():
    callback = Snapshots(X)
    net = classifier(max_iter=6, learning_rate="cosine").set_callbacks(callback)
    net.fit(X, CODES)
    coefs = net.coefs_[0].copy()
    short = callback.fitted[2]
    expected = copy.deepcopy(short).partial_fit(X, CODES)
    assert_same_network(short.partial_fit(X, CODES), expected)
    assert (short.coefs_[0] != net.coefs_[0]).any()
    np.testing.assert_array_equal(net.coefs_[0], coefs)


@pytest.mark.parametrize("copied", [False, True], ids=["fitted_estimator", "deep copy"])
@ignore_convergence_warning
def test_copy_during_early_stopping_can_be_trained_with_partial_fit(copied):
    # partial_fit does not restore the best weights of the unfinished fit.
    callback, copies = Snapshots(X), []
    net = classifier(early_stopping=True, max_iter=20)
    store = call_after(5, lambda net: copies.append(copy.deepcopy(net)))
    net.set_callbacks(callback, store).fit(X, CODES)
    stored = copies[0] if copied else callback.fitted[4]
    stored.set_params(early_stopping=False)
    before = stored.coefs_[0].copy()
    stored.partial_fit(X, CODES)
    assert (stored.coefs_[0] != before).any()
    assert stored.n_iter_ == 6


def pickle_copy(estimator):
    return pickle.loads(pickle.dumps(estimator))


# ---------------------------------------------------------------- stopping


@pytest.mark.parametrize("n_epochs", [1, 4])
@solvers
@ESTIMATORS
@ignore_convergence_warning
def test_hook_that_returns_true_stops_training(make, y, solver, n_epochs):
    # No ConvergenceWarning is issued: a warning would be an error in this test.
    callback = Callback(
        lambda hook, net, task: hook == END and task.task_id == n_epochs - 1
    )
    estimator = small(make, solver=solver).set_callbacks(callback, Callback())
    estimator.fit(X, y)
    assert estimator.n_iter_ == n_epochs
    assert callback.log == expected_log(n_epochs)
    assert estimator._skl_callbacks[1].log == expected_log(n_epochs)


@LBFGS_OR_ADAM
@ignore_convergence_warning
@ESTIMATORS
def test_stopped_fit_has_weights_of_last_epoch(make, y, solver):
    params = {"solver": solver, "tol": 1e-9}
    stopped = (
        small(make, **params).set_callbacks(call_after(4, lambda net: True)).fit(X, y)
    )
    short = small(make, **params).set_params(max_iter=4).fit(X, y)
    assert_same_network(stopped, short)
    assert stopped.loss_ == short.loss_


@LBFGS_OR_ADAM
@ignore_convergence_warning
def test_stopping_during_early_stopping_restores_best_weights(solver):
    weights = []

    def store_weights(net, epoch):
        weights.append([W.copy() for W in net.coefs_])
        return len(weights) == 12

    params = {} if solver == "lbfgs" else {"learning_rate_init": 0.3, "batch_size": 9}
    params |= {"solver": solver, "loss": "log_loss", "tol": 1e-9}
    net = small(BackpropClassifier, early_stopping=True, **params)
    # The targets are random, so the validation score does not improve for long.
    noise = np.random.default_rng(2).permutation(CODES)
    net.set_callbacks(EpochEndCallback(store_weights)).fit(X, noise)
    best = int(np.argmax(net.validation_scores_))
    assert net.n_iter_ == 12
    assert best < 11
    for W, expected in zip(net.coefs_, weights[best], strict=True):
        np.testing.assert_array_equal(W, expected)
    assert net.best_validation_score_ == net.validation_scores_[best]


def test_stopping_by_callback_is_printed_if_verbose(capsys):
    for verbose in (False, True):
        net = classifier(verbose=verbose).set_callbacks(call_after(3, lambda net: True))
        net.fit(X, CODES)
        last = capsys.readouterr().out.splitlines()[-1:]
        message = "A callback stopped training after 3 epochs."
        assert last == ([message] if verbose else [])


class ConstantObserver(Observer):
    """Observer that always returns the same value and counts its calls."""

    def __init__(self, value):
        self.value, self.n_calls = value, 0

    def end_epoch(self, n_epochs, record):
        self.n_calls += 1
        return self.value


@pytest.mark.parametrize("values", [(True, False), (False, True), (True, True)])
def test_all_observers_are_called_even_if_one_stops_training(values):
    training = prepare_training(classifier(), X, CODES, None)
    training.observers = tuple(map(ConstantObserver, values))
    assert training.run(mini_batches).kind == "stopped"
    assert [observer.n_calls for observer in training.observers] == [1, 1]


@LBFGS_OR_ADAM
@ESTIMATORS
def test_return_value_of_setup_and_begin_hooks_is_ignored(make, y, solver):
    callback = Callback(lambda hook, estimator, task: hook in (BEGIN, SETUP))
    estimator = small(make, solver=solver).set_callbacks(callback).fit(X, y)
    assert estimator.n_iter_ == small(make, solver=solver).fit(X, y).n_iter_ > 3


# ----------------------------------------------------------------- failures


@pytest.mark.parametrize(
    ("hook", "task"),
    [
        (SETUP, FIT),
        (BEGIN, FIT),
        (BEGIN, ("epoch", 2)),
        (END, ("epoch", 2)),
        (END, FIT),
    ],
)
@pytest.mark.parametrize("fitted_before", [False, True])
@LBFGS_OR_ADAM
@ESTIMATORS
def test_hook_that_raises_leaves_estimator_unchanged(
    make, y, solver, fitted_before, hook, task
):
    def act(current_hook, _, context):
        if (current_hook, (context.task_name, context.task_id)) == (hook, task):
            fail()

    estimator = small(make, solver=solver)
    if fitted_before:
        estimator.fit(X[:50], y[:50])
    first, failing, last = Callback(), Callback(act), Callback()
    estimator.set_callbacks(first, failing, last)
    before = vars(estimator).copy()
    outputs = predict_outputs(estimator, X) if fitted_before else None
    with pytest.raises(ZeroDivisionError, match="intended"):
        estimator.fit(X, y)
    assert vars(estimator) == before
    if fitted_before:
        np.testing.assert_array_equal(predict_outputs(estimator, X), outputs)
    else:
        with pytest.raises(NotFittedError):
            check_is_fitted(estimator)
    assert first.log[-1] == failing.log[-1] == (TEARDOWN, *FIT)
    assert (TEARDOWN, *FIT) in last.log or hook == SETUP
    # The failure does not prevent another fit.
    estimator.set_callbacks(first).fit(X, y)
    assert first.log[-1] == (TEARDOWN, *FIT)


@pytest.mark.parametrize("warm_start", [False, True])
@ESTIMATORS
def test_error_in_hook_during_warm_start_keeps_weights(make, y, warm_start):
    estimator = small(make, warm_start=warm_start).fit(X, y)
    same = copy.deepcopy(estimator)
    estimator.set_callbacks(call_after(3, fail))
    with pytest.raises(ZeroDivisionError):
        estimator.fit(X, y)
    assert_same_network(estimator, same)
    # Further training is not affected, including the order of the samples.
    assert_same_network(estimator.partial_fit(X, y), same.partial_fit(X, y))


@pytest.mark.parametrize(
    "make_invalid",
    [
        lambda X, y: (np.full_like(X, np.inf), y),
        lambda X, y: (X, y[:3]),
        lambda X, y: (X[:0], y[:0]),
        lambda X, y: (1e300 * X, y),
    ],
    ids=["infinity", "lengths", "no samples", "diverges"],
)
@ESTIMATORS
def test_teardown_is_called_after_invalid_data(make, y, make_invalid):
    callback = Callback()
    params = dict(standardize=False, activation="identity", learning_rate_init=1e9)
    estimator = small(make, **params).set_callbacks(callback)
    with pytest.raises(ValueError, match=r"infinity|inconsistent|0 sample|non-finite"):
        estimator.fit(*make_invalid(X, y))
    assert callback.log[:2] == [(SETUP, *FIT), (BEGIN, *FIT)]
    assert callback.log[-1] == (TEARDOWN, *FIT)
    assert (END, *FIT) not in callback.log
    assert "_callback_fit_ctx" not in vars(estimator)


def interrupt(*_):
    raise KeyboardInterrupt


@LBFGS_OR_ADAM
@ignore_convergence_warning
@ESTIMATORS
def test_keyboard_interrupt_in_hook_keeps_finished_epochs(make, y, solver):
    params = {"solver": solver, "tol": 1e-9, "max_iter": 20}
    last = Callback()
    estimator = small(make, **params).set_callbacks(call_after(3, interrupt), last)
    with pytest.warns(
        UserWarning, match="interrupted by user.* after 3 complete epochs"
    ):
        estimator.fit(X, y)
    assert estimator.n_iter_ == len(estimator.loss_curve_) == 3
    assert_same_network(estimator, small(make, **{**params, "max_iter": 3}).fit(X, y))
    # The fit was not finished, so the end hook of the fit task is not called.
    assert (END, *FIT) not in last.log
    assert last.log[-1] == (TEARDOWN, *FIT)


# -------------------------------------------------------- EpochEndCallback


@pytest.mark.parametrize("validates", [False, True])
@solvers
@ignore_convergence_warning
@ESTIMATORS
def test_epoch_end_callback_receives_current_estimator_and_epoch(
    make, y, solver, validates
):
    params = {"solver": solver, "max_iter": 5, "tol": 1e-9}
    validation = {"X_val": X[:30], "y_val": y[:30]} if validates else {}
    snapshots, epochs = [], []

    def record(estimator, epoch):
        outputs = predict_outputs(estimator, X)
        snapshots.append((estimator.n_iter_, list(estimator.loss_curve_), outputs))
        snapshots[-1] += (estimator.loss_, estimator.t_, estimator.gradient_norms_[-1])
        epochs.append(epoch)

    estimator = small(make, **params).set_callbacks(EpochEndCallback(record))
    estimator.fit(X, y, **validation)
    assert [n_iter for n_iter, *_ in snapshots] == [1, 2, 3, 4, 5]
    for n_epochs, losses, outputs, loss, t, norms in snapshots:
        short = small(make, **{**params, "max_iter": n_epochs}).fit(X, y)
        assert losses == short.loss_curve_
        assert (loss, t) == (short.loss_curve_[-1], short.t_)
        np.testing.assert_array_equal(outputs, predict_outputs(short, X))
        np.testing.assert_array_equal(norms, short.gradient_norms_[-1])
    *columns, norms = epochs[0]._fields
    assert columns == list(estimator.history_.columns)
    recorded = pd.DataFrame([epoch[:-1] for epoch in epochs], columns=columns)
    np.testing.assert_array_equal(recorded.to_numpy(), estimator.history_.to_numpy())
    assert {type(value) for epoch in epochs for value in epoch} == {float, tuple}
    assert [
        list(e.gradient_norms) for e in epochs
    ] == estimator.gradient_norms_.tolist()
    assert math.isnan(epochs[0].validation_loss) == (not validates)
    assert math.isnan(epochs[0].learning_rate) == (solver == "lbfgs")


@pytest.mark.parametrize("function", [3, None, "loss"])
def test_epoch_end_callback_requires_a_callable(function):
    error_of(
        lambda: EpochEndCallback(function),
        "function",
        "callable",
        repr(function),
        error=TypeError,
    )


def test_epoch_end_callback_is_called_only_for_epochs():
    calls = []
    net = classifier().set_callbacks(
        EpochEndCallback(lambda net, epoch: calls.append(net))
    )
    net.fit(X, CODES)
    assert len(calls) == net.n_iter_
    assert {id(passed_net) for passed_net in calls} == {id(net)}


# -------------------------------------------------- callbacks of scikit-learn


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
@pytest.mark.parametrize(
    ("make", "y", "scoring", "score"),
    [
        (classifier, CODES, "accuracy", accuracy_score),
        (regressor, NUMBERS, "r2", r2_score),
    ],
)
@ignore_convergence_warning
def test_scoring_monitor_scores_equal_scores_of_partial_fit(
    make, y, scoring, score, weight
):
    monitor = ScoringMonitor(scoring=scoring)
    make(max_iter=6, tol=1e-9).set_callbacks(monitor).fit(X, y, weight)
    rows = monitor.get_logs().data
    found = [row[scoring] for row in rows if row["task_name"] == "epoch"]
    estimator, expected = make(), []
    classes = {"classes": range(3)} if make is classifier else {}
    for _ in range(6):
        estimator.partial_fit(X, y, sample_weight=weight, **classes)
        expected.append(score(y, estimator.predict(X), sample_weight=weight))
    assert len(set(expected)) > 3
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_progress_bar_shows_estimator(capsys):
    net = classifier(max_iter=200).set_callbacks(ProgressBar())
    net.fit(X, CODES)
    out = capsys.readouterr().out
    assert "BackpropClassifier - fit" in out
    assert "100%" in out
    assert threading.active_count() < 10


class FileCounter:
    """Callback that creates one file per epoch, in any process."""

    max_propagation_depth = None

    def __init__(self, folder):
        self.folder = Path(folder)

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        if context.task_name == "epoch":
            *path, number = [task.task_id for task in get_context_path(context)]
            name = f"{'-'.join(map(str, path))}.{number}"
            (self.folder / name).touch(exist_ok=False)


def make_search(net, **params):
    """Return a search over two values of n_iter_no_change with 2-fold validation."""
    pipeline = Pipeline([("scale", StandardScaler()), ("net", net)])
    grid = {"net__n_iter_no_change": [2, 5]}
    return GridSearchCV(pipeline, grid, cv=2, n_jobs=2, **params)


#: Number of epochs of the search fits with each value, without the final refit.
N_EPOCHS = [
    classifier(n_iter_no_change=n).fit(X[:45], CODES[:45]).n_iter_ for n in (2, 5)
]


@pytest.mark.slow
def test_callbacks_of_search_with_processes_run_after_each_epoch(tmp_path):
    search = (
        make_search(classifier()).set_callbacks(FileCounter(tmp_path)).fit(X, CODES)
    )
    last = search.best_estimator_[-1].n_iter_
    files = [path.name.split(".") for path in tmp_path.iterdir()]
    counts = Counter(fit for fit, _ in files)
    assert sorted(counts.values()) == sorted([*N_EPOCHS, *N_EPOCHS, last])
    for fit, count in counts.items():
        numbers = sorted(int(number) for name, number in files if name == fit)
        assert numbers == list(range(count))


@pytest.mark.slow
def test_progress_bar_of_search_shows_each_fit(capsys):
    search = make_search(classifier())
    search.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X, CODES)
    out = capsys.readouterr().out
    assert out.count("BackpropClassifier - fit") == 5
    bars = [line for line in out.splitlines() if " - " in line]
    assert all("100%" in line for line in bars)


# --------------------------------------------------------------------- copies


def test_clone_has_the_same_callbacks():
    callback = Callback()
    net = clone(classifier().set_callbacks(callback))
    net.fit(X, CODES)
    assert callback.log == expected_log(net.n_iter_)


@pytest.mark.parametrize("copier", [pickle_copy, copy.deepcopy, copy.copy])
@pytest.mark.parametrize("make", [Callback, "logger"])
def test_fitted_estimator_with_callbacks_can_be_copied(copier, make, tmp_path):
    callback = Callback() if make is Callback else HistoryLogger(tmp_path / "log.csv")
    net = classifier().set_callbacks(callback).fit(X, CODES)
    copied = copier(net)
    assert_same_network(copied, net)
    assert [type(c) for c in copied._skl_callbacks] == [type(callback)]
    assert_same_network(copied.fit(X, CODES), net)


@pytest.mark.parametrize("value", [3, print, EpochEndCallback])
def test_set_callbacks_rejects_objects_that_are_not_callbacks(value):
    error_of(lambda: classifier().set_callbacks(value), "callbacks", error=TypeError)


# ------------------------------------------------------------- HistoryLogger


def read_log(path):
    """Return the rows of a log with exact floats, which pandas might round."""
    rows = list(csv.DictReader(StringIO(path.read_text(encoding="utf-8"))))
    for row in rows:
        row["epoch"] = int(row["epoch"])
        row.update({name: float(row[name] or "nan") for name in COLUMNS})
    return pd.DataFrame(rows)


COLUMNS = ["loss", "validation_loss", "validation_score", "learning_rate", "seconds"]


@pytest.mark.parametrize("validates", [False, True])
@LBFGS_OR_ADAM
@ESTIMATORS
def test_history_logger_rows_equal_history(make, y, solver, validates, tmp_path):
    path = tmp_path / "history.csv"
    estimator = small(make, solver=solver).set_callbacks(HistoryLogger(path))
    validation = {"X_val": X[:30], "y_val": y[:30]} if validates else {}
    history = estimator.fit(X, y, **validation).history_
    logged = read_log(path)
    assert list(logged.columns) == ["fit", "epoch", *COLUMNS]
    assert logged["epoch"].tolist() == history.index.tolist()
    assert logged["fit"].nunique() == 1
    np.testing.assert_array_equal(logged[COLUMNS].to_numpy(), history.to_numpy())


def test_history_logger_leaves_missing_values_empty(tmp_path):
    path = tmp_path / "history.csv"
    small(BackpropClassifier, solver="lbfgs").set_callbacks(
        HistoryLogger(str(path))
    ).fit(X, CODES)
    for row in csv.DictReader(StringIO(path.read_text())):
        empty = [name for name, cell in row.items() if cell == ""]
        assert empty == ["validation_loss", "validation_score", "learning_rate"]


def test_history_logger_file_is_complete_after_each_epoch(tmp_path):
    path, n_rows = tmp_path / "history.csv", []

    def read(net, epoch):
        rows = list(csv.DictReader(StringIO(path.read_text())))
        n_rows.append(len(rows))
        assert float(rows[-1]["loss"]) == epoch.loss
        assert int(rows[-1]["epoch"]) == net.n_iter_

    net = classifier().set_callbacks(HistoryLogger(path), EpochEndCallback(read))
    net.fit(X, CODES)
    assert n_rows == list(range(1, net.n_iter_ + 1))


def test_history_logger_appends_second_fit_with_another_identifier(tmp_path):
    path = tmp_path / "history.csv"
    net = classifier(warm_start=True).set_callbacks(HistoryLogger(path))
    first = net.fit(X, CODES).history_
    both = net.fit(X, CODES).history_
    logged = read_log(path)
    assert logged["loss"].tolist() == both["loss"].tolist()
    assert logged["fit"].nunique() == 2
    assert logged["fit"][: len(first)].nunique() == 1
    # Like n_iter_, the epoch number starts at 1 in each fit.
    assert logged["epoch"][len(first)] == 1


def test_history_logger_distinguishes_fits_of_search_with_processes(tmp_path):
    path = tmp_path / "history.csv"
    search = make_search(classifier().set_callbacks(HistoryLogger(path)))
    search.fit(X, CODES)
    fits = read_log(path).groupby("fit")["epoch"]
    last = search.best_estimator_[-1].n_iter_
    assert sorted(fits.size()) == sorted([*N_EPOCHS, *N_EPOCHS, last])
    for _, epochs in fits:
        assert sorted(epochs) == list(range(1, len(epochs) + 1))
    assert len({name.split("/")[0] for name in fits.groups}) == 1


@pytest.mark.parametrize("content", ["a,b\n1,2\n", "text", "fit,epoch,loss\n"])
def test_history_logger_does_not_change_other_files(content, tmp_path):
    path = tmp_path / "history.csv"
    path.write_text(content)
    net = classifier().fit(X, CODES)
    same = copy.deepcopy(net)
    net.set_callbacks(HistoryLogger(path))
    error_of(
        lambda: net.fit(X[:50], CODES[:50]), repr(str(path)), content.split("\n")[0]
    )
    assert path.read_text() == content
    assert_same_network(net, same)


def test_history_logger_does_not_create_directories(tmp_path):
    path = tmp_path / "missing" / "history.csv"
    net = classifier().set_callbacks(HistoryLogger(path))
    with pytest.raises(FileNotFoundError):
        net.fit(X, CODES)
    assert not path.parent.exists()


# ------------------------------------------------------ partial_fit after fit


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (
            {"learning_rate": "cosine", "max_iter": 30, "n_iter_no_change": 2},
            {"learning_rate": "constant"},
        ),
        ({"max_iter": 30, "n_iter_no_change": 30}, {"n_iter_no_change": 1}),
    ],
    ids=["cosine", "patience"],
)
@ignore_convergence_warning
def test_partial_fit_trains_one_epoch_after_fit_has_converged(first, second):
    # The learning rate is so high that the loss does not improve.
    params = {"learning_rate_init": 1.0, "tol": 1.0, **first}
    net = classifier(**params).fit(X, CODES).set_params(**second)
    n_epochs = len(net.loss_curve_)
    for more in (1, 2, 3):
        before = net.coefs_[0].copy()
        net.partial_fit(X, CODES)
        assert len(net.loss_curve_) == n_epochs + more
        assert not np.array_equal(net.coefs_[0], before)


def test_copy_during_early_stopping_monitors_the_loss():
    copies = []
    store = EpochEndCallback(lambda net, epoch: copies.append(copy.deepcopy(net)))
    net = classifier(early_stopping=True, scoring="accuracy").set_callbacks(store)
    net.fit(X, CODES)
    stored = copies[3].set_params(early_stopping=False).partial_fit(X, CODES)
    assert stored.best_loss_ == stored.loss_


# ---------------------------------------------------------------------- errors


@pytest.mark.parametrize("value", ["text", 1, 3.0, np.zeros(2)], ids=str)
def test_epoch_end_callback_rejects_other_return_values(value):
    net = classifier().set_callbacks(EpochEndCallback(lambda net, epoch: value))
    with pytest.raises(TypeError, match="function must return True, False or None"):
        net.fit(X, CODES)


@pytest.mark.parametrize("value", [None, False, np.False_], ids=repr)
def test_epoch_end_callback_that_returns_none_or_false_has_no_effect(value):
    net = classifier().set_callbacks(EpochEndCallback(lambda net, epoch: value))
    assert_same_network(net.fit(X, CODES), classifier().fit(X, CODES))


@pytest.mark.parametrize("kind", ["function", "logger"])
def test_epoch_callbacks_on_pipeline_raise_type_error(kind, tmp_path):
    callback = (
        EpochEndCallback(lambda net, epoch: None)
        if kind == "function"
        else HistoryLogger(tmp_path / "history.csv")
    )
    pipeline = make_pipeline(StandardScaler(), classifier()).set_callbacks(callback)
    with pytest.raises(
        TypeError, match=r"got Pipeline\. Call set_callbacks on the network"
    ):
        pipeline.fit(X, CODES)


def test_history_logger_writes_columns_to_empty_file(tmp_path):
    path = tmp_path / "history.csv"
    path.touch()
    net = classifier(max_iter=3, tol=0.0).set_callbacks(HistoryLogger(path))
    with pytest.warns(ConvergenceWarning):
        net.fit(X, CODES)
    assert pd.read_csv(path)["epoch"].tolist() == [1, 2, 3]


@LBFGS_OR_ADAM
def test_stop_iteration_in_callback_raises_an_error(solver):
    callback = EpochEndCallback(lambda net, epoch: next(iter(())))
    net = classifier(solver=solver, tol=1e-9).set_callbacks(callback)
    with pytest.raises((StopIteration, RuntimeError), match=r"StopIteration|^$"):
        net.fit(X, CODES)
    with pytest.raises(NotFittedError):
        check_is_fitted(net)
