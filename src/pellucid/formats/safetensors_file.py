"""Read the safetensors format: a length, a header in JSON, and the bytes of all tensors.

This reader replaces that of the safetensors library, which lacks bfloat16 under NumPy and raises a
MemoryError for a wrong length. A file is hostile until parsed: the header must fit into the file
and the limit of the format, every tensor must have exactly the bytes of its shape and dtype, and
together they must fill the file without gap or overlap. Source: huggingface/safetensors, README,
"Format".
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from ..errors import FileFormatError
from ..shapes import shape_text
from ..typing import Array
from .sniff import LONGEST_HEADER

__all__ = ["Header", "read_array", "read_header", "require_memory"]

_DTYPES = {
    "BOOL": "bool", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4",
    "U64": "<u8", "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8", "C64": "<c8",
    "BF16": "<u2",  # the upper half of a float32
}  # fmt: skip
_NARROW = {  # bits per number of quantised weights
    **dict.fromkeys(("F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **{"F6_E2M3": 6, "F6_E3M2": 6, "F4": 4},
}
_MOST_AXES = 32
_LONG_HEADER = 10**7
_PIECE = 2**26


class Entry(NamedTuple):
    """One tensor of the header, and where its bytes are in the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    size: int


class Header(NamedTuple):
    """The parsed header; ``plain`` if only spaces follow its JSON."""

    entries: list[Entry]
    metadata: dict[str, str]
    plain: bool


def read_header(file: BinaryIO, path: Path) -> Header:
    """Read and check the header of a safetensors file.

    Raises
    ------
    FileFormatError
        If a length does not agree with the file, or a dtype cannot be read.
    """
    length = file.seek(0, os.SEEK_END)
    file.seek(0)
    if length < 8:
        raise _truncated(path, f"it has {length} bytes; the length of its header alone takes 8")
    size = int.from_bytes(file.read(8), "little")
    if size > LONGEST_HEADER:
        raise _damaged(
            path, f"it declares a header of {size:,} bytes; the limit is {LONGEST_HEADER:,}"
        )
    if size > length - 8:
        raise _truncated(path, f"it declares a header of {size:,} bytes and has {length - 8:,}")
    text = file.read(size)
    # Each [ and { becomes an object of 60 bytes or more; a tensor needs three.
    if size > _LONG_HEADER and text.count(b"[") + text.count(b"{") > size // 12:
        raise _damaged(path, f"its header of {size:,} bytes does not describe tensors")
    try:
        said = json.loads(text.decode("utf-8"), object_pairs_hook=_unique)
        if type(said) is not dict:
            raise ValueError("its header is not a JSON object")
        metadata = _metadata(said.pop("__metadata__", {}))
        entries = [_entry(name, entry, 8 + size) for name, entry in said.items()]
    except (ValueError, RecursionError, MemoryError) as error:
        why = str(error) if type(error) is ValueError else f"its header is not JSON: {error}"
        raise _damaged(path, why) from error
    _require_all_bytes(entries, path, 8 + size, length)
    _require_known(entries, path)
    return Header(sorted(entries), metadata, text.rstrip(b" ").endswith(b"}"))


def require_memory(needed: int, path: Path) -> None:
    """Refuse a file whose arrays take more bytes than this machine has memory.

    Raises
    ------
    FileFormatError
        If ``needed`` exceeds the memory.
    """
    try:
        available = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not on every system
        return
    if needed > available > 0:
        raise FileFormatError(
            f"'{path}' holds {needed:,} bytes of arrays, and this machine has {available:,} bytes "
            "of memory. Save only the arrays that are needed."
        )


def read_array(file: BinaryIO, entry: Entry, path: Path) -> Array:
    """Return one tensor, in C order and writable; bfloat16 becomes float32, exactly.

    Raises
    ------
    FileFormatError
        If the file has been truncated meanwhile, or there is not enough memory.
    """
    try:
        array = np.empty(entry.shape, _DTYPES[entry.dtype])
        file.seek(entry.begin)
        content = memoryview(array.reshape(-1).view(np.uint8).data)
        for start in range(0, entry.size, _PIECE):
            piece = content[start : start + _PIECE]
            if file.readinto(piece) != len(piece):  # type: ignore[attr-defined]
                raise _truncated(path, f"it ends within {shown_key(entry.name)}")
        if entry.dtype == "BF16":
            array = (array.astype("<u4") << 16).view("<f4")
    except MemoryError as error:
        raise FileFormatError(
            f"there is not enough memory for {shown_key(entry.name)} in '{path}', {entry.size:,} "
            "bytes. Save only the tensors that are needed."
        ) from error
    if entry.dtype == "BOOL" and (np.frombuffer(content, np.uint8) > 1).any():
        raise _damaged(path, f"{shown_key(entry.name)} is BOOL and has bytes other than 0 and 1")
    return array


