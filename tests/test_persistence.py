"""Tests of pickle, joblib and skops files, and of the format version.

`tests/stored` has one folder per format version. Each folder contains files that a
release with this format wrote with `write_stored_files`. When the format version
increases, run this function once, by hand, in `tests`. Never run the function again for
the same format. ::

    python -c "import test_persistence; test_persistence.write_stored_files()"
"""

import bz2
import copy
import gzip
import json
import lzma
import pickle
import pickletools
import subprocess
import sys
import textwrap
import threading
import zipfile
import zlib
from functools import partial
from io import BytesIO
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from small_fits import error_of, ignore_convergence_warning
from small_inputs import encode_batch, learn_columns
from small_networks import (
    CODES,
    LABELS,
    NAMES,
    NUMBERS,
    WEIGHT,
    X,
    assert_same_network,
    to_dataframe,
)

import skbackprop
from skbackprop import (
    BackpropClassifier,
    BackpropEnsembleClassifier,
    BackpropEnsembleRegressor,
    BackpropRegressor,
)
from skbackprop._estimators.pickling import FORMAT, FORMAT_KEY
from skbackprop._estimators.solvers import SOLVERS
from skbackprop.core.activations import ACTIVATIONS, OUTPUT_ACTIVATIONS
from skbackprop.core.initializers import INITIALIZERS
from skbackprop.core.losses import LOSSES, Huber
from skbackprop.core.optimizers import OPTIMIZERS
from skbackprop.core.schedules import SCHEDULES

try:
    import skops.io as skops_io
except ModuleNotFoundError:
    skops_io = None
NEEDS_SKOPS = pytest.mark.skipif(skops_io is None, reason="needs skops")
PACKAGE = Path(skbackprop.__file__).parent
STORED = Path(__file__).with_name("stored")
pytestmark = ignore_convergence_warning

#: Loads files that this test suite wrote.
load = partial(skbackprop.load, allow_pickle=True)

# ------------------------------------------------------------------ round trips


def classifier(**params):
    params = {"max_iter": 2, "batch_size": 30, "random_state": 0, **params}
    return BackpropClassifier((4,), **params)


def regressor(**params):
    params = {"max_iter": 2, "batch_size": 30, "random_state": 0, **params}
    return BackpropRegressor((4,), **params)


def mixed():
    """Return a DataFrame with several kinds of categories, and missing values."""
    df = to_dataframe(X.copy())
    df.loc[::7, "b"] = np.nan
    df["word"] = pd.Categorical(NAMES, ["mid", "unused", "low", "high"])
    df["code"] = pd.Categorical(CODES + 7)
    df["flag"] = pd.Categorical(X[:, 2] > 0)
    df["empty"] = np.nan
    df.loc[3, ["word", "code"]] = None
    return df


def mixed_polars():
    words = pl.Series(NAMES, dtype=pl.Enum(["mid", "low", "high"]))
    return pl.DataFrame({"a": X[:, 0], "word": words})


def objects():
    return np.column_stack([X.astype(object), NAMES])


def squares(y, a):
    return (a - y) ** 2 / 2, a - y


def sine(z):
    return np.sin(z), np.cos(z)


def draw(rng, fan_in, fan_out):
    return rng.normal(size=(fan_in, fan_out))


def rate(epoch, step):
    return 0.01 / (1 + step)


class Subclass(BackpropClassifier):
    """Subclass of a user with an additional attribute."""

    def fit(self, X, y):
        self.extra_ = "text"
        return super().fit(X, y)


BOOLS = X[:, 0] > 0
SPARSE = sp.csr_array(np.where(np.abs(X) > 0.5, X, 0.0))
BOOL_WEIGHT = {"class_weight": {False: 1.0, True: 5.0}}
#: Maps names of test cases to an unfitted estimator, X and y.
CASES = {
    **{f"activation {a}": (classifier(activation=a), X, CODES) for a in ACTIVATIONS},
    **{
        f"output {a}": (regressor(output_activation=a), X, np.abs(np.tanh(X[:, :2])))
        for a in OUTPUT_ACTIVATIONS
    },
    **{
        f"loss {name}": (
            (classifier(loss=name), X, CODES)
            if "classification" in loss.tasks
            else (regressor(loss=name), X, np.exp(NUMBERS))
        )
        for name, loss in LOSSES.items()
        if name != "binary_log_loss"
    },
    "two classes": (classifier(loss="log_loss"), X, CODES > 1),
    **{f"init {name}": (classifier(init=name), X, CODES) for name in INITIALIZERS},
    **{f"solver {name}": (classifier(solver=name), X, CODES) for name in OPTIMIZERS},
    "lbfgs": (regressor(solver="lbfgs"), X, NUMBERS),
    **{
        f"schedule {name}": (
            classifier(learning_rate=name, solver="sgd", warmup_steps=3),
            X,
            CODES,
        )
        for name in SCHEDULES
    },
    "quantiles": (regressor(loss="quantile", quantile=[0.1, 0.5, 0.9]), X, NUMBERS),
    "huber with two outputs": (regressor(loss="huber"), X, X[:, :2]),
    "without scaling": (classifier(standardize=False), X, NAMES),
    "no hidden layer": (classifier().set_params(hidden_layer_sizes=()), X, CODES),
    "balanced": (classifier(class_weight="balanced"), X, NAMES),
    "class weights of strings": (
        classifier(class_weight={"low": 2, "mid": 0.5}),
        X,
        NAMES,
    ),
    "class weights of ints": (
        classifier(class_weight={np.int64(0): 2.0, 2: np.float64(3.0)}),
        X,
        CODES,
    ),
    "class weights of bools": (classifier(**BOOL_WEIGHT), X, BOOLS),
    "class weights of labels": (
        classifier(class_weight=[{0: 1.0, 1: 3.0}] * 3),
        X,
        LABELS,
    ),
    "early stopping": (classifier(early_stopping=True), X, CODES),
    "early stopping by accuracy": (
        classifier(early_stopping=True, scoring="accuracy"),
        X,
        CODES,
    ),
    "dropout": (classifier(dropout=0.3), X, CODES),
    "clip_norm and max_norm": (
        classifier(clip_norm=0.1, max_norm=1.0, l1_alpha=0.1),
        X,
        CODES,
    ),
    "float32": (regressor(dtype="float32"), X, NUMBERS),
    "float32 X": (classifier(), X.astype(np.float32), LABELS),
    "multilabel": (classifier(), X, LABELS),
    "sparse multilabel": (classifier(), X, sp.csr_array(LABELS)),
    "sparse": (classifier(), SPARSE, CODES),
    "sparse sgd": (classifier(solver="sgd", momentum=0.0), SPARSE, CODES),
    "infinite n_iter_no_change": (classifier(n_iter_no_change=np.inf), X, CODES),
    "NumPy scalars as parameters": (
        classifier(
            alpha=np.float64(0.1),
            batch_size=np.int64(20),
            shuffle=np.bool_(True),
            tol=np.float32(0.1),
        ).set_params(hidden_layer_sizes=np.array([3, 2])),
        X,
        NAMES.astype(object),
    ),
    "RandomState instance": (
        classifier(random_state=np.random.RandomState(3)),
        X,
        CODES,
    ),
    "random_state=None": (classifier(random_state=None), X, CODES),
    "numeric dataframe": (regressor(), to_dataframe(), NUMBERS),
    "dataframe": (classifier(), mixed(), pd.Series(NAMES)),
    "float32 dataframe": (
        classifier(),
        to_dataframe().astype("float32").assign(a=1),
        NAMES,
    ),
    "bins": (regressor(n_bins=4), mixed(), NUMBERS),
    "bins of an array": (classifier(n_bins=np.int64(5)), X.astype(np.float32), CODES),
    "polars": (classifier(), mixed_polars(), NAMES),
    "objects": (classifier(categorical_features=[4]), objects(), NAMES),
    "integer column names": (
        classifier(categorical_features=[True, False, False, False]),
        pd.DataFrame(np.column_stack([CODES, X[:, 1:]])),
        NAMES,
    ),
    "functions": (
        regressor(loss=squares, activation=sine, init=draw, learning_rate=rate),
        X,
        NUMBERS,
    ),
    "subclass": (Subclass((4,), max_iter=2, random_state=0), X, CODES),
}
OWN = [f"{f.__module__}.{f.__name__}" for f in (squares, sine, draw, rate, Subclass)]


