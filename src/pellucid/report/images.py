"""The report's sections that show images: examples, mistakes, the confusion matrix, filters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..display.confusion import MOST_NUMBERS, class_table, matrix_table
from ..display.html import Html, element, join, table
from ..display.pictures import image, pixels, sheet
from ..names import shown, told_apart
from ..runs.folder import FILTERS
from ..shapes import shape_text
from .facts import Facts
from .texts import TEXTS

if TYPE_CHECKING:
    from ..data import Dataset
    from ..typing import Array

__all__ = ["errors", "examples", "filters"]

MOST_EXAMPLES = 20
MOST_MISTAKES = 24
MOST_CONFUSIONS = 10
MOST_FILTERS = 64
LONGEST = 40  # columns of a name in a table
MOST_SHEETS = 8  # epochs between the first and the last


def examples(facts: Facts, language: str) -> Html:
    """Return one training image of each class."""
    import numpy as np

    text, train = TEXTS[language], facts.train
    if train is None:
        return Html("")
    present = [k for k in range(len(train.classes)) if (train.labels == k).any()]
    first = present[:MOST_EXAMPLES]
    names = told_apart(train.classes, LONGEST)
    figures = [
        _figure(
            pixels(train.images[int(np.argmax(train.labels == k))], train.peak),
            text["example_alt"].format(name=shown(train.classes[k])),
            element("strong", names[k]),
        )
        for k in first
    ]
    key = "examples_note" if len(first) == len(train.classes) else "examples_some"
    note = element("p", text[key].format(count=len(first)), class_="note")
    return element("section", element("h2", text["examples"]), note, _gallery(figures))


def errors(facts: Facts, language: str) -> Html:
    """Return the confusion matrix, the classes one by one, and the most confident mistakes."""
    text = TEXTS[language]
    if facts.confusion is None or facts.test is None or facts.probabilities is None:
        return Html("")
    return element(
        "section",
        element("h2", text["errors"]),
        element("h3", text["confusion"]),
        *_confusion(facts.confusion, facts.test.classes, text),
        element("h3", text["classes"]),
        class_table(facts.confusion, facts.test.classes, text),
        element("p", text["classes_note"], class_="note"),
        element("h3", text["mistakes"]),
        *_mistakes(facts.test, facts.probabilities, text),
    )


def _confusion(matrix: Array, classes: tuple[str, ...], text: Mapping[str, str]) -> list[Html]:
    import numpy as np

    # The square root, so that one mistake in a hundred is visible.
    shades = np.sqrt(matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1))
    note = element("p", text["confusion_note"], class_="note")
    if len(classes) > MOST_NUMBERS:
        grey = (255 * (1 - shades)).round().astype(np.uint8)
        picture = image(grey, text["confusion_alt"].format(classes=len(classes)))
        figure = element("figure", Html(picture), class_="full")
        wrong = matrix - np.diag(np.diag(matrix))
        order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_CONFUSIONS]
        pairs = [divmod(int(k), len(classes)) for k in order if wrong.flat[k]]
        names = told_apart(classes, LONGEST)
        rows = [(names[i], names[j], f"{wrong[i, j]:,}") for i, j in pairs]
        header = (text["is"], text["taken_for"], text["times"])
        most = element("h3", text["confused_most"])
        return [note, figure, *([most, table(header, rows, left=(0, 1))] if rows else [])]
    return [note, matrix_table(matrix, classes, text)]


def _mistakes(test: Dataset, probabilities: Array, text: Mapping[str, str]) -> list[Html]:
    from ..viz import ranked_mistakes

    wrong = ranked_mistakes(test.labels, probabilities)
    if not len(wrong):
        return [element("p", text["no_mistakes"].format(total=f"{len(test):,}"))]
    figures, short = [], told_apart(test.classes, LONGEST)
    for index in wrong[:MOST_MISTAKES]:
        guess = int(probabilities[index].argmax())
        names = {"is_": short[test.labels[index]], "taken": short[guess]}
        said = text["mistake_alt"].format(number=f"{index:,}", **names)
        sure = f"{100 * probabilities[index, guess]:.1f}"
        caption = join(
            [
                element("strong", text["is_this"].format(name=names["is_"])),
                Html("<br>"),
                element("strong", text["taken_for_this"].format(name=names["taken"])),
                Html("<br>"),
                text["surely"].format(percent=sure),
            ]
        )
        figures.append(_figure(pixels(test.images[int(index)], test.peak), said, caption))
    note = text["mistakes_note"].format(shown=f"{len(figures):,}", total=f"{len(wrong):,}")
    return [element("p", note, class_="note"), _gallery(figures)]


def filters(facts: Facts, language: str) -> Html:
    """Return the first layer's filters before, during and after the training."""
    import numpy as np

    text = TEXTS[language]
    title = element("h2", text["filters"])
    if facts.layer is None:
        return element("section", title, element("p", text["filters_none"]))
    order = sorted(facts.filters)
    last = facts.filters[order[-1]]
    drawn = {k: facts.filters[k][:MOST_FILTERS] for k in order}
    finite = [np.abs(w[np.isfinite(w)]).max(initial=0) for w in drawn.values()]
    extent = float(max(finite)) or 1.0
    channels = last.shape[1]
    note = text["filters_note_color" if channels == 3 else "filters_note"].format(
        layer=shown(facts.layer.removesuffix(".weight"), LONGEST),
        shape=shape_text(last.shape),
        low=f"{-extent:.3g}",
        high=f"{extent:.3g}",
    )
    if len(last) > MOST_FILTERS:
        note += " " + text["filters_some"].format(shown=MOST_FILTERS, total=len(last))
    if channels not in (1, 3):
        note += " " + text["filters_channel"].format(channels=channels)
    parts = [title, element("p", note, class_="note")]

    def drawing(epoch: int, moment: str) -> Html:
        alt = text["filters_alt"].format(count=len(drawn[epoch]), moment=moment)
        picture = Html(image(sheet(drawn[epoch], extent), alt))
        return element("figure", picture, element("figcaption", moment))

    ends = [drawing(order[-1], text["after"])]
    if order[0] == 0 and len(order) > 1:
        ends.insert(0, drawing(0, text["before"]))
    parts.append(element("div", *ends, class_="sheets"))
    if channels != 3:
        low, high = f"{-extent:.3g}", f"{extent:.3g}"
        spans = (element("span", low), element("span"), element("span", high))
        parts.append(element("div", *spans, class_="scale", aria_hidden="true"))
    between = order[1:-1]
    if between:
        places = np.linspace(0, len(between) - 1, min(MOST_SHEETS, len(between)))
        chosen = [between[k] for k in np.unique(places.round().astype(int))]
        small = [drawing(k, text["after_epoch"].format(epoch=k)) for k in [*chosen, order[-1]]]
        parts.append(element("h3", text["over_epochs"]))
        parts.append(element("div", *small, class_="sheets small"))
    elif len(order) == 1:
        parts.append(element("p", text["filters_old"].format(file=FILTERS), class_="note"))
    return element("section", *parts)


def _figure(shades: Array, alt: str, caption: Html) -> Html:
    return element(
        "li", element("figure", Html(image(shades, alt)), element("figcaption", caption))
    )


def _gallery(figures: list[Html]) -> Html:
    return element("ul", *figures, class_="gallery")
