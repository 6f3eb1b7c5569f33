"""Files of torch.save, read without PyTorch and compared with what was saved."""

from __future__ import annotations

import argparse
import collections
import io
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

import pellucid
from pellucid.errors import DataNotFoundError, FileFormatError
from pellucid.formats import read_tensors, write_tensors
from pellucid.formats.torch.reading import read_torch
from pellucid.formats.torch.writing import to_torch, write_torch
from pellucid.nn import BatchNorm2d, Conv2d, Linear, QuantizedLinear, Sequential


def _module(torch):
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))


def _checkpoint(torch):
    """Return what trainings save: weights, their average, the optimizer, settings."""
    model = _module(torch)
    optimizer = torch.optim.Adam([{"params": [p]} for p in model.parameters()])
    model(torch.ones(2, 1, 4, 4)).sum().backward()
    optimizer.step()
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 5])
    return model, {
        "epoch": 3,
        "args": argparse.Namespace(lr=0.1, path=Path("x")),
        "best": np.float64(0.5),
        "losses": [torch.tensor(1.5), 2],
        "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(),
        "state_dict_ema": {k: v + 1 for k, v in model.state_dict().items()},
        "state_dict": model.state_dict(),
        "seen": {1, 2},
        "counts": collections.defaultdict(list, a=[1]),
    }


def _same(arrays, state):
    assert list(arrays) == list(state)
    for key, value in state.items():
        np.testing.assert_array_equal(arrays[key], value.detach().numpy(), strict=True)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_state_dict_is_read_as_it_was_saved(zipped, protocol, torch, tmp_path):
    state = _module(torch).state_dict()
    path = tmp_path / "a.pth"
    torch.save(state, path, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    arrays, metadata = read_tensors(path)
    _same(arrays, state)
    assert metadata == {}
    assert all(a.flags.writeable and a.flags.c_contiguous for a in arrays.values())


@pytest.mark.parametrize("zipped", [True, False])
def test_the_weights_are_found_in_the_checkpoint_of_a_training(zipped, torch, tmp_path):
    model, saved = _checkpoint(torch)
    path = tmp_path / "a.pth"
    torch.save(saved, path, _use_new_zipfile_serialization=zipped)
    arrays, notes = read_torch(path)
    _same(arrays, model.state_dict())
    assert notes == [
        "taken from 'state_dict'; there are also tensors in 'state_dict_ema'",
        "the state of the optimizer is left out",
    ]
    averaged, _ = read_torch(path, under="state_dict_ema")
    _same(averaged, saved["state_dict_ema"])
    with pytest.raises(FileFormatError, match="no tensors under 'ema'; there are under 'state_dic"):
        read_torch(path, under="ema")


def one():
    import torch

    return torch.ones(1)


@pytest.mark.parametrize(
    ("wrap", "note"),
    [
        (lambda s: {"model": s}, "taken from 'model'"),
        (lambda s: {"model_state_dict": s, "loss": 1.0}, "taken from 'model_state_dict'"),
        (lambda s: {"anything": s}, "taken from 'anything'"),
        (lambda s: {"a": {"b": {"state_dict": s}}}, "taken from 'a.b.state_dict'"),
        (lambda s: (s, {"lr": 0.1}), "taken from '0'"),
        (lambda s: {"model_ema": s}, "taken from 'model_ema'"),
        (lambda s: dict(s, epoch=3), "left out, as they are not tensors: 'epoch'"),
        *(
            (lambda s, key=key: {key: s, "loss": one(), "mean": one()}, f"taken from '{key}'")
            for key in ("model", "anything")
        ),
    ],
)
def test_what_wraps_the_weights_is_said(wrap, note, torch, tmp_path):
    state = _module(torch).state_dict()
    torch.save(wrap(state), tmp_path / "a.pth")
    arrays, notes = read_torch(tmp_path / "a.pth")
    _same(arrays, state)
    assert notes == [note]
    assert read_tensors(tmp_path / "a.pth")[1] == {"notes": note}


def test_tensors_of_an_optimizer_are_not_even_read(torch, tmp_path):
    model, saved = _checkpoint(torch)
    torch.save({k: saved[k] for k in ("state_dict", "optimizer")}, tmp_path / "a.pth")
    with (
        zipfile.ZipFile(tmp_path / "a.pth") as archive,
        zipfile.ZipFile(tmp_path / "b.pth", "w") as less,
    ):
        for name in archive.namelist():
            number = name.rpartition("/data/")[2]
            if not number.isdigit() or int(number) < len(model.state_dict()):
                less.writestr(name, archive.read(name))
    _same(read_torch(tmp_path / "b.pth").arrays, model.state_dict())


DTYPES = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16",
          "uint32", "bool")  # fmt: skip


