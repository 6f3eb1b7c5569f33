"""The facts of a comparison: what several runs are, and what came of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.fingerprint import set_code
from ..errors import ArgumentError, DataError, DataNotFoundError
from ..formats import load
from ..runs.choice import Choice, choice_of
from ..runs.config import as_written
from ..runs.fields import settings_in
from ..runs.folder import GIVE_RUN, RunFolder, model_path, named_runs
from ..runs.listener import Listener
from ..runs.predictions import measure
from ..runs.seeds_file import SeedResult, is_of_seeds, read_seeds, seed_folder
from ..runs.settings import Settings
from ..runs.trained_model import images_of

if TYPE_CHECKING:
    from ..training import History
    from ..typing import PathLike

__all__ = ["MOST", "Compared", "Comparison", "compare"]

MOST = 24  # runs: more curves cannot be told apart


@dataclass(frozen=True)
class Compared:
    """A run, or the runs of several seeds.

    Attributes
    ----------
    name : str
    path : Path
    network : str
    parameters : int
    settings : dict of str to object
        By key; empty if the folder does not hold them.
    choice : Choice
        How the epoch of the model was chosen; of several seeds, of the first one.
    seeds : tuple of int
        Empty for a single run.
    planned : int
        The number of seeds, finished or not; 1 for a single run.
    results : tuple of SeedResult
        One for each run.
    histories : tuple of History
        One for each run.
    missing : str
        Why the test images could not be read; the accuracy is then that of the history, and empty
        fingerprints say that the images are not known.
    """

    name: str
    path: Path
    network: str
    parameters: int
    settings: dict[str, Any]
    choice: Choice
    seeds: tuple[int, ...]
    planned: int
    results: tuple[SeedResult, ...]
    histories: tuple[History, ...]
    missing: str

    @property
    def seconds(self) -> float:
        """The training's time; of several seeds the mean."""
        return sum(result.seconds for result in self.results) / len(self.results)

    @property
    def validated(self) -> list[float]:
        """The accuracies on the validation set."""
        found = [result.validation_accuracy for result in self.results]
        return [accuracy for accuracy in found if accuracy is not None]

    @property
    def tested(self) -> list[float]:
        """The accuracies on the test set."""
        return [result.test_accuracy for result in self.results if result.test_images]

    def image_sets(self, role: str) -> frozenset[str]:
        """Return the codes of the images of a role; none if they are not known."""
        codes = {getattr(result, f"{role}_set") for result in self.results}
        return frozenset(codes - {""})


@dataclass(frozen=True)
class Comparison:
    """Several runs.

    Attributes
    ----------
    runs : tuple of Compared
    """

    runs: tuple[Compared, ...]

    @property
    def differing(self) -> dict[str, list[Any]]:
        """The settings that are not the same in all runs: by key, a value for each run."""
        keys = [setting.key for setting in settings_in(Settings).values()]
        found = {key: [run.settings.get(key) for run in self.runs] for key in keys}
        return {key: values for key, values in found.items() if values != values[:1] * len(values)}

    def letters(self, role: str) -> list[str]:
        """Return for each run which images of a role it has: A, B, ...; empty if all have the same.

        A run without them has "-"; one whose test images are not known has "?".
        """
        sets = [run.image_sets(role) for run in self.runs]
        known = list(dict.fromkeys(codes for codes in sets if codes))
        if len(known) < 2 and (role == "validation" or all(sets) or len(sets) == 1):
            return []
        none = "?" if role == "test" else "-"
        return [_letter(known.index(codes)) if codes else none for codes in sets]


def compare(paths: Iterable[PathLike], *, listener: Listener | None = None) -> Comparison:
    """Read runs, and measure the model of each on its own test images.

    A folder of ``pellucid train --seeds`` counts as one, with the results that it holds. Nothing is
    downloaded; where the images are missing, the accuracies are those of the history.

    Parameters
    ----------
    paths : iterable of path
        Run folders, or models in them; 24 at most.
    listener : Listener, optional

    Raises
    ------
    ArgumentError
        If there are none or too many.
    DataNotFoundError, DataError, FileFormatError
        If one is not there, has no finished epoch, or is damaged.
    """
    named = named_runs(_folder(path) for path in paths)
    if not 1 <= len(named) <= MOST:
        raise ArgumentError(f"must be 1 to {MOST} runs, received {len(named)}.", where="paths")
    listener = listener or Listener()
    return Comparison(tuple(_read(name, path, listener) for name, path in named.items()))


def _folder(path: PathLike) -> Path:
    run = RunFolder.of(path)
    if run is not None:
        return run.path
    if not Path(path).is_dir():
        raise DataNotFoundError(f"'{path}' is not a run folder. {GIVE_RUN}")
    return Path(path)


def _read(name: str, path: Path, listener: Listener) -> Compared:
    seeds, missing = (read_seeds(path) if is_of_seeds(path) else {}), ""
    done = {seed: result for seed, result in seeds.items() if result is not None}
    if seeds and not done:
        raise DataError(f"none of the {len(seeds)} seeds in '{path}' is finished.")
    folders = [RunFolder(seed_folder(path, seed)) for seed in done] or [RunFolder(path)]
    histories = tuple(folder.read_history() for folder in folders)
    given = folders[0].settings()
    choice = choice_of(histories[0], given.get("keep"), given.get("patience"))
    model = load(model_path(folders[0]))
    results: Sequence[SeedResult] = list(done.values())
    if not done:
        result, missing = _measured(folders[0], histories[0], choice, listener)
        results = [result]
    settings = as_written(Settings(**given)) if given else {}
    if seeds and settings:
        settings["seed"] = _span(list(done))
    return Compared(
        name=name,
        path=path,
        network=str(given.get("model") or type(model).__name__),
        parameters=model.parameter_count(),
        settings=settings,
        choice=choice,
        seeds=tuple(done),
        planned=len(seeds) or 1,
        results=tuple(results),
        histories=histories,
        missing=missing,
    )


def _measured(
    folder: RunFolder, history: History, choice: Choice, listener: Listener
) -> tuple[SeedResult, str]:
    """Return what came of a run, and why its images could not be read, if so."""
    record = history.epochs[choice.epoch - 1]
    model, known = load(folder.used), folder.settings()
    accuracy, images, missing = record.test_accuracy, 0, ""
    validation_set = test_set = ""
    try:
        parts = images_of(model, folder.path, download=False, listener=listener)
    except (DataError, ArgumentError) as error:
        missing = str(error)
        images = 0 if accuracy is None else known.get("evaluate_samples", 1)
    else:
        engine = known.get("engine", "compiled")
        accuracy = float(measure(model, parts.test, engine, listener=listener).accuracy)
        images, test_set = len(parts.test), set_code(parts.test)
        if parts.validation is not None:
            validation_set = set_code(parts.validation)
    result = SeedResult(
        epochs=len(history.epochs),
        epoch=choice.epoch,
        validation_accuracy=record.validation_accuracy,
        test_accuracy=0.0 if accuracy is None else accuracy,
        test_images=images,
        validation_set=validation_set,
        test_set=test_set,
        seconds=sum(each.seconds for each in history.epochs),
    )
    return result, missing


def _span(seeds: list[int]) -> str:
    """Return "0 ... 4" for consecutive seeds, else all of them."""
    if len(seeds) > 2 and seeds == list(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]} ... {seeds[-1]}"
    return ", ".join(map(str, seeds))


def _letter(k: int) -> str:
    return chr(ord("A") + k)
