"""Find a digit, or any drawing, on a plain background, and crop it as MNIST's were.

Four steps, each of which can be checked on a picture: what is the background, what is ink, where is
it, and how large is it. The background need not be white or evenly lit, and may be darker than the
ink.
"""

from __future__ import annotations

import numpy as np

from ..preparation import Drawing
from ..typing import Array

__all__ = ["find_drawing"]

LOOKS, CLOSE = 3, 0.35  # passes; the least share of the region that a drawing should fill
FEW = 12  # pixels: the least that a small drawing on a large sheet has
WORK = 192  # pixels of the longer side while searching
LIGHT_BORDER = 0.75  # share of the border: at most 0.56 in the 70,000 images of Fashion-MNIST
MOST_UNEVEN = 0.1  # of the range from black to white; pixels farther away are not background
LEAST_CONTRAST = 0.06  # between ink and background, of the range from black to white
LEAST_RATIO = 6  # contrast over the noise of the background
LEAST_PART = 0.04  # a part below this share of the largest part is a speck


def find_drawing(
    grey: Array, drawing: Drawing, size: tuple[int, int]
) -> tuple[Array | None, str | None]:
    """Return the drawing in a picture, white on black, placed in an image of ``size``.

    A picture that has this size already, and no light border, is taken for one of the training
    images' kind, and returned as it is.

    Parameters
    ----------
    grey : float32 array (rows, columns)
        In [0, 1].
    drawing : Drawing
    size : (H, W)

    Returns
    -------
    image : float32 array (H, W), or None
        In [0, 1]; None if the picture is to be taken as it is.
    account : str or None
        What was done, or that no drawing was found; None if there is nothing to report.
    """
    if grey.shape == size and not _has_light_border(grey):
        return None, None
    top, left, region = 0, 0, grey
    for _ in range(LOOKS):  # again, zoomed in on what was found, if the drawing is small
        small, factor = _reduced(region)
        ink, light = _over_background(small)
        level = _ink_level(ink)
        paper = ink[ink < level / 2]
        noise = 1.4826 * float(np.median(np.abs(paper))) if paper.size else level
        if level < max(LEAST_CONTRAST, LEAST_RATIO * noise):
            return None, "no drawing was found on a plain background; the picture is used as it is"
        mask = _without_specks(ink > level / 2)
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        box = np.array([[rows[0], columns[0]], [rows[-1] + 1, columns[-1] + 1]])
        longest = int((box[1] - box[0]).max())
        if factor == 1 or longest >= CLOSE * WORK:
            break
        begin = np.maximum(((box[0] - longest / 2) * factor).astype(int), 0)
        end = np.ceil((box[1] + longest / 2) * factor).astype(int)
        region = region[begin[0] : end[0], begin[1] : end[1]]
        top, left = top + int(begin[0]), left + int(begin[1])
    # Faint pixels are background or a stroke's edge; nearly full ones are ink.
    strength = np.where(_dilated(mask), (ink / level - 0.15) / 0.7, 0).clip(0, 1)
    if region is grey and (image := _framed(strength, box, drawing, size)) is not None:
        how = (
            "dark on a light background: it is inverted" if light else "light on a dark background"
        )
        return image, f"a drawing was found in its place, {how}"
    image = _placed(strength, box, drawing, size)
    (y, x), (height, width) = np.rint(box[0] * factor), np.rint((box[1] - box[0]) * factor)
    how = "dark on a light background, inverted" if light else "light on a dark background"
    return image, (
        f"a drawing was found ({how}), {width:.0f}x{height:.0f} pixels at column "
        f"{left + x:.0f}, row {top + y:.0f}; it is cropped and centred"
    )


def _has_light_border(grey: Array) -> bool:
    middle = (float(grey.min()) + float(grey.max())) / 2
    return bool((_border(grey) > max(middle, 0.25)).mean() >= LIGHT_BORDER)


def _border(grey: Array) -> Array:
    return np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])


def _most_frequent(values: Array) -> float:
    """Return the middle of the fullest of 32 histogram bins, smoothed with their neighbours."""
    counts = np.histogram(values, bins=32, range=(0, 1))[0]
    return (float(np.convolve(counts, (1, 2, 1), "same").argmax()) + 0.5) / 32


def _reduced(grey: Array) -> tuple[Array, float]:
    """Return the picture shrunk to at most ``WORK`` pixels on the longer side, and the factor."""
    from PIL import Image

    factor = max(grey.shape) / WORK
    if factor <= 1:
        return grey, 1.0
    size = tuple(max(round(side / factor), 1) for side in grey.shape[::-1])
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BOX)), factor


def _over_background(grey: Array) -> tuple[Array, bool]:
    """Return each pixel's distance from the background towards ink, and whether that is light.

    The background is a quadratic surface (paper lit from one side, darker corners), fitted by
    iteratively reweighted least squares, in which outliers count less each time.
    """
    y, x = (np.linspace(-1, 1, n) for n in grey.shape)
    y, x = np.meshgrid(y, x, indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=-1).reshape(-1, 6)
    values = grey.astype(np.float64).ravel()
    background = np.full_like(values, _most_frequent(_border(grey)))
    for count in (1, 3, 3, 6, 6, 6):  # a constant, a plane, a quadratic surface
        residual = values - background
        spread = min(max(1.4826 * float(np.median(np.abs(residual))), 0.01), MOST_UNEVEN)
        weight = 1 / (1 + (residual / (2 * spread)) ** 2)  # the square root of Geman and McClure's
        used = terms[:, :count]
        solution, *_ = np.linalg.lstsq(used * weight[:, None], values * weight, rcond=None)
        background = used @ solution
    darker = (background - values).reshape(grey.shape)
    ranked = np.sort(darker, axis=None)
    light = -ranked[:FEW].sum() <= ranked[-FEW:].sum()
    return (darker, True) if light else (-darker, False)


