"""Names on the command line become picture files."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from pellucid.errors import DataNotFoundError
from pellucid.runs.picture_files import names_from, picture_files


@pytest.fixture
def pets(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("cat/b.png", "cat/a.JPG", "cat/notes.txt", "cat/.hidden.png", "dog/deep/c.gif"):
        path = tmp_path / "pets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "pets" / ".git").mkdir()
    (tmp_path / "pets" / ".git" / "d.png").touch()
    return tmp_path


def found(*names: str) -> list[str]:
    files = list(picture_files(names))
    assert all(error is None for _, error in files)
    return [path.as_posix() for path, _ in files]


def test_a_folder_stands_for_the_pictures_in_it_at_any_depth_in_order(pets):
    assert found("pets") == ["pets/cat/a.JPG", "pets/cat/b.png", "pets/dog/deep/c.gif"]


def test_a_file_that_is_named_is_taken_whatever_its_name(pets):
    assert found("pets/cat/notes.txt", "gone") == ["pets/cat/notes.txt", "gone"]


def test_a_pattern_stands_for_its_matches_each_once(pets):
    assert found("pets/cat/*.png") == ["pets/cat/b.png"]
    assert found("pets/**/*.gif") == ["pets/dog/deep/c.gif"]
    assert found("pets/*") == ["pets/cat/a.JPG", "pets/cat/b.png", "pets/dog/deep/c.gif"]
    everything = found("pets/**")
    assert sorted(everything) == sorted(set(everything))
    assert {"pets/cat/b.png", "pets/dog/deep/c.gif"} <= set(everything)


def test_a_file_with_brackets_in_its_name_is_not_a_pattern(pets):
    (pets / "[x].png").touch()
    assert found("[x].png") == ["[x].png"]


@pytest.mark.parametrize(
    ("name", "words"),
    [("empty", "the folder 'empty' holds no picture"), ("*.webp", "no file matches '*.webp'")],
)
def test_what_stands_for_no_picture_is_an_error_in_its_place(pets, name, words):
    (pets / "empty").mkdir()
    first, (path, error), last = picture_files(["a.png", name, "b.png"])
    assert (str(path), str(error)) == (name, f"{words}.")
    assert isinstance(error, DataNotFoundError)
    assert (first[1], last[1]) == (None, None)


def test_a_folder_that_links_to_one_above_it_is_read_once(pets):
    (pets / "pets" / "cat" / "up").symlink_to(pets / "pets")
    assert len(found("pets")) == 3


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_names_in_a_pipe_are_read_in_whatever_pieces_they_come(size):
    names = "a.png\r\n\n고양이.png\nlast.png".encode()
    pieces = io.BytesIO(names)
    assert list(names_from(lambda _: pieces.read(size))) == ["a.png", "고양이.png", "last.png"]
    pieces = io.BytesIO(b"two\nlines.png\0b.png\0")
    told = names_from(lambda _: pieces.read(size), null=True)
    assert list(told) == ["two\nlines.png", "b.png"]


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names there are text")
def test_a_name_that_is_not_text_comes_through():
    (name,) = names_from(io.BytesIO(b"caf\xe9.png\n").read)
    assert os.fsencode(name) == b"caf\xe9.png"
