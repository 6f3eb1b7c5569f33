from __future__ import annotations

import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest

from data.mat_files import element, variable, write_mat
from pellucid.data.mat_file import read_mat
from pellucid.errors import DataNotFoundError, FileFormatError

CUBE = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("dtype", ["u1", "i1", "f8", "f4", "i4", "u2"])
def test_arrays_are_read_as_matlab_indexes_them(tmp_path, order, compress, dtype):
    array = CUBE.astype(dtype)
    variables = [variable(n, array + k, order, compress=compress) for k, n in enumerate("ab")]
    found = read_mat(write_mat(tmp_path / "x.mat", *variables, order=order), ("a", "b"))
    for k, name in enumerate("ab"):
        np.testing.assert_array_equal(found[name], CUBE + k)
        assert found[name].dtype.str[1:] == dtype


@pytest.mark.parametrize("n", [1, 3, 4, 5])
def test_small_elements_stand_in_their_tags(tmp_path, n):
    small = np.arange(n, dtype=np.uint8)[:, np.newaxis]
    found = read_mat(write_mat(tmp_path / "x.mat", variable("long_name", small)), ["long_name"])
    np.testing.assert_array_equal(found["long_name"], small)


def test_only_what_is_wanted_is_read(tmp_path):
    other = variable("text", CUBE, kind=4)
    path = write_mat(tmp_path / "x.mat", other, variable("a", CUBE), element(14, b"broken"))
    assert list(read_mat(path, ["a"])) == ["a"]
    assert read_mat(write_mat(path, other), ["a"]) == {}


def test_scipy_agrees(tmp_path):
    io = pytest.importorskip("scipy.io")
    path = write_mat(tmp_path / "x.mat", variable("X", CUBE), variable("y", CUBE[0]))
    np.testing.assert_array_equal(io.loadmat(path)["X"], CUBE)
    for compress in (True, False):
        io.savemat(tmp_path / "y.mat", {"X": CUBE, "z": 1.5}, do_compression=compress)
        np.testing.assert_array_equal(read_mat(tmp_path / "y.mat", ["X"])["X"], CUBE)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", r"is not a MATLAB 5 file: it begins with b''"),
        (b"\x89HDF\r\n\x1a\n" + bytes(200), "is not a MATLAB 5 file"),
        (b"MATLAB 7.3 MAT-file".ljust(128), r"is a MATLAB 7\.3 file, which is HDF5.*'-v7'"),
    ],
)
def test_another_format_is_refused(tmp_path, content, reason):
    (tmp_path / "x.mat").write_bytes(content)
    with pytest.raises(FileFormatError, match=reason):
        read_mat(tmp_path / "x.mat", ["a"])


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DataNotFoundError, match=r"there is no file '.*x\.mat'"):
        read_mat(tmp_path / "x.mat", ["a"])


@pytest.mark.parametrize("options", [{"kind": 4}, {"kind": 1}, {"flags": 0x800}])
def test_what_is_no_array_of_real_numbers_is_refused(tmp_path, options):
    path = write_mat(tmp_path / "x.mat", variable("a", CUBE, **options))
    with pytest.raises(FileFormatError, match=r"'a' in .* is not an array of real numbers \(class"):
        read_mat(path, ["a"])


def claim(shape: tuple[int, ...], declared: int) -> bytes:
    body = element(6, struct.pack("<II", 9, 0)) + element(5, np.array(shape, "<i4").tobytes())
    body += element(1, b"a") + struct.pack("<II", 2, declared) + bytes(16)
    return struct.pack("<II", 14, len(body)) + body


@pytest.mark.parametrize(
    ("shape", "declared", "reason"),
    [
        ((1 << 15, 1 << 15), 1 << 30, r"1073741824 bytes are declared, 16 are there"),
        ((2, 2), 1 << 31, "declares 2147483648 bytes, more than the limit of"),
        ((3, 5), 16, r"'a' has the axes \[3, 5\] and 16 numbers"),
        ((-4, -4), 16, r"'a' has the axes \[-4, -4\]"),
        ((16,), 16, r"'a' has the axes \[16\]"),
    ],
)
def test_a_size_that_is_only_claimed_takes_no_memory(tmp_path, shape, declared, reason):
    path = write_mat(tmp_path / "x.mat", claim(shape, declared))
    with pytest.raises(FileFormatError, match=reason):
        read_mat(path, ["a"], max_bytes=2**31 - 1)


def test_a_bomb_is_inflated_no_further_than_its_name(tmp_path):
    packed = zlib.compress(claim((1, 1), 1)[:56] + bytes(100_000_000))
    path = write_mat(tmp_path / "x.mat", struct.pack("<II", 15, len(packed)) + packed)
    assert read_mat(path, ["b"]) == {}


def test_a_changed_checksum_is_seen(tmp_path):
    path = write_mat(tmp_path / "x.mat", variable("a", CUBE))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match="its compression fails its own checks"):
        read_mat(path, ["a"])


def test_any_changed_or_missing_byte_is_read_or_refused_and_nothing_else(tmp_path):
    path = write_mat(tmp_path / "x.mat", variable("a", CUBE), variable("b", CUBE, compress=False))
    whole = path.read_bytes()
    for place in range(126, len(whole)):
        for value in (whole[place] ^ 1, 0xFF, 0):
            path.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
            with suppress(FileFormatError):
                read_mat(path, ("a", "b"))
        path.write_bytes(whole[:place])
        with suppress(FileFormatError):
            read_mat(path, ("a", "b"))
