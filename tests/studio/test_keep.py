"""A view is kept as SVG or PNG: what is on the page, in a file that needs nothing else."""

from __future__ import annotations

import io
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from pellucid.models import SimpleConvNet
from pellucid.studio import questions  # noqa: F401 - registers them
from pellucid.studio.opened import Opened
from pellucid.studio.single_file import to_studio_html

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    path = tmp_path_factory.mktemp("keep") / "net.html"
    model = SimpleConvNet((1, 12, 12), 3, 8, padding=2, rng=np.random.default_rng(0))
    to_studio_html(Opened(model, "n1", "small/net"), path)
    page = browser.new_page()
    page.errors = []
    page.on("console", lambda message: page.errors.append(message.text))
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.goto(path.as_uri())
    page.locator(".drawing").click(position={"x": 40, "y": 60})
    page.wait_for_function("() => location.hash.includes('image=drawn')")
    return page


def _kept(page, kind: str) -> tuple[str, bytes]:
    with page.expect_download() as started:
        page.get_by_role("button", name=kind, exact=True).click()
    return started.value.suggested_filename, Path(started.value.path()).read_bytes()


def _show(page, **state) -> None:
    page.evaluate(
        "(state) => { location.hash = new URLSearchParams({"
        "...Object.fromEntries(new URLSearchParams(location.hash.slice(1))), ...state}); }",
        state,
    )


VIEWS = {
    "network": {"view": "network"},
    "maps": {"view": "maps", "value": 1, "unit": ""},
    "unit": {"view": "unit", "value": 1, "unit": "3.0.0"},
}
# What each view shows last: its answers are all there then.
READY = {"network": "main .graph .box", "maps": "main .legend canvas", "unit": "main .readers"}


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_becomes_an_svg_with_its_words_and_nothing_from_elsewhere(page, view):
    _show(page, **VIEWS[view])
    page.wait_for_selector(READY[view])
    name, content = _kept(page, "SVG")
    assert name.startswith(f"small-net-{view}")
    root = ElementTree.fromstring(content)
    words = " ".join("".join(each.itertext()) for each in root.iter(f"{SVG}text"))
    for each in page.locator("main h3").all_inner_texts():
        if page.locator("main h3", has_text=each).first.is_visible():
            assert all(word in words for word in each.split()), each
    for element in root.iter():
        assert element.tag.removeprefix(SVG) not in ("style", "foreignObject", "script")
        assert not {"class", "style"} & element.attrib.keys()
        links = [v for k, v in element.attrib.items() if k.endswith("href")]
        assert all(link.startswith("data:image/png") for link in links)
    assert b"var(" not in content
    if view == "unit":
        assert page.locator(".engine").first.inner_text() in words
        assert root.findall(f".//{SVG}pattern")  # padding is hatched
        fills = {each.get("fill") for each in root.iter(f"{SVG}rect")}
        cells = page.locator("main td[style]").evaluate_all(
            "(all) => all.map((cell) => getComputedStyle(cell).backgroundColor)"
        )
        assert len(set(cells)) > 10
        assert set(cells) - {"rgba(0, 0, 0, 0)"} <= fills
    assert page.errors == []


def test_a_png_has_two_pixels_for_one_and_shows_what_the_page_shows(page):
    _show(page, **VIEWS["maps"])
    page.wait_for_selector(READY["maps"])
    drawing = ElementTree.fromstring(_kept(page, "SVG")[1])
    name, content = _kept(page, "PNG")
    assert name == "small-net-maps-conv1.png"
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    size = [round(float(drawing.get(side))) for side in ("width", "height")]
    assert list(picture.size) == [2 * each for each in size]
    colours = {colour for _, colour in picture.getcolors(1 << 24)}
    assert len(colours) > 50  # of maps and letters, not an empty sheet
    assert page.errors == []


def test_the_names_of_files_have_no_characters_that_paths_have(page):
    _show(page, **VIEWS["unit"])
    page.wait_for_selector(READY["unit"])
    name, _ = _kept(page, "SVG")
    assert name == "small-net-unit-conv1-3-0-0.svg"
    assert re.fullmatch(r"[\w.-]+", name)
