"""Features with many categories, whose one-hot columns are never dense."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from small_fits import ignore_convergence_warning
from small_inputs import encode_batch, learn_columns
from small_networks import small

from skbackprop import BackpropClassifier, BackpropRegressor, check_gradients
from skbackprop._estimators.solvers import SOLVERS
from skbackprop.core.mixed import MAX_DENSE_LEVELS

N_ROWS, N_CITIES = 600, 400
rng = np.random.default_rng(0)
CITY = rng.integers(N_CITIES, size=N_ROWS)
EFFECT = rng.normal(size=N_CITIES)[CITY]
X = pd.DataFrame(
    {
        "size": rng.normal(3.0, 2.0, N_ROWS),
        "city": pd.Categorical.from_codes(CITY, [f"city {i}" for i in range(N_CITIES)]),
        "kind": pd.Categorical(rng.choice(["a", "b"], N_ROWS)),
    }
)
X.loc[::7, "city"] = None
X.loc[::9, "size"] = np.nan
CODES = np.digitize(EFFECT, [-0.5, 0.5])
NUMBERS = EFFECT + 0.1 * X["size"].fillna(3.0).to_numpy()
BOTH = pytest.mark.parametrize(
    ("make", "y"), [(BackpropClassifier, CODES), (BackpropRegressor, NUMBERS)]
)


def encode(X):
    """Return the inputs of the network, computed with pandas."""
    size = X["size"]
    return np.column_stack(
        [
            ((size - size.mean()) / size.std(ddof=0)).fillna(0.0),
            X["size"].isna(),
            pd.get_dummies(X[["city", "kind"]]),
        ]
    ).astype(float)


def test_one_hot_columns_are_sparse():
    assert N_CITIES > MAX_DENSE_LEVELS
    _, inputs = learn_columns(X)
    expected = encode(X)
    expected[:, 0] = X["size"].fillna(X["size"].mean())
    np.testing.assert_allclose(encode_batch(inputs), expected, rtol=1e-12)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("is_weighted", [False, True])
@BOTH
@ignore_convergence_warning
def test_network_equals_network_of_one_hot_encoded_array(make, y, is_weighted, solver):
    weight = np.where(np.arange(N_ROWS) % 2, 2.0, 1.0) if is_weighted else None
    params = {"solver": solver, "batch_size": 50, "standardize": False}
    # RMSprop divides by tiny numbers, which amplifies rounding errors in each step.
    params["max_iter"] = 5 if solver != "rmsprop" else 1
    expected = encode(X)
    size = np.ma.masked_invalid(X["size"])
    expected[:, 0] = size.filled(np.ma.average(size, weights=weight))
    theirs = small(make, **params).fit(expected, y, weight)
    ours = small(make, **params).fit(X, y, weight)
    for mine, other in zip(ours.coefs_, theirs.coefs_):
        np.testing.assert_allclose(mine, other, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(
        ours.predict(X), theirs.predict(expected), rtol=1e-7, atol=1e-9
    )
    if make is BackpropClassifier:
        np.testing.assert_allclose(
            ours.predict_proba(X), theirs.predict_proba(expected), rtol=1e-7, atol=1e-9
        )


@ignore_convergence_warning
def test_only_numeric_columns_are_standardized():
    params = dict(max_iter=5, init="glorot_uniform")  # "auto" depends on `standardize`
    net = small(BackpropClassifier, **params).fit(X, CODES)
    theirs = small(BackpropClassifier, standardize=False, **params)
    theirs.fit(encode(X), CODES)
    np.testing.assert_allclose(
        net.predict_proba(X), theirs.predict_proba(encode(X)), rtol=1e-7
    )


@BOTH
@ignore_convergence_warning
def test_chunks_equal_chunks_of_one_hot_encoded_array(make, y):
    rows = X.assign(size=X["size"].fillna(3.0))
    encoded = np.column_stack(
        [rows["size"], pd.get_dummies(rows[["city", "kind"]])]
    ).astype(float)
    kwargs = {"classes": [0, 1, 2]} if make is BackpropClassifier else {}
    ours, theirs = (small(make, standardize=False) for _ in range(2))
    for chunk in np.array_split(np.arange(N_ROWS), 4):
        ours.partial_fit(rows.iloc[chunk], y[chunk], **kwargs)
        theirs.partial_fit(encoded[chunk], y[chunk], **kwargs)
    np.testing.assert_allclose(
        ours.predict(rows), theirs.predict(encoded), rtol=1e-7, atol=1e-9
    )


@BOTH
def test_gradients_equal_finite_differences(make, y):
    assert check_gradients(make((5,), "tanh"), X, y) < 1e-4


@pytest.mark.parametrize("method", ["input_gradients", "hidden_activations"])
@ignore_convergence_warning
def test_inspection_equals_that_of_one_hot_encoded_array(method):
    rows = X.assign(size=X["size"].fillna(3.0))
    encoded = np.column_stack(
        [rows["size"], pd.get_dummies(rows[["city", "kind"]])]
    ).astype(float)
    ours, theirs = (
        small(BackpropClassifier, max_iter=3, standardize=False).fit(x, CODES)
        for x in (rows, encoded)
    )
    found = getattr(ours, method)(rows)
    expected = getattr(theirs, method)(encoded)
    if method == "input_gradients":
        assert np.isnan(found[:, 1:]).all()
        found, expected = found[:, 0], expected[:, 0]
    for one, other in zip(found, expected):
        np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-9)


@BOTH
@ignore_convergence_warning
def test_validation_samples_and_custom_scorers(make, y):
    def score(estimator, X, y):
        return estimator.score(X, y)

    net = small(make, early_stopping=True, scoring=score, max_iter=5).fit(X, y)
    name = "accuracy" if make is BackpropClassifier else "r2"
    same = small(make, early_stopping=True, scoring=name, max_iter=5).fit(X, y)
    assert net.validation_scores_ == same.validation_scores_


@BOTH
@ignore_convergence_warning
def test_memory_is_that_of_a_batch(make, y):
    n_rows, n_levels = 4000, 3000
    codes = np.random.default_rng(1).integers(n_levels, size=n_rows)
    labels = [f"level {i}" for i in range(n_levels)]
    frame = pd.DataFrame({"city": pd.Categorical.from_codes(codes, labels)})
    y = np.resize(y, n_rows)
    net = make((4,), batch_size=50, max_iter=1)
    tracemalloc.start()
    try:
        for action in (lambda: net.fit(frame, y), lambda: net.predict(frame)):
            tracemalloc.reset_peak()
            action()
            _, peak = tracemalloc.get_traced_memory()
            # The dense one-hot encoding has 8 * n_rows * n_levels bytes.
            assert peak < 8 * n_rows * n_levels / 20
    finally:
        tracemalloc.stop()
