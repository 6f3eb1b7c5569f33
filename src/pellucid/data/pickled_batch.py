"""Read the Python version of CIFAR, a pickle, without executing it."""

from __future__ import annotations

from typing import Any

from ..formats.pickle_machine import unpickled
from ..formats.pickle_names import NAMES
from ..formats.pickle_scan import Allowed

__all__ = ["read_pickled_batch"]

BATCH = Allowed(
    "batch of CIFAR",
    frozenset(
        name
        for name, meaning in NAMES.items()
        if meaning in ("reconstruct", "ndarray", "dtype", "encode")
    ),
    dtypes=frozenset(("u1", "i4", "i8")),
    axes=range(1, 5),
    instructions=10**6,  # CIFAR-100 has 50,000 file names and twice as many labels
)


def read_pickled_batch(content: bytes, name: str) -> dict[str, Any]:
    """Return the dict pickled in ``content``.

    Parameters
    ----------
    content : bytes
        A pickle of protocol 2 to 4.
    name : str
        Its name in errors.

    Returns
    -------
    dict of str to array, list, str, bytes, int, float or None

    Raises
    ------
    FileFormatError
        If it is not a dict of these; the message names what is not allowed.

    Examples
    --------
    >>> import pickle
    >>> read_pickled_batch(pickle.dumps({b"labels": [6, 9]}, protocol=2), "batch")
    {'labels': [6, 9]}
    >>> read_pickled_batch(pickle.dumps(print), "batch")
    Traceback (most recent call last):
    pellucid.errors.FileFormatError: batch names builtins.print, which a batch of CIFAR does \
not need. It may be an attempt to run a program on your machine; nothing was executed.
    """
    return unpickled(content, name, BATCH)
