"""Callbacks: what they are told of a fit, epoch by epoch, and what they may do."""

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
from small_fits import cut_short, error_of
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
    frame,
    regressor,
    small,
)

pytest.importorskip("sklearn.callback")

from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.callback._callback_context import CallbackContext, get_context_path

from skbackprop import AfterEpoch, BackpropClassifier, HistoryLogger
from skbackprop.core.optimizers import OPTIMIZERS
from skbackprop.core.training import Observer, mini_batches

SPARSE = csr_matrix(np.where(X > 0.3, X, 0.0))
SOLVERS = ["lbfgs", *OPTIMIZERS]
solvers = pytest.mark.parametrize("solver", SOLVERS)
EITHER = pytest.mark.parametrize("solver", ["lbfgs", "adam"])
SETUP, BEGIN, END = "setup", "on_fit_task_begin", "on_fit_task_end"
TEARDOWN = "teardown"
FIT = ("fit", 0)


class Callback:
    """Logs what it is told, and calls an action that may say something itself."""

    def __init__(self, action=None):
        self.log, self.action = [], action

    def setup(self, estimator, context):
        return self.told(SETUP, estimator, context)

    def teardown(self, estimator, context):
        return self.told(TEARDOWN, estimator, context)

    def on_fit_task_begin(self, estimator, context):
        return self.told(BEGIN, estimator, context)

    def on_fit_task_end(self, estimator, context):
        return self.told(END, estimator, context)

    def told(self, hook, estimator, context):
        self.log.append((hook, context.task_name, context.task_id))
        if self.action is not None:
            return self.action(hook, estimator, context)
        return None


def log_of(n_epochs):
    """Return what a callback is to be told of a fit of so many epochs."""
    log = [(SETUP, *FIT), (BEGIN, *FIT)]
    for i in range(n_epochs):
        log += [(BEGIN, "epoch", i), (END, "epoch", i)]
    return [*log, (END, *FIT), (TEARDOWN, *FIT)]


class Snapshots:
    """Keeps the estimators that it is given, and what they predict at once."""

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
        self.outputs.append(outputs_of(fitted_estimator, self.X))


class Data:
    """Keeps the data that it is given."""

    def __init__(self):
        self.seen = []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context, *, X, y, metadata):
        self.seen.append((BEGIN, context.task_name, X, y, metadata))

    def on_fit_task_end(self, estimator, context, *, X, y, metadata):
        self.seen.append((END, context.task_name, X, y, metadata))


def outputs_of(fitted, X):
    proba = getattr(fitted, "predict_proba", fitted.predict)
    return np.array(proba(X))


def after(n_epochs, action):
    """Return a callback that acts once, after so many epochs."""

    done = []

    def act(estimator, epoch):
        if done or estimator.n_iter_ != n_epochs:
            return None
        done.append(True)
        return action(estimator)

    return AfterEpoch(act)


def fail(*_, **__):
    raise ZeroDivisionError("on purpose")


# ------------------------------------------------------------ tasks, in order


@pytest.mark.parametrize("data", [X, SPARSE], ids=["dense", "sparse"])
@solvers
@ESTIMATORS
def test_every_epoch_is_one_task_within_that_of_the_fit(make, y, solver, data):
    # Several batches an epoch, of which nobody is told.
    params = {} if solver == "lbfgs" else {"batch_size": 20}
    callback = Callback()
    estimator = small(make, solver=solver, **params).set_callbacks(callback)
    estimator.fit(data, y)
    assert estimator.n_iter_ >= 4
    assert callback.log == log_of(estimator.n_iter_)


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
@cut_short
def test_it_is_so_however_training_goes(params):
    callback = Callback()
    net = small(BackpropClassifier, **params).set_callbacks(callback)
    net.fit(SPARSE, CODES)
    assert callback.log == log_of(net.n_iter_)


@pytest.mark.parametrize(
    "params", [{"tol": 1e9}, {"tol": 0.0, "max_fun": 8}, {"max_iter": 3}], ids=str
)
@cut_short
@ESTIMATORS
def test_an_iteration_of_lbfgs_that_begins_ends_even_if_it_fails(make, y, params):
    callback = Callback()
    small(make, solver="lbfgs", **params).set_callbacks(callback).fit(X, y)
    begun = [task for hook, *task in callback.log if hook == BEGIN]
    ended = [task for hook, *task in callback.log if hook == END]
    assert sorted(begun) == sorted(ended)
    assert callback.log[-2:] == [(END, *FIT), (TEARDOWN, *FIT)]


