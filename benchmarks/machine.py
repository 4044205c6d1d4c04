"""Description of the machine, the package versions and the threads."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from threadpoolctl import threadpool_info

import skbackprop
from skbackprop.core.kernels import ACTIVE

PACKAGES = ("numpy", "scipy", "scikit-learn", "torch")


def describe():
    """Return the CPU, the versions and the threads as a dict of strings."""
    return {
        "CPU": f"{_cpu_name()}, {os.cpu_count()} cores",
        "Python": platform.python_version(),
        **{package: _version(package) for package in PACKAGES},
        "skbackprop": f"{skbackprop.__version__}, kernels: {ACTIVE}",
        "BLAS": "; ".join(_blas()),
        "PyTorch threads": _torch_threads(),
    }


def _cpu_name():
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(": ", 1)[1] for line in lines if "model name" in line]
    return names[0] if names else platform.processor() or platform.machine()


def _version(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _blas():
    return sorted(
        {
            f"{pool['internal_api']} {pool['version']}, {pool['num_threads']} threads"
            for pool in threadpool_info()
            if pool["user_api"] == "blas"
        }
    )


def _torch_threads():
    try:
        import torch
    except ImportError:
        return "none"
    return str(torch.get_num_threads())
