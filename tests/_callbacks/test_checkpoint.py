"""Checkpoint: a training that was killed goes on as if it had not been."""

import copy
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
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

import skbackprop
from skbackprop import AfterEpoch, BackpropClassifier, Checkpoint
from skbackprop._checkpoint import FORMAT, HASH_SIZE
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


def killing(at):
    """Return a callback that ends a fit after so many epochs, with an error."""

    def kill(net, epoch):
        if net.n_iter_ == at:
            raise KilledError

    return AfterEpoch(kill)


def interrupted(estimator, path, at, *data, every=1, **kwargs):
    """Fit until so many epochs have gone by, with checkpoints."""
    estimator.set_callbacks(Checkpoint(path, every), killing(at))
    with pytest.raises(KilledError):
        estimator.fit(*data, **kwargs)


def assert_same_training(one, other, data):
    """Compare all that was learned, and that they would learn the same from here."""
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


# -------------------------------------------------------------- going on

HASTY = dict(learning_rate_init=0.3, batch_size=20)
STOPPING = dict(early_stopping=True, **HASTY)
WEIGHTED = {"sample_weight": WEIGHT}
VALIDATED = {"X_val": X[VAL], "y_val": CODES[VAL]}
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
    "single precision": (classifier, {"dtype": "float32"}, {}),
    "sparse": (classifier, {}, {"X": SPARSE}),
    "touched rows": (
        classifier,
        {"solver": "sgd", "momentum": 0.0, "alpha": 0.5},
        {"X": SPARSE},
    ),
    "frame": (classifier, {}, {"X": frame(), "y": pd.Series(NAMES)}),
    "categories": (classifier, {}, {"X": MIXED, "y": NAMES}),
    "categories, held out": (classifier, STOPPING, {"X": MIXED, "y": NAMES}),
    "lists": (classifier, {}, {"X": X.tolist(), "y": NAMES.tolist()}),
    "several labels": (classifier, {}, {"y": LABELS}),
    "regressor": (regressor, {}, {"y": 1e4 + 300.0 * NUMBERS}),
    "several targets": (regressor, {}, {"y": X[:, :2] @ [[1.0, 2.0], [3.0, -50.0]]}),
    "not shuffled": (classifier, {"shuffle": False, "batch_size": 20}, {}),
    "clipped": (classifier, {"clip_norm": 0.1, "max_norm": 1.0, "l1_alpha": 0.1}, {}),
    "momentum": (classifier, {"solver": "sgd", "nesterovs_momentum": False}, {}),
}


def case_of(name):
    make, params, also = CASES[name]
    data = {"X": X, "y": CODES, **also}
    if "X_val" in data:
        data["X"], data["y"] = X[TRAIN], CODES[TRAIN]
    if "X_val" in data and "sample_weight" in data:
        data["sample_weight"] = WEIGHT[TRAIN]
    return make(**params), data


@pytest.mark.parametrize("every", [1, 5])
@pytest.mark.parametrize("name", CASES)
@cut_short
def test_a_resumed_training_ends_as_one_that_was_never_interrupted(
    name, every, tmp_path
):
    path = tmp_path / "checkpoint"
    estimator, data = case_of(name)
    unbroken = copy.deepcopy(estimator).fit(**data)
    assert unbroken.n_iter_ > 13
    interrupted(estimator, path, 13, every=every, **data)
    resumed = Checkpoint.resume(path, **data)
    assert type(resumed) is type(unbroken)
    assert_same_training(resumed, unbroken, (data["X"], data["y"]))
    assert "_callback_fit_ctx" not in vars(resumed)


@cut_short
def test_the_adaptive_rate_has_been_lowered_before_and_is_after(tmp_path):
    # Else the case above would not be one.
    net, data = case_of("adaptive")
    rates = net.fit(**data).history_["learning_rate"]
    assert rates[13] < rates[1]
    assert rates.iloc[-1] < rates[13]


@pytest.mark.parametrize(
    "random_state",
    [lambda: None, lambda: 5, lambda: np.random.RandomState(5)],
    ids=["None", "number", "generator"],
)
@pytest.mark.parametrize("params", [{}, {"early_stopping": True}, {"dropout": 0.3}])
@cut_short
@ESTIMATORS
def test_random_numbers_go_on_where_they_were(make, y, random_state, params, tmp_path):
    path = tmp_path / "checkpoint"
    made = []
    for _ in range(2):
        np.random.seed(3)  # noqa: NPY002
        made.append(small(make, **params).set_params(random_state=random_state()))
        if len(made) == 1:
            made[0].fit(X, y)
    np.random.seed(3)  # noqa: NPY002
    interrupted(made[1], path, 7, X, y)
    np.random.seed(8)  # noqa: NPY002
    assert_same_training(Checkpoint.resume(path, X, y), made[0], (X, y))


