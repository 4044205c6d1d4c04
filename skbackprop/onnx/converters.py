"""Converters of the estimators, and the types of their outputs.

skl2onnx calls `infer_classifier_types` and `infer_regressor_types` before the
converters.
"""

import numpy as np
from skl2onnx.common.data_types import (
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)
from skl2onnx.common.utils_classifier import get_label_classes
from sklearn.utils.validation import check_is_fitted

from .features import Features, encode_columns
from .formulas import FORMULAS, check_activations
from .graph import Graph, clip, hstack, minimum, variable_dtype, where
from .model import network_model, network_models
from .versions import check_min_opset


def infer_classifier_types(operator):
    """Set the types of the labels and probabilities of a BackpropClassifier."""
    estimator = operator.raw_operator
    check_is_fitted(estimator)
    model = network_models(estimator)[0]
    labels, probabilities = operator.outputs
    n_samples = operator.inputs[0].get_first_dimension()
    shape = [n_samples, len(model.classes)]
    probabilities.set_type(_float_type(operator)(shape))
    classes = label_classes(operator.scope_inst, estimator)
    label_type = StringTensorType if classes.dtype.kind in "OU" else Int64TensorType
    is_multilabel = model.target_type == "multilabel"
    labels.set_type(label_type(shape if is_multilabel else shape[:1]))


def infer_regressor_types(operator):
    """Set the type of the predictions of a BackpropRegressor."""
    estimator = operator.raw_operator
    check_is_fitted(estimator)
    n_samples = operator.inputs[0].get_first_dimension()
    tensor_type = _float_type(operator)
    has_float32 = any(isinstance(v.type, FloatTensorType) for v in operator.inputs)
    network = network_models(estimator)[0].network
    if network.dtype == np.float64 and not has_float32:
        # Integers and strings do not lower the precision.
        tensor_type = DoubleTensorType
    operator.outputs[0].set_type(tensor_type([n_samples, network.sizes[-1]]))


def _float_type(operator):
    """Return float64 if an input has this type, else float32, as skl2onnx does."""
    has_float64 = any(isinstance(v.type, DoubleTensorType) for v in operator.inputs)
    return DoubleTensorType if has_float64 else FloatTensorType


def convert_classifier(scope, operator, container):
    """Add the nodes of a BackpropClassifier to a graph."""
    graph, estimator = Graph(scope, container), operator.raw_operator
    model = network_model(estimator)
    z, a = get_network_outputs(graph, operator.inputs, estimator, model)
    labels, probabilities = operator.outputs
    scores = _decision_scores(model, z, a)
    classes = label_classes(scope, estimator)
    graph.write_output(_predict_labels(model, scores, classes), labels)
    if returns_raw_scores(scope, estimator):
        is_binary = model.target_type == "binary"
        raw_scores = hstack([-scores, scores]) if is_binary else scores
        graph.write_output(raw_scores, probabilities)
        return
    clipped = clip_probabilities(model, get_probabilities(model, a), probabilities)
    graph.write_output(clipped, probabilities)


def convert_regressor(scope, operator, container):
    """Add the nodes of a BackpropRegressor to a graph."""
    graph, estimator = Graph(scope, container), operator.raw_operator
    model = network_model(estimator)
    _, outputs = get_network_outputs(graph, operator.inputs, estimator, model)
    graph.write_output(unscale_outputs(model, outputs), operator.outputs[0])


def unscale_outputs(model, outputs):
    """Convert network outputs to the units of the targets.

    Parameters
    ----------
    model : NetworkModel
        Network with the scales of the targets.
    outputs : Tensor
        Outputs of the network.

    Returns
    -------
    Tensor
        Columns of dtype float64 if the targets are scaled.
    """
    if model.target_scale is None:
        return outputs
    return outputs.astype(np.float64) * model.target_scale + model.target_shift


