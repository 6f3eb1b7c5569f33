"""The attribution maps of `pellucid.viz.analysis.attribution`, laid over the image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import ops
from ...errors import ArgumentError, did_you_mean
from ...nn import Layer
from ...typing import Array
from ..analysis.attribution import (
    class_scores,
    guided_backpropagation,
    occlusion,
    require_class,
    saliency,
)
from ..analysis.cam import cam_layer, grad_cam
from ..drawing.canvas import as_written, new_figure
from ..drawing.writing import figure_text, figure_texts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["METHODS", "why"]

METHODS = ("saliency", "guided", "occlusion", "gradcam")
GUIDED = "guided backpropagation"
SIDE = 2.7  # inches
LONGEST = 11.0  # of a name, in units of the letters' size


@as_written
def why(
    model: Layer,
    image: Array,
    target: int | None = None,
    *,
    methods: Sequence[str] = METHODS,
    layer: str | None = None,
    size: int | None = None,
    classes: Sequence[str] | None = None,
    label: int | None = None,
    on_batch: Callable[[int], None] | None = None,
) -> Figure:
    """Draw an image, overlaid with the pixels that a class score depends on.

    Brighter means more relevant, on a perceptually uniform colormap. The coarse maps, of occlusion
    and Grad-CAM, have a contour at half of the largest value.

    Parameters
    ----------
    model : Layer
        Ends in class scores.
    image : array (C, H, W)
        As the network takes it.
    target : int, optional
        The class that is asked for; the predicted one by default.
    methods : sequence of {"saliency", "guided", "occlusion", "gradcam"}
    layer : str, optional
        For Grad-CAM; `cam_layer` by default.
    size : int, optional
        Of the square of occlusion.
    classes : sequence of str, optional
        Their names.
    label : int, optional
        The true class.
    on_batch : callable, optional
        Called with the number of covered images after each batch.

    Raises
    ------
    ArgumentError
        If a method, class or layer does not exist, or the network lacks what a method needs.

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet
    >>> model = SimpleConvNet((1, 8, 8))
    >>> figure = why(model, np.ones((1, 8, 8), dtype=np.float32), 3, methods=["saliency"])
    >>> [axes.get_title(loc="left") for axes in figure.axes][1]
    'saliency'
    """
    if not methods:
        raise ArgumentError(f"needs at least one. Known: {', '.join(METHODS)}.", where="methods")
    for method in methods:
        if method not in METHODS:
            raise ArgumentError(
                f"there is no {method!r}. {did_you_mean(method, METHODS)}", where="methods"
            )
    image = np.asarray(image)
    scores = class_scores(model, image)
    best = int(scores.argmax())
    target = best if target is None else require_class(target, scores)
    probabilities = ops.softmax(scores[None])[0]
    wide = len(methods) + 1
    figure = new_figure(SIDE * min(wide, 3), (SIDE + 0.1) * -(-wide // 3))
    grid = figure.subplots(-(-wide // 3), min(wide, 3), squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()

    names = None if classes is None else figure_texts(classes, LONGEST)

    def name(k: int) -> str:
        return names[k] if names is not None else f"class {k}"

    lines = [
        f"explained: {name(target)}, score {scores[target]:.2f}, "
        f"{100 * probabilities[target]:.1f} %"
    ]
    if target != best:
        lines.append(f"predicted: {name(best)}, {100 * probabilities[best]:.1f} %")
    if label is not None:
        lines.append(f"true: {name(label)}")
    _image(grid[0], image)
    grid[0].set_title("\n".join(lines), fontsize=7.5, loc="left")
    for axes, method in zip(grid[1:], methods, strict=False):
        try:
            title, heat, unit = _heat(model, image, target, method, layer, size, on_batch)
        except ArgumentError as error:
            if len(methods) == 1 or method != "guided":
                raise
            axes.text(
                0.05, 0.5, figure_text(str(error)), wrap=True, fontsize=7, transform=axes.transAxes
            )
            axes.set_title(GUIDED, fontsize=8, loc="left")
            axes.set_box_aspect(image.shape[1] / image.shape[2])  # as a picture beside the others
            continue
        _image(axes, image, faint=True)
        coarse = method in ("occlusion", "gradcam")
        _lay(figure, axes, heat, image.shape, unit, coarse=coarse)
        axes.set_title(title, fontsize=8, loc="left")
    return figure


def _heat(
    model: Layer,
    image: Array,
    target: int,
    method: str,
    layer: str | None,
    size: int | None,
    on_batch: Callable[[int], None] | None,
) -> tuple[str, Array, str]:
    """Return the title, the map, and the meaning of its numbers."""
    if method == "saliency":
        return "saliency", saliency(model, image, target), "|gradient|"
    if method == "guided":
        gradient = guided_backpropagation(model, image, target)
        return GUIDED, np.abs(gradient).max(axis=0), "|guided gradient|"
    if method == "occlusion":
        falls = occlusion(model, image, target, size=size, on_batch=on_batch)
        return "occlusion", np.maximum(falls, 0), "fall of the score"
    name = cam_layer(model, image.shape) if layer is None else layer
    return (
        f"Grad-CAM, {figure_text(name, LONGEST)}",
        grad_cam(model, image, target, name),
        "weighted maps",
    )


def _image(axes: Axes, image: Array, *, faint: bool = False) -> None:
    c, _, _ = image.shape
    picture: Any = image.clip(0, 1).transpose(1, 2, 0) if c == 3 else image.mean(axis=0)
    if faint and c == 3:
        picture = picture @ np.array([0.299, 0.587, 0.114])
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1)


def _lay(
    figure: Figure, axes: Axes, heat: Array, shape: tuple[int, ...], unit: str, *, coarse: bool
) -> None:
    """Lay a map of any size over the image: the more, the brighter and the less transparent."""
    _, h, w = shape
    most = float(heat.max())
    extent = (-0.5, w - 0.5, h - 0.5, -0.5)
    share = heat / most if most > 0 else np.zeros_like(heat)
    shown = axes.imshow(
        heat, cmap="inferno", vmin=0, vmax=most or 1, extent=extent,
        interpolation="bilinear" if coarse else "nearest",
        alpha=0.35 + 0.6 * np.asarray(share, dtype=np.float64),
    )  # fmt: skip
    if coarse and most > 0 and min(heat.shape) > 1:
        rows, columns = heat.shape
        y = (np.arange(rows) + 0.5) * h / rows - 0.5
        x = (np.arange(columns) + 0.5) * w / columns - 0.5
        axes.contour(x, y, share, levels=[0.5], colors="white", linewidths=0.7)
    bar = figure.colorbar(shown, ax=axes, shrink=0.75, pad=0.02)
    if bar.solids is not None:
        bar.solids.set_alpha(1)
    bar.set_label(unit, fontsize=7)
    if most <= 0:
        axes.text(
            0.5, 0.06, "0 everywhere: nothing supports it", fontsize=7, ha="center",
            transform=axes.transAxes, bbox={"facecolor": "white", "edgecolor": "black", "pad": 2},
        )  # fmt: skip
    bar.ax.tick_params(labelsize=6)