def _ink_level(ink: Array) -> float:
    """Return the distance of full ink from the background, by Otsu's threshold (1979)."""
    top = float(ink.max())
    if top <= 0:
        return 0.0
    counts, edges = np.histogram(ink, bins=128, range=(0, top))
    middles = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1]
    above = counts.sum() - below
    sums = np.cumsum(counts * middles)
    with np.errstate(divide="ignore", invalid="ignore"):
        means = sums[:-1] / below, (sums[-1] - sums[:-1]) / above
        between = np.nan_to_num(below * above * (means[0] - means[1]) ** 2)
    full = ink[ink > edges[int(between.argmax()) + 1]]
    return float(np.percentile(full, 60)) if full.size else 0.0


def _without_specks(mask: Array) -> Array:
    """Return the 8-connected components that are not much smaller than the largest."""
    runs: list[tuple[int, int, int]] = []  # row, first column, last column
    parent: list[int] = []

    def root(k: int) -> int:
        while parent[k] != k:
            parent[k] = parent[parent[k]]
            k = parent[k]
        return k

    above: list[int] = []
    for i, row in enumerate(mask):
        steps = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(np.int8), [0]])))
        here = []
        for first, end in zip(steps[::2], steps[1::2], strict=True):
            k = len(runs)
            runs.append((i, int(first), int(end)))
            parent.append(k)
            here.append(k)
            for other in above:
                if runs[other][1] <= end and first <= runs[other][2]:
                    parent[root(other)] = root(k)
        above = here
    areas: dict[int, int] = {}
    for k, (_, first, end) in enumerate(runs):
        areas[root(k)] = areas.get(root(k), 0) + end - first
    least = LEAST_PART * max(areas.values())
    kept = np.zeros_like(mask)
    for k, (i, first, end) in enumerate(runs):
        if areas[root(k)] >= least:
            kept[i, first:end] = True
    return kept


def _dilated(mask: Array) -> Array:
    """Return the mask dilated by two pixels, to include the soft edges of strokes."""
    padded = np.pad(mask, 2)
    rows, columns = mask.shape
    return np.logical_or.reduce(
        [padded[i : i + rows, j : j + columns] for i in range(5) for j in range(5)]
    )


def _framed(strength: Array, box: Array, drawing: Drawing, size: tuple[int, int]) -> Array | None:
    """Return the whole picture, (H, W), if the drawing has the right size and place already."""
    from PIL import Image

    scale = size[0] / len(strength)
    if abs(strength.shape[1] * scale - size[1]) > 0.5:
        return None
    length = float((box[1] - box[0]).max()) * scale
    wanted = drawing.box * min(size)
    picture = Image.fromarray(strength.astype(np.float32))
    image = np.asarray(picture.resize(size[::-1], Image.Resampling.BILINEAR)).clip(0, 1)
    away = np.abs(_centre(image, box * scale, drawing) - [side / 2 for side in size])
    return image if abs(length - wanted) <= 0.06 * wanted and away.max() <= 1 else None


def _centre(image: Array, box: Array, drawing: Drawing) -> Array:
    """Return the row and the column to centre: of the mass, or of the middle of ``box``."""
    if drawing.centre == "box":
        return (box[0] + box[1]) / 2
    mass = max(float(image.sum()), 1e-6)
    sums = (image.sum(axis=1), image.sum(axis=0))
    return np.array([float((s * (np.arange(len(s)) + 0.5)).sum()) / mass for s in sums])


def _placed(strength: Array, box: Array, drawing: Drawing, size: tuple[int, int]) -> Array:
    """Return the drawing inside ``box``, resized and centred, (H, W)."""
    from PIL import Image

    h, w = size
    high, wide = box[1] - box[0]
    scale = drawing.box * min(h / high, w / wide)
    fit = min(max(round(wide * scale), 1), w), min(max(round(high * scale), 1), h)
    picture = Image.fromarray(strength.astype(np.float32))
    (top, left), (bottom, right) = box.astype(float)
    smaller = picture.resize(fit, Image.Resampling.BILINEAR, box=(left, top, right, bottom))
    drawn = np.asarray(smaller).clip(0, 1)
    y, x = _centre(drawn, np.array([[0, 0], fit[::-1]]), drawing)
    # In MNIST the mass is at 14.5 of 28: in the middle of row 14, counted from 0.
    more = 0.5 if drawing.centre == "mass" else 0
    i = min(max(round(h / 2 + more - y), 0), h - fit[1])
    j = min(max(round(w / 2 + more - x), 0), w - fit[0])
    image = np.zeros(size, np.float32)
    image[i : i + fit[1], j : j + fit[0]] = drawn
    return image
