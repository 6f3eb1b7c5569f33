"""Histograms of every layer's outputs: whether signals vanish, explode or saturate."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ArgumentError
from ...nn import Layer, Linear, ReLU, Sequential, Sigmoid, Tanh
from ...nn.init import WeightInit
from ...nn.state import widened
from ...typing import Array
from ..analysis.asked import asking
from ..drawing.canvas import BLUE, as_written, new_figure
from ..drawing.writing import figure_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["activations", "layer_outputs", "section_6_2", "with_initial_weights"]

BINS = 40
MOST_LAYERS = 12
LONGEST_NAME = 13  # letters on one line
WIDEST = 8.5  # of a line under a layer, in units of the letters' size
BOOK_ACTIVATIONS = {"sigmoid": Sigmoid, "tanh": Tanh, "relu": ReLU}


@as_written
def activations(
    panels: Mapping[str, Mapping[str, Array]], *, columns: int | None = None, title: str = ""
) -> Figure:
    """Draw a panel for each initialisation, with a sideways histogram for each layer.

    Parameters
    ----------
    panels : mapping of a title to (mapping of a layer's name to its outputs, any shape)
    columns : int, optional
        Panels side by side; by default two, or one if there are many layers.
    title : str
        Over all of them.

    Returns
    -------
    matplotlib.figure.Figure
        Each histogram is scaled to its longest bar. Zeros would hide all other
        numbers: their share is written, not drawn. Below each layer stands the deviation of its
        outputs. Numbers beyond the panel's range (the outermost thousandth) are left out.

    Raises
    ------
    ArgumentError
        If there is not a panel with a layer.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=1000)
    >>> figure = activations({"std 1": {"fc1": np.tanh(x), "fc2": np.maximum(x, 0)}})
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['53 % zero']
    """
    if not panels or not all(panels.values()):
        raise ArgumentError("needs at least one panel with one layer.", where="activations")
    most = max(len(layers) for layers in panels.values())
    columns = columns or min(2 if most <= 6 else 1, len(panels))
    rows = math.ceil(len(panels) / columns)
    width = max(4.4, 0.9 * most + 0.8)
    room = (width - 0.4) * 72 / 10  # of a title, in units of its letters' size
    figure = new_figure(columns * width, 2.9 * rows + (0.3 if title else 0))
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    for axes, (name, layers) in zip(grid, panels.items(), strict=False):
        axes.set_title(figure_text(name, room) if name else "", fontsize=10)
        _panel(axes, layers)
    if title:
        figure.suptitle(figure_text(title, columns * room), fontsize=10)
    return figure


def _panel(axes: Axes, layers: Mapping[str, Array]) -> None:
    values = {name: np.asarray(v, dtype=np.float64).ravel() for name, v in layers.items()}
    finite = {name: v[np.isfinite(v)] for name, v in values.items()}
    low, high = _range(list(finite.values()))
    step = (high - low) / BINS  # 0 is an edge: what is above it is not drawn below
    edges = step * np.arange(math.floor(low / step + 1e-6), math.ceil(high / step - 1e-6) + 1)
    labels = []
    for k, (name, v) in enumerate(finite.items()):
        zero = float((v == 0).mean()) if v.size else 0.0
        counts, _ = np.histogram(v[v != 0], edges)
        axes.barh(
            edges[:-1],
            0.8 * counts / max(counts.max(), 1),
            height=np.diff(edges),
            left=k,
            align="edge",
            color=BLUE,
            edgecolor="white",
            linewidth=0.3,
        )
        axes.axvline(k, color="0.3", linewidth=0.6)
        if zero >= 0.005:
            axes.text(
                k + 0.04, high, f"{100 * zero:.0f} % zero", fontsize=7, va="bottom", ha="left"
            )
        lost = 1 - len(v) / max(len(values[name]), 1)
        spread = _number(float(v.std())) if v.size else "-"
        told = "\n".join(figure_text(part, WIDEST) for part in _in_lines(name))
        labels.append(
            f"{told}\ndev. {spread}" + (f"\n{100 * lost:.0f} % not finite" if lost else "")
        )
    axes.set_xticks(np.arange(len(labels)) + 0.4, labels, fontsize=7)
    axes.tick_params(axis="x", length=0)
    axes.tick_params(axis="y", labelsize=8)
    axes.set_xlim(-0.1, len(labels))
    pad = 0.08 * (high - low)
    axes.set_ylim(low - 0.02 * (high - low), high + pad)
    axes.spines[["top", "right"]].set_visible(False)


def _in_lines(name: str) -> list[str]:
    """Break a path after its dots, into lines as long as they may be.

    Examples
    --------
    >>> _in_lines("features.0.2"), _in_lines("features.10.conv.1.2")
    (['features.0.2'], ['features.10.', 'conv.1.2'])
    >>> _in_lines("features.4.block.2.scale_activation")
    ['features.4.', 'block.2.', 'scale_activation']
    """
    lines = [""]
    for part in re.findall(r"[^.]+\.?|\.", name):
        if lines[-1] and len(lines[-1] + part) > LONGEST_NAME:
            lines.append("")
        lines[-1] += part
    return lines


def _number(x: float) -> str:
    return f"{x:,.0f}" if 100 <= x < 1e6 else f"{x:.2g}"


def _range(values: Sequence[Array]) -> tuple[float, float]:
    """Return the range that holds all but the outermost thousandth of every layer."""
    ends = [np.quantile(v, [0.001, 0.999]) for v in values if v.size]
    if not ends:
        return 0.0, 1.0
    low, high = min(float(e[0]) for e in ends), max(float(e[1]) for e in ends)
    # Of a sigmoid or a tanh, its whole range.
    if low >= 0 and high <= 1:
        low, high = 0.0, max(high, 1.0 if high > 0.5 else high)
    elif low >= -1 and high <= 1 and high - low > 1:
        low, high = -1.0, 1.0
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def section_6_2(
    activation: str, init: WeightInit, *, rng: np.random.Generator, layers: int = 5
) -> dict[str, Array]:
    """Return the outputs of 5 layers of 100 neurons for 1,000 random inputs.

    The experiment of "Deep Learning from Scratch", section 6.2.2: weights as ``init`` says, no
    biases, inputs of deviation 1.

    Parameters
    ----------
    activation : {"sigmoid", "tanh", "relu"}
    init : "he", "xavier" or float
    rng : numpy.random.Generator
    layers : int

    Raises
    ------
    ArgumentError
        For another activation or initialisation.

    Examples
    --------
    >>> outputs = section_6_2("tanh", "xavier", rng=np.random.default_rng(0))
    >>> list(outputs), outputs["layer 5"].shape
    (['layer 1', 'layer 2', 'layer 3', 'layer 4', 'layer 5'], (1000, 100))
    """
    if activation not in BOOK_ACTIVATIONS:
        raise ArgumentError(
            f"must be one of {', '.join(BOOK_ACTIVATIONS)}; received {activation!r}.",
            where="activation",
        )
    x = rng.standard_normal((1000, 100)).astype(np.float32)
    chain = Sequential(
        *(
            Sequential(
                Linear(100, 100, bias=False, weight_init=init, rng=rng),
                BOOK_ACTIVATIONS[activation](),
            )
            for _ in range(layers)
        )
    )
    outputs = layer_outputs(chain, x, [str(k) for k in range(layers)])
    return {f"layer {int(k) + 1}": y for k, y in outputs.items()}


@asking
def layer_outputs(
    model: Layer, x: Array, names: Sequence[str] | None = None, *, most: int = MOST_LAYERS
) -> dict[str, Array]:
    """Run ``model`` on images and return the outputs of its layers.

    Parameters
    ----------
    model : Layer
        It is run in evaluation mode, and not changed.
    x : array (N, C, H, W)
    names : sequence of str, optional
        Of the layers, as in `summary`. By default the activations, or the layers with weights if
        there are none; and the last one.
    most : int
        The most layers by default, spread evenly over the depth.

    Raises
    ------
    ArgumentError
        If a layer of ``names`` is not in the model.

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet
    >>> outputs = layer_outputs(SimpleConvNet(), np.zeros((2, 1, 28, 28), dtype=np.float32))
    >>> {name: y.shape for name, y in outputs.items()}
    {'relu1': (2, 30, 24, 24), 'relu2': (2, 100), 'affine2': (2, 10)}
    """
    layers = {name: layer for name, layer in model.layers() if name}
    if names is None:
        names = _bends(layers)
        places = np.linspace(0, len(names) - 1, min(most, len(names))).round().astype(int)
        names = [names[k] for k in np.unique(places)]
    for name in names:
        if name not in layers:
            raise ArgumentError(f"there is no layer {name!r}.", where="layer_outputs")
    outputs: dict[str, Array] = {}
    quiet = np.errstate(over="ignore", invalid="ignore")  # the figure shows exploding outputs
    try:
        for name in names:
            _listen(layers[name], name, outputs)
        with model.evaluating(), quiet:
            model(widened(x, model.parameters().values()))
    finally:
        for name in names:
            vars(layers[name]).pop("forward", None)
    return {name: outputs[name] for name in names}


def _listen(layer: Layer, name: str, outputs: dict[str, Array]) -> None:
    forward = layer.forward

    def listening(x: Array) -> Array:
        outputs[name] = forward(x)
        return outputs[name]

    layer.forward = listening  # type: ignore[method-assign]


def _bends(layers: Mapping[str, Layer]) -> list[str]:
    leaves = [name for name, layer in layers.items() if not any(layer.children())]
    bends = [name for name in leaves if layers[name].is_activation]
    bends = bends or [name for name in leaves if layers[name].parameters()] or leaves
    weighted = [name for name in leaves if layers[name].parameters()]
    last = (
        weighted[-1:] if weighted and leaves.index(weighted[-1]) > leaves.index(bends[-1]) else []
    )
    return [*bends, *last]


def with_initial_weights(model: Layer, init: WeightInit, *, rng: np.random.Generator) -> Layer:
    """Return a copy of ``model`` with new initial weights.

    Each layer with a ``weight_init`` is initialised again by ``init``; the others are copied.

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet
    >>> new = with_initial_weights(SimpleConvNet(), 1.0, rng=np.random.default_rng(0))
    >>> round(float(new["affine1"].weight.data.std()), 2)
    1.0
    """
    new = copy.deepcopy(model)
    for _, layer in new.layers():
        if hasattr(layer, "weight_init") and not any(layer.children()):
            kind: Any = type(layer)
            fresh = kind(**layer.config() | {"weight_init": init}, rng=rng)
            layer.load_state_dict(fresh.state_dict())
    return new
