"""Files of estimators: what they hold, its format, and how they are read."""

import bz2
import gzip
import lzma
import zlib
from functools import partial
from io import BytesIO
from pathlib import Path

import joblib
from sklearn.base import BaseEstimator

from ._data.columns import MixedColumns, NumericColumns
from ._data.reader import Reader
from ._data.scaling import FittedScalers
from ._data.targets import ClassTargets, NumericTargets
from ._estimators.architecture import Architecture, ComponentSettings
from ._estimators.pickling import PersistenceMixin
from .core import initializers
from .core.activations import (
    ACTIVATIONS,
    OUTPUT_ACTIVATIONS,
    ActivationFromFunction,
)
from .core.inputs import IdentityTransform, Standardized
from .core.losses import LOSSES, LossFromFunction
from .core.network import Network
from .core.optimizers import OPTIMIZERS
from .core.state import ConvergenceMonitor, TrainingState

#: How the file of a `Checkpoint` begins, which is none of these.
CHECKPOINT = b"skbackprop checkpoint"

#: How the other files begin. joblib compresses a pickle in one of these ways.
ZIP, PICKLE = b"PK\x03\x04", b"\x80"
COMPRESSED = (
    ((b"x\x01", b"x\x5e", b"x\x9c", b"x\xda"), zlib.decompress),
    (b"\x1f\x8b", gzip.decompress),
    (b"BZ", bz2.decompress),
    (b"\xfd7zXZ", lzma.decompress),
    (b"]\x00", lzma.decompress),
)

_TYPES = {
    *ACTIVATIONS.values(),
    *OUTPUT_ACTIVATIONS.values(),
    *LOSSES.values(),
    *OPTIMIZERS.values(),
    *initializers.INITIALIZERS.values(),
    initializers.Uniform,
    # Around functions of users, which are trusted, or not, for themselves.
    initializers.FromFunction,
    ActivationFromFunction,
    LossFromFunction,
    Architecture,
    ClassTargets,
    ComponentSettings,
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
}

#: Names of the types of ours that a skops file of an estimator may contain, to be
#: passed as ``trusted`` to ``skops.io.load``.
SKOPS_TRUSTED = sorted(
    {
        "skbackprop._estimators.classifier.BackpropClassifier",
        "skbackprop._estimators.regressor.BackpropRegressor",
        *(f"{one.__module__}.{one.__name__}" for one in _TYPES),
    }
)


def load(path, *, trusted=()):
    """Load an estimator from a file of pickle, joblib or skops.

    Which of them wrote it is seen from what is in it, not from its name. Unlike
    ``pickle.load`` and ``joblib.load``, this says of every file that is cut short,
    foreign or of a later format what is wrong with it.

    Parameters
    ----------
    path : str or path-like
        The file: of ``pickle.dump`` with protocol 2 or later, of ``joblib.dump``, also
        compressed with anything but LZ4, or of ``skops.io.dump``.
    trusted : sequence of str, default=()
        What a skops file may contain beside `SKOPS_TRUSTED` and what skops trusts by
        itself: the full names of types and functions of yours.

    Returns
    -------
    estimator : object
        A BackpropClassifier or a BackpropRegressor, or an estimator of scikit-learn
        that holds one, as a pipeline or a search does.

    Raises
    ------
    FileNotFoundError
        Where there is no file.
    ImportError
        Where it is a skops file, and skops is not installed.
    ValueError
        Where it is cut short, not a file of an estimator, or in a format that this
        release can't read.

    Warns
    -----
    InconsistentVersionWarning
        Where the file holds objects of scikit-learn's from another release of it, such
        as the other steps of a pipeline. An estimator of ours holds none.

    See Also
    --------
    Checkpoint.resume : Reads a training that was cut off, and finishes it.

    Notes
    -----
    A pickle runs whatever code it contains, and a file of joblib is a pickle: load
    only what you trust. skops builds nothing that is not trusted.

    That a file is whole is certain; that no byte in it has changed is not, but in
    skops files and in those that joblib has compressed, which hold a checksum.

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
    ...     loaded = skbackprop.load(path)
    >>> (loaded.predict(X) == net.predict(X)).all()
    np.True_
    """
    content = Path(path).read_bytes()
    read = _reader(content, trusted)
    try:
        estimator = _checked(read(content))
    except Exception as error:  # of any kind, where pickles are not what they seem
        raise ValueError(
            f"path={str(path)!r} can't be loaded: {_reason(error)} (Allowed are whole "
            "files of pickle, joblib or skops, with a BackpropClassifier, a "
            "BackpropRegressor or an estimator of scikit-learn that holds one; of "
            "skops with no types but those that are named in trusted.)"
        ) from error
    return estimator


def _reason(error):
    """Say why a file can't be loaded."""
    if type(error) is ValueError:
        return str(error)
    told = f"{type(error).__name__}: {error}"
    # These tell of what the file names; any other comes from bytes that are no file of
    # an estimator.
    if isinstance(error, (ImportError, AttributeError, TypeError)):
        return told
    return f"it is cut short, damaged or foreign ({told})."


def _reader(content, trusted):
    """Choose by how a file begins what reads it."""
    if not content.startswith(ZIP):
        return _unpickled
    try:
        from skops.io import loads
    except ModuleNotFoundError as error:
        raise ImportError("To load a skops file, pip install skops.") from error
    return partial(loads, trusted=[*SKOPS_TRUSTED, *trusted])


def _unpickled(content):
    if content.startswith(CHECKPOINT):
        raise ValueError("it is a checkpoint: pass it to Checkpoint.resume.")
    for beginning, decompress in COMPRESSED:
        if content.startswith(beginning):
            content = decompress(content)  # all of it, and so its checksum
            break
    if not content.startswith(PICKLE):
        begins = f"begins with {content[:16]!r}" if content else "is empty"
        raise ValueError(f"it {begins}.")
    stream = BytesIO(content)
    estimator = joblib.load(stream)
    if stream.read(1):
        raise ValueError("something follows the estimator.")
    return estimator


def _checked(estimator):
    kind = type(estimator).__name__
    if not isinstance(estimator, BaseEstimator):
        raise ValueError(f"it holds a {kind}.")
    if not _holds_network(estimator):
        raise ValueError(f"it holds a {kind} without a network of this package.")
    return estimator


def _holds_network(found):
    """Say whether there is an estimator of ours, here or further inside."""
    if isinstance(found, PersistenceMixin):
        return True
    parts = vars(found) if isinstance(found, BaseEstimator) else found
    parts = list(parts.values()) if isinstance(parts, dict) else parts
    return isinstance(parts, (list, tuple)) and any(map(_holds_network, parts))
