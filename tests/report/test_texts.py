"""The report's texts: two languages, escaped once, and the same slots in both."""

from __future__ import annotations

import re
import string

import numpy as np

from pellucid.display.html import Html, element, table
from pellucid.report.images import _confusion
from pellucid.report.texts import TEXTS
from pellucid.runs import Settings, settings_in
from report.html_page import Page


def test_both_languages_say_the_same_things_with_the_same_numbers():
    def places(text: str) -> set[str]:
        return {field for _, field, _, _ in string.Formatter().parse(text) if field}

    english, korean = TEXTS["en"], TEXTS["ko"]
    assert english.keys() == korean.keys()
    for key in english:
        assert places(english[key]) == places(korean[key]), key
        assert not re.search("[가-힣]", english[key]), key
    for setting in settings_in(Settings).values():
        assert not re.search("[가-힣]", setting.labels["en"])
        assert re.search("[가-힣]", setting.labels["ko"])


def test_many_classes_become_a_picture_and_the_worst_confusions():
    matrix = np.eye(30, dtype=np.int64) * 5
    matrix[3, 4] = 9
    parts = "".join(_confusion(matrix, tuple(f"<{k}>" for k in range(30)), TEXTS["en"]))
    found = Page(f"<div>{parts}</div>")
    assert (found.all("img")[0]["width"], found.all("img")[0]["height"]) == ("30", "30")
    assert re.findall(r"<\d+>", found.text) == ["<3>", "<4>"]


def test_texts_are_escaped_once_and_html_is_left_alone():
    assert (
        element("p", "<b>", Html("<i></i>"), title='"') == '<p title="&quot;">&lt;b&gt;<i></i></p>'
    )
    assert "&lt;td&gt;" in table(("a",), [("<td>",)])
    assert "&lt;td x" in table(("a", "b"), [("1", "<td x")])
