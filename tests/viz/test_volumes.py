"""A network as blocks: every volume's size, what is between, and ways that part and meet."""

from __future__ import annotations

import re

import pytest

from drawn import require_legible, texts
from pellucid import models, viz
from pellucid.errors import ArgumentError, ShapeError
from pellucid.nn import (
    Add,
    Branches,
    Concat,
    Conv2d,
    Flatten,
    GlobalAvgPool2d,
    Graph,
    Layer,
    Linear,
    MaxPool2d,
    Multiply,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    summary,
)
from pellucid.nn.init import without_values


def named(name):
    shape, classes = models.published_for(name)
    with without_values():
        return models.by_name(name, shape, classes)


def sizes(figure):
    return [text for text in texts(figure) if re.fullmatch(r"\d+(x\d+x\d+)?", text)]


def blocks(figure):
    """Return the fronts of the blocks: width and height in inches."""
    polygons = [p for p in figure.axes[0].patches if type(p).__name__ == "Polygon"]
    fronts = [p.get_xy() for p in polygons[::3]]
    return [(xy[1][0] - xy[0][0], xy[2][1] - xy[1][1]) for xy in fronts]


def test_a_chain_has_a_block_for_every_volume():
    figure = viz.volumes(models.SimpleConvNet())
    assert sizes(figure) == ["1x28x28", "30x24x24", "30x12x12", "100", "10"]
    assert len(blocks(figure)) == 5
    words = texts(figure)
    for layer in ("conv1", "pool1", "affine1", "affine2"):
        assert words.count(layer) == 1
    assert {"conv 5x5", "max 2x2", "stride 2", "flatten", "linear", "ReLU"} <= set(words)


def test_larger_volumes_are_drawn_larger():
    (x, conv, pool, *_) = blocks(viz.volumes(models.SimpleConvNet()))
    assert x[1] > conv[1] > pool[1]  # heights: 28, 24, 12 rows
    assert x[0] < conv[0] == pytest.approx(pool[0])  # thickness: 1, 30, 30 channels


@pytest.mark.parametrize("name", ["lenet-1998", "alexnet", "vgg16", "allconv", "resnet18"])
def test_every_convolution_and_pooling_of_a_known_network_has_its_size(name):
    model = named(name)
    figure = viz.volumes(model)
    rows = [row for row in summary(model).rows if re.match(r"Conv|Max|Linear", row.layer)]
    expected = [
        "x".join(map(str, row.output_shape)) for row in rows if "downsample" not in row.name
    ]
    drawn = sizes(figure)
    for size in set(expected):
        assert drawn.count(size) >= expected.count(size)
    require_legible(figure, least=8)


def test_a_residual_block_has_a_way_around_it():
    one = Sequential(
        stem=Conv2d(3, 8, 3, padding=1),
        block=Residual(conv1=Conv2d(8, 8, 3, padding=1), conv2=Conv2d(8, 8, 3, padding=1)),
        relu=ReLU(),
        halved=Residual(conv=Conv2d(8, 16, 3, 2, 1), shortcut=Conv2d(8, 16, 1, 2)),
    )
    figure = viz.volumes(one, (3, 8, 8))
    words = texts(figure)
    assert "+ input" in words
    assert "+ conv 1x1 stride 2" in words
    assert words.count("sum") == 2
    assert words[words.index("sum") + 1] == "ReLU"  # behind the sum, as in the network
    ways = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 3]
    assert len(ways) == 2
    tops = [min(line.get_ydata()) for line in ways]
    for line, top in zip(ways, tops, strict=True):
        inside = [
            p.get_xy()[:, 1].min()
            for p in figure.axes[0].patches
            if min(line.get_xdata()) < p.get_xy()[0][0] < max(line.get_xdata())
        ]
        assert top < min(inside)
    require_legible(figure, least=8)


def test_branches_are_lanes_of_one_frame_before_the_joined_volume():
    figure = viz.volumes(named("googlenet"))
    words = texts(figure)
    lanes = words[words.index("conv 1x1, 96 → conv 3x3, 128") - 1 :][:4]
    assert lanes == [
        "conv 1x1, 64",
        "conv 1x1, 96 → conv 3x3, 128",
        "conv 1x1, 16 → conv 5x5, 32",
        "max 3x3, 192 → conv 1x1, 32",
    ]
    assert sizes(figure)[6] == "256x28x28"
    require_legible(figure, least=8)


