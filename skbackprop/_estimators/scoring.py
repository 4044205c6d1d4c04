"""Validation loss and score after each epoch."""

from math import isfinite

from sklearn.metrics import get_scorer

from ..core.layout import BLOCK_ROWS


class ValidationScorer:
    """Callable that computes the loss and the score of the validation samples.

    Parameters
    ----------
    objective : Objective
        Objective of the network in training.
    samples : Samples
        Validation samples with scaled targets and class weights, for the loss.
    scorer : EstimatorScorer, default=None
        Scorer of the estimator. If None, the score is the negative loss.
    """

    def __init__(self, objective, samples, scorer=None):
        self.objective, self.samples, self.scorer = objective, samples, scorer
        n_rows = min(len(samples), BLOCK_ROWS)
        self.work = objective.workspace(samples, n_rows)

    def __call__(self):
        """Return the loss and the score."""
        loss = self.loss()
        return loss, -loss if self.scorer is None else self.scorer()

    def loss(self):
        """Return the loss."""
        return self.objective.mean_loss(self.samples, self.work)


class EstimatorScorer:
    """Callable that scores an estimator on encoded samples.

    Parameters
    ----------
    estimator : BaseBackprop
        Estimator that reads encoded inputs.
    X : {ndarray, sparse matrix} of shape (n_samples, n_inputs)
        Encoded inputs.
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Target values in the original units.
    sample_weight : ndarray of shape (n_samples,) or None
        Sample weights.
    scoring : str or callable
        Parameter of the estimators.
    """

    def __init__(self, estimator, X, y, sample_weight, scoring):
        self.estimator, self.X, self.y = estimator, X, y
        weighted = sample_weight is not None
        self.score_params = {"sample_weight": sample_weight} if weighted else {}
        self.scoring, self.scorer = scoring, get_scorer(scoring)

    def __call__(self):
        """Return the score."""
        try:
            score = float(
                self.scorer(self.estimator, self.X, self.y, **self.score_params)
            )
        except (AttributeError, TypeError, ValueError) as error:
            weight = ", sample_weight" if self.score_params else ""
            raise ValueError(
                f"scoring={self.scoring!r} failed on the validation samples: {error}. "
                f"A scorer must accept an estimator, X, y{weight} and return a number."
            ) from error
        if not isfinite(score):
            raise ValueError(
                f"scoring={self.scoring!r} returned {score} on the validation samples. "
                "A scorer must return a finite number."
            )
        return score
