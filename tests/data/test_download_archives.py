"""CIFAR-10, CIFAR-100, STL-10 and SVHN, fetched from a server that has them in small."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from data import test_readers as small
from pellucid import data
from pellucid.data.cache_space import ABANDONED
from pellucid.data.catalogue import CATALOGUE
from pellucid.data.data_source import PublishedFile
from pellucid.data.unpack import unpack
from pellucid.errors import DataNotFoundError, FileFormatError

ARCHIVE = "cifar-10-binary.tar.gz"
WRITERS = {
    "cifar10": small.cifar10_binary,
    "cifar100": small.cifar100_binary,
    "stl10": small.stl10,
    "svhn": small.svhn,
}


def packed(*members: tuple[str | tarfile.TarInfo, bytes]) -> bytes:
    """Return a .tar.gz."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for member, content in members:
            info = tarfile.TarInfo(member) if isinstance(member, str) else member
            info.size = info.size or len(content)
            tar.addfile(info, io.BytesIO(content) if content else None)
    return file.getvalue()


@dataclass
class Offer:
    """What a set has at its home, as small as the tests need it."""

    name: str
    contents: dict[str, bytes]  # of the files that are read
    remotes: dict[str, bytes]  # of what is downloaded

    @property
    def files(self) -> list[str]:
        return sorted(self.contents)


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Offer]:
    """Return a function that makes a small set, and enters it in the table with its mirrors."""

    def make(name: str, *mirrors, archive: bytes | None = None) -> Offer:
        folder = tmp_path / f"made-{name}"
        folder.mkdir(exist_ok=True)
        WRITERS[name](folder)
        contents = {path.name: path.read_bytes() for path in folder.iterdir()}
        source = CATALOGUE[name]
        form = source.forms[0]
        remotes = contents
        if form.archive:
            inside = form.subfolders[0]
            others = [(f"{inside}/unlabeled_X.bin", bytes(5000)), (f"{inside}/readme", b"Read me.")]
            members = [(f"{inside}/{file}", content) for file, content in contents.items()]
            folder_itself = tarfile.TarInfo(inside)
            folder_itself.type = tarfile.DIRTYPE
            archive = archive or packed((folder_itself, b""), others[0], *members, others[1])
            remotes = {form.archive.name: archive}
        published = [
            PublishedFile(file, len(content), hashlib.sha256(content).hexdigest())
            for file, content in remotes.items()
        ]
        if form.archive:
            sizes = tuple(len(contents[file]) for file in form.files)
            form = replace(form, archive=published[0], sizes=sizes)
        else:
            singles = {file.name: file for file in published}
            form = replace(form, singles=tuple(singles[file] for file in form.files))
        addresses = tuple(mirror.address for mirror in mirrors)
        forms = (form, *source.forms[1:])
        monkeypatch.setitem(CATALOGUE, name, replace(source, forms=forms, mirrors=addresses))
        for mirror in mirrors:
            mirror.files.update(remotes)
        return Offer(name, contents, remotes)

    return make


def cached(cache: Path, name: str = "cifar10") -> list[str]:
    folder = cache / name
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@pytest.mark.parametrize("name", WRITERS)
def test_a_set_is_downloaded_once_and_of_an_archive_only_the_files_are_kept(
    cache, mirror, offer, name
):
    server = mirror()
    made = offer(name, server)
    train, test = getattr(data, name)()
    images = small.LARGE if name == "stl10" else small.IMAGES
    np.testing.assert_array_equal(np.concatenate([train.images, test.images]), images)
    assert train.labels.tolist() == small.LABELS[: len(train)].tolist()
    assert cached(cache, name) == made.files
    assert all((cache / name / f).read_bytes() == c for f, c in made.contents.items())
    assert sorted(server.asked) == sorted(made.remotes)
    server.asked.clear()
    assert data.fetch(name) == cache / name
    assert len(data.load(name)[0]) == len(train)
    assert {r.name: r.where for r in data.available()}[name] == cache / name
    assert server.asked == []


def test_without_leave_to_download_nothing_is_asked_for(cache, mirror, offer, tmp_path):
    server = mirror()
    offer("cifar10", server)
    with pytest.raises(DataNotFoundError, match=r"No download was tried\."):
        data.cifar10(download=False)
    with pytest.raises(DataNotFoundError, match="only place that is looked in"):
        data.cifar10(tmp_path / "nothing")
    assert server.asked == []
    assert not cache.exists()