@pytest.mark.parametrize(
    ("name", "zipped"),
    # The older format has no storage of uint16 and uint32.
    [(n, z) for n in DTYPES for z in (True, False) if z or n not in ("uint16", "uint32")],
)
def test_numbers_of_any_dtype_are_read(name, zipped, torch, tmp_path):
    values = torch.tensor([[0, 1, 100], [1, 0, 7]]).to(getattr(torch, name))
    torch.save({"x": values}, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    (x,) = read_torch(tmp_path / "a.pth").arrays.values()
    np.testing.assert_array_equal(x, values.numpy(), strict=True)


def test_bfloat16_becomes_float32_exactly_and_it_is_said(torch, tmp_path):
    every = torch.arange(2**16, dtype=torch.int32).to(torch.int16).view(torch.bfloat16)
    torch.save({"x": every, "y": torch.ones(2)}, tmp_path / "a.pth")
    arrays, notes = read_torch(tmp_path / "a.pth")
    np.testing.assert_array_equal(arrays["x"], every.float().numpy(), strict=True)
    assert notes == ["converted from bfloat16 to float32: 1 tensor"]


@pytest.mark.parametrize("zipped", [True, False])
def test_views_of_shared_storages_are_read_as_they_are(zipped, torch, tmp_path):
    base = torch.arange(24.0)
    saved = {
        "transposed": base.reshape(4, 6).T,
        "part": base[5:11],
        "every third": base[1::3],
        "one": base[7],
        "repeated": base[:2].reshape(2, 1).expand(2, 5),
        "empty": base[:0],
        "channels last": base.reshape(1, 2, 3, 4).to(memory_format=torch.channels_last),
        "parameter": torch.nn.Parameter(base[2:4]),
    }
    torch.save(saved, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    _same(read_torch(tmp_path / "a.pth").arrays, saved)


@pytest.mark.filterwarnings("ignore:.*quantize:UserWarning", "ignore:Sparse:UserWarning")
def test_tensors_that_are_not_read_are_named_all_at_once(torch, tmp_path):
    saved = {
        "a": torch.zeros(3).to_sparse(),
        "b": torch.zeros(2, dtype=torch.complex64),
        "c": torch.zeros(2).to(torch.float8_e5m2),
        "d": torch.zeros(2, device="meta"),
        "e": torch.zeros(2).to(torch.float8_e5m2),
        "fine": torch.zeros(2),
    }
    torch.save(saved, tmp_path / "a.pth")
    with pytest.raises(
        FileFormatError,
        match="'a' is a sparse tensor; 'b' is of complex64; 'c' is of float8_e5m2 and 1 more; "
        r"'d' is a tensor without numbers \(meta\)\. Convert them where they were written",
    ):
        read_torch(tmp_path / "a.pth")
    torch.save({"q": torch.quantize_per_tensor(torch.ones(3), 1.0, 0, torch.qint8)},
               tmp_path / "q.pth")  # fmt: skip
    with pytest.raises(FileFormatError, match="'q' is a quantised tensor"):
        read_torch(tmp_path / "q.pth")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda torch: torch.zeros(3), "holds one tensor without a name"),
        (lambda torch: {"epoch": 3}, "no tensors by name, but a dict with the keys 'epoch'"),
        (lambda torch: {}, "an empty dict"),
        (lambda torch: 5, "no tensors by name, but 5"),
        (lambda torch: [torch.zeros(2)], "no tensors by name, but a list"),
        (lambda torch: {"net": torch.nn.Linear(2, 2)}, r"names torch\.nn\.modules\.linear\.Linear"),
    ],
)
def test_what_holds_no_weights_is_refused_with_what_it_holds(make, said, torch, tmp_path):
    torch.save(make(torch), tmp_path / "a.pth")
    with pytest.raises(FileFormatError, match=said):
        read_tensors(tmp_path / "a.pth")


