"""Validation loss and score after each epoch."""

from math import isfinite, nan

from sklearn.metrics import get_scorer

from .._data.checks import to_unit_scale
from ..core.layout import BLOCK_ROWS
from .callback_support import without_callbacks
from .fitted import fitted_parts


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
        n_rows = min(samples.n_samples, BLOCK_ROWS)
        self.work = objective.workspace(samples, n_rows)

    def __call__(self):
        """Return the loss and the score; the score is NaN if the outputs overflow."""
        loss = self.loss()
        if self.scorer is None:
            return loss, -loss
        # Scorers of scikit-learn raise an error if predictions are not finite.
        return loss, self.scorer() if isfinite(loss) else nan

    def loss(self):
        """Return the loss."""
        return self.objective.mean_loss(self.samples, self.work)


class EstimatorScorer:
    """Callable that scores the network in training with a scikit-learn scorer.

    Parameters
    ----------
    estimator : BaseBackprop
        Estimator in training.
    samples : TrainingSamples
        Validation samples with targets in the original units.
    """

    def __init__(self, estimator, samples):
        samples = samples.materialize()
        self.estimator = make_scored_estimator(estimator)
        self.X, self.y = samples.X, estimator._reader.targets.decode(samples)
        self.scoring = estimator.scoring
        weight = samples.weight
        if isinstance(self.scoring, str):  # a weighted mean, unlike some user functions
            weight = to_unit_scale(weight)
        self.score_params = {} if weight is None else {"sample_weight": weight}
        self.scorer = get_scorer(self.scoring)

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


def make_scored_estimator(estimator):
    """Return an estimator that predicts from encoded inputs with the same network.

    A subclass may override `predict`, for example to transform the inputs or the
    targets. The validation samples are already transformed. Therefore the class of this
    library predicts, not the subclass.

    Parameters
    ----------
    estimator : BaseBackprop
        Estimator in training.

    Returns
    -------
    BackpropClassifier or BackpropRegressor
        Estimator with the same attributes, except callbacks and feature names.
    """
    scored = estimator._make_unfitted()
    vars(scored).update(without_callbacks(vars(estimator)))
    vars(scored).pop("feature_names_in_", None)
    reader, architecture, state = fitted_parts(estimator)
    scored.n_features_in_ = state.network.sizes[0]
    scored._adopt(reader.without_encoding(), architecture, state)
    return scored
