"""Networks that take pixels from 0 to 255, as a file for another program often does."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from ..operations import Operation, Operations

__all__ = ["with_unit_pixels"]

BRIGHTEST = np.float32(255)


def with_unit_pixels(operations: Operations, but: Collection[str] = ()) -> tuple[Operations, bool]:
    """Return a network that takes numbers from 0 to 1, and whether it took pixels from 0 to 255.

    A product with 255 is put in front.

    Parameters
    ----------
    operations : Operations
    but : collection of str
        The names of inputs to leave as they are.

    Examples
    --------
    >>> relu = Operation("Relu", ("x",), ("y",))
    >>> bytes_ = Operations([relu], {"x": ("N", 1, 8, 8)}, ["y"], pixels={"x"})
    >>> unit, changed = with_unit_pixels(bytes_)
    >>> [each.op for each in unit.operations], unit.pixels, changed
    (['Mul', 'Relu'], set(), True)
    """
    changed = Operations(**vars(operations))
    changed.constants = dict(operations.constants)
    for name in sorted(operations.pixels.difference(but)):
        taken = {made for each in changed.operations for made in each.outputs}
        taken.update(changed.constants, changed.inputs)
        whole, brightest = (_unused(f"{name}_{end}", taken) for end in ("pixels", "brightest"))
        changed.constants[brightest] = np.asarray(BRIGHTEST)
        changed.operations = [Operation("Mul", (name, brightest), (whole,), name=whole)] + [
            replace(each, inputs=tuple(whole if read == name else read for read in each.inputs))
            for each in changed.operations
        ]
    changed.pixels = set(operations.pixels.intersection(but))
    return changed, changed.pixels != operations.pixels


def _unused(name: str, taken: Collection[str]) -> str:
    while name in taken:
        name += "_"
    return name
