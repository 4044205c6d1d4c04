"""Data in parts on the workers of a cluster, and what answers for them there."""

import operator
import time
from collections import defaultdict
from dataclasses import replace
from functools import reduce
from typing import NamedTuple

import dask
import numpy as np
from distributed import CancelledError, wait
from sklearn.utils.validation import check_array, column_or_1d

from ..core.samples import Samples

#: Seconds after which a worker that has not answered is looked after. It may just be
#: busy: there is no limit to how long an answer takes.
POLL_INTERVAL = 2.0

#: Seconds that the cluster is given to notice that a worker is gone.
LOSS_TIMEOUT = 10.0

#: Seconds that the cluster is given to have a worker again, if all are gone.
NO_WORKER_TIMEOUT = 60.0


class WorkerLostError(Exception):
    """Raised where a worker did not answer."""


class Failure(NamedTuple):
    """What a shard answers in the place of an error of its own.

    Any that is raised, in contrast, comes from the cluster.
    """

    error: Exception


class Shard:
    """The rows that lie on one worker, and what learns from them there.

    What it is follows from its partitions and from what it has been told, and to ask
    it changes nothing: one that is lost can be made anew on another worker.

    Parameters
    ----------
    numbers : list of int
        Those of its partitions, in all the data.
    *parts : tuple of X, y and weight
        Its partitions.
    """

    def __init__(self, numbers, *parts):
        self.numbers, self.parts = numbers, parts

    def answer(self, method, *args):
        """Call a method; return what it returns, or a `Failure`."""
        try:
            with np.errstate(all="ignore"):  # who leads the training looks for overflow
                return getattr(self, method)(*args)
        except Exception as error:
            return Failure(error)

    def outline(self, function, *args):
        """Return what a function finds of each partition as it came, added up."""
        return reduce(operator.add, (function(*part, *args) for part in self.parts))

    def read(self, estimator, dtype):
        """Turn the partitions into samples."""
        parts = [_read(estimator, *part, dtype) for part in self.parts]
        self.sizes = [len(part) for part in parts]
        self.samples = _joined(parts)
        del self.parts

    def measure(self, function, *args):
        """Return what a function finds of the samples."""
        return self.samples.measured(function, *args)

    def change(self, function, *args):
        """Have a function make others of the samples."""
        self.samples = self.samples.changed(function, *args)

    def make_learner(self, kind, *args):
        """Make what learns from the samples."""
        self.learner = kind(self, *args)

    def learn(self, *args):
        """Return what the learner answers."""
        return self.learner(*args)


def _read(estimator, X, y, weight, dtype):
    """Turn a partition into samples, which may all weigh nothing."""
    samples = estimator._read(X, y, None, dtype)
    if weight is None:
        return samples
    weight = check_array(
        weight,
        dtype=dtype,
        ensure_2d=False,
        ensure_non_negative=True,
        input_name="sample_weight",
    )
    return replace(samples, weight=column_or_1d(weight))


def _joined(parts):
    """Return the samples of several parts as one."""
    first = parts[0]
    if len(parts) == 1:
        return first

    def join(name):
        if getattr(first, name) is None:
            return None
        return np.concatenate([getattr(part, name) for part in parts])

    targets = join("targets") if first.codes is None else first.targets
    return Samples(join("X"), targets, join("codes"), join("weight"))


class ShardHandle:
    """A shard as it is seen from afar."""

    def __init__(self, future, actor, address, numbers):
        self.future, self.actor, self.address = future, actor, address
        self.numbers = numbers
        self.n_told = 0

    @property
    def is_there(self):
        return self.future.status == "finished"


def _ask(shard, message):
    """Ask a shard, in a task on its worker."""
    return shard.answer(*message).result()


def _count_rows(part, number):
    """Return how many rows a partition has."""
    X, y, weight = part
    counts = {
        name: values.shape[0]  # sparse ones have no length
        for name, values in (("X", X), ("y", y), ("sample_weight", weight))
        if values is not None
    }
    if len(set(counts.values())) > 1:
        raise ValueError(
            f"Partition {number} has different numbers of rows: {counts}. X, y and "
            "sample_weight must be cut into partitions at the same rows."
        )
    return counts["X"]


