"""Read an ONNX file into `Operations`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import DataNotFoundError, FileFormatError
from ...extras import extra
from ...nn.keys import shown
from ...typing import PathLike
from ..sniff import refusal
from .operations import Operations
from .stored import wire
from .stored.functions import inlined
from .stored.graphs import operations_of, require_text, shape_of, sorted_operations
from .stored.signatures import require_signatures
from .stored.tensors import Tensors

__all__ = ["NEWEST", "OLDEST", "read_onnx"]

OLDEST, NEWEST = 7, 28  # versions of ONNX's operators


def read_onnx(path: PathLike, *, external_data: bool = False) -> Operations:
    """Read a network in an ONNX file; needs the package onnx.

    The file is distrusted: its structure and the sizes of its arrays are checked against the bytes
    that are there before memory is taken.

    Parameters
    ----------
    path : str or path
    external_data : bool
        Whether to read weights in other files, which must be in the same folder.

    Raises
    ------
    DataNotFoundError, FileFormatError
        If there is no such file; if it is damaged, contradicts itself, or has another format.
    ArgumentError
        If it has weights in other files and ``external_data`` is off.
    MissingExtraError
        If onnx is not installed.
    """
    path = Path(path)
    if not path.exists():
        raise DataNotFoundError(f"there is no file '{path}'.")
    onnx = extra("onnx", "onnx", "reading ONNX files")
    model = inlined(_parsed(onnx, path), path)
    opset = _opset(model, path)
    tensors = Tensors(path, external_data=external_data)
    graph = model.graph
    if graph.sparse_initializer:
        raise FileFormatError(f"'{path}' has sparse weights; dense ones are read.")
    require_text(
        [*(tensor.name for tensor in graph.initializer), *(value.name for value in graph.output)],
        path,
    )
    constants = {}
    for tensor in graph.initializer:
        if tensor.name in constants:
            raise FileFormatError(f"'{path}' has two tensors called '{shown(tensor.name)}'.")
        constants[tensor.name] = tensors.array(tensor)
    inputs = {}
    for value in graph.input:
        if value.name in inputs:
            raise FileFormatError(f"'{path}' has two inputs called '{shown(value.name)}'.")
        if value.name not in constants:  # older files list the weights too
            inputs[value.name] = shape_of(value, path)
    outputs = [value.name for value in graph.output]
    if not outputs:
        raise FileFormatError(f"'{path}' is a network without outputs.")
    operations = operations_of(graph.node, tensors)
    require_signatures(graph.node, opset, path)
    operations = sorted_operations(operations, [*constants, *inputs], outputs, path)
    metadata = {str(entry.key): str(entry.value) for entry in model.metadata_props}
    pixels = {value.name for value in graph.input if value.name in inputs and _is_bytes(value)}
    if metadata.get("input", "").endswith("pixels from 0 to 255"):  # written by Pellucid
        pixels = set(inputs)
    return Operations(operations, inputs, outputs, constants, opset, metadata, pixels)


def _is_bytes(value: Any) -> bool:
    """Return whether an input has the data type of pictures, uint8, and their axes."""
    kind = value.type.tensor_type
    return kind.elem_type == 2 and len(kind.shape.dim) == 4


def _parsed(onnx: Any, path: Path) -> Any:
    """Return the file as onnx's message."""
    wanted = ("an ONNX model", "Give a file that a framework exported as ONNX.")
    if not path.is_file():
        raise FileFormatError(refusal(path, *wanted))
    if path.stat().st_size > wire.LARGEST_FILE:
        raise FileFormatError(
            f"'{path}' has {path.stat().st_size:,} bytes; a protocol buffer has at most "
            f"{wire.LARGEST_FILE:,}. Export it with weights in a file of their own."
        )
    content = path.read_bytes()
    try:
        wire.check(content)
    except wire.WireError as error:
        if content[:1] != b"\x08":
            raise FileFormatError(refusal(path, *wanted)) from None
        raise FileFormatError(
            f"'{path}' is not a complete ONNX model: {error}. Copy or download it again."
        ) from None
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's own errors differ by its implementation
        raise FileFormatError(f"'{path}' is not an ONNX model: {error}.") from None
    if not model.graph.node:
        if content[:1] != b"\x08":
            raise FileFormatError(refusal(path, *wanted))
        raise FileFormatError(f"'{path}' is a network without nodes.")
    return model


def _opset(model: Any, path: Path) -> int:
    """Return the version of ONNX's operators in a file."""
    versions = [each.version for each in model.opset_import if each.domain in ("", "ai.onnx")]
    if not versions:
        raise FileFormatError(f"'{path}' does not say which version of ONNX's operators it uses.")
    opset = int(max(versions))
    if not OLDEST <= opset <= NEWEST:
        advice = (
            "Convert it: onnx.version_converter.convert_version(onnx.load(path), 13)."
            if opset < OLDEST
            else "Export it for an older opset."
        )
        raise FileFormatError(
            f"'{path}' uses version {opset} of ONNX's operators; {OLDEST} to {NEWEST} are read. "
            f"{advice}"
        )
    return opset
