"""A model as a table: each layer's output, parameters and cost, without running it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

from ..errors import ArgumentError
from ..receptive import ReceptiveField
from ..shapes import shape_text
from ..tables import text_table
from ..typing import Shape
from .layer import Layer, LayerRow

__all__ = ["Summary", "summary"]

BYTES = 4  # of a float32
Cell = TypeVar("Cell")


@dataclass(frozen=True)
class Summary:
    """The rows of `summary` and their totals; printing it gives the table.

    Attributes
    ----------
    input_shape : (C, H, W)
    rows : tuple of LayerRow
    sharing : bool
        Whether the table shows neurons, and parameters without sharing.
    """

    input_shape: Shape
    rows: tuple[LayerRow, ...]
    sharing: bool = False

    @property
    def parameters(self) -> int:
        """Number of trainable numbers."""
        return sum(row.parameters for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of one image's forward."""
        return sum(row.multiply_adds for row in self.rows)

    @property
    def neurons(self) -> int:
        """Number of outputs that are weighted sums."""
        return sum(row.neurons for row in self.rows)

    @property
    def parameters_without_sharing(self) -> int:
        """Number of parameters if no neurons shared weights."""
        return sum(row.without_sharing for row in self.rows)

    @property
    def activation_bytes(self) -> int:
        """Bytes of all layers' outputs for one image, in float32."""
        return BYTES * sum(row.activation for row in self.rows)

    def __str__(self) -> str:
        counts = ("parameters", "multiply-adds", "memory")
        sharing = self._sharing("neurons", "unshared")
        header = ("layer", "", *self._reads("reads"), "output", *sharing, *counts)
        rows = [
            (
                row.name,
                row.layer,
                *self._reads(", ".join(row.reads)),
                shape_text(row.output_shape),
                *self._sharing(f"{row.neurons:,}", f"{row.without_sharing:,}"),
                f"{row.parameters:,}",
                f"{row.multiply_adds:,}",
                _size(BYTES * row.activation),
                str(row.field),
                _unread(row.unread),
            )
            for row in self.rows
        ]
        start = (
            *("input", "", *self._reads(""), shape_text(self.input_shape)),
            *self._sharing("", ""),
            *("", "", "", "", ""),
        )
        unshared = self._sharing(f"{self.neurons:,}", f"{self.parameters_without_sharing:,}")
        sums = (f"{self.parameters:,}", f"{self.multiply_adds:,}", _size(self.activation_bytes))
        total = ("total", "", *self._reads(""), "", *unshared, *sums, "", "")
        left = (0, 1, 2, *self._reads(3))
        return (
            text_table((*header, "sees", "unread"), [start, *rows], left=left, total=total)
            + "\nmemory: outputs for one image, float32. sees: the receptive field, in input cells."
            + "\nunshared: parameters if no neurons shared weights." * self.sharing
            + f"\nThe weights take {_size(BYTES * self.parameters)}."
        )

    def _reads(self, cell: Cell) -> tuple[Cell, ...]:
        """Return the cell of the column shown if a graph says what its nodes read."""
        return (cell,) if any(row.reads for row in self.rows) else ()

    def _sharing(self, *cells: str) -> tuple[str, ...]:
        """Return the cells of the two columns shown with ``sharing``."""
        return cells if self.sharing else ()


def summary(model: Layer, input_shape: Shape | None = None, *, sharing: bool = False) -> Summary:
    """Return each layer's output shape, parameters and cost for one image.

    Parameters
    ----------
    model : Layer
    input_shape : (C, H, W), optional
        Defaults to the model's own ``input_shape``.
    sharing : bool
        Also show neurons, and the number of parameters if weights were not shared (CS231n,
        "Parameter Sharing").

    Raises
    ------
    ShapeError
        If a layer cannot take the output of the one before it.

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet
    >>> table = summary(SimpleConvNet())
    >>> table.parameters, table.multiply_adds
    (433890, 865000)
    >>> table.neurons, table.parameters_without_sharing  # 26 for each of 17280 cells, and 433110
    (17390, 882390)
    """
    shape = known_shape(model, input_shape)
    return Summary(shape, tuple(model.rows(shape, ReceptiveField())), sharing)


def known_shape(model: Layer, input_shape: Shape | None) -> Shape:
    """Return ``input_shape`` or the model's own, or refuse."""
    shape = model.input_shape if input_shape is None else tuple(input_shape)
    if shape is None:
        raise ArgumentError(
            "this model does not say which images it was built for; give (C, H, W).",
            where="input_shape",
        )
    return shape


def _size(bytes_: float) -> str:
    """Return bytes with three digits and a unit."""
    power = min(int(math.log(max(bytes_, 1), 1024)), 3)
    return f"{bytes_ / 1024**power:.{min(power, 1)}f} {('B', 'KiB', 'MiB', 'GiB')[power]}"


def _unread(unread: tuple[int, int]) -> str:
    rows, columns = unread
    parts = [f"{rows} rows"] * bool(rows) + [f"{columns} columns"] * bool(columns)
    return ", ".join(parts) or "-"
