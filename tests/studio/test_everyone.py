"""The studio for everyone: by keyboard alone, by what is said, and in every view of both themes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from studio.serving import serving, signed_in
from studio.test_unit_page import WAIT

VIEWS = ("network", "maps", "unit", "field", "back", "errors", "training", "build")
CONTROLS = {"button", "link", "textbox", "combobox", "checkbox", "slider", "spinbutton", "image"}


@pytest.fixture(scope="module")
def studio(digits_file, tmp_path_factory):
    with serving(digits_file, "--data", "digits", cwd=tmp_path_factory.mktemp("all")) as running:
        yield running


@pytest.fixture(scope="module")
def context(browser, studio):
    opened = browser.new_context(locale="en-US", reduced_motion="reduce")
    opened.set_default_timeout(WAIT)
    signed_in(opened, studio).close()
    yield opened
    opened.close()


@pytest.fixture
def page(context, studio) -> Iterator[Any]:
    shown = context.new_page()
    problems: list[str] = []
    shown.on("pageerror", lambda error: problems.append(str(error)))
    yield shown
    shown.close()
    assert problems == []


def show(page: Any, studio: Any, state: str) -> None:
    page.goto("about:blank")
    page.goto(f"{studio.origin}/#{state}")
    page.wait_for_selector(".classes .best")


def seen(page: Any) -> bool:
    """Whether what has the focus is on the screen, with a line around it."""
    return bool(
        page.evaluate(
            """() => {
                const e = document.activeElement, box = e.getBoundingClientRect();
                const shown = e.matches(".spoken") ? e.parentElement : e; // of the file's button
                return e !== document.body && getComputedStyle(shown).outlineStyle === "solid"
                    && box.bottom > 0 && box.top < innerHeight;
            }"""
        )
    )


def tab_to(page: Any, words: str) -> None:
    """Press Tab until something with these words has the focus; at each stop it is seen."""
    here = """() => (document.activeElement.getAttribute("aria-label")
        ?? document.activeElement.textContent).trim()"""
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            continue  # from the last to the first, past the browser's own
        assert seen(page)
        if page.evaluate(here).startswith(words):
            return
    raise AssertionError(f"Tab does not lead to '{words}'")


def test_a_journey_by_keyboard_alone(page, studio):
    show(page, studio, "image=test:3")
    page.wait_for_selector("main .graph .box")
    page.evaluate("document.activeElement.blur()")
    tab_to(page, "Skip to the view")
    page.keyboard.press("Enter")
    assert seen(page)
    tab_to(page, "conv1: Conv2d")
    page.keyboard.press("Enter")
    page.keyboard.press("2")
    page.wait_for_selector("main .sheet canvas")
    assert seen(page)  # the view that had the focus is gone, the focus is not
    tab_to(page, "Feature maps.")
    for key in ("ArrowRight", "Enter", "ArrowDown", "ArrowDown", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    page.wait_for_url(lambda url: "unit=1.2.1" in url)
    page.wait_for_selector("main .here")
    assert seen(page)
    page.keyboard.press("ArrowRight")
    page.wait_for_url(lambda url: "unit=1.2.2" in url)
    page.keyboard.press("5")
    page.wait_for_selector("[data-part=arrives] .panel, [data-part=arrives] table")
    assert seen(page)
    for key in "46781":
        page.keyboard.press(key)
        assert seen(page)
    tab_to(page, "What a convolution is")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-step='1']")
    for step in (2, 3):
        page.keyboard.press("ArrowRight")
        page.wait_for_selector(f"[data-step='{step}']")
        assert seen(page)
    tab_to(page, "End the lesson")
    page.keyboard.press("Enter")
    page.wait_for_selector(".lesson .words", state="detached")
    page.wait_for_selector(".lesson .link")
    assert seen(page)
    assert "Lessons" in page.locator(".lesson").inner_text()


def test_a_training_is_begun_and_taken_one_step_by_keyboard(page, studio):
    show(page, studio, "image=test:3&view=training")
    tab_to(page, "Begin paused")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="One step").wait_for()
    assert seen(page)
    tab_to(page, "One step")
    page.keyboard.press("Enter")
    page.locator("main .lead", has_text="after step 1").wait_for()
    assert seen(page)
    tab_to(page, "Stop and save")
    page.keyboard.press("Enter")
    page.locator("main .lead", has_text="Stopped after step").wait_for()
    assert seen(page)


def test_axe_finds_nothing_on_any_page_and_each_control_has_a_name(page, studio):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    cdp = page.context.new_cdp_session(page)
    states = [f"view={view}" for view in VIEWS] + ["lesson=convolution&step=3"]
    for k, state in enumerate(states):
        theme = ("light", "dark")[k % 2]  # single views are looked at in the other one as well
        show(page, studio, f"theme={theme}&image=test:3&value=1&{state}")
        page.wait_for_function("() => document.querySelector('main').childElementCount > 1")
        found = axe.run(page).response["violations"]
        assert not found, (state, [(e["id"], [n["html"] for n in e["nodes"]]) for e in found])
        nodes = cdp.send("Accessibility.getFullAXTree")["nodes"]
        nameless = [
            node["role"]["value"]
            for node in nodes
            if not node["ignored"]
            and node.get("role", {}).get("value") in CONTROLS
            and not node.get("name", {}).get("value")
        ]
        assert not nameless, state
    assert page.evaluate("matchMedia('(prefers-reduced-motion: reduce)').matches")
    assert not page.evaluate("document.getAnimations().length")


def test_at_twice_the_size_no_korean_page_scrolls_sideways(page, studio):
    page.set_viewport_size({"width": 640, "height": 450})
    for state in [f"view={view}" for view in VIEWS] + ["lesson=learning&step=7"]:
        show(page, studio, f"lang=ko&image=test:3&value=1&{state}")
        page.wait_for_function("() => document.querySelector('main').childElementCount > 1")
        assert page.evaluate("document.documentElement.scrollWidth") <= 640, state


def test_what_a_step_looks_at_is_in_sight_below_the_lesson(page, studio):
    page.set_viewport_size({"width": 1280, "height": 800})
    for lesson, step in (("learning", 7), ("convolution", 4), ("seeing", 7)):
        show(page, studio, f"image=test:3&lesson={lesson}&step={step}")
        page.wait_for_function(
            """() => {
                const seen = document.querySelector(".looked-at")?.getBoundingClientRect();
                const above = document.querySelector(".lesson").getBoundingClientRect().bottom;
                return seen && seen.top >= above - 1 && seen.top < innerHeight - 50;
            }"""
        )
