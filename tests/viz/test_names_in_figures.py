"""Names of classes, layers, runs and files in every figure: drawn, letter by letter, in place."""

from __future__ import annotations

import inspect
import io
import itertools
import unicodedata
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from nasty import NAMES, SHORT, written
from pellucid import nn, viz
from pellucid.data import Dataset
from pellucid.training import Calibration, EpochRecord, History
from pellucid.training.rate_test import RateTest
from pellucid.viz.analysis.patches import Patches
from pellucid.viz.drawing.canvas import new_figure
from pellucid.viz.drawing.fonts import FontWarning
from pellucid.viz.drawing.writing import breadth, figure_text, figure_texts
from pellucid.viz.figures.depth import DepthUnit

pytestmark = pytest.mark.filterwarnings("ignore::pellucid.viz.drawing.fonts.FontWarning")
X = np.random.default_rng(0).random((1, 8, 8), dtype=np.float32)
LAYERS = [name for name in NAMES if name and "." not in name]
PLAIN_TICKS = {"text.usetex": True, "axes.formatter.use_mathtext": True, "text.parse_math": True}
ISOLATES = str.maketrans("", "", "\u2068\u2069")


def batched(items, n: int) -> Iterator:
    return (items[k : k + n] for k in range(0, len(items), n))


def chain(names, classes: int = 3) -> nn.Sequential:
    """A network with a convolution of each name, and scores."""
    named = {name: nn.Conv2d(1, 1, 3, padding=1, rng=np.random.default_rng(0)) for name in names}
    last = {"flatten": nn.Flatten(), "scores": nn.Linear(64, classes, rng=np.random.default_rng(0))}
    model = nn.Sequential(**named, **last)
    model.input_shape = (1, 8, 8)
    return model


def history(*accuracies: float) -> History:
    return History([], [EpochRecord(k, 0.5, 0.9, 0.6, a, 1.0) for k, a in enumerate(accuracies, 1)])


def confusion() -> Figure:
    return viz.confusion(np.eye(len(NAMES), dtype=int), NAMES)


def mistakes() -> Figure:
    k = len(NAMES)
    images = np.zeros((k, 1, 8, 8), np.float32)
    dataset = Dataset.from_arrays(images, np.arange(k), NAMES)
    return viz.mistakes(dataset, np.roll(np.eye(k), 1, axis=1), most=k)


def why() -> Iterator[Figure]:
    for three in batched(NAMES, 3):
        layer = next((name for name in three if name in LAYERS), "conv")
        model = chain([layer])
        best = int(model(X[None])[0].argmax())
        one, other = (k for k in range(3) if k != best)
        classes = (*three, "b", "c")[:3]
        yield viz.why(model, X, one, methods=["gradcam"], layer=layer, classes=classes, label=other)


def features() -> Iterator[Figure]:
    yield viz.features(chain(LAYERS), X, inside=True)
    for some in batched(NAMES, 10):
        yield viz.features(chain(["conv"], len(some)), X, most=1, classes=some, label=0)


def depth() -> Figure:
    found = Patches("a", 0, np.ones(1), np.zeros(1, int), np.ones((1, 1, 3, 3)))
    return viz.depth([DepthUnit(name, name, found, None, "3x3") for name in NAMES])


def activations() -> Iterator[Figure]:
    for some in batched(NAMES, 12):
        yield viz.activations({some[0]: dict.fromkeys(some, np.arange(9.0))}, title=some[-1])


def applied() -> Iterator[Figure]:
    for some in batched(LAYERS, 6):
        yield viz.applied(chain([some[0]]), [X] * len(some), layer=some[0], titles=some)


def filters() -> Iterator[Figure]:
    for name in NAMES[:8]:
        yield viz.filters(np.ones((2, 1, 3, 3)), title=name, order="norm")


def comparison() -> Iterator[Figure]:
    for some in batched(NAMES, 24):
        yield viz.comparison({name: history(0.5, 0.6) for name in some})


def field() -> Iterator[Figure]:
    for some in batched(LAYERS, 3):  # of more the field would be the whole image
        yield viz.field(chain(some), some[-1])


def volumes() -> Figure:
    return viz.volumes(chain(LAYERS))


def learning() -> Figure:
    return viz.learning({k: np.ones((2, 1, 3, 3)) * k for k in range(3)})


def curves() -> Figure:
    return viz.curves(history(0.5, 0.6))


def rate_test() -> Figure:
    losses = tuple(np.linspace(2, 1, 30).tolist())
    return viz.rate_test(RateTest(tuple(np.geomspace(1e-5, 1, 30)), losses, losses, False))


def reliability() -> Figure:
    return viz.reliability(Calibration.of(np.eye(3)[[0, 1, 2, 2]], np.array([0, 1, 2, 1])))


def window() -> Figure:
    return viz.window(np.ones((3, 3)), np.ones((2, 2)))


def im2col() -> Figure:
    return viz.im2col(np.ones((3, 3)), np.ones((1, 1, 2, 2)))


def pooling() -> Figure:
    return viz.pooling(np.ones((4, 4)))


NAMED = (
    confusion, mistakes, why, features, depth, activations, applied, filters, comparison, field,
    volumes,
)  # fmt: skip
UNNAMED = (learning, curves, rate_test, reliability, window, im2col, pooling)
EXPECTED = {
    filters: NAMES[:8],
    features: (*LAYERS, *NAMES),
    applied: LAYERS,
    field: LAYERS,
    volumes: LAYERS,
}


