"""One table of formats: what is registered is loaded, converted, trained from and listed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pellucid
from pellucid.cli import main
from pellucid.errors import ArgumentError, DataNotFoundError, FileFormatError
from pellucid.formats import Contents, Format, build, describe, register
from pellucid.formats.registry import FORMATS, one_of, reader_of, writer_of, written
from pellucid.nn import Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential

# A format as a module of its own would bring it: text, with the architecture or without.
MAGIC = b"TOY!"


def write_toy(path, tensors, architecture=None) -> None:
    said = {key: [list(a.shape), np.ravel(a).tolist()] for key, a in tensors.items()}
    Path(path).write_bytes(MAGIC + json.dumps([architecture, said]).encode())


def save_toy(model, path) -> None:
    write_toy(path, model.state_dict(), describe(model))


def read_toy(path) -> Contents:
    architecture, said = json.loads(path.read_bytes()[len(MAGIC) :])
    tensors = {key: np.reshape(np.float32(a), shape) for key, (shape, a) in said.items()}

    def rebuild(layers):
        model = build(architecture, layers)
        model.load_state_dict(tensors)
        return model.eval()

    return Contents(tensors, {}, rebuild if architecture else None)


TOY = Format(
    "toy",
    "a toy file",
    "numbers as text",
    (".toy",),
    lambda found: found.head.startswith(MAGIC),
    read=read_toy,
    write=write_toy,
    save=save_toy,
)


@pytest.fixture
def toy(monkeypatch, tmp_path):
    """Register the toy format, for this test alone, and work in ``tmp_path``."""
    monkeypatch.chdir(tmp_path)
    before = list(FORMATS)
    register(TOY)
    yield TOY
    FORMATS[:] = before


@pytest.fixture
def convert(capsys):
    def convert(*arguments) -> str:
        with pytest.raises(SystemExit) as end:
            main(["convert", *map(str, arguments)])
        out, err = capsys.readouterr()
        assert end.value.code == (1 if err else 0)
        return out + err

    return convert


def network() -> Sequential:
    model = Sequential(
        conv1=Conv2d(1, 2, 3), relu=ReLU(), pool=MaxPool2d(2), flatten=Flatten(), fc=Linear(8, 3)
    )
    model.input_shape = (1, 6, 6)
    return model.eval()


IMAGES = np.random.default_rng(0).random((2, 1, 6, 6), dtype=np.float32)


def test_a_registered_format_is_loaded(toy):
    model = network()
    save_toy(model, "model.bin")  # known by its content, whatever it is called
    np.testing.assert_array_equal(pellucid.load("model.bin")(IMAGES), model(IMAGES))


def test_a_model_is_converted_into_a_registered_format_and_back(toy, convert):
    model = network()
    pellucid.save(model, "a.safetensors")
    said = convert("a.safetensors", "b.toy")
    assert said == "Sequential: images 1x6x6, 47 parameters\nb.toy\n"
    assert convert("b.toy", "c.safetensors").endswith("c.safetensors\n")
    np.testing.assert_array_equal(pellucid.load("c.safetensors")(IMAGES), model(IMAGES))
    assert convert("b.toy", "d.pkl").startswith("4 arrays: W1 2x1x3x3, b1 2, W2 8x3, b2 3\n")
    assert "is a model in a safetensors file already" in convert("c.safetensors", "e.safetensors")


def test_tensors_are_converted_into_a_registered_format_and_back(toy, convert):
    tensors = {"x": np.float32([[1, 2]]), "y": np.float32(3)}
    write_toy("a.toy", tensors)
    convert("a.toy", "b.npz", "--raw")
    convert("b.npz", "c.toy", "--raw")
    with np.load("b.npz") as arrays:
        assert {key: a.tolist() for key, a in arrays.items()} == {"x": [[1, 2]], "y": 3}
    assert read_toy(Path("c.toy")).tensors["x"].tolist() == [[1, 2]]


def test_messages_list_a_registered_format(toy, convert):
    Path("a.txt").write_text("hello")
    assert "must end in .safetensors, .pkl, .npz, .pth or .toy, received 'b.txt'" in convert(
        "a", "b.txt"
    )
    assert re.search(
        r"Give a safetensors file, .* \(\.npz\), .*, a toy file or a", convert("a.txt", "b.npz")
    )
    with pytest.raises(FileFormatError, match=r"not a safetensors file, .* or a toy file"):
        pellucid.load("a.txt")
    write_toy("w.toy", {"x": np.ones(1)})
    with pytest.raises(FileFormatError, match=r"'w\.toy' holds weights but no architecture"):
        pellucid.load("w.toy")


def test_help_lists_a_registered_format(tmp_path):
    code = (
        "from pellucid.formats import registry\n"
        "registry.register(registry.Format('toy', 'a toy file', 'numbers as text', ('.toy',), "
        "lambda found: False, read=print, write=print))\n"
        "from pellucid.cli import main\n"
        "main(['convert', '--help'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True
    )
    said = " ".join(re.sub(r"[│\s]+", " ", done.stdout).split())
    assert ".toy (numbers as text)" in said
    assert ".safetensors, .pkl, .npz, .pth or .toy" in said


def test_a_training_begins_with_a_registered_format(toy):
    from pellucid.runs.starting_network import taken_over

    train, _ = pellucid.data.digits()
    model = pellucid.models.from_pattern("INPUT -> CONV3-2 -> FC", (1, 8, 8), 10)
    save_toy(model, "model.toy")
    begun = taken_over(Path("model.toy"), None, train, None, np.random.default_rng(0))
    for key, values in begun.network.state_dict().items():
        if key.startswith("conv"):
            np.testing.assert_array_equal(values, model.state_dict()[key])


def test_a_format_that_is_only_read_is_not_written_and_the_other_way_round(monkeypatch, tmp_path):
    one = Format("one", "a file of one", "", (".one",), lambda found: True, read=Contents)
    two = Format("two", "a file of two", "", (".two",), lambda found: True, write=print)
    three = Format("three", "a file of three", "", (".three",), lambda found: False, save=print)
    monkeypatch.setattr(sys.modules["pellucid.formats.registry"], "FORMATS", [one, two, three])
    (tmp_path / "a").write_text("hello")
    assert reader_of(tmp_path / "a", [two, one]) is one
    assert writer_of("x.TWO") is two
    assert written() == [two, three]
    with pytest.raises(ArgumentError, match=r"must end in \.two or \.three, received 'x\.one'"):
        writer_of("x.one")
    with pytest.raises(ArgumentError, match="two: a file of two is only written, not read"):
        two.contents(tmp_path / "a")


def test_a_name_and_a_suffix_are_taken_once(toy):
    with pytest.raises(ArgumentError, match="has the name or a suffix of 'npz'"):
        register(Format("zip", "a zip archive", "", (".npz", ".zip"), lambda found: False))
    with pytest.raises(ArgumentError, match="has the name or a suffix of 'toy'"):
        register(Format("toy", "another", "", (".other",), lambda found: False))


def test_the_content_of_a_file_decides_and_its_name_only_where_that_tells_nothing(tmp_path):
    np.savez(tmp_path / "a.pkl.npz", x=np.ones(1))
    (tmp_path / "a.pkl.npz").rename(tmp_path / "a.pkl")
    assert reader_of(tmp_path / "a.pkl").name == "npz"
    (tmp_path / "b.PKL").write_bytes(b"\xf1\xf2\xf3\xf4")
    assert reader_of(tmp_path / "b.PKL").name == "pickle"
    (tmp_path / "b").write_bytes(b"\xf1\xf2\xf3\xf4")
    with pytest.raises(FileFormatError, match=r"is a file of an unknown kind .*or a run folder"):
        reader_of(tmp_path / "b")
    with pytest.raises(DataNotFoundError, match=r"there is no file '.*gone'"):
        reader_of(tmp_path / "gone")


def test_alternatives_are_listed_as_a_sentence_does():
    assert [one_of(list("abc")[:n]) for n in range(4)] == ["", "a", "a or b", "a, b or c"]
