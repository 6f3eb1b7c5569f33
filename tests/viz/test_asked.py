"""What a figure is not made of is refused in a sentence; what it can be made of is drawn."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest

import pellucid
from pellucid import data, models, viz
from pellucid.errors import ArgumentError

_, TEST = data.digits()
MODEL = models.SimpleConvNet((1, 8, 8))
IMAGE = TEST.batch([0])[0][0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: viz.curves("runs/x"), r"^history: expects a History, received 'runs/x'\. `tr"),
        (lambda: viz.curves(pellucid.Trainer(MODEL, TEST)), r"a History, received Trainer\. "),
        (lambda: viz.learning(MODEL), r"^epochs: expects a dict, received SimpleConvNet"),
        (lambda: viz.comparison(["a"]), r"^histories: expects a dict, received list\. Write `{nam"),
        (lambda: viz.activations(MODEL), r"^panels: expects a dict, received SimpleConvNet\. Writ"),
        (lambda: viz.depth(MODEL), r"^units: expects a list, received SimpleConvNet\. `units_by_d"),
        (lambda: viz.features(MODEL, TEST), r"^image: expects an array, received Dataset\. One i"),
        (lambda: viz.features("model.safetensors", IMAGE), r"^model: expects a model, received 'm"),
        (lambda: viz.why(MODEL, pathlib.Path("a.png")), r"^image: expects an array, received Pos"),
        (lambda: viz.why(image=None, model=MODEL), r"^image: expects an array, received NoneType"),
        (lambda: viz.mistakes(MODEL, TEST), r"^dataset: expects a Dataset, received SimpleConvNe"),
        (lambda: viz.mistakes(TEST, MODEL), r"^probabilities: expects an array, received Simple"),
        (lambda: viz.filters(TEST), r"^weight: expects an array or a model, received Dataset\. W"),
        (lambda: viz.confusion(MODEL), r"^matrix: expects an array or an Evaluation, received S"),
        (lambda: viz.applied(MODEL, TEST), r"^images: expects a list, received Dataset\. One ima"),
        (lambda: viz.window(MODEL, IMAGE), r"^x: expects an array, received SimpleConvNet\. `dat"),
        (lambda: viz.save_figure(MODEL, "a.png"), r"^figure: expects a figure, received SimpleCo"),
        (lambda: viz.filters(MODEL, layer="x"), r"^layer: there is no convolution 'x'.* conv1\.$"),
    ],
)  # fmt: skip
def test_an_argument_of_another_kind_is_refused_with_advice(call, message):
    with pytest.raises(ArgumentError, match=message):
        call()


def test_filters_of_a_model_are_those_of_its_first_convolution():
    deep = models.DeepConvNet((1, 28, 28))
    names = list(viz.convolutions(deep))
    for layer in (None, names[1]):
        weight = viz.convolutions(deep)[layer or names[0]]
        drawn, given = viz.filters(deep, layer=layer), viz.filters(weight)
        for one, other in zip(drawn.axes, given.axes, strict=True):
            for a, b in zip(one.images, other.images, strict=True):
                assert np.ma.allequal(a.get_array(), b.get_array())
    assert len(viz.filters(deep, deep).axes) == 3


def test_an_evaluation_knows_the_classes_of_its_confusion_matrix():
    result = pellucid.evaluate(MODEL, TEST.take(50))
    axes = viz.confusion(result).axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == list("0123456789")
    assert result.classes == TEST.classes


def test_images_without_numbers_of_their_own_may_be_lists():
    figure = viz.window([[1, 2, 3], [4, 5, 6], [7, 8, 9]], [[1, 0], [0, 1]])
    assert figure.axes
