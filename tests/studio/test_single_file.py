"""One HTML file with the studio's views: it plays offline, in both languages."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest

from pellucid import nn
from pellucid.data import Dataset, Parts
from pellucid.errors import ArgumentError
from pellucid.models import SimpleConvNet
from pellucid.studio import questions  # noqa: F401 - registers them
from pellucid.studio.opened import Opened
from pellucid.studio.registry import answer
from pellucid.studio.single_file import to_studio_html
from pellucid.studio.single_file.scripts import one_script


def _images(n: int) -> Dataset:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (n, 1, 12, 12), np.uint8)
    return Dataset(pixels, np.arange(n) % 3, ("one", "two", "three"), "stripes")


@pytest.fixture(scope="module")
def opened() -> Opened:
    rng = np.random.default_rng(1)
    model = SimpleConvNet((1, 12, 12), 3, 8, filters=4, kernel_size=3, rng=rng)
    images = _images(30)
    return Opened(model, "n1", "stripes & dots", lambda: Parts(images, None, images))


@pytest.fixture(scope="module")
def path(opened, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("file") / "stripes.html"
    to_studio_html(opened, path)
    return path


def _page(browser, path: Path, state: str = "", **options):
    """Open the file offline; what it asks for and what it complains of is collected."""
    context = browser.new_context(offline=True, **options)
    page = context.new_page()
    page.requests, page.errors = [], []
    page.on("request", lambda request: page.requests.append(request.url))
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("console", lambda message: page.errors.append(message.text))
    page.goto(f"{path.as_uri()}#{state}")
    page.wait_for_selector(".tabs a")
    return page


def _number(text: str) -> float:
    return float(text.replace("−", "-"))


def test_it_plays_offline_and_asks_for_nothing(browser, path, opened):
    page = _page(browser, path, "view=maps&value=1")
    page.wait_for_selector("main canvas")
    assert page.locator(".tabs a").count() >= 3
    assert [url for url in page.requests if not url.startswith(("file:", "blob:", "data:"))] == []
    assert page.errors == []
    page.context.close()


def test_a_units_products_in_the_page_add_up_to_pythons_number(browser, path, opened):
    page = _page(browser, path, "view=unit&value=1&unit=2.4.5&image=test:3&digits=9")
    page.wait_for_selector(".engine")
    shown = _number(page.locator(".engine").first.inner_text())
    seen = answer("see", opened, {"numbers": _embedded(path)[3]})
    unit = answer("unit", opened, {"image": seen["image"], "value": 1, "unit": [2, 4, 5]})
    assert shown == pytest.approx(unit["engine"], rel=1e-5, abs=1e-6)
    words = re.findall(r"−?\d[\d.]*", page.locator("section.here").inner_text())
    numbers = np.array([_number(word) for word in words])
    for product in unit["parts"][0]["products"].ravel():
        assert np.abs(numbers - product).min() < 1e-6
    page.context.close()


def _embedded(path: Path) -> np.ndarray:
    """Return the images in a file, as the network gets them."""
    found = re.search(r'<script type="application/json" id="page">(.*?)</script>', path.read_text())
    assert found
    page = json.loads(found[1])
    pictures = np.frombuffer(base64.b64decode(page["computed"]["pictures"]), np.uint8)
    return pictures.reshape(page["gallery"]["shape"]).astype(np.float32) / 255


def test_korean_is_there_and_the_language_can_be_given(browser, opened, tmp_path):
    to_studio_html(opened, tmp_path / "ko.html", language="ko")
    page = _page(browser, tmp_path / "ko.html", "view=maps")
    assert re.search("[가-힣]", page.locator(".tabs").inner_text())
    page.get_by_role("button", name="English").click()
    page.wait_for_function("() => document.documentElement.lang === 'en'")
    assert "Feature maps" in page.locator(".tabs").inner_text()
    page.context.close()


def test_a_lesson_is_walked_through_by_keys_and_its_step_is_in_the_address(browser, path):
    page = _page(browser, path)
    page.get_by_role("button", name="What a convolution is").click()
    page.wait_for_selector("[data-step='1']")
    for step in (2, 3):
        page.keyboard.press("PageDown")
        page.wait_for_selector(f"[data-step='{step}']")
    assert "step=3" in page.url
    assert "view=unit" in page.url
    page.wait_for_selector(".map-figure.looked-at")
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector("[data-step='2']")
    page.go_back()
    page.wait_for_selector("[data-step='3']")
    page.get_by_role("button", name="Large letters").click()
    page.wait_for_selector(".studio.large")
    page.get_by_role("button", name="End the lesson").click()
    page.wait_for_selector("[data-step]", state="detached")
    assert page.errors == []
    page.context.close()


def test_a_link_to_a_step_shows_what_walking_to_it_shows(browser, path):
    walked = _page(browser, path, "lesson=convolution&step=1")
    for step in range(2, 8):
        walked.wait_for_selector(f"[data-step='{step - 1}']")
        walked.keyboard.press("PageDown")
    walked.wait_for_selector("[data-step='7']")
    linked = _page(browser, path, "lesson=convolution&step=7")
    linked.wait_for_function("() => location.hash.includes('unit=')")
    walked.wait_for_function("() => location.hash.includes('unit=0.9.9')")
    parsed = "Object.fromEntries(new URLSearchParams(location.hash.slice(1)))"
    kept = [page.evaluate(parsed) for page in (walked, linked)]
    keys = ("view", "value", "unit", "step", "lesson")
    assert [kept[0][k] for k in keys] == [kept[1][k] for k in keys]
    for page in (walked, linked):
        page.context.close()


def test_the_studio_hands_out_the_same_file(opened, path):
    told = answer("keep/file", opened, {})
    assert told["name"] == "stripes-dots.html"
    plain = path.read_text("utf-8").replace('"language":null', '"language":"en"')
    assert told["file"].tobytes().decode() == plain


class _Unknown(nn.Layer):
    """Twice the number."""

    per_number = True

    def forward(self, x):
        return 2 * x


def test_what_cannot_be_written_is_refused_and_nothing_is_left(opened, tmp_path):
    model = nn.Sequential(twice=_Unknown())
    model.input_shape = (1, 4, 4)
    with pytest.raises(ArgumentError, match="no function for _Unknown 'twice'"):
        to_studio_html(Opened(model, "n1", "x"), tmp_path / "a.html")
    with pytest.raises(ArgumentError, match=r"must end in \.html"):
        to_studio_html(opened, tmp_path / "a.txt")
    with pytest.raises(ArgumentError, match="'en' or 'ko'"):
        to_studio_html(opened, tmp_path / "a.html", language="de")
    assert list(tmp_path.iterdir()) == []


def test_its_script_has_all_modules_and_no_import():
    script = one_script("single_file/main.js")
    assert not re.search(r"^(import|export)\b", script, re.M)
    assert "// page/views/unit.js" in script
