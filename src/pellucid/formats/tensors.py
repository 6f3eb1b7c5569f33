"""Named arrays in a safetensors file: the one place that writes and reads them.

Each file carries the SHA-256 of every array and one over all it says of itself (names, shapes,
dtypes, metadata), and both are checked on reading: a changed byte anywhere is found. Other tools
open the files as any safetensors file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from ..errors import ArgumentError, DataNotFoundError, FileFormatError, PellucidError
from ..typing import Array, PathLike
from .files import atomic_write
from .safetensors_file import Header, read_array, read_header, require_memory
from .sniff import is_safetensors, look_at, refusal

__all__ = ["read_tensors", "write_tensors"]

ADVICE = "Give a model file, a run folder, or weights as a safetensors file."
HASHES, SEAL = "sha256", "seal"
DTYPES = (
    *("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"),
    *("float16", "float32", "float64", "complex64"),
)


def write_tensors(
    path: PathLike, arrays: Mapping[str, Array], metadata: Mapping[str, str] | None = None
) -> None:
    """Write ``arrays`` and ``metadata`` to ``path``: all of it, or nothing.

    The same arrays and metadata make the same file, byte for byte.

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
    header = {**(metadata or {}), HASHES: json.dumps(hashes, sort_keys=True)}
    header[SEAL] = _seal(plain, header)
    with atomic_write(path) as part:
        permissions = part.stat().st_mode
        try:
            save_file(plain, part, header)
        except SafetensorError as error:  # its names and dtypes were checked: it is the disk
            raise OSError(f"'{path}' could not be written: {error}") from error
        _sort_metadata(part)
        part.chmod(permissions)  # save_file makes a new file, for the owner alone


def _sort_metadata(path: Path) -> None:
    """Give the metadata of a new file one order: safetensors 0.8.0 writes it in a random one."""
    with path.open("r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
        if len(text) <= length:  # as it is, or the tensors would have to move
            file.seek(8)
            file.write(text.ljust(length))


def read_tensors(path: PathLike) -> tuple[dict[str, Array], dict[str, str]]:
    """Read the arrays and the metadata of a safetensors file.

    Files of other programs carry no hashes; those that do are checked. bfloat16, which NumPy lacks,
    becomes float32, exactly.

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
        If it is something else, which the message names with what to do; if it is truncated,
        damaged, changed after it was written, or holds numbers of 8 bits or fewer (float8).
    """
    path = Path(path)
    if not path.exists():
        raise DataNotFoundError(f"there is no file '{path}'.")
    try:
        with path.open("rb") if path.is_file() else nullcontext() as file:
            head = b"" if file is None else file.read(9)
            # One that begins as nothing else does is a damaged one if its name says safetensors.
            if file is None or not (is_safetensors(head) or _was_meant(path)):
                raise FileFormatError(refusal(path, "a safetensors file", ADVICE, tensors=True))
            header = read_header(file, path)
            doubled = sum(entry.size for entry in header.entries if entry.dtype == "BF16")
            require_memory(sum(entry.size for entry in header.entries) + doubled, path)
            arrays = {entry.name: read_array(file, entry, path) for entry in header.entries}
    except OSError as error:
        if isinstance(error, PellucidError):
            raise
        raise FileFormatError(f"'{path}' cannot be read ({error.strerror}).") from error
    if SEAL in header.metadata or HASHES in header.metadata:
        _verify(path, arrays, header)
    return arrays, header.metadata


def _was_meant(path: Path) -> bool:
    return path.suffix.lower() == ".safetensors" and look_at(path).kind == "unknown"


def _verify(path: Path, arrays: Mapping[str, Array], header: Header) -> None:
    """Refuse what is not as it was written; take the hashes out of the metadata."""
    said = header.metadata
    # safetensors fills the header up with spaces; another filling is a change too.
    if said.pop(SEAL, "") != _seal(arrays, said) or not header.plain:
        raise FileFormatError(f"the header of '{path}' was changed after it was written.")
    try:
        hashes = dict(json.loads(said.pop(HASHES)))
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
    return hashlib.sha256(array.reshape(-1).view(np.uint8).data).hexdigest()


def _seal(arrays: Mapping[str, Array], header: Mapping[str, str]) -> str:
    kinds = {name: [a.dtype.str, list(a.shape)] for name, a in arrays.items()}
    return hashlib.sha256(json.dumps([kinds, header], sort_keys=True).encode()).hexdigest()
