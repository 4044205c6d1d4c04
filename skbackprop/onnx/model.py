"""Fitted networks as plain values, independent of the estimator internals.

Only `network_model` reads private attributes of the estimators.
"""

from dataclasses import dataclass

import numpy as np

from ..core.activations import Softmax
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
    target_mean, target_scale : ndarray of shape (n_outputs,), or None
        Mean and scale that map the network outputs to the units of the targets. None
        if the targets are not scaled.
    target_type : {"binary", "multiclass", "multilabel"} or None
        Type of the classification targets. None for regressors.
    decides_by_weighted_inputs : bool
        Whether decisions use the weighted inputs z of the output layer instead of its
        activations a.
    has_softmax_output : bool
        Whether the outputs are softmax probabilities.
    classes : ndarray of shape (n_classes,), or None
        Class labels. None for regressors.
    """

    network: Network
    columns: ColumnEncoding | None
    target_mean: np.ndarray | None
    target_scale: np.ndarray | None
    target_type: str | None
    decides_by_weighted_inputs: bool
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
    target_scaler = estimator._scales.targets
    output_activation = estimator._architecture.output_activation
    return NetworkModel(
        network=estimator._state.network,
        columns=_column_encoding(estimator._encoder),
        target_mean=None if target_scaler is None else target_scaler.mean_,
        target_scale=None if target_scaler is None else target_scaler.scale_,
        target_type=getattr(estimator, "_target_kind", None),
        decides_by_weighted_inputs=estimator._of_weighted_inputs,
        has_softmax_output=type(output_activation) is Softmax,
        classes=getattr(estimator, "classes_", None),
    )


def _column_encoding(encoder):
    """Return the parameters of a fitted `ColumnEncoder`."""
    if encoder is None:
        return None
    # The imputer is fitted only if there are numeric features, the one-hot encoder
    # only if there are categorical features.
    imputer = encoder.imputer if encoder.n_numbers else None
    one_hot = encoder.one_hot if encoder.is_categorical is not None else None
    return ColumnEncoding(
        is_categorical=~encoder.is_number,
        imputation_values=np.zeros(0) if imputer is None else imputer.statistics_,
        indicator_features=(
            np.zeros(0, int) if imputer is None else imputer.indicator_.features_
        ),
        categories=() if one_hot is None else tuple(one_hot.categories_),
    )
