"""Functions that give the numbers of an image another shape or order."""

from __future__ import annotations

from ..call import Call
from ..registry import translates
from ..values import Images, layout_of
from .activations import first

__all__: list[str] = []


@translates(
    "aten.view", "aten.reshape", "aten._unsafe_view", "aten.flatten", "aten.unflatten",
    "aten.squeeze", "aten.unsqueeze", "aten.view_as", "aten.reshape_as",
)  # fmt: skip
def _reshape(call: Call) -> Images:
    x = first(call)
    layout = layout_of(call.node.meta["val"].shape)
    assert layout is not None
    return call.reshaped(x, layout)


@translates(
    "aten.permute", "aten.transpose", "aten.t", "aten.movedim", "aten.moveaxis", "aten.swapaxes",
    "aten.swapdims", "aten.numpy_T", "aten.mT", "aten.adjoint",
)  # fmt: skip
def _permute(call: Call) -> Images:
    x = first(call)
    layout = x.layout
    order = _order(call, layout.rank)
    shared = list(range(layout.dim, layout.axis + layout.several))  # sizes that lie with N
    places: list[int] = []
    for dim in order:
        places += shared if dim == layout.dim else [layout.place(dim)]
    axis = order.index(layout.dim) + layout.before
    sizes = tuple(layout.sizes[place] for place in places)
    made = layout._replace(sizes=sizes, axis=axis)
    if places == sorted(places):
        return Images(x.name, made)
    perm = [0, *(place + 1 for place in places)]
    return Images(call.emit("Transpose", x.name, perm=perm), made)


def _order(call: Call, rank: int) -> list[int]:
    """Return which axis goes to each place, by asking the function itself."""
    import torch

    whole = torch.empty([2] * rank, device="meta")
    args = [whole, *call.node.args[1:]]
    made = call.node.target(*args, **call.node.kwargs)
    strides = list(whole.stride())
    return [strides.index(stride) for stride in made.stride()]


@translates("aten.expand", "aten.expand_as")
def _expand(call: Call) -> Images:
    x, layout = first(call), call.layout()
    name = call.operand(x, layout)
    missing = layout.rank - x.layout.rank
    if (1,) * missing + x.sizes == layout.sizes:
        return Images(name, layout)
    return Images(call.emit("Expand", name, call.integers([1, *layout.sizes])), layout)


@translates("aten.repeat", "aten.tile")
def _repeat(call: Call) -> Images:
    x, layout = first(call), call.layout()
    name = call.operand(x, layout)
    times = [int(t) for t in call["repeats" if "repeats" in call.arguments else "dims"]]
    for dim, count in enumerate([1] * (layout.rank - len(times)) + times):
        if count > 1:
            axis = 1 + layout.place(dim)
            name = call.emit("Concat", *[name] * count, axis=axis)
    return Images(name, layout)


@translates("aten.pixel_shuffle")
def _pixel_shuffle(call: Call) -> Images:
    x = call.batch("self")
    r = int(call["upscale_factor"])
    return call.made(call.emit("DepthToSpace", x.name, blocksize=r, mode="CRD"))


@translates("aten.pixel_unshuffle")
def _pixel_unshuffle(call: Call) -> Images:
    x = call.batch("self")
    r = int(call["downscale_factor"])
    return call.made(call.emit("SpaceToDepth", x.name, blocksize=r, mode="CRD"))
