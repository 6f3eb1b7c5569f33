"""The arithmetic of a unit in JavaScript: from a description it tells what Python tells."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pellucid.studio
from nn.cases import CASES, Case
from ops.strategies import Convolution, Pooling, convolutions, poolings
from pellucid import nn
from pellucid.models import by_name
from pellucid.nn import walk
from pellucid.studio import questions  # noqa: F401 - registers them
from pellucid.studio.envelope import pack, unpack
from pellucid.studio.opening import Studio
from pellucid.studio.registry import answer
from pellucid.studio.single_file.unit import described
from pellucid.studio.single_file.unit.describing import of_layer
from pellucid.studio.single_file.unit.rules import resolved
from pellucid.viz.analysis.arithmetic import arithmetic, explains
from standalone.browser import CHROMIUM
from viz.added_up import plain_values_of, units_of
from viz.test_arithmetic import Blur, Half, Silent, Taller, Wrong

STUDIO = Path(pellucid.studio.__file__).parent
CLOSE = 1e-5

PAGE = """<!doctype html><script type="module">
import { arithmetic } from "/single_file/unit/arithmetic.js";
import { formula } from "/single_file/unit/formula.js";
import { pack, unpack } from "/page/envelope.js";
window.formula = (text, known) => formula(text, Object.keys(known))(known);
window.arithmetic = async () => {
  const asked = unpack(await (await fetch("/asked")).arrayBuffer());
  const { described, values, weights, units } = asked;
  const told = units.map((unit) => arithmetic(described, values, unit, weights));
  await fetch("/told", { method: "POST", body: pack(told) });
};
</script>"""


@pytest.fixture(scope="module")
def page():
    if not CHROMIUM:
        pytest.skip("needs an installed Chromium")
    playwright = pytest.importorskip("playwright.sync_api")

    def fulfill(route: Any) -> None:
        path = route.request.url.removeprefix("http://studio.test/")
        if path == "asked":
            return route.fulfill(body=opened.asked)
        if path == "told":
            opened.told = route.request.post_data_buffer
            return route.fulfill(body="")
        body = (STUDIO / path).read_text("utf-8") if path else PAGE
        return route.fulfill(body=body, content_type="text/javascript" if path else "text/html")

    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        opened = browser.new_page()
        opened.route("**/*", fulfill)
        opened.goto("http://studio.test/")
        opened.wait_for_function("() => window.arithmetic !== undefined")
        yield opened
        browser.close()


class Asked:
    """Units of a network's values, explained by Python and by the page."""

    def __init__(self, page: Any, model: nn.Layer, values: list[np.ndarray]) -> None:
        self.page, self.nodes, self.values = page, walk.flattened(model), values
        self.state = {key: array.data for key, array in model.buffers().items()}

    def description(self, k: int) -> dict[str, Any]:
        node = self.nodes[k - 1]
        shapes = [self.values[read].shape for read in node.reads]
        made = self.values[k].shape
        return of_layer(node.layer, shapes, made, value=k, reads=node.reads, path=node.name)

    def in_python(self, k: int, unit: tuple[int, ...]) -> dict[str, Any]:
        node = self.nodes[k - 1]
        inputs = [self.values[read] for read in node.reads]
        return arithmetic(
            node.layer, inputs, self.values[k], unit, value=k, reads=node.reads, path=node.name
        ).as_dict()

    def in_the_page(self, k: int, units: list[tuple[int, ...]]) -> list[dict[str, Any]]:
        node, told = self.nodes[k - 1], self.description(k)
        needed = [v if n in (*node.reads, k) else None for n, v in enumerate(self.values)]
        keys = [key for key in self.state if key.startswith(node.name)]
        weights = {key: self.state[key] for key in keys}
        return page_tells(self.page, told, needed, units, weights)


def page_tells(
    page: Any, described: Any, values: Any, units: Any, weights: Any = None
) -> list[dict[str, Any]]:
    """Return what the page tells of some units."""
    page.asked = pack(
        {
            "described": json.loads(json.dumps(described, allow_nan=False)),
            "values": values,
            "weights": weights or {},
            "units": [list(unit) for unit in units],
        }
    )
    page.evaluate("() => arithmetic()")
    return unpack(page.told)


def require_same(asked: Asked, k: int, units: list[tuple[int, ...]], exact: bool = True) -> None:
    for unit, there in zip(units, asked.in_the_page(k, units), strict=True):
        here = asked.in_python(k, unit)
        assert here["exact"] == exact
        compare(there, unpack(pack(here)), f"{asked.nodes[k - 1].layer} {list(unit)}")


