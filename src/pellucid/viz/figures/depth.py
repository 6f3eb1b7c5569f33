"""Patches and optimal inputs of units, from the first layer to the classes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...data import Dataset
from ...errors import ArgumentError
from ...nn import Layer
from ...typing import Array
from ..analysis.asked import asking
from ..analysis.optimal import optimal_inputs
from ..analysis.patches import Patches, patches, top_cells
from ..analysis.unit_access import field_of, part_of, unit_layers
from ..drawing.canvas import as_written, new_figure
from ..drawing.writing import figure_text, figure_texts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["DepthUnit", "depth", "units_by_depth"]

SIDE = 0.72  # inches: the longer side of the nine patches
LETTERS = 7.6  # points: on a page of 800 pixels, five units wide, they are 8 pixels high
DOTS = 210  # an inch
NAMES = 1.3  # inches: the column with the names of the layers
GAP = 0.12
MOST_CLASSES = 10
LONGEST_LAYER, LONGEST_TITLE = 11.0, 8.5  # in units of the letters' size


@dataclass(frozen=True)
class DepthUnit:
    """One unit, and what excites it.

    Attributes
    ----------
    layer : str or None
        None for a class.
    title : str
        Its number in the layer, or the name of the class.
    patches : Patches
    optimal : array (C, h, w) or None
    field : str
        How many rows and columns of the input it sees.
    """

    layer: str | None
    title: str
    patches: Patches
    optimal: Array | None
    field: str


@asking
def units_by_depth(
    model: Layer,
    dataset: Dataset,
    *,
    layers: Sequence[str | None] | None = None,
    channels: Sequence[int] | None = None,
    most: int = 5,
    count: int = 9,
    steps: int = 200,
    seed: int = 0,
    batch_size: int = 100,
    on_batch: Callable[[str | None, int], None] | None = None,
) -> list[DepthUnit]:
    """Return the units that `depth` draws, computed.

    Parameters
    ----------
    model : Layer
    dataset : Dataset
    layers : sequence of str or None, optional
        None stands for the classes. By default up to five convolutions, from the first to the last,
        and the classes.
    channels : sequence of int, optional
        Which units, if one layer is given. By default the ones with the largest values.
    most : int
        Units of each layer; of the classes up to ten.
    count : int
        Patches of a unit.
    steps : int
        Of the ascent to the optimal input; 0 for none.
    seed, batch_size
        As in `optimal_inputs` and `top_cells`.
    on_batch : callable, optional
        Called with the layer's name and the number of images done, or 0 before an ascent.

    Raises
    ------
    ArgumentError
        If a layer or channel does not exist, or channels are given for several layers.
    """
    if layers is None:
        layers = [*unit_layers(model), None]
    if channels is not None and len(layers) != 1:
        raise ArgumentError(
            f"belong to one layer; there are {len(layers)}. Name the layer, too.", where="channels"
        )
    made = []
    for layer in layers:

        def advance(images: int, layer: str | None = layer) -> None:
            if on_batch is not None:
                on_batch(layer, images)

        top = top_cells(model, dataset, layer, count=count, batch_size=batch_size, on_batch=advance)
        chosen = channels
        if chosen is None and not layer:
            chosen = range(min(len(top.values), MOST_CLASSES))
        if chosen is None:
            order = np.argsort(-top.values.mean(axis=1), kind="stable")
            chosen = [int(k) for k in order[:most]]
        found = patches(model, dataset, top, chosen)
        advance(0)
        seen = field_of(model, top.layer, dataset.image_shape)
        flat = len(part_of(model, top.layer).output_shape(dataset.image_shape)) == 1
        whole = flat or seen.everything
        field = "all" if whole else str(seen)
        best: list[Array] | list[None] = [None] * len(found)
        if steps:
            best = optimal_inputs(model, layer, chosen, steps=steps, seed=seed)
        for k, unit, optimal in zip(chosen, found, best, strict=True):
            named = not layer and len(dataset.classes) == len(top.values)
            title = dataset.classes[k] if named else f"{k}"
            made.append(DepthUnit(layer, title, unit, optimal, field))
    return made


@as_written
def depth(units: Sequence[DepthUnit], *, columns: int = 5) -> Figure:
    """Draw units from the first layer to the last: their patches, beside each its optimal input.

    What lies outside an image is hatched. Sources: Zeiler & Fergus 2014, figure 2 (patches);
    Yosinski et al. 2015, section 3 (optimal inputs).

    Parameters
    ----------
    units : sequence of DepthUnit
        As `units_by_depth` makes them.
    columns : int
        Units beside each other.

    Raises
    ------
    ArgumentError
        If there are no units.

    Examples
    --------
    >>> from pellucid import data, models
    >>> train, test = data.digits()
    >>> model = models.SimpleConvNet((1, 8, 8))
    >>> units = units_by_depth(model, test.take(20), layers=["conv1"], most=2, steps=5)
    >>> len(depth(units).axes)                      # two units: patches and optimal input
    4
    """
    if not units:
        raise ArgumentError("needs at least one unit.", where="depth")
    texts = figure_texts([unit.title for unit in units], LONGEST_TITLE)
    titles = {id(unit): text for unit, text in zip(units, texts, strict=True)}
    lines: list[list[DepthUnit]] = []
    for unit in units:
        if not lines or lines[-1][0].layer != unit.layer or len(lines[-1]) == columns:
            lines.append([])
        lines[-1].append(unit)
    wide = max(map(len, lines))
    shown = any(unit.optimal is not None for unit in units)
    cell = SIDE * (2 if shown else 1) + GAP * (2 if shown else 1)
    width, row = NAMES + wide * (cell + GAP) + GAP, SIDE + 0.36
    height = len(lines) * row + 0.5
    figure = new_figure(width, height, DOTS)
    figure.set_layout_engine("none")
    text = "for each unit: the image patches that excite it most"
    if shown:
        text += ", and right of them an input made to excite it"
    figure.text(GAP / width, 1 - 0.2 / height, text, fontsize=8, va="center")
    for line, members in enumerate(lines):
        top = 0.45 + line * row + 0.2
        first = members[0]
        if line == 0 or lines[line - 1][0].layer != first.layer:
            name = figure_text(first.layer, LONGEST_LAYER) if first.layer else "classes"
            label = f"{name}\nsees {first.field}"
            figure.text(
                GAP / width, 1 - (top + SIDE / 2) / height, label, fontsize=LETTERS, va="center"
            )
        for place, unit in enumerate(members):
            left = NAMES + place * (cell + GAP)

            def box(x: float, top: float = top) -> tuple[float, float, float, float]:
                return x / width, 1 - (top + SIDE) / height, SIDE / width, SIDE / height

            axes = figure.add_axes(box(left))
            _draw_patches(axes, unit.patches)
            silent = "" if unit.patches.values[0] > 0 else ": never above 0"
            axes.set_title(titles[id(unit)] + silent, fontsize=LETTERS, pad=2, loc="left")
            if unit.optimal is not None:
                axes = figure.add_axes(box(left + SIDE + GAP / 2))
                _draw(axes, unit.optimal)
                axes.spines[:].set_linewidth(1.2)
    return figure


def _draw_patches(axes: Axes, unit: Patches) -> None:
    """Draw all patches of a unit on one axes, with gaps between."""
    count, c, h, w = unit.pictures.shape
    side = math.ceil(math.sqrt(count))
    rows = math.ceil(count / side)
    gap = max(1, round(max(h, w) / 12))
    sheet = np.full((c, rows * (h + gap) - gap, side * (w + gap) - gap), np.nan)
    for k, picture in enumerate(unit.pictures):
        y, x = (k // side) * (h + gap), (k % side) * (w + gap)
        sheet[:, y : y + h, x : x + w] = picture
    _draw(axes, sheet, hatch=False)
    from matplotlib.patches import Rectangle

    for k in range(count):
        y, x = (k // side) * (h + gap), (k % side) * (w + gap)
        corner = (x - 0.5, y - 0.5)
        under = Rectangle(corner, w, h, facecolor="white", edgecolor="0.55", hatch="/////", lw=0)
        axes.add_patch(under).set_zorder(-1)
        # An outline, or white patches would run into the page.
        axes.add_patch(Rectangle(corner, w, h, fill=False, edgecolor="0.3", lw=0.5, clip_on=False))
    axes.set_axis_off()


def _draw(axes: Axes, picture: Array, *, hatch: bool = True) -> None:
    """Draw an image (C, H, W), hatched where it is NaN."""
    c, h, w = picture.shape
    colours = picture if c == 3 else np.repeat(picture.mean(axis=0, keepdims=True), 3, axis=0)
    known = ~np.isnan(colours).any(axis=0)
    rgba = np.zeros((h, w, 4))
    rgba[..., :3] = np.nan_to_num(colours).clip(0, 1).transpose(1, 2, 0)
    rgba[..., 3] = known
    if hatch:
        axes.patch.set(facecolor="white", edgecolor="0.55", hatch="/////")
    axes.imshow(rgba, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
