"""A network as its volumes: blocks with their sizes, and the layers between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...errors import ArgumentError
from ...nn import Layer
from ...nn.checks import require_one_output
from ...nn.summaries import known_shape
from ...shapes import shape_text
from ...typing import Shape
from ..drawing.canvas import as_written, new_figure
from ..drawing.volume_parts import Group, Part, groups_of
from ..drawing.writing import breadth

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["volumes"]

WIDEST = 15.0  # inches; then the row of volumes goes on below
MOST = 120  # volumes
TEXT = 8.0  # points
LINE = 1.35 * TEXT / 72  # inches
MARGIN, ROOM = 0.35, 0.12
TALLEST, SMALLEST, THICKEST = 1.7, 0.14, 1.1  # inches of a block
SLANT = 0.35  # how long a row of the image is drawn, going back, in units of its height
FACES = ("#CBE3F2", "#E6F2F9", "#9FC4DC")  # front, top, side: light from above
INPUT_FACES = ("#FFFFFF", "#F4F4F4", "#DDDDDD")


@as_written
def volumes(model: Layer, input_shape: Shape | None = None) -> Figure:
    """Draw every volume that passes through a network as a block, with its size (C, H, W).

    Heights and depths grow with the square root of rows and columns, thickness with that of the
    channels. What only changes values (ReLU, batch norm, dropout) is named with the layer before
    it. A residual block is drawn as its chain, with the shortcut as an arrow above it; branches as
    one frame with a line each, before the volume that concatenates them.

    Parameters
    ----------
    model : Layer
    input_shape : (C, H, W), optional
        Defaults to the model's own ``input_shape``.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ArgumentError
        If the images are not known, or there are more than 120 volumes.
    ShapeError
        If a layer cannot take what the one before it gives.

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet
    >>> figure = volumes(SimpleConvNet())
    >>> [t.get_text() for t in figure.axes[0].texts if t.get_text()[:1].isdigit()]
    ['1x28x28', '30x24x24', '30x12x12', '100', '10']
    """
    require_one_output(model, "volumes")
    shape = known_shape(model, input_shape)
    model.output_shape(shape)
    groups = groups_of(model, shape)
    count = sum(len(group.parts) for group in groups)
    if count > MOST:
        raise ArgumentError(
            f"can draw {MOST} volumes, this network has {count}. Draw a part of it: "
            "`nn.trunk(model, name)` ends after a layer.",
            where="volumes",
        )
    scale = _Scale([shape, *(part.shape for group in groups for part in group.parts)])
    rows = _rows(groups, shape, scale)
    widths = [
        scale.column(shape) * (k == 0) + sum(map(scale.width, row)) for k, row in enumerate(rows)
    ]
    note = "C x H x W; blocks are drawn by the square roots of their sizes"
    width = max(*widths, breadth(note, bold=False) * TEXT / 72) + 2 * MARGIN + 0.3
    heights = [scale.heights(row, shape if k == 0 else None) for k, row in enumerate(rows)]
    height = sum(above + below for above, below in heights) + 2 * MARGIN + LINE
    figure = new_figure(width, height)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    pen, y = _Pen(axes, scale), MARGIN
    for k, row in enumerate(rows):
        above, below = heights[k]
        x = MARGIN + 0.3 * (k > 0)
        if k == 0:
            pen.block(x, y + above, shape, INPUT_FACES)
            x += scale.column(shape)
        for group in row:
            x = pen.group(x, y + above, group)
        y += above + below
    pen.text(MARGIN, y + LINE / 2, note, ha="left", color="0.35")
    return figure


def _rows(groups: Sequence[Group], shape: Shape, scale: _Scale) -> list[list[Group]]:
    """Divide the groups over lines that are not wider than a page."""
    rows: list[list[Group]] = [[]]
    used = scale.column(shape)
    for group in groups:
        width = scale.width(group)
        if rows[-1] and used + width > WIDEST:
            rows.append([])
            used = 0
        rows[-1].append(group)
        used += width
    return rows


class _Scale:
    """How large everything is drawn, in inches."""

    def __init__(self, shapes: Sequence[Shape]) -> None:
        images = [shape for shape in shapes if len(shape) == 3]
        self._side = max((max(shape[1:]) for shape in images), default=1)
        self._deep = max((shape[0] for shape in images), default=1)
        self._long = max((shape[0] for shape in shapes if len(shape) != 3), default=1)

    def block(self, shape: Shape) -> tuple[float, float, float]:
        """Return thickness, height and how far the block goes back."""
        if len(shape) != 3:
            tall = SMALLEST + (TALLEST - SMALLEST) * math.sqrt(math.prod(shape) / self._long)
            return SMALLEST, tall, 0.0
        c, h, w = shape
        thick = SMALLEST / 2 + THICKEST * math.sqrt(c / self._deep)
        rows, columns = (
            SMALLEST + (TALLEST - SMALLEST) * math.sqrt(s / self._side) for s in (h, w)
        )
        return thick, rows, SLANT * columns

    def column(self, shape: Shape) -> float:
        """Return the width of a block, the label below it included."""
        thick, _, back = self.block(shape)
        return max(thick + back, wide(shape_text(shape)) + ROOM)

    def gap(self, part: Part) -> float:
        """Return the width of the text between two blocks."""
        lanes = max(map(wide, part.lanes), default=0) + 0.5 * bool(part.lanes)
        return max(*(wide(text, bold=True) for text in (part.name, *part.lines)), lanes, 0.3) + 0.2

    def width(self, group: Group) -> float:
        """Return the width of a group."""
        return sum(self.gap(part) + self.column(part.shape) for part in group.parts)

    def heights(self, row: Sequence[Group], first: Shape | None) -> tuple[float, float]:
        """Return the height above and below the middle of a row."""
        parts = [part for group in row for part in group.parts]
        shapes = [part.shape for part in parts] + ([] if first is None else [first])
        tall = [self.block(shape) for shape in shapes]
        lanes = max((len(part.lanes) for part in parts), default=0) * (LINE + 0.06) / 2 + 0.1
        above = max(lanes, *(h / 2 + back for _, h, back in tall), LINE + 0.1)
        above += 0.5 * any(group.around for group in row) + 0.15
        words = max((len(part.lines) for part in parts), default=0) * LINE + 0.1
        framed = max(
            (len(p.lanes) * (LINE + 0.06) / 2 + len(p.lines) * LINE for p in parts if p.lanes),
            default=0,
        )
        below = max(*(h / 2 + LINE for _, h, _ in tall), words, framed) + 0.25
        return above, below


class _Pen:
    """Draws blocks, arrows and words at places in inches."""

    def __init__(self, axes: Axes, scale: _Scale) -> None:
        self._axes, self._scale = axes, scale

    def text(self, x: float, y: float, text: str, **style: Any) -> None:
        style = {"ha": "center", "va": "center", "size": TEXT, **style}
        self._axes.text(x, y, text, **style)

    def group(self, x: float, middle: float, group: Group) -> float:
        """Draw the parts of a group from ``x`` on; return where they end."""
        start, top = x, middle
        for part in group.parts:
            gap = self._scale.gap(part)
            self._between(x, middle, gap, part)
            x += gap
            _, tall, back = self.block(x, middle, part.shape, FACES)
            top = min(top, middle - tall / 2 - back)
            x += self._scale.column(part.shape)
        if group.around:
            end = x - self._scale.column(group.parts[-1].shape)
            end += self._scale.block(group.parts[-1].shape)[0] / 2
            self._around(start + 0.04, end, middle, top, f"{group.sign} {group.around}")
        return x

    def block(
        self, x: float, middle: float, shape: Shape, faces: Sequence[str]
    ) -> tuple[float, float, float]:
        """Draw a block whose front begins at ``x``, and its size below; return its measures."""
        from matplotlib.patches import Polygon

        thick, tall, back = self._scale.block(shape)
        top, bottom = middle - tall / 2, middle + tall / 2
        right = x + thick
        corners = [
            [(x, top), (right, top), (right, bottom), (x, bottom)],
            [(x, top), (x + back, top - back), (right + back, top - back), (right, top)],
            [
                (right, top),
                (right + back, top - back),
                (right + back, bottom - back),
                (right, bottom),
            ],
        ]
        for corner, face in zip(corners, faces, strict=True):
            side = Polygon(corner, facecolor=face, edgecolor="black", linewidth=0.8)
            side.set(joinstyle="round", zorder=2)
            self._axes.add_patch(side)
        centre = x + self._scale.column(shape) / 2
        self.text(
            max(x + thick / 2, x + wide(shape_text(shape)) / 2) if thick < centre else centre,
            bottom + LINE * 0.75,
            shape_text(shape),
            weight="bold",
            zorder=4,
        )
        return thick, tall, back

    def _between(self, x: float, middle: float, gap: float, part: Part) -> None:
        """Draw the arrow to the next block, with the layer's words; or the lanes of branches."""
        from matplotlib.patches import FancyBboxPatch

        centre, words = x + gap / 2, middle
        if part.lanes:
            height = len(part.lanes) * (LINE + 0.06)
            left, right = x + 0.25, x + gap - 0.25
            frame = FancyBboxPatch(
                (left, middle - height / 2), right - left, height,
                boxstyle="round,pad=0.04", facecolor="white", edgecolor="black", linewidth=0.8,
            )  # fmt: skip
            self._axes.add_patch(frame)
            for k, lane in enumerate(part.lanes):
                y = middle - height / 2 + (k + 0.5) * (LINE + 0.06)
                self.text(left + 0.02, y, lane, ha="left")
            self._arrow((x + 0.02, middle), (left - 0.04, middle))
            self._arrow((right + 0.04, middle), (x + gap, middle))
            self.text(centre, middle - height / 2 - LINE, part.name, weight="bold")
            words = middle + height / 2
        else:
            self._arrow((x + 0.06, middle), (x + gap - 0.02, middle))
            self.text(centre, middle - LINE * 0.75, part.name, weight="bold")
        for k, line in enumerate(part.lines):
            self.text(centre, words + (k + 0.8) * LINE, line)

    def _around(self, start: float, end: float, middle: float, top: float, what: str) -> None:
        """Draw the way around a residual block, from its input to its output."""
        high = top - 0.2
        line: dict[str, Any] = {"color": "black", "linewidth": 1.0, "zorder": 1}
        self._axes.plot([start, start, end], [middle, high, high], **line)
        self._arrow((end, high), (end, top + 0.02))
        self.text((start + end) / 2, high - LINE * 0.6, what)

    def _arrow(self, tail: tuple[float, float], head: tuple[float, float]) -> None:
        self._axes.annotate(
            "", xy=head, xytext=tail,
            arrowprops={"arrowstyle": "-|>", "color": "black", "linewidth": 0.9,
                        "shrinkA": 0, "shrinkB": 0, "mutation_scale": 8},
        )  # fmt: skip


def wide(text: str, bold: bool = True) -> float:
    """Return the inches that a text takes."""
    return breadth(text, bold) * TEXT / 72
