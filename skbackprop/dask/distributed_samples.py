"""Samples stored on the workers of a cluster, with the interface of `Samples`."""


class DistributedSamples:
    """Samples stored on the workers, whose statistics are merged on the client.

    Parameters
    ----------
    shards : Shards
        The shards. `Shard.read` must have been broadcast before.
    targets : ndarray of shape (n, n_outputs)
        Encoded targets that contain the minimum and maximum of each output, or all
        classes.
    """

    def __init__(self, shards, targets):
        self.shards, self.targets = shards, targets
        self.n_inputs = shards.map("measure", _n_inputs)[0]

    def __len__(self):
        return sum(self.shards.partition_sizes.values())

    @property
    def mean_weight(self):
        """Mean of the sample weights, or 1 if there are none."""
        return self.measured(_weight_sum) / len(self)

    def measured(self, function, *args):
        """Return the sum over all shards of a function; see `Samples.measured`."""
        return self.shards.reduce("measure", function, *args)

    def changed(self, function, *args):
        """Replace the samples of each shard by a function of these samples."""
        self.shards.broadcast("change", function, *args)
        return self


def _n_inputs(samples):
    return samples.n_inputs


def _weight_sum(samples):
    return samples.mean_weight * len(samples)
