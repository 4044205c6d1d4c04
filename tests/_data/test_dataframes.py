"""DataFrames and Series of pandas and polars as inputs, targets and weights."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
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

FRAMES = {
    "pandas": to_dataframe,
    "pandas Float64": lambda: to_dataframe().astype("Float64"),
    "pandas Fortran": lambda: pd.DataFrame(
        {name: X[:, i].copy() for i, name in enumerate("abcd")}
    ),
    "polars": lambda: pl.DataFrame(X, schema=list("abcd")),
}


@pytest.mark.parametrize("kind", FRAMES)
@ESTIMATORS
def test_dataframes_give_array_results_and_feature_names(make, y, kind):
    df = FRAMES[kind]()
    fitted, plain = small(make).fit(df, y), small(make).fit(X, y)
    assert_same_network(fitted, plain)
    assert list(fitted.feature_names_in_) == list("abcd")
    np.testing.assert_array_equal(fitted.predict(df), plain.predict(X))
    assert not hasattr(plain, "feature_names_in_")


@pytest.mark.parametrize("kind", FRAMES)
@ESTIMATORS
def test_columns_in_different_order_raise(make, y, kind):
    df = FRAMES[kind]()
    fitted = small(make).fit(df, y)
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(df[["b", "a", "c", "d"]])


@pytest.mark.parametrize("kind", FRAMES)
@ESTIMATORS
def test_missing_feature_names_cause_warning(make, y, kind):
    df = FRAMES[kind]()
    named, plain = small(make).fit(df, y), small(make).fit(X, y)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        named.predict(X)
    with pytest.warns(UserWarning, match="was fitted without feature names"):
        plain.predict(df)


@pytest.mark.parametrize("scoring", ["loss", "accuracy", "neg_log_loss"])
def test_early_stopping_with_dataframe_does_not_warn(scoring):
    # With the default fraction of 0.1, the nine validation samples are soon classified
    # without errors.
    params = dict(early_stopping=True, validation_fraction=0.3, scoring=scoring)
    fitted = classifier(**params).fit(to_dataframe(), NAMES)
    assert list(fitted.feature_names_in_) == list("abcd")
    assert fitted.score(to_dataframe(), NAMES) > 0.8


def test_nullable_integers_are_numeric():
    df = pd.DataFrame(np.round(3 * X).astype(int), columns=list("abcd"))
    fitted, plain = (
        classifier().fit(df.astype("Int64"), CODES),
        classifier().fit(df, CODES),
    )
    assert_same_network(fitted, plain)


@pytest.mark.parametrize("kind", ["Int64", "Float64", "float64", "polars"])
def test_missing_values_are_imputed_by_mean_with_indicator(kind):
    values, missing = np.round(3 * X), np.arange(90) % 7 == 3
    b = pd.Series(values[:, 1]).mask(pd.Series(missing))
    df = to_dataframe(values).astype("float64" if kind == "polars" else kind)
    df["b"] = b if kind == "polars" else b.astype(kind)
    if kind == "polars":
        df = pl.DataFrame({name: df[name].to_numpy() for name in df}, nan_to_null=True)
    fitted = classifier(standardize=False).fit(df, CODES)
    # The rounding of the mean depends on the BLAS library.
    mean = fitted._reader.columns.imputation_values[1]
    assert mean == pytest.approx(values[~missing, 1].mean(), rel=1e-12)
    values[missing, 1] = mean
    encoded = np.column_stack([values, missing])
    plain = classifier(standardize=False).fit(encoded, CODES)
    assert_same_network(fitted, plain)
    np.testing.assert_array_equal(
        fitted.predict_proba(df), plain.predict_proba(encoded)
    )
    assert list(fitted.feature_names_in_) == list("abcd")


def test_array_and_frame_with_nan_give_the_same_network():
    values = X.copy()
    values[3, 1] = np.nan
    expected = classifier().fit(pd.DataFrame(values), CODES)
    assert_same_network(classifier().fit(values, CODES), expected)


TARGETS = {
    "list": list(NAMES),
    "object array": NAMES.astype(object),
    "pandas str": pd.Series(NAMES),
    "pandas string": pd.Series(NAMES, dtype="string"),
    "pandas object": pd.Series(NAMES, dtype=object),
    "pandas category": pd.Series(pd.Categorical(NAMES)),
    "pandas indexed": pd.Series(NAMES, index=np.arange(90)[::-1]),
    "pandas Int64": pd.Series(CODES, dtype="Int64"),
    "pandas int8": pd.Series(CODES, dtype="int8"),
    "pandas float": pd.Series(CODES, dtype="float64"),
    "pandas bool": pd.Series(CODES == 1),
    "pandas boolean": pd.Series(CODES == 1, dtype="boolean"),
    "polars String": pl.Series(NAMES),
    "polars Categorical": pl.Series(NAMES, dtype=pl.Categorical),
    "polars Int64": pl.Series(CODES),
    "polars Boolean": pl.Series(CODES == 1),
}


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("kind", TARGETS)
def test_label_containers_and_dtypes(kind, early_stopping):
    y = TARGETS[kind]
    scoring = "accuracy" if early_stopping else "loss"
    fitted = classifier(early_stopping=early_stopping, scoring=scoring).fit(X, y)
    classes = sorted(set(y))
    assert fitted.classes_.tolist() == classes
    assert set(fitted.predict(X).tolist()) == set(classes)
    codes = np.array([classes.index(label) for label in y])
    plain = classifier(early_stopping=early_stopping, scoring=scoring).fit(X, codes)
    assert_same_network(fitted, plain)
    assert fitted.validation_scores_ == plain.validation_scores_
    assert fitted.score(X, y) == plain.score(X, codes)


@pytest.mark.parametrize("kind", TARGETS)
def test_partial_fit_accepts_all_label_containers(kind):
    y = TARGETS[kind]
    classes = sorted(set(y))
    estimator = classifier().partial_fit(X[:20], y[:20], classes=classes)
    estimator.partial_fit(X[20:], y[20:])
    assert estimator.classes_.tolist() == classes
    assert set(estimator.predict(X).tolist()) <= set(classes)


@pytest.mark.parametrize(
    "y",
    [
        pd.Series(NUMBERS),
        pd.Series(NUMBERS, dtype="Float64"),
        pl.Series(NUMBERS),
        list(NUMBERS),
        NUMBERS[::1][:, np.newaxis].ravel("F"),
    ],
    ids=["pandas", "pandas Float64", "polars", "list", "array"],
)
def test_numeric_target_containers(y):
    assert_same_network(regressor().fit(X, y), regressor().fit(X, NUMBERS))


@pytest.mark.parametrize("make_dataframe", [pd.DataFrame, pl.DataFrame])
def test_dataframe_targets(make_dataframe):
    fitted = regressor().fit(X, make_dataframe(X[:, :2]))
    assert_same_network(fitted, regressor().fit(X, X[:, :2]))
    fitted = classifier().fit(X, make_dataframe(LABELS))
    assert_same_network(fitted, classifier().fit(X, LABELS))


@pytest.mark.parametrize("series", [pd.Series, pl.Series, list])
@ESTIMATORS
def test_sample_weight_containers(make, y, series):
    fitted = small(make).fit(X, y, sample_weight=series(WEIGHT))
    assert_same_network(fitted, small(make).fit(X, y, sample_weight=WEIGHT))


def test_missing_labels_raise():
    y = pd.Series(CODES, dtype="Int64")
    y[3] = pd.NA
    with pytest.raises(ValueError, match="Input y contains NaN"):
        classifier().fit(X, y)
