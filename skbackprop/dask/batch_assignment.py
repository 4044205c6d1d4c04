"""Assignment of the rows of all partitions to the mini-batches of an epoch."""

from dataclasses import dataclass

import numpy as np

#: The fractional parts of the multiples of the golden ratio are evenly distributed, for
#: any range of consecutive integers.
GOLDEN_RATIO = (1 + 5**0.5) / 2


@dataclass(frozen=True)
class BatchAssignment:
    """Assignment of the rows of all partitions to the steps of an epoch.

    Each step uses the same fraction of the rows of every partition. The rows of a step
    depend only on the partitions, not on the workers that store them.

    Parameters
    ----------
    n_steps : int
        Number of steps per epoch.
    shuffle : bool
        Whether to shuffle the rows of each partition in each epoch.
    seed : int
        Seed of the shuffles.
    """

    n_steps: int
    shuffle: bool
    seed: int

    def rows_per_step(self, partition_id, size):
        """Return the number of rows of a partition in each step.

        Parameters
        ----------
        partition_id : int
            Index of the partition.
        size : int
            Number of rows of the partition.

        Returns
        -------
        ndarray of int of shape (n_steps,)
        """
        # Without an offset, all small partitions would have no rows in the same steps.
        offset = (partition_id * GOLDEN_RATIO) % 1.0
        ends = np.arange(self.n_steps + 1) * size / self.n_steps - offset
        return np.diff(np.ceil(ends).astype(int))

    def rows_by_step(self, partition_sizes, epoch):
        """Return the rows of several partitions, grouped by step.

        Parameters
        ----------
        partition_sizes : dict of int
            Number of rows of each partition, by partition index. The rows of the
            partitions are consecutive, in the order of the dict.
        epoch : int
            Index of the epoch.

        Returns
        -------
        list of ndarray of int
            Row indices of each step.
        """
        rows, counts, first = [], [], 0
        for partition_id, size in partition_sizes.items():
            rows.append(first + self._row_order(partition_id, size, epoch))
            counts.append(self.rows_per_step(partition_id, size))
            first += size
        steps = [np.repeat(np.arange(self.n_steps), count) for count in counts]
        by_step = np.argsort(np.concatenate(steps), kind="stable")
        ends = np.cumsum(np.sum(counts, axis=0))
        return np.split(np.concatenate(rows)[by_step], ends[:-1])

    def _row_order(self, partition_id, size, epoch):
        if not self.shuffle:
            return np.arange(size)
        rng = np.random.RandomState([self.seed, epoch, partition_id])
        return rng.permutation(size)
