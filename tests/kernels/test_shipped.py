"""Kernels from elsewhere are taken only by machines that they fit; otherwise a warning says why."""

from __future__ import annotations

import json
import os
from itertools import pairwise

import pytest

from pellucid.errors import ArgumentError
from pellucid.kernels import shipped
from pellucid.kernels.processors import LEVELS, Processor, level_setting, vector_unit
from pellucid.kernels.shipped import MAKERS, KernelWarning, folders, processor, ship


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder of one file, as of a kernel, that ``PELLUCID_KERNELS`` names."""
    kernel = tmp_path / "a.b.nbc"
    kernel.write_bytes(b"kernel")
    assert ship([kernel], tmp_path / "there") == 1
    monkeypatch.setenv("PELLUCID_KERNELS", str(tmp_path / "there"))
    return tmp_path / "there"


def change(place, **values):
    path = place / "kernels.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_kernels_that_were_compiled_for_this_processor_are_taken(place):
    assert folders() == [(place, processor())]
    assert (place / "a.b.nbc").read_bytes() == b"kernel"
    assert ship([place.parent / "a.b.nbc"], place) == 1  # others may be added


def test_several_folders_may_be_named_and_none(place, monkeypatch):
    ship([place / "a.b.nbc"], place.parent / "second")
    both = [place.parent / "second", place]
    monkeypatch.setenv("PELLUCID_KERNELS", os.pathsep.join(map(str, both)))
    assert [found for found, _ in folders()] == both
    monkeypatch.delenv("PELLUCID_KERNELS")
    assert folders() == []


def test_fewer_instructions_fit_and_more_do_not(place):
    triple, _, features = processor()
    fewer = ",".join(each for each in features.split(",") if each[1:] != "sha")
    change(place, processor=[triple, "other", fewer])
    assert folders() == [(place, Processor(triple, "other", fewer))]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"numba": "0.1"}, rf"has kernels of numba 0\.1, and this is {MAKERS['numba']}"),
        ({"python": "cpython-1"}, "has kernels of python cpython-1, and this is"),
        ({"processor": ["vax", "vax", ""]}, "has kernels for vax on vax; this is"),
        (
            {"processor": [processor().triple, "new", f"{processor().features},+amx-new"]},
            "has kernels for new on .*, which has amx-new; this is",
        ),
        ({"processor": "?"}, r"has no readable kernels\.json"),
        ({"llvmlite": None}, "has kernels of llvmlite None"),
    ],
)
def test_what_does_not_fit_is_said_once_and_not_taken(place, changes, message):
    change(place, **changes)
    with pytest.warns(KernelWarning, match=message) as said:
        assert [folders(), folders()] == [[], []]
    assert len(said) == 1
    assert "Kernels are compiled here instead. `pellucid warmup --out" in str(said[0].message)


def test_a_folder_without_kernels_is_said_too(tmp_path, monkeypatch):
    monkeypatch.setenv("PELLUCID_KERNELS", str(tmp_path / "none"))
    with pytest.warns(KernelWarning, match=r"none has no readable kernels\.json \(.*No such file"):
        assert folders() == []


def test_the_package_may_have_kernels_and_nothing_is_said_if_it_has_none(place, monkeypatch):
    monkeypatch.delenv("PELLUCID_KERNELS")
    monkeypatch.setattr(shipped, "INSIDE", place)
    assert folders() == [(place, processor())]
    monkeypatch.setattr(shipped, "INSIDE", place / "none")
    assert folders() == []


def test_a_folder_with_something_else_in_it_is_left_alone(place):
    change(place, numba="0.1")
    with pytest.raises(ArgumentError, match=r"^--out: must be a new or empty folder, or one with"):
        ship([], place)
    mine = place.parent / "mine"
    mine.mkdir()
    (mine / "letter.txt").touch()
    with pytest.raises(ArgumentError, match="mine has something else"):
        ship([], mine)
    assert [path.name for path in mine.iterdir()] == ["letter.txt"]


def test_each_level_has_the_instructions_of_those_below_it_and_wider_vectors():
    settings = [level_setting(level) for level in LEVELS]
    targets = [Processor("", *setting.values()) for setting in settings]
    assert [vector_unit(target) for target in targets] == [(4, 16), (8, 16), (16, 32)]
    for lower, higher in pairwise(targets):
        assert lower.instructions < higher.instructions
