"""Memory of training, unchanged user arrays, and BLAS thread limits."""

import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
from small_fits import ignore_convergence_warning
from small_networks import ESTIMATORS, NUMBERS, WEIGHT, X, small
from threadpoolctl import ThreadpoolController, threadpool_limits

from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop._estimators.parameters import losses_for
from skbackprop._estimators.threads import SMALL_PRODUCT, blas_threads
from skbackprop.core import kernels
from skbackprop.core.activations import ACTIVATIONS, OUTPUT_ACTIVATIONS
from skbackprop.core.epochs import MiniBatchEpoch
from skbackprop.core.kernels import numpy_kernels
from skbackprop.core.layout import BLOCK_ROWS
from skbackprop.core.network import Network
from skbackprop.core.optimizers import OPTIMIZERS
from skbackprop.core.schedules import SCHEDULES

# ---------------------------------------------- epochs do not allocate large arrays

# All layers, including input and output, have WIDTH units. In float32, one layer of a
# batch needs 64 KiB, all parameters 48 KiB, and the weights of one layer 16 KiB.
BATCH, WIDTH = 256, 64
N_ROWS = 3 * BATCH + 100  # with a short last batch
# Bytes. Allows a few vectors with one value per row of a batch (2 KiB each) and the row
# order of early stopping (6 KiB per epoch), but no array as large as a layer, the
# inputs of a batch or a weight matrix.
MAX_PEAK = 12 * 1024

#: Bytes that NumPy allocates during an operation on three arrays whose rows are not
#: adjacent, such as some columns of a batch, for any number of rows.
UFUNC_BUFFERS = 3 * 8 * np.getbufsize()
# Bytes. Allows Python objects, such as the step counter.
MAX_RETAINED = 512

rng = np.random.default_rng(0)
INPUTS = rng.normal(size=(N_ROWS, WIDTH))
TARGETS = {
    "regression": np.abs(INPUTS[:, ::-1]),  # The Poisson loss requires y >= 0.
    "classification": np.arange(N_ROWS) % WIDTH,
    "label indicator": (INPUTS > 0).astype(int),
}
SAMPLE_WEIGHT = rng.random(N_ROWS)


@pytest.fixture
def traced_memory():
    """Trace memory, with the smallest possible internal buffers of NumPy."""
    # NumPy casts through buffers of this many elements, for arrays of any size.
    before = np.setbufsize(64)
    tracemalloc.start()
    yield
    tracemalloc.stop()
    np.setbufsize(before)


@pytest.fixture
def epoch_memory(traced_memory, monkeypatch):
    """Return a list that receives the retained and peak bytes of each epoch."""
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
    monkeypatch.setattr(numpy_kernels, "FLUSH_EVERY", 2)  # flushing is measured too
    return measured


def release_batches(epoch):
    """Delete the last batches, so that new arrays cannot reuse their memory."""
    for work in (epoch.work, epoch.last_work):
        work.x = work.y = work.weight = None


def fit(make, y, X=INPUTS, weight=None, **params):
    settings = dict(
        hidden_layer_sizes=(WIDTH, WIDTH),
        batch_size=BATCH,
        learning_rate_init=1e-4,
        random_state=0,
        max_iter=4,
        tol=0.0,
        n_iter_no_change=99,
    )
    return make(**{**settings, **params}).fit(X, y, sample_weight=weight)


def assert_no_allocation(epoch_memory, max_peak=MAX_PEAK, max_retained=MAX_RETAINED):
    assert len(epoch_memory) == 4
    # The first epochs may fill caches. During one of the others, another thread may
    # receive a message of pytest-xdist. Training allocates in both or in none.
    retained, peak = np.min(epoch_memory[2:], axis=0)
    assert retained <= max_retained
    assert peak <= max_peak


def fit_regressor(**params):
    return fit(BackpropRegressor, TARGETS["regression"], **params)


def fit_classifier(**params):
    return fit(BackpropClassifier, TARGETS["classification"], **params)


DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
WEIGHTS = pytest.mark.parametrize(
    "weight", [None, SAMPLE_WEIGHT], ids=["unweighted", "weighted"]
)
SHUFFLE = pytest.mark.parametrize("shuffle", [False, True], ids=["in order", "shuffle"])


