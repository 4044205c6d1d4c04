"""State of `partial_fit` and warm starts: scalers, counters and settings.

Some tests check that this state does not depend on the form of the input.
"""

import copy
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from small_fits import (
    NUMBERS,
    THREE_CLASSES,
    X,
    error_of,
    ignore_convergence_warning,
    regressor,
)
from small_networks import assert_same_network

import skbackprop
from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop.core import state as state_module

PACKAGE = Path(skbackprop.__file__).parent

# --------------------------------------------------- target scale of quantiles


@pytest.mark.parametrize("n_first", [1, 2, 15])
def test_quantiles_adapt_to_change_of_target_scale(n_first):
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(600, 2))
    y = 1e4 + 500.0 * (inputs[:, 0] + rng.normal(size=600))
    net = regressor(
        loss="quantile", quantile=[0.1, 0.9], learning_rate_init=0.01, batch_size="auto"
    )
    net.partial_fit(inputs[:n_first], y[:n_first])
    for _ in range(60):
        net.partial_fit(inputs, y)
    low, high = net.predict(inputs).T
    assert 0.75 < np.mean((low <= y) & (y <= high)) < 0.85
    assert net._reader.scalers.targets.standard_deviation[0] == pytest.approx(
        y.std(), rel=0.1
    )


def test_quantile_predictions_survive_change_of_target_scale():
    net = regressor(loss="quantile", quantile=[0.1, 0.5, 0.9], batch_size="auto")
    net.partial_fit(X, NUMBERS)
    before = net.predict(X)
    net.set_params(learning_rate_init=1e-300, alpha=0.0)
    net.partial_fit(X, 100.0 * NUMBERS + 7.0)
    assert net._reader.scalers.targets.standard_deviation[0] > 10.0 * NUMBERS.std()
    np.testing.assert_allclose(net.predict(X)[:, 0], before[:, 0], rtol=1e-2, atol=0.5)
    network = net._state.network
    # If the input scaler does not change, the outputs are rescaled exactly.
    network.inputs, old = (
        type(network.inputs)(None, np.ones(4), np.full(4, 9.0)),
        network.predict(X),
    )
    old = network.predict(X)
    network.rescale_outputs(np.full(3, 2.5), np.full(3, -4.0))
    np.testing.assert_allclose(network.predict(X), 2.5 * old - 4.0, rtol=1e-12)


# --------------------------------------------------------------- custom functions


def test_partial_fit_continues_custom_functions_in_new_process(tmp_path):
    (tmp_path / "custom.py").write_text(
        textwrap.dedent("""
            import numpy as np

            def loss(y, a):
                return (a - y) ** 2 / 2, a - y

            class Sine:
                def __call__(self, z):
                    return np.sin(z), np.cos(z)
        """)
    )
    preamble = f"""
        import sys
        sys.path[:0] = [{str(PACKAGE.parent)!r}, {str(tmp_path)!r}]
        import custom, joblib, numpy as np
        from skbackprop import BackpropRegressor
        X = np.arange(12.0).reshape(6, 2)
    """
    first = """
        net = BackpropRegressor((3,), custom.Sine(), loss=custom.loss, random_state=0)
        joblib.dump(net.partial_fit(X, X[:, 0]), sys.argv[1])
    """
    second = """
        net = joblib.load(sys.argv[1]).partial_fit(X, X[:, 0])
        assert net.n_iter_ == 2
        net.set_params(loss="squared_error")
        try:
            net.partial_fit(X, X[:, 0])
        except ValueError as error:
            assert "loss has changed" in str(error)
        else:
            raise AssertionError("another loss was accepted")
    """
    for script in (first, second):
        code = textwrap.dedent(preamble) + textwrap.dedent(script)
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "net.joblib")],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr


class CountingLoss:
    """Loss that counts its calls."""

    n_calls = 0

    def __call__(self, y, a):
        self.n_calls += 1
        return (a - y) ** 2, 2 * (a - y)


def test_callable_objects_are_copied():
    loss = CountingLoss()
    net = regressor(loss=loss).partial_fit(X, NUMBERS).partial_fit(X, NUMBERS)
    assert net.n_iter_ == 2
    assert loss.n_calls == 0


# ------------------------------------------------------------- epochs and updates


