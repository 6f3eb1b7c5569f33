"""Feature maps, a unit's arithmetic and its field: the numbers are read from the page."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from studio.every_kind import MANY, every_kind, values
from studio.serving import serving, signed_in
from viz.added_up import written

IMAGE = 4
WAIT = 120_000  # milliseconds, on a machine with much else to do
CLOSE = 1e-5

# Each part of a section as a reader finds it: grids of windows, rows of lists, formulas, numbers.
READ = """(section) => [...section.querySelectorAll(".part")].map((part) => {
  const all = (name, within = part) => [...within.querySelectorAll(name)];
  const texts = (elements) => elements.map((each) => each.textContent);
  return {
    form: part.dataset.form,
    windows: all(".window").map((each) => all("table", each).map((grid) => texts(all("td", grid)))),
    padded: all(".window").map((window) => all("td.padded", window).length),
    winners: texts(all("td.winner, tr.chosen td:nth-child(2)")),
    rows: all(".list tbody tr").map((row) => texts([...row.cells])),
    formulas: all(".formula").map((each) => texts([...each.children])),
    results: texts(all(".result")),
  };
})"""
FILLED = """([value, unit]) => {
  const section = document.querySelector(`section[data-value="${value}"]`);
  const places = section?.querySelectorAll(".window, .list > div:first-child");
  return section?.querySelector(".compared").textContent.includes(unit)
    && [...places].every((each) => each.firstChild);
}"""


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    path = tmp_path_factory.mktemp("kinds") / "kinds.safetensors"
    return path, every_kind(path)


@pytest.fixture(scope="module")
def page(browser, kinds, tmp_path_factory):
    where = tmp_path_factory.mktemp("unit")
    with serving(kinds[0], "--data", "digits", cwd=where) as studio:
        state = f"view=unit&image=test:{IMAGE}&lang=en"
        shown = signed_in(browser, studio, state, viewport={"width": 1280, "height": 900})
        shown.set_default_timeout(WAIT)
        shown.wait_for_selector(".compared")
        yield shown
        assert shown.errors == []
        shown.close()


@pytest.fixture(scope="module")
def made(kinds):
    return values(kinds[1], IMAGE)


@pytest.fixture(scope="module")
def number_of(made):
    """The number of a value by its name, as a page calls it."""
    return {name: str(k) for k, name in enumerate(made)}


def go(page: Any, **state: Any) -> None:
    whole = {"image": f"test:{IMAGE}", "lang": "en", "digits": 9, **state}
    hash_ = "&".join(f"{key}={value}" for key, value in whole.items())
    page.evaluate("hash => { location.hash = hash }", hash_)


def section(page: Any, value: str, *unit: int) -> Any:
    """Wait for the arithmetic of a unit of a value, and return its section."""
    page.wait_for_function(FILLED, arg=[value, str(list(unit))])
    return page.locator(f"section[data-value='{value}']")


def read(text: str) -> float:
    return float(text.replace("−", "-"))


def reads(texts: list[str]) -> list[float]:
    return [read(text) for text in texts]


def added_up(parts: list[dict[str, Any]]) -> float:
    """Compute a unit again from what stands on the page, part after part."""
    result = math.nan
    for part in parts:
        if part["form"] == "products":
            products = [
                row for x, w, xw in part["windows"] for row in zip(x, w, xw, strict=True)
            ] or [row[1:4] for row in part["rows"]]
            for x, w, product in map(reads, products):
                assert product == pytest.approx(x * w, rel=CLOSE, abs=1e-7)
            result = math.fsum(read(product) for *_, product in products)
        elif part["form"] == "reduction" and part["winners"]:
            cells = [read(x) for window in part["windows"] for x in window[0] if "∞" not in x]
            cells += [read(row[1]) for row in part["rows"]]
            assert reads(part["winners"]) == [max(cells)]
            result = max(cells)
        elif part["form"] == "reduction" and not part["formulas"]:
            assert part["rows"]
            result = math.fsum(read(row[-2]) for row in part["rows"])
        elif part["form"] == "copy":
            result = read(part["results"][-1])  # nothing is computed
        for _, put_in, shown in part["formulas"]:
            result = float(written(put_in, {}))
            assert read(shown.split(" = ")[1]) == pytest.approx(result, rel=CLOSE, abs=1e-6)
        assert read(part["results"][-1]) == pytest.approx(result, rel=CLOSE, abs=1e-6)
    return result


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("normalized", (0, 4, 3)),
        ("padded", (2, 0, 0)),
        ("batch_norm", (2, 5, 3)),
        ("relu", (1, 3, 3)),
        ("dilated", (3, 0, 3)),
        ("leaky", (0, 2, 2)),
        ("lrn", (1, 2, 3)),
        ("residual", (2, 1, 1)),
        ("max_pool", (3, 0, 0)),
        ("avg_pool", (1, 1, 2)),
        ("instance_norm", (2, 1, 1)),
        ("up", (3, 2, 4)),
        ("global_pool", (77, 0, 0)),
        ("flat", (1499,)),
        ("scores", (7,)),
        ("softmax", (3,)),
    ],
)
def test_what_is_written_adds_up_to_the_engines_number(page, made, number_of, name, unit):
    state = ".".join(map(str, unit))
    go(page, view="unit", value=number_of[name], unit=state, order="order")
    found = section(page, number_of[name], *unit)
    parts = found.evaluate(READ)
    assert parts
    assert all(part["windows"] or part["rows"] or part["results"] for part in parts)
    if name == "scores":  # as far as one has scrolled; the rest is added up by the page
        listed = [reads(row[1:5]) for row in parts[0]["rows"]]
        assert len(listed) >= 100
        sums = np.cumsum([product for *_, product, _ in listed])
        assert [row[3] for row in listed] == pytest.approx(list(sums), rel=CLOSE, abs=1e-6)
        parts = parts[1:]
    engine = made[name][unit]
    assert added_up(parts) == pytest.approx(engine, rel=CLOSE, abs=1e-6)
    assert read(found.locator(".engine").inner_text()) == pytest.approx(engine, rel=CLOSE, abs=1e-6)


def test_padding_is_marked_as_padding_and_no_link_leads_there(page, number_of):
    go(page, view="unit", value=number_of["padded"], unit="2.0.0")
    found = section(page, number_of["padded"], 2, 0, 0)
    assert found.evaluate(READ)[0]["padded"] == [5]
    cell = found.locator("td.padded").first
    assert cell.get_attribute("title") == "padding"
    cell.click()
    assert "view=unit" in page.url
    assert f"value={number_of['padded']}" in page.url


def test_the_same_unit_as_a_row_of_im2col_times_a_column(page, made, number_of):
    go(page, view="unit", value=number_of["dilated"], unit="3.1.2")
    section(page, number_of["dilated"], 3, 1, 2)
    page.get_by_role("button", name="im2col").click()
    found = page.locator(f"section[data-value='{number_of['dilated']}']")
    found.locator("svg.matrices").wait_for()
    words = found.locator("svg.matrices").get_attribute("aria-label")
    assert "16 rows and 18 columns" in words
    assert "row 6 times column 1" in words
    page.wait_for_selector(".list tbody tr")
    parts = found.evaluate(READ)
    assert len(parts[0]["rows"]) == 18
    inside = [row for row in parts[0]["rows"] if row[0] != "padding"]
    assert math.fsum(read(row[3]) for row in inside) == pytest.approx(
        read(parts[0]["results"][-1]), rel=CLOSE
    )
    assert added_up(parts[1:]) == pytest.approx(made["dilated"][3, 1, 2], rel=CLOSE)


def test_arrow_keys_move_the_unit_and_page_keys_its_channel(page, number_of):
    go(page, view="unit", value=number_of["padded"], unit="1.3.3")
    section(page, number_of["padded"], 1, 3, 3)
    page.get_by_role("group", name="The map of the unit").focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "PageDown"):
        page.keyboard.press(key)
    page.wait_for_function("() => location.hash.includes('unit=2.4.5')")
    page.wait_for_function(
        "() => document.querySelector('.compared').textContent.includes('[2, 4, 5]')"
    )


def test_a_number_leads_to_the_unit_or_the_weight_that_it_is(page, number_of):
    go(page, view="unit", value=number_of["dilated"], unit="3.2.2", order="order")
    found = section(page, number_of["dilated"], 3, 2, 2)
    window = found.locator(".window").first
    window.locator("table").nth(0).locator("td").nth(4).click()
    page.wait_for_function(f"() => location.hash.includes('value={number_of['relu']}&unit=2.4.4')")
    page.go_back()
    found = section(page, number_of["dilated"], 3, 2, 2)
    weight = found.locator(".window").nth(1).locator("table").nth(1).locator("td").nth(5)
    weight.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("() => location.hash.includes('weight=dilated.weight:3.1.1.2')")
    assert "view=back" in page.url


def test_a_click_on_a_map_chooses_the_unit_that_is_under_it(page, made, number_of):
    go(page, view="maps", value=number_of["dilated"], tile=100)
    canvas = page.locator(".sheet canvas").first
    canvas.wait_for()
    page.wait_for_timeout(200)
    box = canvas.bounding_box()
    x, y = box["x"] + 2 * 108 + 80, box["y"] + 30  # map 2 of 4 × 4 cells of 25 pixels
    page.mouse.move(x, y)
    assert page.locator(".readout").inner_text().startswith("dilated[2, 1, 3] = ")
    shown = read(page.locator(".readout").inner_text().split(" = ")[1])
    assert shown == pytest.approx(made["dilated"][2, 1, 3], rel=1e-5)
    page.mouse.click(x, y)
    page.wait_for_function("() => location.hash.includes('unit=2.1.3')")
    section(page, number_of["dilated"], 2, 1, 3)


def test_maps_are_walked_through_by_keys_alone(page, number_of):
    go(page, view="maps", value=number_of["padded"])
    page.locator(".sheet canvas").first.wait_for()
    page.locator(".sheet").focus()
    for key in ("ArrowRight", "Enter", "ArrowDown", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    assert page.locator(".readout").inner_text().startswith("padded[1, 1, 2] = ")
    page.keyboard.press("Enter")
    page.wait_for_function("() => location.hash.includes('unit=1.1.2')")
    assert "view=unit" in page.url


def test_of_many_maps_only_those_in_sight_are_asked_for_and_drawn(page, number_of):
    asked: list[str] = []
    page.on("request", lambda request: "/ask/maps" in request.url and asked.append(request.url))
    go(page, view="maps", value=number_of["many"], tile=40)
    page.locator(".sheet canvas").first.wait_for()
    rows, drawn = page.locator(".sheet-row").count(), page.locator(".sheet canvas").count()
    assert drawn < rows / 2
    page.locator(".sheet-row").last.scroll_into_view_if_needed()
    last = page.locator(".sheet-row").last.locator("canvas")
    last.wait_for()
    assert last.get_attribute("aria-label").endswith(f"{MANY - 1}")
    assert page.locator(".sheet canvas").count() < rows / 2
    assert len(asked) < rows / 2


def test_maps_are_read_as_a_table_too(page, made, number_of):
    go(page, view="maps", value=number_of["padded"])
    page.locator(".sheet canvas").first.wait_for()
    page.get_by_text("As a table").last.click()
    page.get_by_label("Channel", exact=True).fill("3")
    page.keyboard.press("Tab")
    page.locator("table.numbers caption", has_text="padded[3]").wait_for()
    cells = page.locator("main table.numbers td").all_inner_texts()
    assert reads(cells) == pytest.approx(made["padded"][3].ravel().tolist(), rel=1e-3, abs=1e-3)


def test_the_field_is_framed_on_the_image_and_ends_at_the_scores(page, number_of):
    go(page, view="field", value=number_of["dilated"], unit="3.0.2")
    page.locator(".step canvas").last.wait_for()
    words = page.locator("main canvas").first.get_attribute("aria-label")
    assert words == "Its receptive field on the image: 7 × 7, rows −3 … 3, columns 1 … 7."
    box = page.locator("main canvas").first.bounding_box()
    assert box["height"] > 1.3 * box["width"]  # three rows of padding stand above the eight
    page.locator(".step", has_text="10 of 10 numbers").last.wait_for()
    steps = page.locator(".step").all_inner_texts()
    assert any("relu" in step and "−2 … 2" in step for step in steps)
    assert "10 of 10 numbers" in steps[-1]


def test_a_patch_that_excites_a_channel_becomes_the_image(page, number_of):
    go(page, view="field", value=number_of["dilated"], unit="3.2.2", patches="test")
    cards = page.locator(".patches .card")
    cards.nth(8).wait_for()
    numbers = reads(cards.locator(".number").all_inner_texts())
    assert numbers == sorted(numbers, reverse=True)
    cards.nth(1).click()
    page.wait_for_function(f"() => !location.hash.includes('image=test:{IMAGE}&')")
    assert "image=test:" in page.url


@pytest.mark.parametrize("view", ["maps", "unit", "field"])
def test_each_view_fits_a_phone_speaks_korean_and_passes_axe(page, number_of, view):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    ready = {"maps": ".sheet canvas", "unit": ".window table", "field": ".step canvas"}[view]
    state = {"view": view, "value": number_of["dilated"], "unit": "3.0.2", "digits": 3}
    try:
        go(page, **state, theme="dark")
        page.locator(ready).first.wait_for()
        found = axe.run(page, "main").response["violations"]
        assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []
        page.set_viewport_size({"width": 390, "height": 800})
        go(page, **state | {"lang": "ko"})
        page.wait_for_selector(ready.split()[0], state="attached")
        page.evaluate("name => document.querySelector(name).scrollIntoView()", ready.split()[0])
        page.locator(ready).first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        words = {"maps": "눈금", "unit": "자릿수", "field": "수용 영역"}[view]
        assert words in page.locator("main").inner_text()
    finally:
        page.set_viewport_size({"width": 1280, "height": 900})
