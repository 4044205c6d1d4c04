"""Tests of predictions of one fitted model in many threads, as in a web service."""

import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from textwrap import dedent

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array, csr_matrix

from skbackprop import BackpropClassifier, BackpropRegressor

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    # Before Python 3.14, all threads share the warning filters. scikit-learn changes
    # the filters temporarily, so another thread may find no filters.
    "ignore:`sklearn.utils.parallel.delayed` should be used:UserWarning",
)

N_THREADS = 8
N_FEATURES = 6
#: One row, a few rows, and more rows than one prediction block of 1024 rows.
N_ROWS = (1, 1, 7, 300, 1024, 1025, 2500)

rng = np.random.default_rng(0)
DENSE = rng.normal(size=(400, N_FEATURES))
SPARSE = csr_array(np.where(DENSE > 0.4, DENSE, 0.0))
NAMES = np.array(["high", "low", "mid"])[np.digitize(DENSE[:, 0], [-0.5, 0.5])]
LABELS = (DENSE[:, :3] > 0).astype(int)
TARGETS = DENSE[:, 0] - 2.0 * DENSE[:, 1]


def draw_dense(rng, n_rows):
    return rng.normal(size=(n_rows, N_FEATURES))


def draw_float32(rng, n_rows):
    return draw_dense(rng, n_rows).astype(np.float32)


def draw_sparse(rng, n_rows):
    X = draw_dense(rng, n_rows)
    return csr_array(np.where(X > 0.4, X, 0.0))


def draw_dataframe(rng, n_rows):
    """Return numbers with missing values, and categories with one unknown category."""
    X = pd.DataFrame(draw_dense(rng, n_rows), columns=list("abcdef"))
    X.loc[rng.random(n_rows) < 0.2, "b"] = np.nan
    kinds = rng.choice(["new", "old", "used", "unknown"], n_rows)
    return X.assign(kind=pd.Categorical(kinds))


DATAFRAME = draw_dataframe(rng, 400).assign(
    b=lambda X: X["b"].fillna(0.5).mask(X["b"] > 1.0)
)
DATAFRAME["kind"] = pd.Categorical(rng.choice(["new", "old", "used"], 400))


def square(z):
    return z * z, 2.0 * z


#: Maps names of test cases to an estimator, training data, targets, and a function that
#: draws the rows to predict.
CASES = {
    "strings": (BackpropClassifier((16, 8)), DENSE, NAMES, draw_dense),
    "probabilities": (
        BackpropClassifier((16,), ("tanh",), loss="log_loss"),
        DENSE,
        NAMES,
        draw_dense,
    ),
    "multilabel": (BackpropClassifier((16,), dropout=0.2), DENSE, LABELS, draw_dense),
    "sparse multilabel": (
        BackpropClassifier((16,)),
        DENSE,
        csr_matrix(LABELS),
        draw_dense,
    ),
    "float32": (
        BackpropClassifier((16,), dtype="float32"),
        DENSE,
        NAMES,
        draw_float32,
    ),
    "float64 fit, float32 rows": (
        BackpropClassifier((16,)),
        DENSE,
        NAMES,
        draw_float32,
    ),
    "sparse": (BackpropClassifier((16,)), SPARSE, NAMES, draw_sparse),
    "dense fit, sparse rows": (BackpropClassifier((16,)), DENSE, NAMES, draw_sparse),
    "dataframe": (BackpropClassifier((16,)), DATAFRAME, NAMES, draw_dataframe),
    "regression": (BackpropRegressor((16, 8)), DENSE, TARGETS, draw_dense),
    "multioutput": (BackpropRegressor((16,), "silu"), DENSE, DENSE[:, :3], draw_dense),
    "quantiles": (
        BackpropRegressor((16,), loss="quantile", quantile=[0.1, 0.5, 0.9]),
        DATAFRAME,
        TARGETS,
        draw_dataframe,
    ),
    "without scaling": (
        BackpropRegressor((16,), standardize=False),
        DENSE,
        TARGETS,
        draw_dense,
    ),
    "custom activation": (BackpropRegressor((16,), square), DENSE, TARGETS, draw_dense),
}
METHODS = (
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "hidden_activations",
    "input_gradients",
)


def fit_case(name):
    estimator, X, y, draw = CASES[name]
    params = dict(max_iter=5, n_iter_no_change=9, tol=1e9, random_state=0)
    return estimator.set_params(**params).fit(X, y), draw


def to_arrays(result):
    """Return the result of a method as a list of dense arrays."""
    results = result if isinstance(result, list) else [result]
    return [a.toarray() if hasattr(a, "toarray") else a for a in results]


