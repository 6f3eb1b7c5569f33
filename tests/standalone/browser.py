"""An installed Chromium, and what tests do on the page of a network."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def opened(browser: Any, path: Path, **options: Any) -> Any:
    """Return a page with the file, which has collected `requests` and `errors`."""
    page = browser.new_page(**options)
    page.set_default_timeout(120_000)  # milliseconds, on a machine with much else to do
    page.requests, page.errors = [], []
    page.on("request", lambda request: page.requests.append(request.url))
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("console", lambda message: page.errors.append(message.text))
    page.goto(path.as_uri())
    return page


def give(page: Any, picture: Path) -> list[float]:
    """Choose a picture file, and return the scores."""
    page.locator("#file").set_input_files(picture)
    return scores(page)


def scores(page: Any) -> list[float]:
    """Wait until all is computed, and return the scores."""
    page.wait_for_selector("body[data-state=ready][data-scores]", state="attached", timeout=120_000)
    return json.loads(page.evaluate("document.body.dataset.scores"))


def forget(page: Any) -> None:
    """Clear the sheet."""
    page.locator("#clear").click()


def stroke(page: Any, *points: tuple[float, float]) -> None:
    """Draw a line with the mouse through places in shares of the sheet."""
    box = page.locator("#sheet").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=5)
    page.mouse.up()


def saved(page: Any, canvas: str, path: Path) -> Path:
    """Write what a canvas shows as a PNG file."""
    url = page.evaluate(f"document.querySelector('{canvas}').toDataURL()")
    path.write_bytes(base64.b64decode(url.split(",")[1]))
    return path
