"""Split a network into volumes, with the words between two of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ...nn import Branches, Layer, Residual
from ...typing import Shape
from .graph_segments import Segment, segments
from .writing import figure_text

__all__ = ["Group", "Part", "groups_of"]

LONGEST = 16.0  # of a layer's name, in units of the letters' size


@dataclass
class Part:
    """The layers between one volume and the next.

    Attributes
    ----------
    name : str
        Of the layer that makes it.
    lines : list of str
        The lines below the name: sizes, then the layers that only change values.
    shape : tuple of int
        Of the volume.
    lanes : list of str
        The branches, one line each.
    """

    name: str
    lines: list[str]
    shape: Shape
    lanes: list[str] = field(default_factory=list)


@dataclass
class Group:
    """Parts that stay on one line.

    ``around`` names the shortcut over all of them, and ``sign`` says what joins them.
    """

    parts: list[Part]
    around: str = ""
    sign: str = "+"


def groups_of(model: Layer, shape: Shape, path: str = "") -> list[Group]:
    """Return the parts of ``model`` for inputs of ``shape``, in order.

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet
    >>> for group in groups_of(SimpleConvNet(), (1, 28, 28)):
    ...     part = group.parts[0]
    ...     print(part.name, part.lines, part.shape)
    conv1 ['conv 5x5', 'ReLU'] (30, 24, 24)
    pool1 ['max 2x2', 'stride 2'] (30, 12, 12)
    affine1 ['flatten', 'linear', 'ReLU'] (100,)
    affine2 ['linear'] (10,)
    """
    groups: list[Group] = []
    before: list[str] = []  # words of layers before the first volume
    for name, layer, shape_in, shape_out in _flat(model, shape, path):
        if isinstance(layer, Segment):
            groups.append(_group_of(layer, before))
        elif isinstance(layer, Residual) and layer.nodes() is not None:
            inner = [part for g in groups_of(layer.chain, shape_in, name) for part in g.parts]
            around = _shortcut(layer)
            inner = inner or [Part(_called(name), ["nothing"], shape_out)]
            inner[0].lines[:0] = before
            inner[-1].lines.append("sum")
            groups.append(Group(inner, around))
        elif _makes_volume(layer, shape_in, shape_out):
            groups.append(Group([_part(_called(name), layer, shape_in, shape_out, before)]))
        elif shape_in != shape_out or not groups:  # a flattening: named with the next layer
            before.append(_words(layer)[0])
            continue
        else:
            groups[-1].parts[-1].lines.append(_words(layer)[0])
            continue
        before = []
    if before and groups:
        groups[-1].parts[-1].lines += before
    elif before:
        groups.append(
            Group(
                [
                    Part(
                        _called(path),
                        before,
                        model.output_shape(shape),
                    )
                ]
            )
        )
    return groups


def _called(name: str) -> str:
    """Return a layer's name as it is written; a network of one layer has none."""
    return figure_text(name, LONGEST) if name else ""


def _flat(model: Layer, shape: Shape, path: str) -> Iterator[tuple[str, Any, Shape, Shape]]:
    """Yield the layers of chains within chains, with the shapes before and after them.

    Of a graph those that everything passes; what lies between two of them is a `Segment`.
    """
    parts = segments(model, shape, path)
    if parts is None:
        yield path, model, shape, model.output_shape(shape)
        return
    for part in parts:
        if part.alone:
            yield from _flat(part.last.layer, part.last.before[0], part.last.path)
        else:
            start = shape if not part.start else part.visits[part.start - 1].after
            yield part.last.path, part, start, part.last.after


