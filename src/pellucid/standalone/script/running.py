"""How a file of NumPy runs its network: the weights, the scores, the command line."""

# The definitions below are copied into the file that `to_numpy` writes.

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...typing import Array
from .network import CLASSES, SHAPE, WEIGHTS, forward, read_image

__all__ = ["main", "predict", "scores"]

BATCH = 16  # images at a time
_loaded: dict[str, dict[str, Array]] = {}


def weights() -> dict[str, dict[str, Array]]:
    """Return the arrays by layer and name, read from the file beside this one."""
    if not _loaded:
        path = Path(__file__).with_name(WEIGHTS)
        if not path.exists():
            raise FileNotFoundError(
                f"{path} is missing: it holds the weights. Copy it next to {__file__}."
            )
        with np.load(path, allow_pickle=False) as file:
            for key in file.files:
                layer, _, name = key.rpartition(".")
                _loaded.setdefault(layer, {})[name] = file[key]
    return _loaded


def scores(images: Array) -> Array | tuple[Array, ...]:
    """Return what the network returns for images (N, *SHAPE); see `batches` for their numbers."""
    parts = [forward(batch, weights()) for batch in batches(images)]
    if isinstance(parts[0], tuple):
        return tuple(np.concatenate(values) for values in zip(*parts, strict=True))
    return np.concatenate(parts)


def batches(images: Array) -> list[Array]:
    """Return the images in parts, as float32; bytes from 0 to 255 become numbers from 0 to 1."""
    x = np.asarray(images)
    if x.shape[1:] != SHAPE or not len(x):
        raise ValueError(f"expects images of shape (N, {str(SHAPE)[1:-1]}), received {x.shape}.")
    x = np.divide(x, 255, dtype=np.float32) if x.dtype == np.uint8 else x.astype(np.float32)
    return [x[k : k + BATCH] for k in range(0, len(x), BATCH)]


def predict(images: Array) -> Array:
    """Return probabilities (N, number of classes): the softmax of the scores."""
    z = np.asarray(scores(images))
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def main(paths: list[str]) -> None:
    """Print the three best classes of each file: a picture (which needs Pillow), or an array."""
    if not paths:
        raise SystemExit(f"usage: python {Path(__file__).name} PICTURE|ARRAY.npy ...")
    for path in paths:
        try:
            found = predict(images_of(path))
        except (ImportError, OSError, ValueError) as error:
            raise SystemExit(f"{path}: {error}") from None
        for probabilities in found:
            best = probabilities.argsort()[::-1][:3]
            print(path, *(f"{CLASSES[k]} {probabilities[k]:.1%}" for k in best), sep="  ")


def images_of(path: str) -> Array:
    """Return the images of an array's file, one or several, or the one of a picture."""
    if not path.lower().endswith(".npy"):
        return read_image(path)
    images = np.load(path, allow_pickle=False)
    return images[np.newaxis] if images.shape == SHAPE else images