@pytest.mark.parametrize("early_stopping", [False, True])
@cut_short
@ESTIMATORS
def test_a_warm_start_can_be_resumed(make, y, early_stopping, tmp_path):
    path = tmp_path / "checkpoint"
    estimator = small(make, warm_start=True, early_stopping=early_stopping).fit(X, y)
    before = copy.deepcopy(estimator)
    unbroken = copy.deepcopy(estimator).fit(X, y, WEIGHT)
    interrupted(estimator, path, 4, X, y, WEIGHT)
    assert_same_network(estimator, before)
    resumed = Checkpoint.resume(path, X, y, WEIGHT)
    assert_same_training(resumed, unbroken, (X, y))
    assert len(resumed.loss_curve_) > resumed.n_iter_ > 4


def test_starting_weights_are_not_set_again(tmp_path):
    path = tmp_path / "checkpoint"
    start = {"coefs_init": [np.eye(4, 8), np.eye(8, 3)]}
    net = classifier()
    unbroken = copy.deepcopy(net).fit(X, CODES, **start)
    interrupted(net, path, 4, X, CODES, **start)
    assert_same_training(Checkpoint.resume(path, X, CODES), unbroken, (X, CODES))


@pytest.mark.parametrize("every", [1, 4])
def test_a_training_can_be_resumed_twice(every, tmp_path):
    path = tmp_path / "checkpoint"
    net = classifier(dropout=0.2)
    unbroken = copy.deepcopy(net).fit(X, CODES)
    interrupted(net, path, 6, X, CODES, every=every)
    with pytest.raises(KilledError):
        Checkpoint.resume(path, X, CODES, callbacks=[killing(15)])
    assert read(path)["attributes"]["n_iter_"] == 15 - 15 % every
    resumed = Checkpoint.resume(path, X, CODES)
    assert_same_training(resumed, unbroken, (X, CODES))
    # Resuming writes on, at the same epochs, to the end.
    assert read(path)["attributes"]["n_iter_"] == unbroken.n_iter_
    assert read(path)["finished"]


def read(path):
    return pickle.loads(path.read_bytes()[len(FORMAT) + HASH_SIZE :])


def logger():
    log = []
    return log, AfterEpoch(lambda net, epoch: log.append(net.n_iter_) and None)


def test_a_finished_training_is_returned_as_it_was(tmp_path):
    path = tmp_path / "checkpoint"
    net = classifier().set_callbacks(Checkpoint(path, every=1000)).fit(X, CODES)
    content = path.read_bytes()
    log, callback = logger()
    resumed = Checkpoint.resume(path, X, CODES, callbacks=[callback])
    assert log == []
    assert path.read_bytes() == content
    assert_same_training(resumed, net, (X, CODES))


@pytest.mark.parametrize("name", ["adam", "early stopping", "adaptive", "cosine"])
@cut_short
def test_a_training_that_was_at_its_end_does_not_go_on(name, tmp_path):
    # Killed after the last epoch was written, before the end of the fit was.
    path = tmp_path / "checkpoint"
    estimator, data = case_of(name)
    unbroken = copy.deepcopy(estimator).fit(**data)
    interrupted(estimator, path, unbroken.n_iter_, **data)
    assert not read(path)["finished"]
    log, callback = logger()
    resumed = Checkpoint.resume(path, **data, callbacks=[callback])
    assert log == []
    assert_same_training(resumed, unbroken, (data["X"], data["y"]))
    assert read(path)["finished"]


def test_a_training_that_ran_out_of_epochs_says_so_again(tmp_path):
    path = tmp_path / "checkpoint"
    net = classifier(max_iter=6)
    interrupted(net, path, 6, X, CODES)
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(6\)"):
        resumed = Checkpoint.resume(path, X, CODES)
    assert resumed.n_iter_ == 6


