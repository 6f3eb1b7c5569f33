"""Names as they are shown: on one line, without power over what is around, and recognised."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasty import NAMES, SHORT, written
from pellucid.errors import did_you_mean
from pellucid.letters import columns
from pellucid.names import (
    file_name,
    isolated,
    listed,
    plain,
    shortened,
    shown,
    told_apart,
    without_surrogates,
)
from pellucid.tables import text_table

ANY = st.text(st.characters())  # lone surrogates too
ISOLATES = str.maketrans("", "", "\u2068\u2069")


@pytest.mark.parametrize("name", SHORT, ids=ascii)
def test_a_name_is_shown_as_it_is_but_for_what_cannot_be_seen(name):
    assert shown(name).translate(ISOLATES) == written(name)


@given(ANY)
def test_nothing_that_is_shown_acts_on_a_terminal_or_page(text):
    for result in (plain(text), shown(text), shown(text, 10), text_table([text], [[text]])):
        result.encode()
        left = {c for c in result if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")} - {"\n"}
        assert not left
        assert not set(result) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u200e\u200f")
        assert result.count("\u2068") == result.count("\u2069")
    assert "\n" not in shown(text)
    assert plain(plain(text)) == plain(text)
    assert isolated(isolated(plain(text))) == isolated(plain(text))
    assert shown(text).strip()


@given(ANY, st.integers(6, 40))
def test_a_long_name_is_shortened_to_what_there_is_room_for(text, most):
    assert columns(shown(text, most)) <= most
    assert columns(plain(text)) > most or shortened(plain(text), most) == plain(text)


@given(st.lists(ANY, max_size=8, unique=True))
def test_different_names_are_told_apart_however_short_they_become(names):
    found = told_apart(names, 12)
    assert all(columns(text) <= 12 for text in found)
    if len({plain(name) for name in names}) == len(names) == len(set(map(shown, names))):
        assert len(set(found)) == len(found)


def test_names_that_differ_in_the_middle_only_still_differ():
    names = [f"a very long name, number {k}, of a class of images" for k in range(200)]
    assert len(set(told_apart(names, 20))) == 200


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("cat", 3),
        ("고양이", 6),
        ("\u1100\u1169\u110b\u1163\u11bc", 4),
        ("e\u0301", 1),
        ("แมวน้ำ", 5),
        ("👍🏽", 2),
        ("👨\u200d👩\u200d👧", 2),
        ("🇰🇷🇰🇷", 4),
        ("❤\ufe0f", 2),
        ("का", 2),
        ("\u2068قطة\u2069", 3),
        ("", 0),
    ],
)
def test_columns_are_those_of_a_terminal(text, width):
    assert columns(text) == width


def test_columns_of_a_table_line_up_whatever_is_in_them():
    table = text_table(["class", "images"], [[name, "7"] for name in NAMES])
    lines = table.splitlines()
    assert len(lines) == len(NAMES) + 2
    assert {columns(line) for line in lines} == {columns(lines[1])}
    assert all(line.endswith("7") for line in lines[2:])


def test_a_table_keeps_right_to_left_letters_in_their_cell():
    rows = text_table(["a", "b"], [["قطة", "12"], ["cat", "3"]]).splitlines()[2:]
    assert rows == ["\u2068قطة\u2069  12", "cat   3"]


def test_a_list_of_names_stays_one_line_that_can_be_read():
    told = listed(["new\nline", "x" * 300, *map(str, range(998))])
    assert told.startswith(r"new\nline, xxx")
    assert told.endswith(" and 940 others")
    assert len(told) < 500
    assert "\x1b" not in did_you_mean("\x1b[31mre", ["\x1b[31mred", "a\nb"])


@given(ANY, st.sampled_from(["", ".png"]))
def test_a_file_name_is_one_on_every_system(text, suffix):
    name = file_name(text + suffix, "run")
    assert 0 < len(name.encode()) <= 81
    assert not set(name) & set("<>:\"/\\|?*$&;'()[]{}!#~^%`,=") - {"-"}
    assert all(unicodedata.category(c)[0] in "LMNP" for c in name)
    assert name[0] not in "-."
    assert name[-1] not in ". "
    assert unicodedata.category(name[0])[0] != "M"
    stem = name.partition(".")[0].upper()
    assert stem not in ("CON", "PRN", "AUX", "NUL", "COM1", "LPT9")


def test_a_file_name_is_recognised():
    assert file_name("고양이 사진", "run") == "고양이-사진"
    assert file_name("\u1100\u1169\u110b\u1163\u11bc", "run") == "고양"
    assert file_name("แมวน้ำ", "run") == "แมวน้ำ"
    assert file_name("--help", "run") == "help"
    assert file_name("😀", "run") == "run"
    assert file_name("aux.data", "run") == "aux-.data"
    assert file_name("com1", "run") == "com1-"


def test_bytes_that_are_no_text_become_text_that_can_be_written():
    name = b"a\xff\x80".decode("utf-8", "surrogateescape")
    assert without_surrogates(name) == r"a\xff\x80"
    assert without_surrogates("\ud800 고양이") == r"\ud800 고양이"