def compare(there: Any, here: Any, where: str) -> None:
    """Compare what both tell: the structure as it is, numbers within rounding."""
    if isinstance(here, dict):
        assert isinstance(there, dict), where
        assert there.keys() == here.keys(), where
        for key in here:
            compare(there[key], here[key], f"{where}.{key}")
    elif isinstance(here, list):
        assert isinstance(there, list), where
        assert len(there) == len(here), where
        for n, each in enumerate(here):
            compare(there[n], each, f"{where}[{n}]")
    elif isinstance(here, np.ndarray):
        assert there.dtype == here.dtype, where
        largest = np.abs(here[np.isfinite(here)]).max(initial=0)
        np.testing.assert_allclose(there, here, CLOSE, CLOSE * largest, err_msg=where)
        assert not np.signbit(there[here == 0]).any() or np.signbit(here[here == 0]).any(), where
    elif isinstance(here, float):
        assert there == pytest.approx(here, rel=CLOSE, abs=1e-7, nan_ok=True), where
    else:
        assert there == here, where
        assert type(there) is type(here), where


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_every_layer_is_explained_as_in_python(page, case: Case):
    model = case.build().astype(np.float32).eval()
    asked = Asked(page, model, plain_values_of(model, np.array(case.arrays(np.float32)[0][0])))
    for k, value in enumerate(asked.values[1:], 1):
        require_same(asked, k, units_of(value.shape))