def test_other_callbacks_are_those_that_are_passed(tmp_path):
    path = tmp_path / "checkpoint"
    net = classifier()
    n_epochs = copy.deepcopy(net).fit(X, CODES).n_iter_
    interrupted(net, path, 6, X, CODES)
    log, callback = logger()
    resumed = Checkpoint.resume(path, X, CODES, callbacks=(callback,))
    assert log == list(range(7, n_epochs + 1))
    own, other = resumed._skl_callbacks
    assert type(own) is Checkpoint
    assert (own.path, own.every) == (path, 1)
    assert other is callback
    log, callback = logger()
    assert len(Checkpoint.resume(path, X, CODES)._skl_callbacks) == 1


def test_resuming_with_a_callback_that_stops_stops(tmp_path):
    path = tmp_path / "checkpoint"
    interrupted(classifier(), path, 6, X, CODES)
    stop = AfterEpoch(lambda net, epoch: net.n_iter_ == 9)
    assert Checkpoint.resume(path, X, CODES, callbacks=[stop]).n_iter_ == 9


# ----------------------------------------------------------------- kill -9

SCRIPT = """
import os, signal, sys, time
sys.path.insert(0, {folder!r})
import numpy as np
from skbackprop import AfterEpoch, BackpropClassifier, Checkpoint
from skbackprop._checkpoint import FORMAT, HASH_SIZE

rng = np.random.default_rng(0)
X, y = rng.normal(size=(90, 4)), rng.integers(0, 3, 90)
net = BackpropClassifier(
    (8,), learning_rate="cosine", max_iter=120, dropout=0.1, random_state=0
)

def pause(net, epoch):
    if net.n_iter_ == {at}:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep({seconds})

callbacks = Checkpoint({path!r}, every={every}), AfterEpoch(pause)
"""


@pytest.mark.parametrize(
    ("at", "seconds", "every"),
    [
        pytest.param(17, 0.0, 5, id="from inside"),
        pytest.param(None, 0.02, 1, id="from outside", marks=pytest.mark.slow),
    ],
)
def test_a_fit_that_is_killed_leaves_a_training_to_resume(at, seconds, every, tmp_path):
    path = tmp_path / "checkpoint"
    script = SCRIPT.format(
        folder=str(PACKAGE.parent), path=str(path), at=at, seconds=seconds, every=every
    )
    fit = "net.set_callbacks(*callbacks).fit(X, y)"
    with subprocess.Popen([sys.executable, "-c", script + fit]) as process:
        while at is None and process.poll() is None:
            if path.exists():
                process.kill()
            time.sleep(0.01)
        assert process.wait() == -signal.SIGKILL
    assert not read(path)["finished"]
    here = {}
    exec(script, here)
    n_epochs = read(path)["attributes"]["n_iter_"]
    assert n_epochs == 15 if at else 1 <= n_epochs < 100
    unbroken = here["net"].fit(here["X"], here["y"])
    log, callback = logger()
    data = here["X"], here["y"]
    resumed = Checkpoint.resume(path, *data, callbacks=[callback])
    assert log == list(range(n_epochs + 1, 121))
    assert_same_training(resumed, unbroken, data)


# ------------------------------------------------------------------ the file


@pytest.mark.parametrize("every", [1, 3, np.int64(4), 100])
def test_it_is_written_every_so_many_epochs_and_at_the_end(every, tmp_path):
    path, written = tmp_path / "checkpoint", []

    def look(net, epoch):
        here = path.exists()
        written.append(read(path)["attributes"]["n_iter_"] if here else 0)

    net = classifier().set_callbacks(Checkpoint(str(path), every), AfterEpoch(look))
    n_epochs = net.fit(X, CODES).n_iter_
    assert written == [n - n % every for n in range(1, n_epochs + 1)]
    assert read(path)["attributes"]["n_iter_"] == n_epochs
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("fails", ["fsync", "replace"])
def test_a_file_that_can_not_be_written_leaves_the_one_before_whole(
    fails, tmp_path, monkeypatch
):
    path = tmp_path / "checkpoint"
    net = classifier().fit(X, CODES)
    same, contents = copy.deepcopy(net), []

    def full(*_):
        raise OSError(28, "No space left on device")

    def fill_disk(net, epoch):
        if net.n_iter_ == 6:
            contents.append(path.read_bytes())
            where, name = (os, "fsync") if fails == "fsync" else (Path, "replace")
            monkeypatch.setattr(where, name, full)

    net.set_callbacks(Checkpoint(path), AfterEpoch(fill_disk))
    with pytest.raises(OSError, match="No space left"):
        net.fit(X, CODES)
    monkeypatch.undo()
    assert [path.read_bytes()] == contents
    assert_same_network(net, same)
    assert_same_network(Checkpoint.resume(path, X, CODES), same)
    # What is left of the failure is not in the way.
    interrupted(classifier(), path, 8, X, CODES)
    assert read(path)["attributes"]["n_iter_"] == 8
    assert list(tmp_path.iterdir()) == [path]


