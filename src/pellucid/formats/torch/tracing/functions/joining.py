"""Functions that join images."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ....onnx.importing.registry import Unsupported
from ..call import Call
from ..registry import translates
from ..values import MIXES, Images, Layout

__all__: list[str] = []


@translates("aten.cat", "aten.concat", "aten.concatenate")
def _cat(call: Call) -> Images:
    first = next(each for each in call["tensors"] if isinstance(each, Images))
    axis = first.at(int(call["dim"]))
    layout = first.layout
    return call.made(_joined(call, call["tensors"], layout, axis))


@translates("aten.stack")
def _stack(call: Call) -> Images:
    layout = call.layout()
    if not layout.plain:
        raise Unsupported("it stacks parts of images")
    place = layout.place(int(call["dim"]))
    one = layout._replace(sizes=(*layout.sizes[:place], 1, *layout.sizes[place + 1 :]))
    sizes = (*layout.sizes[:place], *layout.sizes[place + 1 :])
    before = layout._replace(sizes=sizes, axis=layout.axis - (place < layout.dim))
    parts = []
    for value in call["tensors"]:
        if not isinstance(value, Images):
            value = value.of_one_image()
            value = replace(value, tensor=value.tensor.unsqueeze(int(call["dim"])))
        elif value.layout != before:
            raise Unsupported(MIXES)
        else:
            value = Images(call.shaped(value.name, one.sizes), one)
        parts.append(value)
    return call.made(_joined(call, parts, layout, place + 1))


@translates("aten.slice_scatter")
def _slice_scatter(call: Call) -> Images:
    """Say images with a part replaced, which is what a change of a part in place means."""
    x, part, dim = call["self"], call["src"], int(call["dim"])
    if not isinstance(x, Images) or not isinstance(part, Images) or call["step"] != 1:
        raise Unsupported("it replaces every other part, or a part of a constant or by one")
    if part.layout == x.layout:
        return part  # the whole axis
    axis = x.at(dim)
    length = x.sizes[axis - 1]
    start, end, _ = slice(call["start"], call["end"]).indices(length)
    names = [part.name]
    for a, b, at in ((0, start, 0), (end, length, 1)):
        if a < b:
            bounds = map(call.integers, ([a], [b], [axis], [1]))
            names.insert(at * len(names), call.emit("Slice", x.name, *bounds))
    name = names[0] if len(names) == 1 else call.emit("Concat", *names, axis=axis)
    return x.with_name(name)


def _joined(call: Call, values: list[Any], layout: Layout, axis: int) -> str:
    names = []
    for value in values:
        if isinstance(value, Images):
            if not value.layout.meets(layout):
                raise Unsupported(f"the axes of its images do not meet: {MIXES}")
            names.append(value.name)
        elif not layout.plain:
            raise Unsupported("it joins a constant with parts of images")
        else:
            one = value.of_one_image()
            names.append(call.constant(replace(one, tensor=one.tensor.movedim(layout.axis, 0))))
    return names[0] if len(names) == 1 else call.emit("Concat", *names, axis=axis)
