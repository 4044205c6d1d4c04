"""Files of estimators: whole or damaged, of this release and of those before.

`tests/stored` has a folder for each format that there has been, and in it files that
a release with that format has written, with `write_stored_files`: to be run by hand,
in `tests`, when the format goes up, and never again for that format. ::

    python -c "import test_persistence; test_persistence.write_stored_files()"
"""

import copy
import gzip
import json
import pickle
import pickletools
import subprocess
import sys
import textwrap
import zipfile
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
from small_fits import cut_short, error_of
from small_networks import (
    CODES,
    LABELS,
    NAMES,
    NUMBERS,
    WEIGHT,
    X,
    assert_same_network,
    frame,
)

import skbackprop
from skbackprop import BackpropClassifier, BackpropRegressor, load
from skbackprop._columns import ColumnEncoder, find_categorical
from skbackprop._persistence import FORMAT, FORMAT_KEY
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
pytestmark = cut_short

# ------------------------------------------------------------ all that can be kept


def classifier(**params):
    params = {"max_iter": 2, "batch_size": 30, "random_state": 0, **params}
    return BackpropClassifier((4,), **params)


def regressor(**params):
    params = {"max_iter": 2, "batch_size": 30, "random_state": 0, **params}
    return BackpropRegressor((4,), **params)


def mixed():
    """Make a frame with categories of each kind, and with gaps."""
    df = frame(X.copy())
    df.loc[::7, "b"] = np.nan
    df["word"] = pd.Categorical(NAMES, ["mid", "none such", "low", "high"])
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


class Mine(BackpropClassifier):
    """A user's own, with an attribute more."""

    def fit(self, X, y):
        self.mine_ = "kept"
        return super().fit(X, y)