def shown_key(key: str) -> str:
    r"""Return the name of a tensor in a form for errors: short, without control characters.

    Examples
    --------
    >>> shown_key("conv1.weight"), shown_key("\x1b[31m")
    ("'conv1.weight'", "'\\x1b[31m'")
    """
    short = key if len(key) <= 100 else f"{key[:60]}...{key[-30:]}"
    return f"'{short}'" if short.isprintable() and "'" not in short else ascii(short)


def _metadata(metadata: Any) -> dict[str, str]:
    if type(metadata) is not dict or not all(type(v) is str for v in metadata.values()):
        raise ValueError("its __metadata__ is not a dict of strings")
    for text in (*metadata, *metadata.values()):
        _require_text(text)
    return metadata


def _entry(name: str, said: Any, start: int) -> Entry:
    _require_text(name)
    label = shown_key(name)
    if type(said) is not dict or said.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{label} is not described by dtype, shape and data_offsets")
    dtype, shape, offsets = said["dtype"], said["shape"], said["data_offsets"]
    if type(dtype) is not str:
        raise ValueError(f"the dtype of {label} is not a string")
    if not _sizes(shape) or len(shape) > _MOST_AXES:
        raise ValueError(f"the shape of {label} is not a list of at most {_MOST_AXES} sizes")
    if not _sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise ValueError(f"the offsets of {label} are not a begin and an end")
    if math.prod(n for n in shape if n) >= 2**60:
        raise ValueError(f"the shape of {label} exceeds any memory")
    return Entry(name, dtype, tuple(shape), start + offsets[0], offsets[1] - offsets[0])


def _sizes(numbers: Any) -> bool:
    return type(numbers) is list and all(type(n) is int and 0 <= n < 2**63 for n in numbers)


def _require_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"it holds {text[:40]!a}, which is not valid text") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"its header has {shown_key(twice)} twice")
    return found


def _require_all_bytes(entries: list[Entry], path: Path, start: int, length: int) -> None:
    """Refuse tensors that overlap, leave gaps, or whose size is not that of shape and dtype."""
    place = start
    for entry in sorted(entries, key=lambda entry: (entry.begin, entry.size)):
        label = shown_key(entry.name)
        if entry.begin != place:
            fault = "overlap" if entry.begin < place else "leave a gap"
            raise _damaged(path, f"the bytes of {label} and those before it {fault}")
        place += entry.size
        bits = _NARROW.get(entry.dtype) or 8 * np.dtype(_DTYPES.get(entry.dtype, "V0")).itemsize
        if bits and math.prod(entry.shape) * bits != 8 * entry.size:
            shape = shape_text(entry.shape) or "one number"
            raise _damaged(
                path, f"{label} is declared as {entry.dtype} of {shape} in {entry.size:,} bytes"
            )
    if place > length:
        raise _truncated(
            path, f"it declares {place - start:,} bytes of tensors and has {length - start:,}"
        )
    if place < length:
        raise _damaged(path, f"{length - place:,} bytes follow its last tensor")


def _require_known(entries: list[Entry], path: Path) -> None:
    for entry in entries:
        label = f"{shown_key(entry.name)} in '{path}'"
        if entry.dtype in _NARROW:
            raise FileFormatError(
                f"{label} holds numbers of {_NARROW[entry.dtype]} bits ({entry.dtype}); floats "
                "need 16 bits or more. Convert them to float32 where they were written: "
                "tensor.to(torch.float32), times its scale if the weights are quantised."
            )
        if entry.dtype not in _DTYPES:
            raise FileFormatError(
                f"{label} has the unknown dtype {shown_key(entry.dtype)}. Known: "
                f"{', '.join(_DTYPES)}. Convert it to F32 where it was written."
            )


def _truncated(path: Path, why: str) -> FileFormatError:
    return FileFormatError(
        f"'{path}' is a truncated safetensors file: {why}. Copy or download it again."
    )


def _damaged(path: Path, why: str) -> FileFormatError:
    return FileFormatError(
        f"'{path}' is a damaged safetensors file: {why}. Copy or write it again."
    )
