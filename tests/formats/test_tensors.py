"""Tensor files: what is written is what is read, in our hands and in those of others."""

from __future__ import annotations

import json
import os
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open

from formats.damage import unnoticed_changes
from pellucid.errors import ArgumentError, DataNotFoundError, FileFormatError
from pellucid.formats import read_tensors, write_tensors

BASE = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
ARRAYS = {
    "C order": BASE,
    "Fortran order": np.asfortranarray(BASE),
    "transposed": BASE.T,
    "axes swapped": BASE.swapaxes(0, 1),
    "sliced": BASE[:, ::2, 1:],
    "reversed": BASE[::-1, :, ::-1],
    "broadcast": np.broadcast_to(np.float32(3), (2, 5)),
    "read-only": BASE.view(),
    "big-endian": BASE.astype(">f4"),
    "big-endian, transposed": BASE.astype(">f8").T,
    "big-endian integers": np.arange(5, dtype=">i2"),
    "0-d": np.array(7.5),
    "0-d integer": np.array(-3),
    "a scalar": np.float32(2.5),
    "empty": np.empty((0,), np.float32),
    "empty, three axes": np.empty((2, 0, 3), np.int64),
    "one": np.ones((1, 1, 1, 1)),
    "extremes": np.array([np.nan, np.inf, -np.inf, -0.0, 1e-45, 3e38], np.float32),
}  # fmt: skip
ARRAYS |= {
    kind: np.array([0, 1, 1]).astype(kind)
    for kind in ("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64",
                 "float16", "float32", "float64", "complex64")
}  # fmt: skip


def _assert_same(read, written):
    little = np.asarray(written).dtype.newbyteorder("<")
    assert read.dtype == little
    assert read.shape == np.shape(written)
    assert read.tobytes() == np.ascontiguousarray(written).astype(little).tobytes()


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_of_any_kind_order_and_byte_order_is_read_as_it_was_written(name, tmp_path):
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"w": ARRAYS[name], "beside": BASE})
    arrays, metadata = read_tensors(path)
    assert metadata == {}
    _assert_same(arrays["w"], ARRAYS[name])
    _assert_same(arrays["beside"], BASE)


@pytest.mark.parametrize("name", ARRAYS)
def test_other_tools_read_the_same_values(name, tmp_path):
    from safetensors.numpy import load_file

    path = tmp_path / "a.safetensors"
    write_tensors(path, {"w": ARRAYS[name]}, {"made by": "hand"})
    _assert_same(load_file(path)["w"], ARRAYS[name])


def test_torch_reads_the_same_values(torch, tmp_path):
    import importlib

    load_file = importlib.import_module("safetensors.torch").load_file
    write_tensors(tmp_path / "a.safetensors", {"w": BASE.T})
    assert np.array_equal(load_file(tmp_path / "a.safetensors")["w"].numpy(), BASE.T)


@given(seed=st.integers(0, 2**32 - 1), axes=st.permutations([0, 1, 2, 3]), step=st.integers(-3, 3))
def test_any_view_is_read_as_it_was_written(tmp_path_factory, seed, axes, step):
    rng = np.random.default_rng(seed)
    array = rng.normal(size=rng.integers(0, 5, size=4)).transpose(axes)[..., :: step or 1]
    path = tmp_path_factory.mktemp("view") / "a.safetensors"
    write_tensors(path, {"w": array})
    _assert_same(read_tensors(path)[0]["w"], array)


def test_the_same_arrays_and_metadata_make_the_same_file(tmp_path):
    arrays = {name: np.full(3, k, np.float32) for k, name in enumerate(("a", 'é"\\\n\x7f/', "b"))}
    metadata = {f"{k}\t고양이\x1f": f'"{k}"\u2028\\' for k in range(16)}
    files = set()
    for turn in (1, -1) * 4:
        path = tmp_path / "same.safetensors"
        write_tensors(path, dict([*arrays.items()][::turn]), dict([*metadata.items()][::turn]))
        files.add(path.read_bytes())
        read, said = read_tensors(path)
        assert said == metadata
        assert all(np.array_equal(read[name], arrays[name]) for name in arrays)
        with safe_open(path, "numpy") as file:  # other programs read it as they did
            assert metadata.items() <= file.metadata().items()
            assert all(np.array_equal(file.get_tensor(name), arrays[name]) for name in arrays)
    assert len(files) == 1


