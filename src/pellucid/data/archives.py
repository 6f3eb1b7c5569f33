"""Tell a zip archive from other files, by their first bytes and their names."""

from __future__ import annotations

import zipfile
from pathlib import Path

from ..errors import DataNotFoundError, FileFormatError

__all__ = ["require_zip"]

_TAR = "a tar archive", "unpack it (tar -xf {name}) and give the folder"
_RAR = "a RAR archive", "unpack it (unrar x {name}) and give the folder"
_SEVEN = "a 7-Zip archive", "unpack it (7z x {name}) and give the folder"
_PART = (
    "one part of a split zip archive",
    "join them (zip -s 0 LAST.zip --out whole.zip, or 7-Zip) and give the whole",
)
_CUT = (
    "begins like one, but its end is missing",
    "copy or download it again",
)


def require_zip(path: Path) -> None:
    """Refuse a file that is not a zip archive, and say what it is.

    Raises
    ------
    DataNotFoundError, FileFormatError
        If the file does not exist; if it is of another kind.
    """
    if not path.exists():
        raise DataNotFoundError(f"there is no folder or zip archive '{path}'.")
    if path.is_file():
        try:
            if zipfile.is_zipfile(path):
                return
            with path.open("rb") as file:
                begin = file.read(512)
        except OSError as error:
            raise FileFormatError(f"'{path}' cannot be read ({error.strerror}).") from error
        what = _kind(path, begin)
    else:
        what = None
    if what is None:
        raise FileFormatError(
            f"'{path}' is neither a folder nor a zip archive. Give a folder with one folder of "
            "images for each class, or such a folder packed by zip."
        )
    kind, advice = what
    kind = f", but {kind}" if kind.startswith(("a ", "one ")) else f": it {kind}"
    advice = advice.format(name=path.name)
    raise FileFormatError(
        f"'{path}' is neither a folder nor a zip archive{kind}. {advice[0].upper()}{advice[1:]}."
    )


def _kind(path: Path, begin: bytes) -> tuple[str, str] | None:
    """Return what kind of file it is, and what to do with it; None if unknown."""
    name = path.name.lower()
    endings = "".join(path.suffixes[-2:]).lower()
    if begin.startswith(b"PK\7\x08") or name.endswith((".zip.001", ".z01")):
        return _PART
    if begin.startswith(b"PK\3\4"):
        return _CUT
    if begin.startswith(b"Rar!") or name.endswith(".rar"):
        return _RAR
    if begin.startswith(b"7z\xbc\xaf\x27\x1c") or name.endswith(".7z"):
        return _SEVEN
    if begin[257:262] == b"ustar" or name.endswith((".tar", ".tgz")) or ".tar." in endings:
        return _TAR
    for magic, program, ending in (
        (b"\x1f\x8b", "gzip", ".gz"), (b"BZh", "bzip2", ".bz2"), (b"\xfd7zXZ", "xz", ".xz"),
        (b"\x28\xb5\x2f\xfd", "zstd", ".zst"),
    ):  # fmt: skip
        if begin.startswith(magic) or name.endswith(ending):
            return f"a file packed by {program}", "unpack it, and give the folder of images"
    if begin.startswith((b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*")):
        return "a single image", "give the folder that holds the folders of the classes"
    return None
