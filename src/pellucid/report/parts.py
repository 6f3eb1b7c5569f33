"""The report's sections about the run: its outcome, course, network, settings and use."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from .. import __version__
from ..class_metrics import ClassMetrics
from ..display.charts import Line, chart
from ..display.html import Html, code, element, join, table
from ..names import plain, shown
from ..runs.fields import settings_in
from ..runs.large_batches import product
from ..runs.settings import Settings
from ..shapes import shape_text
from .facts import Facts
from .texts import TEXTS, duration

__all__ = ["course", "footer", "head", "network", "quoted_run", "settings", "usage"]

LONGEST = 40  # columns of a layer's name
OPEN_EPOCHS = 20  # more are folded away


def head(facts: Facts, language: str) -> Html:
    """Return the title, a sentence on the run, and its most important numbers."""
    text = TEXTS[language]
    parts = [
        element("h1", text["title"].format(name=_name(facts))),
        element("p", _lede(facts, text)),
        element("dl", *_tiles(facts, text, language), class_="tiles"),
        *_roles(facts, text),
    ]
    if facts.missing:
        command = f"pellucid report {quoted_run(facts)} --data-dir FOLDER"
        if "/" in str(facts.settings.get("data", "")):
            command = f"pellucid report {quoted_run(facts)} --data PATH"
        before, after = text["data_missing"].split("{command}")
        said = element("q", facts.missing, lang="en")
        parts.append(
            element(
                "div",
                element("p", before, element("code", command), after),
                element("p", f"{text['reason']}: ", said, class_="note"),
                class_="warning",
            )
        )
    return element("header", *parts)


def _lede(facts: Facts, text: Mapping[str, str]) -> str:
    model, card = facts.model, facts.model.card
    known = {
        "model": shown(facts.settings.get("model", type(model).__name__)),
        "parameters": f"{model.parameter_count():,}",
        "shape": shape_text(model.input_shape or ()),
        "classes": len(facts.classes),
        "data": shown(card.dataset) if card is not None else text["own_data"],
    }
    if facts.train is not None:
        return text["lede"].format(images=_trained_on(facts), **known)
    if model.input_shape is None or not facts.classes:
        return text["lede_bare"].format(**known)
    return text["lede_without_images"].format(**known)


def _roles(facts: Facts, text: Mapping[str, str]) -> list[Html]:
    """Return what the images were used for, if there is a validation set or the test set chose."""
    choice = facts.choice
    if choice is None or (choice.role != "validation" and not choice.by_test):
        return []
    said = []
    if choice.role == "validation":
        if facts.train is not None and facts.validation is not None and facts.test is not None:
            counts = {
                "train": _trained_on(facts),
                "validation": f"{len(facts.validation):,}",
                "test": f"{len(facts.test):,}",
            }
            said.append(text["roles"].format(**counts))
        else:
            said.append(text["roles_unread"])
    which = {"validation": "validation_images", "test": "test_images", None: "training_images"}
    key = "chosen_best" if choice.best else "chosen_last"
    values = {"epoch": choice.epoch, "images": text[which[choice.role]], "file": facts.file.name}
    said.append(text[key].format(**values))
    if choice.stopped:
        said.append(text["chosen_stopped"].format(patience=facts.settings["patience"], **values))
    if choice.by_test:
        said.append(text["chosen_by_test"])
    return [element("p", " ".join(said), class_="warning" if choice.by_test else "note")]


def _trained_on(facts: Facts) -> str:
    assert facts.train is not None
    return f"{min(len(facts.train), facts.settings.get('limit') or len(facts.train)):,}"


def _tiles(facts: Facts, text: Mapping[str, str], language: str) -> list[Html]:
    tiles = []
    last = facts.history.epochs[-1] if facts.history is not None else None
    if facts.confusion is not None:
        right, total = int(facts.confusion.trace()), int(facts.confusion.sum())
        note = text["accuracy_note"].format(right=f"{right:,}", total=f"{total:,}")
        tiles.append((text["accuracy"], f"{100 * right / max(total, 1):.2f} %", note))
        by_class = ClassMetrics.of(facts.confusion)
        tiles += [
            (text[key], f"{100 * getattr(by_class, key):.2f} %", text[f"{key}_note"])
            for key in ("balanced_accuracy", "macro_f1")
        ]
    elif last is not None and last.held_accuracy is not None:
        samples = facts.settings.get("evaluate_samples")
        key = "accuracy_note_history" + ("" if samples else "_bare")
        note = text[key].format(total=f"{samples or 0:,}")
        name = text["validation_accuracy" if last.role == "validation" else "accuracy"]
        tiles.append((name, f"{100 * last.held_accuracy:.2f} %", note))
    if last is not None and facts.history is not None:
        note, record = text["train_accuracy_note"], last
        if facts.choice is not None and facts.choice.best:
            record = facts.history.epochs[facts.choice.epoch - 1]
            note = text["train_accuracy_note_epoch"].format(epoch=record.epoch)
        tiles.append((text["train_accuracy"], f"{100 * record.train_accuracy:.2f} %", note))
        seconds = [record.seconds for record in facts.history.epochs]
        planned = facts.settings.get("epochs", last.epoch)
        note = text["epochs_note"].format(seconds=duration(sum(seconds) / len(seconds), language))
        if last.epoch < planned:
            note = text["epochs_unfinished"].format(planned=planned)
        tiles.append((text["epochs"], str(last.epoch), note))
        ended = facts.ended.strftime("%Y-%m-%d %H:%M") if facts.ended else ""
        note = text["time_note"].format(when=ended)
        tiles.append((text["time"], duration(sum(seconds), language), note))
    count = facts.model.parameter_count()
    size = f"{4 * count / 2**20:.1f} MiB" if count >= 2**18 else f"{4 * count / 2**10:.1f} KiB"
    note = text["parameters_note"].format(size=size)
    tiles.append((text["parameters"], f"{count:,}", note))
    return [
        element(
            "div",
            element("dt", name),
            element("dd", number, class_="number"),
            element("dd", note, class_="note"),
        )
        for name, number, note in tiles
    ]


def course(facts: Facts, language: str) -> Html:
    """Return the curves, and a table of every epoch."""
    text = TEXTS[language]
    title = element("h2", text["course"])
    if facts.history is None:
        return element("section", title, element("p", text["history_missing"]))
    records = facts.history.epochs
    last = records[-1]
    held = text["validation_images" if last.role == "validation" else "test_images"]
    figures = []
    for name, train, test, log in (
        ("loss", "loss", "held_loss", True),
        ("accuracy", "train_accuracy", "held_accuracy", False),
    ):
        lines = [Line(text["training_images"], [getattr(r, train) for r in records])]
        tested = ""
        if getattr(last, test) is not None:
            lines.append(Line(held, [getattr(r, test) for r in records]))
            tested = text["loss_alt_test"].format(test=f"{getattr(last, test):.4f}", images=held)
        said = text[f"{name}_alt"].format(train=f"{getattr(last, train):.4f}", test=tested)
        axis = text["accuracy_axis"] if name == "accuracy" else text["loss"]
        figures.append(element("figure", Html(chart(lines, axis, text["epoch"], said, log=log))))
    header = (
        text["epoch"],
        f"{text['loss']}, {text['training_images']}",
        f"{text['loss']}, {held}",
        f"{text['accuracy_axis']}, {text['training_images']}",
        f"{text['accuracy_axis']}, {held}",
        text["seconds"],
    )
    rows = [
        (
            str(r.epoch),
            f"{r.loss:.4f}",
            text["unmeasured"] if r.held_loss is None else f"{r.held_loss:.4f}",
            f"{r.train_accuracy:.4f}",
            text["unmeasured"] if r.held_accuracy is None else f"{r.held_accuracy:.4f}",
            f"{r.seconds:.1f}",
        )
        for r in records
    ]
    opened = "" if len(records) <= OPEN_EPOCHS else None
    numbers = element(
        "details", element("summary", text["every_epoch"]), table(header, rows), open=opened
    )
    return element("section", title, element("div", *figures, class_="charts"), numbers)


def network(facts: Facts, language: str) -> Html:
    """Return the layers as a table."""
    from ..nn import summary

    text = TEXTS[language]
    title = element("h2", text["network"])
    if facts.model.input_shape is None:
        return element("section", title, element("pre", element("code", repr(facts.model))))
    described = summary(facts.model)
    header = ("layer", "kind", "output", "parameters", "multiply_adds", "sees")
    rows = [
        (text["input"], "", shape_text(described.input_shape), "", "", ""),
        *(
            (
                shown(row.name, LONGEST) if row.name else "",
                element("td", element("code", row.layer), class_="left wide"),
                shape_text(row.output_shape),
                f"{row.parameters:,}",
                f"{row.multiply_adds:,}",
                text["sees_all"] if row.field.everything else str(row.field),
            )
            for row in described.rows
        ),
    ]
    sums = (f"{described.parameters:,}", f"{described.multiply_adds:,}")
    whole = table(
        [text[key] for key in header],
        rows,
        left=(0, 1, 2),
        total=(text["total"], "", "", *sums, ""),
    )
    return element("section", title, whole, element("p", text["network_note"], class_="note"))


def settings(facts: Facts, language: str) -> Html:
    """Return the settings of the run as a table."""
    text, known = TEXTS[language], settings_in(Settings)
    title = element("h2", text["settings"])
    if not facts.settings:
        return element("section", title, element("p", text["settings_missing"]))
    rows = [
        (known[name].labels[language], element("td", _value(value, text), class_="left wide"))
        for name, value in facts.settings.items()
    ]
    if "scale_lr" in facts.settings and (rate := product(Settings(**facts.settings))):
        rows.append((text["scaled_rate"], element("td", rate, class_="left wide")))
    return element("section", title, table((text["setting"], text["value"]), rows, left=(0, 1)))


def _value(value: Any, text: Mapping[str, str]) -> str:
    if isinstance(value, bool):
        return text["yes"] if value else text["unmeasured"]
    return f"{value:,}" if isinstance(value, int) and value >= 10_000 else shown(str(value))


def usage(facts: Facts, language: str) -> Html:
    """Return commands to continue with."""
    text, run = TEXTS[language], quoted_run(facts)
    model = str(facts.file)
    shows = [f"pellucid show mistakes {run}", f"pellucid summary {run}"]
    if len(facts.filters) > 1:
        shows.insert(1, f"pellucid show learning {run}")
    python = [
        "import pellucid",
        f"model = pellucid.load({model!r})",
        "probabilities = pellucid.predict(model, x)  # x: (N, "
        f"{', '.join(map(str, facts.model.input_shape or ('C', 'H', 'W')))}), 0 ... 1",
    ]
    commands = [
        ("use_predict", [f"pellucid predict {run} picture.png"]),
        ("use_evaluate", [f"pellucid evaluate {run}"]),
        ("use_show", shows),
        ("use_studio", [f"pellucid studio {run}", f"pellucid export {run} --studio network.html"]),
        ("use_python", python),
    ]
    if facts.settings:
        commands.append(("use_repeat", [f"pellucid train --config {run}"]))
    blocks = [join([element("p", text[key]), code(*lines)]) for key, lines in commands]
    return element("section", element("h2", text["use"]), *blocks)


def footer(language: str) -> Html:
    """Return the version that wrote the page."""
    return element("footer", element("p", TEXTS[language]["footer"].format(version=__version__)))


def _name(facts: Facts) -> str:
    return shown(facts.run.resolve().name)


def quoted_run(facts: Facts) -> str:
    """Quote the run for a shell, so that it is neither an option nor has invisible characters."""
    path = str(facts.run)
    path = f"./{path}" if path.startswith("-") else path
    if plain(path) == path:
        return shlex.quote(path)
    return "$'" + plain(path.replace("\\", "\\\\").replace("'", "\\'")) + "'"
