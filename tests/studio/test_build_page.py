"""The view in which a network is built: its line, errors while typing, and the way to open it."""

import pytest

from pellucid import models
from studio.serving import serving, signed_in

LINE = ".line-editor textarea"


@pytest.fixture(scope="module")
def page(browser, digits_file, tmp_path_factory):
    with serving(digits_file, cwd=tmp_path_factory.mktemp("build")) as studio:
        shown = signed_in(
            browser, studio, "view=build&lang=en", viewport={"width": 1200, "height": 900}
        )
        yield shown
        assert shown.errors == []
        shown.close()


def test_the_layers_of_the_line_are_shown_while_it_is_typed(page):
    page.locator(LINE).fill("")
    page.locator(LINE).press_sequentially("CONV3-4 -> RELU -> POOL -> FC")
    page.wait_for_selector("text=Linear(64, 10)")
    model = models.from_pattern("CONV3-4 -> RELU -> POOL -> FC", (1, 8, 8), 10)
    calls = page.locator(".layer-table tbody td:nth-child(2)").all_inner_texts()
    assert calls == [repr(layer) for _, layer in model.children()]
    assert f"{model.parameter_count():,} parameters" in page.locator("#build-says").inner_text()
    boxes = page.locator("main svg.graph .box")
    words = [boxes.nth(k).get_attribute("aria-label") for k in range(boxes.count())]
    assert [each.split(":")[0] for each in words] == ["image", "conv1", "pool1", "flatten", "fc1"]
    boxes.nth(2).click()
    assert page.evaluate("() => getSelection().toString()") == "POOL"


def test_the_word_at_fault_is_underlined_and_can_be_gone_to(page):
    page.locator(LINE).fill("CONV3-4 -> 🙂RELU -> FC")
    page.wait_for_selector("mark.fault")
    assert page.locator("mark.fault").inner_text() == "🙂RELU"
    assert "is not a layer" in page.locator("#build-says").inner_text()
    assert page.locator(LINE).get_attribute("aria-invalid") == "true"
    page.get_by_text("Show it in the line").click()
    page.keyboard.type("RELU")
    page.wait_for_selector("mark.fault", state="detached")
    assert page.locator(LINE).input_value() == "CONV3-4 -> RELU -> FC"


def test_a_line_that_is_emptied_stays_empty_to_be_written_anew(page):
    page.locator(LINE).fill("")
    page.wait_for_selector("#build-says:has-text('the pattern ends')")
    assert page.locator(LINE).input_value() == ""
    page.keyboard.type("FC")
    page.wait_for_selector("text=Linear(64, 10)")
    assert page.locator(LINE).input_value() == "FC"


def test_what_is_wrong_with_the_image_is_said_once_and_has_no_place(page):
    says, height = page.locator("#build-says"), page.locator("main").get_by_label("Height")
    page.locator(LINE).fill("CONV3-4 -> RELU -> FC")
    for typed, words in (("-3", "received -3."), ("1.5", "received [1, 1.5, 8]."), ("0", "0.")):
        height.fill(typed)
        page.wait_for_timeout(150)  # the line of before is checked, and what is written stays
        height.press("Tab")
        page.wait_for_function(
            "words => document.querySelector('#build-says').innerText.trim().endsWith(words)",
            arg=words,
        )
        assert says.inner_text().count("received") == 1
    height.fill("8")
    height.press("Tab")
    page.wait_for_selector("#build-says:has-text('parameters')")
    # The browser tells of each answer that is an error.
    page.errors[:] = [each for each in page.errors if "400 (Bad Request)" not in each]


def test_the_caret_marks_the_layers_of_its_word(page):
    page.locator(LINE).fill("[CONV3-4 -> RELU]*2 -> FC")
    page.wait_for_selector("text=Conv2d(4, 4, 3, padding=1)")
    page.locator(LINE).press("Home")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(".layer-table tr.chosen")
    chosen = page.locator(".layer-table tr.chosen th").all_inner_texts()
    assert chosen == ["conv1", "conv2"]


def test_an_example_brings_its_images(page):
    page.locator("main").get_by_label("Example").select_option(label="allconv")
    page.wait_for_selector("text=Conv2d(3, 96, 3, padding=1)")
    assert page.locator("main").get_by_label("Channels").input_value() == "3"
    assert page.locator("main").get_by_label("Classes").input_value() == "10"
    assert "CONV3-96" in page.evaluate("decodeURIComponent(location.hash)")


def test_a_network_is_opened_and_can_be_chosen_from_then_on(page):
    page.locator("main").get_by_label("Data set").select_option("digits")
    page.locator(LINE).fill("CONV3-4 -> RELU -> FC")
    page.wait_for_selector("text=Conv2d(1, 4, 3, padding=1)")
    page.get_by_role("button", name="Open it").click()
    page.wait_for_url(lambda url: "view=network" in url)
    page.locator(".top select option").nth(1).wait_for(state="attached")
    names = page.locator(".top select option").all_inner_texts()
    assert names == ["digits.safetensors", "CONV3-4 -> RELU -> FC"]
    page.locator("#view text", has_text="conv1").first.wait_for()


def test_one_click_trains_it_on_the_data_set(page):
    page.evaluate("() => { location.hash = 'view=build&lang=en&data=digits&pattern=FC' }")
    page.wait_for_selector("text=Linear(64, 10)")
    page.get_by_role("button", name="Train it").click()
    page.wait_for_url(lambda url: "view=training" in url)
    page.locator(".top select option").nth(3).wait_for(state="attached")
    names = page.locator(".top select option").all_inner_texts()
    assert names[2:] == ["FC", "digits-1"]  # what was built, and the run that trains it
