"""The arithmetic of a unit, computed again from the numbers in it by other means."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from pellucid import engine, nn
from pellucid.nn import walk
from pellucid.viz.analysis.arithmetic import arithmetic

CLOSE = 1e-5
FUNCTIONS = {
    "e": math.e,
    "π": math.pi,
    "max": np.maximum,
    "min": np.minimum,
    "tanh": np.tanh,
    "ln": np.log,
    "sqrt": np.sqrt,
    "erf": math.erf,
    "abs": np.abs,
}


def written(text: str, numbers: dict[str, Any]) -> Any:
    """Return what a formula comes to, as a reader would compute it."""
    right = text.split(" = ")[-1].replace("σ²", "variance").replace("²", "**2")
    for sign, python in (("·", "*"), ("−", "-"), ("^", "**"), ("√(", "sqrt(")):
        right = right.replace(sign, python)
    for letter in "xz":
        right = right.replace(f"|{letter}|", f"abs({letter})")
    known = {k.replace("σ²", "variance"): v for k, v in numbers.items()}
    with np.errstate(all="ignore"):
        return eval(right, {"__builtins__": {}}, FUNCTIONS | known)


def values_of(model: nn.Layer, x: np.ndarray) -> list[np.ndarray]:
    """Return the values of all nodes for one image as the engine computes them, without N."""
    nodes = walk.flattened(model)
    names = ["x", *(f"v{k}" for k in range(1, len(nodes) + 1))]
    graph = nn.Graph(
        {
            name: (node.layer, *(names[k] for k in node.reads))
            for name, node in zip(names[1:], nodes, strict=True)
        },
        output=tuple(names[1:]),
        input="x",
    ).eval()
    outputs = engine.compile(graph, x.shape, 1)(x[None])
    return [x, *(y[0].copy() for y in outputs)]


def plain_values_of(model: nn.Layer, x: np.ndarray) -> list[np.ndarray]:
    """Return the same as the layers of `pellucid.nn` compute them."""
    values = [x[None]]
    for node in walk.flattened(model.eval()):
        values.append(node.layer.forward(*(values[k] for k in node.reads)))
    return [value[0] for value in values]


def units_of(shape: tuple[int, ...], more: int = 3) -> list[tuple[int, ...]]:
    """Return the corners of an array, its middle, and some other places."""
    rng = np.random.default_rng(3)
    corners = itertools.product(*({0, size - 1} for size in shape))
    drawn = (tuple(int(rng.integers(size)) for size in shape) for _ in range(more))
    return sorted({*corners, tuple(size // 2 for size in shape), *drawn})


class Seen(NamedTuple):
    """A network's arrays by key, the values of one image, and the layer that is looked at."""

    state: Mapping[str, Any]
    values: Sequence[np.ndarray]
    layer: nn.Layer


def require_added_up(model: nn.Layer, values: Sequence[np.ndarray], k: int, unit: Any) -> dict:
    """Explain one unit, compute all of it again, and compare with the number in the map."""
    node = walk.flattened(model)[k - 1]
    inputs = [values[read] for read in node.reads]
    told = arithmetic(
        node.layer, inputs, values[k], unit, value=k, reads=node.reads, path=node.name
    ).as_dict()
    assert (told["value"], told["path"], told["unit"]) == (k, node.name, list(unit))
    require_told(Seen(model.buffers(), values, node.layer), told)
    return told


def require_told(seen: Seen, told: dict) -> None:
    """Compute again what was told of a unit, and compare with the number in the map."""
    assert told["engine"] == float(seen.values[told["value"]][tuple(told["unit"])])
    known: dict[str, float] = {}
    sizes = [abs(told["engine"]), 1e-30]
    for part in told["parts"]:
        result, terms = _COMPUTED[part["form"]](part, seen, known)
        largest = max([abs(result), *np.abs(np.ravel(terms)), 1e-30])
        assert abs(part["result"] - result) <= CLOSE * largest, part
        sizes.append(largest)
        known[part.get("symbol", part["name"])] = part["result"]
    assert told["result"] == told["parts"][-1]["result"]
    assert abs(told["result"] - told["engine"]) <= CLOSE * max(sizes), told


# The parts ----------------------------------------------------------------------------------------


def _products(part, seen, known):
    _require_numbers(part, seen, 0.0)
    weights = part["weights"]
    assert weights.dtype == part["products"].dtype == np.float32
    assert weights.shape == part["products"].shape == part["numbers"].shape
    if part["weights_from"] is not None:
        other = {**part["weights_from"], "numbers": weights.ravel(), "padded": None}
        _require_numbers(other, seen, 0.0)
    if part["weight"] is not None:
        _require_weights(part, seen)
    np.testing.assert_allclose(part["products"], part["numbers"] * weights, rtol=CLOSE)
    assert not np.signbit(part["products"][part["products"] == 0]).any()
    return math.fsum(part["products"].ravel().tolist()), part["products"]


