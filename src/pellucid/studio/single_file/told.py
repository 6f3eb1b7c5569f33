"""What a file is told of each layer: how it is computed, and how it reads its inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ...nn.parameter import Buffer
from ...nn.walk import Node
from ...standalone.program import Program
from ...typing import Shape
from ...viz.analysis.dependence import Axis, Reading, readings

__all__ = ["nodes", "with_state"]


def nodes(program: Program, nodes: Sequence[Node], shapes: Sequence[Shape]) -> list[dict[str, Any]]:
    """Return for each value what it reads, and how it is computed."""
    found: list[dict[str, Any]] = [{"reads": [], "readings": [], "line": None, "shape": shapes[0]}]
    for made, node in enumerate(nodes, 1):
        number = program.values[made]
        line = None if number in program.values[:made] else program.lines[number - 1]
        read = tuple(shapes[k] for k in node.reads)
        found.append(
            {
                "reads": node.reads,
                "readings": [_axes(each) for each in readings(node.layer, read)],
                "line": None
                if line is None
                else {"name": line.function, "keys": line.keys, "options": line.options},
                "shape": shapes[made],
            }
        )
    return found


def with_state(
    program: Program, keys: Iterable[str], state: Mapping[str, Buffer]
) -> tuple[Program, dict[str, str]]:
    """Return the program with the arrays of a state that it has in another form; and their names.

    So has the third layer of LeNet-5: its program has a filter for every pair of maps.
    """
    weights, own = dict(program.weights), {}
    for key in keys:
        array, there = state[key].data, weights.get(key)
        if there is None or there.shape != array.shape or not np.array_equal(there, array):
            own[key] = f"{key} of the state"
            weights[own[key]] = array
    return program._replace(weights=weights), own


# How inputs are read --------------------------------------------------------------------------


def _axes(reading: Any) -> dict[str, Any]:
    """Return the axes of a reading as ``boxes.js`` has them; {} for copies."""
    if type(reading) is Reading:
        return {"axes": [_axis(axis) for axis in reading.axes], "kept": reading.kept}
    return {"everything": True} if isinstance(reading, Reading) else {}


def _axis(axis: Axis) -> Any:
    if axis.is_same:
        return "same"
    if axis.reads_all:
        return "every"
    cells, stride = list(axis.cells), float(axis.stride)
    (first, last), extent = cells[0], cells[0][1] - cells[0][0]
    step = cells[1][0] - first if len(cells) > 1 else int(stride)
    even = [(first + k * step, last + k * step) for k in range(len(cells))]
    if cells == even and stride == step and extent >= 0:
        return ["even", first, step, extent, axis.step]
    return ["cells", cells, axis.step, stride]