def get_network_outputs(graph, variables, estimator, model):
    """Add the nodes of a network; see `skbackprop.core.network`.

    Parameters
    ----------
    graph : Graph
        Graph to which nodes are added.
    variables : list of skl2onnx.common._topology.Variable
        Inputs of the operator.
    estimator : BaseEstimator
        Estimator with `n_features_in_` features.
    model : NetworkModel
        Network to add.

    Returns
    -------
    z, a : Tensor
        Weighted inputs and activations of the output layer.
    """
    check_min_opset(graph.container.target_opset_any_domain(""))
    network = model.network
    check_activations(network.activations)
    features = Features(graph, variables, estimator)
    a = encode_columns(features, model.columns, network)
    for W, b, f in zip(network.weights, network.biases, network.activations):
        z = a @ W + b
        a = FORMULAS[type(f)](f, z)
    return z, a


def _decision_scores(model, z, a):
    """Return the scores; see `BackpropClassifier.decision_function`."""
    if model.decides_by_logits:
        return z
    return a if model.target_type == "multiclass" else a - 0.5


def _predict_labels(model, scores, classes):
    """Return the predicted labels; see `BackpropClassifier.predict`."""
    if model.target_type == "multilabel":
        return scores > 0.0
    if model.target_type == "binary":
        codes = (scores > 0.0).squeeze().astype(np.int64)
    else:
        attributes = {"axis": 1, "keepdims": 0}
        codes = scores.apply("ArgMax", dtype=np.int64, attributes=attributes)
    return scores.graph.constant(classes).apply("Gather", codes)


def returns_raw_scores(scope, estimator):
    """Return whether the option "raw_scores" replaces the probabilities."""
    return scope.get_options(estimator, {"raw_scores": False})["raw_scores"]


def clip_probabilities(model, probabilities, variable=None):
    """Limit probabilities to values strictly between 0 and 1.

    Parameters
    ----------
    model : NetworkModel
        Network that the probabilities come from.
    probabilities : Tensor
        Probabilities.
    variable : skl2onnx.common._topology.Variable, default=None
        Output that receives the probabilities, possibly in a narrower dtype.

    Returns
    -------
    Tensor
    """
    dtypes = [probabilities.dtype]
    if variable is not None:
        dtypes.append(variable_dtype(variable))
    limits = np.finfo(min(dtypes, key=lambda dtype: dtype.itemsize))
    low, high = limits.tiny, 1.0 - limits.epsneg
    if len(model.classes) == 1:
        low = high = 1.0
    return clip(probabilities, low, high)


def get_probabilities(model, outputs):
    """Return the unclipped probabilities of `BackpropClassifier.predict_proba`.

    Parameters
    ----------
    model : NetworkModel
        Network with the classes.
    outputs : Tensor
        Outputs of the network.

    Returns
    -------
    Tensor
    """
    if model.target_type == "multilabel":
        return outputs
    if model.target_type == "binary":
        return hstack([1.0 - outputs, outputs])
    if model.has_softmax_output:
        return outputs
    return _normalize(outputs, len(model.classes))


def _normalize(outputs, n_classes):
    """Shift each row of outputs to non-negative values and divide by its sum."""
    outputs = outputs - minimum(outputs.reduce_rows("ReduceMin"), 0.0)
    outputs = minimum(outputs, np.finfo(outputs.dtype).max / n_classes)
    totals = outputs.reduce_rows("ReduceSum")
    shares = outputs / totals
    return where(totals > 0.0, shares, 1.0 / n_classes)


def label_classes(scope, estimator):
    """Return the class labels as strings or int64, the types that ONNX supports.

    Parameters
    ----------
    scope : skl2onnx.common._topology.Scope
        Scope with the options of the estimator.
    estimator : BackpropClassifier or BackpropEnsembleClassifier
        Fitted estimator.

    Returns
    -------
    ndarray of shape (n_classes,)
    """
    classes = get_label_classes(scope, estimator)
    if classes.dtype.kind == "u" and classes.max() > np.iinfo(np.int64).max:
        raise ValueError(
            f"{type(estimator).__name__} has the class label {classes.max()}, which "
            "exceeds the int64 range of ONNX. Use smaller integers or strings as "
            "labels."
        )
    return classes if classes.dtype.kind in "OU" else classes.astype(np.int64)
