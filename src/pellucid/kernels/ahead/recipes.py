"""How another process finds a kernel: its module, its name, and what its factory was called with.

A kernel that a factory makes, such as ``forward(height=12, vectors=2)``, is not an attribute of its
module. Another process calls the factory with the same arguments.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import FrameType
from typing import Any, NamedTuple

__all__ = ["Recipe", "kernel_of", "recipe_of"]

PACKAGE = __name__.partition(".")[0]
LOCAL = ".<locals>."


class Recipe(NamedTuple):
    """Where a kernel is: ``name`` as in its ``__qualname__``, and the arguments of its factory."""

    module: str
    name: str
    arguments: tuple[Any, ...] = ()
    by_name: tuple[tuple[str, Any], ...] = ()


def recipe_of(function: Callable[..., Any], around: FrameType) -> Recipe | None:
    """Return the recipe of a function that is defined in the frame ``around``.

    None for a function of another package: to import its module may do anything.
    """
    module, name = function.__module__, function.__qualname__
    if module.partition(".")[0] != PACKAGE or name.count(LOCAL) > 1:
        return None
    if LOCAL not in name:
        return Recipe(module, name)
    code, values = around.f_code, around.f_locals
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    given = [(each, values[each]) for each in names]
    first, rest = given[: code.co_argcount], given[code.co_argcount :]
    return Recipe(module, name, tuple(value for _, value in first), tuple(rest))


def kernel_of(recipe: Recipe) -> Any:
    """Return the kernel.

    Raises
    ------
    LookupError
        If it is not what its factory returns.
    """
    place = importlib.import_module(recipe.module)
    found = getattr(place, recipe.name.partition(LOCAL)[0])
    if LOCAL in recipe.name:
        found = found(*recipe.arguments, **dict(recipe.by_name))
    if getattr(found, "__qualname__", None) != recipe.name:
        raise LookupError(recipe.name)
    return found
