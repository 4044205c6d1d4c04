"""Both estimators describe their shared parameters and attributes identically."""

import inspect

import pytest
from numpydoc.docscrape import NumpyDocString
from sklearn.utils._testing import assert_docstring_consistency

from skbackprop import (
    BackpropClassifier,
    BackpropEnsembleClassifier,
    BackpropEnsembleRegressor,
    BackpropRegressor,
)

ESTIMATORS = [BackpropClassifier, BackpropRegressor]

#: Entries of both estimators that differ intentionally: section, name and reason.
DIFFERENT = [
    ("Parameters", "hidden_layer_sizes", "names the equivalent linear model"),
    ("Parameters", "loss", "different losses"),
    ("Parameters", "output_activation", "different defaults and restrictions"),
    ("Parameters", "standardize", "the regressor also standardizes the targets"),
    ("Parameters", "init", "the classifier sets the output biases"),
    ("Parameters", "validation_fraction", "the classifier stratifies the split"),
]

#: Entries that only one of the estimators has.
UNSHARED = {
    "Parameters": {"class_weight", "quantile"},
    "Attributes": {"classes_", "target_mean_", "target_scale_"},
}


def entries_of(cls, section):
    """Return the type and the description of each entry of a docstring section."""
    doc = NumpyDocString(inspect.getdoc(cls))
    return {
        entry.name: (entry.type, " ".join(" ".join(entry.desc).split()))
        for entry in doc[section]
    }


def different_entries(section):
    return {name for where, name, _ in DIFFERENT if where == section}


@pytest.mark.parametrize("section", ["Parameters", "Attributes"])
def test_lists_of_unshared_entries_are_complete(section):
    classifier, regressor = (entries_of(cls, section) for cls in ESTIMATORS)
    assert len(classifier.keys() & regressor.keys()) > 15
    assert classifier.keys() ^ regressor.keys() == UNSHARED[section]


def test_shared_entries_are_identical():
    # If scikit-learn cannot compare an entry, it warns, and pytest raises an error.
    excluded = {
        section: sorted(different_entries(section) | UNSHARED[section])
        for section in UNSHARED
    }
    assert_docstring_consistency(
        ESTIMATORS,
        include_params=True,
        exclude_params=excluded["Parameters"],
        include_attrs=True,
        exclude_attrs=excluded["Attributes"],
    )


@pytest.mark.parametrize(("section", "name", "reason"), DIFFERENT)
def test_entries_listed_as_different_differ(section, name, reason):
    classifier, regressor = (entries_of(cls, section)[name] for cls in ESTIMATORS)
    assert classifier != regressor


@pytest.mark.parametrize("name", [name for _, name, _ in DIFFERENT])
def test_entries_listed_as_different_share_first_sentence(name):
    begin = entries_of(BackpropClassifier, "Parameters")[name][1].split(". ")[0]
    assert entries_of(BackpropRegressor, "Parameters")[name][1].startswith(begin)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_methods_describe_shared_parameters_identically(cls):
    # scikit-learn identifies functions by name, so the methods must have one class.
    names = ["partial_fit", "predict", "hidden_activations", "input_gradients"]
    if cls is BackpropClassifier:
        names += ["predict_proba", "predict_log_proba", "decision_function"]
    methods = [getattr(cls, name) for name in names]
    assert_docstring_consistency(methods, include_params=["X"])
    assert_docstring_consistency(
        [cls.fit, cls.partial_fit], include_params=["sample_weight"]
    )
    assert_docstring_consistency([cls.fit, cls.partial_fit], include_returns=["self"])


def test_ensembles_describe_shared_entries_identically():
    assert_docstring_consistency(
        [BackpropEnsembleClassifier, BackpropEnsembleRegressor],
        include_params=["n_jobs", "random_state", "verbose"],
        include_attrs=["n_features_in_", "feature_names_in_"],
    )


@pytest.mark.parametrize("section", ["Parameters", "Returns", "Raises"])
def test_partial_fit_is_described_identically(section):
    classifier, regressor = (entries_of(cls.partial_fit, section) for cls in ESTIMATORS)
    shared = classifier.keys() & regressor.keys() - {"y"}
    assert shared
    assert {n: classifier[n] for n in shared} == {n: regressor[n] for n in shared}
