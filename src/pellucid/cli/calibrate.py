"""``pellucid calibrate``: fit a temperature to the validation set, and keep it with the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ArgumentError
from .images import images_of
from .json_output import JsonOption, print_json
from .messages import echo, note
from .models import model_file
from .options import DataDirOption, DataOption, RunArgument
from .ranks import on_ranks
from .terminal import Terminal

if TYPE_CHECKING:
    from ..data import Parts
    from ..runs.calibrating import Temperatures
    from ..training import Calibration

__all__ = ["command"]


@on_ranks
def command(
    run: RunArgument,
    data: DataOption = None,
    data_dir: DataDirOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Measure, and leave the model as it is.")
    ] = False,
    remove: Annotated[
        bool, typer.Option("--remove", help="Take the temperature out of the model again.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a model's probabilities say how often it is right.

    Divides the scores by a temperature that fits the validation set best,
    shows what that does to the test set, and saves it with the model.
    The predicted classes, and so the accuracy, stay the same.
    """
    from ..distributed import agreed, on_first, world
    from ..formats import load
    from ..nn.temperature import temperature_of
    from ..runs.calibrating import compared, keep_temperature
    from ..runs.predictions import scores
    from ..runs.trained_model import settings_of

    ranks = world()
    file = agreed(ranks, lambda: model_file(run))
    model = agreed(ranks, lambda: load(file))
    if remove:
        if dry_run:
            raise ArgumentError("writes the model. Leave --dry-run out.", where="--remove")
        if ranks.rank:
            return
        said = f"nothing to do: {file} has no temperature"
        if temperature_of(model) != 1:
            keep_temperature(model, None, file)
            said = f"{file}: its scores are no longer divided by a temperature"
        if as_json:
            print_json({"temperature": None, "kept": False})
        else:
            note(said)
        return
    engine = settings_of(run).get("engine", "compiled")
    parts = images_of(model, run, data, data_dir, ranks)
    validation = _validation(parts)
    heard = Terminal()
    found = scores(model, parts.test, engine, listener=heard, communicator=ranks)
    result = compared(
        model, parts.test, found, validation, engine, refit=True, listener=heard,
        communicator=ranks,
    )  # fmt: skip
    if result.problem:
        raise ArgumentError(result.problem, where="calibrate")
    if not dry_run:
        on_first(ranks, lambda: keep_temperature(model, result.temperature, file))
    if ranks.rank:
        return
    if as_json:
        print_json(_document(result, parts, kept=not dry_run))
        return
    _print(result, parts)
    if dry_run:
        echo(f"{file} is left as it is")
    else:
        echo(f"{file}: its scores are divided by {result.temperature:.3f} from now on")


def _validation(parts: Parts) -> Any:
    if parts.validation is None:
        raise ArgumentError(
            "there is no validation set to fit a temperature to: the network knows its training "
            "images, and the test set is to judge the result. Train with --validation 0.1, or name "
            "a folder with --data that has val/ beside train/ and test/.",
            where="calibrate",
        )
    return parts.validation


def _numbers(calibration: Calibration) -> dict[str, float]:
    return {
        "ece": calibration.ece,
        "mce": calibration.mce,
        "nll": calibration.nll,
        "brier": calibration.brier,
        "confidence": calibration.confidence,
        "accuracy": calibration.accuracy,
    }


def _document(result: Temperatures, parts: Parts, *, kept: bool) -> dict[str, Any]:
    """Return what --json prints."""
    assert result.calibrated is not None
    return {
        "data": parts.test.name,
        "temperature": result.temperature,
        "kept": kept,
        "validation_images": result.images,
        "test_images": len(parts.test),
        "without": _numbers(result.without),
        "calibrated": _numbers(result.calibrated),
    }


def _print(result: Temperatures, parts: Parts) -> None:
    from ..tables import text_table

    assert result.calibrated is not None
    before, after = _numbers(result.without), _numbers(result.calibrated)
    names = {
        "ece": "expected calibration error",
        "mce": "maximum calibration error",
        "nll": "negative log-likelihood",
        "brier": "Brier score",
        "confidence": "mean confidence",
        "accuracy": "accuracy",
    }
    rows = [(name, f"{before[key]:.4f}", f"{after[key]:.4f}") for key, name in names.items()]
    header = ("on the test set", "without", f"divided by {result.temperature:.3f}")
    echo(text_table(header, rows))
    echo(
        f"temperature {result.temperature:.3f}, fitted to {result.images:,} validation images; "
        f"measured on {len(parts.test):,} test images"
    )
