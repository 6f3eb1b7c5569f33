"""Runs side by side: what came of them, what differs, and whether it can be compared."""

from __future__ import annotations

import re
import string
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pellucid
from pellucid import runs
from pellucid.data.fingerprint import set_code
from pellucid.errors import ArgumentError, DataError, DataNotFoundError
from pellucid.report import compare, comparison_page, comparison_tables, write_comparison
from pellucid.report.comparison_texts import COMPARISON_TEXTS
from pellucid.report.texts import TEXTS
from pellucid.runs.seeds_file import write_seeds
from report.html_page import Page

SHORT = runs.Settings(epochs=2, limit=150, batch_size=50)


def trained(folder: Path, **changes) -> Path:
    runs.begin(replace(SHORT, **changes), folder).fit()
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """Return a folder with runs: a, b (another rate), valid, other (another split), seeds, seen."""
    place = tmp_path_factory.mktemp("compared")
    trained(place / "a")
    trained(place / "b", lr=0.01, epochs=3)
    trained(place / "valid", validation=0.2)
    trained(place / "other", validation=0.2, split_seed=5)
    trained(place / "seen", keep="best")
    seeds = runs.Seeds(replace(SHORT, validation=0.2), place / "seeds", 3)
    for seed in seeds.left[:2]:
        run = seeds.run(seed)
        run.fit()
        seeds.record(run)
    return place


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """Return a folder of pictures of two classes, 20 each."""
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for name, level in (("dark", 40), ("light", 200)):
        (folder / name).mkdir()
        for k in range(20):
            image = rng.integers(level - 30, level + 30, (12, 12), dtype=np.uint8)
            Image.fromarray(image).save(folder / name / f"{k}.png")
    return folder


def test_the_accuracies_are_those_of_the_models_that_are_used(place):
    test = pellucid.data.digits()[1]
    found = compare([place / "a", place / "valid", place / "seeds"])
    a, valid, seeds = found.runs
    for run in (a, valid):
        used = pellucid.load(runs.RunFolder(run.path).used)
        assert run.tested == [pellucid.evaluate(used, test).accuracy]
        assert run.results[0].test_images == len(test)
        assert run.parameters == used.parameter_count()
    best = runs.RunFolder(place / "valid").read_history().best
    assert (valid.validated, valid.choice.epoch) == ([best.validation_accuracy], best.epoch)
    assert (a.validated, a.choice.best) == ([], False)
    assert (seeds.seeds, seeds.planned) == ((0, 1), 3)
    assert seeds.results[0].test_accuracy == valid.tested[0]  # the same split, seed and settings


def test_only_settings_that_differ_are_listed(place):
    found = compare([place / "a", place / "b"])
    assert found.differing == {"epochs": [2, 3], "lr": [0.001, 0.01]}
    assert compare([place / "valid", place / "seeds"]).differing == {
        "split_seed": [None, 0],
        "seed": [0, "0, 1"],
    }
    assert compare([place / "a"]).differing == {}
    text = comparison_tables(found)
    assert re.search(r"^run  epochs +lr$", text, re.M)
    assert re.search(r"^b +3 +0\.01$", text, re.M)


def test_a_validation_set_of_other_images_is_said(place):
    found = compare([place / "valid", place / "seeds", place / "other", place / "a"])
    assert found.letters("validation") == ["A", "A", "B", "-"]
    assert found.letters("test") == []  # that of the digits
    text = comparison_tables(found)
    assert "validation accuracies were measured on different images" in text
    assert "test accuracies were measured on different images" not in text


def test_a_test_set_of_other_images_is_said_and_not_that_of_another_size(pictures, tmp_path):
    kind = {"data": str(pictures), "model": "INPUT -> FC", "limit": None, "epochs": 1}
    one = trained(tmp_path / "one", **kind)
    small = trained(tmp_path / "small", size="6", **kind)
    drawn = trained(tmp_path / "drawn", split_seed=9, **kind)
    digits = trained(tmp_path / "digits")
    found = compare([one, small, drawn, digits])
    assert found.letters("test") == ["A", "A", "B", "C"]
    text = comparison_tables(found)
    assert "The test accuracies were measured on different images" in text
    page = Page(comparison_page(found, "en"))
    assert "The test accuracies were measured on different images" in page.text
    assert "warning" in [attributes.get("class") for attributes in page.all("p")]
    (pictures / "dark").rename(pictures / "gone")
    try:
        lost = compare([one, digits])
        assert lost.letters("test") == ["?", "A"]
        assert lost.runs[0].missing
        last = runs.RunFolder(one).read_history().epochs[-1]
        assert lost.runs[0].tested == [last.test_accuracy]
        assert "A question mark says" in comparison_tables(lost)
    finally:
        (pictures / "gone").rename(pictures / "dark")


