"""Evaluation mode for one thread: what others see of the model stays as it is."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .layer import Layer

__all__ = ["evaluating", "here"]


class _Here(threading.local):
    """By the ids of the layers that this thread evaluates: their modes, and what they remember."""

    modes: dict[int, bool] = {}  # noqa: RUF012 - replaced as a whole, never written to
    memories: dict[int, tuple[Any, ...]] = {}  # noqa: RUF012


here = _Here()


class evaluating:  # noqa: N801 - used like a function
    """Within the block, and in this thread alone, put ``model`` into evaluation mode.

    Several threads may do so at once, and one may train the model meanwhile: the modes that the
    other threads see stay as they are, and so does what the layers remember there for `backward`.
    What they remember within the block is dropped at its end.

    Parameters
    ----------
    model : Layer
        With all layers inside it.

    Examples
    --------
    >>> import numpy as np
    >>> from pellucid.nn import Dropout
    >>> dropout = Dropout(0.5)
    >>> with evaluating(dropout):
    ...     print(dropout.training, dropout(np.ones(3)))
    False [1. 1. 1.]
    >>> dropout.training
    True
    """

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
