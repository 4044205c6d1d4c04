"""Samples held out for early stopping: how they are split off, and judged."""

import copy
from math import ceil, isfinite

import numpy as np
from sklearn.metrics import get_scorer
from sklearn.model_selection import train_test_split

from .core.network import BLOCK_ROWS


def check_some_weight(samples, what):
    """Raise ValueError where every sample weighs nothing."""
    if samples.mean_weight == 0.0:
        raise ValueError(
            f"sample_weight must be positive for at least one of the samples {what}, "
            "got only zeros."
        )


def split(samples, fraction, rng):
    """Hold out a share of the samples, stratified by class where that can be.

    Parameters
    ----------
    samples : Samples
        All of them.
    fraction : float
        The share.
    rng : numpy.random.RandomState
        Advanced as scikit-learn's `train_test_split` does.

    Returns
    -------
    samples : Samples
        Those to train on, a subset that is not copied.
    held_out : Samples
        The others, not copied either.
    """
    n = len(samples)
    n_held_out = ceil(fraction * n)
    if n_held_out < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the "
            f"size of your dataset: {fraction} of {n} samples is {n_held_out}, allowed "
            "are 2 or more."
        )
    if n_held_out == n:
        raise ValueError(
            f"No sample is left to train on: validation_fraction={fraction} of {n} "
            "samples is all. Lower it, or enlarge the dataset."
        )
    train, rest = train_test_split(
        np.arange(n),
        test_size=fraction,
        random_state=rng,
        stratify=_strata(samples.codes, n, n_held_out),
    )
    held_out = samples.subset(rest)
    check_some_weight(held_out, "held out for validation")
    return samples.subset(train), held_out


def _strata(codes, n_samples, n_held_out):
    """Return what to stratify a split by, None where it can't be done."""
    if codes is None:
        return None
    counts = np.bincount(codes)
    counts = counts[counts > 0]
    splittable = counts.min() >= 2
    roomy = min(n_held_out, n_samples - n_held_out) >= counts.size
    return codes if splittable and roomy else None


class Judge:
    """Measures loss and score of held-out samples, whenever it is called.

    Parameters
    ----------
    objective : Objective
        Of the network that is trained.
    held_out : Samples
        What it is judged by, with targets as they are learned.
    scoring : str or callable
        "loss", the name of a scorer, or a scorer.
    estimator : BaseEstimator
        Fitted with that network.
    given : Samples
        The same samples, with targets as they came.
    """

    def __init__(self, objective, held_out, scoring, estimator, given):
        self.objective, self.held_out, self.scoring = objective, held_out, scoring
        self.work = objective.workspace(held_out, min(len(held_out), BLOCK_ROWS))
        by_loss = isinstance(scoring, str) and scoring == "loss"
        self.scorer = None if by_loss else get_scorer(scoring)
        if by_loss:
            return
        # A scorer wants arrays; the loss takes the rows from where they are.
        self.copied = given.copied()
        self.y = estimator._decode(self.copied)
        self.estimator = copy.copy(estimator)
        # The held-out rows are an array, and encoded: do not look for names in it.
        vars(self.estimator).pop("feature_names_in_", None)
        self.estimator._encoder = None
        self.estimator.n_features_in_ = self.copied.X.shape[1]

    def __call__(self):
        """Return the loss and the score, which is minus the loss without a scorer."""
        loss = self.loss()
        return loss, -loss if self.scorer is None else self._score()

    def loss(self):
        """Return the loss alone."""
        return self.objective.mean_loss(self.held_out, self.work)

    def _score(self):
        X, weight = self.copied.X, self.copied.weight
        weighted = {} if weight is None else {"sample_weight": weight}
        try:
            score = float(self.scorer(self.estimator, X, self.y, **weighted))
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(
                f"scoring={self.scoring!r} failed on the samples held out for "
                f"validation: {error}. Allowed is a scorer that takes the estimator, "
                f"X, y{', sample_weight' if weighted else ''} and returns a number."
            ) from error
        if not isfinite(score):
            raise ValueError(
                f"scoring={self.scoring!r} returned {score} for the samples held out "
                "for validation; allowed are finite numbers."
            )
        return score