def test_the_task_of_the_fit_knows_how_many_epochs_there_may_be():
    seen = []
    callback = Callback(lambda hook, net, context: seen.append(context) or False)
    classifier(max_iter=77).set_callbacks(callback).fit(X, CODES)
    root, epochs = seen[0], [task for task in seen if task.task_name == "epoch"]
    assert root.max_subtasks == 77
    assert root.sequential_subtasks
    assert root.estimator_name == "BackpropClassifier"
    assert {task.max_subtasks for task in epochs} == {0}
    assert {task.parent for task in epochs} == {root}


def test_a_second_fit_is_told_anew_a_warm_start_too():
    callback = Callback()
    net = classifier(warm_start=True).set_callbacks(callback).fit(X, CODES)
    n_epochs = net.n_iter_
    net.fit(X, CODES)
    assert callback.log == log_of(n_epochs) + log_of(net.n_iter_)


@ESTIMATORS
def test_partial_fit_tells_nothing(make, y):
    callback = Callback()
    estimator = small(make).set_callbacks(callback)
    classes = {"classes": range(3)} if make is BackpropClassifier else {}
    estimator.partial_fit(X, y, **classes).partial_fit(X, y)
    assert callback.log == []


@EITHER
@ESTIMATORS
def test_without_callbacks_no_task_of_an_epoch_is_made(make, y, solver, monkeypatch):
    monkeypatch.setattr(CallbackContext, "subcontext", fail)
    assert small(make, solver=solver).fit(X, y).n_iter_ > 3
    with pytest.raises(ZeroDivisionError):
        small(make, solver=solver).set_callbacks(Callback()).fit(X, y)


@EITHER
@ESTIMATORS
def test_nothing_of_a_fit_is_left_on_the_estimator(make, y, solver):
    without = vars(small(make, solver=solver).fit(X, y)).keys()
    told = small(make, solver=solver).set_callbacks(Callback()).fit(X, y)
    assert vars(told).keys() - without == {"_skl_callbacks"}


def test_a_fit_in_a_pipeline_is_a_task_of_it():
    paths = []

    def take(hook, net, context):
        names = [(t.estimator_name, t.task_name) for t in get_context_path(context)]
        paths.append(names)

    net = classifier().set_callbacks(Callback(take))
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
        (frame(), pd.Series(NAMES)),
        (SPARSE, CODES),
        (X, LABELS),
    ],
    ids=["arrays", "lists", "frames", "sparse", "several labels"],
)
@pytest.mark.parametrize("weight", [None, WEIGHT, WEIGHT.tolist()])
def test_data_are_passed_to_every_hook_as_they_were_given(data, y, weight):
    callback = Data()
    net = classifier().set_callbacks(callback).fit(data, y, weight)
    assert len(callback.seen) == 2 * net.n_iter_ + 2
    for _, _, seen_X, seen_y, metadata in callback.seen:
        assert seen_X is data
        assert seen_y is y
        if weight is None:
            assert metadata is None
        else:
            assert metadata.keys() == {"sample_weight"}
            assert metadata["sample_weight"] is weight


# ------------------------------------------------------- the fitted estimator


@pytest.mark.parametrize(
    ("data", "y"),
    [(X, NAMES), (SPARSE, CODES), (frame(), LABELS)],
    ids=["dense", "sparse", "frame"],
)
@pytest.mark.parametrize(
    "params",
    [*({"solver": solver} for solver in SOLVERS), {"dropout": 0.3}],
    ids=str,
)
@cut_short
def test_the_fitted_estimator_is_what_so_many_epochs_make(params, data, y):
    params = {"max_iter": 6, "tol": 1e-9, **params}
    callback = Snapshots(data)
    net = small(BackpropClassifier, **params).set_callbacks(callback).fit(data, y)
    assert len(callback.fitted) == 7  # one is that of the end
    for n_epochs in (1, 2, 5, 6):
        fitted = callback.fitted[n_epochs - 1]
        short = clone(net).set_callbacks().set_params(max_iter=n_epochs).fit(data, y)
        expected = outputs_of(short, data)
        np.testing.assert_array_equal(callback.outputs[n_epochs - 1], expected)
        # It has not moved since.
        np.testing.assert_array_equal(outputs_of(fitted, data), expected)
        np.testing.assert_array_equal(fitted.predict(data), short.predict(data))
        assert fitted.loss_curve_ == short.loss_curve_
        assert (fitted.n_iter_, fitted.t_) == (short.n_iter_, short.t_)
    np.testing.assert_array_equal(callback.outputs[-1], outputs_of(net, data))


