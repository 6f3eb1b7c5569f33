"""The pages on the book's errata: every demonstration runs, and both languages show the same."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from pellucid.book.settings import settings

PAGES = sorted((Path(__file__).parents[2] / "docs").glob("book-errata*.md"))
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def blocks(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_demonstration_shows_what_it_says(page):
    runner, said = doctest.DocTestRunner(optionflags=FLAGS), []
    text = "\n".join(blocks(page))
    test = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    result = runner.run(test, out=said.append)
    assert result.failed == 0, "".join(said)
    assert result.attempted > 25
    assert (settings.strict, settings.velocity_first) == (False, False)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_table_leads_to_every_section(page):
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"^\| \[\d+\]\(#(.*?)\)", text, re.MULTILINE)
    assert links == [slug(heading) for heading in re.findall(r"^## (.*)", text, re.MULTILINE)]


def test_both_languages_run_the_same():
    assert len(PAGES) == 2
    assert blocks(PAGES[0]) == blocks(PAGES[1])
