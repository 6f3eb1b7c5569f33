"""The page around the views: the image one draws or chooses, the graph, keys, languages, themes."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pellucid import data, load
from studio.serving import serving, signed_in

SEVEN = [(0.25, 0.18), (0.75, 0.15), (0.42, 0.88)]
BAR = [(0.28, 0.58), (0.76, 0.5)]  # as the sevens of the digits have
WAIT = 120_000  # milliseconds, on a machine with much else to do


@pytest.fixture(scope="module")
def studio(digits_file, tmp_path_factory):
    with serving(digits_file, "resnet20", cwd=tmp_path_factory.mktemp("page")) as running:
        yield running


@pytest.fixture(scope="module")
def context(browser, studio):
    opened = browser.new_context(locale="en-US")
    opened.set_default_timeout(WAIT)
    signed_in(opened, studio).close()
    yield opened
    opened.close()


@pytest.fixture
def page(context, studio) -> Iterator[Any]:
    shown = context.new_page()
    shown.set_viewport_size({"width": 1280, "height": 900})
    problems: list[str] = []
    shown.on("pageerror", lambda error: problems.append(str(error)))
    shown.goto(f"{studio.origin}/#image=blank")
    shown.wait_for_selector(".drawing")
    yield shown
    shown.evaluate("localStorage.clear()")
    shown.close()
    assert problems == []


def go(page: Any, state: str) -> None:
    """Open the page anew at an address, of which the page of before is not told."""
    page.evaluate("(state) => history.pushState(null, '', `#${state}`)", state)
    page.reload()
    page.wait_for_selector(".drawing")


def draw(page: Any, points: list[tuple[float, float]], lift: bool = True) -> None:
    box = page.locator(".drawing").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=8)
    if lift:
        page.mouse.up()


def bars(page: Any) -> np.ndarray:
    """Return the shares of the classes in percent, once they are there."""
    page.wait_for_selector(".classes .best")
    texts = page.locator(".classes .number").all_inner_texts()
    return np.array([float(text.removesuffix(" %")) for text in texts])


def received(page: Any) -> np.ndarray:
    """Return the numbers that the network got, read from the page's table."""
    page.locator(".as-received summary").click()
    page.locator(".as-received td").first.wait_for()
    rows = page.locator(".as-received tbody tr")
    cells = [rows.nth(k).locator("td").all_inner_texts() for k in range(rows.count())]
    page.locator(".as-received summary").click()
    return np.array([[float(text.replace("−", "-")) for text in row] for row in cells])


def shares(digits_file: Any, numbers: np.ndarray) -> np.ndarray:
    scores = load(digits_file)(numbers.astype(np.float32)[None, None])[0]
    return 100 * np.exp(scores) / np.exp(scores).sum()


def lifted(page: Any, lines: int = 1) -> None:
    """Wait until the address holds the drawing, which is also when it has been answered."""
    written = "location.hash.includes('image=drawn:') && location.hash.split('.').length"
    page.wait_for_function(f"(lines) => ({written}) === lines", arg=lines)


# The image -----------------------------------------------------------------------------------


def test_a_drawn_seven_is_answered_by_what_the_network_makes_of_it(page, digits_file):
    draw(page, SEVEN)
    draw(page, BAR)
    lifted(page, lines=2)
    found = bars(page)
    assert found.argmax() == 7
    np.testing.assert_allclose(found, shares(digits_file, received(page)), atol=0.5)


def test_the_classes_answer_while_the_line_is_drawn(page):
    draw(page, SEVEN)
    lifted(page)
    before, url = bars(page), page.url
    draw(page, BAR, lift=False)
    page.wait_for_function(
        "(share) => document.querySelectorAll('.classes .number')[7].textContent !== share",
        arg=f"{before[7]:.1f} %",
    )
    assert page.url == url
    page.mouse.up()
    lifted(page, lines=2)
    assert bars(page).argmax() == 7


def test_the_address_restores_the_drawing(page):
    draw(page, SEVEN)
    draw(page, BAR)
    lifted(page, lines=2)
    url, pixels = page.url, "document.querySelector('.drawing canvas').toDataURL()"
    drawn, found = page.evaluate(pixels), bars(page)
    go(page, url.partition("#")[2])
    np.testing.assert_array_equal(bars(page), found)
    assert page.evaluate(pixels) == drawn
    assert len(url) < 2100


