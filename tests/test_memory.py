"""What a fit takes: little memory, no array of yours, and BLAS threads on loan."""

import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
from small_networks import ESTIMATORS, NUMBERS, WEIGHT, X, small
from threadpoolctl import ThreadpoolController, threadpool_limits

from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop._estimators.threads import SMALL_PRODUCT, blas_threads
from skbackprop.core import updater
from skbackprop.core.activations import ACTIVATIONS, OUTPUT_ACTIVATIONS
from skbackprop.core.epochs import MiniBatchEpoch
from skbackprop.core.layout import BLOCK_ROWS
from skbackprop.core.losses import losses_for
from skbackprop.core.network import Network
from skbackprop.core.optimizers import OPTIMIZERS
from skbackprop.core.schedules import SCHEDULES

cut_short = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# ----------------------------------------------------- an epoch allocates nothing

# Every layer, the input and the output too, is WIDTH wide. In float32 a batch of a
# layer has 64 KiB, all parameters have 48, and the weights of one layer have 16.
BATCH, WIDTH = 256, 64
N_ROWS = 3 * BATCH + 100  # with a short last batch
# Room for a few vectors of one number a row of the batch, 2 KiB each, and for the
# order of the rows in early stopping, 6 KiB an epoch. Whatever has the size of a
# layer, of the inputs of a batch or of one weight matrix is too large.
SMALL = 12 * 1024
# Objects of Python: the number of steps so far, and the like.
TINY = 512

rng = np.random.default_rng(0)
WIDE = rng.normal(size=(N_ROWS, WIDTH))
TARGETS = {
    "regression": np.abs(WIDE[:, ::-1]),  # what the Poisson loss can take too
    "classification": np.arange(N_ROWS) % WIDTH,
    "label indicator": (WIDE > 0).astype(int),
}
HEAVY = rng.random(N_ROWS)


@pytest.fixture
def traced():
    """Trace memory, with as little of it as can be for buffers of NumPy's own."""
    # NumPy casts through buffers of so many elements, whatever the arrays' size.
    before = np.setbufsize(64)
    tracemalloc.start()
    yield
    tracemalloc.stop()
    np.setbufsize(before)


@pytest.fixture
def epochs(traced, monkeypatch):
    """Return, for each epoch to come, the bytes kept in the end, and at the peak."""
    measured = []
    run = MiniBatchEpoch.run

    def measured_run(epoch, rates):
        release_batches(epoch)
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        loss = run(epoch, rates)
        _, peak = tracemalloc.get_traced_memory()
        release_batches(epoch)
        after, _ = tracemalloc.get_traced_memory()
        measured.append((after - before, peak - before))
        return loss

    monkeypatch.setattr(MiniBatchEpoch, "run", measured_run)
    monkeypatch.setattr(updater, "FLUSH_EVERY", 2)  # to measure that as well
    return measured


def release_batches(epoch):
    """Let go of the last batches, so that no array can pass in the place of theirs."""
    for work in (epoch.work, epoch.last_work):
        work.x = work.y = work.weight = None


def train(make, y, X=WIDE, weight=None, **params):
    settings = dict(
        hidden_layer_sizes=(WIDTH, WIDTH),
        batch_size=BATCH,
        learning_rate_init=1e-4,
        random_state=0,
        max_iter=3,
        tol=0.0,
        n_iter_no_change=99,
    )
    return make(**{**settings, **params}).fit(X, y, sample_weight=weight)


def assert_steady(epochs, limit=SMALL, kept_at_most=TINY):
    assert len(epochs) == 3
    for kept, peak in epochs[1:]:  # the first may fill a cache
        assert kept <= kept_at_most
        assert peak <= limit


def regression(**params):
    return train(BackpropRegressor, TARGETS["regression"], **params)


def classification(**params):
    return train(BackpropClassifier, TARGETS["classification"], **params)


DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
WEIGHTS = pytest.mark.parametrize("weight", [None, HEAVY], ids=["alike", "weighted"])
SHUFFLE = pytest.mark.parametrize("shuffle", [False, True], ids=["in order", "shuffle"])


@DTYPES
@pytest.mark.parametrize("clip_norm", [None, 1e-3])
@pytest.mark.parametrize("solver", OPTIMIZERS)
@cut_short
def test_a_step_of_any_solver_allocates_nothing(epochs, solver, clip_norm, dtype):
    regression(solver=solver, clip_norm=clip_norm, dtype=dtype, shuffle=False)
    assert_steady(epochs)


@pytest.mark.parametrize("nesterovs_momentum", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.5])
@cut_short
def test_momentum_allocates_nothing(epochs, momentum, nesterovs_momentum):
    regression(solver="sgd", momentum=momentum, nesterovs_momentum=nesterovs_momentum)
    assert_steady(epochs)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@cut_short
