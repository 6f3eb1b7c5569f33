"""Count the digits recognised on simulated photographs of paper.

    python benchmarks/drawings.py FOLDER    # with MNIST's files; without it, where data sets are

A SimpleConvNet is trained for two epochs on 20,000 images. Then 200 test digits are drawn on paper
of some lightness, with some margin, light and noise, and predicted with the model's own
preparation, which looks for the drawing; and as they are.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import pellucid
from pellucid import data, models

DIGITS = 200
# Lightness of paper and contrast of ink (ranges), margin in heights of a digit, light, noise.
CASES = {
    "white paper": ((1.0, 1.0), (0.9, 1.0), 0.5, 0.0, 0.0),
    "no margin": ((1.0, 1.0), (0.9, 1.0), 0.0, 0.0, 0.0),
    "large sheet": ((0.9, 1.0), (0.7, 1.0), 6.0, 0.0, 0.01),
    "dark paper": ((0.35, 0.5), (0.7, 0.95), 1.0, 0.0, 0.01),
    "pencil": ((0.85, 1.0), (0.25, 0.4), 1.0, 0.1, 0.01),
    "lit from one side": ((0.7, 1.0), (0.7, 0.95), 1.0, 0.7, 0.01),
    "all of it": ((0.35, 1.0), (0.6, 0.95), 2.0, 0.4, 0.01),
}


def photograph(digit, case, rng):
    """Return a grey picture (rows, columns) of a digit (28, 28) in 0 to 1 on paper."""
    paper, contrast, margin, shade, noise = case
    box = Image.fromarray(np.rint(digit * 255).astype(np.uint8))
    box = box.crop(box.getbbox())
    size = tuple(round(side * 160 / max(box.size)) for side in box.size)
    ink = np.asarray(box.resize(size, Image.Resampling.BICUBIC)) / 255
    above, below, left, right = rng.integers(0, round(160 * margin) + 1, 4)
    ink = np.pad(ink, ((above, below), (left, right)))
    lightness = rng.uniform(*paper)
    grey = lightness * (1 - rng.uniform(*contrast) * ink)
    y, x = np.mgrid[: grey.shape[0], : grey.shape[1]] / max(grey.shape)
    grey = grey * (1 - shade * (x if rng.random() < 0.5 else y)) + rng.normal(0, noise, grey.shape)
    return grey.clip(0, 1)


def main():
    """Print one line per case."""
    train, test = data.mnist(*sys.argv[1:], download=False)
    model = models.SimpleConvNet(train.image_shape, rng=np.random.default_rng(0))
    pellucid.Trainer(model, train.take(20_000), epochs=2, evaluate_samples=1000).fit()
    x, labels = test.batch(slice(DIGITS))
    of_images = (pellucid.predict(model, x).argmax(axis=1) == labels).sum()
    print(f"{DIGITS} digits; of the images themselves {of_images} are recognised")
    print(f"{'on paper':20} {'found':>6} {'as they are':>12}")
    preparation = model.card.preparation
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "digit.jpg")
        for name, case in CASES.items():
            rng = np.random.default_rng(1)
            right = []
            for image, label in zip(x, labels, strict=True):
                grey = np.rint(photograph(image[0], case, rng) * 255).astype(np.uint8)
                Image.fromarray(grey).save(path, quality=85)
                seen = [data.read_image(path, how) for how in (preparation, preparation.plain())]
                right.append(pellucid.predict(model, np.concatenate(seen)).argmax(axis=1) == label)
            found, plain = np.sum(right, axis=0)
            print(f"{name:20} {found:6} {plain:12}")


if __name__ == "__main__":
    main()
