"""The file of a checkpoint: JSON and arrays, with a checksum.

The file consists of a line with the format version, a SHA-256 checksum, and an .npz
archive. The entry "json" of the archive contains JSON, which refers to the arrays in
the other entries.
"""

import json
import os
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np

from .._persistence import CHECKPOINT, TYPES
from .plain_data import Decoder, Encoder

#: First bytes of a checkpoint file, with the format version. The checksum follows.
FORMAT = CHECKPOINT + b" 2\n"
HASH_SIZE = sha256().digest_size

#: Name of the JSON entry of the archive.
JSON = "json"


def write_checkpoint(path, content):
    """Write a checkpoint file, and replace an existing file atomically.

    Parameters
    ----------
    path : Path
        Path of the file.
    content : dict
        Content of the file; see `Encoder.encode`.

    Raises
    ------
    NotPlainError
        If JSON and arrays cannot represent the content.
    """
    archive = _to_archive(content)
    with NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:
        try:
            for part in (FORMAT, sha256(archive).digest(), archive):
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
            file.close()
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink()
            raise


def read_checkpoint(path):
    """Read a checkpoint file. Reading runs no code from the file.

    Parameters
    ----------
    path : Path
        Path of the file.

    Returns
    -------
    dict
        Content of the file.

    Raises
    ------
    ValueError
        If the file is not a checkpoint of this format, or is damaged.
    """
    content = path.read_bytes()
    if not content.startswith(FORMAT):
        raise ValueError(f"Cannot read checkpoint {str(path)!r}: {_explain(content)}")
    expected_hash = content[len(FORMAT) : len(FORMAT) + HASH_SIZE]
    archive = content[len(FORMAT) + HASH_SIZE :]
    if sha256(archive).digest() != expected_hash:
        raise ValueError(
            f"Cannot read checkpoint {str(path)!r}: the SHA-256 checksum does not "
            "match. Delete the file and train again."
        )
    try:
        return _from_archive(archive)
    except Exception as error:  # Invalid content can raise any exception.
        raise ValueError(
            f"Cannot read checkpoint {str(path)!r}: the file was not written by "
            f"Checkpoint ({type(error).__name__}: {error}). Delete the file and train "
            "again."
        ) from error


def check_content(content):
    """Raise NotPlainError if JSON and arrays cannot represent the content."""
    Encoder(TYPES).encode(content)


def _to_archive(content):
    encoder = Encoder(TYPES)
    text = json.dumps(encoder.encode(content))
    buffer = BytesIO()
    np.savez(buffer, **encoder.arrays, **{JSON: np.frombuffer(text.encode(), np.uint8)})
    return buffer.getvalue()


def _from_archive(archive):
    with np.load(BytesIO(archive), allow_pickle=False) as arrays:
        text = arrays[JSON].tobytes()
        return Decoder(arrays, TYPES).decode(json.loads(text))


def _explain(content):
    """Return the reason why a file does not start like a checkpoint."""
    start, line_end, _ = content[: len(FORMAT)].partition(b"\n")
    if start.startswith(CHECKPOINT) and line_end:
        return (
            f"the file starts with {start!r}, but this release of skbackprop reads "
            f"{FORMAT.strip()!r}. Resume training with the release that wrote the "
            "file, or delete the file and train again."
        )
    return (
        f"the file starts with {content[: len(FORMAT)]!r}, but must start with "
        f"{FORMAT!r}. The file is damaged or is not a checkpoint."
    )