def test_a_graph_of_residual_blocks_is_drawn_as_these_blocks_are():
    body = {"conv1": Conv2d(4, 8, 3, 2, 1), "relu1": ReLU(), "conv2": Conv2d(8, 8, 3, padding=1)}
    block = Residual(**body, shortcut=Conv2d(4, 8, 1, 2))
    end = {"relu2": ReLU(), "flat": Flatten(), "fc": Linear(128, 5)}
    chain = Sequential(stem=Conv2d(3, 4, 3, padding=1), block=block, **end)
    graph = Graph(
        {
            "stem": Conv2d(3, 4, 3, padding=1),
            "conv1": (Conv2d(4, 8, 3, 2, 1), "stem"),
            "relu1": ReLU(),
            "conv2": Conv2d(8, 8, 3, padding=1),
            "down": (Conv2d(4, 8, 1, 2), "stem"),
            "sum": (Add(), "conv2", "down"),
            "relu2": ReLU(),
            "flat": Flatten(),
            "fc": Linear(128, 5),
        }
    )
    drawn = [texts(viz.volumes(model, (3, 8, 8))) for model in (chain, graph)]
    assert [text.removeprefix("block.") for text in drawn[0]] == drawn[1]
    assert "+ conv 1x1 stride 2" in drawn[1]


def test_a_gate_and_joined_values_of_a_graph_are_drawn():
    graph = Graph(
        {
            "conv": (Conv2d(3, 6, 3, padding=1), "x"),
            "mean": GlobalAvgPool2d(),
            "fc": Conv2d(6, 6, 1),
            "gate": Sigmoid(),
            "gated": (Multiply(), "conv", "gate"),
            "side": (Conv2d(6, 4, 1), "gated"),
            "more": Conv2d(4, 4, 3, padding=1),
            "all": (Concat(), "more", "gated"),
        }
    )
    figure = viz.volumes(graph, (3, 8, 8))
    assert sizes(figure) == ["3x8x8", "6x8x8", "6x8x8", "10x8x8"]
    lanes = {"mean of all, 6 → conv 1x1, 6", "conv 1x1, 4 → conv 3x3, 4", "unchanged"}
    assert lanes <= {*texts(figure)}
    assert {"product", "joined", "gated", "all"} <= {*texts(figure)}
    require_legible(figure)


def test_branches_within_residual_blocks_and_the_reverse_are_drawn_too():
    inner = Branches(
        ones=Conv2d(4, 2, 1), same=Sequential(pool=MaxPool2d(3, 1, 1), c=Conv2d(4, 2, 1))
    )
    both = Sequential(
        block=Residual(ways=inner),
        split=Branches(chain=Residual(conv=Conv2d(4, 4, 3, padding=1)), nothing=Sequential()),
    )
    words = texts(viz.volumes(both, (4, 6, 6)))
    assert "max 3x3, 4 → conv 1x1, 2" in words
    assert "[conv 3x3, 4] + input" in words
    assert "unchanged" in words
    assert words.count("8x6x6") == 1


class Doubled(Layer):
    """A layer of a class that the library does not know."""

    def output_shape(self, input_shape):
        return (2 * input_shape[0], *input_shape[1:])


def test_a_layer_of_ones_own_is_named_by_its_class():
    words = texts(viz.volumes(Sequential(twice=Doubled()), (3, 5, 7)))
    assert {"twice", "Doubled", "3x5x7", "6x5x7"} <= set(words)


def test_a_single_layer_and_one_that_only_flattens_can_be_drawn():
    assert sizes(viz.volumes(Conv2d(1, 2, 3), (1, 3, 9))) == ["1x3x9", "2x1x7"]
    assert sizes(viz.volumes(Sequential(f=Flatten(), fc=Linear(12, 2)), (1, 3, 4))) == [
        "1x3x4",
        "2",
    ]
    assert sizes(viz.volumes(Flatten(), (1, 3, 4))) == ["1x3x4", "12"]
    assert sizes(viz.volumes(Sequential(), (1, 3, 4))) == ["1x3x4"]


def test_long_networks_go_on_in_the_next_line_up_to_a_limit():
    model = Sequential(*(Conv2d(2, 2, 1) for _ in range(40)))
    figure = viz.volumes(model, (2, 4, 4))
    assert figure.get_size_inches()[0] < 17
    assert len(blocks(figure)) == 41
    require_legible(figure, least=8)
    with pytest.raises(ArgumentError, match=r"can draw 120 volumes, this network has 130.*trunk"):
        viz.volumes(Sequential(*(Conv2d(2, 2, 1) for _ in range(130))), (2, 4, 4))


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ArgumentError, match="does not say which images"):
        viz.volumes(Sequential(Conv2d(1, 2, 3)))
    with pytest.raises(ShapeError, match="expects 1 input channels"):
        viz.volumes(models.SimpleConvNet(), (3, 28, 28))
