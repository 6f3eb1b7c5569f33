"""What is kept of a studio: the network with its views as one file."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ..opened import Opened
from ..registry import Report, question

__all__ = ["file"]


@question("keep/file")
def file(
    opened: Opened, *, language: str = "en", float16: bool = False, report: Report
) -> dict[str, Any]:
    """Return an HTML file in which the network plays without a server, and a name for it."""
    from ..single_file import document

    lessons = opened.studio.lessons if opened.studio is not None else {}
    text = document(opened, language=language, float16=float16, lessons=lessons, report=report)
    name = re.sub(r"\W+", "-", opened.name).strip("-") or "network"
    return {"name": f"{name}.html", "file": np.frombuffer(text.encode("utf-8"), np.uint8)}