@DTYPES
@pytest.mark.parametrize("clip_norm", [None, 1e-3])
@pytest.mark.parametrize("solver", OPTIMIZERS)
@ignore_convergence_warning
def test_solver_step_allocates_no_arrays(epoch_memory, solver, clip_norm, dtype):
    fit_regressor(solver=solver, clip_norm=clip_norm, dtype=dtype, shuffle=False)
    assert_no_allocation(epoch_memory)


@pytest.mark.parametrize("nesterovs_momentum", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.5])
@ignore_convergence_warning
def test_momentum_allocates_no_arrays(epoch_memory, momentum, nesterovs_momentum):
    fit_regressor(
        solver="sgd", momentum=momentum, nesterovs_momentum=nesterovs_momentum
    )
    assert_no_allocation(epoch_memory)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@ignore_convergence_warning
def test_activation_allocates_no_arrays(epoch_memory, activation):
    fit_regressor(activation=activation, dtype="float32")
    assert_no_allocation(epoch_memory)


@pytest.mark.parametrize("output_activation", sorted(OUTPUT_ACTIVATIONS))
@ignore_convergence_warning
def test_output_activation_allocates_no_arrays(epoch_memory, output_activation):
    # No output activation is canonical for this loss, so derivatives are computed.
    y = np.abs(np.tanh(TARGETS["regression"]))
    params = dict(output_activation=output_activation, loss="absolute_error")
    fit(BackpropRegressor, y, **params)
    assert_no_allocation(epoch_memory)


@WEIGHTS
@SHUFFLE
@pytest.mark.parametrize("loss", sorted(losses_for("regression")))
@ignore_convergence_warning
def test_regression_loss_allocates_no_arrays(epoch_memory, loss, shuffle, weight):
    fit_regressor(loss=loss, shuffle=shuffle, weight=weight)
    assert_no_allocation(epoch_memory)


@WEIGHTS
@SHUFFLE
@pytest.mark.parametrize("loss", sorted(losses_for("classification")))
@pytest.mark.parametrize("kind", ["classification", "label indicator"])
@ignore_convergence_warning
def test_classification_loss_allocates_no_arrays(
    epoch_memory, kind, loss, shuffle, weight
):
    fit(BackpropClassifier, TARGETS[kind], loss=loss, shuffle=shuffle, weight=weight)
    assert_no_allocation(epoch_memory)


def make_unaligned(array):
    """Return a copy that begins one byte after an aligned address."""
    copy = np.empty(array.nbytes + 1, np.uint8)[1:].view(array.dtype)
    copy = copy.reshape(array.shape)
    copy[:] = array
    assert not copy.flags.aligned
    return copy


@SHUFFLE
@pytest.mark.parametrize("make", [BackpropClassifier, BackpropRegressor])
@ignore_convergence_warning
def test_unaligned_arrays_are_copied_only_once(epoch_memory, make, shuffle):
    kind = "label indicator" if make is BackpropClassifier else "regression"
    aligned = INPUTS, TARGETS[kind].astype(float), SAMPLE_WEIGHT
    expected = fit(make, aligned[1], aligned[0], aligned[2], shuffle=shuffle)
    epoch_memory.clear()
    X, y, weight = map(make_unaligned, aligned)
    net = fit(make, y, X, weight, shuffle=shuffle)
    assert_no_allocation(epoch_memory)
    for array, before in zip((X, y, weight), aligned, strict=True):
        np.testing.assert_array_equal(array, before)
    for W, W_expected in zip(net.coefs_, expected.coefs_, strict=True):
        np.testing.assert_array_equal(W, W_expected)
    np.testing.assert_array_equal(net.predict(X), expected.predict(INPUTS))


@WEIGHTS
@SHUFFLE
@pytest.mark.parametrize("fit_estimator", [fit_classifier, fit_regressor])
@ignore_convergence_warning
def test_training_subset_is_not_copied(epoch_memory, fit_estimator, shuffle, weight):
    fit_estimator(early_stopping=True, shuffle=shuffle, weight=weight)
    assert_no_allocation(epoch_memory)


@pytest.mark.parametrize(
    ("early_stopping", "shuffle"), [(False, False), (False, True), (True, True)]
)
@DTYPES
@pytest.mark.parametrize("input_dtype", [np.float64, np.float32, np.uint8])
@pytest.mark.parametrize("standardize", [True, False], ids=["standardized", "raw"])
@ignore_convergence_warning
def test_inputs_are_transformed_in_batch_buffers(
    epoch_memory, input_dtype, dtype, standardize, early_stopping, shuffle
):
    fit_regressor(
        X=(16 * np.abs(INPUTS)).astype(input_dtype),
        dtype=dtype,
        standardize=standardize,
        early_stopping=early_stopping,
        shuffle=shuffle,
        loss="absolute_error",
        learning_rate_init=1e-6,
    )
    assert_no_allocation(epoch_memory)