def test_a_drawing_of_many_lines_still_fits_into_an_address(page):
    rng = np.random.default_rng(0)
    written = page.evaluate(
        """async (lines) => {
            const { written, read } = await import("./strokes.js");
            const strokes = lines.map((points) => ({ width: 9, colour: "#1c62a8", points }));
            const text = written(strokes);
            return [text, read(text)];
        }""",
        (255 * rng.random((40, 60, 2))).tolist(),
    )
    assert 100 < len(written[0]) <= 2000
    assert all(stroke["colour"] == "#1c62a8" for stroke in written[1])


def test_undo_takes_the_last_line_and_clear_all_of_it(page):
    draw(page, SEVEN)
    lifted(page)
    before = bars(page)
    draw(page, [(0.2, 0.9), (0.8, 0.9)])
    lifted(page, lines=2)
    page.keyboard.press("Control+z")
    lifted(page)
    np.testing.assert_array_equal(bars(page), before)
    page.get_by_role("button", name="Clear").click()
    page.wait_for_selector(".drawing .hint", state="visible")
    page.wait_for_selector(".classes .best", state="detached")
    assert page.locator(".classes .number").all_inner_texts() == [""] * 10


def test_the_keyboard_draws(page):
    page.keyboard.press("d")
    for key, times in (
        ("ArrowUp", 11), ("ArrowLeft", 8), (" ", 1), ("ArrowRight", 16), ("ArrowDown", 2),
        *[("ArrowLeft", 1), ("ArrowDown", 2)] * 9, (" ", 1),
        ("ArrowUp", 9), ("ArrowLeft", 4), (" ", 1), ("ArrowRight", 16), (" ", 1),
    ):  # fmt: skip
        for _ in range(times):
            page.keyboard.press(key)
    lifted(page, lines=2)
    assert bars(page).argmax() == 7


def _png(index: int) -> bytes:
    image = data.digits()[1].batch([index])[0][0, 0]
    file = io.BytesIO()
    Image.fromarray(np.rint(255 * image).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def _hand_over(page: Any, event: str, content: bytes) -> None:
    """Drop or paste a file."""
    page.evaluate(
        """([name, text]) => {
            const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
            const data = new DataTransfer(), how = { bubbles: true, cancelable: true };
            data.items.add(new File([bytes], "digit.png", { type: "image/png" }));
            const Kind = name === "paste" ? ClipboardEvent : DragEvent;
            const given = name === "paste" ? { clipboardData: data } : { dataTransfer: data };
            document.body.dispatchEvent(new Kind(name, { ...how, ...given }));
        }""",
        [event, base64.b64encode(content).decode()],
    )


@pytest.mark.parametrize("way", ["open", "drop", "paste"])
def test_a_picture_is_opened_dropped_or_pasted(page, way, digits_file):
    label = int(data.digits()[1].labels[3])
    if way == "open":
        file = {"name": "digit.png", "mimeType": "image/png", "buffer": _png(3)}
        page.locator("input[type=file]").set_input_files(file)
    else:
        _hand_over(page, way, _png(3))
    found = bars(page)
    assert found.argmax() == label
    np.testing.assert_allclose(found, shares(digits_file, received(page)), atol=0.5)
    page.wait_for_url(lambda url: "image=file" in url)
    page.reload()
    page.get_by_text("which a link cannot hold").wait_for()


def test_a_file_that_is_not_a_picture_is_refused_in_a_sentence(page):
    _hand_over(page, "drop", b"GIF89a nothing")
    page.wait_for_selector(".part-image .problem")
    assert "picture" in page.locator(".part-image .problem").inner_text()
    draw(page, SEVEN)
    lifted(page)
    page.wait_for_selector(".part-image .problem", state="detached")


def test_the_number_of_a_pixel_is_read_by_pointing_and_by_keys(page, digits_file):
    go(page, "image=test:5")
    bars(page)
    image = data.digits()[1].batch([5])[0][0, 0]
    stage = page.locator(".received")
    stage.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    text = page.locator(".reading").inner_text()
    assert text.startswith("[2, 3] = ")
    assert float(text.partition("= ")[2]) == pytest.approx(image[2, 3], abs=1e-3)
    box = stage.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 4.5 / 8, box["y"] + box["height"] * 1.5 / 8)
    assert page.locator(".reading").inner_text().startswith("[1, 4] = ")


