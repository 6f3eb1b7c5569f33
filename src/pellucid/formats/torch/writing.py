"""Write weights as `torch.save` does, without PyTorch: a zip archive with a pickle of views."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import ArgumentError
from ...nn.quantized import Quantized
from ...typing import Array, PathLike
from ..files import atomic_write
from ..safetensors_file import shown_key
from ..tensors import write_tensors
from .values import DTYPES, STORAGES

if TYPE_CHECKING:
    from ...nn import Layer

__all__ = ["require_ending", "to_torch", "write_torch"]

ALIGNMENT = 64  # bytes: PyTorch may map the numbers into memory
LARGEST_ALIGNED = 2**30  # beyond, zipfile may add a field of its own
_HEADER = 30  # bytes of a member's header before its name
_WRITTEN = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "b1")
_KINDS = {np.dtype(DTYPES[d][1]): k for k, d in STORAGES.items() if DTYPES[d][1] in _WRITTEN}


def to_torch(model: Layer, path: PathLike) -> None:
    """Write the weights of a model to a file that PyTorch loads.

    The keys and shapes are those of the model's state dict, which for the networks by name are
    those of torchvision.

    Parameters
    ----------
    model : Layer
    path : str or path
        ``.pt`` or ``.pth``, for ``torch.load(path, weights_only=True)``; ``.safetensors``, for
        ``safetensors.torch.load_file(path)``.

    Raises
    ------
    ArgumentError
        If it ends otherwise, or cannot be written; if the model is quantized.

    Examples
    --------
    >>> import tempfile
    >>> from pellucid.formats import read_tensors
    >>> from pellucid.nn import Linear, Sequential
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     to_torch(Sequential(fc=Linear(3, 2)), f"{folder}/weights.pth")
    ...     arrays, _ = read_tensors(f"{folder}/weights.pth")
    >>> {key: value.shape for key, value in arrays.items()}
    {'fc.weight': (2, 3), 'fc.bias': (2,)}
    """
    require_ending(path)
    _require_float(model)
    if Path(path).suffix.lower() == ".safetensors":
        write_tensors(path, model.state_dict(), {"format": "pt"})
    else:
        write_torch(path, model.state_dict())


def require_ending(path: PathLike) -> None:
    """Refuse a path whose ending does not say a format that `to_torch` writes.

    Raises
    ------
    ArgumentError
    """
    if Path(path).suffix.lower() not in (".pt", ".pth", ".bin", ".safetensors"):
        raise ArgumentError(
            f"must end in .pt, .pth or .safetensors, received '{path}'.", where="path"
        )


def _require_float(model: Layer) -> None:
    if any(isinstance(layer, Quantized) for _, layer in model.layers()):
        raise ArgumentError(
            "the model is quantized, and a state dict has no place for the scales of what its "
            "layers read. Write the weights of the float model that it was made of, or the network "
            "with `to_onnx`.",
            where="to_torch",
        )


def write_torch(path: PathLike, arrays: Mapping[str, Array]) -> None:
    """Write a state dict that ``torch.load(path, weights_only=True)`` loads; atomically.

    The same arrays give the same file, byte for byte.

    Parameters
    ----------
    path : str or path
        Its folder must exist.
    arrays : mapping of name to array
        Floats of 16 to 64 bits, signed integers, uint8 and bool.

    Raises
    ------
    ArgumentError
        If an array has another dtype, or ``path`` cannot be written.
    """
    plain = {name: np.asarray(array) for name, array in arrays.items()}
    for name, array in plain.items():
        if array.dtype.newbyteorder("=") not in _KINDS:
            known = ", ".join(sorted(map(str, _KINDS)))
            raise ArgumentError(
                f"{shown_key(name)} has the dtype {array.dtype}, of which PyTorch has no storage. "
                f"Convert it to one of {known}.",
                where="write_torch",
            )
    with atomic_write(path) as part, zipfile.ZipFile(part, "w") as archive:
        _add(archive, "data.pkl", b"".join(_pickled(plain)))
        _add(archive, ".format_version", b"1")
        _add(archive, ".storage_alignment", str(ALIGNMENT).encode())
        _add(archive, "byteorder", b"little")
        for number, array in enumerate(plain.values()):
            little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
            _add(archive, f"data/{number}", little.reshape(-1).view(np.uint8).data)
        _add(archive, "version", b"3\n")


def _add(archive: zipfile.ZipFile, name: str, content: bytes | memoryview) -> None:
    """Write a member whose content begins at a multiple of ``ALIGNMENT``."""
    member = zipfile.ZipInfo(f"weights/{name}")  # of 1980, so that equal weights are equal files
    member.file_size = len(content)
    if len(content) < LARGEST_ALIGNED and archive.fp is not None:
        begin = archive.fp.tell() + _HEADER + len(member.filename) + 4
        padding = -begin % ALIGNMENT
        member.extra = b"FB" + struct.pack("<H", padding) + b"Z" * padding  # as PyTorch pads
    with archive.open(member, "w") as file:
        file.write(content)


def _pickled(arrays: Mapping[str, Array]) -> Iterator[bytes]:
    """Yield the instructions, of protocol 2, that build an OrderedDict of tensors."""
    empty = b"ccollections\nOrderedDict\n)R"
    yield b"\x80\x02" + empty + b"("
    for number, (name, array) in enumerate(arrays.items()):
        kind = _KINDS[array.dtype.newbyteorder("=")]
        yield _text(name) + b"ctorch._utils\n_rebuild_tensor_v2\n(("
        yield _text("storage") + f"ctorch\n{kind}Storage\n".encode() + _text(str(number))
        yield _text("cpu") + _integer(array.size) + b"tQK\x00"
        strides = [1]
        for size in array.shape[:0:-1]:
            strides.insert(0, strides[0] * max(size, 1))
        yield _integers(array.shape) + _integers(tuple(strides[: array.ndim]))
        yield b"\x89" + empty + b"tR"
    yield b"u."


def _text(text: str) -> bytes:
    encoded = text.encode()
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def _integer(n: int) -> bytes:
    return b"J" + struct.pack("<i", n) if n < 2**31 else b"\x8a\x08" + struct.pack("<q", n)


def _integers(numbers: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(map(_integer, numbers)) + b"t"
