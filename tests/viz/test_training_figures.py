"""Figures of how training went: comparisons, mistakes, filters over the epochs, activations."""

from __future__ import annotations

import io

import numpy as np
import pytest

from pellucid import models, nn, viz
from pellucid.data import Dataset
from pellucid.errors import ArgumentError, ShapeError
from pellucid.training import Calibration, EpochRecord, History


def history(*accuracies: float, test: bool = True) -> History:
    return History(
        [],
        [
            EpochRecord(k, 1 / k, a, 1.5 / k if test else None, a - 0.1 if test else None, 1.0)
            for k, a in enumerate(accuracies, 1)
        ],
    )


def draw(figure) -> None:
    figure.savefig(io.BytesIO(), format="png", dpi=60)


def test_curves_of_a_history_from_a_file_draw_the_epochs_alone():
    loss, accuracy = viz.curves(history(0.5, 0.75)).axes
    assert [l.get_label() for l in loss.lines] == ["train, mean", "test"]
    assert loss.get_yscale() == "log"
    assert list(accuracy.lines[0].get_ydata()) == [0.5, 0.75]


def test_a_comparison_draws_every_run_and_says_how_good_it_is():
    runs = {
        "sgd": history(0.5, 0.6),
        "adam": history(0.7, 0.8, 0.9),
        "plain": history(1.0, test=False),
    }
    figure = viz.comparison(runs)
    draw(figure)
    _, accuracy = figure.axes
    told = [text.get_text() for text in accuracy.get_legend().get_texts()]
    assert told == ["sgd: 0.5000", "adam: 0.8000", "plain: 1.0000 on training images"]
    thick = {l.get_label(): list(l.get_ydata()) for l in accuracy.lines if l.get_linewidth() > 1}
    assert thick["adam: 0.8000"] == pytest.approx([0.6, 0.7, 0.8])


def test_the_lines_of_a_comparison_are_told_apart_without_colour():
    lines = viz.comparison({str(k): history(0.5, 0.6) for k in range(28)}).axes[1].lines
    looks = [(l.get_linestyle(), l.get_marker()) for l in lines if l.get_linewidth() > 1]
    assert len(set(looks)) == 28


def test_a_comparison_needs_finished_epochs_and_few_runs():
    with pytest.raises(ArgumentError, match="at least one finished epoch; 'b' has none"):
        viz.comparison({"a": history(0.5), "b": History()})
    with pytest.raises(ArgumentError, match="draws 1 to 28 runs, received 29"):
        viz.comparison({str(k): history(0.5) for k in range(29)})


def pictures(channels: int, n: int = 12) -> Dataset:
    images = np.random.default_rng(0).integers(0, 256, (n, channels, 6, 5), dtype=np.uint8)
    return Dataset(images, np.arange(n) % 3, ("cat", "dog", "a class with a very long name"), "p")


def guesses(dataset: Dataset) -> np.ndarray:
    """Return probabilities that miss images 3 (surely), 5 and 4 (hardly)."""
    p = np.eye(3)[dataset.labels] * 0.9 + 0.1 / 3
    p[3] = (0.0, 1.0, 0.0)
    p[4] = (0.5, 0.1, 0.4)
    p[5] = (0.8, 0.1, 0.1)
    return p


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_mistakes_are_drawn_the_surest_first_with_what_they_are(channels):
    dataset = pictures(channels)
    figure = viz.mistakes(dataset, guesses(dataset))
    draw(figure)
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == [
        "true: cat\n→ dog  (100.0 %)",
        "true: a class w… name\n→ cat  (80.0 %)",
        "true: dog\n→ cat  (50.0 %)",
    ]
    image = np.asarray(figure.axes[0].images[0].get_array())
    expected = dataset.images[3] / 255
    expected = expected.transpose(1, 2, 0) if channels == 3 else expected[0]
    np.testing.assert_allclose(image, expected, rtol=1e-6)
    assert "3 most confident of 3 mistakes in 12 images" in figure.get_suptitle()


def test_only_the_surest_mistakes_are_drawn():
    dataset = pictures(1)
    figure = viz.mistakes(dataset, guesses(dataset), most=1)
    assert len([axes for axes in figure.axes if axes.images]) == 1


def test_mistakes_refuse_what_cannot_be_drawn():
    dataset = pictures(1)
    with pytest.raises(ArgumentError, match="mistakes: there are none: all 12 images are c"):
        viz.mistakes(dataset, np.eye(3)[dataset.labels])
    with pytest.raises(ShapeError, match=r"expects probabilities \(12, 3\).*received \(12, 2\)"):
        viz.mistakes(dataset, np.zeros((12, 2)))
    with pytest.raises(ArgumentError, match="most: must be 1 or more, received 0"):
        viz.mistakes(dataset, guesses(dataset), most=0)


