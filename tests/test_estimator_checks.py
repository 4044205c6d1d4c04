"""scikit-learn's own checks, over the grid of activation x loss x solver."""

from itertools import product

import pytest
from sklearn.utils.estimator_checks import check_estimator

from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop.core.activations import ACTIVATIONS
from skbackprop.core.losses import losses_for
from skbackprop.core.optimizers import OPTIMIZERS

# The checks fit 200 epochs of one or two steps each, and ask for a fair score:
# rates that suit so short a training. Regressors meet unscaled targets too.
RATES = {"sgd": 0.1, "adam": 0.01, "adamw": 0.01, "rmsprop": 0.003, "lbfgs": 0.001}
ACTIVATION_NAMES = sorted(set(ACTIVATIONS) - {"logistic"})  # "sigmoid" it is


def small_classifier(activation, loss, solver):
    rate = 0.5 if (solver, loss) == ("sgd", "squared_error") else RATES[solver]
    return BackpropClassifier(
        (16,), activation, loss=loss, solver=solver, learning_rate_init=rate
    )


def small_regressor(activation, loss, solver):
    return BackpropRegressor(
        (16,),
        activation,
        loss=loss,
        solver=solver,
        learning_rate_init=RATES[solver],
        clip_norm=1.0 if solver == "sgd" else None,
    )


@pytest.mark.filterwarnings("ignore")  # some checks provoke warnings
@pytest.mark.parametrize("make", [BackpropClassifier, BackpropRegressor])
def test_defaults(make):
    check_estimator(make())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("solver", ["lbfgs", *OPTIMIZERS])
def test_classifier_of_every_solver(solver):
    check_estimator(small_classifier("relu", "log_loss", solver))


@pytest.mark.grid
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "combination",
    product(ACTIVATION_NAMES, sorted(losses_for("classification")), ["lbfgs", *OPTIMIZERS]),
    ids="-".join,
)
def test_grid_of_classifiers(combination):
    check_estimator(small_classifier(*combination))


@pytest.mark.grid
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "combination",
    product(ACTIVATION_NAMES, sorted(losses_for("regression")), ["lbfgs", *OPTIMIZERS]),
    ids="-".join,
)
def test_grid_of_regressors(combination):
    check_estimator(small_regressor(*combination))
