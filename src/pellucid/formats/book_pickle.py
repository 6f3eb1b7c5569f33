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
SHARED = 2  # the arrays may take so many times the file, one array standing under several names
KINDS = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")
PARAMETERS = Allowed(
    "dict of arrays",
    frozenset(NAMES),
    dtypes=frozenset(KINDS),
    axes=range(9),
    instructions=10**5,  # some thirty an array
)


def read_pickle(path: PathLike) -> dict[str, Array]:
    """Read a pickled dict of arrays, as the book's ``save_params`` writes it; nothing is executed.

    Any Python and NumPy may have written it: protocols 2 to 5, either byte order, C or Fortran
    order, numbers of 8 to 64 bits. Whatever else a pickle can say is refused before anything is
    built, and the arrays take no more memory than the file has bytes for them.

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
        If it is no whole pickle of a dict of arrays; says what was refused.

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
    pellucid.errors.FileFormatError: '...params.pkl' names builtins.print, which no dict of arrays \
needs. It may be an attempt to run a program on your machine; nothing of it was executed.
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
    if size > SHARED * len(content):
        raise FileFormatError(
            f"'{path}' repeats its arrays under many names: {size:,} bytes come out of "
            f"{len(content):,}. It may be an attempt to fill the memory."
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
        f"{key!a} in '{path}' is {shown(value)}, not an array. Dicts of arrays are read, "
        "as the book's `save_params` writes them."
    )


def write_pickle(path: PathLike, arrays: Mapping[str, Array]) -> None:
    """Write a pickled dict of arrays that every Python 3 with any NumPy can load.

    Parameters
    ----------
    path : str or path
        Its folder must exist. An older file is replaced only by a whole new one.
    arrays : mapping of name to array
        Numbers of 8 to 64 bits, real; they are written in C order.

    Raises
    ------
    ArgumentError
        If an array holds something else, or 4 GiB; if ``path`` cannot be written.

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
                "real numbers of 8 to 64 bits, less than 4 GiB, are written.",
                where="write_pickle",
            )
    with atomic_write(path) as part, part.open("wb") as file:
        file.write(b"\x80\x03}(")
        for name, array in arrays.items():
            file.writelines([_text(name), *_pickled(np.asarray(array))])
        file.write(b"u.")


def _pickled(array: Array) -> Iterator[bytes]:
    """Yield the instructions for one array.

    NumPy 2 calls the module ``numpy._core.multiarray``, which NumPy 1 does not know; both know the
    old name, which is why no pickler is used here. Protocol 3 is as old as Python 3.
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