@ignore_convergence_warning
def test_epochs_and_steps_restart_with_each_fit():
    calls = []

    def rate(epoch, step):
        calls.append((epoch, step))
        return 0.01

    net = regressor(learning_rate=rate, warm_start=True, batch_size=20)
    once = [(0, 0), (0, 1), (1, 2), (1, 3)]
    net.fit(X, NUMBERS)
    assert calls == once
    net.fit(X, NUMBERS)
    assert calls == 2 * once
    net.set_params(beta_1=0.5).partial_fit(X, NUMBERS)
    assert calls[8:] == [(2, 4), (2, 5)]
    assert net._state.n_updates == 2  # restarted, because beta_1 has changed


# ---------------------------------------------------------------- forms of input


@pytest.mark.parametrize("standardize", [False, True])
@ignore_convergence_warning
def test_duplicate_sparse_entries_are_summed(standardize):
    canonical = sp.csr_array(np.where(np.abs(X) > 0.5, X, 0.0))
    data, indices = np.repeat(canonical.data / 2, 2), np.repeat(canonical.indices, 2)
    duplicated = sp.csr_array((data, indices, 2 * canonical.indptr), canonical.shape)
    before = duplicated.data.copy()
    params = dict(standardize=standardize, max_iter=3, random_state=0)
    one = BackpropRegressor((5,), **params).fit(canonical, NUMBERS)
    other = BackpropRegressor((5,), **params).fit(duplicated, NUMBERS)
    np.testing.assert_array_equal(other.coefs_[0], one.coefs_[0])
    np.testing.assert_array_equal(one.predict(duplicated), one.predict(canonical))
    np.testing.assert_array_equal(duplicated.data, before)
    assert duplicated.nnz == 2 * canonical.nnz


@ignore_convergence_warning
def test_categorical_mask_is_copied():
    rows = np.column_stack([X[:, 0], THREE_CLASSES])
    mask = np.array([False, True])
    net = BackpropClassifier((3,), categorical_features=mask, max_iter=2)
    net.fit(rows, THREE_CLASSES)
    mask[:] = [True, False]
    assert net.is_categorical_.tolist() == [False, True]


@ignore_convergence_warning
def test_missing_category_in_nested_lists_is_not_a_category():
    rows = [["a", 1.0], [np.nan, 2.0], ["b", 1.0]] * 5
    y = [0, 1, 0] * 5
    net = BackpropClassifier((3,), categorical_features=[0], max_iter=2, random_state=0)
    from_lists = net.fit(rows, y).coefs_[0].copy()
    from_array = net.fit(np.array(rows, object), y).coefs_[0]
    assert from_lists.shape == (1 + 2, 3)
    np.testing.assert_array_equal(from_lists, from_array)


def test_partial_fit_accepts_equivalent_categorical_features():
    rows = np.column_stack([X, THREE_CLASSES])
    net = regressor(categorical_features=[4]).partial_fit(rows, NUMBERS)
    net.set_params(categorical_features=np.array([4])).partial_fit(rows, NUMBERS)
    net.set_params(categorical_features=[3])
    error_of(lambda: net.partial_fit(rows, NUMBERS), "categorical_features has changed")


@ignore_convergence_warning
def test_history_of_many_chunks_is_limited(monkeypatch):
    monkeypatch.setattr(state_module, "MAX_RECORDS", 20)
    net, sizes, losses = regressor(), [], []
    for _ in range(60):
        net.partial_fit(X, NUMBERS)
        losses.append(net.loss_)
        sizes.append(len(pickle.dumps(net)))
    assert net.loss_curve_ == losses[-20:]
    assert net.history_.index.tolist() == list(range(41, 61))
    assert len(net.gradient_norms_) == 20
    assert net.n_iter_ == 60
    assert max(sizes[30:]) <= sizes[30] + 50  # larger counters take a few more bytes
    # `fit` records all its epochs.
    net.set_params(max_iter=30, tol=0.0, n_iter_no_change=99).fit(X, NUMBERS)
    assert len(net.loss_curve_) == 30
    assert net.history_.index[0] == 1


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@ignore_convergence_warning
def test_failed_chunk_restores_the_random_states(dropout):
    net = regressor(dropout=dropout).partial_fit(X, NUMBERS)
    same = copy.deepcopy(net)
    start = [W.copy() for W in net.coefs_]
    net.set_params(learning_rate_init=1e300)
    with pytest.raises(ValueError, match="Training diverged"):
        net.partial_fit(X, NUMBERS)
    for W, expected in zip(net.coefs_, start):
        np.testing.assert_array_equal(W, expected)
    net.set_params(learning_rate_init=same.learning_rate_init)
    assert_same_network(net.partial_fit(X, NUMBERS), same.partial_fit(X, NUMBERS))