class Shards:
    """All shards, as they are seen from where the training is led.

    Where a worker is lost, its partitions are computed once more where there are
    workers yet, and what was asked is asked again.

    Parameters
    ----------
    client : distributed.Client
        Of the cluster.
    parts : list of Delayed
        Partitions, each a tuple of X, y and weight.
    stay : bool
        Leave partitions where they are, in the memory of workers; else each worker
        computes as many.

    Attributes
    ----------
    sizes : dict of int
        Rows of each partition that has any, by its number.
    """

    def __init__(self, client, parts, stay):
        self.client, self.parts, self.stay = client, parts, stay
        self.sizes = None
        self.seats, self.told = [], []

    @property
    def n_rows(self):
        """Rows of each shard, in the order in which they answer."""
        return [sum(map(self.sizes.get, seat.numbers)) for seat in self.seats]

    def ask(self, method, *args):
        """Call a method of every shard.

        Parameters
        ----------
        method : str
            Of `Shard`, which changes nothing there.
        *args : object
            Its arguments.

        Returns
        -------
        list
            What each shard answers.

        Raises
        ------
        RuntimeError
            Where workers are lost at the same point again and again, or none is left.
        """
        return self._persevere(self._by_tasks, (method, *args))

    def total(self, method, *args):
        """Return the sum of what the shards answer; see `ask`."""
        return reduce(operator.add, self.ask(method, *args))

    def ask_learners(self, *args):
        """Ask the learner of every shard, in a few milliseconds.

        Parameters
        ----------
        *args : ndarray, number or list of numbers
            Its arguments: what every worker can read, for in messages it would not be
            told what it could not.

        Returns
        -------
        list
        """
        return self._persevere(self._by_messages, ("learn", *args))

    def tell(self, method, *args):
        """Call a method of every shard that changes it, and of those to come."""
        self.told.append((method, *args))
        self._persevere(lambda message: None, None)

    def close(self):
        """Have the workers forget the shards."""
        seats, self.seats = self.seats, []
        self._forget([seat.future for seat in seats])

    def _forget(self, futures):
        # Actors are in cycles of references: let go of, they would stay for a while.
        if self.client.status == "running":
            self.client.cancel(futures, force=True)

    def _persevere(self, ask, message):
        n_losses = 0
        while True:
            try:
                self._complete()
                return ask(message)
            except WorkerLostError as lost:
                n_losses += 1
                _bear(n_losses, lost)

    # ------------------------------------------------------------------ messages

    def _by_tasks(self, message, seats=None):
        """Ask in tasks, which say what goes wrong on their way."""
        seats = self.seats if seats is None else seats
        futures = [self._task(seat, message) for seat in seats]
        return [
            _unwrapped(self._waited_for(seat, future.result))
            for seat, future in zip(seats, futures)
        ]

    def _task(self, seat, message):
        # Scattered, for in a task itself what is large would be warned of.
        try:
            (sent,) = self.client.scatter([message], workers=[seat.address], hash=False)
        except Exception as error:
            if self._notices_loss([seat]):
                raise WorkerLostError from error
            raise
        return self.client.submit(
            _ask, seat.future, sent, workers=[seat.address], pure=False
        )

    def _by_messages(self, message):
        """Ask in messages, which are faster."""
        try:
            futures = [seat.actor.answer(*message) for seat in self.seats]
        except RuntimeError as error:  # "Worker holding Actor was lost"
            raise WorkerLostError from error
        return [
            _unwrapped(self._waited_for(seat, future.result))
            for seat, future in zip(self.seats, futures)
        ]

    def _waited_for(self, seat, result):
        while True:
            try:
                return result(timeout=POLL_INTERVAL)
            except TimeoutError as error:
                # A message to an actor that is gone may never be answered.
                if not seat.is_there:
                    raise WorkerLostError from error
            except Exception as error:
                if self._notices_loss([seat]):
                    raise WorkerLostError from error
                raise

    def _notices_loss(self, seats):
        """Wait a while for the cluster to notice that a worker is gone."""
        deadline = time.monotonic() + LOSS_TIMEOUT
        while all(seat.is_there for seat in seats):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    # -------------------------------------------------------------------- losses

    def _complete(self):
        """Make shards of partitions that have none, and tell them what they missed."""
        lost = [seat for seat in self.seats if not seat.is_there]
        if lost:
            self.seats = [seat for seat in self.seats if seat not in lost]
            self._forget([seat.future for seat in lost])
        held = {number for seat in self.seats for number in seat.numbers}
        wanted = range(len(self.parts)) if self.sizes is None else self.sizes
        missing = [number for number in wanted if number not in held]
        if missing:
            self.seats += self._seated(missing)
        for seat in self.seats:
            for message in self.told[seat.n_told :]:
                self._by_tasks(message, [seat])
                seat.n_told += 1

    def _seated(self, numbers):
        """Have partitions computed, and make shards of them where they lie."""
        workers = self._await_worker()
        futures = self._computed(numbers, sorted(workers))
        counts = self.client.map(_count_rows, futures, numbers, pure=False)
        try:
            self._settle(counts, workers)
            return self._seated_where(futures, counts, numbers)
        finally:
            # An error that is kept would keep them, and they the partitions.
            for future in (*futures, *counts):
                future.release()

    def _seated_where(self, futures, counts, numbers):
        sizes = self._gathered(counts, numbers)
        if self.sizes is None:
            self.sizes = {i: size for i, size in zip(numbers, sizes) if size}
            if not self.sizes:
                raise ValueError(f"X has no rows in any of {len(numbers)} partitions.")
        places = self.client.who_has(futures)
        by_worker = defaultdict(list)
        for number, future in zip(numbers, futures):
            if number in self.sizes:
                addresses = places[future.key]
                if not addresses:
                    raise WorkerLostError
                by_worker[addresses[0]].append((number, future))
        made = [
            (self._submit_shard(address, held), address, [number for number, _ in held])
            for address, held in by_worker.items()
        ]
        try:
            return [
                ShardHandle(future, self._made(future, address), address, numbers)
                for future, address, numbers in made
            ]
        except WorkerLostError:
            self._forget([future for future, *_ in made])
            raise

    def _computed(self, numbers, workers):
        """Have partitions computed on workers, as many on each, or where they are."""
        if self.stay:
            return self.client.compute([self.parts[number] for number in numbers])
        futures = []
        for worker, held in zip(workers, np.array_split(numbers, len(workers))):
            futures += self.client.compute(
                [self.parts[number] for number in held],
                workers=[worker],
                allow_other_workers=True,
            )
        return futures

    def _submit_shard(self, address, held):
        numbers, parts = zip(*held)
        return self.client.submit(
            Shard, list(numbers), *parts, actor=True, workers=[address], pure=False
        )

    def _made(self, future, address):
        """Wait for a shard, as long as its worker is there."""
        while True:
            try:
                return future.result(timeout=POLL_INTERVAL)
            except TimeoutError as error:
                # A task for a worker that is gone would wait for ever.
                if address not in self.client.nthreads():
                    raise WorkerLostError from error
            except Exception as error:
                raise WorkerLostError from error

    def _gathered(self, futures, numbers):
        """Return the results of tasks, one a partition, that are settled."""
        gone = [
            number
            for number, future in zip(numbers, futures)
            if future.status in ("cancelled", "lost")
        ]
        if gone:
            raise RuntimeError(
                f"Partitions {gone} are lost, and can't be computed again: their data "
                "were only in the memory of a worker that is gone, as scattered data "
                "are, or have been cancelled. What dask has read or computed itself "
                "can be computed again."
            )
        return [future.result() for future in futures]

    def _settle(self, futures, workers):
        """Wait for tasks, as long as one of the workers they are meant for is there."""
        while True:
            try:
                wait(futures, timeout=POLL_INTERVAL)
                return
            except TimeoutError as error:
                # Tasks that are left without any would not go to those that come.
                if workers.keys().isdisjoint(self._await_worker()):
                    raise WorkerLostError from error
            except CancelledError:
                return  # as is seen from their status

    def _await_worker(self):
        """Return the addresses of all workers, of one at least."""
        deadline = time.monotonic() + NO_WORKER_TIMEOUT
        while not (workers := self.client.nthreads()):
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f"The cluster has had no worker for {NO_WORKER_TIMEOUT:g} seconds."
                )
            time.sleep(0.1)
        return workers