def learned(channels: int, epochs: int, fn: int = 6) -> dict[int, np.ndarray]:
    rng = np.random.default_rng(0)
    start, end = rng.normal(size=(2, fn, channels, 4, 3))
    end[0] = start[0]  # this one does not learn
    return {k: start + (end - start) * k / epochs for k in range(epochs + 1)}


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_learning_draws_each_filter_in_a_row_from_epoch_to_epoch(channels):
    epochs = learned(channels, 3)
    figure = viz.learning(epochs, most=5)
    draw(figure)
    curves, drawn = figure.axes
    assert len(drawn.images) == 5 * 4
    names = {text.get_text() for text in drawn.texts}
    assert names == {"0", "1", "2", "3", "4", "5"}  # epochs 0 to 3, and filters 1 to 5
    assert sum(text.get_text() == "0" for text in drawn.texts) < len(drawn.texts) / 4
    extent = max(np.abs(w[1:]).max() for w in epochs.values())
    first = np.asarray(drawn.images[0].get_array())
    expected = 0.5 + epochs[0][1] / (2 * extent)
    expected = expected.transpose(1, 2, 0) if channels == 3 else expected[0]
    np.testing.assert_allclose(first, expected)
    assert ("channel 0 of 2" in drawn.get_title()) == (channels == 2)
    alike = list(curves.lines[0].get_ydata())
    assert alike[0] == pytest.approx(1)
    assert alike == sorted(alike, reverse=True)


def test_learning_draws_one_channel_on_request_and_of_many_epochs_some():
    figure = viz.learning(learned(3, 40), most=2, channel=2)
    drawn = figure.axes[1]
    assert len(drawn.images) == 2 * 12
    assert "channel 2 of 3" in drawn.get_title()
    assert np.asarray(drawn.images[0].get_array()).ndim == 2


def test_the_pictures_of_learning_lie_side_by_side_and_upright():
    drawn = viz.learning(learned(1, 3), most=5).axes[1]
    boxes = [image.get_extent() for image in drawn.images]
    for left, right, bottom, top in boxes:
        assert (left < right, top < bottom) == (True, True)
        assert (bottom - top) / (right - left) == pytest.approx(4 / 3)
    places = {(round(b[0], 3), round(b[3], 3)) for b in boxes}
    assert len(places) == len(boxes)
    assert drawn.get_ylim()[0] > drawn.get_ylim()[1]


def test_learning_refuses_what_it_cannot_draw():
    with pytest.raises(ArgumentError, match="learning: needs at least two epochs, received 1"):
        viz.learning({0: np.zeros((2, 1, 3, 3))})
    with pytest.raises(ShapeError, match=r"filters .* of one shape"):
        viz.learning({0: np.zeros((2, 1, 3, 3)), 1: np.zeros((2, 1, 5, 5))})
    with pytest.raises(ShapeError, match="there is no channel 3: these filters have 3"):
        viz.learning(learned(3, 2), channel=3)


def test_filters_that_are_all_zero_have_a_likeness_and_a_picture():
    draw(viz.learning({0: np.zeros((2, 1, 3, 3)), 1: np.zeros((2, 1, 3, 3))}))


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_small_weights_let_signals_vanish_and_fitting_ones_do_not(activation):
    def last_spread(init) -> float:
        outputs = viz.section_6_2(activation, init, rng=np.random.default_rng(0))
        assert all(y.shape == (1000, 100) for y in outputs.values())
        return float(outputs["layer 5"].std())

    fitting = last_spread("he" if activation == "relu" else "xavier")
    assert last_spread(0.01) < 0.2 * fitting
    assert 0.05 < fitting < 1.5


def test_large_weights_saturate_a_sigmoid():
    y = viz.section_6_2("sigmoid", 1.0, rng=np.random.default_rng(0))["layer 5"]
    assert ((y < 0.05) | (y > 0.95)).mean() > 0.6


def test_section_6_2_refuses_another_activation():
    with pytest.raises(ArgumentError, match="must be one of sigmoid, tanh, relu; received 'cos'"):
        viz.section_6_2("cos", "he", rng=np.random.default_rng(0))


def test_a_panel_shows_each_layer_with_its_deviation_and_how_much_is_zero():
    x = np.random.default_rng(0).normal(size=2000)
    figure = viz.activations({"a": {"fc": x, "relu": np.maximum(x, 0)}, "b": {"fc": 300 * x}})
    draw(figure)
    one, two = figure.axes
    assert [t.get_text() for t in one.get_xticklabels()] == ["fc\ndev. 1", "relu\ndev. 0.57"]
    assert [t.get_text() for t in one.texts] == ["52 % zero"]
    assert two.get_xticklabels()[0].get_text().startswith("fc\ndev. 30")
    relu = [bar for bar in one.patches if bar.get_x() == 1 and bar.get_width() > 0]
    assert min(bar.get_y() for bar in relu) >= 0, "what is above 0 is drawn above it"


