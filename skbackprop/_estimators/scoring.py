"""Validation loss and score after each epoch."""

import copy
from math import isfinite

from sklearn.metrics import get_scorer

from ..core.layout import BLOCK_ROWS


class ValidationScorer:
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
        self.copied = given.materialize()
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
