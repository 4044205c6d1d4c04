"""Classification targets with a single class."""

import warnings

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import DataConversionWarning
from sklearn.model_selection import learning_curve
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from small_fits import TWO_CLASSES, X, classifier, ignore_convergence_warning

from skbackprop import BackpropClassifier
from skbackprop._estimators.solvers import SOLVERS

pytestmark = ignore_convergence_warning
ZEROS = np.zeros(40, int)


def assert_constant(net, label):
    """Compare predictions with a forest, and check the decision function."""
    y = np.repeat(label, 40)
    forest = RandomForestClassifier(n_estimators=2).fit(X, y)
    np.testing.assert_array_equal(net.classes_, forest.classes_)
    assert net.classes_.dtype == forest.classes_.dtype
    np.testing.assert_array_equal(net.predict(X), forest.predict(X))
    np.testing.assert_array_equal(net.predict_proba(X), forest.predict_proba(X))
    np.testing.assert_array_equal(net.predict_log_proba(X), np.zeros((40, 1)))
    assert net.score(X, y) == 1.0
    scores = net.decision_function(X)
    assert scores.shape == (40,)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("label", [7, "only", True, 2.0, -1])
@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_single_class_is_predicted(label, loss, solver):
    net = classifier(solver=solver, loss=loss, max_iter=20)
    assert_constant(net.fit(X, np.repeat(label, 40)), label)
    assert np.isfinite(net.loss_)
    assert net.n_outputs_ == 1


@pytest.mark.parametrize("output", ["softmax", "logistic", "identity", "tanh", "relu"])
def test_all_output_activations_support_single_class(output):
    assert_constant(classifier(output_activation=output).fit(X, ZEROS), 0)


@pytest.mark.parametrize(
    "params",
    [
        {"early_stopping": True},
        {"early_stopping": True, "scoring": "accuracy"},
        {"class_weight": "balanced"},
        {"class_weight": {0: 2.0}},
        {"standardize": False, "dtype": "float32"},
        {"hidden_layer_sizes": ()},
    ],
    ids=str,
)
def test_single_class_with_other_parameters(params):
    assert_constant(classifier(**params).fit(X, ZEROS), 0)


def test_partial_fit_and_warm_start_with_single_class():
    net = classifier(warm_start=True).partial_fit(X, ZEROS, classes=[0])
    assert_constant(net.partial_fit(X, ZEROS), 0)
    assert_constant(net.fit(X, ZEROS), 0)
    with pytest.raises(ValueError, match="classes not in"):
        net.partial_fit(X, TWO_CLASSES)
    with pytest.raises(ValueError, match="same classes as in"):
        net.fit(X, TWO_CLASSES)
    assert_constant(net, 0)


@pytest.mark.parametrize("solver", SOLVERS)
def test_single_class_does_not_warn(solver):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        BackpropClassifier(solver=solver, max_iter=2).fit(X, np.ones(len(X)))


def test_class_without_weight_is_kept():
    net = classifier(max_iter=60, learning_rate_init=0.05)
    net.fit(X, TWO_CLASSES, sample_weight=TWO_CLASSES)
    assert net.classes_.tolist() == [0, 1]
    assert (net.predict(X) == 1).all()


@pytest.mark.parametrize("make", [np.asarray, csr_array])
def test_indicator_with_one_column_has_single_class(make):
    with pytest.warns(DataConversionWarning, match="column-vector"):
        net = classifier().fit(X, make(ZEROS[:, np.newaxis]))
    assert_constant(net, 0)


def test_constant_labels_of_indicator_are_learned():
    y = np.column_stack([ZEROS, ZEROS + 1])
    net = classifier(max_iter=100, learning_rate_init=0.05).fit(X, y)
    np.testing.assert_array_equal(net.predict(X), y)


def test_learning_curve_over_sorted_classes():
    data, y = load_iris(return_X_y=True)
    sizes, _, scores = learning_curve(
        classifier(), data, y, train_sizes=[10, 100], cv=3, error_score="raise"
    )
    assert sizes.tolist() == [10, 100]
    # The first ten training samples have a single class, a third of the test samples.
    np.testing.assert_allclose(scores[0], 1 / 3, atol=0.02)


def test_meta_estimators_with_constant_output():
    y = np.column_stack([ZEROS + 3, TWO_CLASSES])
    several = MultiOutputClassifier(classifier()).fit(X, y)
    assert (several.predict(X)[:, 0] == 3).all()
    assert [p.shape for p in several.predict_proba(X)] == [(40, 1), (40, 2)]
    chain = ClassifierChain(classifier()).fit(X, y)
    assert (chain.predict(X)[:, 0] == 3).all()
    assert chain.decision_function(X).shape == (40, 2)
