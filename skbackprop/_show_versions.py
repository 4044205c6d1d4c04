"""Versions, BLAS threads and kernels, for bug reports."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from threadpoolctl import threadpool_info

from .core.kernels import ACTIVE

#: Packages whose versions are shown; some of them are optional.
PACKAGES = (
    "skbackprop",
    "numpy",
    "scipy",
    "scikit-learn",
    "pandas",
    "threadpoolctl",
    "dask",
    "matplotlib",
    "onnx",
    "polars",
    "skops",
)

#: Description of each kind of kernels.
KERNELS = {
    "avx2": "avx2 (compiled for AVX2 and FMA)",
    "baseline": "baseline (compiled for every processor)",
    "numpy": "numpy (compiled kernels are not installed, or switched off)",
}


def show_versions():
    """Print the versions of the package and its dependencies, BLAS and kernels.

    Include this output in bug reports. If the last lines do not name compiled kernels,
    training is slower: install a C++ compiler and reinstall the package, or unset the
    environment variable ``SKBACKPROP_KERNELS``.

    Examples
    --------
    >>> from skbackprop import show_versions
    >>> show_versions()
    System:
        python: ...
    """
    sections = {
        "System": _describe_system(),
        "Python packages": _find_versions(),
        "BLAS and OpenMP libraries": _describe_libraries(),
        "Kernels": {"active": KERNELS[ACTIVE]},
    }
    for title, entries in sections.items():
        print(f"{title}:")
        for name, value in entries.items():
            print(f"    {name}: {value}")


def _describe_system():
    return {
        "python": sys.version.replace("\n", " "),
        "executable": sys.executable,
        "machine": platform.platform(),
    }


def _find_versions():
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _describe_libraries():
    return {
        library["filepath"]: f"{library['internal_api']} {library['version']}, "
        f"{library['num_threads']} threads"
        for library in threadpool_info()
    }
