"""The HTML of an object in a notebook: it loads nothing, and follows the notebook's colours."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

from .html import Html, element

__all__ = ["framed", "stylesheet"]


def framed(*parts: str) -> str:
    """Return the parts as the output of a notebook cell, with the styles that they need.

    Examples
    --------
    >>> framed("<b>")[-34:]
    '</style><div>&lt;b&gt;</div></div>'
    """
    return element("div", element("style", _styles()), element("div", *parts), class_="pellucid")


@lru_cache(maxsize=1)
def _styles() -> Html:
    return Html(stylesheet("notebook.css").replace("PARTS", stylesheet("parts.css")))


@lru_cache(maxsize=3)
def stylesheet(name: str) -> str:
    """Return the text of a stylesheet of the package."""
    return (resources.files("pellucid") / "assets" / name).read_text(encoding="utf-8")
