"""Tests of Checkpoint: a resumed fit is identical to an uninterrupted fit."""

import copy
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from decimal import Decimal
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csc_array, csr_array, csr_matrix
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from small_fits import error_of, ignore_convergence_warning
from small_networks import (
    CODES,
    ESTIMATORS,
    LABELS,
    NAMES,
    NUMBERS,
    SHORT_TRAINING,
    WEIGHT,
    X,
    assert_same_network,
    classifier,
    regressor,
    small,
    to_dataframe,
)

pytest.importorskip("sklearn.callback")

import skbackprop
from skbackprop import BackpropClassifier, Checkpoint, EpochEndCallback
from skbackprop._callbacks.checkpoint_file import (
    FORMAT,
    read_checkpoint,
    write_checkpoint,
)
from skbackprop._callbacks.plain_data import BIT_GENERATORS
from skbackprop._persistence import TYPES
from skbackprop.core.losses import Huber
from skbackprop.core.optimizers import OPTIMIZERS

PACKAGE = Path(skbackprop.__file__).parent
SPARSE = csr_matrix(np.where(X > 0.3, X, 0.0))
TRAIN, VAL = slice(0, 60), slice(60, 90)
MIXED = pd.DataFrame(
    {
        "size": np.where(np.arange(90) % 7 == 2, np.nan, 40.0 + 12.0 * X[:, 0]),
        "color": pd.Categorical(np.array(["red", "green", "blue"])[CODES[::-1]]),
    }
)
MIXED.loc[3, "color"] = None


class KilledError(Exception):
    pass


def kill_after(n_epochs):
    """Return a callback that ends `fit` with an error after `n_epochs` epochs."""

    def kill(net, epoch):
        if net.n_iter_ == n_epochs:
            raise KilledError

    return EpochEndCallback(kill)


def fit_and_interrupt(estimator, path, n_epochs, *data, every=1, **kwargs):
    """Fit with checkpoints, and interrupt `fit` after `n_epochs` epochs."""
    estimator.set_callbacks(Checkpoint(path, every), kill_after(n_epochs))
    with pytest.raises(KilledError):
        estimator.fit(*data, **kwargs)


def assert_same_training(one, other, data):
    """Compare the fitted attributes of two estimators, and their further training."""
    assert_same_network(one, other)
    for name in (
        "loss_curve_",
        "validation_loss_curve_",
        "validation_scores_",
        "n_iter_",
        "t_",
        "loss_",
        "best_loss_",
        "best_validation_score_",
    ):
        np.testing.assert_array_equal(
            np.array(getattr(one, name), float), np.array(getattr(other, name), float)
        )
    np.testing.assert_array_equal(one.gradient_norms_, other.gradient_norms_)
    columns = ["loss", "validation_loss", "validation_score", "learning_rate"]
    assert one.history_[columns].equals(other.history_[columns])
    np.testing.assert_array_equal(one.predict(data[0]), other.predict(data[0]))
    assert one.get_params().keys() == other.get_params().keys()
    further = [copy.deepcopy(e).set_callbacks() for e in (one, other)]
    for estimator in further:
        estimator.set_params(early_stopping=False).partial_fit(*data)
    assert_same_network(*further)


# -------------------------------------------------------------- resuming

FAST = dict(learning_rate_init=0.3, batch_size=20)
STOPPING = dict(early_stopping=True, **FAST)
WEIGHTED = {"sample_weight": WEIGHT}
VALIDATED = {"X_val": X[VAL], "y_val": CODES[VAL]}
# Maps names of test cases to estimator, parameters and data.
CASES = {
    **{solver: (classifier, {"solver": solver}, {}) for solver in OPTIMIZERS},
    "dropout": (classifier, {"dropout": 0.3}, {}),
    "dropout by layer": (classifier, {"dropout": (0.2,), "dtype": "float32"}, {}),
    "early stopping": (classifier, STOPPING, {}),
    "early stopping by accuracy": (
        classifier,
        {**STOPPING, "scoring": "accuracy", "solver": "sgd"},
        {},
    ),
    "early stopping of a regressor": (regressor, STOPPING, {"y": NUMBERS}),
    "early stopping by X_val": (classifier, STOPPING, VALIDATED),
    "X_val": (classifier, {}, VALIDATED),
    "X_val and weights": (
        classifier,
        {},
        {**VALIDATED, **WEIGHTED, "sample_weight_val": WEIGHT[VAL]},
    ),
    "adaptive": (
        classifier,
        dict(solver="sgd", learning_rate="adaptive", tol=0.05, n_iter_no_change=1),
        {},
    ),
    "cosine": (classifier, {"learning_rate": "cosine", "max_iter": 40}, {}),
    "one cycle": (classifier, {"learning_rate": "one_cycle", "max_iter": 40}, {}),
    "warm-up": (classifier, {"warmup_steps": 40, "batch_size": 10}, {}),
    "invscaling": (classifier, {"learning_rate": "invscaling", "solver": "sgd"}, {}),
    "sample weights": (classifier, {}, WEIGHTED),
    "class weights": (classifier, {"class_weight": "balanced"}, WEIGHTED),
    "float32": (classifier, {"dtype": "float32"}, {}),
    "sparse": (classifier, {}, {"X": SPARSE}),
    "sparse sgd": (
        classifier,
        {"solver": "sgd", "momentum": 0.0, "alpha": 0.5},
        {"X": SPARSE},
    ),
    "dataframe": (classifier, {}, {"X": to_dataframe(), "y": pd.Series(NAMES)}),
    "categories": (classifier, {}, {"X": MIXED, "y": NAMES}),
    "categories with early stopping": (classifier, STOPPING, {"X": MIXED, "y": NAMES}),
    "bins": (classifier, {"n_bins": 4, **STOPPING}, {"X": MIXED, "y": NAMES}),
    "lists": (classifier, {}, {"X": X.tolist(), "y": NAMES.tolist()}),
    "multilabel": (classifier, {}, {"y": LABELS}),
    "regressor": (regressor, {}, {"y": 1e4 + 300.0 * NUMBERS}),
    "multioutput": (regressor, {}, {"y": X[:, :2] @ [[1.0, 2.0], [3.0, -50.0]]}),
    "not shuffled": (classifier, {"shuffle": False, "batch_size": 20}, {}),
    "clipped": (classifier, {"clip_norm": 0.1, "max_norm": 1.0, "l1_alpha": 0.1}, {}),
    "momentum": (classifier, {"solver": "sgd", "nesterovs_momentum": False}, {}),
}