def assert_same(actual, expected):
    for a, b in zip(to_arrays(actual), to_arrays(expected), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def make_calls(net, draw, n_repeats=2):
    """Return method calls in random order, with their expected results."""
    rng = np.random.default_rng(1)
    calls = [
        (method, draw(rng, n_rows))
        for method in METHODS
        if hasattr(net, method)
        for n_rows in N_ROWS
        for _ in range(n_repeats)
    ]
    rng.shuffle(calls)
    return [(method, X, getattr(net, method)(X)) for method, X in calls]


@pytest.fixture
def fast_switching():
    """Make Python switch between threads a thousand times as often."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


def call_in_threads(net, calls):
    """Divide the calls among threads that start at the same time."""
    barrier = threading.Barrier(N_THREADS, timeout=60)

    def run_calls(first):
        barrier.wait()
        for method, X, expected in calls[first::N_THREADS]:
            assert_same(getattr(net, method)(X), expected)
        return len(calls[first::N_THREADS])

    with ThreadPoolExecutor(N_THREADS) as pool:
        assert sum(pool.map(run_calls, range(N_THREADS))) == len(calls)


@pytest.mark.usefixtures("fast_switching")
@pytest.mark.parametrize("name", CASES)
def test_results_in_threads_equal_results_in_one_thread(name):
    net, draw = fit_case(name)
    call_in_threads(net, make_calls(net, draw))


@pytest.mark.usefixtures("fast_switching")
@pytest.mark.parametrize("name", ["strings", "dataframe", "sparse", "quantiles"])
def test_results_in_threads_are_the_same_while_another_model_is_fitted(name):
    net, draw = fit_case(name)
    calls, finished = make_calls(net, draw), threading.Event()

    def fit_repeatedly():
        n_fits, losses = 0, set()
        while not finished.is_set() or n_fits < 2:
            losses.add(fit_case("regression")[0].loss_)
            n_fits += 1
        return losses

    expected_loss = fit_case("regression")[0].loss_
    with ThreadPoolExecutor(1) as pool:
        fits = pool.submit(fit_repeatedly)
        try:
            call_in_threads(net, calls)
        finally:
            finished.set()
        assert fits.result(60) == {expected_loss}


@pytest.mark.usefixtures("fast_switching")
@pytest.mark.parametrize("writer", ["pickle", "joblib", "memory-mapped joblib"])
@pytest.mark.parametrize("name", ["strings", "dataframe", "multioutput"])
def test_loaded_model_returns_the_same_results_in_threads(name, writer, tmp_path):
    net, draw = fit_case(name)
    calls = make_calls(net, draw, n_repeats=1)
    path, is_mapped = tmp_path / "model.joblib", writer == "memory-mapped joblib"
    if writer == "pickle":
        path.write_bytes(pickle.dumps(net))
        loaded = pickle.loads(path.read_bytes())
    else:
        joblib.dump(net, path)
        loaded = joblib.load(path, mmap_mode="r" if is_mapped else None)
    # Memory-mapped arrays are read-only, so predictions must not write to the weights.
    assert loaded.coefs_[0].flags.writeable == (not is_mapped)
    call_in_threads(loaded, calls)


# ---------------------------------------------------------------- BLAS threads


def run_in_new_process(code):
    """Run code in a new process with two BLAS threads, and return its output."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", dedent(code)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"},
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_first_predictions_of_a_process_can_be_concurrent(tmp_path):
    # The first call searches for the BLAS libraries. If each thread did its own search,
    # the second thread would find the limit of the first thread, one BLAS thread, and
    # restore this limit at its end. The delays make the second thread end last.
    joblib.dump(fit_case("strings")[0], tmp_path / "model.joblib")
    code = f"""
        import itertools, os, threading, time
        os.environ["SKBACKPROP_KERNELS"] = "numpy"  # calls np.tanh, replaced below
        from concurrent.futures import ThreadPoolExecutor
        import joblib, numpy as np, scipy.linalg, sklearn.neural_network
        from threadpoolctl import ThreadpoolController

        def threads():
            blas = ThreadpoolController().select(user_api="blas")
            return [library.num_threads for library in blas.lib_controllers]

        net = joblib.load({str(tmp_path / "model.joblib")!r})
        before, search, tanh = threads(), ThreadpoolController.__init__, np.tanh
        seconds = itertools.count(1)

        def slow_search(self):
            time.sleep(0.3 * next(seconds))
            search(self)

        def slow_tanh(*args, **kwargs):
            time.sleep(0.5)
            return tanh(*args, **kwargs)

        ThreadpoolController.__init__, np.tanh = slow_search, slow_tanh
        barrier = threading.Barrier(2)

        def predict(X):
            barrier.wait()
            return net.predict_proba(X)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(predict, [np.ones((2000, {N_FEATURES}))] * 2))
        ThreadpoolController.__init__ = search
        print(before, threads(), sep="|")
    """
    before, after = run_in_new_process(code).strip().split("|")
    assert after == before


@pytest.mark.slow
def test_concurrent_large_and_small_products_restore_blas_threads():
    # Large products of a wide network use all BLAS threads. Small products use one.
    code = """
        import threading, time, warnings
        from concurrent.futures import ThreadPoolExecutor
        import numpy as np
        from threadpoolctl import ThreadpoolController
        from sklearn.exceptions import ConvergenceWarning
        from skbackprop import BackpropClassifier, BackpropRegressor

        warnings.simplefilter("ignore", ConvergenceWarning)

        def threads():
            blas = ThreadpoolController().select(user_api="blas")
            return [library.num_threads for library in blas.lib_controllers]

        rng = np.random.default_rng(0)
        X = rng.normal(size=(1500, 100))
        params = dict(max_iter=1, random_state=0)
        wide = BackpropRegressor((200, 200), **params).fit(X, X[:, :2])
        narrow = BackpropClassifier((5,), **params).fit(X, X[:, 0] > 0)
        before = threads()
        calls = [(wide.predict, X), (narrow.predict_proba, X),
                 (wide.input_gradients, X[:3]), (narrow.predict_proba, X[:1]),
                 (wide.hidden_activations, X)]
        expected = [method(data) for method, data in calls]
        end = time.monotonic() + 1.5
        barrier = threading.Barrier(8)

        def run_calls(i):
            barrier.wait()
            n = 0
            while n < 5 or time.monotonic() < end:
                index = (i + n) % len(calls)
                method, data = calls[index]
                result = method(data)
                n += 1
                for a, b in zip(result, expected[index], strict=True):
                    # Rounding in BLAS depends on the number of threads.
                    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
                if i == 0:
                    BackpropRegressor((5,), **params).fit(X[:100], X[:100, 0])
            return n

        with ThreadPoolExecutor(8) as pool:
            n = list(pool.map(run_calls, range(8)))
        print(before, threads(), sep="|")
    """
    before, after = run_in_new_process(code).strip().split("|")
    assert after == before
