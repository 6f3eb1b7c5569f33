"""Activations that exporters write as products: GELU, SiLU, hard-swish, hard-sigmoid, Mish.

All of them are a number times x times a function of x. So the factors of a product are collected,
through the products inside it that nothing else reads, and then compared.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from ...operations import Operation
from .rewriting import Rewriting, close

__all__ = ["whole_functions"]


class _Product(NamedTuple):
    """A number times values, and the operations that multiply them."""

    number: float
    values: list[str]
    parts: list[Operation]


def whole_functions(network: Rewriting) -> None:
    """Replace all activations that are written as products, and x·W + b by one operation."""
    _hard_sigmoids(network)
    for last in network.each("Mul", "Div"):
        reader = network.only_reader(last.outputs[0])
        if reader is not None and reader.op in ("Mul", "Div"):
            continue  # a factor of a larger product; that is compared first
        _function(network, last)
    for last in network.each("Mul", "Div"):
        _function(network, last)
    _linear(network)


def _function(network: Rewriting, last: Operation) -> None:
    """Replace one product, if it is an activation."""
    product = _product(network, last)
    if product is None or len(product.values) != 2:
        return
    for x, inner in (product.values, product.values[::-1]):
        for match in (_gated, _gelu, _tanh_gelu):
            found = match(network, x, inner, product.number)
            if found is not None:
                op, parts, attributes = found
                network.replace(last, [*product.parts, *parts], op, [x], **attributes)
                return


_Found = tuple[str, list[Operation], dict[str, str]]


def _gated(network: Rewriting, x: str, inner: str, number: float) -> _Found | None:
    """Match SiLU, hard-swish and Mish: x times a function of x."""
    gate = _inside(network, inner, "Sigmoid", "HardSigmoid", "Clip", "Tanh")
    if gate is None:
        return None
    read = gate.inputs[0]
    if gate.op == "Sigmoid" and close(number, 1) and read == x:
        return "Swish", [gate], {}
    if gate.op == "HardSigmoid" and close(number, 1) and read == x and _is_sixth(gate):
        return "HardSwish", [gate], {}
    if gate.op == "Clip" and close(number, 1 / 6) and _limits(network, gate) == (0, 6):
        shifted = _inside(network, read, "Add")
        if shifted is not None and _plus(network, shifted, 3) == x:
            return "HardSwish", [gate, shifted], {}
    if gate.op == "Tanh" and close(number, 1):
        soft = _inside(network, read, "Softplus")
        if soft is not None and soft.inputs[0] == x:
            return "Mish", [gate, soft], {}
    return None


def _gelu(network: Rewriting, x: str, inner: str, number: float) -> _Found | None:
    """Match 0.5 · x · (1 + erf(x / √2))."""
    added = _inside(network, inner, "Add") if close(number, 0.5) else None
    erf = None if added is None else _inside(network, _plus(network, added, 1), "Erf")
    scaled = None if erf is None else _inside(network, erf.inputs[0], "Div", "Mul")
    product = None if scaled is None else _product(network, scaled)
    if added is None or erf is None or product is None or product.values != [x]:
        return None
    if not close(product.number, 1 / math.sqrt(2)):
        return None
    return "Gelu", [added, erf, *product.parts], {}


def _tanh_gelu(network: Rewriting, x: str, inner: str, number: float) -> _Found | None:
    """Match 0.5 · x · (1 + tanh(√(2/π) · (x + 0.044715 · x³)))."""
    added = _inside(network, inner, "Add") if close(number, 0.5) else None
    tanh = None if added is None else _inside(network, _plus(network, added, 1), "Tanh")
    scaled = None if tanh is None else _inside(network, tanh.inputs[0], "Mul")
    product = None if scaled is None else _product(network, scaled)
    if added is None or tanh is None or product is None or len(product.values) != 1:
        return None
    total = _inside(network, product.values[0], "Add")
    if total is None or not close(product.number, math.sqrt(2 / math.pi)):
        return None
    cubic = [name for name in total.inputs if name != x]
    term = _inside(network, cubic[0], "Mul") if len(cubic) == 1 and x in total.inputs else None
    cube = None if term is None else _product(network, term)
    if cube is None or not close(cube.number, 0.044715):
        return None
    parts = [added, tanh, *product.parts, total, *cube.parts]
    if cube.values == [x, x, x]:
        return "Gelu", parts, {"approximate": "tanh"}
    power = _inside(network, cube.values[0], "Pow") if len(cube.values) == 1 else None
    if power is None or power.inputs[0] != x or not close(network.number(power.inputs[1]), 3):
        return None
    return "Gelu", [*parts, power], {"approximate": "tanh"}


def _hard_sigmoids(network: Rewriting) -> None:
    """Replace clip(x + 3, 0, 6) / 6 where it is not a factor of a hard-swish's."""
    for last in network.each("Mul", "Div"):
        product = _product(network, last)
        if product is None or len(product.values) != 1 or not close(product.number, 1 / 6):
            continue
        clip = _inside(network, product.values[0], "Clip")
        if clip is None or _limits(network, clip) != (0, 6):
            continue
        shifted = _inside(network, clip.inputs[0], "Add")
        x = None if shifted is None else _plus(network, shifted, 3)
        if shifted is not None and x:
            parts = [*product.parts, clip, shifted]
            network.replace(last, parts, "HardSigmoid", [x], alpha=1 / 6, beta=0.5)