def make_case(name):
    """Return the estimator and the `fit` arguments of a test case."""
    make, params, kwargs = CASES[name]
    data = {"X": X, "y": CODES, **kwargs}
    if "X_val" in data:
        data["X"], data["y"] = X[TRAIN], CODES[TRAIN]
    if "X_val" in data and "sample_weight" in data:
        data["sample_weight"] = WEIGHT[TRAIN]
    return make(**params), data


@pytest.mark.parametrize("every", [1, 5])
@pytest.mark.parametrize("name", CASES)
@ignore_convergence_warning
def test_resumed_fit_equals_uninterrupted_fit(name, every, tmp_path):
    path = tmp_path / "checkpoint"
    estimator, data = make_case(name)
    uninterrupted = copy.deepcopy(estimator).fit(**data)
    assert uninterrupted.n_iter_ > 13
    fit_and_interrupt(estimator, path, 13, every=every, **data)
    resumed = Checkpoint.resume(path, **data)
    assert type(resumed) is type(uninterrupted)
    assert_same_training(resumed, uninterrupted, (data["X"], data["y"]))
    assert "_callback_fit_ctx" not in vars(resumed)


@ignore_convergence_warning
def test_adaptive_case_lowers_rate_before_and_after_epoch_13(tmp_path):
    # Otherwise the "adaptive" case of the test above would not test this schedule.
    net, data = make_case("adaptive")
    rates = net.fit(**data).history_["learning_rate"]
    assert rates[13] < rates[1]
    assert rates.iloc[-1] < rates[13]


@pytest.mark.parametrize(
    "random_state",
    [lambda: None, lambda: 5, lambda: np.random.RandomState(5)],
    ids=["None", "int", "RandomState"],
)
@pytest.mark.parametrize("params", [{}, {"early_stopping": True}, {"dropout": 0.3}])
@ignore_convergence_warning
@ESTIMATORS
def test_random_state_is_restored(make, y, random_state, params, tmp_path):
    path = tmp_path / "checkpoint"
    estimators = []
    for _ in range(2):
        np.random.seed(3)  # noqa: NPY002
        estimator = small(make, **params).set_params(random_state=random_state())
        estimators.append(estimator)
        if len(estimators) == 1:
            estimator.fit(X, y)
    np.random.seed(3)  # noqa: NPY002
    fit_and_interrupt(estimators[1], path, 7, X, y)
    np.random.seed(8)  # noqa: NPY002
    assert_same_training(Checkpoint.resume(path, X, y), estimators[0], (X, y))


@pytest.mark.parametrize("early_stopping", [False, True])
@ignore_convergence_warning
@ESTIMATORS
def test_warm_start_can_be_resumed(make, y, early_stopping, tmp_path):
    path = tmp_path / "checkpoint"
    estimator = small(make, warm_start=True, early_stopping=early_stopping).fit(X, y)
    before = copy.deepcopy(estimator)
    uninterrupted = copy.deepcopy(estimator).fit(X, y, WEIGHT)
    fit_and_interrupt(estimator, path, 4, X, y, WEIGHT)
    assert_same_network(estimator, before)
    resumed = Checkpoint.resume(path, X, y, WEIGHT)
    assert_same_training(resumed, uninterrupted, (X, y))
    assert len(resumed.loss_curve_) > resumed.n_iter_ > 4


def explode_in_epoch_20(epoch, step):
    return 1e300 if epoch == 19 else 0.05


@ignore_convergence_warning
def test_scale_of_quantiles_is_restored(tmp_path):
    # A warm start with targets of another scale changes the unit of the outputs.
    path, y = tmp_path / "checkpoint", 1e3 * NUMBERS
    params = dict(loss="quantile", quantile=[0.1, 0.5, 0.9], warm_start=True)
    net = regressor(max_iter=5, tol=0.0, **params).fit(X, NUMBERS)
    uninterrupted = copy.deepcopy(net).fit(X, y)
    fit_and_interrupt(net, path, 3, X, y)
    assert_same_training(Checkpoint.resume(path, X, y), uninterrupted, (X, y))


@pytest.mark.parametrize("warm", [False, True])
@ESTIMATORS
def test_fit_that_diverges_can_be_resumed(make, y, warm, tmp_path):
    path = tmp_path / "checkpoint"
    params = dict(early_stopping=True, tol=0.0, n_iter_no_change=99)
    estimator = small(make, batch_size=20, output_activation="identity", **params)
    if warm:
        with pytest.warns(ConvergenceWarning):
            estimator.set_params(warm_start=True, max_iter=3).fit(X, y)
    estimator.set_params(learning_rate=explode_in_epoch_20, max_iter=30)
    diverged = pytest.warns(ConvergenceWarning, match="Training diverged in epoch 20")
    with diverged:
        uninterrupted = copy.deepcopy(estimator).fit(X, y)
    fit_and_interrupt(estimator, path, 13, X, y)
    with diverged:
        resumed = Checkpoint.resume(path, X, y, estimator=estimator)
    assert_same_network(resumed, uninterrupted)
    assert resumed.loss_curve_ == uninterrupted.loss_curve_
    assert resumed.validation_scores_ == uninterrupted.validation_scores_
    assert resumed.best_validation_score_ == uninterrupted.best_validation_score_
    assert (resumed.n_iter_, resumed.t_) == (uninterrupted.n_iter_, uninterrupted.t_)
    # The state in the file of the finished fit is usable.
    loaded = Checkpoint.resume(path, X, y, estimator=estimator).set_callbacks()
    loaded.set_params(learning_rate="constant", early_stopping=False)
    uninterrupted.set_params(learning_rate="constant", early_stopping=False)
    for net in (loaded, uninterrupted):
        net.partial_fit(X, y)
    assert_same_network(loaded, uninterrupted)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_initial_weights_are_not_set_again(early_stopping, tmp_path):
    path = tmp_path / "checkpoint"
    initial = {"coefs_init": [np.eye(4, 8), np.eye(8, 3)]}
    net = classifier(early_stopping=early_stopping)
    uninterrupted = copy.deepcopy(net).fit(X, CODES, **initial)
    fit_and_interrupt(net, path, 4, X, CODES, **initial)
    assert_same_training(Checkpoint.resume(path, X, CODES), uninterrupted, (X, CODES))


@pytest.mark.parametrize("every", [1, 4])
def test_fit_can_be_resumed_twice(every, tmp_path):
    path = tmp_path / "checkpoint"
    net = classifier(dropout=0.2)
    uninterrupted = copy.deepcopy(net).fit(X, CODES)
    fit_and_interrupt(net, path, 6, X, CODES, every=every)
    with pytest.raises(KilledError):
        Checkpoint.resume(path, X, CODES, callbacks=[kill_after(15)])
    assert count_epochs(path) == 15 - 15 % every
    resumed = Checkpoint.resume(path, X, CODES)
    assert_same_training(resumed, uninterrupted, (X, CODES))
    # The resumed fit continues to write checkpoints until the end.
    assert count_epochs(path) == uninterrupted.n_iter_
    assert read_checkpoint(path)["finished"]


