"""What a model makes of every image of a data set, with a bar meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from ..names import shown
from .compiling import announced

if TYPE_CHECKING:
    from ..data import Dataset
    from ..kernels.compiling import Compiling
    from ..nn import Layer
    from ..training.engines import EngineLike
    from ..typing import Array

__all__ = ["BATCH", "guesses", "image_bar"]

BATCH = 100  # images at a time


def guesses(model: Layer, dataset: Dataset, engine: EngineLike) -> Array:
    """Return the probabilities (N, K) of the classes for all images, in their order."""
    import numpy as np

    from ..data import Loader
    from ..training import predict
    from ..training.engines import as_engine

    batch = min(BATCH, len(dataset))
    engine = as_engine(engine)
    run = engine.prepare(model, dataset.image_shape, batch, frozen=True)
    found = []
    with image_bar(dataset, partial(engine.watched, run, training=False)) as advance:
        for x, _ in Loader(dataset, batch, gather=engine.gather()):
            found.append(predict(model, x, batch_size=batch, run=run))
            advance(len(x))
    return np.concatenate(found)


@contextmanager
def image_bar(
    dataset: Dataset,
    watched: Callable[[Callable[[Compiling], None]], AbstractContextManager[None]],
) -> Iterator[Callable[[int], None]]:
    """Within the block, draw a bar over the images if standard error is a terminal.

    Yields
    ------
    callable
        To be told how many images more are done.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress

    title = escape(f"{shown(dataset.name, 40)}, {dataset.split}")
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, total=len(dataset))

        def advance(images: int) -> None:
            progress.update(task, advance=images, description=title)

        def live(text: str) -> None:
            progress.update(task, description=escape(text), refresh=True)

        with announced(watched, live):
            yield advance