def figures(draw: Callable) -> Iterator[Figure]:
    drawn = draw()
    return iter([drawn]) if isinstance(drawn, Figure) else drawn


def png(figure: Figure) -> None:
    figure.savefig(io.BytesIO(), format="png", dpi=50)


def test_every_figure_of_the_library_is_here():
    drawing = {
        name
        for name in viz.__all__
        if inspect.isfunction(getattr(viz, name))
        and inspect.signature(getattr(viz, name)).return_annotation == "Figure"
    }
    assert drawing == {draw.__name__ for draw in (*NAMED, *UNNAMED)}


@pytest.mark.parametrize("draw", NAMED, ids=lambda draw: draw.__name__)
def test_every_name_is_drawn_as_it_is_written(draw):
    texts = []
    for figure in figures(draw):
        png(figure)
        texts += [text.get_text().translate(ISOLATES) for text in figure.findobj(Text)]
    together = "\0".join(texts)
    for name in EXPECTED.get(draw, NAMES):
        if name in SHORT and breadth(written(name)) < 6:
            assert unicodedata.normalize("NFC", written(name)) in together, ascii(name)


@pytest.mark.parametrize("draw", NAMED + UNNAMED, ids=lambda draw: draw.__name__)
def test_a_users_settings_of_latex_and_formulas_change_no_text(draw):
    """LaTeX is not even installed; where it is, it would fail on the first underscore."""
    with mpl.rc_context(PLAIN_TICKS):
        figure = next(figures(draw))
        png(figure)
        said = [text.get_text() for text in figure.findobj(Text)]
        assert not any("mathdefault" in text for text in said)


@pytest.mark.parametrize("kind", ["svg", "pdf"])
@pytest.mark.parametrize("fonttype", ["path", "none"])
def test_vector_files_hold_any_name(tmp_path, kind, fonttype):
    path = tmp_path / f"a.{kind}"
    setting = (
        {"svg.fonttype": fonttype}
        if kind == "svg"
        else {"pdf.fonttype": 3 + 39 * (fonttype == "none")}
    )
    with mpl.rc_context(setting):
        viz.save_figure(confusion(), path)
        if kind == "svg":
            root = ET.parse(path).getroot()
            if fonttype == "none":
                assert "a_b^c{d}" in {
                    "".join(t.itertext()).strip() for t in root.iter() if t.tag.endswith("text")
                }


def test_texts_that_are_added_later_may_be_formulas():
    figure = viz.confusion(np.eye(2, dtype=int), ["Ba$$in", "b"])
    added = figure.text(0, 0, "$x^2$")
    png(figure)
    assert added.get_parse_math()
    assert not figure.axes[0].yaxis.get_ticklabels()[0].get_parse_math()


@pytest.mark.parametrize("k", [2, 30])
def test_names_of_two_hundred_letters_lie_in_the_figure_and_differ(k):
    names = [f"a name {'of many letters ' * 11} {i:03} {'and more ' * 5}" for i in range(k)]
    figure = viz.confusion(np.eye(k, dtype=int), names)
    png(figure)
    for axis in (figure.axes[0].xaxis, figure.axes[0].yaxis):
        labels = axis.get_ticklabels()
        assert len({label.get_text() for label in labels}) == k
        boxes = [label.get_window_extent() for label in labels]
        assert min(min(box.x0, box.y0) for box in boxes) >= 0


def test_long_names_over_pictures_do_not_run_into_their_neighbours():
    wide = ("W" * 200, "가" * 200, "x" * 200, "m" * 200)
    dataset = Dataset.from_arrays(np.zeros((16, 1, 8, 8), np.float32), np.arange(16) % 4, wide)
    figure = viz.mistakes(dataset, np.roll(np.eye(4), 1, axis=1)[dataset.labels])
    png(figure)
    boxes = [axes.title.get_window_extent() for axes in figure.axes]
    for row in batched(boxes, 4):
        assert all(a.x1 <= b.x0 + 1 for a, b in itertools.pairwise(row))
        assert row[0].x0 >= 0
        assert row[-1].x1 <= figure.bbox.x1


def test_the_legend_keeps_names_that_begin_with_an_underscore():
    figure = viz.comparison({"_hidden": history(0.5), "_": history(0.6), "a": history(0.7)})
    legend = figure.axes[1].get_legend()
    told = [text.get_text() for text in legend.get_texts()]
    assert told == ["_hidden: 0.5000", "_: 0.6000", "a: 0.7000"]
    assert len(legend.get_lines()) == 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        png(viz.comparison({"_hidden": history(0.5)}))


def test_a_text_is_shortened_by_what_its_letters_take():
    assert breadth(figure_text("W" * 99, 10), bold=False) <= 10
    assert breadth(figure_text("가" * 99, 10), bold=False) <= 10
    assert len(figure_text("i" * 99, 10)) > 2 * len(figure_text("W" * 99, 10))
    assert figure_texts(["a", "a"], 10) == ["a", "a"]


def test_missing_letters_are_told_of_once_and_drawn_as_boxes():
    figure = new_figure(2, 1)
    figure.text(0, 0, "\U00012345")
    with pytest.warns(FontWarning, match="boxes are drawn"):
        png(figure)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        png(figure)
