"""Hostile, damaged and foreign files of ONNX: refused in words, before memory is taken."""

from __future__ import annotations

import contextlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from formats.onnx_files import model, node, written
from pellucid.errors import ArgumentError, DataNotFoundError, FileFormatError
from pellucid.formats.onnx.importing import builder, from_onnx
from pellucid.formats.onnx.reading import read_onnx
from pellucid.formats.onnx.stored import functions, wire

onnx = pytest.importorskip("onnx")


def small() -> Any:
    """Return a convolution and a ReLU, with one weight."""
    weight = np.ones((2, 1, 3, 3), dtype=np.float32)
    nodes = [node("Conv x w -> maps"), node("Relu maps -> y")]
    return model(nodes, ["N", 1, 8, 8], {"w": weight})


# Not ONNX, or not all of it ----------------------------------------------------------------


def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    content = small().SerializeToString()
    for end in range(1, len(content), 3):
        path = tmp_path / "cut.onnx"
        path.write_bytes(content[:end])
        with pytest.raises(FileFormatError, match=r"cut\.onnx"):
            read_onnx(path)


def test_bytes_changed_anywhere_never_end_in_another_error(tmp_path: Path) -> None:
    content = small().SerializeToString()
    rng = np.random.default_rng(0)
    path = tmp_path / "changed.onnx"
    for _ in range(300):
        changed = bytearray(content)
        for at in rng.integers(0, len(content), size=3):
            changed[at] = rng.integers(256)
        path.write_bytes(changed)
        with contextlib.suppress(pellucid.PellucidError):
            from_onnx(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "an empty file, not an ONNX model"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "a PNG picture, not an ONNX model"),
        (bytes(1000), "a file of zeros only"),
        (np.random.default_rng(1).bytes(5000), "not an ONNX model|not a complete ONNX model"),
        (b"\x80\x02}q\x00.", "a pickle, not an ONNX model"),
        (b"hello, world\n" * 20, "a text file"),
        (b"\x08\x07", "a network without nodes"),
    ],
    ids=["empty", "picture", "zeros", "random", "pickle", "text", "nothing"],
)
def test_another_file_is_called_what_it_is(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=said):
        read_onnx(path)


def test_names_that_are_not_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(small().SerializeToString().replace(b"maps", b"ma\xffs"))
    with pytest.raises(FileFormatError, match=r"a name in it, b'ma.xffs', is not text in UTF-8"):
        read_onnx(path)


def test_a_folder_a_zip_archive_and_nothing_are_refused(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("model.onnx", small().SerializeToString())
    (tmp_path / "model.zip").write_bytes(packed.getvalue())
    for path, said in (
        (tmp_path, "a folder, not an ONNX model"),
        (tmp_path / "model.zip", "a zip archive, not an ONNX model"),
    ):
        with pytest.raises(FileFormatError, match=said):
            read_onnx(path)
    with pytest.raises(DataNotFoundError, match="there is no file"):
        read_onnx(tmp_path / "none.onnx")


def test_what_reads_models_says_that_an_onnx_file_must_be_imported(tmp_path: Path) -> None:
    path = written(small(), tmp_path)
    with pytest.raises(FileFormatError, match=r"is an ONNX model.* pellucid import .*model\.onnx"):
        pellucid.load(path)


# Sizes --------------------------------------------------------------------------------------


def _with_weight(change: Callable[[Any], None]) -> Any:
    made = small()
    change(made.graph.initializer[0])
    return made


def _huge(tensor: Any) -> None:
    tensor.dims[0] = 2**40


def _negative(tensor: Any) -> None:
    tensor.dims[0] = -2


def _overflowing(tensor: Any) -> None:
    tensor.dims[:] = [2**32, 2**32, 3, 3]


def _short(tensor: Any) -> None:
    tensor.raw_data = tensor.raw_data[:-1]


def _values(tensor: Any) -> None:
    tensor.ClearField("raw_data")
    tensor.float_data.extend([1.0] * 17)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_huge, r"'w' of shape \(1099511627776, 1, 3, 3\) needs 39,582,418,599,936 bytes, and"),
        (_overflowing, r"needs 664,082,786,653,543,858,176 bytes, and the file has 72"),
        (_negative, r"'w' has the shape \(-2, 1, 3, 3\)"),
        (_short, "needs 72 bytes, and the file has 71. Copy or download"),
        (_values, "needs 18 values, and the file has 17"),
        (lambda t: setattr(t, "data_type", 8), "has the data type string"),
        (lambda t: setattr(t, "data_type", 17), "has the data type float8e4m3fn"),
        (lambda t: setattr(t, "data_type", 99), "has the data type number 99"),
        (lambda t: t.segment.CopyFrom(onnx.TensorProto.Segment(begin=0, end=1)), "in segments"),
    ],
    ids=[
        "huge",
        "overflow",
        "negative",
        "short",
        "values",
        "text",
        "float8",
        "unknown",
        "segments",
    ],
)
def test_a_weight_that_does_not_fit_its_bytes_is_refused(
    tmp_path: Path, change: Callable[[Any], None], said: str
) -> None:
    path = written(_with_weight(change), tmp_path)
    with pytest.raises(FileFormatError, match=said):
        read_onnx(path)


