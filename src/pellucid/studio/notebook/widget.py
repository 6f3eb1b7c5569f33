"""A widget whose front end is the studio's page, and whose back end is the notebook's kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from ...data import Dataset, Parts
from ...errors import ArgumentError, PellucidError
from ...extras import extra
from ...nn import Layer
from ...runs.networks import network
from ...typing import PathLike
from .. import questions  # noqa: F401 - registers what can be asked
from ..envelope import pack, unpack
from ..opening import Studio
from ..page_texts import page_styles, page_texts
from ..registry import QUESTIONS, ForgottenError, answer
from ..single_file.scripts import one_script
from .style import confined

__all__ = ["Answering", "widget"]

# Sends a message to the front end: JSON, and blocks of bytes beside it.
Send = Callable[[dict[str, Any], list[bytes]], None]
# What a kernel that runs one cell after another does not do: train while the page looks on.
LEFT_OUT = ("train/", "build/open")
HEIGHT = ".pellucid-studio .studio { min-height: 0; border: 1px solid var(--line); }"


def widget(
    model: Layer | PathLike,
    images: Dataset | Parts | None = None,
    *,
    name: str = "",
    language: Literal["en", "ko"] | None = None,
) -> Any:
    """Return a widget that shows a network in a notebook: draw, click a unit, see its arithmetic.

    The views are those of `pellucid studio`, without those that train.

    Parameters
    ----------
    model : Layer, path or str
        A model in memory, or what `pellucid studio` opens: a run, a model file, a network's name.
    images : Dataset or Parts, optional
        To look at; by default those that go with a run or model file.
    name : str
        What the page calls the network; by default its class.
    language : {"en", "ko"}, optional
        By default the browser's.

    Raises
    ------
    MissingExtraError
        If anywidget is not installed.
    PellucidError
        If the model cannot be opened.

    Examples
    --------
    >>> import pellucid
    >>> from pellucid.studio.notebook import widget
    >>> shown = widget(pellucid.models.SimpleConvNet(), language="en")
    >>> shown.language
    'en'
    """
    if language not in (None, "en", "ko"):
        raise ArgumentError(f"must be 'en' or 'ko', received {language!r}.", where="language")
    anywidget = extra("anywidget", "notebook", "the studio in a notebook")
    answering = Answering(_studio(model, images, name))

    class StudioWidget(anywidget.AnyWidget):  # type: ignore[misc, name-defined]
        """The studio in a cell."""

        _esm = one_script("notebook/front.js", default=True)
        _css = confined(page_styles(), ".pellucid-studio") + HEIGHT

    traitlets = extra("traitlets", "notebook", "the studio in a notebook")
    made = StudioWidget()
    made.add_traits(
        texts=traitlets.Dict(page_texts()).tag(sync=True),
        language=traitlets.Unicode(language or "").tag(sync=True),
    )
    made.on_msg(lambda _, content, buffers: answering.hear(content, buffers, made.send))
    return made


def _studio(model: Layer | PathLike, images: Dataset | Parts | None, name: str) -> Studio:
    studio = Studio()
    if images is None and not isinstance(model, Layer):
        opened = studio.open(str(model))
        opened.name = name or opened.name
        return studio
    known = model if isinstance(model, Layer) else network(str(model), None, None)
    parts = Parts(images, None, images) if isinstance(images, Dataset) else images
    load = None if parts is None else lambda: parts
    studio.add(known, name or type(known).__name__, load)
    return studio


class Answering:
    """Answers the messages of a front end from a studio.

    Parameters
    ----------
    studio : Studio
    """

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def hear(self, content: dict[str, Any], buffers: list[Any], send: Send) -> None:
        """Answer one question: ``content`` has its name and id, the buffer its arguments."""
        id = content.get("id")
        try:
            found = self._answer(str(content.get("ask")), bytes(buffers[0]), id, send)
        except PellucidError as error:
            kind = "forgotten" if isinstance(error, ForgottenError) else "refused"
            send({"id": id, "error": str(error), "kind": kind}, [])
        except Exception as error:  # a page that waits for ever says less
            send({"id": id, "error": f"{type(error).__name__}: {error}", "kind": "internal"}, [])
        else:
            send({"id": id}, [pack(found)])

    def _answer(self, name: str, arguments: bytes, id: Any, send: Send) -> Any:
        given = unpack(arguments)
        if not isinstance(given, dict):
            raise ArgumentError("must be an object.", where="arguments")
        id_of_network = given.pop("network", None)
        asked = QUESTIONS.get(name)
        about: Any = self.studio
        if asked is None or not asked.studio:
            first = next(iter(self.studio.networks))
            about = self.studio.of(first if id_of_network is None else str(id_of_network))

        def report(done: int, of: int) -> None:
            send({"id": id, "done": done, "of": of}, [])

        found = answer(name, about, given, report)
        if name == "network":
            found["can"] = [each for each in found["can"] if not each.startswith(LEFT_OUT)]
        return found
