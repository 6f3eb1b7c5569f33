"""The book's parameter files: pickled dicts of arrays, read without executing them."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ArgumentError, DataNotFoundError, FileFormatError
from ..typing import Array, PathLike
from .files import atomic_write
from .pickle_machine import unpickled
from .pickle_names import NAMES
from .pickle_scan import Allowed, shown
from .sniff import look_at, refusal

__all__ = ["read_pickle", "write_pickle"]

LARGEST_FILE = 2**31
MOST_EXPANSION = 2  # bytes of arrays per byte of file: one array may have several names
KINDS = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")
PARAMETERS = Allowed(
    "dict of arrays",
    frozenset(NAMES),
    dtypes=frozenset(KINDS),
    axes=range(9),
    instructions=10**5,  # an array takes about thirty
)


def read_pickle(path: PathLike) -> dict[str, Array]:
    """Read a pickled dict of arrays, as the book's ``save_params`` writes it; nothing is executed.

    Any Python and NumPy may have written it: protocols 2 to 5, either byte order, C or Fortran
    order, numbers of 8 to 64 bits. Anything else that a pickle can say is refused before anything
    is built, and the arrays take no more memory than their bytes in the file.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    dict of str to array
        In C order and this machine's byte order, writable. Plain numbers become 0-d arrays.

    Raises
    ------
    DataNotFoundError
        If there is no such file.
    FileFormatError
        If it is not a complete pickle of a dict of arrays; the message names what was refused.

    Examples
    --------
    >>> import pickle, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "params.pkl")
    ...     write_pickle(path, {"b1": np.zeros(2)})
    ...     read_pickle(path)
    {'b1': array([0., 0.])}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "params.pkl")
    ...     _ = path.write_bytes(pickle.dumps({"b1": print}))
    ...     read_pickle(path)
    Traceback (most recent call last):
    pellucid.errors.FileFormatError: '...params.pkl' names builtins.print, which a dict of arrays \
does not need. It may be an attempt to run a program on your machine; nothing was executed.
    """
    path = Path(path)
    if not path.exists():
        raise DataNotFoundError(f"there is no file '{path}'.")
    if look_at(path).kind not in ("pickle", "unknown", "empty"):
        advice = "Give a params.pkl, as the book's `save_params` writes it."
        raise FileFormatError(refusal(path, "a pickle of a dict of arrays", advice, tensors=True))
    if path.stat().st_size > LARGEST_FILE:
        raise FileFormatError(f"'{path}' has more than {LARGEST_FILE:,} bytes.")
    try:
        content = path.read_bytes()
        values = unpickled(content, f"'{path}'", PARAMETERS)
    except MemoryError as error:
        raise FileFormatError(
            f"there is not enough memory for the {path.stat().st_size:,} bytes of '{path}'."
        ) from error
    arrays = {key: _numbers(value, key, path) for key, value in values.items()}
    size = sum(array.nbytes for array in arrays.values())
    if size > MOST_EXPANSION * len(content):
        raise FileFormatError(
            f"'{path}' repeats its arrays under many names: {len(content):,} bytes expand to "
            f"{size:,}. It may be an attempt to fill the memory."
        )
    return {
        key: np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
        for key, array in arrays.items()
    }


def _numbers(value: Any, key: str, path: Path) -> Array:
    if isinstance(value, np.ndarray):
        return value
    if type(value) is float or (type(value) is int and -(2**63) <= value < 2**63):
        return np.array(value)
    raise FileFormatError(
        f"{key!a} in '{path}' is {shown(value)}, not an array. Give a dict of arrays, as the "
        "book's `save_params` writes it."
    )


def write_pickle(path: PathLike, arrays: Mapping[str, Array]) -> None:
    """Write a pickled dict of arrays that every Python 3 with any NumPy can load.

    Parameters
    ----------
    path : str or path
        Its folder must exist. An existing file is replaced only once the new one is complete.
    arrays : mapping of name to array
        Real numbers of 8 to 64 bits; written in C order.

    Raises
    ------
    ArgumentError
        If an array has another dtype, or 4 GiB or more; if ``path`` cannot be written.

    Examples
    --------
    >>> import pickle, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_pickle(f"{folder}/params.pkl", {"b1": np.zeros(2)})
    ...     pickle.loads(Path(folder, "params.pkl").read_bytes())
    {'b1': array([0., 0.])}
    """
    for name, array in arrays.items():
        if np.asarray(array).dtype.str[1:] not in KINDS or np.asarray(array).nbytes >= 2**32:
            raise ArgumentError(
                f"{name!r} is {np.asarray(array).nbytes:,} bytes of {np.asarray(array).dtype}; "
                "it must hold real numbers of 8 to 64 bits, and less than 4 GiB.",
                where="write_pickle",
            )
    with atomic_write(path) as part, part.open("wb") as file:
        file.write(b"\x80\x03}(")
        for name, array in arrays.items():
            file.writelines([_text(name), *_pickled(np.asarray(array))])
        file.write(b"u.")


def _pickled(array: Array) -> Iterator[bytes]:
    """Yield the instructions for one array.

    Python's pickler would name ``numpy._core.multiarray`` under NumPy 2, which NumPy 1 lacks; both
    know the old name. Every Python 3 reads protocol 3.
    """
    yield b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"
    yield b"(K\x01(" + b"".join(_integer(n) for n in array.shape) + b"t"
    yield b"cnumpy\ndtype\n" + _text(array.dtype.str[1:]) + b"\x89\x88\x87R"
    order = array.dtype.newbyteorder("<").str[:1]
    yield b"(K\x03" + _text(order) + b"NNN" + _integer(-1) + _integer(-1) + b"K\x00tb\x89"
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    yield b"B" + struct.pack("<I", little.nbytes)
    yield little.tobytes()
    yield b"tb"


def _text(text: str) -> bytes:
    encoded = text.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def _integer(n: int) -> bytes:
    return b"J" + struct.pack("<i", n) if n < 2**31 else b"\x8a\x08" + struct.pack("<q", n)
