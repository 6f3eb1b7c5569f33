"""Feature maps, layer by layer."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid import nn, viz
from pellucid.errors import ArgumentError, ShapeError
from pellucid.models import AllConvolutionalNet, ResNet20, SimpleConvNet
from pellucid.nn import Branches, Card, Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential
from pellucid.viz.analysis.recording import recorded
from pellucid.viz.figures.features import stages_of

RNG = np.random.default_rng(0)


def image(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).random(shape, dtype=np.float32)


def texts(figure) -> str:
    return "\n".join(text.get_text() for text in figure.texts)


def test_what_is_recorded_is_what_the_layers_make():
    model = ResNet20((3, 16, 16), rng=np.random.default_rng(0))
    x = image(2, 3, 16, 16)
    stages = recorded(model, x)
    model.eval()
    for stage in stages:
        if "." not in stage.names[-1] and stage.names[-1]:
            expected = nn.trunk(model, stage.names[-1])(x)
            np.testing.assert_allclose(stage.output, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(stages[-1].output, model(x), rtol=1e-5, atol=1e-6)


def test_recording_leaves_the_model_as_it_was():
    model = SimpleConvNet(rng=np.random.default_rng(0))
    model["relu1"].training = False
    recorded(model, image(1, 1, 28, 28))
    assert model.training
    assert not model["relu1"].training
    assert all("forward" not in vars(layer) for _, layer in model.layers())
    with pytest.raises(ShapeError):
        recorded(model, image(1, 2, 28, 28))
    assert all("forward" not in vars(layer) for _, layer in model.layers())
    assert model["conv1"]._memory is None


def test_a_residual_block_is_a_stage_with_the_relu_behind_its_sum():
    titles = [stage.title for stage in recorded(ResNet20(), image(1, 3, 32, 32))]
    assert titles[:4] == [
        "conv1 + bn1 + relu",
        "layer1.0.conv1 + bn1 + relu",
        "layer1.0.conv2 + bn2",
        "layer1.0 + relu0",
    ]
    outer = [s.title for s in stages_of(recorded(ResNet20(), image(1, 3, 32, 32)))]
    assert len(outer) == 12
    assert not any("conv2" in title for title in outer), "of many, those inside are left out"


def test_branches_are_stages_and_so_is_what_they_make_together():
    model = Sequential(
        both=Branches(a=Conv2d(1, 2, 3, padding=1), b=Sequential(p=MaxPool2d(3, 1, 1), r=ReLU())),
        flat=Flatten(),
        fc=Linear(3 * 36, 4),
    )
    stages = stages_of(recorded(model, image(1, 1, 6, 6)))
    assert [s.title for s in stages] == ["both.a", "both.b.p + r", "both", "fc"]
    assert stages[2].output.shape == (1, 3, 6, 6)
    outer = stages_of(recorded(model, image(1, 1, 6, 6)), inside=False)
    assert [s.title for s in outer] == ["both", "fc"]
    viz.features(model, image(1, 6, 6)).canvas.draw()


def test_rows_show_the_most_active_maps_with_their_numbers():
    model = SimpleConvNet(rng=np.random.default_rng(0))
    x = image(1, 28, 28)
    figure = viz.features(model, x, most=5)
    model.eval()
    maps = nn.trunk(model, "relu1")(x[np.newaxis])[0]
    best = np.argsort(-np.abs(maps).mean(axis=(1, 2)), kind="stable")[:5]
    first = figure.axes[1:6]
    assert [axes.get_title() for axes in first] == [str(k) for k in best]
    for axes, k in zip(first, best, strict=True):
        np.testing.assert_allclose(axes.images[0].get_array(), maps[k])
        assert axes.images[0].get_clim() == (0, np.float32(maps.max()))
    assert "conv1 + relu1\n30x24x24\n5 most active of 30" in texts(figure)
    assert "affine1 + relu2\n100 numbers" in texts(figure)


def test_maps_with_negative_numbers_have_0_in_the_middle():
    model = Sequential(conv=Conv2d(1, 3, 3, rng=np.random.default_rng(0)))
    axes = viz.features(model, image(1, 8, 12)).axes[1]
    low, high = axes.images[0].get_clim()
    assert low == -high < 0


def test_the_scores_are_bars_with_names_and_probabilities():
    model = SimpleConvNet((1, 8, 8), kernel_size=3, classes=3)
    model.card = Card("pets", ("cat", "dog", "fish"))
    x = image(1, 8, 8)
    axes = viz.features(model, x, label=1).axes[-1]
    scores = model.eval()(x[np.newaxis])[0]
    np.testing.assert_allclose([bar.get_width() for bar in axes.patches], scores)
    names = [tick.get_text() for tick in axes.get_yticklabels()]
    assert names == ["cat", "dog (is)", "fish"]
    shares = np.exp(scores) / np.exp(scores).sum()
    for text, share in zip(axes.texts, shares, strict=True):
        assert text.get_text().endswith(f"{100 * share:.1f} %")
    bold = [text.get_fontweight() == "bold" for text in axes.texts]
    assert bold == [k == scores.argmax() for k in range(3)], "told apart without colour"


def test_of_many_classes_the_best_ten_are_shown():
    model = Sequential(flat=Flatten(), fc=Linear(16, 40, rng=np.random.default_rng(0)))
    x = image(1, 4, 4)
    axes = viz.features(model, x).axes[-1]
    scores = model(x[np.newaxis])[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == [
        str(k) for k in np.argsort(-scores)[:10]
    ]


def test_scores_behind_a_global_pooling_are_bars_too():
    model = AllConvolutionalNet(rng=np.random.default_rng(0))
    figure = viz.features(model, image(3, 32, 32), most=3)
    assert len(figure.axes[-1].patches) == 10


def test_probabilities_are_not_softened_again():
    model = Sequential(flat=Flatten(), fc=Linear(16, 3), soft=nn.Softmax(1))
    axes = viz.features(model, image(1, 4, 4)).axes[-1]
    assert not any("%" in text.get_text() for text in axes.texts)


@pytest.mark.parametrize("shape", [(1, 12, 30), (3, 30, 12), (2, 9, 9)])
def test_images_of_any_shape_and_depth_can_be_drawn(shape):
    model = Sequential(conv=Conv2d(shape[0], 3, (3, 5)), relu=ReLU(), pool=MaxPool2d(2))
    figure = viz.features(model, image(*shape))
    figure.canvas.draw()
    box = figure.axes[0].get_position()
    wide = box.width * figure.get_figwidth() / (box.height * figure.get_figheight())
    assert wide == pytest.approx(shape[2] / shape[1], rel=0.01)


def test_layers_can_be_chosen_by_name():
    figure = viz.features(ResNet20(), image(3, 32, 32), layers=["layer1.0.conv2", "fc"], most=4)
    assert len(figure.axes) == 1 + 4 + 1
    with pytest.raises(ArgumentError, match=r"there is no 'conv9'. The layers are: conv1, bn1"):
        viz.features(ResNet20(), image(3, 32, 32), layers=["conv9"])
    with pytest.raises(ArgumentError, match="most: must be 1 or more, received 0"):
        viz.features(SimpleConvNet(), image(1, 28, 28), most=0)
    with pytest.raises(ShapeError, match=r"expects one image \(C, H, W\), received \(28, 28\)"):
        viz.features(SimpleConvNet(), image(28, 28))
