"""The receptive field of every layer, as a table."""

from __future__ import annotations

from dataclasses import dataclass

from ..shapes import shape_text
from ..tables import text_table
from ..typing import Shape
from .layer import Layer, LayerRow
from .summaries import summary

__all__ = ["FieldTable", "receptive_field"]


@dataclass(frozen=True)
class FieldTable:
    """The rows of `receptive_field`; printing it gives the table.

    Attributes
    ----------
    input_shape : (C, H, W)
    rows : tuple of LayerRow
        ``row.field`` is a `pellucid.receptive.ReceptiveField`.
    """

    input_shape: Shape
    rows: tuple[LayerRow, ...]

    def __str__(self) -> str:
        header = ("layer", "", "output", "size", "stride", "centre", "parameters")
        rows = [
            (
                row.name,
                row.layer,
                shape_text(row.output_shape),
                str(row.field),
                "-" if row.field.everything else shape_text(row.field.stride),
                "-" if row.field.everything else f"{_centre(row, 0)}, {_centre(row, 1)}",
                f"{row.parameters:,}",
            )
            for row in self.rows
        ]
        return (
            text_table(header, rows, left=(0, 1, 2))
            + "\nsize and stride of the receptive fields in input cells; centre of the first, "
            + "from the middle\nof the first cell: rows, columns."
        )


def receptive_field(model: Layer, input_shape: Shape | None = None) -> FieldTable:
    """Return the receptive field of each layer of ``model``.

    Parameters
    ----------
    model : Layer
    input_shape : (C, H, W), optional
        Defaults to the model's own ``input_shape``.

    Raises
    ------
    ArgumentError, ShapeError
        As for `summary`.

    Examples
    --------
    Three windows of 3x3 see as much as one of 7x7, with 27·C² weights instead of 49·C² and two
    more non-linearities (Simonyan & Zisserman 2014, section 2.3; CS231n, "Layer patterns"):

    >>> from pellucid.nn import Conv2d, Sequential
    >>> C = 64
    >>> three = Sequential(*(Conv2d(C, C, 3, padding=1, bias=False) for _ in range(3)))
    >>> one = Sequential(Conv2d(C, C, 7, padding=3, bias=False))
    >>> print(receptive_field(three, (C, 56, 56)))
    layer                                            output    size  stride  centre  parameters
    -------------------------------------------------------------------------------------------
    0      Conv2d(64, 64, 3, padding=1, bias=False)  64x56x56   3x3     1x1    0, 0      36,864
    1      Conv2d(64, 64, 3, padding=1, bias=False)  64x56x56   5x5     1x1    0, 0      36,864
    2      Conv2d(64, 64, 3, padding=1, bias=False)  64x56x56   7x7     1x1    0, 0      36,864
    size and stride of the receptive fields in input cells; centre of the first, from the middle
    of the first cell: rows, columns.
    >>> receptive_field(one, (C, 56, 56)).rows[-1].field == receptive_field(
    ...     three, (C, 56, 56)
    ... ).rows[-1].field
    True
    >>> three.parameter_count() == 27 * C**2, one.parameter_count() == 49 * C**2
    (True, True)
    """
    table = summary(model, input_shape)
    return FieldTable(table.input_shape, table.rows)


def _centre(row: LayerRow, axis: int) -> str:
    return f"{float(row.field.centre(axis)):g}"
