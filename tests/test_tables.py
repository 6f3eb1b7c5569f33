"""Tables in plain text."""

from __future__ import annotations

import pytest

from pellucid.tables import text_table


def test_columns_are_as_wide_as_their_longest_cell_and_numbers_stand_right():
    assert text_table(["name", "n"], [["a", "1"], ["longer", "22"], ["", "333"]]) == (
        "name      n\n"
        "-----------\n"
        "a         1\n"
        "longer   22\n"
        "        333"
    )  # fmt: skip


def test_which_columns_stand_left_may_be_chosen():
    table = text_table(["a", "bb", "c"], [["1", "2", "3"], ["x", "long", "y"]], left=(1,))
    assert table.splitlines()[2:] == ["1  2     3", "x  long  y"]


def test_a_total_stands_under_a_line_of_its_own():
    lines = text_table(["a", "b"], [["x", "1"], ["y", "2"]], total=["sum", "1003"]).splitlines()
    assert lines == ["a       b", "---------", "x       1", "y       2", "---------", "sum  1003"]


def test_a_table_without_rows_is_its_header():
    assert text_table(["a", "b"], []) == "a  b\n----"


def test_no_line_ends_in_blanks():
    lines = text_table(["a", "note"], [["x", ""], ["y", "said"]], left=(0, 1)).splitlines()
    assert lines == ["a  note", "-------", "x", "y  said"]


def test_a_row_of_another_length_is_refused():
    with pytest.raises((ValueError, IndexError)):
        text_table(["a", "b"], [["1"]])


def test_korean_letters_take_two_columns():
    table = text_table(["class", "n"], [["숫자", "10"], ["abcd", "2"]])
    assert table.splitlines()[2:] == ["숫자   10", "abcd    2"]
