"""A comparison of runs: as tables of text, and as one HTML page with their curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..display.charts import Line, chart, many_styles, swatch
from ..display.html import Html, cell, element, table
from ..errors import ArgumentError
from ..names import shown
from ..runs.choice import Choice
from ..runs.fields import settings_in
from ..runs.seeds import summary
from ..runs.seeds_file import mean_and_deviation
from ..runs.settings import Settings
from .comparison import Compared, Comparison
from .comparison_texts import COMPARISON_TEXTS
from .page import document
from .parts import footer
from .texts import TEXTS, duration

if TYPE_CHECKING:
    from ..training import EpochRecord
    from ..typing import PathLike

__all__ = ["comparison_page", "comparison_tables", "require_page", "write_comparison"]

LONGEST = 40  # columns of a run's name

Cells = list[str]


def write_comparison(found: Comparison, path: PathLike, *, language: str = "en") -> Path:
    """Write the page of a comparison into a file, and return its path.

    Raises
    ------
    ArgumentError
        If ``path`` is not the name of an HTML file.
    """
    from ..formats import atomic_write

    out = Path(path)
    require_page(out)
    whole = comparison_page(found, language)
    with atomic_write(out) as part:
        part.write_text(whole, encoding="utf-8")
    return out


def require_page(out: Path) -> None:
    """Refuse a path that is not the name of an HTML file."""
    if out.suffix.lower() not in (".html", ".htm"):
        raise ArgumentError(f"must end in .html, received '{out}'.", where="path")


def comparison_tables(found: Comparison) -> str:
    """Return the results, the settings that differ, and what must be known, as text."""
    from ..tables import text_table

    text = _texts("en")
    header, rows = _results(found, text, "en")
    parts = [text_table(header, rows, left=_words(header, text))]
    if found.differing:
        parts.append(text_table(*_settings(found, text, None)))
    elif len(found.runs) > 1:
        parts.append(text["no_differing"])
    return "\n\n".join([*parts, *(["\n".join(notes)] if (notes := _notes(found, text)) else [])])


def comparison_page(found: Comparison, language: str) -> str:
    """Return the whole HTML document, in English ("en") or Korean ("ko")."""
    text, count = _texts(language), len(found.runs)
    title = text["comparison" if count > 1 else "comparison_of_one"].format(count=count)
    header, rows = _results(found, text, language)
    warned = bool(found.letters("test"))
    notes = [
        element("p", note, class_="warning" if warned and k == 0 else "note")
        for k, note in enumerate(_notes(found, text))
    ]
    model = header.index(text["model_of"])
    for row in rows:
        row[model] = cell(row[model], class_="left wide")
    results = table(header, rows, left=_words(header, text))
    head = element("header", element("h1", title), results, *notes)
    parts = [_courses(found, text)]
    if found.differing:
        parts.append(
            element(
                "section",
                element("h2", text["differing"]),
                table(*_settings(found, text, language)),
            )
        )
    elif count > 1:
        parts.append(element("section", element("p", text["no_differing"])))
    return document(title, [head, element("main", *parts), footer(language)], language)


def _texts(language: str) -> dict[str, str]:
    return {**TEXTS[language], **COMPARISON_TEXTS[language]}


def _results(
    found: Comparison, text: Mapping[str, str], language: str
) -> tuple[Cells, list[Cells]]:
    """Return the header and the rows of the table of results, the most important first."""
    runs = found.runs
    columns = {text["accuracy"]: [summary(run.tested) + "*" * _optimistic(run) for run in runs]}
    if letters := found.letters("test"):
        columns[text["test_set"]] = letters
    if any(run.validated for run in runs):
        columns[text["validation_accuracy"]] = [summary(run.validated) for run in runs]
    if letters := found.letters("validation"):
        columns[text["validation_set"]] = letters
    columns |= {
        text["model_of"]: [_model(run, text) for run in runs],
        text["epochs_of"]: [_span([result.epochs for result in run.results]) for run in runs],
        text["time"]: [duration(run.seconds, language) for run in runs],
        text["network_of"]: [shown(run.network, LONGEST) for run in runs],
        text["parameters"]: [f"{run.parameters:,}" for run in runs],
    }
    names = [shown(run.name, LONGEST) + _seeds(run, text) for run in runs]
    rows = [list(row) for row in zip(names, *columns.values(), strict=True)]
    return [text["run"], *columns], rows


def _words(header: Cells, text: Mapping[str, str]) -> list[int]:
    """Return the columns of words."""
    words = {text[key] for key in ("run", "model_of", "network_of")}
    return [k for k, name in enumerate(header) if name in words]


def _optimistic(run: Compared) -> bool:
    return run.choice.by_test and bool(run.tested)


def _span(numbers: Sequence[int]) -> str:
    """Return the number, or the smallest and the largest of several."""
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low}-{high}"


def _seeds(run: Compared, text: Mapping[str, str]) -> str:
    """Return how many seeds a run has, in brackets; empty for a single run."""
    if not run.seeds:
        return ""
    done = len(run.seeds)
    key = "seeds_of" if done == run.planned else "seeds_left"
    return f" ({text[key].format(count=done, planned=run.planned)})"


def _model(run: Compared, text: Mapping[str, str]) -> str:
    """Return after which epoch the model was saved, and by which images that was chosen."""
    span = _span([result.epoch for result in run.results])
    return text[_chosen(run.choice)].format(epoch=span)


def _chosen(choice: Choice) -> str:
    return f"best_{choice.role or 'train'}" if choice.best else "last"


def _settings(
    found: Comparison, text: Mapping[str, str], language: str | None
) -> tuple[Cells, list[Cells]]:
    """Return the header and the rows of the table of settings that differ, a run a row.

    The settings are called as in the files, or as in a report in ``language``.
    """
    known = {setting.key: setting for setting in settings_in(Settings).values()}
    names = [known[key].labels[language] if language else key for key in found.differing]
    rows = [
        [
            shown(run.name, LONGEST),
            *(_value(values[k], text) for values in found.differing.values()),
        ]
        for k, run in enumerate(found.runs)
    ]
    return [text["run"], *names], rows


def _value(value: Any, text: Mapping[str, str]) -> str:
    if value is None or isinstance(value, bool):
        return text["yes"] if value else text["unmeasured"]
    return f"{value:g}" if isinstance(value, float) else shown(str(value), LONGEST)


def _notes(found: Comparison, text: Mapping[str, str]) -> list[str]:
    """Return what must be known to compare the numbers, the most important first."""
    letters, keys = found.letters("test"), []
    if len(set(letters) - {"?"}) > 1:
        keys.append("different_test")
    if "?" in letters:
        keys.append("unknown_test")
    if found.letters("validation"):
        keys.append("different_validation")
    if any(_optimistic(run) for run in found.runs):
        keys.append("optimistic")
    if any(len(run.seeds) > 1 for run in found.runs):
        keys += ["deviation", "one_split"]
    return [text[key] for key in keys]


def _courses(found: Comparison, text: Mapping[str, str]) -> Html:
    """Return the curves of all runs, and one legend for them."""
    styles = many_styles(len(found.runs))
    roles = {run.choice.role for run in found.runs}
    role = roles.pop() if len(roles) == 1 else "mixed"
    images = text["held_mixed" if role == "mixed" else f"{role or 'training'}_images"]
    figures = []
    for key, value, log in (
        ("accuracy_of_held", lambda record: record.accuracy, False),
        ("loss_of_held", lambda record: record.held_loss, True),
        ("loss_of_training", lambda record: record.loss, True),
    ):
        lines = [_line(run, value) for run in found.runs]
        if not any(line.ends for line in lines):
            continue
        title = text[key].format(images=images)
        said = text["curves_alt"].format(title=title, count=len(lines))
        drawn = chart(lines, title, text["epoch"], said, log=log, styles=styles)
        figures.append(element("figure", Html(drawn)))
    legend = element(
        "ul",
        *(
            element("li", Html(swatch(style)), shown(run.name) + _seeds(run, text))
            for run, style in zip(found.runs, styles, strict=True)
        ),
        class_="legend",
    )
    parts = [element("h2", text["courses"]), legend, element("div", *figures, class_="charts wide")]
    if any(len(run.seeds) > 1 for run in found.runs):
        parts.append(element("p", text["bands"], class_="note"))
    return element("section", *parts)


def _line(run: Compared, value: Callable[[EpochRecord], float | None]) -> Line:
    """Return the curve of a run, or of its seeds: the mean over those that have the epoch."""
    longest = max(len(history.epochs) for history in run.histories)
    means: list[float | None] = []
    spread: list[float] = []
    for k in range(longest):
        at = [history.epochs[k] for history in run.histories if k < len(history.epochs)]
        mean, deviation = _mean([value(record) for record in at])
        means.append(mean)
        spread.append(deviation)
    return Line(run.name, means, spread if len(run.histories) > 1 else None)


def _mean(values: Sequence[float | None]) -> tuple[float | None, float]:
    known = [value for value in values if value is not None]
    if not known:
        return None, 0.0
    mean, deviation = mean_and_deviation(known)
    return mean, deviation or 0.0
