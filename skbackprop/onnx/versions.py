"""Versions of the ONNX operator sets (opsets) and of the file format."""

from numbers import Integral

import skl2onnx
from onnx.helper import find_min_ir_version_for, make_opsetid

#: Default and minimum opset. It is the first opset that can compare strings, which
#: categorical features require. More runtimes support older opsets.
TARGET_OPSET = 19

#: Opset of the "ai.onnx.ml" domain, which has the operators for trees and similar
#: models. Version 3 is compatible with every supported `target_opset`.
ML_OPSET = 3


def check_target_opset(target_opset):
    """Raise a ValueError if an opset is not supported."""
    latest = skl2onnx.get_latest_tested_opset_version()
    if not isinstance(target_opset, Integral) or target_opset > latest:
        raise ValueError(
            f"target_opset={target_opset!r} is not supported with skl2onnx "
            f"{skl2onnx.__version__}. Use an integer from {TARGET_OPSET} to {latest}."
        )
    check_min_opset(target_opset)


def check_min_opset(target_opset):
    """Raise a ValueError if an opset lacks operators that the networks require."""
    if target_opset < TARGET_OPSET:
        raise ValueError(
            f"target_opset={target_opset} is not supported because it lacks required "
            f"operators. Use {TARGET_OPSET} or later."
        )


def get_ir_version(ir_version, target_opset):
    """Return the version of the file format, by default the oldest suitable one."""
    oldest = find_min_ir_version_for([make_opsetid("", int(target_opset))])
    if ir_version is None:
        return oldest
    if not isinstance(ir_version, Integral) or ir_version < oldest:
        raise ValueError(
            f"ir_version={ir_version!r} is not supported with "
            f"target_opset={target_opset}. Use None or an integer of at least "
            f"{oldest}."
        )
    return int(ir_version)
