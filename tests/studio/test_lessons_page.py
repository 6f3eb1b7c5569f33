"""A lesson of one's own, from the command line to the page; and one file from the page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio.serving import serving, signed_in

LESSON = {
    "title": {"en": "Our *own* lesson", "ko": "우리 수업"},
    "network": "lenet",
    "trained": True,
    "steps": [
        {"text": {"en": ["First, `y = x`.", "`y = 2 · x`"]}, "state": {"view": "network"}},
        {
            "text": {"en": "Then the second pooling."},
            "state": {"view": "maps", "value": "MaxPool2d:2|AvgPool2d:2", "unit": "0.middle.last"},
            "look": "main h3",
        },
        {"text": {"en": "No such layer here."}, "state": {"value": "Softsign:1"}},
    ],
}


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lesson")
    (folder / "ours.json").write_text(json.dumps(LESSON), encoding="utf-8")
    with serving("--lesson", folder / "ours.json", cwd=folder) as studio:
        yield signed_in(browser, studio)


def test_a_lesson_of_ones_own_opens_its_network_and_begins(page):
    page.wait_for_selector("[data-step='1']")
    assert page.locator("header select option").all_inner_texts() == ["lenet"]
    words = page.locator("[data-step='1']")
    assert words.locator("code").all_inner_texts() == ["y = x", "y = 2 · x"]
    assert words.locator("p.formula").count() == 1
    assert "random weights" in page.locator(".lesson").inner_text()


def _at(page, step):
    """Go to a step of the lesson by the address."""
    page.evaluate(f"location.hash = 'lesson=ours&step={step}'")
    page.wait_for_selector(f"[data-step='{step}']")


def test_a_value_named_by_kind_is_found_and_what_to_look_at_outlined(page):
    _at(page, 1)
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("main h3.looked-at")
    state = page.evaluate("Object.fromEntries(new URLSearchParams(location.hash.slice(1)))")
    assert (state["view"], state["step"]) == ("maps", "2")
    assert page.locator("main h3.looked-at").inner_text() == "pool2"
    assert state["unit"] == "0.2.4"  # of 16 maps of 5 x 5


def test_what_the_network_lacks_is_said_and_the_views_stay(page):
    _at(page, 1)
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("main h3.looked-at")
    before = page.evaluate("new URLSearchParams(location.hash.slice(1)).get('value')")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("[data-step='3']")
    assert "no Softsign" in page.locator(".lesson").inner_text()
    assert page.evaluate("new URLSearchParams(location.hash.slice(1)).get('value')") == before


def test_the_network_is_kept_as_one_file_from_the_page(page):
    _at(page, 1)
    page.get_by_role("button", name="End the lesson").click()
    with page.expect_download() as started:
        page.get_by_role("button", name="one file", exact=True).click()
    assert started.value.suggested_filename == "lenet.html"
    text = Path(started.value.path()).read_text("utf-8")
    assert text.startswith("<!doctype html>")
    assert "Our *own* lesson" in text
    assert page.errors == []