def test_what_you_have_yourself_is_not_downloaded(cache, mirror, offer, monkeypatch, tmp_path):
    server = mirror()
    offer("cifar10", server)
    small.cifar10_python(tmp_path)
    monkeypatch.setenv("PELLUCID_DATA", str(tmp_path))
    assert data.fetch("cifar10") == tmp_path
    assert len(data.cifar10()[0]) == 5
    assert server.asked == []


def test_the_second_mirror_gives_what_the_first_could_not(cache, mirror, offer):
    first, second = mirror(), mirror()
    made = offer("svhn", first, second)
    del first.files["test_32x32.mat"]
    data.svhn()
    assert second.asked == ["test_32x32.mat"]
    assert cached(cache, "svhn") == made.files


def refused(cache: Path) -> str:
    with pytest.raises(DataNotFoundError) as caught:
        data.cifar10()
    assert cached(cache) == []
    return str(caught.value)


def test_an_archive_with_other_contents_is_refused_and_not_kept(cache, mirror, offer):
    server = mirror()
    offer("cifar10", server)
    server.files[ARCHIVE] = server.files[ARCHIVE][:-1] + b"x"
    message = refused(cache)
    reason = "what came has other contents: the SHA-256 of its bytes is"
    assert f"{server.address}{ARCHIVE}: {reason} " in message
    assert "Get cifar-10-binary.tar.gz or cifar-10-python.tar.gz from https://" in message
    assert "Unpack it, and pass the folder as root=..., or name it in" in message


@pytest.mark.parametrize("announced", [False, True])
def test_an_archive_that_is_cut_off_is_refused(cache, mirror, offer, announced):
    server = mirror()
    offer("cifar10", server)
    whole = server.files[ARCHIVE]
    server.files[ARCHIVE] = whole[:-100]
    if announced:
        server.claims[ARCHIVE] = len(whole)
    short = f"what came has {len(whole) - 100:,} bytes, not {len(whole):,}"
    assert ("broke off" if announced else short) in refused(cache)


def test_an_archive_that_does_not_end_is_cut_off(cache, mirror, offer):
    server = mirror()
    offer("cifar10", server)
    server.files[ARCHIVE] += bytes(10**6)
    assert "what came is larger than the file should be" in refused(cache)


def test_a_set_that_does_not_fit_on_the_disk_is_not_begun(cache, mirror, offer, monkeypatch):
    server = mirror()
    offer("svhn", server)
    source = CATALOGUE["svhn"]
    files = (PublishedFile("train_32x32.mat", 10**18, "0" * 64), source.forms[0].singles[1])
    vast = replace(source.forms[0], singles=files)
    monkeypatch.setitem(CATALOGUE, "svhn", replace(source, forms=(vast,)))
    with pytest.raises(
        DataNotFoundError, match=r"needs 1,000,000,000,000 MB in '.*svhn', where .* MB are free"
    ):
        data.svhn()
    assert server.asked == []


def link(kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo("set/b.bin")
    info.type, info.linkname = kind, "set/a.bin"
    return info


def vast() -> tarfile.TarInfo:
    info = tarfile.TarInfo("set/b.bin")
    info.size = 10**12
    return info


A, B = ("set/a.bin", b"aaaa"), ("set/b.bin", b"bbbb")


def require_nothing_but_the_archive(folder: Path) -> None:
    assert [path.name for path in folder.iterdir()] == ["sets.tar.gz"]


@pytest.fixture
def unpacked(tmp_path) -> Callable[..., Path]:
    """Return a function that unpacks the files a and b, of four bytes each."""

    def take(archive: bytes) -> Path:
        folder = tmp_path / "cached"
        folder.mkdir()
        (folder / "sets.tar.gz").write_bytes(archive)
        unpack(folder / "sets.tar.gz", {"set/a.bin": 4, "set/b.bin": 4}, folder)
        return folder

    return take


@pytest.mark.parametrize(
    "evil", ["../evil.bin", "/tmp/evil.bin", "set/../../evil.bin", "other/a.bin", "a.bin"]
)
def test_members_by_other_names_are_left_in_the_archive(unpacked, tmp_path, evil):
    folder = unpacked(packed((evil, b"evil"), A, (evil, b"evil"), B))
    assert {path.name for path in folder.iterdir()} == {"sets.tar.gz", "a.bin", "b.bin"}
    assert (folder / "a.bin").read_bytes() + (folder / "b.bin").read_bytes() == b"aaaabbbb"
    assert [path.name for path in tmp_path.iterdir()] == ["cached"]
    assert not Path("/tmp/evil.bin").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, b"S", b"6"])