@cut_short
def test_the_fitted_regressor_predicts_in_the_units_of_the_targets():
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
def test_looking_at_a_training_does_not_change_it(data, params):
    def look(net, epoch):
        net.predict(data), net.score(data, CODES), net.history_

    net = small(BackpropClassifier, **params)
    looked = clone(net).set_callbacks(Snapshots(data), AfterEpoch(look), Callback())
    looked.fit(data, CODES)
    assert_same_network(looked, net.fit(data, CODES))
    assert looked.loss_curve_ == net.loss_curve_
    assert looked.validation_scores_ == net.validation_scores_
    assert (looked.n_iter_, looked.t_) == (net.n_iter_, net.t_)


def test_a_fitted_estimator_can_be_trained_on_by_itself():
    callback = Snapshots(X)
    net = classifier(max_iter=6, learning_rate="cosine").set_callbacks(callback)
    net.fit(X, CODES)
    coefs = net.coefs_[0].copy()
    short = callback.fitted[2]
    expected = copy.deepcopy(short).partial_fit(X, CODES)
    assert_same_network(short.partial_fit(X, CODES), expected)
    assert (short.coefs_[0] != net.coefs_[0]).any()
    np.testing.assert_array_equal(net.coefs_[0], coefs)


@pytest.mark.parametrize("copied", [False, True], ids=["given", "deep copy"])
@cut_short
def test_a_copy_from_the_midst_of_early_stopping_learns_what_it_is_taught(copied):
    # And does not fall back to the weights that were best at that time.
    callback, copies = Snapshots(X), []
    net = classifier(early_stopping=True, max_iter=20)
    keep = after(5, lambda net: copies.append(copy.deepcopy(net)))
    net.set_callbacks(callback, keep).fit(X, CODES)
    kept = copies[0] if copied else callback.fitted[4]
    kept.set_params(early_stopping=False)
    before = kept.coefs_[0].copy()
    kept.partial_fit(X, CODES)
    assert (kept.coefs_[0] != before).any()
    assert kept.n_iter_ == 6


def with_pickle(estimator):
    return pickle.loads(pickle.dumps(estimator))


# ---------------------------------------------------------------- stopping


@pytest.mark.parametrize("n_epochs", [1, 4])
@solvers
@ESTIMATORS
def test_a_hook_that_returns_true_ends_training(make, y, solver, n_epochs):
    # In peace: a ConvergenceWarning would be an error here.
    callback = Callback(
        lambda hook, net, task: hook == END and task.task_id == n_epochs - 1
    )
    estimator = small(make, solver=solver).set_callbacks(callback, Callback())
    estimator.fit(X, y)
    assert estimator.n_iter_ == n_epochs
    assert callback.log == log_of(n_epochs)
    assert estimator._skl_callbacks[1].log == log_of(n_epochs)


@EITHER
@cut_short
@ESTIMATORS
def test_a_stopped_training_has_the_weights_of_its_last_epoch(make, y, solver):
    params = {"solver": solver, "tol": 1e-9}
    stopped = small(make, **params).set_callbacks(after(4, lambda net: True)).fit(X, y)
    short = small(make, **params).set_params(max_iter=4).fit(X, y)
    assert_same_network(stopped, short)
    assert stopped.loss_ == short.loss_


@EITHER
def test_stopping_in_early_stopping_puts_the_best_weights_back(solver):
    weights = []

    def keep(net, epoch):
        weights.append([W.copy() for W in net.coefs_])
        return len(weights) == 12

    params = {} if solver == "lbfgs" else {"learning_rate_init": 0.3, "batch_size": 9}
    params |= {"solver": solver, "loss": "log_loss", "tol": 1e-9}
    net = small(BackpropClassifier, early_stopping=True, **params)
    # Nothing can be learned here that the held-out samples agree with.
    noise = np.random.default_rng(0).permutation(CODES)
    net.set_callbacks(AfterEpoch(keep)).fit(X, noise)
    best = int(np.argmax(net.validation_scores_))
    assert net.n_iter_ == 12
    assert best < 11
    for W, expected in zip(net.coefs_, weights[best], strict=True):
        np.testing.assert_array_equal(W, expected)
    assert net.best_validation_score_ == net.validation_scores_[best]


