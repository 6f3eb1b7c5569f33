"""Find the weights in a checkpoint, which may hold much else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

from ...errors import FileFormatError
from ...typing import Array
from ..pickle_names import Unfilled
from ..pickle_scan import shown
from ..safetensors_file import shown_key
from ..torch_files import NESTED
from .values import Refused, Tensor

__all__ = ["Chosen", "chosen"]

Value: TypeAlias = "Tensor | Refused | Array"
MOST_VISITED = 100_000
DEEPEST = 4


class Chosen(NamedTuple):
    """The tensors of a state dict by name, and notes on where it was."""

    tensors: dict[str, Value]
    notes: list[str]


class _Candidate(NamedTuple):
    path: tuple[str, ...]
    tensors: dict[str, Value]
    others: list[str]  # the keys of values that are not tensors

    @property
    def shown(self) -> str:
        return shown_key(".".join(self.path))


def chosen(root: Any, name: str, under: str | None = None) -> Chosen:
    """Return the state dict that a checkpoint holds.

    The outermost dict is taken if no other has more tensors: a checkpoint may have losses and means
    beside its weights. Of the others, the weights themselves come before their moving average, and
    both before dicts of other names; of these the one with the most tensors is taken. The states of
    optimizers are not candidates.

    Parameters
    ----------
    root : Any
        As `opening.opened` gives it.
    name : str
        The name of the file in errors, quoted.
    under : str, optional
        The keys, joined by dots, under which it is.

    Raises
    ------
    FileFormatError
        If there is none.
    """
    if isinstance(root, Tensor | Refused | Unfilled):
        raise FileFormatError(
            f"{name} holds one tensor without a name. Save a dict of tensors by name: "
            "torch.save(model.state_dict(), path)."
        )
    optimizers: list[str] = []
    found = list(_candidates(root, optimizers))
    if under is not None:
        found = [each for each in found if ".".join(each.path) == under] or _none(under, found)
    if not found:
        raise FileFormatError(
            f"{name} holds no tensors by name, but {_said(root)}. Save the weights: "
            "torch.save(model.state_dict(), path)."
        )
    most = max(len(each.tensors) for each in found)
    best = min(found, key=lambda each: _rank(each, most))
    return Chosen(best.tensors, list(_notes(best, found, optimizers)))


def _none(under: str, found: list[_Candidate]) -> list[_Candidate]:
    raise FileFormatError(
        f"there are no tensors under {shown_key(under)}; there are under "
        f"{', '.join(each.shown for each in found[:8]) or 'no other key'}."
    )


def _candidates(root: Any, optimizers: list[str]) -> Iterator[_Candidate]:
    """Yield each dict that holds tensors by name, from the outside in."""
    queue: list[tuple[tuple[str, ...], Any]] = [((), root)]
    seen: set[int] = set()
    for path, value in queue:  # which grows
        if id(value) in seen or len(path) > DEEPEST or len(seen) > MOST_VISITED:
            continue
        seen.add(id(value))
        if _is_of_optimizer(path, value):
            optimizers.append(shown_key(".".join(path)))
            continue
        items = [(str(key), inner) for key, inner in _items(value)]
        queue += [((*path, k), v) for k, v in items if isinstance(v, dict | list | tuple)]
        tensors = {k: t for k, v in items if (t := _tensor(v)) is not None}
        if tensors and type(value) is dict and all(type(key) is str for key in value):
            yield _Candidate(path, tensors, [key for key, _ in items if key not in tensors])


def _items(value: Any) -> Iterator[tuple[Any, Any]]:
    if type(value) is dict:
        yield from value.items()
    elif type(value) in (list, tuple):
        yield from enumerate(value[:100])


def _tensor(value: Any) -> Value | None:
    if isinstance(value, Unfilled):  # an array of NumPy's
        return value.array if value.array is not None and value.array.ndim else None
    return value if isinstance(value, Tensor | Refused) else None


def _is_of_optimizer(path: tuple[str, ...], value: Any) -> bool:
    return type(value) is dict and ({"state", "param_groups"} <= value.keys() or _optim(path))


def _optim(path: tuple[str, ...]) -> bool:
    return "optim" in path[-1].lower() if path else False


def _rank(each: _Candidate, most: int) -> tuple[int, int]:
    known = [NESTED.index(key) for key in each.path if key in NESTED]
    if not each.path and len(each.tensors) == most:
        known = [-1]
    averaged = any("ema" in key.lower() for key in each.path)
    return min(known, default=len(NESTED) + averaged), -len(each.tensors)


def _notes(best: _Candidate, found: list[_Candidate], optimizers: list[str]) -> Iterator[str]:
    others = [each.shown for each in found if each is not best and each.path]
    if best.path:
        said = f"taken from {best.shown}"
        if others:
            rest = f" and {len(others) - 3} more" if len(others) > 3 else ""
            said += f"; there are also tensors in {', '.join(others[:3])}{rest}"
        yield said
    elif others:
        yield f"taken from the outermost keys; there are also tensors in {', '.join(others[:3])}"
    if optimizers:
        yield "the state of the optimizer is left out"
    elif best.others and not best.path and not others:
        names = ", ".join(map(shown_key, best.others[:4])) + ", ..." * (len(best.others) > 4)
        yield f"left out, as they are not tensors: {names}"


def _said(root: Any) -> str:
    if type(root) is dict:
        keys = ", ".join(shown(key) for key in list(root)[:6])
        return f"a dict with the keys {keys}" if keys else "an empty dict"
    return shown(root)
