"""Callbacks where scikit-learn knows none: fits go without, who sets some is told."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from small_networks import ESTIMATORS, X, small

import skbackprop

PACKAGE = Path(skbackprop.__file__).parent

# Runs before scikit-learn 1.9, where there is nothing to take away, and since.
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

with_them = {{solver: fitted(solver).coefs_ for solver in ("adam", "lbfgs")}}
for name in [name for name in sys.modules if name.split(".")[0] == "skbackprop"]:
    del sys.modules[name]
sys.modules["sklearn.callback"] = None  # importing it fails as if it were not there
import skbackprop
from skbackprop._estimators.callback_support import CallbackSupportMixin
assert CallbackSupportMixin.__module__ == "skbackprop._estimators.callback_support"
"""


def run_without_callbacks(code):
    preamble = WITHOUT_CALLBACKS.format(folder=str(PACKAGE.parent))
    done = subprocess.run(
        [sys.executable, "-c", preamble + textwrap.dedent(code)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_without_callbacks_in_scikit_learn_fits_are_the_same_and_setting_some_fails():
    message = run_without_callbacks("""
        for solver, coefs in with_them.items():
            net = fitted(solver)
            for mine, theirs in zip(net.coefs_, coefs, strict=True):
                assert np.array_equal(mine, theirs)
            assert net.set_callbacks() is net
            try:
                net.set_callbacks(skbackprop.EpochEndCallback(print))
            except RuntimeError as error:
                print(error)
            assert np.isfinite(net.fit(X, y).predict_proba(X)).all()
    """)
    lines = message.splitlines()
    assert len(lines) == 2
    assert all("scikit-learn 1.9" in line for line in lines)


@ESTIMATORS
def test_an_estimator_without_callbacks_can_be_told_so(make, y):
    estimator = small(make)
    assert estimator.set_callbacks() is estimator
    assert estimator.fit(X, y).n_iter_ > 1


@pytest.mark.parametrize("name", ["EpochEndCallback", "HistoryLogger", "Checkpoint"])
def test_callbacks_can_be_imported_with_every_scikit_learn(name):
    assert name in skbackprop.__all__
    assert getattr(skbackprop, name).__doc__