def test_stopping_is_said_where_verbose(capsys):
    for verbose in (False, True):
        net = classifier(verbose=verbose).set_callbacks(after(3, lambda net: True))
        net.fit(X, CODES)
        last = capsys.readouterr().out.splitlines()[-1:]
        said = "A callback asked to stop after 3 epochs. Stopping."
        assert last == ([said] if verbose else [])


class Saying(Observer):
    def __init__(self, word):
        self.word, self.n_told = word, 0

    def end_epoch(self, n_epochs, record):
        self.n_told += 1
        return self.word


@pytest.mark.parametrize("words", [(True, False), (False, True), (True, True)])
def test_observers_are_all_told_even_if_one_has_said_it_is_enough(words):
    training = classifier()._prepare(X, CODES, None)
    training.observers = tuple(map(Saying, words))
    assert training.run(mini_batches).reason == "stopped"
    assert [observer.n_told for observer in training.observers] == [1, 1]


@EITHER
@ESTIMATORS
def test_what_is_returned_at_a_begin_does_not_stop(make, y, solver):
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
@EITHER
@ESTIMATORS
def test_a_hook_that_raises_leaves_the_estimator_as_it_was(
    make, y, solver, fitted_before, hook, task
):
    def act(*told):
        now, _, context = told
        if (now, (context.task_name, context.task_id)) == (hook, task):
            fail()

    estimator = small(make, solver=solver)
    if fitted_before:
        estimator.fit(X[:50], y[:50])
    first, failing, last = Callback(), Callback(act), Callback()
    estimator.set_callbacks(first, failing, last)
    before = vars(estimator).copy()
    outputs = outputs_of(estimator, X) if fitted_before else None
    with pytest.raises(ZeroDivisionError, match="on purpose"):
        estimator.fit(X, y)
    assert vars(estimator) == before
    if fitted_before:
        np.testing.assert_array_equal(outputs_of(estimator, X), outputs)
    else:
        with pytest.raises(NotFittedError):
            check_is_fitted(estimator)
    assert first.log[-1] == failing.log[-1] == (TEARDOWN, *FIT)
    assert (TEARDOWN, *FIT) in last.log or hook == SETUP
    # And nothing stands in the way of another fit.
    estimator.set_callbacks(first).fit(X, y)
    assert first.log[-1] == (TEARDOWN, *FIT)


@pytest.mark.parametrize("warm_start", [False, True])
@ESTIMATORS
def test_a_warm_start_that_a_hook_ends_with_an_error_has_not_moved_the_weights(
    make, y, warm_start
):
    estimator = small(make, warm_start=warm_start).fit(X, y)
    same = copy.deepcopy(estimator)
    estimator.set_callbacks(after(3, fail))
    with pytest.raises(ZeroDivisionError):
        estimator.fit(X, y)
    assert_same_network(estimator, same)
    # It would go on as if that had not been, to the order of the samples.
    assert_same_network(estimator.partial_fit(X, y), same.partial_fit(X, y))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda X, y: (np.full_like(X, np.nan), y),
        lambda X, y: (X, y[:3]),
        lambda X, y: (X[:0], y[:0]),
        lambda X, y: (1e300 * X, y),
    ],
    ids=["nan", "lengths", "no samples", "diverges"],
)
@ESTIMATORS
def test_teardown_follows_invalid_data(make, y, spoil):
    callback = Callback()
    params = dict(standardize=False, activation="identity", learning_rate_init=1e9)
    estimator = small(make, **params).set_callbacks(callback)
    with pytest.raises(ValueError, match=r"NaN|inconsistent|0 sample|non-finite"):
        estimator.fit(*spoil(X, y))
    assert callback.log[:2] == [(SETUP, *FIT), (BEGIN, *FIT)]
    assert callback.log[-1] == (TEARDOWN, *FIT)
    assert (END, *FIT) not in callback.log
    assert "_callback_fit_ctx" not in vars(estimator)


def interrupt(*_):
    raise KeyboardInterrupt


