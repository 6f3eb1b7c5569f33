"""Models as programs that need neither this library nor another one of its kind.

`to_numpy` writes a file of Python that needs NumPy only, `to_html` a page that needs a browser.
"""

from __future__ import annotations

from .calls import Call, becomes
from .page.writing import to_html
from .script.writing import to_numpy

__all__ = ["Call", "becomes", "to_html", "to_numpy"]