def count_epochs(path):
    """Return the number of epochs of the fit in a checkpoint file."""
    return read_checkpoint(path)["estimator"]["results"]["state"]["n_epochs"]


def make_epoch_log():
    """Return a list, and a callback that appends each epoch number to the list."""
    log = []
    return log, EpochEndCallback(lambda net, epoch: log.append(net.n_iter_) and None)


def test_finished_fit_is_returned_unchanged(tmp_path):
    path = tmp_path / "checkpoint"
    net = classifier().set_callbacks(Checkpoint(path, every=1000)).fit(X, CODES)
    content = path.read_bytes()
    log, callback = make_epoch_log()
    resumed = Checkpoint.resume(path, X, CODES, callbacks=[callback])
    assert log == []
    assert path.read_bytes() == content
    assert_same_training(resumed, net, (X, CODES))


@pytest.mark.parametrize("name", ["adam", "early stopping", "adaptive", "cosine"])
@ignore_convergence_warning
def test_fit_killed_after_last_epoch_trains_no_further_epoch(name, tmp_path):
    # The fit is killed between the checkpoint of the last epoch and the final one.
    path = tmp_path / "checkpoint"
    estimator, data = make_case(name)
    uninterrupted = copy.deepcopy(estimator).fit(**data)
    fit_and_interrupt(estimator, path, uninterrupted.n_iter_, **data)
    assert not read_checkpoint(path)["finished"]
    log, callback = make_epoch_log()
    resumed = Checkpoint.resume(path, **data, callbacks=[callback])
    assert log == []
    assert_same_training(resumed, uninterrupted, (data["X"], data["y"]))
    assert read_checkpoint(path)["finished"]


def test_resumed_fit_that_reached_max_iter_warns(tmp_path):
    path = tmp_path / "checkpoint"
    net = classifier(max_iter=6)
    fit_and_interrupt(net, path, 6, X, CODES)
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(6\)"):
        resumed = Checkpoint.resume(path, X, CODES)
    assert resumed.n_iter_ == 6


@pytest.mark.parametrize("resumes", [False, True])
@ignore_convergence_warning
def test_data_cause_each_warning_once(resumes, tmp_path):
    path = tmp_path / "fit.checkpoint"
    frame = pd.DataFrame(X, columns=list("abcd"))
    column = CODES[:, np.newaxis]
    net = small(BackpropClassifier, max_iter=5)
    if resumes:
        fit_and_interrupt(net, path, 2, frame, CODES)
    else:
        net.fit(frame, CODES).set_params(warm_start=True)
        net.set_callbacks(Checkpoint(path))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if resumes:
            Checkpoint.resume(path, X, column)
        else:
            net.fit(X, column)
    messages = [str(warning.message) for warning in caught]
    for words in ("column-vector y was passed", "valid feature names"):
        assert sum(words in message for message in messages) == 1


def test_resume_sets_the_passed_callbacks(tmp_path):
    path = tmp_path / "checkpoint"
    net = classifier()
    n_epochs = copy.deepcopy(net).fit(X, CODES).n_iter_
    fit_and_interrupt(net, path, 6, X, CODES)
    log, callback = make_epoch_log()
    resumed = Checkpoint.resume(path, X, CODES, callbacks=(callback,))
    assert log == list(range(7, n_epochs + 1))
    checkpoint, added = resumed._skl_callbacks
    assert type(checkpoint) is Checkpoint
    assert (checkpoint.path, checkpoint.every) == (path, 1)
    assert added is callback
    log, callback = make_epoch_log()
    assert len(Checkpoint.resume(path, X, CODES)._skl_callbacks) == 1


def test_callback_can_stop_resumed_fit(tmp_path):
    path = tmp_path / "checkpoint"
    fit_and_interrupt(classifier(), path, 6, X, CODES)
    stop = EpochEndCallback(lambda net, epoch: net.n_iter_ == 9)
    assert Checkpoint.resume(path, X, CODES, callbacks=[stop]).n_iter_ == 9


# ------------------------------------------------------- killed processes

SCRIPT = """
import os, signal, sys, time
sys.path.insert(0, {folder!r})
import numpy as np
from skbackprop import EpochEndCallback, BackpropClassifier, Checkpoint

rng = np.random.default_rng(0)
X, y = rng.normal(size=(90, 4)), rng.integers(0, 3, 90)
net = BackpropClassifier(
    (8,), learning_rate="cosine", max_iter=120, dropout=0.1, random_state=0
)

def pause(net, epoch):
    if net.n_iter_ == {killed_at}:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep({seconds})

callbacks = Checkpoint({path!r}, every={every}), EpochEndCallback(pause)
"""


@pytest.mark.parametrize(
    ("killed_at", "seconds", "every"),
    [
        pytest.param(17, 0.0, 5, id="by the callback"),
        pytest.param(None, 0.02, 1, id="by the parent process", marks=pytest.mark.slow),
    ],
)
@ignore_convergence_warning
def test_killed_process_can_be_resumed(killed_at, seconds, every, tmp_path):
    path = tmp_path / "checkpoint"
    script = SCRIPT.format(
        folder=str(PACKAGE.parent),
        path=str(path),
        killed_at=killed_at,
        seconds=seconds,
        every=every,
    )
    fit = "net.set_callbacks(*callbacks).fit(X, y)"
    with subprocess.Popen([sys.executable, "-c", script + fit]) as process:
        while killed_at is None and process.poll() is None:
            if path.exists():
                process.kill()
            time.sleep(0.01)
        assert process.wait() == -signal.SIGKILL
    assert not read_checkpoint(path)["finished"]
    names = {}
    exec(script, names)
    n_epochs = count_epochs(path)
    assert n_epochs == 15 if killed_at else 1 <= n_epochs < 100
    uninterrupted = names["net"].fit(names["X"], names["y"])
    log, callback = make_epoch_log()
    data = names["X"], names["y"]
    resumed = Checkpoint.resume(path, *data, callbacks=[callback])
    assert log == list(range(n_epochs + 1, 121))
    assert_same_training(resumed, uninterrupted, data)


# ------------------------------------------------------------ checkpoint file


