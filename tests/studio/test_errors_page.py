"""The view of errors in a browser: its matrix, the images of a cell, and why."""

import json

import numpy as np
import pytest

from pellucid import data, evaluate, load, viz
from studio.serving import serving, signed_in


@pytest.fixture(scope="module")
def page(browser, digits_file, tmp_path_factory):
    with serving(digits_file, cwd=tmp_path_factory.mktemp("errors")) as studio:
        shown = signed_in(
            browser, studio, "view=errors&lang=en", viewport={"width": 1200, "height": 900}
        )
        yield shown
        assert shown.errors == []
        shown.close()


@pytest.fixture(scope="module")
def found(digits_file):
    return evaluate(load(digits_file), data.digits()[1])


def _cell(page, row, column):
    """Wait until the images of a cell are there, and return their words."""
    page.wait_for_url(lambda url: f"cell={row}.{column}" in url)
    page.wait_for_selector("section:nth-of-type(2) .cards li")
    return page.locator("section:nth-of-type(2) .card").all_inner_texts()


def test_the_matrix_as_a_table_is_that_of_an_evaluation(page, found):
    page.get_by_text("The matrix as a table").click()
    rows = page.locator(".confusion-part table tbody tr")
    cells = [rows.nth(k).locator("td").all_inner_texts() for k in range(10)]
    np.testing.assert_array_equal(np.array(cells, int), found.confusion)
    assert f"accuracy {100 * found.accuracy:.1f} %" in page.locator("main").inner_text()


def test_the_keyboard_opens_a_cell_and_its_image_becomes_the_pages(page, found):
    confusion = found.confusion.copy()
    np.fill_diagonal(confusion, 0)
    row, column = (int(n) for n in np.unravel_index(confusion.argmax(), confusion.shape))
    page.locator(".confusion").focus()
    for key, times in (("ArrowDown", row), ("ArrowRight", column)):
        for _ in range(times):
            page.keyboard.press(key)
    count = confusion[row, column]
    heard = f"{row} taken for {column}: {count} of {found.confusion[row].sum()} images"
    assert heard in page.locator(".spoken[role=status]").inner_text()
    page.keyboard.press("Enter")
    assert len(_cell(page, row, column)) == count
    page.locator("section:nth-of-type(2) .card").first.click()
    page.wait_for_url(lambda url: "image=test" in url)
    index = int(page.evaluate("location.hash.match(/image=test:(\\d+)/)[1]"))
    assert found.labels[index] == row
    assert found.predictions[index] == column


def test_why_is_drawn_in_three_ways_with_the_librarys_numbers(page, digits_file):
    page.evaluate("location.hash = 'view=errors&lang=en&image=test:5&class=3'")
    page.reload()
    model, image = load(digits_file), data.digits()[1].batch([5])[0][0]
    for method in ("saliency", "grad_cam", "occlusion"):
        figure = page.locator(f"[data-method={method}]")
        figure.locator("summary").click(timeout=120_000)
        figure.locator("td").first.wait_for()
        table = figure.locator("tbody tr")
        heat = getattr(viz, method)(model, image, 3)
        shown = [table.nth(k).locator("td").all_inner_texts() for k in range(len(heat))]
        numbers = [[float(text.replace("−", "-")) for text in row] for row in shown]
        np.testing.assert_allclose(numbers, heat, rtol=6e-3, atol=1e-6)
        assert json.dumps(figure.locator("canvas").first.get_attribute("aria-label")) != "null"
    page.locator(".why-class select").select_option("7")
    page.wait_for_url(lambda url: "class=7" in url)


def test_in_korean_and_narrow_nothing_is_lost_at_the_side(page):
    page.set_viewport_size({"width": 390, "height": 800})
    page.evaluate("location.hash = 'view=errors&lang=ko&image=test:5'")
    page.wait_for_selector("text=혼동 행렬")
    page.wait_for_selector("[data-method=occlusion] details", timeout=120_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
