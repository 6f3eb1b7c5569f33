"""What excites a unit most in a data set, cropped to the unit's receptive field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ...data import Dataset
from ...errors import ArgumentError, DataError
from ...nn import Layer
from ...typing import Array
from .asked import asking
from .unit_access import crop, looked_at, part_of, seen, with_activation

__all__ = ["Patches", "TopCells", "patches", "strongest", "top_cells"]


@dataclass(frozen=True)
class TopCells:
    """Where each channel of a layer is largest in a data set, at most once in an image.

    Attributes
    ----------
    layer : str or None
        The layer whose outputs were compared: the activation after the one that was asked for.
        None: the scores of the classes.
    values : array (C, K)
        The largest values of each channel, the largest first.
    images : integer array (C, K)
        In which images.
    cells : integer array (C, K, 2)
        Row and column in the layer's output; 0, 0 for a class or another row of numbers.
    """

    layer: str | None
    values: Array
    images: Array
    cells: Array


@dataclass(frozen=True)
class Patches:
    """The parts of images that excite one unit most.

    Attributes
    ----------
    layer : str or None
    channel : int
    values : array (K,)
    images : integer array (K,)
    pictures : float array (K, C, h, w)
        What the unit sees there; NaN outside the image.
    """

    layer: str | None
    channel: int
    values: Array
    images: Array
    pictures: Array


@asking
def top_cells(
    model: Layer,
    dataset: Dataset,
    layer: str | None = None,
    *,
    count: int = 9,
    batch_size: int = 100,
    on_batch: Callable[[int], None] | None = None,
) -> TopCells:
    """Find where every channel of a layer answers most strongly.

    The engine runs the network up to the layer, batch by batch; of the maps of a batch only the
    largest cells are kept. Source: Zeiler & Fergus 2014, "Visualizing and Understanding
    Convolutional Networks", section 4.

    Parameters
    ----------
    model : Layer
    dataset : Dataset
    layer : str, optional
        Its outputs after the activation, if one follows; by default the scores of the classes.
    count : int
        Images for each channel.
    batch_size : int
        Images at a time.
    on_batch : callable, optional
        Called with the number of images after each batch.

    Raises
    ------
    ArgumentError
        If the layer does not exist, or ``count`` is below 1.
    DataError
        If the data set is empty.

    Examples
    --------
    >>> from pellucid import data, models
    >>> train, test = data.digits()
    >>> top = top_cells(models.SimpleConvNet((1, 8, 8)), test, "conv1")
    >>> top.layer, top.values.shape, top.cells.shape
    ('relu1', (30, 9), (30, 9, 2))
    """
    from ...engine import compile

    if not len(dataset):
        raise DataError("the data set has no images.", where="top_cells")
    name = with_activation(model, layer)
    part = part_of(model, name)
    shape = part.output_shape(dataset.image_shape)
    with looked_at(model):
        run = compile(part, dataset.image_shape, min(batch_size, len(dataset)))
        run.freeze()
        values, images, flat = strongest(
            run, dataset, shape[0], count=count, batch_size=batch_size, on_batch=on_batch
        )
    width = shape[2] if len(shape) == 3 else 1
    return TopCells(name, values, images, np.stack([flat // width, flat % width], axis=-1))


def strongest(
    run: Callable[[Array], Array],
    dataset: Dataset,
    channels: int,
    *,
    count: int = 9,
    batch_size: int = 100,
    on_batch: Callable[[int], None] | None = None,
) -> tuple[Array, Array, Array]:
    """Find the largest number of each channel in each image, and keep those of ``count`` images.

    Parameters
    ----------
    run : callable
        Returns maps (N, C, ...) of up to ``batch_size`` images.
    dataset, count, batch_size, on_batch
        As in `top_cells`.
    channels : int
        C.

    Returns
    -------
    values : array (C, K)
        The largest first.
    images, cells : integer arrays (C, K)
        In which image, and where: the flat position in the map.

    Raises
    ------
    ArgumentError
        If ``count`` is below 1.
    """
    from ...engine import Gather

    if count < 1:
        raise ArgumentError(f"must be 1 or more, received {count}.", where="count")
    values: Array = np.empty((0, channels))
    found: Array = np.empty((0, channels), dtype=np.int64)
    places: Array = np.empty((0, channels), dtype=np.int64)
    gather = Gather()
    for start in range(0, len(dataset), batch_size):
        chosen = np.arange(start, min(start + batch_size, len(dataset)))
        x, _ = gather(dataset, chosen)
        flat = run(x).reshape(len(chosen), channels, -1)
        cell = flat.argmax(axis=2)
        best = np.take_along_axis(flat, cell[..., None], axis=2)[..., 0]
        values = np.concatenate([values, best])
        found = np.concatenate([found, np.broadcast_to(chosen[:, None], best.shape)])
        places = np.concatenate([places, cell])
        order: Array = np.argsort(-values, axis=0, kind="stable")[:count]
        values, found, places = (
            np.take_along_axis(a, order, axis=0) for a in (values, found, places)
        )
        if on_batch is not None:
            on_batch(len(chosen))
    return values.T, found.T, places.T


@asking
def patches(
    model: Layer, dataset: Dataset, top: TopCells, channels: Sequence[int]
) -> list[Patches]:
    """Crop the receptive fields of the cells where units answer most strongly.

    Parameters
    ----------
    model, dataset
        Those of `top_cells`.
    top : TopCells
    channels : sequence of int
        Which units.

    Raises
    ------
    ArgumentError
        If a channel does not exist.

    Examples
    --------
    >>> from pellucid import data, models
    >>> train, test = data.digits()
    >>> model = models.SimpleConvNet((1, 8, 8))
    >>> (unit,) = patches(model, test, top_cells(model, test, "conv1"), [2])
    >>> unit.pictures.shape
    (9, 1, 5, 5)
    """
    from ...receptive import ReceptiveField

    wrong = [k for k in channels if not 0 <= k < len(top.values)]
    if wrong:
        raise ArgumentError(
            f"layer '{top.layer or 'classes'}' has channels 0 to {len(top.values) - 1}, received "
            f"{wrong[0]}.",
            where="channels",
        )
    shape = dataset.image_shape
    part = part_of(model, top.layer)
    flat = len(part.output_shape(shape)) == 1
    field = (
        ReceptiveField(everything=True) if flat else part.receptive_field(ReceptiveField(), shape)
    )
    made = []
    for k in channels:
        x, _ = dataset.batch(top.images[k])
        pictures = [
            crop(image, *seen(field, (int(i), int(j)), shape))
            for image, (i, j) in zip(x, top.cells[k], strict=True)
        ]
        made.append(Patches(top.layer, k, top.values[k], top.images[k], np.stack(pictures)))
    return made
