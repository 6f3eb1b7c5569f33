"""Files: models and tensors in safetensors, and the book's pickled parameters."""

from .architecture import build, describe
from .book_networks import from_book, to_book
from .book_pickle import read_pickle, write_pickle
from .files import atomic_write
from .model_file import load, save
from .sniff import describe_file
from .tensors import read_tensors, write_tensors

__all__ = [
    "atomic_write",
    "build",
    "describe",
    "describe_file",
    "from_book",
    "load",
    "read_pickle",
    "read_tensors",
    "save",
    "to_book",
    "write_pickle",
    "write_tensors",
]
