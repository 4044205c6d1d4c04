"""Small data and estimators that train quickly, shared by many tests."""

import numpy as np
import pandas as pd
import pytest

from skbackprop import BackpropClassifier, BackpropRegressor

rng = np.random.default_rng(0)
X = rng.normal(size=(90, 4))
CODES = np.digitize(X[:, 0] + 0.5 * X[:, 1], [-0.5, 0.5])
NAMES = np.array(["high", "low", "mid"])[CODES]
NUMBERS = X[:, 0] - 2.0 * X[:, 1]
LABELS = (X[:, :3] > 0).astype(int)
WEIGHT = rng.integers(0, 4, 90).astype(float)
# No epoch improves the loss by `tol`, so training stops early and without a warning.
SHORT_TRAINING = {"tol": 1e3, "n_iter_no_change": 30, "random_state": 0}
ESTIMATORS = pytest.mark.parametrize(
    ("make", "y"), [(BackpropClassifier, CODES), (BackpropRegressor, NUMBERS)]
)


def classifier(**params):
    return BackpropClassifier(
        (8,), **{**SHORT_TRAINING, "learning_rate_init": 0.05, **params}
    )


def regressor(**params):
    return BackpropRegressor(
        (8,), **{**SHORT_TRAINING, "learning_rate_init": 0.02, **params}
    )


def small(make, **params):
    if params.get("solver") == "lbfgs":
        params = {"tol": 0.02, "max_iter": 500, **params}
    return classifier(**params) if make is BackpropClassifier else regressor(**params)


def to_dataframe(values=X):
    return pd.DataFrame(values, columns=list("abcd"))


def assert_same_network(one, other):
    for name in ("coefs_", "intercepts_"):
        pairs = zip(getattr(one, name), getattr(other, name), strict=True)
        for actual, expected in pairs:
            np.testing.assert_array_equal(actual, expected)
