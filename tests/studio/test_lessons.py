"""Lessons: the files that come with the studio, one's own, and what is refused."""

import json
import re

import pytest

from pellucid.errors import ArgumentError, DataNotFoundError, FileFormatError
from pellucid.studio import questions  # noqa: F401 - registers them
from pellucid.studio.lesson_files import SELECTOR, UNIT, VALUE, built_in, read_lesson
from pellucid.studio.opening import Studio
from pellucid.studio.registry import answer

GOOD = {"title": {"en": "One"}, "steps": [{"text": {"en": ["A", "B"], "ko": "C"}}]}


def _written(tmp_path, found):
    path = tmp_path / "mine.json"
    path.write_text(found if isinstance(found, str) else json.dumps(found), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", list(built_in()))
def test_a_lesson_that_comes_with_the_studio_is_one_in_both_languages(name, tmp_path):
    lesson = read_lesson(_written(tmp_path, built_in()[name]))
    assert 8 <= len(lesson["steps"]) <= 10
    for words in (lesson["title"], *(step["text"] for step in lesson["steps"])):
        assert set(words) == {"en", "ko"}
        assert re.search("[가-힣]", "".join(words["ko"]))
    for step in lesson["steps"]:  # a formula is the same in every language
        formulas = [re.findall("`[^`]+`", "".join(step["text"][lang])) for lang in ("en", "ko")]
        assert sorted(formulas[0]) == sorted(formulas[1])


def test_a_lesson_of_ones_own_is_listed_first_and_told_whole(tmp_path):
    studio = Studio()
    studio.lessons["mine"] = read_lesson(_written(tmp_path, GOOD))
    names = [each["name"] for each in answer("lessons", studio, {})["lessons"]]
    assert names == ["mine", *built_in()]
    told = answer("lesson", studio, {"name": "mine"})
    assert told["steps"] == GOOD["steps"]
    assert told["trained"] is False


def test_an_unknown_lesson_is_answered_with_those_that_there_are():
    with pytest.raises(ArgumentError, match="Did you mean 'convolution'"):
        answer("lesson", Studio(), {"name": "convolutions"})


def _step(**more):
    return {**GOOD, "steps": [GOOD["steps"][0], {"text": {"en": "B"}, **more}]}


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ("{", "not JSON"),
        ([1], "must be an object with title"),
        ({"title": {"en": "A"}}, "`steps` is missing"),
        ({**GOOD, "steps": []}, "1 to 200 steps"),
        ({**GOOD, "titel": 1}, "Did you mean 'title'"),
        ({**GOOD, "title": "One"}, 'the title: must be as {"en"'),
        ({**GOOD, "trained": 1}, "`trained`: must be bool"),
        (_step(text={"de": "B"}), "the text of step 2"),
        (_step(text={"en": []}), "`en` must be text"),
        (_step(text={"en": [1]}), "text or a list of paragraphs"),
        (_step(look=""), "step 2: `look` must be"),
        (_step(look="x{}"), "step 2: `look` must be"),
        (_step(state=["maps"]), "step 2: `state` must be as"),
        (_step(state={"view": None}), "step 2: `state.view` must be text"),
        (_step(state={"value": "first conv"}), "step 2: `state.value` must be 7, or a kind"),
        (_step(state={"value": "Conv2d:0"}), "step 2: `state.value`"),
        (_step(state={"unit": "0.left"}), "step 2: `state.unit` must be strongest"),
        (_step(sate={}), "step 2: `sate` is unknown. Did you mean 'state'"),
    ],
)
def test_what_is_not_a_lesson_is_refused_with_the_step(found, message, tmp_path):
    with pytest.raises(FileFormatError, match=re.escape(message)):
        read_lesson(_written(tmp_path, found))


def test_a_file_that_is_missing_or_too_large_is_refused(tmp_path):
    with pytest.raises(DataNotFoundError, match="no file"):
        read_lesson(tmp_path / "none.json")
    with pytest.raises(FileFormatError, match="more than 1,048,576 bytes"):
        read_lesson(_written(tmp_path, " " * 2**20 + "{}"))


@pytest.mark.parametrize("value", ["7", "Conv2d:1", "Conv2d:-1", "MaxPool2d:1|AvgPool2d:2"])
def test_a_value_is_named_by_its_number_or_kind(value):
    assert VALUE.fullmatch(value)


def test_places_in_a_map_and_selectors_are_known():
    assert all(UNIT.fullmatch(u) for u in ("strongest", "3", "0.middle.last"))
    assert all(SELECTOR.fullmatch(s) for s in ("loss", ".beside canvas", '[data-part="x"] > td'))