@EITHER
@cut_short
@ESTIMATORS
def test_interrupting_in_a_hook_keeps_the_epochs_so_far(make, y, solver):
    params = {"solver": solver, "tol": 1e-9, "max_iter": 20}
    last = Callback()
    estimator = small(make, **params).set_callbacks(after(3, interrupt), last)
    with pytest.warns(UserWarning, match="interrupted by user.* after 3 whole epochs"):
        estimator.fit(X, y)
    assert estimator.n_iter_ == len(estimator.loss_curve_) == 3
    assert_same_network(estimator, small(make, **{**params, "max_iter": 3}).fit(X, y))
    # The fit has not come to its end, and nobody is told that it has.
    assert (END, *FIT) not in last.log
    assert last.log[-1] == (TEARDOWN, *FIT)


# --------------------------------------------------------------- AfterEpoch


@pytest.mark.parametrize("validates", [False, True])
@solvers
@cut_short
@ESTIMATORS
def test_after_each_epoch_a_function_sees_the_estimator_of_the_moment(
    make, y, solver, validates
):
    params = {"solver": solver, "max_iter": 5, "tol": 1e-9}
    passed = {"X_val": X[:30], "y_val": y[:30]} if validates else {}
    seen, epochs = [], []

    def look(estimator, epoch):
        outputs = outputs_of(estimator, X)
        seen.append((estimator.n_iter_, list(estimator.loss_curve_), outputs))
        seen[-1] += (estimator.loss_, estimator.t_, estimator.gradient_norms_[-1])
        epochs.append(epoch)

    estimator = small(make, **params).set_callbacks(AfterEpoch(look))
    estimator.fit(X, y, **passed)
    assert [n_iter for n_iter, *_ in seen] == [1, 2, 3, 4, 5]
    for n_epochs, losses, outputs, loss, t, norms in seen:
        short = small(make, **{**params, "max_iter": n_epochs}).fit(X, y)
        assert losses == short.loss_curve_
        assert (loss, t) == (short.loss_curve_[-1], short.t_)
        np.testing.assert_array_equal(outputs, outputs_of(short, X))
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
def test_after_each_epoch_something_must_be_callable(function):
    error_of(
        lambda: AfterEpoch(function),
        "function",
        "callable",
        repr(function),
        error=TypeError,
    )


def test_after_each_epoch_not_at_the_end_of_a_fit_or_of_other_tasks():
    calls = []
    net = classifier().set_callbacks(AfterEpoch(lambda net, epoch: calls.append(net)))
    net.fit(X, CODES)
    assert len(calls) == net.n_iter_
    assert {id(told) for told in calls} == {id(net)}


# -------------------------------------------------- callbacks of scikit-learn


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["alike", "weighted"])
@pytest.mark.parametrize(
    ("make", "y", "scoring", "score"),
    [
        (classifier, CODES, "accuracy", accuracy_score),
        (regressor, NUMBERS, "r2", r2_score),
    ],
)
@cut_short
def test_the_scores_of_a_monitor_are_those_of_partial_fits(
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


def test_a_progress_bar_is_that_of_the_estimator(capsys):
    net = classifier(max_iter=200).set_callbacks(ProgressBar())
    net.fit(X, CODES)
    out = capsys.readouterr().out
    assert "BackpropClassifier - fit" in out
    assert "100%" in out
    assert threading.active_count() < 10


class Counting:
    """Goes down to the epochs, and makes a file for each, in whatever process."""

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


def searched(net, **params):
    """Return a search over two tolerances for standing still, twice validated."""
    pipeline = Pipeline([("scale", StandardScaler()), ("net", net)])
    grid = {"net__n_iter_no_change": [2, 5]}
    return GridSearchCV(pipeline, grid, cv=2, n_jobs=2, **params)


#: Epochs of the fits that it makes, but the last one.
N_EPOCHS = [
    classifier(n_iter_no_change=n).fit(X[:45], CODES[:45]).n_iter_ for n in (2, 5)
]


@pytest.mark.slow
def test_callbacks_of_a_search_in_several_processes_reach_every_epoch(tmp_path):
    search = searched(classifier()).set_callbacks(Counting(tmp_path)).fit(X, CODES)
    last = search.best_estimator_[-1].n_iter_
    files = [path.name.split(".") for path in tmp_path.iterdir()]
    counts = Counter(fit for fit, _ in files)
    assert sorted(counts.values()) == sorted([*N_EPOCHS, *N_EPOCHS, last])
    for fit, count in counts.items():
        numbers = sorted(int(number) for name, number in files if name == fit)
        assert numbers == list(range(count))


@pytest.mark.slow
def test_a_progress_bar_of_a_search_shows_every_fit(capsys):
    search = searched(classifier())
    search.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X, CODES)
    out = capsys.readouterr().out
    assert out.count("BackpropClassifier - fit") == 5
    bars = [line for line in out.splitlines() if " - " in line]
    assert all("100%" in line for line in bars)


