"""What a file of PyTorch may name, and the values that stand for it; nothing is looked up."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ..pickle_names import NAMES
from ..pickle_scan import Allowed, shown

__all__ = [
    "CHECKPOINT",
    "DTYPES",
    "MEANINGS",
    "STORAGES",
    "Opaque",
    "Refused",
    "Storage",
    "Tensor",
    "tensor",
]

MOST_AXES = 64  # PyTorch's own limit
LARGEST = 2**48  # numbers of a tensor, so that no product overflows

# Each dtype by PyTorch's name: bytes per number, and NumPy's code if its numbers are read.
DTYPES: dict[str, tuple[int, str]] = {
    "float32": (4, "f4"), "float64": (8, "f8"), "float16": (2, "f2"), "bfloat16": (2, "u2"),
    "int64": (8, "i8"), "int32": (4, "i4"), "int16": (2, "i2"), "int8": (1, "i1"),
    "uint64": (8, "u8"), "uint32": (4, "u4"), "uint16": (2, "u2"), "uint8": (1, "u1"),
    "bool": (1, "b1"),
    "complex32": (4, ""), "complex64": (8, ""), "complex128": (16, ""),
    "float8_e4m3fn": (1, ""), "float8_e5m2": (1, ""), "float8_e4m3fnuz": (1, ""),
    "float8_e5m2fnuz": (1, ""), "float8_e8m0fnu": (1, ""),
    "qint8": (1, ""), "quint8": (1, ""), "qint32": (4, ""),
    "quint4x2": (1, ""), "quint2x4": (1, ""),
}  # fmt: skip
STORAGES = {
    "Float": "float32", "Double": "float64", "Half": "float16", "BFloat16": "bfloat16",
    "Long": "int64", "Int": "int32", "Short": "int16", "Char": "int8", "Byte": "uint8",
    "Bool": "bool", "ComplexFloat": "complex64", "ComplexDouble": "complex128",
    "QInt8": "qint8", "QUInt8": "quint8", "QInt32": "qint32",
    "QUInt4x2": "quint4x2", "QUInt2x4": "quint2x4",
}  # fmt: skip
_ATTRIBUTE_DICTS = (
    "pytorch_lightning.utilities.parsing",
    *("lightning_fabric.utilities.data", "lightning.fabric.utilities.data"),
)
_PLAIN = ("set", "frozenset", "dict", "list", "tuple", "int", "float", "str", "bool", "complex")

MEANINGS: dict[tuple[str, str], str] = {
    **NAMES,
    ("collections", "OrderedDict"): "dict",
    ("collections", "Counter"): "dict",
    ("collections", "defaultdict"): "defaultdict",
    ("torch._utils", "_rebuild_tensor"): "tensor",
    ("torch._utils", "_rebuild_tensor_v2"): "tensor",
    ("torch._utils", "_rebuild_tensor_v3"): "tensor v3",
    ("torch._utils", "_rebuild_parameter"): "parameter",
    ("torch._utils", "_rebuild_parameter_with_state"): "parameter",
    ("torch._tensor", "_rebuild_from_type_v2"): "from type",
    ("torch._utils", "_rebuild_sparse_tensor"): "refused a sparse tensor",
    ("torch._utils", "_rebuild_sparse_csr_tensor"): "refused a sparse tensor",
    ("torch._utils", "_rebuild_qtensor"): "refused a quantised tensor",
    ("torch._utils", "_rebuild_nested_tensor"): "refused a nested tensor",
    ("torch._utils", "_rebuild_meta_tensor_no_storage"): "refused a tensor without numbers (meta)",
    **{("torch", f"{kind}Storage"): f"storage {dtype}" for kind, dtype in STORAGES.items()},
    # How many bytes, not of which dtype: `_rebuild_tensor_v3` says that.
    ("torch.storage", "UntypedStorage"): "storage uint8",
    ("torch.storage", "_UntypedStorage"): "storage uint8",
    **{("torch", name): f"dtype {name}" for name in DTYPES},
    **{("torch", f"per_{kind}_affine"): "opaque" for kind in ("tensor", "channel")},
    ("torch.serialization", "_get_layout"): "opaque",
    ("torch.nn.parameter", "Parameter"): "opaque",
    ("torch.nn.parameter", "Buffer"): "opaque",
    ("torch", "Tensor"): "opaque",
    ("torch", "Size"): "opaque",
    ("torch", "device"): "opaque",
    ("torch.torch_version", "TorchVersion"): "opaque",
    ("argparse", "Namespace"): "opaque",
    ("pathlib", "PosixPath"): "opaque",
    ("pathlib", "WindowsPath"): "opaque",
    ("pathlib._local", "PosixPath"): "opaque",
    ("pathlib._local", "WindowsPath"): "opaque",
    **{(module, "AttributeDict"): "opaque" for module in _ATTRIBUTE_DICTS},
    **{(home, name): "opaque" for home in ("builtins", "__builtin__") for name in _PLAIN},
}

CHECKPOINT = Allowed(
    "PyTorch checkpoint",
    frozenset(MEANINGS),
    dtypes=frozenset(("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")),
    axes=range(33),
    instructions=3 * 10**6,  # a tensor takes about thirty
    further=frozenset(("BINPERSID", "NEWOBJ", "EMPTY_SET", "ADDITEMS", "FROZENSET")),
    advice=" If you trust its origin, load it where it was written, and save its weights alone: "
    "torch.save(model.state_dict(), 'weights.pth').",
)


class Storage(NamedTuple):
    """A row of numbers in the file, of which tensors are views.

    Attributes
    ----------
    key : str
        Names its bytes in the file.
    dtype : str
        PyTorch's name.
    whole : int
        Numbers under that key.
    start, size : int
        The part of them that is meant.
    """

    key: str
    dtype: str
    whole: int
    start: int
    size: int


class Tensor(NamedTuple):
    """A view of a storage, whose numbers have not been read; offset and strides in numbers."""

    storage: Storage
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """The bytes of its numbers, as often as they occur in it."""
        return math.prod(self.shape) * DTYPES[self.dtype][0]


class Refused(NamedTuple):
    """A tensor of a kind that is not read."""

    what: str


class Opaque:
    """An object that is not built."""


def tensor(storage: Any, offset: Any, shape: Any, strides: Any, dtype: str = "") -> Tensor:
    """Return the tensor that a file describes.

    Raises
    ------
    ValueError
        If it reaches beyond its storage, or is malformed.
    """
    if not isinstance(storage, Storage):
        raise ValueError("a tensor lacks its storage")
    if not (_sizes(shape) and _sizes(strides) and _sizes((offset,))) or len(shape) != len(strides):
        raise ValueError(
            f"a tensor has the shape {shown(shape)}, the strides {shown(strides)} and the offset "
            f"{shown(offset)}"
        )
    dtype = dtype or storage.dtype
    if dtype != storage.dtype and storage.dtype != "uint8":
        raise ValueError(f"a tensor of {dtype} views a storage of {storage.dtype}")
    number = DTYPES[dtype][0]
    numbers = storage.size * DTYPES[storage.dtype][0] // number
    if storage.start * DTYPES[storage.dtype][0] % number:
        raise ValueError(f"a tensor of {dtype} begins within a number")
    last = offset + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    if math.prod(n for n in shape if n) >= LARGEST:
        raise ValueError(f"a tensor has the shape {shown(shape)}, which exceeds any memory")
    if 0 not in shape and last >= numbers:
        raise ValueError(
            f"a tensor {shown(shape)} with the strides {shown(strides)} reaches to number "
            f"{last:,} of a storage that has {numbers:,}"
        )
    return Tensor(storage, dtype, offset, shape, strides)


def _sizes(numbers: Any) -> bool:
    return (
        type(numbers) is tuple
        and len(numbers) <= MOST_AXES
        and all(type(n) is int and 0 <= n < LARGEST for n in numbers)
    )
