"""Feature maps: the outputs of every layer for one image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...errors import ArgumentError, ShapeError
from ...nn import Layer
from ...typing import Array
from ..analysis.recording import Stage, recorded
from ..drawing.canvas import as_written
from ..drawing.feature_sheet import FeatureSheet, class_name, is_maps, most_active
from ..drawing.writing import figure_texts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["features", "stages_of"]

LONGEST = 7.5  # of a class's name, in units of the letters' size
MOST_STAGES = 16  # beyond that those inside residual blocks and branches are left out


@as_written
def features(
    model: Layer,
    image: Array,
    *,
    layers: Sequence[str] | None = None,
    most: int = 12,
    inside: bool | None = None,
    classes: Sequence[str] | None = None,
    label: int | None = None,
) -> Figure:
    """Draw the feature maps of one image, layer by layer, and the scores as bars.

    Parameters
    ----------
    model : Layer
        Run in evaluation mode, and left as it was.
    image : array (C, H, W)
    layers : sequence of str, optional
        Draw these only, dotted paths.
    most : int
        Maps of each layer at most: the most active ones, by their mean absolute value.
    inside : bool, optional
        Whether layers inside residual blocks and branches are drawn too; by default if there are
        no more than 16 rows then.
    classes : sequence of str, optional
        What each score means; by default what the model's card says, or numbers.
    label : int, optional
        The image's class, which is marked.

    Returns
    -------
    matplotlib.figure.Figure
        A row for each layer, together with what follows it cell by cell (batch norm, ReLU). Where
        no number is negative, black is 0 and white the row's largest; otherwise middle grey is 0.

    Raises
    ------
    ArgumentError
        If a layer does not exist, or there is nothing to draw.
    ShapeError
        If the image does not fit.

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet
    >>> image = np.random.default_rng(0).random((1, 28, 28), dtype=np.float32)
    >>> figure = features(SimpleConvNet(), image, most=6)
    >>> len(figure.axes)                    # the image; 2 rows of 6 maps; the strip; the scores
    15
    """
    image = np.asarray(image)
    if image.ndim != 3:
        raise ShapeError(f"expects one image (C, H, W), received {image.shape}.", where="features")
    if most < 1:
        raise ArgumentError(f"must be 1 or more, received {most}.", where="most")
    stages = stages_of(recorded(model, image[np.newaxis]), layers, inside)
    last = stages[-1]
    scores = last.output[0] if last.output.ndim == 2 else None
    rows = stages[:-1] if scores is not None else stages
    if classes is None and model.card is not None:
        classes = model.card.classes
    names = None if classes is None else figure_texts(classes, LONGEST)
    columns = max([len(most_active(s.output[0], most)) for s in rows if is_maps(s)] or [4])
    sheet = FeatureSheet(image, rows, columns, scores)
    sheet.image(image, None if label is None else class_name(names, label))
    for stage in rows:
        if is_maps(stage):
            sheet.maps(stage, most)
        else:
            sheet.strip(stage)
    if scores is not None:
        sheet.scores(last, scores, names, label)
    return sheet.figure


def stages_of(
    stages: list[Stage], layers: Sequence[str] | None = None, inside: bool | None = None
) -> list[Stage]:
    """Return the stages to draw: those of ``layers``, or those that compute something.

    Layers that only reshape their input, such as Flatten, are omitted.

    Raises
    ------
    ArgumentError
        If a layer does not exist, or there is nothing to draw.
    """
    if layers is not None:
        names = [name for stage in stages for name in stage.names]
        for name in layers:
            if name not in names:
                raise ArgumentError(
                    f"there is no {name!r}. The layers are: {', '.join(names)}.", where="layers"
                )
        return [s for s in stages if any(name in layers for name in s.names)]
    shown: list[Stage] = []
    for stage in stages:
        if shown and _same_numbers(shown[-1], stage):
            if stage is not stages[-1]:
                continue
            shown.pop()  # the scores are the last output
        shown.append(stage)
    if inside is None:
        inside = len(shown) <= MOST_STAGES
    shown = [stage for stage in shown if inside or not stage.depth]
    if not shown:
        raise ArgumentError("needs at least one layer.", where="features")
    return shown


def _same_numbers(before: Stage, stage: Stage) -> bool:
    a, b = before.output, stage.output
    return a.size == b.size and np.array_equal(a.ravel(), b.ravel(), equal_nan=True)