@pytest.mark.parametrize("every", [1, 3, np.int64(4), 100])
def test_checkpoint_is_written_every_n_epochs_and_at_the_end(every, tmp_path):
    path, written = tmp_path / "checkpoint", []

    def check_file(net, epoch):
        exists = path.exists()
        written.append(count_epochs(path) if exists else 0)

    net = classifier().set_callbacks(
        Checkpoint(str(path), every), EpochEndCallback(check_file)
    )
    n_epochs = net.fit(X, CODES).n_iter_
    assert written == [n - n % every for n in range(1, n_epochs + 1)]
    assert count_epochs(path) == n_epochs
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_failed_write_keeps_previous_checkpoint(failing, tmp_path, monkeypatch):
    path = tmp_path / "checkpoint"
    net = classifier().fit(X, CODES)
    same, contents = copy.deepcopy(net), []

    def raise_disk_full(*_):
        raise OSError(28, "No space left on device")

    def fill_disk(net, epoch):
        if net.n_iter_ == 6:
            contents.append(path.read_bytes())
            owner = os if failing == "fsync" else Path
            monkeypatch.setattr(owner, failing, raise_disk_full)

    net.set_callbacks(Checkpoint(path), EpochEndCallback(fill_disk))
    with pytest.raises(OSError, match="No space left"):
        net.fit(X, CODES)
    monkeypatch.undo()
    assert [path.read_bytes()] == contents
    assert_same_network(net, same)
    assert_same_network(Checkpoint.resume(path, X, CODES), same)
    # The failed write does not prevent further checkpoints.
    fit_and_interrupt(classifier(), path, 8, X, CODES)
    assert count_epochs(path) == 8
    assert list(tmp_path.iterdir()) == [path]


def test_new_file_is_synced_before_it_replaces_the_previous_file(tmp_path, monkeypatch):
    path, calls = tmp_path / "checkpoint", []
    replace, sync = Path.replace, os.fsync

    def recording_replace(self, target):
        calls.append("replace")
        assert len(self.read_bytes()) > 1000
        read_checkpoint(self)
        assert Path(target) == path
        return replace(self, target)

    def recording_sync(fd):
        calls.append("fsync")
        assert os.fstat(fd).st_size > 1000
        return sync(fd)

    monkeypatch.setattr(Path, "replace", recording_replace)
    monkeypatch.setattr(os, "fsync", recording_sync)
    fit_and_interrupt(classifier(), path, 3, X, CODES)
    assert calls == ["fsync", "replace"] * 3


def test_checkpoint_contains_no_data_and_no_callbacks(tmp_path):
    path = tmp_path / "checkpoint"
    big = np.random.default_rng(0).normal(size=(4000, 4))
    fit_and_interrupt(classifier(), path, 3, big, big[:, 0] > 0)
    assert path.stat().st_size < big.nbytes
    assert not [
        name
        for name in read_checkpoint(path)["estimator"]["attributes"]
        if "callback" in name
    ]


def test_resume_from_missing_file_raises_file_not_found_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        Checkpoint.resume(tmp_path / "missing", X, CODES)


def test_fit_with_missing_directory_raises_file_not_found_error(tmp_path):
    net = classifier().set_callbacks(Checkpoint(tmp_path / "missing" / "checkpoint"))
    with pytest.raises(FileNotFoundError):
        net.fit(X, CODES)


def test_truncated_file_raises_value_error(tmp_path):
    path = tmp_path / "checkpoint"
    fit_and_interrupt(classifier(), path, 3, X, CODES)
    content = path.read_bytes()
    n_bytes = len(content)
    for length in {*range(200), *range(200, n_bytes, 61), n_bytes - 1}:
        path.write_bytes(content[:length])
        error_of(
            lambda: Checkpoint.resume(path, X, CODES),
            f"Cannot read checkpoint {str(path)!r}",
        )


def test_flipped_bit_raises_value_error(tmp_path):
    path = tmp_path / "checkpoint"
    fit_and_interrupt(classifier(), path, 3, X, CODES)
    content = bytearray(path.read_bytes())
    results = read_checkpoint(path)["estimator"]["results"]
    weights = results["state"]["network"]["params"].tobytes()
    content[content.index(weights) + 4] ^= 1
    path.write_bytes(content)
    error_of(
        lambda: Checkpoint.resume(path, X, CODES),
        f"Cannot read checkpoint {str(path)!r}",
        "checksum does not match",
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text\n",
        bytes(range(256)),
        pickle.dumps({"weights": [1.0]}),
        pickle.dumps([1.0]),
        pickle.dumps(None),
        pickle.dumps(small(BackpropClassifier).fit(X, CODES)),
        b"cno_such_module\nThing\n.",
    ],
    ids=[
        "empty",
        "text",
        "bytes",
        "dict",
        "list",
        "None",
        "estimator",
        "module",
    ],
)
def test_file_of_another_type_raises_value_error(content, tmp_path):
    path = tmp_path / "checkpoint"
    path.write_bytes(content)
    error_of(
        lambda: Checkpoint.resume(path, X, CODES),
        repr(str(path)),
        "is not a checkpoint",
    )
    assert path.read_bytes() == content


def write_with_checksum(path, archive):
    path.write_bytes(FORMAT + sha256(archive).digest() + archive)


@pytest.mark.parametrize("found", [b" 1\n", b" 3\n"])
def test_other_format_raises_value_error(found, tmp_path):
    path = tmp_path / "checkpoint"
    path.write_bytes(b"skbackprop checkpoint" + found + pickle.dumps(Exploding()))
    error_of(
        lambda: Checkpoint.resume(path, X, CODES),
        f"Cannot read checkpoint {str(path)!r}",
        repr(b"skbackprop checkpoint" + found.strip(b"\n")),
        "reads b'skbackprop checkpoint 2'",
    )


class Exploding:
    """Object whose pickle fails the test when it is loaded."""

    def __reduce__(self):
        return pytest.fail, ("The file ran code.",)


def to_archive(text, **arrays):
    file = BytesIO()
    np.savez(file, json=np.frombuffer(text.encode(), np.uint8), **arrays)
    return file.getvalue()


def object_array():
    array = np.empty(1, object)
    array[0] = Exploding()
    return array


