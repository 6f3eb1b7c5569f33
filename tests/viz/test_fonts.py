"""Letters that Matplotlib's own font lacks."""

from __future__ import annotations

import io
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from pellucid import viz
from pellucid.viz.drawing import fonts
from pellucid.viz.drawing.canvas import new_figure

KOREAN = fonts.fallbacks("고양이")
needs_korean = pytest.mark.skipif(not KOREAN, reason="no font with Hangul is installed")


def ink(figure: Figure) -> np.ndarray:
    """Return the figure as grey numbers, drawn without a warning."""
    from PIL import Image

    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(file, format="png")
    return np.asarray(Image.open(file).convert("L"))


@needs_korean
def test_korean_class_names_are_written_and_differ():
    """Boxes all look alike; letters do not."""
    pictures = []
    for name in ("고양이", "강아지"):
        figure = viz.confusion(np.eye(2, dtype=int), [name, "dog"])
        pictures.append(ink(figure))
        families = {f for label in figure.axes[0].get_yticklabels() for f in label.get_fontfamily()}
        assert KOREAN[0][0] in families
    assert pictures[0].shape == pictures[1].shape
    assert (pictures[0] != pictures[1]).sum() > 50


@needs_korean
def test_titles_texts_and_figures_of_others_are_served_when_saved(tmp_path):
    figure = Figure()
    axes = figure.subplots()
    axes.set_title("혼동 행렬")
    note = figure.text(0, 0, "고양이 3 %")
    for suffix in ("png", "svg", "pdf"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            viz.save_figure(figure, tmp_path / f"a.{suffix}")
    assert note.get_fontfamily()[0] == "sans-serif", "Latin letters stay in the figure's own font"
    assert KOREAN[0][0] in note.get_fontfamily()


def test_latin_texts_are_left_alone():
    figure = new_figure(2, 1)
    text = figure.text(0, 0, "cat “90 %” … → −5 é")
    figure.canvas.draw()
    assert text.get_fontfamily() == ["sans-serif"]


def test_without_a_font_one_sentence_says_which_to_install():
    figure = new_figure(2, 1)
    figure.text(0, 0, "뷁쇍 뿳")
    with pytest.warns(fonts.FontWarning, match="fonts-nanum or fonts-noto-cjk") as told:
        fonts.lend_fonts(figure, fonts=[])
    assert len(told) == 1
    assert "Malgun Gothic" in str(told[0].message)
    assert "AppleGothic" in str(told[0].message)
    assert "'뷁뿳쇍'" in str(told[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fonts.lend_fonts(figure, fonts=[])  # of the same letters no second time


def test_fonts_are_chosen_by_the_letters_they_have(tmp_path):
    import matplotlib

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    latin, maths = str(folder / "DejaVuSans.ttf"), str(folder / "STIXGeneral.ttf")
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"no font")
    assert fonts.fallbacks("aé", fonts=[latin, maths]) == [("DejaVu Sans", latin)]
    assert fonts.fallbacks("a", fonts=[str(broken), maths]) == [("STIXGeneral", maths)]
    assert fonts.fallbacks("가", fonts=[latin, maths]) == []


def test_the_font_of_last_resort_hides_no_missing_letter():
    names = [name for name, _ in fonts.fallbacks("\U000e0fff")]  # nothing is there in Unicode
    assert not any(name.startswith("Last Resort") for name in names)


def test_a_figure_can_be_pickled():
    figure = pickle.loads(pickle.dumps(viz.filters(np.ones((2, 1, 3, 3)))))
    figure.canvas.draw()
