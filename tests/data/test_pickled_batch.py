from __future__ import annotations

import os
import pickle
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from pellucid.data.pickled_batch import read_pickled_batch
from pellucid.errors import FileFormatError


def python2_batch(images: np.ndarray, labels: list[int], key: bytes) -> bytes:
    """Return the bytes that Python 2's cPickle writes for a batch, in protocol 2."""

    def text(value: bytes) -> bytes:
        short = len(value) < 256
        return (
            b"U" + bytes([len(value)]) if short else b"T" + struct.pack("<i", len(value))
        ) + value

    shape = b"".join(b"M" + struct.pack("<H", n) for n in images.shape) + b"\x86"
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x02cnumpy\nndarray\nq\x03K\0\x85U\x01b\x87Rq\x04"
    )
    dtype = b"cnumpy\ndtype\nq\x05U\x02u1K\0K\x01\x87Rq\x06(K\x03U\x01|NNNJ\xff\xff\xff\xff"
    dtype += b"J\xff\xff\xff\xffK\0tb"
    array += b"(K\x01" + shape + dtype + b"\x89" + text(images.tobytes()) + b"tb"
    numbers = b"]q\x07(" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    names = b"]q\x08(" + b"".join(text(b"leptodactylus_pentadactylus_%d.png" % k) for k in labels)
    items = text(b"batch_label") + text(b"training batch 1 of 5") + text(b"data") + array
    items += text(key) + numbers + text(b"filenames") + names + b"e"
    return b"\x80\x02}q\x01(" + items + b"u."


IMAGES = np.random.default_rng(0).integers(0, 256, (3, 3072), dtype=np.uint8)


def test_the_batch_of_python_2_is_what_python_reads_too():
    content = python2_batch(IMAGES, [6, 9, 4], b"labels")
    expected = pickle.loads(content, encoding="bytes")
    found = read_pickled_batch(content, "batch")
    assert set(found) == {"batch_label", "data", "labels", "filenames"}
    np.testing.assert_array_equal(found["data"], expected[b"data"])
    np.testing.assert_array_equal(found["data"], IMAGES)
    assert found["labels"] == expected[b"labels"] == [6, 9, 4]
    assert found["filenames"] == expected[b"filenames"]


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_what_python_3_pickled_again_is_read(protocol, order, dtype):
    batch = {
        b"data": np.array(IMAGES, dtype, order=order), "labels": [1, 2, 70_000, -5, 2**40],
        "names": ["a", "b"] * 200, "more": {"x": (1, None, True, b"bytes")},
    }  # fmt: skip
    found = read_pickled_batch(pickle.dumps(batch, protocol), "batch")
    np.testing.assert_array_equal(found["data"], IMAGES)
    assert (found["labels"], found["more"]) == (batch["labels"], batch["more"])


class Evil:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", ["system", "rename"])
def test_nothing_is_executed(tmp_path: Path, monkeypatch, protocol, name):
    monkeypatch.chdir(tmp_path)
    call = (os.system, ("touch owned",)) if name == "system" else (os.mkdir, ("owned",))
    for thing in (Evil(*call), {"data": Evil(*call)}, [Evil(*call)]):
        with pytest.raises(FileFormatError, match=r"^batch (names|has the instruction)"):
            read_pickled_batch(pickle.dumps(thing, protocol), "batch")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    [
        "builtins eval", "numpy.core.multiarray _reconstruct.__globals__", "numpy load",
        "numpy.core multiarray", "numpy ndarray.tofile", "codecs encode", "_codecs decode",
        "numpy.core.multiarray scalar",
    ],
)  # fmt: skip
def test_only_exact_names_are_known(name):
    module, attribute = name.split(" ")
    with pytest.raises(FileFormatError, match=r"names .*which a batch of CIFAR does not need"):
        read_pickled_batch(b"\x80\x02c%b\n%b\n." % (module.encode(), attribute.encode()), "batch")
    stacked = b"".join(b"\x8c" + bytes([len(s)]) + s.encode() for s in (module, attribute))
    with pytest.raises(FileFormatError, match=r"names .*which a batch of CIFAR does not need"):
        read_pickled_batch(b"\x80\x04" + stacked + b"\x93.", "batch")


RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"
NDARRAY = b"cnumpy\nndarray\n"


@pytest.mark.parametrize(
    "body",
    [
        b"}b",  # fills in a dict that is not there
        b"}}b",
        NDARRAY + b"}b",  # fills in a name
        NDARRAY + b")R",  # calls what is only a name
        RECONSTRUCT + NDARRAY + b"K\x05\x85U\x01b\x87R",  # an array of another start
        RECONSTRUCT + NDARRAY + b"J\xff\xff\xff\x7f\x85U\x01b\x87R",
        RECONSTRUCT + b"]K\0\x85U\x01b\x87R",
        b"cnumpy\ndtype\nU\x02O8K\0K\x01\x87R",  # objects
        b"cnumpy\ndtype\nU\x03V99K\0K\x01\x87R",
        b"c_codecs\nencode\nX\1\0\0\0aX\6\0\0\0rot_13\x86R",
        b"]K\x01R", b"(", b"0", b"2", b"e", b"h\x05", b"K\x01K\x02", b"}]]s", b"}(K\x01u",
        b"P1\n", b"\x82\x01", b"Vx\n", b"I5\n", b"(i__main__\nx\n", b"}K\x05K\x05s",
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f", b"B\xff\xff\xff\x7f", b"T\xff\xff\xff\x7f",
    ],
    ids=range(28),
)  # fmt: skip
def test_anything_else_that_a_pickle_may_say_is_refused(body):
    with pytest.raises(FileFormatError, match=r"^batch (has|is|holds|names) "):
        read_pickled_batch(b"\x80\x02" + body + b".", "batch")


@pytest.mark.parametrize(
    "state",
    [
        (1, (3, 3072), "dtype", False, b"short"),
        (1, (-3, -3072), "dtype", False, IMAGES.tobytes()),
        (2, (3, 3072), "dtype", False, IMAGES.tobytes()),
        (1, (), "dtype", False, b"x"),
    ],
)
def test_an_array_must_have_the_bytes_of_its_shape(state):
    reduced = list(IMAGES.__reduce__())

    class Array:
        def __reduce__(self):
            return (*reduced[:2], tuple(IMAGES.dtype if s == "dtype" else s for s in state))

    with pytest.raises(FileFormatError, match="is not a valid pickle of a batch"):
        read_pickled_batch(pickle.dumps({"data": Array()}, 2), "batch")


def test_any_changed_or_missing_byte_is_read_or_refused_and_nothing_else():
    whole = python2_batch(IMAGES[:1, :40], [6], b"labels")
    for place in range(len(whole)):
        for value in (whole[place] ^ 1, 0, 0xFF, ord("R")):
            with suppress(FileFormatError):
                read_pickled_batch(whole[:place] + bytes([value]) + whole[place + 1 :], "batch")
        if place:
            with pytest.raises(FileFormatError):
                read_pickled_batch(whole[:place], "batch")