def copy_by_pickle(estimator):
    return pickle.loads(pickle.dumps(estimator))


def copy_by_joblib(estimator):
    file = BytesIO()
    joblib.dump(estimator, file, compress=1)
    file.seek(0)
    return joblib.load(file)


def copy_by_skops(estimator):
    trusted = [*skbackprop.SKOPS_TRUSTED, *OWN]
    return skops_io.loads(skops_io.dumps(estimator), trusted=trusted)


COPIERS = pytest.mark.parametrize(
    "copier",
    [
        copy_by_pickle,
        copy_by_joblib,
        copy.deepcopy,
        copy.copy,
        pytest.param(copy_by_skops, marks=NEEDS_SKOPS),
    ],
)


def predict_all(estimator, X):
    """Return the predictions and, for a classifier, the probabilities as arrays."""
    outputs = [estimator.predict(X)]
    if hasattr(estimator, "predict_proba"):
        outputs.append(estimator.predict_proba(X))
    return [a.toarray() if sp.issparse(a) else a for a in outputs]


def assert_same(actual, expected, X):
    assert type(actual) is type(expected)
    assert_same_network(actual, expected)
    np.testing.assert_array_equal(actual._state.slots, expected._state.slots)
    outputs = predict_all(actual, X), predict_all(expected, X)
    for actual_output, expected_output in zip(*outputs, strict=True):
        assert actual_output.dtype == expected_output.dtype
        np.testing.assert_array_equal(actual_output, expected_output)
    histories = [e.history_.drop(columns="seconds") for e in (actual, expected)]
    pd.testing.assert_frame_equal(*histories, check_exact=True)
    np.testing.assert_array_equal(actual.gradient_norms_, expected.gradient_norms_)


def continue_training(estimator, X, y):
    """Continue training with a warm start, or with partial_fit if it is supported."""
    if estimator.early_stopping or estimator.solver == "lbfgs":
        return estimator.set_params(warm_start=True).fit(X, y)
    return estimator.partial_fit(X, y).partial_fit(X, y)


@COPIERS
@pytest.mark.parametrize("name", CASES)
def test_loaded_estimator_equals_saved_estimator_and_trains_identically(name, copier):
    estimator, X, y = CASES[name]
    fitted = clone(estimator).fit(X, y)
    loaded = copier(fitted)
    assert_same(loaded, fitted, X)
    assert loaded.history_.equals(fitted.history_)
    assert vars(loaded).keys() == vars(fitted).keys()
    assert_same_params(loaded, fitted)
    params = loaded.get_params()
    assert_same(continue_training(loaded, X, y), continue_training(fitted, X, y), X)
    # A new fit from the loaded parameters is also the same.
    clones = [clone(e).set_params(warm_start=False) for e in (loaded, fitted)]
    if params["random_state"] is not None:
        assert_same(*(e.fit(X, y) for e in clones), X)


def assert_same_params(one, other):
    actual, expected = one.get_params(), other.get_params()
    assert actual.keys() == expected.keys()
    for name in actual:
        assert type(actual[name]) is type(expected[name]), name
        if not isinstance(actual[name], np.random.RandomState):
            assert repr(actual[name]) == repr(expected[name]), name


@COPIERS
def test_unfitted_estimator_can_be_saved(copier):
    for estimator, _, _ in CASES.values():
        estimator = clone(estimator)  # other tests may fit it
        loaded = copier(estimator)
        assert not hasattr(loaded, "coefs_")
        assert_same_params(loaded, estimator)
    estimator, *data = CASES["class weights of bools"]
    loaded = copier(estimator)
    assert_same(loaded.fit(*data), clone(estimator).fit(*data), data[0])


