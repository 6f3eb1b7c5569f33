"""onnx's own tests of its operators, which its package has: each is imported, run and compared.

A test's first input takes the place of the images, and its first axis that of N; all other inputs
are constants, or come from the images too: once so, once so, until one of the two can be imported.
What acts along the first axis is refused, as are numbers of other kinds.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.errors import PellucidError
from pellucid.formats.onnx.importing import network_of
from pellucid.formats.onnx.importing.registry import CONVERTERS
from pellucid.formats.onnx.reading import read_onnx

onnx = pytest.importorskip("onnx")

# Operators that onnx does not test, or with other kinds of numbers.
WITHOUT_TESTS = {"Cast", "GlobalLpPool"}
# Of these outputs the first alone is compared: statistics, masks, and places.
ONE_OUTPUT = {"LayerNormalization", "Dropout", "MaxPool"}
# Dropout's tests of training draw at random, and onnxruntime too rounds the length of a resized
# image before the corners are aligned.
UNLIKE = r"training_dropout|resize_downsample_scales_(linear|cubic)_align_corners"
OF_ALL_IMAGES = (
    r"along axis 0, that of the images|mixes the numbers of several images|must be the first axis"
    r"|differs from image to image|slides over 3 axes|one number of all images"
    r"|the images and another axis as one"
)
REFUSALS = {
    "BatchNormalization": "training_mode is 1",
    "Concat": "joins images",
    "Gemm": "transA is 1",
    "Identity": "is not an array",
    "MatMul": "one matrix is read|images are single numbers",
    "Pow": "one number is read",
    "Resize": "tf_crop_and_resize",
    "Slice": "an empty part",
    **dict.fromkeys(
        ("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMin",
         "ReduceSum", "ReduceSumSquare"), r"received \(0, 4\)",
    ),
}  # fmt: skip


@cache
def _cases() -> dict[str, list[Any]]:
    """Return onnx's tests by operator: of floating-point numbers, and of one node."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = collect_testcases(None)
    found: dict[str, list[Any]] = {}
    for case in cases:
        if case.model is not None and len(case.model.graph.node) == 1:
            given = case.data_sets[0][0]
            if given and getattr(given[0], "dtype", np.dtype(bool)).char in "efd":
                found.setdefault(case.model.graph.node[0].op_type, []).append(case)
    return found


def _joined(model: Any, arrays: list[Any]) -> tuple[Any, Any, dict[str, Any]] | None:
    """Return the test's model with all inputs cut out of one row of numbers of each image."""
    from onnx import helper, numpy_helper

    alike = [
        k
        for k, a in enumerate(arrays)
        if a.ndim and len(a) == len(arrays[0]) and a.dtype.kind == "f"
    ]
    if len(alike) < 2:
        return None
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph, nodes, at = made.graph, [], 0
    names = [value.name for value in graph.input]
    for k in alike:
        size = arrays[k][0].size
        for name, value in (
            (f"start{k}", [at]),
            (f"end{k}", [at + size]),
            (f"axis{k}", [1]),
            (f"shape{k}", [-1, *arrays[k].shape[1:]]),
        ):
            graph.initializer.append(numpy_helper.from_array(np.array(value), name))
        nodes += [
            helper.make_node("Slice", ["rows", f"start{k}", f"end{k}", f"axis{k}"], [f"cut{k}"]),
            helper.make_node("Reshape", [f"cut{k}", f"shape{k}"], [names[k]]),
        ]
        at += size
    nodes += list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)
    others = [value for k, value in enumerate(graph.input) if k not in alike]
    del graph.input[:]
    graph.input.append(helper.make_tensor_value_info("rows", 1, ["N", at]))
    graph.input.extend(others)
    rows = np.concatenate([arrays[k].reshape(len(arrays[k]), -1) for k in alike], axis=1)
    return made, rows, {names[k]: a for k, a in enumerate(arrays) if k not in alike}


def _ways(case: Any, inputs: list[Any]) -> Iterator[tuple[Any, Any, dict[str, Any]]]:
    names = [value.name for value in case.model.graph.input]
    yield case.model, inputs[0], dict(zip(names[1:], inputs[1:], strict=True))
    if (joined := _joined(case.model, inputs)) is not None:
        yield joined


def _compare(case: Any, folder: Path) -> str:
    """Return why the test was refused; "" if it passed."""
    reason = ""
    node = case.model.graph.node[0]
    if node.op_type in ONE_OUTPUT:
        del case.model.graph.output[1:], node.output[1:]
    for inputs, outputs in case.data_sets:
        arrays = [np.asarray(array) for array in inputs]
        for model, images, values in _ways(case, arrays):
            onnx.save(model, folder / "model.onnx")
            try:
                network = network_of(
                    read_onnx(folder / "model.onnx"), input_shape=images.shape[1:], values=values
                )
            except PellucidError as error:
                reason = reason or str(error)
                continue
            made = network(images.astype(np.float32))
            made = made if isinstance(made, tuple) else (made,)
            for y, wanted in zip(made, outputs[: len(made)], strict=True):
                assert y.shape == wanted.shape, case.name
                coarse = max(case.rtol, 2 * float(np.finfo(wanted.dtype).eps))
                np.testing.assert_allclose(y, wanted, coarse, 1e-5, err_msg=case.name)
            return ""
    return reason


@pytest.mark.parametrize(
    "operator", sorted({op for domain, op in CONVERTERS if not domain} - WITHOUT_TESTS)
)
def test_what_onnx_tests_of_an_operator_passes_or_mixes_images(
    operator: str, tmp_path: Path
) -> None:
    refused, passed = {}, 0
    for case in _cases()[operator]:
        if not re.search(UNLIKE, case.name):
            reason = _compare(case, tmp_path)
            passed += not reason
            refused |= {case.name: reason} if reason else {}
    assert passed, f"none of {len(refused)} tests passes"
    known = "|".join([OF_ALL_IMAGES, *filter(None, [REFUSALS.get(operator)])])
    unlike = {name: said for name, said in refused.items() if not re.search(known, said)}
    assert not unlike
