"""Export of fitted networks to ONNX.

ONNX graphs run without Python and scikit-learn. `to_onnx` exports an estimator, alone
or in a pipeline or a search. Importing this package also registers the converters of
all estimators with skl2onnx.
"""

try:
    import skl2onnx  # noqa: F401
except ImportError as error:
    raise ImportError(
        "skbackprop.onnx requires skl2onnx, which could not be imported. Install it "
        'with pip install "skbackprop[onnx]".'
    ) from error

from .export import to_onnx
from .registration import register_converters
from .versions import TARGET_OPSET

__all__ = ["TARGET_OPSET", "to_onnx"]

register_converters()