@COPIERS
def test_partial_fit_continues_after_loading(copier):
    net, names = (
        classifier(dropout=0.2, solver="adamw", batch_size=20),
        np.unique(NAMES),
    )
    for rows in (slice(0, 20), slice(20, 70)):
        net.partial_fit(mixed()[rows], NAMES[rows], WEIGHT[rows], classes=names)
    loaded = copier(net)
    assert_same(
        continue_training(loaded, mixed(), NAMES),
        continue_training(net, mixed(), NAMES),
        mixed(),
    )


@pytest.mark.parametrize("name", ["dataframe", "objects", "quantiles", "functions"])
def test_predictions_in_joblib_processes_are_identical(name):
    estimator, X, y = CASES[name]
    if name == "functions":  # The processes cannot import these functions.
        estimator, X, y = CASES["dropout"]
    fitted = clone(estimator).fit(X, y)
    with joblib.parallel_config("loky", n_jobs=2):
        results = joblib.Parallel()(joblib.delayed(fitted.predict)(X) for _ in "ab")
    for predicted in results:
        np.testing.assert_array_equal(predicted, fitted.predict(X))


def test_callbacks_are_saved_in_pickles():
    pytest.importorskip("sklearn.callback")
    callback = skbackprop.HistoryLogger("history.csv")
    net = classifier().set_callbacks(callback)
    (loaded,) = copy_by_pickle(net)._skl_callbacks
    assert type(loaded) is type(callback)


# ---------------------------------------------------------------- file contents


def imported_names(pickled):
    """Return the full names of all objects that a pickle imports."""
    strings, names = [], set()
    for code, argument, _ in pickletools.genops(pickled):
        if code.name == "STACK_GLOBAL":
            names.add(".".join(strings[-2:]))
        elif code.name == "GLOBAL":
            names.add(argument.replace(" ", "."))
        elif isinstance(argument, str):
            strings.append(argument)
    return names


@pytest.mark.parametrize("name", CASES)
def test_pickle_contains_only_numpy_and_skbackprop_types(name):
    # scikit-learn objects are excluded: other scikit-learn releases may not read them.
    estimator, X, y = CASES[name]
    pickled = pickle.dumps(clone(estimator).fit(X, y), protocol=2)
    builtins = {"__builtin__", "_codecs", "copy_reg"}  # names in protocol 2
    packages = {imported.split(".")[0] for imported in imported_names(pickled)}
    custom = {"test_persistence"} if name in ("functions", "subclass") else set()
    assert packages <= {"numpy", "skbackprop"} | builtins | custom


def test_history_uses_few_bytes_per_epoch():
    net = classifier(max_iter=300, tol=1e3, n_iter_no_change=np.inf).fit(X, CODES)
    short = clone(net).set_params(max_iter=1).fit(X, CODES)
    per_epoch = (len(pickle.dumps(net)) - len(pickle.dumps(short))) / 299
    assert per_epoch < 8 * 7 + 1  # seven floats, including two gradient norms


def make_rows(n_rows):
    """Return inputs, class labels and positive weights with many rows."""
    values = np.random.default_rng(0).normal(size=(n_rows, 3))
    return values, values[:, 0] > 0, values[:, 1] ** 2


def with_categories(values):
    df = pd.DataFrame(values, columns=list("abc"))
    df["word"] = pd.Categorical(np.where(values[:, 2] > 0, "low", "high"))
    df.loc[::7, "b"] = np.nan
    return df


#: Maps names of test cases to parameters, and to a function that converts the inputs.
SIZED_CASES = {
    **{solver: ({"solver": solver}, np.asarray) for solver in SOLVERS},
    "early stopping": ({"early_stopping": True}, np.asarray),
    "scoring": ({"early_stopping": True, "scoring": "accuracy"}, np.asarray),
    "dropout": ({"dropout": 0.2}, np.asarray),
    "balanced": ({"class_weight": "balanced"}, np.asarray),
    "dataframe": ({}, with_categories),
    "sparse": ({}, sp.csr_array),
    "sparse sgd": ({"solver": "sgd", "momentum": 0.0}, sp.csr_array),
    "not shuffled": ({"shuffle": False}, np.asarray),
}


@pytest.mark.parametrize("make", [classifier, regressor])
@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("name", SIZED_CASES)
def test_size_of_fitted_estimator_does_not_depend_on_number_of_rows(
    name, is_weighted, make
):
    params, convert = SIZED_CASES[name]
    params = {"batch_size": "auto", **params}
    if make is regressor:
        params.pop("class_weight", None)
        params |= {"scoring": "r2"} if "scoring" in params else {}
    sizes = {"fit": [], "warm start": []}
    for n_rows in (1_000, 20_000):
        rows, y, weight = make_rows(n_rows)
        rows, weight = convert(rows), weight if is_weighted else None
        net = make(**params).fit(rows, y, weight)
        sizes["fit"].append(len(pickle.dumps(net)))
        net.set_params(warm_start=True).fit(rows, y, weight)
        sizes["warm start"].append(len(pickle.dumps(net)))
    for few, many in sizes.values():
        assert many < few + 100  # larger counts take a few more bytes


def test_changed_loss_is_detected_without_joblib_hash(monkeypatch):
    net = copy_by_pickle(regressor(loss=Huber(delta=2.0)).fit(X, NUMBERS))
    monkeypatch.setattr(joblib, "hash", lambda value: "hash of another release")
    net.partial_fit(X, NUMBERS)
    net.set_params(loss=Huber(delta=3.0))
    error_of(lambda: net.partial_fit(X, NUMBERS), "loss has changed", "3.0")
    net.set_params(loss="squared_error")
    error_of(lambda: net.partial_fit(X, NUMBERS), "loss has changed")


# --------------------------------------------------------------- format version


def pickle_with_changes(estimator, **changes):
    """Return the pickle of an estimator with changes in its state."""
    state = {**estimator.__getstate__(), **changes}
    if changes[FORMAT_KEY] is None:
        del state[FORMAT_KEY]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(estimator), "__getstate__", lambda self: state)
        return pickle.dumps(estimator)


