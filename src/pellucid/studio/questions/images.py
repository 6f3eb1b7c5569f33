"""An image that the network looks at: drawn, from a file, or one of a data set."""

from __future__ import annotations

import io
import time
import warnings
from typing import Any

import numpy as np

from ...data import Dataset
from ...data.decoding import decode
from ...data.images import as_floats
from ...errors import ArgumentError
from ...typing import Array
from ...viz import ranked_mistakes
from ..opened import Opened
from ..registry import Report, question

__all__ = ["gallery", "listed", "see", "shown"]

MOST_SHOWN = 200  # images of one answer


@question("see")
def see(
    opened: Opened,
    *,
    picture: np.ndarray | None = None,
    file: np.ndarray | None = None,
    numbers: np.ndarray | None = None,
    part: str | None = None,
    index: int | None = None,
) -> dict[str, Any]:
    """Take an image, and return its id, its numbers as the network gets them, and the scores.

    ``picture`` is uint8 (H, W, 4), red, green, blue and opacity, as from a canvas; ``file`` the
    bytes of a picture file; ``numbers`` a float image as the network gets it; ``part`` and
    ``index`` name one of a data set.
    """
    begin = time.perf_counter()
    label: int | None = None
    how = ""
    if picture is not None:
        x, how = _prepared(opened, _as_file(picture))
    elif file is not None:
        x, how = _prepared(opened, file.tobytes())
    elif numbers is not None:
        x = numbers
    elif part is not None and index is not None:
        images = opened.part(part)
        if not 0 <= index < len(images):
            raise ArgumentError(
                f"must be from 0 to {len(images) - 1}, received {index}.", where="index"
            )
        batch, labels = images.batch(np.array([index]))
        x, label = batch[0], int(labels[0])
    else:
        raise ArgumentError("needs picture, file, numbers, or part and index.", where="see")
    image = opened.keep(x)
    scores = opened.scores(image)
    return {
        "image": image,
        "numbers": opened.numbers(image),
        "how": how,
        "scores": scores,
        "probabilities": opened.probabilities(scores) if opened.classes else None,
        "label": label,
        "milliseconds": 1000 * (time.perf_counter() - begin),
    }


@question("gallery", scores=True)
def gallery(
    opened: Opened,
    *,
    part: str = "test",
    order: str = "mistakes",
    start: int = 0,
    count: int = 50,
    report: Report,
) -> dict[str, Any]:
    """Return images of a data set with what the network takes them for.

    ``order`` is "mistakes" (the most confident first, then all others) or "order".
    """
    images = opened.part(part)
    probabilities = opened.predicted(part, report)
    guesses = probabilities.argmax(axis=1)
    indices = np.arange(len(images))
    if order == "mistakes":
        wrong = ranked_mistakes(images.labels, probabilities)
        right = indices[guesses == images.labels]
        indices = np.concatenate([wrong, right])
    return {
        "parts": list(opened.parts()),
        "mistakes": int((guesses != images.labels).sum()),
        **listed(opened, images, probabilities, indices, start, count),
    }


def listed(
    opened: Opened, images: Dataset, probabilities: Array, indices: Array, start: int, count: int
) -> dict[str, Any]:
    """Return some of a set's images, of those with these ``indices``, as a gallery shows them."""
    first = max(start, 0)
    chosen = indices[first : first + min(max(count, 0), MOST_SHOWN)]
    guesses = probabilities[chosen].argmax(axis=1)
    return {
        "total": len(indices),
        "indices": chosen,
        "labels": images.labels[chosen],
        "guesses": guesses,
        "confidences": probabilities[chosen, guesses],
        "pictures": shown(opened, images.batch(chosen)[0]),
    }


def shown(opened: Opened, x: Array) -> Array:
    """Return images as bytes (..., H, W): 0 is the smallest number of the images, 255 the largest.

    Numbers that are not in the range of the images, as NaN outside a patch, become 0.
    """
    low, high = opened.value_range
    scaled = np.nan_to_num((x - low) / max(high - low, 1e-12)).clip(0, 1)
    return np.rint(255 * scaled).astype(np.uint8)


def _prepared(opened: Opened, content: bytes) -> tuple[Array, str]:
    """Return a picture as an image of the network, and what was done to it in words.

    An image that is neither grey nor in colour has the grey picture in each of its channels.
    """
    preparation = opened.preparation
    grey = preparation.channels not in (1, 3)
    notes: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of what is refused or harmless
        pixels = decode(
            content,
            "the picture",
            channels=1 if grey else preparation.channels,
            size=preparation.size,
            drawing=preparation.drawing,
            tell=notes.append,
        )
    low, high = opened.value_range
    if grey:
        pixels = np.repeat(pixels, preparation.channels, axis=0)
        notes.append(f"Each of the {preparation.channels} channels is the picture in grey.")
    return low + as_floats(pixels) * np.float32(high - low), " ".join(notes)


def _as_file(picture: Array) -> bytes:
    """Return pixels (H, W, 4) as a picture file, which is decoded as any other."""
    from PIL import Image

    if picture.ndim != 3 or picture.shape[2] != 4 or picture.dtype != np.uint8:
        raise ArgumentError(
            f"must be uint8 (H, W, 4), received {picture.dtype} {picture.shape}.", where="picture"
        )
    if 0 in picture.shape:
        raise ArgumentError("has no pixels.", where="picture")
    file = io.BytesIO()
    Image.fromarray(picture, "RGBA").save(file, "BMP")
    return file.getvalue()
