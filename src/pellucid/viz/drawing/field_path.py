"""The receptive fields of the layers up to a unit, each larger than the one before."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...errors import ArgumentError, did_you_mean
from ...nn import Layer, receptive_field, trunk
from ...nn.layer import LayerRow
from ...receptive import ReceptiveField
from ...shapes import shape_text
from ...typing import Shape
from .writing import number

__all__ = ["Field", "way_to"]


@dataclass(frozen=True)
class Field:
    """One rectangle: rows and columns from first to last, in input cells."""

    names: str
    top: float
    left: float
    height: float
    width: float
    everything: bool

    def words(self, shape: Shape) -> str:
        """Return its size and place, and what of it lies outside the image."""
        if self.everything:
            return "the whole image"
        rows, columns = (
            f"{number(first)} to {number(first + size - 1)}"
            for first, size in ((self.top, self.height), (self.left, self.width))
        )
        size = f"{number(self.height)}x{number(self.width)}"
        beyond = self.beyond(shape)
        outside = f"; {', '.join(beyond)} outside" if beyond else ""
        return f"{size}: rows {rows}, columns {columns}{outside}"

    def beyond(self, shape: Shape) -> list[str]:
        """Return how many rows and columns reach beyond the border."""
        _, h, w = shape
        rows = max(-self.top, 0) + max(self.top + self.height - h, 0)
        columns = max(-self.left, 0) + max(self.left + self.width - w, 0)
        counted = ((rows, "row"), (columns, "column"))
        return [f"{number(n)} {what}{'s' * (n != 1)}" for n, what in counted if n > 0]


def way_to(
    model: Layer, shape: Shape, layer: str | None, at: tuple[int, int] | None
) -> tuple[list[Field], str]:
    """Return the fields on the way to a unit, each larger than the one before, and its name."""
    table = receptive_field(model, shape).rows
    names = [row.name for row in table]
    if layer is None:
        seeing = [row for row in table if _is_image(row) and not row.field.everything]
        inside = [row for row in seeing if all(row.field.size[a] <= shape[1 + a] for a in (0, 1))]
        layer = (inside or seeing or table)[-1].name
    if layer not in dict(model.layers()):
        raise ArgumentError(
            f"there is no layer {layer!r}. {did_you_mean(layer, names)}", where="layer"
        )
    rows = receptive_field(trunk(model, layer) if layer else model, shape).rows
    target = rows[-1]
    rows = tuple(row for row in rows if _is_image(row) or row.field.everything or row is target)
    place = _unit(target, layer, at)
    middle = _middle(target.field, place)
    fields: list[Field] = []
    for row in rows:
        spot = place if row is target else _nearest(row, middle)
        here = _field(row, spot)
        if fields and (here.height, here.width, here.everything) == (
            fields[-1].height, fields[-1].width, fields[-1].everything
        ):  # fmt: skip
            fields[-1] = Field(
                fields[-1].names if row is not target else row.name,
                *((here.top, here.left) if row is target else (fields[-1].top, fields[-1].left)),
                here.height, here.width, here.everything,
            )  # fmt: skip
        elif (
            not fields
            or row is target
            or here.height * here.width > (fields[-1].height * fields[-1].width)
        ):
            fields.append(here)
    spot_name = "" if place is None else f" at row {place[0]}, column {place[1]}"
    return fields, f"one unit of {layer or 'the network'}{spot_name}"


def _unit(row: LayerRow, layer: str, at: tuple[int, int] | None) -> tuple[int, int] | None:
    """Return the unit's place, or None where a layer has no rows and columns."""
    if not _is_image(row):
        if not row.field.everything:
            raise ArgumentError(
                f"'{layer}' only lays out the numbers of the layer before it. Choose that one.",
                where="layer",
            )
        if at is not None:
            raise ArgumentError(
                f"'{layer}' has no rows and columns: its output is {row.output_shape[0]} numbers, "
                "and each of them sees the whole image. Choose a layer before it.",
                where="at",
            )
        return None
    _, h, w = row.output_shape
    if at is None:
        return h // 2, w // 2
    if not (0 <= at[0] < h and 0 <= at[1] < w):
        raise ArgumentError(
            f"must be a row from 0 to {h - 1} and a column from 0 to {w - 1}: the output of "
            f"'{layer}' is {shape_text(row.output_shape)}; received {at[0]},{at[1]}.",
            where="at",
        )
    return int(at[0]), int(at[1])


def _is_image(row: LayerRow) -> bool:
    return len(row.output_shape) == 3


def _middle(field_: ReceptiveField, place: tuple[int, int] | None) -> tuple[float, float] | None:
    """Return the middle of a unit's field, from the middle of the first input cell."""
    if place is None or field_.everything:
        return None
    one, two = (float(field_.centre(a) + place[a] * field_.stride[a]) for a in (0, 1))
    return one, two


def _nearest(row: LayerRow, middle: tuple[float, float] | None) -> tuple[int, int] | None:
    """Return the unit of a layer whose field's middle is nearest to ``middle``."""
    if not _is_image(row):
        return None
    sizes = row.output_shape[1:]
    if middle is None:
        return sizes[0] // 2, sizes[1] // 2
    one, two = (
        min(
            max(round((middle[a] - float(row.field.centre(a))) / float(row.field.stride[a])), 0),
            sizes[a] - 1,
        )
        for a in (0, 1)
    )
    return one, two


def _field(row: LayerRow, place: tuple[int, int] | None) -> Field:
    if row.field.everything or place is None:
        return Field(row.name, 0, 0, math.inf, math.inf, everything=True)
    top, left = (float(row.field.start[a] + place[a] * row.field.stride[a]) for a in (0, 1))
    height, width = (float(size) for size in row.field.size)
    return Field(row.name, top, left, height, width, everything=False)
