"""Worker side of the distributed data: the partitions of one worker as an actor."""

import operator
from functools import reduce
from typing import NamedTuple

import numpy as np

from .._data.new_categories import find_new_categories
from .._data.samples import TrainingSamples
from ..core.mixed import concatenate_rows
from .partition_summary import PartitionSummary


class Failure(NamedTuple):
    """Result of a call that raised an exception inside a shard.

    A shard returns its own exceptions. All exceptions that are raised on the client
    therefore come from the cluster.

    Parameters
    ----------
    error : Exception
        The exception.
    """

    error: Exception


class Shard:
    """Partitions stored on one worker, with the training worker that uses them.

    The state of a shard depends only on its partitions and on the broadcast calls that
    the shard has received. A lost shard can therefore be restored on another worker.

    Parameters
    ----------
    partition_ids : list of int
        Index of each partition in the whole dataset.
    *partitions : tuple of (X, y, sample_weight)
        The partitions, in the same order.

    Attributes
    ----------
    partition_sizes : list of int
        Number of rows of each partition, set by `read`.
    samples : TrainingSamples
        The rows of all partitions, set by `read`.
    training_worker : callable
        The training worker, set by `create_training_worker`.
    """

    def __init__(self, partition_ids, *partitions):
        self.partition_ids, self.partitions = partition_ids, partitions

    def call(self, method, *args):
        """Call a method and return its result, or a `Failure` if it raises.

        Parameters
        ----------
        method : str
            Name of the method.
        *args : object
            Arguments of the method.

        Returns
        -------
        object
        """
        try:
            with np.errstate(all="ignore"):  # the client checks for overflow
                return getattr(self, method)(*args)
        except Exception as error:
            return Failure(error)

    def summarize(self, categorical_features, has_labels, n_bins=None):
        """Return the merged summary of the unread partitions.

        Parameters
        ----------
        categorical_features, has_labels, n_bins
            See `PartitionSummary.from_partition`.

        Returns
        -------
        PartitionSummary
        """
        summaries = (
            PartitionSummary.from_partition(
                *part, categorical_features, has_labels, n_bins, partition_id
            )
            for partition_id, part in zip(self.partition_ids, self.partitions)
        )
        return reduce(operator.add, summaries)

    def find_new_categories(self, columns):
        """Return the new categories of each partition; see `find_new_categories`."""
        return [find_new_categories(X, columns) for X, *_ in self.partitions]

    def read(self, reader, estimator_name):
        """Convert the partitions to samples and delete the partitions.

        Parameters
        ----------
        reader : Reader
            Reader of the partitions.
        estimator_name : str
            Name of the estimator in error messages.
        """
        parts = [
            reader.read_partition(*part, estimator_name) for part in self.partitions
        ]
        self.partition_sizes = [part.n_samples for part in parts]
        self.samples = concatenate_samples(parts)
        del self.partitions

    def n_inputs(self):
        """Return the number of network inputs."""
        return self.samples.n_inputs

    def weight_totals(self):
        """Return the weight statistics; see `TrainingSamples.weight_totals`."""
        return self.samples.weight_totals()

    def class_counts(self, n_classes):
        """Return the class counts; see `TrainingSamples.class_counts`."""
        return self.samples.class_counts(n_classes)

    def best_constant(self, loss):
        """Return the best constant outputs; see `TrainingSamples.best_constant`."""
        return self.samples.best_constant(loss)

    def sum_of_constant(self, objective, constant):
        """Return sums of losses; see `TrainingSamples.sum_of_constant`."""
        return self.samples.sum_of_constant(objective, constant)

    def loss_sum(self, objective, n_rows):
        """Return the sum of the losses; see `TrainingSamples.loss_sum`."""
        return self.samples.loss_sum(objective, n_rows)

    def fit_scalers(self, target_scaling):
        """Return the scalers; see `TrainingSamples.fit_scalers`."""
        return self.samples.fit_scalers(target_scaling)

    def largest_outputs(self, network, n_rows):
        """Return the largest outputs; see `Samples.largest_outputs`."""
        return self.samples.largest_outputs(network, n_rows)

    def apply_class_weights(self, class_weights):
        """Multiply the sample weights by class weights."""
        self.samples = self.samples.with_class_weights(class_weights)

    def make_weights_relative(self, mean_weight, dtype):
        """Make the sample weights relative; see `Samples.with_relative_weights`."""
        self.samples = self.samples.with_relative_weights(mean_weight, dtype)

    def scale_targets(self, scalers, dtype):
        """Scale the targets."""
        self.samples = self.samples.with_scaled_targets(scalers, dtype)

    def create_training_worker(self, worker_class, *args):
        """Create the object that trains on the samples.

        Parameters
        ----------
        worker_class : type
            Class of the training worker, such as `StepWorker`.
        *args : object
            Arguments of its constructor, after the shard itself.
        """
        self.training_worker = worker_class(self, *args)

    def run_training_worker(self, *args):
        """Call the training worker and return its result."""
        return self.training_worker(*args)


def result_or_raise(result):
    """Return the result of `Shard.call`, or raise the exception of a `Failure`."""
    if isinstance(result, Failure):
        raise result.error
    return result


def call_shard(shard, message):
    """Call a method of a shard from a task on the same worker.

    Parameters
    ----------
    shard : Actor
        The shard.
    message : tuple
        Name of the method, followed by its arguments.

    Returns
    -------
    object
    """
    return shard.call(*message).result()


def count_rows(partition, partition_id):
    """Return the number of rows of a partition.

    Parameters
    ----------
    partition : tuple of (X, y, sample_weight)
        The partition.
    partition_id : int
        Index of the partition, for error messages.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If X, y and sample_weight have different numbers of rows.
    """
    X, y, weight = partition
    counts = {
        name: values.shape[0]  # sparse arrays do not support len()
        for name, values in (("X", X), ("y", y), ("sample_weight", weight))
        if values is not None
    }
    if len(set(counts.values())) > 1:
        raise ValueError(
            "X, y and sample_weight must have the same number of rows in each "
            f"partition. Partition {partition_id} has {counts}. Repartition or rechunk "
            "them at the same rows."
        )
    return counts["X"]


def concatenate_samples(parts):
    """Concatenate the samples of several partitions.

    Parameters
    ----------
    parts : list of TrainingSamples
        Samples of each partition. Either all or none of them have codes.

    Returns
    -------
    TrainingSamples
    """
    first = parts[0]
    if len(parts) == 1:
        return first

    def concatenate(name):
        if getattr(first, name) is None:
            return None
        return np.concatenate([getattr(part, name) for part in parts])

    targets = concatenate("targets") if first.codes is None else first.targets
    X = concatenate_rows([part.X for part in parts])
    return TrainingSamples(X, targets, concatenate("codes"), concatenate("weight"))
