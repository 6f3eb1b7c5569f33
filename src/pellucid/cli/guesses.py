"""What a model makes of every image of a data set, as probabilities, with a bar meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .compiling import announced

if TYPE_CHECKING:
    from ..data import Dataset
    from ..nn import Layer
    from ..training.preparation import Engine
    from ..typing import Array

__all__ = ["guesses"]

BATCH = 100  # images at a time


def guesses(model: Layer, dataset: Dataset, engine: Engine) -> Array:
    """Return the probabilities (N, K) of the classes for all images, in their order."""
    import numpy as np
    from rich.console import Console
    from rich.progress import Progress

    from ..data import Loader
    from ..training import predict
    from ..training.preparation import machinery

    batch = min(BATCH, len(dataset))
    parts = machinery(engine, model, dataset.image_shape, batch, frozen=True)
    title = f"{dataset.name}, {dataset.split}"
    console = Console(stderr=True)
    found = []
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, total=len(dataset))

        def live(text: str) -> None:
            progress.update(task, description=text, refresh=True)

        with announced(parts.watched, live):
            for x, _ in Loader(dataset, batch, gather=parts.gather):
                found.append(predict(model, x, batch_size=batch, run=parts.run))
                progress.update(task, advance=len(x), description=title)
    return np.concatenate(found)
