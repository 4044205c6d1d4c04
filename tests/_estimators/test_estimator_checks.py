"""The estimator checks of scikit-learn, for activations, losses and solvers.

Most checks do not depend on activation, loss and solver. The default tier runs all
checks for each solver. The checks that do depend on these components,
`COMPONENT_DEPENDENT`, also run for a sample of settings that covers every pair of
activation, loss and solver. The slow tier runs all checks for all settings.
"""

from contextlib import suppress
from functools import partial
from itertools import combinations, product
from unittest import SkipTest

import pytest
from all_pairs import all_pairs
from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator

from skbackprop import BackpropClassifier, BackpropRegressor
from skbackprop._estimators.parameters import losses_for
from skbackprop.core.activations import ACTIVATIONS
from skbackprop.core.optimizers import OPTIMIZERS

# L-BFGS and RMSprop are limited to few iterations because some checks compare fits that
# differ by rounding errors, which grow with every iteration.
SOLVER_SETTINGS = {
    "lbfgs": {"hidden_layer_sizes": (16,), "max_iter": 30},
    "rmsprop": {"max_iter": 50},
}
# The Poisson loss has exponential gradients. They overflow with plain gradient descent
# on the sparse inputs of a check, and oscillate in the first epochs with RMSprop.
POISSON_SETTINGS = {"sgd": {"clip_norm": 1.0}, "rmsprop": {"n_iter_no_change": 30}}
ACTIVATION_NAMES = sorted(set(ACTIVATIONS) - {"logistic"})  # an alias of "sigmoid"
SOLVERS = ["lbfgs", *OPTIMIZERS]
CLASSIFIER_FACTORS = (
    ACTIVATION_NAMES,
    sorted(losses_for("classification")),
    SOLVERS,
)
REGRESSOR_FACTORS = (ACTIVATION_NAMES, sorted(losses_for("regression")), SOLVERS)

#: Checks whose outcome depends on activation, loss or solver.
COMPONENT_DEPENDENT = {
    "check_class_weight_classifiers",
    "check_classifiers_classes",
    "check_classifiers_train",
    "check_decision_proba_consistency",
    "check_estimators_dtypes",
    "check_estimators_pickle",
    "check_fit2d_1sample",
    "check_fit_idempotent",
    "check_methods_subset_invariance",
    "check_non_transformer_estimators_n_iter",
    "check_readonly_memmap_input",
    "check_regressor_multioutput",
    "check_regressors_int",
    "check_regressors_train",
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
}

pytestmark = pytest.mark.filterwarnings("ignore")  # some checks provoke warnings


def make_classifier(activation, loss, solver):
    settings = SOLVER_SETTINGS.get(solver, {})
    return BackpropClassifier(
        activation=activation, loss=loss, solver=solver, **settings
    )


def make_regressor(activation, loss, solver):
    settings = SOLVER_SETTINGS.get(solver, {})
    if loss == "poisson":
        settings = settings | POISSON_SETTINGS.get(solver, {})
    return BackpropRegressor(
        activation=activation, loss=loss, solver=solver, **settings
    )


def grid(factors, default_loss):
    """Return all settings. Only the default activation and loss are not slow."""
    return [
        setting
        if setting[:2] == ("relu", default_loss)
        else pytest.param(setting, marks=pytest.mark.slow)
        for setting in product(*factors)
    ]


def component_dependent_checks(estimator):
    """Yield the name of each component-dependent check, and a function that runs it."""
    for instance, check in estimator_checks_generator(estimator):
        if check.func.__name__ in COMPONENT_DEPENDENT:
            yield check.func.__name__, partial(check, instance)


def run_component_dependent_checks(estimator):
    for _, run in component_dependent_checks(estimator):
        with suppress(SkipTest):
            run()


@pytest.mark.parametrize("make", [BackpropClassifier, BackpropRegressor])
def test_all_checks_of_default_estimators(make):
    check_estimator(make())


@pytest.mark.parametrize("make", [BackpropClassifier, BackpropRegressor])
def test_all_checks_of_estimators_with_bins(make):
    results = check_estimator(make(n_bins=8), on_fail=None)
    for result in results:
        # scikit-learn 1.6 passes sparse X to all estimators in one check.
        if result["status"] == "failed":
            message = str(result["exception"])
            assert "n_bins=8 is not supported with sparse X" in message


@pytest.mark.parametrize("setting", grid(CLASSIFIER_FACTORS, "log_loss"), ids="-".join)
def test_all_checks_of_classifiers(setting):
    check_estimator(make_classifier(*setting))


@pytest.mark.parametrize(
    "setting", grid(REGRESSOR_FACTORS, "squared_error"), ids="-".join
)
def test_all_checks_of_regressors(setting):
    check_estimator(make_regressor(*setting))


@pytest.mark.parametrize("setting", all_pairs(*CLASSIFIER_FACTORS), ids="-".join)
def test_component_dependent_checks_of_classifiers(setting):
    run_component_dependent_checks(make_classifier(*setting))


@pytest.mark.parametrize("setting", all_pairs(*REGRESSOR_FACTORS), ids="-".join)
def test_component_dependent_checks_of_regressors(setting):
    run_component_dependent_checks(make_regressor(*setting))


@pytest.mark.parametrize("factors", [CLASSIFIER_FACTORS, REGRESSOR_FACTORS])
def test_sample_of_settings_covers_all_pairs(factors):
    sample = all_pairs(*factors)
    assert len(sample) == len(set(sample))
    for (i, first), (j, second) in combinations(enumerate(factors), 2):
        for pair in product(first, second):
            assert any((setting[i], setting[j]) == pair for setting in sample)


def test_scikit_learn_has_all_component_dependent_checks():
    names = {
        name
        for make in (BackpropClassifier, BackpropRegressor)
        for name, _ in component_dependent_checks(make())
    }
    assert names == COMPONENT_DEPENDENT
