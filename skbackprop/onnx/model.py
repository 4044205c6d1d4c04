"""Fitted networks as plain values, independent of the estimators."""

from dataclasses import dataclass

import numpy as np
from sklearn.base import is_classifier

from .._estimators.fitted import fitted_parts
from ..core.network import Network


@dataclass(frozen=True)
class ColumnEncoding:
    """Imputation and one-hot encoding of the input columns.

    The encoded columns are the numeric features, the missing-value indicators and the
    one-hot encoded categorical features, in this order.

    Parameters
    ----------
    is_categorical : ndarray of bool of shape (n_features,)
        Mask of the categorical features. The other features are numeric.
    imputation_values : ndarray of shape (n_numeric,)
        Replacement for the missing values of each numeric feature.
    indicator_features : ndarray of int of shape (n_indicators,)
        Positions of the numeric features with a missing-value indicator, counted
        among the numeric features.
    categories : tuple of ndarray
        Categories of each categorical feature.
    """

    is_categorical: np.ndarray
    imputation_values: np.ndarray
    indicator_features: np.ndarray
    categories: tuple


@dataclass(frozen=True)
class NetworkModel:
    """Fitted network with the preprocessing and the decoding of an estimator.

    Parameters
    ----------
    network : Network
        Input transform, weights, biases and activations.
    columns : ColumnEncoding or None
        Encoding of the input columns. None if `network` reads the features directly.
    target_shift : ndarray of shape (n_outputs,) or (1,), float or None
        Shift of the network outputs in the units of the targets, after multiplication
        by `target_scale`. None if the targets are not scaled.
    target_scale : ndarray of shape (n_outputs,) or (1,), or None
        Factor of the network outputs. None if the targets are not scaled.
    target_type : {"binary", "multiclass", "multilabel"} or None
        Type of the classification targets. None for regressors.
    decides_by_logits : bool
        Whether decisions use the weighted inputs z of the output layer instead of its
        activations a.
    has_softmax_output : bool
        Whether the outputs are softmax probabilities.
    classes : ndarray of shape (n_classes,), or None
        Class labels. None for regressors.
    """

    network: Network
    columns: ColumnEncoding | None
    target_shift: np.ndarray | float | None
    target_scale: np.ndarray | None
    target_type: str | None
    decides_by_logits: bool
    has_softmax_output: bool
    classes: np.ndarray | None


def network_model(estimator):
    """Return the fitted network of an estimator as plain values.

    Parameters
    ----------
    estimator : BackpropClassifier or BackpropRegressor
        The fitted estimator.

    Returns
    -------
    NetworkModel
    """
    reader, architecture, state = fitted_parts(estimator)
    scalers = reader.scalers
    has_scale = scalers.targets is not None
    classifies = is_classifier(estimator)
    return NetworkModel(
        network=state.network,
        columns=_column_encoding(reader.columns),
        target_shift=scalers.output_shift if has_scale else None,
        target_scale=scalers.output_scale if has_scale else None,
        target_type=reader.targets.kind if classifies else None,
        decides_by_logits=architecture.decides_by_logits,
        has_softmax_output=architecture.has_softmax_outputs,
        classes=reader.targets.classes if classifies else None,
    )


def _column_encoding(columns):
    """Return the parameters of fitted columns; None if they need no encoding."""
    if not columns.needs_encoding:
        return None
    has_categories = columns.is_categorical is not None
    return ColumnEncoding(
        is_categorical=~columns.is_numeric,
        imputation_values=columns.imputation_values,
        indicator_features=columns.indicator_features,
        categories=tuple(columns.one_hot.categories_) if has_categories else (),
    )
