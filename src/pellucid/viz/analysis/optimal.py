"""Inputs that maximise the output of a unit: gradient ascent on the image."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...errors import ArgumentError
from ...nn import Layer
from ...receptive import ReceptiveField
from ...typing import Array
from .asked import asking
from .unit_access import crop, looked_at, part_of, required_shape, seen

__all__ = ["optimal_inputs"]

MIDDLE = 0.5  # the grey to which the decay pulls
WIDE = 8  # cells a side: a blur would erase the pattern that a smaller filter looks for


@asking
def optimal_inputs(
    model: Layer,
    layer: str | None = None,
    channels: Sequence[int] = (0,),
    *,
    steps: int = 200,
    rate: float = 0.04,
    decay: float = 0.03,
    blur: float | None = None,
    jitter: int | None = None,
    seed: int = 0,
    on_step: Callable[[int], None] | None = None,
) -> list[Array]:
    """Return for each unit an image that excites it, cropped to the unit's receptive field.

        x ← clip(x + rate·g/rms(g) - decay·(x - 1/2), 0, 1),    g = ∂(unit)/∂x,

    starting from noise around middle grey. The unit of a map is the one in its middle. Its value
    before the ReLU is raised: after it, a silent unit has no gradient. Sources: Erhan et al. 2009,
    "Visualizing Higher-Layer Features of a Deep Network", section 3 (the ascent); Simonyan et
    al. 2014, section 2 (class scores, L2); Yosinski et al. 2015, "Understanding Neural Networks
    Through Deep Visualization", section 3 (decay and blur). The picture depends on these
    restraints, not on the unit alone: without them it would be noise.

    Parameters
    ----------
    model : Layer
        Its ``input_shape`` says how large the images are.
    layer : str, optional
        Whose channels are the units; by default the scores of the classes.
    channels : sequence of int
    steps : int
    rate, decay : float
    blur : float, optional
        Deviation in cells of the Gaussian blur after every fourth step, but for the last ten; 0
        for none. By default 0.7 where the unit sees more than 8 cells a side, otherwise 0.
    jitter : int, optional
        Roll the image by up to ``jitter`` cells before each step. By default 1 for units that see
        all of it, otherwise 0.
    seed : int
        Of the noise.
    on_step : callable, optional
        Called with 1 after each step.

    Returns
    -------
    list of float32 arrays (C, h, w)
        In [0, 1]; NaN where the field reaches over the border.

    Raises
    ------
    ArgumentError
        If the layer or a channel does not exist, or the model does not know its images.

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet
    >>> model = SimpleConvNet((1, 8, 8), rng=np.random.default_rng(0))
    >>> (x,) = optimal_inputs(model, "conv1", [1])
    >>> w = model["conv1"].weight.data[1]
    >>> bool(((x > 0.5) == (w > 0)).all())          # white where the filter's weight is positive
    True
    """
    from ...engine import compile

    shape = required_shape(model, "optimal_inputs")
    part = part_of(model, layer)
    out = part.output_shape(shape)
    wrong = [k for k in channels if not 0 <= k < out[0]]
    if wrong:
        raise ArgumentError(
            f"layer '{layer or 'classes'}' has channels 0 to {out[0] - 1}, received {wrong[0]}.",
            where="channels",
        )
    if steps < 1:
        raise ArgumentError(f"must be 1 or more, received {steps}.", where="steps")
    field = ReceptiveField(everything=True)
    cell: tuple[int, ...] = ()
    if len(out) == 3:
        field = part.receptive_field(ReceptiveField(), shape)
        cell = out[1] // 2, out[2] // 2
    rows, columns = seen(field, cell or (0, 0), shape)  # type: ignore[arg-type]
    jitter = int(field.everything) if jitter is None else jitter
    if blur is None:
        blur = 0.7 if min(rows[1] - rows[0], columns[1] - columns[0]) > WIDE else 0.0
    rng = np.random.default_rng(seed)
    noise = rng.normal(MIDDLE, 0.05, shape).astype(np.float32)
    x = np.repeat(noise[None], len(channels), axis=0).clip(0, 1)
    dtype = next((p.data.dtype for p in part.parameters().values()), np.dtype(np.float32))
    dy = np.zeros((len(channels), *out), dtype=dtype)
    for n, k in enumerate(channels):
        dy[(n, k, *cell)] = 1
    with looked_at(model):
        run = compile(part, shape, max(1, len(channels)))
        for step in range(steps):
            shift = rng.integers(-jitter, jitter + 1, size=2) if jitter else np.zeros(2, int)
            moved = np.roll(x, shift, axis=(2, 3))
            run(moved.astype(dtype, copy=False))
            g = run.backward(dy, need_dx=True)
            assert g is not None
            g = np.roll(g, -shift, axis=(2, 3))
            # Over the cells that count, or those of a small field in a large image would leap.
            square = np.square(g, dtype=np.float64).sum(axis=(1, 2, 3), keepdims=True)
            count = np.count_nonzero(g, axis=(1, 2, 3), keepdims=True)
            g = g / np.maximum(np.sqrt(square / np.maximum(count, 1)), 1e-12)
            x = (x + rate * g - decay * (x - MIDDLE)).clip(0, 1).astype(np.float32)
            if blur and step % 4 == 3 and step < steps - 10:
                x = _blurred(x, blur)
            if on_step is not None:
                on_step(1)
    return [crop(image, rows, columns) for image in x]


def _blurred(x: Array, deviation: float) -> Array:
    """Return the images (N, C, H, W) blurred by a Gaussian, with their edges replicated."""
    reach = max(1, round(3 * deviation))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    weights = (weights / weights.sum()).astype(x.dtype)
    for axis in (2, 3):
        pad = [(0, 0)] * 4
        pad[axis] = (reach, reach)
        wide = np.pad(x, pad, mode="edge")
        n = x.shape[axis]
        x = sum(w * np.take(wide, range(k, k + n), axis=axis) for k, w in enumerate(weights))
    return x
