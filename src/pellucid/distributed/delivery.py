"""Objects that rank 0 deals out to the others, or that they hand in: each goes to one rank only."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import PellucidError
from ..typing import Array
from .communicator import Communicator

__all__ = ["dealt", "handed_in", "portable"]


def dealt(communicator: Communicator, values: Sequence[Any] | None = None) -> Any:
    """Return the one of rank 0's ``values`` that is for this rank; all ranks call it.

    Parameters
    ----------
    communicator : Communicator
    values : sequence, optional
        One for each rank, any objects that pickle; of rank 0.

    Examples
    --------
    >>> from pellucid.distributed import Solo
    >>> dealt(Solo(), ["a"])
    'a'
    """
    size = communicator.size
    sent = [_NOTHING] * size if values is None else [_packed(value) for value in values]
    sizes = communicator.broadcast([len(one) for one in sent])
    own = np.empty(sizes[communicator.rank], np.uint8)
    communicator.exchange(sent, [own, *[_NOTHING] * (size - 1)]).wait()
    return pickle.loads(own.tobytes())


def handed_in(communicator: Communicator, value: Any) -> list[Any] | None:
    """Return the values of all ranks on rank 0, and None on the others; all ranks call it.

    Examples
    --------
    >>> from pellucid.distributed import Solo
    >>> handed_in(Solo(), "a")
    ['a']
    """
    packed, size = _packed(value), communicator.size
    sizes = communicator.gather(len(packed))
    first = communicator.rank == 0
    received = [np.empty(length if first else 0, np.uint8) for length in sizes]
    communicator.exchange([packed, *[_NOTHING] * (size - 1)], received).wait()
    return [pickle.loads(one.tobytes()) for one in received] if first else None


def portable(error: BaseException) -> BaseException:
    """Return an error that can be sent: itself, or another one with its message.

    Examples
    --------
    >>> portable(ValueError("of any class"))
    ValueError('of any class')
    """
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return PellucidError(f"{type(error).__name__}: {error}")
    return error


_NOTHING = np.empty(0, np.uint8)


def _packed(value: Any) -> Array:
    return np.frombuffer(pickle.dumps(value, pickle.HIGHEST_PROTOCOL), np.uint8)