@pytest.mark.parametrize(
    "archive",
    [
        pickle.dumps(Exploding()),
        to_archive('{"array": "0"}', **{"0": object_array()}),
        to_archive('{"scalar": "0"}', **{"0": object_array()}),
        to_archive('{"function": "pytest.fail"}'),
        to_archive('{"builtins.eval": "1"}'),
        to_archive('{"ActivationFromFunction": "pytest.fail"}'),
        to_archive('{"RandomState": [0, {"dict": [["bit_generator", "seed"]]}]}'),
        to_archive('{"Network": {"dict": []}}'),
        to_archive("["),
        to_archive("[" * 100_000),
        b"PK\x03\x04",
        b"",
    ],
    ids=range(12),
)
def test_malicious_file_runs_no_code(archive, tmp_path):
    path = tmp_path / "checkpoint"
    write_with_checksum(path, archive)
    for kwargs in ({}, {"estimator": classifier()}):
        error_of(
            lambda k=kwargs: Checkpoint.resume(path, X, CODES, **k),
            f"Cannot read checkpoint {str(path)!r}",
            "was not written by Checkpoint",
        )


def test_file_names_only_classes_of_this_library(tmp_path):
    path = tmp_path / "checkpoint"
    fit_and_interrupt(classifier(), path, 3, X, CODES)
    content = read_checkpoint(path)
    content["estimator"]["class"] = "builtins.eval"
    write_checkpoint(path, content)
    with pytest.raises(KeyError, match="eval"):
        Checkpoint.resume(path, X, CODES)


PLAIN_VALUES = {
    "numbers": [0, 1, True, None, -0.0, 0.1, 1e-320, np.inf, -np.inf, 1 << 80],
    "strings": ["", "é\ud800"],
    "containers": ((1, [2, (3,)]), {(1, "a"): {}, None: [], 2.5: (), True: False}),
    "scalars": [np.float32(0.1), np.float64(2), np.int8(-3), np.True_, np.str_("a")],
    "arrays": [
        np.arange(6, dtype=dtype).reshape(2, 3) for dtype in ("u1", "i8", "f4", "f8")
    ],
    "memory order": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big endian": np.arange(3, dtype=">f8"),
    "text": [np.array(["a", "bcd", ""]), np.array([b"x", b"yz"]), np.array([""])],
    "dates": np.array(["2024-01-01", "NaT"], "datetime64[ns]"),
    "objects": np.array([[1, "a"], [None, np.float32(2.5)]], object),
    "nested objects": np.array([(1, 2), "b", [3]], dtype=object),
    "empty": np.empty(0),
    "no objects": np.empty((2, 0), object),
    "intervals": np.array([pd.Interval(0, 1.5, "left"), pd.Interval(2, 3)], object),
}


@pytest.mark.parametrize("name", PLAIN_VALUES)
def test_plain_values_are_stored_exactly(name, tmp_path):
    value = PLAIN_VALUES[name]
    write_checkpoint(tmp_path / "file", value)
    loaded = read_checkpoint(tmp_path / "file")
    assert joblib.hash(loaded) == joblib.hash(value)
    assert repr(loaded) == repr(value)


@pytest.mark.parametrize("bit_generator", BIT_GENERATORS.values())
def test_random_number_generators_are_stored_exactly(bit_generator, tmp_path):
    one = np.random.RandomState(bit_generator(3))
    other = np.random.Generator(bit_generator(4))
    one.normal(), other.integers(3, dtype=np.int32)  # leave cached numbers
    write_checkpoint(tmp_path / "file", [one, other, one])
    stored, other_stored, again = read_checkpoint(tmp_path / "file")
    assert again is stored
    np.testing.assert_array_equal(stored.normal(size=5), one.normal(size=5))
    for dtype in (np.int32, np.int64):
        actual = other_stored.integers(99, size=5, dtype=dtype)
        expected = other.integers(99, size=5, dtype=dtype)
        np.testing.assert_array_equal(actual, expected)


def test_types_of_library_have_different_names():
    assert len({cls.__name__ for cls in TYPES}) == len(TYPES)


def test_joblib_file_raises_value_error(tmp_path):
    path = tmp_path / "checkpoint"
    joblib.dump(classifier().fit(X, CODES), path)
    error_of(
        lambda: Checkpoint.resume(path, X, CODES),
        repr(str(path)),
        "is not a checkpoint",
    )


# ---------------------------------------------------------- different data


def perturb(array, amount=1e-9):
    """Return a copy of an array with one changed element."""
    array = np.array(array, float)
    array.flat[5] += amount
    return array


@pytest.mark.parametrize(
    ("data", "weight"),
    [
        ((perturb(X), CODES), WEIGHT),
        ((X[::-1], CODES), WEIGHT),
        ((X, CODES[::-1]), WEIGHT),
        ((X, np.where(CODES == 1, 2, CODES)), WEIGHT),
        ((X[:80], CODES[:80]), WEIGHT[:80]),
        ((X[:, :3], CODES), WEIGHT),
        ((X, NAMES), WEIGHT),
        ((X, CODES), None),
        ((X, CODES), perturb(WEIGHT)),
        ((X, CODES), WEIGHT[::-1]),
        ((np.where(X > 9, X, np.nan), CODES), WEIGHT),
    ],
)
def test_different_data_raise_value_error(data, weight, tmp_path):
    path = tmp_path / "checkpoint"
    fit_and_interrupt(classifier(), path, 3, X, CODES, WEIGHT)
    content = path.read_bytes()
    error_of(lambda: Checkpoint.resume(path, *data, weight))
    assert path.read_bytes() == content
    assert Checkpoint.resume(path, X, CODES, WEIGHT).n_iter_ > 3


def test_added_sample_weight_raises_value_error(tmp_path):
    path = tmp_path / "checkpoint"
    fit_and_interrupt(classifier(), path, 3, X, CODES)
    error_of(lambda: Checkpoint.resume(path, X, CODES, WEIGHT), "sample_weight")


def test_different_data_raise_value_error_for_finished_fit(tmp_path):
    path = tmp_path / "checkpoint"
    classifier().set_callbacks(Checkpoint(path)).fit(X, CODES)
    error_of(lambda: Checkpoint.resume(path, perturb(X), CODES), "differ")


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize(
    "validation",
    [
        {},
        {"X_val": X[VAL], "y_val": CODES[VAL]},
        {"X_val": perturb(X[VAL], 0.1), "y_val": CODES[VAL]},
        {"X_val": X[VAL], "y_val": CODES[VAL][::-1]},
        {"X_val": X[TRAIN], "y_val": CODES[TRAIN]},
    ],
    ids=["missing", "missing weights", "X_val", "y_val", "n_samples"],
)
@ESTIMATORS
def test_different_validation_data_raise_value_error(
    make, y, validation, early_stopping, tmp_path
):
    path = tmp_path / "checkpoint"
    if "y_val" in validation and make is not BackpropClassifier:
        validation = {**validation, "y_val": NUMBERS[: len(validation["X_val"])]}
    original = {"X_val": X[VAL], "y_val": y[VAL], "sample_weight_val": WEIGHT[VAL]}
    estimator = small(make, early_stopping=early_stopping)
    fit_and_interrupt(estimator, path, 3, X[TRAIN], y[TRAIN], **original)
    content = path.read_bytes()
    error_of(
        lambda: Checkpoint.resume(path, X[TRAIN], y[TRAIN], **validation),
        "X_val",
        "differ" if validation or early_stopping else "had validation data. Pass X_val",
    )
    assert path.read_bytes() == content


