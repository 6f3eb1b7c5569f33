"""Damage to files, one byte at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pellucid.errors import PellucidError


def unnoticed_changes(
    path: Path, whole: bytes, mask: int, read: Callable[[Path], Any]
) -> list[tuple[int, int]]:
    """Change each byte in turn by ``mask``; return place and byte where ``read`` did not mind.

    Only a PellucidError counts as minding: any other exception goes through.
    """
    path.write_bytes(whole)
    unnoticed = []
    with path.open("r+b", buffering=0) as file:
        for place, byte in enumerate(whole):
            file.seek(place)
            file.write(bytes([byte ^ mask]))
            try:
                read(path)
            except PellucidError:
                pass
            else:
                unnoticed.append((place, byte))
            file.seek(place)
            file.write(bytes([byte]))
    assert path.read_bytes() == whole
    read(path)
    return unnoticed
