"""What further calls carry on from: units, counts, moments, and parts of one's own."""

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from small_fits import NUMBERS, THREE, X, cut_short, error_of, regressor

import skbackprop
from skbackprop import BackpropClassifier, BackpropRegressor

PACKAGE = Path(skbackprop.__file__).parent

# --------------------------------------------------------- several quantiles' units


@pytest.mark.parametrize("n_first", [1, 2, 15])
def test_quantiles_follow_when_the_units_of_their_target_change(n_first):
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
    assert net._scales.targets.scale_[0] == pytest.approx(y.std(), rel=0.1)


def test_what_quantiles_have_learned_outlives_a_change_of_units():
    net = regressor(loss="quantile", quantile=[0.1, 0.5, 0.9], batch_size="auto")
    net.partial_fit(X, NUMBERS)
    before = net.predict(X)
    net.set_params(learning_rate_init=1e-300, alpha=0.0)
    net.partial_fit(X, 100.0 * NUMBERS + 7.0)
    assert net._scales.targets.scale_[0] > 10.0 * NUMBERS.std()
    np.testing.assert_allclose(net.predict(X)[:, 0], before[:, 0], rtol=1e-2, atol=0.5)
    network = net._state.network
    # Exactly so for inputs that are scaled as before.
    network.inputs, old = type(network.inputs)(None, np.ones(4)), network.predict(X)
    old = network.predict(X)
    network.rescale_outputs(np.full(3, 2.5), np.full(3, -4.0))
    np.testing.assert_allclose(network.predict(X), 2.5 * old - 4.0, rtol=1e-12)


# --------------------------------------------------------------- functions as parts


def test_a_network_with_functions_carries_on_in_another_process(tmp_path):
    (tmp_path / "parts.py").write_text(
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
        import joblib, numpy as np, parts
        from skbackprop import BackpropRegressor
        X = np.arange(12.0).reshape(6, 2)
    """
    first = """
        net = BackpropRegressor((3,), parts.Sine(), loss=parts.loss, random_state=0)
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
    for part in (first, second):
        code = textwrap.dedent(preamble) + textwrap.dedent(part)
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "net.joblib")],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr


class Counting:
    """A loss that counts its calls."""

    n_calls = 0

    def __call__(self, y, a):
        self.n_calls += 1
        return (a - y) ** 2, 2 * (a - y)


def test_an_object_that_is_called_is_not_the_users_own():
    loss = Counting()
    net = regressor(loss=loss).partial_fit(X, NUMBERS).partial_fit(X, NUMBERS)
    assert net.n_iter_ == 2
    assert loss.n_calls == 0


# ------------------------------------------------------------------- what is counted


@cut_short
def test_epochs_and_steps_are_counted_from_the_beginning_of_a_fit():
    seen = []

    def rate(epoch, step):
        seen.append((epoch, step))
        return 0.01

    net = regressor(learning_rate=rate, warm_start=True, batch_size=20)
    once = [(0, 0), (0, 1), (1, 2), (1, 3)]
    net.fit(X, NUMBERS)
    assert seen == once
    net.fit(X, NUMBERS)
    assert seen == 2 * once
    net.set_params(beta_1=0.5).partial_fit(X, NUMBERS)
    assert seen[8:] == [(2, 4), (2, 5)]
    assert net._state.n_updates == 2  # those of another Adam


# ---------------------------------------------------------- inputs in several guises


@pytest.mark.parametrize("standardize", [False, True])
@cut_short
def test_an_entry_in_two_pieces_is_their_sum(standardize):
    whole = sp.csr_array(np.where(np.abs(X) > 0.5, X, 0.0))
    data, indices = np.repeat(whole.data / 2, 2), np.repeat(whole.indices, 2)
    pieces = sp.csr_array((data, indices, 2 * whole.indptr), whole.shape)
    given = pieces.data.copy()
    params = dict(standardize=standardize, max_iter=3, random_state=0)
    one = BackpropRegressor((5,), **params).fit(whole, NUMBERS)
    other = BackpropRegressor((5,), **params).fit(pieces, NUMBERS)
    np.testing.assert_array_equal(other.coefs_[0], one.coefs_[0])
    np.testing.assert_array_equal(one.predict(pieces), one.predict(whole))
    np.testing.assert_array_equal(pieces.data, given)
    assert pieces.nnz == 2 * whole.nnz


@cut_short
def test_a_mask_is_not_kept_by_reference():
    rows = np.column_stack([X[:, 0], THREE])
    mask = np.array([False, True])
    net = BackpropClassifier((3,), categorical_features=mask, max_iter=2)
    net.fit(rows, THREE)
    mask[:] = [True, False]
    assert net.is_categorical_.tolist() == [False, True]


@cut_short
def test_a_missing_category_in_lists_is_none_of_those_known():
    rows = [["a", 1.0], [np.nan, 2.0], ["b", 1.0]] * 5
    y = [0, 1, 0] * 5
    net = BackpropClassifier((3,), categorical_features=[0], max_iter=2, random_state=0)
    from_lists = net.fit(rows, y).coefs_[0].copy()
    from_array = net.fit(np.array(rows, object), y).coefs_[0]
    assert from_lists.shape == (1 + 2, 3)
    np.testing.assert_array_equal(from_lists, from_array)


def test_other_spellings_of_categorical_features_carry_on():
    rows = np.column_stack([X, THREE])
    net = regressor(categorical_features=[4]).partial_fit(rows, NUMBERS)
    net.set_params(categorical_features=np.array([4])).partial_fit(rows, NUMBERS)
    net.set_params(categorical_features=[3])
    error_of(lambda: net.partial_fit(rows, NUMBERS), "categorical_features has changed")
