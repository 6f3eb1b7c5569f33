from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pellucid import data
from pellucid.data.catalogue import CATALOGUE
from pellucid.data.idx import write_idx
from pellucid.errors import ArgumentError, DataNotFoundError
from pellucid.runs.images import is_folder

FILE_NAMES = CATALOGUE["mnist"].forms[0].files
Make = Callable[..., Any]


def test_the_list_tells_what_there_is_and_where(cache: Path, miniature: Make) -> None:
    miniature("mnist").put(cache / "mnist")
    mnist, fashion, digits, *others = data.available()
    assert [record.where for record in others] == [None] * 4
    assert (mnist.name, fashion.name, digits.name) == ("mnist", "fashion-mnist", "digits")
    assert (mnist.where, fashion.where) == (cache / "mnist", None)
    assert digits.where is not None
    assert (digits.image_shape, digits.train, digits.test) == ((1, 8, 8), 1438, 359)
    assert fashion.classes[0] == "T-shirt/top"


def test_every_set_names_its_terms_its_source_and_four_hashes() -> None:
    for name, source in CATALOGUE.items():
        assert source.name == name
        assert source.licence
        assert source.citation
        assert all(mirror.endswith("/") for mirror in source.mirrors)
    for name in ("mnist", "fashion-mnist", "digits"):
        (form,) = CATALOGUE[name].forms
        assert form.files == FILE_NAMES
        assert all(len(bytes.fromhex(file.sha256)) == 32 for file in form.singles)
        assert len({file.sha256 for file in form.singles}) == 4
        assert len(CATALOGUE[name].classes) == 10


def test_whole_files_verify_however_they_are_compressed(tmp_path: Path, miniature: Make) -> None:
    small = miniature("mnist")
    small.put(tmp_path / "packed")
    small.put(tmp_path / "plain", "")
    for folder in ("packed", "plain"):
        checks = data.verify("mnist", tmp_path / folder)
        assert [check.path.name.removesuffix(".gz") for check in checks] == list(FILE_NAMES)
        assert all(check.ok and not check.reason for check in checks)


def test_verify_says_of_each_file_what_is_wrong(tmp_path: Path, miniature: Make) -> None:
    small = miniature("mnist")
    small.put(tmp_path)
    changed = small.arrays[FILE_NAMES[0]].copy()
    changed[5, 14, 14] ^= 1
    write_idx(tmp_path / f"{FILE_NAMES[0]}.gz", changed)
    (tmp_path / f"{FILE_NAMES[1]}.gz").write_bytes(b"")
    (tmp_path / f"{FILE_NAMES[2]}.gz").unlink()
    checks = data.verify("mnist", tmp_path)
    assert [check.ok for check in checks] == [False, False, False, True]
    assert "has other contents: the SHA-256 of its uncompressed bytes is" in checks[0].reason
    assert "is empty" in checks[1].reason
    assert checks[2].reason == f"there is no '{FILE_NAMES[2]}' in '{tmp_path}'."


def test_verify_without_any_file_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError, match=r"MNIST: the data set is not there\. Looked in"):
        data.verify("mnist", tmp_path)


def test_fetching_what_comes_with_pellucid_downloads_nothing(cache: Path) -> None:
    assert (data.fetch("digits") / "LICENSE.md").is_file()
    assert not cache.exists()


def test_an_entry_in_the_catalogue_is_all_that_a_new_set_needs(
    cache: Path, miniature: Make, mirror: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, server = miniature("mnist"), mirror()
    server.offer(small)
    known = CATALOGUE["mnist"]
    (form,) = known.forms
    entry = replace(
        known,
        name="letters",
        title="Letters",
        forms=(replace(form, subfolders=("letters", ".")),),
        mirrors=(server.address,),
    )
    monkeypatch.setitem(CATALOGUE, "letters", entry)
    assert not is_folder("letters")
    assert [r.where for r in data.available() if r.title == "Letters"] == [None]
    with pytest.raises(DataNotFoundError, match=r"Letters: the data set is not there\."):
        data.load("letters", download=False)
    assert data.fetch("letters") == cache / "letters"
    train, test = data.load("letters")
    assert (train.name, len(train), len(test)) == ("letters", 12, 4)
    assert [check.ok for check in data.verify("letters")] == [True] * 4
    with pytest.raises(ArgumentError, match="Did you mean 'letters'"):
        data.load("leters")


def test_the_files_that_you_have_put_somewhere_are_not_downloaded(
    tmp_path: Path, miniature: Make, mirror: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, server = miniature("mnist"), mirror()
    server.offer(small)
    monkeypatch.setitem(CATALOGUE, "mnist", replace(CATALOGUE["mnist"], mirrors=(server.address,)))
    small.put(tmp_path / "mine")
    monkeypatch.setenv("PELLUCID_DATA", str(tmp_path / "mine"))
    assert data.fetch("mnist") == tmp_path / "mine"
    assert server.asked == []


def test_the_public_names_are_sorted_and_there() -> None:
    assert data.__all__ == sorted(data.__all__)
    assert all(hasattr(data, name) for name in data.__all__)