def test_the_gallery_begins_with_the_mistakes_and_is_walked_by_keys(page, digits_file):
    page.locator(".gallery > summary").click()
    first = page.locator(".gallery .card").first
    first.wait_for()
    model, test = load(digits_file), data.digits()[1]
    x, labels = test.batch(np.arange(len(test)))
    guesses = model(x).argmax(axis=1)
    assert f"{len(test)} images, {(guesses != labels).sum()} taken" in page.inner_text(".gallery")
    index = int(first.get_attribute("data-index"))
    assert guesses[index] != labels[index]
    first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "image=test:" in url)
    chosen = int(page.evaluate("location.hash.match(/test:(\\d+)/)[1]"))
    assert chosen == int(page.locator(".gallery .card").nth(1).get_attribute("data-index"))
    assert f"Image {chosen} of the test set, labelled {labels[chosen]}" in page.inner_text(".about")
    assert bars(page).argmax() == guesses[chosen]
    page.get_by_role("button", name="In order").click()
    page.wait_for_selector(".gallery [data-index='0']")
    count = page.locator(".gallery .card").count()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.locator(".gallery .card").first.focus()
    page.keyboard.press("End")  # comes into view, and so do more
    page.wait_for_function(
        "(n) => document.querySelectorAll('.gallery .card').length > n", arg=count
    )


def test_without_a_choice_the_first_image_is_shown_and_without_images_a_hint(page):
    go(page, "")
    assert "Image 0 of the test set" in page.inner_text(".about")
    bars(page)
    go(page, "network=n2")
    page.wait_for_selector(".drawing .hint", state="visible")


def test_a_drawing_goes_along_to_another_network(page):
    draw(page, SEVEN)
    lifted(page)
    found = bars(page)
    page.locator(".top select").select_option("n2")
    page.wait_for_function("() => document.title.startsWith('resnet20')")
    page.wait_for_function("() => document.querySelector('.received canvas').width === 32")
    assert not np.array_equal(bars(page), found)
    assert page.get_by_role("button", name="Clear").is_enabled()
    assert page.locator(".drawing .hint").is_hidden()


def test_an_address_without_an_image_clears_the_sheet(page):
    draw(page, SEVEN)
    lifted(page)
    page.evaluate("location.hash = 'image=blank&lang=en'")
    page.wait_for_selector(".classes .best", state="detached")
    page.wait_for_selector(".drawing .hint", state="visible")


# The graph -----------------------------------------------------------------------------------


def test_the_graph_of_a_residual_network_is_walked_along_its_edges(page):
    go(page, "network=n2")
    page.wait_for_selector("main .graph .box")
    assert page.locator("main .graph .box").count() == 34
    page.locator("main .graph .box").first.focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "value=10" in url)  # the first sum
    assert page.locator("main .graph .chosen .name").text_content() == "layer1.0"
    assert "ResidualSum" in page.locator("main .graph .box.chosen").get_attribute("aria-label")
    assert "layer1.relu0" in page.locator(".layer").inner_text()
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.dataset.value") == "8"
    page.get_by_role("button", name="Each layer on its own").click()
    page.wait_for_function("() => document.querySelectorAll('main .graph .box').length === 72")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_a_line_below_a_box_chooses_the_layer_within(page):
    go(page, "network=n2")
    page.locator("main .graph .box[data-value='3'] text.member", has_text="BatchNorm2d").click()
    page.wait_for_url(lambda url: "value=2" in url)
    assert "bn1" in page.locator(".layer h3").inner_text()


def test_the_graph_as_a_table_has_the_numbers_of_the_summary(page, digits_file):
    page.locator("main summary").click()
    page.locator("main td").first.wait_for()
    rows = page.locator("main table tbody tr")
    model = load(digits_file)
    cells = [rows.nth(k).locator("td").all_inner_texts() for k in range(rows.count())]
    assert sum(int(row[2].replace(",", "")) for row in cells) == model.parameter_count()
    kinds = [type(layer).__name__ for _, layer in model.layers()]
    assert [row[0] for row in cells] == ["input", *kinds[1:]]
    page.locator("main table button", has_text="affine1").click()
    page.wait_for_url(lambda url: "value=5" in url)