def test_it_is_on_the_disk_before_it_takes_the_place_of_the_one_before(
    tmp_path, monkeypatch
):
    path, order = tmp_path / "checkpoint", []
    replace, sync = Path.replace, os.fsync

    def spying_replace(self, target):
        order.append("replace")
        assert len(self.read_bytes()) > 1000
        read(self)
        assert Path(target) == path
        return replace(self, target)

    def spying_sync(number):
        order.append("fsync")
        assert os.fstat(number).st_size > 1000
        return sync(number)

    monkeypatch.setattr(Path, "replace", spying_replace)
    monkeypatch.setattr(os, "fsync", spying_sync)
    interrupted(classifier(), path, 3, X, CODES)
    assert order == ["fsync", "replace"] * 3


def test_it_holds_neither_the_data_nor_other_callbacks(tmp_path):
    path = tmp_path / "checkpoint"
    big = np.random.default_rng(0).normal(size=(4000, 4))
    interrupted(classifier(), path, 3, big, big[:, 0] > 0)
    assert path.stat().st_size < big.nbytes
    assert not [name for name in read(path)["attributes"] if "callback" in name]


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        Checkpoint.resume(tmp_path / "none", X, CODES)


def test_a_folder_that_is_not_there(tmp_path):
    net = classifier().set_callbacks(Checkpoint(tmp_path / "none" / "checkpoint"))
    with pytest.raises(FileNotFoundError):
        net.fit(X, CODES)


def test_a_truncated_file_is_refused_whatever_its_length(tmp_path):
    path = tmp_path / "checkpoint"
    interrupted(classifier(), path, 3, X, CODES)
    whole = path.read_bytes()
    for length in {*range(200), *range(200, len(whole), 61), len(whole) - 1}:
        path.write_bytes(whole[:length])
        error_of(lambda: Checkpoint.resume(path, X, CODES), repr(str(path)), "damaged")


def test_a_file_with_a_bit_that_has_turned_is_refused(tmp_path):
    path = tmp_path / "checkpoint"
    interrupted(classifier(), path, 3, X, CODES)
    whole = bytearray(path.read_bytes())
    weights = read(path)["attributes"]["_state"].network.params.tobytes()
    whole[whole.index(weights) + 4] ^= 1
    path.write_bytes(whole)
    error_of(lambda: Checkpoint.resume(path, X, CODES), repr(str(path)), "damaged")


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
        FORMAT.replace(b"1", b"0") + bytes(100),
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
        "old",
        "module",
    ],
)
def test_a_file_of_another_kind_is_refused(content, tmp_path):
    path = tmp_path / "checkpoint"
    path.write_bytes(content)
    error_of(lambda: Checkpoint.resume(path, X, CODES), repr(str(path)), "checkpoint")
    assert path.read_bytes() == content


def test_a_file_of_joblib_is_refused(tmp_path):
    path = tmp_path / "checkpoint"
    joblib.dump(classifier().fit(X, CODES), path)
    error_of(lambda: Checkpoint.resume(path, X, CODES), repr(str(path)), "checkpoint")


# -------------------------------------------------------------- other data


def moved(array, by=1e-9):
    array = np.array(array, float)
    array.flat[5] += by
    return array


@pytest.mark.parametrize(
    ("data", "weight"),
    [
        ((moved(X), CODES), WEIGHT),
        ((X[::-1], CODES), WEIGHT),
        ((X, CODES[::-1]), WEIGHT),
        ((X, np.where(CODES == 1, 2, CODES)), WEIGHT),
        ((X[:80], CODES[:80]), WEIGHT[:80]),
        ((X[:, :3], CODES), WEIGHT),
        ((X, NAMES), WEIGHT),
        ((X, CODES), None),
        ((X, CODES), moved(WEIGHT)),
        ((X, CODES), WEIGHT[::-1]),
        ((np.where(X > 9, X, np.nan), CODES), WEIGHT),
    ],
)
def test_other_data_are_refused(data, weight, tmp_path):
    path = tmp_path / "checkpoint"
    interrupted(classifier(), path, 3, X, CODES, WEIGHT)
    content = path.read_bytes()
    error_of(lambda: Checkpoint.resume(path, *data, weight))
    assert path.read_bytes() == content
    assert Checkpoint.resume(path, X, CODES, WEIGHT).n_iter_ > 3