def test_state_has_format_version_but_estimator_does_not():
    net = classifier().fit(X, CODES)
    assert net.__getstate__()[FORMAT_KEY] == FORMAT
    copies = (copy.copy(net), copy.deepcopy(net), copy_by_pickle(net), clone(net))
    for estimator in (net, *copies):
        assert FORMAT_KEY not in vars(estimator)
    pickled = pickle_with_changes(net, **{FORMAT_KEY: FORMAT})
    assert_same(pickle.loads(pickled), net, X)


@pytest.mark.parametrize("found", [FORMAT + 1, 0, "1", 1.5, (1,)])
def test_other_format_version_raises_value_error(found, tmp_path):
    pickled = pickle_with_changes(classifier().fit(X, CODES), **{FORMAT_KEY: found})
    words = f"BackpropClassifier has format {found!r}", f"reads format {FORMAT}"
    error_of(lambda: pickle.loads(pickled), *words)
    path = tmp_path / "net.pickle"
    path.write_bytes(pickled)
    error_of(lambda: load(path), str(path), *words)


@pytest.mark.parametrize("is_fitted", [False, True])
def test_complete_state_without_format_version_has_the_current_format(is_fitted):
    net = classifier(class_weight={0: 2.0, 1: 3.0})
    net = net.fit(X, CODES) if is_fitted else net
    loaded = [pickle.loads(pickle_with_changes(net, **{FORMAT_KEY: None}))]
    loaded.append(BackpropClassifier.__new__(BackpropClassifier))
    loaded[-1].__setstate__(vars(net))
    for one in loaded:
        assert one.class_weight == {0: 2.0, 1: 3.0}
        assert_same(*(e.fit(X, CODES) for e in (one, clone(net))), X)


@pytest.mark.parametrize("name", ["alpha", "max_iter", "_reader", "_state"])
def test_incomplete_state_without_format_version_raises_value_error(name):
    net = classifier().fit(X, CODES)
    words = "BackpropClassifier has no format version", f"reads format {FORMAT}"
    state = vars(net).copy()
    del state[name]
    error_of(lambda: classifier().__setstate__(state), *words, f"lacks ['{name}']")
    for other in ([1, 2], ({}, {"slot": 1}), "text", None):
        error_of(lambda s=other: classifier().__setstate__(s), *words, "all attributes")


class WithSuperState(BackpropClassifier):
    """Subclass whose state starts from the state of the superclass."""

    def __getstate__(self):
        return super().__getstate__() | {"alpha": 7.0}


def test_state_of_subclass_can_start_from_superclass():
    assert copy_by_pickle(WithSuperState()).alpha == 7.0


class WithoutScoring(BackpropClassifier):
    """Subclass whose state lacks a parameter, which `__setstate__` sets again."""

    def __getstate__(self):
        state = vars(self).copy()
        del state["scoring"]
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        self.scoring = "accuracy"


def test_state_of_subclass_can_lack_a_parameter():
    net = WithoutScoring(max_iter=2, random_state=0).fit(X, CODES)
    for copier in (copy.copy, copy.deepcopy, copy_by_pickle):
        loaded = copier(net)
        assert loaded.scoring == "accuracy"
        assert_same(loaded, net, X)


class StateWithoutLog:
    """Mixin or base class whose state is a copy of the attributes without a log."""

    def __getstate__(self):
        state = self.__dict__.copy()
        state.pop("log", None)
        return state


class UpdatesAttributes:
    """Mixin that restores attributes without a call to the superclass."""

    def __setstate__(self, state):
        self.__dict__.update(state)
        self.log = "restored"


class LoggedClassifier(BackpropClassifier):
    __getstate__ = StateWithoutLog.__getstate__


class LoggedRegressor(BackpropRegressor):
    __getstate__ = StateWithoutLog.__getstate__


class LoggedMixin(StateWithoutLog, BackpropClassifier):
    pass


class LoggedRestored(UpdatesAttributes, StateWithoutLog, BackpropClassifier):
    pass


class OnlyRestored(UpdatesAttributes, BackpropClassifier):
    pass


class DerivedClassifier(LoggedClassifier):
    def __getstate__(self):
        return super().__getstate__()

    def __setstate__(self, state):
        super().__setstate__(state)
        self.log = "restored"


class ReducedClassifier(BackpropClassifier):
    def __reduce__(self):
        return type(self), (), StateWithoutLog.__getstate__(self)


LOGGED = [
    LoggedClassifier,
    LoggedRegressor,
    LoggedMixin,
    LoggedRestored,
    OnlyRestored,
    DerivedClassifier,
    ReducedClassifier,
]
CLASS_WEIGHTS = [{False: 1.0, True: 5.0}, {"high": 2.0}, {np.int64(0): 3.0, 2: 1.5}]


@COPIERS
@pytest.mark.parametrize("make", LOGGED)
def test_subclass_with_its_own_state_can_be_copied(make, copier, monkeypatch):
    names = [f"{__name__}.{cls.__name__}" for cls in LOGGED]
    monkeypatch.setattr(f"{__name__}.OWN", [*OWN, *names])
    net = make((4,), max_iter=2, random_state=0).fit(X, np.abs(CODES))
    # `__getstate__` of the other subclasses removes the lock.
    keeps_log = make in (OnlyRestored, ReducedClassifier)
    net.log = "restored" if keeps_log else threading.Lock()
    loaded = copier(net)
    assert_same(loaded, net, X)
    assert getattr(loaded, "log", "restored") == "restored"
    assert vars(loaded).keys() | {"log"} == vars(net).keys()
    assert_same(*(e.partial_fit(X, CODES) for e in (loaded, net)), X)
    assert_same(*(clone(e).fit(X, CODES) for e in (loaded, net)), X)


@COPIERS
@pytest.mark.parametrize("weights", CLASS_WEIGHTS, ids=str)
@pytest.mark.parametrize("make", [m for m in LOGGED if m is not LoggedRegressor])
def test_class_weights_of_subclass_with_its_own_state(
    make, weights, copier, monkeypatch
):
    names = [f"{__name__}.{cls.__name__}" for cls in LOGGED]
    monkeypatch.setattr(f"{__name__}.OWN", [*OWN, *names])
    y = {bool: BOOLS, str: NAMES}.get(type(next(iter(weights))), CODES)
    net = make((4,), max_iter=2, random_state=0, class_weight=weights).fit(X, y)
    loaded = copier(net)
    assert repr(loaded.class_weight) == repr(weights)
    assert_same(*(e.fit(X, y) for e in (loaded, net)), X)


