"""Frames of numbers and categories, with some missing: what a fit makes of them."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from small_fits import cut_short, error_of
from small_networks import (
    NAMES,
    NUMBERS,
    WEIGHT,
    X,
    assert_same_network,
    small,
)

from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop.core.inputs import transform_batch

# Targets that scaling leaves as they are.
SCALED = StandardScaler().fit_transform(NUMBERS[:, np.newaxis]).ravel()
EITHER = pytest.mark.parametrize(
    ("make", "y"), [(BackpropClassifier, NAMES), (BackpropRegressor, SCALED)]
)
rng = np.random.default_rng(1)
COLORS, SIZES = ["red", "green", "blue", "none such"], ["small", "mid", "large"]
CODES = [30, 2, 10]
LEVELS = {"color": COLORS, "code": [2, 10, 30], "size": SIZES}  # codes are sorted
COLUMNS = ["color", "age", "code", "income", "size", "flag"]
TABLE = {
    "color": rng.choice(COLORS[:3], 90),
    "age": np.where(np.arange(90) % 7 == 2, np.nan, 40.0 + 12.0 * X[:, 0]),
    "code": rng.choice(CODES, 90),
    "income": 1e4 * np.exp(X[:, 1]),
    "size": np.array(SIZES)[np.digitize(X[:, 2], [-0.5, 0.5])],
    "flag": X[:, 3] > 0.0,
}


def mixed(rows=slice(None), **columns):
    """Make a frame of pandas, where a color, a code and a size are missing."""
    df = pd.DataFrame({**TABLE, **columns})
    df["color"] = pd.Categorical(df["color"], COLORS)
    df["code"] = pd.Categorical(df["code"], CODES)
    df["size"] = pd.Categorical(df["size"], SIZES, ordered=True)
    for i, name in enumerate(LEVELS):
        df.loc[3 + i, name] = None
    return df[rows]


def mixed_polars(rows=slice(None)):
    """Make the same of polars, which has categories of strings alone."""
    df = mixed()
    columns = {name: df[name].to_numpy() for name in ("age", "income", "flag")}
    for name in LEVELS:
        columns[name] = [None if pd.isna(v) else str(v) for v in df[name]]
    schema = dict.fromkeys(COLUMNS, pl.Float64)
    schema |= {"flag": pl.Boolean, "code": pl.Categorical}
    schema |= {"color": pl.Enum(COLORS), "size": pl.Enum(SIZES)}
    columns = {name: columns[name] for name in COLUMNS}
    made = pl.DataFrame(columns, schema=schema, nan_to_null=True)
    assert made["age"].null_count() == 13
    return made[rows]


def by_hand(df, learned_from=None, levels=LEVELS, standardize=True):
    """Impute, scale and encode, written out."""
    learned_from = df if learned_from is None else learned_from
    columns = []
    for name in ("age", "income", "flag"):
        x, known = (
            frame[name].to_numpy().astype(float) for frame in (df, learned_from)
        )
        mean = np.nanmean(known)
        x, known = (np.where(np.isnan(values), mean, values) for values in (x, known))
        if standardize:
            x = 5.0 * np.tanh((x - mean) / known.std() / 5.0)
        columns.append(x)
    columns.append(np.isnan(df["age"].to_numpy().astype(float)))
    for name in levels:
        values = np.asarray(df[name])
        columns += [values == level for level in levels[name]]
    return np.column_stack(columns).astype(float)


def net_of(make, **params):
    return small(make, **{"n_iter_no_change": 5, "batch_size": 32, **params})


def outputs(net, X):
    return net.predict_proba(X) if hasattr(net, "predict_proba") else net.predict(X)


def assert_close(one, other, rtol=1e-9):
    for name in ("coefs_", "intercepts_"):
        for mine, theirs in zip(getattr(one, name), getattr(other, name), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(one.loss_curve_, other.loss_curve_, rtol=rtol)


def assert_ready(net, encoded, expected, columns=slice(None)):
    """Compare what comes to the first layer, of rows encoded by hand."""
    x = transform_batch(encoded, np.empty_like(encoded), net._state.network.inputs)
    expected = np.column_stack(expected)
    np.testing.assert_allclose(x[:, columns], expected, rtol=1e-12, atol=1e-12)


KINDS = {
    "pandas": (mixed, LEVELS),
    # Of polars' Categorical those that occur are known, in order.
    "polars": (mixed_polars, LEVELS | {"code": ["10", "2", "30"]}),
}
BY_KIND = pytest.mark.parametrize("kind", KINDS)


# ------------------------------------------------------------ a fit is that by hand


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@BY_KIND
@EITHER
def test_a_fit_is_one_on_data_made_ready_by_hand(make, y, kind, solver):
    frame_of, levels = KINDS[kind]
    df = frame_of()
    z = by_hand(df, levels=levels)
    assert z.shape == (90, 3 + 1 + 4 + 3 + 3)
    assert z[:, 4:8].sum() == z[:, 8:11].sum() == z[:, 11:].sum() == 89  # one missing
    params = {"solver": solver, "tol": 0.1} if solver == "lbfgs" else {}
    fitted = net_of(make, **params).fit(df, y)
    plain = net_of(make, standardize=False, **params).fit(z, y)
    assert_close(fitted, plain, rtol=1e-7 if solver == "lbfgs" else 1e-9)
    np.testing.assert_allclose(outputs(fitted, df), outputs(plain, z), rtol=1e-7)
    assert fitted.is_categorical_.tolist() == [True, False] * 2 + [True, False]
    assert list(fitted.feature_names_in_) == COLUMNS
    assert fitted.n_features_in_ == 6


@BY_KIND
@EITHER
@cut_short
def test_what_is_not_standardised_is_encoded_all_the_same(make, y, kind):
    frame_of, levels = KINDS[kind]
    z = by_hand(frame_of(), levels=levels, standardize=False)
    net = net_of(make, standardize=False, learning_rate_init=1e-5, max_iter=8)
    assert_close(clone(net).fit(frame_of(), y), net.fit(z, y))


@EITHER
def test_numbers_are_scaled_as_they_weigh(make, y):
    df = mixed()
    fitted = net_of(make).fit(df, y, WEIGHT)
    z = by_hand(df, standardize=False)
    mean = np.average(z[:, :3], axis=0, weights=WEIGHT)
    std = np.sqrt(np.average((z[:, :3] - mean) ** 2, axis=0, weights=WEIGHT))
    numbers = 5.0 * np.tanh((z[:, :3] - mean) / std / 5.0)
    assert_ready(fitted, z, [*numbers.T, *z[:, 3:].T])


@EITHER
def test_frames_of_either_kind_are_the_same(make, y):
    # Strings in the same order.
    columns = ["color", "age", "income", "size", "flag"]
    nets = [net_of(make).fit(df[columns], y) for df in (mixed(), mixed_polars())]
    assert_same_network(*nets)
    for net in nets:
        one, other = (outputs(net, df[columns]) for df in (mixed(), mixed_polars()))
        np.testing.assert_array_equal(one, other)


# ------------------------------------------------------------ what is a category

CHOSEN = {
    "names": ["size", "color", "code"],
    "index": pd.Index(["code", "size", "color"]),
    "numbers": (4, 0, 2),
    "array": np.array([0, 2, 4]),
    "bools": [True, False, True, False, True, False],
    "mask": np.array([True, False, True, False, True, False]),
}


@pytest.mark.parametrize("how", CHOSEN)
@BY_KIND
@EITHER
def test_categories_can_be_named(make, y, kind, how):
    df = KINDS[kind][0]()
    net = net_of(make, categorical_features=CHOSEN[how])
    fitted = clone(net).fit(df, y)
    assert_same_network(fitted, net_of(make).fit(df, y))
    assert fitted.is_categorical_.tolist() == [True, False] * 3


def as_numbers(df):
    """Turn the categories into their numbers, and what is missing into nan."""
    numbers = {n: df[n].cat.codes.astype(float) for n in ("color", "size")}
    numbers = {n: values.where(values >= 0.0) for n, values in numbers.items()}
    return df.assign(code=df["code"].astype(float), **numbers).astype(float)


@pytest.mark.parametrize("given", [pd.DataFrame, np.asarray, np.ndarray.tolist])
@EITHER
def test_numbers_can_be_categories_in_a_frame_and_in_an_array(make, y, given):
    df = as_numbers(mixed())
    rows = df if given is pd.DataFrame else given(df.to_numpy())
    fitted = net_of(make, categorical_features=[0, 2, 4]).fit(rows, y)
    z = by_hand(df, levels={"color": [0, 1, 2], "code": [2, 10, 30], "size": [0, 1, 2]})
    plain = net_of(make, standardize=False).fit(z, y)
    assert_close(fitted, plain)
    np.testing.assert_allclose(outputs(fitted, rows), outputs(plain, z), rtol=1e-9)
    assert fitted.is_categorical_.tolist() == [True, False] * 3


def test_strings_can_be_categories_in_an_array():
    rows = mixed().to_numpy(dtype=object)
    fitted = net_of(BackpropClassifier, categorical_features=[0, 2, 4]).fit(rows, NAMES)
    found = {name: sorted(LEVELS[name]) for name in LEVELS} | {
        "color": sorted(COLORS[:3])
    }
    plain = net_of(BackpropClassifier, standardize=False)
    assert_close(fitted, plain.fit(by_hand(mixed(), levels=found), NAMES))


@pytest.mark.parametrize("none", [None, []])
@EITHER
def test_numbers_of_a_category_are_numbers_where_there_are_to_be_none(make, y, none):
    df = mixed()[["age", "code"]]
    net = net_of(make, categorical_features=none).fit(df, y)
    plain = net_of(make).fit(df.astype(float), y)
    assert_same_network(net, plain)
    assert net.is_categorical_ is None
    assert net.coefs_[0].shape[0] == 2 + 2  # something is missing in either


@EITHER
def test_a_frame_of_categories_alone(make, y):
    net = net_of(make).fit(mixed()[["size"]], y)
    z = by_hand(mixed(), levels={"size": SIZES})[:, 4:]
    assert_close(net, net_of(make, standardize=False).fit(z, y))
    assert net.is_categorical_.tolist() == [True]


@EITHER
def test_a_category_without_any_known_says_nothing(make, y):
    df = mixed().assign(size=pd.Categorical([None] * 90))
    net = net_of(make).fit(df, y)
    assert net.is_categorical_.tolist() == [True, False] * 3
    np.testing.assert_array_equal(outputs(net, mixed()), outputs(net, df))


def test_without_categories_there_are_none():
    net = net_of(BackpropClassifier)
    assert net.fit(X, NAMES).is_categorical_ is None
    assert net.fit(mixed()[["age", "income"]], NAMES).is_categorical_ is None


@pytest.mark.parametrize(
    ("chosen", "rows", "words"),
    [
        (["colour"], mixed(), ("['colour']", "columns ['color', 'age'", "names of")),
        ([6], mixed(), ("[6]", "from 0 to 5")),
        ([-1], X, ("[-1]", "4 features without names", "from 0 to 3")),
        ([True, False], X, ("[True, False]", "a bool for each")),
        (["a"], X, ("['a']", "without names")),
        ([1.5], X, ("[1.5]", "are not features")),
        ([0], sp.csr_array(X), ("[0]", "sparse")),
        ("by_dtype", mixed(), ("'by_dtype'", "from_dtype")),
    ],
    ids=["name", "too large", "below zero", "mask", "array", "float", "sparse", "word"],
)
def test_categories_that_are_no_features_are_refused(chosen, rows, words):
    net = net_of(BackpropClassifier, categorical_features=chosen)
    error_of(lambda: net.fit(rows, NAMES), "categorical_features", *words)


NO_NUMBERS = {
    "object": lambda: mixed().assign(age=pd.Series(TABLE["color"], dtype=object)),
    "str": lambda: mixed().assign(age=pd.Series(TABLE["color"], dtype="string")),
    "alone": lambda: pd.DataFrame({"color": TABLE["color"]}),
    "polars": lambda: mixed_polars().with_columns(pl.col("size").cast(pl.String)),
    "dates": lambda: mixed().assign(age=pd.Timestamp("2020-01-01")),
}


@pytest.mark.parametrize("kind", NO_NUMBERS)
def test_what_is_neither_number_nor_category_is_refused(kind):
    net = net_of(BackpropClassifier)
    words = (
        "cannot be read as numbers or categories",
        "'category'",
        "categorical_features",
    )
    error_of(lambda: net.fit(NO_NUMBERS[kind](), NAMES), *words)


def test_categories_that_are_to_be_none_are_no_numbers():
    net = net_of(BackpropClassifier, categorical_features=None)
    error_of(lambda: net.fit(mixed(), NAMES), "cannot be read as numbers or categories")


# --------------------------------------------------------- what comes to predict


@BY_KIND
@EITHER
def test_numbers_first_missing_at_predict_are_their_mean(make, y, kind):
    df = KINDS[kind][0]()
    net = net_of(make).fit(df, y)
    mean = TABLE["income"].mean()
    if kind == "pandas":
        missing, filled = df.assign(income=np.nan), df.assign(income=mean)
    else:
        missing = df.with_columns(income=pl.lit(None, pl.Float64))
        filled = df.with_columns(income=pl.lit(mean))
    np.testing.assert_allclose(outputs(net, missing), outputs(net, filled), rtol=1e-12)


@EITHER
def test_categories_that_were_not_met_are_missing_ones(make, y):
    df = mixed()
    net = net_of(make).fit(df, y)
    plain = net_of(make, standardize=False).fit(by_hand(df), y)
    unknown = df.assign(
        color=pd.Categorical(["violet"] * 90),
        code=pd.Categorical(np.where(np.arange(90) % 2, 99, TABLE["code"])),
    )
    expected = outputs(plain, by_hand(unknown, df))
    np.testing.assert_allclose(outputs(net, unknown), expected, rtol=1e-9)
    missing = unknown.assign(color=pd.Categorical([None] * 90, COLORS))
    np.testing.assert_array_equal(outputs(net, missing), outputs(net, unknown))


@EITHER
def test_levels_in_another_order_are_the_same(make, y):
    df = mixed()
    net = net_of(make).fit(df, y)
    other = df.assign(
        color=df["color"].cat.reorder_categories(COLORS[::-1]),
        size=df["size"].astype(object),
        code=df["code"].astype(float),
    )
    assert other["color"].cat.codes.tolist() != df["color"].cat.codes.tolist()
    np.testing.assert_array_equal(outputs(net, other), outputs(net, df))


def test_numbers_in_the_place_of_known_strings_are_refused():
    # As a file is read in that has but digits in this column.
    df = mixed().assign(color=pd.Categorical(np.array(["1", "2"])[np.arange(90) % 2]))
    net = net_of(BackpropClassifier).fit(df, NAMES)
    other = df.assign(color=np.arange(90) % 2 + 1)
    error_of(lambda: net.predict(other), "categorical")


@EITHER
def test_what_is_missing_or_infinite_in_numbers_of_an_array_is_refused(make, y):
    rows = X.copy()
    rows[3, 1] = np.nan
    error_of(lambda: net_of(make).fit(rows, y), "Input X contains NaN")
    fitted = net_of(make).fit(X, y)
    error_of(lambda: fitted.predict(rows), "Input X contains NaN")
    endless = mixed().assign(income=np.where(np.arange(90) == 3, np.inf, 1.0))
    error_of(lambda: net_of(make).fit(endless, y), "contains infinity")
    fitted = net_of(make).fit(mixed(), y)
    error_of(lambda: fitted.predict(endless), "contains infinity")


@EITHER
def test_sparse_columns_of_a_frame_are_those_of_a_sparse_array(make, y):
    values = np.where(np.abs(X) > 0.8, X, 0.0)
    columns = [pd.arrays.SparseArray(x, fill_value=0.0) for x in values.T]
    df = pd.DataFrame(dict(zip("abcd", columns, strict=True)))
    fitted = net_of(make).fit(df, y)
    plain = net_of(make).fit(sp.csr_array(values), y)
    assert_close(fitted, plain)
    expected = outputs(plain, sp.csr_array(values))
    np.testing.assert_allclose(outputs(fitted, df), expected, rtol=1e-9)


# ------------------------------------------------------ chunks and validation data


@EITHER
def test_chunks_may_lack_levels_that_their_dtype_knows(make, y):
    df = mixed(age=50.0 + X[:, 0])
    order = np.argsort(TABLE["color"], kind="stable")  # a color a chunk, or two
    z = np.delete(by_hand(df, standardize=False), 3, axis=1)  # no age is missing
    kwargs = {"classes": np.unique(NAMES)} if make is BackpropClassifier else {}
    params = dict(standardize=False, learning_rate_init=1e-5, batch_size="auto")
    nets = net_of(make, **params), net_of(make, **params)
    for rows in np.split(order, [30, 60, 85]):
        assert len(set(TABLE["color"][rows])) < 3
        for net, given in zip(nets, (df.iloc[rows], z[rows]), strict=True):
            net.partial_fit(given, y[rows], **kwargs)
    assert_close(*nets)


@EITHER
def test_chunks_teach_the_scale_of_numbers_alone(make, y):
    df = mixed()
    kwargs = {"classes": np.unique(NAMES)} if make is BackpropClassifier else {}
    net = net_of(make, batch_size="auto")
    for rows in (slice(0, 40), slice(40, 90)):
        net.partial_fit(df[rows], y[rows], **kwargs)
    z = by_hand(df, df[:40], standardize=False)
    filled = z[:, 0]
    age = 5.0 * np.tanh((filled - filled.mean()) / filled.std() / 5.0)
    assert_ready(net, z, [age, *z[:, 3:].T], [0, *range(3, 14)])


@pytest.mark.parametrize("scoring", ["loss", "named", "callable"])
@BY_KIND
@EITHER
@cut_short
def test_early_stopping_judges_encoded_rows(make, y, kind, scoring):
    if scoring == "named":
        scoring = "accuracy" if make is BackpropClassifier else "r2"
    elif scoring == "callable":
        scoring = lambda net, X, y: net.score(X, y)  # noqa: E731
    frame_of, levels = KINDS[kind]
    z = by_hand(frame_of(), levels=levels, standardize=False)
    net = net_of(make, standardize=False, learning_rate_init=1e-5, max_iter=8)
    net.set_params(early_stopping=True, scoring=scoring, tol=1.0)
    fitted, plain = clone(net).fit(frame_of(), y), net.fit(z, y)
    assert_close(fitted, plain)
    np.testing.assert_allclose(
        fitted.validation_scores_, plain.validation_scores_, rtol=1e-9
    )


@pytest.mark.parametrize("early_stopping", [False, True])
@BY_KIND
def test_validation_frames_are_encoded_like_those_trained_on(kind, early_stopping):
    frame_of, levels = KINDS[kind]
    df = frame_of()
    net = net_of(BackpropClassifier, early_stopping=early_stopping, scoring="accuracy")
    net.fit(df[:60], NAMES[:60], X_val=df[60:], y_val=NAMES[60:])
    z = by_hand(df, df[:60], levels)
    plain = net_of(BackpropClassifier, early_stopping=early_stopping, standardize=False)
    plain.set_params(scoring="accuracy")
    plain.fit(z[:60], NAMES[:60], X_val=z[60:], y_val=NAMES[60:])
    assert_close(net, plain)
    np.testing.assert_allclose(
        net.validation_loss_curve_, plain.validation_loss_curve_, rtol=1e-9
    )
    assert net.validation_scores_ == plain.validation_scores_
    score = accuracy_score(NAMES[60:], net.predict(df[60:]))
    assert score == (max if early_stopping else lambda s: s[-1])(net.validation_scores_)


# ------------------------------------------------------------ as estimators are used


@BY_KIND
@EITHER
def test_derivatives_are_those_by_numbers_that_are_there(make, y, kind):
    df = KINDS[kind][0](slice(0, 30))
    y = y if make is BackpropClassifier else 1e3 * y  # in its own units
    net = net_of(make, activation="tanh").fit(KINDS[kind][0](), y)
    gradients = net.input_gradients(df)
    assert gradients.shape[:2] == (30, 6)
    assert np.isnan(gradients[:, [0, 2, 4]]).all()
    missing = np.isnan(TABLE["age"][:30])
    assert np.isnan(gradients[missing, 1]).all()
    assert not np.isnan(gradients[~missing, 1]).any()
    ask = net.decision_function if make is BackpropClassifier else net.predict
    for j, name, step in ((1, "age", 1e-3), (3, "income", 1.0)):
        up, down = (
            df.assign(**{name: df[name] + s})
            if kind == "pandas"
            else df.with_columns(pl.col(name) + s)
            for s in (step, -step)
        )
        expected = (ask(up) - ask(down)) / (2 * step)
        there = ~np.isnan(gradients[:, j])
        assert there.all() == (name == "income")
        np.testing.assert_allclose(
            gradients[:, j][there],
            expected.reshape(gradients[:, j].shape)[there],
            rtol=1e-5,
            atol=1e-9,
        )


@BY_KIND
@EITHER
def test_a_pickled_network_knows_its_categories(make, y, kind):
    df = KINDS[kind][0]()
    net = net_of(make).fit(df, y)
    loaded = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(outputs(loaded, df), outputs(net, df))
    assert_same_network(loaded.partial_fit(df, y), net.partial_fit(df, y))


@BY_KIND
@EITHER
def test_searches_and_cross_validation(make, y, kind):
    df = KINDS[kind][0]()
    net = net_of(make, batch_size="auto", n_iter_no_change=40)
    scores = cross_val_score(net, df, y, cv=KFold(3))
    for (train, test), score in zip(KFold(3).split(X), scores, strict=True):
        fitted = clone(net).fit(
            df[train] if kind == "polars" else df.iloc[train], y[train]
        )
        rows = df[test] if kind == "polars" else df.iloc[test]
        assert fitted.score(rows, y[test]) == score
    assert scores.min() > 0.5
    grid = GridSearchCV(net, {"categorical_features": ["from_dtype", [0, 2, 4]]}, cv=2)
    if kind == "pandas":
        grid.set_params(param_grid={"alpha": [0.1, 1e4]})
    grid.fit(df, y)
    assert_same_network(grid.best_estimator_, clone(grid.best_estimator_).fit(df, y))


@BY_KIND
def test_a_pipeline_hands_on_a_frame(kind):
    df = KINDS[kind][0]()
    pipeline = make_pipeline(FunctionTransformer(), net_of(BackpropClassifier))
    pipeline.fit(df, NAMES)
    alone = net_of(BackpropClassifier).fit(df, NAMES)
    assert_same_network(pipeline[-1], alone)
    np.testing.assert_array_equal(pipeline.predict(df), alone.predict(df))


@EITHER
def test_other_columns_are_refused(make, y):
    net = net_of(make).fit(mixed(), y)
    error_of(lambda: net.predict(mixed()[COLUMNS[::-1]]), "feature names", "order")
    error_of(lambda: net.predict(mixed()[COLUMNS[:5]]), "feature names", "flag")
    error_of(lambda: net.partial_fit(mixed()[COLUMNS[:5]], y), "feature names")
