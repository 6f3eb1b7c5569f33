"""Names that NumPy had when the book was written, for scripts that still use them."""

from __future__ import annotations

import numpy as np

__all__ = ["give_old_names"]

# np.array(x > 0, dtype=np.int), as in the book's step function: removed in NumPy 1.24.
_OLD = {"bool": bool, "complex": complex, "float": float, "int": int, "object": object, "str": str}


def give_old_names() -> None:
    """Define ``np.int`` as Python's ``int``, and so on, where NumPy lacks the name.

    Examples
    --------
    >>> give_old_names()
    >>> np.array([1.5, -2.0]).astype(vars(np)["int"])
    array([ 1, -2])
    """
    for name, meaning in _OLD.items():
        if name not in vars(np):
            setattr(np, name, meaning)
