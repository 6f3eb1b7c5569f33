"""Named arrays in a safetensors file: the one place that writes and reads them.

Each file carries the SHA-256 of every array and one over all it says of itself (names, shapes,
dtypes, metadata), and both are checked on reading: a changed byte anywhere is found. Other tools
open the files as any safetensors file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..errors import ArgumentError, DataNotFoundError, FileFormatError
from ..typing import Array, PathLike
from .files import atomic_write

__all__ = ["read_tensors", "write_tensors"]

HASHES, SEAL = "sha256", "seal"
DTYPES = (
    *("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"),
    *("float16", "float32", "float64", "complex64"),
)


def write_tensors(
    path: PathLike, arrays: Mapping[str, Array], metadata: Mapping[str, str] | None = None
) -> None:
    """Write ``arrays`` and ``metadata`` to ``path``: all of it, or nothing.

    Parameters
    ----------
    path : str or path
        Its folder must exist.
    arrays : mapping of name to array
        Any shape, order and byte order.
    metadata : mapping of str to str, optional

    Raises
    ------
    ArgumentError
        If there is no folder for ``path``, or an array or a name has no place in such a file.
    OSError
        If the disk is full, say.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_tensors(f"{folder}/a.safetensors", {"w": np.eye(2).T}, {"made by": "hand"})
    ...     arrays, metadata = read_tensors(f"{folder}/a.safetensors")
    >>> arrays["w"].tolist(), metadata
    ([[1.0, 0.0], [0.0, 1.0]], {'made by': 'hand'})
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    # save_file of safetensors 0.8.0 writes the memory as it lies, whatever its order.
    plain = {name: _in_c_order(name, array) for name, array in arrays.items()}
    for key in {HASHES, SEAL} & set(metadata or {}):
        raise ArgumentError(f"the key {key!r} is taken by the hashes.", where="metadata")
    hashes = {name: _hash(array) for name, array in plain.items()}
    header = {**(metadata or {}), HASHES: json.dumps(hashes)}
    header[SEAL] = _seal(plain, header)
    with atomic_write(path) as part:
        permissions = part.stat().st_mode
        try:
            save_file(plain, part, header)
        except SafetensorError as error:  # its names and dtypes were checked: it is the disk
            raise OSError(f"'{path}' could not be written: {error}") from error
        part.chmod(permissions)  # save_file makes a new file, for the owner alone


def read_tensors(path: PathLike) -> tuple[dict[str, Array], dict[str, str]]:
    """Read the arrays and the metadata of a safetensors file.

    Files of other programs carry no hashes; those that do are checked.

    Returns
    -------
    arrays : dict of name to array
    metadata : dict of str to str
        Without the hashes.

    Raises
    ------
    DataNotFoundError
        If there is no such file.
    FileFormatError
        If it is no safetensors file, is damaged, or was changed after it was written.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.exists():
        raise DataNotFoundError(f"there is no file '{path}'.")
    if not path.is_file():
        raise FileFormatError(f"'{path}' is a folder, not a safetensors file.")
    try:
        with safe_open(path, framework="numpy") as file:
            header = dict(file.metadata() or {})
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise FileFormatError(
            f"'{path}' is no whole safetensors file ({error}). Copy or write it again."
        ) from error
    if SEAL in header or HASHES in header:
        _verify(path, arrays, header)
    return arrays, header


def _verify(path: Path, arrays: Mapping[str, Array], header: dict[str, str]) -> None:
    """Refuse what is not as it was written; take the hashes out of ``header``."""
    seal = header.pop(SEAL, "")
    if seal != _seal(arrays, header) or not _ends_plainly(path):
        raise FileFormatError(f"the header of '{path}' was changed after it was written.")
    try:
        hashes = dict(json.loads(header.pop(HASHES)))
    except (KeyError, ValueError, TypeError, RecursionError):
        hashes = {}
    for name, array in arrays.items():
        if _hash(array) != hashes.get(name):
            raise FileFormatError(
                f"{name!r} in '{path}' was changed after it was written (its SHA-256 differs). "
                "Copy the file again, or train again."
            )


def _in_c_order(name: str, array: Array) -> Array:
    array = np.asarray(array)
    if name == "__metadata__":
        raise ArgumentError(f"no array can be called {name!r}.", where="write_tensors")
    if array.dtype.name not in DTYPES:
        raise ArgumentError(
            f"{name!r} has the dtype {array.dtype}, which no safetensors file holds. Turn it into "
            f"one of {', '.join(DTYPES)}.",
            where="write_tensors",
        )
    return np.array(array, dtype=array.dtype.newbyteorder("<"), order="C")


def _hash(array: Array) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()


def _ends_plainly(path: Path) -> bool:
    """Say whether the header ends in spaces, as safetensors fills it up to a multiple of 8."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        file.seek(size)  # 8 bytes before its end
        return file.read(8).rstrip(b" ").endswith(b"}")


def _seal(arrays: Mapping[str, Array], header: Mapping[str, str]) -> str:
    kinds = {name: [a.dtype.str, list(a.shape)] for name, a in arrays.items()}
    return hashlib.sha256(json.dumps([kinds, header], sort_keys=True).encode()).hexdigest()
