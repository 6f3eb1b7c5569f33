from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from pellucid.data import file_tree, zip_tree
from pellucid.data.file_tree import Entry, FolderTree, tree
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
        pytest.raises(FileFormatError, match=r"which leads out of it.*Do not tru"),
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
    declare(archive(tmp_path / "x.zip", "a.png"), file_tree.MAX_FILE + 1)
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
        FolderTree(tmp_path).read(Entry("a.png", file_tree.MAX_FILE + 1, 0))


def raw_named(path: Path, names: dict[str, bytes], extra: dict[str, bytes] | None = None) -> Path:
    """Pack files whose names are bytes in some encoding, unmarked, as Windows does."""
    with zipfile.ZipFile(path, "w") as file:
        for k, name in enumerate(names):
            member = zipfile.ZipInfo("x" * len(names[name]) + f"{k:04}")
            member.extra = (extra or {}).get(name, b"")
            file.writestr(member, CONTENT)
    content = path.read_bytes()
    for k, name in enumerate(names):
        placeholder = ("x" * len(names[name]) + f"{k:04}").encode()
        content = content.replace(placeholder, names[name] + b".png")
    path.write_bytes(content)
    return path


def listed(path: Path) -> tuple[list[str], list[str]]:
    source = ZipTree(path)
    with source.open():
        listing = source.listing()
        for entry in listing.files:
            assert source.read(entry) == CONTENT
        return [entry.path for entry in listing.files], list(listing.notes)


@pytest.mark.parametrize(
    ("encoding", "names", "called"),
    [
        ("cp949", ["고양이/1", "강아지/2"], "CP949 (Korean)"),
        ("cp932", ["ねこ/1", "表示/2"], "Shift-JIS (Japanese)"),  # with a byte of a backslash
        ("gbk", ["熊猫/1", "训练/2"], "GBK (Chinese)"),
        ("cp437", ["Hündin/1", "Möwe/2"], "CP437 (zip's own)"),
    ],
)
def test_names_that_are_not_marked_are_read_in_their_language(tmp_path, encoding, names, called):
    path = raw_named(tmp_path / "x.zip", {name: name.encode(encoding) for name in names})
    found, notes = listed(path)
    assert found == sorted(f"{name}.png" for name in names)
    assert notes == [f"names in the archive are not marked as UTF-8; they are read as {called}"]


def test_names_in_utf8_need_no_mark(tmp_path):
    path = raw_named(tmp_path / "x.zip", {name: name.encode() for name in ["고양이/1", "ねこ/2"]})
    assert listed(path) == (["ねこ/2.png", "고양이/1.png"], [])


def test_the_unicode_name_of_info_zip_is_taken_if_it_belongs_to_the_name(tmp_path):
    def field(raw: bytes, name: str, wrong: int = 0) -> bytes:
        content = struct.pack("<BI", 1, zlib.crc32(raw + b".png") ^ wrong) + name.encode()
        return struct.pack("<HH", 0x7075, len(content)) + content

    raw = "é/1".encode("cp437")
    path = raw_named(tmp_path / "x.zip", {"a": raw}, {"a": field(raw, "고양이/1.png")})
    assert listed(path) == (["고양이/1.png"], [])
    path = raw_named(tmp_path / "y.zip", {"a": raw}, {"a": field(raw, "고양이/1.png", wrong=1)})
    assert listed(path)[0] == ["é/1.png"]
    path = raw_named(tmp_path / "z.zip", {"a": raw}, {"a": field(raw, "../1.png")})
    with pytest.raises(FileFormatError, match="leads out"):
        listed(path)


def test_backslashes_separate_folders_as_old_windows_programs_write_them(tmp_path):
    path = archive(tmp_path / "x.zip", "train\\cat\\1.png", "train\\dog\\", "test/cat\\2.png")
    source = ZipTree(path)
    with source.open():
        listing = source.listing()
    assert [entry.path for entry in listing.files] == ["test/cat/2.png", "train/cat/1.png"]
    assert listing.folders == ["test", "test/cat", "train", "train/cat", "train/dog"]


