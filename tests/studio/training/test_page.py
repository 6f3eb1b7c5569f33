"""The view of a training in a browser, as a person uses it."""

import re
import shutil

import numpy as np
import pytest

from pellucid import runs
from pellucid.runs.checkpoint import read_checkpoint
from standalone.browser import CHROMIUM
from studio.serving import serving, signed_in

playwright = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs an installed Chromium")

SECONDS = 120_000

FINISHED = """async () => {  // asks the server until the training is at its end
  const { pack, unpack } = await import("./envelope.js");
  for (let state; state !== "finished";) {
    const reply = await fetch("ask/train/state", { method: "POST", body: pack({}) });
    ({ state } = unpack(await reply.arrayBuffer()));
  }
}"""


@pytest.fixture(scope="module")
def browser():
    playwright.expect.set_options(timeout=SECONDS)  # 5 seconds unless that is said
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studio")
    with serving("simple", "--image", "1x8x8", "--data", "digits", cwd=folder) as started:
        started.folder = folder
        yield started


@pytest.fixture(scope="module")
def page(browser, studio):
    context = browser.new_context()
    yield signed_in(context, studio, "view=training&image=test:3&lang=en")
    context.close()


def _press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def _wait(page, words):
    page.get_by_text(re.compile(words)).first.wait_for(timeout=SECONDS)


def test_a_hundred_steps_a_pause_and_a_step_leave_the_bits_of_a_training_without_a_page(
    page, studio, tmp_path
):
    page.fill("#training-epochs", "4")
    _press(page, "Begin paused")
    _wait(page, "Paused in epoch 1 of 4, after step 0")
    for steps in range(10, 110, 10):
        _press(page, "10 steps")
        _wait(page, f"Paused .* after step {steps}$")
    _press(page, "One step")
    _wait(page, "after step 101$")
    _press(page, "Train on")
    _wait(page, "All epochs are done")
    run = runs.begin(runs.Settings(model="simple", data="digits", epochs=4), tmp_path / "plain")
    run.fit()
    kept = read_checkpoint(runs.RunFolder(studio.folder / "runs" / "digits-1"))
    plain = run.trainer.model.state_dict()
    assert kept.state.weights.keys() == plain.keys()
    assert all(np.array_equal(kept.state.weights[key], plain[key]) for key in plain)
    assert kept.state.history.losses == run.trainer.history.losses


def test_curves_say_what_they_show_and_are_a_table_too(page):
    words = page.get_by_role("img", name=re.compile("Accuracy after epoch 4: training"))
    assert "test images" in words.get_attribute("aria-label")
    page.locator(".curves summary").click()
    playwright.expect(page.locator(".curves tbody tr")).to_have_count(4)
    assert page.get_by_role("img", name=re.compile("Loss over 116 steps")).count() == 1


def test_going_back_to_an_epoch_takes_its_curve_back(page):
    with page.expect_response("**/ask/train/back"):
        page.get_by_role("button", name="Back to the end of epoch 2").click()
    page.evaluate(FINISHED)  # the page may still show the end that it went back from
    _wait(page, "All epochs are done")
    playwright.expect(page.locator(".curves tbody tr")).to_have_count(4)
    playwright.expect(page.locator("button[aria-label^='Back to the end']")).to_have_count(5)
    page.reload()  # nothing of the course is still on its way to the page
    _wait(page, "All epochs are done")


def test_a_weight_that_is_set_by_hand_shows_what_that_does(page):
    page.get_by_role("button", name="Filter 5").click()
    page.get_by_text("conv1.weight, filter 5").wait_for()
    cell = page.locator("table.grid td").nth(4)
    before = cell.inner_text()
    cell.press("Enter")
    page.get_by_label("New value").fill("9")
    page.get_by_label("New value").press("Enter")
    _wait(page, "conv1.weight\\[5, 0, 1, 1\\] was .* and is 9 now")
    playwright.expect(cell).to_have_text(re.compile("^9"))
    row = page.locator("table.numbers tbody tr").last
    assert len(set(row.locator("td").all_inner_texts())) > 2
    _press(page, "Undo all changes")
    playwright.expect(cell).to_have_text(before)


