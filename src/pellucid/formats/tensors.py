"""Write and read named arrays as safetensors files; nothing else in the package does.

Each file carries the SHA-256 of every array, and one of its header (names, shapes, dtypes,
metadata). Both are checked on reading, so that any changed byte is found. Other tools open the
files as any safetensors file.
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

__all__ = ["note_of_bfloat16", "read_safetensors", "read_tensors", "write_tensors"]

ADVICE = "Give a model file, a run folder, or weights in a safetensors file or one of PyTorch's."
HASHES, SEAL = "sha256", "seal"
DTYPES = (
    *("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"),
    *("float16", "float32", "float64", "complex64"),
)


def write_tensors(
    path: PathLike, arrays: Mapping[str, Array], metadata: Mapping[str, str] | None = None
) -> None:
    """Write ``arrays`` and ``metadata`` atomically to ``path``.

    The same arrays and metadata give the same file, byte for byte.

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
        If the folder of ``path`` does not exist, or the format cannot hold an array or a name.
    OSError
        If the file cannot be written, for example to a full disk.

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

    # save_file of safetensors 0.8.0 ignores strides: it needs C order.
    plain = {name: _in_c_order(name, array) for name, array in arrays.items()}
    for key in {HASHES, SEAL} & set(metadata or {}):
        raise ArgumentError(f"the key {key!r} is reserved for the hashes.", where="metadata")
    hashes = {name: _hash(array) for name, array in plain.items()}
    header = {**(metadata or {}), HASHES: json.dumps(hashes, sort_keys=True)}
    header[SEAL] = _seal(plain, header)
    with atomic_write(path) as part:
        permissions = part.stat().st_mode
        try:
            save_file(plain, part, header)
        except SafetensorError as error:  # names and dtypes are valid: the disk failed
            raise OSError(f"'{path}' could not be written: {error}") from error
        _sort_metadata(part)
        part.chmod(permissions)  # save_file creates a file that only its owner may read


def _sort_metadata(path: Path) -> None:
    """Sort the metadata of a new file: safetensors 0.8.0 writes it in random order."""
    with path.open("r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
        if len(text) <= length:  # a longer header would have to move the tensors
            file.seek(8)
            file.write(text.ljust(length))


def read_tensors(path: PathLike) -> tuple[dict[str, Array], dict[str, str]]:
    """Read the arrays and the metadata of a safetensors file, or the weights in one of PyTorch's.

    Hashes are checked if the file has them; those of other programs do not. bfloat16, which NumPy
    lacks, becomes float32, exactly.

    Parameters
    ----------
    path : str or path
        A safetensors file; a ``.pth`` or ``.pt`` file of `torch.save`, of which nothing is
        executed; the index of weights in several files (``model.safetensors.index.json``).

    Returns
    -------
    arrays : dict of name to array
    metadata : dict of str to str
        Without the hashes. Of PyTorch's files, under "notes", where in the file the weights were
        and what was converted.

    Raises
    ------
    DataNotFoundError
        If there is no such file, or one that an index names.
    FileFormatError
        If it has another format (the message says what to do with it); if it is truncated, damaged,
        changed after it was written, or holds floats of 8 bits or fewer.
    """
    path = Path(path)
    if not path.exists():
        raise DataNotFoundError(f"there is no file '{path}'.")
    kind = look_at(path).kind
    if kind in ("torch", "shards"):
        from .torch.reading import read_torch
        from .torch.shards import read_shards

        weights = read_torch(path) if kind == "torch" else read_shards(path)
        return weights.arrays, {"notes": "\n".join(weights.notes)} if weights.notes else {}
    arrays, metadata, _ = read_safetensors(path)
    return arrays, metadata


def read_safetensors(path: Path) -> tuple[dict[str, Array], dict[str, str], list[str]]:
    """Read a safetensors file, see `read_tensors`; return also notes on what was converted."""
    try:
        with path.open("rb") if path.is_file() else nullcontext() as file:
            head = b"" if file is None else file.read(9)
            # A file of unknown kind that is named .safetensors is a damaged one.
            if file is None or not (is_safetensors(head) or _is_damaged(path)):
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
    narrow = sum(entry.dtype == "BF16" for entry in header.entries)
    return arrays, header.metadata, [note_of_bfloat16(narrow)] if narrow else []


def note_of_bfloat16(tensors: int) -> str:
    """Return the note on tensors that were converted."""
    return f"converted from bfloat16 to float32: {tensors} tensor{'s' * (tensors > 1)}"


def _is_damaged(path: Path) -> bool:
    return path.suffix.lower() == ".safetensors" and look_at(path).kind == "unknown"


def _verify(path: Path, arrays: Mapping[str, Array], header: Header) -> None:
    """Refuse a file that was changed; remove the hashes from the metadata."""
    said = header.metadata
    # safetensors pads the header with spaces; other padding is a change, too.
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
        raise ArgumentError(f"an array cannot be called {name!r}.", where="write_tensors")
    if array.dtype.name not in DTYPES:
        raise ArgumentError(
            f"{name!r} has the dtype {array.dtype}, which the format lacks. Convert it to one of "
            f"{', '.join(DTYPES)}.",
            where="write_tensors",
        )
    return np.array(array, dtype=array.dtype.newbyteorder("<"), order="C")


def _hash(array: Array) -> str:
    return hashlib.sha256(array.reshape(-1).view(np.uint8).data).hexdigest()


def _seal(arrays: Mapping[str, Array], header: Mapping[str, str]) -> str:
    kinds = {name: [a.dtype.str, list(a.shape)] for name, a in arrays.items()}
    return hashlib.sha256(json.dumps([kinds, header], sort_keys=True).encode()).hexdigest()