@pytest.mark.parametrize("name", ["a\\1.png", "./a/1.png", "a//1.png", "a/./1.png"])
def test_a_path_that_is_there_twice_in_other_words_is_refused(tmp_path, name):
    assert listed(archive(tmp_path / "x.zip", name))[0] == ["a/1.png"]
    with pytest.raises(FileFormatError, match=r"holds 'a/1\.png' twice"):
        listed(archive(tmp_path / "y.zip", "a/1.png", name))


@pytest.mark.parametrize(
    "name", ["..\\x.png", "..\\", "c:\\x.png", "\\\\host\\x.png", "./C:/x.png", "a/..", "a\0.png"]
)
def test_a_path_that_leads_out_in_windows_words_is_refused(tmp_path, name):
    path = archive(tmp_path / "x.zip", "a/1.png", name.replace("\0", "0"))
    if "\0" in name:
        path.write_bytes(path.read_bytes().replace(b"a0.png", b"a\0.png"))
    with pytest.raises(FileFormatError, match="which leads out of it"):
        listed(path)


def test_a_path_that_leads_out_once_it_is_decoded_is_refused(tmp_path):
    with pytest.raises(FileFormatError, match="which leads out of it"):
        listed(raw_named(tmp_path / "x.zip", {"a": "고양이/../../x".encode("cp949")}))


def test_folders_are_listed_also_without_files(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        for name in ("a/", "b/c/", "d/1.png", "e/.gitkeep", "f/.git/x", "__MACOSX/a/._1.png"):
            file.writestr(name, b"")
    source = ZipTree(tmp_path / "x.zip")
    with source.open():
        assert source.listing().folders == ["a", "b", "b/c", "d", "e", "f"]
        assert source.listing().folders == ["a", "b", "b/c", "d", "e", "f"], "the second time"
    with zipfile.ZipFile(tmp_path / "x.zip") as file:
        file.extractall(tmp_path / "x")
    assert FolderTree(tmp_path / "x").listing().folders == ["a", "b", "b/c", "d", "e", "f"]


def test_an_empty_folder_changes_the_fingerprint(tmp_path):
    (tmp_path / "x" / "a").mkdir(parents=True)
    before = FolderTree(tmp_path / "x").fingerprint()
    (tmp_path / "x" / "b").mkdir()
    assert FolderTree(tmp_path / "x").fingerprint() != before
    (tmp_path / "x" / "b").rmdir()
    assert FolderTree(tmp_path / "x").fingerprint() == before


def test_what_systems_leave_behind_is_hidden(tmp_path):
    names = [
        "cat/@eaDir/1.png/SYNOPHOTO_THUMB_M.jpg", "__MACOSX/cat/1.png", "cat/._1.png",
        "lost+found/1.png", "$RECYCLE.BIN/1.png", ".ipynb_checkpoints/1-checkpoint.png",
        "#recycle/1.png", "System Volume Information/1.png", "cat/1.png",
    ]  # fmt: skip
    assert listed(archive(tmp_path / "x.zip", *names))[0] == ["cat/1.png"]
    for name in names:
        (tmp_path / "x" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "x" / name).write_bytes(CONTENT)
    assert [entry.path for entry in FolderTree(tmp_path / "x").entries()] == ["cat/1.png"]


def test_what_lies_too_deep_is_told(tmp_path):
    shallow, deep = ("/".join(["f"] * n) + "/1.png" for n in (16, 17))
    note = "1 folder is nested more than 16 deep and was not read: " + "/".join(["f"] * 17)
    assert listed(archive(tmp_path / "x.zip", shallow, deep)) == ([shallow], [note])
    (tmp_path / "x" / deep).parent.mkdir(parents=True)
    for name in (shallow, deep):
        (tmp_path / "x" / name).write_bytes(CONTENT)
    listing = FolderTree(tmp_path / "x").listing()
    assert ([entry.path for entry in listing.files], listing.notes) == ([shallow], [note])


def test_links_in_an_archive_are_not_followed_but_told(tmp_path):
    with zipfile.ZipFile(archive(tmp_path / "x.zip", "a/1.png"), "a") as file:
        link = zipfile.ZipInfo("a/2.png")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "../../../etc/passwd")
    assert listed(tmp_path / "x.zip") == (
        ["a/1.png"], ["1 file is a link and was left out: a/2.png"]
    )  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_links_that_lead_nowhere_are_told(tmp_path):
    (tmp_path / "a.png").write_bytes(CONTENT)
    (tmp_path / "b.png").symlink_to(tmp_path / "gone")
    (tmp_path / "c.png").symlink_to(tmp_path / "c.png")  # in a circle
    listing = FolderTree(tmp_path).listing()
    assert [entry.path for entry in listing.files] == ["a.png"]
    assert listing.notes == [
        "2 items are not readable files (broken links or devices) and were left out: b.png, c.png"
    ]


