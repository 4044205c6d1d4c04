"""Client side of the distributed data: calls to shards, recovery of lost workers."""

import operator
import time
from collections import defaultdict
from functools import reduce

import dask
import numpy as np
from distributed import CancelledError, wait

from .shard import Shard, call_shard, count_rows, result_or_raise

#: Seconds after which the client checks whether a worker that has not returned a result
#: is still alive. The worker may be busy: the time for a result is not limited.
POLL_INTERVAL = 2.0

#: Seconds to wait for the cluster to detect that a worker is lost.
LOSS_TIMEOUT = 10.0

#: Seconds to wait for a new worker if all workers are lost.
NO_WORKER_TIMEOUT = 60.0


class WorkerLostError(Exception):
    """Exception raised if a worker was lost before it returned a result."""


class ShardHandle:
    """Client-side reference to a shard.

    Parameters
    ----------
    future : Future
        Future of the actor. Its status is "finished" as long as the worker is alive.
    actor : Actor
        Proxy of the shard.
    address : str
        Address of the worker.
    partition_ids : list of int
        Indices of the partitions of the shard.

    Attributes
    ----------
    n_received : int
        Number of broadcast calls that the shard has received.
    """

    def __init__(self, future, actor, address, partition_ids):
        self.future, self.actor, self.address = future, actor, address
        self.partition_ids = partition_ids
        self.n_received = 0

    @property
    def is_alive(self):
        """Whether the worker of the shard is alive, as far as the client knows."""
        return self.future.status == "finished"


