"""Open what a user names: a run, a model of any format, a network's name, or a pattern."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data import Parts
from ..data.catalogue import CATALOGUE, source_named
from ..errors import DataNotFoundError, PellucidError, renamed
from ..nn import Layer
from ..runs.folder import RunFolder
from ..runs.images import is_folder
from ..runs.listener import Listener
from ..runs.networks import is_name, network
from ..runs.trained_model import images_of, settings_of
from .events import Events
from .opened import Opened
from .reading import read

if TYPE_CHECKING:
    from .training.live import LiveTraining

__all__ = ["Studio"]


class Studio:
    """The networks that are open in one studio, by id; the first one is shown first.

    Parameters
    ----------
    listener : Listener, optional
        Hears of images that are read.

    Attributes
    ----------
    networks : dict of str to Opened
    built, trained : list of str
        The ids of those that were built, or trained, on the page, the oldest first.
    events : Events
    lessons : dict of str to dict
        One's own, by name, as `read_lesson` returns them; those that come with the studio are not
        among them.
    closing : list of callable
        Called when the studio ends, as what saves a live training.
    training : LiveTraining or None
        The last one that was begun.
    """

    def __init__(self, listener: Listener | None = None) -> None:
        self.listener = listener or Listener()
        self.networks: dict[str, Opened] = {}
        self.built: list[str] = []
        self.trained: list[str] = []
        self._ids = count(1)
        self.events = Events()
        self.lessons: dict[str, dict[str, Any]] = {}
        self.closing: list[Callable[[], None]] = []
        self.training: LiveTraining | None = None

    def open(
        self,
        source: str,
        *,
        image: tuple[int, int, int] | None = None,
        classes: int | None = None,
        data: str | None = None,
        data_dir: Path | None = None,
    ) -> Opened:
        """Open a run folder, a model file, a network's name, or a pattern.

        Parameters
        ----------
        source : str
        image, classes
            For a name or a pattern: the images, and the number of classes; by default those of
            ``data``, if it is a data set by name.
        data, data_dir
            Images to look at; by default those that the model was trained on.

        Raises
        ------
        PellucidError
            If it cannot be opened.
        """
        if data is not None:
            _require_data(data)
        known = CATALOGUE.get(data) if data and is_name(source) else None
        if known is not None:
            image, classes = image or known.image_shape, classes or len(known.classes)
        model = (
            network(source, image, classes)
            if is_name(source)
            else read(source, image, self.listener)
        )
        return self.open_model(model, source, image=image, data=data, data_dir=data_dir)

    def open_model(
        self,
        model: Layer,
        source: str,
        *,
        image: tuple[int, int, int] | None = None,
        data: str | None = None,
        data_dir: Path | None = None,
    ) -> Opened:
        """Open a model that was read from ``source``; the other arguments are those of `open`."""
        if model.input_shape is None and image is not None:
            model.input_shape = image
        new = is_name(source)
        name = source if new else Path(source).resolve().name
        run = None if new else source
        told = None if run is None else settings_of(run).get("data")
        named = data or told or (model.card.dataset if model.card else None)
        load = self._images(model, run, data, data_dir) if named else None
        opened = self.add(model, name, load, source)
        opened.data, opened.data_dir = named or None, data_dir
        return opened

    def add(
        self,
        model: Layer,
        name: str,
        images: Callable[[], Parts] | None = None,
        source: str = "",
    ) -> Opened:
        """Open a model that is in memory."""
        opened = Opened(model, f"n{next(self._ids)}", name, images, source)
        opened.studio = self
        opened.data = model.card.dataset if images and model.card is not None else None
        self.networks[opened.id] = opened
        return opened

    def _images(
        self, model: Layer, run: str | None, data: str | None, data_dir: Path | None
    ) -> Callable[[], Parts]:
        """Return what loads the images of a model."""
        path = None if run is None or RunFolder.of(run) is None else run

        def load() -> Parts:
            return images_of(
                model, path, data, data_dir, download=data is not None, listener=self.listener
            )

        return load

    def of(self, id: str) -> Opened:
        """Return an open network by its id.

        Raises
        ------
        PellucidError
            If none has this id.
        """
        if id not in self.networks:
            raise PellucidError(f"no open network has the id {id!r:.40}. Reload the page.")
        return self.networks[id]


def _require_data(data: str) -> None:
    """Refuse a data set that is not known, or a path that is not there; nothing is read."""
    if not is_folder(data):
        with renamed(name="data"):
            source_named(data)
    elif not Path(data).exists():
        raise DataNotFoundError(f"there is no folder or archive {data!r}.", where="data")
