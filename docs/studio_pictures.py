"""Make the pictures and the recording of the studio: what a person sees who uses it.

    python docs/studio_pictures.py [--data-dir FOLDER] [--runs FOLDER] [--only NAME,...]

FOLDER holds MNIST's four files; without it the embedded digits are used. Two networks are trained
first (minutes) unless --runs has them from an earlier time. Needs `pellucid[studio]`, playwright
and an installed Chromium. It is run by hand, and the pictures are in the repository. In the
recording each change is shown as soon as the page has it: what a slow machine waits for is left
out.
"""

from __future__ import annotations

import argparse
import io
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image, ImageDraw

HERE = Path(__file__).parent
PICTURES = HERE / "images" / "studio"
WAIT = 200_000  # milliseconds
COLOURS, PAINTS = 256, 160  # of a picture, and of the recording
SHARPNESS = 1.25  # pixels for a pixel of the page
SIZE = {"width": 1280, "height": 800}
RECORDED = {"width": 1120, "height": 720}
SEVEN = [(0.24, 0.22), (0.73, 0.19), (0.62, 0.42), (0.45, 0.84)]  # shares of the sheet
STILL = """() => new Promise((done) => {
    const begun = performance.now();
    let timer = setTimeout(done, 700);
    new MutationObserver(() => {
        clearTimeout(timer);
        timer = setTimeout(done, performance.now() - begun < 20_000 ? 700 : 0);
    }).observe(document.body, { subtree: true, childList: true, attributes: true });
})"""

# What the studio has open: a trained network, ResNet-20, and one with fresh weights.
TRAINED, RESNET, FRESH = "n1", "n2", "n3"


class Picture(NamedTuple):
    """A picture: what the page shows, and what there is to see."""

    name: str
    state: str  # {hard} stands for an image that is not easy
    says: str
    prepare: Callable[[Any], None] | None = None


def scrolled(selector: str) -> Callable[[Any], None]:
    """Return what scrolls an element to the upper edge of the page."""

    def scroll(page: Any) -> None:
        page.locator(selector).first.wait_for()
        page.locator(selector).first.evaluate(
            "(element) => scrollBy({ top: element.getBoundingClientRect().top - 12, "
            "behavior: 'instant' })"
        )
        page.evaluate(STILL)

    return scroll


def trains(page: Any) -> None:
    """Begin a training, and wait for its third epoch."""
    page.fill("#training-epochs", "40")
    page.get_by_role("button", name="Train", exact=True).click()
    page.get_by_text(re.compile(r"Epoch ([3-9]|\d\d) of 40, step")).first.wait_for()
    page.get_by_role("button", name="Pause", exact=True).click()
    page.get_by_text("Paused in epoch").first.wait_for()


def errs(page: Any) -> None:
    """Choose the cell with the most mistakes, and the first of its images."""
    cells = page.locator(".by-class button")
    counts = [int(text.split("(")[1].rstrip(")")) for text in cells.all_inner_texts()]
    cells.nth(counts.index(max(counts))).click()
    page.locator("section:nth-of-type(2) .card").first.click()
    page.wait_for_selector("[data-method=occlusion] details")
    scrolled("section:nth-of-type(2)")(page)


PICTURED = [
    Picture(
        "network",
        f"network={RESNET}&view=network&image=test:0&value=10&zoom=0.75",
        "ResNet-20 as a graph of volumes: each block with its shortcut, and what the chosen layer "
        "costs.",
    ),
    Picture(
        "maps",
        f"network={TRAINED}&view=maps&image=test:0&value=1&tile=84",
        "The feature maps of a 7 on one scale: orange is positive, blue negative.",
    ),
    Picture(
        "unit",
        f"network={TRAINED}&view=unit&image=test:0&value=1&unit=29.8.12",
        "How one number is computed: window, filter, products, their sum, and the bias.",
        scrolled(".map-figure"),
    ),
    Picture(
        "back",
        f"network={TRAINED}&view=back&image=test:{{hard}}&value=1&unit=11.10.6&class=7",
        "The way back of a 7 that is taken for a 9: what arrives at a unit, and what it hands on.",
        scrolled("[data-part=loss]"),
    ),
    Picture(
        "training",
        f"network={FRESH}&view=training&image=test:0",
        "A training as it goes on: loss, accuracy, and the image of the moment.",
        trains,
    ),
    Picture(
        "errors",
        f"network={TRAINED}&view=errors&image=test:0",
        "The images of a cell of the confusion matrix, and why one of them is taken for another "
        "class.",
        errs,
    ),
]
DARK = "unit"  # is also shown dark


