"""The parts of a data set's images that excite a channel most."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...data import Dataset
from ...engine import compile
from ...errors import ArgumentError, DataError
from ...typing import Array
from ...viz.analysis.patches import strongest
from ...viz.analysis.reach import seen_by
from ...viz.analysis.unit_access import crop
from ..every_value import EveryValue
from ..opened import Opened
from ..registry import Report, question
from ..remembered import Remembered
from .images import shown

__all__ = ["patches"]

MOST = 25  # patches of a channel
BATCH = 100  # images at a time, and fewer where maps are large:
NUMBERS = 1 << 24  # of one value in a batch, 64 MB
_TOP = Remembered(8)  # values whose strongest cells are kept

Top = tuple[Array, Array, Array]


@question("patches")
def patches(
    opened: Opened,
    *,
    value: int,
    channel: int,
    count: int = 9,
    part: str = "test",
    report: Report,
) -> dict[str, Any]:
    """Return where in a data set a channel of a value is largest, at most once in an image.

    ``pictures`` are what the unit sees there, as bytes (n, C, h, w), and ``inside`` which of it
    lies on the image; ``units`` are the units, ``indices`` the images in the data set.
    """
    shape = opened.shapes[opened.require_value(value)]
    if not value:
        raise ArgumentError("is the image itself; choose a value from 1 on.", where="value")
    if not 0 <= channel < shape[0]:
        raise ArgumentError(
            f"must be from 0 to {shape[0] - 1}, received {channel}.", where="channel"
        )
    if not 1 <= count <= MOST:
        raise ArgumentError(f"must be from 1 to {MOST}, received {count}.", where="count")
    images = opened.part(part)
    if not len(images):
        raise DataError(f"the {part} set has no images.", where="part")
    values, indices, cells = _TOP.of(
        opened, (part, value), lambda: _strongest(opened, value, images, report)
    )
    units = [
        (channel, *map(int, np.unravel_index(cell, shape[1:]))) for cell in cells[channel, :count]
    ]
    x, labels = images.batch(indices[channel, :count])
    found = _stacked([_seen(opened, value, *each) for each in zip(units, x, strict=True)])
    return {
        "value": value,
        "channel": channel,
        "values": values[channel, :count].astype(np.float32),
        "indices": indices[channel, :count],
        "labels": labels,
        "units": [list(unit) for unit in units],
        "pictures": shown(opened, found),
        "inside": ~np.isnan(found).any(axis=1),
    }


def _strongest(opened: Opened, value: int, images: Dataset, report: Report) -> Top:
    """Run a data set through the network up to a value; quick questions are answered meanwhile."""
    shape = opened.shapes[value]
    largest = max(math.prod(each) for each in opened.shapes[: value + 1])
    batch = max(1, min(BATCH, NUMBERS // largest))
    plan = compile(_UpTo(opened, value), opened.shapes[0], min(batch, len(images)))
    done = 0

    def run(x: Array) -> Array:
        with opened.lock, opened.model.evaluating(), np.errstate(under="ignore"):
            found: Array = plan(x)
            return found

    def on_batch(count: int) -> None:
        nonlocal done
        done += count
        report(done, len(images))

    report(0, len(images))
    return strongest(
        run, images, shape[0], count=MOST, batch_size=batch, on_batch=on_batch
    )  # fmt: skip


class _UpTo(EveryValue):
    """The network up to one value, its only output."""

    def __init__(self, opened: Opened, value: int) -> None:
        super().__init__(opened.model)
        self.flat, self.output_names = self.flat[:value], None

    def ends(self) -> None:  # type: ignore[override]
        """Return that the last value is the output."""

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the value."""
        shape: tuple[int, ...] = super().output_shape(input_shape)[-1]
        return shape


def _seen(opened: Opened, value: int, unit: tuple[int, ...], image: Array) -> Array:
    """Return what a unit sees of an image; NaN outside."""
    windows = {box.value: box.box for box in seen_by(opened.model, image.shape, value, unit)}
    if 0 not in windows:  # a constant
        return np.full((len(image), 1, 1), np.nan, np.float32)
    rows, columns = ((first, last + 1) for first, last in windows[0][1:])
    return crop(image, rows, columns)


def _stacked(pictures: list[Array]) -> Array:
    """Return pictures in one array; where windows differ in size, with NaN at the end."""
    h, w = (max(one.shape[a] for one in pictures) for a in (1, 2))
    whole = np.full((len(pictures), len(pictures[0]), h, w), np.nan, np.float32)
    for place, one in zip(whole, pictures, strict=True):
        place[:, : one.shape[1], : one.shape[2]] = one
    return whole