def test_a_wrong_setting_is_told_and_what_was_written_stays(page):
    page.select_option("#training-weights", "further")
    page.fill("#training-augment", "flop")
    page.fill("#training-epochs", "3")
    _press(page, "Train")
    _wait(page, "there is no 'flop'. Did you mean 'flip'")
    assert page.input_value("#training-weights") == "further"
    assert page.input_value("#training-epochs") == "3"
    _wait(page, "All epochs are done")  # one can still go back in it
    page.fill("#training-augment", "")
    # The browser tells of each answer that is an error.
    page.errors[:] = [each for each in page.errors if "400 (Bad Request)" not in each]


def test_a_frozen_layer_and_another_rate_are_those_of_the_training(page):
    page.select_option("#training-weights", "further")
    page.fill("#training-epochs", "50000")
    _press(page, "Begin paused")
    _wait(page, "Paused in epoch 1 of 50000, after step 0")
    box = page.get_by_role("checkbox", name=re.compile("^conv1"))
    box.uncheck()
    playwright.expect(box).not_to_be_checked()
    rate = page.locator("form.tools input").first
    rate.fill("0.5")
    rate.press("Enter")
    _press(page, "10 steps")
    _wait(page, "after step 10$")
    assert rate.get_attribute("title") == "The last step had 0.5."
    playwright.expect(box).not_to_be_checked()


def test_the_open_image_is_followed_also_after_a_reload_and_in_another_language(page):
    strip = page.get_by_role("img", name=re.compile("After step 10 the network takes the image"))
    strip.wait_for(timeout=SECONDS)
    page.reload()
    strip.wait_for(timeout=SECONDS)
    page.get_by_role("button", name="한국어").click()
    strip.wait_for(state="detached", timeout=SECONDS)
    page.get_by_role("button", name="English").click()
    strip.wait_for(timeout=SECONDS)


def test_a_page_that_comes_later_sees_the_whole_course(page, studio):
    other = page.context.new_page()
    other.goto(page.url)
    _wait(other, "Paused in epoch 1 of 50000, after step 10$")
    assert other.get_by_role("img", name=re.compile("Loss over 10 steps")).count() == 1
    other.get_by_role("button", name="Train on").click()
    _wait(page, "Epoch \\d+ of 50000")
    other.close()


def test_korean_has_its_own_words(page):
    page.get_by_role("button", name="한국어").click()
    _wait(page, "전체 50000에폭 중")
    page.get_by_role("button", name="English").click()
    _wait(page, "Epoch \\d+ of 50000")


def test_nothing_stands_in_the_way_of_people_with_disabilities(page):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    _press(page, "Pause")
    _wait(page, "Paused in epoch")
    found = axe.Axe().run(page, context="#view").response["violations"]
    assert not [(each["id"], each["nodes"][0]["html"]) for each in found]


def test_a_loss_that_diverges_is_told_in_a_sentence(page):
    rate = page.locator("form.tools input").first
    rate.fill("3e38")
    rate.press("Enter")
    _press(page, "Train on")
    _wait(page, "The training failed: .*lower learning rate")
    assert page.get_by_role("button", name="Train", exact=True).is_visible()


def test_the_scores_of_a_training_that_diverged_have_a_colour(page):
    seen = """async () => {
      const { cssColour } = await import("./colours.js");
      return [NaN, 0, Infinity].map((x) => cssColour(x, 1));
    }"""
    no_number, zero, most = page.evaluate(seen)
    assert no_number == zero != most


def test_on_a_phone_nothing_is_wider_than_the_screen(page):
    page.set_viewport_size({"width": 390, "height": 800})
    page.wait_for_function("() => document.documentElement.scrollWidth <= 390", timeout=SECONDS)
    page.set_viewport_size({"width": 1280, "height": 900})


def test_the_end_of_the_studio_saves_a_training_that_goes_on(browser, tmp_path):
    with serving("simple", "--image", "1x8x8", "--data", "digits", cwd=tmp_path) as studio:
        page = signed_in(browser, studio, "view=training&lang=en")
        page.fill("#training-epochs", "5000")
        _press(page, "Train")
        _wait(page, "Epoch [2-9]")
        assert studio.stop() == 143
    kept = read_checkpoint(runs.RunFolder(tmp_path / "runs" / "digits-1")).state
    assert len(kept.history.losses) > 29
    shutil.rmtree(tmp_path / "runs")


def test_no_script_failed(page, studio):
    assert not page.errors
    assert not studio.errors
