"""Figures: what is drawn, and how it is saved."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from pellucid import data, models, viz
from pellucid.errors import ArgumentError, ShapeError
from pellucid.training import EpochRecord, History
from pellucid.viz.drawing.canvas import BLUE, ORANGE


def history(epochs: int, *, test: bool = True, batches: int = 10) -> History:
    records = [
        EpochRecord(
            e, 1 / e, 1 - 0.5 / e, 1.5 / e if test else None, 0.9 - 0.5 / e if test else None, 1.0
        )
        for e in range(1, epochs + 1)
    ]
    return History(list(np.linspace(2, 0.1, epochs * batches)), records)


def lines(axes) -> dict[str, tuple[list[float], list[float]]]:
    return {l.get_label(): (list(l.get_xdata()), list(l.get_ydata())) for l in axes.lines}


def test_curves_draw_every_batch_and_every_epoch_at_its_place():
    loss, accuracy = viz.curves(history(4)).axes
    drawn = lines(loss)
    assert drawn["train, mean"] == ([1, 2, 3, 4], [1, 1 / 2, 1 / 3, 1 / 4])
    assert drawn["test"] == ([1, 2, 3, 4], [1.5, 1.5 / 2, 1.5 / 3, 1.5 / 4])
    x, y = drawn["train, each batch"]
    assert (x[9], x[-1], y[0], len(y)) == (1, 4, 2, 40)
    assert lines(accuracy)["train"][1] == [0.5, 0.75, 1 - 0.5 / 3, 0.875]
    assert lines(accuracy)["test, 0.7750 in the end"][1] == [0.9 - 0.5 / e for e in (1, 2, 3, 4)]


def test_curves_name_their_axes_and_count_whole_epochs():
    for epochs in (1, 2, 20):
        figure = viz.curves(history(epochs))
        figure.canvas.draw()
        assert [a.get_ylabel() for a in figure.axes] == ["loss", "accuracy"]
        for axes in figure.axes:
            assert axes.get_xlabel() == "epoch"
            assert all(float(tick).is_integer() for tick in axes.get_xticks())
            low, high = axes.get_xlim()
            assert low == 0
            assert high >= epochs
            assert axes.get_legend() is not None


def test_curves_without_a_test_set_draw_none():
    for axes in viz.curves(history(3, test=False)).axes:
        assert not any("test" in label for label in lines(axes))


def test_curves_take_a_loss_of_zero_and_one_that_is_no_number():
    perfect = history(2)
    perfect.losses[-1] = 0.0
    assert viz.curves(perfect).axes[0].get_yscale() == "linear"
    assert viz.curves(history(2)).axes[0].get_yscale() == "log"
    broken = history(2)
    broken.epochs[-1] = EpochRecord(2, 0.5, 0.5, float("nan"), 0.5, 1.0)
    viz.curves(broken).canvas.draw()


def test_curves_need_an_epoch():
    with pytest.raises(ArgumentError, match="curves: needs at least one finished epoch"):
        viz.curves(History())


def test_train_and_test_are_told_apart_without_colour():
    drawn = {line.get_color(): line for line in viz.curves(history(3)).axes[1].lines}
    assert drawn[BLUE].get_linestyle() != drawn[ORANGE].get_linestyle()
    lightness = [np.dot(to_rgb(color), (0.299, 0.587, 0.114)) for color in (BLUE, ORANGE)]
    assert abs(lightness[0] - lightness[1]) > 0.25


def test_confusion_writes_the_counts_and_names_both_axes():
    axes = viz.confusion(np.array([[9, 1], [0, 10]]), ["cat", "dog"]).axes[0]
    texts = {t.get_position(): t.get_text() for t in axes.texts}
    assert texts == {(0, 0): "9", (1, 0): "1", (1, 1): "10"}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class")
    assert [t.get_text() for t in axes.get_yticklabels()] == ["cat", "dog"]
    assert axes.get_title() == "19 of 20 right (95.00 %)"


def test_a_class_without_images_and_one_with_a_long_name_can_be_drawn():
    matrix = np.array([[0, 0], [1, 3]])
    axes = viz.confusion(matrix, ["x" * 80, "dog"]).axes[0]
    assert axes.get_yticklabels()[0].get_text() == "x" * 12 + "…" + "x" * 9


@pytest.mark.parametrize("k", [2, 10, 31, 100, 250])
def test_class_names_do_not_overlap(k):
    figure = viz.confusion(np.eye(k, dtype=int), [f"class number {i}" for i in range(k)])
    figure.savefig(io.BytesIO(), format="png")
    axes = figure.axes[0]
    boxes = [label.get_window_extent() for label in axes.get_yticklabels()]
    assert all(above.y0 >= below.y1 for above, below in itertools.pairwise(boxes))
    assert min(box.x0 for box in boxes) >= 0
    sides = [label.get_window_extent() for label in axes.get_xticklabels()]
    assert all(left.x1 <= right.x0 for left, right in itertools.pairwise(sides))


def test_confusion_refuses_a_matrix_for_other_classes():
    with pytest.raises(ShapeError, match=r"expects a matrix \(3, 3\) for 3 classes, received \(2"):
        viz.confusion(np.eye(2, dtype=int), "abc")


FIGURES = {
    "curves": lambda: viz.curves(history(3)),
    "filters": lambda: viz.filters(np.ones((6, 1, 5, 5)), np.ones((6, 1, 5, 5))),
    "confusion": lambda: viz.confusion(np.eye(10, dtype=int), "0123456789"),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_saved_picture_opens_has_a_sensible_size_and_nothing_cut_off(tmp_path, name):
    path = tmp_path / f"{name}.png"
    viz.save_figure(FIGURES[name](), path)
    with Image.open(path) as picture:
        grey = np.asarray(picture.convert("L"))
    assert 600 <= min(grey.shape) <= max(grey.shape) <= 2400
    assert grey.std() > 10
    for side in (grey[0], grey[-1], grey[:, 0], grey[:, -1]):
        assert (side == 255).all()


def test_the_suffix_decides_the_format(tmp_path):
    starts = {"a.png": b"\x89PNG", "a.svg": b"<?xml", "a.PDF": b"%PDF"}
    for name, start in starts.items():
        viz.save_figure(FIGURES["filters"](), tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start)
    with pytest.raises(
        ArgumentError, match=r"must end in \.png, \.svg or \.pdf, received '.*a\.bmp'"
    ):
        viz.save_figure(FIGURES["filters"](), tmp_path / "a.bmp")


def test_a_failed_save_leaves_the_old_picture_and_nothing_else(tmp_path, monkeypatch):
    figure = FIGURES["filters"]()
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    def half(part: Path, **_: object) -> None:
        Path(part).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(figure, "savefig", half)
    with pytest.raises(KeyboardInterrupt):
        viz.save_figure(figure, path)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_drawing_needs_no_window_and_leaves_none_behind():
    import matplotlib.pyplot as plt

    viz.curves(history(2))
    assert plt.get_fignums() == []


@pytest.mark.parametrize("name", ["features", "depth", "applied"])
def test_letters_are_legible_on_a_page_of_800_pixels(name):
    from matplotlib.text import Text

    model, (_, test) = models.SimpleConvNet((1, 8, 8)), data.digits()
    image = test.batch([0])[0][0]
    drawn = {
        "features": lambda: viz.features(model, image, most=12),
        "depth": lambda: viz.depth(viz.units_by_depth(model, test.take(30), steps=2)),
        "applied": lambda: viz.applied(model, [image]),
    }
    figure = drawn[name]()
    page = 800 / 72 / figure.get_size_inches()[0]  # pixels of the page to a point of the figure
    texts = [text for text in figure.findobj(Text) if text.get_text().strip()]
    assert len(texts) > 10
    assert min(text.get_fontsize() for text in texts) * page >= 8


def test_curves_name_their_run_as_it_is_called():
    figure = viz.curves(history(2), title="a_$run$ " + 30 * "long ")
    assert figure.get_suptitle().startswith("a_$run$ long")
    assert len(figure.get_suptitle()) < 130
    assert viz.curves(history(2)).get_suptitle() == ""
