"""Evaluation mode for one thread, invisible to the others."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .layer import Layer

__all__ = ["Evaluation", "here"]


class _Here(threading.local):
    """Modes and cached activations, by id, of the layers that this thread evaluates."""

    modes: dict[int, bool] = {}  # noqa: RUF012 - replaced as a whole, never written to
    memories: dict[int, tuple[Any, ...]] = {}  # noqa: RUF012


here = _Here()


class Evaluation:
    """The block of `Layer.evaluating`: swaps this thread's modes and memories in and out."""

    def __init__(self, model: Layer) -> None:
        self.model = model

    def __enter__(self) -> None:
        modes = {id(layer): layer.trains_in(False) for _, layer in self.model.layers()}
        self._outside = here.modes, here.memories
        here.memories = dict(here.memories)
        here.modes = here.modes | modes

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        here.modes, here.memories = self._outside
