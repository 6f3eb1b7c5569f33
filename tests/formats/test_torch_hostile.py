"""Files that look as torch.save wrote them, and were made by someone with other plans."""

from __future__ import annotations

import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.errors import FileFormatError
from pellucid.formats.torch.reading import read_torch
from pellucid.formats.torch.writing import write_torch

DICT = b"ccollections\nOrderedDict\n)R"
REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"


def text(characters: str) -> bytes:
    return b"X" + struct.pack("<I", len(characters.encode())) + characters.encode()


def number(n: int) -> bytes:
    return b"\x8a\x10" + n.to_bytes(16, "little", signed=True)


def numbers(values) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


def storage(key="0", size=6, kind="Float") -> bytes:
    name = f"ctorch\n{kind}Storage\n".encode()
    return b"(" + text("storage") + name + text(key) + text("cpu") + number(size) + b"tQ"


def tensor(stored=None, *, offset=0, shape=(2, 3), strides=(3, 1)) -> bytes:
    view = number(offset) + numbers(shape) + numbers(strides)
    return REBUILD + b"(" + (stored or storage()) + view + b"\x89" + DICT + b"tR"


def saved(*items: tuple[str, bytes]) -> bytes:
    """Return the pickle of an OrderedDict."""
    return b"\x80\x02" + DICT + b"(" + b"".join(text(k) + v for k, v in items) + b"u."


def archive(path, pickled: bytes, stored=None, further=(), method=zipfile.ZIP_STORED):
    """Write an archive with a pickle and storages, by key."""
    stored = {"0": np.arange(6, dtype="<f4").tobytes()} if stored is None else stored
    with zipfile.ZipFile(path, "w", method) as out:
        out.writestr("a/data.pkl", pickled)
        for key, content in stored.items():
            out.writestr(f"a/data/{key}", content)
        for name, content in further:
            out.writestr(name, content)
        out.writestr("a/version", b"3\n")
    return path


def old(path, pickled: bytes, stored=None):
    """Write a file of the format before PyTorch 1.6."""
    stored = [("0", 6, np.arange(6, dtype="<f4").tobytes())] if stored is None else stored
    magic = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03."
    machine = b"\x80\x02}(" + text("little_endian") + b"\x88u."
    keys = b"\x80\x02](" + b"".join(text(key) for key, _, _ in stored) + b"e."
    rows = b"".join(struct.pack("<q", n) + content for _, n, content in stored)
    path.write_bytes(magic + machine + pickled + keys + rows)
    return path