def test_a_layer_is_chosen_above_any_view(page):
    go(page, "view=maps")
    page.locator(".overview .box[data-value='3']").click()
    page.wait_for_url(lambda url: "value=3" in url)
    assert "pool1" in page.locator(".overview p").inner_text()
    page.keyboard.press("]")
    page.wait_for_url(lambda url: "value=4" in url)


@pytest.mark.parametrize("view", ["network", "maps", "unit", "field", "back"])
def test_until_a_layer_is_chosen_all_that_is_shown_is_of_the_same_one(page, view):
    go(page, f"view={view}&image=test:0")
    page.wait_for_selector(".graph .chosen[data-value='2']", state="attached")
    page.wait_for_selector("main h3:has-text('conv1')")
    page.keyboard.press("]")
    page.wait_for_url(lambda url: "value=2" in url)


# The page ------------------------------------------------------------------------------------


def test_the_strongest_colours_are_those_of_the_largest_and_the_smallest_number(page):
    pixels = page.evaluate(
        """async () => {
            const { signedColours, signedImage } = await import("./colours.js");
            const numbers = [-2, -1, 0, NaN, 1, 2, -9, 9];
            return [...signedImage(numbers, 2, 4, 2, signedColours(false)).data];
        }"""
    )
    minus, less, zero, none, more, plus, below, above = np.reshape(pixels, (8, 4)).tolist()
    assert zero == none
    assert (minus, plus) == (below, above)
    assert sum(minus) < sum(less) < sum(zero) > sum(more) > sum(plus)
    assert minus[0] < minus[2]  # blue
    assert plus[0] > plus[2]


def test_keys_choose_views_and_are_listed(page):
    page.keyboard.press("2")
    page.wait_for_url(lambda url: "view=maps" in url)
    page.keyboard.press("?")
    page.locator("dialog").wait_for()
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="detached")
    page.keyboard.press("1")
    page.wait_for_url(lambda url: "view=network" in url)


def test_korean_and_dark_are_remembered(page, studio):
    page.get_by_role("button", name="한국어").click()
    page.wait_for_selector("text=신경망")
    assert page.evaluate("document.documentElement.lang") == "ko"
    page.get_by_role("button", name="어둡게").click()
    dark = page.evaluate("getComputedStyle(document.querySelector('.studio')).backgroundColor")
    assert max(map(int, dark.removeprefix("rgb(").removesuffix(")").split(","))) < 60
    assert page.evaluate("document.activeElement.textContent") == "밝게"
    page.reload()
    page.wait_for_selector("text=신경망")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    go(page, "lang=en&theme=light")  # the address comes first
    page.wait_for_selector("text=Network")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"


@pytest.mark.parametrize("state", ["lang=en", "lang=ko", "network=n2&lang=ko", "view=maps&lang=en"])
def test_a_narrow_page_does_not_scroll_sideways(page, state):
    page.set_viewport_size({"width": 390, "height": 800})
    go(page, state)
    page.wait_for_selector(".graph >> visible=true")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_axe_finds_nothing_beside_an_open_gallery(page):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    go(page, "image=test:3&theme=dark&value=2")
    page.wait_for_selector("main .graph .box")
    page.locator(".gallery > summary").click()
    page.locator(".gallery .card").first.wait_for()
    found = axe.run(page).response["violations"]
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []


def test_of_many_classes_the_likeliest_are_listed_and_a_banner_says_when_the_server_is_gone(
    browser, tmp_path
):
    options = ("simple", "--image", "1x8x8", "--classes", "30")
    with serving(*options, cwd=tmp_path) as running:
        page = signed_in(browser, running, "image=blank&lang=en")
        draw(page, SEVEN)
        assert len(bars(page)) == 10
        page.locator(".answer input").fill("27")
        assert page.locator(".classes li:visible .name").all_inner_texts() == ["27"]
        assert page.locator(".banner").is_hidden()
        running.stop()
        page.wait_for_selector(".banner", state="visible")
    page.context.close()