def test_added_validation_data_raise_value_error(tmp_path):
    path = tmp_path / "checkpoint"
    fit_and_interrupt(classifier(), path, 3, X[TRAIN], CODES[TRAIN])
    data = X[TRAIN], CODES[TRAIN]
    error_of(
        lambda: Checkpoint.resume(path, *data, X_val=X[VAL], y_val=CODES[VAL]),
        "The interrupted fit had no validation data. Do not pass X_val and y_val.",
    )


@pytest.mark.parametrize(
    ("data", "same"),
    [
        ((X, CODES), (np.asfortranarray(X), CODES)),
        ((X, CODES), (X.tolist(), CODES.tolist())),
        ((X, NUMBERS), (X, np.column_stack([NUMBERS, NUMBERS])[:, 0])),
        ((X, NUMBERS), (X, pd.Series(NUMBERS))),
        ((X, CODES), (X, CODES.astype(np.int32))),
        ((to_dataframe(), CODES), (to_dataframe().copy(), CODES)),
        ((SPARSE, CODES), (SPARSE.tocsc(), CODES)),
        ((SPARSE, CODES), (csr_array(SPARSE), CODES)),
        ((SPARSE, CODES), (csc_array(SPARSE), CODES)),
    ],
    ids=[
        "Fortran order",
        "lists",
        "strided column",
        "Series",
        "int32",
        "DataFrame",
        "CSC matrix",
        "CSR array",
        "CSC array",
    ],
)
def test_same_data_in_another_container_are_accepted(data, same, tmp_path):
    path = tmp_path / "checkpoint"
    make = regressor if data[1].dtype.kind == "f" else classifier
    uninterrupted = make().fit(*data)
    fit_and_interrupt(make(), path, 3, *data)
    assert_same_network(Checkpoint.resume(path, *same), uninterrupted)


def test_fit_after_keyboard_interrupt_can_be_resumed(tmp_path):
    path = tmp_path / "checkpoint"

    def interrupt(net, epoch):
        if net.n_iter_ == 5:
            raise KeyboardInterrupt

    net = classifier().set_callbacks(
        Checkpoint(path, every=2), EpochEndCallback(interrupt)
    )
    with pytest.warns(UserWarning, match="interrupted by user"):
        net.fit(X, CODES)
    assert net.n_iter_ == 5
    uninterrupted = classifier().fit(X, CODES)
    assert uninterrupted.n_iter_ > 5
    assert_same_training(Checkpoint.resume(path, X, CODES), uninterrupted, (X, CODES))


def test_earlier_checkpoint_is_deleted_when_training_begins(tmp_path):
    path = tmp_path / "checkpoint"
    classifier().set_callbacks(Checkpoint(path)).fit(X, CODES)
    fit_and_interrupt(classifier(), path, 6, X, CODES, every=10)
    with pytest.raises(FileNotFoundError):
        Checkpoint.resume(path, X, CODES)


def test_earlier_checkpoint_is_kept_if_training_does_not_begin(tmp_path):
    path = tmp_path / "checkpoint"
    net = classifier().set_callbacks(Checkpoint(path)).fit(X, CODES)
    content = path.read_bytes()
    with pytest.raises(ValueError, match="NaN"):
        net.fit(X, np.full(len(X), np.nan))
    assert path.read_bytes() == content


def test_checkpoint_exists_throughout_resumed_fit(tmp_path):
    path, exists = tmp_path / "checkpoint", []
    fit_and_interrupt(classifier(), path, 4, X, CODES, every=3)
    check_file = EpochEndCallback(lambda net, epoch: exists.append(path.exists()))
    Checkpoint.resume(path, X, CODES, callbacks=[check_file])
    assert len(exists) > 3
    assert all(exists)


def test_resuming_does_not_add_scorer_calls(tmp_path):
    path = tmp_path / "checkpoint"
    net = classifier(early_stopping=True, scoring=CountingScorer())
    uninterrupted = classifier(early_stopping=True, scoring=CountingScorer())
    uninterrupted.fit(X, CODES)
    fit_and_interrupt(net, path, 4, X, CODES)
    net = classifier(early_stopping=True, scoring=CountingScorer())
    net.scoring.n_calls = 4
    resumed = Checkpoint.resume(path, X, CODES, estimator=net)
    assert resumed.n_iter_ == uninterrupted.n_iter_
    assert resumed.validation_scores_ == uninterrupted.validation_scores_


class CountingScorer:
    """Scorer that returns a score based on the number of calls."""

    def __init__(self):
        self.n_calls = 0

    def __call__(self, estimator, X, y):
        self.n_calls += 1
        return float(self.n_calls % 5)


def test_random_state_instance_is_used_after_resuming(tmp_path):
    path = tmp_path / "checkpoint"
    fit_and_interrupt(
        classifier(random_state=np.random.RandomState(1)), path, 4, X, CODES
    )
    resumed = Checkpoint.resume(path, X, CODES).set_callbacks()
    uninterrupted = classifier(random_state=np.random.RandomState(1)).fit(X, CODES)
    assert_same_network(resumed, uninterrupted)
    assert_same_network(resumed.fit(X, CODES), uninterrupted.fit(X, CODES))


def test_errors_are_raised_before_the_first_epoch(tmp_path):
    fail = EpochEndCallback(lambda net, epoch: pytest.fail("An epoch was trained."))
    net = classifier(categorical_features=[0])
    net.set_callbacks(Checkpoint(tmp_path / "checkpoint", every=50), fail)
    rows = X.astype(object)
    rows[:, 0] = [Decimal(int(code)) for code in CODES]
    error_of(lambda: net.fit(rows, CODES), "checkpoint", "Decimal", "categories")
    net = classifier().set_callbacks(
        Checkpoint(tmp_path / "missing" / "checkpoint"), fail
    )
    with pytest.raises(FileNotFoundError, match="missing"):
        net.fit(X, CODES)


def test_checkpoint_in_concurrent_fits_raises_value_error(tmp_path):
    checkpoint = Checkpoint(tmp_path / "checkpoint")
    inner = classifier(max_iter=3).set_callbacks(checkpoint)

    def fit_another(net, epoch):
        if net.n_iter_ == 2:
            error_of(lambda: inner.fit(X[::-1], CODES), "in use", "checkpoint")

    net = classifier().set_callbacks(checkpoint, EpochEndCallback(fit_another))
    net.fit(X, CODES)
    assert_same_network(Checkpoint.resume(tmp_path / "checkpoint", X, CODES), net)