class Shards:
    """Client-side handle to the data shards on all workers.

    If a worker is lost, its partitions are computed again on the remaining or new
    workers, and the failed call is repeated on all shards.

    Parameters
    ----------
    client : distributed.Client
        Client of the cluster.
    partitions : list of Delayed
        Partitions, each a tuple of X, y and sample_weight.
    keep_placement : bool
        Whether the partitions stay on the workers that already store their data. If
        False, each worker computes the same number of partitions.

    Attributes
    ----------
    partition_sizes : dict of int
        Number of rows of each partition, by partition index, without empty partitions.
        None before the first call.
    """

    def __init__(self, client, partitions, keep_placement):
        self.client, self.partitions = client, partitions
        self.keep_placement = keep_placement
        self.partition_sizes = None
        self.handles, self.broadcasts = [], []

    @property
    def shard_sizes(self):
        """Number of rows of each shard, in the order of the results."""
        return [
            sum(map(self.partition_sizes.get, handle.partition_ids))
            for handle in self.handles
        ]

    def map(self, method, *args):
        """Call a method of every shard in Dask tasks.

        Parameters
        ----------
        method : str
            Name of a method of `Shard` that does not change the shard.
        *args : object
            Arguments of the method.

        Returns
        -------
        list
            Result of each shard.

        Raises
        ------
        RuntimeError
            If too many workers are lost during the call, or no worker remains.
        """
        return self._retry_on_worker_loss(self._call_in_tasks, (method, *args))

    def reduce(self, method, *args):
        """Call a method of every shard and return the sum of the results; see `map`."""
        return reduce(operator.add, self.map(method, *args))

    def run_training_workers(self, *args):
        """Call the training worker of every shard by a direct message.

        Messages take only a few milliseconds. However, a message that a worker cannot
        deserialize does not raise an error.

        Parameters
        ----------
        *args : ndarray, number or list of numbers
            Arguments of the training worker. Only types that every worker can
            deserialize are allowed.

        Returns
        -------
        list
            Result of each training worker.

        Raises
        ------
        RuntimeError
            If too many workers are lost during the call, or no worker remains.
        """
        return self._retry_on_worker_loss(
            self._call_actors, ("run_training_worker", *args)
        )

    def broadcast(self, method, *args):
        """Call a method that changes every shard, including shards restored later.

        Parameters
        ----------
        method : str
            Name of the method of `Shard`.
        *args : object
            Arguments of the method.

        Raises
        ------
        RuntimeError
            If too many workers are lost during the call, or no worker remains.
        """
        self.broadcasts.append((method, *args))
        self._retry_on_worker_loss(lambda message: None, None)

    def close(self):
        """Release the shards on the workers."""
        handles, self.handles = self.handles, []
        self._cancel([handle.future for handle in handles])

    def _cancel(self, futures):
        # Actors are part of reference cycles. Without this call the workers would keep
        # the actors until the next garbage collection.
        if self.client.status == "running":
            self.client.cancel(futures, force=True)

    def _retry_on_worker_loss(self, call, message):
        n_losses = 0
        while True:
            try:
                self._restore_shards()
                return call(message)
            except WorkerLostError as lost:
                n_losses += 1
                _check_failure_limit(n_losses, lost)

    # --------------------------------------------------------------------- calls

    def _call_in_tasks(self, message, handles=None):
        """Call shards in tasks, which report serialization errors."""
        handles = self.handles if handles is None else handles
        futures = [self._submit_call(handle, message) for handle in handles]
        return self._wait_for_results(handles, futures)

    def _submit_call(self, handle, message):
        # The message is scattered because Dask warns about large objects in a task.
        try:
            (sent,) = self.client.scatter(
                [message], workers=[handle.address], hash=False
            )
        except Exception as error:
            if self._wait_for_worker_loss([handle]):
                raise WorkerLostError from error
            raise
        return self.client.submit(
            call_shard, handle.future, sent, workers=[handle.address], pure=False
        )

    def _call_actors(self, message):
        """Call shards by direct messages, which are faster than tasks."""
        try:
            futures = [handle.actor.call(*message) for handle in self.handles]
        except RuntimeError as error:  # "Worker holding Actor was lost"
            raise WorkerLostError from error
        return self._wait_for_results(self.handles, futures)

    def _wait_for_results(self, handles, futures):
        # All calls must end before a failure is raised. A task that calls a shard that
        # has been released would block the thread of its worker forever.
        results = [
            self._wait_for_result(handle, future.result)
            for handle, future in zip(handles, futures)
        ]
        return [result_or_raise(result) for result in results]

    def _wait_for_result(self, handle, get_result):
        while True:
            try:
                return get_result(timeout=POLL_INTERVAL)
            except TimeoutError as error:
                # A message to a lost actor may never return a result.
                if not handle.is_alive:
                    raise WorkerLostError from error
            except Exception as error:
                if self._wait_for_worker_loss([handle]):
                    raise WorkerLostError from error
                raise

    def _wait_for_worker_loss(self, handles):
        """Return whether the cluster detects a lost worker within `LOSS_TIMEOUT`."""
        deadline = time.monotonic() + LOSS_TIMEOUT
        while all(handle.is_alive for handle in handles):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    # ----------------------------------------------------- creation and recovery

    def _restore_shards(self):
        """Create missing shards and repeat all broadcasts that they have missed."""
        lost = [handle for handle in self.handles if not handle.is_alive]
        if lost:
            self.handles = [handle for handle in self.handles if handle not in lost]
            self._cancel([handle.future for handle in lost])
        stored = {i for handle in self.handles for i in handle.partition_ids}
        all_ids = range(len(self.partitions))
        required = all_ids if self.partition_sizes is None else self.partition_sizes
        missing = [i for i in required if i not in stored]
        if missing:
            self.handles += self._create_shards(missing)
        for handle in self.handles:
            for message in self.broadcasts[handle.n_received :]:
                self._call_in_tasks(message, [handle])
                handle.n_received += 1

    def _create_shards(self, partition_ids):
        """Compute partitions and create one shard per worker from its partitions."""
        workers = self._wait_for_workers()
        futures = self._compute_partitions(partition_ids, sorted(workers))
        counts = self.client.map(count_rows, futures, partition_ids, pure=False)
        try:
            self._wait_for_tasks(counts, workers)
            return self._place_shards(futures, counts, partition_ids)
        finally:
            # The traceback of a stored exception references these futures. The futures
            # would keep the partitions in the memory of the workers.
            for future in (*futures, *counts):
                future.release()

    def _place_shards(self, futures, counts, partition_ids):
        """Create a shard on each worker that stores nonempty partitions."""
        sizes = self._collect_counts(counts, partition_ids)
        if self.partition_sizes is None:
            self.partition_sizes = {
                i: size for i, size in zip(partition_ids, sizes) if size
            }
            if not self.partition_sizes:
                raise ValueError(
                    "Found array with 0 sample(s) while a minimum of 1 is required: "
                    f"all {len(partition_ids)} partitions of X are empty."
                )
        locations = self.client.who_has(futures)
        by_worker = defaultdict(list)
        for i, future in zip(partition_ids, futures):
            if i in self.partition_sizes:
                addresses = locations[future.key]
                if not addresses:
                    raise WorkerLostError
                by_worker[addresses[0]].append((i, future))
        submitted = [
            (self._submit_shard(address, stored), address, [i for i, _ in stored])
            for address, stored in by_worker.items()
        ]
        try:
            return [
                ShardHandle(
                    future, self._wait_for_shard(future, address), address, shard_ids
                )
                for future, address, shard_ids in submitted
            ]
        except WorkerLostError:
            self._cancel([future for future, *_ in submitted])
            raise

    def _compute_partitions(self, partition_ids, workers):
        """Start computing partitions near their data, or evenly on all workers."""
        if self.keep_placement:
            return self.client.compute([self.partitions[i] for i in partition_ids])
        futures = []
        groups = np.array_split(partition_ids, len(workers))
        for worker, group in zip(workers, groups):
            futures += self.client.compute(
                [self.partitions[i] for i in group],
                workers=[worker],
                allow_other_workers=True,
            )
        return futures

    def _submit_shard(self, address, stored):
        partition_ids, futures = zip(*stored)
        options = {"actor": True, "workers": [address], "pure": False}
        return self.client.submit(Shard, list(partition_ids), *futures, **options)

    def _wait_for_shard(self, future, address):
        """Wait until a shard is created, or until its worker is lost."""
        while True:
            try:
                return future.result(timeout=POLL_INTERVAL)
            except TimeoutError as error:
                # A task that is restricted to a lost worker would never start.
                if address not in self.client.nthreads():
                    raise WorkerLostError from error
            except Exception as error:
                raise WorkerLostError from error

    def _collect_counts(self, futures, partition_ids):
        """Return the results of one finished task per partition."""
        lost = [
            i
            for i, future in zip(partition_ids, futures)
            if future.status in ("cancelled", "lost")
        ]
        if lost:
            raise RuntimeError(
                f"Partitions {lost} are lost and cannot be computed again, because "
                "their data were only in the memory of a lost worker or have been "
                "cancelled. Dask can compute data again that its own tasks have read "
                "or computed, but not data from client.scatter."
            )
        return [future.result() for future in futures]

    def _wait_for_tasks(self, futures, workers):
        """Wait until tasks end, as long as at least one of their workers is alive."""
        while True:
            try:
                wait(futures, timeout=POLL_INTERVAL)
                return
            except TimeoutError as error:
                # Dask does not move tasks to new workers if all their workers are lost.
                if workers.keys().isdisjoint(self._wait_for_workers()):
                    raise WorkerLostError from error
            except CancelledError:
                return  # the caller checks the status of each future

    def _wait_for_workers(self):
        """Wait for at least one worker and return the workers by address."""
        deadline = time.monotonic() + NO_WORKER_TIMEOUT
        while not (workers := self.client.nthreads()):
            if time.monotonic() > deadline:
                raise RuntimeError(
                    "The cluster has had no workers for "
                    f"{NO_WORKER_TIMEOUT:g} seconds. Start workers and fit again."
                )
            time.sleep(0.1)
        return workers


def _check_failure_limit(n_losses, lost):
    """Raise an error if one call has failed too often."""
    allowed = dask.config.get("distributed.scheduler.allowed-failures", 3)
    if n_losses > allowed:
        raise RuntimeError(
            f"Training stopped: workers were lost {n_losses} times in the same step "
            f"(limit: {allowed}). If the worker logs report a lack of memory, use "
            "smaller partitions. Otherwise increase the Dask setting "
            "'distributed.scheduler.allowed-failures'."
        ) from lost