def test_weights_that_were_not_there_are_refused(tmp_path):
    path = tmp_path / "checkpoint"
    interrupted(classifier(), path, 3, X, CODES)
    error_of(lambda: Checkpoint.resume(path, X, CODES, WEIGHT), "sample_weight")


def test_other_data_are_refused_for_a_finished_training_too(tmp_path):
    path = tmp_path / "checkpoint"
    classifier().set_callbacks(Checkpoint(path)).fit(X, CODES)
    error_of(lambda: Checkpoint.resume(path, moved(X), CODES), "differ")


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize(
    "other",
    [
        {},
        {"X_val": X[VAL], "y_val": CODES[VAL]},
        {"X_val": moved(X[VAL], 0.1), "y_val": CODES[VAL]},
        {"X_val": X[VAL], "y_val": CODES[VAL][::-1]},
        {"X_val": X[TRAIN], "y_val": CODES[TRAIN]},
    ],
    ids=["forgotten", "weights forgotten", "X_val", "y_val", "rows"],
)
@ESTIMATORS
def test_other_validation_data_are_refused(make, y, other, early_stopping, tmp_path):
    path = tmp_path / "checkpoint"
    if "y_val" in other and make is not BackpropClassifier:
        other = {**other, "y_val": NUMBERS[: len(other["X_val"])]}
    passed = {"X_val": X[VAL], "y_val": y[VAL], "sample_weight_val": WEIGHT[VAL]}
    estimator = small(make, early_stopping=early_stopping)
    interrupted(estimator, path, 3, X[TRAIN], y[TRAIN], **passed)
    content = path.read_bytes()
    error_of(
        lambda: Checkpoint.resume(path, X[TRAIN], y[TRAIN], **other), "X_val", "differ"
    )
    assert path.read_bytes() == content


def test_validation_data_that_were_not_there_are_refused(tmp_path):
    path = tmp_path / "checkpoint"
    interrupted(classifier(), path, 3, X[TRAIN], CODES[TRAIN])
    data = X[TRAIN], CODES[TRAIN]
    error_of(
        lambda: Checkpoint.resume(path, *data, X_val=X[VAL], y_val=CODES[VAL]), "X_val"
    )


@pytest.mark.parametrize(
    ("data", "same"),
    [
        ((X, CODES), (np.asfortranarray(X), CODES)),
        ((X, CODES), (X.tolist(), CODES.tolist())),
        ((X, NUMBERS), (X, np.column_stack([NUMBERS, NUMBERS])[:, 0])),
        ((X, NUMBERS), (X, pd.Series(NUMBERS))),
        ((X, CODES), (X, CODES.astype(np.int32))),
        ((frame(), CODES), (frame().copy(), CODES)),
        ((SPARSE, CODES), (SPARSE.tocsc(), CODES)),
        ((SPARSE, CODES), (csr_array(SPARSE), CODES)),
        ((SPARSE, CODES), (csc_array(SPARSE), CODES)),
    ],
    ids=[
        "order",
        "lists",
        "column",
        "series",
        "int32",
        "frame",
        "csc",
        "array",
        "both",
    ],
)
def test_the_same_data_are_the_same_however_they_are_kept(data, same, tmp_path):
    path = tmp_path / "checkpoint"
    make = regressor if data[1].dtype.kind == "f" else classifier
    unbroken = make().fit(*data)
    interrupted(make(), path, 3, *data)
    assert_same_network(Checkpoint.resume(path, *same), unbroken)


def test_a_fit_that_is_interrupted_by_hand_can_be_resumed_as_well(tmp_path):
    path = tmp_path / "checkpoint"

    def interrupt(net, epoch):
        if net.n_iter_ == 5:
            raise KeyboardInterrupt

    net = classifier().set_callbacks(Checkpoint(path, every=2), AfterEpoch(interrupt))
    with pytest.warns(UserWarning, match="interrupted by user"):
        net.fit(X, CODES)
    assert net.n_iter_ == 5
    unbroken = classifier().fit(X, CODES)
    assert unbroken.n_iter_ > 5
    assert_same_training(Checkpoint.resume(path, X, CODES), unbroken, (X, CODES))