@DTYPES
@pytest.mark.parametrize("input_dtype", [np.float64, np.float32, np.uint8])
@ignore_convergence_warning
def test_bins_are_encoded_in_batch_buffers(epoch_memory, input_dtype, dtype):
    X = (16 * np.abs(INPUTS)).astype(input_dtype)
    fit_regressor(X=X, dtype=dtype, n_bins=4, hidden_layer_sizes=(8,))
    max_peak = MAX_PEAK if kernels.compiled else MAX_PEAK + UFUNC_BUFFERS
    assert_no_allocation(epoch_memory, max_peak)


@pytest.mark.parametrize("learning_rate", sorted(SCHEDULES))
@pytest.mark.parametrize("penalty", [{"alpha": 0.0}, {"alpha": 0.1}, {"l1_alpha": 0.1}])
@ignore_convergence_warning
def test_schedules_and_penalties_allocate_no_arrays(
    epoch_memory, learning_rate, penalty
):
    fit_regressor(solver="sgd", learning_rate=learning_rate, warmup_steps=5, **penalty)
    assert_no_allocation(epoch_memory)


@DTYPES
@pytest.mark.parametrize("hidden", ["relu", "gelu"])
@ignore_convergence_warning
def test_dropout_and_max_norm_allocate_no_arrays(epoch_memory, hidden, dtype):
    # Backward of gelu needs z; backward of relu does not.
    params = dict(dropout=(0.5, 0.1), max_norm=0.5, activation=hidden)
    fit_regressor(solver="sgd", dtype=dtype, **params)
    assert_no_allocation(epoch_memory)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@ignore_convergence_warning
def test_dropout_allocates_no_arrays(epoch_memory, activation):
    fit_regressor(dropout=(0.5, 0.2), activation=activation, dtype="float32")
    assert_no_allocation(epoch_memory)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("solver", OPTIMIZERS)
@ignore_convergence_warning
def test_memory_of_sparse_batch_depends_on_nonzero_entries(
    epoch_memory, solver, momentum
):
    # A batch updates 256 of 8000 rows of the weights. A few copies of these rows, of
    # 64 KiB each, are allowed.
    sparse = sp.csr_array(
        (np.ones(N_ROWS), np.arange(N_ROWS) * 9, np.arange(N_ROWS + 1)), (N_ROWS, 8000)
    )
    net = fit_regressor(
        X=sparse, hidden_layer_sizes=(32,), solver=solver, momentum=momentum
    )
    # SciPy matrices leave small reference cycles to the garbage collector.
    assert_no_allocation(
        epoch_memory, max_peak=net.coefs_[0].nbytes / 4, max_retained=8 * MAX_RETAINED
    )


# ------------------------------------------------------ large arrays are not copied

LARGE_SHAPES = {
    "float32": (16_384, 1024),
    "float64": (4096, 1024),
    "uint8": (32_768, 1024),
}


@pytest.fixture(scope="module", params=LARGE_SHAPES)
def memory_map(request, tmp_path_factory):
    """Return a read-only memory map of a file of 32 or 64 MiB."""
    path = tmp_path_factory.mktemp("large") / "X.npy"
    array = np.lib.format.open_memmap(
        path, "w+", request.param, LARGE_SHAPES[request.param]
    )
    array[...] = np.arange(array.shape[1]) % 3
    array[:, 0] = np.arange(len(array)) % 7
    array.flush()
    del array
    yield np.lib.format.open_memmap(path, "r")
    path.unlink()


def peak_memory(action):
    """Return the peak of the memory that an action allocates, in bytes."""
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    action()
    return tracemalloc.get_traced_memory()[1] - before


def required_memory(X, dtype, n_rows):
    """Return the bytes that are required to process `X` in blocks of `n_rows`."""
    dtypes = {X.dtype, np.dtype(dtype)}  # before and after the conversion
    rows = n_rows * X.shape[1] * sum(item.itemsize for item in dtypes)
    labels_codes_and_orders = 20 * len(X) * 8
    assert rows + labels_codes_and_orders < X.nbytes / 2  # the limit is meaningful
    return rows + labels_codes_and_orders