@pytest.mark.parametrize(
    "values", [np.zeros(5), np.full(5, 7.0), np.array([1.0, np.nan, np.inf]), np.full(3, np.nan)]
)
def test_outputs_that_are_all_alike_or_not_finite_can_be_drawn(values):
    figure = viz.activations({"a": {"fc": values}})
    draw(figure)
    lost = 100 * (~np.isfinite(values)).mean()
    label = figure.axes[0].get_xticklabels()[0].get_text()
    assert (f"{lost:.0f} % not finite" in label) == (lost > 0)


def test_activations_need_something_to_draw():
    for nothing in ({}, {"a": {}}):
        with pytest.raises(ArgumentError, match="needs at least one panel with one layer"):
            viz.activations(nothing)


def test_the_outputs_of_layers_are_those_of_the_model_itself():
    model = models.SimpleConvNet((1, 8, 8), rng=np.random.default_rng(0))
    x = np.random.default_rng(1).random((3, 1, 8, 8), dtype=np.float32)
    outputs = viz.layer_outputs(model, x, ["relu1", "affine2"])
    np.testing.assert_array_equal(outputs["affine2"], model(x))
    np.testing.assert_array_equal(outputs["relu1"], model["relu1"](model["conv1"](x)))
    assert "forward" not in vars(model["relu1"]), "the model is as it was"
    assert all(layer.training for _, layer in model.layers())


def test_layers_inside_branches_and_residual_blocks_are_found():
    model = models.ResNet20(rng=np.random.default_rng(0))
    x = np.zeros((1, 3, 32, 32), dtype=np.float32)
    outputs = viz.layer_outputs(model, x)
    assert len(outputs) <= 13
    assert list(outputs)[-1] == "fc"
    assert any("." in name for name in outputs)


def test_a_network_without_bends_shows_its_layers_with_weights():
    model = nn.Sequential(flatten=nn.Flatten(), fc=nn.Linear(4, 2))
    assert list(viz.layer_outputs(model, np.zeros((1, 1, 2, 2), dtype=np.float32))) == ["fc"]
    with pytest.raises(ArgumentError, match="there is no layer 'conv'"):
        viz.layer_outputs(model, np.zeros((1, 1, 2, 2), dtype=np.float32), ["conv"])


def test_new_initial_weights_reach_every_layer_and_leave_the_model_alone():
    model = models.ResNet20(rng=np.random.default_rng(0))
    before = model.state_dict()
    new = viz.with_initial_weights(model, 0.5, rng=np.random.default_rng(1))
    for key, weight in new.state_dict().items():
        if weight.ndim > 1:
            assert weight.std() == pytest.approx(0.5, rel=0.2), key
    assert all(np.array_equal(before[key], w) for key, w in model.state_dict().items())


def test_a_dollar_in_a_name_is_a_dollar():
    images = np.zeros((2, 1, 4, 4), dtype=np.uint8)
    dataset = Dataset(images, np.array([0, 1]), (r"$\no$", "$5"), "p")
    draw(viz.mistakes(dataset, np.array([[0, 1.0], [1.0, 0]])))
    draw(viz.confusion(np.eye(2, dtype=int), dataset.classes))
    draw(viz.comparison({r"$\no$": history(0.5), "b": history(0.6)}))
    draw(viz.activations({r"$\no$": {r"$\no$": np.ones(3)}}, title=r"$\no$"))


def test_numbers_may_come_as_lists_and_no_classes_are_refused():
    figure = viz.confusion([[9, 1], [0, 10]], ["cat", "dog"])
    assert figure.axes[0].get_title() == "19 of 20 right (95.00 %)"
    weight = np.arange(18.0).reshape(2, 1, 3, 3)
    assert np.array_equal(viz.mosaic(weight.tolist()), viz.mosaic(weight), equal_nan=True)
    assert len(viz.filters(weight.tolist(), before=weight.tolist()).axes) == 3
    with pytest.raises(ShapeError, match="confusion: needs at least one class"):
        viz.confusion(np.zeros((0, 0), int), [])


def test_a_reliability_diagram_draws_each_bin_that_holds_images():
    p = np.array([[0.9, 0.1], [0.9, 0.1], [0.8, 0.2], [0.4, 0.6]])
    found = Calibration.of(p, np.array([0, 1, 0, 1]), bins=5)
    figure = viz.reliability(found)
    draw(figure)
    top, below = figure.axes
    assert [bar.get_height() for bar in top.patches] == [1.0, 1.0, 0.5]
    assert [bar.get_height() for bar in below.patches] == [0.25, 0.25, 0.5]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "calibrated", "gap", "accuracy",
    ]  # fmt: skip