def test_attributes_of_subclass_with_any_name_are_saved(tmp_path):
    path = tmp_path / "checkpoint"
    net = classifier()
    net.callback_note = "text"
    fit_and_interrupt(net, path, 3, X, CODES)
    assert Checkpoint.resume(path, X, CODES).callback_note == "text"


# --------------------------------------------------------- unsupported fits


@ESTIMATORS
def test_lbfgs_raises_value_error(make, y, tmp_path):
    path = tmp_path / "checkpoint"
    estimator = small(make, solver="lbfgs").set_callbacks(Checkpoint(path))
    error_of(lambda: estimator.fit(X, y), "Checkpoint", "lbfgs")
    assert not path.exists()


@pytest.mark.parametrize("search", [GridSearchCV, RandomizedSearchCV])
@pytest.mark.parametrize("in_pipeline", [False, True])
def test_search_raises_value_error(search, in_pipeline, tmp_path):
    path = tmp_path / "checkpoint"
    net, name = classifier().set_callbacks(Checkpoint(path)), "alpha"
    if in_pipeline:
        net, name = make_pipeline(StandardScaler(), net), "backpropclassifier__alpha"
    kwargs = {} if search is GridSearchCV else {"n_iter": 2}
    kwargs |= {"cv": 2, "error_score": "raise"}
    estimator = search(net, {name: [0.1, 1.0]}, **kwargs)
    message = error_of(lambda: estimator.fit(X, CODES), "Checkpoint", repr(str(path)))
    assert search.__name__ in message
    assert not path.exists()


def test_fit_in_killed_pipeline_can_be_resumed(tmp_path):
    path = tmp_path / "checkpoint"
    pipeline = make_pipeline(StandardScaler(), classifier(standardize=False))
    uninterrupted = copy.deepcopy(pipeline).fit(X, CODES)
    pipeline[-1].set_callbacks(Checkpoint(path), kill_after(5))
    with pytest.raises(KilledError):
        pipeline.fit(X, CODES)
    scaled = pipeline[0].transform(X)
    resumed = Checkpoint.resume(path, scaled, CODES)
    assert_same_training(resumed, uninterrupted[-1], (scaled, CODES))


def local_function():
    def score(net, X, y):
        return net.score(X, y)

    return score


class LockingScorer:
    """Scorer with a lock, which cannot be pickled."""

    def __init__(self):
        self.lock = threading.Lock()

    def __call__(self, net, X, y):
        return net.score(X, y)


def half_score(net, X, y):
    return net.score(X, y) / 2


def sine(z):
    return np.sin(z), np.cos(z)


USER_OBJECTS = {
    "schedule": {"learning_rate": lambda epoch, step: 0.05},
    "activation": {"activation": lambda z: (np.sin(z), np.cos(z))},
    "activations": {"activation": [sine]},
    "output": {"output_activation": sine},
    "loss": {"loss": lambda y, a: ((a - y) ** 2, 2 * (a - y))},
    "init": {"init": lambda rng, n_in, n_out: rng.normal(size=(n_in, n_out))},
    "local": {"scoring": local_function(), "early_stopping": True},
    "lock": {"scoring": LockingScorer(), "early_stopping": True},
}


@pytest.mark.parametrize("every", [1, 5])
@pytest.mark.parametrize("name", USER_OBJECTS)
@ignore_convergence_warning
@ESTIMATORS
def test_objects_of_the_user_are_passed_as_estimator(make, y, name, every, tmp_path):
    path, params = tmp_path / "checkpoint", USER_OBJECTS[name]
    uninterrupted = small(make, **params).fit(X, y)
    fit_and_interrupt(small(make, **params), path, 7, X, y, every=every)
    (parameter, *_) = params
    class_name = make.__name__
    words = f"[{parameter!r}]", f"estimator={class_name}(...)"
    error_of(lambda: Checkpoint.resume(path, X, y), str(path), *words)
    given = small(make)
    words = f"does not contain [{parameter!r}]", "same objects"
    error_of(lambda: Checkpoint.resume(path, X, y, estimator=given), *words)
    given = small(make, **params)
    before = vars(given).copy()
    resumed = Checkpoint.resume(path, X, y, estimator=given)
    assert vars(given) == before
    assert resumed is not given
    assert getattr(resumed, parameter) is params[parameter]
    assert_same_network(resumed, uninterrupted)
    assert resumed.n_iter_ == uninterrupted.n_iter_
    # The finished fit is returned without further training.
    finished = Checkpoint.resume(path, X, y, estimator=given)
    assert_same_network(finished, uninterrupted)
    np.testing.assert_array_equal(finished.predict(X), uninterrupted.predict(X))


class LoggedClassifier(BackpropClassifier):
    """Subclass with other parameters, and with an attribute that cannot be stored."""

    def __init__(self, units=8, loss="squared_error"):
        super().__init__((units,), loss=loss, **SHORT_TRAINING, early_stopping=True)
        self.units = units
        self.log = threading.Lock()

    def __getstate__(self):
        state = vars(self).copy()
        del state["log"]
        return state

    def fit(self, X, y):
        self.extra_ = {"a": (1, X[:1])}
        return super().fit(X, y)


def test_subclass_is_passed_as_estimator(tmp_path):
    path = tmp_path / "checkpoint"
    uninterrupted = LoggedClassifier().fit(X, CODES)
    fit_and_interrupt(LoggedClassifier(), path, 4, X, CODES)
    resume = Checkpoint.resume
    error_of(lambda: resume(path, X, CODES), "estimator=LoggedClassifier(...)")
    words = "contains a LoggedClassifier, but estimator is a BackpropClassifier", "Pass"
    error_of(lambda: resume(path, X, CODES, estimator=classifier()), *words)
    given = LoggedClassifier()
    resumed = resume(path, X, CODES, estimator=given)
    assert type(resumed) is LoggedClassifier
    assert resumed.log is given.log
    assert resumed.extra_.keys() == {"a"}
    assert_same_network(resumed, uninterrupted)
    assert resumed.validation_scores_ == uninterrupted.validation_scores_
    words = "units of estimator differs", "was 8, and is 9"
    error_of(lambda: resume(path, X, CODES, estimator=LoggedClassifier(9)), *words)


