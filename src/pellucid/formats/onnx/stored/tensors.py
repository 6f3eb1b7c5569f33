"""Arrays in an ONNX file: checked against the bytes that are there before memory is taken."""

from __future__ import annotations

import math
import stat
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np

from ....errors import ArgumentError, FileFormatError
from ....nn.keys import shown
from ....typing import Array

__all__ = ["Tensors"]

# By ONNX's number of the data type: NumPy's, and the field of values that are not raw bytes.
_KINDS: dict[int, tuple[str, str]] = {
    1: ("<f4", "float_data"),
    2: ("u1", "int32_data"),
    3: ("i1", "int32_data"),
    4: ("<u2", "int32_data"),
    5: ("<i2", "int32_data"),
    6: ("<i4", "int32_data"),
    7: ("<i8", "int64_data"),
    9: ("?", "int32_data"),
    10: ("<f2", "int32_data"),
    11: ("<f8", "double_data"),
    12: ("<u4", "uint64_data"),
    13: ("<u8", "uint64_data"),
    16: ("<u2", "int32_data"),  # bfloat16: the upper half of a float32
}
_BFLOAT16 = 16
_HALVES = (10, 16)  # whose values in int32_data are bits, not numbers
_OTHERS = {
    0: "undefined", 8: "string", 14: "complex64", 15: "complex128", 17: "float8e4m3fn",
    18: "float8e4m3fnuz", 19: "float8e5m2", 20: "float8e5m2fnuz", 21: "uint4", 22: "int4",
    23: "float4e2m1", 24: "float8e8m0", 25: "uint2", 26: "int2",
}  # fmt: skip
_EXTERNAL = 1


class Tensors:
    """Reads the tensors of one file.

    Parameters
    ----------
    path : path
        Of the file.
    external_data : bool
        Whether to read arrays from other files in its folder.

    Attributes
    ----------
    path : path
    """

    def __init__(self, path: Path, *, external_data: bool) -> None:
        self.path = path
        self._external = external_data

    def array(self, tensor: Any) -> Array:
        """Return a tensor of onnx as an array; bfloat16 becomes float32.

        Raises
        ------
        FileFormatError
            If its sizes do not fit its bytes, or its data type is not one of real numbers.
        ArgumentError
            If its values are in another file, and those are not to be read.
        """
        text = tensor.name if isinstance(tensor.name, str) else repr(tensor.name)
        name = f"the tensor '{shown(text)}'"
        shape = tuple(int(size) for size in tensor.dims)
        if tensor.data_type not in _KINDS:
            kind = _OTHERS.get(tensor.data_type, f"number {tensor.data_type}")
            raise FileFormatError(
                f"'{self.path}': {name} has the data type {kind}; real numbers of 8 bits and more "
                "are read."
            )
        if any(size < 0 for size in shape) or len(shape) > 32:
            raise FileFormatError(f"'{self.path}': {name} has the shape {shape}.")
        if tensor.HasField("segment"):
            raise FileFormatError(f"'{self.path}': {name} is stored in segments.")
        kind, values = _KINDS[tensor.data_type]
        dtype, count = np.dtype(kind), math.prod(shape)
        if tensor.data_location == _EXTERNAL:
            flat = self._elsewhere(tensor, name, dtype, count)
        elif tensor.HasField("raw_data"):
            self._require(name, shape, count * dtype.itemsize, len(tensor.raw_data), "bytes")
            flat = np.frombuffer(tensor.raw_data, dtype)
        else:
            given = getattr(tensor, values)
            self._require(name, shape, count, len(given), "values")
            flat = self._of_values(name, given, dtype, bits=tensor.data_type in _HALVES)
        if tensor.data_type == _BFLOAT16:
            flat = (flat.astype(np.uint32) << 16).view(np.float32)
        return flat.reshape(shape)

    def _require(self, name: str, shape: tuple[int, ...], needed: int, there: int, of: str) -> None:
        if needed != there:
            raise FileFormatError(
                f"'{self.path}': {name} of shape {shape} needs {needed:,} {of}, and the file has "
                f"{there:,}. Copy or download it again."
            )

    def _of_values(self, name: str, given: Any, dtype: np.dtype[Any], *, bits: bool) -> Array:
        try:
            if bits:
                return np.array(given, dtype=np.uint16).view(dtype)
            return np.array(given, dtype=dtype)
        except (OverflowError, ValueError):
            raise FileFormatError(
                f"'{self.path}': {name} has values that {dtype} cannot hold."
            ) from None

    # Other files ----------------------------------------------------------------------------

    def _elsewhere(self, tensor: Any, name: str, dtype: np.dtype[Any], count: int) -> Array:
        """Read a tensor's values from a file in the folder of this one."""
        entries = {str(entry.key): str(entry.value) for entry in tensor.external_data}
        location = entries.get("location", "")
        if not self._external:
            raise ArgumentError(
                f"'{self.path}' has weights in another file, '{shown(location)}'. If you trust "
                "it, read them too: {external_data}.",
                where="from_onnx",
                arguments={"external_data": True},
            )
        file = self._inside(name, location)
        try:
            offset = int(entries.get("offset") or 0)
            length = int(entries.get("length") or count * dtype.itemsize)
        except ValueError:
            raise FileFormatError(
                f"'{self.path}': {name} has an offset or a length that is not a number."
            ) from None
        size = file.stat().st_size
        if length != count * dtype.itemsize or offset < 0 or offset + length > size:
            raise FileFormatError(
                f"'{self.path}': {name} needs {count * dtype.itemsize:,} bytes, and is said to be "
                f"{length:,} bytes from byte {offset:,} of '{file.name}', which has {size:,}."
            )
        with file.open("rb") as opened:
            opened.seek(offset)
            return np.fromfile(opened, dtype, count)

    def _inside(self, name: str, location: str) -> Path:
        """Return the path of a file in the folder of this one; refuse any other."""
        parts = PureWindowsPath(location)  # which knows both separators, and drives
        folder = self.path.parent.resolve()
        sound = (
            location
            and "\0" not in location
            and not (parts.drive or parts.root)
            and ".." not in parts.parts
        )
        file = (folder / Path(*parts.parts)).resolve() if sound else folder
        if not sound or not file.is_relative_to(folder):
            raise FileFormatError(
                f"'{self.path}': {name} is said to be in '{shown(location)}', which is not in the "
                "file's own folder. Nothing was read from there."
            )
        if not file.exists():
            raise FileFormatError(
                f"'{self.path}': {name} is in '{shown(location)}', which is missing. Copy it into "
                "the same folder."
            )
        if not stat.S_ISREG(file.stat().st_mode):
            raise FileFormatError(
                f"'{self.path}': {name} is said to be in '{shown(location)}', which is not a "
                "regular file."
            )
        return file
