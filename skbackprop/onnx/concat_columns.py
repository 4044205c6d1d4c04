"""Concatenation of numeric inputs for steps that read one array of floats.

Without this step, skl2onnx casts separate columns and integers to single precision, or
does not export them.
"""

from skl2onnx.common.data_types import (
    DoubleTensorType,
    FloatTensorType,
    StringTensorType,
)
from sklearn.base import BaseEstimator

from .features import Features
from .graph import Graph

#: Name under which `ConcatColumns` is registered with skl2onnx.
ALIAS = "SkbackpropConcatColumns"


class ConcatColumns(BaseEstimator):
    """Pipeline step that concatenates numeric inputs into one array of floats.

    Parameters
    ----------
    n_features_in_ : int
        Number of features.
    """

    def __init__(self, n_features_in_):
        self.n_features_in_ = n_features_in_


def needs_concat(input_types):
    """Return whether inputs are numeric, but not one array of floats.

    Parameters
    ----------
    input_types : list of tuple (str, skl2onnx type)
        Names and types of the graph inputs.

    Returns
    -------
    bool
    """
    types = {type(tensor_type) for _, tensor_type in input_types}
    is_float_array = len(input_types) == 1 and types <= {
        FloatTensorType,
        DoubleTensorType,
    }
    return not is_float_array and StringTensorType not in types


def parse_concat_columns(scope, model, inputs, custom_parsers=None):
    """Declare the output of `ConcatColumns`; the next steps depend on its type."""
    is_float32 = all(isinstance(v.type, FloatTensorType) for v in inputs)
    tensor_type = FloatTensorType if is_float32 else DoubleTensorType
    operator = scope.declare_local_operator(ALIAS, model)
    operator.inputs = inputs
    shape = [inputs[0].get_first_dimension(), model.n_features_in_]
    output = scope.declare_local_variable("concatenated", tensor_type(shape))
    operator.outputs.append(output)
    return operator.outputs


def infer_concat_columns_types(operator):
    """Keep the output type that `parse_concat_columns` declared."""


def convert_concat_columns(scope, operator, container):
    """Add the nodes of `ConcatColumns` to a graph."""
    model, (concatenated,) = operator.raw_operator, operator.outputs
    graph = Graph(scope, container)
    features = Features(graph, operator.inputs, model)
    graph.write_output(features.numeric(range(model.n_features_in_)), concatenated)