NETWORKS = {
    "simple": (1, 28, 28),
    "lenet-1998": (1, 32, 32),
    "resnet20": (3, 32, 32),
    "googlenet": (3, 32, 32),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_of_a_network_is_explained_as_in_python(page, name):
    model = by_name(name, NETWORKS[name], 10).eval()
    rng = np.random.default_rng(2)
    asked = Asked(page, model, plain_values_of(model, rng.random(NETWORKS[name], dtype=np.float32)))
    seen = set()
    for k, node in enumerate(asked.nodes, 1):
        like = re.sub(r"\(\d+(, \d+)?", "(", repr(node.layer))  # whatever its channels
        if like not in seen:
            require_same(asked, k, units_of(asked.values[k].shape, 1)[::3])
        seen.add(like)
    assert len(seen) > 3


# Geometry -----------------------------------------------------------------------------------------

FEW = settings(max_examples=20)


@FEW
@given(convolutions())
def test_a_unit_of_any_convolution_is_explained_as_in_python(page, case: Convolution):
    x, w, _, _ = case.arrays(np.float32)
    layer = nn.Conv2d(x.shape[1], w.shape[0], w.shape[2:], **case.options)
    asked = Asked(page, layer, plain_values_of(layer, x[0]))
    require_same(asked, 1, units_of(asked.values[1].shape))


@FEW
@given(poolings(), st.sampled_from(["MaxPool2d", "AvgPool2d", "LpPool2d"]), st.booleans())
def test_a_unit_of_any_pooling_is_explained_as_in_python(page, case: Pooling, kind, counted):
    x = case.arrays(np.float32)[0]
    first = (2,) if kind == "LpPool2d" else ()
    more = {"count_include_pad": counted} if kind == "AvgPool2d" else {}
    layer = getattr(nn, kind)(*first, case.geometry.window, **case.geometry.options, **more)
    asked = Asked(page, layer, plain_values_of(layer, x[0]))
    require_same(asked, 1, units_of(asked.values[1].shape))


def test_every_place_of_a_map_is_described():
    layer = nn.AvgPool2d(3, 2, 1, dilation=2, count_include_pad=False)
    told = of_layer(layer, [(2, 9, 8)], layer.output_shape((2, 9, 8)))
    x = np.zeros((2, 9, 8), np.float32)
    y = layer(x[None])[0]
    for unit in np.ndindex(y.shape):
        (part,) = resolved(told["variants"][0], unit)["parts"]
        here = arithmetic(layer, [x], y, unit).as_dict()["parts"][0]
        assert part["counted"] == here["counted"]
        assert (part["channels"], part["rows"], part["columns"]) == (
            here["channels"], here["rows"], here["columns"],
        )  # fmt: skip


# Numbers that are no numbers ----------------------------------------------------------------------


@pytest.mark.parametrize("x", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    "layer", [nn.MaxPool2d(3, 2, 1), nn.AvgPool2d(3, 2, 1), nn.ReLU6(), nn.Tanh(), nn.Softmax()]
)
def test_what_is_not_finite_is_seen(page, layer, x):
    image = np.full((1, 3, 3), x, np.float32)
    image[0, 1, 2] = np.nan
    with np.errstate(all="ignore"):
        asked = Asked(page, layer, plain_values_of(layer, image))
    require_same(asked, 1, units_of(asked.values[1].shape))


# What cannot be told ------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", [Blur(), Silent(), Wrong(), Half(), Taller()])
def test_of_an_unknown_layer_only_what_a_unit_reads_is_told(page, layer):
    x = np.random.default_rng(0).random((2, 7, 8), dtype=np.float32)
    asked = Asked(page, layer, [x, layer.forward(x[None])[0]])
    require_same(asked, 1, units_of(asked.values[1].shape), exact=False)


class Mirrored(nn.Layer):
    """A layer of somebody's own: each number times one elsewhere, by no rule of its indices."""

    def output_shape(self, shape):
        return shape

    def forward(self, x):
        rows, columns = np.indices(x.shape[2:])
        return x * x[:, :, (rows * columns) % x.shape[2], columns]


class Cube(nn.Layer):
    """Another one, whose formula is written as Python."""

    per_number = True

    def output_shape(self, shape):
        return shape

    def forward(self, x):
        return x * x * x


class Twofold(Cube):
    """One whose explanation is wrong."""

    def forward(self, x):
        return 2 * x


@explains(Mirrored)
def _mirrored(layer, at):
    c, i, j = at.unit
    other = at.input_number("z", (c, i * j % at.x.shape[1], j))
    return at.function("y = x · z", lambda x: x * other.value, other)


@explains(Cube)
def _cube(layer, at):
    return at.function("y = pow(x, 3)", lambda x: x**3)


@explains(Twofold)
def _twofold(layer, at):
    return at.function("y = x + x + x", lambda x: 2 * x)


@pytest.mark.parametrize("layer", [Mirrored(), Cube(), Twofold()])
def test_where_the_page_cannot_compute_it_the_unit_reads_everything(page, layer):
    x = np.random.default_rng(0).random((2, 5, 4), dtype=np.float32)
    asked = Asked(page, layer, [x, layer.forward(x[None])[0]])
    (told,) = asked.in_the_page(1, [(1, 3, 2)])
    assert ("variants" in asked.description(1)) == (not isinstance(layer, Mirrored))
    assert not told["exact"]
    assert told["result"] == told["engine"] == float(asked.values[1][1, 3, 2])
    (part,) = told["parts"]
    assert (part["form"], part["name"]) == ("reading", type(layer).__name__)
    assert (part["channels"], part["rows"], part["columns"]) == ([0, 2], [0, 1, 5], [0, 1, 4])
    np.testing.assert_array_equal(part["numbers"], x)


# Networks as they are opened ----------------------------------------------------------------------


def test_a_description_names_the_arrays_that_the_page_needs():
    network = Studio().open("resnet20")
    told = described(network.nodes, network.shapes)
    assert set(told["keys"]) <= network.model.buffers().keys()
    assert {"conv1.weight", "bn1.running_mean", "fc.bias"} <= set(told["keys"])
    assert len(told["values"]) == len(network.shapes)


def _described(name: str) -> dict[str, Any]:
    network = Studio().open(name)
    return described(network.nodes, network.shapes)


def test_a_description_is_small():
    told = json.dumps(_described("simple"), ensure_ascii=False, allow_nan=False)
    assert len(told) < 5_000
    scripts = ("arithmetic", "arrays", "formula", "rules")
    assert sum((STUDIO / f"single_file/unit/{name}.js").stat().st_size for name in scripts) < 20_000


def test_a_pixel_has_no_parts(page):
    network = Studio().open("simple")
    image = network.keep(np.random.default_rng(0).random(network.shapes[0], dtype=np.float32))
    told = page_tells(
        page,
        described(network.nodes, network.shapes)["values"][0],
        network.values(image)[:1],
        [[0, 2, 3]],
    )
    asked = {"image": image, "value": 0, "unit": [0, 2, 3]}
    compare(told[0], answer("unit", network, asked), "")


# Formulas -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "known", "result"),
    [
        ("y = 2 · 3 − 4 / 8 · 2 − 1", {}, 4),
        ("y = −x^2 + (−x)²", {"x": 3}, 0),
        ("y = 2^−x", {"x": 1}, 0.5),
        ("y = e^(x / 2) · e", {"x": 4}, math.e**3),
        ("y = x / √(σ² + ε)", {"x": 6, "σ²": 3, "ε": 1}, 3),
        ("y = x² / |x| + |−2 − |x||", {"x": -3}, 8),
        ("y = max(0, min(x, 6)) · √(4)", {"x": 9}, 12),
        ("n = Σ / n", {"Σ": 6, "n": 4}, 1.5),
        ("ln(x) + tanh(x) + abs(x) + 1e-05", {"x": -2}, math.nan),
        ("y = 0.044715 · π", {}, 0.044715 * math.pi),
    ],
)
def test_a_formula_comes_to(page, text, known, result):
    found = page.evaluate("([text, known]) => formula(text, known)", [text, known])
    assert found == pytest.approx(result, rel=1e-15, nan_ok=True)


@pytest.mark.parametrize(
    "text", ["y = (x", "y = x +", "y = x x", "y = sin(x)", "y = |x", "y = q", ""]
)
def test_a_formula_that_is_not_one_is_refused(page, text):
    with pytest.raises(Exception, match="SyntaxError"):
        page.evaluate("(text) => formula(text, { x: 1 })", text)


def test_the_error_function_is_that_of_python(page):
    places = [*np.linspace(-7, 7, 101).tolist(), 1e-9, 0.0]
    found = page.evaluate("(places) => places.map((x) => formula('erf(x)', { x }))", places)
    np.testing.assert_allclose(found, [math.erf(x) for x in places], rtol=1e-14)
