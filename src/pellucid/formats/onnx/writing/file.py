"""Operators as a file of ONNX: checked as a whole before it has the name that was asked for."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from .... import __version__
from ....errors import ArgumentError
from ....extras import extra
from ....nn import Layer
from ..operations import Operation
from .network import Written

__all__ = ["OLDEST", "checked", "newest_opset", "require_opset"]

OLDEST = 7  # before it, arithmetic did not broadcast as NumPy does
LARGEST = 2**31 - 2**22  # bytes of weights: protobuf's limit for a file, less room for the graph
OWN_WEIGHTS = 4  # of the format's versions, the first in which weights are not inputs, too


def newest_opset() -> int:
    """Return the newest opset that the installed onnx knows."""
    newest: int = _onnx().defs.onnx_opset_version()
    return newest


def require_opset(opset: object) -> int:
    """Return ``opset``.

    Raises
    ------
    ArgumentError
        If it is not one that can be written.
    """
    newest = newest_opset()
    whole = isinstance(opset, int | np.integer) and not isinstance(opset, bool)
    if not whole or not OLDEST <= opset <= newest:  # type: ignore[operator]
        raise ArgumentError(
            f"must be a version of ONNX's operators from {OLDEST} to {newest}, the newest that the "
            f"installed onnx knows; received {opset!r}.",
            where="opset",
        )
    return int(opset)  # type: ignore[call-overload]


def checked(model: Layer, written: Written) -> bytes:
    """Return the bytes of the file, once onnx's checker and its shape inference accept them.

    Raises
    ------
    ArgumentError
        If they do not, as a layer's own writer may be wrong; if the file would be too large.
    """
    size = sum(array.nbytes for array in written.operations.constants.values())
    if size > LARGEST:
        raise ArgumentError(
            f"a file of ONNX holds less than 2 GB, and the weights have {size / 1e9:.2f} GB. "
            "Convert them to half the size first (`model.astype(np.float32)`, or np.float16 where "
            "the runtime has it), or keep the model in safetensors.",
            where="to_onnx",
        )
    onnx = _onnx()
    proto = _model(model, written)
    data: bytes = proto.SerializeToString(deterministic=True)
    del proto  # or the weights would be in memory three times
    try:
        onnx.checker.check_model(data, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ArgumentError(
            "made operators that onnx's checker refuses, so nothing was written. If a layer of "
            f"yours registers what writes it, look there. The checker says: {error}",
            where="to_onnx",
        ) from error
    return data


def _onnx() -> Any:
    onnx = extra("onnx", "onnx", "writing a file of ONNX")
    for part in ("checker", "defs", "helper", "numpy_helper", "shape_inference"):
        extra(f"onnx.{part}", "onnx", "writing a file of ONNX")
    return onnx


def _model(model: Layer, written: Written) -> Any:
    """Return the message that the file holds."""
    onnx = _onnx()
    helper, operations = onnx.helper, written.operations
    opsets = [helper.make_opsetid("", operations.opset)]
    version = helper.find_min_ir_version_for(opsets)
    constants = [
        onnx.numpy_helper.from_array(np.asarray(array, order="C"), name)
        for name, array in operations.constants.items()
    ]
    inputs = [
        _end(name, written.input_dtype, shape, written.input_text)
        for name, shape in operations.inputs.items()
    ]
    if version < OWN_WEIGHTS:
        inputs += [
            _end(name, array.dtype, array.shape, "a constant")
            for name, array in operations.constants.items()
        ]
    outputs = [
        _end(name, written.dtype, ("N", *shape), "") for name, shape in written.outputs.items()
    ]
    graph = helper.make_graph(
        [_node(operation) for operation in operations.operations],
        type(model).__name__,
        inputs,
        outputs,
        constants,
        doc_string=_doc(model),
    )
    proto = helper.make_model(
        graph,
        opset_imports=opsets,
        ir_version=version,
        producer_name="pellucid",
        producer_version=__version__,
        doc_string=_doc(model),
    )
    helper.set_model_props(proto, _metadata(model, written) | operations.metadata)
    return proto


def _node(operation: Operation) -> Any:
    onnx = _onnx()
    attributes = {
        key: onnx.helper.np_dtype_to_tensor_dtype(value) if isinstance(value, np.dtype) else value
        for key, value in operation.attributes.items()
    }
    return onnx.helper.make_node(
        operation.op,
        operation.inputs,
        operation.outputs,
        name=operation.name,
        domain=operation.domain,
        **attributes,
    )


def _end(name: str, dtype: Any, shape: Any, text: str) -> Any:
    helper = _onnx().helper
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return helper.make_tensor_value_info(name, kind, shape, doc_string=text)


def _doc(model: Layer) -> str:
    trained = f", trained on {model.card.dataset}" if model.card is not None else ""
    return f"{type(model).__name__}{trained}; written by Pellucid {__version__}"


def _metadata(model: Layer, written: Written) -> dict[str, str]:
    """Return what the file says of the model besides the graph: text by key."""
    said = {"input": written.input_text}
    card = model.card
    if card is not None:
        said["dataset"] = card.dataset
        said["classes"] = json.dumps(card.classes, ensure_ascii=False)
        if card.preparation is not None:
            said["preparation"] = json.dumps(card.preparation.as_dict())
    return said
