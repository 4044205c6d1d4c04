"""Array-like tensors whose operations add nodes to an ONNX graph."""

import numpy as np
from onnx import TensorProto
from onnx.helper import np_dtype_to_tensor_dtype, tensor_dtype_to_np_dtype
from onnx.numpy_helper import from_array
from skl2onnx.common.data_types import guess_proto_type


class Graph:
    """Part of an ONNX graph that one converter adds.

    Parameters
    ----------
    scope : skl2onnx.common._topology.Scope
        Source of unique names.
    container : skl2onnx.common._container.ModelComponentContainer
        Container of the nodes and constants.
    """

    def __init__(self, scope, container):
        self.scope = scope
        self.container = container

    def tensor(self, variable):
        """Return the tensor of a skl2onnx variable."""
        return Tensor(self, variable.onnx_name, variable_dtype(variable))

    def write_output(self, tensor, variable):
        """Write a tensor to an output variable, cast to the dtype of the variable."""
        tensor = tensor.astype(variable_dtype(variable))
        self.add_node("Identity", [tensor.name], variable.onnx_name, {})

    def constant(self, values):
        """Return an array of numbers or strings as a tensor."""
        name = self.scope.get_unique_variable_name("constant")
        if values.dtype.kind in "OU":
            strings = [string.encode() for string in values.ravel()]
            self.container.add_initializer(
                name, TensorProto.STRING, values.shape, strings
            )
        else:
            self.container.add_initializer(name, None, None, from_array(values))
        return Tensor(self, name, values.dtype)

    def add_node(self, operator, inputs, output, attributes):
        """Add a node with one output."""
        self.container.add_node(
            operator,
            inputs,
            output,
            name=self.scope.get_unique_operator_name(operator),
            **attributes,
        )


def variable_dtype(variable):
    """Return the NumPy dtype of a skl2onnx variable; object for strings."""
    return np.dtype(tensor_dtype_to_np_dtype(guess_proto_type(variable.type)))


class Tensor:
    """Tensor of a graph, with array-like operations that add nodes.

    Parameters
    ----------
    graph : Graph
        Graph to which operations add nodes.
    name : str
        Name of the tensor in the graph.
    dtype : dtype
        Data type of the elements; object for strings.
    """

    # If the left operand is a NumPy scalar, NumPy defers to the operators below.
    __array_ufunc__ = None

    def __init__(self, graph, name, dtype):
        self.graph = graph
        self.name = name
        self.dtype = dtype

    def apply(self, operator, *others, dtype=None, attributes=None):
        """Apply an ONNX operator to this tensor.

        Parameters
        ----------
        operator : str
            Name of the operator.
        *others : Tensor, array-like or float
            Further inputs of the operator. Arrays and numbers become constants of
            the dtype of this tensor.
        dtype : dtype, default=None
            Data type of the result. None is the dtype of this tensor.
        attributes : dict, default=None
            Attributes of the operator.

        Returns
        -------
        Tensor
        """
        inputs = [self.name, *(self.as_tensor(other).name for other in others)]
        output = self.graph.scope.get_unique_variable_name(operator.lower())
        self.graph.add_node(operator, inputs, output, attributes or {})
        return Tensor(self.graph, output, np.dtype(dtype or self.dtype))

    def as_tensor(self, other):
        """Convert an array or a number to a tensor of the same dtype."""
        if isinstance(other, Tensor):
            return other
        return self.graph.constant(np.asarray(other, self.dtype))

    def astype(self, dtype):
        """Return the tensor, cast to a dtype."""
        if self.dtype == dtype:
            return self
        to = np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self.apply("Cast", dtype=dtype, attributes={"to": to})

    def take_columns(self, indices):
        """Return the columns at the given indices."""
        indices = self.graph.constant(np.asarray(indices, np.int64))
        return self.apply("Gather", indices, attributes={"axis": 1})

    def reduce_rows(self, operator):
        """Reduce each row with an operator such as "ReduceSum"; return a column."""
        return self.apply(operator, self.graph.constant(np.array([1])))

    def squeeze(self):
        """Return a single column as a vector."""
        return self.apply("Squeeze", self.graph.constant(np.array([1])))

    def __add__(self, other):
        return self.apply("Add", other)

    def __sub__(self, other):
        return self.apply("Sub", other)

    def __rsub__(self, other):
        return self.as_tensor(other) - self

    def __mul__(self, other):
        return self.apply("Mul", other)

    def __truediv__(self, other):
        return self.apply("Div", other)

    def __matmul__(self, other):
        return self.apply("MatMul", other)

    def __neg__(self):
        return self.apply("Neg")

    def __abs__(self):
        return self.apply("Abs")

    def __gt__(self, other):
        return self.apply("Greater", other, dtype=bool)

    __rmul__ = __mul__


def exp(z):
    """Compute the exponential of each element."""
    return z.apply("Exp")


def log(z):
    """Compute the natural logarithm of each element."""
    return z.apply("Log")


def tanh(z):
    """Compute the hyperbolic tangent of each element."""
    return z.apply("Tanh")


def maximum(z, other):
    """Compute the elementwise maximum."""
    return z.apply("Max", other)


def minimum(z, other):
    """Compute the elementwise minimum."""
    return z.apply("Min", other)


def clip(z, low, high):
    """Limit each element to the interval [low, high]."""
    return minimum(maximum(z, low), high)


def where(condition, a, b):
    """Choose elements of `a` if the condition is true, else of `b`."""
    return condition.apply("Where", a, a.as_tensor(b), dtype=a.dtype)


def hstack(tensors):
    """Concatenate the columns of tensors of the same dtype."""
    first, *others = tensors
    return first.apply("Concat", *others, attributes={"axis": 1}) if others else first
