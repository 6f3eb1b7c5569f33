"""Pickles made by hand, byte by byte, as old programs wrote them and as nobody should."""

from __future__ import annotations

import struct

import numpy as np

RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"
NDARRAY = b"cnumpy\nndarray\n"
EMPTY = RECONSTRUCT + NDARRAY + b"K\x00\x85C\x01b\x87R"


def text(characters: str) -> bytes:
    encoded = characters.encode()
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def number(n: int) -> bytes:
    return b"\x8a\x10" + n.to_bytes(16, "little", signed=True)


def dtype(code: str, order: str = "<", state: bytes | None = None) -> bytes:
    state = b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00" if state is None else state
    return b"cnumpy\ndtype\n" + text(code) + b"K\x00K\x01\x87R(K\x03" + text(order) + state + b"tb"


def array(shape, code: str, data: bytes, order: str = "<", *, fortran: bool = False) -> bytes:
    """Return the instructions that Python 3 and NumPy 1 wrote for an array."""
    sizes = b"(" + b"".join(map(number, shape)) + b"t"
    content = b"B" + struct.pack("<I", len(data)) + data
    flag = b"\x88" if fortran else b"\x89"
    return EMPTY + b"(K\x01" + sizes + dtype(code, order) + flag + content + b"tb"


def as_dict(*values: bytes, protocol: int = 3) -> bytes:
    """Return a pickle of a dict with the values W1, W2, ..."""
    items = b"".join(text(f"W{k}") + value for k, value in enumerate(values, 1))
    return b"\x80" + bytes([protocol]) + b"}(" + items + b"u."


def python2(params: dict[str, np.ndarray]) -> bytes:
    """Return the bytes that Python 2's cPickle and its NumPy write, in protocol 2."""

    def short(value: bytes) -> bytes:
        if len(value) < 256:
            return b"U" + bytes([len(value)]) + value
        return b"T" + struct.pack("<i", len(value)) + value

    items, place = b"", 2
    for name, values in params.items():
        items += short(name.encode()) + b"q%c" % place
        items += RECONSTRUCT + NDARRAY + b"K\x00\x85U\x01b\x87R"
        sizes = b"".join(b"M" + struct.pack("<H", n) for n in values.shape)
        kind = b"cnumpy\ndtype\n" + short(values.dtype.str[1:].encode()) + b"K\x00K\x01\x87R"
        kind += b"(K\x03" + short(values.dtype.str[:1].encode())
        kind += b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        order = "A" if values.ndim > 1 and values.flags.f_contiguous else "C"
        flag = b"\x88" if order == "A" else b"\x89"
        items += b"(K\x01(" + sizes + b"t" + kind + flag + short(values.tobytes(order)) + b"tb"
        place += 1
    return b"\x80\x02}q\x01(" + items + b"u."
