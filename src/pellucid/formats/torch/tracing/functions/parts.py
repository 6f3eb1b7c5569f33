"""Functions that take parts of images."""

from __future__ import annotations

from ....onnx.importing.registry import Unsupported
from ..call import Call
from ..registry import translates
from ..values import Fixed, Images
from .activations import first

__all__: list[str] = []

END = 2**31


@translates(
    "aten.chunk", "aten.split", "aten.split_with_sizes", "aten.tensor_split", "aten.unsafe_chunk",
    "aten.unsafe_split",
)  # fmt: skip
def _split(call: Call) -> list[Images]:
    x = first(call)
    axis = x.at(call["dim"])
    made = call.node.meta["val"]
    sizes = [call.layout(k).sizes[axis - 1] for k in range(len(made))]
    if len(sizes) == 1:
        return [x]
    names = call.emit_several("Split", len(sizes), x.name, call.integers(sizes), axis=axis)
    return [call.made(name, k) for k, name in enumerate(names)]


@translates("aten.unbind")
def _unbind(call: Call) -> list[Images]:
    x = first(call)
    axis = x.at(call["dim"])
    return [
        call.made(call.emit("Gather", x.name, call.constant(k), axis=axis), k)
        for k in range(x.sizes[axis - 1])
    ]


@translates("aten.select")
def _select(call: Call) -> Images:
    x = first(call)
    axis = x.at(call["dim"])
    return call.made(call.emit("Gather", x.name, call.constant(int(call["index"])), axis=axis))


@translates("aten.slice")
def _slice(call: Call) -> Images:
    x, dim = first(call), call["dim"]
    start, end = call["start"], call["end"]
    if call.layout() == x.layout and call["step"] == 1:
        return x  # the whole axis
    axis = x.at(dim)
    ends = [END if end is None else min(int(end), END)]
    bounds = ([int(start or 0)], ends, [axis], [int(call["step"])])
    return call.made(call.emit("Slice", x.name, *map(call.integers, bounds)))


@translates("aten.narrow")
def _narrow(call: Call) -> Images:
    x = first(call)
    axis, start = x.at(call["dim"]), int(call["start"])
    bounds = ([start], [start + int(call["length"])], [axis], [1])
    return call.made(call.emit("Slice", x.name, *map(call.integers, bounds)))


@translates("aten.index_select")
def _index_select(call: Call) -> Images:
    x, index = first(call), call.fixed("index")
    assert index is not None
    return call.made(call.emit("Gather", x.name, call.constant(index), axis=x.at(call["dim"])))


@translates("aten.index")
def _index(call: Call) -> Images:
    x = first(call)
    given = [(dim, index) for dim, index in enumerate(call["indices"]) if index is not None]
    if len(given) != 1 or not isinstance(given[0][1], Fixed):
        raise Unsupported("it indexes several axes at once, or by what it computes from the images")
    ((dim, index),) = given
    if index.tensor.dtype.is_floating_point or str(index.tensor.dtype) == "torch.bool":
        raise Unsupported(f"its index is {index.tensor.dtype}; integers are read")
    return call.made(call.emit("Gather", x.name, call.constant(index), axis=x.at(dim)))


@translates("aten.flip")
def _flip(call: Call) -> Images:
    x = first(call)
    name = x.name
    for dim in call["dims"]:
        axis = x.at(dim)
        places = range(x.sizes[axis - 1])[::-1]
        name = call.emit("Gather", name, call.integers(places), axis=axis)
    return x.with_name(name)


@translates("aten.roll")
def _roll(call: Call) -> Images:
    """Say a cyclic shift: the last numbers of an axis go to its start."""
    x = first(call)
    name = x.name
    if not call["dims"]:
        raise Unsupported("it moves numbers over all axes, also that of the images")
    for shift, dim in zip(call["shifts"], call["dims"], strict=True):
        axis = x.at(dim)
        length = x.sizes[axis - 1]
        shift = int(shift) % length
        if shift:
            sizes = call.integers([length - shift, shift])
            start, end = call.emit_several("Split", 2, name, sizes, axis=axis)
            name = call.emit("Concat", end, start, axis=axis)
    return x.with_name(name)
