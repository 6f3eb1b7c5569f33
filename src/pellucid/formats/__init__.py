"""Files: models and tensors in safetensors."""

from .architecture import build, describe
from .files import atomic_write
from .model_file import load, save
from .tensors import read_tensors, write_tensors

__all__ = ["atomic_write", "build", "describe", "load", "read_tensors", "save", "write_tensors"]