def test_subclass_with_its_own_state_works_in_joblib_processes_and_searches():
    net = LoggedClassifier((4,), max_iter=2, random_state=0)
    net.log = threading.Lock()
    fitted = copy.copy(net).fit(X, CODES)
    with joblib.parallel_config("loky", n_jobs=2):
        results = joblib.Parallel()(joblib.delayed(fitted.predict)(X) for _ in "ab")
    for predicted in results:
        np.testing.assert_array_equal(predicted, fitted.predict(X))
    net.set_params(early_stopping=True, scoring="accuracy").fit(X, CODES)
    assert len(net.validation_scores_) == net.n_iter_
    search = GridSearchCV(net, {"alpha": [0.1, 1.0]}, cv=2, n_jobs=2).fit(X, CODES)
    assert copy_by_pickle(search).best_params_ == search.best_params_


# -------------------------------------------------------------- column encoders

COLUMNS = {
    "objects": pd.Categorical(NAMES, ["mid", "unused", "low", "high"]),
    "ints": pd.Categorical(CODES * 10),
    "floats of thirds": pd.Categorical(CODES / 3),
    "bools": pd.Categorical(BOOLS),
    "all missing": pd.Categorical([None] * 90),
    "strings": pd.Series(NAMES, dtype="string").astype("category"),
    "nullable ints": pd.Series(CODES, dtype="Int64").astype("category"),
    "intervals": pd.cut(X[:, 0], 3),
}


def make_encoder_and_copy(X, categorical_features="from_dtype"):
    """Return a fitted encoder and a copy made with pickle."""
    columns, _ = learn_columns(X, categorical_features)
    return columns, pickle.loads(pickle.dumps(columns))


def assert_same_encoding(one, other, X):
    net = BackpropRegressor()
    net.n_features_in_ = X.shape[1]
    if hasattr(X, "columns"):
        net.feature_names_in_ = np.asarray(X.columns, object)
    inputs = [columns.read(X, net) for columns in (one, other)]
    assert inputs[0].dtype == inputs[1].dtype
    np.testing.assert_array_equal(*map(encode_batch, inputs))


@pytest.mark.parametrize("single_column", [False, True])
@pytest.mark.parametrize("has_missing", [False, True])
@pytest.mark.parametrize("name", COLUMNS)
def test_dataframe_columns_are_encoded_identically_after_loading(
    name, has_missing, single_column
):
    df = pd.DataFrame({"c": COLUMNS[name]})
    if has_missing:
        df.loc[3, "c"] = None
    if not single_column:
        with_nan = np.where(np.arange(90) % 7, X[:, 0], np.nan)
        df = df.assign(a=with_nan, b=X[:, 1], empty=np.nan)[["a", "c", "b", "empty"]]
    one, other = make_encoder_and_copy(df)
    assert_same_encoding(one, other, df)
    assert_same_encoding(one, other, df[::-1])
    unknown = df.assign(c=pd.Categorical(["?"] * 90))
    if not single_column:
        unknown["b"] = np.nan  # no missing values in training
    assert_same_encoding(one, other, unknown if df["c"].dtype == object else df)


