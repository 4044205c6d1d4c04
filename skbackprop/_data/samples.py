"""Training samples with the statistics and the weights that a fit needs."""

import copy

import numpy as np

from ..core.constant_prediction import best_constant, sum_of_constant
from ..core.layout import BLOCK_ROWS
from ..core.samples import Samples
from .scaling import FittedScalers


class TrainingSamples(Samples):
    """Samples with the statistics and transformations of a fit.

    The Dask estimators compute the same statistics on partitions and merge them.
    """

    def class_counts(self, n_classes):
        """Compute the total positive sample weight of each class, for each output.

        Parameters
        ----------
        n_classes : int
            Number of classes. Not used for a label indicator.

        Returns
        -------
        ndarray of shape (1, n_classes) or (n_labels, 2)
            For a label indicator, the weights of samples without and with each label.
        """
        rows = slice(None) if self.rows is None else self.rows
        # Samples with negative weights do not count: frequencies are not negative.
        weight = None if self.weight is None else np.maximum(self.weight[rows], 0.0)
        if self.codes is not None:
            counts = np.bincount(self.codes[rows], weight, n_classes)
            return counts[np.newaxis].astype(float)
        if weight is None:
            weight = np.ones(self.n_samples)
        present = weight.astype(float) @ self.targets[rows]
        return np.column_stack([weight.sum(dtype=float) - present, present])

    def best_constant(self, loss):
        """Return the best constant outputs; see `core.constant_prediction`.

        For classes, the best constant outputs are the class frequencies.
        """
        if self.codes is None:
            return best_constant(loss, self.take(self.targets), self.take(self.weight))
        n_outputs = self.targets.shape[1]
        counts = self.class_counts(max(n_outputs, 2))[0]
        # The total is zero if a Dask worker stores only samples without weight.
        frequencies = counts / (counts.sum() or 1.0)
        return frequencies if self.has_one_hot_targets else frequencies[1:]

    def sum_of_constant(self, objective, constant):
        """Return sums of losses and errors; see `core.constant_prediction`."""
        return sum_of_constant(objective, self, constant)

    def loss_sum(self, objective, n_rows):
        """Return the sum of the losses in blocks of `n_rows`."""
        work = objective.workspace(self, min(n_rows, self.n_samples, BLOCK_ROWS))
        return self.n_samples * objective.mean_loss(self, work)

    def fit_scalers(self, target_scaling):
        """Fit scalers to the samples; see `FittedScalers.fit`."""
        return FittedScalers.fit(self, target_scaling)

    def with_class_weights(self, class_weights):
        """Multiply the sample weights by class weights.

        Parameters
        ----------
        class_weights : ndarray of shape (n_outputs, n_classes)
            Weight of each class; for a label indicator, weights of the absence
            and the presence of each label.

        Returns
        -------
        TrainingSamples
            The factor of a sample with several labels is the product over the labels.
        """
        if self.codes is not None:
            factors = class_weights[0, self.codes]
        else:
            absent, present = class_weights.T
            factors = np.where(self.targets > 0, present, absent).prod(axis=1)
        if self.weight is not None:
            with np.errstate(over="ignore"):  # the caller checks the mean weight
                factors = factors * self.weight
        return self.with_weight(factors)

    def with_scaled_targets(self, scalers, dtype):
        """Scale the targets, and convert them to the dtype of the network."""
        replaced = copy.copy(self)
        # Column order, as in `Samples`, because gathering rows is then faster.
        replaced.targets = np.asfortranarray(scalers.scale_targets(self.targets, dtype))
        return replaced
