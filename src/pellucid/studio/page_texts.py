"""The words and the style of the page, for those who show its views elsewhere."""

from __future__ import annotations

import json
import re
from importlib import resources

__all__ = ["LANGUAGES", "page_styles", "page_texts"]

LANGUAGES = ("en", "ko")


def page_texts() -> dict[str, dict[str, str]]:
    """Return the texts of the page by language."""
    return {each: json.loads(_file(f"texts/{each}.json")) for each in LANGUAGES}


def page_styles() -> str:
    """Return the style sheets of the page, in their order."""
    sheets = re.findall(r'<link rel="stylesheet" href="([^"]+)">', _file("index.html"))
    return "".join(map(_file, sheets))


def _file(name: str) -> str:
    return (resources.files("pellucid.studio") / "page" / name).read_text(encoding="utf-8")
