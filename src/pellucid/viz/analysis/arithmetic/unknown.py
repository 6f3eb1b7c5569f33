"""What a unit reads, for layers whose arithmetic nobody has written down."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor

from ....nn import Layer
from ....receptive import ReceptiveField
from ....typing import Array, Shape
from .boxes import Box, Span
from .parts import Reading

__all__ = ["readings"]


def readings(
    layer: Layer,
    inputs: Sequence[Array],
    output: Array,
    unit: tuple[int, ...],
    reads: Sequence[int],
) -> list[Reading]:
    """Return the box that the unit reads of each input, as the layer itself answers.

    That is the unit's own place if the layer acts on each number alone, its own pixel if on each
    pixel alone, else the window of the receptive field; all of it where nothing is known.
    """
    shapes = [x.shape for x in inputs]
    parts = []
    for x, number in zip(inputs, reads, strict=True):
        box = _box(layer, shapes, x.shape, output.shape, unit)
        parts.append(
            Reading(
                name=type(layer).__name__,
                input=number,
                box=box,
                numbers=box.numbers(x),
                padded=box.padded(x.shape),
                result=float(output[unit]),
            )
        )
    return parts


def _box(
    layer: Layer, shapes: Sequence[Shape], shape: Shape, made: Shape, unit: tuple[int, ...]
) -> Box:
    everything = Box.whole(shape)
    if shape == made and layer.per_number:
        return Box.at(unit)
    if len(shape) != 3 or len(made) != 3:
        return everything
    if shape[1:] == made[1:] and layer.per_pixel:
        return Box((everything.spans[0], Span(unit[1]), Span(unit[2])))
    if type(layer).receptive_field is Layer.receptive_field:  # it has not been asked
        return everything
    try:
        field = layer.receptive_field(ReceptiveField(), *shapes)
    except Exception:  # of somebody's code: then nothing is known
        return everything
    if field.everything:
        return everything
    spans = []
    for axis in (0, 1):
        first = field.start[axis] + unit[1 + axis] * field.stride[axis]
        end = ceil(first + field.size[axis])
        spans.append(Span(floor(first), 1, end - floor(first)))
    return Box((everything.spans[0], *spans))
