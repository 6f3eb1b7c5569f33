"""The arithmetic of a unit: every number that its number is computed from."""

from __future__ import annotations

from typing import Any

from ...viz.analysis.arithmetic import Arithmetic, arithmetic
from ..opened import Opened
from ..registry import question

__all__ = ["unit"]


@question("unit")
def unit(opened: Opened, *, image: str, value: int, unit: list[int]) -> dict[str, Any]:
    """Return how one number of a value is computed, as `pellucid.viz.analysis.arithmetic` has it.

    A number of the image, value 0, has no parts.
    """
    place = opened.require_unit(value, unit)
    with opened.lock:  # the weights stay those that the values were computed with
        values = opened.values(image)
        if not value:
            return _of_the_image(float(values[0][place]), place).as_dict()
        node = opened.nodes[value - 1]
        inputs = [values[k] for k in node.reads]
        found = arithmetic(
            node.layer, inputs, values[value], place, value=value, reads=node.reads, path=node.name
        )
    return found.as_dict()


def _of_the_image(number: float, place: tuple[int, ...]) -> Arithmetic:
    return Arithmetic(
        value=0,
        path="",
        kind="input",
        repr="",
        unit=place,
        engine=number,
        result=number,
        equation="",
        symbols=dict(zip("cij", place, strict=True)),
        exact=True,
        parts=[],
    )
