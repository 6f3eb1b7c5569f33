"""The values of an opened network."""

import numpy as np
import pytest

from pellucid import models, nn
from pellucid.errors import ArgumentError
from pellucid.studio import questions  # noqa: F401 - registers them
from pellucid.studio.opened import Opened
from pellucid.studio.opening import Studio
from pellucid.studio.registry import ForgottenError, answer


def _image(shape, seed=0):
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


@pytest.mark.parametrize("name", ["simple", "resnet20", "lenet-1998"])
def test_every_value_is_what_the_layers_compute(name):
    opened = Studio().open(name)
    image = opened.keep(_image(opened.shapes[0]))
    values = opened.values(image)
    x = {0: opened.numbers(image)[np.newaxis]}
    with opened.model.evaluating():
        for made, node in enumerate(opened.nodes, 1):
            x[made] = node.layer(*[x[k] for k in node.reads])
            scale = np.abs(x[made]).max()
            np.testing.assert_allclose(values[made], x[made][0], atol=1e-5 * scale)
    np.testing.assert_allclose(values[opened.output], opened.scores(image), rtol=1e-4, atol=1e-5)


def test_looking_at_a_network_renames_none_of_its_layers():
    model = models.by_name("resnet20", (3, 32, 32), 10)
    names = [layer.name for _, layer in model.layers()]
    opened = Opened(model, "n1", "r")
    opened.values(opened.keep(_image((3, 32, 32))))
    assert [layer.name for _, layer in model.layers()] == names


def test_changed_weights_give_other_values():
    opened = Studio().open("simple")
    image = opened.keep(_image((1, 28, 28)))
    before = opened.values(image)[1].copy()
    for parameter in opened.model.parameters().values():
        parameter.data[...] *= 2
    opened.changed()
    np.testing.assert_allclose(opened.values(image)[1], 2 * before, rtol=1e-4, atol=1e-6)


def test_an_image_that_is_no_longer_kept_is_asked_for_once_more():
    opened = Studio().open("simple")
    first = opened.keep(_image((1, 28, 28)))
    for seed in range(1, 65):
        opened.keep(_image((1, 28, 28), seed))
    with pytest.raises(ForgottenError):
        opened.scores(first)
    assert opened.keep(_image((1, 28, 28))) == first


def test_a_network_of_rows_is_refused_with_what_to_do():
    model = nn.Sequential(a=nn.Linear(3, 2))
    with pytest.raises(ArgumentError, match="images \\(C, H, W\\)"):
        Opened(model, "n1", "rows")


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("nothing", {}, "no question"),
        ("maps", {"image": "x"}, "value"),
        ("maps", {"image": "x", "value": "1"}, "must be int"),
        ("maps", {"image": "x", "value": 1, "valu": 2}, "valu"),
        ("see", {}, "needs picture"),
        ("see", {"picture": np.zeros((2, 2))}, "uint8"),
        ("see", {"file": np.zeros(9, np.uint8)}, "picture"),
        ("see", {"numbers": np.zeros((1, 2, 2))}, "shape"),
        ("see", {"numbers": np.full((1, 28, 28), np.nan)}, "finite"),
        ("see", {"numbers": np.full((1, 28, 28), 1e300)}, "too large for float32"),
        ("maps", {"image": "x", "value": 10**30}, "must be int"),
        ("weight", {"image": "x", "key": "x", "index": [10**30]}, r"must be list\[int\]"),
        ("edit", {"key": "x", "index": [0], "number": 10**400}, "must be float"),
        ("gallery", {}, "no test images"),
    ],
)
def test_a_wrong_question_is_answered_with_what_is_wrong(name, given, message):
    from pellucid.errors import PellucidError

    with pytest.raises(PellucidError, match=message):
        answer(name, Studio().open("simple"), given)


def test_a_network_by_name_is_made_for_the_images_that_are_named_with_it():
    opened = Studio().open("simple", data="digits")
    assert opened.image_shape == (1, 8, 8)
    assert opened.classes == tuple("0123456789")
    assert len(opened.part("test")) == 359


def test_a_number_without_a_fraction_is_a_float_where_that_is_asked_for():
    opened = Studio().open("simple")
    given = {"key": "conv1.bias", "index": [0], "number": 10**20}  # 1e20 as JavaScript writes it
    assert answer("edit", opened, given)["number"] == np.float32(1e20)


@pytest.mark.parametrize(
    ("first", "count", "found"), [(0, 0, 0), (30, 5, 0), (28, 5, 2), (-3, 1, 1)]
)
def test_maps_that_are_not_there_are_none(first, count, found):
    opened = Studio().open("simple")
    image = opened.keep(_image((1, 28, 28)))
    asked = {"image": image, "value": 1, "first": first, "count": count}
    maps = answer("maps", opened, asked)
    assert maps["maps"].shape == (found, 24, 24)
    assert maps["lows"].shape == maps["highs"].shape == (found,)


def test_a_gallery_of_fewer_than_no_images_is_empty():
    opened = Studio().open("simple", data="digits")
    assert answer("gallery", opened, {"order": "order", "count": -1})["pictures"].shape[0] == 0
