"""Registration of the converters with skl2onnx."""

import skl2onnx

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


def register_converters():
    """Register the converters of all exported estimators with skl2onnx."""
    skl2onnx.update_registered_converter(
        BackpropClassifier,
        "SkbackpropClassifier",
        infer_classifier_types,
        convert_classifier,
        options={
            "zipmap": [True, False, "columns"],
            "nocl": [True, False],
            "raw_scores": [True, False],
            "output_class_labels": [False, True],
        },
    )
    skl2onnx.update_registered_converter(
        BackpropRegressor,
        "SkbackpropRegressor",
        infer_regressor_types,
        convert_regressor,
    )
    skl2onnx.update_registered_converter(
        ConcatColumns,
        ALIAS,
        infer_concat_columns_types,
        convert_concat_columns,
        parser=parse_concat_columns,
    )
