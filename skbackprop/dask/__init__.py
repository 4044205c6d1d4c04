"""Training on partitioned data on the workers of a Dask cluster.

This package requires dask.distributed: ``pip install "skbackprop[dask]"``.
"""

try:
    import dask  # noqa: F401
    import distributed  # noqa: F401
except ImportError as error:
    raise ImportError(
        "skbackprop.dask requires dask.distributed, which could not be imported. "
        'Install it with pip install "skbackprop[dask]".'
    ) from error

from .estimators import DaskBackpropClassifier, DaskBackpropRegressor

__all__ = ["DaskBackpropClassifier", "DaskBackpropRegressor"]