@pytest.mark.parametrize("write", [archive, old])
def test_the_good_ones_among_them_are_read(write, tmp_path):
    path = write(
        tmp_path / "a.pth", saved(("x", tensor()), ("y", tensor(offset=1, strides=(2, 1))))
    )
    arrays, notes = read_torch(path)
    assert arrays["x"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert arrays["y"].tolist() == [[1, 2, 3], [3, 4, 5]]
    assert notes == []


VIEWS = {
    "beyond its end": (tensor(shape=(2, 4), strides=(4, 1)), "reaches to number 7 of a storage"),
    "by its offset": (tensor(offset=1), "reaches to number 6"),
    "by its strides": (tensor(strides=(5, 1)), "reaches to number 7"),
    "negative stride": (tensor(strides=(-3, 1)), "has the shape"),
    "negative offset": (tensor(offset=-1), "and the offset -1"),
    "negative size": (tensor(shape=(-2, 3)), "has the shape"),
    "huge offset": (tensor(offset=2**62), "has the shape"),
    "huge size": (tensor(shape=(2**40, 3), strides=(0, 0)), "exceeds any memory|reaches|repeat"),
    "huge product": (tensor(shape=(2**30,) * 4, strides=(0,) * 4), "exceeds any memory"),
    "overflowing strides": (tensor(shape=(2**16, 2), strides=(2**48 - 1, 1)), "reaches to number"),
    "missing stride": (tensor(strides=(3,)), "has the shape"),
    "65 axes": (tensor(shape=(1,) * 65, strides=(1,) * 65), "has the shape"),
    "sizes of another type": (
        REBUILD + b"(" + storage() + b"K\0" + b"G" + bytes(8) + b"\x85K\1\x85\x89" + DICT + b"tR",
        "has the shape",
    ),
    "no storage": (REBUILD + b"(K\0K\0" + numbers((1,)) * 2 + b"\x89" + DICT + b"tR", "lacks its"),
    "a number repeated": (tensor(shape=(2**30,), strides=(0,)), "repeat the same numbers"),
}


@pytest.mark.parametrize("write", [archive, old])
@pytest.mark.parametrize("name", VIEWS)
def test_a_view_that_leaves_its_storage_is_refused_before_memory_is_taken(name, write, tmp_path):
    view, said = VIEWS[name]
    path = write(tmp_path / "a.pth", saved(("x", view)))
    tracemalloc.start()
    try:
        with pytest.raises(FileFormatError, match=said):
            read_torch(path)
        assert tracemalloc.get_traced_memory()[1] < 5 * 2**20
    finally:
        tracemalloc.stop()


STORAGES = {
    "shorter": ({"0": bytes(20)}, storage(), "has 20 bytes, and 6 numbers of float32 need 24"),
    "longer": ({"0": bytes(28)}, storage(), "has 28 bytes"),
    "missing": ({}, storage(), "lacks the storage '0'"),
    "huge": ({"0": bytes(24)}, storage(size=2**47), "numbers of float32 need 562,949,953,421,312"),
    "negative": ({"0": bytes(24)}, storage(size=-6), "refers to the storage"),
    "too large for a number": ({"0": bytes(24)}, storage(size=2**63), "refers to the storage"),
    "out of the folder": ({"0": bytes(24)}, storage("../data/0"), "lacks the storage"),
}


@pytest.mark.parametrize("name", STORAGES)
def test_a_storage_that_is_not_as_declared_is_refused(name, tmp_path):
    stored, given_, said = STORAGES[name]
    path = archive(tmp_path / "a.pth", saved(("x", tensor(given_))), stored)
    with pytest.raises(FileFormatError, match=said):
        read_torch(path)


def test_a_storage_that_is_described_in_two_ways_is_refused(tmp_path):
    other = tensor(storage(size=3, kind="Double"), shape=(1,), strides=(1,))
    path = archive(tmp_path / "a.pth", saved(("x", tensor()), ("y", other)))
    with pytest.raises(FileFormatError, match="describes the storage '0' in two ways"):
        read_torch(path)


OLD = {
    "shorter": ([("0", 6, bytes(20))], "it ends within the storage '0'"),
    "another count": ([("0", 5, bytes(20))], "has 5 numbers, and its tensors need 6"),
    "a negative count": ([("0", -1, bytes(20))], "numbers, and its tensors need 6"),
    "unknown": ([("0", 6, bytes(24)), ("1", 6, bytes(24))], "says the dtype of the storage '1'"),
    "twice": ([("0", 6, bytes(24)), ("0", 6, bytes(24))], "the storage '0' twice"),
    "missing": ([], "lacks the storage '0'"),
}


@pytest.mark.parametrize("name", OLD)
def test_a_storage_of_the_older_format_that_is_not_as_declared_is_refused(name, tmp_path):
    stored, said = OLD[name]
    with pytest.raises(FileFormatError, match=said):
        read_torch(old(tmp_path / "a.pth", saved(("x", tensor())), stored))


MEMBERS = {
    "twice": ([("a/data/0", bytes(24))], "holds the member 'a/data/0' twice"),
    "two pickles": ([("b/data.pkl", b"")], "does not hold one data.pkl"),
    "path upwards": ([("a/../../x", b"")], "'a/../../x' leads out of the archive"),
    "path of Windows": ([("..\\x", b"")], "leads out of the archive"),
    "absolute path": ([("/etc/passwd", b"")], "leads out of the archive"),
    "odd byte order": ([("a/byteorder", b"middle")], "byte order is b'middle'"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
@pytest.mark.parametrize("name", MEMBERS)
def test_an_archive_with_misleading_members_is_refused(name, tmp_path):
    further, said = MEMBERS[name]
    path = archive(tmp_path / "a.pth", saved(("x", tensor())), further=further)
    with pytest.raises(FileFormatError, match=said):
        read_torch(path)


def test_an_archive_that_would_unpack_to_much_more_is_refused(tmp_path):
    view = tensor(storage(size=2**24), shape=(2**24,), strides=(1,))
    path = archive(
        tmp_path / "a.pth", saved(("x", view)), {"0": bytes(2**26)}, method=zipfile.ZIP_DEFLATED
    )
    with pytest.raises(FileFormatError, match=r"would unpack to 67,1.* attempt to fill the memory"):
        read_torch(path)


def test_members_that_claim_to_be_larger_than_the_file_are_refused(tmp_path):
    view = tensor(storage(size=2**20), shape=(2**20,), strides=(1,))
    path = archive(tmp_path / "a.pth", saved(("x", view)), {"0": b"abcd"})
    content = path.read_bytes().replace(struct.pack("<II", 4, 4), struct.pack("<II", 2**22, 2**22))
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match="would unpack to"):
        read_torch(path)


NAMES = {
    "os.system": b"cos\nsystem\n" + text("touch mark") + b"\x85R",
    "posix.system": b"cposix\nsystem\n" + text("touch mark") + b"\x85R",
    "__builtin__.eval": b"c__builtin__\neval\n" + text("1") + b"\x85R",
    "builtins.getattr": b"cbuiltins\ngetattr\n" + text("1") + b"\x85R",
    "torch.nn.modules.linear.Linear": b"ctorch.nn.modules.linear\nLinear\n)\x81",
    "torch.load": b"ctorch\nload\n" + text("x") + b"\x85R",
    "torch._utils._rebuild_xyz": b"ctorch._utils\n_rebuild_xyz\n)R",
    "torch.storage._load_from_bytes": b"ctorch.storage\n_load_from_bytes\nC\1x\x85R",
    "collections.abc": b"ccollections\nabc\n",
    "torch.FloatStorage.__class__": b"ctorch\nFloatStorage.__class__\n)R",
}


@pytest.mark.parametrize("write", [archive, old])
@pytest.mark.parametrize("name", NAMES)
def test_names_that_a_checkpoint_does_not_need_are_refused_and_nothing_runs(
    name, write, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "a.pth", saved(("x", tensor()), ("y", NAMES[name])))
    with pytest.raises(FileFormatError, match=f"names {name}, which a PyTorch checkpoint") as no:
        read_torch(path)
    assert "nothing was executed. If you trust its origin" in str(no.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.pth"]


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_name_on_the_stack_is_checked_too(protocol, tmp_path):
    called = text("os") + text("system") + b"\x93" + text("touch mark") + b"\x85R"
    path = archive(tmp_path / "a.pth", saved(("x", tensor()), ("y", called)))
    with pytest.raises(FileFormatError, match=r"names os\.system, which"):
        read_torch(path)


MALFORMED = {
    "a storage that is a module": b"(" + text("module") + text("x") * 4 + b"tQ",
    "a storage that is text": text("storage") + b"Q",
    "a storage without facts": b"(" + text("storage") + b"tQ",
    "a storage of numbers": b"(" + text("storage") + b"ctorch\nfloat32\n" + text("0") * 2
    + b"K\6tQ",
    "a call of a number": b"K\1)R",
    "arguments that are a list": REBUILD + b"]R",
    "a tensor of a dict": REBUILD + b"(" + DICT * 4 + b"tR",
    "a number in place of a dtype": b"ctorch._utils\n_rebuild_tensor_v3\n("
    + storage() + b"K\0" + numbers((2,)) + numbers((1,)) + b"\x89" + DICT + b"K\1tR",
    "a dict of numbers": b"ccollections\nOrderedDict\n](K\1K\2e\x85R",
    "an object of a number": b"K\1)\x81",
    "items added to a tensor": tensor() + b"(" + text("a") + b"K\1u",
    "the state of a number": b"K\1}b",
    "a memo that was never put": b"h\7",
    "an empty stack": b"000",
    "a part beyond the storage": b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0")
    + text("cpu") + b"K\6(" + text("v") + b"K\5K\3ttQ",
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_pickle_is_refused(name, tmp_path):
    with pytest.raises(FileFormatError) as refused:
        read_torch(archive(tmp_path / "a.pth", saved(("x", tensor()), ("y", MALFORMED[name]))))
    assert "Unbound" not in str(refused.value)


def test_containers_that_contain_themselves_are_walked_once(tmp_path):
    cyclic = b"}q\x05(" + text("me") + b"h\x05" + text("x") + tensor() + b"u"
    lists = b"]q\x06h\x06a"
    arrays, notes = read_torch(archive(tmp_path / "a.pth", saved(("l", lists), ("c", cyclic))))
    assert list(arrays) == ["x"]
    assert notes == ["taken from 'c'"]


def test_containers_that_double_at_each_level_are_walked_once(tmp_path):
    inner = b"]q\x01"
    for _ in range(60):  # each list holds the one before it twice
        inner += b"]q\x02(h\x01h\x01eq\x01"
    arrays, _ = read_torch(archive(tmp_path / "a.pth", saved(("l", inner), ("x", tensor()))))
    assert list(arrays) == ["x"]


def test_a_deep_nest_takes_no_recursion(tmp_path):
    deep = b"]" * 100_000 + b"a" * 99_999
    arrays, _ = read_torch(archive(tmp_path / "a.pth", saved(("l", deep), ("x", tensor()))))
    assert list(arrays) == ["x"]


def test_dicts_that_copy_the_same_pairs_do_not_fill_the_memory(tmp_path):
    pairs = b"](" + b"".join(b"K\1K\2\x86" for _ in range(2000)) + b"eq\x01"
    copies = b"".join(b"ccollections\nOrderedDict\nh\x01\x85R" for _ in range(1000))
    many = b"](" + pairs + copies + b"e"
    with pytest.raises(FileFormatError, match="many dicts from the same pairs"):
        read_torch(archive(tmp_path / "a.pth", saved(("l", many), ("x", tensor()))))


def test_bytes_of_a_bool_other_than_0_and_1_are_refused(tmp_path):
    view = tensor(storage(kind="Bool"))
    path = archive(tmp_path / "a.pth", saved(("x", view)), {"0": bytes([0, 1, 2, 0, 1, 1])})
    with pytest.raises(FileFormatError, match="'x' is bool and has bytes other than 0 and 1"):
        read_torch(path)


def _good(tmp_path) -> bytes:
    write_torch(tmp_path / "good.pth", {"x": np.arange(6.0), "n": np.int64(3)})
    return (tmp_path / "good.pth").read_bytes()


@pytest.mark.parametrize("kind", ["zip", "old"])
def test_a_file_cut_anywhere_is_refused(kind, tmp_path):
    if kind == "zip":
        whole = _good(tmp_path)
    else:
        whole = old(tmp_path / "good.pth", saved(("x", tensor()))).read_bytes()
    path = tmp_path / "cut.pth"
    for length in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:length])
        with pytest.raises(FileFormatError):
            read_torch(path)


@settings(max_examples=100, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4)
)
@pytest.mark.parametrize("kind", ["zip", "old"])
def test_changed_bytes_are_refused_or_change_numbers(kind, changes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("changed")
    if kind == "zip":
        whole = bytearray(_good(folder))
    else:
        whole = bytearray(old(folder / "good.pth", saved(("x", tensor()))).read_bytes())
    for place, value in changes:
        whole[place % len(whole)] = value
    (folder / "changed.pth").write_bytes(whole)
    try:
        arrays, _ = read_torch(folder / "changed.pth")
    except FileFormatError:
        return
    assert sum(array.nbytes for array in arrays.values()) <= 2**20
