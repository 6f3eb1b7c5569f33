"""When each buffer of a plan is in use.

Time counts the calls of steps. Of S steps, forward calls step s at time s, and backward at time
2S - 1 - s:

    step       0  1  2  |  2  1  0
    time       0  1  2  |  3  4  5
    y of 0     ----                     if no backward reads it
    y of 0     -------------------      if that of step 0 does, as of a ReLU
    dx of 2                ----         until the backward of step 1 has read it
    y of 0     ----              ----   if backward needs it, and it is computed again at time 5
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple

from ..typing import Shape
from .reserved import Reserved, Use
from .step import Step

__all__ = ["Life", "gradient_sums", "lives", "output_spans", "passes_on", "readings"]

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
    reserved: Sequence[Sequence[Reserved]],
    outputs: Sequence[int],
    sums: dict[int, Reserved],
    *,
    training: bool,
    repeatable: bool = False,
    again: Collection[int] = (),
) -> dict[Reserved, Life]:
    """Return when the buffers that each step has ``reserved`` are in use, and gradient ``sums``.

    ``outputs`` are the numbers of the plan's outputs. Without ``training`` there is no backward:
    what only that needs is left out. If backward is ``repeatable``, what it reads outlasts it. The
    outputs of the steps ``again`` are forgotten until a backward reads them, and then recomputed.
    """
    forever = 2 * len(steps)
    read = readings(steps, reserved, outputs, training=training, again=again)
    gone = _gradients(steps, reserved)

    found: dict[Reserved, Life] = {}
    for s, step in enumerate(steps):
        back = forever - 1 - s
        kept = s if not training else forever if repeatable else back
        spans: dict[Use, tuple[Span, ...]] = {
            Use.KEPT: ((s, kept),),
            Use.FORWARD: ((s, s),),
            Use.EITHER: ((s, s),),
        }
        apart = set()
        if not step.skipped:
            times = read[step.makes]
            spans[Use.OUTPUT] = output_spans(s, times, len(steps), s in again, repeatable)
            apart = {Use.OUTPUT} if forever in times else set()
        if training:
            end = max(gone[k] for k in step.reads)
            spans[Use.GRADIENT] = ((back, end),)
            spans[Use.BACKWARD] = ((back, back),)
            spans[Use.EITHER] = ((s, s), (back, back))
            apart |= {Use.GRADIENT} if end == forever else set()
        for one in reserved[s]:
            if one.use in spans:
                found[one] = Life(spans[one.use], apart=one.use in apart)
    if training:
        last_reader = {k: s for s, step in enumerate(steps) for k in step.reads}
        for k, total in sums.items():
            begin = len(steps) if k in outputs else forever - 1 - last_reader[k]
            found[total] = Life(((begin, gone[k]),), apart=gone[k] == forever)
    return found


def output_spans(
    s: int, times: Collection[int], steps: int, again: bool, repeatable: bool
) -> tuple[Span, ...]:
    """Return when the output of step ``s`` is in use, given the ``times`` at which it is read.

    If it is computed again, it is forgotten between forward and backward.
    """
    back = [t for t in times if t >= steps]
    if again:
        return (s, max([s, *(t for t in times if t < steps)])), (min(back), max(back))
    return ((s, 2 * steps if back and repeatable else max([s, *times])),)


def readings(
    steps: Sequence[Step],
    reserved: Sequence[Sequence[Reserved]],
    outputs: Sequence[int],
    *,
    training: bool,
    again: Collection[int] = (),
) -> list[set[int]]:
    """Return the times at which each value is read, also as a view; 2S if by the caller."""
    forever = 2 * len(steps)
    found: list[set[int]] = [set() for _ in range(len(steps) + 1)]
    for k in outputs:
        found[k].add(forever)
    for s, step in reversed(list(enumerate(steps))):
        back, own = forever - 1 - s, found[step.makes]
        if training and step.reads_output:
            own.add(back)
        read = {s, back} if training and step.reads_input else {s}
        if passes_on(step, reserved[s]):
            read |= own
        if s in again:
            read.add(min(t for t in own if t >= len(steps)))
        for k in step.inputs:
            found[k] |= read
    return found


def passes_on(step: Step, reserved: Sequence[Reserved]) -> bool:
    """Return whether forward may return its input, or a view of it."""
    own = any(one.use is Use.OUTPUT for one in reserved)
    return step.skipped or step.returns_input or not own


def _gradients(steps: Sequence[Step], reserved: Sequence[Sequence[Reserved]]) -> list[int]:
    """Return until when the gradient of each value is read; the caller may keep that of 0."""
    forever = 2 * len(steps)
    gone = [forever]
    for s, step in enumerate(steps):
        own = any(one.use is Use.GRADIENT for one in reserved[s])
        same = step.returns_gradient or not own
        gone.append(max(forever - 1 - s, *(gone[k] for k in step.reads if same), 0))
    return gone
