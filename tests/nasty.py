"""Names that people, and their file systems, do give: each has broken some program."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from PIL import Image

BYTES = b"byte\xff\xfe".decode("utf-8", "surrogateescape")  # a name in no encoding

# What a folder may be called on Linux: anything but a slash and NUL, in 255 bytes.
ON_DISK = (
    "Ba$$in",
    "a_b^c{d}",
    r"\frac{1}{2} $x",
    "100% & <b>'q'\"",
    "back\\slash",
    "[red]x[",
    "[link=x]",
    ":cat:",
    "new\nline",
    "tab\tcr\r",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "bell\x07del\x7f\x9b31m",
    "👨\u200d👩\u200d👧",
    "👍🏽🇰🇷",
    "e\u0301u\u0308",
    "עברית",
    "قطة 12",
    "evil\u202etxt.exe",
    "\u2067iso\u2069\u2069",
    "고양이",
    "\u1100\u1169\u110b\u1163\u11bc",  # 고양, as macOS writes it
    "แมวน้ำ",
    "中文 猫",
    "日本語",
    "x" * 200,
    "가" * 85,
    "=1+1",
    "+A1",
    "-1",
    "@x",
    "nan",
    "None",
    "true",
    "   ",
    "\u00a0",
    "ca\u200bt",
    "_hidden",
    "#;:,|~*?`",
    "con",
    BYTES,
)
# And what a class of one's own arrays, or a layer, may be called besides.
NAMES = (*ON_DISK, "[/]", "..x", "a/b", "", "\u2028", "\ud800", "x" * 5000)


def written(name: str) -> str:
    """Return what is to be seen of a short name: by hand, not by the functions under test."""
    by_hand = {
        "new\nline": r"new\nline",
        "tab\tcr\r": r"tab\tcr\r",
        "tab\tcr": r"tab\tcr",
        "\x1b[31mred\x1b[0m": r"\x1b[31mred\x1b[0m",
        "\x1b]0;title\x07": r"\x1b]0;title\x07",
        "bell\x07del\x7f\x9b31m": r"bell\x07del\x7f\x9b31m",
        "evil\u202etxt.exe": r"evil\u202etxt.exe",
        "\u2067iso\u2069\u2069": r"\u2067iso\u2069\u2069",
        "   ": "'   '",
        "\u00a0": r"'\xa0'",
        "ca\u200bt": r"ca\u200bt",
        BYTES: r"byte\xff\xfe",
        "": "''",
        "\u2028": r"\u2028",
        "\ud800": r"\ud800",
    }
    return by_hand.get(name, name)


SHORT = tuple(name for name in NAMES if len(written(name)) < 30)


def image_folder(root: Path, names: tuple[str, ...] = ON_DISK, images: int = 2) -> Path:
    """Make a folder of 8x8 images for each name that this file system takes."""
    for k, name in enumerate(names):
        with suppress(OSError):  # macOS takes no bytes that are no text, Windows no question mark
            (root / name).mkdir(parents=True)
        for j in range(images if (root / name).is_dir() else 0):
            pixels = bytes((17 * k + 5 * j + 3 * i * (k % 7)) % 256 for i in range(64))
            Image.frombytes("L", (8, 8), pixels).save(root / name / f"{j}.png")
    return root