# --------------------------------------------------------------- copies of it


def test_a_clone_has_the_same_callbacks():
    callback = Callback()
    net = clone(classifier().set_callbacks(callback))
    net.fit(X, CODES)
    assert callback.log == log_of(net.n_iter_)


@pytest.mark.parametrize("way", [with_pickle, copy.deepcopy, copy.copy])
@pytest.mark.parametrize("make", [Callback, "logger"])
def test_a_fitted_estimator_with_callbacks_can_be_copied(way, make, tmp_path):
    callback = Callback() if make is Callback else HistoryLogger(tmp_path / "log.csv")
    net = classifier().set_callbacks(callback).fit(X, CODES)
    copied = way(net)
    assert_same_network(copied, net)
    assert [type(told) for told in copied._skl_callbacks] == [type(callback)]
    assert_same_network(copied.fit(X, CODES), net)


@pytest.mark.parametrize("wrong", [3, print, AfterEpoch])
def test_what_is_no_callback_can_not_be_set(wrong):
    error_of(lambda: classifier().set_callbacks(wrong), "callbacks", error=TypeError)


# ------------------------------------------------------------- HistoryLogger


def logged_in(path):
    """Return the rows of a log, without the rounding of pandas."""
    rows = list(csv.DictReader(StringIO(path.read_text(encoding="utf-8"))))
    for row in rows:
        row["epoch"] = int(row["epoch"])
        row.update({name: float(row[name] or "nan") for name in COLUMNS})
    return pd.DataFrame(rows)


COLUMNS = ["loss", "validation_loss", "validation_score", "learning_rate", "seconds"]


@pytest.mark.parametrize("validates", [False, True])
@EITHER
@ESTIMATORS
def test_rows_of_the_file_are_those_of_the_history(
    make, y, solver, validates, tmp_path
):
    path = tmp_path / "history.csv"
    estimator = small(make, solver=solver).set_callbacks(HistoryLogger(path))
    passed = {"X_val": X[:30], "y_val": y[:30]} if validates else {}
    history = estimator.fit(X, y, **passed).history_
    logged = logged_in(path)
    assert list(logged.columns) == ["fit", "epoch", *COLUMNS]
    assert logged["epoch"].tolist() == history.index.tolist()
    assert logged["fit"].nunique() == 1
    np.testing.assert_array_equal(logged[COLUMNS].to_numpy(), history.to_numpy())


def test_cells_of_what_there_is_not_are_empty(tmp_path):
    path = tmp_path / "history.csv"
    small(BackpropClassifier, solver="lbfgs").set_callbacks(
        HistoryLogger(str(path))
    ).fit(X, CODES)
    for row in csv.DictReader(StringIO(path.read_text())):
        empty = [name for name, cell in row.items() if cell == ""]
        assert empty == ["validation_loss", "validation_score", "learning_rate"]


def test_the_file_is_whole_after_every_epoch(tmp_path):
    path, n_rows = tmp_path / "history.csv", []

    def read(net, epoch):
        rows = list(csv.DictReader(StringIO(path.read_text())))
        n_rows.append(len(rows))
        assert float(rows[-1]["loss"]) == epoch.loss
        assert int(rows[-1]["epoch"]) == net.n_iter_

    net = classifier().set_callbacks(HistoryLogger(path), AfterEpoch(read))
    net.fit(X, CODES)
    assert n_rows == list(range(1, net.n_iter_ + 1))


def test_a_second_fit_is_appended_and_has_another_name(tmp_path):
    path = tmp_path / "history.csv"
    net = classifier(warm_start=True).set_callbacks(HistoryLogger(path))
    first = net.fit(X, CODES).history_
    both = net.fit(X, CODES).history_
    logged = logged_in(path)
    assert logged["loss"].tolist() == both["loss"].tolist()
    assert logged["fit"].nunique() == 2
    assert logged["fit"][: len(first)].nunique() == 1
    # Epochs are counted as n_iter_ counts them, by the fit.
    assert logged["epoch"][len(first)] == 1


