"""Recognise a file by its first bytes; nothing is unpacked, unpickled or executed.

A reader that is given another kind of file says with `refusal` what it is, and what to do with it.
At most the first 64 KiB are read, and of a zip archive the last 1 MiB, which holds its directory.
"""

from __future__ import annotations

import re
import shlex
import stat
from pathlib import Path
from typing import NamedTuple

from ..typing import PathLike
from .signatures import SIGNATURES, by_suffix, is_protobuf
from .text_kinds import is_index, text_kind
from .torch_files import is_legacy, torch_pickle, torch_tar, torch_zip, unpacked

__all__ = [
    "Found",
    "describe_file",
    "describe_known",
    "index_in",
    "is_safetensors",
    "look_at",
    "refusal",
]

HEAD = 2**16
TAIL = 2**20
# Kinds whose advice holds whatever was wanted.
_SAME_FOR_ALL = {
    *("empty", "zeros", "lfs", "html", "xml", "shortcut", "onnx"),
    *("gzip", "bzip2", "xz", "zstd", "7z", "rar", "tar"),
}
LONGEST_HEADER = 100_000_000  # the limit of safetensors itself

_PICKLE_0 = re.compile(rb"\(?([dl]p?\d*\n|c[\w.]+\n\w+\n)|[}\]]q|\(i[\w.]+\n\w+\n")
_TAR = re.compile(r"\.(tar\.\w+|tgz|tbz2?|txz)$", re.IGNORECASE)
_CONVERT = (
    "Convert it to a model, or with --raw to tensors: pellucid convert {shell} model.safetensors"
)

_AGAIN = "Load it where it was written, dump it again with protocol=2, then use `pellucid convert`."


class Found(NamedTuple):
    """What a file is.

    Attributes
    ----------
    kind : str
        One word for programs: "safetensors", "npz", "pickle", "torch", "shards", "picture",
        "folder", "text", "zip", ...
    what : str
        For people, with its article: "a PyTorch checkpoint (a zip archive with a pickle)".
    advice : str
        How to get its numbers as tensors; "" if it does not hold any.
    head : bytes
        The first 64 KiB, for a format that only `registry.Format.sniff` knows.
    """

    kind: str
    what: str
    advice: str = ""
    head: bytes = b""


def describe_file(path: PathLike) -> str:
    """Return what a file or folder is, in words for an error.

    Parameters
    ----------
    path : str or path
        Must exist.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "weights.safetensors")
    ...     _ = path.write_bytes(b"version https://git-lfs.github.com/spec/v1" + bytes([10]))
    ...     describe_file(path), describe_file(folder)
    ('a Git LFS pointer to a file that was not downloaded', 'a folder')
    """
    return look_at(path).what


def describe_known(head: bytes, path: Path) -> str:
    """Return what a file with these first bytes is; "" if it is unknown, or plain text.

    Examples
    --------
    >>> describe_known(b"GIF89a", Path("x"))
    'a GIF picture'
    """
    found = _content(path, head, b"", len(head))
    plain = found.kind in ("unknown", "empty") or found.what.startswith("a text file")
    return "" if plain else found.what


def refusal(path: PathLike, wanted: str, advice: str = "", *, tensors: bool = False) -> str:
    """Return the sentence that refuses a file: what it is, what was wanted, what to do.

    Parameters
    ----------
    path : str or path
        Must exist.
    wanted : str
        With its article: "a safetensors file".
    advice : str
        What to do, unless the kind of file decides it: an empty file, a compressed one, a web page
        in place of the file.
    tensors : bool
        Whether tensors are wanted; then the advice is how to get them from this file, if it holds
        any.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "cat.safetensors")
    ...     _ = path.write_bytes(b"%PDF-1.7")
    ...     refusal(path, "a safetensors file", "Give a model file.")
    "'...cat.safetensors' is a PDF document, not a safetensors file. Give a model file."
    """
    found = look_at(path)
    if found.advice and (tensors or found.kind in _SAME_FOR_ALL):
        advice = found.advice
    return f"'{path}' is {found.what}, not {wanted}. {advice}".rstrip()


def _filled(advice: str, path: Path) -> str:
    return advice.format(python=repr(str(path)), shell=shlex.quote(str(path)))


def look_at(path: PathLike) -> Found:
    """Return what a file or folder is, and what to do with it."""
    path = Path(path)
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        return _folder(path)
    if not stat.S_ISREG(mode):  # opening a pipe would wait for a writer
        return Found("device", "not a regular file but a pipe, a socket or a device")
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL))
            tail = file.read(TAIL) if head[:2] == b"PK" else b""
    except OSError as error:
        return Found("unreadable", f"a file that cannot be read ({error.strerror})")
    return _content(path, head, tail, size)._replace(head=head)


def _content(path: Path, head: bytes, tail: bytes, size: int) -> Found:
    if not head:
        return Found("empty", "an empty file", "Copy, download or write it again.")
    if not head.strip(b"\0"):
        zeros = "of zeros only" if size == len(head) else f"that begins with {HEAD:,} zeros"
        return Found("zeros", f"a file {zeros}", "Copy, download or write it again.")
    if head[:4] in (b"PK\3\4", b"PK\5\6"):
        return _zip(path, head, tail)
    if is_safetensors(head):  # before pickles: a header of 640 bytes begins as protocol 2 does
        return Found("safetensors", _safetensors(head))
    if is_legacy(head):
        return Found(*torch_pickle(path, head))
    if head[:1] == b"\x80" and head[1:2] in (b"\2", b"\3", b"\4", b"\5"):
        return _pickle(path, head)
    for kind, what, advice, offset, magic in SIGNATURES:
        if head[offset : offset + len(magic)] == magic:
            if kind == "tar" and (of_torch := torch_tar(path, head)) is not None:
                return Found(*of_torch)
            if kind in ("gzip", "bzip2", "xz", "zstd") and _TAR.search(path.name):
                what = what.replace("a file", "a tar archive")
                return Found("tar", what, _filled("Unpack it first: tar -xf {shell}", path))
            return Found(kind, what, _filled(advice, path))
    if _PICKLE_0.match(head):
        return Found("pickle", "a pickle of protocol 0 or 1", _AGAIN)
    named = by_suffix(path, head)
    if named is not None:
        kind, what, advice = named
        return Found(kind, what, _filled(advice, path))
    if is_protobuf(head):
        return Found("onnx", "an ONNX model, or another protocol buffer", _filled(_ONNX, path))
    text = text_kind(path, head, size)
    if text is not None:
        return Found(*text)
    begins = head[:8].hex(" ")
    return Found("unknown", f"a file of an unknown kind (it begins with the bytes {begins})")


