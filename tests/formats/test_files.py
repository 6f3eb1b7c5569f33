from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pellucid.errors import ArgumentError
from pellucid.formats.files import atomic_write
from permissions import obeying


def test_a_finished_write_replaces_the_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    path.write_text("old")
    with atomic_write(path) as part:
        part.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_interrupted_write_leaves_the_old_file_untouched(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "model.npz"
    path.write_text("old")
    with pytest.raises(error), atomic_write(path) as part:  # noqa: PT012
        part.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupted_first_write_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), atomic_write(tmp_path / "new") as part:  # noqa: PT012
        part.write_text("half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_killed_process_leaves_the_old_file_untouched(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    path.write_text("old")
    code = (
        "import sys, time\n"
        "from pellucid.formats.files import atomic_write\n"
        "with atomic_write(sys.argv[1]) as part:\n"
        "    part.write_text('half')\n"
        "    print('writing', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        process.send_signal(signal.SIGKILL)
    assert path.read_text() == "old"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_a_new_file_gets_ordinary_permissions_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    (tmp_path / "ordinary").touch()
    with atomic_write(tmp_path / "new"):
        pass
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "ordinary").stat().st_mode
    (tmp_path / "new").chmod(0o640)
    with atomic_write(tmp_path / "new"):
        pass
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege")
def test_a_symbolic_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with atomic_write(tmp_path / "link") as part:
        part.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_the_temporary_file_keeps_the_suffix_in_the_same_folder(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "a.npz") as part:
        assert part.suffix == ".npz"  # numpy.savez would add one otherwise
        assert part.parent == tmp_path


def test_a_missing_folder_and_a_folder_are_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(ArgumentError, match=r"path: cannot write '.*f': the folder '.*no' does not"),
        atomic_write(tmp_path / "no" / "f"),
    ):
        pass
    with (
        pytest.raises(ArgumentError, match=r"path: must be a file, received the folder '"),
        atomic_write(tmp_path),
    ):
        pass


def test_a_folder_that_cannot_be_flushed_is_no_reason_to_fail(tmp_path: Path) -> None:
    folder = tmp_path / "box"  # files can be put in, but the folder cannot be opened
    folder.mkdir()
    folder.chmod(0o300)
    code = (
        "import sys\n"
        "from pellucid.formats.files import atomic_write\n"
        "with atomic_write(sys.argv[1]) as part:\n"
        "    part.write_text('whole')\n"
    )
    command = [*obeying(), sys.executable, "-c", code, str(folder / "model.npz")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    folder.chmod(0o700)
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in folder.iterdir()] == ["model.npz"]
    assert (folder / "model.npz").read_text() == "whole"


def test_a_full_disk_is_told_of_the_file_that_was_to_be_written(tmp_path: Path) -> None:
    code = (
        "import resource, signal, sys\n"
        "from pellucid.formats.files import atomic_write\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        "    with atomic_write(sys.argv[1]) as part, part.open('wb', buffering=0) as file:\n"
        "        for _ in range(3):\n"
        "            file.write(bytes(700))\n"
        "except OSError as error:\n"
        "    print(error.filename)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "model.npz")]
    if sys.platform == "win32":
        pytest.skip("there are no limits of this kind")
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"{tmp_path / 'model.npz'}\n"
    assert list(tmp_path.iterdir()) == []
