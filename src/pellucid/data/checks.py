"""What images and labels must be, said so that a reader can mend theirs."""

from __future__ import annotations

import math

import numpy as np

from ..errors import DataError
from ..typing import Array

__all__ = [
    "divided",
    "require_float_batch",
    "require_images",
    "require_labels",
    "require_scale",
    "unfit_dtype",
]

BRIGHTEST = 1.5  # of numbers from 0 to 1: what resizing, brightness and noise may add
LARGEST = 10.0  # root mean square of standardised numbers, where 1 is usual


def require_images(images: Array) -> None:
    """Refuse what is not images (N, C, H, W), uint8 or finite float32."""
    if images.ndim != 4:
        hint = " Add the channel axis: `images[:, np.newaxis]`." if images.ndim == 3 else ""
        raise DataError(
            f"expects shape (N, C, H, W), received {images.shape}.{hint}", where="images"
        )
    if images.dtype not in (np.uint8, np.float32):
        raise DataError(unfit_dtype(images), where="images")
    if 0 in images.shape:
        raise DataError(
            f"received no pixels at all, shape {images.shape}. A network needs at least one image.",
            where="images",
        )
    if images.dtype == np.uint8:
        return
    unfit = np.flatnonzero(~np.isfinite(images).all(axis=(1, 2, 3)))
    if unfit.size:
        raise DataError(
            f"{unfit.size} of {len(images)} images contain NaN or infinity, the first at index "
            f"{unfit[0]}. One of them would spoil every weight: remove or repair them first.",
            where="images",
        )


def require_float_batch(x: Array, where: str) -> None:
    """Refuse what is not a batch of images (N, C, H, W) as floats."""
    floats, hint = x.dtype.kind == "f", ""
    if x.ndim == 4 and floats:
        return
    if not floats:
        hint = " Divide them by the largest possible value: `(x / 255).astype(np.float32)`."
    elif x.ndim == 3:
        hint = " For one image add the batch axis: `x[np.newaxis]`."
    raise DataError(
        f"expects float images (N, C, H, W), received {x.dtype} of shape {x.shape}.{hint}",
        where=where,
    )


def require_scale(images: Array) -> None:
    """Refuse float images that are neither numbers from 0 to 1 nor standardised.

    Without negative numbers the largest must not exceed 1.5. With them, the root mean square must
    not exceed 10: that of standardised numbers is 1, whatever the largest of them, and that of
    bytes around zero, -128 to 127, is far higher.
    """
    if images.dtype == np.uint8:
        return
    low, high = float(images.min()), float(images.max())
    if low >= 0:
        if high > BRIGHTEST:
            raise DataError(
                f"expects floats from 0 to 1, received numbers up to {high:g}. "
                + divided(high, "images")
                + f" Or say which number means 1.0: `peak={_likely_peak(high):g}`.",
                where="images",
            )
        return
    if max(-low, high) <= LARGEST:
        return
    flat = images.reshape(len(images), -1)
    root = math.sqrt(sum(float(np.square(x, dtype=np.float64).mean()) for x in flat) / len(flat))
    if root > LARGEST:
        raise DataError(
            f"expects floats from 0 to 1, or standardised ones, received numbers from {low:g} to "
            f"{high:g}. Subtract their mean and divide by their deviation; or, if you mean them as "
            "they are, say `peak=1`.",
            where="images",
        )


def divided(high: float, name: str) -> str:
    """Say how images from 0 to ``high`` come to lie in 0 to 1."""
    peak = _likely_peak(high)
    also = f", or convert them to bytes: `{name}.astype(np.uint8)`" if peak == 255 else ""
    return f"Divide them by the largest possible one, as `{name} / {peak:g}`{also}."


def _likely_peak(high: float) -> float:
    return next((peak for peak in (255.0, 65535.0) if peak / 4 < high <= peak), high)


def require_labels(labels: Array, images: int, classes: int) -> None:
    """Refuse what is not one integer in 0 to ``classes - 1`` for each of ``images``."""
    if labels.ndim != 1:
        hint = " Turn one-hot rows into labels: `labels.argmax(axis=1)`."
        raise DataError(
            f"expects one integer an image, shape (N,), received {labels.shape}."
            + hint * (labels.ndim == 2),
            where="labels",
        )
    if labels.dtype.kind not in "iu":
        raise DataError(
            f"must be integers, received {labels.dtype}. Number the classes from 0, for example "
            "with `classes, labels = np.unique(names, return_inverse=True)`.",
            where="labels",
        )
    if len(labels) != images:
        raise DataError(
            f"expects one label an image, received {len(labels)} labels for {images} images.",
            where="labels",
        )
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if wrong.size:
        raise DataError(
            f"must lie in 0 to {classes - 1}, one number for each of the {classes} classes; "
            f"received {labels[wrong[0]]} at index {wrong[0]}. Count from 0, or name every class.",
            where="labels",
        )


def unfit_dtype(images: Array) -> str:
    """Say which dtypes images may have, and how to get there from this one."""
    advice = {
        "b": "For black and white, use `255 * images.astype(np.uint8)`.",
        "f": "Use `Dataset.from_arrays`, or `images.astype(np.float32)`.",
        "i": "If they lie in 0 to 255, use `images.astype(np.uint8)`.",
        "u": "Divide them by their largest possible value: `(images / 65535).astype(np.float32)`.",
    }.get(images.dtype.kind, "Convert them to numbers first.")
    return f"must be uint8 (0 to 255) or float32 (0 to 1), received {images.dtype}. {advice}"
