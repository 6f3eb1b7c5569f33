"""Run the pickle of a checkpoint: containers, numbers and views of storages, nothing else."""

from __future__ import annotations

from typing import Any

from ..pickle_machine import Machine
from ..pickle_names import CALLS, Name, text
from ..pickle_scan import require_name, shown
from .values import CHECKPOINT, MEANINGS, Opaque, Refused, Storage, Tensor, tensor

__all__ = ["TorchMachine"]

MOST_COPIED = 10**6  # pairs from which dicts are built: a pickle may use one list often
_TENSORS = ("tensor", "tensor v3", "parameter", "from type")


class TorchMachine(Machine):
    """Run the instructions of one pickle of `torch.save`.

    A list, dict or tuple may occur several times, even within itself: a walk through the result
    must visit each once.

    Parameters
    ----------
    name : str
        The name of the file in errors.
    storages : dict of str to Storage, optional
        Filled with those that the pickle names, whole.
    """

    steps = Machine.steps | {
        "BINPERSID": "_persistent",
        "NEWOBJ": "_newobj",
        "EMPTY_SET": "_empty_set",
        "ADDITEMS": "_additems",
        "FROZENSET": "_frozenset",
    }

    def __init__(self, name: str, storages: dict[str, Storage] | None = None) -> None:
        super().__init__(name, CHECKPOINT)
        self.storages: dict[str, Storage] = {} if storages is None else storages
        self.copied = 0

    def _get(self, place: bytes) -> None:
        self.stack.append(self.memo[int.from_bytes(place, "little")])

    def _push_name(self, module: str, name: str) -> None:
        require_name(module, name, self.name, self.allowed)
        self.stack.append(Name(MEANINGS[module, name]))

    def _persistent(self, _: bytes) -> None:
        said = self._pop()
        if type(said) is not tuple or not said or said[0] != "storage":
            raise ValueError(f"it refers to {shown(said)}, not to a storage")
        _, kind, key, _, numel, *view = said if len(said) in (5, 6) else (None,) * 5
        meaning = kind.meaning if isinstance(kind, Name) else ""
        if not meaning.startswith("storage ") or type(numel) is not int or not 0 <= numel < 2**48:
            raise ValueError(f"it refers to the storage {shown(said)}")
        key = text(key)
        whole = Storage(key, meaning.removeprefix("storage "), numel, 0, numel)
        if self.storages.setdefault(key, whole) != whole:
            raise ValueError(f"it describes the storage {shown(key)} in two ways")
        if view and view[0] is not None:
            whole = _part(whole, view[0])
        self.stack.append(whole)

    def _reduce(self, _: bytes) -> None:
        arguments, function = self._pop(), self._pop()
        if not isinstance(function, Name):
            raise ValueError("it calls something that is not a function")
        if type(arguments) is not tuple:
            raise ValueError("the arguments of a call are not a tuple")
        self.stack.append(self._called(function.meaning, arguments))

    def _called(self, meaning: str, arguments: tuple[Any, ...]) -> Any:
        if meaning in CALLS:  # of NumPy's arrays
            call, least, most = CALLS[meaning]
            if not least <= len(arguments) <= most:
                raise ValueError(f"it calls {meaning} with {len(arguments)} arguments")
            return call(self.allowed, *arguments)
        if meaning == "dict":
            return self._mapping(*arguments[:1])
        if meaning == "defaultdict":
            return self._mapping(*arguments[1:2])
        if meaning.startswith("refused "):
            return Refused(meaning.removeprefix("refused "))
        if meaning in _TENSORS:
            return self._tensor(meaning, arguments)
        return Opaque()

    def _mapping(self, given: Any = ()) -> dict[Any, Any]:
        """Return the dict that an OrderedDict, Counter or defaultdict was made of."""
        if type(given) is dict:
            return given  # not a copy: many names of one dict would fill the memory
        if type(given) not in (list, tuple):
            raise ValueError(f"it builds a dict from {shown(given)}")
        self.copied += len(given)
        if self.copied > MOST_COPIED:
            raise ValueError("it builds many dicts from the same pairs")
        if not all(type(pair) in (list, tuple) and len(pair) == 2 for pair in given):
            raise ValueError("it builds a dict from something other than pairs")
        return _pairs([key for key, _ in given], [value for _, value in given])

    def _tensor(self, meaning: str, arguments: tuple[Any, ...]) -> Tensor | Refused:
        if meaning == "tensor" and len(arguments) >= 4:
            return tensor(*arguments[:4])
        if meaning == "tensor v3" and len(arguments) >= 7:
            kind = arguments[6].meaning if isinstance(arguments[6], Name) else ""
            if kind.startswith("dtype "):
                storage, offset, shape, strides = arguments[:4]
                return tensor(storage, offset, shape, strides, kind.removeprefix("dtype "))
        if meaning == "parameter" and arguments and isinstance(arguments[0], Tensor | Refused):
            return arguments[0]
        if meaning == "from type" and len(arguments) >= 3 and isinstance(arguments[0], Name):
            function, inner = arguments[0].meaning, arguments[2]
            if function in _TENSORS[:3] and type(inner) is tuple:
                return self._tensor(function, inner)
        raise ValueError(f"it builds a tensor from {shown(arguments)}")

    def _newobj(self, _: bytes) -> None:
        arguments, kind = self._pop(), self._pop()
        if not isinstance(kind, Name) or type(arguments) is not tuple:
            raise ValueError("it builds an object of something that is not a class")
        self.stack.append({} if kind.meaning == "dict" else Opaque())

    def _build(self, argument: bytes) -> None:
        if isinstance(self.stack[-2], dict | Opaque | Tensor | Refused):
            self._pop()  # attributes, as a state dict's _metadata
        else:
            super()._build(argument)

    def _setitem(self, _: bytes) -> None:
        value, key = self._pop(), self._pop()
        self._fill([key, value])

    def _setitems(self, _: bytes) -> None:
        self._fill(self._items())

    def _fill(self, values: list[Any]) -> None:
        if not isinstance(self.stack[-1], Opaque):
            self._top(dict).update(_pairs(values[::2], values[1::2]))

    def _append(self, _: bytes) -> None:
        value = self._pop()
        if not isinstance(self.stack[-1], Opaque):
            self._top(list).append(value)

    def _appends(self, _: bytes) -> None:
        values = self._items()
        if not isinstance(self.stack[-1], Opaque):
            self._top(list).extend(values)

    def _empty_set(self, _: bytes) -> None:
        self.stack.append(Opaque())

    def _additems(self, _: bytes) -> None:
        self._items()
        self._top(Opaque)

    def _frozenset(self, _: bytes) -> None:
        self._items()
        self.stack.append(Opaque())


def _pairs(keys: list[Any], values: list[Any]) -> dict[Any, Any]:
    """Return a dict; the keys of Python 2 become text, objects and tuples are left out."""
    pairs = [(text(k) if type(k) is bytes else k, v) for k, v in zip(keys, values, strict=True)]
    return {k: v for k, v in pairs if isinstance(k, str | int | float | bool | None)}


def _part(whole: Storage, view: Any) -> Storage:
    """Return the part of a storage that the format before 1.6 calls a view."""
    if type(view) is not tuple or len(view) != 3 or not all(type(n) is int for n in view[1:]):
        raise ValueError(f"it refers to the part {shown(view)} of a storage")
    _, start, size = view
    if not 0 <= start <= start + size <= whole.whole:
        raise ValueError(
            f"it refers to the numbers {start:,} to {start + size:,} of a storage that has "
            f"{whole.whole:,}"
        )
    return whole._replace(start=start, size=size)
