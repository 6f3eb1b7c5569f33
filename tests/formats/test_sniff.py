"""What a file is: said of each kind that is given by mistake, and nothing of it is executed."""

from __future__ import annotations

import bz2
import gzip
import importlib
import io
import json
import lzma
import os
import pickle
import re
import shlex
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

import pellucid
from pellucid.data import read_idx, read_image
from pellucid.errors import FileFormatError
from pellucid.formats import describe_file, read_pickle, read_tensors, save, write_tensors
from pellucid.formats.npz import read_npz
from pellucid.models import SimpleConvNet
from pellucid.training import FilterHistory, History, TrainingState


def _zip(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_DOT_", "."), content)
    return out.getvalue()


def _tar(mode: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        archive.addfile(tarfile.TarInfo("a/b.png"), io.BytesIO())
    return out.getvalue()


def _npy() -> bytes:
    out = io.BytesIO()
    np.save(out, np.zeros(3))
    return out.getvalue()


KINDS = {
    "empty.pth": (b"", "an empty file", "Copy, download or write it again"),
    "zeros.bin": (bytes(5000), "a file of zeros only", "Copy, download"),
    "holes.bin": (bytes(70_000), "a file that begins with 65,536 zeros", "Copy, download"),
    "params.pkl": (pickle.dumps({"W1": np.zeros(2)}), "a pickle", "pellucid convert "),
    "old.pkl": (pickle.dumps({"W1": np.zeros(2)}, 0), "a pickle of protocol 0 or 1", "protocol=2"),
    "a.npy": (_npy(), r"one NumPy array (.npy)", "savez"),
    "a.npz": (_zip(a_DOT_npy=_npy()), "a NumPy archive (.npz)", "pellucid convert "),
    "a.h5": (b"\x89HDF\r\n\x1a\n" + bytes(50), "an HDF5 file", "{v.path: v.numpy() for v in"),
    "a.keras": (_zip(config_DOT_json=b"{}", model_DOT_weights_DOT_h5=b"x"), "a Keras", "savez"),
    "a.onnx": (b"\x08\x08\x12\x07pytorch\x1a\x052.1.0", "an ONNX model", "pellucid import"),
    "b.bin": (b"\x08\x08\x12\x07pytorch\x1a\x052.1.0", "an ONNX model, or", "pellucid import"),
    "saved_model.pb": (b"\x08\x01\x12\x08hi", "a TensorFlow graph (.pb)", "savez"),
    "ckpt.index": (b"\0\0\1\2", "an index of a TensorFlow checkpoint", "savez"),
    "ckpt.data-00000-of-00001": (b"\1\2\3\4", "the data of a TensorFlow checkpoint", "savez"),
    "a.tflite": (b"\x1c\0\0\0TFL3", "a TensorFlow Lite model", ""),
    "a.gguf": (b"GGUF\3\0\0\0", "a GGUF file", "whose layers Pellucid lacks"),
    "a.zip": (_zip(readme_DOT_txt=b"hi"), "a zip archive", ""),
    "b.zip": (_zip(w_DOT_safetensors=b"hi"), "a zip archive that holds 'w.safetensors'", "Unpack"),
    "a.gz": (gzip.compress(b"hi"), "a file compressed by gzip", "gunzip -k"),
    "a.bz2": (bz2.compress(b"hi"), "a file compressed by bzip2", "bunzip2 -k"),
    "a.xz": (lzma.compress(b"hi"), "a file compressed by xz", "unxz -k"),
    "a.zst": (b"(\xb5/\xfd" + bytes(9), "a file compressed by Zstandard", "unzstd"),
    "a.tar.gz": (_tar("w:gz"), "a tar archive compressed by gzip", "tar -xf"),
    "a.tgz": (_tar("w:gz"), "a tar archive compressed by gzip", "tar -xf"),
    "a.7z": (b"7z\xbc\xaf'\x1c" + bytes(9), "a 7z archive", "Unpack it first."),
    "a.rar": (b"Rar!\x1a\x07\1\0", "a RAR archive", "Unpack it first."),
    "a.tar": (_tar("w"), "a tar archive", "tar -xf"),
    "a.png": (b"\x89PNG\r\n\x1a\n" + bytes(9), "a PNG picture", ""),
    "a.jpg": (b"\xff\xd8\xff\xe0" + bytes(9), "a JPEG picture", ""),
    "a.webp": (b"RIFF\1\2\3\4WEBP", "a WebP picture", ""),
    "a.pdf": (b"%PDF-1.7\n", "a PDF document", ""),
    "a.json": (b'{"epochs": 3}', "a JSON file", ""),
    "page.pth": (b"\n<!DOCTYPE html>\n<html>", "a web page (HTML)", "A server sent a web page"),
    "deny.pth": (b'<?xml version="1.0"?><Error>', "an XML document", "A server sent a web page"),
    "lfs.pth": (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS", "git lfs pull"),
    "a.lnk": (b"L\0\0\0\1\x14\2\0" + bytes(9), "a Windows shortcut", "Give the file it points to"),
    "a.txt": ("밑바닥부터\n".encode(), "a text file (it begins with ", ""),
    "a.py": (b"import os\n", "a Python program", ""),
    "a.mat": (b"MATLAB 5.0 MAT-file".ljust(126) + b"IM", "a MATLAB 5 file", ""),
    "labels": (b"\0\0\x08\1\0\0\0\0", "an IDX file of MNIST's format", ""),
    "settings": (b"# Repeat this run: pellucid train", "the settings of a run", "run f"),
    "table": (b"epoch,loss,train_accuracy\n1,2,3\n", "the history of a run", "run f"),
    "odd": (b"\xf1\xf2\xf3\xf4", "a file of an unknown kind (it begins with the", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_of_file_is_called_what_it_is_with_what_to_do(name, tmp_path):
    content, what, advice = KINDS[name]
    path = tmp_path / name
    path.write_bytes(content)
    assert describe_file(path).startswith(what)
    with pytest.raises(FileFormatError) as refused:
        read_tensors(path)
    said = str(refused.value)
    assert said.startswith(f"'{path}' is {what}")
    assert ", not a safetensors file. " in said
    assert advice in said


@pytest.mark.parametrize(
    "name", ["a.png", "a.h5", "params.pkl", "page.pth", "a.gz", "a.txt", "odd"]
)
@pytest.mark.parametrize(
    ("read", "wanted"),
    [
        (pellucid.load, "not a safetensors file"),
        (read_npz, r"not a NumPy archive \(\.npz\)"),
        (TrainingState.load, "not a safetensors file"),
        (FilterHistory.load, "not a safetensors file"),
        (History.read_csv, "cannot be read as a history: it is|is not a history of a training"),
    ],
)
def test_every_reader_says_what_it_was_given(name, read, wanted, tmp_path):
    content, what, _ = KINDS[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=wanted) as refused:
        read(path)
    assert what in str(refused.value)


@pytest.mark.parametrize("name", ["a.png", "a.npz", "a.gz", "page.pth", "a.txt", "lfs.pth"])
def test_what_is_no_pickle_is_said_to_be_what_it_is(name, tmp_path):
    content, what, _ = KINDS[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileFormatError, match=rf"is {re.escape(what)}.*, not a pickle of a dict"):
        read_pickle(tmp_path / name)


@pytest.mark.parametrize("name", ["a.png", "a.npz", "page.pth", "params.pkl", "a.tar"])
def test_a_reader_of_images_says_it_too(name, tmp_path):
    content, what, _ = KINDS[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileFormatError, match=rf"not an IDX file.* It is {re.escape(what)}"):
        read_idx(tmp_path / name)
    if name != "a.png":
        with pytest.raises(FileFormatError, match=rf"is {re.escape(what)}.*, not PNG, JPEG"):
            read_image(tmp_path / name, (1, 8, 8))


def test_files_of_our_own_are_told_apart(tmp_path):
    save(SimpleConvNet((1, 8, 8), kernel_size=3), tmp_path / "m.safetensors")
    history = FilterHistory("conv1.weight")
    history.add(0, np.zeros((1, 1, 3, 3), np.float32))
    history.save(tmp_path / "f.safetensors")
    write_tensors(tmp_path / "w.safetensors", {"w": np.zeros(3)})
    with pytest.raises(FileFormatError, match=r"holds the filters of a run .* and no architecture"):
        pellucid.load(tmp_path / "f.safetensors")
    with pytest.raises(FileFormatError, match="holds weights but no architecture"):
        pellucid.load(tmp_path / "w.safetensors")
    with pytest.raises(FileFormatError, match="no state of a training: it is a model file of Pell"):
        TrainingState.load(tmp_path / "m.safetensors")
    with pytest.raises(
        FileFormatError, match="no filters of a training: it is a model file of Pel"
    ):
        FilterHistory.load(tmp_path / "m.safetensors")


def test_a_safetensors_file_whose_length_begins_as_a_pickle_does_is_no_pickle(tmp_path):
    path = tmp_path / "a"
    header = b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'.ljust(0x280)
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    assert path.read_bytes().startswith(b"\x80\2")
    assert describe_file(path) == "a safetensors file"
    assert read_tensors(path)[0]["w"].tolist() == [0]


def test_folders_and_pipes_are_called_so_and_nothing_waits(tmp_path):
    (tmp_path / "tf").mkdir()
    (tmp_path / "tf" / "saved_model.pb").write_bytes(b"\x08\x01")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model.safetensors").touch()
    os.mkfifo(tmp_path / "pipe")
    assert describe_file(tmp_path) == "a folder"
    assert describe_file(tmp_path / "tf") == "the folder of a TensorFlow SavedModel"
    assert describe_file(tmp_path / "run") == "a folder that holds model.safetensors"
    assert describe_file(tmp_path / "pipe").startswith("not a regular file but a pipe")
    with pytest.raises(FileFormatError, match="not a regular file but a pipe"):
        read_tensors(tmp_path / "pipe")


# PyTorch's files.


class Marked:
    """Leaves a mark where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


def _network(torch):
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))


def _write(torch, kind, path):
    model = _network(torch)
    state = model.state_dict()
    if kind in ("zip", "nested", "module"):
        torch.save(
            {"zip": state, "nested": {"epoch": 3, "state_dict": state}}.get(kind, model), path
        )
    elif kind in ("old", "old nested", "old module"):
        held = {"old": state, "old nested": {"model": state}}.get(kind, model)
        torch.save(held, path, _use_new_zipfile_serialization=False)
    elif kind == "script":
        torch.jit.script(model).save(str(path))
    else:
        path.write_bytes(pickle.dumps(model if kind == "pickled module" else state))
    return model


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("module", r"a whole PyTorch module \(a zip"),
        ("old module", r"a whole PyTorch module \(of PyTorch before 1\.6"),
        ("script", r"a TorchScript model \(torch\.jit\.save\)"),
        ("pickled module", "a pickle of a whole PyTorch module"),
        ("pickled tensors", "a pickle of PyTorch tensors"),
    ],
)
def test_the_advice_for_a_file_of_pytorch_turns_it_into_tensors(
    kind, what, torch, tmp_path, monkeypatch
):
    importlib.import_module("safetensors.torch")
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "it's weights.pth"
    model = _write(torch, kind, path)
    with pytest.raises(
        FileFormatError, match=rf"' is {what}.*, not a safetensors file\. In Py"
    ) as no:
        read_tensors(path)
    assert ("only if you trust" in str(no.value)) == ("module" in kind or kind == "pickled tensors")
    lines = [line.strip() for line in str(no.value).split("\n")[1:]]
    exec("\n".join(lines))
    arrays, _ = read_tensors(tmp_path / "it's weights.safetensors")
    assert set(arrays) == set(model.state_dict())
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(arrays[key], value.numpy())


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("zip", "a PyTorch checkpoint (a zip archive with a pickle)"),
        ("nested", "a PyTorch checkpoint (a zip archive with a pickle)"),
        ("old", "a PyTorch checkpoint (of PyTorch before 1.6: pickles in a row)"),
        ("old nested", "a PyTorch checkpoint (of PyTorch before 1.6: pickles in a row)"),
    ],
)
def test_a_checkpoint_of_pytorch_is_told_to_whatever_reads_something_else_with_how_to_convert_it(
    kind, what, torch, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    path = Path("it's weights.pth")
    model = _write(torch, kind, path)
    assert describe_file(path) == what
    with pytest.raises(FileFormatError, match="Convert its weights: pellucid convert --raw ") as no:
        read_npz(path)
    command = shlex.split(str(no.value).rpartition(": ")[2])
    subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True, timeout=300)
    arrays, _ = read_tensors("it's weights.safetensors")
    assert set(arrays) == set(model.state_dict())
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(arrays[key], value.numpy())


def test_a_file_of_pytorch_0_1_is_told_from_other_tar_archives(tmp_path):
    with tarfile.open(tmp_path / "old.pth", "w") as archive:
        for name in ("sys_info", "pickle", "tensors", "storages"):
            archive.addfile(tarfile.TarInfo(name))
    with pytest.raises(
        FileFormatError, match=r"is a file of PyTorch 0\.1 \(a tar archive\), not a"
    ):
        read_tensors(tmp_path / "old.pth")


def test_nothing_in_a_pickle_runs_when_it_is_described(tmp_path, torch):
    mark = tmp_path / "mark"
    torch.save({"a": Marked(str(mark))}, tmp_path / "zip.pth")
    (tmp_path / "bare.pkl").write_bytes(pickle.dumps({"a": Marked(str(mark))}))
    for name in ("zip.pth", "bare.pkl"):
        describe_file(tmp_path / name)
        with pytest.raises(FileFormatError):
            read_tensors(tmp_path / name)
    assert not mark.exists()


def test_an_archive_with_a_checkpoint_inside_is_no_checkpoint(tmp_path, torch):
    inner = io.BytesIO()
    torch.save({"a": torch.zeros(3)}, inner)
    (tmp_path / "a.zip").write_bytes(_zip(weights_DOT_pth=inner.getvalue()))
    assert describe_file(tmp_path / "a.zip") == "a zip archive"


@pytest.mark.parametrize("length", [4, 30, 60, 100, 1000])
def test_a_zip_archive_that_is_cut_or_filled_with_noise_is_still_described(length, tmp_path, torch):
    whole = io.BytesIO()
    torch.save({"a": torch.zeros(300)}, whole)
    (tmp_path / "cut.pth").write_bytes(whole.getvalue()[:length])
    assert describe_file(tmp_path / "cut.pth").startswith(("a zip archive", "a PyTorch checkpoint"))
    rng = np.random.default_rng(length)
    for _ in range(20):
        noise = bytearray(whole.getvalue())
        for place in rng.integers(4, len(noise), 30):
            noise[place] = rng.integers(256)
        (tmp_path / "noise.pth").write_bytes(noise)
        assert describe_file(tmp_path / "noise.pth")


def test_names_and_first_lines_of_a_file_bring_no_control_characters_into_a_message(tmp_path):
    (tmp_path / "a.zip").write_bytes(_zip(**{"\x1b[31m_DOT_safetensors": b""}))
    (tmp_path / "a.txt").write_text("\t[31m hello \u202e there " * 20)
    for name in ("a.zip", "a.txt"):
        assert describe_file(tmp_path / name).isprintable()
        assert len(describe_file(tmp_path / name)) < 200


def test_only_a_bounded_part_of_a_large_file_is_read(tmp_path):
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.write(b"PK\3\4" + bytes(100))
        file.truncate(2**40)
    assert describe_file(path) == "a zip archive"
    json.dumps(describe_file(path))