def test_a_member_that_is_no_plain_file_is_refused(unpacked, tmp_path, kind):
    with pytest.raises(FileFormatError, match=r"'.*sets\.tar\.gz' has a 'set/b\.bin' that is not"):
        unpacked(packed(A, (link(kind), b"")))
    require_nothing_but_the_archive(tmp_path / "cached")


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ((A, (vast(), b"")), r"has 'set/b\.bin' with 1,000,000,000,000 bytes; expected are 4\."),
        ((A, ("set/b.bin", b"bbb")), r"has 'set/b\.bin' with 3 bytes"),
        ((A, ("set/c.bin", b"bbbb")), r"sets\.tar\.gz' has no 'set/b\.bin'\."),
        ((A, ("./set/../set/b.bin", b"bbbb")), r"sets\.tar\.gz' has no 'set/b\.bin'\."),
        ((), r"has no 'set/a\.bin'\."),
    ],
)
def test_an_archive_without_a_member_of_the_right_size_is_refused(
    unpacked, tmp_path, members, words
):
    with pytest.raises(FileFormatError, match=words):
        unpacked(packed(*members))
    require_nothing_but_the_archive(tmp_path / "cached")


WHOLE = packed(("set/noise", np.random.default_rng(0).bytes(5000)), A, B)


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"<html>Please log in</html>",
        WHOLE[: len(WHOLE) // 2],
        WHOLE[:2000] + bytes(100) + WHOLE[2100:],
        gzip.compress(b"no tar at all" * 100),
    ],
    ids=["empty", "page", "cut off", "zeros inside", "no tar"],
)
def test_a_damaged_archive_is_refused(unpacked, tmp_path, broken):
    with pytest.raises(FileFormatError, match=r"sets\.tar\.gz' (is damaged: |has no )"):
        unpacked(broken)
    require_nothing_but_the_archive(tmp_path / "cached")


def test_an_archive_that_cannot_be_used_is_not_kept(cache, mirror, offer):
    server = mirror()
    offer("cifar10", server, archive=packed(("cifar-10-batches-bin/data_batch_1.bin", b"short")))
    with pytest.raises(
        FileFormatError, match=r"data_batch_1\.bin' with 5 bytes; expected are 3,07"
    ):
        data.cifar10()
    assert cached(cache) == []


def test_an_interrupted_unpacking_keeps_the_archive_and_nothing_half_written(
    cache, mirror, offer, monkeypatch
):
    server = mirror()
    made = offer("cifar10", server)
    copy, calls = shutil.copyfileobj, []

    def interrupt(source, target, length):
        calls.append(target)
        if len(calls) == 3:
            target.write(b"half")
            raise KeyboardInterrupt
        copy(source, target, length)

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfileobj", interrupt)
        with pytest.raises(KeyboardInterrupt):
            data.fetch("cifar10")
    assert cached(cache) == [ARCHIVE]
    data.fetch("cifar10")
    assert cached(cache) == made.files
    assert server.asked == [ARCHIVE]


def test_what_a_killed_download_left_is_swept_away_and_what_another_writes_is_not(
    cache, mirror, offer
):
    made = offer("svhn", mirror())
    (cache / "svhn").mkdir(parents=True)
    for name, age in ((".part-old.mat", 2 * ABANDONED), (".part-new.mat", 0)):
        path = cache / "svhn" / name
        path.write_bytes(b"half")
        now = path.stat().st_mtime
        os.utime(path, (now - age, now - age))
    data.fetch("svhn")
    assert cached(cache, "svhn") == [".part-new.mat", *made.files]


def test_a_damaged_cache_is_mended(cache, mirror, offer):
    server = mirror()
    offer("cifar10", server)
    data.cifar10()
    path = cache / "cifar10" / "data_batch_3.bin"
    whole = path.read_bytes()
    for content in (whole[:-7], b"", b"\x0a" + whole[1:]):  # the last has a class 10
        path.write_bytes(content)
        server.asked.clear()
        assert len(data.cifar10()[0]) == 5
        assert path.read_bytes() == whole
        assert server.asked == [ARCHIVE]


