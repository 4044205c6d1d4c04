"""Converters of the ensembles: one graph that averages the members.

The members read the same columns with different scalers. The runtime merges the nodes
that are equal in all members, such as the one-hot encoding.
"""

from functools import reduce
from operator import add

import numpy as np

from .converters import (
    clip_probabilities,
    get_network_outputs,
    get_probabilities,
    label_classes,
    returns_raw_scores,
    unscale_outputs,
)
from .graph import Graph, hstack, log
from .model import network_models


def convert_ensemble_classifier(scope, operator, container):
    """Add the nodes of a BackpropEnsembleClassifier to a graph."""
    graph, estimator = Graph(scope, container), operator.raw_operator
    models = network_models(estimator)
    mean = _mean(
        _to_distribution(
            model, get_network_outputs(graph, operator.inputs, estimator, model)[1]
        )
        for model in models
    )
    labels, probabilities = operator.outputs
    kind, classes = models[0].target_type, label_classes(scope, estimator)
    graph.write_output(_predict_labels(kind, mean, classes), labels)
    if returns_raw_scores(scope, estimator):
        graph.write_output(_raw_scores(kind, mean), probabilities)
    else:
        clipped = clip_probabilities(models[0], mean, probabilities)
        graph.write_output(clipped, probabilities)


def convert_ensemble_regressor(scope, operator, container):
    """Add the nodes of a BackpropEnsembleRegressor to a graph."""
    graph, estimator = Graph(scope, container), operator.raw_operator
    predictions = []
    for model in network_models(estimator):
        _, outputs = get_network_outputs(graph, operator.inputs, estimator, model)
        predictions.append(unscale_outputs(model, outputs.astype(np.float64)))
    graph.write_output(_mean(predictions), operator.outputs[0])


def _mean(tensors):
    tensors = list(tensors)
    return reduce(add, tensors) / float(len(tensors))


def _to_distribution(model, outputs):
    """Return the probabilities of one member in float64."""
    probabilities = clip_probabilities(model, get_probabilities(model, outputs))
    probabilities = probabilities.astype(np.float64)
    if model.target_type == "multilabel":
        return probabilities
    return probabilities / probabilities.reduce_rows("ReduceSum")


def _predict_labels(kind, probabilities, classes):
    """Return the predicted labels; see `BackpropEnsembleClassifier.predict`."""
    if kind == "multilabel":
        return probabilities > 0.5
    codes = probabilities.apply(
        "ArgMax", dtype=np.int64, attributes={"axis": 1, "keepdims": 0}
    )
    return probabilities.graph.constant(classes).apply("Gather", codes)


def _raw_scores(kind, probabilities):
    """Return the values of `decision_function`."""
    if kind == "multilabel":
        return log(probabilities) - log(1.0 - probabilities)
    scores = log(probabilities)
    if kind == "multiclass":
        return scores
    negative, positive = (scores.take_columns([column]) for column in (0, 1))
    return hstack([negative - positive, positive - negative])
