"""The progress of a training in a notebook: one output that is updated in place."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from ..display.html import element
from ..display.notebook import Output

__all__ = ["NotebookBar"]

EVERY = 0.1  # seconds between two updates at least
RECENT = 30.0  # seconds over which the speed is measured


class NotebookBar:
    """A bar with the methods of `rich.progress.Progress` that `ProgressBar` calls."""

    def __init__(self) -> None:
        self._output = Output()
        self._fields = {"description": "", "news": "", "notice": "", "line": ""}
        self._drawn = -EVERY

    def add_task(self, _: str, *, total: int, completed: int, **fields: str) -> None:
        """Begin at ``completed`` of ``total`` images."""
        self._total, self._done = total, completed
        self._recent = deque([(time.monotonic(), completed)])
        self._fields |= fields

    def start(self) -> None:
        """Show the bar."""
        self.refresh()

    def update(
        self, _: Any = None, *, advance: int = 0, refresh: bool = False, **fields: str
    ) -> None:
        """Change what is shown, at most ten times a second."""
        now = time.monotonic()
        if fields.get("notice") or (self._fields["notice"] and advance):
            self._recent.clear()  # the time of the compiler does not count
        self._fields |= fields
        self._done += advance
        self._recent.append((now, self._done))
        while now - self._recent[0][0] > RECENT:
            self._recent.popleft()
        if refresh or now - self._drawn >= EVERY:
            self.refresh()

    def refresh(self) -> None:
        """Draw it now."""
        self._drawn = time.monotonic()
        shown = self._fields
        self._show(shown["notice"] or f"{shown['description']}  {shown['news']}{self._pace()}")

    def stop(self) -> None:
        """Leave the bar as it is, with the last epoch's line."""
        self._show(self._fields["line"] or "stopped in the first epoch")

    def _show(self, text: str) -> None:
        bar = element("progress", max=str(max(self._total, 1)), value=str(self._done))
        words = element("span", "  ".join(text.split("  ")))
        self._output.show(element("p", bar, words, style="white-space: pre-wrap"), text)

    def _pace(self) -> str:
        """Return images a second, and the time left."""
        (begin, before), (end, done) = self._recent[0], self._recent[-1]
        if end <= begin or done <= before:
            return ""
        speed = (done - before) / (end - begin)
        minutes, seconds = divmod(round((self._total - done) / speed), 60)
        left = f"{minutes // 60}:{minutes % 60:02}" if minutes >= 60 else f"{minutes:02}"
        return f"  {speed:,.0f} images/s  {left}:{seconds:02} left"
