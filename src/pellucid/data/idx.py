"""The IDX file format of MNIST: two zeros, a type code, the number of axes, their lengths, bytes.

All lengths are big-endian 32-bit integers; the file may be compressed with gzip. A file is hostile
until parsed: memory is allocated only for bytes that are there, and nothing is inflated beyond the
end that the header declares.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from ..errors import ArgumentError, DataNotFoundError, FileFormatError
from ..shapes import shape_text
from ..typing import Array, PathLike

__all__ = ["checksum", "read_idx", "write_idx"]

_UBYTE = 0x08
_OTHER_TYPES = {
    0x09: "int8",
    0x0B: "int16",
    0x0C: "int32",
    0x0D: "float32",
    0x0E: "float64",
}
_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK = 1 << 20


def read_idx(path: PathLike, *, max_bytes: int = 2**31) -> Array:
    """Read an IDX file of unsigned bytes, gzipped or not, as its first bytes tell.

    Parameters
    ----------
    path : str or path
        The file.
    max_bytes : int
        The most pixels or labels the file may declare.

    Returns
    -------
    uint8 array of 1 to 4 axes

    Raises
    ------
    DataNotFoundError
        If there is no such file.
    FileFormatError
        If the file is not exactly one complete IDX array of bytes; the message says why.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_idx(f"{folder}/labels.gz", np.array([5, 0, 4], np.uint8))
    ...     read_idx(f"{folder}/labels.gz")
    array([5, 0, 4], dtype=uint8)
    """
    path = Path(path)
    if path.is_dir():
        raise FileFormatError(f"'{path}' is a folder, not an IDX file.")
    if not path.exists():
        raise DataNotFoundError(f"there is no file '{path}'.")
    if not path.is_file():
        raise FileFormatError(f"'{path}' is not a regular file.")
    with path.open("rb") as raw:
        compressed = raw.read(2) == _GZIP_MAGIC
        raw.seek(0)
        if not compressed:
            return _parse(raw, path, max_bytes)
        try:
            with gzip.GzipFile(fileobj=raw) as inflating:
                return _parse(cast(BinaryIO, inflating), path, max_bytes)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise FileFormatError(
                f"'{path}' is damaged: its gzip compression fails its own checks ({error}). "
                "Fetch or copy the file again."
            ) from error


def write_idx(path: PathLike, array: Array) -> None:
    """Write ``array`` as an IDX file, gzipped if the name ends in ``.gz``, atomically.

    The same array gives the same bytes: neither time nor name is stored.

    Parameters
    ----------
    path : str or path
        The file to write.
    array : uint8 array of 1 to 4 axes
        The images or labels.

    Raises
    ------
    ArgumentError
        If the array has another dtype or number of axes, or the folder does not exist.
    """
    if array.dtype != np.uint8 or not 1 <= array.ndim <= 4:
        raise ArgumentError(
            f"expects uint8 of 1 to 4 axes, received {array.dtype} of shape {array.shape}.",
            where="write_idx",
        )
    from ..formats.files import atomic_write  # here, as most programs only read

    with atomic_write(path) as part, part.open("wb") as file:
        if Path(path).suffix == ".gz":
            with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as deflating:
                deflating.write(_header(array))
                deflating.write(np.ascontiguousarray(array).data)
        else:
            file.write(_header(array))
            file.write(np.ascontiguousarray(array).data)


def checksum(array: Array) -> str:
    """Return the SHA-256 of ``array`` as an uncompressed IDX file.

    The header is determined by the array, so this is the hash of the bytes that `read_idx` parsed,
    however they were compressed.

    Examples
    --------
    >>> checksum(np.array([5, 0, 4], np.uint8))[:16]
    'd229e0bc81fa2cb9'
    """
    digest = hashlib.sha256(_header(array))
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _header(array: Array) -> bytes:
    return bytes((0, 0, _UBYTE, array.ndim)) + np.array(array.shape, dtype=">u4").tobytes()


def _parse(file: BinaryIO, path: Path, max_bytes: int) -> Array:
    shape = _parse_header(file, path)
    needed = math.prod(shape)
    size = f"{needed} bytes" if len(shape) == 1 else f"{shape_text(shape)} = {needed} bytes"
    if needed > max_bytes:
        raise FileFormatError(
            f"'{path}' declares {size}, more than the limit of {max_bytes}. It is "
            "damaged, or call `read_idx(path, max_bytes=...)`."
        )
    data = bytearray()
    try:
        while len(data) < needed and (chunk := file.read(min(needed - len(data), _CHUNK))):
            data += chunk
    except MemoryError as error:
        raise FileFormatError(
            f"'{path}' declares {size}, for which there is not enough memory."
        ) from error
    if len(data) < needed:
        raise FileFormatError(
            f"'{path}' is truncated: its header declares {size}, but only "
            f"{len(data)} are there. Fetch or copy the file again."
        )
    if file.read(1):
        raise FileFormatError(
            f"'{path}' continues after the {size} that its header declares. It is "
            "damaged, or not an IDX file."
        )
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)


def _parse_header(file: BinaryIO, path: Path) -> tuple[int, ...]:
    magic = file.read(4)
    if not magic:
        raise FileFormatError(f"'{path}' is empty. Fetch or copy the file again.")
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in (_UBYTE, *_OTHER_TYPES):
        from ..formats.sniff import describe_known  # here, as most files are what they should be

        known = describe_known(magic + file.read(4096), path)
        raise FileFormatError(
            f"'{path}' is not an IDX file: it begins with the bytes {magic.hex(' ')}, an IDX file "
            "of images with 00 00 08 03 and one of labels with 00 00 08 01."
            f"{f' It is {known}.' if known else ''}"
        )
    if magic[2] != _UBYTE:
        raise FileFormatError(
            f"'{path}' holds {_OTHER_TYPES[magic[2]]} values (type code {magic[2]:#04x}); only "
            "unsigned bytes (0x08) are read here."
        )
    axes = magic[3]
    if not 1 <= axes <= 4:
        raise FileFormatError(f"'{path}' declares {axes} axes; 1 to 4 are read here.")
    lengths = file.read(4 * axes)
    if len(lengths) < 4 * axes:
        raise FileFormatError(
            f"'{path}' is truncated: it ends inside its header, after {4 + len(lengths)} bytes."
        )
    return tuple(int(n) for n in np.frombuffer(lengths, dtype=">u4"))