@pytest.mark.usefixtures("traced_memory")
@pytest.mark.parametrize(
    ("dtype", "early_stopping"),
    [("float32", False), ("float32", True), ("float64", False)],
)
@ignore_convergence_warning
def test_memory_map_is_not_read_into_memory(memory_map, dtype, early_stopping):
    net = BackpropClassifier(
        (4,),
        batch_size=256,
        max_iter=1,
        dtype=dtype,
        early_stopping=early_stopping,
        scoring="loss",
        random_state=0,
    )
    y = np.arange(len(memory_map)) % 7 > 3
    peak = peak_memory(lambda: net.fit(memory_map, y))
    # The validation set is scored in blocks of BLOCK_ROWS rows.
    assert peak <= required_memory(memory_map, dtype, 256 + early_stopping * BLOCK_ROWS)
    peak = peak_memory(lambda: net.predict(memory_map))
    assert peak <= required_memory(memory_map, dtype, BLOCK_ROWS)


# ------------------------------------------------------ user arrays are not changed


def make_read_only(array):
    array = array.copy()
    array.setflags(write=False)
    return array


@pytest.mark.parametrize(
    "input_dtype", [np.float64, np.float16, np.int32, np.uint8, bool]
)
@pytest.mark.parametrize("dtype", [None, "float32"])
@ESTIMATORS
@ignore_convergence_warning
def test_read_only_arrays_of_any_dtype_are_accepted(make, y, dtype, input_dtype):
    values = np.abs(8 * X).astype(input_dtype)
    read_only = [make_read_only(array) for array in (values, y, WEIGHT)]
    for early_stopping in (False, True):
        for shuffle in (False, True):
            net = small(make, dtype=dtype, early_stopping=early_stopping, max_iter=2)
            net.set_params(shuffle=shuffle, batch_size=16)
            for standardize in (False, True):
                net.set_params(standardize=standardize).fit(*read_only)
                assert net.predict(read_only[0]).shape == y.shape
    net.set_params(early_stopping=False).partial_fit(*read_only)
    assert net.predict(read_only[0]).shape == y.shape
    # BLAS ignores the writeable flag of NumPy arrays.
    for array, before in zip(read_only, (values, y, WEIGHT), strict=True):
        np.testing.assert_array_equal(array, before)


@DTYPES
@pytest.mark.parametrize("standardize", [True, False], ids=["standardized", "raw"])
@pytest.mark.parametrize("loss", sorted(losses_for("regression")))
@ignore_convergence_warning
def test_views_of_targets_and_weights_are_not_changed(loss, standardize, dtype):
    # With one batch of all rows in order, the core uses views of these arrays.
    arrays = [a.astype(dtype) for a in (X, np.abs(NUMBERS), WEIGHT)]
    before = [a.copy() for a in arrays]
    for solver in ("lbfgs", *OPTIMIZERS):
        net = BackpropRegressor(loss=loss, solver=solver, max_iter=2, random_state=0)
        net.set_params(standardize=standardize, shuffle=False, batch_size=len(X))
        net.fit(*arrays)
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


@ESTIMATORS
@ignore_convergence_warning
def test_memory_mapped_model_makes_same_predictions(make, y, tmp_path):
    # joblib passes large models to worker processes as memory maps.
    net = small(make).fit(X, y)
    before = net.predict(X)
    joblib.dump(net, tmp_path / "net.joblib")
    mapped = joblib.load(tmp_path / "net.joblib", mmap_mode="r")
    assert not mapped.coefs_[0].flags.writeable
    np.testing.assert_array_equal(mapped.predict(X), before)
    assert mapped.partial_fit(X, y).n_iter_ == net.n_iter_ + 1


# --------------------------------------------------------------- BLAS thread limits


@pytest.fixture
def two_threads():
    """Set the number of threads of each BLAS to two."""
    limit = threadpool_limits(limits=2, user_api="blas")
    release_threadpool_control()
    try:
        if set(blas_thread_counts()) != {2}:
            pytest.skip("this BLAS has no more than one thread")
        yield
    finally:
        limit.restore_original_limits()
        release_threadpool_control()


def release_threadpool_control():
    """Allow any thread to set the limits, not only the last thread that set them."""
    with threadpool_limits():  # threadpoolctl 3.8 releases the control at the end
        pass


def blas_thread_counts():
    """Return the number of threads of each BLAS."""
    controller = ThreadpoolController().select(user_api="blas")
    return [library.num_threads for library in controller.lib_controllers]


