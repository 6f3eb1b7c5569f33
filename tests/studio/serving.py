"""A studio as a person has it: `pellucid studio` in a process of its own, and a browser."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from cli.conftest import environment

__all__ = ["Serving", "serving", "signed_in"]

PATIENCE = 120  # seconds, on a machine with much else to do


class Serving:
    """A studio that runs.

    Attributes
    ----------
    process : Popen
    address : str
        As it was printed: with a key that works once.
    origin : str
        http://host:port
    errors : list of str
        The lines of its standard error so far.
    """

    def __init__(self, process: subprocess.Popen[str], address: str, errors: list[str]) -> None:
        self.process, self.address, self.errors = process, address, errors
        self.origin, self.key = address.split("/door#")
        self.port = int(self.origin.rpartition(":")[2])

    @contextmanager
    def client(
        self, cookies: httpx.Cookies | dict[str, str] | None = None
    ) -> Iterator[httpx.Client]:
        """Open a client that sends what a page sends.

        It trades the key for the cookie, which works once: pass its ``cookies`` to others.
        """
        headers = {"Origin": self.origin, "Sec-Fetch-Site": "same-origin"}
        with httpx.Client(
            base_url=self.origin,
            headers=headers,
            cookies=cookies,
            timeout=PATIENCE,
            trust_env=False,
        ) as client:
            if cookies is None:
                client.post("/trade", content=self.key).raise_for_status()
            yield client

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@contextmanager
def serving(
    *arguments: str | Path, cwd: Path, program: tuple[str, ...] = ("-m", "pellucid"), **env: str
) -> Iterator[Serving]:
    """Start ``pellucid studio ARGUMENTS --no-open``, and end it after the block by SIGTERM::

    with serving("simple", cwd=tmp_path) as studio:
        page = signed_in(browser, studio)
    """
    process = subprocess.Popen(
        [sys.executable, *program, "studio", *map(str, arguments), "--no-open"],
        cwd=cwd,
        env=environment(**env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    assert process.stdout is not None
    assert process.stderr is not None
    errors: list[str] = []
    reading = threading.Thread(target=errors.extend, args=[process.stderr])
    reading.start()
    studio = None
    try:
        address = process.stdout.readline().strip()
        assert address, f"the studio did not start: {''.join(errors)}"
        studio = Serving(process, address, errors)
        yield studio
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
        reading.join()
        process.stdout.close()
        process.stderr.close()


def signed_in(browser: Any, studio: Serving, state: str = "", **options: Any) -> Any:
    """Return a new page of a Chromium that shows the studio, as its printed address opens it.

    ``state`` is what stands after # in the page's address, such as ``"view=maps&value=1"``. The
    page has collected `requests` and `errors`. A second page needs the cookie of the first,
    since a key works once: give ``browser.new_context()`` here, and open it in that.
    """
    page = browser.new_page(**options)
    page.set_default_timeout(1000 * PATIENCE)
    page.requests, page.errors = [], []
    page.on("request", lambda request: page.requests.append(request.url))
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on(
        "console",
        lambda message: message.type == "error" and page.errors.append(message.text),
    )
    page.goto(studio.address)
    page.wait_for_url(lambda url: "/door" not in url)
    if state:
        page.goto(f"{studio.origin}/#{state}")
        page.reload()
    return page