def is_safetensors(head: bytes) -> bool:
    """Return whether these are the first bytes of a safetensors file, valid or not."""
    length = int.from_bytes(head[:8], "little")
    return 2 <= length <= LONGEST_HEADER and head[8:9] == b"{"


_ONNX = "Import it first: pellucid import {shell}"


def _safetensors(head: bytes) -> str:
    start = head[8:]
    if b'"__metadata__"' in start:
        for key, what in (
            (b'"architecture"', "a model file of Pellucid (safetensors)"),
            (b'"training"', "the saved state of a training (safetensors)"),
            (b'"filters"', "the filters of a run after each epoch (safetensors)"),
        ):
            if key in start and b'"seal"' in start:
                return what
    return "a safetensors file"


def _pickle(path: Path, head: bytes) -> Found:
    start = head[:4096]
    if b"torch" in start and (b"torch.nn" in start or b"torch._utils" in start):
        return Found(*torch_pickle(path, head))
    return Found("pickle", "a pickle", _filled(_CONVERT, path))


def _zip(path: Path, head: bytes, tail: bytes) -> Found:
    names = _members(head, tail)
    of_torch = torch_zip(path, names, head)
    if of_torch is not None:
        return Found(*of_torch)
    if names and all(name.endswith(".npy") for name in names):
        return Found("npz", "a NumPy archive (.npz)", _filled(_CONVERT, path))
    last = {name.rsplit("/", 1)[-1] for name in names}
    if "model.weights.h5" in last:
        return Found("keras", "a Keras model (.keras)", _KERAS)
    if "saved_model.pb" in last:
        return Found("tensorflow", "a TensorFlow SavedModel in a zip archive", _KERAS)
    if "[Content_Types].xml" in last:
        return Found("document", "an Office document")
    inside = [name for name in names if name.endswith(".safetensors")]
    if inside:
        return Found("zip", f"a zip archive that holds '{_short(inside[0])}'", "Unpack it first.")
    return Found("zip", "a zip archive")


_KERAS = (
    "Save its weights in Python: numpy.savez('weights.npz', **{v.path: v.numpy() for v in "
    "model.weights}), with kernels transposed to (out, in) and (out, in, height, width); then "
    "`pellucid convert --raw weights.npz weights.safetensors`."
)


def _members(head: bytes, tail: bytes) -> list[str]:
    """Return the names in the directory of a zip archive, as far as ``tail`` holds it."""
    end = tail.rfind(b"PK\5\6")
    if end < 0 or end + 22 > len(tail):  # truncated: the first member alone is known
        return _name(head, b"PK\3\4", 0, 26, 30)
    length = int.from_bytes(tail[end + 12 : end + 16], "little")
    end64 = tail.rfind(b"PK\6\6", 0, end)
    if end64 >= 0 and tail[end - 20 : end - 16] == b"PK\6\7":  # ZIP64
        length, end = int.from_bytes(tail[end64 + 40 : end64 + 48], "little"), end64
    at = end - length if length <= end else max(tail.find(b"PK\1\2"), 0)
    names: list[str] = []
    while found := _name(tail, b"PK\1\2", at, 28, 46):
        names += found
        at += 46 + sum(int.from_bytes(tail[at + k : at + k + 2], "little") for k in (28, 30, 32))
    return names


def _name(content: bytes, mark: bytes, at: int, place: int, fixed: int) -> list[str]:
    if content[at : at + 4] != mark:
        return []
    length = int.from_bytes(content[at + place : at + place + 2], "little")
    return [content[at + fixed : at + fixed + length].decode("utf-8", "replace")]


def _folder(path: Path) -> Found:
    try:
        inside = sorted(entry.name for _, entry in zip(range(1000), path.iterdir(), strict=False))
    except OSError:
        return Found("folder", "a folder")
    if (index := index_in(path)) is not None:
        return Found("shards", f"a folder of weights in several files ({index.name})")
    if "model.safetensors" in inside:
        return Found("folder", "a folder that holds model.safetensors")
    if "saved_model.pb" in inside:
        return Found("tensorflow", "the folder of a TensorFlow SavedModel", _KERAS)
    if "checkpoint" in inside and any(name.endswith(".index") for name in inside):
        return Found("tensorflow", "the folder of a TensorFlow checkpoint", _KERAS)
    if "data.pkl" in inside and "data" in inside:
        return Found(*unpacked(path))
    return Found("folder", "a folder")


def index_in(folder: Path) -> Path | None:
    """Return the index of weights in several files, safetensors before pickles; None without."""
    found = [path for path in folder.iterdir() if is_index(path.name)]
    return min(found, key=lambda path: (".bin." in path.name, path.name), default=None)


def _short(name: str) -> str:
    shown = name if name.isprintable() else ascii(name)[1:-1]
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
