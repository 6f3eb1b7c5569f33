"""The report from Python."""

from __future__ import annotations

import pytest

from pellucid import report, runs
from pellucid.errors import ArgumentError, DataNotFoundError
from pellucid.runs import Settings, settings_in
from pellucid.runs.folder import MODEL
from report.html_page import Page


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> runs.RunFolder:
    folder = tmp_path_factory.mktemp("runs") / "run"
    begun = runs.begin(Settings(epochs=1, limit=50, seed=3, engine="numpy"), folder)
    begun.fit()
    return begun.folder


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_settings_are_called_by_their_labels(run, language):
    text = Page(report.page(report.gather(run), language)).text
    for name in run.settings():
        assert settings_in(Settings)[name].labels[language] in text


@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_report_says_how_to_open_the_run_in_the_studio(run, language):
    text = Page(report.page(report.gather(run), language)).text
    assert f"pellucid studio {run.path}" in text
    assert f"pellucid export {run.path} --studio" in text


def test_a_report_goes_into_the_run_or_where_it_is_wanted(run, tmp_path):
    assert report.write(run) == run.report
    assert report.write(run, tmp_path / "page.html", language="ko") == tmp_path / "page.html"
    assert 'lang="ko"' in (tmp_path / "page.html").read_text(encoding="utf-8")
    with pytest.raises(ArgumentError, match=r"^path: must end in \.html, received 'page\.pdf'"):
        report.write(run, "page.pdf")
    with pytest.raises(ArgumentError, match=r"^run: .* is a file; give the run folder"):
        report.write(run.path / MODEL, tmp_path / "page.html")
    with pytest.raises(DataNotFoundError, match=r"there is no 'gone'"):
        report.write("gone")


def test_images_that_are_named_must_be_there(run):
    with pytest.raises(ArgumentError, match=r"^data: there is no data set 'minst'"):
        report.gather(run, "minst")
