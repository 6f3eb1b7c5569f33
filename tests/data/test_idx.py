from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import sys
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pellucid.data import read_idx, write_idx
from pellucid.data.idx import checksum
from pellucid.errors import ArgumentError, DataNotFoundError, FileFormatError

THREE = bytes.fromhex("00000801 00000003") + b"abc"


def packed_bytes(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


PACKED = packed_bytes(THREE)


@given(
    array=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=4, min_side=0)),
    ending=st.sampled_from(["", ".gz"]),
)
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, array: np.ndarray, ending: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"roundtrip{ending}"
    write_idx(path, array)
    back = read_idx(path)
    assert back.dtype == np.uint8
    np.testing.assert_array_equal(back, array)
    assert back.shape == array.shape


def test_the_bytes_are_those_of_the_format(tmp_path: Path) -> None:
    write_idx(tmp_path / "x", np.arange(6, dtype=np.uint8).reshape(2, 3).T)
    expected = bytes.fromhex("00000802 00000003 00000002 000301040205")
    assert (tmp_path / "x").read_bytes() == expected


def test_the_same_array_gives_the_same_gzip_bytes_under_any_name(tmp_path: Path) -> None:
    for name in ("a.gz", "another.gz"):
        write_idx(tmp_path / name, np.arange(9, dtype=np.uint8))
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "another.gz").read_bytes()
    assert (tmp_path / "a.gz").read_bytes()[4:8] == b"\0\0\0\0"


def test_compression_is_told_by_the_bytes_not_by_the_name(tmp_path: Path) -> None:
    (tmp_path / "plain.gz").write_bytes(THREE)
    (tmp_path / "packed").write_bytes(packed_bytes(THREE))
    assert bytes(read_idx(tmp_path / "plain.gz")) == b"abc"
    assert bytes(read_idx(tmp_path / "packed")) == b"abc"


def test_a_gzip_file_of_several_members_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(packed_bytes(THREE[:7]) + packed_bytes(THREE[7:]) + b"\0\0")
    assert bytes(read_idx(tmp_path / "x")) == b"abc"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\0\0", "is not an IDX file: it begins with the bytes 00 00,"),
        (b"PK\3\4zipped", "is not an IDX file: it begins with the bytes 50 4b 03 04,"),
        (b"<!DOCTYPE html>", "is not an IDX file"),
        (b"\0\0\x07\1" + THREE[4:], "is not an IDX file"),
        (b"\0\0\x0d\1" + THREE[4:], "holds float32 values .type code 0x0d.; only unsigned"),
        (b"\0\0\x08\0", "declares 0 axes"),
        (b"\0\0\x08\5" + bytes(20), "declares 5 axes; 1 to 4"),
        (THREE[:6], "is truncated: it ends inside its header, after 6 bytes"),
        (THREE[:-1], "is truncated: its header declares 3 bytes, but only 2 are there"),
        (THREE + b"d", "continues after the 3 bytes that its header declares"),
        (b"\0\0\x08\3" + b"\xff" * 12, "declares 4294967295x.* = .* bytes, more than the limit"),
        (packed_bytes(b""), "is empty"),
        (packed_bytes(THREE[:-1]), "is truncated: its header declares 3 bytes"),
        (packed_bytes(THREE + bytes(10**7)), "continues after the 3 bytes"),
        (PACKED[:-9], "is damaged: its gzip compression fails its own checks"),
        (PACKED[:-4], "is damaged: its gzip compression fails its own checks"),
        (PACKED[:-8] + bytes(8), "is damaged: .*CRC check failed"),
        (PACKED[:10] + b"\xff\xff" + PACKED[12:], "is damaged"),
        (PACKED + b"junk", "is damaged: .*Not a gzipped file"),
        (PACKED[:2], "is damaged"),
    ],
    ids=range(21),
)
def test_a_file_that_is_not_one_whole_array_is_refused(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "file.idx"
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=rf"'.*file\.idx' {reason}"):
        read_idx(path)


@given(content=st.binary(max_size=60), packed=st.booleans(), magic=st.booleans())
def test_any_bytes_are_read_or_refused_with_a_reason(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, packed: bool, magic: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz"
    content = b"\0\0\x08\1" * magic + content
    path.write_bytes(packed_bytes(content) if packed else content)
    try:
        array = read_idx(path)
    except FileFormatError:
        return
    assert content == bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes() + (
        array.tobytes()
    )


@given(position=st.integers(0, len(PACKED) - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_never_changes_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, position: int, bit: int
) -> None:
    damaged = bytearray(PACKED)
    damaged[position] ^= 1 << bit
    path = tmp_path_factory.getbasetemp() / "flipped"
    path.write_bytes(damaged)
    with suppress(FileFormatError):
        assert bytes(read_idx(path)) == b"abc"  # a time stamp or a flag that nobody reads


def test_a_folder_a_device_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"is a folder, not an IDX file\."):
        read_idx(tmp_path)
    with pytest.raises(DataNotFoundError, match=r"there is no file '.*none'\."):
        read_idx(tmp_path / "none")
    if os.name != "nt":
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(FileFormatError, match=r"is not a regular file\."):
            read_idx(tmp_path / "pipe")


def test_the_limit_can_be_changed(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(THREE)
    with pytest.raises(FileFormatError, match="declares 3 bytes, more than the limit of 2"):
        read_idx(tmp_path / "x", max_bytes=2)


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory the Linux way")
@pytest.mark.parametrize("packed", [False, True])
def test_memory_is_taken_for_bytes_that_are_there_not_for_those_declared(
    tmp_path: Path, packed: bool
) -> None:
    content = bytes.fromhex("00000801 7fffffff") + b"a"
    (tmp_path / "liar").write_bytes(packed_bytes(content) if packed else content)
    code = (
        "import resource, sys\n"
        "from pellucid.data import read_idx\n"
        "from pellucid.errors import FileFormatError\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 2**27, used + 2**27))\n"
        "try:\n    read_idx(sys.argv[1])\n"
        "except FileFormatError as error:\n    print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "liar")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "declares 2147483647 bytes, but only 1 are there" in run.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory the Linux way")
def test_a_bomb_is_not_inflated(tmp_path: Path) -> None:
    packer = zlib.compressobj(9, wbits=31)
    megabyte = bytes(1 << 20)
    bomb = packer.compress(THREE) + b"".join(packer.compress(megabyte) for _ in range(512))
    (tmp_path / "bomb").write_bytes(bomb + packer.flush())
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(FileFormatError, match="continues after the 3 bytes"):
        read_idx(tmp_path / "bomb")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


@pytest.mark.parametrize(
    "array", [np.zeros(3), np.zeros((), np.uint8), np.zeros((1,) * 5, np.uint8), np.zeros(3, int)]
)
def test_only_bytes_of_one_to_four_axes_are_written(tmp_path: Path, array: np.ndarray) -> None:
    with pytest.raises(ArgumentError, match="write_idx: expects uint8 of 1 to 4 axes, received"):
        write_idx(tmp_path / "x", array)
    assert list(tmp_path.iterdir()) == []


def test_the_checksum_is_that_of_the_uncompressed_file(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 256, (4, 5, 6), dtype=np.uint8)
    write_idx(tmp_path / "x", array)
    assert checksum(array) == hashlib.sha256((tmp_path / "x").read_bytes()).hexdigest()
    assert checksum(array[:, :, ::-1][:, :, ::-1]) == checksum(array)