def test_attributes_that_cannot_be_stored_are_passed_with_estimator(tmp_path):
    path, net, given = tmp_path / "checkpoint", classifier(), classifier()
    net.encoder_ = given.encoder_ = object()
    fit_and_interrupt(net, path, 4, X, CODES)
    error_of(lambda: Checkpoint.resume(path, X, CODES), "['encoder_']")
    resumed = Checkpoint.resume(path, X, CODES, estimator=given)
    assert resumed.encoder_ is given.encoder_


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ({"alpha": 0.1}, {"alpha": 0.2}),
        ({"alpha": 0.1}, {"alpha": lambda: 0.1}),
        ({"dropout": 0.1}, {"dropout": (0.1,)}),
        ({"class_weight": {0: 2.0}}, {"class_weight": {1: 2.0}}),
        ({"class_weight": {0: 2.0}}, {}),
        ({"scoring": "accuracy"}, {"scoring": half_score}),
        ({"random_state": 3}, {"random_state": 4}),
    ],
    ids=range(7),
)
def test_different_parameters_raise_value_error(before, now, tmp_path):
    path = tmp_path / "checkpoint"
    fit_and_interrupt(classifier(**before), path, 3, X, CODES)
    content = path.read_bytes()
    (name,) = before
    words = f"{name} of estimator differs from the interrupted fit", repr(before[name])
    given = classifier(**now)
    error_of(lambda: Checkpoint.resume(path, X, CODES, estimator=given), *words)
    assert path.read_bytes() == content


def test_equal_parameters_of_other_types_are_accepted(tmp_path):
    path = tmp_path / "checkpoint"
    params = {"alpha": 0.5, "dropout": (0.1,), "class_weight": {0: 2.0, 1: 1.0}}
    same = {"alpha": np.float64(0.5), "dropout": np.array([0.1])}
    same |= {"class_weight": {np.int64(1): 1, np.int64(0): 2}}
    rng = np.random.RandomState
    uninterrupted = classifier(**params, random_state=rng(0)).fit(X, CODES)
    fit_and_interrupt(classifier(**params, random_state=rng(0)), path, 3, X, CODES)
    given = classifier(**same, random_state=rng(0))
    resumed = Checkpoint.resume(path, X, CODES, estimator=given)
    assert_same_network(resumed, uninterrupted)
    assert_same_network(
        resumed.set_callbacks().fit(X, CODES), uninterrupted.fit(X, CODES)
    )


@pytest.mark.parametrize(
    "given", [3, BackpropClassifier, make_pipeline(classifier())], ids=range(3)
)
def test_estimator_of_another_type_raises_type_error(given, tmp_path):
    path = tmp_path / "checkpoint"
    fit_and_interrupt(classifier(), path, 3, X, CODES)
    words = "estimator must be a BackpropClassifier", repr(given)
    error_of(
        lambda: Checkpoint.resume(path, X, CODES, estimator=given),
        *words,
        error=TypeError,
    )


def test_losses_of_the_library_are_passed_as_estimator(tmp_path):
    path, params = tmp_path / "checkpoint", {"loss": Huber(delta=2.0)}
    uninterrupted = regressor(**params).fit(X, NUMBERS)
    fit_and_interrupt(regressor(**params), path, 3, X, NUMBERS)
    given = regressor(loss=Huber(delta=2.0))
    resumed = Checkpoint.resume(path, X, NUMBERS, estimator=given)
    assert_same_training(resumed, uninterrupted, (X, NUMBERS))


CATEGORIES = {
    "objects": pd.Categorical(NAMES, ["mid", "unused", "low", "high"]),
    "ints": pd.Categorical(CODES * 10),
    "floats": pd.Categorical(CODES / 3),
    "bools": pd.Categorical(X[:, 2] > 0),
    "strings": pd.Series(NAMES, dtype="string").astype("category"),
    "nullable ints": pd.Series(CODES, dtype="Int64").astype("category"),
    "intervals": pd.cut(X[:, 0], 3),
}


@pytest.mark.parametrize("name", CATEGORIES)
def test_categories_of_any_type_can_be_resumed(name, tmp_path):
    path = tmp_path / "checkpoint"
    df = to_dataframe().assign(c=CATEGORIES[name])
    df.loc[3, ["a", "c"]] = None
    uninterrupted = classifier().fit(df, NAMES)
    fit_and_interrupt(classifier(), path, 3, df, NAMES)
    assert_same_training(Checkpoint.resume(path, df, NAMES), uninterrupted, (df, NAMES))


@pytest.mark.parametrize("dtype", [bool, np.float32, np.int8, object, "U"])
def test_class_labels_of_any_dtype_can_be_resumed(dtype, tmp_path):
    path, y = tmp_path / "checkpoint", NAMES if dtype is object else CODES > 0
    y = y.astype(dtype)
    uninterrupted = classifier().fit(X, y)
    fit_and_interrupt(classifier(), path, 3, X, y)
    resumed = Checkpoint.resume(path, X, y)
    assert resumed.classes_.dtype == uninterrupted.classes_.dtype
    assert_same_training(resumed, uninterrupted, (X, y))


@pytest.mark.parametrize("every", [0, -1, 1.5, 1.0, "2", None, np.nan])
def test_invalid_every_raises_value_error(every, tmp_path):
    error_of(lambda: Checkpoint(tmp_path / "checkpoint", every), "every", repr(every))


def test_second_fit_saves_the_hash_of_its_own_data(tmp_path):
    path = tmp_path / "checkpoint"
    net = classifier().set_callbacks(Checkpoint(path)).fit(X, CODES)
    net.fit(X[:50], CODES[:50])
    resumed = Checkpoint.resume(path, X[:50], CODES[:50])
    assert_same_network(resumed, net)
    error_of(lambda: Checkpoint.resume(path, X, CODES), "differ")


def test_partial_fit_writes_no_checkpoint(tmp_path):
    path = tmp_path / "checkpoint"
    net = classifier().set_callbacks(Checkpoint(path))
    net.partial_fit(X, CODES, classes=range(3))
    assert not path.exists()


def test_fit_can_be_resumed_in_another_process(tmp_path):
    path = tmp_path / "checkpoint"
    uninterrupted = classifier().fit(X, CODES)
    fit_and_interrupt(classifier(), path, 4, X, CODES)
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", CODES)
    code = f"""
        import sys
        sys.path.insert(0, {str(PACKAGE.parent)!r})
        import numpy as np
        from skbackprop import Checkpoint
        folder = {str(tmp_path)!r}
        X, y = np.load(folder + "/X.npy"), np.load(folder + "/y.npy")
        net = Checkpoint.resume({str(path)!r}, X, y)
        np.save(folder + "/W.npy", net.coefs_[0])
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "W.npy"), uninterrupted.coefs_[0])
