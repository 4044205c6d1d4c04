"""Preprocessing of the features: encoded columns and the input transform."""

import numpy as np

from ..core.inputs import IdentityTransform
from ..core.piecewise import Components
from .graph import clip, hstack, where


class Features:
    """Features of a graph, in one tensor or in one tensor per column.

    Parameters
    ----------
    graph : Graph
        Graph to which operations add nodes.
    variables : list of skl2onnx.common._topology.Variable
        Inputs of an operator.
    model : BackpropClassifier, BackpropRegressor or ConcatColumns
        Estimator that reads the features; `n_features_in_` is their number.

    Raises
    ------
    ValueError
        If the number of columns does not match the estimator.
    """

    def __init__(self, graph, variables, model):
        self.n_features = model.n_features_in_
        self.tensors = [graph.tensor(variable) for variable in variables]
        widths = [variable.type.shape[1] for variable in variables]
        allowed = ([self.n_features], [None], [1] * self.n_features)
        if widths not in allowed:
            raise ValueError(
                f"The graph inputs have {widths} columns, but {type(model).__name__} "
                f"is expecting {self.n_features} features as input. Use one input with "
                f"{self.n_features} columns, or {self.n_features} inputs with one "
                "column each."
            )

    def _select(self, indices):
        """Return a list of tensors with the given features only."""
        if len(self.tensors) > 1:
            return [self.tensors[j] for j in indices]
        if len(indices) == self.n_features:
            return self.tensors
        return [self.tensors[0].take_columns(indices)]

    def numeric(self, indices):
        """Return numeric features as one tensor, float32 if all of them are float32.

        Parameters
        ----------
        indices : sequence of int
            Indices of the features.

        Returns
        -------
        Tensor
            Columns of dtype float32 or float64.

        Raises
        ------
        ValueError
            If the features contain strings.
        """
        tensors = self._select(indices)
        strings = [tensor.name for tensor in tensors if tensor.dtype == object]
        if strings:
            raise ValueError(
                f"The inputs {strings} contain strings, but the network was fitted to "
                "numbers in these columns. Pass samples with the same types as in fit. "
                "If a ColumnTransformer passes categories through, one-hot encode them "
                "there, or pass the DataFrame to the network directly."
            )
        is_float32 = all(tensor.dtype == np.float32 for tensor in tensors)
        dtype = np.float32 if is_float32 else np.float64
        return hstack([tensor.astype(dtype) for tensor in tensors])

    def one_hot(self, index, categories):
        """Return an indicator for each category of one feature.

        Parameters
        ----------
        index : int
            Index of the feature.
        categories : ndarray
            Categories of the feature.

        Returns
        -------
        Tensor
            Columns of dtype bool, one per category.

        Raises
        ------
        ValueError
            If the feature and the categories have different types.
        """
        (column,) = self._select([index])
        # Categories of dtype object may be numbers.
        categories = np.array(categories.tolist())
        if (column.dtype == object) != (categories.dtype.kind == "U"):
            raise ValueError(
                f"The input {column.name!r} has dtype {column.dtype}, which does not "
                f"match its categories {categories.tolist()}. Pass samples with the "
                "same types as in fit."
            )
        if column.dtype != object:
            is_integer = column.dtype.kind in "iub" and categories.dtype.kind in "iub"
            column = column.astype(np.int64 if is_integer else np.float64)
        return column.apply("Equal", categories[np.newaxis], dtype=bool)


def encode_columns(features, columns, network):
    """Impute, transform and one-hot encode the features as in `fit`.

    Parameters
    ----------
    features : Features
        Features of the graph.
    columns : ColumnEncoding
        Fitted encoding.
    network : Network
        Network with the transform of the numeric features.

    Returns
    -------
    Tensor
        Inputs of the first layer: numeric features, piecewise-linear components,
        missing-value indicators and one-hot encoded categories.
    """
    encoded, dtype = [], network.dtype
    if not columns.is_categorical.all():
        numbers = features.numeric(np.flatnonzero(~columns.is_categorical))
        is_missing = numbers.apply("IsNaN", dtype=bool)
        transformed = transform_inputs(numbers, network.inputs, dtype)
        values = network.inputs.replace_missing(columns.imputation_values)
        values = transformed.as_tensor(np.asarray(values))
        transformed = where(is_missing, values, transformed)
        encoded.append(transformed)
        if len(columns.bins):
            c = Components(columns.bins, network.inputs, numbers.dtype, dtype)
            differences = transformed.take_columns(c.features) - c.low
            encoded.append(clip(differences * c.factor, c.minimum, c.maximum))
        if columns.indicator_features.size:
            indicators = is_missing.take_columns(columns.indicator_features)
            encoded.append(indicators.astype(dtype))
    for index, categories in zip(
        np.flatnonzero(columns.is_categorical), columns.categories
    ):
        encoded.append(features.one_hot(index, categories).astype(dtype))
    return hstack(encoded)


def transform_inputs(raw, inputs, dtype):
    """Apply the input transform of a network; see `skbackprop.core.inputs`.

    Parameters
    ----------
    raw : Tensor
        Numeric features without missing values.
    inputs : IdentityTransform or Standardized
        Input transform of the network.
    dtype : dtype
        Data type of the network.

    Returns
    -------
    Tensor
        Transformed features.
    """
    if isinstance(inputs, IdentityTransform):
        return raw.astype(dtype)
    inputs = inputs.with_dtype(raw.dtype, dtype)
    x = raw
    if inputs.centers:
        # Differences of large numbers, such as dates, are exact only in the dtype of
        # the center, which may be wider than the dtype of the network.
        x = (raw.astype(inputs.center.dtype) - inputs.center).astype(dtype)
    x = x.astype(np.result_type(x.dtype, inputs.factor.dtype)) * inputs.factor
    return clip(x.astype(dtype), inputs.low, inputs.high)