def test_bfloat16_and_float16_weights_are_read_both_ways(tmp_path: Path) -> None:
    numbers = np.array([1.5, -2.0, 0.25], dtype=np.float32)
    made = model([node("Add x half -> a"), node("Add a brain -> y")], ["N", 3])
    bits = (numbers.view(np.uint32) >> 16).astype(np.uint16)
    half = onnx.TensorProto(name="half", data_type=10, dims=[3])
    half.int32_data.extend(numbers.astype(np.float16).view(np.uint16).tolist())
    brain = onnx.TensorProto(name="brain", data_type=16, dims=[3], raw_data=bits.tobytes())
    made.graph.initializer.extend([half, brain])
    constants = read_onnx(written(made, tmp_path)).constants
    assert constants["half"].dtype == np.float16
    np.testing.assert_array_equal(constants["half"], numbers)
    np.testing.assert_array_equal(constants["brain"], numbers)


@pytest.mark.parametrize(
    "nodes",
    [
        [node("ConstantOfShape big -> c"), node("Add x c -> y")],
        [node("Expand one big -> c"), node("Add x c -> y")],
        [node("Tile line big -> c"), node("Add x c -> y")],
        [node("Range zero many one_ -> c"), node("Add x c -> y")],
        [node("Gather one places -> c"), node("Add x c -> y")],
        [node("Add column row -> c"), node("Add x c -> y")],
        [node("MatMul column row -> c"), node("Add x c -> y")],
    ],
    ids=["ConstantOfShape", "Expand", "Tile", "Range", "Gather", "Add", "MatMul"],
)
def test_a_few_numbers_that_would_become_many_are_refused(tmp_path: Path, nodes: Any) -> None:
    many = np.ones(20_000, dtype=np.float32)
    weights = {
        "big": np.array([2**30]), "one": np.ones(1, dtype=np.float32), "zero": np.array(0),
        "line": np.ones(1, dtype=np.float32), "many": np.array(2**40), "one_": np.array(1),
        "column": many[:, None], "row": many[None],
    }  # fmt: skip
    if nodes[0].op_type == "Gather":
        weights["one"] = np.ones((1, 2**10), dtype=np.float32)
        weights["places"] = np.zeros(2**19, dtype=np.int8).astype(np.int32)
    path = written(model(nodes, ["N", 4], weights), tmp_path)
    with pytest.raises(ArgumentError, match="at most 268,435,456 numbers are"):
        from_onnx(path)


def test_constants_that_together_become_too_many_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = [node(f"Tile line times -> c{k}") for k in range(9)]
    nodes += [node("Add x c0 -> s0"), *(node(f"Add s{k} c{k + 1} -> s{k + 1}") for k in range(8))]
    weights = {"line": np.ones(100, dtype=np.float32), "times": np.array([10])}
    path = written(model(nodes, ["N", 1000], weights, outputs=["s8"]), tmp_path)
    from_onnx(path)
    monkeypatch.setattr(builder, "LARGEST", 2000)
    with pytest.raises(ArgumentError, match="have more than 4,000 numbers"):
        from_onnx(path)


