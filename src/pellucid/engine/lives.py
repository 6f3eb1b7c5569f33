"""When each buffer of a plan is in use.

Time counts the calls of steps. Of S steps, forward calls step s at time s, and backward at time
2S - 1 - s:

    step       0  1  2  |  2  1  0
    time       0  1  2  |  3  4  5
    y of 0     ----                     if no backward reads it
    y of 0     -------------------      if that of step 0 does, as of a ReLU
    dx of 2                ----         until the backward of step 1 has read it
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from ..typing import Shape
from .reserved import Reserved, Use
from .step import Step

__all__ = ["Life", "gradient_sums", "lives"]

Span = tuple[int, int]


class Life(NamedTuple):
    """The times, first and last, at which a buffer is in use.

    ``apart``: it may be read after the call, and until the next one overwrites it.
    """

    spans: tuple[Span, ...]
    apart: bool = False


def gradient_sums(
    steps: Sequence[Step], outputs: Sequence[int], input_shape: Shape, images: int
) -> dict[int, Reserved]:
    """Return room for the gradients of the values that several steps, or also the caller, read."""
    shapes = [input_shape, *(step.output_shape for step in steps)]
    readings = Counter([*(k for step in steps for k in step.reads), *outputs])
    return {
        k: Reserved(Use.GRADIENT, (images, *shapes[k]))
        for k, count in readings.items()
        if count > 1
    }


def lives(
    steps: Sequence[Step],
    outputs: Sequence[int],
    sums: dict[int, Reserved],
    *,
    training: bool,
    repeatable: bool = False,
) -> dict[Reserved, Life]:
    """Return when the buffers that ``steps`` reserve are in use, and the gradient ``sums``.

    ``outputs`` are the numbers of the plan's outputs. Without ``training`` there is no backward:
    what only that needs is left out. If backward is ``repeatable``, what it reads outlasts it.
    """
    forever = 2 * len(steps)
    reserved = [step.reserved() for step in steps]
    makes = [{one.use for one in of_step} for of_step in reserved]
    until = _values(steps, makes, outputs, training=training)
    gone = _gradients(steps, makes)

    found: dict[Reserved, Life] = {}
    for s, step in enumerate(steps):
        back = forever - 1 - s
        spans: dict[Use, tuple[Span, ...]] = {
            Use.KEPT: ((s, back if training else s),),
            Use.FORWARD: ((s, s),),
            Use.EITHER: ((s, s),),
        }
        if not step.skipped:
            spans[Use.OUTPUT] = ((s, until[step.makes]),)
        if training:
            spans[Use.GRADIENT] = ((back, max(gone[k] for k in step.reads)),)
            spans[Use.BACKWARD] = ((back, back),)
            spans[Use.EITHER] = ((s, s), (back, back))
        for one in reserved[s]:
            if one.use in spans:
                found[one] = Life(spans[one.use], apart=spans[one.use][-1][1] == forever)
                if repeatable and one.use in (Use.OUTPUT, Use.KEPT):
                    found[one] = _outlasting(found[one], len(steps))
    if training:
        last_reader = {k: s for s, step in enumerate(steps) for k in step.reads}
        for k, total in sums.items():
            begin = len(steps) if k in outputs else forever - 1 - last_reader[k]
            found[total] = Life(((begin, gone[k]),), apart=gone[k] == forever)
    return found


def _outlasting(life: Life, steps: int) -> Life:
    """Return a life that, if it lasts into backward, also lasts until its end."""
    ((begin, end),) = life.spans
    return Life(((begin, 2 * steps if end >= steps else end),), life.apart)


def _values(
    steps: Sequence[Step], makes: Sequence[set[Use]], outputs: Sequence[int], *, training: bool
) -> list[int]:
    """Return until when each value is read."""
    forever = 2 * len(steps)
    until = [0] * (len(steps) + 1)
    for k in outputs:
        until[k] = forever
    for s, step in reversed(list(enumerate(steps))):
        back = forever - 1 - s
        own = max(until[step.makes], back if training and step.reads_output else s)
        until[step.makes] = own
        same = step.skipped or step.returns_input or Use.OUTPUT not in makes[s]
        read = max(back if training and step.reads_input else s, own if same else 0)
        for k in step.inputs:
            until[k] = max(until[k], read)
    return until


def _gradients(steps: Sequence[Step], makes: Sequence[set[Use]]) -> list[int]:
    """Return until when the gradient of each value is read; the caller may keep that of 0."""
    forever = 2 * len(steps)
    gone = [forever]
    for s, step in enumerate(steps):
        same = step.returns_gradient or Use.GRADIENT not in makes[s]
        gone.append(max(forever - 1 - s, *(gone[k] for k in step.reads if same), 0))
    return gone
