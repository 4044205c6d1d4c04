"""Fitted networks as plain values, independent of the estimators."""

from dataclasses import dataclass

import numpy as np
from sklearn.base import is_classifier

from .._ensembles.base import BaseBackpropEnsemble
from .._estimators.fitted import fitted_parts
from ..core.network import Network
from ..core.piecewise import Bins

#: Category that equals no value.
NAN = np.array([np.nan])


@dataclass(frozen=True)
class ColumnEncoding:
    """Imputation and encoding of the input columns.

    The encoded columns are the numeric features, their piecewise-linear components, the
    missing-value indicators and the one-hot encoded categorical features, in this
    order.

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
    bins : Bins
        Bins of the piecewise-linear components.
    """

    is_categorical: np.ndarray
    imputation_values: np.ndarray
    indicator_features: np.ndarray
    categories: tuple
    bins: Bins


@dataclass(frozen=True)
class NetworkModel:
    """Fitted network with the preprocessing and the decoding of an estimator.

    Parameters
    ----------
    network : Network
        Input transform, weights, biases and activations.
    columns : ColumnEncoding
        Encoding of the input columns.
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
    columns: ColumnEncoding
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
        columns=_column_encoding(reader.columns, estimator.n_features_in_),
        target_shift=scalers.output_shift if has_scale else None,
        target_scale=scalers.output_scale if has_scale else None,
        target_type=reader.targets.kind if classifies else None,
        decides_by_logits=architecture.decides_by_logits,
        has_softmax_output=architecture.has_softmax_outputs,
        classes=reader.targets.classes if classifies else None,
    )


def network_models(estimator):
    """Return the fitted networks of an estimator, in a list.

    Parameters
    ----------
    estimator : BaseBackprop or BaseBackpropEnsemble
        Fitted network or ensemble.

    Returns
    -------
    list of NetworkModel
    """
    is_ensemble = isinstance(estimator, BaseBackpropEnsemble)
    members = estimator.estimators_ if is_ensemble else [estimator]
    return [network_model(member) for member in members]


def _column_encoding(columns, n_features):
    """Return the parameters of fitted columns."""
    is_categorical = columns.is_categorical
    if is_categorical is None:
        is_categorical = np.zeros(n_features, bool)
    return ColumnEncoding(
        is_categorical=is_categorical,
        imputation_values=columns.imputation_values,
        indicator_features=columns.encoding.indicator_features,
        # A feature without categories has one column, which is always zero.
        categories=tuple(known if known.size else NAN for known in columns.categories),
        bins=columns.bins,
    )