BOOLS = X[:, 0] > 0
SPARSE = sp.csr_array(np.where(np.abs(X) > 0.5, X, 0.0))
PICKY = {"class_weight": {False: 1.0, True: 5.0}}
#: By name an estimator, unfitted, and the data that it is fitted to.
CASES = {
    **{f"activation {a}": (classifier(activation=a), X, CODES) for a in ACTIVATIONS},
    **{
        f"output {a}": (regressor(output_activation=a), X, X[:, :2])
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
    "huber of two": (regressor(loss="huber"), X, X[:, :2]),
    "as it is": (classifier(standardize=False), X, NAMES),
    "no hidden layer": (classifier().set_params(hidden_layer_sizes=()), X, CODES),
    "balanced": (classifier(class_weight="balanced"), X, NAMES),
    "weighed words": (classifier(class_weight={"low": 2, "mid": 0.5}), X, NAMES),
    "weighed numbers": (
        classifier(class_weight={np.int64(0): 2.0, 2: np.float64(3.0)}),
        X,
        CODES,
    ),
    "weighed bools": (classifier(**PICKY), X, BOOLS),
    "weighed labels": (classifier(class_weight=[{0: 1.0, 1: 3.0}] * 3), X, LABELS),
    "early stopping": (classifier(early_stopping=True), X, CODES),
    "early stopping by accuracy": (
        classifier(early_stopping=True, scoring="accuracy"),
        X,
        CODES,
    ),
    "dropout": (classifier(dropout=0.3), X, CODES),
    "norms": (classifier(clip_norm=0.1, max_norm=1.0, l1_alpha=0.1), X, CODES),
    "float32": (regressor(dtype="float32"), X, NUMBERS),
    "float32 rows": (classifier(), X.astype(np.float32), LABELS),
    "labels": (classifier(), X, LABELS),
    "sparse labels": (classifier(), X, sp.csr_array(LABELS)),
    "sparse": (classifier(), SPARSE, CODES),
    "touched rows": (classifier(solver="sgd", momentum=0.0), SPARSE, CODES),
    "no patience": (classifier(n_iter_no_change=np.inf), X, CODES),
    "numpy's parameters": (
        classifier(
            alpha=np.float64(0.1),
            batch_size=np.int64(20),
            shuffle=np.bool_(True),
            tol=np.float32(0.1),
        ).set_params(hidden_layer_sizes=np.array([3, 2])),
        X,
        NAMES.astype(object),
    ),
    "a random state": (classifier(random_state=np.random.RandomState(3)), X, CODES),
    "no random state": (classifier(random_state=None), X, CODES),
    "numbers in a frame": (regressor(), frame(), NUMBERS),
    "frame": (classifier(), mixed(), pd.Series(NAMES)),
    "float32 frame": (classifier(), frame().astype("float32").assign(a=1), NAMES),
    "polars": (classifier(), mixed_polars(), NAMES),
    "objects": (classifier(categorical_features=[4]), objects(), NAMES),
    "names without words": (
        classifier(categorical_features=[True, False, False, False]),
        pd.DataFrame(np.column_stack([CODES, X[:, 1:]])),
        NAMES,
    ),
    "functions": (
        regressor(loss=squares, activation=sine, init=draw, learning_rate=rate),
        X,
        NUMBERS,
    ),
    "a subclass": (Mine((4,), max_iter=2, random_state=0), X, CODES),
}
OWN = [f"{f.__module__}.{f.__name__}" for f in (squares, sine, draw, rate, Mine)]


def by_pickle(estimator):
    return pickle.loads(pickle.dumps(estimator))


def by_joblib(estimator):
    file = BytesIO()
    joblib.dump(estimator, file, compress=1)
    file.seek(0)
    return joblib.load(file)


def by_skops(estimator):
    trusted = [*skbackprop.SKOPS_TRUSTED, *OWN]
    return skops_io.loads(skops_io.dumps(estimator), trusted=trusted)


WAYS = pytest.mark.parametrize(
    "way",
    [
        by_pickle,
        by_joblib,
        copy.deepcopy,
        copy.copy,
        pytest.param(by_skops, marks=NEEDS_SKOPS),
    ],
)


def asked(estimator, X):
    """Return all that a fitted estimator answers."""
    answers = [estimator.predict(X)]
    if hasattr(estimator, "predict_proba"):
        answers.append(estimator.predict_proba(X))
    return [a.toarray() if sp.issparse(a) else a for a in answers]


def assert_same(one, other, X):
    assert type(one) is type(other)
    assert_same_network(one, other)
    np.testing.assert_array_equal(one._state.slots, other._state.slots)
    for mine, theirs in zip(asked(one, X), asked(other, X), strict=True):
        assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine, theirs)
    untimed = [e.history_.drop(columns="seconds") for e in (one, other)]
    pd.testing.assert_frame_equal(*untimed, check_exact=True)
    np.testing.assert_array_equal(one.gradient_norms_, other.gradient_norms_)


def further(estimator, X, y):
    """Train on, as far as this one can be."""
    if estimator.early_stopping or estimator.solver == "lbfgs":
        return estimator.set_params(warm_start=True).fit(X, y)
    return estimator.partial_fit(X, y).partial_fit(X, y)


@WAYS
@pytest.mark.parametrize("name", CASES)
def test_what_is_loaded_is_what_was_kept_and_learns_on_alike(name, way):
    estimator, X, y = CASES[name]
    fitted = clone(estimator).fit(X, y)
    loaded = way(fitted)
    assert_same(loaded, fitted, X)
    assert loaded.history_.equals(fitted.history_)
    assert vars(loaded).keys() == vars(fitted).keys()
    assert_same_params(loaded, fitted)
    params = loaded.get_params()
    assert_same(further(loaded, X, y), further(fitted, X, y), X)
    # What fitting anew takes from the parameters is the same, too.
    again = [clone(e).set_params(warm_start=False) for e in (loaded, fitted)]
    if params["random_state"] is not None:
        assert_same(*(e.fit(X, y) for e in again), X)


def assert_same_params(one, other):
    mine, theirs = one.get_params(), other.get_params()
    assert mine.keys() == theirs.keys()
    for name in mine:
        assert type(mine[name]) is type(theirs[name]), name
        if not isinstance(mine[name], np.random.RandomState):
            assert repr(mine[name]) == repr(theirs[name]), name


@WAYS
def test_what_was_never_fitted_can_be_kept(way):
    for estimator, _, _ in CASES.values():
        loaded = way(estimator)
        assert not hasattr(loaded, "coefs_")
        assert_same_params(loaded, estimator)
    estimator, *data = CASES["weighed bools"]
    loaded = way(estimator)
    assert_same(loaded.fit(*data), clone(estimator).fit(*data), data[0])


