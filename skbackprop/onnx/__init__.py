"""Export of fitted networks to ONNX, which runs without Python and scikit-learn.

`to_onnx` exports an estimator, alone or in a pipeline or a search. Importing this
package also registers both estimators with skl2onnx.
"""

from .export import TARGET_OPSET, to_onnx

__all__ = ["TARGET_OPSET", "to_onnx"]
