"""Shards in the test process, and Dask estimators that use them."""

import operator
import pickle
from contextlib import contextmanager
from functools import reduce
from unittest.mock import patch

import cloudpickle
from partitioned_data import GROUPINGS, SMALL

from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop.dask import DaskBackpropClassifier, DaskBackpropRegressor
from skbackprop.dask.base import DaskBackprop
from skbackprop.dask.shard import Shard, result_or_raise

DASK = {
    BackpropClassifier: DaskBackpropClassifier,
    BackpropRegressor: DaskBackpropRegressor,
}


class InProcessShards:
    """Substitute for `Shards` whose shards are objects in the test process.

    Broadcasts are pickled and unpickled, as for messages to workers. A call of the
    training workers whose number is in `lost_at` loses and restores the first shard.
    """

    def __init__(self, partitions, groups, lost_at=()):
        self.partition_sizes = {
            i: len(part[0]) for i, part in enumerate(partitions) if len(part[0])
        }
        assert sorted(i for group in groups for i in group) == [*self.partition_sizes]
        self.partitions, self.groups, self.broadcasts = partitions, groups, []
        self.lost_at, self.n_calls = lost_at, 0
        self.shards = [self._create_shard(group) for group in groups]

    def _create_shard(self, group):
        shard = Shard(group, *(self.partitions[i] for i in group))
        for message in self.broadcasts:
            self._send(shard, message)
        return shard

    @staticmethod
    def _send(shard, message):
        received = pickle.loads(cloudpickle.dumps(message))
        return result_or_raise(shard.call(*received))

    @property
    def shard_sizes(self):
        return [sum(self.partition_sizes[i] for i in group) for group in self.groups]

    def broadcast(self, *message):
        for shard in self.shards:
            self._send(shard, message)
        self.broadcasts.append(message)

    def map(self, *message):
        return [self._send(shard, message) for shard in self.shards]

    def close(self):
        self.shards = []

    def reduce(self, *message):
        return reduce(operator.add, self.map(*message))

    def run_training_workers(self, *args):
        self.n_calls += 1
        if self.n_calls in self.lost_at:
            # The other shards receive the failed call and the repeated call.
            for shard in self.shards[1:]:
                shard.call("run_training_worker", *args)
            self.shards[0] = self._create_shard(self.groups[0])
        return [
            result_or_raise(shard.call("run_training_worker", *args))
            for shard in self.shards
        ]


@contextmanager
def replace_shards(shards):
    """Patch the Dask estimators to use the given shards instead of a client."""
    with (
        patch("skbackprop.dask.base.Shards", lambda *args: shards),
        patch("skbackprop.dask.base.to_partitions", lambda X, y, weight: None),
        patch.object(DaskBackprop, "_get_client", lambda self: None),
    ):
        yield


def fit_in_process(
    make, parts, groups=GROUPINGS[1], lost_at=(), validation=(), **params
):
    """Fit a Dask estimator to shards in the test process."""
    shards = InProcessShards(parts, groups, lost_at)
    with replace_shards(shards):
        net = DASK[make](**{**SMALL, **params})
        return net.fit(None, None, None, *validation)