def _bear(n_losses, lost):
    """Give up after too many losses."""
    allowed = dask.config.get("distributed.scheduler.allowed-failures", 3)
    if n_losses > allowed:
        raise RuntimeError(
            f"Training was given up, for {n_losses} times a worker was lost at the "
            "same point. It may have run out of memory: see the logs of the workers, "
            "and make partitions smaller. dask's setting "
            f"distributed.scheduler.allowed-failures={allowed} says how many losses "
            "are tolerated."
        ) from lost


def _unwrapped(answer):
    if isinstance(answer, Failure):
        raise answer.error
    return answer


class DistributedSamples:
    """Samples that lie on the workers, where whatever is asked of them is found out.

    Parameters
    ----------
    shards : Shards
        They have been told to `read`.
    targets : ndarray of shape (n, n_outputs)
        Targets as large and as small as there are.
    """

    def __init__(self, shards, targets):
        self.shards, self.targets = shards, targets
        self.n_inputs = shards.ask("measure", _n_inputs)[0]

    def __len__(self):
        return sum(self.shards.sizes.values())

    @property
    def mean_weight(self):
        """Mean of the sample weights, 1 where there are none."""
        return self.measured(_weight_sum) / len(self)

    def measured(self, function, *args):
        """Return what a function finds of the samples; see `Samples.measured`."""
        return self.shards.total("measure", function, *args)

    def changed(self, function, *args):
        """Have a function make others of the samples."""
        self.shards.tell("change", function, *args)
        return self


def _n_inputs(samples):
    return samples.n_inputs


def _weight_sum(samples):
    return samples.mean_weight * len(samples)
