"""A network as a page: in a browser it computes what Python does, and loads nothing."""

from __future__ import annotations

import base64
import json
import re
from importlib import resources
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pellucid
from nn.cases import CASES, QUANTIZED, Case
from pellucid import nn
from pellucid.models import LeNet5, SimpleConvNet, by_name
from pellucid.preparation import Drawing, Preparation
from pellucid.standalone import to_html
from pellucid.standalone.page.contents import FUNCTIONS as FILES
from pellucid.standalone.page.contents import packed
from pellucid.standalone.page.texts import DYNAMIC, TEXTS
from pellucid.standalone.program import program_of
from pellucid.standalone.script.functions import FUNCTIONS
from standalone.browser import CHROMIUM, forget, give, opened, saved, scores, stroke

CLOSE, ONE_CODE = 1e-4, 0.02


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM:
        pytest.skip("needs an installed Chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        options = {"executable_path": CHROMIUM, "args": ["--no-sandbox"]}
        launched = started.chromium.launch(**options)
        yield launched
        launched.close()


def script(name: str) -> str:
    return (resources.files("pellucid") / "standalone" / "page" / name).read_text("utf-8")


def functions() -> str:
    return "".join(script(f"functions/{name}.js") for name in FILES)


# Besides every layer: more columns than are made at a time, the last of them fewer.
WIDE = Case(
    "Conv2d in parts",
    lambda: nn.Conv2d(64, 3, 3, padding=1, rng=np.random.default_rng(0)),
    (64, 48, 40),
    n=1,
)
ALL = (*CASES, *QUANTIZED, WIDE)

# The functions ------------------------------------------------------------------------------------

RUN = """([code, cases]) => {
    const start = new Function(code + "; return [load, run];");
    return cases.map(([network, weights, images]) => {
        const [load, run] = start();
        load(network, weights);
        return images.map((x) => [...run(Float32Array.from(x))]);
    });
}"""


@pytest.fixture(scope="module")
def in_a_browser(browser) -> list[list[list[float]]]:
    """What each layer's case gives for each of its images."""
    asked = []
    for case in ALL:
        program = program_of(case.build().eval(), "test", case.shape)
        index, weights = packed(program, float16=False)
        network = {
            "shape": case.shape,
            "lines": list(map(list, program.lines)),
            "output": program.outputs[0],
            "weights": index,
        }
        images = [x.ravel().tolist() for x in case.arrays(np.float32)[0]]
        asked.append([network, weights, images])
    page = browser.new_page()
    code = f"let onmessage; {functions()}{script('weights.js')}{script('worker.js')}"
    return page.evaluate(RUN, [code, json.loads(json.dumps(asked))])


@pytest.mark.parametrize("k", range(len(ALL)), ids=[case.id for case in ALL])
def test_every_layer_gives_the_same_numbers(in_a_browser, k):
    right = ALL[k].build().eval()(ALL[k].arrays(np.float32)[0])
    found = np.array(in_a_browser[k]).reshape(right.shape)
    np.testing.assert_allclose(found, right, rtol=CLOSE, atol=CLOSE * max(1, abs(right).max()))


def test_every_function_of_numpy_has_a_twin():
    own = set(re.findall(r"F\.(\w+) =", functions()))
    helpers = {"windows_of", "standardised", "channelwise", "centred", "rescaled"}
    operators = {"add", "subtract", "multiply", "divide", "matmul"}
    assert own == (FUNCTIONS.keys() - helpers) | operators


# Whole networks -----------------------------------------------------------------------------------


def _joined() -> nn.Layer:
    rng = np.random.default_rng(3)
    return nn.Graph(
        {
            "conv": (nn.Conv2d(3, 6, 3, padding=1, rng=rng), "x"),
            "depthwise": (nn.Conv2d(6, 6, 3, 2, 1, groups=6, rng=rng), "conv"),
            "gate": (nn.SqueezeExcitation(6, 3, rng=rng), "depthwise"),
            "pool": (nn.MaxPool2d(2), "conv"),
            "both": (nn.Concat(), "gate", "pool"),
            "norm": nn.BatchNorm2d(12),
            "flat": nn.Flatten(),
            "fc": nn.Linear(12 * 8 * 8, 5, rng=rng),
        }
    )


def _networks() -> dict[str, tuple[nn.Layer, tuple[int, int, int]]]:
    colour, grey = (3, 32, 32), (1, 28, 28)
    return {
        "simple": (SimpleConvNet(grey), grey),
        "lenet": (LeNet5(grey), grey),
        "resnet20": (by_name("resnet20", colour, 10), colour),
        "graph": (_joined(), (3, 16, 16)),
        "mobilenet-v2": (by_name("mobilenet-v2", (3, 64, 64), 10), (3, 64, 64)),
        "normalized": (nn.Normalize([0.3], [0.2]).before(SimpleConvNet(grey)), grey),
    }


@pytest.fixture(scope="module")
def photo(tmp_path_factory) -> Path:
    """A picture of colours, higher than wide."""
    i, j = np.mgrid[:130, :90]
    rgb = np.stack([i * 255 // 129, j * 255 // 89, 128 + 100 * np.sin(i * j / 300)], axis=2)
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.fromarray(rgb.astype(np.uint8)).save(path)
    return path


@pytest.mark.parametrize("name", _networks())
def test_a_picture_gets_the_scores_of_python(browser, tmp_path, photo, name):
    model, shape = _networks()[name]
    model.input_shape = shape
    model.eval()
    to_html(model, tmp_path / "net.html")
    page = opened(browser, tmp_path / "net.html")
    found = give(page, photo)
    right = model(pellucid.data.read_image(photo, shape))[0]
    np.testing.assert_allclose(found, right, rtol=CLOSE, atol=CLOSE * max(1, abs(right).max()))
    assert page.errors == []
    page.close()


def test_weights_of_16_bits_give_nearly_the_same(browser, tmp_path, photo):
    model = SimpleConvNet((1, 28, 28))
    whole = to_html(model, tmp_path / "whole.html")
    half = to_html(model, tmp_path / "half.html", float16=True)
    assert half < 0.53 * whole
    page = opened(browser, tmp_path / "half.html")
    for buffer in model.parameters().values():
        buffer.data[...] = buffer.data.astype(np.float16)
    right = model(pellucid.data.read_image(photo, (1, 28, 28)))[0]
    np.testing.assert_allclose(give(page, photo), right, atol=CLOSE)
    page.close()


@pytest.mark.parametrize("float16", [False, True])
def test_a_quantized_network_gets_the_scores_of_python(browser, tmp_path, photo, float16):
    rng, shape = np.random.default_rng(4), (3, 32, 32)
    model = by_name("resnet20", shape, 10, rng=rng).eval()
    whole = to_html(model, tmp_path / "whole.html")
    images = rng.random((20, *shape), dtype=np.float32)
    model = pellucid.quantize(model, images, engine="numpy")
    if float16:  # of which its layers in float32, and the scales
        for buffer in model.buffers().values():
            if buffer.data.dtype == np.float32:
                buffer.data[...] = buffer.data.astype(np.float16)
    assert to_html(model, tmp_path / "net.html", float16=float16) < 0.5 * whole
    page = opened(browser, tmp_path / "net.html")
    right = model(pellucid.data.read_image(photo, shape))[0]
    # A last bit of a number between two codes may decide which one it gets.
    np.testing.assert_allclose(give(page, photo), right, atol=ONE_CODE * abs(right).max())
    assert page.errors == []
    page.close()


# Pictures -----------------------------------------------------------------------------------------


def _drawn(
    path: Path, size: tuple[int, int], *, ink: int, paper: int, speck: bool = True, noise: float = 0
) -> None:
    """Write a stroke on unevenly lit paper, with a speck."""
    w, h = size
    i, j = np.mgrid[:h, :w]
    grey = paper + 12 * i / h - 9 * (j / w) ** 2
    stroke = (abs(i - 0.55 * h) < h / 6) & (abs(j - 0.4 * w - (i - h / 2) / 5) < w / 40 + 1.5)
    grey += np.random.default_rng(0).normal(size=grey.shape) * noise
    grey[stroke] = ink
    if speck:
        grey[h // 10 : h // 10 + 2, w // 10 : w // 10 + 2] = ink
    Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(path)


PICTURES = {
    "small": lambda path: _drawn(path, (40, 60), ink=30, paper=220),
    "large": lambda path: _drawn(path, (900, 700), ink=60, paper=200),
    "far away": lambda path: _drawn(path, (1500, 300), ink=60, paper=200),
    "noisy paper": lambda path: _drawn(path, (80, 100), ink=60, paper=200, noise=9),
    "white on black": lambda path: _drawn(path, (120, 90), ink=250, paper=20, speck=False),
    "in its place": lambda path: Image.fromarray(
        np.pad(np.full((20, 8), 255, np.uint8), ((4, 4), (10, 10)))
    ).save(path),
    "symmetric": lambda path: Image.fromarray(
        np.pad(np.zeros((90, 12), np.uint8), ((30, 30), (40, 40)), constant_values=255)
    ).save(path),
    "nothing": lambda path: Image.new("L", (50, 60), 140).save(path),
    "grey noise": lambda path: Image.fromarray(
        np.random.default_rng(1).integers(0, 256, (64, 48), np.uint8)
    ).save(path),
    "colours": lambda path: Image.fromarray(
        np.random.default_rng(2).integers(0, 256, (31, 77, 3), np.uint8)
    ).save(path),
    "transparent": lambda path: Image.fromarray(
        np.dstack(
            [np.full((60, 40, 3), 0, np.uint8), np.tri(60, 40, dtype=np.uint8)[..., None] * 255]
        )
    ).save(path),
    "one pixel": lambda path: Image.new("RGB", (1, 1), "red").save(path),
}
SEEN = """() => {
    const canvas = document.querySelector("#seen");
    return [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data];
}"""


@pytest.mark.parametrize(
    ("channels", "drawing"),
    [(1, None), (3, None), (1, Drawing()), (3, Drawing()), (1, Drawing(0.9, "box"))],
    ids=str,
)
def test_the_network_sees_the_bytes_that_it_sees_in_python(browser, tmp_path, channels, drawing):
    prepared = Preparation((28, 28), channels, drawing)
    model = nn.Sequential(pool=nn.GlobalAvgPool2d(), flat=nn.Flatten())
    model.input_shape, model.card = (channels, 28, 28), nn.Card("x", ("a",) * channels, prepared)
    to_html(model, tmp_path / "net.html")
    page = opened(browser, tmp_path / "net.html")
    for name, write in PICTURES.items():
        write(tmp_path / "picture.png")
        give(page, tmp_path / "picture.png")
        pixels = np.array(page.evaluate(SEEN)).reshape(28, 28, 4).transpose(2, 0, 1)[:channels]
        right = pellucid.data.read_image(tmp_path / "picture.png", prepared)[0] * 255
        apart = np.abs(pixels - right.round())
        # Where a drawing is found, by floating-point numbers, a byte may be rounded otherwise.
        assert apart.max() <= (drawing is not None), f"{name}: {apart.max()}"
        assert (apart > 0).mean() < 0.01, name
        forget(page)
    page.close()


# People -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> tuple[nn.Layer, Path]:
    """A network of drawn digits, and its page."""
    folder = tmp_path_factory.mktemp("digits")
    model = SimpleConvNet((1, 28, 28), rng=np.random.default_rng(5))
    model.card = nn.Card("digits", tuple("0123456789"), Preparation((28, 28), 1, Drawing()))
    to_html(model, folder / "digits.html")
    return model, folder / "digits.html"


def _of_python(model: nn.Layer, picture: Path) -> np.ndarray:
    return model(pellucid.data.read_image(picture, model.card.preparation))[0]


def test_a_drawn_digit_gets_the_scores_of_python(browser, digits, tmp_path):
    page = opened(browser, digits[1])
    stroke(page, (0.3, 0.25), (0.7, 0.25), (0.45, 0.8))
    right = _of_python(digits[0], saved(page, "#sheet", tmp_path / "drawn.png"))
    np.testing.assert_allclose(scores(page), right, atol=CLOSE)
    best = page.locator("#classes .best .name").inner_text()
    assert best == str(right.argmax())
    shares = page.locator("#classes .share").all_inner_texts()
    spoken = page.locator("[role=status]").inner_text()
    assert spoken.startswith(f"{best} ")
    assert sum(float(share.split()[0]) for share in shares) == pytest.approx(100, abs=0.6)
    assert page.errors == []
    stroke(page, (0.2, 0.5), (0.8, 0.5))
    page.locator("#undo").click()
    np.testing.assert_allclose(scores(page), right, atol=CLOSE)
    forget(page)
    assert page.locator("#classes li").count() == 0
    page.close()


# What the page's policy says of a request: the directive that refuses it.
FETCH = """() => new Promise((resolve) => {
    addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective));
    fetch("http://127.0.0.1:9/").catch(() => setTimeout(() => resolve("asked"), 20_000));
})"""


def test_the_page_loads_nothing_and_sends_nothing(browser, digits):
    page = opened(browser, digits[1])
    stroke(page, (0.3, 0.25), (0.7, 0.8))
    scores(page)
    assert [url.split(":")[0] for url in page.requests] == ["file", "blob"]
    assert page.evaluate(FETCH) == "connect-src"
    page.close()


def test_it_is_drawn_on_by_the_keyboard_too(browser, digits, tmp_path):
    page = opened(browser, digits[1])
    page.locator("#brush").fill("2")  # so that the cross would be seen
    page.locator("#sheet").focus()
    for key in ("Space", *["ArrowRight"] * 6, *["ArrowDown"] * 6, "Space"):
        page.keyboard.press(key)
    page.locator("#undo").focus()  # the cross disappears
    right = _of_python(digits[0], saved(page, "#sheet", tmp_path / "drawn.png"))
    np.testing.assert_allclose(scores(page), right, atol=CLOSE)
    page.keyboard.press("Control+z")
    page.wait_for_selector("body:not([data-scores])", state="attached")
    page.close()


DROP = """([base64, name]) => {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([bytes], name, { type: "image/png" }));
    const how = { dataTransfer, bubbles: true, cancelable: true };
    document.body.dispatchEvent(new DragEvent("drop", how));
}"""


def test_a_dropped_picture_gets_the_scores_of_python(browser, digits, photo):
    page = opened(browser, digits[1])
    page.evaluate(DROP, [base64.b64encode(photo.read_bytes()).decode(), "photo.png"])
    np.testing.assert_allclose(scores(page), _of_python(digits[0], photo), atol=CLOSE)
    page.evaluate(DROP, [base64.b64encode(b"no picture").decode(), "notes.png"])
    page.wait_for_selector("#how:has-text('notes.png is not a picture')")
    large = BytesIO()
    Image.new("1", (5000, 4000)).save(large, "png")
    page.evaluate(DROP, [base64.b64encode(large.getvalue()).decode(), "large.png"])
    page.wait_for_selector("#how:has-text('large.png has more than 16,777,216 pixels')")
    page.close()


def test_the_maps_of_each_layer_are_shown_and_open_large(browser, digits, photo):
    page = opened(browser, digits[1])
    give(page, photo)
    names = page.locator("#layers b").all_inner_texts()
    assert names == ["conv1", "relu1", "pool1", "flatten", "affine1", "relu2", "affine2"]
    assert page.locator("#layers canvas").count() == len(names)
    page.locator("#layers button").first.click()
    page.wait_for_selector("#look[open] .maps canvas")
    assert page.locator("#look-maps canvas").count() == 30
    assert page.locator("#look-note").inner_text().endswith("30 of 30 maps")
    page.keyboard.press("Escape")
    assert page.locator("#look[open]").count() == 0
    page.close()


@pytest.mark.parametrize("language", TEXTS)
def test_it_fits_a_phone(browser, tmp_path, photo, language):
    model = by_name("resnet20", (3, 32, 32), 10)
    names = tuple(f"{k}_of_the_mountains_of_northern_Mexico" for k in range(10))
    model.card = nn.Card("mountains", names, Preparation((32, 32), 3))
    to_html(model, tmp_path / "net.html", language=language)
    page = opened(browser, tmp_path / "net.html", viewport={"width": 390, "height": 844})
    give(page, photo)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("html").get_attribute("lang") == language
    page.close()


def test_names_of_classes_are_text_and_never_markup(browser, tmp_path, photo):
    evil = "</script><img src=x onerror=document.title='caught'>"
    model = SimpleConvNet((1, 28, 28))
    names = (evil, "<!--", "a&amp;b", "\udcff", "‮gnp", *"56789")
    model.card = nn.Card(evil, names, Preparation((28, 28), 1))
    chain = nn.Sequential(**{"<b>x</b>": model, "</script>": nn.ReLU()})
    chain.input_shape, chain.card = (1, 28, 28), model.card
    to_html(chain, tmp_path / "net.html")
    page = opened(browser, tmp_path / "net.html")
    give(page, photo)
    assert "caught" not in page.title() or evil[:9] in page.title()
    assert page.locator("img").count() == 0
    shown = page.locator("#classes .name").all_inner_texts()
    assert shown[:3] == [evil, "<!--", "a&amp;b"]
    assert page.errors == []
    page.close()


# What is written, and what is refused -------------------------------------------------------------


@pytest.mark.parametrize("language", TEXTS)
def test_the_page_is_under_50_kb_besides_the_weights(tmp_path, language):
    model = SimpleConvNet((1, 28, 28))
    model.card = nn.Card("digits", tuple("0123456789"), Preparation((28, 28), 1, Drawing()))
    size = to_html(model, tmp_path / "net.html", language=language)
    text = (tmp_path / "net.html").read_bytes()
    assert size == len(text)
    weights = re.search(rb'id="weights">(.*?)</script>', text, re.DOTALL)
    assert len(text) - len(weights[1]) < 50_000


def test_only_the_functions_that_the_network_calls_are_in_the_page(tmp_path):
    to_html(SimpleConvNet((1, 28, 28)), tmp_path / "net.html")
    text = (tmp_path / "net.html").read_text("utf-8")
    assert "F.conv2d =" in text
    assert "F.batch_norm =" not in text
    assert "findDrawing" not in text.replace("findDrawing(grey", "")  # only where it is called


def test_both_languages_have_the_same_words():
    assert TEXTS["en"].keys() == TEXTS["ko"].keys() >= set(DYNAMIC)
    for key, text in TEXTS["en"].items():
        assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", TEXTS["ko"][key])), key


def test_what_a_page_cannot_show_is_refused(tmp_path):
    def refused(
        match: str, model: nn.Layer, shape: tuple[int, ...], name: str = "net.html"
    ) -> None:
        with pytest.raises(pellucid.PellucidError, match=match):
            to_html(model, tmp_path / name, input_shape=shape)

    refused(r"must end in \.html, received", SimpleConvNet((1, 28, 28)), (1, 28, 28), "net.txt")
    refused("one or three channels", SimpleConvNet((2, 28, 28)), (2, 28, 28))
    refused("needs one row of numbers", nn.Conv2d(1, 2, 3), (1, 8, 8))
    two = nn.Graph({"a": (nn.Flatten(), "x"), "b": nn.ReLU()}, output=("a", "b"))
    refused("several outputs, choose one", two, (1, 4, 4))
    refused("does not say which images", nn.ReLU(), None)
    huge = nn.Sequential(flat=nn.Flatten(), fc=nn.Linear(3 * 64 * 64, 3500))
    refused(r"page of 219 MB, .* With float16=True it is half of that", huge, (3, 64, 64))
    with pytest.raises(pellucid.PellucidError, match="'en' or 'ko', received 'fr'"):
        to_html(SimpleConvNet((1, 28, 28)), tmp_path / "net.html", language="fr")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