def _part(field: int, content: bytes) -> bytes:
    """Return a field of a protocol buffer with a length and as many bytes."""
    length, rest = [], len(content)
    while rest > 0x7F:
        length.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([field << 3 | 2, *length, rest]) + content


def test_very_many_or_deeply_nested_parts_are_refused_before_they_are_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "many.onnx"
    monkeypatch.setattr(wire, "MOST_FIELDS", 40_000)
    path.write_bytes(b"\x08\x07" + _part(7, _part(1, b"") * 50_000))  # nodes of two bytes
    with pytest.raises(FileFormatError, match="it has more than 40,000 parts"):
        read_onnx(path)
    graph = b""
    for _ in range(40):
        graph = _part(1, _part(5, _part(6, graph)))  # a graph of a node with an attribute, a graph
    path.write_bytes(b"\x08\x07" + _part(7, graph))
    with pytest.raises(FileFormatError, match="nested more than 64 deep"):
        read_onnx(path)


def test_a_file_beyond_the_limit_of_protocol_buffers_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.write(b"\x08\x07")
        file.truncate(2**31)  # sparse: it takes no room
    with pytest.raises(FileFormatError, match=r"2,147,483,648 bytes; a protocol buffer has at"):
        read_onnx(path)


# Weights in other files ---------------------------------------------------------------------


def _external(folder: Path, **entries: object) -> Path:
    """Write a model whose weight is in another file, as ``entries`` say."""

    def elsewhere(tensor: Any) -> None:
        tensor.ClearField("raw_data")
        tensor.data_location = 1
        for key, value in entries.items():
            tensor.external_data.add(key=key, value=str(value))

    return written(_with_weight(elsewhere), folder)


def test_weights_in_another_file_are_read_when_asked_for(tmp_path: Path) -> None:
    numbers = np.arange(18, dtype=np.float32)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "w.bin").write_bytes(b"head" + numbers.tobytes() + b"tail")
    path = _external(tmp_path, location="weights/w.bin", offset=4, length=72)
    with pytest.raises(ArgumentError, match=r"in another file, 'weights/w\.bin'.*external_data=T"):
        read_onnx(path)
    read = read_onnx(path, external_data=True).constants["w"]
    np.testing.assert_array_equal(read.ravel(), numbers)


@pytest.mark.parametrize(
    "location",
    ["../w.bin", "a/../../w.bin", "/etc/passwd", "", "..\\w.bin", "C:\\w.bin", "a\0b", "link",
     "linked/w.bin"],
)  # fmt: skip
def test_weights_outside_of_the_folder_are_never_read(tmp_path: Path, location: str) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(72))
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "w.bin")
    (folder / "linked").symlink_to(tmp_path)
    path = _external(folder, location=location)
    with pytest.raises(FileFormatError, match=r"not in the file's own folder. Nothing was read"):
        read_onnx(path, external_data=True)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"location": "none.bin"}, "which is missing"),
        ({"location": "folder"}, "not a regular file"),
        ({"location": "w.bin", "offset": 4}, "72 bytes from byte 4 of 'w.bin', which has 72"),
        ({"location": "w.bin", "offset": -4}, "from byte -4"),
        ({"location": "w.bin", "length": 2**40}, "1,099,511,627,776 bytes from byte 0"),
        ({"location": "w.bin", "length": "many"}, "not a number"),
    ],
)
def test_weights_in_a_file_that_does_not_hold_them_are_refused(
    tmp_path: Path, entries: dict[str, Any], said: str
) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(72))
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileFormatError, match=said):
        read_onnx(_external(tmp_path, **entries), external_data=True)


