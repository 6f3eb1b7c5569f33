from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid import data
from pellucid.data.catalogue import CATALOGUE
from pellucid.errors import DataNotFoundError

FILE_NAMES = CATALOGUE["mnist"].forms[0].files
Make = Callable[..., Any]
FIRST = f"{FILE_NAMES[0]}.gz"


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that makes these the mirrors of MNIST."""

    def put(*addresses: str) -> None:
        monkeypatch.setitem(CATALOGUE, "mnist", replace(CATALOGUE["mnist"], mirrors=addresses))

    return put


def cached(cache: Path) -> list[str]:
    folder = cache / "mnist"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


ALL = sorted(f"{name}.gz" for name in FILE_NAMES)


def test_a_set_is_downloaded_once_and_then_read_from_the_cache(
    cache: Path, miniature: Make, mirror: Make, use: Make
) -> None:
    small, server = miniature("mnist"), mirror()
    server.offer(small)
    use(server.address)
    train, _ = data.mnist()
    np.testing.assert_array_equal(train.images[:, 0], small.arrays[FILE_NAMES[0]])
    assert cached(cache) == ALL
    assert sorted(server.asked) == ALL
    data.mnist()
    assert sorted(server.asked) == ALL
    assert data.fetch("mnist") == cache / "mnist"
    assert sorted(server.asked) == ALL


def test_the_second_mirror_gives_what_the_first_could_not(
    cache: Path, miniature: Make, mirror: Make, use: Make
) -> None:
    small, first, second = miniature("mnist"), mirror(), mirror()
    first.offer(small)
    second.offer(small)
    del first.files[f"{FILE_NAMES[2]}.gz"]
    use(first.address, second.address)
    data.mnist()
    assert cached(cache) == ALL
    assert second.asked == [f"{name}.gz" for name in FILE_NAMES[2:]]


def refused(cache: Path) -> str:
    with pytest.raises(DataNotFoundError) as caught:
        data.mnist()
    assert cached(cache) == []
    return str(caught.value)


def test_a_file_with_other_contents_is_refused_and_not_kept(
    cache: Path, miniature: Make, mirror: Make, use: Make
) -> None:
    small, server = miniature("mnist"), mirror()
    small.arrays[FILE_NAMES[0]] = small.arrays[FILE_NAMES[0]] ^ 1
    server.offer(small)
    use(server.address)
    message = refused(cache)
    reason = "what came has other contents: the SHA-256 of its uncompressed bytes is"
    assert f"{server.address}{FIRST}: {reason} " in message
    assert ".part" not in message


def test_a_page_in_place_of_the_file_is_refused(
    cache: Path, miniature: Make, mirror: Make, use: Make
) -> None:
    miniature("mnist")
    server = mirror()
    server.files[FIRST] = b"<html>Please log in</html>"
    use(server.address)
    assert "what came is not an IDX file: it begins with the bytes 3c 68 74 6d" in refused(cache)


@pytest.mark.parametrize("announced", [False, True])
def test_a_truncated_file_is_refused(
    cache: Path, miniature: Make, mirror: Make, use: Make, announced: bool
) -> None:
    small, server = miniature("mnist"), mirror()
    server.offer(small)
    whole = server.files[FIRST]
    server.files[FIRST] = whole[:-100]
    if announced:
        server.claims[FIRST] = len(whole)
    use(server.address)
    expected = "broke off" if announced else "what came is damaged: its gzip compression"
    assert expected in refused(cache)


def test_a_file_that_does_not_end_is_cut_off(
    cache: Path, miniature: Make, mirror: Make, use: Make
) -> None:
    miniature("mnist")
    server = mirror()
    server.files[FIRST] = b"\x1f\x8b" + bytes(10**6)
    use(server.address)
    assert "what came is larger than the file should be" in refused(cache)


def test_a_bomb_is_refused(cache: Path, miniature: Make, mirror: Make, use: Make) -> None:
    miniature("mnist")
    server = mirror()
    header = bytes.fromhex("00000803 00100000 00000010 00000010")
    server.files[FIRST] = gzip.compress(header + bytes(2**20))
    use(server.address)
    assert "what came declares 1048576x16x16 = 268435456 bytes, more than" in refused(cache)


def test_without_a_network_it_fails_soon_and_says_what_to_do(
    cache: Path, miniature: Make, mirror: Make, use: Make
) -> None:
    miniature("mnist")
    server = mirror()
    use("http://127.0.0.1:9/mnist/", server.address)
    message = refused(cache)
    assert len(server.asked) == len(set(server.asked)), "what is not there is asked for once"
    assert f"{cache / 'mnist'}: none of the files" in message
    assert f"http://127.0.0.1:9/mnist/{FIRST}: no connection" in message
    assert f"{server.address}{FIRST}: HTTP 404 Not Found" in message
    assert all(name in message for name in FILE_NAMES)
    assert "root=..., or name it in the environment variable PELLUCID_DATA." in message
    assert "No download was tried" not in message


def test_an_interrupted_download_leaves_nothing_half_written(
    cache: Path, miniature: Make, mirror: Make, use: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, server = miniature("mnist"), mirror()
    server.offer(small)
    use(server.address)

    def interrupt(*arguments: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["pellucid.data.download"], "mismatch", interrupt)
        with pytest.raises(KeyboardInterrupt):
            data.mnist()
    assert cached(cache) == []
    data.mnist()
    assert cached(cache) == ALL


@pytest.mark.parametrize("spelled", [FIRST, FILE_NAMES[0], "train-images.idx3-ubyte"])
def test_a_damaged_cache_is_mended(
    cache: Path, miniature: Make, mirror: Make, use: Make, spelled: str
) -> None:
    small, server = miniature("mnist"), mirror()
    server.offer(small)
    use(server.address)
    data.mnist()
    (cache / "mnist" / spelled).write_bytes(b"damaged")
    server.asked.clear()
    train, _ = data.mnist()
    assert len(train) == 12
    assert server.asked == [FIRST]
    assert cached(cache) == ALL


def test_a_damaged_cache_without_a_network_is_called_damaged(
    cache: Path, miniature: Make, use: Make
) -> None:
    miniature("mnist").put(cache / "mnist")
    (cache / "mnist" / FIRST).write_bytes(b"damaged")
    use("http://127.0.0.1:9/")
    with pytest.raises(DataNotFoundError, match=r"mnist: damaged\n"):
        data.mnist()


def test_a_cache_that_cannot_be_made_is_explained(cache: Path, miniature: Make) -> None:
    miniature("mnist")
    cache.parent.mkdir(parents=True)
    cache.touch()
    with pytest.raises(
        DataNotFoundError, match=r"cannot create the cache folder '.*mnist': .* elsew"
    ):
        data.mnist()


def test_on_a_terminal_progress_is_shown_and_elsewhere_nothing(
    miniature: Make, mirror: Make, use: Make, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], cache: Path,
) -> None:  # fmt: skip
    small, server = miniature("mnist"), mirror()
    server.offer(small)
    use(server.address)
    data.fetch("mnist")
    assert capsys.readouterr() == ("", "")
    (cache / "mnist" / FIRST).unlink()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    data.fetch("mnist")
    out, err = capsys.readouterr()
    assert out == ""
    assert "MNIST train-images-idx3-ubyte" in err


def test_importing_the_package_loads_nothing_heavy() -> None:
    import subprocess

    code = (
        "import sys, pellucid.data\n"
        "heavy = {'pooch', 'PIL', 'rich', 'requests', 'platformdirs', 'matplotlib',"
        " 'pellucid.formats', 'pellucid.nn'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert run.stdout.strip() == "[]"