def test_an_earlier_file_is_not_taken_for_that_of_a_fit_without_one(tmp_path):
    path = tmp_path / "checkpoint"
    classifier().set_callbacks(Checkpoint(path)).fit(X, CODES)
    interrupted(classifier(), path, 6, X, CODES, every=10)
    with pytest.raises(FileNotFoundError):
        Checkpoint.resume(path, X, CODES)


def test_an_earlier_file_outlives_a_fit_that_does_not_begin(tmp_path):
    path = tmp_path / "checkpoint"
    net = classifier().set_callbacks(Checkpoint(path)).fit(X, CODES)
    content = path.read_bytes()
    with pytest.raises(ValueError, match="NaN"):
        net.fit(np.full_like(X, np.nan), CODES)
    assert path.read_bytes() == content


def test_a_file_is_there_all_the_time_while_a_training_resumes(tmp_path):
    path, there = tmp_path / "checkpoint", []
    interrupted(classifier(), path, 4, X, CODES, every=3)
    look = AfterEpoch(lambda net, epoch: there.append(path.exists()))
    Checkpoint.resume(path, X, CODES, callbacks=[look])
    assert len(there) > 3
    assert all(there)


def test_a_scorer_is_not_asked_more_often_than_without_interruption(tmp_path):
    path = tmp_path / "checkpoint"
    net = classifier(early_stopping=True, scoring=CountingScorer())
    unbroken = classifier(early_stopping=True, scoring=CountingScorer())
    unbroken.fit(X, CODES)
    interrupted(net, path, 4, X, CODES)
    resumed = Checkpoint.resume(path, X, CODES)
    assert resumed.n_iter_ == unbroken.n_iter_
    assert resumed.validation_scores_ == unbroken.validation_scores_


class CountingScorer:
    """Gives scores by how often it has been asked."""

    def __init__(self):
        self.n_calls = 0

    def __call__(self, estimator, X, y):
        self.n_calls += 1
        return float(self.n_calls % 5)


def test_a_random_state_is_shared_after_resuming_as_before(tmp_path):
    path = tmp_path / "checkpoint"
    interrupted(classifier(random_state=np.random.RandomState(1)), path, 4, X, CODES)
    resumed = Checkpoint.resume(path, X, CODES).set_callbacks()
    unbroken = classifier(random_state=np.random.RandomState(1)).fit(X, CODES)
    assert_same_network(resumed, unbroken)
    assert_same_network(resumed.fit(X, CODES), unbroken.fit(X, CODES))


def test_what_could_not_be_written_is_refused_before_the_first_epoch(tmp_path):
    epochs = AfterEpoch(lambda net, epoch: pytest.fail("an epoch has been trained"))
    net = classifier(learning_rate=lambda epoch, step: 0.01)
    net.set_callbacks(Checkpoint(tmp_path / "checkpoint", every=50), epochs)
    error_of(lambda: net.fit(X, CODES), "checkpoint", "module")
    net = classifier().set_callbacks(Checkpoint(tmp_path / "no" / "where"), epochs)
    with pytest.raises(FileNotFoundError, match="where"):
        net.fit(X, CODES)


def test_one_of_them_is_for_one_fit_at_a_time(tmp_path):
    checkpoint = Checkpoint(tmp_path / "checkpoint")
    inner = classifier(max_iter=3).set_callbacks(checkpoint)

    def fit_another(net, epoch):
        if net.n_iter_ == 2:
            error_of(lambda: inner.fit(X[::-1], CODES), "in use", "checkpoint")

    net = classifier().set_callbacks(checkpoint, AfterEpoch(fit_another))
    net.fit(X, CODES)
    assert_same_network(Checkpoint.resume(tmp_path / "checkpoint", X, CODES), net)


def test_attributes_of_a_subclass_are_kept_whatever_their_names(tmp_path):
    path = tmp_path / "checkpoint"
    net = classifier()
    net.callback_note = "mine"
    interrupted(net, path, 3, X, CODES)
    assert Checkpoint.resume(path, X, CODES).callback_note == "mine"


# ------------------------------------------------------- what can't be resumed


@ESTIMATORS
def test_lbfgs_is_refused(make, y, tmp_path):
    path = tmp_path / "checkpoint"
    estimator = small(make, solver="lbfgs").set_callbacks(Checkpoint(path))
    error_of(lambda: estimator.fit(X, y), "Checkpoint", "lbfgs")
    assert not path.exists()


