from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from pellucid.data import trees, zip_tree
from pellucid.data.trees import Entry, FolderTree, tree
from pellucid.data.zip_tree import ZipTree
from pellucid.errors import FileFormatError

CONTENT = b"the same bytes again and again " * 20


def archive(path: Path, *names: str, how: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", how) as file:
        for name in names:
            file.writestr(name, CONTENT)
    return path


@pytest.mark.parametrize("how", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_are_read_as_they_were_packed(tmp_path, how):
    source = tree(archive(tmp_path / "x.zip", "b/2", "a/1", how=how))
    assert isinstance(source, ZipTree)
    with source.open():
        entries = source.entries()
        assert [(entry.path, entry.size) for entry in entries] == [("a/1", 620), ("b/2", 620)]
        assert [source.read(entry) for entry in entries] == [CONTENT] * 2


def test_an_archive_with_something_in_front_and_a_comment_is_read(tmp_path):
    plain = archive(tmp_path / "x.zip", "a")
    with zipfile.ZipFile(plain, "a") as file:
        file.comment = b"made by hand"
    source = ZipTree(plain)
    with source.open():
        assert source.read(source.entries()[0]) == CONTENT


def test_names_beyond_ascii_are_read(tmp_path):
    source = ZipTree(archive(tmp_path / "x.zip", "고양이/1.png", "Hündin/1.png"))
    with source.open():
        assert [entry.path for entry in source.entries()] == ["Hündin/1.png", "고양이/1.png"]


@pytest.mark.parametrize(
    "name", ["../x.png", "a/../../x.png", "/etc/x.png", "a\\..\\x.png", "C:/x.png", "\\x.png"]
)
def test_a_path_that_leads_out_is_refused(tmp_path, name):
    source = ZipTree(archive(tmp_path / "x.zip", "a/1.png", name))
    with (
        source.open(),
        pytest.raises(FileFormatError, match=r"which leads out of it.*not to be tru"),
    ):
        source.entries()


def test_a_path_that_is_there_twice_is_refused(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive(tmp_path / "x.zip", "a/1.png", "a/1.png")
    source = ZipTree(tmp_path / "x.zip")
    with source.open(), pytest.raises(FileFormatError, match=r"holds 'a/1\.png' twice"):
        source.entries()


def test_a_changed_byte_is_named_by_its_checksum(tmp_path):
    path = archive(tmp_path / "x.zip", "a/1.png", how=zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[60] ^= 1
    path.write_bytes(content)
    source = ZipTree(path)
    with (
        source.open(),
        pytest.raises(
            FileFormatError, match=r"'a/1\.png' in '.*x\.zip' is damaged \(its CRC-32 differs\)"
        ),
    ):
        source.read(source.entries()[0])


def declare(path: Path, size: int) -> None:
    """Let the directory of an archive of one member declare another size of it."""
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, content.index(b"PK\1\2") + 24, size)
    path.write_bytes(content)


@pytest.mark.parametrize("size", [600, 640, 1 << 25])
def test_a_size_that_is_not_that_of_the_bytes_is_refused(tmp_path, size):
    declare(archive(tmp_path / "x.zip", "a.png"), size)
    source = ZipTree(tmp_path / "x.zip")
    with source.open(), pytest.raises(FileFormatError, match="is damaged"):
        source.read(source.entries()[0])


def test_a_member_that_declares_too_much_is_not_inflated(tmp_path):
    declare(archive(tmp_path / "x.zip", "a.png"), trees.MAX_FILE + 1)
    source = ZipTree(tmp_path / "x.zip")
    with (
        source.open(),
        pytest.raises(FileFormatError, match=r"has 67108865 bytes; at most 67108864"),
    ):
        source.read(source.entries()[0])


def test_a_member_that_inflates_to_more_than_it_declares_takes_no_more_memory(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.png", bytes(50_000_000))
    declare(tmp_path / "x.zip", 100)
    source = ZipTree(tmp_path / "x.zip")
    with source.open():
        entry = source.entries()[0]
        packed = source._packed(source._members["a.png"])
        assert len(zip_tree._inflated(packed, source._members["a.png"])) == 101
        with pytest.raises(FileFormatError, match="is damaged"):
            source.read(entry)


def test_a_directory_that_declares_too_much_is_not_read(tmp_path):
    path = archive(tmp_path / "x.zip", "a.png")
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, content.index(b"PK\5\6") + 12, 2**31)
    path.write_bytes(content)
    source = ZipTree(path)
    with (
        source.open(),
        pytest.raises(FileFormatError, match="declares a directory above 536870912"),
    ):
        source.entries()


def test_encrypted_and_oddly_compressed_members_are_refused_by_name(tmp_path):
    source = ZipTree(archive(tmp_path / "x.zip", "a.png"))
    with source.open():
        entry = source.entries()[0]
        source._members["a.png"].flag_bits |= 1
        with pytest.raises(FileFormatError, match=r"'a\.png' in .* is encrypted"):
            source.read(entry)
    source = ZipTree(archive(tmp_path / "y.zip", "a.png", how=zipfile.ZIP_LZMA))
    with source.open(), pytest.raises(FileFormatError, match="compressed by method 14"):
        source.read(source.entries()[0])


@pytest.mark.parametrize("keep", [10, 300, -30])
def test_a_truncated_archive_is_refused(tmp_path, keep):
    path = archive(tmp_path / "x.zip", "a.png", "b.png", how=zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(FileFormatError, match="is neither a folder nor a zip archive"):
        tree(path)


def test_any_changed_byte_is_read_or_refused_and_nothing_else(tmp_path):
    path = archive(tmp_path / "x.zip", "a/1.png", "b/2.png")
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :])
        try:
            source = tree(path)
            with source.open():
                for entry in source.entries():
                    assert zlib.crc32(source.read(entry)) == zlib.crc32(CONTENT)
        except FileFormatError:
            pass


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(b"12345")
    source = FolderTree(tmp_path)
    (entry,) = source.entries()
    for content in (b"123", b"1234567"):
        (tmp_path / "a.png").write_bytes(content)
        with pytest.raises(FileFormatError, match=r"a\.png' was changed while it was read"):
            source.read(entry)
    (tmp_path / "a.png").unlink()
    with pytest.raises(FileFormatError, match=r"a\.png' cannot be read \(No such file"):
        source.read(entry)


def test_a_file_too_large_is_not_read(tmp_path):
    with pytest.raises(FileFormatError, match="at most 67108864 are read"):
        FolderTree(tmp_path).read(Entry("a.png", trees.MAX_FILE + 1, 0))
