"""Why inputs cannot be joined, in words, and what would make them fit."""

from __future__ import annotations

from collections.abc import Sequence

from ..typing import Shape

__all__ = ["bridges", "broadcast_refusal", "listed", "quoted"]


def bridges(start: Shape, end: Shape) -> list[tuple[str, str]]:
    """Return known layers that map ``start`` to ``end``, each with a description.

    Examples
    --------
    >>> bridges((2, 7, 8), (3, 4, 4))[1]
    ('ZeroPadShortcut(2, 3, stride=2)', 'which has no parameters')
    """
    if len(start) != 3 or len(end) != 3:
        return []
    (c, h, w), (out, oh, ow) = start, end
    stride = -(-h // oh)
    if (-(-h // stride), -(-w // stride)) != (oh, ow):
        return []
    across = (f"Conv2d({c}, {out}, 1, stride={stride})", "a 1x1 convolution")
    padded = (f"ZeroPadShortcut({c}, {out}, stride={stride})", "which has no parameters")
    return [across, padded] if out >= c else [across]


def broadcast_refusal(shapes: Sequence[Shape], names: Sequence[str]) -> str:
    """Return why inputs of these ``shapes`` cannot be broadcast, and what to change."""
    most = max(map(len, shapes))
    few = next((k for k, shape in enumerate(shapes) if len(shape) < most), None)
    if few is None:
        advice = "Give the layers before them the same sizes."
    else:
        ones = ", ".join(map(str, (*shapes[few], *[1] * (most - len(shapes[few])))))
        advice = f"Put after {quoted(names[few])}: `Reshape({ones})`, or where the 1 belong."
    return (
        "needs inputs with equally many axes, along each of one length or 1, received "
        f"{listed(shapes, names)} without N. {advice}"
    )


def listed(shapes: Sequence[Shape], names: Sequence[str]) -> str:
    """Return the names with their shapes; "" is the container's input."""
    made = [f"{quoted(name)} {shape}" for name, shape in zip(names, shapes, strict=True)]
    return ", ".join(made)


def quoted(name: str) -> str:
    """Return a value's name as messages write it."""
    return f"'{name}'" if name else "the input"
