"""The page of a sweep: its trials, and which settings mattered."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..display.html import Html, cell, code, element, join, table
from ..formats import atomic_write
from ..names import plain, shown
from ..report.page import document
from ..runs.fields import settings_in
from ..runs.settings import Settings
from .charts import Dot, scatter

if TYPE_CHECKING:
    from .space import Space
    from .study import Study

__all__ = ["labelled", "write_page"]

STATES = {"COMPLETE": "complete", "PRUNED": "ended early", "FAIL": "failed", "RUNNING": "running"}


def labelled(space: Space, params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the key and the value of each setting that was drawn, as text."""
    known = settings_in(Settings)
    for name in space.ranges:
        if name in params:
            value = params[name]
            text = "-" if value is None else f"{value:.4g}" if isinstance(value, float) else value
            yield known[name].key, str(text)


def write_page(study: Study, path: Path) -> None:
    """Write the page of a sweep, as far as it is."""
    trials = study.trials()
    measured = [t for t in trials if t.value is not None]
    title = f"Sweep {shown(study.folder.resolve().name)}"
    body = [
        element("header", element("h1", title), *_outcome(study, trials)),
        element("main", *_pictures(study, measured), *_importances(study), _trials(study, trials)),
        element("footer", element("p", f"Written by Pellucid {__version__}, with Optuna.")),
    ]
    with atomic_write(path) as part:
        part.write_text(document(title, body, "en"), encoding="utf-8")


def _outcome(study: Study, trials: Sequence[Any]) -> list[Html]:
    counts = {name: sum(t.state.name == key for t in trials) for key, name in STATES.items()}
    said = ", ".join(f"{n} {name}" for name, n in counts.items() if n)
    parts = [element("p", f"{len(trials)} trials: {said}.")]
    best = study.best()
    if best is None:
        return parts
    tested = study.optuna.user_attrs.get(f"test of {best.number}")
    tiles = [
        ("best validation accuracy", f"{100 * best.value:.2f} %", f"trial {best.number}"),
        (
            "its test accuracy",
            "-" if tested is None else f"{100 * tested:.2f} %",
            "measured when all trials have ended"
            if tested is None
            else "on images that had no part in the choice",
        ),
        *((key, value, "of the best trial") for key, value in labelled(study.space, best.params)),
    ]
    folder = f"trial-{best.number:04}"
    typed = shlex.quote(plain(str(study.folder / folder)))
    return [
        *parts,
        element(
            "dl",
            *(
                element(
                    "div",
                    element("dt", name),
                    element("dd", number, class_="number"),
                    element("dd", note, class_="note"),
                )
                for name, number, note in tiles
            ),
            class_="tiles",
        ),
        element("p", "Its run folder is ", element("a", f"{folder}/", href=f"{folder}/"), ":"),
        code(f"pellucid report {typed}", f"pellucid train --config {typed} --out FOLDER"),
    ]


def _pictures(study: Study, trials: Sequence[Any]) -> list[Html]:
    if not trials:
        return []
    dots = [_dot(study.space, t, t.number) for t in trials]
    figures = [scatter(dots, "validation accuracy over the trials", best=True)]
    known = settings_in(Settings)
    for name, drawn in study.space.ranges.items():
        key = known[name].key
        some = [t for t in trials if name in t.params]
        if drawn.choices:
            names = ["-" if c is None else str(c) for c in drawn.choices]
            places = [drawn.choices.index(t.params[name]) for t in some]
            dots = [_dot(study.space, t, x) for t, x in zip(some, places, strict=True)]
            figures.append(scatter(dots, key, names=[shown(n, 16) for n in names]))
        else:
            dots = [_dot(study.space, t, t.params[name]) for t in some]
            figures.append(scatter(dots, key, log=drawn.log))
    return [
        element("h2", "Trials and settings"),
        element(
            "p",
            "Each dot is a trial, over its validation accuracy; rings were ended early, below the "
            "median of the others. Trials that are far worse lie on the axis. The line is the best "
            "so far.",
            class_="note",
        ),
        element("div", *(element("figure", figure) for figure in figures), class_="charts"),
    ]


def _importances(study: Study) -> list[Html]:
    importances = study.importances()
    if not importances:
        return []
    known = settings_in(Settings)
    rows = [
        (known[name].key, cell(f"{100 * share:.0f} %", _bar(share)))
        for name, share in importances.items()
    ]
    return [
        element("h2", "What mattered"),
        element(
            "p",
            "Share of each setting in what distinguishes the better trials (PED-ANOVA, Watanabe et "
            "al. 2023), from the complete trials alone. With few trials it is a rough guess.",
            class_="note",
        ),
        table(("setting", "share"), rows),
    ]


def _bar(share: float) -> Html:
    inside = element("span", style=f"width: {100 * share:.0f}%")
    return element("span", inside, class_="bar")


def _trials(study: Study, trials: Sequence[Any]) -> Html:
    keys = [settings_in(Settings)[name].key for name in study.space.ranges]
    order = sorted(trials, key=lambda t: (t.value is None, -(t.value or 0), t.number))
    rows = []
    for t in order:
        params = dict(labelled(study.space, t.params))
        folder = f"trial-{t.number:04}/"
        state = STATES.get(t.state.name, t.state.name.lower())
        error = t.user_attrs.get("error")
        rows.append(
            (
                str(t.number),
                "-" if t.value is None else f"{t.value:.4f}",
                *(params.get(key, "-") for key in keys),
                str(len(t.intermediate_values)),
                "-" if t.duration is None else f"{t.duration.total_seconds():.0f} s",
                cell(state if error is None else f"{state}: {error}", class_="left wide"),
                cell(element("a", folder, href=folder), class_="left"),
            )
        )
    header = ("trial", "validation", *keys, "epochs", "time", "state", "run folder")
    left = (len(header) - 2, len(header) - 1)
    return join([element("h2", "All trials"), table(header, rows, left=left)])


def _dot(space: Space, trial: Any, x: float) -> Dot:
    drawn = ", ".join(f"{key} {value}" for key, value in labelled(space, trial.params))
    name = f"trial {trial.number}: {trial.value:.4f} ({drawn})"
    return Dot(x, trial.value, trial.state.name == "PRUNED", name)
