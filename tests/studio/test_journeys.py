"""Networks of the lecture and the literature, on the page: what is written there adds up.

One studio and one page for all: a drawn image, its classes, and in each network units of each kind
of layer, the gradients that arrive there, and the next value of a weight.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from pellucid import models, save
from pellucid.studio import questions  # noqa: F401 - registers them
from pellucid.studio.opening import Studio
from pellucid.studio.registry import answer
from studio.serving import serving, signed_in
from studio.test_page import SEVEN, bars, draw
from studio.test_unit_page import READ, WAIT, added_up, go, read, reads, section

BATCH_NORM = "INPUT -> [CONV3-8 -> BN -> RELU -> POOL]*2 -> FC16 -> RELU -> FC"
CLOSE = 1e-5

# Shows all rows and windows of an element at once, and says whether they are there.
ALL = """(element) => {
  const boxes = [...element.querySelectorAll(".windows, .list")];
  for (const box of boxes) box.style.maxHeight = "none";
  return boxes.every((box) => [...box.children].every((place) => place.firstChild));
}"""

# The numbers that are added up in a box of the way back: products of windows, or of rows.
TERMS = """(element) => [...element.querySelectorAll(".window, .list tr")].flatMap((each) =>
  each.matches(".window") ? [...[...each.querySelectorAll("table")].at(-1).querySelectorAll("td")]
  : each.querySelector("td") ? [each.cells[each.cells.length - 2]] : [])
  .map((cell) => cell.textContent)"""


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """The files of four networks; the batch norms of one have means and variances of a training."""
    made = {
        name: models.by_name(name, shape, 10, rng=np.random.default_rng(7))
        for name, shape in (
            ("simple", (1, 28, 28)),
            ("resnet20", (3, 32, 32)),
            ("lenet-1998", (1, 28, 28)),
        )
    }
    made["batch-norm"] = models.from_pattern(
        BATCH_NORM, (3, 32, 32), 10, rng=np.random.default_rng(3)
    )
    rng = np.random.default_rng(4)
    for _, layer in made["batch-norm"].layers():
        if layer.is_normalization:
            for name in ("weight", "bias", "running_mean"):
                getattr(layer, name).data[...] = rng.normal(0.3, 0.3, 8)
            layer.running_var.data[...] = rng.uniform(0.5, 2, 8)
    folder = tmp_path_factory.mktemp("networks")
    for name, model in made.items():
        save(model.eval(), folder / f"{name}.safetensors")
    order = ("simple", "batch-norm", "resnet20", "lenet-1998")
    return [folder / f"{name}.safetensors" for name in order]


@pytest.fixture(scope="module")
def page(browser, networks, tmp_path_factory):
    with serving(*networks, cwd=tmp_path_factory.mktemp("journeys")) as studio:
        size = {"width": 1280, "height": 900}
        shown = signed_in(browser, studio, "image=blank&lang=en", viewport=size)
        shown.set_default_timeout(WAIT)
        draw(shown, SEVEN)
        shown.wait_for_function("() => location.hash.includes('image=drawn:')")
        yield shown
        assert shown.errors == []
        shown.close()


def travel(page: Any, network: int, **state: Any) -> None:
    """Go to a state with the drawing that was made."""
    drawn = page.evaluate("new URLSearchParams(location.hash.slice(1)).get('image')")
    go(page, network=f"n{network}", image=drawn, **state)


def whole(page: Any, selector: str) -> Any:
    """Wait until all numbers of an element are there, and return it."""
    page.wait_for_function(f"(s) => ({ALL})(document.querySelector(s))", arg=selector)
    return page.locator(selector)


def close(found: float, expected: float, largest: float) -> bool:
    return abs(found - expected) <= CLOSE * max(largest, abs(expected), 1e-6)


@pytest.fixture(scope="module")
def known(networks):
    """The values of each network: what the page can ask about."""
    return [answer("network", Studio().open(str(source)), {})["values"] for source in networks]


def value_of(known: list[Any], network: int, kind: str, which: int = 0) -> dict[str, Any]:
    found = [value for value in known[network - 1] if value["kind"] == kind]
    value: dict[str, Any] = found[which]
    return value


SIMPLE, BATCH_NORMS, RESNET, LENET = 1, 2, 3, 4
OF_LENET = (
    "Conv2d", "ScaledTanh", "AvgPool2d", "ScaleAndShift", "TableConv2d", "Linear", "RadialBasis"
)  # fmt: skip


@pytest.mark.parametrize("network", [SIMPLE, BATCH_NORMS, RESNET, LENET])
def test_the_drawing_is_answered_by_each_network(page, network):
    travel(page, network, view="network")
    page.wait_for_function(f"() => document.querySelector('.top select').value === 'n{network}'")
    assert bars(page).sum() == pytest.approx(100, abs=1)
    assert page.locator("main .graph .box").count() > 5


@pytest.mark.parametrize(
    ("network", "kind", "which", "at"),
    [
        (SIMPLE, "ReLU", 0, "corner"),
        (SIMPLE, "MaxPool2d", 0, "middle"),
        (SIMPLE, "Linear", 0, "corner"),
        (SIMPLE, "Linear", -1, "end"),
        (BATCH_NORMS, "ReLU", 0, "corner"),
        (BATCH_NORMS, "ReLU", 1, "end"),
        (RESNET, "ReLU", 0, "corner"),
        (RESNET, "ResidualSum", 0, "middle"),
        (RESNET, "ResidualSum", 3, "end"),
        (RESNET, "ReLU", -1, "end"),
        (RESNET, "GlobalAvgPool2d", 0, "middle"),
        (RESNET, "Linear", 0, "end"),
        *[(LENET, kind, 0, "middle") for kind in OF_LENET],
    ],
)
def test_the_arithmetic_of_a_unit_adds_up_as_it_is_written(page, known, network, kind, which, at):
    value = value_of(known, network, kind, which)
    place = {"corner": lambda n: 0, "middle": lambda n: n // 2, "end": lambda n: n - 1}[at]
    unit = [place(n) for n in value["shape"]]
    travel(page, network, view="unit", value=value["id"], unit=".".join(map(str, unit)))
    found = section(page, str(value["id"]), *unit)
    stage = [each["id"] for each in known[network - 1] if each["stage"] == value["stage"]]
    for each in stage:
        whole(page, f"section[data-value='{each}']")
        found = page.locator(f"section[data-value='{each}']")
        parts, engine = found.evaluate(READ), read(found.locator(".engine").inner_text())
        terms = [abs(read(x)) for part in parts for row in part["rows"] for x in row[1:4]]
        assert close(added_up(parts), engine, max(terms, default=0)), (each, engine)


@pytest.mark.parametrize(
    ("network", "kind", "which"),
    [
        (SIMPLE, "MaxPool2d", 0),
        (BATCH_NORMS, "Conv2d", 1),
        (RESNET, "ResidualSum", 4),
        (LENET, "AvgPool2d", 1),
    ],
)
def test_the_way_back_adds_up_as_it_is_written(page, known, network, kind, which):
    value = value_of(known, network, kind, which)
    travel(page, network, view="back", value=value["id"], **{"class": 3})
    page.wait_for_function(
        "(title) => document.querySelector('[data-part=arrives] .arrives')"
        "?.parentElement.textContent.includes(title)",
        arg=f" {value['title']}[",
    )
    parts = whole(page, "[data-part=arrives]").locator(".part")
    totals = [read(text) for text in parts.locator(".total .result").all_inner_texts()]
    for k in range(parts.count()):
        terms = reads(parts.nth(k).evaluate(TERMS))
        assert terms
        assert close(math.fsum(terms), totals[k], max(map(abs, terms)))
    arrives = read(page.locator(".arrives").inner_text())
    assert arrives != 0
    assert close(math.fsum(totals), arrives, max(map(abs, totals)))
    p, t, difference = (
        np.array(reads(page.locator("table.loss tbody tr").nth(k).locator("td").all_inner_texts()))
        for k in (1, 2, 3)
    )
    np.testing.assert_allclose(p - t, difference, rtol=CLOSE, atol=1e-8)
    assert difference.sum() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(
    ("network", "key"),
    [
        (SIMPLE, "conv1.weight:3.0.2.2"),
        (BATCH_NORMS, "norm1.weight:5"),
        (RESNET, "layer3.2.conv2.weight:5.7.1.1"),
        (LENET, "c3.weight:7.2.3"),
    ],
)
def test_a_weights_gradient_adds_up_and_gives_its_next_value(page, network, key):
    step = {"weight": key, "optimizer": "sgd", "lr": "0.5", "class": 3}
    travel(page, network, view="back", value=1, **step)
    name, _, index = key.partition(":")
    page.wait_for_selector(f"text=dL/d {name}[{index.replace('.', ', ')}]")
    whole(page, "[data-part=weight]")
    rows = page.locator("[data-part=weight] .terms tbody tr")
    terms = reads(rows.locator("td:nth-of-type(3)").all_inner_texts())
    gradient = read(page.locator(".gradient").inner_text())
    assert gradient != 0
    assert close(math.fsum(terms), gradient, max(map(abs, terms)))
    number = read(page.locator("[data-part=weight] .tools .number").inner_text()[2:])
    assert read(page.locator(".next").inner_text()) == pytest.approx(
        number - 0.5 * gradient, rel=CLOSE, abs=1e-7
    )
