"""What is shown when the page is changed faster than its questions are answered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from studio.serving import serving, signed_in

LATE = """(names) => {  // the answers to some questions come when they are let in
    const ask = window.fetch;
    let gate = Promise.resolve();
    window.late = 0;
    window.hold = () => { gate = new Promise((done) => { window.letIn = done; }); };
    window.fetch = async (...args) => {
        const reply = await ask(...args);
        if (names.some((name) => String(args[0]).endsWith(`ask/${name}`))) {
            window.late++;
            await gate;
        }
        return reply;
    };
}"""
DARK = """() => {  // the share of the sheet that is drawn on
    const sheet = document.querySelector(".drawing canvas");
    const { data } = sheet.getContext("2d").getImageData(0, 0, sheet.width, sheet.height);
    return data.filter((x, k) => k % 4 === 0 && x < 128).length / (data.length / 4);
}"""
WAIT = 120_000  # milliseconds


@pytest.fixture(scope="module")
def studio(digits_file, tmp_path_factory):
    with serving(digits_file, "resnet20", cwd=tmp_path_factory.mktemp("hurry")) as running:
        yield running


@pytest.fixture(scope="module")
def context(browser, studio):
    opened = browser.new_context(locale="en-US", has_touch=True)
    opened.set_default_timeout(WAIT)
    signed_in(opened, studio).close()
    yield opened
    opened.close()


@pytest.fixture
def page(context) -> Iterator[Any]:
    shown = context.new_page()
    problems: list[str] = []
    shown.on("pageerror", lambda error: problems.append(str(error)))
    yield shown
    shown.close()
    assert problems == []


def show(
    page: Any, studio: Any, state: str, *, late: tuple[str, ...] = (), held: bool = False
) -> None:
    if late:
        page.add_init_script(f"({LATE})({list(late)}); {'hold()' if held else ''}")
    page.goto(f"{studio.origin}/#{state}")
    page.wait_for_selector(".drawing")


def line(page: Any, lift: bool = True) -> None:
    """Draw a line across the sheet."""
    box = page.locator(".drawing").bounding_box()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.8 * box["height"], steps=5)
    if lift:
        page.mouse.up()


def test_a_line_that_is_drawn_before_the_first_image_has_come_stays(page, studio):
    show(page, studio, "image=test:3", late=("see",), held=True)
    page.wait_for_function("() => late === 1")
    line(page)
    page.evaluate("letIn()")
    page.wait_for_url(lambda url: "image=drawn" in url)
    assert 0.02 < page.evaluate(DARK) < 0.4  # not the image, which is dark around the digit
    assert page.locator(".about").inner_text() == ""


def test_the_last_of_many_images_and_networks_is_shown(page, studio):
    show(page, studio, "image=test:3", late=("see", "network"))
    page.wait_for_selector(".classes .best")
    begun = page.evaluate("hold(), late")
    page.evaluate("location.hash = 'image=test:5&network=n2&view=unit'")
    page.wait_for_function("(begun) => late > begun", arg=begun)  # about the network
    page.evaluate(
        """() => new Promise((done) => {
            addEventListener("hashchange", done, { once: true });
            location.hash = "image=test:9&network=n1&view=maps";
        }).then(letIn)"""
    )
    for _ in range(2):
        page.wait_for_function(
            """() => document.title.startsWith("digits")
                && document.querySelector(".top select").value === "n1"
                && document.querySelector(".about").innerText.includes("Image 9 of the test set")
                && document.querySelector(".tabs [aria-current]").dataset.view === "maps"
                && location.hash.includes("image=test:9&network=n1")"""
        )
        page.wait_for_timeout(300)  # no answer that was late changes that


def test_an_address_without_an_image_empties_the_sheet(page, studio):
    show(page, studio, "image=test:3")
    page.wait_for_selector(".classes .best")
    page.evaluate("location.hash = 'image=blank'")
    page.wait_for_selector(".classes .best", state="detached")
    assert page.locator(".drawing .hint").is_visible()
    page.go_back()
    page.wait_for_selector(".classes .best")
    assert "Image 3 of the test set" in page.locator(".about").inner_text()


def test_a_drawing_is_seen_on_the_sheet_of_another_network(page, studio):
    show(page, studio, "image=blank")
    line(page)
    page.wait_for_url(lambda url: "image=drawn" in url)
    drawn = page.evaluate(DARK)
    page.locator(".top select").select_option("n2")
    page.wait_for_function("() => document.title.startsWith('resnet20')")
    page.wait_for_selector(".classes .best")
    assert page.evaluate(DARK) == pytest.approx(drawn, abs=0.01)
    page.go_back()
    page.wait_for_function("() => document.title.startsWith('digits')")
    page.wait_for_selector(".classes .best")
    assert page.evaluate(DARK) == pytest.approx(drawn, abs=0.01)


def test_a_finger_draws_and_a_second_one_beside_it_does_not(page, studio):
    show(page, studio, "image=blank")
    box = page.locator(".drawing").bounding_box()
    cdp = page.context.new_cdp_session(page)

    def touch(kind: str, *fingers: tuple[float, float, int]) -> None:
        points = [
            {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"], "id": k}
            for x, y, k in fingers
        ]
        cdp.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", (0.2, 0.2, 0))
    touch("touchMove", (0.3, 0.2, 0))
    touch("touchStart", (0.3, 0.2, 0), (0.8, 0.9, 1))
    touch("touchMove", (0.3, 0.2, 0), (0.2, 0.9, 1))
    touch("touchMove", (0.4, 0.2, 0), (0.2, 0.8, 1))
    touch("touchEnd")
    page.wait_for_url(lambda url: "image=drawn" in url)
    drawn = page.evaluate(
        """async () => (await import("./strokes.js"))
            .read(new URLSearchParams(location.hash.slice(1)).get("image").slice(6))"""
    )
    assert len(drawn) == 1
    assert all(y < 0.3 * 256 for _, y in drawn[0]["points"])
    assert drawn[0]["points"][-1][0] > 0.38 * 256


def test_while_a_line_is_drawn_the_answers_come_first_and_the_view_now_and_then(page, studio):
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    page.clock.install()
    show(page, studio, "image=blank&view=unit&value=1")
    page.wait_for_selector(".drawing .hint")
    page.clock.pause_at("2100-01-01")
    line(page, lift=False)
    page.wait_for_selector(".classes .best")
    assert asked.count("unit") == 0
    page.clock.run_for(200)
    page.wait_for_selector("main .engine")
    assert asked.count("unit") == 2  # the convolution and its ReLU
    page.mouse.up()


CROWD_OUT = """async () => {  // gives the server more images than it keeps
    const { pack, unpack } = await import("./envelope.js");
    const ask = async (name, args) => {
        const reply = await fetch(`ask/${name}`, { method: "POST", body: pack(args) });
        return unpack(await reply.arrayBuffer());
    };
    for (let k = 0; k < 70; k++) {
        const numbers = { shape: [1, 8, 8], data: new Float32Array(64).fill(k / 100) };
        const { image } = await ask("see", { network: "n1", numbers });
        if (k > 66) await ask("maps", { network: "n1", image, value: 1 });
    }
}"""


def test_an_image_that_the_server_has_forgotten_is_given_once_for_all_questions(page, studio):
    show(page, studio, "network=n1&image=test:3&view=network&value=1")
    page.wait_for_selector(".classes .best")
    page.evaluate(CROWD_OUT)
    given = []
    page.on("request", lambda request: given.append(request.url))
    page.evaluate("location.hash = 'network=n1&image=test:3&view=unit&value=1&unit=3.2.2'")
    page.locator("main").get_by_text("the engine has").first.wait_for()
    assert sum(url.endswith("ask/see") for url in given) == 1
    assert sum(url.endswith("ask/unit") for url in given) > 1  # refused, and once more
    assert page.locator("main .problem:visible").count() == 0
