"""Small ensembles and mixed data for the tests of ensembles."""

import numpy as np
import pandas as pd
import pytest

from skbackprop import (
    BackpropClassifier,
    BackpropEnsembleClassifier,
    BackpropEnsembleRegressor,
    BackpropRegressor,
)

N_SAMPLES = 60
rng = np.random.default_rng(0)
NUMERIC = rng.normal(size=(N_SAMPLES, 3))
MIXED = pd.DataFrame(NUMERIC, columns=["a", "b", "c"]).assign(
    color=pd.Categorical(rng.choice(["blue", "green", "red"], N_SAMPLES))
)
MIXED.loc[::7, "a"] = np.nan
CLASSES = np.array(["no", "maybe", "yes"])[np.digitize(NUMERIC[:, 1], [-0.5, 0.5])]
BINARY = np.where(NUMERIC[:, 1] > 0, "yes", "no")
LABELS = (NUMERIC > 0).astype(int)
NUMBERS = NUMERIC[:, 1] + 0.1 * rng.normal(size=N_SAMPLES)
SMALL = {
    "hidden_layer_sizes": (6,),
    "learning_rate": "cosine",
    "learning_rate_init": 0.05,
    "max_iter": 5,
    "batch_size": 10,
}
WEIGHT = rng.uniform(0.5, 2.0, N_SAMPLES)
ENSEMBLES = pytest.mark.parametrize(
    ("make", "y"),
    [
        (lambda **params: classifier(**params), CLASSES),
        (lambda **params: regressor(**params), NUMBERS),
    ],
    ids=["classifier", "regressor"],
)


def classifier(cv=3, network=None, **params):
    network = BackpropClassifier(**SMALL, loss="log_loss").set_params(**(network or {}))
    return BackpropEnsembleClassifier(network, cv=cv, random_state=0, **params)


def regressor(cv=3, network=None, **params):
    network = BackpropRegressor(**SMALL).set_params(**(network or {}))
    return BackpropEnsembleRegressor(network, cv=cv, random_state=0, **params)


def predict_all(ensemble, X):
    """Return the probabilities or the predictions of an ensemble."""
    is_classifier = hasattr(ensemble, "predict_proba")
    return ensemble.predict_proba(X) if is_classifier else ensemble.predict(X)
