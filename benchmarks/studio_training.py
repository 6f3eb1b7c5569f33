"""What a page that looks on takes from a training.

    python benchmarks/studio_training.py [DATA] [EPOCHS]

The same training of `simple` in one studio, in turns without a page and with the view of the
training open in Chromium. Printed are the processor seconds of the studio's process, which others
on the machine disturb less than seconds of the clock, those of the browser, and the seconds.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from pellucid.studio.envelope import pack, unpack
from standalone.browser import CHROMIUM
from studio.serving import serving

TURNS = 2
TICKS = os.sysconf("SC_CLK_TCK")


def processor(*processes: int) -> float:
    """Return the processor seconds of processes so far."""
    fields = [
        Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split() for each in processes
    ]
    return sum(int(each[11]) + int(each[12]) for each in fields) / TICKS


def below(parent: int) -> list[int]:
    """Return the processes that a process started, and theirs."""
    found = []
    for each in Path(f"/proc/{parent}/task").glob("*/children"):
        for child in map(int, each.read_text().split()):
            found += [child, *below(child)]
    return found


def trained(ask: Any, data: str, epochs: int) -> dict[str, Any]:
    """Train, and return what is told at the end."""
    told = ask("train/start", data=data, epochs=epochs)
    while told["state"] not in ("measuring", "finished", "failed"):
        time.sleep(1)
        told = ask("train/state", since=10**9)
    return dict(told)


def main(data: str = "mnist", epochs: str = "1") -> None:
    """Print what a training takes without and with a page, turn by turn."""
    from playwright.sync_api import sync_playwright

    where = {key: os.environ[key] for key in ("PELLUCID_DATA",) if key in os.environ}
    with (
        tempfile.TemporaryDirectory() as folder,
        serving("simple", "--data", data, cwd=Path(folder), **where) as studio,
        studio.client() as client,
        sync_playwright() as started,
    ):

        def ask(name: str, /, **given: Any) -> Any:
            reply = client.post(f"/ask/{name}", content=pack(given))
            assert reply.status_code == 200, reply.text
            return unpack(reply.content)

        trained(ask, data, 1)  # kernels are loaded
        for _ in range(TURNS):
            for page in (False, True):
                browser = None
                if page:
                    browser = started.chromium.launch(
                        executable_path=CHROMIUM, args=["--no-sandbox"]
                    )
                    context = browser.new_context()
                    key = {"name": "", "value": "", "url": studio.origin}
                    for cookie in client.cookies.jar:
                        key |= {"name": cookie.name, "value": str(cookie.value)}
                    context.add_cookies([key])
                    newest = ask("networks")["networks"][0]["id"]
                    view = context.new_page()
                    view.goto(
                        f"{studio.origin}/#view=training&image=test:3&lang=en&network={newest}"
                    )
                    view.wait_for_selector("#training-data")
                children = below(os.getpid())
                children.remove(studio.process.pid)
                before, shown = processor(studio.process.pid), processor(*children)
                begin = time.perf_counter()
                if page:
                    view.fill("#training-epochs", epochs)
                    view.get_by_role("button", name="Train", exact=True).click()
                    time.sleep(0.5)
                    told: dict[str, Any] = {"state": "starting"}
                    while told["state"] not in ("measuring", "finished", "failed"):
                        time.sleep(1)
                        told = ask("train/state", since=10**9)
                else:
                    told = trained(ask, data, int(epochs))
                seconds = time.perf_counter() - begin
                own, theirs = processor(studio.process.pid) - before, processor(*children) - shown
                print(
                    f"{'page' if page else 'none'}: {seconds:6.1f} s, "
                    f"processor {own:6.2f} s, browser {theirs:5.2f} s; "
                    f"between batches {told['share']:.2%}; versions {told['version']}"
                )
                if browser is not None:
                    browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