def make_network(n_inputs):
    return Network([n_inputs, 2], [ACTIVATIONS["identity"]()], "float64")


@pytest.mark.usefixtures("two_threads")
def test_small_products_use_one_thread_and_restore_limits():
    with blas_threads(make_network(1000), 10):
        assert set(blas_thread_counts()) == {1}
    assert set(blas_thread_counts()) == {2}


@pytest.mark.usefixtures("two_threads")
def test_no_limits_are_set_for_one_row_and_few_parameters():
    # OpenBLAS uses one thread here, and setting a limit takes longer than training.
    with blas_threads(make_network(10), 1):
        assert set(blas_thread_counts()) == {2}


@pytest.mark.usefixtures("two_threads")
def test_large_products_keep_the_number_of_threads():
    with blas_threads(make_network(SMALL_PRODUCT), 1):
        assert 2 in blas_thread_counts()
    assert set(blas_thread_counts()) == {2}


@pytest.mark.usefixtures("two_threads")
def test_limits_are_restored_after_error():
    with (
        pytest.raises(RuntimeError, match="within"),
        blas_threads(make_network(1000), 10),
    ):
        raise RuntimeError("within")
    assert set(blas_thread_counts()) == {2}


@pytest.mark.usefixtures("two_threads")
def test_nested_limits_are_restored_by_outermost_context():
    with blas_threads(make_network(1000), 10):
        with blas_threads(make_network(1000), 10):
            pass
        assert set(blas_thread_counts()) == {1}
    assert set(blas_thread_counts()) == {2}


@pytest.mark.usefixtures("two_threads")
def test_limits_can_be_set_by_successive_threads():
    def inside():
        with blas_threads(make_network(1000), 10):
            return set(blas_thread_counts())

    assert inside() == {1}
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(inside).result(30) == {1}
        assert set(blas_thread_counts()) == {2}
        assert inside() == {1}
        assert set(blas_thread_counts()) == {2}


@pytest.mark.parametrize("first_exit", [0, 1])
@pytest.mark.parametrize("error", [None, RuntimeError("within")], ids=["end", "error"])
@pytest.mark.usefixtures("two_threads")
def test_overlapping_limits_are_restored_by_last_context(first_exit, error):
    inside = [threading.Event(), threading.Event()]
    leave = [threading.Event(), threading.Event()]

    def use(i):
        with blas_threads(make_network(1000), 10):
            inside[i].set()
            leave[i].wait(30)
            if error:
                raise error

    # The threads outlive the contexts, like threads of a pool or the main thread.
    with ThreadPoolExecutor(2) as pool:
        try:
            users = []
            for i in range(2):  # the second enters while the first is inside
                users.append(pool.submit(use, i))
                assert inside[i].wait(30)
            assert set(blas_thread_counts()) == {1}
            leave[first_exit].set()
            assert users[first_exit].exception(30) is error
            assert set(blas_thread_counts()) == {1}
            leave[1 - first_exit].set()
            assert users[1 - first_exit].exception(30) is error
            assert set(blas_thread_counts()) == {2}
        finally:
            for event in leave:
                event.set()


@pytest.mark.usefixtures("two_threads")
@ESTIMATORS
@ignore_convergence_warning
def test_fit_and_predict_restore_number_of_threads(make, y):
    net = small(make).set_params(hidden_layer_sizes=(500,)).fit(X, y)
    assert set(blas_thread_counts()) == {2}
    net.predict(np.repeat(X, 100, axis=0))
    assert set(blas_thread_counts()) == {2}
    with pytest.raises(ValueError, match="diverged"):
        small(
            make, output_activation="identity", solver="sgd", standardize=False
        ).set_params(learning_rate_init=1e300).fit(X * 1e200, y)
    assert set(blas_thread_counts()) == {2}


@ignore_convergence_warning
def test_memory_does_not_grow_with_the_square_of_the_number_of_classes(traced_memory):
    n_classes = 3000
    X = np.random.default_rng(0).normal(size=(2 * n_classes, 2))
    y = np.arange(2 * n_classes) % n_classes
    net = BackpropClassifier((2,), batch_size=10, max_iter=1)
    tracemalloc.reset_peak()
    net.fit(X, y)
    _, peak = tracemalloc.get_traced_memory()
    # The identity matrix of one-hot targets would take 8 * n_classes**2 bytes.
    assert peak < 8 * n_classes**2 / 2
