"""The report's section on calibration: whether the network is right as often as it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..display.html import Html, code, element, table
from ..display.reliability import reliability_chart
from .facts import Facts
from .parts import quoted_run
from .texts import TEXTS

if TYPE_CHECKING:
    from ..runs.calibrating import Temperatures
    from ..training import Calibration

__all__ = ["calibration"]


def calibration(facts: Facts, language: str) -> Html:
    """Return the reliability diagram, with and without a temperature, and numbers."""
    text, found = TEXTS[language], facts.temperatures
    if found is None:
        return Html("")
    held = found.calibrated
    charts = [_chart(found.without, text["as_it_is"], text)]
    if held is not None:
        name = text["with_temperature"].format(temperature=f"{found.temperature:.3f}")
        charts.append(_chart(held, name, text))
    return element(
        "section",
        element("h2", text["calibration"]),
        element("p", text["calibration_note"], class_="note"),
        element("div", *charts, class_="charts"),
        _numbers(found, text),
        element("p", text["calibration_terms"], class_="note"),
        *_advice(facts, found, text),
    )


def _chart(measured: Calibration, name: str, text: Mapping[str, str]) -> Html:
    said = text["calibration_alt"].format(
        name=name,
        confidence=f"{measured.confidence:.3f}",
        accuracy=f"{measured.accuracy:.3f}",
        ece=f"{measured.ece:.3f}",
    )
    drawn = reliability_chart(
        measured.edges, measured.counts, measured.confidences, measured.accuracies, said, text
    )
    return element("figure", drawn, element("figcaption", name))


def _numbers(found: Temperatures, text: Mapping[str, str]) -> Html:
    columns = [found.without] if found.calibrated is None else [found.without, found.calibrated]
    header = [text["temperature"], text["temperature_none"]]
    if found.calibrated is not None:
        header.append(f"{found.temperature:.3f}")
    rows = [
        (text[key], *(f"{getattr(one, key):.4f}" for one in columns))
        for key in ("ece", "mce", "nll", "brier")
    ]
    rows.append((text["mean_confidence"], *(f"{one.confidence:.4f}" for one in columns)))
    rows.append((text["accuracy_axis"], *(f"{one.accuracy:.4f}" for one in columns)))
    return table(header, rows)


def _advice(facts: Facts, found: Temperatures, text: Mapping[str, str]) -> list[Html]:
    """Return where the temperature comes from, and how to keep one."""
    if found.kept:
        return [element("p", text["temperature_kept"])]
    if found.problem:
        said = element("q", found.problem, lang="en")
        return [element("p", text["temperature_unfit"], " ", text["reason"], ": ", said)]
    if found.temperature is None:
        return [element("p", text["temperature_needs_validation"])]
    fits = text["temperature_fitted"].format(images=f"{found.images:,}")
    return [element("p", fits), code(f"pellucid calibrate {quoted_run(facts)}")]