def test_an_archive_with_a_password_is_refused_as_a_whole(tmp_path):
    path = archive(tmp_path / "x.zip", "a.png", "b.png")
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=r"x\.zip' is encrypted \(1 of 2 files\)\. Pack the"):
        listed(path)


def test_zip64_and_data_descriptors_are_read(tmp_path):
    with (
        zipfile.ZipFile(tmp_path / "x.zip", "w") as file,
        file.open("a.png", "w", force_zip64=True) as member,
    ):
        member.write(CONTENT)
    assert listed(tmp_path / "x.zip")[0] == ["a.png"]

    class Pipe:
        """A file that cannot seek: sizes stand behind each member."""

        def __init__(self) -> None:
            self.written = b""

        def write(self, data: bytes) -> int:
            self.written += bytes(data)
            return len(data)

        def flush(self) -> None:
            pass

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w") as file:
        file.writestr("a.png", CONTENT)
    (tmp_path / "y.zip").write_bytes(pipe.written)
    assert listed(tmp_path / "y.zip")[0] == ["a.png"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (
            "x.tar",
            b"ustar",
            r"but a tar archive\. Unpack it \(tar -xf x\.tar\) and give the folder",
        ),
        ("x.tar.gz", b"\x1f\x8b\x08", "but a tar archive"),
        ("x.tgz", b"\x1f\x8b\x08", "but a tar archive"),
        ("x", bytes(257) + b"ustar" + bytes(300), "but a tar archive"),
        ("x.zip", b"Rar!\x1a\x07", r"but a RAR archive\. Unpack it"),
        ("x.7z", b"7z\xbc\xaf\x27\x1c", "but a 7-Zip archive"),
        ("x.gz", b"\x1f\x8b\x08", "but a file packed by gzip"),
        ("x.z01", b"PK\7\x08PK\3\4", "but one part of a split zip archive. Join"),
        ("x.zip.001", b"PK\3\4", "but one part of a split zip archive"),
        ("x.zip", b"PK\3\4", "it begins like one, but its end is missing. Copy or download"),
        ("x.png", b"\x89PNG\r\n\x1a\n", "but a single image. Give the folder"),
        ("x.csv", b"a,b", "Give a folder with one folder"),
    ],
)
def test_other_files_are_called_by_what_they_are(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileFormatError, match=f"is neither a folder nor a zip archive.*{words}"):
        tree(tmp_path / name)


def test_the_last_part_of_a_split_archive_is_called_so(tmp_path):
    path = archive(tmp_path / "x.zip", "a.png")
    content = bytearray(path.read_bytes())
    end = content.index(b"PK\5\6")
    struct.pack_into("<HH", content, end + 4, 1, 1)
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=r"is the last part of a split archive"):
        listed(path)


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_folders_named_in_another_encoding_on_disk_get_readable_names(tmp_path):
    for name in ("고양이", "강아지"):
        folder = tmp_path / os.fsdecode(name.encode("cp949"))
        folder.mkdir()
        (folder / os.fsdecode("사진.png".encode("cp949"))).write_bytes(CONTENT)
    source = FolderTree(tmp_path)
    listing = source.listing()
    assert sorted(listing.names.values()) == ["강아지", "고양이"]
    assert listing.notes == ["names of folders are not in UTF-8; they are read as CP949 (Korean)"]
    for entry in listing.files:
        assert source.read(entry) == CONTENT
        source.label(entry).encode()
    source.fingerprint()
