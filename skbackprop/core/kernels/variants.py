"""Selection of the compiled kernels when the package is imported."""

import os
from importlib import import_module

#: Environment variable that selects a variant.
VARIABLE = "SKBACKPROP_KERNELS"


def find_variants():
    """Find the compiled kernels that this processor can run.

    Returns
    -------
    dict of str to module
        Modules by name, fastest first. Empty if no kernels are installed.
    """
    baseline = _import_or_none("._baseline")
    if baseline is None:
        return {}
    # Importing a module for AVX2 would crash a processor without AVX2.
    avx2 = _import_or_none("._avx2") if baseline.supports_avx2() else None
    modules = {"avx2": avx2, "baseline": baseline}
    return {name: module for name, module in modules.items() if module is not None}


def _import_or_none(name):
    try:
        return import_module(name, __package__)
    except ImportError:  # not installed, or built for another version of Python
        return None


def load_variant():
    """Load the kernels that the environment variable selects, or the fastest.

    Returns
    -------
    name : {"avx2", "baseline", "numpy"}
        Active kernels.
    module : module or None
        Compiled kernels, or None for "numpy".

    Raises
    ------
    ImportError
        If the variable has an invalid value, or selects kernels that are not available.
    """
    available = {**find_variants(), "numpy": None}
    name = os.environ.get(VARIABLE) or next(iter(available))
    if name not in available:
        raise ImportError(
            f"The environment variable {VARIABLE} is {name!r}, but the available "
            f"kernels are {', '.join(map(repr, available))}. Set {VARIABLE} to one of "
            "these, or unset it to use the fastest."
        )
    return name, available[name]
