"""Small files of ONNX for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.typing import Array

__all__ = ["model", "node", "run", "written"]


def node(text: str, **attributes: Any) -> Any:
    """Return a node of onnx: "Add a b -> y", with "_" for an input that is left out."""
    from onnx import helper

    left, right = text.split("->")
    op, *inputs = left.split()
    domain, _, op = op.rpartition(":")
    return helper.make_node(
        op,
        ["" if name == "_" else name for name in inputs],
        right.split(),
        name=right.split()[0],
        domain=domain,
        **attributes,
    )


def model(
    nodes: Sequence[Any],
    shape: Sequence[int | str],
    weights: Mapping[str, Any] | None = None,
    outputs: Sequence[str] = ("y",),
    opset: int = 17,
    **more: Any,
) -> Any:
    """Return a model of onnx with the input "x" of ``shape``, N first."""
    from onnx import helper, numpy_helper

    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", 1, shape)],
        [helper.make_tensor_value_info(name, 1, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(a), name) for name, a in (weights or {}).items()],
    )
    domains = {each.domain for each in nodes} - {""}
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in sorted(domains))]
    made = helper.make_model(graph, opset_imports=opsets, **more)
    made.ir_version = helper.find_min_ir_version_for(opsets[:1])
    if made.ir_version < 4:  # whose weights are inputs, too
        for each in graph.initializer:
            value = helper.make_tensor_value_info(each.name, each.data_type, each.dims)
            made.graph.input.append(value)
    return made


def written(made: Any, folder: Path, name: str = "model.onnx") -> Path:
    """Write a model; return its path."""
    path = folder / name
    path.write_bytes(made.SerializeToString())
    return path


def run(path: Path, x: Array) -> Any:
    """Return what onnxruntime makes of ``x``."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    made = session.run(None, {session.get_inputs()[0].name: x})
    return made[0] if len(made) == 1 else made
