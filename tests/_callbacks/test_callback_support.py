"""Tests of scikit-learn versions that do not support callbacks."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from small_networks import ESTIMATORS, X, small

import skbackprop

PACKAGE = Path(skbackprop.__file__).parent

# This script removes callback support from scikit-learn 1.9 and later. Older versions
# do not have callback support.
WITHOUT_CALLBACKS = """
import sys
sys.path.insert(0, {folder!r})
import numpy as np
import skbackprop

X = np.random.default_rng(0).normal(size=(40, 3))
y = (X[:, 0] > 0).astype(int)

def fitted(solver):
    cls = sys.modules["skbackprop"].BackpropClassifier
    return cls((4,), solver=solver, tol=0.1, random_state=0).fit(X, y)

expected_coefs = {{solver: fitted(solver).coefs_ for solver in ("adam", "lbfgs")}}
for name in [name for name in sys.modules if name.split(".")[0] == "skbackprop"]:
    del sys.modules[name]
sys.modules["sklearn.callback"] = None  # importing the module raises an error
import skbackprop
from skbackprop._estimators.callback_support import CallbackSupportMixin
assert CallbackSupportMixin.__module__ == "skbackprop._estimators.callback_support"
"""


def run_without_callbacks(code):
    preamble = WITHOUT_CALLBACKS.format(folder=str(PACKAGE.parent))
    result = subprocess.run(
        [sys.executable, "-c", preamble + textwrap.dedent(code)],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_without_callback_support_fit_works_and_set_callbacks_raises_runtime_error():
    messages = run_without_callbacks("""
        for solver, coefs in expected_coefs.items():
            net = fitted(solver)
            for W, expected in zip(net.coefs_, coefs, strict=True):
                assert np.array_equal(W, expected)
            assert net.set_callbacks() is net
            try:
                net.set_callbacks(skbackprop.EpochEndCallback(print))
            except RuntimeError as error:
                print(error)
            assert np.isfinite(net.fit(X, y).predict_proba(X)).all()
    """)
    lines = messages.splitlines()
    assert len(lines) == 2
    assert all("scikit-learn 1.9" in line for line in lines)


@ESTIMATORS
def test_set_callbacks_without_arguments_is_allowed(make, y):
    estimator = small(make)
    assert estimator.set_callbacks() is estimator
    assert estimator.fit(X, y).n_iter_ > 1


@pytest.mark.parametrize("name", ["EpochEndCallback", "HistoryLogger", "Checkpoint"])
def test_callbacks_can_be_imported_with_every_scikit_learn_version(name):
    assert name in skbackprop.__all__
    assert getattr(skbackprop, name).__doc__