def _linear(network: Rewriting) -> None:
    """Replace x·W + b, with a matrix and a row of the file, by one operation."""
    for last in network.each("Add"):
        for name, other in (last.inputs, last.inputs[::-1]):
            product, bias = _inside(network, name, "MatMul"), network.constant(other)
            weight = None if product is None else network.constant(product.inputs[1])
            if product is None or weight is None or bias is None:
                continue
            if weight.ndim == 2 and bias.shape == weight.shape[1:]:
                inputs = [*product.inputs, other]
                network.replace(last, [product], "Linear", inputs, "pellucid")
                break


def _product(network: Rewriting, last: Operation) -> _Product | None:
    """Return the factors of a product; None if it divides by a value."""
    number, values, parts = 1.0, [], []
    waiting = [last]
    while waiting:
        operation = waiting.pop()
        parts.append(operation)
        a, b = operation.inputs
        for name, divides in ((a, False), (b, operation.op == "Div")):
            constant = network.number(name)
            inner = _inside(network, name, "Mul", "Div")
            if constant is not None and (constant or not divides):
                number = number / constant if divides else number * constant
            elif divides or len(parts) > 8:
                return None
            elif inner is not None:
                waiting.append(inner)
            else:
                values.append(name)
    return _Product(number, values, parts)


def _inside(network: Rewriting, name: str | None, *operators: str) -> Operation | None:
    """Return the operation that makes a value which one operation alone reads."""
    if not name or network.only_reader(name) is None:
        return None
    return network.maker(name, *operators)


def _plus(network: Rewriting, added: Operation, number: float) -> str | None:
    """Return what a sum adds ``number`` to."""
    a, b = added.inputs
    if close(network.number(b), number):
        return a
    return b if close(network.number(a), number) else None


def _limits(network: Rewriting, clip: Operation) -> tuple[float | None, float | None]:
    low, high = clip.attributes.get("min"), clip.attributes.get("max")
    given = [network.number(name) if name else None for name in clip.inputs[1:3]]
    if given and given[0] is not None:
        low = given[0]
    if len(given) > 1 and given[1] is not None:
        high = given[1]
    return low, high


def _is_sixth(gate: Operation) -> bool:
    alpha, beta = gate.attributes.get("alpha", 0.2), gate.attributes.get("beta", 0.5)
    return close(alpha, 1 / 6) and close(beta, 0.5)
