"""Small image folders to read."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from PIL import Image


def paint(path: Path, value: int, size: tuple[int, int] = (6, 8), mode: str = "RGB") -> Path:
    """Write a picture (rows, columns) of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = (value, 255 - value, value // 2) if mode == "RGB" else value
    Image.new(mode, size[::-1], colour).save(path)
    return path


def pets(root: Path, split: bool = True, n: int = 4, size: tuple[int, int] = (6, 8)) -> Path:
    """Write cats and dogs whose red tells them apart: train/cat/0.png and so on."""
    for k, part in enumerate(("train", "test") if split else ("",)):
        for label, name in enumerate(("cat", "dog")):
            for i in range(n):
                paint(root / part / name / f"{i}.png", (100 * k + 50 * label + i) % 256, size)
    return root


def packed(folder: Path, path: Path, **options: int) -> Path:
    """Pack a folder into a zip archive."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder).as_posix())
    return path


def reds(dataset) -> list[int]:
    return np.asarray(dataset.images)[:, 0, 0, 0].tolist()


def spoil(folder: Path) -> Path:
    """Damage up to three of the images of `pets`."""
    top = folder / "train"
    (top / "cat" / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    if (folder / "test").exists():
        (folder / "test" / "dog" / "0.png").write_bytes(b"")
        (top / "dog" / "2.png").write_text("hello")
    return folder
