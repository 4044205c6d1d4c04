"""Fits on a cluster whose worker processes are killed."""

import gc
import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from time import monotonic, sleep

import numpy as np
import pytest

pytest.importorskip("distributed")

import dask
import dask.array as da
from clusters import N_WORKERS, cluster
from distributed import Client, LocalCluster, wait
from partitioned_data import THREE, WEIGHT, X
from single_process import assert_same
from small_dask_fits import CLUSTER_TESTS, SYNCS, classifier, to_dask

from skbackprop import Activation
from skbackprop.dask.shards import Shards

pytestmark = [pytest.mark.slow, *CLUSTER_TESTS]


@pytest.fixture(scope="module")
def _killable_cluster():
    # Nannies replace killed processes. With the default timeout, the cluster would
    # remove a worker that is killed repeatedly.
    long_timeout = dask.config.set({"distributed.deploy.lost-worker-timeout": "1 hour"})
    with long_timeout, cluster() as client:
        yield client


@pytest.fixture
def killable_client(_killable_cluster):
    """Return the client of a cluster whose workers may be killed."""
    while not all_workers_alive(_killable_cluster):
        sleep(0.1)
    with _killable_cluster.as_current():
        yield _killable_cluster


def all_workers_alive(client):
    """Return whether the cluster has all its workers and all of them respond."""
    pids = client.run(os.getpid, on_error="return").values()
    return len(pids) == N_WORKERS and all(isinstance(pid, int) for pid in pids)


def process_ids(client):
    """Return the process ids of all workers that respond."""
    return sorted(client.run(os.getpid, on_error="ignore").values())


@contextmanager
def kill_workers(client, method, *calls, n_killed=1, message=None):
    """Kill workers before the given calls of a method of `Shards`.

    All workers take part in a fit, so that it does not matter which of them are killed.

    Parameters
    ----------
    client : distributed.Client
        Client of the cluster.
    method : str
        Name of the method of `Shards`.
    *calls : int
        Numbers of the calls, starting from 1. At least the first of these calls must
        happen.
    n_killed : int, default=1
        Number of workers to kill before each of these calls.
    message : str, default=None
        Name of a method of `Shard`. If set, only calls that send this message count.

    Yields
    ------
    list of str
        One entry per call of the method so far.
    """
    called, original = [], getattr(Shards, method)

    def kill_and_call(shards, *args, **kwargs):
        if message is None or args[-1][0] == message:
            called.append(method)
            if len(called) in calls:
                for pid in process_ids(client)[-n_killed:]:
                    os.kill(pid, signal.SIGKILL)
        return original(shards, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Shards, method, kill_and_call)
        yield called
    assert len(called) >= min(calls)


def task_keys(client):
    """Return the keys of all tasks that the scheduler stores."""
    return set(client.run_on_scheduler(lambda dask_scheduler: [*dask_scheduler.tasks]))


def make_lazy_data():
    return to_dask(X), to_dask(THREE), to_dask(WEIGHT)


@pytest.fixture(scope="module")
def fit_without_loss(_cluster):
    """Return a function that fits without lost workers, with cached results."""
    found = {}

    def of(params):
        with _cluster.as_current():
            key = str(params)
            if key not in found:
                found[key] = classifier(**params).fit(*make_lazy_data())
            return found[key]

    return of


@SYNCS
def test_worker_lost_during_training(killable_client, fit_without_loss, params):
    # There is one call per step, per epoch or per L-BFGS evaluation.
    call = 8 if params.get("sync") == "step" else 2
    with kill_workers(killable_client, "_call_actors", call):
        net = classifier(**params).fit(*make_lazy_data())
    if params.get("sync") == "epoch":  # the placement of partitions may differ
        assert len(net.history_) == 3
        assert np.isfinite(net.loss_)
        return
    rtol = 1e-7 if "solver" in params else 1e-10
    assert_same(fit_without_loss(params), net, rtol=rtol)


def test_all_workers_lost_at_once(killable_client, fit_without_loss):
    with kill_workers(killable_client, "_call_actors", 8, n_killed=N_WORKERS):
        net = classifier().fit(*make_lazy_data())
    assert_same(fit_without_loss({}), net)


def test_epoch_result_after_loss_with_one_partition_per_worker(killable_client):
    # Each shard has one partition, so that its rows do not depend on the placement.
    data = to_dask(X, (30, 40)), to_dask(THREE, (30, 40))
    expected = classifier(sync="epoch").fit(*data)
    with kill_workers(killable_client, "_call_actors", 2):
        net = classifier(sync="epoch").fit(*data)
    assert_same(expected, net)


@pytest.mark.parametrize("n_killed", [1, N_WORKERS])
def test_lost_persisted_partitions_are_computed_again(
    killable_client, fit_without_loss, n_killed
):
    data = killable_client.persist(list(make_lazy_data()))
    wait(data)
    with kill_workers(killable_client, "_call_actors", 8, n_killed=n_killed):
        net = classifier().fit(*data)
    assert_same(fit_without_loss({}), net)


@pytest.mark.parametrize(
    "method", ["_compute_partitions", "_collect_counts", "_submit_shard"]
)
def test_worker_lost_before_reading(killable_client, fit_without_loss, method):
    with kill_workers(killable_client, method, 1):
        net = classifier().fit(*make_lazy_data())
    assert_same(fit_without_loss({}), net)


@pytest.mark.parametrize(
    ("message", "call"),
    [
        ("summarize", 1),
        ("read", 2),
        ("n_inputs", 2),
        ("class_counts", 2),
        ("weight_totals", 2),
        ("fit_scalers", 2),
    ],
)
def test_worker_lost_before_training(killable_client, fit_without_loss, message, call):
    with kill_workers(killable_client, "_submit_call", call, message=message):
        net = classifier().fit(*make_lazy_data())
    assert_same(fit_without_loss({}), net)


