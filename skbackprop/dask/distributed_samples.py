"""Samples on the workers of a cluster, with the interface of `TrainingSamples`."""

import numpy as np


class DistributedSamples:
    """Samples stored on the workers, whose statistics are merged on the client.

    Parameters
    ----------
    shards : Shards
        Shards of the samples. `Shard.read` must already have been broadcast.
    targets : ndarray of shape (n, n_outputs)
        Encoded targets that contain the minimum and maximum of each output, or all
        classes.
    """

    def __init__(self, shards, targets):
        self.shards, self.targets = shards, targets
        self.n_samples = sum(shards.partition_sizes.values())
        self.n_inputs = shards.map("n_inputs")[0]

    def weight_totals(self):
        """Compute the statistics of the sample weights."""
        return self.shards.reduce("weight_totals")

    def class_counts(self, n_classes):
        """Compute the total positive sample weight of each class."""
        return self.shards.reduce("class_counts", n_classes)

    def best_constant(self, loss):
        """Return the mean of the best constant outputs of all workers.

        A mean of quantiles is not exactly a quantile, but close if the rows of the
        workers have similar targets.
        """
        constants = np.array(self.shards.map("best_constant", loss))
        totals = self.shards.map("weight_totals")
        weights = [max(t.n_rows * t.mean, 0.0) for t in totals]
        return constants[0] + np.average(constants - constants[0], 0, weights)

    def sum_of_constant(self, objective, constant):
        """Return sums of losses and errors; see `TrainingSamples`."""
        return self.shards.reduce("sum_of_constant", objective, constant)

    def loss_sum(self, objective, n_rows):
        """Return the sum of the losses; see `TrainingSamples.loss_sum`."""
        return self.shards.reduce("loss_sum", objective, n_rows)

    def fit_scalers(self, target_scaling):
        """Fit scalers to the samples; see `FittedScalers.fit`."""
        return self.shards.reduce("fit_scalers", target_scaling)

    def largest_outputs(self, network, n_rows):
        """Compute the largest outputs of a network on some samples of each worker."""
        return np.max(self.shards.map("largest_outputs", network, n_rows), axis=0)

    def with_class_weights(self, class_weights):
        """Multiply the sample weights on the workers by class weights."""
        self.shards.broadcast("apply_class_weights", class_weights)
        return self

    def with_relative_weights(self, mean_weight, dtype):
        """Make the sample weights on the workers relative to a mean weight."""
        self.shards.broadcast("make_weights_relative", mean_weight, dtype)
        return self

    def with_scaled_targets(self, scalers, dtype):
        """Scale the targets on the workers."""
        self.shards.broadcast("scale_targets", scalers, dtype)
        return self
