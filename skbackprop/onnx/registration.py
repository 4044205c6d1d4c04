"""Registration of the converters with skl2onnx."""

import skl2onnx

from .._ensembles.classifier import BackpropEnsembleClassifier
from .._ensembles.regressor import BackpropEnsembleRegressor
from .._estimators.classifier import BackpropClassifier
from .._estimators.regressor import BackpropRegressor
from .concat_columns import (
    ALIAS,
    ConcatColumns,
    convert_concat_columns,
    infer_concat_columns_types,
    parse_concat_columns,
)
from .converters import (
    convert_classifier,
    convert_regressor,
    infer_classifier_types,
    infer_regressor_types,
)
from .ensembles import convert_ensemble_classifier, convert_ensemble_regressor


def register_converters():
    """Register the converters of all exported estimators with skl2onnx."""
    for classifier, convert in (
        (BackpropClassifier, convert_classifier),
        (BackpropEnsembleClassifier, convert_ensemble_classifier),
    ):
        skl2onnx.update_registered_converter(
            classifier,
            f"Sk{classifier.__name__}",
            infer_classifier_types,
            convert,
            options={
                "zipmap": [True, False, "columns"],
                "nocl": [True, False],
                "raw_scores": [True, False],
                "output_class_labels": [False, True],
            },
        )
    for regressor, convert in (
        (BackpropRegressor, convert_regressor),
        (BackpropEnsembleRegressor, convert_ensemble_regressor),
    ):
        skl2onnx.update_registered_converter(
            regressor, f"Sk{regressor.__name__}", infer_regressor_types, convert
        )
    skl2onnx.update_registered_converter(
        ConcatColumns,
        ALIAS,
        infer_concat_columns_types,
        convert_concat_columns,
        parser=parse_concat_columns,
    )
