"""Dense and sparse input arrays: never modified, and copied only if necessary."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.metrics import accuracy_score
from small_fits import ignore_convergence_warning
from small_networks import (
    CODES,
    ESTIMATORS,
    LABELS,
    NAMES,
    NUMBERS,
    SHORT_TRAINING,
    WEIGHT,
    X,
    assert_same_network,
    classifier,
    regressor,
    rng,
    small,
    to_dataframe,
)

from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop._data import reader

# ------------------------------------------------ input arrays are not modified

SOLVERS = pytest.mark.parametrize("solver", ["sgd", "adamw", "lbfgs"])


def read_only(array):
    array = array.copy()
    array.setflags(write=False)
    return array


def settings(solver):
    """Yield parameters for all ways to read samples: in order, shuffled, held out."""
    for standardize in (True, False):
        common = {"solver": solver, "learning_rate_init": 0.01}
        common["standardize"] = standardize
        yield {**common, "shuffle": True, "batch_size": 16}
        yield {**common, "shuffle": False}
        yield {**common, "early_stopping": True, "validation_fraction": 0.3}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@SOLVERS
@ESTIMATORS
@pytest.mark.filterwarnings("ignore:Got `batch_size`")
@ignore_convergence_warning
def test_read_only_arrays_are_supported(make, y, solver, dtype):
    X_read_only, y, weight = read_only(X.astype(dtype)), read_only(y), read_only(WEIGHT)
    if make is BackpropRegressor:
        y = read_only(y.astype(dtype))
    for params in settings(solver):
        fitted = small(make, **params).fit(
            X_read_only, y, sample_weight=weight.astype(dtype)
        )
        assert fitted.predict(X_read_only).shape == y.shape
    if solver != "lbfgs":
        clone(fitted).set_params(early_stopping=False).fit(X_read_only, y).partial_fit(
            X_read_only, y, weight
        )


@SOLVERS
@ESTIMATORS
@ignore_convergence_warning
def test_memory_maps_give_same_network_as_arrays(make, y, solver, tmp_path):
    paths = [tmp_path / name for name in ("X.npy", "y.npy", "weight.npy")]
    for path, array in zip(paths, (X, y, WEIGHT), strict=True):
        np.save(path, array)
    maps = [np.load(path, mmap_mode="r") for path in paths]
    for params in settings(solver):
        mapped = small(make, **params).fit(maps[0], maps[1], sample_weight=maps[2])
        in_memory = small(make, **params).fit(X, y, sample_weight=WEIGHT)
        assert_same_network(mapped, in_memory)
        np.testing.assert_array_equal(mapped.predict(maps[0]), in_memory.predict(X))


@pytest.mark.parametrize("order", ["C", "F"])
@SOLVERS
@ESTIMATORS
@ignore_convergence_warning
def test_arrays_are_not_modified(make, y, solver, order):
    arrays = [np.array(X, order=order), y.copy(), WEIGHT.copy()]
    for params in settings(solver):
        small(make, **params).fit(
            arrays[0], arrays[1], sample_weight=arrays[2]
        ).predict(arrays[0])
    for array, before in zip(arrays, (X, y, WEIGHT), strict=True):
        np.testing.assert_array_equal(array, before)


@SOLVERS
@ESTIMATORS
@ignore_convergence_warning
def test_dataframes_are_not_modified(make, y, solver):
    df, series, weight = to_dataframe(), pd.Series(y), pd.Series(WEIGHT)
    before = [df.copy(deep=True), series.copy(deep=True), weight.copy(deep=True)]
    for params in settings(solver):
        small(make, **params).fit(df, series, sample_weight=weight).predict(df)
    pd.testing.assert_frame_equal(df, before[0])
    pd.testing.assert_series_equal(series, before[1])
    pd.testing.assert_series_equal(weight, before[2])


@pytest.fixture
def samples(monkeypatch):
    """Return a list that collects all training samples in the order of creation."""
    created = []

    def record(*args, **kwargs):
        created.append(training_samples(*args, **kwargs))
        return created[-1]

    training_samples = reader.TrainingSamples
    monkeypatch.setattr(reader, "TrainingSamples", record)
    return created


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@SOLVERS
@ESTIMATORS
def test_c_ordered_arrays_are_not_copied(make, y, solver, dtype, samples):
    array = X.astype(dtype)
    for params in settings(solver):
        small(make, **params).fit(array, y)
    assert len(samples) == 6
    for one in samples:
        assert np.shares_memory(one.X, array)
        assert one.X.dtype == dtype


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@ESTIMATORS
def test_partial_fit_does_not_copy_c_ordered_arrays(make, y, dtype, samples):
    array = X.astype(dtype)
    small(make).fit(array, y).partial_fit(array, y)
    assert len(samples) == 2
    assert all(np.shares_memory(one.X, array) for one in samples)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_targets_and_weights_of_the_same_dtype_are_not_copied(dtype, samples):
    arrays = [array.astype(dtype) for array in (X, NUMBERS, WEIGHT)]
    regressor().fit(*arrays)
    (created,) = samples
    assert np.shares_memory(created.targets, arrays[1])
    assert np.shares_memory(created.weight, arrays[2])


@pytest.mark.parametrize("early_stopping", [False, True])
def test_memory_maps_are_not_copied(early_stopping, samples, tmp_path):
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    classifier(early_stopping=early_stopping).fit(mapped, CODES)
    assert np.shares_memory(samples[0].X, mapped)


# -------------------------------------------------------------------- sparse

SPARSE = {
    kind.__name__: kind
    for kind in (
        sp.csr_matrix,
        sp.csc_matrix,
        sp.coo_matrix,
        sp.csr_array,
        sp.csc_array,
        sp.coo_array,
    )
}
DENSE = np.where(rng.random(X.shape) < 0.5, X, 0.0)


@pytest.fixture
def no_dense_conversion(monkeypatch):
    """Raise an error if a sparse matrix is converted to a dense array."""

    def fail(self, *args, **kwargs):
        raise AssertionError("a sparse matrix was converted to a dense array")

    for kind in SPARSE.values():
        for method in ("toarray", "todense", "__array__"):
            monkeypatch.setattr(kind, method, fail, raising=False)


@pytest.mark.usefixtures("no_dense_conversion")
@pytest.mark.parametrize("kind", SPARSE)
@SOLVERS
@ESTIMATORS
@ignore_convergence_warning
def test_sparse_input_gives_dense_results_without_dense_conversion(
    make, y, solver, kind
):
    sparse = SPARSE[kind](DENSE)
    # Few iterations, because L-BFGS amplifies rounding differences. Standardization
    # is off because it centers only dense input.
    few = {"max_iter": 10, "standardize": False}
    for params in list(settings(solver))[3:]:
        from_sparse, from_dense = (
            small(make, **{**params, **few}).fit(values, y, sample_weight=WEIGHT)
            for values in (sparse, DENSE)
        )
        assert from_sparse.n_iter_ == from_dense.n_iter_
        np.testing.assert_allclose(
            from_sparse.loss_curve_, from_dense.loss_curve_, rtol=1e-6
        )
        for actual, expected in zip(from_sparse.coefs_, from_dense.coefs_, strict=True):
            np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.usefixtures("no_dense_conversion")
@pytest.mark.parametrize("kind", SPARSE)
@SOLVERS
@ESTIMATORS
@ignore_convergence_warning
def test_standardized_sparse_input_is_not_converted_to_dense(make, y, solver, kind):
    sparse = SPARSE[kind](DENSE)
    nonzero = WEIGHT @ (DENSE != 0)
    scaled = DENSE / np.sqrt(WEIGHT @ DENSE**2 / nonzero)
    y = y if make is BackpropClassifier else (y - y.min()) / np.ptp(y)
    # Targets of sigmoid outputs are not scaled. Without early stopping, the scalers
    # learn from all rows.
    for params in list(settings(solver))[:2]:
        params |= {"max_iter": 10, "output_activation": "sigmoid"}
        params |= {"init": "glorot_uniform"}  # "auto" depends on `standardize`
        fitted = small(make, **params).fit(sparse, y, sample_weight=WEIGHT)
        plain = small(make, **{**params, "standardize": False})
        plain.fit(scaled, y, sample_weight=WEIGHT)
        np.testing.assert_allclose(fitted.loss_curve_, plain.loss_curve_, rtol=1e-6)
        for W, V in zip(fitted.coefs_, plain.coefs_, strict=True):
            np.testing.assert_allclose(W, V, rtol=1e-5, atol=1e-7)


@pytest.mark.usefixtures("no_dense_conversion")
@pytest.mark.parametrize("fitted_to", ["dense", "sparse"])
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("kind", SPARSE)
@ESTIMATORS
def test_sparse_and_dense_input_give_equal_predictions(
    make, y, kind, standardize, fitted_to, monkeypatch
):
    if standardize and fitted_to == "dense":
        monkeypatch.undo()  # centered data have no zeros: blocks become dense
    sparse = SPARSE[kind](DENSE)
    fitted = small(make, standardize=standardize)
    fitted.fit(DENSE if fitted_to == "dense" else sparse, y)
    method = "predict_proba" if make is BackpropClassifier else "predict"
    np.testing.assert_allclose(
        getattr(fitted, method)(sparse), getattr(fitted, method)(DENSE), rtol=1e-12
    )


@pytest.mark.parametrize("kind", SPARSE)
@ESTIMATORS
@ignore_convergence_warning
def test_sparse_input_is_not_modified(make, y, kind):
    sparse = SPARSE[kind](DENSE)
    sparse.data.setflags(write=False)
    before = sparse.copy()
    for params in (*settings("sgd"), *settings("lbfgs")):
        small(make, **params).fit(sparse, y).predict(sparse)
    assert abs(sparse - before).sum() == 0.0
    assert sparse.nnz == before.nnz


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sparse_rows_are_not_copied(dtype, samples):
    sparse = sp.csr_array(DENSE.astype(dtype))
    classifier().fit(sparse, CODES)
    assert np.shares_memory(samples[0].X.data, sparse.data)


@ESTIMATORS
def test_partial_fit_accepts_alternating_formats(make, y):
    alternating, dense = small(make).fit(DENSE, y), small(make).fit(DENSE, y)
    for values in (sp.csr_array(DENSE), DENSE, sp.coo_matrix(DENSE)):
        alternating.partial_fit(values, y)
        dense.partial_fit(DENSE, y)
    np.testing.assert_allclose(alternating.loss_curve_, dense.loss_curve_, rtol=1e-9)


# ---------------------------------------------------------------- multilabel


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@pytest.mark.parametrize("kind", SPARSE)
def test_sparse_label_indicators(loss, kind):
    dense = classifier(loss=loss).fit(X, LABELS)
    sparse = classifier(loss=loss).fit(X, SPARSE[kind](LABELS))
    assert_same_network(sparse, dense)
    predicted = sparse.predict(X)
    assert sp.issparse(predicted)
    np.testing.assert_array_equal(predicted.toarray(), dense.predict(X))
    np.testing.assert_array_equal(sparse.predict_proba(X), dense.predict_proba(X))


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_multilabel_predictions(loss):
    fitted = classifier(loss=loss).fit(X, LABELS)
    assert fitted.classes_.tolist() == [0, 1, 2]
    assert fitted.predict(X).dtype.kind == "i"
    assert (fitted.predict(X) == LABELS).mean() > 0.95
    assert fitted.predict_proba(X).shape == (90, 3)
    np.testing.assert_array_equal(fitted.predict_proba(X) > 0.5, fitted.predict(X))
    assert fitted.score(X, LABELS) == accuracy_score(LABELS, fitted.predict(X))


@pytest.mark.parametrize("y", [LABELS, sp.csr_array(LABELS)], ids=["dense", "sparse"])
def test_partial_fit_accepts_label_indicators(y):
    estimator = classifier().partial_fit(X[:30], y[:30], classes=[0, 1, 2])
    estimator.partial_fit(X[30:], y[30:])
    assert estimator.predict(X).shape == (90, 3)


@pytest.mark.parametrize("scoring", ["accuracy", "f1_samples", "loss"])
def test_early_stopping_with_label_indicators(scoring):
    for y in (LABELS, sp.csr_array(LABELS)):
        fitted = classifier(early_stopping=True, scoring=scoring).fit(X, y)
        assert len(fitted.validation_scores_) == fitted.n_iter_
        assert fitted.score(X, LABELS) > 0.6


def test_column_vector_y_is_flattened_with_warning():
    with pytest.warns(UserWarning, match="column-vector y was passed"):
        fitted = classifier().fit(X, NAMES[:, np.newaxis])
    assert_same_network(fitted, classifier().fit(X, NAMES))
    with pytest.warns(UserWarning, match="column-vector y was passed"):
        fitted = regressor().fit(X, NUMBERS[:, np.newaxis])
    assert fitted.predict(X).shape == (90,)


# ------------------------------------------------------------------- threads


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
@ESTIMATORS
def test_threads_can_share_one_estimator(make, y, kind):
    fitted = make((32, 32), **SHORT_TRAINING).fit(X, y)
    method = fitted.predict_proba if make is BackpropClassifier else fitted.predict
    blocks = [
        kind(block) for block in np.random.default_rng(1).normal(size=(60, 300, 4))
    ]
    sequential = [method(block) for block in blocks]
    with ThreadPoolExecutor(8) as pool:
        concurrent = list(pool.map(method, blocks))
    for actual, expected in zip(concurrent, sequential, strict=True):
        np.testing.assert_array_equal(actual, expected)
