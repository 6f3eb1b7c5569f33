"""Train with several seeds: one run folder each, and the mean and deviation of their accuracies."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.fingerprint import set_code
from ..distributed import Communicator, Solo, by_first, on_first
from ..errors import ArgumentError
from .beginning import Run, begin
from .building import resolved, usable
from .choice import choice_of
from .config import read_config, write_config
from .finishing import finish
from .folder import CHECKPOINT, CONFIG
from .images import is_folder
from .listener import Listener
from .new_folder import new_folder, own_folder, require_free
from .predictions import measure
from .resuming import resume
from .seeds_file import (
    SEEDS,
    SeedResult,
    is_of_seeds,
    mean_and_deviation,
    read_seeds,
    seed_folder,
    write_seeds,
)
from .settings import Settings

if TYPE_CHECKING:
    from ..training import Evaluation
    from ..typing import PathLike

__all__ = ["Seeds", "summary"]


class Seeds:
    """The same training with several seeds: ``FOLDER/seed-0``, ``FOLDER/seed-1``, ...

    Each run has the same bits as a single one with that seed and ``split_seed``. All of them use
    one split of the images, so that the deviation is that of the training, unless ``vary_split``.
    The folder also holds config.toml, the settings of the first run, and seeds.csv, the results.

    Parameters
    ----------
    settings : Settings
        Of the first run; the others have the seeds that follow ``settings.seed``.
    folder : path, optional
        Whose runs that are not finished go on, if it holds those of the same settings; others are
        refused. The next ``runs/DATASET-N`` by default.
    count : int
        The number of seeds; a folder that has more keeps them.
    vary_split : bool
        Draw test and validation images by each run's own seed.
    overwrite : bool
        Whether runs of other settings in ``folder`` may be replaced.

    Attributes
    ----------
    folder : Path
        It belongs to this process until the process ends.
    settings : Settings
    results : dict of int to SeedResult or None
        By seed; None for those that are not finished.

    Raises
    ------
    ArgumentError
        If the settings are wrong, the folder holds something else, or another process trains in it.

    Examples
    --------
    >>> import tempfile
    >>> from pellucid import runs
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     seeds = runs.Seeds(runs.Settings(epochs=1, limit=200), folder, count=2)
    ...     seeds.train()
    ...     sorted(path.name for path in seeds.folder.iterdir())
    ['config.toml', 'seed-0', 'seed-1', 'seeds.csv']
    >>> seeds.left
    []
    """

    def __init__(
        self,
        settings: Settings,
        folder: PathLike | None = None,
        count: int = 5,
        *,
        vary_split: bool = False,
        overwrite: bool = False,
    ) -> None:
        if count < 1:
            raise ArgumentError(f"must be 1 or more, received {count}.", where="count")
        settings = usable(settings)
        if settings.split_seed is None and not vary_split:
            settings = replace(settings, split_seed=settings.seed)
        elif settings.split_seed is not None and vary_split:
            raise ArgumentError("contradicts {split_seed}.", where="vary_split",
                                arguments={"split_seed": settings.split_seed})  # fmt: skip
        self.settings = settings = resolved(settings)
        known: dict[int, SeedResult | None] = {}
        if folder is not None and is_of_seeds(folder) and not overwrite:
            self.folder = own_folder(folder).path
            known = self._known()
        else:
            self.folder = _new(settings, folder, overwrite)
        seeds = range(settings.seed, settings.seed + count)
        self.results = dict.fromkeys(seeds) | known
        self._begun = bool(known)

    @classmethod
    def resume(cls, folder: PathLike, count: int | None = None, **changes: Any) -> Seeds:
        """Return the seeds of a folder, to train those that are not finished.

        Parameters
        ----------
        folder : path
        count : int, optional
            To add seeds.
        **changes
            As for `pellucid.runs.resume`; with others, such as more ``epochs``, all seeds go on.
        """
        folder = Path(folder)
        settings = replace(Settings.read(folder), **changes)
        seeds = read_seeds(folder)
        return cls(settings, folder, count or len(seeds), vary_split=settings.split_seed is None)

    @property
    def left(self) -> list[int]:
        """The seeds that are not finished."""
        return [seed for seed, result in self.results.items() if result is None]

    def train(self, *, listener: Listener | None = None) -> None:
        """Train all seeds that are left."""
        for seed in self.left:
            run = self.run(seed, listener=listener)
            run.fit()
            finished = finish(run, listener=listener)
            self.record(run, None if finished is None else finished.evaluation)

    def run(
        self,
        seed: int,
        *,
        listener: Listener | None = None,
        communicator: Communicator | None = None,
    ) -> Run:
        """Return the run of a seed, begun or resumed; arguments as those of `begin`."""
        ranks = communicator or Solo()
        path, settings = seed_folder(self.folder, seed), replace(self.settings, seed=seed)
        try:
            if by_first(ranks, (path / CHECKPOINT).is_file):
                run = resume(path, listener=listener, communicator=ranks, **asdict(settings))
            else:
                run = begin(settings, path, overwrite=True, listener=listener, communicator=ranks)
        except BaseException:
            if ranks.rank == 0:
                with suppress(OSError):  # it holds something already
                    self.folder.rmdir()
            raise
        if not self._begun:
            on_first(ranks, self._begin)
            self._begun = True
        return run

    def _begin(self) -> None:
        write_config(self.folder / CONFIG, self.settings)
        self._write()

    def record(self, run: Run, evaluation: Evaluation | None = None) -> None:
        """Write what came of a run, if its training has ended.

        Parameters
        ----------
        run : Run
        evaluation : Evaluation, optional
            Of its model on all test images; measured here by default.
        """
        trainer, kept = run.trainer, run.settings
        if not run.folder.used.is_file():
            return
        if trainer.epoch < trainer.epochs and trainer.stopped is None:
            return
        if evaluation is None:
            from ..formats import load

            evaluation = measure(load(run.folder.used), run.test, kept.engine)
        history = run.folder.read_history()
        epoch = choice_of(history, kept.keep, kept.patience).epoch
        self.results[kept.seed] = SeedResult(
            epochs=len(history.epochs),
            epoch=epoch,
            validation_accuracy=history.epochs[epoch - 1].validation_accuracy,
            test_accuracy=float(evaluation.accuracy),
            test_images=len(run.test),
            validation_set="" if run.validation is None else set_code(run.validation),
            test_set=set_code(run.test),
            seconds=round(sum(record.seconds for record in history.epochs), 3),
        )
        self._write()

    def __str__(self) -> str:
        """Return a table of the seeds, with mean ± standard deviation."""
        from ..tables import text_table

        done = [result for result in self.results.values() if result is not None]
        validated = any(result.validation_accuracy is not None for result in done)
        header = ["seed", "epochs", "validation accuracy", "test accuracy", "seconds"]
        rows = [[str(seed), *_cells(result)] for seed, result in self.results.items()]
        total = [f"{len(done)} of {len(rows)}" if self.left else "mean"]
        if done:
            total += ["", summary([r.validation_accuracy for r in done])]
            total += [summary([r.test_accuracy for r in done])]
            total += [f"{mean_and_deviation([r.seconds for r in done])[0]:.1f}"]
        else:
            total += [""] * 4
        lines = [header, *rows, total]
        if not validated:
            lines = [[*line[:2], *line[3:]] for line in lines]
        return text_table(lines[0], lines[1:-1], total=lines[-1])

    def _known(self) -> dict[int, SeedResult | None]:
        """Return the results in the folder; refuse those of other settings."""
        earlier = Settings(**read_config(self.folder))
        if is_folder(self.settings.data) and is_folder(earlier.data):
            earlier = replace(earlier, data=self.settings.data)  # each run compares the images
        self.settings.require_resumable(earlier)
        known = read_seeds(self.folder)
        if self.settings != earlier:
            known = dict.fromkeys(known)
            write_config(self.folder / CONFIG, self.settings)
        return known

    def _write(self) -> None:
        self.results = dict(sorted(self.results.items()))
        write_seeds(self.folder, self.results)


def _new(settings: Settings, folder: PathLike | None, overwrite: bool) -> Path:
    """Create the folder of new seeds, or clear one that is to be replaced for them."""
    replaced = folder is not None and overwrite and is_of_seeds(folder)
    if not replaced:
        if overwrite and folder is not None and _holds_something(Path(folder)):
            raise ArgumentError(
                f"'{folder}' holds something other than the runs of several seeds, which would "
                "stay beside them. Give another folder.",
                where="folder",
            )
        require_free(folder, overwrite=False)
    data = settings.data
    name = Path(data).stem if is_folder(data) else data
    path = new_folder(folder, name, overwrite=replaced).path
    if replaced:
        (path / SEEDS).unlink()
        for checkpoint in path.glob(f"seed-*/{CHECKPOINT}"):  # or those runs would go on
            checkpoint.unlink()
    return path


def _holds_something(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


def _cells(result: SeedResult | None) -> list[str]:
    if result is None:
        return ["-"] * 4
    validated = result.validation_accuracy
    return [
        str(result.epochs),
        "-" if validated is None else f"{validated:.4f}",
        f"{result.test_accuracy:.4f}",
        f"{result.seconds:.1f}",
    ]


def summary(values: Sequence[float | None]) -> str:
    """Return mean ± standard deviation of accuracies; a single one alone, and "-" without any."""
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    mean, deviation = mean_and_deviation(known)
    return f"{mean:.4f}" + ("" if deviation is None else f" ± {deviation:.4f}")