@WAYS
def test_what_partial_fit_has_begun_goes_on(way):
    net, names = (
        classifier(dropout=0.2, solver="adamw", batch_size=20),
        np.unique(NAMES),
    )
    for rows in (slice(0, 20), slice(20, 70)):
        net.partial_fit(mixed()[rows], NAMES[rows], WEIGHT[rows], classes=names)
    kept = way(net)
    assert_same(further(kept, mixed(), NAMES), further(net, mixed(), NAMES), mixed())


@pytest.mark.parametrize("name", ["frame", "objects", "quantiles", "functions"])
def test_processes_of_joblib_predict_alike(name):
    estimator, X, y = CASES[name]
    if name == "functions":  # of this file, which is no module there
        estimator, X, y = CASES["dropout"]
    fitted = clone(estimator).fit(X, y)
    with joblib.parallel_config("loky", n_jobs=2):
        answers = joblib.Parallel()(joblib.delayed(fitted.predict)(X) for _ in "ab")
    for answer in answers:
        np.testing.assert_array_equal(answer, fitted.predict(X))


def test_callbacks_are_kept_in_pickles():
    pytest.importorskip("sklearn.callback")
    callback = skbackprop.HistoryLogger("history.csv")
    net = classifier().set_callbacks(callback)
    (kept,) = by_pickle(net)._skl_callbacks
    assert type(kept) is type(callback)


# ------------------------------------------------------------------ what is in a file


def globals_of(pickled):
    """Return the names of all that a pickle imports."""
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
def test_a_file_holds_nothing_but_numpy_and_what_is_ours(name):
    # Not scikit-learn's objects, which another release of it reads otherwise.
    estimator, X, y = CASES[name]
    pickled = pickle.dumps(clone(estimator).fit(X, y), protocol=2)
    builtins = {"__builtin__", "_codecs", "copy_reg"}  # as protocol 2 has them
    packages = {imported.split(".")[0] for imported in globals_of(pickled)}
    own = {"test_persistence"} if name in ("functions", "a subclass") else set()
    assert packages <= {"numpy", "skbackprop"} | builtins | own


def test_a_long_history_takes_little_room():
    net = classifier(max_iter=300, tol=1e3, n_iter_no_change=np.inf).fit(X, CODES)
    short = clone(net).set_params(max_iter=1).fit(X, CODES)
    per_epoch = (len(pickle.dumps(net)) - len(pickle.dumps(short))) / 299
    assert per_epoch < 8 * 7 + 1  # seven numbers: two are norms of gradients


def test_parts_are_told_apart_without_hashes_that_may_change(monkeypatch):
    net = by_pickle(regressor(loss=Huber(delta=2.0)).fit(X, NUMBERS))
    monkeypatch.setattr(joblib, "hash", lambda value: "that of another release")
    net.partial_fit(X, NUMBERS)
    net.set_params(loss=Huber(delta=3.0))
    error_of(lambda: net.partial_fit(X, NUMBERS), "loss has changed", "3.0")
    net.set_params(loss="squared_error")
    error_of(lambda: net.partial_fit(X, NUMBERS), "loss has changed")


# -------------------------------------------------------------------- the format

LATER = f"format {FORMAT + 1}"


def changed(estimator, **changes):
    """Return the pickle of an estimator whose state is another."""

    state = {**estimator.__getstate__(), **changes}
    if changes[FORMAT_KEY] is None:
        del state[FORMAT_KEY]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(estimator), "__getstate__", lambda self: state)
        return pickle.dumps(estimator)


def test_the_state_has_its_format_and_the_estimator_does_not():
    net = classifier().fit(X, CODES)
    assert net.__getstate__()[FORMAT_KEY] == FORMAT
    for one in (net, copy.copy(net), copy.deepcopy(net), by_pickle(net), clone(net)):
        assert FORMAT_KEY not in vars(one)
    with_number = changed(net, **{FORMAT_KEY: FORMAT})
    assert_same(pickle.loads(with_number), net, X)


