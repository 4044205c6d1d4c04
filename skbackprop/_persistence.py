"""Loading of estimators from files, and the types that skops files may contain."""

import bz2
import gzip
import lzma
import zlib
from functools import partial
from io import BytesIO
from pathlib import Path

import joblib
from sklearn.base import BaseEstimator

from ._data.column_statistics import ColumnMoments, ColumnRanges
from ._data.columns import MixedColumns, NumericColumns
from ._data.reader import Reader
from ._data.scaling import FittedScalers
from ._data.targets import ClassTargets, NumericTargets
from ._ensembles.classifier import BackpropEnsembleClassifier
from ._ensembles.intervals import ConformityScores
from ._ensembles.regressor import BackpropEnsembleRegressor
from ._estimators.architecture import Architecture, ComponentSettings
from ._estimators.classifier import BackpropClassifier
from ._estimators.pickling import PersistenceMixin
from ._estimators.regressor import BackpropRegressor
from .core.activations import ACTIVATIONS, OUTPUT_ACTIVATIONS
from .core.initializers import INITIALIZERS, Uniform
from .core.inputs import IdentityTransform, Standardized
from .core.losses import LOSSES
from .core.network import Network
from .core.optimizers import OPTIMIZERS
from .core.piecewise import Bins
from .core.samples import WeightTotals
from .core.state import ConvergenceMonitor, TrainingState
from .core.user_functions import (
    ActivationFromFunction,
    InitializerFromFunction,
    LossFromFunction,
)

#: First bytes of a file written by `Checkpoint`, which `load` does not accept.
CHECKPOINT = b"skbackprop checkpoint"

#: First bytes of skops files (ZIP archives) and of pickles with protocol 2 or later.
ZIP, PICKLE = b"PK\x03\x04", b"\x80"

#: First bytes of the compressed pickles that joblib writes, with the function that
#: decompresses each of them.
COMPRESSED = (
    ((b"x\x01", b"x\x5e", b"x\x9c", b"x\xda"), zlib.decompress),
    (b"\x1f\x8b", gzip.decompress),
    (b"BZ", bz2.decompress),
    (b"\xfd7zXZ", lzma.decompress),
    (b"]\x00", lzma.decompress),
)

#: Types of this library that the files of an estimator may contain.
TYPES = {
    *ACTIVATIONS.values(),
    *OUTPUT_ACTIVATIONS.values(),
    *LOSSES.values(),
    *OPTIMIZERS.values(),
    *INITIALIZERS.values(),
    Uniform,
    # These types wrap user-defined functions, which the user must trust separately.
    InitializerFromFunction,
    ActivationFromFunction,
    LossFromFunction,
    Architecture,
    Bins,
    ClassTargets,
    ColumnMoments,
    ColumnRanges,
    ComponentSettings,
    ConformityScores,
    ConvergenceMonitor,
    FittedScalers,
    IdentityTransform,
    MixedColumns,
    Network,
    NumericColumns,
    NumericTargets,
    Reader,
    Standardized,
    TrainingState,
    WeightTotals,
}

#: Estimators that a file may contain.
ESTIMATORS = {
    BackpropClassifier,
    BackpropEnsembleClassifier,
    BackpropEnsembleRegressor,
    BackpropRegressor,
}

#: Full names of the skbackprop types that a skops file of an estimator may contain.
#: Pass this list as ``trusted`` to ``skops.io.load``.
SKOPS_TRUSTED = sorted(
    {f"{cls.__module__}.{cls.__name__}" for cls in {*ESTIMATORS, *TYPES}}
)