def test_the_code_of_images_knows_them_in_any_order():
    train, test = pellucid.data.digits()
    assert set_code(test) == set_code(test[::-1]) != set_code(train)
    labels = np.roll(test.labels, 1)
    assert set_code(replace(test, labels=labels)) != set_code(test)


def test_an_accuracy_that_the_test_set_had_a_part_in_is_marked(place):
    text = comparison_tables(compare([place / "a", place / "seen"]))
    assert re.search(r"^seen +\d\.\d{4}\*", text, re.M)
    assert re.search(r"^a +\d\.\d{4} ", text, re.M)
    assert "* The test set had a part in the choice" in text


def test_seeds_are_one_row_with_mean_and_deviation_and_one_curve_with_a_band(place):
    found = compare([place / "seeds", place / "b"])
    accuracies = found.runs[0].tested
    said = f"{np.mean(accuracies):.4f} ± {np.std(accuracies, ddof=1):.4f}"
    page = Page(comparison_page(found, "en"))
    assert said in page.text
    assert said in comparison_tables(found)
    assert "seeds (2 of 3 seeds)" in page.text
    bands = [path for path in page.all("path") if "band" in str(path["class"])]
    assert len(bands) == 3


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_page_has_every_run_in_tables_curves_and_legend(place, language):
    names = ("a", "b", "valid", "seeds")
    found = compare([place / name for name in names])
    text = comparison_page(found, language)
    page = Page(text)
    assert not page.all("script")
    assert "url(" not in text
    assert f'lang="{language}"' in text
    assert all(page.text.count(name) >= 3 for name in ("valid", "seeds"))
    styles = [str(path["class"]) for path in page.all("path")]
    for style in ("line c0 d0", "line c1 d1", "line c2 d2", "line c3 d3"):
        assert styles.count(style) == 4  # three charts and the legend
    assert ("검증" in page.text) == (language == "ko")


def test_both_languages_say_the_same_things_with_the_same_numbers():
    def places(text: str) -> set[str]:
        return {field for _, field, _, _ in string.Formatter().parse(text) if field}

    english, korean = COMPARISON_TEXTS["en"], COMPARISON_TEXTS["ko"]
    assert english.keys() == korean.keys()
    assert not english.keys() & TEXTS["en"].keys()
    for key in english:
        assert places(english[key]) == places(korean[key]), key
        assert not re.search("[가-힣]", english[key]), key
        assert re.search("[가-힣]", korean[key]), key


def test_runs_of_one_name_are_called_by_their_paths_and_one_run_comes_once(place, tmp_path):
    (tmp_path / "x").mkdir()
    one, two = place / "a", trained(tmp_path / "x" / "a")
    found = compare([one, two, one, one / "model.safetensors"])
    assert [run.name for run in found.runs] == [str(one), str(two)]


def test_names_are_escaped_on_the_page(place, tmp_path):
    folder = tmp_path / "<b>&"
    trained(folder)
    page = comparison_page(compare([folder]), "en")
    assert "<b>&" not in page
    assert "<b>&" in Page(page).text


def test_what_is_not_a_run_is_refused(place, tmp_path):
    with pytest.raises(DataNotFoundError, match="is not a run folder"):
        compare([place / "a", tmp_path / "none"])
    with pytest.raises(DataNotFoundError, match=r"holds no history\.csv"):
        compare([tmp_path])
    with pytest.raises(ArgumentError, match="must be 1 to 24 runs, received 0"):
        compare([])
    write_seeds(tmp_path, {0: None, 1: None})
    with pytest.raises(DataError, match=r"none of the 2 seeds in .* is finished"):
        compare([tmp_path])
    with pytest.raises(ArgumentError, match=r"must end in \.html"):
        write_comparison(compare([place / "a"]), tmp_path / "page.png")
    assert not (tmp_path / "page.png").exists()