@pytest.mark.parametrize("found", [FORMAT + 1, 0, "1", 1.5, (1,)])
def test_another_format_is_refused(found, tmp_path):
    pickled = changed(classifier().fit(X, CODES), **{FORMAT_KEY: found})
    words = f"BackpropClassifier is in format {found!r}", f"reads format {FORMAT}"
    error_of(lambda: pickle.loads(pickled), *words)
    path = tmp_path / "net.pickle"
    path.write_bytes(pickled)
    error_of(lambda: load(path), str(path), *words)


def test_a_state_without_a_format_is_refused():
    net = classifier().fit(X, CODES)
    pickled = changed(net, **{FORMAT_KEY: None})
    words = "BackpropClassifier has no format", f"reads format {FORMAT}"
    error_of(lambda: pickle.loads(pickled), *words)
    for state in (vars(net), [1, 2], ({}, {"slot": 1}), "words"):
        error_of(lambda s=state: classifier().__setstate__(s), *words)


class Careful(BackpropClassifier):
    """Keeps less, in the way that works."""

    def __getstate__(self):
        return super().__getstate__() | {"alpha": 7.0}


class Careless(BackpropClassifier):
    """Keeps less, in the way that does not."""

    def __getstate__(self):
        return vars(self).copy()


def test_subclasses_that_have_states_of_their_own():
    assert by_pickle(Careful()).alpha == 7.0
    error_of(lambda: by_pickle(Careless()), "Careless", "super().__getstate__()")


# --------------------------------------------------------- columns, and their scales

COLUMNS = {
    "words": pd.Categorical(NAMES, ["mid", "none such", "low", "high"]),
    "numbers": pd.Categorical(CODES * 10),
    "fractions": pd.Categorical(CODES / 3),
    "bools": pd.Categorical(BOOLS),
    "nothing": pd.Categorical([None] * 90),
    "strings": pd.Series(NAMES, dtype="string").astype("category"),
    "integers": pd.Series(CODES, dtype="Int64").astype("category"),
    "intervals": pd.cut(X[:, 0], 3),
}


def encoded_and_anew(X, chosen="from_dtype"):
    """Return a fitted encoder and what becomes of it in a file."""
    encoder = ColumnEncoder(find_categorical(X, chosen))
    encoder.fit_transform(X)
    return encoder, pickle.loads(pickle.dumps(encoder))


def assert_encoded_alike(one, other, X):
    mine, theirs = one.transform(X), other.transform(X)
    assert mine.dtype == theirs.dtype
    if sp.issparse(mine):
        mine, theirs = mine.toarray(), theirs.toarray()
    np.testing.assert_array_equal(mine, theirs)
    assert one.n_numbers == other.n_numbers
    np.testing.assert_array_equal(one.is_number, other.is_number)


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("gap", [False, True])
@pytest.mark.parametrize("name", COLUMNS)
def test_columns_of_frames_are_encoded_alike(name, gap, alone):
    df = pd.DataFrame({"c": COLUMNS[name]})
    if gap:
        df.loc[3, "c"] = None
    if not alone:
        holes = np.where(np.arange(90) % 7, X[:, 0], np.nan)
        df = df.assign(a=holes, b=X[:, 1], empty=np.nan)[["a", "c", "b", "empty"]]
    one, other = encoded_and_anew(df)
    assert_encoded_alike(one, other, df)
    assert_encoded_alike(one, other, df[::-1])
    unknown = df.assign(c=pd.Categorical(["?"] * 90))
    if not alone:
        unknown["b"] = np.nan  # never missing before
    assert_encoded_alike(one, other, unknown if df["c"].dtype == object else df)


