"""The exports of a package: derived from its modules, or imported on first use."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["exported", "on_demand"]


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
    >>> "conv2d" in exported(vars(ops)), "np" in exported(vars(ops))
    (True, False)
    """
    home = f"{namespace['__name__']}."
    names = [
        name
        for name, value in namespace.items()
        if not name.startswith("_") and getattr(value, "__module__", "").startswith(home)
    ]
    return sorted(names, key=_order)


def on_demand(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a package's ``__getattr__``, which imports a name's module on first use.

    Parameters
    ----------
    package : str
        The package's ``__name__``.
    homes : mapping of str to str
        The module of each public name, within the package.
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f".{homes[name]}", package), name)

    return get


def _order(name: str) -> tuple[int, list[tuple[int, str]]]:
    """Sort as ruff does: names in capitals first, then classes, digits by their value."""
    parts = re.split(r"(\d+)", name)
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, [(int(p), "") if p.isdigit() else (-1, p) for p in parts]
