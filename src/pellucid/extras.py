"""Optional dependencies: import one where it is used, or say how to install it."""

from __future__ import annotations

import importlib
from typing import Any

from .errors import MissingExtraError

__all__ = ["extra"]


def extra(module: str, name: str, what: str) -> Any:
    """Import ``module``, which the extra ``name`` of Pellucid installs, for ``what`` needs it.

    Raises
    ------
    MissingExtraError
        If it is not installed, or too old to be imported.

    Examples
    --------
    >>> extra("json", "json", "a test").dumps([1])
    '[1]'
    >>> extra("jsonn", "json", "a test")
    Traceback (most recent call last):
    pellucid.errors.MissingExtraError: a test needs the package jsonn, which is not installed. \
Install it: pip install "pellucid[json]"
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        absent = isinstance(error, ModuleNotFoundError) and error.name in (module, package)
        state = "which is not installed" if absent else f"which cannot be imported ({error})"
        raise MissingExtraError(
            f"{what} needs the package {package}, {state}. Install it: "
            f'pip install "pellucid[{name}]"'
        ) from error
