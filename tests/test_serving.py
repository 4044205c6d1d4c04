"""One fitted model asked by many threads at once, as a service does."""

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
    # Before Python 3.14 the filters of warnings are those of all threads, and
    # scikit-learn, which sets them for a moment, may find them empty.
    "ignore:`sklearn.utils.parallel.delayed` should be used:UserWarning",
)

N_THREADS = 8
N_FEATURES = 6
#: One row, a few, and several of the blocks that are predicted at a time.
N_ROWS = (1, 1, 7, 300, 1024, 1025, 2500)

rng = np.random.default_rng(0)
DENSE = rng.normal(size=(400, N_FEATURES))
SPARSE = csr_array(np.where(DENSE > 0.4, DENSE, 0.0))
NAMES = np.array(["high", "low", "mid"])[np.digitize(DENSE[:, 0], [-0.5, 0.5])]
LABELS = (DENSE[:, :3] > 0).astype(int)
NUMBERS = DENSE[:, 0] - 2.0 * DENSE[:, 1]


def dense(rng, n_rows):
    return rng.normal(size=(n_rows, N_FEATURES))


def single(rng, n_rows):
    return dense(rng, n_rows).astype(np.float32)


def sparse(rng, n_rows):
    X = dense(rng, n_rows)
    return csr_array(np.where(X > 0.4, X, 0.0))


def frame(rng, n_rows):
    """Return numbers with gaps, and categories, one of which nobody has seen."""
    X = pd.DataFrame(dense(rng, n_rows), columns=list("abcdef"))
    X.loc[rng.random(n_rows) < 0.2, "b"] = np.nan
    kinds = rng.choice(["new", "old", "used", "unheard of"], n_rows)
    return X.assign(kind=pd.Categorical(kinds))


FRAME = frame(rng, 400).assign(b=lambda X: X["b"].fillna(0.5).mask(X["b"] > 1.0))
FRAME["kind"] = pd.Categorical(rng.choice(["new", "old", "used"], 400))


def square(z):
    return z * z, 2.0 * z


# (estimator, training data, what it learns, what it is asked)
SERVED = {
    "words": (BackpropClassifier((16, 8)), DENSE, NAMES, dense),
    "probabilities": (
        BackpropClassifier((16,), ("tanh",), loss="log_loss"),
        DENSE,
        NAMES,
        dense,
    ),
    "labels": (BackpropClassifier((16,), dropout=0.2), DENSE, LABELS, dense),
    "sparse labels": (BackpropClassifier((16,)), DENSE, csr_matrix(LABELS), dense),
    "single precision": (
        BackpropClassifier((16,), dtype="float32"),
        DENSE,
        NAMES,
        single,
    ),
    "double asked in single": (BackpropClassifier((16,)), DENSE, NAMES, single),
    "sparse": (BackpropClassifier((16,)), SPARSE, NAMES, sparse),
    "dense asked in sparse": (BackpropClassifier((16,)), DENSE, NAMES, sparse),
    "frame": (BackpropClassifier((16,)), FRAME, NAMES, frame),
    "numbers": (BackpropRegressor((16, 8)), DENSE, NUMBERS, dense),
    "many": (BackpropRegressor((16,), "silu"), DENSE, DENSE[:, :3], dense),
    "quantiles": (
        BackpropRegressor((16,), loss="quantile", quantile=[0.1, 0.5, 0.9]),
        FRAME,
        NUMBERS,
        frame,
    ),
    "as they are": (BackpropRegressor((16,), standardize=False), DENSE, NUMBERS, dense),
    "own activation": (BackpropRegressor((16,), square), DENSE, NUMBERS, dense),
}
QUESTIONS = (
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "hidden_activations",
    "input_gradients",
)


def fitted(name):
    estimator, X, y, draw = SERVED[name]
    params = dict(max_iter=5, n_iter_no_change=9, tol=1e9, random_state=0)
    return estimator.set_params(**params).fit(X, y), draw


def flat(answer):
    """Return the arrays that an answer consists of."""
    answers = answer if isinstance(answer, list) else [answer]
    return [a.toarray() if hasattr(a, "toarray") else a for a in answers]


def assert_same(found, expected):
    for mine, other in zip(flat(found), flat(expected), strict=True):
        assert mine.dtype == other.dtype
        np.testing.assert_array_equal(mine, other)


