"""Names and types of the graph inputs, inferred from samples."""

import numpy as np
from skl2onnx.common.data_types import (
    BooleanTensorType,
    DoubleTensorType,
    FloatTensorType,
    Int8TensorType,
    Int32TensorType,
    Int64TensorType,
    StringTensorType,
    UInt8TensorType,
)

from .._data.dataframes import is_dataframe

#: Types that skl2onnx supports for numeric inputs. Strings are supported as well.
TENSOR_TYPES = {
    "float32": FloatTensorType,
    "float64": DoubleTensorType,
    "int64": Int64TensorType,
    "int32": Int32TensorType,
    "int8": Int8TensorType,
    "uint8": UInt8TensorType,
    "bool": BooleanTensorType,
}

#: Bound below which float64 represents every integer exactly.
MAX_EXACT_INT = 2.0**53

#: Names that `pandas.api.types.infer_dtype` returns for numbers with missing values.
NUMERIC_KINDS = ("boolean", "integer", "floating", "mixed-integer-float", "empty")


def infer_input_types(X):
    """Infer the names and types of the graph inputs.

    Parameters
    ----------
    X : {ndarray, DataFrame} of shape (n_samples, n_features)
        Samples with the types of the graph inputs.

    Returns
    -------
    list of tuple (str, skl2onnx type)
        One input "X" for an array, one input per column for a DataFrame.

    Raises
    ------
    TypeError
        If skl2onnx does not support the type of an input.
    """
    if not is_dataframe(X):
        return [("X", _tensor_type(X, "X")([None, X.shape[1]]))]
    return [
        (str(name), _tensor_type(X[name], f"X[{name!r}]")([None, 1]))
        for name in X.columns
    ]


def _tensor_type(values, name):
    """Return the skl2onnx type for an array or a DataFrame column."""
    from pandas.api.types import infer_dtype

    array = np.asarray(values)
    nullable = getattr(values.dtype, "numpy_dtype", np.dtype(object))
    if nullable.kind in "biuf":
        # Other samples may contain missing values, which only floats represent.
        array = np.zeros(0, nullable if nullable.kind == "f" else np.float64)
    is_category = str(values.dtype) == "category"
    elements = np.asarray(values.dtype.categories) if is_category else np.ravel(array)
    if is_category and elements.dtype.kind in "biuf":
        # Categories may be missing as well. Large integers keep their type because
        # float64 would not distinguish them.
        largest = np.abs(elements.astype(np.float64)).max(initial=0.0)
        array = array.astype(np.float64) if largest < MAX_EXACT_INT else array
    if array.dtype.name in TENSOR_TYPES:
        return TENSOR_TYPES[array.dtype.name]
    kind = infer_dtype(elements, skipna=True)
    if kind == "string":
        return StringTensorType
    if array.dtype == object and kind in NUMERIC_KINDS:
        return DoubleTensorType  # Missing numbers are NaN.
    raise TypeError(
        f"{name} has dtype {values.dtype} and contains values of kind {kind!r}, which "
        "cannot be a graph input. Convert it with astype to strings or to one of "
        f"{[*TENSOR_TYPES]}. Use a DataFrame to combine strings and numbers."
    )
