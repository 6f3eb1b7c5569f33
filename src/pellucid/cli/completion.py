"""What a shell completes: names of data sets and networks, and run folders.

Where nothing is found, the shell completes names of files itself. `pellucid --install-completion`
sets a shell up.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..networks import NETWORKS

__all__ = ["data_sets", "models", "networks", "runs"]

RUNS = "runs"  # where training writes run folders by default
MODEL = "model.safetensors"


def data_sets(incomplete: str) -> list[str]:
    """Return the names of data sets that begin with ``incomplete``."""
    from ..data.catalogue import CATALOGUE

    return _beginning(CATALOGUE, incomplete)


def networks(incomplete: str) -> list[str]:
    """Return the names of networks that begin with ``incomplete``."""
    return _beginning(NETWORKS, incomplete)


def runs(incomplete: str) -> list[str]:
    """Return the run folders whose paths begin with ``incomplete``, here and in ``runs``."""
    return sorted(set(_runs(incomplete)))


def models(incomplete: str) -> list[str]:
    """Return run folders and the names of networks that begin with ``incomplete``."""
    return [*runs(incomplete), *networks(incomplete)]


def _beginning(names: object, incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]  # type: ignore[attr-defined]


def _runs(incomplete: str) -> Iterator[str]:
    folder = incomplete.rpartition("/")[0]
    for place in {folder, RUNS}:
        try:
            found = list(Path(place or ".").iterdir())
        except OSError:  # there is none, or it cannot be read
            continue
        for run in found:
            text = f"{place}/{run.name}" if place else run.name
            if text.startswith(incomplete) and (run / MODEL).is_file():
                yield text
