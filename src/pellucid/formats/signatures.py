"""The first bytes and the names by which files are recognised."""

from __future__ import annotations

from pathlib import Path

__all__ = ["SIGNATURES", "by_suffix", "is_protobuf"]

_ONE_ARRAY = (
    "It holds one array without a name. Name it in Python: "
    "numpy.savez('weights.npz', W1=numpy.load({python})); then use `pellucid convert`."
)
_H5 = (
    "Save its arrays in Python, e.g. numpy.savez('weights.npz', **{{v.path: v.numpy() for v in "
    "model.weights}}) of a Keras model, with kernels transposed to (out, in) and (out, in, height, "
    "width); then `pellucid convert --raw weights.npz weights.safetensors`."
)
_ONNX = "Import it first: pellucid import {shell}"
_GGUF = "It holds quantised weights of a language model, whose layers Pellucid lacks."
_FIRST = "Give the model before the pictures."
_UNPACK = "Unpack it first"

# kind, what, advice ({python} and {shell}: the quoted path), offset, bytes
SIGNATURES: tuple[tuple[str, str, str, int, bytes], ...] = (
    ("lfs", "a Git LFS pointer to a file that was not downloaded",
     "Fetch the file itself: git lfs pull", 0, b"version https://git-lfs"),
    ("npy", "one NumPy array (.npy)", _ONE_ARRAY, 0, b"\x93NUMPY"),
    ("hdf5", "an HDF5 file (.h5 of Keras, or MATLAB 7.3)", _H5, 0, b"\x89HDF\r\n\x1a\n"),
    ("hdf5", "a MATLAB 7.3 file, which is HDF5", "", 0, b"MATLAB 7.3"),
    ("mat", "a MATLAB 5 file", "", 0, b"MATLAB 5.0"),
    ("idx", "an IDX file of MNIST's format", "", 0, b"\0\0\x08\1"),
    ("idx", "an IDX file of MNIST's format", "", 0, b"\0\0\x08\2"),
    ("idx", "an IDX file of MNIST's format", "", 0, b"\0\0\x08\3"),
    ("idx", "an IDX file of MNIST's format", "", 0, b"\0\0\x08\4"),
    ("gguf", "a GGUF file", _GGUF, 0, b"GGUF"),
    ("gguf", "a GGML file", _GGUF, 0, b"lmgg"),
    ("gguf", "a GGML file", _GGUF, 0, b"tjgg"),
    ("tflite", "a TensorFlow Lite model", "", 4, b"TFL3"),
    ("picture", "a PNG picture", _FIRST, 0, b"\x89PNG\r\n\x1a\n"),
    ("picture", "a JPEG picture", _FIRST, 0, b"\xff\xd8\xff"),
    ("picture", "a GIF picture", _FIRST, 0, b"GIF87a"),
    ("picture", "a GIF picture", _FIRST, 0, b"GIF89a"),
    ("picture", "a WebP picture", _FIRST, 8, b"WEBP"),
    ("picture", "a TIFF picture", _FIRST, 0, b"II*\0"),
    ("picture", "a TIFF picture", _FIRST, 0, b"MM\0*"),
    ("picture", "a HEIC picture", _FIRST, 4, b"ftyphe"),
    ("picture", "a HEIC picture", _FIRST, 4, b"ftypmif1"),
    ("picture", "an AVIF picture", _FIRST, 4, b"ftypavif"),
    ("film", "an MP4 film", "", 4, b"ftyp"),
    ("document", "a PDF document", "", 0, b"%PDF"),
    ("gzip", "a file compressed by gzip", f"{_UNPACK}: gunzip -k {{shell}}", 0, b"\x1f\x8b"),
    ("bzip2", "a file compressed by bzip2", f"{_UNPACK}: bunzip2 -k {{shell}}", 0, b"BZh"),
    ("xz", "a file compressed by xz", f"{_UNPACK}: unxz -k {{shell}}", 0, b"\xfd7zXZ\0"),
    ("zstd", "a file compressed by Zstandard", f"{_UNPACK}: unzstd {{shell}}", 0, b"(\xb5/\xfd"),
    ("7z", "a 7z archive", f"{_UNPACK}.", 0, b"7z\xbc\xaf'\x1c"),
    ("rar", "a RAR archive", f"{_UNPACK}.", 0, b"Rar!\x1a\x07"),
    ("tar", "a tar archive", f"{_UNPACK}: tar -xf {{shell}}", 257, b"ustar"),
    ("shortcut", "a Windows shortcut", "Give the file it points to.", 0, b"L\0\0\0\1\x14\2\0"),
    ("shortcut", "an alias of macOS", "Give the file it points to.", 0, b"book\0\0\0\0mark"),
    ("sqlite", "an SQLite database", "", 0, b"SQLite format 3\0"),
    ("program", "a program (ELF)", "", 0, b"\x7fELF"),
    ("parquet", "a Parquet table", "", 0, b"PAR1"),
)  # fmt: skip

_BY_SUFFIX = (
    (".onnx", b"\x08", "onnx", "an ONNX model", _ONNX),
    (".pb", b"", "tensorflow", "a TensorFlow graph (.pb)", _H5),
    (".index", b"", "tensorflow", "an index of a TensorFlow checkpoint", _H5),
    (".msgpack", b"", "flax", "a Flax checkpoint (msgpack)", ""),
    (".bmp", b"BM", "picture", "a BMP picture", _FIRST),
    (".exe", b"MZ", "program", "a program", ""),
    (".dll", b"MZ", "program", "a program", ""),
)


def by_suffix(path: Path, head: bytes) -> tuple[str, str, str] | None:
    """Return kind, description and advice of a file by its suffix; None if that is unknown.

    As in `SIGNATURES`, {python} and {shell} in the advice stand for the quoted path.
    """
    if ".data-0" in path.name and "-of-" in path.name:
        return "tensorflow", "the data of a TensorFlow checkpoint", _H5
    for suffix, magic, kind, what, advice in _BY_SUFFIX:
        if path.suffix.lower() == suffix and head.startswith(magic):
            return kind, what, advice
    if head[:2] == b"BM" and head[6:10] == bytes(4):
        return "picture", "a BMP picture", _FIRST
    return None


def is_protobuf(head: bytes) -> bool:
    """Return whether a file begins as ONNX models do: a small version, then a string or a graph."""
    if len(head) < 16 or head[0] != 0x08 or not 1 <= head[1] <= 32:
        return False
    named = head[2] in (0x12, 0x1A, 0x22, 0x32) and 0 < head[3] < 100
    return head[2] in (0x3A, 0x42) or (named and head[4 : 4 + head[3]].isascii())
