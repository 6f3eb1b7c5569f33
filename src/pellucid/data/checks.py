"""Refuse images and labels that do not fit, with a message that says how to repair them."""

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

BRIGHTEST = 1.5  # of images in [0, 1]: resizing, brightness and noise may overshoot so far
LARGEST = 10.0  # root mean square of standardised images, where 1 is usual


def require_images(images: Array) -> None:
    """Refuse an array that is not images (N, C, H, W), uint8 or finite float32."""
    if images.ndim != 4:
        hint = " Add the channel axis: `images[:, np.newaxis]`." if images.ndim == 3 else ""
        raise DataError(
            f"expects shape (N, C, H, W), received {images.shape}.{hint}", where="images"
        )
    if images.dtype not in (np.uint8, np.float32):
        raise DataError(unfit_dtype(images), where="images")
    if 0 in images.shape:
        raise DataError(
            f"received no pixels, shape {images.shape}. A network needs at least one image.",
            where="images",
        )
    if images.dtype == np.uint8:
        return
    unfit = np.flatnonzero(~np.isfinite(images).all(axis=(1, 2, 3)))
    if unfit.size:
        raise DataError(
            f"{unfit.size} of {len(images)} images contain NaN or infinity, the first at index "
            f"{unfit[0]}. One is enough to make every weight NaN: remove or repair them first.",
            where="images",
        )


def require_float_batch(x: Array, where: str) -> None:
    """Refuse an array that is not a float batch of images (N, C, H, W)."""
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
    """Refuse float images that are neither in [0, 1] nor standardised.

    Without negative numbers the maximum must not exceed 1.5. With them, the root mean square must
    not exceed 10: of standardised images it is 1, whatever their maximum, and of bytes shifted to
    -128 to 127 it is far higher.
    """
    if images.dtype == np.uint8:
        return
    low, high = float(images.min()), float(images.max())
    if low >= 0:
        if high > BRIGHTEST:
            raise DataError(
                f"expects floats in [0, 1], received numbers up to {high:g}. "
                + divided(high, "images")
                + f" Or pass the number that means 1.0: `peak={_likely_peak(high):g}`.",
                where="images",
            )
        return
    if max(-low, high) <= LARGEST:
        return
    flat = images.reshape(len(images), -1)
    root = math.sqrt(sum(float(np.square(x, dtype=np.float64).mean()) for x in flat) / len(flat))
    if root > LARGEST:
        raise DataError(
            f"expects floats in [0, 1], or standardised ones, received numbers from {low:g} to "
            f"{high:g}. Subtract their mean and divide by their deviation; or, to use them as they "
            "are, pass `peak=1`.",
            where="images",
        )


def divided(high: float, name: str) -> str:
    """Return the advice that scales images of 0 to ``high`` to [0, 1]."""
    peak = _likely_peak(high)
    also = f", or convert them to bytes: `{name}.astype(np.uint8)`" if peak == 255 else ""
    return f"Divide them by the largest possible value: `{name} / {peak:g}`{also}."


def _likely_peak(high: float) -> float:
    return next((peak for peak in (255.0, 65535.0) if peak / 4 < high <= peak), high)


def require_labels(labels: Array, images: int, classes: int) -> None:
    """Refuse labels that are not one integer in 0 to ``classes - 1`` for each of ``images``."""
    if labels.ndim != 1:
        hint = " Turn one-hot rows into labels: `labels.argmax(axis=1)`."
        raise DataError(
            f"expects one integer per image, shape (N,), received {labels.shape}."
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
            f"expects one label per image, received {len(labels)} labels for {images} images.",
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
    """Return the message that says which dtypes images may have, and how to convert this one."""
    advice = {
        "b": "For black and white, use `255 * images.astype(np.uint8)`.",
        "f": "Use `Dataset.from_arrays`, or `images.astype(np.float32)`.",
        "i": "If they lie in 0 to 255, use `images.astype(np.uint8)`.",
        "u": "Divide them by their largest possible value: `(images / 65535).astype(np.float32)`.",
    }.get(images.dtype.kind, "Convert them to numbers first.")
    return f"must be uint8 (0 to 255) or float32 (0 to 1), received {images.dtype}. {advice}"
