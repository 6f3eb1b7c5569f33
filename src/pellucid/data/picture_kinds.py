"""Tell by its first bytes which kind of picture a file is, and whether that is read."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ENDINGS", "FORMATS", "HEAD", "MAX_FILE", "Kind", "kind_of"]

FORMATS = ("PNG", "JPEG", "BMP", "PPM", "WEBP", "TIFF", "GIF")  # that are read; Pillow's names
MAX_FILE = 2**26  # bytes: 64 MiB, more than any usual picture takes
HEAD = 64  # bytes that `kind_of` needs

# The usual endings of these formats. Of other files the content decides.
ENDINGS = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".pjpeg", ".pjp", ".bmp", ".dib"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".webp", ".tif", ".tiff", ".gif"),
)
# Raw photographs: TIFF containers, in which a TIFF reader finds a thumbnail at best.
RAW_ENDINGS = (".dng", ".cr2", ".nef", ".arw", ".orf", ".rw2", ".pef", ".srw", ".3fr", ".iiq")


class Kind(NamedTuple):
    """The kind of a picture.

    Attributes
    ----------
    name : str
        With an article if it is not read: ``"a HEIC picture"``.
    read : bool
        Whether it is in one of ``FORMATS``.
    """

    name: str
    read: bool = False


_STARTS = (
    (b"\x89PNG", Kind("PNG", True)),
    (b"\xff\xd8", Kind("JPEG", True)),
    (b"GIF87a", Kind("GIF", True)),
    (b"GIF89a", Kind("GIF", True)),
    (b"II*\0", Kind("TIFF", True)),
    (b"MM\0*", Kind("TIFF", True)),
    (b"II+\0", Kind("TIFF", True)),
    (b"MM\0+", Kind("TIFF", True)),
    (b"8BPS", Kind("a Photoshop file")),
    (b"\0\0\0\x0cjP  ", Kind("a JPEG 2000 picture")),
    (b"\xff\x4f\xff\x51", Kind("a JPEG 2000 picture")),
    (b"\0\0\0\x0cJXL ", Kind("a JPEG XL picture")),
    (b"\xff\x0a", Kind("a JPEG XL picture")),
    (b"\0\0\1\0", Kind("an icon file (ICO)")),
)  # fmt: skip
_BRANDS = {
    b"avif": "an AVIF picture", b"avis": "an AVIF picture", b"heic": "a HEIC picture",
    b"heix": "a HEIC picture", b"hevc": "a HEIC picture", b"heim": "a HEIC picture",
    b"heis": "a HEIC picture", b"mif1": "a HEIF picture", b"msf1": "a HEIF picture",
}  # fmt: skip


def kind_of(head: bytes, ending: str = "") -> Kind | None:
    r"""Return the kind of picture of a file's first ``HEAD`` bytes; None if it is not a picture.

    Parameters
    ----------
    head : bytes
    ending : str
        The ending of the file's name in lower case, for raw files, and where the content does not
        decide.

    Examples
    --------
    >>> kind_of(b"GIF89a.."), kind_of(b"\0\0\0\x1cftypheic").name
    (Kind(name='GIF', read=True), 'a HEIC picture')
    >>> kind_of(b"BM and other words"), kind_of(b"BM and other words", ".bmp").read
    (None, True)
    """
    if ending in RAW_ENDINGS:
        return Kind("a camera's raw file")
    for start, kind in _STARTS:
        if head.startswith(start):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Kind("WebP", True)
    if head[4:8] == b"ftyp":
        name = _BRANDS.get(head[8:12])
        return Kind(name) if name else None
    # Two letters are weak evidence: a text may begin with them.
    if head[:2] == b"BM" and (ending in (".bmp", ".dib") or head[6:10] == b"\0\0\0\0"):
        return Kind("BMP", True)
    netpbm = head[:1] == b"P" and head[1:2] in (b"1", b"2", b"3", b"4", b"5", b"6")
    if netpbm and (ending in (".ppm", ".pgm", ".pbm", ".pnm") or head[2:3] == b"\n"):
        return Kind("PPM", True)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return Kind("an SVG drawing") if text.startswith(b"<svg") else None