def test_an_activation_allocates_nothing(epochs, activation):
    regression(activation=activation, dtype="float32")
    assert_steady(epochs)


@pytest.mark.parametrize("output_activation", sorted(OUTPUT_ACTIVATIONS))
@cut_short
def test_an_output_activation_allocates_nothing(epochs, output_activation):
    # Not canonical for any of them, so that slopes are computed.
    regression(output_activation=output_activation, loss="absolute_error")
    assert_steady(epochs)


@WEIGHTS
@SHUFFLE
@pytest.mark.parametrize("loss", sorted(losses_for("regression")))
@cut_short
def test_a_loss_of_the_regressor_allocates_nothing(epochs, loss, shuffle, weight):
    regression(loss=loss, shuffle=shuffle, weight=weight)
    assert_steady(epochs)


@WEIGHTS
@SHUFFLE
@pytest.mark.parametrize("loss", sorted(losses_for("classification")))
@pytest.mark.parametrize("kind", ["classification", "label indicator"])
@cut_short
def test_a_loss_of_the_classifier_allocates_nothing(
    epochs, kind, loss, shuffle, weight
):
    train(BackpropClassifier, TARGETS[kind], loss=loss, shuffle=shuffle, weight=weight)
    assert_steady(epochs)


def askew(array):
    """Return a copy that begins one byte after where the machine wants it."""
    copy = np.empty(array.nbytes + 1, np.uint8)[1:].view(array.dtype)
    copy = copy.reshape(array.shape)
    copy[:] = array
    assert not copy.flags.aligned
    return copy


@SHUFFLE
@pytest.mark.parametrize("make", [BackpropClassifier, BackpropRegressor])
@cut_short
def test_arrays_that_are_not_aligned_are_copied_once(epochs, make, shuffle):
    kind = "label indicator" if make is BackpropClassifier else "regression"
    mine = WIDE, TARGETS[kind].astype(float), HEAVY
    expected = train(make, mine[1], mine[0], mine[2], shuffle=shuffle)
    epochs.clear()
    X, y, weight = map(askew, mine)
    net = train(make, y, X, weight, shuffle=shuffle)
    assert_steady(epochs)
    for array, before in zip((X, y, weight), mine, strict=True):
        np.testing.assert_array_equal(array, before)
    for W, W_expected in zip(net.coefs_, expected.coefs_, strict=True):
        np.testing.assert_array_equal(W, W_expected)
    np.testing.assert_array_equal(net.predict(X), expected.predict(WIDE))


@WEIGHTS
@SHUFFLE
@pytest.mark.parametrize("fit", [classification, regression])
@cut_short
def test_a_subset_of_the_rows_is_not_copied(epochs, fit, shuffle, weight):
    fit(early_stopping=True, shuffle=shuffle, weight=weight)
    assert_steady(epochs)


@pytest.mark.parametrize(
    ("early_stopping", "shuffle"), [(False, False), (False, True), (True, True)]
)
@DTYPES
@pytest.mark.parametrize("given", [np.float64, np.float32, np.uint8])
@pytest.mark.parametrize("standardize", [True, False], ids=["standardized", "raw"])
@cut_short
def test_inputs_are_made_ready_in_the_memory_of_the_batch(
    epochs, given, dtype, standardize, early_stopping, shuffle
):
    regression(
        X=(16 * np.abs(WIDE)).astype(given),
        dtype=dtype,
        standardize=standardize,
        early_stopping=early_stopping,
        shuffle=shuffle,
        loss="absolute_error",
        learning_rate_init=1e-6,
    )
    assert_steady(epochs)


@pytest.mark.parametrize("learning_rate", sorted(SCHEDULES))
@pytest.mark.parametrize("penalty", [{"alpha": 0.0}, {"alpha": 0.1}, {"l1_alpha": 0.1}])
@cut_short
def test_schedules_and_penalties_allocate_nothing(epochs, learning_rate, penalty):
    regression(solver="sgd", learning_rate=learning_rate, warmup_steps=5, **penalty)
    assert_steady(epochs)


@DTYPES
@pytest.mark.parametrize("hidden", ["relu", "gelu"])
@cut_short
def test_dropout_and_limits_of_norms_allocate_nothing(epochs, hidden, dtype):
    # One of these needs z, the other doesn't.
    params = dict(dropout=(0.5, 0.1), max_norm=0.5, activation=hidden)
    regression(solver="sgd", dtype=dtype, **params)
    assert_steady(epochs)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("solver", OPTIMIZERS)
