"""A model as a table: each layer's output, parameters and cost, without running it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

from ..display.html import Html, element, table
from ..display.output import framed
from ..errors import ArgumentError
from ..names import shown
from ..receptive import ReceptiveField
from ..shapes import shape_text
from ..tables import text_table
from ..typing import Shape
from .layer import Layer, LayerRow

__all__ = ["Summary", "summary"]

BYTES = 4  # of a float32
LONGEST = 60  # columns of a name
OPEN_ROWS = 40  # of more, a notebook shows the total only, until it is asked
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
        header, rows, total, left = self._cells()
        return "\n".join([text_table(header, rows, left=left, total=total), *self._notes()])

    def _repr_html_(self) -> str:
        return framed(self._table())

    def _table(self) -> Html:
        """Return it as an HTML table with its notes."""
        header, (start, *rows), total, left = self._cells()
        coded = [
            (name, element("td", element("code", layer), class_="left wide"), *rest)
            for name, layer, *rest in rows
        ]
        whole = table(header, [start, *coded], left=left, total=total)
        opened = "" if len(rows) <= OPEN_ROWS else None
        title = f"{len(rows)} layers, {self.parameters:,} parameters"
        notes = element("p", " ".join(self._notes()), class_="note")
        return element("details", element("summary", title), whole, notes, open=opened)

    def _notes(self) -> list[str]:
        """Return what the columns mean, and the size of the weights."""
        return [
            "memory: outputs for one image, float32. sees: the receptive field, in input cells.",
            *["unshared: parameters if no neurons shared weights."] * self.sharing,
            f"The weights take {_size(sum(row.weight_bytes for row in self.rows))}.",
        ]

    def _cells(self) -> tuple[tuple[str, ...], list[tuple[str, ...]], tuple[str, ...], list[int]]:
        """Return header, rows and totals of the table, and which columns are words."""
        counts = ("parameters", "multiply-adds", "memory")
        sharing = self._sharing("neurons", "unshared")
        header = ("layer", "", *self._reads("reads"), "output", *sharing, *counts, "sees", "unread")
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
        return header, [start, *rows], total, [0, 1, 2, *self._reads(3)]

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


def model_html(model: Layer) -> str | None:
    """Return a model for a notebook: what it is, and its summary; None if the shapes are unknown.

    Examples
    --------
    >>> from pellucid.nn import Conv2d
    >>> model_html(Conv2d(1, 8, 3))  # for images of any size
    """
    if model.input_shape is None:
        return None
    try:
        described = summary(model)
    except Exception:  # of a layer of the user's own: the notebook then shows its repr
        return None
    said = f", for images {shape_text(model.input_shape)}"
    if model.card is not None:
        classes = f"{len(model.card.classes)} classes"
        data = model.card.dataset
        said += f", trained on {shown(data, LONGEST)} ({classes})" if data else f", {classes}"
    name = element("strong", type(model).__name__)
    return framed(element("p", name, said), described._table())


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