# A studio and its page --------------------------------------------------------------------------


def trained(runs: Path, name: str, *options: str) -> Path:
    """Return a run folder, trained now unless it is there."""
    folder = runs / name
    if not folder.exists():
        command = [sys.executable, "-m", "pellucid", "train", *options, "--out", str(folder)]
        subprocess.run(command, check=True)
    return folder.resolve()


@contextmanager
def studio(*arguments: str | Path) -> Iterator[str]:
    """Run ``pellucid studio`` in an empty folder, and give the address that it prints."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pellucid", "studio", *map(str, arguments)]
        process = subprocess.Popen(
            [*command, "--no-open", "--quiet"], cwd=folder, stdout=subprocess.PIPE, text=True
        )
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
            process.wait()


def show(page: Any, state: str) -> None:
    """Show a state, and wait until the page stands still."""
    page.evaluate("(state) => { location.hash = state; location.reload(); }", f"lang=en&{state}")
    page.wait_for_selector(".drawing .hint:visible" if "blank" in state else ".classes .best")
    page.evaluate(STILL)


def photograph(page: Any, picture: Picture, hard: int, theme: str = "light") -> None:
    """Write a picture of the page as a PNG with a palette."""
    show(page, f"{picture.state.format(hard=hard)}&theme={theme}")
    if picture.prepare:
        picture.prepare(page)
    page.mouse.move(1, 1)
    file = PICTURES / f"{picture.name}{'-dark' if theme == 'dark' else ''}.png"
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    image.quantize(COLOURS, kmeans=4, dither=Image.Dither.NONE).save(file, optimize=True)
    print(file.name, f"{file.stat().st_size / 1000:.0f} KB", flush=True)


# The recording ----------------------------------------------------------------------------------


class Recording:
    """Frames of a page, each with the time that it stands, and the mouse drawn into them."""

    def __init__(self, page: Any) -> None:
        self.page, self.at = page, (500.0, 620.0)
        self.frames: list[Image.Image] = []
        self.times: list[int] = []  # milliseconds

    def take(self, milliseconds: int) -> None:
        """Add what the page shows; what is as before stands longer."""
        image = Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")
        x, y = self.at
        arrow = [(0, 0), (0, 17), (4, 13), (7, 20), (10, 19), (7, 12), (12, 12)]
        place = [(x + dx, y + dy) for dx, dy in arrow]
        ImageDraw.Draw(image).polygon(place, fill="black", outline="white")
        if self.frames and image.tobytes() == self.frames[-1].tobytes():
            self.times[-1] += milliseconds
        else:
            self.frames.append(image)
            self.times.append(milliseconds)

    def move(self, x: float, y: float, steps: int = 4, milliseconds: int = 80) -> None:
        """Move the mouse, with a frame at each step."""
        x0, y0 = self.at
        for k in range(1, steps + 1):
            self.at = (x0 + (x - x0) * k / steps, y0 + (y - y0) * k / steps)
            self.page.mouse.move(*self.at)
            self.page.wait_for_timeout(150)  # the page answers while one draws
            self.take(milliseconds)

    def click(self, selector: str, where: tuple[float, float] = (0.5, 0.5)) -> None:
        """Go to a place of an element, given in shares of its size, and click."""
        box = self.page.locator(selector).first.bounding_box()
        self.move(box["x"] + where[0] * box["width"], box["y"] + where[1] * box["height"])
        self.page.mouse.click(*self.at)

    def scroll(self, selector: str, above: int = 12, steps: int = 4) -> None:
        """Scroll until an element has so many pixels above it."""
        element = self.page.locator(selector).first
        top = element.evaluate("(element) => element.getBoundingClientRect().top") - above
        for _ in range(steps):
            self.page.evaluate("(y) => scrollBy({ top: y, behavior: 'instant' })", top / steps)
            self.page.wait_for_timeout(200)
            self.take(90)

    def save(self, file: Path) -> None:
        """Write a GIF: one palette for all frames, of which each holds what has changed."""
        sheet = Image.new("RGB", (RECORDED["width"], RECORDED["height"] * 8))
        for k in range(8):
            frame = self.frames[k * (len(self.frames) - 1) // 7]
            sheet.paste(frame, (0, k * RECORDED["height"]))
        palette = sheet.quantize(PAINTS, kmeans=4, dither=Image.Dither.NONE)
        first, *rest = (f.quantize(palette=palette, dither=Image.Dither.NONE) for f in self.frames)
        first.save(
            file, save_all=True, append_images=rest, duration=self.times, loop=0, optimize=True
        )
        seconds, size = sum(self.times) / 1000, file.stat().st_size / 1e6
        print(file.name, f"{len(self.frames)} frames, {seconds:.0f} s, {size:.1f} MB", flush=True)


def record(page: Any) -> Recording:
    """Draw a 7, click a unit of a map, go back from the loss, and train a network from scratch."""
    show(page, f"network={TRAINED}&view=maps&image=blank&value=1&theme=light&tile=84")
    film = Recording(page)
    film.take(700)
    box = page.locator(".drawing").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in SEVEN]
    film.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        film.move(*place, steps=6, milliseconds=110)
    page.mouse.up()
    page.evaluate(STILL)
    film.take(1300)
    film.click("main .sheet-row:nth-child(2) canvas", (0.458, 0.336))
    page.evaluate(STILL)
    film.take(1000)
    film.scroll("main .panel.here", above=200)
    film.take(2800)
    page.evaluate("scrollTo({ top: 0, behavior: 'instant' })")
    film.click("[data-view=back]")
    page.evaluate(STILL)
    film.take(1200)
    film.click(".classes li:nth-child(3)")
    page.evaluate(STILL)
    film.take(1000)
    film.scroll("[data-part=arrives]", above=300)
    film.take(2200)
    page.evaluate("scrollTo({ top: 0, behavior: 'instant' })")
    page.locator(".top select").select_option(FRESH)
    page.evaluate(STILL)
    film.click("[data-view=training]")
    page.evaluate(STILL)
    film.take(700)
    page.locator("#training-epochs").fill("3")
    film.click("main form button.primary")
    for _ in range(40):
        film.take(110)
        page.wait_for_timeout(200)
    film.take(1500)
    return film


def main() -> None:
    """Train, open, look."""
    from playwright.sync_api import sync_playwright  # the gallery does without

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", default="")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--only", default="", help="pictures and 'recording', with commas")
    options = parser.parse_args()
    images = ["--data", "mnist", "--data-dir", options.data_dir] if options.data_dir else []
    hard = 1581 if images else 5
    wanted = set(filter(None, options.only.split(",")))
    sources: list[str | Path] = [
        trained(options.runs, "studio-simple", *images, *(["--epochs", "5"] if images else [])),
        trained(options.runs, "studio-resnet20", "--model", "resnet20", *images, "--epochs", "2"),
        "simple",
    ]
    PICTURES.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright, studio(*sources, *(images or ["--data", "digits"])) as at:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context(viewport=SIZE, device_scale_factor=SHARPNESS)
        context.set_default_timeout(WAIT)
        page = context.new_page()
        page.goto(at)
        page.wait_for_url(lambda url: "/door" not in url)
        if not wanted or "recording" in wanted:
            known = context.storage_state()  # the cookie: a key works once
            other = browser.new_context(viewport=RECORDED, storage_state=known)
            other.set_default_timeout(WAIT)
            film = other.new_page()
            film.goto(page.url)
            record(film).save(PICTURES / "studio.gif")
        for picture in PICTURED:
            if not wanted or picture.name in wanted:
                photograph(page, picture, hard)
                if picture.name == DARK:
                    photograph(page, picture, hard, "dark")
        browser.close()


if __name__ == "__main__":
    main()
