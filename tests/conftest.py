"""Settings of the whole test run."""

import os

import pytest
from example_counts import load_few_examples

#: Scripts that are not tests.
collect_ignore = ["core/fit_coefficients.py"]

# The networks are small and the tests run in parallel. Several BLAS threads per process
# would compete for the same cores. NumPy reads this variable at import.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def pytest_configure(config):
    if "not slow" in config.option.markexpr:
        load_few_examples()


@pytest.hookimpl(tryfirst=True)  # before pytest selects by marker
def pytest_collection_modifyitems(config, items):
    if "not slow" in config.option.markexpr:
        return
    # Hypothesis tests belong to both tiers, with different numbers of examples.
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker("slow")


@pytest.fixture
def _numpy_kernels(monkeypatch):
    """Compute activations, losses and updates in NumPy during a test."""
    monkeypatch.setattr("skbackprop.core.kernels.compiled", None)