def _reduction(part, seen, known):
    outside = {"max": -np.inf, "min": np.inf}.get(part["name"], 0.0)
    _require_numbers(part, seen, outside)
    numbers, name = part["numbers"].astype(np.float64), part["name"]
    if name in ("max", "min"):
        assert part["winner"] is not None
        if part["padded"] is not None:
            assert not part["padded"][tuple(part["winner"][1:])]
        assert numbers[tuple(part["winner"])] == part["result"]
        return (numbers.max() if name == "max" else numbers.min()), []
    terms = numbers
    if part["text"]:
        named = {n["symbol"]: n["value"] for step in part["steps"] for n in step["numbers"]}
        if part["weight"] is not None:
            _require_weights(part, seen)
            named["w"] = part["weights"]
        terms = written(part["text"], {**known, **named, "x": numbers, "z": numbers})
        assert part["each"].dtype == np.float32
        np.testing.assert_allclose(part["each"], terms, rtol=CLOSE, atol=1e-30)
    all_together = math.fsum(terms.ravel().tolist())
    if name in ("mean", "variance"):
        assert part["counted"] > 0
        result = all_together / part["counted"]
        assert [step["result"] for step in part["steps"]] == [part["result"]]
        return result, []
    if name == "Lp":
        (root,) = part["steps"]
        assert root["result"] == part["result"]
        return all_together ** (1 / seen.layer.norm_type), []
    assert name == "sum"
    return all_together, terms


def _terms(part, seen, known):
    numbers = [_traced(term, seen, known, term["label"]) for term in part["terms"]]
    assert all({"input", "key"} & term.keys() or term["label"] in known for term in part["terms"])
    result = numbers[0]
    for number in numbers[1:]:
        result = {
            "+": lambda a, b: a + b,
            "−": lambda a, b: a - b,
            "×": lambda a, b: a * b,
            "/": lambda a, b: a / b,
            "max": max,
            "min": min,
        }[part["operator"]](result, number)
    return result, numbers


def _formula(part, seen, known):
    numbers = {n["symbol"]: _traced(n, seen, known, n["symbol"]) for n in part["numbers"]}
    cancels = seen.layer.is_normalization or seen.layer.is_activation
    terms = [numbers[k] for k in ("x", "μ", "β") if k in numbers and cancels]
    return float(written(part["text"], numbers)), terms


def _copy(part, seen, known):
    assert part["padded"] == (part["unit"] is None) == (part["input"] is None)
    if part["unit"] is None:
        return part["result"], []
    return float(seen.values[part["input"]][tuple(part["unit"])]), []


def _reading(part, seen, known):
    _require_numbers(part, seen, 0.0)
    return part["result"], []


_COMPUTED = {
    "products": _products,
    "reduction": _reduction,
    "terms": _terms,
    "formula": _formula,
    "copy": _copy,
    "reading": _reading,
}


def _traced(number, seen, known, symbol):
    """Return a number of a sum or formula, after a look at where it says that it is from."""
    value = number["value"]
    if "input" in number:
        assert value == float(seen.values[number["input"]][tuple(number["unit"])])
    elif "key" in number:
        data = seen.state[number["key"]].data
        assert value == float(data[tuple(number["index"])])
    elif symbol in known:
        assert value == known[symbol]
    return value


def _ranges(part) -> list[range]:
    if part["indices"] is not None:
        return [range(a, a + s * n, s) for a, s, n in part["indices"]]
    (a, b), *rest = part["channels"], part["rows"], part["columns"]
    return [range(a, b), *(range(f, f + s * n, s) for f, s, n in rest)]


def some_of(places: list[Any]) -> list[tuple[int, Any]]:
    """Return places with their numbers in the list: all of them, or some of very many."""
    step = max(len(places) // 100, 1) | 1  # odd: it meets rows and columns of all kinds
    return [(n, places[n]) for n in {*range(0, len(places), step), len(places) - 1} if n >= 0]


def _require_numbers(part, seen, outside: float) -> None:
    """Look up each number of a window, one after the other."""
    x, numbers = seen.values[part["input"]], part["numbers"]
    assert numbers.dtype == np.float32
    flat, padded = numbers.ravel(), part["padded"]
    ranges = _ranges(part)
    assert flat.size == math.prod(map(len, ranges))
    for n, place in some_of([*itertools.product(*ranges)]):
        inside = all(0 <= k < size for k, size in zip(place, x.shape, strict=True))
        assert flat[n] == (np.float32(x[place]) if inside else outside), place
        if padded is None:
            assert inside, place
        else:
            u, v = np.unravel_index(n % padded.size, padded.shape)
            assert padded[u, v] == (not inside), place


def _require_weights(part, seen) -> None:
    """Look up each weight in the layer's array by the index that is told."""
    data = seen.state[part["weight"]].data
    index, free = part["weight_index"], list(part["weights"].shape)
    free = free[len(free) - _axes(index, data.ndim) :]
    for n, place in some_of([*np.ndindex(*free)]):
        going, at = list(place), []
        for axis in range(data.ndim):
            entry = index[axis] if axis < len(index) else [0, 1]
            at.append(entry if isinstance(entry, int) else entry[0] + entry[1] * going.pop(0))
        assert part["weights"].ravel()[n] == np.float32(data[tuple(at)])


def _axes(index, axes: int) -> int:
    return axes - sum(isinstance(entry, int) for entry in index)