ARRAYS = {
    "floats": (np.column_stack([CODES, X]), [0]),
    "float32": (np.column_stack([CODES, X]).astype(np.float32), [0]),
    "ints": (np.column_stack([CODES, CODES[::-1]]), [1]),
    "only categories": (np.column_stack([CODES, CODES[::-1]]), [0, 1]),
    "bools": (LABELS > 0, [0, 2]),
    "objects": (objects(), [4]),
    "strings": (NAMES[:, np.newaxis], [0]),
    "bytes": (NAMES.astype("S")[:, np.newaxis], [0]),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_array_columns_are_encoded_identically_after_loading(name):
    X, categorical_features = ARRAYS[name]
    assert_same_encoding(*make_encoder_and_copy(X, categorical_features), X)


def sparse_dataframe():
    values = np.where(np.abs(X) > 0.8, X, 0.0)
    values[3, 1] = np.nan
    columns = [pd.arrays.SparseArray(x, fill_value=0.0) for x in values.T]
    return pd.DataFrame(dict(zip("abcd", columns, strict=True)))


OTHER_DATAFRAMES = {
    "numeric": lambda: mixed()[["a", "b", "empty"]],
    "float32": lambda: mixed()[["a", "b", "word"]].astype(
        {"a": "float32", "b": "float32"}
    ),
    "nullable": lambda: pd.DataFrame({"a": pd.Series(CODES, dtype="Int64")}).mask(
        pd.DataFrame({"a": CODES == 1})
    ),
    "sparse": sparse_dataframe,
    "polars": mixed_polars,
    "numeric polars": lambda: pl.DataFrame({"a": [1.0, None, 3.5]}),
}


@pytest.mark.parametrize("kind", OTHER_DATAFRAMES)
def test_other_dataframes_are_encoded_identically_after_loading(kind):
    df = OTHER_DATAFRAMES[kind]()
    one, other = make_encoder_and_copy(df)
    assert_same_encoding(one, other, df)
    if kind == "float32":
        converted = df.astype({"a": "float64", "b": "float64"})
        assert_same_encoding(one, other, converted)


@pytest.mark.parametrize("rows", [X, SPARSE])
def test_scaling_statistics_are_updated_after_loading(rows):
    net = regressor().partial_fit(rows[:30], NUMBERS[:30], WEIGHT[:30])
    loaded = copy_by_pickle(net)
    for estimator in (net, loaded):
        estimator.partial_fit(rows[30:], NUMBERS[30:], WEIGHT[30:])
    for scales in ("inputs", "targets"):
        expected, actual = (
            vars(getattr(e._reader.scalers, scales)) for e in (net, loaded)
        )
        assert actual.keys() == expected.keys()
        for name in actual:
            np.testing.assert_array_equal(actual[name], expected[name])


# --------------------------------------------------------------------------- skops


def untrusted_types(estimator):
    return set(skops_io.get_untrusted_types(data=skops_io.dumps(estimator)))


@NEEDS_SKOPS
def test_skops_files_contain_exactly_the_types_in_skops_trusted():
    needed = set()
    ensembles = [
        (BackpropEnsembleClassifier(classifier(), cv=2), X, CODES),
        (BackpropEnsembleRegressor(regressor(), cv=2), X, NUMBERS),
    ]
    for estimator, *data in [*CASES.values(), *ensembles]:
        needed |= untrusted_types(clone(estimator).fit(*data))
    assert needed - set(OWN) == set(skbackprop.SKOPS_TRUSTED)
    assert set(OWN) <= needed


def test_skops_trusted_contains_only_skbackprop_types():
    names = skbackprop.SKOPS_TRUSTED
    assert all(name.startswith("skbackprop.") for name in names)
    assert names == sorted(set(names))


@NEEDS_SKOPS
def test_skops_loads_pipeline_and_search():
    pipeline = make_pipeline(StandardScaler(), classifier()).fit(X, NAMES)
    assert untrusted_types(pipeline) <= set(skbackprop.SKOPS_TRUSTED)
    search = GridSearchCV(pipeline, {"backpropclassifier__alpha": [0.1, 1.0]}, cv=2)
    search.fit(X, NAMES)
    sklearn_types = untrusted_types(search) - set(skbackprop.SKOPS_TRUSTED)
    assert all(name.startswith("sklearn.") for name in sklearn_types)
    trusted = [*skbackprop.SKOPS_TRUSTED, *sklearn_types]
    for estimator in (pipeline, search):
        loaded = skops_io.loads(skops_io.dumps(estimator), trusted=trusted)
        expected = estimator.predict_proba(X)
        np.testing.assert_array_equal(loaded.predict_proba(X), expected)


# ----------------------------------------------------------------- stored files


def stored_rows(n=24):
    """Return rows that do not depend on a random number generator."""
    return np.sin(np.outer(np.arange(1.0, n + 1), [1.0, 2.3, 0.7]))


def stored_dataframe():
    rows = stored_rows()
    color = np.array(["red", "green", "blue"])[np.digitize(rows[:, 0], [-0.3, 0.3])]
    df = pd.DataFrame({"age": 40 + 12 * rows[:, 0], "pay": np.exp(5 * rows[:, 1])})
    df.loc[[2, 9], "age"] = np.nan
    df.insert(1, "color", pd.Categorical(color, ["red", "green", "blue", "none such"]))
    df.loc[5, "color"] = None
    return df


STORED_X = stored_rows()
STORED_Y = 100.0 + 30.0 * STORED_X @ [1.0, -2.0, 0.5]
#: Maps file names to an estimator, X and y. The data serve to fit the estimator, to
#: predict, and to continue training.
STORED_CASES = {
    "mixed": (
        BackpropClassifier(
            (3,), "tanh", dropout=0.2, class_weight={"no": 2.0}, random_state=0
        ),
        stored_dataframe(),
        np.where(STORED_Y > 100, "yes", "no"),
    ),
    "scaled": (
        BackpropRegressor((3,), loss="huber", solver="adam", random_state=1),
        STORED_X,
        STORED_Y,
    ),
    "labels": (
        BackpropClassifier((3,), "gelu", loss="log_loss", solver="sgd", random_state=2),
        STORED_X.astype(np.float32),
        (STORED_X > 0).astype(int),
    ),
}
KINDS = ("pickle", "joblib", "skops")


def compute_stored_outputs(net, X, y):
    """Return the outputs of a network now, and after another epoch."""
    predict = getattr(net, "predict_proba", net.predict)
    now = predict(X).tolist()
    return {
        "predictions": now,
        "after_training": (net.partial_fit(X, y), predict(X).tolist())[1],
    }


def train_stored_network(name):
    """Train a network up to the epoch at which its files were written."""
    net, X, y = STORED_CASES[name]
    params = {"learning_rate_init": 0.05, "batch_size": 10}
    net = clone(net).set_params(**params)
    classes = {"mixed": ["no", "yes"], "labels": np.arange(3)}.get(name)
    kwargs = {} if classes is None else {"classes": classes}
    return net.partial_fit(X, y, **kwargs).partial_fit(X, y).partial_fit(X, y)


def write_stored_files():
    folder = STORED / f"format_{FORMAT}"
    folder.mkdir()  # Raise an error if the files of this format already exist.
    outputs = {}
    for name, (_, *data) in STORED_CASES.items():
        net = train_stored_network(name)
        path = folder / name
        path.with_suffix(".pickle").write_bytes(pickle.dumps(net, protocol=4))
        joblib.dump(net, path.with_suffix(".joblib"), compress=9)
        deflated = {"compression": zipfile.ZIP_DEFLATED, "compresslevel": 9}
        skops_io.dump(net, path.with_suffix(".skops"), **deflated)
        outputs[name] = compute_stored_outputs(net, *data)
    (folder / "outputs.json").write_text(json.dumps(outputs) + "\n", "utf-8")


def test_each_format_version_has_stored_files():
    files = {f"{name}.{kind}" for name in STORED_CASES for kind in KINDS}
    folders = {path.name for path in STORED.iterdir()}
    assert folders == {f"format_{i}" for i in range(1, FORMAT + 1)}
    for folder in folders:
        found = {path.name for path in (STORED / folder).iterdir()}
        assert found == files | {"outputs.json"}


@pytest.mark.parametrize("number", range(1, FORMAT + 1))
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", STORED_CASES)
def test_stored_files_predict_and_train_as_before(name, kind, number):
    if kind == "skops" and skops_io is None:
        pytest.skip("needs skops")
    folder = STORED / f"format_{number}"
    expected = json.loads((folder / "outputs.json").read_text("utf-8"))[name]
    _, X, y = STORED_CASES[name]
    found = compute_stored_outputs(load(folder / f"{name}.{kind}"), X, y)
    rtol = {"predictions": 1e-6, "after_training": 1e-5 if name == "labels" else 1e-6}
    for when in expected:
        np.testing.assert_allclose(found[when], expected[when], rtol=rtol[when])


def test_stored_files_can_be_read_by_the_libraries_that_wrote_them():
    folder = STORED / f"format_{FORMAT}"
    for name, (_, rows, _) in STORED_CASES.items():
        expected = load(folder / f"{name}.joblib")
        found = pickle.loads((folder / f"{name}.pickle").read_bytes())
        assert_same(found, expected, rows)
        found = joblib.load(folder / f"{name}.joblib")
        assert_same(found, expected, rows)
        if skops_io is not None:
            path = folder / f"{name}.skops"
            found = skops_io.load(path, trusted=skbackprop.SKOPS_TRUSTED)
            assert_same(found, expected, rows)


def collect_attributes(value, found):
    """Collect the attribute names of all skbackprop objects in a value."""
    if type(value).__module__.startswith("skbackprop."):
        value = value.__getstate__()
        found.setdefault(type(value).__name__, set()).update(value or ())
    parts = list(value.values()) if isinstance(value, dict) else value
    if isinstance(parts, (list, tuple)):
        for part in parts:
            collect_attributes(part, found)
    return found


@pytest.mark.parametrize("name", STORED_CASES)
def test_current_state_has_the_attributes_of_the_stored_format(name):
    # If this test fails, increase FORMAT and convert older states in __setstate__.
    stored = load(STORED / f"format_{FORMAT}" / f"{name}.joblib")
    assert collect_attributes(train_stored_network(name), {}) == collect_attributes(
        stored, {}
    )


# ------------------------------------------------------------------------- load


def write_file(writer, estimator, path):
    """Write a file with one of the supported writers, and return its content."""
    if writer == "pickle":
        path.write_bytes(pickle.dumps(estimator))
    elif writer == "skops":
        skops_io.dump(estimator, path)
    else:
        compress = {"joblib": 0}.get(writer, (writer, 3))
        joblib.dump(estimator, path, compress=compress)
    return path.read_bytes()


PICKLE_WRITERS = ["pickle", "joblib", "zlib", "gzip", "bz2", "xz", "lzma"]
WRITERS = pytest.mark.parametrize(
    "writer", [*PICKLE_WRITERS, pytest.param("skops", marks=NEEDS_SKOPS)]
)


@WRITERS
@pytest.mark.parametrize("name", ["dataframe", "dropout", "quantiles"])
def test_load_reads_files_of_each_writer(name, writer, tmp_path):
    estimator, X, y = CASES[name]
    fitted = clone(estimator).fit(X, y)
    path = tmp_path / "file without extension"
    write_file(writer, fitted, path)
    for argument in (path, str(path)):
        assert_same(load(argument), fitted, X)


@WRITERS
def test_load_reads_meta_estimators(writer, tmp_path):
    pipeline = make_pipeline(StandardScaler(), regressor())
    meta_estimators = [
        pipeline,
        TransformedTargetRegressor(clone(pipeline)),
        GridSearchCV(clone(pipeline), {"backpropregressor__alpha": [0.1, 1.0]}, cv=2),
    ]
    for estimator in meta_estimators:
        path = tmp_path / "meta_estimator"
        write_file(writer, estimator.fit(X, NUMBERS), path)
        sklearn_types = set()
        if writer == "skops":
            types = skops_io.get_untrusted_types(file=path)
            sklearn_types = {name for name in types if name.startswith("sklearn.")}
        loaded = load(path, trusted=tuple(sklearn_types))
        np.testing.assert_array_equal(loaded.predict(X), estimator.predict(X))


@WRITERS
@pytest.mark.parametrize("stride", [pytest.param(1, marks=pytest.mark.slow), 20])
def test_truncated_file_raises_value_error(writer, stride, tmp_path):
    path = tmp_path / "net"
    content = write_file(
        writer, CASES["multilabel"][0].fit(X[:, :2], LABELS[:, :2]), path
    )
    n, step = len(content), {"pickle": 7, "joblib": 7, "skops": 499}.get(writer, 23)
    ends = sorted({*range(0, n, step), *range(min(n, 40)), *range(n - 40, n)})
    for end in ends[::stride]:
        path.write_bytes(content[:end])
        error_of(lambda: load(path), f"Cannot load {str(path)!r}", "Supported files")
    path.write_bytes(content[:-1])
    reason = "ended before" if writer == "bz2" else "the file is truncated, damaged"
    error_of(lambda: load(path), reason)
    path.write_bytes(content)
    load(path)


@WRITERS
def test_data_after_the_estimator_raises_value_error(writer, tmp_path):
    path = tmp_path / "net"
    content = write_file(writer, classifier(), path)
    if writer in ("pickle", "joblib"):
        path.write_bytes(content + content)
        error_of(lambda: load(path), str(path), "additional data after")


class Exploding:
    """Object whose pickle fails the test when it is loaded."""

    def __reduce__(self):
        return pytest.fail, ("The file ran code.",)


@pytest.mark.parametrize("writer", PICKLE_WRITERS)
@pytest.mark.parametrize("name", ["net.skops", "net.joblib", "net.npz", "net"])
def test_files_run_no_code_unless_pickle_is_allowed(name, writer, tmp_path):
    path = tmp_path / name
    write_file(writer, Exploding(), path)
    message = error_of(lambda: skbackprop.load(path), repr(str(path)), "trust")
    assert "pickle or joblib file" in message
    assert "set allow_pickle=True" in message
    error_of(lambda: skbackprop.load(path, allow_pickle=False), "allow_pickle=True")
    with pytest.raises(pytest.fail.Exception, match="ran code"):
        load(path)


@WRITERS
def test_only_skops_files_are_loaded_by_default(writer, tmp_path):
    path, net = tmp_path / "net", classifier().fit(X, CODES)
    write_file(writer, net, path)
    if writer == "skops":
        assert_same(skbackprop.load(path), net, X)
    else:
        error_of(lambda: skbackprop.load(path), "allow_pickle=True")
    assert_same(load(path), net, X)


@NEEDS_SKOPS
def test_pickles_in_skops_file_are_not_loaded(tmp_path):
    # A skops file refers to the other entries of the archive by name.
    path = tmp_path / "net.skops"
    skops_io.dump(classifier().fit(X, CODES), path)
    array = np.empty(1, object)
    array[0] = Exploding()
    for content in (pickle.dumps(Exploding()), to_npy(array)):
        changed = tmp_path / "changed.skops"
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(changed, "w") as new:
            names = [name for name in old.namelist() if name.endswith(".npy")]
            assert names
            for name in old.namelist():
                new.writestr(name, content if name in names else old.read(name))
        for read in (skbackprop.load, load):
            error_of(partial(read, changed), repr(str(changed)))


def to_npy(array):
    file = BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


DECOMPRESS = {
    "zlib": zlib.decompress,
    "gzip": gzip.decompress,
    "bz2": bz2.decompress,
    "xz": lzma.decompress,
}


def has_payload(decompress, content, payload):
    try:
        return decompress(content) == payload
    except Exception:  # each format raises its own types of errors
        return False


@pytest.mark.parametrize("writer", DECOMPRESS)
def test_changed_byte_in_compressed_file_raises_value_error(writer, tmp_path):
    path, decompress = tmp_path / "net", DECOMPRESS[writer]
    content = write_file(writer, CASES["multilabel"][0].fit(X, LABELS), path)
    payload, n_changed = decompress(content), 0
    # gzip stores the path in its header, which the checksum does not cover.
    for position in range(len(str(path)) + 12, len(content) - 12, 211):
        damaged = bytearray(content)
        damaged[position] ^= 0x10
        # A few bits of each format are not used.
        if has_payload(decompress, bytes(damaged), payload):
            continue
        n_changed += 1
        path.write_bytes(damaged)
        error_of(lambda: load(path), str(path))
    assert n_changed > 10


INVALID_FILES = {
    "empty": (b"", "the file is empty"),
    "text": (b"Some words.\n", "the file starts with b'Some words"),
    "NumPy array": (b"\x93NUMPY\x01\x00", "the file starts with"),
    "text with x": (b"x marks the spot", "the file starts with b'x marks"),
    "bytes": (bytes(range(128, 256)) * 9, "Supported files"),
    "invalid zlib stream": (b"x\x9c" + bytes(99), "decompressing"),
    "zeros": (bytes(999), "the file starts with"),
    "invalid ZIP archive": (b"PK\x03\x04" + bytes(99), "BadZipFile"),
    "int": (pickle.dumps(3), "the file contains an object of type int"),
    "list": (pickle.dumps([classifier()]), "the file contains an object of type list"),
    "other estimator": (
        pickle.dumps(LogisticRegression()),
        "the file contains a LogisticRegression without a BackpropClassifier",
    ),
    "class": (
        pickle.dumps(BackpropClassifier),
        "the file contains an object of type type",
    ),
    "class of a missing module": (
        b"\x80\x02cnowhere.at_all\nThing\n.",
        "ModuleNotFoundError: No module named 'nowhere'",
    ),
    "missing class": (
        b"\x80\x02cskbackprop._data.scaling\nGone\n.",
        "has no attribute 'Gone'",
    ),
    "compressed text": (gzip.compress(b"Some words.\n"), "the file starts with b'Some"),
    "checkpoint": (b"skbackprop checkpoint 1\n...", "Checkpoint.resume"),
}


@pytest.mark.parametrize("name", INVALID_FILES)
def test_file_of_another_type_raises_value_error(name, tmp_path):
    content, words = INVALID_FILES[name]
    if name == "invalid ZIP archive" and skops_io is None:
        pytest.skip("needs skops")
    path = tmp_path / "file"
    path.write_bytes(content)
    error_of(lambda: load(path), f"Cannot load {str(path)!r}: ", words, "pickle")
    error_of(lambda: skbackprop.load(path), f"Cannot load {str(path)!r}: ")


@NEEDS_SKOPS
def test_other_zip_archive_raises_value_error(tmp_path):
    path = tmp_path / "file.npz"
    np.savez(path, X=X)
    error_of(lambda: load(path), str(path), "schema.json")
    skops_io.dump(LogisticRegression(), path)
    error_of(lambda: load(path), str(path), "contains a LogisticRegression without")


def test_checkpoint_raises_value_error(tmp_path):
    pytest.importorskip("sklearn.callback")
    path = tmp_path / "training"
    classifier().set_callbacks(skbackprop.Checkpoint(path)).fit(X, CODES)
    error_of(lambda: load(path), "Checkpoint.resume")
    assert skbackprop.Checkpoint.resume(path, X, CODES).n_iter_ == 2


def test_missing_file_raises_file_not_found_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "missing")
    with pytest.raises(IsADirectoryError):
        load(tmp_path)


@NEEDS_SKOPS
def test_custom_functions_in_skops_file_must_be_trusted(tmp_path):
    estimator, X, y = CASES["functions"]
    path = tmp_path / "net.skops"
    fitted = clone(estimator).fit(X, y)
    skops_io.dump(fitted, path)
    error_of(lambda: load(path), str(path), "sine", "trusted")
    error_of(lambda: load(path, trusted=[OWN[0]]), "sine")
    assert_same(load(path, trusted=OWN), fitted, X)


def test_without_skops_only_skops_files_raise_import_error(tmp_path):
    write_file("joblib", classifier().fit(X, CODES), tmp_path / "net.joblib")
    (tmp_path / "net.skops").write_bytes(b"PK\x03\x04")
    code = f"""
        import sys
        sys.path.insert(0, {str(PACKAGE.parent)!r})
        sys.modules["skops"] = None
        import skbackprop
        assert skbackprop.load("net.joblib", allow_pickle=True).n_iter_ == 2
        try:
            skbackprop.load("net.skops")
        except ImportError as error:
            assert "pip install skops" in str(error)
        else:
            raise AssertionError
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
