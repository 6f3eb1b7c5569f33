"""The ``__all__`` of a package, derived from its imports."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["exported"]


def exported(namespace: Mapping[str, Any]) -> list[str]:
    """Return the names of classes and functions imported from the package's modules, sorted.

    So a new layer or op is listed in the ``__all__`` of its module, and nowhere else.

    Parameters
    ----------
    namespace : mapping
        The package's ``globals()``, after its imports.

    Examples
    --------
    >>> from pellucid import ops
    >>> exported(vars(ops))[:3]
    ['avg_pool2d', 'avg_pool2d_backward', 'batch_norm']
    """
    home = f"{namespace['__name__']}."
    names = [
        name
        for name, value in namespace.items()
        if not name.startswith("_") and getattr(value, "__module__", "").startswith(home)
    ]
    return sorted(names, key=_order)


def _order(name: str) -> tuple[bool, list[tuple[int, str]]]:
    """Sort as ruff does: classes first, digits by their value."""
    parts = re.split(r"(\d+)", name)
    return not name[:1].isupper(), [(int(p), "") if p.isdigit() else (-1, p) for p in parts]
