"""Files: models and tensors in safetensors, and the book's pickled parameters.

Everything is imported when it is first asked for: the table of formats needs no layers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..exports import on_demand

if TYPE_CHECKING:
    from .architecture import build, describe
    from .book_networks import from_book, to_book
    from .book_pickle import read_pickle, write_pickle
    from .files import atomic_write
    from .model_file import load, save
    from .onnx.importing import from_onnx
    from .onnx.writing import to_onnx
    from .registry import Contents, Format, register
    from .sniff import describe_file
    from .tensors import read_tensors, write_tensors
    from .torch.reading import read_torch
    from .torch.tracing import from_torch
    from .torch.writing import to_torch

__all__ = [
    "Contents",
    "Format",
    "atomic_write",
    "build",
    "describe",
    "describe_file",
    "from_book",
    "from_onnx",
    "from_torch",
    "load",
    "read_pickle",
    "read_tensors",
    "read_torch",
    "register",
    "save",
    "to_book",
    "to_onnx",
    "to_torch",
    "write_pickle",
    "write_tensors",
]

_HOMES = {
    "Contents": "registry",
    "Format": "registry",
    "atomic_write": "files",
    "build": "architecture",
    "describe": "architecture",
    "describe_file": "sniff",
    "from_book": "book_networks",
    "from_onnx": "onnx.importing",
    "from_torch": "torch.tracing",
    "load": "model_file",
    "read_pickle": "book_pickle",
    "read_tensors": "tensors",
    "read_torch": "torch.reading",
    "register": "registry",
    "save": "model_file",
    "to_book": "book_networks",
    "to_onnx": "onnx.writing",
    "to_torch": "torch.writing",
    "write_pickle": "book_pickle",
    "write_tensors": "tensors",
}

if not TYPE_CHECKING:  # which would take every name for known
    __getattr__ = on_demand(__name__, _HOMES)