@cut_short
def test_a_sparse_batch_takes_memory_for_its_entries_alone(epochs, solver, momentum):
    # A batch touches 256 of 8000 rows of the weights; 64 KiB a copy, and there may
    # be some: of the old ones, the new ones, and their difference.
    sparse = sp.csr_array(
        (np.ones(N_ROWS), np.arange(N_ROWS) * 9, np.arange(N_ROWS + 1)), (N_ROWS, 8000)
    )
    net = regression(
        X=sparse, hidden_layer_sizes=(32,), solver=solver, momentum=momentum
    )
    # SciPy's matrices leave cycles of a few bytes to the garbage collector.
    assert_steady(epochs, limit=net.coefs_[0].nbytes / 4, kept_at_most=8 * TINY)


# --------------------------------------------------- large arrays are not copied

LARGE = {"float32": (16_384, 1024), "float64": (4096, 1024), "uint8": (32_768, 1024)}


@pytest.fixture(scope="module", params=LARGE)
def mapped(request, tmp_path_factory):
    """Map a file of 32 or 64 MiB into memory, read-only."""
    path = tmp_path_factory.mktemp("large") / "X.npy"
    opened = np.lib.format.open_memmap(path, "w+", request.param, LARGE[request.param])
    opened[...] = np.arange(opened.shape[1]) % 3
    opened[:, 0] = np.arange(len(opened)) % 7
    opened.flush()
    del opened
    yield np.lib.format.open_memmap(path, "r")
    path.unlink()


def peak_of(action):
    """Return how much memory an action has taken at most, and not only kept."""
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    action()
    return tracemalloc.get_traced_memory()[1] - before


def needed(X, dtype, n_rows):
    """Return what it takes to compute with `n_rows` of `X` at a time."""
    kinds = {X.dtype, np.dtype(dtype)}  # as they come, and converted
    rows = n_rows * X.shape[1] * sum(kind.itemsize for kind in kinds)
    labels_codes_and_orders = 20 * len(X) * 8
    assert rows + labels_codes_and_orders < X.nbytes / 2  # a test worth its while
    return rows + labels_codes_and_orders


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize(
    ("dtype", "early_stopping"),
    [("float32", False), ("float32", True), ("float64", False)],
)
@cut_short
def test_a_memory_mapped_file_is_not_read_into_memory(mapped, dtype, early_stopping):
    net = BackpropClassifier(
        (4,),
        batch_size=256,
        max_iter=1,
        dtype=dtype,
        early_stopping=early_stopping,
        scoring="loss",
        random_state=0,
    )
    y = np.arange(len(mapped)) % 7 > 3
    peak = peak_of(lambda: net.fit(mapped, y))
    # Held-out rows are judged by so many at a time.
    assert peak <= needed(mapped, dtype, 256 + early_stopping * BLOCK_ROWS)
    assert peak_of(lambda: net.predict(mapped)) <= needed(mapped, dtype, BLOCK_ROWS)


# ------------------------------------------------- what is yours is not touched


def locked(array):
    array = array.copy()
    array.setflags(write=False)
    return array


@pytest.mark.parametrize("given", [np.float64, np.float16, np.int32, np.uint8, bool])
@pytest.mark.parametrize("dtype", [None, "float32"])
@ESTIMATORS
@cut_short
def test_read_only_arrays_of_any_dtype_are_enough(make, y, dtype, given):
    values = np.abs(8 * X).astype(given)
    mine = [locked(array) for array in (values, y, WEIGHT)]
    for early_stopping in (False, True):
        for shuffle in (False, True):
            net = small(make, dtype=dtype, early_stopping=early_stopping, max_iter=2)
            net.set_params(shuffle=shuffle, batch_size=16)
            for standardize in (False, True):
                net.set_params(standardize=standardize).fit(*mine)
                assert net.predict(mine[0]).shape == y.shape
    net.set_params(early_stopping=False).partial_fit(*mine)
    assert net.predict(mine[0]).shape == y.shape
    # BLAS asks for no permission.
    for array, before in zip(mine, (values, y, WEIGHT), strict=True):
        np.testing.assert_array_equal(array, before)


@DTYPES
@pytest.mark.parametrize("standardize", [True, False], ids=["standardized", "raw"])
@pytest.mark.parametrize("loss", sorted(losses_for("regression")))
@cut_short
def test_targets_and_weights_that_are_not_copied_are_not_written_to(
    loss, standardize, dtype
):
    # One batch of them all, in order: the core works with views of these.
    mine = [a.astype(dtype) for a in (X, np.abs(NUMBERS), WEIGHT)]
    before = [a.copy() for a in mine]
    for solver in ("lbfgs", *OPTIMIZERS):
        net = BackpropRegressor(loss=loss, solver=solver, max_iter=2, random_state=0)
        net.set_params(standardize=standardize, shuffle=False, batch_size=len(X))
        net.fit(*mine)
    for array, was in zip(mine, before, strict=True):
        np.testing.assert_array_equal(array, was)