def test_metadata_names_and_the_callers_arrays_stay_as_they_are(tmp_path):
    arrays = {"ünïcode 한글": BASE.T, "dotted.name/with": np.ones(2), "": np.zeros(1)}
    metadata = {"key": 'va"lue\n', "한글": "밑바닥", "empty": ""}
    write_tensors(tmp_path / "a.safetensors", arrays, metadata)
    read, said = read_tensors(tmp_path / "a.safetensors")
    assert said == metadata
    assert set(read) == set(arrays)
    assert arrays["ünïcode 한글"].flags.f_contiguous
    assert metadata == {"key": 'va"lue\n', "한글": "밑바닥", "empty": ""}


def test_what_was_read_can_be_written_to(tmp_path):
    write_tensors(tmp_path / "a.safetensors", {"w": BASE})
    array = read_tensors(tmp_path / "a.safetensors")[0]["w"]
    array[...] = 0
    assert np.array_equal(read_tensors(tmp_path / "a.safetensors")[0]["w"], BASE)


@pytest.mark.parametrize(
    "array", [np.array(["a"]), np.zeros(2, object), np.zeros(2, complex), np.zeros(1, "M8[s]")],
    ids=lambda a: a.dtype.name,
)  # fmt: skip
def test_an_array_that_no_file_can_hold_is_refused_and_the_old_file_stays(array, tmp_path):
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"w": BASE})
    with pytest.raises(
        ArgumentError, match=r"^write_tensors: 'odd' has the dtype .*, which the format lacks"
    ):
        write_tensors(path, {"w": BASE, "odd": array})
    assert np.array_equal(read_tensors(path)[0]["w"], BASE)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.safetensors"]


@pytest.mark.parametrize("key", ["sha256", "seal"])
def test_metadata_that_would_hide_the_hashes_is_refused(key, tmp_path):
    with pytest.raises(
        ArgumentError, match=f"^metadata: the key '{key}' is reserved for the hashes"
    ):
        write_tensors(tmp_path / "a.safetensors", {"w": BASE}, {key: "mine"})


def test_an_array_called_as_the_header_is_refused(tmp_path):
    with pytest.raises(
        ArgumentError, match=r"^write_tensors: an array cannot be called '__metadata__'"
    ):
        write_tensors(tmp_path / "a.safetensors", {"__metadata__": BASE})


# Files of others, and files that are none.


def test_a_file_of_another_program_is_read(tmp_path):
    from safetensors.numpy import save_file

    save_file({"w": BASE}, tmp_path / "a.safetensors", {"format": "np"})
    arrays, metadata = read_tensors(tmp_path / "a.safetensors")
    assert np.array_equal(arrays["w"], BASE)
    assert metadata == {"format": "np"}


def test_a_missing_file_is_not_found(tmp_path):
    with pytest.raises(DataNotFoundError, match=r"^there is no file '.*nothing\.safetensors'\.$"):
        read_tensors(tmp_path / "nothing.safetensors")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(FileFormatError, match=r"' is a folder, not a safetensors file\. Give a"):
        read_tensors(tmp_path)


def _file(header: bytes, data: bytes = b"", claimed: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if claimed is None else claimed) + header + data


def _tensor(dtype="F32", shape=(2,), offsets=(0, 8)) -> bytes:
    entry = {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}
    return json.dumps({"w": entry}).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00",
        b"This is a text file, and it is longer than eight bytes.\n",
        b"\x89PNG\r\n\x1a\n" + bytes(50),
        bytes(100),
        b"\xff" * 100,
        _file(b"{}", claimed=2**63),
        _file(b"{}", claimed=2**40),
        _file(b"{}", claimed=3),
        _file(b"[]"),
        _file(b"{"),
        _file(b"\xff\xfe\xfd"),
        _file(b"{" * 10**5),
        _file(_tensor(), b"1234567"),
        _file(_tensor(), b"123456789"),
        _file(_tensor(shape=(2**62,), offsets=(0, 2**64 - 1))),
        _file(_tensor(shape=(10**9, 10**9, 10**9)), bytes(8)),
        _file(_tensor(shape=(2**33, 2**33), offsets=(0, 0))),
        _file(_tensor(shape=(-2,)), bytes(8)),
        _file(_tensor(offsets=(8, 0)), bytes(8)),
        _file(_tensor(dtype="X9"), bytes(8)),
        _file(_tensor(dtype="F8_E4M3"), bytes(8)),
        _file(b'{"__metadata__": {"a": 1}}'),
        _file(b'{"__metadata__": {"seal": "00"}}'),
        _file(b'{"__metadata__": {"sha256": "{}"}}'),
        _file(b'{"__metadata__": {"sha256": "[", "seal": ""}}'),
    ],
)  # fmt: skip
def test_what_is_no_whole_safetensors_file_is_refused(content, tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=r"a\.safetensors'"):
        read_tensors(path)


