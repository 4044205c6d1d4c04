"""DataFrames with numeric columns, categories and missing values."""

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
from small_fits import error_of, ignore_convergence_warning
from small_networks import (
    NAMES,
    NUMBERS,
    WEIGHT,
    X,
    assert_same_network,
    small,
)

from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop.core.workspace import ForwardBuffers

# Standardized targets, which scaling does not change.
STANDARDIZED = StandardScaler().fit_transform(NUMBERS[:, np.newaxis]).ravel()
BOTH_ESTIMATORS = pytest.mark.parametrize(
    ("make", "y"), [(BackpropClassifier, NAMES), (BackpropRegressor, STANDARDIZED)]
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
    """Return a pandas DataFrame in which a color, a code and a size are missing."""
    df = pd.DataFrame({**TABLE, **columns})
    df["color"] = pd.Categorical(df["color"], COLORS)
    df["code"] = pd.Categorical(df["code"], CODES)
    df["size"] = pd.Categorical(df["size"], SIZES, ordered=True)
    for i, name in enumerate(LEVELS):
        df.loc[3 + i, name] = None
    return df[rows]


def mixed_polars(rows=slice(None)):
    """Return the same data in polars, whose categories are always strings."""
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


def encode_manually(df, learned_from=None, levels=LEVELS, standardize=True):
    """Impute, scale and encode without the package."""
    learned_from = df if learned_from is None else learned_from
    columns = []
    for name in ("age", "income", "flag"):
        x, known = (
            frame[name].to_numpy().astype(float) for frame in (df, learned_from)
        )
        mean, std = np.nanmean(known), np.nanstd(known)
        x = np.where(np.isnan(x), mean, x)
        columns.append((x - mean) / std if standardize else x)
    columns.append(np.isnan(df["age"].to_numpy().astype(float)))
    for name in levels:
        values = np.asarray(df[name])
        columns += [values == level for level in levels[name]]
    return np.column_stack(columns).astype(float)


def make_net(make, **params):
    # With init="auto", the initial biases depend on `standardize`.
    fixed = {"init": "glorot_uniform", "n_iter_no_change": 5, "batch_size": 32}
    return small(make, **{**fixed, **params})


def outputs(net, X):
    return net.predict_proba(X) if hasattr(net, "predict_proba") else net.predict(X)


def assert_close(one, other, rtol=1e-9):
    for name in ("coefs_", "intercepts_"):
        for actual, expected in zip(
            getattr(one, name), getattr(other, name), strict=True
        ):
            np.testing.assert_allclose(actual, expected, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(one.loss_curve_, other.loss_curve_, rtol=rtol)


def assert_network_inputs(net, rows, expected, columns=slice(None)):
    """Compare the inputs of the first layer."""
    raw = net._reader.read_inputs(rows, net)
    x = ForwardBuffers(net._state.network, len(raw), raw).read(raw)
    expected = np.column_stack(expected)
    np.testing.assert_allclose(x[:, columns], expected, rtol=1e-12, atol=1e-12)


KINDS = {
    "pandas": (mixed, LEVELS),
    # A polars Categorical has the categories that occur, in sorted order.
    "polars": (mixed_polars, LEVELS | {"code": ["10", "2", "30"]}),
}
BY_KIND = pytest.mark.parametrize("kind", KINDS)


# ----------------------------------------------------- equivalence to manual encoding


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@BY_KIND
@BOTH_ESTIMATORS
@ignore_convergence_warning
def test_fit_equals_fit_on_manually_encoded_data(make, y, kind, solver):
    make_dataframe, levels = KINDS[kind]
    df = make_dataframe()
    z = encode_manually(df, levels=levels)
    assert z.shape == (90, 3 + 1 + 4 + 3 + 3)
    assert z[:, 4:8].sum() == z[:, 8:11].sum() == z[:, 11:].sum() == 89  # one missing
    params = {"solver": solver, "tol": 0.1} if solver == "lbfgs" else {}
    fitted = make_net(make, **params).fit(df, y)
    plain = make_net(make, standardize=False, **params).fit(z, y)
    assert_close(fitted, plain, rtol=1e-7 if solver == "lbfgs" else 1e-9)
    np.testing.assert_allclose(outputs(fitted, df), outputs(plain, z), rtol=1e-7)
    assert fitted.is_categorical_.tolist() == [True, False] * 2 + [True, False]
    assert list(fitted.feature_names_in_) == COLUMNS
    assert fitted.n_features_in_ == 6


@BY_KIND
@BOTH_ESTIMATORS
@ignore_convergence_warning
def test_columns_are_encoded_without_standardization(make, y, kind):
    make_dataframe, levels = KINDS[kind]
    z = encode_manually(make_dataframe(), levels=levels, standardize=False)
    net = make_net(make, standardize=False, learning_rate_init=1e-5, max_iter=8)
    assert_close(clone(net).fit(make_dataframe(), y), net.fit(z, y))


@BOTH_ESTIMATORS
def test_scalers_use_sample_weights(make, y):
    df = mixed()
    fitted = make_net(make).fit(df, y, WEIGHT)
    z = encode_manually(df, standardize=False)
    weights = np.column_stack([WEIGHT * (1.0 - z[:, 3]), WEIGHT, WEIGHT])
    mean = np.average(z[:, :3], axis=0, weights=weights)
    std = np.sqrt(np.average((z[:, :3] - mean) ** 2, axis=0, weights=weights))
    numbers = (z[:, :3] - mean) / std
    numbers[z[:, 3] == 1.0, 0] = 0.0  # missing
    assert_network_inputs(fitted, df, [*numbers.T, *z[:, 3:].T])


@BOTH_ESTIMATORS
def test_pandas_and_polars_give_same_network(make, y):
    # Without "code", whose string categories in polars have another order.
    columns = ["color", "age", "income", "size", "flag"]
    nets = [make_net(make).fit(df[columns], y) for df in (mixed(), mixed_polars())]
    assert_same_network(*nets)
    for net in nets:
        one, other = (outputs(net, df[columns]) for df in (mixed(), mixed_polars()))
        np.testing.assert_array_equal(one, other)


# -------------------------------------------------------- selection of categories

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
@BOTH_ESTIMATORS
def test_categorical_features_accepts_names_indices_and_masks(make, y, kind, how):
    df = KINDS[kind][0]()
    net = make_net(make, categorical_features=CHOSEN[how])
    fitted = clone(net).fit(df, y)
    assert_same_network(fitted, make_net(make).fit(df, y))
    assert fitted.is_categorical_.tolist() == [True, False] * 3


def as_numbers(df):
    """Convert categories to their codes, and missing values to NaN."""
    numbers = {n: df[n].cat.codes.astype(float) for n in ("color", "size")}
    numbers = {n: values.where(values >= 0.0) for n, values in numbers.items()}
    return df.assign(code=df["code"].astype(float), **numbers).astype(float)


@pytest.mark.parametrize("given", [pd.DataFrame, np.asarray, np.ndarray.tolist])
@BOTH_ESTIMATORS
def test_numeric_columns_can_be_categorical(make, y, given):
    df = as_numbers(mixed())
    rows = df if given is pd.DataFrame else given(df.to_numpy())
    fitted = make_net(make, categorical_features=[0, 2, 4]).fit(rows, y)
    z = encode_manually(
        df, levels={"color": [0, 1, 2], "code": [2, 10, 30], "size": [0, 1, 2]}
    )
    plain = make_net(make, standardize=False).fit(z, y)
    assert_close(fitted, plain)
    np.testing.assert_allclose(outputs(fitted, rows), outputs(plain, z), rtol=1e-9)
    assert fitted.is_categorical_.tolist() == [True, False] * 3


def test_string_columns_of_arrays_can_be_categorical():
    rows = mixed().to_numpy(dtype=object)
    fitted = make_net(BackpropClassifier, categorical_features=[0, 2, 4]).fit(
        rows, NAMES
    )
    found = {name: sorted(LEVELS[name]) for name in LEVELS} | {
        "color": sorted(COLORS[:3])
    }
    plain = make_net(BackpropClassifier, standardize=False)
    assert_close(fitted, plain.fit(encode_manually(mixed(), levels=found), NAMES))


@pytest.mark.parametrize("none", [None, []])
@BOTH_ESTIMATORS
def test_numeric_categories_are_numbers_without_categorical_features(make, y, none):
    df = mixed()[["age", "code"]]
    net = make_net(make, categorical_features=none).fit(df, y)
    plain = make_net(make).fit(df.astype(float), y)
    assert_same_network(net, plain)
    assert net.is_categorical_ is None
    assert net.coefs_[0].shape[0] == 2 + 2  # both columns have missing values


@BOTH_ESTIMATORS
@ignore_convergence_warning
def test_dataframe_with_only_categories(make, y):
    net = make_net(make).fit(mixed()[["size"]], y)
    z = encode_manually(mixed(), levels={"size": SIZES})[:, 4:]
    assert_close(net, make_net(make, standardize=False).fit(z, y))
    assert net.is_categorical_.tolist() == [True]


@BOTH_ESTIMATORS
def test_column_with_only_missing_categories_is_ignored(make, y):
    df = mixed().assign(size=pd.Categorical([None] * 90))
    net = make_net(make).fit(df, y)
    assert net.is_categorical_.tolist() == [True, False] * 3
    np.testing.assert_array_equal(outputs(net, mixed()), outputs(net, df))


def test_is_categorical_is_none_without_categories():
    net = make_net(BackpropClassifier)
    assert net.fit(X, NAMES).is_categorical_ is None
    assert net.fit(mixed()[["age", "income"]], NAMES).is_categorical_ is None


@pytest.mark.parametrize(
    ("chosen", "rows", "words"),
    [
        (["colour"], mixed(), ("['colour']", "columns ['color', 'age'", "names")),
        ([6], mixed(), ("[6]", "from 0 to 5")),
        ([-1], X, ("[-1]", "4 features without names", "from 0 to 3")),
        ([True, False], X, ("[True, False]", "one bool per feature")),
        (["a"], X, ("['a']", "without names")),
        ([1.5], X, ("[1.5]", "are not features")),
        ([0], sp.csr_array(X), ("[0]", "Sparse data was passed for X")),
        ("by_dtype", mixed(), ("'by_dtype'", "from_dtype")),
    ],
    ids=["name", "too large", "below zero", "mask", "array", "float", "sparse", "word"],
)
def test_invalid_categorical_features_raise(chosen, rows, words):
    net = make_net(BackpropClassifier, categorical_features=chosen)
    error = TypeError if sp.issparse(rows) else ValueError
    error_of(lambda: net.fit(rows, NAMES), "categorical_features", *words, error=error)


UNSUPPORTED_COLUMNS = {
    "object": lambda: mixed().assign(age=pd.Series(TABLE["color"], dtype=object)),
    "str": lambda: mixed().assign(age=pd.Series(TABLE["color"], dtype="string")),
    "strings only": lambda: pd.DataFrame({"color": TABLE["color"]}),
    "polars": lambda: mixed_polars().with_columns(pl.col("size").cast(pl.String)),
}


@pytest.mark.parametrize("kind", UNSUPPORTED_COLUMNS)
def test_unsupported_columns_raise(kind):
    net = make_net(BackpropClassifier)
    words = (
        "neither numeric nor categorical",
        "'category'",
        "categorical_features",
    )
    error_of(lambda: net.fit(UNSUPPORTED_COLUMNS[kind](), NAMES), *words)


def test_string_categories_without_categorical_features_raise():
    net = make_net(BackpropClassifier, categorical_features=None)
    error_of(lambda: net.fit(mixed(), NAMES), "neither numeric nor categorical")


# --------------------------------------------------------- new values in predict


@BY_KIND
@BOTH_ESTIMATORS
def test_predict_imputes_mean_for_values_never_missing_in_fit(make, y, kind):
    df = KINDS[kind][0]()
    net = make_net(make).fit(df, y)
    mean = TABLE["income"].mean()
    if kind == "pandas":
        missing, filled = df.assign(income=np.nan), df.assign(income=mean)
    else:
        missing = df.with_columns(income=pl.lit(None, pl.Float64))
        filled = df.with_columns(income=pl.lit(mean))
    np.testing.assert_allclose(outputs(net, missing), outputs(net, filled), rtol=1e-12)


@BOTH_ESTIMATORS
def test_unknown_categories_are_encoded_as_missing(make, y):
    df = mixed()
    net = make_net(make).fit(df, y)
    plain = make_net(make, standardize=False).fit(encode_manually(df), y)
    unknown = df.assign(
        color=pd.Categorical(["violet"] * 90),
        code=pd.Categorical(np.where(np.arange(90) % 2, 99, TABLE["code"])),
    )
    expected = outputs(plain, encode_manually(unknown, df))
    np.testing.assert_allclose(outputs(net, unknown), expected, rtol=1e-9)
    missing = unknown.assign(color=pd.Categorical([None] * 90, COLORS))
    np.testing.assert_array_equal(outputs(net, missing), outputs(net, unknown))


@BOTH_ESTIMATORS
def test_order_of_categories_does_not_affect_predictions(make, y):
    df = mixed()
    net = make_net(make).fit(df, y)
    other = df.assign(
        color=df["color"].cat.reorder_categories(COLORS[::-1]),
        size=df["size"].astype(object),
        code=df["code"].astype(float),
    )
    assert other["color"].cat.codes.tolist() != df["color"].cat.codes.tolist()
    np.testing.assert_array_equal(outputs(net, other), outputs(net, df))


def test_numbers_instead_of_known_strings_raise():
    # pandas reads a column of a CSV file as numbers if it contains only digits.
    df = mixed().assign(color=pd.Categorical(np.array(["1", "2"])[np.arange(90) % 2]))
    net = make_net(BackpropClassifier).fit(df, NAMES)
    other = df.assign(color=np.arange(90) % 2 + 1)
    error_of(lambda: net.predict(other), "categorical")


@BOTH_ESTIMATORS
def test_infinity_raises(make, y):
    rows = X.copy()
    rows[3, 1] = np.inf
    error_of(lambda: make_net(make).fit(rows, y), "contains infinity")
    fitted = make_net(make).fit(X, y)
    error_of(lambda: fitted.predict(rows), "contains infinity")
    infinite = mixed().assign(income=np.where(np.arange(90) == 3, np.inf, 1.0))
    error_of(lambda: make_net(make).fit(infinite, y), "contains infinity")
    fitted = make_net(make).fit(mixed(), y)
    error_of(lambda: fitted.predict(infinite), "contains infinity")


@BOTH_ESTIMATORS
def test_sparse_dataframe_columns_equal_sparse_array(make, y):
    values = np.where(np.abs(X) > 0.8, X, 0.0)
    columns = [pd.arrays.SparseArray(x, fill_value=0.0) for x in values.T]
    df = pd.DataFrame(dict(zip("abcd", columns, strict=True)))
    fitted = make_net(make).fit(df, y)
    plain = make_net(make).fit(sp.csr_array(values), y)
    assert_close(fitted, plain)
    expected = outputs(plain, sp.csr_array(values))
    np.testing.assert_allclose(outputs(fitted, df), expected, rtol=1e-9)


# ------------------------------------------------------ chunks and validation data


@BOTH_ESTIMATORS
def test_chunks_can_lack_categories_of_their_dtype(make, y):
    df = mixed(age=50.0 + X[:, 0])
    order = np.argsort(TABLE["color"], kind="stable")  # one or two colors per chunk
    # No age is missing, so there is no indicator.
    z = np.delete(encode_manually(df, standardize=False), 3, axis=1)
    kwargs = {"classes": np.unique(NAMES)} if make is BackpropClassifier else {}
    params = dict(standardize=False, learning_rate_init=1e-5, batch_size="auto")
    nets = make_net(make, **params), make_net(make, **params)
    for rows in np.split(order, [30, 60, 85]):
        assert len(set(TABLE["color"][rows])) < 3
        for net, given in zip(nets, (df.iloc[rows], z[rows]), strict=True):
            net.partial_fit(given, y[rows], **kwargs)
    assert_close(*nets)


@BOTH_ESTIMATORS
def test_later_chunks_update_only_scalers_of_numeric_features(make, y):
    df = mixed()
    kwargs = {"classes": np.unique(NAMES)} if make is BackpropClassifier else {}
    net = make_net(make, batch_size="auto")
    for rows in (slice(0, 40), slice(40, 90)):
        net.partial_fit(df[rows], y[rows], **kwargs)
    z = encode_manually(df, df[:40], standardize=False)
    known = df["age"].to_numpy()
    age = np.nan_to_num((known - np.nanmean(known)) / np.nanstd(known))
    assert_network_inputs(net, df, [age, *z[:, 3:].T], [0, *range(3, 14)])


@pytest.mark.parametrize("scoring", ["loss", "named", "callable"])
@BY_KIND
@BOTH_ESTIMATORS
@ignore_convergence_warning
def test_early_stopping_scores_encoded_rows(make, y, kind, scoring):
    if scoring == "named":
        scoring = "accuracy" if make is BackpropClassifier else "r2"
    elif scoring == "callable":
        scoring = lambda net, X, y: net.score(X, y)  # noqa: E731
    make_dataframe, levels = KINDS[kind]
    z = encode_manually(make_dataframe(), levels=levels, standardize=False)
    net = make_net(make, standardize=False, learning_rate_init=1e-5, max_iter=8)
    net.set_params(early_stopping=True, scoring=scoring, tol=1.0)
    fitted, plain = clone(net).fit(make_dataframe(), y), net.fit(z, y)
    assert_close(fitted, plain)
    np.testing.assert_allclose(
        fitted.validation_scores_, plain.validation_scores_, rtol=1e-9
    )


@pytest.mark.parametrize("early_stopping", [False, True])
@BY_KIND
def test_validation_data_are_encoded_like_training_data(kind, early_stopping):
    make_dataframe, levels = KINDS[kind]
    df = make_dataframe()
    net = make_net(
        BackpropClassifier, early_stopping=early_stopping, scoring="accuracy"
    )
    net.fit(df[:60], NAMES[:60], X_val=df[60:], y_val=NAMES[60:])
    z = encode_manually(df, df[:60], levels)
    plain = make_net(
        BackpropClassifier, early_stopping=early_stopping, standardize=False
    )
    plain.set_params(scoring="accuracy")
    plain.fit(z[:60], NAMES[:60], X_val=z[60:], y_val=NAMES[60:])
    assert_close(net, plain)
    np.testing.assert_allclose(
        net.validation_loss_curve_, plain.validation_loss_curve_, rtol=1e-9
    )
    assert net.validation_scores_ == plain.validation_scores_
    score = accuracy_score(NAMES[60:], net.predict(df[60:]))
    assert score == (max if early_stopping else lambda s: s[-1])(net.validation_scores_)


# ----------------------------------------------- gradients, pickling, scikit-learn


@BY_KIND
@BOTH_ESTIMATORS
def test_input_gradients_are_nan_for_categories_and_missing_values(make, y, kind):
    df = KINDS[kind][0](slice(0, 30))
    y = y if make is BackpropClassifier else 1e3 * y  # gradients have the units of y
    net = make_net(make, activation="tanh").fit(KINDS[kind][0](), y)
    gradients = net.input_gradients(df)
    assert gradients.shape[:2] == (30, 6)
    assert np.isnan(gradients[:, [0, 2, 4]]).all()
    missing = np.isnan(TABLE["age"][:30])
    assert np.isnan(gradients[missing, 1]).all()
    assert not np.isnan(gradients[~missing, 1]).any()
    output = net.decision_function if make is BackpropClassifier else net.predict
    for j, name, step in ((1, "age", 1e-3), (3, "income", 1.0)):
        up, down = (
            df.assign(**{name: df[name] + s})
            if kind == "pandas"
            else df.with_columns(pl.col(name) + s)
            for s in (step, -step)
        )
        expected = (output(up) - output(down)) / (2 * step)
        is_known = ~np.isnan(gradients[:, j])
        assert is_known.all() == (name == "income")
        np.testing.assert_allclose(
            gradients[:, j][is_known],
            expected.reshape(gradients[:, j].shape)[is_known],
            rtol=1e-5,
            atol=1e-9,
        )


@BY_KIND
@BOTH_ESTIMATORS
def test_pickling_keeps_categories(make, y, kind):
    df = KINDS[kind][0]()
    net = make_net(make).fit(df, y)
    loaded = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(outputs(loaded, df), outputs(net, df))
    assert_same_network(loaded.partial_fit(df, y), net.partial_fit(df, y))


@BY_KIND
@BOTH_ESTIMATORS
@ignore_convergence_warning
def test_grid_search_and_cross_validation(make, y, kind):
    df = KINDS[kind][0]()
    net = make_net(make, batch_size="auto", n_iter_no_change=40)
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
def test_pipeline_passes_dataframe_to_estimator(kind):
    df = KINDS[kind][0]()
    pipeline = make_pipeline(FunctionTransformer(), make_net(BackpropClassifier))
    pipeline.fit(df, NAMES)
    direct = make_net(BackpropClassifier).fit(df, NAMES)
    assert_same_network(pipeline[-1], direct)
    np.testing.assert_array_equal(pipeline.predict(df), direct.predict(df))


@BOTH_ESTIMATORS
def test_different_columns_raise(make, y):
    net = make_net(make).fit(mixed(), y)
    error_of(lambda: net.predict(mixed()[COLUMNS[::-1]]), "feature names", "order")
    error_of(lambda: net.predict(mixed()[COLUMNS[:5]]), "feature names", "flag")
    error_of(lambda: net.partial_fit(mixed()[COLUMNS[:5]], y), "feature names")
