"""Prediction intervals from the out-of-fold predictions of an ensemble (CV+)."""

from dataclasses import dataclass

import numpy as np

from .._data.checks import to_unit_scale

#: Factor of ranks. Without the factor, rounding errors could increase a rank by one.
ROUNDING = 1.0 - 1e-12


@dataclass(frozen=True)
class ConformityScores:
    """Distances of the training targets from out-of-fold intervals.

    Parameters
    ----------
    scores : list of ndarray of shape (n_validation, n_targets)
        Sorted scores of the validation rows of each member. A score is positive if the
        target is outside the interval that the member predicts.
    weights : list of ndarray of shape (n_validation + 1, n_targets)
        Total weight of the smallest scores: element ``i`` is the weight of the first
        ``i`` scores. The mean weight of a training sample is 1.
    n_samples : int
        Number of training samples with scores and a positive weight.
    """

    scores: list
    weights: list
    n_samples: int

    @classmethod
    def fit(cls, y, sample_weight, folds, lower, upper):
        """Compute the scores.

        Parameters
        ----------
        y : ndarray of shape (n_samples, n_targets)
            Training targets.
        sample_weight : ndarray of shape (n_samples,) or None
            Sample weights. Samples with negative weights are ignored.
        folds : list of Fold
            Validation rows of each member.
        lower, upper : list of ndarray of shape (n_validation, n_targets)
            Interval that each member predicts for its validation rows. For networks
            that predict the mean, both bounds are the prediction.

        Returns
        -------
        ConformityScores
        """
        weight = np.ones(len(y))
        if sample_weight is not None:
            weight = np.maximum(to_unit_scale(sample_weight), 0.0)
        n_folds = np.zeros(len(y))
        for fold in folds:
            np.add.at(n_folds, fold.validation, 1.0)
        weight = np.divide(weight, n_folds, out=np.zeros(len(y)), where=n_folds > 0.0)
        n_samples = int(np.count_nonzero(weight))
        weight *= n_samples / (weight @ n_folds)
        scores, weights = [], []
        for fold, low, high in zip(folds, lower, upper):
            rows = fold.validation
            score = np.maximum(low - y[rows], y[rows] - high)
            order = score.argsort(axis=0)
            scores.append(np.take_along_axis(score, order, axis=0))
            zero = np.zeros((1, y.shape[1]))
            weights.append(np.concatenate([zero, weight[rows][order].cumsum(axis=0)]))
        return cls(scores, weights, n_samples)

    def check_coverage(self, coverage):
        """Raise ValueError if there are too few training samples for a coverage."""
        if self._rank(coverage) > self.n_samples:
            fraction = coverage * ROUNDING
            raise ValueError(
                f"coverage={coverage} requires at least "
                f"{int(np.ceil(fraction / (1.0 - fraction)))} training samples with a "
                "positive weight and an out-of-fold prediction, but the ensemble has "
                f"{self.n_samples}. Decrease coverage, or fit to more samples."
            )

    def _rank(self, coverage):
        """Return the rank of the score that bounds the interval."""
        return coverage * (self.n_samples + 1) * ROUNDING

    def extend(self, lower, upper, coverage):
        """Compute intervals for new samples.

        Barber, Candes, Ramdas and Tibshirani (2021), definition of CV+ in section 3;
        for quantiles with the scores of Romano, Patterson and Candes (2019),
        equation 6.

        Parameters
        ----------
        lower, upper : ndarray of shape (n_members, n_samples, n_targets)
            Intervals that the members predict.
        coverage : float
            Nominal coverage.

        Returns
        -------
        ndarray of shape (n_samples, n_targets, 2)
            Lower and upper bounds.
        """
        rank = self._rank(coverage)
        bounds = np.empty((*lower.shape[1:], 2))
        for j in range(lower.shape[2]):
            scores = [score[:, j] for score in self.scores]
            weights = [weight[:, j] for weight in self.weights]
            bounds[:, j, 0] = -_upper_bound(-lower[:, :, j], scores, weights, rank)
            bounds[:, j, 1] = _upper_bound(upper[:, :, j], scores, weights, rank)
        # Negative scores shorten an interval, possibly by more than its length. An
        # empty interval becomes a point.
        is_empty = bounds[..., 0] > bounds[..., 1]
        bounds[is_empty] = (0.5 * bounds[is_empty]).sum(axis=-1, keepdims=True)
        return bounds


def _upper_bound(predictions, scores, weights, rank):
    """Return the smallest bounds above scores with a given total weight.

    The bound ``t`` of a sample satisfies ``prediction + score <= t`` for predictions
    and scores of the same member with a total weight of at least `rank`.

    Parameters
    ----------
    predictions : ndarray of shape (n_members, n_samples)
        Predictions of the members.
    scores, weights : list of ndarray
        See `ConformityScores`, for one target.
    rank : float
        Total weight.

    Returns
    -------
    ndarray of shape (n_samples,)
    """
    # If all members agreed, the bound would be the prediction plus this score.
    score = _weighted_quantile(scores, weights, rank)
    low = np.nextafter(predictions.min(axis=0) + score, -np.inf)
    high = predictions.max(axis=0) + score
    while True:
        middle = low + 0.5 * (high - low)
        # The comparisons are false if an output of a network is not finite.
        if not ((low < middle) & (middle < high)).any():
            return high
        total = np.zeros(len(middle))
        for prediction, score, weight in zip(predictions, scores, weights):
            total += weight[score.searchsorted(middle - prediction, side="right")]
        is_enough = total >= rank
        high = np.where(is_enough, middle, high)
        low = np.where(is_enough, low, middle)


def _weighted_quantile(scores, weights, rank):
    """Return the smallest score such that all scores up to it have weight `rank`."""
    pooled = np.concatenate(scores)
    order = pooled.argsort()
    weight = np.concatenate([np.diff(total) for total in weights])[order]
    position = weight.cumsum().searchsorted(rank)
    return pooled[order[min(position, len(order) - 1)]]  # the sum is not exact
