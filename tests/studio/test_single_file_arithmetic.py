"""The worker of a single file answers as Python does; layers one by one: test_described_units."""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib import resources
from typing import Any

import numpy as np
import pytest

from pellucid import nn
from pellucid.models import by_name
from pellucid.nn import walk
from pellucid.standalone.page.contents import FUNCTIONS, packed
from pellucid.standalone.program import program_of
from pellucid.studio.single_file.told import nodes, with_state
from pellucid.studio.single_file.unit import described
from pellucid.studio.single_file.writing import own_scripts
from pellucid.viz.analysis.arithmetic import arithmetic
from pellucid.viz.analysis.reach import around, reached, seen_by

CLOSE = 1e-5

ASK = """([code, asked]) => asked.map(([network, weights, image, questions]) => {
    const { load, answers } = new Function(code + "; return { load, answers };")();
    load(network, weights);
    const seen = answers.see({ numbers: { data: image } }).image;
    const plain = (x) => ArrayBuffer.isView(x) ? [...x]
        : Array.isArray(x) ? x.map(plain)
        : !x || typeof x !== "object" ? x
        : Object.fromEntries(Object.entries(x).map(([k, v]) => [k, plain(v)]));
    return questions.map(([ask, args]) => plain(answers[ask]({ image: seen, ...args })));
})"""


@pytest.fixture(scope="module")
def page(browser):
    return browser.new_page()


def _script() -> str:
    root = resources.files("pellucid")
    shared = [f"functions/{name}.js" for name in FUNCTIONS]
    paths = [root / "standalone/page" / name for name in [*shared, "weights.js", "preparing.js"]]
    texts = [path.read_text("utf-8") for path in paths]
    return "let onmessage;" + "\n".join([*texts, *own_scripts()])


class Network:
    """A model with its values for one image, and what the file says of it."""

    def __init__(self, model: nn.Layer, shape: tuple[int, ...], seed: int = 0) -> None:
        self.model, self.shape = model.eval(), shape
        rng = np.random.default_rng(seed)
        for buffer in model.buffers().values():  # statistics and biases that are not 0 or 1
            if buffer.data.dtype.kind == "f" and buffer.data.ndim == 1:
                buffer.data[...] = rng.uniform(0.5, 1.5, buffer.data.shape)
        self.nodes = walk.flattened(model)
        image = rng.normal(size=shape).astype(np.float32)
        self.values = [image]
        for node in self.nodes:
            self.values.append(node.layer(*(self.values[k][None] for k in node.reads))[0])

    def asked(self, questions: list[tuple[str, dict[str, Any]]]) -> list[Any]:
        """Return what a browser needs to answer questions about the network."""
        program = program_of(self.model, "test", self.shape)
        shapes = [value.shape for value in self.values]
        told = described(self.nodes, shapes)
        program, own = with_state(program, told["keys"], self.model.buffers())
        index, weights = packed(program, False)
        network = {
            "described": told["values"],
            "own": own,
            "nodes": nodes(program, self.nodes, shapes),
            "weights": index,
            "output": len(self.nodes),
            "range": (0, 1),
        }
        image = self.values[0].ravel().tolist()
        return [json.loads(json.dumps(network)), weights, image, questions]

    def right(self, value: int, unit: tuple[int, ...]) -> dict[str, Any]:
        node = self.nodes[value - 1]
        inputs, output = [self.values[k] for k in node.reads], self.values[value]
        more = {"value": value, "reads": node.reads, "path": node.name}
        return arithmetic(node.layer, inputs, output, unit, **more).as_dict()

    def around(self, value: int) -> list[np.ndarray]:
        """The value and those it is computed from."""
        return [self.values[k] for k in (value, *self.nodes[value - 1].reads)]


def _units(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The first, a middle and the last unit."""
    middle = tuple(n // 2 for n in shape)
    return list(dict.fromkeys([(0,) * len(shape), middle, tuple(n - 1 for n in shape)]))


def _same(found: Any, right: Any, scale: float, where: str) -> None:
    """Require the same structure, texts and places, and numbers to 1e-5 of the largest."""
    if isinstance(right, np.ndarray):
        assert found["shape"] == list(right.shape), where
        _close(np.array(found["data"], float), right.ravel().astype(float), scale, where)
    elif isinstance(right, dict):
        assert found.keys() == right.keys(), where
        for key, each in right.items():
            _same(found[key], each, scale, f"{where}.{key}")
    elif isinstance(right, list):
        assert len(found) == len(right), where
        for k, each in enumerate(right):
            _same(found[k], each, scale, f"{where}[{k}]")
    elif isinstance(right, float):
        _close(found, right, scale, where)
    else:
        assert found == right, where


def _close(found: Any, right: Any, scale: float, where: str) -> None:
    np.testing.assert_allclose(found, right, rtol=CLOSE, atol=CLOSE * scale, err_msg=where)


def _scale(found: dict[str, Any], values: list[np.ndarray]) -> float:
    """The largest term of the parts, or of the values, which two engines have computed."""
    sizes = [1e-3, *(float(np.abs(value).max()) for value in values)]
    for part in found["parts"]:
        sizes += [abs(part["result"])] + [
            float(np.abs(part[key][np.isfinite(part[key])]).max())
            for key in ("numbers", "products", "each")
            if isinstance(part.get(key), np.ndarray) and np.isfinite(part[key]).any()
        ]
    return max(size for size in sizes if np.isfinite(size))


def _places(network: Network, values: Iterable[int]) -> list[tuple[int, tuple[int, ...]]]:
    return [(v, unit) for v in values for unit in _units(network.values[v].shape)]


def _of_units(places: list[tuple[int, tuple[int, ...]]]) -> list[tuple[str, dict[str, Any]]]:
    return [("unit", {"value": v, "unit": unit}) for v, unit in places]


def _compared(network: Network, places: list[Any], answers: list[Any]) -> None:
    """Compare what is said of some units with what Python says."""
    for (v, unit), found in zip(places, answers, strict=True):
        right = network.right(v, unit)
        where = f"{right['kind']} {v} {list(unit)}"
        assert found["exact"], where
        _same(found, right, _scale(right, network.around(v)), where)


@pytest.mark.parametrize("name", ["lenet-1998", "resnet20"])
def test_units_of_networks_by_name_are_explained_as_in_python(page, name):
    shape = {"lenet-1998": (1, 28, 28), "resnet20": (3, 32, 32)}.get(name, (3, 64, 64))
    network = Network(by_name(name, shape, 10), shape)
    first = {type(node.layer).__name__: made for made, node in enumerate(network.nodes, 1)}
    places = _places(network, sorted({*first.values(), 1, len(network.nodes)}))
    (answers,) = page.evaluate(ASK, [_script(), [network.asked(_of_units(places))]])
    _compared(network, places, answers)


@pytest.mark.parametrize("name", ["lenet-1998", "resnet20", "simple"])
def test_what_a_unit_sees_and_reaches_is_that_of_python(page, name):
    shape = (3, 32, 32) if name == "resnet20" else (1, 28, 28)
    network = Network(by_name(name, shape, 10), shape)
    last = len(network.nodes)
    places = _places(network, (1, 2, last // 2, last))
    questions = [("field", {"value": v, "unit": unit}) for v, unit in places]
    (answers,) = page.evaluate(ASK, [_script(), [network.asked(questions)]])
    for (value, unit), found in zip(places, answers, strict=True):
        windows = seen_by(network.model, shape, value, unit)
        assert found["windows"] == [each.as_dict() for each in windows]
        marks = reached(network.model, shape, value, unit)
        assert found["reaches"] == [around(k, m).as_dict() for k, m in marks.items()]