ARRAYS = {
    "floats": (np.column_stack([CODES, X]), [0]),
    "single": (np.column_stack([CODES, X]).astype(np.float32), [0]),
    "integers": (np.column_stack([CODES, CODES[::-1]]), [1]),
    "categories alone": (np.column_stack([CODES, CODES[::-1]]), [0, 1]),
    "bools": (LABELS > 0, [0, 2]),
    "objects": (objects(), [4]),
    "words": (NAMES[:, np.newaxis], [0]),
    "bytes": (NAMES.astype("S")[:, np.newaxis], [0]),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_columns_of_arrays_are_encoded_alike(name):
    rows, chosen = ARRAYS[name]
    assert_encoded_alike(*encoded_and_anew(rows, chosen), rows)


def sparse_frame():
    values = np.where(np.abs(X) > 0.8, X, 0.0)
    values[3, 1] = np.nan
    columns = [pd.arrays.SparseArray(x, fill_value=0.0) for x in values.T]
    return pd.DataFrame(dict(zip("abcd", columns, strict=True)))


OTHER_FRAMES = {
    "numbers": lambda: mixed()[["a", "b", "empty"]],
    "single": lambda: mixed()[["a", "b", "word"]].astype(
        {"a": "float32", "b": "float32"}
    ),
    "nullable": lambda: pd.DataFrame({"a": pd.Series(CODES, dtype="Int64")}).mask(
        pd.DataFrame({"a": CODES == 1})
    ),
    "sparse": sparse_frame,
    "polars": mixed_polars,
    "polars numbers": lambda: pl.DataFrame({"a": [1.0, None, 3.5]}),
}


@pytest.mark.parametrize("kind", OTHER_FRAMES)
def test_frames_of_other_kinds_are_encoded_alike(kind):
    df = OTHER_FRAMES[kind]()
    one, other = encoded_and_anew(df)
    assert_encoded_alike(one, other, df)
    if kind == "single":
        wide = df.astype({"a": "float64", "b": "float64"})
        assert_encoded_alike(one, other, wide)


def test_an_encoder_that_learns_from_statistics_is_one_that_learns_from_data():
    df = mixed()[["a", "word", "b", "code"]]
    one = ColumnEncoder(np.array([False, True, False, True]))
    one.fit_transform(df)
    other = ColumnEncoder(one.is_categorical).learn(
        means=np.array([df["a"].mean(), np.nanmean(df["b"])]),
        has_gaps=np.array([False, True]),
        levels=[np.asarray(df["word"].cat.categories), np.array([7.0, 8.0, 9.0])],
        names=df.columns,
    )
    np.testing.assert_allclose(other.transform(df), one.transform(df), rtol=1e-14)


def test_means_beyond_half_of_all_numbers_stand():
    encoder = ColumnEncoder(None).learn([1.5e308, -2e300], [True, False])
    kept = pickle.loads(pickle.dumps(encoder))
    (filled,) = kept.transform(pd.DataFrame({0: [np.nan], 1: [np.nan]}))
    assert filled.tolist() == [1.5e308, -2e300, 1.0]


@pytest.mark.parametrize("rows", [X, SPARSE])
def test_scales_go_on_being_learned(rows):
    net = regressor().partial_fit(rows[:30], NUMBERS[:30], WEIGHT[:30])
    kept = by_pickle(net)
    for one in (net, kept):
        one.partial_fit(rows[30:], NUMBERS[30:], WEIGHT[30:])
    for scales in ("inputs", "targets"):
        mine, theirs = (getattr(one._scales, scales) for one in (net, kept))
        assert vars(mine).keys() == vars(theirs).keys()
        for name in vars(mine):
            np.testing.assert_array_equal(vars(mine)[name], vars(theirs)[name])


# --------------------------------------------------------------------------- skops


def untrusted(estimator):
    return set(skops_io.get_untrusted_types(data=skops_io.dumps(estimator)))


@NEEDS_SKOPS
def test_skops_files_hold_the_types_that_are_named_and_no_others():
    needed = set()
    for estimator, *data in CASES.values():
        needed |= untrusted(clone(estimator).fit(*data))
    assert needed - set(OWN) == set(skbackprop.SKOPS_TRUSTED)
    assert set(OWN) <= needed


def test_the_types_that_are_named_are_ours():
    names = skbackprop.SKOPS_TRUSTED
    assert all(name.startswith("skbackprop.") for name in names)
    assert names == sorted(set(names))


@NEEDS_SKOPS
def test_skops_reads_a_pipeline_and_a_search():
    pipeline = make_pipeline(StandardScaler(), classifier()).fit(X, NAMES)
    assert untrusted(pipeline) <= set(skbackprop.SKOPS_TRUSTED)
    search = GridSearchCV(pipeline, {"backpropclassifier__alpha": [0.1, 1.0]}, cv=2)
    search.fit(X, NAMES)
    theirs = untrusted(search) - set(skbackprop.SKOPS_TRUSTED)
    assert all(name.startswith("sklearn.") for name in theirs)
    trusted = [*skbackprop.SKOPS_TRUSTED, *theirs]
    for one in (pipeline, search):
        kept = skops_io.loads(skops_io.dumps(one), trusted=trusted)
        np.testing.assert_array_equal(kept.predict_proba(X), one.predict_proba(X))


# ----------------------------------------------------- files of this format, for ever


def stored_rows(n=24):
    """Make numbers that no generator of random ones can change."""
    return np.sin(np.outer(np.arange(1.0, n + 1), [1.0, 2.3, 0.7]))


def stored_frame():
    rows = stored_rows()
    color = np.array(["red", "green", "blue"])[np.digitize(rows[:, 0], [-0.3, 0.3])]
    df = pd.DataFrame({"age": 40 + 12 * rows[:, 0], "pay": np.exp(5 * rows[:, 1])})
    df.loc[[2, 9], "age"] = np.nan
    df.insert(1, "color", pd.Categorical(color, ["red", "green", "blue", "none such"]))
    df.loc[5, "color"] = None
    return df


STORED_X = stored_rows()
STORED_Y = 100.0 + 30.0 * STORED_X @ [1.0, -2.0, 0.5]
#: By name an estimator, and data to fit it to, to ask it, and to train it on with.
STORED_CASES = {
    "mixed": (
        BackpropClassifier(
            (3,), "tanh", dropout=0.2, class_weight={"no": 2.0}, random_state=0
        ),
        stored_frame(),
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


def stored_answers(net, X, y):
    """Return what a network answers now, and after another epoch."""
    ask = getattr(net, "predict_proba", net.predict)
    now = ask(X).tolist()
    return {"now": now, "later": (net.partial_fit(X, y), ask(X).tolist())[1]}


def stored_network(name):
    """Train a network to where its files were written, in the midst of training."""
    net, X, y = STORED_CASES[name]
    params = {"learning_rate_init": 0.05, "batch_size": 10}
    net = clone(net).set_params(**params)
    classes = {"mixed": ["no", "yes"], "labels": np.arange(3)}.get(name)
    kwargs = {} if classes is None else {"classes": classes}
    return net.partial_fit(X, y, **kwargs).partial_fit(X, y).partial_fit(X, y)


def write_stored_files():
    folder = STORED / f"format_{FORMAT}"
    folder.mkdir()  # once and for all
    answers = {}
    for name, (_, *data) in STORED_CASES.items():
        net = stored_network(name)
        path = folder / name
        path.with_suffix(".pickle").write_bytes(pickle.dumps(net, protocol=4))
        joblib.dump(net, path.with_suffix(".joblib"), compress=9)
        deflated = {"compression": zipfile.ZIP_DEFLATED, "compresslevel": 9}
        skops_io.dump(net, path.with_suffix(".skops"), **deflated)
        answers[name] = stored_answers(net, *data)
    (folder / "answers.json").write_text(json.dumps(answers) + "\n", "utf-8")


def test_every_format_has_its_files():
    files = {f"{name}.{kind}" for name in STORED_CASES for kind in KINDS}
    folders = {path.name for path in STORED.iterdir()}
    assert folders == {f"format_{i}" for i in range(1, FORMAT + 1)}
    for folder in folders:
        found = {path.name for path in (STORED / folder).iterdir()}
        assert found == files | {"answers.json"}


@pytest.mark.parametrize("number", range(1, FORMAT + 1))
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", STORED_CASES)
def test_stored_files_answer_as_they_did_and_learn_on(name, kind, number):
    if kind == "skops" and skops_io is None:
        pytest.skip("needs skops")
    folder = STORED / f"format_{number}"
    expected = json.loads((folder / "answers.json").read_text("utf-8"))[name]
    _, X, y = STORED_CASES[name]
    found = stored_answers(load(folder / f"{name}.{kind}"), X, y)
    rtol = {"now": 1e-6, "later": 1e-5 if name == "labels" else 1e-6}
    for when in expected:
        np.testing.assert_allclose(found[when], expected[when], rtol=rtol[when])


def test_stored_files_are_read_by_those_who_wrote_them():
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


def skeleton(value, found):
    """Note which attributes each object of ours has, here and further inside."""
    if type(value).__module__.startswith("skbackprop."):
        value = value.__getstate__()
        found.setdefault(type(value).__name__, set()).update(value or ())
    parts = list(value.values()) if isinstance(value, dict) else value
    if isinstance(parts, (list, tuple)):
        for part in parts:
            skeleton(part, found)
    return found


@pytest.mark.parametrize("name", STORED_CASES)
def test_a_file_of_today_is_one_of_this_format(name):
    # Where this fails, FORMAT goes up, and __setstate__ reads the format before.
    stored = load(STORED / f"format_{FORMAT}" / f"{name}.joblib")
    assert skeleton(stored_network(name), {}) == skeleton(stored, {})


# --------------------------------------------------------- load, and what is no file


def written(way, estimator, path):
    """Write a file in one of the ways that there are; return what is in it."""
    if way == "pickle":
        path.write_bytes(pickle.dumps(estimator))
    elif way == "skops":
        skops_io.dump(estimator, path)
    else:
        compress = {"joblib": 0}.get(way, (way, 3))
        joblib.dump(estimator, path, compress=compress)
    return path.read_bytes()


WRITERS = pytest.mark.parametrize(
    "way",
    [
        "pickle",
        "joblib",
        "zlib",
        "gzip",
        "bz2",
        "xz",
        "lzma",
        pytest.param("skops", marks=NEEDS_SKOPS),
    ],
)


@WRITERS
@pytest.mark.parametrize("name", ["frame", "dropout", "quantiles"])
def test_load_reads_what_each_of_them_writes(name, way, tmp_path):
    estimator, X, y = CASES[name]
    fitted = clone(estimator).fit(X, y)
    path = tmp_path / "no telling name"
    written(way, fitted, path)
    for given in (path, str(path)):
        assert_same(load(given), fitted, X)


@WRITERS
def test_load_reads_what_holds_an_estimator_of_ours(way, tmp_path):
    pipeline = make_pipeline(StandardScaler(), regressor())
    holders = [
        pipeline,
        TransformedTargetRegressor(clone(pipeline)),
        GridSearchCV(clone(pipeline), {"backpropregressor__alpha": [0.1, 1.0]}, cv=2),
    ]
    for holder in holders:
        path = tmp_path / "holder"
        written(way, holder.fit(X, NUMBERS), path)
        theirs = set()
        if way == "skops":
            types = skops_io.get_untrusted_types(file=path)
            theirs = {name for name in types if name.startswith("sklearn.")}
        loaded = load(path, trusted=tuple(theirs))
        np.testing.assert_array_equal(loaded.predict(X), holder.predict(X))


@WRITERS
@pytest.mark.parametrize("stride", [pytest.param(1, marks=pytest.mark.slow), 20])
def test_a_file_cut_short_anywhere_is_refused(way, stride, tmp_path):
    path = tmp_path / "net"
    whole = written(way, CASES["labels"][0].fit(X[:, :2], LABELS[:, :2]), path)
    n, step = len(whole), {"pickle": 7, "joblib": 7, "skops": 499}.get(way, 23)
    ends = sorted({*range(0, n, step), *range(min(n, 40)), *range(n - 40, n)})
    for end in ends[::stride]:
        path.write_bytes(whole[:end])
        error_of(lambda: load(path), f"path={str(path)!r}", "Allowed are")
    path.write_bytes(whole[:-1])
    reason = "ended before" if way == "bz2" else "it is cut short, damaged or foreign"
    error_of(lambda: load(path), reason)
    path.write_bytes(whole)
    load(path)


@WRITERS
def test_what_follows_an_estimator_is_refused(way, tmp_path):
    path = tmp_path / "net"
    whole = written(way, classifier(), path)
    if way in ("pickle", "joblib"):
        path.write_bytes(whole + whole)
        error_of(lambda: load(path), str(path), "something follows")


@pytest.mark.parametrize("way", ["zlib", "gzip", "bz2", "xz"])
def test_a_byte_changed_in_a_compressed_file_is_noticed(way, tmp_path):
    path = tmp_path / "net"
    whole = written(way, CASES["labels"][0].fit(X, LABELS), path)
    # gzip writes the path in the beginning, of which it has no checksum.
    for at in range(len(str(path)) + 12, len(whole) - 12, 211):
        damaged = bytearray(whole)
        damaged[at] ^= 0x10
        path.write_bytes(damaged)
        error_of(lambda: load(path), str(path))


FOREIGN = {
    "nothing": (b"", "it is empty"),
    "words": (b"Some words.\n", "it begins with b'Some words"),
    "an array": (b"\x93NUMPY\x01\x00", "it begins with"),
    "an x": (b"x marks the spot", "it begins with b'x marks"),
    "bytes": (bytes(range(128, 256)) * 9, "Allowed are"),
    "a broken stream": (b"x\x9c" + bytes(99), "decompressing"),
    "zeros": (bytes(999), "it begins with"),
    "an archive": (b"PK\x03\x04" + bytes(99), "BadZipFile"),
    "a number": (pickle.dumps(3), "it holds a int"),
    "a list": (pickle.dumps([classifier()]), "it holds a list"),
    "no network": (
        pickle.dumps(LogisticRegression()),
        "it holds a LogisticRegression without a network",
    ),
    "a class": (pickle.dumps(BackpropClassifier), "it holds a type"),
    "a class from elsewhere": (
        b"\x80\x02cnowhere.at_all\nThing\n.",
        "ModuleNotFoundError: No module named 'nowhere'",
    ),
    "a part that is gone": (
        b"\x80\x02cskbackprop._scaling\nGone\n.",
        "has no attribute 'Gone'",
    ),
    "words, compressed": (gzip.compress(b"Some words.\n"), "it begins with b'Some"),
    "a checkpoint": (b"skbackprop checkpoint 1\n...", "Checkpoint.resume"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_file_is_refused(name, tmp_path):
    content, words = FOREIGN[name]
    if name == "an archive" and skops_io is None:
        pytest.skip("needs skops")
    path = tmp_path / "file"
    path.write_bytes(content)
    error_of(lambda: load(path), f"path={str(path)!r} can't be loaded", words, "pickle")


@NEEDS_SKOPS
def test_another_archive_is_refused(tmp_path):
    path = tmp_path / "file.npz"
    np.savez(path, X=X)
    error_of(lambda: load(path), str(path), "schema.json")
    skops_io.dump(LogisticRegression(), path)
    error_of(lambda: load(path), str(path), "it holds a LogisticRegression")


def test_a_real_checkpoint_is_refused(tmp_path):
    pytest.importorskip("sklearn.callback")
    path = tmp_path / "training"
    classifier().set_callbacks(skbackprop.Checkpoint(path)).fit(X, CODES)
    error_of(lambda: load(path), "Checkpoint.resume")
    assert skbackprop.Checkpoint.resume(path, X, CODES).n_iter_ == 2


def test_a_file_that_is_not_there_is_not_found(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nothing")
    with pytest.raises(IsADirectoryError):
        load(tmp_path)


@NEEDS_SKOPS
def test_parts_of_ones_own_in_skops_files_must_be_trusted(tmp_path):
    estimator, X, y = CASES["functions"]
    path = tmp_path / "net.skops"
    fitted = clone(estimator).fit(X, y)
    skops_io.dump(fitted, path)
    error_of(lambda: load(path), str(path), "sine", "trusted")
    error_of(lambda: load(path, trusted=[OWN[0]]), "sine")
    assert_same(load(path, trusted=OWN), fitted, X)


def test_without_skops_its_files_are_refused_and_others_read(tmp_path):
    written("joblib", classifier().fit(X, CODES), tmp_path / "net.joblib")
    (tmp_path / "net.skops").write_bytes(b"PK\x03\x04")
    code = f"""
        import sys
        sys.path.insert(0, {str(PACKAGE.parent)!r})
        sys.modules["skops"] = None
        import skbackprop
        assert skbackprop.load("net.joblib").n_iter_ == 2
        try:
            skbackprop.load("net.skops")
        except ImportError as error:
            assert "pip install skops" in str(error)
        else:
            raise AssertionError
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
