"""The first steps of a frozen plan, on a few images at a time.

The first layers of a network make its largest images: of 256x256 pixels, 4 MiB each in ResNet-18,
of which the pooling that follows leaves a quarter. In inference only the next steps read them. So a
few images go through these steps, and then the next few:

    step      0  1  2  3     0  1  2  3  |  4  5  6 ...
    images    0 and 1        2 and 3     |  all

The values between need memory for a few images, and stay in the cache that all cores share. The
last of these steps writes each part of its output where the steps after it read the whole. An
image's bits do not depend on the others, so they are the same in either order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from ..typing import Array, Shape
from .reserved import Reserved, Use
from .step import Step

__all__ = ["Parts", "Turn", "parts", "turns"]

CACHE = 2**23  # bytes that a step reads and writes of the images that are in the caches together
LEAST = 2  # images at a time: with fewer, many cores would have too few tasks


class Parts(NamedTuple):
    """How many of the first steps take how many images at a time."""

    steps: int
    images: int
    owner: int  # the step that makes the last value; those after it return their input
    whole: Reserved  # its output, which has room for all images

    def shrunk(self, step: int, one: Reserved) -> Reserved:
        """Return what a buffer of a step is when it holds a part of the images."""
        of_images = one.use in (Use.OUTPUT, Use.KEPT) and one.shape[:1] == self.whole.shape[:1]
        if step >= self.steps or one is self.whole or not of_images:
            return one
        return Reserved(one.use, (self.images, *one.shape[1:]), one.dtype)


class Turn(NamedTuple):
    """A call of a step: with all images, or a part of them."""

    step: Step
    number: int  # of the step
    images: slice | None = None
    places: dict[Reserved, Array] | None = None  # arrays of the step that it takes before
    whole: Array | None = None  # the output for all images, once the last part is written

    @property
    def begins(self) -> bool:
        """Whether it is the step's first call for these images."""
        return self.images is None or self.images.start == 0

    def run(self, values: dict[int, Array]) -> Array:
        """Return the step's output; ``values`` are the plan's by their numbers, 0 the images."""
        inputs = [values[k] for k in self.step.inputs]
        if self.images is not None:
            of_plan = zip(self.step.inputs, inputs, strict=True)
            inputs = [value if k else value[self.images] for k, value in of_plan]
        if self.places is not None:
            self.step.place(self.places)
        y = self.step.forward(*inputs)
        return y if self.whole is None else self.whole.reshape(-1, *y.shape[1:])


def parts(
    steps: Sequence[Step], outputs: Sequence[int], input_shape: Shape, batch: int
) -> Parts | None:
    """Return which steps take a few images at a time in inference; None if it would not pay.

    As many of the first steps as handle each image by itself, and whose images, a few at a time,
    are more numbers than their filters, which are read once for each part.
    """
    if not all(step.frozen for step in steps):
        return None
    shapes = [input_shape, *(step.output_shape for step in steps)]
    last_reader = {k: s for s, step in enumerate(steps) for k in step.inputs}
    largest, found = 0, None
    for s, step in enumerate(steps):
        if not step.by_image or step.makes in outputs:
            break
        size = 0 if step.skipped else _bytes(*(shapes[k] for k in (*step.inputs, step.makes)))
        at_once = max(LEAST, CACHE // max(largest, size, 1))
        if size and step.layer.weight_bytes() > at_once * size:
            break
        largest = max(largest, size)
        made = [one.makes for one in steps[:s]]
        if all(last_reader.get(k, 0) <= s for k in made):
            owner = _owner(steps, s)
            whole = [] if owner is None else _outputs(steps[owner])
            if owner is not None and len(whole) == 1 and whole[0].shape[0] == batch:
                found = Parts(s + 1, -(-batch // -(-batch // at_once)), owner, whole[0])
    return found if found and batch > found.images and batch * largest > CACHE else None


def _owner(steps: Sequence[Step], s: int) -> int | None:
    """Return the step whose output step ``s`` returns, if all between return it too."""
    while steps[s].skipped:
        if steps[s].inputs != (s,) or not s:
            return None
        s -= 1
    return s


def _outputs(step: Step) -> list[Reserved]:
    return [one for one in step.reserved() if one.use is Use.OUTPUT]


def _bytes(*shapes: Shape) -> int:
    return 4 * sum(math.prod(shape) for shape in shapes)


def turns(
    steps: Sequence[Step], cut: Parts | None, arrays: dict[Reserved, Array], n: int
) -> list[Turn]:
    """Return the calls of all steps, in order, for ``n`` images; ``arrays`` are the steps'."""
    after = [Turn(step, s) for s, step in enumerate(steps)]
    if cut is None:
        return after
    found = []
    whole = arrays[cut.whole][:n]
    for first in range(0, n, cut.images):
        images = slice(first, min(n, first + cut.images))
        for s, step in enumerate(steps[: cut.steps]):
            of_owner = arrays | {cut.whole: whole[images]} if s == cut.owner else None
            last = images.stop == n and s >= cut.owner
            found.append(Turn(step, s, images, of_owner, whole if last else None))
    return found + after[cut.steps :]