# Graphs -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ([node("Add x b -> a"), node("Relu a -> b"), node("Relu b -> y")],
         "its nodes read each other in a cycle, through Relu 'b'"),
        ([node("Relu y -> y")], "in a cycle, through Relu 'y'"),
        ([node("Relu x -> y"), node("Tanh x -> y")],
         "the value 'y' is made twice, the second time by Tanh 'y'"),
        ([node("Relu x -> x"), node("Tanh x -> y")], "the value 'x' is made twice"),
        ([node("Relu x -> w"), node("Tanh w -> y")], "the value 'w' is made twice"),
        ([node("Add x z -> y")], "Add 'y' reads 'z', which nothing makes"),
        ([node("Relu x -> z")], "nothing makes its output 'y'"),
    ],
    ids=["circle", "itself", "twice", "input", "weight", "nothing", "output"],
)  # fmt: skip
def test_a_graph_that_contradicts_itself_is_refused(
    tmp_path: Path, nodes: list[Any], said: str
) -> None:
    path = written(model(nodes, ["N", 4], {"w": np.ones(4, dtype=np.float32)}), tmp_path)
    with pytest.raises(FileFormatError, match=said):
        read_onnx(path)


def test_nodes_in_any_order_are_sorted_and_long_chains_are_no_recursion(tmp_path: Path) -> None:
    chain = [node("Relu x -> v0"), *(node(f"Neg v{k} -> v{k + 1}") for k in range(3000))]
    made = model([*chain[::-1], node("Relu v3000 -> y")], ["N", 4])
    operations = read_onnx(written(made, tmp_path)).operations
    assert [operation.outputs[0] for operation in operations[:3]] == ["v0", "v1", "v2"]
    assert len(operations) == 3002


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: setattr(m.opset_import[0], "version", 6), r"version 6 .*; 7 to 28 are read. Co"),
        (lambda m: setattr(m.opset_import[0], "version", 99), "version 99.*an older opset"),
        (lambda m: m.opset_import.pop(), "does not say which version"),
        (lambda m: m.graph.output.pop(), "a network without outputs"),
        (lambda m: m.graph.initializer.append(m.graph.initializer[0]), "two tensors called 'w'"),
        (lambda m: m.graph.input.append(m.graph.input[0]), "two inputs called 'x'"),
        (lambda m: m.graph.sparse_initializer.add(), "sparse weights"),
        (lambda m: m.graph.input[0].type.sequence_type.elem_type.tensor_type.SetInParent(),
         "its input 'x' is not an array"),
    ],
)  # fmt: skip
def test_a_file_that_lacks_or_doubles_something_is_refused(
    tmp_path: Path, change: Callable[[Any], None], said: str
) -> None:
    made = small()
    change(made)
    with pytest.raises(FileFormatError, match=said):
        read_onnx(written(made, tmp_path))


# Functions ----------------------------------------------------------------------------------


def _function(name: str, *nodes: Any) -> Any:
    from onnx import helper

    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    return helper.make_function("own", name, ["a"], ["b"], list(nodes), opsets)


def test_functions_of_the_file_are_replaced_by_their_nodes(tmp_path: Path) -> None:
    twice = _function("Twice", node("Add a a -> c"), node("Relu c -> b"))
    made = model([node("own:Twice x -> t"), node("own:Twice t -> y")], ["N", 3], functions=[twice])
    network = from_onnx(written(made, tmp_path))
    x = np.array([[1.0, -1.0, 2.0]], dtype=np.float32)
    np.testing.assert_array_equal(network(x), [[4.0, 0.0, 8.0]])


def test_functions_that_call_themselves_are_refused(tmp_path: Path) -> None:
    pair = [_function("A", node("own:B a -> b")), _function("B", node("own:A a -> b"))]
    made = model([node("own:A x -> y")], ["N", 3], functions=pair)
    with pytest.raises(FileFormatError, match=r"its function '[AB]' calls itself"):
        read_onnx(written(made, tmp_path))


def test_functions_that_would_become_very_many_nodes_are_refused(tmp_path: Path) -> None:
    doubling = [
        _function(f"F{k}", node(f"own:F{k + 1} a -> c"), node(f"own:F{k + 1} c -> b"))
        for k in range(40)
    ]
    doubling.append(_function("F40", node("Relu a -> b")))
    made = model([node("own:F0 x -> y")], ["N", 3], functions=doubling)
    said = rf"become 1,099,511,627,776 nodes; at most {functions.MOST_NODES:,} are read"
    with pytest.raises(FileFormatError, match=said):
        read_onnx(written(made, tmp_path))