@pytest.mark.parametrize("search", [GridSearchCV, RandomizedSearchCV])
@pytest.mark.parametrize("in_a_pipeline", [False, True])
def test_a_search_is_refused(search, in_a_pipeline, tmp_path):
    path = tmp_path / "checkpoint"
    net, name = classifier().set_callbacks(Checkpoint(path)), "alpha"
    if in_a_pipeline:
        net, name = make_pipeline(StandardScaler(), net), "backpropclassifier__alpha"
    also = {} if search is GridSearchCV else {"n_iter": 2}
    searching = search(net, {name: [0.1, 1.0]}, cv=2, error_score="raise", **also)
    message = error_of(lambda: searching.fit(X, CODES), "Checkpoint", repr(str(path)))
    assert search.__name__ in message
    assert not path.exists()


def test_a_pipeline_may_be_killed(tmp_path):
    path = tmp_path / "checkpoint"
    pipeline = make_pipeline(StandardScaler(), classifier(standardize=False))
    unbroken = copy.deepcopy(pipeline).fit(X, CODES)
    pipeline[-1].set_callbacks(Checkpoint(path), killing(5))
    with pytest.raises(KilledError):
        pipeline.fit(X, CODES)
    scaled = pipeline[0].transform(X)
    resumed = Checkpoint.resume(path, scaled, CODES)
    assert_same_training(resumed, unbroken[-1], (scaled, CODES))


def local_function():
    def score(net, X, y):
        return net.score(X, y)

    return score


class Locked:
    """A scorer that holds something of the system's."""

    def __init__(self):
        self.lock = threading.Lock()

    def __call__(self, net, X, y):
        return net.score(X, y)


@pytest.mark.parametrize(
    "params",
    [
        {"learning_rate": lambda epoch, base: 0.05},
        {"activation": lambda z: (np.sin(z), np.cos(z))},
        {"scoring": local_function(), "early_stopping": True},
        {"scoring": Locked(), "early_stopping": True},
    ],
    ids=["schedule", "activation", "local", "lock"],
)
def test_a_function_that_can_not_be_written_is_an_error(params, tmp_path):
    path = tmp_path / "checkpoint"
    net = classifier().fit(X, CODES)
    same = copy.deepcopy(net)
    net.set_params(**params).set_callbacks(Checkpoint(path))
    error_of(lambda: net.fit(X, CODES), repr(str(path)), "Functions", "module")
    assert_same_network(net, same)
    assert not path.exists()


def sine(z):
    return np.sin(z), np.cos(z)


def test_functions_of_a_module_can_be_written(tmp_path):
    path = tmp_path / "checkpoint"
    net = classifier(activation=sine, scoring=lenient, early_stopping=True)
    unbroken = copy.deepcopy(net).fit(X, CODES)
    interrupted(net, path, 3, X, CODES)
    assert_same_training(Checkpoint.resume(path, X, CODES), unbroken, (X, CODES))


def lenient(net, X, y):
    return net.score(X, y) / 2


@pytest.mark.parametrize("every", [0, -1, 1.5, 1.0, "2", None, np.nan])
def test_every_must_be_a_number_of_epochs(every, tmp_path):
    error_of(lambda: Checkpoint(tmp_path / "checkpoint", every), "every", repr(every))


def test_a_second_fit_with_the_same_checkpoint_writes_its_own_data(tmp_path):
    path = tmp_path / "checkpoint"
    net = classifier().set_callbacks(Checkpoint(path)).fit(X, CODES)
    net.fit(X[:50], CODES[:50])
    resumed = Checkpoint.resume(path, X[:50], CODES[:50])
    assert_same_network(resumed, net)
    error_of(lambda: Checkpoint.resume(path, X, CODES), "differ")


def test_partial_fit_writes_nothing(tmp_path):
    path = tmp_path / "checkpoint"
    net = classifier().set_callbacks(Checkpoint(path))
    net.partial_fit(X, CODES, classes=range(3))
    assert not path.exists()


def test_a_script_of_a_file_can_be_resumed_from_another_process(tmp_path):
    path = tmp_path / "checkpoint"
    unbroken = classifier().fit(X, CODES)
    interrupted(classifier(), path, 4, X, CODES)
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
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "W.npy"), unbroken.coefs_[0])
