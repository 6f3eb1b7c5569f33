"""What a file is by its first bytes: a picture that is read, one that is not, or something else."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ENDINGS", "FORMATS", "HEAD", "Kind", "kind_of"]

FORMATS = ("PNG", "JPEG", "BMP", "PPM", "WEBP", "TIFF", "GIF")  # Pillow's names of what is read
HEAD = 64  # bytes that `kind_of` needs

# What files of these formats are usually called. Others are looked into: the content decides.
ENDINGS = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".pjpeg", ".pjp", ".bmp", ".dib"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".webp", ".tif", ".tiff", ".gif"),
)
# Photographs as a camera stores them: TIFF outside, but a TIFF reader finds a thumbnail at best.
RAW_ENDINGS = (".dng", ".cr2", ".nef", ".arw", ".orf", ".rw2", ".pef", ".srw", ".3fr", ".iiq")

_SAVE = "Save the picture as PNG or JPEG."


class Kind(NamedTuple):
    """What a file is.

    Attributes
    ----------
    name : str
        With its article, unless it is read: ``"a HEIC picture"``.
    read : bool
        Whether it is a picture in one of ``FORMATS``.
    advice : str
        What to do about it.
    """

    @property
    def picture(self) -> bool:
        """Whether it is a picture that could be saved in one of ``FORMATS``."""
        return self.advice == _SAVE

    name: str
    read: bool = False
    advice: str = ""


_STARTS = (
    (b"\x89PNG", Kind("PNG", True)),
    (b"\xff\xd8", Kind("JPEG", True)),
    (b"GIF87a", Kind("GIF", True)),
    (b"GIF89a", Kind("GIF", True)),
    (b"II*\0", Kind("TIFF", True)),
    (b"MM\0*", Kind("TIFF", True)),
    (b"II+\0", Kind("TIFF", True)),
    (b"MM\0+", Kind("TIFF", True)),
    (b"8BPS", Kind("a Photoshop file", advice=_SAVE)),
    (b"\0\0\0\x0cjP  ", Kind("a JPEG 2000 picture", advice=_SAVE)),
    (b"\xff\x4f\xff\x51", Kind("a JPEG 2000 picture", advice=_SAVE)),
    (b"\0\0\0\x0cJXL ", Kind("a JPEG XL picture", advice=_SAVE)),
    (b"\xff\x0a", Kind("a JPEG XL picture", advice=_SAVE)),
    (b"\0\0\1\0", Kind("an icon file (ICO)", advice=_SAVE)),
    (b"SIMPLE  =", Kind("a FITS file", advice=_SAVE)),
    (b"%PDF", Kind("a PDF document", advice="Save its pictures as PNG or JPEG.")),
    (b"PK\x03\x04", Kind("a zip archive", advice="Give it to --data, or unpack it.")),
    (b"\x1f\x8b", Kind("packed by gzip", advice="Unpack it.")),
    (b"Rar!", Kind("a RAR archive", advice="Unpack it.")),
    (b"7z\xbc\xaf", Kind("a 7z archive", advice="Unpack it.")),
    (b"\x80\x02", Kind("a pickle of Python's")),
    (b"\x80\x04", Kind("a pickle of Python's")),
    (b"\x93NUMPY", Kind("a NumPy array", advice="Load it with numpy, and use it from Python.")),
    (b"\x89HDF", Kind("an HDF5 file")),
    (b"version https://git-lfs", Kind("a pointer of Git LFS", advice="Run `git lfs pull`.")),
)  # fmt: skip
_BRANDS = {
    b"avif": "an AVIF picture", b"avis": "an AVIF picture", b"heic": "a HEIC picture",
    b"heix": "a HEIC picture", b"hevc": "a HEIC picture", b"heim": "a HEIC picture",
    b"heis": "a HEIC picture", b"mif1": "a HEIF picture", b"msf1": "a HEIF picture",
}  # fmt: skip


def kind_of(head: bytes, ending: str = "") -> Kind | None:
    """Return what a file is, by its first ``HEAD`` bytes; None if nobody can tell.

    Parameters
    ----------
    head : bytes
    ending : str
        Of the file's name, in lower case: where the content does not decide, and for the raw files
        of cameras.

    Examples
    --------
    >>> kind_of(b"GIF89a..").name, kind_of(b"<!DOCTYPE html>").name
    ('GIF', 'an HTML page')
    >>> kind_of(b"BM and other words"), kind_of(b"BM and other words", ".bmp").read
    (None, True)
    """
    if not head:
        return Kind("empty", advice="Copy it again.")
    if ending in RAW_ENDINGS:
        return Kind("a camera's raw file", advice=_SAVE)
    for start, kind in _STARTS:
        if head.startswith(start):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Kind("WebP", True)
    if head[4:8] == b"ftyp":
        name = _BRANDS.get(head[8:12])
        return Kind(name, advice=_SAVE) if name else Kind("a video", advice="Save its frames.")
    # Two letters are little evidence: words begin with them, too.
    if head[:2] == b"BM" and (ending in (".bmp", ".dib") or head[6:10] == b"\0\0\0\0"):
        return Kind("BMP", True)
    netpbm = head[:1] == b"P" and head[1:2] in (b"1", b"2", b"3", b"4", b"5", b"6")
    if netpbm and (ending in (".ppm", ".pgm", ".pbm", ".pnm") or head[2:3] == b"\n"):
        return Kind("PPM", True)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head")):
        return Kind("an HTML page", advice="A download answered with a page? Download it again.")
    if text.startswith((b"<svg", b"<?xml")):
        return Kind("an SVG drawing or other XML", advice=_SAVE)
    if not head.strip(b"\0"):
        return Kind("nothing but zeros", advice="Copy it again.")
    return None