def test_of_svhn_only_the_file_that_is_damaged_is_fetched_again(cache, mirror, offer):
    server = mirror()
    made = offer("svhn", server)
    data.svhn()
    server.asked.clear()
    (cache / "svhn" / "test_32x32.mat").write_bytes(b"damaged")
    data.svhn()
    assert server.asked == ["test_32x32.mat"]
    content = bytearray(made.contents["train_32x32.mat"])
    content[30] ^= 1  # in the description, which nobody reads
    (cache / "svhn" / "train_32x32.mat").write_bytes(content)
    data.fetch("svhn")
    assert server.asked == ["test_32x32.mat", "train_32x32.mat"]


def test_a_damaged_cache_without_a_network_says_what_is_wrong(cache, mirror, offer):
    offer("cifar10", mirror())
    data.cifar10()
    source = CATALOGUE["cifar10"]
    CATALOGUE["cifar10"] = replace(source, mirrors=("http://127.0.0.1:9/",))
    (cache / "cifar10" / "test_batch.bin").write_bytes(b"half")
    with pytest.raises(
        DataNotFoundError,
        match=r"cifar10: test_batch\.bin has 4 bytes, not 3,073(.|\n)*9/cifar-10.*: no connection",
    ):
        data.cifar10()


def test_progress_is_shown_on_a_terminal_and_nowhere_else(
    cache, mirror, offer, monkeypatch, capsys
):
    offer("cifar10", mirror())
    data.fetch("cifar10")
    assert capsys.readouterr() == ("", "")
    (cache / "cifar10" / "test_batch.bin").unlink()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    data.fetch("cifar10")
    out, err = capsys.readouterr()
    assert out == ""
    assert f"CIFAR-10 {ARCHIVE}" in err
    assert "CIFAR-10 unpacking" in err


COMMAND = """
import sys
from dataclasses import replace
from pellucid.cli import main
from pellucid.data.catalogue import CATALOGUE
from pellucid.data.data_source import PublishedFile
source, archive, sizes, mirror = CATALOGUE["cifar10"], *eval(sys.argv[1])
form = replace(source.forms[0], archive=PublishedFile(*archive), sizes=sizes)
CATALOGUE["cifar10"] = replace(source, forms=(form,), mirrors=(mirror,))
main(["data", "fetch", "cifar10"])
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_can_be_stopped_in_the_middle_of_a_file_and_begun_again(
    mirror, offer, tmp_path, number
):
    server = mirror()
    made = offer("cifar10", server)
    (form, *_), (address,) = CATALOGUE["cifar10"].forms, CATALOGUE["cifar10"].mirrors
    archive = form.archive
    what = repr(((archive.name, archive.size, archive.sha256), form.sizes, address))
    folder = tmp_path / "home" / "pellucid" / "datasets" / "cifar10"
    options = {
        "env": {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "home")},
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
    }
    command = [sys.executable, "-c", COMMAND, what]
    server.stalls = True
    with subprocess.Popen(command, **options) as process:
        assert server.half_sent.wait(300)
        assert [path.name[:6] for path in folder.iterdir()] == [".part-"]
        process.send_signal(number)
        out, err = process.communicate(timeout=300)
    server.go_on.set()
    assert (process.returncode, err) == (128 + number, "stopped; no partial file was left\n")
    assert out == ""
    assert list(folder.iterdir()) == []
    server.stalls = False
    result = subprocess.run(command, **options, timeout=60, check=True)
    assert (result.stdout, result.stderr) == (f"{folder}\n", "")
    assert sorted(path.name for path in folder.iterdir()) == made.files


def test_the_table_tells_of_every_set_what_to_download_and_what_is_inside():
    pixels = {"cifar10": 3073, "cifar100": 3074, "stl10": 3 * 96 * 96 + 1}
    for name in WRITERS:
        source = CATALOGUE[name]
        form = source.forms[0]
        assert all(len(bytes.fromhex(file.sha256)) == 32 for file in form.published)
        if name == "svhn":
            assert tuple(file.name for file in form.published) == form.files
        else:
            assert sum(form.members.values()) == pixels[name] * (source.train + source.test)
            assert form.published == (form.archive,)
    assert list(CATALOGUE["cifar100"].forms[0].members) == [
        "cifar-100-binary/train.bin",
        "cifar-100-binary/test.bin",
    ]