def test_numbers_of_a_kind_that_numpy_lacks_are_refused(tmp_path, torch):
    import importlib

    path = tmp_path / "a.safetensors"
    save_file = importlib.import_module("safetensors.torch").save_file
    save_file({"w": torch.ones(3, dtype=torch.bfloat16)}, path)
    try:
        read = read_tensors(path)[0]["w"]
    except FileFormatError as error:
        assert "a.safetensors' is a damaged safetensors file" in str(error)  # noqa: PT017
    else:
        assert read.astype(np.float32).tolist() == [1, 1, 1]


def _sealed_by_another(path, arrays, hashes: str | None) -> None:
    """Write a file whose seal is right and whose hashes are not: the seal is no secret."""
    from safetensors.numpy import save_file

    from pellucid.formats.tensors import _seal

    header = {} if hashes is None else {"sha256": hashes}
    save_file(arrays, path, {**header, "seal": _seal(arrays, header)})


@pytest.mark.parametrize(
    "hashes", [None, "", "3", "[]", "{}", '{"other": "00"}', '{"w": 1}', "[" * 10**5, '["ab"]']
)
def test_an_array_without_its_hash_is_refused_in_a_sealed_file(hashes, tmp_path):
    path = tmp_path / "a.safetensors"
    _sealed_by_another(path, {"w": BASE}, hashes)
    with pytest.raises(FileFormatError, match=r"'w' in '.*' was changed after it was written"):
        read_tensors(path)


def test_the_array_that_was_changed_is_named(tmp_path):
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"first": np.ones(4), "second": np.zeros(4)})
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=r"'second' in '.*\(its SHA-256 differs\)\. Copy the"):
        read_tensors(path)


# Each byte.


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "a.safetensors"
    arrays = {"w": BASE[0], "count": np.array(3), "none": np.empty(0, np.float32)}
    write_tensors(path, arrays, {"note": "äé", "x": "[1, 2]"})
    return path.read_bytes()


@pytest.mark.parametrize("mask", [0x01, 0x02, 0x08, 0x0F, 0x20, 0x29, 0x80, 0xFF])
def test_every_changed_byte_is_noticed(whole, mask, tmp_path):
    path = tmp_path / "a.safetensors"
    assert unnoticed_changes(path, whole, mask, read_tensors) == []


@pytest.mark.parametrize(("old", "new"), [(b"[3,4]", b"[4,3]"), (b'"F32"', b'"U32"')])
def test_another_shape_or_dtype_of_the_same_bytes_is_noticed(whole, old, new, tmp_path):
    path = tmp_path / "a.safetensors"
    assert old in whole
    path.write_bytes(whole.replace(old, new))
    with pytest.raises(
        FileFormatError, match=r"the header of '.*' was changed after it was written"
    ):
        read_tensors(path)


def test_every_shorter_file_and_every_longer_one_is_refused(whole, tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(whole)
    for length in reversed(range(len(whole))):
        os.truncate(path, length)
        with pytest.raises(FileFormatError, match=r"a\.safetensors'"):
            read_tensors(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(FileFormatError, match=r"a\.safetensors'"):
        read_tensors(path)
    path.write_bytes(whole)
    assert np.array_equal(read_tensors(path)[0]["w"], BASE[0])


@pytest.mark.slow
def test_every_value_of_every_byte_is_noticed(whole, tmp_path):
    for mask in range(1, 256):
        test_every_changed_byte_is_noticed(whole, mask, tmp_path)


def test_a_file_gets_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "plain").touch()
    write_tensors(tmp_path / "a.safetensors", {"w": np.zeros(3)})
    assert (tmp_path / "a.safetensors").stat().st_mode == (tmp_path / "plain").stat().st_mode


# bfloat16, narrow floats, and headers that lie.


def test_bfloat16_is_read_exactly_as_float32(torch, tmp_path):
    import importlib

    path = tmp_path / "a.safetensors"
    save_file = importlib.import_module("safetensors.torch").save_file
    every = torch.arange(2**16, dtype=torch.int32).to(torch.int16).view(torch.bfloat16)
    save_file(
        {
            "every": every,
            "0-d": every[5].clone(),
            "none": every[:0].clone().reshape(0, 2),
            "w": torch.ones(3),
        },
        path,
    )
    arrays, _ = read_tensors(path)
    assert {a.dtype for a in arrays.values()} == {np.dtype(np.float32)}
    expected = every.float().numpy()
    np.testing.assert_array_equal(arrays["every"].view(np.uint32) & 0xFFFF, 0)
    np.testing.assert_array_equal(arrays["every"], expected)
    assert np.array_equal(np.signbit(arrays["every"]), np.signbit(expected))
    assert arrays["none"].shape == (0, 2)
    assert arrays["0-d"].shape == ()
    assert arrays["every"].flags.writeable


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "float8_e5m2"])
def test_float8_is_refused_by_tensor_and_dtype_with_what_to_do(dtype, torch, tmp_path):
    import importlib

    path = tmp_path / "a.safetensors"
    save_file = importlib.import_module("safetensors.torch").save_file
    save_file(
        {"fine": torch.ones(3), "conv1.weight": torch.ones(3).to(getattr(torch, dtype))}, path
    )
    with pytest.raises(
        FileFormatError,
        match=r"^'conv1\.weight' in '.*' holds numbers of 8 bits \(F8_E.*float32 where they were",
    ):
        read_tensors(path)