def load(path, *, allow_pickle=False, trusted=()):
    """Load an estimator from a pickle, joblib or skops file.

    The file type is detected from the content, not from the file name. Unlike
    ``pickle.load`` and ``joblib.load``, this function raises a ValueError with the
    reason if a file is truncated, has another type or has a newer format.

    Parameters
    ----------
    path : str or path-like
        Path of the file. Supported files:

        - pickle: written by ``pickle.dump`` with protocol 2 or later.
        - joblib: written by ``joblib.dump``, uncompressed or with any compression
          except LZ4.
        - skops: written by ``skops.io.dump``.
    allow_pickle : bool, default=False
        Whether to load pickle and joblib files. Loading such a file can run any code,
        so set `allow_pickle` to True only if you trust the author of the file. skops
        files do not require `allow_pickle`.
    trusted : sequence of str, default=()
        Full names of additional types and functions that a skops file may contain.
        `SKOPS_TRUSTED` and the types that skops trusts by default are always allowed.

    Returns
    -------
    estimator : object
        BackpropClassifier or BackpropRegressor, an ensemble of them, or a scikit-learn
        estimator that contains one, such as a pipeline or a search.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ImportError
        If the file is a skops file and skops is not installed.
    ValueError
        If the file is a pickle or joblib file and `allow_pickle` is False. If the file
        is truncated, is not a file of an estimator, or has a format that this release
        cannot read.

    Warns
    -----
    InconsistentVersionWarning
        If the file contains scikit-learn objects of another scikit-learn release, such
        as the other steps of a pipeline. BackpropClassifier and BackpropRegressor do
        not contain scikit-learn objects.

    See Also
    --------
    Checkpoint.resume : Resume an interrupted training from a checkpoint.

    Notes
    -----
    A pickle can run arbitrary code when it is loaded, and a joblib file is a pickle.
    Without ``allow_pickle=True``, these files are neither decompressed nor unpickled.
    skops creates only trusted types and never unpickles.

    Truncated files are always detected. Changed bytes are detected only in skops files
    and in compressed joblib files, because these files contain a checksum.

    Examples
    --------
    >>> import joblib
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.datasets import load_iris
    >>> import skbackprop
    >>> X, y = load_iris(return_X_y=True)
    >>> net = skbackprop.BackpropClassifier((10,), solver="lbfgs", random_state=0)
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "iris.joblib"
    ...     _ = joblib.dump(net.fit(X, y), path, compress=3)
    ...     loaded = skbackprop.load(path, allow_pickle=True)
    >>> (loaded.predict(X) == net.predict(X)).all()
    np.True_
    """
    content = Path(path).read_bytes()
    read = _choose_reader(content, allow_pickle, trusted)
    try:
        estimator = _check_estimator(read(content))
    except Exception as error:  # Unpickling invalid bytes can raise any exception.
        skops_rule = (
            " A skops file may contain only types that skops trusts by default or that "
            "are listed in trusted."
        )
        raise ValueError(
            f"Cannot load {str(path)!r}: {_describe(error).rstrip('.')}. Supported "
            "files are complete pickle, joblib and skops files of a "
            "BackpropClassifier, a BackpropRegressor, an ensemble of them, or a "
            "scikit-learn estimator that contains one."
            f"{skops_rule if content.startswith(ZIP) else ''}"
        ) from error
    return estimator


def _describe(error):
    """Return the reason why a file cannot be loaded."""
    if type(error) is ValueError:
        return str(error)
    description = f"{type(error).__name__}: {error}"
    # These errors come from names in the file. Any other error comes from bytes that
    # are not a valid file of an estimator.
    if isinstance(error, (ImportError, AttributeError, TypeError)):
        return description
    return f"the file is truncated, damaged or has another type ({description})."


def _choose_reader(content, allow_pickle, trusted):
    """Return the function that reads a file with this content."""
    if not content.startswith(ZIP):
        return _unpickle if allow_pickle else _refuse_pickle
    try:
        from skops.io import loads
    except ModuleNotFoundError as error:
        raise ImportError(
            "Loading a skops file requires skops. You can install skops with "
            "`pip install skops`."
        ) from error
    return partial(loads, trusted=[*SKOPS_TRUSTED, *trusted])


def _refuse_pickle(content):
    """Raise a ValueError that explains `allow_pickle`, without reading the content."""
    if not any(map(content.startswith, (PICKLE, *(start for start, _ in COMPRESSED)))):
        raise _describe_start(content)
    raise ValueError(
        "the file is a pickle or joblib file, and loading such a file can run any "
        "code. If you trust the author of the file, set allow_pickle=True. Otherwise, "
        "ask the author for a skops file."
    )


def _unpickle(content):
    for prefix, decompress in COMPRESSED:
        if content.startswith(prefix):
            # Decompressing all bytes verifies the checksum.
            content = decompress(content)
            break
    if not content.startswith(PICKLE):
        raise _describe_start(content)
    stream = BytesIO(content)
    estimator = joblib.load(stream)
    if stream.read(1):
        raise ValueError("the file contains additional data after the estimator.")
    return estimator


def _describe_start(content):
    """Return the ValueError for a file that is not a pickle."""
    if content.startswith(CHECKPOINT):
        return ValueError("the file is a checkpoint. Pass it to Checkpoint.resume.")
    if not content:
        return ValueError("the file is empty.")
    return ValueError(f"the file starts with {content[:16]!r}.")


def _check_estimator(estimator):
    name = type(estimator).__name__
    if not isinstance(estimator, BaseEstimator):
        raise ValueError(f"the file contains an object of type {name}.")
    if not _contains_network(estimator):
        raise ValueError(
            f"the file contains a {name} without a BackpropClassifier or "
            "BackpropRegressor."
        )
    return estimator


def _contains_network(value):
    """Return whether a value is or contains an estimator of skbackprop."""
    if isinstance(value, PersistenceMixin):
        return True
    parts = vars(value) if isinstance(value, BaseEstimator) else value
    parts = list(parts.values()) if isinstance(parts, dict) else parts
    return isinstance(parts, (list, tuple)) and any(map(_contains_network, parts))
