"""Trained networks as ONNX graphs, which run without Python and scikit-learn.

`to_onnx` exports an estimator, alone or in a pipeline or a search. Importing this
module also registers both estimators with skl2onnx, whose own functions know them from
then on.
"""

from numbers import Integral

import numpy as np
from numpy.polynomial import Chebyshev, Polynomial
from scipy.sparse import issparse
from scipy.special import erfcx
from sklearn.base import BaseEstimator, is_classifier
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder
from sklearn.utils.validation import check_is_fitted, validate_data

from .._data.columns import is_dataframe
from .._estimators.classifier import BackpropClassifier
from .._estimators.regressor import BackpropRegressor
from ..core.activations import (
    ELU,
    GELU,
    OUTPUT_ACTIVATIONS,
    ActivationFromFunction,
    CumulativeSoftplus,
    Exp,
    Identity,
    LeakyReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from ..core.inputs import BOUND, IdentityTransform

try:
    import skl2onnx
    from onnx import TensorProto
    from onnx.helper import (
        find_min_ir_version_for,
        make_opsetid,
        np_dtype_to_tensor_dtype,
        tensor_dtype_to_np_dtype,
    )
    from onnx.numpy_helper import from_array
    from skl2onnx.common.data_types import (
        BooleanTensorType,
        DoubleTensorType,
        FloatTensorType,
        Int8TensorType,
        Int32TensorType,
        Int64TensorType,
        StringTensorType,
        UInt8TensorType,
        guess_proto_type,
    )
    from skl2onnx.common.utils_classifier import get_label_classes
except ImportError as error:
    raise ImportError(
        'The export to ONNX needs skl2onnx: pip install "skbackprop[onnx]".'
    ) from error

__all__ = ["TARGET_OPSET", "to_onnx"]

#: The operator set that is written unless another is asked for: the first that compares
#: words, as categories may be. The older it is, the more runtimes can read it.
TARGET_OPSET = 19

#: Of the operators for trees and the like, a set that belongs to all of those.
ML_OPSET = 3

#: What the columns of `X` can come as, beside words: what skl2onnx has a type for.
TENSOR_TYPES = {
    "float32": FloatTensorType,
    "float64": DoubleTensorType,
    "int64": Int64TensorType,
    "int32": Int32TensorType,
    "int8": Int8TensorType,
    "uint8": UInt8TensorType,
    "bool": BooleanTensorType,
}

#: What can be exported, alone or with what stands around it.
NETWORKS = (BackpropClassifier, BackpropRegressor)

#: Up to here float64 has every whole number.
LARGEST_EXACT = 2.0**53

#: What pandas calls numbers among which there may be gaps.
KINDS_OF_NUMBERS = ("boolean", "integer", "floating", "mixed-integer-float", "empty")


def to_onnx(model, X, *, target_opset=TARGET_OPSET, ir_version=None):
    """Export a fitted network to ONNX, alone or with what stands around it.

    The graph computes what `predict` and `predict_proba` do, in the precision of the
    network: inputs scaled and bounded, categories encoded and gaps filled as the
    network has learned it.

    Parameters
    ----------
    model : BackpropClassifier, BackpropRegressor, Pipeline or search
        The fitted estimator; or a pipeline that ends in one after steps that skl2onnx
        can convert; or a search such as `GridSearchCV`, of which the best estimator is
        exported.
    X : {array-like, frame} of shape (n_samples, n_features)
        Samples like those to be predicted, which say what the inputs are called and
        what types they have; one row is enough. In a frame, a column with the dtype
        "category" is of words or of float64, in which missing ones have a place, as is
        one of pandas' "Int64" or "boolean". Of polars, whole numbers are float64 only
        where `X` has gaps among them.
    target_opset : int, default=19
        Version of ONNX's operators to write, from 19 up to what the installed skl2onnx
        has been tested with.
    ir_version : int or None, default=None
        Version of the file format. None is the oldest that belongs to `target_opset`,
        which most runtimes read.

    Returns
    -------
    onnx.ModelProto
        An array becomes one input "X" of shape (None, n_features), a frame one input
        of shape (None, 1) for each column, in their order. A classifier has the
        outputs "label", of int64 or words, and "probabilities", without a ZipMap; a
        regressor has the output "variable" of shape (None, n_outputs). Both are
        float64 where the network is given float64, else float32; but a regressor that
        computes in float64 leaves that only where it is given float32.

    Raises
    ------
    ImportError
        Where skl2onnx is not installed, already at the import of this module.
    NotFittedError
        Where the model has not been fitted.
    TypeError
        Where what predicts is not a network of this package, or where `X` is sparse
        or has columns of types that skl2onnx does not know.
    ValueError
        Where the network has an activation that is not one of this package's own,
        where `X` is not like the data of the fit, or a version is not supported.

    See Also
    --------
    skl2onnx.to_onnx : Exports the same models once `skbackprop.onnx` is imported, and
        others that contain one, with its own defaults: a ZipMap for classifiers, which
        takes float32 alone, and its latest operators. Its option "raw_scores" gives
        those of `decision_function`, for two classes less than zero beside greater.

    Notes
    -----
    A missing number comes as nan; a missing word as any that is no category, such as
    an empty one. Unlike `predict`, the graph refuses nothing: infinite inputs, or
    missing ones where the fit had none, give what the arithmetic gives.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from skbackprop import BackpropClassifier
    >>> from skbackprop.onnx import to_onnx
    >>> X, y = load_iris(return_X_y=True)
    >>> net = BackpropClassifier((8,), solver="lbfgs", random_state=0).fit(X, y)
    >>> exported = to_onnx(net, X)

    The file needs ONNX Runtime alone:

    >>> import onnxruntime
    >>> session = onnxruntime.InferenceSession(exported.SerializeToString())
    >>> labels, probabilities = session.run(None, {"X": X})
    >>> bool((labels == net.predict(X)).all())
    True
    >>> bool(np.allclose(probabilities, net.predict_proba(X)))
    True
    """
    check_is_fitted(model)
    exported = _without_searches(model)
    network = _last_step(exported)
    _check_is_network(network)
    if issparse(X):
        raise TypeError(
            "X is sparse, but the inputs of an ONNX graph are dense. Pass a few of its "
            "rows, X[:1].toarray(), and feed the graph with such."
        )
    X = X if is_dataframe(X) or hasattr(X, "dtype") else np.asarray(X)
    validate_data(model, X, reset=False, skip_check_array=True)
    _check_opset(target_opset)
    types = _initial_types(X)
    if _takes_one_array(exported) and _are_to_be_joined(types):
        joined = ConcatColumns(X.shape[1])
        exported = Pipeline([("joined", joined), *exported.steps])
    graph = skl2onnx.to_onnx(
        exported,
        initial_types=types,
        options={id(network): {"zipmap": False}} if is_classifier(network) else None,
        target_opset={"": int(target_opset), "ai.onnx.ml": ML_OPSET},
    )
    graph.ir_version = _ir_version(ir_version, target_opset)
    return graph


def _without_searches(model):
    """Return what predicts: of a search its best estimator, of a pipeline its steps."""
    if hasattr(model, "best_estimator_"):
        return _without_searches(model.best_estimator_)
    if hasattr(model, "cv_results_"):
        raise NotFittedError(
            f"{type(model).__name__}(refit=False) has no best estimator to export. Set "
            "refit=True, or fit an estimator with best_params_ and export that."
        )
    if not isinstance(model, Pipeline):
        return model
    steps = [step for step in model.steps if step[1] not in (None, "passthrough")]
    return Pipeline([(name, _without_searches(step)) for name, step in steps])


def _last_step(model):
    return _last_step(model.steps[-1][1]) if isinstance(model, Pipeline) else model


def _first_step(model):
    return _first_step(model.steps[0][1]) if isinstance(model, Pipeline) else model


def _check_is_network(model):
    if type(model) not in NETWORKS:
        raise TypeError(
            f"What predicts is {model!r}, no network of skbackprop. Allowed are a "
            "BackpropClassifier or BackpropRegressor, a pipeline that ends in one, and "
            "a search for one of these. skl2onnx.to_onnx exports other estimators, and "
            "has come to know the networks that they may contain; compare its answers."
        )


def _check_opset(target_opset):
    latest = skl2onnx.get_latest_tested_opset_version()
    if not isinstance(target_opset, Integral) or target_opset > latest:
        raise ValueError(
            f"target_opset={target_opset!r} is not supported; allowed are "
            f"{TARGET_OPSET} to {latest} with skl2onnx {skl2onnx.__version__}."
        )
    _check_not_too_old(target_opset)


def _check_not_too_old(target_opset):
    if target_opset < TARGET_OPSET:
        raise ValueError(
            f"target_opset={target_opset} has no operators for all that a network "
            f"does; allowed are those from {TARGET_OPSET} on."
        )


def _ir_version(ir_version, target_opset):
    oldest = find_min_ir_version_for([make_opsetid("", int(target_opset))])
    if ir_version is None:
        return oldest
    if not isinstance(ir_version, Integral) or ir_version < oldest:
        raise ValueError(
            f"ir_version={ir_version!r} does not fit target_opset={target_opset}; "
            f"allowed are integers from {oldest} on, and None."
        )
    return int(ir_version)


# ----------------------------------------------------------------- types of the inputs


def _initial_types(X):
    """Name the inputs of the graph, and their types, after samples."""
    if not is_dataframe(X):
        return [("X", _tensor_type(X, "X")([None, X.shape[1]]))]
    return [
        (str(name), _tensor_type(X[name], f"X[{name!r}]")([None, 1]))
        for name in X.columns
    ]


def _tensor_type(values, name):
    """Return the type of skl2onnx that fits an array, or a column of a frame."""
    from pandas.api.types import infer_dtype

    array = np.asarray(values)
    nullable = getattr(values.dtype, "numpy_dtype", np.dtype(object))
    if nullable.kind in "biuf":
        # Any may be missing, and be nan, whatever the sample has.
        array = np.zeros(0, nullable if nullable.kind == "f" else np.float64)
    is_category = str(values.dtype) == "category"
    levels = np.asarray(values.dtype.categories) if is_category else np.ravel(array)
    if is_category and levels.dtype.kind in "biuf":
        # So may these.
        exact = np.abs(levels.astype(np.float64)).max(initial=0.0) < LARGEST_EXACT
        array = array.astype(np.float64) if exact else array
    if array.dtype.name in TENSOR_TYPES:
        return TENSOR_TYPES[array.dtype.name]
    kind = infer_dtype(levels, skipna=True)
    if kind == "string":
        return StringTensorType
    if array.dtype == object and kind in KINDS_OF_NUMBERS:
        return DoubleTensorType  # with gaps, which come as nan
    raise TypeError(
        f"{name} has dtype {values.dtype}, and holds values of kind {kind!r}, which "
        f"cannot be an input of the graph. Allowed are words and {[*TENSOR_TYPES]}; "
        "turn it into one of these with astype. Columns of words and of numbers come "
        "together in a frame."
    )


class ConcatColumns(BaseEstimator):
    """What a pipeline begins with where a scaler, say, wants one array of floats.

    Columns apart, and whole numbers, would go on in single precision, or not at all.

    Parameters
    ----------
    n_features_in_ : int
        So many columns.
    """

    def __init__(self, n_features_in_):
        self.n_features_in_ = n_features_in_


def _takes_one_array(model):
    """Say whether a model begins with a step that is not for columns by themselves."""
    return isinstance(model, Pipeline) and not isinstance(
        _first_step(model),
        (*NETWORKS, ColumnTransformer, OneHotEncoder, OrdinalEncoder),
    )


def _are_to_be_joined(types):
    """Say whether inputs are numbers, but not yet one array of floats."""
    kinds = {type(kind) for _, kind in types}
    one_array = len(types) == 1 and kinds <= {FloatTensorType, DoubleTensorType}
    return not one_array and StringTensorType not in kinds


# --------------------------------------------------------- formulas that become a graph


class Graph:
    """The part of an ONNX graph that a converter adds.

    Parameters
    ----------
    scope : skl2onnx.common._topology.Scope
        Where names come from.
    container : skl2onnx.common._container.ModelComponentContainer
        Where nodes and constants go.
    """

    def __init__(self, scope, container):
        self.scope = scope
        self.container = container

    def read(self, variable):
        """Return a variable of skl2onnx as a tensor."""
        dtype = tensor_dtype_to_np_dtype(guess_proto_type(variable.type))
        return Tensor(self, variable.onnx_name, np.dtype(dtype))

    def write(self, tensor, variable):
        """Have a variable of skl2onnx be this tensor, in the type of the variable."""
        tensor = tensor.astype(self.read(variable).dtype)
        self.add("Identity", [tensor.name], variable.onnx_name, {})

    def constant(self, values):
        """Return an array of numbers or words as a tensor."""
        name = self.scope.get_unique_variable_name("constant")
        if values.dtype.kind in "OU":
            words = [word.encode() for word in values.ravel()]
            self.container.add_initializer(
                name, TensorProto.STRING, values.shape, words
            )
        else:
            self.container.add_initializer(name, None, None, from_array(values))
        return Tensor(self, name, values.dtype)

    def add(self, operator, inputs, output, attributes):
        """Add a node that computes one output."""
        self.container.add_node(
            operator,
            inputs,
            output,
            name=self.scope.get_unique_operator_name(operator),
            **attributes,
        )


class Tensor:
    """A tensor of a graph; to compute with it as with an array is to add nodes.

    Parameters
    ----------
    graph : Graph
        Where nodes are added.
    name : str
        What it is called there.
    dtype : dtype
        Of its elements; object for words.
    """

    __array_ufunc__ = None  # NumPy's numbers on the left leave operations to this class

    def __init__(self, graph, name, dtype):
        self.graph = graph
        self.name = name
        self.dtype = dtype

    def apply(self, operator, *others, dtype=None, attributes=None):
        """Return what an operator of ONNX makes of this tensor and others.

        Parameters
        ----------
        operator : str
            Its name.
        *others : Tensor, array-like or float
            Its further inputs. What is no tensor becomes a constant of the same dtype.
        dtype : dtype, default=None
            Of what comes out; None is that of this tensor.
        attributes : dict, default=None
            Of the operator.

        Returns
        -------
        Tensor
        """
        inputs = [self.name, *(self.tensor(other).name for other in others)]
        output = self.graph.scope.get_unique_variable_name(operator.lower())
        self.graph.add(operator, inputs, output, attributes or {})
        return Tensor(self.graph, output, np.dtype(dtype or self.dtype))

    def tensor(self, other):
        """Return what is no tensor as one of the same dtype."""
        if isinstance(other, Tensor):
            return other
        return self.graph.constant(np.asarray(other, self.dtype))

    def astype(self, dtype):
        """Return the tensor in another dtype."""
        if self.dtype == dtype:
            return self
        to = np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self.apply("Cast", dtype=dtype, attributes={"to": to})

    def columns(self, indices):
        """Return some of the columns."""
        indices = self.graph.constant(np.asarray(indices, np.int64))
        return self.apply("Gather", indices, attributes={"axis": 1})

    def reduced(self, operator):
        """Return what an operator like "ReduceSum" makes of each row, as a column."""
        return self.apply(operator, self.graph.constant(np.array([1])))

    def squeezed(self):
        """Return a single column as a vector."""
        return self.apply("Squeeze", self.graph.constant(np.array([1])))

    def __add__(self, other):
        return self.apply("Add", other)

    def __sub__(self, other):
        return self.apply("Sub", other)

    def __rsub__(self, other):
        return self.tensor(other) - self

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
    return z.apply("Exp")


def log(z):
    return z.apply("Log")


def tanh(z):
    return z.apply("Tanh")


def maximum(z, other):
    return z.apply("Max", other)


def minimum(z, other):
    return z.apply("Min", other)


def clip(z, low, high):
    return minimum(maximum(z, low), high)


def where(condition, a, b):
    return condition.apply("Where", a, a.tensor(b), dtype=a.dtype)


def hstack(tensors):
    """Return tensors of one dtype side by side."""
    first, *others = tensors
    return first.apply("Concat", *others, attributes={"axis": 1}) if others else first


# ------------------------------------------------------------------ activations

# ONNX Runtime has no Elu, LeakyRelu and Softplus in double precision, and its Sigmoid
# goes no lower than 1e-8 in single precision: they are made of what is exact in both.


def sigmoid(z):
    """Return ``1 / (1 + exp(-z))``."""
    return (exp(-z) + 1.0).apply("Reciprocal")


def softplus(z):
    """Return ``log(1 + exp(z))``, without overflow."""
    return maximum(z, 0.0) + log1p(exp(-abs(z)))


def log1p(u):
    """Return ``log(1 + u)``, exact where `u` is lost in the sum.

    Of `u`, ``w - 1 - u`` too much has been added, and ``1 / w`` is the slope there.
    """
    w = u + 1.0
    return log(w) - (w - 1.0 - u) / w


#: The variable ``s = (x - 4) / (x + 4)`` maps all x >= 0 to [-1, 1), where what follows
#: is smooth; after Shepherd and Laframboise, Math. Comp. 36 (1981), 249-253.
MIDDLE = 4.0

#: Coefficients in s of ``exp(x**2 / 2)`` times the normal distribution at -x.
TAIL = Chebyshev.interpolate(
    lambda s: 0.5 * erfcx(MIDDLE * (1.0 + s) / (1.0 - s) / np.sqrt(2.0)), 24
).convert(kind=Polynomial)


def normal_cdf(z):
    """Return the normal distribution at z."""
    if z.dtype == np.float32:
        return ((z * np.sqrt(0.5)).apply("Erf") + 1.0) * 0.5
    # ONNX Runtime has no Erf in double precision.
    x = abs(z)
    s = (x - MIDDLE) / (x + MIDDLE)
    *lower, tail = TAIL.coef
    for coefficient in lower[::-1]:
        tail = tail * s + coefficient
    tail *= exp(-0.5 * x * x)
    return where(z > 0.0, 1.0 - tail, tail)


def increasing(z, unit):
    """Return running sums over ``z_1`` and ``unit log(1 + exp(z_k))``."""
    start, one, end = (z.graph.constant(np.array([i])) for i in (0, 1, 2**31))
    first = z.apply("Slice", start, one, one)
    steps = unit * softplus(z.apply("Slice", one, end, one))
    return hstack([first, steps]).apply("CumSum", z.graph.constant(np.array(1)))


#: Of each activation of the core the formula, once more, for an activation `f` and a
#: tensor `z`.
FORMULAS = {
    Identity: lambda f, z: z,
    Sigmoid: lambda f, z: sigmoid(z),
    Tanh: lambda f, z: tanh(z),
    ReLU: lambda f, z: maximum(z, 0.0),
    LeakyReLU: lambda f, z: maximum(z, f.negative_slope * z),
    ELU: lambda f, z: maximum(z, exp(minimum(z, 0.0)) - 1.0),
    GELU: lambda f, z: z * normal_cdf(z),
    SiLU: lambda f, z: z * sigmoid(z),
    Softplus: lambda f, z: softplus(z),
    Softmax: lambda f, z: z.apply("Softmax", attributes={"axis": 1}),
    Exp: lambda f, z: exp(z),
    CumulativeSoftplus: lambda f, z: increasing(z, f.unit),
}


def _check_activations(model):
    """Refuse activations of a user's own, of which only Python has the formula."""
    *hidden, output = model._state.network.activations
    layers = [(f"activation of hidden layer {l}", f) for l, f in enumerate(hidden, 1)]
    for place, f in [*layers, ("output_activation", output)]:
        if type(f) not in FORMULAS:
            own = f.function if isinstance(f, ActivationFromFunction) else f
            raise ValueError(
                f"The {place} is {own!r}, whose formula cannot be exported. Allowed "
                f"are {', '.join(OUTPUT_ACTIVATIONS)}."
            )


# ----------------------------------------------------------------------- inputs


class Features:
    """The features as they come: in one tensor, or a column each.

    Parameters
    ----------
    graph : Graph
        Where they come in.
    variables : list of skl2onnx.common._topology.Variable
        The inputs of an operator.
    model : BackpropClassifier, BackpropRegressor or ConcatColumns
        Which has learned how many there are.
    """

    def __init__(self, graph, variables, model):
        self.n_features = model.n_features_in_
        self.tensors = [graph.read(variable) for variable in variables]
        widths = [variable.type.shape[1] for variable in variables]
        allowed = ([self.n_features], [None], [1] * self.n_features)
        if widths not in allowed:
            raise ValueError(
                f"{type(model).__name__} was fitted to {self.n_features} features, but "
                f"the graph has inputs of {widths} columns; allowed are one input of "
                f"{self.n_features} columns, and {self.n_features} inputs of one."
            )

    def _picked(self, indices):
        """Return tensors that hold these features, and no others."""
        if len(self.tensors) > 1:
            return [self.tensors[j] for j in indices]
        if len(indices) == self.n_features:
            return self.tensors
        return [self.tensors[0].columns(indices)]

    def numbers(self, indices):
        """Return features as numbers, float32 where all of them come so."""
        tensors = self._picked(indices)
        words = [tensor.name for tensor in tensors if tensor.dtype == object]
        if words:
            raise ValueError(
                f"The inputs {words} are words, but the network was fitted to numbers "
                "there. Pass as X samples like those of the fit. Categories cannot be "
                "exported behind a ColumnTransformer that leaves them as they are: "
                "pass the network the frame itself, or use a OneHotEncoder."
            )
        single = all(tensor.dtype == np.float32 for tensor in tensors)
        dtype = np.float32 if single else np.float64
        return hstack([tensor.astype(dtype) for tensor in tensors])

    def one_hot(self, index, levels):
        """Return an indicator of each of these levels for one feature."""
        (column,) = self._picked([index])
        levels = np.array(levels.tolist())  # of numbers, although they were objects
        if (column.dtype == object) != (levels.dtype.kind == "U"):
            raise ValueError(
                f"The input {column.name!r} is of {column.dtype}, which none of the "
                f"categories {levels.tolist()} can be. Pass as X samples like those of "
                "the fit."
            )
        if column.dtype != object:
            whole = column.dtype.kind in "iub" and levels.dtype.kind in "iub"
            column = column.astype(np.int64 if whole else np.float64)
        return column.apply("Equal", levels[np.newaxis], dtype=bool)


def _encoded(features, encoder):
    """Return all features as numbers, as `ColumnEncoder` has learned to."""
    if encoder is None:
        return features.numbers(range(features.n_features))
    parts = []
    if encoder.n_numbers:
        numbers = features.numbers(np.flatnonzero(encoder.is_number))
        parts += _imputed(numbers, encoder.imputer)
    dtype = parts[0].dtype if parts else np.dtype(np.float64)
    if encoder.is_categorical is not None:
        categorical = np.flatnonzero(encoder.is_categorical)
        for index, levels in zip(categorical, encoder.one_hot.categories_):
            parts.append(features.one_hot(index, levels).astype(dtype))
    return hstack(parts)


def _imputed(numbers, imputer):
    """Return numbers with their gaps filled, and indicators of gaps."""
    missing = numbers.apply("IsNaN", dtype=bool)
    filled = where(missing, numbers.tensor(imputer.statistics_), numbers)
    gaps = imputer.indicator_.features_
    indicators = [missing.columns(gaps).astype(numbers.dtype)] if gaps.size else []
    return [filled, *indicators]


def _ready(raw, inputs, dtype):
    """Return inputs as they come to the first layer; see `core.inputs`."""
    if isinstance(inputs, IdentityTransform):
        return raw.astype(dtype)
    inputs = inputs.with_dtype(raw.dtype, dtype)
    x = raw
    if inputs.centers:
        # The difference of large numbers, as dates are, is exact in theirs.
        x = (raw.astype(inputs.center.dtype) - inputs.center).astype(dtype)
    x = x.astype(np.result_type(x.dtype, inputs.factor.dtype)) * inputs.factor
    return BOUND * tanh(x.astype(dtype))


# ---------------------------------------------------------- what skl2onnx is given


def _forward(graph, variables, model):
    """Return z and a of the output layer; see `core.network`."""
    _check_not_too_old(graph.container.target_opset_any_domain(""))
    _check_activations(model)
    network = model._state.network
    raw = _encoded(Features(graph, variables, model), model._encoder)
    a = _ready(raw, network.inputs, network.dtype)
    for W, b, f in zip(network.weights, network.biases, network.activations):
        z = a @ W + b
        a = FORMULAS[type(f)](f, z)
    return z, a


def convert_classifier(scope, operator, container):
    """Add the nodes of a BackpropClassifier, as skl2onnx asks for them."""
    graph, model = Graph(scope, container), operator.raw_operator
    z, a = _forward(graph, operator.inputs, model)
    labels, shares = operator.outputs
    scores = _scores(model, z, a)
    graph.write(_labels(scope, model, scores), labels)
    if scope.get_options(model, {"raw_scores": False})["raw_scores"]:
        both = hstack([-scores, scores]) if model._target_kind == "binary" else scores
        graph.write(both, shares)
        return
    # Strictly between 0 and 1 in the type that comes out, too.
    limits = np.finfo(min(a.dtype, graph.read(shares).dtype, key=lambda d: d.itemsize))
    probabilities = clip(_probabilities(model, a), limits.tiny, 1.0 - limits.epsneg)
    graph.write(probabilities, shares)


def _scores(model, z, a):
    """Return what decides; see `decision_function` of BackpropClassifier."""
    if model._of_weighted_inputs:
        return z
    return a if model._target_kind == "multiclass" else a - 0.5


def _labels(scope, model, scores):
    """Return what is predicted; see `predict` of BackpropClassifier."""
    if model._target_kind == "multilabel":
        return scores > 0.0
    if model._target_kind == "binary":
        codes = (scores > 0.0).squeezed().astype(np.int64)
    else:
        largest = {"axis": 1, "keepdims": 0}
        codes = scores.apply("ArgMax", dtype=np.int64, attributes=largest)
    return scores.graph.constant(_classes(scope, model)).apply("Gather", codes)


def _probabilities(model, outputs):
    """Return probabilities before they are clipped, as `predict_proba` has them."""
    if model._target_kind == "multilabel":
        return outputs
    if model._target_kind == "binary":
        return hstack([1.0 - outputs, outputs])
    if type(model._architecture.output_activation) is Softmax:
        return outputs
    return _normalised(outputs, len(model.classes_))


def _normalised(outputs, n_classes):
    """Return outputs, lifted above zero, as shares of their sum."""
    outputs = outputs - minimum(outputs.reduced("ReduceMin"), 0.0)
    outputs = minimum(outputs, np.finfo(outputs.dtype).max / n_classes)
    totals = outputs.reduced("ReduceSum")
    shares = outputs / totals
    return where(totals > 0.0, shares, 1.0 / n_classes)


def convert_regressor(scope, operator, container):
    """Add the nodes of a BackpropRegressor, as skl2onnx asks for them."""
    graph, model = Graph(scope, container), operator.raw_operator
    _, outputs = _forward(graph, operator.inputs, model)
    targets = model._scales.targets
    if targets is not None:
        outputs = outputs.astype(np.float64) * targets.scale_ + targets.mean_
    graph.write(outputs, operator.outputs[0])


def _classes(scope, model):
    """Return the labels as ONNX has them: words, or int64."""
    classes = get_label_classes(scope, model)
    if classes.dtype.kind == "u" and classes.max() > np.iinfo(np.int64).max:
        raise ValueError("classes_ holds numbers beyond int64, the largest of ONNX.")
    return classes if classes.dtype.kind in "OU" else classes.astype(np.int64)


def classifier_types(operator):
    """Say what a BackpropClassifier puts out, as skl2onnx asks for it."""
    model = operator.raw_operator
    check_is_fitted(model)
    labels, probabilities = operator.outputs
    n_samples = operator.inputs[0].get_first_dimension()
    shape = [n_samples, len(model.classes_)]
    probabilities.set_type(_type_of_outputs(operator)(shape))
    words = _classes(operator.scope_inst, model).dtype.kind in "OU"
    kind = StringTensorType if words else Int64TensorType
    labels.set_type(kind(shape if model._target_kind == "multilabel" else shape[:1]))


def regressor_types(operator):
    """Say what a BackpropRegressor puts out, as skl2onnx asks for it."""
    model = operator.raw_operator
    check_is_fitted(model)
    n_samples = operator.inputs[0].get_first_dimension()
    kind = _type_of_outputs(operator)
    single = any(isinstance(v.type, FloatTensorType) for v in operator.inputs)
    if model._state.network.dtype == np.float64 and not single:
        kind = DoubleTensorType  # whole numbers and words ask for nothing less
    operator.outputs[0].set_type(kind([n_samples, model.n_outputs_]))


def _type_of_outputs(operator):
    """Return double precision where an input has it, as skl2onnx does."""
    double = any(isinstance(v.type, DoubleTensorType) for v in operator.inputs)
    return DoubleTensorType if double else FloatTensorType


def convert_columns(scope, operator, container):
    """Add the nodes of `ConcatColumns`, as skl2onnx asks for them."""
    model, (joined,) = operator.raw_operator, operator.outputs
    graph = Graph(scope, container)
    features = Features(graph, operator.inputs, model)
    graph.write(features.numbers(range(model.n_features_in_)), joined)


def parse_columns(scope, model, inputs, custom_parsers=None):
    """Declare what `ConcatColumns` puts out, whose type the next steps go by."""
    single = all(isinstance(v.type, FloatTensorType) for v in inputs)
    kind = FloatTensorType if single else DoubleTensorType
    operator = scope.declare_local_operator("SkbackpropJoinedColumns", model)
    operator.inputs = inputs
    shape = [inputs[0].get_first_dimension(), model.n_features_in_]
    operator.outputs.append(scope.declare_local_variable("joined", kind(shape)))
    return operator.outputs


def columns_types(operator):
    """Leave types as `parse_columns` has declared them."""


skl2onnx.update_registered_converter(
    BackpropClassifier,
    "SkbackpropClassifier",
    classifier_types,
    convert_classifier,
    options={
        "zipmap": [True, False, "columns"],
        "nocl": [True, False],
        "raw_scores": [True, False],
        "output_class_labels": [False, True],
    },
)
skl2onnx.update_registered_converter(
    BackpropRegressor, "SkbackpropRegressor", regressor_types, convert_regressor
)
skl2onnx.update_registered_converter(
    ConcatColumns,
    "SkbackpropJoinedColumns",
    columns_types,
    convert_columns,
    parser=parse_columns,
)