def test_a_dtype_that_is_not_known_is_named(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(_file(_tensor(dtype="X9"), bytes(8)))
    with pytest.raises(FileFormatError, match=r"^'w' in '.*' has the unknown dtype 'X9'"):
        read_tensors(path)


@pytest.mark.parametrize("dtype", ["F4", "F6_E2M3"])
def test_numbers_of_less_than_a_byte_are_refused_in_the_same_words(dtype, tmp_path):
    path = tmp_path / "a.safetensors"
    bits = 4 if dtype == "F4" else 6
    path.write_bytes(_file(_tensor(dtype=dtype, shape=(8,), offsets=(0, bits)), bytes(bits)))
    with pytest.raises(FileFormatError, match=rf"'w' in .* holds numbers of {bits} bits"):
        read_tensors(path)


def _two(first, second) -> bytes:
    entries = {
        name: {"dtype": "U8", "shape": [end - begin], "data_offsets": [begin, end]}
        for name, (begin, end) in {"a": first, "b": second}.items()
    }
    return json.dumps(entries).encode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (_file(_tensor(), b"1234567"), "truncated .*declares 8 bytes of tensors and has 7"),
        (_file(_tensor(), b"123456789"), "1 bytes follow its last tensor"),
        (_file(_tensor(), claimed=200), "truncated .*a header of 200 bytes and has 61"),
        (b"\1\2\3", "truncated .*it has 3 bytes"),
        (_file(_two((0, 4), (2, 6)), bytes(6)), "the bytes of 'b' and those before it overlap"),
        (_file(_two((0, 4), (5, 9)), bytes(9)), "the bytes of 'b' and those before it leave a gap"),
        (_file(_two((4, 8), (0, 3)), bytes(8)), "the bytes of 'a' and those before it leave a gap"),
        (_file(_tensor(shape=(3,)), bytes(8)), "'w' is declared as F32 of 3 in 8 bytes"),
        (_file(_tensor(shape=()), bytes(8)), "'w' is declared as F32 of one number in 8 bytes"),
        (_file(_tensor(shape=(2.0,)), bytes(8)), "the shape of 'w' is not a list of"),
        (_file(_tensor(shape=(True, 2)), bytes(8)), "the shape of 'w' is not a list of"),
        (_file(_tensor(shape=(1,) * 40, offsets=(0, 4)), bytes(4)), "at most 32 sizes"),
        (_file(_tensor(shape=(0, 2**62, 2**62), offsets=(0, 0))), "exceeds any memory"),
        (_file(_tensor(offsets=(0.0, 8.0)), bytes(8)), "the offsets of 'w' are not"),
        (_file(_tensor(offsets=(-8, 0)), bytes(8)), "the offsets of 'w' are not"),
        (_file(_tensor(offsets=(0, 4, 8)), bytes(8)), "the offsets of 'w' are not"),
        (
            _file(_tensor().replace(b"8]", b"8" * 5000 + b"]"), bytes(8)),
            "a damaged safetensors file",
        ),
        (_file(_tensor(dtype=3), bytes(8)), "the dtype of 'w' is not a string"),
        (_file(b'{"w":{},"w":{}}'), "its header has 'w' twice"),
        (_file(b'{"w":{"dtype":"F32","dtype":"F32"}}'), "its header has 'dtype' twice"),
        (_file(b'{"w":3}'), "'w' is not described by dtype, shape"),
        (_file(b'{"w":{"dtype":"F32"}}'), "'w' is not described by dtype, shape"),
        (_file(b'{"\\ud800":{}}'), "which is not valid text"),
        (_file(b'{"__metadata__":{"a":1}}'), "its __metadata__ is not a dict of strings"),
        (_file(b'{"__metadata__":[]}'), "its __metadata__ is not a dict of strings"),
        (_file(b'{"a":' + b"[" * 10**5 + b"]" * 10**5 + b"}"), "its header is not JSON"),
        (_file(b'{"a": NaN}'), "'a' is not described by"),
        (_file(b"{\xff}"), "its header is not JSON"),
        (_file(b"{} x"), "its header is not JSON"),
        (_file(_tensor(dtype="BOOL", shape=(8,)), b"\0\1\2\3\4\5\6\7"), "bytes other than 0 and 1"),
    ],
    ids=range(30),
)
def test_a_header_that_does_not_fit_the_bytes_is_refused_by_what_is_wrong(content, said, tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=rf"a\.safetensors'.*{said}"):
        read_tensors(path)


