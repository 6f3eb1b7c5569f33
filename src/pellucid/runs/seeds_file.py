"""seeds.csv: what came of a training with each of several seeds."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import FileFormatError

if TYPE_CHECKING:
    from ..typing import PathLike

__all__ = [
    "SEEDS",
    "SeedResult",
    "is_of_seeds",
    "mean_and_deviation",
    "read_seeds",
    "seed_folder",
    "write_seeds",
]

SEEDS = "seeds.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedResult:
    """What came of one seed.

    Attributes
    ----------
    epochs : int
        Finished ones.
    epoch : int
        After which the model was saved.
    validation_accuracy : float or None
        Of that model; None without a validation set.
    test_accuracy : float
        Of that model, on all test images.
    test_images : int
    validation_set, test_set : str
        `pellucid.data.fingerprint.set_code` of the images; without a validation set empty.
    seconds : float
        Of the epochs together.
    """

    epochs: int
    epoch: int
    validation_accuracy: float | None
    test_accuracy: float
    test_images: int
    validation_set: str
    test_set: str
    seconds: float


NAMES = [each.name for each in fields(SeedResult)]


def is_of_seeds(folder: PathLike) -> bool:
    """Return whether a folder holds the runs of several seeds."""
    return (Path(folder) / SEEDS).is_file()


def seed_folder(folder: Path, seed: int) -> Path:
    """Return the run folder of a seed."""
    return folder / f"seed-{seed}"


def write_seeds(folder: Path, results: Mapping[int, SeedResult | None]) -> None:
    """Write a row for each seed; those that are not finished have empty cells."""
    from ..formats import atomic_write

    with atomic_write(folder / SEEDS) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["seed", *NAMES], restval="", lineterminator="\n")
        writer.writeheader()
        for seed, result in results.items():
            writer.writerow({"seed": seed} | ({} if result is None else asdict(result)))


def read_seeds(folder: Path) -> dict[int, SeedResult | None]:
    """Return the results by seed; None for those that are not finished.

    Raises
    ------
    FileFormatError
        If the file is damaged.
    """
    path, found = folder / SEEDS, {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                seed = int(row["seed"])
                found[seed] = _result(row) if row["test_accuracy"] else None
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise FileFormatError(
            f"'{path}' is not a table as `pellucid train --seeds` writes it ({error!r})."
        ) from error
    return found


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float | None]:
    """Return the mean, and the standard deviation over N-1; None for a single value.

    Examples
    --------
    >>> mean_and_deviation([0.9, 0.8, 1.0])
    (0.9, 0.1)
    >>> mean_and_deviation([0.9])
    (0.9, None)
    """
    n = len(values)
    mean = math.fsum(values) / n
    if n < 2:
        return mean, None
    squares = math.fsum((value - mean) ** 2 for value in values)
    return mean, round(math.sqrt(squares / (n - 1)), 15)


def _result(row: Mapping[str, str]) -> SeedResult:
    validated = row["validation_accuracy"]
    return SeedResult(
        epochs=int(row["epochs"]),
        epoch=int(row["epoch"]),
        validation_accuracy=float(validated) if validated else None,
        test_accuracy=float(row["test_accuracy"]),
        test_images=int(row["test_images"]),
        validation_set=row["validation_set"],
        test_set=row["test_set"],
        seconds=float(row["seconds"]),
    )
