"""The way back in a browser: its numbers are the library's, and add up as they are written."""

import numpy as np
import pytest

from pellucid import data, load
from pellucid.studio.opening import Studio
from pellucid.viz.analysis.loss_gradients import loss_gradients
from studio.serving import serving, signed_in

IMAGE, CLASS, UNIT = 5, 3, (2, 1, 2)


@pytest.fixture(scope="module")
def page(browser, digits_file, tmp_path_factory):
    with serving(digits_file, cwd=tmp_path_factory.mktemp("back")) as studio:
        size = {"width": 1200, "height": 900}
        shown = signed_in(browser, studio, "lang=en", viewport=size)
        yield shown
        assert shown.errors == []
        shown.close()


@pytest.fixture(scope="module")
def back(digits_file):
    opened = Studio().add(load(digits_file), "digits")
    values = opened.values(opened.keep(data.digits()[1].batch([IMAGE])[0][0]))
    return loss_gradients(opened.model, values, CLASS)


def _show(page, **state):
    """Go to the view with nine digits of each number, and wait for the unit's gradient."""
    whole = {"view": "back", "lang": "en", "image": f"test:{IMAGE}", "class": CLASS, "digits": 9}
    written = "&".join(f"{key}={value}" for key, value in {**whole, **state}.items())
    page.evaluate("hash => { location.hash = hash }", written)
    page.reload()
    page.wait_for_selector(".arrives")


def _numbers(texts):
    return np.array([float(text.replace("−", "-")) for text in texts])


def _number(page, selector):
    (number,) = _numbers(page.locator(selector).all_inner_texts())
    return number


def _close(found, expected):
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * scale)


def test_the_loss_is_written_as_softmax_minus_one_hot(page, back):
    _show(page, value=1, unit=".".join(map(str, UNIT)))
    rows = page.locator("table.loss tbody tr")
    s, p, t, difference = (_numbers(rows.nth(k).locator("td").all_inner_texts()) for k in range(4))
    _close(p, np.exp(s - s.max()) / np.exp(s - s.max()).sum())
    _close(difference, p - t)
    _close(difference, back.gradients[back.output])
    _close(_number(page, "[data-part=loss] .result"), back.loss)


@pytest.mark.parametrize("value", [0, 1, 2, 3, 4, 5])
def test_what_arrives_is_the_sum_that_is_written(page, back, value):
    gradient = back.gradients[value]
    unit = [int(k) for k in np.unravel_index(np.abs(gradient).argmax(), gradient.shape)]
    _show(page, value=value, unit=".".join(map(str, unit)))
    _close(_number(page, ".arrives"), gradient[tuple(unit)])
    page.wait_for_selector("[data-part=arrives] td")
    lines = page.locator("[data-part=arrives] tbody tr td:nth-last-child(2)")
    if value:
        products = _numbers(lines.all_inner_texts())
        assert 0 < len(products) <= 100
        _close(products.sum(), gradient[tuple(unit)])
    else:  # a window for each filter
        window = page.locator("[data-part=arrives] .window").first
        products = _numbers(window.locator("table").last.locator("td").all_inner_texts())
        assert len(products) > 1
        _close(products.sum(), _numbers([window.locator(".sum").inner_text()])[0])


def test_a_weights_gradient_is_the_sum_of_its_windows_and_gives_its_next_value(page, back):
    _show(page, value=1, unit="2.1.2", weight="conv1.weight:2.0.1.3", lr="0.5", optimizer="sgd")
    page.wait_for_selector(".gradient")
    gradient = back.weight("conv1.weight")[2, 0, 1, 3]
    cells = page.locator(".terms tbody tr td:nth-of-type(3)").all_inner_texts()
    assert len(cells) == 16
    _close(_numbers(cells).sum(), gradient)
    _close(_number(page, ".gradient"), gradient)
    (weight,) = _numbers([page.locator("[data-part=weight] .tools .number").inner_text()[2:]])
    _close(_number(page, ".next"), weight - 0.5 * gradient)


def test_the_optimizer_can_be_chosen_and_each_line_of_its_rule_is_written(page):
    page.get_by_label("Optimizer").select_option("adam")
    page.wait_for_selector("text=v̂ = v′ / (1 − β₂ᵗ)")
    lines = page.locator("[data-part=weight] .formula").all_inner_texts()
    assert len(lines) == 5
    for line in lines:  # no letter is left on the right side of a line with its numbers
        right = line.split("\n")[-1].split(" = ")[1] if " = " in line.split("\n")[-1] else ""
        assert not set(right) & set("βmvwgηε"), line


def test_a_weight_of_the_window_is_chosen_by_the_keyboard(page, back):
    _show(page, value=1, unit="2.1.2")
    page.locator("[data-part=hands] table.chosen-from").first.locator("td").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "weight=conv1.weight:2.0.0.1" in url)
    page.wait_for_selector("text=dL/d conv1.weight[2, 0, 0, 1]")
    _close(_number(page, ".gradient"), back.weight("conv1.weight")[2, 0, 0, 1])


def test_without_a_chosen_unit_the_one_with_the_largest_gradient_is_shown(page, back):
    _show(page, value=1)
    gradient = back.gradients[1]
    unit = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
    page.wait_for_url(lambda url: f"unit={'.'.join(map(str, unit))}" in url)


def test_arrow_keys_move_the_unit_and_another_class_gives_another_gradient(page):
    _show(page, value=1, unit="2.1.2")
    page.locator(".map-figure .holder").first.focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_url(lambda url: "unit=2.2.2" in url)
    page.keyboard.press("PageDown")
    page.wait_for_url(lambda url: "unit=3.2.2" in url)
    page.locator(".why-class select").select_option("8")
    page.wait_for_selector("text=L = −ln p[8]")
    hot = page.locator("table.loss tbody tr").nth(2).locator("td").all_inner_texts()
    assert hot == [str(int(k == 8)) for k in range(10)]


def test_it_is_accessible_and_fits_a_phone_in_korean(page):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page.set_viewport_size({"width": 390, "height": 800})
    _show(page, value=5, lang="ko")
    page.wait_for_selector("text=가중치 하나")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    found = axe.Axe().run(page, context="main")
    assert found.violations_count == 0, found.generate_report()