@ESTIMATORS
@cut_short
def test_a_model_mapped_from_a_file_predicts_as_before(make, y, tmp_path):
    # So joblib hands large models to the processes of a search.
    net = small(make).fit(X, y)
    before = net.predict(X)
    joblib.dump(net, tmp_path / "net.joblib")
    mapped = joblib.load(tmp_path / "net.joblib", mmap_mode="r")
    assert not mapped.coefs_[0].flags.writeable
    np.testing.assert_array_equal(mapped.predict(X), before)
    assert mapped.partial_fit(X, y).n_iter_ == net.n_iter_ + 1


# ------------------------------------------------------------------- threads


@pytest.fixture
def two_threads():
    """Give every BLAS two threads, of which one can be taken away."""
    limit = threadpool_limits(limits=2, user_api="blas")
    let_go_of_control()
    try:
        if set(threads()) != {2}:
            pytest.skip("this BLAS has no more than one thread")
        yield
    finally:
        limit.restore_original_limits()
        let_go_of_control()


def let_go_of_control():
    """Let any thread set the number of threads, not only the one that last did."""
    with threadpool_limits():  # at the end of which threadpoolctl 3.8 does so
        pass


def threads():
    """Return the number of threads of each BLAS."""
    controller = ThreadpoolController().select(user_api="blas")
    return [library.num_threads for library in controller.lib_controllers]


def network(n_inputs):
    return Network([n_inputs, 2], [ACTIVATIONS["identity"]()], "float64")


@pytest.mark.usefixtures("two_threads")
def test_small_products_get_one_thread_and_give_the_others_back():
    with blas_threads(network(10), 10):
        assert set(threads()) == {1}
    assert set(threads()) == {2}


@pytest.mark.usefixtures("two_threads")
def test_large_products_keep_the_threads_of_numpy():
    with blas_threads(network(SMALL_PRODUCT), 1):
        assert 2 in threads()
    assert set(threads()) == {2}


@pytest.mark.usefixtures("two_threads")
def test_an_error_gives_the_threads_back():
    with pytest.raises(RuntimeError, match="within"), blas_threads(network(10), 10):
        raise RuntimeError("within")
    assert set(threads()) == {2}


@pytest.mark.usefixtures("two_threads")
def test_nested_users_give_the_threads_back_together():
    with blas_threads(network(10), 10):
        with blas_threads(network(10), 10):
            pass
        assert set(threads()) == {1}
    assert set(threads()) == {2}


@pytest.mark.usefixtures("two_threads")
def test_one_thread_after_another_may_ask():
    def inside():
        with blas_threads(network(10), 10):
            return set(threads())

    assert inside() == {1}
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(inside).result(30) == {1}
        assert set(threads()) == {2}
        assert inside() == {1}
        assert set(threads()) == {2}


@pytest.mark.parametrize("first_out", [0, 1])
@pytest.mark.parametrize("error", [None, RuntimeError("within")], ids=["end", "error"])
@pytest.mark.usefixtures("two_threads")
def test_users_that_overlap_give_the_threads_back_together(first_out, error):
    inside = [threading.Event(), threading.Event()]
    leave = [threading.Event(), threading.Event()]

    def use(i):
        with blas_threads(network(10), 10):
            inside[i].set()
            leave[i].wait(30)
            if error:
                raise error

    # The threads outlive what they do: those of a pool, or the main thread, may.
    with ThreadPoolExecutor(2) as pool:
        try:
            users = []
            for i in range(2):  # the second comes while the first is there
                users.append(pool.submit(use, i))
                assert inside[i].wait(30)
            assert set(threads()) == {1}
            leave[first_out].set()
            assert users[first_out].exception(30) is error
            assert set(threads()) == {1}
            leave[1 - first_out].set()
            assert users[1 - first_out].exception(30) is error
            assert set(threads()) == {2}
        finally:
            for event in leave:
                event.set()


@pytest.mark.usefixtures("two_threads")
@ESTIMATORS
@cut_short
def test_fits_and_predictions_leave_the_threads_as_they_were(make, y):
    net = small(make).fit(X, y)
    assert set(threads()) == {2}
    net.predict(X)
    assert set(threads()) == {2}
    with pytest.raises(ValueError, match="diverged"):
        small(
            make, output_activation="identity", solver="sgd", standardize=False
        ).set_params(learning_rate_init=1e300).fit(X * 1e200, y)
    assert set(threads()) == {2}
