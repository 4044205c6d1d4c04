"""Calls to shards, and their failures."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("distributed")

from partitioned_data import SEVERAL, THREE, WEIGHT, X

from skbackprop._data.samples import TrainingSamples
from skbackprop.dask.partition_summary import PartitionSummary
from skbackprop.dask.shard import Failure, Shard, concatenate_samples, result_or_raise
from skbackprop.dask.shards import Shards, WorkerLostError


def test_concatenate_samples():
    codes = np.arange(6) % 2
    zero_and_one = np.array([[0.0], [1.0]])
    parts = [
        TrainingSamples(X[:2], zero_and_one, codes[:2], WEIGHT[:2]),
        TrainingSamples(X[2:6], zero_and_one, codes[2:6], WEIGHT[2:6]),
    ]
    whole = concatenate_samples(parts)
    assert isinstance(whole, TrainingSamples)
    np.testing.assert_array_equal(whole.X, X[:6])
    np.testing.assert_array_equal(whole.codes, codes)
    np.testing.assert_array_equal(whole.targets, zero_and_one)
    np.testing.assert_array_equal(whole.weight, WEIGHT[:6])
    numbers = concatenate_samples(
        [TrainingSamples(X[:2], SEVERAL[:2]), TrainingSamples(X[2:6], SEVERAL[2:6])]
    )
    np.testing.assert_array_equal(numbers.targets, SEVERAL[:6])
    assert numbers.codes is None
    assert numbers.weight is None


def test_shard_returns_failure():
    shard = Shard([0], (X, THREE, None))
    summary = shard.call("summarize", "from_dtype", True)
    assert isinstance(summary, PartitionSummary)
    failure = shard.call("class_counts", 3)  # not read
    assert isinstance(failure, Failure)
    with pytest.raises(AttributeError):
        result_or_raise(failure)
    assert not isinstance(failure.error, WorkerLostError)


def test_overflow_on_worker_does_not_warn():
    class OverflowWorker:
        def __init__(self, shard):
            self.samples = shard.samples

        def __call__(self):
            return self.samples.X * 10.0

    shard = Shard([0])
    shard.samples = TrainingSamples(np.full((1, 1), 1e308), np.zeros((1, 1)))
    shard.call("create_training_worker", OverflowWorker)
    np.testing.assert_array_equal(shard.call("run_training_worker"), np.inf)


def test_client_does_not_wait_for_lost_worker():
    # A message to a lost worker may never return a result.
    shards, handle = (
        Shards(None, [], keep_placement=False),
        SimpleNamespace(is_alive=True),
    )
    waits = []

    def get_result(timeout):
        waits.append(timeout)
        if len(waits) < 3:
            raise TimeoutError
        return "result"

    assert shards._wait_for_result(handle, get_result) == "result"  # a busy worker
    assert len(waits) == 3
    handle.is_alive = False
    waits.clear()
    with pytest.raises(WorkerLostError):
        shards._wait_for_result(handle, get_result)
    assert len(waits) == 1


def test_cluster_error_is_worker_loss_if_detected(monkeypatch):
    monkeypatch.setattr("skbackprop.dask.shards.LOSS_TIMEOUT", 0.05)
    shards = Shards(None, [], keep_placement=False)

    def fail(timeout):
        raise OSError("broken pipe")

    with pytest.raises(WorkerLostError):
        shards._wait_for_result(SimpleNamespace(is_alive=False), fail)
    with pytest.raises(OSError, match="broken pipe"):
        shards._wait_for_result(SimpleNamespace(is_alive=True), fail)


@pytest.mark.parametrize("method", ["map", "run_training_workers"])
def test_failure_is_raised_after_all_calls_have_ended(method, monkeypatch):
    ended = []

    def make_future(result):
        def get_result(timeout):
            ended.append(result)
            return result

        return SimpleNamespace(result=get_result)

    def make_handle(result):
        actor = SimpleNamespace(call=lambda *message: make_future(result))
        return SimpleNamespace(
            actor=actor, is_alive=True, partition_ids=[], n_received=0, result=result
        )

    shards = Shards(None, [], keep_placement=False)
    results = [Failure(KeyError("first")), Failure(ValueError("second")), 3]
    shards.handles = [make_handle(result) for result in results]
    monkeypatch.setattr(
        shards, "_submit_call", lambda handle, message: make_future(handle.result)
    )
    with pytest.raises(KeyError, match="first"):
        getattr(shards, method)("measure")
    assert ended == results
