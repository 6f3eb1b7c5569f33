"""What a file is told of each layer: how it reads its inputs, and its arithmetic without numbers.

The formulas, names and keys are those of `pellucid.viz.analysis.arithmetic`, asked for one unit;
``arithmetic.js`` puts the numbers in.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np

from ...nn import Layer
from ...nn.walk import Node
from ...standalone.program import Line, Program
from ...typing import Array, Shape
from ...viz.analysis.arithmetic import arithmetic
from ...viz.analysis.dependence import Axis, Reading, readings

__all__ = ["nodes"]

# Functions whose weights `arithmetic.js` knows to find.
WEIGHTED = ("conv2d", "channel_linear", "linear", "locally_connected2d")
APART = 2.0  # how far from its kink a function is looked at, on either side
KEPT = ("form", "name", "text", "symbol", "operator", "weight")


def nodes(program: Program, nodes: Sequence[Node], shapes: Sequence[Shape]) -> list[dict[str, Any]]:
    """Return for each value what it reads, how it is computed, and what is said of that."""
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
                "told": _told(node, line, read, shapes[made]),
            }
        )
    return found


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


# The arithmetic -------------------------------------------------------------------------------


def _told(node: Node, line: Line | None, read: tuple[Shape, ...], shape: Shape) -> dict[str, Any]:
    """Return the arithmetic of a layer, without numbers."""
    bound = float(getattr(node.layer, "theta", 0))
    found = _asked(node, read, shape, bound + APART)
    told: dict[str, Any] = {
        name: found[name] for name in ("path", "kind", "repr", "equation", "symbols", "exact")
    }
    sums = [part for part in found["parts"] if part["form"] == "products"]
    if sums and (line is None or line.function not in WEIGHTED):
        return {**told, "exact": False, "parts": _readings(node.layer, read)}
    told["parts"] = _parts(found)
    if len(sums) > 1:  # as many as the maps that a filter sees: other ones for each filter
        units = ([o] + [0] * (len(shape) - 1) for o in range(shape[0]))
        told["each"] = [_parts(_asked(node, read, shape, 1, unit), several=True) for unit in units]
    if read == (shape,):
        below = _parts(_asked(node, read, shape, bound - APART))
        if below != told["parts"]:
            told |= {"below": below, "bound": bound}
    return told


def _asked(
    node: Node, read: tuple[Shape, ...], shape: Shape, x: float, unit: Sequence[int] | None = None
) -> dict[str, Any]:
    """Return the arithmetic of a unit where every input number is ``x``."""
    inputs: list[Array] = [np.broadcast_to(np.float32(x), each) for each in read]
    output = np.broadcast_to(np.float32(0), shape)
    place = [0] * len(shape) if unit is None else unit
    return arithmetic(node.layer, inputs, output, place, path=node.name).as_dict()


def _parts(found: dict[str, Any], several: bool = False) -> list[dict[str, Any]]:
    return [_part(part, several) for part in found["parts"]] or [{"form": "copy", "name": "y"}]


def _part(part: dict[str, Any], several: bool) -> dict[str, Any]:
    """Return a part without its numbers."""
    told = {key: part[key] for key in KEPT if part.get(key) is not None}
    if part["form"] == "reading":
        told["of"] = part["input"]
    if part["form"] == "products":
        told["im2col"] = part["im2col"] is not None
        if several:
            told |= {"channel": part["channels"][0], "lead": part["weight_index"]}
    if part["form"] == "reduction":
        told["steps"] = [_part(step, several) for step in part["steps"]]
    for key in ("terms", "numbers"):
        if isinstance(part.get(key), list):
            told[key] = [_number(each) for each in part[key]]
    return told


def _number(found: dict[str, Any]) -> dict[str, Any]:
    """Return where a number comes from: a key of the state, an input, or the number itself."""
    symbol = found.get("symbol", found.get("label"))
    if "key" in found:
        return {"symbol": symbol, "key": found["key"], "rank": len(found["index"])}
    if "input" in found:
        return {"symbol": symbol, "input": found["input"]}
    return {"symbol": symbol, "constant": found["value"] if isfinite(found["value"]) else None}


def _readings(layer: Layer, read: tuple[Shape, ...]) -> list[dict[str, Any]]:
    name = type(layer).__name__
    return [{"form": "reading", "name": name, "of": k} for k in range(len(read))]