@pytest.mark.skipif(not hasattr(os, "sysconf"), reason="asks for the size of the memory")
@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
def test_lengths_that_only_a_hole_bears_out_take_no_memory(suffix, tmp_path):
    path = tmp_path / f"a.{suffix}"
    for claimed in (3 * 2**30, 10**8 + 1):
        with path.open("wb") as file:
            file.write(struct.pack("<Q", claimed))
            file.truncate(claimed + 8)
        with pytest.raises(FileFormatError, match=r"declares a header of|of an unknown kind"):
            read_tensors(path)
    header = _tensor(dtype="U8", shape=(2**42,), offsets=(0, 2**42))
    with path.open("wb") as file:
        file.write(_file(header))
        file.truncate(8 + len(header) + 2**42)
    with pytest.raises(
        FileFormatError, match=r"holds 4,398,046,511,104 bytes of arrays, and this machine has"
    ):
        read_tensors(path)


def _holes(path, kind) -> None:
    """Write a file that declares 2 GiB, and has them as a hole."""
    header = _tensor(dtype="U8", shape=(2**31,), offsets=(0, 2**31))
    start, size = {
        "safetensors": (_file(header), 8 + len(header) + 2**31),
        "pickle": (b"\x80\x04\x95" + struct.pack("<Q", 2**31 - 20), 2**31 - 9),
        "idx": (b"\0\0\x08\1" + struct.pack(">I", 2**31 - 1), 2**31 + 7),
        "mat": (
            b"MATLAB 5.0".ljust(124) + b"\0\1IM" + struct.pack("<II", 14, 2**31 - 1)
            + struct.pack("<IIII", 6, 8, 6, 0) + struct.pack("<IIII", 5, 8, 2**15, 2**15)
            + struct.pack("<II", 1 << 16 | 1, ord("X")) + struct.pack("<II", 9, 2**31 - 64),
            2**31 + 200,
        ),
    }[kind]  # fmt: skip
    with path.open("wb") as file:
        file.write(start)
        file.truncate(size)


@pytest.mark.parametrize("kind", ["safetensors", "pickle", "idx", "mat"])
def test_too_little_memory_is_said_in_words(kind, tmp_path):
    import subprocess
    import sys

    pytest.importorskip("resource")
    _holes(tmp_path / "a", kind)
    read = {
        "safetensors": "formats.read_tensors(path)", "pickle": "formats.read_pickle(path)",
        "idx": "data.read_idx(path)", "mat": "mat_file.read_mat(path, ['X'])",
    }[kind]  # fmt: skip
    code = (
        "import resource, sys; from pellucid.errors import FileFormatError\n"
        "from pellucid import data, formats; from pellucid.data import mat_file\n"
        "path = sys.argv[1]; resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))\n"
        f"try: {read}\n"
        "except FileFormatError as error: print(error)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a")], capture_output=True, text=True,
        timeout=300, check=True,
    )  # fmt: skip
    assert "not enough memory" in result.stdout


@given(seed=st.integers(0, 2**32 - 1))
def test_a_header_with_any_part_changed_is_read_or_refused_and_nothing_else(seed, tmp_path_factory):
    rng = np.random.default_rng(seed)
    header = bytearray(
        b'{"__metadata__":{"a":"b"},"v":{"dtype":"BF16","shape":[2,2],"data_offsets":[0,8]},'
        b'"w":{"dtype":"F32","shape":[],"data_offsets":[8,12]}}'
    )
    for place in rng.integers(0, len(header), rng.integers(1, 4)):
        header[place] = rng.choice(np.frombuffer(b'{}[],:"0123456789-.eFUB \\x', np.uint8))
    path = tmp_path_factory.getbasetemp() / "changed.safetensors"
    path.write_bytes(_file(bytes(header), bytes(12)))
    try:
        arrays, _ = read_tensors(path)
    except FileFormatError:
        return
    assert sum(array.size for array in arrays.values()) <= 12