def _group_of(segment: Segment, before: list[str]) -> Group:
    """Return a segment of a graph: a residual block layer by layer, anything else as lanes."""
    last, block = segment.last, segment.residual()
    sign = getattr(last.layer, "sign", "")
    if block is None or not sign:
        lanes = [_lane_to(segment, value) for value in last.node.reads]
        return Group([Part(_called(last.path), [*before, *_words(last.layer)], last.after, lanes)])
    chain, shortcut = block
    inner: list[Part] = []
    for visit in chain:
        for group in groups_of(visit.layer, visit.before[0], visit.path):
            volume = _makes_volume(visit.layer, visit.before[0], visit.after)
            if volume or not inner:
                inner += group.parts
            else:
                inner[-1].lines += group.parts[-1].lines
    inner[0].lines[:0] = before
    inner[-1].lines.append(_words(last.layer)[0])
    words = [" ".join(_words(visit.layer)) for visit in shortcut]
    return Group(inner, ", ".join(words) or "input", sign)


def _lane_to(segment: Segment, value: int) -> str:
    """Return the way to a value as one line, from the last join on, which is named."""
    words: list[str] = []
    while value != segment.start:
        visit = segment.visits[value - 1]
        if len(visit.node.reads) > 1:
            words.append(_called(visit.path))
            break
        if _makes_volume(visit.layer, visit.before[0], visit.after):
            words.append(_lane(visit.layer, visit.before[0]))
        (value,) = visit.node.reads
    return " → ".join(words[::-1]) or "unchanged"


def _makes_volume(layer: Layer, before: Shape, after: Shape) -> bool:
    flattens = len(after) < len(before) and math.prod(after) == math.prod(before)
    if flattens and not layer.parameters():
        return False
    sees_more = hasattr(layer, "kernel_size") or bool(list(layer.children()))
    return sees_more or before != after or layer.multiply_adds(before) > 0


def _part(name: str, layer: Layer, shape: Shape, after: Shape, before: list[str]) -> Part:
    if isinstance(layer, Branches) and layer.nodes() is not None:
        return Part(name, [*before, "joined"], after, _lanes(layer, shape))
    return Part(name, [*before, *_words(layer)], after)


def _lanes(branches: Branches, shape: Shape) -> list[str]:
    """Return each branch as one line: ``1x1 96 → 3x3 128``."""
    return [_lane(branch, shape) for _, branch in branches.children()]


def _lane(branch: Layer, shape: Shape) -> str:
    words = []
    for name, layer, before, after in _flat(branch, shape, ""):
        if isinstance(layer, Segment):
            words.append(_called(name))
        elif isinstance(layer, Residual):
            words.append(f"[{_lane(layer.chain, before)}] + {_shortcut(layer)}")
        elif isinstance(layer, Branches):
            words.append(f"({' | '.join(_lanes(layer, before))})")
        elif _makes_volume(layer, before, after):
            words.append(f"{' '.join(_words(layer)[:1])}, {after[0]}")
    return " → ".join(words) or "unchanged"


def _shortcut(layer: Residual) -> str:
    """Return what is added to the chain's output."""
    if layer.shortcut is None:
        return "input"
    words = [" ".join(_words(inner)) for _, inner in layer.shortcut.layers() if not inner_of(inner)]
    return ", ".join(words)


def inner_of(layer: Layer) -> list[str]:
    """Return the names of the layers directly inside."""
    return [name for name, _ in layer.children()]


def _words(layer: Layer) -> list[str]:
    """Return what a layer is, and its sizes, in lines."""
    kernel = getattr(layer, "kernel_size", None)
    size = f" {kernel[0]}x{kernel[1]}" if isinstance(kernel, tuple) and len(kernel) == 2 else ""
    lines = [(layer.short_name or type(layer).__name__) + size]
    moves = []
    for attribute, usual, word in (
        ("stride", 1, "stride"),
        ("padding", 0, "pad"),
        ("dilation", 1, "dilation"),
        ("groups", 1, "groups"),
    ):
        value = getattr(layer, attribute, usual)
        if isinstance(value, tuple) and len(set(value)) == 1:
            value = value[0]
        if value not in (usual, "valid"):
            text = ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
            moves.append(f"{word} {text}")
    return [*lines, *[", ".join(moves)] * bool(moves)]
