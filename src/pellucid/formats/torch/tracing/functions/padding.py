"""Padding with constants, and with the image's own pixels."""

from __future__ import annotations

from collections.abc import Sequence

from ....onnx.importing.registry import Unsupported
from ..call import Call
from ..registry import translates
from ..values import Images
from .activations import first

__all__: list[str] = []

_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge"}


def _padded(call: Call, pads: Sequence[int], mode: str, value: float | None) -> Images:
    """Pad the last axes: PyTorch lists both sides of the last one first."""
    x = first(call)
    before, after = [0] * (1 + len(x.sizes)), [0] * (1 + len(x.sizes))
    for k in range(len(pads) // 2):
        sides = int(pads[2 * k]), int(pads[2 * k + 1])
        if sides != (0, 0):
            axis = x.at(-1 - k)
            before[axis], after[axis] = sides
    if not any(before) and not any(after):
        return x
    if mode not in _MODES:
        raise Unsupported(f"its mode is {mode!r}; {', '.join(_MODES)} are read")
    inputs = [x.name, call.integers(before + after)]
    if value:
        inputs.append(call.constant(float(value)))
    return call.made(call.emit("Pad", *inputs, mode=_MODES[mode]))


@translates("aten.pad")
def _pad(call: Call) -> Images:
    return _padded(call, call["pad"], call["mode"], call["value"])


@translates("aten.constant_pad_nd")
def _constant_pad(call: Call) -> Images:
    return _padded(call, call["pad"], "constant", call["value"])


@translates("aten.reflection_pad1d", "aten.reflection_pad2d")
def _reflection_pad(call: Call) -> Images:
    return _padded(call, call["padding"], "reflect", None)


@translates("aten.replication_pad1d", "aten.replication_pad2d")
def _replication_pad(call: Call) -> Images:
    return _padded(call, call["padding"], "replicate", None)
