"""scikit-learn's own checks, over the grid of activation x loss x solver."""

from itertools import product

import pytest
from sklearn.utils.estimator_checks import check_estimator

from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop.core.activations import ACTIVATIONS
from skbackprop.core.losses import losses_for
from skbackprop.core.optimizers import OPTIMIZERS

# The checks fit a few hundred steps and ask for a fair score: rates that suit so
# short a training. L-BFGS is cut short, for some checks compare fits that agree
# but for rounding, which grows with every iteration over the kinks of a loss.
CLASSIFIER_SETTINGS = {
    "sgd": {"learning_rate_init": 0.2, "max_iter": 80},
    "adam": {"learning_rate_init": 0.02, "max_iter": 80},
    "adamw": {"learning_rate_init": 0.02, "max_iter": 80},
    "rmsprop": {"learning_rate_init": 0.005, "max_iter": 80},
    "lbfgs": {"max_iter": 30},
}
# Regressors meet unscaled targets too.
REGRESSOR_SETTINGS = {
    "sgd": {"learning_rate_init": 0.04, "clip_norm": 1.0, "max_iter": 150},
    "adam": {"learning_rate_init": 0.05, "max_iter": 100},
    "adamw": {"learning_rate_init": 0.05, "max_iter": 100},
    "rmsprop": {"learning_rate_init": 0.003, "beta_2": 0.99, "max_iter": 300},
    "lbfgs": {"max_iter": 30},
}
ACTIVATION_NAMES = sorted(set(ACTIVATIONS) - {"logistic"})  # "sigmoid" it is
SOLVERS = ["lbfgs", *OPTIMIZERS]


def small_classifier(activation, loss, solver):
    settings = CLASSIFIER_SETTINGS[solver]
    if (solver, loss) == ("sgd", "squared_error"):
        settings = {"learning_rate_init": 0.5, "max_iter": 80}
    return BackpropClassifier((16,), activation, loss=loss, solver=solver, **settings)


def small_regressor(activation, loss, solver):
    settings = REGRESSOR_SETTINGS[solver]
    return BackpropRegressor((16,), activation, loss=loss, solver=solver, **settings)


@pytest.mark.filterwarnings("ignore")  # some checks provoke warnings
@pytest.mark.parametrize("make", [BackpropClassifier, BackpropRegressor])
def test_defaults(make):
    check_estimator(make())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("solver", SOLVERS)
def test_classifier_of_every_solver(solver):
    check_estimator(small_classifier("relu", "log_loss", solver))


@pytest.mark.grid
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "combination",
    list(product(ACTIVATION_NAMES, sorted(losses_for("classification")), SOLVERS)),
    ids="-".join,
)
def test_grid_of_classifiers(combination):
    check_estimator(small_classifier(*combination))


@pytest.mark.grid
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "combination",
    list(product(ACTIVATION_NAMES, sorted(losses_for("regression")), SOLVERS)),
    ids="-".join,
)
def test_grid_of_regressors(combination):
    check_estimator(small_regressor(*combination))