def test_fits_of_a_search_in_several_processes_can_be_told_apart(tmp_path):
    path = tmp_path / "history.csv"
    search = searched(classifier().set_callbacks(HistoryLogger(path)))
    search.fit(X, CODES)
    fits = logged_in(path).groupby("fit")["epoch"]
    last = search.best_estimator_[-1].n_iter_
    assert sorted(fits.size()) == sorted([*N_EPOCHS, *N_EPOCHS, last])
    for _, epochs in fits:
        assert sorted(epochs) == list(range(1, len(epochs) + 1))
    assert len({name.split("/")[0] for name in fits.groups}) == 1


@pytest.mark.parametrize("content", ["a,b\n1,2\n", "text", "fit,epoch,loss\n"])
def test_a_file_that_holds_something_else_is_left_alone(content, tmp_path):
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


def test_a_folder_that_is_not_there_is_not_made(tmp_path):
    path = tmp_path / "nowhere" / "history.csv"
    net = classifier().set_callbacks(HistoryLogger(path))
    with pytest.raises(FileNotFoundError):
        net.fit(X, CODES)
    assert not path.parent.exists()


# ----------------------------------------------- what partial_fit does afterwards


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (
            {"learning_rate": "cosine", "max_iter": 30, "n_iter_no_change": 2},
            {"learning_rate": "constant"},
        ),
        ({"max_iter": 30, "n_iter_no_change": 30}, {"n_iter_no_change": 1}),
    ],
    ids=["cosine", "patience"],
)
@cut_short
def test_partial_fit_trains_an_epoch_whatever_has_stalled_before(first, then):
    # With a step far too long nothing improves.
    params = {"learning_rate_init": 1.0, "tol": 1.0, **first}
    net = classifier(**params).fit(X, CODES).set_params(**then)
    n_epochs = len(net.loss_curve_)
    for more in (1, 2, 3):
        before = net.coefs_[0].copy()
        net.partial_fit(X, CODES)
        assert len(net.loss_curve_) == n_epochs + more
        assert not np.array_equal(net.coefs_[0], before)


def test_a_copy_from_the_midst_of_early_stopping_watches_a_loss():
    copies = []
    keep = AfterEpoch(lambda net, epoch: copies.append(copy.deepcopy(net)))
    net = classifier(early_stopping=True, scoring="accuracy").set_callbacks(keep)
    net.fit(X, CODES)
    kept = copies[3].set_params(early_stopping=False).partial_fit(X, CODES)
    assert kept.best_loss_ == kept.loss_


# ------------------------------------------------------------- what is refused


@pytest.mark.parametrize("answer", ["text", 1, 3.0, np.zeros(2)], ids=str)
def test_a_function_that_answers_neither_yes_nor_no_is_refused(answer):
    net = classifier().set_callbacks(AfterEpoch(lambda net, epoch: answer))
    with pytest.raises(TypeError, match="function must return True, False or None"):
        net.fit(X, CODES)


@pytest.mark.parametrize("answer", [None, False, np.False_], ids=repr)
def test_a_function_that_says_no_has_no_effect(answer):
    net = classifier().set_callbacks(AfterEpoch(lambda net, epoch: answer))
    assert_same_network(net.fit(X, CODES), classifier().fit(X, CODES))


@pytest.mark.parametrize("kind", ["function", "logger"])
def test_a_pipeline_is_refused_which_has_no_epochs(kind, tmp_path):
    callback = (
        AfterEpoch(lambda net, epoch: None)
        if kind == "function"
        else HistoryLogger(tmp_path / "history.csv")
    )
    pipeline = make_pipeline(StandardScaler(), classifier()).set_callbacks(callback)
    with pytest.raises(TypeError, match=r"got Pipeline: set it on the network inside"):
        pipeline.fit(X, CODES)


def test_an_empty_file_gets_names_of_columns(tmp_path):
    path = tmp_path / "history.csv"
    path.touch()
    net = classifier(max_iter=3, tol=0.0).set_callbacks(HistoryLogger(path))
    with pytest.warns(ConvergenceWarning):
        net.fit(X, CODES)
    assert pd.read_csv(path)["epoch"].tolist() == [1, 2, 3]


@EITHER
def test_an_error_that_means_something_to_scipy_is_an_error(solver):
    callback = AfterEpoch(lambda net, epoch: next(iter(())))
    net = classifier(solver=solver, tol=1e-9).set_callbacks(callback)
    with pytest.raises((StopIteration, RuntimeError), match=r"StopIteration|^$"):
        net.fit(X, CODES)
    with pytest.raises(NotFittedError):
        check_is_fitted(net)
