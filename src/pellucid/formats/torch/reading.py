"""Read the weights in a file of `torch.save`; nothing in it is executed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ...errors import FileFormatError
from ...typing import Array, PathLike
from ..safetensors_file import require_memory, shown_key
from ..sniff import look_at, refusal
from ..tensors import note_of_bfloat16
from .choosing import Value, chosen
from .opening import Opened, opened
from .values import DTYPES, Refused, Storage, Tensor

__all__ = ["Weights", "read_torch"]

MOST_EXPANSION = 4  # bytes of arrays per byte of storage: several tensors may view one
ALWAYS_READ = 2**20


class Weights(NamedTuple):
    """Arrays by name, and notes on where they were and what was converted."""

    arrays: dict[str, Array]
    notes: list[str]


def read_torch(path: PathLike, under: str | None = None) -> Weights:
    """Read the state dict of a checkpoint that `torch.save` wrote.

    Its pickle is read by a machine that knows tensors, containers and numbers by their exact names,
    and builds nothing else. The tensors of an optimizer are not read.

    Parameters
    ----------
    path : str or path
        Of either format, zip or the one before PyTorch 1.6.
    under : str, optional
        Which of several state dicts; by default the weights come before their moving average.

    Returns
    -------
    arrays : dict of name to array
        In C order and this machine's byte order, writable. bfloat16 becomes float32, exactly.
    notes : list of str

    Raises
    ------
    FileFormatError
        If the file is damaged, holds names that a checkpoint does not need, or tensors that are
        sparse, quantised, complex or of 8-bit floats.
    """
    path = Path(path)
    if look_at(path).kind not in ("torch", "zip", "unknown", "empty"):
        advice = "Give a .pth file, as torch.save(model.state_dict(), path) writes it."
        raise FileFormatError(refusal(path, "a PyTorch checkpoint", advice, tensors=True))
    with opened(path) as file:
        values, notes = chosen(file.root, f"'{path}'", under)
        _require_read(values, path)
        arrays = _arrays(values, file, path)
    narrow = sum(isinstance(v, Tensor) and v.dtype == "bfloat16" for v in values.values())
    if narrow:
        notes.append(note_of_bfloat16(narrow))
    return Weights(arrays, notes)


def _require_read(values: dict[str, Value], path: Path) -> None:
    """Refuse kinds of tensors that are not read, all at once."""
    kinds: Counter[str] = Counter()
    first: dict[str, str] = {}
    for key, value in values.items():
        what = ""
        if isinstance(value, Refused):
            what = value.what
        elif isinstance(value, Tensor) and not DTYPES[value.dtype][1]:
            what = f"of {value.dtype}"
        if what:
            kinds[what] += 1
            first.setdefault(what, key)
    if kinds:
        listed = "; ".join(
            f"{shown_key(first[what])} is {what}" + f" and {n - 1} more" * (n > 1)
            for what, n in kinds.items()
        )
        raise FileFormatError(
            f"'{path}' holds tensors that are not read: {listed}. Convert them where they were "
            "written: tensor.to_dense(), .dequantize() or .to(torch.float32), times its scale if "
            "the weights are quantised."
        )


def _arrays(values: dict[str, Value], file: Opened, path: Path) -> dict[str, Array]:
    tensors = {key: value for key, value in values.items() if isinstance(value, Tensor)}
    viewed: dict[Storage, list[str]] = {}
    for key, value in tensors.items():
        whole = value.storage._replace(start=0, size=value.storage.whole)
        viewed.setdefault(whole, []).append(key)
    stored = sum(storage.whole * DTYPES[storage.dtype][0] for storage in viewed)
    total = sum(value.bytes for value in tensors.values())
    if total > max(MOST_EXPANSION * stored, ALWAYS_READ):
        raise FileFormatError(
            f"the tensors of '{path}' repeat the same numbers: {stored:,} bytes expand to "
            f"{total:,}. Save them with .contiguous(), and each once."
        )
    require_memory(2 * total, path)
    found: dict[str, Array] = {}
    for storage, keys in viewed.items():  # each is read once
        content = file.read(storage)
        found |= {key: _array(tensors[key], content, file.order, key) for key in keys}
    return {
        key: found[key] if key in found else np.array(value, order="C")
        for key, value in values.items()
        if not isinstance(value, Refused)
    }


def _array(tensor: Tensor, content: bytes, order: str, key: str) -> Array:
    """Return a contiguous copy of the numbers that a tensor views."""
    size, code = DTYPES[tensor.dtype]
    begin = tensor.storage.start * DTYPES[tensor.storage.dtype][0] + tensor.offset * size
    dtype = np.dtype(order + code)
    if 0 in tensor.shape:
        array = np.empty(tensor.shape, dtype)
    else:
        numbers = np.frombuffer(content, dtype, (len(content) - begin) // size, begin)
        array = as_strided(numbers, tensor.shape, [stride * size for stride in tensor.strides])
    array = np.array(array, dtype.newbyteorder("="), order="C")
    if tensor.dtype == "bool" and (array.view(np.uint8) > 1).any():
        raise ValueError(f"{shown_key(key)} is bool and has bytes other than 0 and 1")
    if tensor.dtype == "bfloat16":
        array = (array.astype("u4") << 16).view("f4")
    return array