@pytest.mark.parametrize("n_killed", [1, N_WORKERS])
def test_workers_lost_while_computing_partitions(
    killable_client, fit_without_loss, tmp_path, n_killed
):
    # If all workers are lost, their replacements must compute the partitions.
    client_pid, fuses = os.getpid(), [tmp_path / str(i) for i in range(n_killed)]

    def kill_once(block):
        assert os.getpid() != client_pid
        for fuse in fuses:
            with suppress(FileNotFoundError):
                fuse.unlink()
                os.kill(os.getpid(), signal.SIGKILL)
        return block

    for fuse in fuses:
        fuse.touch()
    inputs, targets, weight = make_lazy_data()
    inputs = inputs.map_blocks(kill_once, dtype=float, meta=np.empty((0, 0)))
    net = classifier().fit(inputs, targets, weight)
    assert not any(fuse.exists() for fuse in fuses)
    assert_same(fit_without_loss({}), net)


def test_worker_lost_during_a_step(killable_client, fit_without_loss, tmp_path):
    # The worker dies during a computation, not between messages.
    client_pid, fuse = os.getpid(), tmp_path / "fuse"

    class KillingReLU(Activation):
        """ReLU that kills the first worker that finds the fuse file."""

        def forward(self, z, out):
            if len(z) > 1 and os.getpid() != client_pid:
                with suppress(FileNotFoundError):
                    fuse.unlink()
                    os.kill(os.getpid(), signal.SIGKILL)
            np.maximum(z, 0.0, out=out)

        def backward(self, delta, a, z, scratch):
            delta *= z > 0.0

    fuse.touch()
    net = classifier(activation=KillingReLU()).fit(*make_lazy_data())
    assert not fuse.exists()
    assert_same(fit_without_loss({}), net)


def test_lost_shard_leaves_no_tasks(killable_client):
    # Remaining tasks would wait for the lost worker and keep partitions in memory.
    before = task_keys(killable_client)
    gc.disable()  # garbage collection could delete the tasks
    try:
        with kill_workers(killable_client, "_call_actors", 8):
            classifier().fit(*make_lazy_data())
        deadline = monotonic() + 10
        while not task_keys(killable_client) <= before:
            assert monotonic() < deadline
            sleep(0.1)
    finally:
        gc.enable()


def test_repeated_losses_at_different_steps(killable_client, fit_without_loss):
    # The limit of failures applies to each step. Long trainings lose many workers.
    kills = 2, 5, 8, 11
    assert len(kills) > dask.config.get("distributed.scheduler.allowed-failures")
    with kill_workers(
        killable_client, "_call_actors", *kills, n_killed=N_WORKERS
    ) as called:
        net = classifier().fit(*make_lazy_data())
    assert len(called) >= max(kills)
    assert_same(fit_without_loss({}), net)


def test_repeated_losses_in_same_step_raise(killable_client):
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        # The cluster may detect the losses of one call separately.
        kill_workers(killable_client, "_call_actors", 2, 3, n_killed=N_WORKERS),
        pytest.raises(RuntimeError, match="workers were lost 2 times in the same step"),
    ):
        classifier().fit(*make_lazy_data())


@pytest.mark.parametrize("method", ["_compute_partitions", "_call_actors"])
def test_lost_partitions_are_named(killable_client, method):
    # Scattered data exist only in the memory of the workers.
    processes = killable_client.run(os.getpid)
    # All data are on the worker that is killed.
    doomed = [max(processes, key=processes.get)]
    blocks = []
    for array, shape in ((X, (35, 5)), (THREE, (35,))):
        halves = [array[:35], array[35:]]
        # Without hashing, the keys differ from the keys that another test has lost.
        sent = killable_client.scatter(halves, workers=doomed, hash=False)
        parts = [da.from_delayed(dask.delayed(s), shape, array.dtype) for s in sent]
        blocks.append(da.concatenate(parts))
    with (
        kill_workers(killable_client, method, 1),
        # The message names the lost partitions that the cluster has detected so far.
        pytest.raises(RuntimeError, match=r"Partitions \[(0|1|0, 1)\] are lost"),
    ):
        classifier().fit(*blocks)


@contextmanager
def workers_without_nannies(n_workers):
    """Start workers that are not restarted, and yield a client of their cluster."""
    with (
        LocalCluster(n_workers=0, dashboard_address=":0") as scheduler,
        Client(scheduler, timeout=60) as client,
    ):
        command = [sys.executable, "-m", "distributed.cli.dask_worker", "--no-nanny"]
        command += ["--nthreads", "1", "--no-dashboard", scheduler.scheduler_address]
        processes = [
            subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            for _ in range(n_workers)
        ]
        try:
            client.wait_for_workers(n_workers, timeout=100)
            yield client
        finally:
            for process in processes:
                process.kill()
                process.wait()


def test_lost_workers_are_not_replaced_without_nanny(fit_without_loss, monkeypatch):
    with workers_without_nannies(2) as client:
        with kill_workers(client, "_call_actors", 8):
            net = classifier().fit(*make_lazy_data())
        assert len(client.nthreads()) == 1
        assert_same(fit_without_loss({}), net)
        # The only remaining worker is lost.
        monkeypatch.setattr("skbackprop.dask.shards.NO_WORKER_TIMEOUT", 0.5)
        with (
            kill_workers(client, "_call_actors", 3),
            pytest.raises(RuntimeError, match=r"no workers for 0\.5 seconds"),
        ):
            classifier().fit(*make_lazy_data())
        with pytest.raises(RuntimeError, match=r"no workers for 0\.5 seconds"):
            classifier().fit(*make_lazy_data())