def calls_of(net, draw, n_of_each=2):
    """Return the questions that a model is asked, in no order, with the answers."""
    rng = np.random.default_rng(1)
    calls = [
        (method, draw(rng, n_rows))
        for method in QUESTIONS
        if hasattr(net, method)
        for n_rows in N_ROWS
        for _ in range(n_of_each)
    ]
    rng.shuffle(calls)
    return [(method, X, getattr(net, method)(X)) for method, X in calls]


@pytest.fixture
def impatient():
    """Have Python go from one thread to the next a thousand times as often."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


def ask_in_threads(net, calls):
    """Have threads that begin at the same time ask all questions, each its own."""
    barrier = threading.Barrier(N_THREADS, timeout=60)

    def ask(first):
        barrier.wait()
        for method, X, expected in calls[first::N_THREADS]:
            assert_same(getattr(net, method)(X), expected)
        return len(calls[first::N_THREADS])

    with ThreadPoolExecutor(N_THREADS) as pool:
        assert sum(pool.map(ask, range(N_THREADS))) == len(calls)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("name", SERVED)
def test_threads_get_the_answers_that_one_alone_gets(name):
    net, draw = fitted(name)
    ask_in_threads(net, calls_of(net, draw))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("name", ["words", "frame", "sparse", "quantiles"])
def test_so_they_do_while_another_model_is_fitted(name):
    net, draw = fitted(name)
    calls, done = calls_of(net, draw), threading.Event()

    def fit_again_and_again():
        n_fits, losses = 0, set()
        while not done.is_set() or n_fits < 2:
            losses.add(fitted("numbers")[0].loss_)
            n_fits += 1
        return losses

    alone = fitted("numbers")[0].loss_
    with ThreadPoolExecutor(1) as pool:
        fits = pool.submit(fit_again_and_again)
        try:
            ask_in_threads(net, calls)
        finally:
            done.set()
        assert fits.result(60) == {alone}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("way", ["pickle", "joblib", "mapped"])
@pytest.mark.parametrize("name", ["words", "frame", "many"])
def test_a_model_from_a_file_answers_as_the_one_that_was_fitted(name, way, tmp_path):
    net, draw = fitted(name)
    calls = calls_of(net, draw, n_of_each=1)
    path = tmp_path / "model.joblib"
    if way == "pickle":
        path.write_bytes(pickle.dumps(net))
        loaded = pickle.loads(path.read_bytes())
    else:
        joblib.dump(net, path)
        loaded = joblib.load(path, mmap_mode="r" if way == "mapped" else None)
    # What is mapped can't be written to: a prediction that did would fail.
    assert loaded.coefs_[0].flags.writeable == (way != "mapped")
    ask_in_threads(loaded, calls)


# ------------------------------------------------------------- threads of BLAS


def in_a_new_process(code):
    """Run code in a process of its own, with BLAS of two threads; return its words."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", dedent(code)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"},
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_first_questions_of_a_process_may_come_at_once(tmp_path):
    # The first call looks for the libraries of BLAS. Were each thread to find its own,
    # the second would find one thread there, the limit of the first, and put that back
    # when it ends, after the first: the times see to it that it does.
    joblib.dump(fitted("words")[0], tmp_path / "model.joblib")
    code = f"""
        import itertools, threading, time
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

        def ask(X):
            barrier.wait()
            return net.predict_proba(X)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(ask, [np.ones((5, {N_FEATURES}))] * 2))
        ThreadpoolController.__init__ = search
        print(before, threads(), sep="|")
    """
    before, after = in_a_new_process(code).strip().split("|")
    assert after == before


@pytest.mark.slow
def test_large_and_small_products_at_once_leave_the_threads_as_they_were():
    # Those of a wide network may have all threads, beside small ones which may not.
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
        questions = [(wide.predict, X), (narrow.predict_proba, X[:50]),
                     (wide.input_gradients, X[:3]), (narrow.predict_proba, X[:1]),
                     (wide.hidden_activations, X)]
        alone = [question(data) for question, data in questions]
        end = time.monotonic() + 1.5
        barrier = threading.Barrier(8)

        def ask(i):
            barrier.wait()
            n = 0
            while n < 5 or time.monotonic() < end:
                which = (i + n) % len(questions)
                question, data = questions[which]
                answer = question(data)
                n += 1
                for a, b in zip(answer, alone[which], strict=True):
                    # With other threads BLAS may round in another way.
                    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
                if i == 0:
                    BackpropRegressor((5,), **params).fit(X[:100], X[:100, 0])
            return n

        with ThreadPoolExecutor(8) as pool:
            n = list(pool.map(ask, range(8)))
        print(before, threads(), sep="|")
    """
    before, after = in_a_new_process(code).strip().split("|")
    assert after == before