def test_an_archive_that_was_packed_again_is_read(torch, tmp_path):
    state = {"x": torch.arange(1000.0), "y": torch.ones(3)}
    torch.save(state, tmp_path / "a.pth")
    with (
        zipfile.ZipFile(tmp_path / "a.pth") as archive,
        zipfile.ZipFile(tmp_path / "b.pth", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in archive.namelist():
            packed.writestr(name, archive.read(name))
    _same(read_torch(tmp_path / "b.pth").arrays, state)


def test_a_checkpoint_without_an_architecture_says_so(torch, tmp_path):
    torch.save({"x": torch.ones(3)}, tmp_path / "a.pth")
    with pytest.raises(FileFormatError, match=r"'.*a\.pth' holds weights but no architecture"):
        pellucid.load(tmp_path / "a.pth")


# Writing


def _network():
    rng = np.random.default_rng(0)
    return Sequential(
        conv=Conv2d(3, 4, (3, 2), rng=rng), bn=BatchNorm2d(4), fc=Linear(4, 2, rng=rng)
    )


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin"])
def test_pytorch_loads_what_is_written_as_weights_only(suffix, torch, tmp_path):
    model = _network()
    to_torch(model, tmp_path / f"a{suffix}")
    loaded = torch.load(tmp_path / f"a{suffix}", weights_only=True)
    assert type(loaded) is collections.OrderedDict
    _same(model.state_dict(), loaded)
    theirs = torch.nn.ModuleDict(
        {"conv": torch.nn.Conv2d(3, 4, (3, 2)), "bn": torch.nn.BatchNorm2d(4),
         "fc": torch.nn.Linear(4, 2)}
    )  # fmt: skip
    theirs.load_state_dict(loaded)
    mapped = torch.load(tmp_path / f"a{suffix}", weights_only=True, mmap=True)
    _same(model.state_dict(), mapped)
    _same(read_torch(tmp_path / f"a{suffix}").arrays, loaded)


def test_pytorch_loads_the_safetensors_file_that_is_written(torch, tmp_path):
    from safetensors.torch import load_file

    model = _network()
    pellucid.to_torch(model, tmp_path / "a.safetensors")
    loaded = load_file(tmp_path / "a.safetensors")
    assert set(loaded) == set(model.state_dict())
    _same(model.state_dict(), {key: loaded[key] for key in model.state_dict()})


def test_every_dtype_and_order_is_written(torch, tmp_path):
    arrays = {
        **{name: np.ones((2, 3), name) for name in DTYPES if name not in ("uint16", "uint32")},
        "transposed": np.arange(6.0).reshape(2, 3).T,
        "big": np.arange(3, dtype=">f4"),
        "number": np.float32(3),
        "empty": np.zeros((0, 3), np.float32),
    }
    write_torch(tmp_path / "a.pt", arrays)
    loaded = torch.load(tmp_path / "a.pt", weights_only=True)
    for key, value in arrays.items():
        np.testing.assert_array_equal(loaded[key].numpy(), value)
        assert (
            loaded[key].dtype
            == torch.from_numpy(np.array(value, value.dtype.newbyteorder("="))).dtype
        )
        assert loaded[key].is_contiguous()


def test_equal_weights_are_equal_files_and_numbers_are_aligned(tmp_path):
    for name in ("a.pt", "b.pt"):
        write_torch(tmp_path / name, {"x": np.ones(3), "y": np.ones(100)})
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.pt") as archive:
        for member in archive.infolist():
            head = member.header_offset
            begin = (tmp_path / "a.pt").read_bytes()[head : head + 30]
            lengths = [int.from_bytes(begin[k : k + 2], "little") for k in (26, 28)]
            assert (head + 30 + sum(lengths)) % 64 == 0


def test_what_pytorch_has_no_storage_for_is_not_written(tmp_path):
    with pytest.raises(pellucid.PellucidError, match="'x' has the dtype complex64, of which PyTor"):
        write_torch(tmp_path / "a.pt", {"x": np.ones(3, np.complex64)})
    with pytest.raises(pellucid.PellucidError, match=r"must end in \.pt, \.pth or \.safetensors"):
        to_torch(_network(), tmp_path / "a.onnx")
    small = Sequential(fc=QuantizedLinear(3, 2))
    with pytest.raises(pellucid.PellucidError, match="is quantized, and a state dict has no place"):
        to_torch(small, tmp_path / "a.pt")
    assert list(tmp_path.iterdir()) == []


# Weights in several files


def _shards(folder, arrays, kind="safetensors"):
    """Write arrays one to a file, and the index of them."""
    places = {}
    for number, (key, array) in enumerate(arrays.items(), 1):
        name = f"model-{number:05}-of-{len(arrays):05}.{kind}"
        (write_tensors if kind == "safetensors" else write_torch)(folder / name, {key: array})
        places[key] = name
    index = folder / ("model.safetensors.index.json" if kind == "safetensors"
                      else "pytorch_model.bin.index.json")  # fmt: skip
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": places}))
    return index


@pytest.mark.parametrize("kind", ["safetensors", "bin"])
@pytest.mark.parametrize("given", ["index", "folder"])
def test_weights_in_several_files_are_read_by_their_index_or_folder(given, kind, tmp_path):
    arrays = {"b": np.ones((2, 3), np.float32), "a": np.arange(3.0)}
    index = _shards(tmp_path, arrays, kind)
    found, metadata = read_tensors(index if given == "index" else tmp_path)
    assert list(found) == ["b", "a"]
    for key, array in arrays.items():
        np.testing.assert_array_equal(found[key], array, strict=True)
    assert metadata == {"notes": "from 2 files"}


def test_missing_files_are_named(tmp_path):
    index = _shards(tmp_path, {"a": np.ones(2), "b": np.ones(2), "c": np.ones(2)})
    (tmp_path / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(
        DataNotFoundError,
        match=r"1 of the 3 files that '.*json' names are missing: 'model-00002-of-00003\.safetens",
    ):
        read_tensors(index)


def test_a_file_that_lacks_a_tensor_of_the_index_is_refused(tmp_path):
    index = _shards(tmp_path, {"a": np.ones(2), "b": np.ones(2)})
    shutil.copy(
        tmp_path / "model-00001-of-00002.safetensors", tmp_path / "model-00002-of-00002.safetensors"
    )
    with pytest.raises(
        FileFormatError, match=r"lacks 'b', which the index 'model\.safetensors\.in"
    ):
        read_tensors(index)


@pytest.mark.parametrize(
    "name", ["../secret.safetensors", "/etc/passwd", "a/b.safetensors", "..", "", "c:x", "a\\b"]
)
def test_an_index_names_files_of_its_own_folder_only(name, tmp_path):
    write_tensors(tmp_path / "secret.safetensors", {"a": np.ones(2)})
    inside = tmp_path / "inside"
    inside.mkdir()
    index = inside / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(FileFormatError, match="which is not in its folder"):
        read_tensors(index)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "JSONDecodeError"),
        ('{"weight_map": {}}', "its weight_map names no tensors"),
        ('{"weight_map": {"a": 3}}', "does not say a file for each tensor"),
        ('{"weight_map": []}', "does not say a file for each tensor"),
        ("[]", "TypeError"),
        ("{}", "KeyError"),
        ("[" * 100_000, "RecursionError"),
    ],
)
def test_a_malformed_index_is_refused_with_what_it_must_hold(content, said, tmp_path):
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(content)
    with pytest.raises(FileFormatError, match=f'{said}.*"weight_map": '):
        read_tensors(index)


def test_a_file_in_memory_order_of_another_machine_is_read(torch, tmp_path):
    out = io.BytesIO()
    torch.save({"x": torch.arange(3.0), "n": torch.tensor(7)}, out)
    with zipfile.ZipFile(out) as archive, zipfile.ZipFile(tmp_path / "a.pth", "w") as big:
        for name in archive.namelist():
            content = archive.read(name)
            if name.endswith("byteorder"):
                content = b"big"
            elif name.endswith("/data/0"):
                content = np.arange(3, dtype=">f4").tobytes()
            elif name.endswith("/data/1"):
                content = np.array(7, ">i8").tobytes()
            big.writestr(name, content)
    arrays, _ = read_torch(tmp_path / "a.pth")
    np.testing.assert_array_equal(arrays["x"], np.arange(3, dtype=np.float32), strict=True)
    assert arrays["n"] == 7
