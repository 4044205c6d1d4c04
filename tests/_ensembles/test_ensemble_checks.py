"""The estimator checks of scikit-learn for the ensembles."""

import pytest
from sklearn.utils.estimator_checks import check_estimator
from small_ensembles import classifier, regressor

from skbackprop import BackpropEnsembleClassifier, BackpropEnsembleRegressor

pytestmark = pytest.mark.filterwarnings("ignore")  # some checks provoke warnings
# Some checks compare fits with different numbers of samples, which is only possible if
# all samples are in one batch.
CHECKED = {"batch_size": "auto", "learning_rate_init": 0.02, "max_iter": 100}


@pytest.mark.parametrize(
    "make", [BackpropEnsembleClassifier, BackpropEnsembleRegressor]
)
def test_default_ensembles_pass_all_checks(make):
    check_estimator(make())


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["log_loss", "squared_error"])
def test_classifiers_pass_all_checks(loss):
    ensemble = classifier()
    ensemble.estimator.set_params(loss=loss, **CHECKED)
    check_estimator(ensemble)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["huber", "quantile", "poisson"])
def test_regressors_pass_all_checks(loss):
    ensemble = regressor()
    ensemble.estimator.set_params(loss=loss, **CHECKED)
    check_estimator(ensemble)
