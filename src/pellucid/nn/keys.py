"""The keys of state dicts: prefixes of wrappers, and how messages show them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

__all__ = [
    "WRAPPERS",
    "count",
    "inside",
    "is_count",
    "mostly_under",
    "shown",
    "under",
    "without_wrappers",
]

Shapes = Mapping[str, tuple[int, ...]]

# Segments that PyTorch's wrappers insert into keys, by wrapper.
WRAPPERS = {
    "module": "DataParallel",
    "_orig_mod": "torch.compile",
    "_fsdp_wrapped_module": "FSDP",
}
_COUNT = "num_batches_tracked"


def is_count(key: str) -> bool:
    """Return whether ``key`` is a batch norm's count of batches, missing in old files.

    Examples
    --------
    >>> is_count("bn1.num_batches_tracked"), is_count("bn1.weight")
    (True, False)
    """
    return key.rpartition(".")[2] == _COUNT


def under(own: Shapes, state: Shapes) -> list[str]:
    """Return the prefixes under which ``state`` has every key of ``own``, except batch counts.

    At least half of the shapes must match; those of a last layer may differ.

    Examples
    --------
    >>> under({"bias": (2,), "weight": (2, 3)}, {"ema.weight": (2, 3), "ema.bias": (2,), "n.x": ()})
    ['ema.']
    """
    needed = [key for key in own if not is_count(key)]
    if not needed:
        return []
    probe = max(needed, key=len)
    found = {key.removesuffix(probe) for key in state if key.endswith(probe)}
    return sorted(
        prefix
        for prefix in found
        if prefix[-1:] in (".", "/")
        and all(prefix + key in state for key in needed)
        and 2 * sum(own[key] == state[prefix + key] for key in needed) >= len(needed)
    )


def mostly_under(own: Shapes, state: Shapes) -> str:
    """Return the prefix under which the most keys of ``own``, at least half, fit; else "".

    Examples
    --------
    >>> mostly_under({"bias": (2,), "weight": (2, 3)}, {"net.bias": (2,), "net.aux.bias": (9,)})
    'net.'
    """
    counts: Counter[str] = Counter()
    longest = max(map(len, own), default=0)
    for key, shape in state.items():
        at = key.find(".", max(0, len(key) - longest - 1))  # a longer rest cannot be a key of `own`
        while at >= 0:
            if own.get(key[at + 1 :]) == shape:
                counts[key[: at + 1]] += 1
            at = key.find(".", at + 1)
    prefix, count = counts.most_common(1)[0] if counts else ("", 0)
    of_all = sum(key.startswith(prefix) for key in state)
    return prefix if 2 * count >= len(own) and 2 * of_all >= len(state) else ""


def inside(own: Shapes, state: Shapes) -> str:
    """Return the prefix of ``own`` under which exactly the keys of ``state`` are; else "".

    Examples
    --------
    >>> inside({"net.bias": (2,), "net.weight": (2, 3), "w": ()}, {"bias": (2,), "weight": (2, 3)})
    'net.'
    """
    for prefix in under(state, own):
        rest = {key.removeprefix(prefix) for key in own if key.startswith(prefix)}
        if all(is_count(key) for key in rest ^ state.keys()):
            return prefix
    return ""


def without_wrappers(key: str) -> str:
    """Return a key without the segments of `WRAPPERS`, wherever they occur.

    Examples
    --------
    >>> without_wrappers("features.module.0.weight")
    'features.0.weight'
    """
    return ".".join(part for part in key.split(".") if part not in WRAPPERS)


def count(number: int) -> str:
    """Return the start of a sentence about a number of keys.

    Examples
    --------
    >>> count(1), count(4)
    ('1 key does', '4 keys do')
    """
    return "1 key does" if number == 1 else f"{number} keys do"


def shown(key: str) -> str:
    r"""Return a key as a message may print it: short, and without control characters.

    Examples
    --------
    >>> shown("conv1.weight"), shown("\x1b[31m")
    ('conv1.weight', '\\x1b[31m')
    """
    short = key if len(key) <= 100 else f"{key[:60]}...{key[-30:]}"
    return short if short.isprintable() else ascii(short)[1:-1]
